"""Settings that were left open, chosen from the data where that is safe."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from nbtextgen.core.errors import OptionError
from nbtextgen.core.files import JsonObject
from nbtextgen.core.options import Settings, as_dict, build, checked, options_of
from nbtextgen.data.augmentation import OFF, Augmentation, read_synonyms
from nbtextgen.data.config import DataConfig
from nbtextgen.data.pairs import Pairs
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.pretrained import check_embeddings
from nbtextgen.tokenizers.config import TokenizerConfig
from nbtextgen.tokenizers.token_unit import suitable_units
from nbtextgen.training.budget import Budget, training_speed
from nbtextgen.training.config import TrainingConfig
from nbtextgen.training.device import choose_device

Config = TypeVar("Config", DataConfig, TokenizerConfig, ModelConfig, TrainingConfig)


@dataclass(frozen=True)
class Plan:
    """All settings of a run, none left open.

    Attributes:
        tokenizer, model, training, data: the configurations.
        choices: the settings that were chosen from the data.
        start: fingerprint of the model that training went on from; empty if it began with new weights.
    """

    tokenizer: TokenizerConfig
    model: ModelConfig
    training: TrainingConfig
    choices: Mapping[str, object]
    data: DataConfig = DataConfig()
    start: str = ""

    def as_dict(self) -> JsonObject:
        """Plain values for a JSON file."""
        values: JsonObject = {name: as_dict(vars(self)[name]) for name in ("tokenizer", "model", "training", "data")}
        return values | ({"start": self.start} if self.start else {})

    @classmethod
    def from_dict(cls, values: Settings, choices: Mapping[str, object] | None = None) -> Plan:
        """Read ``as_dict`` back; raises ``OptionError`` for unknown keys or bad values."""
        return cls(
            build(TokenizerConfig, values["tokenizer"]),
            build(ModelConfig, values["model"]),
            build(TrainingConfig, values["training"]),
            choices or {},
            build(DataConfig, values.get("data", {})),
            str(values.get("start", "")),
        )


def plan(options: Settings, train: Pairs) -> Plan:
    """Choose the settings that are left open.

    Args:
        options: settings by name; ``None`` or absent means open.
        train: the training pairs.

    Raises:
        OptionError: for a value out of range.
    """
    chosen = dict[str, object]()
    data, tokenizer = _config(DataConfig, options), _config(TokenizerConfig, options)
    model, training = _config(ModelConfig, options), _config(TrainingConfig, options)
    if training.snapshot and (training.ensemble > 1 or data.context is not None):
        raise OptionError(
            "--snapshot is for one network that learns pairs; leave it out, or --ensemble and texts to continue."
        )
    check_files(data.synonyms, model.source_embeddings, model.target_embeddings)  # before anything is computed
    augmentation = Augmentation.parse(data.augment or OFF, data.synonyms)
    tokenizer = _filled(tokenizer, _tokenizer_defaults(tokenizer, train), chosen)
    small_units = {tokenizer.source_tokens, tokenizer.target_tokens} <= {"char", "symbol"}
    if data.augment is None and data.context is None and not data.store and small_units and len(train) in FEW_PAIRS:
        data = _filled(data, {"augment": JOINED_PAIRS}, chosen)
        augmentation = Augmentation.parse(JOINED_PAIRS)
    scale = Scale.of(tokenizer, model, training, train, small_units, augmentation.growth)
    model = _filled(model, _model_defaults(tokenizer, model, train, scale), chosen)
    if not model.copy:
        chosen.pop("copy", None)  # its usual value is not reported
    check_files(None, model.source_embeddings, model.target_embeddings, model.embedding_size)
    few_tokens = _mean_tokens(train[:500].targets, tokenizer.target_tokens) <= SHORT_TARGET
    training = _filled(training, _training_defaults(scale, training, whole=small_units and few_tokens), chosen)
    chosen.pop("select_by", None)
    return Plan(tokenizer, model, training, chosen, data)


FEW_PAIRS = range(200, 1500)
"""Numbers of pairs of characters or symbols that are joined in training unless the settings say otherwise."""
JOINED_PAIRS = "concat:0.5"
"""With 500 pairs, right outputs rise by 7.6 points (Hindi pronunciation, +- 2.0), 3.9 (French, +- 2.2) and 1.9 (Romanian, +- 2.3); Korean (-0.4,
+- 5.1) and dates (0.6, +- 4.2) show no difference. From 2,000 pairs on there is no gain."""


def check_files(
    synonyms: str | None, source_embeddings: str | None, target_embeddings: str | None, width: int | None = None
) -> None:
    """Look at the files that settings name; ``width`` is the embedding size, if it is known.

    Raises:
        DataError: for a missing file, or a wrong line among the first ones of embeddings.
    """
    if synonyms:
        read_synonyms(Path(synonyms))
    for option, path in (("--source-embeddings", source_embeddings), ("--target-embeddings", target_embeddings)):
        if path:
            check_embeddings(path, width, option)


def _config(kind: type[Config], options: Settings) -> Config:
    """The part of the options that belongs to one configuration, checked."""
    names = options_of(kind)
    return checked(kind(**{name: value for name, value in options.items() if name in names}))


def _filled(config: Config, defaults: Settings, chosen: dict[str, object]) -> Config:
    """The configuration with open settings taken from ``defaults``, recorded in ``chosen``."""
    new = {name: value for name, value in defaults.items() if getattr(config, name) is None}
    chosen.update({name: value for name, value in new.items() if value is not None})
    return dataclasses.replace(config, **new)


def _tokenizer_defaults(config: TokenizerConfig, train: Pairs) -> dict[str, object]:
    given = config.source_tokens or config.tokens, config.target_tokens or config.tokens
    source, target = suitable_units(train.sources, train.targets, given)
    large = "bpe" in (source, target) or "word" in (source, target)
    size = 8000 if len(train) >= 100_000 else 4000 if len(train) >= 5000 else 1000
    return {
        "source_tokens": source,
        "target_tokens": target,
        # Composed Hangul has thousands of syllables, few of them frequent; NFD spells them with 67 letters.
        "source_normalization": _normalization(source, train.sources),
        "target_normalization": _normalization(target, train.targets, decompose=False),
        "shared_vocabulary": source == target == "bpe" and _overlap(train) > 0.6,
        "vocabulary_size": size if large else None,
    }


def _normalization(unit: str, texts: Sequence[str], *, decompose: bool = True) -> str:
    hangul = any("\uac00" <= character <= "\ud7a3" for text in texts[:200] for character in text)
    return "nfd" if decompose and unit == "char" and hangul else "nfc"


def _overlap(train: Pairs) -> float:
    """Fraction of the characters in either column that occur in both."""
    source, target = (set("".join(texts[:500])) for texts in (train.sources, train.targets))
    return len(source & target) / max(1, len(source | target))


@dataclass(frozen=True)
class Scale:
    """How large a network is and how long it trains, as suits the data or fits into a time limit.

    Attributes:
        pairs: pairs trained on.
        growth: pairs of an epoch for each of them; more than one if augmentation adds some.
        small_units: whether both sides are characters or symbols.
        hidden, embedding: widths of the network.
        batch: most pairs in a batch.
        updates: how many the training is expected to make.
    """

    pairs: int
    growth: float
    small_units: bool
    hidden: int
    embedding: int
    batch: int
    updates: int

    @classmethod
    def of(
        cls,
        tokenizer: TokenizerConfig,
        model: ModelConfig,
        training: TrainingConfig,
        train: Pairs,
        small_units: bool,
        growth: float,
    ) -> Scale:
        """Choose the scale; settings given by the user are kept."""
        pairs = len(train)
        batch = training.batch_size or _batch_size(pairs, small_units)
        budget = _budget(tokenizer, training, train)
        hidden, embedding, updates = 0, 0, 0
        for widths in _sizes(pairs, small_units, timed=budget is not None):
            hidden, embedding = model.hidden_size or widths[0], model.embedding_size or widths[1]
            updates = _updates(pairs, small_units) if budget is None else budget.updates(embedding, hidden, batch)
            if budget is None or updates >= ENOUGH_UPDATES * hidden / 256:
                break
        return cls(pairs, growth, small_units, hidden, embedding, batch, updates)

    @property
    def epochs(self) -> int:
        """Passes over the pairs."""
        return max(1, math.ceil(self.updates * self.batch / max(1.0, self.growth * self.pairs)))

    @property
    def learning_rate(self) -> float:
        """Peak rate: lower for wider networks and for longer training, two significant figures.

        Measured on Multi30k: 0.008 was better than 0.004 and 0.012 at hidden size 256 with 300 updates, better than 0.004 at
        hidden size 256 with 1,500 and at 512 with 200 updates.
        """
        if self.small_units and self.pairs < 3000:
            return 0.006  # few updates fit into the passes, and each can be large
        peak = 0.0056 if self.small_units else 0.008
        width, length = min(1.0, 256 / self.hidden), min(1.0, 1500 / self.updates)
        return float(f"{peak * width**0.5 * length**0.25:.2g}")

    @property
    def dropout(self) -> float:
        """Dropout probability: higher if each pair is seen more often."""
        most = 0.3 if self.pairs < 10_000 else 0.1 if self.small_units else 0.25
        return round(min(most, 0.05 + 0.02 * self.epochs), 2)


ENOUGH_UPDATES = 2500
"""Updates that a time limit must allow for a network of hidden size 256, and for others in proportion; otherwise a narrower
one is chosen. On Multi30k, one thread: in 50 s hidden size 192 (450 updates) reached BLEU 27.5 and 256 (330 updates) 25.0; in
240 s, 192 (2,050) reached 34.9, 256 (1,500) 34.2 and 512 (600) 31.0."""


def _sizes(pairs: int, small_units: bool, *, timed: bool) -> list[tuple[int, int]]:
    """Hidden and embedding sizes that suit the data, widest first; a time limit takes the first that it is enough for."""
    if small_units:
        largest = 128 if pairs < 1500 else 256 if pairs < 10_000 or pairs > 50_000 else 192
        if timed and pairs > 50_000:
            largest = 512
        sizes = [(512, 128), (384, 128), (256, 128), (192, 128), (128, 64)]
    else:
        largest = 512 if pairs >= 10_000 else 256
        sizes = [(512, 256), (384, 192), (256, 128), (192, 128)]
    return [size for size in sizes if size[0] <= largest]


def _batch_size(pairs: int, small_units: bool) -> int:
    return 16 if pairs < 500 else 32 if pairs < 2000 else 64 if small_units or pairs > 100_000 else 48


def _updates(pairs: int, small_units: bool) -> int:
    """Updates without a time limit: more for more data, though not in proportion. A plateau ends training earlier."""
    updates = (5000 if pairs < 10_000 else 3600) if small_units else 5000
    return round(updates * max(1.0, pairs / 50_000) ** 0.75)


def _budget(tokenizer: TokenizerConfig, training: TrainingConfig, train: Pairs) -> Budget | None:
    """The time limit for one network on this machine's CPU; ``None`` without a limit, or if a GPU trains."""
    if training.max_minutes is None or choose_device(training.device).type != "cpu":
        return None
    sample = train[:500]
    seconds = training.max_minutes * 60 / training.ensemble
    return Budget(
        seconds,
        _mean_tokens(sample.sources, tokenizer.source_tokens),
        _mean_tokens(sample.targets, tokenizer.target_tokens),
        tokenizer.vocabulary_size or 100,
        training_speed(torch.get_num_threads()),
    )


