"""What the explanation panel computes: cheap methods at once, the others one after another in the background."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from nbtextgen.core.cancellation import CancellationToken, Cancelled
from nbtextgen.core.errors import NbTextGenError, NotTrainedError
from nbtextgen.core.wording import counted, sentence_case
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.explanation.agreement import Agreement
from nbtextgen.explanation.config import METHOD_NAMES, METHODS, ExplanationConfig
from nbtextgen.explanation.counterfactual import Edit, counterfactual
from nbtextgen.explanation.explainer import Explainer
from nbtextgen.explanation.explanation import Explanation
from nbtextgen.explanation.minimal_edits import MinimalEdits, search_minimal_edits
from nbtextgen.explanation.removal import background_texts
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.predictor import Predictor
from nbtextgen.inference.sources import validate_sources
from nbtextgen.notebook.background import BackgroundWorker, describe
from nbtextgen.notebook.code import Values
from nbtextgen.notebook.explain.payload import (
    counterfactual_payload,
    edits_payload,
    explanation_payload,
    rows_payload,
)
from nbtextgen.notebook.progress import Throttle

if TYPE_CHECKING:
    from nbtextgen.generator import TextGenerator
    from nbtextgen.influence.rows import TrainingRows

QUICK_METHODS = ("attention", "input-x-gradient")
"""Methods that need a pass or two; the panel has them when it appears."""
UPDATE_SECONDS = 0.25
"""Shortest time between two updates of a result that is being refined."""
UpdateCallback = Callable[[str, Values], None]
"""Called with the name and the value of an update; see ``ExplanationPanel.update``."""


@dataclass(frozen=True)
class ExplanationRequest:
    """One explanation of a text: its units, the alternative output that it contrasts with, and the method."""

    unit: str
    contrast: str | None
    method: str

    @property
    def group(self) -> str:
        """The key of all methods with this unit and contrast in the front end."""
        return f"{self.unit}|{self.contrast or ''}"

    @property
    def key(self) -> str:
        """The key of this explanation in the front end."""
        return f"{self.group}|{self.method}"


class ExplanationWorker:
    """Computes explanations of one output, each of them once.

    Attributes:
        default_request: the unit, the contrast and the first method of the configuration.
        methods, units: what this model supports.
        edits: the smallest edits that were found last, by ``unit|contrast``.
        rows: training rows behind the output, by the index of the output token, ``None`` for all of it.
        on_update: called with every new result and status, in the thread that computes it.
    """

    def __init__(
        self,
        predictor: Predictor,
        source: str,
        config: ExplanationConfig,
        *,
        background: Sequence[str],
        generation: Generation | None = None,
        model: TextGenerator | None = None,
    ) -> None:
        self.predictor, self.source, self.background = predictor, source, background
        self.config = replace(config, faithfulness=False, interactions=False)
        if config.target is None and generation is None:
            # Once, so that all explanations are of the same output.
            generation = predictor.predict([source], DecodingConfig())[0]
        self._new_explainer = partial(
            Explainer, predictor, source, generation=generation, background=background, on_progress=self._on_progress
        )
        self._model = None if model is None else weakref.ref(model)  # a panel does not keep its model
        self.rows: dict[int | None, TrainingRows] = {}
        self._explainers: dict[str, Explainer] = {}
        self._explanations: dict[ExplanationRequest, Explanation] = {}
        self.edits: dict[str, MinimalEdits] = {}
        self._pending: set[ExplanationRequest] = set()
        self._worker = BackgroundWorker("nbtextgen explain", on_error=self._show_error)
        self._token: CancellationToken | None = None
        self._evaluations, self._expected, self._throttle = 0, 1, Throttle(UPDATE_SECONDS)
        self.on_update: UpdateCallback = lambda name, value: None
        first = self._new_explainer(self.config)
        unit = "spans" if config.spans else first.units.kind
        self.default_request = ExplanationRequest(unit, config.contrast, config.method[0])
        self._explainers[self.default_request.group] = first
        has_attention = predictor.networks[0].config.attention != "none"
        self.methods = tuple(method for method in METHODS if has_attention or method != "attention")
        kinds = ("token", "word") if predictor.source.kind in ("char", "symbol") else ("char", "token", "word")
        coarse = ("phrase",) if unit == "phrase" else ()
        self.units = (*(("spans",) if config.spans else ()), *kinds, *coarse)

    @classmethod
    def of(
        cls, model: TextGenerator, text: str | Generation, config: ExplanationConfig, background: Iterable[str] | None
    ) -> ExplanationWorker:
        """Create the worker for a source text, or for one output of a generator."""
        donors = model.background if background is None else background_texts(background)
        if isinstance(text, Generation):
            return cls(
                model.predictor,
                text.source,
                config,
                generation=text,
                background=donors,
                model=model,
            )
        [source] = validate_sources([text], model.plan.data.clean)
        return cls(model.predictor, source, config, background=donors, model=model)

    # Requests -------------------------------------------------------------------------------------------------------

    def compute_quick_methods(self) -> None:
        """Compute the cheap methods in this thread."""
        for method in QUICK_METHODS:
            request = replace(self.default_request, method=method)
            if method in self.methods and self._explainer(request).units.member is not None:
                self._publish(request, self._explainer(request).explain(method), final=True)

    def submit(self, requests: Iterable[ExplanationRequest]) -> None:
        """Compute explanations in the background, in this order, unless they are computed already or pending."""
        for request in requests:
            if request not in self._explanations and request not in self._pending:
                self._pending.add(request)
                self._worker.submit(partial(self._run, lambda request=request: self._explain(request)))

    def submit_edit(self, request: ExplanationRequest, edits: Mapping[str, Mapping[str, str]]) -> None:
        """Generate for a changed input, before everything that waits; ``edits`` is ``{unit: {"action": ..., "text": ...}}``."""
        self._worker.submit(partial(self._run, lambda: self._edit(request, edits)), first=True)

    def submit_interactions(self, request: ExplanationRequest) -> None:
        """Compute Shapley values with their interactions, before everything that waits."""
        request = replace(request, method="shap")
        self._worker.submit(partial(self._run, lambda: self._interactions(request)), first=True)

    def submit_search(self, request: ExplanationRequest, token: int | None) -> None:
        """Search for the smallest edits that change a token, or the whole output, before everything that waits."""
        self._worker.submit(partial(self._run, lambda: self._search(request, token)), first=True)

    def submit_rows(self, token: int | None) -> None:
        """Find the training rows behind a token, or the whole output, before everything that waits."""
        self._worker.submit(partial(self._run, lambda: self._search_rows(token)), first=True)

    def cancel(self) -> None:
        """Cancel what runs or waits; results so far stay."""
        self._worker.cancel()
        self._pending.clear()

    def wait(self, request: ExplanationRequest | None = None, seconds: float | None = None) -> None:
        """Wait until nothing is left to compute, ``request`` is computed, or so many seconds have passed."""
        self._worker.wait(seconds, until=lambda: request in self._explanations)

    def explanation(self, request: ExplanationRequest) -> Explanation:
        """Return a final explanation; computes it, or waits for it."""
        self.submit([request])
        self.wait(request)
        if request not in self._explanations:
            raise NbTextGenError("The explanation was cancelled; ask again.")
        return self._explanations[request]

    def explanations(self, unit: str, contrast: str | None) -> dict[str, Explanation]:
        """Return the final explanations so far by method, in the order of ``METHODS``."""
        by_method = {
            request.method: explanation
            for request, explanation in list(self._explanations.items())
            if (request.unit, request.contrast) == (unit, contrast)
        }
        return {method: by_method[method] for method in METHODS if method in by_method}

    # In the background thread ---------------------------------------------------------------------------------------

    def _run(self, job: Callable[[], None], token: CancellationToken) -> None:
        self._token = token
        try:
            job()
        except Cancelled:
            self.on_update("status", {"busy": False, "text": "Cancelled."})
        else:
            self.on_update("status", {"busy": False, "text": ""})
        finally:
            self._token = None

    def _show_error(self, error: BaseException) -> None:
        self.on_update("status", {"busy": False, "error": describe(error)})

    def _explain(self, request: ExplanationRequest) -> None:
        throttle = Throttle(UPDATE_SECONDS)
        self.on_update(
            "status", {"busy": True, "text": f"{sentence_case(METHOD_NAMES[request.method])} …", "done": 0.0}
        )
        try:
            explainer = self._explainer(request)
            self._evaluations, self._expected = 0, explainer.expected_evaluations(request.method)
            explanation: Explanation | None = None
            for explanation in explainer.refine(request.method):
                if throttle.due():
                    self._publish(request, explanation, final=False)
            assert explanation is not None
            self._publish(request, explanation, final=False)
            self._publish(request, explainer.with_faithfulness(explanation), final=True)
        finally:
            self._pending.discard(request)

    def _publish(self, request: ExplanationRequest, explanation: Explanation, *, final: bool) -> None:
        """Send an explanation to the page; keep it if it is final."""
        if final:
            self._explanations[request] = explanation
        self.on_update("answers", {request.key: explanation_payload(explanation, final=final)})
        computed = self.explanations(request.unit, request.contrast)
        if len(computed) > 1 and final:
            self.on_update("sentences", {request.group: Agreement.of(list(computed.values())).sentence()})

    def _edit(self, request: ExplanationRequest, edits: Mapping[str, Mapping[str, str]]) -> None:
        self.on_update("status", {"busy": True, "text": "Generating for the changed input …"})
        explainer = self._explainer(request)
        by_unit = {int(unit): Edit(edit.get("action", ""), edit.get("text", "")) for unit, edit in edits.items()}
        change = counterfactual(self.predictor, self.source, explainer.units, by_unit, explainer.subject.output.text)
        if self._token is not None:
            self._token.raise_if_cancelled()
        self.on_update("change", {"group": request.group, "edits": dict(edits), **counterfactual_payload(change)})

    def _interactions(self, request: ExplanationRequest) -> None:
        explainer = self._explainer(request)
        self._evaluations, self._expected = 0, explainer.expected_evaluations("shap")
        self.on_update("status", {"busy": True, "text": "Interactions …", "done": 0.0})
        explanation = self._explanations.get(request) or explainer.explain("shap")
        if explanation.interactions is None:
            self._publish(request, explainer.with_interactions(explanation), final=True)

    def _search(self, request: ExplanationRequest, token: int | None) -> None:
        self.on_update("status", {"busy": True, "text": "Searching for the smallest change …"})
        explainer = self._explainer(replace(request, contrast=None))
        self._evaluations, self._expected = 0, 3 * self.config.budget
        edits = search_minimal_edits(explainer, token, self.background)
        self.edits[request.group] = edits
        self.on_update("minimal", {"group": request.group, "token": token, **edits_payload(edits)})

    def _search_rows(self, token: int | None) -> None:
        if token not in self.rows:
            model = None if self._model is None else self._model()
            if model is None:
                raise NotTrainedError("The model that generated this text no longer exists; run the cell again.")
            self.on_update("status", {"busy": True, "text": "Training rows …", "done": 0.0})
            output = self._explainer(self.default_request).subject.output
            generation = Generation(
                self.source,
                output.text,
                output.tokens[:-1],
                (),
                np.zeros(len(output), np.float32),
                None,
                0.0,
                ids=tuple(output.ids[:-1].tolist()),
                model=self.predictor.fingerprint,
            )
            self.rows[token] = model.training_rows(generation, token=token, on_progress=self._on_rows_read)
        self.on_update("rows", {"token": token, **rows_payload(self.rows[token])})

    def _on_rows_read(self, done: int, total: int) -> None:
        """Report progress, and stop if the job was cancelled."""
        if self._token is not None:
            self._token.raise_if_cancelled()
        if self._throttle.due():
            text = f"{done:,} of {total:,} training rows read"
            self.on_update("status", {"busy": True, "text": text, "done": min(0.99, done / total)})

    def _on_progress(self, evaluations: int) -> None:
        """Report progress, and stop if the job was cancelled; the quick methods run outside of a job."""
        if self._token is None:
            return
        self._token.raise_if_cancelled()
        self._evaluations += evaluations
        if self._throttle.due():
            done = min(0.99, self._evaluations / self._expected)
            self.on_update(
                "status",
                {
                    "busy": True,
                    "text": f"{counted(self._evaluations, 'masked copy', 'masked copies')} read",
                    "done": done,
                },
            )

    def _explainer(self, request: ExplanationRequest) -> Explainer:
        if request.group not in self._explainers:
            unit, spans = ("auto", self.config.spans) if request.unit == "spans" else (request.unit, "")
            config = replace(self.config, unit=unit, spans=spans, contrast=request.contrast)
            self._explainers[request.group] = self._new_explainer(config)
        return self._explainers[request.group]
