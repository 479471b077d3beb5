"""The parser of magic lines and cells, on generated expressions, paths, texts and comments, and on what users typed."""

from __future__ import annotations

import ast
import os
import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.core.options import options_of
from nbtextgen.notebook.arguments import TEXT, by_name, flag_option, text_option, words_option
from nbtextgen.notebook.cells import continue_line, pairs_in_cell
from nbtextgen.notebook.lines import ParsedLine, Syntax, parse_line, spelled
from nbtextgen.notebook.quoting import quoted, split_words
from nbtextgen.notebook.references import escape_references, expand
from nbtextgen.training.config import TrainingConfig

EXAMPLES = int(os.environ.get("NBTEXTGEN_LINES", "100"))
"""Examples for each property; 10,000 take minutes."""
many = settings(max_examples=EXAMPLES)
OPTIONS = options_of(TrainingConfig) | by_name(
    text_option("data", ""),
    text_option("source", ""),
    text_option("save", ""),
    text_option("contrast", ""),
    words_option("metrics", ""),
    flag_option("quiet", ""),
    TEXT,
)
TRAIN = Syntax(OPTIONS, words=1)
GENERATE = Syntax(OPTIONS, words=1, rest="text")
SAVE = Syntax(OPTIONS, words=1, rest="path")
LOOK = Syntax(OPTIONS, words=0, rest="expression")
VARIABLES = {"text": "a b", "size": 8, "x": 1, "frame": [("a", "b")], "path": "words.tsv"}

# Strategies -----------------------------------------------------------------------------------------------------------

one_line = st.text(st.characters(exclude_characters="\n\r\x85\u2028\u2029\x0b\x0c\x1c\x1d\x1e"), max_size=40)
typed = st.text(st.sampled_from("ab C#'\"\\{}$1-:/.,éß日\u00a0()[]x"), min_size=1, max_size=30)
comments = st.text(st.sampled_from("ab '\"#-{}$ \\é"), max_size=20).map(lambda text: f" #{text}")
strings = st.text(st.sampled_from("ab '\"#-{}$ \\é,()[]"), max_size=8).map(repr)
names = st.sampled_from(["df", "rows", "frame", "pd", "en", "x1"])


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, names).map(lambda parts: f"{parts[0]}.{parts[1]}"),
        st.tuples(inner, inner).map(lambda parts: f"{parts[0]}[{parts[1]}]"),
        st.tuples(names, st.lists(inner, max_size=3)).map(lambda parts: f"{parts[0]}({', '.join(parts[1])})"),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
        st.lists(st.tuples(strings, inner), min_size=1, max_size=2).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        ),
        st.tuples(inner, st.sampled_from(["+", "==", "and", "in", "if x else"]), inner).map(" ".join),
        st.tuples(names, inner).map(lambda parts: f"[{parts[0]} for {parts[0]} in {parts[1]}]"),
    )


expressions = st.recursive(st.one_of(names, strings, st.integers(0, 99).map(str)), _grown, max_leaves=6).filter(
    lambda code: _is_python(code) and not code.startswith(("'", '"'))
)
folders = st.sampled_from(["", "data/", "C:\\Users\\me\\", "~/", "../my data/", "\\\\server\\share\\", "/tmp/o'brien/"])
stems = (
    st.text(st.sampled_from("oc é'_(1)[]é日"), min_size=1, max_size=12).map(lambda name: name.strip(" '")).filter(bool)
)
paths = st.tuples(folders, stems, st.sampled_from([".tsv", ".csv", ".jsonl.gz"])).map("".join)


def _is_python(code: str) -> bool:
    try:
        ast.parse(code, mode="eval")
    except (SyntaxError, ValueError):
        return False
    return True


def text_of(line: str) -> str | None:
    return parse_line(line, GENERATE, VARIABLES).text


# Properties -----------------------------------------------------------------------------------------------------------


