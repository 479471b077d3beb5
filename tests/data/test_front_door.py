"""Data as people hand it over: it is read right, or refused with the way out."""

from __future__ import annotations

import gzip
import io
import json
import random
import sqlite3
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import datasets
import numpy as np
import pandas
import polars
import pyarrow
import pyarrow.dataset
import pyarrow.feather
import pytest

from nbtextgen import Pairs, RawPairs
from nbtextgen.core.errors import DataError, MemoryShortError, OptionError
from nbtextgen.data.corpus import Corpus
from nbtextgen.data.readers import files, memory
from nbtextgen.data.readers.read import stream_pairs
from nbtextgen.data.readers.texts import pair_columns, read_texts, stream_texts

ROWS = [("Go.", "Va !"), ("Run!", "Cours !"), ("I see.", "Je comprends."), ("Hello there.", "Bonjour à tous.")]


def write(path: Path, text: str | bytes, encoding: str = "utf-8") -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def read(data: Any, **options: Any) -> list[tuple[str, str]]:
    """The pairs, which a stream must read alike."""
    pairs = list(Pairs.of(data, **options))
    assert [row[1:] for row in stream_pairs(data, **options)] == pairs
    return pairs


# Columns ----------------------------------------------------------------------------------------------------------


def test_columns_by_number(tmp_path: Path) -> None:
    lines = "".join(f"{source}\t{target}\tCC-BY 2.0 #{number}\n" for number, (source, target) in enumerate(ROWS))
    path = write(tmp_path / "fra.tsv", lines)
    assert (
        read(path, source="1", target="2") == read(path, source=1, target=2) == read(path, source=0, target=1) == ROWS
    )
    assert read(path, source="2", target="1") == [(target, source) for source, target in ROWS]
    with pytest.raises(DataError, match=r"columns 1 \(Go\.\), 2 \(.*\), 3 \(CC-BY 2\.0 #0\); say which by number"):
        Pairs.of(path)
    with pytest.raises(DataError, match=r"no target column 4: the data has 3 columns"):
        Pairs.of(path, source=1, target=4)
    with pytest.raises(OptionError, match=r"target.* must be the name or the number of a column \(got True\)"):
        Pairs.of(path, source=2, target=True)
    frame = pandas.DataFrame(ROWS, columns=["en", "fr"])
    assert read(frame, source=0, target=1) == read(frame, source=1, target=2) == read(frame, source="en") == ROWS
    assert read(pandas.DataFrame(ROWS), source=0, target=1) == ROWS
    assert read([(1, *row) for row in ROWS], source=2, target=3) == ROWS
    assert read({"n": [1, 2, 3, 4], "a": [a for a, _ in ROWS], "b": [b for _, b in ROWS]}, source=2, target=3) == ROWS


NESTED = [{"id": str(number), "translation": {"en": a, "fr": b}} for number, (a, b) in enumerate(ROWS)]


def test_nested_columns(tmp_path: Path) -> None:
    columns = {"id": [row["id"] for row in NESTED], "translation": [row["translation"] for row in NESTED]}
    table = pyarrow.Table.from_pylist(NESTED)
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, NESTED)))
    translations = datasets.Dataset.from_list(
        NESTED,
        features=datasets.Features({"id": datasets.Value("string"), "translation": datasets.Translation(["en", "fr"])}),
    )
    forms = (
        NESTED,
        columns,
        table,
        table.to_batches()[0],
        translations,
        translations.to_iterable_dataset(),
        polars.DataFrame(NESTED),
        pandas.DataFrame(NESTED),
        tmp_path / "a.parquet",
        tmp_path / "a.jsonl",
    )
    for data in forms:
        assert read(data, source="en", target="fr") == ROWS, type(data)
        assert read(data, source="translation.en", target="translation.fr") == ROWS
        with pytest.raises(DataError, match=r"columns id, translation\.en, translation\.fr; say which"):
            Pairs.of(data)
    assert read([{"translation": row["translation"]} for row in NESTED]) == ROWS
    with pytest.raises(DataError, match="not text; give a column of texts, or name one inside of it"):
        Pairs.of(pandas.DataFrame({"a": ["x"], "b": [["y", "z"]]}))


def test_arrays_and_tables() -> None:
    assert read(np.array(ROWS)) == read(np.array(ROWS, dtype=object)) == ROWS
    assert read(np.array([("0", *row) for row in ROWS]), source=2, target=3) == ROWS
    records = np.array(ROWS, dtype=[("en", "U20"), ("fr", "U20")])
    assert read(records, source="fr", target="en") == [(b, a) for a, b in ROWS]
    assert read(pyarrow.table({"en": [a for a, _ in ROWS], "fr": [b for _, b in ROWS]})) == ROWS
    assert all(type(text) is str for pair in Pairs.of(np.array(ROWS)) for text in pair)
    with pytest.raises(DataError, match="columns 1, 2, 3; say which"):
        Pairs.of(np.array([("0", *row) for row in ROWS]))
    with pytest.raises(DataError, match="source is int"):
        Pairs.of(np.array([[1, 2]]))
    with pytest.raises(DataError, match="collect"):
        Pairs.of(polars.DataFrame(ROWS, orient="row").lazy())


def test_a_split_must_be_chosen() -> None:
    split = datasets.Dataset.from_list([{"en": a, "fr": b} for a, b in ROWS])
    splits = datasets.DatasetDict(train=split, test=split)
    for data in (splits, {"train": split, "test": split}, {"train": pandas.DataFrame(ROWS)}):
        with pytest.raises(DataError, match=r"choose a split, as data\['train'\]"):
            Pairs.of(data)
        with pytest.raises(DataError, match="choose a split"):
            read_texts(data)
    assert read(splits["train"]) == ROWS


@pytest.mark.parametrize("names", [("target", "source"), ("tgt", "src"), ("Output", "Input"), ("answers", "questions")])
def test_columns_named_target_and_source_are_taken_by_name(names: tuple[str, str], tmp_path: Path) -> None:
    swapped = [(target, source) for source, target in ROWS]
    frame = pandas.DataFrame(swapped, columns=list(names))
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    frame.to_parquet(tmp_path / "a.parquet")
    records = frame.to_dict("records")
    for data in (frame, tmp_path / "a.csv", tmp_path / "a.tsv", tmp_path / "a.parquet", records, frame.to_dict("list")):
        assert read(data) == ROWS
        assert any("taken by name" in note for note in Pairs.of(data).notes)
    assert read(frame, source=names[0], target=names[1]) == swapped


