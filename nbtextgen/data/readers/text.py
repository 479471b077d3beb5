"""Text files, read piece by piece: gzip is unpacked, bytes are decoded, text is cut into lines."""

from __future__ import annotations

import codecs
import io
import math
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from encodings.aliases import aliases
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from nbtextgen.core.errors import DataError, MemoryShortError, OptionError, nearest
from nbtextgen.data.rows import has_surrogate

PIECE = 1 << 18
"""Bytes that are read, or unpacked, at a time."""
LARGEST_ROW = 1 << 26
"""Characters of a row from which it is taken for damage, such as a quote that is never closed."""
PARQUET = b"PAR1"
_BYTE_ORDER_MARKS = (  # the longer mark first: that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
GZIP = b"\x1f\x8b"
_OTHER_FORMATS = (
    (b"BZh", "a bzip2 archive", "unpack it first"),
    (b"\xfd7zXZ\0", "an xz archive", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack it first"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file", "save it as .csv or .tsv"),
    (b"%PDF-", "a PDF document", "copy its text into a .tsv file"),
    (b"\x89PNG\r\n", "a PNG image", "give a file of text"),
    (b"\xff\xd8\xff", "a JPEG image", "give a file of text"),
    (b"SQLite format 3\0", "an SQLite database", "read it with pandas.read_sql and give the frame"),
    (b"\x93NUMPY", "a NumPy array", "load it with numpy.load and give the array"),
    (b"ARROW1\0\0", "an Arrow file", "read it with pandas.read_feather and give the frame"),
    (b"\x89HDF\r\n", "an HDF5 file", "read it with pandas.read_hdf and give the frame"),
    (b"\x80\x04\x95", "a pickled object", "load it and give the object"),
    (b"\x80\x05\x95", "a pickled object", "load it and give the object"),
    (b"version https://git-lfs", "a pointer of Git LFS", "fetch the file with git lfs pull"),
    (b"<!DOCTYPE html", "an HTML page", "give a file of text"),
    (b"<!doctype html", "an HTML page", "give a file of text"),
    (b"<html", "an HTML page", "give a file of text"),
    (b"<?xml ", "an XML document", "give its texts as .tsv or as JSON lines"),
)
"""First bytes of files that are not text, what they are, and what to do."""
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
        path: the file, packed with gzip or not.
        encoding: name of the encoding, if it is not Unicode with a mark.
        has_surrogates: whether bytes that are not UTF-8 have been read.
    """

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
        if head.startswith(GZIP):
            raise DataError(f"{self.path} is packed twice; unpack it first.")
        if head[257:262] == b"ustar":
            raise DataError(f"{self.path} is a tar archive; unpack it and give the file.")
        mark, encoding = next((each for each in _BYTE_ORDER_MARKS if head.startswith(each[0])), (b"", "utf-8"))
        if not mark and self.encoding is not None:
            encoding = self.encoding
        elif not mark and (guess := _guess_unmarked(head[:_HEAD])):
            raise DataError(
                f"{self.path}, line 1 is not UTF-8 text; it looks like {guess.upper()} without a byte order mark: "
                f"give --encoding={guess}, or save the file as UTF-8."
            )
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
            *lines, rest = io.StringIO("".join(waiting), newline="").readlines()
            if rest.endswith("\n"):
                lines.append(rest)
                rest = ""
            yield from lines
            waiting, size = [rest] if rest else [], len(rest)
            count += len(lines)
        if waiting:
            yield from io.StringIO("".join(waiting), newline="").readlines()

    def plain_lines(self) -> Iterator[str]:
        """Yield the lines without their line ends."""
        return (line.rstrip("\r\n") for line in self.lines())

    def problem(self, cells: Iterable[object]) -> str | None:
        """Return why the characters of a row could not be read, or ``None`` if they could."""
        return encoding_problem(cells) if self.has_surrogates else None


def check_encoding(name: str | None) -> str | None:
    """Return Python's name of an encoding; raises ``OptionError`` if there is none."""
    if name is None:
        return None
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
            guess = _guess_encoding(cell)
            way_out = f"give --encoding={guess}" if guess else "give its --encoding"
            return f"is not UTF-8 text; {way_out}, or save the file as UTF-8"
    return None


def _guess_encoding(text: str) -> str | None:
    """The likely encoding of a text that is not UTF-8; ``None`` if it cannot be told."""
    raw = text.encode("utf-8", "surrogateescape") if not re.search("[\ud800-\udc7f\udd00-\udfff]", text) else b""
    high = sum(byte >= 0x80 for byte in raw)
    letters = sum(chr(byte).isalpha() for byte in raw if byte < 0x80)
    if high == 0:
        return None
    if high <= max(2, 0.4 * (high + letters)):
        return "cp1252" if not {0x81, 0x8D, 0x8F, 0x90, 0x9D} & set(raw) else None
    cyrillic = raw.decode("cp1251", "replace")
    words = re.findall(r"[^\W\d_]+", cyrillic)
    if sum(map(len, words)) >= 0.9 * high and all(word[1:].islower() or len(word) == 1 for word in words):
        return "cp1251"
    with suppress(UnicodeDecodeError):
        if re.search("[\u3041-\u30fa]", raw.decode("euc_jp")):
            return "euc_jp"
    for name in ("shift_jis", "gb18030", "euc_kr", "big5"):
        try:
            text = raw.decode(name)
        except UnicodeDecodeError:
            continue
        if not re.search("[\uff61-\uff9f\ue000-\uf8ff]", text):  # half-width kana, private use
            return name
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


def byte_pieces(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, unpacked if they are gzip, whatever the file's name.

    Raises:
        DataError: if there is no such file, it is known to be something else than text or Parquet, or its gzip data is
            cut short or damaged; names the line.
    """
    check_file(path)
    try:
        with path.open("rb") as file:
            head = file.peek(8)
            if not head.startswith(GZIP):
                _check_format(path, head)
            yield from _unpacked(path, file) if head.startswith(GZIP) else iter(partial(file.read, PIECE), b"")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None


def is_packed(path: Path) -> bool:
    """Return ``True`` for a file that is packed with gzip."""
    with path.open("rb") as file:
        return file.read(len(GZIP)) == GZIP


def check_file(path: Path) -> None:
    """Raise ``DataError`` if there is no such file."""
    near = ""
    try:
        is_folder = path.is_dir()
        if path.is_file():
            return
        if path.parent.is_dir():
            near = nearest(path.name, [each.name for each in path.parent.glob("*")])
    except (OSError, ValueError):  # a name that is too long, or holds NUL
        is_folder = False
    if is_folder:
        raise DataError(f"{path} is a directory; give a file of pairs.")
    raise DataError(f"There is no file {path!s:.200}.{near}")


def _check_format(path: Path, head: bytes) -> None:
    """Raise ``DataError`` for a file whose first bytes show that it is no text, with what it is."""
    for start, kind, way_out in _OTHER_FORMATS:
        if head.startswith(start):
            raise DataError(f"{path} is {kind}; {way_out}.")
    if head.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except (zipfile.BadZipFile, OSError):
            names = []
        if any(name.startswith(("xl/", "word/", "ppt/")) for name in names):
            raise DataError(
                f"{path} is an Office document; save it as .csv, or read it with pandas.read_excel and give the frame."
            )
        content = f" of {', '.join(names[:3])}" + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
        raise DataError(f"{path} is a zip archive{content if names else ''}; unpack it and give the file.")


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
            if rest and not rest.startswith(GZIP):
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
