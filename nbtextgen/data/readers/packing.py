"""Files as bytes: what they are by their first bytes, and the content of those packed with gzip or zip."""

from __future__ import annotations

import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from nbtextgen.core.errors import DataError, nearest

PIECE = 1 << 18
"""Bytes that are read, or unpacked, at a time."""
GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
PARQUET = b"PAR1"
ARROW = (b"ARROW1\0\0", b"\xff\xff\xff\xff")
"""First bytes of an Arrow file (Feather is one), and of an Arrow stream, as ``datasets`` keeps them."""
WORKBOOK = "xl/workbook.xml"
"""The file in a zip archive that makes it an Excel file."""
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
    (b"FEA1", "a Feather file of the first version", "read it with pandas.read_feather and give the frame"),
    (b"ORC", "an ORC file", "read it with pandas.read_orc and give the frame"),
    (b"Obj\x01", "an Avro file", "save it as JSON lines or Parquet"),
    (b"\x89HDF\r\n", "an HDF5 file", "read it with pandas.read_hdf and give the frame"),
    (b"\x80\x04\x95", "a pickled object", "load it and give the object"),
    (b"\x80\x05\x95", "a pickled object", "load it and give the object"),
    (b"{\\rtf", "a document of rich text (RTF)", "save it as plain text"),
    (b"version https://git-lfs", "a pointer of Git LFS", "fetch the file with git lfs pull"),
    (b"PK\x05\x06", "an empty zip archive", "make or copy the file again"),
)
"""First bytes of files that are not text, what they are, and what to do."""
_MARKUP = (
    (b"<!doctype html", "an HTML page", "give a file of text"),
    (b"<html", "an HTML page", "give a file of text"),
    (b"<table", "an HTML page", "read it with pandas.read_html and give the frame"),
    (b"<?xml ", "an XML document", "give its texts as .tsv or as JSON lines"),
    (b"<tmx ", "an XML document", "give its texts as .tsv or as JSON lines"),
)
"""The same for files that may begin with spaces, comments, and letters of either case."""
_DOCUMENTS = (
    ("word/document.xml", "a Word document", "copy its text into a .tsv file"),
    ("ppt/presentation.xml", "a PowerPoint file", "copy its text into a .tsv file"),
    ("META-INF/manifest.xml", "an OpenDocument file", "save it as .csv or .xlsx"),
)
"""Files in zip archives that are documents of an office."""


_ABOUT = re.compile(r"_|about|readme|licen[cs]e|changelog|citation", re.IGNORECASE)
"""Names of the files in an archive that describe the others."""


