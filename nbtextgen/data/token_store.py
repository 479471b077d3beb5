"""Tokenized pairs on disk, mapped into memory: any number of processes share one copy."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from nbtextgen.core.errors import MemoryShortError, ModelFileError, is_memory_short
from nbtextgen.core.files import read_sealed_json, verify
from nbtextgen.data.batching import Examples, Ids, side_lengths
from nbtextgen.data.readers.read import files_of
from nbtextgen.tokenizers.base import Tokenizer

SIDES = ("sources", "targets", "copies")
WRITTEN = 10_000
"""Rows that are written at a time."""
MANIFEST, NAME, FORMAT = "store.json", "train", 1
"""The file with the key of a store, the name of its examples, and the version of its layout."""
_HEADER = 128
"""Bytes of a ``.npy`` header."""


class RaggedRows(Sequence[Ids]):
    """Arrays of ids of different lengths, stored end to end: row ``n`` is ``ids[starts[n]:starts[n + 1]]``."""

    def __init__(self, ids: NDArray[np.int32], starts: NDArray[np.int64]) -> None:
        self.ids, self.starts = ids, starts

    def __len__(self) -> int:
        return len(self.starts) - 1

    @overload
    def __getitem__(self, row: int) -> Ids: ...
    @overload
    def __getitem__(self, row: slice) -> list[Ids]: ...
    def __getitem__(self, row: int | slice) -> Ids | list[Ids]:
        if isinstance(row, slice):
            return [self[index] for index in range(*row.indices(len(self)))]
        row = range(len(self))[row]
        return np.asarray(self.ids[self.starts[row] : self.starts[row + 1]], dtype=np.int64)

    def lengths(self, rows: NDArray[np.int32] | None = None) -> Ids:
        """Number of ids in every row, or in some rows."""
        if rows is None:
            return np.diff(self.starts)
        return np.asarray(self.starts[rows.astype(np.int64) + 1] - self.starts[rows], dtype=np.int64)


class SideWriter:
    """Writes the ids and row starts of one side as ``.npy`` files; their headers are written last, with the lengths."""

    def __init__(self, folder: Path, name: str, side: str) -> None:
        self._ids, self._starts = ((folder / f"{name}-{side}-{part}.npy").open("wb") for part in ("ids", "starts"))
        self._ids.write(bytes(_HEADER))
        self._starts.write(bytes(_HEADER) + np.zeros(1, "<i8").tobytes())
        self.rows, self.total = 0, 0

    def append(self, ids: NDArray[np.int32], lengths: NDArray[np.int64]) -> None:
        """Append rows: their ids end to end, and their lengths."""
        self._ids.write(ids.astype("<i4", copy=False).tobytes())
        self._starts.write((np.cumsum(lengths) + self.total).astype("<i8", copy=False).tobytes())
        self.rows += len(lengths)
        self.total += int(lengths.sum())

    def finish(self) -> None:
        """Write the headers, and wait until everything is on the disk."""
        for file, dtype, count in ((self._ids, "<i4", self.total), (self._starts, "<i8", self.rows + 1)):
            file.seek(0)
            npy.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": (count,)})
            assert file.tell() == _HEADER
            file.flush()
            os.fsync(file.fileno())
            file.close()


def save_examples(folder: Path, name: str, examples: Examples) -> None:
    """Write examples as plain ``.npy`` arrays, two per side, in parts, so that they need not fit into memory."""
    for side in SIDES:
        rows: Sequence[Ids] | None = getattr(examples, side)
        if rows is None:
            continue
        writer = SideWriter(folder, name, side)
        for start in range(0, len(rows), WRITTEN):
            part = rows[start : start + WRITTEN]
            writer.append(np.concatenate(part).astype(np.int32), side_lengths(part))
        writer.finish()


def open_examples(folder: Path, name: str, *, source_size: int, target_size: int) -> Examples:
    """Map examples into memory; ids are read from the disk when they are used.

    Args:
        folder, name: as for ``save_examples``.
        source_size, target_size: vocabulary sizes, to check the ids.

    Raises:
        ModelFileError: if a file is missing, not a plain array, or holds ids that are not in the vocabulary.
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


def _rising(starts: NDArray[np.generic]) -> bool:
    """Return ``True`` if every row has an id; checked in parts, to use little memory."""
    size = 1 << 20
    return all(bool((np.diff(starts[first : first + size + 1]) > 0).all()) for first in range(0, len(starts) - 1, size))


def _mapped(path: Path) -> NDArray[Any]:
    """Map one array of whole numbers read-only; nothing in the file is executed."""
    try:
        array: NDArray[Any] = npy.open_memmap(path, mode="r")
    except Exception as error:  # NumPy's reader of headers raises many kinds of errors
        if is_memory_short(error):
            raise MemoryShortError(
                f"There is not enough memory to read {path}; close other notebooks or programs."
            ) from error
        raise ModelFileError(f"{path} cannot be read: {error}.") from error
    if array.ndim != 1 or array.dtype.kind != "i":
        raise ModelFileError(f"{path} is damaged: it should hold a row of whole numbers.")
    return array


@dataclass(frozen=True)
class TokenStore:
    """Tokenized pairs on disk: the mapped examples, and the number of pairs that were left out as too long."""

    examples: Examples
    left_out: int


def store_key(data: object, source: Tokenizer, target: Tokenizer, more: object = None) -> str | None:
    """A checksum of name, size and time of change of the files, tokenizers and settings; ``None`` for a stream."""
    paths = files_of(data)
    if not paths:
        return None
    files = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths if path.exists()]
    content = json.dumps([files, source.to_dict(), target.to_dict(), more], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(content.encode()).hexdigest()


def open_store(folder: Path, key: str | None, source: Tokenizer, target: Tokenizer) -> TokenStore | None:
    """The store in a folder if it has the same key; else ``None``.

    Raises:
        ModelFileError: if it is damaged; stores of earlier versions have no checksums.
    """
    if key is None or not (folder / MANIFEST).is_file():
        return None
    try:
        manifest = read_sealed_json(folder / MANIFEST)
        if manifest.get("format") != FORMAT or manifest.get("key") != key:
            return None
        if "files" in manifest:
            verify(folder, manifest["files"], MANIFEST)
        examples = open_examples(folder, NAME, source_size=source.size, target_size=target.size)
        return TokenStore(examples, int(manifest["left_out"]))
    except (ModelFileError, KeyError, TypeError, ValueError) as error:
        if isinstance(error.__cause__, OSError):  # nothing is wrong with the store
            raise
        raise ModelFileError(f"{error} Delete {folder}, and the next training makes it again.") from error
