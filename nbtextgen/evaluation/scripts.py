"""How the script of the references decides what is counted: words, or characters where no spaces separate words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from nbtextgen.tokenizers.segmentation import UNSPACED, characters, compiled

_PICTURE = r"(?=[\p{Extended_Pictographic}\p{RI}])\X"
"""An emoji with its modifiers, or a flag."""
SEGMENTED = 6.0
"""Most letters between two spaces, on average, of a text whose words were separated by a word segmenter."""


def without_spaces(texts: Iterable[str]) -> bool:
    """Whether most letters belong to scripts that separate no words."""
    joined = " ".join(text for text in texts if not text.isascii())
    return bool(joined) and 2 * len(compiled(UNSPACED).findall(joined)) > sum(map(str.isalpha, joined))


def bleu_tokenizer(texts: Sequence[str]) -> str:
    """The tokenizer of sacrebleu that suits the script: ``zh`` for Chinese, ``char`` for Japanese, Thai, ..., or ``13a``."""
    if not without_spaces(texts):
        return "13a"
    joined = " ".join(texts)
    letters = len(compiled(UNSPACED).findall(joined))
    return "zh" if len(compiled(r"\p{Han}").findall(joined)) > 0.9 * letters else "char"


def token_splitter(texts: Sequence[str]) -> tuple[Callable[[str], list[str]], str]:
    """How tokens are separated, and their name: by spaces, or into characters where no spaces separate words."""
    if without_spaces(texts):
        chunks = [chunk for text in texts for chunk in text.split()]
        if len(chunks) < 2 * len(texts) or sum(map(len, chunks)) > SEGMENTED * len(chunks):
            return visible_characters, "characters"
    return str.split, "tokens"


def visible_characters(text: str) -> list[str]:
    """Characters without white space."""
    return [character for character in characters(text) if not character.isspace()]


def words(text: str) -> list[str]:
    """Lower-cased words: rouge-score's for ASCII, with combining marks beyond it, characters where no spaces separate words.

    An emoji is a word.
    """
    if text.isascii():
        return re.findall("[a-z0-9]+", text.lower())
    letter = rf"(?!{UNSPACED})[\p{{L}}\p{{N}}]"
    pattern = rf"{_PICTURE}|(?=[\p{{L}}\p{{N}}]){UNSPACED}\p{{M}}*|(?:{letter}\p{{M}}*)+"
    return compiled(pattern).findall(text.lower())
