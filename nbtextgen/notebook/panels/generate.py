"""The Generate panel: text in, shaded tokens out while you type, what else could stand at each, two models side by side."""

from __future__ import annotations

import dataclasses
import difflib
import random
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.core.errors import NbTextGenError, OptionError
from nbtextgen.core.escaping import pictured
from nbtextgen.core.options import build, options_of
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.inference.generation import Generation
from nbtextgen.notebook.background import BackgroundWorker, describe
from nbtextgen.notebook.panels.fields import choice_field, field, text_field
from nbtextgen.notebook.panels.recipe import MagicLine
from nbtextgen.notebook.panels.static import StaticForm
from nbtextgen.notebook.panels.widgets import CodeView, Form, OutputsView
from nbtextgen.tokenizers.base import EOS

if TYPE_CHECKING:
    from nbtextgen.inference.predictor import Alternative
    from nbtextgen.notebook.session import Session

OPTIONS = options_of(DecodingConfig)
MAIN = ("beam", "n_best", "length_penalty", "sample", "temperature", "top_k", "top_p", "seed")
NOT_HERE = ("batch_size",)
"""Settings without a meaning for one text."""
DELAY = 0.12
"""Seconds without a key before the models write."""
COUNT = 8
"""Alternatives offered at a token."""
PATIENCE = 2.0
"""Seconds that the static form waits for the first output."""
NOBODY = "none"


class GeneratePanel(StaticForm, ipywidgets.VBox):
    """A text box and sliders over one model, or two side by side.

    Example:
        >>> GeneratePanel(session, "french")      # doctest: +SKIP
    """

    def __init__(self, session: Session, name: str, text: str = "") -> None:
        """Show a model.

        Args:
            session: the notebook.
            name: the variable that holds the model.
            text: a source to begin with.
        """
        self.session = session
        self._worker = BackgroundWorker("nbtextgen generate", delay=DELAY, on_error=self._show_error)
        self._prefixes: dict[int, tuple[int, ...]] = {}
        self._found: list[Generation | None] = []
        self._choices: Sequence[Alternative] = ()
        names = session.models() or [name]
        self.form = Form(
            sections=[
                {
                    "title": "Generate",
                    "fields": [
                        choice_field("model", names, "the variable that holds the model"),
                        choice_field("compare", [NOBODY, *names], "a second model, written side by side"),
                        text_field("text", "the source; the model writes while you type", kind="area"),
                    ],
                },
                {"title": "Decoding", "fields": [_field(one) for one in MAIN]},
                {
                    "title": "More settings",
                    "closed": True,
                    "fields": [_field(one) for one in OPTIONS if one not in (*MAIN, *NOT_HERE)],
                },
            ],
            values={"model": name, "compare": NOBODY, "text": text}
            | {
                key: list(one.default) if isinstance(one.default, tuple) else one.default
                for key, one in OPTIONS.items()
            },
        )
        self.writing, self.code = OutputsView(), CodeView()
        self.below = ipywidgets.VBox()
        super().__init__([self.form, self.writing, self.code, self.below])
        self.form.observe(self._changed, "values")
        self.writing.on_msg(self._told)
        self._show_code()
        if text:
            self._write()

    # What the user does --------------------------------------------------------------------------------------------

    def _changed(self, change: Any) -> None:
        old, new = change["old"], change["new"]
        if any(old.get(key) != new.get(key) for key in ("model", "compare", "text")):
            self._prefixes.clear()  # a choice belongs to one text and one model
        self._show_code()
        self._write()

    def _told(self, _: object, message: dict[str, Any], buffers: object = None) -> None:
        """A message from the outputs."""
        kind, column = message.get("kind"), message.get("column", 0)
        if kind == "release":
            self._prefixes.pop(column, None)
            self._write()
        elif message.get("version") != self.writing.version or column >= len(self._found):
            return
        elif kind == "explain":
            self._explain(column, self._row(message))
        elif kind == "ask":
            self._worker.replace(lambda token: self._offer(message, token))
        elif kind == "choose":
            shown = self._row(message)
            if shown is not None and message["choice"] < len(self._choices):
                self._prefixes[column] = (*shown.ids[: message["at"]], self._choices[message["choice"]].id)
                self._write()

    def _row(self, message: dict[str, Any]) -> Generation | None:
        shown = self._found[message["column"]]
        if shown is None:
            return None
        rows = shown.candidates or (shown,)
        return rows[message["row"]] if message["row"] < len(rows) else None

    # Writing -------------------------------------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        """The variables shown, one or two."""
        values = self.form.values
        return [values["model"], *([] if values["compare"] in (NOBODY, None) else [values["compare"]])]

    def _write(self) -> None:
        self._worker.replace(self._write_now)

    def _write_now(self, token: CancellationToken) -> None:
        began = time.perf_counter()
        config, errors = self._config()
        text = self.form.values["text"] or ""
        found: list[Generation | None] = []
        columns = []
        for at, name in enumerate(self.names):
            one, error = self._written(name, text, config, self._prefixes.get(at, ()), token) if config else (None, "")
            found.append(one)
            columns.append({"title": name, "error": error, "forced": at in self._prefixes, "generation": one})
        token.raise_if_cancelled()
        for at, column in enumerate(columns):
            column["rows"] = _rows(column.pop("generation"), len(self._prefixes.get(at, ())))
        if len(found) == 2 and all(found):
            _mark_differences(columns[0]["rows"][0]["tokens"], columns[1]["rows"][0]["tokens"])
        self._found = found
        self.form.errors = errors
        with self.writing.hold_sync():
            self.writing.version += 1
            self.writing.columns = columns
            self.writing.alternatives = {}
            spent = f"written in {1000 * (time.perf_counter() - began):.0f} ms" if any(found) else ""
            self.writing.status = f"{spent}; press a token for what else could stand there" if spent else ""

    def _config(self) -> tuple[DecodingConfig | None, dict[str, str]]:
        """The decoding settings, or what is wrong with each."""
        values, errors = {}, {}
        for name, option in OPTIONS.items():
            value = self.form.values.get(name)
            try:
                values[name] = (
                    option.parse(value) if isinstance(value, str) and option.type is not str else option.check(value)
                )
            except OptionError as error:
                errors[name] = str(error)
        return (None if errors else build(DecodingConfig, values)), errors

    def _written(
        self, name: str, text: str, config: DecodingConfig, prefix: Sequence[int], token: CancellationToken
    ) -> tuple[Generation | None, str]:
        """What one model writes, or why it cannot."""
        if not text.strip():
            return None, ""
        try:
            model = self.session.model([name])
            if config.sample and config.seed is None:
                # A seed of our own: PyTorch's shared generator may belong to a training that runs meanwhile.
                config = dataclasses.replace(config, seed=random.randrange(2**32))
            sources = [model.checked_source(text)]
            found = model.predictor.predict(sources, config, prefix, cancellation=token)[0]
        except NbTextGenError as error:
            return None, str(error)
        return found, ""

    def _show_error(self, error: BaseException) -> None:
        self.writing.status = describe(error)

    def _offer(self, message: dict[str, Any], token: CancellationToken) -> None:
        """Work out what else could stand at a token, and show it."""
        shown = self._row(message)
        if shown is None or message["at"] > len(shown.ids):
            return
        model = self.session.model([self.names[message["column"]]])
        prefix = shown.ids[: message["at"]]
        place = model.predictor.alternatives(shown.source, prefix, COUNT, cancellation=token)[-1]
        token.raise_if_cancelled()
        taken = (*shown.ids, EOS)[message["at"]]
        self._choices = place
        self.writing.alternatives = {key: message[key] for key in ("version", "column", "row", "at")} | {
            "options": [
                {"text": _visible_space(one.text), "p": one.probability, "end": one.id == EOS, "taken": one.id == taken}
                for one in place
            ]
        }

    def _explain(self, column: int, shown: Generation | None) -> None:
        """Open the explanation of one output."""
        from nbtextgen.notebook.explain.panel import ExplanationPanel

        if shown is None:
            return
        try:
            self.below.children = [ExplanationPanel.of(self.session.model([self.names[column]]), shown)]
        except NbTextGenError as error:
            self.writing.status = str(error)

    # The same in a cell --------------------------------------------------------------------------------------------

    def _settings(self) -> dict[str, Any]:
        """Decoding settings that differ from their defaults."""
        config, _ = self._config()
        if config is None:
            return {}
        return {key: value for key, value in vars(config).items() if value != OPTIONS[key].default}

    def _show_code(self) -> None:
        name, text = self.names[0], self.form.values["text"] or ""
        line = MagicLine("textgen_generate", name, self._settings(), text)
        self.code.show({"Magic": line.magic(), "Python": line.python(f"{name}.generate", [repr(text)])})

    def summary(self) -> tuple[str, str]:
        """The panel as text and as static HTML; waits a little for what is being written."""
        self._worker.wait(PATIENCE)
        found = next(iter(self._found), None)
        code = self.code.pieces[0]["code"]
        if found is None:
            return f"Generate panel: {code}", ""
        bundle = found._repr_mimebundle_()
        return f"Generate panel: {code}\n{bundle['text/plain']}", bundle["text/html"]


