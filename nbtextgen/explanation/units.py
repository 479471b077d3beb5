"""Units: the parts of a source that receive attributions, and how they map to the model's tokens."""

from __future__ import annotations

import contextlib
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nbtextgen.core.errors import OptionError
from nbtextgen.explanation.attributions import Ids
from nbtextgen.explanation.hierarchy import joined_spans
from nbtextgen.tokenizers.base import Encoding, Tokenizer
from nbtextgen.tokenizers.normalization import Span
from nbtextgen.tokenizers.segmentation import character_spans, word_spans

BYTES = re.compile(r"(?:\\x[0-9a-f]{2})+")
"""A token that is no whole character."""
MAX_AUTOMATIC = 60
"""Most tokens or words that are units automatically; values of more are mostly noise at the default budget."""
PHRASES = 40
"""Most phrases: two seeds agree on nine of the ten strongest of 40, and on eight of 60 (benchmarks/long_inputs.py)."""
WORDS_OF_A_PHRASE = 4
"""About how many words make a phrase."""
MAX_WORD = 30
"""Most tokens of an automatic unit that is a word: a longer one (a DNA sequence, an address) is cut."""
WORD_PIECE = 8
"""About how many tokens make a piece of it."""
_UNSPACED = {
    "Thai": "\u0e01-\u0e4e",
    "Lao": "\u0e81-\u0ece",
    "Burmese": "\u1000-\u104f",
    "Khmer": "\u1780-\u17d3",
    "Chinese or Japanese": "\u3041-\u309f\u3400-\u9fff",
}
"""Scripts without spaces between words, and their letters; UAX 29 leaves their words to dictionaries (sec. 4)."""


@dataclass(frozen=True, eq=False)
class Units:
    """The features of an explanation, in the order of the text.

    Attributes:
        kind: ``char``, ``token``, ``word``, ``phrase`` or ``spans``.
        texts: each unit as it is shown.
        offsets: start and end in the source, in characters.
        member: the unit of every source token, ``(source_length,)``; ``None`` if units are finer than tokens, so that
            removing one means tokenizing the text again.
    """

    kind: str
    texts: tuple[str, ...]
    offsets: tuple[Span, ...]
    member: Ids | None

    def __len__(self) -> int:
        return len(self.texts)


def cut(source: str, encoding: Encoding, tokenizer: Tokenizer, kind: str = "auto", spans: Sequence[Span] = ()) -> Units:
    """Cut a source into units.

    A token that crosses the border of two words or spans joins them into one unit, since it can only be kept or removed
    as a whole. Characters are the exception: for a model whose tokens are longer, they are removed from the text itself,
    which is then tokenized again.

    Args:
        source: the text.
        encoding: its tokens.
        tokenizer: of the source side.
        kind: ``auto``, ``char``, ``token``, ``word`` or ``phrase``. With ``auto``, tokens, or words for BPE; but at most
            ``MAX_AUTOMATIC`` units, so that of a long text words, pieces of very long words, and phrases are explained.
        spans: the user's own units, which take precedence over ``kind``; the text between them becomes units too.

    Raises:
        OptionError: for spans that overlap or lie outside the text.
    """
    if spans:
        return _grouped("spans", source, encoding, _with_gaps(source, spans))
    if kind == "auto":
        return _of_suitable_size(source, encoding, "word" if tokenizer.kind == "bpe" else "token")
    if kind == "token":
        return _tokens(source, encoding)
    if kind == "word":
        return _grouped("word", source, encoding, word_spans(source))
    if kind == "phrase":
        words = word_spans(source)
        count = min(PHRASES, math.ceil(len(words) / WORDS_OF_A_PHRASE))
        return _grouped("phrase", source, encoding, joined_spans(source, words, max(1, count)))
    characters = character_spans(source)
    if tokenizer.kind == "char":
        return _grouped("char", source, encoding, characters)
    visible = [(start, stop) for start, stop in characters if not source[start:stop].isspace()]
    return Units("char", tuple(source[start:stop] for start, stop in visible), tuple(visible), None)


def _of_suitable_size(source: str, encoding: Encoding, kind: str) -> Units:
    """Tokens or words; of a long text words, or neighbouring words joined to phrases, so that values can be told from noise."""
    tokens = _tokens(source, encoding) if kind == "token" else None
    if tokens is not None and len(tokens) <= MAX_AUTOMATIC:
        return tokens
    words = word_spans(source)
    pieces = [piece for word in words for piece in _pieces(source, encoding, word)]
    units = _grouped("word" if pieces == words else "phrase", source, encoding, pieces)
    if len(units) <= MAX_AUTOMATIC:
        return units
    return _grouped("phrase", source, encoding, joined_spans(source, pieces, PHRASES))


def _pieces(source: str, encoding: Encoding, word: Span) -> list[Span]:
    """A word; or pieces of about equal length, if it has more than ``MAX_WORD`` tokens."""
    inside = sorted({span for span in encoding.offsets if word[0] <= span[0] and span[1] <= word[1]})
    if len(inside) <= MAX_WORD:
        return [word]
    return joined_spans(source, inside, math.ceil(len(inside) / WORD_PIECE))


