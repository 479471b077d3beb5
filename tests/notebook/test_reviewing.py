"""``%textgen_review`` in a shell, and the panel's work without a browser."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from nbtextgen import Pairs, TextGenerator
from nbtextgen.inference.bulk import GeneratedTable
from nbtextgen.notebook.review.details import percent
from nbtextgen.notebook.review.panel import WINDOW, ReviewPanel, confidence_words
from nbtextgen.review import Review, ReviewRow

PAIRS = [(word, word[::-1]) for word in ("abc", "bca", "cab", "aab", "bba", "cca", "acb", "bac", "cba", "abb")] * 2
SMALL = {"hidden_size": 16, "embedding_size": 8, "samples": 0, "max_steps": 20, "tokens": "char"}
SECONDS = 60.0


@pytest.fixture(scope="module")
def model() -> TextGenerator:
    return TextGenerator(**SMALL, seed=1).fit(PAIRS, callbacks=[])


@pytest.fixture
def todo(model: TextGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GeneratedTable:
    monkeypatch.chdir(tmp_path)
    return model.generate_file([source for source, _ in PAIRS[:10]], on_progress=lambda done, count: None)


@pytest.fixture
def shell(model: TextGenerator, todo: GeneratedTable) -> InteractiveShell:
    shell = InteractiveShell()
    shell.kernel = None  # type: ignore[attr-defined]  # a notebook, which shows panels
    shell.run_line_magic("load_ext", "nbtextgen")
    shell.user_ns |= {"back": model, "todo": todo, "other": TextGenerator()}
    return shell


def send(panel: ReviewPanel, kind: str, **content: object) -> None:
    """Send what the page would, about the row that is shown."""
    row = {} if kind in ("go", "window", "select", "undo") else {"row": panel.row}
    panel._receive(None, {"kind": kind, **row, **content})


def test_the_magic_opens_the_review_of_the_author_and_shows_its_code(shell: InteractiveShell, capsys) -> None:
    panel = shell.run_line_magic("textgen_review", "todo")
    assert panel.model is shell.user_ns["back"] and panel.view.choices["model"]
    send(panel, "correct", text="right")
    assert list(shell.user_ns["todo"].corrections)[0][1] == "right"
    assert panel.code.pieces[0]["code"] == "%textgen_train better --data todo.corrections --start back"
    shell.run_line_magic("textgen_review", "todo --file mine.review --show-code")
    code = capsys.readouterr().out
    exec(code, shell.user_ns)
    assert shell.user_ns["review"].file == Path("mine.review")
    Path("out.tsv").write_text("source\ttext\na\tb\n")
    panel = shell.run_line_magic("textgen_review", "out.tsv --model back")
    send(panel, "correct", text="c")
    assert panel.code.pieces[0]["code"].startswith("%textgen_train better --data")
    assert Path("out.tsv.review").exists() and panel.model is not None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "Name the outputs to review"),
        ("todoo", "Did you mean 'todo'"),
        ("todo --model bac", "Did you mean 'back'"),
        ("[] ", "There are no outputs"),
        ("3", "not int"),
        (
            "back --data todo.csv",
            r"generate them with todo = %textgen_generate MODEL --data DATA, then %textgen_review todo",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(shell: InteractiveShell, line: str, message: str) -> None:
    with pytest.raises(Exception, match=message):
        shell.run_line_magic("textgen_review", line)


def test_the_panel_walks_decides_and_takes_back(model: TextGenerator, todo: GeneratedTable) -> None:
    panel = ReviewPanel(todo.review(), model)
    view, first, second, *_ = panel.view, *todo.review().order
    assert view.current["row"] == first and view.window["count"] == 10
    panel._details.worker.wait(SECONDS)
    assert view.details["row"] == first and len(view.details["candidates"]) == 4
    shown = "".join(token["before"] + token["text"] for token in view.details["tokens"])
    assert shown == todo.rows[first].text or not view.details["tokens"]
    panel._receive(None, {"kind": "accept", "row": second})  # pressed before the page showed what came next
    assert not todo.review().decisions
    send(panel, "skip")
    assert view.current["row"] == second and view.window["rows"][0]["state"] == "skipped"
    assert "skipped" in view.status["text"] and "1 of 10 rows decided" in view.progress["sentence"]
    send(panel, "correct", text="  ")
    assert view.status["alert"] and "the correction is empty" in view.status["text"] and panel.row == second
    send(panel, "correct", text="x")
    send(panel, "go", position=1)
    assert view.current["state"] == "corrected" and view.current["decided"] == "x"
    send(panel, "select", selection="corrected")
    assert view.window["count"] == 1
    send(panel, "undo")
    assert panel.row == second and view.current["state"] == "undecided"
    send(panel, "undo")  # its row is not in the list
    assert panel.row == first and view.choices["selection"] in ("all", "corrected") and not view.choices["undoable"]
    send(panel, "undo")
    assert view.status["text"] == "There is nothing to undo."
    send(panel, "select", selection="corrected")
    assert view.current == {} and view.status["text"] == "This list is empty." and panel.row is None
    send(panel, "accept")
    send(panel, "select", selection="undecided")
    for _ in range(10):
        send(panel, "skip")
    assert "Every row of this list is decided: 0 accepted, 0 corrected, 10 skipped." in view.status["text"]
    text, page = panel.summary()
    assert "10 of 10 rows decided" in text and page.count("<tr>") == 13 and ">row shown</th>" in page


def test_explanations_open_below_the_row_and_go_with_it(model: TextGenerator, todo: GeneratedTable) -> None:
    panel = ReviewPanel(Review([("abc", "zz"), ("bca", "acb")], "a.review"), model)
    send(panel, "explain")
    (explanation,) = panel.below.children
    assert explanation.wait().explanation.text == "zz"
    assert "row shown" in panel.summary()[1] and "<div>SHAP <small>" in panel.summary()[1]
    send(panel, "go", position=1)
    assert not panel.below.children
    panel._details.worker.wait(SECONDS)
    send(panel, "origins")
    panel._details.worker.wait(SECONDS)
    head, rows, _ = panel.below.children[0].children
    assert rows.value in panel.summary()[1] and "Training rows behind" in panel.summary()[0]
    assert "Training rows behind this output" in head.children[0].value and "row 2" in rows.value
    head.children[1].click()
    assert not panel.below.children and "training rows below" in panel.view.status["text"]
    lone = ReviewPanel(Review([("a", "b")], "b.review"))
    send(lone, "explain")
    send(lone, "origins")
    assert not lone.below.children and not lone.view.choices["model"]


def test_looking_for_training_rows_is_shown_and_cancelled(model: TextGenerator) -> None:
    panel, states = ReviewPanel(Review([("abc", "zz")], "cancelled.review"), model), list[dict[str, object]]()

    def seen(change: dict[str, dict[str, object]]) -> None:
        states.append(change["new"])
        if change["new"]["done"]:  # rows are being read
            send(panel, "cancel")

    model._indexed = None
    panel.view.observe(seen, "status")
    send(panel, "origins")
    panel._details.worker.wait(SECONDS)
    busy = [state["text"] for state in states if state["busy"]]
    assert busy[0] == "Looking for training rows \u2026" and "training rows read" in str(busy[1]) and len(busy) == 2
    assert str(panel.view.status["text"]).startswith("Cancelled. Row 1:") and not panel.below.children


def test_a_window_of_a_hundred_thousand_rows_crosses_at_a_time(todo: GeneratedTable) -> None:
    rows = [ReviewRow(f"source {row}", "x" * 1000, accepted=row % 2 == 0) for row in range(100_000)]
    panel = ReviewPanel(Review(rows, "many.review"))
    window = panel.view.window
    assert len(window["rows"]) == WINDOW and window["count"] == 50_000 and len(window["rows"][0]["text"]) == 80
    assert "0 of 50,000 doubtful rows decided; 50,000 rows accepted by confidence" in panel.view.progress["sentence"]
    send(panel, "window", start=49_990)
    assert panel.view.window["start"] == 50_000 - WINDOW
    send(panel, "go", position=10**9)
    assert panel.view.current["row"] == 99_999
    send(panel, "accept")
    assert panel.view.current["row"] == 1  # from the beginning again


def test_panels_leave_no_thread_behind(model: TextGenerator, todo: GeneratedTable) -> None:
    before = threading.active_count()
    panels = [ReviewPanel(todo.review(), model) for _ in range(50)]
    for panel in panels:
        panel._details.worker.wait(SECONDS)
    for thread in threading.enumerate():
        if thread.name == "nbtextgen review":
            thread.join(SECONDS)
    assert threading.active_count() <= before


def test_confidence_is_never_rounded_to_certainty() -> None:
    numbers = [0.99999, 0.995, 0.5, 0.051, 0.0001]
    assert [percent(each) for each in numbers] == ["more than 99.9 %", "99.5 %", "50 %", "5.1 %", "less than 0.1 %"]
    words = [confidence_words(each).split(" confidence")[0] for each in (0.995, 0.9, 0.6, 0.3, 0.0)]
    assert words == ["Very high", "High", "Medium", "Low", "Very low"]
    assert confidence_words(None) == "Confidence unknown"


def test_corrections_are_trained_on(shell: InteractiveShell) -> None:
    review = shell.user_ns["todo"].review()
    for row in review.order:
        review.correct(row, "corrected")
    shell.run_line_magic(
        "textgen_train", "better --data todo.corrections --quiet --max-steps 2 --hidden-size 8 --embedding-size 8"
    )
    assert (
        isinstance(shell.user_ns["todo"].corrections, Pairs)
        and shell.user_ns["better"].generate("abc").text is not None
    )
