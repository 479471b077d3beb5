"""What the panels offer after a training: going on from its model, reviewing its outputs, and a page that outlives the kernel."""

from __future__ import annotations

import base64
import contextlib
import html
import io
import re
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from ipywidgets.widgets import widget as widgets

from nbtextgen import TextGenerator, runs
from nbtextgen.core.cancellation import CancellationToken, Cancelled
from nbtextgen.core.errors import DataError, NotTrainedError, form_words
from nbtextgen.data.rows import Row
from nbtextgen.export.page import live_page as live
from nbtextgen.inference.predictor import Predictor
from nbtextgen.notebook import static
from nbtextgen.notebook.live.training import Training
from nbtextgen.notebook.magics.base import MagicError
from nbtextgen.notebook.panels.generate import GeneratePanel
from nbtextgen.notebook.panels.result import ResultBar
from nbtextgen.notebook.panels.runs import RunsPanel
from nbtextgen.notebook.panels.train import TrainPanel
from nbtextgen.notebook.panels.tune import TunePanel
from nbtextgen.notebook.panels.widgets import status
from nbtextgen.notebook.runs_view import RunsView
from nbtextgen.notebook.session import Session
from nbtextgen.training.controls import Controls
from nbtextgen.tuning import Trial, Tuning

FAST = "--hidden-size 8 --embedding-size 8 --epochs 1 --quiet"


@pytest.fixture(scope="module")
def session() -> Session:
    """A notebook with rows and a model ``words``."""
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "nbtextgen")
    shell.user_ns["rows"] = [(a + b + c, c + b + a) for a in "abcd" for b in "abcd" for c in "abcd"]
    shell.run_line_magic("textgen_train", f"words --data rows {FAST}")
    return shell.magics_manager.registry["TrainCommands"].session


def test_train_panel_goes_on_from_a_model(session: Session) -> None:
    panel = TrainPanel(session, "better", "rows")
    panel.form.put(start="words", hidden_size=64, replay="0.3", dropout=0.1)
    line = "%textgen_train better --data rows --start words --replay 0.3 --dropout 0.1"
    assert panel.code.pieces[0]["code"] == line  # the network is that of the model
    python = panel.code.pieces[1]["code"]
    assert python.endswith("better = TextGenerator(dropout=0.1).fit(rows, start=words, replay=0.3)")
    assert panel.finder.disabled and not panel.start.disabled
    fields = {each["name"]: each for section in panel.form.sections for each in section["fields"]}
    assert fields["hidden_size"]["unless"] == "start" and fields["replay"]["needs"] == "start"
    assert panel.form.suggestions["start"] == ["words"]
    for text, message in (
        ("nothing", "neither a file"),
        ("rows", "rows holds list"),
        ("/no/such/folder", "neither a file"),
    ):
        panel.form.put(start=text)
        assert message in panel.form.errors["start"] and panel.start.disabled, text
    panel.form.put(start="", replay="0.3")
    assert "replay" not in panel.code.pieces[0]["code"] and not panel.start.disabled
    panel._worker.cancel(wait=True)


def test_tune_panel_reads_its_data_before_it_starts(session: Session) -> None:
    session.variables["wide"] = [{"a": "x", "b": "y", "c": "z"}, {"a": "u", "b": "v", "c": "w"}]
    panel = TunePanel(session, "best", "rows")
    panel._worker.wait(30)
    assert (
        "64 pairs, for instance “<bdi>aaa</bdi>” → “<bdi>aaa</bdi>”" in panel.status.value and not panel.start.disabled
    )
    for values, field, message in (
        ({"data": "nothing"}, "data", "neither a file"),
        ({"data": "3"}, "data", "int"),
        ({"data": "iter(rows)"}, "data", "can be read only once; enter list(iter(rows))"),
        ({"data": "[('a', 'b')]"}, "data", "only one pair"),
        ({"data": "[]"}, "data", ""),
        ({"data": "wide"}, "data", "columns a, b, c; enter two of them below, as source and target."),
        ({"data": "wide", "source": "a"}, "target", "columns a, b, c; enter the target column here."),
        ({"data": "wide", "source": "a", "target": "d"}, "target", "no target column 'd'"),
        ({"data": "rows", "source": "", "target": "", "fixed": "--hiden 3"}, "fixed", "Did you mean"),
        ({"fixed": "--clean nfcc"}, "fixed", "no cleaning step 'nfcc'"),
        ({"fixed": "", "name": "1x"}, "name", "variable name"),
    ):
        panel.form.put(**values)
        panel._worker.wait(30)
        assert message in panel.form.errors[field] and panel.start.disabled, values
    panel.form.put(name="best", data="")
    assert panel.start.disabled and "Enter the training data" in panel.status.value
    panel.form.put(data="rows")
    panel._worker.wait(30)
    assert not panel.start.disabled and panel.form.errors == {}


