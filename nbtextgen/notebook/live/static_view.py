"""A static view of a training: HTML with inline SVG, and plain text, for notebooks read without a kernel."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nbtextgen.charts import Curve, Plot, figure, plots, smoothed
from nbtextgen.core.errors import NotTrainedError
from nbtextgen.core.escaping import folded, pictured, visible
from nbtextgen.core.wording import percent_of
from nbtextgen.notebook.live.record import TASK_NAMES, Record, chosen, record_of
from nbtextgen.notebook.live.verdict import verdict
from nbtextgen.training.events import Validation
from nbtextgen.training.progress import clock, of

if TYPE_CHECKING:
    from nbtextgen.generator import TextGenerator

PANEL_WIDTH = 720
"""Width of a training on the page, in pixels, as in the style sheet of the live panel."""
TASK_HEIGHT, RATE_HEIGHT = 64, 44
"""Heights of the smaller plots, in pixels."""
SMOOTHING = 0.5
"""Weight of earlier points in the training curve, which are means already."""
REASONS = {
    "finished": "finished",
    "interrupted": "stopped",
    "early": "stopped early: no improvement",
    "time": "time limit reached",
    "diverged": "stopped: the loss kept rising",
    "failed": "failed",
}


def bundle(record: Record) -> dict[str, str]:
    """Return the view as a mime bundle."""
    return {"text/html": as_html(record), "text/plain": as_text(record)}


def headline(record: Record) -> str:
    """Return the progress, or how the training ended, in a line."""
    now = record.now()
    if record.error:
        return f"failed: {record.error}"
    if record.ended is not None:
        text = f"{REASONS.get(record.ended.reason, record.ended.reason)} after {clock(record.ended.seconds)}"
    elif "step" in now:
        text = f"epoch {of(now['epoch'], now['epochs'])}, update {of(now['step'], now['steps'])}, {clock(now['left'])} left"
    else:
        text = "training starts"
    if record.best is not None:
        best = "best" if record.ended is not None else "best so far"
        text += f"; {best}: validation loss {record.best[1]:.4f} at update {record.best[0]:,g}"
    return text


def about(record: Record) -> str:
    """Return the sizes of data and model, and the device, in a line."""
    started = record.started
    if started is None:
        return ""
    held_out = f", {started.valid_pairs:,} held out" if started.valid_pairs else ""
    line = (
        f"{started.pairs:,} pairs{held_out}; {started.parameters:,} parameters; {started.device}, {started.precision}"
    )
    choices = chosen(started.choices)
    return line + (f"; chosen from the data: {choices}" if choices else "")


def curves(record: Record) -> str:
    """Return losses, the task's metric and the learning rate as a chart; empty before the first step."""
    raw, valid, task = record.train.points(), record.valid.points(), record.task.points()
    lines = [
        Curve("", raw, faint=True, style=0),
        Curve("training loss", smoothed(raw, SMOOTHING), style=0),
        Curve("validation loss", valid, style=1, dots=True),
    ]
    if not raw and not valid:
        return ""
    parts = [Plot(lines, "loss (nats per token)", star=record.best, wide=True)]
    if record.validation is not None and task:
        name = task_name(record.validation)
        parts.append(Plot([Curve(name, task, style=2, dots=True)], f"{name} (%)", TASK_HEIGHT, limits=(0.0, 100.0)))
    parts.append(Plot([Curve("learning rate", record.rate.points(), style=6)], "learning rate", RATE_HEIGHT))
    drawn = plots(
        parts,
        title="Training by update",
        x_label="update",
        whole=True,
        marks=record.changes_as_list(),
        star_name="best" if record.ended is not None else "best so far",
    )
    return figure(drawn, "training", PANEL_WIDTH)


def task_name(validation: Validation) -> str:
    """Return the name of the metric of generated texts, as it is written."""
    return TASK_NAMES.get(validation.task_name, validation.task_name)


