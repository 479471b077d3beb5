"""Explanations as ``shap.Explanation``, for the plots of the ``shap`` library; imported when first used.

The library reads a matrix either as one text with many outputs (``shap.plots.text``) or as rows to compare (all other plots),
and labels what it cannot tell apart wrongly or fails on it. The classes here refuse the plots that do not apply.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import shap
from slicer import Alias

from nbtextgen.core.errors import OptionError
from nbtextgen.explanation.attributions import Values

_Explanation: Any = shap.Explanation
"""The library's class, whose methods have no types."""
ONE_TEXT = (
    "shap.plots.text shows this explanation, which has one column per output token. Other plots compare rows: take one output "
    'token with e.shap()[:, 0], all of them with e.shap(rows="outputs"), or many texts with explain_data(...).shap().'
)
MANY_TEXTS = (
    "shap.plots.text shows one text; this table has a row per text and a column per unit, for beeswarm, bar, heatmap, and for "
    "waterfall, bar and force of one row. Use shap.plots.text(explanation.shap())."
)


# ``shap.plots.force`` knows explanations by the end of their class's name.
class OutputColumnsExplanation(_Explanation):
    """One text, ``(input units, output tokens)``: for ``shap.plots.text``; a column is one output token."""

    def __copy__(self) -> shap.Explanation:
        names = Alias(list(self._s.feature_names), 0)
        return shap.Explanation(
            self.values, self.base_values, self.data, feature_names=names, output_names=list(self.output_names)
        )

    def __getitem__(self, item: object) -> shap.Explanation:
        if not isinstance(item, tuple):
            raise OptionError(ONE_TEXT)
        return _Explanation.__getitem__(self, item)

    @property
    def feature_names(self) -> NoReturn:
        """Read by the plots that compare rows."""
        raise OptionError(ONE_TEXT)

    @property
    def abs(self) -> shap.Explanation:
        """Read by bar plots of several rows."""
        raise OptionError(ONE_TEXT)


class TextRowsExplanation(_Explanation):
    """Many texts, ``(texts, units)``: for all plots but ``shap.plots.text``."""

    def __copy__(self) -> shap.Explanation:
        return shap.Explanation(self.values, self.base_values, self.data, feature_names=list(self.feature_names))

    @property
    def output_names(self) -> NoReturn:
        """Read by ``shap.plots.text``."""
        raise OptionError(MANY_TEXTS)


def of_one_text(
    values: Values, base: Values, names: Sequence[str], outputs: Sequence[str], rows: str
) -> shap.Explanation:
    """Attributions of one text.

    Args:
        values: ``(outputs, features)``.
        base: ``(outputs,)``.
        names: of the features.
        outputs: the output tokens.
        rows: ``units`` or ``outputs``, see ``Explanation.shap``.
    """
    if rows == "outputs":
        return TextRowsExplanation(values.copy(), base.copy(), np.ones(values.shape), feature_names=list(names))
    if rows != "units":
        raise OptionError(f'rows must be "units" or "outputs" (got {rows!r}).')
    data = np.array(names, dtype=object)
    # Names of the first axis: by their number alone, shap would take them for the outputs where there are as many.
    first = Alias(list(names), 0)
    return OutputColumnsExplanation(values.T.copy(), base.copy(), data, feature_names=first, output_names=list(outputs))


def of_many_texts(
    rows: Sequence[tuple[Sequence[str], Values]], earlier: Sequence[Values | None], base: Values, features: int
) -> shap.Explanation:
    """Attributions of the whole outputs of many texts.

    Args:
        rows: the units of each text, and the attribution of the output to each of them.
        earlier: what each output token gives the others, or ``None``, for each text.
        base: ``(texts,)``.
        features: most units with a column of their own.
    """
    counts = Counter(unit for units, _ in rows for unit in units)
    names = sorted(counts, key=lambda unit: (-counts[unit], unit))[:features]
    columns = {name: column for column, name in enumerate(names)}
    if len(counts) > len(names):
        names.append("other units")
    others = len(names) - 1
    if any(prefix is not None for prefix in earlier):
        names.append("earlier output")
    values, present = np.zeros((2, len(rows), len(names)))
    for row, ((units, totals), prefix) in enumerate(zip(rows, earlier, strict=True)):
        for unit, value in zip(units, totals, strict=True):
            column = columns.get(unit, others)
            values[row, column] += value
            present[row, column] += 1
        if prefix is not None:
            values[row, -1], present[row, -1] = prefix.sum(), len(prefix)
    return TextRowsExplanation(values, base, present, feature_names=names)
