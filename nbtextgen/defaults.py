"""Settings that were left open, chosen from the data where that is safe."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbtextgen.data.augmentation import Augmentation
from nbtextgen.data.config import DataConfig, TokenizerConfig
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.units import suitable_unit
from nbtextgen.model.config import ModelConfig
from nbtextgen.options import Option, as_dict, build, checked, options_of
from nbtextgen.training.config import TrainingConfig

CONFIGS = (DataConfig, TokenizerConfig, ModelConfig, TrainingConfig)


def fit_options() -> dict[str, Option]:
    """Every setting of ``TextGenerator``, by name, in the order of the help."""
    return {name: found for config in CONFIGS for name, found in options_of(config).items()}


@dataclass(frozen=True)
class Plan:
    """All settings of a run, none left open.

    Attributes:
        tokenizer, model, training, data: the configurations.
        choices: the settings that were chosen from the data.
    """

    tokenizer: TokenizerConfig
    model: ModelConfig
    training: TrainingConfig
    choices: Mapping[str, object]
    data: DataConfig = DataConfig()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {
            "tokenizer": as_dict(self.tokenizer),
            "model": as_dict(self.model),
            "training": as_dict(self.training),
            "data": as_dict(self.data),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Mapping[str, Any]], choices: Mapping[str, object] | None = None) -> Plan:
        """Read ``as_dict`` back; raises ``OptionError`` for unknown keys or bad values."""
        return cls(
            build(TokenizerConfig, values["tokenizer"]),
            build(ModelConfig, values["model"]),
            build(TrainingConfig, values["training"]),
            choices or {},
            build(DataConfig, values.get("data", {})),
        )


def plan(given: Mapping[str, Any], train: Pairs) -> Plan:
    """Fill in what the user left open.

    Args:
        given: settings by name; ``None`` or absent means open.
        train: the pairs to be trained on.

    Raises:
        OptionError: when a given value is out of range.
    """
    chosen: dict[str, object] = {}
    parts = []
    for config in CONFIGS:
        names = options_of(config)
        parts.append(checked(config(**{name: value for name, value in given.items() if name in names})))
    data, tokenizer, model, training = parts
    if data.augment:
        Augmentation.parse(data.augment, data.synonyms)  # a mistake shows before anything is computed
    tokenizer = _filled(tokenizer, _tokenizer_defaults(tokenizer, train), chosen)
    small_units = {tokenizer.source_tokens, tokenizer.target_tokens} <= {"char", "symbol"}
    model = _filled(model, _model_defaults(tokenizer, model, train, small_units), chosen)
    if not model.copy:
        chosen.pop("copy", None)  # what is usual need not be said
    training = _filled(training, _training_defaults(train, small_units, training), chosen)
    return Plan(tokenizer, model, training, chosen, data)


def _filled(config: Any, defaults: Mapping[str, object], chosen: dict[str, object]) -> Any:
    """The configuration with open settings taken from ``defaults``, noted in ``chosen``."""
    new = {name: value for name, value in defaults.items() if getattr(config, name) is None}
    chosen.update({name: value for name, value in new.items() if value is not None})
    return dataclasses.replace(config, **new)


def _tokenizer_defaults(given: TokenizerConfig, train: Pairs) -> dict[str, object]:
    source = given.source_tokens or given.tokens or suitable_unit(train.sources)
    target = given.target_tokens or given.tokens or suitable_unit(train.targets)
    if "bpe" in (source, target) and not (given.source_tokens or given.target_tokens or given.tokens):
        # One side of long texts makes both sides BPE, unless the other is made of symbols.
        source, target = ("bpe" if unit == "char" else unit for unit in (source, target))
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
    """Share of the letters of both columns that occur in both."""
    source, target = (set("".join(texts[:500])) for texts in (train.sources, train.targets))
    return len(source & target) / max(1, len(source | target))


def _model_defaults(tokenizer: TokenizerConfig, model: ModelConfig, train: Pairs, small: bool) -> dict[str, object]:
    pairs = len(train)
    if small:
        hidden = 128 if pairs < 1500 else 256 if pairs < 10_000 or pairs > 50_000 else 192
        embedding, dropout = (128 if hidden > 128 else 64), (0.3 if pairs < 10_000 else 0.1)
    else:
        hidden, embedding = (512, 256) if pairs >= 10_000 else (256, 128)
        dropout = 0.25 if pairs < 200_000 else 0.1
    alike = not small and tokenizer.source_tokens == tokenizer.target_tokens
    copy = model.copy is None and alike and model.attention != "none" and _repeated(train) > 0.4
    return {"hidden_size": hidden, "embedding_size": embedding, "dropout": dropout, "copy": copy}


def _repeated(train: Pairs) -> float:
    """Share of the words of the targets that stand in their source: half in summaries, a tenth at most in translations."""
    first = train[:500]
    pairs = [(set(source.split()), target.split()) for source, target in zip(first.sources, first.targets, strict=True)]
    found = [word in words for words, target in pairs for word in target]
    return sum(found) / max(1, len(found))


def _training_defaults(train: Pairs, small: bool, given: TrainingConfig) -> dict[str, object]:
    pairs = len(train)
    batch = given.batch_size or (16 if pairs < 500 else 32 if pairs < 2000 else 64 if small or pairs > 100_000 else 48)
    # Small data needs many passes for enough updates; large data learns what there is in a few.
    updates = (5000 if pairs < 10_000 else 3600) if small else 7500
    # A few thousand short pairs leave room for few updates, and each can be large.
    rate = 0.004 if not small else 0.006 if pairs < 3000 else 0.002
    epochs = max(10, min(200, math.ceil(updates * batch / max(1, pairs))))
    return {
        "epochs": epochs,
        "learning_rate": rate,
        "average": "none" if small else "ema",
        "schedule": "cosine",
        "batch_size": batch,
        "batch_tokens": 4096 * max(1, batch // 64) * 2,
    }
