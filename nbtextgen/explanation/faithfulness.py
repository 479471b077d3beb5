"""Faithfulness: whether removing the units that an explanation ranks highest really lowers the output's probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbtextgen.explanation.attributions import ScoreFunction, Values

FRACTIONS = (0.1, 0.2, 0.3, 0.5)
"""Fractions of the units removed or kept for comprehensiveness and sufficiency."""
MAX_STEPS = 10
"""Most steps of a deletion or insertion curve."""


@dataclass(frozen=True)
class Faithfulness:
    """Scores of one explanation, means over its output tokens, in probability.

    For a contrast, the probability is that of the output against the alternative, p / (p + p').

    Attributes:
        comprehensiveness: fall of the probability when the highest units are removed (DeYoung et al. 2020, sec. 4.2),
            mean over 10, 20, 30 and 50 % of the units; higher is better.
        sufficiency: fall of it when only those are kept (same); lower is better.
        deletion: area under the probability as units are removed, highest first (Petsiuk et al. 2018, sec. 3.2); lower
            is better.
        insertion: area under it as units are added, highest first (same); higher is better.
        random_comprehensiveness, random_sufficiency, random_deletion, random_insertion: the same for units in random
            order.
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
        """How much better than random order: the mean gain in area of the deletion and the insertion curve."""
        return (self.random_deletion - self.deletion + self.insertion - self.random_insertion) / 2

    def sentence(self) -> str:
        """The scores in words."""
        speed = "faster than" if self.gain > 0.02 else "no faster than" if self.gain > -0.02 else "more slowly than"
        return (
            f"Removing the highest units first lowers the output's probability {speed} random order "
            f"(area {self.deletion:.2f} against {self.random_deletion:.2f}); "
            f"comprehensiveness {self.comprehensiveness:.2f} (random {self.random_comprehensiveness:.2f}), "
            f"sufficiency {self.sufficiency:.2f} (random {self.random_sufficiency:.2f}, lower is better)."
        )


def faithfulness(
    score: ScoreFunction, values: Values, *, contrast: bool = False, orders: int = 8, seed: int = 1
) -> Faithfulness:
    """Score a ranking of the units for every output token, and ``orders`` random rankings.

    Args:
        score: scores coalitions, in nats.
        values: attributions ``(outputs, units)``; a higher value ranks earlier.
        contrast: whether ``score`` returns a difference of two log-probabilities.
    """
    outputs, units = values.shape
    to_probability = _preference if contrast else np.exp
    counts = _curve_counts(units)

    own, shuffled = (-values).argsort(1, kind="stable").argsort(1), _random_ranks(orders, units, seed)
    ranks = np.concatenate([own, shuffled])
    taken = ranks[:, None, :] < counts[None, :, None]  # (orders, counts, units)
    coalitions = np.concatenate([~taken, taken]).reshape(-1, units)
    probabilities = to_probability(score(coalitions)).reshape(2, len(ranks), len(counts), outputs)
    ranked = [np.einsum("oco->oc", each) for each in probabilities[:, :outputs]]  # each output in its own order
    control = [each.mean(0).T for each in probabilities[:, outputs:]]
    return Faithfulness(*_summary(ranked[0], ranked[1], counts), *_summary(control[0], control[1], counts))


def _random_ranks(orders: int, units: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).random((orders, units)).argsort(1)


def _preference(difference: Values) -> Values:
    return 1 / (1 + np.exp(-difference))


def _curve_counts(units: int) -> NDArray[np.int64]:
    """Numbers of units taken along a curve, from none to all."""
    grid = np.round(np.linspace(0, units, min(units, MAX_STEPS) + 1)).astype(int)
    return np.unique(np.concatenate([grid, _fraction_counts(units)]))


def _fraction_counts(units: int) -> NDArray[np.int64]:
    return np.maximum(1, np.ceil(np.array(FRACTIONS) * units - 1e-9)).astype(int)


def _summary(deleted: Values, inserted: Values, counts: NDArray[np.int64]) -> tuple[float, float, float, float]:
    """Comprehensiveness, sufficiency, deletion and insertion from curves ``(outputs, counts)``."""
    columns = np.searchsorted(counts, _fraction_counts(int(counts[-1])))
    whole = deleted[:, 0]
    share = counts / counts[-1]
    return (
        float((whole[:, None] - deleted[:, columns]).mean()),
        float((whole[:, None] - inserted[:, columns]).mean()),
        float(_area(deleted, share).mean()),
        float(_area(inserted, share).mean()),
    )


def _area(heights: Values, positions: Values) -> Values:
    """Area under each row by the trapezoidal rule (``np.trapezoid``, which NumPy has only from 2.0 on)."""
    return (np.diff(positions) * (heights[:, 1:] + heights[:, :-1]) / 2.0).sum(1)
