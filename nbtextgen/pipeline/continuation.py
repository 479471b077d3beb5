"""Continuing a text: training on its windows, generating any length, and bits per character."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.core.options import Settings, options_of
from nbtextgen.core.wording import counted
from nbtextgen.data.batching import Examples, padded_batches
from nbtextgen.data.corpus import Corpus, hold_out_end, windows
from nbtextgen.data.pairs import Pairs
from nbtextgen.decoding.config import DecodingConfig, TokenRules
from nbtextgen.decoding.stepper import Ensemble, Stepper
from nbtextgen.decoding.streaming import stream
from nbtextgen.inference.predictor import Predictor
from nbtextgen.inference.text_codec import OutputLength
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.isolation import isolated, isolated_steps
from nbtextgen.model.memory import memory_errors
from nbtextgen.pipeline.data_checks import text_warnings
from nbtextgen.pipeline.defaults import Plan, plan
from nbtextgen.pipeline.training_data import PreparedData, TrainingData
from nbtextgen.tokenizers.base import EOS, UNK, Tokenizer
from nbtextgen.tokenizers.registry import train_tokenizer
from nbtextgen.tokenizers.truncated import TruncatedTokenizer
from nbtextgen.training.config import TrainingConfig

CONTEXT = 60
"""Default number of tokens read before a window."""
CONTINUATION = 200
"""Default number of tokens of a continuation."""
SAMPLE_TOKENS = 60
"""Tokens of the sample continuations in training."""


def window_of(settings: Plan) -> tuple[int, int]:
    """Tokens of the context that is read, and of the window that is generated after it.

    Raises:
        OptionError: if the model was not trained to continue a text.
    """
    context = settings.data.context
    if context is None:
        raise OptionError("This model was trained on pairs, not on a text; train one with --text=FILE --context=60.")
    return context, settings.data.window or 4 * context


def text_plan(options: Settings, pieces: Pairs) -> Plan:
    """All settings for learning to continue a text.

    The decoder reads the context itself, as a language model whose state continues from the context into the window, so no
    encoder is needed. Both sides share their embedding; the output layer has its own weights and the hidden width (tied as
    well, it cost 0.06 bits per character after two minutes). Label smoothing, which costs bits, is off. These values replace
    only the defaults for pairs. Open settings get the values whose bits per character fell fastest within a few minutes.

    Args:
        options: settings by name.
        pieces: the text in pieces, from ``Corpus.pieces``.
    """
    settings = {name: value for name, value in options.items() if value is not None}
    settings["context"] = settings.get("context") or CONTEXT
    given = settings.get("source_tokens") or settings.get("target_tokens") or settings.get("tokens")
    settings["tokens"] = given or _suitable_tokens(settings, pieces)
    settings["shared_vocabulary"] = True
    defaults = options_of(TrainingConfig) | options_of(ModelConfig)
    for name, value in _FOR_TEXT.items():
        if settings.get(name, defaults[name].default) == defaults[name].default:
            settings[name] = value
    sizes = _OPEN_FOR_CHARACTERS if settings["tokens"] == "char" and len(pieces) >= _SHORT else {}
    dropout = {} if "dropout" in settings else _DROPOUT_FOR_TEXT
    return plan(_OPEN_FOR_TEXT | sizes | dropout | settings, pieces)


def _suitable_tokens(settings: Settings, pieces: Pairs) -> str:
    """Characters for a short text, unless a size of the vocabulary is given, else BPE."""
    return "char" if len(pieces) < _ENOUGH_FOR_BPE and "vocabulary_size" not in settings else "bpe"


_FOR_TEXT: dict[str, object] = {
    "tied_embeddings": "inputs",
    "label_smoothing": 0.0,
    "encoder_layers": 0,
    "attention": "none",
    "copy": False,
    "select_by": "loss",
}
_DROPOUT_FOR_TEXT = {"dropout": 0.1, "embedding_dropout": 0.05, "output_dropout": 0.0}
"""Unless the user sets ``dropout``, which then applies everywhere."""
_OPEN_FOR_CHARACTERS = {"embedding_size": 64, "hidden_size": 288}
"""A hundred characters need no wide embedding: the same number of weights predicts better in the recurrent layer."""
_ENOUGH_FOR_BPE = 8000
"""Pieces of a text, of 240 characters each, from which BPE predicts it better in a few minutes. Bits per character with BPE and with
characters: documentation of 0.3 and 1 million characters, 2.56 and 2.38, 2.46 and 2.23; source code of 1 and 4 million, 1.56 and
1.53, 2.41 and 2.47."""
_SHORT = 1500
"""Pieces of a text below which the network is small."""
_OPEN_FOR_TEXT = {"learning_rate": 0.01, "batch_size": 8, "average": "ema", "ema_decay": 0.99}


@dataclass(frozen=True)
class TextSource:
    """A text to learn to continue.

    Attributes:
        plan: all settings.
        text: the whole text.
        pieces: the text in pieces, as pairs.
    """

    plan: Plan
    text: str
    pieces: Pairs

    @classmethod
    def of(cls, options: Settings, corpus: Corpus) -> TextSource:
        """Choose the settings; arguments and errors as ``text_plan``."""
        pieces = corpus.pieces()
        return cls(text_plan(options, pieces), corpus.text, pieces)

    def prepare(self) -> PreparedData:
        """Train the tokenizer and cut the text into windows; errors as ``text_training_data``."""
        encoded = text_training_data(self.plan, self.text)
        return text_data(self.plan, encoded, self.pieces, tuple(text_warnings(encoded)))

    def sample(self, size: int) -> tuple[TrainingData, int]:
        """The first windows, at most a quarter of ``size``, and the number of all."""
        encoded = text_training_data(self.plan, self.text)
        count = len(encoded.train)
        return replace(encoded, train=encoded.train.take(range(min(size // 4, count)))), count


def text_data(settings: Plan, encoded: TrainingData, pieces: Pairs, notes: tuple[str, ...] = ()) -> PreparedData:
    """The windows of a text, ready for training."""
    return PreparedData(settings, encoded, pieces, _valid_pairs(encoded), notes)


def text_training_data(settings: Plan, text: str, tokenizer: Tokenizer | None = None) -> TrainingData:
    """One tokenizer for both sides, trained unless it is given, and the windows of the text, of which the end is held out.

    Raises:
        DataError: if the text is shorter than two windows.
        OptionError: for two kinds of tokens, or a copy head, which has no source to copy from.
    """
    context, length = window_of(settings)
    config = settings.tokenizer
    if settings.model.copy or config.source_tokens != config.target_tokens:
        raise OptionError(
            "--text reads and writes the same tokens and copies none: leave out --copy and --source-tokens."
        )
    target = tokenizer or train_tokenizer(
        [text] if config.source_tokens == "char" else text.splitlines(keepends=True),
        config.source_tokens or "char",
        normalization=config.target_normalization or "none",
        lowercase=config.target_lowercase,
        size=config.vocabulary_size,
        minimum_frequency=config.minimum_frequency,
    )
    ids = target.encode_batch([text])[0]
    train, held = hold_out_end(ids, settings.training.valid_fraction, settings.training.valid_limit * 20)
    if len(train) < 2 * length:
        raise DataError(
            f"The text has {counted(len(ids), 'token')}, less than two windows of {length:,}; lower --window."
        )
    return TrainingData(
        source=TruncatedTokenizer(target, context, keep_end=True),
        target=target,
        train=windows(train, context, length),
        valid=windows(held, context, length) if len(held) else None,
        valid_texts=_sample_texts(target, held, context),
        output_length=OutputLength(length, 0.0),
    )


def _valid_pairs(data: TrainingData) -> Pairs | None:
    """The validation windows as texts, each with its context; the first, which has no context, is left out."""
    if data.valid is None:
        return None
    return window_pairs(data.valid, data.source, data.target, "of the held-out text", SAMPLE_TOKENS)


def window_pairs(
    examples: Examples, source: Tokenizer, target: Tokenizer, of_text: str, tokens: int | None = None
) -> Pairs | None:
    """Windows of a text as pairs of context and window; the first, which has no context, and blank ones are left out.

    Args:
        examples: the windows.
        source, target: tokenizers.
        of_text: which text, for the place of each pair.
        tokens: tokens of each window that are taken; by default all.
    """
    stop = None if tokens is None else tokens + 1
    texts = [
        (source.decode(context.tolist()), target.decode(window[1:stop].tolist()))
        for context, window in zip(examples.sources, examples.targets, strict=True)
    ]
    rows = [row for row, (context, window) in enumerate(texts) if row and context.strip() and window.strip()]
    places = [f"window {row + 1:,} {of_text}" for row in rows]
    return Pairs([texts[row][0] for row in rows], [texts[row][1] for row in rows], places, rows=rows) if rows else None


def _sample_texts(tokenizer: Tokenizer, ids: Sequence[int], context: int) -> tuple[tuple[str, str], ...]:
    """Some contexts of the held-out text with their continuations, as texts."""
    texts = [
        (tokenizer.decode(ids[start - context : start]), tokenizer.decode(ids[start : start + SAMPLE_TOKENS]))
        for start in range(context, len(ids) - SAMPLE_TOKENS, max(1, len(ids) // 4))
    ]
    return tuple((before, after) for before, after in texts if before.strip())


def continue_text(
    predictor: Predictor, settings: Plan, prompt: str, length: int, config: DecodingConfig
) -> Iterator[str]:
    """Yield a continuation of ``length`` tokens piece by piece.

    After every ``window`` tokens the last ``context`` ones are read again, as in training, so the length has no limit and
    the time per token stays the same.

    Raises:
        OptionError: for a beam, or a model that was not trained on a text.
    """
    if config.has_terms:
        raise OptionError("--glossary, --must-include and --carry-over do not apply to continuing a text.")
    if config.beam > 1:
        raise OptionError("--beam does not apply to continuing a text; use sampling or --beam=1.")
    pieces = _continued(predictor, window_of(settings), prompt, length, config)
    with memory_errors("There is not enough memory to continue the text; close other notebooks or programs."):
        yield from isolated_steps(pieces, own_random_state=False)


def _continued(
    predictor: Predictor, sizes: tuple[int, int], prompt: str, length: int, config: DecodingConfig
) -> Generator[str, None, None]:
    context, window = sizes
    steppers: list[Stepper] = list(predictor.networks)
    stepper = steppers[0] if len(steppers) == 1 else Ensemble(steppers)
    ids = predictor.target.encode_batch([prompt])[0] or [UNK]
    seed, decoder = config.seed, _StreamDecoder(predictor.target, ids[-1])
    while length > 0:
        source = torch.tensor([ids[-context:]], device=predictor.device)
        limit, rules = min(window, length), TokenRules(forbid=((EOS,), (UNK,)))
        rolling = replace(config, seed=None if seed is None else seed + length)
        for token, _ in stream(stepper, source, rolling, rules, max_length=limit):
            ids.append(token)
            yield from decoder.add(token)
        length -= limit
        ids = ids[-context:]
    yield from decoder.rest()


class _StreamDecoder:
    """Decodes ids one by one; a token may be half a character, which waits for the other half."""

    def __init__(self, tokenizer: Tokenizer, anchor: int) -> None:
        self.tokenizer, self.anchor = tokenizer, anchor
        self.waiting = list[int]()

    def add(self, token: int) -> Iterator[str]:
        """The text that is complete after one more token."""
        self.waiting.append(token)
        text = self._text()
        if text and not text.endswith("\ufffd"):
            self.anchor, self.waiting = token, []
            yield text

    def rest(self) -> Iterator[str]:
        """The remaining text at the end."""
        if self.waiting:
            yield self._text()

    def _text(self) -> str:
        before = self.tokenizer.decode([self.anchor])
        return self.tokenizer.decode([self.anchor, *self.waiting])[len(before) :]


@isolated()
@memory_errors("There is not enough memory to score the text; close other notebooks or programs.")
@torch.inference_mode()
def bits_per_character(predictor: Predictor, settings: Plan, text: str) -> float:
    """Bits per character that the model assigns to a text: -log2 of its probability, divided by its length.

    Every token is predicted from at least ``context`` tokens before it, as far as there are so many.
    """
    context, window = window_of(settings)
    ids = predictor.target.encode_batch([text])[0]
    examples = windows(ids, context, window)
    nats = sum(_nats(predictor, examples))
    return nats / math.log(2) / max(1, len(predictor.target.normalize(text)))


def _nats(predictor: Predictor, examples: Examples) -> Iterator[float]:
    for _, source, target, _ in padded_batches(examples, batch_tokens=8192, batch_size=256):
        inputs, outputs = (torch.as_tensor(ids, device=predictor.device) for ids in (source, target))
        logs = [network.log_probabilities(inputs, outputs) for network in predictor.networks]
        mean = torch.logsumexp(torch.stack(logs), 0) - math.log(len(logs))
        yield -float(mean.sum())