@pytest.mark.parametrize(
    "names",
    [
        "target_text,source_text",
        "tgt sent,src sent",
        "label,text",
        "summary,document",
        "translation,original",
        "correct,incorrect",
        "labels,inputs",
        "target:fr,source:en",
        "tgt_deu,src_eng",
    ],
)
def test_columns_whose_names_say_source_and_target_are_taken_by_name(names: str) -> None:
    frame = pandas.DataFrame([(target, source) for source, target in ROWS], columns=names.split(","))
    frame["number"] = "1"
    assert read(frame[names.split(",")]) == read(frame) == ROWS


class Numbered:
    """A data set as PyTorch has them: rows by number, and no iterator."""

    def __len__(self) -> int:
        return len(ROWS)

    def __getitem__(self, index: int) -> tuple[str, str]:
        return ROWS[index % len(ROWS)]


class Named(NamedTuple):
    target: str
    id: int
    source: str


@dataclass
class Record:
    fr: str
    en: str


def database(query: str) -> list[Any]:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    connection.execute("create table pairs (id, fr, en)")
    connection.executemany("insert into pairs values (1, ?, ?)", [row[::-1] for row in ROWS])
    return connection.execute(query).fetchall()


def test_rows_with_names_and_parts_of_tables() -> None:
    frame = pandas.DataFrame(ROWS, columns=["en", "fr"])
    batch = pyarrow.record_batch({"en": [a for a, _ in ROWS], "fr": [b for _, b in ROWS]})
    for data in (
        database("select en as source, fr as target, id from pairs"),
        [Named(b, 1, a) for a, b in ROWS],
        list(frame.itertuples()),
        Numbered(),
        [row for _, row in pandas.DataFrame(ROWS).iterrows()],
        pyarrow.array([{"en": a, "fr": b} for a, b in ROWS]),
        [batch[:1], batch[1:]],
        pyarrow.dataset.dataset(pyarrow.Table.from_batches([batch])),
    ):
        assert read(data) == ROWS, type(data)
    for data in (
        database("select * from pairs"),
        [Record(b, a) for a, b in ROWS],
        [row for _, row in frame.iterrows()],
    ):
        assert read(data, source="en", target="fr") == ROWS
        assert read_texts(data, "fr") == [b for _, b in ROWS]
    assert list(Pairs.of(pandas.read_csv(io.StringIO(frame.to_csv(index=False)), chunksize=2))) == ROWS
    assert list(Pairs.of(pyarrow.RecordBatchReader.from_batches(batch.schema, [batch]))) == ROWS
    lazy = datasets.Dataset.from_pandas(frame.assign(id=1)).with_transform(
        lambda rows: {k: rows[k] for k in ("en", "fr")}
    )
    assert read(lazy, source="en", target="fr") == ROWS
    with pytest.raises(DataError, match=r"mapping of texts to texts; give its pairs, as list\(data.items\(\)\)"):
        Pairs.of(dict(ROWS))


def test_names_of_files_in_other_forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    table = write(tmp_path / "my data.tsv", "".join(f"{a}\t{b}\n" for a, b in ROWS))
    sides = [str(write(tmp_path / f"a.{side}", "\n".join(row[side == "fr"] for row in ROWS))) for side in ("en", "fr")]
    for data in (
        "$HOME/my data.tsv",
        "~/my data.tsv",
        table.as_uri(),
        PurePath(table),
        np.array(sides),
        pandas.Series(sides),
    ):
        assert read(data) == ROWS, data
    assert list(Pairs.of(pair_columns(*(Path(side).read_text("utf-8").splitlines(True) for side in sides)))) == ROWS
    with open(sides[0], encoding="utf-8") as file, pytest.raises(DataError, match="open file"):
        pair_columns(file, sides[1])
    with pytest.raises(DataError, match="a b c d is a text, not the name of a file; Pairs.from_text"):
        Pairs.of("a\tb\nc\td")


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "en,en\nx,y\n")
    for data in (tmp_path / "a.csv", pandas.DataFrame(ROWS, columns=["en", "en"])):
        with pytest.raises(DataError, match="wo columns are named 'en'"):
            Pairs.of(data, source="en", target="en")
    with pytest.raises(DataError, match="wo columns are named 'en'"):
        Pairs.of(pandas.DataFrame(ROWS, columns=["en", "en"]))
    assert read(pandas.DataFrame(ROWS, columns=["en", "en"]), source=1, target=2) == ROWS
    with pytest.raises(DataError, match="no source column 'de'"):
        Pairs.of(tmp_path / "a.csv", source="de")


@pytest.mark.parametrize("both", [["lemma", "tags"], [1, 3], "lemma,tags", "1, 3"])
def test_several_columns_for_a_side_are_refused(both: Any, tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "lemma,form,tags\nkala,kalan,GEN\ntalo,talon,GEN\n")
    for data in (tmp_path / "a.csv", pandas.read_csv(tmp_path / "a.csv")):
        with pytest.raises(DataError, match="source column is one column, not .*; join several into one first"):
            Pairs.of(data, source=both, target="form")
    with pytest.raises(DataError, match="There is no source column 'lemma,tag'"):
        Pairs.of(tmp_path / "a.csv", source="lemma,tag", target="form")


# Headers ----------------------------------------------------------------------------------------------------------

WORDS = [("abacus", "AE B AH K AH S"), ("zoo", "Z UW"), ("a b", "EY B IY"), ("tree", "T R IY")]
HEADERS = {
    "word,phones": WORDS,
    "question,answer": [("Who is there?", "It is me."), ("Where?", "Here.")],
    "english,french": ROWS,
    "en,fr": ROWS,
    "src_text,tgt_text": ROWS,
    "Deutsch,English": ROWS,
    "date,iso": [("4 July 1976", "1976-07-04"), ("May 1, 1900", "1900-05-01"), ("1 mars 2001", "2001-03-01")],
    "foo,bar": [(f"this is sentence {n}", f"voici la phrase {n}") for n in range(30)],
    "en_US,fr_FR": ROWS,
    "英语,法语": ROWS,
    "한국어,영어": [("고양이", "cat"), ("집", "house"), ("숲", "wood")],
    "हिन्दी,अंग्रेज़ी": [("कमल", "lotus"), ("घर", "house"), ("पानी", "water")],
    "العربية,الإنجليزية": [("قطة", "cat"), ("بيت", "house"), ("غابة", "wood")],
    "Ελληνικά,Αγγλικά": [("γάτα", "cat"), ("σπίτι", "house"), ("δάσος", "wood")],
    "ไทย,อังกฤษ": [("แมว", "cat"), ("บ้าน", "house"), ("ป่า", "wood")],
    "misspelled,corrected": [("teh", "the"), ("adn", "and"), ("recieve", "receive")],
    "infinitive,participle": [("go", "gone"), ("see", "seen"), ("be", "been")],
    "hi,en": [("कमल", "Hi."), ("घर", "It is."), ("पानी", "No.")],
}


