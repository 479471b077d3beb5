"""Pairs on both sides of a split: the same up to case, spacing and Unicode form, or up to punctuation too.

A pass over a million training sources takes about a second: texts are folded many at a time into keys of their letters and
digits, and only those whose key is also that of a held-out source are compared as they are.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from nbtextgen.data.rows import FILLERS, folded_chunks, same_key

_ASCII_PUNCTUATION = bytes(code for code in range(1, 128) if not chr(code).isalnum())


def letter_keys(texts: Sequence[str]) -> Iterator[str]:
    """Yield the letters and digits of each text, in small letters; texts with the same ``same_key`` have the same ones."""
    for joined in folded_chunks(texts):
        keys = (
            joined.encode("utf-8", "surrogatepass").translate(None, _ASCII_PUNCTUATION).decode("utf-8", "surrogatepass")
        )
        for char in set(keys) if not keys.isascii() else ():
            if not char.isascii() and (not char.isalnum() or char in FILLERS):
                keys = keys.replace(char, "")
        yield from keys.split("\0")


def near_key(text: str) -> str:
    """What two texts share that differ only in punctuation and in what ``same_key`` folds; empty for one without letters.

    Punctuation between digits stays, since 3.5 is not 35, and so do symbols such as + and =.
    """
    text = same_key(text)
    if not any(map(str.isalpha, text)):
        return ""
    padded = f" {text} "
    return "".join(
        char
        for before, char, after in zip(padded, text, padded[2:], strict=False)
        if not _is_punctuation(char) or (before.isdigit() and after.isdigit())
    )


def _is_punctuation(char: str) -> bool:
    return not char.isalnum() and unicodedata.category(char)[0] in "PZC"


class HeldOutSources:
    """Sources that are held out, to find among others those that are the same up to punctuation."""

    def __init__(self, sources: Sequence[str]) -> None:
        self._letters = frozenset(letter_keys(sources))
        self._keys = frozenset(map(_source_key, sources))

    def rows(self, sources: Sequence[str]) -> Iterator[int]:
        """Yield the indices of the sources that are held out."""
        for row, key in enumerate(letter_keys(sources)):
            if key in self._letters and _source_key(sources[row]) in self._keys:
                yield row


def _source_key(source: str) -> str:
    return near_key(source) or same_key(source)


@dataclass
class Leaks:
    """Rows of training pairs that are held-out pairs too.

    Attributes:
        same: rows that are the same up to case, spacing and Unicode form.
        near: other rows, that differ from a held-out pair in punctuation too.
    """

    same: list[int] = field(default_factory=list[int])
    near: list[int] = field(default_factory=list[int])

    @classmethod
    def of(cls, sources: Sequence[str], targets: Sequence[str], held: Iterable[tuple[str, str]]) -> Leaks:
        """Look for held-out pairs among training pairs.

        Args:
            sources, targets: the training pairs.
            held: the held-out pairs.
        """
        same, near = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
        held_sources = list[str]()
        for source, target in held:
            held_sources.append(source)
            same[same_key(source)].add(same_key(target))
            near[near_key(source)].add(near_key(target))
        near.pop("", None)
        letters, leaks = frozenset(letter_keys(held_sources)), cls()
        for row, key in enumerate(letter_keys(sources)):
            if key not in letters:
                continue
            if same_key(targets[row]) in same.get(same_key(sources[row]), ()):
                leaks.same.append(row)
            elif near_key(targets[row]) in near.get(near_key(sources[row]), ()):
                leaks.near.append(row)
        return leaks
