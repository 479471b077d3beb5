"""``textgen_explain``: explain the outputs of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from IPython.core.magic import line_magic, magics_class

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.core.options import Option, options_of
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.notebook.arguments import (
    COLUMN_NAMES,
    COLUMNS,
    COMMON,
    TEXT,
    by_name,
    columns_in,
    flag_option,
    text_option,
)
from nbtextgen.notebook.code import Values, call, print_code
from nbtextgen.notebook.lines import ParsedLine
from nbtextgen.notebook.magics.base import Commands, command
from nbtextgen.notebook.progress import ProgressLine

if TYPE_CHECKING:
    from nbtextgen.generator import TextGenerator

OWN = by_name(
    TEXT,
    text_option(
        "data", "explain a whole data set: a variable, a file, builtin:NAME, or valid (what training held out)"
    ),
    Option("limit", int, False, 200, "most pairs of --data that are looked at", 1, None, None, None, None),
    *COLUMNS,
    text_option("gold", "word alignments of --data such as 0-0 1-2, one line a pair: a variable or a file"),
    Option("gold_start", int, False, 0, "number of the first word in --gold", 0, 1, None, None, None),
    text_option("background", "texts that missing units are sampled from, as --data"),
    text_option("save", "file for the explanation: a page of HTML, or data if its name ends in .json"),
    flag_option("counterfactual", "find the smallest edits that change the output, and the fewest units that keep it"),
    Option(
        "rows",
        int,
        True,
        None,
        "training rows that speak for the output, and against it: most of each",
        1,
        None,
        None,
        None,
        None,
    ),
    text_option("token", "with --counterfactual or --rows: the part of the output that is meant, a piece of its text"),
    flag_option("sanity", "compare with models of random weights"),
    flag_option("static", "show a table that needs no kernel, instead of the panel"),
)
EXPLAIN = COMMON | OWN | options_of(ExplanationConfig)


@magics_class
class ExplainCommands(Commands):
    """Explaining."""

    @line_magic
    @command(EXPLAIN, "model", rest="text")
    def textgen_explain(self, parsed: ParsedLine) -> object:
        """Explain why a model generates an output.

            %textgen_explain NAME "some text" [options]
            e = %textgen_explain NAME "some text"      e.explanation, e.explanations
            %textgen_explain NAME --text VARIABLE
            %textgen_explain NAME --data DATA          over a data set
            %textgen_explain NAME "some text" --counterfactual [--token 01]
            %textgen_explain NAME "some text" --rows 10 [--token 01] [--data TRAINING_DATA]

        Examples:

            %textgen_explain french "a man is sleeping" --method shap,attention,lime --unit word
            %textgen_explain french "a man is sleeping" --contrast "une femme dort"
        """
        own = {name: parsed.options.get(name) for name in (*COMMON, *OWN)}
        model, text = self.session.model(parsed.words, "explain"), self.text(parsed)
        options = {name: value for name, value in parsed.options.items() if name not in own}
        if own["data"] is None and own["target"] is not None:  # of a single text: what its output should have been
            options["target"], own["target"] = own["target"], None
        if own["data"] is not None and text and own["rows"] is None:
            raise OptionError(f"Give a text or --data, not both (got {text!r} and --data {own['data']}).")
        if (own["data"] is None or own["rows"] is not None) and not text:
            raise DataError(f'There is nothing to explain: write %textgen_explain {parsed.words[0]} "some text".')
        if own["token"] is not None and not own["counterfactual"] and own["rows"] is None:
            raise OptionError(
                "--token names the part of the output that --counterfactual or --rows is about; give both."
            )
        if name := next((name for name in COLUMN_NAMES if own[name] and not (own["data"] or own["background"])), ""):
            raise OptionError(f"--{name} needs --data.")
        if own["show_code"]:
            return print_code(*self._code(parsed.words[0], text, own, options))
        if own["rows"] is not None:
            return self._training_rows(model, text, own, options)
        if own["background"] is not None:
            options["background"] = self._background(own["background"], columns_in(own))
        if own["data"] is not None:
            explanation: object = self._explain_data(model, own, options)
        elif own["counterfactual"]:
            explanation = model.counterfactual(text, token=own["token"], **options)
        elif own["sanity"]:
            from nbtextgen.explanation.sanity import sanity_check

            explanation = sanity_check(model, text, **options)
        elif own["static"] or own["save"] or not self.session.rich:
            explanation = model.explain(text, **options)
        else:
            from nbtextgen.notebook.explain.panel import ExplanationPanel

            explanation = ExplanationPanel.of(model, text, **options)
        if own["save"] is not None:
            save = getattr(explanation, "save", None)
            if save is None:
                raise OptionError("--save keeps explanations; leave out --sanity and --counterfactual.")
            print(f"saved to {save(own['save'])}")
        return explanation

    def _training_rows(self, model: TextGenerator, text: str, own: Values, options: Values) -> object:
        """Find training rows with a progress line."""
        data = {} if own["data"] is None else {"data": self.session.data(own["data"]), **columns_in(own)}
        if options:
            raise OptionError(f"--rows does not take --{next(iter(options)).replace('_', '-')}; leave it out.")
        with ProgressLine("training rows read", rich=self.session.rich) as counter:
            return model.training_rows(text, token=own["token"], count=own["rows"], on_progress=counter, **data)

    def _explain_data(self, model: TextGenerator, own: Values, options: Values) -> object:
        """Explain a data set with a progress line; an interrupt keeps the results so far."""
        pairs = self._pairs(model, own["data"])
        gold = {} if own["gold"] is None else {"gold": self._alignments(own["gold"])}
        if own["gold_start"] is not None:
            gold["gold_start"] = own["gold_start"]
        with ProgressLine("texts explained", rich=self.session.rich) as counter:
            limit = own["limit"] or 200
            return model.explain_data(pairs, **columns_in(own), limit=limit, on_progress=counter, **gold, **options)

    def _alignments(self, text: str) -> list[str]:
        """Return alignments from a variable, or the lines of a file."""
        if text in self.session.scope:
            return [str(line) for line in self.session.scope[text]]
        try:
            return Path(text).expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise DataError(f"--gold {text} is neither a variable nor a file that can be read: {error}.") from None

    def _pairs(self, model: TextGenerator, text: str) -> object:
        if self._is_held_out(text):
            if model.held_out is None:
                raise DataError("This model has no held-out pairs at hand; give --data a variable or a file.")
            return model.held_out
        return self.session.data(text)

    def _background(self, text: str, columns: Values) -> object:
        """Return a list of texts as it is, or the sources of a data set."""
        from nbtextgen.data.pairs import Pairs

        data = self.session.data(text, "--background")
        if isinstance(data, (list, tuple)) and all(isinstance(item, str) for item in data):
            return data
        return Pairs.of(data, **columns).sources

    def _code(self, name: str, text: str, own: Values, options: Values) -> list[str]:
        """Return the Python that does the same."""
        if own["rows"] is not None:
            part = {} if own["token"] is None else {"token": own["token"]}
            data = {} if own["data"] is None else columns_in(own)
            rows_data = [] if own["data"] is None else [f"data={self.session.data_as_code(own['data'])}"]
            return [
                call(
                    f"{name}.training_rows", ", ".join([repr(text), *rows_data]), {"count": own["rows"], **part, **data}
                )
            ]
        code = {
            key: self.session.data_as_code(own[key]) for key in ("data", "background", "gold") if own[key] is not None
        }
        background = [f"background={code['background']}"] if "background" in code else []
        if "data" in code:
            data = f"{name}.held_out" if self._is_held_out(own["data"]) else code["data"]
            arguments = [data, *background, *([f"gold={code['gold']}"] if "gold" in code else [])]
            counts = {name: own[name] for name in ("limit", "gold_start") if own[name] is not None}
            explained = call(
                f"{name}.explain_data", ", ".join(arguments), {**columns_in(own), "limit": 200, **counts, **options}
            )
            return [_saved(explained, own["save"])]
        if own["counterfactual"]:
            part = {} if own["token"] is None else {"token": own["token"]}
            return [call(f"{name}.counterfactual", ", ".join([repr(text), *background]), {**part, **options})]
        if own["sanity"]:
            checked = call("sanity_check", ", ".join([name, repr(text), *background]), options)
            return ["from nbtextgen.explanation.sanity import sanity_check", checked]
        explained = call(f"{name}.explain", ", ".join([repr(text), *background]), options)
        return [_saved(explained, own["save"])]

    def _is_held_out(self, text: str) -> bool:
        """Return whether ``--data valid`` means the pairs that training held out."""
        return text == "valid" and text not in self.session.scope


def _saved(code: str, path: str | None) -> str:
    return code if path is None else f"{code}.save({path!r})"
