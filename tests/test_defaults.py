"""What is chosen from the data."""

from __future__ import annotations

import pytest

from nbtextgen import Pairs, builtin
from nbtextgen.pipeline.defaults import plan

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
