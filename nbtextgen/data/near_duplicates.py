"""Near-duplicate texts among very many: candidates by MinHash and banding, each checked against the text itself.

MinHash: Broder 1997. One hash function cut into bins instead of many functions: Li, Owen & Zhang 2012; empty bins
filled from their neighbours: Shrivastava & Li 2014. Banding: Leskovec, Rajaraman & Ullman, Mining of Massive Datasets, sec. 3.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nbtextgen.data.rows import same_key

SHINGLE = 5
"""Characters in a shingle."""
SHORT = 25
"""Characters below which one letter more or less makes another text ("import", "imports"), not a near-duplicate."""
BINS, BAND = 64, 4
"""Minima kept for a text, and how many of them make a band: texts of similarity 0.8 share one of 16 bands with p = 0.9998."""
COMPARED = 16
"""Earlier texts of a bucket that a new one is compared with: templates may put thousands into one bucket."""
_LETTERS = re.compile(r"[\W_]+")
_EMPTY = np.uint64(2**64 - 1)
_CHUNK = 4_000_000  # characters hashed together, so that memory stays in tens of megabytes


def near_duplicates(sources: Sequence[str], targets: Sequence[str], similarity: float) -> Iterator[tuple[int, int]]:
    """Yield ``(row, earlier row)`` for rows of which both sides are nearly those of an earlier, kept row.

    A row is compared only with rows that were kept themselves, so dropping what is yielded and looking again
    finds nothing.

    Args:
        sources, targets: the texts.
        similarity: smallest likeness of each side, in percent (rapidfuzz's normalised indel similarity, after folding
            case, spacing and Unicode form).
    """
    keys = [same_key(text) for text in sources]
    other = [same_key(text) for text in targets]
    bands = signatures(keys).view(f"V{BAND * 8}")
    buckets: dict[object, list[int]] = {}
    for row, (key, answer) in enumerate(zip(keys, other, strict=True)):
        mine = [(column, band) for column, band in enumerate(bands[row].tolist())]
        candidates = dict.fromkeys(each for band in mine for each in buckets.get(band, ())[:COMPARED])
        found = next(
            (
                each
                for each in candidates
                if _alike(key, keys[each], similarity) and _alike(answer, other[each], similarity)
            ),
            None,
        )
        if found is not None:
            yield row, found
            continue
        for band in mine:
            held = buckets.setdefault(band, [])
            if len(held) < COMPARED:
                held.append(row)


def _alike(first: str, second: str, similarity: float) -> bool:
    """Whether two folded texts are nearly the same; short ones only when their letters and digits are."""
    from rapidfuzz.fuzz import ratio

    if min(len(first), len(second)) < SHORT:
        return _LETTERS.sub("", first) == _LETTERS.sub("", second)
    return ratio(first, second, score_cutoff=similarity) > 0


def signatures(texts: Sequence[str]) -> NDArray[np.uint64]:
    """The minima of each text's shingle hashes, ``(texts, bins)``; a share of equal ones estimates Jaccard similarity."""
    found = np.full((len(texts), BINS), _EMPTY, dtype=np.uint64)
    start, size = 0, 0
    for stop, text in enumerate(texts):
        size += len(text)
        if size > _CHUNK:
            _hash_chunk(texts[start : stop + 1], found[start : stop + 1])
            start, size = stop + 1, 0
    if start < len(texts):
        _hash_chunk(texts[start:], found[start:])
    return _densified(found)


def _hash_chunk(texts: Sequence[str], found: NDArray[np.uint64]) -> None:
    """Fill in the minima of some texts, all their characters at once."""
    padded = [text.ljust(SHINGLE) for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    lengths = np.array([len(text) for text in padded])
    hashes = np.zeros(len(codes) - SHINGLE + 1, dtype=np.uint64)
    for at in range(SHINGLE):
        hashes = hashes * np.uint64(0x100000001B3) + codes[at : at + len(hashes)]
    hashes = _mixed(hashes)
    row = np.repeat(np.arange(len(padded)), lengths)[: len(hashes)]
    left = np.repeat(np.cumsum(lengths), lengths)[: len(hashes)] - np.arange(len(hashes))
    inside = left >= SHINGLE  # shingles that do not run into the next text
    places = row[inside] * BINS + (hashes[inside] & np.uint64(BINS - 1)).astype(np.int64)
    np.minimum.at(found.reshape(-1), places, hashes[inside] >> np.uint64(6))


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread the bits (the finalizer of SplitMix64; Steele, Lea & Flood 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _densified(found: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Fill each empty bin from the next full one, marked by the distance, so that short texts agree only where they should."""
    filled = found.copy()
    for distance in range(1, BINS):
        empty = filled == _EMPTY
        if not empty.any():
            break
        moved = np.roll(found, -distance, axis=1)
        usable = empty & (moved != _EMPTY)
        filled[usable] = _mixed(moved[usable] + np.uint64(distance))
    return filled
