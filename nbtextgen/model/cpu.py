"""What the CPU can do: number formats that it is fast at, and the number of threads that PyTorch uses."""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

import torch
from torch import Tensor

# oneDNN keeps the code of the last 1,024 shapes of product, and in bf16 texts of all lengths make new shapes for ever: 1,695 MB
# instead of 1,162 after 140 updates of benchmarks/peers.py's model, for 1 % of speed. It reads this at its first product.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")

KEPT_BYTES = 1 << 30
"""Freed memory that the C library keeps; ``return_freed_memory`` returns it to the system."""
MAPPED_BYTES = 1 << 28
"""Size from which a tensor has pages of its own, which are returned as soon as it is freed."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as in malloc.h
_DEFAULT_THRESHOLD = 1 << 17  # glibc's, of both
PACKED_ZERO_POINT = 128
"""What stands for zero in the unsigned rows of ``packed_products``."""


def keep_freed_memory() -> None:
    """Let glibc keep what one step frees for the next one, unless the environment sets its thresholds.

    By default it returns large tensors to the system, which clears their pages again when the next step asks for them: 7 % of the
    time of 25 updates at hidden size 512, and 0.2 to 0.4 of 6 seconds of an explanation (``benchmarks/freed_memory.py``).
    """
    _set_thresholds(MAPPED_BYTES, KEPT_BYTES)


def return_freed_memory() -> None:
    """Return the memory to the system that was freed and kept, for instance at the end of a training."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def stop_keeping_freed_memory() -> None:
    """Return freed memory now, and from now on as soon as it is freed, since the machine is short of it.

    What is kept lies in pieces between other data, where oneDNN and other libraries cannot use it.
    """
    _set_thresholds(_DEFAULT_THRESHOLD, _DEFAULT_THRESHOLD)
    return_freed_memory()


def _set_thresholds(mapped: int, kept: int) -> None:
    chosen = ("MALLOC_TRIM_THRESHOLD_" in os.environ, "MALLOC_MMAP_THRESHOLD_" in os.environ)
    if sys.platform != "linux" or any(chosen) or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    with suppress(AttributeError, OSError):  # another C library
        set_option = ctypes.CDLL(None).mallopt
        set_option(_MMAP_THRESHOLD, mapped)
        set_option(_TRIM_THRESHOLD, kept)


keep_freed_memory()


@functools.cache
def bf16_is_faster() -> bool:
    """Whether this CPU multiplies bf16 matrices so much faster than fp32 ones that it is worth the rounding errors."""
    if torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "NO AVX", "AVX2"):
        return False  # no bf16 instructions: emulation is a hundred times slower, not worth measuring

    def seconds(dtype: torch.dtype) -> float:
        matrix = torch.ones(256, 256, dtype=dtype)
        best = float("inf")
        for _ in range(5):
            began = time.perf_counter()
            torch.mm(matrix, matrix)
            best = min(best, time.perf_counter() - began)
        return best

    return seconds(torch.float32) > 1.5 * seconds(torch.bfloat16)


@functools.cache
def bf16_works() -> bool:
    """Return ``True`` if this CPU runs the forward and backward pass of an LSTM in bf16; with AVX2 alone it does not."""
    layer = torch.nn.LSTM(8, 8, batch_first=True, device="meta").to_empty(device="cpu")  # draws no random numbers
    try:
        with torch.autocast("cpu", torch.bfloat16):
            layer(torch.ones(1, 2, 8))[0].sum().backward()
    except RuntimeError:
        return False
    return True


@functools.cache
def _has_onednn_linear(dtype: torch.dtype) -> bool:
    """Whether this PyTorch has oneDNN's linear layer for tensors in their usual order, and this CPU computes it in ``dtype``."""
    if dtype not in (torch.float32, torch.bfloat16):
        return False
    rows, weight, bias = [[1.0, 2.0]], [[3.0, 5.0], [7.0, 11.0]], [1.0, 2.0]
    arguments = [torch.tensor(values, dtype=dtype) for values in (rows, weight, bias)]
    return _works(lambda: _onednn_linear(*arguments), torch.tensor([[14.0, 31.0]], dtype=dtype))


def _works(compute: Callable[[], Tensor], expected: Tensor) -> bool:
    """Whether ``compute``, whose operations are not public, gives exactly ``expected`` with this PyTorch on this CPU."""
    try:
        return torch.equal(compute(), expected)
    except (AttributeError, RuntimeError, TypeError):  # another PyTorch has no such operation, or with other arguments
        return False


