"""The checks of the data report, each over all rows at once; what is rare is looked for only where it can be."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import MissingPackageError
from nbtextgen.data.cleaning.steps import CONTROL, TAG, ZERO_WIDTH
from nbtextgen.data.near_duplicates import near_duplicates
from nbtextgen.data.report.findings import Findings
from nbtextgen.data.rows import Rows, cell_problem, is_missing, same_key
from nbtextgen.data.text_properties import FEWEST, KINDS, SHORTEST, carried, detect, mixed_word, script, scripts

USUALLY = 0.6
"""Share of the rows with a number (an address, a bracket) that must carry it over before a row that does not is odd."""
SAMPLED = 100
"""Rows whose language is guessed: each guess takes milliseconds."""
_ENTITY = re.compile(r"&(?:[A-Za-z]{2,8}|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});")
_MISREAD = re.compile(
    "[\u00c2-\u00c5\u00d0\u00d1][\u0080-\u00bf\u0152\u0160\u0161\u017d\u2013-\u2122]|\u00e2\u20ac|\ufffd"
)
"""UTF-8 read as Latin-1 or Windows-1252, and replacement characters."""


@dataclass(frozen=True)
class Texts:
    """The rows that are two texts: ``rows`` says which rows of the table they are."""

    rows: NDArray[np.int64]
    sources: list[str]
    targets: list[str]

    @classmethod
    def of(cls, table: Rows, rows: NDArray[np.int64]) -> Texts:
        """The texts of some rows."""
        return cls(rows, [table.sources[row] for row in rows], [table.targets[row] for row in rows])

    def __len__(self) -> int:
        return len(self.sources)

    def where(self, test: Callable[[str, str], object]) -> list[int]:
        """Rows of the table for which the test of source and target holds."""
        pairs = zip(self.rows.tolist(), self.sources, self.targets, strict=True)
        return [row for row, source, target in pairs if test(source, target)]

    def columns(self) -> Iterable[tuple[str, list[str]]]:
        """Both columns by name."""
        return (("source", self.sources), ("target", self.targets))


def unusable(findings: Findings) -> NDArray[np.int64]:
    """Rows that could not be read, are missing, empty, or no text; gives the numbers of the others."""
    table = findings.rows
    kinds: dict[str, list[int]] = {
        "unreadable": list(table.problems),
        "missing": [],
        "empty": [],
        "not text": [],
        "broken": [],
    }
    bad = set(table.problems)
    for row, cells in enumerate(zip(table.sources, table.targets, strict=True)):
        if row in bad:
            continue
        for cell in cells:
            if isinstance(cell, str) and cell.isascii() and cell and not cell.isspace():
                continue
            problem = cell_problem(cell)
            if problem is None:
                continue
            text = isinstance(cell, str)
            kind = (
                "missing" if is_missing(cell) else "not text" if not text else "empty" if not cell.strip() else "broken"
            )
            kinds[kind].append(row)
            bad.add(row)
            break
    said = [f"{table.problems[row]}" for row in kinds["unreadable"][:3]]
    findings.add("unreadable", "rows that cannot be read", kinds["unreadable"], "high", "empty", shown=said)
    findings.add("missing", "a cell is missing (NaN, None)", kinds["missing"], "high", "empty")
    findings.add("empty", "a cell is empty or only white space", kinds["empty"], "high", "empty")
    findings.add("not-text", "a cell is a number or another kind of value", kinds["not text"], "high", "text")
    findings.add("broken-text", "a text holds half a character (a lone surrogate)", kinds["broken"], "high", "control")
    return np.array([row for row in range(findings.total) if row not in bad], dtype=np.int64)


def lengths(findings: Findings, texts: Texts) -> tuple[float, float, float]:
    """Length-ratio outliers: beyond six robust standard deviations of the mean log ratio; gives the ratio's quantiles."""
    source = np.array([len(text) for text in texts.sources])
    target = np.array([len(text) for text in texts.targets])
    logs = np.log(target / source)
    middle = np.median(logs)
    spread = max(1.4826 * float(np.median(np.abs(logs - middle))), 0.25)  # 1.4826: MAD to standard deviation
    low, high = float(np.exp(middle - 6 * spread)), float(np.exp(middle + 6 * spread))
    low, high = float(f"{low:.2g}"), float(f"{high:.2g}")
    odd = texts.rows[(target / source < low) | (target / source > high)]
    words = f"the target is less than {low:g} or more than {high:g} times as long as the source"
    findings.add("length-ratio", words, odd.tolist(), "medium", f"ratio:{low:g}-{high:g}")
    longest = texts.rows[(source > 5000) | (target > 5000)]
    findings.add("very-long", "a text of more than 5,000 characters", longest.tolist(), "medium", "length:1-5000")
    one, two, three = np.exp(np.percentile(logs, [1, 50, 99]))
    return (float(one), float(two), float(three))


