"""Draw README's pictures: JupyterLab in headless Chromium, with models of the built-in dates whose outputs are checked first.

    .venv/bin/python scripts/draw_pictures.py [--model FOLDER] [NAME ...]        # live, explain, generate, train, tune, review; about eight minutes for all

Each picture is drawn in a light and a dark theme and written to docs/pictures/. It raises if a model shown is not right.
``--model`` names a saved model of the dates to show instead of one trained now.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, expect

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browser.lab import WAIT, Lab, Notebook, headless_lab  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
MODEL = "dates-model"
GOOD = """%load_ext nbtextgen
from nbtextgen import TextGenerator, builtin
dates = TextGenerator.load("{folder}")
score = dates.evaluate(builtin("dates", 500, seed=99), metrics=["exact"])["exact"].value
assert score > 98, score
dates.save("dates-model")"""
TRAIN = """%load_ext nbtextgen
from nbtextgen import builtin
%textgen_train dates --data builtin:dates --max-minutes 1.5 --quiet
score = dates.evaluate(builtin("dates", 500, seed=99), metrics=["exact"])["exact"].value
assert score > 98, score
dates.save("{folder}")"""
LOAD = """%load_ext nbtextgen
from nbtextgen import TextGenerator
dates = TextGenerator.load("{folder}")"""
SOURCE, TARGET = "4 Jul 1976", "1976-07-04"


def put(panel: Locator, label: str, value: str) -> None:
    """Type a value into the box of a setting."""
    box = panel.get_by_label(label, exact=True)
    box.fill(value)
    box.press("Enter")


def draw_live(lab: Lab) -> None:
    """A training in progress, once its model predicts most of the samples shown."""
    line = "%textgen_train dates --data builtin:dates --max-minutes 1 --samples 6"  # the first line of docs/start.md
    notebook = lab.open(["%load_ext nbtextgen", line], width=960)
    notebook.run(0)
    notebook.run(1, wait=False)
    panel = notebook.output(1).locator(".ntg-live")
    notebook.page.wait_for_function(
        "() => (document.querySelector('.ntg-live')?.innerText.match(/✓/g) ?? []).length >= 4", timeout=WAIT * 1000
    )
    panel.get_by_role("button", name="Pause").click()
    panel.get_by_text("paused", exact=True).wait_for()
    notebook.pictures(panel, PICTURES / "live")
    panel.get_by_role("button", name="Stop").click()
    notebook.wait(1)


def open_with_model(lab: Lab, *cells: str, width: int = 1280) -> Notebook:
    """A notebook in which ``dates`` is the trained model."""
    return lab.open([LOAD.format(folder=MODEL), *cells], width=width, run=True)


def draw_explain(lab: Lab) -> None:
    """A generated text with its explanation, one token of the output chosen."""
    notebook = open_with_model(lab, f'%textgen_generate dates "{SOURCE}"', width=1100)
    output = notebook.output(1)
    output.get_by_role("button", name=f"Explain: {TARGET}").click()
    tokens = output.get_by_role("group", name="Output").locator(".nte-word")
    expect(tokens).to_have_text([*TARGET, "■"])
    tokens.nth(6).click()
    expect(output.get_by_role("button", name="Cancel")).to_be_hidden()
    notebook.pictures(output, PICTURES / "explain")


def draw_generate(lab: Lab) -> None:
    """Two models side by side, and the alternatives to one token."""
    train = "%textgen_train hasty --data builtin:dates --max-steps 60 --quiet"
    notebook = open_with_model(lab, train, "%textgen_panel dates", width=1280)
    panel = notebook.panel(2)
    panel.get_by_label("text", exact=True).fill(SOURCE)
    panel.get_by_label(f"dates output 1: {TARGET}").wait_for()
    panel.get_by_label("compare").select_option("hasty")
    panel.get_by_label("output of hasty").get_by_role("listitem").first.wait_for()
    token = panel.get_by_label("output of dates").locator(".ntg-token").nth(6)
    token.focus()
    token.press("Enter")
    panel.get_by_role("menu").wait_for()
    notebook.pictures(panel, PICTURES / "generate")


def draw_train(lab: Lab) -> None:
    """The form of a training with the estimated cost of a run."""
    notebook = lab.open(["%load_ext nbtextgen", "%textgen_panel dates --data builtin:dates"], run=True)
    panel = notebook.panel(1)
    panel.get_by_label("max. minutes: none").uncheck()
    put(panel, "max. minutes", "2")
    panel.get_by_text("--max-minutes 2").wait_for()
    panel.get_by_text("Estimating").wait_for(state="hidden")
    panel.get_by_text("parameters;").wait_for()
    notebook.pictures(panel, PICTURES / "train")


def draw_tune(lab: Lab) -> None:
    """A search that has ended."""
    notebook = lab.open(["%load_ext nbtextgen", "%textgen_panel dates --data builtin:dates --kind tune"], run=True)
    panel = notebook.panel(1)
    put(panel, "minutes", "2")
    panel.get_by_role("button", name="Start").click()
    expect(panel.get_by_text("dates is the best of")).to_be_visible(timeout=2 * WAIT * 1000)
    assert re.search(r"importance", panel.inner_text(), re.IGNORECASE)
    right = panel.get_by_label("dates output 1: 1966-04-02")  # of a held-out input; on a busy machine it is wrong
    expect(right).to_be_visible(timeout=10_000)
    notebook.pictures(panel, PICTURES / "tune")


def draw_review(lab: Lab) -> None:
    """A review of the outputs of a model of a few seconds: right ones are accepted, others skipped."""
    hasty = "%textgen_train hasty --data builtin:dates --hidden-size 64 --max-steps 150 --quiet"
    table = "todo = hasty.generate_file(dates.sources, on_progress=lambda done, count: None)"
    setup = (
        f'%load_ext nbtextgen\nfrom nbtextgen import builtin\ndates = builtin("dates", 60, seed=7)\n{hasty}\n{table}'
    )
    notebook = lab.open([setup, "panel = %textgen_review todo --file pictured.review\npanel"], run=True, width=1100)
    right = ast.literal_eval(notebook.value("[row.text == target for row, target in zip(todo.rows, dates.targets)]"))
    panel = notebook.panel(1)
    for decided in range(1, 7):
        row = int(
            re.findall(r"Row (\d+)", panel.get_by_role("group", name="Row ").first.get_attribute("aria-label"))[0]
        )
        panel.get_by_role("button", name=re.compile("^Accept" if right[row - 1] else "^Skip")).click()
        expect(panel.get_by_text(f"{decided} of 60 rows decided")).to_be_visible()
    notebook.pictures(panel, PICTURES / "review")


DRAW: dict[str, Callable[[Lab], None]] = {
    "live": draw_live,
    "explain": draw_explain,
    "generate": draw_generate,
    "train": draw_train,
    "tune": draw_tune,
    "review": draw_review,
}


def close(lab: Lab) -> None:
    """Close the pages of the picture before, and end their kernels."""
    lab.close()
    lab.pages.clear()


def main() -> None:
    """Train or load the model that is shown, then draw the pictures named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(DRAW)}; default: all")
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    names = options.names or list(DRAW)
    with headless_lab() as lab:
        if {"explain", "generate"} & set(names):
            code = GOOD.format(folder=options.model.resolve()) if options.model else TRAIN.format(folder=MODEL)
            lab.open([code], run=True)
        for name in names:
            close(lab)
            DRAW[name](lab)
            print(f"docs/pictures/{name}-light.png and {name}-dark.png")


if __name__ == "__main__":
    main()
