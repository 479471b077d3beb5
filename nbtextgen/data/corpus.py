"""A long text as pairs: a window of context and what follows it, so that a model learns to continue."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import DataError
from nbtextgen.data.batching import Examples
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.readers.text import read_text
from nbtextgen.data.rows import has_surrogate
from nbtextgen.tokenizers.base import BOS, UNK

SHORTENED = 0.1
"""Share of windows whose context is cut short, so that a few words are enough to begin from."""
FEWEST = 200
"""Characters below which there is nothing to learn to continue."""


@dataclass(frozen=True)
class Corpus:
    """A text to learn to continue: what ``TextGenerator.fit`` takes in the place of pairs."""

    text: str

    @classmethod
    def of(cls, text: Any) -> Corpus:
        """Read a file, several, or a string; see ``read_corpus``."""
        return text if isinstance(text, Corpus) else cls(read_corpus(text))

    def pieces(self, size: int = 240) -> Pairs:
        """The text cut up, each piece with the next: what settings are chosen from, and explanations compare with."""
        parts = [self.text[at : at + size] for at in range(0, len(self.text), size)]
        rows = [(one, after) for one, after in zip(parts, parts[1:], strict=False) if one.strip() and after.strip()]
        return Pairs.of(rows or [(self.text[:size], self.text[-size:])])


def read_corpus(text: Any) -> str:
    """A text from a file, several files, or itself; what is read is what is learned, white space and all.

    Args:
        text: the name of a file (gzip too), a pattern of names, a list of names, or the text.

    Raises:
        DataError: for a missing or damaged file, one that is not UTF-8, or too little text; names the place.
    """
    parts = [_read(one) for one in ([text] if isinstance(text, (str, Path)) else list(text))]
    joined = "\n\n".join(parts)
    if len(joined) < FEWEST:
        raise DataError(f"The text has {len(joined):,} characters; give at least {FEWEST} to learn to continue it.")
    return joined


def _read(name: Any) -> str:
    if isinstance(name, str) and ("\n" in name or len(name) > 300):
        return name
    if not isinstance(name, (str, Path)):
        raise DataError(f"A text is read from a file or a string, not from {type(name).__name__}.")
    paths = [Path(name)]
    if not paths[0].exists() and any(mark in str(name) for mark in "*?["):
        paths = sorted(map(Path, glob.glob(str(name)))) or paths
    texts = []
    for path in paths:
        found = read_text(path)
        if not found.isascii() and has_surrogate(found):
            line = next(at for at, part in enumerate(found.split("\n"), 1) if has_surrogate(part))
            raise DataError(f"{path}, line {line:,} is not UTF-8 text; save the file as UTF-8.")
        texts.append(found.replace("\r\n", "\n"))
    return "\n\n".join(texts)


def windows(ids: Sequence[int] | NDArray[Any], context: int, length: int, first: int | None = None) -> Examples:
    """Cut a text's tokens into targets of ``length``, each with the tokens before it as its source.

    A target has no end mark: a text that is continued does not end. Put end to end, the targets are the text again.

    Args:
        ids: the tokens.
        context: most tokens of a source.
        length: tokens of a target.
        first: tokens of the first target, to shift all the others; by default ``length``.
    """
    ids = np.asarray(ids, dtype=np.int64)
    cuts = [0, *range(first or length, len(ids), length), len(ids)]
    cuts = [cut for at, cut in enumerate(cuts) if at == 0 or cut > cuts[at - 1]]
    begin = np.array([BOS], dtype=np.int64)
    sources = [_context(ids, cut, context) for cut in cuts[:-1]]
    targets = [np.concatenate([begin, ids[start:stop]]) for start, stop in zip(cuts[:-1], cuts[1:], strict=True)]
    return Examples(sources, targets)


def _context(ids: NDArray[np.int64], cut: int, context: int) -> NDArray[np.int64]:
    return ids[max(0, cut - context) : cut] if cut else np.array([UNK], dtype=np.int64)


class ShiftingWindows:
    """The windows of an epoch: the same text, cut elsewhere every time; repeatable from the seed and the epoch."""

    def __init__(self, context: int, length: int, seed: int) -> None:
        self.context, self.length, self.seed = context, length, seed

    def __call__(self, examples: Examples, epoch: int) -> Examples:
        """Join the targets to the text they are, and cut it anew."""
        rng = Random(f"nbtextgen windows {self.seed} {epoch}")
        ids = np.concatenate([target[1:] for target in examples.targets])
        cut = windows(ids, self.context, self.length, rng.randint(1, self.length))
        sources = [
            source[-rng.randint(1, len(source)) :] if rng.random() < SHORTENED else source for source in cut.sources
        ]
        return Examples(sources, cut.targets)


def held_apart(ids: Sequence[int], share: float, most: int) -> tuple[Sequence[int], Sequence[int]]:
    """The text without its end, and the end, held out to measure on: ``share`` of it, at most ``most`` tokens."""
    count = min(int(len(ids) * share), most)
    return (ids, ids[:0]) if count < 2 else (ids[:-count], ids[-count:])
