"""References and sufficient statistics: what every metric works on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import DataError

References = Sequence["str | list[str]"]
"""The right text of each output, or a list of acceptable ones."""
Statistics = NDArray[np.float64]
"""Sufficient statistics, one row per sentence; a corpus figure is a function of their sum."""
Combine = Callable[[Statistics], float]
"""From the sum of the statistics to the figure."""


def acceptable(reference: str | list[str]) -> list[str]:
    """All acceptable texts of one output."""
    return [reference] if isinstance(reference, str) else reference


def check_lengths(references: References, outputs: Sequence[str]) -> None:
    """Raise ``DataError`` unless every output has at least one acceptable text."""
    if len(references) != len(outputs):
        raise DataError(f"There are {len(references):,} references but {len(outputs):,} outputs; they must match.")
    for index, reference in enumerate(references, 1):
        if not acceptable(reference):
            raise DataError(f"Reference {index:,} is an empty list; give at least one acceptable text.")


def mean(total: Statistics) -> float:
    """100 times the sum of the first column over the sum of the second."""
    return 100 * float(total[0]) / max(1.0, float(total[1]))
