"""``TextCodec``: from texts to token ids and from hypotheses to generations. Exported models use it too, so it is torch-free."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import DataError, ModelFileError, OptionError
from nbtextgen.data.batching import CopyMap, Examples
from nbtextgen.data.cleaning.clean import rewriter
from nbtextgen.decoding.config import DecodingConfig, TokenRules
from nbtextgen.decoding.hypothesis import Hypothesis
from nbtextgen.inference.generation import Generation, Generations
from nbtextgen.tokenizers.base import UNK, UNKNOWN, Tokenizer

MAX_PADDED_IDS = 1 << 23
"""Token ids, including padding, that one search is given: 64 MB."""


@dataclass(frozen=True)
class LengthLimit:
    """The longest output for a source: ``offset + slope x source tokens``, learned from the training pairs."""

    offset: int
    slope: float

    @classmethod
    def from_examples(cls, examples: Examples) -> LengthLimit:
        """Allow 25 % more than 999 of 1,000 training pairs need, plus a constant.

        Beam search continues while a longer output could still win, so a limit that is too high costs time.
        """
        source, target = examples.lengths()
        ratio = float(np.median(target / np.maximum(1, source)))
        excess = float(np.quantile(target - ratio * source, 0.999))
        return cls(3 + max(0, math.ceil(1.25 * excess)), 1.25 * ratio)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> LengthLimit:
        """Read a limit from a manifest; raises ``ModelFileError`` if the numbers are not a limit."""
        offset, slope = values["offset"], values["slope"]
        if not (isinstance(offset, int) and isinstance(slope, (int, float)) and 0 <= offset < 1e6 and 0 <= slope < 1e6):
            raise ModelFileError(
                f'"limit" needs two non-negative numbers, but has offset {offset!r} and slope {slope!r}.'
            )
        return cls(offset, float(slope))

    def __call__(self, source_length: int) -> int:
        return self.offset + math.ceil(self.slope * source_length)


def validate_sources(texts: Iterable[object], clean: str | None) -> list[str]:
    """Check sources, and apply the cleaning steps that the model was trained with.

    Raises:
        DataError: for a source that is empty or not text; the message names its position.
    """
    objects = list(texts)
    if clean:
        objects = list(map(rewriter(clean), validate_sources(objects, None)))
    sources = list[str]()
    for number, text in enumerate(objects, 1):
        where = f"Source {number:,} of {len(objects):,}" if len(objects) > 1 else "The source"
        if not isinstance(text, str):
            raise DataError(f"{where} is {type(text).__name__}, not text; convert it with str() first.")
        if not text.strip():
            raise DataError(f"{where} is empty; give some text to start from.")
        sources.append(text)
    return sources


@dataclass(frozen=True)
class TextCodec:
    """The tokenizers of both sides, and the copy map of a model with a copy head.

    Attributes:
        source, target: tokenizers of both sides.
        copy: maps source tokens to target-side ids; only with a copy head.
    """

    source: Tokenizer
    target: Tokenizer
    copy: CopyMap | None = None

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the source ids of every text; a text without tokens becomes one unknown token."""
        return [ids or [UNK] for ids in self.source.encode_batch(list(texts))]

    def copy_ids(self, texts: Sequence[str]) -> tuple[list[list[int]] | None, list[list[str]]]:
        """Return the copy ids of every text (``None`` without a copy head), and its words outside the vocabulary."""
        if self.copy is None:
            return None, [[] for _ in texts]
        pairs = [self.copy.ids(text) for text in texts]
        return [ids.tolist() or [UNK] for ids, _ in pairs], [words for _, words in pairs]

    def token_rules(self, config: DecodingConfig, prefix: Sequence[int] = ()) -> TokenRules:
        """Return the token rules of a configuration; the token ids ``prefix`` replace its prefix.

        Raises:
            OptionError: for a word that is not in the vocabulary.
        """
        if not prefix and config.prefix:
            prefix = self.target.encode(config.prefix).ids
        allowed = {token for word in config.allow for token in self._word_ids(word, "allow")}
        return TokenRules(
            prefix=tuple(prefix),
            allow=tuple(sorted(allowed)) if config.allow else None,
            forbid=tuple(self._word_ids(word, "forbid") for word in config.forbid),
        )

    def _word_ids(self, word: str, option: str) -> tuple[int, ...]:
        """Return the token ids of a word that an option names."""
        ids = self.target.encode(word).ids
        if UNK in ids or not ids:
            raise OptionError(f"--{option} {word!r} is not in the model's vocabulary.")
        return tuple(ids)

    def generate(
        self,
        texts: Sequence[str],
        max_sources: int,
        search: Callable[[list[str], list[list[int]]], list[Generation]],
    ) -> Generations:
        """Search for the outputs of many sources, sorted by length, and return them in the order of the sources.

        Args:
            texts: the sources.
            max_sources: sources per search; fewer if they are long.
            search: from texts and their ids to their generations.
        """
        encoded = self.encode(texts)
        # The longest first: at the end, when no source waits for the free rows, the remaining outputs are short.
        order = sorted(range(len(texts)), key=lambda index: -len(encoded[index]))
        results: dict[int, Generation] = {}
        start = 0
        while start < len(order):
            longest = max(1, len(encoded[order[start]]))
            indices = order[start : start + max(1, min(max_sources, MAX_PADDED_IDS // longest))]
            start += len(indices)
            generations = search([texts[index] for index in indices], [encoded[index] for index in indices])
            results.update(zip(indices, generations, strict=True))
        return Generations(results[index] for index in range(len(texts)))

    def generation(
        self,
        text: str,
        hypotheses: Sequence[Hypothesis],
        source_words: list[str],
        *,
        has_attention: bool,
        replace_unknown: bool,
    ) -> Generation:
        """Return the generation for one source.

        Args:
            text: the source.
            hypotheses: its outputs, best first.
            source_words: its words outside the vocabulary, from ``copy_ids``.
            has_attention: whether the model has attention.
            replace_unknown: whether an unknown token is replaced by the source token with the most attention.
        """
        pieces = self.source.encode(text).tokens
        candidates = list[Generation]()
        for hypothesis in hypotheses:
            attention = hypothesis.attention if has_attention else None
            if attention is not None:
                attention = attention[: len(hypothesis.ids), : len(pieces)]
            unknown = attention if replace_unknown else None
            replacements = self._replacements(hypothesis.ids, source_words, pieces, unknown)
            tokens = [
                replacements.get(position) or self.target.token(token) for position, token in enumerate(hypothesis.ids)
            ]
            candidates.append(
                Generation(
                    source=text,
                    text=self._decode(hypothesis.ids, replacements),
                    tokens=tuple(tokens),
                    input_tokens=tuple(pieces),
                    log_probabilities=hypothesis.log_probabilities,
                    attention=attention,
                    score=hypothesis.score,
                    ids=tuple(hypothesis.ids),
                )
            )
        first = candidates[0]
        return replace(first, candidates=tuple(candidates))

    def _replacements(
        self,
        ids: Sequence[int],
        source_words: Sequence[str],
        pieces: Sequence[str] = (),
        attention: NDArray[np.float32] | None = None,
    ) -> dict[int, str]:
        """Return the output positions whose token is taken from the source, with its text.

        Args:
            ids: token ids of the output.
            source_words: the words that ids beyond the vocabulary stand for.
            pieces: tokens of the source.
            attention: ``(steps, source_length)``, to replace unknown tokens as well.
        """
        replacements: dict[int, str] = {}
        for position, token in enumerate(ids):
            if token >= self.target.size:
                replacements[position] = source_words[token - self.target.size]
            elif token == UNK and attention is not None and len(pieces):
                replacements[position] = pieces[int(attention[position].argmax())]
        return replacements

    def token(self, number: int, source_words: Sequence[str]) -> str:
        """Return the text of one id; ids beyond the vocabulary stand for ``source_words``."""
        return source_words[number - self.target.size] if number >= self.target.size else self.target.token(number)

    def text(self, ids: list[int], source_words: list[str]) -> str:
        """Return the text of token ids; ids beyond the vocabulary stand for ``source_words``."""
        return self._decode(ids, self._replacements(ids, source_words))

    def stream_text(self, tokens: Iterable[int], source_words: list[str]) -> Iterator[str]:
        """Yield the text of tokens piece by piece, as they come."""
        yielded, ids = "", list[int]()
        for token in tokens:
            ids.append(token)
            text = self.text(ids, source_words)
            # The last character may still change (half a letter, an accent to come), so it is held back.
            if text.startswith(yielded) and not text.endswith(UNKNOWN):
                yield text[len(yielded) :]
                yielded = text
        text = self.text(ids, source_words)
        if text != yielded:
            yield text[len(yielded) :]

    def _decode(self, ids: list[int], replacements: dict[int, str]) -> str:
        """Return the text of the ids, with the texts of some positions replaced."""
        if not replacements:
            return self.target.decode(ids)
        # Every unknown token decodes to one mark, so decoding with unknown tokens shows where the replacements go.
        marked = [UNK if position in replacements else token for position, token in enumerate(ids)]
        pieces = iter([replacements.get(position) for position, token in enumerate(marked) if token == UNK])
        mark = self.target.unknown
        space = mark.removesuffix(UNKNOWN)  # a word tokenizer's mark includes the space before the word
        parts = (space + self.target.decode(marked)).split(mark)
        text = parts[0]
        for part in parts[1:]:
            piece = next(pieces, None)
            text += (mark if piece is None else piece) + part
        return text.removeprefix(space)
