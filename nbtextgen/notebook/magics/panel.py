"""``textgen_panel``: the panel of a training, of a model, or for a new one."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import line_magic, magics_class

from nbtextgen.core.errors import OptionError
from nbtextgen.notebook.arguments import COMMON, choice_option, help_table, parse_line, text_option
from nbtextgen.notebook.session import Commands, in_one_line
from nbtextgen.notebook.show_code import call, show

PANEL = {
    one.name: one
    for one in (
        choice_option("kind", "auto", ("auto", "train", "generate", "tune", "history"), "which panel"),
        text_option("data", "what to train on, as for textgen_train"),
    )
} | COMMON


@magics_class
class PanelCommands(Commands):
    """Panels."""

    @line_magic
    @in_one_line
    def textgen_panel(self, line: str, cell: str | None = None) -> Any:
        parsed = parse_line(line, PANEL)
        given = {name: value for name, value in parsed.options.items() if name in ("kind", "data") and value}
        if parsed.options.get("show_code"):
            words = [parsed.words[0], " ".join(parsed.words[1:])][: len(parsed.words)] if parsed.words else []
            return show("from nbtextgen.notebook import panel", call("panel", ", ".join(map(repr, words)), given))
        return self.open(parsed.words, **given)

    def open(self, words: list[str], kind: str = "auto", data: str = "") -> Any:
        """The panel that fits a model's name, if any, and what is known of it; shows a running training itself."""
        training = self.session.trainings.get(words[0] if words else "")
        if kind == "auto" and training is not None and training.running:
            return training.show(rich=self.session.rich)
        if kind == "auto" and words and words[0] not in self.session.variables:
            from nbtextgen.notebook.live.reattach import reattached

            if reattached(self.session, words[0]) is not None:
                return None
        if kind == "auto":
            kind = self._fitting_kind(words, data)
        if kind in ("generate", "history"):
            return self._panel_of_model(kind, words)
        name = self.session.new_name(words, "%textgen_panel") if words else "model"
        if kind == "tune":
            from nbtextgen.notebook.panels.tune import TunePanel

            return TunePanel(self.session, name, data)
        from nbtextgen.notebook.panels.train import TrainPanel

        return TrainPanel(self.session, name, data)

    def _fitting_kind(self, words: list[str], data: str) -> str:
        """What to show when nothing is said: sliders need a notebook, a terminal gets what can be read."""
        if data or not (words or not self.session.rich):
            return "train"
        if not words:
            names = [one for one, training in self.session.trainings.items() if training.running]
            there = f"{', '.join(names)} is training now" if names else "train one first with %textgen_train"
            raise OptionError(f"Name the model to show ({there}).")
        return "generate" if self.session.rich else "history"

    def _panel_of_model(self, kind: str, words: list[str]) -> Any:
        model = self.session.model(words, "show")
        if kind == "history":
            from nbtextgen.notebook.live.history import History

            return History.of(words[0], model)
        from nbtextgen.notebook.panels.generate import GeneratePanel

        return GeneratePanel(self.session, words[0], " ".join(words[1:]))


PanelCommands.textgen_panel.__doc__ = f"""Train, generate and tune with sliders; show a training that goes on in the background.

    %textgen_panel                          settings for a new model, what it would cost, and Start
    %textgen_panel NAME                     a training that goes on, else: generate with the model while you type
    %textgen_panel runs/RUN                 a run that other processes train, for instance after a restart of this kernel
    %textgen_panel NAME --kind tune         search for settings within a budget of minutes
    %textgen_panel NAME --kind history      how the model was trained

After a reload of the page this brings the panel of a running training back.

Example:

    %textgen_panel dates --data builtin:dates

Options:

{help_table(PANEL)}
"""
