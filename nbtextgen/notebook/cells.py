"""The cell below a magic: lines that it continues, and pairs that are typed in it."""

from __future__ import annotations

import re
from itertools import takewhile

from nbtextgen.core.errors import DataError

_BACKSLASH = re.compile(r"\\(?:\s+#[^'\"]*)?\s*$")
_OPTION = re.compile(r"--[A-Za-z]")
_TEXT_WITH_QUESTION_MARK = re.compile(
    r"^([ \t]*(?:[\w, ]+=[ \t]*)?%textgen_(?:generate|explain|continue)[ \t]+\S+[ \t]+\S.*\?)[ \t]*(\n?)$"
)
_SILENCED = re.compile(r"^([ \t]*%textgen_.*;)[ \t]*(?:#[^'\"\n]*)?(\n?)$")
SILENT = " # ;"
"""Ends the line of a magic that ends in a semicolon and whose value is not assigned."""
_GAP = re.compile(r"(?<=\S)[ \u00a0\u3000]{2,}(?=\S)")


def continue_line(line: str, cell: str | None) -> tuple[str, str | None]:
    """Return the line of a cell magic with those of the cell that continue it after a backslash, and the rest of the cell."""
    while cell and (backslash := _BACKSLASH.search(line)):
        first, _, rest = cell.partition("\n")
        before = line[: backslash.start()]
        if first.lstrip().startswith("#"):  # a comment between the lines
            line, cell = f"{before.rstrip()} \\", rest or None
            continue
        if before and not before[-1].isspace() and not _OPTION.match(first.lstrip()):
            break  # the end of a path
        line, cell = f"{before.rstrip()} {first.strip()}", rest or None
    return line, cell


def cell_magics(lines: list[str]) -> list[str]:
    """Transform the lines of a cell (``input_transformers_cleanup``) so that our cell magics work where IPython's do not.

    One below other lines, as in documentation that is pasted, takes the lines up to a blank one or the next magic as its cell.
    One without a cell gets a blank line, so that the magic itself says what is missing. A text that ends in a question mark gets
    an empty comment, or IPython would show help for its last word. A semicolon at the end is marked, since IPython overlooks it.
    """
    lines = [_TEXT_WITH_QUESTION_MARK.sub(r"\1 #\2", line) for line in lines]
    lines = [_SILENCED.sub(rf"\1{SILENT}\2", line) for line in lines]
    if not any(line.startswith("%%textgen_") for line in lines):
        return lines
    if lines[0].startswith("%%"):
        return lines if len(lines) > 1 else [lines[0].rstrip("\n") + "\n", "\n"]
    transformed, rest = list[str](), list(lines)
    while rest:
        line = rest.pop(0)
        match = re.match(r"%%(textgen_\w+)[ \t]*(.*)", line)
        if match is None:
            transformed.append(line)
            continue
        cell = list(takewhile(lambda line: line.strip() and not line.startswith("%"), rest))
        del rest[: len(cell)]
        arguments = (match[1], match[2], "".join(cell) or "\n")
        transformed.append(f"get_ipython().run_cell_magic{arguments!r}\n" + "\n" * len(cell))
    return transformed


def pairs_in_cell(cell: str) -> str:
    """Return the pairs of a cell, with a tab in place of the spaces that the Tab key types there.

    Raises:
        DataError: if some lines have such a gap and others have none, or several.
    """
    lines = cell.split("\n")
    rows = {
        index: len(_GAP.findall(line.strip()))
        for index, line in enumerate(lines)
        if line.strip() and "\t" not in line and " => " not in line
    }
    if not any(rows.values()):
        return cell
    for index, gaps in rows.items():
        if gaps != 1:
            raise DataError(
                f"cell, line {index + 1} has no separator: write source, a tab or ' => ', and target. The Tab key types spaces "
                "here, which separate the two if every line has exactly one gap of two or more spaces."
            )
    return "\n".join(
        _GAP.sub("\t", line.strip()) if index in rows or not line.strip() else line for index, line in enumerate(lines)
    )
