"""Paired tests give sacrebleu's own p-values, and comparisons name the outputs that changed."""

from __future__ import annotations

import random

import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER
from sacrebleu.significance import PairedTest

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.evaluation.significance import Comparison, Difference, compare_outputs

WORDS = ["the", "a", "man", "dog", "runs", "sleeps", "in", "on", "snow", "house", "red", "big"]


def noisy(text: str, share: float, generator: random.Random) -> str:
    return " ".join(generator.choice(WORDS) if generator.random() < share else word for word in text.split())


@pytest.fixture(scope="module")
def texts() -> tuple[list[str], list[str], list[str]]:
    generator = random.Random(1)
    references = [" ".join(generator.choices(WORDS, k=generator.randint(5, 12))) for _ in range(60)]
    return (
        references,
        [noisy(text, 0.30, generator) for text in references],
        [noisy(text, 0.24, generator) for text in references],
    )


def compared(texts: tuple[list[str], list[str], list[str]], metrics: list[str]) -> Comparison:
    references, first, second = texts
    return compare_outputs(
        references, (references, references), (first, second), metrics, names=("old", "new"), trials=2000
    )


@pytest.mark.parametrize(("name", "metric"), [("bleu", BLEU), ("chrf", CHRF), ("ter", TER)])
def test_p_values_are_sacrebleus_own_up_to_ties(
    texts: tuple[list[str], list[str], list[str]], name: str, metric: type
) -> None:
    references, first, second = texts
    ours = compared(texts, [name])[name]
    for test, samples, p_value in (("bs", 1000, ours.p_bootstrap), ("ar", 2000, ours.p_randomisation)):
        paired = PairedTest([("old", first), ("new", second)], {name: metric()}, [references], test, samples)
        [theirs] = [results for key, results in paired()[1].items() if key != "System"]
        assert ours.second == pytest.approx(theirs[1].score)
        if name == "ter":  # small whole numbers, of which many samples have the same; sacrebleu does not count those
            assert p_value >= theirs[1].p_value
        else:
            assert p_value == pytest.approx(theirs[1].p_value, abs=0.003)


@pytest.mark.parametrize("changed", [1, 2, 3, 5, 8])
def test_a_few_changed_outputs_are_judged_as_all_their_swaps_are(changed: int) -> None:
    references = [f"word{number}" for number in range(40)]
    first = ["other" if number < changed else text for number, text in enumerate(references)]
    comparison = compare_outputs(references, (references, references), (first, references), ["exact"])
    exact = 2 / 2**changed  # of all swaps, two differ as much: none swapped, and all
    assert comparison["exact"].p_randomisation == pytest.approx(exact, abs=0.02)
    assert ("may be chance" in repr(comparison)) == (exact >= 0.05)


def test_a_difference_that_one_test_alone_finds_is_said_to_be_so() -> None:
    for p_bootstrap, p_randomisation, end in ((0.04, 0.25, "in one of the tests)."), (0.2, 0.25, "(p >= 0.05).")):
        difference = Difference(98.0, 99.0, 1.0, 0.0, 2.3, p_bootstrap, p_randomisation, higher_is_better=True)
        sentence = difference.sentence("exact", "old", "new")
        assert sentence.startswith("exact: new has the better figure, but") and sentence.endswith(end)


def test_difference_has_an_interval_around_it(texts: tuple[list[str], list[str], list[str]]) -> None:
    comparison = compared(texts, ["exact", "error-rate"])
    for difference in comparison.values():
        assert difference.low <= difference.difference <= difference.high
    assert comparison["error-rate"].difference < 0


def test_a_model_does_not_differ_from_itself(texts: tuple[list[str], list[str], list[str]]) -> None:
    references, first, _ = texts
    comparison = compare_outputs(references, (references, references), (first, first), ["bleu", "exact"], trials=200)
    assert all(
        each.difference == 0 and each.p_bootstrap > 0.9 or each.low == each.high == 0 for each in comparison.values()
    )
    assert comparison.changes == []
    assert "have the same figure" in repr(comparison)


def test_changed_outputs_are_listed_with_the_largest_change_first() -> None:
    sources, references = ["1", "2", "3", "4"], ["abcd", "efgh", "ij", "kl"]
    first, second = ["abcx", "wxyz", "ij", "k\x1b"], ["abcd", "efgh", "ix", "k\x1b"]
    comparison = compare_outputs(sources, (references, references), (first, second), ["exact"], names=("old", "new"))
    assert [(change.source, change.edits) for change in comparison.changes] == [("2", -4), ("1", -1), ("3", 1)]
    assert "3 differ: new is nearer to the reference in 2, old in 1" in repr(comparison)
    one = compare_outputs(sources, (references, references), (references, [*references[:3], "k"]), ["exact"])
    assert "1 differs: " in repr(one)
    assert list(comparison.frame().columns) == ["source", "reference", "old", "new", "edits"]
    assert "outputs that changed most" in comparison._repr_mimebundle_()["text/html"]


def test_bad_input_gives_a_sentence() -> None:
    with pytest.raises(DataError, match="2 references but 1 output;"):
        compare_outputs(["a", "b"], (["a", "b"], ["a", "b"]), (["a", "b"], ["a"]), ["exact"])
    with pytest.raises(OptionError, match="Did you mean 'bleu'"):
        compare_outputs(["a"], (["a"], ["a"]), (["a"], ["a"]), ["blue"])
    with pytest.raises(OptionError, match="at least 1"):
        compare_outputs(["a"], (["a"], ["a"]), (["a"], ["a"]), ["exact"], trials=0)
