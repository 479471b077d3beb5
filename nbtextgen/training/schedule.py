"""How the learning rate moves over a run."""

from __future__ import annotations

import math

DECAY = 0.5
"""Fraction of a ``stable-decay`` schedule in which the learning rate falls."""


def rate_at(schedule: str, step: float, steps: int, warmup: float) -> float:
    """Share of the peak learning rate at an update.

    Args:
        schedule: ``constant``, ``inverse-sqrt`` (Vaswani et al. 2017, eq. 3), ``cosine`` (Loshchilov & Hutter 2017,
            eq. 5, one period down to 1 %), ``stable-decay`` (constant, then linear to zero over the last half: Hu et al.
            2024, sec. 4), or ``plateau`` (constant here; the trainer halves it).
        step: updates done.
        steps: updates planned.
        warmup: share of ``steps`` over which the rate rises linearly from zero.
    """
    rise = max(1.0, warmup * steps)
    if step < rise:
        return (step + 1) / (rise + 1)
    if schedule == "inverse-sqrt":
        return math.sqrt(rise / (step + 1))
    if schedule == "cosine":
        done = min(1.0, (step - rise) / max(1.0, steps - rise))
        return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * done))
    if schedule == "stable-decay":
        return min(1.0, max(0.0, steps - step) / (DECAY * steps))
    return 1.0
