"""Files of generated rows: the part that grows while rows are generated, and the table that is made of it at the end."""

from __future__ import annotations

import csv
import filecmp
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, cast

from nbtextgen.core.errors import DataError, nearest
from nbtextgen.core.escaping import json_text
from nbtextgen.core.file_lock import try_lock
from nbtextgen.core.files import hidden_name, link_target
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.core.wording import counted
from nbtextgen.inference.generation import NoteSummary

FORMAT = 1
"""Version of an unfinished table's format."""
PARQUET_ROWS = 4096
"""Rows of a Parquet file that are held in memory."""
Columns = dict[str, str | float | bool | list[str] | None]
"""The values of a row by column."""


class GeneratedRow(NamedTuple):
    """A generated row.

    Attributes:
        source: the source.
        text: the output; empty for an empty source.
        log_probability: natural logarithm of the output's probability, or ``None`` for an empty source.
        confidence: see ``Generation.confidence``; ``None`` for an empty source.
        candidates: the n-best list, best first.
        notes: see ``Generation.notes``.
        accepted: whether the output may be used unread, or ``None`` without ``accept``.
    """

    source: str
    text: str
    log_probability: float | None
    confidence: float | None
    candidates: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    accepted: bool | None = None

    def columns(self, *, candidates: bool = True, notes: bool = True) -> Columns:
        """Return the values by column."""
        values: Columns = {
            "source": _storable(self.source),
            "text": _storable(self.text),
            "log_probability": self.log_probability,
            "confidence": self.confidence,
        }
        if self.accepted is not None:
            values["accepted"] = self.accepted
        if candidates:
            values["candidates"] = [_storable(text) for text in self.candidates]
        if notes:
            values["notes"] = _storable("; ".join(self.notes))
        return values


