"""Between texts and token ids: what writing needs beside the networks. Without torch, so that exported models share it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np

from nbtextgen.core.errors import DataError, ModelFileError, OptionError
from nbtextgen.data.batching import CopyMap, Examples
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.decoding.hypothesis import Hypothesis
from nbtextgen.inference.generation import Generation, Generations
from nbtextgen.tokenizers.base import UNK, UNKNOWN, Tokenizer

PADDED_IDS = 1 << 23
"""Token ids, padding included, that are handed to a search at once: 64 MB."""


@dataclass(frozen=True)
class LengthLimit:
    """How long an output may get: ``offset + slope x source tokens``, from the training pairs."""

    offset: int
    slope: float

    @classmethod
    def of(cls, examples: Examples) -> LengthLimit:
        """A quarter more than what 999 of 1,000 training pairs needed, and a little.

        Beam search goes on while a longer output could still win, so a limit that is too generous costs time.
        """
        source, target = examples.lengths()
        ratio = float(np.median(target / np.maximum(1, source)))
        beyond = float(np.quantile(target - ratio * source, 0.999))
        return cls(3 + max(0, math.ceil(1.25 * beyond)), 1.25 * ratio)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> LengthLimit:
        """From a manifest; raises ``ModelFileError`` when it is no limit."""
        offset, slope = values["offset"], values["slope"]
        if not (isinstance(offset, int) and isinstance(slope, (int, float)) and 0 <= offset < 1e6 and 0 <= slope < 1e6):
            raise ModelFileError(f"the length limit {offset!r} + {slope!r} x source is none.")
        return cls(offset, float(slope))

    def __call__(self, source_length: int) -> int:
        return self.offset + math.ceil(self.slope * source_length)


def validate_sources(texts: Any, clean: str | None) -> list[str]:
    """Sources as a model reads them: rewritten by the cleaning steps it was trained with.

    Raises:
        DataError: for one that is empty or not text; names its position.
    """
    sources = list(texts)
    if clean:
        from nbtextgen.data.cleaning.clean import rewriter

        sources = list(map(rewriter(clean), validate_sources(sources, None)))
    for number, text in enumerate(sources, 1):
        where = f"Source {number:,} of {len(sources):,}" if len(sources) > 1 else "The source"
        if not isinstance(text, str):
            raise DataError(f"{where} is {type(text).__name__}, not text; convert it with str() first.")
        if not text.strip():
            raise DataError(f"{where} is empty; give some text to start from.")
    return sources


class Rules(TypedDict):
    """What the words of ``DecodingConfig`` mean in token ids; the keywords of ``decode`` and ``stream``."""

    prefix_ids: Sequence[int]
    allow_ids: Sequence[int] | None
    forbid_ids: Sequence[Sequence[int]]


@dataclass(frozen=True)
class TextCodec:
    """Both tokenizers, and the copy map of a model that points at its source.

    Attributes:
        source, target: tokenizers of both sides.
        copy: target-side ids of source tokens, with a copy head only.
    """

    source: Tokenizer
    target: Tokenizer
    copy: CopyMap | None = None

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Source ids of every text; a text of no tokens is one unknown token."""
        return [ids or [UNK] for ids in self.source.encode_batch(list(texts))]

    def copies(self, texts: Sequence[str]) -> tuple[list[list[int]] | None, list[list[str]]]:
        """Copy ids of every text (``None`` without a copy head), and the tokens that only its source knows."""
        if self.copy is None:
            return None, [[] for _ in texts]
        pairs = [self.copy.ids(text) for text in texts]
        return [ids.tolist() or [UNK] for ids, _ in pairs], [extra for _, extra in pairs]

    def rules(self, config: DecodingConfig, prefix_ids: Sequence[int] = ()) -> Rules:
        """The rules that a configuration asks for; ``prefix_ids`` take the place of its prefix.

        Raises:
            OptionError: for a word that is not in the vocabulary.
        """
        if not prefix_ids and config.prefix:
            prefix_ids = self.target.encode(config.prefix).ids
        allowed = {one for word in config.allow for one in self._known(word, "allow")}
        return Rules(
            prefix_ids=prefix_ids,
            allow_ids=sorted(allowed) if config.allow else None,
            forbid_ids=[self._known(word, "forbid") for word in config.forbid],
        )

    def _known(self, word: str, name: str) -> list[int]:
        """Tokens of a word that an option names."""
        found = self.target.encode(word).ids
        if UNK in found or not found:
            raise OptionError(f"--{name} {word!r} is not in the model's vocabulary.")
        return found

    def generate(
        self,
        texts: Sequence[str],
        most: int,
        written: Callable[[list[str], list[list[int]]], list[Generation]],
    ) -> Generations:
        """Let ``written`` write for many at a time, in order of length, and put the outputs back.

        Args:
            texts: sources.
            most: how many of them together; fewer where they are long.
            written: from texts and their ids to their generations.
        """
        encoded = self.encode(texts)
        # The longest first: at the end, when nobody waits for the free places, little is left to write.
        order = sorted(range(len(texts)), key=lambda number: -len(encoded[number]))
        results: dict[int, Generation] = {}
        start = 0
        while start < len(order):
            longest = max(1, len(encoded[order[start]]))
            rows = order[start : start + max(1, min(most, PADDED_IDS // longest))]
            start += len(rows)
            found = written([texts[row] for row in rows], [encoded[row] for row in rows])
            results.update(zip(rows, found, strict=True))
        return Generations(results[number] for number in range(len(texts)))

    def generation(
        self,
        text: str,
        hypotheses: Sequence[Hypothesis],
        extra: list[str],
        *,
        attended: bool,
        replace_unknown: bool,
    ) -> Generation:
        """What a user gets for one source.

        Args:
            text: the source.
            hypotheses: best first.
            extra: the tokens that only its source knows, from ``copies``.
            attended: whether the model has attention.
            replace_unknown: write the source token most attended to where the output is unknown.
        """
        pieces = self.source.encode(text).tokens
        candidates = []
        for hypothesis in hypotheses:
            attention = hypothesis.attention if attended else None
            if attention is not None:
                attention = attention[: len(hypothesis.ids), : len(pieces)]
            swaps = self._swaps(hypothesis, attention, pieces, extra, replace=replace_unknown)
            tokens = [swaps.get(at) or self.target.token(one) for at, one in enumerate(hypothesis.ids)]
            candidates.append(
                Generation(
                    source=text,
                    text=self._joined(hypothesis.ids, swaps),
                    tokens=tuple(tokens),
                    input_tokens=tuple(pieces),
                    log_probabilities=hypothesis.log_probabilities,
                    attention=attention,
                    score=hypothesis.score,
                    ids=tuple(hypothesis.ids),
                )
            )
        first = candidates[0]
        return Generation(**{**vars(first), "candidates": tuple(candidates)})

    def _swaps(
        self,
        hypothesis: Hypothesis,
        attention: np.ndarray | None,
        pieces: Sequence[str],
        extra: list[str],
        *,
        replace: bool,
    ) -> dict[int, str]:
        """Output positions whose token comes from the source: copied ones, and unknown ones when asked for."""
        swaps = {}
        for at, one in enumerate(hypothesis.ids):
            if one >= self.target.size:
                swaps[at] = extra[one - self.target.size]
            elif one == UNK and replace and attention is not None and len(pieces):
                swaps[at] = pieces[int(attention[at].argmax())]
        return swaps

    def token(self, number: int, extra: Sequence[str]) -> str:
        """The text of one id; ids beyond the vocabulary are the source's own words."""
        return extra[number - self.target.size] if number >= self.target.size else self.target.token(number)

    def text(self, ids: list[int], extra: list[str]) -> str:
        """The text of token ids; ``extra`` are the source's own words, which the ids beyond the vocabulary stand for."""
        return self._joined(
            ids, {at: extra[one - self.target.size] for at, one in enumerate(ids) if one >= self.target.size}
        )

    def stream_text(self, tokens: Iterable[int], extra: list[str]) -> Iterator[str]:
        """Yield the text of tokens piece by piece, as they come."""
        said, written = "", list[int]()
        for token in tokens:
            written.append(token)
            now = self.text(written, extra)
            # The last character may still change (a letter cut in half, an accent to come): hold it back.
            if now.startswith(said) and not now.endswith(UNKNOWN):
                yield now[len(said) :]
                said = now
        final = self.text(written, extra)
        if final != said:
            yield final[len(said) :]

    def _joined(self, ids: list[int], swaps: dict[int, str]) -> str:
        """The text of the ids, with some positions written as given."""
        if not swaps:
            return self.target.decode(ids)
        # Unknown tokens are written as one mark each, so decoding with them in place shows where to put the pieces.
        marked = [UNK if at in swaps else one for at, one in enumerate(ids)]
        pieces = iter([swaps.get(at) for at, one in enumerate(marked) if one == UNK])
        mark = self.target.unknown
        space = mark.removesuffix(UNKNOWN)  # a word's mark brings the space before it, as the words do
        parts = (space + self.target.decode(marked)).split(mark)
        text = parts[0]
        for part in parts[1:]:
            piece = next(pieces, None)
            text += (mark if piece is None else piece) + part
        return text.removeprefix(space)
