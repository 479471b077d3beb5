"""Checkpoints: folders that appear whole or not at all, the newest good one found again whatever happened."""

from __future__ import annotations

import contextlib
import re
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from nbtextgen.core.errors import ModelFileError
from nbtextgen.core.files import (
    as_json,
    check_format,
    checksums,
    committed,
    read_json,
    read_tensors,
    sync,
    verify,
    write,
    write_tensors,
)
from nbtextgen.training.state import TrainerState
from nbtextgen.training.weight_averaging import Weights

FORMAT = 1
MANIFEST, TENSORS = "checkpoint.json", "state.safetensors"
COMES_BACK = ".old"
"""Ends the name of a folder whose place another is about to take."""
Content = TypeVar("Content")


@dataclass(frozen=True)
class FoundCheckpoint(Generic[Content]):
    """The newest good one of a series.

    Attributes:
        content: what was read.
        step: the update it was made after.
        skipped: newer ones that could not be read, each in a sentence.
    """

    content: Content
    step: int
    skipped: tuple[str, ...] = field(default=())


class CheckpointSeries:
    """Folders ``step-N`` in one place, of which the newest few are kept."""

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder, self.keep = folder, keep

    def steps(self) -> list[int]:
        """Steps of the folders there are, newest first; order is by step, for clocks jump."""
        if not self.folder.is_dir():
            return []
        names = (re.fullmatch(r"step-(\d{1,18})", path.name) for path in self.folder.iterdir() if path.is_dir())
        return sorted((int(name[1]) for name in names if name), reverse=True)

    def path(self, step: int) -> Path:
        """Where the folder of a step is."""
        return self.folder / f"step-{step:09}"

    def commit(self, step: int, fill: Callable[[Path], None]) -> None:
        """Write a folder with ``fill``, then forget the oldest beyond ``keep``.

        Raises:
            OSError: when it cannot be written; those before it are untouched then.
        """
        path, before = self.path(step), None
        if not self.folder.is_dir():
            self.folder.mkdir()
            sync(self.folder.parent)
        try:
            with committed(path) as work:
                fill(work)
                if path.exists():  # from before a resume: what was written now is as good, and certainly whole
                    before = self._put_aside(step, COMES_BACK)
        except OSError:
            if before is not None and not path.exists():
                before.rename(path)
            raise
        later = [other for other in self.steps() if other > step]  # of a course that was not kept
        aside = [self._put_aside(other) for other in [*later, *self.steps()[len(later) + self.keep :]]]
        for old in aside if before is None else [before, *aside]:
            shutil.rmtree(old, ignore_errors=True)

    def _put_aside(self, step: int, suffix: str = "") -> Path:
        """Hide a folder that is to be removed: emptying it takes a while, in which a kill would leave a broken one."""
        path = self.path(step)
        return path.rename(path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{suffix}"))

    def sweep(self) -> None:
        """Remove what a killed process left half-written, and bring back what had to make room for that."""
        for path in self.folder.glob(".step-*"):
            back = self.folder / path.name.split(".")[1]
            if path.suffix == COMES_BACK and not back.exists():
                with contextlib.suppress(OSError):
                    path.rename(back)
            else:
                shutil.rmtree(path, ignore_errors=True)

    def newest(self, read: Callable[[Path], Content]) -> FoundCheckpoint[Content] | None:
        """The newest folder that ``read`` accepts, or ``None`` when there is none.

        Raises:
            ModelFileError: when there are some and ``read`` refuses all.
        """
        steps = self.steps()
        skipped: list[str] = []
        for step in steps:
            try:
                return FoundCheckpoint(read(self.path(step)), step, tuple(skipped))
            except ModelFileError as error:
                skipped.append(str(error))
        if not skipped:
            return None
        if self.steps() != steps:  # others took their place while these were read
            return self.newest(read)
        raise ModelFileError(f"None of the {len(skipped)} in {self.folder} can be read: {' '.join(skipped)}")


def write_state(folder: Path, state: TrainerState) -> None:
    """Write a trainer's state into an empty folder: one file of tensors, and the manifest with its checksum last."""
    flat = {f"{group}:{name}": value for group, tensors in state.tensors.items() for name, value in tensors.items()}
    write_tensors(folder / TENSORS, flat)
    write(folder / MANIFEST, as_json({"format": FORMAT, "files": checksums(folder), **state.values}))


def read_state(folder: Path) -> TrainerState:
    """Read ``write_state`` back.

    Raises:
        ModelFileError: naming what is missing, damaged or of a later format.
    """
    manifest = read_json(folder / MANIFEST)
    check_format(manifest, folder / MANIFEST, FORMAT)
    files = manifest.get("files")
    if not isinstance(files, dict) or TENSORS not in files:
        raise ModelFileError(f"{folder / MANIFEST} is damaged: it does not list {TENSORS}.")
    verify(folder, files, MANIFEST)
    groups: dict[str, Weights] = {}
    for key, value in read_tensors(folder / TENSORS).items():
        group, _, name = key.partition(":")
        groups.setdefault(group, {})[name] = value
    return TrainerState(groups, manifest)
