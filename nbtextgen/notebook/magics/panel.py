"""``textgen_panel``: panels with sliders to train, generate and tune."""

from __future__ import annotations

from IPython.core.magic import line_magic, magics_class

from nbtextgen.core.errors import OptionError
from nbtextgen.notebook import live_page
from nbtextgen.notebook.arguments import COMMON, LIVE, bits_of_live, by_name, choice_option, text_option
from nbtextgen.notebook.code import Values, call, print_code
from nbtextgen.notebook.lines import ParsedLine
from nbtextgen.notebook.magics.base import Commands, command

OPTIONS = (
    by_name(
        choice_option("kind", "auto", ("auto", "train", "generate", "tune", "history"), "which panel"),
        text_option("data", "training data, as for textgen_train"),
    )
    | LIVE
    | COMMON
)


@magics_class
class PanelCommands(Commands):
    """Panels."""

    @line_magic
    @command(OPTIONS, "model", rest="text")
    def textgen_panel(self, parsed: ParsedLine) -> object:
        """Train, generate and tune with sliders; show a background training.

            %textgen_panel                          settings for a new model, the estimated cost, and Start
            %textgen_panel NAME                     its running training; otherwise generate with the model while you type
            %textgen_panel runs/RUN                 a run in other processes, for instance after a restart of this kernel
            %textgen_panel NAME --kind tune         search for good settings within a time limit
            %textgen_panel NAME --kind history      how the model was trained
            %textgen_panel NAME --live              generates while you type in the saved notebook, too, without a kernel

        After a reload of the page, use it to show the panel of a running training again.

        Example:

            %textgen_panel dates --data builtin:dates
        """
        options: Values = {name: value for name, value in parsed.options.items() if name in ("kind", "data") and value}
        bits = bits_of_live(parsed.options)
        options |= {} if bits is None else {"live": bits}
        words = [*parsed.words, *([parsed.text] if parsed.text else [])]
        if parsed.options.get("show_code"):
            return print_code(
                "from nbtextgen.notebook import panel", call("panel", ", ".join(map(repr, words)), options)
            )
        return self.open(words, **options)

    def open(self, words: list[str], kind: str = "auto", data: str = "", live: int = 0) -> object:
        """Return the panel for a model's name, if any; with ``auto``, show the panel of a running training.

        Args:
            words: the line: a name, and a text.
            kind, data: as the options of the magic.
            live: bits of each weight of a page that the saved notebook holds; 0 for none.
        """
        if live and (kind not in ("auto", "generate") or data or not words):
            raise OptionError("--live needs a model to generate with, for instance: %textgen_panel french --live")
        if live:
            kind = "generate"
        training = self.session.trainings.get(words[0] if words else "")
        if kind == "auto" and training is not None and training.running:
            from nbtextgen.notebook.live.panel import show_again

            return show_again(training, rich=self.session.rich)
        if kind == "auto" and words:
            from nbtextgen.notebook.reattach import reattach

            run = getattr(self.session.variables.get(words[0]), "run", None)  # of a detached training of this kernel
            if words[0] not in self.session.variables:
                training = reattach(self.session, words[0])
            else:
                training = reattach(self.session, str(run.folder), words[0]) if run is not None else None
            if training is not None:
                return None
        if kind == "auto":
            kind = self._default_kind(words, data)
        if kind in ("generate", "history"):
            return self._model_panel(kind, words, live)
        name = self.session.new_name(words, "%textgen_panel") if words else "model"
        if kind == "tune":
            from nbtextgen.notebook.panels.tune import TunePanel

            return TunePanel(self.session, name, data)
        from nbtextgen.notebook.panels.train import TrainPanel

        return TrainPanel(self.session, name, data)

    def _default_kind(self, words: list[str], data: str) -> str:
        """Return the kind of panel for ``auto``: sliders need a notebook, a terminal gets text."""
        if data or not (words or not self.session.rich):
            return "train"
        if not words:
            names = ", ".join(self.session.training_names)
            hint = f"{names} is training now" if names else "train one first with %textgen_train"
            raise OptionError(f"Name the model to show ({hint}).")
        return "generate" if self.session.rich else "history"

    def _model_panel(self, kind: str, words: list[str], live: int = 0) -> object:
        try:
            model = self.session.model(words, "show")
        except OptionError as error:
            if words and words[0].isidentifier() and words[0] not in self.session.scope:
                raise OptionError(f"{error.message} To train it: %textgen_panel {words[0]} --data=DATA") from None
            raise
        if kind == "history":
            from nbtextgen.notebook.live.static_view import History

            return History.of(words[0], model)
        from nbtextgen.notebook.panels.generate import GeneratePanel

        text = " ".join(words[1:])
        if not live:
            return GeneratePanel(self.session, words[0], text)
        page = live_page(model, text, name=words[0], bits=live, still=not self.session.rich)
        return GeneratePanel(self.session, words[0], page.text, page) if self.session.rich else page
