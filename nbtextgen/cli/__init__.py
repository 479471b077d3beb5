"""The command line: ``nbtextgen train``, ``generate``, ``evaluate``, ``explain``, ``compare``, ``export`` and ``runs``."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import traceback
from collections.abc import Sequence

from nbtextgen.cli.commands import parse
from nbtextgen.core.errors import NbTextGenError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status: 1 for an error that a message explains, 130 after an interrupt."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a character that the terminal or the pipe cannot hold is escaped
            stream.reconfigure(errors="backslashreplace")
    command = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        command()
        if sys.stdout is not None:  # pyright: ignore[reportUnnecessaryComparison]  # closed
            sys.stdout.flush()
    except NbTextGenError as error:
        print(f"nbtextgen: {type(error).__name__}: {error.message}", file=sys.stderr)
        return 1
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL_OR_GONE:
            return _output_refused(error)
        # A worker: the process that started it shows the last line, and the log has the traceback.
        traceback.print_exc()
        rank = f" in process {os.environ['RANK']}" if "RANK" in os.environ else ""
        place = "".join(f", {note}" for note in getattr(error, "__notes__", ()))
        print(f"nbtextgen: {type(error).__name__}{rank}: {' '.join(f'{error}{place}'.split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "nbtextgen: interrupted; if this trained a run, start it again to resume from its last checkpoint.",
            file=sys.stderr,
        )
        return 130
    return 0


_FULL_OR_GONE = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EIO)
"""Errors of a write because of a full disk, or because the reader of the output is gone, for instance ``head``."""


def _output_refused(error: OSError) -> int:
    """Leave the rest of the output away, which Python would fail to write at its end, and return the exit status."""
    if error.errno != errno.EPIPE:
        print(f"nbtextgen: The output cannot be written: {error.strerror}.", file=sys.stderr)
    with contextlib.suppress(OSError, ValueError):  # there is no such file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
