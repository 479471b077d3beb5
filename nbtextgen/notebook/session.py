"""What all magics share: the notebook's variables, the trainings under way, and errors of one line."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics

from nbtextgen.core.errors import DataError, NbTextGenError, OptionError, nearest
from nbtextgen.data.readers.files import is_pairs_file

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nbtextgen.generator import TextGenerator
    from nbtextgen.notebook.explain.buttons import ExplainButtons
    from nbtextgen.notebook.live.training import Training


class MagicError(Exception):
    """A user's mistake, shown as one line; it still stops "Run all"."""

    def _render_traceback_(self) -> list[str]:
        return [f"nbtextgen: {self}"]


def in_one_line(magic: Callable[..., Any]) -> Callable[..., Any]:
    """Turn our errors into one readable line, unless ``--debug`` is on the line; also those of an awaited magic."""

    @wraps(magic)
    def run(self: Any, line: str, cell: str | None = None) -> Any:
        debug = "--debug" in line.split()
        try:
            result = magic(self, line, cell)
        except NbTextGenError as error:
            if debug:
                raise
            raise MagicError(str(error)) from None
        return _awaited_in_one_line(result, debug) if inspect.isawaitable(result) else result

    return run


async def _awaited_in_one_line(work: Awaitable[Any], debug: bool) -> Any:
    try:
        return await work
    except NbTextGenError as error:
        if debug:
            raise
        raise MagicError(str(error)) from None


@dataclass(frozen=True)
class Code:
    """Python for what a line names, and the imports that it needs."""

    expression: str
    imports: tuple[str, ...]


class Session:
    """One notebook: its variables, the trainings that were started in it, by variable name, and its Explain buttons."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.trainings: dict[str, Training] = {}
        self.reach: ExplainButtons | None = None

    @property
    def variables(self) -> dict[str, Any]:
        """The notebook's variables."""
        return self.shell.user_ns

    @property
    def rich(self) -> bool:
        """Whether outputs go to a notebook, which can show panels, and not to a terminal."""
        return hasattr(self.shell, "kernel")

    def models(self) -> list[str]:
        """Names of the variables that hold a generator."""
        return [name for name, value in list(self.variables.items()) if is_generator(value)]

    def new_name(self, words: list[str], magic: str = "%%textgen_train") -> str:
        """The variable to fill: one valid name, that is free or holds a generator.

        Raises:
            OptionError: when there is no such name on the line, or the variable holds something else.
        """
        if not words:
            raise OptionError(f"Name the variable that receives the model, for instance: {magic} dates")
        name = words[0]
        if not name.isidentifier() or keyword.iskeyword(name):
            raise OptionError(f"'{name}' cannot be a variable name; use letters, digits and _, for instance: dates")
        if len(words) > 1:
            raise OptionError(f"Only one name is expected, got also '{words[1]}'; options begin with --.")
        held = self.variables.get(name)
        if held is not None and not is_generator(held):
            raise OptionError(
                f"The variable {name} already holds {type(held).__name__}; choose another name or delete it."
            )
        return name

    def model(self, words: list[str], what: str = "generate with") -> TextGenerator:
        """The generator that the line names first.

        Raises:
            OptionError: when none is named, or the variable does not hold one; suggests the nearest.
        """
        models = self.models()
        there = f" (there is {', '.join(models)})" if models else "; train one first with %textgen_train"
        if not words:
            raise OptionError(f"Name the model to {what}{there}.")
        name = words[0]
        if name not in self.variables:
            raise OptionError(f"There is no model named {name}{there}.{nearest(name, models)}")
        if name not in models:
            raise OptionError(f"The variable {name} holds {type(self.variables[name]).__name__}, not a model{there}.")
        return self.variables[name]

    def check_free(self, name: str) -> None:
        """Refuse a variable whose model is in training; raises ``OptionError``."""
        training = self.trainings.get(name)
        if training is not None and training.running:
            raise OptionError(
                f"{name} is still training; stop it first (%textgen_panel {name} shows it), or choose another name."
            )

    def pairs(self, text: str | None, cell: str | None, magic: str, option: str = "--data") -> tuple[Any, Code]:
        """Pairs from a cell, or whatever the line names; and the Python for it.

        Raises:
            OptionError: when there are both or neither.
            DataError: when the cell holds no pairs, or the line names nothing.
        """
        if (cell is None) == (text is None):
            raise OptionError(
                f"Give pairs in the cell below the magic or with {option or 'an expression'}, not both."
                if cell is not None
                else f"There are no pairs: give {option or 'an expression'}, or pairs in the cell below %%{magic}."
            )
        if text is not None:
            return self.data(text, option), Code(repr(text) if names_a_file(text) else text, ())
        from nbtextgen.data.pairs import Pairs

        assert cell is not None
        return Pairs.from_text(cell, "cell, line"), Code(f"Pairs.from_text({cell!r})", ("from nbtextgen import Pairs",))

    def data(self, text: str, option: str = "--data") -> Any:
        """A built-in set or a file (as its name), or the value of an expression of the notebook.

        Raises:
            DataError: when it is none of these.
        """
        if names_a_file(text):
            return text
        try:
            return eval(text, self.shell.user_global_ns, self.shell.user_ns)  # the notebook's own code, by its user
        except Exception as error:
            near = nearest(text, [name for name in self.variables if not name.startswith("_")])
            raise DataError(
                f"{option} {text}".strip() + f" is neither a file nor an expression here ({error}).{near}"
            ) from None


def names_a_file(text: str) -> bool:
    """Whether the text after ``--data`` is a built-in set or a file, and not an expression."""
    if text.startswith("builtin:") or is_pairs_file(Path(text)):
        return True
    try:
        return Path(text).exists()
    except (OSError, ValueError):  # a long expression is no file name
        return False


def is_generator(value: object) -> bool:
    """Whether a variable holds a generator; by name, so that it still does after ``%autoreload``."""
    return type(value).__name__ == "TextGenerator"


class Commands(Magics):
    """Base of our groups of magics: all share one ``Session``."""

    def __init__(self, shell: InteractiveShell, session: Session) -> None:
        super().__init__(shell)
        self.session = session