def as_html(record: Record) -> str:
    """Return the view as HTML; all text from data or model is escaped."""
    notes = "".join(f"<div>Note: {visible(text)}</div>" for text in record.warnings)
    return (
        f'<div style="max-width:{PANEL_WIDTH}px">'
        f"<div><b>{visible(record.name)}</b> &middot; {visible(headline(record))}</div>"
        f"{_verdict(record)}"
        f'<div style="opacity:.75;font-size:12px">{visible(about(record) + _figures(record))}</div>{notes}'
        f"{curves(record)}{_samples(record)}</div>"
    )


def _verdict(record: Record) -> str:
    text = verdict(record)
    if not text:
        return ""
    # A browser breaks a line between the hyphens of an option.
    whole = re.sub(r"--[a-z-]+( [\d,.]*\d)?", r'<span style="white-space:nowrap">\g<0></span>', visible(text))
    return f'<div style="margin:4px 0">{whole}</div>'


def _figures(record: Record) -> str:
    now = record.now()
    if "step" not in now:
        return ""
    task = ""
    if "task" in now:
        figure, pairs = percent_of(now["task"], now["task_pairs"]), now["task_pairs"]
        task = f"; {now['task_name']} {figure} of {pairs:,} held-out inputs"
    is_told = now.get("metric_name", "loss") == "loss" or (task and now["metric"] == now["task"])
    metric = "" if is_told else f"; {now['metric_name']} {now['metric']:.2f}"
    changes = "".join(f"; {text} from update {step:,}" for step, text in record.changes_as_list())
    return f"; {now['step']:,} updates in {clock(now['seconds'])}, {now['speed']:,.0f} tokens/s{metric}{task}{changes}"


def _earlier(outputs: Sequence[tuple[int, str]]) -> str:
    """Return the outputs before the last one, folded; each text once, with the update that gave it."""
    if not outputs:
        return ""
    lines = "".join(f"<div>update {step:,}: <bdi>{visible(text)}</bdi></div>" for step, text in reversed(outputs))
    return f'<details style="opacity:.75"><summary>earlier</summary>{lines}</details>'


def _samples(record: Record) -> str:
    if not record.samples:
        return ""
    left = "text-align:left;vertical-align:top;overflow-wrap:anywhere"
    rows = []
    for source, sample in record.samples.items():
        last = sample.outputs[-1][1]
        mark = " &#10003;" if last == sample.target else ""
        earlier = _earlier(sample.outputs[:-1])
        rows.append(
            f'<tr><td style="{left}">{folded(source)}</td><td style="{left}">{folded(sample.target)}</td>'
            f'<td style="{left}">{folded(last)}{mark}{earlier}</td></tr>'
        )
    heads = "".join(f'<th style="{left}">{name}</th>' for name in ("validation input", "reference", "prediction"))
    return f"<table style='width:100%;table-layout:fixed'><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def as_text(record: Record) -> str:
    """Return the view as plain text."""
    lines = [f"{record.name}: {headline(record)}", about(record)]
    now = record.now()
    if "step" in now:
        lines.append(f"training loss {now['loss']:.3f}, {now['speed']:,.0f} tokens/s")
    lines += [text for text in (verdict(record),) if text]
    lines += [f"Note: {text}" for text in record.warnings]
    for source, sample in record.samples.items():
        last = sample.outputs[-1][1]
        lines.append(f"    {source} -> {last}" + ("" if last == sample.target else f"  (reference: {sample.target})"))
    return "\n".join(pictured(line) for line in lines if line)


class History:
    """The record of a training that is over: curves, figures and samples."""

    def __init__(self, record: Record) -> None:
        self.record = record

    @classmethod
    def of(cls, name: str, model: TextGenerator) -> History:
        """Return the history of a model; raises ``NotTrainedError`` for a loaded one, which has none."""
        history = model.history or (model.run.history() if model.run is not None else [])
        if not history:
            raise NotTrainedError(f"{name} has no history: it was loaded, or is not trained yet.")
        return cls(record_of(name, history))

    def __repr__(self) -> str:
        return as_text(self.record)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return bundle(self.record)
