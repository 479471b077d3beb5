"""``textgen_data``, ``textgen_continue`` and ``--text`` in a real IPython shell, and their panels' logic."""

from __future__ import annotations

import re

import pandas
import pytest
from IPython.core.interactiveshell import InteractiveShell

from nbtextgen import Pairs

FRAME = pandas.DataFrame(
    {
        "en": ["a  cat", "a dog", "a dog", None, "<b>a bird</b>", "a fish", "e\u0301toile"],
        "fr": ["un chat", "un chien", "un chien", "rien", "un oiseau", "   ", "star"],
        "n": [1, 2, 3, 4, 5, 6, 7],
    }
)
TEXT = "one two three four five six seven, and then again: " * 40


@pytest.fixture
def shell() -> InteractiveShell:
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "nbtextgen")
    shell.user_ns["df"] = FRAME
    return shell


def test_data_is_reported_on_and_cleaned_into_a_variable(shell: InteractiveShell) -> None:
    report = shell.run_line_magic("textgen_data", "df --source en --target fr --tokens char").report
    assert {"missing", "empty", "duplicates", "markup", "white-space", "unicode-form"} <= {
        one.name for one in report.findings
    }
    line = f"df --source en --target fr --clean {report.steps} --into tidy"
    cleaned = shell.run_line_magic("textgen_data", line)
    tidy = shell.user_ns["tidy"]  # a frame for a frame
    assert list(zip(tidy.en, tidy.fr, strict=True)) == list(cleaned.pairs) and list(tidy.n) == [1, 2, 5, 7]
    assert list(cleaned.pairs) == [
        ("a cat", "un chat"),
        ("a dog", "un chien"),
        ("a bird", "un oiseau"),
        ("étoile", "star"),
    ]
    options = "--data tidy --source en --target fr --hidden-size 8 --embedding-size 8 --epochs 1 --quiet"
    shell.run_line_magic("textgen_train", f"words {options}")
    assert "markup" in shell.user_ns["words"].plan.data.clean
    assert shell.run_line_magic("textgen_generate", "words '<i>a  cat</i>'").source == "a cat"


def test_long_work_on_data_says_what_it_does(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = list[str]()

    class Handle:
        def display(self, text: dict[str, str], raw: bool) -> None:
            lines.append(text["text/plain"])

        update = display

    monkeypatch.setattr("nbtextgen.notebook.progress.LINE_SECONDS", 0.0)
    monkeypatch.setattr("nbtextgen.notebook.progress.DisplayHandle", Handle)
    shell.kernel = None  # type: ignore[attr-defined]  # a notebook
    shell.user_ns["many"] = [(f"text {number}", f"TEXT {number}") for number in range(2_500)]
    for line, what in (("many", "Looking at"), ("many --brief", "Looking at"), ("many --clean dedupe", "Cleaning")):
        lines.clear()
        shell.run_line_magic("textgen_data", line)
        said = [re.sub(r", \d+ s", "", text) for text in lines]
        assert said[0] == "Reading the data; interrupt to stop" and said[-1] == "", line
        assert f"{what} 2,500 rows; interrupt to stop" in said, line


def test_training_with_clean_drops_what_cannot_be_learned(shell: InteractiveShell) -> None:
    with pytest.raises(Exception, match="row 4: source is missing"):
        shell.run_line_magic("textgen_train", "words --data df --source en --target fr --quiet")
    options = "--source en --target fr --hidden-size 8 --embedding-size 8 --epochs 1 --quiet"
    shell.run_line_magic("textgen_train", f"words --data df {options} --clean dedupe,whitespace")
    assert shell.user_ns["words"].plan.data.clean == "dedupe,whitespace"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "There are no pairs"),
        ("dff --source en --target fr", "neither a file nor an expression"),
        ("df --source en --target de", "no target column 'de'"),
        ("df --source en --target fr --clean dedup", "Did you mean 'dedupe'"),
    ],
)
def test_mistakes_are_one_line(shell: InteractiveShell, line: str, message: str) -> None:
    with pytest.raises(Exception, match=message) as caught:
        shell.run_line_magic("textgen_data", line)
    assert len(caught.value._render_traceback_()) == 1


def test_code_of_the_data_magic_does_the_same(shell: InteractiveShell, capsys) -> None:
    for line in ("df --source en --target fr --tokens char", "df --source en --target fr --clean nfc,dedupe"):
        expected = shell.run_line_magic("textgen_data", line)
        capsys.readouterr()
        shell.run_line_magic("textgen_data", f"{line} --show-code")
        code = capsys.readouterr().out
        *before, last = code.strip().split("\n")
        space = {"df": FRAME}
        exec("\n".join(before), space)
        wanted = getattr(expected, "report", expected)
        assert repr(eval(last.partition(" = ")[2] if " = rows" in last else last, space)) == repr(wanted)


