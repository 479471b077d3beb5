"""Slices to test: rows of some length, with rare or unknown parts, a script, or a pattern that is frequent in the data.

Nothing here looks at the outputs' errors, so the tests of the slices are fair. The number of slices is bounded, whatever the data.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.escaping import pictured
from nbtextgen.core.wording import counted
from nbtextgen.evaluation.evaluated import EvaluatedOutputs, Indices, quoted
from nbtextgen.tokenizers.segmentation import characters, word_pieces

MIN_ROWS = 10
"""Fewest rows of a slice, and of the rest."""
MIN_SHARE = 0.003
MAX_SHARE = 0.75
"""Share of all rows in a slice: a larger one is rather described by what is not in it."""
MAX_CHARACTERS = 300
"""Characters of a text that are searched for patterns."""
SHORT_TEXT = 60
"""Texts whose mean length is at most this are searched for pairs and triples of characters."""
COUNTED_ROWS = 5_000
"""Rows in which patterns are counted; with more rows, evenly spread ones."""
LENGTH_QUANTILES = (*np.linspace(0.02, 0.98, 49), 0.99)
"""Lengths that bound slices."""
MAX_COMBINED = 16
"""Slices of which pairs are tested: halves by length, scripts and kinds of characters."""
MAX_PATTERNS = {
    "character": 120, "word": 250, "start": 80, "end": 80, "pair": 200, "triple": 200, "words": 200, "shape": 60,
    "word shape": 60, "target": 120, "target word": 150,
}  # fmt: skip
"""Most patterns of each kind; the most frequent are taken."""
SAYS = {
    "character": "the source contains {}",
    "word": "the source has the word {}",
    "start": "the source starts with {}",
    "end": "the source ends with {}",
    "pair": "the source contains {}",
    "triple": "the source contains {}",
    "words": "the source has the words {}",
    "shape": "the source has the form {}",
    "word shape": "the source has a word of the form {}",
    "target": "the target contains {}",
    "target word": "the target has the word {}",
}
Pattern = tuple[str, str]
"""Kind and text."""


@dataclass(frozen=True, eq=False)
class SlicePattern:
    """A slice of the rows.

    Attributes:
        description: a clause, such as ``the source contains "th"``.
        kind: ``length``, ``training``, ``unknown``, ``rare``, ``script``, ``characters``, a kind of pattern, or ``both``.
        indices: its rows.
    """

    description: str
    kind: str
    indices: Indices


def slice_patterns(outputs: EvaluatedOutputs) -> list[SlicePattern]:
    """All slices to test, each set of rows once, with the simplest description that it has."""
    least = max(MIN_ROWS, int(MIN_SHARE * len(outputs)))
    most = min(len(outputs) - least, int(MAX_SHARE * len(outputs)))
    unique = dict[bytes, SlicePattern]()

    def add(pattern: SlicePattern) -> None:
        if least <= len(pattern.indices) <= most:
            unique.setdefault(pattern.indices.tobytes(), pattern)

    for pattern in (*_training(outputs), *_lengths(outputs), *_alphabets(outputs), *_rare(outputs)):
        add(pattern)
    general = [pattern for pattern in unique.values() if pattern.kind in ("script", "characters")][: MAX_COMBINED - 2]
    general += _halves(outputs)
    for pattern in _frequent(outputs, least, most):
        add(pattern)
    for first, second in combinations(general, 2):
        rows = np.intersect1d(first.indices, second.indices, assume_unique=True)
        description = f"{first.description} and {second.description.removeprefix('the source ')}"
        add(SlicePattern(description, "both", rows))
    return list(unique.values())


def _where(flags: Iterable[bool] | NDArray[np.bool_]) -> Indices:
    return np.flatnonzero(np.fromiter(flags, dtype=bool))


def _training(outputs: EvaluatedOutputs) -> Iterator[SlicePattern]:
    if outputs.seen is not None:
        yield SlicePattern("the source was in the training data", "training", _where(outputs.seen))
        yield SlicePattern("the source was not in the training data", "training", _where(~outputs.seen))
    if outputs.unknown is not None:
        says = "the source has a part that the model does not know"
        yield SlicePattern(says, "unknown", _where(outputs.unknown))


def _lengths(outputs: EvaluatedOutputs) -> Iterator[SlicePattern]:
    """Upper and lower ranges by quantile, and fifths, of the lengths of sources, targets and outputs."""
    sides = {"source": outputs.sources, "target": outputs.targets(), "output": outputs.outputs}
    measures: list[tuple[str, Callable[[str], int]]] = [("character", len)]
    if _mean(len(text.split()) for text in outputs.sources) >= 2:
        measures.insert(0, ("word", lambda text: len(text.split())))
    for unit, measure in measures:
        for side, texts in sides.items():
            lengths = np.fromiter(map(measure, texts), dtype=np.int64)
            for bound in np.unique(np.quantile(lengths, LENGTH_QUANTILES).astype(np.int64)):
                size = f"the {side} has {counted(int(bound), unit)}"
                yield SlicePattern(f"{size} or more", "length", _where(lengths >= bound))
                yield SlicePattern(f"{size} or fewer", "length", _where(lengths <= bound))
            bounds = np.unique(np.quantile(lengths, (0.0, 0.2, 0.4, 0.6, 0.8)).astype(np.int64))
            for low, high in zip(bounds[:-1] + 1, bounds[1:], strict=True):
                size = counted(int(high), unit) if low == high else f"{low:,} to {high:,} {unit}s"
                yield SlicePattern(f"the {side} has {size}", "length", _where((lengths >= low) & (lengths <= high)))


def _halves(outputs: EvaluatedOutputs) -> list[SlicePattern]:
    """Short and long sources."""
    lengths = np.fromiter(map(len, outputs.sources), dtype=np.int64)
    bound = int(np.quantile(lengths, 0.5))
    size = f"the source has {counted(bound, 'character')}"
    return [
        SlicePattern(f"{size} or more", "length", _where(lengths >= bound)),
        SlicePattern(f"{size} or fewer", "length", _where(lengths <= bound)),
    ]


def _alphabets(outputs: EvaluatedOutputs) -> Iterator[SlicePattern]:
    """Scripts, and kinds of characters: digits, capitals, marks."""
    scripts: dict[str, list[bool]] = defaultdict(lambda: [False] * len(outputs))
    for row, text in enumerate(outputs.sources):
        for script in {_script(character) for character in set(text)}:
            scripts[script][row] = True
    scripts.pop("", None)
    for script, flags in scripts.items():
        yield SlicePattern(f"the source has {script} letters", "script", _where(flags))
    several = np.sum(list(scripts.values()), axis=0) > 1 if scripts else np.zeros(len(outputs), dtype=bool)
    yield SlicePattern("the source mixes scripts", "script", _where(several))
    tests: dict[str, Callable[[str], bool]] = {
        "the source has a character outside ASCII": lambda text: not text.isascii(),
        "the source has no letters": lambda text: not any(map(str.isalpha, text)),
        "the source has a digit": lambda text: any(map(str.isdigit, text)),
        "the source has no digit": lambda text: not any(map(str.isdigit, text)),
        "the source is in capitals": str.isupper,
        "the source has a capital": lambda text: text != text.lower(),
        "the source has no capital": lambda text: text == text.lower(),
        "the source has punctuation": lambda text: any(map(_is_mark, text)),
        "the source has no punctuation": lambda text: not any(map(_is_mark, text)),
        "the source has several spaces in a row or at an end": lambda text: (
            text != " ".join(text.split(" ")).strip(" ") or "  " in text
        ),
        "the source repeats a word": _repeats,
    }
    for says, test in tests.items():
        yield SlicePattern(says, "characters", _where(map(test, outputs.sources)))


def _rare(outputs: EvaluatedOutputs) -> Iterator[SlicePattern]:
    """Rows with a character or word that few of the sources have."""
    for unit, split in (("character", characters), ("word", _words)):
        parts = [set(split(text)) for text in outputs.sources]
        if unit == "word" and _mean(map(len, parts)) < 2:
            continue
        frequency = Counter(part for each in parts for part in each)
        rarest = np.fromiter((min((frequency[part] for part in each), default=0) for each in parts), dtype=np.int64)
        for bound in (1, 2, 5, 10, 20, 50):
            if 10 * bound <= len(outputs):
                few = "no other source has" if bound == 1 else f"at most {bound} sources have"
                yield SlicePattern(f"the source has a {unit} that {few}", "rare", _where(rarest <= bound))


def _frequent(outputs: EvaluatedOutputs, least: int, most: int) -> Iterator[SlicePattern]:
    """Frequent characters, their pairs and triples, words and their pairs, beginnings, ends and forms."""
    short = _mean(map(len, outputs.sources)) <= SHORT_TEXT
    targets, count = outputs.targets(), len(outputs)
    step = -(-count // COUNTED_ROWS)
    frequency = Counter[Pattern]()
    for row in range(0, count, step):
        frequency.update(_patterns(outputs.sources[row], targets[row], short))
    by_kind: dict[str, list[Pattern]] = defaultdict(list)
    for pattern, rows in frequency.most_common():
        if 0.7 * least <= rows * step <= 1.3 * most and len(by_kind[pattern[0]]) < MAX_PATTERNS[pattern[0]]:
            by_kind[pattern[0]].append(pattern)
    rows_of: dict[Pattern, list[int]] = {pattern: [] for kind in MAX_PATTERNS for pattern in by_kind[kind]}
    for row in range(count):
        for pattern in _patterns(outputs.sources[row], targets[row], short) & rows_of.keys():
            rows_of[pattern].append(row)
    for (kind, text), rows in rows_of.items():
        description = SAYS[kind].format("a space" if text == " " else quoted(pictured(text)))
        yield SlicePattern(description, kind, np.array(rows, dtype=np.int64))


def _patterns(source: str, target: str, short: bool) -> set[Pattern]:
    """All patterns of a row; with ``short`` also pairs and triples of characters."""
    source, target = source[:MAX_CHARACTERS], target[:MAX_CHARACTERS]
    letters, pieces = characters(source), _words(source)
    patterns = {("character", letter) for letter in letters} | {("target", letter) for letter in characters(target)}
    patterns.update(("word", word) for word in pieces)
    if len(pieces) > 1:
        patterns.update(("words", f"{first} {second}") for first, second in zip(pieces, pieces[1:], strict=False))
        patterns.update(("word shape", shape) for word in pieces if len(shape := _shape(word)) > 1)
        patterns.add(("start", pieces[0]))
        patterns.add(("end", pieces[-1]))
    patterns.update(("target word", word) for word in _words(target))
    if short:
        patterns.add(("shape", _shape(source)))
        for size in (1, 2, 3):
            if len(letters) >= size:
                patterns.add(("start", "".join(letters[:size])))
                patterns.add(("end", "".join(letters[-size:])))
        patterns.update(("pair", "".join(pair)) for pair in zip(letters, letters[1:], strict=False))
        patterns.update(("triple", "".join(triple)) for triple in zip(letters, letters[1:], letters[2:], strict=False))
    return patterns


def _words(text: str) -> list[str]:
    """Words and punctuation marks."""
    return [word for piece in word_pieces(text) if (word := piece.strip())]


@lru_cache(100_000)
def _shape(text: str) -> str:
    """The form of a text: runs of digits as ``9``, of capitals as ``A``, of other letters as ``a``."""
    if not text.isascii():
        text = "".join(map(_shape_of, text))
    return re.sub("[a-z]+", "a", re.sub("[A-Z]+", "A", re.sub("[0-9]+", "9", text)))


@cache
def _shape_of(character: str) -> str:
    if character.isdigit():
        return "9"
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return character


@cache
def _script(character: str) -> str:
    """The script of a letter by the first word of its Unicode name, such as ``Latin`` or ``CJK``; empty for others."""
    if not character.isalpha():
        return ""
    name = unicodedata.name(character, "").split(" ")[0]
    return name if name == "CJK" else name.capitalize()


@cache
def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "P"


def _repeats(text: str) -> bool:
    pieces = [word for word in _words(text) if word.isalnum()]
    return len(set(pieces)) < len(pieces)


def _mean(numbers: Iterable[int]) -> float:
    values: Sequence[int] = list(numbers)
    return sum(values) / max(1, len(values))
