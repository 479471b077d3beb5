"""Replay: the examples of an epoch are the new ones and a sample of the old ones, another one in every epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtextgen.data.augmentation import EpochExamples
from nbtextgen.data.batching import Examples


@dataclass(frozen=True)
class Replay:
    """Makes the examples of an epoch; the same seed and epoch give the same ones.

    Attributes:
        new: how many of the first examples are new; the others are old.
        replayed: old examples in an epoch, drawn without repetition.
        seed: of the draw.
        following: makes the examples of the epoch from these, for instance augmented ones.
    """

    new: int
    replayed: int
    seed: int
    following: EpochExamples | None = None

    def __call__(self, examples: Examples, epoch: int) -> Examples:
        """The examples of one epoch: every new one, then the replayed ones."""
        old = len(examples) - self.new
        draw = np.random.default_rng([self.seed, epoch, old])
        rows = draw.choice(old, min(old, self.replayed), replace=False) if old else np.arange(0)
        chosen = examples.take([*range(self.new), *(self.new + np.sort(rows)).tolist()])
        return chosen if self.following is None else self.following(chosen, epoch)


def with_target_size(examples: Examples, old_size: int, new_size: int) -> Examples:
    """The examples for a larger target vocabulary: ids beyond the old one, of words that can only be copied, move behind it."""
    if examples.copies is None or old_size == new_size:
        return examples
    shift = new_size - old_size
    targets = [np.where(ids >= old_size, ids + shift, ids) for ids in examples.targets]
    copies = [np.where(ids >= old_size, ids + shift, ids) for ids in examples.copies]
    return Examples(examples.sources, targets, copies)
