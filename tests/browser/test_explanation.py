"""The explanation panel in a real notebook: every way to touch it, in both themes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from nbtextgen import TextGenerator, builtin

from .lab import Lab, Notebook, nothing_wrong, pictures

SOURCE = "3 Jan 2019"


def opened(lab: Lab, folder: str, line: str, *more: str, settled: bool = True) -> tuple[Notebook, Locator]:
    """A notebook with the panel of ``%textgen_explain dates LINE``."""
    load = f"%load_ext nbtextgen\nfrom nbtextgen import TextGenerator\ndates = TextGenerator.load({folder!r})"
    notebook = lab.open([load, f"panel = %textgen_explain dates {line}\npanel", *more], run=True)
    panel = notebook.output(1).locator(".nte").first
    panel.wait_for()
    if settled:
        settle(notebook, panel)
    return notebook, panel


def settle(notebook: Notebook, panel: Locator) -> None:
    """Until nothing is being computed, and the page has drawn all that was: what is drawn anew loses hover and menus."""
    notebook.value("panel.wait()")
    notebook.value("1")
    expect(panel.get_by_role("progressbar")).to_have_count(0)


def chips(panel: Locator, row: str) -> Locator:
    return panel.get_by_role("group", name=row).first.get_by_role("button")


def numbers(chips: Locator) -> int:
    """How many chips show a number."""
    return sum(bool(text) for text in chips.locator(".nte-number").all_inner_texts())


def test_hover_and_focus_shade_both_ways_and_nothing_moves(lab: Lab, dates: str) -> None:
    notebook, panel = opened(lab, dates, f'"{SOURCE}" --unit word')
    expect(panel.get_by_text("exact, 8 coalitions")).to_be_visible()
    inputs, outputs = chips(panel, "Input"), chips(panel, "Output")
    assert inputs.locator(".nte-word").all_inner_texts() == ["3", "Jan", "2019"]
    before = inputs.nth(2).bounding_box()
    inputs.nth(2).hover()
    expect(panel.locator(".nte-summary")).to_contain_text("Top effects of input “2019”")
    assert inputs.nth(2).bounding_box() == before
    assert numbers(outputs) > 0
    outputs.nth(3).focus()
    expect(panel.locator(".nte-summary")).to_contain_text("Top attributions for output")
    notebook.page.keyboard.press("ArrowRight")
    expect(outputs.nth(4)).to_be_focused()
    outputs.nth(3).click()
    expect(outputs.nth(3)).to_have_attribute("aria-pressed", "true")
    notebook.page.keyboard.press("Escape")
    expect(panel.locator(".nte-summary")).to_contain_text("Attributions for the whole output")
    expect(outputs.nth(3)).to_have_attribute("aria-pressed", "false")
    pictures(notebook, panel, "panel")
    assert not lab.complaints


def test_method_unit_and_contrast_are_switched_without_asking_twice(lab: Lab, dates: str) -> None:
    notebook, panel = opened(lab, dates, f'"{SOURCE}" --unit word')
    panel.get_by_role("radio", name="Attention").click()
    expect(panel.locator(".nte-notes")).to_contain_text("weights of the decoder's attention")
    panel.get_by_role("radio", name="Occlusion").click()
    expect(panel.locator(".nte-notes")).to_contain_text("one unit left out at a time")
    panel.get_by_label("Unit").select_option("token")
    expect(chips(panel, "Input")).to_have_count(len(SOURCE))
    panel.get_by_label("Why this and not").fill("2019-03-01")
    panel.get_by_label("Why this and not").press("Enter")
    expect(panel.locator(".nte-view").get_by_text("2019-03-01", exact=True)).to_be_visible()
    assert notebook.value("sorted(panel.answers)").count("occlusion") == 3
    settle(notebook, panel)
    panel.get_by_role("radio", name="Occlusion").press("ArrowRight")
    expect(panel.get_by_role("radio", name="Context")).to_have_attribute("aria-checked", "true")


def test_an_input_is_deleted_replaced_and_masked_and_the_change_is_marked(lab: Lab, dates: str) -> None:
    _, panel = opened(lab, dates, f'"{SOURCE}" --unit word')
    year = chips(panel, "Input").nth(2)
    year.click()
    panel.get_by_label("Replace 2019 by").fill("1984")
    panel.get_by_role("button", name="Replace", exact=True).click()
    change = panel.get_by_role("region", name="Changed input")
    expect(change).to_contain_text("3 Jan 1984")
    expect(change.locator("ins").first).to_be_visible()
    expect(change.locator("del").first).to_be_visible()
    expect(year).to_have_class(re.compile("nte-edited"))
    year.click()
    panel.get_by_role("button", name="Mask").click()
    expect(change).to_contain_text("3 Jan ▒▒▒▒")
    chips(panel, "Input").nth(0).click()
    panel.get_by_role("button", name="Delete").click()
    expect(change).to_contain_text("Jan ▒▒▒▒")
    change.get_by_role("button", name="Reset").click()
    expect(change).to_have_count(0)
    year.press("Enter")
    expect(panel.get_by_role("dialog", name="Change 2019")).to_be_visible()
    panel.get_by_role("button", name="Mask").press("Escape")
    expect(panel.get_by_role("dialog", name="Change 2019")).to_have_count(0)


def test_matrix_zooms_reads_by_keys_and_pins_stand_side_by_side(lab: Lab, dates: str) -> None:
    notebook, panel = opened(lab, dates, f'"{SOURCE}" --unit word')
    expect(panel.get_by_text("exact, 8 coalitions")).to_be_visible()
    panel.get_by_role("radio", name="Matrix").click()
    matrix = panel.get_by_role("img", name="Matrix of")
    wide = matrix.locator("svg").bounding_box()
    matrix.focus()
    notebook.page.keyboard.press("ArrowDown")
    expect(panel.locator(".nte-summary").first).to_contain_text("from “3”")
    notebook.page.keyboard.press("-")
    small = matrix.locator("svg").bounding_box()
    assert wide and small and small["height"] < wide["height"]
    panel.get_by_role("button", name="Pin", exact=True).click()
    panel.get_by_role("radio", name="Attention").click()
    panel.get_by_role("button", name="Pin", exact=True).click()
    cards = panel.locator(".nte-card")
    expect(cards).to_have_count(2)
    first, second = (cards.nth(at).bounding_box() for at in (0, 1))
    assert first and second and first["y"] == second["y"]
    pictures(notebook, panel, "pins")
    cards.first.get_by_role("button", name="Unpin").click()
    expect(cards).to_have_count(1)
    assert not lab.complaints


def saved(notebook: Notebook, panel: Locator, name: str, folder: Path) -> Path:
    """What one of the export buttons saves."""
    with notebook.page.expect_download() as download:
        panel.get_by_role("button", name=name, exact=True).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_exports_are_whole_files(lab: Lab, dates: str, tmp_path: Path) -> None:
    notebook, panel = opened(lab, dates, f'"{SOURCE}" --unit word')
    expect(panel.get_by_text("exact, 8 coalitions")).to_be_visible()
    kept = {name: saved(notebook, panel, name, tmp_path) for name in ("PNG", "SVG", "HTML")}
    assert kept["PNG"].read_bytes().startswith(b"\x89PNG") and kept["PNG"].stat().st_size > 3000
    assert kept["SVG"].read_text().startswith("<svg") and "2019" in kept["SVG"].read_text()
    page = notebook.page.context.new_page()
    page.goto(kept["HTML"].as_uri())
    alone = page.locator(".nte")
    chips(alone, "Output").nth(0).hover()
    expect(alone.locator(".nte-summary")).to_contain_text("Top attributions for output")
    expect(alone.get_by_role("button", name="HTML")).to_have_count(0)
    page.close()


def test_pictures_hold_every_view_and_leave_the_panel_as_it_was(lab: Lab, dates: str, tmp_path: Path) -> None:
    notebook, panel = opened(lab, dates, f'"{SOURCE}" --unit word')
    expect(panel.get_by_text("exact, 8 coalitions")).to_be_visible()
    text = saved(notebook, panel, "SVG", tmp_path).read_text()
    assert text.count("<rect") > 3 and ">Jan</text>" in text and "rotate(" not in text
    assert "Model" in text and "hover" not in text
    panel.get_by_role("radio", name="Matrix").click()
    assert "output ↓" in saved(notebook, panel, "SVG", tmp_path).read_text()
    panel.get_by_role("button", name="Pin", exact=True).click()
    chips(panel, "Input").nth(2).click()
    panel.get_by_label("Replace 2019 by").fill("1984")
    panel.get_by_role("button", name="Replace", exact=True).click()
    expect(panel.get_by_role("region", name="Changed input")).to_contain_text("1984")
    whole = saved(notebook, panel, "SVG", tmp_path).read_text()
    assert (
        ">1984</text>" in whole and "line-through" in whole and whole.count(">Jan</text>") >= 4
    )  # once more if the sentence names it
    for gone in ("Unpin", "Reset", "Zoom"):
        assert gone not in whole
    assert panel.locator(".nte-paper").count() == 0
    assert not lab.complaints


def test_heads_of_attention_are_shown_one_by_one(lab: Lab, tmp_path: Path) -> None:
    model = TextGenerator(
        hidden_size=16, embedding_size=8, samples=0, epochs=1, attention="multihead", heads=2, batch_size=16
    ).fit(builtin("dates", 200), callbacks=[])
    notebook, panel = opened(lab, str(model.save(tmp_path / "heads")), f'"{SOURCE}" --unit word --method attention')
    head = panel.get_by_label("Head")
    expect(head.locator("option")).to_have_text(["mean of 2 heads", "head 1", "head 2"])
    head.select_option("head 2")
    expect(panel.locator(".nte-notes")).to_contain_text("head 2 of 2")
    expect(head).to_be_focused()
    shown = [float(text) for text in chips(panel, "Input").locator(".nte-number").all_inner_texts()]
    wanted = json.loads(notebook.value("panel.explanations['attention'].head(2).total().tolist()"))
    assert shown == pytest.approx(wanted, abs=0.0051)
    panel.get_by_role("radio", name="Input x gradient").click()
    expect(head).to_have_count(0)
    assert not lab.complaints


def test_everything_can_be_reached_by_keys(lab: Lab, dates: str) -> None:
    notebook, panel = opened(lab, dates, f'"{SOURCE}" --unit word')
    expect(panel.get_by_text("exact, 8 coalitions")).to_be_visible()
    press = notebook.page.keyboard.press
    panel.get_by_role("radio", name="SHAP").focus()
    press("ArrowRight")
    expect(panel.get_by_role("radio", name="Attention")).to_be_focused()
    press("ArrowLeft")
    stops = []
    for _ in range(13):
        press("Tab")
        stops.append(notebook.page.evaluate("document.activeElement.ariaLabel || document.activeElement.textContent"))
    assert stops[:3] == ["Unit", "Why this and not", "runner-up"]
    assert stops[3:11] == ["Text", "Interactions", "Smallest change", "Training rows", "Pin", "PNG", "SVG", "HTML"]
    assert stops[11].startswith("3") and stops[12].startswith("2")  # one stop for each row of chips
    notebook.page.keyboard.press("Shift+Tab")
    press("End")
    expect(chips(panel, "Input").nth(2)).to_be_focused()
    press("Enter")
    expect(panel.get_by_role("button", name="Mask")).to_be_focused()
    press("Tab")
    press("Tab")
    notebook.page.keyboard.type("1984")
    press("Enter")
    expect(panel.get_by_role("region", name="Changed input")).to_contain_text("3 Jan 1984")
    expect(chips(panel, "Input").nth(2)).to_be_focused()
    press("Home")
    press("Enter")
    expect(panel.get_by_role("button", name="Mask")).to_be_focused()
    press("Escape")
    expect(chips(panel, "Input").nth(0)).to_be_focused()


def test_nothing_is_wrong_by_the_rules_of_accessibility(lab: Lab, dates: str) -> None:
    notebook, panel = opened(lab, dates, f'"{SOURCE}" --unit word')
    expect(panel.get_by_text("exact, 8 coalitions")).to_be_visible()
    panel.get_by_role("button", name="Pin", exact=True).click()
    panel.get_by_role("radio", name="Matrix").click()
    chips(panel, "Output").nth(1).click()
    chips(panel, "Input").nth(2).click()
    expect(panel.get_by_role("dialog")).to_be_visible()
    nothing_wrong(notebook, panel)
    panel.get_by_role("button", name="Delete").click()
    expect(panel.get_by_role("region", name="Changed input")).to_be_visible()
    nothing_wrong(notebook, panel)


def test_a_long_text_has_a_matrix_to_zoom_and_scroll(lab: Lab, dates: str) -> None:
    line = '"' + " ".join([SOURCE] * 12) + '" --method attention'
    notebook, panel = opened(lab, dates, line)
    panel.get_by_role("radio", name="Matrix").click()
    zoom, place = panel.get_by_label("Zoom"), panel.get_by_role("img", name="Matrix of")
    zoom.fill("64")
    assert place.evaluate("one => one.scrollWidth > one.clientWidth + 1000")
    place.focus()
    for _ in range(30):
        notebook.page.keyboard.press("ArrowRight")
    assert place.evaluate("one => one.scrollLeft") > 0  # the cell that is read is in sight
    zoom.fill("5")
    assert place.evaluate("one => one.scrollWidth <= one.clientWidth + 1")
    pictures(notebook, panel, "long")


def test_training_rows_are_listed_marked_and_copied(lab: Lab, dates: str) -> None:
    notebook, panel = opened(lab, dates, f'"{SOURCE}" --unit word')
    chips(panel, "Output").nth(6).click()
    panel.get_by_role("button", name="Training rows").click()
    rows = panel.get_by_role("region", name="Training rows")
    expect(rows.get_by_role("table")).to_have_count(2)
    expect(rows.get_by_role("table").first.get_by_role("row")).to_have_count(10)
    settle(notebook, panel)
    mark = rows.get_by_role("button", name="Mark row").nth(1)
    place = rows.get_by_role("row").nth(1).locator(".nte-place").inner_text()
    mark.focus()
    notebook.page.keyboard.press("Enter")
    expect(rows.get_by_role("button", name=f"Unmark {place}")).to_be_focused()
    assert notebook.value("panel.marked[0].place") == place
    rows.get_by_role("button", name="Copy").click()
    assert notebook.page.evaluate("navigator.clipboard.readText()").startswith(f"{place}\t")
    pictures(notebook, panel, "rows")
    assert not notebook.accessibility(rows)
    assert place in notebook.value("panel.html()") and "speak for" in notebook.value("panel.still()['text/html']")
    rows.get_by_role("button", name="Close the training rows").click()
    expect(rows).to_have_count(0)
    assert not lab.complaints


def test_long_work_shows_progress_and_can_be_cancelled(lab: Lab, dates: str) -> None:
    line = '"' + " ".join([SOURCE] * 8) + '" --budget 1000000'
    notebook, panel = opened(lab, dates, line, settled=False)
    expect(panel.get_by_role("progressbar")).to_be_visible()
    expect(chips(panel, "Input").first).to_be_visible()
    panel.get_by_role("button", name="Cancel").click()
    expect(panel.get_by_role("progressbar")).to_have_count(0)
    assert notebook.value("panel.status['busy']") == "False"
    panel.get_by_role("radio", name="Attention").click()
    expect(panel.locator(".nte-notes")).to_contain_text("attention")


def test_arrow_keys_follow_the_reading_direction(lab: Lab, dates: str) -> None:
    notebook, panel = opened(lab, dates, '"שלום עולם 2019" --unit word')
    words = chips(panel, "Input")
    first, second = (words.nth(at).bounding_box() for at in (0, 1))
    assert first and second and first["x"] > second["x"]
    words.nth(0).focus()
    notebook.page.keyboard.press("ArrowLeft")
    expect(words.nth(1)).to_be_focused()
    pictures(notebook, panel, "rtl")


def test_markup_controls_and_right_to_left_text_are_shown_and_do_nothing(lab: Lab, dates: str) -> None:
    notebook, panel = opened(lab, dates, '"<img src=x> שלום\u202e 2019" --unit word')
    words = chips(panel, "Input").locator(".nte-word").all_inner_texts()
    assert words[:3] == ["<", "img", "src"]
    assert panel.locator("img").count() == 0
    assert "שלום⟨U+202E⟩" in words  # a control belongs to the word before it (UAX 29, rule WB4)
    assert not lab.complaints


def test_a_saved_notebook_shows_what_was_on_screen_without_a_kernel(lab: Lab, dates: str) -> None:
    notebook, panel = opened(lab, dates, f'"{SOURCE}" --unit word')
    panel.get_by_role("radio", name="Occlusion").click()
    settle(notebook, panel)
    saved = notebook.save().read_text()
    for said in (
        "every output token",
        "exact, 8 coalitions",
        "one unit left out",
        "application/vnd.jupyter.widget-view+json",
    ):
        assert said in saved
    assert not lab.complaints


def test_interactions_smallest_changes_and_the_close_button(lab: Lab, dates: str, tmp_path: Path) -> None:
    notebook, panel = opened(lab, dates, f'"{SOURCE}" --unit word')
    expect(panel.locator(".nte-title")).to_contain_text("Explanation of")
    panel.get_by_role("button", name="Interactions").click()
    expect(panel.locator(".nte-arcs path").first).to_be_visible()
    panel.get_by_role("button", name="Smallest change", exact=True).click()
    found = panel.get_by_role("region", name="Smallest changes")
    expect(found).to_contain_text("Without")
    row = panel.get_by_role("group", name="Input")
    assert row.evaluate("row => row.scrollWidth <= row.clientWidth")
    nothing_wrong(notebook, panel)
    assert "<path" in saved(notebook, panel, "SVG", tmp_path).read_text()
    panel.get_by_role("button", name="Close the explanation").click()
    expect(panel).to_have_count(0)
    assert not lab.complaints
