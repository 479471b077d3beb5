"""Whether one model is better than another: paired bootstrap and approximate randomisation, and the outputs that differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.core.escaping import html_table, pictured, visible
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.core.wording import counted, there_are
from nbtextgen.evaluation.error_rates import nearest_reference
from nbtextgen.evaluation.metrics import Metrics, find_metrics
from nbtextgen.evaluation.references import Measurement, References, Statistics, check_lengths
from nbtextgen.tokenizers.segmentation import characters

if TYPE_CHECKING:
    import pandas

LEVEL = 0.05
"""p-values below this are called significant."""
ROUNDING = 1e-9
"""Figures that differ by less are the same."""
SHOWN = 10
"""Changed outputs shown below the figures."""


@dataclass(frozen=True)
class Difference:
    """How two models differ by one metric.

    Attributes:
        first, second: figures of both models.
        difference: second - first.
        low, high: 95 % bootstrap interval of the difference.
        p_bootstrap: of the paired bootstrap (Koehn 2004; Riezler & Maxwell 2005).
        p_randomisation: of approximate randomisation (Noreen 1989; Riezler & Maxwell 2005).
        higher_is_better: False for error rates.
        signature: sacrebleu's, or empty.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    p_bootstrap: float
    p_randomisation: float
    higher_is_better: bool
    signature: str = ""

    def sentence(self, name: str, first: str, second: str) -> str:
        """The result in words."""
        if self.difference == 0:
            return f"{name}: {first} and {second} have the same figure."
        better = second if (self.difference > 0) == self.higher_is_better else first
        if max(self.p_bootstrap, self.p_randomisation) < LEVEL:
            return f"{name}: {better} is better (p < {LEVEL:g} in both tests)."
        tests = " in one of the tests" if min(self.p_bootstrap, self.p_randomisation) < LEVEL else ""
        return f"{name}: {better} has the better figure, but the difference may be chance (p >= {LEVEL:g}{tests})."


@dataclass(frozen=True)
class Change:
    """A source for which the two models generated different texts.

    Attributes:
        source: the source.
        reference: the acceptable text nearest to either output.
        first, second: the outputs.
        edits: change of the edits to the reference, in characters; negative where the second model is better.
    """

    source: str
    reference: str
    first: str
    second: str
    edits: int


class Comparison(dict[str, Difference]):
    """Differences of two models by metric; shows itself as a table.

    Attributes:
        names: of the two models.
        count: number of outputs.
        changes: outputs that differ, the largest changes first.
        notes: what a reader must know.
    """

    def __init__(
        self, names: tuple[str, str], count: int, changes: Sequence[Change], notes: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.names, self.count, self.changes, self.notes = names, count, list(changes), list(notes)

    def frame(self) -> pandas.DataFrame:
        """The changed outputs as a pandas frame.

        Raises:
            MissingPackageError: without pandas.
        """
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        rows = [(change.source, change.reference, change.first, change.second, change.edits) for change in self.changes]
        return pandas.DataFrame(rows, columns=["source", "reference", *self.names, "edits"])

    def sentences(self) -> list[str]:
        """The results in words, the counts, and the notes."""
        better, worse = (sum(sign * change.edits < 0 for change in self.changes) for sign in (1, -1))
        changed = f"{len(self.changes):,} {'differs' if len(self.changes) == 1 else 'differ'}"
        counts = (
            f"n = {counted(self.count, 'output')}; {changed}: {self.names[1]} is nearer to the reference in "
            f"{better:,}, {self.names[0]} in {worse:,}."
        )
        results = [difference.sentence(name, *self.names) for name, difference in self.items()]
        signatures = [f"{name}: {difference.signature}" for name, difference in self.items() if difference.signature]
        return [*results, counts, *self.notes, *signatures]

    def __repr__(self) -> str:
        rows = [self._head(), *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
        return "\n".join(map(pictured, [*lines, *self.sentences()]))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        parts = [html_table(self._head(), self._rows())]
        parts += [f"<div><small>{visible(sentence)}</small></div>" for sentence in self.sentences()]
        if self.changes:
            head = ("source", "reference", *self.names, "edits")
            rows = [
                (change.source, change.reference, change.first, change.second, f"{change.edits:+d}")
                for change in self.changes[:SHOWN]
            ]
            parts.append(f"<details><summary>outputs that changed most</summary>{html_table(head, rows)}</details>")
        return {"text/plain": repr(self), "text/html": "".join(parts)}

    def _head(self) -> tuple[str, ...]:
        return ("metric", *self.names, "difference", "95 % interval", "p (bootstrap)", "p (randomisation)")

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                name,
                f"{each.first:.2f}",
                f"{each.second:.2f}",
                f"{each.difference:+.2f}",
                f"[{each.low:+.2f}, {each.high:+.2f}]",
                _shown(each.p_bootstrap),
                _shown(each.p_randomisation),
            )
            for name, each in self.items()
        ]


