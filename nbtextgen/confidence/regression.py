"""Logistic and isotonic regression in NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
STEPS = 50
"""Most Newton steps; about ten are needed."""


def sigmoid(values: Array) -> Array:
    """``1 / (1 + exp(-values))``, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * values))


@dataclass(frozen=True, eq=False)
class Logistic:
    """Logistic regression on standardized columns.

    The first column is what speaks for an output before any data is seen: its weight is drawn to 1, the others to 0. So
    outputs are ranked by it where no held-out output is wrong.

    Attributes:
        means, scales: of the columns, ``(columns,)``.
        weights: of the standardized columns, ``(columns,)``.
        intercept: added to them.
    """

    means: Array
    scales: Array
    weights: Array
    intercept: float

    @classmethod
    def fit(cls, rows: Array, right: Array, ridge: float) -> Logistic:
        """Maximise the penalised likelihood by Newton's method with halved steps.

        The labels are smoothed as in Platt (1999, sec. 2.2), so that data without a wrong output has a finite solution.
        Without rows the first column is taken as it is.

        Args:
            rows: ``(rows, columns)``.
            right: 1 or 0, ``(rows,)``.
            ridge: penalty on half the squared distances of the weights to 1, 0, 0, ...; the intercept is free.
        """
        columns = int(rows.shape[1])
        if not len(rows):
            return cls(np.zeros(columns), np.ones(columns), np.eye(1, columns)[0], 0.0)
        means, scales = rows.mean(0), rows.std(0)
        scales = np.where(scales > 1e-9, scales, np.inf)  # a constant column says nothing
        design = np.column_stack([(rows - means) / scales, np.ones(len(rows))])
        positives = float(right.sum())
        labels: Array = np.where(right > 0, (positives + 1) / (positives + 2), 1 / (len(right) - positives + 2))
        penalty = np.full(columns + 1, ridge, np.float64)
        penalty[-1] = 1e-6
        prior = np.zeros(len(penalty), np.float64)
        prior[0] = float(np.isfinite(scales[0]))
        solution = _newton(design, labels, penalty, prior)
        return cls(means, scales, solution[:-1], float(solution[-1]))

    def logits(self, rows: Array) -> Array:
        """Log-odds of rows ``(rows, columns)``.

        Columns are kept within five deviations, where the data was; but the first may be as low as it is.
        """
        standardized = np.clip(
            (rows - self.means) / self.scales, np.where(np.arange(len(self.means)), -5.0, -np.inf), 5
        )
        return standardized @ self.weights + self.intercept


def _newton(design: Array, labels: Array, penalty: Array, prior: Array) -> Array:
    """The weights of least penalised logistic loss, ``(columns,)``; the last column is the intercept."""

    def loss(weights: Array) -> float:
        logits = design @ weights
        return float((np.logaddexp(0, logits) - labels * logits).sum() + 0.5 * (penalty * (weights - prior) ** 2).sum())

    solution = prior.copy()
    share = float(labels.mean())
    solution[-1] = np.log(share / (1 - share))
    current = loss(solution)
    for _ in range(STEPS):
        estimates = sigmoid(design @ solution)
        gradient = np.asarray(design.T @ (estimates - labels) + penalty * (solution - prior), np.float64)
        curvature = (design * (estimates * (1 - estimates))[:, None]).T @ design + np.diag(penalty)
        step, size = np.asarray(np.linalg.solve(curvature, gradient), np.float64), 1.0
        while (following := loss(solution - size * step)) > current and size > 1e-4:
            size /= 2
        if current - following < 1e-9 * max(1.0, abs(current)):
            break
        solution, current = solution - size * step, following
    return solution


@dataclass(frozen=True, eq=False)
class Isotonic:
    """Isotonic regression, linear between the means of its blocks.

    Attributes:
        inputs, outputs: increasing knots, ``(knots,)``.
    """

    inputs: Array
    outputs: Array

    @classmethod
    def fit(cls, inputs: Array, right: Array) -> Isotonic:
        """Pool adjacent violators (Ayer et al. 1955); the mean of a block is smoothed by half an output of each kind."""
        order = np.argsort(inputs, kind="stable")
        blocks = list[tuple[float, float, float]]()
        for value, label in zip(inputs[order].tolist(), right[order].tolist(), strict=True):
            count, total, positives = 1.0, value, label
            while blocks and blocks[-1][2] / blocks[-1][0] >= positives / count:
                earlier = blocks.pop()
                count, total, positives = count + earlier[0], total + earlier[1], positives + earlier[2]
            blocks.append((count, total, positives))
        table = np.array(blocks)
        outputs = (table[:, 2] + 0.5) / (table[:, 0] + 1)
        return cls(table[:, 1] / table[:, 0], np.maximum.accumulate(outputs))

    def __call__(self, inputs: Array) -> Array:
        """The regression at ``inputs``; constant beyond the outer knots."""
        return np.interp(inputs, self.inputs, self.outputs)
