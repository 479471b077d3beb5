"""Every magic in a shell: what it gives, the Python that it shows, and its mistakes in one sentence."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import shutil
from pathlib import Path
from typing import Any

import pandas
import pytest
from IPython.core.interactiveshell import InteractiveShell

from nbtextgen.notebook.magics.base import MagicError
from nbtextgen.notebook.progress import ProgressLine

FAST = "--hidden-size 8 --embedding-size 8 --epochs 1 --quiet"
CELL = "\n".join(f"{word}\t{word[::-1]}" for word in ("abc", "bca", "cab", "aab", "bba", "cca", "acb", "bac"))


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> InteractiveShell:
    """A shell with some rows and a model ``words``, kept as the run ``first``."""
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "nbtextgen")
    folder = tmp_path_factory.mktemp("runs")
    shell.user_ns |= {"rows": [tuple(line.split("\t")) for line in CELL.split("\n")], "folder": folder}
    shell.run_line_magic("textgen_train", f"words --data rows {FAST} --run {folder}/first")
    return shell


def run(shell: InteractiveShell, magic: str, line: str, cell: str | None = None) -> tuple[Any, str]:
    """The magic's value, and what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        value = shell.run_line_magic(magic, line) if cell is None else shell.run_cell_magic(magic, line, cell)
    return value, said.getvalue()


@pytest.mark.parametrize(
    ("magic", "line", "cell"),
    [
        ("textgen_train", f"shown --data rows {FAST} --cell gru", None),
        ("textgen_train", f"shown {FAST}", CELL),
        ("textgen_generate", "words abc --beam 2", None),
        ("textgen_generate", "words", "abc\ncab"),
        ("textgen_evaluate", "words --data rows --metrics exact,bleu", None),
        ("textgen_evaluate", "words", CELL),
        ("textgen_evaluate", "words --data rows --error-analysis", None),
        ("textgen_data", "rows", None),
        ("textgen_save", "words {folder}/model", None),
        ("textgen_load", "shown {folder}/first", None),
        ("textgen_runs", "--folder {folder}", None),
        ("textgen_runs", "compare fir --folder {folder}", None),
        ("textgen_runs", "open first --into shown --folder {folder}", None),
        ("textgen_runs", "resume first --into shown --folder {folder}", None),
        ("textgen_explain", "words abc", None),
        (
            "textgen_tune",
            f"shown --data rows --minutes 0.02 --search cell:lstm/gru,dropout:0.1..0.2 {FAST.replace(' --quiet', '')}",
            None,
        ),
    ],
)
def test_the_code_that_a_line_shows_runs(shell: InteractiveShell, magic: str, line: str, cell: str | None) -> None:
    before = dict(shell.user_ns)
    value, code = run(shell, magic, f"{line} --show-code", cell)
    assert value is None and "shown" not in shell.user_ns
    code = code.replace(".fit(", ".fit(callbacks=[], data=", 1) if ".fit(" in code else code
    exec(code, {**before})
    shell.user_ns.pop("shown", None)


def test_scores_and_looks_are_values(shell: InteractiveShell) -> None:
    scores, _ = run(shell, "textgen_evaluate", "words --data rows --metrics exact,bleu")
    assert list(scores) == ["exact", "bleu"]
    look, _ = run(shell, "textgen_data", "rows")
    assert look.pairs == 8 and look.report is not None and "8 pairs" in repr(look)
    brief, _ = run(shell, "textgen_data", "--brief", CELL)
    assert brief.report is None and brief.columns[0].distinct == 8


