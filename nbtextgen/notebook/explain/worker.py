"""What the panel computes, and when: quick answers at once, the rest in one worker thread that can be cancelled."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nbtextgen.core.cancellation import Cancelled
from nbtextgen.core.errors import NbTextGenError
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.explanation.agreement import Agreement
from nbtextgen.explanation.config import METHOD_NAMES, METHODS, ExplanationConfig
from nbtextgen.explanation.counterfactual import Edit, counterfactual
from nbtextgen.explanation.explainer import Explainer
from nbtextgen.explanation.explanation import Explanation
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.predictor import Predictor
from nbtextgen.inference.text_codec import validate_sources
from nbtextgen.notebook.explain.payload import answer, changed
from nbtextgen.notebook.progress import Throttle

if TYPE_CHECKING:
    from nbtextgen.generator import TextGenerator

QUICK = ("attention", "input-x-gradient")
"""Methods that need a pass or two, and are there when the panel appears."""
BETWEEN = 0.25
"""Seconds between two refinements that are shown."""
Tell = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True)
class Question:
    """What may be asked of one text: by which units, against which alternative, by which method."""

    unit: str
    contrast: str | None
    method: str

    @property
    def group(self) -> str:
        """The question without its method, as the front end names it."""
        return f"{self.unit}|{self.contrast or ''}"

    @property
    def key(self) -> str:
        """The question as the front end names it."""
        return f"{self.group}|{self.method}"


class ExplanationWorker:
    """Explanations of one output, each computed once.

    Attributes:
        first_question: what was asked first.
        methods, units: what this model can be asked.
    """

    def __init__(
        self,
        predictor: Predictor,
        source: str,
        config: ExplanationConfig,
        *,
        background: Sequence[str],
        generation: Generation | None = None,
    ) -> None:
        self.predictor, self.source, self.config = predictor, source, replace(config, faithfulness=False)
        self._given: dict[str, Any] = {"background": background}
        if config.target is None and generation is None:
            generation = predictor.predict([source], DecodingConfig())[
                0
            ]  # once: every question is about this very output
        self._generation = generation
        self._explainers: dict[str, Explainer] = {}
        self._answers: dict[Question, Explanation] = {}
        self._queue: deque[Callable[[], None]] = deque()
        self._waiting: set[Question] = set()
        self._changed = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None
        self._cancelled = False
        self._done, self._expected, self._pace = 0, 1, Throttle(BETWEEN)
        self._tell: Tell = lambda name, value: None
        first = Explainer(
            predictor, source, self.config, generation=generation, on_progress=self._on_progress, **self._given
        )
        unit = "spans" if config.spans else first.units.kind
        self.first_question = Question(unit, config.contrast, config.method[0])
        self._explainers[self.first_question.group] = first
        attended = predictor.networks[0].config.attention != "none"
        self.methods = tuple(method for method in METHODS if attended or method != "attention")
        kinds = ("token", "word") if predictor.source.kind in ("char", "symbol") else ("char", "token", "word")
        self.units = (*(("spans",) if config.spans else ()), *kinds)

    @classmethod
    def of(
        cls, model: TextGenerator, text: str | Generation, config: ExplanationConfig, background: Iterable[str] | None
    ) -> ExplanationWorker:
        """For a generator and a text, or one of its outputs."""
        donors = model.background if background is None else tuple(background)
        if isinstance(text, Generation):
            return cls(model.predictor, text.source, config, generation=text, background=donors)
        [source] = validate_sources([text], model.plan.data.clean)
        return cls(model.predictor, source, config, background=donors)

    def listen(self, tell: Tell) -> None:
        """Send news to ``tell(name, value)``, from whichever thread they come."""
        self._tell = tell

    # Asking ---------------------------------------------------------------------------------------------------------

    def quick(self) -> None:
        """The answers that need no waiting, here and now."""
        for method in QUICK:
            question = replace(self.first_question, method=method)
            if method in self.methods and self._explainer(question).units.member is not None:
                self._note(question, self._explainer(question).explain(method), final=True)

    def start(self, questions: Sequence[Question]) -> None:
        """Answer in the background, in this order; what is known or under way is not asked again."""
        with self._changed:
            self._cancelled = False
            for question in questions:
                if question not in self._answers and question not in self._waiting:
                    self._waiting.add(question)
                    self._queue.append(lambda asked=question: self._answer(asked))
            self._run()

    def start_edit(self, question: Question, edits: Mapping[str, Mapping[str, str]]) -> None:
        """Write for a changed input in the background: ``{unit: {"action": ..., "text": ...}}``."""
        with self._changed:
            self._cancelled = False
            self._queue.appendleft(lambda: self._edit(question, edits))
            self._run()

    def cancel(self) -> None:
        """Drop what is under way and what waits."""
        with self._changed:
            self._cancelled = True
            self._queue.clear()
            self._waiting.clear()

    def wait(self, until: Question | None = None, seconds: float | None = None) -> None:
        """Until nothing is under way, a question is answered, or so many seconds have passed."""
        with self._changed:
            self._changed.wait_for(lambda: self._thread is None or until in self._answers, seconds)

    def answer(self, question: Question) -> Explanation:
        """The final answer, waited for."""
        self.start([question])
        self.wait(question)
        with self._changed:
            if question not in self._answers:
                raise NbTextGenError("The explanation was cancelled; ask again.")
            return self._answers[question]

    def known(self, unit: str, contrast: str | None) -> dict[str, Explanation]:
        """Final answers by method, in the order of ``METHODS``."""
        with self._changed:
            found = {q.method: e for q, e in self._answers.items() if (q.unit, q.contrast) == (unit, contrast)}
        return {method: found[method] for method in METHODS if method in found}

    # In the worker --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        if self._thread is None and self._queue:
            self._thread = threading.Thread(target=self._work, name="nbtextgen-explain", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._queue:
                    self._thread = None
                    self._changed.notify_all()
                    break
                job = self._queue.popleft()
            try:
                job()
            except Cancelled:
                self._tell("status", {"busy": False, "text": "Cancelled."})
            except NbTextGenError as error:
                self._tell("status", {"busy": False, "error": str(error)})
            except Exception as error:  # a thread has no cell to show a traceback in
                self._tell("status", {"busy": False, "error": f"{type(error).__name__}: {error}"})

    def _answer(self, question: Question) -> None:
        pace = Throttle(BETWEEN)
        self._tell("status", {"busy": True, "text": f"{METHOD_NAMES[question.method]} ...", "done": 0.0})
        try:
            explainer = self._explainer(question)
            self._done, self._expected = 0, explainer.expected_evaluations(question.method)
            last: Explanation | None = None
            for last in explainer.refine(question.method):
                if pace.due():
                    self._tell("answers", {question.key: answer(last, final=False)})
            assert last is not None
            self._note(question, last, final=False)
            self._note(question, explainer.with_faithfulness(last), final=True)
        finally:
            with self._changed:
                self._waiting.discard(question)
        self._tell("status", {"busy": False, "text": ""})

    def _note(self, question: Question, found: Explanation, *, final: bool) -> None:
        if final:
            with self._changed:
                self._answers[question] = found
                self._changed.notify_all()
        self._tell("answers", {question.key: answer(found, final=final)})
        known = self.known(question.unit, question.contrast)
        if len(known) > 1 and final:
            self._tell("sentences", {question.group: Agreement.of(list(known.values())).sentence()})

    def _edit(self, question: Question, edits: Mapping[str, Mapping[str, str]]) -> None:
        self._tell("status", {"busy": True, "text": "writing for the changed input ..."})
        explainer = self._explainer(question)
        wanted = {int(at): Edit(edit.get("action", ""), edit.get("text", "")) for at, edit in edits.items()}
        found = counterfactual(self.predictor, self.source, explainer.units, wanted, explainer.subject.output.text)
        if self._cancelled:
            raise Cancelled
        self._tell("change", {"group": question.group, "edits": dict(edits), **changed(found)})
        self._tell("status", {"busy": False, "text": ""})

    def _on_progress(self, copies: int) -> None:
        """Progress, and the place where a cancel takes hold; the quick answers tell of none."""
        if threading.current_thread() is not self._thread:
            return
        if self._cancelled:
            raise Cancelled
        self._done += copies
        if self._pace.due():
            share = min(0.99, self._done / self._expected)
            self._tell("status", {"busy": True, "text": f"{self._done:,} masked copies read", "done": share})

    def _explainer(self, question: Question) -> Explainer:
        if question.group not in self._explainers:
            spans = self.config.spans if question.unit == "spans" else ""
            unit = "auto" if question.unit == "spans" else question.unit
            config = replace(self.config, unit=unit, spans=spans, contrast=question.contrast)
            self._explainers[question.group] = Explainer(
                self.predictor,
                self.source,
                config,
                generation=self._generation,
                on_progress=self._on_progress,
                **self._given,
            )
        return self._explainers[question.group]
