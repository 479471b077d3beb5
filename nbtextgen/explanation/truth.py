"""How much of an explanation is on the right place, where the span of the source that made a span of the output is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nbtextgen.explanation.attributions import Values
from nbtextgen.explanation.explanation import Explanation
from nbtextgen.tokenizers.normalization import Span

SpanLinks = Sequence[tuple[Span, Span]]
"""Spans of the source, each with the span of the output that it makes."""


def right_share(explanation: Explanation, links: SpanLinks) -> float | None:
    """Share of what speaks for the output tokens of known origin that is on the units of that origin, 0 to 1.

    Positive attributions (of attention, the weights) are added over these tokens, so that a token counts as much as it
    depends on the source. ``None`` if there is nothing to share.
    """
    right = _right(explanation, links)
    positive = np.maximum(explanation.values, 0) * right.any(1, keepdims=True)
    total = float(positive.sum())
    return float((positive * right).sum()) / total if total > 0 else None


def uniform_share(explanation: Explanation, links: SpanLinks) -> float | None:
    """The share that equal attributions to all units would have."""
    return right_share(explanation.replace(values=np.ones(explanation.values.shape)), links)


def _right(explanation: Explanation, links: SpanLinks) -> Values:
    """Which units overlap the source of which output tokens, ``(output tokens, input units)``, zeros and ones."""
    right = np.zeros(explanation.values.shape, dtype=bool)
    for source, target in links:
        units = [_overlap(span, source) for span in explanation.input_offsets]
        tokens = [_overlap(span, target) for span in explanation.output_offsets]
        right |= np.outer(tokens, units)
    return right


def _overlap(first: Span, second: Span) -> bool:
    return first[0] < second[1] and second[0] < first[1]
