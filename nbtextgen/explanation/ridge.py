"""Kernel ridge regression whose models without each single sample are known at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtextgen.explanation.attributions import Values

RIDGES = (1e-6, 1e-4, 1e-2, 0.1, 1.0, 10.0)
"""Penalties that are tried, in units of the kernel's mean eigenvalue."""


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """A model f(x) = sum over samples of dual coefficients times the kernel, and the models that were fitted without one sample.

    Attributes:
        residuals: of each sample under the model of the others, ``(samples, outputs)``.
        dual: coefficients of the model of all samples, likewise.
        mean_dual: mean coefficients of the models without one of the ``left_out`` samples, likewise.
        freedom: effective number of parameters per sample, from 0 to 1: the mean diagonal of the hat matrix.
    """

    residuals: Values
    dual: Values
    mean_dual: Values
    freedom: float


def leave_one_out(kernel: Values, scores: Values, left_out: int | None = None) -> LeaveOneOut:
    """Fit with the penalty of the smallest leave-one-out error (Cawley and Talbot 2003).

    Args:
        kernel: of all pairs of samples, ``(samples, samples)``.
        scores: ``(samples, outputs)``.
        left_out: only the last so many samples are left out in turn; by default all of them.
    """
    spectrum, vectors = np.linalg.eigh(kernel)
    spectrum = np.maximum(spectrum, 0.0)
    rotated, squared = vectors.T @ scores, vectors**2
    best: tuple[float, Values, Values, Values] | None = None
    for ridge in RIDGES:
        penalized = spectrum + ridge * max(float(spectrum.mean()), 1e-12)
        dual = vectors @ (rotated / penalized[:, None])
        residuals = dual / (squared @ (1 / penalized))[:, None]
        error = float((residuals**2).sum())
        if best is None or error < best[0]:
            best = error, dual, residuals, penalized
    assert best is not None
    _, dual, residuals, penalized = best
    first = 0 if left_out is None else len(scores) - left_out
    removed = vectors @ ((vectors[first:].T @ residuals[first:]) / penalized[:, None])
    freedom = float((spectrum / penalized).mean())
    return LeaveOneOut(residuals, dual, dual - removed / max(1, len(scores) - first), freedom)
