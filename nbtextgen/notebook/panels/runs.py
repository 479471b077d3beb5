"""The table of runs as a panel: sort, open, resume, compare and delete."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import ipywidgets

from nbtextgen.core.cancellation import CancellationToken, Cancelled
from nbtextgen.core.errors import NbTextGenError, OptionError
from nbtextgen.notebook.background import BackgroundWorker, describe
from nbtextgen.notebook.code import Values
from nbtextgen.notebook.live.record import record_of
from nbtextgen.notebook.live.static_view import bundle
from nbtextgen.notebook.panels.embedded import EmbeddedView
from nbtextgen.notebook.panels.widgets import Progress, RunsTable, output, status
from nbtextgen.notebook.quoting import quoted
from nbtextgen.notebook.run_actions import open_run
from nbtextgen.notebook.runs_view import RunsView
from nbtextgen.notebook.static import Below, StaticForm
from nbtextgen.run.folder import Run

if TYPE_CHECKING:
    from nbtextgen.notebook.live.training import Training
    from nbtextgen.notebook.session import Session
    from nbtextgen.run.listing import RunRecord


class RunsPanel(StaticForm, ipywidgets.VBox):
    """The runs of a folder; what is chosen there is opened, resumed, compared or deleted."""

    def __init__(self, session: Session, view: RunsView) -> None:
        """Show the runs of a view."""
        self.session, self.view = session, view
        self.table, self.status, self.below = RunsTable(), ipywidgets.HTML(), Below(self)
        self._worker = BackgroundWorker("nbtextgen runs", on_error=self._show_error)
        self.progress = Progress(self.cancel)
        self._resumed = set[str]()  # the runs that are in training here
        self.table.on_msg(self._receive)
        super().__init__([self.table, self.progress, self.status, self.below, self.hidden_style()])
        self._show_rows()

    def _show_rows(self) -> None:
        head, *rows = self.view.rows()
        self.table.heads = head
        self.table.rows = [
            {"name": run.name, "cells": row, "keys": [_sort_key(cell) for cell in row]}
            for run, row in zip(self.view, rows, strict=False)
        ]

    def _receive(self, _: object, message: Values, buffers: object = None) -> None:
        """Handle a message from the page."""
        actions: dict[object, Callable[[list[RunRecord]], str]] = {
            "open": self._open,
            "resume": self._resume,
            "compare": self._compare_chosen,
            "delete": self._delete,
        }
        action, names = actions.get(message.get("action")), message.get("names") or []
        chosen = [run for run in self.view if run.name in names]
        if action is None or not chosen or (action == self._resume and chosen[0].name in self._resumed):
            return  # the second press of a double click
        if self.table.disabled:
            return
        if gone := [run.name for run in chosen if not Run.is_run(run.folder)]:
            self.view = self.view.again()
            self._show_rows()
            self.status.value = status(f"{', '.join(gone)}: no longer there, so no longer in the table.", alert=True)
            self.refresh_still()
            return
        try:
            self.status.value = ""
            if said := action(chosen):
                self.status.value = status(said)
        except NbTextGenError as error:
            self._show_error(error)
        self.refresh_still()

    def _show_error(self, error: BaseException) -> None:
        self.status.value = status(describe(error), alert=True)
        self.refresh_still()

    def _variable(self, run: RunRecord) -> str:
        match = re.match(r"[^\W\d]\w*", run.name)
        return self.session.new_name([match[0] if match else "model"], "%textgen_runs open RUN --into")

    def _open(self, chosen: list[RunRecord]) -> str:
        run, name = chosen[0], self._variable(chosen[0])
        self.session.check_free(name)
        self.table.disabled = True

        def work(token: CancellationToken) -> None:
            try:
                with self.progress.shown(f"Opening {run.name} \u2026"):
                    history = open_run(self.session, run, name)
                self.below.show(output(history._repr_mimebundle_()["text/html"]))
                self.status.value = status(f"{name} is the best model of {run.name}")
            except Cancelled:
                self.status.value = status("Cancelled.")
            finally:
                self.table.disabled = False
            self.refresh_still()

        self._worker.submit(work)
        return ""  # it is said when it is done

    def cancel(self) -> None:
        """Stop opening a run."""
        self._worker.cancel()
        if not self._worker.busy:  # it had not begun
            self.table.disabled = False

    def _resume(self, chosen: list[RunRecord]) -> str:
        run, name = chosen[0], self._variable(chosen[0])
        if running := self.session.in_training():
            self.session.when_free(self, self._when_free)
            raise OptionError(running)
        commands = self.session.shell.magics_manager.registry["TrainCommands"]
        training = commands.prepare(f"{name} --resume {quoted(str(run.folder))} --background --progress none")
        training.at_end = lambda model: self.session.variables.__setitem__(name, model)
        view = EmbeddedView(training, partial(self._over, run), self.refresh_still)
        training.view = view
        training.callbacks.append(view)
        self._resumed.add(run.name)
        self.below.show(view.widget)
        training.start()
        return f"{run.name} is resumed into {name}"

    def _when_free(self) -> None:
        """Take back that something else trains."""
        self.status.value = ""
        self.refresh_still()

    def _over(self, run: RunRecord, training: Training) -> None:
        """Show how a resumed training ended; called in its thread."""
        self._resumed.discard(run.name)
        if training.record.error:
            self.status.value = status(training.record.error, alert=True)
        elif training.record.step is None:  # nothing was left to train
            self.below.show(output(bundle(record_of(training.name, Run.open(run.folder).history()))["text/html"]))
            self.status.value = status(f"The run had ended already; {training.name} is its best model")
        else:
            self.status.value = status(f"{training.name} is the best model of the run")
        self.view = self.view.again()
        self._show_rows()
        self.refresh_still()

    def _compare_chosen(self, chosen: list[RunRecord]) -> str:
        self.below.show(output(RunsView(self.view.folder, chosen).html()))
        return f"{len(chosen)} runs side by side"

    def _delete(self, chosen: list[RunRecord]) -> str:
        for run in chosen:
            Run.open(run.folder).delete()
        names = {run.name for run in chosen}
        self.view = RunsView(self.view.folder, [run for run in self.view if run.name not in names])
        self._show_rows()
        return " ".join([f"{', '.join(sorted(names))} deleted.", *([] if self.view else [repr(self.view)])])

    def summary(self) -> tuple[str, str]:
        """Return the runs as text and as static HTML."""
        return repr(self.view), self.view.html() + self.status.value + self.below.summary()[1]

    def still(self) -> dict[str, str]:
        """Return the static form: the table, without its text above it."""
        text, page = self.summary()
        return {"text/plain": text, "text/html": f'<div class="{self._still_id}">{page}</div>'}


def _sort_key(cell: str) -> float | str:
    """Return what a column is sorted by: the number that a cell begins with, a time in seconds, or its text."""
    if re.fullmatch(r"\d+(:\d\d)+", cell):
        return sum(int(part) * 60**power for power, part in enumerate(reversed(cell.split(":"))))
    match = re.search(r"-?\d[\d,]*\.?\d*(e-?\d+)?", cell)
    return float(match[0].replace(",", "")) if match and not re.match(r"[^\W\d]", cell) else cell.casefold()
