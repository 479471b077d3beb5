"""Events of the training loss."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

from nbtextgen import TextGenerator
from nbtextgen.training import step as step_module
from nbtextgen.training import trainer as trainer_module
from nbtextgen.training.events import Event, Step, Validation

PAIRS = [(a + b + c, c + b + a) for a in "abcd" for b in "abcd" for c in "abcd"]


def test_training_loss_is_reported_with_frequent_validation(monkeypatch) -> None:
    tick = itertools.count()
    monkeypatch.setattr(step_module, "time", SimpleNamespace(perf_counter=lambda: 0.05 * next(tick)))
    monkeypatch.setattr(trainer_module, "time", SimpleNamespace(perf_counter=lambda: 0.0))  # validation takes no time
    events: list[Event] = []
    options = {"hidden_size": 8, "embedding_size": 4, "batch_size": 8, "samples": 0, "max_steps": 60}
    TextGenerator(**options, validate_every=1, precision="fp32").fit(PAIRS, callbacks=[events.append])
    assert sum(isinstance(event, Validation) for event in events) == 60
    assert sum(isinstance(event, Step) for event in events) >= 6
