"""Steering a run from another process: a small file in its folder that the trainer reads."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

from nbtextgen.core.errors import ModelFileError, OptionError
from nbtextgen.core.files import as_sealed_json, read_sealed_json, replace
from nbtextgen.training.controls import Controls, LiveSettings

POLL_SECONDS = 0.1


def _read_settings(path: Path) -> LiveSettings | None:
    """The settings in a file, the defaults if they are invalid, or ``None`` if the file cannot be read."""
    try:
        values = read_sealed_json(path)
    except ModelFileError:
        return None
    names = {field.name for field in dataclasses.fields(LiveSettings)}
    try:
        return LiveSettings(**{name: value for name, value in values.items() if name in names})
    except (TypeError, OptionError):
        return LiveSettings()


class RemoteControls(Controls):
    """Controls that write to the run's folder, for the process that trains it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def steering(self) -> LiveSettings:
        """The settings in the file."""
        return _read_settings(self._path) or LiveSettings()

    def steer(self, change: Callable[[LiveSettings], LiveSettings]) -> None:
        """Write changed settings; raises ``ModelFileError`` if the folder cannot be written."""
        try:
            replace(self._path, as_sealed_json(dataclasses.asdict(change(self.steering()))))
        except OSError as error:
            raise ModelFileError(f"The request could not be written to {self._path}: {error.strerror}.") from error


class FollowingControls(Controls):
    """Controls of the process that trains, which also follow the file; the latest change wins, here or in the file."""

    def __init__(self, path: Path, inner: Controls) -> None:
        super().__init__()
        self._path, self._inner = path, inner
        self._version: tuple[int, int] | None = None
        self._polled = 0.0

    def forget(self) -> None:
        """Remove requests made to an earlier training."""
        self._path.unlink(missing_ok=True)

    def steering(self) -> LiveSettings:
        """The current settings; the file is checked ten times a second."""
        now = time.monotonic()
        if now - self._polled >= POLL_SECONDS:
            self._polled = now
            self._poll()
        return self._inner.steering()

    def steer(self, change: Callable[[LiveSettings], LiveSettings]) -> None:
        """Change the settings in this process."""
        self._inner.steer(change)

    def wait(self, seconds: float) -> None:
        """Wait a little, so that a request in the file is soon followed."""
        self._inner.wait(min(seconds, POLL_SECONDS))

    def _poll(self) -> None:
        try:
            status = self._path.stat()
        except OSError:
            return
        version = (status.st_ino, status.st_mtime_ns)
        if version == self._version:
            return
        self._version = version
        requested = _read_settings(self._path)
        if requested is not None:
            self._inner.steer(lambda now: dataclasses.replace(requested, stop=requested.stop or now.stop))
