"""Training and the user's session do not disturb each other: callbacks, output, torch's global settings, random state."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import nbtextgen
from nbtextgen import Controls, OnnxGenerator, Pairs, Run, TextGenerator
from nbtextgen.core.errors import OptionError
from nbtextgen.explanation.sanity import sanity_check
from nbtextgen.run.training import RunTraining
from nbtextgen.training.events import Checkpoint, Ended, Event, Sample, Started, Validation
from nbtextgen.training.progress import TextProgress

WORDS = ["".join(letters) for letters in itertools.product("abcd", repeat=3)]
REVERSED = Pairs(WORDS, [word[::-1] for word in WORDS])
SMALL = {"hidden_size": 12, "embedding_size": 8, "dropout": 0.2, "batch_size": 8, "epochs": 3, "samples": 1}
SMALL |= {"checkpoint_seconds": 0.0, "precision": "fp32"}


@pytest.fixture(scope="module")
def plain() -> TextGenerator:
    return TextGenerator(**SMALL).fit(REVERSED, callbacks=[])


def same(first: TextGenerator, second: TextGenerator) -> bool:
    states = [model.predictor.networks[0].state_dict() for model in (first, second)]
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_run_can_be_resumed_after_a_callback_raised(tmp_path: Path, plain: TextGenerator) -> None:
    def fail(event: Event) -> None:
        if isinstance(event, Checkpoint) and event.step == 9:
            raise RuntimeError("my own mistake")

    with pytest.raises(RuntimeError, match="my own mistake") as failure:
        TextGenerator(**SMALL).fit(REVERSED, callbacks=[fail], run=tmp_path / "r")
    assert not Run.open(tmp_path / "r").training  # although the traceback is still there
    assert failure.tb is not None
    assert torch.get_num_threads() >= 1
    resumed = TextGenerator.resume(tmp_path / "r", callbacks=[])
    assert same(resumed, plain)
    last = [event for event in Run.open(tmp_path / "r").events() if isinstance(event, Ended)]
    assert [event.reason for event in last] == ["interrupted", "finished"]


SETTINGS = (
    ("float64", "no_grad", "deterministic algorithms"),
    ("default device", "autocast", "precision of products"),
    ("device block", "inference_mode", "anomaly"),
)


@contextlib.contextmanager
def global_setting(name: str) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        if name == "float64":
            torch.set_default_dtype(torch.float64)
            stack.callback(torch.set_default_dtype, torch.float32)
        elif name == "default device":
            torch.set_default_device("meta")
            stack.callback(torch.set_default_device, None)
        elif name == "precision of products":
            torch.set_float32_matmul_precision("medium")
            stack.callback(torch.set_float32_matmul_precision, "highest")
        elif name == "deterministic algorithms":
            torch.use_deterministic_algorithms(True)
            stack.callback(torch.use_deterministic_algorithms, False)
        else:
            blocks = {"no_grad": torch.no_grad, "inference_mode": torch.inference_mode}
            blocks["device block"] = lambda: torch.device("meta")
            blocks["autocast"] = lambda: torch.autocast("cpu", torch.bfloat16)
            blocks["anomaly"] = torch.autograd.detect_anomaly
            stack.enter_context(blocks[name]())
        yield


def users_settings() -> tuple[object, ...]:
    return (
        torch.get_default_dtype(),
        str(torch.get_default_device()),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.is_anomaly_enabled(),
        torch.get_float32_matmul_precision(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )


PAIRS = list(REVERSED)[:6]
TEXT = " ".join(WORDS * 2)


def streamed(pieces: Iterator[str]) -> str:
    """The pieces as one text; between them, the user's settings are seen."""
    before, seen = users_settings(), list[str]()
    for piece in pieces:
        assert users_settings() == before
        seen.append(piece)
    return "".join(seen)


def weights(model: TextGenerator) -> list[float]:
    return [float(tensor.double().sum()) for tensor in model.predictor.networks[0].state_dict().values()]


def fitted(model: TextGenerator, folder: Path) -> object:
    before = users_settings()

    def check(event: Event) -> None:
        assert users_settings() == before

    return weights(TextGenerator(**SMALL).fit(REVERSED, callbacks=[check]))


def resumed(model: TextGenerator, folder: Path) -> object:
    controls = Controls()
    TextGenerator(**SMALL).fit(REVERSED, callbacks=[lambda event: controls.stop()], controls=controls, run=folder / "r")
    return weights(TextGenerator.resume(folder / "r", callbacks=[]))


def exported(model: TextGenerator, folder: Path) -> object:
    generator = OnnxGenerator.load(model.export("onnx", folder / "onnx"))
    return [generator.generate("abc").text, streamed(generator.stream("abc")), generator.predict(["abc"])]


