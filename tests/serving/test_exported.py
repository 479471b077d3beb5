"""Exported models: what they write, what they need, and what is refused."""

from __future__ import annotations

import importlib.util
import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from nbtextgen import NbTextGenError, OnnxGenerator, Pairs, TextGenerator
from nbtextgen.core.errors import DataError, ModelFileError, NotTrainedError, OptionError
from nbtextgen.core.options import build
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.model.config import ATTENTIONS, CELLS

ROOT = Path(__file__).parents[2]
WORDS = ["".join(letters) for letters in itertools.product("abc", repeat=3)]
REVERSED = Pairs(WORDS, [word[::-1] for word in WORDS])
SMALL = {"hidden_size": 12, "embedding_size": 8, "epochs": 2, "samples": 0}


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("exported", ROOT / "benchmarks" / "exported.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


side = _script()

EXTRAS: list[dict[str, Any]] = [
    {"bidirectional": False, "tied_embeddings": "none"},
    {"layer_norm": True, "tied_embeddings": "all", "input_feeding": True},
    {"copy": True, "tied_embeddings": "none", "layer_norm": True},
    {"copy": True, "coverage": True, "input_feeding": True, "bidirectional": False},
    {"encoder_layers": 0, "input_feeding": True, "tied_embeddings": "all", "layer_norm": True},
    {"encoder_layers": 0, "attention": "none", "tied_embeddings": "inputs"},
    {"encoder_layers": 0, "copy": True, "coverage": True},
]
"""Together every option in both positions, and every pair of neighbours at work at once."""


@pytest.mark.parametrize(
    ("cell", "attention", "number"),
    [
        (CELLS[(first + number) % len(CELLS)], attention, number)
        for first, attention in enumerate(ATTENTIONS)
        for number in range(len(EXTRAS))
    ],
)  # every attention and every cell with every other option, and with each other
def test_exported_network_generates_the_same_tokens(cell: str, attention: str, number: int, tmp_path: Path) -> None:
    chosen = {**EXTRAS[number], "cell": cell, "attention": attention}
    if attention == "none":
        chosen |= {"copy": False, "coverage": False}
    actual, _ = side.compared(chosen, 1 + number % 2, 7, tmp_path / "m")
    assert actual < 1e-3


@pytest.fixture(scope="module")
def copying(tmp_path_factory) -> tuple[Any, OnnxGenerator]:
    predictor = side.random_writer({"copy": True}, members=2)
    return predictor, side.exported(predictor, tmp_path_factory.mktemp("copying") / "m")


@pytest.mark.parametrize(
    "way",
    [
        {"beam": 4, "n_best": 4, "length_penalty": 1.0, "coverage_penalty": 0.5},
        {"n_best": 3},
        {"prefix": "ab", "beam": 2},
        {"allow": ("abc", "d")},
        {"forbid": ("a", "bc"), "beam": 2},
        {"no_repeat_ngram": 2},
        {"no_repeat_ngram": 1, "max_length": 4},
        {"min_length": 12, "beam": 3},
        {"max_length": 2, "beam": 2},
        {"replace_unknown": True, "batch_size": 2},
    ],
    ids=str,
)
def test_exported_network_obeys_the_same_rules(copying, way: dict[str, Any]) -> None:
    predictor, served = copying
    assert (
        side.difference(predictor.predict(side.TEXTS, build(DecodingConfig, way)), served.generate(side.TEXTS, **way))
        < 1e-3
    )


def test_rules_that_leave_no_token_raise_the_same_error(copying) -> None:
    predictor, served = copying
    way = {"allow": ("a",), "min_length": 5, "no_repeat_ngram": 1}
    message = []
    for write in (
        lambda: predictor.predict(["abc"], build(DecodingConfig, way)),
        lambda: served.generate("abc", **way),
    ):
        with pytest.raises(OptionError) as refused:
            write()
        message.append(str(refused.value))
    assert message[0] == message[1]


def test_sampling_is_repeatable_and_obeys_top_k(copying) -> None:
    _, served = copying
    ways = {"sample": True, "seed": 3, "n_best": 4}
    first, again = (served.generate(side.TEXTS, **ways) for _ in range(2))
    assert [one.text for one in first] == [one.text for one in again]
    assert len({one.text for one in first[0].candidates}) > 1
    for cut in ({"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}, {"temperature": 1e-4}):
        narrow = served.generate(side.TEXTS, sample=True, **cut)
        assert [one.ids for one in narrow] == [one.ids for one in served.generate(side.TEXTS)]


def test_stream_yields_the_generated_text(copying) -> None:
    predictor, served = copying
    for text in side.TEXTS:
        assert (
            "".join(served.stream(text))
            == served.generate(text).text
            == "".join(predictor.stream(text, DecodingConfig()))
        )
    with pytest.raises(OptionError, match="beam"):
        list(served.stream("abc", beam=2))


@pytest.fixture(scope="module")
def trained() -> TextGenerator:
    pairs = Pairs([f" {word} {word}" for word in WORDS], [f"{word[::-1]} {word}" for word in WORDS])
    return TextGenerator(**SMALL, tokens="bpe", vocabulary_size=300, clean="whitespace").fit(pairs, callbacks=[])


def test_exported_model_with_bpe_and_cleaning_generates_the_same(trained: TextGenerator, tmp_path: Path) -> None:
    folder = trained.export("onnx", tmp_path / "m")
    served = OnnxGenerator.load(folder)
    texts = ["  abc   cab ", "bbb ccc", "unseen words é"]
    assert side.difference(trained.generate(texts, beam=3), served.generate(texts, beam=3)) < 1e-4
    assert served.generate(texts[0]).text == trained.generate(texts[0]).text
    assert [output.text for output in served.generate(["a", " ", None])][1:] == ["", ""]
    with pytest.raises(DataError, match="The source is empty"):
        served.generate(" ")
    assert trained.export("onnx", folder) == folder and OnnxGenerator.load(folder)  # an older export is replaced


def test_exported_text_model_generates_the_same(tmp_path: Path) -> None:
    text = "the cat sat on the mat. the dog sat on the log. " * 30
    model = TextGenerator(**{**SMALL, "context": 10}, tokens="char").fit_text(text, callbacks=[])
    assert model.plan.model.encoder_layers == 0
    served = OnnxGenerator.load(model.export("onnx", tmp_path / "m"))
    texts = ["the cat s", "on", "a text longer than its context, of which the end is read"]
    assert side.difference(model.generate(texts, precision="fp32"), served.generate(texts)) < 1e-3


BARRED = ("torch", "IPython", "ipywidgets", "anywidget", "shap", "pandas", "onnx", "safetensors", "sklearn", "captum")


def test_serving_needs_neither_torch_nor_notebook(trained, tmp_path: Path) -> None:
    folder = trained.export("onnx", tmp_path / "m")
    code = f"""
import sys
class Barred:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BARRED!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Barred())
from nbtextgen import OnnxGenerator
print(OnnxGenerator.load(sys.argv[1]).generate("abc cab", beam=2).text)
print(sorted(set({BARRED!r}) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [trained.generate("abc cab", beam=2).text, "[]"]


def test_invalid_folder_raises_a_readable_error(trained: TextGenerator, tmp_path: Path) -> None:
    folder = trained.export("onnx", tmp_path / "m")
    with pytest.raises(ModelFileError, match="not an exported model"):
        OnnxGenerator.load(tmp_path)
    with pytest.raises(ModelFileError, match="OnnxGenerator.load"):
        TextGenerator.load(folder)
    with pytest.raises(ModelFileError, match="not an exported model; choose another folder"):
        trained.export("onnx", trained.save(tmp_path / "saved"))
    with pytest.raises(OptionError, match="must be onnx"):
        trained.export("tensorflow", tmp_path / "other")
    with pytest.raises(NotTrainedError):
        TextGenerator().export("onnx", tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["decoder-1.onnx", "encoder-1.onnx", "source_tokenizer.json", "export.json"])
def test_damaged_folder_raises_with_and_without_checksums(trained, tmp_path: Path, name: str) -> None:
    whole = trained.export("onnx", tmp_path / "whole")
    for at, forged in itertools.product((0, 40, 200), (False, True)):
        folder = tmp_path / f"{at}-{forged}"
        shutil.copytree(whole, folder)
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:at])
        if forged and name != "export.json":
            manifest = json.loads((folder / "export.json").read_text())
            manifest["files"].pop(name)
            (folder / "export.json").write_text(json.dumps(manifest))
        with pytest.raises(NbTextGenError):
            OnnxGenerator.load(folder)
