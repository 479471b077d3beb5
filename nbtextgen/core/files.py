"""Atomic files and folders with checksums; reading them never executes code."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from nbtextgen.core.errors import ModelFileError
from nbtextgen.core.escaping import json_text
from nbtextgen.core.names import plain_path

MAX_NAME = 255
"""Bytes of the longest file name that the usual file systems allow."""
_RACES = (errno.EEXIST, errno.ENOENT, errno.ENOTEMPTY)
"""How renaming fails if another writer puts a folder in the same place at the same moment."""
SEAL = "checksum"
"""Last key of a JSON file that holds the checksum of what is before it."""


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


def checked_path(path: object) -> Path:
    """The path, with the home folder in place of ``~``, if the file system can have such a name.

    Raises:
        ModelFileError: for an empty text, the home of no user, a NUL character, a part of more than 255 bytes, or a current
            folder that was removed.
    """
    path = plain_path(path)
    if not isinstance(path, (str, Path)):
        raise ModelFileError(f"A file or folder is named by a text or a Path, not by {type(path).__name__}.")
    if path == "":
        raise ModelFileError("The name of the file or folder is empty.")
    home = str(path).partition("/")[0]
    path = Path(os.path.expanduser(path))
    if home.startswith("~") and path.parts[0] == home and not os.path.exists(home):  # no user of that name
        raise ModelFileError(
            f"{home} is the home folder of no user; to name a file or folder like that, give its whole path."
        )
    try:
        os.stat(os.path.join(path, "."))  # whether what is in it can be seen
    except PermissionError as error:
        raise ModelFileError(f"{path} cannot be opened: {error.strerror}.") from error
    except (OSError, ValueError):
        pass  # there is no such folder, or there cannot be one, which is said below
    try:
        path = path if path.name not in ("", "..") else path.resolve()
    except OSError as error:
        raise ModelFileError(f"The current folder cannot be read: {error.strerror}; name another one.") from error
    if not path.name:
        raise ModelFileError(f"{path} cannot hold a model or a table; name a folder or a file in it.")
    for part in path.parts:
        try:
            size = len(os.fsencode(part))
        except UnicodeError:
            raise ModelFileError(
                f"{part[:40]!r} cannot be the name of a file or folder; use other characters."
            ) from None
        if "\0" in part:
            raise ModelFileError(f"A name of a file or folder cannot contain the NUL character (got {part[:40]!r}).")
        if size > MAX_NAME:
            raise ModelFileError(
                f"A name of a file or folder can have at most {MAX_NAME} bytes, but '{part[:20]}...' has {size:,}."
            )
    return path


def link_target(path: Path) -> Path:
    """The file or folder that a symbolic link leads to, so that the link stays when that is replaced; else the path.

    Raises:
        ModelFileError: for links that lead to one another.
    """
    try:
        return path.resolve() if path.is_symlink() else path
    except PermissionError as error:
        raise ModelFileError(f"{path} cannot be opened: {error.strerror}.") from error
    except (OSError, RuntimeError) as error:
        raise ModelFileError(f"{path} is a symbolic link that leads back to itself; choose another name.") from error


def write(path: Path, content: bytes) -> None:
    """Write a file and wait until it is on the disk; raises ``OSError`` and leaves no file behind if it does not fit."""
    with named_disk_errors(path, len(content)):
        path.write_bytes(content)
        sync(path)


@contextmanager
def named_disk_errors(path: Path, size: int) -> Generator[None]:
    """Remove a new file if the disk is full while it is written, and put the bytes needed and free into the error."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        path.unlink(missing_ok=True)
        free = shutil.disk_usage(path.parent).free
        reason = f"{os.strerror(error.errno)}: {path.name} needs {size:,} bytes, {free:,} are free"
        raise OSError(error.errno, reason, str(path)) from error


_OTHER_KINDS = (
    ".csv .doc .docx .gif .gz .ipynb .jpeg .jpg .jsonl .md .odt .onnx .parquet .pdf .png .ps "
    ".py .rtf .safetensors .svg .tex .tsv .txt .xls .xlsx .zip"
)
"""Endings of files that a page would not be read as, and that it must not replace."""


def write_page(path: str | Path, text: str, name: str) -> Path:
    """Write a page that a user saves; an older file stays as it is until the new one is complete.

    Args:
        path: where to write; missing folders are made.
        text: the page.
        name: what the page is, for errors: ``The explanation``.

    Raises:
        ModelFileError: if it cannot be written, or its name is that of a file of another kind, such as ``.pdf`` or ``.tsv``.
    """
    path = checked_path(path)
    if path.suffix.lower() in _OTHER_KINDS.split():
        raise ModelFileError(f"{name} is no {path.suffix} file; give its name another ending, as .html.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")  # a device or a pipe cannot be replaced
        else:
            replace(path, text.encode("utf-8", "surrogatepass"))
    except OSError as error:
        raise ModelFileError(f"{name} could not be saved to {path}: {error.strerror or error}.") from error
    return path


