"""Callbacks that log a training elsewhere: TensorBoard, MLflow, Weights & Biases. Their packages are imported when first used.

The figures are ``train/loss``, ``train/learning_rate`` and ``train/tokens_per_second`` of a ``Step``, and ``valid/loss`` and the
metrics of a ``Validation``, each at its update. Those of the second network of an ensemble begin with ``network-2/``.
"""

from __future__ import annotations

import dataclasses
import re
from importlib import import_module
from pathlib import Path
from typing import Any

from nbtextgen.core.optional_imports import optional_import
from nbtextgen.training.events import Ended, Event, Resumed, Retention, Started, Step, Validation
from nbtextgen.training.progress import TextProgress

__all__ = ["FigureLogger", "MLflowLogger", "TensorBoardLogger", "TextProgress", "WandbLogger"]

Settings = dict[str, str | int | float | bool]


class FigureLogger:
    """The base of loggers: takes events apart into settings and figures.

    A logger of your own has ``begin``, ``log`` and ``end``.
    """

    _networks = 0

    def __call__(self, event: Event) -> None:
        """Log one event; a callback for ``TextGenerator.fit``."""
        if isinstance(event, Started):
            self._networks += 1
            if self._networks == 1:
                self.begin(_settings(event))
        elif isinstance(event, Resumed):
            self.resume(event.step)
        elif isinstance(event, Ended):
            self.end(event)
        elif isinstance(event, Step | Validation | Retention):
            network = f"network-{self._networks}/" if self._networks > 1 else ""
            self.log({network + name: value for name, value in _figures(event).items()}, event.step)

    def begin(self, settings: Settings) -> None:
        """Begin with the size of the training and the settings that were chosen from the data."""
        raise NotImplementedError

    def resume(self, step: int) -> None:
        """Go on after an update; the figures of later ones come again."""

    def log(self, figures: dict[str, float], step: int) -> None:
        """Log figures of an update."""
        raise NotImplementedError

    def end(self, event: Ended) -> None:
        """End; called once for each network of an ensemble."""
        raise NotImplementedError


def _figures(event: Step | Validation | Retention) -> dict[str, float]:
    """The figures of an event by name."""
    if isinstance(event, Step):
        return {f"train/{name}": getattr(event, name) for name in ("loss", "learning_rate", "tokens_per_second")}
    if isinstance(event, Retention):
        return {f"retention/{event.metric}": event.after}
    figures = {"valid/loss": event.loss, f"valid/{event.metric_name}": event.metric}
    return figures if event.task is None else {**figures, f"valid/{event.task_name}": event.task}


def _settings(event: Started) -> Settings:
    """The numbers of ``Started`` and its choices by name."""
    values = {field.name: getattr(event, field.name) for field in dataclasses.fields(event) if field.name != "choices"}
    simple = (str, int, float, bool)
    return values | {name: each if isinstance(each, simple) else str(each) for name, each in event.choices.items()}


class TensorBoardLogger(FigureLogger):
    """Writes the figures of a training for ``tensorboard --logdir FOLDER``.

    Example:
        >>> from nbtextgen import TextGenerator, loggers
        >>> model = TextGenerator().fit(pairs, callbacks=[loggers.TensorBoardLogger("logs")])     # doctest: +SKIP
    """

    def __init__(self, folder: str | Path) -> None:
        """Name the folder; raises ``MissingPackageError`` without tensorboard."""
        with optional_import("TensorBoardLogger", "tensorboard"):
            self._writer_class = import_module("torch.utils.tensorboard").SummaryWriter
        self._folder = str(folder)
        self._writer: Any = None

    def begin(self, settings: Settings) -> None:
        """Open the folder and write the settings as text."""
        self._writer = self._writer_class(self._folder)
        self._writer.add_text("settings", "  \n".join(f"{name}: {value}" for name, value in settings.items()))

    def resume(self, step: int) -> None:
        """Let TensorBoard drop what was logged after the checkpoint."""
        self._writer.close()
        self._writer = self._writer_class(self._folder, purge_step=step + 1)

    def log(self, figures: dict[str, float], step: int) -> None:
        """Add a point to each curve."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def end(self, event: Ended) -> None:
        """Write everything to the disk; the next network opens the files again."""
        self._writer.close()


class MLflowLogger(FigureLogger):
    """Logs a training to MLflow: into the active run, or into one of its own.

    An interrupted training leaves a run of its own open; with ``mlflow.start_run()`` around ``fit`` it ends in any case.

    Example:
        >>> with mlflow.start_run():                                                    # doctest: +SKIP
        ...     mlflow.log_params(model.get_params())
        ...     model.fit(pairs, callbacks=[loggers.MLflowLogger()])
        ...     mlflow.log_metric("test/exact", model.evaluate(test)["exact"].value)
    """

    def __init__(self) -> None:
        """Import the package; raises ``MissingPackageError`` without mlflow."""
        with optional_import("MLflowLogger", "mlflow"):
            self._mlflow = import_module("mlflow")
        self._own = False

    def begin(self, settings: Settings) -> None:
        """Start a run unless one is active, and log the settings as ``training.NAME``."""
        if self._mlflow.active_run() is None:
            self._mlflow.start_run()
            self._own = True
        self._mlflow.log_params({f"training.{name}": value for name, value in settings.items()})

    def log(self, figures: dict[str, float], step: int) -> None:
        """Log metrics; a character that MLflow does not take in a name becomes ``_``."""
        self._mlflow.log_metrics({re.sub(r"[^\w./ -]", "_", name): value for name, value in figures.items()}, step=step)

    def end(self, event: Ended) -> None:
        """Note why training ended."""
        self._mlflow.set_tag("ended", event.reason)
        if self._own:
            self._mlflow.end_run()
            self._own, self._networks = False, 0  # the next network has a run of its own


class WandbLogger(FigureLogger):
    """Logs a training to Weights & Biases: into the active run, or into one of its own.

    Example:
        >>> logger = loggers.WandbLogger(project="dates", mode="offline", config=model.get_params())     # doctest: +SKIP
        >>> model.fit(pairs, callbacks=[logger])                                                         # doctest: +SKIP
    """

    def __init__(self, **options: object) -> None:
        """Take the keywords of ``wandb.init`` for a run of its own; raises ``MissingPackageError`` without wandb."""
        with optional_import("WandbLogger", "wandb"):
            self._wandb = import_module("wandb")
        self._options, self._own = options, False

    def begin(self, settings: Settings) -> None:
        """Start a run unless one is active; the horizontal axis is ``update``, which may go back after a resume."""
        if self._wandb.run is None:
            self._wandb.init(**self._options)
            self._own = True
        run: Any = self._wandb.run
        run.config.update({"training": settings}, allow_val_change=True)
        run.define_metric("*", step_metric="update")

    def log(self, figures: dict[str, float], step: int) -> None:
        """Log figures with their update."""
        self._wandb.run.log({"update": step, **figures})

    def end(self, event: Ended) -> None:
        """Note why training ended."""
        self._wandb.run.summary["ended"] = event.reason
        if self._own:
            self._wandb.run.finish()
            self._own, self._networks = False, 0
