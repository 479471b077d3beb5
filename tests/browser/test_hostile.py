"""Two hundred hostile strings through every way of ours to put text into a page; none of them comes alive there.

The widgets' own modules are loaded into a bare page, so that two hundred of them can be drawn within a minute; what the
kernel would send is made by the code that makes it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page

from nbtextgen.data.pairs import RawPairs
from nbtextgen.explanation.explanation import Explanation, Explanations
from nbtextgen.inference.generation import Generation, Generations, table
from nbtextgen.notebook.code import MagicLine
from nbtextgen.notebook.data_view import DataView
from nbtextgen.notebook.explain.buttons import explain_button
from nbtextgen.notebook.explain.panel import ExplanationPanel
from nbtextgen.notebook.explain.payload import explanation_payload
from nbtextgen.notebook.live import static_view as still
from nbtextgen.notebook.live.panel import LivePanel
from nbtextgen.notebook.live.record import record_of
from nbtextgen.notebook.panels.continuation import _page as written_on
from nbtextgen.notebook.panels.fields import choice_field, text_field
from nbtextgen.notebook.panels.output_tokens import output_rows
from nbtextgen.notebook.panels.widgets import CodeView, Form, OutputsView, Progress, Ranges, RunsTable, status
from nbtextgen.notebook.review.panel import ReviewView
from nbtextgen.notebook.runs_view import RunsView
from nbtextgen.run.listing import RunRecord
from nbtextgen.tuning import Trial, Tuning
from tests.browser.lab import WAIT
from tests.notebook.test_static_views import events, generation, hostile

COUNT, BATCH, NAME = 200, 50, 10_000
"""Strings, strings in a page, and the length up to which a string may be a name or a message."""

DRAW = """async ([source, states]) => {
    const module = await import(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})));
    for (const state of JSON.parse(states)) {
        const place = document.body.appendChild(document.createElement('div'));
        const listeners = {};
        const model = {get: (name) => state[name] ?? {}, set() {}, save_changes() {}, send() {}, off() {},
                       on(name, listener) { listeners[name] = listener; }};
        module.default.render({model, el: place});
        delete listeners.comm_live_update; // the kernel stays
        for (const listener of Object.values(listeners)) if (listener.length === 0) listener();
    }
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
}"""
ALIVE = """async () => {
    for (const one of document.querySelectorAll('*')) {
        for (const kind of ['mouseover', 'pointermove', 'focus', 'load', 'error']) one.dispatchEvent(new Event(kind));
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    const ours = /^(on(click|pointermove|pointerleave|blur|keydown))$/;
    const bad = [...document.body.querySelectorAll('script, img:not([src^="data:image/svg+xml;base64,"]), iframe, object, embed, math, a, form[action], base, meta, link, style')];
    const handled = [...document.body.querySelectorAll('*')].filter((one) => [...one.attributes].some(
        ({name, value}) => name.startsWith('on') && !(name === 'onclick' && value.startsWith('function saveImage(')) || name === 'srcdoc'));
    const hidden = [...document.body.querySelectorAll('*')].flatMap((one) => [...one.childNodes].filter((node) => node.nodeType === 3
        && /[\\0-\\x08\\x0b-\\x1f\\x7f\\u202a-\\u202e\\u2066-\\u2069]/.test(node.data)).map(() => one.outerHTML.slice(0, 150)));
    return [window.hit ?? null, bad.map((one) => one.outerHTML.slice(0, 200)), handled.map((one) => one.outerHTML.slice(0, 200)), hidden];
}"""


@pytest.fixture
def page(_context: BrowserContext) -> Any:
    opened = _context.new_page()
    opened.set_default_timeout(1000 * WAIT)
    opened.on("dialog", lambda dialog: (opened.evaluate("() => { window.hit = 'dialog' }"), dialog.dismiss()))
    opened.on(
        "request", lambda request: asked.append(request.url) if request.url[:5] not in ("blob:", "data:") else None
    )
    asked: list[str] = []
    yield opened
    opened.close()
    assert asked == []


def explanation(text: str) -> Explanation:
    units, tokens = tuple(text[:40]) or ("",), (*text[:20], "")
    spans = tuple((at, at + 1) for at in range(len(tokens)))
    values = np.linspace(-1, 1, len(tokens) * len(units)).reshape(len(tokens), len(units))
    flat = np.zeros(len(tokens))
    return Explanation(
        "shap", text[:40], text[:20], text[:20], "char", "mask", units, spans[: len(units)] + tuple(
            (at, at + 1) for at in range(len(spans), len(units))), tokens, spans, values, flat, flat, flat, "exact",
    )  # fmt: skip


def pages(texts: list[str]) -> list[str]:
    """Everything of ours that is put on screen as HTML."""
    short = [text for text in texts if len(text) < NAME]
    found = [generation(text)._repr_mimebundle_()["text/html"] for text in texts]
    found += [still.as_html(record_of(text, events(text))) for text in short]
    found += [explanation(text)._repr_mimebundle_()["text/html"] for text in short]
    found += [status(text, alert=True) + written_on(text, text) for text in texts]
    rows = RawPairs.of([(text, text[::-1]) for text in texts])
    cleaned = rows.clean("nfc,whitespace,zero-width")
    records = [RunRecord(text, Path("nowhere"), state=text, metric_name=text, settings={text: text}) for text in short]
    trials = [Trial(at, {"cell": text}, [(1.0, 1.0)], 1.0, "complete") for at, text in enumerate(short)]
    found += [
        Generations(map(generation, texts))._repr_mimebundle_()["text/html"],
        table(list(map(generation, texts)), beside=[explain_button("1.1", text) for text in texts]),
        DataView.of(rows, rows.report())._repr_mimebundle_()["text/html"],
        rows.report().html() + cleaned.html(),
        RunsView(Path(short[0]), records)._repr_mimebundle_()["text/html"],
        Tuning("loss", False, trials, None, trials[0])._repr_mimebundle_()["text/html"],
        Explanations({"shap": explanation(short[0])})._repr_mimebundle_()["text/html"],
    ]
    return found


def states(text: str) -> dict[type, dict[str, Any]]:
    """What the kernel would send to each widget about a text."""
    found: Generation = generation(text)
    rows = output_rows(found, 1)
    place = {"version": 1, "column": 0, "row": 0, "at": 0}
    option = {"text": rows[0]["tokens"][0]["text"], "p": 0.5, "end": False, "taken": True}
    name = text[:NAME]
    fields = [
        text_field("data", "help", placeholder=name),
        choice_field("model", [name, "x"], "help"),
        text_field("text", "help", kind="area"),
    ]
    shown = record_of(name, events(name)).as_dict() | {"controls": {"dropout": 0.1, "rate_factor": 1.0}}
    why = explanation_payload(explanation(text), final=True)
    short = text[:200]
    origin = {"row": 0, "place": short, "source": short, "target": short, "share": 0.5, "cleaning": short}
    listed = {"row": 0, "source": short, "text": short, "state": "corrected", "confidence": 0.5}
    return {
        Form: {
            "sections": [{"title": "t", "fields": fields}],
            "values": {"data": name, "model": name, "text": name},
            "errors": {"data": name, "text": name},
            "suggestions": {"data": [name]},
        },
        CodeView: {"pieces": [{"name": "Magic", "code": MagicLine("textgen_generate", "m", {"seed": 1}, name).magic()}]},
        OutputsView: {
            "columns": [{"title": name, "error": name, "forced": True, "rows": rows}],
            "alternatives": place | {"options": [option]},
            "version": 1,
            "status": name,
        },
        Ranges: {
            "fields": [choice_field("cell", [name, "x"], "help")],
            "values": {"cell": {"on": True, "range": [name]}},
            "disabled": False,
        },
        Progress: {"state": {"text": f"Opening {name} \u2026", "done": 0.5}},
        RunsTable: {"heads": [name], "rows": [{"name": name, "cells": [name], "keys": [name]}], "disabled": False},
        LivePanel: {"state": shown | {"error": name}},
        ExplanationPanel: {
            "answers": {"char|x|shap": why},
            "view": {"unit": "char", "contrast": "x", "method": "shap"},
            "choices": {"methods": [{"id": "shap", "name": "SHAP"}], "units": ["char"], "mask": True},
            "status": {"busy": False, "error": name},
            "sentences": {"char|x": "they agree"},
            "change": {"group": "char|x", "source": name, "before": [["gone", name]], "after": [["new", name]]},
            "rows": {"at": 1, "part": short, "token": None, "proponents": [origin], "opponents": [origin]},
            "marks": [0],
        },
        ReviewView: {
            "window": {"start": 0, "count": 1, "rows": [listed | {"confidence": "5 %"}]},
            "current": listed | {"position": 0, "decided": short, "words": "Low confidence", "notes": [short], "candidates": [short]},
            "details": {"row": 0, "tokens": rows[0]["tokens"], "candidates": [short], "reasons": [short]},
            "progress": {"done": 0, "total": 1, "sentence": "none", "file": short},
            "choices": {"selection": "all", "selections": [{"name": "all", "count": 1}], "model": True, "origins": True},
            "status": {"text": short, "alert": True, "at": 1},
        },
    }  # fmt: skip


def alive(page: Page) -> list[Any]:
    return page.evaluate(ALIVE)


def test_hostile_strings_do_nothing_in_any_widget_or_static_form(page: Page) -> None:
    texts = hostile(COUNT)
    for start in range(0, COUNT, BATCH):
        some = texts[start : start + BATCH]
        page.set_content("<body></body>")
        page.evaluate(
            "pages => { for (const html of JSON.parse(pages)) { const place = document.body.appendChild(document.createElement('div')); place.innerHTML = html; } }",
            json.dumps(pages(some)),
        )
        assert alive(page) == [None, [], [], []]
        page.set_content("<body></body>")
        made = [states(text) for text in some]
        for widget in made[0]:
            page.evaluate(DRAW, [str(widget._esm), json.dumps([one[widget] for one in made])])
        assert page.locator(".ntg-token").count() > 0 and page.locator(".nte-chip").count() > 0
        assert alive(page) == [None, [], [], []]
