"""Counterfactuals that are found: the search against exhaustive search, margins against greedy outputs, and what is shown."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nbtextgen import TextGenerator
from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.explanation.attributions import Coalitions, Values
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.explanation.counterfactual import Edit, counterfactual
from nbtextgen.explanation.explainer import Explainer
from nbtextgen.explanation.margins import Margins
from nbtextgen.explanation.minimal_edits import MinimalEdits
from nbtextgen.explanation.replacements import replacements
from nbtextgen.explanation.shapley import power_set
from nbtextgen.explanation.subset_search import smallest_set
from nbtextgen.explanation.units import whole_characters
from nbtextgen.tokenizers.base import MASK

COLOURS = {"red": "rot", "blue": "blau", "green": "gruen", "black": "schwarz"}
GOLDEN = Path(__file__).parents[1] / "data" / "golden"
NETWORKS = json.loads((GOLDEN / "expected.json").read_text())["models"]


def planted_goal(units: int, seed: int) -> tuple[Values, int]:
    """Margins of all subsets of a game like a network's: a few conjunctions of units, and noise; and the smallest size."""
    rng = np.random.default_rng(seed)
    subsets = power_set(units)
    scores = -2.0 + 0.05 * rng.normal(size=len(subsets))
    for _ in range(6):
        members = rng.choice(units, rng.integers(1, 6), replace=False)
        scores += rng.uniform(0.3, 2.5) * subsets[:, members].all(1)
    return scores, int(subsets[scores > 0].sum(1).min(initial=units + 1))


@pytest.mark.parametrize("budget", [400, 100_000])
def test_the_smallest_set_is_as_small_as_exhaustive_search_finds(budget: int) -> None:
    units, right, proofs = 13, 0, 0
    for seed in range(20):
        scores, size = planted_goal(units, seed)

        def goal(sets: Coalitions, scores: Values = scores) -> Values:
            return scores[sets @ (1 << np.arange(units))]

        found = smallest_set(goal, units, budget)
        got = units + 1 if found.units is None else len(found.units)
        assert got >= size
        if found.units is not None:
            assert scores[sum(1 << unit for unit in found.units)] > 0
        right += got == size
        proofs += found.proved
        assert not (found.proved and got > size)
    assert right >= 19
    assert proofs == 20 if budget > 2**units else proofs < 20


def test_margins_say_what_a_greedy_search_writes(dates: TextGenerator) -> None:
    predictor, source = dates.predictor, "3 May 2019"
    explainer = Explainer(predictor, source, ExplanationConfig(missing="mask"))
    margins = Margins(predictor.networks, explainer.subject, explainer.value.removal)
    kept = np.random.default_rng(1).random((40, len(explainer.units))) < 0.8
    outputs = [
        predictor.predict_ids(source, row.tolist(), DecodingConfig()).text for row in explainer.value.removal(kept).ids
    ]
    same = [text == explainer.subject.output.text for text in outputs]
    assert (margins(kept) > 0).tolist() == same and 0 < sum(same) < 40


def test_the_smallest_edits_of_a_known_translation(words: TextGenerator) -> None:
    tried = [
        (colour, german, words.counterfactual(f"the {colour} cat is here", token=german))
        for colour, german in COLOURS.items()
    ]
    # Where no colour is seen, the model guesses one; for that colour nothing needs to be seen, or more must be left out.
    colour, german, edits = next(
        each
        for each in tried
        if len(each[2].sufficient_units) and each[2].removal is not None and len(each[2].removal.edits) == 1
    )
    assert edits.part == german and edits.removal is not None and edits.replacement is not None
    assert [words_of(edits.input_units, edit.edits) for edit in (edits.removal, edits.replacement)] == [[colour]] * 2
    assert edits.removal.proved and german not in edits.removal.change.generation.text
    assert words_of(edits.input_units, edits.sufficient_units) == [colour]
    assert edits.replacement.edits[1].text in {"red", "blue", "green", "black"} - {colour}
    assert edits.sentences()[0].startswith(f"Without “{colour}”, the output is “")
    html = edits._repr_mimebundle_()["text/html"]
    assert "<ins>" in html and "No smaller set" in repr(edits)
    whole = words.counterfactual(f"the {colour} cat is here", missing="delete", unit="word")
    assert whole.removal is not None and len(whole.removal.edits) == 1
    assert whole.sufficient_units


