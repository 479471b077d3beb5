"""The figures of one model that was trained with several seeds: mean, spread, and whether another model's are better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb, sqrt
from statistics import NormalDist, mean, stdev
from typing import TYPE_CHECKING

import numpy as np

from nbtextgen.core.errors import OptionError, nearest
from nbtextgen.core.escaping import html_table, pictured
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.evaluation.scores import Score, Scores

if TYPE_CHECKING:
    import pandas

MAX_SPLITS = 50_000
"""Up to so many ways to deal out the values to two models, all of them are tried."""
ROUNDING = 1e-9
"""Differences that differ by less are the same."""


@dataclass(frozen=True)
class SeedScore:
    """One metric over several seeds.

    Attributes:
        values: the figure of each seed.
        higher_is_better: False for error rates.
        unit: what the figure counts.
    """

    values: tuple[float, ...]
    higher_is_better: bool
    unit: str = ""

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        return mean(self.values)

    @property
    def deviation(self) -> float:
        """The standard deviation over the seeds (n - 1 in the denominator)."""
        return stdev(self.values)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the mean by Student's t, which holds for other seeds but not for other test pairs."""
        width = student_t(len(self.values) - 1) * self.deviation / sqrt(len(self.values))
        return self.mean - width, self.mean + width


class SeedScores(dict[str, SeedScore]):
    """Figures of several seeds by metric; shows itself as a table.

    Attributes:
        seeds: the seeds.
        scores: the ``Scores`` of each seed.
    """

    def __init__(self, scores: Mapping[int, Scores]) -> None:
        if len(scores) < 2:
            raise OptionError("A spread needs at least two seeds.")
        self.seeds, self.scores = tuple(scores), tuple(scores.values())
        first: dict[str, Score] = self.scores[0]
        super().__init__(
            (name, SeedScore(tuple(each[name].value for each in self.scores), score.higher_is_better, score.unit))
            for name, score in first.items()
        )

    def p_value(self, other: SeedScores, metric: str | None = None) -> float:
        """The probability of a difference of the means at least as large if both models were alike.

        An exact permutation test: the values of both are dealt out to two models in every way. The smallest p-value that it
        can give is 0.10 with three seeds each, 0.029 with four and 0.008 with five.

        Args:
            other: the figures of the other model, over seeds of its own.
            metric: by default the first.

        Raises:
            OptionError: for a metric that was not measured.
        """
        name = next(iter(self)) if metric is None else metric
        for scores in (self, other):
            if name not in scores:
                raise OptionError(f"'{name}' was not measured (measured: {', '.join(scores)}).{nearest(name, scores)}")
        return permutation_p(self[name].values, other[name].values)

    def frame(self) -> pandas.DataFrame:
        """The figures as a pandas frame, a row per seed and a column per metric.

        Raises:
            MissingPackageError: without pandas.
        """
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        columns = {name: score.values for name, score in self.items()}
        return pandas.DataFrame(columns, index=pandas.Index(self.seeds, name="seed"))

    def __repr__(self) -> str:
        rows = [self._head(), *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join(map(pictured, lines))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": html_table(self._head(), self._rows())}

    def _head(self) -> tuple[str, ...]:
        return ("metric", f"mean of {len(self.seeds)} seeds", "deviation", "95 % interval of the mean", "values")

    def _rows(self) -> list[tuple[str, ...]]:
        rows = list[tuple[str, ...]]()
        for name, score in self.items():
            low, high = score.interval
            values = " ".join(f"{value:.2f}" for value in score.values)
            rows.append((name, f"{score.mean:.2f}", f"{score.deviation:.2f}", f"[{low:.2f}, {high:.2f}]", values))
        return rows


def student_t(freedom: int) -> float:
    """The 97.5 % quantile of Student's t with so many degrees of freedom (Abramowitz & Stegun 1964, 26.7.5, beyond 9)."""
    exact = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622)
    if freedom <= len(exact):
        return exact[freedom - 1]
    z = NormalDist().inv_cdf(0.975)
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / freedom + second / freedom**2 + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384 / freedom**3


def permutation_p(first: Sequence[float], second: Sequence[float], seed: int = 1) -> float:
    """The two-sided p-value of a permutation test of two means, exact for up to ``MAX_SPLITS`` splits, else sampled."""
    values, size = np.array([*first, *second]), len(first)
    if comb(len(values), size) <= MAX_SPLITS:
        splits = np.array(list(combinations(range(len(values)), size)))
    else:
        rng = np.random.default_rng(seed)
        drawn = rng.permuted(np.tile(np.arange(len(values)), (MAX_SPLITS - 1, 1)), axis=1)[:, :size]
        splits = np.vstack([np.arange(size), drawn])  # the split that was observed counts too
    sums = values[splits].sum(1)
    differences = np.abs(sums / size - (values.sum() - sums) / (len(values) - size))
    observed = abs(mean(first) - mean(second))
    return float((differences >= observed - ROUNDING).mean())
