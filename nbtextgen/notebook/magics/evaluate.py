"""``textgen_evaluate``: measure a model on pairs that it was not trained on."""

from __future__ import annotations

from IPython.core.magic import line_cell_magic, magics_class

from nbtextgen.core.errors import OptionError
from nbtextgen.core.options import options_of
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.notebook.arguments import COLUMNS, COMMON, by_name, flag_option, text_option, words_option
from nbtextgen.notebook.code import Values, call, print_code
from nbtextgen.notebook.lines import ParsedLine
from nbtextgen.notebook.magics.base import Commands, command
from nbtextgen.notebook.progress import ProgressLine

OPTIONS = (
    by_name(
        text_option("data", "test pairs: a variable or expression of the notebook, a file, or builtin:NAME"),
        *COLUMNS,
        words_option(
            "metrics",
            "exact, bleu, chrf, ter, rougeL, error-rate, ...; or a function of the notebook; default: depends on the tokens",
        ),
        flag_option("group_sources", "treat pairs with the same source as several references for it"),
    )
    | COMMON
    | options_of(DecodingConfig)
)


ANALYSIS = by_name(
    flag_option(
        "error_analysis", "show where the model is worse than elsewhere, and what stands for what in its outputs"
    )
)


@magics_class
class EvaluateCommands(Commands):
    """Evaluating."""

    @line_cell_magic
    @command(OPTIONS | ANALYSIS, "model")
    def textgen_evaluate(self, parsed: ParsedLine) -> object:
        """Measure a model on pairs that it was not trained on.

            %textgen_evaluate NAME --data DATA [options]
            scores = %textgen_evaluate NAME --data DATA
            %%textgen_evaluate NAME               pairs in the cell, one per line: source, a tab or ' => ', target

        Each score has a 95 % confidence interval. scores.slices() are parts of the data in which the model is worse than
        elsewhere, and scores.confusions() what stands for what; --error-analysis shows both.

        Example:

            %textgen_evaluate french --data test.tsv --metrics bleu,chrf --beam 5 --error-analysis
        """
        model = self.session.model(parsed.words, "evaluate")
        if len(parsed.words) > 1:
            raise OptionError(f"Only one name is expected, got also '{parsed.words[1]}'; {_advice(parsed)}.")
        options = self._options(parsed)
        data, code = self.session.pairs(parsed.options.get("data"), parsed.cell, "textgen_evaluate")
        analysed = bool(options.pop("error_analysis", False))
        if parsed.options.get("show_code"):
            evaluation = call(f"{parsed.words[0]}.evaluate", code.expression, options)
            analysis = ("display(scores.slices(), scores.confusions())",) if analysed else ()
            return print_code(*code.imports, f"scores = {evaluation}" if analysed else evaluation, *analysis)
        with ProgressLine("pairs generated", rich=self.session.rich) as counter:
            scores = model.evaluate(data, on_progress=counter, **options)
        scores.analysed = analysed
        return scores

    @line_cell_magic
    @command(OPTIONS, "models", words=2)
    def textgen_compare(self, parsed: ParsedLine) -> object:
        """Compare two models on the same pairs: is the difference more than chance, and which outputs differ?

            %textgen_compare FIRST SECOND --data DATA [options]
            comparison = %textgen_compare FIRST SECOND --data DATA      comparison.changes: the outputs that differ
            %%textgen_compare FIRST SECOND       pairs in the cell, one per line: source, a tab or ' => ', target

        Example:

            %textgen_compare french french2 --data test.tsv --metrics bleu,chrf
        """
        from nbtextgen.comparison import compare

        if len(parsed.words) != 2:
            raise OptionError(
                "Name the two models to compare, two at a time, for instance: %textgen_compare french french2 --data test.tsv"
            )
        first, second = parsed.words
        models = self.session.model([first], "compare"), self.session.model([second], "compare")
        options = self._options(parsed)
        options["names"] = (first, second)
        data, code = self.session.pairs(parsed.options.get("data"), parsed.cell, "textgen_compare")
        if parsed.options.get("show_code"):
            imports = f"from nbtextgen import {', '.join(['Pairs', 'compare'] if code.imports else ['compare'])}"
            return print_code(imports, call("compare", f"{first}, {second}, {code.expression}", options))
        with ProgressLine("outputs generated", rich=self.session.rich) as counter:
            return compare(*models, data, on_progress=counter, **options)

    def _options(self, parsed: ParsedLine) -> Values:
        """Return the options of ``evaluate``; a metric that is a function of the notebook is that function."""
        from nbtextgen.evaluation.metrics import HIGHER_IS_BETTER

        options = self.session.with_glossary(
            {name: value for name, value in parsed.options.items() if name not in COMMON and name != "data"}
        )
        if "metrics" in options:
            functions = {
                word: self.session.scope.get(word) for word in options["metrics"] if word not in HIGHER_IS_BETTER
            }
            options["metrics"] = [
                functions[word] if callable(functions.get(word)) else word for word in options["metrics"]
            ]
            for word in options["metrics"]:
                if isinstance(word, str) and "." in word:
                    raise OptionError(
                        f"There is no metric '{word}'; assign the function to a variable and give its name, as --metrics=same_year."
                    )
        return options


def _advice(parsed: ParsedLine) -> str:
    """What to do instead of a second name."""
    from nbtextgen.evaluation.metrics import HIGHER_IS_BETTER

    if parsed.words[1] in HIGHER_IS_BETTER and "metrics" in parsed.options:
        return f"put commas between metrics: --metrics={','.join([*parsed.options['metrics'], *parsed.words[1:]])}"
    return "give the pairs with --data"
