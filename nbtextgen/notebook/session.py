"""``Session``: what all magics of a notebook share, its variables and the trainings started in it."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from inspect import ismodule
from pathlib import Path
from typing import TYPE_CHECKING

from nbtextgen.core.errors import DataError, OptionError, nearest
from nbtextgen.notebook.cells import pairs_in_cell
from nbtextgen.notebook.code import PythonCode, Values
from nbtextgen.notebook.references import expand, is_expression, parsed_expression
from nbtextgen.notebook.variables import free_variable, holds_texts, is_generator, names_file

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nbtextgen.data.pairs import Pairs
    from nbtextgen.generator import TextGenerator
    from nbtextgen.notebook.live.training import Training


class Session:
    """One notebook: its variables, and the trainings that were started in it, by variable name."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.trainings: dict[str, Training] = {}
        self._searches: dict[object, str] = {}
        self._waiting: dict[object, Callable[[], object]] = {}
        self._locals: Values = {}

    @property
    def variables(self) -> Values:
        """The notebook's variables."""
        return self.shell.user_ns

    @property
    def scope(self) -> Values:
        """The variables that a line of a magic sees: also the local ones of a function that calls the magic."""
        return {**self.variables, **self._locals}

    @contextmanager
    def local_variables(self, variables: Values) -> Iterator[None]:
        """Let lines see the local variables of a function."""
        before, self._locals = self._locals, variables
        try:
            yield
        finally:
            self._locals = before

    @property
    def rich(self) -> bool:
        """Whether outputs go to a notebook, which can show panels, and not to a terminal."""
        return hasattr(self.shell, "kernel")

    @property
    def training_names(self) -> list[str]:
        """The variables whose models are in training."""
        return [name for name, training in self.trainings.items() if training.running]

    def take_over(self, earlier: Session) -> None:
        """Know what an earlier session of the notebook began."""
        self.trainings, self._searches, self._waiting = earlier.trainings, earlier._searches, earlier._waiting

    def add_training(self, training: Training) -> None:
        """Note a training, under the variable that receives its model."""
        self.trainings[training.name] = training
        training.worker.on_idle = self._ended

    def begin_search(self, owner: object, sentence: str) -> None:
        """Note that a panel or magic trains networks of its own: ``sentence`` says what runs, where, and how it is stopped."""
        self._searches[owner] = sentence

    def end_search(self, owner: object) -> None:
        """Note that what was begun has ended."""
        if self._searches.pop(owner, None) is not None:
            self._ended()

    @contextmanager
    def searching(self, owner: object, sentence: str) -> Iterator[None]:
        """Note a search while the block runs."""
        self.begin_search(owner, sentence)
        try:
            yield
        finally:
            self.end_search(owner)

    def when_free(self, owner: object, action: Callable[[], object]) -> None:
        """Call ``action`` once nothing trains here any more, in any thread; it takes the place of the owner's one before."""
        self._waiting[owner] = action
        self._ended()  # it may have ended meanwhile

    def _ended(self) -> None:
        """Call those that wait, if nothing trains any more."""
        if not self.in_training():
            for owner in list(self._waiting):
                self._waiting.pop(owner, lambda: None)()

    def check_alone(self) -> None:
        """Raise ``OptionError`` if something trains in this kernel: two would draw from the same random numbers."""
        if running := self.in_training(again="run the line again"):
            raise OptionError(running)

    def in_training(self, apart_from: object = None, again: str = "press the button again") -> str:
        """Return what trains in this kernel, where, and how to go on, as a sentence; empty if nothing does.

        Args:
            apart_from: a panel whose own search does not count.
            again: what to do when it has ended.
        """
        running = [
            f"{name} is training in this notebook: stop it in its panel (%textgen_panel {name} shows it)"
            for name in self.training_names
            if not self.trainings[name].elsewhere
        ]
        running += [sentence for owner, sentence in list(self._searches.items()) if owner is not apart_from]
        return f"{running[0]}, or wait until it ends, and {again}." if running else ""

    def models(self) -> list[str]:
        """Return the names of the variables that hold a generator, without those that IPython makes for outputs."""
        return [name for name, value in self.scope.items() if is_generator(value) and not re.fullmatch(r"_+\d*", name)]

    def new_name(self, words: Sequence[str], magic: str = "%%textgen_train") -> str:
        """Return the variable to fill; raises ``OptionError`` unless the words are one name that is free or holds a model."""
        if not words:
            raise OptionError(
                f"Name the variable that receives the model, for instance: {magic} dates".replace("  ", " ")
            )
        name = free_variable(words[0], self.variables, is_generator)
        if len(words) > 1:
            raise OptionError(
                f"Only one name is expected, got also '{words[1]}'; data and texts are given as "
                f"options, such as --data {words[1]}."
            )
        return name

    def model(self, words: Sequence[str], purpose: str = "generate with") -> TextGenerator:
        """Return the generator that the line names first; raises ``OptionError`` if there is none, with the nearest."""
        models, variables = self.models(), self.scope
        available = f" (available: {', '.join(models)})" if models else "; train one first with %textgen_train"
        if not words or not words[0].strip():
            raise OptionError(f"Name the model to {purpose}{available}.")
        name = words[0] if words[0] in variables else unicodedata.normalize("NFKC", words[0])
        if name not in variables and isinstance(parsed_expression(name), (ast.Subscript, ast.Attribute)):
            with suppress(DataError):
                variables = {**variables, name: self.value(name, "")}  # models["french"]
        if name not in variables:
            raise OptionError(f"There is no model named {name}{available}.{nearest(name, models)}")
        if not is_generator(variables[name]):
            holds = type(variables[name]).__name__
            raise OptionError(f"The variable {name} holds {holds}, not a model{available}.")
        return variables[name]

    def check_free(self, name: str) -> None:
        """Raise ``OptionError`` if the model of this variable is in training."""
        training = self.trainings.get(name)
        if training is not None and training.running:
            raise OptionError(
                f"{name} is still training; stop it first (%textgen_panel {name} shows it), or choose another name."
            )

    def pairs(
        self, text: str | None, cell: str | None, magic: str, option: str = "--data"
    ) -> tuple[object, PythonCode]:
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
            return self.data(text, option), PythonCode(self.data_as_code(text))
        assert cell is not None
        pairs, code = self.pairs_in_cell(cell)
        return pairs, PythonCode(code, ("from nbtextgen import Pairs",))

    def pairs_in_cell(self, cell: str) -> tuple[Pairs, str]:
        """Return the pairs in a cell, and the Python for them."""
        from nbtextgen.data.pairs import Pairs

        text = pairs_in_cell(cell)
        return Pairs.from_text(text, "cell, line"), f"Pairs.from_text({text!r})"

    def data(self, text: str, option: str = "--data") -> object:
        """Return the name of a built-in data set or a file as it is, or the value of a variable or an expression.

        Raises:
            DataError: if the text is none of these.
        """
        name = text.strip()
        if name in self.scope:
            if Path(name).exists():
                print(f"{option} {name} is the variable; write ./{name} for the file or folder of that name.".lstrip())
            return self.scope[name]
        expanded = self._expanded(text)
        if names_file(expanded):
            return expanded
        return self.value(text, option, "neither a file nor an expression here")

    def value(self, text: str, option: str, otherwise: str = "no expression here") -> object:
        """Return the value of an expression, which sees the variables of the notebook and of the calling function.

        Raises:
            DataError: if it has none.
        """
        reference = re.fullmatch(r"\{([^\W\d]\w*)\}|\$([^\W\d]\w*)", text.strip())
        code = (reference[1] or reference[2]) if reference else text if is_expression(text) else self._expanded(text)
        try:
            return eval(code.strip(), self.scope)  # the notebook's own code, by its user
        except Exception as error:
            named = [
                name
                for name, value in self.scope.items()
                if is_generator(value) or not (callable(value) or ismodule(value))
            ]
            suggestion = nearest(text, [name for name in named if not name.startswith("_")])
            raise DataError(f"{option} {text}".strip() + f" is {otherwise} ({error}).{suggestion}") from None

    def with_glossary(self, options: Values) -> Values:
        """Return options of generation in which ``--glossary`` is the value of what it names: a variable, file or expression."""
        text = ",".join(options.get("glossary", ()))
        if not text or ("=>" in text and not text.startswith(("{", "["))):
            return dict(options)  # entries
        return {**options, "glossary": self.data(text, "--glossary")}

    def text(self, expression: str, option: str = "--text") -> str:
        """Return the text that a variable or an expression holds; raises ``DataError`` if it holds something else."""
        value = self.value(expression, option)
        if not isinstance(value, str):
            raise DataError(f"{option} {expression} holds {type(value).__name__}, not a text.")
        return value

    def target(self, text: str) -> tuple[str, bool]:
        """Return what ``--into`` names, and whether it is a file and not a variable, a column or an attribute.

        Raises:
            OptionError: if it is none of them, belongs to something that does not exist, or is a variable that holds something
                other than texts, such as the model or the frame.
        """
        file = self._expanded(text)
        if re.search(r"\.(tsv|csv|jsonl|parquet|txt)(\.gz)?$", file.lower()):
            return file, True
        tree = parsed_expression(text)
        is_file = (
            isinstance(tree, ast.Attribute) and isinstance(tree.value, ast.Name) and tree.value.id not in self.scope
        )
        if isinstance(tree, (ast.Subscript, ast.Attribute)) and not is_file:
            holder = self.value(ast.unparse(tree.value), "--into")
            if isinstance(tree, ast.Attribute) and tree.attr not in getattr(holder, "columns", [tree.attr]):
                name = ast.unparse(tree.value)
                raise OptionError(
                    f"--into {text.strip()}: {name} has no column '{tree.attr}'; write {name}['{tree.attr}']."
                )
        elif isinstance(tree, ast.Name):
            return free_variable(text.strip(), self.scope, holds_texts), False
        else:
            raise OptionError(
                f"--into {text} is neither a variable, a column such as df['fr'], nor a file that ends in .tsv, .csv, .jsonl or "
                ".parquet."
            )
        return text.strip(), False

    def assign(self, target: str, value: object) -> None:
        """Assign a value to a variable of the notebook, or to a column or an attribute; says so if that is refused."""
        if target.isidentifier():
            self.variables[target] = value
            return
        try:
            exec(f"{target} = value_of_magic", {**self.scope, "value_of_magic": value})
        except Exception as error:
            print(f"{target} does not take the outputs ({error}); they are returned by the magic.")

    def data_as_code(self, text: str) -> str:
        """Return what was written after ``--data`` as Python: a file name in quotes, an expression as it is."""
        expanded = self._expanded(text)
        return repr(expanded) if text.strip() not in self.scope and names_file(expanded) else text.strip()

    def _expanded(self, text: str) -> str:
        """Return a path with the values of ``{name}`` and ``$name``, of the environment, and the home folder in place of ``~``."""
        expanded = expand(text, self.scope, environment=True)
        return str(Path(expanded).expanduser()) if expanded.startswith("~") else expanded
