"""Agreement of methods: rank correlation between explanations of the same output, and what it means in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nbtextgen.explanation.attributions import Values
from nbtextgen.explanation.config import METHOD_NAMES, method_title
from nbtextgen.explanation.display import Displayed

PREFERENCE = ("shap", "occlusion", "integrated-gradients", "lime", "input-x-gradient", "attention")
"""Methods, the most principled first: the first that is compared is the reference for the others."""


class Attributed(Protocol):
    """The part of an explanation that is compared: a method and its values ``(outputs, units)``."""

    @property
    def method(self) -> str: ...
    @property
    def values(self) -> Values: ...


@dataclass(frozen=True, eq=False, repr=False)
class Agreement(Displayed):
    """Rank correlation of every two methods on one output.

    Attributes:
        methods: their names.
        correlations: Spearman's rho, ``(methods, methods)``; NaN where no ranking exists (a single unit).
    """

    methods: tuple[str, ...]
    correlations: Values

    @classmethod
    def of(cls, explanations: Sequence[Attributed]) -> Agreement:
        """Compare explanations of the same output over the same units."""
        compared = [explanation for explanation in explanations if explanation.method != "context"]
        correlations = np.eye(len(compared))
        for row, first in enumerate(compared):
            for column, second in enumerate(compared[:row]):
                correlations[row, column] = correlations[column, row] = correlation(first, second)
        return cls(tuple(explanation.method for explanation in compared), correlations)

    def sentence(self) -> str:
        """What the correlations mean, against the most principled method among them; empty for a single method."""
        if len(self.methods) < 2:
            return ""
        reference = min(self.methods, key=[*PREFERENCE, *self.methods].index)
        row = self.correlations[self.methods.index(reference)]
        return " ".join(
            _verdict(method, reference, float(rho))
            for method, rho in zip(self.methods, row, strict=True)
            if method != reference
        )


def _verdict(method: str, reference: str, rho: float) -> str:
    name = METHOD_NAMES[method]
    start = f"{method_title(method)} and {METHOD_NAMES[reference]}"
    if np.isnan(rho):
        return f"{start} cannot be compared here: there is nothing to rank."
    if rho < 0.3:
        return f"{start} disagree here (rank correlation {rho:.2f}): {name} is not a reliable guide to this output."
    if rho < 0.7:
        return f"{start} agree only in part here (rank correlation {rho:.2f})."
    return f"{start} agree here (rank correlation {rho:.2f})."


def correlation(first: Attributed, second: Attributed) -> float:
    """Spearman's rho over the units, averaged over the output tokens.

    Attention weights have no sign, so they are compared with the other method's absolute values. Each token is weighted
    by the size of its attributions: where no unit matters, ranks are noise.
    """
    left, right = first.values, second.values
    if "attention" in (first.method, second.method):
        left, right = np.abs(left), np.abs(right)
    sizes = [np.abs(each.values).sum(1) for each in (first, second) if each.method != "attention"]
    weights = np.mean([size / max(size.sum(), 1e-12) for size in sizes], 0) if sizes else np.ones(len(left))
    rhos = np.array([spearman(ours, theirs) for ours, theirs in zip(left, right, strict=True)])
    defined = ~np.isnan(rhos)
    if not defined.any() or weights[defined].sum() <= 0:
        return float("nan")
    return float(np.average(rhos[defined], weights=weights[defined]))


def spearman(first: Values, second: Values) -> float:
    """Rank correlation of two vectors; ties share their mean rank. NaN if one vector is constant."""
    left, right = _ranks(first), _ranks(second)
    left, right = left - left.mean(), right - right.mean()
    size = np.sqrt((left @ left) * (right @ right))
    return float(left @ right / size) if size > 0 else float("nan")


def _ranks(values: Values) -> Values:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = counts.cumsum()
    return (ends - (counts - 1) / 2)[inverse].astype(float)
