"""Saved models: a folder of safetensors weights and JSON, no pickle, that appears complete or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import cast

import torch

from nbtextgen.confidence.confidence import Confidence
from nbtextgen.core.cancellation import check_cancelled
from nbtextgen.core.errors import MemoryShortError, ModelFileError, NbTextGenError
from nbtextgen.core.escaping import json_text
from nbtextgen.core.files import (
    JsonObject,
    as_json,
    as_sealed_json,
    check_format,
    check_replaceable,
    check_seal,
    checked_path,
    checksums,
    hidden_name,
    link_target,
    read_json,
    read_json_bytes,
    recover,
    replaced,
    sync,
    verify,
    write,
)
from nbtextgen.core.options import Settings
from nbtextgen.data.pairs import Pairs
from nbtextgen.inference.predictor import Predictor
from nbtextgen.inference.text_codec import MAX_SOURCE_TOKENS, OutputLength
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.isolation import forked_generators, isolated
from nbtextgen.model.memory import memory_errors
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.pipeline.model_card import CARD, model_card
from nbtextgen.pipeline.settings import fit_options
from nbtextgen.pipeline.training_rows import KEPT_ROWS, read_rows, write_rows
from nbtextgen.serving.network import CONFIDENCE, SOURCE, TARGET, network_count
from nbtextgen.serving.network import MANIFEST as EXPORTED
from nbtextgen.tokenizers.base import Tokenizer
from nbtextgen.tokenizers.registry import tokenizer_from_dict
from nbtextgen.training.events import Event
from nbtextgen.training.tensor_files import read_tensors, write_tensors

FORMAT = 1
"""Version of the folder's layout; raised when an older nbtextgen could not read it."""
MANIFEST = "nbtextgen.json"
SECOND = "weights-second.safetensors"
KEPT = "training_sources.json"
"""A few training sources, which explanations draw from; only if the user wants them to be kept."""


def save(
    folder: Path,
    predictor: Predictor,
    plan: Plan,
    options: Settings,
    sources: Sequence[str] = (),
    rows: Pairs | None = None,
    history: Sequence[Event] = (),
) -> Path:
    """Write a model and its card, with sources or pairs of its training if any are given; see ``TextGenerator.save``."""
    predictor.check_finite()
    with replaced(folder, MANIFEST, "a saved model") as work:
        if sources:
            write(work / KEPT, as_json({"sources": list(sources)}))
        if rows is not None:
            write_rows(work, rows)
        write_model(work, predictor, plan, options)
        kept = {KEPT: len(sources), KEPT_ROWS: 0 if rows is None else len(rows)}
        card = model_card(plan, predictor, options, history, {name: count for name, count in kept.items() if count})
        write(work / CARD, card.encode())
        check_cancelled()  # a model that was there before stays
    return folder


def write_model(work: Path, predictor: Predictor, plan: Plan, options: Settings, run: str = "") -> None:
    """Write all files of a model into an empty folder, last the manifest with the checksums of the others.

    Args:
        work: the folder.
        predictor, plan, options: the model, all its settings, and those given by the user.
        run: identity of the run that the model belongs to.
    """
    write_tokenizers(work, predictor.source, predictor.target)
    for number, network in enumerate(predictor.networks, 1):
        check_cancelled()
        # named_parameters names a tied weight once; loading ties it again.
        write_tensors(work / f"weights-{number}.safetensors", dict(network.named_parameters()))
    if predictor.second is not None:
        write_tensors(work / SECOND, dict(predictor.second.named_parameters()))
    if predictor.confidence is not None:
        write(work / CONFIDENCE, as_json(predictor.confidence.as_dict()))
    manifest: dict[str, object] = {
        "format": FORMAT,
        "networks": len(predictor.networks),
        "limit": asdict(predictor.output_length),
        "options": options_to_write(options),
        "settings": plan.as_dict(),
        "files": checksums(work),
    }
    if run:
        manifest["run"] = run
    write(work / MANIFEST, as_sealed_json(manifest))
    sync(work)


def write_tokenizers(folder: Path, source: Tokenizer, target: Tokenizer) -> None:
    """Write both tokenizers, or the one for both sides."""
    write(folder / SOURCE, json_text(source.to_dict()).encode())
    if target is not source:
        write(folder / TARGET, json_text(target.to_dict()).encode())


def read_tokenizers(folder: Path, files: Mapping[str, object]) -> tuple[Tokenizer, Tokenizer]:
    """Read both tokenizers; raises ``ModelFileError`` if they are damaged."""
    source = tokenizer_from_dict(read_json(folder / SOURCE))
    return source, tokenizer_from_dict(read_json(folder / TARGET)) if TARGET in files else source


def is_saved_model(folder: str | Path) -> bool:
    """Whether a folder holds a saved model."""
    return (checked_path(folder) / MANIFEST).is_file()


def check_place(folder: str | Path) -> None:
    """Raise ``ModelFileError`` if a model could not be saved to a folder, as far as that can be told beforehand."""
    folder = link_target(checked_path(folder))
    check_replaceable(folder, MANIFEST, "a saved model")
    parent = next(parent for parent in folder.absolute().parents if parent.exists())
    trial = hidden_name(parent / folder.name)
    try:
        trial.mkdir()
        (trial / MANIFEST).touch()
    except OSError as error:
        raise ModelFileError(f"{folder} cannot be written: {error.strerror}.") from error
    finally:
        with suppress(OSError):
            trial.chmod(0o700)
        shutil.rmtree(trial, ignore_errors=True)


