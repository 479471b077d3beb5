"""``Slices``: parts of the data in which a model is worse than elsewhere, shown as a table that opens their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nbtextgen.core.escaping import pictured, visible
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.core.options import open_share, whole_number
from nbtextgen.core.wording import counted
from nbtextgen.evaluation.evaluated import (
    SHOWN_ROWS,
    EvaluatedOutputs,
    Indices,
    RowGroup,
    unfolding,
    unfolding_table,
)
from nbtextgen.evaluation.slice_patterns import MIN_ROWS, slice_patterns
from nbtextgen.evaluation.slice_tests import Values, significant_slices

if TYPE_CHECKING:
    import pandas

WRONG = "wrong outputs"
"""Name of the figure that is the share of wrong outputs in percent."""
SHOWN_SIMILAR = 4
"""Similar slices that are named."""
RESAMPLES = 1000
COLUMNS = ("count", "inside", "outside", "difference", "low", "high", "p_value")


@dataclass(frozen=True, eq=False)
class Slice(RowGroup):
    """A part of the data in which the outputs are worse than elsewhere.

    Attributes:
        description: what its rows have in common, such as ``the source has a digit``.
        kind: of the description, see ``SlicePattern``.
        count: number of rows.
        inside, outside: mean figure of its rows and of all others.
        difference: inside - outside.
        low, high: 95 % interval of the difference; not corrected for the choice of the slice.
        p_value: that such a slice is found by chance, corrected for the number of slices tested; for a further slice among
            rows that agree on the slices before it.
        similar: descriptions of slices that are worse only because they overlap with this one.
        indices: its rows, the worst first.
    """

    description: str
    kind: str
    count: int
    inside: float
    outside: float
    difference: float
    low: float
    high: float
    p_value: float
    similar: tuple[str, ...]
    indices: Indices = field(repr=False)
    outputs: EvaluatedOutputs = field(repr=False)


class Slices(list[Slice]):
    """Slices that are worse than elsewhere, the most evident first; shows itself as a table.

    Attributes:
        metric: name of the figure, ``wrong outputs`` (percent) or a metric.
        output_count: number of outputs.
        tested: number of slices tested.
        level: chance that any slice is named although none is worse.
    """

    def __init__(self, slices: Sequence[Slice], metric: str, output_count: int, tested: int, level: float) -> None:
        super().__init__(slices)
        self.metric, self.output_count, self.tested, self.level = metric, output_count, tested, level

    def sentence(self) -> str:
        """The most evident slice in words, or that there is none."""
        if not self.tested and self.output_count >= 2 * MIN_ROWS:
            return (
                f"The {self.output_count:,} inputs have nothing by which {MIN_ROWS} of them or more could be told from the others, so "
                "there are no slices to compare."
            )
        if not self.tested:
            return f"There are too few outputs to look for slices ({self.output_count:,}; at least {2 * MIN_ROWS})."
        if not self:
            return (
                f"None of {counted(self.tested, 'slice')} is worse than the others beyond chance "
                f"(n = {counted(self.output_count, 'output')}, level {self.level:g}, corrected for all of them)."
            )
        top = self[0]
        unit = " points" if self.metric == WRONG else ""
        if self.metric == WRONG:
            figures = f"{top.inside:.1f} % of the outputs are wrong, elsewhere {top.outside:.1f} %"
        else:
            figures = f"the mean {self.metric} is {top.inside:.2f}, elsewhere {top.outside:.2f}"
        return (
            f"Where {top.description} ({top.count:,} of {counted(self.output_count, 'output')}), {figures}: a difference of "
            f"{top.difference:+.1f}{unit} (95 % interval {top.low:+.1f} to {top.high:+.1f}; p {_equals(top.p_value)}, corrected "
            f"for {counted(self.tested, 'slice')})."
        )

    def frame(self) -> pandas.DataFrame:
        """A line per slice as a pandas ``DataFrame``.

        Raises:
            MissingPackageError: without pandas.
        """
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        rows = [(each.description, *(getattr(each, name) for name in COLUMNS)) for each in self]
        return pandas.DataFrame(rows, columns=["slice", *COLUMNS])

    def __repr__(self) -> str:
        if not self:
            return pictured(self.sentence())
        rows = [self._head(), *((each.description, *self._cells(each)) for each in self)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join(map(pictured, [self.sentence(), *lines]))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.html()}

    def html(self) -> str:
        """The sentence and the table as HTML."""
        parts = [f"<div>{visible(self.sentence())}</div>"]
        if self:
            lines = [(_opened(each), self._cells(each)) for each in self]
            parts.append(unfolding_table(self._head(), lines))
        return "".join(parts)

    def _head(self) -> tuple[str, ...]:
        name = "wrong (%)" if self.metric == WRONG else self.metric
        return ("where", "n", name, "elsewhere", "difference", "95 % interval", "p (corrected)")

    def _cells(self, each: Slice) -> tuple[str, ...]:
        return (
            f"{each.count:,}",
            f"{each.inside:.2f}",
            f"{each.outside:.2f}",
            f"{each.difference:+.2f}",
            f"[{each.low:+.2f}, {each.high:+.2f}]",
            _equals(each.p_value).removeprefix("= "),
        )


def find_slices(
    outputs: EvaluatedOutputs,
    figures: Values,
    *,
    metric: str,
    higher_is_better: bool,
    level: float = 0.05,
    limit: int = 10,
    seed: int = 1,
) -> Slices:
    """The slices whose mean figure is worse than elsewhere.

    Args:
        outputs: what was generated.
        figures: the figure of each output ``(outputs,)``.
        metric: its name.
        higher_is_better: whether higher figures are better.
        level: chance that any slice is named although none is worse.
        limit: most slices.
        seed: of permutations and resamples.

    Raises:
        OptionError: for a level or limit out of range.
    """
    level, limit = open_share("level", level), whole_number("limit", limit, 1)
    patterns = slice_patterns(outputs) if len(outputs) >= 2 * MIN_ROWS else []
    loss = -figures if higher_is_better else figures
    significant = significant_slices(
        loss, [pattern.indices for pattern in patterns], level=level, limit=limit, seed=seed
    )
    slices = list[Slice]()
    for result in significant:
        pattern = patterns[result.index]
        member = np.zeros(len(outputs), dtype=bool)
        member[pattern.indices] = True
        inside, outside = figures[member], figures[~member]
        low, high = _newcombe(inside, outside) if metric == WRONG else _bootstrap(inside, outside, seed)
        worst_first = pattern.indices[np.argsort(-loss[pattern.indices], kind="stable")]
        slices.append(
            Slice(
                pattern.description,
                pattern.kind,
                len(inside),
                float(inside.mean()),
                float(outside.mean()),
                float(inside.mean() - outside.mean()),
                low,
                high,
                result.p_value,
                tuple(patterns[index].description for index in result.similar),
                worst_first,
                outputs,
            )
        )
    return Slices(slices, metric, len(outputs), len(patterns), level)


def _newcombe(inside: Values, outside: Values) -> tuple[float, float]:
    """95 % interval of the difference of two percentages by Wilson's scores (Newcombe 1998, method 10)."""
    (first, low, high), (second, least, most) = _wilson(inside), _wilson(outside)
    difference = first - second
    return (
        100 * (difference - float(np.hypot(first - low, most - second))),
        100 * (difference + float(np.hypot(high - first, second - least))),
    )