def _storable(text: str) -> str:
    """Return the text with halves of characters, which no file can hold, written as ``\\udc80``."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


class PartFile:
    """The rows that have been generated so far, beside the file that will hold them all: a JSON line for each.

    The first line says what the rows depend on. A line that a kill has cut short, or that is damaged, is dropped with those
    after it.
    """

    def __init__(self, table: Path, settings: Mapping[str, object]) -> None:
        """Name the file; ``settings`` are what the rows depend on."""
        self.path = part_of(table)
        self._settings: dict[str, object] = {"format": FORMAT, **json.loads(json.dumps(settings))}
        self._file: BinaryIO | None = None

    def open(self) -> int:
        """Open the file to append rows; return the number of rows that an interrupted call has left in it.

        Raises:
            DataError: if the interrupted call had another model, input or options, or the file cannot be written.
        """
        try:
            return self._open()
        except BaseException as error:
            self.close()  # an exception may live long, and its frames with it: an open file would stay locked
            if isinstance(error, OSError):
                raise DataError(f"{self.path} cannot be written: {error.strerror or error}.") from error
            raise

    def _open(self) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("r+b" if self.path.exists() else "x+b")
        if not try_lock(self._file.fileno()):
            raise DataError(f"{self.path} is being written by another process; wait for its end, or stop it.")
        self._file.seek(0)
        header = self._file.readline()
        if not header.endswith(b"\n"):
            self._file.seek(0)
            self._file.truncate()
            self._file.write(_json_line(self._settings))
            self._file.flush()
            return 0
        self._check(header)
        done = 0
        end = self._file.tell()
        for line in self._file:
            if _row_of(line) is None:
                break
            done += 1
            end += len(line)
        self._file.seek(end)
        self._file.truncate()
        return done

    def _check(self, header: bytes) -> None:
        try:
            settings: object = json.loads(header)
        except ValueError:
            settings = None
        if not isinstance(settings, dict) or "format" not in settings:
            raise DataError(f"{self.path} is not an unfinished table; move it away.")
        earlier, names = cast("dict[str, object]", settings), ("input", "rows", "model", "calibration")
        for name in (*names, *{**self._settings, **earlier}):
            if self._settings.get(name) != earlier.get(name):
                option = f"--{name.replace('_', '-')}"
                what = "another " + ("input" if name == "rows" else name if name in names else option)
                raise DataError(
                    f"{self.path} was begun with {what}; delete it to start again, or repeat the call that began it."
                )

    def append(self, rows: Iterable[GeneratedRow], done: int) -> None:
        """Append rows, after which there are ``done``."""
        assert self._file is not None
        try:
            self._file.write(b"".join(map(_row_line, rows)))
            self._file.flush()
        except OSError as error:
            raise DataError(
                f"{self.path} cannot be written after {counted(done, 'row')}: {error.strerror or error}; the same call continues it."
            ) from error

    def rows(self) -> Iterator[GeneratedRow]:
        """Yield the rows."""
        try:
            opened = self.path.open("rb")
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error.strerror or error}.") from error
        with opened as file:
            for line in islice(file, 1, None):
                content = _row_of(line)
                if content is None:
                    raise DataError(f"{self.path} was changed or damaged while it was read; the same call goes on.")
                source, text, log_probability, confidence, candidates, notes, *accepted = json.loads(content)
                yield GeneratedRow(
                    source, text, log_probability, confidence, tuple(candidates), tuple(notes), *accepted
                )

    def close(self) -> None:
        """Close the file, which unlocks it."""
        if self._file is not None:
            with suppress(OSError):  # what could not be written, and was said then
                self._file.close()

    def __enter__(self) -> PartFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _json_line(values: object) -> bytes:
    return json.dumps(values).encode() + b"\n"


def _row_line(row: GeneratedRow) -> bytes:
    """A row as JSON, a tab and its checksum."""
    content = json.dumps(row).encode()
    return content + b"\t%08x\n" % zlib.crc32(content)


def _row_of(line: bytes) -> bytes | None:
    """The JSON of a line; ``None`` if a kill cut the line short, or it is damaged. Earlier versions wrote no checksums."""
    content, tab, rest = line.partition(b"\t")
    if not tab:
        try:
            values = cast("object", json.loads(line))
        except ValueError:
            return None
        whole = isinstance(values, list) and len(cast("list[object]", values)) in (6, 7)
        return line if whole and line.endswith(b"\n") else None
    return content if rest == b"%08x\n" % zlib.crc32(content) else None


# Finished tables --------------------------------------------------------------------------------------------------


def check_table_name(path: Path) -> None:
    """Check that the ending of a name is that of a table, and that no other table would be replaced.

    Raises:
        DataError: if it is not, or the name is that of a folder, a pipe or a device, or of a table without outputs.
    """
    if path.suffix.lower() not in WRITERS:
        endings = ", ".join(WRITERS)
        raise DataError(f"{path} should end in one of {endings}.{nearest(path.suffix.lower(), WRITERS)}")
    if path.is_dir():
        raise DataError(f"{path} is a folder; give the name of a file.")
    if path.exists() and not path.is_file():
        raise DataError(f"{path} is a pipe or a device, which a table cannot replace; give the name of a file.")
    if path.is_file() and path.stat().st_size and not _may_be_replaced(path):
        if path.suffix.lower() != ".txt":
            raise DataError(f"{path} holds something other than generated rows; choose another name, or delete it.")
        if not part_of(path).exists():  # of a call that was killed after its last row
            raise DataError(
                f"{path} exists, and lines of text do not tell whether they were generated; choose another name, or delete it."
            )


def part_of(table: Path) -> Path:
    """The file with the rows of a table that is unfinished."""
    return table.with_name(table.name + ".part")


def _may_be_replaced(path: Path) -> bool:
    """Return ``True`` for a table that ``write_table`` wrote; of lines of text that cannot be told."""
    first, suffix = [*GeneratedRow("", "", None, None).columns()][:3], path.suffix.lower()
    try:
        if suffix == ".parquet":
            with optional_import("A Parquet file", "pyarrow", "frames"):
                parquet = import_module("pyarrow.parquet")
            return parquet.read_schema(path).names[:3] == first
        with path.open(encoding="utf-8") as file:
            line = file.readline(1 << 20)
        if suffix == ".jsonl":
            return line.startswith(f'{{"{first[0]}": ') and f'"{first[2]}": ' in line
    except (OSError, ValueError):
        return False
    return suffix != ".txt" and line.startswith({".tsv": "\t", ".csv": ","}[suffix].join(first))


def write_table(part: PartFile, path: Path) -> tuple[str, ...]:
    """Write the finished table, remove the part, and return what to know about the rows.

    Raises:
        DataError: if the table cannot be written; the part is left then.
    """
    summary, has_candidates, accepts = NoteSummary(), False, False
    for row in part.rows():
        accepts = row.accepted is not None
        summary.add(row.source, row.notes)
        has_candidates = has_candidates or len(row.candidates) > 1
    rows = (row.columns(candidates=has_candidates, notes=summary.any) for row in part.rows())
    empty = GeneratedRow("", "", None, None, accepted=False if accepts else None).columns(
        candidates=has_candidates, notes=summary.any
    )
    path = link_target(path)
    work = hidden_name(path)
    try:
        WRITERS[path.suffix.lower()](work, list(empty), rows)
        if (
            path.is_file()
            and path.stat().st_size
            and not (_may_be_replaced(path) or filecmp.cmp(work, path, shallow=False))
        ):
            raise DataError(
                f"{path} exists and holds something else; move it away, or delete it: all rows are in {part.path}, and the same "
                "call goes on."
            )
        os.replace(work, path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror or error}; all rows are in {part.path}, and the same call goes on."
        ) from error
    finally:
        with suppress(OSError):
            work.unlink(missing_ok=True)
    part.path.unlink()
    return summary.sentences()


def _write_delimited(path: Path, names: list[str], rows: Iterable[Columns], *, delimiter: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            if "candidates" in row:
                row["candidates"] = json_text(row["candidates"])
            writer.writerow(row)


def _write_jsonl(path: Path, names: list[str], rows: Iterable[Columns]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json_text(row) + "\n" for row in rows)


def _write_texts(path: Path, names: list[str], rows: Iterable[Columns]) -> None:
    """Write the outputs alone, one per line."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(" ".join(str(row["text"]).splitlines()) + "\n" for row in rows)


def _write_parquet(path: Path, names: list[str], rows: Iterable[Columns]) -> None:
    with optional_import("A Parquet file", "pyarrow", "frames"):
        pyarrow = import_module("pyarrow")
        parquet = import_module("pyarrow.parquet")
    kinds = {"candidates": pyarrow.list_(pyarrow.string())}
    kinds |= dict.fromkeys(("log_probability", "confidence"), pyarrow.float64())
    kinds["accepted"] = pyarrow.bool_()
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in names])
    rows = iter(rows)
    with parquet.ParquetWriter(path, schema) as writer:
        while batch := list(islice(rows, PARQUET_ROWS)):
            writer.write_table(pyarrow.Table.from_pylist(batch, schema=schema))


WRITERS: dict[str, Callable[[Path, list[str], Iterable[Columns]], None]] = {
    ".tsv": partial(_write_delimited, delimiter="\t"),
    ".csv": partial(_write_delimited, delimiter=","),
    ".jsonl": _write_jsonl,
    ".parquet": _write_parquet,
    ".txt": _write_texts,
}
