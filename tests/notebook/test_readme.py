"""Every block of README runs as it stands, comments included, in small: tiny networks, few updates, one process."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

import pytest
from small_shell import run, run_commands, small_shell

ROOT = Path(__file__).parents[2]
SHELL = ("make ", "jupyter ")


def blocks(text: str) -> list[str]:
    """The indented blocks of a Markdown file, as a reader copies them."""
    lines = [(line.startswith("    ") or not line.strip(), line) for line in text.split("\n")]
    groups = [
        "\n".join(line[4:] for _, line in group)
        for indented, group in groupby(lines, key=lambda line: line[0])
        if indented
    ]
    return [block.strip("\n") for block in groups if block.strip()]


def test_every_block_of_readme_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = small_shell(tmp_path, monkeypatch)
    found = blocks((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(found) >= 8
    targets = re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for block in found:
        if block.startswith(SHELL):
            assert all(line.split()[1] in targets for line in block.split("\n") if line.startswith("make "))
            continue
        if block.startswith("nbtextgen "):
            run_commands(block)
        else:
            run(shell, block)
