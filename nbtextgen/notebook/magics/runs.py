"""``textgen_runs``: list, compare, open, resume, stop and delete runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from IPython.core.magic import line_magic, magics_class

from nbtextgen.core.errors import OptionError, nearest
from nbtextgen.notebook.arguments import COMMON, by_name, flag_option, text_option
from nbtextgen.notebook.awaiting import MARK, QUIET
from nbtextgen.notebook.code import Values, print_code
from nbtextgen.notebook.lines import ParsedLine
from nbtextgen.notebook.magics.base import Commands, awaitable, command
from nbtextgen.notebook.quoting import quoted

if TYPE_CHECKING:
    from nbtextgen.notebook.runs_view import RunsView
    from nbtextgen.notebook.static import StaticForm
    from nbtextgen.run.listing import RunRecord

ACTIONS = ("list", "compare", "open", "resume", "stop", "end", "delete")
ONE_RUN = ("open", "resume")

OPTIONS = (
    by_name(
        text_option("folder", "folder that holds the runs; default: runs"),
        text_option("into", "variable that receives the model of open or resume; default: the run's name"),
        flag_option("yes", "delete without confirmation"),
    )
    | COMMON
)


@magics_class
class RunCommands(Commands):
    """Looking at runs."""

    @line_magic
    @command(OPTIONS, "run", words=None, actions=ACTIONS)
    def textgen_runs(self, parsed: ParsedLine) -> object:
        """List runs with their settings, scores and learning curves; open, resume, stop or delete them.

            %textgen_runs                         all runs, newest first
            %textgen_runs compare RUN RUN ...     some of them, with the settings that differ
            %textgen_runs open RUN                put its best model into a variable, and show its training
            %textgen_runs resume RUN              continue training
            %textgen_runs stop RUN ...            stop training after the current update; the best model is kept
            %textgen_runs end RUN ...             end their processes at once; the last checkpoint is kept
            %textgen_runs delete RUN ... --yes    delete their folders

        RUN is the start of a run's name in the folder runs (or that of --folder), or of a run of this notebook; or the folder
        of any run.
        Train with %textgen_train NAME --run RUN to keep a training as a run.

        Example:

            %textgen_runs open french --into best
        """
        from nbtextgen.notebook import run_actions

        folder = Path(parsed.options.get("folder") or "runs").expanduser()
        action, names = _action(parsed.words)
        all_runs = run_actions.list_runs(self.session, folder)
        chosen = [run_actions.find_run(name, all_runs, folder) for name in names]
        into = self._variable(chosen, parsed.options) if action in ONE_RUN else ""
        if parsed.options.get("show_code"):
            result: object = print_code(*_code(action, folder, chosen, into))
        elif action == "resume":
            marks = (MARK if parsed.awaited else "") + (QUIET if parsed.quiet else "")
            train = self.session.shell.magics_manager.registry["TrainCommands"]
            return train.textgen_train(f"{marks}{into} --resume {quoted(str(chosen[0].folder))}")
        elif action == "open":
            result = run_actions.open_run(self.session, chosen[0], into)
            print(f"{into} is the best model of {chosen[0].name}")
        elif action in ("stop", "end"):
            result = run_actions.end_runs(chosen, at_once=action == "end")
        elif action == "delete":
            result = run_actions.delete_runs(chosen, sure=bool(parsed.options.get("yes")))
        else:
            from nbtextgen.notebook.runs_view import RunsView

            result = RunsView(folder, all_runs if action == "list" else chosen, self._panel())
        return awaitable(result) if parsed.awaited else result

    def _panel(self) -> Callable[[RunsView], StaticForm] | None:
        """Return what makes the panel of a table of runs, in a notebook."""
        if not self.session.rich:
            return None
        from nbtextgen.notebook.panels.runs import RunsPanel

        return partial(RunsPanel, self.session)

    def _variable(self, chosen: list[RunRecord], options: Values) -> str:
        """Return the variable for the model of a run: that of ``--into``, or the start of the run's name."""
        if len(chosen) != 1:
            raise OptionError(f"Only one run can be opened or resumed at a time, got {len(chosen)}.")
        match = re.match(r"[^\W\d]\w*", chosen[0].name)
        name = options.get("into") or (match[0] if match else "")
        if not name:
            raise OptionError(f"The name of the run {chosen[0].name} cannot be a variable name; add --into NAME.")
        return self.session.new_name([name], "%textgen_runs open RUN --into")


def _action(words: list[str]) -> tuple[str, list[str]]:
    """Return the action and the names of its runs."""
    action, names = (words[0], words[1:]) if words else ("list", [])
    if action not in ACTIONS:
        raise OptionError(f"'{action}' is not one of {', '.join(ACTIONS)}.{nearest(action, ACTIONS)}")
    if bool(names) == (action == "list"):
        raise OptionError(
            f"No name is expected after list, got '{names[0]}'; use compare to see some runs only."
            if names
            else f"Name the runs to {action}, as %textgen_runs lists them."
        )
    return action, names


def _code(action: str, folder: Path, chosen: list[RunRecord], into: str) -> list[str]:
    """The Python that does the same."""
    if action in ONE_RUN:
        call = "load" if action == "open" else "resume"
        return ["from nbtextgen import TextGenerator", f"{into} = TextGenerator.{call}({str(chosen[0].folder)!r})"]
    if action == "delete":
        deleted = (f"Run.open({str(record.folder)!r}).delete()" for record in chosen)
        return ["from nbtextgen.run.folder import Run", *deleted]
    listed = f"runs({str(folder)!r})"
    if action in ("stop", "end"):
        ended = "Run.open({}).controls.stop()" if action == "stop" else "end(Run.open({}))"
        imports = ["from nbtextgen.run.launch import end"] if action == "end" else []
        calls = (ended.format(repr(str(record.folder))) for record in chosen)
        return ["from nbtextgen.run.folder import Run", *imports, *calls]
    names = sorted(record.name for record in chosen)
    kept = listed if action == "list" else f"[run for run in {listed} if run.name in {names!r}]"
    return ["from nbtextgen.run.listing import runs", kept]
