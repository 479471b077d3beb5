"""The Train panel: data and settings, what a run would cost, a learning-rate finder, and the line that does the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets

from nbtextgen.charts import figure
from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.core.errors import NbTextGenError, OptionError
from nbtextgen.core.escaping import visible
from nbtextgen.core.options import Option
from nbtextgen.notebook.background import BackgroundWorker, describe
from nbtextgen.notebook.live.panel import PanelShow
from nbtextgen.notebook.panels.fields import field
from nbtextgen.notebook.panels.generate import GeneratePanel
from nbtextgen.notebook.panels.recipe import MagicLine
from nbtextgen.notebook.panels.source import FIELDS, DataSource, columns_of, fit_code, suggestions
from nbtextgen.notebook.panels.static import StaticForm
from nbtextgen.notebook.panels.widgets import CodeView, Form
from nbtextgen.pipeline.plan import fit_options

if TYPE_CHECKING:
    from nbtextgen.data.pairs import Pairs
    from nbtextgen.notebook.live.training import Training
    from nbtextgen.notebook.session import Session
    from nbtextgen.pipeline.estimate import TrialRun
    from nbtextgen.pipeline.plan import Plan

OPTIONS = fit_options()
SECTIONS = {
    "Text": ("tokens", "vocabulary_size"),
    "Network": ("cell", "attention", "hidden_size", "embedding_size", "encoder_layers", "decoder_layers", "dropout"),
    "Training": ("learning_rate", "schedule", "batch_size", "epochs", "max_minutes", "seed"),
}
DELAY = 0.4
"""Seconds without a change before a new estimate begins."""


class TrainPanel(StaticForm, ipywidgets.VBox):
    """Settings of a run, from data to weights."""

    def __init__(self, session: Session, name: str = "model", data: str = "") -> None:
        """Show the panel.

        Args:
            session: the notebook.
            name: the variable that receives the model.
            data: what to train on, as after ``--data``.
        """
        self.session, self._source = session, DataSource(session)
        self._worker = BackgroundWorker("nbtextgen estimate", delay=DELAY, on_error=self._show_error)
        shown = [one for names in SECTIONS.values() for one in names]
        rest = [field(one) for key, one in OPTIONS.items() if key not in shown]
        self.form = Form(
            sections=[
                {"title": "Data", "fields": FIELDS},
                *(
                    {"title": title, "fields": [field(OPTIONS[one]) for one in names]}
                    for title, names in SECTIONS.items()
                ),
                {"title": "More settings", "closed": True, "fields": rest},
            ],
            values={"name": name, "data": data, "source": "", "target": ""}
            | {
                key: list(one.default) if isinstance(one.default, tuple) else one.default
                for key, one in OPTIONS.items()
            },
            suggestions=suggestions(session, data),
        )
        self.cost = ipywidgets.HTML()
        self.finder = ipywidgets.Button(
            description="Find learning rate", tooltip="Train a throw-away network at rising rates"
        )
        self.use = ipywidgets.Button(description="Use it", layout={"display": "none"})
        self.chart = ipywidgets.HTML()
        self.code = CodeView()
        self.start = ipywidgets.Button(description="Start", button_style="primary", tooltip="Train with these settings")
        self.status = ipywidgets.HTML()
        self.below = ipywidgets.VBox()
        super().__init__(
            [
                self.form,
                self.cost,
                row(self.finder, self.use),
                self.chart,
                self.code,
                row(self.start),
                self.status,
                self.below,
            ]
        )
        self.finder.on_click(lambda _: self._worker.replace(self._find))
        self.use.on_click(lambda _: self.form.put(learning_rate=self._suggested))
        self.start.on_click(lambda _: self._start())
        self.form.observe(self._changed, "values")
        self._suggested = 0.0
        self._about = ""
        self._changed()

    # Settings ------------------------------------------------------------------------------------------------------

    def settings(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Settings that differ from their defaults, and what is wrong with each that cannot be."""
        return checked_settings(self.form.values, OPTIONS)

    def line(self) -> MagicLine:
        """The call of ``textgen_train`` that does what Start does."""
        values = self.form.values
        own = {"data": values["data"], **columns_of(values)}
        return MagicLine("textgen_train", values["name"], {**own, **self.settings()[0]})

    def _changed(self, change: Any = None) -> None:
        values = self.form.values
        if change is not None and change["old"].get("data") != values.get("data"):
            self.form.suggestions = suggestions(self.session, values.get("data") or "")
        settings, errors = self.settings()
        self.form.errors = errors | self._source.problems(values)
        self.code.show({"Magic": self.line().magic(), "Python": fit_code(values, settings)})
        if values.get("data"):
            self._worker.replace(self._estimate)
        else:
            self.cost.value = status("Name the data to train on; its size and the cost of a run then appear here.")

    # Before a run --------------------------------------------------------------------------------------------------

    def _trial_run(self) -> TrialRun | None:
        """A run like the one that would start now; shows why there can be none."""
        from nbtextgen.generator import TextGenerator
        from nbtextgen.pipeline.estimate import trial_run

        if any(training.running for training in self.session.trainings.values()):
            self.cost.value = status(
                "A training is running; its random numbers are not to be disturbed by an estimate."
            )
            return None
        settings, errors = self.settings()
        if errors:
            self.cost.value = status("")
            return None
        ready = self._source.prepared(self.form.values, settings.pop("clean", None))
        prepared = trial_run(TextGenerator(**settings).get_params(), ready.data)
        self.form.autos = autos(prepared.plan)
        self._about = f"{len(ready.pairs):,} pairs, for instance {_example(ready.pairs)}. {ready.note}"
        self.cost.value = status(f"{self._about} Estimating …")
        return prepared

    def _show_error(self, error: BaseException) -> None:
        """Show an error beside the setting that it names first, or under the form."""
        message = describe(error)
        first = next((name for name, option in OPTIONS.items() if message.startswith(option.flag)), None)
        if first is not None:
            self.form.errors = {**self.form.errors, first: message}
        self.cost.value = status("" if first else message, alert=True)

    def _estimate(self, token: CancellationToken) -> None:
        trial_run = self._trial_run()
        if trial_run is None:
            return
        token.raise_if_cancelled()
        estimate = trial_run.estimate(lambda: not token.cancelled)
        token.raise_if_cancelled()
        self.cost.value = status(self._about, str(estimate))

    def _find(self, token: CancellationToken) -> None:
        """Run the learning-rate range test, in the background."""
        trial_run = self._trial_run()
        if trial_run is None:
            return

        def on_progress(update: int) -> bool:
            if update % 10 == 0:
                self.chart.value = status(f"Range test: update {update} of at most 150 …")
            return not token.cancelled

        found = trial_run.find_learning_rate(on_progress=on_progress)
        if token.cancelled:
            self.chart.value = status("The range test was ended by a change of the settings.")
            return
        self._suggested = found.suggestion
        self.chart.value = figure(found.chart(), "learning-rate")
        self.use.description, self.use.layout.display = f"Use {found.suggestion:g}", ""
        self._estimate(token)

    # The run -------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        """Do what the magic line does, in the background."""
        self._worker.cancel(wait=True)
        problems = {**self.settings()[1], **self._source.problems(self.form.values)}
        if problems:
            self.form.errors = problems
            return
        commands: Any = self.session.shell.magics_manager.registry["TrainCommands"]
        try:
            training = commands.prepare(f"{self.line().words()} --background --progress none")
        except NbTextGenError as error:
            self.status.value = status(str(error), alert=True)
            return
        self._enable(False)
        self.status.value = ""
        show = _Embedded(training, self._over)
        training.shown = show
        training.callbacks.append(show)
        self.below.children = [show.widget]
        training.start()

    def _over(self, training: Training) -> None:
        """The run has ended, well or not; called in its thread."""
        self._enable(True)
        if training.record.error:
            self.status.value = status(training.record.error, alert=True)
            return
        sample = self._source.prepared(self.form.values, self.settings()[0].get("clean")).pairs.sources[0]
        self.below.children = [*self.below.children, GeneratePanel(self.session, training.name, sample)]

    def _enable(self, on: bool) -> None:
        self.form.disabled = self.start.disabled = self.finder.disabled = not on

    def summary(self) -> tuple[str, str]:
        """The panel as text and as static HTML."""
        return f"Train panel: {self.code.pieces[0]['code']}", self.cost.value + self.chart.value


