"""Removal of units from a source: by the mask token, by deletion, or by tokens sampled from other texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np

from nbtextgen.core.errors import OptionError
from nbtextgen.data.batching import CopyMap, pad
from nbtextgen.explanation.attributions import Coalitions, Ids
from nbtextgen.explanation.forms import texts_of_form
from nbtextgen.explanation.subject import Subject
from nbtextgen.explanation.units import Units
from nbtextgen.inference.predictor import Predictor
from nbtextgen.tokenizers.base import MASK, PAD, UNK


@dataclass(frozen=True, eq=False)
class MaskedSources:
    """Copies of a source without some of its units.

    Attributes:
        ids: ``(copies, length)``, padded.
        copy_ids: for a copy head, the id that each position would be copied as, ``(copies, length)``, or ``None``.
    """

    ids: Ids
    copy_ids: Ids | None


class Removal(Protocol):
    """Makes copies of a source without the missing units."""

    @property
    def repeats(self) -> int:
        """Copies per coalition; the value function averages their scores."""
        ...

    def __call__(self, coalitions: Coalitions) -> MaskedSources:
        """Return ``coalitions x repeats`` copies for ``coalitions (coalitions, units)``."""
        ...


@dataclass(frozen=True, eq=False)
class ByMask:
    """Replaces missing tokens by the mask token, so that the others keep their positions.

    A masked token must not leak through the copy head: the network copies a mask only as the unknown token.
    """

    subject: Subject
    member: Ids
    repeats: int = 1

    def __call__(self, coalitions: Coalitions) -> MaskedSources:
        ids, copy_ids = np.where(coalitions[:, self.member], self.subject.ids, MASK), self.subject.copy_ids
        return MaskedSources(ids, None if copy_ids is None else np.tile(copy_ids, (len(ids), 1)))


@dataclass(frozen=True, eq=False)
class ByDeletion:
    """Deletes missing tokens, so that the rest moves up; an empty source becomes one unknown token."""

    subject: Subject
    member: Ids
    repeats: int = 1

    def __call__(self, coalitions: Coalitions) -> MaskedSources:
        present, copy_ids = coalitions[:, self.member], self.subject.copy_ids
        order = np.argsort(~present, axis=1, kind="stable")
        longest = max(1, int(present.sum(1).max(initial=0)))
        ids = np.take_along_axis(np.where(present, self.subject.ids, PAD), order, 1)[:, :longest]
        ids[~present.any(1), 0] = UNK
        if copy_ids is None:
            return MaskedSources(ids, None)
        return MaskedSources(ids, np.take_along_axis(np.where(present, copy_ids, UNK), order, 1)[:, :longest])


@dataclass(frozen=True, eq=False)
class BySampling:
    """Replaces missing tokens by those at the same relative positions of a donor text, for each of several donors.

    The score is the mean over donors: interventional Shapley values with a background set (Janzing et al. 2020). Every
    coalition uses the same donors, so that the values are exact for this set.
    """

    subject: Subject
    member: Ids
    donors: MaskedSources  # a row for each, as long as the source
    texts: tuple[str, ...] = ()  # the texts that they come from

    @property
    def repeats(self) -> int:
        return len(self.donors.ids)

    def __call__(self, coalitions: Coalitions) -> MaskedSources:
        present, copy_ids = coalitions[:, None, self.member], self.subject.copy_ids
        flat = (-1, len(self.member))
        ids = np.where(present, self.subject.ids, self.donors.ids).reshape(flat)
        if copy_ids is None or self.donors.copy_ids is None:
            return MaskedSources(ids, None)
        return MaskedSources(ids, np.where(present, copy_ids, self.donors.copy_ids).reshape(flat))


@dataclass(frozen=True, eq=False)
class ByCutting:
    """Deletes missing characters from the text and tokenizes it again; for units finer than tokens."""

    source: str
    units: Units
    predictor: Predictor
    repeats: int = 1

    def __call__(self, coalitions: Coalitions) -> MaskedSources:
        return tokenize_copies([self.text(row) for row in coalitions], self.predictor, self.source)

    def text(self, present: Coalitions) -> str:
        """What is left of the source, for a flag of each unit."""
        deleted = {index for unit in np.flatnonzero(~present) for index in range(*self.units.offsets[unit])}
        return "".join(character for index, character in enumerate(self.source) if index not in deleted)


def tokenize_copies(texts: Sequence[str], predictor: Predictor, source: str) -> MaskedSources:
    """Tokenize texts that replace ``source``, padded; an empty text becomes one unknown token.

    For a copy head, only words that also occur in the source keep their temporary ids: the output cannot refer to others.
    """
    rows = [np.array(ids or [UNK], dtype=np.int64) for ids in predictor.source.encode_batch(list(texts))]
    if predictor.copy is None:
        return MaskedSources(pad(rows), None)
    _, source_words = predictor.copy.ids(source)
    return MaskedSources(pad(rows), pad([_copy_ids(text, predictor.copy, source_words) for text in texts]))


def _copy_ids(text: str, copy: CopyMap, source_words: list[str]) -> Ids:
    ids, words = copy.ids(text)
    size = copy.target.size
    temporary = [size + source_words.index(word) if word in source_words else UNK for word in words]
    copy_ids = [temporary[int(number) - size] if number >= size else int(number) for number in ids]
    return np.array(copy_ids or [UNK], dtype=np.int64)


def background_texts(background: Iterable[str]) -> tuple[str, ...]:
    """The texts that missing units are sampled from.

    Raises:
        OptionError: for a single text, or what is not text.
    """
    if isinstance(background, str):
        raise OptionError("--background must be a list of texts, not a single text.")
    if not isinstance(cast("object", background), Iterable):
        raise OptionError(f"--background must be a list of texts (got {background!r}).")
    texts = cast("tuple[object, ...]", tuple(background))
    if odd := [text for text in texts if not isinstance(text, str)]:
        raise OptionError(f"--background must be a list of texts, and {odd[0]!r} is not a text.")
    return tuple(map(str, texts))


def sample_donors(
    texts: Sequence[str], predictor: Predictor, subject: Subject, count: int, seed: int
) -> tuple[tuple[str, ...], MaskedSources]:
    """Draw donors from texts; also stretch or shrink them to the source's length, ``(count, source_length)``.

    Texts of the source's form (digits and letters at the same places) are taken first, as far as there are any: they put a word in
    the place of a word, so that the copies are inputs that a person could give. Masked copies show what the model
    assumes of a missing word, which may be the very word that was there (benchmarks/interactions.py).
    """
    candidates = [text for text in texts if text.strip()]
    if not candidates:
        raise OptionError(
            "--missing=sample needs texts to draw from: give --background=DATA (a saved model keeps no training text, "
            "unless it was saved with --keep-sources)."
        )
    alike = texts_of_form(candidates, subject.source, of_characters=predictor.source.kind == "char")
    drawn = tuple(candidates[index] for index in _chosen(len(candidates), alike, count, seed))
    donors = tokenize_copies(drawn, predictor, subject.source)
    lengths = np.maximum(1, (donors.ids != PAD).sum(1))
    positions = np.arange(len(subject.ids))[None, :] * lengths[:, None] // len(subject.ids)
    copies = None if donors.copy_ids is None else np.take_along_axis(donors.copy_ids, positions, 1)
    return drawn, MaskedSources(np.take_along_axis(donors.ids, positions, 1), copies)


def _chosen(candidates: int, alike: Sequence[int], count: int, seed: int) -> list[int]:
    """Draw ``count`` of the ``candidates``, those that are ``alike`` first."""
    rng = np.random.default_rng(seed)
    first = [alike[int(index)] for index in rng.permutation(len(alike))[:count]]
    others = sorted(set(range(candidates)) - set(alike)) or list(alike)
    missing = count - len(first)
    return [*first, *(others[int(index)] for index in rng.choice(len(others), missing, replace=len(others) < missing))]