CALLS: dict[str, Callable[[TextGenerator, Path], object]] = {
    "bits_per_character": lambda model, folder: poet.bits_per_character(TEXT[:60]),
    "continue_text": lambda model, folder: poet.continue_text("abc", 5),
    "counterfactual": lambda model, folder: repr(model.counterfactual("abc", budget=50)),
    "evaluate": lambda model, folder: repr(model.evaluate(PAIRS)),
    "errors": lambda model, folder: model.errors(PAIRS),
    "explain": lambda model, folder: [each.values for each in model.explain("abc", method=METHODS).values()],
    "explain_data": lambda model, folder: model.explain_data(PAIRS[:2], method="shap,attention").faithfulness["shap"],
    "export": exported,
    "fit": fitted,
    "fit_text": lambda model, folder: weights(TextGenerator(**POET).fit_text(TEXT, callbacks=[])),
    "generate": lambda model, folder: [
        model.generate("abc", beam=3).text,
        model.generate("abc", sample=True, seed=1).text,
    ],
    "generate_file": lambda model, folder: model.generate_file(WORDS[:3], on_progress=lambda *_: None).texts,
    "get_params": lambda model, folder: model.get_params(),
    "load": lambda model, folder: weights(TextGenerator.load(model.save(folder / "m"))),
    "log_probabilities": lambda model, folder: model.log_probabilities(PAIRS),
    "perplexity": lambda model, folder: model.perplexity(PAIRS),
    "predict": lambda model, folder: model.predict(WORDS[:3]),
    "resume": resumed,
    "save": lambda model, folder: model.save(folder / "s").name,
    "score": lambda model, folder: model.score(PAIRS),
    "set_params": lambda model, folder: repr(TextGenerator().set_params(epochs=2)),
    "stream": lambda model, folder: [
        streamed(model.stream("abc")),
        streamed(poet.stream("abc", 5, sample=True, seed=1)),
    ],
    "estimate": lambda model, folder: TextGenerator(**SMALL).estimate(REVERSED).parameters,
    "find_learning_rate": lambda model, folder: TextGenerator(**SMALL).find_learning_rate(REVERSED, updates=4).losses,
    "training_rows": lambda model, folder: [
        *map(repr, model.training_rows(model.generate("abc", min_length=1, max_length=8), data=PAIRS))
    ],
    # functions
    "compare": lambda model, folder: repr(nbtextgen.compare(model, model, PAIRS, metrics=["exact"])),
    "back_translate": lambda model, folder: list(nbtextgen.back_translate(PAIRS, ["abc"], reverse=model)),
    "sanity_check": lambda model, folder: sanity_check(model, "abc", method="input-x-gradient", seeds=1).correlations,
    "alternatives": lambda model, folder: model.predictor.alternatives("abc", [5], 2),
}
METHODS = "shap,attention,lime,integrated-gradients,input-x-gradient,occlusion,context"
POET = {**SMALL, "tokens": "char", "context": 10, "window": 5, "select_by": "loss"}
poet: TextGenerator
expected: dict[str, object] = {}


@pytest.fixture(scope="module")
def poet_model() -> TextGenerator:
    global poet
    poet = TextGenerator(**POET).fit_text(TEXT, callbacks=[])
    return poet


def test_all_public_methods_are_called_below() -> None:
    methods = {
        name for name in dir(TextGenerator) if not name.startswith("_") and callable(getattr(TextGenerator, name))
    }
    assert methods <= set(CALLS)


@pytest.mark.parametrize("settings", SETTINGS)
def test_global_settings_of_torch_change_nothing(
    settings: tuple[str, ...], tmp_path: Path, plain: TextGenerator, poet_model: TextGenerator
) -> None:
    if not expected:
        expected.update({name: call(plain, tmp_path / "plain" / name) for name, call in CALLS.items()})
    for name, call in CALLS.items():
        with contextlib.ExitStack() as stack:
            for setting in settings:
                stack.enter_context(global_setting(setting))
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("error")
            before = users_settings()
            result = call(plain, tmp_path / "changed" / name)
            assert users_settings() == before, name
        np.testing.assert_equal(result, expected[name], name)


