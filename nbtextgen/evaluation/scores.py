"""``Score`` and ``Scores``: figures with confidence intervals, shown as a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import DataError, OptionError, nearest
from nbtextgen.core.escaping import brief, html_table, pictured, visible
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.core.wording import counted
from nbtextgen.evaluation.confusions import Confusions, find_confusions
from nbtextgen.evaluation.error_rates import Errors
from nbtextgen.evaluation.evaluated import EvaluatedOutputs
from nbtextgen.evaluation.references import acceptable
from nbtextgen.evaluation.slices import WRONG, Slices, find_slices

if TYPE_CHECKING:
    import pandas

SHOWN = 3
"""Wrong outputs shown below the scores."""
MAX_TEXT = 60
"""Most characters of a text that are shown."""
MIN_RIGHT = 0.1
"""Share of right outputs from which slices compare shares of wrong outputs."""
GRADED = ("chrf", "error-rate", "character-error-rate")
"""Metrics that slices compare otherwise, the first that was measured."""


@dataclass(frozen=True)
class Score:
    """A figure with its confidence interval.

    Attributes:
        value: the figure over all sentences.
        low, high: ends of its interval.
        higher_is_better: False for error rates and TER.
        count: number of sentences measured.
        confidence: share of resamples inside the interval.
        unit: what the figure counts, for instance ``edits per 100 characters``.
        signature: sacrebleu's, with which others can repeat the figure.
        note: why the figure is not what one might expect, or empty.
    """

    value: float
    low: float
    high: float
    higher_is_better: bool
    count: int = 0
    confidence: float = 0.95
    unit: str = ""
    signature: str = ""
    note: str = ""


class Scores(dict[str, Score]):
    """Figures by name; shows itself as a small table.

    Attributes:
        worst: wrong outputs, the worst first; only from ``evaluate``.
        notes: what a reader of the figures must know, for instance that the model was trained on these pairs.
        by_output: the figure of each output alone, by metric, ``(outputs,)``.
        evaluated: the outputs with their sources and references; only from ``evaluate``.
        analysed: whether slices and confusions are shown below the figures.

    Example:
        >>> scores = model.evaluate(pairs[9:36], metrics=["exact", "chrf"])      # words of three letters
        >>> scores["exact"].value
        100.0
        >>> scores.frame()["metric"].tolist()
        ['exact', 'chrf']
    """

    def __init__(self, scores: Iterable[tuple[str, Score]] = (), worst: Errors | None = None) -> None:
        super().__init__(scores)
        self.worst = Errors() if worst is None else worst
        self.notes: list[str] = []
        self.by_output: dict[str, NDArray[np.float64]] = {}
        self.evaluated: EvaluatedOutputs | None = None
        self.analysed = False
        self._analysis: tuple[Slices, Confusions] | None = None

    def slices(self, metric: str | None = None, *, level: float = 0.05, limit: int = 10, seed: int = 1) -> Slices:
        """Parts of the data in which the outputs are worse than elsewhere.

        Tested are lengths, rare and unknown characters and words, scripts, and patterns that are frequent in the data. Each
        slice has its figure inside and outside with the difference's 95 % interval, and a p-value that is corrected for all
        slices tested (permutations; Westfall & Young 1993). Slices that overlap with a better one are named beside it.

        Args:
            metric: a metric that was measured; by default the share of wrong outputs, or chrF or an error rate where less
                than a tenth of the outputs are right.
            level: chance that any slice is returned although none is worse.
            limit: most slices.
            seed: of the permutations.

        Raises:
            DataError: if the scores are not from ``evaluate``.
            OptionError: for a metric that was not measured, or a level or limit out of range.

        Example:
            >>> slices = model.evaluate(pairs).slices()
            >>> for each in slices[:1]:
            ...     row = each.rows[0]["source"], each.description
        """
        outputs = self._evaluated()
        name = self._slice_metric(outputs) if metric is None else metric
        figures: NDArray[np.float64]
        if name in (WRONG, "exact", "word-error-rate"):
            figures, higher, name = np.where(_right(outputs), 0.0, 100.0), False, WRONG
        elif name in self.by_output:
            figures, higher = self.by_output[name], self[name].higher_is_better
        else:
            raise OptionError(f"'{name}' was not measured (measured: {', '.join(self)}).{nearest(name, self)}")
        return find_slices(outputs, figures, metric=name, higher_is_better=higher, level=level, limit=limit, seed=seed)

    def confusions(self, unit: str | None = None, limit: int = 100) -> Confusions:
        """What stands for what in the outputs, by alignment to their references with the fewest edits.

        Args:
            unit: ``characters`` or ``words`` (separated by spaces); by default what the model writes.
            limit: most confusions.

        Raises:
            DataError: if the scores are not from ``evaluate``.
            OptionError: for an unknown unit or a limit below 1.
        """
        return find_confusions(self._evaluated(), unit, limit)

    def frame(self) -> pandas.DataFrame:
        """The figures as a pandas frame, a row per metric with the fields of its ``Score``.

        Raises:
            MissingPackageError: without pandas.
        """
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        return pandas.DataFrame([{"metric": name, **vars(score)} for name, score in self.items()])

    def _analyses(self) -> tuple[Slices, Confusions] | tuple[()]:
        """Slices and confusions if they are to be shown; computed once."""
        if self.analysed and self._analysis is None:
            self._analysis = self.slices(), self.confusions()
        return self._analysis if self.analysed and self._analysis else ()

    def _evaluated(self) -> EvaluatedOutputs:
        if self.evaluated is None:
            raise DataError(
                "These scores have no sources, so there is nothing to slice; take those of model.evaluate(data)."
            )
        return self.evaluated

    def _slice_metric(self, outputs: EvaluatedOutputs) -> str:
        graded = [name for name in GRADED if name in self.by_output]
        return graded[0] if graded and _right(outputs).mean() < MIN_RIGHT else WRONG

    def __repr__(self) -> str:
        rows = [
            f"{pictured(name):<22}{score.value:7.2f}  {f'[{score.low:.2f}, {score.high:.2f}]':<16}  {score.unit}"
            for name, score in self.items()
        ]
        head = f"{'metric':<22}{'value':>7}  {self._interval():<16}  unit"
        worst = [
            f"  {error['rate']:.2f}  {_short(error['source'])!s} -> {_short(error['output'])!s}"
            f"  (reference: {_short(error['reference'])!s})"
            for error in self.worst[:SHOWN]
        ]
        heading = ["worst outputs, by wrong characters per character:"] if worst else []
        analysis = [f"\n{each!r}" for each in self._analyses()]
        lines = [head, *rows, *map(pictured, self._remarks()), *heading, *worst, *analysis]
        return "\n".join(line.rstrip() for line in lines)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        scores = [
            (name, f"{score.value:.2f}", f"[{score.low:.2f}, {score.high:.2f}]", score.unit)
            for name, score in self.items()
        ]
        parts = [html_table(("metric", "value", self._interval(), "unit"), scores)]
        parts += [f"<div><small>{visible(remark)}</small></div>" for remark in self._remarks()]
        if self.worst:
            columns = ("source", "reference", "output", "rate")
            worst = [(*(str(error[column]) for column in columns[:3]), f"{error['rate']:.2f}") for error in self.worst]
            summary = "worst outputs, by wrong characters per character"
            parts.append(f"<details><summary>{summary}</summary>{html_table(columns, worst)}</details>")
        for each in self._analyses():
            parts.append(f"<h4>{type(each).__name__}</h4>{each.html()}")
        return {"text/plain": repr(self), "text/html": "".join(parts)}

    def _interval(self) -> str:
        share = next((score.confidence for score in self.values()), 0.95)
        return f"{100 * share:g} % interval"

    def _remarks(self) -> list[str]:
        """The number of outputs, notes, and signatures."""
        count = next((score.count for score in self.values()), 0)
        signatures = [f"{name}: {score.signature}" for name, score in self.items() if score.signature]
        notes = dict.fromkeys([*self.notes, *(score.note for score in self.values() if score.note)])
        return [f"n = {counted(count, 'output')}", *notes, *signatures]


def _right(outputs: EvaluatedOutputs) -> NDArray[np.bool_]:
    """Whether each output is acceptable, ``(outputs,)``."""
    pairs = zip(outputs.references, outputs.outputs, strict=True)
    return np.fromiter((output in acceptable(reference) for reference, output in pairs), dtype=bool)


def _short(text: object) -> str:
    return brief(pictured(str(text)), MAX_TEXT)
