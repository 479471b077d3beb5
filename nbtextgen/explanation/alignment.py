"""Word alignments from explanations, and their error against gold alignments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from nbtextgen.core.errors import DataError
from nbtextgen.explanation.attributions import Values
from nbtextgen.explanation.explanation import Explanation
from nbtextgen.inference.output_part import whole_spans
from nbtextgen.tokenizers.normalization import Span

Links = frozenset[tuple[int, int]]
"""Pairs of (source word, target word), counted from 0."""
Gold = tuple[Links, Links]
"""Sure and possible links of a pair."""
_LINK = re.compile(r"(\d+)([-?p])(\d+)")


def read_gold(lines: Sequence[str], pairs: Sequence[tuple[str, str]], start: int) -> list[Gold]:
    """Gold alignments whose words are counted from ``start``.

    Raises:
        DataError: for a link beyond the words of its pair.
    """
    alignments = list[Gold]()
    for line, (source, target) in zip(lines, pairs, strict=True):
        sure, possible = read_links(line)
        sizes = len(source.split()), len(target.split())
        for link in sorted(possible):
            if not all(start <= word < start + size for word, size in zip(link, sizes, strict=True)):
                raise DataError(
                    f"In the alignment {line!r}, {link[0]}-{link[1]} is outside the {sizes[0]} and {sizes[1]} words of the "
                    f"pair {source!r}, counted from {start}; set --gold-start to the number of the first word, 0 or 1."
                )
        alignments.append((_shifted(sure, start), _shifted(possible, start)))
    return alignments


def _shifted(links: Links, start: int) -> Links:
    return frozenset((source - start, target - start) for source, target in links)


def read_links(line: str) -> Gold:
    """Sure and possible links from text such as ``0-0 1-2 3?4`` (``-`` is sure, ``?`` or ``p`` only possible)."""
    sure, possible = set[tuple[int, int]](), set[tuple[int, int]]()
    for part in line.split() if _is_text(line) else [line]:
        match = _LINK.fullmatch(part) if _is_text(part) else None
        if not match:
            raise DataError(f"An alignment reads like 0-0 1-2 3?4, source word first (got {part!r}).")
        link = (int(match[1]), int(match[3]))
        possible.add(link)
        if match[2] == "-":
            sure.add(link)
    return frozenset(sure), frozenset(possible)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def links(explanation: Explanation) -> Links:
    """For every target word the source word with the largest attribution; words are separated by white space."""
    source, target = _words(explanation.source), _words(explanation.text)
    if not source:
        return frozenset()
    columns = _membership(explanation.input_offsets, source)
    rows = _membership(whole_spans(explanation.text, explanation.output_offsets), target)
    summed = rows.T @ explanation.values @ columns  # (target words, source words)
    return frozenset((int(summed[word].argmax()), int(word)) for word in np.flatnonzero(rows.any(0)))


def _words(text: str) -> list[Span]:
    return [match.span() for match in re.finditer(r"\S+", text)]


def _membership(offsets: Iterable[Span], words: Sequence[Span]) -> Values:
    """Which words each part of the text overlaps, ``(parts, words)``, zeros and ones."""
    return np.array(
        [[float(start < end and begin < stop) for begin, end in words] for start, stop in offsets], dtype=float
    ).reshape(-1, len(words))


def error_rate(predicted: Sequence[Links], gold: Sequence[Gold]) -> float:
    """Alignment error rate, 1 - (|A & S| + |A & P|) / (|A| + |S|) (Och & Ney 2003, sec. 4.2), between 0 and 1.

    ``predicted`` has the links A of every pair, ``gold`` the sure and possible links S and P.
    """
    pairs = list(zip(predicted, gold, strict=True))
    correct = sum(len(links & sure) + len(links & (possible | sure)) for links, (sure, possible) in pairs)
    total = sum(len(links) + len(sure) for links, (sure, _) in pairs)
    return 1.0 - correct / total if total else 0.0
