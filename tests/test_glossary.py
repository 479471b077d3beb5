"""Glossaries, words that must be included and what is carried over, from texts to texts."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from nbtextgen import Pairs, TextGenerator
from nbtextgen.cli import main
from nbtextgen.core.errors import OptionError
from nbtextgen.core.options import build
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.decoding.terms import TermMatcher
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.terms import RequiredTerms, TermFinder, _holds
from nbtextgen.inference.word_borders import token_borders
from nbtextgen.tokenizers.registry import train_tokenizer

WORDS = {"salt": "sel", "pepper": "poivre", "water": "eau", "red": "rouge", "cup": "tasse"}
SOURCE = "12 salt red cup"


def pairs() -> Pairs:
    draw = random.Random(1)
    rows = [[draw.choice(("12", "7", "55")), *draw.choices(list(WORDS), k=draw.randint(2, 4))] for _ in range(60)]
    return Pairs([" ".join(row) for row in rows], [" ".join(WORDS.get(word, word) for word in row) for row in rows])


@pytest.fixture(scope="module", params=["char", "word", "bpe", "copy"])
def model(request: pytest.FixtureRequest) -> TextGenerator:
    """Models that have hardly learned anything: whatever they write, the terms must be in it."""
    options = {"tokens": "word", "copy": True} if request.param == "copy" else {"tokens": request.param}
    size = {"vocabulary_size": 300} if request.param == "bpe" else {}
    fixed = {"hidden_size": 16, "embedding_size": 8, "epochs": 1, "threads": 1, "samples": 0}
    return TextGenerator(**options, **size, **fixed).fit(pairs(), callbacks=[])


@pytest.mark.parametrize("beam", [1, 3])
def test_outputs_have_their_terms(model: TextGenerator, beam: int) -> None:
    sources = [SOURCE, "7 water", "55 pepper water", "Salt", "red salt"]
    outputs = model.generate(
        sources, beam=beam, glossary={"salt": "eau", "red cup": ["poivre", "tasse"]}, carry_over="numbers"
    )
    texts = [output.text for output in outputs]
    assert all("eau" in texts[row] for row in (0, 3, 4))  # also where the term begins a sentence
    assert "poivre" in texts[0] or "tasse" in texts[0]
    assert [number in text for number, text in zip(("12", "7", "55"), texts, strict=False)] == [True] * 3
    assert all(("a beam of 5 was used" in " ".join(output.notes)) == (beam == 1) for output in outputs)
    assert all("lacks" not in note and "inside" not in note for output in outputs for note in output.notes)
    included = model.generate(sources, beam=beam, must_include=["sel rouge", "eau"])
    assert all("sel rouge" in output.text and "eau" in output.text for output in included)
    best = model.generate(SOURCE, beam=4, n_best=3, must_include="poivre")
    assert len(best.candidates) == 3 and all("poivre" in each.text for each in best.candidates)


def test_what_cannot_be_written_is_a_sentence_or_a_note(model: TextGenerator) -> None:
    kind = model.plan.tokenizer.target_tokens
    if model.plan.model.copy:
        copied = model.generate("zebra salt", glossary={"zebra": "zebra"}, beam=2)
        assert "zebra" in copied.text
        unknown = model.generate("lion salt", glossary={"lion": "zebra"}, beam=2)
        assert "lacks what it had to contain" in unknown.notes[-1] and "zebra" in unknown.notes[-1]
    elif kind != "bpe":
        with pytest.raises(OptionError, match="not in the model's vocabulary; use another term"):
            model.generate(SOURCE, glossary={"salt": "日本"})
        with pytest.raises(OptionError, match="must_include needs '日本'"):
            model.generate(SOURCE, must_include="日本")
    assert "lacks what" in model.generate(SOURCE, must_include="poivre sel eau rouge tasse", max_length=2).notes[-1]


@pytest.mark.parametrize("kind", ["word", "bpe"])
@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("at 12:30 in room 12-5", {"12": True, "30": True, "5": True, "12-5": True}),
        ("salt,pepper COVID-19 5-cup 3.Then", {"salt": True, "pepper": True, "COVID": True, "5": True, "3": True}),
        ("1,204.50 salt's re-cooked", {"1": False, "204": False, "salt": False, "re": False, "cook": False}),
        ("caf\u00e9 m\u00fcde", {"caf": False, "caf\u00e9": True, "m": False}),
        ("cafe\u0301", {"cafe": False}),
        ("\u043a\u043e\u0442\u043e\u043c", {"\u043a\u043e\u0442": False, "\u043a\u043e\u0442\u043e\u043c": True}),
        ("\u0915\u093e\u092e", {"\u0915\u093e": False, "\u0915\u093e\u092e": True}),
        ("\u5473\u76d0", {"\u76d0": True, "\u5473": True}),
    ],
)
def test_where_words_end_is_the_same_for_the_search_and_for_the_reader(
    kind: Any, text: str, terms: dict[str, bool]
) -> None:
    size = {"size": 261} if kind == "bpe" else {}  # single bytes: whole characters are rare
    target = train_tokenizer(
        [text, *terms, *(f"({term} {term})" for term in terms)] * 3, kind, normalization="none", **size
    )
    borders = token_borders(target)
    for term, expected in terms.items():
        finder = TermFinder(build(DecodingConfig, {"must_include": [term], "beam": 3}), target, target, None)
        matcher, state = TermMatcher(finder.of("x", ()).terms, borders), 0
        for token in target.encode(text).ids:
            state = matcher.step(state, token)
        met = matcher.need(state) == 0
        assert _holds(text, term, True) == expected and (met == expected if kind == "bpe" else expected or not met), (
            term
        )


def test_a_term_at_the_limit_of_a_narrow_beam_is_an_output() -> None:
    """All of the likeliest tokens after the term would go on with its word, and there is no room to write it again."""
    draw = random.Random(0)
    words = ["".join(draw.choices("aeiouklmnrst", k=7)) for _ in range(150)]
    options = {"tokens": "bpe", "vocabulary_size": 261, "learning_rate": 0.02, "max_steps": 60}
    model = TextGenerator(hidden_size=16, threads=1, samples=0, **options)
    model.fit([(word[3:], word) for word in words], callbacks=[])
    sources = [word[3:] for word in words[:30]]
    for limits in ({"max_length": 4}, {"min_length": 4}):
        outputs = model.generate(sources, must_include=["r"], beam=2, **limits)
        assert all("r" in re.findall(r"\w+", output.text) for output in outputs)


def test_words_beyond_the_source_that_is_read_cannot_be_carried_over() -> None:
    options = {"tokens": "word", "copy": True, "hidden_size": 8, "max_steps": 2, "samples": 0}
    model = TextGenerator(**options).fit(pairs(), callbacks=[])
    short, long = model.generate(["salt zebra", "salt " * 2010 + "zebra"], carry_over=["zebra"], beam=2, max_length=5)
    assert "zebra" in short.text and "zebra" in long.notes[-1]


NUMBERS = ["22 88 8 228 2288 3 3.5 5", "(salt) salted salt salt's", "re - cook cook - book 22 . 5 , 228"]


@pytest.mark.parametrize("kind", ["word", "bpe"])
def test_what_the_search_takes_for_a_word_of_its_own_is_one(kind: Any) -> None:
    """Sequences of tokens that a trained model would not write as well: terms inside of longer words, and beside marks."""
    target = train_tokenizer(NUMBERS * 3, kind, **({"size": 300} if kind == "bpe" else {}))
    borders, draw, found = token_borders(target), random.Random(3), 0
    words = ["22", "228", "3", "salt", "cook", "(salt)", "5", "3.5"]
    ids = sorted({number for word in words for text in (word, f"({word}") for number in target.encode(text).ids})
    ids += [number for text in ("88", "- '", ".,s", "ed book") for number in target.encode(text).ids if number > 4]
    for _ in range(60):
        chosen = draw.sample(words, 2)
        finder = TermFinder(build(DecodingConfig, {"must_include": chosen, "beam": 3}), target, target, None)
        matcher, tokens = TermMatcher(finder.of("x", ()).terms, borders), list[int]()
        for _ in range(60):
            tokens, state = draw.choices(ids, k=draw.randint(1, 8)), 0
            for _ in range(2):
                at = draw.randint(0, len(tokens))
                tokens[at:at] = target.encode(draw.choice(chosen)).ids
            for token in tokens:
                state = matcher.step(state, token)
            if matcher.need(state) == 0:
                found += 1
                assert all(_holds(target.decode(tokens), word, True) for word in chosen), target.tokens(tokens)
    assert found > 300


@pytest.mark.parametrize(
    ("kind", "text", "note"),
    [
        ("word", "22 2288.", "only inside of a longer word or number: 228"),
        ("word", "22 88.", "lacks what it had to contain"),
        ("word", "22 228.", ""),
        ("word", "2288 or two", ""),
        ("char", "2288", ""),  # letters have no words
    ],
)
def test_a_term_inside_of_a_longer_number_is_noted(kind: str, text: str, note: str) -> None:
    tokenizer = train_tokenizer(["22 88 228 2288 or two"], kind)
    required = RequiredTerms(texts=(("228", "two"),))
    output = replace(Generation.empty("228"), text=text)
    noted = required.noted(output, tokenizer, build(DecodingConfig, {"beam": 3})).notes
    assert [note in each for each in noted] == [True] * bool(note)


def test_terms_are_found_by_words_the_longest_first() -> None:
    tokenizer = train_tokenizer(["a b c new york city x y z Apple Äpfel 東京"], "char")
    glossary = {"new york": "x", "york": "y", "new york city": "z", "apple": "a", "Äpfel": "b", "東京": "c"}

    def terms(text: str) -> list[str]:
        finder = TermFinder(build(DecodingConfig, {"glossary": glossary}), tokenizer, tokenizer, None)
        return [row[0] for row in finder.of(text, ()).texts]

    assert terms("in new york city") == ["z"]
    assert terms("york, new york!") == ["y", "x"]
    assert terms("New York, Apple") == ["y", "a"] and terms("newyork apples pineapple") == []
    assert terms("Äpfel (A\u0308pfel)") == ["b"] or terms("Äpfel") == ["b"]
    assert terms("私は東京に") == ["c"]


def test_patterns_are_carried_over_once_each() -> None:
    tokenizer = train_tokenizer([r"0123456789.,:/-%{}<>abcdefghijklmnopqrstuvwxyz@_ "], "char")

    def carried(text: str, *names: str) -> list[str]:
        config = DecodingConfig(carry_over=names)
        return [row[0] for row in TermFinder(config, tokenizer, tokenizer, None).of(text, ()).texts]

    assert carried("5 of 1,204.50 at 12:30, 5 %", "numbers") == ["5", "1,204.50", "12:30"]
    assert carried("hi {name}, <b>x</b> %s %(n)d {{y}} a{b c}", "placeholders") == [
        *("{name}", "<b>", "</b>", "%s", "%(n)d", "{{y}}"),
    ]
    assert carried("see www.a.de/x or me@b.org", "links") == ["www.a.de/x", "me@b.org"]
    assert carried("id ab12 cd", r"[a-z]+\d+", "numbers") == ["ab12", "12"]
    with pytest.raises(OptionError, match="numbers, placeholders, links or a regular expression"):
        carried("x", "(")
    with pytest.raises(OptionError, match=r"got 'nubmers'.*Did you mean 'numbers'\? If .* write \(nubmers\)"):
        carried("x", "nubmers")
    assert carried("nubmers EUR", "(nubmers)", "EUR") == ["nubmers", "EUR"]


def test_a_term_with_several_entries_may_become_any_of_their_targets() -> None:
    tokenizer = train_tokenizer(["polish Polish abc"], "char")

    def terms(text: str, *entries: str) -> list[tuple[str, ...]]:
        finder = TermFinder(build(DecodingConfig, {"glossary": list(entries)}), tokenizer, tokenizer, None)
        return list(finder.of(text, ()).texts)

    assert terms("polish", "polish => a", "polish => b", "polish => a") == [("a", "b")]
    assert terms("Polish", "polish => a", "Polish => b") == terms("Polish", "Polish => b", "polish => a") == [("b",)]
    assert terms("Polish", "polish => a", "polish => b") == [("a", "b")]


@pytest.mark.parametrize(
    ("output", "term", "there"),
    [
        ("tasse 10 rouge", "0", False),
        ("tasse 10 rouge", "10", True),
        ("rouges", "rouge", False),
        ("hi {name}!", "{name}", True),
        ("(<b>)", "<b>", True),
        ("100 %s", "%s", True),
        ("私は東京に", "東京", True),
        ("sel rouge", "sel rouge", True),
        ("", "x", False),
    ],
)
def test_a_term_is_there_as_words_of_its_own(output: str, term: str, there: bool) -> None:
    assert _holds(output, term, True) == there and _holds(output, term, False) == (term in output)


def test_words_that_hold_nothing(model: TextGenerator) -> None:
    assert model.generate(SOURCE, must_include=["", "eau"]).text == model.generate(SOURCE, must_include="eau").text
    assert model.generate(SOURCE, must_include="").text == model.generate(SOURCE).text
    with pytest.raises(OptionError, match="must_include has a word of white space alone"):
        model.generate(SOURCE, must_include=["eau", "  "])


def test_glossaries_are_read_from_mappings_files_and_entries(tmp_path: Path) -> None:
    (tmp_path / "g.tsv").write_text("salt\tsel\nred cup\ttasse rouge\n", encoding="utf-8")
    (tmp_path / "g.json").write_text(json.dumps({"salt": "sel", "red cup": ["tasse", "gobelet"]}), encoding="utf-8")
    (tmp_path / "bad.tsv").write_text("salt\tsel\npepper\n", encoding="utf-8")

    def read(value: object) -> tuple[str, ...]:
        return build(DecodingConfig, {"glossary": value}).glossary

    plain = ("salt => sel", "red cup => tasse rouge")
    assert read({"salt": "sel", "red cup": "tasse rouge"}) == read(tmp_path / "g.tsv") == plain
    assert read([("salt", "sel"), "red cup=>tasse rouge"]) == read(plain) == read(str(tmp_path / "g.tsv")) == plain
    assert read(tmp_path / "g.json")[1] == "red cup => tasse | gobelet"
    for value, words in (
        ({"salt": ""}, "in every entry"),
        ("no-such-file", "a mapping of source terms"),
        ("no-such-file.tsv", "there is no file no-such-file.tsv"),
        (3, "got 3"),
        (tmp_path / "bad.tsv", "entry 2 of"),
    ):
        with pytest.raises(OptionError, match=words):
            read(value)


@pytest.mark.parametrize("tokens", ["char", "word"])
def test_a_term_that_cannot_be_written_is_named_in_one_line(tokens: Any) -> None:
    model = TextGenerator(tokens=tokens, hidden_size=8, max_steps=1, samples=0)
    model.fit(list(WORDS.items()), callbacks=[])
    with pytest.raises(OptionError, match="not in the model's vocabulary") as error:
        model.generate("salt", must_include="äöüÄÖÜßéèêàâ" * 50)
    assert len(str(error.value)) < 400


def test_terms_need_beam_search_and_the_model_itself(model: TextGenerator, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="need beam search; leave out sample"):
        model.generate(SOURCE, glossary={"salt": "sel"}, sample=True)
    with pytest.raises(OptionError, match="without streaming"):
        next(iter(model.stream(SOURCE, carry_over="numbers")))


@contextmanager
def shell() -> Iterator[InteractiveShell]:
    instance = InteractiveShell()
    instance.run_line_magic("load_ext", "nbtextgen")
    yield instance


def test_glossary_in_magics_and_on_the_command_line(model: TextGenerator, tmp_path: Path, capsys) -> None:
    (tmp_path / "g.tsv").write_text("salt\teau\n", encoding="utf-8")
    with shell() as notebook:
        notebook.user_ns.update(french=model, terms={"salt": "eau"}, df=pairs()[:3])
        for given in ("terms", "{'salt': 'eau'}", f"{tmp_path}/g.tsv", "'salt => eau'"):
            output = notebook.run_line_magic(
                "textgen_generate", f'french "{SOURCE}" --glossary {given} --carry-over numbers'
            )
            assert "eau" in output.text and "12" in output.text, given
        notebook.run_line_magic("textgen_evaluate", "french --data df --glossary terms --must-include eau")
    capsys.readouterr()
    assert (
        main(
            [
                "generate",
                str(model.save(tmp_path / "m")),
                SOURCE,
                "--glossary",
                f"{tmp_path}/g.tsv",
                "--carry-over=numbers",
            ]
        )
        == 0
    )
    line = capsys.readouterr().out
    assert "eau" in line and "12" in line
