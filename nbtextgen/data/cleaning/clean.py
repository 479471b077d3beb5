"""Cleaning: named steps applied to two columns, with an account of every row that was dropped or changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nbtextgen.core.errors import DataError, OptionError, nearest
from nbtextgen.data.cleaning.steps import DROPS, REWRITES, Columns
from nbtextgen.data.rows import Place, Rows, cell_problem, is_missing, place_text, same_key

STEPS = {name: help for table in (REWRITES, DROPS) for name, (_, help) in table.items()} | {
    "text": "read numbers as text",
    "empty": "drop rows that cannot be read, are empty, missing or no text; always done, whether named or not",
}
"""Every step with one line of help."""
SHOWN = 3
_ROUNDS = 20


@dataclass(frozen=True)
class Dropped:
    """A row that was left out.

    Attributes:
        row: its number in the table, from 0.
        place: where it came from.
        source, target: its cells, as they came.
        step: what dropped it.
        why: in words.
    """

    row: int
    place: str
    source: Any
    target: Any
    step: str
    why: str


@dataclass(frozen=True)
class StepResult:
    """What one step did: rows dropped, texts changed, and a few examples ``(place, before, after or why)``."""

    name: str
    dropped: int
    changed: int
    examples: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class CleaningResult:
    """The rows that cleaning kept, and an account of the others.

    Attributes:
        sources, targets, places: the rows kept, rewritten.
        dropped: the rows left out, in the order of the table.
        results: what each step did, in the order they ran.
        steps: the steps as they were asked for, for a settings file.
    """

    sources: list[str]
    targets: list[str]
    places: list[Place]
    dropped: tuple[Dropped, ...]
    results: tuple[StepResult, ...]
    steps: str


def parse_steps(steps: str | Sequence[str]) -> dict[str, str]:
    """Names and arguments of the steps: ``"nfc,ratio:0.2-5"`` gives ``{"nfc": "", "ratio": "0.2-5"}``.

    Raises:
        OptionError: for an unknown name (with the nearest), or an argument to a step that takes none.
    """
    parts = steps.split(",") if isinstance(steps, str) else list(steps)
    found = {}
    for part in parts:
        name, _, argument = part.strip().partition(":")
        if not name:
            continue
        if name not in STEPS:
            raise OptionError(
                f"There is no cleaning step '{name}' (there are {', '.join(STEPS)}).{nearest(name, STEPS)}"
            )
        if argument and name not in DROPS:
            raise OptionError(f"The cleaning step '{name}' takes no argument (got '{argument}').")
        found[name] = argument
    return found


def rewriter(steps: str | Sequence[str]) -> Callable[[str], str]:
    """The rewriting steps as one function, which changes nothing when applied to its own result.

    Generation applies it to its input, so that a model reads what it was trained on.
    """
    asked = parse_steps(steps)
    functions = [function for name, (function, _) in REWRITES.items() if name in asked]

    def rewrite(text: str) -> str:
        for _ in range(_ROUNDS):  # one step may give another something to do: "&amp;lt;" becomes "&lt;" becomes "<"
            before = text
            for function in functions:
                text = function(text)
            if text == before:
                break
        return text

    return rewrite


def clean_rows(rows: Rows, steps: str | Sequence[str], *, valid: Rows | None = None) -> CleaningResult:
    """Apply cleaning steps to rows.

    Whatever the order of the names, texts are rewritten first and rows dropped afterwards, each in the order of
    ``STEPS``; so cleaning what is already clean changes nothing.

    Args:
        rows: pairs, or raw pairs with cells that are missing or no text.
        steps: names, with arguments after a colon.
        valid: held-out pairs, for the step ``overlap``.

    Raises:
        OptionError: for an unknown step or a bad argument.
        DataError: when no row would be left.
    """
    asked = parse_steps(steps)
    if "overlap" in asked and valid is None:
        raise OptionError("The cleaning step 'overlap' needs the validation pairs: give them with --valid.")
    job = _Job(rows, asked, valid)
    job.drop_unreadable()
    job.rewrite()
    for name, argument in ((name, asked[name]) for name in DROPS if name in asked):
        job.drop(name, argument)
    return job.outcome(",".join(f"{name}:{value}" if value else name for name, value in asked.items()))


class _Job:
    """One call of ``clean_rows``: the rows still kept, and what happened to the others."""

    def __init__(self, rows: Rows, asked: dict[str, str], valid: Rows | None) -> None:
        self.rows, self.asked = rows, asked
        self.held_out = (
            frozenset() if valid is None else frozenset(map(same_key, map(rewriter(list(asked)), valid.sources)))
        )
        self.kept: list[int] = []
        self.sources: list[str] = []
        self.targets: list[str] = []
        self.dropped: dict[int, Dropped] = {}
        self.results: list[StepResult] = []

    def drop_unreadable(self) -> None:
        """Leave out what is not two texts, after reading numbers as text where that is asked for."""
        gone, turned = [], []
        for row, cells in enumerate(zip(self.rows.sources, self.rows.targets, strict=True)):
            if "text" in self.asked:
                texts = [cell if isinstance(cell, str) or is_missing(cell) else str(cell) for cell in cells]
                turned += [
                    (row, before, after) for before, after in zip(cells, texts, strict=True) if before is not after
                ]
                cells = tuple(texts)
            why = self._unreadable(row, cells)
            if why:
                gone.append((row, why))
                continue
            self.kept.append(row)
            self.sources.append(cells[0])
            self.targets.append(cells[1])
        if turned:
            self._changed("text", turned)
        self._note("empty", gone)

    def _unreadable(self, row: int, cells: tuple[Any, ...]) -> str | None:
        if row in self.rows.problems:
            return self.rows.problems[row]
        for side, cell in zip(("source", "target"), cells, strict=True):
            problem = cell_problem(cell)
            if problem and not ("surrogate" in problem and "control" in self.asked):
                return f"the {side} {problem.partition(';')[0]}"
        return None

    def rewrite(self) -> None:
        """All rewriting steps, then leave out rows that have become empty."""
        for name in (name for name in REWRITES if name in self.asked):
            function, changed = REWRITES[name][0], []
            for column in (self.sources, self.targets):
                for at, text in enumerate(column):
                    after = function(text)
                    if after != text:
                        changed.append((self.kept[at], text, after))
                        column[at] = after
            self._changed(name, changed)
        settle = rewriter(list(self.asked))
        self.sources, self.targets = [settle(text) for text in self.sources], [settle(text) for text in self.targets]
        bare = [at for at in range(len(self.kept)) if not (self.sources[at].strip() and self.targets[at].strip())]
        self._leave_out("empty", [(at, "nothing is left after rewriting") for at in bare])

    def drop(self, name: str, argument: str) -> None:
        """One dropping step."""
        columns = Columns(self.sources, self.targets, self.held_out)
        self._leave_out(name, list(DROPS[name][0](columns, argument)))

    def outcome(self, steps: str) -> CleaningResult:
        """What is left."""
        if not self.kept:
            raise DataError(f"Cleaning with {steps or 'no step'} leaves none of the {len(self.rows.sources):,} rows.")
        places = [self.rows.places[row] for row in self.kept]
        dropped = tuple(self.dropped[row] for row in sorted(self.dropped))
        return CleaningResult(self.sources, self.targets, places, dropped, tuple(self.results), steps)

    def _leave_out(self, name: str, gone: list[tuple[int, str]]) -> None:
        out = {at for at, _ in gone}
        self._note(name, [(self.kept[at], why) for at, why in gone])
        left = [at for at in range(len(self.kept)) if at not in out]
        self.kept = [self.kept[at] for at in left]
        self.sources = [self.sources[at] for at in left]
        self.targets = [self.targets[at] for at in left]

    def _note(self, name: str, gone: list[tuple[int, str]]) -> None:
        """Remember dropped rows, and count them with what the step dropped before."""
        for row, why in gone:
            cells = self.rows.sources[row], self.rows.targets[row]
            self.dropped[row] = Dropped(row, place_text(self.rows.places[row]), *cells, name, why)
        examples = tuple(
            (place_text(self.rows.places[row]), f"{self.rows.sources[row]!s:.80}", why) for row, why in gone[:SHOWN]
        )
        before = [result for result in self.results if result.name == name]
        self.results = [result for result in self.results if result.name != name]
        for old in before:
            examples = (old.examples + examples)[:SHOWN]
        self.results.append(StepResult(name, len(gone) + sum(old.dropped for old in before), 0, examples))

    def _changed(self, name: str, changed: list[tuple[int, Any, Any]]) -> None:
        examples = [(place_text(self.rows.places[row]), *_around(str(a), str(b))) for row, a, b in changed[:SHOWN]]
        self.results.append(StepResult(name, 0, len(changed), tuple(examples)))


def _around(before: str, after: str) -> tuple[str, str]:
    """The part of two texts where they first differ."""
    start = next(
        (at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    start = max(0, start - 20)
    return before[start : start + 80], after[start : start + 80]
