"""Where words end in a text, and across which tokens of a model they go on."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from nbtextgen.decoding.borders import DIGITS, LETTERS, LINKS, MARK, NOTHING, OTHER, Borders, token_kind
from nbtextgen.tokenizers.base import SPECIAL, UNKNOWN, Tokenizer
from nbtextgen.tokenizers.bpe import BPETokenizer
from nbtextgen.tokenizers.segmentation import word_spans


def word_borders(text: str) -> set[int]:
    """Where words and marks start and end."""
    return {border for span in word_spans(text) for border in span}


@lru_cache(maxsize=4)  # a model asks for each of its calls
def token_borders(tokenizer: Tokenizer) -> Borders | None:
    """The kinds of all tokens; ``None`` for characters, among which terms may be anywhere, and symbols, which are whole."""
    ids = range(len(SPECIAL), tokenizer.size)
    if isinstance(tokenizer, BPETokenizer):
        kinds = [_piece_kind(tokenizer.raw(number)) for number in ids]
    elif tokenizer.kind == "word":
        kinds = [_text_kind(tokenizer.token(number)) for number in ids]
    else:
        return None
    # A special token is no letter; one from beyond the vocabulary is a copied word, which mostly has a space before it.
    return np.array([0] * len(SPECIAL) + kinds + [token_kind(NOTHING, LETTERS)], np.int8)


def _piece_kind(raw: bytes) -> int:
    """The kind of a piece of bytes, which may begin or end inside of a character."""
    text = raw.decode(errors="replace")
    if UNKNOWN not in (text[0], text[-1]):
        return _text_kind(text)
    start, end = divmod(min(_text_kind(text), LINKS - 1), 4)
    if raw[0] & 0xC0 == 0x80:
        start = MARK
    elif text[0] == UNKNOWN:
        start = LETTERS if raw[0] in _LETTER_BYTES else NOTHING
    return token_kind(start, LETTERS if text[-1] == UNKNOWN else end)


_LETTER_BYTES = {*range(0xC3, 0xE2), *range(0xEA, 0xEE)}
"""First bytes of characters that mostly are letters of words between spaces: not of punctuation, Chinese, kana or emoji."""


def _text_kind(text: str) -> int:
    return _ends_kind(text[:2], text[-2:], text if len(text) == 1 else "")


@lru_cache(maxsize=1 << 14)
def _ends_kind(start: str, end: str, single: str) -> int:
    """The kind of a token by its first and last two characters; ``single`` is a token of one character."""
    if single and len(word_spans(f"a{single}")) > 1:
        links = [len(word_spans(each + single + each)) == 1 for each in ("a", "1")]
        if any(links):
            return LINKS - 1 + links[0] + 2 * links[1]
    first, last = NOTHING, OTHER
    if start[:1].isspace():
        first = NOTHING
    elif 1 not in word_borders("\u76d0" + start):  # a Chinese character: only marks belong to it
        first = MARK
    elif any(1 not in word_borders(each + start) for each in _IN_WORDS):
        first = DIGITS if start[:1].isdecimal() else LETTERS
    if not end or end[-1].isspace():
        last = NOTHING
    elif any(len(end) not in word_borders(end + each) for each in _IN_WORDS):
        last = DIGITS if end[-1].isdecimal() else LETTERS
    return token_kind(first, last)


_IN_WORDS = "a1\u05d0\u30a2"
"""Letters (Latin, Hebrew), a digit and a syllable (Katakana): what may stand in one word with them is no word of its own."""
