"""Tab completion on the lines of our magics: options, choices, models, variables, files and column names."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbtextgen.core.options import Option
from nbtextgen.data.builtin import BUILTIN_NAMES
from nbtextgen.data.readers.files import SUFFIXES
from nbtextgen.notebook.session import Session, names_a_file

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

Options = Mapping[str, Option]
MOST = 200
RUN_ACTIONS = ("list", "compare", "open", "resume", "stop", "end", "delete")
_MAGIC = re.compile(r"(?:^|[\s=])(%{1,2})(textgen_\w+)[ \t]+(.*)$", re.DOTALL)
_BOOLEANS = ("true", "false")


@dataclass(frozen=True)
class Asked:
    """What is being completed: the magic, the words before the cursor, and the piece of a word at the cursor."""

    magic: str
    words: tuple[str, ...]
    piece: str
    line: str


class Completer:
    """A matcher of IPython's completer; it answers on our lines only, and there alone.

    Args:
        session: the notebook, for its variables.
        options: of every magic, by its name.
        names: what the first word of each magic may be: ``model``, ``new``, ``data``, ``run`` (an action) or ``file``.
    """

    def __init__(self, session: Session, options: Mapping[str, Options], names: Mapping[str, str]) -> None:
        self.session, self.options, self.names = session, options, names

    def __call__(self, context: CompletionContext) -> SimpleMatcherResult:
        """Completions for the line at the cursor; raises nothing, whatever is on it."""
        asked = self.asked(context.line_with_cursor[: context.cursor_position])
        if asked is None:
            return {"completions": []}
        from IPython.core.completer import SimpleCompletion

        found = sorted({one for one in self._choices(asked) if one.startswith(asked.piece)})[:MOST]
        return {
            "completions": [SimpleCompletion(one, type="nbtextgen") for one in found],
            "suppress": True,
            "ordered": True,
            "matched_fragment": asked.piece,
        }

    def asked(self, line: str) -> Asked | None:
        """What a line that ends at the cursor asks for; ``None`` when it is not one of ours."""
        match = _MAGIC.search(line)
        if match is None or match[2] not in self.options:
            return None
        rest = match[3]
        before, piece = _split(rest)
        return Asked(match[2], tuple(before), piece, rest)

    def _choices(self, asked: Asked) -> Iterator[str]:
        options = self.options[asked.magic]
        last = asked.words[-1] if asked.words else ""
        option = options.get(last[2:].replace("-", "_")) if last.startswith("--") else None
        if option is not None and option.type is not bool:
            yield from self._values(option, asked)
            return
        if option is not None:
            yield from _BOOLEANS
        if asked.piece.startswith("-") or option is not None:
            yield from (one.flag for one in options.values())
            return
        words, kind = _positional(asked.words, options), self.names[asked.magic]
        if not words or asked.magic == "textgen_data":
            yield from self._names(kind, asked.piece)
        elif len(words) == 1 and kind == "file":
            yield from _files(asked.piece, ())
        elif kind == "run" and words[0] in RUN_ACTIONS[1:]:
            yield from _runs(asked.words)
        if not asked.piece:
            yield from (one.flag for one in options.values())

    def _values(self, option: Option, asked: Asked) -> Iterator[str]:
        """Values of an option."""
        if option.choices:
            yield from option.choices
        elif option.type is bool:
            yield from _BOOLEANS
        elif option.name in ("data", "valid"):
            yield from self._names("data", asked.piece)
        elif option.name in ("source", "target"):
            yield from self._columns(asked)
        elif option.name == "metrics":
            from nbtextgen.evaluation.metrics import HIGHER_IS_BETTER

            done, comma, _ = asked.piece.rpartition(",")
            yield from (done + comma + name for name in HIGHER_IS_BETTER)
        elif option.name == "config":
            yield from _files(asked.piece, (".toml", ".json"))
        elif option.name in ("save", "run", "resume", "source_embeddings", "target_embeddings"):
            yield from _files(asked.piece, ())
        if option.optional and option.type is not str:
            yield "auto"

    def _names(self, kind: str, piece: str) -> Iterator[str]:
        """Models, data, or files and folders."""
        variables = self.session.variables
        if kind in ("model", "new", "file"):
            yield from self.session.models()
            if kind != "new":
                return
        if kind == "run":
            yield from RUN_ACTIONS
        if kind == "data":
            yield from (name for name, value in list(variables.items()) if _is_data(name, value))
            yield from (f"builtin:{name}" for name in BUILTIN_NAMES)
            yield from _files(piece, SUFFIXES)

    def _columns(self, asked: Asked) -> Iterator[str]:
        """Columns of the data that the line names."""
        words = asked.words
        if asked.magic == "textgen_data":
            named = words[0] if words else ""
        else:
            named = words[words.index("--data") + 1] if "--data" in words[:-1] else ""
        yield from _columns_of(named, self.session.variables)

    def install(self) -> None:
        """Register with the shell's completer, in place of an earlier one of ours."""
        completer = self.session.shell.Completer
        if completer is None:
            return
        kept = [one for one in completer.custom_matchers if getattr(one, "matcher_identifier", "") != IDENTIFIER]
        completer.custom_matchers = [*kept, as_matcher(self)]


