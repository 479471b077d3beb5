"""Tab on the lines of our magics, asked as a notebook asks."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from nbtextgen import TextGenerator


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InteractiveShell:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.tsv").write_text("en\tfr\na\tb\n")
    (tmp_path / "notes.md").write_text("")
    (tmp_path / "more").mkdir()
    for name in ("runs/french-1", "kept/dates-1"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "run.json").write_text("{}")
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "nbtextgen")
    shell.user_ns["frame"] = {"left side": ["a"], "right": ["b"]}
    shell.user_ns["rows"] = [("a", "b")]
    shell.user_ns["number"] = 3
    shell.user_ns["french"] = TextGenerator()
    return shell


def tab(shell: InteractiveShell, line: str) -> list[str]:
    """What the line would read after each completion."""
    assert shell.Completer is not None
    with provisionalcompleter():
        return [line[: one.start] + one.text for one in shell.Completer.completions(line, len(line))]


@pytest.mark.parametrize(
    ("line", "there", "absent"),
    [
        ("%textgen_train dates --hid", ["%textgen_train dates --hidden-size"], ["--heads"]),
        ("%%textgen_train dates --attention ad", ["%%textgen_train dates --attention additive"], ["general"]),
        ("%textgen_train dates --attention=mu", ["%textgen_train dates --attention=multihead"], []),
        ("%textgen_train dates --data ", ["%textgen_train dates --data rows", "%textgen_train dates --data builtin:dates",
                                          "%textgen_train dates --data words.tsv", "%textgen_train dates --data more/"],
         ["number", "notes.md", "french"]),
        ("%textgen_train dates --data builtin:n", ["%textgen_train dates --data builtin:numbers"], ["builtin:dates"]),
        ("%textgen_train dates --data words.tsv --source e", ["%textgen_train dates --data words.tsv --source en"], ["fr"]),
        ("%textgen_train d --data frame --target ", ["%textgen_train d --data frame --target 'left side'",
                                                     "%textgen_train d --data frame --target right"], []),
        ("result = %textgen_generate fr", ["result = %textgen_generate french"], ["frame"]),
        ("%textgen_generate french --be", ["%textgen_generate french --beam"], []),
        ("%textgen_evaluate french --metrics bleu,ch", ["%textgen_evaluate french --metrics bleu,chrf",
                                                         "%textgen_evaluate french --metrics bleu,character-error-rate"], ["ter"]),
        ("%textgen_data fra", ["%textgen_data frame"], ["french"]),
        ("%textgen_panel ", ["%textgen_panel french"], ["rows"]),
        ("%textgen_save french mo", ["%textgen_save french more/"], []),
        ("%textgen_tr", ["%textgen_train"], []),
        ("%textgen_runs ", ["%textgen_runs compare", "%textgen_runs resume", "%textgen_runs --folder"], ["french"]),
        ("%textgen_runs open ", ["%textgen_runs open french-1"], ["dates-1"]),
        ("%textgen_runs --folder kept open da", ["%textgen_runs --folder kept open dates-1"], ["french-1"]),
    ],
)  # fmt: skip
def test_tab_offers_what_fits(shell: InteractiveShell, line: str, there: list[str], absent: list[str]) -> None:
    found = tab(shell, line)
    assert set(there) <= set(found), found
    assert not [one for one in found for word in absent if one.split(" ")[-1].split("=")[-1] == word]


def test_other_lines_complete_as_before(shell: InteractiveShell) -> None:
    shell.Completer.use_jedi = False  # whose answer is its own affair, and now and then empty on a busy machine
    assert "french.generate" in tab(shell, "french.gen")
    assert not [one for one in tab(shell, "x --hid") if "hidden" in one]


def test_nothing_on_a_line_makes_tab_fail(shell: InteractiveShell) -> None:
    for line in (
        "%textgen_train 'open --da",
        '%textgen_train x --data "a b',
        "%textgen_train \x00 --",
        "%textgen_nothing --",
    ):
        tab(shell, line)


def test_loading_twice_offers_everything_once(shell: InteractiveShell) -> None:
    shell.run_line_magic("reload_ext", "nbtextgen")
    found = tab(shell, "%textgen_train dates --hid")
    assert len(found) == len(set(found)) == 1
