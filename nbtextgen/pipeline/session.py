"""A training in progress: the interface of every kind, and the loop that runs one with callbacks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from typing import Protocol, cast

from nbtextgen.core.errors import NotTrainedError, OptionError
from nbtextgen.inference.predictor import Predictor
from nbtextgen.model.isolation import isolated_steps
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.training.events import Event
from nbtextgen.training.progress import TextProgress, log

Callback = Callable[[Event], None]


class TrainingSession(Protocol):
    """A training in progress, in this process (``LocalTraining``, ``RunTraining``) or in others (``LaunchedTraining``,
    ``WatchedTraining``).

    Attributes:
        is_remote: whether other processes train, and this one waits for them.
    """

    is_remote: bool

    @property
    def plan(self) -> Plan:
        """All settings of the training."""
        ...

    def run(self) -> Generator[Event, None, None]:
        """Train to the end, yielding events. Closing the generator interrupts the training."""
        ...

    def stop(self) -> None:
        """End the training after ``run`` was closed, keeping the best weights."""
        ...

    def predictor(self) -> Predictor | None:
        """The trained model, or ``None`` if training ended before there was one."""
        ...

    def best_so_far(self) -> Predictor | None:
        """The best model so far, or ``None`` before there is one. May be called from any thread."""
        ...


def callback_list(callbacks: object) -> list[Callback]:
    """The callbacks, one or several; a progress line for ``None``.

    Raises:
        OptionError: for what cannot be called with an event, or would do nothing: coroutines and generators.
    """
    if callbacks is None:
        return [TextProgress()]
    if callable(callbacks) or isinstance(callbacks, (str, bytes)) or not isinstance(callbacks, Iterable):
        callbacks = [callbacks]
    functions = list(cast("Iterable[object]", callbacks))
    for function in functions:
        if not callable(function):
            raise OptionError(f"Callbacks are functions of an event (got {type(function).__name__}).")
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            kind = "coroutine" if inspect.iscoroutinefunction(function) else "generator"
            raise OptionError(
                f"A callback is called and not awaited, so a {kind} would do nothing; give a plain function."
            )
    return cast("list[Callback]", functions)


def run_session(
    session: TrainingSession, callbacks: Iterable[Callback] | Callback | None = None
) -> tuple[Predictor, list[Event]]:
    """Run a training to its end and return the model and the events, which are also logged with Python's ``logging``.

    An interrupt (Ctrl-C, the notebook's stop button) ends the training early and keeps the best model so far.

    Args:
        session: the training to run.
        callbacks: called with every event, one or several; ``None`` prints a progress line.

    Raises:
        NotTrainedError: if training ended before there was a model.
    """
    callbacks = callback_list(callbacks)
    history: list[Event] = []
    try:
        # Closed also when a callback raises, so that nothing trains on and the run can be resumed at once.
        with closing(isolated_steps(session.run(), own_random_state=not session.is_remote)) as events:
            for event in events:
                history.append(event)
                log(event)
                for callback in callbacks:
                    callback(event)
    except KeyboardInterrupt:
        session.stop()
    predictor = session.predictor()
    if predictor is None:
        raise NotTrainedError("Training was stopped before the first update, so there is no model yet; run it again.")
    return predictor, history
