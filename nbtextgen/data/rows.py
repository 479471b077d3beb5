"""Two columns of text as rows with places: what readers yield, and reports and cleaning work on."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, cast, runtime_checkable

from nbtextgen.core.escaping import INVISIBLE
from nbtextgen.core.wording import as_given

Place = str | tuple[str, int]
"""Where a row came from: a text, or a name and a number that reads ``pairs.csv, line 1,204``."""
Row = tuple[Place, object, object, str | None]
"""The place of a row, its source and target cells, and why it could not be read (``None`` if it could)."""
NO_PAIRS = "There are no pairs: the data is empty; give at least two rows of source and target."


@runtime_checkable
class Rows(Protocol):
    """Two columns, the place of every row, the rows that could not be read, and what the reader assumed."""

    @property
    def sources(self) -> Sequence[object]: ...
    @property
    def targets(self) -> Sequence[object]: ...
    @property
    def places(self) -> Sequence[Place]: ...
    @property
    def problems(self) -> Mapping[int, str]: ...
    @property
    def notes(self) -> Sequence[str]: ...


def place_text(place: Place) -> str:
    """A place in words."""
    return place if isinstance(place, str) else f"{place[0]} {place[1]:,}"


def row_error(row: Row) -> str | None:
    """Return what keeps a row from being a pair of texts, as a sentence with its place; ``None`` if nothing does."""
    place, source, target, problem = row
    if problem is not None:
        return f"{place_text(place)} {problem}."
    for side, cell in (("source", source), ("target", target)):
        problem = cell_problem(cell)
        if problem is not None:
            return f"{place_text(place)}: {side} {problem}."
    return None


def is_missing(value: object) -> bool:
    """Whether a cell is ``None`` or one of the not-a-number values that tables use for "nothing here"."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, float):  # NumPy's float64 is a float too, but its float32 is not
        return value != value
    return hasattr(value, "dtype") and not getattr(value, "shape", ()) and bool(value != value)


def cell_problem(value: object) -> str | None:
    """What keeps a cell from being learned from, as a phrase that follows "source" or "target"; ``None`` if nothing."""
    if isinstance(value, str):
        if not value.strip():
            return "is empty; drop such rows or fill them in"
        if not value.isascii() and has_surrogate(value):
            return "holds half a character (a lone surrogate); clean it with the step 'control'"
        return None
    if value is None:
        return "is missing; drop such rows or fill them in"
    if is_missing(value):
        return (
            "is missing (NaN); drop such rows or fill them in, and if it is a word such as null or NA, which pandas reads "
            "as missing, read the file with keep_default_na=False"
        )
    kind, shown = type(value).__name__, " ".join(as_given(value).split())
    has_items = any(hasattr(value, name) for name in ("__len__", "keys")) and getattr(value, "shape", None) != ()
    if isinstance(value, (bytes, bytearray, memoryview)):  # .astype(str) would write b'...'
        return f"is {kind} ({shown}), not text; decode the column, as with .str.decode('utf-8')"
    if has_items:
        return f"is {kind} ({shown}), not text; give a column of texts, or name one inside of it"
    return f"is {kind} ({shown}), not text; convert it with str(), or a column of a frame with .astype(str)"


def no_text(value: object) -> str:
    """What is in the place of a text, and what to do, as a phrase that follows the place."""
    kind = type(value).__name__
    if value is None or isinstance(value, Mapping):
        advice = "give a text"
    elif isinstance(value, (bytes, bytearray, memoryview)):
        advice = "decode it, as with .decode('utf-8')"
    elif any(hasattr(value, name) for name in ("__len__", "__next__")) and getattr(value, "shape", None) != ():
        advice = "give one of the texts in it"
    else:
        advice = "convert it with str() first"
    return f"is {kind}, not text; {advice}"


def are_texts(cells: Sequence[object]) -> bool:
    """Return ``True`` if every cell is a text that can be learned from; see ``cell_problem``."""
    texts = cast("Sequence[str]", cells)
    try:
        return all(map(str.strip, texts)) and not any(
            has_surrogate("".join(texts[start : start + 10_000])) for start in range(0, len(texts), 10_000)
        )
    except TypeError:
        return False


def has_surrogate(text: str) -> bool:
    """Whether the text holds half a UTF-16 pair, which no file can store."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


_SPACES = re.compile(r"\s+")
_UNSEEN = re.compile("[" + "".join(char for char in INVISIBLE if not char.isspace()) + "\u200c\u200d\ufe00-\ufe0f]")
FILLERS = "\u115f\u1160\u3164\uffa0"
"""Characters that show as nothing, and that Unicode counts as letters."""


def same_key(text: str) -> str:
    """What two texts share that differ only in case, spacing, Unicode form, or characters that show as nothing."""
    return _SPACES.sub(" ", _folded(text)).strip()


def _folded(text: str) -> str:
    """Text in NFKC without differences of case and without characters that show as nothing."""
    if text.isascii():
        return text.casefold()
    text = _UNSEEN.sub("", text)
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
    text = _UNSEEN.sub("", text).casefold()
    # What was folded may join with the mark after it.
    return text if unicodedata.is_normalized("NFKC", text) else unicodedata.normalize("NFKC", text)


FOLDED = 4096
"""Texts that are folded together."""
_OTHER_SPACES = re.compile(r"  +|[^\S ]\s*| [^\S ]\s*")


def folded_chunks(texts: Sequence[str]) -> Iterator[str]:
    """Yield some texts at a time, folded as in ``same_key`` but for their spaces, and joined by NUL, which is left out of them."""
    for start in range(0, len(texts), FOLDED):
        part = texts[start : start + FOLDED]
        joined = "\0".join(part)
        if joined.count("\0") >= len(part):
            joined = "\0".join(text.replace("\0", "") for text in part)
        yield _folded(joined)


def same_keys(texts: Sequence[str]) -> Iterator[str]:
    """Yield ``same_key`` of each text, several times as fast; NUL is left out."""
    for joined in folded_chunks(texts):
        for text in _OTHER_SPACES.sub(" ", joined).split("\0"):
            yield text.strip()
