"""Values that people hand over in the place of texts, columns, names and shares: one sentence that names the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import torch

from nbtextgen import Corpus, Pairs, TextGenerator, compare
from nbtextgen.core.errors import DataError, ModelFileError, OptionError
from nbtextgen.core.escaping import pictured_piece
from nbtextgen.data.readers.texts import pair_columns

WORDS = ["abc", "bca", "cab", "acb", "bac", "cba"]
PAIRS = [(word, word[::-1]) for word in WORDS] * 3
SMALL: dict[str, Any] = {"hidden_size": 8, "embedding_size": 8, "epochs": 1}


@pytest.fixture(scope="module")
def model() -> TextGenerator:
    return TextGenerator(**SMALL).fit(PAIRS, callbacks=[])


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (["abc"], "list, not text; give one of the texts in it"),
        (pandas.Series(["abc"]), "Series, not text; give one of the texts in it"),
        ((text for text in WORDS), "generator, not text; give one of the texts in it"),
        (b"abc", r"bytes, not text; decode it, as with \.decode\('utf-8'\)"),
        (None, "NoneType, not text; give a text"),
        ({"a": "b"}, "dict, not text; give a text"),
        (3, r"int, not text; convert it with str\(\) first"),
        (np.float32(3), r"float32, not text; convert it with str\(\) first"),
    ],
)
def test_what_is_no_text_is_not_advised_to_become_its_python_spelling(
    model: TextGenerator, value: object, advice: str
) -> None:
    with pytest.raises(DataError, match=rf"The source is {advice}"):
        model.explain(value)  # type: ignore[arg-type]


def test_columns_of_pandas_in_different_orders_are_refused(model: TextGenerator) -> None:
    frame = pandas.DataFrame(PAIRS[:6], columns=["en", "fr"])
    shuffled = frame["fr"].sort_values()
    for data in ((frame["en"], shuffled), {"en": frame["en"], "fr": shuffled}):
        with pytest.raises(DataError, match="stand in another order than the sources, as the index of their rows says"):
            Pairs.of(data)
    with pytest.raises(DataError, match="stand in another order"):
        TextGenerator(**SMALL).fit(frame[["en"]], shuffled, callbacks=[])
    assert list(Pairs.of(pair_columns(frame["en"], shuffled.reset_index(drop=True))))[0] == ("abc", shuffled.iloc[0])
    for index in (frame.index, [7] * 6, list("abcdef"), [*range(5), "x"]):  # the same, others, and unlike labels
        assert list(Pairs.of(pair_columns(frame["en"], frame["fr"].set_axis(index)))) == PAIRS[:6]


def test_shares_and_empty_names_are_refused(model: TextGenerator, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for valid in (0.2, 1, True, "0.2"):
        with pytest.raises(OptionError, match="the share of the data that is held out is valid_fraction"):
            TextGenerator(**SMALL).fit(PAIRS, valid=valid, callbacks=[])
    for call in (lambda: model.save(""), lambda: TextGenerator.load(""), lambda: model.generate_file(WORDS, "")):
        with pytest.raises(ModelFileError, match="The name of the file or folder is empty"):
            call()
    with pytest.raises(OptionError, match="run is empty; give a name or a folder, or leave it out"):
        TextGenerator(**SMALL).fit(PAIRS, callbacks=[], run="")
    with pytest.raises(ModelFileError, match="already exists"):
        TextGenerator(**SMALL).fit(PAIRS, callbacks=[], run="..")
    assert list(tmp_path.iterdir()) == []


def test_texts_to_continue_come_in_lists_series_and_tables_of_one_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [f"A man is number {number}." for number in range(20)]
    expected = "\n\n".join(lines)
    frame = pandas.DataFrame({"text": lines})
    for data in (lines, tuple(lines), iter(lines), frame, frame["text"], frame["text"].to_numpy(), {"text": lines}):
        assert Corpus.of(data).text == expected, type(data)
    Path("poem").write_text("\n".join(lines))
    Path("poem.txt").write_text("\n".join(lines))
    assert Corpus.of(["poem", Path("poem.txt"), "*.txt"]).text.count("A man is number 7.") == 3
    frame.to_json("rows.jsonl", orient="records", lines=True)
    frame.to_csv("rows.csv")
    Path("rows").write_bytes(Path("rows.jsonl").read_bytes())
    for data, message in (
        ("nowhere.csv", r"There is no file nowhere\.csv"),
        (["nowhere.txt", "poem"], r"There is no file nowhere\.txt"),
        (set(lines), "A set of texts keeps no order"),
        (frame.assign(n=1), "The data has columns text, n; give one of them"),
        (b"A man. " * 99, "is a text or the names of files, not bytes"),
        (["a", 3], "not from int"),
        *((name, f"{name} is a table or JSON, not lines of text") for name in ("rows.jsonl", "rows.csv", "rows")),
    ):
        with pytest.raises(DataError, match=message):
            Corpus.of(data)
    assert Corpus.of(Path("rows.jsonl").read_text()).text == Path("rows.jsonl").read_text()


def test_outputs_in_a_set_are_not_compared(model: TextGenerator) -> None:
    with pytest.raises(DataError, match="A set of texts keeps no order"):
        compare(model, set(model.predict(WORDS)), [(word, word) for word in WORDS])


def test_other_values_are_refused_in_a_sentence(model: TextGenerator) -> None:
    for terms in ({"a": None}, {"a": b"x"}, {"a": 3}, [("a", None)]):
        with pytest.raises(OptionError, match="a source term and a target term in every entry"):
            model.generate("abc", beam=2, glossary=terms)  # type: ignore[arg-type]
    for text in (None, b"a\tb", ["a\tb"]):
        with pytest.raises(DataError, match=r"Pairs\.from_text reads a text, not \w+"):
            Pairs.from_text(text)  # type: ignore[arg-type]


def test_pieces_that_show_as_nothing_alone_can_be_seen(model: TextGenerator) -> None:
    family, thai = "\U0001f468\u200d\U0001f469", "\u0e2a\u0e31"
    assert model.generate(family).notes == (
        "3 of 3 characters are unknown to this model: \U0001f468, \u27e8U+200D\u27e9, \U0001f469",
    )
    assert model.generate(thai).notes[0].endswith(": \u0e2a, \u25cc\u0e31")
    assert [pictured_piece(piece) for piece in (" ", "\ufe0f", "\u202e", "a\u0301", "\x1b")] == [
        "' '",
        "\u27e8U+FE0F\u27e9",
        "\u27e8U+202E\u27e9",
        "a\u0301",
        "\u241b",
    ]


@pytest.mark.parametrize("name", ["page.pdf", "words.tsv", "picture.PNG"])
def test_pages_are_no_files_of_other_kinds(name: str, model: TextGenerator, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("the user's own")
    for save in (model.explain("abc").save, lambda path: model.export("html", path)):
        with pytest.raises(ModelFileError, match=rf"is no {path.suffix} file; give its name another ending, as \.html"):
            save(path)
    assert path.read_text() == "the user's own"


@pytest.mark.parametrize("scalar", [np.array, torch.tensor, np.int64])
def test_scalars_of_libraries_are_numbers(scalar: Any, tmp_path: Path) -> None:
    scalars: dict[str, Any] = {name: scalar(value) for name, value in {**SMALL, "seed": 3, "valid_limit": 5}.items()}
    model = TextGenerator(**scalars).fit(PAIRS, callbacks=[], run=tmp_path / "run")
    assert TextGenerator.load(tmp_path / "run").predict(WORDS) == model.predict(WORDS)
    model.save(tmp_path / "model")
    loaded = TextGenerator.load(tmp_path / "model")
    assert loaded.get_params()["seed"] == 3 and loaded.predict(WORDS) == model.predict(WORDS)


async def awaited(reference: str, output: str) -> float:
    return float(reference == output)


@pytest.mark.parametrize(
    "metric", [lambda reference: 1.0, lambda a, b, c: 1.0, lambda *, reference, output: 1.0, awaited]
)
def test_a_metric_of_something_else_is_refused_at_once(metric: Any, model: TextGenerator) -> None:
    message = "is a coroutine, which is not awaited" if metric is awaited else "must take a reference and an output"
    with pytest.raises(OptionError, match=message):
        TextGenerator(**SMALL, select_by=metric)
    with pytest.raises(OptionError, match=message):
        model.evaluate(PAIRS, metrics=[metric])
    for fine in (lambda *texts: 1.0, lambda reference, output, weight=1.0: weight):
        assert model.evaluate(PAIRS, metrics=[fine])["<lambda>"].value == 1.0


def test_what_counts_is_a_whole_number_and_a_device_one_of_those_there_are(
    model: TextGenerator, tmp_path: Path
) -> None:
    value: Any
    for value in ("abc", [], True, 1.5, -1, object()):
        for use in (
            lambda value=value: model.save(tmp_path / "m", keep_sources=value),
            lambda value=value: list(model.stream("abc", length=value)),
            lambda value=value: model.errors(PAIRS, limit=value),
        ):
            with pytest.raises(OptionError, match=r"must be a whole number of at least [01] \(got "):
                use()
    assert len(model.errors(PAIRS, limit=np.int64(2))) <= 2
    for value in ("abc", "cuda:0", None, 3, [], torch.device("cpu")):
        with pytest.raises(OptionError, match=r"device must be one of auto, cpu, cuda, mps \(got "):
            TextGenerator.load(tmp_path / "m", device=value)


def test_cleaning_steps_are_names_and_validation_pairs_are_read() -> None:
    pairs, value = Pairs.of(PAIRS), None
    for value in (None, 3, [1], b"nfc", [("nfc", "dedupe")], {"nfc"}):
        with pytest.raises(OptionError, match="Cleaning steps are names, as 'nfc,dedupe' or a list of them"):
            pairs.clean(value)  # type: ignore[arg-type]
    assert any("validation pairs" in str(finding) for finding in pairs.report(valid=PAIRS[:2]).findings)
    with pytest.raises(DataError, match="Pairs cannot be read from int"):
        pairs.report(valid=3)
