"""``DataView``: counts, lengths, characters and samples of pairs, shown as HTML with inline SVG and as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbtextgen.charts import figure, histogram
from nbtextgen.core.cancellation import checked
from nbtextgen.core.escaping import brief, folded, pictured, visible
from nbtextgen.core.wording import counted

if TYPE_CHECKING:
    from nbtextgen.data.pairs import RawPairs
    from nbtextgen.data.report.report import DataReport

SAMPLES = 5
MAX_BARS = 24
MAX_CHARACTERS = 1000
SHOWN_CHARACTERS = 80


@dataclass(frozen=True)
class Column:
    """Statistics of the sources or the targets.

    Attributes:
        name: source or target.
        lengths: characters of every text.
        distinct: number of different texts.
        characters: every character with its count, the most frequent first.
    """

    name: str
    lengths: tuple[int, ...]
    distinct: int
    characters: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, name: str, texts: Sequence[str]) -> Column:
        """Compute the statistics of a column of texts."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        return cls(name, tuple(map(len, texts)), len(set(texts)), tuple(counts.most_common()))

    @property
    def median(self) -> int:
        """Median length, characters."""
        return sorted(self.lengths)[len(self.lengths) // 2] if self.lengths else 0


@dataclass(frozen=True)
class DataView:
    """What ``textgen_data`` shows.

    Attributes:
        pairs: rows with two texts.
        other: rows without, which ``report`` explains.
        columns: statistics of sources and targets.
        samples: some pairs, spread over the data.
        report: possible problems; ``None`` if they were not checked.
        notes: what the reader assumed; the report says so as well.
    """

    pairs: int
    other: int
    columns: tuple[Column, ...]
    samples: tuple[tuple[str, str], ...]
    report: DataReport | None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, rows: RawPairs, report: DataReport | None) -> DataView:
        """Describe rows; those that are not pairs are only counted."""
        usable: list[tuple[str, str]] = [
            (str(source), str(target))
            for index, (source, target) in checked(enumerate(zip(rows.sources, rows.targets, strict=True)))
            if index not in rows.problems and all(isinstance(text, str) and text.strip() for text in (source, target))
        ]
        columns = tuple(
            Column.of(name, [pair[side] for pair in usable]) for side, name in enumerate(("source", "target"))
        )
        step = max(1, len(usable) // SAMPLES)
        notes = () if report is not None else tuple(rows.notes)
        return cls(len(usable), len(rows) - len(usable), columns, tuple(usable[::step][:SAMPLES]), report, notes)

    def _other(self) -> str:
        return (
            f" and {counted(self.other, 'row')} that {'is not a pair' if self.other == 1 else 'are not pairs'}"
            if self.other
            else ""
        )

    def __repr__(self) -> str:
        lines = [f"{counted(self.pairs, 'pair')}{self._other()}", *map(pictured, self.notes)]
        for column in self.columns:
            low, high = (min(column.lengths), max(column.lengths)) if column.lengths else (0, 0)
            lines.append(
                f"{column.name}: {column.distinct:,} different; {low:,} to {counted(high, 'character')}, median {column.median:,}; "
                f"{counted(len(column.characters), 'different character')}: {pictured(_characters(column))}"
            )
        lines += [
            f"    {pictured(brief(source, MAX_CHARACTERS))} -> {pictured(brief(target, MAX_CHARACTERS))}"
            for source, target in self.samples
        ]
        return "\n".join(lines + ([repr(self.report)] if self.report is not None else []))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._html()}

    def _html(self) -> str:
        columns = "".join(
            f'<div style="flex:1 1 280px;min-width:0"><div><b>{column.name}</b>: {counted(column.distinct, "different text")}, median '
            f"{counted(column.median, 'character')}</div>{_histogram(column)}"
            f'<div style="overflow-wrap:anywhere;font-size:12px;margin-top:6px">{counted(len(column.characters), "different character")}: '
            f"<bdi>{visible(_characters(column))}</bdi></div></div>"
            for column in self.columns
        )
        left = "text-align:left;vertical-align:top;overflow-wrap:anywhere"
        rows = "".join(
            f'<tr><td style="{left}">{folded(brief(source, MAX_CHARACTERS))}</td><td style="{left}">{folded(brief(target, MAX_CHARACTERS))}</td></tr>'
            for source, target in self.samples
        )
        table = (
            f'<table><thead><tr><th style="{left}">source</th><th style="{left}">target</th></tr></thead>{rows}</table>'
        )
        report = "" if self.report is None else self.report._repr_mimebundle_()["text/html"]
        return (
            f"<div><b>{counted(self.pairs, 'pair')}</b>{self._other()}</div>"
            f"{''.join(f'<div>{visible(note)}</div>' for note in self.notes)}"
            f'<div style="display:flex;flex-wrap:wrap;gap:8px 32px;max-width:760px">{columns}</div>{table}{report}'
        )


def bars(lengths: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return a histogram: ``(first length, last length, texts)`` for at most ``MAX_BARS`` bars of one width, the last maybe less."""
    if not lengths:
        return []
    low, high = min(lengths), max(lengths)
    width = -(-(high - low + 1) // MAX_BARS)
    counts = Counter((length - low) // width for length in lengths)
    return [
        (low + index * width, min(high, low + (index + 1) * width - 1), counts[index])
        for index in range((high - low) // width + 1)
    ]


def _histogram(column: Column) -> str:
    title = f"Lengths of the {column.name} texts"
    style = 0 if column.name == "source" else 1
    return figure(histogram(bars(column.lengths), title=title, of="texts", unit="characters", style=style), column.name)


def _characters(column: Column) -> str:
    """Return the most frequent characters, sorted."""
    shown = sorted(character for character, _ in column.characters[:SHOWN_CHARACTERS] if character != " ")
    return " ".join(shown) + (" \u2026" if len(column.characters) > SHOWN_CHARACTERS else "")
