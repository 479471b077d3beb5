"""Explanations on data whose truth is known: how much attribution is on the span that made each output token.

    python benchmarks/truth.py [--sets dates,numbers,lexicon,copied] [--kinds lstm,none,...] [--limit 100] [--updates 900] [--out FILE]
    python benchmarks/truth.py --align SOURCES TARGETS GOLD [--start 1] [--model FOLDER] [--train SOURCES TARGETS] [--out FILE]

Data sets: ``dates`` and ``numbers`` (built in; year, month and day; the letters that most other digits would change),
``lexicon`` (words of an invented language, each translated by one word, in reverse order) and ``copied`` (words in reverse order,
half of them unknown, so that only copying can write them). Kinds of
networks: see ``KINDS``. Every method explains the right outputs among ``--limit`` held-out pairs; shares are means with 95 %
bootstrap intervals, beside those of equal attributions. Scores that should add up are checked on the way.

``--align`` computes alignment error rates (Och & Ney 2003) on ``--limit`` pairs, evenly spread, with gold word alignments, one line
each (``1-1 2p3``), counted from ``--start``: of SHAP, attention and the other methods, and of IBM model 1 (Brown et al. 1993), a
statistical aligner without a network. Model 1, and the network unless ``--model`` is a saved one, are trained on ``--train`` and
all these pairs. Public gold sets: ``examples/`` of neulab/awesome-align.

Prints tables, and one JSON line for each result to ``--out``.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nbtextgen import Pairs, TextGenerator, builtin
from nbtextgen.data.builtin import true_links
from nbtextgen.explanation.alignment import Links, error_rate, read_gold
from nbtextgen.explanation.config import configure
from nbtextgen.explanation.survey import Mean, survey
from nbtextgen.explanation.truth import SpanLinks, right_share, uniform_share

METHODS = ("shap", "lime", "integrated-gradients", "occlusion", "input-x-gradient", "attention")
KINDS: dict[str, dict[str, Any]] = {
    "lstm": {"cell": "lstm"},
    "gru": {"cell": "gru", "attention": "additive"},
    "no attention": {"attention": "none"},
    "input feeding": {"input_feeding": True},
    "two layers": {"encoder_layers": 2, "decoder_layers": 2},
    "copy": {"copy": True},
    "coverage": {"copy": True, "coverage": True},
    "no encoder": {"encoder_layers": 0},
    "ensemble": {"ensemble": 2},
}
TRANSLATION: dict[str, Any] = {
    "tokens": "word", "source_lowercase": True, "target_lowercase": True, "minimum_frequency": 1, "hidden_size": 128,
    "embedding_size": 64, "dropout": 0.2, "source_masking": 0.3, "valid_fraction": 0.0, "samples": 0, "seed": 1,
}  # fmt: skip
SIZES = {"hidden_size": 96, "embedding_size": 48, "dropout": 0.1, "source_masking": 0.3, "samples": 0, "seed": 1}


def reversed_pairs(count: int, seed: int, words: Sequence[str], translate: dict[str, str]) -> Pairs:
    """Sentences of three to six words, and their words, translated, in reverse order."""
    generator = random.Random(seed)
    rows = list[tuple[str, str]]()
    for _ in range(count):
        source = [generator.choice(words) for _ in range(generator.randint(3, 6))]
        rows.append((" ".join(source), " ".join(translate.get(word, word) for word in reversed(source))))
    return Pairs.of(rows)


def data_set(name: str) -> tuple[Pairs, Pairs, dict[str, Any]]:
    """Training and held-out pairs, and settings."""
    if name == "dates":
        return builtin("dates", 6_000), builtin("dates", 400, seed=99), {}
    if name == "numbers":
        pairs = builtin("numbers", 8_400)
        easier = {"tokens": "char", "hidden_size": 128, "learning_rate": 0.004, "dropout": 0.0, "source_masking": 0.1}
        return pairs[:8_000], pairs[8_000:], easier
    letters = random.Random(7)
    words = ["".join(letters.choice("abdegiklmnoprstu") for _ in range(5)) for _ in range(60)]
    if name == "lexicon":
        translate = {word: word[::-1].upper() for word in words}
        made = [reversed_pairs(count, seed, words, translate) for count, seed in ((4_000, 1), (300, 2))]
        return made[0], made[1], {"tokens": "word"}
    rare = [f"x{number}" for number in range(3_000)]
    mixed = [word for word in words for _ in range(50)] + rare
    made = [reversed_pairs(count, seed, mixed, {}) for count, seed in ((4_000, 1), (300, 2))]
    return made[0], made[1], {"tokens": "word", "minimum_frequency": 12}


def links_of(name: str, source: str, target: str) -> SpanLinks:
    """Which span of the source makes which span of the target."""
    if name in ("dates", "numbers"):
        return true_links(source, target) or ()
    spans = [
        [(sum(len(word) + 1 for word in words[:index]), sum(len(word) + 1 for word in words[:index]) + len(words[index]))
         for index in range(len(words))]
        for words in (source.split(), target.split())
    ]  # fmt: skip
    return list(zip(spans[0], reversed(spans[1]), strict=True))


def shares(name: str, kind: str, limit: int, updates: int) -> dict[str, Any]:
    """One row of the table: train a network of this kind, and explain its right outputs."""
    train, held_out, options = data_set(name)
    began = time.process_time()
    model = TextGenerator(**{**SIZES, **options, **KINDS[kind]}, max_steps=updates, threads=1).fit(train, callbacks=[])
    pairs = held_out.take(range(min(limit, len(held_out))))
    methods = [method for method in METHODS if method != "attention" or KINDS[kind].get("attention") != "none"]
    config = configure({"method": methods, "budget": 400, "exact_units": 8, "prefix": False})
    result = survey(model.predictor, pairs, config)
    right = [row for row, each in enumerate(result.first) if each.text == pairs.targets[row]]
    links = {row: links_of(name, *pairs[row]) for row in right}
    for row in right:
        each = result.first[row]
        np.testing.assert_allclose(each.values.sum(1), each.log_probabilities - each.base_values, atol=1e-6)
    table = {
        method: [right_share(texts[row], links[row]) for row in right] for method, texts in result.explanations.items()
    }
    table["random"] = [uniform_share(result.first[row], links[row]) for row in right]
    means = {method: Mean.of([share for share in each if share is not None]) for method, each in table.items() if right}
    faithful = {method: scores["comprehensiveness"] for method, scores in result.faithfulness.items()}
    return {
        "set": name, "kind": kind, "right": len(right), "of": len(pairs), "updates": updates,
        "share": {method: asdict(mean) for method, mean in means.items()},
        "comprehensiveness": {method: asdict(mean) for method, mean in faithful.items()},
        "processor_seconds": round(time.process_time() - began),
    }  # fmt: skip


def print_row(row: dict[str, Any]) -> None:
    """A row of the table in ``benchmarks/README.md``: share on the right span / comprehensiveness."""
    cells = list[str]()
    for method in (*METHODS, "random"):
        share, faithful = row["share"].get(method), row["comprehensiveness"].get(method)
        interval = "" if share is None else f"{share['value']:.2f} [{share['low']:.2f}, {share['high']:.2f}]"
        cells.append(f"{interval} / {faithful['value']:.2f}" if share and faithful else interval)
    print(f"| {row['set']}, {row['kind']} | {row['right']} of {row['of']} | {' | '.join(cells)} |", flush=True)


# Word alignments --------------------------------------------------------------------------------------------------


def ibm_model_1(pairs: Sequence[tuple[str, str]], rounds: int = 8) -> list[Links]:
    """Alignments by expectation maximisation of word translation probabilities (Brown et al. 1993, sec. 4.1)."""
    split = [(["", *source.lower().split()], target.lower().split()) for source, target in pairs]
    probability: dict[tuple[str, str], float] = defaultdict(lambda: 1.0)
    for _ in range(rounds):
        counts, totals = defaultdict[tuple[str, str], float](float), defaultdict[str, float](float)
        for source, target in split:
            for word in target:
                whole = sum(probability[other, word] for other in source)
                for other in source:
                    part = probability[other, word] / whole
                    counts[other, word] += part
                    totals[other] += part
        probability = defaultdict(float, {pair: count / totals[pair[0]] for pair, count in counts.items()})
    alignments = list[Links]()
    for source, target in split:
        best = [max(range(len(source)), key=lambda index: probability[source[index], word]) for word in target]
        alignments.append(frozenset((index - 1, place) for place, index in enumerate(best) if index))
    return alignments


def align(arguments: argparse.Namespace) -> dict[str, Any]:
    """Alignment error rates of a saved model and of IBM model 1."""
    sources, targets, gold = (_lines(path) for path in arguments.align)
    corpus = [
        (" ".join(source.split()), " ".join(target.split())) for source, target in zip(sources, targets, strict=True)
    ]
    rows = range(0, len(corpus), -(-len(corpus) // arguments.limit))
    pairs, lines = [corpus[row] for row in rows], [gold[row] for row in rows]
    if arguments.train:
        corpus += zip(*map(_lines, arguments.train), strict=True)
    statistical = ibm_model_1(corpus)
    rates = {"IBM model 1": error_rate([statistical[row] for row in rows], read_gold(lines, pairs, arguments.start))}
    if arguments.model:
        model = TextGenerator.load(arguments.model)
    else:
        model = TextGenerator(**TRANSLATION, max_steps=arguments.updates, threads=1).fit(corpus, callbacks=[])
    options: dict[str, Any] = {"method": list(METHODS), "budget": 400, "unit": "word", "faithfulness": False}
    result = model.explain_data(pairs, limit=len(pairs), gold=lines, gold_start=arguments.start, **options)
    rates |= result.alignment_error
    for name, rate in rates.items():
        print(f"| {name} | {rate:.3f} |", flush=True)
    return {
        "gold": Path(arguments.align[2]).name,
        "alignment_error": rates,
        "pairs": len(pairs),
        "trained_on": len(corpus),
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default="dates,numbers,lexicon,copied")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--updates", type=int, default=900)
    parser.add_argument("--align", nargs=3)
    parser.add_argument("--train", nargs=2)
    parser.add_argument("--model")
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    results = list[dict[str, Any]]()
    if arguments.align:
        results.append(align(arguments))
        if arguments.out:
            with arguments.out.open("a") as file:
                file.write(json.dumps(results[-1]) + "\n")
    else:
        print(f"| data, network | right outputs | {' | '.join((*METHODS, 'random'))} |\n|{'---|' * (len(METHODS) + 3)}")
        for name in arguments.sets.split(","):
            for kind in arguments.kinds.split(","):
                results.append(shares(name, kind, arguments.limit, arguments.updates))
                print_row(results[-1])
                if arguments.out:
                    with arguments.out.open("a") as file:
                        file.write(json.dumps(results[-1]) + "\n")


if __name__ == "__main__":
    main()
