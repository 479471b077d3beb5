"""What is explained: a source, and what was or could have been written for it."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import DataError
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.predictor import Predictor
from nbtextgen.tokenizers.base import BOS, EOS, Encoding
from nbtextgen.tokenizers.normalization import Span

END = "■"
"""How the end mark is shown among the output tokens."""
Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Output:
    """A target sequence, the end mark included.

    Attributes:
        text: as it reads.
        ids: token ids, from the first to EOS, ``(steps,)``; ids beyond the vocabulary are words copied from the source.
        tokens: each as it is shown.
        offsets: start and end in ``text``, in characters.
    """

    text: str
    ids: Ids
    tokens: tuple[str, ...]
    offsets: tuple[Span, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def inputs(self) -> Ids:
        """What the decoder reads at each step, ``(steps,)``."""
        return np.concatenate([[BOS], self.ids[:-1]])


@dataclass(frozen=True, eq=False)
class Subject:
    """One source with its output, and the alternative where the question is "why this and not that".

    Attributes:
        source: the text.
        encoding: its tokens.
        copy_ids: for a copy head, what each source token would be copied as.
        output: what is explained.
        contrast: the alternative, or ``None``.
    """

    source: str
    encoding: Encoding
    copy_ids: Ids | None
    output: Output
    contrast: Output | None = None

    @property
    def ids(self) -> Ids:
        """Source ids, ``(source_length,)``."""
        return np.array(self.encoding.ids, dtype=np.int64)

    def pairing(self) -> NDArray[np.float64]:
        """Which alternative tokens each output token stands against, ``(steps, alternative steps)``, zeros and ones.

        Every token of the alternative has exactly one place, so that the differences add up to the difference of the
        two log-probabilities. Where the alternative is longer, one token of ours stands against several; where it is
        shorter, against none.
        """
        assert self.contrast is not None
        ours, theirs = self.output.ids.tolist(), self.contrast.ids.tolist()
        found = np.zeros((len(ours), len(theirs)))
        for _, start, stop, begin, end in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
            # An insertion has no token of ours: the next one bears it, at the very end the end mark.
            last = min(max(stop - 1, start), len(ours) - 1)
            for at in range(begin, end):
                found[min(start + at - begin, last), at] = 1.0
        return found


def make_subject(predictor: Predictor, source: str, target: str | Generation | None, contrast: str | None) -> Subject:
    """Tokenise the question.

    Args:
        writer: the model.
        source: the input.
        target: the output to explain: a text, a generation, or ``None`` for what the model writes (greedily).
        contrast: the alternative output.

    Raises:
        DataError: when the source holds no token, or the output is empty.
    """
    encoding = predictor.source.encode(source)
    if not encoding.ids:
        raise DataError("The source holds nothing the model reads, so there is nothing to explain; give some text.")
    copy_ids, extra = (None, []) if predictor.copy is None else predictor.copy.ids(source)
    if target is None:
        target = predictor.predict([source], DecodingConfig())[0]
    if isinstance(target, Generation):
        ids = np.array([*target.ids, EOS], dtype=np.int64)
        output = _output(predictor, ids, extra, target.text, target.tokens)
    else:
        output = _encoded(predictor, source, target, extra, "--target")
    other = None if contrast is None else _encoded(predictor, source, contrast, extra, "--contrast")
    return Subject(source, encoding, copy_ids, output, other)


def _encoded(predictor: Predictor, source: str, text: str, extra: list[str], flag: str) -> Output:
    if not text.strip():
        raise DataError(f"{flag} is empty; give the output to explain.")
    if predictor.copy is not None:
        ids = predictor.copy.targets(text, extra)[1:]
    else:
        ids = np.array([*predictor.target.encode(text).ids, EOS], dtype=np.int64)
    return _output(predictor, ids, extra, text, tuple(predictor.target.encode(text).tokens))


def _output(predictor: Predictor, ids: Ids, extra: list[str], text: str, tokens: tuple[str, ...]) -> Output:
    """With offsets from decoding ever longer beginnings; where decoding only shows bytes, offsets never run backwards."""
    ends = [0]
    for stop in range(1, len(ids)):
        ends.append(min(len(text), max(ends[-1], len(predictor.codec.text(ids[:stop].tolist(), extra)))))
    if len(ends) > 1:
        ends[-1] = len(text)
    offsets = [*zip(ends, ends[1:], strict=False), (len(text), len(text))]
    trimmed = [_trimmed(text, span) for span in offsets]
    return Output(text, ids, (*tokens, END), tuple(trimmed))


def _trimmed(text: str, span: Span) -> Span:
    """Without the space that belongs to a word's token, as on the input side."""
    start, stop = span
    return (start + 1, stop) if stop - start > 1 and text[start] == " " else span
