"""Outputs that stay alive: in a saved notebook they generate and explain without a kernel, and what may not run shows itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbconvert import HTMLExporter
from playwright.sync_api import FrameLocator, Page, expect

from nbtextgen import TextGenerator
from nbtextgen.export.page.packing import round_networks

from .lab import Lab, nothing_wrong

LOAD = "%load_ext nbtextgen\nfrom nbtextgen import TextGenerator\ndates = TextGenerator.load({folder!r})"
CELLS = [
    '%textgen_generate dates "3 Jan 2019" --beam 3 --n-best 2 --live',
    '%textgen_panel dates "4 Feb 2020" --live --bits 8',
]
FRAME = ".ntg-alive iframe"


def rounded(dates: str, bits: int) -> TextGenerator:
    """The model with the weights that a page of it has."""
    model = TextGenerator.load(dates)
    round_networks(model.predictor.networks, bits)
    return model


def expect_output(frame: FrameLocator, model: TextGenerator, text: str, **options: Any) -> None:
    """The frame shows what the model generates, to the last token."""
    expected = model.generate(text, precision="fp32", **options)
    expect(frame.get_by_role("status")).to_have_text(f"Output: {expected.text}")
    expect(frame.locator(".tokens .token")).to_have_count(len(expected.tokens) + 1)


def test_saved_notebook_generates_without_a_kernel(lab: Lab, dates: str, tmp_path: Path) -> None:
    notebook = lab.open([LOAD.format(folder=dates), *CELLS], run=True)
    notebook.panel(2).get_by_label("dates output 1").wait_for()
    expect(notebook.output(2).locator(FRAME)).to_be_hidden()  # the panel itself lives
    saved = nbformat.read(notebook.save(), as_version=4)
    notebook.restart_kernel()

    exported = tmp_path / "exported.html"
    exported.write_text(HTMLExporter().from_notebook_node(saved)[0], encoding="utf-8")
    page = notebook.page.context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(exported.as_uri(), wait_until="commit")
    frames = [page.frame_locator(FRAME).nth(place) for place in range(2)]
    expect(page.locator(".ntg-alive-still").first).to_be_hidden()
    sixteen, eight = rounded(dates, 16), rounded(dates, 8)
    page.locator(FRAME).first.scroll_into_view_if_needed()
    expect_output(frames[0], sixteen, "3 Jan 2019", beam=3)
    expect(frames[0].locator(".candidates li")).to_have_count(2)
    page.locator(FRAME).nth(1).scroll_into_view_if_needed()
    for text in ("4 Feb 2020", "17 March 1999", "x"):
        frames[1].get_by_label("Source").fill(text)
        expect_output(frames[1], eight, text)
    frames[1].get_by_text("Shapley values", exact=True).click()
    frames[0].locator("summary", has_text="Decoding").click()
    frames[0].get_by_text("Greedy", exact=True).click()
    expect_output(frames[0], sixteen, "3 Jan 2019")
    assert not [url for url in requests if not url.startswith(("file:", "data:", "about:")) and "cdn" not in url]
    assert_apart(page)
    page.close()


def assert_apart(page: Page) -> None:
    """Page and frame cannot reach each other."""
    assert page.locator(FRAME).first.evaluate("frame => frame.contentDocument") is None
    reach = "() => { try { return parent.document.title } catch (error) { return error.name } }"
    assert page.frames[1].evaluate(reach) == "SecurityError"


def test_frame_needs_trust_and_has_the_theme(lab: Lab, dates: str) -> None:
    notebook = lab.open([LOAD.format(folder=dates), CELLS[0]], run=True)
    saved = nbformat.read(notebook.save(), as_version=4)
    saved.cells[0].source += "\n"  # a notebook with other content than the signed one, as it comes from somebody else
    lab.close()
    notebook = lab.open_saved(saved)
    still = notebook.output(1).locator(".ntg-alive-still")
    expect(still).to_be_visible()
    expect(still.get_by_role("row")).to_have_count(3)
    expect(still).to_contain_text("In a trusted notebook")
    expect(notebook.output(1).locator("iframe")).to_have_count(0)
    notebook.page.evaluate(
        "() => jupyterapp.shell.currentWidget.content.widgets.forEach((cell) => { cell.model.trusted = true; })"
    )
    expect(still).to_be_hidden()
    frame = notebook.page.frame_locator(FRAME)
    expect_output(frame, rounded(dates, 16), "3 Jan 2019", beam=3)
    for theme in notebook.themes():
        notebook.theme(theme)
        expect(notebook.page.locator(FRAME)).to_have_css(
            "filter", {"light": "none"}.get(theme, "invert(0.93) hue-rotate(180deg)")
        )
    nothing_wrong(notebook, notebook.output(1))
