"""Models, runs, an export and a token store of commit 74952f1: they load, resume, and give the outputs they gave then.

``data/golden/make.py`` made them. The models are a covering array: every allowed pair of values of the network's options.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from nbtextgen import OnnxGenerator, Run, TextGenerator
from nbtextgen.data.batching import CopyMap, encode_examples
from nbtextgen.data.token_store import open_store
from nbtextgen.model.cpu import bf16_works
from nbtextgen.pipeline.model_folder import read_tokenizers

GOLDEN = Path(__file__).parent / "data" / "golden"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())
MODELS = list(EXPECTED["models"])


def _maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_golden", GOLDEN / "make.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = _maker()


def assert_same_outputs(model: Any, then: list[dict[str, Any]], tolerance: float = 2e-4) -> None:
    now = make.outputs(model, [row["source"] for row in then])
    assert make.texts(now) == make.texts(then)
    for row, old in zip(now, then, strict=True):
        for one, two in zip([row["greedy"], *row["beam"]], [old["greedy"], *old["beam"]], strict=True):
            assert one["log_probabilities"] == pytest.approx(two["log_probabilities"], abs=tolerance)
            assert one["score"] == pytest.approx(two["score"], abs=tolerance)


@pytest.mark.parametrize("name", MODELS)
def test_golden_model_gives_the_same_outputs(name: str) -> None:
    then = EXPECTED["models"][name]
    model = TextGenerator.load(GOLDEN / "models" / name)
    assert_same_outputs(model, then["outputs"])
    data = make.pairs("" if then["tokens"] == "char" else " ")
    assert model.perplexity(data[:10]) == pytest.approx(then["perplexity"], rel=1e-4)


def test_golden_models_cover_all_pairs_of_options() -> None:
    assert [{name: EXPECTED["models"][one][name] for name in make.FACTORS} for one in MODELS] == make.covering()


@pytest.mark.skipif(not bf16_works(), reason="this CPU cannot train in bf16")
@pytest.mark.parametrize("name", MODELS)
def test_every_network_trains_and_validates_in_bf16(name: str) -> None:
    options = {factor: EXPECTED["models"][name][factor] for factor in make.FACTORS}
    common = {**make.COMMON, "precision": "bf16", "valid_fraction": 0.2, "max_steps": 4, "teacher_forcing": 0.9}
    bpe = {"vocabulary_size": 300} if options["tokens"] == "bpe" else {}
    shared = {"shared_vocabulary": options["tied_embeddings"] in ("inputs", "all")}
    model = TextGenerator(**common, **options, **bpe, **shared, device="cpu", seed=3)
    data = make.pairs("" if options["tokens"] == "char" else " ")
    model.fit(data, callbacks=[])
    assert 1 < model.perplexity(data[:10]) < 5000  # of up to 300 tokens, after 4 updates
    assert model.generate(data.sources[:3], beam=2)


def test_golden_language_model_gives_the_same_probabilities() -> None:
    model, then = TextGenerator.load(GOLDEN / "models" / "text"), EXPECTED["text"]
    assert model.bits_per_character(then["seen"]) == pytest.approx(then["bits"], abs=2e-4)
    now = model.predictor.alternatives("the cat sat ", [], 3)[0]
    assert [each.text for each in now] == [text for text, _ in then["next"]]
    assert [each.probability for each in now] == pytest.approx([each for _, each in then["next"]], abs=2e-4)


def test_golden_export_gives_the_outputs_of_its_model() -> None:
    model = OnnxGenerator.load(GOLDEN / "onnx", threads=1)
    assert_same_outputs(model, EXPECTED["models"][EXPECTED["onnx"]]["outputs"], tolerance=1e-3)


def test_golden_store_holds_the_same_examples() -> None:
    listed = {path.name: "" for path in (GOLDEN / "store-tokenizers").iterdir()}
    source, target = read_tokenizers(GOLDEN / "store-tokenizers", listed)
    store = open_store(GOLDEN / "store", "golden", source, target)
    pairs = make.pairs()[:12]
    wanted = encode_examples(
        [one for one, _ in pairs], [two for _, two in pairs], source, target, CopyMap(source, target)
    )
    assert store is not None and store.examples.copies is not None and wanted.copies is not None
    for now, then in ((store.examples.sources, wanted.sources), (store.examples.targets, wanted.targets)):
        assert [row.tolist() for row in now] == [row.tolist() for row in then]
    assert [row.tolist() for row in store.examples.copies] == [row.tolist() for row in wanted.copies]


@pytest.mark.parametrize("name", EXPECTED["runs"])
def test_golden_run_resumes_to_the_same_bits(tmp_path: Path, name: str) -> None:
    """To the bit with the torch and on the kind of processor that made it, else to the last few bits."""
    shutil.copytree(GOLDEN / "folders" / name, tmp_path / name)
    before = Run.open(tmp_path / name)
    assert before.history() and before.checkpoint() is not None
    resumed, then = TextGenerator.resume(tmp_path / name, callbacks=[]), EXPECTED["runs"][name]
    if make.made_with() == EXPECTED["made_with"]:
        assert make.digest(resumed) == then["sha256"]
    end = GOLDEN / "ends" / name
    wanted = TextGenerator.load(end if end.is_dir() else tmp_path / name)
    for one, two in zip(resumed.predictor.networks, wanted.predictor.networks, strict=True):
        for now, old in zip(one.parameters(), two.parameters(), strict=True):
            torch.testing.assert_close(now, old, atol=2e-4, rtol=1e-3)
    assert_same_outputs(resumed, then["outputs"], tolerance=2e-3)
