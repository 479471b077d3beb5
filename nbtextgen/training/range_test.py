"""The learning-rate range test: which peak rate suits a network and its data (Smith 2017, sec. 3.3)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nbtextgen.charts import Chart, Curve, axes_to_draw_on, figure, line_chart
from nbtextgen.training.config import TrainingConfig
from nbtextgen.training.trainer import Trainer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOWEST, HIGHEST = 1e-5, 1.0
"""Between which rates the test climbs, each update by the same factor."""
SMOOTHING = 0.9
"""Weight of earlier updates in the smoothed loss, since the loss of one batch is noisy."""
EXPLODED = 1.5
"""The test ends when the smoothed loss is this many times its lowest value."""
BELOW_BEST = 0.15
"""The suggestion is this fraction of the rate at which the smoothed loss was lowest. Measured on 1,500 dates and 1,500
pronunciations (LSTM of 64): the best of seven peak rates, from 0.001 to 0.06, lay at 0.1 to 0.2 of it."""


@dataclass(frozen=True)
class RangeTest:
    """Result of a range test; displayed as a chart.

    Attributes:
        rates: learning rate of each update, rising.
        losses: training loss of each update, smoothed, in nats per target token.
        suggestion: a peak learning rate to train with.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float

    def chart(self) -> Chart:
        """The loss over the rate, with the suggestion marked."""
        return line_chart(
            [Curve("loss", list(zip(self.rates, self.losses, strict=True)))],
            title=f"Training loss over the learning rate; suggested: {self.suggestion:g}",
            x_label="learning rate",
            y_label="loss (smoothed)",
            logarithmic=True,
            mark=(self.suggestion, f"suggested: {self.suggestion:g}"),
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the loss over the rate with Matplotlib.

        Args:
            ax: where to draw; by default in a new figure.

        Raises:
            MissingPackageError: without Matplotlib.
        """
        axes = axes_to_draw_on(ax)
        axes.semilogx(self.rates, self.losses)
        axes.axvline(self.suggestion, color="0.5", linestyle="--", label=f"suggested: {self.suggestion:g}")
        axes.set(xlabel="learning rate", ylabel="loss (smoothed)")
        axes.legend()
        return axes

    def __repr__(self) -> str:
        return f"RangeTest(suggestion={self.suggestion:g}, {len(self.rates)} updates up to {self.rates[-1]:.2g})"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": figure(self.chart(), "learning-rate")}


def range_config(config: TrainingConfig) -> TrainingConfig:
    """The settings of a run, changed so that only ``controls`` change its learning rate."""
    return replace(
        config,
        learning_rate=HIGHEST,
        schedule="constant",
        warmup=0.0,
        max_minutes=None,
        max_steps=None,
        epochs=max(config.epochs or 1, 1),
        average="none",
    )


def range_test(
    trainer: Trainer, *, updates: int = 150, on_progress: Callable[[int], bool] = lambda update: True
) -> RangeTest:
    """Train a little at rising rates; the trainer's network is used up by it.

    Args:
        trainer: a fresh one, made with ``range_config``.
        updates: how many at most, from ``LOWEST`` to ``HIGHEST``.
        on_progress: called after each update with its number; ``False`` ends the test.

    Returns:
        rates, smoothed losses and the suggestion, ``BELOW_BEST`` of the rate at which the loss was lowest: smoothing lags
        behind, and a schedule stays near its peak for a while.
    """
    rates, losses = list[float](), list[float]()
    mean = 0.0
    planned = (batch for epoch in itertools.count(1) for batch in trainer.epoch_batches(epoch))
    for update in range(updates):
        rate = LOWEST * (HIGHEST / LOWEST) ** (update / max(1, updates - 1))
        trainer.controls.rate_factor = rate / HIGHEST
        list(trainer.follow_controls())  # its events do not matter here
        done = trainer.update([next(planned)])
        if not math.isfinite(done.loss):
            break
        mean = SMOOTHING * mean + (1 - SMOOTHING) * done.loss / done.tokens
        rates.append(rate)
        losses.append(mean / (1 - SMOOTHING ** (update + 1)))
        if losses[-1] > EXPLODED * min(losses) or not on_progress(update + 1):
            break
    return RangeTest(tuple(rates), tuple(losses), suggested(rates, losses))


def suggested(rates: list[float], losses: list[float]) -> float:
    """The rate to train with, rounded to one figure: ``BELOW_BEST`` of that of the lowest loss."""
    if not rates:
        return LOWEST
    rate = BELOW_BEST * rates[losses.index(min(losses))]
    return float(f"{max(rate, LOWEST):.0e}")
