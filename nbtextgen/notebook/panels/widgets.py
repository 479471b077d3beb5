"""The panels' own widgets: each a small Python class and one ES module in ``front/``."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import anywidget
import ipywidgets
import traitlets

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.core.escaping import visible
from nbtextgen.core.wording import sentence_case
from nbtextgen.notebook.progress import Throttle
from nbtextgen.notebook.widgets import module, style

FRONT = Path(__file__).parent / "front"
STYLE = style(FRONT, "panels.css")
_QUOTED = re.compile("“([^“”]*)”")
"""A text of the data in a sentence, which has a direction of its own."""
LATE_SECONDS = 1.0
"""Seconds until work that usually takes none shows a bar."""


class Form(anywidget.AnyWidget):
    """A form of settings with labels, sliders and errors.

    Attributes:
        sections: ``{"title": ..., "closed": ..., "fields": [field(option), ...]}``, from top to bottom.
        values: the settings by name; ``None`` for one that is chosen from the data.
        autos: the values that would be chosen from the data.
        errors: an error for each setting that is refused.
        suggestions: names to offer in a text field.
        disabled: whether the user cannot change anything now.
    """

    _esm = module(FRONT, "stops.js", "controls.js", "form.js")
    _css = STYLE
    sections = traitlets.List(traitlets.Dict()).tag(sync=True)
    values = traitlets.Dict().tag(sync=True)
    autos = traitlets.Dict().tag(sync=True)
    errors = traitlets.Dict().tag(sync=True)
    suggestions = traitlets.Dict().tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)

    def put(self, **values: object) -> None:
        """Set some of the values, as the user would."""
        self.values = {**self.values, **values}

    def refusals(self) -> str:
        """Return the errors as static HTML, each with the label of its field."""
        labels = {each["name"]: each["label"] for section in self.sections for each in section["fields"]}
        return refusals(labels, self.errors)


class CodeView(anywidget.AnyWidget):
    """Pieces of code to copy; ``pieces`` are ``{"name": ..., "code": ...}``."""

    _esm = module(FRONT, "code.js")
    _css = STYLE
    pieces = traitlets.List(traitlets.Dict()).tag(sync=True)

    def show(self, pieces: Mapping[str, str]) -> None:
        """Show code by name."""
        self.pieces = [{"name": name, "code": code} for name, code in pieces.items()]


class OutputsView(anywidget.AnyWidget):
    """The outputs of models, side by side; sends ``ask``, ``choose`` and ``release`` messages (see ``generate.py``).

    Attributes:
        columns: one for each model: title, error, whether an output is forced, and rows of tokens.
        alternatives: the alternatives at one token, for the menu.
        version: rises with every new result; answers to older ones are dropped.
        status: a line under the outputs.
        sampling: whether outputs are drawn at random, so that they can be drawn again.
    """

    _esm = module(FRONT, "alternatives.js", "outputs.js")
    _css = STYLE
    columns = traitlets.List(traitlets.Dict()).tag(sync=True)
    alternatives = traitlets.Dict().tag(sync=True)
    version = traitlets.Int(0).tag(sync=True)
    status = traitlets.Unicode("").tag(sync=True)
    sampling = traitlets.Bool(False).tag(sync=True)


class Progress(anywidget.AnyWidget):
    """How far work in the background is, with a button that cancels it; empty while nothing runs.

    Attributes:
        state: while something runs, ``text`` says what, and ``done`` is a share (0 where it is not known).
    """

    _esm = module(FRONT, "progress.js")
    _css = STYLE
    state = traitlets.Dict().tag(sync=True)

    def __init__(self, cancel: Callable[[], object]) -> None:
        """Prepare; ``cancel`` is called by the button and asks the work to stop."""
        super().__init__()
        self.on_msg(lambda *_: cancel())

    @contextmanager
    def shown(self, text: str) -> Iterator[None]:
        """Show the bar while the block runs."""
        self.state = {"text": text}
        try:
            yield
        finally:
            self.state = {}

    def counter(self, what: str, token: CancellationToken) -> Callable[[int, int], None]:
        """Return a callback that shows how many of how many are done, as "3 of 10 ``what``"; it ends the work once cancelled."""
        throttle = Throttle()

        def on_progress(done: int, count: int) -> None:
            token.raise_if_cancelled()
            if throttle.due():
                self.state = {"text": f"{done:,} of {count:,} {what}", "done": done / max(1, count)}

        return on_progress

    def late(self, text: str) -> Callable[..., None]:
        """Return a callback that shows the bar once the work has taken a second, so that it does not flicker while a user types."""
        start = time.monotonic()

        def on_progress(*_: int) -> None:
            if not self.state and time.monotonic() - start > LATE_SECONDS:
                self.state = {"text": text}

        return on_progress


class Ranges(anywidget.AnyWidget):
    """Settings to search, with their ranges.

    Attributes:
        fields: as ``Form``'s, numbers and choices only.
        values: by name, ``{"on": whether it is searched, "range": [low, high] or a list of choices}``; an end that was
            typed and is no number is a text.
        errors: an error for each setting whose range is refused; under no name, one about all of them.
        disabled: whether the user cannot change anything now.
    """

    _esm = module(FRONT, "stops.js", "ranges.js")
    _css = STYLE
    fields = traitlets.List(traitlets.Dict()).tag(sync=True)
    values = traitlets.Dict().tag(sync=True)
    errors = traitlets.Dict().tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)


class RunsTable(anywidget.AnyWidget):
    """A table of runs that sorts; sends ``{"action": ..., "names": [...]}`` for those that are chosen.

    Attributes:
        heads: titles of the columns.
        rows: for each run its name, its cells, and what the columns are sorted by.
        disabled: whether nothing can be done with them now.
    """

    _esm = module(FRONT, "runs.js")
    _css = STYLE
    heads = traitlets.List(traitlets.Unicode()).tag(sync=True)
    rows = traitlets.List(traitlets.Dict()).tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)


def output(page: str) -> ipywidgets.HTML:
    """Return HTML as an output has it: sizes and margins by a class of the notebook, and tables at the left."""
    left = "<style>.ntg-output table { margin-left: 0; }</style>"
    return ipywidgets.HTML(f'<div class="jp-RenderedHTMLCommon ntg-output">{left}{page}</div>')


def status(*lines: str, alert: bool = False) -> str:
    """Return text for an HTML widget, which screen readers announce when it changes."""
    role = "alert" if alert else "status"
    colour = "color:var(--jp-error-color1,#c62828);" if alert else ""
    words = (_QUOTED.sub(r"“<bdi>\1</bdi>”", visible(line)) for line in lines)
    return f"<div role='{role}' style='{colour}line-height:1.5'>" + "<br>".join(words) + "</div>"


def refusals(labels: Mapping[str, str], errors: Mapping[str, str]) -> str:
    """Return errors by field as static HTML, each with the label of its field; nothing if there are none."""
    lines = [f"{sentence_case(labels.get(name, name))}: {error}" for name, error in errors.items()]
    return status(*lines, alert=True) if lines else ""


def row(*widgets: ipywidgets.Widget) -> ipywidgets.HBox:
    """Return widgets side by side, wrapped on narrow pages."""
    return ipywidgets.HBox(
        list(widgets), layout={"flex_flow": "row wrap", "align_items": "center", "grid_gap": "0 8px"}
    )
