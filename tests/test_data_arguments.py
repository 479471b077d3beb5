"""Wherever data is handed over, columns and the encoding can be named."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import nbtextgen
from nbtextgen import TextGenerator
from nbtextgen.notebook.magics import COMMANDS

METHODS = [method for name, method in inspect.getmembers(TextGenerator) if not name.startswith("_")]
FUNCTIONS = [
    function
    for function in [*METHODS, *(getattr(nbtextgen, name) for name in nbtextgen.__all__)]
    if inspect.isfunction(function)
    and {"data", "targets"} & set(inspect.signature(function).parameters)
    and function.__name__ != "panel"  # its form has the fields
]


def test_functions_are_found() -> None:
    names = {function.__name__ for function in FUNCTIONS}
    assert {
        "fit",
        "evaluate",
        "errors",
        "estimate",
        "compare",
        "tune",
        "generate_file",
        "explain_data",
        "score",
    } <= names


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_functions_take_columns_and_encoding(function: Callable[..., Any]) -> None:
    has_sources_alone = function.__name__ in ("generate_file", "to_label")
    names = {"source", "encoding"} | (set() if has_sources_alone else {"target"})
    assert names <= set(inspect.signature(function).parameters)


def test_magics_take_columns_and_encoding() -> None:
    options = {name: completion.options for group in COMMANDS for name, completion in group.completions().items()}
    with_data = [name for name, each in options.items() if "data" in each and name != "textgen_panel"]
    assert {"textgen_train", "textgen_evaluate", "textgen_generate", "textgen_explain"} <= set(with_data)
    for name in with_data:
        assert {"source", "encoding"} <= set(options[name]), name
