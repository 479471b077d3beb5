"""Data preparation: from the arguments of ``fit`` (pairs, a text or a stream) to ``PreparedData``."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from typing import Protocol

from nbtextgen.core.errors import OptionError
from nbtextgen.core.options import Settings
from nbtextgen.core.wording import share
from nbtextgen.data.cleaning.clean import parse_steps
from nbtextgen.data.cleaning.steps import REWRITES
from nbtextgen.data.corpus import Corpus
from nbtextgen.data.pairs import CLEANED_BY, Cleaned, Pairs, RawPairs
from nbtextgen.data.readers.columns import ColumnName
from nbtextgen.data.readers.texts import pair_columns
from nbtextgen.model.isolation import isolated
from nbtextgen.pipeline.continuation import TextSource
from nbtextgen.pipeline.data_checks import (
    check_enough,
    data_warnings,
    held_out_warnings,
    validation_warnings,
    without_leaks,
)
from nbtextgen.pipeline.defaults import Plan, plan
from nbtextgen.pipeline.settings import fit_options
from nbtextgen.pipeline.streamed import StreamedSource
from nbtextgen.pipeline.training_data import PreparedData, TrainingData


class TrainingSource(Protocol):
    """Data from which the settings have been chosen, and which is not tokenized yet."""

    @property
    def plan(self) -> Plan:
        """All settings, those chosen from the data included."""
        ...

    def prepare(self) -> PreparedData:
        """Train the tokenizers and encode everything."""
        ...

    def sample(self, size: int) -> tuple[TrainingData, int]:
        """At most ``size`` examples for a trial run, and the approximate number of all."""
        ...


@isolated()
def prepare_data(
    options: Settings,
    data: object,
    targets: object = None,
    valid: object = None,
    source: ColumnName | None = None,
    target: ColumnName | None = None,
    encoding: str | None = None,
) -> PreparedData:
    """Read the data, clean and split it, choose the settings that ``options`` leave open, and encode it.

    Args:
        options: settings of ``TextGenerator`` by name.
        data, targets, valid, source, target, encoding: as ``TextGenerator.fit``.

    Raises:
        DataError: if the data cannot be read or is too little to learn from.
        OptionError: if settings contradict one another.
    """
    began = time.perf_counter()
    prepared = open_source(options, data, targets, valid, source, target, encoding).prepare()
    return replace(prepared, seconds=time.perf_counter() - began)


def open_source(
    options: Settings,
    data: object,
    targets: object = None,
    valid: object = None,
    source: ColumnName | None = None,
    target: ColumnName | None = None,
    encoding: str | None = None,
) -> TrainingSource:
    """Read the data and choose the settings; arguments and errors as ``prepare_data``."""
    if isinstance(data, Corpus):
        return TextSource.of(options, data)
    if options["store"]:
        if targets is not None or valid is not None:
            raise OptionError("--store reads pairs from files or a data set and holds some out itself.")
        if options["keep_rows"]:
            raise OptionError(
                "--keep-rows keeps pairs that are in memory, and --store reads them in parts; choose one."
            )
        return StreamedSource.of(options, data, source, target, encoding)
    data, valid, source, target = joined_columns(data, targets, valid, source, target, encoding)
    return PairSource.of(options, data, valid, source, target, encoding)


def joined_columns(
    data: object,
    targets: object,
    valid: object,
    source: ColumnName | None,
    target: ColumnName | None,
    encoding: str | None,
) -> tuple[object, object, ColumnName | None, ColumnName | None]:
    """Join sources and targets that are given apart, and read ``valid`` by the columns' names, which are used up then.

    Returns:
        data, valid, source and target, unchanged if ``targets`` is ``None``.
    """
    if targets is None:
        return data, valid, source, target
    columns = pair_columns(data, targets, source, target, encoding)
    if valid is not None:
        valid = RawPairs.of(valid, source=source, target=target, encoding=encoding)
    return columns, valid, None, None


@dataclass(frozen=True)
class PairSource:
    """Pairs in memory.

    Attributes:
        plan: all settings.
        train, valid: the pairs, cleaned and split.
        notes: what the reader assumed, what cleaning did, and which pairs were left out, as warnings for the user.
        has_own_validation: whether the validation pairs are the user's.
    """

    plan: Plan
    train: Pairs
    valid: Pairs | None
    notes: tuple[str, ...]
    has_own_validation: bool = False

    @classmethod
    def of(
        cls,
        options: Settings,
        data: object,
        valid: object,
        source: ColumnName | None,
        target: ColumnName | None,
        encoding: str | None,
    ) -> PairSource:
        """Read, clean and split the pairs; arguments and errors as ``prepare_data``."""
        cleaned, valid = read_pairs(data, valid, options["clean"], source, target, encoding)
        own = valid is not None
        if valid is None:
            train, valid = split(options, cleaned.pairs)
            leaks = held_out_warnings(train, valid)
        else:
            train, leaks = without_leaks(cleaned.pairs, valid, allowed=bool(options["allow_overlap"]))
            train, valid = split(options, train, valid)
        chosen = plan({**options, "clean": cleaned.steps or None, "context": None}, train)
        return cls(
            chosen, train, valid, tuple(filter(None, [*cleaned.pairs.notes, cleaning_note(cleaned), *leaks])), own
        )

    def prepare(self) -> PreparedData:
        """Train the tokenizers and encode the pairs."""
        encoded = TrainingData.of(self.plan, self.train, self.valid)
        notes = (*self.notes, *data_warnings(self.train, encoded))
        if self.has_own_validation and self.valid is not None:
            notes += tuple(validation_warnings(self.train, self.valid, encoded))
        return PreparedData(self.plan, encoded, self.train, self.valid, notes)

    def sample(self, size: int) -> tuple[TrainingData, int]:
        """Some of the pairs, and the number of all."""
        return TrainingData.sample(self.plan, self.train, size), len(self.train)


def read_pairs(
    data: object,
    valid: object,
    steps: str | None,
    source: ColumnName | None,
    target: ColumnName | None,
    encoding: str | None = None,
) -> tuple[Cleaned, Pairs | None]:
    """Read and clean training and validation pairs; without cleaning steps every row must be a pair.

    In the user's validation pairs, steps that rewrite apply and rows that are not pairs are dropped, but no others.
    ``fit`` accepts the result, does not clean it again, and saves its steps with the model.

    Raises:
        DataError: if the data cannot be read, or if cleaning leaves nothing.
        OptionError: for an unknown cleaning step.
    """
    if isinstance(data, Cleaned) and steps is None:
        return Cleaned(data.pairs, (), (), data.steps), _read_valid(valid, data.steps, source, target, encoding)
    steps = steps or _steps_of_frame(data)
    valid = _read_valid(valid, steps, source, target, encoding)
    rows = RawPairs.of(data, source=source, target=target, encoding=encoding)
    return rows.clean(steps, valid=valid) if steps else Cleaned(rows.pairs(), (), (), ""), valid


def _steps_of_frame(data: object) -> str | None:
    """The steps that ``Cleaned.frame`` notes in a pandas frame, so that the model applies them to its inputs as well."""
    attributes: object = getattr(data, "attrs", None)
    steps: object = attributes.get(CLEANED_BY) if isinstance(attributes, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return steps if isinstance(steps, str) else None


def _read_valid(
    valid: object, steps: str | None, source: ColumnName | None, target: ColumnName | None, encoding: str | None
) -> Pairs | None:
    if valid is None:
        return None
    if isinstance(valid, (int, float)) or (isinstance(valid, str) and re.fullmatch(r"0?\.\d+", valid)):
        raise OptionError("--valid takes validation pairs; the share of the data that is held out is --valid-fraction.")
    rows = RawPairs.of(valid, source=source, target=target, encoding=encoding)
    if not steps:
        return rows.pairs()
    return rows.clean([name for name in parse_steps(steps) if name in REWRITES or name == "text"]).pairs


def cleaning_note(cleaned: Cleaned) -> str:
    """What cleaning did, in a sentence; empty if nothing was cleaned."""
    if not cleaned.results:
        return ""
    effects = [
        f"{result.name} " + (f"dropped {result.dropped:,}" if result.dropped else f"changed {result.changed:,}")
        for result in cleaned.results
        if result.dropped or result.changed
    ]
    total = len(cleaned.pairs) + len(cleaned.dropped)
    return f"Cleaning kept {share(len(cleaned.pairs), total, 'row')}" + (
        f" ({', '.join(effects)})." if effects else "."
    )


def split(options: Settings, pairs: Pairs, valid: Pairs | None = None) -> tuple[Pairs, Pairs | None]:
    """Training and validation pairs; raises ``DataError`` if there is too little to learn from."""
    names = ("valid_fraction", "valid_limit", "seed")
    fraction, limit, seed = (fit_options()[name].check(options[name]) for name in names)
    check_enough(pairs)
    if valid is not None or not fraction:
        return pairs, valid
    train, valid = pairs.split(fraction, seed, limit)
    if len(set(pairs.sources)) < 10 or not len(valid) or not len(train):
        return pairs, None  # too few to hold any out, so the training loss selects
    return train, valid


def to_pairs(
    data: object,
    targets: object = None,
    source: ColumnName | None = None,
    target: ColumnName | None = None,
    encoding: str | None = None,
) -> Pairs:
    """Pairs from any form that ``Pairs.of`` reads, or from two columns."""
    if targets is None:
        return Pairs.of(data, source=source, target=target, encoding=encoding)
    return Pairs.of(pair_columns(data, targets, source, target, encoding), encoding=encoding)


def group_references(pairs: Pairs, *, grouped: bool) -> tuple[list[str], list[str | list[str]]]:
    """Sources and their references; with ``grouped``, all targets of a source are acceptable references."""
    if not grouped:
        return list(pairs.sources), list(pairs.targets)
    references = dict[str, list[str]]()
    for source, target in pairs:
        references.setdefault(source, []).append(target)
    return list(references), list(references.values())
