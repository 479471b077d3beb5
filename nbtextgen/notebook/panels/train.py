"""The Train panel: data and settings, the estimated cost, a learning-rate range test, and the equivalent code."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import ipywidgets

from nbtextgen.charts import figure
from nbtextgen.core.cancellation import CancellationToken, Cancelled
from nbtextgen.core.errors import DataError, NbTextGenError, form_words
from nbtextgen.generator import TextGenerator
from nbtextgen.notebook.arguments import START
from nbtextgen.notebook.background import BackgroundWorker, describe
from nbtextgen.notebook.code import MagicLine, Values
from nbtextgen.notebook.live.verdict import verdict
from nbtextgen.notebook.panels.data_source import (
    DELAY,
    FIELDS,
    FILES,
    DataSource,
    columns_of,
    fit_code,
    only_data,
    refusal,
    refused_files,
    size_and_example,
    suggestions,
)
from nbtextgen.notebook.panels.embedded import EmbeddedView
from nbtextgen.notebook.panels.fields import check_settings, defaults, field, refused_field, text_field
from nbtextgen.notebook.panels.result import ResultBar
from nbtextgen.notebook.panels.widgets import CodeView, Form, Progress, row, status
from nbtextgen.notebook.static import Below, StaticForm
from nbtextgen.pipeline.estimate import TrialRun, trial_run
from nbtextgen.pipeline.settings import fit_options

if TYPE_CHECKING:
    import traitlets

    from nbtextgen.notebook.live.training import Training
    from nbtextgen.notebook.session import Session
    from nbtextgen.pipeline.defaults import Plan
OPTIONS = fit_options()
SECTIONS = {
    "Text": ("tokens", "vocabulary_size"),
    "Network": ("cell", "attention", "hidden_size", "embedding_size", "encoder_layers", "decoder_layers", "dropout"),
    "Training": ("learning_rate", "schedule", "batch_size", "epochs", "max_minutes", "seed"),
}
INHERITED = ("cell", "attention", "hidden_size", "embedding_size", "encoder_layers", "decoder_layers")
"""Settings that a training takes from the model that it goes on from."""
ESTIMATING = "Estimating …"
NO_ESTIMATE = "No estimate while a training is running."
RANGE_UPDATES = 150
"""Most updates of a range test."""
REPLAY = 0.5
"""Share of old pairs in an epoch where none is given."""


class TrainPanel(StaticForm, ipywidgets.VBox):
    """Data and settings of a training, with a Start button."""

    def __init__(self, session: Session, name: str = "model", data: str = "") -> None:
        """Create the panel; the variable ``name`` receives the model. ``data`` is as after ``--data``."""
        self.session, self._source = session, DataSource(session)
        data = data or only_data(session)
        self._worker = BackgroundWorker("nbtextgen estimate", delay=DELAY, on_error=self._show_error)
        self.form = _form(session, name, data)
        self.cost = ipywidgets.HTML()
        self.finder = ipywidgets.Button(
            description="Find learning rate",
            tooltip="Train a temporary network with a rising learning rate",
            layout={"width": "auto"},
        )
        self.progress = Progress(self.cancel)
        self.use = ipywidgets.Button(description="Use", layout={"display": "none"})
        self.chart = ipywidgets.HTML()
        self.code = CodeView()
        self.start = ipywidgets.Button(description="Start", button_style="primary", tooltip="Train with these settings")
        self.status = ipywidgets.HTML()
        self.below = Below(self)
        finder, start = row(self.finder, self.progress, self.use), row(self.start)
        parts = [
            self.form,
            self.cost,
            finder,
            self.chart,
            self.code,
            start,
            self.status,
            self.below,
            self.hidden_style(),
        ]
        super().__init__(parts)
        self.finder.on_click(lambda _: self._begin_finding())
        self.use.on_click(lambda _: self.form.put(learning_rate=self._suggested))
        self.start.on_click(lambda _: self._start())
        self.form.observe(self._changed, "values")
        self._suggested = 0.0
        self._about = ""
        self._changed()

    # Settings ------------------------------------------------------------------------------------------------------

    def settings(self) -> tuple[Values, dict[str, str]]:
        """Return the settings that differ from their defaults, and an error for each that is refused."""
        settings, errors = check_settings(self.form.values, OPTIONS)
        inherited = INHERITED if self.form.values.get("start") else ()
        return {name: value for name, value in settings.items() if name not in inherited}, errors

    def starting(self) -> Values:
        """Return the model to go on from, as the user named it, and how much is replayed."""
        return check_settings(self.form.values, START)[0] if self.form.values.get("start") else {}

    def line(self) -> MagicLine:
        """Return the call of ``textgen_train`` that does the same as Start."""
        values = self.form.values
        options = {"data": values["data"], **columns_of(values), **self.starting(), **self.settings()[0]}
        return MagicLine("textgen_train", values["name"], options)

    def _changed(self, change: traitlets.Bunch | None = None) -> None:
        values = self.form.values
        if change is not None and change["old"].get("data") != values.get("data"):
            self.form.suggestions = suggestions(self.session, values.get("data") or "")
        settings, errors = self.settings()
        self.form.errors = errors = self._file_problems(settings) | errors | self._source.problems(values)
        self.start.disabled = bool(errors) or not values.get("data")
        self._enable_finder()
        python = fit_code(self.session, values, settings, self.starting())
        self.code.show({"Magic": self.line().magic(), "Python": python})
        if values.get("data"):
            self._worker.replace(self._estimate)
        else:
            self.cost.value = status("Enter the training data to see its size and the estimated training time.")

    @staticmethod
    def _file_problems(settings: Values) -> dict[str, str]:
        """Return an error for each field with a file that a training would refuse."""
        return {name: error.in_form for name, error in refused_files(settings).items()}

    # Estimates -----------------------------------------------------------------------------------------------------

    def _trial_run(self, *, testing: bool = False) -> TrialRun | None:
        """Prepare a trial run with the current settings; ``None``, with a message, if that is not possible now.

        With ``testing``, a button was pressed for it, and the message says what to do.
        """
        if running := self.session.in_training(apart_from=self):
            # An estimate would draw from the random numbers of the training.
            self.cost.value = status(running if testing else NO_ESTIMATE, alert=testing)
            self.session.when_free(self, self._when_free)
            return None
        settings, errors = self.settings()
        if errors or self.form.errors.keys() & {"start", *FILES}:
            self.cost.value = status("")
            return None
        try:
            ready = self._source.prepared(self.form.values, settings.pop("clean", None))
        except NbTextGenError as error:
            self._show_error(error)
            return None
        self._about = size_and_example(ready)
        if self.form.values.get("start"):
            self.cost.value = status(self._about, f"Training goes on from {self.form.values['start']}; no estimate.")
            return None
        options = TextGenerator(**settings).get_params() | {"store": None}  # pairs of which a sample is read
        trial = trial_run(options, ready)
        self.form.autos = _chosen_values(trial.plan)
        self.cost.value = status(f"{self._about} {ESTIMATING}")
        return trial

    def _when_free(self) -> None:
        """Estimate, and take back that something else trains."""
        self.status.value = ""
        if self.comm is not None and not self.form.disabled:
            self._worker.replace(self._estimate)

    def _show_error(self, error: BaseException) -> None:
        """Show an error beside the setting that it names, or under the form."""
        name = refused_field(error, OPTIONS) if isinstance(error, NbTextGenError) else None
        if name is not None:
            self._refuse(name, describe(error))
        elif isinstance(error, DataError):
            self._refuse(*refusal(error, self.form.values))
        else:
            self.cost.value = status(describe(error), alert=True)
            self.refresh_still()

    def _refuse(self, name: str, message: str) -> None:
        """Show an error at a field; nothing can be started with it."""
        self.form.errors = {**self.form.errors, name: message}
        self.cost.value = status("")
        self.start.disabled = self.finder.disabled = True
        self.refresh_still()

    def _estimate(self, token: CancellationToken) -> None:
        trial = self._trial_run()
        if trial is None:
            return
        token.raise_if_cancelled()
        estimate = trial.estimate(lambda: not token.cancelled)
        token.raise_if_cancelled()
        self.cost.value = status(self._about, str(estimate))
        self.refresh_still()

    def _begin_finding(self) -> None:
        self.finder.disabled = True
        self._worker.replace(self._find)

    def cancel(self) -> None:
        """Stop the range test and the estimate; a training that has begun goes on."""
        self._worker.cancel()
        if not self._worker.busy:  # it had not begun
            self._enable_finder()

    def _enable_finder(self) -> None:
        """Let a range test begin, unless the settings are refused or a model is gone on from."""
        self.finder.disabled = self.start.disabled or bool(self.form.values.get("start"))

    def _find(self, token: CancellationToken) -> None:
        """Run the learning-rate range test, in the background."""
        counter = self.progress.counter("updates", token)

        def on_progress(update: int) -> bool:
            with suppress(Cancelled):
                counter(update, RANGE_UPDATES)
            return not token.cancelled

        try:
            trial = self._trial_run(testing=True)
            if trial is None:
                return
            name = self.form.values["name"]
            where = f"A range test for {name} is running in its Train panel: press Cancel there"
            self.session.begin_search(self, where)
            with self.progress.shown("Looking for a learning rate …"):
                result = trial.find_learning_rate(on_progress=on_progress)
        finally:
            self.session.end_search(self)
            self._enable_finder()
        if token.cancelled:
            self.chart.value = status("The range test was stopped.")
            return
        self._suggested = result.suggestion
        self.chart.value = figure(result.chart(), "learning-rate")
        self.use.description, self.use.layout.display = f"Use {result.suggestion:g}", ""
        self._estimate(token)

    # Training ------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        """Run the magic line in the background; the second press of a double click finds the button off."""
        if self.start.disabled:
            return
        self._worker.cancel(wait=True)
        settings, errors = self.settings()
        problems = {**self._file_problems(settings), **errors, **self._source.problems(self.form.values)}
        if problems:
            self.form.errors = problems
            return
        if running := self.session.in_training(apart_from=self):
            self.status.value = status(running, alert=True)
            self.session.when_free(self, self._when_free)
            self.refresh_still()
            return
        commands = self.session.shell.magics_manager.registry["TrainCommands"]
        try:
            training = commands.prepare(f"{self.line().line()} --background --progress none")
        except NbTextGenError as error:
            self.status.value = status(error.in_form, alert=True)
            return
        self._enable(False)
        self.status.value = ""
        if ESTIMATING in self.cost.value:  # it was cancelled
            self.cost.value = status(self._about)
        view = EmbeddedView(training, self._over, self.refresh_still)
        training.view = view
        training.record.words = form_words
        training.callbacks.append(view)
        self.below.show(view.widget)
        training.start()
        self.refresh_still()

    def _over(self, training: Training) -> None:
        """Show the result of a training that has ended or failed; called in its thread."""
        self._enable(True)
        if training.record.error:
            self.status.value = status(training.record.error, alert=True)
            self.refresh_still()
            return
        self.status.value = status(text) if (text := verdict(training.record)) else ""
        source = self._source.prepared(self.form.values, self.settings()[0].get("clean")).pairs.sources[0]
        self.session.variables.setdefault(training.name, training.model)  # it may have been deleted meanwhile
        try:
            self.below.show(*self.below.children, ResultBar.opened(self.session, training.name, source))
        except NbTextGenError as error:  # it holds something else now
            self.status.value = status(error.in_form, alert=True)
        self.refresh_still()

    def _enable(self, on: bool) -> None:
        self.form.disabled = self.start.disabled = self.finder.disabled = not on

    def summary(self) -> tuple[str, str]:
        """Return the panel as text and as static HTML."""
        text, opened = self.below.summary()
        page = self.form.refusals() + self.cost.value + self.chart.value + self.status.value + opened
        return "\n".join(filter(None, (f"Train panel: {self.code.pieces[0]['code']}", text))), page


def _form(session: Session, name: str, data: str) -> Form:
    shown = [option for names in SECTIONS.values() for option in names]
    sections: list[Values] = [
        {"title": title, "fields": [_field(option) for option in names]} for title, names in SECTIONS.items()
    ]
    more = [field(option) for option_name, option in OPTIONS.items() if option_name not in shown]
    last = {"title": "More settings", "closed": True, "fields": more}
    going_on = {"title": "Go on from a model", "closed": True, "fields": _starting_fields()}
    texts = dict.fromkeys(("source", "target", "encoding", "start"), "")
    return Form(
        sections=[{"title": "Data", "fields": FIELDS}, going_on, *sections, last],
        values={"name": name, "data": data, **texts, "replay": None, **defaults(OPTIONS)},
        autos={"replay": REPLAY},
        suggestions=suggestions(session, data),
    )


def _field(name: str) -> Values:
    """Return the field of a setting; one that is taken from the model to go on from is idle with it."""
    return field(OPTIONS[name]) | ({"unless": "start"} if name in INHERITED else {})


def _starting_fields() -> list[Values]:
    """Return the fields of the model to go on from."""
    start = text_field("start", START["start"].help, placeholder="none: train a new model")
    return [
        start | {"label": "start from"},
        field(START["replay"]) | {"label": "replay of old pairs", "needs": "start"},
    ]


def _chosen_values(plan: Plan) -> Values:
    """Return the values of the settings that are chosen from the data, for the form to show."""
    parts = (plan.tokenizer, plan.model, plan.training)
    values = {name: value for part in parts for name, value in vars(part).items() if not isinstance(value, tuple)}
    tokens = {plan.tokenizer.source_tokens, plan.tokenizer.target_tokens}
    return values | {"replay": REPLAY} | ({"tokens": tokens.pop()} if len(tokens) == 1 else {})
