"""Training that is described by a file: ``nbtextgen train run.toml``, alone or under torchrun."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from nbtextgen.cli.streams import CommandInterrupted, forget_output
from nbtextgen.core.errors import ModelFileError, NbTextGenError, OptionError
from nbtextgen.core.files import JsonObject
from nbtextgen.core.options import Settings
from nbtextgen.core.settings_file import read_settings
from nbtextgen.generator import TextGenerator
from nbtextgen.pipeline.dataset import prepare_data
from nbtextgen.pipeline.settings import fit_options
from nbtextgen.run.folder import Run
from nbtextgen.run.training import RunTraining
from nbtextgen.training.distributed import ProcessGroup
from nbtextgen.training.events import Ended
from nbtextgen.training.progress import TextProgress

_INTERRUPTED = "interrupted; the same command goes on from the last checkpoint."
PLACES = ("run", "data", "valid", "source", "target", "encoding")


def train(path: Path) -> None:
    """Train a run; every process of the group calls it.

    Args:
        path: the run's folder, or a settings file that describes the run.

    Raises:
        NbTextGenError: if the settings or the folder are not usable.
    """
    group = ProcessGroup.joined()
    if not path.is_dir():
        settings = run_settings(path)
        path = Path(settings["run"])
        problem = group.once(lambda: _create_run(path, settings))
        if problem:
            raise OptionError(problem)
    progress, event = TextProgress(words=str), None
    try:
        with closing(RunTraining(Run.open(path), group=group).run()) as events:
            for event in events:
                if group.rank == 0:
                    progress(event)
    except KeyboardInterrupt:
        raise CommandInterrupted(_INTERRUPTED) from None
    if progress.stream is None:
        forget_output()
    if not group.rank and not Run.open(path).best.steps():
        raise ModelFileError(
            f"{path} holds no model, because it could not be written; the same command trains it again."
        )
    if isinstance(event, Ended) and event.reason == "interrupted" and "RANK" not in os.environ:
        raise CommandInterrupted(_INTERRUPTED)


def run_settings(path: Path) -> JsonObject:
    """Read the settings of a run by their Python names; raises ``OptionError`` if it does not say its folder or its data."""
    settings = read_settings(path, fit_options(), PLACES)
    for name in ("run", "data"):
        if name not in settings:
            raise OptionError(f'{path} does not say {name}: add {name} = "...".')
    return settings


def _create_run(folder: Path, settings: Settings) -> str:
    """Create the run, or check that an existing one has the same options.

    Returns:
        what is wrong, or an empty string: every process of the group must learn of it.
    """
    try:
        options = TextGenerator(**{name: settings[name] for name in settings if name not in PLACES}).get_params()
        if not Run.is_run(folder):
            places = {name: settings.get(name) for name in ("valid", "source", "target", "encoding")}
            Run.create(folder, prepare_data(options, settings["data"], **places), options)
            return ""
        earlier = Run.open(folder).options
    except NbTextGenError as error:
        return str(error)
    for name, option in fit_options().items():
        now, then = option.check(options[name]), option.check(earlier.get(name, option.default))
        if now != then:
            return (
                f"{folder} was created with {option.flag} {then}, not {now}; choose another folder, "
                "or change the settings back."
            )
    return ""
