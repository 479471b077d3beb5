"""Tokenized pairs, and the length-bucketed batches that training and scoring read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nbtextgen.tokenizers.base import BOS, EOS, PAD, UNK, Tokenizer

Ids = NDArray[np.int64]
MAX_WINDOW = 1 << 20
"""Most rows whose batches are planned together."""
BLOCK = 1 << 12
"""Neighbouring rows that stay together when more than ``MAX_WINDOW`` rows are shuffled."""


@runtime_checkable
class HasLengths(Protocol):
    """Rows of ids that know their lengths without being read, such as those of a token store."""

    def lengths(self, rows: NDArray[np.int32] | None = None) -> Ids: ...


class CopyMap:
    """Maps each source token to the target token it would be copied as (See et al. 2017, sec. 2.2).

    A source token that the target vocabulary lacks gets a temporary id, ``target.size + k`` for the k-th such
    token of its source, so that words never seen in training can still be written.
    """

    def __init__(self, source: Tokenizer, target: Tokenizer) -> None:
        self.source, self.target = source, target
        target_ids = {target.token(index): index for index in range(EOS + 2, target.size)}
        self._target_ids = {index: target_ids.get(source.token(index), UNK) for index in range(EOS + 2, source.size)}

    def target_id(self, source_id: int) -> int:
        """The target id of a source id; UNK if the target vocabulary lacks the token."""
        return self._target_ids.get(source_id, UNK)

    def ids(self, text: str, limit: int | None = None) -> tuple[Ids, list[str]]:
        """Target ids of the first ``limit`` tokens of ``text``, and the tokens behind the temporary ids, in their order."""
        encoding = self.source.encode(text)
        extra: dict[str, int] = {}
        copies = list[int]()
        for source_id, token in zip(encoding.ids[:limit], encoding.tokens[:limit], strict=True):
            target_id = self.target_id(source_id)
            copies.append(target_id if target_id != UNK else self.target.size + extra.setdefault(token, len(extra)))
        return np.array(copies, dtype=np.int64), list(extra)

    def targets(self, text: str, extra: list[str]) -> Ids:
        """Ids of a target text; a token that the vocabulary lacks but the source has gets its temporary id."""
        encoding = self.target.encode(text)
        ids = [
            self.target.size + extra.index(token) if target_id == UNK and token in extra else target_id
            for target_id, token in zip(encoding.ids, encoding.tokens, strict=True)
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
        """Indices of the rows with at most ``max_length`` tokens on either side, begin and end marks not counted."""
        source, target = self.lengths()
        return np.flatnonzero((source <= max_length) & (target - 2 <= max_length)).tolist()

    def take(self, rows: Sequence[int]) -> Examples:
        """Some of the examples, in the order given."""
        copies = None if self.copies is None else [self.copies[row] for row in rows]
        return Examples([self.sources[row] for row in rows], [self.targets[row] for row in rows], copies)

    def lengths(self) -> tuple[Ids, Ids]:
        """Source lengths, and target lengths with BOS and EOS, in tokens, ``(pairs,)`` each."""
        return side_lengths(self.sources), side_lengths(self.targets)


def joined(first: Examples, second: Examples) -> Examples:
    """Examples of both, in this order."""
    copies = None if first.copies is None or second.copies is None else [*first.copies, *second.copies]
    return Examples([*first.sources, *second.sources], [*first.targets, *second.targets], copies)


def side_lengths(ids: Sequence[Ids], rows: NDArray[np.int32] | None = None) -> Ids:
    """Number of tokens in every row of one side, ``(pairs,)``, or in those of ``rows``."""
    if isinstance(ids, HasLengths):
        return ids.lengths(rows)
    chosen: Sequence[Ids] = ids if rows is None else [ids[row] for row in cast("list[int]", rows.tolist())]
    return np.fromiter(map(len, chosen), np.int64, len(chosen))


def encode_examples(
    sources: Sequence[str], targets: Sequence[str], source: Tokenizer, target: Tokenizer, copy: CopyMap | None = None
) -> Examples:
    """Tokenize pairs for training or scoring.

    Args:
        sources, targets: one text each per pair.
        source, target: tokenizers of the sides.
        copy: for a network with a copy head; then target ids may be temporary ones, see ``CopyMap``.

    Returns:
        the ids; a text without tokens is one unknown token.
    """
    source_ids = [_nonempty(ids) for ids in source.encode_batch(sources)]
    if copy is None:
        encoded = target.encode_batch(targets)
        return Examples(source_ids, [np.array([BOS, *ids, EOS], dtype=np.int64) for ids in encoded])
    copies, target_ids = list[Ids](), list[Ids]()
    for source_text, target_text in zip(sources, targets, strict=True):
        ids, extra = copy.ids(source_text)
        copies.append(_nonempty(ids.tolist()))
        target_ids.append(copy.targets(target_text, extra))
    return Examples(source_ids, target_ids, copies)


def _nonempty(ids: list[int]) -> Ids:
    """Ids of a source, which needs one position even if it has no token."""
    return np.array(ids or [UNK], dtype=np.int64)


def pad(rows: Sequence[Ids]) -> Ids:
    """Stack rows of ids into ``(batch, longest)``, filled up with PAD."""
    padded = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.int64)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return padded


def batches(
    examples: Examples, *, batch_tokens: int, batch_size: int, rng: np.random.Generator | None = None
) -> list[NDArray[Any]]:
    """Cut the examples into batches of similar length under a token budget.

    Args:
        examples: what to batch.
        batch_tokens: most source + target tokens in a batch, padding included. A single pair may exceed it.
        batch_size: most pairs in a batch.
        rng: shuffles pairs of equal length, and the order of the batches; ``None`` keeps shortest first.

    Returns:
        row indices, one array per batch.
    """
    windows = _windows(len(examples), rng) if len(examples) > MAX_WINDOW else [None]
    planned = [rows for window in windows for rows in _plan(examples, window, batch_tokens, batch_size, rng)]
    return planned if rng is None else [planned[index] for index in rng.permutation(len(planned))]


def _windows(total: int, rng: np.random.Generator | None) -> Iterator[NDArray[np.int32]]:
    """Yield all row indices in windows of at most ``MAX_WINDOW``, each made of blocks in random order."""
    starts = np.arange(0, total, BLOCK, dtype=np.int64)
    if rng is not None:
        rng.shuffle(starts)
    for first in range(0, len(starts), MAX_WINDOW // BLOCK):
        blocks = starts[first : first + MAX_WINDOW // BLOCK]
        yield np.concatenate([np.arange(start, min(start + BLOCK, total), dtype=np.int32) for start in blocks])


def _plan(
    examples: Examples,
    window: NDArray[np.int32] | None,
    batch_tokens: int,
    batch_size: int,
    rng: np.random.Generator | None,
) -> Iterator[NDArray[Any]]:
    """Yield batches over the rows of a window (``None``: all rows), shortest first."""
    source = side_lengths(examples.sources, window)
    target = side_lengths(examples.targets, window)
    tie = rng.random(len(source)) if rng is not None else np.arange(len(source))
    # Target first: the output layer and decoder cost more per token than the encoder does.
    order = np.lexsort((tie, source, target))
    rows = order if window is None else window[order]
    start, widest = 0, 0
    for stop, width in enumerate((source + target)[order].tolist()):
        widest = max(widest, width)
        count = stop - start + 1
        if count > 1 and (widest * count > batch_tokens or count > batch_size):
            yield rows[start:stop]
            start, widest = stop, width
    yield rows[start:]


def padded_batches(
    examples: Examples, *, batch_tokens: int, batch_size: int
) -> Iterator[tuple[NDArray[Any], Ids, Ids, Ids | None]]:
    """Yield ``(rows, source, target, copies)`` over all examples once, padded, in order of length."""
    for rows in batches(examples, batch_tokens=batch_tokens, batch_size=batch_size):
        batch = examples.take(rows.tolist())
        yield rows, pad(batch.sources), pad(batch.targets), None if batch.copies is None else pad(batch.copies)
