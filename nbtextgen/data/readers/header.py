"""Whether the first line of a table is a header."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from itertools import chain, islice

from nbtextgen.data.readers.columns import LANGUAGE_CODES, SAMPLE, ReadOptions, column_roles
from nbtextgen.data.rows import Row, place_text

_COLUMN_WORDS = (
    "source src target tgt trg input output text label summary article highlights document question answer query response "
    "reply message utterance instruction prompt completion context premise hypothesis hyp reference ref prediction word token "
    "lemma stem root form inflection inflected phone phoneme grapheme pronunciation ipa arpabet transcription transliteration "
    "spelling spelled orthography written spoken sound sentence sent phrase line paragraph translation translated original "
    "corrected correct correction incorrect wrong error typo title headline abstract synopsis description content body subject "
    "definition term meaning gloss example key value code id index idx lang language locale country territory name alias "
    "licence license url attribution username score iso iso8601 formatted raw clean cleaned dirty noisy normalized normalised "
    "expression expansion expanded abbreviation abbr acronym full short long number digit figure date time year "
    "singular plural masculine feminine present past tense noun verb adjective formal informal simple complex before after from "
    "to first second left right col column field kana kanji romaji hanzi pinyin hangul romanization cyrillic latin script native "
    "male female old new modern ancient standard dialect "
    "english french german spanish italian portuguese dutch russian chinese japanese korean arabic hindi turkish polish "
    "swedish norwegian danish finnish greek hebrew czech hungarian romanian ukrainian vietnamese thai persian bengali tamil "
    "swahili indonesian catalan welsh irish basque deutsch englisch französisch spanisch français anglais allemand español "
    "inglés italiano português nederlands svenska norsk dansk suomi polski čeština magyar română hrvatski türkçe ingilizce "
    "русский английский французский немецкий українська англійська български ελληνικά αγγλικά γαλλικά "
    "中文 英文 英语 法语 德语 汉语 漢語 日語 日语 日本語 英語 中国語 韓国語 한국어 영어 중국어 일본어 한글 tiếng việt anh "
    "हिन्दी हिंदी अंग्रेज़ी अंग्रेजी العربية الإنجليزية عربي انجليزي إنجليزي فارسی انگلیسی עברית אנגלית ไทย ภาษาไทย อังกฤษ ภาษาอังกฤษ "
    "infinitive participle gerund imperative nominative genitive dative accusative comparative superlative positive "
    "misspelled misspelt "
)
_FOREIGN_WORDS = (
    "wort aussprache satz frage antwort quelle ziel übersetzung zusammenfassung titel datum zahl eingabe ausgabe sprache text",
    "mot prononciation phonétique phrase question réponse traduction résumé titre entrée sortie langue texte",
    "palabra pronunciación oración pregunta respuesta traducción resumen título fecha entrada salida idioma texto",
    "parola pronuncia frase domanda risposta traduzione",
    "palavra pronúncia frase pergunta resposta tradução",
    "слово произношение предложение вопрос ответ перевод текст",
    "单词 词 发音 拼音 原文 译文 翻译 问题 回答 答案 文本 摘要 标题",
    "単語 発音 読み 文 原文 翻訳 質問 回答 要約",
    "단어 발음 문장 번역 질문 답변",
    "शब्द उच्चारण वाक्य अनुवाद",
    "كلمة نطق جملة ترجمة سؤال جواب",
)
_LOCALE = re.compile(r"([a-z]{2,3})[-_]([A-Z]{2}|[A-Z][a-z]{3})")  # en_US, zh-Hans


def _folded(text: str) -> str:
    """Return a text in small letters; a letter and its marks are one character where Unicode has it."""
    return unicodedata.normalize("NFC", text.lower())


_LANGUAGES = [frozenset(_folded(words).split()) for words in (_COLUMN_WORDS, *_FOREIGN_WORDS)]
"""Usual names of columns in several languages."""
_WORDS = frozenset[str]().union(*_LANGUAGES)
_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0eff"  # combining marks, which \w leaves out
_NAME = re.compile(rf"(?=.{{1,40}}$)[^\W\d_][\w .:/(){_MARKS}-]*")
_IDENTIFIER = re.compile(
    r"[^\W_]+(?:[_.][^\W_]+)+|[^\W\d_]+\d{1,2}|[a-z]+(?:[A-Z][a-z]+)+"
)  # text_en, sentence1, sourceText
_SURE = frozenset({"source", "target", "src", "tgt", "input", "output", "text", "label", "summary"})
"""A first line with two of these is a header, whatever follows."""
BLANKS = " \t\u200b\ufeff"
"""Characters that may stand around a name unseen."""
RARE, RARE_WORD = 0.02, 0.05
"""What is true of a name tells a header if it is true of at most so many of the cells below; the second for words."""
TRIED = 200
"""Cells of a column that are tried."""


def header_names(cells: Sequence[str]) -> list[str]:
    """The names in a header, without what stands around them unseen and the ``#`` of a comment."""
    names = [cell.strip(BLANKS) for cell in cells]
    return [names[0].lstrip("# ") or names[0], *names[1:]] if names else []


