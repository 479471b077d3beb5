"""The command line, in this process; runs that a file describes are tested with distributed training."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import shlex
import signal
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from nbtextgen import TextGenerator
from nbtextgen.cli import main
from nbtextgen.core.escaping import json_text, pictured
from nbtextgen.pipeline import model_folder
from nbtextgen.training.events import Event, Validation
from nbtextgen.training.progress import TextProgress

PAIRS = [(word, word[::-1]) for word in ("ab", "abc", "bca", "cab", "acb", "ba", "cba", "bac") * 4]
SMALL = ["--hidden-size", "16", "--embedding-size=8", "--epochs", "2", "--samples", "0", "--device=cpu", "--threads=1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of pairs, and a model that the command line trained on it."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "pairs.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS))
    assert main(["train", str(folder / "pairs.tsv"), "--save", str(folder / "model"), "--layer-norm", *SMALL]) == 0
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> TextGenerator:
    """The model, as Python loads it."""
    return TextGenerator.load(folder / "model")


def output(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 0) -> str:
    """What a command prints; for an error what it prints as one."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == status
    written = capsys.readouterr()
    return written.err if status else written.out


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The sentence with which the arguments of a command are refused."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    return capsys.readouterr().err


def test_settings_are_those_of_python(model: TextGenerator) -> None:
    assert model.plan.model.hidden_size == 16 and model.plan.model.layer_norm and model.plan.training.epochs == 2


