"""Generated texts as the tokens that ``outputs.js`` draws: shaded by probability, with the differences of two outputs."""

from __future__ import annotations

import difflib

import numpy as np

from nbtextgen.core.escaping import pictured
from nbtextgen.inference.generation import Generation, spaced_tokens
from nbtextgen.notebook.code import Values


def output_rows(generation: Generation | None, forced: int) -> list[Values]:
    """Return the outputs as ``outputs.js`` draws them, one row per candidate.

    Args:
        generation: the outputs of a model, if any.
        forced: length of the prefix that the user forced; its last token is marked.
    """
    rows = []
    for candidate in () if generation is None else generation.candidates or (generation,):
        probabilities = np.exp(candidate.log_probabilities).tolist()
        tokens = [
            {
                "text": pictured(token),
                "before": space,
                "p": round(probabilities[index], 5),
                "forced": index == forced - 1,
            }
            for index, (space, token) in enumerate(spaced_tokens(candidate))
        ]
        last = {"p": round(probabilities[-1], 5), "forced": len(tokens) == forced - 1}
        end = {"text": "", "before": "", "end": True} | last
        rows.append({"score": f"{candidate.score:.3f}", "text": pictured(candidate.text), "tokens": [*tokens, end]})
    return rows


def visible_space(token: str) -> str:
    """Return a token for the menu, with visible white space."""
    return pictured(token).replace(" ", "\u2423")


def mark_differences(first: list[Values], second: list[Values]) -> None:
    """Mark the tokens of two outputs that are not in both, in order."""
    matcher = difflib.SequenceMatcher(
        None, [token["text"] for token in first], [token["text"] for token in second], False
    )
    for tag, start, stop, other_start, other_stop in matcher.get_opcodes():
        if tag != "equal":
            for token in (*first[start:stop], *second[other_start:other_stop]):
                token["differs"] = True
