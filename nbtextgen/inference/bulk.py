"""Generate for a column of many sources, chunk by chunk, into a file that an interrupted call continues, or into rows."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from nbtextgen.confidence.confidence import Acceptance, Confidence, find_acceptance
from nbtextgen.core.errors import DataError
from nbtextgen.core.escaping import IN_TABLE, brief, html_table, visible
from nbtextgen.core.files import checked_path
from nbtextgen.core.names import plain_path
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.core.options import as_dict
from nbtextgen.core.wording import counted, share
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.readers.columns import ColumnName
from nbtextgen.data.readers.read import are_files, files_of
from nbtextgen.data.readers.texts import stream_texts
from nbtextgen.data.rows import is_missing, no_text
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.inference.generation import Generation, GenerationInterrupted, Generations, NoteSummary
from nbtextgen.inference.table_files import GeneratedRow, PartFile, check_table_name, write_table
from nbtextgen.review import Review

if TYPE_CHECKING:
    import pandas

ProgressCallback = Callable[[int, int], None]
"""Called with the number of rows done, those of an interrupted call included, and the number of rows."""

CHUNK_SECONDS = 5.0
"""Time for which a chunk of rows is generated: what a kill costs."""
MIN_CHUNK, MAX_CHUNK = 64, 4096
PROGRESS_SECONDS = 0.5

SHOWN = 10
"""Rows of a table that a notebook shows."""


@dataclass(frozen=True, repr=False)
class GeneratedTable:
    """The outputs for a column of sources, in their order.

    Attributes:
        count: number of rows.
        path: the file they were written to, or ``None``.
        rows: the rows, if they were not written to a file.
        accepted: with ``accept``, number of the outputs that may be used unread; else ``None``.
        notes: what to know about them, as sentences.
        model: fingerprint of the model that generated them.
    """

    count: int
    path: Path | None
    rows: list[GeneratedRow] = field(default_factory=list[GeneratedRow])
    notes: tuple[str, ...] = ()
    accepted: int | None = None
    model: str = field(default="", repr=False)

    @property
    def texts(self) -> list[str]:
        """The output of every row, empty for an empty source; raises ``DataError`` if they were written to a file."""
        return [row.text for row in self._rows_in_memory()]

    def frame(self) -> pandas.DataFrame:
        """Return the rows as a data frame; raises ``DataError`` if they were written to a file."""
        rows = self._rows_in_memory()
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        return pandas.DataFrame([row.columns() for row in rows])

    def _rows_in_memory(self) -> list[GeneratedRow]:
        if self.count and not self.rows:
            raise DataError(f"The rows were written to {self.path}; read that file, or generate without naming one.")
        return self.rows

    def review(self, file: str | Path | None = None) -> Review:
        """Return the review of these rows by a person, the same at every call.

        Args:
            file: where its decisions are kept; by default beside the table's file, or in the folder ``reviews``.

        Raises:
            DataError: if there are no rows, or the file holds the review of another table.
        """
        if file is not None or "_review" not in vars(self):
            vars(self)["_review"] = Review(self, file)
        return vars(self)["_review"]

    @property
    def corrections(self) -> Pairs:
        """The rows that were corrected in their review, as pairs to train on; raises ``DataError`` if there are none."""
        return self.review().corrections

    def __repr__(self) -> str:
        where = "" if self.path is None else f" in {self.path}"
        return "\n".join([f"{counted(self.count, 'generated row')}{where}", *self.notes])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        title, *_ = repr(self).split("\n")
        notes = [*self.notes]
        if len(self.rows) > SHOWN:
            notes.insert(0, f"{len(self.rows) - SHOWN:,} more rows: frame() has all of them")
        below = "".join(f"<div style='opacity:.75'>{visible(note)}</div>" for note in notes)
        table = html_table(*_first_rows(self.rows)) if self.rows else ""
        return {"text/plain": repr(self), "text/html": f"<div><b>{visible(title)}</b></div>{table}{below}"}


def _first_rows(rows: Sequence[GeneratedRow]) -> tuple[list[str], list[list[str]]]:
    """The head and the first rows of a table to be shown: input, output, confidence, and whether it is accepted."""
    first = rows[:SHOWN]
    head = ["input", "output", "confidence", *(["accepted"] if any(row.accepted is not None for row in first) else [])]
    cells = [
        [
            brief(row.source, IN_TABLE),
            brief(row.text, IN_TABLE),
            "" if row.confidence is None else f"{100 * row.confidence:.1f} %",
            {True: "accepted", False: "to check", None: ""}[row.accepted],
        ][: len(head)]
        for row in first
    ]
    return head, cells


def generate_table(
    generate: Callable[[list[str]], Generations],
    data: object,
    into: str | Path | None,
    *,
    source: ColumnName | None,
    encoding: str | None,
    config: DecodingConfig,
    model: str,
    on_progress: ProgressCallback | None,
    confidence: Confidence | None = None,
    accept: float | None = None,
) -> GeneratedTable:
    """Generate for a column of sources; see ``TrainedModel.generate_file``.

    Args:
        generate: from sources to their outputs; empty ones have empty outputs.
        data, into, source, encoding, on_progress: as there.
        config, model: decoding settings and the model's fingerprint; an interrupted call is only continued with the same.
        confidence, accept: the model's calibrations, and the precision with which outputs are accepted, if any are.
    """
    acceptance = find_acceptance(confidence, config, accept)
    on_progress = ProgressPrinter() if on_progress is None else on_progress
    path, data = None if into is None else checked_path(into), plain_path(data)
    if path is not None:
        if _resolved(path) in map(_resolved, files_of(data)):
            raise DataError(f"{path} is the input; give the output another name.")
        check_table_name(path)
    is_file = isinstance(data, (str, Path)) or are_files(data)
    cells = None if is_file else list(stream_texts(data, source, encoding))

    def texts() -> Iterator[str]:
        """The sources from the first one on; a file is read again."""
        return _texts(stream_texts(data, source, encoding) if cells is None else cells)

    count, digest = _survey(texts())
    again = _unchanged(texts(), count, digest)
    if path is None:
        return replace(_in_memory(generate, again, count, on_progress, acceptance), model=model)
    part = PartFile(path, {**_settings(model, config, confidence, accept), "input": digest, "rows": count})
    done = part.open()
    with part:
        try:
            for rows, number in _chunks(generate, again, done, count, on_progress, acceptance):
                part.append(rows, number)
        except GenerationInterrupted as interrupt:
            message = f"{interrupt} They are in {part.path}; the same call goes on."
            raise GenerationInterrupted(interrupt.generations, message) from interrupt
    tally = AcceptanceTally(acceptance, part.rows()) if acceptance is not None else AcceptanceTally()
    notes = tally.sentences + write_table(part, path)
    continued = (
        (f"The first {counted(done, 'row')} {'was' if done == 1 else 'were'} there from an interrupted call.",)
        if done
        else ()
    )
    return GeneratedTable(count, path, notes=continued + notes, accepted=tally.accepted, model=model)


def _settings(
    model: str, config: DecodingConfig, confidence: Confidence | None, accept: float | None
) -> dict[str, object]:
    """What the rows depend on, beside the input."""
    settings: dict[str, object] = {"model": model, **as_dict(config)}
    if confidence is not None and confidence.calibrations:
        settings["calibration"] = confidence.fingerprint
    if accept is not None:
        settings["accept"] = accept
    del settings["batch_size"]  # changes no output
    return settings


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except OSError as error:  # the current folder was removed
        raise DataError(f"{path} cannot be found: {error.strerror}; name its folder too.") from error


class AcceptanceTally:
    """How many rows are accepted, and the sentence that says so; nothing without an acceptance."""

    def __init__(self, acceptance: Acceptance | None = None, rows: Iterable[GeneratedRow] = ()) -> None:
        self.accepted: int | None = None
        self.sentences: tuple[str, ...] = ()
        if acceptance is not None:
            outputs = [bool(row.accepted) for row in rows if row.confidence is not None]
            self.accepted = sum(outputs)
            self.sentences = (acceptance.sentence(self.accepted, len(outputs)),)


def _in_memory(
    generate: Callable[[list[str]], Generations],
    texts: Iterator[str],
    count: int,
    on_progress: ProgressCallback,
    acceptance: Acceptance | None,
) -> GeneratedTable:
    table, summary = list[GeneratedRow](), NoteSummary()
    for rows, _ in _chunks(generate, texts, 0, count, on_progress, acceptance):
        table += rows
        for row in rows:
            summary.add(row.source, row.notes)
    tally = AcceptanceTally(acceptance, table)
    return GeneratedTable(count, None, table, tally.sentences + summary.sentences(), tally.accepted)


def _chunks(
    generate: Callable[[list[str]], Generations],
    texts: Iterator[str],
    done: int,
    count: int,
    on_progress: ProgressCallback,
    acceptance: Acceptance | None,
) -> Iterator[tuple[list[GeneratedRow], int]]:
    """Yield the rows of one chunk after another, and the number of rows done, after the first ``done`` ones."""
    for _ in range(done):
        next(texts)
    size = MIN_CHUNK
    on_progress(done, count)
    while done < count:
        start = time.monotonic()
        chunk = [next(texts) for _ in range(min(size, count - done))]
        try:
            outputs = generate(chunk)
        except GenerationInterrupted as interrupt:
            message = f"Interrupted: {share(done, count, 'row', 'was', 'were')} generated."
            raise GenerationInterrupted(interrupt.generations, message) from interrupt
        done += len(chunk)
        yield [_row(output, acceptance) for output in outputs], done
        on_progress(done, count)
        speed = len(chunk) / max(1e-6, time.monotonic() - start)
        size = int(min(MAX_CHUNK, 4 * size, max(MIN_CHUNK, CHUNK_SECONDS * speed)))


def _row(output: Generation, acceptance: Acceptance | None) -> GeneratedRow:
    accepted = None if acceptance is None else acceptance.accepts(output.calibrated, output.unlike)
    if not output.log_probabilities.size:
        return GeneratedRow(output.source, output.text, None, None, (), output.notes, accepted)
    candidates = tuple(each.text for each in output.candidates)
    logged, confidence = output.log_probability, output.confidence
    return GeneratedRow(output.source, output.text, logged, confidence, candidates, output.notes, accepted)


def _texts(cells: Iterable[object]) -> Iterator[str]:
    """Yield the sources; a missing cell is an empty text."""
    for number, cell in enumerate(cells, 1):
        if is_missing(cell):
            yield ""
        elif isinstance(cell, str):
            yield cell
        else:
            raise DataError(f"row {number:,}: the source {no_text(cell)}.")


def _survey(texts: Iterable[str]) -> tuple[int, str]:
    """Return the number of sources and a digest of them all."""
    count, digest = 0, SourceDigest()
    for text in texts:
        digest.add(text)
        count += 1
    return count, digest.value()


def _unchanged(texts: Iterator[str], count: int, expected: str) -> Iterator[str]:
    """Yield the sources that were surveyed; raises ``DataError`` if others are read now, before the last of them."""
    digest, number = SourceDigest(), 0
    for number, text in enumerate(islice(texts, count), 1):
        digest.add(text)
        if number == count and digest.value() != expected:
            break
        yield text
    else:
        if number == count:
            return
    raise DataError(
        "The input was changed while its outputs were generated; repeat the call, and if it writes a file that ends in .part, "
        "delete that first."
    )


class SourceDigest:
    """A digest of texts in their order."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, text: str) -> None:
        """Add the next text."""
        content = text.encode("utf-8", "surrogatepass")
        self._digest.update(len(content).to_bytes(8, "little") + content)

    def value(self) -> str:
        """The digest of all texts so far, in hexadecimal digits."""
        return self._digest.hexdigest()[:32]


class ProgressPrinter:
    """Prints how many rows are done, at most twice a second, on one line of standard error."""

    def __init__(self) -> None:
        self._start = self._last = time.monotonic()
        self._first: int | None = None

    def __call__(self, done: int, count: int) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = done
        if now - self._last < PROGRESS_SECONDS and (done < count or self._last == self._start):
            return
        self._last = now
        seconds = (now - self._start) / max(1, done - self._first) * (count - done)
        end = "\n" if done == count else ""
        if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison]  # closed, and print would take the output
            return
        with suppress(OSError, ValueError):  # nobody reads it
            print(f"\r{share(done, count, 'row')}, {seconds:,.0f} s left   ", end=end, file=sys.stderr, flush=True)
