"""The same in Notebook 7: training is watched, steered and stopped, and a panel writes and explains."""

from __future__ import annotations

from .lab import Lab, nothing_wrong, pictures
from .test_live import SMALL, logged, started

TRAIN = f"%textgen_train dates --data builtin:dates?count=300 {SMALL} --run classic"


def test_notebook_7_trains_steers_stops_generates_and_explains(lab: Lab) -> None:
    notebook = lab.open(["%load_ext nbtextgen", TRAIN, "%textgen_panel dates"], classic=True)
    assert notebook.page.evaluate("jupyterapp.name") == "Jupyter Notebook"
    live = started(notebook)
    live.get_by_role("slider", name="Dropout").fill("0.2")
    logged(notebook, next(notebook.server.folder.glob("runs/classic*/events.jsonl")), "dropout", 0.2)
    nothing_wrong(notebook, live)
    pictures(notebook, live, "notebook7-live")
    live.get_by_role("button", name="Stop").press("Enter")
    notebook.wait(1)
    asked = notebook.run(2)
    asked.get_by_role("textbox", name="text").fill("3 Jan 2019")
    asked.get_by_text("generated in").wait_for()
    asked.get_by_role("button", name="Explain").first.press("Enter")
    asked.locator(".nte").get_by_role("group", name="Output").wait_for()
    nothing_wrong(notebook, asked)
    pictures(notebook, asked, "notebook7-panel")
