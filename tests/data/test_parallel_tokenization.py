"""The store of tokens: the same examples as in memory, made by any number of workers, whole or not there at all."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from nbtextgen import TextGenerator
from nbtextgen.core.errors import DataError, ModelFileError, OptionError
from nbtextgen.data import batching as module
from nbtextgen.data import parallel_tokenization
from nbtextgen.data.batching import CopyMap, Examples, batches, encode_examples
from nbtextgen.data.parallel_tokenization import tokenize_pairs
from nbtextgen.data.readers.read import stream_pairs
from nbtextgen.data.token_store import open_store, store_key
from nbtextgen.tokenizers.registry import train_tokenizer
from tests.processes import alive, children, wait_for

ROWS = [(f"row {number} of many", f"{number} rows") for number in range(700)]
SOURCES, TARGETS = [row[0] for row in ROWS], [row[1] for row in ROWS]


def same(first: Examples, second: Examples) -> bool:
    sides = [(first.sources, second.sources), (first.targets, second.targets)]
    sides += [] if first.copies is None or second.copies is None else [(first.copies, second.copies)]
    return all(len(a) == len(b) and all(map(np.array_equal, a, b)) for a, b in sides)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("copy", [False, True])
def test_store_holds_the_same_examples_as_memory(workers: int, copy: bool, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(parallel_tokenization, "CHUNK", 50)
    monkeypatch.setattr(parallel_tokenization, "SERIAL_LIMIT", 100)
    source, target = train_tokenizer(SOURCES, "word", size=60), train_tokenizer(TARGETS, "word", size=60)
    pointer = CopyMap(source, target) if copy else None
    store = tokenize_pairs(iter(ROWS), tmp_path / "s", source, target, pointer, workers=workers)
    assert same(store.examples, encode_examples(SOURCES, TARGETS, source, target, pointer))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s"]


def test_too_long_pairs_are_left_out_and_counted(tmp_path) -> None:
    source = train_tokenizer(SOURCES + TARGETS, "char")
    store = tokenize_pairs(ROWS, tmp_path / "s", source, source, max_length=13)
    assert 0 < store.left_out < len(ROWS)
    assert len(store.examples) + store.left_out == len(ROWS)
    assert max(map(len, store.examples.sources)) <= 13


def test_store_is_reused_only_for_the_same_data_and_settings(tmp_path) -> None:
    (tmp_path / "a.tsv").write_text("\n".join("\t".join(row) for row in ROWS))
    source = train_tokenizer(SOURCES + TARGETS, "char")
    key = store_key(tmp_path / "a.tsv", source, source)
    tokenize_pairs(ROWS, tmp_path / "s", source, source, key=key)
    assert open_store(tmp_path / "s", key, source, source) is not None
    assert open_store(tmp_path / "s", store_key(tmp_path / "a.tsv", source, source, "more"), source, source) is None
    (tmp_path / "a.tsv").write_text("other\ttext\n")
    assert store_key(tmp_path / "a.tsv", source, source) != key
    (tmp_path / "mine").mkdir()
    with pytest.raises(ModelFileError, match="not a token store"):
        tokenize_pairs(ROWS, tmp_path / "mine", source, source)


def test_error_in_a_row_leaves_no_files(tmp_path) -> None:
    source = train_tokenizer(SOURCES, "char")

    def rows():
        yield from ROWS
        raise DataError("line 701 is bad.")

    with pytest.raises(DataError):
        tokenize_pairs(rows(), tmp_path / "s", source, source)
    assert list(tmp_path.iterdir()) == []


def test_killed_tokenization_leaves_no_store_and_the_next_one_cleans_up(tmp_path) -> None:
    code = f"""
import time
from pathlib import Path
from nbtextgen.data.parallel_tokenization import tokenize_pairs
from nbtextgen.tokenizers.registry import train_tokenizer
def rows():
    for number in range(10**9):
        yield f"row {{number}}", "x"
        if number == 6000:
            print("going", flush=True)
tokenizer = train_tokenizer(["row 0123456789 x"], "char")
tokenize_pairs(rows(), Path({str(tmp_path / "s")!r}), tokenizer, tokenizer, workers=1)
"""
    root = Path(__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=root)
    assert process.stdout is not None and process.stdout.readline() == b"going\n"
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "s").exists() and len(list(tmp_path.iterdir())) == 1
    source = train_tokenizer(SOURCES + TARGETS, "char")
    tokenize_pairs(ROWS, tmp_path / "s", source, source)
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


WORKING = """
import sys
from pathlib import Path
from nbtextgen.data.parallel_tokenization import tokenize_pairs
from nbtextgen.tokenizers.registry import train_tokenizer
def rows():
    for number in range(10**9):
        yield f"row {number}", "x"
        if number == 60_000:
            print("going", flush=True)
if __name__ == "__main__":
    tokenizer = train_tokenizer(["row 0123456789 x"], "char")
    tokenize_pairs(rows(), Path(sys.argv[1]), tokenizer, tokenizer, workers=2)
