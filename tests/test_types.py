"""Misspelt options are type errors in editors."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_option_types_agree_with_the_option_dataclasses() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "write_option_types.py"))
    assert script["FILE"].read_text(encoding="utf-8") == script["source"](), "run python scripts/write_option_types.py"


def test_misspelt_options_are_type_errors() -> None:
    pytest.importorskip("pyright")
    file = ROOT / "tests" / "typing" / "options.py"
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, str(file)]
    output = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout)
    refused = {problem["range"]["start"]["line"] + 1 for problem in output["generalDiagnostics"]}
    lines = file.read_text(encoding="utf-8").splitlines()
    assert refused == {number for number, line in enumerate(lines, 1) if line.endswith("# error")}