class Header(Enum):
    """Whether the first line is a header."""

    YES, MAYBE, NO = range(3)


def header_notes(header: Header, first: str, is_expected: bool) -> list[str]:
    """What was assumed about the ``first`` row, in a sentence."""
    if header is Header.MAYBE:
        return [
            f"{first} is read as a pair but looks like a header; if it is one, name its columns as source and target."
        ]
    return [f"{first} is read as a header."] if header is Header.YES and not is_expected else []


def note_header(rows: Iterator[Row], options: ReadOptions) -> Iterator[Row]:
    """Yield the rows of data whose columns have no names, and note if the first of them looks like a header."""
    head = list(islice(rows, SAMPLE))
    texts = [[source, target] for _, source, target, _ in head if isinstance(source, str) and isinstance(target, str)]
    if len(texts) > 1 and texts[0] == [*head[0][1:3]] and recognise_header(texts[0], texts[1:]) is Header.YES:
        options.notes.append(
            f"{place_text(head[0][0])} ({', '.join(texts[0]):.80}) is read as a pair but looks like a header; "
            "if it is one, leave it out."
        )
    yield from chain(head, rows)


def recognise_header(first: Sequence[str], rows: Sequence[Sequence[str]]) -> Header:
    """Tell from its words, and from how unlike the other rows it is, whether the first row of a table is a header.

    A name is known, or unlike its column, if hardly any cell of the column would be so itself. Over tables in 25 languages
    (``benchmarks/headers.py``) one first row of 1,000 is taken for a header.

    Args:
        first: cells of the first row.
        rows: cells of some rows after it.
    """
    names = header_names(first)
    if column_roles(names) is not None or len({name.lower() for name in names} & _SURE) >= 2:
        return Header.YES
    numbered = names if names[0] else names[1:]
    counts = [str(number) for number in range(len(numbered) + 1)]
    is_text = [not cell.strip().isdigit() for row in rows for cell in row]
    if numbered == counts[:-1] and any(is_text):
        return Header.YES  # as pandas writes a frame whose columns have no names
    if numbered == counts[1:] and rows and all(is_text):
        return Header.YES if len(numbered) > 2 else Header.MAYBE
    is_index = [not name for name in names[:1]]  # pandas leaves the name of its index empty
    names = names[sum(is_index) :] if len(names) > 2 else names
    if not all(_NAME.fullmatch(name) for name in names):
        return Header.NO
    offset = len(first) - len(names)
    others = [row for row in rows if len(row) == len(first) and list(row) != list(first)]
    columns = [[row[index].strip() for row in others] for index in range(offset, len(first))]
    if len({name.casefold() for name in names}) < len(names):  # a text and the same text are a pair
        are_known = [_is_known(name, cells) for name, cells in zip(names, columns, strict=True)]
        return Header.MAYBE if all(are_known) and others else Header.NO
    header = _judged(names, columns)
    is_row = len(rows) - len(others) > RARE * len(rows) and not any(map(_is_column_word, names))
    return Header.NO if is_row else header


def _judged(names: Sequence[str], columns: Sequence[Sequence[str]]) -> Header:
    """Weigh the evidence of all columns."""
    filled = [[cell for cell in column if cell] for column in columns]
    is_known = [_is_known(name, cells) for name, cells in zip(names, filled, strict=True)]
    is_unlike = [_is_unlike(name, cells) for name, cells in zip(names, filled, strict=True)]
    is_odd = [_is_odd(name, cells) for name, cells in zip(names, filled, strict=True)]
    is_unrelated = len(names) == 2 and _is_unrelated(names, columns)
    count = sum(is_known)
    if count >= 2 and not _are_one_language(names):
        return Header.MAYBE  # a word and its translation are a pair
    is_strong = [usual or unlike for usual, unlike in zip(is_known, is_unlike, strict=True)]
    if count >= 2 or (count == 1 and (all(is_strong) or is_unrelated)):
        return Header.YES
    if all(is_unlike):
        return Header.YES if len(columns[0]) >= 20 else Header.MAYBE
    is_weak = all(strong or odd for strong, odd in zip(is_strong, is_odd, strict=True))
    return Header.MAYBE if is_weak or is_unrelated or (count == 1 and len(names) == 2) else Header.NO


