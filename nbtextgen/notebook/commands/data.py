"""``textgen_data``: look at the pairs before training."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import line_cell_magic, magics_class

from nbtextgen.notebook.commands.common import COMMON
from nbtextgen.notebook.options import flag_option, help_table, parse_line, text_option
from nbtextgen.notebook.python import show
from nbtextgen.notebook.session import Commands, in_one_line

DATA = {
    one.name: one
    for one in (
        text_option("source", "name of the source column"),
        text_option("target", "name of the target column"),
        flag_option("brief", "counts, lengths and samples only, without looking for problems"),
    )
} | COMMON


@magics_class
class DataCommands(Commands):
    """Looking at data."""

    @line_cell_magic
    @in_one_line
    def textgen_data(self, line: str, cell: str | None = None) -> Any:
        from nbtextgen.data.raw import RawPairs
        from nbtextgen.notebook.look import look

        parsed = parse_line(line, DATA)
        data, code = self.session.pairs(" ".join(parsed.words) or None, cell, "textgen_data", option="")
        sides = {side: parsed.options[side] for side in ("source", "target") if side in parsed.options}
        if parsed.options.get("show_code"):
            named = "".join(f", {side}={name!r}" for side, name in sides.items())
            return show("from nbtextgen import Pairs", f"Pairs.of({code.expression}{named}).report()")
        rows = RawPairs.of(data, **sides)
        return look(rows, None if parsed.options.get("brief") else rows.report())


DataCommands.textgen_data.__doc__ = f"""Look at pairs before training: counts, lengths, characters, samples, and what may be wrong.

    %textgen_data EXPRESSION              a variable or expression of the notebook, a file, or builtin:NAME
    look = %textgen_data EXPRESSION       look.report: the findings
    %%textgen_data                        pairs in the cell, one per line: source, a tab or ' => ', target

Example:

    %textgen_data df --source en --target fr

Options:

{help_table(DATA)}
"""
