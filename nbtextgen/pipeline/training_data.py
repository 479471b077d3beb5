"""What a network is trained on: tokenizers and encoded pairs, and everything else that is prepared from the user's data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.data.augmentation import Augmentation, Augmenter, EpochExamples
from nbtextgen.data.batching import CopyMap, Examples, encode_examples
from nbtextgen.data.corpus import ShiftingWindows
from nbtextgen.data.pairs import Pairs
from nbtextgen.inference.text_codec import LengthLimit
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.tokenizers.base import Tokenizer
from nbtextgen.tokenizers.registry import train_tokenizer
from nbtextgen.tokenizers.truncated import TruncatedTokenizer

METRIC_PAIRS = 300
"""Validation pairs generated for at each validation when a metric of the written text selects the best model."""


@dataclass(frozen=True)
class TrainingData:
    """What a trainer reads.

    Attributes:
        source, target: tokenizers of both sides, one and the same with a shared vocabulary.
        train: encoded training pairs.
        valid: encoded validation pairs, or ``None``.
        shown: texts of the first validation pairs, for samples and for metrics of the written text.
        limit: longest output for a source length.
        left_out: number of pairs that were too long.
    """

    source: Tokenizer
    target: Tokenizer
    train: Examples
    valid: Examples | None
    shown: tuple[tuple[str, str], ...]
    limit: LengthLimit
    left_out: int = 0

    @classmethod
    def of(cls, plan: Plan, train: Pairs, valid: Pairs | None) -> TrainingData:
        """Train the tokenizers and encode the pairs.

        Raises:
            DataError: when every pair is too long.
            OptionError: when a shared vocabulary is asked for and the sides have different kinds of tokens.
        """
        source, target = train_tokenizers(plan, train)
        copy = CopyMap(source, target) if plan.model.copy else None
        examples = encode_examples(train.sources, train.targets, source, target, copy)
        limit, longest = LengthLimit.from_examples(examples), plan.training.max_length
        rows = examples.rows_within(longest)
        if not rows:
            raise DataError(
                f"Every pair has more than {longest:,} tokens on a side ({train.place(0)} has "
                f"{len(examples.sources[0]):,}); raise --max-length or shorten the texts."
            )
        left_out = len(examples) - len(rows)
        kept = examples.take(rows) if left_out else examples
        if valid is None:
            return cls(source, target, kept, None, (), limit, left_out)
        encoded = encode_examples(valid.sources, valid.targets, source, target, copy)
        rows = encoded.rows_within(longest)
        shown = tuple(valid[row] for row in rows[: max(plan.training.samples, METRIC_PAIRS)])
        left_out += len(encoded) - len(rows)
        return cls(source, target, kept, encoded.take(rows) if rows else None, shown, limit, left_out)

    @classmethod
    def sample(cls, plan: Plan, train: Pairs, size: int) -> TrainingData:
        """Encode at most ``size`` random training pairs, for a trial run."""
        rows = np.random.default_rng(plan.training.seed).permutation(len(train))[:size]
        sample = train.take(sorted(rows.tolist()))
        source, target = train_tokenizers(plan, sample if len(train) > 20 * size else train)
        copy = CopyMap(source, target) if plan.model.copy else None
        examples = encode_examples(sample.sources, sample.targets, source, target, copy)
        kept = examples.take(examples.rows_within(plan.training.max_length) or [0])
        return cls(source, target, kept, None, (), LengthLimit.from_examples(examples))


@dataclass(frozen=True)
class PreparedData:
    """The user's data, ready for training.

    Attributes:
        plan: all settings, those chosen from the data included.
        training_data: what the trainer reads.
        train: training pairs, or a sample of them.
        valid: validation pairs as texts, or ``None``.
        notes: what cleaning did, for the user.
        seconds: how long the preparation took.
    """

    plan: Plan
    training_data: TrainingData
    train: Pairs
    valid: Pairs | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


def epoch_examples(
    plan: Plan, source: Tokenizer, target: Tokenizer, copy: CopyMap | None, seed: int
) -> EpochExamples | None:
    """What makes the examples of each epoch: windows cut elsewhere, augmented pairs, or ``None`` for the same ones."""
    data = plan.data
    if data.context is not None:
        return ShiftingWindows(data.context, data.window or 4 * data.context, seed)
    if data.augment:
        return Augmenter(Augmentation.parse(data.augment, data.synonyms), source, target, copy, seed)
    return None


def train_tokenizers(plan: Plan, train: Pairs) -> tuple[Tokenizer, Tokenizer]:
    """Tokenizers of both sides, one and the same with a shared vocabulary."""
    config = plan.tokenizer
    sides = []
    for texts, unit, form, lowercase in (
        (train.sources, config.source_tokens, config.source_normalization, config.source_lowercase),
        (train.targets, config.target_tokens, config.target_normalization, config.target_lowercase),
    ):
        sides.append((texts, unit or "char", form or "none", lowercase))
    if config.shared_vocabulary:
        if sides[0][1:] != sides[1][1:]:
            raise OptionError(
                "--shared-vocabulary needs the same tokens, normalization and lower-casing on both sides "
                f"(got {sides[0][1:]} and {sides[1][1:]})."
            )
        sides = [([*train.sources, *train.targets], *sides[0][1:])]
    tokenizers = [
        train_tokenizer(
            texts,
            unit,
            normalization=form,
            lowercase=lowercase,
            size=config.vocabulary_size,
            minimum_frequency=config.minimum_frequency,
        )
        for texts, unit, form, lowercase in sides
    ]
    source, target = tokenizers[0], tokenizers[-1]
    return TruncatedTokenizer(source, config.source_limit) if config.source_limit else source, target
