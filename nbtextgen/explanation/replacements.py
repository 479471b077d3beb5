"""Plausible units that could stand in the place of a unit: of the same form, and likely there by what the model learned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nbtextgen.explanation.forms import word_form
from nbtextgen.explanation.units import BYTES, Units, cut, whole_characters
from nbtextgen.inference.predictor import Predictor
from nbtextgen.tokenizers.base import SPECIAL

MAX_TEXTS = 300
"""Background texts that are cut into units."""


def replacements(
    predictor: Predictor, source: str, units: Units, background: Sequence[str], count: int
) -> list[list[str]]:
    """At most ``count`` texts for each unit, the most plausible first.

    A unit that is a token is replaced by the tokens whose embeddings are most similar to its own; any other unit by the
    most frequent units of the background. Both have the form of the unit: as many digits, letters in the same case.
    """
    tokens = _Vocabulary(predictor) if units.member is not None else None
    spare: Counter[str] | None = None
    result = list[list[str]]()
    sizes = np.zeros(len(units)) if units.member is None else np.bincount(units.member, minlength=len(units))
    ids = predictor.source.encode(source).ids
    for index, text in enumerate(units.texts):
        candidates = list[str]()
        if tokens is not None and units.member is not None and sizes[index] == 1:
            candidates = tokens.similar(ids[int(np.flatnonzero(units.member == index)[0])], count)
        if not candidates:
            spare = _background_units(predictor, units.kind, background) if spare is None else spare
            form = word_form(text)
            candidates = [other for other, _ in spare.most_common() if word_form(other) == form and other != text]
        result.append(candidates[:count])
    return result


class _Vocabulary:
    """The tokens of the source side with their embeddings and forms."""

    def __init__(self, predictor: Predictor) -> None:
        weights = predictor.networks[0].source_embedding.weight.detach().float().cpu().numpy()
        self.vectors = weights / np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-12)
        texts = predictor.source.tokens(range(predictor.source.size))
        self.texts = ["" if BYTES.fullmatch(text) else text.strip() for text in texts]
        self.forms = [word_form(text) for text in self.texts]

    def similar(self, token: int, count: int) -> list[str]:
        """Tokens of the same form, the most similar first."""
        if token < len(SPECIAL):
            return []
        order = np.argsort(-(self.vectors @ self.vectors[token]), kind="stable")
        own = self.texts[token]
        same = [int(row) for row in order if row >= len(SPECIAL) and self.forms[row] == self.forms[token]]
        return [text for row in same if (text := self.texts[row]) and text != own][:count]


def _background_units(predictor: Predictor, kind: str, background: Sequence[str]) -> Counter[str]:
    kind = "word" if kind == "spans" else kind
    counts = Counter[str]()
    for text in background[:: max(1, len(background) // MAX_TEXTS)]:
        units = whole_characters(cut(text, predictor.source.encode(text), predictor.source, kind), text)
        counts.update(unit.strip() for unit in units.texts)
    return counts
