"""``Review``: a table of outputs, the decision of a person on each, and the pairs that come of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from importlib import import_module
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, SupportsIndex

from nbtextgen.core.errors import DataError, OptionError, nearest
from nbtextgen.core.escaping import json_text
from nbtextgen.core.files import checked_path, replace
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.core.wording import counted, share
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.rows import Place, cell_problem
from nbtextgen.review.journal import Entry, Journal
from nbtextgen.review.rows import digest, read_rows

if TYPE_CHECKING:
    import pandas

DECISIONS = ("accepted", "corrected", "skipped")
SELECTIONS = ("undecided", "doubtful", *DECISIONS, "all")
"""What ``Review.select`` lists."""
FOLDER = Path("reviews")
"""Where the reviews of tables in memory are kept."""
DOUBTFUL = 0.9
"""Outputs of less confidence are doubtful, if no threshold of acceptance was set."""


class Decision(NamedTuple):
    """What a person decided about an output.

    Attributes:
        state: ``accepted``, ``corrected`` or ``skipped``.
        text: the right output; of a skipped row, that of the model.
    """

    state: str
    text: str


class Review:
    """Outputs sorted by doubt, and what a person decided about them. Every decision is on disk before it counts.

    The decisions are in a file beside the table's (``french.tsv.review``), or for a table in memory in the folder
    ``reviews``, under a name that depends on its content. So the same table finds its review again after a restart, and
    several people may review one table at once.

    Attributes:
        rows: the outputs, in the order of the table; rows are numbered from 0.
        order: the numbers of the rows, the most doubtful first: those that were not accepted by confidence before the
            accepted ones, then by confidence. Rows without a source are left out.
        file: where the decisions are kept.
        decisions: by row, for the rows that are decided.
        counts: how many rows are accepted, corrected and skipped.
        has_threshold: whether some rows were accepted by their confidence, and others not.
        doubtful: how many rows are doubtful; see ``is_doubtful``.

    Example:
        >>> review = model.generate_file(["abc", "cab"]).review()
        >>> review.correct(review.order[0], "ccc")
        >>> review.corrections.targets                       # for model.fit(review.corrections, start=model)
        ['ccc']
    """

    def __init__(self, table: object, file: str | Path | None = None) -> None:
        """Read the rows, and the decisions that were made before.

        Args:
            table: a ``GeneratedTable``; the name of a table file; a data frame with the columns source and text; or a list of
                generations or (source, output) pairs.
            file: where the decisions are kept; default: see above.

        Raises:
            DataError: if there are no rows, or the file holds the review of another table.
        """
        self.rows, path = read_rows(table)
        self.order = sorted((row for row, each in enumerate(self.rows) if each.source.strip()), key=self._certainty)
        if not self.order:
            raise DataError("There are no outputs to review: the table is empty.")
        key = digest(self.rows)
        default = FOLDER / f"{key[:12]}.review" if path is None else path.with_name(f"{path.name}.review")
        self.file = default if file is None else checked_path(file)
        self.has_threshold = any(self.rows[row].accepted is not None for row in self.order)
        self.decisions: dict[int, Decision] = {}
        self.counts: dict[str, int] = dict.fromkeys(DECISIONS, 0)
        self.doubtful = sum(map(self.is_doubtful, self.order))
        self._doubtful_decided = 0
        self._history: list[tuple[int, Decision | None]] = []
        self._journal = Journal(self.file, key, len(self.rows))
        self.refresh()

    def _certainty(self, row: int) -> tuple[bool, float, int]:
        _, _, confidence, accepted, *_ = self.rows[row]
        return accepted is True, -1.0 if confidence is None else confidence, row

    # Deciding -----------------------------------------------------------------------------------------------------

    def accept(self, row: int) -> None:
        """Take the output of a row as right.

        Raises:
            DataError: if the output is empty, or the decision cannot be written. Nothing is changed then.
        """
        self.correct(row, self.rows[self._checked(row)].text)

    def correct(self, row: int, text: str) -> None:
        """Give the right output of a row; the output itself accepts it.

        Raises:
            DataError: if the text is empty, or the decision cannot be written. Nothing is changed then.
        """
        row = self._checked(row)
        output = self.rows[row].text
        problem = cell_problem(text)
        if problem is not None:
            side = "output" if text == output else "correction"
            what = f"the {side} {problem}"
            if problem.startswith("is empty"):
                what = f"the {side} is empty; correct it, or skip the row"
            raise DataError(f"Row {row + 1:,}: {what}.")
        self._decide(row, Decision("accepted" if text == output else "corrected", str(text)))

    def skip(self, row: int) -> None:
        """Leave a row aside: it is decided, but gives no pair; raises ``DataError`` as ``accept`` does."""
        row = self._checked(row)
        self._decide(row, Decision("skipped", self.rows[row].text))

    def undo(self) -> int | None:
        """Take back the last decision that was not taken back; return its row, or ``None`` if there is none."""
        self.refresh()
        if not self._history:
            return None
        row, before = self._history[-1]
        self._write(row, before, undo=True)
        return row

    @property
    def undoable(self) -> bool:
        """Whether there is a decision to take back."""
        return bool(self._history)

    def refresh(self) -> None:
        """Read the decisions that others have made in the same file since."""
        for entry in self._journal.read():
            self._apply(entry)

    def _checked(self, row: object) -> int:
        """The number of a row as a plain integer; those of NumPy and pandas are integers too."""
        last = len(self.rows) - 1
        if isinstance(row, bool) or not isinstance(row, SupportsIndex):
            raise DataError(f"A row is given by its number, from 0 to {last:,} (got {row!r}).")
        number = index(row)
        if not 0 <= number <= last or not self.rows[number].source.strip():
            raise DataError(f"There is no row {number + 1:,} to review (rows are numbered from 0 to {last:,}).")
        return number

    def _decide(self, row: int, decision: Decision) -> None:
        if self.decisions.get(row) != decision:
            self._write(row, decision)

    def _write(self, row: int, decision: Decision | None, *, undo: bool = False) -> None:
        entry: dict[str, object] = {"row": row, "decision": None if decision is None else decision.state}
        if decision is not None and decision.state == "corrected":
            entry["text"] = decision.text
        for each in self._journal.append({**entry, "undo": True} if undo else entry):
            self._apply(each)

    def _apply(self, entry: Entry) -> None:
        """Take in a line of the file."""
        row, state, text = entry.get("row"), entry.get("decision"), entry.get("text")
        if not isinstance(row, int) or not 0 <= row < len(self.rows) or state not in (*DECISIONS, None):
            return
        decision = (
            None if state is None else Decision(str(state), text if isinstance(text, str) else self.rows[row].text)
        )
        before = self.decisions.pop(row, None)
        if before is not None:
            self.counts[before.state] -= 1
        if decision is not None:
            self.decisions[row] = decision
            self.counts[decision.state] += 1
        self._doubtful_decided += self.is_doubtful(row) * ((decision is not None) - (before is not None))
        if not entry.get("undo"):
            self._history.append((row, before))
        elif self._history and self._history[-1][0] == row:
            self._history.pop()

    # Looking ------------------------------------------------------------------------------------------------------

    def is_doubtful(self, row: int) -> bool:
        """Whether a person should look at an output: not accepted by its confidence, or without a threshold, below 0.9."""
        _, _, confidence, accepted, *_ = self.rows[row]
        if self.has_threshold:
            return accepted is not True
        return confidence is None or confidence < DOUBTFUL

    def is_open(self, row: int) -> bool:
        """Whether a row waits for a decision: it has none, and was not accepted by its confidence either."""
        return row not in self.decisions and self.rows[row].accepted is not True

    def select(self, selection: str = "undecided") -> list[int]:
        """Return rows, the most doubtful first.

        Args:
            selection: ``undecided`` (not accepted by confidence either), ``doubtful``, ``accepted``, ``corrected``,
                ``skipped`` or ``all``.
        """
        if selection not in SELECTIONS:
            names = ", ".join(SELECTIONS)
            hint = nearest(str(selection), SELECTIONS)  # which may be anything
            raise OptionError(f"There is no selection {selection!r} (one of {names}).{hint}")
        if selection == "all":
            return list(self.order)
        if selection == "undecided":
            return list(filter(self.is_open, self.order))
        if selection == "doubtful":
            return list(filter(self.is_doubtful, self.order))
        return [row for row in self.order if row in self.decisions and self.decisions[row].state == selection]

    @property
    def progress(self) -> tuple[int, int]:
        """How many rows are decided, and of how many: of the doubtful ones, if a threshold of acceptance was set."""
        if self.has_threshold:
            return self._doubtful_decided, self.doubtful
        return len(self.decisions), len(self.order)

    def __repr__(self) -> str:
        done, total = self.progress
        noun = "doubtful row" if self.has_threshold else "row"
        numbers = ", ".join(f"{count:,} {state}" for state, count in self.counts.items() if count)
        lines = [f"{share(done, total, noun)} decided" + (f": {numbers}" if numbers else ""), f"kept in {self.file}"]
        if self._journal.damaged:
            lines.append(f"{counted(self._journal.damaged, 'line')} of it cannot be read and count as undecided.")
        return "\n".join(lines)

    # Pairs --------------------------------------------------------------------------------------------------------

    @property
    def corrections(self) -> Pairs:
        """The corrected rows as pairs of source and correction, in the order of the table; see ``pairs``."""
        return self.pairs(accepted=False)

    def pairs(self, *, accepted: bool = True) -> Pairs:
        """Return pairs of source and right output, in the order of the table.

        Args:
            accepted: with the rows that a person accepted, not only those that were corrected.

        Raises:
            DataError: if there are none yet.
        """
        self.refresh()
        states = ("corrected", "accepted") if accepted else ("corrected",)
        rows = sorted(row for row, decision in self.decisions.items() if decision.state in states)
        if not rows:
            what = "corrected or accepted" if accepted else "corrected"
            raise DataError(f"No row is {what} in {self.file} yet; review the outputs with %textgen_review.")
        places: list[Place] = [("row", row + 1) for row in rows]
        return Pairs([self.rows[row].source for row in rows], [self.decisions[row].text for row in rows], places)

    def frame(self) -> pandas.DataFrame:
        """Return the decided rows as a data frame, in the order of the table."""
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        self.refresh()
        columns = ["row", "source", "output", "confidence", "decision", "target"]
        return pandas.DataFrame([self._columns(row) for row in sorted(self.decisions)], columns=columns)

    def _columns(self, row: int) -> list[object]:
        state, text = self.decisions[row]
        source, output, confidence, *_ = self.rows[row]
        return [row, source, output, confidence, state, None if state == "skipped" else text]

    def save(self, path: str | Path, *, accepted: bool = False) -> Path:
        """Write the corrections as a table of source and target, which training reads; an older file is replaced.

        Args:
            path: a name that ends in ``.tsv``, ``.csv``, ``.jsonl`` or ``.parquet``.
            accepted: see ``pairs``.

        Raises:
            DataError: if there are none, or the file cannot be written.
        """
        path = checked_path(path)
        writer = _WRITERS.get(path.suffix.lower())
        if writer is None:
            endings = ", ".join(_WRITERS)
            raise DataError(f"{path} should end in one of {endings}.{nearest(path.suffix.lower(), _WRITERS)}")
        content = writer(self.pairs(accepted=accepted))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace(path, content)
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error.strerror or error}.") from error
        return path


def _delimited(pairs: Iterable[tuple[str, str]], delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(("source", "target"))
    writer.writerows(pairs)
    return text.getvalue().encode()


def _tsv(pairs: Pairs) -> bytes:
    return _delimited(pairs, "\t")


def _csv(pairs: Pairs) -> bytes:
    return _delimited(pairs, ",")


def _jsonl(pairs: Pairs) -> bytes:
    records: list[Mapping[str, str]] = [{"source": source, "target": target} for source, target in pairs]
    return "".join(json_text(record) + "\n" for record in records).encode()


def _parquet(pairs: Pairs) -> bytes:
    with optional_import("A Parquet file", "pyarrow", "frames"):
        pyarrow = import_module("pyarrow")
        parquet = import_module("pyarrow.parquet")
    content = io.BytesIO()
    parquet.write_table(pyarrow.table({"source": pairs.sources, "target": pairs.targets}), content)
    return content.getvalue()


_WRITERS = {".tsv": _tsv, ".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}
