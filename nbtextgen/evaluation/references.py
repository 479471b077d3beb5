"""References, and the sufficient statistics that every metric counts in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import DataError
from nbtextgen.core.wording import counted, there_are

References = Sequence["str | list[str]"]
"""The right text of each output, or a list of acceptable ones."""
Statistics = NDArray[np.float64]
SHARE = "% of outputs"
"""Unit of metrics that count an output as 1 or 0."""


def mean(totals: Statistics) -> Statistics:
    """100 times the first column over the second."""
    return 100 * totals[:, 0] / np.maximum(1.0, totals[:, 1])


@dataclass(frozen=True)
class Measurement:
    """What a metric counted in the outputs.

    Attributes:
        statistics: sufficient statistics, a row for each output; a figure is a function of their sum.
        combine: from sums of statistics, ``(sums, columns)``, to figures.
        unit: what the figure counts.
        signature: sacrebleu's, so that others can repeat the figure.
        note: why the figure is not what one might expect, or empty.
    """

    statistics: Statistics
    combine: Callable[[Statistics], Statistics] = mean
    unit: str = ""
    signature: str = ""
    note: str = ""

    @property
    def figure(self) -> float:
        """The figure over all outputs."""
        return float(self.combine(self.statistics.sum(0, keepdims=True))[0])


def acceptable(reference: str | list[str]) -> list[str]:
    """All acceptable texts of one output."""
    return [reference] if isinstance(reference, str) else reference


def all_texts(references: References) -> list[str]:
    """All acceptable texts of all outputs."""
    return [text for reference in references for text in acceptable(reference)]


def normalized(references: References, normalize: Callable[[str], str]) -> list[str | list[str]]:
    """References as the model's targets were read."""
    return [
        normalize(reference) if isinstance(reference, str) else list(dict.fromkeys(map(normalize, reference)))
        for reference in references
    ]


def check_lengths(references: References, outputs: Sequence[str]) -> None:
    """Raise ``DataError`` unless every output has at least one acceptable text."""
    if len(references) != len(outputs):
        raise DataError(
            f"{there_are(len(references), 'reference')} but {counted(len(outputs), 'output')}; they must match."
        )
    for index, reference in enumerate(references, 1):
        if not acceptable(reference):
            raise DataError(f"Reference {index:,} is an empty list; give at least one acceptable text.")


def averaged(rows: Iterable[tuple[float, float]], unit: str) -> Measurement:
    """A figure that is the share of the first column in the second, in percent."""
    return Measurement(np.array(list(rows), dtype=float), unit=unit)
