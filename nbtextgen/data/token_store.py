"""Tokenised pairs on disk, mapped into memory: any number of processes read them without a copy each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from nbtextgen.core.errors import ModelFileError
from nbtextgen.core.files import sync
from nbtextgen.data.batching import Examples, Ids, side_lengths

SIDES = ("sources", "targets", "copies")
WRITTEN = 10_000
"""Rows written at a time."""


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


def save_examples(folder: Path, name: str, examples: Examples) -> None:
    """Write examples as plain ``.npy`` arrays, two a side; row by row, so that they need not fit into the memory."""
    for side in SIDES:
        rows = getattr(examples, side)
        if rows is None:
            continue
        lengths = side_lengths(rows)
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        np.save(folder / f"{name}-{side}-starts.npy", starts, allow_pickle=False)
        with (folder / f"{name}-{side}-ids.npy").open("wb") as file:
            shape = {"descr": "<i4", "fortran_order": False, "shape": (int(starts[-1]),)}
            npy.write_array_header_1_0(file, shape)
            for start in range(0, len(rows), WRITTEN):
                part = [np.asarray(row, dtype="<i4") for row in rows[start : start + WRITTEN]]
                file.write(np.concatenate(part).tobytes())
        for part in ("ids", "starts"):
            sync(folder / f"{name}-{side}-{part}.npy")


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
