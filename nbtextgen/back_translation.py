"""Back-translation: sources for target texts that have none, written by a model of the other direction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nbtextgen.core.errors import DataError
from nbtextgen.data.pairs import Pairs
from nbtextgen.generator import TextGenerator


def back_translate(
    pairs: Any,
    targets: Iterable[str],
    *,
    reverse: TextGenerator | None = None,
    temperature: float = 1.0,
    seed: int = 1,
    **options: Any,
) -> Pairs:
    """Make pairs out of target texts alone (Sennrich, Haddow & Birch 2016).

    A model of the other direction is trained on the pairs turned round, and writes a source for every target. It
    draws its sources at random rather than taking the likeliest, which teaches more (Edunov et al. 2018, sec. 4.1).
    The targets stay what people wrote.

    Args:
        pairs: real pairs, as ``Pairs.of`` reads them.
        targets: texts of the target side, without sources.
        reverse: a trained model from target to source; by default one is trained here.
        temperature: of the draw; low values come near the likeliest.
        seed: of the draw.
        options: settings of the reverse model, as ``TextGenerator`` takes them.

    Returns:
        the pairs made, without the real ones: train on both, ``pairs + made``.

    Raises:
        DataError: when there is no target, or every source came out empty.

    Example:
        >>> made = back_translate(pairs, more_german, max_minutes=5)      # doctest: +SKIP
        >>> model = TextGenerator().fit(Pairs.of(pairs) + made)           # doctest: +SKIP
    """
    real = Pairs.of(pairs)
    wanted = [text for text in targets if text.strip()]
    if not wanted:
        raise DataError("There is no target text to write sources for; give some.")
    if reverse is None:
        reverse = TextGenerator(**options).fit(Pairs(real.targets, real.sources, real.places), callbacks=[])
    found = reverse.generate(wanted, sample=True, temperature=temperature, seed=seed)
    rows = [(one.text, target) for one, target in zip(found, wanted, strict=True) if one.text.strip()]
    if not rows:
        raise DataError("The reverse model wrote nothing but empty sources; train it longer.")
    places = [("back-translated", at + 1) for at in range(len(rows))]
    return Pairs([row[0] for row in rows], [row[1] for row in rows], places)
