"""Explanations and surveys as JSON files, from which they load with equal bits."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np

from nbtextgen.core.errors import ModelFileError
from nbtextgen.core.files import SEAL, JsonObject, checked_path, read_sealed_json, sealed, write_page
from nbtextgen.explanation.attributions import Values
from nbtextgen.explanation.faithfulness import Faithfulness

FORMAT = 1
"""Counts the formats of these files; later versions read earlier ones."""
SUFFIX = ".json"
"""What the name of such a file ends in."""
HEAD = ("nbtextgen", "format", SEAL)
"""Entries of every archive that are no content: what it is, its format, and the checksum that it ends with."""
ARRAYS = {
    "values": 2,
    "base_values": 1,
    "log_probabilities": 1,
    "without_source": 1,
    "standard_errors": 2,
    "r_squared": 1,
    "convergence_delta": 1,
    "heads": 3,
    "prefix_values": 2,
    "prefix_errors": 2,
    "interactions": 3,
    "interaction_errors": 3,
}
"""The fields of ``Explanation`` that are arrays, and their numbers of dimensions."""
Data = JsonObject


def is_archive(path: str | Path) -> bool:
    """Whether a name is that of an archive; raises ``ModelFileError`` for a name that no file can have."""
    return checked_path(path).suffix == SUFFIX


def save(path: str | Path, kind: str, content: Mapping[str, object]) -> Path:
    """Write ``content`` as an archive of some ``kind``.

    Raises:
        ModelFileError: if the file cannot be written.
    """
    text = json.dumps({"nbtextgen": kind, "format": FORMAT, **content}, allow_nan=False, separators=(",", ":"))
    return write_page(path, sealed(text.encode()).decode(), f"The {kind}")


def load(path: str | Path, kind: str) -> Data:
    """Read an archive.

    Raises:
        ModelFileError: if the file is missing, damaged, of another kind or of a later version.
    """
    content = read_sealed_json(checked_path(path))
    if content.get("nbtextgen") != kind:
        saved = content.get("nbtextgen")
        what = f"holds a saved {saved}" if isinstance(saved, str) else "was not saved by nbtextgen"
        raise ModelFileError(f"{path} {what}, and a saved {kind} is needed.")
    if not isinstance(content.get("format"), int) or content["format"] > FORMAT:
        raise ModelFileError(f"{path} was saved by a later version of nbtextgen; update nbtextgen to read it.")
    return content


@contextmanager
def damage_named(path: str | Path) -> Generator[None]:
    """Raise ``ModelFileError`` with the name of the file in the place of errors of its content."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelFileError(f"{path} is damaged or was changed since it was saved ({error}).") from error


def plain(value: object) -> object:
    """A value as JSON has it: arrays and tuples as lists, dataclasses as objects, NaN and infinities as words."""
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in cast("list[object]", value)]
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


def floats(values: dict[str, float | str]) -> dict[str, float]:
    """Numbers as ``plain`` wrote them, of which some may be words."""
    return {name: float(value) for name, value in values.items()}


def array(value: object, dimensions: int) -> Values:
    """An array of numbers with so many dimensions; raises ``ValueError`` for anything else."""
    result = np.array(_numbers(value), dtype=np.float64)
    if result.ndim != dimensions and result.size:
        raise ValueError(f"{dimensions} dimensions are needed, and there are {result.ndim}")
    return result


def _numbers(value: object) -> object:
    if isinstance(value, list):
        return [_numbers(item) for item in cast("list[object]", value)]
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"a number is needed, not {value!r}")
    return float(value)


def fields(cls: type, content: Mapping[str, object], arrays: Mapping[str, int]) -> Data:
    """Keyword arguments of a dataclass from JSON values.

    Args:
        cls: the dataclass; fields that later versions add have defaults.
        content: its fields.
        arrays: the number of dimensions of every field that is an array.

    Raises:
        ValueError, TypeError: for values of other types, unknown fields or missing ones.
    """
    arguments: Data = {}
    for name, value in content.items():
        if name in arrays:
            arguments[name] = None if value is None else array(value, arrays[name])
        elif name.endswith("_offsets"):
            arguments[name] = tuple((int(start), int(stop)) for start, stop in cast("list[tuple[int, int]]", value))
        elif isinstance(value, list):
            arguments[name] = tuple(cast("list[object]", value))
        else:
            arguments[name] = value
    if isinstance(arguments.get("faithfulness"), dict):
        arguments["faithfulness"] = Faithfulness(**arguments["faithfulness"])
    field_names = {field.name for field in dataclasses.fields(cls)}
    if not set(arguments) <= field_names:
        raise ValueError(f"unknown fields: {', '.join(sorted(set(arguments) - field_names))}")
    return arguments
