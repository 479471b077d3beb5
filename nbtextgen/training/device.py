"""Where to compute, and in which arithmetic."""

from __future__ import annotations

import functools
import time

import torch

from nbtextgen.errors import OptionError


def choose_device(wanted: str) -> torch.device:
    """The device asked for; ``auto`` takes CUDA, else MPS, else the processor.

    Raises:
        OptionError: when a device is asked for that this machine lacks.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if present[name]))
    if not present[wanted]:
        raise OptionError(f"--device {wanted} is not available on this machine; use --device auto.")
    return torch.device(wanted)


def choose_precision(wanted: str, device: torch.device) -> str:
    """``bf16`` or ``fp32``; ``auto`` takes bf16 on CUDA cards that have it and on processors that are faster at it."""
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if device.type == "cpu" and bf16_speedup() > 1.5 else "fp32"


@functools.cache
def bf16_speedup() -> float:
    """How many times faster this processor multiplies bf16 matrices than fp32 ones (below one: it emulates them)."""
    if torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "NO AVX", "AVX2"):
        return 0.0  # no instruction for it: emulation is a hundred times slower, not worth measuring

    def seconds(kind: torch.dtype) -> float:
        matrix = torch.ones(256, 256, dtype=kind)
        best = float("inf")
        for _ in range(5):
            began = time.perf_counter()
            torch.mm(matrix, matrix)
            best = min(best, time.perf_counter() - began)
        return best

    return seconds(torch.float32) / seconds(torch.bfloat16)
