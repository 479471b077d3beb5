"""Parts of a source that a faithful target repeats: numbers, addresses, bracketed parts."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"\d+")
# An address is looked for from the start of a run of its letters only: from every letter, a megabyte of them takes hours.
_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"')\]]+|(?<![\w.+-])[\w.+-]{1,64}@[\w-]+\.[\w.]+", re.IGNORECASE)
_BRACKET = re.compile(r"[(\[{]")

KINDS = {"numbers": _NUMBER, "urls": _URL, "brackets": _BRACKET}
"""What each kind looks like; brackets are compared by how many there are, the others by what they say."""


def carried(kind: str, source: str, target: str) -> bool | None:
    """Whether the parts of this kind are the same on both sides, in any order; ``None`` when neither side has any."""
    pattern = KINDS[kind]
    here, there = pattern.findall(source), pattern.findall(target)
    if not here and not there:
        return None
    if kind == "brackets":
        return len(here) == len(there)
    return sorted(part.rstrip(".,;").lower() for part in here) == sorted(part.rstrip(".,;").lower() for part in there)