def test_a_long_evaluation_or_comparison_says_how_far_it_is(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[tuple[int, int]]()
    monkeypatch.setattr(ProgressLine, "__call__", lambda self, done, count: seen.append((done, count)))
    run(shell, "textgen_evaluate", "words --data rows")
    assert seen and {count for _, count in seen} == {8}
    seen.clear()
    run(shell, "textgen_compare", "words words --data rows")
    assert seen[0][0] < seen[-1][0] == 16 and {count for _, count in seen} == {16}


def test_a_model_is_saved_and_loaded(shell: InteractiveShell, tmp_path: Path) -> None:
    _, said = run(shell, "textgen_save", f"words {tmp_path}/onnx --format onnx")
    assert "is exported to" in said and (tmp_path / "onnx" / "decoder-1.onnx").is_file()
    _, said = run(shell, "textgen_save", f"words {tmp_path}/words.html --bits 8 --example abc --show-code")
    assert said.strip() == f"words.export('html', '{tmp_path}/words.html', bits=8, example='abc')"
    _, said = run(shell, "textgen_save", f"words {tmp_path}/words.html")
    assert "is exported to" in said and (tmp_path / "words.html").read_text().startswith("<!DOCTYPE html>")
    _, said = run(shell, "textgen_save", f"words {tmp_path}/model")
    assert "words is saved to" in said
    run(shell, "textgen_load", f"again {tmp_path}/model")
    assert shell.user_ns["again"].generate("abc").text == shell.user_ns["words"].generate("abc").text
    assert not (tmp_path / "model" / "training_sources.json").exists()
    _, said = run(shell, "textgen_save", f"words {tmp_path}/model --keep-sources 5 --show-code")
    assert said.strip() == f"words.save('{tmp_path}/model', keep_sources=5)"
    run(shell, "textgen_save", f"words {tmp_path}/model --keep-sources 5")
    run(shell, "textgen_load", f"again {tmp_path}/model")
    explained, _ = run(shell, "textgen_explain", "again abc --missing sample --donors 5")
    assert explained.missing == "sample"


def test_runs_are_listed_compared_resumed_and_deleted(shell: InteractiveShell) -> None:
    folder = shell.user_ns["folder"]
    run(shell, "textgen_train", f"second --data rows {FAST} --cell gru --run {folder}/second")
    listed, _ = run(shell, "textgen_runs", f"--folder {folder}")
    assert {one.name for one in listed} >= {"first", "second"}
    compared, _ = run(shell, "textgen_runs", f"compare fir sec --folder {folder}")
    assert [one.name for one in compared] == ["first", "second"] and compared.differing() == ["cell"]
    html = compared._repr_mimebundle_()["text/html"]
    assert "gru" in html and "<table>" in html
    run(shell, "textgen_train", f"second --resume {folder}/second --quiet")
    assert shell.user_ns["second"].plan.model.cell == "gru"
    history, said = run(shell, "textgen_runs", f"open sec --into reopened --folder {folder}")
    assert "best model of second" in said and "finished after" in repr(history)
    assert shell.user_ns["reopened"].generate("abc").text == shell.user_ns["second"].generate("abc").text
    run(shell, "textgen_runs", f"resume sec --folder {folder}")
    assert shell.user_ns["second"].history[-1].reason == "finished"
    with pytest.raises(Exception, match="add --yes"):
        run(shell, "textgen_runs", f"delete second --folder {folder}")
    run(shell, "textgen_runs", f"delete second --yes --folder {folder}")
    assert not (folder / "second").exists() and (folder / "first").exists()


def test_the_panel_of_a_trained_model_tells_how_it_was_trained(shell: InteractiveShell) -> None:
    history, _ = run(shell, "textgen_panel", "words")
    assert "finished after" in repr(history) and "data:image/svg+xml" in history._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize(
    ("magic", "line", "message"),
    [
        ("textgen_evaluate", "words", "There are no pairs"),
        ("textgen_evaluate", "wrods --data rows", "Did you mean 'words'"),
        ("textgen_evaluate", "words --data rows --metrics blue", "Did you mean 'bleu'"),
        (
            "textgen_evaluate",
            "words --data rows --metrics math.dist",
            "assign the function to a variable and give its name",
        ),
        ("textgen_evaluate", "words --data rows --metrics exact bleu", "commas between metrics: --metrics exact,bleu"),
        ("textgen_train", "k --data rows --select-by lambda r, o: 1.0", "assign a function of your own to a variable"),
        ("textgen_data", "rowz", "neither a file nor an expression"),
        ("textgen_data", "", "There are no pairs"),
        ("textgen_panel", "", "Name the model"),
        ("textgen_panel", "nobody", "no model named nobody"),
        ("textgen_save", "words", "A name and a folder"),
        ("textgen_load", "words nowhere", "no saved model"),
        ("textgen_runs", "delite", "Did you mean 'delete'"),
        ("textgen_runs", "delete", "Name the runs"),
        ("textgen_runs", "compare nothing", "no run 'nothing'"),
        ("textgen_runs", "open first first --folder {folder}", "Only one run"),
        ("textgen_runs", "open first --into rows --folder {folder}", "already holds list"),
        ("textgen_train", "words --resume nowhere --data rows", "leave out --data"),
        ("textgen_train", "words --resume nowhere", "nowhere"),
        ("textgen_train", "words --data rows --progress pannel", "Did you mean 'panel'"),
        ("textgen_tune", "words --data rows --search dropot", "Did you mean 'dropout'"),
        ("textgen_tune", "words --data rows --search dropout:0.3", "write it as dropout:0"),
        ("textgen_tune", "words --data rows --dropout 0.1", "dropout"),
        ("textgen_tune", "words", "There are no pairs"),
    ],
)
def test_a_mistake_is_one_sentence(shell: InteractiveShell, magic: str, line: str, message: str) -> None:
    with pytest.raises(Exception, match=message) as caught:
        run(shell, magic, line)
    assert len(caught.value._render_traceback_()) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("lambda r, o: 1.0", "lambda"),
        ("lambda r,o:1.0", "lambda"),
        ("(lambda r, o: 1.0)", "(lambda"),
        ('["exact"]', '["exact"]'),
        ("[rows]", "[rows]"),
        ("partial(len)", "partial(len)"),
        ("{is_same}", "functools.partial("),
    ],
)
def test_a_metric_is_given_by_name(shell: InteractiveShell, value: str, shown: str) -> None:
    shell.user_ns["is_same"] = functools.partial(lambda reference, output: float(reference == output))
    for line in (
        f"textgen_evaluate words --data rows --metrics {value}",
        f"textgen_train k --data rows --select-by {value}",
    ):
        with pytest.raises(MagicError) as caught:
            run(shell, *line.split(" ", 1))
        message = str(caught.value)
        assert "takes names of metrics (got '" + shown in message
        assert message.endswith(
            "a function of your own to a variable and give its name, as " + message.split()[0] + " same_year."
        )
    scores, _ = run(shell, "textgen_evaluate", "words --data rows --metrics is_same")
    assert [*scores] == ["partial"]


