"""What is left in a saved notebook: bounded, whole as HTML, as text for LaTeX and PDF; also after papermill and in a terminal."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.notebook.installing import installed

ROOT = Path(__file__).parents[2]
ROWS = "%load_ext nbtextgen\nrows = [(a + b + c, c + b + a) for a in 'abcdef' for b in 'abcdef' for c in 'abcdef']"
TINY = "--hidden-size 8 --embedding-size 8 --dropout 0 --batch-size 16"
CELLS = [
    ROWS,
    f"%textgen_train words --data rows {TINY} --epochs 2 --run kept",
    "%textgen_generate words abc --beam 3 --n-best 2",
    "%textgen_explain words abc",
    "%textgen_data rows",
    "%textgen_runs",
    "%textgen_panel words abc",
    "%textgen_panel other --data rows",
]
CHART = 'src="data:image/svg+xml;base64,'


def executed(cells: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> nbformat.NotebookNode:
    """A notebook of these cells, run in a folder, saved without the state of its widgets, as JupyterLab saves it."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    place = {"metadata": {"path": str(folder)}}
    return NotebookClient(
        notebook, timeout=600, startup_timeout=300, store_widget_state=False, resources=place
    ).execute()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    with pytest.MonkeyPatch.context() as patch:
        return executed(CELLS, tmp_path_factory.mktemp("story"), patch)


def test_a_page_without_kernel_shows_every_output(story: nbformat.NotebookNode) -> None:
    from nbconvert import HTMLExporter

    page = HTMLExporter().from_notebook_node(story)[0]
    outputs = page.split('class="jp-Cell-outputWrapper')[1:]
    assert len(outputs) == len(CELLS) - 1  # the first cell shows nothing
    for output, wanted in zip(
        outputs, (CHART, "<table", "<table", CHART, CHART, "<table", "%textgen_train other"), strict=True
    ):
        assert wanted in output, wanted
    assert "Loading widget" not in page and "widget-view+json" not in page


def test_latex_and_pdf_get_the_plain_text(story: nbformat.NotebookNode) -> None:
    from nbconvert import LatexExporter

    page = LatexExporter().from_notebook_node(story)[0]
    for text in ("finished after", "Generation(", "216 pairs", "updates", "Generate panel", "Train panel"):
        assert text in page, text
    assert not re.search("<nbtextgen|object at 0x|VBox", page)


def test_a_notebook_does_not_grow_with_training_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = f"%textgen_train words --data rows {TINY} --epochs 1000 --validate-every 20 --samples 2 --max-steps"
    notebook = executed([ROWS, f"{train} 100", f"{train} 600"], tmp_path, monkeypatch)
    # The still, and the bar below it with its own.
    assert [len(cell.outputs) for cell in notebook.cells] == [0, 3, 3]
    short, long = (len(json.dumps(cell.outputs)) for cell in notebook.cells[1:])
    assert long < 200_000 and long < 2 * short


def test_papermill_runs_a_notebook_with_parameters(tmp_path: Path) -> None:
    packages = installed("papermill", "papermill==2.*", "tenacity", "entrypoints", "ansicolors")
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("epochs = 1", metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell(ROWS),
            nbformat.v4.new_code_cell(f"%textgen_train words --data rows {TINY} --epochs {{epochs}}"),
            nbformat.v4.new_code_cell("words.plan.training.epochs"),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(notebook, tmp_path / "in.ipynb")
    command = [sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb", "-p", "epochs", "3", "--no-progress-bar"]
    path = os.pathsep.join((str(packages), str(ROOT)))
    env = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    found = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert found.cells[-1].outputs[0]["data"]["text/plain"] == "3"
    shown = [one for one in found.cells[-2].outputs if "data" in one]
    assert "finished after" in shown[0]["data"]["text/plain"] and CHART in shown[0]["data"]["text/html"]


def test_a_terminal_gets_text_that_can_be_read(tmp_path: Path) -> None:
    lines = [
        *ROWS.split("\n"),
        f"%textgen_train words --data rows {TINY} --epochs 2",
        "%textgen_generate words abc",
        "%textgen_panel words",
        "%textgen_runs",
        "%textgen_generate wrods abc",
    ]
    command = [sys.executable, "-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "IPYTHONDIR": str(tmp_path)}
    ran = subprocess.run(
        command,
        cwd=tmp_path,
        env=env,
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert "epoch 2" in ran.stdout and "finished after" in ran.stdout and "There are no runs" in ran.stdout
    assert "Did you mean 'words'" in ran.stdout and "Traceback" not in ran.stdout
    assert "object at 0x" not in ran.stdout and "<div" not in ran.stdout