def test_train_panel_refuses_at_the_field_before_the_start(session: Session) -> None:
    panel = TrainPanel(session, "better", "rows")
    for values, field, message in (
        ({"data": "[('a', 'b')] * 9"}, "data", "only 9 identical pairs"),
        ({"data": "rows", "clean": "nfcc"}, "clean", "no cleaning step 'nfcc'"),
        ({"clean": "", "augment": "swop:0.1"}, "augment", "no augmentation 'swop'"),
        ({"augment": "", "name": ""}, "name", "for instance: dates"),
    ):
        panel.form.put(**values)
        panel._worker.wait(30)
        assert message in panel.form.errors[field] and panel.start.disabled, values
        assert message in html.unescape(panel.summary()[1]) and "_" not in panel.form.refusals()
    panel.form.put(name="better", store="tokens", hidden_size=8, embedding_size=8, epochs=1)
    panel._worker.wait(60)
    assert "parameters;" in panel.cost.value and not panel.start.disabled


def test_the_tune_panel_shows_that_it_reads_its_data_and_cancel_ends_that(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbtextgen.notebook.panels.widgets.LATE_SECONDS", 0.0)
    monkeypatch.setattr("nbtextgen.notebook.panels.tune.tune", lambda *_, **__: pytest.fail("the search began"))
    panel = TunePanel(session, "best", "rows")
    panel._worker.wait(30)
    seen, reading = list[str](), threading.Event()
    panel.progress.observe(lambda change: seen.append(change["new"].get("text", "")), "state")

    def read_rows(*_: object) -> Iterator[Row]:
        for number in range(1_000_000):
            if number == 2_000:
                reading.set()
            time.sleep(0 if number % 1_000 else 0.01)
            yield str(number), str(number), str(number), None

    with monkeypatch.context() as patched:
        patched.setattr("nbtextgen.data.pairs.read_rows", read_rows)
        panel.start.click()
        assert reading.wait(30) and panel.start.disabled and panel.form.disabled
        panel.cancel()
        panel._worker.wait(30)
    assert seen[0] == "Reading the data …" and seen[-1] == ""
    assert "Cancelled: the search has not begun." in panel.status.value
    assert not panel.start.disabled and not panel.form.disabled and session.in_training() == ""
    monkeypatch.setitem(session.variables, "rows", [("a", "b")])
    panel.start.click()
    panel._worker.wait(30)
    assert "only one pair" in panel.form.errors["data"] and panel.start.disabled and not panel.form.disabled


def test_ranges_of_a_search_are_refused_at_their_setting(session: Session) -> None:
    panel = TunePanel(session, "best", "rows")
    usual = panel.ranges.values
    off = {name: {**value, "on": False} for name, value in usual.items()}
    for name, ends, message in (
        ("batch_size", [12.5, 32], "batch size must be a whole number"),
        ("batch_size", ["many", 32], "batch size must be a whole number between 1 and 1000000 (got 'many')"),
        ("hidden_size", [64, 16], "from a lower to a higher number (got 64 to 16)"),
        ("dropout", [0.1, 2], "dropout must be a number in [0, 1)"),
        ("cell", [], "Choose at least one of rnn, gru, lstm."),
        ("", [], "Choose at least one setting to search."),
    ):
        panel.ranges.values = off | ({name: {"on": True, "range": ends}} if name else {})
        assert message in panel.ranges.errors[name] and panel.start.disabled, name
        assert panel.form.errors == {} and "--" not in panel.ranges.errors[name]
        assert panel.ranges.errors[name].partition("'")[0] in panel.summary()[1]
    panel.ranges.values = off | {"hidden_size": {"on": True, "range": [16, 2000]}}  # more than the slider has
    assert panel.ranges.errors == {} and not panel.start.disabled
    assert "--search hidden-size:16..2000" in panel.code.pieces[0]["code"]
    panel.form.put(fixed="--hidden-size 32")
    assert "both fixed and searched" in panel.ranges.errors["hidden_size"]
    panel._worker.cancel(wait=True)


def test_a_double_click_starts_once(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go = list[str](), threading.Event()

    def tune(*_: object, controls: Controls, **__: object) -> None:
        begun.append("search")
        assert go.wait(60) and controls.stopping
        raise NotTrainedError("No trial has a model.")

    monkeypatch.setattr("nbtextgen.notebook.panels.tune.tune", tune)
    panel = TunePanel(session, "best", "rows")
    panel.start.click()
    panel.start.click()  # does not wait for the search to end
    panel.stop.click()
    assert panel.stop.disabled and "Stopping" in panel.status.value
    go.set()
    panel._worker.wait(60)
    assert begun == ["search"] and "No trial has a model" in panel.summary()[1] and not panel.start.disabled

    trainer = TrainPanel(session, "twice", "rows")
    trainer.form.put(hidden_size=8, embedding_size=8, max_steps=2)
    trainer.start.click()
    trainer.start.click()
    session.trainings["twice"].worker.wait(60)
    assert "held-out inputs" in trainer.status.value and "role='alert'" not in trainer.status.value
    live, bar = trainer.below.children
    bar.below.children[0]._worker.wait(60)
    assert (
        "update" in trainer.summary()[0]
        and "Generate panel" in trainer.summary()[0]
        and "Estimating" not in trainer.cost.value
    )


def test_a_second_training_in_a_kernel_says_what_runs_and_where(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    session.shell.run_line_magic("textgen_train", f"earlier --data rows {FAST} --run earlier")
    begun, go = threading.Event(), threading.Event()

    def tune(*_: object, **__: object) -> None:
        begun.set()
        assert go.wait(60)
        raise NotTrainedError("No trial has a model.")

    def fit(self: TextGenerator, *_: object, **__: object) -> TextGenerator:
        begun.set()
        assert go.wait(60)
        return self

    monkeypatch.setattr("nbtextgen.notebook.panels.tune.tune", tune)
    monkeypatch.setattr(TextGenerator, "fit", fit)
    trainer, other, tuner = (
        TrainPanel(session, "one", "rows"),
        TrainPanel(session, "two", "rows"),
        TunePanel(session, "best", "rows"),
    )
    table = RunsPanel(session, RunsView(Path("runs"), runs()))
    resume = {"action": "resume", "names": [table.view[0].name]}

    tuner.start.click()
    assert begun.wait(60)
    trainer.start.click()
    table._receive(None, resume)
    said = "A search for settings of best is running in its Tune panel: press Stop there, or wait until it ends"
    assert said in trainer.status.value and said in table.status.value and "role='alert'" in trainer.summary()[1]
    assert "one" not in session.trainings and not trainer.start.disabled
    trainer.finder.click()
    trainer._worker.wait(60)
    assert said in trainer.cost.value and not trainer.finder.disabled and not trainer.chart.value
    go.set()
    tuner._worker.wait(60)

    begun.clear()
    go.clear()
    trainer.start.click()
    assert begun.wait(60) and said not in trainer.status.value
    for panel in (tuner, other):
        panel.start.click()
        panel._worker.wait(60)
        said = "one is training in this notebook: stop it in its panel (%textgen_panel one shows it), or wait until it ends"
        assert said in panel.status.value and not panel.start.disabled
    other.form.put(hidden_size=8)
    other._worker.wait(60)
    assert "No estimate while a training is running." in other.cost.value and "two" not in session.trainings
    go.set()
    session.trainings["one"].worker.wait(60)
    assert session.in_training() == ""
    for panel, element in ((other, other.cost), (other, other.status), (tuner, tuner.status)):
        until(lambda: "training" not in element.value and "Estimating" not in element.value)  # noqa: B023
        panel._worker.wait(60)
    assert "parameters;" in other.cost.value and "64 pairs" in tuner.status.value
    with monkeypatch.context() as patched:
        patched.setattr(Training, "running", True)
        assert "is training in this notebook" in session.in_training()
        for training in session.trainings.values():
            training.elsewhere = True  # it is only watched
        assert session.in_training() == ""


@pytest.mark.parametrize("held", ["deleted", 5])
def test_a_variable_that_changes_during_a_training_is_filled_or_named(
    session: Session, monkeypatch: pytest.MonkeyPatch, held: object
) -> None:
    go, begun, fit = threading.Event(), threading.Event(), TextGenerator.fit

    def slow(self: TextGenerator, *arguments: object, **keywords: object) -> TextGenerator:
        begun.set()
        assert go.wait(60)
        return fit(self, *arguments, **keywords)

    monkeypatch.setattr(TextGenerator, "fit", slow)
    panel = TrainPanel(session, "changing", "rows")
    panel.form.put(hidden_size=8, embedding_size=8, max_steps=2)
    panel.start.click()
    assert begun.wait(60)
    if held == "deleted":
        del session.variables["changing"]
    else:
        session.variables["changing"] = held
    go.set()
    session.trainings["changing"].worker.wait(60)
    if held == "deleted":
        assert session.variables["changing"].generate("abc") and len(panel.below.children) == 2
    else:
        assert "The variable changing holds int" in panel.status.value and session.variables.pop("changing") == held


def test_no_trial_of_a_search_that_has_failed_is_running(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def tune(*_: object, on_progress: Callable[[Tuning], None], controls: Controls, **__: object) -> None:
        tuning = Tuning("loss", False, [Trial(1, {"dropout": 0.5})])
        on_progress(tuning)
        assert "running" in panel.table.value
        controls.stop()
        tuning.trials[0].state = "failed"
        on_progress(tuning)
        raise NotTrainedError("No trial has a model.")

    monkeypatch.setattr("nbtextgen.notebook.panels.tune.tune", tune)
    panel = TunePanel(session, "best", "rows")
    panel.start.click()
    panel._worker.wait(60)
    assert "failed" in panel.table.value and "running" not in panel.table.value and "No trial" in panel.status.value


def test_a_file_that_a_training_refuses_is_refused_at_its_field(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("table.txt").write_text("abc\tacb\nlonely\n")
    Path("wide.txt").write_text("a 1 2 3\nb 1 2 3\n")
    fixed = FAST.replace("--quiet", "--background --progress none")
    for name, value, option, message in (
        ("source_embeddings", "no.txt", "--source-embeddings no.txt", "There is no embeddings file no.txt"),
        ("target_embeddings", "wide.txt", "--target-embeddings wide.txt", "line 1: 3 numbers, but embedding size is 8"),
        ("synonyms", "no.tsv", "--augment synonyms:0.1 --synonyms no.tsv", "no.tsv"),
        ("synonyms", "table.txt", "--augment synonyms:0.1 --synonyms table.txt", "table.txt, line 2: write a word"),
    ):
        panel = TrainPanel(session, "never", "rows")
        panel.form.put(embedding_size=8, augment="synonyms:0.1" if name == "synonyms" else "", **{name: value})
        assert message in panel.form.errors[name] and panel.start.disabled and list(panel.form.errors) == [name]
        said = panel.form.errors[name]
        assert said in html.unescape(re.sub("<[^>]+>", "", panel.summary()[1]))
        after_start = session.shell.magics_manager.registry["TrainCommands"].prepare(
            f"never --data rows {fixed} {option}"
        )
        after_start.record.words = form_words
        with pytest.raises(DataError):
            after_start.run()
        assert after_start.record.error == said, name
        panel.form.put(**{name: ""})
        assert panel.form.errors == {} and not panel.start.disabled
        panel._worker.cancel(wait=True)
        tuner = TunePanel(session, "never", "rows")
        tuner.form.put(fixed=f"--embedding-size 8 {option}")
        assert after_start.record.error.partition(" embedding")[0] in tuner.form.errors["fixed"].replace("--", "")
        assert tuner.start.disabled
    panel = TrainPanel(session, "never", "rows")
    panel.form.put(source_embeddings="wide.txt")  # whose width does not fit to the size that is chosen
    panel._worker.wait(60)
    assert "line 1: 3 numbers, but embedding size is" in panel.form.errors["source_embeddings"]


def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_magics_refuse_a_second_training_or_search_in_a_kernel(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, begun = threading.Event(), threading.Event()
    fit, run = TextGenerator.fit, session.shell.run_line_magic

    def slow(self: TextGenerator, *_: object, **__: object) -> TextGenerator:
        begun.set()
        assert go.wait(60)
        return self

    monkeypatch.setattr(TextGenerator, "fit", slow)
    run("textgen_train", f"one --data rows {FAST} --background")
    assert begun.wait(60)
    ending = "stop it in its panel (%textgen_panel one shows it), or wait until it ends, and run the line again."
    for magic, line in (
        ("textgen_train", f"two --data rows {FAST} --background"),
        ("textgen_train", f"two --data rows {FAST}"),
        ("textgen_train", f"one --data rows {FAST}"),
        ("textgen_tune", "two --data rows --minutes 0.1 --quiet"),
    ):
        with pytest.raises(MagicError, match=re.escape(f"one is training in this notebook: {ending}")):
            run(magic, line)
    assert "two" not in session.trainings and "two" not in session.variables
    commands = session.shell.magics_manager.registry["TrainCommands"]
    far = commands.prepare(f"far --data rows {FAST} --run far --processes 2")  # these have random numbers of their own
    assert far.elsewhere and not session.trainings["one"].elsewhere
    go.set()
    session.trainings["one"].worker.wait(60)
    monkeypatch.setattr(TextGenerator, "fit", fit)

    def tune(*_: object, **__: object) -> None:
        with pytest.raises(MagicError, match="A search for settings of best is running in a cell: interrupt it there"):
            run("textgen_train", f"two --data rows {FAST}")
        raise NotTrainedError("No trial has a model.")

    monkeypatch.setattr("nbtextgen.tuning.tune", tune)
    with pytest.raises(MagicError, match="No trial has a model"):
        run("textgen_tune", "best --data rows --minutes 0.1 --quiet")
    run("textgen_train", f"two --data rows {FAST}")
    assert session.variables["two"].generate("abc")


def open_widgets() -> int:
    """How many widgets the kernel knows."""
    return len(widgets._instances if hasattr(widgets, "_instances") else widgets.Widget.widgets)


def test_stills_follow_what_is_open_below_and_nothing_is_left_behind(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    stills = list[str]()
    monkeypatch.setattr(static, "_display", lambda data, *_, **__: stills.append(data["text/html"]))
    bar = ResultBar(session, "words")
    bar._shown_still = {}
    bar.buttons["Try it"].click()
    panel = bar.below.children[0]
    panel.form.put(text="dab")
    panel._worker.wait(60)
    shown = re.sub("<[^>]+>", "", stills[-1])  # doubtful tokens are marked
    assert ">dab<" in stills[-1] and panel._generations[0].text in shown
    there = open_widgets()
    bar.buttons["Try it"].click()
    bar.below.children[0]._worker.wait(60)
    assert open_widgets() == there  # those of the first one are closed
    bar.buttons["Explain"].click()
    explanation = bar.below.children[0]
    explanation.wait()
    assert "<div>SHAP <small>" in stills[-1]  # computed after the explanation opened
    explanation._receive(None, {"kind": "close"})
    assert "SHAP" not in stills[-1]


def test_a_run_that_had_ended_is_shown_when_it_is_resumed(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    session.shell.run_line_magic("textgen_train", f"kept --data rows {FAST} --run kept")
    panel = RunsPanel(session, RunsView(Path("runs"), runs()))
    monkeypatch.setattr(Training, "start", lambda self: None)
    shown = list[object]()
    for _ in range(2):  # a double click
        panel._receive(None, {"action": "resume", "names": [panel.view[0].name]})
        shown.append(panel.below.children[0])
        assert "is resumed into kept" in panel.status.value
    assert shown[0] is shown[1]
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    session.trainings["kept"].start()
    session.trainings["kept"].worker.wait(60)
    assert "The run had ended already; kept is its best model" in panel.status.value
    text, page = panel.summary()
    assert "finished after" in page and "begin with the first update" not in page and "kept-" in text
    chart = base64.b64decode(re.search(r"base64,([^'\"]+)", panel.view.html())[1]).decode()
    assert ">update<" in chart and ".5<" not in chart.split(">update<")[0].split("validation loss")[-1]


def test_saving_opening_and_cleaning_end_when_they_are_cancelled(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run, begun = session.shell.run_line_magic, threading.Event()
    run("textgen_train", f"opened --data rows {FAST} --run opened")
    session.variables["opened"] = earlier = session.variables["words"]
    bar, table = ResultBar(session, "words"), RunsPanel(session, RunsView(Path("runs"), runs()))
    cleaning = run("textgen_data", "rows --panel")
    bar.buttons["Save"].click()
    bar._worker.wait(60)
    assert "Saved to words-model" in bar.status.value and TextGenerator.load("words-model").generate("abc")
    saved = {path.name: path.stat().st_mtime_ns for path in Path("words-model").iterdir()}

    def check(token: CancellationToken) -> None:
        begun.set()
        until(lambda: token.cancelled)
        raise Cancelled

    monkeypatch.setattr(CancellationToken, "raise_if_cancelled", check)
    table_opens = partial(table._receive, None, {"action": "open", "names": [table.view[0].name]})
    for panel, begin, text in (
        (bar, bar.buttons["Save"].click, "Saving …"),
        (table, table_opens, "Opening opened-"),
        (cleaning, partial(cleaning.boxes["same"].set_trait, "value", True), ""),
    ):
        begun.clear()
        begin()
        assert begun.wait(60) and panel.progress.state.get("text", "").startswith(text)
        panel.progress._handle_custom_msg({"kind": "cancel"}, [])
        panel._worker.wait(60)
        assert panel.progress.state == {}
    assert "Cancelled." in bar.status.value and not bar.buttons["Save"].disabled
    assert {path.name: path.stat().st_mtime_ns for path in Path("words-model").iterdir()} == saved
    assert not list(Path().glob(".words-model*"))
    assert "Cancelled." in table.status.value and not table.table.disabled
    assert session.variables["opened"] is earlier
    assert "Cancelled" in cleaning.kept.value and cleaning.cleaned is None
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    cleaning.apply.click()
    cleaning._worker.wait(60)
    assert "pairs are in rows_clean" in cleaning.message.value and "48 of 64 rows kept" in cleaning.kept.value


def test_generate_panel_offers_the_models_that_there_are_and_refuses_at_the_field(session: Session) -> None:
    session.variables["models"] = {"first": session.variables["words"]}
    panel = GeneratePanel(session, "models['first']", "abc")
    assert panel.form.values["model"] in panel.form.suggestions["model"]
    session.variables["later"] = session.variables["words"]
    panel.form.put(text="abd")
    assert {"none", "words", "later", "models['first']"} <= set(panel.form.suggestions["compare"])
    panel._worker.wait(60)
    del session.variables["later"]
    session.variables["terms"] = {"abd": "dba"}
    panel.decoding.put(glossary="terms")
    panel._worker.wait(60)
    assert panel._generations[0].text.count("dba") and "glossary={'abd': 'dba'}" in panel.code.pieces[1]["code"]
    for values, field, message in (
        ({"glossary": "no.txt"}, "glossary", "no.txt"),
        ({"glossary": "", "min_length": 9, "max_length": 3}, "min_length", "min length 9 is more than max length 3"),
    ):
        panel.decoding.put(**values)
        panel._worker.wait(60)
        assert message in panel.decoding.errors[field] and message in panel.summary()[1]
    panel.decoding.put(min_length=0, max_length=None)
    panel.form.put(compare="words", text="xyz")
    panel._worker.wait(60)
    assert "; models['first']: 3 of 3 characters" in panel.writing.status and "; words: 3" in panel.writing.status
    panel.form.put(model="gone")
    panel._worker.wait(60)
    assert "no model named gone" in panel.summary()[1]


def test_texts_of_the_data_have_a_direction_of_their_own_in_a_sentence() -> None:
    assert "“<bdi>\u05d0</bdi>” → “<bdi>&lt;b&gt;</bdi>”" in status("for instance “\u05d0” → “<b>”.")


def test_enter_at_the_end_of_an_input_is_no_part_of_it(session: Session) -> None:
    panel = GeneratePanel(session, "words", "aab\n")
    assert panel.code.pieces[1]["code"] == "words.generate('aab')"
    panel.form.put(text="aab\nb")  # within a text it belongs to it
    assert panel.code.pieces[0]["code"] == r"%textgen_generate words --text ('aab\nb')"
    panel._worker.wait(30)


def test_result_bar_opens_a_review(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bar = ResultBar(session, "words")
    bar.buttons["Review"].click()
    bar._worker.wait(60)
    held_out = session.variables["words"].held_out.sources
    review = bar.below.children[0].review
    assert [row.source for row in review.rows] == list(held_out)
    assert session.variables["words_outputs"].texts == [
        each.text for each in session.variables["words"].generate(list(held_out))
    ]
    review.correct(review.order[0], "zyx")
    assert (
        "--data words_outputs.corrections --start words" in bar.below.children[0]._pieces()["Train on the corrections"]
    )


def test_evaluating_and_reviewing_say_how_far_they_are_and_can_be_cancelled(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    session.variables.pop("words_outputs", None)
    bar, states = ResultBar(session, "words"), list[dict[str, object]]()
    bar.progress.observe(lambda change: states.append(change["new"]), "state")
    search = Predictor._search

    def cancelled_search(self: Predictor, sources: object, hypotheses: object, *rest: object) -> None:
        assert bar.buttons["Evaluate"].disabled and bar.buttons["Review"].disabled
        bar.progress._handle_custom_msg({"kind": "cancel"}, [])  # the button is pressed while outputs are searched for
        search(self, sources, hypotheses, *rest)  # type: ignore[arg-type]

    for name, text in (("Evaluate", "Evaluating \u2026"), ("Review", "Generating \u2026")):
        states.clear()
        with monkeypatch.context() as patched:
            patched.setattr(Predictor, "_search", cancelled_search)
            bar.buttons[name].click()
            bar._worker.wait(60)
        assert "Cancelled." in bar.status.value and not bar.below.children, name
        assert states[0] == {"text": text} and states[-1] == {} and not bar.buttons[name].disabled
    assert "words_outputs" not in session.variables
    states.clear()
    bar.buttons["Evaluate"].click()
    bar._worker.wait(60)
    held_out = len(session.variables["words"].held_out)
    assert f"of {held_out} pairs generated" in str(states[1]["text"]) and bar.below.children and states[-1] == {}
    assert "Cancelled" not in bar.summary()[1]


def test_a_bar_appears_only_where_an_output_takes_long(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    panel, states = GeneratePanel(session, "words"), list[dict[str, object]]()
    panel.progress.observe(lambda change: states.append(change["new"]), "state")
    panel.form.put(text="abc")
    panel._worker.wait(60)
    before = panel._generations[0].text
    assert states == []
    monkeypatch.setattr("nbtextgen.notebook.panels.widgets.LATE_SECONDS", -1.0)
    panel.progress.observe(lambda _: panel.progress.state and panel._stop(), "state")
    panel.form.put(text="bca")
    panel._worker.wait(60)
    assert states == [{"text": "Generating \u2026"}, {}] and panel._generations[0].text == before
    assert panel.writing.status == "Cancelled. The output belongs to the input before."


def shell_says(session: Session, magic: str, line: str, cell: str | None = None) -> str:
    """The sentence in which a magic refuses a line."""
    with pytest.raises(MagicError) as refused:
        if cell is None:
            session.shell.run_line_magic(magic, line)
        else:
            session.shell.run_cell_magic(magic, line, cell)
    return str(refused.value)


def test_live_page_is_one_sandboxed_frame_beside_its_static_form(session: Session) -> None:
    page = session.shell.run_line_magic("textgen_generate", "words abc --live --bits 8 --beam 2")
    markup = page._repr_mimebundle_()["text/html"]
    assert markup.count("<iframe") == 1 and 'sandbox="allow-scripts"' in markup and "allow-same-origin" not in markup
    assert markup.count("<script") == 0  # those of the page are escaped
    assert page.generation.text == session.variables["words"].generate("abc", beam=2).text
    assert f">{page.generation.text[:1]}<" in markup.split("ntg-alive-still")[-1]
    assert live._megabytes(session.variables["words"].predictor, 8) == pytest.approx(page.megabytes, abs=0.02)
    assert "LivePage of words" in repr(page)


@pytest.mark.parametrize(
    ("magic", "line", "cell", "message"),
    [
        ("textgen_generate", "words --live", "abc\ncab", "--live takes one text on the line"),
        ("textgen_generate", "words --data rows --live", None, "--live takes one text on the line"),
        ("textgen_generate", "words abc --bits 8", None, "--bits needs --live"),
        ("textgen_generate", "words abc --live --glossary 'a=>b'", None, "--glossary does not apply to --live"),
        ("textgen_generate", "words abc --live --accept 0.9", None, "--accept does not apply to --live"),
        ("textgen_panel", "words --kind tune --live", None, "--live needs a model to generate with"),
        ("textgen_panel", "--live", None, "--live needs a model to generate with"),
        ("textgen_panel", "words --bits 16", None, "--bits needs --live"),
        ("textgen_panel", "wordz", None, "Did you mean 'words'? To train it: %textgen_panel wordz --data DATA"),
        ("textgen_panel", "'' --kind generate", None, "Name the model to show (available: words"),
        (
            "textgen_train",
            f"other --data rows {FAST} --background --live",
            None,
            "--live does not go with --background",
        ),
        ("textgen_train", f"other --data rows {FAST} --bits 8", None, "--bits needs --live"),
    ],
)
def test_live_lines_that_cannot_be(session: Session, magic: str, line: str, cell: str | None, message: str) -> None:
    assert message in shell_says(session, magic, line, cell)


def test_a_live_page_that_is_too_large_says_how_large_and_what_else(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "ENGINE_BYTES", 18_000_000)
    monkeypatch.setattr(live, "parameter_count", lambda networks: 1_100_000)
    said = shell_says(session, "textgen_generate", "words abc --live")
    assert "would add 21 MB" in said and "--bits 8 (19 MB)" in said and "%textgen_save words words.html" in said
    monkeypatch.setattr(live, "parameter_count", lambda networks: 5_500_000)
    said = shell_says(session, "textgen_panel", "words --live --bits 8")
    assert "would add 25 MB" in said and "--bits" not in said
    with contextlib.redirect_stdout(io.StringIO()) as out:
        session.shell.run_line_magic("textgen_train", f"large --data rows {FAST} --live")
    assert "would add" in out.getvalue() and session.variables["large"].generate("abc")
