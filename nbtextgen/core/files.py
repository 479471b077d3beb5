"""Atomic files and folders with checksums; reading them never executes code."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from nbtextgen.core.errors import ModelFileError


def sync(path: Path) -> None:
    """Wait until a file, or the list of a folder's files, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        if not path.is_dir():  # some file systems refuse it for folders
            raise
    finally:
        os.close(handle)


def write(path: Path, content: bytes) -> None:
    """Write a file and wait until it is on the disk."""
    path.write_bytes(content)
    sync(path)


def _hidden(path: Path) -> Path:
    """A new hidden name beside ``path``."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")


def replace(path: Path, content: bytes) -> None:
    """Replace a file atomically: a reader sees the old content or the new."""
    work = _hidden(path)
    try:
        write(work, content)
        work.replace(path)
    finally:
        work.unlink(missing_ok=True)


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def committed(folder: Path) -> Generator[Path]:
    """Fill a new folder under a hidden name; it appears complete or not at all.

    Raises:
        OSError: if it cannot be written or ``folder`` exists; nothing is left behind.
    """
    work = _hidden(folder)
    try:
        work.mkdir()
        yield work
        sync(work)
        work.rename(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def replaced(folder: Path, manifest: str, what: str) -> Generator[Path]:
    """Fill a folder under a hidden name and put it in the place of an older one.

    Args:
        folder: its final place.
        manifest: the file that shows that an older folder may be replaced.
        what: its name in error messages.

    Raises:
        ModelFileError: if ``folder`` holds something else or cannot be written; its content then stays as it was.
    """
    recover(folder, manifest)
    if folder.exists() and not (folder / manifest).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelFileError(f"{folder} holds something that is not {what}; choose another folder.")
    work = _hidden(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work.mkdir()
        yield work
        sync(work)
        swap(work, folder)
    except OSError as error:
        raise ModelFileError(
            f"{what.capitalize()} could not be written to {folder}: {error.strerror or error}."
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def swap(work: Path, folder: Path) -> None:
    """Put a finished folder in its place; an older one is renamed first, which ``recover`` can undo."""
    if folder.exists():
        _remove_old(folder)
        old = Path(f"{_hidden(folder)}.old")
        folder.rename(old)
        try:
            work.rename(folder)
        except OSError:
            old.rename(folder)
            raise
    else:
        work.rename(folder)
    sync(folder.parent)
    _remove_old(folder)


def _put_aside(folder: Path) -> list[Path]:
    """Older folders that ``swap`` renamed but was killed before it removed them."""
    if not folder.parent.is_dir():
        return []
    name = re.compile(rf"\.{re.escape(folder.name)}\.[0-9a-f]{{8}}\.old")
    return [path for path in folder.parent.iterdir() if name.fullmatch(path.name)]


def _remove_old(folder: Path) -> None:
    for path in _put_aside(folder):
        shutil.rmtree(path, ignore_errors=True)


def recover(folder: Path, manifest: str) -> None:
    """Restore the older folder if ``swap`` was killed before the new one took its place."""
    aside = [] if folder.exists() else _put_aside(folder)
    if len(aside) == 1 and (aside[0] / manifest).is_file():
        with contextlib.suppress(OSError):
            aside[0].rename(folder)


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a folder, for its manifest."""
    return {path.name: checksum(path) for path in sorted(folder.iterdir()) if path.is_file()}


def verify(folder: Path, files: object, manifest: str) -> None:
    """Check that every file of the manifest is inside the folder and unchanged.

    Raises:
        ModelFileError: names the first file that is not.
    """
    if not isinstance(files, Mapping):
        raise ModelFileError(f"{folder / manifest} is damaged: it lists no files.")
    for name, expected in cast("Mapping[str, object]", files).items():
        path = folder / name
        try:
            if Path(name).name != name or "\0" in name or path.is_symlink():
                raise ModelFileError(f"{folder / manifest} names a file outside the folder: {name!r}.")
            if not path.is_file():
                raise ModelFileError(f"{path} is missing.")
            if checksum(path) != expected:
                raise ModelFileError(f"{path} was changed or damaged since it was saved (its checksum differs).")
        except OSError as error:
            raise ModelFileError(f"{path} cannot be read: {error.strerror}.") from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; raises ``ModelFileError`` if the file holds none."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise ModelFileError(f"{path} is damaged: it should hold an object.")
    return cast("dict[str, Any]", content)


def as_json(content: object) -> bytes:
    """Strict JSON, readable by people."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False).encode()


def check_format(manifest: Mapping[str, object], path: Path, newest: int) -> None:
    """Raise ``ModelFileError`` for the format of a later version."""
    version = manifest.get("format")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ModelFileError(f"{path} is damaged: its format is {version!r}.")
    if version > newest:
        raise ModelFileError(
            f"{path.parent} was saved by a later version (format {version}, this one reads up to {newest}); "
            "update nbtextgen to load it."
        )


def read_tensors(path: Path) -> dict[str, Any]:
    """Read a safetensors file; raises ``ModelFileError`` if it is none."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]

    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise ModelFileError(f"{path} cannot be read: {error}.") from error


def write_tensors(path: Path, tensors: Mapping[str, Any]) -> None:
    """Write tensors of any device as safetensors; raises ``OSError`` if the disk is full."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file  # pyright: ignore[reportUnknownVariableType]

    try:
        save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, path)
    except SafetensorError as error:  # how the library says that the disk is full
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
    path.chmod(0o644)  # the library leaves 0600
    sync(path)
