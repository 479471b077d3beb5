"""``TextCodec``: from texts to token ids and from hypotheses to generations. Exported models use it too, so it is torch-free."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nbtextgen.confidence.confidence import Confidence
from nbtextgen.confidence.features import Observation
from nbtextgen.core.errors import ModelFileError, OptionError
from nbtextgen.core.escaping import brief, pictured_piece
from nbtextgen.core.wording import share
from nbtextgen.data.batching import CopyMap, Examples, pad
from nbtextgen.decoding.config import LENGTH_PENALTY, DecodingConfig, TokenRules
from nbtextgen.decoding.hypothesis import Hypothesis
from nbtextgen.inference.generation import Generation, GenerationInterrupted, Generations, assessed, observed
from nbtextgen.inference.sources import EncodedSources
from nbtextgen.inference.terms import TermFinder
from nbtextgen.inference.word_borders import token_borders
from nbtextgen.tokenizers.base import UNK, UNKNOWN, Tokenizer
from nbtextgen.tokenizers.truncated import TruncatedTokenizer

MAX_PADDED_IDS = 1 << 23
"""Token ids, including padding, that one search is given: 64 MB."""

MAX_SOURCE_TOKENS = 2000
"""Source tokens that every model reads. The rest of a longer source is cut, unless the model was trained on longer ones: each
output token attends to the whole source, and the limit of the output grows with it, so 50,000 tokens would take minutes."""

UNITS = {"char": "characters", "word": "words", "symbol": "symbols", "bpe": "tokens"}
"""What the tokens of each kind of tokenizer are called."""
EARLIER_LENGTH_PENALTY = 0.6
"""Length penalty of models that were saved without one."""


@dataclass(frozen=True)
class OutputLength:
    """How long outputs are: at most ``offset + slope x source tokens``, learned from the training pairs.

    Attributes:
        offset, slope: of the longest output, in tokens.
        penalty, coverage: length penalty and coverage penalty of a search whose settings leave them open.
    """

    offset: int
    slope: float
    penalty: float = LENGTH_PENALTY
    coverage: float = 0.0

    @classmethod
    def from_examples(cls, examples: Examples) -> OutputLength:
        """Allow 25 % more than 999 of 1,000 training pairs need, plus a constant.

        Beam search continues while a longer output could still win, so a limit that is too high costs time.
        """
        source, target = examples.lengths()
        ratio = float(np.median(target / np.maximum(1, source)))
        excess = float(np.quantile(target - ratio * source, 0.999))
        return cls(3 + max(0, math.ceil(1.25 * excess)), 1.25 * ratio)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> OutputLength:
        """Read ``asdict`` back from a manifest; raises ``ModelFileError`` if the numbers cannot be right."""
        offset, slope = values["offset"], values["slope"]
        if not (isinstance(offset, int) and isinstance(slope, (int, float)) and 0 <= offset < 1e6 and 0 <= slope < 1e6):
            raise ModelFileError(
                f'"limit" needs two non-negative numbers, but has offset {offset!r} and slope {slope!r}.'
            )
        length = _checked_penalty("length", values.get("penalty", EARLIER_LENGTH_PENALTY), 10)
        return cls(offset, float(slope), length, _checked_penalty("coverage", values.get("coverage", 0.0), 100))

    def __call__(self, source_length: int) -> int:
        return self.offset + math.ceil(self.slope * source_length)


def _checked_penalty(name: str, value: object, most: int) -> float:
    if isinstance(value, (int, float)) and 0 <= value <= most:
        return float(value)
    raise ModelFileError(f'"limit" needs a {name} penalty from 0 to {most}, but has {value!r}.')


@dataclass(frozen=True)
class TextCodec:
    """What a model needs around its networks to turn texts into texts.

    Attributes:
        source, target: tokenizers of both sides.
        output_length: longest output for a source length, and the length penalty.
        has_attention: whether the networks have attention.
        copy: maps source tokens to target-side ids; only with a copy head.
        fingerprint: of the model, for its generations.
        max_source: source tokens that are read.
        confidence: calibrations, or ``None``.
        second: log-probabilities of outputs by a second network, for the texts of their sources and their observations; or ``None``.
    """

    source: Tokenizer
    target: Tokenizer
    output_length: OutputLength
    has_attention: bool
    copy: CopyMap | None = None
    fingerprint: str = ""
    max_source: int = MAX_SOURCE_TOKENS
    confidence: Confidence | None = None
    second: Callable[[Sequence[str], Sequence[Observation]], NDArray[np.float64]] | None = None

    def encode(
        self,
        texts: list[str],
        config: DecodingConfig,
        ids: list[list[int]] | None = None,
        prefix: Sequence[int] = (),
    ) -> EncodedSources:
        """Encode sources; a text without tokens becomes one unknown token.

        Args:
            texts: the sources.
            config: rules and limits of the outputs.
            ids: their token ids, if they have been computed.
            prefix: token ids that every output begins with, instead of ``config.prefix``.
        """
        rows = [row[: self.max_source] or [UNK] for row in (self.source.encode_batch(texts) if ids is None else ids)]
        copies = None if self.copy is None else [self.copy.ids(text, self.max_source) for text in texts]
        words = [list[str]() for _ in texts] if copies is None else [each for _, each in copies]
        rules, finder = self.token_rules(config, prefix), TermFinder(config, self.source, self.target, self.copy)
        borders = None if finder.idle else token_borders(self.target)
        required = [finder.of(*each) for each in zip(texts, words, strict=True)]
        limits = [config.max_length or self.output_length(len(row)) for row in rows]
        if not finder.idle:
            fitted = zip(required, limits, strict=True)
            required, limits = map(
                list,
                zip(*(each.fitted(limit, len(rules.prefix), config, borders) for each, limit in fitted), strict=True),
            )
        return EncodedSources(
            texts,
            _padded(rows),
            None if copies is None else _padded([row.tolist() or [UNK] for row, _ in copies]),
            words,
            limits,
            rules,
            required,
            borders,
        )

    def token_rules(self, config: DecodingConfig, prefix: Sequence[int] = ()) -> TokenRules:
        """Return the token rules of a configuration; the token ids ``prefix`` replace its prefix.

        Raises:
            OptionError: for a word that is not in the vocabulary.
        """
        if not prefix and config.prefix:
            prefix = self.target.encode(config.prefix).ids
            if UNK in prefix:
                raise OptionError(
                    f"The --prefix '{config.prefix}' holds what this model cannot write; use other letters or words."
                )
            if config.max_length is not None and len(prefix) > config.max_length:
                raise OptionError(
                    f"--prefix has {len(prefix)} tokens, which is more than --max-length={config.max_length}; change one of them."
                )
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
            raise OptionError(f"--{option} {brief(word)!r} is not in the model's vocabulary.")
        return tuple(ids)

    def generate(
        self,
        texts: Sequence[str],
        config: DecodingConfig,
        max_sources: int,
        search: Callable[[EncodedSources, list[list[Hypothesis]]], None],
        prefix: Sequence[int] = (),
    ) -> Generations:
        """Search for the outputs of many sources, sorted by length, and return them in the order of the sources.

        Args:
            texts: the sources; the output for an empty one is empty.
            config: rules and limits of the outputs.
            max_sources: sources per search; fewer if they are long.
            search: adds the hypotheses of some of the sources to a list for each of them.
            prefix: as in ``encode``.

        Raises:
            GenerationInterrupted: if the search is interrupted; it holds the outputs so far.
        """
        encoded = self.source.encode_batch(list(texts))
        lengths = [min(len(ids), self.max_source) for ids in encoded]
        results = {
            index: Generation.empty(text, self.fingerprint) for index, text in enumerate(texts) if not text.strip()
        }
        # The longest first: at the end, when no source waits for the free rows, the remaining outputs are short.
        order = sorted(
            (index for index in range(len(texts)) if index not in results), key=lambda index: -lengths[index]
        )
        start = 0
        while start < len(order):
            longest = max(1, lengths[order[start]])
            indices = order[start : start + max(1, min(max_sources, MAX_PADDED_IDS // longest))]
            start += len(indices)
            sources = self.encode(
                [texts[index] for index in indices], config, [encoded[index] for index in indices], prefix
            )
            hypotheses = [list[Hypothesis]() for _ in indices]
            try:
                search(sources, hypotheses)
            except KeyboardInterrupt as interrupt:
                results |= self._generations(indices, sources, hypotheses, config)
                finished = Generations(results[index] for index in sorted(results))
                raise GenerationInterrupted(
                    finished,
                    f"Interrupted: {share(len(finished), len(texts), 'output', 'was', 'were')} generated; see .generations.",
                ) from interrupt
            results |= self._generations(indices, sources, hypotheses, config)
        return Generations(results[index] for index in range(len(texts)))

    def _generations(
        self, indices: list[int], sources: EncodedSources, hypotheses: list[list[Hypothesis]], config: DecodingConfig
    ) -> dict[int, Generation]:
        """Return the generations of the sources that have hypotheses, by index."""
        rows = zip(indices, sources.texts, hypotheses, sources.words, sources.required, strict=True)
        finished = [(index, text, each, words, required) for index, text, each, words, required in rows if each]
        outputs = self._outputs([row[1:4] for row in finished], config)
        return {
            index: required.noted(output, self.target, config)
            for (index, _, _, _, required), output in zip(finished, outputs, strict=True)
        }

    def generation(
        self, text: str, hypotheses: Sequence[Hypothesis], source_words: list[str], config: DecodingConfig
    ) -> Generation:
        """Return the generation for one source, whose ``hypotheses`` are ordered best first.

        With ``replace_unknown``, an unknown token is replaced by the source token with the most attention.
        """
        return self._outputs([(text, hypotheses, source_words)], config)[0]

    def _outputs(
        self, rows: Sequence[tuple[str, Sequence[Hypothesis], list[str]]], config: DecodingConfig
    ) -> list[Generation]:
        """Return the generations for sources with their hypotheses and unknown words; all are assessed together."""
        outputs, observations = list[list[Generation]](), list[Observation]()
        for text, hypotheses, words in rows:
            candidates, source_ids = self._candidates(text, hypotheses, words, config)
            outputs.append(candidates)
            if self.confidence is not None:
                observations += observed(candidates, hypotheses, source_ids)
        if self.confidence is not None and observations:
            if self.second is not None:
                texts = [candidate.source for candidates in outputs for candidate in candidates]
                scores = self.second(texts, observations).tolist()
                observations = [replace(each, second=score) for each, score in zip(observations, scores, strict=True)]
            unit = UNITS.get(self.source.kind, "tokens")
            assessments = iter(self.confidence.assess(observations, config, unit))
            outputs = [[assessed(each, next(assessments)) for each in candidates] for candidates in outputs]
        return [replace(candidates[0], candidates=tuple(candidates)) for candidates in outputs]

    def _candidates(
        self, text: str, hypotheses: Sequence[Hypothesis], source_words: list[str], config: DecodingConfig
    ) -> tuple[list[Generation], list[int]]:
        """Return the candidates for one source, best first, and the token ids of the source that are read."""
        encoding = self.source.encode(text)
        pieces = encoding.tokens[: self.max_source]
        unknown = _unknown(pieces, encoding.ids)
        notes = self._notes(text, len(encoding.ids), len(pieces), unknown)
        candidates = list[Generation]()
        for hypothesis in hypotheses:
            attention = hypothesis.attention if self.has_attention else None
            if attention is not None:
                attention = attention[: len(hypothesis.ids), : len(pieces)]
            pointers = attention if config.replace_unknown else None
            replacements = self._replacements(hypothesis.ids, source_words, pieces, pointers)
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
                    unknown=unknown,
                    notes=notes,
                    model=self.fingerprint,
                )
            )
        return candidates, encoding.ids[: self.max_source] or [UNK]

    def source_notes(self, text: str) -> tuple[str, ...]:
        """Return what to say about a source, as sentences: a source that is cut, and what the model does not know of it."""
        encoding = self.source.encode(text)
        pieces = encoding.tokens[: self.max_source]
        return self._notes(text, len(encoding.ids), len(pieces), _unknown(pieces, encoding.ids))

    def _notes(self, text: str, length: int, read: int, unknown: tuple[str, ...]) -> tuple[str, ...]:
        """Return what to say about a source of ``length`` tokens, of which ``read`` are read."""
        unit, notes = UNITS.get(self.source.kind, "tokens"), list[str]()
        if isinstance(self.source, TruncatedTokenizer) and length == self.source.limit and not self.source.keep_end:
            length = len(self.source.inner.encode(text).ids)
        if read < length:
            notes.append(f"The source has {length:,} {unit}; only the first {read:,} were read.")
        if unknown and self.copy is None:  # a copy head can copy what it does not know
            few = ", ".join(map(pictured_piece, list(dict.fromkeys(unknown))[:10]))
            more = ", ..." if len(set(unknown)) > 10 else ""
            notes.append(
                f"{share(len(unknown), read, unit.removesuffix('s'), 'is', 'are')} unknown to this model: {few}{more}"
            )
        return tuple(notes)

    def _replacements(
        self,
        ids: Sequence[int],
        source_words: Sequence[str],
        pieces: Sequence[str] = (),
        attention: NDArray[np.float32] | None = None,
    ) -> dict[int, str]:
        """Return the positions of ``ids`` whose token is taken from the source, with its text.

        Ids beyond the vocabulary stand for ``source_words``. With ``attention (steps, source_length)`` over ``pieces``, the
        tokens of the source, unknown tokens are replaced as well.
        """
        replacements: dict[int, str] = {}
        size = self.target.size
        for position, token in enumerate(ids):
            if token >= size:
                replacements[position] = source_words[token - size]
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


def _unknown(pieces: Sequence[str], ids: Sequence[int]) -> tuple[str, ...]:
    """Return the pieces of a source that the model does not know."""
    return tuple(piece.strip() or piece for piece, number in zip(pieces, ids, strict=False) if number == UNK)


def _padded(rows: list[list[int]]) -> NDArray[np.int64]:
    return pad([np.array(row, dtype=np.int64) for row in rows])
