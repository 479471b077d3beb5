"""``textgen_runs``: trainings kept in folders, side by side."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import line_magic, magics_class

from nbtextgen.core.errors import OptionError, nearest
from nbtextgen.notebook.arguments import COMMON, flag_option, help_table, parse_line, text_option
from nbtextgen.notebook.awaiting import MARK, QUIET, unmark
from nbtextgen.notebook.runs_view import RunsView
from nbtextgen.notebook.session import Commands, in_one_line
from nbtextgen.notebook.show_code import show

if TYPE_CHECKING:
    from nbtextgen.notebook.live.history import History
    from nbtextgen.run.listing import RunRecord

ACTIONS = ("list", "compare", "open", "resume", "stop", "end", "delete")
ONE_RUN = ("open", "resume")

RUNS = {
    one.name: one
    for one in (
        text_option("folder", "where the runs are; default: runs"),
        text_option("into", "variable that receives the model, for open and resume; default: the run's name"),
        flag_option("yes", "delete without being asked again"),
    )
} | COMMON


@magics_class
class RunCommands(Commands):
    """Looking at runs."""

    @line_magic
    @in_one_line
    def textgen_runs(self, line: str, cell: str | None = None) -> Any:
        from nbtextgen.run.listing import runs

        line, awaited, quiet = unmark(line)
        parsed = parse_line(line, RUNS)
        folder = Path(parsed.options.get("folder") or "runs").expanduser()
        action, names = _action(parsed.words)
        found = runs(folder)
        chosen = [_named(name, found, folder) for name in names]
        into = self._variable(chosen, parsed.options) if action in ONE_RUN else ""
        if parsed.options.get("show_code"):
            done: Any = show(*_code(action, folder, chosen, into))
        elif action == "resume":
            marks = (MARK if awaited else "") + (QUIET if quiet else "")
            train: Any = self.session.shell.magics_manager.registry["TrainCommands"]
            return train.textgen_train(f"{marks}{into} --resume {shlex.quote(str(chosen[0].folder))}")
        elif action == "open":
            done = self._open(chosen[0], into)
        elif action in ("stop", "end"):
            done = _ended(chosen, at_once=action == "end")
        elif action == "delete":
            done = _delete(chosen, sure=bool(parsed.options.get("yes")))
        else:
            done = RunsView(folder, found if action == "list" else chosen)
        return _at_once(done) if awaited else done

    def _variable(self, chosen: list[RunRecord], options: dict[str, Any]) -> str:
        """The variable that receives the model of a run: the one given, or what the run's name begins with."""
        if len(chosen) != 1:
            raise OptionError(f"Only one run can be opened or resumed at a time, got {len(chosen)}.")
        begin = re.match(r"[^\W\d]\w*", chosen[0].name)
        name = options.get("into") or (begin[0] if begin else "")
        if not name:
            raise OptionError(f"The run {chosen[0].name} gives no name for a variable; add --into NAME.")
        return self.session.new_name([name], "%textgen_runs open RUN --into")

    def _open(self, one: RunRecord, name: str) -> History:
        """Put the best model of a run into its variable, and show how it was trained."""
        from nbtextgen.generator import TextGenerator
        from nbtextgen.notebook.live.history import History
        from nbtextgen.notebook.live.record import record_of
        from nbtextgen.run.folder import Run

        self.session.check_free(name)
        self.session.variables[name] = TextGenerator.load(one.folder)
        print(f"{name} is the best model of {one.name}")
        return History(record_of(one.name, Run.open(one.folder).history()))


async def _at_once(value: Any) -> Any:
    """For a cell that awaits whatever this magic gives."""
    return value


def _action(words: list[str]) -> tuple[str, list[str]]:
    """What is asked for, and the runs it is asked for."""
    action, names = (words[0], words[1:]) if words else ("list", [])
    if action not in ACTIONS:
        raise OptionError(f"'{action}' is none of {', '.join(ACTIONS)}.{nearest(action, ACTIONS)}")
    if bool(names) == (action == "list"):
        raise OptionError(
            f"No name is expected after list, got '{names[0]}'; use compare to see some runs only."
            if names
            else f"Name the runs to {action}, as %textgen_runs lists them."
        )
    return action, names


def _named(name: str, found: list[RunRecord], folder: Path) -> RunRecord:
    """The run of that name, or the only one whose name begins so."""
    exact = [one for one in found if one.name == name]
    begin = exact or [one for one in found if one.name.startswith(name)]
    if len(begin) == 1:
        return begin[0]
    if begin:
        raise OptionError(
            f"Several runs begin with '{name}': {', '.join(one.name for one in begin[:5])}; give more of it."
        )
    raise OptionError(f"There is no run '{name}' in {folder}.{nearest(name, [one.name for one in found])}")


def _ended(chosen: list[RunRecord], *, at_once: bool) -> None:
    """Ask those who train the runs to stop, which keeps the best model; or end their processes on this machine."""
    from nbtextgen.run.folder import Run
    from nbtextgen.run.launch import end

    for one in chosen:
        run = Run.open(one.folder)
        if not run.training:
            print(f"{one.name} is not being trained")
        elif not at_once:
            run.controls.stop()
            print(f"{one.name} stops after its current update")
        elif end(run):
            print(f"{one.name} is ended; it goes on from its last checkpoint when it is resumed")
        else:
            print(f"{one.name} is trained by processes that were not started from its folder here; use stop")


def _delete(chosen: list[RunRecord], *, sure: bool) -> None:
    from nbtextgen.run.folder import Run

    if not sure:
        raise OptionError(f"This deletes {', '.join(one.name for one in chosen)} for good; add --yes to do it.")
    for one in chosen:
        Run.open(one.folder).delete()
        print(f"{one.name} is deleted")


def _code(action: str, folder: Path, chosen: list[RunRecord], into: str) -> list[str]:
    """The Python that does the same."""
    if action in ONE_RUN:
        call = "load" if action == "open" else "resume"
        return ["from nbtextgen import TextGenerator", f"{into} = TextGenerator.{call}({str(chosen[0].folder)!r})"]
    if action == "delete":
        deleted = (f"Run.open({str(one.folder)!r}).delete()" for one in chosen)
        return ["from nbtextgen.run.folder import Run", *deleted]
    listed = f"runs({str(folder)!r})"
    if action in ("stop", "end"):
        ended = "Run.open({}).controls.stop()" if action == "stop" else "end(Run.open({}))"
        imports = ["from nbtextgen.run.launch import end"] if action == "end" else []
        calls = (ended.format(repr(str(one.folder))) for one in chosen)
        return ["from nbtextgen.run.folder import Run", *imports, *calls]
    names = {one.name for one in chosen}
    kept = listed if action == "list" else f"[one for one in {listed} if one.name in {sorted(names)!r}]"
    return ["from nbtextgen.run.listing import runs", kept]


RunCommands.textgen_runs.__doc__ = f"""Past runs with settings, scores and learning curves.

    %textgen_runs                         all runs, the newest first
    %textgen_runs compare RUN RUN ...     some of them, with the settings in which they differ
    %textgen_runs open RUN                its best model into a variable, and how it was trained
    %textgen_runs resume RUN              go on with it
    %textgen_runs stop RUN ...            ask whoever trains them to stop; the best model is kept
    %textgen_runs end RUN ...             end their processes at once; the last checkpoint is kept
    %textgen_runs delete RUN ... --yes    remove their folders

A training is kept as a run with %textgen_train NAME --run RUN. The begin of a run's name is enough.

Example:

    %textgen_runs open french --into best

Options:

{help_table(RUNS)}
"""
