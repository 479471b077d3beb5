"""The Train, Generate and Tune panels in a real browser."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
from playwright.sync_api import Locator, expect

from .lab import ROOT, TOO_WIDE, Lab, Notebook, nothing_wrong, pictures

CHARACTERS = ROOT / "tests" / "data" / "format-1" / "characters"

ROWS = """%load_ext nbtextgen
rows = [(a + b + c, c + b + a) for a in "abcde" for b in "abcde" for c in "abcde"]"""
TINY = "--hidden-size 24 --embedding-size 8 --learning-rate 0.02 --quiet"
FAST = f"{TINY} --batch-size 32 --epochs 25"
ENDLESSLY = "--hidden-size 24 --embedding-size 8 --epochs 90000 --background"
TOLD = """def told(line):
    name, rest = line.split(" ", 1)
    found = get_ipython().run_line_magic(name[1:], rest)
    return [[one.text, f"{one.score:.3f}"] for one in found.candidates or (found,)]"""
TRAINED = f"{ROWS}\n%textgen_train first --data rows {FAST}"


def put(part: Locator, label: str, value: str) -> None:
    """Type into the box of a setting."""
    box = part.get_by_label(label, exact=True)
    box.fill(value)
    box.press("Enter")


def slide(part: Locator, label: str, *keys: str) -> str:
    """Focus the handle of a slider and press keys; gives the value that it then stands for."""
    slider = part.get_by_label(f"{label}, slider")
    slider.focus()
    for key in keys:
        slider.press(key)
    value = slider.get_attribute("aria-valuetext")
    assert value and value == part.get_by_label(label, exact=True).input_value()
    return value


def code(part: Locator, name: str = "Magic") -> Locator:
    """The code that a panel shows."""
    return part.get_by_role("group", name=name, exact=True)


def shows_what_the_line_writes(notebook: Notebook, panel: Locator) -> None:
    """Until the page shows the texts and scores that the magic line beside them gives."""
    wanted = ast.literal_eval(notebook.value(f"told({code(panel).inner_text()!r})"))
    notebook.page.wait_for_function(
        """([panel, wanted]) => JSON.stringify(wanted) === JSON.stringify([...panel.querySelectorAll('.ntg-column li')].map(
               (row) => [row.querySelector('.ntg-tokens').getAttribute('aria-label').replace(/^.*? output \\d+: /, ''),
                         row.querySelector('.ntg-score').textContent]))""",
        arg=[panel.element_handle(), wanted],
    )


def test_starting_from_the_panel_gives_the_weights_of_the_magic_line_it_shows(lab: Lab) -> None:
    notebook = lab.open([ROWS, "%textgen_panel mine --data rows"], run=True)
    panel = notebook.panel(1)
    panel.get_by_label("cell", exact=True).select_option("gru")
    panel.get_by_label("hidden size: automatic").uncheck()
    slider = panel.get_by_label("hidden size, slider")
    slider.press("Home")
    slider.press("ArrowRight")  # from the left end, 16, to 24
    panel.get_by_label("embedding size: automatic").uncheck()
    put(panel, "embedding size", "8")
    panel.get_by_label("epochs: automatic").uncheck()
    put(panel, "epochs", "3")
    line = "%textgen_train mine --data rows --cell gru --embedding-size 8 --hidden-size 24 --epochs 3"
    code(panel).get_by_text(line).wait_for()
    panel.get_by_text("parameters;").wait_for()
    pictures(notebook, panel, "train")
    nothing_wrong(notebook, panel)
    panel.get_by_role("button", name="Copy Magic").click()
    assert notebook.page.evaluate("() => navigator.clipboard.readText()") == line

    panel.get_by_role("button", name="Start").press("Enter")
    panel.get_by_label("output of mine").wait_for()
    notebook.run(notebook.add(line.replace(" mine ", " typed ") + " --quiet"))
    weights = "[list(one.predictor.networks[0].state_dict().values()) for one in (mine, typed)]"
    assert notebook.value(f"all(a.equal(b) for a, b in zip(*{weights}))") == "True"
    assert notebook.value("(mine.plan.model.cell, mine.plan.model.hidden_size)") == "('gru', 24)"


def test_a_setting_that_cannot_be_is_marked_and_a_rate_is_found(lab: Lab, tmp_path: Path) -> None:
    notebook = lab.open([ROWS, "%textgen_panel --data rows"], run=True)
    panel = notebook.panel(1)
    for label, value in (("hidden size", "16"), ("embedding size", "8")):
        panel.get_by_label(f"{label}: automatic").uncheck()
        put(panel, label, value)
    panel.get_by_label("dropout: automatic", exact=True).uncheck()
    put(panel, "dropout", "2")
    panel.get_by_text("dropout must be a number in [0, 1)").wait_for()
    assert panel.get_by_label("dropout", exact=True).get_attribute("aria-invalid") == "true"
    put(panel, "dropout", "0.1")
    panel.get_by_text("More settings").click()
    file = panel.get_by_label("source embeddings", exact=True)
    file.fill("no.txt")
    file.press("Tab")
    expect(panel.get_by_text("There is no embeddings file no.txt; check source embeddings.")).to_be_visible()
    expect(panel.get_by_role("button", name="Start")).to_be_disabled()
    file.fill("")
    file.press("Tab")
    panel.get_by_text("More settings").click()
    panel.get_by_text("parameters;").wait_for()
    panel.get_by_role("button", name="Find learning rate").press("Space")
    panel.get_by_role("img", name=re.compile("Training loss over the learning rate")).wait_for()
    pictures(notebook, panel, "rate")
    nothing_wrong(notebook, panel)
    for kind in ("SVG", "PNG"):
        kept = notebook.keep(panel.get_by_role("button", name=f"Save learning-rate chart as {kind}"), tmp_path)
        assert kept.name == f"learning-rate.{kind.lower()}"
    use = panel.get_by_role("button", name=re.compile("Use 0"))
    suggested = use.inner_text().split()[1]
    use.click()
    code(panel).get_by_text(f"--learning-rate {suggested}").wait_for()
    session = "get_ipython().magics_manager.registry['TrainCommands'].session"
    said = "A search for settings of best is running in its Tune panel: press Stop there"
    notebook.run(notebook.add(f"{session}.begin_search('best', {said!r})"))
    panel.get_by_role("button", name="Start").press("Enter")
    expect(panel.get_by_role("alert").filter(has_text=f"{said}, or wait until it ends")).to_be_visible()
    pictures(notebook, panel, "second")
    nothing_wrong(notebook, panel)


def test_generating_with_each_slider_gives_what_the_magic_line_gives(lab: Lab) -> None:
    notebook = lab.open([TRAINED, TOLD, "%textgen_panel first"], run=True)
    panel = notebook.panel(2)
    panel.get_by_label("text", exact=True).press_sequentially("abc")
    panel.get_by_label("first output 1: cba").wait_for()
    panel.get_by_text("Decoding", exact=True).press("Enter")

    def moved(label: str, *keys: str) -> None:
        """The slider of a setting is moved, and the page shows what the magic line that it now shows would write."""
        value = slide(panel, label, *keys)
        option = re.compile(rf"--{label.lower().replace(' ', '-')} {re.escape(value)}(\.0)?( |$)")
        expect(code(panel)).to_have_text(option)
        shows_what_the_line_writes(notebook, panel)

    moved("beam", *["ArrowRight"] * 4, "ArrowLeft")
    moved("N-best", *["ArrowRight"] * 2)
    expect(panel.get_by_role("listitem")).to_have_count(3)
    before = panel.locator(".ntg-score").all_inner_texts()
    assert panel.get_by_label("length penalty", exact=True).input_value() == "1"  # that of the model
    panel.get_by_label("length penalty: automatic").uncheck()
    moved("length penalty", "End")
    assert panel.locator(".ntg-score").all_inner_texts() != before  # longer texts are held dearer
    panel.get_by_label("sample", exact=True).check()
    expect(panel.get_by_label("beam", exact=True)).to_be_disabled()
    panel.get_by_role("button", name="Draw again").press("Enter")
    panel.get_by_text(re.compile(r"ms, seed \d+")).wait_for()
    panel.get_by_label("seed: random").uncheck()
    moved("seed", "ArrowRight")
    moved("temperature", "End")
    moved("top-k", "ArrowRight", "ArrowRight")
    moved("top-p", "ArrowLeft", "ArrowLeft")
    moved("top-p", "Home")  # only the likeliest token is left
    expect(panel.get_by_label(re.compile(r"first output \d: cba"))).to_have_count(3)


def test_going_on_from_another_token_comparing_and_explaining(lab: Lab) -> None:
    notebook = lab.open(
        [TRAINED, f"%textgen_train second --data rows {TINY} --batch-size 32 --cell rnn --epochs 2"], run=True
    )
    at = notebook.add("%textgen_panel first")
    notebook.run(at)
    panel = notebook.panel(at)
    written = panel.get_by_label("output of first")
    panel.get_by_label("text", exact=True).press_sequentially("abc")
    written.get_by_label("first output 1: cba").wait_for()
    panel.get_by_text("Decoding", exact=True).press("Enter")
    slide(panel, "beam", *["ArrowRight"] * 3)
    slide(panel, "N-best", *["ArrowRight"] * 2)
    panel.get_by_label("length penalty: automatic").uncheck()
    slide(panel, "length penalty", "ArrowLeft")
    written.get_by_role("listitem").nth(2).wait_for()
    panel.get_by_label("compare with").select_option("second")
    panel.get_by_label("output of second").get_by_role("listitem").nth(2).wait_for()

    # By keyboard alone: to the first token, its alternatives, the second of them.
    first = written.locator(".ntg-token").first
    first.focus()
    first.press("ArrowRight")
    notebook.page.keyboard.press("Enter")
    menu = panel.get_by_role("menu")
    menu.wait_for()
    pictures(notebook, panel, "generate")
    nothing_wrong(notebook, panel)
    notebook.page.keyboard.press("ArrowDown")
    wanted = panel.get_by_role("menuitem").nth(1).locator(".ntg-option").inner_text()
    notebook.page.keyboard.press("Enter")
    release = written.get_by_role("button", name="Release choice")
    release.wait_for()
    for row in written.get_by_role("listitem").all():
        assert row.locator(".ntg-token").nth(1).inner_text() == wanted
    forced = code(panel).inner_text().partition(" ")[2]
    assert "--prefix" in forced  # what reproduces the output
    text = written.locator(".ntg-tokens").first.get_attribute("aria-label") or ""
    same = f"get_ipython().run_line_magic('textgen_generate', {forced!r}).text"
    assert notebook.value(same) == text.partition(": ")[2]
    release.click()
    written.get_by_label("first output 1: cba").wait_for()

    written.get_by_role("button", name="Explain: cba").first.press("Enter")
    why = panel.locator(".nte")
    why.get_by_role("group", name="Output").wait_for()
    assert "".join(why.get_by_role("group", name="Output").locator(".nte-word").all_inner_texts()).startswith("cba")
    saved = nbformat.read(notebook.save(), as_version=4).cells[at].outputs
    assert ["ntg-still" in output["data"].get("text/html", "") for output in saved] == [False, True]
    assert (
        "cba" in saved[1]["data"]["text/plain"]
        and "<img" in saved[1]["data"]["text/html"]
        or "<table" in saved[1]["data"]["text/html"]
    )
    panel.get_by_role("button", name="Close the explanation").press("Enter")
    expect(why).to_have_count(0)


def test_tuning_in_the_background_leaves_the_best_in_the_variable(lab: Lab, tmp_path: Path) -> None:
    notebook = lab.open([ROWS, "%textgen_panel best --data rows --kind tune"], run=True)
    panel = notebook.panel(1)
    put(panel, "minutes", "3")
    put(panel, "fixed options", "--embedding-size 8 --batch-size 32 --max-steps 25")
    panel.get_by_label("dropout", exact=True).uncheck()
    high = panel.get_by_label("hidden size, to", exact=True)
    high.focus()
    for _ in range(4):
        high.press("ArrowLeft")
    typed = panel.get_by_label("hidden size, to, number")
    typed.fill("24")
    typed.press("Enter")
    code(panel, "Python").get_by_text("'hidden_size': (16, 24)").wait_for()
    line = "%textgen_tune best --data rows --minutes 3 --search learning-rate:"
    expect(code(panel)).to_have_text(re.compile(re.escape(line) + r"\S+,hidden-size:16\.\.24 --embedding-size 8"))
    panel.get_by_role("button", name="Start").press("Space")
    panel.get_by_text(re.compile(r"Trial ([3-9]|\d\d+),")).wait_for()  # quick ones may never be seen
    panel.get_by_role("button", name="Stop").press("Enter")
    panel.get_by_text("best is the best of").wait_for()
    expect(panel.get_by_role("img", name=re.compile("trials over training time"))).to_be_visible()
    assert panel.get_by_role("row").count() > 2
    for kind in ("SVG", "PNG"):
        assert notebook.keep(panel.get_by_role("button", name=f"Save trials chart as {kind}"), tmp_path, "Space")
    pictures(notebook, panel, "tune")
    nothing_wrong(notebook, panel)
    assert notebook.value("(16 <= best.plan.model.hidden_size <= 24, best.plan.model.embedding_size)") == "(True, 8)"


ENDLESS = """import time
from nbtextgen.core.cancellation import CancellationToken
checked = CancellationToken.raise_if_cancelled