def _wilson(figures: Values) -> tuple[float, float, float]:
    """A share, and the ends of its 95 % interval (Wilson 1927)."""
    z, count, share = 1.959964, len(figures), float(figures.mean()) / 100
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * float(np.sqrt(share * (1 - share) / count + z * z / (4 * count * count)))
    return share, centre - half, centre + half


def _bootstrap(inside: Values, outside: Values, seed: int) -> tuple[float, float]:
    """95 % percentile interval of the difference of two means (Efron & Tibshirani 1993, sec. 13.3)."""
    rng = np.random.default_rng(seed)
    means = [
        np.array([values[rng.integers(0, len(values), len(values))].mean() for _ in range(RESAMPLES)])
        for values in (inside, outside)
    ]
    low, high = np.percentile(means[0] - means[1], [2.5, 97.5])
    return float(low), float(high)


def _opened(each: Slice) -> str:
    """The first cell of a line: the description, which opens the worst rows; and similar slices."""
    cell = unfolding(each.description, each.outputs.rows(each.indices[:SHOWN_ROWS]), each.count)
    if not each.similar:
        return cell
    more = len(each.similar) - SHOWN_SIMILAR
    similar = "; ".join(each.similar[:SHOWN_SIMILAR]) + (f"; {more:,} more" if more > 0 else "")
    return f"{cell}<small>overlaps: {visible(similar)}</small>"


def _equals(p_value: float) -> str:
    return f"= {p_value:.3f}" if p_value > 0.001 else "<= 0.001"
