"""Execute notebooks and keep their outputs, without paths, times and widget state, for readers on GitHub and in the gallery.

Run ``python scripts/execute_notebooks.py notebooks/01-quickstart.ipynb ...`` on a machine that does nothing else: the notebooks
train for a given number of minutes. ``NBTEXTGEN_MINUTES`` and ``NBTEXTGEN_COUNT`` change minutes and pairs. A translation, such as
``12-from-rnn-to-attention.zh.ipynb``, has the same code and takes the outputs of its original.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

REPLACEMENTS = (
    (re.compile(r"(?:/[\w.+-]+)*/tmp[\w-]*/(?=[\w.])"), ""),  # temporary folders
    (re.compile(r"(?:/[\w.+-]+){2,}/python3?(?:\.\d+)?\b"), "python"),
    (re.compile(r" after \d+:\d\d(?::\d\d)?"), ""),
    (re.compile(r"(?:; \d[\d,]* updates)? in \d+:\d\d(?::\d\d)?, [\d,]+ tokens/s"), ""),
    (re.compile(r", [\d,]+ tokens/s"), ""),
    (re.compile(r"(?<=<bdi>)\d+:\d\d(?::\d\d)?(?=</bdi>)|(?<=  )\d+:\d\d(?::\d\d)?(?=  )"), "-"),
)
WIDGET = "application/vnd.jupyter.widget-view+json"
WAIT = """
import threading
for thread in threading.enumerate():
    if thread.name == "nbtextgen explain":
        thread.join()
"""
"""What a last cell does, which is not kept: explanations are computed behind their panels, whose static forms then follow."""


def stripped(text: str) -> str:
    """A text of an output without paths, times and speeds."""
    for pattern, replacement in REPLACEMENTS:
        text = pattern.sub(replacement, text)
    return text


def strip_output(output: Any) -> None:
    """Strip one output in place."""
    if output.get("output_type") == "stream":
        output["text"] = stripped(output["text"])
    data = output.get("data", {})
    data.pop(WIDGET, None)
    for kind, content in data.items():
        if kind.startswith("text/") and isinstance(content, str):
            data[kind] = stripped(content)


def shows_something(output: Any) -> bool:
    """Whether an output is more than the invisible widget that serves the Explain buttons."""
    return output.get("output_type") != "display_data" or bool(output["data"].get("text/plain"))


def execute(path: Path) -> None:
    """Execute a notebook in its folder and write it back with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    notebook["cells"].append(nbformat.v4.new_code_cell(WAIT))
    place = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=3600, store_widget_state=False, coalesce_streams=True, resources=place).execute()
    del notebook["cells"][-1]
    notebook["metadata"].pop("widgets", None)
    notebook["metadata"]["language_info"] = {"name": "python"}
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        for output in cell.get("outputs", []):
            strip_output(output)
        if "outputs" in cell:
            cell["outputs"] = [output for output in cell["outputs"] if shows_something(output)]
    nbformat.write(notebook, path)
    print(f"{path}: {path.stat().st_size:,} bytes")
    for translation in path.parent.glob(f"{path.stem}.??.ipynb"):
        take_outputs(translation, notebook)


def take_outputs(path: Path, original: Any) -> None:
    """Give the code cells of a translation the outputs of the original."""
    translation = nbformat.read(path, as_version=4)
    pairs = [
        [cell for cell in notebook["cells"] if cell["cell_type"] == "code"] for notebook in (translation, original)
    ]
    for cell, executed in zip(*pairs, strict=True):
        if cell["source"] != executed["source"]:
            raise SystemExit(f"{path}: the code differs from the original's: {cell['source'][:80]!r}")
        cell["outputs"], cell["execution_count"] = executed["outputs"], executed["execution_count"]
    nbformat.write(translation, path)
    print(f"{path}: outputs of its original")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        execute(Path(argument))
