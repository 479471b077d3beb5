"""Words and characters follow Unicode Standard Annex 29; tokenizers saved before that read as they did."""

from __future__ import annotations

import unicodedata

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from nbtextgen.explanation.units import cut
from nbtextgen.tokenizers import segmentation
from nbtextgen.tokenizers.registry import tokenizer_from_dict, train_tokenizer
from nbtextgen.tokenizers.segmentation import characters, word_pieces, word_spans

WORDS = [
    ("हिन्दी भाषा है", ["हिन्दी", "भाषा", "है"]),
    ("বাংলা ভাষা", ["বাংলা", "ভাষা"]),
    ("مَرْحَبًا بِكَ", ["مَرْحَبًا", "بِكَ"]),
    ("שָׁלוֹם עולם", ["שָׁלוֹם", "עולם"]),
    (unicodedata.normalize("NFD", "Tiếng Việt"), [unicodedata.normalize("NFD", word) for word in ("Tiếng", "Việt")]),
    ("می\u200cخواهم", ["می\u200cخواهم"]),
    ("ok 👨\u200d👩\u200d👧 👍🏽🇫🇷❤\ufe0f", ["ok", "👨\u200d👩\u200d👧", "👍🏽", "🇫🇷", "❤\ufe0f"]),
    ("हिन्दी 3.14 10,000", ["हिन्दी", "3.14", "10,000"]),
    ("don't 'amis l’homme", ["don't", "'", "amis", "l’homme"]),  # noqa: RUF001
    ("日本語 한국어", ["日", "本", "語", "한국어"]),
    ("ภาษา", ["ภ", "า", "ษ", "า"]),
    ("Oui\u202f! 2019-01-03", ["Oui", "!", "2019", "-", "01", "-", "03"]),
]
HARD = "\u0301\u200d\u200b\u00ad\ufe0fa1éЖ '’-.,;:_\n\xa0\u202fक\u093eก\u0e32あア漢한👍🏽🇫\u0600\x1c\x85"  # noqa: RUF001
TEXT = st.text(st.sampled_from(HARD) | st.characters(exclude_categories=["Cs"]), max_size=12)


@pytest.mark.parametrize(("text", "words"), WORDS)
def test_marks_belong_to_their_letters(text: str, words: list[str]) -> None:
    assert [text[start:stop] for start, stop in word_spans(text)] == words
    assert [piece.strip() for piece in word_pieces(text) if piece.strip()] == words


def test_units_join_words_with_a_hyphen() -> None:
    assert [slice(*span) for span in word_spans("co-op")] == [slice(0, 5)]
    assert len(word_spans("10-20 - x")) == 5


@settings(max_examples=500)
@given(TEXT)
def test_pieces_form_the_text_and_unit_spans_are_in_order(text: str) -> None:
    assert "".join(word_pieces(text)) == "".join(characters(text)) == text
    spans = [0, *(end for span in word_spans(text) for end in span), len(text)]
    assert spans == sorted(spans)


@settings(max_examples=500)
@given(st.text(st.sampled_from("aZéßΩжЁ09_.,;:'!?-–…“»€ \t\n\xa0ªº¿"), max_size=10))  # noqa: RUF001
def test_fast_way_finds_the_same_pieces(text: str) -> None:
    assert word_pieces(text) == regex.findall(segmentation._PIECE, text)


def test_characters_are_what_a_reader_sees() -> None:
    assert characters("हिe\u0301👍🏽x") == ["हि", "e\u0301", "👍🏽", "x"]


@pytest.mark.parametrize("kind", ["word", "bpe"])
@pytest.mark.parametrize("text", [text for text, _ in WORDS])
def test_word_tokens_keep_marks_and_give_the_text_back(kind: str, text: str) -> None:
    tokenizer = train_tokenizer([text] * 40, kind)
    encoding = tokenizer.encode(text)
    assert tokenizer.decode(encoding.ids) == text
    assert tokenizer.encode_batch([text]) == [encoding.ids]
    assert not any(unicodedata.category(token.strip()[0]).startswith("M") for token in encoding.tokens if token.strip())
    assert tokenizer_from_dict(tokenizer.to_dict()).encode(text) == encoding


@pytest.mark.parametrize(("kind", "count"), [("word", 12), ("bpe", 10)])
def test_earlier_tokenizers_read_as_they_did(kind: str, count: int) -> None:
    text = "हिन्दी भाषा है"
    values = train_tokenizer([text] * 40, kind).to_dict()
    del values["segmentation"]
    earlier = tokenizer_from_dict(values)
    assert len(earlier.encode(text).ids) >= count
    assert "segmentation" not in earlier.to_dict()


@pytest.mark.parametrize("kind", ["char", "word", "bpe"])
def test_word_and_character_units_are_whole(kind: str) -> None:
    text = "हिन्दी भाषा है 👍🏽"
    tokenizer = train_tokenizer([text] * 40, kind)
    encoding = tokenizer.encode(text)
    assert cut(text, encoding, tokenizer, "word").texts == ("हिन्दी", "भाषा", "है", "👍🏽")
    units = cut(text, encoding, tokenizer, "char").texts
    assert [unit for unit in units if unit.strip()] == characters(text.replace(" ", ""))
