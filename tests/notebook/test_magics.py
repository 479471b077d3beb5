"""The magics in a real IPython shell, and the notebooks executed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

ROOT = Path(__file__).parents[2]
CELL = "\n".join(f"{word}\t{word[::-1]}" for word in ("abc", "bca", "cab", "aab", "bba", "cca", "acb", "bac"))
FAST = "--hidden-size 8 --embedding-size 8 --epochs 1 --quiet"


@pytest.fixture
def shell() -> InteractiveShell:
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "nbtextgen")
    return shell


def test_train_and_generate(shell: InteractiveShell) -> None:
    shell.run_cell_magic("textgen_train", f"words {FAST}", CELL)
    result = shell.run_line_magic("textgen_generate", 'words "abc" --beam 3 --n-best 2')
    assert len(result.candidates) == 2
    assert len(shell.run_cell_magic("textgen_generate", "words", "abc\ncab\n")) == 2
    with_blank_line = shell.run_cell_magic("textgen_generate", "words --min-length 1", "abc\n\ncab\n\n")
    assert [bool(output.text) for output in with_blank_line] == [True, False, True]
    html = result._repr_mimebundle_()["text/html"]
    assert "<table>" in html


def test_train_from_a_variable_and_a_settings_file(shell: InteractiveShell, tmp_path) -> None:
    shell.user_ns["rows"] = [tuple(line.split("\t")) for line in CELL.split("\n")]
    (tmp_path / "s.toml").write_text("hidden-size = 8\nembedding_size = 8\nepochs = 1\n")
    shell.run_line_magic("textgen_train", f"words --data rows --config {tmp_path}/s.toml --cell gru --quiet")
    assert shell.user_ns["words"].plan.model.cell == "gru"
    assert shell.user_ns["words"].plan.model.hidden_size == 8


def test_training_goes_on_from_a_variable(
    shell: InteractiveShell, tmp_path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell_magic("textgen_train", f"words {FAST} --save {tmp_path}/words", CELL)
    shell.user_ns["old"] = [("abc", "cba"), ("bca", "acb")]
    shell.run_cell_magic("textgen_train", "better --start words --replay 0.3 --max-steps 1 --quiet", "äb\tbä\n")
    assert shell.user_ns["better"].plan.start == shell.user_ns["words"].predictor.fingerprint
    line = f"better --start {tmp_path}/words --replay-data old --max-steps 1"
    shell.run_cell_magic("textgen_train", f"{line} --quiet", "äb\tbä\n")
    assert shell.user_ns["better"].training_pairs().sources == ["äb", "abc", "bca"]
    shell.run_cell_magic("textgen_train", f"{line} --show-code", "äb\tbä\n")
    assert f"start='{tmp_path}/words', replay_data=old)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "cell", "message"),
    [
        ("words --start nothing", CELL, "neither a file nor an expression"),
        ("words --replay 0.3", CELL, "give that too"),
        ("", CELL, "Name the variable"),
        ("2x", CELL, "cannot be a variable name"),
        ("words --hiden-size 3", CELL, "Did you mean '--hidden-size'"),
        ("words --hidden-size -3", CELL, "--hidden-size must be"),
        ("words --epochs", CELL, "--epochs needs a value"),
        ("words", "\n", "no pairs"),
        ("words", "abc", "line 1 has no separator"),
        ("words --data rowz", None, "neither a file nor an expression"),
        ("words --data a.tsv", None, "no file"),
        ("words", None, "nothing to train on"),
        ("taken", CELL, "already holds list"),
    ],
)
def test_a_mistake_is_one_sentence_and_loses_nothing(shell: InteractiveShell, line, cell, message) -> None:
    shell.user_ns["taken"] = [1]
    before = {name: value for name, value in shell.user_ns.items() if not name.startswith("_")}
    with pytest.raises(Exception, match=message) as caught:
        if cell is None:
            shell.run_line_magic("textgen_train", line)
        else:
            shell.run_cell_magic("textgen_train", line, cell)
    assert len(caught.value._render_traceback_()) == 1
    assert {name: value for name, value in shell.user_ns.items() if not name.startswith("_")} == before


def test_generating_with_a_wrong_name_suggests_the_near_one(shell: InteractiveShell) -> None:
    shell.run_cell_magic("textgen_train", f"words {FAST}", CELL)
    with pytest.raises(Exception, match="Did you mean 'words'"):
        shell.run_line_magic("textgen_generate", "wrods abc")


def test_markup_in_texts_is_escaped(shell: InteractiveShell) -> None:
    shell.run_cell_magic("textgen_train", f"words {FAST}", CELL.replace("abc", "<b>") + "\n<script>\t<img>")
    html = shell.run_line_magic("textgen_generate", "words <script>")._repr_mimebundle_()["text/html"]
    assert "<script" not in html and "<img" not in html


def test_loading_the_extension_does_not_import_torch() -> None:
    code = (
        "import sys; from IPython.core.interactiveshell import InteractiveShell as S; s = S(); "
        "s.run_line_magic('load_ext', 'nbtextgen'); print([m for m in ('torch', 'pandas', 'numpy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip().endswith("[]")


NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TRANSLATIONS = [path for path in NOTEBOOKS if "." in path.stem]


@pytest.mark.parametrize("path", TRANSLATIONS, ids=lambda path: path.stem)
def test_translated_notebook_has_the_code_and_outputs_of_its_original(path: Path) -> None:
    import nbformat

    original = path.with_name(f"{path.stem.split('.')[0]}.ipynb")
    code = [
        [(cell.source, cell.outputs) for cell in nbformat.read(each, as_version=4).cells if cell.cell_type == "code"]
        for each in (path, original)
    ]
    assert code[0] == code[1]


@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path not in TRANSLATIONS], ids=lambda path: path.stem)
def test_notebook_executes(path: Path, monkeypatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("NBTEXTGEN_COUNT", "300")
    monkeypatch.setenv("NBTEXTGEN_MINUTES", "0.04")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    NotebookClient(nbformat.read(path, as_version=4), timeout=600, startup_timeout=300).execute()
