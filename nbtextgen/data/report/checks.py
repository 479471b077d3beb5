"""The checks of the data report, each over all rows at once."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import MissingPackageError
from nbtextgen.core.wording import counted
from nbtextgen.data.cleaning.steps import CONTROL, TAG, ZERO_WIDTH
from nbtextgen.data.leaks import HeldOutSources
from nbtextgen.data.near_duplicates import near_duplicates
from nbtextgen.data.report.findings import Findings
from nbtextgen.data.rows import Rows, cell_problem, is_missing
from nbtextgen.data.text_properties import (
    COPIED_PARTS,
    MIN_DETECTED_LENGTH,
    MIN_DETECTED_WORDS,
    detect_language,
    mixed_word,
    parts_match,
    script,
    scripts,
)

USUAL = 0.6
"""Fraction of the rows with a number (an address, a bracket) that must copy it before a row that does not is reported."""
LANGUAGE_SAMPLE = 100
"""Rows whose language is detected: each takes milliseconds."""
_ENTITY = re.compile(r"&(?:[A-Za-z]{2,8}|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});")
_MARKUP = re.compile(f"{TAG.pattern}|{_ENTITY.pattern}", TAG.flags)
_WHITE_SPACE = re.compile(r"^\s|\s$|\s\s|[^\S ]")
_MOJIBAKE = re.compile(
    "[\u00c2-\u00c5\u00d0\u00d1][\u0080-\u00bf\u0152\u0160\u0161\u017d\u2013-\u2122]|\u00e2\u20ac|\ufffd"
)
"""UTF-8 read as Latin-1 or Windows-1252, and replacement characters."""


@dataclass(frozen=True)
class Texts:
    """The rows that are two texts; ``rows`` holds their indices in the table."""

    rows: NDArray[np.int64]
    sources: list[str]
    targets: list[str]

    @classmethod
    def of(cls, table: Rows, rows: NDArray[np.int64]) -> Texts:
        """The texts of some rows."""
        sources, targets = cast("list[str]", table.sources), cast("list[str]", table.targets)
        return cls(rows, [sources[row] for row in rows], [targets[row] for row in rows])

    def __len__(self) -> int:
        return len(self.sources)

    def rows_where(self, test: Callable[[str, str], object]) -> list[int]:
        """Indices in the table of the rows whose source and target pass a test."""
        pairs = zip(self.rows.tolist(), self.sources, self.targets, strict=True)
        return [row for row, source, target in pairs if test(source, target)]

    def rows_with(self, test: Callable[[str], object]) -> list[int]:
        """Indices in the table of the rows of which either text passes a test."""
        return self.rows_where(lambda source, target: test(source) or test(target))

    def columns(self) -> Iterable[tuple[str, list[str]]]:
        """Both columns by name."""
        return (("source", self.sources), ("target", self.targets))


def unusable(findings: Findings) -> NDArray[np.int64]:
    """Report rows that could not be read, are missing, empty, or not text; returns the indices of the other rows."""
    table = findings.rows
    problems: dict[str, list[int]] = {name: [] for name in ("missing", "empty", "not-text", "broken-text")}
    usable = list[int]()
    for row, cells in enumerate(zip(table.sources, table.targets, strict=True)):
        if row in table.problems:
            continue
        cell = next((cell for cell in cells if cell_problem(cell) is not None), usable)
        if cell is usable:
            usable.append(row)
        elif isinstance(cell, str):
            problems["broken-text" if cell.strip() else "empty"].append(row)
        else:
            problems["missing" if is_missing(cell) else "not-text"].append(row)
    reasons = table.problems.values()
    findings.add("unreadable", "rows that cannot be read", list(table.problems), "high", "empty", texts=reasons)
    for name, description, step in (
        ("missing", "a cell is missing (NaN, None)", "empty"),
        ("empty", "a cell is empty or only white space", "empty"),
        ("not-text", "a cell is a number or another kind of value", "text"),
        ("broken-text", "a text holds half a character (a lone surrogate)", "control"),
    ):
        findings.add(name, description, problems[name], "high", step)
    return np.array(usable, dtype=np.int64)


def lengths(findings: Findings, texts: Texts) -> tuple[float, float, float]:
    """Report ratios of length beyond six robust standard deviations of the mean log ratio; returns their quantiles."""
    source = np.array([len(text) for text in texts.sources])
    target = np.array([len(text) for text in texts.targets])
    ratio = target / source
    logs = np.log(ratio)
    median = np.median(logs)
    spread = max(1.4826 * float(np.median(np.abs(logs - median))), 0.25)  # 1.4826: MAD to standard deviation
    low, high = (float(f"{np.exp(median + sign * 6 * spread):.2g}") for sign in (-1, 1))
    outliers = texts.rows[(ratio < low) | (ratio > high)].tolist()
    description = f"the target is less than {low:g} or more than {high:g} times as long as the source"
    findings.add("length-ratio", description, outliers, "medium", f"ratio:{low:g}-{high:g}")
    very_long = texts.rows[(source > 5000) | (target > 5000)].tolist()
    findings.add("very-long", "a text of more than 5,000 characters", very_long, "medium", "length:1-5000")
    first, second, third = np.exp(np.percentile(logs, [1, 50, 99])).tolist()
    return first, second, third


def duplicates(findings: Findings, texts: Texts, similarity: float) -> None:
    """Repeated pairs, sources with several targets, near-duplicates, sources equal to their target."""
    distinct: dict[tuple[str, str], int] = {}
    targets = defaultdict[str, set[str]](set)
    repeated = list[int]()
    for row, pair in zip(texts.rows.tolist(), zip(texts.sources, texts.targets, strict=True), strict=True):
        if distinct.setdefault(pair, row) != row:
            repeated.append(row)
        targets[pair[0]].add(pair[1])
    severity = "medium" if len(repeated) > 0.02 * len(texts) else "low"
    findings.add("duplicates", "the same pair stands earlier", repeated, severity, "dedupe")
    most_common, count = Counter(texts.targets).most_common(1)[0]
    if count > 0.5 * len(texts) and len(texts) > 3:
        rows = texts.rows_where(lambda _, target: target == most_common)
        description = f"the same target, '{most_common:.40}': a model that always writes it is right here"
        findings.add("one-answer", description, rows, "high" if count > 0.9 * len(texts) else "medium", None)
    conflicting = texts.rows_where(lambda source, _: len(targets[source]) > 1)
    findings.add("several-targets", "the same source has different targets", conflicting, "medium", "one-target")
    same = texts.rows_where(lambda source, target: source == target)
    mostly = len(same) > len(texts) / 2  # then the task is to copy
    findings.add(
        "same", "source and target are the same", same, "low" if mostly else "medium", None if mostly else "same"
    )
    sources, rows = [source for source, _ in distinct], list(distinct.values())
    near = list(near_duplicates(sources, [target for _, target in distinct], similarity))
    examples = [f"{sources[row]:.70} \u2248 {sources[earlier]:.70}" for row, earlier in near[:3]]
    step = "near-duplicates" if similarity == 90 else f"near-duplicates:{similarity:g}"
    near_rows = [rows[row] for row, _ in near]
    findings.add("near-duplicates", "nearly the same as an earlier pair", near_rows, "low", step, texts=examples)


def character_counts(texts: Sequence[str]) -> Counter[str]:
    """How often each character occurs."""
    counts = np.zeros(0x110000, dtype=np.int64)
    for start in range(0, len(texts), 20_000):
        joined = "".join(texts[start : start + 20_000]).encode("utf-32-le", "surrogatepass")
        part = np.bincount(np.frombuffer(joined, dtype=np.uint32))
        counts[: len(part)] += part
    return Counter({chr(code): int(counts[code]) for code in np.flatnonzero(counts)})


def characters(findings: Findings, texts: Texts) -> None:
    """Control and invisible characters, wrong encodings, markup, Unicode forms, stray white space, rare characters."""
    counts = character_counts(texts.sources) + character_counts(texts.targets)
    inventory = "".join(counts)
    if CONTROL.search(inventory):
        findings.add("control", "control characters", texts.rows_with(CONTROL.search), "medium", "control")
    if ZERO_WIDTH.search(inventory):
        rows = texts.rows_with(ZERO_WIDTH.search)
        findings.add("zero-width", "zero-width characters or direction marks", rows, "medium", "zero-width")
    if not inventory.isascii():
        _encoding(findings, texts)
    if "<" in inventory or "&" in inventory:
        findings.add("markup", "HTML tags or entities", texts.rows_with(_MARKUP.search), "medium", "markup")
    rows = texts.rows_with(_WHITE_SPACE.search)
    findings.add("white-space", "white space at an end, doubled, or other than the space", rows, "low", "whitespace")
    rare = [character for character, count in counts.items() if count <= 2]
    if rare and len(texts) >= 200:
        rows = texts.rows_with(re.compile("[" + re.escape("".join(rare)) + "]").search)
        findings.add(
            "rare-characters", f"{counted(len(rare), 'character')} seen only once or twice in all", rows, "low", None
        )


def _encoding(findings: Findings, texts: Texts) -> None:
    """Texts decoded with the wrong encoding, and texts in several Unicode forms."""
    try:
        from ftfy.badness import is_bad
    except ImportError:
        is_bad = bool

    def is_mojibake(text: str) -> bool:
        # ftfy's own test also fires on odd but right text, so both tests must agree if ftfy is installed.
        return not text.isascii() and bool(_MOJIBAKE.search(text)) and ("\ufffd" in text or bool(is_bad(text)))

    rows = texts.rows_with(is_mojibake)
    findings.add("mojibake", "text decoded with the wrong encoding, such as 'Ã©' for 'é'", rows, "high", "mojibake")
    rows = texts.rows_with(lambda text: not unicodedata.is_normalized("NFC", text))
    if len(rows) < len(texts) * 0.9:  # otherwise the whole table is in another form
        findings.add(
            "unicode-form", "letters and accents not in Unicode form NFC, unlike other rows", rows, "low", "nfc"
        )


def writing_systems(findings: Findings, texts: Texts) -> None:
    """Words with letters of two scripts, and rows in another script than the rest of their column."""
    mixed: dict[int, str] = {}
    other = set[int]()
    for _, column in texts.columns():
        letters = script_counts(column)
        if len(letters) < 2:
            continue
        main, count = letters.most_common(1)[0]
        is_uniform = count > 0.8 * letters.total()
        for row, text in zip(texts.rows.tolist(), column, strict=True):
            if text.isascii() and main == "Latin":
                continue
            if (word := mixed_word(text)) is not None:
                mixed.setdefault(row, word)
            text_letters = scripts(text)
            if is_uniform and text_letters and text_letters[main] < text_letters.total() / 2:
                other.add(row)
    findings.add(
        "mixed-scripts", "a word with letters of two writing systems", list(mixed), "medium", None, texts=mixed.values()
    )
    findings.add("other-script", "mostly in another writing system than its column", sorted(other), "medium", None)


def script_counts(texts: Sequence[str]) -> Counter[str]:
    """Number of letters of each script in a column."""
    counts = Counter[str]()
    for character, count in character_counts(texts).items():
        if name := script(character):
            counts[name] += count
    return counts


def copied_parts(findings: Findings, texts: Texts) -> None:
    """Numbers, addresses and brackets that differ between the sides, if they usually do not."""
    for kind in COPIED_PARTS:
        matches = [parts_match(kind, *pair) for pair in zip(texts.sources, texts.targets, strict=True)]
        rows = [row for row, match in zip(texts.rows.tolist(), matches, strict=True) if match is False]
        if matches.count(True) >= USUAL * (matches.count(True) + len(rows)):
            description = f"{kind} of one side are missing or different on the other"
            findings.add(f"unmatched-{kind}", description, rows, "medium", f"unmatched:{kind}", of=len(texts))


def languages(findings: Findings, texts: Texts) -> None:
    """Rows of a sample in another language than the rest of their column, if a detector is installed."""
    for name, column in texts.columns():
        rows = [
            row
            for row, text in enumerate(column)
            if len(text) >= MIN_DETECTED_LENGTH and text.count(" ") >= MIN_DETECTED_WORDS
        ]
        sample = rows[:: max(1, len(rows) // LANGUAGE_SAMPLE)][:LANGUAGE_SAMPLE]
        if len(sample) < 20:
            continue
        try:
            detected = {row: detect_language(column[row]) for row in sample}
        except MissingPackageError:
            return
        usual, count = Counter(detected.values()).most_common(1)[0]
        if usual and count >= 0.8 * len(sample):
            others = {row: language for row, language in detected.items() if language not in (usual, None)}
            step = f"language:{usual}-*" if name == "source" else f"language:*-{usual}"
            description = f"of {len(sample)} rows looked at, a {name} that does not read like {usual}"
            examples = [f"{language}: {column[row]:.70}" for row, language in others.items()]
            other_rows = [int(texts.rows[row]) for row in others]
            findings.add(f"{name}-language", description, other_rows, "medium", step, of=len(sample), texts=examples)


def overlap(findings: Findings, texts: Texts, valid: Rows) -> None:
    """Sources that are also held out for validation, up to punctuation, case, spacing and Unicode form."""
    held_out = HeldOutSources(cast("Sequence[str]", valid.sources))
    rows = [int(texts.rows[row]) for row in held_out.rows(texts.sources)]
    findings.add("overlap", "the source is also among the validation pairs", rows, "high", "overlap")
