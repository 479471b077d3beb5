"""The Generate panel: outputs of one or two models while the user types, and alternatives at each token."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.core.errors import NbTextGenError
from nbtextgen.core.options import build, options_of
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.text_codec import validate_sources
from nbtextgen.notebook.background import BackgroundWorker, describe
from nbtextgen.notebook.code import MagicLine, Values
from nbtextgen.notebook.panels.fields import check_settings, choice_field, defaults, field, text_field
from nbtextgen.notebook.panels.output_tokens import mark_differences, output_rows, visible_space
from nbtextgen.notebook.panels.static import StaticForm
from nbtextgen.notebook.panels.widgets import CodeView, Form, OutputsView
from nbtextgen.tokenizers.base import EOS

if TYPE_CHECKING:
    from nbtextgen.inference.predictor import Alternative
    from nbtextgen.notebook.session import Session

OPTIONS = options_of(DecodingConfig)
MAIN_OPTIONS = ("beam", "n_best", "length_penalty", "sample", "temperature", "top_k", "top_p", "seed")
HIDDEN_OPTIONS = ("batch_size",)
"""Settings that do not matter for one text."""
DELAY = 0.12
"""Seconds without a key press before the models generate."""
ALTERNATIVES = 8
"""Alternatives offered at a token."""
WAIT_SECONDS = 2.0
"""Seconds that the static form waits for the first output."""
NO_MODEL = "none"


class GeneratePanel(StaticForm, ipywidgets.VBox):
    """A text box and sliders for one model, or two side by side."""

    def __init__(self, session: Session, name: str, text: str = "") -> None:
        """Create the panel for the model in the variable ``name``; ``text`` is the first source."""
        self.session = session
        self._worker = BackgroundWorker("nbtextgen generate", delay=DELAY, on_error=self._show_error)
        self._prefixes: dict[int, tuple[int, ...]] = {}
        self._generations: list[Generation | None] = []
        self._choices: Sequence[Alternative] = ()
        self.form = _form(session.models() or [name], name, text)
        self.writing, self.code = OutputsView(), CodeView()
        self.below = ipywidgets.VBox()
        super().__init__([self.form, self.writing, self.code, self.below])
        self.form.observe(self._changed, "values")
        self.writing.on_msg(self._receive)
        self._show_code()
        if text:
            self._generate()

    # User actions --------------------------------------------------------------------------------------------------

    def _changed(self, change: Any) -> None:
        old, new = change["old"], change["new"]
        if any(old.get(key) != new.get(key) for key in ("model", "compare", "text")):
            self._prefixes.clear()  # a forced prefix belongs to one text and one model
        self._show_code()
        self._generate()

    def _receive(self, _: object, message: Values, buffers: object = None) -> None:
        """Handle a message from the outputs."""
        kind, column = message.get("kind"), message.get("column", 0)
        if kind == "release":
            self._prefixes.pop(column, None)
            self._generate()
        elif message.get("version") != self.writing.version or column >= len(self._generations):
            return
        elif kind == "explain":
            self._explain(column, self._row(message))
        elif kind == "ask":
            self._worker.replace(lambda token: self._show_alternatives(message, token))
        elif kind == "choose":
            row = self._row(message)
            if row is not None and message["choice"] < len(self._choices):
                self._prefixes[column] = (*row.ids[: message["at"]], self._choices[message["choice"]].id)
                self._generate()

    def _row(self, message: Values) -> Generation | None:
        generation = self._generations[message["column"]]
        if generation is None:
            return None
        rows = generation.candidates or (generation,)
        return rows[message["row"]] if message["row"] < len(rows) else None

    # Generation ----------------------------------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        """The variables of the models shown, one or two."""
        values = self.form.values
        return [values["model"], *([] if values["compare"] in (NO_MODEL, None) else [values["compare"]])]

    def _generate(self) -> None:
        self._worker.replace(self._generate_now)

    def _generate_now(self, token: CancellationToken) -> None:
        start = time.perf_counter()
        config, errors = self._config()
        text = self.form.values["text"] or ""
        generations: list[Generation | None] = []
        columns: list[Values] = []
        for index, name in enumerate(self.names):
            prefix = self._prefixes.get(index, ())
            generation, error = self._predict(name, text, config, prefix, token) if config else (None, "")
            generations.append(generation)
            rows = output_rows(generation, len(prefix))
            columns.append({"title": name, "error": error, "forced": bool(prefix), "rows": rows})
        token.raise_if_cancelled()
        if len(generations) == 2 and all(generations):
            mark_differences(columns[0]["rows"][0]["tokens"], columns[1]["rows"][0]["tokens"])
        self._generations = generations
        self.form.errors = errors
        with self.writing.hold_sync():
            self.writing.version += 1
            self.writing.columns = columns
            self.writing.alternatives = {}
            milliseconds = 1000 * (time.perf_counter() - start)
            done = f"generated in {milliseconds:.0f} ms; click a token to see alternatives"
            notes = dict.fromkeys(note for generation in generations if generation for note in generation.notes)
            self.writing.status = "; ".join([done, *notes]) if any(generations) else ""

    def _config(self) -> tuple[DecodingConfig | None, dict[str, str]]:
        """Return the decoding settings, or ``None`` and an error for each setting that is refused."""
        settings, errors = check_settings(self.form.values, OPTIONS)
        return (None if errors else build(DecodingConfig, settings)), errors

    def _predict(
        self, name: str, text: str, config: DecodingConfig, prefix: Sequence[int], token: CancellationToken
    ) -> tuple[Generation | None, str]:
        """Return the output of a model, or ``None`` and an error."""
        if not text.strip():
            return None, ""
        try:
            model = self.session.model([name])
            if config.sample and config.seed is None:
                # Do not use PyTorch's shared random generator: a training may be running.
                config = dataclasses.replace(config, seed=random.randrange(2**32))
            sources = validate_sources([text], model.plan.data.clean)
            return model.predictor.predict(sources, config, prefix, cancellation=token)[0], ""
        except NbTextGenError as error:
            return None, error.in_form

    def _show_error(self, error: BaseException) -> None:
        self.writing.status = describe(error)

    def _show_alternatives(self, message: Values, token: CancellationToken) -> None:
        """Compute the alternatives at a token, and show them."""
        row = self._row(message)
        if row is None or message["at"] > len(row.ids):
            return
        model = self.session.model([self.names[message["column"]]])
        prefix = row.ids[: message["at"]]
        alternatives = model.predictor.alternatives(row.source, prefix, ALTERNATIVES, cancellation=token)[-1]
        token.raise_if_cancelled()
        taken = (*row.ids, EOS)[message["at"]]
        self._choices = alternatives
        options = [
            {"text": visible_space(each.text), "p": each.probability, "end": each.id == EOS, "taken": each.id == taken}
            for each in alternatives
        ]
        place = {key: message[key] for key in ("version", "column", "row", "at")}
        self.writing.alternatives = {**place, "options": options}

    def _explain(self, column: int, row: Generation | None) -> None:
        """Open the explanation of an output."""
        from nbtextgen.notebook.explain.panel import ExplanationPanel

        if row is None:
            return
        try:
            self.below.children = [ExplanationPanel.of(self.session.model([self.names[column]]), row)]
        except NbTextGenError as error:
            self.writing.status = error.in_form

    # Code and static form ------------------------------------------------------------------------------------------

    def _show_code(self) -> None:
        name, text = self.names[0], self.form.values["text"] or ""
        settings, errors = check_settings(self.form.values, OPTIONS)
        line = MagicLine("textgen_generate", name, {} if errors else settings, text)
        self.code.show({"Magic": line.magic(), "Python": line.python(f"{name}.generate", [repr(text)])})

    def summary(self) -> tuple[str, str]:
        """Return the panel as text and as static HTML; waits a little for the first output."""
        self._worker.wait(WAIT_SECONDS)
        generation = next(iter(self._generations), None)
        code = self.code.pieces[0]["code"]
        if generation is None:
            return f"Generate panel: {code}", ""
        bundle = generation._repr_mimebundle_()
        return f"Generate panel: {code}\n{bundle['text/plain']}", bundle["text/html"]


def _form(names: list[str], name: str, text: str) -> Form:
    more = [option for option in OPTIONS if option not in (*MAIN_OPTIONS, *HIDDEN_OPTIONS)]
    models = [
        choice_field("model", names, "the variable that holds the model"),
        choice_field("compare", [NO_MODEL, *names], "a second model, shown side by side"),
        text_field("text", "the source; the output changes while you type", kind="area"),
    ]
    return Form(
        sections=[
            {"title": "Generate", "fields": models},
            {"title": "Decoding", "fields": [_field(option) for option in MAIN_OPTIONS]},
            {"title": "More settings", "closed": True, "fields": [_field(option) for option in more]},
        ],
        values={"model": name, "compare": NO_MODEL, "text": text, **defaults(OPTIONS)},
    )


def _field(name: str) -> Values:
    """Return the field of a decoding setting; those of sampling need its switch."""
    needs = {"needs": "sample"} if OPTIONS[name].help.startswith("sampling:") else {}
    return field(OPTIONS[name]) | needs
