"""The panel that cleans: it says what would happen before it does it, and what it made is trained on."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from .lab import Lab, nothing_wrong, pictures

ROWS = """%load_ext nbtextgen
good = [(a + b + c, (c + b + a).upper()) for a in "abcde" for b in "abcde" for c in "abcde"]
rows = good + good[:30] + [("ab  c ", "c ba"), ("same", "same"), ("no target", ""), ("<b>mark</b>", "<i>up</i>")]"""
SMALL = "--hidden-size 16 --embedding-size 8 --max-steps 5 --quiet"


def kept(panel: Locator) -> str:
    """How many rows would be kept, as the panel says it."""
    said = panel.get_by_text(re.compile(r"^\d+ of \d+ rows kept"))
    expect(said).to_have_count(1)
    return said.inner_text().partition(";")[0]


def test_steps_are_chosen_seen_and_applied_and_the_pairs_are_trained_on(lab: Lab) -> None:
    notebook = lab.open([ROWS, "%textgen_data rows --panel"], run=True)
    panel = notebook.panel(1)
    box = panel.get_by_label("dedupe", exact=True)
    expect(box).to_be_checked()  # the report advises it
    assert kept(panel) == "128 of 159 rows kept"  # empty target and 30 doubles away
    expect(panel.get_by_label("same", exact=True)).not_to_be_checked()  # right for some tasks only
    box.press("Space")
    panel.get_by_text("158 of 159 rows kept").wait_for()
    assert notebook.value("'rows_clean' in globals()") == "False"  # nothing has happened yet
    box.press("Space")
    panel.get_by_text("128 of 159 rows kept").wait_for()
    pictures(notebook, panel, "cleaning")
    nothing_wrong(notebook, panel)
    panel.get_by_role("button", name="Clean into rows_clean").press("Enter")
    panel.get_by_text("128 pairs are in").wait_for()
    assert notebook.value("(len(rows_clean.pairs), len(rows_clean.dropped))") == "(128, 31)"
    notebook.run(notebook.add(f"%textgen_train words --data rows_clean {SMALL}"))
    assert notebook.value("words.plan.data.clean == rows_clean.steps") == "True"
    assert notebook.value("words.generate('  ab   c ').source") == "ab c"


def test_the_train_panel_counts_what_cleaning_leaves(lab: Lab) -> None:
    notebook = lab.open([ROWS, "%textgen_panel words --data rows"], run=True)
    panel = notebook.panel(1)
    panel.get_by_text("target is empty").wait_for()
    panel.get_by_text("More settings").press("Enter")
    clean = panel.get_by_label("clean", exact=True)
    clean.fill("whitespace,empty,dedupe")
    clean.press("Enter")
    panel.get_by_text("128 pairs, for instance").wait_for()
    panel.get_by_text("Cleaning kept 128 of 159 rows").wait_for()
    panel.get_by_text("parameters;").wait_for()
