"""``Pairs``: two columns of text, each row knowing where it came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from nbtextgen.core.errors import DataError
from nbtextgen.data.rows import Place, cell_problem, place_text, same_key

if TYPE_CHECKING:
    from nbtextgen.data.cleaning.clean import Cleaned
    from nbtextgen.data.report.report import DataReport


class Pairs(Sequence[tuple[str, str]]):
    """An immutable, ordered collection of (source, target) texts."""

    problems: Mapping[int, str] = MappingProxyType({})
    """None: every row of checked pairs could be read."""

    def __init__(self, sources: Sequence[Any], targets: Sequence[Any], places: Sequence[Place] | None = None) -> None:
        """Check and keep the pairs.

        Args:
            sources, targets: one text each per pair.
            places: where each pair came from: a text, or a file name and a line; by default ``row 1``, ``row 2``, ...

        Raises:
            DataError: for a side that is empty or not text; names the row.
        """
        if len(sources) != len(targets):
            raise DataError(f"There are {len(sources):,} sources but {len(targets):,} targets; give one target each.")
        self.places = places if places is not None else [("row", at + 1) for at in range(len(sources))]
        self.sources = [self._text(text, "source", at) for at, text in enumerate(sources)]
        self.targets = [self._text(text, "target", at) for at, text in enumerate(targets)]
        if not self.sources:
            raise DataError("There are no pairs: the data is empty; give at least two rows of source and target.")

    def _text(self, value: Any, side: str, at: int) -> str:
        problem = cell_problem(value)
        if problem:
            raise DataError(f"{self.place(at)}: {side} {problem}.")
        return value

    def place(self, at: int) -> str:
        """Where a pair came from, for instance ``pairs.csv, row 1,204``."""
        return place_text(self.places[at])

    def __len__(self) -> int:
        return len(self.sources)

    @overload
    def __getitem__(self, at: int) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, at: slice) -> Pairs: ...
    def __getitem__(self, at: int | slice) -> tuple[str, str] | Pairs:
        if isinstance(at, slice):
            return self.take(range(*at.indices(len(self))))
        return self.sources[at], self.targets[at]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return zip(self.sources, self.targets, strict=True)

    def __repr__(self) -> str:
        shown = "\n".join(f"  {source} -> {target}" for source, target in self[:5])
        return f"Pairs({len(self):,})\n{shown}" + ("\n  ..." if len(self) > 5 else "")

    def take(self, rows: Iterable[int]) -> Pairs:
        """Some of the pairs, in the order given; they keep their places."""
        chosen = list(rows)
        places = [self.places[row] for row in chosen]
        taken = Pairs.__new__(Pairs)
        taken.sources = [self.sources[row] for row in chosen]
        taken.targets = [self.targets[row] for row in chosen]
        taken.places = places
        return taken

    def __add__(self, other: Pairs) -> Pairs:
        """These pairs and then the others."""
        if not isinstance(other, Pairs):
            return NotImplemented
        places = [*self.places, *other.places]
        return Pairs([*self.sources, *other.sources], [*self.targets, *other.targets], places)

    def split(self, valid_fraction: float, seed: int, limit: int | None = None) -> tuple[Pairs, Pairs]:
        """Hold out a share; pairs with the same source always stay on one side.

        Sources that differ only in case, spacing or Unicode form count as the same.

        Args:
            valid_fraction: share of the distinct sources held out.
            seed: the same seed gives the same split.
            limit: most pairs held out, about.

        Returns:
            training and validation pairs, each in the original order.
        """
        groups: dict[str, list[int]] = {}
        for row, source in enumerate(self.sources):
            groups.setdefault(same_key(source), []).append(row)
        members = list(groups.values())
        wanted = min(valid_fraction * len(self), limit or len(self))
        held: set[int] = set()
        for number in np.random.default_rng(seed).permutation(len(members)):
            if len(held) + len(members[number]) / 2 > wanted:
                break
            held.update(members[number])
        train = [row for row in range(len(self)) if row not in held]
        return self.take(train), self.take(sorted(held))

    @classmethod
    def from_text(cls, text: str, name: str = "line") -> Pairs:
        """Pairs from lines ``source<TAB>target`` or ``source => target``; blank lines are skipped.

        Raises:
            DataError: for a line with no separator or more than one tab; names the line.
        """
        sources, targets, places = [], [], []
        for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
            if not line.strip():
                continue
            separator = "\t" if "\t" in line else " => "
            parts = line.split(separator)
            if len(parts) != 2:
                problem = "has no separator" if len(parts) == 1 else f"has {len(parts) - 1} separators"
                raise DataError(f"{name} {number:,} {problem}: write source, a tab or ' => ', and target.")
            sources.append(parts[0])
            targets.append(parts[1])
            places.append((name, number))
        if not sources:
            raise DataError("There are no pairs: write one per line, source, a tab or ' => ', and target.")
        return cls(sources, targets, places)

    @classmethod
    def of(cls, data: Any, *, source: str | None = None, target: str | None = None) -> Pairs:
        """Pairs from whatever holds two columns of text.

        Args:
            data: pairs; a list of (source, target) or of dicts; a dict of columns; a pandas or polars frame; a
                ``datasets.Dataset`` or a stream of one; the name of a .tsv, .csv, .txt, .jsonl or .parquet file, also
                .gz, a list of such names, or a pattern (``parts/*.tsv``); a tuple of two parallel text files;
                or ``builtin:dates``.
            source, target: column names; by default the two columns there are.

        Raises:
            DataError: when the data cannot be read so; names the place and the way out.
        """
        from nbtextgen.data.readers.read import read

        return data if isinstance(data, Pairs) else read(data, source, target).pairs()

    def report(self, **settings: Any) -> DataReport:
        """Look for what is wrong with the pairs; shows itself in a notebook and prints as text.

        Args:
            settings: those of ``nbtextgen.data.report.report.report``: ``valid``, ``tokens``, ``vocabulary_size``, ...

        Example:
            >>> print(Pairs([("a"), ("b")], ["x", "y"]).report())      # doctest: +SKIP
        """
        from nbtextgen.data.report.report import report

        return report(self, **settings)

    def clean(self, steps: str | Sequence[str], *, valid: Pairs | None = None) -> Cleaned:
        """Normalise texts and drop rows by named steps.

        Args:
            steps: names, for instance ``"nfc,whitespace,dedupe"``; ``nbtextgen.data.cleaning.clean.STEPS`` lists them.
            valid: held-out pairs, for the step ``overlap``.

        Returns:
            the pairs kept, the rows dropped with the reason for each, and counts per step.

        Raises:
            OptionError: for an unknown step or a bad argument of one.
            DataError: when nothing would be left.
        """
        from nbtextgen.data.cleaning.clean import clean

        return clean(self, steps, valid=valid)
