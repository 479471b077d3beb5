"""What ``%textgen_runs`` does to runs: find them by name, open, stop, end and delete them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nbtextgen.core.cancellation import check_cancelled
from nbtextgen.core.errors import OptionError, nearest
from nbtextgen.generator import TextGenerator
from nbtextgen.notebook.live.record import record_of
from nbtextgen.notebook.live.static_view import History
from nbtextgen.run.folder import Run
from nbtextgen.run.launch import end
from nbtextgen.run.listing import RunRecord, record, runs

if TYPE_CHECKING:
    from nbtextgen.notebook.session import Session


def list_runs(session: Session, folder: Path) -> list[RunRecord]:
    """Return the runs in a folder, newest first, and then those of this session's models that are in other folders."""
    models = [*session.variables.values(), *(training.model for training in session.trainings.values())]
    opened = [model.run for model in models if isinstance(model, TextGenerator) and model.run is not None]
    folders = {run.folder.resolve() for run in opened}
    elsewhere = [record(path) for path in sorted(folders) if path.parent != folder.resolve() and Run.is_run(path)]
    return [*runs(folder), *elsewhere]


def find_run(name: str, records: Sequence[RunRecord], folder: Path) -> RunRecord:
    """Return the run with this name, the only run whose name starts with it, or the run in this folder.

    Args:
        name: what the user wrote.
        records: the runs to choose from.
        folder: where they are, for the error.

    Raises:
        OptionError: if there is no such run, or several.
    """
    exact = [run for run in records if run.name == name]
    matches = exact or [run for run in records if run.name.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    if not matches and Run.is_run(Path(name).expanduser()):
        return record(Path(name).expanduser())
    if matches:
        names = ", ".join(run.name for run in matches[:5])
        raise OptionError(f"Several runs start with '{name}': {names}; give more of the name.")
    raise OptionError(f"There is no run '{name}' in {folder}.{nearest(name, [run.name for run in records])}")


def open_run(session: Session, chosen: RunRecord, name: str) -> History:
    """Put the best model of a run into a variable, and return its training history."""
    session.check_free(name)
    model = TextGenerator.load(chosen.folder)
    history = History(record_of(chosen.name, Run.open(chosen.folder).history()))
    check_cancelled()  # the variable stays as it was
    session.variables[name] = model
    return history


def end_runs(chosen: Sequence[RunRecord], *, at_once: bool) -> None:
    """Ask the runs to stop, which keeps the best model; or end their processes on this machine."""
    for each in chosen:
        run = Run.open(each.folder)
        if not run.training:
            print(f"{each.name} is not in training")
        elif not at_once:
            run.controls.stop()
            print(f"{each.name} stops after its current update")
        elif end(run):
            print(f"{each.name} is ended; resume it to continue from its last checkpoint")
        else:
            print(f"{each.name} was started elsewhere; use stop")


def delete_runs(chosen: Sequence[RunRecord], *, sure: bool) -> None:
    """Delete the folders of runs; raises ``OptionError`` unless the user is sure."""
    if not sure:
        raise OptionError(f"This deletes {', '.join(each.name for each in chosen)} permanently; add --yes to confirm.")
    for each in chosen:
        Run.open(each.folder).delete()
        print(f"{each.name} is deleted")
