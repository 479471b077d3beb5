"""Where to compute, and in which arithmetic."""

from __future__ import annotations

import torch

from nbtextgen.errors import OptionError
from nbtextgen.model.arithmetic import bf16_pays


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
    return "bf16" if device.type == "cpu" and bf16_pays() else "fp32"
