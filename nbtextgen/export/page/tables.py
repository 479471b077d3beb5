"""Tables of Unicode and HTML that a page needs to read texts as Python does."""

from __future__ import annotations

import html
import string
from functools import cache
from html.entities import html5
from typing import Any, cast

import regex

from nbtextgen.core.errors import OptionError
from nbtextgen.data.cleaning.clean import parse_steps
from nbtextgen.data.cleaning.steps import REWRITES, TAG

_WORD_BREAKS = [
    "ALetter",
    "CR",
    "Double_Quote",
    "Extend",
    "ExtendNumLet",
    "Format",
    "Hebrew_Letter",
    "Katakana",
    "LF",
    "MidLetter",
    "MidNum",
    "MidNumLet",
    "Newline",
    "Numeric",
    "Regional_Indicator",
    "Single_Quote",
    "WSegSpace",
    "ZWJ",
]
_DIGITS = string.digits + string.ascii_lowercase
_SPACE = r"[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
"""White space as ``re`` has it, in JavaScript's spelling."""


@cache
def word_breaks() -> dict[str, str]:
    """Return the characters of every value of Word_Break, and the pictographs, as runs in base 36: gap, length, gap, length, ...

    They are those of the installed ``regex``, which the tokenizers use; a browser may know another version of Unicode.
    """
    characters = "".join(map(chr, range(0x110000)))
    values = {value: _runs(characters, rf"\p{{Word_Break={value}}}") for value in _WORD_BREAKS}
    return values | {"Extended_Pictographic": _runs(characters, r"\p{Extended_Pictographic}")}


def _runs(characters: str, kind: str) -> str:
    numbers, end = list[str](), 0
    for match in regex.finditer(f"{kind}+", characters):
        numbers += [_base36(match.start() - end), _base36(match.end() - match.start())]
        end = match.end()
    return " ".join(numbers)


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"


def cleaning(steps: str | None) -> dict[str, object]:
    """Return the rewriting steps that a page applies to its inputs, in their order, and the tables that they need.

    Raises:
        OptionError: for a step that a page cannot do.
    """
    arguments = parse_steps(steps or "")
    names = [name for name in REWRITES if name in arguments]
    if "mojibake" in names:
        raise OptionError(
            "A page cannot undo wrong encodings, as the cleaning step 'mojibake' of this model does; train it without that "
            "step, or export it as onnx."
        )
    return {"steps": names, "tables": _entities() if "markup" in names else None}


def _entities() -> dict[str, object]:
    """Return what ``html.unescape`` and the pattern of tags are made of."""
    private = cast("Any", html)  # the tables for invalid numbers have no public name
    replaced: dict[int, str] = private._invalid_charrefs
    return {
        "tag": TAG.pattern.replace(r"\s", _SPACE),
        "entities": dict(html5),
        "replaced": {str(code): text for code, text in replaced.items()},
        "invalid": sorted(private._invalid_codepoints),
    }
