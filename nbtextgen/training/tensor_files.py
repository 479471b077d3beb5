"""Tensors in safetensors files: weights, and the state of an optimizer."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from nbtextgen.core.errors import MemoryShortError, ModelFileError, is_memory_short
from nbtextgen.core.files import named_disk_errors, sync


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file; raises ``ModelFileError`` if it is none, and ``MemoryShortError`` if it does not fit."""
    try:
        return safetensors.torch.load_file(path)  # pyright: ignore[reportUnknownMemberType]
    except (OSError, SafetensorError, ValueError, KeyError, RuntimeError, TypeError, MemoryError) as error:
        if is_memory_short(error):
            raise MemoryShortError(
                f"There is not enough memory to read {path}; close other notebooks or programs."
            ) from error
        raise ModelFileError(f"{path} cannot be read: {error}.") from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors of any device as safetensors; raises ``OSError`` if the disk is full."""
    content = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with named_disk_errors(path, sum(value.nbytes for value in content.values())):
        path.touch()
        mode = path.stat().st_mode  # as the user's umask has it; the library leaves 0600
        try:
            safetensors.torch.save_file(content, path)  # pyright: ignore[reportUnknownMemberType]
        except SafetensorError as error:  # how the library says that the disk is full
            number = re.search(r"(?:os error|code:) (\d+)", str(error))  # of newer and of older versions
            if number is None:
                raise
            raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
        path.chmod(mode)
        sync(path)
