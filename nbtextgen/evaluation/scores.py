"""``Score`` and ``Scores``: figures with confidence intervals, shown as a table."""

from __future__ import annotations

import html
from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """A figure with its confidence interval.

    Attributes:
        value: the figure over all sentences.
        low, high: ends of its interval.
        higher_is_better: False for error rates and TER.
        count: number of sentences measured.
        confidence: share of resamples inside the interval.
    """

    value: float
    low: float
    high: float
    higher_is_better: bool
    count: int = 0
    confidence: float = 0.95


class Scores(dict[str, Score]):
    """Figures by name; shows itself as a small table."""

    def __repr__(self) -> str:
        rows = [f"{name:<22}{score.value:7.2f}  [{score.low:.2f}, {score.high:.2f}]" for name, score in self.items()]
        return "\n".join([f"{'metric':<22}{'value':>7}  {self._interval()}", *rows])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        cells = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{score.value:.2f}</td><td>[{score.low:.2f}, {score.high:.2f}]</td></tr>"
            for name, score in self.items()
        )
        head = f"<tr><th>metric</th><th>value</th><th>{self._interval()}</th></tr>"
        return {"text/plain": repr(self), "text/html": f"<table>{head}{cells}</table>"}

    def _interval(self) -> str:
        share = next((score.confidence for score in self.values()), 0.95)
        return f"{100 * share:g} % interval"
