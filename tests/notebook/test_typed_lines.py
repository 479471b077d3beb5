"""Lines and cells as users type and paste them, in a real IPython shell."""

from __future__ import annotations

import ast
import contextlib
import io
import os
from itertools import product
from pathlib import Path
from typing import Any

import pandas
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from nbtextgen import TextGenerator
from nbtextgen.notebook.code import MagicLine

ROOT = Path(__file__).parents[2]
PAIRS = [(word, word[::-1]) for word in ("abc", "bca", "cab", "aab", "bba", "cca", "acb", "bac")]
CELL = "".join(f"{source}\t{target}\n" for source, target in PAIRS)
FAST = "--hidden-size 8 --embedding-size 8 --epochs 1 --quiet"


@pytest.fixture(scope="module")
def model() -> TextGenerator:
    return TextGenerator(hidden_size=8, embedding_size=8, epochs=1).fit(PAIRS, callbacks=[])


@pytest.fixture
def shell(model: TextGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InteractiveShell:
    monkeypatch.chdir(tmp_path)
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "nbtextgen")
    shell.user_ns |= {"m": model, "df": pandas.DataFrame(PAIRS, columns=["en", "fr"]), "s": "a 'b' {c} \\d $e --f # g"}
    return shell


def run(shell: InteractiveShell, cell: str) -> Any:
    result = shell.run_cell(cell)
    result.raise_error()
    return result.result


def refusal(shell: InteractiveShell, cell: str) -> str:
    """The line in which a cell is refused."""
    result = shell.run_cell(cell)
    error = result.error_in_exec or result.error_before_exec
    assert error is not None and len(error._render_traceback_()) == 1, error  # type: ignore[attr-defined]
    return str(error)


def test_comment_is_no_text(shell: InteractiveShell) -> None:
    assert run(shell, '%textgen_generate m "abc" # note').source == "abc"
    assert run(shell, "%textgen_train n --data df --source en --target fr " + FAST + "    # a data frame") is not None


def test_text_is_taken_as_typed(shell: InteractiveShell) -> None:
    for text in ("it's raining", "l'homme mange", "\\frac{1}{2}", "C# and $5"):
        assert run(shell, f"%textgen_generate m {text}").source == text
        assert run(shell, f'%textgen_generate m "{text}"').source == text
    assert "is followed by no space; put one there" in refusal(shell, '%textgen_generate m "a man"# note')
    assert run(shell, "%textgen_generate m what is it?").source == "what is it?"
    assert run(shell, "answer = %textgen_generate m what is it??\nanswer").source == "what is it??"
    assert run(shell, '%textgen_generate m "--verbose means more"').source == "--verbose means more"
    assert run(shell, "%textgen_generate m -- --beam is a flag").source == "--beam is a flag"


def test_text_of_a_variable_needs_no_quotes(shell: InteractiveShell) -> None:
    assert run(shell, "%textgen_generate m --text s").source == shell.user_ns["s"]
    assert run(shell, "%textgen_generate m --text s[:5] --beam 2").source == "a 'b'"
    assert run(shell, "%textgen_explain m --text s --method attention").source == shell.user_ns["s"]
    assert "not both" in refusal(shell, "%textgen_generate m abc --text s")
    assert "holds DataFrame, not a text" in refusal(shell, "%textgen_generate m --text df")
    assert "There is no variable undefined for $undefined" in refusal(shell, "%textgen_generate m costs $undefined")


@pytest.fixture(scope="module")
def named(model: TextGenerator) -> InteractiveShell:
    """A shell in which every word of a text may be a variable."""
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "nbtextgen")
    shell.user_ns |= {name: f"--beam {at}" for at, name in enumerate(("a", "b", "ab", "x"), 2)} | {"m": model}
    return shell


letters = st.sampled_from("ab x{}$'\"\\-#?;%!\n\r\t\x0b\x85\u2028\x00\u00e9\u65e5\u200d()")


