"""A training as a still picture: HTML with inline SVG, and plain text, for notebooks read without a kernel."""

from __future__ import annotations

from typing import Any

from nbtextgen.charts import Curve, figure, line_chart, smoothed
from nbtextgen.core.escaping import pictured, visible
from nbtextgen.notebook.live.record import Record, chosen
from nbtextgen.training.progress import clock, of

REASONS = {
    "finished": "finished",
    "interrupted": "stopped",
    "early": "stopped early: no improvement",
    "time": "the time given is used up",
    "diverged": "stopped: the loss is no longer a number",
    "failed": "failed",
}


def bundle(record: Record) -> dict[str, str]:
    """The picture as a mime bundle."""
    return {"text/html": as_html(record), "text/plain": as_text(record)}


def headline(record: Record) -> str:
    """How far it is, or how it ended, in a line."""
    now = record.now()
    if record.error:
        return f"failed: {record.error}"
    if record.ended is not None:
        said = f"{REASONS.get(record.ended.reason, record.ended.reason)} after {clock(record.ended.seconds)}"
    elif "step" in now:
        said = f"epoch {of(now['epoch'], now['epochs'])}, update {of(now['step'], now['steps'])}, {clock(now['left'])} left"
    else:
        said = "training begins"
    if record.best is not None:
        said += f"; best so far at update {record.best[0]:,g}: validation loss {record.best[1]:.4f}"
    return said


def about(record: Record) -> str:
    """What is trained on what, in a line."""
    started = record.started
    if started is None:
        return ""
    held = f", {started.valid_pairs:,} held out" if started.valid_pairs else ""
    line = f"{started.pairs:,} pairs{held}; {started.parameters:,} parameters; {started.device}, {started.precision}"
    picked = chosen(started.choices)
    return line + (f"; chosen from the data: {picked}" if picked else "")


def curves(record: Record) -> str:
    """Training and validation loss as a chart; empty before there is any."""
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
    """The picture; all text from data or model is escaped."""
    notes = "".join(f"<div>Note: {visible(text)}</div>" for text in record.warnings)
    figures = _figures(record)
    return (
        '<div style="max-width:720px">'
        f"<div><b>{visible(record.name)}</b> &middot; {visible(headline(record))}</div>"
        f'<div style="opacity:.75;font-size:12px">{visible(about(record))}{figures}</div>{notes}'
        f"{curves(record)}{_samples(record)}</div>"
    )


def _figures(record: Record) -> str:
    now = record.now()
    if "step" not in now:
        return ""
    metric = "" if now.get("metric_name", "loss") == "loss" else f"; {now['metric_name']} {now['metric']:.2f}"
    return visible(f"; {now['step']:,} updates in {clock(now['seconds'])}, {now['speed']:,.0f} tokens/s{metric}")


def _samples(record: Record) -> str:
    if not record.samples:
        return ""
    left = "text-align:left;vertical-align:top;overflow-wrap:anywhere"
    rows = []
    for source, one in record.samples.items():
        epoch, last = one.outputs[-1]
        right = " &#10003;" if last == one.target else ""
        earlier = "".join(
            f'<div style="opacity:.65">epoch {at}: <bdi>{visible(text)}</bdi></div>' for at, text in one.outputs[:-1]
        )
        rows.append(
            f'<tr><td style="{left}"><bdi>{visible(source)}</bdi></td><td style="{left}"><bdi>{visible(one.target)}</bdi></td>'
            f'<td style="{left}"><bdi>{visible(last)}</bdi>{right}{earlier}</td></tr>'
        )
    heads = "".join(f'<th style="{left}">{name}</th>' for name in ("held-out source", "wanted", "written"))
    return f"<table style='width:100%;table-layout:fixed'><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def as_text(record: Record) -> str:
    """The picture in plain text."""
    lines = [f"{record.name}: {headline(record)}", about(record)]
    now = record.now()
    if "step" in now:
        lines.append(f"training loss {now['loss']:.3f}, {now['speed']:,.0f} tokens/s")
    lines += [f"Note: {text}" for text in record.warnings]
    for source, one in record.samples.items():
        last = one.outputs[-1][1]
        lines.append(f"    {source} -> {last}" + ("" if last == one.target else f"  (wanted: {one.target})"))
    return "\n".join(pictured(line) for line in lines if line)


def text_bundle(record: Record) -> dict[str, Any]:
    """Plain text alone, for ``--progress text``."""
    return {"text/plain": as_text(record)}
