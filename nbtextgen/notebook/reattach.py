"""Reattach to a run that other processes train: after a restart of the kernel, or from another notebook."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nbtextgen.generator import TextGenerator
from nbtextgen.notebook.live.panel import watch
from nbtextgen.notebook.live.training import Training
from nbtextgen.pipeline.session import Callback, run_session
from nbtextgen.run.folder import Run
from nbtextgen.run.listing import runs
from nbtextgen.run.watching import WatchedTraining

if TYPE_CHECKING:
    from nbtextgen.notebook.session import Session
    from nbtextgen.training.controls import Controls


def reattach(session: Session, word: str, name: str = "") -> Training | None:
    """Show a training of other processes, and put its best model into a variable when it ends; ``None`` if there is none.

    Args:
        session: the user's notebook.
        word: folder of a run, or a name: ``french`` means the newest of ``runs/french-...`` that is in training.
        name: the variable; by default the start of the folder's name.
    """
    run = _training_run(word)
    if run is None:
        return None
    if not name:
        match = re.match(r"[^\W\d]\w*", run.folder.name)
        name = match[0] if match else "model"
        session.check_free(name)
    training = Training(name, None, partial(watch_run, run))
    training.plan, training.elsewhere = run.plan, True
    training.at_end = lambda model: session.variables.__setitem__(name, model)
    watch(training, "auto", rich=session.rich)
    session.add_training(training)
    training.start()
    return training


def watch_run(
    run: Run, *, callbacks: Iterable[Callback] | None = None, controls: Controls | None = None
) -> TextGenerator:
    """Watch a run that other processes train until they end, and return its best model.

    An interrupt ends only the watching. Callbacks also receive the events so far; ``controls`` act on those processes.

    Raises:
        NotTrainedError: if the run ends without a model.
    """
    _, history = run_session(WatchedTraining(run, controls), callbacks)
    model = TextGenerator.load(run.folder)
    model.history = history
    return model


def _training_run(word: str) -> Run | None:
    folder = Path(word).expanduser()
    if Run.is_run(folder):
        run = Run.open(folder)
        return run if run.training else None
    for record in runs():
        if record.state == "training" and (record.name == word or record.name.startswith(f"{word}-")):
            return Run.open(record.folder)
    return None
