"""An input for a model to begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbtextgen.generator import TextGenerator

SAMPLE_CHARACTERS = 200
"""A longer held-out input is not offered as an example."""


def example(model: TextGenerator | None) -> str:
    """Return an input to begin with: a short held-out one, or a training source; empty if there is none."""
    if model is None:
        return ""
    texts = [*(model.held_out.sources if model.held_out is not None else ()), *model.background]
    return next((text for text in texts if len(text) <= SAMPLE_CHARACTERS), "")
