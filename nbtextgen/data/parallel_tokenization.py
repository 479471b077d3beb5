"""Pairs tokenized once, in parallel, into a store that is mapped into memory."""

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
from nbtextgen.core.files import as_sealed_json, checksums, recover, swap, sync, write
from nbtextgen.data.batching import CopyMap, Ids, encode_examples, side_lengths
from nbtextgen.data.token_store import FORMAT, MANIFEST, NAME, SIDES, SideWriter, TokenStore, open_examples
from nbtextgen.tokenizers.base import Tokenizer
from nbtextgen.tokenizers.registry import tokenizer_from_dict

CHUNK = 5000
"""Pairs that are sent to a worker at a time."""
SERIAL_LIMIT = 20_000
"""Pairs up to which it is faster to start no workers."""


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
    """Tokenize pairs into a store; memory use does not depend on their number.

    Args:
        rows: source and target texts.
        folder: folder of the store; it appears, with its manifest, when all is written.
        source, target, copy: as for ``encode_examples``.
        key: identifies the store to ``open_store``.
        max_length: pairs with more tokens on a side are left out.
        workers: number of processes; by default one per core, and none for a few thousand pairs.

    Raises:
        DataError: if there is no pair, or none short enough.
        ModelFileError: if ``folder`` holds something else, or cannot be written.
    """
    recover(folder, MANIFEST)
    if folder.exists() and not (folder / MANIFEST).is_file():
        raise ModelFileError(f"{folder} is not a token store; choose another folder.")
    _sweep(folder)
    work = folder.with_name(f".{folder.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tokenising")
    try:
        work.mkdir(parents=True)
        left_out = _fill(work, rows, _Job(source, target, copy, max_length), workers or os.cpu_count() or 1)
        manifest = {"format": FORMAT, "key": key, "left_out": left_out, "files": checksums(work)}
        write(work / MANIFEST, as_sealed_json(manifest))
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
    """Remove the folders that killed processes left beside the store."""
    for path in folder.parent.glob(f".{folder.name}.*.tokenising"):
        process = path.name.split(".")[-3]
        if process.isdigit() and int(process) != os.getpid() and not _is_running(int(process)):
            shutil.rmtree(path, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True


# Work -------------------------------------------------------------------------------------------------------------


EncodedRows = tuple[dict[str, tuple[NDArray[np.int32], NDArray[np.int64]]], int]
"""Ids end to end and lengths of the rows, for each side; and the number of pairs that were too long."""


@dataclass(frozen=True)
class _Job:
    """Settings of a worker."""

    source: Tokenizer
    target: Tokenizer
    copy: CopyMap | None
    max_length: int

    def plain(self) -> dict[str, Any]:
        """Plain values for another process, so that no code is pickled."""
        sides = {"source": self.source.to_dict(), "target": self.target.to_dict()}
        return {**sides, "copy": self.copy is not None, "max_length": self.max_length}

    @classmethod
    def restored(cls, values: dict[str, Any]) -> _Job:
        """A job from its plain values."""
        source, target = tokenizer_from_dict(values["source"]), tokenizer_from_dict(values["target"])
        return cls(source, target, CopyMap(source, target) if values["copy"] else None, values["max_length"])

    def encode(self, rows: Sequence[tuple[str, str]]) -> EncodedRows:
        """Encode some rows."""
        sources, targets = [row[0] for row in rows], [row[1] for row in rows]
        examples = encode_examples(sources, targets, self.source, self.target, self.copy)
        examples = examples.take(examples.rows_within(self.max_length))
        encoded: dict[str, tuple[NDArray[np.int32], NDArray[np.int64]]] = {}
        for side in SIDES:
            ids: Sequence[Ids] | None = getattr(examples, side)
            if ids is not None:
                joined = np.concatenate(ids).astype(np.int32) if ids else np.zeros(0, np.int32)
                encoded[side] = joined, side_lengths(ids)
        return encoded, len(rows) - len(examples)


class _Worker:
    """Runs in a worker process, which receives its job when it starts."""

    job: ClassVar[_Job]

    @classmethod
    def start(cls, values: dict[str, Any]) -> None:
        """Keep the job, and exit when the parent process exits."""
        threading.Thread(target=cls._exit_with_parent, daemon=True).start()
        cls.job = _Job.restored(values)

    @staticmethod
    def _exit_with_parent() -> None:
        # Otherwise the worker would wait for ever if its parent was killed.
        parent = parent_process()
        assert parent is not None
        connection.wait([parent.sentinel])
        os._exit(1)

    @classmethod
    def encode(cls, rows: Sequence[tuple[str, str]]) -> EncodedRows:
        """Encode some rows; see ``_Job.encode``."""
        return cls.job.encode(rows)


def _fill(work: Path, rows: Iterable[tuple[str, str]], job: _Job, workers: int) -> int:
    """Write every side; returns the number of pairs that were left out."""
    chunks = _chunks(iter(rows), CHUNK)
    first = list(islice(chunks, SERIAL_LIMIT // CHUNK + 1))
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
    """Yield the encoded chunks in order; workers encode many chunks, a few ahead of the one that is written."""
    if len(first) <= SERIAL_LIMIT // CHUNK or workers == 1:
        for chunk in chain(first, rest):
            yield job.encode(chunk)
        return
    # Spawned, not forked: a forked copy of a process that has used torch's threads hangs.
    with ProcessPoolExecutor(workers, get_context("spawn"), _Worker.start, (job.plain(),)) as pool:
        waiting = deque[Future[EncodedRows]]()
        try:
            for chunk in chain(first, rest):
                waiting.append(pool.submit(_Worker.encode, chunk))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
