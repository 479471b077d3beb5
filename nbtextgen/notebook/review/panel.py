"""``ReviewPanel``: the widget that ``%textgen_review`` shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import anywidget
import ipywidgets
import traitlets

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.core.errors import NbTextGenError
from nbtextgen.core.escaping import html_table, visible
from nbtextgen.core.wording import counted, share
from nbtextgen.notebook.background import describe
from nbtextgen.notebook.code import Values
from nbtextgen.notebook.panels.widgets import CodeView
from nbtextgen.notebook.progress import Throttle
from nbtextgen.notebook.review.details import RowDetails, percent
from nbtextgen.notebook.static import Below, PlainBox, StaticForm
from nbtextgen.notebook.widgets import FOCUS, module, style
from nbtextgen.review import Review

if TYPE_CHECKING:
    from nbtextgen.generator import TextGenerator

FRONT = Path(__file__).parent / "front"
WINDOW = 80
"""Rows of the list that the page holds at a time."""
MAX_LISTED = 80
"""Characters of a text in the list."""
MAX_SHOWN = 20_000
"""Characters of a text that is shown whole."""
MAX_CANDIDATES = 9
"""Candidates that a key chooses."""
STILL_ROWS = 20
"""Decisions that the static form lists, the newest first."""
CONFIDENCE_WORDS = ((0.99, "Very high"), (0.9, "High"), (0.6, "Medium"), (0.3, "Low"), (0.0, "Very low"))
"""Confidence in words, from its lowest value on."""


class ReviewView(anywidget.AnyWidget):
    """The page of a review; it holds one row whole and a window of the list, and sends what the user does.

    Attributes:
        window: ``{"start": position, "count": rows of the list, "rows": [...]}``.
        current: the row that is decided next, whole.
        details: what the model says about a row, by its number.
        progress: how much is decided, in numbers and in a sentence.
        choices: what can be listed, with counts; whether there is a model, and something to take back.
        status: what happened, for screen readers, or what is ``busy`` and the share that is ``done``, or an error; ``at`` rises with every message.
    """

    _esm = module(FRONT, FOCUS, "keys.js", "list.js", "card.js", "panel.js")
    _css = style(FRONT, "panel.css")
    window = traitlets.Dict().tag(sync=True)
    current = traitlets.Dict().tag(sync=True)
    details = traitlets.Dict().tag(sync=True)
    progress = traitlets.Dict().tag(sync=True)
    choices = traitlets.Dict().tag(sync=True)
    status = traitlets.Dict().tag(sync=True)


class ReviewPanel(StaticForm, ipywidgets.VBox):
    """The outputs of a table one after another, to be accepted, corrected or skipped.

    The list stays as it was when its filter was chosen; a decided row keeps its place and shows what was decided.

    Attributes:
        review: the review, which any other cell may use meanwhile.
        model: the model that says more about a row, or ``None``.
        view: the page.
    """

    def __init__(
        self, review: Review, model: TextGenerator | None = None, pieces: Callable[[], dict[str, str]] = dict
    ) -> None:
        """Show the first row that waits for a decision.

        Args:
            review: the outputs, and what was decided about them.
            model: for probabilities, candidates, explanations and training rows.
            pieces: code by name that goes on with the corrections, shown once there are any.
        """
        self.review, self.model, self._pieces = review, model, pieces
        self._list, self._places, self._position, self._selection = list[int](), dict[int, int](), 0, "undecided"
        self._messages = 0
        self._details = RowDetails(model, self._show_details, self._show_error)
        self.view, self.below, self.code = ReviewView(), Below(self), CodeView()
        self.view.on_msg(self._receive)
        super().__init__([self.view, self.below, self.code, self.hidden_style()])
        self._select("undecided")

    @property
    def row(self) -> int | None:
        """The number of the row that is shown, from 0, or ``None`` if the list is empty."""
        return self._list[self._position] if self._list else None

    # What the user does ---------------------------------------------------------------------------------------------

    def _receive(self, _: object, message: Values, buffers: object = None) -> None:
        """Handle a message from the page; a decision about a row that is no longer shown is dropped."""
        kind = message.get("kind")
        if "row" in message and message["row"] != self.row:
            return
        try:
            if kind == "go":
                self._go(int(message["position"]))
            elif kind == "window":
                self._show_window(int(message["start"]))
            elif kind == "select":
                self._select(str(message["selection"]))
            elif kind == "undo":
                self._undo()
            elif kind == "explain":
                self._open(self._explanation())
            elif kind == "origins":
                self._find_origins()
            elif kind == "cancel":
                self._show("Cancelled.")  # in the place of what runs, the row is looked at again
            elif kind in ("accept", "correct", "skip"):
                self._decide(str(kind), str(message.get("text", "")))
        except NbTextGenError as error:
            self._show_error(error)
        self.refresh_still()

    def _decide(self, kind: str, text: str) -> None:
        row = self.row
        if row is None:
            return
        if kind == "correct":
            self.review.correct(row, text)
        else:
            (self.review.accept if kind == "accept" else self.review.skip)(row)
        decision = self.review.decisions[row]
        following = self._next()
        self._position = self._position if following is None else following
        self._show(f"Row {row + 1:,} {decision.state}.", finished=following is None)

    def _next(self) -> int | None:
        """Return the position of the next row that waits for a decision, from the beginning after the end."""
        here = self._position
        for start, stop in ((here + 1, len(self._list)), (0, here)):
            for position in range(start, stop):
                if self.review.is_open(self._list[position]):
                    return position
        return None

    def _undo(self) -> None:
        row = self.review.undo()
        if row is None:
            self._say("There is nothing to undo.")
            return
        if row not in self._places:
            self._select("all")
        self._position = self._places[row]
        self._show(f"Undone: row {row + 1:,} is as it was.")

    def _go(self, position: int) -> None:
        self._position = max(0, min(position, len(self._list) - 1))
        self._show("")

    def _select(self, selection: str) -> None:
        self.review.refresh()
        self._selection, self._list, self._position = selection, self.review.select(selection), 0
        self._places = {row: position for position, row in enumerate(self._list)}
        self._show("" if self._list else _empty(selection))

    # Below the row --------------------------------------------------------------------------------------------------

    def _explanation(self) -> ipywidgets.Widget | None:
        from nbtextgen.notebook.explain.panel import ExplanationPanel

        row = self.row
        if row is None or self.model is None:
            return None
        output = self._details.generation(row)
        if output is not None:
            return ExplanationPanel.of(self.model, output)
        return ExplanationPanel.of(self.model, self.review.rows[row].source, target=self.review.rows[row].text)

    def _find_origins(self) -> None:
        """Find the training rows behind the output in the background, and show them; the first time takes longer."""
        row, model = self.row, self.model
        if row is None or model is None:
            return
        output = self._details.generation(row) or self.review.rows[row].source

        def find(token: CancellationToken) -> None:
            throttle = Throttle()

            def on_progress(done: int, total: int) -> None:
                token.raise_if_cancelled()
                if throttle.due():
                    self._say(f"{done:,} of {total:,} training rows read", done=done / max(1, total))

            rows = model.training_rows(output, on_progress=on_progress)
            token.raise_if_cancelled()
            self._open(self._closable("Training rows behind this output", rows.html()))
            self._say(f"{counted(len(rows), 'training row')} below.")
            self.refresh_still()

        self._say("Looking for training rows \u2026", done=0.0)
        self._details.worker.submit(find)

    def _closable(self, title: str, page: str) -> ipywidgets.Widget:
        """Return a part that is shown below the row, with a title and a button that closes it."""
        close = ipywidgets.Button(description="Close", layout={"width": "auto"})

        def press(_: object) -> None:
            self._open(None)
            self.refresh_still()

        close.on_click(press)
        heading = ipywidgets.HTML(f"<div style='font-size:15px;font-weight:600'>{visible(title)}</div>")
        head = ipywidgets.HBox([heading, close], layout={"justify_content": "space-between"})
        return PlainBox([head, ipywidgets.HTML(page)], lambda: (title, heading.value + page))

    def _open(self, part: ipywidgets.Widget | None) -> None:
        """Show a part below the row, in the place of the one before."""
        self.below.show(*([] if part is None else [part]))

    def cancel(self) -> None:
        """Stop looking at rows; decisions are on disk."""
        self._details.worker.cancel()

    # What the page shows ----------------------------------------------------------------------------------------------

    def _show(self, happened: str, *, finished: bool = False) -> None:
        """Show the row at the position, the list around it, and how much is decided."""
        row = self.row
        if row is None or self.view.current.get("row") != row:
            self._open(None)
        with self.view.hold_sync():
            self._show_window(self._position - WINDOW // 2)
            self.view.current = {} if row is None else self._current(row)
            self._show_progress()
            self._say(" ".join(filter(None, (happened, self._finished() if finished else self._heading(row)))))
        self.code.show(self._pieces() if self.review.counts["corrected"] else {})
        following = [] if row is None else [row, *self._list[self._position + 1 : self._position + 2]]
        self._details.request([(each, self.review.rows[each]) for each in following])

    def _show_window(self, start: int) -> None:
        start = max(0, min(start, len(self._list) - WINDOW))
        rows = [self._listed(row) for row in self._list[start : start + WINDOW]]
        self.view.window = {"start": start, "count": len(self._list), "rows": rows}

    def _listed(self, row: int) -> Values:
        """Return a row as the list shows it."""
        source, text, confidence, accepted, *_ = self.review.rows[row]
        decision = self.review.decisions.get(row)
        return {
            "row": row,
            "source": source[:MAX_LISTED],
            "text": (text if decision is None else decision.text)[:MAX_LISTED],
            "confidence": "" if confidence is None else percent(confidence).replace("more than ", ">"),
            "state": decision.state if decision is not None else "passed" if accepted else "undecided",
        }

    def _current(self, row: int) -> Values:
        """Return the row that is shown whole."""
        source, text, confidence, accepted, candidates, notes = self.review.rows[row]
        decision = self.review.decisions.get(row)
        texts = dict.fromkeys(candidates[:MAX_CANDIDATES])
        return {
            "row": row,
            "position": self._position,
            "source": source[:MAX_SHOWN],
            "text": text[:MAX_SHOWN],
            "decided": "" if decision is None else decision.text[:MAX_SHOWN],
            "state": decision.state if decision is not None else "passed" if accepted else "undecided",
            "confidence": confidence,
            "words": confidence_words(confidence),
            "notes": list(notes),
            "candidates": list(texts) if len(texts) > 1 else [],
        }

    def _show_progress(self) -> None:
        review, (done, total) = self.review, self.review.progress
        noun = "doubtful row" if review.has_threshold else "row"
        passed = len(review.order) - review.doubtful if review.has_threshold else 0
        counts = {
            "undecided": total - done,
            "doubtful": review.doubtful,
            **review.counts,
            "all": len(review.order),
        }
        rest = f"; {counted(passed, 'row')} accepted by confidence" if passed else ""
        self.view.progress = {
            "done": done,
            "total": total,
            "sentence": f"{share(done, total, noun)} decided{rest}",
            "file": str(review.file),
        }
        self.view.choices = {
            "selection": self._selection,
            "selections": [{"name": name, "count": count} for name, count in counts.items()],
            "model": self.model is not None,
            "origins": self.model is not None,
            "undoable": review.undoable,
        }

    def _heading(self, row: int | None) -> str:
        """Return what a screen reader says of a row."""
        if row is None:
            return ""
        done, total = self.review.progress
        source, text, confidence, *_ = self.review.rows[row]
        shown = f"Row {row + 1:,}: source {source[:MAX_LISTED]}, output {text[:MAX_LISTED] or 'empty'}"
        return f"{shown}. {confidence_words(confidence)}. {done:,} of {total:,} decided."

    def _finished(self) -> str:
        counts = ", ".join(f"{count:,} {state}" for state, count in self.review.counts.items())
        return f"Every row of this list is decided: {counts}."

    def _show_details(self, row: int, details: Values) -> None:
        if row == self.row:
            self.view.details = {"row": row, **details}

    def _say(self, text: str, *, alert: bool = False, done: float | None = None) -> None:
        """Show a sentence; with ``done``, the share of it that is done, beside the bar of what runs."""
        self._messages += 1
        busy = done is not None
        self.view.status = {"text": text, "alert": alert, "busy": busy, "done": done or 0.0, "at": self._messages}

    def _show_error(self, error: BaseException) -> None:
        self._say(describe(error), alert=True)

    # Static form ------------------------------------------------------------------------------------------------------

    def summary(self) -> tuple[str, str]:
        """Return the progress as text, and as static HTML the row on screen, what is open below it, and the newest decisions."""
        text, opened = self.below.summary()
        decided = list(islice(reversed(self.review.decisions), STILL_ROWS))
        page = html_table(("row", "source", "output", "decision"), map(self._still_row, decided)) if decided else ""
        if len(self.review.decisions) > STILL_ROWS:
            page += f"<div>The last {STILL_ROWS} of {len(self.review.decisions):,} decisions.</div>"
        code = "".join(f"<pre>{visible(piece['code'])}</pre>" for piece in self.code.pieces)
        lines = f"Review: {self.review!r}".split("\n")
        kept = "".join(f"<div>{visible(line)}</div>" for line in lines[1:])
        return "\n".join(filter(None, (*lines, text))), kept + self._still_current() + opened + page + code

    def _still_current(self) -> str:
        """Return the row that is shown whole as a table."""
        if self.row is None:
            return f"<div>{_empty(self._selection)}</div>"
        shown = self._current(self.row)
        cells = f"{self.row + 1:,}", shown["source"], shown["text"] or "empty", shown["words"]
        return html_table(("row shown", "source", "output", "confidence"), [cells])

    def _still_row(self, row: int) -> Sequence[str]:
        decision, output = self.review.decisions[row], self.review.rows[row]
        shown = decision.text if decision.state == "corrected" else decision.state
        return f"{row + 1:,}", output.source, output.text, shown


def confidence_words(confidence: float | None) -> str:
    """Return a confidence in words and in per cent."""
    if confidence is None:
        return "Confidence unknown"
    word = next((word for lowest, word in CONFIDENCE_WORDS if confidence >= lowest), "Very low")
    return f"{word} confidence, {percent(confidence)}"


def _empty(selection: str) -> str:
    if selection == "undecided":
        return "Nothing waits for a decision."
    return "This list is empty."
