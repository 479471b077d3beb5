"""Exported models against the ones they come from: the same outputs for every kind of network, and what serving costs.

    python benchmarks/exported.py --share 1.0

Prints for how many combinations of cell, attention, copy head, coverage, input feeding, layer normalisation, tied embeddings
and reading direction (``--share`` of all of them, one or two networks, random weights) greedy decoding and beam search
wrote the same tokens, and the largest difference between log-probabilities; then milliseconds for a text in both.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nbtextgen.core.options import build
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.export.folder import export
from nbtextgen.inference.generation import Generations
from nbtextgen.inference.predictor import Predictor
from nbtextgen.inference.text_codec import OutputLength
from nbtextgen.model.config import ATTENTIONS, CELLS, TYINGS, ModelConfig
from nbtextgen.model.seq2seq import EMBEDDING_SCALE, Seq2Seq
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.serving.generator import OnnxGenerator
from nbtextgen.tokenizers.config import TokenizerConfig
from nbtextgen.tokenizers.registry import train_tokenizer
from nbtextgen.training.config import TrainingConfig

TEXTS = ["abcdefgh", "a", "hgfe dcba", "xyzzy", "bbbb", "a b c d e f g h"]
"""``x``, ``y`` and ``z`` are in no vocabulary: a copy head can point at them."""
DECODINGS: tuple[dict[str, Any], ...] = ({"precision": "fp32"}, {"precision": "fp32", "beam": 3, "n_best": 2})


def combinations() -> Iterator[dict[str, Any]]:
    """Every kind of network that there is."""
    truths = (False, True)
    for cell, attention, copy, coverage, feeding, norm, tied, both in itertools.product(
        CELLS, ATTENTIONS, truths, truths, truths, truths, TYINGS, truths
    ):
        if attention != "none" or not (copy or coverage):
            yield {
                "cell": cell,
                "attention": attention,
                "copy": copy,
                "coverage": coverage,
                "input_feeding": feeding,
                "layer_norm": norm,
                "tied_embeddings": tied,
                "bidirectional": both,
            }


def random_writer(options: dict[str, Any], members: int = 1, seed: int = 1) -> Predictor:
    """Networks of random weights, large enough for clear preferences, over a small alphabet."""
    tokens = train_tokenizer(["abcdefgh "], "char")
    sizes = {
        "embedding_size": 8,
        "hidden_size": 8,
        "heads": 2,
        "encoder_layers": 2,
        "decoder_layers": 3,
        "dropout": 0.0,
    }
    config = build(ModelConfig, {**sizes, **options})
    networks = []
    for number in range(members):
        torch.manual_seed(100 * seed + number)
        network = Seq2Seq(config, tokens.size, tokens.size)
        for parameter in network.parameters():
            parameter.data.normal_(std=0.5)
        if not config.encoder_layers:  # read louder: as loud as the others, so that no gate is stuck at zero or one
            for weight in {network.source_embedding.weight, network.target_embedding.weight}:
                weight.data /= EMBEDDING_SCALE
        networks.append(network)
    return Predictor(tokens, tokens, networks, OutputLength(3, 1.0))


def exported(predictor: Predictor, folder: Path) -> OnnxGenerator:
    """The same model by way of a folder."""
    config = predictor.networks[0].config
    plan = Plan(TokenizerConfig(tokens="char"), config, TrainingConfig(), {})
    return OnnxGenerator.load(export("onnx", folder, predictor, plan), threads=1)


def difference(ours: Generations, theirs: Generations) -> float:
    """Largest difference between the log-probabilities and attention of the same outputs; infinite for other outputs."""
    worst = 0.0
    for expected, actual in zip(ours, theirs, strict=True):
        for first, second in zip(expected.candidates, actual.candidates, strict=True):
            if (first.ids, first.text, first.tokens) != (second.ids, second.text, second.tokens):
                return float("inf")
            worst = max(worst, float(np.abs(first.log_probabilities - second.log_probabilities).max()))
            if (first.attention is None) != (second.attention is None):
                return float("inf")
            if first.attention is not None and second.attention is not None and first.attention.size:
                worst = max(worst, float(np.abs(first.attention - second.attention).max()))
    return worst


def compared(options: dict[str, Any], members: int, seed: int, folder: Path) -> tuple[float, float]:
    """The largest difference over all ways of decoding; and that of PyTorch to itself in double precision, greedily."""
    predictor = random_writer(options, members, seed)
    served = exported(predictor, folder)
    ours = [predictor.predict(TEXTS, build(DecodingConfig, way)) for way in DECODINGS]
    largest = max(
        difference(expected, served.generate(TEXTS, **way)) for expected, way in zip(ours, DECODINGS, strict=True)
    )
    for network in predictor.networks:
        network.double()
    return largest, difference(ours[0], predictor.predict(TEXTS, build(DecodingConfig, DECODINGS[0])))


def speed(beam: int, repeat: int) -> tuple[float, float]:
    """Milliseconds for one text of 20 tokens, in PyTorch and exported: LSTM 256, general attention, 8,000 types."""
    tokens = train_tokenizer([" ".join(f"w{number}" for number in range(7995))], "word")
    config = ModelConfig(embedding_size=256, hidden_size=256, dropout=0.0)
    predictor = Predictor(tokens, tokens, [Seq2Seq(config, tokens.size, tokens.size)], OutputLength(20, 0.0))
    text, way = " ".join(f"w{number}" for number in range(20)), {"beam": beam, "min_length": 20, "precision": "fp32"}
    milliseconds = []
    with tempfile.TemporaryDirectory() as place:
        served = exported(predictor, Path(place) / "m")
        for write in (
            lambda: predictor.predict([text], build(DecodingConfig, way)),
            lambda: served.generate([text], **way),
        ):
            write()
            times = []
            for _ in range(repeat):
                began = time.perf_counter()
                write()
                times.append(time.perf_counter() - began)
            milliseconds.append(1000 * min(times))
    return milliseconds[0], milliseconds[1]


def main() -> None:
    """Compare, time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rng, everything = random.Random(args.seed), list(combinations())
    chosen = rng.sample(everything, max(1, round(args.share * len(everything))))
    worst = noise = 0.0
    other = 0
    with tempfile.TemporaryDirectory() as place:
        for number, options in enumerate(chosen):
            difference_from_torch, own = compared(options, 1 + number % 2, args.seed + number, Path(place) / "m")
            noise = noise if math.isinf(own) else max(noise, own)
            if math.isinf(difference_from_torch):
                other += 1
                print("other outputs:", options, flush=True)
            else:
                worst = max(worst, difference_from_torch)
    print(
        f"{len(chosen)} of {len(everything)} kinds of network, every second an ensemble of two, {len(TEXTS)} texts, greedy and "
        f"beam 3: {other} wrote anything else; log-probabilities and attention differ by {worst:.1e} at most "
        f"(PyTorch in single and in double precision: {noise:.1e})"
    )
    for beam in (1, 5):
        torch_time, onnx_time = speed(beam, 7)
        print(f"beam {beam}, 20 tokens, one thread: PyTorch {torch_time:.1f} ms, exported {onnx_time:.1f} ms")


if __name__ == "__main__":
    main()