@isolated()
@memory_errors("There is not enough memory to load the model; close other notebooks or programs.")
def load(folder: Path) -> tuple[Predictor, Plan, JsonObject]:
    """Read a model; see ``TextGenerator.load``. Nothing in the folder is executed."""
    folder = checked_path(folder)
    recover(folder, MANIFEST)
    if not folder.is_dir():
        raise ModelFileError(f"There is no saved model at {folder}; give the folder that was saved to.")
    manifest, raw = _read_manifest(folder)
    try:
        verify(folder, manifest["files"], MANIFEST)
        source, target = read_tokenizers(folder, manifest["files"])
        plan = Plan.from_dict(manifest["settings"])
        limit = OutputLength.from_dict(manifest["limit"])
        networks = [
            _network(folder / f"weights-{number}.safetensors", plan.model, source.size, target.size)
            for number in range(1, network_count(manifest["networks"]) + 1)
        ]
        second = None
        if SECOND in manifest["files"]:
            second = _network(folder / SECOND, plan.model, source.size, target.size)
        options = read_options(manifest["options"])
        check_seal(folder / MANIFEST, manifest, raw)  # last, since the errors above say more
        longest = max(MAX_SOURCE_TOKENS, plan.training.max_length)
        confidence = Confidence.from_dict(read_json(folder / CONFIDENCE)) if CONFIDENCE in manifest["files"] else None
        predictor = Predictor(source, target, networks, limit, max_source=longest, second=second, confidence=confidence)
        return predictor, plan, options
    except MemoryShortError:
        raise
    except NbTextGenError as error:
        raise ModelFileError(f"{folder} is not a usable saved model: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise ModelFileError(f"{folder / MANIFEST} is damaged ({type(error).__name__}: {error}).") from error


def kept_sources(folder: Path) -> tuple[str, ...]:
    """The training sources in a folder that ``load`` has read; usually there are none."""
    if KEPT not in _read_manifest(folder)[0]["files"]:
        return ()
    sources: list[object] | None = read_json(folder / KEPT).get("sources")
    if not isinstance(sources, list) or not all(isinstance(text, str) for text in sources):
        raise ModelFileError(f"{folder / KEPT} is damaged: it should hold a list of texts.")
    return tuple(cast("list[str]", sources))


def kept_rows(folder: Path) -> Callable[[], Pairs] | None:
    """A function that reads the training pairs in a folder that ``load`` has read; usually there are none."""
    if KEPT_ROWS not in _read_manifest(folder)[0]["files"]:
        return None
    return partial(read_rows, folder)


def options_to_write(options: Settings) -> JsonObject:
    """The settings given by the user for a manifest; scalars of NumPy and paths become what JSON has."""
    known = fit_options()
    return {name: known[name].check(value) for name, value in options.items() if value is not None}


def read_options(values: JsonObject | None) -> JsonObject:
    """The settings given by the user, from a manifest; raises ``ModelFileError`` for unknown ones."""
    options = fit_options()
    if not isinstance(values, dict) or not values.keys() <= options.keys():
        raise ModelFileError("the options are not settings of this version.")
    return {name: options[name].check(value) for name, value in values.items()}


def _read_manifest(folder: Path) -> tuple[JsonObject, bytes]:
    """The manifest of a saved model, and the bytes it was read from; its seal is not checked."""
    if not (folder / MANIFEST).is_file():
        if (folder / EXPORTED).is_file():
            raise ModelFileError(f"{folder} is an exported model; load it with OnnxGenerator.load.")
        raise ModelFileError(f"{folder} is not a saved model: it has no {MANIFEST}.")
    manifest, raw = read_json_bytes(folder / MANIFEST)
    check_format(manifest, folder / MANIFEST, FORMAT)
    return manifest, raw


def _network(path: Path, config: ModelConfig, source_size: int, target_size: int) -> Seq2Seq:
    tensors = read_tensors(path)
    with torch.device("meta"):  # shapes only: a damaged size must not fill the memory
        parameters = dict(Seq2Seq(config, source_size, target_size).named_parameters())
    if tensors.keys() != parameters.keys():
        name = sorted(tensors.keys() ^ parameters.keys())[0]
        raise ModelFileError(f"{path} does not fit its settings: weight {name!r} is missing or unexpected.")
    for name, parameter in parameters.items():
        if tensors[name].shape != parameter.shape:
            shapes = f"{tuple(tensors[name].shape)} instead of {tuple(parameter.shape)}"
            raise ModelFileError(f"{path} does not fit its settings: weight {name!r} has shape {shapes}.")
        if not tensors[name].is_floating_point():
            raise ModelFileError(f"{path} is damaged: weight {name!r} holds {tensors[name].dtype}, not real numbers.")
        if not tensors[name].isfinite().all():
            raise ModelFileError(f"{path} is damaged: weight {name!r} holds NaN or infinity.")
    with forked_generators():
        network = Seq2Seq(config, source_size, target_size)
    for name, parameter in network.named_parameters():
        parameter.data.copy_(tensors[name])
    return network.eval()
