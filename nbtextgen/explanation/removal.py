"""What stands in the place of units that are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nbtextgen.data.examples import CopyMap, pad
from nbtextgen.data.tokenizer import MASK, PAD, UNK, Tokenizer
from nbtextgen.errors import OptionError
from nbtextgen.explanation.units import Units

Ids = NDArray[np.int64]
Kept = NDArray[np.bool_]
"""Which units are present, ``(coalitions, units)``."""


@dataclass(frozen=True, eq=False)
class Masked:
    """Copies of a source with units left out.

    Attributes:
        ids: ``(copies, length)``, padded.
        copy_ids: for a copy head, what each position would be copied as, ``(copies, length)``, or ``None``.
    """

    ids: Ids
    copy_ids: Ids | None


class Removal(Protocol):
    """Leaves units out."""

    @property
    def repeats(self) -> int:
        """Copies per coalition, over whose scores the value function takes the mean."""
        ...

    def __call__(self, kept: Kept) -> Masked:
        """The copies for ``kept (coalitions, units)``, ``coalitions x repeats`` of them."""
        ...


@dataclass(frozen=True, eq=False)
class ByMask:
    """A missing token becomes the mask token, so that the others keep their places.

    A masked position can only be copied as an unknown word: its own word must not leak through the copy head.
    """

    ids: Ids
    copy_ids: Ids | None
    member: Ids
    repeats: int = 1

    def __call__(self, kept: Kept) -> Masked:
        present = kept[:, self.member]
        copies = None if self.copy_ids is None else np.where(present, self.copy_ids, UNK)
        return Masked(np.where(present, self.ids, MASK), copies)


@dataclass(frozen=True, eq=False)
class ByDeletion:
    """A missing token is taken out, and the rest moves up; a source with nothing left is one unknown token."""

    ids: Ids
    copy_ids: Ids | None
    member: Ids
    repeats: int = 1

    def __call__(self, kept: Kept) -> Masked:
        present = kept[:, self.member]
        order = np.argsort(~present, axis=1, kind="stable")
        longest = max(1, int(present.sum(1).max(initial=0)))
        ids = np.take_along_axis(np.where(present, self.ids, PAD), order, 1)[:, :longest]
        ids[~present.any(1), 0] = UNK
        if self.copy_ids is None:
            return Masked(ids, None)
        return Masked(ids, np.take_along_axis(np.where(present, self.copy_ids, UNK), order, 1)[:, :longest])


@dataclass(frozen=True, eq=False)
class BySampling:
    """A missing token is replaced by the one at the same relative place of a donor text, for each of several donors.

    The score is the mean over donors: interventional Shapley values with a background set (Janzing et al. 2020), in
    which every coalition meets the same donors, so that the values are exact for this set.
    """

    ids: Ids
    copy_ids: Ids | None
    member: Ids
    donors: Ids  # (donors, length)

    @property
    def repeats(self) -> int:
        return len(self.donors)

    def __call__(self, kept: Kept) -> Masked:
        present = kept[:, None, self.member]
        ids = np.where(present, self.ids, self.donors)
        copies = None if self.copy_ids is None else np.where(present, self.copy_ids, UNK)
        flat = (-1, len(self.ids))
        return Masked(ids.reshape(flat), None if copies is None else np.broadcast_to(copies, ids.shape).reshape(flat))


@dataclass(frozen=True, eq=False)
class ByCutting:
    """Missing characters are taken out of the text, which is then tokenised anew; for units finer than tokens."""

    source: str
    units: Units
    tokenizer: Tokenizer
    copy: CopyMap | None
    copy_ids: Ids | None
    repeats: int = 1

    def __call__(self, kept: Kept) -> Masked:
        texts = [self._without(row) for row in kept]
        rows = [np.array(ids or [UNK], dtype=np.int64) for ids in self.tokenizer.encode_batch(texts)]
        if self.copy is None:
            return Masked(pad(rows), None)
        _, known = self.copy.ids(self.source)
        return Masked(pad(rows), pad([self._copied(text, self.copy, known) for text in texts]))

    def _copied(self, text: str, copy: CopyMap, known: list[str]) -> Ids:
        """Copy ids of a cut text. Only words that the whole source has too keep a temporary id: pieces are other words."""
        ids, found = copy.ids(text)
        size = copy.target.size
        for at, one in enumerate(ids):
            if one >= size:
                ids[at] = size + known.index(found[one - size]) if found[one - size] in known else UNK
        return ids if len(ids) else np.array([UNK], dtype=np.int64)

    def _without(self, row: NDArray[np.bool_]) -> str:
        gone = {at for unit in np.flatnonzero(~row) for at in range(*self.units.offsets[unit])}
        return "".join(character for at, character in enumerate(self.source) if at not in gone)


def donors(texts: Sequence[str], tokenizer: Tokenizer, length: int, count: int, seed: int) -> Ids:
    """Token rows of one length, ``(count, length)``, drawn from texts and stretched or shrunk to fit.

    Raises:
        OptionError: when there are no texts to draw from.
    """
    rows = [np.array(ids, dtype=np.int64) for ids in tokenizer.encode_batch([text for text in texts if text.strip()])]
    rows = [row for row in rows if len(row)]
    if not rows:
        raise OptionError(
            "--missing sample needs texts to draw from: give --background DATA (a saved model keeps no training text)."
        )
    chosen = np.random.default_rng(seed).choice(len(rows), count, replace=len(rows) < count)
    return np.stack([rows[at][np.arange(length) * len(rows[at]) // length] for at in chosen])
