"""Tables that fit several readings, or whose cells are not what they seem: read right, noted, or refused with the place."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import zipfile
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest

from nbtextgen import Pairs
from nbtextgen.core.errors import DataError, MemoryShortError, OptionError
from nbtextgen.data.readers.read import stream_pairs
from nbtextgen.data.readers.texts import pair_columns, read_texts
from tests.data.test_front_door import inline, workbook, zipped

ROWS = [("Go.", "Va !"), ("Run!", "Cours !"), ("I see.", "Je comprends.")]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(data: Any, **options: Any) -> Pairs:
    """The pairs, which a stream must read alike."""
    pairs = Pairs.of(data, **options)
    assert [row[1:] for row in stream_pairs(data, **options)] == list(pairs)
    return pairs


def test_columns_of_one_name_in_arrow_files_are_told_apart_by_number(tmp_path: Path) -> None:
    columns = [pyarrow.array([text] * 3) for text in ("a", "b", "c", "d")]
    table = pyarrow.Table.from_arrays(columns, names=["text", "id", "text", "more"])
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    pyarrow.feather.write_feather(table, tmp_path / "a.feather")
    for data in (tmp_path / "a.parquet", tmp_path / "a.feather", table):
        for source, target in ((1, 3), (3, 1), (3, 2), (4, 3), (1, 4)):
            assert read(data, source=source, target=target)[0] == ("abcd"[source - 1], "abcd"[target - 1])
        with pytest.raises(DataError, match="Two columns are named 'text'"):
            Pairs.of(data, source="text", target="id")
    nested = pyarrow.Table.from_arrays(
        [columns[0], pyarrow.array([{"en": "x", "fr": "y"}] * 3), columns[1]], names=["t", "u", "t"]
    )
    pyarrow.parquet.write_table(nested, tmp_path / "b.parquet")
    assert read(tmp_path / "b.parquet", source="fr", target="en")[0] == ("y", "x")
    assert read(tmp_path / "b.parquet", source=4, target="en")[0] == ("b", "x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"columns": ["a", "a", "b"], "data": [["x", "y", "z"]]}, r"a\.json: two columns are named 'a'"),
        (
            {"columns": ["a", "b"], "data": [["x", "y"], ["p", "q", "r"]]},
            "record 2 has 3 cells, but 2 columns are named",
        ),
        ({"columns": ["a", "b"], "data": [["x", "y"], ["p"]]}, "record 2 has 1 cell, but 2 columns"),
    ],
)
def test_names_and_cells_of_json_must_match(content: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        Pairs.of(write(tmp_path / "a.json", json.dumps(content)))


@pytest.mark.parametrize("is_list", [False, True])
def test_a_name_that_is_repeated_far_below_is_found(is_list: bool, tmp_path: Path) -> None:
    rows = [*['{"a": "x", "b": "z"}'] * 2000, '{"a": "x", "a": "y", "b": "z"}']
    path = write(tmp_path / "a.json", "[{}]".format(",\n".join(rows)) if is_list else "\n".join(rows))
    with pytest.raises(DataError, match=r"a\.json, (line|record) 2,001:? (has )?two columns (are )?named 'a'; rename"):
        Pairs.of(path)


@pytest.mark.parametrize("name", ["franc\u0327ais", " fran\u00e7ais", "fran\u00e7ais\xa0", "\u200bfran\u00e7ais"])
def test_names_that_look_the_same_are_the_same(name: str, tmp_path: Path) -> None:
    frame = pandas.DataFrame([("a", "b", "c")], columns=["id", name, "en"])
    frame.to_csv(tmp_path / "a.csv", index=False)
    for data in (frame, tmp_path / "a.csv", frame.to_dict("records")):
        assert list(Pairs.of(data, source="fran\u00e7ais", target="en")) == [("b", "c")]
    frame.insert(0, "\ufefffran\u00e7ais", "d")
    with pytest.raises(DataError, match="Several columns look like 'fran\u00e7ais'"):
        Pairs.of(frame, source="fran\u00e7ais", target="en")


def test_the_side_that_is_in_another_encoding_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.en", "one\ntwo\n")
    write(tmp_path / "a.fr", "un\nd\u00e9ux\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"a\.fr, line 2 is not UTF-8 text"):
        Pairs.of((tmp_path / "a.en", tmp_path / "a.fr"))


def test_a_query_with_two_columns_of_one_name_is_refused() -> None:
    base = sqlite3.connect(":memory:")
    base.execute("create table texts(text, title)")
    base.execute("insert into texts values('a', 'b')")
    base.row_factory = sqlite3.Row
    query = "select one.text, two.text {name}, one.title t from texts one join texts two"
    with pytest.raises(DataError, match="Two columns are named 'text'; rename one of them, as with AS in SQL"):
        Pairs.of(base.execute(query.format(name="")))
    assert list(Pairs.of(base.execute(query.format(name="answer")), target="answer", source="t")) == [("b", "a")]


@pytest.mark.parametrize("cell", [b"Go.", bytearray(b"Go."), memoryview(b"Go."), np.bytes_(b"Go.")])
def test_bytes_are_not_advised_to_become_their_python_spelling(cell: object) -> None:
    with pytest.raises(DataError, match=r"source is \w+ \(.*\), not text; decode the column, as with \.str\.decode"):
        Pairs.of(pandas.DataFrame({"source": [cell], "target": ["Va !"]}))


def test_sets_are_no_columns() -> None:
    for data in ({"en": {"a", "b"}, "fr": ["c", "d"]}, {"en": ["a", "b"], "fr": frozenset(["c", "d"])}):
        with pytest.raises(DataError, match="set of texts keeps no order; give a list"):
            Pairs.of(data)
    with pytest.raises(DataError, match="set of texts keeps no order; give a list"):
        pair_columns(["a", "b"], {"c", "d"})
    with pytest.raises(DataError, match="A set of texts keeps no order"):
        read_texts({"a", "b"})
    assert list(Pairs.of({("a", "b")})) == [("a", "b")]


@pytest.mark.parametrize("data", [Pairs, dict, str, pandas.DataFrame])
def test_a_class_in_the_place_of_data_is_refused(data: object) -> None:
    with pytest.raises(DataError, match="cannot be read from"):
        Pairs.of(data)
    with pytest.raises(DataError, match="cannot be read from"):
        read_texts(data)


# Excel ------------------------------------------------------------------------------------------------------------

HEADER = [inline("en"), inline("fr")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([inline("c"), '<c r="B3"><f>A1</f></c>'], "row 3 has a formula with no value; .* which compute formulas"),
        (['<c r="A3"><f>A1</f></c>', '<c r="B3"><f>A1</f></c>'], "row 3 has a formula with no value"),
        ([inline("c"), '<c r="B3" t="e"><f>A1</f><v>#N/A</v></c>'], "row 3 has a formula with #N/A; mend it"),
        ([inline("c"), '<c r="B3"><v>x</v></c>'], "cannot be read as Excel .*'x'"),
        ([inline("c"), '<c r="B3" t="s"><v>x</v></c>'], "cannot be read as Excel .*'x'"),
        ([inline("c"), '<c r="B3"/>'], "row 3: target is empty"),  # as in merged cells
    ],
)
def test_cells_of_excel_without_a_value_are_named(row: list[str], message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx", workbook({"a": [HEADER, [inline("a"), inline("b")], row]}))
    with pytest.raises(DataError, match=message):
        Pairs.of(path)


def test_formulas_of_other_columns_and_empty_texts_of_formulas_are_no_matter(tmp_path: Path) -> None:
    empty = '<c r="{}2" t="str"><f>A1</f><v></v></c>'
    rows = [
        [*HEADER, inline("n")],
        [empty.format("A"), empty.format("B")],
        [inline("a"), inline("b"), '<c r="C3"><f>A1</f></c>'],
    ]
    path = write(tmp_path / "a.xlsx", workbook({"a": rows}))
    assert list(read(path, source="en", target="fr")) == [("a", "b")]


def test_what_excel_hides_is_read_and_noted(tmp_path: Path) -> None:
    rows = [HEADER, [inline("a"), inline("b")], [inline("c"), inline("d")], [inline("e"), inline("f")]]
    path = write(tmp_path / "a.xlsx", workbook({"a": rows}))
    assert not any("idden" in note for note in read(path).notes)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    files[sheet] = files[sheet].replace('<row r="3">', '<row r="3" hidden="1">').replace(
        "<sheetData>", '<cols><col min="1" max="1" hidden="true"/></cols><sheetData>'
    )  # fmt: skip
    pairs = read(write(tmp_path / "b.xlsx", zipped(files)))
    assert list(pairs) == [("a", "b"), ("c", "d"), ("e", "f")]
    assert any("1 hidden row of" in note and "is read too" in note for note in pairs.notes)
    assert any("Hidden columns of" in note and "are read too" in note for note in pairs.notes)


# Text -------------------------------------------------------------------------------------------------------------


def test_decimal_commas_are_no_delimiters(tmp_path: Path) -> None:
    numbers = [("1,5", "eins Komma fünf"), ("2,25", "zwei Komma zwei fünf"), ("3,0", "drei")]
    assert list(read(write(tmp_path / "a.csv", "".join(f"{a};{b}\n" for a, b in numbers)))) == numbers
    assert list(read(write(tmp_path / "b.csv", "1,2\n3,4\n5,6\n"))) == [("1", "2"), ("3", "4"), ("5", "6")]


def test_delimiters_that_fit_as_well_are_noted(tmp_path: Path) -> None:
    text = "red,green;rouge\nblue,pink;bleu\nsea,sky;mer\n"
    pairs = read(write(tmp_path / "a.csv", text))
    assert pairs[0] == ("red", "green;rouge")
    assert "at every ',', though ';' would cut it as evenly; if that is right, write sep=;" in pairs.notes[0]
    assert read(write(tmp_path / "b.csv", f"sep=;\n{text}"))[0] == ("red,green", "rouge")
    assert read(write(tmp_path / "c.csv", "a;b\nc;d, e\nf;g\n")).notes == ()


def test_spaces_after_every_delimiter_are_noted_or_left_out(tmp_path: Path) -> None:
    pairs = read(write(tmp_path / "a.csv", "en, fr\nGo, Va\nRun, Cours\nSee, Voir\n"))
    assert pairs[0] == ("Go", " Va") and "a space after every ',', which is read as a part" in pairs.notes[0]
    assert pairs.clean("whitespace").pairs[0] == ("Go", "Va")
    quoted = 'en, fr\nGo, Va\n"Hi, you", "Salut, toi"\n'  # only what needs quotes has them
    assert list(read(write(tmp_path / "b.csv", quoted))) == [("Go", "Va"), ("Hi, you", "Salut, toi")]


@pytest.mark.parametrize(
    ("header", "rows", "note"),
    [
        ("en,en", ROWS, r"line 1 \(en, en\) is read as a pair but looks like a header"),
        ("text,Text", ROWS, r"line 1 \(text, Text\) is read as a pair but looks like a header"),
        ("1,2", ROWS, r"line 1 \(1, 2\) is read as a pair but looks like a header"),
        ("1,2", [("3", "4"), ("5", "6")], None),
        ("Paris,Paris", [("London", "Londres"), ("Rome", "Rome")], None),
    ],
)
def test_first_lines_that_may_name_columns_are_noted(
    header: str, rows: list[tuple[str, str]], note: str | None, tmp_path: Path
) -> None:
    pairs = read(write(tmp_path / "a.csv", header + "\n" + "".join(f"{a},{b}\n" for a, b in rows)))
    assert list(pairs) == [tuple(header.split(",")), *rows]
    assert [re.search(note or "nothing", text) is not None for text in pairs.notes] == [True] * (note is not None)


def test_marks_between_files_that_were_joined_are_no_letters(tmp_path: Path) -> None:
    part = "\ufeffsource,target\n" + "".join(f"{source},{target}\n" for source, target in ROWS)
    assert list(read(write(tmp_path / "joined.csv", part + part))) == ROWS * 2
    assert list(read(write(tmp_path / "twice.tsv", "\ufeff\ufeffa\tb\n"))) == [("a", "b")]
    lines = "\ufeff" + json.dumps({"source": "a", "target": "b"}) + "\n"
    assert list(read(write(tmp_path / "joined.jsonl", lines * 2))) == [("a", "b")] * 2
    write(tmp_path / "joined.en", "\ufeffa\n\ufeffb\n")
    write(tmp_path / "joined.fr", "c\nd\n")
    assert list(read((tmp_path / "joined.en", tmp_path / "joined.fr"))) == [("a", "c"), ("b", "d")]


def test_keys_of_columns_are_no_texts() -> None:
    frame = pandas.DataFrame(ROWS, columns=["en", "fr"], index=["x", "y", "z"])
    with pytest.raises(DataError, match="A column is a dict, whose keys would be read as texts; give a list"):
        Pairs.of(frame.to_dict())


@pytest.mark.parametrize("column", [pyarrow.array, lambda texts: pyarrow.chunked_array([texts]), deque, pandas.Index])
def test_two_columns_of_any_kind_are_read(column: Any) -> None:
    sources, targets = zip(*ROWS, strict=True)
    assert list(read((column(list(sources)), column(list(targets))))) == ROWS


def test_an_array_without_rows_is_refused() -> None:
    with pytest.raises(DataError, match="Pairs cannot be read from ndarray"):
        Pairs.of(np.array("a text"))


def test_numbers_of_any_length_in_json(tmp_path: Path) -> None:
    number = "9" * 5000
    record = '{"source": "a", "target": "b", "id": ' + number + "}"
    for name, content in (("a.jsonl", record), ("b.json", f"[{record}]"), ("c.json", f"[\n{record},\n{record}\n]")):
        assert list(read(write(tmp_path / name, content), source="source", target="target"))[0] == ("a", "b")
    with pytest.raises(DataError, match=r"d\.json, record 1: source is Decimal"):
        read(write(tmp_path / "d.json", f'[{{"source": {number}, "target": "b"}}]'))


@pytest.mark.parametrize("encoding", [5, True, b"utf-8", ["utf-8"]])
def test_an_encoding_is_a_name(encoding: Any, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="encoding must be the name of an encoding, such as cp1252"):
        Pairs.of(write(tmp_path / "a.tsv", "a\tb\n"), encoding=encoding)


def test_links_that_lead_nowhere_are_named(tmp_path: Path) -> None:
    (tmp_path / "gone.tsv").symlink_to("nowhere")
    (tmp_path / "loop.tsv").symlink_to("loop.tsv")
    for name in ("gone.tsv", "loop.tsv"):
        with pytest.raises(
            DataError, match=rf"{name} is a symbolic link that leads nowhere; give the name of the file"
        ):
            Pairs.of(tmp_path / name)


def test_any_damaged_byte_of_an_archive_is_refused_or_no_matter(tmp_path: Path) -> None:
    rows = "".join(f"{source}\t{target}\n" for source, target in ROWS)
    content = zipped({"a.tsv": rows})
    for index in range(len(content)):
        damaged = bytearray(content)
        damaged[index] ^= 0x55
        with suppress(DataError, MemoryShortError):
            assert list(Pairs.of(write(tmp_path / "a.zip", bytes(damaged)))) == ROWS


def test_a_damaged_byte_of_parquet_does_not_end_the_process(tmp_path: Path) -> None:
    table = pyarrow.table(dict(zip(("source", "target"), map(list, zip(*ROWS, strict=True)), strict=True)))
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    script = """if True:
        import pathlib, sys
        from nbtextgen import Pairs
        from nbtextgen.core.errors import NbTextGenError
        path = pathlib.Path(sys.argv[1])
        content = path.read_bytes()
        for index in range(len(content)):
            path.write_bytes(content[:index] + bytes([content[index] ^ 0x55]) + content[index + 1 :])
            try:
                Pairs.of(path)
            except NbTextGenError:
                pass
        print("alive")
    """
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "a.parquet"], capture_output=True, text=True)
    assert done.stdout == "alive\n", done.stderr[-500:]
