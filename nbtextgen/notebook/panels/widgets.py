"""The panels' own widgets: each a small Python class and one ES module in ``front/``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import anywidget
import ipywidgets
import traitlets

from nbtextgen.core.escaping import visible
from nbtextgen.notebook.widgets import module, style

FRONT = Path(__file__).parent / "front"
STYLE = style(FRONT, "panels.css")
_QUOTED = re.compile("“([^“”]*)”")
"""A text of the data in a sentence, which has a direction of its own."""


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
    """

    _esm = module(FRONT, "runs.js")
    _css = STYLE
    heads = traitlets.List(traitlets.Unicode()).tag(sync=True)
    rows = traitlets.List(traitlets.Dict()).tag(sync=True)


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


def sentence_case(label: str) -> str:
    """Return a label as the page shows it, with a capital at its beginning."""
    return label[:1].upper() + label[1:]


def row(*widgets: ipywidgets.Widget) -> ipywidgets.HBox:
    """Return widgets side by side, wrapped on narrow pages."""
    return ipywidgets.HBox(
        list(widgets), layout={"flex_flow": "row wrap", "align_items": "center", "grid_gap": "0 8px"}
    )
