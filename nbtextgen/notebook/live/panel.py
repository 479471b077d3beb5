"""The live panel: an anywidget that shows a training and steers it, replaced by a still picture when it is over."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from nbtextgen.notebook.live import static_view
from nbtextgen.notebook.live.record import memory
from nbtextgen.notebook.progress import Throttle
from nbtextgen.notebook.widgets import module, style
from nbtextgen.training.events import Changed, Event, Sample, Started, Step, TrainingWarning, Validation

if TYPE_CHECKING:
    from nbtextgen.notebook.live.training import Training

FRONT = Path(__file__).parent / "front"


class LivePanel(anywidget.AnyWidget):
    """Shows one training; what a user does there only sets values on its ``Controls``.

    Points travel to the page as they come, in custom messages. ``state`` is never sent while training goes on: it is
    computed when a page asks for it, which happens when it is shown first and after a reload.
    """

    _esm = module(FRONT, "scales.js", "chart.js", "figures.js", "view.js", "panel.js")
    _css = style(FRONT, "panel.css")
    state = traitlets.Dict().tag(sync=True)

    def __init__(self, training: Training) -> None:
        self._training = training
        super().__init__()
        self.on_msg(self._told)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """As the base class, with ``state`` as it is now."""
        found = super().get_state(key, drop_defaults)
        if key is None or "state" in key:
            found["state"] = self._training.record.as_dict() | {"controls": controls_of(self._training)}
        return found

    def _told(self, _: object, content: dict[str, Any], buffers: object = None) -> None:
        """A message from the page; may come in any thread."""
        controls, action, value = self._training.controls, content.get("action"), content.get("value")
        actions: dict[str, Callable[[], object]] = {
            "stop": controls.stop,
            "pause": controls.pause,
            "resume": controls.resume,
            "ping": lambda: None,
        }
        if action in actions:
            actions[action]()
        elif action in ("rate_factor", "dropout", "teacher_forcing") and isinstance(value, (int, float)):
            setattr(controls, action, float(value))
        else:
            return
        self.send({"acknowledged": action, "controls": controls_of(self._training)})


def controls_of(training: Training) -> dict[str, Any]:
    """Where the page's buttons and sliders stand; dropout and teacher forcing as configured until they are moved."""
    controls, configured = training.controls, training.configured
    return {
        "paused": controls.paused,
        "stopping": controls.stopping,
        "rate_factor": controls.rate_factor,
        "dropout": configured.get("dropout") if controls.dropout is None else controls.dropout,
        "teacher_forcing": configured.get("teacher_forcing")
        if controls.teacher_forcing is None
        else controls.teacher_forcing,
    }


class PanelShow:
    """Listens to a training, keeps its panel up to date, and leaves a still picture in every output that showed it."""

    def __init__(self, training: Training, pace: Throttle | None = None) -> None:
        """Prepare the panel.

        Args:
            training: what to show.
            pace: of the messages to the page; ten a second by default.
        """
        self._training = training
        self._pace = pace or Throttle()
        self._panel = LivePanel(training)
        self._places: list[str] = []
        self._pending: dict[str, Any] = {}

    def show(self) -> None:
        """Show the panel in the current cell's output; may be called again, in another cell."""
        place = uuid.uuid4().hex
        _display(static_view.bundle(self._training.record) | _widget_view(self._panel), place, update=False)
        self._places.append(place)

    def __call__(self, event: Event) -> None:
        """Take in an event, in the thread that trains; what it tells waits until a message is due."""
        record = self._training.record
        if isinstance(event, Step):
            self._pending.setdefault("train", []).append(record.train.points()[-1])
            self._pending.setdefault("rate", []).append(record.rate.points()[-1])
        elif isinstance(event, Validation):
            self._pending.setdefault("valid", []).append(record.valid.points()[-1])
            self._pending["best"] = record.best
        elif isinstance(event, Sample):
            self._pending["samples"] = record.samples_as_list()
        elif isinstance(event, TrainingWarning):
            self._pending["warnings"] = record.warnings
        elif isinstance(event, Started):
            self._panel.send_state("state")
            return
        pause = isinstance(event, Changed) and event.setting == "paused"  # no event may follow for a long time
        if pause or self._pace.due():
            self._send()

    def _send(self) -> None:
        pending, self._pending = self._pending, {}
        controls = controls_of(self._training)
        now = self._training.record.now() | {"memory": memory()}
        self._panel.send({"add": pending, "now": now, "controls": controls})

    def over(self) -> None:
        """The training has ended: the panel learns so, and its outputs become still pictures."""
        self._panel.send_state("state")
        for place in self._places:
            _display(static_view.bundle(self._training.record), place, update=True)


class TextShow:
    """Progress as text that rewrites itself in one output of a notebook."""

    def __init__(self, training: Training, pace: Throttle | None = None) -> None:
        self._training, self._pace = training, pace or Throttle(0.5)
        self._place = uuid.uuid4().hex

    def show(self) -> None:
        """Show what there is so far in the current cell's output."""
        _display(static_view.text_bundle(self._training.record), self._place, update=False)

    def __call__(self, event: Event) -> None:
        """Rewrite the text, at most twice a second."""
        if self._pace.due():
            self.over()

    def over(self) -> None:
        """Write it for the last time."""
        _display(static_view.text_bundle(self._training.record), self._place, update=True)


def _widget_view(panel: LivePanel) -> dict[str, Any]:
    return {
        "application/vnd.jupyter.widget-view+json": {
            "version_major": 2,
            "version_minor": 0,
            "model_id": panel.model_id,
        }
    }


def _display(data: dict[str, Any], place: str, *, update: bool) -> None:
    from IPython.display import display

    display(data, raw=True, display_id=place, update=update)
