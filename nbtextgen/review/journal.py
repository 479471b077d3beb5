"""The decisions of a review on disk: a line for each, added at once, readable after a kill at any moment."""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from nbtextgen.core.errors import DataError
from nbtextgen.core.file_lock import try_lock
from nbtextgen.core.files import sync

FORMAT = 1
"""Version of the file's format."""
BEGINNING = b'{"review": '
"""What every file begins with."""
LOCK_ATTEMPTS, LOCK_SECONDS = 250, 0.02
"""How often, and how long between, a file is tried that another process is adding a line to."""

Entry = Mapping[str, object]
"""A line of the file by its names: ``row``, ``decision``, ``text`` and ``undo``."""


class Journal:
    """A file that only grows. Its first line names the table; each other line is one decision, with a checksum.

    A line that a kill has cut short is dropped by the next writer. Several processes may add lines: each holds the file's
    lock while it adds one, and reads what others have added before.

    Attributes:
        path: the file, which the first decision makes.
        damaged: lines left out because their checksum differs.
    """

    def __init__(self, path: Path, table: str, rows: int) -> None:
        """Name the file, and the table by its digest and its number of rows."""
        self.path, self.damaged = path, 0
        self._header: dict[str, object] = {"review": FORMAT, "table": table, "rows": rows}
        self._end = 0

    def read(self) -> Iterator[Entry]:
        """Yield the entries that were added since the last call.

        Raises:
            DataError: if the file cannot be read, or holds the review of another table.
        """
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_size != self._end:
                    yield from self._read_from(file.fileno())
        except FileNotFoundError:
            return
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error.strerror or error}.") from error

    def append(self, entry: Entry) -> Iterator[Entry]:
        """Add an entry and wait until it is on the disk; yield what others had added before it, and then the entry.

        Raises:
            DataError: if it cannot be written; the file is then as it was.
        """
        try:
            new = not self.path.exists()
            if new and self._end:
                raise DataError(f"{self.path} was removed since it was opened; open the review again.")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                self._lock(handle)
                yield from self._read_from(handle)
                header = b"" if self._end else _line({**self._header, "at": round(time.time(), 3)})
                self._write(handle, header + _line({**entry, "at": round(time.time(), 3)}))
            finally:
                os.close(handle)
            if new:
                sync(self.path.parent)
        except OSError as error:
            raise DataError(
                f"{self.path} cannot be written: {error.strerror or error}; the last decision was not kept."
            ) from error
        yield entry

    def _lock(self, handle: int) -> None:
        for _ in range(LOCK_ATTEMPTS):
            if try_lock(handle):
                return
            time.sleep(LOCK_SECONDS)
        raise DataError(f"{self.path} is being written by another process; wait for its end, or stop it.")

    def _write(self, handle: int, content: bytes) -> None:
        """Write lines at the end of the whole ones."""
        try:
            os.ftruncate(handle, self._end)
            os.lseek(handle, self._end, os.SEEK_SET)
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, self._end)
            raise
        self._end += len(content)

    def _read_from(self, handle: int) -> Iterator[Entry]:
        """Yield the entries behind those that were read."""
        if os.fstat(handle).st_size < self._end:
            raise DataError(f"{self.path} was changed by another program since it was opened; open the review again.")
        os.lseek(handle, self._end, os.SEEK_SET)
        content = b"".join(iter(lambda: os.read(handle, 1 << 20), b""))
        if not self._end and not (content.startswith(BEGINNING) or BEGINNING.startswith(content)):
            raise DataError(f"{self.path} is not a review; give --file another name.")
        for line in content[: content.rfind(b"\n") + 1].splitlines(keepends=True):
            entry = _entry(line)
            if not self._end:
                self._check(entry)
            elif entry is None:
                self.damaged += 1
            self._end += len(line)
            if entry is not None and "row" in entry:
                yield entry

    def _check(self, header: Entry | None) -> None:
        """Check the first line of the file."""
        version = None if header is None else header.get("review")
        if header is None or not isinstance(version, int):
            raise DataError(f"{self.path} is not a review; give --file another name.")
        if version > FORMAT:
            raise DataError(f"{self.path} was written by a later version; update nbtextgen to open it.")
        if any(header.get(name) != self._header[name] for name in ("table", "rows")):
            raise DataError(
                f"{self.path} is the review of another table ({header.get('rows')} rows), whose outputs differ; "
                "give --file another name."
            )


def _line(values: Entry) -> bytes:
    """Return a line whose last entry is a checksum of what is before it."""
    body = json.dumps(values).encode()[:-1]
    return body + f', "crc": {zlib.crc32(body)}}}\n'.encode()


def _entry(line: bytes) -> Entry | None:
    """Return the values of a line; ``None`` if it is damaged."""
    body = line[: line.rfind(b', "crc"')]
    if line != body + f', "crc": {zlib.crc32(body)}}}\n'.encode():
        return None
    try:
        values: object = json.loads(line)
    except ValueError:
        return None
    return cast("Entry", values) if isinstance(values, dict) else None
