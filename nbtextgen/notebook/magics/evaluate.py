"""``textgen_evaluate``: measure a model on pairs that it was not trained on."""

from __future__ import annotations

from IPython.core.magic import line_cell_magic, magics_class

from nbtextgen.core.errors import OptionError
from nbtextgen.core.options import options_of
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.notebook.arguments import COMMON, by_name, flag_option, text_option, words_option
from nbtextgen.notebook.code import call, print_code
from nbtextgen.notebook.lines import ParsedLine
from nbtextgen.notebook.magics.base import Commands, command

OPTIONS = (
    by_name(
        text_option("data", "test pairs: a variable or expression of the notebook, a file, or builtin:NAME"),
        text_option("source", "name of the source column"),
        text_option("target", "name of the target column"),
        words_option("metrics", "exact, bleu, chrf, ter, rougeL, error-rate, ...; default: depends on the tokens"),
        flag_option("group_sources", "treat pairs with the same source as several references for it"),
    )
    | COMMON
    | options_of(DecodingConfig)
)


@magics_class
class EvaluateCommands(Commands):
    """Evaluating."""

    @line_cell_magic
    @command(OPTIONS, "model")
    def textgen_evaluate(self, parsed: ParsedLine) -> object:
        """Measure a model on pairs that it was not trained on.

            %textgen_evaluate NAME --data DATA [options]
            scores = %textgen_evaluate NAME --data DATA
            %%textgen_evaluate NAME               pairs in the cell, one per line: source, a tab or ' => ', target

        Each score has a 95 % confidence interval.

        Example:

            %textgen_evaluate french --data test.tsv --metrics bleu,chrf --beam 5
        """
        model = self.session.model(parsed.words, "evaluate")
        if len(parsed.words) > 1:
            raise OptionError(f"Only one name is expected, got also '{parsed.words[1]}'; give the pairs with --data.")
        options = {name: value for name, value in parsed.options.items() if name not in COMMON and name != "data"}
        data, code = self.session.pairs(parsed.options.get("data"), parsed.cell, "textgen_evaluate")
        if parsed.options.get("show_code"):
            return print_code(*code.imports, call(f"{parsed.words[0]}.evaluate", code.expression, options))
        return model.evaluate(data, **options)
