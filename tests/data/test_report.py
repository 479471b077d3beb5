"""The data report finds what is planted in a table, says where, and names a step that mends it."""

from __future__ import annotations

import random

import pandas
import pytest

from nbtextgen import Pairs
from nbtextgen.data.pairs import RawPairs

RNG = random.Random(7)
WORDS = [
    "the",
    "a",
    "cat",
    "dog",
    "tree",
    "house",
    "river",
    "green",
    "small",
    "loud",
    "sees",
    "eats",
    "finds",
    "likes",
    "under",
    "over",
    "beside",
    "old",
    "new",
    "child",
]


def sentences(count: int) -> list[tuple[str, str]]:
    """Distinct sentences of 10 words, and the same with some words turned round."""
    rows = []
    for number in range(count):
        words = [RNG.choice(WORDS) for _ in range(10)]
        rows.append((" ".join([*words, str(number)]), " ".join([*reversed(words), str(number)])))
    return rows


ROWS = sentences(300)

PLANTED = {
    "missing": [(None, "x y z"), (float("nan"), "x y")],
    "empty": [("   ", "x y z"), ("a b c", "")],
    "not-text": [(3, "three cats and dogs")],
    "duplicates": [ROWS[5]],
    "several-targets": [(ROWS[6][0], "another answer of much the same length as before it was, 6")],
    "same": [
        ("this very text is the same on the left and the right", "this very text is the same on the left and the right")
    ],
    "near-duplicates": [(ROWS[7][0] + "!", ROWS[7][1] + ".")],
    "length-ratio": [("short and long", "far too long " * 300)],
    "control": [("a bell \x07 rings in the old house by the river", "rings bell a in the house by the old river")],
    "zero-width": [("in\u200bvisible marks stand in the old house", "marks visible in the old house that stand")],
    "mojibake": [("un dÃ©jeuner trÃ¨s tranquille sur la riviÃ¨re", "a very quiet lunch on the river")],
    "markup": [("some <b>bold</b> text &amp; more of it", "text some bold and more of it all")],
    "mixed-scripts": [("a p\u0430ypal account for the old house", "the old house for a paypal account")],
    "other-script": [("старый дом у зелёной реки стоит один", "the old house by the green river stands alone")],
    "unmatched-numbers": [("the house has 17 rooms and a river", "the river has 71 rooms and a house")],
    "white-space": [("two  spaces in the old green house", "old green house with the two spaces")],
    "unicode-form": [("un de\u0301jeuner tranquille sur la rive", "a quiet lunch on the green river bank")],
    "rare-characters": [("the sign \u2603 stands for the snow", "the snow stands for the sign we see")],
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found_where_it_is_and_its_step_mends_it(name: str) -> None:
    rows = [*ROWS, *PLANTED[name]]
    table = RawPairs.of({"source": [row[0] for row in rows], "target": [row[1] for row in rows]})
    found = table.report(tokens="char")
    assert name in found
    assert found[name].count >= 1
    assert any(place == "row 301" for place, _ in found[name].examples) or name == "several-targets"
    if found[name].step:
        assert name not in table.clean(found[name].step).pairs.report(tokens="char")


def test_clean_sentences_have_no_finding_of_weight() -> None:
    assert [one.name for one in Pairs.of(ROWS).report(tokens="char").findings if one.severity != "low"] == []


def test_overlap_with_validation_ignores_case_and_spacing() -> None:
    pairs = Pairs.of(ROWS)
    held = Pairs([ROWS[3][0].upper() + " "], ["x"])
    assert pairs.report(valid=held, tokens="char")["overlap"].count == 1
    assert "overlap" not in pairs.clean("overlap", valid=held).pairs.report(valid=held, tokens="char")


def test_unknown_words_are_predicted() -> None:
    rows = [(f"word{number} the cat", "the cat") for number in range(300)]
    found = Pairs.of(rows).report(tokens="word")
    assert found.tokens[0].unknown > 0.2
    assert "source-unknown" in found


def test_languages_are_told_apart() -> None:
    english = "The committee decided that the meeting would take place in the old library near the river number"
    french = "Le comité a décidé que la réunion aurait lieu dans la vieille bibliothèque près de la rivière numéro"
    rows = [(f"{english} {number}", f"{french} {number}") for number in range(40)]
    rows[7] = (f"{french} 7", f"{french} 7 bis")
    found = Pairs.of(rows).report(tokens="char", similarity=100)
    assert found["source-language"].examples[0][0] == "row 8"
    assert found["source-language"].step == "language:en-*"
    kept = Pairs.of(rows).clean("language:en-fr").pairs
    assert len(kept) == 39


def test_a_dirty_frame_is_reported_on_and_still_refused_for_training() -> None:
    frame = pandas.DataFrame({"a": ["x", None, "z"], "b": ["1", "2", pandas.NA]})
    assert RawPairs.of(frame).report()["missing"].count == 2
    with pytest.raises(ValueError, match="row 2: source is missing"):
        Pairs.of(frame)


def test_the_report_shows_itself_with_all_texts_escaped() -> None:
    rows = [*ROWS[:20], ("<script>alert(1)</script> <b>x</b>", "<img src=x onerror=y> & \x07\u202e")]
    bundle = Pairs.of(rows).report(tokens="char")._repr_mimebundle_()
    assert "<script" not in bundle["text/html"] and "<img" not in bundle["text/html"]
    assert "\u202e" not in bundle["text/html"] and "\x07" not in bundle["text/plain"]
    assert "control" in bundle["text/plain"] and "row 21" in bundle["text/plain"]
    assert "<span style='white-space:nowrap'>(4.8 %)</span>" in bundle["text/html"]  # the number stays with its sign


def test_one_character_one_word_and_one_token_are_singular() -> None:
    shown = repr(RawPairs.of([("a", "x"), ("b", "y"), ("c", "z")]).report(tokens="char"))
    assert "source: 1 character (median; 1 to 1), 1 word, 3 distinct, 3 different characters" in shown
    assert ", 1 token (median; up to 1)" in shown


def test_short_words_that_differ_in_a_letter_are_no_near_duplicates() -> None:
    rows = [("import", "im port"), ("imports", "im ports"), ("imported", "im ported"), ("exports", "ex ports")]
    assert "near-duplicates" not in Pairs.of(rows).report()


def test_steps_that_are_right_for_some_tasks_only_are_not_advised_for_all() -> None:
    rows = [("a  b", "x")] * 3 + [("same", "same"), ("c", "y"), ("d", "z")]
    report = RawPairs.of(rows).report()
    for text in (repr(report), report.html().replace("<code>", "").replace("</code>", "")):
        safe, some = text.split("Right for every task: ")[1].split("For some tasks: ")
        assert "whitespace" in safe and "dedupe" in safe and "same" in some and "same" not in safe