def _field(name: str) -> dict[str, Any]:
    """A decoding setting; those of sampling wait for its switch."""
    needs = {"needs": "sample"} if OPTIONS[name].help.startswith("sampling:") else {}
    return field(OPTIONS[name]) | needs


def _rows(found: Generation | None, forced: int) -> list[dict[str, Any]]:
    """Outputs as ``outputs.js`` draws them."""
    rows = []
    for one in () if found is None else found.candidates or (found,):
        probabilities = np.exp(one.log_probabilities).tolist()
        tokens = [
            {"text": pictured(token), "before": before, "p": round(share, 5), "forced": at == forced - 1}
            for at, ((before, token), share) in enumerate(zip(_spaced(one), probabilities, strict=False))
        ]
        end = {
            "text": "",
            "before": "",
            "p": round(probabilities[-1], 5),
            "forced": len(tokens) == forced - 1,
            "end": True,
        }
        rows.append({"score": f"{one.score:.3f}", "text": pictured(one.text), "tokens": [*tokens, end]})
    return rows


def _spaced(one: Generation) -> list[tuple[str, str]]:
    """Each token with the white space that stands before it in the text."""
    found, at = [], 0
    for token in one.tokens:
        begin = one.text.find(token, at) if token else -1
        if begin >= 0 and not one.text[at:begin].strip():
            found.append((one.text[at:begin], token))
            at = begin + len(token)
        elif token.strip() and one.text.startswith(token.strip(), at):
            found.append(("", token.strip()))  # the space that byte pairs put before the first word
            at += len(token.strip())
        else:
            found.append((" " if found and " " in one.text else "", token))
    return found


def _visible_space(token: str) -> str:
    """A token for the menu, its white space visible."""
    return pictured(token).replace(" ", "\u2423")


def _mark_differences(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    """Note which tokens of two outputs are not in both, in order."""
    matcher = difflib.SequenceMatcher(None, [one["text"] for one in first], [one["text"] for one in second], False)
    for tag, start, stop, other_start, other_stop in matcher.get_opcodes():
        if tag != "equal":
            for token in (*first[start:stop], *second[other_start:other_stop]):
                token["differs"] = True
