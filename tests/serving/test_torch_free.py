"""An exported model of an earlier release, served by NumPy and onnxruntime alone; tools/test_torch_free.sh runs this without torch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nbtextgen import OnnxGenerator

pytest.importorskip("onnxruntime")
GOLDEN = Path(__file__).parents[1] / "data" / "golden"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())


@pytest.mark.parametrize("row", EXPECTED["models"][EXPECTED["onnx"]]["outputs"], ids=lambda row: row["source"])
def test_export_gives_the_recorded_outputs(row) -> None:
    generation = OnnxGenerator.load(GOLDEN / "onnx", threads=1).generate(row["source"])
    assert generation.text == row["greedy"]["text"]
    assert generation.log_probabilities == pytest.approx(row["greedy"]["log_probabilities"], abs=1e-3)
