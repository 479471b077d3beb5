"""``textgen_save`` and ``textgen_load``: a model as a folder, for itself or for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from IPython.core.magic import line_magic, magics_class

from nbtextgen.core.errors import OptionError
from nbtextgen.core.options import Option
from nbtextgen.notebook.arguments import COMMON, choice_option, help_table, parse_line
from nbtextgen.notebook.session import Commands, in_one_line
from nbtextgen.notebook.show_code import call, show

KEEP = Option(
    name="keep_sources",
    type=int,
    optional=False,
    default=0,
    help="training sources kept in the folder as plain text, which explanations with --missing sample draw from",
    minimum=0,
    maximum=200,
    above=None,
    below=None,
    choices=None,
)
FORMAT = choice_option(
    "format", "own", ("own", "onnx"), "own is read by %textgen_load; onnx by OnnxGenerator, without PyTorch"
)
SAVE = COMMON | {KEEP.name: KEEP, FORMAT.name: FORMAT}


@magics_class
class FileCommands(Commands):
    """Saving and loading."""

    @line_magic
    @in_one_line
    def textgen_save(self, line: str, cell: str | None = None) -> Path | None:
        parsed = parse_line(line, SAVE)
        model = self.session.model(parsed.words, "save")
        name, folder = _two(parsed.words, "%textgen_save french french-model")
        onnx, place = parsed.options.get("format") == "onnx", Path(folder).expanduser()
        given = {"keep_sources": parsed.options["keep_sources"]} if parsed.options.get("keep_sources") else {}
        if onnx and given:
            raise OptionError("--keep-sources is for explanations, which exported models have not; leave it out.")
        if parsed.options.get("show_code"):
            return show(f"{name}.export('onnx', {folder!r})" if onnx else call(f"{name}.save", repr(folder), given))
        saved = model.export("onnx", place) if onnx else model.save(place, **given)
        print(f"{name} is exported to {saved}" if onnx else f"{name} is saved to {saved}")
        return None

    @line_magic
    @in_one_line
    def textgen_load(self, line: str, cell: str | None = None) -> Any:
        parsed = parse_line(line, COMMON)
        name = self.session.new_name(parsed.words[:1], "%textgen_load")
        _, folder = _two(parsed.words, "%textgen_load french french-model")
        if parsed.options.get("show_code"):
            return show("from nbtextgen import TextGenerator", f"{name} = TextGenerator.load({folder!r})")
        self.session.check_free(name)
        from nbtextgen.generator import TextGenerator

        self.session.variables[name] = TextGenerator.load(Path(folder).expanduser())
        print(f"{name} is loaded from {folder}")
        return None


def _two(words: list[str], example: str) -> tuple[str, str]:
    if len(words) != 2:
        raise OptionError(f"A name and a folder are expected, for instance: {example}")
    return words[0], words[1]


FileCommands.textgen_save.__doc__ = f"""Save a model to a folder: safetensors and JSON, no pickle.

    %textgen_save NAME FOLDER

Example:

    %textgen_save french french-model
    %textgen_save french french-model --keep-sources 100
    %textgen_save french french-onnx --format onnx

Options:

{help_table(SAVE)}
"""
FileCommands.textgen_load.__doc__ = f"""Load a saved model, or the best model of a run, into a variable.

    %textgen_load NAME FOLDER

Example:

    %textgen_load french french-model

Options:

{help_table(COMMON)}
"""
