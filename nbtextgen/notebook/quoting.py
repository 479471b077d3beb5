"""Quotes on the line of a magic: where quoted items begin and end, and how a text is quoted."""

from __future__ import annotations

import re
from dataclasses import dataclass


def next_word(line: str, position: int) -> int:
    return position + len(line[position:]) - len(line[position:].lstrip())


def end_of_word(line: str, position: int) -> int:
    space = re.compile(r"\s").search(line, position)
    return space.start() if space else len(line)


@dataclass(frozen=True)
class QuotedItem:
    """Quoted parts without a space between them, each with its kind of quote; ``end`` is the position after the last."""

    parts: tuple[tuple[str, str], ...]
    end: int

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.parts)


class QuotedItems:
    """The quoted items of a line. A closing quote is followed by a space, the end of the line, or another quoted part."""

    def __init__(self, line: str) -> None:
        self.line = line
        self._closing: dict[int, int] = {}  # of every quote that opens an item
        nearest_closing: dict[str, int] = {}
        for position in range(len(line) - 1, -1, -1):
            quote = line[position]
            if quote not in "'\"":
                continue
            if quote in nearest_closing:
                self._closing[position] = nearest_closing[quote]
            after = line[position + 1 : position + 2]
            if quote == '"' and line[:position].endswith("\\"):
                closes = re.match(r"\s*(#|--[A-Za-z]|$)", line[position + 1 :]) is not None  # "C:\folder\"
            else:
                closes = not after.strip() or position + 1 in self._closing
            if closes:
                nearest_closing[quote] = position

    def get(self, position: int) -> QuotedItem | None:
        """Return the item that begins at a position."""
        parts = list[tuple[str, str]]()
        while position in self._closing:
            quote, closing = self.line[position], self._closing[position]
            text = self.line[position + 1 : closing]
            parts.append((quote, text.replace('\\"', '"') if quote == '"' else text))
            position = closing + 1
        return QuotedItem(tuple(parts), position) if parts else None


def split_words(line: str) -> tuple[list[str], str]:
    """Return the words of an unfinished line, without their quotes, and the part of a word at its end (empty after a space)."""
    items, words, position = QuotedItems(line), list[str](), next_word(line, 0)
    while position < len(line):
        item = items.get(position)
        end = item.end if item is not None else end_of_word(line, position)
        if end == len(line):
            return words, line[position:]
        words.append(item.text if item is not None else line[position:end])
        position = next_word(line, end)
    return words, ""


_FOLLOWING = ("", " --x", " a", ' --x "a"', " --x 'a'", " \"a\" 'b'")
"""What may stand behind a word on its line, where a quote could close one of the word."""


def quoted(text: str) -> str:
    """Return a text as a word of a line that is read back as the same text; in double quotes where that is enough."""
    escaped = text.replace('"', '\\"')
    apart = "".join(f"'{part}'" if part[0] != "'" else f'"{part}"' for part in re.findall(r"'+|[^']+", text))
    for spelling in (f'"{text}"', f"'{text}'", f'"{escaped}"'):
        items = [QuotedItems(spelling + following).get(0) for following in _FOLLOWING]
        if all(item is not None and item.end == len(spelling) and item.text == text for item in items):
            return spelling
    return apart
