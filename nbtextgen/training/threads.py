"""The number of threads in training: fixed, or chosen by timing updates.

Sums are split among threads, so results differ in the last bits between numbers of threads. Every choice is therefore
reported as an event and kept in checkpoints, and a resumed run continues with the number, or in the middle of the trial, of
its checkpoint. Two trainings are the same to the bit if ``--threads`` is given.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeGuard

import torch

from nbtextgen.core.errors import ModelFileError
from nbtextgen.core.files import JsonObject
from nbtextgen.model.cpu import set_threads
from nbtextgen.training.events import Changed
from nbtextgen.training.step import Update

clock = time.perf_counter

SMALL_STEP = 64 * 192**2
"""Batch size x hidden size squared up to which a recurrent step is too small for several threads: at 64 x 192 squared, two
threads were as fast as one on a quiet machine and slower on a busy one."""
SMALL_VOCABULARY = 1000
"""Target types up to which the output layer is too small as well."""
GAIN = 0.95
"""More threads are chosen only if they need at most this fraction of the time."""
MOST_THREADS = 1024
SAMPLES, MOST_SAMPLES = 5, 15
"""Updates timed for each number of threads: at least, and at most."""
TRIAL_SECONDS = 0.3
"""Timing ends before ``MOST_SAMPLES`` once each number has been timed this long."""
FEWEST_SAMPLES, LONG_SECONDS = 3, 2.0
"""Fewer updates than ``SAMPLES`` are enough when they took this long: scheduling has averaged out by then."""
WARM_UP = 2
"""Updates at the start of training that are not timed: they allocate memory."""
WINDOW_SECONDS, WINDOW_UPDATES = 1.0, 5
"""Between trials the speed is the median over a window of at least this."""
SLOWER = 1.35
"""A trial begins when two windows in a row take this many times as long per token as the fastest did."""
COLLAPSED = 4.0
"""A trial begins at once when two updates in a row take this many times as long."""
RETRY_SECONDS, LONGEST_RETRY = 20.0, 300.0
"""Training time after which more threads are tried again, since the machine may be less busy; doubled while nothing
changes."""
TRIAL_SHARE = 0.02
"""Fraction of the training time that such trials may take."""


@dataclass
class ThreadTuner:
    """Walks along 1, 2, 4, ... threads up to a limit, comparing neighbouring numbers on alternating updates.

    It sets nothing: ``threads`` is the number to use for the next update, ``record`` takes how long that update took.

    Attributes:
        limit: most threads.
        chosen: the number in use between trials; 0 before the first choice.
        low, high: the numbers being compared; 0 between trials.
        direction: 1 while the walk goes up, -1 while it goes down.
        low_times, high_times: seconds per token of their updates.
        low_seconds, high_seconds: seconds their updates took.
        skip: updates still to be left out.
        best: seconds per token of the fastest window since the last trial; 0 when there is none.
        window: seconds per token of the updates in the current window.
        window_seconds: what they took.
        slow_windows, slow_updates: how many in a row were slow.
        retry, interval: training time until the next trial of more threads, and from one to the next.
        trial_cost: seconds that the current walk spent on numbers above ``chosen``.
    """

    limit: int
    chosen: int = 0
    low: int = 0
    high: int = 0
    direction: int = 1
    low_times: list[float] = field(default_factory=list[float])
    high_times: list[float] = field(default_factory=list[float])
    low_seconds: float = 0.0
    high_seconds: float = 0.0
    skip: int = 0
    best: float = 0.0
    window: list[float] = field(default_factory=list[float])
    window_seconds: float = 0.0
    slow_windows: int = 0
    slow_updates: int = 0
    retry: float = RETRY_SECONDS
    interval: float = RETRY_SECONDS
    trial_cost: float = 0.0

    @classmethod
    def fresh(cls, limit: int) -> ThreadTuner:
        """A tuner that begins by comparing one thread with two."""
        tuner = cls(limit)
        tuner._compare(1, 1)
        tuner.skip = WARM_UP
        return tuner

    @property
    def threads(self) -> int:
        """Threads for the next update."""
        if not self.high:
            return self.chosen
        if self.skip:
            return self.low
        place = (len(self.low_times) + len(self.high_times)) % 4
        return self.low if place in (0, 3) else self.high

    def record(self, seconds: float, tokens: int) -> bool:
        """Take the time of one update with ``threads``; returns whether ``chosen`` has changed."""
        per_token, before = seconds / max(1, tokens), self.chosen
        if self.skip:
            self.skip -= 1
        elif self.high:
            self._record_trial(seconds, per_token)
        else:
            self._record_window(seconds, per_token)
        return self.chosen != before

    def _record_trial(self, seconds: float, per_token: float) -> None:
        if self.threads == self.low:
            self.low_times.append(per_token)
            self.low_seconds += seconds
        else:
            self.high_times.append(per_token)
            self.high_seconds += seconds
            self.trial_cost += seconds if self.high > self.chosen else 0.0
        winner = self._winner(seconds)
        if winner == self.high and self.direction > 0 and self.high < self.limit:
            self._compare(self.high, 1)
        elif winner == self.low and self.direction < 0 and self.low > 1:
            self._compare(_half(self.low), -1)
        elif winner:
            self._choose(winner)

    def _winner(self, seconds: float) -> int:
        """The faster number, or 0 while it is undecided."""
        low, high = self.low_times, self.high_times
        if not low or not high:
            return 0
        typical = statistics.median(low)
        # Threads that spin on a busy machine can take 30 times as long: one or two updates are enough to decide.
        last = self.high_seconds if len(high) == 1 else 0.0
        if last > COLLAPSED * self.low_seconds and high[0] > COLLAPSED * typical:
            return self.low
        if len(high) >= 2 and min(high) > 1.5 * typical:
            return self.low
        fewest, shortest = min(len(low), len(high)), min(self.low_seconds, self.high_seconds)
        long_enough = fewest >= FEWEST_SAMPLES and shortest >= LONG_SECONDS
        many_enough = fewest >= SAMPLES and (fewest >= MOST_SAMPLES or shortest >= TRIAL_SECONDS)
        if not long_enough and not many_enough:
            return 0
        return self.high if statistics.median(high) <= GAIN * typical else self.low

    def _compare(self, low: int, direction: int) -> None:
        self.low, self.high, self.direction = low, min(2 * low, self.limit), direction
        self.low_times, self.high_times, self.low_seconds, self.high_seconds = [], [], 0.0, 0.0

    def _choose(self, number: int) -> None:
        same = number == self.chosen
        times = self.high_times if number == self.high else self.low_times
        self.best = statistics.median(times)
        self.interval = min(2 * self.interval, LONGEST_RETRY) if same else RETRY_SECONDS
        self.retry = max(self.interval, self.trial_cost / TRIAL_SHARE)
        self.chosen, self.low, self.high, self.trial_cost = number, 0, 0, 0.0
        self.low_times, self.high_times = [], []
        self._begin_window()
        self.slow_windows = self.slow_updates = 0

    def _begin_window(self) -> None:
        self.window, self.window_seconds = [], 0.0

    def _record_window(self, seconds: float, per_token: float) -> None:
        """Begin a trial if there is a reason to."""
        self.retry -= seconds
        if self.chosen > 1:
            self.slow_updates = self.slow_updates + 1 if self.best and per_token > COLLAPSED * self.best else 0
            self.window.append(per_token)
            self.window_seconds += seconds
            if len(self.window) >= WINDOW_UPDATES and self.window_seconds >= WINDOW_SECONDS:
                typical = statistics.median(self.window)
                self.best = min(self.best or math.inf, typical)
                self.slow_windows = self.slow_windows + 1 if typical > SLOWER * self.best else 0
                self._begin_window()
            if self.slow_windows >= 2 or self.slow_updates >= 2:
                self.slow_windows = self.slow_updates = 0
                self._compare(_half(self.chosen), -1)
                return
        if self.chosen < self.limit and self.retry <= 0.0:
            self._compare(self.chosen, 1)

    # Checkpoints --------------------------------------------------------------------------------------------------

    @classmethod
    def from_dict(cls, values: JsonObject | None, limit: int) -> ThreadTuner:
        """Read ``dataclasses.asdict`` back; if the limit has changed, a trial that was under way begins again.

        Raises:
            ModelFileError: for values of the wrong type, or that contradict each other.
        """
        if not isinstance(values, Mapping):
            raise ModelFileError(f"The checkpoint is damaged: its thread tuner is {values!r}.")
        tuner = cls(limit)
        for each in dataclasses.fields(cls):
            value = values.get(each.name)
            valid = (
                isinstance(value, list) and all(map(_is_time, value))  # pyright: ignore[reportUnknownArgumentType]
                if each.type.startswith("list")
                else _is_number(value) and (each.type != "int" or isinstance(value, int))
            )
            if not valid:
                raise ModelFileError(f"The checkpoint is damaged: the thread tuner's {each.name} is {value!r}.")
            setattr(tuner, each.name, value)
        counts = (tuner.limit, tuner.chosen, tuner.low, tuner.high, tuner.skip)
        comparing = 1 <= tuner.low < tuner.high <= tuner.limit
        choosing = tuner.low == tuner.high == 0 and 1 <= tuner.chosen <= tuner.limit
        if min(counts) < 0 or not tuner.chosen <= tuner.limit <= MOST_THREADS or not (comparing or choosing):
            raise ModelFileError("The checkpoint is damaged: its thread tuner contradicts itself.")
        if tuner.limit != limit:
            chosen = min(tuner.chosen, limit)
            tuner = cls(limit, chosen=chosen) if chosen else cls.fresh(limit)
        return tuner


def _half(number: int) -> int:
    """The next lower number of 1, 2, 4, ..., limit."""
    return 1 << max(0, (number - 1).bit_length() - 1)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_time(value: object) -> bool:
    return _is_number(value) and value >= 0


class TrainingThreads:
    """Sets torch's number of threads while a training runs, in the thread that runs it.

    ``in_use`` surrounds the training and restores the number afterwards.
    """

    def __init__(self, number: int | None, *, adaptive: bool, small: bool) -> None:
        """Prepare.

        Args:
            number: a fixed number, or ``None`` to choose one.
            adaptive: whether a number may be chosen by timing updates; otherwise torch's number is used.
            small: whether the network is too small for several threads.
        """
        self._requested, self._adaptive, self._small = number, adaptive, small
        self._saved: JsonObject = {}
        self._tuner: ThreadTuner | None = None
        self._limit = self._fixed = 1
        self._changed = False

    @property
    def number(self) -> int:
        """Threads in use, or to be used for the next update."""
        return self._fixed if self._tuner is None else self._tuner.threads

    @contextmanager
    def in_use(self) -> Generator[None]:
        """Train inside this block; it chooses no more threads than torch uses when it is entered."""
        self._limit = torch.get_num_threads()
        self._prepare()
        self._set(self.number)
        try:
            yield
        finally:
            torch.set_num_threads(self._limit)

    @contextmanager
    def all_threads(self) -> Generator[None]:
        """Use a fixed number, or as many threads as before the training: for searches, which share them out themselves."""
        self._set(self._requested or self._limit)
        try:
            yield
        finally:
            self._set(self.number)

    def measure(self, update: Callable[[], Update]) -> Update:
        """Make an update and time it."""
        self._set(self.number)
        if self._tuner is None:
            return update()
        before, began = self.number, clock()
        result = update()
        self._changed |= self._tuner.record(clock() - began, result.seen)
        if self.number != before:
            self._set(self.number)
        return result

    def events(self, step: int) -> Iterator[Changed]:
        """Report a choice made since the last call."""
        if self._changed and self._tuner is not None:
            self._changed = False
            yield Changed("threads", self._tuner.chosen, step)

    def _prepare(self) -> None:
        before, tuner = recorded_threads(self._saved), _saved_tuner(self._saved)
        self._tuner, self._fixed = None, min(before or self._limit, self._limit)
        if self._requested:
            self._fixed = self._requested
        elif self._adaptive and self._limit > 1:
            if tuner is not None:
                self._tuner = ThreadTuner.from_dict(tuner, self._limit)
            elif self._small:
                self._fixed = self._fixed if before else 1
            else:
                self._tuner = ThreadTuner(self._limit, self._fixed) if before else ThreadTuner.fresh(self._limit)

    def _set(self, number: int) -> None:
        if torch.get_num_threads() != number:
            set_threads(number, self._limit)

    # Checkpoints --------------------------------------------------------------------------------------------------

    def as_dict(self) -> dict[str, object]:
        """What ``restore`` needs, as plain values."""
        tuner = None if self._tuner is None else dataclasses.asdict(self._tuner)
        return {"number": self.number, "tuner": tuner}

    def restore(self, values: JsonObject) -> None:
        """Go on from the values of a checkpoint when ``in_use`` is entered.

        Raises:
            ModelFileError: if they are damaged.
        """
        tuner, threads = _saved_tuner(values), values.get("threads")
        if tuner is not None:
            ThreadTuner.from_dict(tuner, torch.get_num_threads())
        elif threads is not None and not isinstance(threads, Mapping):
            raise ModelFileError(f"The checkpoint is damaged: its threads are {threads!r}.")
        self._saved = values


def _saved_tuner(values: JsonObject) -> JsonObject | None:
    """The tuner in the values of a checkpoint, or ``None``."""
    threads: JsonObject | None = values.get("threads")
    return threads.get("tuner") if isinstance(threads, dict) else None


def recorded_threads(values: JsonObject) -> int | None:
    """The number of threads in the values of a checkpoint; ``None`` if it is missing or impossible."""
    for name, key in (("threads", "number"), ("made_with", "threads")):
        part: JsonObject | None = values.get(name)
        number = part.get(key) if isinstance(part, dict) else None
        if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= MOST_THREADS:
            return number
    return None


def threads_on_resume(values: JsonObject, requested: int | None) -> int:
    """The number of threads that a training resumes with from the values of a checkpoint."""
    limit = torch.get_num_threads()
    return requested or min(recorded_threads(values) or limit, limit)


def is_small(hidden_size: int, batch_size: int, vocabulary: int) -> bool:
    """Whether the steps of a network are too small to be split among threads."""
    return batch_size * hidden_size**2 <= SMALL_STEP and vocabulary <= SMALL_VOCABULARY