def for_ever(self):
    checked(self)
    while self._parent and not self.cancelled:
        time.sleep(0.05)"""
BAR = """from nbtextgen.notebook.panels.result import ResultBar
ResultBar(get_ipython().magics_manager.registry["TrainCommands"].session, "first")"""


def test_long_work_of_the_result_bar_has_a_bar_and_a_cancel_button(lab: Lab) -> None:
    notebook = lab.open([f"{TRAINED}\n{ENDLESS}", BAR], run=True)
    panel = notebook.panel(1)
    evaluate = panel.get_by_role("button", name="Evaluate")
    notebook.run(notebook.add("CancellationToken.raise_if_cancelled = for_ever"))
    for name, text in (("Evaluate", "pairs generated"), ("Review", "outputs generated")):
        panel.get_by_role("button", name=name).press("Enter")
        expect(panel.get_by_role("progressbar", name=text)).to_be_visible()
        expect(evaluate).to_be_disabled()
        if name == "Evaluate":
            pictures(notebook, panel, "evaluating")
            nothing_wrong(notebook, panel)
        panel.get_by_role("button", name="Cancel").press("Enter")
        expect(panel.get_by_text("Cancelled.")).to_be_visible()
        expect(panel.get_by_role("progressbar")).to_have_count(0)
        expect(evaluate).to_be_enabled()
    notebook.run(notebook.add("CancellationToken.raise_if_cancelled = checked"))
    evaluate.press("Enter")
    expect(panel.get_by_role("cell", name="exact")).to_be_visible()
    expect(panel.get_by_text("Cancelled.")).to_have_count(0)
    assert not lab.complaints


def test_the_focus_stays_in_the_panel_when_the_pressed_button_is_off_or_gone(lab: Lab) -> None:
    """A key there must never be one of the notebook's commands, as ``x``, which cuts a cell."""
    empty = "import os, tempfile\nos.chdir(tempfile.mkdtemp())  # the only run is the one of this test\n"
    trained = f"{empty}{TRAINED} --run first\n{ENDLESS}"
    notebook = lab.open([trained, BAR, "%textgen_panel best --data rows --kind tune", "%textgen_runs"], run=True)
    bar, tuner, table = notebook.panel(1), notebook.panel(2), notebook.panel(3)
    key = notebook.page.keyboard.press

    def press(button: Locator) -> None:
        button.focus()
        key("Enter")

    evaluate, save = bar.get_by_role("button", name="Evaluate"), bar.get_by_role("button", name="Save")
    notebook.run(notebook.add("CancellationToken.raise_if_cancelled = for_ever"))
    cells = notebook.page.evaluate("() => jupyterapp.shell.currentWidget.content.widgets.length")
    press(evaluate)
    expect(bar.locator(".ntg-progress")).to_be_focused()
    for each in ("x", "x", "Enter"):
        key(each)
    key("Tab")
    expect(bar.get_by_role("button", name="Cancel")).to_be_focused()
    key("Enter")
    expect(evaluate).to_be_focused()
    assert notebook.page.evaluate("() => jupyterapp.shell.currentWidget.content.widgets.length") == cells
    notebook.run(notebook.add("CancellationToken.raise_if_cancelled = checked"))
    press(save)
    expect(bar.get_by_text("Saved to first-model")).to_be_visible()
    expect(save).to_be_focused()
    press(bar.get_by_role("button", name="Explain"))
    press(bar.get_by_role("button", name="Close the explanation"))
    expect(bar.get_by_role("button", name="Explain")).to_be_focused()

    put(tuner, "fixed options", "--embedding-size 8 --batch-size 32 --max-steps 25")
    press(tuner.get_by_role("button", name="Start"))
    expect(tuner.get_by_role("button", name="Stop")).to_be_enabled()
    key("Tab")
    expect(tuner.get_by_role("button", name="Stop")).to_be_focused()
    tuner.get_by_text(re.compile("Trial \\d+,")).wait_for()
    key("Enter")
    tuner.get_by_text("best is the best of").wait_for()
    expect(tuner.get_by_role("button", name="Start")).to_be_focused()

    table.get_by_role("checkbox").check()
    press(table.get_by_role("button", name="Open"))
    expect(table.get_by_text("first is the best model of first-")).to_be_visible()
    expect(table.get_by_role("button", name="Open")).to_be_focused()
    press(table.get_by_role("button", name="Delete"))
    expect(table.get_by_role("button", name="Delete 1 for ever?")).to_be_focused()
    key("Enter")
    expect(table.get_by_text("There are no runs in runs")).to_be_visible()
    nothing_wrong(notebook, table)
    key("x")
    assert notebook.page.evaluate("() => jupyterapp.shell.currentWidget.content.widgets.length") == cells + 1
    assert not lab.complaints


