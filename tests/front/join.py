"""Write the page of every widget and of an exported model, as the product joins them, to ``joined/``, with their source files."""

from __future__ import annotations

import importlib
import json
import pkgutil
import shutil
from collections.abc import Iterator
from pathlib import Path

import anywidget

import nbtextgen.notebook
from nbtextgen.export.page.document import script

PACKAGE = Path(nbtextgen.__file__).parent
JOINED = Path(__file__).parent / "joined"


def widgets(base: type = anywidget.AnyWidget) -> Iterator[type]:
    """Every widget class of the package."""
    for each in base.__subclasses__():
        yield from widgets(each)
        if each.__module__.startswith("nbtextgen."):
            yield each


def main() -> None:
    """Join them all; every JavaScript file of the package must be in at least one."""
    for module in pkgutil.walk_packages(nbtextgen.notebook.__path__, "nbtextgen.notebook."):
        importlib.import_module(module.name)
    shutil.rmtree(JOINED, ignore_errors=True)
    JOINED.mkdir()
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.js"))}
    parts: dict[str, list[dict[str, object]]] = {}
    for name, page in [*((widget.__name__, widget._esm) for widget in widgets()), ("ModelPage", script())]:
        (JOINED / f"{name}.js").write_text(page, encoding="utf-8")
        parts[name] = [
            {"file": path.relative_to(PACKAGE.parent).as_posix(), "line": page[: page.index(text)].count("\n") + 1}
            for path, text in sources.items()
            if text in page
        ]
    missing = {str(path.relative_to(PACKAGE.parent)) for path in sources} - {
        str(part["file"]) for page in parts.values() for part in page
    }
    if missing:
        raise SystemExit(f"No page contains {', '.join(sorted(missing))}.")
    (JOINED / "parts.json").write_text(json.dumps(parts, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
