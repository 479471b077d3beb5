"""Alignments are those of a search through all alignments, and confusions add up to the edit distances."""

from __future__ import annotations

import math
import random
import xml.etree.ElementTree as xml

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from nbtextgen.charts import heat_map
from nbtextgen.core.errors import OptionError
from nbtextgen.evaluation import alignment
from nbtextgen.evaluation.alignment import edit_count, edit_runs, single_edits
from nbtextgen.evaluation.confusions import find_confusions
from nbtextgen.evaluation.evaluated import EvaluatedOutputs

SHORT = st.text("ab", max_size=5)


def fewest(first: str, second: str, in_run: bool = False) -> tuple[int, int]:
    """Fewest edits, and fewest runs of them, by trying all alignments."""
    if not first and not second:
        return 0, 0
    costs = list[tuple[int, int]]()
    if first and second and first[0] == second[0]:
        costs.append(fewest(first[1:], second[1:]))
    for i, j in ((1, 1), (1, 0), (0, 1)):
        if len(first) >= i and len(second) >= j:
            edits, runs = fewest(first[i:], second[j:], True)
            costs.append((edits + 1, runs + (not in_run)))
    return min(costs)


@settings(max_examples=60)
@given(SHORT, SHORT)
def test_alignments_equal_brute_force(first: str, second: str) -> None:
    runs = edit_runs(first, second)
    assert (sum(map(edit_count, runs)), len(runs)) == fewest(first, second)


@pytest.mark.parametrize("cells", [0, alignment.MAX_CELLS])
def test_runs_lead_from_the_reference_to_the_output(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "MAX_CELLS", cells)
    rng = random.Random(1)
    for _ in range(200):
        first, second = ("".join(rng.choices("abcd", k=rng.randint(0, 30))) for _ in range(2))
        runs = edit_runs(first, second)
        assert sum(map(edit_count, runs)) == Levenshtein.distance(first, second)
        assert all(edit_count(run) == sum(a != b for a, b in single_edits(run)) for run in runs)
        kept = [sum(len(run[side]) for run in runs) for side in (0, 1)]
        assert len(first) - kept[0] == len(second) - kept[1]  # what is left matches, in order
        left, right = list(first), list(second)
        for run in runs:
            for units, side in ((left, run[0]), (right, run[1])):
                assert all(unit in units for unit in side)


def test_what_stands_for_what_is_counted() -> None:
    references = ["2010-10", "1999-10", "2000-01", "ab", ["x", "y"], "kitten", "right"]
    outputs = ["2010-01", "1999-01", "2000-01", "a", "yz", "sitting", "right"]
    evaluated = EvaluatedOutputs([f"source {row}" for row in range(7)], references, outputs)
    confusions = find_confusions(evaluated)
    top = confusions[0]
    assert (top.reference, top.output, top.kind, top.count) == ("10", "01", "several", 2)
    assert top.share == pytest.approx(2 / 3) and list(top.indices) == [0, 1]  # 10 occurs three times
    assert [row["source"] for row in top.rows] == ["source 0", "source 1"]
    kinds = {(each.reference, each.output): each.kind for each in confusions}
    assert kinds == {
        ("10", "01"): "several",
        ("b", ""): "deletion",
        ("", "z"): "insertion",
        ("k", "s"): "substitution",
        ("e", "i"): "substitution",
        ("", "g"): "insertion",
    }
    assert confusions.edits == 4 + 1 + 1 + 3 and sum(each.error_share for each in confusions) == pytest.approx(1)
    assert all(math.isnan(each.share) == (not each.reference) for each in confusions)
    assert "“01” stands for “10”: 2 times, 66.7 % of its occurrences and 44.4 % of 9 edits" in repr(confusions)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.text("abc ", max_size=8), st.text("abc ", max_size=8)), min_size=1, max_size=6))
def test_confusions_add_up_to_all_edits(pairs: list[tuple[str, str]]) -> None:
    references, outputs = map(list, zip(*pairs, strict=True))
    for unit, split in (("characters", list), ("words", str.split)):
        confusions = find_confusions(EvaluatedOutputs(outputs, references, outputs), unit)
        edits = sum(Levenshtein.distance(split(first), split(second)) for first, second in pairs)
        assert confusions.edits == edits == confusions.singles.total()
        assert sum(each.error_share for each in confusions) == pytest.approx(1 if edits else 0)


def test_words_are_confused_and_the_chart_shows_them() -> None:
    references, outputs = ["a red <b>", "a dog ran"] * 3, ["a blue <b>", "a dog"] * 3
    confusions = find_confusions(EvaluatedOutputs(references, references, outputs, by_characters=False))
    assert [str(each) for each in confusions] == ["“ran” left out", "“red” → “blue”"]
    chart = confusions.chart()
    assert chart is not None and "red as blue 3" in chart.description and "ran as (nothing) 3" in chart.description
    page = confusions._repr_mimebundle_()["text/html"]
    assert 'alt="Confusions' in page and page.count("<details>") == 2 and "<b>" not in page
    assert list(confusions.frame().columns)[:2] == ["reference", "output"] and len(confusions[0].frame()) == 3


def test_right_outputs_have_no_confusions() -> None:
    confusions = find_confusions(EvaluatedOutputs(["a"], ["a"], ["a"]))
    assert repr(confusions) == "No output differs from its reference (n = 1 output)." and confusions.chart() is None
    with pytest.raises(OptionError, match="unit must be characters or words"):
        find_confusions(EvaluatedOutputs(["a"], ["a"], ["a"]), "letters")
    for limit in (0, 1.5, "3"):
        with pytest.raises(OptionError, match="limit must be a whole number of at least 1"):
            find_confusions(EvaluatedOutputs(["a"], ["a"], ["b"]), limit=limit)  # type: ignore[arg-type]


@given(
    st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=20), min_size=1, max_size=14),
    st.integers(0, 10**6),
)
def test_any_heat_map_is_well_formed(names: list[str], count: int) -> None:
    chart = heat_map(
        [[count] * len(names)] * 2, ["<a>", " "], names, title="t", row_label="r", column_label="c", of="x"
    )
    assert (chart is None) == (count == 0)
    if chart is not None:
        assert len(xml.fromstring(chart.svg).findall("{*}rect")) == 2 * len(names) == 2 * len(chart.labels)
