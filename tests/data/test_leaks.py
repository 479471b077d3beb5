"""Keys by which leaks are recognised: those of many texts at once are those of each, and none is coarser than it says."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nbtextgen.data.leaks import Leaks, letter_keys, near_key
from nbtextgen.data.rows import same_key, same_keys

ODD = st.sampled_from([*"aA1. ,!\t\n_\u00e9\u0301\u3002\u2026\u200b\u00df\u0130\u3164\u1160\uff21\ufb01\ud800\u0969-+"])
TEXTS = st.lists(st.one_of(st.text(ODD, max_size=8), st.text(max_size=8)), max_size=12)


@example(["\u00df\u0301"])
@example(["A\u1160\u0301"])
@given(TEXTS)
def test_keys_of_many_texts_are_those_of_each(texts: list[str]) -> None:
    texts = [text.replace("\0", "") for text in texts]
    assert list(same_keys(texts)) == [same_key(text) for text in texts]
    keys = list(letter_keys(texts))
    assert keys == [next(letter_keys([text])) for text in texts]
    assert keys == list(letter_keys([same_key(text) for text in texts]))
    near = [(near_key(text), key) for text, key in zip(texts, keys, strict=True) if near_key(text)]
    assert all(first[1] == second[1] for first in near for second in near if first[0] == second[0])


@given(TEXTS, TEXTS)
def test_rows_are_those_of_all_comparisons(held: list[str], texts: list[str]) -> None:
    leaks = Leaks.of(texts, texts, zip(held, held, strict=True))
    same = [row for row, text in enumerate(texts) if any(same_key(text) == same_key(other) for other in held)]
    near = [row for row, text in enumerate(texts) if near_key(text) and near_key(text) in map(near_key, held)]
    assert leaks.same == same and leaks.near == [row for row in near if row not in same]


@pytest.mark.parametrize(
    ("first", "second", "near"),
    [
        ("Go.", "go!", True),
        ("\u00bfQu\u00e9 tal?", "qu\u00e9 tal", True),
        ("\u4f60\u597d\u3002", "\u4f60\u597d", True),
        ("don't", "dont", True),
        ("it is 3.5", "it is 35", False),
        ("x+y", "xy", False),
        ("1-2", "12", False),
        ("\u0915\u0940", "\u0915\u093f", False),
        ("!!!", "...", False),
    ],
)
def test_punctuation_is_left_out_where_it_says_little(first: str, second: str, near: bool) -> None:
    assert (near_key(first) == near_key(second) != "") is near
