"""``SeenSources``: recognises the sources that a model was trained on, without keeping them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.wording import share


class SeenSources:
    """Hashes of training sources, eight bytes each."""

    def __init__(self, sources: Iterable[str]) -> None:
        self._hashes = np.unique(_hashes(sources))

    def contains(self, sources: Iterable[str]) -> NDArray[np.bool_]:
        """Whether each source was trained on, ``(sources,)``."""
        return np.isin(_hashes(sources), self._hashes)

    def count(self, sources: Iterable[str]) -> int:
        """How many of the sources were trained on."""
        return int(self.contains(sources).sum())

    def sentence(self, sources: Sequence[str]) -> str:
        """Whether the sources were trained on, in words."""
        count = self.count(sources)
        if count == 0:
            return "No source was in the training data."
        if count == len(sources):
            return "All sources were in the training data, so the scores say what the model remembers."
        return f"{share(count, len(sources), 'source', 'was', 'were')} in the training data."


def _hashes(sources: Iterable[str]) -> NDArray[np.uint64]:
    digests = (blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in sources)
    return np.frombuffer(b"".join(digests), dtype=np.uint64)
