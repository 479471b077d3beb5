"""An Explain button beside every generated text that a notebook shows, for as long as its kernel is there.

An output stays plain HTML, in which the buttons are hidden. One widget for each kernel, which is never shown itself, waits in the
page: it reveals the buttons of its kernel, hears them, and puts the explanation under the texts. So a text costs no widget, and a
saved notebook, or a page without a kernel, shows the texts and no dead buttons.
"""

from __future__ import annotations

import html
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from nbtextgen.charts.keeping import BUTTON
from nbtextgen.core.errors import NbTextGenError, NotTrainedError
from nbtextgen.core.escaping import pictured
from nbtextgen.inference.generation import Generation, Generations, table
from nbtextgen.notebook.explain.panel import ExplanationPanel
from nbtextgen.notebook.widgets import module

if TYPE_CHECKING:
    from nbtextgen.generator import TextGenerator

FRONT = Path(__file__).parent / "front"
ROWS = 100
"""Texts of one output that have a button; the rest of a long list has none."""
REMEMBERED = 5_000
"""Texts that can be asked about; the oldest are forgotten first."""
LONGEST = 60
"""Characters of a text in the name of its button."""


class ExplainButtons(anywidget.AnyWidget):
    """Waits in the page for presses of Explain.

    Attributes:
        token: what the values of this kernel's buttons begin with; the id of this widget, which no other kernel has.
    """

    _esm = module(FRONT, "buttons.js")
    token = traitlets.Unicode().tag(sync=True)

    def __init__(self) -> None:
        self._written: OrderedDict[int, tuple[weakref.ref[TextGenerator], Generation]] = OrderedDict()
        self._count = 0
        self._panels: dict[str, ExplanationPanel] = {}
        token = uuid.uuid4().hex
        super().__init__(model_id=token, token=token)
        self.on_msg(self._hear)

    def button(self, model: TextGenerator, written: Generation) -> str:
        """The hidden button of a text, as HTML."""
        self._count += 1
        self._written[self._count] = (weakref.ref(model), written)
        if len(self._written) > REMEMBERED:
            self._written.popitem(last=False)
        return explain_button(f"{self.token}.{self._count}", written.text)

    def _hear(self, _: object, content: Mapping[str, Any], buffers: object = None) -> None:
        """A button was pressed, or an explanation closed."""
        closed = self._panels.pop(str(content.get("close")), None)
        if closed is not None:
            closed.cancel()
            closed.close()
        number = content.get("explain")
        if isinstance(number, int):
            self.send({"explain": number, **self._explained(number)})

    def _explained(self, number: int) -> dict[str, str]:
        author, written = self._written.get(number, (None, None))
        model = author() if author is not None else None
        try:
            if model is None or written is None:
                raise NotTrainedError("The model that wrote this text is gone; run the cell again.")
            panel = ExplanationPanel.of(model, written)
        except NbTextGenError as error:
            return {"error": str(error)}
        self._panels[panel.model_id] = panel
        return {"panel": panel.model_id}


def explain_button(value: str, text: str) -> str:
    """A button that only a living page shows; its word comes from there, too, so that none is left where buttons are not."""
    name = pictured(text if len(text) <= LONGEST else text[: LONGEST - 1] + "\u2026")
    return (
        f'<button type="button" class="ntg-explain" value="{value}" aria-label="Explain: {html.escape(name, quote=True)}" '
        f'style="{BUTTON};display:none"></button>'
    )


@cache
def kernel_buttons() -> ExplainButtons:
    """The one widget of this kernel."""
    return ExplainButtons()


def bundle(models: Sequence[TextGenerator], shown: Generation | Generations) -> dict[str, Any]:
    """Generated texts as a notebook shows them, with an Explain button beside each text of one of the models.

    Args:
        models: the generators that the notebook's variables hold.
        shown: a ``Generation``, or ``Generations``.
    """
    several = isinstance(shown, Generations)
    rows: Sequence[Generation] = shown if several else shown.candidates or (shown,)
    given: Sequence[Generation] = shown if several else [shown] * len(rows)
    asked = [(_author(models, one), row) for one, row in zip(given[:ROWS], rows[:ROWS], strict=True)]
    found = shown._repr_mimebundle_()
    if all(author is None for author, _ in asked):
        return found
    buttons = kernel_buttons()
    beside = ["" if author is None else buttons.button(author, row) for author, row in asked]
    return found | {"text/html": table(rows, with_source=several, beside=beside)}


def _author(models: Sequence[TextGenerator], written: Generation) -> TextGenerator | None:
    """The model that wrote a text, if it is one of these."""
    return next((model for model in models if written in model.generated), None)
