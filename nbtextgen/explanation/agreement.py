"""Do the methods tell the same story? Rank correlation between explanations, and what it means in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.escaping import visible
from nbtextgen.explanation.explanation import Explanation

Values = NDArray[np.float64]
NAMES = {
    "shap": "SHAP",
    "lime": "LIME",
    "attention": "attention",
    "integrated-gradients": "integrated gradients",
    "input-x-gradient": "input x gradient",
    "occlusion": "occlusion",
    "context": "context",
}
"""Methods as a sentence calls them."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """Rank correlation of every two methods on one output.

    Attributes:
        methods: their names.
        correlations: Spearman's rho, ``(methods, methods)``; NaN where no ranking exists (a single unit).
    """

    methods: tuple[str, ...]
    correlations: Values

    @classmethod
    def of(cls, explanations: Sequence[Explanation]) -> Agreement:
        """Compare explanations of the same output over the same units."""
        compared = [each for each in explanations if each.method != "context"]
        found = np.eye(len(compared))
        for row, one in enumerate(compared):
            for column, other in enumerate(compared[:row]):
                found[row, column] = found[column, row] = correlation(one, other)
        return cls(tuple(each.method for each in compared), found)

    def sentence(self) -> str:
        """What the correlations mean, measured against the most principled method there is (SHAP first)."""
        if len(self.methods) < 2:
            return ""
        ranked = ("shap", "occlusion", "integrated-gradients", "lime", "input-x-gradient", "attention")
        reference = min(self.methods, key=ranked.index)
        row = self.correlations[self.methods.index(reference)]
        parts = [
            _verdict(method, reference, float(row[at])) for at, method in enumerate(self.methods) if method != reference
        ]
        return " ".join(parts)

    def __repr__(self) -> str:
        width = max(map(len, self.methods), default=0)
        lines = [
            f"{method:<{width}} " + " ".join(f"{value:6.2f}" for value in row)
            for method, row in zip(self.methods, self.correlations, strict=True)
        ]
        return "\n".join(["Spearman rank correlation", *lines])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        head = "".join(f"<th>{visible(method)}</th>" for method in self.methods)
        body = "".join(
            f"<tr><th style='text-align:left'>{visible(method)}</th>"
            + "".join(f"<td>{one:.2f}</td>" for one in row)
            + "</tr>"
            for method, row in zip(self.methods, self.correlations, strict=True)
        )
        table = f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table><p>{visible(self.sentence())}</p>"
        return {"text/plain": repr(self), "text/html": table}


def _verdict(method: str, reference: str, rho: float) -> str:
    name, other = NAMES[method], NAMES[reference]
    start = f"{name[0].upper()}{name[1:]} and {other}"
    if np.isnan(rho):
        return f"{start} cannot be compared here: there is nothing to rank."
    if rho < 0.3:
        return f"{start} disagree here (rank correlation {rho:.2f}): {name} is not a reliable guide to this output."
    if rho < 0.7:
        return f"{start} agree only in part here (rank correlation {rho:.2f})."
    return f"{start} agree here (rank correlation {rho:.2f})."


def correlation(one: Explanation, other: Explanation) -> float:
    """Spearman's rho over the units, mean over output tokens.

    Attention says how much and not which way, so against it the other method's values count without their sign. A token
    weighs by how far the source moves it: where nothing matters, ranks are noise.
    """
    first, second = one.values, other.values
    if "attention" in (one.method, other.method):
        first, second = np.abs(first), np.abs(second)
    weights = [np.abs(each.values).sum(1) for each in (one, other) if each.method != "attention"]
    weight = np.mean([part / max(part.sum(), 1e-12) for part in weights], 0) if weights else np.ones(len(first))
    rhos = np.array([spearman(left, right) for left, right in zip(first, second, strict=True)])
    known = ~np.isnan(rhos)
    if not known.any() or weight[known].sum() <= 0:
        return float("nan")
    return float(np.average(rhos[known], weights=weight[known]))


def spearman(first: Values, second: Values) -> float:
    """Rank correlation of two vectors, ties sharing their mean rank; NaN when one of them is constant."""
    left, right = _ranks(first), _ranks(second)
    left, right = left - left.mean(), right - right.mean()
    size = np.sqrt((left @ left) * (right @ right))
    return float(left @ right / size) if size > 0 else float("nan")


def _ranks(values: Values) -> Values:
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = counts.cumsum()
    return (ends - (counts - 1) / 2)[where].astype(float)
