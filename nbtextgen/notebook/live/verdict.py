"""How good a trained model is on held-out pairs, in words, and what to do if that is poor."""

from __future__ import annotations

import math

from nbtextgen.core.wording import percent_of
from nbtextgen.notebook.live.record import TASK_NAMES, Record

GOOD = {"exact": 60.0, "chrf": 40.0, "bleu": 15.0, "rougeL": 40.0}
"""From this value of a metric on, a model needs no advice."""
FEW_PAIRS = 300
"""Fewer pairs teach a network hardly anything that holds for new inputs."""
FEW_UPDATES = 200
"""A network has hardly learned anything before."""
LATE = 0.9
"""A best update after this fraction of the training says that it was still improving."""
GAP = 2.0
"""A validation loss this many times the training loss says that the training pairs are learned by heart."""


def verdict(record: Record) -> str:
    """Return what a user should know about a training that has ended: one to three sentences; empty while it runs."""
    return record.words(_verdict(record))


def _verdict(record: Record) -> str:
    if record.ended is None or record.started is None or record.ended.reason == "diverged":
        return ""
    if not record.started.valid_pairs:
        return (
            "No pairs were held out, so it is not known how good the model is on new inputs. "
            + _advice(record, is_poor=record.ended.step < FEW_UPDATES)
        ).strip()
    best = record.best_validation
    if best is None or best.task is None or not best.task_pairs:
        return ""
    is_poor = best.task < GOOD.get(best.task_name, -math.inf)
    if best.task_name == "exact":
        right = round(best.task_pairs * best.task / 100)
        quality = (
            f"{right:,} of {best.task_pairs:,} held-out inputs come out exactly right "
            f"({percent_of(best.task, best.task_pairs)})."
        )
    else:
        name = TASK_NAMES.get(best.task_name, best.task_name)
        quality = f"{name} is {best.task:.0f} on {best.task_pairs} held-out inputs."
    return f"{quality} {_advice(record, is_poor=is_poor)}".strip()


def _advice(record: Record, *, is_poor: bool) -> str:
    """Return what to do about a poor model; empty for a good one."""
    ended, step = record.ended, record.step
    if not is_poor or ended is None:
        return ""
    epochs = max(1, step.epochs or step.epoch) if step is not None else 1
    if ended.step < FEW_UPDATES:
        more = _round_up(epochs * FEW_UPDATES / max(1, ended.step))
        return f"Too few updates ({ended.step:,}): try --epochs {more:,}."
    if record.started is not None and record.started.pairs < FEW_PAIRS:
        return f"{record.started.pairs} pairs are few to learn from: more pairs help most."
    if ended.reason == "time":
        return "The time limit ended it: raise --max-minutes."
    if ended.best_step >= LATE * ended.step:
        return f"It was still improving at the end: try --epochs {_round_up(2 * epochs):,}."
    valid, train = record.best_validation, record.train.points()
    if valid is not None and train and train[-1][1] > 0 and valid.loss > GAP * train[-1][1]:
        return "It has learned its training pairs by heart: more pairs, or a higher --dropout, help most."
    return "Check the data with %textgen_data, or search better settings with %textgen_panel NAME --kind tune."


def _round_up(number: float) -> int:
    """Return a round number that is not smaller: one digit, then zeros."""
    size = 10 ** max(0, math.floor(math.log10(number)))
    return math.ceil(number / size) * size
