"""The form of a text: which digits and letters it has where, whatever they are."""

from __future__ import annotations

import re
from collections.abc import Sequence


def word_form(text: str) -> str:
    """Digits as 0, a run of small letters as a, of capital letters as A; other characters as they are."""
    return re.sub(r"a+", "a", re.sub(r"A+", "A", character_form(text)))


def character_form(text: str) -> str:
    """Digits as 0, small letters as a, capital letters as A, each by itself; other characters as they are."""
    return "".join(map(_letter, re.sub(r"\d", "0", text)))


def _letter(character: str) -> str:
    if not character.isalpha():
        return character
    return "A" if character.isupper() else "a"


def texts_of_form(texts: Sequence[str], source: str, *, of_characters: bool) -> list[int]:
    """Indices of the texts that have the form of a source and are not the source itself.

    Args:
        texts: any texts.
        source: the one whose form is asked for.
        of_characters: whether the lengths of words count too.
    """
    form_of = character_form if of_characters else word_form
    form, spaces = form_of(source), source.count(" ")
    alike = [  # cheap comparisons first: the texts may be long and many
        index
        for index, text in enumerate(texts)
        if text.count(" ") == spaces and (not of_characters or len(text) == len(source)) and text != source
    ]
    return [index for index in alike if form_of(texts[index]) == form]