def unspaced_note(source: str) -> list[str]:
    """A sentence if the source is partly in a script without spaces, whose words cannot be found without a dictionary."""
    scripts = [name for name, letters in _UNSPACED.items() if re.search(f"[{letters}]", source)]
    if not scripts:
        return []
    return [
        f"{' and '.join(scripts)} {'is' if len(scripts) == 1 else 'are'} written without spaces between words, which only a "
        "dictionary can find; there the units are characters, or the model's tokens where those are longer."
    ]


def _tokens(source: str, encoding: Encoding) -> Units:
    """One unit per token; tokens that share characters (bytes, jamo) are shown by their own texts."""
    shared = {span for span, count in Counter(encoding.offsets).items() if count > 1}
    texts = [
        token if span in shared else source[slice(*span)]
        for token, span in zip(name_bytes(encoding.tokens), encoding.offsets, strict=True)
    ]
    return Units("token", tuple(texts), tuple(encoding.offsets), np.arange(len(texts)))


def whole_characters(units: Units, source: str) -> Units:
    """The units, where those that share characters (bytes, jamo) are one: a text holds no part of a character."""
    spans, group = list[Span](), list[int]()
    for start, stop in units.offsets:
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(stop, spans[-1][1]))
        else:
            spans.append((start, stop))
        group.append(len(spans) - 1)
    if units.member is None or len(spans) == len(units):
        return units
    texts = tuple(source[slice(*span)] for span in spans)
    return replace(units, texts=texts, offsets=tuple(spans), member=np.array(group, dtype=np.int64)[units.member])


def name_bytes(tokens: Sequence[str]) -> list[str]:
    """Name pieces of a character after it: ``👍 1/4`` for the first of its four bytes."""
    names, run, raw = list(tokens), list[int](), b""
    for index, token in enumerate(tokens):
        if not BYTES.fullmatch(token):
            run, raw = [], b""
            continue
        run, raw = [*run, index], raw + bytes.fromhex(token.replace("\\x", ""))
        with contextlib.suppress(UnicodeDecodeError):
            text = raw.decode().strip()
            for position, piece in enumerate(run, 1):
                names[piece] = f"{text} {position}/{len(run)}"
            run, raw = [], b""
    return names


def _grouped(kind: str, source: str, encoding: Encoding, spans: list[Span]) -> Units:
    """Group tokens by the spans that they overlap; white space between spans belongs to the span after it."""
    spans = spans or [(0, len(source))]
    starts = np.array([start for start, _ in spans])
    first, last = list[int](), list[int]()  # span of every token
    for start, stop in encoding.offsets:
        touched = [index for index, (begin, end) in enumerate(spans) if start < end and begin < stop]
        following = min(int(np.searchsorted(starts, start)), len(spans) - 1)
        first.append(touched[0] if touched else following)
        last.append(touched[-1] if touched else following)
    group = np.arange(len(spans))
    for low, high in zip(first, last, strict=True):
        if high > low:
            group[np.isin(group, group[low : high + 1])] = group[low]
    groups = sorted({int(group[span]) for span in first})
    merged = list[Span]()
    for number in groups:
        joined = np.flatnonzero(group == number)
        merged.append((spans[int(joined[0])][0], spans[int(joined[-1])][1]))
    member = np.array([groups.index(int(group[span])) for span in first], dtype=np.int64)
    return Units(kind, tuple(source[slice(*span)] for span in merged), tuple(merged), member)


def _with_gaps(source: str, spans: Sequence[Span]) -> list[Span]:
    """The spans and the text between them, without white space at its ends."""
    units, end = list[Span](), 0
    for start, stop in sorted(spans):
        if not 0 <= start < stop <= len(source):
            raise OptionError(f"The span {start}-{stop} lies outside the text, which has {len(source)} characters.")
        if start < end:
            raise OptionError(f"The spans overlap at character {start}; give each part of the text once.")
        units += [*_stripped(source, end, start), (start, stop)]
        end = stop
    return [*units, *_stripped(source, end, len(source))]


def _stripped(source: str, start: int, stop: int) -> list[Span]:
    part = source[start:stop]
    inner = part.strip()
    begin = start + len(part) - len(part.lstrip())
    return [(begin, begin + len(inner))] if inner else []


def find_spans(source: str, parts: str | Sequence[str | Span]) -> list[Span]:
    """The user's own units as offsets.

    Args:
        source: the text.
        parts: ``"the 4th|July"`` (``\\|`` is a bar in a part), or a list of such parts or of (start, end); a part is searched after the
            one before it, then before, beside all others, so that a repeated word can be given twice.

    Raises:
        OptionError: if a part does not occur in the text.
    """
    if isinstance(parts, str):
        parts = [part.replace(r"\|", "|") for part in re.split(r"(?<!\\)\|", parts) if part]
    spans, after = list[Span](), 0
    for part in parts:
        if not isinstance(part, str):
            spans.append((int(part[0]), int(part[1])))
            continue
        start = _free_place(source, part, after, spans)
        if start < 0:
            raise OptionError(
                f"--spans: {part!r} is not in the text" + (" outside the other spans." if part in source else ".")
            )
        after = start + len(part)
        spans.append((start, after))
    return spans


def _free_place(source: str, part: str, after: int, spans: Sequence[Span]) -> int:
    """Where a part occurs beside the spans so far, after the last one if it does; -1 if nowhere."""
    starts = [match.start() for match in re.finditer(f"(?={re.escape(part)})", source)]
    free = [start for start in starts if all(start >= stop or start + len(part) <= begin for begin, stop in spans)]
    return next(iter([*(start for start in free if start >= after), *free]), -1)
