"""nbtextgen: train a small sequence-to-sequence model in a notebook, generate with it, and see why it wrote that."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nbtextgen.core.openmp import limit_spinning

limit_spinning()  # here, since every import of torch in this package comes later

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nbtextgen.core.errors import NbTextGenError
    from nbtextgen.data.builtin import builtin
    from nbtextgen.data.pairs import Pairs
    from nbtextgen.data.raw import RawPairs
    from nbtextgen.generator import TextGenerator
    from nbtextgen.inference.generation import Generation
    from nbtextgen.run.config import LaunchConfig
    from nbtextgen.run.folder import Run
    from nbtextgen.run.listing import runs
    from nbtextgen.serving.generator import OnnxGenerator

__version__ = "0.1.0"
__all__ = [
    "Generation",
    "LaunchConfig",
    "NbTextGenError",
    "OnnxGenerator",
    "Pairs",
    "RawPairs",
    "Run",
    "TextGenerator",
    "builtin",
    "load_ipython_extension",
    "runs",
]

_HOMES = {
    "Generation": "nbtextgen.inference.generation",
    "LaunchConfig": "nbtextgen.run.config",
    "NbTextGenError": "nbtextgen.core.errors",
    "OnnxGenerator": "nbtextgen.serving.generator",
    "Pairs": "nbtextgen.data.pairs",
    "RawPairs": "nbtextgen.data.raw",
    "Run": "nbtextgen.run.folder",
    "TextGenerator": "nbtextgen.generator",
    "runs": "nbtextgen.run.listing",
    "builtin": "nbtextgen.data.builtin",
}


def __getattr__(name: str) -> Any:
    """Import on first use, so that ``import nbtextgen`` and ``%load_ext`` do not wait for torch."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'nbtextgen' has no attribute {name!r}")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Called by ``%load_ext nbtextgen``: registers the magics."""
    from nbtextgen.notebook.magics import register

    register(shell)
