"""Whether the first line of a table is a header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

from nbtextgen.data.readers.columns import column_roles

_COLUMN_WORDS = (
    "source src target tgt input output text label summary article highlights document question answer query response "
    "instruction prompt completion context premise hypothesis reference prediction word token lemma form inflection "
    "inflected phone phoneme grapheme pronunciation ipa arpabet transcription transliteration spelling sentence phrase "
    "translation translated original corrected correct correction incorrect error title headline abstract content body "
    "id index key value idx lang language locale license licence url attribution username score iso iso8601 formatted "
    "raw clean noisy normalized normalised expression "
    "english french german spanish italian portuguese dutch russian chinese japanese korean arabic hindi turkish polish "
    "swedish norwegian danish finnish greek hebrew latin czech hungarian romanian ukrainian vietnamese thai persian "
    "bengali tamil swahili indonesian catalan welsh irish basque deutsch français español italiano português "
    "nederlands svenska norsk dansk suomi polski русский türkçe"
)
_WORDS = frozenset(_COLUMN_WORDS.split())
_CODES = (
    "ar bg bn ca cs cy da de el en eo es et eu fa fi fr ga gl he hi hr hu hy id is it ja ka ko la lt lv mk mn ms nb nl "
    "nn no pl pt ro ru sk sl sq sr sv sw ta te th tl tr uk ur vi zh eng fra fre deu ger spa ita por nld rus cmn zho jpn "
    "kor ara hin tur pol swe dan fin ell heb lat ces hun ron ukr vie"
)
_LANGUAGE_CODES = frozenset(_CODES.split())
_NAME = re.compile(r"[^\W\d_][\w .:/()-]{0,39}")


BLANKS = " \t\u200b\ufeff"
"""Characters that may stand around a name unseen."""


class Header(Enum):
    """Whether the first line is a header."""

    YES, MAYBE, NO = range(3)


def recognise_header(first: Sequence[str], rows: Sequence[Sequence[str]]) -> Header:
    """Tell from its words, and from how unlike the other rows it is, whether the first row of a table is a header.

    Args:
        first: cells of the first row.
        rows: cells of some rows after it.
    """
    names = [cell.strip(BLANKS) for cell in first]
    if column_roles(names) is not None or len({name.lower() for name in names} & _SURE) >= 2:
        return Header.YES
    numbered = names if names[0] else names[1:]
    if numbered == [str(number) for number in range(len(numbered))] and any(
        not cell.strip().isdigit() for row in rows for cell in row
    ):
        return Header.YES  # as pandas writes a frame whose columns have no names
    is_index = [not name for name in names[:1]]  # pandas leaves the name of its index empty
    names = names[sum(is_index) :] if len(names) > 2 else names
    if not all(_NAME.fullmatch(name) for name in names) or len({name.casefold() for name in names}) < len(names):
        return Header.NO
    offset = len(first) - len(names)
    columns = [
        [row[index] for row in rows if len(row) == len(first) and list(row) != list(first)]
        for index in range(offset, len(first))
    ]
    is_known = [_is_known(name, column) for name, column in zip(names, columns, strict=True)]
    is_unlike = [_is_unlike(name, column) for name, column in zip(names, columns, strict=True)]
    count = sum(is_known)
    if count >= 2 or (count == 1 and all(known or unlike for known, unlike in zip(is_known, is_unlike, strict=True))):
        return Header.YES
    if all(is_unlike):
        return Header.YES if len(columns[0]) >= 20 else Header.MAYBE
    return Header.NO


_SURE = frozenset({"source", "target", "src", "tgt", "input", "output", "text", "label", "summary"})
"""A first line with two of these is a header, whatever follows."""


def _is_known(name: str, column: Sequence[str]) -> bool:
    """Return ``True`` for a usual name of a column, if the column does not hold such words itself."""
    if name.lower() in _LANGUAGE_CODES:
        codes = sum(cell.strip().lower() in _LANGUAGE_CODES for cell in column)
        return codes <= 0.2 * len(column) and sum(len(cell.strip()) > 2 for cell in column) >= 0.5 * len(column)
    words = [word.removesuffix("s") for word in re.findall(r"[^\W\d_]+", name.lower())]
    if not words or not all(word in _WORDS or f"{word}s" in _WORDS or word in _LANGUAGE_CODES for word in words):
        return False
    return name not in column and sum(cell.strip().lower() in _WORDS for cell in column) <= 0.2 * len(column)


def _is_unlike(name: str, column: Sequence[str]) -> bool:
    """Return ``True`` if a text differs from those of a column in its letters, its digits or its number of words."""
    cells = [cell for cell in column if cell.strip()]
    if len(cells) < 3:
        return False
    alphabet = set[str]().union(*cells)
    letters = [char for char in name if char.isalpha()]
    shared = sum(char in alphabet for char in letters)
    if len(letters) > 1 and len(alphabet) >= 8 and (shared == 0 or (len(cells) >= 20 and shared < 0.5 * len(letters))):
        return True
    if all(any(char.isdigit() for char in cell) for cell in cells) and not any(char.isdigit() for char in name):
        return True
    lengths = sorted(map(len, cells))
    has_spaces = sum(" " in cell.strip() for cell in cells) >= 0.95 * len(cells)
    return len(cells) >= 5 and has_spaces and " " not in name and 2 * len(name) < lengths[len(lengths) // 2]
