"""A saved model in a plain script: what it needs, and what it must not drag in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

OLD = Path(__file__).parent / "data" / "format-1" / "characters"
NOT_NEEDED = (
    "IPython",
    "ipywidgets",
    "anywidget",
    "shap",
    "pandas",
    "sklearn",
    "matplotlib",
    "captum",
    "optuna",
)


def test_a_saved_model_serves_without_notebook_explanation_or_data_frames() -> None:
    code = (
        "import sys; from nbtextgen import TextGenerator\n"
        "print(TextGenerator.load(sys.argv[1]).generate('abc', beam=2).text)\n"
        f"print([name for name in {NOT_NEEDED!r} if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code, str(OLD)], capture_output=True, text=True, check=True).stdout
    assert out.splitlines() == ["cba", "[]"]
