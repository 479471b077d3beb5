"""The subject of an explanation: a source, its output, and an alternative output for a contrast."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from nbtextgen.core.errors import DataError
from nbtextgen.core.escaping import pictured_piece
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.explanation.attributions import Ids, Values
from nbtextgen.explanation.units import name_bytes
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.output_part import token_spans
from nbtextgen.inference.predictor import Predictor
from nbtextgen.tokenizers.base import BOS, EOS, UNK, Encoding
from nbtextgen.tokenizers.normalization import Span

END = "■"
"""How the end mark is shown among the output tokens."""
RUNNER_UP = "runner-up"
"""The contrast that stands for the second-best output of a beam search."""
RUNNER_UP_BEAM = 4
"""Beam of the search for it."""


@dataclass(frozen=True, eq=False)
class ExplainedOutput:
    """A target sequence, the end mark included.

    Attributes:
        text: the output as a reader sees it.
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
        """The decoder's input at each step, ``(steps,)``."""
        return np.concatenate([[BOS], self.ids[:-1]])


@dataclass(frozen=True, eq=False)
class Subject:
    """A source with its output, and an alternative output if the question is "why this and not that".

    Attributes:
        source: the text.
        encoding: its tokens.
        copy_ids: for a copy head, the id that each source token would be copied as.
        output: the output that is explained.
        contrast: the alternative, or ``None``.
    """

    source: str
    encoding: Encoding
    copy_ids: Ids | None
    output: ExplainedOutput
    contrast: ExplainedOutput | None = None

    @property
    def ids(self) -> Ids:
        """Source ids, ``(source_length,)``."""
        return np.array(self.encoding.ids, dtype=np.int64)

    def notes(self, given: Iterable[str]) -> tuple[str, ...]:
        """What to know about outputs that the user gave (``target``, ``contrast``), as sentences: text that is unknown."""
        notes = list[str]()
        for name, output in (("target", self.output), ("contrast", self.contrast)):
            if output is None or name not in given:
                continue
            unknown = [token for token, number in zip(output.tokens, output.ids.tolist(), strict=True) if number == UNK]
            if unknown:
                few = ", ".join(map(pictured_piece, list(dict.fromkeys(unknown))[:10]))
                notes.append(
                    f"Parts of the {name} are unknown to this model and scored as one and the same token: {few}"
                )
        return tuple(notes)

    def pairing(self) -> Values:
        """Which tokens of the alternative are compared with each output token, ``(steps, alternative steps)``, 0 or 1.

        Every token of the alternative has exactly one partner, so that the differences add up to the difference of the
        two log-probabilities. Where the alternative is longer, one output token has several partners; where it is
        shorter, some have none.
        """
        assert self.contrast is not None
        ours, theirs = self.output.ids.tolist(), self.contrast.ids.tolist()
        pairing = np.zeros((len(ours), len(theirs)))
        for _, start, stop, begin, end in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
            # Tokens that only the alternative has are paired with the output token after them, at the very end EOS.
            last = min(max(stop - 1, start), len(ours) - 1)
            for column in range(begin, end):
                pairing[min(start + column - begin, last), column] = 1.0
        return pairing


def read_part(predictor: Predictor, source: str) -> str:
    """The part of a source that the model reads: all of it, or its first ``max_source`` tokens."""
    offsets = predictor.source.encode(source).offsets
    return source if len(offsets) <= predictor.max_source else source[: offsets[predictor.max_source - 1][1]]


def make_subject(predictor: Predictor, source: str, target: str | Generation | None, contrast: str | None) -> Subject:
    """Tokenize the source and the outputs.

    Args:
        predictor: the model.
        source: the input.
        target: the output to explain: a text, a generation, or ``None`` for what the model generates (greedily).
        contrast: the alternative output; ``runner-up`` for the model's second choice.

    Raises:
        DataError: for a source without tokens, an empty output, a contrast that is the output, or a runner-up that does not
            exist.
    """
    encoding = predictor.source.encode(source)
    if not encoding.ids:
        raise DataError("The source holds nothing the model reads, so there is nothing to explain; give some text.")
    copy_ids = None if predictor.copy is None else predictor.copy.ids(source)[0]
    if target is None:
        target = predictor.predict([source], DecodingConfig())[0]
    if isinstance(target, Generation):
        ids = np.array([*target.ids, EOS], dtype=np.int64)
        output = _output(predictor, ids, source, target.text, target.tokens)
    else:
        output = _encoded(predictor, target, source, "--target")
    if contrast == RUNNER_UP:
        contrast = _runner_up(predictor, source, output.text)
    alternative = None if contrast is None else _encoded(predictor, contrast, source, "--contrast")
    if alternative is not None and np.array_equal(alternative.ids, output.ids):
        raise DataError(
            f"--contrast is the explained output itself; give another text, or {RUNNER_UP} for the model's second choice."
        )
    return Subject(source, encoding, copy_ids, output, alternative)


def _runner_up(predictor: Predictor, source: str, text: str) -> str:
    """The likeliest other output that a small beam search ends with."""
    config = DecodingConfig(beam=RUNNER_UP_BEAM, n_best=RUNNER_UP_BEAM)
    candidates = predictor.predict([source], config)[0].candidates
    others = [each.text for each in candidates if each.text != text and each.text.strip()]
    if not others:
        raise DataError("The model has no second choice for this source; give the --contrast as a text.")
    return others[0]


def _encoded(predictor: Predictor, text: str, source: str, flag: str) -> ExplainedOutput:
    if not text.strip():
        raise DataError(f"{flag} is empty; give the output to explain.")
    encoding = predictor.target.encode(text)
    if predictor.copy is not None:
        ids = predictor.copy.targets(text, predictor.copy.ids(source)[1])[1:]
    else:
        ids = np.array([*encoding.ids, EOS], dtype=np.int64)
    return _output(predictor, ids, source, text, tuple(encoding.tokens))


def _output(predictor: Predictor, ids: Ids, source: str, text: str, tokens: tuple[str, ...]) -> ExplainedOutput:
    spans = token_spans(predictor, text, ids[:-1].tolist(), source)
    return ExplainedOutput(text, ids, (*name_bytes(tokens), END), (*spans, (len(text), len(text))))
