"""A magic's line as Python code, for ``--show-code``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def keywords(options: Mapping[str, Any]) -> str:
    """``name=value, ...``"""
    return ", ".join(f"{name}={value!r}" for name, value in options.items())


def call(function: str, first: str, options: Mapping[str, Any]) -> str:
    """``function(first, name=value)``; ``first`` is code."""
    parts = [part for part in (first, keywords(options)) if part]
    return f"{function}({', '.join(parts)})"


def show(*lines: str) -> None:
    """Print code to copy."""
    print("\n".join(lines))
