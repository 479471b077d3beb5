"""Reattach to a run that other processes train: after a restart of the kernel, or from another notebook."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nbtextgen.notebook.live.panel import watch
from nbtextgen.notebook.live.training import Training

if TYPE_CHECKING:
    from nbtextgen.notebook.session import Session
    from nbtextgen.run.folder import Run


def reattach(session: Session, word: str) -> Training | None:
    """Show the training of a run, and put its best model into a variable when it ends.

    Args:
        session: the notebook.
        word: the folder of a run, or a name: ``french`` means the newest of ``runs/french-...`` that is in training.

    Returns:
        The training, or ``None`` if no such run is in training.
    """
    run = _training_run(word)
    if run is None:
        return None
    from nbtextgen.generator import TextGenerator

    match = re.match(r"[^\W\d]\w*", run.folder.name)
    name = match[0] if match else "model"
    session.check_free(name)
    training = Training(name, None, partial(TextGenerator.follow, run.folder))
    training.plan = run.plan
    training.at_end = lambda model: session.variables.__setitem__(name, model)
    watch(training, "auto", rich=session.rich)
    session.trainings[name] = training
    training.start()
    return training


def _training_run(word: str) -> Run | None:
    from nbtextgen.run.folder import Run
    from nbtextgen.run.listing import runs

    folder = Path(word).expanduser()
    if Run.is_one(folder):
        run = Run.open(folder)
        return run if run.training else None
    for record in runs():
        if record.state == "training" and (record.name == word or record.name.startswith(f"{word}-")):
            return Run.open(record.folder)
    return None
