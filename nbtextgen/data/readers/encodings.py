"""The likely encodings of a text that is not UTF-8, from the letters that each would make of its bytes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_WESTERN = "éèàêçâîôûùëïüöäßñáíóúãõåøæœ«»“”‘’–—…°€£§©¿¡\xa0"
_CENTRAL = "áéíóúýčďěňřšťůžąęłńśźżćőűöüâîăşţđ„”“’–—…"
_CYRILLIC = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэё«»—"
_SINGLE = (
    ("cp1252", _WESTERN),
    ("cp1250", _CENTRAL),
    ("iso8859_2", _CENTRAL),
    ("cp1254", "ıişüğöçâîû“”‘’–—…"),
    ("cp1257", "āīēšņķļģūčžąęėįųäõöü„“"),
    ("cp850", _WESTERN),
    ("mac_roman", _WESTERN),
    ("cp1251", _CYRILLIC),
    ("koi8_r", _CYRILLIC),
    ("cp866", _CYRILLIC),
    ("iso8859_5", _CYRILLIC),
    ("cp1253", "αοιετσνηυρπκμλςάίόέωγήδχύθφβώξζψ"),
    ("cp1255", "יוהלאתרבמשנדםקפעחטןכגסצזךףץ"),
    ("cp1256", "ايلمنتروبعدسهةفقكحجشطصأخذىإآءئ،؟"),
    ("iso8859_6", "ايلمنتروبعدسهةفقكحجشطصأخذىإآءئ،؟"),
    ("tis_620", "านรอกเงมยลวด่้ัิีทสตะปบคหแจพชำขใไโผถซูุืึณฟฉ์ๆ"),
)
"""Encodings with a byte for each character, the more usual first, and the characters beyond ASCII of their languages, the
more frequent first."""
_DOUBLE = {
    "euc_jp": ("[\u3041-\u30fa]", 0xB0, 0xCF),
    "shift_jis": ("[\u3041-\u30fa]", 0x88, 0x97),
    "euc_kr": ("[\uac00-\ud7a3]", 0xFF, 0xFF),
    "gb18030": ("[\u3007]", 0xB0, 0xD7),
    "big5": ("[\u3007]", 0xA4, 0xC6),
}
"""Encodings with two bytes for most characters, the letters of their languages, and the first bytes of the usual Chinese characters,
which come first in each."""
_HAN = 0.9
"""How much a usual Chinese character tells, against a letter of the language's own."""
_LATIN = frozenset({"cp1252", "cp1250", "iso8859_2", "cp1254", "cp1257", "cp850", "mac_roman"})
_RARE = {"cp850": 0.65, "mac_roman": 0.65, "koi8_r": 0.9, "iso8859_5": 0.9, "iso8859_6": 0.9, "euc_jp": 0.95}
"""How usual an encoding is, against the others."""
_LEAST = 0.4
"""How usual the characters of a text must be in a language that it may be in, on average."""
_NEARLY = 0.7
"""A reading that is so nearly as usual as the best one is as likely."""
MAX_NAMED = 3


def likely_encodings(text: str) -> list[str]:
    """Return the encodings that a line may be in, the likeliest first; none if that cannot be told.

    Encodings that would read the line alike count as one, the most usual.

    Args:
        text: a line that was decoded as UTF-8 with ``surrogateescape``.
    """
    if re.search("[\ud800-\udc7f\udd00-\udfff]", text):
        return []
    raw = text.encode("utf-8", "surrogateescape")
    readings = dict[str, tuple[float, str]]()
    for name, usual in _SINGLE:
        reading = _decoded(raw, name)
        if reading is not None and (share := _usual_share(reading, usual, is_latin=name in _LATIN)) >= _LEAST:
            readings.setdefault(reading, (share * _RARE.get(name, 1.0), name))
    for name in _DOUBLE:
        reading = _decoded(raw, name)
        if reading is not None and (share := _script_share(reading, name)) >= _HAN / 2:
            readings.setdefault(reading, (share * _RARE.get(name, 1.0), name))
    best = max((share for share, _ in readings.values()), default=0)
    likely = [entry for entry in readings.values() if entry[0] >= _NEARLY * best]
    return [name for _, name in sorted(likely, key=lambda entry: -entry[0])][:MAX_NAMED]


