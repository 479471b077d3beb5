"""Execute a notebook in place of a person and leave it as an HTML page: ``python notebooks/run.py NOTEBOOK.ipynb``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter


def main(path: Path) -> None:
    """Run every cell, write the page beside the notebook, and print where it is."""
    notebook = nbformat.read(path, as_version=4)
    began = time.perf_counter()
    # Without saved widget state the page shows the still form of every panel, which needs no kernel and no network.
    place = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=900, store_widget_state=False, resources=place).execute()
    page = path.with_suffix(".html").resolve()
    page.write_text(HTMLExporter().from_notebook_node(notebook)[0], encoding="utf-8")
    print(f"executed in {time.perf_counter() - began:.0f} s; open {page}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
