"""The page as a file: whole or not at all, nothing in it interpreted, and what cannot become a page is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nbtextgen.core.errors import ModelFileError, OptionError
from nbtextgen.data.config import DataConfig
from nbtextgen.export.formats import export_model
from nbtextgen.export.page import document
from nbtextgen.export.page.packing import pack, rounded
from nbtextgen.inference.predictor import Predictor
from nbtextgen.inference.text_codec import OutputLength
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.tokenizers.config import TokenizerConfig
from nbtextgen.tokenizers.registry import train_tokenizer
from nbtextgen.training.config import TrainingConfig

HOSTILE = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> \u2028 \ud800 &quot;"


class Model:
    """A model as ``export_model`` takes it."""

    def __init__(self, clean: str | None = None, hidden: int = 6) -> None:
        words = train_tokenizer([HOSTILE.replace(" ", "")], "char")
        config = ModelConfig(hidden_size=hidden, embedding_size=4, dropout=0.0, copy=False)
        network = Seq2Seq(config, words.size, words.size)
        self.predictor = Predictor(words, words, [network], OutputLength(3, 1.0))
        self.plan = Plan(TokenizerConfig(tokens="char"), config, TrainingConfig(), {}, DataConfig(clean=clean))
        self.background = (HOSTILE,)


def test_nothing_in_a_page_is_interpreted_and_the_network_is_forbidden(tmp_path: Path) -> None:
    path = export_model("html", tmp_path / "m.html", Model(), {"title": HOSTILE, "score": HOSTILE})
    text = path.read_text(encoding="utf-8")
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", text, re.DOTALL)
    assert [attributes for attributes, _ in scripts] == [
        ' type="application/json" id="model"',
        ' type="text/plain" id="weights"',
        "",
    ]
    assert "<img" not in text and "alert(1)</script>" not in text and "<!--" not in scripts[0][1]
    model = json.loads(scripts[0][1])
    assert model["name"] == model["example"] == HOSTILE
    assert dict(model["facts"])["Score"] == HOSTILE
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None and policy[1].startswith("default-src 'none'; script-src 'sha256-")
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    for content in (scripts[2][1], style[1]):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[1]
    assert not re.search(
        r"innerHTML|insertAdjacent|document\.write|\beval\b|fetch\(|https?://(?!www\.w3\.org)", scripts[2][1]
    )


def test_page_holds_the_rounded_weights_once(tmp_path: Path) -> None:
    model = Model(hidden=64)
    for bits, size in ((16, 2), (8, 1)):
        packed = pack(model.predictor.networks, bits)
        weights = {id(each): each for each in model.predictor.networks[0].parameters()}
        count = sum(each.numel() for each in weights.values())
        assert size * count <= len(packed.content) <= size * count * (1.02 if bits == 16 else 1.2)
        assert packed.names[0]["output_weight"] == packed.names[0]["target_embedding.weight"]
    values = np.array([[1.0, -3.0, 0.1], [0.0, 0.0, 0.0]], np.float32)
    np.testing.assert_array_equal(rounded(values, 16), values.astype(np.float16).astype(np.float32))
    np.testing.assert_allclose(rounded(values, 8), values, atol=3 / 127 / 2)
    path = export_model("html", tmp_path / "m.html", model, {"bits": 8})
    before = path.read_bytes()
    with pytest.raises(OptionError, match="bits must be 8 or 16"):
        export_model("html", path, model, {"bits": 4})
    assert path.read_bytes() == before


def test_what_a_page_cannot_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.html"
    with pytest.raises(OptionError, match="cannot undo wrong encodings"):
        export_model("html", path, Model("mojibake,nfc"), {})
    with pytest.raises(OptionError, match="must be onnx or html"):
        export_model("htm", path, Model(), {})
    with pytest.raises(OptionError, match="bits applies to pages only"):
        export_model("onnx", path, Model(), {"bits": 8})
    large = Model()
    large.predictor.networks[0].output_bias.data[3] = 70_000.0
    with pytest.raises(ModelFileError, match="beyond 65,504"):
        export_model("html", path, large, {})
    large.predictor.networks[0].output_bias.data[3] = torch.nan
    with pytest.raises(ModelFileError, match="NaN"):
        export_model("html", path, large, {})
    monkeypatch.setattr(document, "MAX_BYTES", 100)
    with pytest.raises(ModelFileError, match="use bits=8"):
        export_model("html", path, Model(), {})
    (tmp_path / "folder.html").mkdir()
    monkeypatch.undo()
    with pytest.raises(ModelFileError, match="could not be saved"):
        export_model("html", tmp_path / "folder.html", Model(), {})
    assert not path.exists()


def test_facts_name_task_sizes_and_version() -> None:
    model = Model()
    plan = replace(model.plan, data=DataConfig(context=20))
    for each, task in (
        (model.plan, "text to text, from characters to characters"),
        (plan, "continues a text by characters"),
    ):
        facts = dict(document.facts(model.predictor, each, 16, ""))
        assert facts["Task"] == task and "Score" not in facts
        assert facts["Vocabulary"] == "30 characters"
        assert facts["Network"] == "LSTM of 6 units, 1 + 1 layers, general attention"