def test_the_name_of_a_variable_in_the_place_of_a_text_is_noted(shell: InteractiveShell) -> None:
    shell.user_ns |= {"words_here": ["abc", "cab"], "one": "abc", "number": 3}
    result, _ = run(shell, "textgen_generate", "words words_here")
    note = (
        "words_here is read as a text, not as the variable of this name; --data words_here generates for what it holds."
    )
    assert note in result.notes and result.source == "words_here"
    explanation, _ = run(shell, "textgen_explain", "words words_here --method occlusion")
    assert explanation is not None
    assert shell.user_ns["words"].explain(result, method="occlusion") is not None
    result, _ = run(shell, "textgen_generate", "words one")
    assert any("; --text one generates" in each for each in result.notes)
    for text in ("number", "abc", '"one two"'):
        result, _ = run(shell, "textgen_generate", f"words {text}")
        assert not any("is read as a text" in each for each in result.notes)


def test_a_line_of_a_cell_that_looks_like_a_comment_is_a_text_and_noted(shell: InteractiveShell) -> None:
    note = "Line 2 of the cell begins with # and is read as a text, like every line; delete a comment."
    for cell, noted in (("abc\n# my texts\ncab\n", True), ("abc\n#cab\n# bc\n", False), ("abc\ncab", False)):
        result, _ = run(shell, "textgen_generate", "words", cell)
        assert [each.source for each in result] == cell.rstrip().split("\n")
        assert any(note in each for each in result.notes) == noted, cell


