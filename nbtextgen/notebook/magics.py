"""``textgen_train`` and ``textgen_generate``, each as line and cell magic."""

from __future__ import annotations

import keyword
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class

from nbtextgen.data.config import DataConfig, TokenizerConfig
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.errors import DataError, NbTextGenError, OptionError, nearest
from nbtextgen.model.config import ModelConfig
from nbtextgen.notebook.options import Line, flag_option, help_table, parse_line, read_config, text_option
from nbtextgen.options import options_of
from nbtextgen.training.config import TrainingConfig

FIT = {
    name: one
    for config in (DataConfig, TokenizerConfig, ModelConfig, TrainingConfig)
    for name, one in options_of(config).items()
}
TRAIN = {
    one.name: one
    for one in (
        text_option("data", "a variable or expression of the notebook, a file, or builtin:NAME"),
        text_option("source", "name of the source column"),
        text_option("target", "name of the target column"),
        text_option("valid", "held-out pairs, as --data"),
        text_option("config", "TOML or JSON file of settings; options on the line win"),
        text_option("save", "folder to save the model to"),
        flag_option("quiet", "show no progress"),
        flag_option("debug", "show the full traceback of an error"),
    )
} | FIT
GENERATE = {"debug": TRAIN["debug"]} | options_of(DecodingConfig)


class MagicError(Exception):
    """A user's mistake, shown as one line; it still stops "Run all"."""

    def _render_traceback_(self) -> list[str]:
        return [f"nbtextgen: {self}"]


def _in_one_line(magic: Callable[..., Any]) -> Callable[..., Any]:
    """Turn our errors into one readable line, unless ``--debug`` is on the line."""

    @wraps(magic)
    def run(self: Any, line: str, cell: str | None = None) -> Any:
        try:
            return magic(self, line, cell)
        except NbTextGenError as error:
            if "--debug" in line.split():
                raise
            raise MagicError(str(error)) from None

    return run


@magics_class
class TextGenMagics(Magics):
    """The magics; they keep nothing but what they put into the notebook's variables."""

    @line_cell_magic
    @_in_one_line
    def textgen_train(self, line: str, cell: str | None = None) -> None:
        parsed = parse_line(line, TRAIN)
        name = self._new_name(parsed.words)
        settings = parsed.options
        own = {key: settings.pop(key, None) for key in TRAIN if key not in FIT}
        if own["config"]:
            settings = read_config(own["config"], FIT) | settings
        if (cell is None) == (own["data"] is None):
            raise OptionError(
                "Give pairs in the cell below the magic or with --data, not both."
                if cell is not None
                else "There is nothing to train on: give --data, or pairs in the cell below %%textgen_train."
            )
        from nbtextgen.data.pairs import Pairs
        from nbtextgen.generator import TextGenerator

        pairs = Pairs.from_text(cell, "cell, line") if cell is not None else self._data(own["data"])
        valid = None if own["valid"] is None else self._data(own["valid"])
        sides = {"source": own["source"], "target": own["target"]}
        model = TextGenerator(**settings).fit(pairs, valid=valid, **sides, listeners=[] if own["quiet"] else None)
        self.shell.user_ns[name] = model
        if own["save"]:
            print(f"saved to {model.save(own['save'])}")

    @line_cell_magic
    @_in_one_line
    def textgen_generate(self, line: str, cell: str | None = None) -> Any:
        parsed = parse_line(line, GENERATE)
        parsed.options.pop("debug", None)
        model, words = self._model(parsed), parsed.words[1:]
        if cell is not None:
            sources = [text for text in cell.replace("\r\n", "\n").split("\n") if text.strip()]
            if not sources:
                raise DataError("There is nothing to generate from: write one source per line in the cell.")
            return model.generate(sources, **parsed.options)
        if not words:
            raise DataError(
                f'There is nothing to generate from: write %textgen_generate {parsed.words[0]} "some text".'
            )
        return model.generate(" ".join(words), **parsed.options)

    def _new_name(self, words: list[str]) -> str:
        """The variable to fill; it must be free, or hold a generator."""
        if not words:
            raise OptionError("Name the variable that receives the model, for instance: %%textgen_train dates")
        name = words[0]
        if not name.isidentifier() or keyword.iskeyword(name):
            raise OptionError(f"'{name}' cannot be a variable name; use letters, digits and _, for instance: dates")
        if len(words) > 1:
            raise OptionError(f"Only one name is expected, got also '{words[1]}'; options begin with --.")
        held = self.shell.user_ns.get(name)
        if held is not None and type(held).__name__ != "TextGenerator":
            raise OptionError(
                f"The variable {name} already holds {type(held).__name__}; choose another name or delete it."
            )
        return name

    def _model(self, parsed: Line) -> Any:
        """The generator that the line names."""
        space = self.shell.user_ns
        models = [name for name, value in space.items() if type(value).__name__ == "TextGenerator"]
        there = f" (there is {', '.join(models)})" if models else "; train one first with %textgen_train"
        if not parsed.words:
            raise OptionError(f"Name the model to generate with{there}.")
        name = parsed.words[0]
        if name not in space:
            raise OptionError(f"There is no model named {name}{there}.{nearest(name, models)}")
        if name not in models:
            raise OptionError(f"The variable {name} holds {type(space[name]).__name__}, not a model{there}.")
        return space[name]

    def _data(self, text: str) -> Any:
        """A built-in set, a file, or the value of an expression of the notebook."""
        if (
            text.startswith("builtin:")
            or Path(text).exists()
            or Path(text).suffix in (".tsv", ".csv", ".txt", ".jsonl", ".parquet")
        ):
            return text
        try:
            return eval(text, self.shell.user_global_ns, self.shell.user_ns)  # the notebook's own code, by its user
        except Exception as error:
            near = nearest(text, [name for name in self.shell.user_ns if not name.startswith("_")])
            raise DataError(f"--data {text} is neither a file nor an expression here ({error}).{near}") from None


TextGenMagics.textgen_train.__doc__ = f"""Train a text generator and put it into a variable.

    %%textgen_train NAME [options]        pairs in the cell, one per line: source, a tab or ' => ', target
    %textgen_train NAME --data DATA       DATA: a variable, a file, builtin:dates

Example:

    %textgen_train french --data df --source en --target fr --epochs 12

Options; what is left open is chosen from the data:

{help_table(TRAIN)}
"""
TextGenMagics.textgen_generate.__doc__ = f"""Generate with a trained model.

    %textgen_generate NAME "some text" [options]
    result = %textgen_generate NAME "some text"
    %%textgen_generate NAME               one source per line in the cell

Options:

{help_table(GENERATE)}
"""
