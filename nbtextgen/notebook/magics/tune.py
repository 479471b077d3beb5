"""``textgen_tune``: search for good settings within a time limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.magic import line_cell_magic, magics_class
from IPython.display import DisplayHandle

from nbtextgen.core.escaping import visible
from nbtextgen.notebook.arguments import COLUMNS, COMMON, by_name, columns_in, flag_option, text_option, words_option
from nbtextgen.notebook.code import call, print_code
from nbtextgen.notebook.lines import ParsedLine
from nbtextgen.notebook.magics.base import Commands, command
from nbtextgen.notebook.progress import Throttle
from nbtextgen.notebook.search_words import FIT, MINUTES, SEARCHED, search_as_code, search_of

if TYPE_CHECKING:
    from nbtextgen.tuning import Tuning

OWN = (
    by_name(
        text_option("data", "a variable or expression of the notebook, a file, or builtin:NAME"),
        *COLUMNS,
        MINUTES,
        words_option(
            "search",
            "settings to search, with a range low..high or choices a/b, as learning-rate:0.001..0.01,cell:lstm/gru; "
            "by default learning-rate,hidden-size,dropout",
        ),
        flag_option("quiet", "show no progress"),
    )
    | COMMON
)
TUNE = OWN | FIT
UPDATE_SECONDS = 1.0
"""Shortest time between two updates of the charts."""


@magics_class
class TuneCommands(Commands):
    """Tuning."""

    @line_cell_magic
    @command(TUNE, "new", sections={"Search": OWN, "Settings of all trials": FIT})
    def textgen_tune(self, parsed: ParsedLine) -> object:
        """Search for good settings within a time limit; the best model goes into the variable.

            %textgen_tune NAME --data DATA --minutes 5
            tuning = %textgen_tune NAME --data DATA          tuning.trials: all trials; tuning.best: the best model
            %textgen_panel NAME --kind tune --data DATA      the same with sliders

        Options of %textgen_train that are on the line are the same in all trials. An interrupt keeps the best model so far.

        Example:

            %textgen_tune french --data df --search learning-rate:0.001..0.01,cell:lstm/gru --minutes 10
        """
        from nbtextgen.tuning import search_space, tune

        name = self.session.new_name(parsed.words, "%textgen_tune")
        own = parsed.options
        settings = search_of(own.get("search") or SEARCHED)
        fixed = {key: value for key, value in own.items() if key in FIT}
        search_space(settings, fixed)  # a wrong one shows before the data is read
        data, code = self.session.pairs(own.get("data"), parsed.cell, "textgen_tune")
        columns = columns_in(own)
        minutes = own.get("minutes", MINUTES.default)
        if own.get("show_code"):
            options = ({"options": fixed} if fixed else {}) | columns
            called = call("tune", f"{code.expression}, {search_as_code(settings)}, {minutes:g}", options)
            return print_code(*code.imports, "from nbtextgen import tune", f"{name} = {called}.best")
        self.session.check_alone()
        self.session.check_free(name)
        shown = _Progress(minutes) if self.session.rich and not own.get("quiet") else None
        where = f"A search for settings of {name} is running in a cell: interrupt it there"
        with self.session.searching(self, where):
            tuning = tune(data, settings, minutes, options=fixed, on_progress=shown, **columns)
        self.session.variables[name] = tuning.best
        if shown is not None:
            shown.end(f"{name} is the best of {len(tuning.trials)} trials.")
        return tuning


class _Progress:
    """A line that says how far the search is."""

    def __init__(self, minutes: float) -> None:
        self._minutes, self._throttle, self._handle = minutes, Throttle(UPDATE_SECONDS), DisplayHandle()
        self._shown = False

    def __call__(self, tuning: Tuning) -> None:
        if self._throttle.due():
            best = "" if tuning.best_trial is None else f"; best so far {tuning.metric} {tuning.best_trial.value:.4g}"
            self._show(
                f"Trial {len(tuning.trials)}, {tuning.seconds / 60:.1f} of {self._minutes:g} minutes{best}; interrupt to stop"
            )

    def end(self, text: str) -> None:
        """Show the last line."""
        self._show(text)

    def _show(self, text: str) -> None:
        bundle = {"text/plain": text, "text/html": f"<div role='status'>{visible(text)}</div>"}
        (self._handle.update if self._shown else self._handle.display)(bundle, raw=True)
        self._shown = True
