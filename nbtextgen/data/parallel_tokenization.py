"""Text tokenised once, in parallel, into a store that is mapped into memory; it appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import DataError, ModelFileError
from nbtextgen.core.files import as_json, recover, swap, sync, write
from nbtextgen.data.batching import CopyMap, encode_examples
from nbtextgen.data.token_store import FORMAT, MANIFEST, NAME, SIDES, SideWriter, TokenStore, open_examples
from nbtextgen.tokenizers.base import Tokenizer
from nbtextgen.tokenizers.registry import tokenizer_from_dict

CHUNK = 5000
"""Pairs that go to a worker at a time."""
ALONE = 20_000
"""Pairs up to which it is quicker to start no workers."""


def tokenize_pairs(
    rows: Iterable[tuple[str, str]],
    folder: Path,
    source: Tokenizer,
    target: Tokenizer,
    copy: CopyMap | None = None,
    *,
    key: str | None = None,
    max_length: int = 2000,
    workers: int | None = None,
) -> TokenStore:
    """Tokenise pairs into a store; memory use does not depend on how many there are.

    Args:
        rows: source and target texts, as they come.
        folder: where the store will be; it appears when all is written, with its manifest.
        source, target, copy: as for ``encode_examples``.
        key: kept, so that ``open_store`` knows the store again.
        max_length: pairs with more tokens on a side are left out.
        workers: processes; by default one a core, and none for a few thousand pairs.

    Raises:
        DataError: when there is no pair, or none short enough.
        ModelFileError: when ``folder`` holds something else, or cannot be written.
    """
    recover(folder, MANIFEST)
    if folder.exists() and not (folder / MANIFEST).is_file():
        raise ModelFileError(f"{folder} is not a token store; choose another folder.")
    _sweep(folder)
    work = folder.with_name(f".{folder.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tokenising")
    try:
        work.mkdir(parents=True)
        left_out = _fill(work, rows, _Job(source, target, copy, max_length), workers or os.cpu_count() or 1)
        write(work / MANIFEST, as_json({"format": FORMAT, "key": key, "left_out": left_out}))
        sync(work)
        swap(work, folder)
    except OSError as error:
        raise ModelFileError(f"The tokens could not be written to {folder}: {error.strerror or error}.") from error
    except BrokenExecutor as error:
        raise DataError(
            f"A process that tokenizes the texts for {folder} was killed, often for lack of memory; nothing "
            "was changed there: free some memory and start again."
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return TokenStore(open_examples(folder, NAME, source_size=source.size, target_size=target.size), left_out)


def _sweep(folder: Path) -> None:
    """Remove what a tokenising that was killed left beside the store."""
    for path in folder.parent.glob(f".{folder.name}.*.tokenising"):
        number = path.name.split(".")[-3]
        if number.isdigit() and int(number) != os.getpid() and not _alive(int(number)):
            shutil.rmtree(path, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


# Work -------------------------------------------------------------------------------------------------------------


EncodedRows = tuple[dict[str, tuple[NDArray[np.int32], NDArray[np.int64]]], int]
"""Ids end to end and the lengths of the rows, for each side; and how many pairs were too long."""


@dataclass(frozen=True)
class _Job:
    """What a worker needs to know."""

    source: Tokenizer
    target: Tokenizer
    copy: CopyMap | None
    max_length: int

    def plain(self) -> dict[str, Any]:
        """As values that travel to another process without pickling code."""
        sides = {"source": self.source.to_dict(), "target": self.target.to_dict()}
        return {**sides, "copy": self.copy is not None, "max_length": self.max_length}

    @classmethod
    def restored(cls, values: dict[str, Any]) -> _Job:
        """From ``plain``."""
        source, target = tokenizer_from_dict(values["source"]), tokenizer_from_dict(values["target"])
        return cls(source, target, CopyMap(source, target) if values["copy"] else None, values["max_length"])

    def encode(self, rows: Sequence[tuple[str, str]]) -> EncodedRows:
        """Ids end to end and lengths of each side, and how many pairs were too long."""
        made = encode_examples([row[0] for row in rows], [row[1] for row in rows], self.source, self.target, self.copy)
        short = made.rows_within(self.max_length)
        if len(short) < len(made):
            made = made.take(short)
        encoded: dict[str, tuple[NDArray[np.int32], NDArray[np.int64]]] = {}
        for side in SIDES:
            ids = getattr(made, side)
            if ids is not None:
                lengths = np.fromiter(map(len, ids), np.int64, len(ids))
                joined = np.concatenate(ids).astype(np.int32) if len(ids) else np.zeros(0, np.int32)
                encoded[side] = (joined, lengths)
        return encoded, len(rows) - len(short)


class _Worker:
    """What runs in a worker process; the job arrives once, when the process starts."""

    job: ClassVar[_Job]

    @classmethod
    def start(cls, values: dict[str, Any]) -> None:
        """Keep the job, and exit when the parent process exits."""
        threading.Thread(target=cls._exit_with_parent, daemon=True).start()
        cls.job = _Job.restored(values)

    @staticmethod
    def _exit_with_parent() -> None:
        # Otherwise the worker would wait for work for ever once the process that started it was killed.
        parent = parent_process()
        assert parent is not None
        connection.wait([parent.sentinel])
        os._exit(1)

    @classmethod
    def encode(cls, rows: Sequence[tuple[str, str]]) -> EncodedRows:
        """Encode some rows; see ``_Job.encode``."""
        return cls.job.encode(rows)


def _fill(work: Path, rows: Iterable[tuple[str, str]], job: _Job, workers: int) -> int:
    """Write every side; gives how many pairs were left out."""
    chunks = _chunks(iter(rows), CHUNK)
    first = list(islice(chunks, ALONE // CHUNK + 1))
    if not first:
        raise DataError("There are no pairs: the data is empty; give at least two rows of source and target.")
    sides = [side for side in SIDES if side != "copies" or job.copy is not None]
    writers = {side: SideWriter(work, NAME, side) for side in sides}
    left_out = 0
    for sides_encoded, skipped in _encoded(first, chunks, job, workers):
        left_out += skipped
        for side, (ids, lengths) in sides_encoded.items():
            writers[side].append(ids, lengths)
    for writer in writers.values():
        writer.finish()
    if not writers["sources"].rows:
        raise DataError(f"Every pair has more than {job.max_length:,} tokens on a side; raise --max-length.")
    return left_out


def _chunks(rows: Iterator[tuple[str, str]], size: int) -> Iterator[list[tuple[str, str]]]:
    while chunk := list(islice(rows, size)):
        yield chunk


def _encoded(
    first: list[list[tuple[str, str]]], rest: Iterator[list[tuple[str, str]]], job: _Job, workers: int
) -> Iterator[EncodedRows]:
    """The chunks' tokens in their order; by workers when there are many, a few chunks ahead of what is written."""
    if len(first) <= ALONE // CHUNK or workers == 1:
        for chunk in chain(first, rest):
            yield job.encode(chunk)
        return
    # Spawned, not forked: a forked copy of a process that has used torch's threads hangs.
    with ProcessPoolExecutor(workers, get_context("spawn"), _Worker.start, (job.plain(),)) as pool:
        waiting: deque[Future[Any]] = deque()
        try:
            for chunk in chain(first, rest):
                waiting.append(pool.submit(_Worker.encode, chunk))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
