"""The rows of an Excel file (.xlsx), as text; the standard library is enough to read them."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from nbtextgen.core.errors import DataError, NbTextGenError
from nbtextgen.core.wording import counted
from nbtextgen.data.readers.columns import ReadOptions
from nbtextgen.data.readers.memory import check_fits
from nbtextgen.data.readers.packing import WORKBOOK

_TRUE = ("1", "true")
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")
_PLAIN_FORMATS = frozenset({0, 1, 2, 49})
"""Numbers of the formats General, 0, 0.00 and text (ECMA-376, part 1, 18.8.30); dates, times and others are not plain."""


class FormattedNumber(str):
    """A number that Excel shows in a format of its own, such as a date: what is seen is not in the file."""


class FailedFormula(str):
    """What stands in the place of a formula's value: an error such as ``#REF!``, or nothing if it was never computed."""


class ExcelFile:
    """The only sheet of an Excel file that has rows.

    Attributes:
        path: the file.
        unit, has_surrogates: see ``CellFile``.
    """

    unit = "row"
    has_surrogates = True

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.path, self._in_memory, self._notes = path, options.in_memory, options.notes

    def problem(self, cells: Iterable[object]) -> str | None:
        """Return why the cells of a row could not be read, or ``None`` if they could."""
        if any(isinstance(cell, FormattedNumber) for cell in cells):
            return "has a date or a formatted number; format its column as text in Excel, or save the file as .csv"
        failed = [str(cell) or "no value" for cell in cells if isinstance(cell, FailedFormula)]
        if failed:
            return f"has a formula with {failed[0]}; mend it, and save the file in Excel or LibreOffice, which compute formulas"
        return None

    def lines(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the number and the cells of every row that is not empty; all rows are as wide as the first, or wider.

        Raises:
            DataError: if the file is damaged, or several sheets have rows.
            MemoryShortError: if the rows are to be kept and would not fit into memory.
        """
        try:
            with zipfile.ZipFile(self.path) as archive:
                if self._in_memory:
                    check_fits(self.path, sum(each.file_size for each in archive.infolist()))
                sheets = [sheet for sheet in _sheets(archive) if next(_rows(archive, sheet[1]), None)]
                if len(sheets) > 1:
                    names = ", ".join(name for name, _ in sheets)
                    raise DataError(
                        f"{self.path} has several sheets ({names}); save the one with the pairs as .csv, or read it with "
                        "pandas.read_excel and give the frame."
                    )
                texts, plain = _shared_texts(archive), _plain_styles(archive)
                width, hidden = 0, 0
                for number, cells, is_hidden in _rows(archive, sheets[0][1]) if sheets else ():
                    values = [_text(cell, texts, plain) for cell in cells]
                    while values and not values[-1].strip() and not isinstance(values[-1], FailedFormula):
                        values.pop()
                    if values:
                        width, hidden = width or len(values), hidden + is_hidden
                        yield number, values + [""] * (width - len(values))
                if hidden:
                    rows = counted(hidden, "hidden row")
                    self._notes.append(
                        f"{rows} of {self.path} {'is' if hidden == 1 else 'are'} read too; delete rows that are no pairs."
                    )
                if sheets and _has_hidden_columns(archive, sheets[0][1]):
                    self._notes.append(
                        f"Hidden columns of {self.path} are read too; name the columns to read, or delete the others."
                    )
        except NbTextGenError:
            raise
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            RuntimeError,
            ElementTree.ParseError,
            ValueError,
            LookupError,
        ) as error:
            raise DataError(f"{self.path} cannot be read as Excel ({error}); save it again, or as .csv.") from None


def _name(tag: str) -> str:
    """The name of an element without its namespace."""
    return tag.rpartition("}")[2]


def _elements(archive: zipfile.ZipFile, member: str, name: str) -> Iterator[ElementTree.Element]:
    """Yield the elements of a name in a file of the archive; each is dropped before the next is read."""
    with archive.open(member) as file:
        parents, inside = list[ElementTree.Element](), 0
        for event, element in ElementTree.iterparse(file, ("start", "end")):
            if event == "start":
                parents.append(element)
                inside += _name(element.tag) == name
                continue
            parents.pop()
            inside -= _name(element.tag) == name
            if not inside:
                if _name(element.tag) == name:
                    yield element
                if parents:
                    parents[-1].remove(element)


def _sheets(archive: zipfile.ZipFile) -> list[tuple[str, str]]:
    """Names of the sheets, and the files that hold them."""
    relations = {
        element.attrib["Id"]: element.attrib["Target"]
        for element in _elements(archive, "xl/_rels/workbook.xml.rels", "Relationship")
    }
    sheets = list[tuple[str, str]]()
    for element in _elements(archive, WORKBOOK, "sheet"):
        key = next(value for name, value in element.attrib.items() if name.endswith("}id"))
        target = relations[key]
        member = target[1:] if target.startswith("/") else f"xl/{target}"
        if "worksheets/" in member:
            sheets.append((element.attrib["name"], member))
    return sheets


def _rows(archive: zipfile.ZipFile, member: str) -> Iterator[tuple[int, list[ElementTree.Element | None], bool]]:
    """Yield the number of every row that has cells, the cells (``None`` for one that is not in the file), and whether it is hidden."""
    number = 0
    for row in _elements(archive, member, "row"):
        number = int(row.get("r", number + 1))
        cells = list[ElementTree.Element | None]()
        for cell in row:
            cells += [None] * (_column(cell.get("r", "")) - len(cells))
            cells.append(cell)
        if any(cell is not None and len(cell) for cell in cells):
            yield number, cells, row.get("hidden") in _TRUE


def _has_hidden_columns(archive: zipfile.ZipFile, member: str) -> bool:
    with archive.open(member) as file:
        for _, element in ElementTree.iterparse(file, ("start",)):
            if _name(element.tag) == "sheetData":  # columns are described before the rows
                return False
            if _name(element.tag) == "col" and element.get("hidden") in _TRUE:
                return True
    return False


def _column(reference: str) -> int:
    """The index of the column in a reference such as ``AB12``; 0 if it names none."""
    index = 0
    for letter in reference.rstrip("0123456789"):
        index = 26 * index + ord(letter) - ord("A") + 1
    return max(0, index - 1)


def _shared_texts(archive: zipfile.ZipFile) -> list[str]:
    """The texts that cells refer to by number."""
    member = "xl/sharedStrings.xml"
    return list(map(_joined, _elements(archive, member, "si"))) if member in archive.namelist() else []


def _joined(item: ElementTree.Element) -> str:
    """The text of an item, its pieces in different fonts joined, without phonetic guides."""
    runs = [item, *(child for child in item if _name(child.tag) == "r")]
    text = "".join(child.text or "" for run in runs for child in run if _name(child.tag) == "t")
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


def _plain_styles(archive: zipfile.ZipFile) -> list[bool]:
    """For each style of cells, whether it shows numbers as they are."""
    if "xl/styles.xml" not in archive.namelist():
        return []
    for formats in _elements(archive, "xl/styles.xml", "cellXfs"):
        return [int(style.get("numFmtId", 0)) in _PLAIN_FORMATS for style in formats]
    return []


def _text(cell: ElementTree.Element | None, texts: list[str], plain: list[bool]) -> str:
    """The text of a cell; a number as Excel shows it."""
    if cell is None:
        return ""
    kind, value = cell.get("t", "n"), ""
    parts = {_name(child.tag): child for child in cell}
    if "is" in parts:
        return _joined(parts["is"])
    if "v" in parts:
        value = parts["v"].text or ""
    if kind == "e" or ("f" in parts and "v" not in parts):
        return FailedFormula(value)
    if kind == "s":
        return texts[int(value)]
    if kind == "b":
        return "TRUE" if value == "1" else "FALSE"
    if kind != "n" or not value:
        return FormattedNumber(value) if kind == "d" else _ESCAPE.sub(lambda match: chr(int(match[1], 16)), value)
    style = int(cell.get("s", 0))
    if style < len(plain) and not plain[style]:
        return FormattedNumber(value)
    return f"{float(value):.15g}"
