"""``textgen_continue``: continue a text with a language model."""

from __future__ import annotations

from IPython.core.magic import line_magic, magics_class

from nbtextgen.core.escaping import pictured_lines
from nbtextgen.core.options import options_of
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.notebook.arguments import COMMON, LENGTH, SAMPLED, TEXT, by_name, flag_option, text_option
from nbtextgen.notebook.code import call, print_code
from nbtextgen.notebook.lines import ParsedLine
from nbtextgen.notebook.magics.base import Commands, command
from nbtextgen.notebook.progress import Throttle
from nbtextgen.notebook.variables import free_variable

OWN = (
    by_name(
        LENGTH,
        TEXT,
        flag_option("quiet", "do not show the text while it is generated"),
        flag_option("panel", "sliders for length, temperature and top-p"),
        text_option("into", "variable that receives the text"),
    )
    | COMMON
)
OPTIONS = OWN | {name: option for name, option in options_of(DecodingConfig).items() if name not in ("beam", "n_best")}


@magics_class
class ContinueCommands(Commands):
    """Continuing a text."""

    @line_magic
    @command(OPTIONS, "model", rest="text")
    def textgen_continue(self, parsed: ParsedLine) -> object:
        """Continue a text, with a model trained by %textgen_train NAME --text FILE.

            %textgen_continue NAME "Once upon a time" --length 500 --temperature 0.8 --top-p 0.95
            %textgen_continue NAME --panel
            text = %textgen_continue NAME "Once" --quiet

        Example:

            %textgen_continue poet "The night was" --length 300 --seed 1

        The text is shown while it is generated. By default it is sampled with --temperature 0.8 --top-p 0.95; give a --seed to
        get the same text again.
        """
        model = self.session.model(parsed.words, "continue with")
        decoding = SAMPLED | {name: value for name, value in parsed.options.items() if name not in OWN}
        into = parsed.options.get("into")
        if into is not None:  # before minutes of generation
            into = free_variable(into, self.session.variables, lambda value: isinstance(value, str))
        text, length = self.text(parsed), parsed.options.get("length", LENGTH.default)
        if parsed.options.get("show_code"):
            return print_code(
                call(f"print({parsed.words[0]}.continue_text", repr(text), {"length": length, **decoding}) + ")"
            )
        if parsed.options.get("panel"):
            from nbtextgen.notebook.panels.continuation import ContinuePanel

            return ContinuePanel(model, parsed.words[0], text, length, decoding)
        pieces, throttle = [text], Throttle()
        if not parsed.options.get("quiet"):
            print(pictured_lines(text), end="", flush=True)
        for piece in model.stream(text, length, **decoding):
            pieces.append(piece)
            if not parsed.options.get("quiet"):
                print(pictured_lines(piece), end="", flush=throttle.due())
        if not parsed.options.get("quiet"):
            print()
        if into is not None:
            self.session.variables[into] = "".join(pieces)
        return "".join(pieces) if parsed.options.get("quiet") else None