@many
@given(expressions, comments)
def test_expression_arrives_as_python_reads_it(code: str, comment: str) -> None:
    for line in (
        f"m --data {code}",
        f"m --data {code}{comment}",
        f"m --data={code} --epochs 3",
        f"--data {code} --epochs 3 m",
    ):
        assert parse_line(line, TRAIN, VARIABLES).options["data"] == code, line
    assert parse_line(f"{code} --source en{comment}", LOOK, VARIABLES).text == code
    assert parse_line(f"m --data {spelled(code, expression=True)} --epochs 3", TRAIN).options["data"] == code


@many
@given(paths, comments)
def test_path_arrives_as_written(path: str, comment: str) -> None:
    assume(not re.search(r"(^|[\s/\\])'", path))  # which the comment might close
    for line in (f"m --data {path}", f"m --data {path} --epochs 3", f"m --data {path}{comment}"):
        assert parse_line(line, TRAIN, VARIABLES).options["data"] == path, line
    folder = path.rpartition(".")[0]
    assert parse_line(f"m {folder}{comment}", SAVE, VARIABLES).text == folder
    assert parse_line(f"m --save {folder} --epochs 3", TRAIN, VARIABLES).options["save"] == folder
    assert parse_line(f"m --save {spelled(folder)} --epochs 3", TRAIN, VARIABLES).options["save"] == folder


@many
@given(typed, comments)
def test_text_arrives_as_typed(text: str, comment: str) -> None:
    text = text.strip()
    assume(text and not text.startswith(('"', "'", "#")) and not re.search(r"(^|\s)(--|#)", text))
    assume(not re.search(r"\{[^{}]*x[^{}]*\}|\$\$*[^\W\d]|\\$", text))
    assert text_of(f"m {text}") == text
    assert text_of(f"m {text} --epochs 3") == text
    assume(not re.search(r"(^|\s)['\"]", text))  # a quote that the comment might close
    assert text_of(f"m {text}{comment}") == text


@many
@given(one_line)
def test_quoted_text_is_read_back(text: str) -> None:
    line = f"m {quoted(escape_references(text))} --epochs 3 --quiet"
    parsed = parse_line(line, GENERATE, VARIABLES | {name: 1 for name in re.findall(r"[^\W\d]\w*", text)})
    assert parsed.text == text and parsed.options == {"epochs": 3, "quiet": True}
    assert parse_line(f"m --contrast {quoted(text)} a", GENERATE).options["contrast"] == text


@many
@given(one_line)
def test_any_line_is_parsed_or_refused_in_one_sentence(line: str) -> None:
    for syntax in (TRAIN, GENERATE, SAVE, LOOK):
        try:
            parse_line(line, syntax, VARIABLES)
        except OptionError as error:
            assert str(error)
    split_words(line)


# What users typed -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('m "a man" # note', "a man"),
        ("m a man # it's a note", "a man"),
        ("m C# is a language", "C# is a language"),
        ("m see https://x.org/a#b now", "see https://x.org/a#b now"),
        ('m "a # b"', "a # b"),
        ("m it's raining", "it's raining"),
        ("m l'homme mange", "l'homme mange"),
        ("m 'tis the season", "'tis the season"),
        ("m the dogs' bone is the cats'", "the dogs' bone is the cats'"),
        ('m He said "hi" to me', 'He said "hi" to me'),
        ('m a 5" pipe', 'a 5" pipe'),
        ('m "He said \\"hi\\" to me"', 'He said "hi" to me'),
        ("m '<i>a  cat</i>'", "<i>a  cat</i>"),
        ('m "--verbose means more"', "--verbose means more"),
        ("m -- --beam is a flag", "--beam is a flag"),
        ("m -- --beam is a flag # note", "--beam is a flag"),
        ("m he said -- no", "he said -- no"),
        ("m -5 degrees", "-5 degrees"),
        ('m "\\frac{1}{2}"', "\\frac{1}{2}"),
        ("m \\frac{1}{2}", "\\frac{1}{2}"),
        ('m "a \\\\ b"', "a \\\\ b"),
        ('m "ends with \\"', "ends with \\"),
        ("m {unknown} {} { x {7*7}", "{unknown} {} { x {7*7}"),
        ("m {list} and {id}", "{list} and {id}"),
        ("m {x} {{x}} {x + 1} $x $$x $5", "1 {x} 2 1 $x $5"),
        ("m '{text}'", "a b"),
        ("m 'costs $x'", "costs $x"),
        ("m a  b", "a  b"),
        ('m "a" "b"', "a b"),
        ("m --epochs 3 a man", "a man"),
        ("m a man --epochs 3 sleeps", "a man sleeps"),
        ("{text} --quiet", None),
        ('m "a man";', "a man"),
        ('m "a man" ; # note', "a man"),
        ("m a man;", "a man;"),
        ("m --epochs 3 a ; b ;", "a ; b ;"),
        ('m "a;"', "a;"),
        ("m a — b -c", "a — b -c"),
        ("m -- —epochs -quiet", "—epochs -quiet"),
    ],
)
def test_texts_of_users(line: str, text: str | None) -> None:
    assert text_of(line) == text


