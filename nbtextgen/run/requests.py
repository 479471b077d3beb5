"""Steering a run from another process: a small file in its folder that the trainer looks at."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nbtextgen.core.errors import ModelFileError, OptionError
from nbtextgen.core.files import as_json, read_json, replace
from nbtextgen.training.controls import Controls, LiveSettings

LOOK_SECONDS = 0.1


def _steering(values: Mapping[str, Any]) -> LiveSettings:
    """Steering from a file; what is not valid there counts as not asked for."""
    known = {field.name for field in dataclasses.fields(LiveSettings)}
    try:
        return LiveSettings(**{name: value for name, value in values.items() if name in known})
    except (TypeError, OptionError):
        return LiveSettings()


class Requests(Controls):
    """The far end: what is set here is written to the run's folder, for the process that trains it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def steering(self) -> LiveSettings:
        """What is asked for in the file."""
        try:
            return _steering(read_json(self._path))
        except ModelFileError:
            return LiveSettings()

    def steer(self, change: Callable[[LiveSettings], LiveSettings]) -> None:
        """Write a changed request; raises ``ModelFileError`` when the folder does not take it."""
        try:
            replace(self._path, as_json(dataclasses.asdict(change(self.steering()))))
        except OSError as error:
            raise ModelFileError(f"The request could not be written to {self._path}: {error.strerror}.") from error


class Requested(Controls):
    """The trainer's end: controls of this process that also follow the file.

    Whatever is set last wins, be it here or in the file.
    """

    def __init__(self, path: Path, inner: Controls) -> None:
        super().__init__()
        self._path, self._inner = path, inner
        self._seen: tuple[int, int] | None = None
        self._looked = 0.0

    def forget(self) -> None:
        """Remove requests made to an earlier training."""
        self._path.unlink(missing_ok=True)

    def steering(self) -> LiveSettings:
        """What is wanted now; looks at the file ten times a second."""
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._look()
        return self._inner.steering()

    def steer(self, change: Callable[[LiveSettings], LiveSettings]) -> None:
        """Set something here."""
        self._inner.steer(change)

    def wait(self, seconds: float) -> None:
        """Wait a little, so that a request in the file is soon seen."""
        self._inner.wait(min(seconds, LOOK_SECONDS))

    def _look(self) -> None:
        try:
            status = self._path.stat()
        except OSError:
            return
        mark = (status.st_ino, status.st_mtime_ns)
        if mark == self._seen:
            return
        self._seen = mark
        try:
            asked = _steering(read_json(self._path))
        except ModelFileError:
            return
        self._inner.steer(lambda now: dataclasses.replace(asked, stop=asked.stop or now.stop))