def test_a_text_is_learned_and_continued(shell: InteractiveShell, tmp_path, capsys) -> None:
    (tmp_path / "corpus.txt").write_text(TEXT)
    shell.user_ns["words"] = TEXT
    options = "--tokens char --context 8 --hidden-size 16 --embedding-size 8 --max-steps 4 --quiet"
    for text in (tmp_path / "corpus.txt", "words"):
        shell.run_line_magic("textgen_train", f"poet --text {text} {options}")
        quiet = shell.run_line_magic("textgen_continue", "poet 'one two' --length 30 --seed 2 --quiet --into kept")
        assert quiet.startswith("one two") and len(quiet) == 37
        assert shell.user_ns["kept"] == quiet
        capsys.readouterr()
        shell.run_line_magic("textgen_continue", "poet 'one two' --length 30 --seed 2")
        assert capsys.readouterr().out == quiet + "\n"
    shell.run_line_magic("textgen_train", f"poet --text {tmp_path}/corpus.txt {options} --show-code")
    assert "fit_text(" in capsys.readouterr().out
    with pytest.raises(Exception, match="one of them"):
        shell.run_line_magic("textgen_train", "poet --text words --data df")


def test_the_cleaning_panel_shows_what_would_change_before_it_does(shell: InteractiveShell) -> None:
    panel = shell.run_line_magic("textgen_data", "df --source en --target fr --tokens char --panel")
    assert "<b>a bird" not in panel.summary()[1]
    assert panel.steps == ["dedupe", "nfc", "whitespace"]  # what is right for every task; not markup
    assert "4 of 7 rows kept; 3 will be lost" in panel.kept.value
    for step, box in panel.boxes.items():
        box.value = step in ("zero-width", "empty")
    panel._worker.wait(60)
    assert "5 of 7 rows kept" in panel.kept.value and "df_clean" not in shell.user_ns
    assert panel.code.pieces[0]["code"] == "%textgen_data df --source en --target fr --clean zero-width --into df_clean"
    panel.apply.click()
    panel._worker.wait(60)
    assert "5 rows are a data frame in df_clean" in panel.message.value and panel.message.value in panel.summary()[1]
    kept = shell.user_ns["df_clean"]
    assert list(kept.columns) == ["en", "fr", "n"] and list(kept.n) == [1, 2, 3, 5, 7]
    shell.run_line_magic("textgen_data", panel.code.pieces[0]["code"].partition(" ")[2])
    assert kept.equals(shell.user_ns["df_clean"])


def test_the_continue_panel_writes_escapes_and_leaves_its_text(shell: InteractiveShell) -> None:
    from nbtextgen import TextGenerator

    model = TextGenerator(tokens="char", context=8, hidden_size=8, embedding_size=8, max_steps=2)
    shell.user_ns["poet"] = model.fit_text("<b>one</b> & two " * 60, callbacks=[])
    panel = shell.run_line_magic("textgen_continue", "poet <b>one --length 40 --precision fp32 --panel")
    assert panel.code.pieces[0]["code"] == '%textgen_continue poet --length 40 --precision fp32 "<b>one"'
    panel.begin.click()
    panel.begin.click()
    panel._worker.wait(120)
    assert panel._worker._submitted == 1 and not panel.begin.disabled  # a double click begins once
    assert "&lt;b&gt;one" in panel.output.value and "<b>" not in panel.output.value and panel.stop.disabled
    assert panel.output.value in panel.summary()[1] and "seed" in panel.status.value
    line = panel.code.pieces[0]["code"].partition(" ")[2]
    written = shell.run_line_magic("textgen_continue", f"{line} --quiet")
    assert panel.summary()[0].endswith(written)  # the line repeats what is shown
    for values, field, message in (
        ({"length": "0"}, "length", "length must be a whole number of at least 1"),
        ({"length": "20", "temperature": "hot"}, "temperature", "temperature must be a number"),
    ):
        panel.decoding.put(**values)
        assert message in panel.decoding.errors[field] and panel.begin.disabled and message in panel.summary()[1]
    panel.decoding.put(temperature=1.0, sample=False)
    panel.form.put(text="")
    assert panel.begin.disabled and "Enter the beginning" in panel.status.value
    panel.form.put(text="one\ntwo")
    assert panel.code.pieces[0]["code"].endswith(r"--text ('one\ntwo')") and not panel.begin.disabled
    assert "'one\\ntwo', length=20, sample=False" in panel.code.pieces[1]["code"]


def test_counts_of_one_in_the_data_view_are_singular(shell: InteractiveShell) -> None:
    shell.user_ns["short"] = [("a", "x"), ("b", "y")]
    view = shell.run_line_magic("textgen_data", "short --brief")
    assert "1 to 1 character, median 1;" in repr(view)
    assert "median 1 character<" in view._repr_mimebundle_()["text/html"]


def test_pairs_show_their_report_from_python() -> None:
    assert "rows" in repr(Pairs([("a"), ("b")], ["x", "y"]).report())
