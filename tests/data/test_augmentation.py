"""Augmentation: repeatable from its seed, targets always valid, each step does what it says."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbtextgen import Pairs, TextGenerator
from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.data import noise
from nbtextgen.data.augmentation import STEPS, Augmentation, Augmenter, read_synonyms
from nbtextgen.data.batching import CopyMap, Examples, encode_examples
from nbtextgen.tokenizers.base import MASK
from nbtextgen.tokenizers.registry import train_tokenizer

ROWS = [
    ("The quick brown fox jumps over the lazy dog", "le renard brun saute par-dessus le chien"),
    ("a man is sleeping in the park", "un homme dort dans le parc"),
    ("déjà vu, naïve résumé", "already seen, naive summary"),
    ("two girls play by the river", "deux filles jouent au bord de la rivière"),
] * 8
PIPELINE = ",".join(f"{name}:0.3" for name in STEPS if name != "synonyms")


def material(kind: str, spec: str, seed: int = 1, copy: bool = False) -> tuple[Augmenter, Examples]:
    sources, targets = [row[0] for row in ROWS], [row[1] for row in ROWS]
    source, target = (train_tokenizer(texts, kind, size=400 if kind == "bpe" else None) for texts in (sources, targets))
    pointer = CopyMap(source, target) if copy else None
    examples = encode_examples(sources, targets, source, target, pointer)
    return Augmenter(Augmentation.parse(spec), source, target, pointer, seed), examples


def same(first: Examples, second: Examples) -> bool:
    sides = [(first.sources, second.sources), (first.targets, second.targets)]
    return all(len(a) == len(b) and all(map(np.array_equal, a, b)) for a, b in sides)


@pytest.mark.parametrize("kind", ["char", "word", "bpe"])
@pytest.mark.parametrize("copy", [False, True])
def test_the_same_seed_and_epoch_give_the_same_examples(kind: str, copy: bool) -> None:
    (first, examples), (second, _) = material(kind, PIPELINE, copy=copy), material(kind, PIPELINE, copy=copy)
    first(examples, 1)  # what came before does not matter
    assert same(first(examples, 3), second(examples, 3))
    assert not same(first(examples, 3), first(examples, 4))
    assert not same(first(examples, 3), material(kind, PIPELINE, seed=2, copy=copy)[0](examples, 3))


@settings(max_examples=30)
@given(
    st.sampled_from(["char", "word", "bpe"]),
    st.lists(st.sampled_from([name for name in STEPS if name != "synonyms"]), min_size=1, unique=True),
    st.floats(0.01, 1.0),
    st.integers(0, 1000),
)
def test_targets_stay_valid_and_pairs_stay_in_place(kind: str, names: list[str], rate: float, epoch: int) -> None:
    augmenter, examples = material(kind, ",".join(f"{name}:{rate}" for name in names))
    made = augmenter(examples, epoch)
    assert len(made) >= len(examples)
    texts = [augmenter.target.decode(ids.tolist()) for ids in made.targets]
    right = [target for _, target in ROWS]
    assert texts[: len(ROWS)] == right
    everything = " ".join(right)
    for text in texts[len(ROWS) :]:  # spans of a target, or two targets joined
        assert text in everything or any(text.startswith(one) and text.endswith(two) for one in right for two in right)
    assert all(ids[0] == 2 and ids[-1] == 3 and len(ids) >= 3 for ids in made.targets)
    assert all(len(ids) for ids in made.sources)


def test_bpe_dropout_changes_the_tokens_and_not_the_text() -> None:
    augmenter, examples = material("bpe", "bpe-dropout:0.5")
    made = augmenter(examples, 1)
    assert not same(made, examples)
    for side, tokenizer in (("sources", augmenter.source), ("targets", augmenter.target)):
        texts = [[tokenizer.decode(ids.tolist()) for ids in getattr(which, side)] for which in (made, examples)]
        assert texts[0] == texts[1]
    assert sum(map(len, made.targets)) > sum(map(len, examples.targets))


def test_masking_hides_about_the_share_asked_for() -> None:
    augmenter, examples = material("char", "mask:0.25")
    ids = np.concatenate(list(augmenter(examples, 1).sources))
    assert 0.2 < (ids == MASK).mean() < 0.3


STRANGE = ["the zebra met a yak and the zebra", "zebra (yak) zebra", "a park", "yak"]
STRANGE_TARGETS = ["le zebra le chien", "yak, zebra", "un parc gnou", "yak"]


@pytest.mark.parametrize("kind", ["char", "word", "symbol", "bpe"])
@pytest.mark.parametrize("copy", [False, True])
def test_pairs_with_unknown_words_are_read_back_so_that_they_encode_to_the_same_ids(kind: str, copy: bool) -> None:
    augmenter, examples = material(kind, "swap:0.5", copy=copy)
    odd = ["😀 the fox", *STRANGE], ["😀 le", *STRANGE_TARGETS]
    both = [examples, encode_examples(*odd, augmenter.source, augmenter.target, augmenter.copy)]
    for one in both:
        pairs = Augmenter(augmenter.augmentation, augmenter.source, augmenter.target, augmenter.copy, 1).texts(one)
        rows = [row for row, pair in enumerate(pairs) if pair is not None]
        assert len(rows) == len(one) or (kind == "bpe" and copy)
        texts = [[pairs[row][side] for row in rows] for side in (0, 1)]  # type: ignore[index]
        again, kept = encode_examples(*texts, augmenter.source, augmenter.target, augmenter.copy), one.take(rows)
        assert same(again, kept)
        if copy:
            assert all(map(np.array_equal, again.copies or (), kept.copies or ()))


def test_unknown_words_move_with_the_rest_and_can_still_be_copied() -> None:
    augmenter, _ = material("word", "swap:1.0,concat:1.0,copy:1.0", copy=True)
    size = augmenter.target.size
    rows = STRANGE[::3], STRANGE_TARGETS[::3]
    examples = encode_examples(*rows, augmenter.source, augmenter.target, augmenter.copy)
    made = augmenter(examples, 1)
    assert made.copies is not None and len(made) == 6
    assert made.sources[0].tolist() != examples.sources[0].tolist()
    wanted = [set(targets[targets >= size].tolist()) for targets in made.targets]
    assert all(some <= set(copies.tolist()) for some, copies in zip(wanted, made.copies, strict=True))
    assert sum(map(bool, wanted)) >= 4  # the two pairs and both that are joined from them
    assert all((ids != 1).all() for ids in made.targets)


def test_damage_that_takes_away_the_word_to_be_copied_is_not_done() -> None:
    augmenter, _ = material("word", "drop:0.9", copy=True)
    examples = encode_examples(STRANGE * 5, STRANGE_TARGETS * 5, augmenter.source, augmenter.target, augmenter.copy)
    made = augmenter(examples, 1)
    unknown = [[int((ids == 1).sum()) for ids in one.targets] for one in (examples, made)]
    assert all(after <= before for before, after in zip(*unknown, strict=True))
    assert not same(made, examples)


def test_bpe_dropout_keeps_what_can_be_copied_the_same_text() -> None:
    augmenter, examples = material("bpe", "bpe-dropout:0.5", copy=True)
    made = augmenter(examples, 1)
    assert made.copies is not None and examples.copies is not None and not same(made, examples)
    for source, copies in zip(made.sources, made.copies, strict=True):
        assert len(source) == len(copies)
        for one, copied in zip(source.tolist(), copies.tolist(), strict=True):
            assert copied >= augmenter.target.size or augmenter.target.token(copied) == augmenter.source.token(one)


@pytest.mark.parametrize(
    ("change", "text", "test"),
    [
        (noise.swap_words, "a b c d", lambda out: sorted(out.split()) == ["a", "b", "c", "d"]),
        (noise.swap_characters, "abcd", lambda out: sorted(out) == list("abcd")),
        (noise.drop_words, "a b c d e", lambda out: set(out.split()) < set("abcde")),
        (noise.drop_characters, "abcdefgh", lambda out: set(out) < set("abcdefgh")),
        (noise.case, "one two three four", lambda out: out.lower() == "one two three four"),
        (noise.accents, "éèü", lambda out: set(out) <= set("éèüeu") and out != "éèü"),
        (noise.scanning, "lOI0mwe1", lambda out: len(out) >= 8),
        (noise.keyboard, "keyboard", lambda out: out.isascii()),
    ],
)
def test_each_noise_changes_what_it_says_and_nothing_at_rate_zero(change, text, test) -> None:
    outputs = {change(text, 0.5, Random(seed)) for seed in range(20)}
    assert len(outputs) > 2
    assert all(test(out) for out in outputs if out != text)
    assert change(text, 0.0, Random(1)) == text


def test_keyboard_neighbours_are_mutual() -> None:
    assert all(key in noise.NEIGHBOURS[other] for key, others in noise.NEIGHBOURS.items() for other in others)
    assert set("qwsz") <= set(noise.NEIGHBOURS["a"])


def test_repeat_writes_a_span_twice() -> None:
    out = noise.repeat_span("one two three", 1.0, Random(3)).split()
    assert 4 <= len(out) <= 6 and set(out) == {"one", "two", "three"}


def test_synonyms_come_from_the_users_table(tmp_path) -> None:
    (tmp_path / "s.tsv").write_text("small\tlittle\ttiny\nbig\tlarge\n")
    table = read_synonyms(tmp_path / "s.tsv")
    out = {noise.synonyms(table)("Small or big", 1.0, Random(seed)) for seed in range(10)}
    assert out == {"Little or large", "Tiny or large"}
    (tmp_path / "bad.tsv").write_text("small\tlittle\nbig\n")
    with pytest.raises(DataError, match=r"bad\.tsv, line 2"):
        read_synonyms(tmp_path / "bad.tsv")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("swop:0.1", "Did you mean 'swap'"),
        ("swap:2", "rate from 0 to 1"),
        ("swap:x", "got 'x'"),
        ("synonyms", "synonyms"),
    ],
)
def test_bad_pipelines_are_named(spec: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Augmentation.parse(spec)


def test_training_with_augmentation_repeats_with_its_seed_and_differs_from_plain_training() -> None:
    def losses(**options: object) -> list[float]:
        model = TextGenerator(hidden_size=8, embedding_size=8, epochs=2, samples=0, tokens="char", **options)
        model.fit(Pairs.of(ROWS[:4] * 3 + [(f"word {n}", f"mot {n}") for n in range(12)]), callbacks=[])
        return [event.loss for event in model.history if type(event).__name__ == "Validation"]

    spec = "drop:0.1,concat:0.5"
    assert losses(augment=spec) == losses(augment=spec) != losses()


def test_back_translation_writes_sources_for_targets_that_stay_as_they_are() -> None:
    from nbtextgen.back_translation import back_translate

    pairs = Pairs.of([(f"{a}{b}", f"{b}{a}") for a in "abcd" for b in "abcd"])
    options = {"hidden_size": 32, "embedding_size": 16, "epochs": 80, "dropout": 0.0, "learning_rate": 0.01}
    made = back_translate(pairs, ["ab", "dc", " "], temperature=0.1, valid_fraction=0.0, **options)
    assert made.targets == ["ab", "dc"]
    assert made.sources == ["ba", "cd"]
    assert made.place(1) == "back-translated 2"
    assert len(pairs + made) == 18
    again = back_translate(pairs, ["ab"], temperature=2.0, seed=5, valid_fraction=0.0, **options)
    assert list(again) == list(back_translate(pairs, ["ab"], temperature=2.0, seed=5, valid_fraction=0.0, **options))
    with pytest.raises(DataError, match="no target"):
        back_translate(pairs, [" "])
