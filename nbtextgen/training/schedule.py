"""The schedule of a run: its learning rate, when it validates, and when it ends, by updates, by the clock or on a plateau."""

from __future__ import annotations

import math

from nbtextgen.training.config import TrainingConfig
from nbtextgen.training.state import Progress

DECAY = 0.5
"""Fraction of a ``stable-decay`` schedule in which the learning rate falls."""
VALIDATIONS = 10
"""Validations in a run, unless its epochs are shorter than a tenth of it."""
MIN_UPDATES = 100
"""Updates between validations that do not end an epoch, at least."""
MAX_VALIDATION_SHARE = 0.05
"""With a time limit, validation takes at most this fraction of the time."""
PLATEAU = 0.25
"""Fraction of the planned run without an improvement after which the learning rate begins to decay, or the run ends."""
MIN_STALE = 3
"""Validations without an improvement before a run ends early, at least, unless ``patience`` is given."""
_TIMED_STEPS = 10_000
"""Resolution of a schedule that follows the clock alone."""


def rate_at(schedule: str, step: float, steps: int, warmup: float) -> float:
    """Fraction of the peak learning rate at an update.

    Args:
        schedule: ``constant``, ``inverse-sqrt`` (Vaswani et al. 2017, eq. 3), ``cosine`` (Loshchilov & Hutter 2017,
            eq. 5, one period down to 1 %), ``stable-decay`` (constant, then linear to zero over the last half: Hu et al.
            2024, sec. 4), or ``plateau`` (constant here; the trainer halves it).
        step: updates done.
        steps: updates planned.
        warmup: fraction of ``steps`` over which the rate rises linearly from zero.
    """
    rise = max(1.0, warmup * steps)
    if step < rise:
        return (step + 1) / (rise + 1)
    if schedule == "inverse-sqrt":
        return math.sqrt(rise / (step + 1))
    if schedule == "cosine":
        done = min(1.0, (step - rise) / max(1.0, steps - rise))
        return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * done))
    if schedule == "stable-decay":
        return min(1.0, max(0.0, steps - step) / (DECAY * steps))
    return 1.0


class RunLength:
    """When a run validates, how far its learning-rate schedule is, and when it ends.

    Without a time limit everything is counted in updates, so that a resumed run repeats it exactly. With one, the
    schedule follows the clock or the updates, whichever is further on: the learning rate has decayed when the time is up.

    A run whose validation stops improving ends early. In the first half of ``stable-decay`` it begins its decay at once, and
    ends after that. ``patience`` counts validations instead.

    Attributes:
        steps: most updates, or ``None``: until the time is up.
        seconds: time limit for training and validation, or ``None``.
        every: updates between validations, or ``None`` where the clock decides.
    """

    def __init__(
        self,
        config: TrainingConfig,
        updates_per_epoch: int,
        seconds: float | None = None,
        *,
        has_validation: bool = True,
    ) -> None:
        """Plan a run.

        Args:
            config: with ``epochs``, or a time limit.
            updates_per_epoch: updates in one pass over the training pairs.
            seconds: time limit; replaces ``config.max_minutes``.
            has_validation: whether there are validation pairs; without them only ``patience`` ends a run early.
        """
        limits = [updates_per_epoch * config.epochs if config.epochs else None, config.max_steps]
        self.steps = min([limit for limit in limits if limit], default=None)
        limit = config.max_minutes * 60 if config.max_minutes else None
        self.seconds = limit if seconds is None else seconds
        assert self.steps or self.seconds, "a run needs epochs, updates or a time limit"
        self.schedule, self.warmup, self.patience = config.schedule or "constant", config.warmup, config.patience
        self.has_validation = has_validation
        self.every = config.validate_every
        if self.every is None and self.seconds is None and self.steps:
            self.every = min(updates_per_epoch, max(MIN_UPDATES, math.ceil(self.steps / VALIDATIONS)))
        self._validation_seconds = 0.0

    def share(self, progress: Progress, seconds: float) -> float:
        """Fraction of the planned run that is done, from 0 to 1."""
        by_steps = progress.step / self.steps if self.steps else 0.0
        by_time = seconds / self.seconds if self.seconds is not None else 0.0
        return min(1.0, max(by_steps, by_time))

    def position(self, progress: Progress, seconds: float) -> float:
        """Position in the schedule, from 0 to 1; ahead of ``share`` once an early decay has begun."""
        share = self.share(progress, seconds)
        if not progress.decay_from:
            return share
        return min(1.0, 1.0 - DECAY + DECAY * (share - progress.decay_from) / _decay_length(progress))

    def rate(self, progress: Progress, seconds: float) -> float:
        """Learning rate as a fraction of the peak."""
        steps = self.steps or _TIMED_STEPS
        counted = self.seconds is None and not progress.decay_from
        step = progress.step if counted else steps * self.position(progress, seconds)
        return rate_at(self.schedule, step, steps, self.warmup)

    def expected_steps(self, progress: Progress, seconds: float) -> int:
        """Updates that the whole run will have made, at its speed so far; 0 while that is unknown."""
        if self.steps and self.seconds is None and not progress.decay_from:
            return self.steps
        share, position = self.share(progress, seconds), self.position(progress, seconds)
        if not progress.step or not share:
            return self.steps or 0
        whole = progress.step / share
        if progress.decay_from:
            whole *= progress.decay_from + _decay_length(progress)
        return progress.step if position >= 1.0 else max(progress.step, round(whole))

    def seconds_left(self, progress: Progress, seconds: float) -> float:
        """Estimated seconds to the end of the run."""
        left = seconds / max(1, progress.step) * (self.expected_steps(progress, seconds) - progress.step)
        return left if self.seconds is None else min(left, self.seconds - seconds)

    def validation_due(self, progress: Progress, seconds: float) -> bool:
        """Return ``True`` if the model is to be validated after this update."""
        if self.steps and progress.step >= self.steps:
            return True
        if self.every is not None:
            return progress.step % self.every == 0
        assert self.seconds is not None
        pause = max(self.seconds / VALIDATIONS, self._validation_seconds / MAX_VALIDATION_SHARE)
        return seconds - progress.validated >= pause

    def validated(self, progress: Progress, began: float, ended: float) -> None:
        """Record a validation that lasted from ``began`` to ``ended``, seconds since the start of the run."""
        progress.validated, progress.validated_step = ended, progress.step
        self._validation_seconds = ended - began
        share = self.share(progress, ended)
        if not progress.stale:
            progress.improved = share
        plateau = progress.stale > 1 and share - progress.improved > PLATEAU - 1e-9
        if plateau and self.schedule == "stable-decay" and not progress.decay_from and share < 1.0 - DECAY:
            progress.decay_from = share

    def reason_to_stop(self, progress: Progress, seconds: float) -> str:
        """``finished``, ``time``, ``early``, or an empty string: go on. The last validation is within the time limit."""
        if self.steps and progress.step >= self.steps:
            return "finished"
        if self.seconds is not None and seconds + self._validation_seconds >= self.seconds:
            return "time"
        if progress.decay_from and self.position(progress, seconds) >= 1.0:
            return "early"
        if self.patience:
            early = progress.stale >= self.patience
        elif progress.decay_from or not self.has_validation:
            early = False
        else:
            early = progress.stale >= MIN_STALE and self.share(progress, seconds) - progress.improved > PLATEAU - 1e-9
        return "early" if early else ""


def _decay_length(progress: Progress) -> float:
    """Length of an early decay as a fraction of the planned run: in proportion to what came before, as in a whole run."""
    return progress.decay_from * DECAY / (1.0 - DECAY)
