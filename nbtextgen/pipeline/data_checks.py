"""Checks of the data before training: leaks between training and validation, and pairs that nothing can be learned from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

from nbtextgen.core.errors import DataError
from nbtextgen.core.escaping import pictured
from nbtextgen.core.wording import share
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.rows import same_key
from nbtextgen.pipeline.training_data import TrainingData
from nbtextgen.tokenizers.base import EOS

MIN_PAIRS = 2
"""Fewest distinct pairs to train on."""
MOST = 0.9
"""Fraction of the pairs that is most of them."""
CHECKED = 20_000
"""Encoded pairs whose tokens are counted."""


def without_leaks(train: Pairs, valid: Pairs, *, allowed: bool) -> tuple[Pairs, str]:
    """The training pairs without those that are validation pairs too, and a warning if there are any.

    Pairs that differ only in case, spacing or Unicode form count as the same, as where pairs are held out.

    Args:
        train: the training pairs.
        valid: the user's validation pairs.
        allowed: keep them and only warn.

    Raises:
        DataError: if too little is left to train on.
    """
    held = defaultdict[str, set[str]](set)
    for source, target in valid:
        held[same_key(source)].add(same_key(target))
    targets = (held.get(same_key(source)) for source in train.sources)
    rows = [row for row, known in enumerate(targets) if known is None or same_key(train.targets[row]) not in known]
    repeated = len(train) - len(rows)
    if not repeated:
        return train, ""
    noun = "a validation pair" if repeated == 1 else "validation pairs"
    repeated_pairs = f"{share(repeated, len(train), 'training pair', 'is', 'are')} also {noun}"
    if allowed:
        return train, f"{repeated_pairs}, so scores are too good."
    if len({train[row] for row in rows}) < MIN_PAIRS:
        raise DataError(
            f"{repeated_pairs}, which would then measure only what was "
            "memorized; give other validation pairs, leave out --valid to hold some out, or set --allow-overlap."
        )
    return train.take(rows), (
        f"{repeated_pairs} and {'was' if repeated == 1 else 'were'} left out of training; --allow-overlap keeps them."
    )


def data_warnings(train: Pairs, data: TrainingData) -> Iterator[str]:
    """Warnings about pairs that a model can learn little from, each with what to do."""
    targets = set(islice(train.targets, CHECKED))
    if len(targets) == 1:
        yield (
            f"All targets are the same text ({_short(targets.pop())}), so the model will write it for every source; "
            "check the column of targets (--target)."
        )
    elif len({token for ids in data.train.targets[:CHECKED] for token in ids[1:].tolist()} - {EOS}) == 1:
        yield (
            "All targets consist of one token, repeated, so only their lengths can be learned; check the column of targets "
            "(--target) and --target-tokens."
        )
    sources = set(islice(train.sources, CHECKED))
    if len(sources) == 1:
        yield (
            f"All sources are the same text ({_short(sources.pop())}), so outputs cannot depend on them; check the column of "
            "sources (--source)."
        )
    equal = sum(source == target for source, target in train)
    if equal >= MOST * len(train):
        yield (
            f"In {share(equal, len(train), 'pair')} the target is the same as the source, so the model mostly learns to copy; "
            "check the columns (--source, --target)."
        )


def _short(text: str) -> str:
    return repr(pictured(text if len(text) <= 40 else text[:40] + "..."))
