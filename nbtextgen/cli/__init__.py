"""The command line: ``nbtextgen train``, ``generate``, ``evaluate``, ``explain``, ``compare``, ``export`` and ``runs``."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import traceback
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from types import FrameType

from nbtextgen.cli.arguments import parse
from nbtextgen.cli.streams import CommandInterrupted, forget_output, hold_standard_files, prepare_output, say_aside
from nbtextgen.core.errors import NbTextGenError
from nbtextgen.core.optional_imports import core_imports


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status: 1 for an error that a message explains, 129, 130 or 143 after a signal."""
    hold_standard_files()
    prepare_output()
    received = list[int]()
    try:
        with _terminated_as_interrupted(received), core_imports():
            parse(sys.argv[1:] if arguments is None else arguments)()
            if sys.stdout is not None:  # pyright: ignore[reportUnnecessaryComparison]  # closed
                sys.stdout.flush()
    except NbTextGenError as error:
        say_aside(f"{type(error).__name__}: {error.message}")
        return 1
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL_OR_GONE and error.filename is None:
            if error.errno != errno.EPIPE:
                say_aside(f"The output cannot be written: {error.strerror}.")
            forget_output()
            return 1
        if isinstance(error, OSError) and error.filename is not None and "RANK" not in os.environ:
            say_aside(f"{os.fsdecode(error.filename)} cannot be used: {error.strerror}.")
            return 1
        # A worker: the process that started it shows the last line, and the log has the traceback.
        traceback.print_exc()
        rank = f" in process {os.environ['RANK']}" if "RANK" in os.environ else ""
        place = "".join(f", {note}" for note in getattr(error, "__notes__", ()))
        say_aside(f"{type(error).__name__}{rank}: {' '.join(f'{error}{place}'.split())}")
        return 1
    except KeyboardInterrupt as interrupt:
        say_aside(str(interrupt) if type(interrupt) is CommandInterrupted else "interrupted.")
        return 128 + (received[0] if received else signal.SIGINT)
    return 0


_FULL_OR_GONE = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors of a write because of a full disk, or because the reader of the output is gone, for instance ``head``."""


@contextmanager
def _terminated_as_interrupted(received: list[int]) -> Generator[None]:
    """Let SIGTERM and SIGHUP, of a terminal that is closed, do what Ctrl-C does, in a block: what was trained is kept, and no
    unfinished file is left.

    Workers of torchrun end at once, since they may wait for one another. Under ``nohup``, SIGHUP is ignored.

    Args:
        received: gets the number of the signal when it comes.
    """
    if "RANK" in os.environ or threading.current_thread() is not threading.main_thread():
        yield
        return

    owner = os.getpid()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a forked helper, which ends as if there were no handler
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        received.append(number)
        raise KeyboardInterrupt

    numbers = [signal.SIGTERM, *([signal.SIGHUP] if sys.platform != "win32" else [])]
    before = {number: signal.getsignal(number) for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
