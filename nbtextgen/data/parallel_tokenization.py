"""Pairs tokenized once, in parallel, into a store that is mapped into memory."""

from __future__ import annotations

import os
import shutil
import signal
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing import connection, get_context
from pathlib import Path
from typing import Any

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
    """A process that encodes one chunk of rows after another.

    It answers when it has the next chunk, so that it never waits for the parent to read an answer. Each has a pipe of its own,
    which ends when the process is killed; one queue for all would wait for the rest of an answer.
    """

    def __init__(self, job: _Job) -> None:
        context = get_context("spawn")  # a forked copy of a process that has used torch's threads hangs
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, job.plain()), daemon=True)
        self._process.start()
        theirs.close()

    def send(self, rows: Sequence[tuple[str, str]] | None) -> None:
        """Give it rows to encode, or ``None`` behind the last ones; raises ``BrokenExecutor`` if it was killed."""
        try:
            self._connection.send(rows)
        except OSError as error:
            raise BrokenExecutor from error

    def receive(self) -> EncodedRows:
        """The rows before the last ones, encoded; raises its error, or ``BrokenExecutor`` if it was killed."""
        try:
            answer: EncodedRows | Exception = self._connection.recv()
        except (EOFError, OSError) as error:
            raise BrokenExecutor from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def stop(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.terminate()
        self._process.join()


def _work(pipe: connection.Connection[Any, Any], values: dict[str, Any]) -> None:
    """Runs in a worker process, until the other end of its pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt reaches the parent too, which ends its workers
    job = _Job.restored(values)
    with suppress(EOFError, OSError):
        rows: Sequence[tuple[str, str]] | None = pipe.recv()
        while rows is not None:
            try:
                answer: EncodedRows | Exception = job.encode(rows)
            except Exception as error:  # the parent raises it
                answer = error
            rows = pipe.recv()
            pipe.send(answer)


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
    """Yield the encoded chunks in order; each worker encodes one while others are read and written."""
    if len(first) <= SERIAL_LIMIT // CHUNK or workers == 1:
        for chunk in chain(first, rest):
            yield job.encode(chunk)
        return
    started, busy = list[_Worker](), deque[_Worker]()
    try:
        for chunk in chain(first, rest):
            if len(started) < workers:
                busy.append(_Worker(job))
                started.append(busy[-1])
                busy[-1].send(chunk)
                continue
            worker = busy.popleft()
            worker.send(chunk)
            busy.append(worker)
            yield worker.receive()
        for worker in busy:
            worker.send(None)
            yield worker.receive()
    finally:
        for worker in started:
            worker.stop()
