"""Checks of the data before training: leaks between training and validation, and pairs that nothing can be learned from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from nbtextgen.core.errors import DataError
from nbtextgen.core.escaping import pictured
from nbtextgen.core.wording import counted, share
from nbtextgen.data.batching import Ids
from nbtextgen.data.leaks import Leaks, near_key
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.rows import same_key
from nbtextgen.pipeline.training_data import TrainingData
from nbtextgen.tokenizers.base import EOS, UNK, Tokenizer

MIN_PAIRS = 2
"""Fewest distinct pairs to train on."""
MOST = 0.9
"""Fraction of the pairs that is most of them."""
FEW_VALIDATION = 5
"""Different validation pairs below which the best checkpoint is chosen by chance."""
FEW, MANY = 20, 100
"""Fewest pairs of which most may be of one kind, and fewest that may be many times the same."""
CHECKED = 20_000
"""Pairs that are counted."""
NEAR = 0.01
"""Fraction of the held-out pairs that may differ from training pairs only in punctuation."""


def without_leaks(train: Pairs, valid: Pairs, *, allowed: bool) -> tuple[Pairs, tuple[str, ...]]:
    """The training pairs without those that are validation pairs too, and a warning for each kind of leak.

    Pairs that differ only in case, spacing or Unicode form count as the same, as where pairs are held out. Those that differ
    in punctuation too are only counted: punctuation may be what is learned.

    Args:
        train: the training pairs.
        valid: the user's validation pairs.
        allowed: keep them and only warn.

    Raises:
        DataError: if too little is left to train on.
    """
    leaks, warnings = Leaks.of(train.sources, train.targets, valid), list[str]()
    if leaks.near:
        near = share(len(leaks.near), len(train), "training pair", "differs", "differ")
        warnings.append(
            f"{near} from validation pairs only in punctuation, case or spacing, so scores are too good; --clean=overlap "
            "leaves such pairs out of training."
        )
    repeated = len(leaks.same)
    if not repeated:
        return train, tuple(warnings)
    noun = "a validation pair" if repeated == 1 else "validation pairs"
    repeated_pairs = f"{share(repeated, len(train), 'training pair', 'is', 'are')} also {noun}"
    if allowed:
        return train, (f"{repeated_pairs}, so scores are too good.", *warnings)
    same = {*leaks.same}
    rows = [row for row in range(len(train)) if row not in same]
    if len({train[row] for row in rows}) < MIN_PAIRS:
        raise DataError(
            f"{repeated_pairs}, which would then measure only what was "
            "memorized; give other validation pairs, leave out --valid to hold some out, or set --allow-overlap."
        )
    was = "was" if repeated == 1 else "were"
    left_out = f"{repeated_pairs} and {was} left out of training; --allow-overlap keeps them."
    return train.take(rows), (left_out, *warnings)


def held_out_warnings(train: Pairs, valid: Pairs | None) -> tuple[str, ...]:
    """A warning if many pairs that were held out differ from training pairs only in punctuation."""
    if valid is None:
        return ()
    keys = {near_key(train.sources[row]) for row in Leaks.of(train.sources, train.targets, valid).near}
    near = sum(near_key(source) in keys for source in valid.sources)
    if near <= NEAR * len(valid):
        return ()
    return (
        f"{share(near, len(valid), 'validation pair', 'differs', 'differ')} from training pairs only in punctuation, case or "
        "spacing, so scores are somewhat too good; --clean=near-duplicates keeps one pair of such.",
    )


def check_enough(pairs: Pairs) -> None:
    """Raise ``DataError`` unless there are two different pairs."""
    if len(set(pairs)) < MIN_PAIRS:
        what = "is only one pair" if len(pairs) == 1 else f"are only {len(pairs):,} identical pairs"
        raise DataError(f"There {what} to learn from ({pairs.place(0)}); give at least two different ones.")


def data_warnings(train: Pairs, data: TrainingData) -> Iterator[str]:
    """Warnings about pairs that a model can learn little from, each with what to do."""
    pairs = list(islice(train, CHECKED))
    distinct, many = set(pairs), len(pairs) >= MANY
    if many and 1 < len(distinct) <= (1 - MOST) * len(pairs):
        yield (
            f"Only {len(distinct):,} of the {len(pairs):,} pairs are different, so the model learns those by heart; give more "
            "data, and check how the rows were made."
        )
    elif many and 1 < len({source for source, _ in distinct}) <= (1 - MOST) * len(distinct):
        sources = len({source for source, _ in distinct})
        yield (
            f"There are only {sources:,} different sources, with {len(distinct) / sources:.0f} targets each on average, and the "
            "model writes one output for each; check the column of sources (--source)."
        )
    yield from _target_warnings([target for _, target in pairs], data)
    yield from _source_warnings([source for source, _ in pairs], data)
    equal = sum(source == target for source, target in train)
    if equal >= MOST * len(train):
        yield (
            f"In {share(equal, len(train), 'pair')} the target is the same as the source, so the model mostly learns to copy; "
            "check the columns (--source, --target)."
        )


def _target_warnings(targets: Sequence[str], data: TrainingData) -> Iterator[str]:
    text, count = Counter(targets).most_common(1)[0]
    if count == len(targets):
        yield (
            f"All targets are the same text ({_short(text)}), so the model will write it for every source; "
            "check the column of targets (--target)."
        )
    elif _one_token((ids[1:] for ids in data.train.targets[:CHECKED]), data.target):
        yield (
            "All targets consist of one token, repeated, so only their lengths can be learned; check the column of targets "
            "(--target) and --target-tokens."
        )
    elif len(targets) >= FEW and count >= MOST * len(targets):
        yield (
            f"In {share(count, len(targets), 'pair')} the target is the same text ({_short(text)}), so the model mostly learns "
            "to write it; check the column of targets (--target), or add pairs with other targets."
        )


def _source_warnings(sources: Sequence[str], data: TrainingData) -> Iterator[str]:
    text, count = Counter(sources).most_common(1)[0]
    if count == len(sources):
        yield (
            f"All sources are the same text ({_short(text)}), so outputs cannot depend on them; check the column of "
            "sources (--source)."
        )
    elif _one_token(data.train.sources[:CHECKED], data.source):
        yield (
            "All sources consist of one token, repeated, so outputs can depend on their lengths only; check the column of "
            "sources (--source) and --source-tokens."
        )
    elif len(sources) >= FEW and count >= MOST * len(sources):
        yield (
            f"In {share(count, len(sources), 'pair')} the source is the same text ({_short(text)}), so most outputs cannot "
            "depend on it; check the column of sources (--source)."
        )


def _one_token(rows: Iterable[Ids], tokenizer: Tokenizer) -> bool:
    """Whether all rows of token ids consist of one token; a space before it makes no difference."""
    kinds = {token for ids in rows for token in ids.tolist()} - {EOS}
    if len(kinds) > 2 or max(kinds, default=0) >= tokenizer.size:  # a word that is copied is none of the vocabulary
        return len(kinds) == 1
    return len({tokenizer.token(token).strip() for token in kinds}) == 1


def validation_warnings(train: Pairs, valid: Pairs, data: TrainingData) -> Iterator[str]:
    """Warnings about validation pairs of the user that say little about the model, each with what to do."""
    pairs = set(islice(valid, CHECKED))
    if len(pairs) < FEW_VALIDATION:
        yield (
            f"The validation data holds {counted(len(pairs), 'different pair')}, too few to choose the best checkpoint by; give "
            "more with --valid, or leave it out to hold some out."
        )
    if data.valid is not None:
        tokens = [token for ids in data.valid.sources[:CHECKED] for token in ids.tolist()]
        unknown = tokens.count(UNK)
        if 2 * unknown > len(tokens):
            yield (
                f"{100 * unknown / len(tokens):.0f} % of the tokens of the validation sources do not occur in the training data; "
                "check that --valid holds the same kind of data, and its columns."
            )
    keys = {(same_key(source), same_key(target)) for source, target in train}
    trained = {source for source, _ in keys}
    valid_keys = ((same_key(source), same_key(target)) for source, target in pairs)
    retargeted = sum(pair[0] in trained and pair not in keys for pair in valid_keys)
    if 2 * retargeted > len(pairs):
        yield (
            f"In {share(retargeted, len(pairs), 'validation pair')} the source is a training source, with another target, so scores "
            "say little about new sources."
        )


def text_warnings(data: TrainingData) -> Iterator[str]:
    """A warning about a text of which nothing can be learned, with what to do."""
    if len({token for ids in data.train.targets[:CHECKED] for token in ids[1:].tolist()} - {EOS}) == 1:
        yield "The text consists of one token, repeated, so nothing can be learned from it; check the file and --tokens."


def _short(text: str) -> str:
    return repr(pictured(text if len(text) <= 40 else text[:40] + "..."))
