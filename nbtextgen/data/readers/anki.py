"""The header of a file that Anki exports: lines such as ``#separator:tab`` above its notes."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_LINE = re.compile(
    r"#(separator|html|columns|tags|notetype|deck|if matches|match scope|(?:guid|notetype|deck|tags) column):(.*)",
    re.IGNORECASE,
)
_SEPARATORS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "colon": ":", "space": " "}


@dataclass
class AnkiHeader:
    """What the header of an export from Anki says.

    Attributes:
        size: how many lines it has.
        separator: the character between the fields, or ``None``.
        columns: the names of the columns, separated, or ``None``.
        others: what is in the columns that are no fields, such as ``tags``, by their numbers.
        is_html: whether the fields are HTML.
    """

    size: int = 0
    separator: str | None = None
    columns: str | None = None
    others: dict[int, str] = field(default_factory=dict[int, str])
    is_html: bool = False

    @classmethod
    def of(cls, lines: Sequence[str]) -> AnkiHeader | None:
        """Read the header from the first lines of a file; ``None`` if they are none."""
        header = cls()
        for line in lines:
            match = _LINE.fullmatch(line.rstrip("\r\n"))
            if match is None:
                break
            header.size += 1
            header._take(match[1].lower(), match[2])
        return header if header.size else None

    def _take(self, key: str, value: str) -> None:
        word = value.strip().lower()
        if key == "separator":
            self.separator = _SEPARATORS.get(word) or (value if len(value) == 1 else None)
        elif key == "columns":
            self.columns = value
        elif key == "html":
            self.is_html = word == "true"
        elif key.endswith(" column") and word.isdigit():
            self.others[int(word)] = key.removesuffix(" column")

    def names(self, separator: str, width: int) -> list[str]:
        """The names of all columns; those of two fields are source and target."""
        if self.columns is not None:
            return next(csv.reader([self.columns], delimiter=separator))
        numbers = [number for number in range(1, width + 1) if number not in self.others]
        fields = ["source", "target"] if len(numbers) == 2 else [str(number) for number in numbers]
        named = {**self.others, **dict(zip(numbers, fields, strict=True))}
        return [named[number] for number in range(1, width + 1)]

    def notes(self, name: str, lines: Sequence[str]) -> Iterator[str]:
        """What was assumed about a file of this name, whose first ``lines`` are given, one sentence each."""
        others = ", ".join(self.others.values())
        left_out = f", without its {'columns' if len(self.others) > 1 else 'column'} {others}" if others else ""
        yield f"{name} is read by its header, as an export from Anki{left_out}."
        if self.is_html and any(re.search(r"<\w|&\w+;", line) for line in lines):
            yield f"{name} holds HTML, which is read as it is written; the cleaning step 'markup' takes tags and entities off."
