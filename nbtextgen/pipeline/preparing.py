"""From what a user hands to ``fit`` to the pairs that are trained on: reading and cleaning in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nbtextgen.data.cleaning.clean import parse_steps
from nbtextgen.data.cleaning.steps import REWRITES
from nbtextgen.data.pairs import Cleaned, Pairs, RawPairs


@dataclass(frozen=True)
class Prepared:
    """Pairs ready for training.

    Attributes:
        pairs: what to train on (and to hold some out of).
        valid: held-out pairs, when they were given.
        steps: cleaning steps that the model must remember, or ``None``.
        note: what cleaning did, in a sentence; empty when it was not asked for.
    """

    pairs: Pairs
    valid: Pairs | None
    steps: str | None
    note: str

    @property
    def data(self) -> Pairs | Cleaned:
        """The pairs as ``fit`` takes them: not to be cleaned once more, their steps remembered."""
        return Cleaned(self.pairs, (), (), self.steps) if self.steps else self.pairs


def prepare(data: Any, valid: Any, steps: str | None, source: str | None, target: str | None) -> Prepared:
    """Read pairs, strictly when no cleaning is asked for.

    Held-out pairs that are given are rewritten, and rows that are no pairs left out; no other row is dropped from them.

    Raises:
        DataError: when the data cannot be read, or cleaning leaves nothing.
        OptionError: for an unknown cleaning step.
    """
    if isinstance(data, Cleaned) and steps is None:
        return Prepared(data.pairs, _held(valid, data.steps, source, target), data.steps, "")
    held = _held(valid, steps, source, target)
    if not steps:
        return Prepared(Pairs.of(data, source=source, target=target), held, None, "")
    cleaned = RawPairs.of(data, source=source, target=target).clean(steps, valid=held)
    return Prepared(cleaned.pairs, held, cleaned.steps, _note(cleaned))


def _held(valid: Any, steps: str | None, source: str | None, target: str | None) -> Pairs | None:
    if valid is None:
        return None
    if not steps:
        return Pairs.of(valid, source=source, target=target)
    rewriting = [name for name in parse_steps(steps) if name in REWRITES or name == "text"]
    return RawPairs.of(valid, source=source, target=target).clean(rewriting).pairs


def _note(cleaned: Cleaned) -> str:
    did = [
        f"{result.name} " + (f"dropped {result.dropped:,}" if result.dropped else f"changed {result.changed:,}")
        for result in cleaned.results
        if result.dropped or result.changed
    ]
    total = len(cleaned.pairs) + len(cleaned.dropped)
    return f"Cleaning kept {len(cleaned.pairs):,} of {total:,} rows" + (f" ({', '.join(did)})." if did else ".")
