"""How often the first line of a table is rightly taken for a header: headers that are missed, and first pairs that are not.

    .venv/bin/python benchmarks/headers.py --data /work/shared/data

Tables are the data sets of that folder, built-in sets, word lists that are made of them (plurals, past tenses, typos, reversed
words), and the names of countries and languages in 20 locales of CLDR, which are the hardest: names of languages are also names
of columns. In front of some rows of each table stands a header, or another row.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from pathlib import Path

import babel

from nbtextgen import Pairs
from nbtextgen.data.readers.header import recognise_header

LOCALES = [
    "ar",
    "hy",
    "ka",
    "ja",
    "zh",
    "hi",
    "th",
    "ru",
    "el",
    "he",
    "ko",
    "de",
    "fr",
    "tr",
    "vi",
    "fi",
    "bn",
    "ta",
    "km",
    "sw",
]
HEADERS = [
    "word|phones",
    "spelling|sound",
    "spelling|pronunciation",
    "present|past",
    "singular|plural",
    "lemma|form",
    "en|de",
    "English|German",
    "EN|DE",
    "eng|deu",
    "source_text|target_text",
    "input|output",
    "Question|Answer",
    "original|translation",
    "text|summary",
    "name|country",
    "english_name|native_name",
    "territory|name",
    "x|y",
    "X|Y",
    "A|B",
    "col1|col2",
    "written|spoken",
    "orthography|ipa",
    "grapheme|phoneme",
    "Wort|Aussprache",
    "mot|phonétique",
    "слово|произношение",
    "单词|发音",
    "原文|译文",
    "日本語|英語",
    "palabra|traducción",
    "description|synopsis",
    "long|short",
    "document|title",
    "body|subject",
    "raw|normalized",
    "date|iso",
    "Datum|ISO",
    "number|digits",
    "words|figure",
    "deutsch|englisch",
    "en_US|de_DE",
    "lang1|lang2",
    "sentence1|sentence2",
    "premise|hypothesis",
    "incorrect|correct",
    "kana|romaji",
    "hanzi|pinyin",
    "cyrillic|latin",
    "message|reply",
    "utterance|response",
    "prompt|completion",
    "dirty|clean",
    "noisy|clean",
    "masculine|feminine",
    "verb|noun",
    "formal|informal",
    "from|to",
    "before|after",
    "first|second",
    "left|right",
    "key|value",
    "term|definition",
    "abbr|full",
    "acronym|expansion",
    "ENGLISH|GERMAN",
    "sent_en|sent_de",
    "text_en|text_de",
    "q|a",
    "src|trg",
    "src|ref",
    "hyp|ref",
    "Английский|Русский",
]
Rows = list[tuple[str, str]]


def tables(folder: Path) -> dict[str, Rows]:
    """Tables by name."""
    files = [*sorted(folder.glob("g2p2020/*_train.tsv")), folder / "debian-en-de/train.tsv"]
    found = {path.stem: list(Pairs.of(path))[:4000] for path in files}
    found["captions"] = list(Pairs.of([folder / "multi30k/train.en", folder / "multi30k/train.de"]))[:4000]
    found["last words"] = [(source.split()[-1], target.split()[-1]) for source, target in found["captions"]]
    found |= {name: list(Pairs.of(f"builtin:{name}?count=3000")) for name in ("dates", "numbers", "pronunciation")}
    words = [source for source, _ in found["pronunciation"] if source.isalpha()]
    irregular = [("be", "was"), ("have", "had"), ("go", "went"), ("do", "did")]
    found["past"] = irregular + [(word, word + ("d" if word.endswith("e") else "ed")) for word in words[:1500]]
    found["plural"] = [("man", "men"), ("child", "children"), *((word, f"{word}s") for word in words[:1500])]
    found["reversed"] = [(word, word[::-1]) for word in words]
    found["typos"] = [(word[:2] + word[3:], word) for word in words if len(word) > 5]
    english = babel.Locale("en")
    for name in LOCALES:
        locale, rows = babel.Locale(name), Rows()
        for theirs, ours in ((locale.territories, english.territories), (locale.languages, english.languages)):
            rows += [(ours[key], theirs[key]) for key in theirs if key in ours and not key.isdigit()]
        random.Random(2).shuffle(rows)
        found[f"names in {name}"] = rows
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=30, help="first pairs that are tried in each table")
    arguments = parser.parse_args()
    found = tables(arguments.data)
    for size in (30, 300):
        headers, pairs = Counter[str](), Counter[str]()
        for name, rows in found.items():
            rng = random.Random(name)
            for header in HEADERS:
                headers[recognise_header(header.split("|"), rng.sample(rows, size)).name] += 1
            for _ in range(arguments.pairs):
                first, *others = rng.sample(rows, size + 1)
                pairs[recognise_header(first, others).name] += 1
        for what, counts in (("headers", headers), ("pairs", pairs)):
            shares = ", ".join(f"{key} {counts[key] / counts.total():.2%}" for key in ("YES", "MAYBE", "NO"))
            print(f"{len(found)} tables of {size} rows, {counts.total():,} {what} first: {shares}")


if __name__ == "__main__":
    main()