def duplicates(findings: Findings, texts: Texts, similarity: float) -> None:
    """Repeated pairs, sources with several targets, near-duplicates, sources equal to their target."""
    seen: dict[tuple[str, str], int] = {}
    targets: dict[str, set[str]] = {}
    repeated, first = [], []
    for at, pair in enumerate(zip(texts.sources, texts.targets, strict=True)):
        if pair in seen:
            repeated.append(int(texts.rows[at]))
        else:
            seen[pair] = at
            first.append(at)
        targets.setdefault(pair[0], set()).add(pair[1])
    share = len(repeated) / max(1, len(texts))
    findings.add("duplicates", "the same pair stands earlier", repeated, "medium" if share > 0.02 else "low", "dedupe")
    several = {source for source, found in targets.items() if len(found) > 1}
    conflicting = texts.where(lambda source, _: source in several)
    findings.add("several-targets", "the same source has different targets", conflicting, "medium", "one-target")
    same = texts.where(lambda source, target: source == target)
    much = len(same) > len(texts) / 2  # then copying is what the task asks for
    findings.add("same", "source and target are the same", same, "low" if much else "medium", None if much else "same")
    alone = [texts.sources[at] for at in first], [texts.targets[at] for at in first]
    near = [(int(texts.rows[first[row]]), earlier) for row, earlier in near_duplicates(*alone, similarity)]
    shown = [f"{findings.rows.sources[row]!s:.70} \u2248 {alone[0][earlier]:.70}" for row, earlier in near[:3]]
    step = "near-duplicates" if similarity == 90 else f"near-duplicates:{similarity:g}"
    findings.add(
        "near-duplicates", "nearly the same as an earlier pair", [row for row, _ in near], "low", step, shown=shown
    )


def character_counts(texts: Sequence[str]) -> dict[str, int]:
    """How often each character occurs."""
    counts = np.zeros(0x110000, dtype=np.int64)
    for start in range(0, len(texts), 20_000):
        joined = "".join(texts[start : start + 20_000]).encode("utf-32-le", "surrogatepass")
        part = np.bincount(np.frombuffer(joined, dtype=np.uint32))
        counts[: len(part)] += part
    return {chr(code): int(counts[code]) for code in np.flatnonzero(counts)}


def characters(findings: Findings, texts: Texts) -> None:
    """Control and invisible characters, wrong encodings, markup, Unicode forms, stray white space, rare characters."""
    counts = character_counts(texts.sources)
    for character, count in character_counts(texts.targets).items():
        counts[character] = counts.get(character, 0) + count
    inventory = "".join(counts)
    for name, pattern, what, severity in (
        ("control", CONTROL, "control characters", "medium"),
        ("zero-width", ZERO_WIDTH, "zero-width characters or direction marks", "medium"),
    ):
        if pattern.search(inventory):
            rows = texts.where(lambda source, target, found=pattern.search: found(source) or found(target))
            findings.add(name, what, rows, severity, name)
    if not inventory.isascii():
        _encoding(findings, texts)
    if "<" in inventory or "&" in inventory:
        rows = texts.where(lambda *pair: any(TAG.search(text) or _ENTITY.search(text) for text in pair))
        findings.add("markup", "HTML tags or entities", rows, "medium", "markup")
    spaced = re.compile(r"^\s|\s$|\s\s|[^\S ]")
    rows = texts.where(lambda source, target: spaced.search(source) or spaced.search(target))
    findings.add("white-space", "white space at an end, doubled, or other than the space", rows, "low", "whitespace")
    rare = {character for character, count in counts.items() if count <= 2}
    if rare and len(texts) >= 200:
        wanted = re.compile("[" + re.escape("".join(rare)) + "]")
        rows = texts.where(lambda source, target: wanted.search(source) or wanted.search(target))
        findings.add("rare-characters", f"{len(rare):,} characters that occur once or twice in all", rows, "low", None)


