"""Text from data or a model, made safe and visible in HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

_BIDIRECTIONAL = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"


def visible(text: str) -> str:
    """Escape text for HTML, with control characters shown as pictures (Unicode block 2400)."""
    return html.escape(pictured(text), quote=True)


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts as HTML."""
    heads = "".join(f"<th>{visible(text)}</th>" for text in head)
    body = "".join(f"<tr>{''.join(f'<td><bdi>{visible(cell)}</bdi></td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def pictured(text: str) -> str:
    """The same without the escaping, for what is put on screen as text and not as markup."""
    return text.translate(_PICTURES)


# Controls become their pictures; what would show as nothing, or change how others show, is written as its number.
_NUMBERED = [*map(ord, _BIDIRECTIONAL + "\u200b\u2060\ufeff\u00ad"), *range(0xD800, 0xE000)]
_PICTURES: dict[int, int | str] = {
    **{code: 0x2400 + code for code in range(32)},
    0x7F: 0x2421,
    **{code: f"\u27e8U+{code:04X}\u27e9" for code in _NUMBERED},
}
