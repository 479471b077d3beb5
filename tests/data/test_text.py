"""Tokenizers and pairs: round trips and offsets on arbitrary Unicode, files in many forms."""

from __future__ import annotations

import unicodedata

import datasets
import pandas
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbtextgen.core.errors import DataError, ModelFileError
from nbtextgen.data.builtin_pairs import builtin
from nbtextgen.data.pairs import Pairs
from nbtextgen.tokenizers.base import SPECIAL, UNK
from nbtextgen.tokenizers.normalization import Normalizer
from nbtextgen.tokenizers.registry import tokenizer_from_dict, train_tokenizer

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
FORMS = st.sampled_from(["none", "nfc", "nfd", "nfkc"])


@settings(max_examples=150)
@given(text=TEXT, form=FORMS, lowercase=st.booleans(), kind=st.sampled_from(["char", "word", "symbol", "bpe"]))
def test_decode_gives_back_the_normalised_text(text: str, form: str, lowercase: bool, kind: str) -> None:
    tokenizer = train_tokenizer([text + " a"], kind, normalization=form, lowercase=lowercase)
    encoding = tokenizer.encode(text)
    if kind == "bpe" or UNK not in encoding.ids:
        assert tokenizer.decode(encoding.ids) == tokenizer.normalize(text)
    assert tokenizer.encode_batch([text])[0] == encoding.ids
    assert all(0 <= start < stop <= len(text) for start, stop in encoding.offsets)
    assert tokenizer_from_dict(tokenizer.to_dict()).encode(text) == encoding


@settings(max_examples=200)
@given(text=TEXT, form=st.sampled_from(["NFC", "NFD", "NFKC"]))
def test_spans_cover_the_text_in_order(text: str, form: str) -> None:
    normal, spans = Normalizer(form.lower()).spans(text)
    assert normal == unicodedata.normalize(form, text)
    assert len(spans) == len(normal)
    assert spans == sorted(spans)


@pytest.mark.parametrize("kind", ["char", "word", "symbol", "bpe"])
def test_text_that_reads_like_a_special_token_stays_text(kind: str) -> None:
    tokenizer = train_tokenizer(["<s> <pad> </s> x"], kind)
    ids = tokenizer.encode("<pad> <s>").ids
    assert min(ids) >= len(SPECIAL)
    assert tokenizer.decode(ids) == "<pad> <s>"


@pytest.mark.parametrize("damage", [{"kind": "x"}, {"vocabulary": [1]}, {"vocabulary": ["a", "a"]}, {"lowercase": 3}])
@pytest.mark.parametrize("kind", ["char", "bpe"])
def test_a_damaged_tokenizer_is_refused(kind: str, damage: dict[str, object]) -> None:
    with pytest.raises(ModelFileError):
        tokenizer_from_dict({**train_tokenizer(["abc"], kind).to_dict(), **damage})


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("xyz")), min_size=1, max_size=60),
    st.integers(0, 99),
)
def test_a_source_is_never_on_both_sides_of_a_split(rows: list[tuple[str, str]], seed: int) -> None:
    pairs = Pairs.of(rows)
    train, held = pairs.split(0.3, seed)
    assert not set(train.sources) & set(held.sources)
    assert sorted([*train, *held]) == sorted(rows)


def test_every_form_of_the_same_pairs_is_read_alike(tmp_path) -> None:
    rows = [("007", "NA"), ('he said "x"', "null"), ("a\u2028b", "1e5")]
    files = {
        "a.tsv": "\n".join("\t".join(row) for row in rows),
        "b.csv": 'source,target\n007,NA\n"he said ""x""",null\na\u2028b,1e5\n',
        "c.jsonl": "\n".join(f'{{"source": {s!r}, "target": {t!r}}}'.replace("'", '"') for s, t in [("007", "NA")]),
    }
    for name, text in files.items():
        for encoding in ("utf-8", "utf-8-sig", "utf-16"):
            (tmp_path / name).write_text(text, encoding=encoding, newline="")
            assert list(Pairs.of(tmp_path / name)) == (rows if name != "c.jsonl" else rows[:1])
    columns = {"source": [s for s, _ in rows], "target": [t for _, t in rows]}
    frames = (pandas.DataFrame(columns), polars.DataFrame(columns), datasets.Dataset.from_dict(columns))
    for data in (columns, *frames, rows):
        assert list(Pairs.of(data)) == rows
    pandas.DataFrame(columns).to_parquet(tmp_path / "d.parquet")
    assert list(Pairs.of(tmp_path / "d.parquet")) == rows


def test_errors_name_the_place(tmp_path) -> None:
    (tmp_path / "latin.tsv").write_bytes("a\tb\nc\té\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"latin\.tsv, line 2 is not UTF-8"):
        Pairs.of(tmp_path / "latin.tsv")
    with pytest.raises(DataError, match="line 2 has no separator"):
        Pairs.from_text("a\tb\nc")
    with pytest.raises(DataError, match="Did you mean 'latin.tsv'"):
        Pairs.of(tmp_path / "latn.tsv")
    with pytest.raises(DataError, match="Did you mean 'english'"):
        Pairs.of({"english": ["a"], "fr": ["b"]}, source="englsh", target="fr")


def test_built_in_sets_repeat_with_their_seed_and_name_no_source_twice() -> None:
    for name in ("dates", "numbers"):
        first = builtin(name, 500, seed=4)
        assert list(first) == list(builtin(name, 500, seed=4))
        assert len(set(first.sources)) == 500
    assert len(builtin("pronunciation", 50)) == 50
    with pytest.raises(DataError, match="Did you mean 'dates'"):
        builtin("date")
