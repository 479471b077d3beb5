"""Shapley values over presence bits: exact, by permutations, and Owen values by a hierarchy.

The exact sum and the permutation sampler are written out here rather than taken from ``shap``: importing ``shap`` and
compiling its Exact explainer takes 8 s in a fresh kernel, and its sampler tells neither progress nor the standard error of
each value as it goes. Both are held against ``shap`` in the tests. The partition explainer is ``shap``'s own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbtextgen.explanation.removal import Kept
from nbtextgen.explanation.units import Units

Values = NDArray[np.float64]
Value = Callable[[Kept], Values]
"""From ``(coalitions, units)`` to ``(coalitions, outputs)``."""


@dataclass(frozen=True, eq=False)
class Shapley:
    """Attributions with what they add up from and to.

    Attributes:
        values: ``(outputs, units)``.
        base: v(none), ``(outputs,)``.
        full: v(all), ``(outputs,)``.
        errors: standard error of each value, ``(outputs, units)``; ``None`` when the values are exact.
        rounds: permutation pairs drawn; 0 when none were.
    """

    values: Values
    base: Values
    full: Values
    errors: Values | None = None
    rounds: int = 0


def exact(value: Value, units: int) -> Shapley:
    """The sum over the power set (Shapley 1953), all outputs at once.

    phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S)), read as one matrix product: v(S) counts with
    (|S| - 1)! (n - |S|)! / n! for the units in S and with - |S|! (n - |S| - 1)! / n! for the others.

    Args:
        value: scores coalitions.
        units: how many there are, n; costs 2 ** n coalitions.
    """
    coalitions = power_set(units)
    scores = value(coalitions)
    sizes = coalitions.sum(1)
    inside = np.array([0.0] + [1 / (size * math.comb(units, size)) for size in range(1, units + 1)])
    outside = np.array([-1 / ((units - size) * math.comb(units, size)) for size in range(units)] + [0.0])
    weights = np.where(coalitions, inside[sizes][:, None], outside[sizes][:, None])
    return Shapley(scores.T @ weights, scores[0], scores[-1])


def power_set(units: int) -> Kept:
    """Every coalition, ``(2 ** units, units)``, from none to all."""
    return (np.arange(2**units)[:, None] >> np.arange(units)) % 2 == 1


def permutations(value: Value, units: int, budget: int, seed: int, batch: int = 256) -> Iterator[Shapley]:
    """Permutation sampling in antithetic pairs (Castro et al. 2009; Mitchell et al. 2022, sec. 3.1), refined as it goes.

    A permutation adds the units one by one; its mirror adds them in the opposite order. Each pair is one unbiased and
    efficient estimate, so the mean is efficient too, and the spread of the pairs gives the standard error.

    Args:
        value: scores coalitions.
        units: how many there are.
        budget: most coalitions scored; at least two pairs are drawn, or no error could be stated.
        seed: of the permutations.
        batch: coalitions scored between two results.

    Yields:
        the estimate so far, after every batch of pairs.
    """
    rng = np.random.default_rng(seed)
    ends = value(np.array([[False] * units, [True] * units]))
    each = 2 * (units - 1)
    pairs = max(2, (budget - 2) // max(1, each))
    at_once = max(1, batch // max(1, each))
    total = np.zeros((ends.shape[1], units))
    squares = np.zeros_like(total)
    done = 0
    while done < pairs:
        count = min(at_once, pairs - done)
        orders = [rng.permutation(units) for _ in range(count)]
        orders = [order for one in orders for order in (one, one[::-1])]
        inner = np.concatenate([_growing(order) for order in orders])
        scores = value(inner).reshape(2 * count, units - 1, -1) if units > 1 else np.empty((2 * count, 0, len(total)))
        for number in range(count):
            estimate = sum(_gains(orders[at], scores[at], ends) for at in (2 * number, 2 * number + 1)) / 2
            total += estimate
            squares += estimate**2
        done += count
        mean = total / done
        spread = np.sqrt(np.maximum(0.0, squares / done - mean**2) / max(1, done - 1))
        yield Shapley(mean, ends[0], ends[1], spread if done > 1 else np.full_like(mean, np.inf), done)


def _growing(order: NDArray[np.int64]) -> Kept:
    """The coalitions between none and all as units are added in an order, ``(units - 1, units)``."""
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[None, :] <= np.arange(len(order) - 1)[:, None]


def _gains(order: NDArray[np.int64], scores: Values, ends: Values) -> Values:
    """What each unit added to v when its turn came, ``(outputs, units)``."""
    path = np.concatenate([ends[:1], scores, ends[1:]])
    gains = np.empty((len(order), path.shape[1]))
    gains[order] = np.diff(path, axis=0)
    return gains.T


def partition(value: Value, units: Units, budget: int) -> Shapley:
    """Owen values (Owen 1977) by ``shap``'s partition explainer, over a hierarchy of the text.

    Units are joined first inside words, then words inside phrases (stretches between punctuation marks), then phrases;
    neighbours first, so that a split never tears apart what stands together until the budget allows it.

    Args:
        value: scores coalitions.
        units: with their places in the text.
        budget: most coalitions scored.
    """
    from shap.explainers import Partition

    count = len(units)
    ends = value(np.array([[False] * count, [True] * count]))
    if count == 1:
        return Shapley((ends[1] - ends[0])[:, None], ends[0], ends[1])
    masker = _PresenceMasker(hierarchy(units))
    explainer = Partition(lambda rows: value(np.asarray(rows) > 0.5), masker)
    found: Any = explainer(np.ones((1, count)), max_evals=max(budget, 4), silent=True)
    return Shapley(np.asarray(found.values[0]).reshape(count, -1).T, ends[0], ends[1])


class _PresenceMasker:
    """What ``shap`` calls a masker: a coalition of presence bits is its own masked input."""

    def __init__(self, clustering: Values) -> None:
        self.clustering = clustering
        self.shape = (1, len(clustering) + 1)

    def __call__(self, mask: Kept, row: Values) -> tuple[Values]:
        return (np.asarray(mask, dtype=float)[None] * row,)


def hierarchy(units: Units) -> Values:
    """A linkage matrix, ``(units - 1, 4)`` as SciPy's: neighbours joined by how closely they stand together.

    The distance over a gap between neighbours is 1 inside a word, 2 between words, 3 after a comma or the like, 4 after the
    end of a sentence. Among equals the shortest pair joins first, so that the tree stays balanced.
    """
    groups = [(at, 1) for at in range(len(units))]  # node, leaves
    gaps: list[int] = [_gap(units, at) for at in range(len(units) - 1)]
    rows = []
    while gaps:
        at = min(range(len(gaps)), key=lambda one: (gaps[one], groups[one][1] + groups[one + 1][1], one))
        (left, some), (right, others) = groups[at], groups[at + 1]
        rows.append([left, right, float(gaps[at]), some + others])
        groups[at : at + 2] = [(len(units) + len(rows) - 1, some + others)]
        del gaps[at]
    return np.array(rows, dtype=float)


def _gap(units: Units, at: int) -> int:
    before, after = units.texts[at].strip(), units.texts[at + 1]
    if before and before[-1] in ".!?;。！？":
        return 4
    if before and before[-1] in ",:()–—、，：":
        return 3
    touching = units.offsets[at][1] >= units.offsets[at + 1][0]
    spaced = not before or not after.strip() or after[:1].isspace()
    return 1 if touching and not spaced else 2


def as_shap(explanation: Any) -> Any:
    """An ``Explanation`` of ours as ``shap.Explanation``, laid out as its text explainers do: ``(units, output tokens)``."""
    import shap

    return shap.Explanation(
        values=explanation.values.T.copy(),
        base_values=explanation.base_values.copy(),
        data=np.array(explanation.input_units, dtype=object),
        feature_names=list(explanation.input_units),
        output_names=list(explanation.output_tokens),
    )
