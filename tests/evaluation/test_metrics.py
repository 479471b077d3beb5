"""Metrics agree with independent references, intervals are sound, bad input gives one readable sentence."""

from __future__ import annotations

import time

import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st
from rouge_score import rouge_scorer

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.evaluation.error_rates import errors
from nbtextgen.evaluation.metrics import HIGHER_IS_BETTER, measure, score

RIGHT = ["the cat sat on the mat .", "a man is sleeping", "two dogs run in the snow", "Grüße aus Köln"] * 5
WRITTEN = ["the cat sat on a mat .", "a man sleeps", "two dogs run in the snow", "Gruß aus Köln"] * 5
LISTS = [["he sleeps", "he is asleep"], "it rains"]


@pytest.mark.parametrize("name", ["bleu", "chrf", "ter"])
def test_corpus_figure_is_sacrebleus_own(name: str) -> None:
    own = {"bleu": sacrebleu.corpus_bleu, "chrf": sacrebleu.corpus_chrf, "ter": sacrebleu.corpus_ter}[name]
    assert score(name, RIGHT, WRITTEN) == pytest.approx(own(WRITTEN, [RIGHT]).score)


@pytest.mark.parametrize("name", ["rouge1", "rouge2", "rougeL"])
def test_rouge_is_rouge_scores_own_on_plain_words(name: str) -> None:
    scorer = rouge_scorer.RougeScorer([name])
    pairs = [("The cat, sat on the mat.", "the mat sat on a cat"), ("one-two three", "one two, two three"), ("a", "b")]
    for reference, output in pairs:
        expected = 100 * scorer.score(reference, output)[name].fmeasure
        assert score(name, [reference], [output]) == pytest.approx(expected)


def test_rouge_counts_words_beyond_ascii() -> None:
    assert score("rouge1", ["schöne Grüße"], ["schöne Autos"]) == pytest.approx(50)
    assert score("rouge1", ["हिन्दी"], ["हिन्दी!"]) == pytest.approx(100)


@pytest.mark.parametrize("name", list(HIGHER_IS_BETTER))
def test_perfect_output_has_the_best_figure(name: str) -> None:
    assert score(name, RIGHT, RIGHT) == pytest.approx(100 if HIGHER_IS_BETTER[name] else 0)


@pytest.mark.parametrize("name", list(HIGHER_IS_BETTER))
def test_any_acceptable_reference_counts(name: str) -> None:
    best = 100 if HIGHER_IS_BETTER[name] else 0
    assert score(name, LISTS, ["he is asleep", "it rains"]) == pytest.approx(best)


def test_error_rates_by_hand() -> None:
    assert score("error-rate", ["a b c d"], ["a x c"]) == pytest.approx(50)
    assert score("character-error-rate", ["abcd"], ["abxd"]) == pytest.approx(25)
    assert score("word-error-rate", ["a b", "c"], ["a b", "d"]) == pytest.approx(50)
    assert score("error-rate", ["a"], ["a b c"]) == pytest.approx(200)


@given(st.lists(st.tuples(st.text(max_size=6), st.text(max_size=6)), min_size=1, max_size=8))
def test_interval_holds_its_ends_in_order(rows: list[tuple[str, str]]) -> None:
    right, written = [list(side) for side in zip(*rows, strict=True)]
    for one in measure(right, written, ["exact", "word-error-rate", "character-error-rate"], resamples=20).values():
        assert 0 <= one.low <= one.high
        assert one.count == len(rows)


def test_interval_repeats_with_the_seed_and_brackets_the_value() -> None:
    names = ["bleu", "exact", "rouge"]
    first, second = (measure(RIGHT, WRITTEN, names, seed=3) for _ in range(2))
    assert first == second
    assert list(first) == ["bleu", "exact", "rouge1", "rouge2", "rougeL"]
    assert all(one.low <= one.value <= one.high for one in first.values())


@pytest.mark.parametrize("count", [1, 5, 200])
def test_all_or_none_of_a_few_outputs_is_no_certainty(count: int) -> None:
    binomial = pytest.importorskip("scipy.stats").binomtest
    exact = binomial(count, count).proportion_ci(0.95, "exact").low * 100
    right = measure(["a"] * count, ["a"] * count, ["exact", "character-error-rate"])
    none = measure(["a"] * count, ["b"] * count, ["exact", "word-error-rate"])
    assert (right["exact"].low, right["exact"].high) == (pytest.approx(exact), 100)
    assert (none["exact"].low, none["exact"].high) == (0, pytest.approx(100 - exact))
    assert none["word-error-rate"].low == pytest.approx(exact)
    assert right["character-error-rate"].high == 0  # how wrong an output could be is not bounded


def test_wider_confidence_gives_a_wider_interval() -> None:
    narrow, wide = (measure(RIGHT, WRITTEN, "exact", confidence=share)["exact"] for share in (0.5, 0.99))
    assert wide.high - wide.low > narrow.high - narrow.low
    assert "99 % interval" in repr(measure(RIGHT, WRITTEN, "exact", confidence=0.99))


def test_thousand_resamples_of_a_thousand_sentences_are_fast() -> None:
    began = time.process_time()
    measure(RIGHT * 50, WRITTEN * 50, ["bleu", "exact"])
    assert time.process_time() - began < 10


def test_scores_show_as_a_table() -> None:
    bundle = measure(RIGHT, WRITTEN, ["exact"], resamples=10)._repr_mimebundle_()
    assert "exact" in bundle["text/plain"]
    assert bundle["text/html"].startswith("<table>")


def test_errors_are_listed_worst_first() -> None:
    rows = errors(["1", "2", "3", "4"], ["abcd", "abcd", ["xy", "abcd"], "abcd"], ["abcx", "wxyz", "abcd", "ab"])
    assert [row["source"] for row in rows] == ["2", "4", "1"]
    assert rows[0]["rate"] == 1.0
    assert len(errors(["1", "2"], ["a", "b"], ["x", "y"], limit=1)) == 1
    frame = rows.frame()
    assert list(frame.columns) == ["source", "reference", "output", "edits", "rate"]  # type: ignore[attr-defined]


def test_bad_input_gives_a_sentence() -> None:
    with pytest.raises(DataError, match="2 references but 1 output;"):
        measure(["a", "b"], ["a"])
    with pytest.raises(DataError, match="empty"):
        measure([], [])
    with pytest.raises(DataError, match="Reference 2 is an empty list"):
        score("exact", ["a", []], ["a", "b"])
    with pytest.raises(OptionError, match="Did you mean 'bleu'"):
        measure(["a"], ["a"], ["blue"])
    for confidence in (1.5, "x"):
        with pytest.raises(OptionError, match="confidence must be a number between 0 and 1"):
            measure(["a"], ["a"], confidence=confidence)  # type: ignore[arg-type]
    for resamples in (0, 2.5, "9"):
        with pytest.raises(OptionError, match="resamples must be a whole number of at least 1"):
            measure(["a"], ["a"], resamples=resamples)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="1 source but 2 outputs"):
        errors(["a"], ["a", "b"], ["a", "b"])
