"""When an output counts as right: equal to its reference, or with a sentence-level metric beyond a threshold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import OptionError
from nbtextgen.evaluation.metrics import find_metrics
from nbtextgen.evaluation.references import References

_FORM = re.compile(r"\s*(?P<metric>[^<>=]+?)\s*(?P<relation>>=|<=)\s*(?P<value>\d+(\.\d+)?)\s*")
EXACT = "exact"


@dataclass(frozen=True)
class Criterion:
    """A criterion such as ``exact`` or ``chrf>=60``.

    Attributes:
        metric: name of a metric.
        threshold: the value from which an output is right.
        higher_is_better: whether values above the threshold are right, or those below.
    """

    metric: str
    threshold: float
    higher_is_better: bool

    @classmethod
    def parse(cls, text: str) -> Criterion:
        """Read ``exact``, or a metric, ``>=`` or ``<=`` and a number.

        Raises:
            OptionError: for another text, an unknown metric, or a relation that accepts the worse outputs.
        """
        if text.strip() == EXACT:
            return cls(EXACT, 100.0, True)
        match = _FORM.fullmatch(text)
        if match is None:
            raise OptionError(
                f"--criterion must be exact, or a metric and a threshold such as chrf>=60 (got {text!r})."
            )
        name, higher = match["metric"], match["relation"] == ">="
        metrics = find_metrics(name)
        if len(metrics) != 1:
            raise OptionError(f"--criterion needs one metric; {name!r} stands for {', '.join(metrics)}.")
        [(name, metric)] = metrics.items()
        if metric.higher_is_better != higher:
            better, relation = ("higher", ">=") if metric.higher_is_better else ("lower", "<=")
            raise OptionError(
                f"--criterion {text!r} takes the worse outputs for right: {name} is better when {better}; "
                f"write {name}{relation}{match['value']}."
            )
        return cls(name, float(match["value"]), higher)

    def right(self, references: References, outputs: Sequence[str]) -> NDArray[np.bool_]:
        """Whether each output is right, ``(outputs,)``."""
        [metric] = find_metrics(self.metric).values()
        measurement = metric.measure(references, outputs)
        values = measurement.combine(measurement.statistics)
        return values >= self.threshold if self.higher_is_better else values <= self.threshold

    @property
    def words(self) -> str:
        """The criterion in words, after "an output is right if it": ``equals its reference``."""
        if self.metric == EXACT:
            return "equals its reference"
        return f"has {self.metric} of at {'least' if self.higher_is_better else 'most'} {self.threshold:g} against its reference"

    def __str__(self) -> str:
        return (
            EXACT
            if self.metric == EXACT
            else f"{self.metric}{'>=' if self.higher_is_better else '<='}{self.threshold:g}"
        )
