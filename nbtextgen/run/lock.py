"""One writer per run: a lock that the system releases when its holder dies, however it dies."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from pathlib import Path
from weakref import WeakSet

from nbtextgen.core.errors import ModelFileError
from nbtextgen.core.file_lock import try_lock

_held: WeakSet[Lock] = WeakSet()


def _release_in_child() -> None:
    """Close the locks that a forked process has inherited; it would keep them from others after its parent's end."""
    for lock in list(_held):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_in_child)


def _holder(handle: int) -> str:
    return os.pread(handle, 200, 0).decode(errors="replace")


def _is_ending(holder: str) -> bool:
    """Whether the holder was killed: its lock is free only after its last thread has ended, up to a second later."""
    match = re.match(r"process (\d+) on (\S+)", holder)
    if match is None or match[2] != socket.gethostname():
        return False
    try:
        state = Path(f"/proc/{match[1]}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return Path("/proc/self").exists()
    except OSError:
        return False
    return state in "ZX"


class Lock:
    """Reserves a run's folder for one writer.

    The lock is the operating system's (``flock``), not the file's presence, so no stale lock can remain.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def acquire(self) -> None:
        """Take the lock; raises ``ModelFileError`` with its holder if it is taken."""
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise ModelFileError(
                f"{self.path.parent} cannot be written to ({error.strerror}); resume a copy of it in a folder that you may write to."
            ) from error
        for attempt in range(500):
            if try_lock(handle):
                self._handle = handle
                _held.add(self)
                with contextlib.suppress(
                    OSError
                ):  # the name of the holder is optional: a full disk does not prevent locking
                    os.ftruncate(handle, 0)
                    now = time.strftime("%Y-%m-%d %H:%M:%S %Z")
                    os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()} since {now}".encode(), 0)
                return
            # A process in ``held`` shares the lock for a moment, which may be long on a busy machine.
            if attempt >= 10 and not try_lock(handle, shared=True) and not _is_ending(_holder(handle)):
                break
            time.sleep(0.02)
        holder = _holder(handle) or "another process"
        os.close(handle)
        raise ModelFileError(
            f"{self.path.parent} is being trained by {holder}; stop that one first, or watch it with .events(follow=True)."
        )

    @property
    def handle(self) -> int:
        """The open file; a child process that inherits it holds the lock as long as it lives."""
        assert self._handle is not None, "the lock is not held"
        return self._handle

    def release(self) -> None:
        """Release the lock."""
        _held.discard(self)
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def held(self) -> bool:
        """Whether this or another process holds it now."""
        if self._handle is not None:
            return True
        try:
            handle = os.open(self.path, os.O_RDWR)
        except OSError:
            return False
        try:
            return not try_lock(handle, shared=True)
        finally:
            os.close(handle)
