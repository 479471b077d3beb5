"""The weights of a page: rounded to 16 bits, or to 8 bits with one scale per row, in one block of bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import ModelFileError
from nbtextgen.model.seq2seq import Seq2Seq

Array = NDArray[np.float32]
TensorPlace = dict[str, int | list[int]]

LARGEST_INT8 = 127
ALIGNMENT = 4
"""Every tensor begins at a multiple of this, since JavaScript reads scales as 32-bit numbers in place."""


@dataclass(frozen=True)
class PackedWeights:
    """The weights of all networks.

    Attributes:
        content: the tensors, one after another.
        tensors: shape of each, where it starts, and where the scales of its rows start if it holds 8-bit integers.
        names: for each network, the number of the tensor of every weight; tied weights have the same number.
    """

    content: bytes
    tensors: list[TensorPlace]
    names: list[dict[str, int]]


def rounded(array: Array, bits: int) -> Array:
    """Return the values that a page holds for a weight: the nearest 16-bit numbers, or 8-bit integers times a row's scale.

    Vectors, such as biases, always have 16 bits: they are few.
    """
    if bits == 8 and array.ndim > 1:
        integers, scales = _quantized(array)
        return integers.astype(np.float32) * scales
    with np.errstate(over="ignore"):
        return array.astype(np.float16).astype(np.float32)


def round_networks(networks: Sequence[Seq2Seq], bits: int) -> None:
    """Round all weights of networks in place, so that they compute what a page of them computes."""
    import torch

    for network in networks:
        for parameter in network.parameters():
            parameter.data.copy_(torch.as_tensor(rounded(parameter.detach().float().numpy(force=True), bits)))


def pack(networks: Sequence[Seq2Seq], bits: int) -> PackedWeights:
    """Round and join the weights of networks.

    Raises:
        ModelFileError: if a weight is too large for a 16-bit number.
    """
    content, tensors, names = bytearray(), list[TensorPlace](), list[dict[str, int]]()
    for network in networks:
        numbers = dict[int, int]()
        own_names = dict[str, int]()
        for name, parameter in network.named_parameters(remove_duplicate=False):
            if id(parameter) not in numbers:
                numbers[id(parameter)] = len(tensors)
                tensors.append(_append(content, name, parameter.detach().float().numpy(force=True), bits))
            own_names[name] = numbers[id(parameter)]
        names.append(own_names)
    return PackedWeights(bytes(content), tensors, names)


def _append(content: bytearray, name: str, array: Array, bits: int) -> TensorPlace:
    """Add a tensor to the bytes; return where it is."""
    place: TensorPlace = {"shape": list(array.shape)}
    if bits == 8 and array.ndim > 1:
        integers, scales = _quantized(array)
        return {**place, "scales": _add(content, scales.tobytes()), "start": _add(content, integers.tobytes())}
    with np.errstate(over="ignore"):
        halves = array.astype("<f2")
    if not np.isfinite(halves).all():
        raise ModelFileError(
            f"Weight {name!r} has values beyond 65,504, which 16-bit numbers cannot hold, so this model cannot become a page."
        )
    return {**place, "start": _add(content, halves.tobytes())}


def _add(content: bytearray, part: bytes) -> int:
    content.extend(bytes(-len(content) % ALIGNMENT))
    start = len(content)
    content.extend(part)
    return start


def _quantized(array: Array) -> tuple[NDArray[np.int8], Array]:
    """Return 8-bit integers ``(rows, columns)`` and the scale of each row ``(rows, 1)``."""
    scales = np.abs(array).max(-1, keepdims=True).astype("<f4") / np.float32(LARGEST_INT8)
    divisors = np.where(scales > 0, scales, np.float32(1))
    return np.rint(array / divisors).astype(np.int8), scales


def parameter_count(networks: Sequence[Seq2Seq]) -> int:
    """Return the number of weights, tied ones counted once."""
    sizes: Mapping[int, int] = {id(each): each.numel() for network in networks for each in network.parameters()}
    return sum(sizes.values())
