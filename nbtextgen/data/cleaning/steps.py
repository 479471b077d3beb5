"""The steps of cleaning: those that rewrite a text, and those that drop a row, each under the name that users write."""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from nbtextgen.core.cancellation import checked
from nbtextgen.core.errors import OptionError
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.data.leaks import HeldOutSources
from nbtextgen.data.near_duplicates import near_duplicates
from nbtextgen.data.text_properties import COPIED_PARTS, detect_language, parts_match

Rewrite = Callable[[str], str]
Drops = Iterator[tuple[int, str]]
"""Rows to drop, each with the reason."""


@dataclass(frozen=True)
class Columns:
    """The input of a dropping step: two columns of text, and the sources held out for validation."""

    sources: Sequence[str]
    targets: Sequence[str]
    held_out: HeldOutSources | None = None

    def rows(self) -> Iterator[tuple[int, tuple[str, str]]]:
        """Every row index with its source and target."""
        return checked(enumerate(zip(self.sources, self.targets, strict=True)))


# Steps that rewrite a text ----------------------------------------------------------------------------------------

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
ZERO_WIDTH = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_HTML = (
    "a abbr article b big blockquote body br button center cite code dd del div dl dt em font footer form h[1-6] head "
    "header hr html i iframe img input ins label li link main meta nav ol option p pre q s script section select small "
    "span strong style sub sup svg table tbody td textarea th thead title tr tt u ul video"
)
TAG = re.compile(rf"</?(?:{_HTML.replace(' ', '|')})(?:\s[^<>]{{0,500}})?/?>|<!--.*?-->", re.DOTALL | re.IGNORECASE)
"""Only real HTML tags: ``<sources.list>`` and ``<me@example.org>`` are text."""
_SPACES = re.compile(r"\s+")
_QUOTES = str.maketrans("\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2032\u2033", "''''\"\"\"\"'\"")


def _without_control(text: str) -> str:
    return CONTROL.sub("", text)


def _without_zero_width(text: str) -> str:
    # U+200C and U+200D stay: Persian, Indic scripts and emoji need them.
    return ZERO_WIDTH.sub("", text)


def _without_markup(text: str) -> str:
    if "<" not in text and "&" not in text:
        return text
    return html.unescape(TAG.sub(" ", text))


def _one_space(text: str) -> str:
    return _SPACES.sub(" ", text).strip()


def _straight_quotes(text: str) -> str:
    return text.translate(_QUOTES)


def _in_form(form: Literal["NFC", "NFKC"]) -> Rewrite:
    return lambda text: text if text.isascii() else unicodedata.normalize(form, text)


def _without_mojibake(text: str) -> str:
    """The text as if it had been decoded with the right encoding."""
    with optional_import("The cleaning step 'mojibake'", "ftfy", "clean"):
        import ftfy
    return text if text.isascii() else ftfy.fix_encoding(text)


REWRITES: dict[str, tuple[Rewrite, str]] = {
    "mojibake": (_without_mojibake, "undo text decoded with the wrong encoding (needs ftfy)"),
    "markup": (_without_markup, "take out HTML tags, read entities such as &amp;"),
    "control": (_without_control, "take out control characters and halves of characters"),
    "zero-width": (_without_zero_width, "take out invisible characters and direction marks"),
    "nfc": (_in_form("NFC"), "Unicode form NFC: accents composed"),
    "nfkc": (_in_form("NFKC"), "Unicode form NFKC: also ligatures, full-width letters and the like"),
    "quotes": (_straight_quotes, "straight quotation marks"),
    "whitespace": (_one_space, "one space for any white space, none at the ends"),
}
"""Name, function and help of every rewriting step, in the order in which they run."""


# Steps that drop rows ---------------------------------------------------------------------------------------------


def _same(columns: Columns, argument: str) -> Drops:
    for row, (source, target) in columns.rows():
        if source == target:
            yield row, "source and target are the same"


def _ratio(columns: Columns, argument: str) -> Drops:
    low, high = _bounds("ratio", argument or "0.1-10")
    for row, (source, target) in columns.rows():
        ratio = len(target) / max(1, len(source))
        if not low <= ratio <= high:
            yield row, f"the target is {ratio:.2g} times as long as the source"


