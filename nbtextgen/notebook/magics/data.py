"""``textgen_data``: look at the pairs before training, and clean them."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import line_cell_magic, magics_class

from nbtextgen.core.errors import OptionError
from nbtextgen.core.options import options_of
from nbtextgen.notebook.arguments import COMMON, flag_option, help_table, parse_line, text_option
from nbtextgen.notebook.session import Commands, in_one_line, names_a_file
from nbtextgen.notebook.show_code import call, show
from nbtextgen.tokenizers.config import TokenizerConfig

_TOKENS = options_of(TokenizerConfig)
DATA = {
    one.name: one
    for one in (
        text_option("source", "name of the source column"),
        text_option("target", "name of the target column"),
        flag_option("brief", "counts, lengths and samples only, without looking for problems"),
        text_option("valid", "held-out pairs, to look for overlap with"),
        text_option("clean", "cleaning steps to apply, as nfc,whitespace,dedupe"),
        text_option("into", "variable that receives the cleaned pairs"),
        flag_option("panel", "choose cleaning steps with check boxes, and see what they would change"),
        *(_TOKENS[name] for name in ("tokens", "source_tokens", "target_tokens", "vocabulary_size")),
    )
} | COMMON


@magics_class
class DataCommands(Commands):
    """Looking at data."""

    @line_cell_magic
    @in_one_line
    def textgen_data(self, line: str, cell: str | None = None) -> Any:
        from nbtextgen.data.pairs import Pairs, RawPairs
        from nbtextgen.notebook.data_view import look

        parsed = parse_line(line, DATA)
        own = {name: value for name, value in parsed.options.items() if value is not None}
        data, code = self.session.pairs(" ".join(parsed.words) or None, cell, "textgen_data", option="")
        sides = {side: own[side] for side in ("source", "target") if side in own}
        tokens = {each: own[each] for each in _TOKENS if each in own}
        into = _variable(own.get("into") or (f"{parsed.words[0]}_clean" if parsed.words else "clean_pairs"), own)
        if own.get("show_code"):
            return show(*_code(code.expression, own, sides, tokens))
        rows = RawPairs.of(data, **sides)
        valid = Pairs.of(self.session.data(own["valid"], "--valid"), **sides) if "valid" in own else None
        if own.get("panel"):
            from nbtextgen.notebook.panels.data import cleaning_panel

            return cleaning_panel(rows, valid, tokens, lambda cleaned: self._keep(cleaned, into), into)
        if "clean" not in own:
            return look(rows, None if own.get("brief") else rows.report(valid=valid, **tokens))
        cleaned = rows.clean(own["clean"], valid=valid)
        if "into" in own:
            self._keep(cleaned, into)
        return cleaned

    def _keep(self, cleaned: Any, name: str) -> None:
        """Put what was cleaned into a variable; it remembers its steps, so that a model trained on it does too."""
        self.session.variables[name] = cleaned


def _variable(name: str, own: dict[str, Any]) -> str:
    """The variable for what was cleaned; a made-up one where the data is no plain variable."""
    if name.isidentifier():
        return name
    if "into" in own:
        raise OptionError(f"--into '{name}' cannot be a variable name; use letters, digits and _.")
    return "clean_pairs"


def _code(expression: str, own: dict[str, Any], sides: dict[str, Any], tokens: dict[str, Any]) -> list[str]:
    """The Python that does the same."""
    lines = ["from nbtextgen import Pairs, RawPairs", call("rows = RawPairs.of", expression, sides)]
    valid = ""
    if "valid" in own:
        given = repr(own["valid"]) if names_a_file(own["valid"]) else own["valid"]
        lines.append(call("held = Pairs.of", given, sides))
        valid = "valid=held"
    if "clean" in own:
        first = ", ".join(part for part in (repr(own["clean"]), valid) if part)
        return [*lines, f"{own.get('into', 'cleaned')} = rows.clean({first})"]
    return [*lines, call("rows.report", valid, tokens)]


DataCommands.textgen_data.__doc__ = f"""Look at pairs before training: counts, lengths, characters, samples, and what may be wrong; clean them.

    %textgen_data EXPRESSION              a variable or expression of the notebook, a file, or builtin:NAME
    look = %textgen_data EXPRESSION       look.report: the findings
    cleaned = %textgen_data EXPRESSION --clean nfc,whitespace,dedupe
    %textgen_data EXPRESSION --panel      check boxes for the cleaning steps, and what each would change
    %%textgen_data                        pairs in the cell, one per line: source, a tab or ' => ', target

Example:

    %textgen_data df --source en --target fr

What is cleaned can be trained on (%textgen_train french --data cleaned): the model remembers the steps and applies
those that rewrite a text to whatever it is asked to read. `cleaned.dropped_frame()` gives the rows left out.

Options:

{help_table(DATA)}
"""
