"""Loggers of TensorBoard, MLflow and Weights & Biases, and Python's ``logging``, get every figure of a training once."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from nbtextgen import Pairs, TextGenerator, loggers
from nbtextgen.core.errors import MissingPackageError
from nbtextgen.training.events import Ended, Event, Resumed, Started, Step, TrainingWarning, Validation
from nbtextgen.training.progress import line, log

WORDS = [a + b + c for a in "abcd" for b in "abcd" for c in "abcd"]
OPTIONS: dict[str, Any] = {
    "hidden_size": 8, "embedding_size": 8, "batch_size": 16, "epochs": 2, "samples": 0, "select_by": "exact", "seed": 3,
}  # fmt: skip
Figures = dict[tuple[str, int], float]


@pytest.fixture(scope="module")
def history() -> list[Event]:
    """The events of two networks."""
    return TextGenerator(**OPTIONS, ensemble=2).fit(Pairs(WORDS, [w[::-1] for w in WORDS]), callbacks=[]).history


def figures(history: list[Event]) -> Figures:
    """Every figure that is to be logged, by name and update."""
    expected: Figures = {}
    network = 0
    for event in history:
        network += isinstance(event, Started)
        prefix = "" if network < 2 else f"network-{network}/"
        if isinstance(event, Step):
            for name in ("loss", "learning_rate", "tokens_per_second"):
                expected[f"{prefix}train/{name}", event.step] = getattr(event, name)
        if isinstance(event, Validation):
            expected[f"{prefix}valid/loss", event.step] = event.loss
            expected[f"{prefix}valid/exact", event.step] = event.metric
    assert len(expected) >= 8 and network == 2
    return expected


def send(history: list[Event], logger: loggers.FigureLogger) -> None:
    for event in history:
        logger(event)


class Writer:
    """As ``SummaryWriter``: refuses what was closed."""

    opened: list[Writer] = []

    def __init__(self, folder: str, purge_step: int | None = None) -> None:
        self.folder, self.purge_step, self.points, self.closed = folder, purge_step, {}, False
        Writer.opened.append(self)

    def add_text(self, name: str, text: str) -> None:
        assert "parameters: " in text

    def add_scalar(self, name: str, value: float, step: int) -> None:
        assert (name, step) not in self.points
        self.points[name, step] = value

    def close(self) -> None:
        self.closed = True


class FakeMlflow(ModuleType):
    """As MLflow: one active run, a parameter has one value, names have few characters."""

    def __init__(self) -> None:
        super().__init__("mlflow")
        self.active: Any = None
        self.runs: list[dict[str, Any]] = []

    def active_run(self) -> Any:
        return self.active

    def start_run(self) -> None:
        assert self.active is None
        self.active = {"params": {}, "points": {}}
        self.runs.append(self.active)

    def log_params(self, values: dict[str, Any]) -> None:
        assert not self.active["params"].keys() & values.keys()
        self.active["params"] |= values

    def log_metrics(self, values: dict[str, float], step: int) -> None:
        assert not any(set(":<>") & set(name) for name in values)
        self.active["points"] |= {(name, step): value for name, value in values.items()}

    def set_tag(self, name: str, value: str) -> None:
        self.active[name] = value

    def end_run(self) -> None:
        self.active = None


class FakeWandb(ModuleType):
    """As Weights & Biases: ``run`` is ``None`` without a run."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.run: Any = None
        self.rows: list[dict[str, float]] = []

    def init(self, **options: Any) -> None:
        assert self.run is None and options == {"project": "words"}
        config = SimpleNamespace(update=lambda values, allow_val_change: None)
        self.run = SimpleNamespace(
            config=config,
            define_metric=lambda name, step_metric: None,
            log=self.rows.append,
            summary={},
            finish=self.finish,
        )

    def finish(self) -> None:
        self.run = None


