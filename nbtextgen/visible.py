"""Text from data or a model, made safe and visible in HTML."""

from __future__ import annotations

import html

_BIDIRECTIONAL = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"


def visible(text: str) -> str:
    """Escape text for HTML, with control characters shown as pictures (Unicode block 2400)."""
    return html.escape(pictured(text), quote=True)


def pictured(text: str) -> str:
    """The same without the escaping, for what is put on screen as text and not as markup."""
    shown = "".join(chr(0x2400 + ord(one)) if one < " " else "\u2421" if one == "\x7f" else one for one in text)
    return "".join(f"\u27e8U+{ord(one):04X}\u27e9" if _named(one) else one for one in shown)


def _named(character: str) -> bool:
    """Whether the character would show as nothing, or change how others show: it is written as its number."""
    return character in _BIDIRECTIONAL or "\ud800" <= character <= "\udfff" or character in "\u200b\u2060\ufeff\u00ad"
