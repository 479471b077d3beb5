"""A static view of a training: HTML with inline SVG, and plain text, for notebooks read without a kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtextgen.charts import Curve, figure, line_chart, smoothed
from nbtextgen.core.errors import NotTrainedError
from nbtextgen.core.escaping import pictured, visible
from nbtextgen.notebook.live.record import Record, chosen, record_of
from nbtextgen.training.progress import clock, of

if TYPE_CHECKING:
    from nbtextgen.generator import TextGenerator

REASONS = {
    "finished": "finished",
    "interrupted": "stopped",
    "early": "stopped early: no improvement",
    "time": "time limit reached",
    "diverged": "stopped: the loss is not a number",
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
        text += f"; best so far: validation loss {record.best[1]:.4f} at update {record.best[0]:,g}"
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
    """Return training and validation loss as a chart; empty before the first step."""
    raw, valid = record.train.points(), record.valid.points()
    lines = [
        Curve("", raw, faint=True, style=0),
        Curve("training loss", smoothed(raw), style=0),
        Curve("validation loss", valid, style=1, dots=True),
    ]
    if not raw and not valid:
        return ""
    title = "Training and validation loss by update"
    drawn = line_chart(lines, title=title, x_label="update", y_label="loss (nats per token)", star=record.best)
    return figure(drawn, "training")


def as_html(record: Record) -> str:
    """Return the view as HTML; all text from data or model is escaped."""
    notes = "".join(f"<div>Note: {visible(text)}</div>" for text in record.warnings)
    return (
        '<div style="max-width:720px">'
        f"<div><b>{visible(record.name)}</b> &middot; {visible(headline(record))}</div>"
        f'<div style="opacity:.75;font-size:12px">{visible(about(record) + _figures(record))}</div>{notes}'
        f"{curves(record)}{_samples(record)}</div>"
    )


def _figures(record: Record) -> str:
    now = record.now()
    if "step" not in now:
        return ""
    metric = "" if now.get("metric_name", "loss") == "loss" else f"; {now['metric_name']} {now['metric']:.2f}"
    return f"; {now['step']:,} updates in {clock(now['seconds'])}, {now['speed']:,.0f} tokens/s{metric}"


def _samples(record: Record) -> str:
    if not record.samples:
        return ""
    left = "text-align:left;vertical-align:top;overflow-wrap:anywhere"
    rows = []
    for source, sample in record.samples.items():
        last = sample.outputs[-1][1]
        mark = " &#10003;" if last == sample.target else ""
        earlier = "".join(
            f'<div style="opacity:.65">epoch {epoch}: <bdi>{visible(text)}</bdi></div>'
            for epoch, text in sample.outputs[:-1]
        )
        rows.append(
            f'<tr><td style="{left}"><bdi>{visible(source)}</bdi></td><td style="{left}"><bdi>{visible(sample.target)}</bdi></td>'
            f'<td style="{left}"><bdi>{visible(last)}</bdi>{mark}{earlier}</td></tr>'
        )
    heads = "".join(f'<th style="{left}">{name}</th>' for name in ("validation input", "reference", "prediction"))
    return f"<table style='width:100%;table-layout:fixed'><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def as_text(record: Record) -> str:
    """Return the view as plain text."""
    lines = [f"{record.name}: {headline(record)}", about(record)]
    now = record.now()
    if "step" in now:
        lines.append(f"training loss {now['loss']:.3f}, {now['speed']:,.0f} tokens/s")
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
