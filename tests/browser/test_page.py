"""A model as one page, in Chromium from the disk: it writes what the model writes, explains, and asks nothing of the network."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from nbtextgen.core.options import build
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.export.page.document import export_page
from nbtextgen.export.page.packing import round_networks
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.predictor import Predictor
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.tokenizers.config import TokenizerConfig
from nbtextgen.training.config import TrainingConfig

from .lab import Notebook

HOSTILE = "<img src=x onerror=document.title='hit'>"
WAIT = 20_000
"""Milliseconds until something that never comes fails the test."""
spec = importlib.util.spec_from_file_location("exported", Path(__file__).parents[2] / "benchmarks" / "exported.py")
assert spec and spec.loader
exported = importlib.util.module_from_spec(spec)
spec.loader.exec_module(exported)


@pytest.fixture
def predictor() -> Predictor:
    made = exported.random_writer({"copy": True}, seed=3)
    round_networks(made.networks, 16)
    return made


@pytest.fixture
def page(predictor: Predictor, _context: BrowserContext, tmp_path: Path) -> Iterator[Page]:
    plan = Plan(TokenizerConfig(tokens="char"), predictor.networks[0].config, TrainingConfig(), {})
    path = export_page(tmp_path / "m.html", predictor, plan, ["abc bca"], [], {"title": HOSTILE, "score": HOSTILE})
    opened, complaints = _context.new_page(), list[str]()
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    opened.on("request", lambda request: complaints.append(request.url) if request.url != path.as_uri() else None)
    opened.goto(path.as_uri())
    yield opened
    opened.close()
    assert not complaints


def test_page_writes_and_explains_as_the_model_does(page: Page, predictor: Predictor) -> None:
    def generation(text: str, **options: Any) -> Generation:
        return predictor.predict([text], build(DecodingConfig, {"precision": "fp32", **options}))[0]

    def expect_output(expected: Generation) -> None:
        expect(page.get_by_role("status")).to_have_text(f"Output: {expected.text or 'empty'}", timeout=WAIT)

    source = page.get_by_role("textbox", name="Source")
    assert page.locator("h1").inner_text(timeout=WAIT) == HOSTILE
    expect_output(generation("abc bca"))
    for text in (f"{HOSTILE} cab", "hgfe", "ab b"):
        source.fill(text)
        expect_output(generation(text))
    assert len(generation("ab b").ids) > 1
    page.locator(".tokens .token").first.click()
    second = predictor.alternatives("ab b", generation("ab b").ids, 2)[0][1]
    page.locator(".alternative").nth(1).click()
    expect(page.get_by_role("button", name="Back to the model's own output")).to_be_visible(timeout=WAIT)
    expect_output(predictor.predict(["ab b"], DecodingConfig(precision="fp32"), [second.id])[0])
    page.locator("summary", has_text="Decoding").click()
    page.get_by_text("Beam search", exact=True).click()
    expect_output(generation("ab b", beam=5, n_best=3))
    page.get_by_text("Sampling", exact=True).click()
    page.get_by_label("Seed").fill("7")
    expect_output(generation("ab b", sample=True, seed=7, n_best=3))
    page.get_by_text("Greedy", exact=True).click()
    expect_output(generation("ab b"))
    page.get_by_text("Shapley values", exact=True).first.click()
    expect(page.locator(".explained")).to_contain_text("all 16 subsets of 4 parts", timeout=WAIT)
    expect(page.locator(".explained .chip")).to_have_count(4, timeout=WAIT)
    assert page.title() == HOSTILE
    server: Any = None  # this page has none
    assert not Notebook(page, server, "").accessibility(page.locator("main"))


def test_a_page_takes_many_keys_at_once_and_scrolls_only_its_table(page: Page, predictor: Predictor) -> None:
    page.set_viewport_size({"width": 700, "height": 900})
    source, text = page.get_by_role("textbox", name="Source"), "abc hgfe " * 12
    for _ in range(20):  # tasks that begin while those before them run
        source.evaluate(
            """(box, text) => { for (const part of ['a', 'ab', 'abc', text]) {
                   box.value = part; box.dispatchEvent(new Event('input', { bubbles: true })); } }""",
            text,
        )
    said = f"Output: {predictor.predict([text], DecodingConfig(precision='fp32'))[0].text or 'empty'}"
    expect(page.get_by_role("status")).to_have_text(said, timeout=WAIT)
    expect(page.get_by_text("Cannot read")).to_have_count(0, timeout=WAIT)
    page.locator("summary", has_text="All values as a table").click()
    expect(page.locator(".matrix")).to_be_visible(timeout=WAIT)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
