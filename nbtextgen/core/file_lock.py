"""Locks on open files, which the system releases however a process ends."""

from __future__ import annotations

import os

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


def try_lock(handle: int, shared: bool = False) -> bool:
    """Try to lock an open file without waiting, exclusively or shared, until it is closed; return whether that worked."""
    if fcntl is None:
        import msvcrt

        try:  # a byte far behind the text, since Windows does not let others read locked bytes
            os.lseek(handle, 1 << 20, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            return True
        except OSError:
            return False
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
