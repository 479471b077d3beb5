"""Cleaning: named steps applied to two columns, with an account of every row that was dropped or changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os.path import commonprefix
from typing import cast

from nbtextgen.core.cancellation import checked
from nbtextgen.core.errors import DataError, OptionError, nearest
from nbtextgen.core.wording import as_given, counted
from nbtextgen.data.cleaning.steps import DROPS, REWRITES, Columns
from nbtextgen.data.leaks import HeldOutSources
from nbtextgen.data.rows import Place, Rows, cell_problem, is_missing, place_text

STEPS = {name: description for table in (REWRITES, DROPS) for name, (_, description) in table.items()} | {
    "text": "read numbers as text",
    "empty": "drop rows that cannot be read, are empty, missing or no text; always done, whether named or not",
}
SAFE_STEPS = ("empty", "control", "nfc", "whitespace", "dedupe")
"""Steps that are right for every task; whether the others are depends on it."""
"""Help for every step."""
MAX_EXAMPLES = 3
_MAX_PASSES = 20


@dataclass(frozen=True)
class Dropped:
    """A row that was left out.

    Attributes:
        row: its index in the table.
        place: where it came from.
        source, target: its cells, as they were read.
        step: the step that dropped it.
        why: the reason.
    """

    row: int
    place: str
    source: object
    target: object
    step: str
    why: str


@dataclass(frozen=True)
class StepResult:
    """What one step did: rows dropped, texts changed, and examples ``(place, before, after or reason)``."""

    name: str
    dropped: int
    changed: int
    examples: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class CleaningResult:
    """The rows that cleaning kept, and an account of the others.

    Attributes:
        sources, targets, places: the kept rows, rewritten.
        rows: the index of each kept row in the table.
        dropped: the rows left out, in the order of the table.
        results: what each step did, in the order in which they ran.
        steps: the steps as the user wrote them, for a settings file.
    """

    sources: list[str]
    targets: list[str]
    places: list[Place]
    rows: list[int]
    dropped: tuple[Dropped, ...]
    results: tuple[StepResult, ...]
    steps: str


def parse_steps(steps: str | Sequence[str]) -> dict[str, str]:
    """Names and arguments of the steps: ``"nfc,ratio:0.2-5"`` gives ``{"nfc": "", "ratio": "0.2-5"}``.

    Raises:
        OptionError: for an unknown name (with the nearest), or an argument to a step that takes none.
    """
    arguments: dict[str, str] = {}
    given: object = steps
    is_list = isinstance(given, (list, tuple)) and all(isinstance(each, str) for each in cast("list[object]", given))
    if not is_list and not isinstance(given, str):
        raise OptionError(f"Cleaning steps are names, as 'nfc,dedupe' or a list of them (got {as_given(steps)}).")
    for step in steps.split(",") if isinstance(steps, str) else steps:
        name, _, argument = step.strip().partition(":")
        if not name:
            continue
        if name not in STEPS:
            if all(word in STEPS for word in name.split()):
                raise OptionError(f"Put commas between cleaning steps: {','.join(name.split())}.")
            raise OptionError(
                f"There is no cleaning step '{name}' (there are {', '.join(STEPS)}).{nearest(name, STEPS)}"
            )
        if argument and name not in DROPS:
            raise OptionError(f"The cleaning step '{name}' takes no argument (got '{argument}').")
        arguments[name] = argument
    return arguments


def rewriter(steps: str | Sequence[str]) -> Callable[[str], str]:
    """The rewriting steps as one idempotent function.

    Generation applies it to its input, so that a model reads what it was trained on.
    """
    arguments = parse_steps(steps)
    functions = [function for name, (function, _) in REWRITES.items() if name in arguments]

    def rewrite(text: str) -> str:
        for _ in range(_MAX_PASSES):  # one step may make work for another: "&amp;lt;" becomes "&lt;" becomes "<"
            before = text
            for function in functions:
                text = function(text)
            if text == before:
                break
        return text

    return rewrite


def steps_that_change(text: str, steps: str | Sequence[str]) -> list[str]:
    """Names of the rewriting steps that change a text, in the order in which they run."""
    arguments, changing = parse_steps(steps), list[str]()
    for name, (function, _) in REWRITES.items():
        if name in arguments:
            after = function(text)
            if after != text:
                changing.append(name)
            text = after
    return changing


def clean_rows(rows: Rows, steps: str | Sequence[str], *, valid: Rows | None = None) -> CleaningResult:
    """Apply cleaning steps to rows.

    Whatever the order of the names, texts are rewritten first and rows are dropped afterwards, each in the order of
    ``STEPS``, so that cleaning clean rows changes nothing.

    Args:
        rows: pairs, or raw pairs with cells that are missing or not text.
        steps: names, with arguments after a colon.
        valid: held-out pairs, for the step ``overlap``.

    Raises:
        OptionError: for an unknown step or a bad argument.
        DataError: if no row would be left.
    """
    arguments = parse_steps(steps)
    if "overlap" in arguments and valid is None:
        raise OptionError("The cleaning step 'overlap' needs the validation pairs: give them with --valid.")
    cleaning = _Cleaning(rows, arguments, valid)
    cleaning.drop_unreadable()
    cleaning.rewrite()
    for name in filter(arguments.__contains__, DROPS):
        cleaning.drop(name, arguments[name])
    return cleaning.result()


class _Cleaning:
    """One call of ``clean_rows``: the rows that are still kept, and what happened to the others."""

    def __init__(self, rows: Rows, arguments: Mapping[str, str], valid: Rows | None) -> None:
        self._rows, self._arguments = rows, arguments
        self._settle = rewriter(list(arguments))
        sources = None if valid is None else list(map(self._settle, cast("Sequence[str]", valid.sources)))
        self._held_out = None if sources is None else HeldOutSources(sources)
        self._kept = list[int]()
        self._sources = list[str]()
        self._targets = list[str]()
        self._dropped: dict[int, Dropped] = {}
        self._results: dict[str, StepResult] = {}

    def drop_unreadable(self) -> None:
        """Leave out rows that are not two texts, after reading numbers as text if the step ``text`` asks for it."""
        unreadable, converted = list[tuple[int, str]](), list[tuple[int, object, str]]()
        for row, (source, target) in checked(enumerate(zip(self._rows.sources, self._rows.targets, strict=True))):
            if "text" in self._arguments:
                source, target = (self._as_text(row, cell, converted) for cell in (source, target))
            if reason := self._why_unreadable(row, source, target):
                unreadable.append((row, reason))
                continue
            self._kept.append(row)
            self._sources.append(source)
            self._targets.append(target)
        if converted:
            self._record_changes("text", converted)
        self._record_drops("empty", unreadable)

    @staticmethod
    def _as_text(row: int, cell: object, converted: list[tuple[int, object, str]]) -> object:
        if is_missing(cell) or hasattr(cell, "__len__"):  # a text, or a list or mapping, whose spelling is no text
            return cell
        converted.append((row, cell, str(cell)))
        return str(cell)

    def _why_unreadable(self, row: int, *cells: object) -> str | None:
        if row in self._rows.problems:
            return self._rows.problems[row]
        for side, cell in zip(("source", "target"), cells, strict=True):
            problem = cell_problem(cell)
            if problem and not ("surrogate" in problem and "control" in self._arguments):
                return f"the {side} {problem.partition(';')[0]}"
        return None

    def rewrite(self) -> None:
        """Run the rewriting steps, then leave out rows that have become empty."""
        for name, (function, _) in REWRITES.items():
            if name not in self._arguments:
                continue
            changes = list[tuple[int, object, str]]()
            for column in (self._sources, self._targets):
                for index, before in checked(enumerate(column)):
                    after = function(before)
                    if after != before:
                        changes.append((self._kept[index], before, after))
                        column[index] = after
            self._record_changes(name, changes)
        self._sources, self._targets = [
            [*map(self._settle, checked(column))] for column in (self._sources, self._targets)
        ]
        texts = enumerate(zip(self._sources, self._targets, strict=True))
        empty = [index for index, (source, target) in texts if not (source.strip() and target.strip())]
        self._leave_out("empty", dict.fromkeys(empty, "nothing is left after rewriting"))

    def drop(self, name: str, argument: str) -> None:
        """Run one dropping step."""
        columns = Columns(self._sources, self._targets, self._held_out)
        self._leave_out(name, dict(DROPS[name][0](columns, argument)))

    def result(self) -> CleaningResult:
        """The rows that are left."""
        steps = ",".join(f"{name}:{value}" if value else name for name, value in self._arguments.items())
        if not self._kept:
            raise DataError(
                f"Cleaning with {steps or 'no step'} leaves none of {counted(len(self._rows.sources), 'row')}."
            )
        places = [self._rows.places[row] for row in self._kept]
        dropped = tuple(self._dropped[row] for row in sorted(self._dropped))
        results = tuple(self._results.values())
        return CleaningResult(self._sources, self._targets, places, self._kept, dropped, results, steps)

    def _leave_out(self, name: str, reasons: Mapping[int, str]) -> None:
        """Leave out kept rows, given by their index among these."""
        self._record_drops(name, [(self._kept[index], reason) for index, reason in reasons.items()])
        left = [index for index in range(len(self._kept)) if index not in reasons]
        self._kept = [self._kept[index] for index in left]
        self._sources = [self._sources[index] for index in left]
        self._targets = [self._targets[index] for index in left]

    def _record_drops(self, name: str, drops: Sequence[tuple[int, str]]) -> None:
        """Record dropped rows, and add them to those that the step dropped before."""
        for row, reason in drops:
            cells = self._rows.sources[row], self._rows.targets[row]
            self._dropped[row] = Dropped(row, place_text(self._rows.places[row]), *cells, name, reason)
        before = self._results.pop(name, StepResult(name, 0, 0, ()))
        examples = [
            (self._dropped[row].place, f"{self._rows.sources[row]!s:.80}", why) for row, why in drops[:MAX_EXAMPLES]
        ]
        self._results[name] = StepResult(
            name, before.dropped + len(drops), 0, (*before.examples, *examples)[:MAX_EXAMPLES]
        )

    def _record_changes(self, name: str, changes: Sequence[tuple[int, object, str]]) -> None:
        examples = [
            (place_text(self._rows.places[row]), *_first_difference(str(before), after))
            for row, before, after in changes[:MAX_EXAMPLES]
        ]
        self._results[name] = StepResult(name, 0, len(changes), tuple(examples))


def _first_difference(before: str, after: str) -> tuple[str, str]:
    """The parts of two texts around the first character that differs."""
    start = max(0, len(commonprefix([before, after])) - 20)
    return before[start : start + 80], after[start : start + 80]
