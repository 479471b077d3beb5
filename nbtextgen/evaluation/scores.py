"""``Score`` and ``Scores``: figures with confidence intervals, shown as a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nbtextgen.core.escaping import html_table, pictured, visible
from nbtextgen.core.wording import counted
from nbtextgen.evaluation.error_rates import Errors

SHOWN = 3
"""Wrong outputs shown below the scores."""
MAX_TEXT = 60
"""Most characters of a text that are shown."""


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
    """

    def __init__(self, scores: Iterable[tuple[str, Score]] = (), worst: Errors | None = None) -> None:
        super().__init__(scores)
        self.worst = Errors() if worst is None else worst
        self.notes: list[str] = []

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
        return "\n".join(line.rstrip() for line in [head, *rows, *map(pictured, self._remarks()), *heading, *worst])

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


def _short(text: object) -> str:
    shown = pictured(str(text))
    return shown if len(shown) <= MAX_TEXT else shown[: MAX_TEXT - 1] + "…"