def byte_pieces(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, unpacked if it is packed with gzip, or the only file of a zip archive, whatever its name.

    Raises:
        DataError: if there is no such file, it is known to be something that cannot be read, or its packed data is cut
            short or damaged; names the line.
    """
    check_file(path)
    try:
        with path.open("rb") as file:
            head = file.peek(2000)
            if head.startswith(ZIP) and not _is_excel(path):
                yield from _unzipped(path)
                return
            if not head.startswith(GZIP):
                check_format(path, head)
            yield from _unpacked(path, file) if head.startswith(GZIP) else iter(partial(file.read, PIECE), b"")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None


def content_kind(path: Path) -> str:
    """What a file holds: ``parquet``, ``arrow``, ``excel`` or ``text``; raises ``DataError`` as ``byte_pieces`` does."""
    head = next(byte_pieces(path), b"")
    kind = "parquet" if head.startswith(PARQUET) else "arrow" if head.startswith(ARROW) else "text"
    packing = packing_of(path)
    if packing and kind != "text":
        raise DataError(f"{path} holds a table in the format {kind.title()}, packed with {packing}; unpack it first.")
    return "excel" if head.startswith(ZIP) and not packing else kind


def packing_of(path: Path) -> str:
    """Return ``gzip`` or ``zip`` for a file that is packed so, an Excel file not included; otherwise an empty text."""
    with path.open("rb") as file:
        head = file.read(len(ZIP))
    if head.startswith(GZIP):
        return "gzip"
    return "zip" if head == ZIP and not _is_excel(path) else ""


def inner_name(path: Path) -> str:
    """The name of what is packed in a file, in small letters: that of the only file in a zip archive, or without ``.gz``."""
    try:
        if path.suffix.lower() != ".gz" and path.is_file() and packing_of(path) == "zip":
            return Path(_only_member(path).filename.lower()).name
    except (OSError, ValueError):  # DataError is one; it is raised when the file is read
        pass
    return path.name.lower().removesuffix(".gz")


def unpacked_size(path: Path) -> int:
    """Bytes in the only file of a zip archive."""
    return _only_member(path).file_size


def check_file(path: Path) -> None:
    """Raise ``DataError`` if there is no such file."""
    near = ""
    try:
        is_folder = path.is_dir()
        if path.is_file():
            return
        if path.is_symlink() and not path.exists():
            raise DataError(f"{path} is a symbolic link that leads nowhere; give the name of the file itself.")
        if path.exists() and not is_folder:
            raise DataError(f"{path} is a pipe or a device, not a file; write its content to a file first.")
        if path.parent.is_dir():
            near = nearest(path.name, [each.name for each in path.parent.glob("*")])
    except DataError:
        raise
    except PermissionError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    except (OSError, ValueError):  # a name that is too long, or holds NUL
        is_folder = False
    if is_folder:
        raise DataError(f"{path} is a directory; give a file of pairs.")
    raise DataError(f"There is no file {path!s:.200}.{near}")


def check_format(path: Path, head: bytes) -> None:
    """Raise ``DataError`` for a file whose first bytes show that it cannot be read, with what it is."""
    begin = re.sub(rb"^(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)*", b"", head[:2000], flags=re.DOTALL).lower()
    for formats, content in ((_OTHER_FORMATS, head), (_MARKUP, begin)):
        for start, kind, way_out in formats:
            if content.startswith(start):
                raise DataError(f"{path} is {kind}; {way_out}.")


# Zip --------------------------------------------------------------------------------------------------------------


_DAMAGED = (zipfile.BadZipFile, OSError, NotImplementedError, ValueError, struct.error)
"""What ``zipfile`` raises for the list of a damaged archive's files."""


def _is_excel(path: Path) -> bool:
    return WORKBOOK in _names(path)


def _names(path: Path) -> list[str]:
    """The names in a zip archive; none if it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except _DAMAGED:
        return []


def _only_member(path: Path) -> zipfile.ZipInfo:
    """The only file in a zip archive, apart from hidden ones and those that macOS adds.

    Raises:
        DataError: if there are none or several, or the archive is damaged or a document.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except _DAMAGED as error:
        raise DataError(f"{path} is a damaged zip archive ({error}); make or copy the file again.") from None
    names = [member.filename for member in members]
    for name, kind, way_out in _DOCUMENTS:
        if name in names:
            raise DataError(f"{path} is {kind}; {way_out}.")
    if names and all(name.endswith(".npy") for name in names):
        raise DataError(f"{path} is an archive of NumPy arrays; load it with numpy.load and give an array.")
    hidden = ("__MACOSX/", ".")
    files = [
        each
        for each in members
        if not each.is_dir() and not each.filename.startswith(hidden) and "/." not in each.filename
    ]
    if {"mimetype", "content.xml"} <= {each.filename for each in files}:
        raise DataError(f"{path} is a document of LibreOffice; save it as .csv or .xlsx.")
    if len(files) > 1:
        files = [each for each in files if not _ABOUT.match(Path(each.filename).name)] or files
    if len(files) == 1:
        return files[0]
    listed = ", ".join(each.filename for each in files[:3]) + (
        f" and {len(files) - 3:,} more" if len(files) > 3 else ""
    )
    raise DataError(f"{path} is a zip archive of {listed or 'no file'}; unpack it and give the file.")


def _unzipped(path: Path) -> Iterator[bytes]:
    """Unpack the only file of a zip archive."""
    member, line = _only_member(path), 1
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            while piece := file.read(PIECE):
                yield piece
                line += piece.count(b"\n")
    except (RuntimeError, NotImplementedError) as error:
        reason = "needs a password" if "password" in str(error) else f"cannot be unpacked ({error})"
        raise DataError(f"{path}: {member.filename} {reason}; unpack it first.") from None
    except (*_DAMAGED, zlib.error, lzma.LZMAError, EOFError) as error:
        raise DataError(
            f"{path}, line {line:,}: the zip data is damaged from here on ({str(error) or 'it is cut short'}); make or copy the file again."
        ) from None


# Gzip -------------------------------------------------------------------------------------------------------------


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