def _onednn_linear(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")


def linear(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compute ``rows @ weight.t() + bias``, ``(rows, outputs)``, by oneDNN on a CPU, unless it is switched off; records no gradients.

    PyTorch's own product comes from MKL in fp32 and copies the bias first in bf16. On an AMD EPYC with AVX512, 512 rows of 512 inputs
    and 8,000 outputs take 40 instead of 45 ms in fp32, and 21 instead of 22 in bf16.

    Args:
        rows: ``(rows, inputs)``.
        weight: ``(outputs, inputs)``, in any order of the memory.
        bias: ``(outputs,)``; ``None`` adds nothing.
    """
    if rows.device.type == "cpu" and torch.backends.mkldnn.enabled and _has_onednn_linear(rows.dtype):
        return _onednn_linear(rows, weight, bias)
    return torch.nn.functional.linear(rows, weight, bias)


@functools.cache
def has_vnni() -> bool:
    """Whether this CPU has instructions for sums of 8-bit products (VNNI)."""
    is_supported = getattr(torch.cpu, "_is_vnni_supported", None)
    return hasattr(torch, "_int_mm") and is_supported is not None and bool(is_supported())


@functools.cache
def has_packed_products() -> bool:
    """Whether this PyTorch has oneDNN's products with packed 8-bit weights, exact to the bit, on a CPU with VNNI."""
    if not has_vnni():
        return False
    rows, weight = torch.tensor([[0, 255, 7], [254, 127, 0]]), torch.tensor([[127, -127, 3], [-5, 127, 99]])
    scale, zeros, bias = torch.tensor([0.1, 0.3]), torch.zeros(2, dtype=torch.long), torch.tensor([0.7, -0.4])

    def compute() -> Tensor:
        return packed_products(rows.to(torch.uint8), pack_weight(weight.to(torch.int8)), scale, zeros, bias)

    return _works(compute, (rows - PACKED_ZERO_POINT) @ weight.t() * scale + bias)


def pack_weight(weight: Tensor) -> Tensor:
    """Return the 8-bit integers ``weight (outputs, inputs)``, contiguous, in the order that oneDNN's kernel reads."""
    return torch.ops.onednn.qlinear_prepack(weight, None)


def packed_products(rows: Tensor, packed: Tensor, scale: Tensor, zeros: Tensor, bias: Tensor | None) -> Tensor:
    """Multiply 8-bit integers: ``(rows - PACKED_ZERO_POINT) @ weight.t() * scale + bias`` in floating point, ``(rows, outputs)``.

    Args:
        rows: unsigned integers, ``(rows, inputs)``.
        packed: signed integers ``weight (outputs, inputs)`` from ``pack_weight``.
        scale: factor of every output, ``(outputs,)``.
        zeros: zeros as integers, ``(outputs,)``.
        bias: what is added to every output, ``(outputs,)``; ``None`` adds nothing.
    """
    kind = torch.float32
    return torch.ops.onednn.qlinear_pointwise(
        rows, 1.0, PACKED_ZERO_POINT, packed, scale, zeros, bias, 1.0, 0, kind, "none", [], ""
    )


@functools.cache
def has_fbgemm() -> bool:
    """Whether 8-bit products should come from FBGEMM: an x86 CPU without VNNI, and a PyTorch that still has the kernel."""
    if has_vnni() or "fbgemm" not in torch.backends.quantized.supported_engines:
        return False
    return hasattr(torch, "_make_per_channel_quantized_tensor") and hasattr(
        torch.ops.quantized, "linear_with_input_q_dq_qweight_dq_output_fp32"
    )


def set_threads(count: int, default: int) -> None:
    """Let PyTorch use ``count`` threads in this Python thread, and ``default`` in those that have not used torch yet."""
    torch.set_num_threads(count)  # also becomes the default of threads that have not used torch yet
    if count != default:
        other = threading.Thread(target=torch.set_num_threads, args=(default,))
        other.start()
        other.join()


@contextmanager
def using_threads(count: int) -> Generator[None, None, None]:
    """Let PyTorch use ``count`` threads in this Python thread until the context ends."""
    before = torch.get_num_threads()
    if count != before:
        set_threads(count, before)
    try:
        yield
    finally:
        if count != before:
            torch.set_num_threads(before)
