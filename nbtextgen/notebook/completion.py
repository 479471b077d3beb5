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
from nbtextgen.notebook.quoting import split_words
from nbtextgen.notebook.variables import column_names, data_variables, names_file

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

    from nbtextgen.notebook.session import Session

Options = Mapping[str, Option]
MAX_COMPLETIONS = 200
MAX_ENTRIES = 2000
"""Entries of a folder that are looked at."""
IDENTIFIER = "nbtextgen"
_MAGIC = re.compile(r"(?:^|[\s=])(%{1,2})(textgen_\w+)[ \t]+(.*)$", re.DOTALL)
_OUR_LINE = re.compile(r".*%{1,2}textgen_\w+[ \t]")
_BOOLEANS = ("true", "false")


@dataclass(frozen=True)
class MagicCompletion:
    """What Tab offers on the line of one magic.

    Attributes:
        options: the magic's options.
        first_word: what the first word is: ``model``, ``models`` (two of them), ``new`` (a variable for a model), ``data``,
            ``outputs`` (a generated table or its file), ``file``, or ``run``.
        actions: for ``run``: the first word is one of these, and runs follow all but the first.
    """

    options: Options
    first_word: str
    actions: tuple[str, ...] = ()


@dataclass(frozen=True)
class CompletionRequest:
    """What is completed: the magic, the words before the cursor, and the part of a word at the cursor."""

    magic: str
    words: tuple[str, ...]
    prefix: str


class Completer:
    """A matcher of IPython's completer for the lines of our magics; other matchers are suppressed there."""

    def __init__(self, session: Session, magics: Mapping[str, MagicCompletion]) -> None:
        self.session, self.magics = session, magics

    def __call__(self, context: CompletionContext) -> SimpleMatcherResult:
        """Return the completions of the line at the cursor; raises nothing, whatever is on it."""
        request = self.request(context.line_with_cursor[: context.cursor_position])
        if request is None:
            return {"completions": []}
        from IPython.core.completer import SimpleCompletion

        texts = sorted({text for text in self._choices(request) if text.startswith(request.prefix)})
        return {
            "completions": [SimpleCompletion(text, type="nbtextgen") for text in texts[:MAX_COMPLETIONS]],
            "suppress": True,
            "ordered": True,
            "matched_fragment": request.prefix,
        }

    def request(self, line: str) -> CompletionRequest | None:
        """Return what a line that ends at the cursor asks for; ``None`` if it is not one of ours."""
        match = _MAGIC.search(line)
        if match is None or match[2] not in self.magics:
            return None
        words, prefix = _split(match[3])
        return CompletionRequest(match[2], tuple(words), prefix)

    def _choices(self, request: CompletionRequest) -> Iterator[str]:
        magic = self.magics[request.magic]
        last = request.words[-1] if request.words else ""
        option = magic.options.get(last[2:].replace("-", "_")) if last.startswith("--") else None
        if option is not None and option.type is not bool:
            yield from self._values(option, request)
            return
        if option is not None:
            yield from _BOOLEANS
        flags = [each.flag for each in magic.options.values()]
        if request.prefix.startswith("-") or option is not None:
            yield from flags
            return
        words = _positional(request.words, magic.options)
        if not words or request.magic == "textgen_data" or (magic.first_word == "models" and len(words) < 2):
            yield from self._first_words(magic, request.prefix)
        elif len(words) == 1 and magic.first_word == "file":
            yield from _files(request.prefix, lambda path: True)
        elif words[0] in magic.actions[1:]:
            yield from _runs(request.words)
        if not request.prefix:
            yield from flags

    def _values(self, option: Option, request: CompletionRequest) -> Iterator[str]:
        """Yield values of an option."""
        if option.choices:
            yield from option.choices
        elif option.name in ("data", "valid", "replay_data"):
            yield from self._data(request.prefix)
        elif option.name == "start":
            yield from self.session.models()
            yield from _files(request.prefix, lambda path: path.is_dir())
        elif option.name in ("source", "target"):
            yield from self._columns(request)
        elif option.name == "metrics":
            from nbtextgen.evaluation.metrics import HIGHER_IS_BETTER

            done, comma, _ = request.prefix.rpartition(",")
            yield from (done + comma + name for name in HIGHER_IS_BETTER)
        elif option.name in ("model", "start"):
            yield from self.session.models()
        elif option.name == "config":
            yield from _files(request.prefix, lambda path: path.suffix in (".toml", ".json"))
        elif option.name in ("save", "run", "resume", "source_embeddings", "target_embeddings"):
            yield from _files(request.prefix, lambda path: True)
        if option.optional and option.type is not str:
            yield "auto"

    def _first_words(self, magic: MagicCompletion, prefix: str) -> Iterator[str]:
        if magic.first_word in ("model", "models", "new", "file"):
            yield from self.session.models()
        elif magic.first_word == "data":
            yield from self._data(prefix)
        elif magic.first_word == "outputs":
            yield from (
                name for name, value in self.session.variables.items() if type(value).__name__ == "GeneratedTable"
            )
            yield from _files(prefix, lambda path: path.suffix in (".tsv", ".csv", ".jsonl", ".parquet"))
        yield from magic.actions

    def _data(self, prefix: str) -> Iterator[str]:
        from nbtextgen.data.builtin import BUILTIN_NAMES  # imports NumPy
        from nbtextgen.data.readers.files import is_pairs_file

        yield from data_variables(self.session.variables)
        yield from (f"builtin:{name}" for name in BUILTIN_NAMES)
        yield from _files(prefix, is_pairs_file)

    def _columns(self, request: CompletionRequest) -> Iterator[str]:
        """Yield the columns of the data that the line names."""
        words = request.words
        if request.magic == "textgen_data":
            name = words[0] if words else ""
        else:
            name = words[words.index("--data") + 1] if "--data" in words[:-1] else ""
        yield from map(shlex.quote, _columns_of(name, self.session.variables))

    def install(self) -> None:
        """Register with the shell's completer, in place of an earlier one of ours."""
        completer = self.session.shell.Completer
        if completer is None:
            return
        try:
            from IPython.core.completer import context_matcher
        except ImportError:  # before IPython 8.6
            self._install_hook()
            return
        # A function, since IPython sets attributes on its matchers.
        matcher = context_matcher(identifier=IDENTIFIER, priority=200)(lambda context: self(context))
        others = [each for each in completer.custom_matchers if getattr(each, "matcher_identifier", "") != IDENTIFIER]
        completer.custom_matchers = [*others, matcher]

    def _install_hook(self) -> None:
        """Register with a shell of IPython 7, whose completer has hooks for lines that match an expression."""
        hooks = vars(self.session.shell).get("strdispatchers", {}).get("complete_command")
        if hooks is not None:
            hooks.regexs.pop(_OUR_LINE, None)
        self.session.shell.set_hook(
            "complete_command", lambda shell, event: self.words(event), re_key=_OUR_LINE.pattern
        )

    def words(self, event: Any) -> list[str]:
        """Return completions as IPython 7 takes them: for ``event.symbol``, the word at the cursor as it splits words."""
        request = self.request(event.text_until_cursor)
        if request is None:
            return []
        start = max(0, len(request.prefix) - len(event.symbol))
        texts = {text for text in self._choices(request) if text.startswith(request.prefix)}
        return [text[start:] for text in sorted(texts)[:MAX_COMPLETIONS]]


