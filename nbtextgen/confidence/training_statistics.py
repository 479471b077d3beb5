"""Small statistics of the training data, which tell how unlike it an input is. They hold no text."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import ModelFileError
from nbtextgen.core.files import JsonObject

BUCKETS = 1 << 14
"""Buckets that n-grams are hashed into, a byte each."""
SIZE = 3
"""Tokens of an n-gram; a text begins and ends with a border."""
MAX_ROWS = 50_000
"""Training pairs whose n-grams are counted at most, evenly spread."""
MAX_TOKENS = 500
"""Tokens of a text that are counted at most."""
BORDER = 0x9E3779B1
"""Stands before and after every text."""
SCALE = 12.0
Ids = Sequence[int] | NDArray[np.int64] | NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class SideStatistics:
    """Statistics of the sources or of the targets.

    Attributes:
        counts: ``SCALE log2(1 + count)`` of the n-grams in each bucket, ``(BUCKETS,)``, at most 255.
        longest: tokens of the longest text.
    """

    counts: NDArray[np.uint8]
    longest: int

    @classmethod
    def of(cls, rows: Sequence[Ids]) -> SideStatistics:
        """Count the n-grams of texts, given as token ids."""
        totals, longest = np.zeros(BUCKETS), max(map(len, rows), default=0)
        for start in range(0, len(rows), 1024):
            # The rows are joined with borders between them, so a few n-grams span two rows: their share is negligible.
            joined = _bordered([np.asarray(row[:MAX_TOKENS], np.int64) for row in rows[start : start + 1024]])
            totals += np.bincount(buckets(joined), minlength=BUCKETS)
        # Rounded up, so that only a count of zero is a zero.
        return cls(np.minimum(255, np.ceil(SCALE * np.log2(1 + totals))).astype(np.uint8), longest)

    @classmethod
    def unknown(cls) -> SideStatistics:
        """Statistics by which nothing is rare or long, for a model whose training data is gone."""
        return cls(np.full(BUCKETS, 255, np.uint8), 1_000_000_000)

    def rarity(self, ids: Ids) -> NDArray[np.float64]:
        """Log2 of one plus the count of every n-gram of a text; 0 for n-grams that never occurred."""
        return self.counts[buckets(_bordered([np.asarray(ids, np.int64)]))] / SCALE

    def summaries(self, rows: Sequence[Ids]) -> NDArray[np.float64]:
        """Of the n-grams of each text: how many are unseen, and the least and the mean rarity, ``(rows, 3)``."""
        filled = [row if len(row) else [BORDER] for row in rows]  # a text of nothing has one n-gram, of borders
        joined = _bordered([np.asarray(row, np.int64) for row in filled])
        owners = np.repeat(np.arange(len(rows)), [len(row) + 1 for row in filled])[: len(joined) - SIZE + 1]
        ends = np.cumsum([len(row) + 1 for row in filled])
        inside = np.ones(len(owners), bool)
        inside[ends[:-1] - 1] = False  # those spanning two texts
        rarities, owners = self.counts[buckets(joined)][inside] / SCALE, owners[inside]
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        unseen = np.add.reduceat((rarities == 0).astype(float), starts)
        means = np.add.reduceat(rarities, starts) / np.bincount(owners)
        return np.column_stack([unseen, np.minimum.reduceat(rarities, starts), means])

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        packed = base64.b64encode(zlib.compress(self.counts.tobytes(), 9)).decode()
        return {"counts": packed, "longest": self.longest}

    @classmethod
    def from_dict(cls, values: JsonObject) -> SideStatistics:
        """Read ``as_dict`` back; raises ``ModelFileError`` for damaged values."""
        unpacker = zlib.decompressobj()
        try:
            counts = np.frombuffer(unpacker.decompress(base64.b64decode(values["counts"]), BUCKETS + 1), np.uint8)
        except (zlib.error, ValueError) as error:
            raise ModelFileError(f"The statistics of the training data are damaged: {error}.") from error
        if len(counts) != BUCKETS:
            raise ModelFileError(f"The statistics of the training data have {len(counts)} counts, not {BUCKETS}.")
        return cls(counts, int(values["longest"]))


@dataclass(frozen=True, eq=False)
class TrainingStatistics:
    """Statistics of both sides of the training pairs."""

    source: SideStatistics
    target: SideStatistics

    @classmethod
    def of(cls, sources: Sequence[Ids], targets: Sequence[Ids]) -> TrainingStatistics:
        """Statistics of encoded pairs; targets with begin and end tokens."""
        rows = range(0, len(sources), -(-len(sources) // MAX_ROWS) or 1)
        return cls(
            SideStatistics.of([sources[row] for row in rows]), SideStatistics.of([targets[row][1:-1] for row in rows])
        )

    @classmethod
    def unknown(cls) -> TrainingStatistics:
        """Statistics for a model whose training data is gone."""
        return cls(SideStatistics.unknown(), SideStatistics.unknown())

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {"source": self.source.as_dict(), "target": self.target.as_dict()}

    @classmethod
    def from_dict(cls, values: JsonObject) -> TrainingStatistics:
        """Read ``as_dict`` back; raises ``ModelFileError`` for damaged values."""
        return cls(SideStatistics.from_dict(values["source"]), SideStatistics.from_dict(values["target"]))


def buckets(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """The bucket of every n-gram of a sequence, ``(len(ids) - SIZE + 1,)``."""
    return (_hashes(ids) % np.uint64(BUCKETS)).astype(np.int64)


def _hashes(ids: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A multiplicative hash of every ``SIZE`` neighbours."""
    mixed = np.zeros(len(ids) - SIZE + 1, np.uint64)
    for offset in range(SIZE):
        part = ids[offset : offset + len(mixed)].astype(np.uint64) + np.uint64(1)
        mixed = (mixed ^ part) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return mixed


def _bordered(rows: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Rows joined, each after a border, with a last one at the end."""
    border = np.array([BORDER], np.int64)
    parts = [part for row in rows for part in (border, row)]
    return np.concatenate([*parts, *[border] * max(1, SIZE - sum(map(len, parts)))])