def test_a_panel_whose_kernel_was_restarted_becomes_its_still(lab: Lab) -> None:
    load = f"%load_ext nbtextgen\nfrom nbtextgen import TextGenerator\nm = TextGenerator.load({str(CHARACTERS)!r})"
    cells = ["%textgen_panel m abc", "%textgen_explain m abc"]
    notebook = lab.open([load, *cells, f"{ROWS}\n%textgen_train n --data rows {ENDLESSLY}"], run=True)
    training = notebook.output(3).locator(".ntg-live").first
    notebook.panel(1).get_by_text("generated in").wait_for()
    notebook.page.wait_for_function("() => !document.querySelector('.nte progress:not([hidden])')")
    expect(training.get_by_text("training", exact=True)).to_be_visible()
    notebook.restart_kernel()
    for at, still in ((1, "Generate panel: %textgen_generate m"), (2, "cba")):
        expect(notebook.output(at).get_by_text("run its cell again to go on")).to_be_visible()
        expect(notebook.output(at).get_by_text(still).first).to_be_visible()
        expect(notebook.output(at).get_by_role("textbox")).to_have_count(0)
        pictures(notebook, notebook.output(at), f"gone-{at}")
        nothing_wrong(notebook, notebook.output(at))
    expect(training.get_by_text("kernel ended")).to_be_visible()
    expect(training.get_by_role("button", name="Stop")).to_have_count(0)
    notebook.run(0)
    notebook.run(1)
    expect(notebook.panel(1).get_by_role("textbox", name="text")).to_be_visible()
    expect(notebook.output(1).get_by_text("run its cell again")).to_have_count(0)
    assert not lab.complaints


