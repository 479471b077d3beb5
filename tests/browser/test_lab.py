"""The ground that the other browser tests stand on: JupyterLab opens, cells run, a widget answers."""

from __future__ import annotations

from pathlib import Path

from .lab import ROOT, Lab


def test_a_cell_runs_in_this_python_and_a_restart_forgets_it(lab: Lab, tmp_path: Path) -> None:
    notebook = lab.open(["import nbtextgen; print(nbtextgen.__file__)", "kept = 7"], run=True)
    assert notebook.output(0).inner_text().strip() == str(ROOT / "nbtextgen" / "__init__.py")
    assert notebook.value("kept") == "7"
    notebook.restart_kernel()
    assert notebook.value("'kept' in globals()") == "False"
    light, dark = notebook.pictures(notebook.cell(0), tmp_path / "cell")
    assert light.read_bytes() != dark.read_bytes()


def test_a_widget_reaches_the_kernel_and_back(lab: Lab) -> None:
    code = """import ipywidgets
button, label = ipywidgets.Button(description="Press"), ipywidgets.Label("not yet")
button.on_click(lambda _: setattr(label, "value", "pressed"))
ipywidgets.VBox([button, label])"""
    output = lab.open([code], run=True).output(0)
    output.get_by_role("button", name="Press").click()
    output.get_by_text("pressed").wait_for()


def test_what_a_page_asks_of_other_hosts_is_noticed(lab: Lab) -> None:
    notebook = lab.open(["1"])
    notebook.page.evaluate("() => fetch('http://example.invalid/x').catch(() => 0)")
    assert lab.foreign == ["http://example.invalid/x"]
    lab.foreign.clear()
