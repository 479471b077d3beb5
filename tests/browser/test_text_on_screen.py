"""Texts of data and models in JupyterLab and Notebook 7: what is seen is the text, and nothing is typeset or obeyed."""

from __future__ import annotations

import pytest

from .lab import Lab

TEXTS = (
    "from $31 to $135",
    "$$x^2$$ costs \\(y\\) or \\[z\\]",
    "\\begin{equation}a=b\\end{equation}",
    "\x1b[31mred\x1b[0m \x9b31m \u202eabc\u2066 \ud800 \x00",
)
SEEN = (
    "from $31 to $135",
    "$$x^2$$ costs \\(y\\) or \\[z\\]",
    "\\begin{equation}a=b\\end{equation}",
    "␛[31mred␛[0m ⟨U+009B⟩31m ⟨U+202E⟩abc⟨U+2066⟩ ⟨U+D800⟩ ␀",
)
SETUP = f"""
%load_ext nbtextgen
import numpy as np
from pathlib import Path
from IPython.display import display
from nbtextgen import Generation, Generations, RawPairs, TextGenerator
from nbtextgen.explanation.explanation import Explanation
from nbtextgen.notebook.data_view import DataView
from nbtextgen.notebook.live.record import record_of
from nbtextgen.notebook.live.static_view import History
from nbtextgen.notebook.runs_view import RunsView
from nbtextgen.run.listing import RunRecord
from nbtextgen.training.events import Sample, Started, Step, TrainingWarning, Validation

texts = {ascii(TEXTS)}

def generation(text):
    return Generation(text, text, tuple(text), tuple(text), np.full(len(text) + 1, -1.0, np.float32), None, -1.0)

def explanation(text):
    units, tokens = tuple(text), (*text, "")
    spans = tuple((index, index + 1) for index in range(len(tokens)))
    values, flat = np.ones((len(tokens), len(units))), np.zeros(len(tokens))
    return Explanation("shap", text, text, text, "char", "mask", units, spans[:-1], tokens, spans, values, flat, flat, flat, "exact")

def history(text):
    events = [Started(10, 9, 1, 5, 2, text, text, {{"a": text}}), Step(1, 5, 1, 2, 2.0, 0.001, 100.0, 1.0, 4.0),
              Validation(1, 1, 1.5, text, 1.5, True, 1.0), Sample(1, text, text, text + "!"), TrainingWarning(text)]
    return History(record_of(text, events))

rows = RawPairs.of([(text, text) for text in texts])
"""
OUTPUTS = """
display({"text/html": "<p>$formula$</p>", "text/plain": ""}, raw=True)
display(Generations(map(generation, texts)))
for text in texts:
    display(generation(text), explanation(text), history(text))
display(DataView.of(rows, rows.report()), rows.clean("nfc,zero-width,whitespace"))
display(RunsView(Path("runs"), [RunRecord(text, Path("nowhere"), state=text, metric_name=text, settings={text: 1}) for text in texts]))
"""


@pytest.mark.parametrize("classic", [False, True], ids=["lab", "notebook7"])
def test_texts_are_seen_as_they_are(lab: Lab, classic: bool) -> None:
    notebook = lab.open([SETUP, OUTPUTS], classic=classic)
    notebook.run(0)
    output = notebook.run(1)
    output.locator("mjx-container").first.wait_for()  # the page does typeset, but only what is not ours
    assert output.locator("mjx-container").count() == 1
    seen = output.inner_text()
    for text in SEEN:
        assert seen.count(text) >= 4, (text, seen[:3000])
    for hidden in ("\x1b", "\x9b", "\u202e", "\u2066", "\x00"):
        assert hidden not in seen
