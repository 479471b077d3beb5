"""What the live panel costs: updates a second with and without it, in turns within one run, and the notebook's size.

    python benchmarks/panel_cost.py [--seconds 60] [--turn 3]

One training on ``builtin:dates`` runs in a real kernel. Every ``--turn`` seconds its panel is switched on or off, so that
both see the same machine; time spent on validations counts for neither. Prints one JSON line: medians over the turns, the
cost in percent with a bootstrap interval, the panel's share of the training thread's processor time (which a busy machine
does not disturb), messages sent, and the size of a notebook after 1,000 updates.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

MEASURE = """
import json, random, statistics, time
from nbtextgen import TextGenerator, builtin
from nbtextgen.notebook.live.panel import PanelView, watch
from nbtextgen.notebook.live.training import Training
from nbtextgen.training.events import Step
from functools import partial

model = TextGenerator(max_minutes={minutes}, validate_every=10**6, samples=0, epochs=10**5)
training = Training("dates", model, partial(model.fit, builtin("dates", 12000)))
watch(training, "panel", rich=True)
show = training.view
training.callbacks.remove(show)
sent, turns = [], []
send = show._panel.send
show._panel.send = lambda content: (sent.append(1), send(content))
state = {{"on": False, "since": None, "step": 0, "spent": 0.0, "began": 0.0, "trained": 0.0}}

def turn(event):
    if not isinstance(event, Step):
        return
    if state["on"]:
        began = time.thread_time()
        show(event)
        state["spent"] += time.thread_time() - began
    now = time.perf_counter()
    if state["since"] is None or now - state["since"] >= {turn}:
        if state["since"] is not None:
            turns.append((state["on"], (event.step - state["step"]) / (now - state["since"])))
            if state["on"]:
                state["trained"] += time.thread_time() - state["began"]
        state.update(on=not state["on"], since=now, step=event.step, began=time.thread_time())

training.callbacks.append(turn)
training.run()
turns = turns[2:]
pairs = [(one[1], other[1]) for one, other in zip(turns[::2], turns[1::2])]
pairs = [(on, off) if turns[0][0] else (off, on) for on, off in pairs]
costs = [100 * (off - on) / off for on, off in pairs]
draw = random.Random(1)
means = sorted(statistics.median(draw.choices(costs, k=len(costs))) for _ in range(2000))
print(json.dumps({{
    "updates_per_second_with_panel": round(statistics.median(on for on, _ in pairs), 2),
    "updates_per_second_without": round(statistics.median(off for _, off in pairs), 2),
    "cost_percent": round(statistics.median(costs), 2),
    "interval": [round(means[50], 2), round(means[1949], 2)],
    "processor_time_percent": round(100 * state["spent"] / state["trained"], 2),
    "turns": len(turns), "messages": len(sent),
}}))
"""
SIZE = "%textgen_train dates --data builtin:dates?count=2000 --max-steps 1000 --validate-every 20 --hidden-size 32"


def execute(*cells: str) -> nbformat.NotebookNode:
    """Run cells in a fresh kernel."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    return NotebookClient(notebook, timeout=1800).execute()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--turn", type=float, default=3)
    options = parser.parse_args()
    measured = execute(MEASURE.format(minutes=options.seconds / 60, turn=options.turn))
    text = "".join(one["text"] for one in measured.cells[0].outputs if one.output_type == "stream")
    figures = json.loads(text.strip().splitlines()[-1])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "size.ipynb"
        nbformat.write(execute("%load_ext nbtextgen", SIZE), path)
        figures["notebook_bytes_after_1000_updates"] = path.stat().st_size
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
