"""The live panel in a real JupyterLab: it moves, it steers the running model, and it survives what happens to a page."""

from __future__ import annotations

import base64
import html
import json
import re
import time
from pathlib import Path

import nbformat
from playwright.sync_api import Locator, expect

from .lab import TOO_WIDE, WAIT, Lab, Notebook, nothing_wrong, pictures

SMALL = "--hidden-size 16 --embedding-size 16 --batch-size 16 --validate-every 20 --epochs 100000"
ROWS = "%load_ext nbtextgen\nrows = [(a + b + c, c + b + a) for a in 'abcde' for b in 'abcde' for c in 'abcde']"
EVERY_UPDATE = SMALL.replace("--validate-every 20", "--validate-every 1")
QUICK = (
    "%textgen_train words --data rows --hidden-size 24 --embedding-size 8 --batch-size 32 --learning-rate 0.01 "
    "--schedule constant --warmup 0 --samples 4 --validate-every 10 --epochs 100000"
)
TRAIN = f"%textgen_train dates --data builtin:dates?count=300 {SMALL}"


FIGURES = {
    "epoch": r"[\d,]+ / 100,000",
    "training loss": r"\d+\.\d{3}",
    "validation loss": r"\d+\.\d{4}",
    "exact match": r"\d+ %",
    "learning rate": r"0\.\d+|\d+e-\d+",
    "elapsed": r"[\d:]+",
    "tokens/s": r"[\d,]+",
    "time left": r"[\d:]+",
    "memory": r"\d+ MB",
}


def panel(notebook: Notebook, at: int) -> Locator:
    """The live panel under a cell, once it shows a validation."""
    found = notebook.output(at).locator(".ntg-live")
    found.locator("polygon").wait_for(state="attached")
    return found


def curve_moves(panel: Locator) -> None:
    """Until the smoothed training curve is another one."""
    curve = panel.locator("polyline").nth(1)
    expect(curve).not_to_have_attribute("points", curve.get_attribute("points") or "")


def started(notebook: Notebook) -> Locator:
    """Run the set-up in cell 0 and the training in cell 1; its panel, which moves while the cell runs."""
    notebook.run(0)
    notebook.run(1, wait=False)
    live = panel(notebook, 1)
    curve_moves(live)
    assert notebook.running(1)
    return live


