"""What ``generate`` returns for unusual sources, and when something goes wrong in the middle."""

from __future__ import annotations

import itertools
import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from nbtextgen import OnnxGenerator, Pairs, TextGenerator
from nbtextgen.core.errors import DataError, MemoryShortError, ModelFileError, OptionError
from nbtextgen.core.files import checksum
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.inference import predictor as predictor_module
from nbtextgen.inference.generation import GenerationInterrupted
from nbtextgen.model.pretrained import load_embeddings

WORDS = ["".join(letters) for letters in itertools.product("abcd", repeat=3)]
REVERSED = Pairs(WORDS, [word[::-1] for word in WORDS])
SETTINGS = {"tokens": "char", "hidden_size": 16, "embedding_size": 8, "max_steps": 30, "samples": 0, "copy": False}


def train(**options: object) -> TextGenerator:
    return TextGenerator(**(SETTINGS | options)).fit(REVERSED, callbacks=[])


@pytest.fixture(scope="module")
def model() -> TextGenerator:
    return train(seed=1)


@pytest.mark.parametrize("missing", ["", "  ", None, math.nan, np.float64("nan"), pd.NA])
def test_outputs_stay_beside_their_sources_where_some_are_empty(model: TextGenerator, missing: object) -> None:
    outputs = model.generate(["abc", missing, "bcd"])
    assert [output.text for output in outputs] == [model.generate("abc").text, "", model.generate("bcd").text]
    assert outputs.notes == ("1 of 3 sources is empty, and so is its output.",)
    assert repr(outputs).count("empty") == outputs._repr_mimebundle_()["text/html"].count("empty") == 1
    assert outputs[1].confidence == 0.0 and outputs[0].confidence > 0.0
    assert model.predict(["abc", missing]) == [outputs[0].text, ""]


def test_a_single_empty_source_and_a_number_are_refused(model: TextGenerator) -> None:
    with pytest.raises(DataError, match="The source is empty"):
        model.generate(" ")
    with pytest.raises(DataError, match="Source 2 of 2 is int, not text"):
        model.generate(["abc", 3])


def test_unknown_characters_of_a_source_are_named_beside_its_output(model: TextGenerator) -> None:
    output = model.generate("日本語")
    assert output.notes == ("3 of 3 characters are unknown to this model: 日, 本, 語",)
    assert output.unknown == ("日", "本", "語")
    assert output.notes[0] in repr(output) and output.notes[0] in output._repr_mimebundle_()["text/html"]
    assert model.generate("a b").notes == ("1 of 3 characters is unknown to this model: ' '",)
    outputs = model.generate(["abc", "abx", "abx"])
    assert outputs.notes == ("Source 2 and 1 more: 1 of 3 characters is unknown to this model: x",)
    assert outputs[0].notes == ()


def test_words_that_a_copy_head_can_copy_are_not_called_unknown() -> None:
    copying = train(tokens="word", copy=True, max_steps=2)
    assert copying.generate("zzz").notes == () and copying.generate("zzz").unknown == ("zzz",)


def test_a_long_source_is_cut_in_bounded_time(model: TextGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model.predictor, "max_source", 40)
    output = model.generate("abcd" * 20)
    assert output.notes == ("The source has 80 characters; only the first 40 were read.",)
    assert len(output.input_tokens) == 40 and output.attention.shape[1] == 40
    assert output.text == model.generate("abcd" * 10).text


def test_a_model_that_may_train_on_long_sources_reads_them(tmp_path: Path) -> None:
    model = train(max_steps=2, max_length=2500)
    for reader in (
        model,
        TextGenerator.load(model.save(tmp_path / "m")),
        OnnxGenerator.load(model.export("onnx", tmp_path / "o")),
    ):
        assert len(reader.generate("abcd" * 700, max_length=3).input_tokens) == 2500


def test_a_minimum_length_above_the_maximum_is_refused(model: TextGenerator) -> None:
    with pytest.raises(OptionError, match="min.length=50 is more than .*max.length=10"):
        model.generate("abc", min_length=50, max_length=10)
    assert len(model.generate("abc", min_length=4, max_length=4).tokens) == 4
    with pytest.raises(OptionError, match="min_length must be a whole number"):
        model.generate("abc", min_length="x", max_length=3)


