"""What a trained model is, in words: its task, its size, how good it is, how long ago it was trained, and what comes next."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from nbtextgen.core.escaping import visible
from nbtextgen.core.wording import percent_of
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.training.events import Ended, Event, Started, Validation
from nbtextgen.training.progress import clock

NEXT = (
    "model.generate(text)",
    "model.explain(text)",
    "model.evaluate(pairs)",
    "model.save(folder)",
)
"""What comes next; ``model`` stands for the variable."""
UNITS = {"char": "characters", "word": "words", "bpe": "word pieces", "symbol": "symbols"}


def description(plan: Plan, networks: Sequence[Seq2Seq], history: Sequence[Event], created: str = "") -> list[str]:
    """Return the task and the networks of a trained model, and what is known of its training, a line each.

    Args:
        plan: all settings.
        networks: the networks, several of an ensemble.
        history: the events of the training; none for a loaded model.
        created: when its run began, as in its folder; empty if it has none.
    """
    tokens, network = plan.tokenizer, plan.model
    parameters = sum(each.numel() for part in networks for each in part.parameters())
    several = f"{len(networks)} times " if len(networks) > 1 else ""
    source, target = (UNITS.get(unit or "", unit or "") for unit in (tokens.source_tokens, tokens.target_tokens))
    attention = "" if network.attention == "none" else f" with {network.attention} attention"
    size = f"{network.cell.upper()} of {network.hidden_size}{attention}, {parameters:,} parameters"
    lines = [f"{source} to {target}, {several}{size}"]
    started = next((event for event in history if isinstance(event, Started)), None)
    ended = next((event for event in reversed(history) if isinstance(event, Ended)), None)
    if started is not None and ended is not None:
        lines.append(f"trained on {started.pairs:,} pairs in {clock(ended.seconds)}{_age(created)}")
    best = next((event for event in reversed(history) if isinstance(event, Validation) and event.best), None)
    if best is not None and started is not None and started.valid_pairs:
        task = ""
        if best.task is not None:
            task = f", {best.task_name} {percent_of(best.task, best.task_pairs)} of {best.task_pairs:,} inputs"
        lines.append(f"on held-out pairs: loss {best.loss:.3f}{task}")
    return lines


def description_html(code: str, lines: Sequence[str]) -> str:
    """Return a description as HTML, under the code that makes such a model; without lines, it is not trained yet."""
    following = " &middot; ".join(
        f"<code>{visible(each)}</code>" for each in (NEXT if lines else ("model.fit(pairs)",))
    )
    rows = "".join(f"<div>{visible(line)}</div>" for line in lines or ["not trained yet"])
    return f'<div><code>{visible(code)}</code>{rows}<div style="opacity:.75">next: {following}</div></div>'


def _age(created: str) -> str:
    """Return how long ago a run began."""
    try:
        seconds = time.time() - datetime.fromisoformat(created).timestamp()
    except ValueError:
        return ""
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f", {count} {unit}{'s' if count > 1 else ''} ago"
    return ", just now"