def test_random_state_of_the_user_is_unchanged(tmp_path: Path, plain: TextGenerator) -> None:
    folder = plain.save(tmp_path / "m")
    torch.manual_seed(7)
    np.random.seed(7)
    expected, expected_numpy = torch.rand(4), np.random.rand(4)
    torch.manual_seed(7)
    np.random.seed(7)
    drawn: list[torch.Tensor] = []

    def draw(event: Event) -> None:
        if isinstance(event, Validation):
            drawn.append(torch.rand(1))  # neither disturbs the training nor is disturbed by it

    model = TextGenerator(**SMALL).fit(REVERSED, callbacks=[draw], run=tmp_path / "r")
    assert same(model, plain)
    TextGenerator.load(folder).generate("abc", sample=True)
    TextGenerator(**SMALL).estimate(REVERSED)
    assert torch.equal(torch.cat(drawn), expected[:3])
    assert torch.equal(torch.rand(1), expected[3:]) and (np.random.rand(4) == expected_numpy).all()


def test_closed_output_does_not_end_training(plain: TextGenerator, monkeypatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)

    class Closing(TextProgress):
        def __call__(self, event: Event) -> None:
            super().__call__(event)
            if isinstance(event, Started):
                stream.close()

    assert same(TextGenerator(**SMALL).fit(REVERSED, callbacks=[Closing()]), plain)
    monkeypatch.setattr(sys, "stdout", None)
    assert same(TextGenerator(**SMALL).fit(REVERSED), plain)


def test_broken_pipe_does_not_end_training(tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text("\n".join(f"{word}\t{word[::-1]}" for word in WORDS))
    settings = (
        f'run = "{tmp_path}/r"\ndata = "{tmp_path}/pairs.tsv"\nhidden-size = 12\nembedding-size = 8\nepochs = 4\n'
    )
    (tmp_path / "run.toml").write_text(settings)
    command = [sys.executable, "-m", "nbtextgen", "train", str(tmp_path / "run.toml")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ))
    assert process.stdout and process.stderr
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait() == 0 and errors == b""
    assert isinstance(list(Run.open(tmp_path / "r").events())[-1], Ended)


def test_characters_outside_the_encoding_are_escaped() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    TextProgress(stream)(Sample(1, "é \x1b[31m", "b", "\ud800"))
    stream.seek(0)
    assert stream.read() == "    \\xe9 \\u241b[31m -> \\u27e8U+D800\\u27e9  (b)\n"


def test_many_validations_print_few_lines() -> None:
    stream = io.StringIO()
    show = TextProgress(stream)
    show(Started(1000, 40, 4, 150 * 5, 150, "cpu", "fp32"))
    for epoch in range(1, 151):
        show(Validation(5 * epoch, epoch, 1 / epoch, "loss", 1 / epoch, True, 0.1 * epoch))
        for number in range(3):
            show(Sample(5 * epoch, f"source {number}", "target", f"output {epoch}"))
    show(Ended("finished", 750, 750, 15.0))
    lines = stream.getvalue().splitlines()
    assert 60 < len(lines) < 120
    assert f"{1 / 150:.4f}" in lines[-5] and all("output 150" in text for text in lines[-4:-1])


@pytest.mark.parametrize("value", ["x", "0.1", -0.1, 1.0, float("nan"), True, [0.1]])
def test_invalid_live_settings_are_refused(value: object) -> None:
    controls = Controls()
    controls.dropout = 0.5
    with pytest.raises(OptionError, match="Dropout must be a number from 0 to below 1 .got"):
        controls.dropout = value  # type: ignore[assignment]
    assert controls.dropout == 0.5
    if value != 1.0:
        with pytest.raises(OptionError, match="must be a number from 0 to"):
            controls.teacher_forcing = value  # type: ignore[assignment]
        with pytest.raises(OptionError, match="must be a number from 0 to"):
            controls.rate_factor = value  # type: ignore[assignment]
    controls.dropout = np.float32(0.25)
    assert controls.dropout == 0.25


def test_run_training_yields_its_events(tmp_path: Path, plain: TextGenerator) -> None:
    TextGenerator(**{**SMALL, "epochs": 1}).fit(REVERSED, callbacks=[], run=tmp_path / "r")
    assert isinstance(list(RunTraining(Run.open(tmp_path / "r")).run())[-1], Ended)


async def awaited(event: Event) -> None:
    pass


@pytest.mark.parametrize("callbacks", [3, [3], "print", [None], {"a": 1}, [awaited], [lambda event: (yield event)]])
def test_callbacks_that_cannot_be_called_are_refused(callbacks: object) -> None:
    with pytest.raises(OptionError, match="Callbacks are functions|A callback is called and not awaited"):
        TextGenerator(**SMALL).fit(REVERSED, callbacks=callbacks)  # type: ignore[arg-type]


def test_controls_of_another_type_are_refused() -> None:
    with pytest.raises(OptionError, match="controls must be a Controls object .got int"):
        TextGenerator(**SMALL).fit(REVERSED, callbacks=[], controls=3)  # type: ignore[arg-type]