def _is_rare(cells: Sequence[str], holds: Callable[[str], bool], most: float = RARE) -> bool:
    """Return ``True`` if something is true of few cells."""
    tried = cells[:: max(1, len(cells) // TRIED)]
    return sum(map(holds, tried)) <= most * len(tried)


def _is_known(name: str, cells: Sequence[str]) -> bool:
    """Return ``True`` for a usual name of a column, if the column does not hold such words itself."""
    return _is_column_word(name) and name not in cells and _is_rare(cells, _is_column_word, RARE_WORD)


def _is_column_word(text: str) -> bool:
    folded = _folded(text)
    locale = _LOCALE.fullmatch(text)
    if folded in LANGUAGE_CODES or folded in _WORDS or (locale is not None and locale[1] in LANGUAGE_CODES):
        return True
    words = _pieces(folded)
    is_word = [word in _WORDS or word.removesuffix("s") in _WORDS for word in words]
    # Alone, "Hi!" and "It is." are no codes.
    return any(is_word) and all(
        usual or len(word) == 1 or word in LANGUAGE_CODES for usual, word in zip(is_word, words, strict=True)
    )


def _pieces(text: str) -> list[str]:
    """Return the runs of letters, with the marks on them."""
    return re.findall(rf"(?:[^\W\d_]|[{_MARKS}])+", text)


def _are_one_language(names: Sequence[str]) -> bool:
    """Return ``True`` if the usual words in some names are of one language, as far as they are words."""
    words = {word for name in names for word in _pieces(_folded(name)) if len(word) > 1}
    words = {word if word in _WORDS else word.removesuffix("s") for word in words} & _WORDS
    return any(words <= language for language in _LANGUAGES)


def _is_unlike(name: str, cells: Sequence[str]) -> bool:
    """Return ``True`` if a text differs from those of a column in its letters, digits, form or number of words."""
    if len(cells) < 3:
        return False
    uses = Counter(char for cell in cells for char in set(cell))

    def is_foreign(text: str, own: int = 1) -> bool:
        letters = [char for char in text if char.isalpha()]
        shared = sum(uses[char] > own for char in letters)
        return len(letters) > 1 and (shared == 0 or (len(cells) >= 20 and shared < 0.5 * len(letters)))

    def is_short(text: str) -> bool:
        return " " not in text and 2 * len(text) < median

    if len(uses) >= 8 and is_foreign(name, 0) and _is_rare(cells, is_foreign):
        return True
    if all(any(char.isdigit() for char in cell) for cell in cells) and not any(char.isdigit() for char in name):
        return True
    if len(cells) >= 20 and set(map(len, cells)) == {len(cells[0])} != {len(name)}:
        return True
    if (
        len(cells) >= 10
        and _IDENTIFIER.fullmatch(name)
        and _is_rare(cells, lambda cell: bool(_IDENTIFIER.fullmatch(cell)))
    ):
        return True
    median = sorted(map(len, cells))[len(cells) // 2]
    return len(cells) >= 5 and is_short(name) and _is_rare(cells, is_short)


def _is_odd(name: str, cells: Sequence[str]) -> bool:
    """Return ``True`` for a single letter, or a single word, where there are hardly any others: weak evidence."""
    if len(name) == 1:
        return len(cells) >= 3 and _is_rare(cells, lambda cell: len(cell) == 1)
    return len(cells) >= 10 and " " not in name and _is_rare(cells, lambda cell: " " not in cell)


def _is_unrelated(names: Sequence[str], columns: Sequence[Sequence[str]]) -> bool:
    """Return ``True`` if most pairs share their letters, as a word and its plural, and the names share far fewer than any."""
    if len(columns[0]) < 20:
        return False
    shares = sorted(_shared_letters(source, target) for source, target in zip(*columns, strict=True))
    return shares[len(shares) // 2] >= 0.6 and _shared_letters(*names) < 0.6 * shares[0]


def _shared_letters(first: str, second: str) -> float:
    """The fraction of the letters of two texts that they share (Dice's coefficient)."""
    counts = [Counter(text.casefold().replace(" ", "")) for text in (first, second)]
    return 2 * (counts[0] & counts[1]).total() / max(1, counts[0].total() + counts[1].total())
