"""The token units that suit the texts of both sides."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from nbtextgen.tokenizers.segmentation import UNSPACED, compiled

SHORT_TEXT = 48
"""Most characters, on average, of texts that are read character by character."""
SPELLED_SOURCE = 128
"""Most characters, on average, of sources that are read character by character to write targets that are spelled."""
RECURRING, FEW_TEXTS = 0.2, 50
"""Largest fraction of words that are in two texts or more, in texts that are spelled, and texts that are too few to tell. Of 100
pairs and more it is at most 0.04 in numbers and at least 0.45 in captions and synopses."""
PROSE_WORDS, PROSE_TYPES, PROSE_NUMBERS = 3.0, 0.2, 0.1
"""Fewest words in prose, on average, fewest different ones that recur, for each text, and largest fraction of words with digits.
Short captions have 7.2, 0.5 and 0; messages of programs 4 to 8, 0.4 to 0.9 and 0.02; dates 3.4, 0.2 and 0.6; numbers in words 4.9, 0.1 and 0."""
SAME_WORDS, COMMON_WORDS = 0.75, 0.5
"""Smallest fraction of pairs with equally many words on both sides, or of the targets' words that are words of their source, where one
side is the other in another form: 0.98 in pronunciations, 0.7 in tables and typing errors; in translations 0.5 and 0.3."""
SYMBOL_MEAN, SYMBOL_MOST = 2.5, 4
"""Most characters of a symbol without combining marks, on average and of nearly all symbols (``tʃ``, ``AE1``)."""
INVENTORY = 250
"""Most different symbols: no language has as many phones."""
SPACED = 0.5
"""Smallest fraction of the texts that have a space."""
ODD = 0.01
"""Largest fraction of the parts that are unlike a symbol."""
_NUMBER = re.compile(r"\d\d")
_BETWEEN_WORDS = re.compile(rf"[\s{re.escape(string.punctuation)}«»„“”…]+")


def suitable_units(
    sources: Sequence[str], targets: Sequence[str], given: tuple[str | None, str | None] = (None, None)
) -> tuple[str, str]:
    """The units of both sides: those that suit each, but one side of long texts makes a side of short ones BPE too.

    Prose is ``bpe`` even if it is short, unless one side is the other in another form, or symbols. If the unit of one side is
    ``given``, the other is the one that suits it alone.

    A side that is spelled stays ``char``, since hardly any token of its BPE would be met often enough to be learned; so do the
    sources of spelled targets unless they are long. Of numbers in words, 2,000 pairs teach to write 99 % in digits, and 2 % in
    BPE; of English numbers in digits, 99.6 % in words, and 34 % where the sources are BPE.
    """
    if given[0] and given[1]:
        return given[0], given[1]
    source, target = given[0] or suitable_unit(sources), given[1] or suitable_unit(targets)
    if "symbol" not in (source, target) and not is_rewriting(sources, targets):
        source = given[0] or ("bpe" if is_prose(sources) else source)
        target = given[1] or ("bpe" if is_prose(targets) else target)
    if any(given):
        return source, target
    if source == "bpe" and target == "char":
        if not is_spelled(targets):
            target = "bpe"
        elif fmean(map(len, _sample(sources))) <= SPELLED_SOURCE:
            source = "char"
    elif source == "char" and target == "bpe" and not is_spelled(sources):
        source = "bpe"
    return source, target


def is_spelled(texts: Sequence[str]) -> bool:
    """Whether texts are made of letters and digits rather than of words: hardly any word is in two of them, as in numbers.

    Texts in scripts that put no space between words are not.
    """
    sample = _sample(texts)
    if len(sample) < FEW_TEXTS or any(not text.isascii() and compiled(UNSPACED).search(text) for text in sample):
        return False
    words = [word for text in sample for word in set(text.split())]
    counted = Counter(words)
    return sum(counted[word] > 1 for word in words) <= RECURRING * len(words)


def is_prose(texts: Sequence[str]) -> bool:
    """Whether texts are made of many words that recur, and few numbers, as in sentences, captions or messages of programs.

    Scripts that put no space between words have no prose in this sense.
    """
    sample = _sample(texts)
    counted = Counter(word for text in sample for word in set(_words(text)))
    numbers = sum(count for word, count in counted.items() if any(map(str.isdigit, word)))
    recurring = sum(count > 1 for count in counted.values())
    return (
        len(sample) >= FEW_TEXTS
        and counted.total() >= PROSE_WORDS * len(sample)
        and recurring >= PROSE_TYPES * len(sample)
        and numbers <= PROSE_NUMBERS * counted.total()
    )


def is_rewriting(sources: Sequence[str], targets: Sequence[str]) -> bool:
    """Whether targets are their sources in another form.

    Either most of their words are those of the source, as in tables that are put in order, or nearly all pairs have equally
    many words, as a text and its pronunciation. A character of a script without spaces is a word here, as in Chinese and its pinyin.
    """
    samples = zip(_sample(sources), _sample(targets), strict=True)
    pairs = [(_words(source, split=True), _words(target, split=True)) for source, target in samples]
    equally_many = sum(len(words) == len(others) for words, others in pairs)
    common = sum((Counter(words) & Counter(others)).total() for words, others in pairs)
    written = sum(len(others) for _, others in pairs)
    return equally_many >= SAME_WORDS * len(pairs) or common >= COMMON_WORDS * written


def _words(text: str, *, split: bool = False) -> list[str]:
    """The parts between spaces and punctuation in lower case; scripts without spaces can be split into characters."""
    spaced = compiled(UNSPACED).sub(r" \g<0> ", text) if split and not text.isascii() else text
    return [part for part in _BETWEEN_WORDS.split(spaced.lower()) if any(map(str.isalnum, part))]


def suitable_unit(texts: Sequence[str]) -> str:
    """``symbol`` for phones and the like between spaces, ``char`` for short texts, else ``bpe``.

    Symbols are short and few, and no numbers: ``flour`` in ``flour | 2 | kg`` is a word, and ``12`` in ``12 g`` has digits.
    """
    sample = _sample(texts)
    if _symbols([text.split(" ") for text in sample if " " in text], len(sample)):
        return "symbol"
    return "char" if fmean(map(len, sample)) <= SHORT_TEXT else "bpe"


def _sample(texts: Sequence[str]) -> Sequence[str]:
    return texts[:: max(1, len(texts) // 2000)]


def _symbols(spaced: list[list[str]], texts: int) -> bool:
    """Whether the parts between spaces are symbols."""
    if len(spaced) <= SPACED * texts:
        return False
    counted = Counter(part for parts in spaced for part in parts)
    total = counted.total()
    if len(counted) > INVENTORY or sum(len(part) * count for part, count in counted.items()) > SYMBOL_MEAN * total:
        return False
    odd = sum(count for part, count in counted.items() if _base_length(part) > SYMBOL_MOST or _NUMBER.search(part))
    return odd <= ODD * total


def _base_length(part: str) -> int:
    """Number of characters without combining marks and ties."""
    return sum(not unicodedata.combining(character) for character in part)
