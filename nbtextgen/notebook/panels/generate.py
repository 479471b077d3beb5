"""The Generate panel: outputs of one or two models while the user types, and alternatives at each token."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import ipywidgets

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.core.errors import NbTextGenError
from nbtextgen.core.escaping import pictured, visible
from nbtextgen.core.options import build, options_of
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.sources import validate_sources
from nbtextgen.notebook.background import BackgroundWorker, describe
from nbtextgen.notebook.code import MagicLine, Values, call
from nbtextgen.notebook.explain.panel import ExplanationPanel
from nbtextgen.notebook.panels.example import example
from nbtextgen.notebook.panels.fields import (
    check_settings,
    choice_field,
    defaults,
    field,
    refused_field,
    text_field,
)
from nbtextgen.notebook.panels.output_tokens import mark_differences, output_rows, visible_space
from nbtextgen.notebook.panels.widgets import CodeView, Form, OutputsView, Progress, status
from nbtextgen.notebook.static import Below, StaticForm
from nbtextgen.tokenizers.base import EOS

if TYPE_CHECKING:
    import traitlets

    from nbtextgen.export.page.live_page import LivePage
    from nbtextgen.inference.predictor import Alternative
    from nbtextgen.notebook.session import Session

OPTIONS = options_of(DecodingConfig)
MAIN_OPTIONS = ("beam", "n_best", "length_penalty", "sample", "temperature", "top_k", "top_p", "seed")
HIDDEN_OPTIONS = ("batch_size",)
"""Settings that do not matter for one text."""
SEARCH_OPTIONS = ("beam", "length_penalty", "coverage_penalty")
"""Settings that sampling does not use."""
SAMPLING_OPTIONS = tuple(name for name, option in OPTIONS.items() if option.help.startswith("sampling:"))
"""Settings that only sampling uses."""
DELAY = 0.12
"""Seconds without a key press before the models generate."""
ALTERNATIVES = 8
"""Alternatives offered at a token."""
WAIT_SECONDS = 2.0
"""Seconds that the static form waits for the first output."""
NO_MODEL = "none"


class GeneratePanel(StaticForm, ipywidgets.VBox):
    """A text box, the outputs of one model or two side by side, and below them the settings of decoding."""

    def __init__(self, session: Session, name: str, text: str = "", live_page: LivePage | None = None) -> None:
        """Create the panel.

        Args:
            session: the notebook.
            name: the variable that holds the model.
            text: the first source.
            live_page: what generates where the panel does not live.
        """
        self.session, self.live_page = session, live_page
        self._worker = BackgroundWorker("nbtextgen generate", delay=DELAY, on_error=self._show_error)
        self._prefixes: dict[int, tuple[int, ...]] = {}
        self._generations: list[Generation | None] = []
        self._choices: Sequence[Alternative] = ()
        self._seed: int | None = None  # of the last draw, if the user set none
        self.form, self.decoding = _form(session, name, text), _decoding_form()
        self.writing, self.code, self.below = OutputsView(), CodeView(), Below(self)
        self.progress = Progress(self._stop)
        parts = [self.form, self.progress, self.writing, self.below, self.decoding, self.code, self.hidden_style()]
        super().__init__(parts)
        self.form.observe(self._changed, "values")
        self.decoding.observe(self._changed, "values")
        self.writing.on_msg(self._receive)
        self._show_code()
        if text:
            self._generate()

    # User actions --------------------------------------------------------------------------------------------------

    def _changed(self, change: traitlets.Bunch) -> None:
        old, new = change["old"], change["new"]
        self.form.suggestions = _models(self.session, *self.names)
        if any(old.get(key) != new.get(key) for key in ("model", "compare", "text")):
            self._prefixes.clear()  # a forced prefix belongs to one text and one model
        self.writing.sampling = bool(self.decoding.values["sample"])
        self._show_code()
        self._generate()

    def _receive(self, _: object, message: Values, buffers: object = None) -> None:
        """Handle a message from the outputs."""
        kind, column = message.get("kind"), message.get("column", 0)
        if kind == "release":
            self._prefixes.pop(column, None)
            self._show_code()
            self._generate()
        elif kind == "draw":
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
                self._show_code()
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

    def _text(self) -> str:
        """The input, without the line break that a press of Enter leaves at its end."""
        return (self.form.values["text"] or "").removesuffix("\n")

    def _generate(self) -> None:
        self._worker.replace(self._generate_now)

    def _stop(self) -> None:
        """Cancel what is generated; the outputs before it stay."""
        self._worker.cancel()
        shown = " The output belongs to the input before." if any(self._generations) else ""
        self.writing.status = f"Cancelled.{shown}"

    def _generate_now(self, token: CancellationToken) -> None:
        try:
            self._show_outputs(token)
        finally:
            self.progress.state = {}

    def _show_outputs(self, token: CancellationToken) -> None:
        start = time.perf_counter()
        config, errors = self._config()
        text = self._text()
        if config is not None and config.sample and config.seed is None:
            # Do not use PyTorch's shared random generator: a training may be running.
            config = dataclasses.replace(config, seed=random.randrange(2**32))
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
        self.decoding.errors, self.decoding.autos = errors, self._chosen_by_model()
        self._seed = config.seed if config is not None and config.sample else None
        with self.writing.hold_sync():
            self.writing.version += 1
            self.writing.columns = columns
            self.writing.alternatives = {}
            milliseconds = 1000 * (time.perf_counter() - start)
            done = f"generated in {milliseconds:.0f} ms" + ("" if self._seed is None else f", seed {self._seed}")
            self.writing.status = "; ".join([done, *self._notes(generations)]) if any(generations) else ""
        self._show_code()
        self.refresh_still()

    def _notes(self, generations: Sequence[Generation | None]) -> Iterator[str]:
        """Return what the models have to say about their outputs; of two models, each under its name."""
        for name, generation in zip(self.names, generations, strict=False):
            for note in generation.notes if generation is not None else ():
                yield f"{name}: {note}" if len(generations) > 1 else note

    def _chosen_by_model(self) -> Values:
        """Return the settings that the first model has chosen for searches that leave them open."""
        try:
            length = self.session.model([self.names[0]]).predictor.output_length
            return {"length_penalty": length.penalty, "coverage_penalty": length.coverage}
        except NbTextGenError:
            return {}

    def _settings(self) -> tuple[Values, dict[str, str]]:
        """Return the settings that differ from their defaults and have an effect, and an error for each that is refused."""
        settings, errors = check_settings(self.decoding.values, OPTIONS)
        unused = SEARCH_OPTIONS if settings.get("sample") else SAMPLING_OPTIONS
        return {name: value for name, value in settings.items() if name not in unused}, errors

    def _config(self) -> tuple[DecodingConfig | None, dict[str, str]]:
        """Return the decoding settings, or ``None`` and an error for each setting that is refused."""
        settings, errors = self._settings()
        if errors:
            return None, errors
        try:
            return build(DecodingConfig, self.session.with_glossary(settings)), {}
        except NbTextGenError as error:
            return None, {refused_field(error, OPTIONS) or "max_length": error.in_form}

    def _predict(
        self, name: str, text: str, config: DecodingConfig, prefix: Sequence[int], token: CancellationToken
    ) -> tuple[Generation | None, str]:
        """Return the output of a model, or ``None`` and an error."""
        if not text.strip():
            return None, ""
        try:
            model = self.session.model([name])
            sources = validate_sources([text], model.plan.data.clean)
            late = self.progress.late("Generating \u2026")
            return model.predictor.predict(sources, config, prefix, cancellation=token, on_progress=late)[0], ""
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

    def _explain(self, column: int, output: Generation | None) -> None:
        """Open the explanation of an output."""
        if output is None:
            return
        try:
            panel = ExplanationPanel.of(self.session.model([self.names[column]]), output)
        except NbTextGenError as error:
            self.writing.status = error.in_form
            return
        self.below.show(panel)
        self.refresh_still()

    def cancel(self) -> None:
        """Stop generating; what is shown stays."""
        self._worker.cancel()

    # Code and static form ------------------------------------------------------------------------------------------

    def _show_code(self) -> None:
        name, text = self.names[0], self._text()
        settings, errors = self._settings()
        if self._seed is not None and settings.get("sample"):
            settings |= {"seed": self._seed}
        settings |= self._forced(name)
        settings = {} if errors else settings
        line = MagicLine("textgen_generate", name, settings, text)
        with suppress(NbTextGenError):  # it stands at its field
            settings = self.session.with_glossary(settings)
        python = call(f"{name}.generate", repr(text), settings)
        self.code.show({"Magic": line.magic(), "Python": python})

    def _forced(self, name: str) -> Values:
        """Return the settings that make the magic begin with the tokens that the user chose."""
        ids = [each for each in self._prefixes.get(0, ()) if each != EOS]
        if not self._prefixes.get(0):
            return {}
        prefix = {"prefix": self.session.model([name]).predictor.target.decode(ids)} if ids else {}
        return prefix if len(ids) == len(self._prefixes[0]) else prefix | {"max_length": max(1, len(ids))}

    def summary(self) -> tuple[str, str]:
        """Return the panel as text and as static HTML; waits a little for the first output."""
        self._worker.wait(WAIT_SECONDS)
        text, page = f"Generate panel: {self.code.pieces[0]['code']}", self.decoding.refusals()
        for column, each in zip(self.writing.columns, self._generations, strict=False):
            error = column["error"]
            bundle = {"text/plain": error, "text/html": status(error, alert=True) if error else ""}
            if each is not None:
                bundle = each._repr_mimebundle_()
            text += f"\n{column['title']}: {bundle['text/plain']}"
            page += f"<div><b>{visible(column['title'])}</b></div>{bundle['text/html']}"
        opened = self.below.summary()
        return "\n".join(filter(None, (text, opened[0]))), page + opened[1]


def _form(session: Session, name: str, text: str) -> Form:
    names, first = _models(session, name), example(session.model([name]))
    hint = "Type an input" + (f", for instance: {pictured(first)}" if first else ".")
    models = [
        choice_field("model", names["model"], "the variable that holds the model"),
        choice_field("compare", names["compare"], "a second model, shown side by side") | {"label": "compare with"},
        text_field("text", "the input; the output changes while you type", kind="area", placeholder=hint),
    ]
    return Form(
        sections=[{"title": "Generate", "fields": models}],
        values={"model": name, "compare": NO_MODEL, "text": text},
        suggestions=names,
    )


def _models(session: Session, *shown: str) -> dict[str, list[str]]:
    """Return the models to choose from now; one that is shown may be no variable, as ``models["french"]``."""
    names = list(dict.fromkeys([*session.models(), *shown]))
    return {"model": names, "compare": [NO_MODEL, *names]}


def _decoding_form() -> Form:
    more = [option for option in OPTIONS if option not in (*MAIN_OPTIONS, *HIDDEN_OPTIONS)]
    return Form(
        sections=[
            {"title": "Decoding", "closed": True, "fields": [_field(option) for option in MAIN_OPTIONS]},
            {"title": "More settings", "closed": True, "fields": [_field(option) for option in more]},
        ],
        values=defaults(OPTIONS),
    )


def _field(name: str) -> Values:
    """Return the field of a decoding setting; those of sampling need its switch, those of a search need it off."""
    needs = {"needs": "sample"} if name in SAMPLING_OPTIONS else {"unless": "sample"} if name in SEARCH_OPTIONS else {}
    return field(OPTIONS[name]) | needs
