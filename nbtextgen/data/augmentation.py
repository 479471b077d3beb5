"""Augmentation: new versions of the training pairs in every epoch, made on the fly and repeatable from the seed.

Noise changes sources, never targets. Added pairs have spans or joins of real targets. So a model only learns to write
targets that a person could have written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from nbtextgen.core.errors import DataError, OptionError, nearest
from nbtextgen.data import noise
from nbtextgen.data.batching import CopyMap, Examples, Ids, encode_examples, joined
from nbtextgen.data.detokenization import PairDecoder, with_other_signs
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
"""Help for every step. Each takes a rate from 0 to 1: per token, per character, or of added pairs per pair."""
ADDING = ("concat", "copy")
OFF = "none"
"""In the place of steps: no augmentation, also where the data would suggest one."""
EpochExamples = Callable[[Examples, int], Examples]
"""Makes the examples of an epoch, given those of the data and the number of the epoch."""


@dataclass(frozen=True)
class Augmentation:
    """A parsed pipeline: steps with their rates in the order given, and the user's synonyms."""

    steps: tuple[tuple[str, float], ...]
    synonyms: dict[str, tuple[str, ...]]

    @classmethod
    def parse(cls, text: str, synonyms: str | None = None) -> Augmentation:
        """Parse ``swap:0.1,keyboard:0.05``, or ``none`` for no steps, and read the file of synonyms.

        Raises:
            OptionError: for an unknown step (with the nearest), a bad rate, or synonyms without a table.
            DataError: if the table cannot be read; names the line.
        """
        steps = list[tuple[str, float]]()
        for part in text.split(",") if text.strip() != OFF else ():
            name, _, rate = part.strip().partition(":")
            if name and name not in STEPS:
                names = ", ".join(STEPS)
                raise OptionError(f"There is no augmentation '{name}' (there are {names}).{nearest(name, STEPS)}")
            if name:
                steps.append((name, _parse_rate(name, rate)))
        if any(name == "synonyms" for name, _ in steps) and not synonyms:
            raise OptionError("The augmentation 'synonyms' needs a table: give a file with --synonyms.")
        return cls(tuple(steps), read_synonyms(Path(synonyms)) if synonyms else {})

    def noises(self, source: Tokenizer) -> list[tuple[noise.Noise, float]]:
        """The steps that change the text of a source, with their rates."""
        characters = source.kind == "char"
        functions: dict[str, noise.Noise] = {
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
        return [(functions[name], rate) for name, rate in self.steps if name in functions]

    @property
    def growth(self) -> float:
        """Pairs of an epoch for each pair of the data."""
        return 1.0 + sum(self.rate(name) for name in ADDING)

    def rate(self, name: str) -> float:
        """The rate of a step; zero if it is not among them."""
        return dict(self.steps).get(name, 0.0)


def _parse_rate(name: str, text: str) -> float:
    try:
        rate = float(text or "0.1")
    except ValueError:
        rate = -1.0
    if not 0.0 <= rate <= 1.0:
        raise OptionError(f"The augmentation '{name}' takes a rate from 0 to 1, as {name}:0.1 (got '{text}').")
    return rate


def read_synonyms(path: Path) -> dict[str, tuple[str, ...]]:
    """Read a table with a word and its synonyms in each line, separated by tabs.

    Raises:
        DataError: for a missing file, or a line without a synonym; names the line.
    """
    synonyms: dict[str, tuple[str, ...]] = {}
    for line_number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        word, *others = (cell.strip() for cell in line.split("\t"))
        if not word or not all(others) or not others:
            raise DataError(f"{path.name}, line {line_number:,}: write a word, a tab, and its synonyms between tabs.")
        synonyms[word] = (*synonyms.get(word, ()), *others)
    return synonyms


class Augmenter:
    """Makes the examples of an epoch from those of the data; the same seed and epoch give the same examples.

    Texts are decoded from the token ids, so that a run resumed from its folder, where no text is kept, continues
    with the very same examples; see ``PairDecoder`` for unknown words.
    """

    def __init__(
        self, augmentation: Augmentation, source: Tokenizer, target: Tokenizer, copy: CopyMap | None, seed: int
    ) -> None:
        self.augmentation, self.source, self.target, self.copy, self.seed = augmentation, source, target, copy, seed
        self._noises = augmentation.noises(source)
        self._dropout_rate, self._mask_rate = augmentation.rate("bpe-dropout"), augmentation.rate("mask")
        self._source_dropout, self._target_dropout = _BPEDropout.of(source), _BPEDropout.of(target)
        self._texts: list[tuple[str, str] | None] = []
        self._decoded: Examples | None = None

    def __call__(self, examples: Examples, epoch: int) -> Examples:
        """The examples of one epoch: every pair once, perhaps with noise, followed by the added pairs."""
        rng = Random(f"nbtextgen augmentation {self.seed} {epoch}")
        epoch_examples = self._with_noise(examples, rng) if self._noises else examples
        pairs = [pair for step in ADDING for pair in self._added_pairs(step, examples, rng)]
        if pairs:
            added = self._encode(pairs)
            learnable = [row for row, ids in enumerate(added.targets) if not (ids == UNK).any()]
            epoch_examples = joined(epoch_examples, added.take(learnable))
        return self._with_id_noise(epoch_examples, rng)

    def texts(self, examples: Examples) -> list[tuple[str, str] | None]:
        """The texts of the examples, decoded once for the same examples."""
        if self._decoded is not examples:
            decoder = PairDecoder(self.source, self.target)
            copies = examples.copies or [None] * len(examples)
            self._texts = [decoder.decode(*ids) for ids in zip(examples.sources, examples.targets, copies, strict=True)]
            self._decoded = examples
        return self._texts

    def _with_noise(self, examples: Examples, rng: Random) -> Examples:
        """The examples with some sources changed."""
        pairs: dict[int, tuple[str, str]] = {}
        for row, pair in enumerate(self.texts(examples)):
            if pair is None:
                continue
            text = pair[0]
            for change, rate in self._noises:
                text = change(text, rate, rng)
            if text != pair[0] and text.strip():
                pairs[row] = (text, pair[1])
        noisy = self._encode(list(pairs.values()))
        sources, targets = list(examples.sources), list(examples.targets)
        copies = None if examples.copies is None else list(examples.copies)
        for index, row in enumerate(pairs):
            # A word that could only be copied must not vanish from the source: the target would be unknown there.
            if (noisy.targets[index] == UNK).sum() > (targets[row] == UNK).sum():
                continue
            sources[row], targets[row] = noisy.sources[index], noisy.targets[index]
            if copies is not None and noisy.copies is not None:
                copies[row] = noisy.copies[index]
        return Examples(sources, targets, copies)

    def _added_pairs(self, step: str, examples: Examples, rng: Random) -> list[tuple[str, str]]:
        count = round(self.augmentation.rate(step) * len(examples))
        pairs = [pair for pair in self.texts(examples) if pair is not None] if count else []
        if not pairs:
            return []
        if step == "copy":
            return [(span, span) for span in (_random_span(rng.choice(pairs)[1], rng) for _ in range(count))]
        spaces = [" " if any(" " in pair[side] for pair in pairs[:200]) else "" for side in (0, 1)]
        chosen = [(rng.choice(pairs), with_other_signs(rng.choice(pairs))) for _ in range(count)]
        return [(a[0] + spaces[0] + b[0], a[1] + spaces[1] + b[1]) for a, b in chosen]

    def _encode(self, pairs: Sequence[tuple[str, str]]) -> Examples:
        sources, targets = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        return encode_examples(sources, targets, self.source, self.target, self.copy)

    def _with_id_noise(self, examples: Examples, rng: Random) -> Examples:
        """The examples after BPE dropout and masking, which work on ids."""
        sources, targets, copies = examples.sources, examples.targets, examples.copies
        draw = np.random.default_rng(rng.getrandbits(64))
        if rate := self._dropout_rate:
            targets = [self._target_dropout(ids, rate, draw) for ids in targets]
            if copies is None:
                sources = [self._source_dropout(ids, rate, draw) for ids in sources]
            else:
                pairs = [self._dropout_with_copies(*row, draw) for row in zip(sources, copies, strict=True)]
                sources, copies = [ids for ids, _ in pairs], [ids for _, ids in pairs]
        if self._mask_rate:
            sources = [np.where(draw.random(len(ids)) < self._mask_rate, MASK, ids) for ids in sources]
        return Examples(sources, targets, copies)

    def _dropout_with_copies(self, source: Ids, copies: Ids, draw: np.random.Generator) -> tuple[Ids, Ids]:
        """A source with some tokens split, and its copy ids; a token stays whole if the target side lacks a part."""
        assert self.copy is not None
        new_source, new_copies = list[int](), list[int]()
        for token_id, copy_id in zip(source.tolist(), copies.tolist(), strict=True):
            parts: list[int] = self._source_dropout(np.array([token_id]), self._dropout_rate, draw).tolist()
            part_copies = [self.copy.target_id(part) for part in parts]
            is_whole = len(parts) == 1 or UNK in part_copies
            new_source += [token_id] if is_whole else parts
            new_copies += [copy_id] if is_whole else part_copies
        return np.array(new_source, dtype=np.int64), np.array(new_copies, dtype=np.int64)


class _BPEDropout:
    """Undoes merges of BPE tokens at random.

    BPE dropout (Provilkov et al. 2020) skips merges while a token is built. Here finished tokens are split instead,
    each with the given probability, and then their parts. Every result joins to the same text.
    """

    def __init__(self, parts: Mapping[int, tuple[int, int]]) -> None:
        self._parts = parts

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> _BPEDropout:
        """Dropout for a tokenizer; it changes nothing if the tokenizer is not BPE."""
        tokenizer = tokenizer.inner if isinstance(tokenizer, TruncatedTokenizer) else tokenizer
        return cls(tokenizer.merge_parts() if isinstance(tokenizer, BPETokenizer) else {})

    def __call__(self, ids: Ids, rate: float, draw: np.random.Generator) -> Ids:
        split = list[int]()
        stack: list[int] = ids.tolist()[::-1]
        while stack:
            token_id = stack.pop()
            if token_id in self._parts and draw.random() < rate:
                first, second = self._parts[token_id]
                stack += (second, first)
            else:
                split.append(token_id)
        return np.array(split, dtype=np.int64)


def _random_span(text: str, rng: Random) -> str:
    """A random run of words (of characters if there are no spaces)."""
    space = " " if " " in text else ""
    units = text.split(" ") if space else list(text)
    start, stop = sorted((rng.randrange(len(units)), rng.randrange(len(units))))
    return space.join(units[start : stop + 1]).strip() or text
