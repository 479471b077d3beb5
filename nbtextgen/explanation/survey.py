"""Explanations over a data set: which method holds, what drives what, and where the model does not look."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.optional_imports import optional_import
from nbtextgen.data.pairs import Pairs
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.explanation import alignment
from nbtextgen.explanation.agreement import Agreement
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.explanation.explainer import Explainer
from nbtextgen.explanation.explanation import Explanation
from nbtextgen.explanation.faithfulness import Faithfulness
from nbtextgen.inference.predictor import Predictor

FIGURES = ("comprehensiveness", "sufficiency", "deletion", "insertion")
IGNORED = 0.1
"""Nats by which the whole source must raise a token's log-probability, or the model has not looked at it."""
SEEN = 3
"""Occurrences from which a unit or a pair enters a table."""


@dataclass(frozen=True)
class Mean:
    """A mean over texts with its 95 % bootstrap interval (Efron & Tibshirani 1993, sec. 13.3)."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], seed: int = 1) -> Mean:
        """From one value per text."""
        given = np.asarray(values, dtype=float)
        draws = np.random.default_rng(seed).integers(0, len(given), (1000, len(given)))
        low, high = np.quantile(given[draws].mean(1), [0.025, 0.975])
        return cls(float(given.mean()), float(low), float(high))

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, eq=False)
class Survey:
    """What explanations of many outputs say together; shows itself as tables.

    Attributes:
        explanations: by method, one per text, in the order of the data.
        faithfulness: method to figure to mean over texts; the method ``random`` is the control.
        agreement: mean rank correlation of every two methods.
        alignment_error: by method, when gold alignments were given.
    """

    explanations: dict[str, list[Explanation]] = field(repr=False)
    faithfulness: dict[str, dict[str, Mean]]
    agreement: Agreement
    alignment_error: dict[str, float]

    @property
    def first(self) -> list[Explanation]:
        """Those of the first method, from which the tables are made."""
        return next(iter(self.explanations.values()))

    def lexicon(self, most: int = 30) -> list[tuple[str, str, float, int]]:
        """Which inputs drive which outputs: (output token, input unit, mean attribution, times together), strongest first."""
        sums: dict[tuple[str, str], list[float]] = defaultdict(list)
        for each in self.first:
            for row, token in zip(each.values[:-1], each.output_tokens, strict=False):
                best = int(row.argmax())
                if row[best] > 0:
                    sums[token.strip(), each.input_units[best].strip()].append(float(row[best]))
        found = [(*pair, float(np.mean(values)), len(values)) for pair, values in sums.items() if len(values) >= SEEN]
        return sorted(found, key=lambda row: (-row[2] * np.log1p(row[3]), row[:2]))[:most]

    def ignored(self, most: int = 20) -> list[tuple[str, float, int]]:
        """Output tokens that owe the source nothing: (token, share of its occurrences, occurrences), most often first."""
        count: dict[str, list[bool]] = defaultdict(list)
        for each in self.first:
            for token, influence in zip(each.output_tokens, _influence(each), strict=True):
                count[token.strip() or token].append(bool(influence < IGNORED))
        found = [
            (token, float(np.mean(rows)), len(rows)) for token, rows in count.items() if len(rows) >= SEEN and any(rows)
        ]
        return sorted(found, key=lambda row: (-row[1] * row[2], row[0]))[:most]

    def least_read(self, most: int = 10) -> list[tuple[str, str, float]]:
        """Texts whose output owes least to the source: (source, output, nats per token), least first."""
        rows = [(each.source, each.text, float(_influence(each).mean())) for each in self.first]
        return sorted(rows, key=lambda row: row[2])[:most]

    def hubs(self, most: int = 10) -> list[tuple[str, float, int]]:
        """Inputs that draw attention whatever is written: (unit, attention over an even share, occurrences).

        Empty when attention was not among the methods.
        """
        found: dict[str, list[float]] = defaultdict(list)
        for each in self.explanations.get("attention", []):
            for unit, received in zip(each.input_units, each.values.mean(0) * len(each.input_units), strict=True):
                found[unit].append(float(received))
        rows = [(unit, float(np.mean(each)), len(each)) for unit, each in found.items() if len(each) >= SEEN]
        return sorted(rows, key=lambda row: -row[1])[:most]

    def shap(self, features: int = 20) -> Any:
        """For ``shap.plots.beeswarm`` and ``bar``: a row per text, a column per frequent input unit, total attribution."""
        import shap

        counts: dict[str, int] = defaultdict(int)
        for each in self.first:
            for unit in each.input_units:
                counts[unit] += 1
        names = sorted(counts, key=lambda unit: (-counts[unit], unit))[:features]
        values, present = np.zeros((2, len(self.first), len(names)))
        for row, each in enumerate(self.first):
            for unit, value in zip(each.input_units, each.total(), strict=True):
                if unit in names:
                    values[row, names.index(unit)] += value
                    present[row, names.index(unit)] += 1
        base = np.array([each.base_values.sum() for each in self.first])
        return shap.Explanation(values=values, base_values=base, data=present, feature_names=names)

    def frame(self) -> Any:
        """The faithfulness table as a pandas frame."""
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        return pandas.DataFrame(
            {figure: {method: row[figure].value for method, row in self.faithfulness.items()} for figure in FIGURES}
        )

    def figure(self) -> Any:
        """Matplotlib: faithfulness by method, the lexicon, agreement, and the hubs where attention is among the methods."""
        from nbtextgen.explanation.views.figures import survey_figure

        return survey_figure(self)

    def __repr__(self) -> str:
        from nbtextgen.explanation.views.survey import plain

        return plain(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        from nbtextgen.explanation.views.survey import html

        return {"text/plain": repr(self), "text/html": html(self)}


def _influence(explanation: Explanation) -> NDArray[np.float64]:
    """By how much the whole source raises each output token's log-probability, in nats."""
    return explanation.log_probabilities - explanation.without_source


