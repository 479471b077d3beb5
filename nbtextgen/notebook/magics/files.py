"""``textgen_save`` and ``textgen_load``: save, export and load a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from IPython.core.magic import line_magic, magics_class

from nbtextgen.core.errors import OptionError
from nbtextgen.core.options import Option
from nbtextgen.notebook.arguments import COMMON, choice_option, help_table, parse_line
from nbtextgen.notebook.code import call, print_code
from nbtextgen.notebook.completion import MagicCompletion
from nbtextgen.notebook.magics.base import Commands, in_one_line

KEEP_SOURCES = Option(
    name="keep_sources",
    type=int,
    optional=False,
    default=0,
    help="number of training sources saved as plain text, for explanations with --missing sample",
    minimum=0,
    maximum=200,
    above=None,
    below=None,
    choices=None,
)
FORMAT = choice_option(
    "format", "own", ("own", "onnx"), "own is loaded by %textgen_load; onnx by OnnxGenerator, without PyTorch"
)
SAVE_OPTIONS = COMMON | {KEEP_SOURCES.name: KEEP_SOURCES, FORMAT.name: FORMAT}


@magics_class
class FileCommands(Commands):
    """Saving and loading."""

    completions = {
        "textgen_save": MagicCompletion(SAVE_OPTIONS, "file"),
        "textgen_load": MagicCompletion(COMMON, "file"),
    }

    @line_magic
    @in_one_line
    def textgen_save(self, line: str, cell: str | None = None) -> Path | None:
        parsed = parse_line(line, SAVE_OPTIONS)
        model = self.session.model(parsed.words, "save")
        name, folder = _name_and_folder(parsed.words, "%textgen_save french french-model")
        onnx, path = parsed.options.get("format") == "onnx", Path(folder).expanduser()
        options = {"keep_sources": parsed.options["keep_sources"]} if parsed.options.get("keep_sources") else {}
        if onnx and options:
            raise OptionError("Exported models cannot be explained, so --keep-sources does not apply.")
        if parsed.options.get("show_code"):
            return print_code(
                f"{name}.export('onnx', {folder!r})" if onnx else call(f"{name}.save", repr(folder), options)
            )
        saved = model.export("onnx", path) if onnx else model.save(path, **options)
        print(f"{name} is exported to {saved}" if onnx else f"{name} is saved to {saved}")
        return None

    @line_magic
    @in_one_line
    def textgen_load(self, line: str, cell: str | None = None) -> Any:
        parsed = parse_line(line, COMMON)
        name = self.session.new_name(parsed.words[:1], "%textgen_load")
        _, folder = _name_and_folder(parsed.words, "%textgen_load french french-model")
        if parsed.options.get("show_code"):
            return print_code("from nbtextgen import TextGenerator", f"{name} = TextGenerator.load({folder!r})")
        self.session.check_free(name)
        from nbtextgen.generator import TextGenerator

        self.session.variables[name] = TextGenerator.load(Path(folder).expanduser())
        print(f"{name} is loaded from {folder}")
        return None


def _name_and_folder(words: list[str], example: str) -> tuple[str, str]:
    if len(words) != 2:
        raise OptionError(f"A name and a folder are expected, for instance: {example}")
    return words[0], words[1]


FileCommands.textgen_save.__doc__ = f"""Save a model to a folder, as safetensors and JSON; or export it as ONNX.

    %textgen_save NAME FOLDER

Example:

    %textgen_save french french-model
    %textgen_save french french-model --keep-sources 100
    %textgen_save french french-onnx --format onnx

Options:

{help_table(SAVE_OPTIONS)}
"""
FileCommands.textgen_load.__doc__ = f"""Load a saved model, or the best model of a run, into a variable.

    %textgen_load NAME FOLDER

Example:

    %textgen_load french french-model

Options:

{help_table(COMMON)}
"""