@settings(max_examples=int(os.environ.get("NBTEXTGEN_LINES", "100")))
@given(st.one_of(st.text(letters, max_size=24), st.text(max_size=24)), st.text(letters, min_size=1, max_size=6))
def test_a_line_that_a_panel_shows_gives_the_text_as_it_was_typed(
    named: InteractiveShell, text: str, prefix: str
) -> None:
    assume(text.strip())
    for name, options in (("generate", {"prefix": prefix, "beam": 3}), ("continue", {"length": 7})):
        line = MagicLine(f"textgen_{name}", "m", {**options, "show_code": True}, text).magic()
        with contextlib.redirect_stdout(io.StringIO()) as out:
            run(named, line)
        shown = ast.parse(out.getvalue(), mode="eval").body
        call = next(each for each in ast.walk(shown) if isinstance(each, ast.Call) and each.args and each.keywords)
        keywords = {each.arg: ast.literal_eval(each.value) for each in call.keywords if each.arg}
        assert ast.literal_eval(call.args[0]) == text, line
        assert {**keywords, **options} == keywords, line


def test_expression_is_read_as_python_reads_it(shell: InteractiveShell) -> None:
    for data in (
        "df.query(\"en != 'abc'\")",
        'df[["en", "fr"]]',
        '{"en": ["a", "b"], "fr": ["b", "c"]}',
        "df[df.en > 'b']",
    ):
        view = run(shell, f"%textgen_data {data} --brief  # {data}")
        assert view.pairs == len(eval(data, {"df": shell.user_ns["df"]})["en"]), data
        run(shell, f"%textgen_train n --data {data} {FAST} --max-steps 1")


def test_path_is_taken_as_written(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    Path("my words.tsv").write_text(CELL)
    assert run(shell, "%textgen_data my words.tsv --brief").pairs == len(PAIRS)
    run(shell, f"%textgen_train n --data my words.tsv {FAST} --max-steps 1")
    assert "C:\\Users\\me\\words.tsv" in refusal(shell, "%textgen_train n --data C:\\Users\\me\\words.tsv")
    run(shell, "%textgen_save m models\\french one")
    run(shell, "%textgen_load again models\\french one")
    assert Path("models\\french one").is_dir() and "again is loaded from models\\french one" in capsys.readouterr().out


def test_options_go_on_in_the_next_line(shell: InteractiveShell) -> None:
    run(shell, f"%%textgen_train n --tokens char \\\n   {FAST} \\\n  --cell gru\n{CELL}")
    assert shell.user_ns["n"].plan.model.cell == "gru"


def test_magic_in_a_function_sees_its_variables(shell: InteractiveShell) -> None:
    cell = """
def around(rows):
    def inside():
        return [get_ipython().run_line_magic("textgen_data", "rows --brief") for _ in range(1)][0]
    return inside()
def generate(model, word):
    return get_ipython().run_line_magic("textgen_generate", "model {word}")
def describe(rows):
    return [get_ipython().run_line_magic("textgen_data", "rows --brief") for _ in range(1)][0]
def evaluate(rows):
    return get_ipython().run_cell_magic("textgen_evaluate", "{'m'} --metrics exact", "abc\\tcba\\n")
rows = df
"""
    run(shell, cell)
    assert run(shell, "generate(m, 'cab')").source == "cab"
    assert run(shell, "describe([('a', 'b')])").pairs == 1
    assert run(shell, "describe(rows)").pairs == len(PAIRS)
    assert run(shell, "around([('a', 'b')])").pairs == 1
    assert "model" not in shell.user_ns


def test_semicolon_at_the_end_shows_no_value(shell: InteractiveShell) -> None:
    for line in (
        '%textgen_generate m "abc";',
        "%textgen_generate m abc --beam 2;  # note",
        "%textgen_data df --brief;",
    ):
        assert run(shell, line) is None
    run(shell, f"%textgen_train n --data df {FAST};")
    assert run(shell, 'r = %textgen_generate n "abc";\nr').source == "abc"
    assert run(shell, "%textgen_generate m abc;").source == "abc;"


def test_home_folder_and_variables_of_the_environment(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path.cwd() / "home"))
    run(shell, f"%textgen_train n --data df --save ~/a {FAST}")
    run(shell, "%textgen_save n $HOME/b")
    run(shell, "n.save('~/c')")
    for name in "abc":
        run(shell, f"%textgen_load again ~/{name}")
    assert not Path("~").exists() and not Path("$HOME").exists()
    Path("home/d.tsv").write_text(CELL)
    assert run(shell, "%textgen_data $HOME/d.tsv --brief").pairs == len(PAIRS)
    run(shell, "models = {'fr': n}")
    assert run(shell, "%textgen_generate models['fr'] abc").source == "abc"
    assert "no model named models['de']" in refusal(shell, "%textgen_generate models['de'] abc")


