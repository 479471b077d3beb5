"""``ExplanationPanel``: the widget behind ``%textgen_explain``."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from nbtextgen.core.errors import NbTextGenError
from nbtextgen.explanation.config import METHOD_NAMES, METHODS, ExplanationConfig, configure
from nbtextgen.explanation.explanation import Explanation, Explanations
from nbtextgen.notebook.explain.worker import ExplanationWorker, Question
from nbtextgen.notebook.widgets import module, style

if TYPE_CHECKING:
    from nbtextgen.generator import TextGenerator
    from nbtextgen.inference.generation import Generation

FRONT = Path(__file__).parent / "front"
PARTS = (
    "format.js",
    "chips.js",
    "matrix.js",
    "counterfactual.js",
    "text_view.js",
    "export.js",
    "toolbar.js",
    "panel.js",
)
"""The front end's own modules."""

PATIENCE = 0.1
"""Seconds that the table beside the widget waits for more than the first answers; short texts are done by then."""


def front_end() -> str:
    """The panel's ES module."""
    return module(FRONT, *PARTS)


class ExplanationPanel(anywidget.AnyWidget):
    """Shows an output and its input as chips of the original text, shaded by attribution.

    The first answers (attention and gradients) are there when it appears; Shapley values are refined in a thread of their
    own, and so is whatever else is asked for. What has been computed once is never computed again.

    Attributes:
        answers: known explanations by ``unit|contrast|method``, as plain values.
        view: what is shown: ``unit``, ``contrast`` and ``method``.
        choices: methods and units on offer.
        status: what is being computed, and how much of it is done.
        sentences: agreement of the methods by ``unit|contrast``.
        change: the output for an edited input.
        explanations: by method, those of the unit and contrast that are shown.
    """

    _esm = front_end()
    _css = style(FRONT, "panel.css")
    answers = traitlets.Dict().tag(sync=True)
    view = traitlets.Dict().tag(sync=True)
    choices = traitlets.Dict().tag(sync=True)
    status = traitlets.Dict().tag(sync=True)
    sentences = traitlets.Dict().tag(sync=True)
    change = traitlets.Dict().tag(sync=True)

    def __init__(self, work: ExplanationWorker, methods: Sequence[str]) -> None:
        """Compute the first answers, and start on the rest."""
        super().__init__()
        self._work = work
        first = work.first_question
        self.choices = {
            "methods": [
                {"id": each, "name": METHOD_NAMES[each][0].upper() + METHOD_NAMES[each][1:]} for each in work.methods
            ],
            "units": list(work.units),
        }
        self.view = {"unit": first.unit, "contrast": first.contrast or "", "method": methods[0]}
        self.on_msg(self._hear)
        work.listen(self._tell)
        work.quick()
        work.start([Question(first.unit, first.contrast, method) for method in methods])

    @classmethod
    def of(cls, model: TextGenerator, text: str | Generation, **options: Any) -> ExplanationPanel:
        """A panel for one text, or one output; options as ``TextGenerator.explain``."""

        background = options.pop("background", None)
        config: ExplanationConfig = configure(options)
        return cls(ExplanationWorker.of(model, text, config, background), config.method)

    # What a notebook's user reads ---------------------------------------------------------------------------------

    @property
    def explanations(self) -> Explanations:
        """Those computed so far for the unit and contrast that are shown."""
        question = self._question(self.view)
        return Explanations(self._work.known(question.unit, question.contrast))

    @property
    def explanation(self) -> Explanation:
        """The one shown; waits until it is final."""
        return self._work.answer(self._question(self.view))

    def wait(self) -> ExplanationPanel:
        """Until nothing is being computed."""
        self._work.wait()
        return self

    def cancel(self) -> None:
        """Stop computing; what is known stays."""
        self._work.cancel()

    def html(self) -> str:
        """The panel as a page of its own that needs no kernel and no network."""
        data = {name: getattr(self, name) for name in ("answers", "view", "choices", "sentences")}
        # A closing tag inside the data would end the script element.
        held = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")
        return (
            "<!DOCTYPE html><html><head><meta charset='utf-8'><title>Explanation</title>"
            "<meta name='color-scheme' content='light dark'><meta name='viewport' content='width=device-width'>"
            f"<style>{self._css_text()}body{{margin:2rem}}</style></head><body><div id='here'></div>"
            f"<script type='application/json' id='data'>{held}</script>"
            f"<script type='module'>{front_end().replace('export default', 'const widget =')}\n"
            "widget.renderSaved(document.getElementById('here'), JSON.parse(document.getElementById('data').textContent));"
            "</script></body></html>"
        )

    def save(self, path: str | Path) -> Path:
        """Write ``html`` to a file."""
        found = Path(path)
        found.parent.mkdir(parents=True, exist_ok=True)
        found.write_text(self.html(), encoding="utf-8")
        return found

    @staticmethod
    def _css_text() -> str:
        return style(FRONT, "panel.css")

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The widget, with a table beside it for places without widgets."""
        found = super()._repr_mimebundle_(**options)
        bundle, metadata = found if isinstance(found, tuple) else (found, {})
        self._work.wait(seconds=PATIENCE)
        known = self.explanations
        return {**(bundle or {}), **known._repr_mimebundle_()}, metadata

    # Messages from the page -----------------------------------------------------------------------------------------

    def _hear(self, _: Any, content: Mapping[str, Any], __: Any) -> None:
        kind = content.get("kind")
        try:
            if kind == "ask":
                self._work.start([self._question(content)])
            elif kind == "cancel":
                self._work.cancel()
            elif kind == "edit":
                self._work.start_edit(self._question(content), dict(content.get("edits") or {}))
            elif kind == "page":
                self.send({"kind": "page", "html": self.html()})
        except NbTextGenError as error:
            self.status = {"busy": False, "error": str(error)}

    def _question(self, content: Mapping[str, Any]) -> Question:
        method = content.get("method")
        unit, contrast = str(content.get("unit") or "token"), str(content.get("contrast") or "") or None
        return Question(unit, contrast, method if method in METHODS else "shap")

    def _tell(self, name: str, value: Mapping[str, Any]) -> None:
        """News from the work: entries are added to ``answers`` and ``sentences``, other values replaced."""
        if name in ("answers", "sentences"):
            setattr(self, name, {**getattr(self, name), **value})
        else:
            setattr(self, name, {**value, "at": time.time()} if name == "change" else dict(value))