def _length(columns: Columns, argument: str) -> Drops:
    low, high = _bounds("length", argument or "1-5000")
    for row, pair in columns.rows():
        for side, text in zip(("source", "target"), pair, strict=True):
            if not low <= len(text) <= high:
                yield row, f"the {side} has {len(text):,} characters"
                break


def _unmatched(columns: Columns, argument: str) -> Drops:
    kinds = argument.split("+") if argument else list(COPIED_PARTS)
    if not set(kinds) <= set(COPIED_PARTS):
        raise OptionError(f"The cleaning step 'unmatched' takes {'+'.join(COPIED_PARTS)} (got '{argument}').")
    for row, (source, target) in columns.rows():
        for kind in kinds:
            if parts_match(kind, source, target) is False:
                yield row, f"{kind} of the source are not those of the target"
                break


def _language(columns: Columns, argument: str) -> Drops:
    languages = argument.split("-") if argument else []
    if len(languages) != 2:
        raise OptionError(f"The cleaning step 'language' needs two languages, as language:en-fr (got '{argument}').")
    for row, pair in columns.rows():
        for side, text, language in zip(("source", "target"), pair, languages, strict=True):
            detected = None if language == "*" else detect_language(text)
            if detected not in (None, language):
                yield row, f"the {side} reads like {detected}, not {language}"
                break


def _overlap(columns: Columns, argument: str) -> Drops:
    if columns.held_out is not None:
        for row in columns.held_out.rows(columns.sources):
            yield row, "the source is also among the validation pairs"


def _one_target(columns: Columns, argument: str) -> Drops:
    counts: dict[str, Counter[str]] = {}
    for source, target in zip(columns.sources, columns.targets, strict=True):
        counts.setdefault(source, Counter())[target] += 1
    chosen = {source: targets.most_common(1)[0][0] for source, targets in counts.items() if len(targets) > 1}
    for row, (source, target) in columns.rows():
        if chosen.get(source, target) != target:
            yield row, "the same source has another target, more frequent or earlier"


def _dedupe(columns: Columns, argument: str) -> Drops:
    seen: set[tuple[str, str]] = set()
    for row, pair in columns.rows():
        if pair in seen:
            yield row, "the same pair stands earlier"
        seen.add(pair)


def _near(columns: Columns, argument: str) -> Drops:
    similarity = _number("near-duplicates", argument or "90", 50, 100)
    for row, earlier in near_duplicates(columns.sources, columns.targets, similarity):
        yield row, f"nearly the same as '{columns.sources[earlier]:.60}'"


DROPS: dict[str, tuple[Callable[[Columns, str], Drops], str]] = {
    "same": (_same, "drop rows whose source and target are the same"),
    "ratio": (_ratio, "drop rows by target length / source length; ratio:0.1-10"),
    "length": (_length, "drop rows by characters of a side; length:1-5000"),
    "unmatched": (
        _unmatched,
        f"drop rows whose {', '.join(COPIED_PARTS)} differ between the sides; unmatched:numbers+urls",
    ),
    "language": (_language, "drop rows that read like another language (needs langdetect); language:en-fr"),
    "overlap": (
        _overlap,
        "drop training rows whose source is also held out for validation, up to punctuation and case",
    ),
    "one-target": (_one_target, "keep one target for each source: the most frequent, else the first"),
    "dedupe": (_dedupe, "drop rows that repeat an earlier one"),
    "near-duplicates": (_near, "drop rows nearly the same as an earlier one on both sides; near-duplicates:90"),
}
"""Name, function and help of every dropping step, in the order in which they run, after all rewriting."""


def _bounds(step: str, argument: str) -> tuple[float, float]:
    low, dash, high = argument.partition("-")
    try:
        bounds = float(low), float(high)
    except ValueError:
        bounds = None
    if not dash or bounds is None or not 0 <= bounds[0] <= bounds[1]:
        raise OptionError(f"The cleaning step '{step}' takes a range, as {step}:0.5-3 (got '{argument}').")
    return bounds


def _number(step: str, argument: str, low: float, high: float) -> float:
    try:
        value = float(argument)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise OptionError(f"The cleaning step '{step}' takes a number from {low:g} to {high:g} (got '{argument}').")
    return value
