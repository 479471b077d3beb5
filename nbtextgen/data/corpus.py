"""A long text as examples of a window of context and what follows it, so that a model learns to continue it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import cast

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import DataError
from nbtextgen.core.files import MAX_NAME
from nbtextgen.core.names import plain_path
from nbtextgen.core.wording import counted
from nbtextgen.data.batching import Examples
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.readers.columns import check_order
from nbtextgen.data.readers.files import is_table_file
from nbtextgen.data.readers.read import are_files, files_of, table_of
from nbtextgen.data.readers.text import TextFile
from nbtextgen.data.readers.texts import read_texts
from nbtextgen.tokenizers.base import BOS, UNK

SHORTENED = 0.1
"""Fraction of windows whose context is cut short, so that generation can start from a few words."""
MIN_CHARACTERS = 200
"""Fewest characters that a model can learn to continue."""


@dataclass(frozen=True)
class Corpus:
    """A text to learn to continue; ``TextGenerator.fit`` takes it instead of pairs.

    Example:
        >>> len(Corpus.of("Once upon a time there was a man. " * 20).text)
        680
    """

    text: str

    @classmethod
    def of(cls, text: object, encoding: str | None = None) -> Corpus:
        """Read a file, several, or a string; see ``read_corpus``."""
        return text if isinstance(text, Corpus) else cls(read_corpus(text, encoding))

    def pieces(self, size: int = 240) -> Pairs:
        """Pairs of neighbouring pieces of the text, from which settings and explanation baselines are chosen."""
        parts = [self.text[start : start + size] for start in range(0, len(self.text), size)]
        rows = [(part, following) for part, following in pairwise(parts) if part.strip() and following.strip()]
        return Pairs.of(rows or [(self.text[:size], self.text[-size:])])


def read_corpus(text: object, encoding: str | None = None) -> str:
    """Read a text from files, or return the one that is passed; white space is kept.

    Args:
        text: the name of a file (gzip too), a pattern of names, or the text; a list of names or texts, which are put
            together; or a table or series with one column of texts.
        encoding: of the files; ``None``: Unicode.

    Raises:
        DataError: for a missing or damaged file, one that is not UTF-8 or a table, or too little text; names the place.
    """
    text, kind = plain_path(text), type(text).__name__
    if not isinstance(text, (str, Path, Iterable)) or isinstance(text, (bytes, bytearray, memoryview)):
        raise DataError(f"A text to learn to continue is a text or the names of files, not {kind}.")
    parts = [_read(text, encoding)] if isinstance(text, (str, Path)) else _read_several(cast("object", text), encoding)
    joined = "\n\n".join(parts)
    if not joined.strip():
        raise DataError("The text is empty; give a file, or a text to learn to continue.")
    if len(joined) < MIN_CHARACTERS:
        raise DataError(
            f"The text has {counted(len(joined), 'character')}; give at least {MIN_CHARACTERS} to learn to continue it."
        )
    return joined


def _read(name: object, encoding: str | None) -> str:
    if isinstance(name, str) and (not name.strip() or not _may_be_path(name)):
        return name
    if not isinstance(name, (str, Path)):
        raise DataError(f"A text is read from a file or a string, not from {type(name).__name__}.")
    return "\n\n".join(_read_file(path, encoding) for path in files_of(name) or [Path(name)])


def _read_several(texts: object, encoding: str | None) -> list[str]:
    """The texts in a list, a table or a series; those that are names of files are read."""
    check_order(texts)
    table = table_of(texts)
    if table is not None and len(table.names) != 1:
        raise DataError(
            f"The data has columns {', '.join(table.names[:30])}; give one of them to learn to continue its texts."
        )
    items = (
        read_texts(texts) if table is not None or hasattr(texts, "tolist") else list(cast("Iterable[object]", texts))
    )
    return [item if isinstance(item, str) and not _is_name(item) else _read(item, encoding) for item in items]


def _is_name(text: str) -> bool:
    """Return ``True`` for the name of a file or a pattern in a list, in which other short texts are texts."""
    return _may_be_path(text) and (are_files([text]) or re.fullmatch(r"\S*[*?/\\]\S*|\S+\.\w{1,5}", text) is not None)


def _may_be_path(text: str) -> bool:
    """Return ``True`` for one line that is short, or whose parts are as short as the names of files."""
    if "\n" in text or any(len(part.encode("utf-8", "surrogatepass")) > MAX_NAME for part in re.split(r"[/\\]", text)):
        return False
    return len(text) <= 300 or text.count(" ") < 20


def _read_file(path: Path, encoding: str | None) -> str:
    if is_table_file(path, encoding):
        raise DataError(
            f"{path} is a table or JSON, not lines of text; give the texts of one column as a list, or the content of the file as a "
            "text to learn it as it stands."
        )
    file = TextFile(path, encoding)
    text = "".join(file.pieces())
    if file.has_surrogates:
        lines = enumerate(text.split("\n"), 1)
        number, problem = next((number, problem) for number, line in lines if (problem := file.problem([line])))
        raise DataError(f"{path}, line {number:,} {problem}.")
    return text.replace("\r\n", "\n")


def windows(ids: Sequence[int] | NDArray[np.generic], context: int, length: int, first: int | None = None) -> Examples:
    """Cut the tokens of a text into targets of ``length``, each with the tokens before it as its source.

    A target has no end mark, since the text goes on. Put end to end, the targets are the text.

    Args:
        ids: the tokens.
        context: most tokens in a source.
        length: tokens in a target.
        first: tokens in the first target, which shifts all others; by default ``length``.
    """
    ids = np.asarray(ids, dtype=np.int64)
    cuts = list(dict.fromkeys([0, *range(first or length, len(ids), length), len(ids)]))
    bos, no_context = np.array([[BOS], [UNK]], dtype=np.int64)
    sources = [ids[max(0, cut - context) : cut] if cut else no_context for cut in cuts[:-1]]
    targets = [np.concatenate([bos, ids[start:stop]]) for start, stop in pairwise(cuts)]
    return Examples(sources, targets)


class ShiftingWindows:
    """Cuts the text at other places in every epoch; repeatable from the seed and the number of the epoch."""

    def __init__(self, context: int, length: int, seed: int) -> None:
        self.context, self.length, self.seed = context, length, seed

    def __call__(self, examples: Examples, epoch: int) -> Examples:
        """Join the targets to the text and cut it anew."""
        rng = Random(f"nbtextgen windows {self.seed} {epoch}")
        ids = np.concatenate([target[1:] for target in examples.targets])
        cut = windows(ids, self.context, self.length, rng.randint(1, self.length))
        sources = [
            source[-rng.randint(1, len(source)) :] if rng.random() < SHORTENED else source for source in cut.sources
        ]
        return Examples(sources, cut.targets)


def hold_out_end(ids: Sequence[int], fraction: float, limit: int) -> tuple[Sequence[int], Sequence[int]]:
    """Split a text into training tokens and its end for validation: ``fraction`` of it, at most ``limit`` tokens."""
    count = min(int(len(ids) * fraction), limit)
    return (ids, ids[:0]) if count < 2 else (ids[:-count], ids[-count:])