def _mean_tokens(texts: Sequence[str], unit: str | None) -> float:
    """Approximate mean number of tokens of a text."""
    if unit in ("word", "symbol"):
        return sum(len(text.split()) for text in texts) / max(1, len(texts))
    return sum(map(len, texts)) / max(1, len(texts)) / (CHARACTERS_PER_PIECE if unit == "bpe" else 1)


CHARACTERS_PER_PIECE = 4.0
"""Mean length of a BPE token in Multi30k with 4,000 types."""


def _model_defaults(tokenizer: TokenizerConfig, model: ModelConfig, train: Pairs, scale: Scale) -> dict[str, object]:
    same_units = not scale.small_units and tokenizer.source_tokens == tokenizer.target_tokens
    copy = model.copy is None and same_units and model.attention != "none" and _repeated(train) > 0.4
    sizes = {"hidden_size": scale.hidden, "embedding_size": scale.embedding}
    return {**sizes, "dropout": scale.dropout, "copy": copy}


def _repeated(train: Pairs) -> float:
    """Fraction of the target words that occur in their source: half in summaries, a tenth at most in translations."""
    repeated = [
        word in words for source, target in train[:500] for words in [set(source.split())] for word in target.split()
    ]
    return sum(repeated) / max(1, len(repeated))


SHORT_TARGET = 30
"""Mean tokens of targets up to which a model is selected by how many outputs are right as a whole. On G2P the weights with the
most right tokens had up to 2.4 points more wrong words (Hindi) than those of the end."""


def _training_defaults(scale: Scale, config: TrainingConfig, *, whole: bool) -> dict[str, object]:
    return {
        # A time limit replaces the limit on epochs.
        "epochs": None if config.max_minutes else max(1, min(200, scale.epochs)),
        "learning_rate": scale.learning_rate,
        "average": "ema",
        "schedule": "stable-decay",
        "batch_size": scale.batch,
        "batch_tokens": 4096 * max(1, scale.batch // 64) * 2,
        "select_by": "sequence-accuracy" if whole else "accuracy",
    }
