"""A small model that the room's tests share: written dates, trained for a few seconds."""

from __future__ import annotations

import pytest

from nbtextgen import Pairs, TextGenerator, builtin

SMALL = {"hidden_size": 32, "embedding_size": 16, "dropout": 0.0, "samples": 0, "seed": 2}


@pytest.fixture(scope="session")
def dates() -> TextGenerator:
    """Characters to characters, trained with masked sources."""
    return TextGenerator(**SMALL, epochs=12, source_masking=0.1, learning_rate=0.01).fit(
        builtin("dates", 600), callbacks=[]
    )


@pytest.fixture(scope="session")
def words() -> TextGenerator:
    """Words to words, so that each output word has one cause that is known."""
    colours, things = ["red", "blue", "green", "black"], ["cat", "dog", "bird", "car", "tree"]
    german = {"red": "rot", "blue": "blau", "green": "gruen", "black": "schwarz"}
    names = {"cat": "Katze", "dog": "Hund", "bird": "Vogel", "car": "Auto", "tree": "Baum"}
    pairs = [(f"the {c} {t} is here", f"{names[t]} {german[c]}") for c in colours for t in things]
    options = {**SMALL, "source_masking": 0.2, "batch_size": 8, "learning_rate": 0.01, "valid_fraction": 0.0}
    return TextGenerator(**options, tokens="word", epochs=60).fit(Pairs(*zip(*pairs * 3, strict=True)), callbacks=[])
