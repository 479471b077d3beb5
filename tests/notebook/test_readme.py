"""Every block of README runs as it stands, comments included, in small: tiny networks, few updates, one process."""

from __future__ import annotations

import gzip
import re
import shlex
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas
import pytest
from IPython.core.interactiveshell import InteractiveShell

from nbtextgen import TextGenerator
from nbtextgen.cli import main
from nbtextgen.run.config import LaunchConfig

ROOT = Path(__file__).parents[2]
PAIRS = [(f"a man is number {number}", f"un homme est le numero {number}") for number in range(60)]
SMALL = {"hidden_size": 8, "embedding_size": 8, "max_steps": 4, "samples": 0, "max_minutes": None, "epochs": 1}
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


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InteractiveShell:
    """A shell in a folder with the names that README uses."""
    monkeypatch.chdir(tmp_path)
    table = "".join(f"{source}\t{target}\n" for source, target in PAIRS)
    for name in ("words", "pairs"):
        Path(f"{name}.tsv").write_text(table)
    for name in ("valid", "test"):
        Path(f"{name}.tsv").write_text(table.replace("number", "place"))
    Path("english.txt").write_text("a man is number 3\na man\n")
    Path("corpus.txt").write_text("Once upon a time there was a man. " * 50)
    Path("parts").mkdir()
    Path("parts/one.tsv.gz").write_bytes(gzip.compress(table.encode()))
    original = TextGenerator.set_params

    def small(self: TextGenerator, **options: Any) -> TextGenerator:
        return original(self, **(options | SMALL | ({"context": 20} if options.get("context") else {})))

    monkeypatch.setattr(TextGenerator, "set_params", small)
    monkeypatch.setattr(LaunchConfig, "of", staticmethod(lambda processes, launch: None))
    shell = InteractiveShell()
    shell.kernel = None  # type: ignore[attr-defined]  # a notebook, which shows panels
    shell.user_ns["df"] = pandas.DataFrame(PAIRS, columns=["en", "fr"])
    return shell


def test_every_block_of_readme_runs_as_it_stands(shell: InteractiveShell) -> None:
    found = blocks((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(found) >= 8
    targets = re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for block in found:
        if block.startswith(SHELL):
            assert all(line.split()[1] in targets for line in block.split("\n") if line.startswith("make "))
            continue
        if block.startswith("nbtextgen "):
            assert [main(shlex.split(line)[1:]) for line in block.split("\n")] == [0] * len(block.split("\n"))
            continue
        shell.run_cell(block).raise_error()
        for training in shell.magics_manager.registry["TrainCommands"].session.trainings.values():  # type: ignore[union-attr]
            training.worker.wait(300)