def test_headers_of_frames_without_names_and_with_unseen_characters(tmp_path: Path) -> None:
    frame = pandas.DataFrame(ROWS)
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert read(tmp_path / "a.csv") == read(tmp_path / "a.csv", source=0, target=1) == ROWS
    frame.to_csv(tmp_path / "a.csv")
    assert read(tmp_path / "a.csv") == ROWS
    assert read(write(tmp_path / "b.csv", "\ufeff\u200bsource,target\na,b\n")) == [("a", "b")]
    letters = [("a", "b"), *(("c" * n, "d" * n) for n in range(1, 40))]
    assert read(write(tmp_path / "c.tsv", "".join(f"{a}\t{b}\n" for a, b in letters))) == letters
    assert read(([a for a, _ in ROWS], [b for _, b in ROWS])) == ROWS


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("header", HEADERS)
def test_a_header_is_known_and_said(header: str, delimiter: str, tmp_path: Path) -> None:
    rows = HEADERS[header]
    frame = pandas.DataFrame(rows, columns=header.split(","))
    path = tmp_path / ("a.tsv" if delimiter == "\t" else "a.csv")
    frame.to_csv(path, sep=delimiter, index=False)
    assert read(path) == rows
    assert Pairs.of(path).notes == (f"{path.name}, line 1 ({header.replace(',', ', ')}) is read as a header.",)
    assert path.name in repr(Pairs.of(path).report(tokens="char"))


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        WORDS,
        [("one", "un"), ("two", "deux"), ("three", "trois"), ("four", "quatre")],
        [("English", "anglais"), ("French", "français"), ("German", "allemand")],
        [("en", "English"), ("fr", "French"), ("de", "German"), ("it", "Italian")],
        [("walk", "walked"), ("go", "went"), ("be", "was"), ("see", "saw")],
        [("hello", "bonjour"), ("how are you", "comment ça va"), ("yes", "oui")],
        [("word", "mot"), ("question", "question"), ("answer", "réponse"), ("token", "jeton")],
    ],
)
def test_a_first_pair_is_no_header(rows: list[tuple[str, str]], tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "".join(f"{source}\t{target}\n" for source, target in rows))
    assert read(path) == rows
    assert Pairs.of(path).notes == ()


def test_rows_in_memory_that_begin_with_a_header_are_said(tmp_path: Path) -> None:
    rows = [("english", "french"), *ROWS]
    lines = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    sides = [write(tmp_path / f"a.{side}", "\n".join(row[side == "fr"] for row in rows)) for side in ("en", "fr")]
    for data in (
        rows,
        list(map(list, rows)),
        np.array(rows),
        pandas.DataFrame(rows),
        tuple(zip(*rows, strict=True)),
        lines,
        sides,
    ):
        assert read(data) == rows
        assert any("looks like a header; if it is one, leave it out" in note for note in Pairs.of(data).notes)
    text = Pairs.from_text("\n".join(f"{b}\t{a}" for a, b in [("source", "target"), *ROWS]))
    assert list(text) == ROWS and "line 1 (target, source) is read as a header." in text.notes
    often = write(tmp_path / "b.tsv", "привет мир\thello\nпока друг\tbye\n" * 30)
    assert len(read(often)) == 60 and not Pairs.of(often).notes


def test_a_first_line_that_may_be_a_header_is_a_note(tmp_path: Path) -> None:
    rows = [(f"this is sentence {n}", f"voici la phrase {n}") for n in range(6)]
    path = write(tmp_path / "a.tsv", "foo\tbar\n" + "".join(f"{source}\t{target}\n" for source, target in rows))
    assert len(read(path)) == 7
    assert "looks like a header" in Pairs.of(path).notes[0]
    assert read(path, source="foo", target="bar") == rows
    write(path, "x\ty\n" + "".join(f"{source}\t{target}\n" for source, target in rows[:3]))
    assert "looks like a header" in Pairs.of(path).notes[0]


REGULAR = [
    (word, f"{word}ed") for word in ("walk", "jump", "end", "melt", "plant", "want", "act", "print", "rain", "rest")
]
IRREGULAR = [("run", "ran"), ("eat", "ate"), ("sit", "sat"), ("tear", "tore"), ("wear", "wore"), ("get", "got")]
PHONES = [("chat", "ʃ a"), ("tout", "t u"), ("sens", "s ɑ̃ s"), ("non", "n ɔ̃"), ("pain", "p ɛ̃"), ("dune", "d y n")] * 5


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("present\tpast", 2 * REGULAR + IRREGULAR),
        ("spelling\tsound", [(word * 2 if n > 5 else word, phones) for n, (word, phones) in enumerate(PHONES)]),
        ("单词\t发音", [("一" * n + "天", "yi tian") for n in range(1, 30)]),
        ("शब्द\tउच्चारण", [(f"कमल{n}", f"k a m {n}") for n in range(30)]),
        ("text_en\ttext_de", ROWS * 5),
        ("Wort\tAussprache", PHONES),
    ],
)
def test_a_header_whose_letters_are_those_of_the_data_is_known(
    header: str, rows: list[tuple[str, str]], tmp_path: Path
) -> None:
    path = write(tmp_path / "a.tsv", header + "\n" + "".join(f"{source}\t{target}\n" for source, target in rows))
    assert read(path) == rows
    assert "is read as a header" in Pairs.of(path).notes[0]


def test_a_header_in_the_middle_is_left_out_and_said(tmp_path: Path) -> None:
    lines = "en\tfr\n" + "".join(f"{source}\t{target}\n" for source, target in ROWS)
    path = write(tmp_path / "a.tsv", lines + lines)
    assert read(path) == [*ROWS, *ROWS]
    assert "a.tsv, line 6 repeats the header and is left out." in Pairs.of(path).notes


# Quotes and delimiters --------------------------------------------------------------------------------------------

QUOTES = [('He said "hi"', "x"), ("a tab\there", "y"), ("two\nlines", 'a "b"\tc'), ("plain", "text")]


def test_tabs_with_quotes_as_pandas_writes_them(tmp_path: Path) -> None:
    for rows in (QUOTES, QUOTES[:1] + QUOTES[3:], QUOTES[1:2], QUOTES[2:]):
        for header in (True, False):
            frame = pandas.DataFrame(rows, columns=["source", "target"])
            frame.to_csv(tmp_path / "q.tsv", sep="\t", index=False, header=header)
            assert read(tmp_path / "q.tsv") == rows
    frame = pandas.DataFrame(ROWS, columns=["source", "target"])
    frame.to_csv(tmp_path / "all.tsv", sep="\t", index=False, quoting=1)
    assert read(tmp_path / "all.tsv") == ROWS


