"""``textgen_continue``: what a model that learned a text writes after a beginning."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import line_magic, magics_class

from nbtextgen.core.options import Option, options_of
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.notebook.arguments import COMMON, flag_option, help_table, parse_line, text_option
from nbtextgen.notebook.progress import Throttle
from nbtextgen.notebook.session import Commands, in_one_line
from nbtextgen.notebook.show_code import call, show

_LENGTH = Option("length", int, False, 200, "tokens to write", 1, None, None, None, None)
_DRAWN = {"sample": True, "temperature": 0.8, "top_p": 0.95}
"""A continuation is drawn unless ``--no-sample`` is on the line: the likeliest text repeats itself."""
CONTINUE = (
    {_LENGTH.name: _LENGTH, "quiet": flag_option("quiet", "show nothing while it writes")}
    | {"panel": flag_option("panel", "sliders for length, temperature and top-p"), "into": text_option("into", "variable that receives the text")}
    | COMMON
    | {name: one for name, one in options_of(DecodingConfig).items() if name not in ("beam", "n_best")}
)  # fmt: skip


@magics_class
class TextCommands(Commands):
    """Writing on."""

    @line_magic
    @in_one_line
    def textgen_continue(self, line: str, cell: str | None = None) -> Any:
        parsed = parse_line(line, CONTINUE)
        model = self.session.model(parsed.words, "write on with")
        own = ("length", "quiet", "panel", "into", *COMMON)
        decoding = _DRAWN | {name: value for name, value in parsed.options.items() if name not in own}
        text, length = " ".join(parsed.words[1:]), parsed.options.get("length", _LENGTH.default)
        if parsed.options.get("show_code"):
            return show(
                call(f"print({parsed.words[0]}.continue_text", repr(text), {"length": length, **decoding}) + ")"
            )
        if parsed.options.get("panel"):
            from nbtextgen.notebook.panels.text import continuation_panel

            return continuation_panel(model, text, length, decoding)
        pieces, pace = [text], Throttle()
        if not parsed.options.get("quiet"):
            print(text, end="", flush=True)
        for piece in model.stream_continuation(text, length, **decoding):
            pieces.append(piece)
            if not parsed.options.get("quiet"):
                print(piece, end="", flush=pace.due())
        if not parsed.options.get("quiet"):
            print()
        if parsed.options.get("into"):
            self.session.variables[parsed.options["into"]] = "".join(pieces)
        return "".join(pieces) if parsed.options.get("quiet") else None


TextCommands.textgen_continue.__doc__ = f"""Write on after a beginning, with a model trained by %textgen_train NAME --text FILE.

    %textgen_continue NAME "Once upon a time" --length 500 --temperature 0.8 --top-p 0.95
    %textgen_continue NAME --panel
    text = %textgen_continue NAME "Once" --quiet

Example:

    %textgen_continue poet "The night was" --length 300 --seed 1

The text is shown as it is written. It is drawn at random (--temperature 0.8 --top-p 0.95) unless told otherwise; give a
--seed to draw the same again.

Options:

{help_table(CONTINUE)}
"""
