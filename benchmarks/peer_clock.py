"""Clock, decoding timer and input files of one phase of one program; used by peer_inside.py in that program's environment.

peers.py may ask for another batch size, or for a GPU (OpenNMT-py and nbtextgen only), in environment variables.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

BATCH = int(os.environ.get("BENCHMARK_BATCH", "64"))
DEVICE = os.environ.get("BENCHMARK_DEVICE", "cpu")
EMBEDDING, HIDDEN, DROPOUT, RATE, LONGEST = 256, 512, 0.2, 0.001, 80


class Clock:
    """Time and tokens of the updates after the warm-up; on a GPU the first and the last update are waited for."""

    def __init__(self, warmup: int, steps: int) -> None:
        self.warmup, self.updates, self.tokens, self.began, self.ended = warmup, 0, 0, 0.0, 0.0
        self.last = warmup + steps
        register_optimizer_step_post_hook(lambda *_: self._updated())

    def saw(self, tokens: int) -> None:
        """Count a training batch's tokens; called before its update."""
        if self.updates >= self.warmup:
            self.tokens += tokens

    def _updated(self) -> None:
        self.updates += 1
        if DEVICE == "cuda" and self.updates in (self.warmup, self.last):
            torch.cuda.synchronize()
        self.ended = time.perf_counter()
        if self.updates == self.warmup:
            self.began = self.ended

    def measured(self) -> dict[str, object]:
        seconds, steps = self.ended - self.began, self.updates - self.warmup
        rate = round(self.tokens / seconds, 1)
        return {"tokens_per_second": rate, "steps": steps, "seconds": round(seconds, 2), "tokens": self.tokens}


def timed(work: Path, name: str, decode: Callable[[], list[str]]) -> dict[str, object]:
    """Run ``decode`` once, keep its lines (space-separated pieces), and give its speed."""
    began = time.perf_counter()
    lines = decode()
    seconds = time.perf_counter() - began
    (work / f"{name}.out").write_text("\n".join(lines) + "\n", "utf-8")
    tokens = sum(len(line.split()) for line in lines)
    rate = round(len(lines) / seconds, 2)
    return {"sentences_per_second": rate, "sentences": len(lines), "seconds": round(seconds, 2), "tokens": tokens}


def head(work: Path, name: str, sentences: int) -> Path:
    """The first lines of a validation file as a file of their own."""
    lines = (work / name).read_text("utf-8").rstrip("\n").split("\n")[:sentences]
    path = work / f"head.{name}"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path
