"""What only a process of its own shows: a bare environment, closed streams, a full disk, no assertions, two writers."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nbtextgen import Pairs, TextGenerator
from nbtextgen.core.errors import DataError, NbTextGenError

ROOT = Path(__file__).parents[1]
PAIRS = [(word, word[::-1]) for word in ("abc", "bca", "né", "cab", "acb", "ené", "bac", "cba") * 4]
SMALL = {"hidden_size": 8, "embedding_size": 8, "epochs": 1}
pytestmark = pytest.mark.skipif(os.name != "posix", reason="streams, signals and folders of POSIX")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model, and the same one exported, which starts without torch."""
    folder = tmp_path_factory.mktemp("processes")
    model = TextGenerator(**SMALL).fit(PAIRS, callbacks=[])
    model.save(folder / "model")
    model.export("onnx", folder / "onnx")
    (folder / "sources.txt").write_text("abc\n" * 1000)
    (folder / "pairs.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in PAIRS))
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> TextGenerator:
    return TextGenerator.load(folder / "model")


def shell(line: str, folder: Path, environment: dict[str, str] | None = None, text: str = "") -> tuple[int, str, str]:
    """The status, output and error stream of a line of the shell, in which ``nbtextgen`` is the command line."""
    script = f'cd {shlex.quote(str(folder))}\nnbtextgen() {{ "$PYTHON" -m nbtextgen "$@"; }}\n{line}'
    usual = os.environ if environment is None else environment
    known = {"PYTHON": sys.executable, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(["sh", "-c", script], env={**usual, **known}, input=text.encode(), capture_output=True)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


# The environment --------------------------------------------------------------------------------------------------

C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # no HOME, no TERM


def test_letters_beyond_ascii_arrive_in_the_c_locale(folder: Path, model: TextGenerator) -> None:
    expected = "".join(f"{text}\n" for text in model.predict(["né", "ené日"]))
    error = "nbtextgen: 1 of 4 characters is unknown to this model: \\u65e5\n"
    assert shell("nbtextgen generate onnx né ené日", folder, C_LOCALE) == (0, expected, error)
    assert shell("nbtextgen generate onnx", folder, C_LOCALE, "né\nené日\n") == (0, expected, error)
    (folder / "é.csv").write_text("mot é,n\nné,1\nené日,2\n")
    status, _, error = shell("nbtextgen generate onnx --data é.csv --source 'mot é' --into ü.txt", folder, C_LOCALE)
    assert (status, error, (folder / "ü.txt").read_text()) == (0, "", expected)
    status, output, error = shell("nbtextgen generate onnx né", folder, {**C_LOCALE, "PYTHONIOENCODING": "ascii"})
    assert (status, error) == (0, "") and output.isascii()  # as it was asked for


def test_a_current_folder_that_was_removed_is_no_matter(folder: Path, model: TextGenerator) -> None:
    line = f"mkdir gone; cd gone; rmdir ../gone; nbtextgen generate {shlex.quote(str(folder))}/model abc"
    assert shell(line, folder, {"HOME": "/nowhere"}) == (0, model.predict(["abc"])[0] + "\n", "")
    line = f"mkdir gone; cd gone; rmdir ../gone; nbtextgen generate {shlex.quote(str(folder))}/onnx abc --into o.tsv"
    status, output, error = shell(line, folder)
    assert (status, output) == (1, "") and "o.tsv cannot be found: No such file or directory; name its folder" in error


# Streams and files ------------------------------------------------------------------------------------------------


def test_a_reader_that_takes_one_line_leaves_no_traceback(folder: Path, model: TextGenerator) -> None:
    line = "(nbtextgen generate onnx < sources.txt; echo $? >&2) | head -n 1"
    assert shell(line, folder) == (0, model.predict(["abc"])[0] + "\n", "1\n")


def test_closed_streams_leave_no_trace_in_files_that_follow_the_umask(folder: Path, model: TextGenerator) -> None:
    line = "umask 077; nbtextgen generate onnx abc ab日 --into closed.txt >&- 2>&- <&-"
    assert shell(line, folder) == (0, "", "")
    assert (folder / "closed.txt").read_text() == "".join(f"{text}\n" for text in model.predict(["abc", "ab日"]))
    assert stat.S_IMODE((folder / "closed.txt").stat().st_mode) == 0o600


def test_a_second_process_does_not_write_to_an_output_in_the_works(folder: Path, model: TextGenerator) -> None:
    answers = list[tuple[int, str, str]]()

    def write_again(done: int, _: int) -> None:
        if not answers:
            answers.append(shell("nbtextgen generate onnx --data sources.txt --into both.tsv", folder))

    table = model.generate_file(folder / "sources.txt", folder / "both.tsv", on_progress=write_again)
    (status, output, error), *_ = answers
    assert (status, output) == (1, "") and "both.tsv.part is being written by another process" in error
    assert table.count == 1000 and (folder / "both.tsv").read_text().count("\n") == 1001


def test_a_full_disk_keeps_the_rows_that_fit(folder: Path, model: TextGenerator, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no right to mount a small disk")
    try:
        with pytest.raises(
            DataError, match=r"out\.tsv\.part cannot be written after [\d,]+ rows: No space left"
        ) as full:
            model.generate_file(folder / "sources.txt", disk / "out.tsv", on_progress=lambda *_: None)
        assert "the same call continues it" in str(full.value)
        subprocess.run(["mount", "-o", "remount,size=1m", disk], check=True)
        table = model.generate_file(folder / "sources.txt", disk / "out.tsv", on_progress=lambda *_: None)
        assert table.count == 1000 and "were there from an interrupted call" in table.notes[0]
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


# Without assertions -----------------------------------------------------------------------------------------------


def refusals(folder: Path) -> list[str]:
    """The errors of bad input of every kind."""
    model, out = TextGenerator.load(folder / "model"), folder / "refused.tsv"
    out.write_text("the user's own\n")
    other = TextGenerator(**SMALL, seed=2).fit(PAIRS, callbacks=[])
    calls: list[Callable[[], object]] = [
        lambda: Pairs.of([("a", None)]),
        lambda: Pairs.of({"a": ["x"], "b": ["y", "z"]}),
        lambda: Pairs.of([("a", "b"), ("c",)]),
        lambda: TextGenerator(hidden_size=0),
        lambda: TextGenerator(epochs=0),
        lambda: TextGenerator(learning_rate=-1.0),
        lambda: TextGenerator(batch_size=0),
        lambda: TextGenerator().generate("a"),
        lambda: TextGenerator(**SMALL).fit([], callbacks=[]),
        lambda: TextGenerator(**SMALL).fit(PAIRS, callbacks=[3]),  # type: ignore[list-item]
        lambda: TextGenerator(**SMALL).fit(PAIRS, valid=[("a", 1)], callbacks=[]),
        lambda: model.generate(None),  # type: ignore[arg-type]
        lambda: model.generate("abc", min_length=5, max_length=2),
        lambda: model.generate("abc", beam=0),
        lambda: model.generate("abc", prefix=3),  # type: ignore[arg-type]
        lambda: model.generate_file(["abc"], out),
        lambda: model.evaluate([]),
        lambda: model.evaluate(PAIRS, metrics=["blue"]),
        lambda: model.explain(other.generate("abc")),
        lambda: model.explain("abc", method="owen"),
        lambda: model.score([("abc",)]),  # type: ignore[list-item]
        lambda: TextGenerator.load(folder / "nowhere"),
        lambda: model.set_params(hidden=3),
    ]
    return [_refusal(call) for call in calls]


def _refusal(call: Callable[[], object]) -> str:
    try:
        return f"no error: {call()!r:.100}"
    except NbTextGenError as error:
        return f"{type(error).__name__}: {error}"
    except Exception as error:
        return f"raw {type(error).__name__}: {error}"


def test_refusals_are_no_assertions(folder: Path) -> None:
    script = "import json, pathlib, sys; from tests.test_processes import refusals; assert False; "
    script += "print(json.dumps(refusals(pathlib.Path(sys.argv[1]))))"
    known = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-O", "-c", script, folder], env=known, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = refusals(folder)
    assert json.loads(done.stdout) == expected
    assert not [text for text in expected if text.startswith(("no error", "raw"))]


def test_a_pipe_is_not_replaced_by_a_table(folder: Path) -> None:
    line = "mkfifo pipe.tsv; nbtextgen generate onnx abc --into pipe.tsv; test -p pipe.tsv"
    status, _, error = shell(line, folder)
    assert status == 0 and "pipe.tsv is a pipe or a device, which a table cannot replace" in error


def test_under_nohup_a_closed_terminal_is_no_matter(folder: Path, model: TextGenerator) -> None:
    line = (
        "trap '' HUP; \"$PYTHON\" -m nbtextgen generate onnx < sources.txt > hup.txt & sleep 1; kill -HUP $!; wait $!"
    )
    assert shell(line, folder)[0] == 0
    assert (folder / "hup.txt").read_text() == f"{model.predict(['abc'])[0]}\n" * 1000


# Limits of the process --------------------------------------------------------------------------------------------

LIMITED = """if True:
    import os, resource, signal
    from pathlib import Path
    from nbtextgen import Pairs, TextGenerator
    from nbtextgen.core.errors import NbTextGenError
    from tests.test_processes import LIMITED_CALLS, PAIRS, SMALL
    model = TextGenerator.load("wide")
    model.generate("abc")
    kinds = {"memory": resource.RLIMIT_AS, "files": resource.RLIMIT_NOFILE, "size": resource.RLIMIT_FSIZE}
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for kind, more, call in LIMITED_CALLS:
        if child := os.fork():
            os.waitpid(child, 0)
            continue
        used = {
            "memory": int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize(),
            "files": len(os.listdir("/proc/self/fd")),
            "size": 0,
        }
        resource.setrlimit(kinds[kind], (used[kind] + more, resource.getrlimit(kinds[kind])[1]))
        try:
            line = f"no error: {eval(call)!r:.20}"
        except NbTextGenError as error:
            line = f"{type(error).__name__}: {error}"
        except BaseException as error:
            line = f"raw {type(error).__name__}: {error}"
        print(line, flush=True)
        os._exit(0)
"""
LIMITED_CALLS = [
    ("memory", 1_000_000, "TextGenerator.load('wide')"),
    ("memory", 1_000_000, "model.export('html', 'page.html')"),
    ("memory", 1_000_000, "model.export('onnx', 'exported')"),
    ("memory", 1_000_000, "Pairs.of('pairs.parquet')"),
    ("size", 50, "model.generate_file(['abc'], 'short.tsv')"),
    *(("files", more, "TextGenerator(**SMALL).fit(PAIRS, callbacks=[], run='r')") for more in range(5)),
]
"""What is limited, what is left of it, and the call that needs more."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits as Linux has them")
def test_what_is_short_is_named(folder: Path) -> None:
    TextGenerator(hidden_size=384, embedding_size=64, max_steps=1).fit(PAIRS, callbacks=[]).save(folder / "wide")
    Pairs.of(PAIRS * 200).frame().to_parquet(folder / "pairs.parquet")
    (folder / "limited.py").write_text(LIMITED)
    status, output, error = shell('"$PYTHON" limited.py', folder)
    lines = output.splitlines()
    assert status == 0 and len(lines) == len(LIMITED_CALLS), (output, error)
    assert lines[0].startswith("MemoryShortError: There is not enough memory to "), lines
    assert lines[1].startswith("MemoryShortError: There is not enough memory to export the model"), lines
    assert lines[2].startswith("MemoryShortError: There is not enough memory to export the model"), lines
    assert lines[3].startswith("MemoryShortError: ") and "not enough memory" in lines[3], lines
    assert lines[4] == "DataError: short.tsv.part cannot be written: File too large.", lines
    for line in lines[5:]:
        assert line.startswith(("no error", "ModelFileError")) and "damaged" not in line, lines
    assert any("Too many open files" in line for line in lines[5:]), lines


@pytest.mark.parametrize("change", ["fewer", "others"])
def test_an_input_that_changes_meanwhile_is_refused(change: str, model: TextGenerator, tmp_path: Path) -> None:
    path, into = tmp_path / "sources.txt", tmp_path / "out.tsv"
    long = "abc " * 2000  # so that the file is not read at once
    path.write_text(f"abc\n{long}\n" + "bca\n" * 70 + f"{long}\n" * 100 + "abc\n")

    def rewrite(done: int, _: int) -> None:
        if done == 64:
            path.write_text(path.read_text().removesuffix("abc\n") + ("cba\n" if change == "others" else ""))

    with pytest.raises(DataError, match="The input was changed while its outputs were generated; repeat the call"):
        model.generate_file(path, into, max_length=1, on_progress=rewrite)
    assert not into.exists()