def test_a_trusted_notebook_with_another_kernel_shows_the_still_and_no_error_above_it(lab: Lab) -> None:
    load = f"%load_ext nbtextgen\nfrom nbtextgen import TextGenerator\nm = TextGenerator.load({str(CHARACTERS)!r})"
    notebook = lab.open(
        [load, "%textgen_panel m abc", "%textgen_explain m abc", "import ipywidgets\nipywidgets.IntText()"]
    )
    for at in range(4):
        notebook.run(at)
    notebook.panel(1).get_by_text("generated in").wait_for()
    expect(notebook.output(2).locator(".nte-word").first).to_be_visible()
    notebook.page.wait_for_function("() => !document.querySelector('.nte progress:not([hidden])')")
    saved = nbformat.read(notebook.save(), as_version=4)
    lab.shared.clear()
    lab.server.end_kernels()
    again = lab.open_saved(saved)  # which this server has signed
    expect(again.output(3).get_by_text("Error displaying widget")).to_be_visible()  # of a widget that is not ours
    for at, still in ((1, "Generate panel: %textgen_generate m"), (2, "cba")):
        failed = again.output(at).get_by_text("Error displaying widget")
        expect(failed).to_have_count(1)
        expect(failed).to_be_hidden()
        expect(again.output(at).get_by_text(still).last).to_be_visible()
    pictures(again, again.output(1), "another-kernel")


