"""Controls of a running training: set from any thread, read by the trainer between updates."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Real

from nbtextgen.core.errors import OptionError


@dataclass(frozen=True)
class LiveSettings:
    """What a user may change while a model trains.

    Attributes:
        stop: end after the current update.
        paused: wait before the next one.
        rate_factor: multiplies the scheduled learning rate.
        dropout: probability that replaces the configured one; ``None`` as configured.
        teacher_forcing: share that replaces the configured one; ``None`` as configured.
    """

    stop: bool = False
    paused: bool = False
    rate_factor: float = 1.0
    dropout: float | None = None
    teacher_forcing: float | None = None

    def __post_init__(self) -> None:
        if not (_is_number(self.rate_factor) and 0.0 <= self.rate_factor <= 1000.0):
            raise OptionError(f"The learning rate's factor must be a number from 0 to 1000 (got {self.rate_factor!r}).")
        if self.dropout is not None and not (_is_number(self.dropout) and 0.0 <= self.dropout < 1.0):
            raise OptionError(f"Dropout must be a number from 0 to below 1 (got {self.dropout!r}).")
        forcing = self.teacher_forcing
        if forcing is not None and not (_is_number(forcing) and 0.0 <= forcing <= 1.0):
            raise OptionError(f"Teacher forcing must be a number from 0 to 1 (got {forcing!r}).")

    def risks(self) -> str:
        """What was changed by hand and may make the loss rise, in words; empty if nothing was."""
        rate = [f"the learning rate times {self.rate_factor:g}"] if self.rate_factor > 1.0 else []
        values = {"dropout": self.dropout, "teacher forcing": self.teacher_forcing}
        return ", ".join([*rate, *(f"{name} {value:g}" for name, value in values.items() if value is not None)])

    def without_risks(self) -> LiveSettings:
        """The settings with everything that ``risks`` names as configured."""
        return replace(self, rate_factor=min(1.0, self.rate_factor), dropout=None, teacher_forcing=None)

    def as_numbers(self) -> list[float]:
        """Numbers that another process can be sent; NaN stands for ``None``."""
        return [math.nan if value is None else float(value) for value in vars(self).values()]

    @classmethod
    def from_numbers(cls, numbers: Sequence[float]) -> LiveSettings:
        """Read ``as_numbers`` back."""
        stop, paused, factor, dropout, forcing = (None if math.isnan(value) else value for value in numbers)
        return cls(bool(stop), bool(paused), factor or 0.0, dropout, forcing)


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real)


class Controls:
    """Stop, pause, and settings that may change while training runs. Every method may be called from any thread.

    Example:
        >>> controls = Controls()
        >>> def watch(event):
        ...     if isinstance(event, events.Validation):
        ...         controls.stop()
        >>> small = TextGenerator(hidden_size=8, epochs=50).fit(pairs, callbacks=[watch], controls=controls)
        >>> small.history[-1].reason
        'interrupted'
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._settings = LiveSettings()

    @classmethod
    def of(cls, controls: object) -> Controls:
        """The controls, or new ones for ``None``; raises ``OptionError`` for anything else."""
        if controls is not None and not isinstance(controls, Controls):
            raise OptionError(f"controls must be a Controls object (got {type(controls).__name__}).")
        return Controls() if controls is None else controls

    def __getstate__(self) -> dict[str, object]:
        """For pickle and copies: the settings; a copy steers no training."""
        return {name: value for name, value in vars(self).items() if name != "_changed"}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state, _changed=threading.Condition())

    def steering(self) -> LiveSettings:
        """The current settings, all at once."""
        with self._changed:
            return self._settings

    def steer(self, change: Callable[[LiveSettings], LiveSettings]) -> None:
        """Replace the settings by ``change`` of them, in one move."""
        with self._changed:
            self._settings = change(self._settings)
            self._changed.notify_all()

    def stop(self) -> None:
        """End after the current update; the best model so far is kept."""
        self.steer(lambda settings: replace(settings, stop=True))

    def pause(self) -> None:
        """Wait before the next update until ``resume``."""
        self.steer(lambda settings: replace(settings, paused=True))

    def resume(self) -> None:
        """Go on after ``pause``."""
        self.steer(lambda settings: replace(settings, paused=False))

    @property
    def stopping(self) -> bool:
        """Whether ``stop`` was called."""
        return self.steering().stop

    @property
    def paused(self) -> bool:
        """Whether training waits for ``resume``."""
        return self.steering().paused

    def wait(self, seconds: float) -> None:
        """Return when something changes, at the latest after ``seconds``; the trainer calls it while paused."""
        with self._changed:
            self._changed.wait(seconds)

    @property
    def rate_factor(self) -> float:
        """Factor on the scheduled learning rate."""
        return self.steering().rate_factor

    @rate_factor.setter
    def rate_factor(self, value: float) -> None:
        self.steer(lambda settings: replace(settings, rate_factor=value))

    @property
    def dropout(self) -> float | None:
        """Dropout probability that replaces the configured one, from 0 to below 1; ``None``: as configured."""
        return self.steering().dropout

    @dropout.setter
    def dropout(self, value: float | None) -> None:
        self.steer(lambda settings: replace(settings, dropout=value))

    @property
    def teacher_forcing(self) -> float | None:
        """Fraction of steps fed with the true previous token, from 0 to 1; ``None``: as configured."""
        return self.steering().teacher_forcing

    @teacher_forcing.setter
    def teacher_forcing(self, value: float | None) -> None:
        self.steer(lambda settings: replace(settings, teacher_forcing=value))
