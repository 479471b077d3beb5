"""Explain buttons beside generated texts, which work as long as the kernel runs.

An output stays plain HTML with hidden buttons. One widget per kernel, never displayed itself, waits in the page: it reveals the
buttons of its kernel, receives their clicks, and puts the explanation under the texts. So an output costs no widget, and a saved
notebook, or a page without a kernel, shows the texts and no dead buttons.
"""

from __future__ import annotations

import html
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import anywidget
import traitlets

from nbtextgen.charts.keeping import BUTTON
from nbtextgen.core.errors import NbTextGenError, NotTrainedError
from nbtextgen.core.escaping import brief, pictured
from nbtextgen.inference.generation import Generation, Generations, table
from nbtextgen.notebook.code import Values
from nbtextgen.notebook.explain.panel import ExplanationPanel
from nbtextgen.notebook.widgets import module

if TYPE_CHECKING:
    from nbtextgen.generator import TextGenerator

FRONT = Path(__file__).parent / "front"
MAX_BUTTONS = 100
"""Buttons in one output; the other rows of a long list have none."""
MAX_GENERATIONS = 5_000
"""Generations that can be explained by a click; the oldest are dropped first."""
MAX_NAME_CHARACTERS = 60
"""Characters of a text in the accessible name of its button."""


class ExplainButtons(anywidget.AnyWidget):
    """Waits in the page for clicks on Explain buttons.

    Attributes:
        token: prefix of the values of this kernel's buttons; the id of this widget, which no other kernel has.
    """

    _esm = module(FRONT, "buttons.js")
    token = traitlets.Unicode().tag(sync=True)

    def __init__(self) -> None:
        self._generations: OrderedDict[int, tuple[weakref.ref[TextGenerator], Generation]] = OrderedDict()
        self._count = 0
        self._panels: dict[str, ExplanationPanel] = {}
        token = uuid.uuid4().hex
        super().__init__(model_id=token, token=token)
        self.on_msg(self._receive)

    def button(self, model: TextGenerator, generation: Generation) -> str:
        """Return the hidden button for a generation, as HTML."""
        self._count += 1
        self._generations[self._count] = (weakref.ref(model), generation)
        if len(self._generations) > MAX_GENERATIONS:
            self._generations.popitem(last=False)
        return explain_button(f"{self.token}.{self._count}", generation.text)

    def _receive(self, _: object, content: Values, buffers: object = None) -> None:
        """Handle a click on a button, or on the Close button of an explanation."""
        closed = self._panels.pop(str(content.get("close")), None)
        if closed is not None:
            closed.cancel()
            closed.close()
        number = content.get("explain")
        if isinstance(number, int):
            self.send({"explain": number, **self._open_panel(number)})

    def _open_panel(self, number: int) -> dict[str, str]:
        """Open the explanation of a generation; return the id of the panel, or an error."""
        model_reference, generation = self._generations.get(number, (lambda: None, None))
        model = model_reference()
        try:
            if model is None or generation is None:
                raise NotTrainedError("The model that generated this text no longer exists; run the cell again.")
            panel = ExplanationPanel.of(model, generation)
        except NbTextGenError as error:
            return {"error": error.in_form}
        self._panels[panel.model_id] = panel
        return {"panel": panel.model_id}


def explain_button(value: str, text: str) -> str:
    """Return a hidden, empty button; the front end fills in its word and shows it, so that a static page shows nothing."""
    name = pictured(brief(text, MAX_NAME_CHARACTERS))
    return (
        f'<button type="button" class="ntg-explain" value="{value}" aria-label="Explain: {html.escape(name, quote=True)}" '
        f'style="{BUTTON};display:none"></button>'
    )


@cache
def kernel_buttons() -> ExplainButtons:
    """Return the widget of this kernel."""
    return ExplainButtons()


def bundle(models: Sequence[TextGenerator], output: Generation | Generations) -> Values:
    """Return a mime bundle of generated texts, with an Explain button beside each text that one of the models generated.

    Args:
        models: the generators that the notebook's variables hold.
        output: what is shown.
    """
    several = isinstance(output, Generations)
    rows: Sequence[Generation] = output if several else output.candidates or (output,)
    originals: Sequence[Generation] = output if several else [output] * len(rows)
    authors = [_author(models, original) for original in originals[:MAX_BUTTONS]]
    data = output._repr_mimebundle_()
    if not any(authors):
        return data
    buttons = kernel_buttons()
    beside = ["" if author is None else buttons.button(author, row) for author, row in zip(authors, rows, strict=False)]
    return data | {"text/html": table(rows, beside=beside)}


def _author(models: Sequence[TextGenerator], generation: Generation) -> TextGenerator | None:
    """Return the model that generated a text, or ``None`` if it is not among these."""
    return next((model for model in models if generation in model.generated), None)
