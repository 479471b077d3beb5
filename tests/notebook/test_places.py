"""Other notebooks: marimo and Voila, with the code of their guides; and panels of a model that need no magics.

The tests with the real programs are skipped where they are not installed; ``tools/test_places.sh`` installs them.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import anywidget
import pytest

from nbtextgen import TextGenerator, panel
from nbtextgen.core.errors import OptionError
from nbtextgen.notebook.panels.train import TrainPanel
from nbtextgen.notebook.session import Session

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "tests" / "data" / "format-1" / "characters"
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def model() -> TextGenerator:
    return TextGenerator.load(MODEL)


def blocks(guide: str) -> list[str]:
    """The Python of a guide."""
    text = (ROOT / "docs" / "guides" / f"{guide}.md").read_text(encoding="utf-8")
    return re.findall(r"^```python[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_panels_of_a_model_need_no_shell(model: TextGenerator) -> None:
    generate = panel(model, "abc")
    generate._worker.wait(30)
    assert generate.names == ["model"] and "cba" in generate.summary()[0]
    explain = panel(model, "cab", kind="explain")
    assert explain.explanation.text == "bac"
    for kind in ("train", "history"):
        with pytest.raises(OptionError, match="generate"):
            panel(model, kind=kind)
    with pytest.raises(OptionError, match=r"panel\(model\)"):
        panel("words")


def test_two_explanations_on_a_page_keep_their_style_sheets(model: TextGenerator) -> None:
    first, second = (panel(model, text, kind="explain") for text in ("abc", "cab"))
    assert first._anywidget_id != second._anywidget_id  # else the page shows the static form of the first


def test_marimo_gets_anywidgets_or_the_static_form(model: TextGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    fake: Any = ModuleType("marimo")
    fake.ui = SimpleNamespace(anywidget=lambda widget: ("live", widget))
    fake.vstack, fake.Html = list, lambda text: ("html", text)
    monkeypatch.setitem(sys.modules, "marimo", fake)
    shown = panel(model, "abc")._display_()
    assert len(shown) == 5 and all(kind == "live" and isinstance(part, anywidget.AnyWidget) for kind, part in shown)
    explanation = panel(model, "abc", kind="explain")
    assert explanation._display_() == [("live", explanation)]
    shell: Any = SimpleNamespace(user_ns={})
    assert TrainPanel(Session(shell))._display_()[0] == "html"  # its buttons are no anywidgets


def small(code: str) -> str:
    """The code of a guide with a small model of the tests."""
    code = re.sub(r"TextGenerator\(max_minutes=1\)\.fit\(.*\)\n", f"TextGenerator.load({str(MODEL)!r})\n", code)
    code = code.replace('"dates-model"', repr(str(MODEL))).replace(
        'builtin("dates", 200, seed=99)', "[('abc', 'cba')] * 3"
    )
    return re.sub(r'"3 Jan 2019"', '"abc"', code)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


def test_marimo_exports_the_notebook_of_its_guide(tmp_path: Path) -> None:
    pytest.importorskip("marimo")
    [code] = blocks("marimo")
    (tmp_path / "app.py").write_text(small(code), encoding="utf-8")
    command = [sys.executable, "-m", "marimo", "export", "html", "app.py", "-o", "page.html"]
    subprocess.run(command, cwd=tmp_path, env=environment(), check=True, capture_output=True, timeout=300)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    for value in ("TextGenerator(", "95 % interval", "the 4th of July"):
        assert value in page, value
    assert (
        page.count("marimo-anywidget data-initial-value") >= 6
    )  # five parts of the Generate panel, and the explanation


def test_voila_serves_the_dashboard_of_its_guide(tmp_path: Path) -> None:
    pytest.importorskip("voila")
    cells = [small(code) for code in blocks("voila")[1:]]
    notebook: dict[str, Any] = {
        "cells": [
            {"cell_type": "code", "id": f"c{n}", "metadata": {}, "execution_count": None, "outputs": [], "source": cell}
            for n, cell in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (tmp_path / "dashboard.ipynb").write_text(json.dumps(notebook))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from voila.app import main; main()", "dashboard.ipynb", "--no-browser"]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, f"--port={port}", "--Voila.ip=127.0.0.1"],
            cwd=tmp_path,
            env=environment(),
            stderr=log,
            stdout=log,
        )
    try:
        page = urllib.request.urlopen(address(tmp_path / "log"), timeout=200).read().decode()
    finally:
        server.terminate()
        server.wait(30)
    assert page.count(VIEW) >= 2 and "Generate panel" in page and "Traceback" not in page


def address(log: Path) -> str:
    """Where the server says that it listens."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if found := re.search(r"http://\S+:\d+", log.read_text()):
            return found[0]
        time.sleep(0.5)
    raise AssertionError(log.read_text())
