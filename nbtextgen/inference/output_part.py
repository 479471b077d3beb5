"""The part of an output that a question is about: the index of a token, or a piece of the text."""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.inference.predictor import Predictor
from nbtextgen.tokenizers.base import UNKNOWN
from nbtextgen.tokenizers.normalization import Span
from nbtextgen.tokenizers.segmentation import character_spans, word_spans


@dataclass(frozen=True)
class OutputPart:
    """Tokens of an output, and the text that they stand for.

    Attributes:
        steps: their indices.
        text: the piece of the output; for a single token, the token as it is shown.
    """

    steps: tuple[int, ...]
    text: str


def token_spans(predictor: Predictor, text: str, ids: Sequence[int], source: str) -> list[Span]:
    """Start and end in ``text`` of the tokens ``ids``, found by decoding ever longer beginnings of them.

    Bytes before the last one of a character are empty spans, since they decode to nothing of their own. The space before a
    word belongs to its token, but not to its span.

    Args:
        predictor: the model that wrote them.
        text: the output.
        ids: its tokens, without the end token; ids beyond the vocabulary are words copied from ``source``.
        source: the input.
    """
    words = [] if predictor.copy is None else predictor.copy.ids(source)[1]
    ends = [0]
    for stop in range(1, len(ids) + 1):
        ends.append(max(ends[-1], _finished(predictor.codec.text(list(ids[:stop]), words), text)))
    if len(ends) > 1:
        ends[-1] = len(text)
    return [_without_space(text, start, stop) for start, stop in zip(ends, ends[1:], strict=False)]


def _finished(beginning: str, text: str) -> int:
    """How many characters of ``text`` its decoded ``beginning`` has, without a mark for the first bytes of the next one."""
    end = min(len(beginning), len(text))
    while end and beginning[end - 1] == UNKNOWN != text[end - 1]:
        end -= 1
    return end


def _without_space(text: str, start: int, stop: int) -> Span:
    return (start + 1, stop) if stop - start > 1 and text[start] == " " else (start, stop)


def find_part(part: object, text: str, tokens: Sequence[str], spans: Sequence[Span]) -> OutputPart:
    """The tokens that a part of an output consists of.

    A piece of the text is found as whole words if it can be, else inside of them, and at its first place if it occurs more
    than once. Letters with marks are found in either Unicode form.

    Args:
        part: the index of a token, from the end if negative; or a piece of the text.
        text: the output.
        tokens: its tokens as they are shown, an end mark included if there is one.
        spans: start and end of the tokens in ``text``; an end mark has an empty span at its end or none at all.

    Raises:
        DataError: if the part is not in the output.
        OptionError: if it is neither an index nor a text.
    """
    if not isinstance(part, str):
        index = _index(part)
        if not -len(tokens) <= index < len(tokens):
            raise DataError(f"--token={index} is not in the output, which has tokens 0 to {len(tokens) - 1}.")
        return OutputPart((index % len(tokens),), tokens[index])
    if not part:
        raise DataError("--token is empty; give a piece of the output.")
    place = _place(text, part)
    if place is None:
        raise DataError(f"--token: {part!r} is not in the output {text!r}.")
    start, stop = place
    touched = [step for step, (begin, end) in enumerate(whole_spans(text, spans)) if begin < stop and start < end]
    if not touched:  # white space that belongs to the token after it
        touched = [step for step, (begin, _) in enumerate(spans) if begin >= start][:1]
    return OutputPart(tuple(touched), text[start:stop])


def _index(part: object) -> int:
    if not isinstance(part, bool):
        try:
            return operator.index(part)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        except TypeError:
            pass
    raise OptionError(f"--token must be the index of an output token or a piece of the output (got {part!r}).")


def whole_spans(text: str, spans: Sequence[Span]) -> list[Span]:
    """The spans, where bytes of a character have that of the whole character."""
    whole, following = list(spans), (len(text), len(text))
    for step in reversed(range(len(whole))):
        start, stop = whole[step]
        if start < stop:
            following = whole[step]
        elif start < len(text):
            whole[step] = following
    return whole


def _place(text: str, part: str) -> Span | None:
    """Start and end of a piece of a text, preferably as whole words; ``None`` if it is not there."""
    if part in text:
        return _as_words(text, part)
    pieces, composed_part = [text[slice(*span)] for span in character_spans(text)], unicodedata.normalize("NFC", part)
    composed = [unicodedata.normalize("NFC", piece) for piece in pieces]
    place = _as_words("".join(composed), composed_part)
    if place is None:
        stripped = part.strip()
        return _place(text, stripped) if stripped not in ("", part) else None
    starts, ends = (
        list[int](),
        list[int](),
    )  # for every composed character, those of the piece of the text that it is in
    end = 0
    for piece, character in zip(pieces, composed, strict=True):
        starts += [end] * len(character)
        end += len(piece)
        ends += [end] * len(character)
    return starts[place[0]], ends[place[1] - 1]


def _as_words(text: str, part: str) -> Span | None:
    starts = [match.start() for match in re.finditer(f"(?={re.escape(part)})", text)]
    borders = {border for span in word_spans(text) for border in span}
    whole = [start for start in starts if start in borders and start + len(part) in borders]
    start = next(iter([*whole, *starts]), None)
    return None if start is None else (start, start + len(part))
