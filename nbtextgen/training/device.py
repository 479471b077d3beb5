"""Where to compute, and in which arithmetic."""

from __future__ import annotations

import torch

from nbtextgen.core.errors import OptionError
from nbtextgen.core.wording import as_given
from nbtextgen.model.cpu import bf16_is_faster, bf16_works
from nbtextgen.model.seq2seq import Seq2Seq

MIN_BF16_HIDDEN = 256
"""Hidden size from which bf16 saves more time than its casts take. Time in fp32 over that in bf16, one thread of an EPYC with
AVX512-bf16, characters: 0.70 (hidden size 64), 0.95 (128), 1.02 (192), 1.30 (256), 1.42 (384)."""
MIN_BF16_OUTPUT = 100_000
"""Weights of the output layer from which it saves time in smaller networks. By the same measure, words: 0.94 (96 x 1,000 outputs),
1.04 (64 x 3,641), 1.13 (128 x 3,641)."""


def choose_device(name: str) -> torch.device:
    """The device of that name; ``auto`` takes CUDA, else MPS, else the CPU.

    Raises:
        OptionError: for a device that this machine lacks.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(device for device in ("cuda", "mps", "cpu") if present[device]))
    if not isinstance(name, str) or name not in present:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise OptionError(f"--device must be one of auto, {', '.join(present)} (got {as_given(name)}).")
    if not present[name]:
        raise OptionError(f"--device={name} is not available on this machine; use --device=auto.")
    return torch.device(name)


def choose_precision(name: str, device: torch.device, network: Seq2Seq) -> str:
    """``bf16`` or ``fp32``; ``auto`` takes bf16 for networks that are trained faster in it on this CPU.

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
    large = (network.config.hidden_size or 0) >= MIN_BF16_HIDDEN or network.output_weight.numel() >= MIN_BF16_OUTPUT
    return "bf16" if large and device.type == "cpu" and bf16_is_faster() else "fp32"
