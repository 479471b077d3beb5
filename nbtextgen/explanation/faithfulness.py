"""Is the ranking true? The units it names are really taken away, or alone kept, and the output is scored again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbtextgen.explanation.removal import Kept

Values = NDArray[np.float64]
FRACTIONS = (0.1, 0.2, 0.3, 0.5)
"""Shares of the units taken for comprehensiveness and sufficiency."""
POINTS = 10
"""Most steps of a deletion or insertion curve."""


@dataclass(frozen=True)
class Faithfulness:
    """Scores of one explanation, means over its output tokens, in probability.

    For a contrast, the probability is that of the output against the alternative, p / (p + p').

    Attributes:
        comprehensiveness: fall of the probability when the highest units are removed (DeYoung et al. 2020, sec. 4.2), mean
            over 10, 20, 30 and 50 % of the units; higher is better.
        sufficiency: fall of it when only those are kept (same); lower is better.
        deletion: area under the probability as units are removed, highest first (Petsiuk et al. 2018, sec. 3.2); lower is
            better.
        insertion: area under it as units are added, highest first (same); higher is better.
        random_comprehensiveness, random_sufficiency, random_deletion, random_insertion: the same for units in random order.
    """

    comprehensiveness: float
    sufficiency: float
    deletion: float
    insertion: float
    random_comprehensiveness: float
    random_sufficiency: float
    random_deletion: float
    random_insertion: float

    @property
    def gain(self) -> float:
        """How much better than random order: mean of what deletion saves and insertion gains, in area."""
        return (self.random_deletion - self.deletion + self.insertion - self.random_insertion) / 2

    def sentence(self) -> str:
        """The scores in words."""
        quick = "faster than" if self.gain > 0.02 else "no faster than" if self.gain > -0.02 else "more slowly than"
        return (
            f"Removing the highest units first lowers the output's probability {quick} random order "
            f"(area {self.deletion:.2f} against {self.random_deletion:.2f}); "
            f"comprehensiveness {self.comprehensiveness:.2f} (random {self.random_comprehensiveness:.2f}), "
            f"sufficiency {self.sufficiency:.2f} (random {self.random_sufficiency:.2f}, lower is better)."
        )


def faithfulness(
    value: Callable[[Kept], Values], values: Values, *, contrast: bool = False, orders: int = 8, seed: int = 1
) -> Faithfulness:
    """Score a ranking of the units for every output token.

    Args:
        value: scores coalitions, in nats.
        values: attributions ``(outputs, units)``; a higher value ranks earlier.
        contrast: whether ``value`` is a difference of two log-probabilities.
        orders: random orders for the control.
        seed: of these orders.
    """
    outputs, units = values.shape
    squash = _preference if contrast else np.exp
    counts = _counts(units)

    def along(ranks: NDArray[np.int64], *, drop: bool) -> Values:
        """Probabilities as units are dropped, or added, in the orders ``ranks (orders, units)``: ``(orders, counts, outputs)``."""
        taken = ranks[:, None, :] < counts[None, :, None]
        kept = ~taken if drop else taken
        return squash(value(kept.reshape(-1, units))).reshape(len(ranks), len(counts), outputs)

    ranks = (-values).argsort(1, kind="stable").argsort(1)
    shuffled = np.random.default_rng(seed).random((orders, units)).argsort(1)
    at = np.arange(outputs)
    own = [along(ranks, drop=drop)[at, :, at] for drop in (True, False)]
    chance = [along(shuffled, drop=drop).mean(0).T for drop in (True, False)]
    return Faithfulness(*_scores(own[0], own[1], counts), *_scores(chance[0], chance[1], counts))


def _preference(difference: Values) -> Values:
    return 1 / (1 + np.exp(-difference))


def _counts(units: int) -> NDArray[np.int64]:
    """Numbers of units taken along a curve, from none to all."""
    grid = np.round(np.linspace(0, units, min(units, POINTS) + 1)).astype(int)
    return np.unique(np.concatenate([grid, _taken(units)]))


def _taken(units: int) -> NDArray[np.int64]:
    return np.maximum(1, np.ceil(np.array(FRACTIONS) * units - 1e-9)).astype(int)


def _scores(deleted: Values, inserted: Values, counts: NDArray[np.int64]) -> tuple[float, float, float, float]:
    """Comprehensiveness, sufficiency, deletion and insertion from curves ``(outputs, counts)``."""
    at = np.searchsorted(counts, _taken(int(counts[-1])))
    whole = deleted[:, 0]
    share = counts / counts[-1]
    return (
        float((whole[:, None] - deleted[:, at]).mean()),
        float((whole[:, None] - inserted[:, at]).mean()),
        float(np.trapezoid(deleted, share, axis=1).mean()),
        float(np.trapezoid(inserted, share, axis=1).mean()),
    )
