"""``textgen_save`` and ``textgen_load``: save, export and load a model."""

from __future__ import annotations

from pathlib import Path

from IPython.core.magic import line_magic, magics_class

from nbtextgen.core.errors import OptionError
from nbtextgen.core.options import Option
from nbtextgen.notebook.arguments import BITS, COMMON, by_name, choice_option, text_option
from nbtextgen.notebook.code import Values, call, print_code
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
    "format",
    "own",
    ("own", "onnx", "html"),
    "own is loaded by %textgen_load; onnx by OnnxGenerator, without PyTorch; html is one page for any browser, and the "
    "default for a name that ends in .html",
)
PAGE = by_name(
    BITS,
    text_option("title", "heading of a page; default: the name of the file"),
    text_option("example", "source that a page begins with; default: a training source, if the model remembers any"),
    text_option("score", "what a page says about the quality of the model; default: the validation metric, if known"),
)
SAVE_OPTIONS = COMMON | by_name(KEEP_SOURCES, FORMAT) | PAGE


@magics_class
class FileCommands(Commands):
    """Saving and loading."""

    @line_magic
    @command(SAVE_OPTIONS, "file", rest="path")
    def textgen_save(self, parsed: ParsedLine) -> Path | None:
        """Save a model to a folder, as safetensors and JSON; or export it as ONNX, or as a page for any browser.

            %textgen_save NAME FOLDER
            %textgen_save NAME PAGE.html

        Example:

            %textgen_save french french-model
            %textgen_save french french-model --keep-sources 100
            %textgen_save french french-onnx --format onnx
            %textgen_save french french.html --example "a man is sleeping"
        """
        model = self.session.model(parsed.words, "save")
        name, file = _name_and_file(parsed, "%textgen_save french french-model")
        path = Path(file).expanduser()
        format = parsed.options.get("format") or ("html" if path.suffix.lower() == ".html" else "own")
        options = _save_options(parsed, format)
        if parsed.options.get("show_code"):
            method, arguments = f"{name}.save", repr(file)
            if format != "own":
                method, arguments = f"{name}.export", f"{format!r}, {file!r}"
            return print_code(call(method, arguments, options))
        saved = model.save(path, **options) if format == "own" else model.export(format, path, **options)
        print(f"{name} is {'saved' if format == 'own' else 'exported'} to {saved}")
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
        _, folder = _name_and_file(parsed, "%textgen_load french french-model")
        if parsed.options.get("show_code"):
            return print_code("from nbtextgen import TextGenerator", f"{name} = TextGenerator.load({folder!r})")
        self.session.check_free(name)
        from nbtextgen.generator import TextGenerator

        self.session.variables[name] = TextGenerator.load(Path(folder).expanduser())
        print(f"{name} is loaded from {folder}")
        return None


def _save_options(parsed: ParsedLine, format: str) -> Values:
    """Return the options of ``save`` or ``export``, of which each applies to some formats only."""
    options = {option: parsed.options[option] for option in ("keep_sources", *PAGE) if parsed.options.get(option)}
    if format != "own" and "keep_sources" in options:
        raise OptionError("Exported models cannot be explained in Python, so --keep-sources does not apply.")
    if format != "html" and options.keys() & PAGE.keys():
        raise OptionError(f"--{min(options.keys() & PAGE.keys())} applies to pages only; use --format=html.")
    if "bits" in options:
        options["bits"] = int(options["bits"])
    return options


def _name_and_file(parsed: ParsedLine, example: str) -> tuple[str, str]:
    if not parsed.text:
        raise OptionError(f"A name and a folder are expected, for instance: {example}")
    return parsed.words[0], parsed.text
