"""Tables and streams are read by one reader: the same rows, places and errors, whatever the file."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import pytest

from nbtextgen import Pairs, RawPairs
from nbtextgen.core.errors import DataError
from nbtextgen.data.readers import delimited
from nbtextgen.data.readers.columns import ReadOptions
from nbtextgen.data.readers.read import files_of, read_rows, stream_pairs

ROWS = [
    ("plain", "text"),
    ("déjà vu", "zero\u200bwidth"),
    ("line\u2028inside", "007"),
    (" spaces ", "null"),
    ("last", "\U0001f469\u200d\U0001f680"),
]
CSV_ROWS = [*ROWS, ('a "quoted", cell', "of\ntwo lines\r\nor three")]
Rows = list[tuple[str, str]]


def tsv(rows: Rows, header: bool, end: str = "\n") -> str:
    lines = [("n", "source", "target")] if header else []
    lines += [(str(number), *row) for number, row in enumerate(rows)] if header else rows  # type: ignore[list-item]
    return "".join("\t".join(line) + end for line in lines)


def comma_separated(rows: Rows, header: bool, delimiter: str = ",") -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter)
    writer.writerows([("source", "target")] if header else [])
    writer.writerows(rows)
    return file.getvalue()


def records(rows: Rows) -> list[dict[str, str]]:
    return [{"source": source, "target": target} for source, target in rows]


def parquet(rows: Rows) -> bytes:
    file = io.BytesIO()
    pandas.DataFrame(records(rows)).to_parquet(file)
    return file.getvalue()


TEXTS: dict[str, Callable[[Rows], str]] = {
    "plain.tsv": lambda rows: tsv(rows, header=False),
    "header.tsv": lambda rows: tsv(rows, header=True),
    "mac.tsv": lambda rows: tsv(rows, header=False, end="\r"),
    "dos.tsv": lambda rows: tsv(rows, header=False, end="\r\n"),
    "gaps.tsv": lambda rows: "\n \n" + tsv(rows, header=False, end="\n\n"),
    "plain.csv": lambda rows: comma_separated(rows, header=False),
    "header.csv": lambda rows: comma_separated(rows, header=True),
    "semicolon.csv": lambda rows: comma_separated(rows, header=True, delimiter=";"),
    "tab.txt": lambda rows: tsv(rows, header=False),
    "arrow.txt": lambda rows: "".join(f"{source} => {target}\n" for source, target in rows),
    "lines.jsonl": lambda rows: "\n".join(map(json.dumps, records(rows))),
    "list.json": lambda rows: "\n" + json.dumps(records(rows), indent=1),
    "sparse.jsonl": lambda rows: "\n".join(map(json.dumps, [{"extra": 1, **row} for row in records(rows)])),
}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32")
BROKEN = {
    "short.tsv": b"a\tb\nc\nd\te\n",
    "long.tsv": b"a\tb\nc\td\te\n",
    "long.csv": b"source,target\na,b\nc,d,e\n",
    "empty-cell.tsv": b"a\tb\nc\t \n",
    "empty-then-short.tsv": b"a\tb\n\tx\nc\n",
    "not-utf8.tsv": b"a\tb\n\xff\td\n",
    "three.tsv": b"a\tb\tc\n",
    "twice.csv": b"source,source,target\na,b,c\n",
    "one-column.txt": b"a\nb\n",
    "mixed.txt": b"a => b\nc => d => e\n",
    "open-quote.csv": b'a,b\n"c,d\ne,f\n',
    "stray-quote.csv": b'a,b\n"c"x,d\n',
    "odd-16.tsv": "a\tb\nc\td\n".encode("utf-16") + b"\x00",
    "no-mark.tsv": "a\tb\nc\td\n".encode("utf-16-le"),
    "not-json.jsonl": b'{"a": "b", "c": "d"}\n{oops\n',
    "null.jsonl": b'{"a": "b", "c": null}\n',
    "missing.jsonl": b'{"a": "b", "c": "d"}\n{"a": "b"}\n',
    "third-key.jsonl": b'{"a": "b", "c": "d"}\n{"a": "b", "c": "d", "e": "f"}\n',
    "half.jsonl": b'{"a": "\\ud800", "c": "d"}\n',
    "cut.json": b'[{"a": "b"',
    "numbers.json": b"[1, 2]",
    "empty.tsv": b"",
    "empty.json": b"[]",
    "header-only.csv": b"source,target\n",
    "no.parquet": b"PAR1",
    "cut.parquet": parquet(ROWS)[:-9],
    "cut.tsv.gz": gzip.compress(b"a\tb\n" * 50_000, mtime=0)[:-30],
    "tail.tsv.gz": gzip.compress(b"a\tb\n", mtime=0) + b"garbage",
    "packed.tsv": bz2.compress(b"a\tb\n"),
}


def outcome(read: Callable[[], Any]) -> Any:
    """What a reader gives: rows with places, or the error."""
    try:
        return list(read())
    except DataError as error:
        return str(error)


def table_rows(data: Any, *columns: str) -> list[Any]:
    names = dict(zip(("source", "target"), columns, strict=False))
    pairs = Pairs.of(data, **names)  # type: ignore[arg-type]
    return list(zip(pairs.places, pairs.sources, pairs.targets, strict=True))


def raw_rows(data: Any, *columns: str) -> list[Any]:
    names = dict(zip(("source", "target"), columns, strict=False))
    raw = RawPairs.of(data, **names)  # type: ignore[arg-type]
    problems = map(raw.problems.get, range(len(raw)))
    return list(zip(raw.places, raw.sources, raw.targets, problems, strict=True))


def compare(data: Any, *columns: str) -> Any:
    """Read data as a table and as a stream, compare, and return the rows or the error."""
    table = outcome(lambda: table_rows(data, *columns))
    assert outcome(lambda: stream_pairs(data, *columns)) == table
    assert outcome(lambda: read_rows(data, ReadOptions(*columns))) == outcome(lambda: raw_rows(data, *columns))
    return table


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("piece", [7, 1 << 18])
def test_texts(name: str, encoding: str, packed: bool, piece: int, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("nbtextgen.data.readers.packing.PIECE", piece)
    rows = CSV_ROWS if name.endswith(".csv") else ROWS
    raw = TEXTS[name](rows).encode(encoding)
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(raw[:50]) + gzip.compress(raw[50:]) + bytes(3) if packed else raw)
    columns = ("source", "target") if name in ("header.tsv", "sparse.jsonl") else ()
    found = compare(path, *columns)
    assert [row[1:] for row in found] == rows
    if name == "gaps.tsv":
        assert [place[1] for place, *_ in found] == [3, 5, 7, 9, 11]
    if name == "plain.csv":
        assert found[-1][0] == (f"{path.name}, line", len(rows))


def test_parquet_files(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(parquet(ROWS))
    assert [row[1:] for row in compare(tmp_path / "a.parquet")] == ROWS
    assert compare(tmp_path / "a.parquet", "target", "source")[0] == (("a.parquet, row", 1), "text", "plain")
    assert "There is no source column 'sorce'" in compare(tmp_path / "a.parquet", "sorce", "target")


def test_several_files_and_memory(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"part-{number}.tsv").write_text(tsv(ROWS[number : number + 2], header=False), "utf-8")
    paths = sorted(tmp_path.glob("*.tsv"))
    expected = [row for number in range(3) for row in ROWS[number : number + 2]]
    for data in (paths, list(map(str, paths)), str(tmp_path / "part-*.tsv")):
        assert [row[1:] for row in compare(data)] == expected
        assert files_of(data) == paths
    paths[1].write_text("a\tb\nc\n")
    assert "part-1.tsv, line 2 has 1 column, the first line has 2." in compare(paths)
    assert "No file fits" in compare(str(tmp_path / "no-*.tsv"))
    assert "There is no file" in compare(str(tmp_path / "part-9.tsv"))
    assert "is a directory" in compare(tmp_path)
    (tmp_path / "a.en").write_text("one\ntwo\n\n")
    (tmp_path / "a.fr").write_text("un\rdeux")
    sides = (tmp_path / "a.en", tmp_path / "a.fr")
    assert compare(sides) == [(("a.en, line", 1), "one", "un"), (("a.en, line", 2), "two", "deux")]
    assert files_of(sides) == list(sides)
    sides[1].write_text("un\n\ntrois\n")
    assert "has 2 lines but" in compare(sides)
    frame = pandas.DataFrame(ROWS, columns=["source", "target"])
    for data in (ROWS, records(ROWS), frame, {"a": [row[0] for row in ROWS], "b": [row[1] for row in ROWS]}):
        assert [row[1:] for row in compare(data)] == ROWS
    assert "row 2: expected" in compare([("a", "b"), "c"])
    assert "row 1: source is missing" in compare([{"a": None, "b": "x"}])
    assert "There are no pairs" in compare([])
    assert compare(Pairs.of(paths[0])) == table_rows(paths[0])
    assert len(compare("builtin:dates?count=20")) == 20 and files_of("builtin:dates") == []


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_give_the_same_error(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(BROKEN[name])
    assert isinstance(compare(tmp_path / name), str)


def test_a_stream_takes_little_memory(tmp_path: Path) -> None:
    count = 60_000
    row = {"source": "s" * 100, "target": "t" * 100}
    contents = {
        "a.tsv.gz": gzip.compress(f"{row['source']}\t{row['target']}\n".encode() * count),
        "a.csv": f'{row["source"]},"{row["target"]}"\n'.encode() * count,
        "a.jsonl": (json.dumps(row) + "\n").encode() * count,
        "a.parquet": parquet([(row["source"] + str(number), row["target"]) for number in range(count)]),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        tracemalloc.start()
        assert sum(1 for _ in stream_pairs(tmp_path / name)) == count
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 12e6, (name, peak)  # all rows as text: 24 MB at least


def test_rows_are_bounded_and_lists_are_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_text(json.dumps(records(ROWS) * 2000, indent=0))
    assert len(Pairs.of(tmp_path / "a.json")) == len(list(stream_pairs(tmp_path / "a.json"))) == 10_000
    monkeypatch.setattr(delimited, "LARGEST_ROW", 1000)
    (tmp_path / "a.csv").write_text('a,b\nc,"d\n' + "e,f\n" * 1000)
    with pytest.raises(DataError, match="line 2: a quote is opened and never closed"):
        list(stream_pairs(tmp_path / "a.csv"))