def _encoding(findings: Findings, texts: Texts) -> None:
    """Texts decoded with the wrong encoding, and texts in no single Unicode form."""
    try:
        from ftfy.badness import is_bad
    except ImportError:
        is_bad = bool

    def misread(text: str) -> bool:
        # ftfy's own test also fires on odd but right text, so both must agree where ftfy is at hand.
        return not text.isascii() and bool(_MISREAD.search(text)) and ("\ufffd" in text or bool(is_bad(text)))

    rows = texts.where(lambda source, target: misread(source) or misread(target))
    findings.add("mojibake", "text decoded with the wrong encoding, such as 'Ã©' for 'é'", rows, "high", "mojibake")
    form = unicodedata.is_normalized
    rows = texts.where(lambda source, target: not (form("NFC", source) and form("NFC", target)))
    if len(rows) < len(texts) * 0.9:  # a whole table in NFD is in one form
        findings.add(
            "unicode-form", "letters and accents not in Unicode form NFC, unlike other rows", rows, "low", "nfc"
        )


def writing_systems(findings: Findings, texts: Texts) -> None:
    """Words with letters of two scripts, and rows in another script than the rest of their column."""
    mixed: dict[int, str] = {}
    other: list[int] = []
    for _, column in texts.columns():
        total: Counter[str] = Counter()
        for character, count in character_counts(column).items():
            found = script(character)
            if found:
                total[found] += count
        if len(total) < 2:
            continue
        main, count = total.most_common(1)[0]
        for row, text in zip(texts.rows.tolist(), column, strict=True):
            if text.isascii() and main == "Latin":
                continue
            if (word := mixed_word(text)) is not None:
                mixed.setdefault(row, word)
            here = scripts(text)
            if count > 0.8 * total.total() and here and here[main] < here.total() / 2:
                other.append(row)
    findings.add(
        "mixed-scripts", "a word with letters of two writing systems", list(mixed), "medium", None, shown=mixed.values()
    )
    findings.add("other-script", "mostly in another writing system than its column", sorted(set(other)), "medium", None)


def carrying(findings: Findings, texts: Texts) -> None:
    """Numbers, addresses and brackets that do not carry over, where they usually do."""
    for kind, pattern in KINDS.items():
        has, lost = 0, []
        for row, source, target in zip(texts.rows.tolist(), texts.sources, texts.targets, strict=True):
            if not pattern.search(source) and not pattern.search(target):
                continue
            has += 1
            if not carried(kind, source, target):
                lost.append(row)
        if has and 1 - len(lost) / has >= USUALLY:
            what = f"{kind} of one side are missing or different on the other"
            findings.add(f"unmatched-{kind}", what, lost, "medium", f"unmatched:{kind}", of=len(texts))


def languages(findings: Findings, texts: Texts) -> None:
    """Rows of a sample that read like another language than the rest of their column, when a detector is installed."""
    for name, column in texts.columns():
        long = [at for at, text in enumerate(column) if len(text) >= SHORTEST and text.count(" ") >= FEWEST]
        sample = long[:: max(1, len(long) // SAMPLED)][:SAMPLED]
        if len(sample) < 20:
            continue
        try:
            found = [detect(column[at]) for at in sample]
        except MissingPackageError:
            return
        usual, count = Counter(found).most_common(1)[0]
        odd = [(at, code) for at, code in zip(sample, found, strict=True) if code not in (usual, None)]
        if usual and count >= 0.8 * len(sample):
            rows = [int(texts.rows[at]) for at, _ in odd]
            step = f"language:{usual}-*" if name == "source" else f"language:*-{usual}"
            what = f"of {len(sample)} rows looked at, a {name} that does not read like {usual}"
            shown = [f"{code}: {column[at]:.70}" for at, code in odd]
            findings.add(f"{name}-language", what, rows, "medium", step, of=len(sample), shown=shown)


def overlap(findings: Findings, texts: Texts, valid: Rows) -> None:
    """Sources that are also held out for validation, up to case, spacing and Unicode form."""
    held = {same_key(source) for source in valid.sources}
    rows = texts.where(lambda source, _: same_key(source) in held)
    findings.add("overlap", "the source is also among the validation pairs", rows, "high", "overlap")