def survey(
    predictor: Predictor,
    pairs: Pairs,
    config: ExplanationConfig,
    *,
    background: Sequence[str] = (),
    gold: Sequence[str] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Survey:
    """Explain the model's output for every source, or the given targets where gold alignments are given.

    An interrupt ends it early: what has been explained until then is the survey, unless that is nothing.

    Args:
        writer: the model.
        pairs: the data; targets are only read with ``gold``.
        config: methods and settings.
        background: as for ``Explainer``.
        gold: an alignment per pair, such as ``0-0 1-2 3?4``, between white-space separated words.
        heard: told of (texts done, texts in all).
    """
    answers = [None] * len(pairs) if gold is not None else predictor.predict(pairs.sources, DecodingConfig())
    rows: list[list[Explanation]] = []
    try:
        for (source, target), answer in zip(pairs, answers, strict=True):
            explainer = Explainer(
                predictor,
                source,
                config if answer is not None else replace(config, target=target),
                generation=answer,
                background=background,
            )
            rows.append([explainer.explain(method) for method in config.method])
            if on_progress is not None:
                on_progress(len(rows), len(pairs))
    except KeyboardInterrupt:
        if not rows:
            raise
    found = {method: [row[at] for row in rows] for at, method in enumerate(config.method)}
    errors = {}
    if gold is not None:
        right = [alignment.read_links(line) for line in gold][: len(rows)]
        errors = {
            method: alignment.error_rate([alignment.links(each) for each in explained], right)
            for method, explained in found.items()
            if method != "context"
        }
    return Survey(found, _faithfulness(found), _agreement(found), errors)


def _faithfulness(found: dict[str, list[Explanation]]) -> dict[str, dict[str, Mean]]:
    table: dict[str, dict[str, Mean]] = {}
    control: list[Faithfulness] = []
    for method, rows in found.items():
        scores = [each.faithfulness for each in rows if each.faithfulness is not None]
        if scores:
            table[method] = {name: Mean.of([getattr(one, name) for one in scores]) for name in FIGURES}
            control = scores
    if control:
        table["random"] = {name: Mean.of([getattr(one, f"random_{name}") for one in control]) for name in FIGURES}
    return table


def _agreement(found: dict[str, list[Explanation]]) -> Agreement:
    each = [Agreement.of(row) for row in _rows(found)]
    if not each:
        return Agreement((), np.zeros((0, 0)))
    stacked = np.stack([one.correlations for one in each])
    known = ~np.isnan(stacked)
    mean = np.where(known, stacked, 0).sum(0) / np.maximum(1, known.sum(0))
    return Agreement(each[0].methods, np.where(known.any(0), mean, np.nan))


def _rows(found: dict[str, list[Explanation]]) -> Iterator[tuple[Explanation, ...]]:
    yield from zip(*found.values(), strict=True)
