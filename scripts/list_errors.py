"""Write ``tests/data/errors.txt``: every error message of the package, so that review sees a new or changed one.

Run ``python scripts/list_errors.py`` after changing an error message.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from nbtextgen.core import errors

ROOT = Path(__file__).parents[1]
FILE = ROOT / "tests" / "data" / "errors.txt"
ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}


def messages(source: str) -> Iterator[str]:
    """Every error of ours that a module makes, as ``Error: message`` with ``{…}`` for what is filled in."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS and node.args:
            yield f"{node.func.id}: {_text(node.args[0])}"


def _text(node: ast.expr) -> str:
    """A message as it is written in the source."""
    if isinstance(node, ast.Constant):
        return str(node.value).replace("\n", "\\n")
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(value) for value in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    if isinstance(node, ast.IfExp):
        return f"{_text(node.body)} | {_text(node.orelse)}"
    return f"{{{node.id}}}" if isinstance(node, ast.Name) and node.id.isupper() else "{…}"


def listing() -> str:
    """The text of the file: the messages of each module."""
    parts: list[str] = []
    for path in sorted((ROOT / "nbtextgen").rglob("*.py")):
        lines = sorted(set(messages(path.read_text(encoding="utf-8"))))
        if lines:
            parts.append("\n".join([path.relative_to(ROOT).as_posix(), *(f"    {line}" for line in lines), ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    FILE.write_text(listing(), encoding="utf-8")
