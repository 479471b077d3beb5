"""The documents name files that exist."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACES = ("", "nbtextgen", "nbtextgen/notebook")
"""Where a path in a document may begin."""
UNMADE = ("notebook/magics/NAME.py",)


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "benchmarks/README.md"])
def test_every_file_that_a_document_names_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:[\w.-]+/)+[\w-]+\.(?:py|js|css|md|sh|svg|toml|txt))`", text)) - {*UNMADE}
    places = (*PLACES, Path(document).parent.as_posix())
    missing = [path for path in sorted(paths) if not any((ROOT / place / path).exists() for place in places)]
    assert missing == []


def test_the_cheat_sheet_on_paper_is_that_of_the_page() -> None:
    page, paper = (ROOT / "docs" / f"cheatsheet.{kind}" for kind in ("md", "pdf"))
    digest = hashlib.sha256(page.read_bytes()).hexdigest().encode()
    assert digest in paper.read_bytes()[-200:], "run python scripts/make_cheat_sheet.py"
