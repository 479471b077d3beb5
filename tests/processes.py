"""Processes as the tests see them, and waiting for what they do."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked after does not."""
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def children(process: int) -> list[int]:
    """Processes that a process has started and that live, the oldest first."""
    try:
        return [child.pid for child in psutil.Process(process).children() if alive(child.pid)]
    except psutil.NoSuchProcess:
        return []


def wait_for(condition: Callable[[], object], seconds: float = 300.0) -> bool:
    """Wait until something is so; gives whether it ever was."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True
