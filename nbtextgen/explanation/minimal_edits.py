"""Counterfactuals that are found: the smallest edit that changes an output, and the fewest units that keep it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os.path import commonprefix

import numpy as np

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.core.escaping import brief
from nbtextgen.explanation.attributions import Coalitions, Values
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.explanation.counterfactual import Counterfactual, Edit, counterfactual, edited
from nbtextgen.explanation.display import Displayed
from nbtextgen.explanation.explainer import Explainer
from nbtextgen.explanation.margins import Margins
from nbtextgen.explanation.removal import ByCutting, ByMask, tokenize_copies
from nbtextgen.explanation.replacements import replacements
from nbtextgen.explanation.sentences import MAX_TEXT, quoted_units
from nbtextgen.explanation.subject import END
from nbtextgen.explanation.subset_search import smallest_set
from nbtextgen.explanation.units import Units, whole_characters
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.output_part import OutputPart, find_part
from nbtextgen.inference.predictor import Predictor
from nbtextgen.model.isolation import isolated
from nbtextgen.tokenizers.base import UNK

CANDIDATES = 24
"""Texts that are tried in the place of a unit."""
PAIRED = 40
"""Single replacements that are tried in pairs."""
MAX_REPLACED = 4
"""Most units that are replaced together."""


@dataclass(frozen=True, eq=False)
class MinimalEdit:
    """An edit of the input, and the output for it.

    Attributes:
        edits: what is done to each unit, by its index.
        change: the changed input, and its output compared with the original one.
        proved: whether all smaller edits of this kind were tried.
    """

    edits: Mapping[int, Edit]
    change: Counterfactual
    proved: bool


@dataclass(frozen=True, eq=False, repr=False)
class MinimalEdits(Displayed):
    """The smallest edits that change an output, or some tokens of it, and the fewest units that keep it.

    A token changes if the model would write another one after the same beginning.

    Attributes:
        source, text: the input, and the output.
        part: the part of the output that was asked for; all of it by default.
        input_units: the units as they stand in the source; pieces of one character (bytes of BPE, jamo) are one unit.
        removal: the fewest units without which the part changes; ``None`` if it never changed.
        replacement: the fewest units whose replacement by plausible ones changes the part; ``None`` if none did.
        sufficient: the fewest units that are enough for the part: all others are removed; no edits if all are needed. Its
            output begins with what stands before the part, in which words that were copied are unknown ones.
        beginning: what stands before the part, if that is not the whole output.
        evaluations: changed inputs that were tried.
        seconds: wall time.
    """

    source: str
    text: str
    part: str
    input_units: tuple[str, ...]
    removal: MinimalEdit | None
    replacement: MinimalEdit | None
    sufficient: MinimalEdit | None
    beginning: str = ""
    evaluations: int = 0
    seconds: float = field(default=0.0)

    def sentences(self) -> list[str]:
        """What was found, a sentence for each search."""
        name, units = brief(self.part.strip() or "␣", MAX_TEXT), self.input_units
        part = f"“{name}”" if self.part else "the empty output"
        part = "the end of the output" if self.part == END else part
        if self.beginning and self.part != END:
            part += f" after “{self.beginning if len(self.beginning) <= MAX_TEXT else '…' + self.beginning[1 - MAX_TEXT :]}”"
        lines = list[str]()
        if self.removal is None:
            lines.append(f"{part[0].upper()}{part[1:]} stays, whatever is left out.")
        else:
            lines.append(f"Without {_names(units, self.removal.edits)}, the output is {self._after(self.removal)}.")
        if self.replacement is not None:
            edits = self.replacement.edits.items()
            names = quoted_units(units)
            swaps = _listed([f"“{edit.text}” instead of {names[unit]}" for unit, edit in edits])
            lines.append(f"With {swaps}, the output is {self._after(self.replacement)}.")
        if self.sufficient is not None and self.sufficient.edits:
            kept = self.sufficient_units
            enough = (
                f"{_names(units, kept)} {'is' if len(kept) == 1 else 'are'} enough" if kept else "No unit is needed"
            )
            lines.append(f"{enough} for {part}.")
        elif self.sufficient is not None:
            lines.append(f"All units are needed for {part}.")
        return lines

    def _after(self, edit: MinimalEdit) -> str:
        """The changed output; of a long one what follows its first change."""
        text = edit.change.generation.text
        same = len(commonprefix([text, self.text]))
        start = max(0, same - MAX_TEXT // 4) if len(text) > 2 * MAX_TEXT else 0
        shown = brief(text[start:], 2 * MAX_TEXT - 1)
        return f"“{'…' if start else ''}{shown}”" if text else "empty"

    @property
    def sufficient_units(self) -> tuple[int, ...]:
        """Indices of the units that are enough."""
        removed = dict[int, Edit]() if self.sufficient is None else self.sufficient.edits
        return tuple(unit for unit in range(len(self.input_units)) if unit not in removed)


def _names(units: Sequence[str], chosen: Iterable[int]) -> str:
    names = quoted_units(units)
    return _listed([names[unit] for unit in chosen])


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


@isolated()
def minimal_edits(
    predictor: Predictor,
    text: str | Generation,
    config: ExplanationConfig,
    *,
    token: int | str | None = None,
    background: Sequence[str] = (),
) -> MinimalEdits:
    """Search for the smallest edits; see ``TextGenerator.counterfactual``.

    Args:
        predictor: the model.
        text: the source; or a generation of it.
        config: settings; units are removed as ``missing`` says.
        token: the part of the output that is to change: an index of a token, a piece of the text, or all of it.
        background: texts whose units are plausible replacements.

    Raises:
        DataError: for an output that the model does not write for this source, or a part that is not in it.
        OptionError: for units that are sampled instead of removed.
    """
    if config.missing == "sample":
        raise OptionError("--counterfactual removes units for good; use --missing=mask or delete.")
    generation = text if isinstance(text, Generation) else None
    source = text.source if isinstance(text, Generation) else text
    explainer = Explainer(
        predictor, source, replace(config, contrast=None), generation=generation, background=background
    )
    return search_minimal_edits(explainer, token, background)


def search_minimal_edits(explainer: Explainer, token: int | str | None, background: Sequence[str]) -> MinimalEdits:
    """As ``minimal_edits``, for an output that is being explained already."""
    start = time.perf_counter()
    subject, predictor = explainer.subject, explainer.predictor
    units, part = whole_characters(explainer.units, subject.source), _part(explainer, token)
    member = units.member if explainer.missing == "mask" else None
    margins = Margins(
        predictor.networks,
        subject,
        _ByEditing(subject.source, units, predictor) if member is None else ByMask(subject, member),
        part.steps,
        limit=predictor.output_length,
        on_progress=explainer.on_progress,
    )
    if margins(np.ones((1, len(units)), bool))[0] <= 0:
        raise DataError(
            "A greedy search writes another output for this source, so no edit is needed to change it; leave out --target, "
            "or name a part of the output that the search writes too."
        )
    first = margins.steps[0]
    search = _EditSearch(explainer, units, margins, background)
    return MinimalEdits(
        source=subject.source,
        text=subject.output.text,
        part=part.text,
        input_units=units.texts,
        removal=search.removal(),
        replacement=search.replacement(),
        sufficient=search.sufficient(subject.output.ids[:first].tolist()),
        beginning=subject.output.text[: subject.output.offsets[first][0]].strip(),
        evaluations=margins.evaluations,
        seconds=time.perf_counter() - start,
    )


def _part(explainer: Explainer, token: int | str | None) -> OutputPart:
    """The part of the output that is asked about; all of it has the end mark, if the model wrote it."""
    output = explainer.subject.output
    if token is None:
        return OutputPart(tuple(range(len(output) - _is_cut(explainer))), output.text)
    return find_part(token, output.text, output.tokens, output.offsets)


def _is_cut(explainer: Explainer) -> bool:
    """Whether the output has the longest length, so that the search did not write its end mark."""
    subject = explainer.subject
    end = Margins(explainer.predictor.networks, subject, explainer.value.removal, [len(subject.output) - 1])
    return len(subject.output) > 1 and bool(end(np.ones((1, len(explainer.units)), bool))[0] <= 0)


class _ByEditing(ByCutting):
    """Deletes missing units from the text as it is shown, spaces included."""

    def text(self, present: Coalitions) -> str:
        return edited(self.source, self.units, {int(unit): Edit("delete") for unit in np.flatnonzero(~present)})[0]


class _EditSearch:
    """The three searches over one output, which share scores."""

    def __init__(self, explainer: Explainer, units: Units, margins: Margins, background: Sequence[str]) -> None:
        self.explainer, self.units, self.margins, self.background = explainer, units, margins, background
        self.count, self.budget = len(units), explainer.config.budget
        self.action = "mask" if explainer.missing == "mask" else "delete"

    def removal(self) -> MinimalEdit | None:
        """The fewest units without which the part changes."""

        def goal(removed: Coalitions) -> Values:
            return self._unless_empty(~removed, -self.margins(~removed))

        smallest = smallest_set(goal, self.count, self.budget)
        return None if smallest.units is None else self._removed(smallest.units, smallest.proved)

    def sufficient(self, written: Sequence[int]) -> MinimalEdit | None:
        """The fewest units that keep the part after what was ``written`` before it, when all others are removed."""

        def goal(kept: Coalitions) -> Values:
            return self._unless_empty(kept, self.margins(kept))

        smallest = smallest_set(goal, self.count, self.budget)
        if smallest.units is None:
            return None
        removed = [unit for unit in range(self.count) if unit not in smallest.units]
        # The decoder reads words that were copied, by their place in the whole source, as unknown ones.
        size = self.margins.networks[0].vocabulary_size
        return self._removed(removed, smallest.proved, [token if token < size else UNK for token in written])

    def _unless_empty(self, kept: Coalitions, values: Values) -> Values:
        """Refuse to delete all but white space: a source that is all masks can be read, one that is empty cannot."""
        removal = self.margins.removal
        if not isinstance(removal, _ByEditing):
            return values
        return np.where([bool(removal.text(row).strip()) for row in kept], values, -np.inf)

    def _removed(self, units: Sequence[int], proved: bool, written: Sequence[int] = ()) -> MinimalEdit:
        return self._edited({unit: Edit(self.action) for unit in units}, proved, written)

    def _edited(self, edits: Mapping[int, Edit], proved: bool, written: Sequence[int] = ()) -> MinimalEdit:
        explainer = self.explainer
        change = counterfactual(
            explainer.predictor,
            explainer.subject.source,
            self.units,
            edits,
            explainer.subject.output.text,
            written,
        )
        return MinimalEdit(edits, change, proved)

    def replacement(self) -> MinimalEdit | None:
        """The fewest replacements that change the part: one at a time, then the most promising together."""
        explainer = self.explainer
        texts = replacements(
            explainer.predictor, explainer.subject.source, self.units, self.background, self._candidates()
        )
        level: list[dict[int, str]] = [{unit: text} for unit, options in enumerate(texts) for text in options]
        tried, promising = len(level), list[dict[int, str]]()
        for size in range(1, MAX_REPLACED + 1):
            scores = self._margins_of(level)
            if len(level) and scores.min() <= 0:
                best = level[int(scores.argmin())]
                return self._edited({unit: Edit("replace", text) for unit, text in best.items()}, proved=size <= 2)
            top: list[dict[int, str]] = [level[row] for row in np.argsort(scores, kind="stable")[:PAIRED]]
            promising = promising or top
            joined: list[dict[int, str]] = [
                edits | other for edits in top for other in promising if not edits.keys() & other.keys()
            ]
            level = list({frozenset(edits.items()): edits for edits in joined}.values())
            tried += len(level)
            if not level or tried > 2 * self.budget:
                break
        return None

    def _candidates(self) -> int:
        """Texts tried for each unit, so that all of them are within the budget."""
        return max(2, min(CANDIDATES, self.budget // max(1, self.count)))

    def _margins_of(self, edits: Sequence[Mapping[int, str]]) -> Values:
        source, explainer = self.explainer.subject.source, self.explainer
        as_edits = [{unit: Edit("replace", text) for unit, text in each.items()} for each in edits]
        texts = [edited(source, self.units, each)[0] for each in as_edits]
        size = self.margins.batch
        batches = [texts[start : start + size] for start in range(0, len(texts), size)]
        scores = [self.margins.of(tokenize_copies(batch, explainer.predictor, source)) for batch in batches]
        return np.concatenate(scores) if scores else np.zeros(0)