def _split(line: str) -> tuple[list[str], str]:
    """Return the whole words before the cursor, and the part of a word at the cursor (empty after a space)."""
    words, prefix = split_words(line)
    flag, equals, value = prefix.partition("=")
    return ([*words, flag], value) if equals and prefix.startswith("--") else (words, prefix)


def _positional(words: tuple[str, ...], options: Options) -> list[str]:
    """Return the words that are neither options nor values of options."""
    positional, is_value = [], False
    for word in words:
        if word.startswith("--"):
            option = options.get(word[2:].replace("-", "_"))
            is_value = option is not None and option.type is not bool
        elif is_value:
            is_value = False
        else:
            positional.append(word)
    return positional


def _columns_of(name: str, variables: Mapping[str, object]) -> list[str]:
    """Return the columns of a variable or a file; only a file's first line is read, and nothing is evaluated."""
    if not name:
        return []
    if variables.get(name) is not None:
        return column_names(variables[name])
    path = Path(name)
    if not names_file(name) or path.suffix not in (".tsv", ".csv") or not path.is_file():
        return []
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = file.readline(10_000).rstrip("\r\n")
    separator = "\t" if path.suffix == ".tsv" or "\t" in header else ","
    return [column.strip('"') for column in header.split(separator)]


def _files(prefix: str, accepts: Callable[[Path], bool]) -> Iterator[str]:
    """Yield folders, with a slash, and files that ``accepts`` takes, in the folder that the prefix names."""
    name, slash, start = prefix.rpartition("/")
    folder = Path(name + slash or ".").expanduser()
    try:
        entries = sorted(folder.iterdir())[:MAX_ENTRIES]
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") and not start.startswith("."):
            continue
        if entry.is_dir():
            yield f"{name}{slash}{entry.name}/"
        elif accepts(entry):
            yield f"{name}{slash}{entry.name}"


def _runs(words: tuple[str, ...]) -> Iterator[str]:
    """Yield the names of folders that look like runs, in the folder that the line names."""
    index = words.index("--folder") + 1 if "--folder" in words[:-1] else 0
    folder = Path(words[index] if index else "runs").expanduser()
    with contextlib.suppress(OSError):
        yield from sorted(run.name for run in folder.iterdir() if (run / "run.json").exists())[:MAX_COMPLETIONS]
