"""``textgen_save`` and ``textgen_load``: save, export and load a model."""

from __future__ import annotations

from pathlib import Path

from IPython.core.magic import line_magic, magics_class

from nbtextgen.core.errors import OptionError
from nbtextgen.core.options import Option
from nbtextgen.notebook.arguments import COMMON, by_name, choice_option
from nbtextgen.notebook.code import call, print_code
from nbtextgen.notebook.lines import ParsedLine
from nbtextgen.notebook.magics.base import Commands, command

KEEP_SOURCES = Option(
    "keep_sources",
    int,
    False,
    0,
    "number of training sources saved as plain text, for explanations with --missing sample",
    *(0, 200, None, None, None),
)
FORMAT = choice_option(
    "format", "own", ("own", "onnx"), "own is loaded by %textgen_load; onnx by OnnxGenerator, without PyTorch"
)
SAVE_OPTIONS = COMMON | by_name(KEEP_SOURCES, FORMAT)


@magics_class
class FileCommands(Commands):
    """Saving and loading."""

    @line_magic
    @command(SAVE_OPTIONS, "file", rest="path")
    def textgen_save(self, parsed: ParsedLine) -> Path | None:
        """Save a model to a folder, as safetensors and JSON; or export it as ONNX.

            %textgen_save NAME FOLDER

        Example:

            %textgen_save french french-model
            %textgen_save french french-model --keep-sources 100
            %textgen_save french french-onnx --format onnx
        """
        model = self.session.model(parsed.words, "save")
        name, folder = _name_and_folder(parsed, "%textgen_save french french-model")
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
    @command(COMMON, "file", rest="path")
    def textgen_load(self, parsed: ParsedLine) -> object:
        """Load a saved model, or the best model of a run, into a variable.

            %textgen_load NAME FOLDER

        Example:

            %textgen_load french french-model
        """
        name = self.session.new_name(parsed.words, "%textgen_load")
        _, folder = _name_and_folder(parsed, "%textgen_load french french-model")
        if parsed.options.get("show_code"):
            return print_code("from nbtextgen import TextGenerator", f"{name} = TextGenerator.load({folder!r})")
        self.session.check_free(name)
        from nbtextgen.generator import TextGenerator

        self.session.variables[name] = TextGenerator.load(Path(folder).expanduser())
        print(f"{name} is loaded from {folder}")
        return None


def _name_and_folder(parsed: ParsedLine, example: str) -> tuple[str, str]:
    if not parsed.text:
        raise OptionError(f"A name and a folder are expected, for instance: {example}")
    return parsed.words[0], parsed.text
