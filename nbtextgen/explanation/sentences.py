"""An explanation in a plain sentence: “01” comes mainly from “January” (62 %).

Tokens and units that are pieces of words are joined to words first, their values added. The share of a part is its value among
all that speak for the output. What cannot be told apart from sampling noise, is spread over many parts, or hardly depends on the
source at all is said to be so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nbtextgen.core.escaping import brief
from nbtextgen.explanation.attributions import Values
from nbtextgen.explanation.faithfulness import Faithfulness
from nbtextgen.inference.output_part import whole_spans
from nbtextgen.tokenizers.normalization import Span
from nbtextgen.tokenizers.segmentation import word_spans

LOG_PROBABILITY = "log-probability"
"""The score whose parts add up to the output."""
MAIN = 0.5
"""Share from which an output comes mainly from one part."""
NEGLIGIBLE = 0.1
"""Nats below which a word does not depend on the source."""
ROUNDING = 1e-9
"""Sums of scores that do not differ have errors below this."""
FEWEST_RANKED = 4
"""Units from which a random order is much of a comparison."""
NAMED = 3
"""Most parts, and most words of the output, that a sentence names."""
MAX_TEXT = 40
"""Most characters of a text that a sentence quotes."""


class Explained(Protocol):
    """The part of an ``Explanation`` that is put into words."""

    @property
    def method(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def contrast(self) -> str | None: ...
    @property
    def unit(self) -> str: ...
    @property
    def input_units(self) -> tuple[str, ...]: ...
    @property
    def input_offsets(self) -> tuple[Span, ...]: ...
    @property
    def output_tokens(self) -> tuple[str, ...]: ...
    @property
    def output_offsets(self) -> tuple[Span, ...]: ...
    @property
    def values(self) -> Values: ...
    @property
    def standard_errors(self) -> Values | None: ...
    @property
    def score(self) -> str: ...
    @property
    def prefix_tokens(self) -> tuple[str, ...]: ...
    @property
    def prefix_offsets(self) -> tuple[Span, ...]: ...
    @property
    def prefix_values(self) -> Values | None: ...
    @property
    def prefix_errors(self) -> Values | None: ...
    @property
    def log_probabilities(self) -> Values: ...
    @property
    def without_source(self) -> Values: ...
    @property
    def faithfulness(self) -> Faithfulness | None: ...


@dataclass(frozen=True, eq=False)
class _Part:
    """A word, or another piece of a text: its name in a sentence, and the indices of its tokens or units."""

    name: str
    members: list[int]


@dataclass(frozen=True, eq=False)
class _Cause:
    """Where a word of the output comes from.

    Attributes:
        clear: whether some parts stand out.
        text: as the rest of a sentence that begins with the word, and shorter, after another clause of the same kind.
        weight: nats that speak for the word.
    """

    word: str
    clear: bool
    text: str
    short: str
    weight: float

    @property
    def sentence(self) -> str:
        return f"{self.word} {self.text}."


def output_sentence(explanation: Explained) -> str:
    """The whole output in a sentence: where its words come from, the most dependent ones first named, in their order."""
    inputs = _input_parts(explanation)
    name = f"“{brief(explanation.text, MAX_TEXT)}”" if explanation.text else "The empty output"
    whole = _cause(explanation, _Part(name, _all_tokens(explanation)), inputs)
    if explanation.contrast is not None:
        return whole.sentence + _caution(explanation)
    causes = [_cause(explanation, part, inputs) for part in _output_parts(explanation)]
    clear = [cause for cause in causes if cause.clear]
    if not clear:
        return whole.sentence + _caution(explanation)
    strongest = sorted(clear, key=lambda cause: -cause.weight)[:NAMED]
    named = [cause for cause in clear if cause in strongest]
    clauses = [f"{named[0].word} {named[0].text}", *(f"{cause.word} {cause.short}" for cause in named[1:])]
    return f"{', '.join(clauses)}." + _caution(explanation)


def token_sentences(explanation: Explained) -> list[str]:
    """A sentence for each output token, about the word that it is part of; about itself in an output of one word."""
    inputs = _input_parts(explanation)
    sentences = [""] * len(explanation.output_tokens)
    parts = _output_parts(explanation, every=True)
    if len(parts) == 1:
        parts = _alone(explanation.text, explanation.output_offsets[:-1], explanation.output_tokens[:-1])
    for part in [*parts, _Part("The end of the output", [len(sentences) - 1])]:
        text = _cause(explanation, part, inputs).sentence
        for token in part.members:
            sentences[token] = sentences[token] or text
    return sentences


def part_sentence(explanation: Explained, text: str, tokens: Sequence[int]) -> str:
    """A sentence for some tokens of the output, which stand for ``text``."""
    return _cause(explanation, _Part(f"“{brief(text, MAX_TEXT)}”", list(tokens)), _input_parts(explanation)).sentence


def _caution(explanation: Explained) -> str:
    """A warning where the explanation ranks the units no better than chance."""
    score = explanation.faithfulness
    if score is None or score.gain > 0.02 or len(explanation.input_units) < FEWEST_RANKED:
        return ""
    return " But removing these parts first changes the output no faster than a random order, so do not rely on it."


def _all_tokens(explanation: Explained) -> list[int]:
    return list(range(len(explanation.output_tokens)))


def _output_parts(explanation: Explained, *, every: bool = False) -> list[_Part]:
    """The words of the output without the end mark; without punctuation unless there is nothing else."""
    parts = _words(explanation.text, explanation.output_offsets[:-1], explanation.output_tokens[:-1])
    words = [part for part in parts if any(character.isalnum() for character in part.name)]
    return _numbered(parts if every or not words else words, parts)


def _input_parts(explanation: Explained) -> list[_Part]:
    """The words of the source; then those of the earlier output, if they took part. Members count through both."""
    if explanation.method == "context":
        return [_Part(name, [index]) for index, name in enumerate(explanation.input_units)]
    if explanation.prefix_values is None:
        parts = _numbered(_source_parts(explanation))
        if len(parts) > 1:
            return parts
        # A single word is the cause of everything.
        return _alone(explanation.source, explanation.input_offsets, explanation.input_units)
    units = len(explanation.input_units)
    earlier = _numbered(_words(explanation.text, explanation.prefix_offsets, explanation.prefix_tokens))
    written = [_Part(f"the earlier {part.name}", [units + member for member in part.members]) for part in earlier]
    return [*_numbered(_source_parts(explanation)), *written]


def _source_parts(explanation: Explained) -> list[_Part]:
    if explanation.unit in ("char", "token"):
        return _words(explanation.source, explanation.input_offsets, explanation.input_units)
    return [_Part(_quoted(text), [index]) for index, text in enumerate(explanation.input_units)]


def _alone(text: str, offsets: Sequence[Span], names: Sequence[str]) -> list[_Part]:
    """Every token or unit by itself, with its place if there are several of the name; pieces of one character are joined."""
    members, texts = list[list[int]](), list[str]()
    spans = whole_spans(text, offsets)
    for index, (span, name) in enumerate(zip(spans, names, strict=True)):
        if index and span == spans[index - 1]:
            members[-1].append(index)
            texts[-1] = text[slice(*span)]
        else:
            members.append([index])
            texts.append(name)
    return [_Part(name, pieces) for name, pieces in zip(quoted_units(texts), members, strict=True)]


def quoted_units(names: Sequence[str]) -> list[str]:
    """Every unit in quotation marks, with its place if there are several of the name: ``“a” at 2``."""
    quoted = [_quoted(name) for name in names]
    counts = Counter(quoted)
    return [f"{name} at {index}" if counts[name] > 1 else name for index, name in enumerate(quoted, 1)]


def _quoted(name: str) -> str:
    return f"“{brief(name.strip() or '␣', MAX_TEXT)}”"


def _numbered(parts: Sequence[_Part], among: Sequence[_Part] | None = None) -> list[_Part]:
    """Some of the parts ``among`` which they are counted, with their place if there are several of the name."""
    among = parts if among is None else among
    counts = Counter(part.name for part in among)
    places = {part.members[0]: place for place, part in enumerate(among, 1)}
    return [
        _Part(f"{part.name} at {places[part.members[0]]}", part.members) if counts[part.name] > 1 else part
        for part in parts
    ]


def _words(text: str, offsets: Sequence[Span], names: Sequence[str]) -> list[_Part]:
    """Tokens or units by the words that they are part of; one that crosses words, or is in none, stays alone.

    Pieces of one character belong together.
    """
    words, spans = word_spans(text), whole_spans(text, offsets)
    parts, last = list[_Part](), -1
    for index, (span, name) in enumerate(zip(spans, names, strict=True)):
        start, stop = span
        touched = [number for number, (begin, end) in enumerate(words) if start < end and begin < stop]
        if parts and (touched == [last] or (start < stop and span == spans[index - 1])):
            parts[-1].members.append(index)
            continue
        last = touched[0] if len(touched) == 1 else -1
        own = text[slice(*words[last])] if last >= 0 else name.strip() or "␣"
        if span in spans[index + 1 : index + 2] and last < 0:
            own = text[start:stop]
        parts.append(_Part(f"“{brief(own, MAX_TEXT)}”", [index]))
    return parts


def _cause(explanation: Explained, part: _Part, inputs: Sequence[_Part]) -> _Cause:
    """Where a part of the output comes from, in words."""
    values, errors = _effects(explanation, part, inputs)
    if explanation.score != LOG_PROBABILITY and explanation.method != "attention":  # whose weights are of no score
        return _score_cause(explanation, part, inputs, values, errors)
    gains = np.maximum(0.0, values)
    total = float(gains.sum())
    order = [int(index) for index in np.argsort(-gains, kind="stable")]
    unclear = _unclear(explanation, part, inputs, values, errors)
    if unclear:
        return _Cause(part.name, False, unclear, unclear, total)
    shares = gains[order] / total
    spread = [1.96 * errors[index] / total for index in order]
    named = _named(shares, spread)
    described = [
        f"{inputs[index].name} ({_percent(shares[rank], spread[rank])})"
        for rank, index in enumerate(order[: named or 2])
    ]
    source = _listed([text for text, index in zip(described, order, strict=False) if gains[index] > 0])
    if explanation.method == "attention":
        verb, preposition = "attends", "to"
    else:
        verb, preposition = "comes", "from"
    if explanation.contrast is not None:
        verb, preposition = f"rather than “{brief(explanation.contrast, MAX_TEXT)}” comes", "from"
    if not named:
        text = f"{verb} {preposition} many parts of {_givens(explanation)}, most {preposition} {source}"
        return _Cause(part.name, False, text, text, total)
    mainly = "mainly " if named == 1 else ""
    return _Cause(part.name, True, f"{verb} {mainly}{preposition} {source}", f"{preposition} {source}", total)


def _named(shares: Values, spread: Sequence[float]) -> int:
    """How many parts a sentence names: the fewest that make ``MAIN``, and those that cannot be told apart from the last of them.

    Zero if these are more than ``NAMED``, or there are no such parts.

    Args:
        shares: of all parts, the largest first.
        spread: the half-width of the 95 % interval of each.
    """
    count = next((count for count in range(1, NAMED + 1) if shares[:count].sum() >= MAIN), 0)
    if not count:
        return 0
    last, noise = shares[count - 1], spread[count - 1]
    while count < len(shares) and shares[count] > 0:
        difference = last - shares[count]
        alike = difference < ROUNDING or (difference < np.hypot(noise, spread[count]) and shares[count] > last / 2)
        if not alike:
            return count
        count += 1
        if count > NAMED:
            return 0
    return count


def _givens(explanation: Explained) -> str:
    """What an output is attributed to, in words."""
    return "the source" if explanation.prefix_values is None else "the source and the earlier output"


def _score_cause(
    explanation: Explained, part: _Part, inputs: Sequence[_Part], values: Values, errors: Values
) -> _Cause:
    """What changes another score most: shares have no meaning where a fall may be as good as a rise."""
    sizes, score = np.abs(values), explanation.score
    if explanation.contrast is not None:
        score += f" (less that of “{brief(explanation.contrast, MAX_TEXT)}”)"
    if sizes.max(initial=0.0) < ROUNDING:
        text = f"has a {score} that does not depend on {_givens(explanation)}"
        return _Cause(part.name, False, text, text, 0.0)
    order = [int(index) for index in np.argsort(-sizes, kind="stable")]
    clear = [index for index in order if np.isfinite(errors[index]) and sizes[index] > 1.96 * errors[index]]
    if not clear:
        text = f"has its {score} from parts that sampling noise hides; give a larger --budget"
        return _Cause(part.name, False, text, text, 0.0)
    shown = [index for index in clear[:2] if index == clear[0] or sizes[index] >= 0.005]  # not +0.00
    named = _listed([f"{inputs[index].name} ({values[index]:+.2f})" for index in shown])
    text = f"has its {score} mostly from {named}"
    return _Cause(part.name, True, text, text, float(sizes.sum()))


def _effects(explanation: Explained, part: _Part, inputs: Sequence[_Part]) -> tuple[Values, Values]:
    """Values of the input parts for a part of the output, and their standard errors, ``(input parts,)`` each.

    The errors of a word's tokens come from the same samples, so they are added; those of its units are taken as independent.
    """
    every, errors = explanation.values, explanation.standard_errors
    if explanation.prefix_values is not None:
        every = np.concatenate([every, explanation.prefix_values], 1)
        if errors is not None and explanation.prefix_errors is not None:
            errors = np.concatenate([errors, explanation.prefix_errors], 1)
    rows = every[part.members]
    tokens = rows.mean(0) if explanation.method == "attention" else rows.sum(0)
    values = np.array([tokens[each.members].sum() for each in inputs])
    if errors is None:
        return values, np.zeros(len(inputs))
    errors = errors[part.members].sum(0)
    return values, np.array([np.sqrt((errors[each.members] ** 2).sum()) for each in inputs])


def _unclear(explanation: Explained, part: _Part, inputs: Sequence[_Part], values: Values, errors: Values) -> str:
    """Why no part of the source can be named, as the rest of a sentence; empty where one can."""
    best, worst, givens = int(values.argmax()), int(values.argmin()), _givens(explanation)
    if explanation.method in ("attention", "context"):
        return "" if values[best] > 0 else "has no cause among these parts"
    if np.abs(values).max() < NEGLIGIBLE and abs(values.sum()) < NEGLIGIBLE:
        return _independent(explanation, part)
    if not np.isfinite(errors).all():
        return "comes from parts that sampling noise hides; give a larger --budget"
    little = np.maximum(values, 0).sum() < NEGLIGIBLE <= -values[worst]  # speaks for it
    if (little or values.sum() < -NEGLIGIBLE) and -values[worst] > max(values[best], 1.96 * errors[worst]):
        against = "" if explanation.contrast is None else f" rather than “{brief(explanation.contrast, MAX_TEXT)}”"
        return f"is written{against} against {givens}, most of all against {inputs[worst].name}"
    if values[best] <= 1.96 * errors[best] and errors[best] > 0:
        return "comes from parts that sampling noise hides; give a larger --budget"
    return "" if values[best] > 0 else f"has no part of {givens} that speaks for it"


def _independent(explanation: Explained, part: _Part) -> str:
    """What to say of an output that no part has an effect on: the whole source may still have one."""
    with_source = float(explanation.log_probabilities[part.members].sum())
    without_source = float(explanation.without_source[part.members].sum())
    together = abs(with_source - without_source) >= NEGLIGIBLE
    if explanation.contrast is not None:
        decided = f"is not decided by {_givens(explanation)} against the alternative"
        return f"{decided} as far as this method can tell" if together else decided
    figures = f"(p = {_percent(np.exp(with_source))} with it, {_percent(np.exp(without_source))} without)"
    if not together:
        return f"hardly depends on the source {figures}"
    return f"depends on the source as a whole {figures}, but on no single part as far as this method can tell"


def _percent(share: float, spread: float = 0.0) -> str:
    error = f" ± {100 * spread:.0f}" if spread >= 0.005 else ""
    return f"{100 * share:.0f}{error} %"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
