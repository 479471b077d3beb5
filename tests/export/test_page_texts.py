"""The JavaScript engine of a page reads and writes texts as Python does: tokenizers, normalization, cleaning."""

from __future__ import annotations

import random
import unicodedata
from typing import Any

import pytest

from nbtextgen.data.cleaning.clean import rewriter
from nbtextgen.export.page.document import _tokenizer
from nbtextgen.export.page.tables import cleaning, word_breaks
from nbtextgen.tokenizers.base import Tokenizer
from nbtextgen.tokenizers.bpe import BPETokenizer
from nbtextgen.tokenizers.normalization import Normalizer
from nbtextgen.tokenizers.pieces import EarlierWordTokenizer, Vocabulary
from nbtextgen.tokenizers.registry import train_tokenizer
from nbtextgen.tokenizers.truncated import TruncatedTokenizer

WRITTEN = [
    '"\u05d19\u0b2d\u200d\U0001f5c5\u0985',  # pictographs of older versions of Unicode only
    "The 4th of July, 1976: it's well-known; \u201cquoted\u201d — 3.14 or 1,000.50 and U.S.A.",
    "L'homme d\u2019aujourd'hui, l'été, qu'un œuf, rock 'n' roll 'tis",
    "  two  spaces\tand a tab \n new line\r\n\x85 end ",
    "İstanbul ΟΔΟΣ Σ ΣΑΣ Straße ﬁne ①½ Å ǅ",
    "naïve e\u0301 e\u0301\u0323 \u0344 가각 \u1100\u1161\u11a8 が",
    "日本語のテキスト。カタカナ ﾊﾝｶｸ 中文，標點",
    "हिन्दी क्षत्रिय தமிழ் ภาษาไทย עברית ג\"ל צ'ק עַ",
    "👍🏽 👨‍👩‍👧‍👦 🇩🇪🇫🇷🇮 x🇩y ✌️ a\u200db",
    "lone \ud800 surrogate \udfff, nul \x00 esc \x1b, \ufeffbom, zero\u200bwidth, \u202ertl",
    "a_b 1_000 x' 'y ''z \"w\" don''t o\u2010o o\u2011o a-b-c -d e-",
    "&amp;lt;b&gt; &eacute;&copy &notit; &#x41;&#65;&#128;&#xD800;&#1; <b class='x'>bold</b> <sources.list> <!-- no -->",
    "",
    " ",
]
STEPS = ("markup,control,whitespace", "zero-width,nfc,quotes", "nfkc,whitespace", None)


def _texts() -> list[str]:
    """Texts that people write, and random characters of many scripts."""
    rng = random.Random(7)
    blocks = [(0x20, 0x7F), (0xA0, 0x250), (0x300, 0x370), (0x370, 0x530), (0x590, 0x700), (0x900, 0xE00)]
    blocks += [(0x1100, 0x1200), (0x2000, 0x2070), (0x3040, 0x3100), (0x1F1E6, 0x1F200), (0x1F300, 0x1F650)]
    likely = " '\u2019.,:;-\"_19aeB\u05d0\u05d1\u30a2\u200d\u0301\u00ad\U0001f1e9"
    # Without code points that browsers know and this Python's Unicode does not.
    others = [chr(code) for block in blocks for code in range(*block) if unicodedata.category(chr(code)) != "Cn"]
    random_texts = [
        "".join(rng.choice(likely if rng.random() < 0.6 else others) for _ in range(rng.randrange(1, 24)))
        for _ in range(400)
    ]
    return [*WRITTEN, *random_texts]


def _tokenizers(texts: list[str]) -> list[Tokenizer]:
    corpus = [text for text in texts[: len(WRITTEN)] if text] * 3 + texts[len(WRITTEN) : 200]
    made = [
        train_tokenizer(corpus, kind, normalization=form, lowercase=lower, size=size)
        for kind, form, lower, size in (
            ("char", "none", False, 90),
            ("char", "nfd", True, 60),
            ("word", "nfc", False, 200),
            ("word", "none", True, None),
            ("symbol", "nfkc", False, 100),
            ("bpe", "none", False, 500),
            ("bpe", "nfc", True, 420),
        )
    ]
    bpe = made[-2]
    assert isinstance(bpe, BPETokenizer)
    without_marks = BPETokenizer(bpe._vocabulary, bpe._merges, Normalizer(), None)
    words = sorted({piece for text in corpus for piece in EarlierWordTokenizer.cut(text)})[:150]
    earlier = EarlierWordTokenizer(Vocabulary(words), Normalizer())
    return [*made, without_marks, earlier, TruncatedTokenizer(made[0], 5), TruncatedTokenizer(bpe, 4, keep_end=True)]


@pytest.fixture(scope="module")
def read(run_engine) -> tuple[list[str], list[Tokenizer], list[Any]]:
    texts = _texts()
    tokenizers = _tokenizers(texts)
    cases = {
        "word_breaks": word_breaks(),
        "saved": [_tokenizer(each) for each in tokenizers],
        "texts": texts,
        "cleaning": [cleaning(steps) for steps in STEPS],
    }
    return texts, tokenizers, run_engine({"tokenizers": cases})["texts"]


def test_every_tokenizer_reads_and_writes_the_same(read) -> None:
    texts, tokenizers, answers = read
    for tokenizer, encodings in zip(tokenizers, answers, strict=False):
        for text, encoding in zip(texts, encodings, strict=True):
            expected = tokenizer.encode(text)
            found = tokenizer.to_dict()["kind"], tokenizer.normalizer, text
            assert encoding["ids"] == expected.ids, found
            assert encoding["tokens"] == expected.tokens, found
            assert encoding["decoded"] == tokenizer.decode(expected.ids), found
            if tokenizer.normalize(text) == text:
                assert encoding["offsets"] == [list(span) for span in expected.offsets], found


def test_cleaning_rewrites_the_same(read) -> None:
    texts, _, answers = read
    for steps, rewritten in zip(STEPS, answers[-1], strict=True):
        rewrite = rewriter(steps or "")
        for text, found in zip(texts, rewritten, strict=True):
            assert found == rewrite(text), (steps, text)
