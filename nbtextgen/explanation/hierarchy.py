"""The hierarchy of a text: characters in words, words in phrases, phrases in sentences."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

import numpy as np

from nbtextgen.explanation.attributions import Values
from nbtextgen.tokenizers.normalization import Span

Join = tuple[int, int, int, int]
"""Two neighbouring groups that are joined, by number, the gap between them, and the units in both."""


def linkage(texts: Sequence[str], spans: Sequence[Span]) -> Values:
    """A linkage matrix of units, ``(units - 1, 4)`` as SciPy's: neighbours are joined by the size of the gap between them.

    The distance of two neighbours is 1 inside a word, 2 between words, 3 after a comma or similar, 4 after the end of a
    sentence. At equal distance the shortest pair is joined first, so that the tree stays balanced.

    Args:
        texts: the units in the order of the text.
        spans: start and end of each in the text.
    """
    return np.array(list(_joins(texts, spans)), dtype=float).reshape(-1, 4)


def joined_spans(text: str, spans: Sequence[Span], count: int) -> list[Span]:
    """Parts of a text, of which neighbours are joined as in ``linkage`` until no more than ``count`` are left."""
    groups = dict(enumerate(spans))
    for number, (left, right, *_) in enumerate(_joins([text[slice(*span)] for span in spans], spans), len(spans)):
        if len(groups) <= count:
            break
        groups[number] = (groups.pop(left)[0], groups.pop(right)[1])
    return sorted(groups.values())


def _joins(texts: Sequence[str], spans: Sequence[Span]) -> Iterator[Join]:
    """Join neighbours until one group is left; groups are numbered on from the units."""
    sizes = {unit: 1 for unit in range(len(spans))}
    after = {unit: unit + 1 for unit in range(len(spans) - 1)}
    before = {following: unit for unit, following in after.items()}
    last = {unit: unit for unit in sizes}  # of each group, the unit that its right neighbour comes after
    gaps = [_gap(texts, spans, unit) for unit in range(len(spans) - 1)]
    waiting = [(gap, 2, unit, unit, unit + 1) for unit, gap in enumerate(gaps)]
    heapq.heapify(waiting)
    number = len(spans)
    while waiting:
        gap, size, _, left, right = heapq.heappop(waiting)
        if after.get(left) != right or size != sizes[left] + sizes[right]:
            continue
        yield left, right, gap, size
        sizes[number], last[number] = size, last[right]
        for neighbour, group in ((before.get(left), number), (number, after.get(right))):
            if neighbour is None or group is None:
                continue
            after[neighbour], before[group] = group, neighbour
            unit = last[neighbour]
            heapq.heappush(waiting, (gaps[unit], sizes[neighbour] + sizes[group], unit, neighbour, group))
        after.pop(left)
        after.pop(right, None)
        number += 1


def _gap(texts: Sequence[str], spans: Sequence[Span], index: int) -> int:
    before, following = texts[index].strip(), texts[index + 1]
    if before and before[-1] in ".!?;。！？":
        return 4
    if before and before[-1] in ",:()–—、，：":
        return 3
    touching = spans[index][1] >= spans[index + 1][0]
    spaced = not before or not following.strip() or following[:1].isspace()
    return 1 if touching and not spaced else 2
