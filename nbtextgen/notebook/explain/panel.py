"""``ExplanationPanel``: the widget that ``%textgen_explain`` shows."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from nbtextgen.core.errors import NbTextGenError
from nbtextgen.core.escaping import json_text
from nbtextgen.core.files import write_page
from nbtextgen.core.wording import sentence_case
from nbtextgen.explanation.config import METHOD_NAMES, METHODS, configure
from nbtextgen.explanation.explanation import Explanation, Explanations
from nbtextgen.notebook.code import Values
from nbtextgen.notebook.explain.worker import ExplanationRequest, ExplanationWorker
from nbtextgen.notebook.static import StaticForm
from nbtextgen.notebook.widgets import FOCUS, module, style

if TYPE_CHECKING:
    from nbtextgen.generator import TextGenerator
    from nbtextgen.inference.generation import Generation
    from nbtextgen.influence.rows import TrainingRow

FRONT = Path(__file__).parent / "front"
ESM = module(
    FRONT,
    FOCUS,
    "format.js",
    "chips.js",
    "matrix.js",
    "arcs.js",
    "colour_bar.js",
    "counterfactual.js",
    "rows.js",
    "text_view.js",
    "export.js",
    "toolbar.js",
    "panel.js",
)
CSS = style(FRONT, "panel.css")
WAIT_SECONDS = 0.1
"""Seconds that the static table beside the widget waits for all methods, which is enough for short texts."""


class ExplanationPanel(StaticForm, anywidget.AnyWidget):
    """Shows an output and its input as chips of the original text, shaded by attribution.

    The cheap methods (attention and gradients) are computed before it appears. Shapley values, and whatever the user asks
    for, are computed in the background. No explanation is computed twice.

    Attributes:
        answers: explanations so far by ``unit|contrast|method``, as JSON values.
        view: what is shown: ``unit``, ``contrast`` and ``method``.
        choices: methods and units that the user can choose.
        status: what is being computed, and how much of it is done.
        sentences: agreement of the methods by ``unit|contrast``.
        change: the output for an edited input.
        minimal: the smallest edits that change the output or a token of it.
        rows: training rows behind the output or a token of it.
        marks: numbers of the training rows that the user has marked.
        name: an identifier of the panel.
    """

    _esm = ESM
    _css = CSS
    answers = traitlets.Dict().tag(sync=True)
    view = traitlets.Dict().tag(sync=True)
    choices = traitlets.Dict().tag(sync=True)
    status = traitlets.Dict().tag(sync=True)
    sentences = traitlets.Dict().tag(sync=True)
    change = traitlets.Dict().tag(sync=True)
    minimal = traitlets.Dict().tag(sync=True)
    rows = traitlets.Dict().tag(sync=True)
    marks = traitlets.List(traitlets.Int()).tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)

    def __init__(self, worker: ExplanationWorker, methods: Sequence[str]) -> None:
        """Compute the cheap methods, and start on ``methods``; the first of them is shown."""
        name = uuid.uuid4().hex
        # A page keeps one style sheet for an id, and the rule that hides this panel's static form is in its own. It also keeps the
        # sheet when the panel is gone, so the rule looks for the panel.
        super().__init__(name=name, _anywidget_id=f"nbtextgen.explanation.{name}")
        self._css = CSS + self.hiding_rule(f':root:has([data-panel="{name}"]) ')
        self._worker, self._asked = worker, tuple(methods)
        default = worker.default_request
        titles = {method: sentence_case(METHOD_NAMES[method]) for method in worker.methods}
        self.choices = {
            "methods": [{"id": method, "name": title} for method, title in titles.items()],
            "units": list(worker.units),
            "model": worker.predictor.fingerprint[:8],
        }
        self.view = {"unit": default.unit, "contrast": default.contrast or "", "method": methods[0]}
        self.on_msg(self._receive)
        worker.on_update = self.update
        worker.compute_quick_methods()
        worker.submit(ExplanationRequest(default.unit, default.contrast, method) for method in methods)

    @classmethod
    def of(cls, model: TextGenerator, text: str | Generation, **options: Any) -> ExplanationPanel:
        """Return a panel for a source text, or for one output; options as in ``TextGenerator.explain``."""
        background = options.pop("background", None)
        config = configure(options)
        return cls(ExplanationWorker.of(model, text, config, background), config.method)

    @property
    def explanations(self) -> Explanations:
        """The final explanations so far, for the unit and contrast that are shown."""
        request = _request(self.view)
        return Explanations(self._worker.explanations(request.unit, request.contrast))

    @property
    def explanation(self) -> Explanation:
        """The explanation that is shown; waits until it is final."""
        return self._worker.explanation(_request(self.view))

    @property
    def marked(self) -> list[TrainingRow]:
        """The training rows that the user has marked, for instance to correct them."""
        rows = {row.number: row for each in list(self._worker.rows.values()) for row in each}
        return [rows[number] for number in self.marks if number in rows]

    def wait(self) -> ExplanationPanel:
        """Wait until everything is computed."""
        self._worker.wait()
        return self

    def cancel(self) -> None:
        """Stop computing; results so far stay."""
        self._worker.cancel()

    def html(self) -> str:
        """Return the panel as a page of its own, which needs no kernel and no network."""
        data = {
            name: getattr(self, name)
            for name in ("answers", "view", "choices", "sentences", "minimal", "rows", "marks")
        }
        # A closing tag inside the data would end the script element.
        embedded = json_text(data).replace("<", "\\u003c")
        return (
            "<!DOCTYPE html><html><head><meta charset='utf-8'><title>Explanation</title>"
            "<meta name='color-scheme' content='light dark'><meta name='viewport' content='width=device-width'>"
            f"<style>{CSS}body{{margin:2rem}}</style></head><body><div id='here'></div>"
            f"<script type='application/json' id='data'>{embedded}</script>"
            f"<script type='module'>{ESM.replace('export default', 'const widget =')}\n"
            "widget.renderSaved(document.getElementById('here'), JSON.parse(document.getElementById('data').textContent));"
            "</script></body></html>"
        )

    def save(self, path: str | Path) -> Path:
        """Write ``html`` to a file."""
        return write_page(path, self.html(), "The page")

    def summary(self) -> tuple[str, str]:
        """Return what is known so far as text and as static tables: explanations, the smallest edits, training rows."""
        explanations, request = self.explanations, _request(self.view)
        bundle, edits = explanations._repr_mimebundle_(), self._worker.edits.get(request.group)
        asked = self._asked if request.group == self._worker.default_request.group else ()
        if missing := [METHOD_NAMES[method] for method in asked if method not in explanations]:
            note = f"Not computed when this was saved: {', '.join(missing)}."
            bundle = {
                "text/plain": f"{note}\n{bundle['text/plain']}",
                "text/html": f"<p>{note}</p>{bundle['text/html']}",
            }
        if edits is not None:
            bundle = {kind: text + edits._repr_mimebundle_()[kind] for kind, text in bundle.items()}
        if self.rows:
            rows = self._worker.rows[self.rows["token"]]._repr_mimebundle_()
            bundle = {kind: f"{text}\n{rows[kind]}" for kind, text in bundle.items()}
        return bundle["text/plain"], bundle["text/html"]

    def still(self) -> dict[str, str]:
        """Return the static form, for places without widgets; waits a little for all methods."""
        self._worker.wait(seconds=WAIT_SECONDS)
        text, page = self.summary()
        return {"text/plain": text, "text/html": f'<div class="{self._still_id}">{page}</div>'}

    def update(self, name: str, value: Values) -> None:
        """Take in a result or status of the worker: ``answers`` and ``sentences`` collect, the others are replaced."""
        if name in ("answers", "sentences"):
            setattr(self, name, {**getattr(self, name), **value})
        else:
            setattr(self, name, {**value, "at": time.time()} if name in ("change", "minimal", "rows") else dict(value))
        if name == "status" and not value.get("busy"):
            self.refresh_still()

    def _receive(self, _: object, content: Values, buffers: object = None) -> None:
        """Handle a message from the page."""
        kind = content.get("kind")
        try:
            if kind == "ask":
                self._worker.submit([_request(content)])
            elif kind == "cancel":
                self._worker.cancel()
            elif kind == "edit":
                self._worker.submit_edit(_request(content), dict(content.get("edits") or {}))
            elif kind == "interactions":
                self._worker.submit_interactions(_request(content))
            elif kind == "find":
                token = content.get("token")
                self._worker.submit_search(_request(content), token if isinstance(token, int) else None)
            elif kind == "rows":
                token = content.get("token")
                self._worker.submit_rows(token if isinstance(token, int) else None)
            elif kind == "close":
                self.cancel()
                self.close()
                self.remove_still()
            elif kind == "page":
                self.send({"kind": "page", "html": self.html()})
        except NbTextGenError as error:
            self.status = {"busy": False, "error": error.in_form}


def _request(content: Values) -> ExplanationRequest:
    """Return the request in a message from the page, or in ``view``."""
    method = content.get("method")
    unit, contrast = str(content.get("unit") or "token"), str(content.get("contrast") or "") or None
    return ExplanationRequest(unit, contrast, method if method in METHODS else "shap")
