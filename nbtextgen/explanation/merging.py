"""Output tokens joined to words, and names of tokens for tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nbtextgen.core.errors import OptionError
from nbtextgen.explanation.attributions import Values
from nbtextgen.tokenizers.normalization import Span
from nbtextgen.tokenizers.segmentation import word_spans


@dataclass(frozen=True, eq=False)
class Words:
    """Output tokens in groups.

    Attributes:
        tokens: each group as it is shown.
        offsets: start and end of each in the output.
        members: which tokens belong to each, ``(groups, tokens)``, zeros and ones.
    """

    tokens: tuple[str, ...]
    offsets: tuple[Span, ...]
    members: Values


def words_of(tokens: Sequence[str], offsets: Sequence[Span], text: str, unit: str) -> Words:
    """The words of an output, or a single group.

    Args:
        tokens, offsets: of the output, the end mark last.
        text: the output.
        unit: ``word`` or ``output``.

    Raises:
        OptionError: for another unit.
    """
    if unit not in ("word", "output"):
        raise OptionError(f'unit must be "word" or "output" (got {unit!r}).')
    groups = _word_groups(offsets, text) if unit == "word" else [0] * len(offsets)
    spans: dict[int, Span] = {}
    for group, (start, stop) in zip(groups, offsets, strict=True):
        spans[group] = (spans.get(group, (start, stop))[0], stop)
    names = list[str]()
    for group, span in spans.items():
        members = [token for token, number in zip(tokens, groups, strict=True) if number == group]
        names.append(members[0] if len(members) == 1 else text[slice(*span)])  # the end mark has no text
    return Words(tuple(names), tuple(spans.values()), np.eye(len(spans))[groups].T)


def _word_groups(offsets: Sequence[Span], text: str) -> list[int]:
    """The group of every token. A token that touches two words joins them; white space, and bytes before the last of a
    character, belong to the word after them; the end mark is a group of its own.
    """
    words = word_spans(text)
    last: int | None = None  # the last word that a token has touched
    groups, group = list[int](), -1
    pending = False
    for start, stop in offsets[:-1]:
        touched = [index for index, (begin, close) in enumerate(words) if start < close and begin < stop]
        if not pending and (last is None or not touched or touched[0] > last):
            group += 1
        groups.append(group)
        pending, last = not touched, touched[-1] if touched else last
    if pending and group > 0:  # nothing follows but the end
        groups = [min(number, group - 1) for number in groups]
    return [*groups, groups[-1] + 1 if groups else 0]


def joined_pairs(interactions: Values, rows: Values, columns: Values) -> Values:
    """Interactions of pairs where output tokens are joined to words.

    Interactions between words are sums over their tokens. Those inside a word become part of its main effect, so that main
    effects and pairs still add up.

    Args:
        interactions: ``(tokens, players, players)``.
        rows: which tokens belong to each word, ``(words, tokens)``.
        columns: which word each earlier token among the players belongs to, ``(earlier tokens, earlier words)``.
    """
    units, words = interactions.shape[1] - len(columns), columns.shape[1]
    players = np.zeros((interactions.shape[1], units + words))
    players[:units, :units], players[units:, units:] = np.eye(units), columns
    pairs = np.einsum("wt,tij,ik,jl->wkl", rows, interactions, players, players, optimize=True)
    return pairs * (1 - np.eye(units + words))


def numbered(texts: Sequence[str]) -> list[str]:
    """Number repeated texts, so that a frame's columns have different names."""
    counts, names = Counter[str](), list[str]()
    for text in texts:
        counts[text] += 1
        names.append(text if counts[text] == 1 else f"{text} ({counts[text]})")
    return names
