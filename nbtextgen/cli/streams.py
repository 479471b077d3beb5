"""What the command line reads from its standard input, and what it prints."""

from __future__ import annotations

import atexit
import codecs
import contextlib
import io
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeGuard

from nbtextgen.core.errors import DataError
from nbtextgen.core.escaping import pictured, pictured_lines
from nbtextgen.data.readers.text import check_encoding
from nbtextgen.data.rows import has_surrogate

STANDARD_INPUT = "-"
"""What stands for the standard input in the place of a file."""
_NO_INPUT = "There is no standard input; give the texts on the line, or a file with --data."


class CommandInterrupted(KeyboardInterrupt):
    """A command was interrupted; the message says what is kept."""


def say(text: object) -> None:
    """Print sentences or a table; control characters, which a terminal would obey, are pictured."""
    print(pictured_lines(str(text)))


def report(text: object) -> None:
    """Print what was done, if anybody reads it: a command does not fail because its last sentence is not read."""
    try:
        say(text)
        if sys.stdout is not None:  # pyright: ignore[reportUnnecessaryComparison]  # closed
            sys.stdout.flush()
    except BrokenPipeError:
        forget_output()


def say_aside(text: str) -> None:
    """Print a sentence to the standard error, if anybody reads it."""
    if sys.stderr is not None:  # pyright: ignore[reportUnnecessaryComparison]  # closed, and print would take the output
        with contextlib.suppress(OSError, ValueError):
            print(f"nbtextgen: {pictured_lines(text)}", file=sys.stderr)


def print_outputs(texts: Iterable[str]) -> None:
    """Print the outputs for one source as one line, as they are unless they go to a terminal."""
    texts = [text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") for text in texts]
    print("\t".join(map(pictured, texts) if _is_terminal(sys.stdout) else texts), flush=True)


def prepare_output() -> None:
    """Let the two output streams escape what they cannot hold.

    Where Python takes the locale for ASCII and nobody asked for that, outputs that go to a file or a pipe are UTF-8.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if _is_ascii(sys.stdout) and not _is_terminal(sys.stdout) and "PYTHONIOENCODING" not in os.environ:
        sys.stdout.reconfigure(encoding="utf-8")


def as_typed(word: str) -> str:
    """A text of the command line; where Python took its bytes for ASCII, they are read as UTF-8."""
    try:
        return os.fsencode(word).decode("utf-8") if has_surrogate(word) else word
    except UnicodeError:
        return word


def _is_ascii(stream: object) -> TypeGuard[io.TextIOWrapper]:
    return isinstance(stream, io.TextIOWrapper) and codecs.lookup(stream.encoding).name == "ascii"


def _is_terminal(stream: object) -> bool:
    try:
        return isinstance(stream, io.TextIOBase) and stream.isatty()
    except ValueError:  # closed
        return False


def hold_standard_files() -> None:
    """Open those of the three standard files that are closed, or the next file to be opened would take their number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number


def forget_output() -> None:
    """Leave the rest of the output away, whose reader is gone, so that Python does not fail to write it at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # there is no such file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def lines(encoding: str | None) -> Iterator[str]:
    """The lines of the standard input.

    Raises:
        DataError: if there is none, or it is in another encoding.
        OptionError: for an unknown encoding.
    """
    encoding, stream = check_encoding(encoding), sys.stdin
    if stream is None:  # pyright: ignore[reportUnnecessaryComparison]  # closed
        raise DataError(_NO_INPUT)
    if _is_terminal(stream):
        say_aside("type a text in every line; Ctrl-D ends.")
    if isinstance(stream, io.TextIOWrapper):
        is_unicode = codecs.lookup(stream.encoding).name in ("utf-8", "ascii")
        usual = "utf-8-sig" if is_unicode else None  # a byte order mark is no text
        stream.reconfigure(encoding=encoding or usual, errors="strict")
    number = 1
    try:
        for line in stream:
            yield line.rstrip("\n")
            number += 1
    except UnicodeDecodeError as error:  # of what was read together, lines before the wrong byte included
        number += error.object[: error.start].count(b"\n")
        raise DataError(
            f"Line {number:,} of the standard input is not in the encoding {error.encoding}; give its --encoding."
        ) from error


def as_file(name: str) -> str:
    """The name of a file that can be read more than once: the copy of a pipe, or of the standard input (``-``).

    Raises:
        DataError: if it cannot be copied.
    """
    try:
        if name != STANDARD_INPUT and not stat.S_ISFIFO(os.stat(name).st_mode):
            return name
    except (OSError, ValueError):  # there is no such file
        return name
    if name == STANDARD_INPUT and sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise DataError(_NO_INPUT)
    try:
        folder = tempfile.mkdtemp(prefix="nbtextgen-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        copy = Path(folder) / ("standard input" if name == STANDARD_INPUT else "pipe")
        with contextlib.ExitStack() as opened:
            source = sys.stdin.buffer if name == STANDARD_INPUT else opened.enter_context(Path(name).open("rb"))
            shutil.copyfileobj(source, opened.enter_context(copy.open("wb")))
    except OSError as error:
        raise DataError(
            f"{name} cannot be copied to {tempfile.gettempdir()}: {error.strerror}; give a file."
        ) from error
    return str(copy)
