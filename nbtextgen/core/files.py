"""Files that survive: written whole or not at all, checked by checksum, nothing in them ever executed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


def replace(path: Path, content: bytes) -> None:
    """Write a file that a reader sees either as it was or as it will be."""
    work = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
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
def committed(folder: Path) -> Iterator[Path]:
    """A new folder, filled under another name in the block, that appears whole or not at all.

    Raises:
        OSError: when it cannot be written, or ``folder`` is there already; nothing is left behind then.
    """
    work = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        work.mkdir()
        yield work
        sync(work)
        work.rename(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def replaced(folder: Path, manifest: str, what: str) -> Iterator[Path]:
    """A folder that may be there already, filled under another name in the block, put in its place whole.

    Args:
        folder: where it will be.
        manifest: the file that shows that an older one may be replaced.
        what: it is, for people.

    Raises:
        ModelFileError: when there is something else, or it cannot be written; what was there stays then.
    """
    recover(folder, manifest)
    if folder.exists() and not (folder / manifest).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelFileError(f"{folder} holds something that is not {what}; choose another folder.")
    work = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}"
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
    """Put a finished folder in its place, an older one there stepping aside first; ``recover`` undoes half of that."""
    if folder.exists():
        _remove_old(folder)
        old = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}.old"
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
    """What ``swap`` has put aside for this folder, and was killed before removing it."""
    if not folder.parent.is_dir():
        return []
    name = re.compile(rf"\.{re.escape(folder.name)}\.[0-9a-f]{{8}}\.old")
    return [path for path in folder.parent.iterdir() if name.fullmatch(path.name)]


def _remove_old(folder: Path) -> None:
    for path in _put_aside(folder):
        shutil.rmtree(path, ignore_errors=True)


def recover(folder: Path, manifest: str) -> None:
    """Bring back what ``swap`` had put aside, when it was killed before the new folder took its place."""
    aside = [] if folder.exists() else _put_aside(folder)
    if len(aside) == 1 and (aside[0] / manifest).is_file():
        with contextlib.suppress(OSError):
            aside[0].rename(folder)


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a folder, for its manifest."""
    return {path.name: checksum(path) for path in sorted(folder.iterdir()) if path.is_file()}


def verify(folder: Path, files: Mapping[str, Any], manifest: str) -> None:
    """Check that every file named in the manifest is there, inside the folder, and unchanged.

    Raises:
        ModelFileError: naming the first that is not.
    """
    if not isinstance(files, Mapping):
        raise ModelFileError(f"{folder / manifest} is damaged: it lists no files.")
    for name, expected in files.items():
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
    """Read a JSON object; raises ``ModelFileError`` when the file does not hold one."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise ModelFileError(f"{path} is damaged: it should hold an object.")
    return content


def as_json(content: Any) -> bytes:
    """Strict JSON, readable by people."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False).encode()


def check_format(manifest: Mapping[str, Any], path: Path, newest: int) -> None:
    """Refuse a layout of a later version; raises ``ModelFileError``."""
    version = manifest.get("format")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ModelFileError(f"{path} is damaged: its format is {version!r}.")
    if version > newest:
        raise ModelFileError(
            f"{path.parent} was saved by a later version (format {version}, this one reads up to {newest}); "
            "update nbtextgen to load it."
        )


def read_tensors(path: Path) -> dict[str, Any]:
    """Read a safetensors file; raises ``ModelFileError`` when it is not one."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise ModelFileError(f"{path} cannot be read: {error}.") from error


def write_tensors(path: Path, tensors: Mapping[str, Any]) -> None:
    """Write tensors as safetensors, from wherever they are; raises ``OSError`` when the disk does not take them."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, path)
    except SafetensorError as error:  # how the library says that the disk is full
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
    path.chmod(0o644)  # the library leaves 0600
    sync(path)
