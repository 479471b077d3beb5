"""``Session``: what all magics of a notebook share, its variables and the trainings started in it."""

from __future__ import annotations

import keyword
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nbtextgen.core.errors import DataError, OptionError, nearest
from nbtextgen.notebook.code import PythonCode, Values
from nbtextgen.notebook.variables import data_as_code, is_generator, names_file

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nbtextgen.generator import TextGenerator
    from nbtextgen.notebook.live.training import Training


class Session:
    """One notebook: its variables, and the trainings that were started in it, by variable name."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.trainings: dict[str, Training] = {}

    @property
    def variables(self) -> Values:
        """The notebook's variables."""
        return self.shell.user_ns

    @property
    def rich(self) -> bool:
        """Whether outputs go to a notebook, which can show panels, and not to a terminal."""
        return hasattr(self.shell, "kernel")

    @property
    def training_names(self) -> list[str]:
        """The variables whose models are in training."""
        return [name for name, training in self.trainings.items() if training.running]

    def models(self) -> list[str]:
        """Return the names of the variables that hold a generator."""
        return [name for name, value in list(self.variables.items()) if is_generator(value)]

    def new_name(self, words: Sequence[str], magic: str = "%%textgen_train") -> str:
        """Return the variable to fill; raises ``OptionError`` unless the words are one name that is free or holds a model."""
        if not words:
            raise OptionError(f"Name the variable that receives the model, for instance: {magic} dates")
        name = words[0]
        if not name.isidentifier() or keyword.iskeyword(name):
            raise OptionError(f"'{name}' cannot be a variable name; use letters, digits and _, for instance: dates")
        if len(words) > 1:
            raise OptionError(f"Only one name is expected, got also '{words[1]}'; options begin with --.")
        value = self.variables.get(name)
        if value is not None and not is_generator(value):
            raise OptionError(
                f"The variable {name} already holds {type(value).__name__}; choose another name or delete it."
            )
        return name

    def model(self, words: Sequence[str], purpose: str = "generate with") -> TextGenerator:
        """Return the generator that the line names first; raises ``OptionError`` if there is none, with the nearest."""
        models = self.models()
        available = f" (available: {', '.join(models)})" if models else "; train one first with %textgen_train"
        if not words:
            raise OptionError(f"Name the model to {purpose}{available}.")
        name = words[0]
        if name not in self.variables:
            raise OptionError(f"There is no model named {name}{available}.{nearest(name, models)}")
        if name not in models:
            holds = type(self.variables[name]).__name__
            raise OptionError(f"The variable {name} holds {holds}, not a model{available}.")
        return self.variables[name]

    def check_free(self, name: str) -> None:
        """Raise ``OptionError`` if the model of this variable is in training."""
        training = self.trainings.get(name)
        if training is not None and training.running:
            raise OptionError(
                f"{name} is still training; stop it first (%textgen_panel {name} shows it), or choose another name."
            )

    def pairs(self, text: str | None, cell: str | None, magic: str, option: str = "--data") -> tuple[Any, PythonCode]:
        """Return the pairs in the cell, or whatever the line names, and the Python for it.

        Raises:
            OptionError: if there are both or neither.
            DataError: if the cell holds no pairs, or the line names nothing.
        """
        if (cell is None) == (text is None):
            raise OptionError(
                f"Give pairs in the cell below the magic or with {option or 'an expression'}, not both."
                if cell is not None
                else f"There are no pairs: give {option or 'an expression'}, or pairs in the cell below %%{magic}."
            )
        if text is not None:
            return self.data(text, option), PythonCode(data_as_code(text))
        from nbtextgen.data.pairs import Pairs

        assert cell is not None
        code = PythonCode(f"Pairs.from_text({cell!r})", ("from nbtextgen import Pairs",))
        return Pairs.from_text(cell, "cell, line"), code

    def data(self, text: str, option: str = "--data") -> Any:
        """Return the name of a built-in data set or a file as it is, or the value of an expression of the notebook.

        Raises:
            DataError: if the text is none of these.
        """
        if names_file(text):
            return text
        try:
            return eval(text, self.shell.user_global_ns, self.shell.user_ns)  # the notebook's own code, by its user
        except Exception as error:
            suggestion = nearest(text, [name for name in self.variables if not name.startswith("_")])
            raise DataError(
                f"{option} {text}".strip() + f" is neither a file nor an expression here ({error}).{suggestion}"
            ) from None
