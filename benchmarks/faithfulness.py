"""Which explanation can be believed: methods x data sets, with and without source masking in training.

    python benchmarks/faithfulness.py --data FOLDER [--limit 200] [--minutes 4] [--models FOLDER] [--budget 600]
                                      [--sets dates,g2p,multi30k] [--crossed 25]

``--data`` holds ``multi30k/`` and ``g2p2020/``; dates come with the package. Trains six models (kept in ``--models``, so that a
second run only explains), explains ``--limit`` validation outputs of each, and prints

* a table method x data set: comprehensiveness, sufficiency, deletion area, with 95 % intervals, random order as control;
* for ``dates``, the share of positive attribution of the year's four output characters that lies on the year in the source;
* what stands for missing units: SHAP by mask, deletion and sampling, each judged by all three ways of removing.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from nbtextgen import Pairs, TextGenerator, builtin
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.explanation.explainer import Explainer
from nbtextgen.explanation.explanation import Explanation
from nbtextgen.explanation.faithfulness import faithfulness
from nbtextgen.explanation.survey import Mean, Survey, survey

METHODS = ("shap", "integrated-gradients", "lime", "occlusion", "input-x-gradient", "attention")
MISSING = ("mask", "delete", "sample")
MASKING = (0.0, 0.15)
FIGURES = ("comprehensiveness", "sufficiency", "deletion")


def parallel(folder: Path, name: str) -> Pairs:
    """Multi30k's two files."""
    sides = [(folder / f"{name}.{language}").read_text(encoding="utf-8").split("\n") for language in ("en", "de")]
    rows = [(one, other) for one, other in zip(*sides, strict=True) if one.strip() and other.strip()]
    return Pairs(*map(list, zip(*rows, strict=True)))


def data_sets(folder: Path) -> Iterator[tuple[str, Pairs, Pairs, dict[str, object]]]:
    """Name, training pairs, validation pairs, settings."""
    g2p = folder / "g2p2020"
    yield "dates", builtin("dates", 12_000), builtin("dates", 500, seed=99), {}
    yield "g2p", Pairs.of(g2p / "fre_train.tsv"), Pairs.of(g2p / "fre_dev.tsv"), {}
    words = {"tokens": "word", "source_lowercase": True, "target_lowercase": True, "vocabulary_size": 6000}
    multi30k = folder / "multi30k"
    yield (
        "multi30k",
        parallel(multi30k, "train"),
        parallel(multi30k, "val"),
        {**words, "hidden_size": 256, "embedding_size": 128},
    )


def trained(
    name: str, train: Pairs, options: dict[str, object], masking: float, minutes: float, kept: Path
) -> TextGenerator:
    """From the folder of models, or trained now."""
    folder = kept / f"{name.replace(' ', '-')}-{masking}"
    if not (folder / "nbtextgen.json").exists():
        model = TextGenerator(**options, max_minutes=minutes, source_masking=masking, samples=0)
        model.fit(train, listeners=[]).save(folder)
    return TextGenerator.load(folder)


def table(name: str, masking: float, found: Survey) -> None:
    """One block of the table."""
    for method, scores in found.faithfulness.items():
        cells = "  ".join(f"{scores[figure]!s:<24}" for figure in FIGURES)
        print(f"{name:<10} {masking:<8} {method:<22} {cells}", flush=True)


def year_share(explanation: Explanation) -> float | None:
    """Share of the positive attribution of the output's year that lies on the source's year; ``None`` without one."""
    year = explanation.text[:4]
    match = re.search(rf"(?<!\d){re.escape(year)}(?!\d)", explanation.source)
    if match is None or not re.fullmatch(r"\d{4}", year):
        return None
    right = np.array([match.start() <= start < match.end() for start, _ in explanation.input_offsets])
    positive = np.maximum(explanation.values[:4], 0)
    return float(positive[:, right].sum() / positive.sum()) if positive.sum() > 0 else None


def crossed(model: TextGenerator, pairs: Pairs, config: ExplanationConfig, background: list[str]) -> None:
    """SHAP with each way of leaving out, judged by each."""
    gains = np.zeros((len(pairs), len(MISSING), len(MISSING)))
    for at, source in enumerate(pairs.sources):
        explainers = [
            Explainer(model.writer, source, replace(config, missing=each, donors=4), background=background)
            for each in MISSING
        ]
        for row, one in enumerate(explainers):
            values = one.explain("shap").values
            gains[at, row] = [faithfulness(other.value, values).gain for other in explainers]
    means = gains.mean(0)
    print(f"  {'missing':<8} " + " ".join(f"{'judged by ' + each:>18}" for each in MISSING) + f"{'mean':>10}")
    for each, row in zip(MISSING, means, strict=True):
        print(f"  {each:<8} " + " ".join(f"{value:18.4f}" for value in row) + f"{row.mean():10.4f}", flush=True)


def main() -> None:
    """Train, explain, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--budget", type=int, default=600)
    parser.add_argument("--sets", default="dates,g2p,multi30k")
    parser.add_argument("--crossed", type=int, default=25, help="texts on which three ways of removing are crossed")
    parser.add_argument("--models", type=Path, default=Path("faithfulness-models"))
    given = parser.parse_args()
    config = ExplanationConfig(method=METHODS, budget=given.budget)
    print(f"{'data':<10} {'masking':<8} {'method':<22} " + "  ".join(f"{figure:<24}" for figure in FIGURES))
    for name, train, valid, options in data_sets(given.data):
        for masking in MASKING if name in given.sets.split(",") else ():
            model = trained(name, train, options, masking, given.minutes, given.models)
            pairs = valid.take(range(0, len(valid), max(1, len(valid) // given.limit)))[: given.limit]
            began = time.perf_counter()
            background = train.sources[:: max(1, len(train) // 200)]
            found = survey(model.writer, pairs, config, masked_in_training=masking > 0, background=background)
            table(name, masking, found)
            print(f"  {len(pairs)} texts in {time.perf_counter() - began:.0f} s; rank correlation with SHAP: ", end="")
            print(dict(zip(found.agreement.methods, found.agreement.correlations[0].round(2).tolist(), strict=True)))
            if name == "dates":
                for method in METHODS:
                    shares = [share for each in found.explanations[method] if (share := year_share(each)) is not None]
                    print(f"  {method:<22} attribution of the year on the year's characters: {Mean.of(shares)}")
            crossed(model, pairs[:: max(1, len(pairs) // max(1, given.crossed))], config, background)


if __name__ == "__main__":
    main()
