"""The event log of a run: one line of JSON per event, appended while training and readable meanwhile."""

from __future__ import annotations

import dataclasses
import json
import os
import time
import typing
import zlib
from collections.abc import Callable, Iterable, Iterator
from io import RawIOBase
from pathlib import Path
from typing import Any

from nbtextgen.core.escaping import json_text
from nbtextgen.training.events import Ended, Event, Resumed, Retention, Sample, Step, Validation

POLL_SECONDS = 0.1
_KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in typing.get_args(Event)}
_KINDS["Warning"] = _KINDS.pop("TrainingWarning")  # the name in the log is older than the class's
_NAMES = {kind: name for name, kind in _KINDS.items()}


def to_record(event: Event) -> dict[str, object]:
    """An event as plain values; ``at`` is the wall clock, only for people to read, since clocks jump."""
    return {"event": _NAMES[type(event)], "at": round(time.time(), 3), **dataclasses.asdict(event)}


def from_record(record: Any) -> Event | None:
    """The event of a record; ``None`` for events of later versions and damaged ones."""
    try:
        kind = _KINDS[record["event"]]
        names = {each.name for each in dataclasses.fields(kind)}
        return kind(**{name: value for name, value in record.items() if name in names})
    except (KeyError, TypeError, AttributeError):
        return None


class LogWriter:
    """Appends events; only the process that holds the run's lock has one."""

    def __init__(self, path: Path) -> None:
        # Unbuffered: a line that a full disk refused must not be kept and tried again later.
        self._file: RawIOBase = path.open("a+b", buffering=0)
        self._drop_torn_line()

    def _drop_torn_line(self) -> None:
        """Cut off half a line that a process left when it was killed, so that the next line is whole."""
        self._file.seek(0)
        content = self._file.read() or b""
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            self._file.truncate(whole)

    def append(self, event: Event) -> None:
        """Write one event; raises ``OSError`` if the disk refuses it, and leaves no half line behind."""
        line = _with_checksum(json_text(to_record(event)).encode())
        start = self._file.seek(0, os.SEEK_END)
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
        except OSError:
            self._file.truncate(start)
            raise

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_events(path: Path, live: Callable[[], bool] = lambda: False, start: int = 0) -> Iterator[Event]:
    """The events of a log, oldest first.

    Args:
        path: the file; if it is missing there are no events.
        live: wait for more lines as long as this returns ``True``.
        start: bytes to skip, up to the end of a line.
    """
    while not path.exists():
        if not live():
            return
        time.sleep(POLL_SECONDS)
    with path.open("rb") as file:
        while True:
            more = live()  # called before reading, so that the last lines are read too
            file.seek(start)  # reads a torn line again: the next writer cuts it off and puts another in its place
            chunk = file.read()
            whole = chunk[: chunk.rfind(b"\n") + 1]
            start += len(whole)
            for line in whole.splitlines():
                event = _event(line)
                if event is not None:
                    yield event
            if not more:
                return
            if not whole:
                time.sleep(POLL_SECONDS)


def _with_checksum(line: bytes) -> bytes:
    """A line of the log, its last entry a checksum of what is before it; lines of earlier versions have none."""
    return line[:-1] + f', "crc": {zlib.crc32(line)}}}\n'.encode()


def _event(line: bytes) -> Event | None:
    try:
        record = json.loads(line)
        if "crc" in record and _with_checksum(line[: line.rfind(b', "crc"')] + b"}") != line + b"\n":
            return None
        return from_record(record)
    except (ValueError, RecursionError, TypeError):
        return None


def without_repeated(events: Iterable[Event]) -> list[Event]:
    """The events without updates that were repeated after the run was resumed."""
    kept: list[Event] = []
    for event in events:
        if isinstance(event, Resumed):
            kept = [each for each in kept if not _undone(each, event.step)]
        kept.append(event)
    return kept


def _undone(event: Event, step: int) -> bool:
    """Whether resuming from ``step`` undoes an earlier event."""
    return isinstance(event, Ended | Retention) or (isinstance(event, Step | Validation | Sample) and event.step > step)
