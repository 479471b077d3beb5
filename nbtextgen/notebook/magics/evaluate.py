"""``textgen_evaluate``: how good a model is on pairs it has not seen."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import line_cell_magic, magics_class

from nbtextgen.core.errors import OptionError
from nbtextgen.core.options import options_of
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.notebook.arguments import COMMON, flag_option, help_table, parse_line, text_option, words_option
from nbtextgen.notebook.session import Commands, in_one_line
from nbtextgen.notebook.show_code import call, show

DECODING = options_of(DecodingConfig)
EVALUATE = (
    {
        one.name: one
        for one in (
            text_option("data", "held-out pairs: a variable or expression of the notebook, a file, or builtin:NAME"),
            text_option("source", "name of the source column"),
            text_option("target", "name of the target column"),
            words_option("metrics", "exact, bleu, chrf, ter, rougeL, error-rate, ...; default: what suits the tokens"),
            flag_option("group_sources", "pairs with the same source are several right answers to it"),
        )
    }
    | COMMON
    | DECODING
)


@magics_class
class EvaluateCommands(Commands):
    """Evaluating."""

    @line_cell_magic
    @in_one_line
    def textgen_evaluate(self, line: str, cell: str | None = None) -> Any:
        parsed = parse_line(line, EVALUATE)
        model = self.session.model(parsed.words, "evaluate")
        if len(parsed.words) > 1:
            raise OptionError(f"Only one name is expected, got also '{parsed.words[1]}'; give the pairs with --data.")
        options = {name: value for name, value in parsed.options.items() if name not in COMMON and name != "data"}
        data, code = self.session.pairs(parsed.options.get("data"), cell, "textgen_evaluate")
        if parsed.options.get("show_code"):
            return show(*code.imports, call(f"{parsed.words[0]}.evaluate", code.expression, options))
        return model.evaluate(data, **options)


EvaluateCommands.textgen_evaluate.__doc__ = f"""Measure a model on pairs it has not seen.

    %textgen_evaluate NAME --data DATA [options]
    scores = %textgen_evaluate NAME --data DATA
    %%textgen_evaluate NAME               pairs in the cell, one per line: source, a tab or ' => ', target

Each figure comes with its 95 % interval.

Example:

    %textgen_evaluate french --data test.tsv --metrics bleu,chrf --beam 5

Options:

{help_table(EVALUATE)}
"""
