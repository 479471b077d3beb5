"""Two text files whose lines belong together are pairs."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbtextgen import Pairs
from nbtextgen.core.errors import DataError


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    first, second = tmp_path / "train.en", tmp_path / "train.de"
    first.write_bytes(b"a man\r\nan old dog\n\n")
    second.write_text("ein Mann\nein alter Hund\n", "utf-8")
    return first, second


@pytest.mark.parametrize("kind", [Path, str])
def test_lines_are_joined(kind: type, sides: tuple[Path, Path]) -> None:
    pairs = Pairs.of((kind(sides[0]), kind(sides[1])))
    assert list(zip(pairs.sources, pairs.targets, strict=True)) == [
        ("a man", "ein Mann"),
        ("an old dog", "ein alter Hund"),
    ]


def test_files_of_different_length_and_empty_lines_are_named(sides: tuple[Path, Path]) -> None:
    sides[1].write_text("ein Mann\n\n", "utf-8")
    with pytest.raises(DataError, match=r"train\.en has 2 lines but .*train\.de has 1"):
        Pairs.of(sides)
    sides[1].write_text("\nein Hund\n", "utf-8")
    with pytest.raises(DataError, match=r"train\.en, line 1"):
        Pairs.of(sides)
    with pytest.raises(DataError, match=r"missing\.de"):
        Pairs.of((sides[0], sides[0].parent / "missing.de"))
    with pytest.raises(DataError, match=r"There is no file .*missing\.de"):
        Pairs.of((str(sides[0]), str(sides[0].parent / "missing.de")))
