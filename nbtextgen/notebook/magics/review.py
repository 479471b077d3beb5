"""``textgen_review``: decide about outputs one after another, the doubtful first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.magic import line_magic, magics_class

from nbtextgen.core.errors import NbTextGenError, OptionError
from nbtextgen.notebook.arguments import COMMON, by_name, text_option
from nbtextgen.notebook.code import MagicLine, print_code
from nbtextgen.notebook.lines import ParsedLine
from nbtextgen.notebook.magics.base import Commands, command

if TYPE_CHECKING:
    from nbtextgen.generator import TextGenerator
    from nbtextgen.notebook.review.panel import ReviewPanel
    from nbtextgen.review import Review

OPTIONS = (
    by_name(
        text_option(
            "model", "variable of the model, for probabilities, candidates and explanations; default: its author"
        ),
        text_option("file", "where the decisions are kept; default: beside the table's file, or in the folder reviews"),
    )
    | COMMON
)


ADVICE = (
    "Outputs are reviewed: generate them with todo = %textgen_generate MODEL --data=DATA, then %textgen_review todo."
)


@magics_class
class ReviewCommands(Commands):
    """Reviewing."""

    @line_magic
    @command(OPTIONS, "outputs", words=0, rest="expression", advice=ADVICE)
    def textgen_review(self, parsed: ParsedLine) -> object:
        """Accept, correct or skip generated outputs one after another, the doubtful first, by mouse or by keyboard.

            todo = %textgen_generate NAME --data DATA --accept 0.99
            %textgen_review todo
            %textgen_review french.tsv            a table file that %textgen_generate --into wrote

        Every decision is on disk at once; the same line goes on where it was, also after a restart. `todo.corrections` are pairs:
        train on them with %textgen_train better --data todo.corrections --start NAME.

        Example:

            %textgen_review todo --model french
        """
        text, file = parsed.text, parsed.options.get("file")
        if not text:
            raise OptionError(
                "Name the outputs to review: a generated table or its file, for instance todo after "
                "todo = %textgen_generate MODEL --data=DATA"
            )
        if parsed.options.get("show_code"):
            return print_code(*self._code(text, file))
        outputs = self.session.data(text, "")
        if not self.session.rich:
            return self._review(outputs, file)
        return self.open(text, file, parsed.options.get("model"))

    def _review(self, outputs: object, file: str | None) -> Review:
        from nbtextgen.review import Review

        review = getattr(outputs, "review", None)
        return Review(outputs, file) if review is None else review(file)

    def open(self, text: str, file: str | None = None, model_name: str | None = None) -> ReviewPanel:
        """Return the panel that reviews the outputs that an expression stands for.

        Args:
            text: the expression.
            file: where the decisions are kept.
            model_name: the variable of a model; by default that of the one that wrote the outputs.
        """
        from nbtextgen.notebook.review.panel import ReviewPanel

        outputs = self.session.data(text, "")
        model, name = self._model(model_name, outputs)

        def pieces() -> dict[str, str]:
            start = {"start": name} if name else {}
            data = self._corrections(text, outputs, file)
            return {"Train on the corrections": MagicLine("textgen_train", "better", {"data": data, **start}).magic()}

        return ReviewPanel(self._review(outputs, file), model, pieces)

    def _model(self, name: str | None, outputs: object) -> tuple[TextGenerator | None, str]:
        """Return the model that is named, or the one that wrote the outputs, and its variable."""
        if name:
            return self.session.model([name]), name
        author = getattr(outputs, "model", "")
        for each in self.session.models() if author else ():
            model: TextGenerator = self.session.scope[each]
            try:
                if model.predictor.fingerprint == author:
                    return model, each
            except NbTextGenError:  # not trained yet
                continue
        return None, ""

    def _corrections(self, text: str, outputs: object, file: str | None) -> str:
        """Return an expression for the pairs."""
        if hasattr(outputs, "corrections"):
            return f"{text.strip()}.corrections"
        return f"{_review(self.session.data_as_code(text), file)}.corrections"

    def _code(self, text: str, file: str | None) -> list[str]:
        """Return the Python that does the same."""
        code = self.session.data_as_code(text)
        return ["from nbtextgen.review import Review", f"review = {_review(code, file)}", "review"]


def _review(outputs: str, file: str | None) -> str:
    return f"Review({outputs})" if file is None else f"Review({outputs}, {file!r})"
