"""Text files, read piece by piece: bytes are decoded, text is cut into lines."""

from __future__ import annotations

import codecs
import io
import math
import re
from collections.abc import Iterable, Iterator
from encodings.aliases import aliases
from itertools import chain
from pathlib import Path
from typing import cast

from nbtextgen.core.errors import DataError, MemoryShortError, OptionError, nearest
from nbtextgen.core.wording import as_given
from nbtextgen.data.readers.encodings import encoding_advice, likely_encodings, seven_bit_encoding
from nbtextgen.data.readers.packing import ARROW, GZIP, PARQUET, ZIP, byte_pieces, check_format, packing_of
from nbtextgen.data.rows import has_surrogate

LARGEST_ROW = 1 << 26
"""Characters of a row from which it is taken for damage, such as a quote that is never closed."""
_BYTE_ORDER_MARKS = (  # the longer mark first: that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HEAD = 4000
"""Bytes from which the encoding is recognised."""
_LINE_END = re.compile("\r\n|\n|\r")  # what ends a row; U+2028, U+0085, VT and FF may stand inside a text
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")


def read_text(path: Path, encoding: str | None = None) -> str:
    """Read a whole file; see ``TextFile``."""
    return "".join(TextFile(path, encoding).pieces())


class TextFile:
    """A text file in UTF-8 (with or without byte order mark), in UTF-16 or UTF-32 (with one), or in a named encoding.

    Bytes that are not UTF-8 become lone surrogates (Python's ``surrogateescape``), which ``encoding_problem`` finds.

    Attributes:
        path: the file, packed or not.
        unit: what its rows are numbered by.
        encoding: name of the encoding, if it is not Unicode with a mark.
        has_surrogates: whether bytes that are not UTF-8 have been read.
    """

    unit = "line"

    def __init__(self, path: Path, encoding: str | None = None, max_characters: int | None = None) -> None:
        """Name a file.

        Args:
            path: the file.
            encoding: its encoding; ``None``: Unicode.
            max_characters: characters from which reading ends with an error; ``None``: any number.
        """
        self.path, self.encoding = path, check_encoding(encoding)
        self.has_surrogates = False
        self._left = math.inf if max_characters is None else max_characters

    def pieces(self) -> Iterator[str]:
        """Yield the text.

        Raises:
            DataError: if the file is missing, damaged or no text, or not in the encoding; names the line.
        """
        pieces = byte_pieces(self.path)
        head = b""
        while len(head) < _HEAD and (piece := next(pieces, b"")):
            head += piece
        mark, encoding = self._encoding_of(head)
        decode = codecs.getincrementaldecoder(encoding)("surrogateescape" if encoding == "utf-8" else "strict").decode
        line, last = 1, ""
        for piece, is_final in chain([(head[len(mark) :], False)], ((piece, False) for piece in pieces), [(b"", True)]):
            try:
                text, error = decode(piece, is_final), None
            except UnicodeDecodeError as caught:  # never for UTF-8
                text, error = caught.object[: caught.start].decode(encoding, "replace"), caught
            except UnicodeError as caught:  # UTF-16 without the mark that its name asks for
                text, error = "", caught
            if text:
                self._left -= len(text)
                if self._left < 0:
                    raise MemoryShortError(
                        f"The text of {self.path} does not fit into memory; train with --store=FOLDER, which reads it in "
                        "parts, or give fewer pairs."
                    )
                self.has_surrogates = self.has_surrogates or not text.isascii() and has_surrogate(text)
                yield text
            if encoding != "utf-8" and text:
                line += len(_LINE_END.findall(text)) - (last == "\r" and text[0] == "\n")
                last = text[-1]
            if error is not None:
                name = encoding[:6].upper() if mark else encoding
                way_out = "save the file as UTF-8" if mark else "give another --encoding, or save the file as UTF-8"
                raise DataError(f"{self.path}, line {line:,} is not {name} text; {way_out}.") from None

    def _encoding_of(self, head: bytes) -> tuple[bytes, str]:
        """The byte order mark and the encoding of a file of lines that begins with ``head``."""
        if packing_of(self.path):
            if head.startswith((GZIP, ZIP)):
                raise DataError(f"{self.path} is packed twice; unpack it first.")
            check_format(self.path, head)
        elif head.startswith((ZIP, PARQUET, *ARROW)):
            raise DataError(f"{self.path} is a table in a binary format, not lines of text; give a file of text.")
        if head[257:262] == b"ustar":
            raise DataError(f"{self.path} is a tar archive; unpack it and give the file.")
        mark, encoding = next((each for each in _BYTE_ORDER_MARKS if head.startswith(each[0])), (b"", "utf-8"))
        if not mark and self.encoding is not None:
            encoding = self.encoding
            _check_unlike_utf8(self.path, head, encoding)
        elif not mark and (guess := _guess_unmarked(head[:_HEAD])):
            raise DataError(
                f"{self.path}, line 1 is not UTF-8 text; it looks like {guess.upper()} without a byte order mark: "
                f"give --encoding={guess}, or save the file as UTF-8."
            )
        elif not mark and (name := seven_bit_encoding(head)):
            raise DataError(
                f"{self.path} looks like text in {name.upper()}, which writes other letters as sequences of ASCII: give "
                f"--encoding={name}, or save the file as UTF-8; if it is plain ASCII, give --encoding=utf-8."
            )
        elif not mark and len(_CONTROL.findall(head)) > len(head) / 5:
            raise DataError(f"{self.path} is not text: it is full of control characters; give a file of text.")
        return mark, encoding

    def lines(self) -> Iterator[str]:
        """Yield the lines, each with its line end."""
        waiting, size, count = list[str](), 0, 0
        for piece in self.pieces():
            is_cut = bool(waiting) and waiting[-1].endswith("\r")  # "\n" may be the next character
            waiting.append(piece)
            size += len(piece)
            if not is_cut and "\n" not in piece and "\r" not in piece:
                if size > LARGEST_ROW:
                    raise DataError(
                        f"{self.path}, line {count + 1:,} has more than {LARGEST_ROW:,} characters; "
                        "write one pair per line."
                    )
                continue
            *lines, rest = _lines_of("".join(waiting))
            if rest.endswith("\n"):
                lines.append(rest)
                rest = ""
            yield from lines
            waiting, size = [rest] if rest else [], len(rest)
            count += len(lines)
        rest = "".join(waiting)
        if rest and rest != "\x1a":  # the end of a file for DOS
            yield from _lines_of(rest)

    def plain_lines(self) -> Iterator[str]:
        """Yield the lines without their line ends."""
        return (line.rstrip("\r\n") for line in self.lines())

    def problem(self, cells: Iterable[object]) -> str | None:
        """Return why the characters of a row could not be read, or ``None`` if they could."""
        return encoding_problem(cells) if self.has_surrogates else None


def _lines_of(text: str) -> list[str]:
    """Cut a text into lines, without the byte order marks that stand where files were put one behind the other."""
    lines = io.StringIO(text, newline="").readlines()
    return [line.lstrip("\ufeff") for line in lines] if "\ufeff" in text else lines


def _check_unlike_utf8(path: Path, head: bytes, encoding: str) -> None:
    """Raise ``DataError`` for UTF-8 that would be read in an encoding with a byte for each character: é would be Ã©."""
    try:
        beyond = sum(not char.isascii() for char in head[:_HEAD].decode("utf-8", "ignore"))
        head[: _HEAD - 3].rpartition(b"\n")[0].decode()
        is_single = len("é".encode().decode(encoding, "replace")) == 2
    except (UnicodeError, LookupError):
        return
    if beyond > 3 and is_single and encoding not in ("utf-8", "ascii"):
        raise DataError(f"{path} is UTF-8 text; leave out --encoding={encoding}.")


def check_encoding(name: str | None) -> str | None:
    """Return Python's name of an encoding; raises ``OptionError`` if there is none."""
    if name is None or name == "":
        return None
    if not isinstance(cast("object", name), str):
        raise OptionError(f"--encoding must be the name of an encoding, such as cp1252 (got {as_given(name, 40)}).")
    try:
        "".encode(name)  # raises the same error for codecs that are not of text, as base64
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        near = "" if name in aliases else nearest(name, aliases)
        raise OptionError(f"There is no encoding of text '{name}'.{near}") from None


def encoding_problem(cells: Iterable[object]) -> str | None:
    """Return what is wrong with the characters of a row, or ``None`` if nothing is."""
    for cell in cells:
        if isinstance(cell, str) and not cell.isascii() and has_surrogate(cell):
            return f"is not UTF-8 text; {encoding_advice(likely_encodings(cell))}, or save the file as UTF-8"
    return None


def _guess_unmarked(head: bytes) -> str | None:
    """UTF-16 or UTF-32 by name if the first bytes of a file are in it, without a byte order mark."""
    size = len(head) // 4 * 4
    if head.count(0) > len(head) / 4:
        zeros = [head[start:size:4].count(0) for start in range(4)]
        if zeros[1] + zeros[2] > 0.8 * size / 2:
            return "utf-32-le" if zeros[3] > zeros[0] else "utf-32-be"
        return "utf-16-le" if zeros[1] + zeros[3] > zeros[0] + zeros[2] else "utf-16-be"
    if len(_CONTROL.findall(head)) < len(head) / 20:
        return None
    for name in ("utf-16-le", "utf-16-be"):  # scripts other than Latin have few zeros
        text = head[: len(head) // 2 * 2].decode(name, "replace")
        if sum(char.isalpha() or char in " \t\r\n.,;" for char in text) > 0.8 * len(text) and "\n" in text:
            return name
    return None
