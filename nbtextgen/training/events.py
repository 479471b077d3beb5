"""The events that a training passes to its callbacks: small frozen records, in the order things happen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nbtextgen.core.errors import python_words


@dataclass(frozen=True)
class Started:
    """The run begins.

    Attributes:
        parameters: numbers that are learned.
        pairs, valid_pairs: pairs trained on and held out.
        steps, epochs: updates and passes planned.
        device, precision: where, and in which arithmetic.
        choices: settings that were chosen from the data, by name.
        threads: processor threads in use; with automatic choice, the number that training begins with; 0 in old logs.
    """

    parameters: int
    pairs: int
    valid_pairs: int
    steps: int
    epochs: int
    device: str
    precision: str
    choices: Mapping[str, object] = field(default_factory=dict[str, object])
    threads: int = 0


@dataclass(frozen=True)
class Step:
    """Some updates were made; ``loss`` is their mean, in nats per target token; times are in seconds."""

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: float
    learning_rate: float
    tokens_per_second: float
    seconds: float
    seconds_left: float


@dataclass(frozen=True)
class Validation:
    """The model was validated on the held-out pairs.

    Attributes:
        step, epoch: when.
        loss: negative log-likelihood in nats per target token, without smoothing.
        metric_name, metric: the metric that selects the best checkpoint.
        best: whether it is the best so far.
        seconds: since the start.
        task_name, task: a metric of what the model generates for held-out sources (percent); ``None`` if it generates none.
        task_pairs: how many sources those are.
    """

    step: int
    epoch: int
    loss: float
    metric_name: str
    metric: float
    best: bool
    seconds: float
    task_name: str = ""
    task: float | None = None
    task_pairs: int = 0


@dataclass(frozen=True)
class Sample:
    """What the model generates now for a held-out source."""

    step: int
    source: str
    target: str
    output: str


@dataclass(frozen=True)
class TrainingWarning:
    """Something the user should know; training goes on.

    Attributes:
        text: names options as in ``--hidden-size``; ``str`` gives it for Python, with ``hidden_size``.
    """

    text: str

    def __str__(self) -> str:
        return python_words(self.text)


@dataclass(frozen=True)
class Changed:
    """A setting has a new value: ``rate_factor``, ``dropout``, ``teacher_forcing`` or ``paused``, changed by the user, or
    ``threads``, chosen by timing; ``None``: as configured."""

    setting: str
    value: float | bool | None
    step: int


@dataclass(frozen=True)
class Checkpoint:
    """Training can be resumed from here; in a run folder, the checkpoint is written before callbacks are called."""

    step: int
    seconds: float


@dataclass(frozen=True)
class Resumed:
    """A run goes on from a checkpoint; later updates in its log are repeated."""

    step: int
    epoch: int
    seconds: float


@dataclass(frozen=True)
class Retention:
    """How well a model that was trained on still does what it could before.

    Attributes:
        step: updates done.
        metric: the metric of its outputs for old validation pairs.
        before, after: its value before this training and after it, percent.
        pairs: how many pairs those are.
    """

    step: int
    metric: str
    before: float
    after: float
    pairs: int

    def __str__(self) -> str:
        name, unit = ("exact match", " %") if self.metric == "exact" else ("chrF", "")
        pairs = f"{self.pairs:,} old validation pair{'s' * (self.pairs != 1)}"
        return f"On {pairs}, {name} was {self.before:.1f}{unit} before this training and is {self.after:.1f}{unit} after it."


@dataclass(frozen=True)
class Ended:
    """The run is over; ``reason`` is ``finished``, ``interrupted``, ``early``, ``time`` or ``diverged``."""

    reason: str
    step: int
    best_step: int
    seconds: float


Event = Started | Step | Validation | Sample | TrainingWarning | Changed | Checkpoint | Resumed | Retention | Ended