class _Embedded(PanelShow):
    """The live panel of a training as a part of this one."""

    def __init__(self, training: Training, ended: Callable[[Training], None]) -> None:
        super().__init__(training)
        self._ended = ended

    @property
    def widget(self) -> ipywidgets.Widget:
        """What to put on screen."""
        return self._panel

    def over(self) -> None:
        """The training has ended."""
        super().over()
        self._ended(self._training)


def checked_settings(values: Mapping[str, Any], options: Mapping[str, Option]) -> tuple[dict[str, Any], dict[str, str]]:
    """Values of a form as settings: those that differ from their defaults, and a sentence for each that is refused."""
    settings, errors = {}, {}
    for name, option in options.items():
        value = values.get(name)
        try:
            if isinstance(value, str) and value == "" and option.optional:
                value = None
            read = option.parse(value) if isinstance(value, str) and option.type is not str else option.check(value)
        except OptionError as error:
            errors[name] = str(error)
            continue
        if read != option.default:
            settings[name] = read
    return settings, errors


def autos(chosen: Plan) -> dict[str, Any]:
    """What each open setting would be, for the form to show."""
    parts = (chosen.tokenizer, chosen.model, chosen.training)
    found = {name: value for part in parts for name, value in vars(part).items() if not isinstance(value, tuple)}
    both = {chosen.tokenizer.source_tokens, chosen.tokenizer.target_tokens}
    return found | ({"tokens": both.pop()} if len(both) == 1 else {})


def _example(pairs: Pairs) -> str:
    source, target = (text if len(text) <= 60 else text[:57] + "…" for text in pairs[0])
    return f"“{source}” → “{target}”"


def status(*lines: str, alert: bool = False) -> str:
    """Text for an HTML widget, read out when it changes."""
    role = "alert" if alert else "status"
    colour = "color:var(--jp-error-color1,#c62828);" if alert else ""
    return f"<div role='{role}' style='{colour}line-height:1.5'>" + "<br>".join(map(visible, lines)) + "</div>"


def row(*widgets: Any) -> ipywidgets.HBox:
    return ipywidgets.HBox(list(widgets), layout={"flex_flow": "row wrap"})
