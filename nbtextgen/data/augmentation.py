"""Augmentation: other versions of the training pairs in every epoch, made on the fly and repeatable from the seed.

Sources are damaged, never targets; pairs may be added whose targets are spans or joins of real ones. So every target
that is trained on is one that a person could have written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from nbtextgen.core.errors import DataError, OptionError, nearest
from nbtextgen.data import noise
from nbtextgen.data.batching import CopyMap, Examples, encode_examples
from nbtextgen.data.detokenization import apart, read_back
from nbtextgen.data.readers.text import read_text
from nbtextgen.tokenizers.base import MASK, UNK, Tokenizer
from nbtextgen.tokenizers.bpe import BPETokenizer
from nbtextgen.tokenizers.truncated import TruncatedTokenizer

STEPS = {
    "drop": "leave out source tokens (words, or characters where those are the tokens)",
    "drop-chars": "leave out source characters",
    "swap": "exchange neighbouring source tokens",
    "swap-chars": "exchange neighbouring source characters",
    "keyboard": "typing errors in the source",
    "ocr": "errors of character recognition in the source",
    "case": "source words in another case",
    "accents": "source letters without accents",
    "repeat": "a source span written twice",
    "synonyms": "source words replaced from the table given with --synonyms",
    "mask": "source tokens hidden by the mask token",
    "bpe-dropout": "BPE tokens of both sides split back into the parts they were merged from",
    "concat": "pairs added: two pairs joined into one",
    "copy": "pairs added: a span of a target as its own source",
}
"""Every step with one line of help; each takes a rate from 0 to 1, per token or character, or of pairs added."""
ADDING = ("concat", "copy")


@dataclass(frozen=True)
class Augmentation:
    """A parsed pipeline: steps with their rates in the order given, and the user's synonyms."""

    steps: tuple[tuple[str, float], ...]
    synonyms: dict[str, tuple[str, ...]]

    @classmethod
    def parse(cls, text: str, synonyms: str | None = None) -> Augmentation:
        """Read ``swap:0.1,keyboard:0.05`` and the file of synonyms.

        Raises:
            OptionError: for an unknown step (with the nearest), a bad rate, or synonyms without a table.
            DataError: when the table cannot be read; names the line.
        """
        steps = []
        for part in text.split(","):
            name, _, rate = part.strip().partition(":")
            if not name:
                continue
            if name not in STEPS:
                known = ", ".join(STEPS)
                raise OptionError(f"There is no augmentation '{name}' (there are {known}).{nearest(name, STEPS)}")
            steps.append((name, _rate(name, rate)))
        if any(name == "synonyms" for name, _ in steps) and not synonyms:
            raise OptionError("The augmentation 'synonyms' needs a table: give a file with --synonyms.")
        return cls(tuple(steps), read_synonyms(Path(synonyms)) if synonyms else {})

    def noises(self, source: Tokenizer) -> list[tuple[noise.Noise, float]]:
        """The steps that damage a source's text."""
        characters = source.kind == "char"
        table: dict[str, noise.Noise] = {
            "drop": noise.drop_characters if characters else noise.drop_words,
            "drop-chars": noise.drop_characters,
            "swap": noise.swap_characters if characters else noise.swap_words,
            "swap-chars": noise.swap_characters,
            "keyboard": noise.keyboard,
            "ocr": noise.scanning,
            "case": noise.case,
            "accents": noise.accents,
            "repeat": noise.repeat_span,
            "synonyms": noise.synonyms(self.synonyms),
        }
        return [(table[name], rate) for name, rate in self.steps if name in table]

    def rate(self, name: str) -> float:
        """The rate of a step, zero when it is not asked for."""
        return dict(self.steps).get(name, 0.0)


def _rate(name: str, text: str) -> float:
    try:
        rate = float(text or "0.1")
    except ValueError:
        rate = -1.0
    if not 0.0 <= rate <= 1.0:
        raise OptionError(f"The augmentation '{name}' takes a rate from 0 to 1, as {name}:0.1 (got '{text}').")
    return rate


