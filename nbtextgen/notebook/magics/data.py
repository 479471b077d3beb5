"""``textgen_data``: describe pairs before training, and clean them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

from IPython.core.magic import line_cell_magic, magics_class

from nbtextgen.core.options import options_of
from nbtextgen.core.wording import counted
from nbtextgen.notebook.arguments import COLUMNS, COMMON, by_name, columns_in, flag_option, text_option
from nbtextgen.notebook.code import MagicLine, Values, call, print_code
from nbtextgen.notebook.lines import ParsedLine
from nbtextgen.notebook.magics.base import Commands, command
from nbtextgen.notebook.progress import ProgressLine
from nbtextgen.notebook.variables import free_variable, holds_data
from nbtextgen.tokenizers.config import TokenizerConfig

if TYPE_CHECKING:
    import pandas

    from nbtextgen.data.pairs import Cleaned, Pairs, RawPairs

_TOKENS = options_of(TokenizerConfig)
OPTIONS = (
    by_name(
        *COLUMNS,
        flag_option("brief", "counts, lengths and samples only, without a check for problems"),
        text_option("valid", "validation pairs, to check for overlap with"),
        text_option("clean", "cleaning steps to apply, as nfc,whitespace,dedupe"),
        text_option("into", "variable that receives the cleaned pairs"),
        flag_option("panel", "panel to choose cleaning steps and preview their changes"),
        *(_TOKENS[name] for name in ("tokens", "source_tokens", "target_tokens", "vocabulary_size")),
    )
    | COMMON
)

MAGIC_OPTIONS = ("source", "target", "encoding")
"""Options that a magic on the cleaned data needs as well."""


@magics_class
class DataCommands(Commands):
    """Looking at data."""

    @line_cell_magic
    @command(OPTIONS, "data", words=0, rest="expression")
    def textgen_data(self, parsed: ParsedLine) -> object:
        """Describe pairs before training: counts, lengths, characters, samples and possible problems; clean them.

            %textgen_data EXPRESSION              a variable or expression of the notebook, a file, or builtin:NAME
            view = %textgen_data EXPRESSION       view.report: the problems found
            cleaned = %textgen_data EXPRESSION --clean nfc,whitespace,dedupe
            %textgen_data EXPRESSION --panel      choose cleaning steps and preview their changes
            %%textgen_data                        pairs in the cell, one per line: source, a tab or ' => ', target

        Example:

            %textgen_data df --source en --target fr

        Train on the cleaned pairs with %textgen_train french --data cleaned. The model stores the steps, and applies those that
        rewrite a text to every input. `cleaned.dropped_frame()` returns the rows that were removed. With --into, a data frame
        gives a data frame.
        """
        from nbtextgen.data.pairs import Pairs, RawPairs
        from nbtextgen.notebook.data_view import DataView

        own = {name: value for name, value in parsed.options.items() if value is not None}
        data, code = self.session.pairs(parsed.text, parsed.cell, "textgen_data", option="")
        sides = columns_in(own)
        tokens = {name: own[name] for name in _TOKENS if name in own}
        into = _variable(f"{parsed.text}_clean" if parsed.text else "")
        if "into" in own:
            into = free_variable(own["into"], self.session.variables, holds_data)
        if own.get("show_code"):
            return print_code(*self._code(code.expression, own, sides, tokens))
        with ProgressLine("Reading the data", rich=self.session.rich) as line:
            rows = line.during(lambda: RawPairs.of(data, **sides))
            valid = None
            if "valid" in own:
                valid = line.during(lambda: Pairs.of(self.session.data(own["valid"], "--valid"), **sides))
            line.what = f"Looking at {counted(len(rows), 'row')}"
            if own.get("panel"):
                return line.during(lambda: self._panel(parsed, data, rows, valid, tokens, into))
            if "clean" not in own:
                report = None if own.get("brief") else line.during(lambda: rows.report(valid=valid, **tokens))
                return line.during(lambda: DataView.of(rows, report))
            line.what = f"Cleaning {counted(len(rows), 'row')}"
            cleaned = line.during(lambda: rows.clean(own["clean"], valid=valid))
        if "into" in own:
            self._keep(data, cleaned, into, sides)
        return cleaned

    def _keep(self, data: object, cleaned: Cleaned, name: str, sides: Values) -> None:
        """Put what was cleaned into a variable: a frame if it was one, otherwise pairs.

        Both keep the steps, which a model trained on them applies as well.
        """
        columns = {side: sides[side] for side in ("source", "target") if side in sides}
        self.session.variables[name] = (
            cleaned.frame(cast("pandas.DataFrame", data), **columns) if _is_frame(data) else cleaned
        )

    def _panel(
        self, parsed: ParsedLine, data: object, rows: RawPairs, valid: Pairs | None, tokens: Values, into: str
    ) -> object:
        """Return the Clean panel; its button gives back a frame for a frame, and pairs for everything else."""
        from nbtextgen.notebook.panels.cleaning import CleaningPanel

        own = {name: value for name, value in parsed.options.items() if value is not None and name in MAGIC_OPTIONS}
        sides = {name: own[name] for name in ("source", "target") if name in own}

        def keep(cleaned: Cleaned) -> str:
            self._keep(data, cleaned, into, sides)
            what = "rows are a data frame" if _is_frame(data) else "pairs are"
            train = MagicLine("textgen_train", "NAME", {"data": into, **(sides if _is_frame(data) else {})})
            return f"{len(cleaned.pairs):,} {what} in {into}; train with {train.magic()}"

        def line(steps: str) -> MagicLine:
            return MagicLine("textgen_data", parsed.text or "", own | {"clean": steps, "into": into})

        return CleaningPanel(rows, valid, tokens, keep, line)

    def _code(self, expression: str, own: Values, sides: Values, tokens: Values) -> list[str]:
        """Return the Python that does the same."""
        lines = ["from nbtextgen import Pairs, RawPairs", call("rows = RawPairs.of", expression, sides)]
        valid = ""
        if "valid" in own:
            lines.append(call("valid = Pairs.of", self.session.data_as_code(own["valid"]), sides))
            valid = "valid=valid"
        if "clean" in own:
            first = ", ".join(part for part in (repr(own["clean"]), valid) if part)
            frame = call(".frame", expression, {side: sides[side] for side in ("source", "target") if side in sides})
            is_frame = "into" in own and _is_frame(self.session.scope.get(expression))
            return [*lines, f"{own.get('into', 'cleaned')} = rows.clean({first}){frame if is_frame else ''}"]
        return [*lines, call("rows.report", valid, tokens)]


def _is_frame(data: object) -> bool:
    """Return whether the data is a pandas frame; pandas is not imported for that."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


def _variable(name: str) -> str:
    """Return the variable for the cleaned pairs; ``clean_pairs`` if the data is not a plain variable."""
    return name if name.isidentifier() else "clean_pairs"