def test_hostile_and_right_to_left_texts_in_a_narrow_window(lab: Lab) -> None:
    attack = "<img src=x onerror=window.pwned=1><script>window.pwned=1</script>\\u202e\\x07"
    cell = f'''%load_ext nbtextgen
attack = "{attack}"
rows = [("\u05e9\u05dc\u05d5\u05dd " + str(n), "\u0645\u0631\u062d\u0628\u0627 " + str(n)) for n in range(40)] + [(attack + str(n), attack) for n in range(40)]
%textgen_train hostile --data rows {TINY} --epochs 12 --tokens word --batch-size 8 --copy false
%textgen_panel hostile'''
    notebook = lab.open([cell], width=420, height=900, run=True)
    panel = notebook.panel(0)
    written = panel.get_by_label("output of hostile")
    panel.get_by_label("text", exact=True).fill("\u05e9\u05dc\u05d5\u05dd 7")
    tokens = written.locator(".ntg-tokens").first
    tokens.wait_for()
    expect(tokens).to_have_css("direction", "rtl")
    pictures(notebook, panel, "narrow")
    panel.get_by_label("text", exact=True).fill(attack.encode().decode("unicode_escape") + "3 " + "x" * 300)
    written.get_by_label("<script>").first.wait_for()
    assert notebook.page.evaluate(
        "() => [window.pwned, document.querySelectorAll('.ntg-outputs img, .ntg-outputs script').length]"
    ) == [None, 0]
    assert panel.evaluate(TOO_WIDE) == []
    nothing_wrong(notebook, panel)
