"""Tokenised pairs, and the length-bucketed batches that training and scoring read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbtextgen.tokenizers.base import BOS, EOS, PAD, UNK, Tokenizer

Ids = NDArray[np.int64]
PLANNED, BLOCK = 1 << 20, 1 << 12
"""Rows whose batches are planned together, and rows that stay together when more than that are shuffled."""


class CopyMap:
    """Which target-side token each source token would be copied as (See et al. 2017, sec. 2.2).

    A source token that the target vocabulary lacks gets a temporary id, ``target.size + k`` for the k-th such
    token of its source, so that words never seen in training can still be written.
    """

    def __init__(self, source: Tokenizer, target: Tokenizer) -> None:
        self.source, self.target = source, target
        known = {target.token(number): number for number in range(EOS + 2, target.size)}
        self._table = {number: known.get(source.token(number), UNK) for number in range(EOS + 2, source.size)}

    def known(self, number: int) -> int:
        """The target-side id of a source-side id, UNK when the target vocabulary lacks the token."""
        return self._table.get(number, UNK)

    def ids(self, text: str) -> tuple[Ids, list[str]]:
        """Target-side ids of the tokens of ``text``, and the tokens behind the temporary ids, in their order."""
        encoding = self.source.encode(text)
        extra: dict[str, int] = {}
        found = []
        for number, token in zip(encoding.ids, encoding.tokens, strict=True):
            known = self._table.get(number, UNK)
            found.append(known if known != UNK else self.target.size + extra.setdefault(token, len(extra)))
        return np.array(found, dtype=np.int64), list(extra)

    def targets(self, text: str, extra: list[str]) -> Ids:
        """Ids of a target text in which a token unknown to the vocabulary, but present in the source, has its temporary id."""
        encoding = self.target.encode(text)
        ids = [
            self.target.size + extra.index(token) if number == UNK and token in extra else number
            for number, token in zip(encoding.ids, encoding.tokens, strict=True)
        ]
        return np.array([BOS, *ids, EOS], dtype=np.int64)


@dataclass(frozen=True)
class Examples:
    """Token ids of many pairs.

    Attributes:
        sources: one array per pair.
        targets: one array per pair, from BOS to EOS.
        copies: target-side ids of the source tokens, for a copy head, or ``None``.
    """

    sources: Sequence[Ids]
    targets: Sequence[Ids]
    copies: Sequence[Ids] | None = None

    def __len__(self) -> int:
        return len(self.sources)

    def rows_within(self, max_length: int) -> list[int]:
        """Rows with at most ``max_length`` tokens on either side, begin and end marks not counted."""
        source, target = self.lengths()
        return np.flatnonzero((source <= max_length) & (target - 2 <= max_length)).tolist()

    def take(self, rows: Sequence[int]) -> Examples:
        """Some of the examples, in the order given."""
        copies = None if self.copies is None else [self.copies[row] for row in rows]
        return Examples([self.sources[row] for row in rows], [self.targets[row] for row in rows], copies)

    def lengths(self) -> tuple[Ids, Ids]:
        """Source lengths, and target lengths with BOS and EOS, in tokens."""
        return side_lengths(self.sources), side_lengths(self.targets)

    def lengths_of(self, rows: NDArray[np.int32]) -> tuple[Ids, Ids]:
        """Lengths of some rows, without a look at the others."""
        return side_lengths(self.sources, rows), side_lengths(self.targets, rows)


def side_lengths(ids: Sequence[Ids], rows: NDArray[np.int32] | None = None) -> Ids:
    """Tokens of every row of one side, or of some rows."""
    counted = getattr(ids, "lengths", None)  # rows kept end to end know theirs
    if counted is not None:
        return counted(rows)
    chosen = ids if rows is None else [ids[row] for row in rows.tolist()]
    return np.array([len(each) for each in chosen], dtype=np.int64)


def encode_examples(
    sources: Sequence[str], targets: Sequence[str], source: Tokenizer, target: Tokenizer, copy: CopyMap | None = None
) -> Examples:
    """Tokenise pairs for training or scoring."""
    source_ids = [_nonempty(ids) for ids in source.encode_batch(list(sources))]
    if copy is None:
        encoded = target.encode_batch(list(targets))
        return Examples(source_ids, [np.array([BOS, *ids, EOS], dtype=np.int64) for ids in encoded])
    copies, target_ids = [], []
    for source_text, target_text in zip(sources, targets, strict=True):
        ids, extra = copy.ids(source_text)
        copies.append(_nonempty(ids.tolist()))
        target_ids.append(copy.targets(target_text, extra))
    return Examples(source_ids, target_ids, copies)


def _nonempty(ids: list[int]) -> Ids:
    """A source of no tokens at all still needs one position."""
    return np.array(ids or [UNK], dtype=np.int64)


def pad(rows: Sequence[Ids]) -> Ids:
    """Stack rows of ids into ``(batch, longest)``, filled up with PAD."""
    padded = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.int64)
    for number, row in enumerate(rows):
        padded[number, : len(row)] = row
    return padded


def batches(
    examples: Examples, *, batch_tokens: int, batch_size: int, rng: np.random.Generator | None = None
) -> list[NDArray[np.int64]]:
    """Cut the examples into batches of similar length under a token budget.

    Args:
        examples: what to batch.
        batch_tokens: most source + target tokens in a batch, padding included. One pair alone may pass it.
        batch_size: most pairs in a batch.
        rng: shuffles pairs of equal length, and the order of the batches; ``None`` keeps shortest first.

    Returns:
        row numbers, one array per batch.
    """
    if len(examples) <= PLANNED:
        found = _planned(examples, None, batch_tokens, batch_size, rng)
    else:
        windows = _windows(len(examples), rng)
        found = [rows for part in windows for rows in _planned(examples, part, batch_tokens, batch_size, rng)]
    return found if rng is None else [found[number] for number in rng.permutation(len(found))]


def _windows(total: int, rng: np.random.Generator | None) -> Iterator[NDArray[np.int32]]:
    """All rows, in windows that are planned one after the other: blocks of rows that stand together, in random order."""
    blocks = np.arange(0, total, BLOCK, dtype=np.int64)
    if rng is not None:
        rng.shuffle(blocks)
    for start in range(0, len(blocks), PLANNED // BLOCK):
        part = blocks[start : start + PLANNED // BLOCK]
        yield np.concatenate([np.arange(at, min(at + BLOCK, total), dtype=np.int32) for at in part])


def _planned(
    examples: Examples,
    rows: NDArray[np.int32] | None,
    batch_tokens: int,
    batch_size: int,
    rng: np.random.Generator | None,
) -> list[NDArray[Any]]:
    """Batches over some rows (``None``: all), shortest first."""
    source, target = examples.lengths() if rows is None else examples.lengths_of(rows)
    tie = rng.random(len(source)) if rng is not None else np.arange(len(source))
    # Target first: the output layer and decoder cost more per token than the encoder does.
    order = np.lexsort((tie, source, target))
    chosen = order if rows is None else rows[order]
    found: list[NDArray[Any]] = []
    start, widest = 0, 0
    for stop, width_here in enumerate((source + target)[order].tolist()):
        width = max(widest, width_here)
        count = stop - start + 1
        if count > 1 and (width * count > batch_tokens or count > batch_size):
            found.append(chosen[start:stop])
            start, width = stop, width_here
        widest = width
    found.append(chosen[start:])
    return found


def padded_batches(
    examples: Examples, *, batch_tokens: int, batch_size: int
) -> Iterator[tuple[NDArray[np.int64], Ids, Ids, Ids | None]]:
    """Yield ``(rows, source, target, copies)`` over all examples once, padded, in order of length."""
    for rows in batches(examples, batch_tokens=batch_tokens, batch_size=batch_size):
        part = examples.take(rows.tolist())
        yield rows, pad(part.sources), pad(part.targets), None if part.copies is None else pad(part.copies)