@pytest.mark.parametrize(
    ("line", "expression"),
    [
        ("m --text text", "text"),
        ("m --text text[:5] + 'x'", "text[:5] + 'x'"),
        ('m --text "it\'s"', repr("it's")),
        ('m --text "a man" --quiet', "'a man'"),
        ('m --text "text"', "text"),
        ('m --text "a " + text', '"a " + text'),
    ],
)
def test_text_option_takes_an_expression_or_a_quoted_text(line: str, expression: str) -> None:
    assert parse_line(line, GENERATE, VARIABLES).options["text"] == expression


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("m --data df.query(\"lang == 'fr'\") --source en", {"data": "df.query(\"lang == 'fr'\")", "source": "en"}),
        ('m --data df[["word","phones"]]', {"data": 'df[["word","phones"]]'}),
        ('m --data {"en":["a"],"fr":["b"]} # note', {"data": '{"en":["a"],"fr":["b"]}'}),
        ('m --data {"en": ["a"], "fr": ["b # c"]}', {"data": '{"en": ["a"], "fr": ["b # c"]}'}),
        ("--data df french", {"data": "df"}),
        ("m --data df # a data frame", {"data": "df"}),
        ("m --data C:\\Users\\me\\words.tsv", {"data": "C:\\Users\\me\\words.tsv"}),
        ("m --data my words (1).tsv --quiet", {"data": "my words (1).tsv", "quiet": True}),
        ('m --data "C:\\new words\\a.tsv"', {"data": "C:\\new words\\a.tsv"}),
        ("m --data ~/my words.tsv", {"data": "~/my words.tsv"}),
        ('m --save "C:\\models\\" --source "left side"', {"save": "C:\\models\\", "source": "left side"}),
        ("m --source left side --epochs 3", {"source": "left side", "epochs": 3}),
        ("m --metrics bleu, chrf", {"metrics": ("bleu", "chrf")}),
        ("m --metrics bleu --metrics chrf", {"metrics": ("bleu", "chrf")}),
        ("m --epochs {1 + 1}", {"epochs": 2}),
        ("m --epochs=3 --quiet=no", {"epochs": 3, "quiet": False}),
        ("m --epochs $size --no-quiet", {"epochs": 8, "quiet": False}),
        ("m --data parts/*.tsv.gz", {"data": "parts/*.tsv.gz"}),
        ("m --source it's", {"source": "it's"}),
        ("m --epochs 3;", {"epochs": 3}),
        ("m --data df[['a', 'b']]; # note", {"data": "df[['a', 'b']]"}),
        ("m --data a;b.tsv", {"data": "a;b.tsv"}),
        ('m --data "/".join(["a", "b"]) --epochs 3', {"data": '"/".join(["a", "b"])', "epochs": 3}),
        ('m --data "a " + b', {"data": '"a " + b'}),
        ("m --save $PLACE/m --quiet", {"save": "/place/m", "quiet": True}),
        ('m --save "${PLACE}/my models"', {"save": "/place/my models"}),
    ],
)
def test_options_of_users(line: str, options: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", "/place")
    assert parse_line(line, TRAIN, VARIABLES).options == options


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("m --epochs 3 --epochs 5", "--epochs is given twice"),
        ("m --quiet --no-quiet", "--quiet is given twice"),
        ("m --epochs", "--epochs needs a value"),
        ("m --epochs --quiet", "--epochs needs a value"),
        ("m --epochs= --quiet", "--epochs needs a value"),
        ("m --epoch 3", "Did you mean '--epochs'"),
        ("m --verbose means more", "double quotes"),
        ('m "a man', "quote is not closed"),
        ("m $undefined costs", r"no variable undefined for \$undefined; write \$\$undefined if it is text"),
        ("m --quiet=maybe", "--quiet must be true or false"),
        ("m a man —epochs 3", "—epochs is not an option: write --epochs with two hyphens"),
        ("m –quiet a man", "write --quiet with two hyphens; put a text"),
        ("m a man -epochs 3", "-epochs is not an option: write --epochs"),
        ("m a --save $nowhere/m", "no variable nowhere"),
    ],
)
def test_mistakes_are_one_sentence(line: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_line(line, GENERATE, VARIABLES)
    assert re.search(message, caught.value.in_magic)


def test_only_variables_are_expanded() -> None:
    assert expand("{x!r} {x:>3} {y} {x.real} $x.real $x. {chr(36)}", VARIABLES) == "{x!r} {x:>3} {y} 1 1 1. $"
    assert expand("{1 + 1} {nothing}", VARIABLES, constants=True) == "2 {nothing}"
    assert expand("{[size for _ in range(2)]}", VARIABLES) == "[8, 8]"


@pytest.mark.parametrize(
    ("line", "cell", "expected"),
    [
        ("m --tokens char \\", "    --epochs 5\na\tb\n", ("m --tokens char --epochs 5", "a\tb\n")),
        ("m \\", "--epochs 5 \\\n--quiet\na\tb", ("m --epochs 5 --quiet", "a\tb")),
        ("m\\", "--epochs 5\na\tb", ("m --epochs 5", "a\tb")),
        ("m --save C:\\models\\", "a\tb", ("m --save C:\\models\\", "a\tb")),
        ("m --data df \\", "--quiet", ("m --data df --quiet", None)),
        ("m", "a\\\tb", ("m", "a\\\tb")),
        ("m --quiet \\ # note", "  # comment\n--epochs 5\na\tb", ("m --quiet --epochs 5", "a\tb")),
        ("m \\", None, ("m \\", None)),
    ],
)
def test_options_go_on_after_a_backslash(line: str, cell: str | None, expected: tuple[str, str | None]) -> None:
    assert continue_line(line, cell) == expected


def test_last_backslash_without_a_line_is_refused() -> None:
    with pytest.raises(OptionError, match="backslash, but no line follows"):
        parse_line("m \\", TRAIN)


def test_gap_of_spaces_separates_pairs_if_every_line_has_one() -> None:
    assert pairs_in_cell("a cat    un chat\n\n  a dog  un chien \n") == "a cat\tun chat\n\na dog\tun chien\n"
    assert pairs_in_cell("a    b\nc\td e  f\ng\u00a0\u00a0h") == "a\tb\nc\td e  f\ng\th"
    for cell in ("a\tb  c", "a => b  c", "a b\nc d", ""):
        assert pairs_in_cell(cell) == cell
    for cell, number in (("a  b\nc d", 2), ("a  b  c\nd  e", 1)):
        with pytest.raises(DataError, match=f"line {number} has no separator.*exactly one gap"):
            pairs_in_cell(cell)


def test_parsed_line_without_anything_is_empty() -> None:
    assert parse_line("  # only a comment", TRAIN) == ParsedLine()


@pytest.mark.parametrize("word", ["{more}", "$more"])
def test_options_in_a_variable_are_options(word: str) -> None:
    variables = {"more": "--schedule constant --epochs 5", "rows": [("a", "b")]}
    parsed = parse_line(f"m --data rows {word} --quiet", TRAIN, variables)
    assert parsed.options == {"data": "rows", "schedule": "constant", "epochs": 5, "quiet": True}
    assert parse_line(f'm "{{more}} {word}"', GENERATE, {"more": "--tokens"}).options == {}