RAW = [('5" pipe', "tuyau"), ('"Yes," she said.', '"Oui", dit-elle.'), ('"Hello."', '"Bonjour."'), ('"open', "ouvert")]


def test_tabs_with_plain_quotes(tmp_path: Path) -> None:
    for rows in (RAW, RAW[:1], RAW[2:3] + RAW[:1], [*RAW[3:], *RAW[3:], ('x"', "y")], [*ROWS, RAW[2]]):
        path = write(tmp_path / "raw.tsv", "".join(f"{source}\t{target}\n" for source, target in rows))
        assert read(path) == rows
        assert Pairs.of(path).notes == ()


def test_backslashes_before_quotes_are_said(tmp_path: Path) -> None:
    for name, delimiter in (("a.tsv", "\t"), ("a.csv", ",")):
        path = write(tmp_path / name, f'he said \\"hi\\"{delimiter}x\nb{delimiter}y\n')
        assert read(path) == [('he said \\"hi\\"', "x"), ("b", "y")]
        assert "has quotes after backslashes" in Pairs.of(path).notes[0]


def test_a_header_in_a_comment_is_a_header(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "# word\tphones\n" + "".join(f"{source}\t{target}\n" for source, target in WORDS))
    assert read(path) == read(path, source="word", target="phones") == WORDS


def test_a_mixture_of_quotes_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "m.tsv", '"He said ""hi"""\tx\n5" pipe\ty\n')
    assert read(path) == [('He said "hi"', "x"), ('5" pipe', "y")]
    assert "mixes two conventions" in Pairs.of(path).notes[0]


def test_a_line_with_sep_and_other_delimiters(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.csv", "sep=;\na;b\nc, d;e\n")) == [("a", "b"), ("c, d", "e")]
    assert read(write(tmp_path / "b.csv", "sep=|\na|b\n")) == [("a", "b")]
    assert read(write(tmp_path / "c.csv", "1,5;2,5\n3,5;4,5\n")) == [("1,5", "2,5"), ("3,5", "4,5")]
    assert read(write(tmp_path / "d.csv", "Hello, you;Salut, toi\nYes, so;Oui, si\n"))[0] == (
        "Hello, you",
        "Salut, toi",
    )
    assert read(write(tmp_path / "e.csv", 'a\tb\n"c\td\n')) == [("a", "b"), ('"c', "d")]
    assert read(write(tmp_path / "f.tsv", "a,b\nc,d\n")) == [("a", "b"), ("c", "d")]
    assert read(write(tmp_path / "cmu", "a\tb\n")) == [("a", "b")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("r.tsv", '"en"\t"fr"\n"1"\t"a"\t"b"\n"2"\t"c"\t"d"\n'),  # R's write.table
        ("a.csv", "en,fr,\na,b,\nc,d,\n"),
        ("a.tsv", "a\tb\t\t\nc\td\t\t\n"),
        ("dos.tsv", "a\tb\r\nc\td\r\n\x1a"),
        ("s.csv", '"sep=;"\na;b\nc;d\n'),
        ("md.txt", "| en | fr |\n|:---|----|\n| a  | b  |\n| c  | d  |\n"),
        ("md.csv", "|a|b|\n|c|d|\n"),
    ],
)
def test_tables_as_other_programs_write_them(name: str, text: str, tmp_path: Path) -> None:
    assert read(write(tmp_path / name, text)) == [("a", "b"), ("c", "d")]


def test_a_quote_that_swallows_rows_is_named(tmp_path: Path) -> None:
    rows = "".join(f"word {n},Wort {n}\n" for n in range(5000))
    for text, line in ((f'a,b\nc,d\ne,"f\n{rows}g,5"\n', 3), (f'a,b\n"c,d\n{rows}e",f\n', 2)):
        for data in (text, text.replace(",", ";")):
            with pytest.raises(
                DataError, match=rf"a\.csv, line {line}: a quote is opened and closed only 5,001 lines later"
            ):
                read(write(tmp_path / "a.csv", data))
    poem = "Roses are red, violets are blue,\nSugar is sweet,\nAnd so, my dear, are you.\nThe end, my friend\nof it"
    frame = pandas.DataFrame([("a", poem), ("b", "c")])
    frame.to_csv(tmp_path / "b.csv", index=False, header=False)
    assert read(tmp_path / "b.csv") == [("a", poem), ("b", "c")]


