"""Where to compute, and in which arithmetic."""

from __future__ import annotations

import torch

from nbtextgen.core.errors import OptionError
from nbtextgen.model.cpu import bf16_is_faster, bf16_works


def choose_device(name: str) -> torch.device:
    """The device of that name; ``auto`` takes CUDA, else MPS, else the CPU.

    Raises:
        OptionError: for a device that this machine lacks.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(device for device in ("cuda", "mps", "cpu") if present[device]))
    if not present[name]:
        raise OptionError(f"--device={name} is not available on this machine; use --device=auto.")
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> str:
    """``bf16`` or ``fp32``; ``auto`` takes bf16 on CPUs that are faster at it.

    On a GPU the networks of a notebook wait for kernels to be launched, and bf16 launches more of them: on an H200 it
    made 0.7 to 0.8 of the tokens a second (``benchmarks/gpu.py``, hidden size 512, batches of 64 and 1,024).

    Raises:
        OptionError: for bf16 on a CPU that cannot train in it.
    """
    if name == "bf16" and device.type == "cpu" and not bf16_works():
        raise OptionError(
            "--precision=bf16 does not work on this CPU, which needs AVX-512 or AMX for it; use --precision=auto."
        )
    if name != "auto":
        return name
    return "bf16" if device.type == "cpu" and bf16_is_faster() else "fp32"
