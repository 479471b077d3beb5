"""Saved folders that are damaged, forged, old or from the future: a model, or a refusal in one sentence."""

from __future__ import annotations

import importlib.util
import json
import pickle
import random
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbtextgen import NbTextGenError, TextGenerator
from nbtextgen.core.errors import ModelFileError

ROOT = Path(__file__).parents[1]
OLD = ROOT / "tests" / "data" / "format-1"


def _fuzzer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_folders", ROOT / "benchmarks" / "fuzz_folders.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fuzz = _fuzzer()


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> tuple[dict[str, bytes], dict[str, bytes]]:
    return fuzz.made(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("name", ["characters", "symbols"])
def test_models_of_format_1_load_and_generate_the_same(name: str) -> None:
    model = TextGenerator.load(OLD / name)
    for then in json.loads((OLD / "outputs.json").read_text())[name]:
        now = model.generate(then["source"])
        assert now.text == then["text"]
        assert now.log_probabilities.tolist() == pytest.approx(then["log_probabilities"], abs=2e-3)


@settings(max_examples=120, suppress_health_check=list(HealthCheck), derandomize=True)
@given(seed=st.integers(0, 2**32), of_run=st.booleans())
def test_a_damaged_folder_is_loaded_or_refused_in_a_sentence(saved, tmp_path_factory, seed: int, of_run: bool) -> None:
    bomb = tmp_path_factory.getbasetemp() / "executed"
    files, use = (saved[1], fuzz.use_run) if of_run else (saved[0], fuzz.use_model)
    end = fuzz.outcome(fuzz.mutated(files, random.Random(seed), str(bomb)), use)
    assert end in ("loaded", "refused")
    assert not bomb.exists()


@pytest.mark.parametrize("name", ["weights-1.safetensors", "nbtextgen.json", "source_tokenizer.json"])
def test_a_pickle_under_any_name_is_refused_and_not_run(saved, tmp_path: Path, name: str) -> None:
    files = dict(saved[0])
    files[name] = pickle.dumps(fuzz.Bomb(str(tmp_path / "executed")))
    fuzz._fit_checksums(files)
    fuzz.write(files, tmp_path / "m")
    with pytest.raises(ModelFileError):
        TextGenerator.load(tmp_path / "m")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "sub/../../outside", "a\0b"])
def test_names_that_lead_outside_are_refused(saved, tmp_path: Path, name: str) -> None:
    fuzz.write(saved[0], tmp_path / "m")
    (tmp_path / "outside").write_text("secret")
    manifest = tmp_path / "m" / "nbtextgen.json"
    content = json.loads(manifest.read_text())
    content["files"][name] = "0" * 64
    manifest.write_text(json.dumps(content))
    with pytest.raises(ModelFileError, match="outside the folder"):
        TextGenerator.load(tmp_path / "m")


def test_a_link_in_the_place_of_a_file_is_refused(saved, tmp_path: Path) -> None:
    fuzz.write(saved[0], tmp_path / "m")
    weights = tmp_path / "m" / "weights-1.safetensors"
    weights.rename(tmp_path / "elsewhere")
    weights.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelFileError, match="outside the folder"):
        TextGenerator.load(tmp_path / "m")


def test_a_future_format_says_to_update(saved, tmp_path: Path) -> None:
    fuzz.write(saved[0], tmp_path / "m")
    manifest = tmp_path / "m" / "nbtextgen.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 99}))
    with pytest.raises(NbTextGenError, match="format 99.*update nbtextgen"):
        TextGenerator.load(tmp_path / "m")


def test_a_huge_size_in_the_settings_does_not_fill_the_memory(saved, tmp_path: Path) -> None:
    fuzz.write(saved[0], tmp_path / "m")
    manifest = tmp_path / "m" / "nbtextgen.json"
    content = json.loads(manifest.read_text())
    content["settings"]["model"] |= {"hidden_size": 8192, "encoder_layers": 16, "decoder_layers": 16}
    manifest.write_text(json.dumps(content))
    with pytest.raises(ModelFileError, match="does not fit its settings"):
        TextGenerator.load(tmp_path / "m")


def test_a_save_cut_short_between_its_two_renames_loses_nothing(saved, tmp_path: Path) -> None:
    fuzz.write(saved[0], tmp_path / "m")
    (tmp_path / "m").rename(tmp_path / ".m.0a1b2c3d.old")  # what a kill leaves behind there
    assert TextGenerator.load(tmp_path / "m").generate("abc").input_tokens


def test_impossible_names_of_folders_are_refused_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("", ".", "/", "..", "a\0b", "x" * 300, None, 3):
        with pytest.raises(ModelFileError) as refused:
            TextGenerator.load(name)  # type: ignore[arg-type]
        assert "\n" not in str(refused.value)
