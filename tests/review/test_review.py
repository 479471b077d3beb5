"""A review: sorted by doubt, every decision on disk, the same after a kill at any byte, and pairs at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy
import pandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbtextgen import Pairs
from nbtextgen.core.errors import DataError, NbTextGenError, OptionError
from nbtextgen.inference.bulk import GeneratedTable
from nbtextgen.inference.table_files import GeneratedRow
from nbtextgen.review import Decision, Review, ReviewRow
from nbtextgen.review import journal as journal_module

ROWS = [
    ReviewRow("un", "one", 0.9, None, ("one", "won"), ("A note.",)),
    ReviewRow("deux\tfois", "two\ntimes", 0.2),
    ReviewRow(" ", "", None),
    ReviewRow("trois", "", 0.5),
    ReviewRow("שלום", "日本語", 0.99),
]


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def generated(rows: list[ReviewRow] = ROWS) -> GeneratedTable:
    table = [GeneratedRow(row.source, row.text, -1.0, row.confidence, row.candidates, row.notes) for row in rows]
    return GeneratedTable(len(table), None, table)


# Rows ---------------------------------------------------------------------------------------------------------------


def test_rows_are_sorted_by_doubt_and_those_accepted_by_confidence_come_last() -> None:
    assert Review(ROWS).order == [1, 3, 0, 4]  # without the row that has no source
    rows = [ReviewRow(str(row), "x", row / 10, accepted=row in (1, 5, 6)) for row in range(7)]
    review = Review(rows, "accepted.review")
    assert review.order == [0, 2, 3, 4, 1, 5, 6] and review.select("doubtful") == [0, 2, 3, 4]
    review.accept(1)
    review.skip(3)
    assert review.progress == (1, 4) and review.select("undecided") == [0, 2, 4]
    assert "1 of 4 doubtful rows decided: 1 accepted, 1 skipped" in repr(review)


@pytest.mark.parametrize("ending", ["tsv", "csv", "jsonl", "parquet"])
def test_a_table_has_one_review_however_it_is_given(ending: str) -> None:
    path = Path(f"out.{ending}")
    columns = [row.columns() for row in generated().rows]
    if ending == "parquet":
        pandas.DataFrame(columns).to_parquet(path)
    elif ending == "jsonl":
        path.write_text("".join(json.dumps(each) + "\n" for each in columns))
    else:
        from nbtextgen.inference.table_files import WRITERS

        WRITERS[path.suffix](path, list(columns[0]), columns)
    review = GeneratedTable(len(ROWS), path).review()
    assert review.file == Path(f"out.{ending}.review") and [row[:3] for row in review.rows] == [row[:3] for row in ROWS]
    assert review.rows[0].candidates == ("one", "won") and review.rows[0].notes == ("A note.",)
    review.correct(1, "twice")
    for table in (path, str(path), pandas.DataFrame(columns), generated(), [tuple(row[:2]) for row in ROWS]):
        assert Review(table, review.file).decisions == {1: Decision("corrected", "twice")}
    assert list(GeneratedTable(len(ROWS), path).corrections) == [("deux\tfois", "twice")]


def test_a_table_in_memory_finds_its_review_again() -> None:
    todo = generated()
    with pytest.raises(DataError, match="No row is corrected"):
        _ = todo.corrections
    assert not Path("reviews").exists()  # looking leaves nothing behind
    todo.review().correct(0, "One")
    assert generated().corrections[0] == ("un", "One") and [path.suffix for path in Path("reviews").iterdir()] == [
        ".review"
    ]
    todo.review("mine.review").correct(0, "1")
    assert todo.corrections[0] == ("un", "1") and todo.review() is todo.review()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([], "There are no outputs"),
        ([("", "")], "There are no outputs"),
        (7, "not int"),
        ({"source": ["a"]}, "not dict"),
        (["text"], "row 1 is str"),
        ([("a", "b", "c")], "row 1 has 3 cells"),
        ([("a", 3)], "row 1: the output is int"),
        ([{"source": "a"}], "row 1 has no column 'text'"),
        ([{"source": "a", "text": "b", "confidence": "high"}], "the confidence is 'high'"),
        ([{"source": "a", "text": "b", "confidence": 93}], "from 0 to 1"),
        ([{"source": "a", "text": "b", "accepted": "perhaps"}], "accepted is 'perhaps'"),
        ([{"source": "a", "text": "b", "candidates": 5}], "candidates are int"),
        ("semicolons.csv", "^semicolons.csv, row 1 has no column"),
        ("latin.csv", "not in UTF-8"),
        ("out.txt", "holds outputs without sources"),
        ("out.tvs", "Did you mean '.tsv'"),
        ("missing.tsv", "No such file"),
        ("broken.jsonl", "not a table of outputs"),
        ("list.jsonl", "row 1 is not an object"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(table: object, words: str) -> None:
    Path("broken.jsonl").write_text("{")
    Path("list.jsonl").write_text("[1]\n")
    Path("semicolons.csv").write_text("source;text\na;b\n")
    Path("latin.csv").write_bytes("source,text\né,b\n".encode("cp1252"))
    with pytest.raises(DataError, match=words) as caught:
        Review(table)
    assert "\n" not in str(caught.value)


def test_cells_as_people_write_them() -> None:
    Path("blank.jsonl").write_text(
        '{"source": "a", "text": "b"}\n\n{"source": "c", "text": "d", "notes": ["e", "f"]}\n'
    )
    rows = Review("blank.jsonl").rows
    assert [row.source for row in rows] == ["a", "c"] and rows[1].notes == ("e", "f")
    cells = [("yes", True), ("FALSE", False), (numpy.bool_(True), True), (1.0, True), ("", None), (None, None)]
    table = [{"source": "a", "text": "b", "accepted": cell, "confidence": "nan"} for cell, _ in cells]
    assert [(row.accepted, row.confidence) for row in Review(table).rows] == [(accepted, None) for _, accepted in cells]


# Decisions ------------------------------------------------------------------------------------------------------------


def test_rows_are_integers_of_any_kind_and_corrections_are_texts() -> None:
    review = Review(ROWS)
    review.correct(numpy.int64(1), numpy.str_("twice"))
    assert Review(ROWS).decisions == review.decisions == {1: Decision("corrected", "twice")}
    for row in (1.0, "1", None, True, [0], 9, -1):
        with pytest.raises(DataError, match="row"):
            review.accept(row)  # type: ignore[arg-type]
    for text in (None, 5, float("nan"), b"x", ["x"], " "):
        with pytest.raises(DataError, match="Row 1: the correction is"):
            review.correct(0, text)  # type: ignore[arg-type]
    for selection in (None, ["accepted"], "Undecided"):
        with pytest.raises(OptionError, match="no selection"):
            review.select(selection)  # type: ignore[arg-type]
    assert Review(ROWS).decisions == review.decisions


def test_decisions_give_pairs_frames_and_files() -> None:
    review = Review(generated())
    review.accept(0)
    review.correct(1, 'a "tab"\there')
    review.correct(4, "日本語")  # the output itself
    review.skip(3)
    with pytest.raises(DataError, match=r"Row 4: the output is empty; correct it"):
        review.accept(3)
    with pytest.raises(DataError, match=r"Row 1: the correction is empty"):
        review.correct(0, " ")
    with pytest.raises(DataError, match="There is no row 3"):
        review.skip(2)
    with pytest.raises(OptionError, match="Did you mean 'corrected'"):
        review.select("correct")
    assert review.counts == {"accepted": 2, "corrected": 1, "skipped": 1} and review.progress == (4, 4)
    assert [review.select(each) for each in ("accepted", "corrected", "skipped", "undecided")] == [[0, 4], [1], [3], []]
    assert review.select("all") == review.order
    assert list(review.pairs()) == [("un", "one"), ("deux\tfois", 'a "tab"\there'), ("שלום", "日本語")]
    assert review.corrections.place(0) == "row 2"
    frame = review.frame()
    assert (
        list(frame["decision"]) == ["accepted", "corrected", "skipped", "accepted"]
        and frame["target"].isna().sum() == 1
    )
    for ending in ("tsv", "csv", "jsonl", "parquet"):
        assert list(Pairs.of(review.save(f"into/pairs.{ending}", accepted=True))) == list(review.pairs())
    with pytest.raises(DataError, match="should end in one of"):
        review.save("pairs.xlsx")


class Plain:
    """A review without files: a mapping, and what each action has replaced."""

    def __init__(self) -> None:
        self.decisions: dict[int, Decision] = {}
        self.history: list[tuple[int, Decision | None]] = []

    def decide(self, row: int, decision: Decision) -> None:
        if self.decisions.get(row) != decision:
            self.history.append((row, self.decisions.get(row)))
            self.decisions[row] = decision

    def undo(self) -> int | None:
        if not self.history:
            return None
        row, before = self.history.pop()
        self.decisions.pop(row)
        if before is not None:
            self.decisions[row] = before
        return row


ACTION = st.one_of(
    st.tuples(st.sampled_from(["accept", "skip"]), st.sampled_from([0, 1, 4])),
    st.tuples(st.just("correct"), st.sampled_from([0, 1, 4]), st.sampled_from(["one", "x\n", "日本語", '"\\'])),
    st.tuples(st.sampled_from(["undo", "reopen", "torn", "other"])),
)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(actions=st.lists(ACTION, max_size=25))
def test_any_sequence_of_actions_is_what_a_plain_mapping_gives(actions: list[tuple], tmp_path: Path) -> None:
    file = tmp_path / "any.review"
    file.unlink(missing_ok=True)
    review, other, plain = Review(ROWS, file), Review(ROWS, file), Plain()
    for name, *values in actions:
        if name == "undo":
            assert review.undo() == plain.undo()
        elif name == "reopen":
            review = Review(ROWS, file)
        elif name == "torn" and file.exists():
            file.write_bytes(file.read_bytes() + b'{"row": 1, "deci')
        elif name == "other":
            review, other = other, review  # as in a second kernel
            review.refresh()
        elif name in ("accept", "skip", "correct"):
            getattr(review, name)(*values)
            text = values[1] if name == "correct" else ROWS[values[0]].text
            same = name == "accept" or text == ROWS[values[0]].text
            plain.decide(
                values[0], Decision("skipped" if name == "skip" else "accepted" if same else "corrected", text)
            )
        assert review.decisions == plain.decisions and review.undoable == bool(plain.history)
        assert sum(review.counts.values()) == len(plain.decisions) == review.progress[0]
    assert Review(ROWS, file).decisions == plain.decisions


# The file -------------------------------------------------------------------------------------------------------------


def test_after_a_kill_at_any_byte_the_whole_lines_count_and_the_review_goes_on() -> None:
    review, states = Review(ROWS, "whole.review"), [dict[int, Decision]()]
    for act in (
        lambda: review.correct(1, "日本 \U0001f600"),
        lambda: review.accept(0),
        lambda: review.undo(),
        lambda: review.skip(4),
    ):
        act()
        states.append(dict(review.decisions))
    content = review.file.read_bytes()
    for size in range(len(content)):
        cut = Path("cut.review")
        cut.write_bytes(content[:size])
        lines = content[:size].count(b"\n")
        reopened = Review(ROWS, cut)
        assert reopened.decisions == states[max(0, lines - 1)], size
        reopened.correct(3, "after")
        assert Review(ROWS, cut).decisions == states[max(0, lines - 1)] | {3: Decision("corrected", "after")}, size


KILLED = """
import os, signal, sys
from pathlib import Path
from nbtextgen.review import Review