def logged(notebook: Notebook, log: Path, setting: str, value: object) -> None:
    """Until the event log says last that the running model took this value."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        lines = [json.loads(line) for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        if [one["value"] for one in lines if one.get("setting") == setting][-1:] == [value]:
            return
        notebook.page.wait_for_timeout(50)
    raise AssertionError(f"{setting} never became {value}")


def test_a_running_cell_is_watched_paused_resumed_steered_and_stopped(lab: Lab) -> None:
    notebook = lab.open(["%load_ext nbtextgen", f"{TRAIN} --run watched", "dates.generate('3 Jan 2019').text != ''"])
    live = started(notebook)
    live.get_by_role("button", name="Pause").press("Enter")
    live.get_by_text("paused", exact=True).wait_for()
    nothing_wrong(notebook, live)
    live.get_by_role("button", name="Resume").press("Space")
    live.get_by_text("training", exact=True).wait_for()
    log = max(notebook.server.folder.glob("runs/watched*/events.jsonl"))  # of the newest run
    logged(notebook, log, "paused", False)
    moves = (("Learning rate", "-1", "rate_factor", 0.5), ("Dropout", "0.2", "dropout", 0.2))
    for name, value, setting, wanted in (*moves, ("Teacher forcing", "0.9", "teacher_forcing", 0.9)):
        live.get_by_role("slider", name=name).fill(value)
        logged(notebook, log, setting, wanted)
    live.get_by_role("slider", name="Teacher forcing").press("ArrowLeft")  # JupyterLab has uses of its own for arrows
    logged(notebook, log, "teacher_forcing", 0.89)
    expect(live.locator(".ntg-live-note").first).to_have_text("")
    live.get_by_text("teacher forcing 0.89. Losses before and after").wait_for()
    notebook.page.wait_for_function(
        "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'"
    )
    live.get_by_role("button", name="Undo").press("Enter")
    logged(notebook, log, "dropout", None)
    expect(live.get_by_role("button", name="Undo")).to_be_hidden()
    live.get_by_role("button", name="Stop").press("Space")
    notebook.wait(1)
    assert notebook.run(2).inner_text().strip().endswith("True")
    assert notebook.value("dates.run.log.resolve()") == str(log.resolve())
    still = notebook.output(1)
    assert still.locator("figure [title*=update]").count() > 10
    drawn = base64.b64decode((still.locator("figure img").get_attribute("src") or "").partition(",")[2]).decode()
    assert "dropout 0.2" in drawn and "teacher forcing 0.89" in drawn  # what was changed by hand, at its update
    still.get_by_role("button", name="Try it").press("Enter")
    still.get_by_label("output of dates").wait_for()
    nothing_wrong(notebook, still)


def test_values_are_read_by_pointer_and_by_keys_and_figures_and_samples_move(lab: Lab) -> None:
    notebook = lab.open([ROWS, QUICK])
    notebook.run(0)
    notebook.run(1, wait=False)
    live = panel(notebook, 1)
    notebook.page.wait_for_function(
        "() => document.querySelectorAll('.ntg-live polyline')[1].points.numberOfItems > 30"
    )
    chart, tip = live.get_by_role("img", name="Loss and learning rate"), live.locator(".ntg-live-tip")
    box = chart.bounding_box()
    assert box is not None
    notebook.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    tip.get_by_text("update").wait_for()
    named = {line.split()[0] for line in tip.inner_text().splitlines()}
    assert named - {"exact"} == {"update", "training", "validation", "learning"}
    notebook.page.mouse.move(0, 0)
    tip.wait_for(state="hidden")
    chart.press("ArrowRight")
    expect(tip).to_be_visible()
    first = tip.inner_text()
    for _ in range(8):
        chart.press("ArrowRight")
    expect(tip).not_to_have_text(first)
    for name, look in FIGURES.items():
        value = live.locator(".ntg-live-figures > div").filter(has_text=name).locator(".ntg-live-figure").first
        expect(value).to_have_text(re.compile(f"^({look})$"))
    live.get_by_text(re.compile("update [\\d,]+: ")).first.wait_for()  # what it wrote before, under what it writes now
    live.get_by_text("best so far").wait_for()
    pictures(notebook, live, "live")
    live.get_by_role("button", name="Stop").click()
    notebook.wait(1)
    pictures(notebook, notebook.output(1), "still")


def test_charts_are_saved_as_svg_and_png_alive_and_still(lab: Lab, tmp_path: Path) -> None:
    cells = ["%load_ext nbtextgen", f"{TRAIN} --run kept", "%textgen_runs", "%textgen_data builtin:dates"]
    cells.append(
        "from pathlib import Path\nfrom nbtextgen import runs\nfrom nbtextgen.notebook.runs_view import RunsView\nRunsView(Path('runs'), runs())"
    )
    notebook = lab.open(cells)
    notebook.run(0)
    notebook.run(1, wait=False)
    live = panel(notebook, 1)
    for kind, key in (("SVG", "Enter"), ("PNG", "Space")):
        kept = notebook.keep(live.get_by_role("button", name=f"Save training chart as {kind}"), tmp_path, key)
        assert kept.name == f"training.{kind.lower()}"
    drawn = (tmp_path / "training.svg").read_text()
    assert "best so far" in drawn and "var(" not in drawn
    assert notebook.running(1)
    live.get_by_role("button", name="Stop").click()
    notebook.wait(1)
    for at in (2, 3, 4):
        notebook.run(at)
    for at, chart, saved in (
        (1, "training", [("SVG", "Space"), ("PNG", "Enter")]),
        (3, "source", [("PNG", "Space")]),
        (4, "runs", [("SVG", "Enter")]),
    ):
        for kind, key in saved:
            button = notebook.output(at).get_by_role("button", name=f"Save {chart} chart as {kind}")
            assert notebook.keep(button, tmp_path, key).name == f"{chart}.{kind.lower()}"
    for at, name in ((2, "runs"), (3, "data")):
        nothing_wrong(notebook, notebook.output(at))
        pictures(notebook, notebook.output(at), name)


def test_the_panel_holds_long_and_right_to_left_texts_in_a_narrow_window(lab: Lab) -> None:
    rows = "rows = [('שלום ' * (1 + n % 40) + str(n), 'مرحبا ' * (1 + n % 40) + 'x' * 200) for n in range(80)]"
    train = f"%textgen_train narrow --data rows {SMALL} --tokens word --samples 5"
    notebook = lab.open(["%load_ext nbtextgen", rows, train], width=420)
    notebook.run(0)
    notebook.run(1)
    notebook.run(2, wait=False)
    live = panel(notebook, 2)
    live.get_by_role("button", name="Pause").click()
    live.get_by_text("paused", exact=True).wait_for()
    assert live.evaluate(TOO_WIDE) == []
    expect(live.locator("td bdi").first).to_have_css("direction", "rtl")
    nothing_wrong(notebook, live)
    for theme in ("dark", "light") * 2:  # while a theme changes, the page has no widths to go by
        notebook.theme(theme)
        notebook.page.wait_for_function(
            "() => { const chart = document.querySelector('.ntg-live svg'); return chart.viewBox.baseVal.width === chart.clientWidth; }"
        )
    pictures(notebook, live, "live-narrow")
    live.get_by_role("button", name="Stop").click()
    notebook.wait(2)
    assert notebook.output(2).evaluate(TOO_WIDE) == []
    pictures(notebook, notebook.output(2), "still-narrow")


def test_the_interrupt_button_stops_and_is_named_where_no_message_arrives(lab: Lab) -> None:
    notebook = lab.open(["%load_ext nbtextgen", TRAIN, f"%%time\n{TRAIN}"])
    notebook.run(0)
    for at in (1, 2):
        notebook.run(at, wait=False)
        live = panel(notebook, at)
        if at == 2:
            live.get_by_text("interrupt button").wait_for()
        notebook.interrupt()
        notebook.wait(at)
        notebook.output(at).get_by_text("stopped after").wait_for()
        assert notebook.value("dates.generate('3 Jan 2019').text != ''") == "True"


def test_a_background_training_is_used_while_it_trains_and_found_again_after_a_reload(lab: Lab) -> None:
    notebook = lab.open(["%load_ext nbtextgen", f"{TRAIN} --background"])
    notebook.run(0)
    notebook.run(1)
    panel(notebook, 1)
    assert notebook.value("dates.generate('3 Jan 2019').text != ''") == "True"
    notebook.reload()
    at = notebook.add("%textgen_panel dates")
    notebook.run(at)
    live = panel(notebook, at)
    curve_moves(live)
    live.get_by_role("button", name="Stop").click()
    notebook.output(at).get_by_text("stopped after").first.wait_for()
    assert notebook.value("dates.generate('3 Jan 2019').text != ''") == "True"


def test_after_a_restart_a_run_is_reopened_and_resumed(lab: Lab) -> None:
    notebook = lab.open(["%load_ext nbtextgen", f"{TRAIN} --run {{folder}}", "%textgen_runs"])
    folder = str(notebook.server.folder / "again")
    notebook.value(f"globals().update(folder={folder!r})")
    notebook.run(0)
    notebook.run(1, wait=False)
    panel(notebook, 1).get_by_role("button", name="Stop").click()
    notebook.wait(1)
    step = notebook.value("dates.history[-1].step")
    notebook.restart_kernel()
    notebook.run(0)
    notebook.run(notebook.add(f"%textgen_load old {folder}"))
    assert notebook.value("old.generate('3 Jan 2019').text != ''") == "True"
    at = notebook.add(f"%textgen_train dates --resume {folder}")
    notebook.run(at, wait=False)
    panel(notebook, at).get_by_role("button", name="Stop").click()
    notebook.wait(at)
    assert int(notebook.value("dates.history[-1].step")) > int(step)


def test_hostile_texts_stay_texts_in_the_panel(lab: Lab) -> None:
    hostile = [
        "<img src=x onerror=window.hit=1>",
        "<script>window.hit=1</script>",
        "\u202eevil\u202c",
        "a\x00b\x1b[31m",
        "<svg/onload=window.hit=1>",
        "{{7*7}}",
        "&lt;b&gt;",
        "x" * 3_000,
        "</td></table><h1>out</h1>",
        "javascript:window.hit=1",
    ]
    cells = ["%load_ext nbtextgen", f"rows = [(a + str(n), a) for a in {hostile!r} for n in range(6)]"]
    cells.append(f"%textgen_train odd --data rows --samples 6 --max-length 20000 {EVERY_UPDATE} --max-steps 3")
    cells += ["%textgen_data rows", f"odd.generate({hostile[:7]!r})"]
    notebook = lab.open(cells)
    notebook.run(0)
    notebook.run(1)
    notebook.run(2, wait=False)
    notebook.output(2).locator("table bdi").first.wait_for(state="attached")
    for at in (2, 3, 4):
        notebook.wait(at) if at == 2 else notebook.run(at)
        assert (
            notebook.output(at)
            .locator("script, img:not([src^='data:image/svg+xml']), h1, iframe, object, a, form")
            .count()
            == 0
        )
    assert notebook.page.evaluate("window.hit") is None


def words(page: str) -> str:
    """The texts of a piece of HTML, as one line, without the style sheets, which are taken from an untrusted notebook."""
    page = re.sub(r"<style>.*?</style>", " ", page)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def test_an_untrusted_notebook_reads_as_it_was_shown(lab: Lab) -> None:
    quick = "--hidden-size 8 --embedding-size 8 --batch-size 32 --max-steps 20 --samples 2"
    lines = [
        f"%textgen_train words --data rows {quick} --run shared",
        "%textgen_generate words abc --beam 3 --n-best 2",
        "words.generate(['abc', '\u65e5\u672c'])",
        "%textgen_explain words abc",
        "%textgen_data rows",
        "%textgen_data rows --panel",
        "%textgen_runs",
        "%textgen_panel words abc",
        "%textgen_panel other --data rows",
        "%textgen_panel other --kind tune --data rows",
        "%textgen_evaluate words --data rows",
    ]
    notebook = lab.open([ROWS, *lines], run=True)
    notebook.panel(8).get_by_label("output of words").get_by_role("listitem").wait_for()
    saved = nbformat.read(notebook.save(), as_version=4)
    saved.metadata["sent by"] = "a colleague"  # its signature is no longer ours
    lab.shared.clear()
    reader = lab.open_saved(saved)
    for at, cell in enumerate(saved.cells[1:], 1):
        pages = [output["data"]["text/html"] for output in cell.outputs if "text/html" in output.get("data", {})]
        assert pages and not any("<svg" in page for page in pages), cell.source
        shown = reader.output(at)
        read = " ".join(" ".join(shown.locator(".jp-RenderedHTMLCommon").all_text_contents()).split())
        assert read.replace(" ", "") == "".join(map(words, pages)).replace(" ", ""), cell.source
        for chart in shown.locator("img").all():
            assert chart.evaluate("image => image.naturalWidth") == 640 and len(chart.get_attribute("alt") or "") > 20
    for at in (1, 5, 7):
        expect(reader.output(at).locator("img").first).to_be_visible()
    pictures(reader, reader.output(1), "untrusted")
