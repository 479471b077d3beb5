"""``textgen_runs``: trainings kept in folders, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from IPython.core.magic import line_magic, magics_class

from nbtextgen.errors import OptionError, nearest
from nbtextgen.notebook.commands.common import COMMON
from nbtextgen.notebook.options import flag_option, help_table, parse_line, text_option
from nbtextgen.notebook.python import show
from nbtextgen.notebook.session import Commands, in_one_line

RUNS = {
    one.name: one
    for one in (
        text_option("folder", "where the runs are; default: runs"),
        flag_option("yes", "delete without being asked again"),
    )
} | COMMON
ACTIONS = ("list", "compare", "stop", "end", "delete")


@magics_class
class RunCommands(Commands):
    """Looking at runs."""

    @line_magic
    @in_one_line
    def textgen_runs(self, line: str, cell: str | None = None) -> Any:
        from nbtextgen.notebook.runs_view import RunsView
        from nbtextgen.running.listing import runs

        parsed = parse_line(line, RUNS)
        folder = Path(parsed.options.get("folder") or "runs").expanduser()
        action, names = _action(parsed.words)
        if parsed.options.get("show_code"):
            return show("from nbtextgen.running.listing import runs", f"runs({str(folder)!r})")
        found = runs(folder)
        if action == "list":
            return RunsView(folder, found)
        chosen = [_named(name, found, folder) for name in names]
        if action == "compare":
            return RunsView(folder, chosen)
        if action in ("stop", "end"):
            return _ended(chosen, at_once=action == "end")
        if not parsed.options.get("yes"):
            raise OptionError(f"This deletes {', '.join(one.name for one in chosen)} for good; add --yes to do it.")
        return _delete(chosen)


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


def _named(name: str, found: list[Any], folder: Path) -> Any:
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


def _ended(chosen: list[Any], *, at_once: bool) -> None:
    """Ask those who train the runs to stop, which keeps the best model; or end their processes on this machine."""
    from nbtextgen.running.folder import Run
    from nbtextgen.running.launch import end

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


def _delete(chosen: list[Any]) -> None:
    from nbtextgen.running.folder import Run

    for one in chosen:
        Run.open(one.folder).delete()
        print(f"{one.name} is deleted")


RunCommands.textgen_runs.__doc__ = f"""Past runs with settings, scores and learning curves.

    %textgen_runs                         all runs, the newest first
    %textgen_runs compare RUN RUN ...     some of them, with the settings in which they differ
    %textgen_runs stop RUN ...            ask whoever trains them to stop; the best model is kept
    %textgen_runs end RUN ...             end their processes at once; the last checkpoint is kept
    %textgen_runs delete RUN ... --yes    remove their folders

A training is kept as a run with %textgen_train NAME --run RUN. To go on with it: %textgen_train NAME --resume FOLDER;
to use its best model: %textgen_load NAME FOLDER.

Options:

{help_table(RUNS)}
"""
