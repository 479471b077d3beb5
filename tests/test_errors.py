"""Every error message of the package is listed in one file, where a review sees changes."""

from __future__ import annotations

import runpy
from pathlib import Path


def test_every_error_message_is_listed() -> None:
    script = runpy.run_path(str(Path(__file__).parents[1] / "scripts" / "list_errors.py"))
    assert script["FILE"].read_text(encoding="utf-8") == script["listing"](), "run python scripts/list_errors.py"
