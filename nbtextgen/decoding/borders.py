"""Where words end among tokens: does a token go on with the word before it, and may another one go on after it?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Borders = NDArray[np.int8]
"""The kind of every token of a vocabulary, and in one more entry that of all others."""

NOTHING, LETTERS, DIGITS, OTHER, LINKED_LETTERS, LINKED_DIGITS = range(6)
"""What a sequence of tokens may end with: nothing or a space; letters; digits; another character; letters or digits and a mark
across which they go on, as the apostrophe in o'clock and the point in 3.5."""
ENDS = 6
MARK = 3
"""A token may start with ``NOTHING`` of a word, ``LETTERS``, ``DIGITS``, or with a mark or byte that belongs to the character before it."""
LINKS = 16
"""Kinds from here on are marks across which letters (``LINKS``), digits (``LINKS + 1``) or both (``LINKS + 2``) go on."""
KINDS = LINKS + 3
WORD_ENDS, WORD_WAITS, WORD_GOES_ON = range(3)
"""What a token does to the word before it: it is ended, or it depends on the next token, or the token goes on with it."""


def token_kind(start: int, end: int) -> int:
    """The kind of a token that starts and ends with something; ``end`` is at most ``OTHER``."""
    return 4 * start + end


def _end_after(kind: int, end: int) -> int:
    """What a sequence ends with after a token, if it ended with ``end`` before."""
    if kind < LINKS:
        return kind % 4
    for part, linked, bit in ((LETTERS, LINKED_LETTERS, 1), (DIGITS, LINKED_DIGITS, 2)):
        if end == part and (kind - LINKS + 1) & bit:
            return linked
    return OTHER


def _effect(kind: int, end: int) -> int:
    """What a token does to the word at the end of a sequence."""
    if kind >= LINKS:
        return WORD_WAITS if _end_after(kind, end) != OTHER else WORD_ENDS
    goes_on = {
        NOTHING: (),
        LETTERS: (LETTERS, DIGITS, LINKED_LETTERS),
        DIGITS: (LETTERS, DIGITS, LINKED_DIGITS),
        MARK: range(1, ENDS),
    }[kind // 4]
    return WORD_GOES_ON if end in goes_on else WORD_ENDS


END_AFTER = [[_end_after(kind, end) for end in range(ENDS)] for kind in range(KINDS)]
"""What a sequence ends with after a token, by its kind and what the sequence ended with before."""
EFFECT = [[_effect(kind, end) for end in range(ENDS)] for kind in range(KINDS)]
"""``WORD_ENDS``, ``WORD_WAITS`` or ``WORD_GOES_ON``, in the same way."""


def begins_word(token: int, borders: Borders) -> bool:
    """Whether a token begins a word of its own, whatever stands before it."""
    return int(borders[min(token, len(borders) - 1)]) // 4 == NOTHING


def survives(end: int, kinds: Sequence[int]) -> bool:
    """Whether the word before ``end`` is whole after tokens of some kinds, or may still be."""
    for kind in kinds:
        if EFFECT[kind][end] != WORD_WAITS:
            return EFFECT[kind][end] == WORD_ENDS
        end = END_AFTER[kind][end]
    return True
