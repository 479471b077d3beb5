"""What stands in the place of units that are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import OptionError
from nbtextgen.data.batching import CopyMap, pad
from nbtextgen.explanation.subject import Subject
from nbtextgen.explanation.units import Units
from nbtextgen.inference.predictor import Predictor
from nbtextgen.tokenizers.base import MASK, PAD, UNK

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

    Its own word does not leak through a copy head: the network lets a mask be copied as an unknown word only.
    """

    subject: Subject
    member: Ids
    repeats: int = 1

    def __call__(self, kept: Kept) -> Masked:
        ids, copy_ids = np.where(kept[:, self.member], self.subject.ids, MASK), self.subject.copy_ids
        return Masked(ids, None if copy_ids is None else np.tile(copy_ids, (len(ids), 1)))


@dataclass(frozen=True, eq=False)
class ByDeletion:
    """A missing token is taken out, and the rest moves up; a source with nothing left is one unknown token."""

    subject: Subject
    member: Ids
    repeats: int = 1

    def __call__(self, kept: Kept) -> Masked:
        present, copy_ids = kept[:, self.member], self.subject.copy_ids
        order = np.argsort(~present, axis=1, kind="stable")
        longest = max(1, int(present.sum(1).max(initial=0)))
        ids = np.take_along_axis(np.where(present, self.subject.ids, PAD), order, 1)[:, :longest]
        ids[~present.any(1), 0] = UNK
        if copy_ids is None:
            return Masked(ids, None)
        return Masked(ids, np.take_along_axis(np.where(present, copy_ids, UNK), order, 1)[:, :longest])


@dataclass(frozen=True, eq=False)
class BySampling:
    """A missing token is replaced by the one at the same relative place of a donor text, for each of several donors.

    The score is the mean over donors: interventional Shapley values with a background set (Janzing et al. 2020), in
    which every coalition meets the same donors, so that the values are exact for this set.
    """

    subject: Subject
    member: Ids
    donors: Masked  # a row for each, as long as the source

    @property
    def repeats(self) -> int:
        return len(self.donors.ids)

    def __call__(self, kept: Kept) -> Masked:
        present, copy_ids = kept[:, None, self.member], self.subject.copy_ids
        flat = (-1, len(self.member))
        ids = np.where(present, self.subject.ids, self.donors.ids).reshape(flat)
        if copy_ids is None or self.donors.copy_ids is None:
            return Masked(ids, None)
        return Masked(ids, np.where(present, copy_ids, self.donors.copy_ids).reshape(flat))


@dataclass(frozen=True, eq=False)
class ByCutting:
    """Missing characters are taken out of the text, which is then tokenised anew; for units finer than tokens."""

    source: str
    units: Units
    predictor: Predictor
    repeats: int = 1

    def __call__(self, kept: Kept) -> Masked:
        return read([self._without(row) for row in kept], self.predictor, self.source)

    def _without(self, row: NDArray[np.bool_]) -> str:
        gone = {at for unit in np.flatnonzero(~row) for at in range(*self.units.offsets[unit])}
        return "".join(character for at, character in enumerate(self.source) if at not in gone)


def read(texts: Sequence[str], predictor: Predictor, source: str) -> Masked:
    """Other texts in the place of ``source``, padded; an empty one is one unknown token.

    For a copy head, only words that the source has too keep their temporary ids: those of others mean nothing to its output.
    """
    rows = [np.array(ids or [UNK], dtype=np.int64) for ids in predictor.source.encode_batch(list(texts))]
    if predictor.copy is None:
        return Masked(pad(rows), None)
    _, known = predictor.copy.ids(source)
    return Masked(pad(rows), pad([_copied(text, predictor.copy, known) for text in texts]))


def _copied(text: str, copy: CopyMap, known: list[str]) -> Ids:
    ids, found = copy.ids(text)
    size = copy.target.size
    for at, one in enumerate(ids):
        if one >= size:
            ids[at] = size + known.index(found[one - size]) if found[one - size] in known else UNK
    return ids if len(ids) else np.array([UNK], dtype=np.int64)


def draw(texts: Sequence[str], predictor: Predictor, subject: Subject, count: int, seed: int) -> Masked:
    """Donors drawn from texts and stretched or shrunk to the source's length, ``(count, source_length)``.

    Raises:
        OptionError: when there are no texts to draw from.
    """
    filled = [text for text in texts if text.strip()]
    if not filled:
        raise OptionError(
            "--missing sample needs texts to draw from: give --background DATA (a saved model keeps no training text, "
            "unless it was saved with --keep-sources)."
        )
    chosen = np.random.default_rng(seed).choice(len(filled), count, replace=len(filled) < count)
    donors = read([filled[at] for at in chosen], predictor, subject.source)
    lengths = np.maximum(1, (donors.ids != PAD).sum(1))
    places = np.arange(len(subject.ids))[None, :] * lengths[:, None] // len(subject.ids)
    copies = None if donors.copy_ids is None else np.take_along_axis(donors.copy_ids, places, 1)
    return Masked(np.take_along_axis(donors.ids, places, 1), copies)
