"""Explain beside every generated text: one press, whatever wrote it and however it is shown; nothing dead without a kernel."""

from __future__ import annotations

import nbformat
from nbconvert import HTMLExporter
from playwright.sync_api import Locator, expect

from .lab import Lab, Notebook, nothing_wrong, pictures

LOAD = "%load_ext nbtextgen\nfrom nbtextgen import TextGenerator\ndates = TextGenerator.load({folder!r})"
CELLS = [
    '%textgen_generate dates "3 Jan 2019" --beam 4 --n-best 3',
    "%%textgen_generate dates\n3 Jan 2019\n4 Feb 2020",
    "dates.generate(['5 May 1999'] * 150)",
]


def buttons(notebook: Notebook, at: int) -> Locator:
    """The Explain buttons that can be seen in an output."""
    return notebook.output(at).locator("button.ntg-explain:visible")


def explained(output: Locator) -> str:
    """The text that is explained in an output, once its explanation is there."""
    words = output.locator(".nte").get_by_role("group", name="Output").locator(".nte-word")
    expect(words.first).to_be_visible()
    return "".join(words.all_inner_texts())


def test_any_generated_text_is_explained_with_one_press(lab: Lab, dates: str) -> None:
    notebook = lab.open([LOAD.format(folder=dates), *CELLS], run=True)
    for at, count in (
        (1, 3),
        (2, 2),
        (3, 100),
    ):  # a button costs no widget; still, a long list has them for its first texts
        expect(buttons(notebook, at)).to_have_count(count)
    texts = notebook.value("[one.text for one in Out[2].candidates]")
    output = notebook.output(1)
    buttons(notebook, 1).nth(1).press("Enter")
    assert repr(explained(output).rstrip("■")) in texts
    nothing_wrong(notebook, output)
    pictures(notebook, output, "explain")

    buttons(notebook, 1).nth(0).click()  # takes the place of the one before
    expect(buttons(notebook, 1).nth(1)).to_have_attribute("aria-expanded", "false")
    expect(output.locator(".nte")).to_have_count(1)
    explained(output)
    buttons(notebook, 1).nth(0).press("Space")
    expect(output.locator(".nte")).to_have_count(0)
    buttons(notebook, 3).nth(99).click()
    explained(notebook.output(3))
    there = "__import__('ipywidgets').widgets.widget._instances.values()"
    assert notebook.value(f"[type(one).__name__ for one in {there}].count('ExplanationPanel')") == "1"
    assert not lab.complaints


def test_explain_outlives_a_reload_and_goes_with_its_kernel_and_its_model(lab: Lab, dates: str) -> None:
    notebook = lab.open([LOAD.format(folder=dates), CELLS[0]], run=True)
    expect(buttons(notebook, 1)).to_have_count(3)
    path = notebook.save()
    notebook.reload()
    expect(buttons(notebook, 1)).to_have_count(3)
    buttons(notebook, 1).nth(0).click()
    explained(notebook.output(1))
    notebook.run(notebook.add("del dates, Out, _, _2\n__import__('gc').collect()"))
    buttons(notebook, 1).nth(1).click()
    notebook.output(1).get_by_text("no longer exists; run the cell again").wait_for()
    notebook.restart_kernel()
    expect(buttons(notebook, 1)).to_have_count(0)
    expect(notebook.output(1).locator(".nte")).to_have_count(0)
    expect(notebook.output(1).get_by_role("row")).to_have_count(4)

    saved = nbformat.read(path, as_version=4)
    assert set(saved.cells[1].outputs[0]["data"]) == {"text/html", "text/plain"}
    page = notebook.page.context.new_page()
    page.set_content(HTMLExporter().from_notebook_node(saved)[0])
    expect(page.get_by_role("row")).to_have_count(4)
    expect(page.get_by_role("button", name="Explain")).to_have_count(0)
    page.close()
