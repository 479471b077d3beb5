"""Cleaning: idempotent, every row accounted for, no leak between splits, and applied to what a model reads."""

from __future__ import annotations

import unicodedata

import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbtextgen import Pairs, TextGenerator
from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.data.cleaning.clean import STEPS, parse_steps, rewriter
from nbtextgen.data.cleaning.steps import DROPS, REWRITES
from nbtextgen.data.pairs import RawPairs
from nbtextgen.data.rows import same_key

PIECES = st.sampled_from(
    ["a", "b ", "  ", "\t", "é", "e\u0301", "\u200b", "\u00ad", "\x07", "&amp;", "&lt;", "<b>", "</b>", "&#x958;", "Ã©"]
    + [
        "\ufb01",
        "\u2019",
        "\u201c",
        "1",
        "22",
        "(",
        ")",
        "http://x.org/a",
        "\u00a0",
        "&nbsp;",
        "amp;",
        "&",
        "\u2003",
        "ﾊ",
    ]
)
TEXT = st.one_of(st.lists(PIECES, max_size=12).map("".join), st.text(max_size=12))
CELL = st.one_of(TEXT, st.none(), st.just(float("nan")), st.integers(0, 5))
TABLE = st.lists(st.tuples(CELL, CELL), min_size=1, max_size=25)
NAMES = [name for name in STEPS if name not in ("language", "overlap")]
CHOSEN = st.lists(st.sampled_from(NAMES), unique=True).map(",".join)


def table(rows: list[tuple[object, object]]) -> RawPairs:
    return RawPairs.of({"a": [row[0] for row in rows], "b": [row[1] for row in rows]})


@settings(max_examples=250)
@given(TABLE, CHOSEN)
def test_every_row_is_kept_or_dropped_and_cleaning_twice_changes_nothing(rows, steps) -> None:
    try:
        once = table(rows).clean(steps)
    except DataError as error:
        assert "leaves none" in str(error)
        return
    kept = [place for place in once.pairs.places]
    assert sorted([place[1] - 1 for place in kept] + [one.row for one in once.dropped]) == list(range(len(rows)))
    assert sum(result.dropped for result in once.results) == len(once.dropped)
    assert all(one.why for one in once.dropped)
    again = once.pairs.clean(steps)
    assert list(again.pairs) == list(once.pairs)
    assert not again.dropped and not any(result.changed for result in again.results)


@settings(max_examples=300)
@given(TEXT, st.lists(st.sampled_from(list(REWRITES)), unique=True))
def test_rewriting_is_idempotent(text, names) -> None:
    rewrite = rewriter(names)
    assert rewrite(rewrite(text)) == rewrite(text)


@settings(max_examples=150)
@given(st.lists(st.tuples(TEXT, st.sampled_from("xyz")), min_size=1, max_size=40), CHOSEN, st.integers(0, 9))
def test_splits_never_leak_after_cleaning(rows, steps, seed) -> None:
    try:
        pairs = table(rows).clean(steps).pairs
    except DataError:
        return
    train, held = pairs.split(0.4, seed)
    assert not set(map(same_key, train.sources)) & set(map(same_key, held.sources))
    assert len(train) + len(held) == len(pairs)


def test_order_of_names_does_not_matter() -> None:
    rows = [("cafe\u0301", "x"), ("café", "x"), ("caf\u200bé", "x")]
    for steps in ("dedupe,nfc,zero-width", "zero-width,nfc,dedupe"):
        assert list(Pairs.of(rows).clean(steps).pairs) == [("café", "x")]