IDENTIFIER = "nbtextgen"


def as_matcher(completer: Completer) -> Callable[[Any], Any]:
    """The completer as IPython's matcher of version 2."""
    from IPython.core.completer import context_matcher

    @context_matcher(identifier=IDENTIFIER, priority=200)
    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        return completer(context)

    return matcher


def _split(line: str) -> tuple[list[str], str]:
    """Whole words before the cursor, and the piece at the cursor (empty after a space)."""
    cut = max(line.rfind(" "), line.rfind("\t")) + 1
    words, piece = line[:cut], line[cut:]
    if "=" in piece and piece.startswith("--"):
        flag, _, piece = piece.partition("=")
        words += flag
    try:
        return shlex.split(words), piece
    except ValueError:  # a quote is open
        return words.split(), piece


def _positional(words: tuple[str, ...], options: Options) -> list[str]:
    """The words that are neither options nor values of options."""
    found, value = [], False
    for word in words:
        if word.startswith("--"):
            option = options.get(word[2:].replace("-", "_"))
            value = option is not None and option.type is not bool
        elif value:
            value = False
        else:
            found.append(word)
    return found


def _is_data(name: str, value: object) -> bool:
    """Whether a variable looks like pairs: a frame, a list of rows, a dict of columns, ``Pairs``."""
    if name.startswith("_") or name in ("In", "Out") or callable(value):
        return False
    return (
        hasattr(value, "columns")
        or hasattr(value, "column_names")
        or isinstance(value, (list, dict, tuple))
        or type(value).__name__ in ("Pairs", "RawPairs")
    )


def _columns_of(named: str, variables: Mapping[str, Any]) -> list[str]:
    """Column names of a variable or a file; nothing is read but a file's first line, nothing is evaluated."""
    if not named:
        return []
    value = variables.get(named)
    if value is not None:
        columns = getattr(value, "columns", None)
        columns = getattr(value, "column_names", None) if columns is None else columns
        if columns is None and isinstance(value, Mapping):
            columns = list(value)
        if columns is None and isinstance(value, list) and value and isinstance(value[0], Mapping):
            columns = list(value[0])
        return [] if columns is None else [_quoted(str(one)) for one in columns]
    path = Path(named)
    if not names_a_file(named) or path.suffix not in (".tsv", ".csv") or not path.is_file():
        return []
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first = file.readline(10_000).rstrip("\r\n")
    separator = "\t" if path.suffix == ".tsv" or "\t" in first else ","
    return [_quoted(name.strip('"')) for name in first.split(separator)]


def _files(piece: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    """Files that begin so, folders with a slash; with suffixes, only files that end in one of them."""
    folder, slash, start = piece.rpartition("/")
    place = Path(folder + slash or ".").expanduser()
    try:
        entries = sorted(place.iterdir())[:2000]
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") and not start.startswith("."):
            continue
        if entry.is_dir():
            yield f"{folder}{slash}{entry.name}/"
        elif not suffixes or entry.suffix in suffixes:
            yield f"{folder}{slash}{entry.name}"


def _runs(words: tuple[str, ...]) -> Iterator[str]:
    """Folders that look like runs, where the line says they are."""
    given = words.index("--folder") + 1 if "--folder" in words[:-1] else 0
    place = Path(words[given] if given else "runs").expanduser()
    with contextlib.suppress(OSError):
        yield from sorted(one.name for one in place.iterdir() if (one / "run.json").exists())[:MOST]


def _quoted(name: str) -> str:
    return shlex.quote(name)