@contextmanager
def interrupted() -> Iterator[None]:
    """Press Ctrl-C after a second, and again every second until the block ends: Python drops one that falls into a finalizer."""
    ended = threading.Event()

    def press() -> None:
        while not ended.wait(1.0):
            signal.raise_signal(signal.SIGINT)

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background ignores the signal
    threading.Thread(target=press, daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        signal.signal(signal.SIGINT, handler)


@pytest.mark.parametrize("text", ["abc", ["abc"] * 40])
def test_an_interrupt_keeps_what_was_generated(text: str | list[str]) -> None:
    slow = train(max_steps=2)
    with torch.no_grad():
        slow.predictor.networks[0].output_bias[3] = -50.0  # no output ends by itself
    with pytest.raises(GenerationInterrupted) as interrupt, interrupted():
        slow.generate(text, max_length=1_000_000, batch_size=1)
    [output] = interrupt.value.generations
    assert len(output.ids) > 10 and len(output.log_probabilities) == len(output.ids) + 1
    assert isinstance(interrupt.value, KeyboardInterrupt) and ".generations" in str(interrupt.value)


def test_an_interrupted_continuation_keeps_what_was_generated() -> None:
    text = "the cat sat on the mat. " * 40
    poet = TextGenerator(**(SETTINGS | {"max_steps": 2, "copy": None, "context": 10})).fit_text(text, callbacks=[])
    message = r"Interrupted after [1-9][0-9,]* characters"
    with pytest.raises(GenerationInterrupted, match=message) as interrupt, interrupted():
        poet.continue_text("the", 10_000_000, sample=True, seed=1)
    [output] = interrupt.value.generations
    assert output.text.startswith("the") and len(output.text) > 20


@pytest.mark.parametrize("options", [{}, {"beam": 3, "n_best": 2}, {"sample": True, "seed": 3}])
def test_batch_is_split_if_the_memory_is_short(
    model: TextGenerator, monkeypatch: pytest.MonkeyPatch, options: dict[str, int]
) -> None:
    right = model.generate(WORDS, **options)
    decode = predictor_module.decode
    sizes = []

    def decode_few(stepper: object, source: torch.Tensor, *arguments: object, **more: object) -> object:
        sizes.append(len(source))
        if len(source) > 5:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes.")
        return decode(stepper, source, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(predictor_module, "decode", decode_few)
    split = model.generate(WORDS, **options)
    assert [output.text for output in split] == [output.text for output in right]
    assert [len(output.candidates) for output in split] == [len(output.candidates) for output in right]
    assert sorted(set(sizes))[-1] == len(WORDS) and sum(size <= 5 for size in sizes) >= len(WORDS) / 5


def test_a_single_source_that_does_not_fit_says_the_way_out(
    model: TextGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(predictor_module, "decode", fail)
    with pytest.raises(MemoryShortError, match="source of 3 tokens; use a smaller .*beam or .*max.length"):
        model.generate("abc", beam=50)


def test_every_way_to_use_a_model_says_when_the_memory_is_short(
    model: TextGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes.")

    monkeypatch.setattr(model.predictor.networks[0], "encode", fail)
    for use in (
        lambda: model.generate("abc"),
        lambda: model.generate(["abc"] * 3, beam=2),
        lambda: list(model.stream("abc")),
        lambda: model.log_probabilities([("abc", "cba")]),
        lambda: model.predictor.alternatives("abc", (5,), 3),
    ):
        with pytest.raises(MemoryShortError, match="There is not enough memory to"):
            use()


def test_a_prefix_longer_than_the_maximum_is_refused(model: TextGenerator) -> None:
    with pytest.raises(OptionError, match="prefix has 3 tokens, which is more than max_length=2"):
        model.generate("abc", prefix="abc", max_length=2)
    assert model.generate("abc", prefix="abc", max_length=3).text == "abc"


def test_an_output_of_an_exported_model_is_explained_by_the_same_model_only(
    model: TextGenerator, tmp_path: Path
) -> None:
    output = OnnxGenerator.load(model.export("onnx", tmp_path / "m")).generate("abc")
    assert model.explain(output, method="attention").output_tokens[:-1] == output.tokens
    with pytest.raises(DataError, match="comes from another model"):
        train(seed=2).explain(output, method="attention")


def test_an_error_that_is_not_about_memory_is_passed_on(model: TextGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("something else")

    monkeypatch.setattr(predictor_module, "decode", fail)
    with pytest.raises(RuntimeError, match="something else"):
        model.generate("abc")


def test_a_generation_of_another_model_is_not_explained(model: TextGenerator, tmp_path: Path) -> None:
    output = model.generate("abc")
    with pytest.raises(DataError, match="comes from another model"):
        train(seed=2).explain(output, method="attention")
    saved = TextGenerator.load(model.save(tmp_path / "m"))
    assert saved.explain(output, method="attention").output_tokens[:-1] == output.tokens


def test_log_probabilities_of_targets_agree_with_the_loss_and_with_generation(model: TextGenerator) -> None:
    pairs = Pairs(["abc", "d", "bcda"], ["cba", "d", "ab"])
    logs = model.log_probabilities(pairs)
    tokens = sum(len(text) + 1 for text in pairs.targets)
    assert math.exp(-logs.sum() / tokens) == pytest.approx(model.perplexity(pairs), rel=1e-6)
    network, codec = model.predictor.networks[0], model.predictor
    for source, target, logged in zip(pairs.sources, pairs.targets, logs, strict=True):
        ids = torch.tensor([[2, *codec.target.encode(target).ids, 3]])
        loss = network.loss(torch.tensor([codec.source.encode(source).ids]), ids)
        assert float(loss.nll) == pytest.approx(-logged, abs=1e-4)
    output = model.generate("abc")
    assert model.log_probabilities([("abc", output.text)])[0] == pytest.approx(output.log_probability, abs=1e-4)
    assert model.log_probabilities(["abc"], [output.text]).shape == (1,)


def test_log_probabilities_of_an_ensemble_with_a_copy_head_are_those_of_its_outputs() -> None:
    several = train(copy=True, ensemble=2)
    output = several.generate("abc", precision="fp32")
    assert several.log_probabilities([("abc", output.text)])[0] == pytest.approx(output.log_probability, abs=1e-4)


# Damaged weights --------------------------------------------------------------------------------------------------


def damage(folder: Path, name: str, change: object) -> None:
    """Change a file of a saved model and its checksum, as a program with a bug would."""
    path = folder / name
    if name.endswith(".safetensors"):
        tensors = load_file(path)
        change(tensors)  # type: ignore[operator]
        save_file(tensors, path)
    manifest = folder / "nbtextgen.json"
    import json

    values = json.loads(manifest.read_text())
    if name == manifest.name:
        change(values)  # type: ignore[operator]
    else:
        values["files"][name] = checksum(path)
    manifest.write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("value", "message"),
    [(math.nan, "holds NaN or infinity"), (math.inf, "holds NaN or infinity"), (None, "holds torch.int64, not real")],
)
def test_weights_that_are_no_numbers_are_refused(
    model: TextGenerator, tmp_path: Path, value: float | None, message: str
) -> None:
    folder = model.save(tmp_path / "m")

    def change(tensors: dict[str, torch.Tensor]) -> None:
        if value is None:
            tensors["output_bias"] = tensors["output_bias"].long()
        else:
            tensors["output_bias"][2] = value

    damage(folder, "weights-1.safetensors", change)
    with pytest.raises(ModelFileError, match=rf"weights-1.safetensors is damaged: weight 'output_bias' {message}"):
        TextGenerator.load(folder)


def test_a_model_whose_weights_are_no_numbers_is_not_written(tmp_path: Path) -> None:
    broken = train(max_steps=1)
    with torch.no_grad():
        broken.predictor.networks[0].decoder.combine.weight[0, 0] = math.inf
    for write in (broken.save, lambda folder: broken.export("onnx", folder)):
        with pytest.raises(ModelFileError, match="Weight 'decoder.combine.weight' holds NaN or infinity"):
            write(tmp_path / "m")
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("count", [1.5, 0, -1, "1", True, None])
def test_a_number_of_networks_that_is_none_is_refused(model: TextGenerator, tmp_path: Path, count: object) -> None:
    folder = model.save(tmp_path / "m")
    damage(folder, "nbtextgen.json", lambda manifest: manifest.update(networks=count))
    with pytest.raises(ModelFileError, match='"networks" must be a positive whole number'):
        TextGenerator.load(folder)


@pytest.mark.parametrize("number", ["nan", "inf", "-Infinity"])
def test_pretrained_embeddings_that_hold_nan_are_refused(tmp_path: Path, model: TextGenerator, number: str) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text(f"a 1 2\nb 1 {number}\n")
    with pytest.raises(DataError, match="vectors.txt, line 2: the vector of 'b' holds NaN or infinity"):
        load_embeddings(
            str(path), torch.zeros(model.predictor.source.size, 2), model.predictor.source, "--source-embeddings"
        )


def test_a_source_of_50_000_tokens_takes_bounded_time(model: TextGenerator) -> None:
    output = model.generate("abcd" * 12_500, max_length=20)
    assert output.notes == ("The source has 50,000 characters; only the first 2,000 were read.",)
    assert DecodingConfig(max_length=20).min_length == 0


def test_settings_without_effect_are_noted(model: TextGenerator) -> None:
    assert (
        "temperature and top_k have no effect without sample." in model.generate("abc", temperature=0.5, top_k=3).notes
    )
    outputs = model.generate(["abc", "cab"], sample=True, beam=3, seed=1)
    assert all("beam has no effect with sample, which draws token by token." in each.notes for each in outputs)
    for options in ({"sample": True, "temperature": 0.5}, {"beam": 3}, {"top_k": 0, "temperature": 1.0}):
        assert not any("no effect" in note for note in model.generate("abc", **options).notes)  # type: ignore[arg-type]


def test_names_of_other_tools_and_missing_commas_are_known(model: TextGenerator) -> None:
    with pytest.raises(OptionError, match=r"\(got 'gpu'\)\. Did you mean 'cuda'"):
        TextGenerator(device="gpu")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="Did you mean 'device'"):
        TextGenerator(gpu=True)  # type: ignore[call-arg]
    with pytest.raises(OptionError, match="Did you mean 'n_best'"):
        model.generate("abc", num_return_sequences=2)  # type: ignore[call-overload]
    with pytest.raises(OptionError, match="Put commas between cleaning steps: nfc,dedupe"):
        Pairs.of([("a", "b"), ("c", "d")]).clean("nfc dedupe")
    with pytest.raises(OptionError, match="Did you mean 'word-error-rate'"):
        model.evaluate([("abc", "cba")], metrics=["wer"])
