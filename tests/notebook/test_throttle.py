"""Output never floods: however many events a training sends, a page hears ten times a second, and the notebook stays small."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbtextgen.notebook.progress import UPDATE_SECONDS, Throttle
from tests.notebook.kernel import Answer, kernel

TRAIN = """
from nbtextgen.notebook.live.panel import PanelView, TextView
from nbtextgen.notebook.live.training import Training
from nbtextgen.notebook.progress import Throttle
from nbtextgen.training.events import Ended, Sample, Started, Step, TrainingWarning, Validation

def train(kind, count, seconds_each):
    now = [0.0]
    training = Training("words", None, lambda **_: None)
    show = kind(training, Throttle(clock=lambda: now[0]))
    training.callbacks.append(show)
    show.show()
    training.notify(Started(1000, 900, 100, count, 100, "cpu", "fp32"))
    for at in range(1, count + 1):
        now[0] += seconds_each
        training.notify(Step(at, count, 1, 100, 2.0 + at % 7, 0.001, 100.0, now[0], 1.0))
        if at % 5 == 0:
            training.notify(Validation(at, at // 100, 1.5, "loss", 1.5, True, now[0]))
            training.notify(Sample(at, f"source {at % 4}", "target", f"output {at}"))
            training.notify(TrainingWarning(f"note {at}"))
    training.notify(Ended("finished", count, count, now[0]))
    show.over()
"""


@given(st.lists(st.floats(0, 3), min_size=1, max_size=300))
def test_updates_are_never_closer_than_the_pace_and_never_wait_longer_than_needed(waits: list[float]) -> None:
    now, last = 0.0, None
    pace = Throttle(clock=lambda: now)
    for wait in waits:
        now += wait
        due = pace.due()
        assert due == (last is None or now - last >= UPDATE_SECONDS)
        last = now if due else last


@pytest.mark.parametrize("kind", ["PanelView", "TextView"])
def test_thousands_of_events_make_ten_updates_a_second_in_one_output_of_bounded_size(kind: str) -> None:
    with kernel() as running:
        running.run(TRAIN)
        sizes = []
        # Far faster than any page could follow, for half a second and for three; then slower than the pace.
        for count, seconds_each in ((1_000, 0.0005), (6_000, 0.0005), (200, 0.5)):
            answer = running.run(f"train({kind}, {count}, {seconds_each})")
            assert answer.error is None and len(answer.outputs) == 1 and not answer.text
            # One more at the very beginning, one at the end, and two states of the panel.
            most = min(10 * count * seconds_each, count) + 4
            assert most / 2 < _updates(answer) <= most
            sizes.append(len(json.dumps(answer.outputs)))
        assert sizes[1] < 1.5 * sizes[0] < 100_000


def _updates(answer: Answer) -> int:
    """What the page is told while the training goes on: messages to the widget, and rewritten outputs."""
    return len(answer.messages) + answer.updates
