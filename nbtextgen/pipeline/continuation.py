"""Continuing a text: training on windows of it, writing on for any length, and bits per character."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.core.options import options_of
from nbtextgen.data.batching import Examples, padded_batches
from nbtextgen.data.corpus import Corpus, hold_out_end, windows
from nbtextgen.data.pairs import Pairs
from nbtextgen.decoding.config import DecodingConfig, TokenRules
from nbtextgen.decoding.stepper import Ensemble, Stepper
from nbtextgen.decoding.streaming import stream
from nbtextgen.inference.predictor import Predictor
from nbtextgen.inference.text_codec import LengthLimit
from nbtextgen.model.config import ModelConfig
from nbtextgen.pipeline.defaults import Plan, plan
from nbtextgen.pipeline.training_data import PreparedData, TrainingData
from nbtextgen.tokenizers.base import EOS, UNK, Tokenizer
from nbtextgen.tokenizers.registry import train_tokenizer
from nbtextgen.tokenizers.truncated import TruncatedTokenizer
from nbtextgen.training.config import TrainingConfig

CONTEXT = 60
"""Tokens read before a place, unless told otherwise."""
SHOWN_TOKENS = 60
"""Tokens of the continuations that are shown while training."""


def window_of(settings: Plan) -> tuple[int, int]:
    """Tokens read before a place, and tokens written after it.

    Raises:
        OptionError: when the model was not trained to continue a text.
    """
    context = settings.data.context
    if context is None:
        raise OptionError("This model was trained on pairs, not on a text; train one with --text FILE --context 60.")
    return context, settings.data.window or 4 * context


def text_plan(options: Mapping[str, Any], pieces: Pairs) -> Plan:
    """All settings for learning to continue a text.

    The decoder reads the context itself: one language model, its state carried from the context into the window, which
    costs no second reading network. Both sides share their embedding; the output layer has weights of its own and the hidden
    width (tied as well, it cost 0.06 bits per character after two minutes). Label smoothing, which costs bits, is off. Each
    of these holds unless the setting has another value than its default for pairs. Settings left open are those that fell
    fastest in bits per character on a few minutes of training.

    Args:
        options: settings by name; ``context`` is given or takes its default.
        pieces: the text cut up, as ``Corpus.pieces`` does.
    """
    given = {name: value for name, value in options.items() if value is not None}
    given["context"] = given.get("context") or CONTEXT
    given["tokens"] = given.get("source_tokens") or given.get("tokens") or "bpe"
    given["shared_vocabulary"] = True
    defaults = options_of(TrainingConfig) | options_of(ModelConfig)
    for name, value in _FOR_TEXT.items():
        if given.get(name, defaults[name].default) == defaults[name].default:
            given[name] = value
    sizes = _OPEN_FOR_CHARACTERS if given["tokens"] == "char" and len(pieces) >= _SHORT else {}
    dropout = {} if "dropout" in given else _DROPOUT_FOR_TEXT
    return plan(_OPEN_FOR_TEXT | sizes | dropout | given, pieces)


_FOR_TEXT = {
    "tied_embeddings": "inputs",
    "label_smoothing": 0.0,
    "encoder_layers": 0,
    "attention": "none",
    "copy": False,
    "select_by": "loss",
}
_DROPOUT_FOR_TEXT = {"dropout": 0.1, "embedding_dropout": 0.05, "output_dropout": 0.0}
"""Unless dropout is given, which then holds everywhere."""
_OPEN_FOR_CHARACTERS = {"embedding_size": 64, "hidden_size": 288}
"""A hundred characters need no wide embedding: the same number of weights foretells better in the recurrent layer."""
_SHORT = 1500
"""Pieces of a text below which the network is small."""
_OPEN_FOR_TEXT = {"learning_rate": 0.01, "batch_size": 8, "average": "ema", "ema_decay": 0.99}


@dataclass(frozen=True)
class TextSource:
    """A text to learn to continue.

    Attributes:
        plan: all settings.
        text: the whole text.
        pieces: the text cut up into pairs.
    """

    plan: Plan
    text: str
    pieces: Pairs

    @classmethod
    def of(cls, options: Mapping[str, Any], corpus: Corpus) -> TextSource:
        """Choose the settings; arguments and errors as ``text_plan``."""
        pieces = corpus.pieces()
        return cls(text_plan(options, pieces), corpus.text, pieces)

    def prepare(self) -> PreparedData:
        """Train the tokenizer and cut the text into windows; errors as ``text_training_data``."""
        encoded = text_training_data(self.plan, self.text)
        return PreparedData(self.plan, encoded, self.pieces, _valid_pairs(encoded))

    def sample(self, size: int) -> tuple[TrainingData, int]:
        """The first windows, a quarter of ``size`` at most, and how many there are."""
        encoded = text_training_data(self.plan, self.text)
        count = len(encoded.train)
        return replace(encoded, train=encoded.train.take(range(min(size // 4, count)))), count


def text_training_data(settings: Plan, text: str) -> TrainingData:
    """One tokenizer for both sides, and the windows of the text, its end held out.

    Raises:
        DataError: when the text is shorter than two windows.
        OptionError: for two kinds of tokens, or a copy head, which has nothing to copy from here.
    """
    context, length = window_of(settings)
    config = settings.tokenizer
    if settings.model.copy or config.source_tokens != config.target_tokens:
        raise OptionError(
            "--text reads and writes the same tokens and copies none: leave out --copy and --source-tokens."
        )
    target = train_tokenizer(
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
        raise DataError(f"The text has {len(ids):,} tokens, less than two windows of {length:,}; lower --window.")
    shown = _shown(target, held, context)
    return TrainingData(
        source=TruncatedTokenizer(target, context, keep_end=True),
        target=target,
        train=windows(train, context, length),
        valid=windows(held, context, length) if len(held) else None,
        shown=shown,
        limit=LengthLimit(length, 0.0),
    )


def _valid_pairs(data: TrainingData) -> Pairs | None:
    """The validation windows as texts, each after its context; the first, which has none, is left out."""
    if data.valid is None:
        return None
    texts = [
        (data.source.decode(context.tolist()), data.target.decode(window[1 : SHOWN_TOKENS + 1].tolist()))
        for context, window in zip(data.valid.sources, data.valid.targets, strict=True)
    ]
    rows = [row for row, (context, window) in enumerate(texts) if row and context.strip() and window.strip()]
    places = [f"window {row + 1:,} of the held-out text" for row in rows]
    return Pairs([texts[row][0] for row in rows], [texts[row][1] for row in rows], places) if rows else None


def _shown(tokenizer: Tokenizer, held: Sequence[int], context: int) -> tuple[tuple[str, str], ...]:
    """Contexts of the held-out text with what follows, as texts."""
    starts = range(context, len(held) - SHOWN_TOKENS, max(1, len(held) // 4))
    found = ((held[at - context : at], held[at : at + SHOWN_TOKENS]) for at in starts)
    texts = [(tokenizer.decode(before), tokenizer.decode(after)) for before, after in found]
    return tuple((before, after) for before, after in texts if before.strip())


def continue_text(
    predictor: Predictor, settings: Plan, prompt: str, length: int, config: DecodingConfig
) -> Iterator[str]:
    """Yield a continuation piece by piece, for as many tokens as asked.

    After every ``window`` tokens the last ``context`` ones are read anew, as in training; so the length has no limit
    and the time per token no growth.

    Raises:
        OptionError: for a beam, or a model that was not trained on a text.
    """
    if config.beam > 1:
        raise OptionError("--beam does not apply to continuing a text; use sampling or --beam 1.")
    context, window = window_of(settings)
    steppers: list[Stepper] = list(predictor.networks)
    stepper = steppers[0] if len(steppers) == 1 else Ensemble(steppers)
    ids = predictor.target.encode_batch([prompt])[0] or [UNK]
    seed, said = config.seed, _Said(predictor.target, ids[-1])
    while length > 0:
        source = torch.tensor([ids[-context:]], device=predictor.device)
        limit, rules = min(window, length), TokenRules(forbid=((EOS,), (UNK,)))
        rolling = replace(config, seed=None if seed is None else seed + length)
        for token, _ in stream(stepper, source, rolling, rules, max_length=limit):
            ids.append(token)
            yield from said.now(token)
        length -= limit
        ids = ids[-context:]
    yield from said.rest()


class _Said:
    """Turns ids into text as they come: a token may be half a letter, which waits for the other half."""

    def __init__(self, tokenizer: Tokenizer, anchor: int) -> None:
        self.tokenizer, self.anchor = tokenizer, anchor
        self.waiting: list[int] = []

    def now(self, token: int) -> Iterator[str]:
        """What can be said after one more token."""
        self.waiting.append(token)
        text = self._text()
        if text and not text.endswith("\ufffd"):
            self.anchor, self.waiting = token, []
            yield text

    def rest(self) -> Iterator[str]:
        """What is left at the end."""
        if self.waiting:
            yield self._text()

    def _text(self) -> str:
        before = self.tokenizer.decode([self.anchor])
        return self.tokenizer.decode([self.anchor, *self.waiting])[len(before) :]


@torch.inference_mode()
def bits_per_character(predictor: Predictor, settings: Plan, text: str) -> float:
    """How well the model foretells a text: -log2 of its probability, divided by its characters.

    Every token counts, each seen with at least ``context`` tokens before it where there are as many.
    """
    context, window = window_of(settings)
    ids = predictor.target.encode_batch([text])[0]
    examples = windows(ids, context, window)
    nats = sum(_nats(predictor, examples))
    return nats / math.log(2) / max(1, len(predictor.target.normalize(text)))


def _nats(predictor: Predictor, examples: Examples) -> Iterator[float]:
    for _, source, target, _ in padded_batches(examples, batch_tokens=8192, batch_size=256):
        moved = [torch.from_numpy(np.asarray(part)).to(predictor.device) for part in (source, target)]
        logs = [network.log_probabilities(moved[0], moved[1]) for network in predictor.networks]
        mean = torch.logsumexp(torch.stack(logs), 0) - math.log(len(logs))
        yield -float(mean.sum())
