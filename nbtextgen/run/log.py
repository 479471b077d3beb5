"""The event log of a run: a line of JSON per event, appended while training, readable meanwhile by anyone."""

from __future__ import annotations

import dataclasses
import json
import os
import time
import typing
from collections.abc import Callable, Iterable, Iterator
from io import RawIOBase
from pathlib import Path
from typing import Any

from nbtextgen.training.events import Ended, Event, Resumed, Sample, Step, TrainingWarning, Validation

POLL_SECONDS = 0.1
_RENAMED: dict[type, str] = {TrainingWarning: "Warning"}
"""Events with another name in the log than in Python."""
KINDS: dict[str, Any] = {_RENAMED.get(kind) or kind.__name__: kind for kind in typing.get_args(Event)}


def to_record(event: Event) -> dict[str, Any]:
    """An event as plain values; ``at`` is the wall clock, for people only (clocks jump)."""
    return {
        "event": _RENAMED.get(type(event), type(event).__name__),
        "at": round(time.time(), 3),
        **dataclasses.asdict(event),
    }


def from_record(record: Any) -> Event | None:
    """The event of a record; ``None`` for what this version does not know, or cannot read."""
    if not isinstance(record, dict) or record.get("event") not in KINDS:
        return None
    kind = KINDS[record["event"]]
    names = {one.name for one in dataclasses.fields(kind)}
    try:
        return kind(**{name: value for name, value in record.items() if name in names})
    except TypeError:
        return None


class LogWriter:
    """Appends events; one at a time, held by whoever holds the run's lock."""

    def __init__(self, path: Path) -> None:
        # Unbuffered: what a full disk refused must not be kept and tried again later.
        self._file: RawIOBase = path.open("a+b", buffering=0)
        self._drop_torn_line()

    def _drop_torn_line(self) -> None:
        """A process killed while it wrote leaves half a line: cut it off, so that the next is whole."""
        self._file.seek(0)
        content = self._file.read() or b""
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            self._file.truncate(whole)

    def append(self, event: Event) -> None:
        """Write one event; raises ``OSError`` when the disk does not take it, leaving no half line behind."""
        line = json.dumps(to_record(event), ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        start = self._file.seek(0, os.SEEK_END)
        try:
            left = memoryview(line)
            while left:
                left = left[self._file.write(left) or 0 :]
        except OSError:
            self._file.truncate(start)
            raise

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Done writing."""
        self._file.close()


def read_events(path: Path, going_on: Callable[[], bool] | None = None, start: int = 0) -> Iterator[Event]:
    """The events of a log, oldest first.

    Args:
        path: the file; when it is missing there are none.
        going_on: when given, wait for more lines as long as it says so.
        start: bytes to pass over, at the end of a line.
    """
    while not path.exists():
        if going_on is None or not going_on():
            return
        time.sleep(POLL_SECONDS)
    with path.open("rb") as file:
        while True:
            live = going_on is not None and going_on()  # asked before reading: what is written last is still read
            file.seek(start)  # a torn line is read again: who writes next cuts it off and puts another in its place
            chunk = file.read()
            whole = chunk[: chunk.rfind(b"\n") + 1]
            start += len(whole)
            for line in whole.splitlines():
                event = _event(line)
                if event is not None:
                    yield event
            if not live:
                return
            if not whole:
                time.sleep(POLL_SECONDS)


def _event(line: bytes) -> Event | None:
    try:
        return from_record(json.loads(line))
    except (ValueError, RecursionError):
        return None


def kept(events: Iterable[Event]) -> list[Event]:
    """The course of a run without what was done again after it was resumed."""
    found: list[Event] = []
    for event in events:
        if isinstance(event, Resumed):
            found = [
                one
                for one in found
                if not (isinstance(one, (Step, Validation, Sample)) and one.step > event.step)
                and not isinstance(one, Ended)
            ]
        found.append(event)
    return found
