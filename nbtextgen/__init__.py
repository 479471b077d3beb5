"""nbtextgen: train a small sequence-to-sequence model in a notebook, generate with it, and see why it wrote that."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from nbtextgen.core.optional_imports import core_imports
from nbtextgen.core.process import import_torch_elsewhere, limit_spinning

limit_spinning()  # here, since every import of torch in this package comes later
import_torch_elsewhere()
logging.getLogger(__name__).addHandler(
    logging.NullHandler()
)  # what is logged is shown only where a program asks for it

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nbtextgen.back_translation import back_translate
    from nbtextgen.calibration import calibrate
    from nbtextgen.comparison import compare
    from nbtextgen.core.errors import NbTextGenError
    from nbtextgen.core.own_metrics import register_metric
    from nbtextgen.data.builtin_pairs import builtin
    from nbtextgen.data.corpus import Corpus
    from nbtextgen.data.pairs import Pairs, RawPairs
    from nbtextgen.explanation.explanation import Explanation, Explanations
    from nbtextgen.generator import TextGenerator
    from nbtextgen.inference.generation import Generation, Generations
    from nbtextgen.labelling import to_label
    from nbtextgen.notebook import panel
    from nbtextgen.run.config import LaunchConfig
    from nbtextgen.run.folder import Run
    from nbtextgen.run.listing import runs
    from nbtextgen.seeds import evaluate_seeds
    from nbtextgen.serving.generator import OnnxGenerator
    from nbtextgen.training import events, loggers
    from nbtextgen.training.controls import Controls
    from nbtextgen.tuning import tune

__version__ = "0.1.0"
__all__ = [
    "Controls",
    "Corpus",
    "Explanation",
    "Explanations",
    "Generation",
    "Generations",
    "LaunchConfig",
    "NbTextGenError",
    "OnnxGenerator",
    "Pairs",
    "RawPairs",
    "Run",
    "TextGenerator",
    "back_translate",
    "builtin",
    "calibrate",
    "compare",
    "evaluate_seeds",
    "events",
    "load_ipython_extension",
    "loggers",
    "panel",
    "register_metric",
    "runs",
    "to_label",
    "tune",
]

_MODULES = {
    "Controls": "training.controls",
    "Corpus": "data.corpus",
    "Explanation": "explanation.explanation",
    "Explanations": "explanation.explanation",
    "Generation": "inference.generation",
    "Generations": "inference.generation",
    "LaunchConfig": "run.config",
    "NbTextGenError": "core.errors",
    "OnnxGenerator": "serving.generator",
    "Pairs": "data.pairs",
    "RawPairs": "data.pairs",
    "Run": "run.folder",
    "TextGenerator": "generator",
    "back_translate": "back_translation",
    "builtin": "data.builtin_pairs",
    "calibrate": "calibration",
    "compare": "comparison",
    "evaluate_seeds": "seeds",
    "panel": "notebook",
    "register_metric": "core.own_metrics",
    "runs": "run.listing",
    "to_label": "labelling",
    "tune": "tuning",
}
"""Where each public name is defined."""


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that ``import nbtextgen`` and ``%load_ext`` do not wait for torch."""
    with core_imports():
        if name in ("events", "loggers"):
            return import_module(f"nbtextgen.training.{name}")
        if name in _MODULES:
            return getattr(import_module(f"nbtextgen.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'nbtextgen' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, imported or not, for ``dir``, ``help`` and Tab."""
    return [*__all__, "__version__"]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics; ``%load_ext nbtextgen`` calls it."""
    from nbtextgen.notebook.magics import register

    register(shell)
