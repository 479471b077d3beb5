"""Text from data or a model, made safe and visible in HTML."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence

INVISIBLE = (
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    "\u00ad\u034f\u115f\u1160\u180e\u200b\u2028\u2029\u2060\u2061\u2062\u2063\u2064\u3164\ufeff\uffa0\ufff9\ufffa\ufffb"
)
"""Characters that show as nothing, the first ones marks of direction, which change how others show."""


def visible(text: str) -> str:
    """Escape text for the content of an HTML element: controls become pictures (Unicode block 2400), and no TeX is typeset.

    MathJax, which notebooks load, does not look for formulas across elements.
    """
    return escaped(text).replace("$", "<span>$</span>").replace("\\", "<span>\\</span>")


def escaped(text: str) -> str:
    """Escape text for an attribute, the title of a page, or SVG, with control characters shown as pictures."""
    return html.escape(pictured(text), quote=True)


MAX_SHORT = 80
"""Characters of a text that is shown whole, about two lines."""


def folded(text: str) -> str:
    """A text as HTML: a long one shows its beginning, and the whole on request."""
    if len(text) <= MAX_SHORT:
        return f"<bdi>{visible(text)}</bdi>"
    # Outside of the text, the sign does not push a long word to the next line.
    first = f"<summary style='list-style-position:outside;margin-left:14px'><bdi>{visible(text[: MAX_SHORT - 1])}</bdi>\u2026</summary>"
    return f"<details>{first}<bdi>{visible(text)}</bdi></details>"


CELL = "padding:.5em"
"""Style of the cells of tables: that of notebooks, for pages whose own style sheet takes all padding away, as marimo's does."""


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts as HTML; columns of numbers stand at the right, texts at the left."""
    cells = [list(row) for row in rows]
    numbers = [all(_NUMBER.fullmatch(row[column]) for row in cells) for column in range(len(head))]
    sides = [f" style='{CELL};text-align:{'right' if number else 'left'}'" for number in numbers]
    heads = "".join(f"<th{side}>{visible(text)}</th>" for side, text in zip(sides, head, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{side}><bdi>{visible(cell)}</bdi></td>' for side, cell in zip(sides, row, strict=True))}</tr>"
        for row in cells
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


_NUMBER = re.compile(r"([<>] ?)?[+\u2212-]?\d[\d,]*(\.\d+)?( ?%)?|\[[^\]]*\]|nan|")
"""What stands at the right: numbers, intervals, nothing."""


def pictured(text: str) -> str:
    """Show control characters, invisible ones and lone surrogates as pictures or numbers, for text that is no markup."""
    return text if text.isascii() and text.isprintable() else text.translate(_PICTURES)


LINE, IN_TABLE = 70, 200
"""Most characters of a text of the data in a line of plain text, and in a table of a notebook."""


def brief(text: str, most: int = LINE) -> str:
    """A text of at most ``most`` characters: the beginning and three dots if it is longer."""
    return text if len(text) <= most else f"{text[: most - 1]}\u2026"


def pictured_piece(piece: str) -> str:
    """As ``pictured``, for a piece of a text that stands alone: spaces in quotes, joiners as numbers, a mark on a circle."""
    if not piece.strip():
        return pictured(repr(piece))
    if all(char in _JOINERS for char in piece):
        return "".join(f"\u27e8U+{ord(char):04X}\u27e9" for char in piece)
    return pictured(f"\u25cc{piece}" if unicodedata.category(piece[0]).startswith("M") else piece)


_JOINERS = frozenset("\u200c\u200d") | {chr(code) for code in range(0xFE00, 0xFE10)}
"""Characters that say how their neighbours are joined or drawn, and are not seen themselves."""


def json_text(
    values: object, *, indent: int | None = None, separators: tuple[str, str] | None = None, allow_nan: bool = True
) -> str:
    """JSON in which letters stand as they are, and what a terminal obeys or nobody sees as ``\\u202e``.

    Args:
        values: what JSON can hold.
        indent, separators, allow_nan: as for ``json.dumps``.
    """
    text = json.dumps(values, ensure_ascii=False, indent=indent, separators=separators, allow_nan=allow_nan)
    return _UNSEEN.sub(lambda match: json.dumps(match[0])[1:-1].replace("\x7f", "\\u007f"), text)


def pictured_lines(text: str) -> str:
    """As ``pictured``, but line breaks stay."""
    return "\n".join(map(pictured, text.split("\n")))


_UNSEEN = re.compile(f"[\x7f-\x9f{INVISIBLE}\u206a-\u206f\ud800-\udfff\U000e0000-\U000e001f]")

# Controls become their pictures; what would show as nothing, or change how others show, is written as its number.
_NUMBERED = [
    *range(0x80, 0xA0),  # C1 controls, which terminals obey
    *map(ord, INVISIBLE),
    *range(0x206A, 0x2070),
    *range(0xD800, 0xE000),
    *range(0xE0000, 0xE0020),
]
_PICTURES: dict[int, int | str] = {
    **{code: 0x2400 + code for code in range(32)},
    0x7F: 0x2421,
    **{code: f"\u27e8U+{code:04X}\u27e9" for code in _NUMBERED},
}
