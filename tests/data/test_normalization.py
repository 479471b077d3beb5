"""Normalisation: agreement with ``unicodedata``, and exact places in the original text."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbtextgen.core.errors import OptionError
from nbtextgen.tokenizers.normalization import Normalizer

FORMS = ("none", "nfc", "nfd", "nfkc")
# Plain random text hardly ever holds a base with its marks: draw from where Unicode is difficult, too.
HARD = (
    "eaoσΣςİIiıßẞﬁ½ǆ\u0301\u0323\u0302\u0308\u0345\u0307\u0338\u0327"  # noqa: RUF001
    "\u1100\u1161\u11a8\uac00\uac01\u0b47\u0b3e\u0dd9\u0dca\u0dcf\u0f71\u0f72\u0f73"
    "\u0958\u212b\u2126\u1f80\u03b1\u0313\U0001d15e\U0001d165\U0001109a\U00011099\u200d<> \n"
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(HARD), max_size=20)


def reference(text: str, form: str, lowercase: bool) -> str:
    def formed(part: str) -> str:
        return part if form == "none" else unicodedata.normalize(form.upper(), part)  # type: ignore[arg-type]

    return formed(formed(text).lower()) if lowercase else formed(text)


@settings(max_examples=1500)
@given(text=TEXT, form=st.sampled_from(FORMS), lowercase=st.booleans())
def test_stretches_are_in_order_disjoint_and_cover_the_original(text: str, form: str, lowercase: bool) -> None:
    normal, spans = Normalizer(form, lowercase).spans(text)
    assert normal == Normalizer(form, lowercase)(text) == reference(text, form, lowercase)
    assert len(spans) == len(normal)
    stretches = sorted(set(spans))
    assert spans == sorted(spans)
    assert [start for start, _ in stretches] == [0, *(stop for _, stop in stretches)][: len(stretches)]
    assert (stretches[-1][1] if stretches else 0) == len(text)


@settings(max_examples=800)
@given(text=TEXT, form=st.sampled_from(FORMS))
def test_a_character_comes_from_its_stretch_alone(text: str, form: str) -> None:
    normalizer = Normalizer(form)
    normal, spans = normalizer.spans(text)
    for start, stop in set(spans):
        made = "".join(character for character, span in zip(normal, spans, strict=True) if span == (start, stop))
        assert made == normalizer(text[start:stop])


CHARACTERS = [chr(number) for number in range(sys.maxunicode + 1) if not 0xD800 <= number < 0xE000]
CHANGING = [each for each in CHARACTERS if each.lower() != each or not unicodedata.is_normalized("NFKD", each)]
"""Characters that some form or lower case changes."""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lowercase", [False, True])
def test_every_code_point_between_letters_keeps_its_neighbours_places(form: str, lowercase: bool) -> None:
    normalizer = Normalizer(form, lowercase)
    others = "x".join(sorted(set(CHARACTERS) - set(CHANGING)))
    assert normalizer(others) == others or form in ("nfc", "nfkc", "nfd", "nfkd")  # marks may change places
    for character in CHANGING:
        if normalizer(character) == character:
            continue
        normal, spans = normalizer.spans("x" + character + "y")
        if unicodedata.combining(unicodedata.normalize("NFD", character)[0]):
            assert spans[-1] == (2, 3)
        else:
            assert spans == [(0, 1), *[(1, 2)] * (len(normal) - 2), (2, 3)], hex(ord(character))


@pytest.mark.parametrize(
    ("text", "form", "lowercase", "normal", "spans"),
    [
        ("가각", "nfd", False, "\u1100\u1161\u1100\u1161\u11a8", [(0, 1)] * 2 + [(1, 2)] * 3),
        ("\u1100\u1161\u11a8x", "nfc", False, "각x", [(0, 3), (3, 4)]),
        ("\uac00\u11a8", "nfc", False, "각", [(0, 2)]),
        ("e\u0301\u00e9", "nfd", False, "e\u0301e\u0301", [(0, 1), (1, 2), (2, 3), (2, 3)]),
        ("ae\u0301b", "nfc", False, "aéb", [(0, 1), (1, 3), (3, 4)]),
        ("e\u0301\u0323x", "nfc", False, "ẹ\u0301x", [(0, 3), (0, 3), (3, 4)]),  # the marks change places
        ("ﬁn ½", "nfkc", False, "fin 1⁄2", [(0, 1), (0, 1), (1, 2), (2, 3)] + [(3, 4)] * 3),
        ("İx", "none", True, "i\u0307x", [(0, 1), (0, 1), (1, 2)]),
        ("ΟΔΟΣ ΣΑΣ", "none", True, "οδος σας", [(at, at + 1) for at in range(8)]),  # noqa: RUF001
        ("Ａ\u0301b", "nfkc", True, "áb", [(0, 2), (2, 3)]),  # noqa: RUF001
        ("a\ud800B", "none", True, "a\ufffdb", [(0, 1), (1, 2), (2, 3)]),
    ],
)
def test_known_places(text: str, form: str, lowercase: bool, normal: str, spans: list[tuple[int, int]]) -> None:
    assert Normalizer(form, lowercase).spans(text) == (normal, spans)


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(OptionError, match="Did you mean 'nfkc'"):
        Normalizer("nfkcc")
