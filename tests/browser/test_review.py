"""The review panel in a real notebook: forty keys for forty rows, nothing lost, in both themes."""

from __future__ import annotations

import secrets

import nbformat
from playwright.sync_api import Locator, expect

from .lab import TOO_WIDE, Lab, Notebook, nothing_wrong, pictures

LOAD = """%load_ext nbtextgen
from nbtextgen import TextGenerator, builtin
dates = TextGenerator.load({folder!r})
todo = dates.generate_file(builtin("dates", 40, seed=7).sources, on_progress=lambda done, count: None)
todo.rows.append(todo.rows[0]._replace(source="אחד <b>שלוש</b>", text="一二三 $x$ \\u202e", confidence=0.004))
todo.rows.append(todo.rows[0]._replace(source="a long source " * 40, text="long output " * 40, confidence=0.009))"""


def opened(lab: Lab, dates: str, options: str = "") -> tuple[Notebook, Locator]:
    """A notebook with the review of 42 outputs, in a file of its own."""
    line = f"panel = %textgen_review todo --file {secrets.token_hex(4)}.review {options}\npanel"
    notebook = lab.open([LOAD.format(folder=dates), line], run=True)
    panel = notebook.panel(1)
    row(panel, 41).wait_for()
    return notebook, panel


def row(panel: Locator, number: int) -> Locator:
    """The row that is shown, if it has this number."""
    return panel.get_by_role("group", name=f"Row {number},")


def test_keys_accept_correct_undo_and_a_restart_goes_on(lab: Lab, dates: str) -> None:
    notebook, panel = opened(lab, dates)
    keys, said = notebook.page.keyboard, panel.locator(".ntr > [role='status']")
    expect(panel.get_by_text("0 of 42 rows decided")).to_be_visible()
    row(panel, 41).click()
    expect(row(panel, 41)).to_be_focused()
    keys.press("s")
    expect(said).to_contain_text("Row 41 skipped. Row 42: source a long source")
    keys.press("e")
    field = panel.get_by_label("Right output")
    expect(field).to_be_focused()
    keys.press("Control+a")
    keys.type("a short one")
    keys.press("Control+Enter")
    expect(said).to_contain_text("Row 42 corrected.")
    expect(row(panel, 42)).to_have_count(0)
    candidates = panel.get_by_role("list", name="Candidates").get_by_role("button")
    expect(candidates.nth(1)).to_be_visible()
    chosen = candidates.nth(1).locator("bdi").inner_text()
    keys.press("2")
    expect(panel.get_by_text("3 of 42 rows decided")).to_be_visible()
    keys.press("Enter")
    expect(panel.get_by_text("4 of 42 rows decided")).to_be_visible()
    keys.press("u")
    expect(said).to_contain_text("Undone")
    expect(panel.get_by_text("3 of 42 rows decided")).to_be_visible()
    assert notebook.value("panel.review.counts") == "{'accepted': 0, 'corrected': 2, 'skipped': 1}"
    assert notebook.value("[pair[1] for pair in todo.corrections]") in (
        f"{[chosen, 'a short one']}",
        f"{['a short one', chosen]}",
    )
    expect(panel.get_by_text("%textgen_train better --data todo.corrections --start dates")).to_be_visible()
    panel.get_by_role("listbox").press("k")  # the cells above have taken the focus
    expect(panel.get_by_text("corrected to")).to_have_count(1)

    notebook.save()
    notebook.reload()
    expect(notebook.panel(1).get_by_text("3 of 42 rows decided")).to_be_visible()
    notebook.restart_kernel()
    for at in (0, 1):
        notebook.run(at)
    expect(notebook.panel(1).get_by_text("3 of 42 rows decided")).to_be_visible()
    expect(notebook.panel(1).get_by_label("Rows to list")).to_have_value("undecided")
    saved = nbformat.read(notebook.save(), as_version=4)
    still = "".join(output["data"].get("text/html", "") for output in saved.cells[1].outputs)
    assert "a short one" in still and "3 of 42 rows decided" in still
    assert not lab.complaints


def test_it_looks_right_in_both_themes_and_at_every_width(lab: Lab, dates: str) -> None:
    notebook, panel = opened(lab, dates)
    keys = notebook.page.keyboard
    row(panel, 41).click()
    nothing_wrong(notebook, panel)
    keys.press("j")
    row(panel, 42).wait_for()
    keys.press("Enter")
    keys.press("?")
    expect(panel.get_by_role("table", name="Keys")).to_be_visible()
    expect(panel.locator(".ntr-token").first).to_be_visible()
    pictures(notebook, panel, "review")
    keys.press("e")
    nothing_wrong(notebook, panel)
    pictures(notebook, panel, "review-edit")
    keys.press("Escape")
    keys.press("?")
    for width in (700, 420):
        notebook.page.set_viewport_size({"width": width, "height": 900})
        notebook.drawn()
        assert panel.evaluate(TOO_WIDE) == [], width
        pictures(notebook, panel, f"review-{width}")
    keys.press("x")
    expect(notebook.output(1).locator(".nte")).to_be_visible()
    assert not lab.complaints


def test_a_hundred_thousand_rows_scroll_and_jump(lab: Lab) -> None:
    rows = "rows = [(f'source {row}', f'output {row}') for row in range(100_000)]"
    line = f"panel = %textgen_review rows --file {secrets.token_hex(4)}.review\npanel"
    notebook = lab.open([f"%load_ext nbtextgen\n{rows}", line], run=True)
    panel = notebook.panel(1)
    options, listed = panel.get_by_role("option"), panel.get_by_role("listbox")
    row(panel, 1).wait_for()
    assert options.count() <= 100  # the others are in the kernel
    listed.evaluate("list => { list.scrollTop = list.scrollHeight / 2; }")
    panel.get_by_text("output 50000").click()
    row(panel, 50_001).wait_for()
    listed.press("End")
    row(panel, 100_000).wait_for()
    expect(options.last).to_have_attribute("aria-selected", "true")
    listed.press("Enter")
    row(panel, 1).wait_for()
    expect(panel.get_by_text("1 of 100,000 rows decided")).to_be_visible()
    assert not lab.complaints
