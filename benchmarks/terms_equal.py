"""Are the outputs of searches with terms equal to the bit in two versions of the code?

    PYTHONPATH=BEFORE python benchmarks/terms_equal.py --models FOLDER
    PYTHONPATH=.      python benchmarks/terms_equal.py --models FOLDER

Three small models (characters, BPE, words with a copy head) are trained by the first call and kept in the folder. Each generates
for random sources with random terms, beams, batches and rules. Prints a digest of texts, token ids, log-probabilities, attention,
scores and notes for each model; both versions must print the same.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import re
from pathlib import Path
from typing import Any

import torch
from terms import sentences

from nbtextgen import Pairs, TextGenerator, builtin
from nbtextgen.core.errors import OptionError

torch.set_num_threads(1)
MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "characters": (lambda: builtin("dates", 3_000), {"hidden_size": 64, "max_steps": 150}),
    "bpe": (lambda: sentences(3_000), {"tokens": "bpe", "vocabulary_size": 600, "hidden_size": 64, "max_steps": 60}),
    "copy": (lambda: sentences(3_000), {"tokens": "word", "hidden_size": 48, "max_steps": 60, "copy": True}),
}


def call(held: Pairs, draw: random.Random) -> tuple[list[str], dict[str, Any]]:
    """Random sources, and random options with terms from their references."""
    rows = [draw.randrange(len(held)) for _ in range(draw.choice([1, 3, 17, 40, 70]))]
    sources, targets = [held.sources[row] for row in rows], [held.targets[row] for row in rows]
    options: dict[str, Any] = {
        "beam": draw.choice([1, 2, 3, 5, 8]),
        "batch_size": draw.choice([4, 16, 64]),
        "length_penalty": draw.choice([0.0, 0.6, 1.0]),
        "precision": "fp32",
    }
    options |= draw.choice([{}, {}, {"n_best": min(2, options["beam"])}, {"coverage_penalty": 0.2}])
    options |= draw.choice([{}, {}, {}, {"no_repeat_ngram": 2}, {"min_length": 3}, {"prefix": targets[0][:2]}])
    words = [re.findall(r"\w+", target) for target in targets]
    first, last = ([re.findall(r"\w+", source)[place] for source in sources] for place in (0, -1))
    kind = draw.choice(["glossary", "half", "alternatives", "numbers", "words"])
    if kind == "numbers":
        options["carry_over"] = "numbers"
    elif kind == "words":
        options["must_include"] = [draw.choice(each) for each in words[: draw.choice([1, 2, 3])]]
    elif kind == "alternatives":
        options["glossary"] = {
            word: [draw.choice(each), draw.choice(words[0])] for word, each in zip(first, words, strict=True)
        }
    else:
        pairs = list(zip(last, words, strict=True))[:: 2 if kind == "half" else 1]
        options["glossary"] = {word: draw.choice(each) for word, each in pairs}
    return sources, options


def main() -> None:
    """Print the digests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="folder of the trained models")
    parser.add_argument("--calls", type=int, default=40, help="calls of each model")
    arguments = parser.parse_args()
    for name, (pairs_of, options) in MODELS.items():
        pairs, folder = pairs_of(), arguments.models / name
        if not folder.is_dir():
            TextGenerator(seed=1, threads=1, samples=0, device="cpu", **options).fit(pairs[:2_000], callbacks=[]).save(
                folder
            )
        model, draw, digest, refused = TextGenerator.load(folder, device="cpu"), random.Random(5), hashlib.sha256(), 0
        for _ in range(arguments.calls):
            sources, settings = call(pairs[2_000:], draw)
            try:
                outputs = [each for output in model.generate(sources, **settings) for each in output.candidates]
            except OptionError:  # the model cannot write the prefix
                refused += 1
                continue
            for each in outputs:
                digest.update(repr((each.text, each.ids, each.score, each.notes)).encode())
                digest.update(each.log_probabilities.tobytes())
                digest.update(b"" if each.attention is None else each.attention.tobytes())
        print(f"{name}: {arguments.calls} calls, {refused} refused, {digest.hexdigest()[:32]}", flush=True)


if __name__ == "__main__":
    main()
