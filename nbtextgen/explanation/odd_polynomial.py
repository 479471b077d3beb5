"""Odd polynomials of degree 3 in the signs of the units, fitted by kernel ridge regression, and their Shapley values.

With x_i = 1 for a unit in a coalition T and -1 otherwise, o(T) = sum of b_i x_i + sum of c_ijk x_i x_j x_k has the Shapley values
2 b_i + 2/3 sum over j < k of c_ijk. The kernel of such a polynomial is the sum of w_i x_i y_i and of w_i w_j w_k x_i x_j x_k y_i y_j y_k,
i < j < k: elementary symmetric polynomials, computed from sums of powers (Newton's identities). The weight w_i of a unit tells how
much it is expected to matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtextgen.explanation.attributions import Coalitions, ScoreFunction, Values

CUBIC = 0.5
"""Weight of the cubic part of the kernel, relative to the linear part at a coalition itself."""


def signs(coalitions: Coalitions) -> Values:
    """1 for units that are present, -1 for the others."""
    return np.asarray(np.where(coalitions, 1.0, -1.0), dtype=np.float64)


def odd_parts(score: ScoreFunction, coalitions: Coalitions) -> Values:
    """Half of the difference between each coalition and its complement, ``(coalitions, outputs)``."""
    scores = score(np.concatenate([coalitions, ~coalitions]))
    return (scores[: len(coalitions)] - scores[len(coalitions) :]) / 2


class OddKernel:
    """The kernel of odd polynomials of degree 3.

    Attributes:
        weights: of the units, ``(units,)``, with a mean of 1.
        cubic: weight of the cubic part.
    """

    def __init__(self, units: int, weights: Values | None = None) -> None:
        self.weights: Values = np.ones(units) if weights is None else weights / weights.mean()
        first, self._second, third = (float((self.weights**power).sum()) for power in (1, 2, 3))
        self.cubic = CUBIC * first / ((first * (first * first - 3 * self._second) + 2 * third) / 6)

    def __call__(self, left: Values, right: Values) -> Values:
        """Products of all pairs of rows of signs, ``(left rows, right rows)``."""
        first = (left * self.weights) @ right.T
        third = first if (self.weights == 1).all() else (left * self.weights**3) @ right.T
        # ``first**3`` takes 25 times as long.
        return first + self.cubic / 6 * (first * (first * first - 3 * self._second) + 2 * third)


@dataclass(frozen=True, eq=False)
class OddPolynomial:
    """A polynomial by the samples that it was fitted to, ``(samples, units)``, and their dual coefficients ``(samples, outputs)``."""

    kernel: OddKernel
    signs: Values
    dual: Values

    def predict(self, coalitions: Coalitions) -> Values:
        """Odd parts, ``(coalitions, outputs)``."""
        return self.kernel(signs(coalitions), self.signs) @ self.dual

    def shapley_values(self) -> Values:
        """``(outputs, units)``."""
        weights = self.kernel.weights
        weighted = self.signs * weights
        linear = (self.dual.T @ self.signs) * weights
        others = weighted.sum(1, keepdims=True) - weighted
        # The sum of w_j x_j w_k x_k over pairs j < k of other units.
        pairs = (others**2 - ((weights**2).sum() - weights**2)) / 2
        return 2 * linear + (2 / 3) * self.kernel.cubic * (self.dual.T @ (self.signs * pairs)) * weights