def test_tensorboard_gets_every_figure(history: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    fake = ModuleType("torch.utils.tensorboard")
    fake.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    monkeypatch.setattr(Writer, "opened", [])
    send(history, loggers.TensorBoardLogger("logs"))
    assert [writer.folder for writer in Writer.opened] == ["logs"]
    assert Writer.opened[0].points == figures(history) and Writer.opened[0].closed
    resumed = loggers.TensorBoardLogger("logs")
    send([history[0], Resumed(4, 1, 2.0), Step(5, 9, 1, 2, 1.0, 0.1, 10.0, 1.0, 1.0)], resumed)
    assert Writer.opened[-1].purge_step == 5 and len(Writer.opened[-1].points) == 3


def test_mlflow_gets_every_figure(history: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeMlflow()
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    send(history, loggers.MLflowLogger())  # a run for each network
    assert [run["ended"] for run in fake.runs] == ["finished", "finished"] and fake.active is None
    plain = {(name.removeprefix("network-2/"), step): value for (name, step), value in figures(history).items()}
    assert fake.runs[1]["points"] == {key: plain[key] for key in fake.runs[1]["points"]}
    fake.start_run()  # the user's own run, which stays open
    send(history, loggers.MLflowLogger())
    assert fake.active["points"] == figures(history) and fake.active["params"]["training.pairs"] > 50
    loggers.MLflowLogger().log({"valid/bleu:13a": 1.0}, 1)


def test_wandb_gets_every_figure(history: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    fake.init(project="words")
    send(history, loggers.WandbLogger())
    assert fake.run is not None and fake.run.summary == {"ended": "finished"}
    logged = {(name, int(row["update"])): value for row in fake.rows for name, value in row.items() if name != "update"}
    assert logged == figures(history)
    fake.finish()
    send(history, loggers.WandbLogger(project="words"))
    assert fake.run is None


@pytest.mark.parametrize(
    ("make", "module"),
    [
        (lambda: loggers.TensorBoardLogger("logs"), "torch.utils.tensorboard"),
        (loggers.MLflowLogger, "mlflow"),
        (loggers.WandbLogger, "wandb"),
    ],
)
def test_without_its_package_a_logger_says_how_to_get_it(
    make: Any, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError, match=r"Logger needs \w+: pip install \w+\."):
        make()


def test_real_tensorboard_reads_the_figures(history: list[Event], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    send(history, loggers.TensorBoardLogger(tmp_path))
    accumulator = EventAccumulator(str(tmp_path)).Reload()
    read = {
        (name, point.step): point.value for name in accumulator.Tags()["scalars"] for point in accumulator.Scalars(name)
    }
    assert read == pytest.approx(figures(history), rel=1e-5)


def test_real_mlflow_reads_the_figures(history: list[Event], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    experiment = mlflow.set_experiment("words").experiment_id
    with mlflow.start_run() as run:
        send(history, loggers.MLflowLogger())
    client = mlflow.MlflowClient()
    read: Figures = {}
    for name in client.get_run(run.info.run_id).data.metrics:
        read |= {(name, point.step): point.value for point in client.get_metric_history(run.info.run_id, name)}
    assert read == pytest.approx(figures(history))
    send(history, loggers.MLflowLogger())
    assert mlflow.active_run() is None and len(client.search_runs([experiment])) == 3


def test_real_wandb_reads_the_figures(history: list[Event], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")
    if not hasattr(wandb, "init"):
        pytest.skip("wandb is a folder, no package")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.chdir(tmp_path)
    with wandb.init(mode="offline", dir=tmp_path, project="words") as run:
        send(history, loggers.WandbLogger())
        summary = dict(run.summary)
    last = {name: value for (name, _), value in figures(history).items()}
    assert {name: summary[name] for name in last} == pytest.approx(last)
    assert list(tmp_path.rglob("*.wandb"))


def test_logging_has_the_lines_that_are_printed(history: list[Event], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "nbtextgen"):
        for event in [*history, TrainingWarning("--hidden-size\nis odd")]:
            log(event)
    assert [record.getMessage() for record in caplog.records][:-1] == [line(event).strip() for event in history]
    assert caplog.records[-1].getMessage() == "Note: hidden_size␊is odd" and caplog.records[-1].levelname == "WARNING"


def test_fit_logs_and_shows_nothing_unless_asked(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO, "nbtextgen"):
        TextGenerator(**{**OPTIONS, "max_steps": 3}).fit(Pairs(WORDS, WORDS), callbacks=[])
    texts = [record.getMessage() for record in caplog.records]
    assert any("parameters" in text for text in texts) and any("best model" in text for text in texts)
    assert not any("tokens/s" in text for text in texts)  # steps are for DEBUG
    assert capsys.readouterr() == ("", "")
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("nbtextgen").handlers)


def test_the_end_is_an_event_of_every_network(history: list[Event]) -> None:
    assert sum(isinstance(event, Ended) for event in history) == 2
