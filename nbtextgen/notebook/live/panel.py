"""The live panel: a widget that shows and controls a training, replaced by a static view when the training ends."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import anywidget
import traitlets

from nbtextgen.notebook.code import Values
from nbtextgen.notebook.live import static_view
from nbtextgen.notebook.live.record import memory
from nbtextgen.notebook.live.training import Training
from nbtextgen.notebook.progress import Throttle
from nbtextgen.notebook.widgets import FOCUS, module, style
from nbtextgen.training.events import Changed, Event, Retention, Sample, Started, Step, TrainingWarning, Validation
from nbtextgen.training.progress import TextProgress

FRONT = Path(__file__).parent / "front"


class LivePanel(anywidget.AnyWidget):
    """Shows one training; the user's actions there only set values of its ``Controls``.

    New points are sent to the page in custom messages. ``state`` is not sent while training runs: it is computed when a
    page asks for it, which happens when the panel is first shown and after a reload.
    """

    _esm = module(FRONT, FOCUS, "scales.js", "chart.js", "figures.js", "view.js", "panel.js")
    _css = style(FRONT, "panel.css")
    state = traitlets.Dict().tag(sync=True)

    def __init__(self, training: Training) -> None:
        self._training = training
        super().__init__()
        self.on_msg(self._receive)

    def get_state(self, key: str | Iterable[str] | None = None, drop_defaults: bool = False) -> Values:
        """Return the state as the base class does, with ``state`` as it is now."""
        state = super().get_state(key, drop_defaults)
        if key is None or "state" in key:
            current = self._training.record.as_dict() | {"controls": controls_of(self._training)}
            current["about"] = {**current["about"], "configured": self._training.configured}
            state["state"] = current
        return state

    def summary(self) -> tuple[str, str]:
        """Return the training as text and as static HTML."""
        return static_view.as_text(self._training.record), static_view.as_html(self._training.record)

    def _receive(self, _: object, content: Values, buffers: object = None) -> None:
        """Handle a message from the page; may be called in any thread."""
        controls, action, value = self._training.controls, content.get("action"), content.get("value")
        self._training.touched = True
        actions: dict[str, Callable[[], object]] = {
            "stop": controls.stop,
            "pause": controls.pause,
            "resume": controls.resume,
            "ping": lambda: None,
        }
        if action == "undo":
            controls.steer(lambda now: replace(now, rate_factor=1.0, dropout=None, teacher_forcing=None))
        elif action in actions:
            actions[action]()
        elif action in ("rate_factor", "dropout", "teacher_forcing") and isinstance(value, (int, float)):
            setattr(controls, action, float(value))
        else:
            return
        self.send({"acknowledged": action, "controls": controls_of(self._training)})


def watch(training: Training, progress: str, *, rich: bool) -> None:
    """Show the progress of a training; ``auto`` is a panel in a notebook and text elsewhere."""
    if progress == "none":
        return
    if not rich:
        training.callbacks.append(TextProgress(words=training.record.words))
        return
    view = TextView(training) if progress == "text" else PanelView(training)
    view.show()
    training.view = view
    training.callbacks.append(view)


def show_again(training: Training, *, rich: bool) -> None:
    """Show the panel in the current cell as well; in a terminal, print the figures so far."""
    if not rich:
        print(static_view.as_text(training.record))
    elif training.view is None:
        watch(training, "panel", rich=rich)
    else:
        training.view.show()


def controls_of(training: Training) -> Values:
    """Return the values of the page's buttons and sliders; those not yet moved are as configured."""
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


class PanelView:
    """Updates the panel of a training, and leaves a static view in every output that showed it."""

    def __init__(self, training: Training, throttle: Throttle | None = None) -> None:
        """Prepare the panel; ``throttle`` limits the messages to the page, to ten a second by default."""
        self._training = training
        self._throttle = throttle or Throttle()
        self._panel = LivePanel(training)
        self._display_ids: list[str] = []
        self._pending: Values = {}

    def show(self) -> None:
        """Show the panel in the current cell's output; may be called again, in another cell."""
        display_id = uuid.uuid4().hex
        view = {"version_major": 2, "version_minor": 0, "model_id": self._panel.model_id}
        static = static_view.bundle(self._training.record)
        _display({**static, "application/vnd.jupyter.widget-view+json": view}, display_id)
        self._display_ids.append(display_id)

    def __call__(self, event: Event) -> None:
        """Take in an event, in the thread that trains; its figures are sent with the next message that is due."""
        record = self._training.record
        if isinstance(event, Step):
            self._pending.setdefault("train", []).append(record.train.points()[-1])
            self._pending.setdefault("rate", []).append(record.rate.points()[-1])
        elif isinstance(event, Validation):
            self._pending.setdefault("valid", []).append(record.valid.points()[-1])
            self._pending["best"] = record.best
            self._pending["task"] = record.task.points()
        elif isinstance(event, Sample):
            self._pending["samples"] = record.samples_as_list()
        elif isinstance(event, TrainingWarning | Retention):
            self._pending["warnings"] = record.warnings
        elif isinstance(event, Changed):
            self._pending["changes"] = record.changes_as_list()
        elif isinstance(event, Started):
            self._panel.send_state("state")
            return
        pause = isinstance(event, Changed) and event.setting == "paused"  # no event may follow for a long time
        if pause or self._throttle.due():
            self._send()

    def _send(self) -> None:
        pending, self._pending = self._pending, {}
        controls = controls_of(self._training)
        now = self._training.record.now() | {"memory": memory()}
        self._panel.send({"add": pending, "now": now, "controls": controls})

    def over(self) -> None:
        """Tell the page that the training has ended, and replace the panel in its outputs by a static view."""
        self._panel.send_state("state")
        for display_id in self._display_ids:
            _display(static_view.bundle(self._training.record), display_id, update=True)


class TextView:
    """Progress as text that rewrites itself in one output of a notebook."""

    def __init__(self, training: Training, throttle: Throttle | None = None) -> None:
        self._training, self._throttle = training, throttle or Throttle(0.5)
        self._display_id = uuid.uuid4().hex

    def show(self, *, update: bool = False) -> None:
        """Show what there is so far in the current cell's output."""
        _display({"text/plain": static_view.as_text(self._training.record)}, self._display_id, update=update)

    def __call__(self, event: Event) -> None:
        """Rewrite the text, at most twice a second."""
        if self._throttle.due():
            self.over()

    def over(self) -> None:
        """Write the final text."""
        self.show(update=True)


def _display(data: Values, display_id: str, *, update: bool = False) -> None:
    from IPython.display import display

    display(data, raw=True, display_id=display_id, update=update)
