"""``textgen_tune``: search for good settings within a time limit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from IPython.core.magic import line_cell_magic, magics_class
from IPython.display import DisplayHandle

from nbtextgen.core.errors import OptionError, nearest
from nbtextgen.core.escaping import visible
from nbtextgen.core.options import Option
from nbtextgen.notebook.arguments import COLUMNS, COMMON, by_name, flag_option, text_option, words_option
from nbtextgen.notebook.code import call, print_code
from nbtextgen.notebook.lines import ParsedLine
from nbtextgen.notebook.magics.base import Commands, command
from nbtextgen.notebook.progress import Throttle
from nbtextgen.pipeline.defaults import fit_options

if TYPE_CHECKING:
    from nbtextgen.tuning import Domain, Tuning

FIT = fit_options()
SEARCHED = ("learning_rate", "hidden_size", "dropout")
"""Settings that are searched unless the line names others."""
MINUTES = Option("minutes", float, False, 5.0, "time limit of the whole search", None, None, 0.0, None, None, (0.5, 60))
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
        columns = {side: own[side] for side in ("source", "target") if own.get(side) is not None}
        minutes = own.get("minutes", MINUTES.default)
        if own.get("show_code"):
            options = ({"options": fixed} if fixed else {}) | columns
            called = call("tune", f"{code.expression}, {search_as_code(settings)}, {minutes:g}", options)
            return print_code(*code.imports, "from nbtextgen import tune", f"{name} = {called}.best")
        self.session.check_free(name)
        shown = _Progress(minutes) if self.session.rich and not own.get("quiet") else None
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


def search_of(words: Any) -> dict[str, Domain]:
    """Return a search space from words such as ``hidden-size:16..64``, ``cell:lstm/gru`` or ``dropout``.

    Raises:
        OptionError: for an unknown setting, or a range that is none.
    """
    from nbtextgen.tuning import TUNABLE, Range, usual_range

    space: dict[str, Domain] = {}
    for word in words:
        flag, _, values = word.partition(":")
        name = flag.strip().replace("-", "_")
        if name not in TUNABLE:
            known = [each.replace("_", "-") for each in TUNABLE]
            raise OptionError(f"--search: there is no setting '{flag}' to search.{nearest(flag, known)}")
        usual = usual_range(FIT[name])
        if not values:
            space[name] = usual
        elif isinstance(usual, Range):
            ends = re.fullmatch(r"\s*(\S+?)\.\.(\S+)\s*", values)
            if ends is None:
                raise OptionError(f"--search: '{word}' has no range; write it as {flag}:{usual.low:g}..{usual.high:g}.")
            low, high = (float(FIT[name].parse(end)) for end in ends.groups())
            space[name] = Range(low, high, usual.logarithmic)
        else:
            space[name] = tuple(FIT[name].parse(value) for value in values.split("/"))
    return space


def search_as_words(space: dict[str, Domain]) -> list[str]:
    """Return a search space as the words of ``--search``."""
    from nbtextgen.tuning import Range

    return [
        f"{name.replace('_', '-')}:"
        + (f"{values.low:g}..{values.high:g}" if isinstance(values, Range) else "/".join(map(str, values)))
        for name, values in space.items()
    ]


def search_as_code(space: dict[str, Domain]) -> str:
    """Return a search space as Python, with ``(low, high)`` for a range."""
    from nbtextgen.tuning import Range

    parts = [
        f"{name!r}: " + (f"({values.low:g}, {values.high:g})" if isinstance(values, Range) else repr(list(values)))
        for name, values in space.items()
    ]
    return f"{{{', '.join(parts)}}}"
