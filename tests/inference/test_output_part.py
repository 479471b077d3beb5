"""Which tokens of an output a piece of it means, wherever a part of an output is asked about."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import pytest

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.inference.output_part import find_part
from nbtextgen.tokenizers.normalization import Span

Tokens = list[tuple[str, Span]]


def characters(text: str) -> Tokens:
    return [(character, (index, index + 1)) for index, character in enumerate(text)]


def words(text: str) -> Tokens:
    """Each word is a token, with the space before it, which is not in its span."""
    tokens, start = Tokens(), 0
    for word in text.split(" "):
        tokens.append((word, (start, start + len(word))))
        start += len(word) + 1
    return tokens


NFD = unicodedata.normalize("NFD", "né é")
EMOJI: Tokens = [("ok", (0, 2)), ("👍 1/4", (2, 2)), ("👍 2/4", (2, 2)), ("👍 3/4", (2, 2)), ("👍 4/4", (3, 4))]


@pytest.mark.parametrize(
    ("text", "tokens", "part", "steps", "shown"),
    [
        ("karotte rot", characters("karotte rot"), "rot", (8, 9, 10), "rot"),
        ("karotte", characters("karotte"), "rot", (2, 3, 4), "rot"),
        ("01-01", characters("01-01"), "01", (0, 1), "01"),
        ("01-01", characters("01-01"), "-01", (2, 3, 4), "-01"),
        ("aaa", characters("aaa"), "aa", (0, 1), "aa"),
        ("Katze rot", words("Katze rot"), "atz", (0,), "atz"),
        ("Katze rot", words("Katze rot"), " ", (1,), " "),
        ("Katze rot", words("Katze rot"), " rot ", (1,), "rot"),
        ("Katze rot", words("Katze rot"), "Katze rot", (0, 1), "Katze rot"),
        (NFD, characters(NFD), "é", (4, 5), "e\u0301"),
        (NFD, characters(NFD), "né", (0, 1, 2), "ne\u0301"),
        ("né", characters("né"), "ne\u0301", (0, 1), "né"),
        ("ok 👍", EMOJI, "👍", (1, 2, 3, 4), "👍"),
        ("東京都", characters("東京都"), "京都", (1, 2), "京都"),
        ("Katze rot", words("Katze rot"), 1, (1,), "rot"),
        ("Katze rot", words("Katze rot"), np.int64(0), (0,), "Katze"),
        ("Katze rot", words("Katze rot"), -1, (2,), "■"),
    ],
)
def test_a_part_is_found_as_whole_words_if_it_can_be(
    text: str, tokens: Tokens, part: Any, steps: tuple[int, ...], shown: str
) -> None:
    names, spans = zip(*[*tokens, ("■", (len(text), len(text)))], strict=True)
    found = find_part(part, text, names, spans)
    assert (found.steps, found.text) == (steps, shown)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("blau", "not in the output"),
        ("", "is empty"),
        ("  ", "not in the output"),
        (3, "tokens 0 to 2"),
        (-4, "tokens 0 to 2"),
        (True, "the index of an output token or a piece"),
        (1.0, "the index of an output token or a piece"),
        (["rot"], "the index of an output token or a piece"),
    ],
)
def test_what_is_not_in_the_output_is_refused(part: Any, message: str) -> None:
    with pytest.raises((DataError, OptionError), match=message):
        find_part(part, "Katze rot", ["Katze", "rot", "■"], [(0, 5), (6, 9), (9, 9)])
