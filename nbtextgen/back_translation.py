"""Back-translation: a model of the other direction writes sources for target texts that have none."""

from __future__ import annotations

from typing import Any

from nbtextgen.core.errors import DataError
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.readers.columns import ColumnName
from nbtextgen.data.readers.texts import read_texts
from nbtextgen.data.rows import no_text
from nbtextgen.generator import TextGenerator


def back_translate(
    pairs: object,
    targets: object,
    *,
    source: ColumnName | None = None,
    target: ColumnName | None = None,
    encoding: str | None = None,
    reverse: TextGenerator | None = None,
    temperature: float = 1.0,
    seed: int = 1,
    **options: Any,
) -> Pairs:
    """Make pairs from target texts that have no source (Sennrich, Haddow & Birch 2016).

    A model of the other direction is trained on the swapped pairs and generates a source for every target. It samples
    the sources instead of taking the most probable ones, which makes a better model (Edunov et al. 2018, sec. 4.1).

    Args:
        pairs: real pairs, as ``Pairs.of`` reads them.
        targets: texts of the target side, without sources: a list, a column of a frame, or a ``Path`` of lines.
        source, target, encoding: as in ``fit``.
        reverse: a trained model from target to source; by default one is trained here.
        temperature: temperature of the sampling; low values come near the most probable sources.
        seed: seed of the sampling.
        options: settings of the reverse model, as in ``TextGenerator``, except ``seed``.

    Returns:
        the new pairs, without the real ones: train on both, ``pairs + made``.

    Raises:
        DataError: if there is no target text, one is not text, or every generated source is empty.

    Example:
        >>> made = back_translate(pairs, ["cba", "bb"], reverse=model)
        >>> made.targets
        ['cba', 'bb']
        >>> len(pairs + made)
        119
    """
    real = Pairs.of(pairs, source=source, target=target, encoding=encoding)
    texts = list[str]()
    for number, text in enumerate(read_texts(targets, target, encoding), 1):
        if not isinstance(text, str):
            raise DataError(f"Target {number:,} {no_text(text)}.")
        if text.strip():
            texts.append(text)
    if not texts:
        raise DataError("There are no target texts to write sources for; give at least one.")
    if reverse is None:
        reverse = TextGenerator(**options).fit(Pairs(real.targets, real.sources, real.places), callbacks=[])
    generations = reverse.generate(texts, sample=True, temperature=temperature, seed=seed)
    made = [(source.text, text) for source, text in zip(generations, texts, strict=True) if source.text.strip()]
    if not made:
        raise DataError("The reverse model wrote only empty sources; train it longer.")
    places = [("back-translated", number) for number in range(1, len(made) + 1)]
    return Pairs([source for source, _ in made], [target for _, target in made], places)
