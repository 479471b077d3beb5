"""What is chosen from the data."""

from __future__ import annotations

import itertools

import pytest

from nbtextgen import Pairs, builtin
from nbtextgen.pipeline.dataset import prepare_data
from nbtextgen.pipeline.defaults import plan
from nbtextgen.pipeline.settings import fit_options
from nbtextgen.pipeline.training_data import epoch_examples

OPTIONS = {name: option.default for name, option in fit_options().items()}

WORDS = [f"{start}{end}" for start in ("stone", "river", "garden", "window", "letter") for end in "abcdefghij"]
ARTICLES = [
    " ".join(WORDS[(at * 7 + step) % 50] for step in range(20)) + " which was said at length" for at in range(60)
]


def summaries(kept: int) -> Pairs:
    """Articles and seven words, ``kept`` of which stand in the article."""
    rows = [(text, " ".join(text.split()[:kept] + ["another"] * (7 - kept))) for text in ARTICLES]
    return Pairs.of(rows)


def test_the_copy_head_is_chosen_where_targets_repeat_their_source() -> None:
    found = plan({}, summaries(4))
    assert found.model.copy is True
    assert found.choices["copy"] is True


@pytest.mark.parametrize(
    ("given", "pairs"),
    [
        ({}, summaries(2)),
        ({"copy": False}, summaries(7)),
        ({"attention": "none"}, summaries(7)),
        ({}, builtin("dates", 50)),
        ({}, Pairs.of([("a b c d", "a b c d")] * 20)),
    ],
    ids=["few repeated", "not wanted", "no attention", "characters", "symbols"],
)
def test_copy_head_is_off_and_not_reported_otherwise(given: dict, pairs: Pairs) -> None:
    found = plan(given, pairs)
    assert found.model.copy is False
    assert "copy" not in found.choices


SYLLABLES = ["".join(letters) for letters in itertools.product("bdfgklmnprst", "aeiou", "lmnrs", "aeiou")]
SPELLED = Pairs(SYLLABLES, [word[::-1] for word in SYLLABLES])


@pytest.mark.parametrize(("count", "joined"), [(199, False), (200, True), (1499, True), (1500, False)])
def test_a_few_hundred_pairs_of_characters_are_joined(count: int, joined: bool) -> None:
    found = plan({}, SPELLED.take(range(count)))
    assert found.data.augment == ("concat:0.5" if joined else None)
    assert found.choices.get("augment") == found.data.augment


def test_epochs_with_more_pairs_are_fewer() -> None:
    found, plain = (plan(given, SPELLED.take(range(1000))).training for given in ({}, {"augment": "none"}))
    assert found.epochs == pytest.approx(plain.epochs / 1.5, abs=1)


@pytest.mark.parametrize(
    "given",
    [{"augment": "none"}, {"augment": "swap:0.1"}, {"augment": ""}, {"tokens": "bpe"}, {"store": "tokens"}],
    ids=lambda given: " ".join(given.values()),
)
def test_pairs_are_not_joined_otherwise(given: dict) -> None:
    found = plan(given, SPELLED.take(range(500)))
    assert found.data.augment == given.get("augment")
    assert "augment" not in found.choices


def test_joined_pairs_are_learned_from_unless_they_are_not_wanted() -> None:
    def examples(**options: object) -> int:
        prepared = prepare_data({**OPTIONS, **options}, SPELLED.take(range(400)))
        made = epoch_examples(prepared.plan, prepared.training_data, None, 1)
        return len(prepared.training_data.train if made is None else made(prepared.training_data.train, 1))

    assert (examples(), examples(augment="none")) == (540, 360)