CALLS = ("write", "ftruncate", "fsync", "open", "close", "replace")
rows, file, number = [(str(row), "x") for row in range(9)], Path(sys.argv[1]), 0
while True:
    number += 1
    file.unlink(missing_ok=True)
    Review(rows, file).correct(0, "before")
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        seen = 0
        def counted(call):
            def counting(*arguments, **named):
                global seen
                seen += 1
                if seen == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                if seen == number - 1 and call is write:  # half a line
                    return call(arguments[0], arguments[1][:len(arguments[1]) // 2])
                return call(*arguments, **named)
            return counting
        write = os.write
        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        review = Review(rows, file)
        for row in range(1, 4):
            review.correct(row, "y")
            write(tell, b".")
        review.save(file.with_suffix(".tsv"))
        os._exit(0)
    os.close(tell)
    kept = len(os.read(told, 100)) if os.WIFSIGNALED(status := os.waitpid(child, 0)[1]) else 3
    os.close(told)
    found = Review(rows, file)
    assert set(found.decisions) in ({0, *range(1, kept + 1)}, {0, *range(1, kept + 2)}), (number, kept, found.decisions)
    found.correct(8, "z")
    assert len(Review(rows, file).decisions) == len(found.decisions)
    table = file.with_suffix(".tsv")
    assert not table.exists() or table.read_text().count("y") == 3
    table.unlink(missing_ok=True)
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0
        break
print(number)
"""


def test_a_kill_before_any_call_that_writes_loses_no_decision_that_was_made(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed.review")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 15


def test_a_file_of_another_table_or_of_something_else_is_refused_and_left_alone() -> None:
    Review(ROWS, "one.review").skip(0)
    with pytest.raises(DataError, match=r"one.review is the review of another table \(5 rows\)"):
        Review([("a", "b")], "one.review")
    for content in (b"a letter", b"a\nletter\n", b'{"review": 1}\n'):
        Path("letter").write_bytes(content)
        with pytest.raises(DataError, match="letter is not a review"):
            Review(ROWS, "letter")
    newer = journal_module.Journal(Path("newer"), "x", 1)
    newer._header["review"] = 2
    list(newer.append({"row": 0}))
    with pytest.raises(DataError, match="later version"):
        Review(ROWS, "newer")


def test_a_damaged_line_costs_one_decision() -> None:
    review = Review(ROWS, "a.review")
    for row in (0, 1, 4):
        review.skip(row)
    content = review.file.read_bytes()
    review.file.write_bytes(content.replace(b'{"row": 1', b'{"row": 3'))
    reopened = Review(ROWS, "a.review")
    assert set(reopened.decisions) == {0, 4} and "1 line of it cannot be read" in repr(reopened)
    assert (reopened.undo(), reopened.undo(), reopened.undo()) == (4, 0, None)


def test_a_decision_that_cannot_be_written_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    review = Review(ROWS, "a.review")
    review.skip(0)
    before = review.file.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DataError, match=r"No space left on device; the last decision was not kept"):
            review.accept(1)
    assert set(review.decisions) == {0} and review.file.read_bytes() == before
    review.accept(1)
    review.file.unlink()
    with pytest.raises(NbTextGenError, match="was removed since it was opened"):
        review.accept(4)


def test_a_hundred_thousand_rows() -> None:
    rows = [ReviewRow(f"source {row}", f"output {row}", row % 997 / 997) for row in range(100_000)]
    review = Review(rows, "many.review")
    for row in review.order[:500]:
        review.accept(row)
    size = review.file.stat().st_size
    review.correct(review.order[500], "x")
    assert review.file.stat().st_size - size < 200  # a key adds a line, whatever is there
    assert Review(rows, "many.review").decisions == review.decisions and len(review.select()) == 99_499
