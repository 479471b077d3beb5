"""What a user hands over, checked and made ready: pairs in any form, a text or a store to train on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.data.pairs import Pairs
from nbtextgen.pipeline.plan import Plan, fit_options, plan

if TYPE_CHECKING:
    from nbtextgen.pipeline.fit import TrainingData

SMALLEST = 2
"""Fewest distinct pairs that anything can be learned from."""


@dataclass(frozen=True)
class PreparedData:
    """Ready for training.

    Attributes:
        plan: all settings, those chosen from the data included.
        material: what the trainer reads.
        train: its pairs, or a sample of them.
        held: pairs held out, where they are in memory.
        notes: what cleaning did, for the user.
        seconds: how long all of this took.
    """

    plan: Plan
    material: TrainingData
    train: Pairs
    held: Pairs | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


def prepare_data(
    options: Mapping[str, Any], data: Any, targets: Any, valid: Any, source: str | None, target: str | None
) -> PreparedData:
    """Read the data, clean and split it, and fill in the settings that ``options`` leave open.

    Args:
        options: settings of ``TextGenerator`` by name.
        data, targets, valid, source, target: as ``TextGenerator.fit``.
    """
    began = time.perf_counter()
    given = _prepared(options, data, targets, valid, source, target)
    return replace(given, seconds=time.perf_counter() - began)


def _prepared(
    options: Mapping[str, Any], data: Any, targets: Any, valid: Any, source: str | None, target: str | None
) -> PreparedData:
    from nbtextgen.data.corpus import Corpus
    from nbtextgen.pipeline.fit import TrainingData

    if isinstance(data, Corpus):
        from nbtextgen.pipeline.continuation import held_pairs, text_plan, text_training_data

        pieces = data.pieces()
        chosen = text_plan(options, pieces)
        material = text_training_data(chosen, data.text)
        return PreparedData(chosen, material, pieces, held_pairs(material))
    if options["store"]:
        from nbtextgen.pipeline.streamed import streamed_training_data

        if targets is not None or valid is not None:
            raise OptionError("--store reads pairs from files or a data set and holds some out itself.")
        return PreparedData(*streamed_training_data(options, data, source, target))
    chosen, train, held, note = planned(options, data, targets, valid, source, target)
    return PreparedData(chosen, TrainingData.of(chosen, train, held), train, held, (note,) if note else ())


def planned(
    options: Mapping[str, Any], data: Any, targets: Any, valid: Any, source: str | None, target: str | None
) -> tuple[Plan, Pairs, Pairs | None, str]:
    """Settings, pairs cleaned and split, and what cleaning did; arguments as ``prepare_data``."""
    from nbtextgen.pipeline.preparing import prepare

    ready = prepare(data if targets is None else _zipped(data, targets), valid, options["clean"], source, target)
    train, held = split(options, ready.pairs, ready.valid)
    return plan({**options, "clean": ready.steps, "context": None}, train), train, held, ready.note


def split(options: Mapping[str, Any], pairs: Pairs, held: Pairs | None = None) -> tuple[Pairs, Pairs | None]:
    """Training and validation pairs; raises ``DataError`` when there is too little to learn from."""
    known = fit_options()
    fraction = known["valid_fraction"].check(options["valid_fraction"])
    limit, seed = options["valid_limit"], options["seed"]
    if len(set(zip(pairs.sources, pairs.targets, strict=True))) < SMALLEST:
        what = "one pair" if len(pairs) == 1 else f"{len(pairs)} identical pairs"
        raise DataError(f"There is only {what} to learn from ({pairs.place(0)}); give at least two different ones.")
    if held is not None or not fraction:
        return pairs, held
    train, held = pairs.split(fraction, seed, limit)
    if len(set(pairs.sources)) < 10 or not len(held) or not len(train):
        return pairs, None  # too few to hold any out: the training loss then selects
    return train, held


def to_pairs(data: Any, targets: Any = None, source: str | None = None, target: str | None = None) -> Pairs:
    """Pairs in any form that ``Pairs.of`` reads, or two columns."""
    if targets is None:
        return Pairs.of(data, source=source, target=target)
    return Pairs.of(_zipped(data, targets))


def _zipped(data: Any, targets: Any) -> list[tuple[Any, Any]]:
    sources, wanted = list(data), list(targets)
    if len(sources) != len(wanted):
        raise DataError(f"There are {len(sources):,} sources but {len(wanted):,} targets; give one target per source.")
    return list(zip(sources, wanted, strict=True))


def group_references(pairs: Pairs, *, grouped: bool) -> tuple[list[str], list[str | list[str]]]:
    """Sources and what is right for each; with ``grouped``, every target of a source is an acceptable answer."""
    if not grouped:
        return list(pairs.sources), list(pairs.targets)
    answers: dict[str, list[str]] = {}
    for one, answer in pairs:
        answers.setdefault(one, []).append(answer)
    return list(answers), list(answers.values())
