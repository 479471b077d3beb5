"""Tables of text: cells between tabs, commas or other delimiters, in quotes or not, and the format of CMUdict."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Protocol

from nbtextgen.core.errors import DataError
from nbtextgen.core.names import first_repeated
from nbtextgen.core.wording import counted
from nbtextgen.data.readers.above import cell_notes, check_above
from nbtextgen.data.readers.anki import AnkiHeader
from nbtextgen.data.readers.columns import SAMPLE, ReadOptions
from nbtextgen.data.readers.delimiters import (
    best_delimiter,
    delimiter_below,
    has_spaced_quotes,
    without_size_limit,
)
from nbtextgen.data.readers.header import Header, header_names, header_notes, recognise_header
from nbtextgen.data.readers.text import LARGEST_ROW, TextFile
from nbtextgen.data.rows import Row

Line = tuple[int, list[str]]
"""Line number and cells."""
SEPARATORS = (" => ", " ||| ")
"""Separators of lines without tabs, the second as in the input of word aligners."""
_SEPARATOR_LINE = re.compile(r'("?)sep=(.)\1\r?\n?', re.IGNORECASE)
_LINE_END = re.compile("\r\n|\n|\r")


def rows_of_table(file: TextFile, options: ReadOptions) -> Iterator[Row]:
    """Yield the rows of a file of text; its form is told from its first lines, and from its name if these fit several."""
    name, suffix = file.path.name, file.path.name.lower().removesuffix(".gz").rpartition(".")[2]
    lines = enumerate(file.lines(), 1)
    head = list(islice(lines, SAMPLE))
    texts = [line for _, line in head if line.strip()]
    if not texts:
        raise DataError(f"{file.path} is empty; write one pair per line.")
    lines = chain(head, lines)
    if separator := _SEPARATOR_LINE.fullmatch(texts[0]):
        next(lines)
        return rows_of_cells(file, _quoted_cells(file, lines, separator[2]), options)
    if (anki := AnkiHeader.of([line for _, line in head])) is not None:
        return _rows_of_anki(file, anki, list(islice(lines, len(head)))[anki.size :], lines, options)
    if suffix != "csv" and (entries := _cmudict_cells(file, lines, texts, options)):
        return rows_of_cells(file, entries, options, Header.YES)
    if all(line.lstrip().startswith("|") and line.rstrip().endswith("|") for line in texts) and len(texts) > 1:
        is_headed = _MARKDOWN_RULE.fullmatch(texts[1].strip()) is not None
        return rows_of_cells(file, _markdown_cells(lines), options, Header.YES if is_headed else None)
    has_tab = any("\t" in line for line in texts)
    separator = max(SEPARATORS, key=lambda mark: sum(mark in line for line in texts))
    is_separated = any(separator in line for line in texts)
    if suffix != "csv" and (has_tab or is_separated):
        delimiter = "\t" if has_tab else None
    else:
        delimiter = best_delimiter(name, texts, options) or (
            None if is_separated else delimiter_below(texts) or {"csv": ",", "tsv": "\t"}.get(suffix)
        )
    if delimiter == "\t":
        return rows_of_cells(file, _tab_cells(file, lines, options), options)
    if delimiter is not None:
        is_spaced = has_spaced_quotes(name, texts, delimiter, options)
        return rows_of_cells(file, _quoted_cells(file, lines, delimiter, skip_spaces=is_spaced), options)
    if not is_separated:
        raise DataError(f"{name}, line {head[0][0]} has no separator: write source, a tab or ' => ', and target.")
    cells = ((number, line.rstrip("\r\n").split(separator)) for number, line in lines if line.strip())
    return rows_of_cells(file, cells, options)


def _rows_of_anki(
    file: TextFile,
    anki: AnkiHeader,
    head: list[tuple[int, str]],
    lines: Iterator[tuple[int, str]],
    options: ReadOptions,
) -> Iterator[Row]:
    """Rows of a file that Anki exports; the first lines below its header are ``head``."""
    name, texts = file.path.name, [line for _, line in head if line.strip()]
    if not texts:
        raise DataError(f"{file.path} is empty; write one pair per line.")
    separator = anki.separator or ("\t" if "\t" in texts[0] else best_delimiter(name, texts, options) or "\t")
    options.notes.extend(anki.notes(name, texts))
    cells = _quoted_cells(file, chain(head, lines), separator)
    line, first = next(cells)
    named = [(line, anki.names(separator, len(first))), (line, first)]
    return rows_of_cells(file, chain(named, cells), options, Header.YES)


_MARKDOWN_RULE = re.compile(r"[|:\s-]*-[|:\s-]*")


def _markdown_cells(lines: Iterable[tuple[int, str]]) -> Iterator[Line]:
    """Yield the cells of a table as Markdown writes it, without the rule below its header."""
    for number, line in lines:
        if (row := line.strip()) and not _MARKDOWN_RULE.fullmatch(row):
            yield number, [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


class CellFile(Protocol):
    """A file of rows of cells: a ``TextFile`` or an Excel file.

    Attributes:
        path: the file.
        unit: what its rows are numbered by: ``line`` or ``row``.
        has_surrogates: whether cells may be unreadable, as ``problem`` says.
    """

    path: Path
    unit: str
    has_surrogates: bool

    def problem(self, cells: Iterable[object]) -> str | None: ...


def rows_of_cells(
    file: CellFile, lines: Iterator[Line], options: ReadOptions, header: Header | None = None
) -> Iterator[Row]:
    """Yield the rows of lines of cells; the first line may be a header."""
    place = f"{file.path.name}, {file.unit}"
    head = list(islice(lines, SAMPLE))
    if not head:
        raise DataError(f"{file.path} is empty; write one pair per line.")
    line, first = head[0]
    if len(head) > 1 and all(
        len(cells) == len(first) + 1 > 2 and cells[0] == str(row) for row, (_, cells) in enumerate(head[1:], 1)
    ):
        first = ["", *first]  # R gives the numbers of rows no header
        head[0] = line, first
    if header is None:
        head = check_above(head, options, place, file.unit)
        line, first = head[0]
    width, is_known = len(first), header is not None or bool(options.names)
    filled = _filled_width([cells for _, cells in head if len(cells) == width])
    titles = first[:filled]
    if header is None:
        rows = [cells if filled == width else cells[:filled] for _, cells in head[1:]]
        header = Header.YES if options.names else recognise_header(titles, rows)
    names = [str(number) for number in range(1, filled + 1)]
    if header is Header.YES:
        names = [name or cell for name, cell in zip(header_names(titles), titles, strict=True)]
        twice = first_repeated(names)
        if twice is not None and (twice in options.names or (options.source, options.target) == (None, None)):
            raise DataError(f"{place} {line:,}: two columns are named '{twice}'; rename one of them.")
    source, target = options.choose(
        names, are_numbers=header is not Header.YES, subject=f"{place} {line:,}", cells=titles
    )
    is_expected = is_known or {*map(str.lower, names)} == {"source", "target"}
    options.notes.extend(header_notes(header, f"{place} {line:,} ({', '.join(titles):.80})", is_expected))
    options.notes.extend(cell_notes(file.path.name, [cells for _, cells in head], options.notes))
    repeated = first if header is Header.YES else None
    for number, cells in chain(head[1:] if repeated else head, lines):
        if len(cells) == width:
            if cells != repeated:
                problem = file.problem((cells[source], cells[target])) if file.has_surrogates else None
                yield (place, number), cells[source], cells[target], problem
            elif len(options.notes) < 100:
                options.notes.append(f"{place} {number:,} repeats the header and is left out.")
            continue
        problem = f"has {len(cells)} {'column' if len(cells) == 1 else 'columns'}, the first {file.unit} has {width}"
        padded = [*cells, *[None] * width]
        yield (place, number), padded[source], padded[target], problem


def _filled_width(rows: Sequence[Sequence[str]]) -> int:
    """The number of columns without those at the end that are empty, where every line ends in a delimiter; at least two."""
    width = len(rows[0])
    while width > 2 and not any(cells[width - 1].strip() for cells in rows):
        width -= 1
    return width


# Quoted cells -----------------------------------------------------------------------------------------------------


def _quoted_cells(
    file: TextFile, lines: Iterable[tuple[int, str]], delimiter: str, *, skip_spaces: bool = False
) -> Iterator[Line]:
    """Yield rows with the line on which each begins; cells may be in quotes, after spaces with ``skip_spaces``.

    Raises:
        DataError: for a quote that is not closed, or that is closed only after other rows; names the line.
    """
    numbered = iter(lines)
    number, size = 1, 0

    def counted() -> Iterator[str]:
        nonlocal size
        for _, line in numbered:
            size += len(line)
            if size > LARGEST_ROW:
                raise csv.Error("unexpected end")
            yield line

    first = next(numbered, None)
    if first is None:
        return
    number, numbered = first[0], chain([first], numbered)
    reader = csv.reader(counted(), delimiter=delimiter, strict=True, skipinitialspace=skip_spaces)
    batch_size, lines_read, plain = 1, 0, list[list[str]]()
    while True:
        batch, size = list[list[str]](), 0
        problem = None
        with without_size_limit():
            try:
                batch.extend(islice(reader, batch_size))
            except csv.Error as error:
                problem = "a quote is opened and never closed" if "unexpected end" in str(error) else str(error)
        has_breaks = reader.line_num - lines_read != len(batch)
        lines_read = reader.line_num
        for cells in batch:
            if len(cells) > 1 or (cells and cells[0].strip()):
                if has_breaks:
                    _check_swallowed(file, number, cells, delimiter, plain)
                yield number, cells
            number += 1 + (sum(len(_LINE_END.findall(cell)) for cell in cells) if has_breaks else 0)
        if problem is not None:
            raise DataError(f"{file.path}, line {number:,}: {problem}; double the quotes inside a quoted cell.")
        if len(batch) < batch_size:
            return
        plain = plain or batch
        batch_size = min(4 * batch_size, 256) if size < 1 << 18 else 1


def _check_swallowed(
    file: TextFile, number: int, cells: list[str], delimiter: str, others: Sequence[Sequence[str]]
) -> None:
    """Raise ``DataError`` if a cell holds lines that look like rows: its quote was closed too late."""
    is_spaced = any(cell.startswith(" ") for row in others for cell in row[1:])
    for cell in cells:
        inner = _LINE_END.split(cell)[1:-1]
        if len(inner) < 3:
            continue
        rows = [line.split(delimiter) for line in inner]
        is_row = [
            len(row) == len(cells) and all(part.strip() and (is_spaced or part[0] != " ") for part in row)
            for row in rows
        ]
        if sum(is_row) >= 0.9 * len(inner):
            raise DataError(
                f"{file.path}, line {number:,}: a quote is opened and closed only {len(inner) + 1:,} lines later, and the "
                "lines between look like rows; double the quotes inside a quoted cell."
            )


# Tabs -------------------------------------------------------------------------------------------------------------

_WELL_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def _tab_cells(file: TextFile, lines: Iterator[tuple[int, str]], options: ReadOptions) -> Iterator[Line]:
    """Yield the cells of lines; quotes are those of a table as pandas writes it, or plain characters."""
    for number, line in lines:
        if '"' in line and (line[0] == '"' or '\t"' in line):
            convention = _tab_convention(file, options)
            lines = chain([(number, line)], lines)
            if convention == "quoted":
                yield from _quoted_cells(file, lines, "\t")
                return
            for number, line in lines:
                if line := line.rstrip("\r\n"):
                    cells = line.split("\t")
                    if line.strip(" "):
                        yield number, [*map(_unquoted, cells)] if convention == "some quoted" and '"' in line else cells
            return
        line = line.rstrip("\r\n")
        if line.strip(" "):
            yield number, line.split("\t")


def _unquoted(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if _WELL_QUOTED.fullmatch(cell) and cell != '"' else cell


def _tab_convention(file: TextFile, options: ReadOptions) -> str:
    """How a file between tabs uses quotes.

    Writers of tables put a cell into quotes if it holds a quote, a tab or a line end, or all cells, and double the quotes
    in it. Most corpora keep quotes as they are. The whole file is read, since either may be rare: a file that a writer
    would write again as it is was written so.

    Returns:
        "plain": quotes are characters; "quoted": cells in quotes may hold tabs and line ends; "some quoted": cells in
        quotes hold neither.
    """
    if _is_as_written(file):
        return "quoted"
    widths = Counter[int]()
    quoted, plain = 0, 0
    for line in TextFile(file.path, file.encoding).plain_lines():
        if not line.strip(" "):
            continue
        widths[line.count("\t") + 1] += 1
        for cell in line.split("\t") if '"' in line else ():
            if not cell.startswith('"') or not _WELL_QUOTED.fullmatch(cell):
                plain += '"' in cell
            else:
                quoted += '""' in cell[1:-1]
    if len(widths) == 1:
        if quoted and plain:
            options.notes.append(
                f"{file.path.name} mixes two conventions: {counted(quoted, 'cell')} with doubled quotes inside quotes, as pandas "
                f"writes them, and {counted(plain, 'cell')} with plain quotes; each cell is read by its own."
            )
        return "some quoted" if quoted else "plain"
    records = Counter[int]()
    try:
        for _, cells in _quoted_cells(file, enumerate(TextFile(file.path, file.encoding).lines(), 1), "\t"):
            records[len(cells)] += 1
    except DataError:
        return "plain"
    return "quoted" if _ragged(records) < _ragged(widths) else "plain"


def _is_as_written(file: TextFile) -> bool:
    """Return ``True`` if a writer of tables would write the cells of a file just as they stand there."""
    lines = TextFile(file.path, file.encoding).plain_lines()
    is_minimal = is_all = True
    try:
        for _, cells in _quoted_cells(file, enumerate(TextFile(file.path, file.encoding).lines(), 1), "\t"):
            quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
            minimal = [text if _NEEDS_QUOTES.search(cell) else cell for cell, text in zip(cells, quoted, strict=True)]
            breaks = sum(len(_LINE_END.findall(cell)) for cell in cells)
            first = next((line for line in lines if line.strip(" ")), "")
            text = "\n".join([first, *islice(lines, breaks)])
            is_minimal = is_minimal and _LINE_END.sub("\n", "\t".join(minimal)) == text
            is_all = is_all and _LINE_END.sub("\n", "\t".join(quoted)) == text
            if not (is_minimal or is_all):
                return False
    except DataError:
        return False
    return True


_NEEDS_QUOTES = re.compile('[\t\n\r"]')


def _ragged(widths: Counter[int]) -> float:
    """The fraction of rows with another width than most."""
    return 1 - widths.most_common(1)[0][1] / widths.total()


# CMUdict ----------------------------------------------------------------------------------------------------------

_PHONES = (
    "AA AE AH AO AW AX AXR AY B CH D DH EH ER EY F G HH IH IX IY JH K L M N NG OW OY P R S SH T TH UH UW UX V W Y Z ZH"
)
_PHONE = f"(?:{_PHONES.replace(' ', '|')})[0-2]?"
_ENTRY = re.compile(rf"(?=\S)([^\w\s]?[^\s,;|]*?)(\(\d+\))?[ \t]+({_PHONE}(?: {_PHONE})*)\s*(#.*)?", re.DOTALL)
_COMMENT = ";;;"


def _cmudict_cells(
    file: TextFile, lines: Iterator[tuple[int, str]], sample: Sequence[str], options: ReadOptions
) -> Iterator[Line] | None:
    """Words and phones if the file is in the format of CMUdict, with its variants and comments; otherwise ``None``."""
    entries = [line for line in sample if not line.startswith(_COMMENT)]
    matches = [match for line in entries if (match := _ENTRY.fullmatch(line))]
    phones = sum(match[3].count(" ") + 1 for match in matches)
    if not matches or len(matches) < 0.98 * len(entries) or phones < 2 * len(matches):
        return None
    if len(entries) == len(sample) and all("\t" in match[0] and not match[2] and not match[4] for match in matches):
        return None  # a table between tabs
    options.notes.append(
        f"{file.path.name} is read as a dictionary in the format of CMUdict, word and phones; variants such as A(1) are "
        "further answers, and comments are left out."
    )

    def cells() -> Iterator[Line]:
        yield 0, ["word", "phones"]
        for number, line in lines:
            if not line.startswith(_COMMENT) and line.strip():
                match = _ENTRY.fullmatch(line)
                yield number, [match[1], match[3]] if match else [line.strip()]

    return cells()
