"""What would have been written for a changed input, and what of the output changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.explanation.units import Units
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.predictor import Predictor
from nbtextgen.tokenizers.base import MASK
from nbtextgen.tokenizers.normalization import Span

ACTIONS = ("mask", "delete", "replace")
MASKED = "▒"
"""How a masked unit is shown in the changed input."""


@dataclass(frozen=True)
class Edit:
    """What happens to one unit: ``mask``, ``delete``, or ``replace`` with ``text``."""

    action: str
    text: str = ""


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """The output for a changed input beside the one for the input as it was.

    Attributes:
        source: the changed input; masked units are shown as blocks.
        generation: what is written for it.
        before, after: both outputs in pieces, each ``same``, ``gone`` (before) or ``new`` (after), with its text.
    """

    source: str
    generation: Generation
    before: tuple[tuple[str, str], ...]
    after: tuple[tuple[str, str], ...]


def counterfactual(
    predictor: Predictor, source: str, units: Units, edits: Mapping[int, Edit], output: str
) -> Counterfactual:
    """Write anew with some units changed.

    Args:
        writer: the model.
        source: the input.
        units: what it is cut into.
        edits: what happens to which unit.
        output: what was written for the input as it was.

    Raises:
        OptionError: for an unknown action or unit.
        DataError: when nothing is left of the input.
    """
    for at, edit in edits.items():
        if edit.action not in ACTIONS or not 0 <= at < len(units):
            raise OptionError(f"A unit can be masked, deleted or replaced (got {edit.action!r} for unit {at}).")
    text, masked = _edited(source, units, edits)
    if not text.strip():
        raise DataError("Nothing is left of the input; keep some of it.")
    encoding = predictor.source.encode(text)
    ids = [
        MASK if any(begin < stop and start < end for begin, end in masked) else number
        for number, (start, stop) in zip(encoding.ids, encoding.offsets, strict=True)
    ]
    written = predictor.predict_ids(text, ids, DecodingConfig())
    shown = text
    for start, stop in reversed(masked):
        shown = shown[:start] + MASKED * (stop - start) + shown[stop:]
    before, after = changes(output, written.text)
    return Counterfactual(shown, written, before, after)


def _edited(source: str, units: Units, edits: Mapping[int, Edit]) -> tuple[str, list[Span]]:
    """The changed text, and the places of masked units in it."""
    text, masked, at = "", list[Span](), 0
    for number, (start, stop) in enumerate(units.offsets):
        edit = edits.get(number)
        if edit is None or start < at:
            continue
        text += source[at:start]
        if edit.action == "replace":
            text += edit.text
        elif edit.action == "mask":
            masked.append((len(text), len(text) + stop - start))
            text += source[start:stop]
        elif text.endswith(" ") and source[stop : stop + 1] in ("", " "):
            text = text[:-1]  # a word takes one of the two spaces around it along
        elif not text and source[stop : stop + 1] == " ":
            stop += 1
        at = stop
    return text + source[at:], masked


Pieces = tuple[tuple[str, str], ...]


def changes(before: str, after: str) -> tuple[Pieces, Pieces]:
    """What went and what came, word by word; character by character where there is a single word."""
    one, other = _words(before), _words(after)
    if len(one) <= 1 and len(other) <= 1:
        one, other = list(before), list(after)
    old, new = list[tuple[str, str]](), list[tuple[str, str]]()
    for kind, start, stop, begin, end in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        same = kind == "equal"
        _add(old, "same" if same else "gone", one[start:stop])
        _add(new, "same" if same else "new", other[begin:end])
    return tuple(old), tuple(new)


def _words(text: str) -> list[str]:
    """Words, each with the space after it, so that they join up again."""
    return [part + " " for part in text.split(" ")[:-1]] + ([text.split(" ")[-1]] if text else [])


def _add(pieces: list[tuple[str, str]], kind: str, parts: Sequence[str]) -> None:
    if parts:
        pieces.append((kind, "".join(parts)))