def test_units_that_occur_twice_are_told_apart(words: TextGenerator) -> None:
    change = words.counterfactual("the red cat is here").removal
    assert change is not None
    edits = MinimalEdits(
        "cat red cat", "Katze", "Katze", ("cat", " red", " cat"), replace(change, edits={2: Edit("mask")}), None, None
    )
    assert edits.sentences()[0].startswith("Without “cat” at 3, the output is “")


def test_empty_outputs_are_called_empty(words: TextGenerator) -> None:
    change = words.counterfactual("the red cat is here").removal
    assert change is not None
    changed = replace(change.change, generation=replace(change.change.generation, text=""))
    edits = MinimalEdits(
        "a b",
        "",
        "",
        ("a", "b"),
        None,
        replace(change, edits={0: Edit("replace", "z")}, change=changed),
        replace(change, edits={1: Edit("mask")}),
    )
    assert edits.sentences() == [
        "The empty output stays, whatever is left out.",
        "With “z” instead of “a”, the output is empty.",
        "“a” is enough for the empty output.",
    ]


def test_long_outputs_are_named_by_what_changed_and_the_end_by_its_name(words: TextGenerator) -> None:
    found = words.counterfactual("the red cat is here", token=-1).sentences()
    assert "“Katze”" in " ".join(words.counterfactual("the red cat is here", token=0).sentences())
    assert any("the end of the output" in sentence.lower() for sentence in found) and not any(
        "■" in each for each in found
    )
    change = words.counterfactual("the red cat is here").removal
    assert change is not None
    text, other = "same words " * 40 + "old end", "same words " * 40 + "new end"
    changed = replace(change.change, generation=replace(change.change.generation, text=other))
    long = MinimalEdits(
        "a b", text, text, ("a", "b"), replace(change, edits={0: Edit("mask")}, change=changed), None, None
    )
    assert long.sentences() == ["Without “a”, the output is “…ame words new end”."]
    never = replace(long, removal=None)
    assert never.sentences()[0].startswith("“same words same") and len(never.sentences()[0]) < 90


def test_what_is_enough_for_a_part_is_shown_after_what_stands_before_it(dates: TextGenerator) -> None:
    for source in ("3 May 2019", "14 feb 2041", "21 marca 1948"):
        text = dates.generate(source).text
        for index in range(1, len(text)):
            found = dates.counterfactual(source, token=index, budget=300)
            assert found.beginning == text[:index]
            if found.sufficient is not None and found.sufficient.edits:
                assert found.sufficient.change.generation.text.startswith(text[: index + 1])
                assert found.sentences()[-1].endswith(f" for “{text[index]}” after “{text[:index]}”.")


def test_words_that_were_copied_are_no_beginning_for_other_sources() -> None:
    name = next(name for name, each in NETWORKS.items() if each["copy"])
    model = TextGenerator.load(GOLDEN / "models" / name)
    for missing in ("mask", "delete"):
        for token in range(len(model.explain("q z q", method="occlusion").output_tokens) - 1):
            assert model.counterfactual("q z q", token=token, missing=missing).sentences()


def words_of(units: tuple[str, ...], chosen: object) -> list[str]:
    return [units[unit].strip() for unit in sorted(chosen)]  # type: ignore[call-overload]


def test_the_runner_up_is_a_contrast(words: TextGenerator) -> None:
    explanation = words.explain("the red cat is here", contrast="runner-up", faithfulness=False)
    assert explanation.contrast not in (None, "runner-up", explanation.text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"token": "blau"}, "not in the output"),
        ({"token": 99}, "tokens 0 to"),
        ({"target": "Hund gruen"}, "writes another output"),
        ({"missing": "sample"}, "removes units for good"),
        ({"contrast": "Hund gruen"}, "contrast does not apply to counterfactuals"),
        ({"method": "lime"}, "method does not apply to counterfactuals"),
        ({"exact_units": 5}, "exact_units does not apply to counterfactuals"),
    ],
)
def test_what_cannot_be_searched_is_refused(words: TextGenerator, options: dict[str, object], message: str) -> None:
    with pytest.raises((DataError, OptionError), match=message):
        words.counterfactual("the red cat is here", **options)  # type: ignore[arg-type]