def test_texts_lines_and_files_give_what_python_gives(
    folder: Path, model: TextGenerator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = folder / "model"
    expected = "".join(f"{text}\n" for text in model.predict(["ab", "cab"]))
    assert output(capsys, "generate", saved, "ab", "cab") == expected
    monkeypatch.setattr(sys, "stdin", io.StringIO("ab\ncab\n"))
    assert output(capsys, "generate", saved) == expected
    (folder / "sources.txt").write_text("ab\ncab\n")
    output(capsys, "generate", saved, "--data", folder / "sources.txt", "--into", folder / "out.txt")
    assert (folder / "out.txt").read_text() == expected
    candidates = [each.text for each in model.generate("ab", beam=3, n_best=3).candidates]
    assert output(capsys, "generate", saved, "ab", "--beam=3", "--n-best=3") == "\t".join(candidates) + "\n"
    drawn = model.generate("ab", sample=True, seed=4).text
    assert output(capsys, "generate", saved, "--sample", "ab", "--seed", "4") == drawn + "\n"


def test_evaluating_comparing_explaining(
    folder: Path, model: TextGenerator, capsys: pytest.CaptureFixture[str]
) -> None:
    saved, pairs = folder / "model", folder / "pairs.tsv"
    scores = model.evaluate(str(pairs), metrics=["exact", "chrf"])
    assert (
        output(capsys, "evaluate", saved, pairs, "--metrics", "exact,chrf").split("\n")[0]
        == repr(scores).split("\n")[0]
    )
    assert scores.confusions().sentence() in output(capsys, "evaluate", saved, pairs, "--error-analysis")
    assert "exact" in output(capsys, "compare", saved, saved, pairs, "--metrics=exact")
    page = folder / "why.html"
    shown = output(capsys, "explain", saved, "cab", "--method", "occlusion", "--page", page)
    assert shown.startswith(repr(model.explain("cab", method="occlusion"))) and "<html" in page.read_text()


def test_explaining_by_training_rows_and_edits(
    folder: Path, model: TextGenerator, capsys: pytest.CaptureFixture[str]
) -> None:
    saved, pairs = folder / "model", folder / "pairs.tsv"
    rows = model.training_rows("cab", data=str(pairs), count=2, token=0)
    piece = rows.part
    shown = output(capsys, "explain", saved, "cab", "--rows", "2", "--token", piece, "--data", pairs)
    assert shown == f"{rows!r}\n"
    assert output(capsys, "explain", saved, "cab", "--counterfactual").startswith("Smallest edits for")
    for line, message in (
        (("--rows", "2"), "does not hold its training rows"),
        (("--rows", "2", "--method", "shap"), "does not take --method"),
        (("--rows", "2", "--counterfactual"), "Choose --rows or --counterfactual"),
        (("--token", "a"), "give one of them"),
        (("--counterfactual", "--page", "x.html"), "leave out"),
        (("--data", pairs), "give --rows"),
        (("--source", "a"), "needs --data"),
    ):
        assert message in output(capsys, "explain", saved, "cab", *line, status=1)


def test_exported_models_are_used_without_torch(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx")
    output(capsys, "export", folder / "model", folder / "m.html", "--bits", "8", "--example", "ab")
    assert (folder / "m.html").read_text().startswith("<!DOCTYPE html>")
    output(capsys, "export", folder / "model", folder / "onnx")
    assert output(capsys, "generate", folder / "onnx", "ab") == output(capsys, "generate", folder / "model", "ab")
    (folder / "lines.txt").write_text("ab\ncab\n")
    for name in ("onnx", "model"):
        output(capsys, "generate", folder / name, "--data", folder / "lines.txt", "--into", folder / f"{name}.txt")
    assert (folder / "onnx.txt").read_text() == (folder / "model.txt").read_text()


def test_runs_are_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output(capsys, "train", folder / "pairs.tsv", "--run", folder / "runs" / "first", *SMALL)
    listed = output(capsys, "runs", folder / "runs").splitlines()
    assert listed[0].split() == ["name", "state", "update", "best", "created"]
    assert listed[1].startswith("first") and "finished" in listed[1]
    assert "There are no runs" in output(capsys, "runs", folder / "none", status=1)


def test_training_goes_on_from_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "fixes.tsv").write_text("ab\tB\nüb\tüB\n", encoding="utf-8")
    line = ("train", folder / "fixes.tsv", "--start", folder / "model", "--save", folder / "better", "--max-steps=2")
    assert "No old pairs are replayed" in output(capsys, *line)
    better, model = (TextGenerator.load(folder / name) for name in ("better", "model"))
    assert better.plan.start == model.predictor.fingerprint
    assert "old validation pair" in output(
        capsys, *line[:-1], "--max-steps=1", "--replay", "0.3", "--replay-data", folder / "pairs.tsv"
    )


def test_a_text_is_learned(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "corpus.txt").write_text("the cat sat on the mat. " * 40)
    output(
        capsys,
        "train",
        "--text",
        folder / "corpus.txt",
        "--save",
        folder / "poet",
        "--max-steps=2",
        "--window=40",
        *SMALL,
    )
    assert output(capsys, "generate", folder / "poet", "the cat").strip()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ([], "usage"),
        (
            ["trian"],
            "no command 'trian'; there are train, generate, evaluate, compare, explain, export, runs. Did you mean",
        ),
        (["--Version"], "no option '--Version'; there are --help, --version. Did you mean '--version'?"),
        (["generate", "model", "ab", "--bea", "5"], "'--bea'. Did you mean '--beam'?"),
        (["generate", "model", "ab", "--int", "x"], "Did you mean '--into'?"),
        (["generate", "model", "ab", "--beam", "0"], "--beam must be a whole number"),
        (["generate", "model", "ab", "--beam=2", "--beam", "3"], "--beam is given twice; leave one of them out."),
        (["train", "pairs.tsv", "--save", "a", "--save", "b"], "--save is given twice"),
        (
            ["generate", "model", "ab", "\u2014beam", "2"],
            "\u2014beam is not an option: write --beam with two hyphens. A text",
        ),
        (["train", "pairs.tsv", "-epochs=2"], "write --epochs with two hyphens."),
        (["generate", "model", "-ab"], "A text that begins with a dash stands after --."),
        (["generate", "model", "--sample", "false", "ab"], "write --sample=false, and a text before it"),
        (["train", "pairs.tsv", "--layer-norm", "No"], "write --layer-norm=no."),
        (["train", ""], "DATA is empty; is a variable of the shell not set?"),
        (["train", "pairs.tsv", "--save="], "--save is empty"),
        (["generate", "", "ab"], "MODEL is empty"),
        (["train", "pairs.tsv", "--replay", "x\x1b[31m"], "it must be a number (got 'x\\x1b[31m')"),
        (["runs", "a", "\u202eb"], "there is no place for '\\u202eb'"),
    ],
)
def test_a_wrong_line_is_refused_in_a_sentence(
    line: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refusal(capsys, *line)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train pairs.tsv", "--save FOLDER, or --run NAME"),
        ("train --save x", "file of pairs, or a text with --text"),
        ("train pairs.tsv --save pairs.tsv", "pairs.tsv holds something that is not a saved model"),
        ("train pairs.tsv --save pairs.tsv/x", "pairs.tsv is not a folder that you may write to"),
        ("train model", "model is a saved model; to go on from it, give pairs, and --start=model."),
        ("train . ", "is a folder, but not that of a run"),
        ("train model pairs.tsv --save x", "model is not a file of pairs"),
        ("train run.toml --epochs 5", "--epochs has no effect: a run is trained as its file says"),
        ("train RUN.TOML", "RUN.TOML does not say data"),
        ("train --text pairs.tsv --valid pairs.tsv --save x", "--valid does not apply to a text"),
        ("train /dev/null --save x", "/dev/null is a pipe or a device"),
        ("train 'my\\ file.tsv' --save x", "There is no file my\\ file.tsv"),
        ("evaluate none pairs.tsv", "There is no saved model"),
        (f"evaluate {'n' * 300} pairs.tsv", "can have at most 255 bytes"),
        (f"train {'n' * 300} --save x", "There is no file nnn"),
        ("generate model --data pairs.tsv", "--into"),
        ("generate model --data pairs.tsv --into pairs.tsv", "is the input"),
        ("generate model ab --into pairs.tsv", "pairs.tsv holds something other than generated rows"),
        ("generate model ab --into pairs.csv", "pairs.csv holds something other than generated rows"),
        ("generate model ab --into pairs.jsonl", "pairs.jsonl holds something other than generated rows"),
        ("generate model ab --into pairs.parquet", "pairs.parquet holds something other than generated rows"),
        ("generate model ab --source en", "--source is about a file"),
        ("generate model ab --encoding utf-8", "--encoding is about a file"),
        ("generate model ab --accept 0.9", "--accept needs --into"),
        ("runs none", "There are no runs in none; train with --run NAME to keep one."),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_trained_or_written(
    line: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for name in ("run.toml", "RUN.TOML"):
        Path(name).write_text('run = "r"\n')
    for name in ("pairs.csv", "pairs.jsonl", "pairs.parquet"):
        Path(name).write_text("source,target\n")
    before = sorted(folder.rglob("*"))
    assert message in output(capsys, *shlex.split(line), status=1)
    assert sorted(folder.rglob("*")) == before


def test_a_model_whose_folder_is_taken_while_it_is_trained_is_kept_elsewhere(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(model_folder, "check_place", lambda path: Path(path).write_text("taken"))
    line = ("train", folder / "pairs.tsv", "--save", folder / "taken", "--max-steps=1", *SMALL)
    message = output(capsys, *line, status=1)
    place = re.search(r"It is saved to (\S+) instead; move it from there", message)
    assert place is not None and TextGenerator.load(place[1]).predict("ab") is not None


def test_pairs_and_texts_come_by_the_standard_input_or_by_pipes(
    folder: Path, model: TextGenerator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def feed(content: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))

    saved, pairs = folder / "model", (folder / "pairs.tsv").read_text()
    expected = output(capsys, "evaluate", saved, folder / "pairs.tsv", "--metrics", " exact, chrf ")
    feed(pairs)
    assert output(capsys, "evaluate", saved, "-", "--metrics", "exact,chrf") == expected
    os.mkfifo(folder / "pipe")
    writer = threading.Thread(target=(folder / "pipe").write_text, args=(pairs,))
    writer.start()
    assert output(capsys, "evaluate", saved, folder / "pipe", "--metrics=exact,chrf") == expected
    writer.join()
    sides = [folder / "pairs.a", folder / "pairs.b"]
    for side, path in enumerate(sides):
        path.write_text("".join(f"{pair[side]}\n" for pair in PAIRS))
    assert output(capsys, "evaluate", saved, *sides, "--metrics=exact,chrf") == expected
    for line in (["--data", "-"], []):
        feed("ab\n\ncab\n")
        output(capsys, "generate", saved, *line, "--into", folder / "lines.jsonl")
        rows = [json.loads(row)["text"] for row in (folder / "lines.jsonl").read_text().splitlines()]
        assert rows == [each.text for each in model.generate(["ab", "", "cab"])]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_training_and_keeps_its_model(
    number: int,
    status: int,
    tmp_path: Path,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(self: TextProgress, event: Event) -> None:
        if isinstance(event, Validation):
            os.kill(os.getpid(), number)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(TextProgress, "__call__", interrupt)
    line = ("train", folder / "pairs.tsv", "--epochs=1000", *[word for word in SMALL if word not in ("--epochs", "2")])
    assert (
        output(capsys, *line, "--save", "m", status=status) == "nbtextgen: interrupted, with the best model so far.\n"
    )
    assert TextGenerator.load("m").predict(["ab"])
    assert "nbtextgen train r goes on" in output(capsys, *line, "--run", "./r", status=status)
    assert "the same command goes on" in output(capsys, "train", "r", status=status)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_reader_that_is_gone_and_a_closed_error_stream_spoil_nothing(
    tmp_path: Path, folder: Path, model: TextGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for line, status in (
        (("export", tmp_path / "x.html"), 0),
        (("generate", "ab", "--into", tmp_path / "o.tsv"), 0),
        (("generate", "ab"), 1),
    ):
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w", closefd=False) as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            assert main([str(word) for word in (line[0], folder / "model", *line[1:])]) == status
            monkeypatch.undo()
    assert (tmp_path / "x.html").is_file() and (tmp_path / "o.tsv").is_file()
    printed = io.StringIO()
    monkeypatch.setattr(sys, "stdout", printed)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["generate", str(folder / "model"), "ab\u65e5"]) == 0
    assert printed.getvalue() == model.predict(["ab\u65e5"])[0] + "\n"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of POSIX")
def test_a_folder_that_may_not_be_opened_is_named(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    real = os.stat

    def refuse(path: object, *arguments: object, **keywords: object) -> os.stat_result:  # as root, nothing is refused
        if "closed/" in str(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *arguments, **keywords)  # type: ignore[arg-type]

    Path("closed").mkdir()
    monkeypatch.setattr(os, "stat", refuse)
    pairs = folder / "pairs.tsv"
    for line in (
        ("generate", "closed", "ab"),
        ("generate", folder / "model", "ab", "--into", "closed/x.tsv"),
        ("train", pairs, "--save", "closed/m"),
        ("train", "closed/x.tsv", "--save", "m"),
        ("train", "closed"),
        ("train", "closed/x.toml"),
        ("runs", "closed"),
    ):
        message = output(capsys, *line, status=1)
        assert "ermission denied" in message and "Traceback" not in message, line


HOSTILE = "\x1b[31mX\x07\x9b2J\u202ey\u200b$\\frac{1}{2}$<img src=x onerror=alert(1)>\u2066|*`#\x85\x7f"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nothing_in_names_and_texts_is_obeyed_by_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = HOSTILE.replace("/", "")
    data, source = f"{name}.jsonl", f"source{HOSTILE}"
    rows = [{source: f"a{HOSTILE}{number}", "t": f"{HOSTILE}{number % 3}"} for number in range(30)]
    Path(data).write_text("".join(map(json_text, rows)).replace("}{", "}\n{"))
    columns = (data, "--source", source)
    for line in (
        ("train", *columns, "--run", f"runs/{name}", *SMALL),
        ("train", f"runs/{name}"),
        ("runs",),
        ("generate", f"runs/{name}", f"a{HOSTILE}\u65e5"),
        ("generate", f"runs/{name}", "--data", *columns, "--into", f"{name}.jsonl2.jsonl"),
        ("evaluate", f"runs/{name}", *columns, "--error-analysis"),
        ("compare", f"runs/{name}", f"runs/{name}", *columns),
        ("explain", f"runs/{name}", rows[0][source], "--page", "why.html"),
        ("explain", f"runs/{name}", rows[0][source], "--rows", "2", "--data", *columns, "--target", "t"),
        ("export", f"runs/{name}", "page.html", "--title", HOSTILE, "--example", HOSTILE),
        ("evaluate", name, data),
        ("evaluate", f"runs/{name}", data, "--source", HOSTILE),
        ("train", data, "--save", "x", "--encoding", HOSTILE),
    ):
        streams = Terminal(), Terminal()
        monkeypatch.setattr(sys, "stdout", streams[0])
        monkeypatch.setattr(sys, "stderr", streams[1])
        main(line)
        printed = "".join(stream.getvalue() for stream in streams)
        assert printed and not [char for char in printed if char not in "\n\r\t" and pictured(char) != char], line
    for path in (*tmp_path.rglob("*.json*"), *tmp_path.rglob("*.html"), *tmp_path.rglob("*.md")):
        written = "" if path.name == data else path.read_text()
        assert not [char for char in written if char not in "\n\t" and pictured(char) != char], path
        assert "<img src=x" not in written or not path.name.endswith("html"), path


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_what_the_terminal_cannot_hold_is_escaped(folder: Path, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    assert main(["generate", str(folder / "model"), "a\u65e5", "\udcff"]) == 0
    streams[1].flush()
    assert b"unknown to this model: \\u65e5" in streams[1].buffer.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("content", "arguments", "status", "error"),
    [
        (b"\xef\xbb\xbfab\r\n\ncab", [], 0, ""),
        (b"ab\n\xff\n", [], 1, "Line 2 of the standard input is not in the encoding utf-8"),
        ("ab\n\ncab".encode("utf-16"), [], 1, "give its --encoding"),
        ("ab\n\ncab".encode("utf-16"), ["--encoding", "utf-16"], 0, ""),
        (b"ab\n", ["--encoding", "utf-99"], 1, "There is no encoding of text 'utf-99'"),
        (None, [], 1, "There is no standard input"),
    ],
)
def test_the_standard_input_is_read_or_refused(
    folder: Path,
    model: TextGenerator,
    content: bytes | None,
    arguments: list[str],
    status: int,
    error: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = None if content is None else io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", stream)
    text = output(capsys, "generate", folder / "model", *arguments, status=status)
    expected = "".join(f"{each.text}\n" for each in model.generate(["ab", "", "cab"]))
    assert error in text if status else text == expected


def test_a_full_disk_behind_the_output_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments in (["generate", "ab"], ["evaluate", str(folder / "pairs.tsv")]):
        with Path("/dev/full").open("w") as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            assert main([arguments[0], str(folder / "model"), arguments[1]]) == 1
            monkeypatch.undo()
        assert capsys.readouterr().err == "nbtextgen: The output cannot be written: No space left on device.\n"


def test_half_of_the_variables_of_torchrun_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = folder / "run.toml"
    settings.write_text(f'run = "{folder}/torchrun"\ndata = "{folder}/pairs.tsv"\n')
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert "RANK is None; start the processes with torchrun" in output(capsys, "train", settings, status=1)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("LOCAL_RANK", "x")
    assert "LOCAL_RANK is 'x'" in output(capsys, "train", settings, status=1)


def test_a_file_in_the_place_of_a_text_is_noted_and_a_dash_is_the_standard_input(
    folder: Path, model: TextGenerator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    Path("ab.txt").write_text("ab\n")
    note = "ab.txt is read as a text, not as the file of this name; --data reads the file (in Python: generate_file)."
    assert main(["generate", "model", "ab.txt"]) == 0
    assert note in capsys.readouterr().err
    assert note in model.generate("ab.txt").notes
    assert not any(note in each.notes for each in model.generate(["ab", "no.txt", "ab.txt "]))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"ab\ncab\n")))
    expected = "".join(f"{each.text}\n" for each in model.generate(["ab", "cab"]))
    assert output(capsys, "generate", folder / "model", "-") == expected
    message = "Put commas between metrics: --metrics=exact,bleu."
    assert message in output(capsys, "evaluate", "model", "pairs.tsv", "--metrics", "exact", "bleu", status=1)
