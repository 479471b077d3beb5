"""LIME: a weighted linear model of the value function around the whole input.

Implemented here (a weighted ridge regression, solved once for all output tokens) because the alternatives cost more than
they bring: the ``lime`` package has not been maintained since 2020 and pulls in scikit-image; Captum's ``Lime`` fits one
output at a time, with one model call per perturbation unless told otherwise, and imports for 2 s. The tests compare it
with scikit-learn's ``Ridge``.
"""

from __future__ import annotations

import numpy as np

from nbtextgen.explanation.attributions import Attributions, Coalitions, ScoreFunction, Values
from nbtextgen.explanation.shapley import power_set

KERNEL_WIDTH, RIDGE = 0.25, 1e-3
"""Of the weights of perturbations, and of the penalty on coefficients."""


def lime(
    score: ScoreFunction,
    units: int,
    *,
    samples: int,
    seed: int,
    relevant: Coalitions | None = None,
) -> Attributions:
    """Fit the surrogate (Ribeiro et al. 2016, sec. 3.3 and 3.4).

    As in the authors' text explainer, a perturbation leaves out a random number of units, and its weight falls with the
    cosine distance d of its presence bits from all ones: sqrt(exp(- d ** 2 / KERNEL_WIDTH ** 2)).

    Args:
        score: scores coalitions of this number of ``units``.
        samples: perturbations; if there are no more coalitions than that, all of them are used.
        seed: of the perturbations.
        relevant: units that each output depends on, ``(outputs, units)``, which alone enter its surrogate. By default all.
    """
    coalitions = power_set(units)[1:] if 2**units - 1 <= samples else _perturbations(units, samples, seed)
    scores = score(coalitions)
    if relevant is None:
        values, base, r_squared = _surrogate(coalitions, scores)
    else:
        values = np.zeros(relevant.shape)
        base, r_squared = np.zeros((2, len(relevant)))
        for output, chosen in enumerate(relevant):
            fit = _surrogate(coalitions[:, chosen], scores[:, [output]])
            values[output, chosen], base[output], r_squared[output] = fit[0][0], fit[1][0], fit[2][0]
    full = score(np.ones((1, units), dtype=bool))[0]
    return Attributions(values, base, full, "weighted ridge regression", r_squared=r_squared)


def _surrogate(coalitions: Coalitions, scores: Values) -> tuple[Values, Values, Values]:
    """Coefficients ``(outputs, units)``, intercepts and R squared ``(outputs,)`` of one regression for all outputs.

    The penalty ``RIDGE`` lets units that always occur together share their weight.
    """
    cosine = np.sqrt(coalitions.mean(1))  # between the presence bits and all ones
    weights = np.sqrt(np.exp(-(((1 - cosine) / KERNEL_WIDTH) ** 2)))
    share = weights / weights.sum()
    bits = coalitions.astype(float)
    bit_means, score_means = share @ bits, share @ scores
    centred_bits, centred_scores = bits - bit_means, scores - score_means
    gram = (centred_bits * weights[:, None]).T @ centred_bits + RIDGE * np.eye(bits.shape[1])
    slopes: Values = (centred_bits * weights[:, None]).T @ centred_scores
    coefficients = np.asarray(np.linalg.solve(gram, slopes), dtype=float)  # (units, outputs)
    residual = share @ (centred_scores - centred_bits @ coefficients) ** 2
    variance = share @ centred_scores**2
    r_squared = np.where(variance > 1e-12, 1 - residual / np.maximum(variance, 1e-12), 1.0)
    return coefficients.T, score_means - bit_means @ coefficients, r_squared


def _perturbations(units: int, samples: int, seed: int) -> Coalitions:
    """All units, then random ones left out: first how many (1 to all but one), then which."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, units, samples - 1) if units > 1 else np.ones(samples - 1, dtype=int)
    ranks = rng.random((samples - 1, units)).argsort(1).argsort(1)
    return np.concatenate([np.ones((1, units), bool), ranks >= counts[:, None]])
