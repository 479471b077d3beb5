"""Counterfactuals: the output for a changed input, and how it differs from the original output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.explanation.units import Units, whole_characters
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.predictor import Predictor
from nbtextgen.tokenizers.base import MASK
from nbtextgen.tokenizers.normalization import Span

ACTIONS = ("mask", "delete", "replace")
MASKED = "▒"
"""How a masked unit is shown in the changed input."""
Pieces = tuple[tuple[str, str], ...]
"""An output in pieces: (``same``, ``gone`` or ``new``; text)."""


@dataclass(frozen=True)
class Edit:
    """A change of one unit: ``mask``, ``delete``, or ``replace`` with ``text``."""

    action: str
    text: str = ""


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """The output for a changed input, compared with the original output.

    Attributes:
        source: the changed input; masked units are shown as blocks.
        generation: the output for it.
        before, after: both outputs in pieces, each ``same``, ``gone`` (before) or ``new`` (after), with its text.
    """

    source: str
    generation: Generation
    before: Pieces
    after: Pieces


def counterfactual(
    predictor: Predictor,
    source: str,
    units: Units,
    edits: Mapping[int, Edit],
    output: str,
    prefix_ids: Sequence[int] = (),
) -> Counterfactual:
    """Generate again with some units changed: ``edits`` by the index of the unit; ``output`` is the original output.

    A unit that is a piece of a character stands for the character. The output begins with ``prefix_ids``, if there are any.

    Raises:
        OptionError: for an unknown action or unit.
        DataError: if nothing is left of the input.
    """
    for index, edit in edits.items():
        if edit.action not in ACTIONS or not 0 <= index < len(units):
            raise OptionError(f"A unit can be masked, deleted or replaced (got {edit.action!r} for unit {index}).")
    whole = whole_characters(units, source)
    if whole is not units:
        ends = [stop for _, stop in whole.offsets]
        at = [next(place for place, stop in enumerate(ends) if start < stop) for start, _ in units.offsets]
        units, edits = whole, {at[index]: edits[index] for index in sorted(edits, reverse=True)}
    text, masked = edited(source, units, edits)
    if not text.strip():
        raise DataError("Nothing is left of the input; keep some of it.")
    encoding = predictor.source.encode(text)
    if units.member is not None and all(edit.action == "mask" for edit in edits.values()):
        # Exactly the tokens that an explanation masks, the white space that belongs to a unit included.
        ids = [
            MASK if unit in edits else token for token, unit in zip(encoding.ids, units.member.tolist(), strict=True)
        ]
    else:
        ids = [
            MASK if any(begin < stop and start < end for begin, end in masked) else token
            for token, (start, stop) in zip(encoding.ids, encoding.offsets, strict=True)
        ]
    generation = predictor.predict_ids(text, ids, DecodingConfig(), prefix_ids=prefix_ids)
    shown = text
    for start, stop in reversed(masked):
        shown = shown[:start] + MASKED * (stop - start) + shown[stop:]
    before, after = changes(output, generation.text)
    return Counterfactual(shown, generation, before, after)


def edited(source: str, units: Units, edits: Mapping[int, Edit]) -> tuple[str, list[Span]]:
    """The changed text, and the offsets of masked units in it.

    Of the two spaces around a deleted word one is deleted, too; not where characters or spaces are units themselves.
    """
    text, masked, end = "", list[Span](), 0
    exactly = units.member is None or any(unit.isspace() for unit in units.texts)
    for index, (start, stop) in enumerate(units.offsets):
        edit = edits.get(index)
        if edit is None or start < end:
            continue
        text += source[end:start]
        if edit.action == "replace":
            text += edit.text
        elif edit.action == "mask":
            masked.append((len(text), len(text) + stop - start))
            text += source[start:stop]
        elif exactly:
            pass
        elif text.endswith(" ") and source[stop : stop + 1] in ("", " "):
            text = text[:-1]  # delete one of the two spaces around a word together with it
        elif not text and source[stop : stop + 1] == " ":
            stop += 1
        end = stop
    return text + source[end:], masked


def changes(before: str, after: str) -> tuple[Pieces, Pieces]:
    """Compare two texts by words; by characters if both are a single word."""
    old_parts, new_parts = _words(before), _words(after)
    if len(old_parts) <= 1 and len(new_parts) <= 1:
        old_parts, new_parts = list(before), list(after)
    old, new = list[tuple[str, str]](), list[tuple[str, str]]()
    matcher = SequenceMatcher(None, old_parts, new_parts, autojunk=False)
    for tag, start, stop, begin, end in matcher.get_opcodes():
        same = tag == "equal"
        if stop > start:
            old.append(("same" if same else "gone", "".join(old_parts[start:stop])))
        if end > begin:
            new.append(("same" if same else "new", "".join(new_parts[begin:end])))
    return tuple(old), tuple(new)


def _words(text: str) -> list[str]:
    """Words, each with the space after it, so that they can be joined again."""
    return [part + " " for part in text.split(" ")[:-1]] + ([text.split(" ")[-1]] if text else [])
