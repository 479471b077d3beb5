"""Training data: tokenizers and encoded pairs, and everything else that is prepared from the user's data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.data.augmentation import OFF, Augmentation, Augmenter, EpochExamples
from nbtextgen.data.batching import CopyMap, Examples, encode_examples
from nbtextgen.data.corpus import ShiftingWindows
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.replay import Replay
from nbtextgen.inference.text_codec import OutputLength
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.tokenizers.base import Tokenizer
from nbtextgen.tokenizers.registry import train_tokenizer
from nbtextgen.tokenizers.truncated import TruncatedTokenizer
from nbtextgen.training.state import Weights

METRIC_PAIRS = 300
"""Validation pairs generated for at each validation when a metric of the written text selects the best model."""


@dataclass(frozen=True)
class StartingPoint:
    """The model that a training goes on from.

    Attributes:
        weights: the weights of each of its networks, with rows for the new token types.
        fingerprint: of the model as it was.
        new_pairs: how many of the first training examples are new; the others are old ones.
        replayed: old examples in an epoch.
        old_valid: texts of old validation pairs, on which forgetting is measured.
        metric: the metric of their outputs.
        before: its value for the model as it was, percent.
    """

    weights: tuple[Weights, ...]
    fingerprint: str
    new_pairs: int
    replayed: int = 0
    old_valid: tuple[tuple[str, str], ...] = ()
    metric: str = ""
    before: float = 0.0


@dataclass(frozen=True)
class TrainingData:
    """What a trainer reads.

    Attributes:
        source, target: tokenizers of both sides, the same one with a shared vocabulary.
        train: encoded training pairs.
        valid: encoded validation pairs, or ``None``.
        valid_texts: texts of the first validation pairs, for samples and for metrics of generated texts.
        output_length: longest output for a source length, and the length penalty.
        left_out: number of pairs that were too long.
        start: the model that training goes on from, or ``None``: new weights.
    """

    source: Tokenizer
    target: Tokenizer
    train: Examples
    valid: Examples | None
    valid_texts: tuple[tuple[str, str], ...]
    output_length: OutputLength
    left_out: int = 0
    start: StartingPoint | None = None

    @classmethod
    def of(
        cls, plan: Plan, train: Pairs, valid: Pairs | None, tokenizers: tuple[Tokenizer, Tokenizer] | None = None
    ) -> TrainingData:
        """Encode the pairs, with tokenizers that are trained on them unless they are given.

        Raises:
            DataError: if every pair is too long.
            OptionError: if a shared vocabulary is requested and the sides have different kinds of tokens.
        """
        source, target = tokenizers or train_tokenizers(plan, train)
        copy = CopyMap(source, target) if plan.model.copy else None
        examples = encode_examples(train.sources, train.targets, source, target, copy)
        length, longest = OutputLength.from_examples(examples), plan.training.max_length
        rows = examples.rows_within(longest)
        if not rows:
            raise DataError(
                f"Every pair has more than {longest:,} tokens on a side ({train.place(0)} has "
                f"{len(examples.sources[0]):,}); raise --max-length or shorten the texts."
            )
        left_out = len(examples) - len(rows)
        kept = examples.take(rows) if left_out else examples
        if valid is None:
            return cls(source, target, kept, None, (), length, left_out)
        encoded = encode_examples(valid.sources, valid.targets, source, target, copy)
        rows = encoded.rows_within(longest)
        texts = tuple(valid[row] for row in rows[: max(plan.training.samples, METRIC_PAIRS)])
        left_out += len(encoded) - len(rows)
        return cls(source, target, kept, encoded.take(rows) if rows else None, texts, length, left_out)

    @classmethod
    def sample(cls, plan: Plan, train: Pairs, size: int) -> TrainingData:
        """Encode at most ``size`` random training pairs, for a trial run."""
        rows = np.random.default_rng(plan.training.seed).permutation(len(train))[:size]
        sample = train.take(sorted(rows.tolist()))
        source, target = train_tokenizers(plan, sample if len(train) > 20 * size else train)
        copy = CopyMap(source, target) if plan.model.copy else None
        examples = encode_examples(sample.sources, sample.targets, source, target, copy)
        kept = examples.take(examples.rows_within(plan.training.max_length) or [0])
        return cls(source, target, kept, None, (), OutputLength.from_examples(examples))


@dataclass(frozen=True)
class PreparedData:
    """The user's data, ready for training.

    Attributes:
        plan: all settings, those chosen from the data included.
        training_data: what the trainer reads.
        train: training pairs, or a sample of them.
        valid: validation pairs as texts, or ``None``.
        notes: warnings for the user, about cleaning, leaks and pairs that little can be learned from.
        seconds: how long the preparation took.
    """

    plan: Plan
    training_data: TrainingData
    train: Pairs
    valid: Pairs | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


def epoch_examples(plan: Plan, data: TrainingData, copy: CopyMap | None, seed: int) -> EpochExamples | None:
    """The function that makes the examples of each epoch (other windows, replayed or augmented pairs), or ``None`` for the
    same ones."""
    changed, start = _changed_examples(plan, data.source, data.target, copy, seed), data.start
    return Replay(start.new_pairs, start.replayed, seed, changed) if start is not None and start.replayed else changed


def _changed_examples(
    plan: Plan, source: Tokenizer, target: Tokenizer, copy: CopyMap | None, seed: int
) -> EpochExamples | None:
    data = plan.data
    if data.context is not None:
        return ShiftingWindows(data.context, data.window or 4 * data.context, seed)
    augmentation = Augmentation.parse(data.augment or OFF, data.synonyms)
    return Augmenter(augmentation, source, target, copy, seed) if augmentation.steps else None


def train_tokenizers(plan: Plan, train: Pairs) -> tuple[Tokenizer, Tokenizer]:
    """Tokenizers of both sides, the same one with a shared vocabulary."""
    config = plan.tokenizer

    def tokenizer(texts: Sequence[str], unit: str, normalization: str, lowercase: bool) -> Tokenizer:
        return train_tokenizer(
            texts,
            unit,
            normalization=normalization,
            lowercase=lowercase,
            size=config.vocabulary_size,
            minimum_frequency=config.minimum_frequency,
        )

    reading = (config.source_tokens or "char", config.source_normalization or "none", config.source_lowercase)
    writing = (config.target_tokens or "char", config.target_normalization or "none", config.target_lowercase)
    if not config.shared_vocabulary:
        source, target = tokenizer(train.sources, *reading), tokenizer(train.targets, *writing)
    elif reading != writing:
        raise OptionError(
            "--shared-vocabulary needs the same tokens, normalization and lower-casing on both sides "
            f"(got {reading} and {writing})."
        )
    else:
        source = target = tokenizer([*train.sources, *train.targets], *reading)
    return TruncatedTokenizer(source, config.source_limit) if config.source_limit else source, target
