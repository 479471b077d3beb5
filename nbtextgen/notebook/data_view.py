"""A look at pairs: counts, lengths, characters, samples; shows itself as HTML with inline SVG, and as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbtextgen.charts import figure, histogram
from nbtextgen.core.escaping import pictured, visible

if TYPE_CHECKING:
    from nbtextgen.data.pairs import RawPairs
    from nbtextgen.data.report.report import DataReport

SAMPLES = 5
BARS = 24
LONGEST = 200
SHOWN_CHARACTERS = 80


@dataclass(frozen=True)
class Column:
    """One side in figures.

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
        """The figures of a column of texts."""
        counted: Counter[str] = Counter()
        for text in texts:
            counted.update(text)
        return cls(name, tuple(map(len, texts)), len(set(texts)), tuple(counted.most_common()))

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
        columns: source and target in figures.
        samples: some pairs, spread over the data.
        report: what may be wrong; ``None`` when it was not asked for.
    """

    pairs: int
    other: int
    columns: tuple[Column, Column]
    samples: tuple[tuple[str, str], ...]
    report: DataReport | None

    def __repr__(self) -> str:
        lines = [f"{self.pairs:,} pairs" + (f" and {self.other:,} rows that are no pairs" if self.other else "")]
        for one in self.columns:
            low, high = (min(one.lengths), max(one.lengths)) if one.lengths else (0, 0)
            lines.append(
                f"{one.name}: {one.distinct:,} different; {low:,} to {high:,} characters, median {one.median:,}; "
                f"{len(one.characters):,} different characters: {pictured(_characters(one))}"
            )
        lines += [f"    {pictured(_cut(source))} -> {pictured(_cut(target))}" for source, target in self.samples]
        return "\n".join(lines + ([repr(self.report)] if self.report is not None else []))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._html()}

    def _html(self) -> str:
        other = f" and {self.other:,} rows that are no pairs" if self.other else ""
        columns = "".join(
            f'<div style="flex:1 1 280px;min-width:0"><div><b>{one.name}</b>: {one.distinct:,} different texts, median '
            f"{one.median:,} characters</div>{_histogram(one)}"
            f'<div style="overflow-wrap:anywhere;font-size:12px;margin-top:6px">{len(one.characters):,} different characters: '
            f"<bdi>{visible(_characters(one))}</bdi></div></div>"
            for one in self.columns
        )
        left = "text-align:left;vertical-align:top;overflow-wrap:anywhere"
        rows = "".join(
            f'<tr><td style="{left}"><bdi>{visible(_cut(source))}</bdi></td>'
            f'<td style="{left}"><bdi>{visible(_cut(target))}</bdi></td></tr>'
            for source, target in self.samples
        )
        table = (
            f'<table><thead><tr><th style="{left}">source</th><th style="{left}">target</th></tr></thead>{rows}</table>'
        )
        found = "" if self.report is None else self.report._repr_mimebundle_()["text/html"]
        return (
            f"<div><b>{self.pairs:,} pairs</b>{other}</div>"
            f'<div style="display:flex;flex-wrap:wrap;gap:8px 32px;max-width:760px">{columns}</div>{table}{found}'
        )


def look(rows: RawPairs, report: DataReport | None) -> DataView:
    """Figures and samples of rows, those that are no pairs counted apart."""
    usable = [
        (source, target)
        for at, (source, target) in enumerate(zip(rows.sources, rows.targets, strict=True))
        if at not in rows.problems and all(isinstance(text, str) and text.strip() for text in (source, target))
    ]
    sources, targets = [one for one, _ in usable], [one for _, one in usable]
    step = max(1, len(usable) // SAMPLES)
    columns = Column.of("source", sources), Column.of("target", targets)
    return DataView(len(usable), len(rows) - len(usable), columns, tuple(usable[::step][:SAMPLES]), report)


def bars(lengths: Sequence[int]) -> list[tuple[int, int, int]]:
    """A histogram: ``(first length, last length, texts)`` for at most ``BARS`` bars of one width."""
    if not lengths:
        return []
    low, high = min(lengths), max(lengths)
    width = -(-(high - low + 1) // BARS)
    counts = Counter((length - low) // width for length in lengths)
    return [(low + at * width, low + (at + 1) * width - 1, counts[at]) for at in range((high - low) // width + 1)]


def _histogram(column: Column) -> str:
    title = f"Lengths of the {column.name} texts"
    style = 0 if column.name == "source" else 1
    return figure(histogram(bars(column.lengths), title=title, of="texts", unit="characters", style=style), column.name)


def _characters(column: Column) -> str:
    """The most frequent characters, in the order of the alphabet."""
    shown = sorted(one for one, _ in column.characters[:SHOWN_CHARACTERS] if one != " ")
    return " ".join(shown) + (" \u2026" if len(column.characters) > SHOWN_CHARACTERS else "")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "\u2026"
