"""A shell in which the blocks of documents run in small: tiny networks, few pairs and updates, one process."""

from __future__ import annotations

import gzip
import shlex
from itertools import product
from pathlib import Path
from typing import Any

import pandas
import pytest
from IPython.core.interactiveshell import InteractiveShell

from nbtextgen import TextGenerator, seeds, tuning
from nbtextgen.cli import main
from nbtextgen.data import builtin
from nbtextgen.run.config import LaunchConfig
from nbtextgen.seeds import evaluate_seeds
from nbtextgen.tuning.search import tune

PAIRS = [(f"a man is number {number}", f"un homme est le numero {number}") for number in range(60)]
WORDS = [("".join(letters), " ".join(letters).upper()) for letters in product("bdfgkl", "aeiou", "mn")]
SMALL = {"hidden_size": 8, "embedding_size": 8, "max_steps": 4, "samples": 0, "max_minutes": None, "epochs": 1}


def small_shell(folder: Path, monkeypatch: pytest.MonkeyPatch) -> InteractiveShell:
    """A shell in a folder with the files that documents name; trainings are short, and built-in data is little."""
    monkeypatch.chdir(folder)
    table = "".join(f"{source}\t{target}\n" for source, target in PAIRS)
    for name in ("words", "pairs"):
        Path(f"{name}.tsv").write_text(table)
    for name in ("valid", "test"):
        Path(f"{name}.tsv").write_text(table.replace("number", "place"))
    Path("english.txt").write_text("a man is number 3\na man\n")
    Path("corpus.txt").write_text("Once upon a time there was a man. " * 50)
    Path("parts").mkdir()
    Path("parts/one.tsv.gz").write_bytes(gzip.compress(table.encode()))
    set_params, dates = TextGenerator.set_params, builtin.dates

    def small(self: TextGenerator, **options: Any) -> TextGenerator:
        return set_params(self, **(options | SMALL | ({"context": 20} if options.get("context") else {})))

    monkeypatch.setattr(TextGenerator, "set_params", small)
    monkeypatch.setattr(builtin, "dates", lambda count, seed: dates(min(count, 60), seed))
    monkeypatch.setattr(builtin, "pronunciation", lambda count, seed: WORDS)
    monkeypatch.setattr(tuning, "tune", lambda data, space, minutes, **options: tune(data, space, 0.05, **options))
    monkeypatch.setattr(
        seeds,
        "evaluate_seeds",
        lambda model, data, test, **options: evaluate_seeds(model, data, test, **options | {"seeds": 2}),
    )
    monkeypatch.setattr(LaunchConfig, "of", staticmethod(lambda processes, launch: None))
    shell = InteractiveShell()
    shell.kernel = None  # type: ignore[attr-defined]  # a notebook, which shows panels
    shell.user_ns["df"] = pandas.DataFrame(PAIRS, columns=["en", "fr"])
    return shell


def run(shell: InteractiveShell, block: str) -> None:
    """Run a block as a cell, and wait for trainings that it leaves in the background."""
    shell.run_cell(block).raise_error()
    commands = shell.magics_manager.registry.get("TrainCommands")  # type: ignore[union-attr]
    for training in () if commands is None else commands.session.trainings.values():
        training.worker.wait(300)


def run_commands(block: str) -> None:
    """Run the command lines of a block, each of ``nbtextgen``."""
    for line in block.strip().split("\n"):
        assert line.startswith("nbtextgen "), line
        assert main(shlex.split(line)[1:]) == 0, line
