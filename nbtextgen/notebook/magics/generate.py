"""``textgen_generate``: generate text with a trained model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from IPython.core.magic import line_cell_magic, magics_class

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.core.options import Option, options_of
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.notebook import live_page
from nbtextgen.notebook.arguments import COMMON, LIVE, TEXT, bits_of_live, by_name, columns_in, text_option
from nbtextgen.notebook.code import Values, call, print_code
from nbtextgen.notebook.lines import ParsedLine
from nbtextgen.notebook.magics.base import Commands, command
from nbtextgen.notebook.progress import ProgressLine
from nbtextgen.notebook.variables import holds_texts

if TYPE_CHECKING:
    from nbtextgen.generator import TextGenerator
    from nbtextgen.inference.generation import Generations

ACCEPT = Option(
    "accept",
    float,
    True,
    None,
    "mark the outputs that may be used unread, so that at least this share of them is right (with 95 % confidence)",
    None,
    None,
    0.0,
    1.0,
    None,
)
TO_LABEL = Option(
    "to_label",
    int,
    True,
    None,
    "with --data: instead of a table, so many rows whose labels would teach the model most",
    1,
    None,
    None,
    None,
    None,
)
OWN = (
    by_name(
        TEXT,
        text_option("data", "sources of a whole column: a variable or expression of the notebook, or a file"),
        text_option("source", "name or number of the column, if --data has several"),
        text_option("encoding", "encoding of the file after --data, such as cp1252; by default Unicode"),
        ACCEPT,
        TO_LABEL,
        text_option("into", "with --data: a variable, a column such as df['fr'], or a file that receives the outputs"),
    )
    | LIVE
    | COMMON
)
OPTIONS = OWN | options_of(DecodingConfig)


@magics_class
class GenerateCommands(Commands):
    """Generating."""

    @line_cell_magic
    @command(OPTIONS, "model", rest="text")
    def textgen_generate(self, parsed: ParsedLine) -> object:
        """Generate with a trained model.

            %textgen_generate NAME "some text" [options]
            result = %textgen_generate NAME "some text"
            %textgen_generate NAME --text VARIABLE
            %textgen_generate NAME --data DATA --source COLUMN --into VARIABLE
            %%textgen_generate NAME               one source per line in the cell; lines with # are sources, too

        Example:

            %textgen_generate french "a man is sleeping" --beam 5 --n-best 3
            %textgen_generate french "a man is sleeping" --glossary terms --carry-over numbers
            %textgen_generate french --data df --source en --into df["output"]
            %textgen_generate french --data english.txt --into french.tsv
            todo = %textgen_generate french --data df --source en --accept 0.99
            next_rows = %textgen_generate french --data df --source en --to-label 100
            %textgen_generate french "a man is sleeping" --live

        With --live, the output generates and explains in a saved notebook and its pages, too. With --data, the outputs are in the order of the sources. An interrupted call that writes a file goes on when it is repeated.
        """
        options = self.session.with_glossary({name: value for name, value in parsed.options.items() if name not in OWN})
        if parsed.options.get("accept") is not None:
            options["accept"] = parsed.options["accept"]
        model = self.session.model(parsed.words)
        if parsed.options.get("data") is not None:
            return self._generate_data(model, parsed, options)
        for name in ("source", "encoding", "into", "to_label"):
            if parsed.options.get(name) is not None:
                raise OptionError(f"--{name.replace('_', '-')} needs --data.")
        bits = bits_of_live(parsed.options)
        if bits is not None:
            return self._live_page(model, parsed, options, bits)
        text = _sources(parsed.words[0], self.text(parsed), parsed.cell)
        if parsed.options.get("show_code"):
            return print_code(call(f"{parsed.words[0]}.generate", repr(text), options))
        from nbtextgen.inference.generation import GenerationInterrupted  # imports NumPy

        try:
            return self._noted(model.generate(text, **options), parsed)
        except GenerationInterrupted as interrupt:
            print(interrupt)
            return interrupt.generations

    def _noted(self, result: object, parsed: ParsedLine) -> object:
        """Add a note if the text on the line is the name of a variable that holds texts, or a line of the cell looks like a comment."""
        from nbtextgen.inference.generation import Generation, Generations

        if isinstance(result, Generations) and parsed.cell is not None:
            _note_comments(result)
        name = parsed.text or ""
        value = self.session.scope.get(name) if name.isidentifier() and parsed.cell is None else None
        if not isinstance(result, Generation) or not (
            isinstance(value, str) or holds_texts(value) or hasattr(value, "columns")
        ):
            return result
        flag = "--text" if isinstance(value, str) else "--data"
        note = f"{name} is read as a text, not as the variable of this name; {flag} {name} generates for what it holds."
        return replace(result, notes=(*result.notes, note))

    def _live_page(self, model: TextGenerator, parsed: ParsedLine, options: Values, bits: int) -> object:
        """Return an output that works without a kernel."""
        if parsed.cell is not None:
            raise OptionError("--live takes one text on the line; readers type others.")
        if "accept" in options:
            raise OptionError("--accept does not apply to --live, whose page has no such control.")
        text, more = self.text(parsed), {"name": parsed.words[0], "bits": bits} | options
        if parsed.options.get("show_code"):
            code = call("live_page", ", ".join([parsed.words[0], repr(text)]), more)
            return print_code("from nbtextgen.notebook import live_page", code)
        return live_page(model, text, **more)

    def _generate_data(self, model: TextGenerator, parsed: ParsedLine, options: Values) -> object:
        """Generate for a column of sources, into a variable, a column or a file."""
        own, name = parsed.options, parsed.words[0]
        if own.get("live"):
            raise OptionError("--live takes one text on the line, and no --data; readers type others.")
        if parsed.text or parsed.cell is not None or own.get("text") is not None:
            raise OptionError("Give a text or --data, not both.")
        into, is_file = own.get("into"), False
        if into is not None:
            into, is_file = self.session.target(into)
        columns = columns_in(own)
        if own.get("to_label") is not None:
            return self._to_label(model, parsed, options, columns)
        if own.get("show_code"):
            data = self.session.data_as_code(own["data"])
            generated = call(f"{name}.generate_file", f"{data}, {into!r}" if is_file else data, columns | options)
            return print_code(generated if is_file or into is None else f"{into} = {generated}.texts")
        data = self.session.data(own["data"])
        with ProgressLine("rows generated", rich=self.session.rich) as progress:
            table = model.generate_file(data, into if is_file else None, on_progress=progress, **columns, **options)
        if into is not None and not is_file:
            self.session.assign(into, table.texts)
        return table

    def _to_label(self, model: TextGenerator, parsed: ParsedLine, options: Values, columns: Values) -> object:
        """Choose rows to label from a column of sources."""
        own = parsed.options
        if own.get("into") is not None or options:
            other = "into" if own.get("into") is not None else next(iter(options)).replace("_", "-")
            raise OptionError(f"--{other} does not go with --to-label, which chooses rows by greedy outputs.")
        if own.get("show_code"):
            data = self.session.data_as_code(own["data"])
            code = call("to_label", f"{parsed.words[0]}, {data}, {own['to_label']}", columns)
            return print_code("from nbtextgen import to_label", code)
        from nbtextgen.labelling import to_label  # imports NumPy

        return to_label(model, self.session.data(own["data"]), own["to_label"], **columns)


def _note_comments(generations: Generations) -> None:
    """Note the first source that looks like a comment, unless most do, as hashtags might."""
    marked = [index for index, each in enumerate(generations) if each.source.lstrip().startswith("#")]
    if marked and len(marked) < len(generations) / 2:
        first = generations[marked[0]]
        note = (
            f"Line {marked[0] + 1} of the cell begins with # and is read as a text, like every line; delete a comment."
        )
        generations[marked[0]] = replace(first, notes=(*first.notes, note))


def _sources(name: str, text: str, cell: str | None) -> str | list[str]:
    if cell is not None:
        if text:
            raise OptionError("Give one source per line in the cell, or a text on the line, not both.")
        if not cell.strip():
            raise DataError("There is nothing to generate from: write one source per line in the cell.")
        return cell.replace("\r\n", "\n").rstrip().split("\n")  # a blank line keeps its place
    if not text.strip():
        raise DataError(f'There is nothing to generate from: write %textgen_generate {name} "some text".')
    return text
