"""Tokenised pairs on disk, mapped into memory: any number of processes read them without a copy each."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, overload

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from nbtextgen.core.errors import ModelFileError
from nbtextgen.core.files import read_json
from nbtextgen.data.batching import Examples, Ids
from nbtextgen.data.readers.read import files_of
from nbtextgen.tokenizers.base import Tokenizer

SIDES = ("sources", "targets", "copies")
WRITTEN = 10_000
"""Rows written at a time."""
MANIFEST, NAME, FORMAT = "store.json", "train", 1
"""File that says what a store was made from, name of its examples, and version of its layout."""
_HEADER = 128
"""Bytes of a ``.npy`` header."""


class RaggedRows(Sequence[Ids]):
    """Arrays of ids of different lengths, kept end to end: row ``n`` is ``ids[starts[n]:starts[n + 1]]``."""

    def __init__(self, ids: NDArray[np.int32], starts: NDArray[np.int64]) -> None:
        self.ids, self.starts = ids, starts

    def __len__(self) -> int:
        return len(self.starts) - 1

    @overload
    def __getitem__(self, at: int) -> Ids: ...
    @overload
    def __getitem__(self, at: slice) -> list[Ids]: ...
    def __getitem__(self, at: int | slice) -> Ids | list[Ids]:
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(len(self)))]
        if not -len(self) <= at < len(self):
            raise IndexError(f"row {at} of {len(self)}")
        at %= len(self)
        return np.asarray(self.ids[self.starts[at] : self.starts[at + 1]], dtype=np.int64)

    def lengths(self, rows: NDArray[np.int32] | None = None) -> Ids:
        """How many ids each row has, or each of some rows."""
        if rows is None:
            return np.diff(self.starts)
        return np.asarray(self.starts[rows.astype(np.int64) + 1] - self.starts[rows], dtype=np.int64)


class SideWriter:
    """Writes one side's ids and row starts as ``.npy`` files, row by row; the headers are written last, with the lengths."""

    def __init__(self, folder: Path, name: str, side: str) -> None:
        self._ids = self._opened(folder / f"{name}-{side}-ids.npy")
        self._starts = self._opened(folder / f"{name}-{side}-starts.npy")
        self._starts.write(np.zeros(1, "<i8").tobytes())
        self.rows, self.total = 0, 0

    @staticmethod
    def _opened(path: Path) -> BinaryIO:
        file = path.open("wb")
        file.write(bytes(_HEADER))
        return file

    def append(self, ids: NDArray[np.int32], lengths: NDArray[np.int64]) -> None:
        """Append rows: their ids end to end, and how many each has."""
        self._ids.write(ids.astype("<i4", copy=False).tobytes())
        self._starts.write((np.cumsum(lengths) + self.total).astype("<i8", copy=False).tobytes())
        self.rows += len(lengths)
        self.total += int(lengths.sum())

    def finish(self) -> None:
        """Write the headers, and wait until everything is on the disk."""
        for file, kind, count in ((self._ids, "<i4", self.total), (self._starts, "<i8", self.rows + 1)):
            file.seek(0)
            npy.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": (count,)})
            assert file.tell() == _HEADER
            file.flush()
            os.fsync(file.fileno())
            file.close()


def save_examples(folder: Path, name: str, examples: Examples) -> None:
    """Write examples as plain ``.npy`` arrays, two a side; row by row, so that they need not fit into the memory."""
    for side in SIDES:
        rows: Sequence[Ids] | None = getattr(examples, side)
        if rows is None:
            continue
        writer = SideWriter(folder, name, side)
        for start in range(0, len(rows), WRITTEN):
            part = rows[start : start + WRITTEN]
            writer.append(np.concatenate(part).astype(np.int32), np.fromiter(map(len, part), np.int64, len(part)))
        writer.finish()


def open_examples(folder: Path, name: str, *, source_size: int, target_size: int) -> Examples:
    """Map examples into memory; ids are read from the disk when they are used.

    Args:
        folder, name: as ``save_examples`` was given.
        source_size, target_size: token types of each side, to check the ids against.

    Raises:
        ModelFileError: when a file is missing, not a plain array, or holds ids that no vocabulary has.
    """
    sides: dict[str, RaggedRows] = {}
    for side in SIDES:
        if side == "copies" and not (folder / f"{name}-copies-ids.npy").exists():
            continue
        ids, starts = _mapped(folder / f"{name}-{side}-ids.npy"), _mapped(folder / f"{name}-{side}-starts.npy")
        rows = RaggedRows(ids, np.asarray(starts))
        whole = len(starts) > 1 and starts[0] == 0 and starts[-1] == len(ids) and _rising(starts)
        if ids.dtype != np.int32 or starts.dtype != np.int64 or not whole:
            raise ModelFileError(f"{folder / name}-{side} is damaged: its rows do not fit its ids.")
        sides[side] = rows
    if len({len(rows) for rows in sides.values()}) != 1:
        raise ModelFileError(f"{folder / name} is damaged: its sides have different numbers of rows.")
    copying = "copies" in sides
    for side, size in (("sources", source_size), ("targets", None if copying else target_size)):
        ids = sides[side].ids
        if int(ids.min()) < 0 or (size is not None and int(ids.max()) >= size):
            raise ModelFileError(f"{folder / name}-{side} is damaged: it holds ids that its vocabulary lacks.")
    return Examples(sides["sources"], sides["targets"], sides.get("copies"))


def _rising(starts: NDArray[Any]) -> bool:
    """Whether every row has an id; looked at part by part, so that little is in memory at a time."""
    step = 1 << 20
    return all(bool((np.diff(starts[at : at + step + 1]) > 0).all()) for at in range(0, len(starts) - 1, step))


def _mapped(path: Path) -> NDArray[Any]:
    """One array of whole numbers, mapped read-only; nothing in the file is ever executed."""
    try:
        array = npy.open_memmap(path, mode="r")
    except Exception as error:  # the library's reader of headers raises many kinds, a tokenizer's among them
        raise ModelFileError(f"{path} cannot be read: {error}.") from error
    if array.ndim != 1 or array.dtype.kind != "i":
        raise ModelFileError(f"{path} is damaged: it should hold a row of whole numbers.")
    return array


@dataclass(frozen=True)
class TokenStore:
    """Tokenised pairs on disk: the examples, mapped, and how many pairs were too long to be among them."""

    examples: Examples
    left_out: int


def store_key(data: Any, source: Tokenizer, target: Tokenizer, more: Any = None) -> str | None:
    """What a store depends on: files by name, size and time of change, tokenizers, settings; ``None`` for a stream."""
    paths = files_of(data)
    if not paths:
        return None
    known = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths if path.exists()]
    content = json.dumps([known, source.to_dict(), target.to_dict(), more], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(content.encode()).hexdigest()


def open_store(folder: Path, key: str | None, source: Tokenizer, target: Tokenizer) -> TokenStore | None:
    """The store in a folder when it is whole and was made from the same; else ``None``."""
    if key is None or not (folder / MANIFEST).is_file():
        return None
    manifest = read_json(folder / MANIFEST)
    if manifest.get("format") != FORMAT or manifest.get("key") != key:
        return None
    examples = open_examples(folder, NAME, source_size=source.size, target_size=target.size)
    return TokenStore(examples, int(manifest["left_out"]))