"""


def begun(place: Path) -> subprocess.Popen[bytes]:
    """A process that tokenises without end in two more."""
    (place / "working.py").write_text(WORKING)
    words = [sys.executable, str(place / "working.py"), str(place / "s")]
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=variables)
    assert process.stdout is not None and process.stdout.readline() == b"going\n"
    assert wait_for(lambda: len(workers_of(process.pid)) == 2)
    return process


def workers_of(process: int) -> list[int]:
    """Those that tokenise for it; there is one more, which tidies up after shared memory."""
    return [one for one in children(process) if any("spawn_main" in word for word in psutil.Process(one).cmdline())]


def test_workers_exit_when_their_parent_exits(tmp_path) -> None:
    process = begun(tmp_path)
    workers = workers_of(process.pid)
    process.kill()
    process.communicate()
    assert wait_for(lambda: not any(map(alive, workers)))


@pytest.mark.parametrize("seconds", [0.0, 0.03, 0.1, 0.2])
def test_dead_worker_is_named_and_no_files_are_left(tmp_path, seconds: float) -> None:
    """Also one that is killed while it sends what it has encoded."""
    process = begun(tmp_path)
    time.sleep(seconds)
    os.kill(workers_of(process.pid)[0], signal.SIGKILL)
    said = process.communicate()[1].decode()
    assert "DataError: A process that tokenizes the texts for" in said and "start again" in said
    assert [path.name for path in tmp_path.iterdir()] == ["working.py"]


def test_batches_of_very_many_rows_are_planned_in_windows(monkeypatch) -> None:
    source = train_tokenizer(SOURCES + TARGETS, "char")
    examples = encode_examples(SOURCES, TARGETS, source, source)
    monkeypatch.setattr(module, "MAX_WINDOW", 128)
    monkeypatch.setattr(module, "BLOCK", 16)
    for rng in (None, np.random.default_rng(1)):
        found = batches(examples, batch_tokens=400, batch_size=8, rng=rng)
        assert sorted(np.concatenate(found).tolist()) == list(range(len(ROWS)))
        assert max(map(len, found)) <= 8
        lengths = np.sum(examples.lengths(), axis=0)
        assert all(len(rows) * lengths[rows].max() <= 400 or len(rows) == 1 for rows in found)


def test_files_are_streamed_with_places(tmp_path) -> None:
    (tmp_path / "a.tsv").write_text("n\ten\tfr\n1\tcat\tchat\n2\tdog\tchien\n")
    (tmp_path / "b.tsv.gz").write_bytes(gzip.compress(b"n\ten\tfr\n3\tfish\tpoisson\n"))
    (tmp_path / "c.jsonl").write_text(json.dumps({"en": "bird", "fr": "oiseau"}) + "\n")
    found = list(stream_pairs(str(tmp_path / "*"), "en", "fr"))
    assert [row[1:] for row in found] == [("cat", "chat"), ("dog", "chien"), ("fish", "poisson"), ("bird", "oiseau")]
    assert found[2][0] == ("b.tsv.gz, line", 2)
    assert list(stream_pairs(iter([("a", "b")]))) == [(("row", 1), "a", "b")]
    import pandas

    pandas.DataFrame({"en": SOURCES, "fr": TARGETS}).to_parquet(tmp_path / "d.parquet")
    assert [row[1:] for row in stream_pairs(tmp_path / "d.parquet")] == ROWS


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", b"a\tb\nc\n", "line 2 has 1 column,"),
        ("a.tsv", b"a\tb\nc\t\n", "line 2: target is empty"),
        ("a.tsv", b"a\tb\n\xff\td\n", "line 2 is not UTF-8"),
        ("a.tsv", b"a\tb\tc\n", r"has columns 1 \(a\), 2 \(b\), 3 \(c\); say which by number"),
        ("a.jsonl", b'{"a": "b", "c": "d"}\n{\n', "line 2 is not JSON"),
        ("a.jsonl", b'{"a": "b", "c": null}\n', "line 1: target is missing"),
        ("a.tsv.gz", gzip.compress(b"a\tb\n" * 5000, mtime=0)[:-30], "the gzip data is cut short from here on"),
        ("a.parquet", b"PAR1 no", "cannot be read as Parquet"),
        ("a.csv", b'a,b\n"c,d\n', "line 2: a quote is opened and never closed"),
    ],
    ids=str,
)
def test_bad_streams_are_refused_with_their_place(name: str, content: bytes, message: str, tmp_path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(stream_pairs(tmp_path / name))


def test_training_on_a_store_learns_reuses_it_and_holds_sources_apart(tmp_path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in ROWS), encoding="utf-8")
    options = {"hidden_size": 8, "embedding_size": 8, "epochs": 1, "samples": 0, "store": str(tmp_path / "store")}
    first = TextGenerator(**options).fit(path, callbacks=[])
    made = (tmp_path / "store" / "store.json").stat().st_mtime_ns
    again = TextGenerator(**options).fit(path, callbacks=[])
    assert (tmp_path / "store" / "store.json").stat().st_mtime_ns == made
    started = first.history[0]
    assert started.pairs + started.valid_pairs == len(ROWS) and started.valid_pairs > 20  # type: ignore[union-attr]
    assert first.predict(["row 5 of many"]) == again.predict(["row 5 of many"])
    with pytest.raises(OptionError, match="looks at all of them"):
        TextGenerator(**options, clean="dedupe").fit(path, callbacks=[])
    with pytest.raises(DataError, match="read twice"):
        TextGenerator(**options).fit(iter(ROWS), callbacks=[])
