"""Decoding speed of one program with outputs of a fixed length, called by all.py in that program's environment.

    python decoding_inside.py PROGRAM WORK THREADS SENTENCES SINGLE LENGTH

``PROGRAM`` is onmt, or nbtextgen for the library that is imported, whichever release. The model is the one that peers.py
trained in ``WORK``. Every output has exactly ``LENGTH`` tokens, so that all programs make the same number of steps however
well they are trained. Measured: greedy and beam 5 on ``SENTENCES`` sentences in batches of 64, then the first ``SINGLE`` of
them one at a time. Loading the model does not count. Prints one ``MEASURED {json}`` line of ms per output token.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

BATCH = 64


def decode_onmt(work: Path, sources: Path, beam: int, batch_size: int, length: int) -> Callable[[], None]:
    """A function that translates the file once with OpenNMT-py's own loop."""
    import onmt.bin.translate as program
    from onmt.inference_engine import InferenceEnginePY
    from onmt.utils.parse import ArgumentParser

    words = ["-model", f"{work}/onmt.pt", "-src", str(sources), "-output", f"{work}/decoded", "-beam_size", str(beam)]
    words += ["-batch_size", str(batch_size), "-batch_type", "sents"]
    words += ["-min_length", str(length), "-max_length", str(length)]
    options = program._get_parser().parse_args(words)
    ArgumentParser.validate_translate_opts(options)
    ArgumentParser._get_all_transform_translate(options)
    ArgumentParser._validate_transforms_opts(options)
    ArgumentParser.validate_translate_opts_dynamic(options)
    return InferenceEnginePY(options).infer_file


def decode_nbtextgen(work: Path, sources: Path, beam: int, batch_size: int, length: int) -> Callable[[], None]:
    """A function that decodes the sentences of the file: in one call, or one call for each if ``batch_size`` is 1."""
    from nbtextgen import TextGenerator

    model = TextGenerator.load(work / "nbtextgen")
    texts = sources.read_text("utf-8").rstrip("\n").split("\n")
    calls = [[text] for text in texts] if batch_size == 1 else [texts]
    model.generate(texts[:2], max_length=2)  # quantizes and packs the weights, which belongs to loading

    def run() -> None:
        for call in calls:
            generations = model.generate(call, beam=beam, batch_size=batch_size, min_length=length, max_length=length)
            assert all(len(each.tokens) == length for each in generations)

    return run


def main() -> None:
    """Measure all four ways."""
    program, folder, *numbers = sys.argv[1:]
    threads, sentences, single, length = map(int, numbers)
    work = Path(folder)
    torch.set_num_threads(threads)
    texts = (work / "val.en").read_text("utf-8").split("\n")
    decoder = decode_onmt if program == "onmt" else decode_nbtextgen
    milliseconds: dict[str, float] = {}
    for name, count, batch_size in (("batch", sentences, BATCH), ("single", single, 1)):
        sources, first = work / f"{name}.en", work / "first.en"
        sources.write_text("\n".join(texts[:count]) + "\n", "utf-8")
        first.write_text("\n".join(texts[: min(count, 8)]) + "\n", "utf-8")
        for decoding, beam in (("greedy", 1), ("beam", 5)):
            decoder(work, first, beam, batch_size, length)()  # a first call that does not count
            run = decoder(work, sources, beam, batch_size, length)
            began = time.perf_counter()
            run()
            milliseconds[f"{decoding}_{name}"] = round(1000 * (time.perf_counter() - began) / (count * length), 4)
    print("\nMEASURED " + json.dumps(milliseconds), flush=True)


if __name__ == "__main__":
    main()