def read_synonyms(path: Path) -> dict[str, tuple[str, ...]]:
    """A table of a word and its synonyms a line, separated by tabs.

    Raises:
        DataError: for a missing file, or a line without a synonym; names the line.
    """
    found: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        word, *others = (part.strip() for part in line.split("\t"))
        if not word or not all(others) or not others:
            raise DataError(f"{path.name}, line {number:,}: write a word, a tab, and its synonyms between tabs.")
        found[word] = (*found.get(word, ()), *others)
    return found


class Augmenter:
    """Makes the examples of an epoch from those of the data; the same seed and epoch give the same examples.

    Texts are read back from the token ids, so that a run resumed from its folder, where no text is kept, goes on
    with the very same examples. A word that the vocabularies lack is read back as a sign of its own, the same one
    wherever it stands in its pair, so that it moves with the rest and a copy head still finds it.
    """

    def __init__(
        self, augmentation: Augmentation, source: Tokenizer, target: Tokenizer, copy: CopyMap | None, seed: int
    ) -> None:
        self.augmentation, self.source, self.target, self.copy, self.seed = augmentation, source, target, copy, seed
        self._noises = augmentation.noises(source)
        self._splits = [_Splits.of(side) for side in (source, target)] if augmentation.rate("bpe-dropout") else []
        self._texts: list[tuple[str, str] | None] | None = None

    def __call__(self, examples: Examples, epoch: int) -> Examples:
        """The examples of one epoch: every pair once, perhaps damaged, and the pairs added after them."""
        rng = Random(f"nbtextgen augmentation {self.seed} {epoch}")
        made = self._damaged(examples, rng) if self._noises else examples
        added = [pair for name in ADDING for pair in self._added(name, examples, rng)]
        if added:
            new = self._encoded(added)
            sound = [row for row, ids in enumerate(new.targets) if not (ids == UNK).any()]
            made = _joined(made, new.take(sound))
        return self._with_ids_changed(made, rng)

    def texts(self, examples: Examples) -> list[tuple[str, str] | None]:
        """The texts behind the ids, read once; see ``read_back`` for unknown words."""
        if self._texts is None or len(self._texts) != len(examples):
            read = read_back(self.source, self.target)
            copies = examples.copies or [None] * len(examples)
            self._texts = [read(*ids) for ids in zip(examples.sources, examples.targets, copies, strict=True)]
        return self._texts

    def _damaged(self, examples: Examples, rng: Random) -> Examples:
        found: dict[int, tuple[str, str]] = {}
        for row, pair in enumerate(self.texts(examples)):
            if pair is None:
                continue
            text = pair[0]
            for change, rate in self._noises:
                text = change(text, rate, rng)
            if text != pair[0] and text.strip():
                found[row] = (text, pair[1])
        made = self._encoded(list(found.values()))
        # A word that could only be copied must not vanish from the source: the target would be unknown there.
        rows = [
            (row, at)
            for at, row in enumerate(found)
            if (made.targets[at] == UNK).sum() <= (examples.targets[row] == UNK).sum()
        ]
        return _replaced(examples, [row for row, _ in rows], made.take([at for _, at in rows])) if rows else examples

    def _added(self, name: str, examples: Examples, rng: Random) -> list[tuple[str, str]]:
        count = round(self.augmentation.rate(name) * len(examples))
        pairs = [pair for pair in self.texts(examples) if pair is not None] if count else []
        if not pairs:
            return []
        if name == "copy":
            return [(span, span) for span in (_span(rng.choice(pairs)[1], rng) for _ in range(count))]
        glue = [" " if any(" " in pair[side] for pair in pairs[:200]) else "" for side in (0, 1)]
        chosen = [(rng.choice(pairs), rng.choice(pairs)) for _ in range(count)]
        return [(a[0] + glue[0] + apart(b[0]), a[1] + glue[1] + apart(b[1])) for a, b in chosen]

    def _encoded(self, pairs: Sequence[tuple[str, str]]) -> Examples:
        sources, targets = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        return encode_examples(sources, targets, self.source, self.target, self.copy)

    def _with_ids_changed(self, examples: Examples, rng: Random) -> Examples:
        """Masking and BPE dropout, which work on ids."""
        hidden, split = self.augmentation.rate("mask"), self.augmentation.rate("bpe-dropout")
        sources, targets, copies = examples.sources, examples.targets, examples.copies
        draw = np.random.default_rng(rng.getrandbits(64))
        if split:
            targets = [self._splits[1](ids, split, draw) for ids in targets]
            if copies is None:
                sources = [self._splits[0](ids, split, draw) for ids in sources]
            else:
                pairs = [self._split_to_copy(*row, split, draw) for row in zip(sources, copies, strict=True)]
                sources, copies = [ids for ids, _ in pairs], [ids for _, ids in pairs]
        if hidden:
            sources = [np.where(draw.random(len(ids)) < hidden, MASK, ids) for ids in sources]
        return Examples(sources, targets, copies)

    def _split_to_copy(
        self, ids: np.ndarray, copies: np.ndarray, rate: float, draw: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """A source split, with the copy ids of its parts; a token whose parts the target side lacks stays whole."""
        assert self.copy is not None
        found, points = [], []
        for number, copied in zip(ids.tolist(), copies.tolist(), strict=True):
            parts = self._splits[0](np.array([number]), rate, draw).tolist()
            known = [self.copy.known(part) for part in parts]
            whole = len(parts) == 1 or UNK in known
            found += [number] if whole else parts
            points += [copied] if whole else known
        return np.array(found, dtype=np.int64), np.array(points, dtype=np.int64)


class _Splits:
    """Undoes merges of BPE tokens at random.

    BPE dropout (Provilkov et al. 2020) leaves out merges on the way up; here finished tokens are split on the way
    down, each with the given probability and its parts again. Every result joins to the same text.
    """

    def __init__(self, parts: dict[int, tuple[int, int]]) -> None:
        self.parts = parts

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> _Splits:
        """The merges of a BPE tokenizer; of others, none."""
        tokenizer = tokenizer.inner if isinstance(tokenizer, TruncatedTokenizer) else tokenizer
        return cls(tokenizer.merge_parts() if isinstance(tokenizer, BPETokenizer) else {})

    def __call__(self, ids: np.ndarray, rate: float, draw: np.random.Generator) -> np.ndarray:
        found: list[int] = []
        stack = ids.tolist()[::-1]
        while stack:
            one = stack.pop()
            if one in self.parts and draw.random() < rate:
                first, second = self.parts[one]
                stack += (second, first)
            else:
                found.append(one)
        return np.array(found, dtype=np.int64)


def _span(text: str, rng: Random) -> str:
    """A random run of words (of characters, where there are no spaces)."""
    space = " " if " " in text else ""
    units = text.split(" ") if space else list(text)
    start, stop = sorted((rng.randrange(len(units)), rng.randrange(len(units))))
    return space.join(units[start : stop + 1]).strip() or text


def _replaced(examples: Examples, rows: Sequence[int], new: Examples) -> Examples:
    """The examples with some rows exchanged."""

    def exchanged(old: Sequence[np.ndarray], fresh: Sequence[np.ndarray]) -> list[np.ndarray]:
        found = list(old)
        for row, ids in zip(rows, fresh, strict=True):
            found[row] = ids
        return found

    copies = None
    if examples.copies is not None and new.copies is not None:
        copies = exchanged(examples.copies, new.copies)
    return Examples(exchanged(examples.sources, new.sources), exchanged(examples.targets, new.targets), copies)


def _joined(first: Examples, second: Examples) -> Examples:
    copies = None if first.copies is None or second.copies is None else [*first.copies, *second.copies]
    return Examples([*first.sources, *second.sources], [*first.targets, *second.targets], copies)


EpochExamples = Callable[[Examples, int], Examples]
"""What a trainer asks for the examples of an epoch."""
