"""Alignment of an output to its reference by fewest edits (Levenshtein 1966), and among those by fewest runs of edits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nbtextgen.core.optional_imports import optional_import

Units = tuple[str, ...]
"""Characters or words."""
Edit = tuple[Units, Units]
"""Units of the reference, and units of the output in their place; either may be empty, not both."""
EDIT = 1 << 20
"""Cost of an edit; a run of them costs 1 more."""
IMPOSSIBLE = 1 << 60
MAX_CELLS = 900
"""Length of reference times length of output, without common ends, up to which runs are minimised."""


def edit_runs(reference: Sequence[str], output: Sequence[str]) -> list[Edit]:
    """Where an output differs from its reference: maximal runs of adjacent edits, from left to right.

    The edits are as few as possible (the Levenshtein distance), a run counting as many as its longer side has units. Texts that
    differ over a short stretch are aligned so that there are few runs: ``10`` for ``01`` is one run, and not a ``1`` that was
    added and another that was left out.

    Raises:
        MissingPackageError: without rapidfuzz.
    """
    start, end = _common_ends(reference, output)
    first, second = reference[start : len(reference) - end], output[start : len(output) - end]
    if not first or not second:
        return [(tuple(first), tuple(second))] if first or second else []
    if len(first) * len(second) > MAX_CELLS:
        return list(_long_runs(first, second))
    return _fewest_runs(first, second)


def edit_count(edit: Edit) -> int:
    """How many single edits a run consists of."""
    return max(map(len, edit))


def single_edits(edit: Edit) -> Iterator[Edit]:
    """A run as single substitutions, and the deletions or insertions at its end."""
    reference, output = edit
    for index in range(edit_count(edit)):
        yield reference[index : index + 1], output[index : index + 1]


def _common_ends(first: Sequence[str], second: Sequence[str]) -> tuple[int, int]:
    """Lengths of the common beginning and of the common end after it."""
    shorter, start, end = min(len(first), len(second)), 0, 0
    while start < shorter and first[start] == second[start]:
        start += 1
    while end < shorter - start and first[-1 - end] == second[-1 - end]:
        end += 1
    return start, end


def _long_runs(first: Sequence[str], second: Sequence[str]) -> Iterator[Edit]:
    with optional_import("An alignment", "rapidfuzz"):
        from rapidfuzz.distance import Levenshtein
    run: tuple[Units, Units] = ((), ())
    for code in Levenshtein.opcodes(first, second):
        if code.tag != "equal":
            left, right = first[code.src_start : code.src_end], second[code.dest_start : code.dest_end]
            run = (*run[0], *left), (*run[1], *right)
        elif any(run):
            yield run
            run = (), ()
    if any(run):
        yield run


def _fewest_runs(first: Sequence[str], second: Sequence[str]) -> list[Edit]:
    """Dynamic programming with two costs of each pair of prefixes: if the last units match, and if the last step is an edit."""
    width = len(second) + 1
    matched = [[0] + [IMPOSSIBLE] * (width - 1)]
    edited = [[IMPOSSIBLE] + [column * EDIT + 1 for column in range(1, width)]]
    above = [1] + edited[0][1:]  # what an edit that comes next adds to: a new run costs 1
    for row, unit in enumerate(first, 1):
        matches, edits = [IMPOSSIBLE] * width, [IMPOSSIBLE] * width
        edits[0] = left = row * EDIT + 1
        here = [left]
        for column, other in enumerate(second, 1):
            edits[column] = best = min(above[column - 1], above[column], left) + EDIT
            if unit == other:
                matches[column] = min(matched[-1][column - 1], edited[-1][column - 1])
                best = min(best, matches[column] + 1)
            left = best
            here.append(best)
        matched.append(matches)
        edited.append(edits)
        above = here
    return _trace(first, second, matched, edited)


def _steps(row: int, column: int) -> list[tuple[int, int]]:
    """Pairs of prefixes from which an edit leads to a pair: a substitution, a deletion, an insertion."""
    steps = [(row - 1, column - 1), (row - 1, column), (row, column - 1)]
    return [(i, j) for i, j in steps if i >= 0 and j >= 0]


def _trace(
    first: Sequence[str], second: Sequence[str], matched: list[list[int]], edited: list[list[int]]
) -> list[Edit]:
    """The runs of edits, read backwards through the costs."""
    row, column, runs = len(first), len(second), list[Edit]()
    in_run = edited[row][column] < matched[row][column]
    last = (row, column)
    while row or column:
        if not in_run:
            row, column = row - 1, column - 1
            in_run, last = edited[row][column] < matched[row][column], (row, column)
            continue
        cost = edited[row][column] - EDIT
        row, column, in_run = next(
            (i, j, inside)
            for inside in (True, False)
            for i, j in _steps(row, column)
            if (edited[i][j] if inside else matched[i][j] + 1) == cost
        )
        if not in_run:
            runs.append((tuple(first[row : last[0]]), tuple(second[column : last[1]])))
    return runs[::-1]
