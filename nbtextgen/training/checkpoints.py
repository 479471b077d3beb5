"""Checkpoints: folders that appear whole or not at all, and the newest one that can be read."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from nbtextgen.core.errors import ModelFileError
from nbtextgen.core.files import (
    JsonObject,
    as_sealed_json,
    checksums,
    committed,
    hidden_name,
    read_sealed_json,
    sync,
    verify,
    write,
)
from nbtextgen.training.state import TrainerState, Weights
from nbtextgen.training.tensor_files import read_tensors, write_tensors

FORMAT = 1
MANIFEST, TENSORS = "checkpoint.json", "state.safetensors"
REPLACED = ".old"
"""Ends the hidden name of a folder that another one is about to replace; ``sweep`` restores it if that did not happen."""
Content = TypeVar("Content")


@dataclass(frozen=True)
class LoadedCheckpoint(Generic[Content]):
    """The newest folder of a series that could be read.

    Attributes:
        content: the value that was read from it.
        step: the update it was made after.
        skipped: why newer folders could not be read, a sentence for each.
    """

    content: Content
    step: int
    skipped: tuple[str, ...] = ()


class CheckpointSeries:
    """Folders ``step-N`` in one folder, of which the newest few are kept."""

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder, self.keep = folder, keep

    def steps(self) -> list[int]:
        """Steps of the existing folders, newest first; ordered by step, since clocks jump."""
        if not self.folder.is_dir():
            return []
        names = (re.fullmatch(r"step-(\d{1,18})", path.name) for path in self.folder.iterdir() if path.is_dir())
        return sorted((int(name[1]) for name in names if name), reverse=True)

    def path(self, step: int) -> Path:
        """Path of the folder of a step."""
        return self.folder / f"step-{step:09}"

    def commit(self, step: int, fill: Callable[[Path], None]) -> None:
        """Write a folder with ``fill``, then remove the oldest beyond ``keep``.

        Raises:
            OSError: if it cannot be written; earlier folders are untouched then.
        """
        path, before = self.path(step), None
        if not self.folder.is_dir():
            self.folder.mkdir()
            sync(self.folder.parent)
        try:
            with committed(path) as work:
                fill(work)
                if path.exists():  # from before a resume: the new one is as good, and certainly whole
                    before = self._hide(step, REPLACED)
        except OSError:
            if before is not None and not path.exists():
                before.rename(path)
            raise
        steps = self.steps()
        later = [other for other in steps if other > step]  # updates that were made again after a resume
        hidden = [self._hide(other) for other in [*later, *steps[len(later) + self.keep :]]]
        for old in hidden if before is None else [before, *hidden]:
            shutil.rmtree(old, ignore_errors=True)

    def _hide(self, step: int, suffix: str = "") -> Path:
        """Rename a folder before it is removed: a process killed while it removes files would leave a broken one."""
        path = self.path(step)
        return path.rename(f"{hidden_name(path)}{suffix}")

    def sweep(self) -> None:
        """Remove what a killed process left half-written, and restore what that was to replace."""
        for path in self.folder.glob(".step-*"):
            original = self.folder / path.name.split(".")[1]
            if path.suffix == REPLACED and not original.exists():
                with contextlib.suppress(OSError):
                    path.rename(original)
            else:
                shutil.rmtree(path, ignore_errors=True)

    def newest(self, read: Callable[[Path], Content]) -> LoadedCheckpoint[Content] | None:
        """Read the newest folder that ``read`` accepts; ``None`` if there are no folders.

        Raises:
            ModelFileError: if ``read`` accepts none of them.
        """
        steps = self.steps()
        skipped = list[str]()
        for step in steps:
            try:
                return LoadedCheckpoint(read(self.path(step)), step, tuple(skipped))
            except ModelFileError as error:
                skipped.append(str(error))
        if not skipped:
            return None
        if self.steps() != steps:  # newer ones replaced them meanwhile
            return self.newest(read)
        raise ModelFileError(f"None of the {len(skipped)} in {self.folder} can be read: {' '.join(skipped)}")


def write_state(folder: Path, state: TrainerState) -> None:
    """Write a trainer's state into an empty folder: one file of tensors, and the manifest with its checksum last."""
    flat = {f"{group}:{name}": value for group, tensors in state.tensors.items() for name, value in tensors.items()}
    write_tensors(folder / TENSORS, flat)
    write(folder / MANIFEST, as_sealed_json({"format": FORMAT, "files": checksums(folder), **state.values}))


def read_state(folder: Path) -> TrainerState:
    """Read ``write_state`` back.

    Raises:
        ModelFileError: naming what is missing, damaged or of a later format.
    """
    manifest = read_sealed_json(folder / MANIFEST, FORMAT)
    files: JsonObject | None = manifest.get("files")
    if not isinstance(files, dict) or TENSORS not in files:
        raise ModelFileError(f"{folder / MANIFEST} is damaged: it does not list {TENSORS}.")
    verify(folder, files, MANIFEST)
    groups: dict[str, Weights] = {}
    for key, value in read_tensors(folder / TENSORS).items():
        group, _, name = key.partition(":")
        groups.setdefault(group, {})[name] = value
    return TrainerState(groups, manifest)
