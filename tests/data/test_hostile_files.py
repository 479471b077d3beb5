"""Hostile files: each is read right, or refused in one sentence that names the place."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import random
import re

import pandas
import pytest

from nbtextgen import Pairs
from nbtextgen.core.errors import DataError
from nbtextgen.data.pairs import RawPairs

ROWS = [
    ("plain", "text"),
    ('he said "x", and left', "déjà vu; naïve | so"),
    ("\u202eright to left\u202c", "עברית \u200fوالعربية"),
    ("zero\u200bwidth\ufeff", "line\u2028inside\u0085and\x0bmore\x0c"),
    ("007", "NA"),
    ("null", "1e5"),
    (" spaces ", "\U0001f469\u200d\U0001f680 \U0001f1eb\U0001f1f7"),
    ("e\u0301", "\u0000nul"),
    ("<pad> </s>", "=cmd()"),
]
PLACE = re.compile(
    r"(line|row|record) \d|has \d+ column|columns .*say which|is empty|cannot be read as Parquet|is a PNG image"
)


def csv_cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def lines_of(form: str) -> list[str]:
    """The rows as lines of a format."""
    if form == "tsv":
        return ["\t".join(row) for row in ROWS]
    if form == "txt":
        return [" => ".join(row) for row in ROWS]
    if form == "csv":
        return ["source,target", *(",".join(map(csv_cell, row)) for row in ROWS)]
    if form == "semicolon.csv":
        return ["source;target", *(";".join(map(csv_cell, row)) for row in ROWS)]
    return [json.dumps({"source": source, "target": target}, ensure_ascii=False) for source, target in ROWS]


ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32")
ENDS = {"unix": ["\n"], "dos": ["\r\n"], "mac": ["\r"], "mixed": ["\n", "\r\n", "\n\n"]}
FORMS = ("tsv", "txt", "csv", "semicolon.csv", "jsonl")
READABLE = list(itertools.product(FORMS, ENCODINGS, ENDS, (False, True)))


@pytest.mark.parametrize("form", FORMS)
def test_every_encoding_and_line_end_is_read_right(form: str, tmp_path) -> None:
    read = 0
    for kind, encoding, end, packed in READABLE:
        if kind != form:
            continue
        ends = itertools.cycle(ENDS[end])
        raw = "".join(line + next(ends) for line in lines_of(form)).encode(encoding)
        path = tmp_path / f"{encoding}-{end}.{form}{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(raw) if packed else raw)
        assert list(Pairs.of(path)) == ROWS, path.name
        read += 1
    assert read == 32


def bad_files() -> dict[str, bytes]:
    """Files that must be refused, each with the place of its first fault."""
    good = {form: "\n".join(lines_of(form)).encode() for form in FORMS}
    found = {
        "latin.tsv": "a\tb\nc\té\n".encode("latin-1"),
        "cp1251.csv": "source,target\nдом,house\n".encode("cp1251"),
        "shift-jis.jsonl": '{"source": "家", "target": "x"}\n'.encode("shift-jis"),
        "no-mark-16.tsv": "\n".join(lines_of("tsv")).encode("utf-16-le"),
        "no-mark-32.txt": "\n".join(lines_of("txt")).encode("utf-32-be"),
        "odd-16.tsv": "a\tb\nc\td\n".encode("utf-16") + b"\x00",
        "lone-16.tsv": "a\tb\nc\td\n".encode("utf-16") + b"\x00\xd8\x0a\x00",
        "image.tsv": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        "empty.tsv": b"",
        "blank.csv": b"\n\n  \n",
        "blank.jsonl": b"\n \n",
        "mark-only.tsv": b"\xef\xbb\xbf",
        "header-only.csv": b"source,target\n",
        "one-column.csv": b"source\na\nb\n",
        "one-column.txt": b"a\nb\n",
        "three.tsv": b"a\tb\tc\nd\te\tf\n",
        "twice.csv": b"source,source,target\na,b,c\n",
        "short-row.tsv": b"a\tb\nc\n",
        "long-row.tsv": b"a\tb\nc\td\te\n",
        "short-row.csv": b"source,target\na,b\nc\n",
        "long-row.csv": b"source,target\na,b\nc,d,e\n",
        "empty-cell.tsv": b"a\tb\nc\t\n",
        "space-cell.csv": b"source,target\na,b\n   ,x\n",
        "open-quote.csv": b'source,target\na,b\n"c,d\ne,f\n',
        "stray-quote.csv": b'source,target\na,b\n"c"x,d\n',
        "not-json.jsonl": b'{"source": "a", "target": "b"}\n{oops}\n',
        "json-null.jsonl": b'{"source": "a", "target": "b"}\n{"source": null, "target": "b"}\n',
        "json-nan.jsonl": b'{"source": "a", "target": "b"}\n{"source": NaN, "target": "b"}\n',
        "json-number.jsonl": b'{"source": "a", "target": "b"}\n{"source": 3, "target": "b"}\n',
        "json-list.jsonl": b'{"source": "a", "target": "b"}\n["a", "b"]\n',
        "json-missing.jsonl": b'{"source": "a", "target": "b"}\n{"source": "a"}\n',
        "json-nested.jsonl": b'{"source": "a", "target": "b"}\n{"source": ["x"], "target": "b"}\n',
        "json-half.jsonl": b'{"source": "a", "target": "b"}\n{"source": "\\ud800", "target": "b"}\n',
        "json-deep.jsonl": b'{"source": "a", "target": "b"}\n' + b"[" * 100_000 + b"\n",
        "json-cut.jsonl": good["jsonl"][:-5],
        "list-cut.json": b'[{"source": "a", "target": "b"},\n {"source": "c"',
        "list-of-numbers.json": b"[1, 2]",
        "empty-list.json": b"[]",
        "three-keys.jsonl": b'{"a": "x", "b": "y", "c": "z"}\n',
        "not-parquet.parquet": b"PAR1 not at all PAR1",
        "tiny.parquet": b"PAR1",
        "mixed.txt": b"a => b\nc => d => e\n",
    }
    random_bytes = random.Random(5)
    for form in FORMS:
        packed = gzip.compress(good[form] * 50, mtime=0)
        for share in (0.3, 0.9, 0.999):
            found[f"cut-{share}.{form}.gz"] = packed[: int(len(packed) * share)]
        flipped = bytearray(packed)
        flipped[len(packed) // 2] ^= 0x55
        found[f"flipped.{form}.gz"] = bytes(flipped)
        found[f"tail.{form}.gz"] = packed + b"garbage"
        for number in range(4):
            noise = bytes(random_bytes.randrange(128, 192) for _ in range(40))  # never valid UTF-8
            at = good[form].index(b"\n") + 3
            found[f"noise-{number}.{form}"] = good[form][:at] + noise + good[form][at:]
    buffer = io.BytesIO()
    pandas.DataFrame({"source": [row[0] for row in ROWS], "target": [row[1] for row in ROWS]}).to_parquet(buffer)
    whole = buffer.getvalue()
    for share in (0.1, 0.5, 0.9, 0.99):
        found[f"cut-{share}.parquet"] = whole[: int(len(whole) * share)]
    return found


BAD = bad_files()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_one_sentence_with_its_place(name: str, tmp_path) -> None:
    path = tmp_path / name
    path.write_bytes(BAD[name])
    with pytest.raises(DataError) as caught:
        Pairs.of(path)
    message = str(caught.value)
    assert PLACE.search(message), message
    assert "\n" not in message and len(message) < 600


def test_there_are_more_than_two_hundred_hostile_files() -> None:
    assert len(READABLE) + len(BAD) >= 200


def test_bad_rows_can_be_read_for_a_report_where_the_file_itself_is_whole(tmp_path) -> None:
    for name in ("latin.tsv", "short-row.tsv", "long-row.csv", "not-json.jsonl", "json-null.jsonl", "empty-cell.tsv"):
        (tmp_path / name).write_bytes(BAD[name])
        cleaned = RawPairs.of(tmp_path / name).clean("empty")
        assert list(cleaned.pairs) == [("a", "b")]
        assert [one.row for one in cleaned.dropped] == [1], name


def test_huge_lines_are_read_whole(tmp_path) -> None:
    huge = "word " * 100_000
    for form, line in (("tsv", f"{huge}\tx"), ("csv", f"source,target\n{csv_cell(huge)},x")):
        (tmp_path / f"huge.{form}").write_text(line)
        assert list(Pairs.of(tmp_path / f"huge.{form}")) == [(huge, "x")]
    assert "very-long" in Pairs.of(tmp_path / "huge.tsv").report(tokens="char")


def test_lists_patterns_and_streams_of_files(tmp_path) -> None:
    for number in range(3):
        (tmp_path / f"part-{number}.tsv").write_text(f"a{number}\tb{number}\n")
    wanted = [(f"a{number}", f"b{number}") for number in range(3)]
    paths = sorted(tmp_path.glob("*.tsv"))
    assert list(Pairs.of(paths)) == list(Pairs.of([str(path) for path in paths])) == wanted
    joined = Pairs.of(str(tmp_path / "part-*.tsv"))
    assert list(joined) == wanted
    assert joined.place(2) == "part-2.tsv, line 1"
    (tmp_path / "part-1.tsv").write_text("a\tb\nc\n")
    with pytest.raises(DataError, match=r"part-1\.tsv, line 2 has 1 column"):
        Pairs.of(paths)
    with pytest.raises(DataError, match="No file fits"):
        Pairs.of(str(tmp_path / "no-*.tsv"))
    assert list(Pairs.of({"source": one, "target": two} for one, two in wanted)) == wanted


def test_a_datasets_stream_is_read() -> None:
    import datasets

    rows = [{"source": one, "target": two} for one, two in ROWS]
    table = datasets.Dataset.from_list(rows)
    assert list(Pairs.of(table)) == ROWS
    assert list(Pairs.of(table.to_iterable_dataset())) == ROWS
    assert list(Pairs.of(datasets.IterableDataset.from_generator(lambda: iter(rows)))) == ROWS
