"""Word alignments from explanations, and their error against gold alignments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from nbtextgen.core.errors import DataError
from nbtextgen.explanation.explanation import Explanation
from nbtextgen.tokenizers.normalization import Span

Links = frozenset[tuple[int, int]]
"""Pairs of (source word, target word), counted from 0."""
_LINK = re.compile(r"(\d+)([-?p])(\d+)")


def read_links(line: str) -> tuple[Links, Links]:
    """Sure and possible links from the usual text form: ``0-0 1-2 3?4`` (``-`` sure, ``?`` or ``p`` only possible).

    Raises:
        DataError: for anything else.
    """
    sure, possible = set(), set()
    for part in line.split():
        match = _LINK.fullmatch(part)
        if not match:
            raise DataError(f"An alignment reads like 0-0 1-2 3?4, source word first (got {part!r}).")
        link = (int(match[1]), int(match[3]))
        possible.add(link)
        if match[2] == "-":
            sure.add(link)
    return frozenset(sure), frozenset(possible)


def links(explanation: Explanation) -> Links:
    """For every target word the source word that its tokens owe most to; words are separated by white space."""
    source, target = _words(explanation.source), _words(explanation.text)
    column = _membership(explanation.input_offsets, source)
    row = _membership(explanation.output_offsets, target)
    summed = row.T @ explanation.values @ column  # (target words, source words)
    touched = np.flatnonzero(row.any(0))
    return frozenset((int(summed[at].argmax()), int(at)) for at in touched) if len(source) else frozenset()


def _words(text: str) -> list[Span]:
    return [match.span() for match in re.finditer(r"\S+", text)]


def _membership(offsets: Iterable[Span], words: Sequence[Span]) -> np.ndarray:
    """Which word each part of the text lies in, ``(parts, words)``, zeros and ones."""
    return np.array(
        [[float(start < end and begin < stop) for begin, end in words] for start, stop in offsets], dtype=float
    ).reshape(-1, len(words))


def error_rate(found: Sequence[Links], gold: Sequence[tuple[Links, Links]]) -> float:
    """Alignment error rate, 1 - (|A & S| + |A & P|) / (|A| + |S|) (Och & Ney 2003, sec. 4.2), between 0 and 1.

    Args:
        found: links of every pair.
        gold: sure and possible links of every pair.
    """
    if len(found) != len(gold):
        raise DataError(f"There are {len(found):,} pairs but {len(gold):,} gold alignments; give one for each.")
    right = sum(
        len(one & sure) + len(one & (possible | sure)) for one, (sure, possible) in zip(found, gold, strict=True)
    )
    total = sum(len(one) + len(sure) for one, (sure, _) in zip(found, gold, strict=True))
    return 1.0 - right / total if total else 0.0
