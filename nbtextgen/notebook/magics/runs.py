"""``textgen_runs``: list, compare, open, resume, stop and delete runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import line_magic, magics_class

from nbtextgen.core.errors import OptionError, nearest
from nbtextgen.notebook.arguments import COMMON, by_name, flag_option, text_option
from nbtextgen.notebook.awaiting import MARK, QUIET
from nbtextgen.notebook.code import Values, print_code
from nbtextgen.notebook.lines import ParsedLine
from nbtextgen.notebook.magics.base import Commands, awaitable, command
from nbtextgen.notebook.quoting import quoted
from nbtextgen.notebook.runs_view import RunsView

if TYPE_CHECKING:
    from nbtextgen.notebook.live.static_view import History
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
        from nbtextgen.run.listing import runs

        folder = Path(parsed.options.get("folder") or "runs").expanduser()
        action, names = _action(parsed.words)
        all_runs = [*runs(folder), *self._runs_elsewhere(folder)]
        chosen = [_named(name, all_runs, folder) for name in names]
        into = self._variable(chosen, parsed.options) if action in ONE_RUN else ""
        if parsed.options.get("show_code"):
            result: Any = print_code(*_code(action, folder, chosen, into))
        elif action == "resume":
            marks = (MARK if parsed.awaited else "") + (QUIET if parsed.quiet else "")
            train: Any = self.session.shell.magics_manager.registry["TrainCommands"]
            return train.textgen_train(f"{marks}{into} --resume {quoted(str(chosen[0].folder))}")
        elif action == "open":
            result = self._open(chosen[0], into)
        elif action in ("stop", "end"):
            result = _end_runs(chosen, at_once=action == "end")
        elif action == "delete":
            result = _delete(chosen, sure=bool(parsed.options.get("yes")))
        else:
            result = RunsView(folder, all_runs if action == "list" else chosen, self._panel())
        return awaitable(result) if parsed.awaited else result

    def _panel(self) -> Callable[[RunsView], Any] | None:
        """Return what makes the panel of a table of runs, in a notebook."""
        if not self.session.rich:
            return None
        from nbtextgen.notebook.panels.runs import RunsPanel

        return partial(RunsPanel, self.session)

    def _runs_elsewhere(self, folder: Path) -> list[RunRecord]:
        """Return the runs of this session's models and trainings that are in other folders."""
        from nbtextgen.generator import TextGenerator
        from nbtextgen.run.folder import Run
        from nbtextgen.run.listing import record

        models = [*self.session.variables.values(), *(training.model for training in self.session.trainings.values())]
        opened = [model.run for model in models if isinstance(model, TextGenerator) and model.run is not None]
        folders = {run.folder.resolve() for run in opened}
        return [record(path) for path in sorted(folders) if path.parent != folder.resolve() and Run.is_run(path)]

    def _variable(self, chosen: list[RunRecord], options: Values) -> str:
        """Return the variable for the model of a run: that of ``--into``, or the start of the run's name."""
        if len(chosen) != 1:
            raise OptionError(f"Only one run can be opened or resumed at a time, got {len(chosen)}.")
        match = re.match(r"[^\W\d]\w*", chosen[0].name)
        name = options.get("into") or (match[0] if match else "")
        if not name:
            raise OptionError(f"The name of the run {chosen[0].name} cannot be a variable name; add --into NAME.")
        return self.session.new_name([name], "%textgen_runs open RUN --into")

    def _open(self, record: RunRecord, name: str) -> History:
        """Put the best model of a run into a variable, and return its training history."""
        from nbtextgen.generator import TextGenerator
        from nbtextgen.notebook.live.record import record_of
        from nbtextgen.notebook.live.static_view import History
        from nbtextgen.run.folder import Run

        self.session.check_free(name)
        self.session.variables[name] = TextGenerator.load(record.folder)
        print(f"{name} is the best model of {record.name}")
        return History(record_of(record.name, Run.open(record.folder).history()))


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


def _named(name: str, all_runs: list[RunRecord], folder: Path) -> RunRecord:
    """Return the run with this name, the only run whose name starts with it, or the run in this folder."""
    from nbtextgen.run.folder import Run
    from nbtextgen.run.listing import record

    exact = [run for run in all_runs if run.name == name]
    matches = exact or [run for run in all_runs if run.name.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    if not matches and Run.is_run(Path(name).expanduser()):
        return record(Path(name).expanduser())
    if matches:
        names = ", ".join(run.name for run in matches[:5])
        raise OptionError(f"Several runs start with '{name}': {names}; give more of the name.")
    raise OptionError(f"There is no run '{name}' in {folder}.{nearest(name, [run.name for run in all_runs])}")


def _end_runs(chosen: list[RunRecord], *, at_once: bool) -> None:
    """Ask the runs to stop, which keeps the best model; or end their processes on this machine."""
    from nbtextgen.run.folder import Run
    from nbtextgen.run.launch import end

    for record in chosen:
        run = Run.open(record.folder)
        if not run.training:
            print(f"{record.name} is not in training")
        elif not at_once:
            run.controls.stop()
            print(f"{record.name} stops after its current update")
        elif end(run):
            print(f"{record.name} is ended; resume it to continue from its last checkpoint")
        else:
            print(f"{record.name} was started elsewhere; use stop")


def _delete(chosen: list[RunRecord], *, sure: bool) -> None:
    from nbtextgen.run.folder import Run

    if not sure:
        raise OptionError(
            f"This deletes {', '.join(record.name for record in chosen)} permanently; add --yes to confirm."
        )
    for record in chosen:
        Run.open(record.folder).delete()
        print(f"{record.name} is deleted")


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