def hidden_name(path: Path) -> Path:
    """A new hidden name beside ``path``."""
    return path.with_name(f".{path.name[:200]}.{os.urandom(4).hex()}")


def replace(path: Path, content: bytes) -> None:
    """Replace a file atomically: a reader sees the old content or the new. A symbolic link stays one."""
    path = link_target(path)
    work = hidden_name(path)
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
    work = hidden_name(folder)
    try:
        work.mkdir()
        yield work
        sync(work)
        work.rename(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def check_replaceable(folder: Path, manifest: str, what: str) -> None:
    """Raise ``ModelFileError`` if a folder holds something other than ``what``, or cannot be written."""
    try:
        if folder.exists() and not (folder / manifest).is_file() and (not folder.is_dir() or any(folder.iterdir())):
            raise ModelFileError(f"{folder} holds something that is not {what}; choose another folder.")
        parent = next(parent for parent in folder.absolute().parents if parent.exists())
        if not os.access(f"{parent}/", os.W_OK | os.X_OK):
            raise ModelFileError(f"{folder} cannot be written: {parent} is not a folder that you may write to.")
    except OSError as error:
        raise ModelFileError(f"{folder} cannot be written: {error.strerror or error}.") from error


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
    folder = link_target(folder)
    recover(folder, manifest)
    check_replaceable(folder, manifest, what)
    work = hidden_name(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work.mkdir()
        yield work
        sync(work)
        for attempt in range(20):
            try:
                swap(work, folder)
                break
            except OSError as error:
                if attempt == 19 or error.errno not in _RACES:
                    raise
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
        old = Path(f"{hidden_name(folder)}.old")
        folder.rename(old)
        try:
            work.rename(folder)
        except BaseException:  # an interrupt too
            if not folder.exists():
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
    name = re.compile(rf"\.{re.escape(folder.name[:200])}\.[0-9a-f]{{8}}\.old")
    return [path for path in folder.parent.iterdir() if name.fullmatch(path.name)]


def _remove_old(folder: Path) -> None:
    for path in _put_aside(folder):
        shutil.rmtree(path, ignore_errors=True)


def recover(folder: Path, manifest: str) -> None:
    """Restore the older folder if ``swap`` was killed before the new one took its place."""
    folder = link_target(folder)
    aside = [] if folder.exists() else _put_aside(folder)
    if len(aside) == 1 and (aside[0] / manifest).is_file():
        with suppress(OSError):
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


JsonObject = dict[str, Any]
"""An object of a JSON file; whoever reads a value checks its type."""


def read_json(path: Path) -> JsonObject:
    """Read a JSON object; raises ``ModelFileError`` if the file holds none."""
    return read_json_bytes(path)[0]


def read_json_bytes(path: Path) -> tuple[JsonObject, bytes]:
    """Read a JSON object; returns it with the content of the file, which ``check_seal`` takes."""
    try:
        raw = path.read_bytes()
        content = json.loads(raw)
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise ModelFileError(f"{path} is damaged: it should hold an object.")
    return cast("JsonObject", content), raw


def as_json(content: object) -> bytes:
    """Strict JSON, readable by people."""
    return json_text(content, indent=2, allow_nan=False).encode()


def as_sealed_json(content: Mapping[str, object]) -> bytes:
    """Strict JSON with a last entry that holds the checksum of everything before it."""
    return sealed(as_json(content))


def sealed(content: bytes) -> bytes:
    """A JSON object with a last entry that holds the checksum of everything before it."""
    body = content.removesuffix(b"}").removesuffix(b"\n")
    return body + _seal(body)


def _seal(body: bytes) -> bytes:
    return f',\n  "{SEAL}": "{hashlib.sha256(body).hexdigest()}"\n}}'.encode()


def read_sealed_json(path: Path, newest: int | None = None) -> JsonObject:
    """Read a JSON object and check its seal; files of earlier versions have none.

    Args:
        path: the file.
        newest: the last format that can be read, if the object names its format.

    Raises:
        ModelFileError: if the file cannot be read, is of a later format, or was changed.
    """
    content, raw = read_json_bytes(path)
    if newest is not None:
        check_format(content, path, newest)
    check_seal(path, content, raw)
    return content


def check_seal(path: Path, content: Mapping[str, object], raw: bytes) -> None:
    """Raise ``ModelFileError`` if a JSON object that was read from a file is not what ``as_sealed_json`` wrote."""
    key: str = next(reversed(list(content)), "")
    value: object = content.get(key)
    if key != SEAL and not (isinstance(value, str) and len(value) == 64):  # a damaged key leaves its checksum
        return
    body = raw[: raw.rfind(b',\n  "')]
    if raw != body + _seal(body):
        raise ModelFileError(f"{path} was changed or damaged since it was saved (its checksum differs).")


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
