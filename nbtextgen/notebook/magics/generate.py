"""``textgen_generate``: generate text with a trained model."""

from __future__ import annotations

from IPython.core.magic import line_cell_magic, magics_class

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.core.options import options_of
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.notebook.arguments import COMMON, TEXT, by_name
from nbtextgen.notebook.code import call, print_code
from nbtextgen.notebook.lines import ParsedLine
from nbtextgen.notebook.magics.base import Commands, command

OWN = by_name(TEXT) | COMMON
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
            %%textgen_generate NAME               one source per line in the cell

        Example:

            %textgen_generate french "a man is sleeping" --beam 5 --n-best 3
        """
        options = {name: value for name, value in parsed.options.items() if name not in OWN}
        model = self.session.model(parsed.words)
        text = _sources(parsed.words[0], self.text(parsed), parsed.cell)
        if parsed.options.get("show_code"):
            return print_code(call(f"{parsed.words[0]}.generate", repr(text), options))
        return model.generate(text, **options)


def _sources(name: str, text: str, cell: str | None) -> str | list[str]:
    if cell is not None:
        if text:
            raise OptionError("Give one source per line in the cell, or a text on the line, not both.")
        sources = [text for text in cell.replace("\r\n", "\n").split("\n") if text.strip()]
        if not sources:
            raise DataError("There is nothing to generate from: write one source per line in the cell.")
        return sources
    if not text.strip():
        raise DataError(f'There is nothing to generate from: write %textgen_generate {name} "some text".')
    return text
