"""A panel that writes on: a beginning, sliders, and the text as it comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.core.escaping import visible
from nbtextgen.notebook.background import BackgroundWorker, describe
from nbtextgen.notebook.panels.static import PlainBox
from nbtextgen.notebook.progress import Throttle

if TYPE_CHECKING:
    from nbtextgen.generator import TextGenerator


def continuation_panel(model: TextGenerator, text: str, length: int, decoding: Mapping[str, Any]) -> widgets.VBox:
    """Controls over ``TextGenerator.stream_continuation``; what is written is shown escaped, as it comes."""
    model.stream_continuation  # noqa: B018  (an untrained model is refused when it writes, in the panel)
    beginning = widgets.Textarea(text, description="beginning", layout=widgets.Layout(width="95%"))
    size = widgets.IntSlider(length, 10, max(2000, length), description="tokens")
    heat = widgets.FloatSlider(decoding.get("temperature", 0.8), min=0.1, max=2.0, step=0.05, description="temperature")
    mass = widgets.FloatSlider(decoding.get("top_p", 0.95), min=0.05, max=1.0, step=0.05, description="top-p")
    write, stop = widgets.Button(description="Write on", button_style="primary"), widgets.Button(description="Stop")
    shown = widgets.HTML()

    def show_error(error: BaseException) -> None:
        shown.value = f"<b>{visible(describe(error))}</b>"

    worker = BackgroundWorker("nbtextgen continuation", on_error=show_error)

    def job(token: CancellationToken) -> None:
        written, pace = "", Throttle()
        chosen = {**decoding, "sample": True, "temperature": heat.value, "top_p": mass.value}
        for piece in model.stream_continuation(beginning.value, size.value, **chosen):
            token.raise_if_cancelled()
            written += piece
            if pace.due():
                shown.value = _page(beginning.value, written)
        shown.value = _page(beginning.value, written)

    write.on_click(lambda _: worker.replace(job))
    stop.on_click(lambda _: worker.cancel())
    parts = [beginning, widgets.HBox([size, heat, mass]), widgets.HBox([write, stop]), shown]
    return PlainBox(parts, lambda: (f"Writing panel: {beginning.value}", shown.value))


def _page(before: str, after: str) -> str:
    lines = [visible(line) for line in after.split("\n")]
    return (
        f"<div style='white-space:pre-wrap'><span style='opacity:.6'>{visible(before)}</span>{'<br>'.join(lines)}</div>"
    )
