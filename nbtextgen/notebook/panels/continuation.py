"""The Continue panel: a text, sliders, and its continuation while it is generated."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import ipywidgets

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.core.errors import NbTextGenError
from nbtextgen.core.escaping import visible
from nbtextgen.core.options import options_of
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.notebook.arguments import LENGTH, SAMPLED
from nbtextgen.notebook.background import BackgroundWorker, describe
from nbtextgen.notebook.code import MagicLine, Values, call
from nbtextgen.notebook.panels.fields import check_settings, defaults, field, refused_field, text_field
from nbtextgen.notebook.panels.generate import SAMPLING_OPTIONS
from nbtextgen.notebook.panels.widgets import CodeView, Form, row, status
from nbtextgen.notebook.progress import Throttle
from nbtextgen.notebook.static import StaticForm

if TYPE_CHECKING:
    import traitlets

    from nbtextgen.generator import TextGenerator

MAIN_OPTIONS = ("length", "sample", "temperature", "top_k", "top_p", "seed")
MORE_OPTIONS = ("min_p", "no_repeat_ngram", "allow", "forbid")
OPTIONS = {"length": LENGTH} | {
    name: option for name, option in options_of(DecodingConfig).items() if name in (*MAIN_OPTIONS, *MORE_OPTIONS)
}


class ContinuePanel(StaticForm, ipywidgets.VBox):
    """A text box, a button that continues the text, and below them the settings of decoding."""

    def __init__(self, model: TextGenerator, name: str, text: str, length: int, decoding: Values) -> None:
        """Create the panel.

        Args:
            model: a model trained on a text.
            name: the variable that holds it, for the code.
            text: the beginning.
            length: tokens of the continuation.
            decoding: the settings to begin with; those without a field stay as they are.
        """
        self._model, self._name = model, name
        self._fixed = {option: value for option, value in decoding.items() if option not in OPTIONS}
        self._worker = BackgroundWorker("nbtextgen continuation", on_error=self._show_error)
        self._seed: int | None = None  # of the last draw, if the user set none
        self._written = ""  # with its beginning
        self.form, self.decoding = _form(text), _decoding_form({"length": length, **SAMPLED, **decoding})
        self.begin = ipywidgets.Button(description="Continue", button_style="primary", tooltip="Generate what follows")
        self.stop = ipywidgets.Button(description="Stop", disabled=True, tooltip="Stop now and keep what is written")
        self.status, self.output, self.code = ipywidgets.HTML(), ipywidgets.HTML(), CodeView()
        buttons = row(self.begin, self.stop)
        parts = [self.form, buttons, self.status, self.output, self.decoding, self.code, self.hidden_style()]
        super().__init__(parts)
        self.form.observe(self._changed, "values")
        self.decoding.observe(self._changed, "values")
        self.begin.on_click(lambda _: self._begin())
        self.stop.on_click(lambda _: self._stop())
        self._changed()

    def settings(self) -> tuple[Values, dict[str, str]]:
        """Return the settings that differ from those of ``textgen_continue``, and an error for each that is refused."""
        settings, errors = check_settings(self.decoding.values, OPTIONS)
        for name, value in SAMPLED.items():
            if settings.setdefault(name, OPTIONS[name].default) == value:
                del settings[name]
        if "sample" in settings:  # it is off
            settings = {name: value for name, value in settings.items() if name not in SAMPLING_OPTIONS}
        return {name: value for name, value in settings.items() if name not in errors} | self._fixed, errors

    def cancel(self) -> None:
        """Stop generating; what is written stays."""
        self._worker.cancel()

    def _changed(self, change: traitlets.Bunch | None = None) -> None:
        self._seed = None
        _, self.decoding.errors = self.settings()
        text = self.form.values["text"]
        self.begin.disabled = bool(self.decoding.errors) or not text or not self.stop.disabled
        if not text:
            self.status.value = status("Enter the beginning of a text, for instance the first words of a sentence.")
        elif change is None or not change["old"].get("text"):
            self.status.value = ""
        self._show_code()

    def _show_code(self) -> None:
        settings, text = self.settings()[0], self.form.values["text"]
        if self._seed is not None:
            settings |= {"seed": self._seed}
        line = MagicLine("textgen_continue", self._name, settings, text)
        whole = {"length": LENGTH.default, **SAMPLED, **settings}
        python = call(f"print({self._name}.continue_text", repr(text), whole) + ")"
        self.code.show({"Magic": line.magic(), "Python": python})

    def _begin(self) -> None:
        """Continue the text in the background; the second press of a double click finds the button off."""
        settings, errors = self.settings()
        if errors or self.begin.disabled:
            return
        whole = {"length": LENGTH.default, **SAMPLED, **settings}
        if whole["sample"] and whole.get("seed") is None:
            # Do not use PyTorch's shared random generator: a training may be running.
            self._seed = whole["seed"] = random.randrange(2**32)
        self._show_code()
        self.stop.disabled, self.begin.disabled = False, True
        self.status.value = status("Generating \u2026")
        text, length = self.form.values["text"], whole.pop("length")
        self._worker.replace(lambda token: self._write(text, length, whole, token))

    def _stop(self) -> None:
        """End the continuation; what is written stays."""
        self._worker.cancel()
        if not self._worker.busy:  # it had not begun
            self.status.value = ""
            self._ready()

    def _ready(self) -> None:
        """Let the user begin again."""
        self.stop.disabled = True
        self.begin.disabled = bool(self.decoding.errors) or not self.form.values["text"]

    def _write(self, text: str, length: int, decoding: Values, token: CancellationToken) -> None:
        start, throttle, pieces = time.perf_counter(), Throttle(), list[str]()
        try:
            for piece in self._model.stream(text, length, **decoding):
                pieces.append(piece)
                if token.cancelled:
                    break
                if throttle.due():
                    self.output.value = _page(text, "".join(pieces))
        finally:
            self._written = text + "".join(pieces)
            self.output.value = _page(text, "".join(pieces))
            self._ready()
        seed = f", seed {decoding['seed']}" if decoding["sample"] else ""
        how = "stopped after" if token.cancelled else "generated in"
        self.status.value = status(f"{how} {time.perf_counter() - start:.1f} s{seed}")
        self.refresh_still()

    def _show_error(self, error: BaseException) -> None:
        name = refused_field(error, OPTIONS) if isinstance(error, NbTextGenError) else None
        if name is not None:
            self.decoding.errors = {**self.decoding.errors, name: describe(error)}
            self.status.value = ""
        else:
            self.status.value = status(describe(error), alert=True)
        self.refresh_still()

    def summary(self) -> tuple[str, str]:
        """Return the panel as text and as static HTML."""
        text = f"Continue panel: {self.code.pieces[0]['code']}"
        if self._written:
            text = f"{text}\n{self._written}"
        return text, self.decoding.refusals() + self.status.value + self.output.value


def _form(text: str) -> Form:
    start = text_field(
        "text", "the beginning, which the model continues", kind="area", placeholder="Type the beginning of a text."
    )
    return Form(sections=[{"title": "Continue", "fields": [start]}], values={"text": text})


def _decoding_form(values: Values) -> Form:
    return Form(
        sections=[
            {"title": "Decoding", "closed": True, "fields": [_field(option) for option in MAIN_OPTIONS]},
            {"title": "More settings", "closed": True, "fields": [_field(option) for option in MORE_OPTIONS]},
        ],
        values=defaults(OPTIONS) | {name: value for name, value in values.items() if name in OPTIONS},
    )


def _field(name: str) -> Values:
    """Return the field of a setting; those of sampling need its switch."""
    return field(OPTIONS[name]) | ({"needs": "sample"} if name in SAMPLING_OPTIONS else {})


def _page(before: str, after: str) -> str:
    """Return a text and its continuation as HTML, the beginning paler; a long one scrolls, and shows its end."""
    first, rest = ("<br>".join(map(visible, part.split("\n"))) for part in (before, after))
    return (
        "<div role='group' aria-label='Continuation' tabindex='0' dir='auto' style='display:flex;flex-direction:column-reverse;"
        "max-height:420px;overflow-y:auto'><div style='white-space:pre-wrap;overflow-wrap:anywhere;font-size:14px;"
        f"line-height:1.5'><span style='opacity:.75'>{first}</span>{rest}</div></div>"
    )
