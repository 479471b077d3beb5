"""What stands above a table: Anki's header is obeyed; titles, remarks and empty rows are named with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbtextgen import Pairs
from nbtextgen.core.errors import DataError
from nbtextgen.data.readers.texts import stream_texts
from tests.data.test_front_door import inline, workbook
from tests.data.test_odd_tables import read, write

ROWS = [("dog", "chien"), ("cat", 'un "chat"'), ("cow", "vache")]
BODY = 'dog\tchien\ncat\t"un ""chat"""\ncow\tvache\n'
NAMES = ["a.txt", "a.csv", "a.tsv"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "content",
    [
        f"#separator:tab\n#html:true\n{BODY}",
        f"\ufeff#html:false\n{BODY}",
        f"#separator:Semicolon\n#html:false\n{BODY}".replace("\t", ";"),
        f"#separator:,\n{BODY}".replace("\t", ","),
        f"#separator:Pipe\r\n#notetype:Basic\r\n\r\n{BODY}".replace("\t", "|"),
        "#separator:tab\n#columns:target\tsource\n" + "".join(f"{fr}\t{en}\n" for en, fr in ROWS),
        "#separator:tab\n#html:true\n#guid column:1\n#notetype column:2\n#deck column:3\n#tags column:6\n"
        + "".join(f"k{n}\tBasic\tFrench\t{line}\ta b\n" for n, line in enumerate(BODY.splitlines())),
        "#separator:tab\n#tags column:3\n" + "".join(f"{line}\t\n" for line in BODY.splitlines()),
    ],
)
def test_an_export_from_anki_is_read_by_its_header(content: str, name: str, tmp_path: Path) -> None:
    pairs = read(write(tmp_path / name, content))
    assert list(pairs) == ROWS
    assert "is read by its header, as an export from Anki" in pairs.notes[0]


def test_columns_of_anki_that_are_no_fields_are_named_and_left_out(tmp_path: Path) -> None:
    header = "#separator:tab\n#html:true\n#deck column:1\n#tags column:4\n"
    path = write(tmp_path / "a.txt", header + "Animals\t<b>dog</b>\tchien\tx\nAnimals\tcat\tchat\ty\n")
    pairs = read(path)
    assert pairs[0] == ("<b>dog</b>", "chien")
    assert "Anki, without its columns deck, tags." in pairs.notes[0]
    assert "a.txt holds HTML, which is read as it is written; the cleaning step 'markup'" in pairs.notes[1]
    assert Pairs.of(path).clean("markup,whitespace").pairs[0] == ("dog", "chien")
    assert read(path, source="deck", target=3)[0] == ("Animals", "chien")
    path = write(tmp_path / "b.txt", header.replace("4", "5") + "A\tdog\tchien\tHund\tx\nA\tcat\tchat\tKatze\ty\n")
    with pytest.raises(DataError, match=r"b\.txt, line 5 has columns deck, 2, 3, 4, tags; say which"):
        Pairs.of(path)
    assert read(path, source="2", target=4)[1] == ("cat", "Katze")


def test_generation_reads_the_fields_of_an_export_from_anki(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "#separator:Semicolon\n#html:false\ndog;chien\ncat;chat\n")
    assert list(stream_texts(path)) == ["dog", "cat"]


HEADED = "English,French\ndog,chien\ncat,chat\ncow,vache\n"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("content", "shown", "line"),
    [
        (f"My words\n{HEADED}", "My words", 2),
        (f"My words\n\n{HEADED}", "My words", 3),
        (f"My words,\n,\n{HEADED}", "My words", 3),
        (f"My words\nof 2024\n{HEADED}".replace(",", "\t"), "My words", 3),
        (f"My words\n{HEADED}".replace(",", ";"), "My words", 2),
        ("My words\ndog,chien\ncat,chat\ncow,vache\n", "My words", 2),
        ("My words,,\n,,\n1,dog,chien\n2,cat,chat\n3,cow,vache\n", "My words", 3),
        ("My,words\nEnglish,French,Level\ndog,chien,A1\ncat,chat,A1\ncow,vache,B1\n", "My words", 2),
        (f"# made by me, today, with care\n{HEADED}", "# made by me today with care", 2),
        (f"# made by me\n# version 2\n{HEADED}".replace(",", "\t"), "# made by me", 3),
        (f"Exported: 2024-01-01\nUser: me\n\n{HEADED}".replace(",", "\t"), "Exported: 2024-01-01", 4),
    ],
)
def test_a_title_above_a_table_is_named_with_the_line_where_the_table_begins(
    content: str, shown: str, line: int, name: str, tmp_path: Path
) -> None:
    path = write(tmp_path / name, content)
    message = (
        rf"{name}, line 1 \({shown}\) stands above the table, which seems to begin in line {line}; delete what stands"
    )
    with pytest.raises(DataError, match=message):
        Pairs.of(path)
    rest = write(tmp_path / f"b{name}", "\n".join(content.splitlines()[line - 1 :]))
    columns = {"My,words": (1, 2), "My words,,": (2, 3)}.get(content.partition("\n")[0], (None, None))
    assert ("dog", "chien") in list(Pairs.of(rest, source=columns[0], target=columns[1]))