def test_an_output_that_was_cut_is_explained_without_its_end(dates: TextGenerator) -> None:
    cut = dates.generate("3 May 2019", max_length=4)
    edits = dates.counterfactual(cut, unit="word", missing="mask")
    assert edits.text == edits.part == cut.text and edits.removal is not None


@pytest.mark.parametrize(("name", "source"), [("22", "q z q"), ("04", "q z q"), ("24", "a a b"), ("24", "e d a b c")])
def test_what_is_found_is_what_the_model_writes_also_where_a_shorter_source_cuts_the_output(
    name: str, source: str
) -> None:
    model = TextGenerator.load(GOLDEN / "models" / name)
    for unit in ("token", "char"):
        found = model.counterfactual(source, missing="delete", unit=unit)
        assert found.removal is None or found.removal.change.generation.text != found.text
        if found.sufficient is not None and found.sufficient.edits:
            assert found.sufficient.change.generation.text == found.text


BPE = [name for name, network in NETWORKS.items() if network["tokens"] == "bpe"]


@pytest.mark.parametrize("name", BPE)
def test_pieces_of_one_character_are_one_unit_of_a_search(name: str) -> None:
    model = TextGenerator.load(GOLDEN / "models" / name)
    source = "a 🦀¾ c"
    assert len(model.explain(source, unit="token", method="occlusion", faithfulness=False).input_units) > 4
    for missing in ("mask", "delete"):
        found = model.counterfactual(source, unit="token", missing=missing, background=["c 🔥½ a"])
        assert [unit for unit in found.input_units if unit != " "] == ["a", "🦀", "¾", "c"]
        for edit in (found.removal, found.replacement):
            assert edit is None or edit.change.generation.text != found.text
        if missing == "delete" and found.removal is not None:
            assert model.generate(found.removal.change.source).text == found.removal.change.generation.text
    explainer = Explainer(model.predictor, source, ExplanationConfig(unit="token"))
    units = whole_characters(explainer.units, source)
    offered = replacements(model.predictor, source, units, ["c 🔥 a"], 24)
    assert not [text for texts in offered for text in texts if "\\x" in text or "/" in text]


def test_an_edit_of_a_piece_of_a_character_edits_the_character() -> None:
    model = TextGenerator.load(GOLDEN / "models" / BPE[0])
    explainer = Explainer(model.predictor, "a 🦀 c", ExplanationConfig(unit="token"))
    second = explainer.units.texts.index("🦀 2/4")
    for action, text, shown in (("mask", "", "a ▒ c"), ("delete", "", "a  c"), ("replace", "b", "a b c")):
        change = counterfactual(
            model.predictor,
            explainer.subject.source,
            explainer.units,
            {second: Edit(action, text)},
            explainer.subject.output.text,
        )
        assert change.source == shown
        if action == "mask":
            pieces, ids = range(second - 1, second + 3), explainer.subject.ids.tolist()
            ids = [MASK if index in pieces else each for index, each in enumerate(ids)]
            assert change.generation.text == model.predictor.predict_ids(shown, ids, DecodingConfig()).text
        else:
            assert change.generation.text == model.generate(shown).text


@pytest.mark.parametrize("name", [*BPE[:2], *[name for name in NETWORKS if NETWORKS[name]["tokens"] == "char"][:6]])
def test_what_is_deleted_is_shown_as_it_was_searched(name: str) -> None:
    """Spaces beside words, and pieces that join to other pieces, as the model reads the text that is shown."""
    model = TextGenerator.load(GOLDEN / "models" / name)
    for source, unit in itertools.product(["q z q", " eda  bc", "a a b"], ["token", "word"]):
        found = model.counterfactual(source, missing="delete", unit=unit)
        for edit in (found.removal, found.sufficient):
            if edit is None or not edit.edits:
                continue
            assert model.generate(edit.change.source).text == edit.change.generation.text
            assert (edit.change.generation.text == found.text) == (edit is found.sufficient)
            spaces = [unit for unit in found.input_units if unit.isspace()]
            if spaces:  # then a space goes only where it is named
                assert len(edit.change.source) == len(source) - sum(len(found.input_units[at]) for at in edit.edits)
