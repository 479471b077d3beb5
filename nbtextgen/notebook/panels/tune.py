"""The Tune panel: settings to search, their ranges and the time limit; trials, importances, and the best model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets

from nbtextgen.core.cancellation import CancellationToken, Cancelled, run_job
from nbtextgen.core.errors import DataError, NbTextGenError, OptionError
from nbtextgen.data.pairs import Cleaned
from nbtextgen.notebook.background import BackgroundWorker, describe
from nbtextgen.notebook.code import MagicLine, Values, call
from nbtextgen.notebook.lines import Syntax, parse_line
from nbtextgen.notebook.panels.data_source import (
    DELAY,
    FIELDS,
    DataSource,
    columns_of,
    only_data,
    refusal,
    refused_files,
    size_and_example,
    suggestions,
)
from nbtextgen.notebook.panels.fields import field, text_field
from nbtextgen.notebook.panels.result import ResultBar
from nbtextgen.notebook.panels.widgets import CodeView, Form, Progress, Ranges, refusals, row, status
from nbtextgen.notebook.progress import Throttle
from nbtextgen.notebook.search_words import MINUTES, SEARCHED, search_as_code, search_as_words
from nbtextgen.notebook.static import Below, StaticForm
from nbtextgen.pipeline.settings import fit_options
from nbtextgen.training.controls import Controls
from nbtextgen.tuning import TUNABLE, Domain, Range, Tuning, search_space, tune, usual_range

if TYPE_CHECKING:
    import traitlets

    from nbtextgen.notebook.session import Session

OPTIONS = fit_options()
UPDATE_SECONDS, STILL_SECONDS = 1.0, 5.0
"""Shortest times between two updates of the charts, and of the static form."""


class TunePanel(StaticForm, ipywidgets.VBox):
    """A hyperparameter search in the background."""

    def __init__(self, session: Session, name: str = "model", data: str = "") -> None:
        """Create the panel; the variable ``name`` receives the best model. ``data`` is as after ``--data``."""
        self.session, self._source = session, DataSource(session)
        data = data or only_data(session)
        self._controls = Controls()
        self._worker = BackgroundWorker("nbtextgen tuning", delay=DELAY, on_error=self._show_error)
        self._throttle, self._still = Throttle(UPDATE_SECONDS), Throttle(STILL_SECONDS)
        self.tuning: Tuning | None = None
        help = "options of textgen_train that are the same in all trials"
        fixed = text_field("fixed", help, placeholder="--tokens char") | {"label": "fixed options", "wide": True}
        self.form = Form(
            sections=[{"title": "Tune", "fields": [*FIELDS, field(MINUTES), fixed]}],
            values={
                "name": name,
                "data": data,
                "source": "",
                "target": "",
                "encoding": "",
                "minutes": MINUTES.default,
                "fixed": "",
            },
            suggestions=suggestions(session, data),
        )
        self.ranges = Ranges(
            fields=[field(OPTIONS[name]) for name in TUNABLE],
            values={
                option: {"on": option in SEARCHED, "range": _ends(usual_range(OPTIONS[option]))} for option in TUNABLE
            },
        )
        self.code = CodeView()
        self.start = ipywidgets.Button(description="Start", button_style="primary", tooltip="Search in the background")
        self.stop = ipywidgets.Button(
            description="Stop", disabled=True, tooltip="Stop now and keep the best model so far"
        )
        self.status, self.charts, self.table = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        self.progress, self.below = Progress(self.cancel), Below(self)
        buttons = row(self.start, self.stop, self.progress)
        parts = [self.form, self.ranges, self.code, buttons, self.status, self.charts, self.table, self.below]
        parts.append(self.hidden_style())
        super().__init__(parts)
        self.start.on_click(lambda _: self._start())
        self.stop.on_click(lambda _: self._stop())
        self.form.observe(self._changed, "values")
        self.ranges.observe(self._changed, "values")
        self._changed()

    def search(self) -> dict[str, Domain]:
        """Return the search space, as ``tune`` takes it; a range that is refused is its usual one."""
        refused = self._range_problems()
        values = {name: value["range"] for name, value in self.ranges.values.items() if value["on"]}
        return {
            name: usual_range(OPTIONS[name]) if name in refused else _domain(name, ends)
            for name, ends in values.items()
        }

    def fixed(self) -> Values:
        """Return the settings that are the same in all trials; raises ``OptionError`` as the magic does."""
        parsed = parse_line(self.form.values.get("fixed") or "", Syntax(OPTIONS))
        if parsed.words:
            raise OptionError(f"Only options can be given here, got {' '.join(parsed.words)}; they begin with --.")
        return parsed.options

    def _changed(self, change: traitlets.Bunch | None = None) -> None:
        values = self.form.values
        if change is not None and change["owner"] is self.form and change["old"].get("data") != values.get("data"):
            self.form.suggestions = suggestions(self.session, values.get("data") or "")
        self.form.errors, self.ranges.errors = self._problems(), self._range_problems()
        self.start.disabled = bool(self.form.errors or self.ranges.errors) or not values.get("data")
        self.code.show({"Magic": self.line().magic(), "Python": self._python()})
        if not values.get("data"):
            self.status.value = status("Enter the training data, for instance builtin:dates.")
        elif "fixed" not in self.form.errors:
            self._worker.replace(lambda token: self._look(values, token))

    def _look(self, values: Values, token: CancellationToken) -> None:
        """Read the data that the form names, and say what they are, or at their field why they are refused."""
        try:
            ready = self._read(values, self.fixed().get("clean"), token)
        except NbTextGenError as error:
            token.raise_if_cancelled()
            self._refuse(error, values)
        else:
            token.raise_if_cancelled()
            self.status.value = status(size_and_example(ready))
            self.refresh_still()

    def _read(self, values: Values, clean: str | None, token: CancellationToken, *, again: bool = False) -> Cleaned:
        """Read the data; the bar says so when that takes a while, and its button ends it."""
        ready, late = list[Cleaned](), self.progress.late("Reading the data …")
        try:
            run_job(
                lambda _: ready.append(self._source.prepared(values, clean, again=again)),
                CancellationToken(token, late),
            )
        finally:
            self.progress.state = {}
        return ready[0]

    def cancel(self) -> None:
        """End the reading of the data; a search that has begun goes on."""
        self._worker.cancel()
        if not self.start.disabled:
            self.status.value = status("Cancelled: the data were not read.")

    def _refuse(self, error: NbTextGenError, values: Values) -> None:
        """Show an error at the field that it is about; nothing can be started with it."""
        name, words = refusal(error, values) if isinstance(error, DataError) else ("fixed", error.in_magic)
        self.form.errors = {**self.form.errors, name: words}
        self.start.disabled = True
        self.status.value = ""
        self.refresh_still()

    def line(self) -> MagicLine:
        """Return the call of ``textgen_tune`` that does the same as Start."""
        values = self.form.values
        try:
            fixed, minutes = self.fixed(), self._minutes()
        except OptionError:
            fixed, minutes = {}, MINUTES.default
        search = search_as_words(self.search())
        options = {"data": values["data"], **columns_of(values), "minutes": f"{minutes:g}", "search": search, **fixed}
        return MagicLine("textgen_tune", values["name"], options)

    def _problems(self) -> dict[str, str]:
        problems = self._source.problems(self.form.values)
        try:
            self._minutes()
        except OptionError as error:
            problems["minutes"] = error.in_form
        try:
            refused = next(iter(refused_files(self.fixed()).values()), None)
        except NbTextGenError as error:
            refused = error
        return problems if refused is None else problems | {"fixed": refused.in_magic}

    def _range_problems(self) -> dict[str, str]:
        """Return an error for each setting whose range is refused, under its name; under no name, that none is searched."""
        searched = {name: value["range"] for name, value in self.ranges.values.items() if value["on"]}
        problems = {} if searched else {"": "Choose at least one setting to search."}
        try:
            fixed = self.fixed()
        except NbTextGenError:
            fixed = {}
        for name, values in searched.items():
            if not values:
                problems[name] = f"Choose at least one of {', '.join(OPTIONS[name].choices or ())}."
                continue
            try:
                search_space({name: _domain(name, values)}, fixed)
            except NbTextGenError as error:
                problems[name] = error.in_form
        return problems

    def _minutes(self) -> float:
        value = self.form.values["minutes"]
        return MINUTES.parse(value) if isinstance(value, str) else MINUTES.check(value)

    def _python(self) -> str:
        values = self.form.values
        try:
            fixed, minutes = self.fixed(), self._minutes()
        except OptionError:
            fixed, minutes = {}, MINUTES.default
        options = ({"options": fixed} if fixed else {}) | columns_of(values)
        data = self.session.data_as_code(values.get("data") or "")
        called = call("tune", f"{data}, {search_as_code(self.search())}, {minutes:g}", options)
        return f"from nbtextgen import tune\n{values['name']} = {called}.best"

    # Search --------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        """Begin the search; the second press of a double click finds the button off."""
        if self.start.disabled:
            return
        self._worker.cancel(wait=True)
        self.form.errors, self.ranges.errors = self._problems(), self._range_problems()
        if self.form.errors or self.ranges.errors:
            return
        if running := self.session.in_training():
            self.status.value = status(running, alert=True)
            self.session.when_free(self, self._when_free)
            self.refresh_still()
            return
        self._controls, self.tuning = Controls(), None
        self._enable(False)
        self.status.value = status("Starting …")
        self.below.show()
        search, minutes, values, fixed = self.search(), self._minutes(), self.form.values, self.fixed()
        name = values["name"]
        where = f"A search for settings of {name} is running in its Tune panel: press Stop there"
        self.session.begin_search(self, where)
        self._worker.submit(lambda token: self._search(token, values, search, minutes, fixed))

    def _when_free(self) -> None:
        """Take back that something else trains."""
        if self.comm is not None and not self.form.disabled:
            self._changed()

    def _search(
        self, token: CancellationToken, values: Values, search: dict[str, Domain], minutes: float, fixed: Values
    ) -> None:
        """Read the data anew, since a variable may have changed, and search."""
        try:
            ready = self._read(values, fixed.pop("clean", None), token, again=True)
        except Cancelled:
            self.status.value = status("Cancelled: the search has not begun.")
        except NbTextGenError as error:
            self._refuse(error, values)
        else:
            self._tune(ready, search, minutes, fixed, values["name"])
        finally:
            self.session.end_search(self)
            self._enable(True)
            self.refresh_still()

    def _tune(self, ready: Cleaned, search: dict[str, Domain], minutes: float, fixed: Values, name: str) -> None:
        def on_progress(tuning: Tuning) -> None:
            self._on_progress(tuning, name, minutes)

        try:
            tuning = tune(ready, search, minutes, options=fixed, on_progress=on_progress, controls=self._controls)
            self._show(tuning, name)
            self.status.value = status(
                f"{name} is the best of {len(tuning.trials)} trials, after {tuning.seconds:.0f} s."
            )
            self.below.show(ResultBar.opened(self.session, name, ready.pairs.sources[0]))
        except NbTextGenError:
            if self.tuning is not None:  # nothing in the table is running any more
                self._show(self.tuning, name)
            raise

    def _stop(self) -> None:
        """End the search after the current update."""
        self._controls.stop()
        self.stop.disabled = True
        self.status.value = status("Stopping …")

    def _show_error(self, error: BaseException) -> None:
        self.status.value = status(describe(error), alert=True)
        self.refresh_still()

    def _on_progress(self, tuning: Tuning, name: str, minutes: float) -> None:
        """Show the search so far; called in its thread."""
        self.tuning = tuning
        if self._controls.stopping or not self._throttle.due():
            return
        self._show(tuning, name)
        time = f"{tuning.seconds / 60:.1f} of {minutes:g} minutes"
        best = "" if tuning.best_trial is None else f"; best so far {tuning.metric} {tuning.best_trial.value:.4g}"
        self.status.value = status(f"Trial {len(tuning.trials)}, {time}{best}")
        if self._still.due():
            self.refresh_still()

    def _show(self, tuning: Tuning, name: str) -> None:
        self.tuning = tuning
        if tuning.best is not None:
            self.session.variables[name] = tuning.best
        self.charts.value = tuning.charts()
        # A table that scrolls on narrow pages must be reachable by keyboard.
        self.table.value = (
            f"<div class='ntg-table' tabindex='0' role='group' aria-label='Trials'>{tuning.table()}</div>"
        )

    def _enable(self, on: bool) -> None:
        self.stop.disabled = (
            on  # first, so that the focus does not go from Start to Stop, where a second press would stop
        )
        self.form.disabled = self.ranges.disabled = not on
        self.start.disabled = not on or bool(self.form.errors)

    def summary(self) -> tuple[str, str]:
        """Return the panel as text and as static HTML."""
        labels = {name: OPTIONS[name].name.replace("_", " ") for name in self.ranges.errors if name} | {"": "search"}
        html = "" if self.tuning is None else self.tuning._repr_mimebundle_()["text/html"]
        text, opened = self.below.summary()
        page = self.form.refusals() + refusals(labels, self.ranges.errors) + self.status.value + html + opened
        return "\n".join(filter(None, (f"Tune panel: {self.code.pieces[0]['code']}", text))), page


def _domain(name: str, values: Sequence[Any]) -> Domain:
    """Return the range of a number between two values, which may be typed, or the choices; raises ``OptionError``."""
    usual, option = usual_range(OPTIONS[name]), OPTIONS[name]
    if not isinstance(usual, Range):
        return tuple(values)
    low, high = (option.parse(end) if isinstance(end, str) else option.check(end) for end in values)
    return Range(low, high, usual.logarithmic)


def _ends(search: Domain) -> list[object]:
    return [search.low, search.high] if isinstance(search, Range) else list(search)
