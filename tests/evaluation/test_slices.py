"""Planted weaknesses are found as slices, chance is not, and every slice opens its rows."""

from __future__ import annotations

import copy
import pickle
import random
from collections.abc import Callable

import numpy as np
import pytest

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.evaluation.error_rates import errors
from nbtextgen.evaluation.evaluated import EvaluatedOutputs
from nbtextgen.evaluation.metrics import measure
from nbtextgen.evaluation.scores import Scores
from nbtextgen.evaluation.slice_patterns import slice_patterns
from nbtextgen.evaluation.slice_tests import _evidence, _moments, significant_slices
from nbtextgen.evaluation.slices import WRONG, Slices, find_slices

WORDS = ["cat", "act", "sun", "nut", "sea", "12", "17", "дом", "x-ray", "tree"]


def sources(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, 7))) for _ in range(count)]


def spoilt(
    texts: list[str], rate: Callable[[str], float], seed: int, **known: np.ndarray
) -> tuple[EvaluatedOutputs, np.ndarray]:
    """Outputs that repeat their source, some of them with a wrong end, and which are wrong."""
    rng = random.Random(seed)
    outputs = [text[:-1] + "?" if rng.random() < rate(text) else text for text in texts]
    return EvaluatedOutputs(texts, texts, outputs, **known), np.array(
        [a != b for a, b in zip(texts, outputs, strict=True)]
    )


def found(outputs: EvaluatedOutputs, wrong: np.ndarray, **options: float) -> Slices:
    return find_slices(outputs, 100.0 * wrong, metric=WRONG, higher_is_better=False, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("weak", "description"),
    [
        (lambda text: "cat" in text, "the source has the word “cat”"),
        (lambda text: text.endswith("t"), "the source ends with “t”"),
        (lambda text: text.count(" ") >= 5, "the source has 6 words or more"),
        (lambda text: any("а" <= letter <= "я" for letter in text), "the source has Cyrillic letters"),
        (lambda text: "-" in text, "the source has punctuation"),
        (lambda text: "sun sea" in text, "the source has the words “sun sea”"),
    ],
)
def test_a_planted_weakness_is_the_first_slice(weak: Callable[[str], bool], description: str) -> None:
    texts = sources(1000, 1)
    outputs, wrong = spoilt(texts, lambda text: 0.6 if weak(text) else 0.05, 2)
    slices = found(outputs, wrong)
    top, rows = slices[0], [row for row, text in enumerate(texts) if weak(text)]
    assert sorted(top.indices) == rows and description in (top.description, *top.similar)
    assert len(slices) <= 2  # what overlaps is merged
    inside, outside = 100 * wrong[rows].mean(), 100 * np.delete(wrong, rows).mean()
    assert (top.inside, top.outside) == pytest.approx((inside, outside))
    assert top.difference == pytest.approx(inside - outside) and top.low < top.difference < top.high
    assert top.count == len(rows) and top.p_value <= 0.001


def test_two_weaknesses_are_both_found() -> None:
    texts = sources(1500, 3)
    outputs, wrong = spoilt(texts, lambda text: 0.6 if "cat" in text or text.startswith("1") else 0.05, 4)
    assert {"the source has the word “cat”", "the source starts with “1”"} <= {
        name for each in found(outputs, wrong)[:3] for name in (each.description, *each.similar)
    }


def test_sources_that_were_seen_or_have_unknown_parts_are_slices() -> None:
    texts = sources(600, 5)
    seen = np.random.default_rng(1).random(len(texts)) < 0.5
    outputs, wrong = spoilt(texts, lambda _: 0.0, 0, seen=seen, unknown=~seen[::-1])
    assert [each.description for each in found(outputs, ~seen)] == ["the source was not in the training data"]
    assert [each.kind for each in found(outputs, ~seen[::-1])] == ["unknown"]


def test_chance_is_named_as_rarely_as_promised() -> None:
    texts = sources(200, 6)
    outputs = EvaluatedOutputs(texts, texts, texts)
    slices = [pattern.indices for pattern in slice_patterns(outputs)]
    rng, false = np.random.default_rng(7), 0
    for seed in range(40):
        loss = (rng.random(len(texts)) < 0.2).astype(float) if seed % 2 else rng.gamma(0.5, size=len(texts))
        false += bool(significant_slices(loss, slices, level=0.1, limit=3, seed=seed))
    assert false <= 11  # more has a probability of 0.001 at a rate of one in ten


