"""Random tables are read as they were written, or refused with the place, as a table and as a stream alike."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbtextgen import Pairs
from nbtextgen.core.errors import DataError
from nbtextgen.data.readers.read import stream_pairs

EXAMPLES = int(os.environ.get("NBTEXTGEN_FUZZ_TABLES", "150"))
"""Tables that are tried; set the variable for more."""
PLACE = re.compile(r"(line|row|record) \d|\d columns? \(|columns .*say which|is empty|no pairs|two columns are named")

LETTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff")
WORDS = st.text(LETTERS, min_size=1, max_size=8)
SENTENCES = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)
ODD = st.sampled_from(
    ['5" pipe', '"quoted"', '"', 'he said "hi"', "a, b; c", "'tis", "NA", "null", "007", "a => b", "1|2", "=x"]
)
SPECIAL = st.sampled_from(["a\tb", "two\nlines", "dos\r\nend", 'all "of",\tit\n;'])


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """A table with everything about the file it is written to."""
    form = draw(st.sampled_from(["tsv", "quoted tsv", "csv", "jsonl", "json"]))
    cells = st.one_of(SENTENCES, ODD) if form == "tsv" else st.one_of(SENTENCES, ODD, SPECIAL)
    rows = draw(st.lists(st.tuples(cells, cells), min_size=1, max_size=12))
    rows = [row for row in rows if all(cell.strip() for cell in row)] or [("a", "b")]
    if form == "tsv":  # if all cells are in quotes, or quotes pair up over lines, nobody can tell the convention
        rows = [("it is raining", "il pleut"), *(row for row in rows if '"' not in row)]
    if form == "csv":  # a single row may be cut by its delimiter or by one inside of its cells
        rows = [("it is raining", "il pleut"), *rows]
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    if end == "\r":  # Python's writer does not put a cell with "\n" into quotes then
        rows = [(source.replace("\n", " "), target.replace("\n", " ")) for source, target in rows]
    return {
        "form": form,
        "rows": rows,
        "delimiter": "\t" if "tsv" in form else draw(st.sampled_from(",;|\t")),
        "quoting": draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        "header": draw(
            st.sampled_from([None, ("source", "target"), ("english", "french"), ("target", "source"), ("foo", "bar")])
        ),
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"])),
        "end": end,
        "packed": draw(st.booleans()),
        "ragged": draw(st.sampled_from([0] * 6 + [1, 3])),
        "suffix": draw(st.booleans()),
    }


def is_ragged(table: dict[str, Any]) -> bool:
    """Whether one row has a cell more or less than the others."""
    return bool(table["ragged"]) and len(table["rows"]) > 2 and "json" not in table["form"]


def content(table: dict[str, Any]) -> str:
    header, rows = table["header"], [list(row) for row in table["rows"]]
    if table["form"] in ("jsonl", "json"):
        names = header or ("source", "target")
        records = [dict(zip(names, row, strict=True)) for row in rows]
        if table["form"] == "json":
            return json.dumps(records, ensure_ascii=False, indent=1 if table["packed"] else None)
        return "".join(json.dumps(record, ensure_ascii=False) + table["end"] for record in records)
    if is_ragged(table):
        row = rows[len(rows) // 2]
        row[:] = row[:1] if table["ragged"] == 1 else [*row, "more"]
    rows = [list(header), *rows] if header else rows
    if table["form"] == "tsv":
        return "".join("\t".join(row) + table["end"] for row in rows)
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=table["delimiter"], quoting=table["quoting"], lineterminator=table["end"])
    writer.writerows(rows)
    return file.getvalue()


def outcome(read: Any) -> Any:
    try:
        return list(read())
    except DataError as error:
        return str(error)


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(tables())
def test_a_table_is_read_as_it_was_written_or_refused(
    tmp_path_factory: pytest.TempPathFactory, table: dict[str, Any]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    suffix = {"quoted tsv": "tsv"}.get(table["form"], table["form"])
    path: Path = folder / f"table.{suffix}{'.gz' if table['packed'] and table['suffix'] else ''}"
    for old in folder.iterdir():
        old.unlink()
    raw = content(table).encode(table["encoding"])
    path.write_bytes(gzip.compress(raw) if table["packed"] else raw)
    header = table["header"]
    named = {"source": header[0], "target": header[1]} if header else {}
    expected = table["rows"]
    read = outcome(lambda: Pairs.of(path, **named))
    assert outcome(lambda: (row[1:] for row in stream_pairs(path, **named))) == read
    if is_ragged(table):
        assert isinstance(read, str) and PLACE.search(read) and "\n" not in read, read
    else:
        assert read == expected
    if header in (("source", "target"), ("target", "source")) and not isinstance(read, str):
        by_name = expected if header[0] == "source" else [(target, source) for source, target in expected]
        assert list(Pairs.of(path)) == by_name