@pytest.mark.parametrize(
    ("step", "rows", "kept"),
    [
        ("same", [("a", "a"), ("a", "b")], [1]),
        ("ratio:0.5-2", [("aa", "bbbb"), ("aa", "bbbbb"), ("aaaa", "b")], [0]),
        ("length:2-3", [("a", "bb"), ("aa", "bbb"), ("aaaa", "bb")], [1]),
        ("unmatched:numbers", [("a 12", "12 b"), ("a 12", "b 13"), ("a", "b")], [0, 2]),
        ("unmatched:urls+brackets", [("see http://x.org.", "http://x.org"), ("a (b)", "c"), ("(a)", "[b]")], [0, 2]),
        ("one-target", [("a", "x"), ("a", "y"), ("a", "y"), ("b", "z")], [1, 2, 3]),
        ("dedupe", [("a", "x"), ("a", "y"), ("a", "x")], [0, 1]),
        (
            "near-duplicates",
            [("the cat sat on the mat by the door", "y"), ("the cat sat on the mat by the door!", "Y."), ("b", "c")],
            [0, 2],
        ),
    ],
)
def test_each_dropping_step_drops_what_it_says(step, rows, kept) -> None:
    cleaned = Pairs.of(rows).clean(step)
    assert list(cleaned.pairs) == [rows[at] for at in kept]
    assert {one.step for one in cleaned.dropped} == {step.partition(":")[0]}


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        ("nfc", "e\u0301", "é"),
        ("nfkc", "\ufb01\uff21", "fiA"),
        ("control", "a\x07b\x00", "ab"),
        ("zero-width", "a\u200bb\ufeff\u202ec\u00ad", "abc"),
        ("markup", "<p class='x'>a &amp; b</p>", " a & b "),
        ("markup", "&amp;lt;b&amp;gt;", " "),
        ("markup", "write to <me@example.org> 1 < 2 <sources.list>", "write to <me@example.org> 1 < 2 <sources.list>"),
        ("quotes", "\u201cit\u2019s\u201d", '"it\'s"'),
        ("whitespace", " a \u00a0 b\t", "a b"),
        ("mojibake", "dÃ©jÃ\u00a0 vu", "déjà vu"),
        ("zero-width", "می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_each_rewriting_step_writes_what_it_says(step, before, after) -> None:
    assert rewriter(step)(before) == after


def test_dropped_rows_come_back_as_a_frame() -> None:
    frame = pandas.DataFrame({"a": ["x", None, "x", "y"], "b": ["1", "2", "1", 3.5]})
    cleaned = RawPairs.of(frame).clean("dedupe")
    dropped = cleaned.dropped_frame()
    assert list(dropped["row"]) == [1, 2, 3]
    assert list(dropped["step"]) == ["empty", "dedupe", "empty"]
    assert "missing" in dropped["why"][0] and "float" in dropped["why"][2]
    assert len(RawPairs.of(frame).clean("text").pairs) == 3
    assert "3 of 4 rows kept" in repr(RawPairs.of(frame).clean("text"))


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("dedup", "Did you mean 'dedupe'"),
        ("nfc:3", "takes no argument"),
        ("ratio:x", "takes a range"),
        ("near-duplicates:200", "from 50 to 100"),
        ("unmatched:words", "numbers.urls.brackets"),
        ("language", "two languages"),
        ("overlap", "needs the validation pairs"),
    ],
)
def test_bad_steps_are_named(steps, message) -> None:
    with pytest.raises(OptionError, match=message):
        Pairs([("a"), ("b")], ["x", "y"]).clean(steps)


def test_nothing_left_is_said() -> None:
    with pytest.raises(DataError, match="leaves none of 1 row"):
        Pairs(["a"], ["a"]).clean("same")


def test_every_step_has_help_and_parses() -> None:
    assert set(STEPS) == set(REWRITES) | set(DROPS) | {"text", "empty"}
    assert parse_steps("nfc, ratio:1-2") == {"nfc": "", "ratio": "1-2"}


def test_a_model_reads_its_input_as_cleaned_and_remembers_after_loading(tmp_path) -> None:
    rows = [(unicodedata.normalize("NFD", f"é{letter}"), letter) for letter in "abcdefghij"] + [
        (None, "x"),
        ("éa", "a"),
    ]
    model = TextGenerator(
        clean="nfc,dedupe,zero-width", hidden_size=8, embedding_size=8, epochs=1, samples=0, source_normalization="none"
    ).fit(RawPairs.of(rows), callbacks=[])
    for one in (model, TextGenerator.load(model.save(tmp_path / "m"))):
        assert one.plan.data.clean == "nfc,dedupe,zero-width"
        assert one.generate("e\u0301\u200bb").source == "éb"
        assert "".join(one.stream("e\u0301b")) == one.generate("éb").text
        assert one.predict(["e\u0301b"]) == one.predict(["éb"])
        assert one.perplexity([("e\u0301b", "b")]) == one.perplexity([("éb", "b")])
    cleaned = RawPairs.of(rows).clean("nfc,dedupe")
    assert TextGenerator(epochs=1, hidden_size=8).fit(cleaned, callbacks=[]).plan.data.clean == "nfc,dedupe"
