"""LIME: a weighted linear model of the value function around the whole input.

Written out here (a weighted ridge, solved once for all output tokens) because the alternatives cost more than they bring:
the ``lime`` package has not been kept since 2020 and pulls in scikit-image; Captum's ``Lime`` fits one output at a time,
with one model call per perturbation unless told otherwise, and imports for 2 s. The tests hold it against
scikit-learn's ``Ridge``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbtextgen.explanation.removal import Kept
from nbtextgen.explanation.shapley import power_set

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Surrogate:
    """A linear model of each output token's score.

    Attributes:
        values: coefficients ``(outputs, units)``.
        intercept: ``(outputs,)``.
        r_squared: weighted share of the variance that the model explains, ``(outputs,)``; 1 where there is none.
    """

    values: Values
    intercept: Values
    r_squared: Values


def lime(
    value: Callable[[Kept], Values], units: int, samples: int, seed: int, width: float = 0.25, ridge: float = 1e-3
) -> Surrogate:
    """Fit the surrogate (Ribeiro et al. 2016, sec. 3.3 and 3.4).

    As in the authors' text explainer, a perturbation leaves out a random number of units, and its weight falls with the
    cosine distance d of its presence bits from all ones: sqrt(exp(- d ** 2 / width ** 2)).

    Args:
        value: scores coalitions.
        units: how many there are.
        samples: perturbations; when there are no more coalitions than that, all of them are used.
        seed: of the perturbations.
        width: of the kernel.
        ridge: penalty on the coefficients, so that units never apart share their weight.
    """
    kept = power_set(units)[1:] if 2**units - 1 <= samples else _perturbations(units, samples, seed)
    scores = value(kept)
    closeness = np.sqrt(kept.mean(1))  # the cosine between bits and all ones
    weights = np.sqrt(np.exp(-(((1 - closeness) / width) ** 2)))
    share = weights / weights.sum()
    bits = kept.astype(float)
    bit_means, score_means = share @ bits, share @ scores
    centred, wanted = bits - bit_means, scores - score_means
    gram = (centred * weights[:, None]).T @ centred + ridge * np.eye(units)
    coefficients = np.linalg.solve(gram, (centred * weights[:, None]).T @ wanted)  # (units, outputs)
    left = share @ (wanted - centred @ coefficients) ** 2
    spread = share @ wanted**2
    fit = np.where(spread > 1e-12, 1 - left / np.maximum(spread, 1e-12), 1.0)
    return Surrogate(coefficients.T, score_means - bit_means @ coefficients, fit)


def _perturbations(units: int, samples: int, seed: int) -> Kept:
    """All units, then random ones left out: first how many (1 to all but one), then which."""
    rng = np.random.default_rng(seed)
    gone = rng.integers(1, units, samples - 1) if units > 1 else np.ones(samples - 1, dtype=int)
    ranks = rng.random((samples - 1, units)).argsort(1).argsort(1)
    return np.concatenate([np.ones((1, units), bool), ranks >= gone[:, None]])