def test_a_title_in_an_excel_file_is_named(tmp_path: Path) -> None:
    rows = [[inline(cell) for cell in line.split(",")] for line in ("My words", *HEADED.splitlines())]
    with pytest.raises(DataError, match=r"a\.xlsx, row 1 \(My words\) stands above the table, .* begin in row 2"):
        Pairs.of(write(tmp_path / "a.xlsx", workbook({"a": rows})))


def test_empty_rows_above_a_header_are_no_rows(tmp_path: Path) -> None:
    for name in NAMES:
        assert read(write(tmp_path / name, f",\n,\n{HEADED}"))[0] == ("dog", "chien")
    rest = HEADED.partition("\n")[2]
    assert list(stream_texts(write(tmp_path / "a.csv", f",\n{rest}"))) == ["", "dog", "cat", "cow"]  # beside their rows


def test_a_first_pair_with_an_empty_cell_is_no_title(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "dog\t\ncat\tchat\ncow\tvache\n")
    with pytest.raises(DataError, match="line 1: target is empty"):
        Pairs.of(path)


def test_a_comment_that_would_be_a_pair_is_noted(tmp_path: Path) -> None:
    rest = HEADED.partition("\n")[2]
    pairs = read(write(tmp_path / "a.csv", f"# made by me, version 2\n{rest}"))
    assert pairs.notes == (
        "a.csv, line 1 (# made by me,  version 2) is read as a pair but looks like a comment; if it is one, delete it.",
    )
    assert read(write(tmp_path / "b.csv", f"# en,fr\n{rest}"))[0] == ("dog", "chien")
    assert not read(write(tmp_path / "c.csv", f"#1 fan,numéro un\n{rest}")).notes


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("en,fr\ndog,chien\n\\N,\\N\ncow,vache\n", r"has cells \N, as databases write what is missing"),
        ('en,fr\n"=""dog""","=""chien"""\n"=""cat""","=""chat"""\n', 'has formulas (="...")'),
        ("'dog','chien'\n'cat','chat'\n'cow','vache'\n", "has single quotes around its cells"),
        ("dog \t chien\ncat \t chat\ncow \t vache\n", "has spaces around its cells"),
        ('en\tfr\nthe \\"old\\" dog\tchien\ncat\tchat\n', "has quotes after backslashes"),
    ],
)
def test_marks_of_other_programs_in_cells_are_noted(content: str, said: str, tmp_path: Path) -> None:
    notes = read(write(tmp_path / "a.csv", content)).notes
    assert sum(said in note for note in notes) == 1


def test_cells_that_are_only_texts_are_not_noted(tmp_path: Path) -> None:
    content = "dog\tle 'chien'\n'tis\t= un chat \n a cow\tvache\nN\t\\n\n"
    assert read(write(tmp_path / "a.tsv", content)).notes == ()


def test_what_has_one_column_is_refused_with_the_way_out(tmp_path: Path) -> None:
    content = "dog^chien\ncat^chat\ncow^vache\n"
    with pytest.raises(
        DataError, match="put tabs between columns, or write sep=X as the first line for another character"
    ):
        Pairs.of(write(tmp_path / "a.csv", content))
    assert read(write(tmp_path / "b.csv", f"sep=^\n{content}"))[0] == ("dog", "chien")
    with pytest.raises(
        DataError, match="line 1 is not JSON: .*; write one object per line, without commas between them"
    ):
        Pairs.of(write(tmp_path / "a.jsonl", '{"a": "b", "c": "d"},\n{"a": "b", "c": "d"},\n'))


def test_a_set_of_pairs_is_noted() -> None:
    pairs = Pairs.of({*ROWS})
    assert sorted(pairs) == sorted(ROWS)
    assert "another order after every start of Python" in pairs.notes[0]