def compare_outputs(
    sources: Sequence[str],
    references: tuple[References, References],
    outputs: tuple[Sequence[str], Sequence[str]],
    metrics: Metrics,
    *,
    names: tuple[str, str] = ("first", "second"),
    resamples: int = 1000,
    trials: int = 10_000,
    seed: int = 12345,
) -> Comparison:
    """Compare the outputs of two models for the same sources.

    Args:
        sources: what the outputs were generated from.
        references: for each model; they differ if the models read their targets differently.
        outputs: of each model.
        metrics: as in ``find_metrics``.
        names: of the two models, for the table.
        resamples: of the paired bootstrap.
        trials: of the approximate randomisation.
        seed: of both; with sacrebleu's default seed the p-values are sacrebleu's own, up to ties.

    Raises:
        DataError: if the lists are empty or of different lengths.
        OptionError: for an unknown metric, or a number of resamples or trials below 1.
    """
    chosen = find_metrics(metrics)
    if resamples < 1 or trials < 1:
        raise OptionError(f"resamples and trials must be whole numbers of at least 1 (got {resamples} and {trials}).")
    for ours, texts in zip(references, outputs, strict=True):
        check_lengths(ours, texts)
    if not sources or not len(sources) == len(outputs[0]) == len(outputs[1]):
        raise DataError(
            f"{there_are(len(sources), 'source')}, {len(outputs[0]):,} and {len(outputs[1]):,} outputs; they must match."
        )
    comparison = Comparison(names, len(sources), _changes(sources, references, outputs))
    for name, metric in chosen.items():
        first, second = (metric.measure(*side) for side in zip(references, outputs, strict=True))
        differences = _bootstrap(first, second, resamples, seed)
        low, high = np.percentile(differences, [2.5, 97.5])
        distances = np.abs(differences)
        real = abs(second.figure - first.figure)
        comparison[name] = Difference(
            first.figure,
            second.figure,
            second.figure - first.figure,
            float(low),
            float(high),
            _p_value(distances - distances.mean(), real),
            _p_value(_randomised(first, second, trials, seed), real),
            metric.higher_is_better,
            first.signature,
        )
    return comparison


def _bootstrap(first: Measurement, second: Measurement, resamples: int, seed: int) -> Statistics:
    """second - first for sentences drawn with replacement, the same ones for both."""
    count = len(first.statistics)
    drawn = np.random.default_rng(seed).choice(count, size=(resamples, count), replace=True)
    counts = np.stack([np.bincount(row, minlength=count) for row in drawn]).astype(float)
    return second.combine(counts @ second.statistics) - first.combine(counts @ first.statistics)


def _randomised(first: Measurement, second: Measurement, trials: int, seed: int) -> Statistics:
    """Absolute differences if each pair of outputs is swapped or not at random."""
    kept = np.random.default_rng(seed).integers(2, size=(trials, len(first.statistics)), dtype=bool)
    change = kept.astype(float) @ (first.statistics - second.statistics)
    changed_second, changed_first = second.statistics.sum(0) + change, first.statistics.sum(0) - change
    return np.abs(first.combine(changed_second) - first.combine(changed_first))


def _p_value(distances: Statistics, real: float) -> float:
    """Share of the samples that differ as much as the models do, or more; never 0, and 1 if these do not differ.

    Samples that differ just as much count (Noreen 1989). sacrebleu leaves them out, which is the same for BLEU of many outputs,
    but calls the difference of a few changed outputs certain: all their samples differ by at most as much.
    """
    if real <= ROUNDING:
        return 1.0
    return float((np.sum(distances >= real - ROUNDING) + 1) / (len(distances) + 1))


def _shown(p_value: float) -> str:
    return f"{p_value:.3f}" if p_value >= 0.001 else "< 0.001"


def _changes(
    sources: Sequence[str],
    references: tuple[References, References],
    outputs: tuple[Sequence[str], Sequence[str]],
) -> list[Change]:
    changes = list[tuple[int, Change]]()
    for index, (source, first, second) in enumerate(zip(sources, *outputs, strict=True)):
        if first != second:
            before, after = (
                nearest_reference(side[index], output, characters)
                for side, output in zip(references, (first, second), strict=True)
            )
            nearest = after if after[1] <= before[1] else before
            edits = after[1] - before[1]
            changes.append((-abs(edits), Change(source, nearest[0], first, second, edits)))
    return [change for _, change in sorted(changes, key=lambda change: change[0])]
