"""What the input is cut into, and how units map to the model's tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import OptionError
from nbtextgen.tokenizers.base import Encoding, Tokenizer
from nbtextgen.tokenizers.normalization import Span

_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


@dataclass(frozen=True, eq=False)
class Units:
    """The features of an explanation, in the order of the text.

    Attributes:
        kind: ``char``, ``token``, ``word`` or ``spans``.
        texts: each unit as it is shown.
        offsets: start and end in the source, in characters.
        member: the unit of every source token, ``(source_length,)``; ``None`` when units are finer than tokens, so
            that leaving one out means cutting the text anew.
    """

    kind: str
    texts: tuple[str, ...]
    offsets: tuple[Span, ...]
    member: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.texts)


def cut(source: str, encoding: Encoding, tokenizer: Tokenizer, kind: str = "auto", spans: Sequence[Span] = ()) -> Units:
    """Cut a source into units.

    A token that reaches over the border of two words or spans joins them into one unit, since it can only be kept or
    left out as a whole. Characters are the exception: for a model whose tokens are longer, they are left out of the
    text itself, which is then tokenised anew.

    Args:
        source: the text.
        encoding: its tokens.
        tokenizer: of the source side.
        kind: ``auto``, ``char``, ``token`` or ``word``.
        spans: the user's own units, which win over ``kind``; what lies between them becomes units too.
    """
    if kind == "auto":
        kind = "word" if tokenizer.kind == "bpe" else "token"
    if spans:
        return _grouped("spans", source, encoding, _with_gaps(source, spans))
    if kind == "token":
        return _tokens(source, encoding)
    if kind == "word":
        return _grouped("word", source, encoding, [match.span() for match in _WORD.finditer(source)])
    characters = [(at, at + 1) for at in range(len(source))]
    if tokenizer.kind == "char":
        return _grouped("char", source, encoding, characters)
    shown = [span for span in characters if not source[span[0]].isspace()]
    return Units("char", tuple(source[start] for start, _ in shown), tuple(shown), None)


def _tokens(source: str, encoding: Encoding) -> Units:
    """Every token is a unit; where tokens share characters (bytes, jamo), each is shown by its own text."""
    shared = {span for span in encoding.offsets if encoding.offsets.count(span) > 1}
    texts = [
        token if span in shared else source[slice(*span)]
        for token, span in zip(encoding.tokens, encoding.offsets, strict=True)
    ]
    return Units("token", tuple(texts), tuple(encoding.offsets), np.arange(len(texts)))


def _grouped(kind: str, source: str, encoding: Encoding, spans: list[Span]) -> Units:
    """Tokens gathered by the spans that they touch; white space between spans goes with the one after it."""
    spans = spans or [(0, len(source))]
    starts = np.array([start for start, _ in spans])
    first, last = [], []
    for start, stop in encoding.offsets:
        touched = [at for at, (begin, end) in enumerate(spans) if start < end and begin < stop]
        following = min(int(np.searchsorted(starts, start)), len(spans) - 1)
        first.append(touched[0] if touched else following)
        last.append(touched[-1] if touched else following)
    group = np.arange(len(spans))
    for low, high in zip(first, last, strict=True):
        if high > low:
            group[np.isin(group, group[low : high + 1])] = group[low]
    kept = sorted({int(group[at]) for at in first})
    merged = [
        (spans[np.flatnonzero(group == each)[0]][0], spans[np.flatnonzero(group == each)[-1]][1]) for each in kept
    ]
    member = np.array([kept.index(int(group[at])) for at in first], dtype=np.int64)
    return Units(kind, tuple(source[slice(*span)] for span in merged), tuple(merged), member)


def _with_gaps(source: str, spans: Sequence[Span]) -> list[Span]:
    """The spans and, between them, whatever is not white space."""
    ordered, found, at = sorted(spans), [], 0
    for start, stop in ordered:
        if not 0 <= start < stop <= len(source):
            raise OptionError(f"The span {start}-{stop} lies outside the text, which has {len(source)} characters.")
        if start < at:
            raise OptionError(f"The spans overlap at character {start}; give each part of the text once.")
        found += [*_stripped(source, at, start), (start, stop)]
        at = stop
    return [*found, *_stripped(source, at, len(source))]


def _stripped(source: str, start: int, stop: int) -> list[Span]:
    part = source[start:stop]
    inner = part.strip()
    begin = start + len(part) - len(part.lstrip())
    return [(begin, begin + len(inner))] if inner else []


def find_spans(source: str, parts: str | Sequence[str | Span]) -> list[Span]:
    """The user's own units as offsets.

    Args:
        source: the text.
        parts: ``"the 4th|July"``, or a list of such parts or of (start, end); a part is looked for after the one
            before it, so that a repeated word can be named twice.

    Raises:
        OptionError: when a part does not stand in the text.
    """
    if isinstance(parts, str):
        parts = [part for part in parts.split("|") if part]
    found: list[Span] = []
    after = 0
    for part in parts:
        if not isinstance(part, str):
            found.append((int(part[0]), int(part[1])))
            continue
        at = source.find(part, after)
        if at < 0:
            raise OptionError(f"--spans: {part!r} does not stand in the text" + (" a further time." if after else "."))
        found.append((at, at + len(part)))
        after = at + len(part)
    return found