def test_moments_are_those_of_all_permutations_within_groups() -> None:
    rng = np.random.default_rng(8)
    loss, groups = rng.gamma(1.0, size=300), rng.integers(0, 3, 300)
    rows = np.flatnonzero(rng.random(300) < 0.2)
    mean, deviation, skewness = (float(each[0]) for each in _moments(loss, [rows], groups))
    permuted = np.empty((5000, len(loss)))
    for group in range(3):
        members = np.flatnonzero(groups == group)
        permuted[:, members] = rng.permuted(np.tile(loss[members], (5000, 1)), axis=1)
    sums = permuted[:, rows].sum(1)
    assert np.mean(sums) == pytest.approx(mean, abs=6 * deviation / 5000**0.5)
    assert np.std(sums) == pytest.approx(deviation, rel=0.05)
    assert np.mean(((sums - mean) / deviation) ** 3) == pytest.approx(skewness, abs=0.25)
    normal = _evidence(np.array([2.0]), np.zeros(1), np.ones(1), np.zeros(1))
    assert normal[0] == pytest.approx(2.0, abs=0.01)


@pytest.fixture(scope="module")
def scores() -> Scores:
    texts = sources(300, 9)
    outputs, _ = spoilt(texts, lambda text: 0.9 if "<b>" in text or "cat" in text else 0.05, 10)
    result = measure(texts, outputs.outputs, ["exact", "chrf", "character-error-rate"], resamples=10)
    result.evaluated = outputs
    return result


@pytest.fixture(scope="module")
def slices(scores: Scores) -> Slices:
    return scores.slices()


def test_slices_compare_any_metric_that_was_measured(scores: Scores, slices: Slices) -> None:
    wrong, chrf, rate = slices, *(scores.slices(name) for name in ("chrf", "character-error-rate"))
    assert "the mean chrf is" in chrf.sentence()
    assert wrong.metric == WRONG and wrong[0].difference > 0
    assert chrf[0].difference < 0 and rate[0].difference > 0
    assert {each[0].description for each in (wrong, chrf, rate)} == {"the source has the word “cat”"}
    assert scores.by_output["chrf"][0] == pytest.approx(
        measure(scores.evaluated.references[:1], scores.evaluated.outputs[:1], "chrf", resamples=1)["chrf"].value  # type: ignore[union-attr]
    )


def test_a_slice_opens_its_rows_the_worst_first(slices: Slices) -> None:
    rows = slices[0].rows
    assert len(rows) == slices[0].count and all("cat" in str(row["source"]) for row in rows)
    assert [row["edits"] for row in rows] == sorted((row["edits"] for row in rows), key=lambda edits: not edits)
    assert list(slices[0].frame().columns) == ["row", "source", "reference", "output", "edits"]
    assert slices.frame()["slice"][0] == slices[0].description
    page = slices._repr_mimebundle_()["text/html"]
    assert page.count("<details>") == len(slices) and f"10 rows of {slices[0].count}" in page


def test_it_is_said_in_words_what_was_found(scores: Scores, slices: Slices) -> None:
    sentence = slices.sentence()
    assert sentence.startswith("Where the source has the word “cat” (") and "points (95 % interval +" in sentence
    assert "p <= 0.001, corrected for" in sentence
    none, few = copy.copy(scores), copy.copy(scores)
    texts = sources(40, 11)
    none.evaluated = EvaluatedOutputs(texts, texts, texts)
    few.evaluated = EvaluatedOutputs(texts[:5], texts[:5], ["?"] * 5)
    assert repr(none.slices()).startswith("None of ") and "worse than the others beyond chance" in repr(none.slices())
    assert "too few outputs" in repr(few.slices("exact"))
    none.evaluated = EvaluatedOutputs(["abc"] * 60, ["x"] * 60, ["y"] * 60)
    assert none.slices().sentence() == (
        "The 60 inputs have nothing by which 10 of them or more could be told from the others, so there are no slices to compare."
    )


def test_an_error_analysis_is_shown_below_the_figures_and_escaped(scores: Scores) -> None:
    assert "Slices" not in scores._repr_mimebundle_()["text/html"]
    texts = [f"<b>{text}$x$" for text in sources(100, 12)]
    shown = measure(texts, texts[1:] + texts[:1], "exact", resamples=5)
    shown.evaluated, shown.analysed = EvaluatedOutputs(texts, texts, texts[1:] + texts[:1]), True
    page = shown._repr_mimebundle_()["text/html"]
    assert "<h4>Slices</h4>" in page and "<h4>Confusions</h4>" in page and "<b>" not in page and "$x$" not in page
    assert shown.confusions().sentence() in repr(pickle.loads(pickle.dumps(shown)))


def test_bad_requests_are_refused(scores: Scores) -> None:
    with pytest.raises(OptionError, match="'chrff' was not measured .*Did you mean 'chrf'"):
        scores.slices("chrff")
    for level in (0, 1, "x", True, float("nan")):
        with pytest.raises(OptionError, match="level must be a number between 0 and 1"):
            scores.slices(level=level)
    for limit in (0, 1.5, "3"):
        with pytest.raises(OptionError, match="limit must be a whole number of at least 1"):
            scores.slices(limit=limit)
    with pytest.raises(DataError, match="no sources"):
        measure(["a"], ["b"], resamples=2).slices()
    assert errors(["a"], ["a"], ["b"])[0]["edits"] == 1
