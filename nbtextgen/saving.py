"""Saved models: a folder of safetensors weights and JSON, no pickle, that appears complete or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from nbtextgen.data.tokenizer import Tokenizer
from nbtextgen.defaults import Plan
from nbtextgen.errors import ModelFileError, NbTextGenError
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.options import build
from nbtextgen.writing import LengthLimit, Writer

FORMAT = 1
"""Version of the folder's layout; raised when an older nbtextgen could not read it."""
MANIFEST = "nbtextgen.json"


def save(folder: Path, writer: Writer, plan: Plan, options: Mapping[str, Any]) -> Path:
    """Write a model; see ``TextGenerator.save``."""
    if folder.exists() and not (folder / MANIFEST).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelFileError(f"{folder} holds something that is not a saved model; choose another folder to save to.")
    work = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work.mkdir()
        _write_parts(work, writer, plan, options)
        _swap(work, folder)
    except OSError as error:
        raise ModelFileError(f"The model could not be saved to {folder}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def _write_parts(work: Path, writer: Writer, plan: Plan, options: Mapping[str, Any]) -> None:
    """All files of a model, the manifest with their checksums last."""
    _write(work / "source_tokenizer.json", json.dumps(writer.source.to_dict(), ensure_ascii=False).encode())
    if writer.target is not writer.source:
        _write(work / "target_tokenizer.json", json.dumps(writer.target.to_dict(), ensure_ascii=False).encode())
    for number, network in enumerate(writer.networks, 1):
        # named_parameters names a tied weight once; loading ties it again.
        tensors = {name: value.detach().cpu().contiguous() for name, value in network.named_parameters()}
        path = work / f"weights-{number}.safetensors"
        save_file(tensors, path)
        path.chmod(0o644)
        _sync(path)
    manifest = {
        "format": FORMAT,
        "networks": len(writer.networks),
        "limit": {"offset": writer.limit.offset, "slope": writer.limit.slope},
        "options": {name: value for name, value in options.items() if value is not None},
        "settings": plan.as_dict(),
        "files": {path.name: _checksum(path) for path in sorted(work.iterdir())},
    }
    _write(work / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False).encode())
    _sync(work)


def _swap(work: Path, folder: Path) -> None:
    """Put the finished folder in its place, an older model there stepping aside first."""
    if not folder.exists():
        work.rename(folder)
    else:
        old = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}.old"
        folder.rename(old)
        try:
            work.rename(folder)
        except OSError:
            old.rename(folder)
            raise
        shutil.rmtree(old, ignore_errors=True)
    _sync(folder.parent)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load(folder: Path) -> tuple[Writer, Plan, dict[str, Any]]:
    """Read a model; see ``TextGenerator.load``. Nothing in the folder is executed."""
    if not folder.is_dir():
        raise ModelFileError(f"There is no saved model at {folder}; give the folder that was saved to.")
    manifest = _read_manifest(folder)
    try:
        _verify(folder, manifest)
        source = Tokenizer.from_dict(_json(folder / "source_tokenizer.json"))
        second = folder / "target_tokenizer.json"
        target = Tokenizer.from_dict(_json(second)) if second.name in manifest["files"] else source
        plan = Plan.from_dict(manifest["settings"])
        limit = LengthLimit(int(manifest["limit"]["offset"]), float(manifest["limit"]["slope"]))
        networks = [
            _network(folder / f"weights-{number}.safetensors", plan.model, source.size, target.size)
            for number in range(1, int(manifest["networks"]) + 1)
        ]
        return Writer(source, target, networks, limit), plan, dict(manifest["options"])
    except NbTextGenError as error:
        raise ModelFileError(f"{folder} is not a usable saved model: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise ModelFileError(f"{folder / MANIFEST} is damaged ({type(error).__name__}: {error}).") from error


def _read_manifest(folder: Path) -> dict[str, Any]:
    if not (folder / MANIFEST).is_file():
        raise ModelFileError(f"{folder} is not a saved model: it has no {MANIFEST}.")
    manifest = _json(folder / MANIFEST)
    version = manifest.get("format")
    if not isinstance(version, int) or version < 1:
        raise ModelFileError(f"{folder / MANIFEST} is damaged: its format is {version!r}.")
    if version > FORMAT:
        raise ModelFileError(
            f"{folder} was saved by a later version (format {version}, this one reads up to {FORMAT}); "
            "update nbtextgen to load it."
        )
    return manifest


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise ModelFileError(f"{path} is damaged: it should hold an object.")
    return content


def _verify(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Every file named in the manifest is there, inside the folder, and unchanged."""
    for name, expected in manifest["files"].items():
        path = folder / name
        if Path(name).name != name or path.is_symlink():
            raise ModelFileError(f"{folder / MANIFEST} names a file outside the folder: {name!r}.")
        if not path.is_file():
            raise ModelFileError(f"{path} is missing.")
        if _checksum(path) != expected:
            raise ModelFileError(f"{path} was changed or damaged since it was saved (its checksum differs).")


def _network(path: Path, config: ModelConfig, source_size: int, target_size: int) -> Seq2Seq:
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelFileError(f"{path} cannot be read: {error}.") from error
    network = Seq2Seq(build(ModelConfig, vars(config)), source_size, target_size)
    wanted = dict(network.named_parameters())
    if set(tensors) != set(wanted):
        odd = sorted(set(tensors) ^ set(wanted))[0]
        raise ModelFileError(f"{path} does not fit its settings: weight {odd!r} is missing or unexpected.")
    for name, parameter in wanted.items():
        if tensors[name].shape != parameter.shape:
            shapes = f"{tuple(tensors[name].shape)} instead of {tuple(parameter.shape)}"
            raise ModelFileError(f"{path} does not fit its settings: weight {name!r} has shape {shapes}.")
        parameter.data.copy_(tensors[name])
    return network.eval()
