"""``Pairs``: two columns of text, with the place of every row; and ``RawPairs``, the columns before any check."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np

from nbtextgen.core.cancellation import checked
from nbtextgen.core.errors import DataError
from nbtextgen.core.escaping import brief, pictured
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.core.wording import counted, share, there_are
from nbtextgen.data.cleaning.clean import Dropped, StepResult, clean_rows, parse_steps
from nbtextgen.data.cleaning.steps import REWRITES
from nbtextgen.data.readers.columns import ColumnName, ReadOptions
from nbtextgen.data.readers.read import read_rows
from nbtextgen.data.readers.text import check_encoding
from nbtextgen.data.readers.typed import typed_rows
from nbtextgen.data.report.report import DataReport, report
from nbtextgen.data.report.views import step_lines, step_table
from nbtextgen.data.rows import NO_PAIRS, Place, Row, Rows, are_texts, place_text, row_error, same_keys

if TYPE_CHECKING:
    import pandas


MAX_NOTES = 5
"""Most notes of the reader that are kept: many files may have the same."""


EARLIER = 1 << 32
"""Pairs that a model was trained on before have the number of their row less this, once for every later training."""


class Pairs(Sequence[tuple[str, str]]):
    """An immutable, ordered collection of (source, target) texts."""

    problems: Mapping[int, str] = MappingProxyType({})
    """Empty: every row of checked pairs could be read."""
    originals: Mapping[int, tuple[object, object]] = MappingProxyType({})
    """Source and target before cleaning, of the rows that cleaning rewrote, by their numbers in ``rows``."""

    def __init__(
        self,
        sources: Sequence[object],
        targets: Sequence[object],
        places: Sequence[Place] | None = None,
        notes: Sequence[str] = (),
        rows: Sequence[int] | None = None,
    ) -> None:
        """Check and keep the pairs.

        Args:
            sources, targets: one text each per pair.
            places: where each pair came from: a text, or a file name and a line; by default ``row 1``, ``row 2``, ...
            notes: what the reader assumed, such as that a first line is a header.
            rows: index of each pair in the data that was read, counted from 0; by default all of them in order.

        Raises:
            DataError: for a side that is empty or not text; names the row.
        """
        if len(sources) != len(targets):
            raise DataError(
                f"{there_are(len(sources), 'source')} but {counted(len(targets), 'target')}; give one target each."
            )
        self.places = places if places is not None else [("row", index + 1) for index in range(len(sources))]
        self.sources: list[str] = list(cast("Sequence[str]", sources))  # checked below
        self.targets: list[str] = list(cast("Sequence[str]", targets))
        self.notes = tuple(notes)
        self.rows: Sequence[int] = range(len(self.sources)) if rows is None else rows
        if not self.sources:
            raise DataError(NO_PAIRS)
        if are_texts(self.sources) and are_texts(self.targets):
            return
        for row in zip(self.places, self.sources, self.targets, strict=True):
            if error := row_error((*row, None)):
                raise DataError(error)

    def place(self, index: int) -> str:
        """Where a pair came from, for instance ``pairs.csv, line 1,204``."""
        return place_text(self.places[index])

    def __len__(self) -> int:
        return len(self.sources)

    @overload
    def __getitem__(self, index: int) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, index: slice) -> Pairs: ...
    def __getitem__(self, index: int | slice) -> tuple[str, str] | Pairs:
        if isinstance(index, slice):
            return self.take(range(*index.indices(len(self))))
        return self.sources[index], self.targets[index]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return zip(self.sources, self.targets, strict=True)

    def __repr__(self) -> str:
        shown = "\n".join(f"  {pictured(brief(source))} -> {pictured(brief(target))}" for source, target in self[:5])
        return f"Pairs({len(self):,})\n{shown}" + ("\n  ..." if len(self) > 5 else "")

    def take(self, rows: Iterable[int]) -> Pairs:
        """Some of the pairs, in the given order; they keep their places."""
        rows = list(rows)
        taken = copy(self)  # without checking the texts once more; there may be none
        taken.sources = [self.sources[row] for row in rows]
        taken.targets = [self.targets[row] for row in rows]
        taken.places = [self.places[row] for row in rows]
        taken.rows = [self.rows[row] for row in rows]
        return taken

    def __add__(self, other: object) -> Pairs:
        """These pairs and then the others."""
        if not isinstance(other, Pairs):
            return NotImplemented
        places = [*self.places, *other.places]
        notes = dict.fromkeys((*self.notes, *other.notes))
        return Pairs([*self.sources, *other.sources], [*self.targets, *other.targets], places, tuple(notes))

    def before(self, later: Pairs) -> Pairs:
        """The pairs of a later training and then these, all with the numbers of their rows; see ``EARLIER``."""
        joined = later + self
        joined.rows = [*later.rows, *(row - EARLIER for row in self.rows)]
        joined.originals = {**later.originals, **{row - EARLIER: cells for row, cells in self.originals.items()}}
        return joined

    def split(self, valid_fraction: float, seed: int, limit: int | None = None) -> tuple[Pairs, Pairs]:
        """Hold out a fraction of the pairs, but never a source that is also trained on.

        Sources that differ only in case, spacing or Unicode form count as the same.

        Args:
            valid_fraction: fraction of the pairs to hold out.
            seed: the same seed gives the same split.
            limit: most pairs to hold out, about.

        Returns:
            training and validation pairs, each in the original order.
        """
        rows_by_key = defaultdict[str, list[int]](list)
        for row, key in enumerate(same_keys(self.sources)):
            rows_by_key[key].append(row)
        groups = list(rows_by_key.values())
        target_size = min(valid_fraction * len(self), limit or len(self))
        valid = set[int]()
        order: list[int] = np.random.default_rng(seed).permutation(len(groups)).tolist()
        for index in order:
            if len(valid) + len(groups[index]) / 2 > target_size:
                break
            valid.update(groups[index])
        return self.take(row for row in range(len(self)) if row not in valid), self.take(sorted(valid))

    @classmethod
    def from_text(cls, text: str, name: str = "line") -> Pairs:
        """Read lines ``source<TAB>target`` or ``source => target``; blank lines are skipped, and so is a header.

        Raises:
            DataError: for a line with no separator or more than one tab; names the line.
        """
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DataError(f"Pairs.from_text reads a text, not {type(text).__name__}; Pairs.of reads other data.")
        rows, notes = typed_rows(text, name)
        return replace(RawPairs.from_rows(rows), notes=tuple(notes)).pairs()

    @classmethod
    def of(
        cls,
        data: object,
        *,
        source: ColumnName | None = None,
        target: ColumnName | None = None,
        encoding: str | None = None,
    ) -> Pairs:
        """Read pairs from whatever holds two columns of text.

        Args:
            data: pairs; a list of (source, target) or of dicts; a dict of columns; a pandas or polars frame; an array of
                two columns; a ``pyarrow.Table``; a ``datasets.Dataset`` or a stream of one; the name of a file of tabs,
                commas, JSON or Parquet, also packed with gzip, a list of such names, or a pattern (``parts/*.tsv``);
                the names of two parallel text files; or ``builtin:dates``.
            source, target: columns by name, by path inside nested columns (``translation.en``, or ``en``), or by number,
                counted from 1; if one of the numbers is 0, from 0. The label of a frame's column, also a number, goes
                before its position. By default the two columns there are.
            encoding: of text files, such as ``cp1252``; by default Unicode.

        Raises:
            DataError: if the data cannot be read so; names the place and the way out.
            MemoryShortError: if a file is too large to be kept in memory.

        Example:
            >>> Pairs.of({"en": ["a man", "a dog"], "fr": ["un homme", "un chien"]}, source="fr", target="en")
            Pairs(2)
              un homme -> a man
              un chien -> a dog
        """
        if isinstance(data, Pairs):
            return data
        return RawPairs.of(data, source=source, target=target, encoding=encoding).pairs()

    def frame(self) -> pandas.DataFrame:
        """The pairs as a pandas frame: ``source``, ``target``, and the ``place`` that each came from.

        Raises:
            MissingPackageError: without pandas.
        """
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        places = [place_text(place) for place in self.places]
        return pandas.DataFrame({"source": self.sources, "target": self.targets, "place": places})

    def report(self, **settings: Any) -> DataReport:
        """Check the pairs for problems; the report has an HTML view in a notebook and prints as text.

        Args:
            settings: those of ``nbtextgen.data.report.report.report``: ``valid``, ``tokens``, ``vocabulary_size``, ...
        """
        return report(self, **_read_valid(settings))

    def clean(self, steps: str | Sequence[str], *, valid: Pairs | None = None) -> Cleaned:
        """Normalize texts and drop rows by named steps.

        Args:
            steps: names, for instance ``"nfc,whitespace,dedupe"``; ``nbtextgen.data.cleaning.clean.STEPS`` lists them.
            valid: held-out pairs, for the step ``overlap``.

        Returns:
            the pairs kept, the rows dropped with the reason for each, and counts per step.

        Raises:
            OptionError: for an unknown step or a bad argument of one.
            DataError: if nothing would be left.
        """
        return Cleaned.of(self, steps, valid)


@dataclass(frozen=True)
class RawPairs:
    """Two columns before any check; a cell may be missing, empty, or not text.

    Attributes:
        sources, targets: the cells, one per row.
        places: where each row came from.
        problems: why some rows could not be read, by row index: a phrase that follows the place.
        notes: what the reader assumed, such as that a first line is a header.

    Example:
        >>> rows = RawPairs.of([("a  man", "un homme"), ("a dog", None)])
        >>> rows.clean("whitespace").pairs[0]
        ('a man', 'un homme')
    """

    sources: Sequence[object]
    targets: Sequence[object]
    places: Sequence[Place]
    problems: Mapping[int, str] = field(default_factory=dict[int, str])
    notes: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.sources)

    def place(self, index: int) -> str:
        """Where a row came from, for instance ``pairs.csv, line 1,204``."""
        return place_text(self.places[index])

    def pairs(self) -> Pairs:
        """The rows as checked pairs; raises ``DataError`` for the first one that is not two texts."""
        if self.problems:
            last = min(self.problems)
            for index, row in enumerate(islice(zip(self.places, self.sources, self.targets, strict=True), last + 1)):
                if error := row_error((*row, self.problems.get(index))):
                    raise DataError(error)
        return Pairs(self.sources, self.targets, self.places, self.notes)

    def report(self, **settings: Any) -> DataReport:
        """Check the rows for problems; see ``Pairs.report``."""
        return report(self, **_read_valid(settings))

    def clean(self, steps: str | Sequence[str], *, valid: Pairs | None = None) -> Cleaned:
        """Normalize texts and drop rows by named steps; see ``Pairs.clean``."""
        return Cleaned.of(self, steps, valid)

    @classmethod
    def of(
        cls,
        data: object,
        *,
        source: ColumnName | None = None,
        target: ColumnName | None = None,
        encoding: str | None = None,
    ) -> RawPairs:
        """Read what ``Pairs.of`` reads, keeping rows that it would refuse."""
        if isinstance(data, RawPairs):
            return data
        options = ReadOptions(source, target, check_encoding(encoding), in_memory=True)
        raw = cls.from_rows(read_rows(data.pairs if isinstance(data, Cleaned) else data, options))
        notes = options.notes
        more = [f"{counted(len(notes) - MAX_NOTES, 'more note')} like these."] if len(notes) > MAX_NOTES else []
        return replace(raw, notes=(*notes[:MAX_NOTES], *more))

    @classmethod
    def from_rows(cls, rows: Iterable[Row]) -> RawPairs:
        """Keep rows as readers yield them."""
        sources, targets, places = list[object](), list[object](), list[Place]()
        problems: dict[int, str] = {}
        for place, source, target, problem in checked(rows):
            if problem is not None:
                problems[len(places)] = problem
            sources.append(source)
            targets.append(target)
            places.append(place)
        return cls(sources, targets, places, problems)


def _read_valid(settings: dict[str, Any]) -> dict[str, Any]:
    valid: object = settings.get("valid")
    return settings if valid is None or isinstance(valid, Rows) else settings | {"valid": RawPairs.of(valid)}


CLEANED_BY = "nbtextgen_clean"
"""Where a pandas frame notes the steps that rewrote its texts (``DataFrame.attrs``)."""


@dataclass(frozen=True, eq=False)
class Cleaned:
    """The result of cleaning; has a table view in a notebook.

    Attributes:
        pairs: the kept rows, rewritten.
        dropped, results, steps: see ``CleaningResult``.
    """

    pairs: Pairs
    dropped: tuple[Dropped, ...]
    results: tuple[StepResult, ...]
    steps: str

    @classmethod
    def of(cls, rows: Rows, steps: str | Sequence[str], valid: Rows | None = None) -> Cleaned:
        """Apply cleaning steps to rows; see ``Pairs.clean``."""
        result = clean_rows(rows, steps, valid=valid)
        numbers = rows.rows if isinstance(rows, Pairs) else range(len(rows.sources))
        kept = [numbers[index] for index in result.rows]
        pairs = Pairs(result.sources, result.targets, result.places, rows.notes, kept)
        before = {**rows.originals} if isinstance(rows, Pairs) else dict[int, tuple[object, object]]()
        for index, number, pair in zip(result.rows, kept, pairs, strict=True):
            cells = rows.sources[index], rows.targets[index]
            if cells != pair:
                before.setdefault(number, cells)
        pairs.originals = before
        return cls(pairs, result.dropped, result.results, result.steps)

    def dropped_frame(self) -> pandas.DataFrame:
        """The rows left out as a pandas frame.

        Raises:
            MissingPackageError: without pandas.
        """
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        names = ["row", "place", "source", "target", "step", "why"]
        return pandas.DataFrame([vars(row) for row in self.dropped], columns=names)

    def frame(
        self, data: pandas.DataFrame, source: ColumnName | None = None, target: ColumnName | None = None
    ) -> pandas.DataFrame:
        """The rows that were kept as the frame that was cleaned, with its other columns and its index.

        Args:
            data: the pandas frame that was cleaned.
            source, target: its columns, as they were read.
        """
        chosen = ReadOptions(source, target).choose([str(name) for name in data.columns])
        dropped = {row.row for row in self.dropped}
        frame = cast("Any", data).iloc[[index for index in range(len(data)) if index not in dropped]].copy()
        for column, texts in zip(chosen, (self.pairs.sources, self.pairs.targets), strict=True):
            frame.isetitem(column, texts)
        rewrites = [name for name in parse_steps(self.steps) if name in REWRITES or name == "text"]
        frame.attrs = {**frame.attrs, CLEANED_BY: ",".join(rewrites)}
        return frame

    def _kept(self) -> str:
        return f"{share(len(self.pairs), len(self.pairs) + len(self.dropped), 'row')} kept"

    def __repr__(self) -> str:
        return "\n".join([f"{self._kept()}, {len(self.dropped):,} dropped ({self.steps})", *step_lines(self.results)])

    def html(self) -> str:
        """The account of the cleaning as an HTML table; every text of the data is escaped."""
        return f"<p><b>{self._kept()}</b>, {len(self.dropped):,} dropped</p>" + step_table(self.results)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.html()}