def test_outputs_are_not_put_into_an_attribute_that_is_no_column(shell: InteractiveShell) -> None:
    shell.user_ns["table"] = pandas.DataFrame({"en": ["abc", "cab"], "fr": ["", ""]})
    with pytest.raises(MagicError, match=r"--into table\.more: table has no column 'more'; write table\['more'\]"):
        run(shell, "textgen_generate", "words --data table.en --into table.more")
    run(shell, "textgen_generate", "words --data table.en --into table.fr")
    run(shell, "textgen_generate", "words --data table.en --into table['more']")
    table = shell.user_ns["table"]
    assert list(table.fr) == list(table["more"]) == shell.user_ns["words"].predict(["abc", "cab"])


def test_every_magic_has_help_for_people_with_an_example_and_its_options(shell: InteractiveShell) -> None:
    assert shell.magics_manager is not None
    ours = [name for name in shell.magics_manager.magics["line"] if name.startswith("textgen_")]
    assert len(ours) >= 8
    for name in ours:
        text = shell.magics_manager.magics["line"][name].__doc__
        assert text and f"%{name}" in text and "--debug" in text and "--show-code" in text, name
        assert "Example" in text, name


def test_help_begins_with_what_matters_and_tells_how_defaults_are_chosen(shell: InteractiveShell) -> None:
    assert shell.magics_manager is not None
    text = shell.magics_manager.magics["line"]["textgen_train"].__doc__ or ""
    first = text.partition("The ten that matter first:")[2].partition("Data and run:")[0]
    assert first.count("    --") == 10 and "--data " in first and "--epochs " in first
    assert "(default: chosen from the data, for about 5,000 updates, at most 200)" in first
    assert ": text" not in text and "e+09" not in text and "4294967295" in text


def test_a_search_is_tuned_and_its_words_are_read_back(shell: InteractiveShell) -> None:
    from nbtextgen.notebook.search_words import search_as_words, search_of
    from nbtextgen.tuning import Range

    words = ["hidden-size:16..24", "cell:lstm/gru", "learning-rate:0.0001..0.01"]
    space = search_of(words)
    assert search_as_words(space) == words and space["learning_rate"] == Range(0.0001, 0.01, True)
    tuning, _ = run(shell, "textgen_tune", f"best --data rows --minutes 0.02 --search {','.join(words)} --max-steps 5")
    assert shell.user_ns["best"] is tuning.best and 16 <= tuning.best.plan.model.hidden_size <= 24


def test_runs_are_resumed_compared_and_deleted_from_their_table(shell: InteractiveShell) -> None:
    from nbtextgen.notebook.panels.runs import RunsPanel

    folder = shell.user_ns["folder"]
    for name in ("third", "fourth"):
        run(shell, "textgen_train", f"{name} --data rows {FAST} --run {folder}/{name}")
    view, _ = run(shell, "textgen_runs", f"compare third fourth --folder {folder}")
    panel = RunsPanel(shell.magics_manager.registry["RunCommands"].session, view)

    def act(action: str, *names: str) -> str:
        panel._receive(None, {"action": action, "names": list(names)})
        panel._worker.wait(60)
        return panel.status.value

    assert panel.table.heads[:3] == ["run", "state", "updates"] and panel.table.rows[0]["cells"][1] == "finished"
    assert panel.table.rows[0]["keys"][2] == 1.0  # 1/1 updates
    assert "third is the best model" in act("open", "third") and shell.user_ns["third"].generate("abc").text
    assert "2 runs side by side" in act("compare", "third", "fourth") and "<table" in panel.below.children[0].value
    assert "fourth is resumed into fourth" in act("resume", "fourth")
    panel.session.trainings["fourth"].worker.wait(60)
    assert "The run had ended already; fourth is its best model" in panel.status.value
    shutil.rmtree(folder / "third")
    assert "third: no longer there" in act("compare", "third", "fourth") and len(panel.table.rows) == 1
    run(shell, "textgen_train", f"third --data rows {FAST} --run {folder}/third")
    panel.view = run(shell, "textgen_runs", f"compare third fourth --folder {folder}")[0]
    assert "fourth, third deleted" in act("delete", "third", "fourth") and not (folder / "third").exists()
    assert panel.table.rows == [] and "There are no runs in" in panel.status.value


