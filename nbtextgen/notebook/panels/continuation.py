"""The Continue panel: a text, sliders, and its continuation while it is generated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.core.escaping import visible
from nbtextgen.notebook.background import BackgroundWorker, describe
from nbtextgen.notebook.code import Values
from nbtextgen.notebook.progress import Throttle
from nbtextgen.notebook.static import PlainBox

if TYPE_CHECKING:
    from nbtextgen.generator import TextGenerator


def continuation_panel(model: TextGenerator, text: str, length: int, decoding: Values) -> widgets.VBox:
    """Return controls for ``TextGenerator.stream``; the text is shown escaped, while it is generated."""
    start = widgets.Textarea(text, description="text", layout=widgets.Layout(width="95%"))
    size = widgets.IntSlider(length, 10, max(2000, length), description="tokens")
    temperature = widgets.FloatSlider(
        decoding.get("temperature", 0.8), min=0.1, max=2.0, step=0.05, description="temperature"
    )
    top_p = widgets.FloatSlider(decoding.get("top_p", 0.95), min=0.05, max=1.0, step=0.05, description="top-p")
    generate, stop = widgets.Button(description="Generate", button_style="primary"), widgets.Button(description="Stop")
    output = widgets.HTML()

    def show_error(error: BaseException) -> None:
        output.value = f"<b>{visible(describe(error))}</b>"

    worker = BackgroundWorker("nbtextgen continuation", on_error=show_error)

    def job(token: CancellationToken) -> None:
        generated, throttle = "", Throttle()
        options = {**decoding, "sample": True, "temperature": temperature.value, "top_p": top_p.value}
        for piece in model.stream(start.value, size.value, **options):
            token.raise_if_cancelled()
            generated += piece
            if throttle.due():
                output.value = _page(start.value, generated)
        output.value = _page(start.value, generated)

    generate.on_click(lambda _: worker.replace(job))
    stop.on_click(lambda _: worker.cancel())
    parts = [start, widgets.HBox([size, temperature, top_p]), widgets.HBox([generate, stop]), output]
    return PlainBox(parts, lambda: (f"Continue panel: {start.value}", output.value))


def _page(before: str, after: str) -> str:
    lines = [visible(line) for line in after.split("\n")]
    return (
        f"<div style='white-space:pre-wrap'><span style='opacity:.6'>{visible(before)}</span>{'<br>'.join(lines)}</div>"
    )