_ESCAPED = (
    ("iso2022_kr", re.compile(rb"\x1b\$\)C")),
    ("iso2022_jp", re.compile(rb"\x1b\$")),
    ("hz", re.compile(rb"~\{(?:[!-w][!-~])+~\}")),
    ("utf-7", re.compile(rb"\+[A-Za-z0-9+/]{3,}")),
)
"""Encodings that write letters beyond ASCII as ASCII, and what begins these."""


def seven_bit_encoding(head: bytes) -> str | None:
    """Return the encoding of a text that is ASCII to look at, but writes other letters as sequences of it; or ``None``.

    Formulas and code hold such sequences by chance. So all of the text must be valid, its letters must be usual ones of a
    few scripts, and no word may mix a script with Latin letters.

    Args:
        head: the first bytes of a file.
    """
    name = next((name for name, mark in _ESCAPED if mark.search(head)), None)
    if name is None or name.startswith("iso2022") or not head.isascii():
        return name if head.isascii() else None
    lines = head[: head.rfind(b"\n") + 1] or head
    text = _decoded(lines, name)
    letters = [char for char in text or "" if not char.isascii() and char.isalpha()]
    if text is None or len(letters) < 2 or not all(char.isprintable() or char.isspace() for char in text):
        return None
    scripts = {unicodedata.name(char, "").partition(" ")[0] for char in letters} - {"HIRAGANA", "KATAKANA"}
    is_mixed = re.search(r"[a-zA-Z][^\W\d_\x00-\u024f]|[^\W\d_\x00-\u024f][a-zA-Z]", text)
    is_usual = all(map(_is_usual_character, letters))
    return name if len(scripts) <= 2 and is_usual and not is_mixed else None


def _is_usual_character(char: str) -> bool:
    """Return ``False`` for a Chinese character that is rare in Chinese and in Japanese."""
    usual = [(name, *_DOUBLE[name][1:]) for name in ("gb18030", "big5", "euc_jp")]
    return not "\u3400" <= char <= "\u9fff" or any(
        first <= char.encode(name, "replace")[0] <= last for name, first, last in usual
    )


def encoding_advice(names: Sequence[str]) -> str:
    """Return what to do about a text in one of some encodings, as a phrase."""
    if not names:
        return "give its --encoding, such as cp1252 (Western Europe), cp1250 (Central Europe) or cp1251 (Cyrillic)"
    return "give " + " or ".join(f"--encoding={name}" for name in names)


def _decoded(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _usual_share(text: str, usual: str, *, is_latin: bool) -> float:
    """How usual the characters beyond ASCII are in a language, from 0 to 1; 0 if the words are not spelled like words."""
    lower = text.lower()
    beyond = [char for char in lower if not char.isascii()]
    words = re.findall(r"[^\W\d_]+", text)
    is_cased = all(word[1:] == word[1:].lower() or word == word.upper() for word in words)
    is_text = all(char.isalpha() or char in usual for char in beyond)
    if not beyond or not is_cased or (is_latin and not is_text):
        return 0.0
    if is_latin and any(len(word) > 2 and not re.search("[a-zA-Z]", word) for word in words):
        return 0.0
    if not is_latin and re.search(f"[a-z][{usual}]|[{usual}][a-z]", lower):
        return 0.0
    weights = {char: 1 - index / len(usual) / (4 if is_latin else 1.2) for index, char in enumerate(usual)}
    return sum(weights.get(char, 0.0) for char in beyond) / len(beyond)


def _script_share(text: str, encoding: str) -> float:
    """The share of the usual characters of a language among those beyond ASCII."""
    script, first, last = _DOUBLE[encoding]
    beyond = [char for char in text if not char.isascii()]
    if not beyond or re.search("[\uff61-\uff9f\ue000-\uf8ff]", text):  # half-width kana, private use
        return 0.0
    usual = [first <= char.encode(encoding)[0] <= last for char in beyond if "\u3400" <= char <= "\u9fff"]
    own = sum(bool(re.match(script, char)) for char in beyond)
    marks = sum(not char.isalpha() for char in beyond)
    return (own + _HAN * sum(usual) + marks) / len(beyond) if own or any(usual) else 0.0
