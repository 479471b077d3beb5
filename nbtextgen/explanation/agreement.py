"""Agreement of methods: rank correlation between explanations of the same output, and what it means in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nbtextgen.explanation.attributions import Values
from nbtextgen.explanation.config import METHOD_NAMES, method_title
from nbtextgen.explanation.display import Displayed

AGREEMENT = 0.7
"""Rank correlation from which two methods agree."""
MIN_UNITS = 4
"""Fewest units for a rank correlation: two or three units agree or disagree by chance."""
NOISE_DRAWS = 20
"""Pairs of noisy copies of sampled values, to see how far their ranks repeat."""
PREFERENCE = ("shap", "occlusion", "integrated-gradients", "lime", "input-x-gradient", "attention")
"""Methods, the most principled first: the first that is compared is the reference for the others."""


class Attributed(Protocol):
    """The part of an explanation that is compared: a method and its values ``(outputs, units)``."""

    @property
    def method(self) -> str: ...
    @property
    def values(self) -> Values: ...
    @property
    def standard_errors(self) -> Values | None: ...


@dataclass(frozen=True, eq=False, repr=False)
class Agreement(Displayed):
    """Rank correlation of every two methods on one output.

    Attributes:
        methods: their names.
        correlations: Spearman's rho, ``(methods, methods)``; NaN where no ranking exists (fewer than four units).
        repeatability: for each method, the rank correlation to expect between two runs with different seeds; 1 if the values
            are exact.
    """

    methods: tuple[str, ...]
    correlations: Values
    repeatability: tuple[float, ...] = ()

    @classmethod
    def of(cls, explanations: Sequence[Attributed]) -> Agreement:
        """Compare explanations of the same output over the same units."""
        compared = [explanation for explanation in explanations if explanation.method != "context"]
        correlations = np.eye(len(compared))
        for row, first in enumerate(compared):
            for column, second in enumerate(compared[:row]):
                rho = correlation(first, second) if first.values.shape[1] >= MIN_UNITS else float("nan")
                correlations[row, column] = correlations[column, row] = rho
        methods = tuple(explanation.method for explanation in compared)
        return cls(methods, correlations, tuple(map(repeatability, compared)) if len(compared) > 1 else ())

    @classmethod
    def mean(cls, rows: Sequence[Sequence[Attributed]]) -> Agreement:
        """The mean over outputs, of each the explanations by the same methods; where no ranking exists, over the others."""
        agreements = [cls.of(row) for row in rows]
        if not agreements:
            return cls((), np.zeros((0, 0)))
        stacked = np.stack([agreement.correlations for agreement in agreements])
        defined = ~np.isnan(stacked)
        mean = np.where(defined, stacked, 0).sum(0) / np.maximum(1, defined.sum(0))
        noise = np.array([agreement.repeatability for agreement in agreements]).mean(0)
        return cls(agreements[0].methods, np.where(defined.any(0), mean, np.nan), tuple(map(float, noise)))

    def sentence(self) -> str:
        """What the correlations mean, against the most principled method among them; empty for a single method."""
        if len(self.methods) < 2:
            return ""
        reference = min(self.methods, key=[*PREFERENCE, *self.methods].index)
        row = self.correlations[self.methods.index(reference)]
        noise = dict(zip(self.methods, self.repeatability, strict=False))
        return " ".join(
            _verdict(method, reference, float(rho), noise)
            for method, rho in zip(self.methods, row, strict=True)
            if method != reference
        )


def _verdict(method: str, reference: str, rho: float, repeatability: Mapping[str, float]) -> str:
    name = METHOD_NAMES[method]
    start = f"{method_title(method)} and {METHOD_NAMES[reference]}"
    if np.isnan(rho):
        return f"{start} cannot be compared here: there is nothing to rank, or too few units."
    for sampled in (reference, method):
        if rho < AGREEMENT and repeatability.get(sampled, 1.0) < AGREEMENT:
            return (
                f"{start} cannot be compared here: the ranks of {METHOD_NAMES[sampled]} hardly repeat from seed to seed (rank "
                f"correlation {repeatability[sampled]:.2f}); give it a larger budget."
            )
    if rho < 0.3:
        return f"{start} disagree here (rank correlation {rho:.2f}): {name} is not a reliable guide to this output."
    if rho < AGREEMENT:
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


def repeatability(explanation: Attributed) -> float:
    """Rank correlation to expect between two runs of a sampling method with different seeds, from its standard errors."""
    errors = explanation.standard_errors
    if errors is None or not np.isfinite(errors).all():
        return 1.0 if errors is None else 0.0
    generator = np.random.default_rng(1)
    rhos = list[float]()
    for _ in range(NOISE_DRAWS):
        # The values have the noise of one run already; another run differs from them by that of two.
        noisy = explanation.values + np.sqrt(2) * errors * generator.standard_normal(errors.shape)
        rhos.append(correlation(explanation, _Noisy(explanation.method, noisy)))
    return float(np.mean(rhos))


@dataclass(frozen=True)
class _Noisy:
    method: str
    values: Values
    standard_errors: Values | None = None


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
