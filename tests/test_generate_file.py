"""A column or a file in, a column or a file out."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from nbtextgen import Pairs, TextGenerator
from nbtextgen.core.errors import DataError, NbTextGenError
from nbtextgen.inference import bulk
from nbtextgen.inference.generation import GenerationInterrupted

WORDS = ["".join(letters) for letters in itertools.product("abcd", repeat=3)]
REVERSED = Pairs(WORDS, [word[::-1] for word in WORDS])
SETTINGS = {"tokens": "char", "hidden_size": 16, "embedding_size": 8, "max_steps": 30, "samples": 0, "copy": False}


def silent(done: int, count: int) -> None:
    """Report no progress."""


@pytest.fixture(scope="module")
def model() -> TextGenerator:
    return TextGenerator(**SETTINGS, seed=1).fit(REVERSED, callbacks=[])


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MIN_CHUNK", 4)
    monkeypatch.setattr(bulk, "MAX_CHUNK", 4)


SOURCES = ["abc", "", "d\ta", "line\nbreak", 'a "b"', "ab" * 20, "日本", "c,d", *WORDS[:20]]


def read(path: Path) -> list[dict[str, object]]:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if path.suffix == ".parquet":
        return pd.read_parquet(path).to_dict("records")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))
    for row in rows:
        for name in ("log_probability", "confidence"):
            row[name] = float(row[name]) if row[name] else None
        row["candidates"] = json.loads(row["candidates"])
    return rows


@pytest.mark.parametrize("ending", [".tsv", ".csv", ".jsonl", ".parquet"])
def test_tables_hold_outputs_in_the_order_of_the_sources(model: TextGenerator, tmp_path: Path, ending: str) -> None:
    table = model.generate_file(SOURCES, tmp_path / f"out{ending}", beam=3, n_best=2, on_progress=silent)
    outputs = model.generate(SOURCES, beam=3, n_best=2)
    rows = read(tmp_path / f"out{ending}")
    assert [row["source"] for row in rows] == SOURCES and table.count == len(SOURCES)
    assert [row["text"] for row in rows] == [output.text for output in outputs]
    for row, output in zip(rows, outputs, strict=True):
        assert list(row["candidates"]) == [each.text for each in output.candidates]
        if output.source:
            assert row["log_probability"] == pytest.approx(output.log_probability, abs=1e-4)
            assert row["confidence"] == pytest.approx(output.confidence, abs=1e-4) and 0 < row["confidence"] <= 1
    assert rows[1]["log_probability"] is None or math.isnan(rows[1]["log_probability"])
    assert "2 of 2 characters are unknown" in rows[6]["notes"]
    assert table.notes[0] == "1 of 28 sources is empty, and so is its output."
    assert repr(table).startswith(f"28 generated rows in {tmp_path}") and list(tmp_path.iterdir()) == [table.path]


def test_lines_in_lines_out_with_blank_lines_kept(model: TextGenerator, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_bytes(b"abc\r\n\r\nbcd\n\n  \ndab")
    model.generate_file(source, tmp_path / "out.txt", on_progress=silent)
    outputs = ["" if not text.strip() else model.generate(text).text for text in ("abc", "", "bcd", "", " ", "dab")]
    assert (tmp_path / "out.txt").read_text().split("\n") == [*outputs, ""]
    packed = tmp_path / "in.txt.gz"
    packed.write_bytes(gzip.compress(source.read_bytes()))
    assert model.generate_file(packed, on_progress=silent).texts == outputs


@pytest.mark.parametrize("kind", ["frame", "series", "list", "mapping", "records", "pairs", "texts", "tsv", "jsonl"])
def test_every_kind_of_column_is_read(model: TextGenerator, tmp_path: Path, kind: str) -> None:
    frame = pd.DataFrame({"id": range(3), "en": ["abc", None, "bcd"], "fr": ["x", "y", "z"]})
    column: str | None = "en"
    data: object = frame
    if kind in ("series", "list"):
        data, column = (frame["en"] if kind == "series" else list(frame["en"])), None
    elif kind == "mapping":
        data = {name: list(frame[name]) for name in frame}
    elif kind == "records":
        data = frame.to_dict("records")
    elif kind == "pairs":
        data, column = Pairs(["abc", "a", "bcd"], ["x", "y", "z"]), None
    elif kind == "texts":
        data, column = tmp_path / "in.json", None
        data.write_text(json.dumps(["abc", None, "bcd"]))
    elif kind in ("tsv", "jsonl"):
        data = tmp_path / f"in.{kind}"
        if kind == "tsv":
            frame.to_csv(data, sep="\t", index=False)
        else:
            frame.to_json(data, orient="records", lines=True)
    table = model.generate_file(data, source=column, on_progress=silent)
    middle = model.generate("a").text if kind == "pairs" else ""
    assert table.texts == [model.generate("abc").text, middle, model.generate("bcd").text]
    assert list(table.frame()["text"]) == table.texts and table.path is None


def test_progress_counts_the_rows(model: TextGenerator, tmp_path: Path) -> None:
    calls = list[tuple[int, int]]()
    table = model.generate_file(
        WORDS, tmp_path / "out.tsv", on_progress=lambda done, count: calls.append((done, count))
    )
    with pytest.raises(DataError, match=r"The rows were written to .*out\.tsv; read that file"):
        print(table.texts)
    with pytest.raises(DataError, match="The rows were written to"):
        table.frame()
    assert calls[0] == (0, 64) and calls[-1] == (64, 64) and calls == sorted(calls) and len(calls) == 17


def test_a_killed_call_goes_on_where_it_was(model: TextGenerator, tmp_path: Path) -> None:
    saved, source, out = model.save(tmp_path / "m"), tmp_path / "in.txt", tmp_path / "out.tsv"
    source.write_text("\n".join(WORDS))
    script = (
        "import sys, time\n"
        "from nbtextgen import TextGenerator\n"
        "from nbtextgen.inference import bulk\n"
        "bulk.MIN_CHUNK = bulk.MAX_CHUNK = 4\n"
        "model = TextGenerator.load(sys.argv[1])\n"
        "def slow(done, count):\n"
        "    print(done, flush=True)\n"
        "    time.sleep(0.2)\n"
        "model.generate_file(sys.argv[2], sys.argv[3], beam=2, on_progress=slow)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, saved, source, out], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while int(process.stdout.readline()) < 12:
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    part = tmp_path / "out.tsv.part"
    assert part.exists() and not out.exists()
    with part.open("ab") as file:
        file.write(b'["cut in the mid')  # a kill may cut a line short
    calls = list[int]()
    table = model.generate_file(source, out, beam=2, on_progress=lambda done, _: calls.append(done))
    assert calls[0] >= 12 and calls[0] % 4 == 0
    assert table.notes == (f"The first {calls[0]} rows were there from an interrupted call.",)
    whole = tmp_path / "whole.tsv"
    model.generate_file(source, whole, beam=2, on_progress=silent)
    assert out.read_bytes() == whole.read_bytes() and not part.exists()


def test_a_damaged_row_of_an_unfinished_table_is_generated_again(model: TextGenerator, tmp_path: Path) -> None:
    out, whole = tmp_path / "out.tsv", tmp_path / "whole.tsv"
    model.generate_file(WORDS, whole, on_progress=silent)
    interrupted(model, out)
    part = tmp_path / "out.tsv.part"
    lines = part.read_bytes().splitlines(keepends=True)
    for damaged in (lines[3].replace(b'", "', b'", "x', 1), lines[3][:9] + lines[3][10:], b"[1]\n", b"[\n"):
        part.write_bytes(b"".join([*lines[:3], damaged, *lines[4:]]))
        table = model.generate_file(WORDS, out, on_progress=silent)
        assert "The first 2 rows were there" in table.notes[0]
        now, then = pd.read_csv(out, sep="\t"), pd.read_csv(whole, sep="\t")
        pd.testing.assert_frame_equal(now, then, rtol=1e-5)  # in other batches, the last bits may differ


def interrupted(model: TextGenerator, into: Path, data: object = WORDS, **decoding: object) -> str:
    """Interrupt a call after its first rows; return what it said."""

    def stop(done: int, count: int) -> None:
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as error:
        model.generate_file(data, into, on_progress=stop, **decoding)
    return str(error.value)


@pytest.mark.parametrize(
    ("data", "decoding", "what"),
    [
        ([*WORDS[:-1], "x"], {}, "another input"),
        (WORDS[:-1], {}, "another input"),
        (WORDS, {"beam": 2}, "another .*beam"),
        (WORDS, {"min_length": 2}, "another .*min.length"),
    ],
)
def test_other_input_or_options_do_not_continue_an_unfinished_table(
    model: TextGenerator, tmp_path: Path, data: list[str], decoding: dict[str, int], what: str
) -> None:
    interrupted(model, tmp_path / "out.csv")
    with pytest.raises(DataError, match=f"out.csv.part was begun with {what}; delete it") as refusal:
        model.generate_file(data, tmp_path / "out.csv", on_progress=silent, **decoding)
    assert refusal.tb is not None  # its frames live on, as in a notebook, and must not keep the file locked
    assert model.generate_file(WORDS, tmp_path / "out.csv", batch_size=3, on_progress=silent).count == 64


def test_another_model_does_not_continue_an_unfinished_table(model: TextGenerator, tmp_path: Path) -> None:
    interrupted(model, tmp_path / "out.csv")
    other = TextGenerator(**SETTINGS, seed=2).fit(REVERSED, callbacks=[])
    with pytest.raises(DataError, match=r"out.csv.part was begun with another model; delete it"):
        other.generate_file(WORDS, tmp_path / "out.csv", on_progress=silent)
    (tmp_path / "out.csv.part").write_text("something else\n")
    with pytest.raises(DataError, match="is not an unfinished table"):
        model.generate_file(WORDS, tmp_path / "out.csv", on_progress=silent)


def test_a_table_that_another_process_writes_is_refused(model: TextGenerator, tmp_path: Path) -> None:
    messages = list[str]()

    def write_again(done: int, count: int) -> None:
        with pytest.raises(DataError, match="is being written by another process") as error:
            model.generate_file(WORDS, tmp_path / "out.tsv", on_progress=silent)
        messages.append(str(error.value))

    model.generate_file(WORDS[:4], tmp_path / "out.tsv", on_progress=write_again)
    assert len(messages) == 2 and (tmp_path / "out.tsv").read_text().count("\n") == 5


def test_an_interrupt_within_a_chunk_says_where_the_rows_are(
    model: TextGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict, calls = type(model.predictor).predict, itertools.count()

    def stop(*arguments: object, **more: object) -> object:
        if next(calls) == 2:
            raise GenerationInterrupted(predict(model.predictor, ["abc"], arguments[2]), "")  # type: ignore[arg-type]
        return predict(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(type(model.predictor), "predict", stop)
    with pytest.raises(
        GenerationInterrupted, match=r"8 of 64 rows were generated. They are in .*out.tsv.part; the same"
    ):
        model.generate_file(WORDS, tmp_path / "out.tsv", on_progress=silent)


def test_names_that_cannot_be_written_are_refused_before_anything_is_generated(
    model: TextGenerator, tmp_path: Path
) -> None:
    (tmp_path / "folder.tsv").mkdir()
    (tmp_path / "in.txt").write_text("abc\n")
    for into, message in (
        ("out.xls", "should end in one of .tsv, .csv, .jsonl, .parquet, .txt"),
        ("folder.tsv", "is a folder"),
        ("in.txt", "is the input"),
    ):
        for data in (tmp_path / "in.txt", [tmp_path / "in.txt"], f"{tmp_path}/*.txt"):
            with pytest.raises(DataError, match=message):
                model.generate_file(data, tmp_path / into, on_progress=silent)
    with pytest.raises(DataError, match=r"row 2: the source is int, not text"):
        model.generate_file(["abc", 3], tmp_path / "out.tsv", on_progress=silent)
    with pytest.raises(DataError, match="There is no file"):
        model.generate_file(tmp_path / "none.txt", tmp_path / "out.tsv", on_progress=silent)
    with pytest.raises(DataError, match="columns a, b"):
        model.generate_file({"a": ["x"], "b": ["y"]}, on_progress=silent)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.tsv", "in.txt"]


@pytest.mark.parametrize("ending", [".tsv", ".csv", ".jsonl", ".parquet", ".txt"])
def test_what_the_user_had_is_not_replaced(model: TextGenerator, tmp_path: Path, ending: str) -> None:
    out, own = tmp_path / f"out{ending}", b"the user's own lines\n"
    out.write_bytes(own)
    message = "lines of text do not tell" if ending == ".txt" else "something other than generated rows"
    with pytest.raises(DataError, match=message):
        model.generate_file(WORDS, out, on_progress=silent)
    out.write_bytes(b"")
    interrupted(model, out)
    out.write_bytes(own)  # while rows were generated
    with pytest.raises(DataError, match="holds something"):
        model.generate_file(WORDS, out, on_progress=silent)
    assert out.read_bytes() == own
    out.unlink()
    part = tmp_path / f"out{ending}.part"
    rows = part.read_bytes()
    model.generate_file(WORDS, out, on_progress=silent)
    written = out.read_bytes()
    part.write_bytes(rows)  # as if the call had been killed before it removed them
    assert model.generate_file(WORDS, out, on_progress=silent).count == 64 and out.read_bytes() == written
    if ending != ".txt":
        model.generate_file(WORDS[:3], out, on_progress=silent)


@pytest.mark.parametrize("ending", [".tsv", ".jsonl", ".parquet", ".txt"])
def test_half_a_character_can_be_written(model: TextGenerator, tmp_path: Path, ending: str) -> None:
    assert model.generate_file(["ab\ud800c"], tmp_path / f"out{ending}", on_progress=silent).count == 1
    if ending != ".txt":
        with_candidates = model.generate_file(["ab\ud800c"], tmp_path / f"n{ending}", n_best=2, on_progress=silent)
        assert with_candidates.count == 1 and (tmp_path / f"n{ending}").stat().st_size


@pytest.mark.parametrize("name", ["a\0b.tsv", "x" * 300 + ".tsv"])
def test_names_that_no_file_can_have_are_refused(model: TextGenerator, tmp_path: Path, name: str) -> None:
    with pytest.raises(NbTextGenError):
        model.generate_file(["abc"], f"{tmp_path}/{name}", on_progress=silent)


def test_an_empty_column_gives_an_empty_table(model: TextGenerator, tmp_path: Path) -> None:
    table = model.generate_file([], tmp_path / "out.tsv", on_progress=silent)
    assert table.count == 0 and (tmp_path / "out.tsv").read_text() == "source\ttext\tlog_probability\tconfidence\n"


def test_progress_is_printed_by_default(
    model: TextGenerator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PROGRESS_SECONDS", 0.0)
    model.generate_file(WORDS)
    assert "64 of 64 rows" in capsys.readouterr().err