def zipped(files: dict[str, str | bytes]) -> bytes:
    """A zip archive of some files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def workbook(sheets: dict[str, list[list[str]]], texts: str = "", styles: str = "") -> bytes:
    """An Excel file; a cell is the XML of a cell."""
    names = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in enumerate(sheets, 1))
    files = {
        "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{RELATIONS}"><sheets>{names}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": "<Relationships>"
        + "".join(f'<Relationship Id="r{n}" Target="worksheets/sheet{n}.xml"/>' for n in range(1, len(sheets) + 1))
        + "</Relationships>",
        "xl/sharedStrings.xml": f'<sst xmlns="{SHEET}">{texts}</sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{SHEET}"><cellXfs>{styles}</cellXfs></styleSheet>',
    }
    for number, rows in enumerate(sheets.values(), 1):
        body = "".join(f'<row r="{n}">{"".join(cells)}</row>' for n, cells in enumerate(rows, 1))
        files[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{SHEET}"><sheetData>{body}</sheetData></worksheet>'
        )
    return zipped(files)


def shared(number: int, place: str) -> str:
    return f'<c r="{place}" t="s"><v>{number}</v></c>'


def inline(text: str) -> str:
    return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


TEXTS = (
    "<si><t>word</t></si><si><t>mot</t></si>"
    "<si><r><t>old</t></r><r><rPr><b/></rPr><t> house</t></r><rPh sb='0' eb='1'><t>x</t></rPh></si>"
    "<si><t>tab_x0009_here</t></si>"
)


def test_an_excel_file_is_read(tmp_path: Path) -> None:
    rows = [
        [shared(0, "A1"), shared(1, "B1")],
        [shared(2, "A2"), shared(3, "B2"), '<c r="C2" s="0"/>'],
        [],
        ['<c r="A4"><v>1976</v></c>', '<c r="B4" s="0"><v>0.1</v></c>'],
        ['<c r="A5" t="str"><f>A1</f><v>sum</v></c>', '<c r="B5" t="b"><v>1</v></c>'],
    ]
    styles = '<xf numFmtId="0"/><xf numFmtId="14"/>'
    read_rows = [("word", "mot"), ("old house", "tab\there"), ("1976", "0.1"), ("sum", "TRUE")]
    path = write(tmp_path / "a.xlsx", workbook({"Tabelle1": rows, "Tabelle2": []}, TEXTS, styles))
    assert read(path) == read_rows
    assert read(write(tmp_path / "a.tsv", path.read_bytes())) == read_rows  # by its content
    named = workbook(
        {"a": [[inline("english"), inline("french"), inline("n")], *[list(map(inline, (*row, "1"))) for row in ROWS]]}
    )
    path = write(tmp_path / "b.xlsx", named)
    assert read(path, source="english", target="french") == read(path, source=1, target=2) == ROWS
    with pytest.raises(DataError, match="b.xlsx, row 1 has columns english, french, n; say which"):
        Pairs.of(path)
    assert list(stream_texts(path, "french")) == [target for _, target in ROWS]
    dated = workbook({"a": [[inline("a"), inline("b")], [inline("c"), '<c s="1"><v>28340</v></c>']]}, "", styles)
    with pytest.raises(DataError, match="c.xlsx, row 2 has a date or a formatted number; format its column as text"):
        Pairs.of(write(tmp_path / "c.xlsx", dated))
    for content, message in (
        (
            workbook({"one": rows[:2], "two": rows[:2]}, TEXTS),
            "has several sheets .one, two.; save the one with the pairs",
        ),
        (workbook({"one": []}), "is empty"),
        (workbook({"one": [[shared(9, "A1"), shared(1, "B1")]]}, TEXTS), "cannot be read as Excel"),
        (zipped({"xl/workbook.xml": "<"}), "cannot be read as Excel"),
    ):
        with pytest.raises(DataError, match=message):
            Pairs.of(write(tmp_path / "d.xlsx", content))


def test_a_zip_archive_of_one_file_is_read(tmp_path: Path) -> None:
    table = "".join(f"{a}\t{b}\n" for a, b in ROWS)
    lines = "".join(json.dumps({"source": a, "target": b}) + "\n" for a, b in ROWS)
    commas = "".join(f'"{a}";"{b}"\n' for a, b in ROWS)
    for name, content in (("a.tsv", table), ("data/a.jsonl", lines), ("a.csv", commas), ("a.txt", table), ("a", lines)):
        files = {
            "data/": "",
            name: content,
            "__MACOSX/._a.tsv": "x",
            ".DS_Store": "x",
            "_about.txt": "x",
            "README": "x",
        }
        assert read(write(tmp_path / "a.zip", zipped(files))) == ROWS
        assert read(write(tmp_path / "a.tsv", zipped(files))) == ROWS
    assert list(stream_texts(write(tmp_path / "b.zip", zipped({"b.txt": "one\n\ntwo\n"})))) == ["one", "", "two"]
    damaged = bytearray(zipped({"a.tsv": table * 20}))
    damaged[60] ^= 255
    with pytest.raises(DataError, match="line 1: the zip data is damaged from here on"):
        read(write(tmp_path / "c.zip", bytes(damaged)))
    with pytest.raises(DataError, match="in the format Parquet, packed with zip; unpack it first"):
        pandas.DataFrame(ROWS, columns=["a", "b"]).to_parquet(tmp_path / "d.parquet")
        read(write(tmp_path / "d.zip", zipped({"d.parquet": (tmp_path / "d.parquet").read_bytes()})))


def test_arrow_files_and_streams_are_read(tmp_path: Path) -> None:
    table = pyarrow.table({"en": [a for a, _ in ROWS], "fr": [b for _, b in ROWS], "n": [1, 2, 3, 4]})
    pyarrow.feather.write_feather(table, tmp_path / "a.feather")
    pyarrow.feather.write_feather(table, tmp_path / "b.data", compression="zstd", chunksize=2)
    with pyarrow.OSFile(str(tmp_path / "c.arrow"), "wb") as file, pyarrow.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, 3)
    for name in ("a.feather", "b.data", "c.arrow"):
        assert read(tmp_path / name, source="en", target="fr") == ROWS
        assert list(stream_texts(tmp_path / name, "fr")) == [b for _, b in ROWS]
        with pytest.raises(DataError, match="columns en, fr, n; say which"):
            Pairs.of(tmp_path / name)
    nested = pyarrow.Table.from_pylist(NESTED)
    pyarrow.feather.write_feather(nested, tmp_path / "d.feather")
    assert read(tmp_path / "d.feather", source="en", target="fr") == ROWS
    content = (tmp_path / "a.feather").read_bytes()
    for part in (content[:200], content[:-30]):
        with pytest.raises(DataError, match="cannot be read as Arrow"):
            read(write(tmp_path / "e.feather", part), source="en", target="fr")
    with pytest.raises(DataError, match="is a table in a binary format, not lines of text"):
        Corpus.of(tmp_path / "a.feather")


# Files known by their content ---------------------------------------------------------------------------------------


def test_files_are_known_by_their_content(tmp_path: Path) -> None:
    lines = "".join(json.dumps({"source": a, "target": b}) + "\n" for a, b in ROWS)
    for name in ("a.csv", "a.tsv", "a.txt", "a.data", "a.jsonl.gz"):
        assert read(write(tmp_path / name, lines)) == ROWS
    whole = json.dumps([{"source": a, "target": b} for a, b in ROWS], indent=2)
    assert read(write(tmp_path / "b.csv", whole)) == ROWS
    frame = pandas.DataFrame(ROWS, columns=["source", "target"])
    for orient in ("columns", "records", "split", "index", "table", "values"):
        frame.to_json(tmp_path / f"{orient}.json", orient=orient)
        assert read(tmp_path / f"{orient}.json") == ROWS, orient
    nested = "".join(json.dumps({"translation": {"en": a, "fr": b}}) + "\n" for a, b in ROWS)
    for text in (lines, nested):
        assert read(write(tmp_path / "lines.json", text)) == ROWS
    assert read(write(tmp_path / "c.json", json.dumps({"version": 2, "data": json.loads(whole)}, indent=1))) == ROWS
    frame.to_parquet(tmp_path / "d.tsv")
    assert read(tmp_path / "d.tsv") == ROWS
    assert read(write(tmp_path / "e.tsv", gzip.compress(b"a\tb\n"))) == [("a", "b")]


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    for content, message in (
        (zipped({"a.tsv": "a\tb\n", "b.tsv": "c\td\n"}), r"is a zip archive of a\.tsv, b\.tsv; unpack it"),
        (zipped({"word/document.xml": ""}), r"is a Word document; copy its text"),
        (zipped({"META-INF/manifest.xml": "", "content.xml": ""}), r"is an OpenDocument file; save it as"),
        (zipped({"a.npy": ""}), r"is an archive of NumPy arrays; load it"),
        (zipped({"a.tsv": "a\tb\n"})[:60], r"is a damaged zip archive"),
        (zipped({"a.zip": zipped({"a.tsv": "a\tb\n"})}), r"is packed twice"),
        (zipped({"a.pdf": b"%PDF-1.7"}), r"is a PDF document"),
        (gzip.compress(b"%PDF-1.7"), r"is a PDF document"),
        (b"FEA1....", r"is a Feather file of the first version"),
        (b"%PDF-1.7 ...", "is a PDF document"),
        (b"BZh91AY&SY", "is a bzip2 archive; unpack it"),
        (b"SQLite format 3\0...", "is an SQLite database; read it with pandas"),
    ):
        with pytest.raises(DataError, match=message):
            read(write(tmp_path / "a.tsv", content))


ENCODED = {
    "cp1252": [("café", "naïve"), ("déjà vu", "x")],
    "cp1251": [("дом", "house"), ("вода", "water")],
    "euc_kr": [("안녕하세요 좋은 아침", "hello"), ("물", "water")],
    "utf-16-le": ROWS,
    "utf-16-be": [("дом\u0445орошо", "вода"), ("мир", "лес")],
    "shift_jis": [("日本語の文", "x"), ("東京", "y")],
}


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("suffix", ["tsv", "csv", "jsonl"])
def test_another_encoding_is_named_and_can_be_given(encoding: str, suffix: str, tmp_path: Path) -> None:
    rows = ENCODED[encoding]
    if suffix == "jsonl":
        text = "".join(json.dumps({"a": a, "b": b}, ensure_ascii=False) + "\n" for a, b in rows)
    else:
        text = "".join(("\t" if suffix == "tsv" else ",").join(row) + "\n" for row in rows)
    path = write(tmp_path / f"a.{suffix}", text, encoding)
    with pytest.raises(DataError, match=rf"line 1 is not UTF-8 text; .*encoding='{encoding}'"):
        read(path)
    assert read(path, encoding=encoding) == rows
    if encoding.startswith("cp"):
        with pytest.raises(DataError, match=r"line \d is not ascii text; give another encoding"):
            read(path, encoding="ascii")
    with pytest.raises(OptionError, match=r"There is no encoding of text 'cp125'.*Did you mean"):
        Pairs.of(path, encoding="cp125")


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1255", "תודה רבה"),
        ("cp1255", "ספר"),
        ("tis_620", "สวัสดี"),
        ("tis_620", "ขอบคุณครับ"),
        ("cp1253", "σπίτι"),
        ("cp1250", "příliš žluťoučký"),
        ("cp1254", "ışık"),
        ("cp1256", "مرحبا"),
        ("koi8_r", "привет мир"),
        ("cp866", "Москва"),
        ("cp850", "été"),
        ("mac_roman", "été"),
        ("gb18030", "他去学校了。"),
        ("big5", "我是學生"),
        ("euc_kr", "집"),
    ],
)
def test_short_texts_are_advised_their_encoding(encoding: str, text: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", f"{text}\tx\n", encoding)
    with pytest.raises(DataError, match=rf"not UTF-8 text; give .*encoding='{encoding}'"):
        read(path)
    assert read(path, encoding=encoding) == [(text, "x")]


def test_an_encoding_that_cannot_be_told_or_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="give its encoding, such as cp1252"):
        read(write(tmp_path / "a.tsv", b"\x98\xaa\x1f\xfe\tb\n"))
    path = write(tmp_path / "b.tsv", "été\tsummer\nforêt\tforest\nnaïve\tx\n")
    with pytest.raises(DataError, match=r"b\.tsv is UTF-8 text; leave out encoding='cp1252'"):
        read(path, encoding="cp1252")
    assert read(path, encoding="") == read(path)
    with pytest.raises(OptionError, match="no encoding of text 'nonsense'"):
        Pairs.of(ROWS, encoding="nonsense")


CMUDICT = """;;; # CMUdict  --  Major Version: 0.07
!EXCLAMATION-POINT  EH2 K S K L AH0 M EY1 SH AH0 N P OY2 N T
ABACUS  AE1 B AH0 K AH0 S
A  AH0
A(1)  EY1
D'ARTAGNAN  D AH0 R T AE1 NG Y AH0 N # foreign french
"""


@pytest.mark.parametrize("name", ["cmu.dict", "cmudict-0.7b", "cmu.txt", "cmu.tsv"])
def test_the_format_of_cmudict(name: str, tmp_path: Path) -> None:
    rows = [
        ("!EXCLAMATION-POINT", "EH2 K S K L AH0 M EY1 SH AH0 N P OY2 N T"),
        ("ABACUS", "AE1 B AH0 K AH0 S"),
        ("A", "AH0"),
        ("A", "EY1"),
        ("D'ARTAGNAN", "D AH0 R T AE1 NG Y AH0 N"),
    ]
    for text in (CMUDICT, CMUDICT.replace("  ", " ")):
        path = write(tmp_path / name, text)
        assert read(path) == rows
        assert read(path, source="phones", target="word") == [(b, a) for a, b in rows]
        assert "CMUdict" in Pairs.of(path).notes[0]
    tabbed = "".join(line.replace("  ", "\t", 1) + "\n" for line in CMUDICT.splitlines()[1:])
    assert read(write(tmp_path / name, tabbed)) == rows


def test_words_that_pandas_reads_as_missing_are_explained(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "en,fr\nnull,nul\nNA,x\n")
    assert read(tmp_path / "a.csv") == [("null", "nul"), ("NA", "x")]
    with pytest.raises(DataError, match=r"row 1: source is missing .*keep_default_na=False"):
        Pairs.of(pandas.read_csv(tmp_path / "a.csv"))


def test_other_tables_and_what_they_are(tmp_path: Path) -> None:
    for name, text in (
        ("a.csv", '"a", "b, x"\n"c", "d"\n'),
        ("a.txt", "a ||| b, x\nc ||| d\n"),
        ("a.json", '[["a", "b, x"], ["c", "d"]]'),
        ("a.jsonl", '["a", "b, x"]\n["c", "d"]\n'),
        ("a.csv", ',source,target\n0,a,"b, x"\n1,c,d\n'),
    ):
        assert read(write(tmp_path / name, text)) == [("a", "b, x"), ("c", "d")], text
    assert read([tuple(str(write(tmp_path / f"t.{side}", f"{side}\n")) for side in ("en", "fr"))]) == [("en", "fr")]
    assert read(pair_columns(str(tmp_path / "t.en"), ["x"])) == [("en", "x")]
    for data, message in (
        (write(tmp_path / "m.json", '{"hello": "bonjour", "bye": "salut"}'), "holds one JSON object of texts"),
        (write(tmp_path / "e.json", '[{"a": "x", "b": "y"}] more'), "there is more after the list"),
        (write(tmp_path / "h.csv", "<!DOCTYPE html>\n<html>"), "is an HTML page"),
        (write(tmp_path / "i.tsv", "\ufeff\n<!-- a\nb -->\n <HTML>"), "is an HTML page"),
        (write(tmp_path / "d.jsonl", '{"a": "b", "a": "c", "d": "e"}\n'), "line 1: two columns are named 'a'"),
        (
            write(tmp_path / "s.json", '{"train": [{"a": "b", "c": "d"}], "test": [{"a": "b"}]}'),
            "several lists .train, test",
        ),
        (write(tmp_path / "d.json", '[\n{"a": "b",\n"a": "c", "d": "e"}]'), "record 1: two columns are named 'a'"),
        (write(tmp_path / "o.json", '{\n"a": ["b"], "c": ["d"],\n"a": ["e"]}'), "two columns are named 'a'"),
        (write(tmp_path / "j.tsv", "家\thouse\n", "iso2022_jp"), "give encoding='iso2022_jp'"),
        (write(tmp_path / "k.tsv", "집\thouse\n", "iso2022_kr"), "give encoding='iso2022_kr'"),
        (write(tmp_path / "hz.tsv", "树木\ttree\n", "hz"), "give encoding='hz'"),
        (write(tmp_path / "u7.tsv", "für\tfor\nschön\tnice\n", "utf-7"), "give encoding='utf-7'"),
        (write(tmp_path / "u8.tsv", "привет\thello\n", "utf-7"), "give encoding='utf-7'"),
        (write(tmp_path / "b.tsv", bytes(range(32)) * 9), "is not text: it is full of control characters"),
        (write(tmp_path / "z.zip", zipped({})), "is an empty zip archive"),
        (write(tmp_path / "l.tsv", "version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"),
        (write(tmp_path / "t.gz", gzip.compress(gzip.compress(b"a"))), "is packed twice"),
        ("https://example.org/a.tsv", "is an address; download"),
        ("", "name of the file is empty"),
        (io.StringIO("a\tb\n"), "open file"),
    ):
        with pytest.raises(DataError, match=message):
            Pairs.of(data)


def test_formulas_and_code_are_not_taken_for_an_encoding(tmp_path: Path) -> None:
    rows = [
        ("1+2=3", "three"),
        ("x+abc-y", "~{ab~}"),
        ("C++ is", "a+bbb-c"),
        ("+441234567", "key+QUJD"),
        ("~{!!~}", "z"),
    ]
    for row in rows:
        assert read(write(tmp_path / "a.tsv", "\t".join(row) + "\nplain\ttext\n"))[0] == row
    for encoding in ("utf-7", "hz"):
        assert read(write(tmp_path / "b.tsv", "家庭\thouse\n", encoding), encoding=encoding) == [("家庭", "house")]


# Parallel files ----------------------------------------------------------------------------------------------------


def test_two_files_of_lines_are_parallel(tmp_path: Path) -> None:
    for names in (("train.en", "train.fr"), ("src.txt", "tgt.txt")):
        paths = [
            str(write(tmp_path / name, "".join(row[side] + "\n" for row in ROWS))) for side, name in enumerate(names)
        ]
        for data in (tuple(paths), paths, tuple(map(Path, paths)), pair_columns(*paths)):
            assert read(data) == ROWS
    write(tmp_path / "tgt.txt", "one\ntwo\n")
    with pytest.raises(DataError, match=r"src\.txt has 4 lines but .*tgt\.txt has 2"):
        Pairs.of(paths)
    for data in (pair_columns("train.en", "train.fr"), (str(tmp_path / "src.txt"), "nowhere.fr")):
        with pytest.raises(DataError, match=r"There is no file .*(train\.en|nowhere\.fr)"):
            Pairs.of(data)
    tables = [write(tmp_path / f"{name}.txt", f"{name}\tx\n") for name in "ab"]
    assert read(tables) == read(tuple(tables)) == [("a", "x"), ("b", "x")]


# One column --------------------------------------------------------------------------------------------------------


def test_names_of_files_are_no_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.en", "a\nb\nc\n")
    write(tmp_path / "a.fr", "d\ne\nf\n")
    rows = [("a", "d"), ("b", "e"), ("c", "f")]
    assert (
        read({"source": "a.en", "target": "a.fr"})
        == read({"fr": "a.fr", "en": "a.en"}, source="en", target="fr")
        == rows
    )
    for data in (("train.en", "train.fr"), ["x.en", "y.en", "z.en"], {"a": "b.en", "c": "d.en"}):
        with pytest.raises(DataError, match=r"There is no file|not a list of texts"):
            Pairs.of(data)
    assert "two columns of 3 texts" in Pairs.of(tuple(zip(*rows, strict=True))).notes[0]


def test_one_column_of_texts() -> None:
    texts = ["a man", "a dog"]
    frame = pandas.DataFrame({"en": texts, "fr": ["x", "y"]})
    for data in (
        texts,
        tuple(texts),
        iter(texts),
        frame["en"],
        frame[["en"]],
        frame["en"].to_numpy(),
        frame[["en"]].to_numpy(),
        np.array(texts),
        polars.Series(texts),
        pyarrow.array(texts),
        pyarrow.table({"en": texts}),
        datasets.Dataset.from_dict({"en": texts}),
        datasets.Dataset.from_dict({"en": texts}).to_iterable_dataset(),
        [frame[["en"]][:1], frame[["en"]][1:]],
        {"en": texts},
        [{"en": text} for text in texts],
        [[text] for text in texts],
        Pairs.of(frame),
    ):
        assert list(map(str, read_texts(data))) == texts, type(data)
    assert read_texts("abc") == ["abc"]
    assert read_texts(frame, "fr") == read_texts(frame, 2) == read_texts(frame.to_dict("records"), "fr") == ["x", "y"]
    assert read_texts(["a", None, float("nan"), pandas.NA]) == ["a", "", "", ""]
    for data in (frame, frame.to_numpy(), frame.to_dict("records"), frame.to_dict("list"), [("a", "b"), ("c", "d")]):
        with pytest.raises(DataError, match=r"The data has columns .*choose a column with source=NAME"):
            read_texts(data)
    for data in (None, 3, b"ab", np.array("x"), object(), {"a": 1}):
        with pytest.raises(DataError, match="give a"):
            read_texts(data)
    assert Pairs.of(pair_columns(frame[["en"]], frame["fr"])).targets == ["x", "y"]
    with pytest.raises(DataError, match="There are 2 sources but 1 target;"):
        pair_columns(texts, ["x"])


def test_two_columns_of_tables_and_files(tmp_path: Path) -> None:
    frame = pandas.DataFrame(ROWS, columns=["en", "fr"])
    frame["n"] = 1
    frame.to_csv(tmp_path / "a.tsv", sep="\t", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    lines = write(tmp_path / "a.fr", "".join(f"{target}\n" for _, target in ROWS).encode("cp1252"))
    for data in (frame, tmp_path / "a.tsv", str(tmp_path / "a.parquet")):
        for targets, column in ((frame["fr"], None), (frame, "fr"), (tmp_path / "a.parquet", 2), (lines, None)):
            assert list(Pairs.of(pair_columns(data, targets, "en", column, "cp1252"))) == ROWS
        with pytest.raises(DataError, match="columns en, fr, n; choose a column with source=NAME"):
            pair_columns(data, frame["fr"])
    two = [write(tmp_path / f"{n}.tsv", "a\tb\nc\td\n") for n in (1, 2)]
    with pytest.raises(DataError, match="choose a column"):  # not four pairs
        pair_columns(*two)


def test_files_of_sources(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.txt", f"{name} é\n\n", "cp1252")
    files = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for data in (files, list(map(str, files)), str(tmp_path / "*.txt")):
        assert list(stream_texts(data, encoding="cp1252")) == ["a é", "", "b é", ""]
    assert read_texts(files[0], encoding="cp1252") == ["a é", ""]
    with pytest.raises(DataError, match=r"a.txt, line 1 is not UTF-8 text; give encoding='cp1252'"):
        list(stream_texts(files[0]))
    assert read_texts(["a.txt", "b"]) == ["a.txt", "b"]
    table = write(tmp_path / "t.txt", "Go.\tVa !\nRun!\tCours !\n")
    assert list(stream_texts(table)) == ["Go.", "Run!"] and list(stream_texts(table, 2)) == ["Va !", "Cours !"]
    assert next(stream_texts("builtin:dates"))


def test_texts_are_no_names_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "data", "x\n")
    assert read([("data", "donnees"), ("b", "c")]) == [("data", "donnees"), ("b", "c")]
    with pytest.raises(DataError, match="row 1: target is empty"):
        Pairs.of([("a", ""), ("b", "c")])


def test_odd_values_are_refused_in_one_sentence() -> None:
    for data in (None, 3, b"ab", {"a": "x", "b": "y"}, {"a": 1, "b": 2}, [b"ab"], ["ab", "cd"], [np.array(["a"])]):
        with pytest.raises(DataError) as caught:
            Pairs.of(data)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="row 1: source is ndarray"):
        Pairs.of([(np.array(["a", "b"]), "x")])
    for name in ("x" * 5000 + ".tsv", "a\0b.tsv"):
        with pytest.raises(DataError, match="There is no file"):
            Pairs.of(name)


# Memory -----------------------------------------------------------------------------------------------------------


def test_a_file_that_does_not_fit_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 100_000_000)
    write(tmp_path / "a.tsv", b"some text\tand some more of it\n" * 600_000)
    bomb = gzip.compress(b"a\tb\n" * 20_000_000, 9)
    write(tmp_path / "b.tsv.gz", bomb)
    assert len(bomb) < 300_000
    pandas.DataFrame({"a": [f"{n} text" for n in range(300_000)], "b": "x" * 50}).to_parquet(tmp_path / "c.parquet")
    monkeypatch.setattr(memory, "free_memory", lambda: 50_000_000)
    write(tmp_path / "d.json", json.dumps([{"source": "a", "target": "b"}] * 600_000))
    repeated = pyarrow.array(["x" * 500] * 100_000).dictionary_encode()
    pyarrow.parquet.write_table(pyarrow.table({"a": repeated, "b": repeated}), tmp_path / "e.parquet")
    pyarrow.feather.write_feather(pyarrow.table({"a": repeated, "b": repeated}), tmp_path / "f.feather")
    for name in ("a.tsv", "b.tsv.gz", "c.parquet", "d.json", "e.parquet", "f.feather"):
        with pytest.raises(MemoryShortError, match=rf"{name} need about .* 50 MB are free; train with store=FOLDER"):
            Pairs.of(tmp_path / name)
        assert name == "d.json" or next(stream_pairs(tmp_path / name))
    monkeypatch.setattr(memory, "free_memory", lambda: 10**12)
    assert len(RawPairs.of(tmp_path / "a.tsv")) == 600_000


def test_a_packed_file_that_grows_after_its_beginning_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(1)
    begin = "".join(f"{rng.random()}\t{rng.random()}\n" for _ in range(60_000))
    write(tmp_path / "a.tsv.gz", gzip.compress(begin.encode() + b"a\tb\n" * 10_000_000))
    monkeypatch.setattr(memory, "free_memory", lambda: 30_000_000)
    monkeypatch.setattr(files, "free_memory", lambda: 30_000_000)
    with pytest.raises(MemoryShortError, match=r"a\.tsv\.gz (need|does not fit)"):
        Pairs.of(tmp_path / "a.tsv.gz")


def test_one_answer_for_most_sources_is_a_finding() -> None:
    rows = [(f"text {number} of many", "yes" if number else "no") for number in range(30)]
    finding = Pairs.of(rows).report(tokens="char")["one-answer"]
    assert (finding.count, finding.severity) == (29, "high")
    assert "one-answer" not in Pairs.of(ROWS).report(tokens="char")


def test_the_estimate_of_memory_is_about_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    needed = list[float]()
    monkeypatch.setattr(memory, "check_fits", lambda path, size: needed.append(size))
    monkeypatch.setattr(memory, "SMALL_FILE", 0)
    path = write(tmp_path / "a.tsv", "".join(f"source {n} with text\ttarget {n} é\n" for n in range(50_000)))
    tracemalloc.start()
    pairs = Pairs.of(path)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(pairs) == 50_000
    assert 0.7 < needed[0] / used < 1.4


def test_the_memory_that_is_free_is_bounded_by_a_limit_of_the_process() -> None:
    assert memory.free_memory() is None or memory.free_memory() > 0


def test_texts_that_are_names_of_folders_or_files_are_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "notes").write_text("a")
    pairs = [("data", "donnees"), ("notes", "remarques")]
    assert list(Pairs.of(pairs)) == pairs
    with pytest.raises(DataError, match="row 1: target is empty"):
        Pairs.of([("a", ""), ("b", "c")])


def test_rows_of_three_texts_are_rows_if_columns_are_chosen_by_number() -> None:
    rows = [("a", "b", "c"), ("d", "e", "f")]
    assert list(Pairs.of(rows, source=3, target=1)) == [("c", "a"), ("f", "d")]


def test_two_series_are_two_columns() -> None:
    sides = pandas.Series(["a", "b", "c"]), pandas.Series(["d", "e", "f"])
    assert list(Pairs.of(sides)) == [("a", "d"), ("b", "e"), ("c", "f")]
