"""A run that goes on in other processes, found again: after a restart of the kernel, or from another notebook."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nbtextgen.notebook.live.training import Training

if TYPE_CHECKING:
    from nbtextgen.notebook.session import Session
    from nbtextgen.run.folder import Run


def reattached(session: Session, word: str) -> Training | None:
    """Watch the run that a word means; its best model gets into a variable when it ends.

    Args:
        session: the notebook.
        word: the folder of a run, or a name: ``french`` means the newest of ``runs/french-...`` that is being trained.

    Returns:
        the training, begun to be watched; ``None`` when no such run is being trained.
    """
    run = _training_run(word)
    if run is None:
        return None
    from nbtextgen.generator import TextGenerator

    begin = re.match(r"[^\W\d]\w*", run.folder.name)
    name = begin[0] if begin else "model"
    session.check_free(name)
    training = Training(name, None, partial(TextGenerator.follow, run.folder))
    training.plan = run.plan
    training.at_end = lambda model: session.variables.__setitem__(name, model)
    training.watch("auto", rich=session.rich)
    session.trainings[name] = training
    training.start()
    return training


def _training_run(word: str) -> Run | None:
    from nbtextgen.run.folder import Run
    from nbtextgen.run.listing import runs

    place = Path(word).expanduser()
    if Run.is_one(place):
        found = Run.open(place)
        return found if found.training else None
    for record in runs():
        if record.state == "training" and (record.name == word or record.name.startswith(f"{word}-")):
            return Run.open(record.folder)
    return None
