"""``Record``: a training in bounded memory, with thinned curves, the latest figures and sample outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nbtextgen.core.errors import magic_words
from nbtextgen.notebook.code import Values
from nbtextgen.training.events import (
    Changed,
    Ended,
    Event,
    Retention,
    Sample,
    Started,
    Step,
    TrainingWarning,
    Validation,
)


def memory() -> int:
    """Return the bytes of memory that this process uses."""
    import psutil  # comes with ipykernel

    return int(psutil.Process().memory_info().rss)


MAX_POINTS = 300
"""Most points of a curve: about as many as a screen can show."""
MAX_SAMPLES = 6
MAX_OUTPUTS = 6
"""Outputs kept for each sample source: the first, and the latest."""
MAX_CHARACTERS = 300
"""Characters kept of a sample text."""
MAX_CHANGES = 20
"""Changes by hand that are kept, the latest."""
STEERED = {"rate_factor": "learning rate", "dropout": "dropout", "teacher_forcing": "teacher forcing"}
"""Settings that can be changed by hand, in words."""
TASK_NAMES = {"exact": "exact match", "chrf": "chrF", "bleu": "BLEU", "ter": "TER", "rougeL": "ROUGE-L"}
"""Metrics of generated texts, as they are written."""


class PointSeries:
    """The points of a curve; neighbours are merged if there are too many.

    A merged point is the mean of its neighbours (for a noisy curve), or the last of them.
    """

    def __init__(self, *, mean: bool, limit: int = MAX_POINTS) -> None:
        self._mean, self._limit = mean, limit
        self._points: list[tuple[float, float, int]] = []  # x, y, points merged
        self._each = 1

    def __len__(self) -> int:
        return len(self._points)

    def add(self, x: float, y: float) -> None:
        """Append a point."""
        if self._points and self._points[-1][2] < self._each:
            self._points[-1] = self._merged(self._points[-1], (x, y, 1))
        else:
            self._points.append((x, y, 1))
        if len(self._points) > self._limit:
            self._each *= 2
            pairs = zip(self._points[::2], self._points[1::2], strict=False)
            odd = self._points[-1:] if len(self._points) % 2 else []
            self._points = [self._merged(*pair) for pair in pairs] + odd

    def _merged(self, first: tuple[float, float, int], second: tuple[float, float, int]) -> tuple[float, float, int]:
        count = first[2] + second[2]
        y = (first[1] * first[2] + second[1] * second[2]) / count if self._mean else second[1]
        return second[0], y, count

    def points(self) -> list[tuple[float, float]]:
        """Return all points, rounded to five digits."""
        return [(x, float(f"{y:.5g}")) for x, y, _ in self._points]


@dataclass
class Samples:
    """The outputs for one validation input during training."""

    target: str
    outputs: list[tuple[int, str]] = field(default_factory=list)

    def add(self, step: int, output: str) -> None:
        """Add an output, unless it is the same as the one before."""
        if self.outputs and self.outputs[-1][1] == output:
            return
        self.outputs.append((step, output))
        if len(self.outputs) > MAX_OUTPUTS:
            del self.outputs[1]


@dataclass(frozen=True)
class Change:
    """A setting that was changed by hand: what it is from this update on, in words."""

    step: int
    setting: str
    text: str

    @classmethod
    def of(cls, event: Changed, step: int) -> Change:
        """Read an event; ``step`` counts the updates of all networks."""
        name, value = STEERED[event.setting], event.value
        if event.setting == "rate_factor":
            text = f"{name} \u00d7 {value:g}"
        else:
            text = f"{name} as configured" if value is None else f"{name} {value:g}"
        return cls(step, event.setting, text)


class Record:
    """A callback that keeps what a panel or a static view shows of a training.

    Attributes:
        words: names the options in warnings and errors as the user writes them, by default on the line of a magic.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.words: Callable[[str], str] = magic_words
        self.train = PointSeries(mean=True)
        self.rate = PointSeries(mean=False)
        self.valid = PointSeries(mean=False)
        self.task = PointSeries(mean=False)
        self.changes: list[Change] = []
        self.best: tuple[float, float] | None = None
        self.samples: dict[str, Samples] = {}
        self.warnings: list[str] = []
        self.started: Started | None = None
        self.step: Step | None = None
        self.validation: Validation | None = None
        self.best_validation: Validation | None = None
        self.ended: Ended | None = None
        self.error = ""
        self._base = 0  # updates of the networks of an ensemble that are done

    def __call__(self, event: Event) -> None:
        """Take in one event."""
        if isinstance(event, Started):
            self._base += self.step.step if self.step is not None and self.started is not None else 0
            self.started = event
        elif isinstance(event, Step):
            self.step = event
            self.train.add(self._base + event.step, event.loss)
            self.rate.add(self._base + event.step, event.learning_rate)
        elif isinstance(event, Validation):
            self.validation = event
            self.valid.add(self._base + event.step, event.loss)
            if event.task is not None:
                self.task.add(self._base + event.step, event.task)
            if event.best:
                self.best, self.best_validation = (self._base + event.step, event.loss), event
        elif isinstance(event, Changed) and event.setting in STEERED:
            self._change(Change.of(event, self._base + event.step))
        elif isinstance(event, Sample):
            self._sample(event)
        elif isinstance(event, TrainingWarning):
            self.warnings = [*self.warnings[-4:], self.words(event.text)]
        elif isinstance(event, Retention):
            self.warnings = [*self.warnings[-4:], str(event)]
        elif isinstance(event, Ended):
            self.ended = event

    def _change(self, change: Change) -> None:
        """Keep a change; a slider that is dragged makes many, of which the last counts."""
        last, validated = (self.changes or [None])[-1], self.valid.points()[-1:]
        if last is not None and last.setting == change.setting and (not validated or validated[0][0] <= last.step):
            self.changes.pop()
        self.changes = [*self.changes[-MAX_CHANGES + 1 :], change]

    def _sample(self, event: Sample) -> None:
        source = cut(event.source)
        if source not in self.samples and len(self.samples) >= MAX_SAMPLES:
            return
        self.samples.setdefault(source, Samples(cut(event.target))).add(self._base + event.step, cut(event.output))

    def now(self) -> Values:
        """Return the latest figures, as plain values."""
        step, ended, valid = self.step, self.ended, self.validation
        figures: Values = {"ended": self.error and "failed" or (ended.reason if ended else "")}
        if step is not None:
            figures |= {
                "epoch": step.epoch,
                "epochs": step.epochs,
                "step": self._base + (ended.step if ended else step.step),
                "steps": self._base + step.steps,
                "loss": step.loss,
                "rate": step.learning_rate,
                "speed": step.tokens_per_second,
                "left": step.seconds_left,
                "seconds": ended.seconds if ended else step.seconds,
            }
        if valid is not None:
            figures |= {"valid": valid.loss, "metric_name": valid.metric_name, "metric": valid.metric}
            if valid.task is not None:
                name = TASK_NAMES.get(valid.task_name, valid.task_name)
                figures |= {"task_name": name, "task": valid.task, "task_pairs": valid.task_pairs}
        return figures

    def changes_as_list(self) -> list[tuple[int, str]]:
        """Return the changes by hand: the update, and what was changed to what."""
        return [(change.step, change.text) for change in self.changes]

    def as_dict(self) -> Values:
        """Return everything that a panel needs to draw itself, as plain values."""
        started = self.started
        about = started and {
            "parameters": started.parameters,
            "pairs": started.pairs,
            "held_out": started.valid_pairs,
            "device": started.device,
            "precision": started.precision,
            "choices": {name: str(value) for name, value in started.choices.items()},
        }
        return {
            "name": self.name,
            "about": about or {},
            "now": self.now(),
            "train": self.train.points(),
            "rate": self.rate.points(),
            "valid": self.valid.points(),
            "task": self.task.points(),
            "changes": self.changes_as_list(),
            "best": self.best,
            "samples": self.samples_as_list(),
            "warnings": self.warnings,
            "error": self.error,
        }

    def samples_as_list(self) -> list[Values]:
        """Return the sample outputs as plain values."""
        return [
            {"source": source, "target": sample.target, "outputs": sample.outputs}
            for source, sample in self.samples.items()
        ]


def cut(text: str) -> str:
    """Return a text, shortened if it is too long for a sample."""
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "\u2026"


def record_of(name: str, events: list[Event]) -> Record:
    """Return the record of a training that has ended, from its events."""
    record = Record(name)
    for event in events:
        record(event)
    return record


def chosen(choices: Mapping[str, object]) -> str:
    """Return the settings chosen from the data, in a line."""
    return ", ".join(f"{name}={value}" for name, value in choices.items() if name != "clean" or value)