def test_the_code_of_a_panel_opens_it(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("IPython.core.getipython.get_ipython", lambda: shell)
    for line in ("words --kind history", "words abc --kind generate", "new --kind tune", "--kind train --data rows"):
        wanted, _ = run(shell, "textgen_panel", line)
        _, code = run(shell, "textgen_panel", f"{line} --show-code")
        *before, last = code.strip().split("\n")
        space: dict[str, Any] = {}
        exec("\n".join(before), space)
        assert type(eval(last, space)) is type(wanted), line


def test_expressions_in_braces_and_dollars_expand_on_every_line(shell: InteractiveShell) -> None:
    shell.user_ns |= {"size": 8, "text": "a b", "which": "words"}
    shell.run_cell(f"%textgen_train built --data rows --hidden-size {{size}} {FAST.split(' ', 2)[2]}").raise_error()
    assert shell.user_ns["built"].plan.model.hidden_size == 8
    got = shell.run_cell("%textgen_generate {which} '{text}' --beam {1 + 1}").result
    assert (got.source, got.text) == ("a b", shell.user_ns["words"].generate("a b", beam=2).text)
    assert shell.run_cell("%textgen_generate $which abc").result.source == "abc"


def test_every_value_shows_itself_as_html_and_as_text(shell: InteractiveShell) -> None:
    folder = shell.user_ns["folder"]
    lines = [
        ("textgen_generate", "words abc --beam 3 --n-best 2"),
        ("textgen_evaluate", "words --data rows --metrics exact,bleu"),
        ("textgen_evaluate", "words --data rows --error-analysis"),
        ("textgen_explain", "words abc"),
        ("textgen_explain", "words --data rows --limit 2"),
        ("textgen_data", "rows"),
        ("textgen_data", "rows --clean dedupe"),
        ("textgen_data", "rows --panel"),
        ("textgen_runs", f"--folder {folder}"),
        ("textgen_panel", "words --kind history"),
        ("textgen_panel", "words abc --kind generate"),
        ("textgen_panel", "--kind train --data rows"),
        ("textgen_panel", "--kind tune --data rows"),
    ]
    for magic, line in lines:
        data, _ = shell.display_formatter.format(run(shell, magic, line)[0])  # type: ignore[union-attr]
        assert data["text/plain"] and not data["text/plain"].startswith(("<nbtextgen", "VBox")), (magic, line)
        assert "<" in data.get("text/html", ""), (magic, line, sorted(data))


def test_magics_work_with_autoreload_and_loaded_twice(shell: InteractiveShell) -> None:
    names = ("nbtextgen.notebook.session", "nbtextgen.inference.generation", "nbtextgen.core.options")
    modules = [importlib.import_module(name) for name in names]
    before = [dict(vars(module)) for module in modules]
    shell.run_line_magic("load_ext", "autoreload")
    shell.run_line_magic("autoreload", "2")
    try:
        for module in modules:
            Path(module.__file__ or "").touch()
        shell.run_cell("pass")
        run(shell, "load_ext", "nbtextgen")
        run(shell, "reload_ext", "nbtextgen")
        run(shell, "textgen_train", f"anew --data rows {FAST}")
        assert run(shell, "textgen_generate", "anew abc")[0].source == "abc"
        assert run(shell, "textgen_generate", "words abc")[0].source == "abc"
    finally:
        shell.run_line_magic("autoreload", "0")
        for module, names_before in zip(modules, before, strict=True):
            vars(module).update(names_before)  # other tests hold the classes of before
