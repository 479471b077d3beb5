"""The examples of docstrings run: those of every public name, which the API reference shows."""

from __future__ import annotations

import doctest
import importlib
import inspect
import itertools
import re
from pathlib import Path
from typing import Any

import pytest

import nbtextgen
from nbtextgen import Pairs, TextGenerator

MODEL = Path(__file__).parent / "data" / "format-1" / "characters"
WORDS = ["".join(letters) for length in (2, 3, 4) for letters in itertools.product("abc", repeat=length)]
NO_EXAMPLE = ("NbTextGenError", "events", "load_ipython_extension", "loggers")
ROOT = Path(nbtextgen.__path__[0])
MODULES = [
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(ROOT.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """What examples may use: the public names, a model that turns words around, such words, and pairs of them."""
    public = {name: getattr(nbtextgen, name) for name in nbtextgen.__all__}
    pairs = Pairs(WORDS, [word[::-1] for word in WORDS])
    return {**public, "model": TextGenerator.load(MODEL), "words": WORDS, "pairs": pairs}


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_show(
    name: str, names: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    reports = list[str]()
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, globs=vars(module) | names):
        runner.run(test, out=reports.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(reports)


def test_every_public_name_has_an_example() -> None:
    for name in set(nbtextgen.__all__) - set(NO_EXAMPLE):
        value = getattr(nbtextgen, name)
        texts = [value, *vars(value).values()] if inspect.isclass(value) else [value]
        docs = [inspect.getdoc(each.__func__ if isinstance(each, classmethod) else each) or "" for each in texts]
        assert any(">>> " in doc for doc in docs), f"{name} has no example"


def test_few_examples_are_left_out() -> None:
    skipped = [
        line for path in ROOT.rglob("*.py") for line in re.findall(r".*doctest: \+SKIP", path.read_text("utf-8"))
    ]
    assert len(skipped) <= 12, skipped
