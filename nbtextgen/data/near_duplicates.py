"""Near-duplicates among very many texts: candidates by MinHash and banding, each verified on the texts.

MinHash: Broder 1997. One hash function cut into bins instead of many functions: Li, Owen & Zhang 2012; empty bins
filled from their neighbours: Shrivastava & Li 2014. Banding: Leskovec, Rajaraman & Ullman, Mining of Massive Datasets, sec. 3.4.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.cancellation import checked
from nbtextgen.data.rows import same_key

SHINGLE = 5
"""Characters in a shingle."""
SHORT = 25
"""Characters below which one letter more or less makes another text ("import", "imports"), not a near-duplicate."""
BINS, BAND = 64, 4
"""Minima per text, and minima per band: texts of similarity 0.8 share one of 16 bands with p = 0.9998."""
MAX_COMPARED = 16
"""Most rows of a bucket that a new one is compared with: templates may put thousands into one bucket."""
CHUNK = 4_000_000
"""Characters that are hashed together, so that memory stays in tens of megabytes."""
_NO_LETTERS = re.compile(r"[\W_]+")
_EMPTY = np.uint64(2**64 - 1)


def near_duplicates(sources: Sequence[str], targets: Sequence[str], similarity: float) -> Iterator[tuple[int, int]]:
    """Yield ``(row, earlier row)`` for rows of which both sides nearly repeat an earlier, kept row.

    A row is compared only with rows that were kept themselves, so dropping what is yielded and looking again
    yields nothing.

    Args:
        sources, targets: the texts.
        similarity: least similarity of each side, in percent (rapidfuzz's normalised indel similarity, after folding
            case, spacing and Unicode form).
    """
    source_keys = [same_key(text) for text in checked(sources)]
    target_keys = [same_key(text) for text in checked(targets)]
    bands = signatures(source_keys).view(f"V{BAND * 8}")
    buckets: defaultdict[tuple[int, bytes], list[int]] = defaultdict(list)
    for row, row_bands in checked(enumerate(bands)):
        row_buckets = [buckets[key] for key in enumerate(row_bands.tolist())]
        for earlier in dict.fromkeys(chain.from_iterable(row_buckets)):
            if _are_similar(source_keys[row], source_keys[earlier], similarity) and _are_similar(
                target_keys[row], target_keys[earlier], similarity
            ):
                yield row, earlier
                break
        else:
            for bucket in row_buckets:
                if len(bucket) < MAX_COMPARED:
                    bucket.append(row)


def _are_similar(first: str, second: str, similarity: float) -> bool:
    """Compare two folded texts; short ones are similar only if their letters and digits are the same."""
    from rapidfuzz.fuzz import ratio

    if min(len(first), len(second)) < SHORT:
        return _NO_LETTERS.sub("", first) == _NO_LETTERS.sub("", second)
    return ratio(first, second, score_cutoff=similarity) > 0


def signatures(texts: Sequence[str]) -> NDArray[np.uint64]:
    """Minima of each text's shingle hashes, ``(texts, bins)``; the fraction of equal ones estimates Jaccard similarity."""
    minima = np.full((len(texts), BINS), _EMPTY, dtype=np.uint64)
    start, size = 0, 0
    for stop, text in enumerate(texts, 1):
        size += len(text)
        if size > CHUNK or stop == len(texts):
            _hash_texts(texts[start:stop], minima[start:stop])
            start, size = stop, 0
    return _densified(minima)


def _hash_texts(texts: Sequence[str], minima: NDArray[np.uint64]) -> None:
    """Fill in the minima of some texts, hashing all their characters at once."""
    padded = [text.ljust(SHINGLE) for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    lengths = np.array([len(text) for text in padded])
    hashes = np.zeros(len(codes) - SHINGLE + 1, dtype=np.uint64)
    for offset in range(SHINGLE):
        hashes = hashes * np.uint64(0x100000001B3) + codes[offset : offset + len(hashes)]
    hashes = _mixed(hashes)
    row = np.repeat(np.arange(len(padded)), lengths)[: len(hashes)]
    left = np.repeat(np.cumsum(lengths), lengths)[: len(hashes)] - np.arange(len(hashes))
    is_inside = left >= SHINGLE  # shingles that do not run into the next text
    bins = row[is_inside] * BINS + (hashes[is_inside] & np.uint64(BINS - 1)).astype(np.int64)
    np.minimum.at(minima.reshape(-1), bins, hashes[is_inside] >> np.uint64(6))


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread the bits (the finalizer of SplitMix64; Steele, Lea & Flood 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _densified(minima: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Fill each empty bin from the next full one, hashed with the distance, so that short texts agree only by content."""
    filled = minima.copy()
    for distance in range(1, BINS):
        empty = filled == _EMPTY
        if not empty.any():
            break
        moved = np.roll(minima, -distance, axis=1)
        usable = empty & (moved != _EMPTY)
        filled[usable] = _mixed(moved[usable] + np.uint64(distance))
    return filled
