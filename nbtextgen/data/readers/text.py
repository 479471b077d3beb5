"""Text files, read piece by piece: gzip is unpacked, bytes are decoded, text is cut into lines."""

from __future__ import annotations

import codecs
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from nbtextgen.core.errors import DataError, nearest
from nbtextgen.data.rows import has_surrogate

PIECE = 1 << 18
"""Bytes that are read, or unpacked, at a time."""
_BYTE_ORDER_MARKS = (  # the longer mark first: that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_GZIP = b"\x1f\x8b"
_HEAD = 4000
"""Bytes from which UTF-16 or UTF-32 without a byte order mark is recognised."""
_LINE_END = re.compile("\r\n|\n|\r")  # what ends a row; U+2028, U+0085, VT and FF may stand inside a text


def read_text(path: Path) -> str:
    """Read a whole file; see ``text_pieces``."""
    return "".join(text_pieces(path))


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file, each with its line end; see ``text_pieces``."""
    rest = ""
    for piece in text_pieces(path):
        *lines, rest = io.StringIO(rest + piece, newline="").readlines()
        if rest.endswith("\n"):  # a line that ends with "\r" waits: "\n" may be the next character
            lines.append(rest)
            rest = ""
        yield from lines
    if rest:
        yield rest


def text_pieces(path: Path) -> Iterator[str]:
    """Yield the text of a file in UTF-8 (with or without byte order mark), UTF-16 or UTF-32 (with one), packed or not.

    Bytes that are not UTF-8 become lone surrogates (Python's ``surrogateescape``), which ``encoding_problem`` finds.

    Raises:
        DataError: if the file is missing or damaged, or is UTF-16 or UTF-32 without a mark; names the line.
    """
    pieces = byte_pieces(path)
    head = b""
    while len(head) < _HEAD and (piece := next(pieces, b"")):
        head += piece
    mark, encoding = next((each for each in _BYTE_ORDER_MARKS if head.startswith(each[0])), (b"", "utf-8"))
    if not mark and head[:_HEAD].count(0) > len(head[:_HEAD]) / 4:
        raise DataError(
            f"{path}, line 1 looks like UTF-16 or UTF-32 without a byte order mark; save the file as UTF-8."
        )
    decoder = codecs.getincrementaldecoder(encoding)("surrogateescape" if encoding == "utf-8" else "strict")
    line, last = 1, ""
    for piece, final in chain([(head[len(mark) :], False)], ((piece, False) for piece in pieces), [(b"", True)]):
        try:
            text, error = decoder.decode(piece, final), None
        except UnicodeDecodeError as caught:  # never for UTF-8
            text, error = caught.object[: caught.start].decode(encoding), caught
        if text:
            yield text
        if encoding != "utf-8" and text:
            line += len(_LINE_END.findall(text)) - (last == "\r" and text[0] == "\n")
            last = text[-1]
        if error is not None:
            name = encoding[:6].upper()
            raise DataError(f"{path}, line {line:,} is not {name} text; save the file as UTF-8.") from None


def encoding_problem(cells: Iterable[str]) -> str | None:
    """Return what is wrong with the characters of a row, or ``None`` if nothing is."""
    if any(not cell.isascii() and has_surrogate(cell) for cell in cells):
        return "is not UTF-8 text; save the file as UTF-8"
    return None


def byte_pieces(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, unpacked if they are gzip, whatever the file's name.

    Raises:
        DataError: if there is no such file, or the gzip data is cut short or damaged; names the line.
    """
    if path.is_dir():
        raise DataError(f"{path} is a directory; give a file of pairs.")
    if not path.is_file():
        near = nearest(path.name, [each.name for each in path.parent.glob("*")]) if path.parent.is_dir() else ""
        raise DataError(f"There is no file {path}.{near}")
    try:
        with path.open("rb") as file:
            packed = file.peek(len(_GZIP)).startswith(_GZIP)
            yield from _unpacked(path, file) if packed else iter(partial(file.read, PIECE), b"")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None


def _unpacked(path: Path, file: BinaryIO) -> Iterator[bytes]:
    """Unpack one or several gzip members, at most ``PIECE`` bytes at a time."""
    line, member = 1, zlib.decompressobj(wbits=31)
    rest, ended = b"", False

    def damaged(what: str) -> DataError:
        return DataError(f"{path}, line {line:,}: the gzip data {what} from here on; make or copy the file again.")

    while packed := rest or file.read(PIECE):
        if ended:
            rest = packed.lstrip(b"\0")  # some writers pad the end with zeros
            if len(rest) == 1:
                rest += file.read(1)
            if rest and not rest.startswith(_GZIP):
                raise damaged("has something after its end that is not gzip")
            if rest:
                member, ended = zlib.decompressobj(wbits=31), False
            continue
        try:
            piece = member.decompress(packed, PIECE)
        except zlib.error as error:
            raise damaged(f"is damaged ({error})") from None
        if piece:
            yield piece
            line += piece.count(b"\n")
        ended = member.eof
        rest = member.unused_data if ended else member.unconsumed_tail
    if not ended:
        raise damaged("is cut short")
