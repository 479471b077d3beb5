"""Runs the JavaScript engine of a page in Node.js; skipped without it, failed with ``CI=true``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RUNNER = Path(__file__).parent / "engine.mjs"


@pytest.fixture(scope="session")
def run_engine(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """From cases to what the engine answers; see ``engine.mjs``."""
    from nbtextgen.export.page.document import script, without_comments

    node = shutil.which("node")
    if node is None:
        message = "No Node.js: the engine of exported pages cannot be run."
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    folder = tmp_path_factory.mktemp("engine")
    code = folder / "engine.js"
    code.write_text(without_comments(script(views=False)), encoding="utf-8")

    def run(cases: dict[str, Any]) -> dict[str, Any]:
        given, results = folder / "cases.json", folder / "results.json"
        given.write_text(json.dumps(cases), encoding="utf-8")
        subprocess.run([node, str(RUNNER), str(code), str(given), str(results)], check=True)
        return json.loads(results.read_text(encoding="utf-8"))

    return run
