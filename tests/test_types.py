"""Misspelt options are type errors in editors."""

from __future__ import annotations

import ast
import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LATE_IMPORTS = (
    "__init__.py",
    "cli/commands.py",
    "decoding/glossary.py",
    "explanation/__init__.py",
    "explanation/display.py",
    "explanation/explanation.py",
    "explanation/survey.py",
    "export/folder.py",
    "export/formats.py",
    "generator/explained_model.py",
    "notebook/",
)
"""Modules, and a room, that import modules of the package inside functions; ARCHITECTURE.md says why."""


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


def test_other_modules_import_at_their_top() -> None:
    late = set[str]()
    for path in sorted((ROOT / "nbtextgen").rglob("*.py")):
        name = path.relative_to(ROOT / "nbtextgen").as_posix()
        functions = (node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.FunctionDef))
        imports = (node for function in functions for node in ast.walk(function) if isinstance(node, ast.ImportFrom))
        if any((node.module or "").startswith("nbtextgen") for node in imports):
            late.add(name)
    assert not [name for name in late if not name.startswith(LATE_IMPORTS)]
    assert all(any(name.startswith(each) for name in late) for each in LATE_IMPORTS)