def test_header_in_a_cell_is_no_pair(shell: InteractiveShell) -> None:
    view = run(shell, f"%%textgen_data --brief\ntarget\tsource\n{CELL}\n")
    assert view.samples[0] == PAIRS[0][::-1] and view.pairs == len(PAIRS)
    assert "is read as a header" in str(view)


def test_variable_comes_before_a_folder_of_its_name(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("df").mkdir()
    assert run(shell, "%textgen_data df --brief").pairs == len(PAIRS)
    assert "df is the variable; write ./df for the file or folder" in capsys.readouterr().out
    Path("corpus").mkdir()
    shell.user_ns["corpus"] = "abc cab " * 200
    run(shell, f"%textgen_train n --text corpus {FAST} --window 20 --max-steps 1")
    run(shell, "%textgen_evaluate m --data df --source en --target fr --metrics exact --show-code")
    assert ".evaluate(df, " in capsys.readouterr().out


def test_pairs_with_spaces_for_a_tab_are_read(shell: InteractiveShell) -> None:
    run(shell, f"%%textgen_train n {FAST}\n" + CELL.replace("\t", "    "))
    assert run(shell, "%%textgen_data --brief\nabc  cba\nab   ba").samples == (("abc", "cba"), ("ab", "ba"))
    assert "line 2 has no separator" in refusal(shell, "%%textgen_data --brief\nabc  cba\nab ba")


def test_mistakes_are_one_line_of_ours(shell: InteractiveShell) -> None:
    Path("list.json").write_text("[1, 2]")
    Path("twice.json").write_text('{"epochs": 1, "epochs": 2}')
    Path("twice.toml").write_text("hidden-size = 8\nhidden_size = 16\n")
    for cell, message in (
        ("%%textgen_train n", "pairs"),
        ("%%textgen_train n\n", "pairs"),
        ("%%textgen_generate m", "one source per line"),
        ("%%textgen_evaluate m", "pairs"),
        ("%textgen_train n --data df --config list.json", "list.json holds a list"),
        ("%textgen_train n --data df --config twice.json", "'epochs' is given twice"),
        ("%textgen_train n --data df --config twice.toml", "'hidden_size' is given twice"),
        ("%textgen_generate m abc --beam 2 --beam 3", "--beam is given twice"),
        ("%textgen_generate m abc --verbose", "There is no option --verbose"),
        ("%textgen_train --help", "A ? behind the name of the magic shows its help, as in %textgen_train?"),
        ("%textgen_train new words.csv", "data and texts are given as options, such as --data words.csv."),
        (
            "%textgen_generate m abc --attention",
            "There is no option --attention. It is an option of %textgen_train and %textgen_tune.",
        ),
        ("%textgen_train n --data df --cell Transformer", "--cell must be one of rnn, gru, lstm"),
        ("%%textgen_generate m abc\ncab", "not both"),
    ):
        assert message in refusal(shell, cell), cell


def test_outputs_of_ipython_are_no_models(shell: InteractiveShell, model: TextGenerator) -> None:
    shell.user_ns |= {"_": model, "__": model, "_3": model, "_mine": model}
    message = refusal(shell, "%textgen_generate french abc")
    assert "available: m, _mine)" in message


def test_cell_magic_below_other_lines_takes_the_lines_up_to_a_blank_one(shell: InteractiveShell) -> None:
    run(shell, f"before = 1\n\n%%textgen_train n {FAST}\n{CELL}\nafter = %textgen_generate n abc  # note\nlast = 2")
    assert shell.user_ns["after"].source == "abc" and (shell.user_ns["before"], shell.user_ns["last"]) == (1, 2)


def test_column_in_and_column_out(
    shell: InteractiveShell, model: TextGenerator, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pandas.DataFrame({"id": range(4), "en": ["abc", "", "cab", None]})
    shell.user_ns["frame"] = frame
    expected = [model.generate(text).text if text else "" for text in ("abc", "", "cab", "")]
    run(shell, '%textgen_generate m --data frame --source en --into frame["fr"]  # a new column')
    assert list(frame["fr"]) == expected
    run(shell, "%textgen_generate m --data frame --source en --into outputs --beam 2")
    assert len(shell.user_ns["outputs"]) == 4
    assert run(shell, "%textgen_generate m --data ['abc', 'cab']").texts == [expected[0], expected[2]]
    Path("in.txt").write_text("abc\n\ncab\n")
    table = run(shell, "%textgen_generate m --data in.txt --into my out.tsv")
    assert table.count == 3 and "abc\t" in Path("my out.tsv").read_text()
    capsys.readouterr()
    run(shell, '%textgen_generate m --data frame --source en --into frame["fr"] --beam 2 --show-code')
    assert capsys.readouterr().out == "frame[\"fr\"] = m.generate_file(frame, source='en', beam=2).texts\n"
    run(shell, '%textgen_generate m --data frame["en"][:2] --into frame["de"]')
    assert "does not take the outputs" in capsys.readouterr().out
    for line, message in (
        ("m abc --data frame", "Give a text or --data, not both"),
        ("m abc --into x", "--into needs --data"),
        ("m --data frame --into nothing['x']", "--into nothing is no expression here"),
        ("m --data frame --into 3", "neither a variable, a column"),
    ):
        assert message in refusal(shell, f"%textgen_generate {line}"), line


def test_two_models_are_compared_and_functions_are_metrics(shell: InteractiveShell, model: TextGenerator) -> None:
    shell.user_ns["other"] = model
    comparison = run(shell, "%textgen_compare m other --data df --source en --target fr --metrics exact,bleu")
    assert list(comparison) == ["exact", "bleu"]
    assert "Name the two models" in refusal(shell, "%textgen_compare m --data df")
    run(shell, "def same_length(reference, output):\n    return float(len(reference) == len(output))")
    scores = run(shell, "%textgen_evaluate m --data df --metrics same_length,exact")
    assert list(scores) == ["same_length", "exact"]


def test_files_have_an_encoding_and_columns_have_numbers(shell: InteractiveShell) -> None:
    Path("old.csv").write_bytes("n;mot;word\n1;été;summer\n2;forêt;forest\n".encode("cp1252"))
    view = run(shell, "%textgen_data old.csv --source mot --target word --encoding cp1252 --brief")
    assert view.samples[0] == ("été", "summer")
    view = run(shell, "%textgen_data [('a','b','c'),('d','e','f'),('g','h','i')] --source 3 --target 1")
    assert view.samples[0] == ("c", "a")
    run(shell, f"%textgen_train n --data old.csv --source word --target mot --encoding cp1252 {FAST} --max-steps 1")
    assert "--encoding" in refusal(shell, f"%textgen_train n --data old.csv --source 2 --target 3 {FAST}")


def test_data_that_has_a_place_of_its_own_takes_no_option(shell: InteractiveShell) -> None:
    for line in ("%textgen_data --data df", "%textgen_data --data=df --brief"):
        assert "There is no option --data. Leave it out: the data follows the name" in refusal(shell, line)


def test_encoding_and_columns_of_data(shell: InteractiveShell) -> None:
    text = "n\ten\tfr\n1\tabc\tdéjà\n2\tcab\tvù\n"
    Path("a.tsv").write_bytes(text.encode("cp1252"))
    columns = "--data a.tsv --source en --target fr --encoding cp1252"
    for line in (
        f"%textgen_evaluate m {columns} --metrics exact",
        f"%textgen_compare m m {columns} --metrics exact",
        f"%textgen_explain m {columns} --method attention",
        "%textgen_generate m --data a.tsv --source fr --encoding cp1252",
        f"%textgen_train n {columns} {FAST}",
    ):
        run(shell, line)
        assert "a.tsv, line 2 is not UTF-8 text; give --encoding cp1252" in refusal(
            shell, line.replace(" --encoding cp1252", "")
        )
    assert run(shell, f"%textgen_data {columns.removeprefix('--data ')} --brief").pairs == 2
    assert "--source needs --data" in refusal(shell, "%textgen_explain m abc --source en")
    assert run(shell, "%textgen_explain m abc --target cba --method attention").text == "cba"


def test_function_of_the_notebook_selects_the_best_model(shell: InteractiveShell) -> None:
    run(shell, "calls = []\ndef mine(reference, output):\n    calls.append(output)\n    return len(output)")
    rows = [(first + second, second + first) for first in "abcde" for second in "abcde"]
    shell.user_ns["rows"] = rows
    model = run(shell, f"%textgen_train n --data rows {FAST} --select-by mine")
    assert shell.user_ns["calls"] and model.plan.training.select_by == "own:mine"
    assert "mine" in run(shell, "%textgen_evaluate n --data rows --metrics mine,exact")
    message = refusal(shell, f"%textgen_train n --data rows {FAST} --select-by minee")
    assert "minee" in message and "exact" in message


def test_what_a_variable_holds_is_not_replaced_by_outputs(shell: InteractiveShell, model: TextGenerator) -> None:
    frame = shell.user_ns["df"]
    for name, line in product(
        ("m", "df"), ("%textgen_generate m --data df --source en --into", "%textgen_continue m a --into")
    ):
        assert f"The variable {name} already holds" in refusal(shell, f"{line} {name}")
    assert "The variable m already holds TextGenerator" in refusal(shell, "%textgen_data df --clean nfc --into m")
    assert shell.user_ns["m"] is model and shell.user_ns["df"] is frame
    for _ in range(2):  # a cell can be run again
        assert run(shell, "%textgen_generate m --data df --source en --into out").count == len(PAIRS)
        run(shell, "%textgen_data df --clean nfc --into df")
    assert "neither a variable, a column" in refusal(shell, "%textgen_generate m --data df --source en --into o.docx")


def test_names_are_those_that_python_looks_up(shell: InteractiveShell) -> None:
    for line in (
        f"%textgen_train print --data df {FAST}",
        "%textgen_generate m --data df --source en --into list",
        "%textgen_data df --clean nfc --into len",
    ):
        assert "is a name of Python itself, which the notebook would lose" in refusal(shell, line)
    assert "cannot be a variable name" in refusal(shell, "%textgen_continue m a --into 3x")
    for typed, name in (("e\u0301te", "\xe9te"), ("\uff41\uff42", "ab")):
        run(shell, f"%textgen_train {typed} --data df {FAST}")
        assert run(shell, f"{name}.predict('abc') == {typed}.predict('abc')")
        assert run(shell, f"%textgen_generate {typed} abc").source == "abc"


@pytest.mark.parametrize(
    "dashes", ["\u2013-", "-\u2013", "\u2014", "\u2010\u2010", "\uff0d\uff0d", "\u2013\u2013\u2013"]
)
def test_dashes_of_word_processors_are_no_text(dashes: str, shell: InteractiveShell) -> None:
    message = refusal(shell, f"%textgen_generate m {dashes}beam 2 abc")
    assert message.startswith(f"{dashes}beam is not an option: write --beam with two hyphens")
    assert run(shell, f"%textgen_generate m abc {dashes} bca").source == f"abc {dashes} bca"
