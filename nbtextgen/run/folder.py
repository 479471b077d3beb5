"""``Run``: a training in a folder, which can be reopened, watched, resumed, compared and deleted."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import platform
import re
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from nbtextgen.confidence.confidence import Confidence
from nbtextgen.core.errors import ModelFileError, NbTextGenError, OptionError
from nbtextgen.core.files import (
    JsonObject,
    as_sealed_json,
    checked_path,
    checksum,
    checksums,
    committed,
    link_target,
    read_json,
    read_sealed_json,
    replace,
    sync,
    verify,
    write,
)
from nbtextgen.core.options import Settings
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.token_store import open_examples, save_examples
from nbtextgen.inference.predictor import Predictor
from nbtextgen.inference.text_codec import OutputLength
from nbtextgen.pipeline import model_folder
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.pipeline.training_data import PreparedData, StartingPoint, TrainingData
from nbtextgen.pipeline.training_rows import KEPT_ROWS, read_rows, trained_pairs, write_rows
from nbtextgen.run.lock import Lock
from nbtextgen.run.log import read_events, without_repeated
from nbtextgen.run.requests import RemoteControls
from nbtextgen.training.checkpoints import CheckpointSeries, LoadedCheckpoint, read_state
from nbtextgen.training.controls import Controls
from nbtextgen.training.events import Event
from nbtextgen.training.state import TrainerState
from nbtextgen.training.tensor_files import read_tensors, write_tensors

FORMAT = 1
"""Version of the folder's layout; raised when an older nbtextgen could not read it."""
MANIFEST = "run.json"
CONFIDENCE = "confidence.json"
"""Calibrations of the finished model's confidence."""
START = "start.json"
"""The file about the model that the run goes on from, beside the weights of its networks."""


class Run:
    """A folder that holds all of one training.

    ::

        run.json          settings, fingerprint of the pairs, versions
        material/         tokenizers, and the encoded pairs as memory-mapped arrays
        events.jsonl      the event log
        checkpoints/      two newest states of the training
        best/             two newest best models, each a saved model
        lock, agent       held by the process that trains it, and by torchrun
        requests.json     live settings that other processes request

    Every file that a resumed run reads is under a checksum. ``lock`` and ``agent`` are only locked, never read but for the holder's
    name in an error, and ``workers.log`` is text for people.

    Attributes:
        folder: its folder.
        name: its name.
        plan, options: all settings, and those given by the user.
        fingerprint: SHA-256 of the pairs that it is trained on.
        identity: checksum of ``run.json``, by which its checkpoints and models are told from those of other runs.

    Example:
        >>> small = TextGenerator(hidden_size=8, max_steps=2).fit(pairs, run="runs/second", callbacks=[])
        >>> Run.open("runs/second").plan.model.hidden_size
        8
    """

    def __init__(self, folder: Path, manifest: JsonObject) -> None:
        self.folder, self._manifest = folder, manifest
        self.identity = checksum(folder / MANIFEST)
        try:
            self.name, self.created = str(manifest["name"]), str(manifest["created"])
            self.fingerprint = str(manifest["fingerprint"])
            self.plan = Plan.from_dict(manifest["settings"], dict(manifest["choices"]))
            self.options = model_folder.read_options(manifest["options"])
        except NbTextGenError as error:
            raise ModelFileError(f"{folder / MANIFEST} is not usable: {error}") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelFileError(f"{folder / MANIFEST} is damaged ({type(error).__name__}: {error}).") from error
        self.checkpoints = CheckpointSeries(folder / "checkpoints")
        self.best = CheckpointSeries(folder / "best")
        self.lock = Lock(folder / "lock")
        self.agent = Lock(folder / "agent")
        self.log = folder / "events.jsonl"
        self.requests = folder / "requests.json"

    # Creating and opening -----------------------------------------------------------------------------------------

    @classmethod
    def create(cls, run: str | Path | bool, prepared: PreparedData, options: Settings) -> Run:
        """Write a new run, completely or not at all, without training it: ``TextGenerator.resume`` and
        ``python -m nbtextgen train FOLDER`` do.

        Args:
            run: a path; a bare word ``french`` for ``runs/french-TIME``; ``True`` for ``runs/run-TIME``.
            prepared: settings and data.
            options: the settings given by the user.

        Raises:
            ModelFileError: if the folder exists already or cannot be written.
        """
        folder, plan, training_data = link_target(run_folder(run)), prepared.plan, prepared.training_data
        taken = f"{folder} already exists; continue it with TextGenerator.resume, or choose another folder."
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ModelFileError(taken)
        manifest = {
            "format": FORMAT,
            "name": folder.name,
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "versions": _versions(),
            "fingerprint": fingerprint(prepared.train, prepared.valid),
            "settings": plan.as_dict(),
            "choices": dict(plan.choices),
            "options": model_folder.options_to_write(options),
            "limit": asdict(training_data.output_length),
            "left_out": training_data.left_out,
        }
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            if folder.exists():
                folder.rmdir()  # an empty one
            with committed(folder) as work:
                rows = trained_pairs(prepared) if plan.data.keep_rows else None
                _write_training_data(work / "material", training_data, None if rows is None else rows())
                manifest["material"] = checksum(work / "material" / "material.json")
                write(work / MANIFEST, as_sealed_json(manifest))
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST) and folder.exists():  # another process has just made it
                raise ModelFileError(taken) from error
            raise ModelFileError(f"The run could not be made at {folder}: {error.strerror or error}.") from error
        return cls(folder, manifest)

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """The run in a folder; raises ``ModelFileError`` if there is none, or if a later version wrote it."""
        folder = checked_path(folder)
        if not (folder / MANIFEST).is_file():
            raise ModelFileError(f"There is no run at {folder}: it has no {MANIFEST}; runs() lists those there are.")
        return cls(folder, read_sealed_json(folder / MANIFEST, FORMAT))

    @staticmethod
    def is_run(folder: str | Path) -> bool:
        """Whether a folder holds a run."""
        return (checked_path(folder) / MANIFEST).is_file()

    # Watching and steering ----------------------------------------------------------------------------------------

    @property
    def training(self) -> bool:
        """Whether some process is training it now, or about to restart the processes that do."""
        return self.lock.held() or self.agent.held()

    def events(self, follow: bool = False) -> Iterator[Event]:
        """Its events so far, oldest first; with ``follow``, also new ones until no process trains it."""
        return read_events(self.log, lambda: follow and self.training)

    def history(self) -> list[Event]:
        """The events, without updates that were repeated after the run was resumed."""
        return without_repeated(self.events())

    @property
    def controls(self) -> Controls:
        """Stop, pause and live settings, for whichever process trains it."""
        return RemoteControls(self.requests)

    def delete(self) -> None:
        """Remove the folder and all its content; raises ``ModelFileError`` while the run is being trained."""
        if self.training:
            raise ModelFileError(f"{self.folder} is being trained; stop it before deleting it.")
        trash = self.folder.with_name(f".{self.folder.name}.deleted")
        shutil.rmtree(trash, ignore_errors=True)  # of a deletion that was cut short
        try:
            self.folder.rename(trash)  # no list shows it any more, even if removing its files is cut short
            shutil.rmtree(trash)
        except OSError as error:
            raise ModelFileError(f"{self.folder} could not be deleted: {error.strerror or error}.") from error

    # Content ------------------------------------------------------------------------------------------------------

    def training_data(self) -> TrainingData:
        """Tokenizers and encoded pairs; raises ``ModelFileError`` if they are damaged."""
        folder = self.folder / "material"
        files: JsonObject = read_sealed_json(folder / "material.json").get("files", {})
        fingerprint = checksum(folder / "material.json")
        if self._manifest.get("material", fingerprint) != fingerprint:
            raise ModelFileError(
                f"{folder} does not hold the data that this run was created with (its fingerprint differs); put the "
                "original folder back, or train a new run."
            )
        try:
            verify(folder, files, "material.json")
            source, target = model_folder.read_tokenizers(folder, files)
            sizes = {"source_size": source.size, "target_size": target.size}
            train = open_examples(folder, "train", **sizes)
            valid = open_examples(folder, "held", **sizes) if "held-sources-ids.npy" in files else None
            texts = tuple((str(text), str(reference)) for text, reference in read_json(folder / "shown.json")["pairs"])
            limit = OutputLength.from_dict(self._manifest["limit"])
            start = _read_start(folder) if START in files else None
            return TrainingData(source, target, train, valid, texts, limit, int(self._manifest["left_out"]), start)
        except NbTextGenError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelFileError(f"{folder} is damaged ({type(error).__name__}: {error}).") from error

    def kept_rows(self) -> Pairs | None:
        """The training pairs as texts, if ``keep_rows`` kept them; raises ``ModelFileError`` if they are damaged."""
        folder = self.folder / "material"
        files: JsonObject = read_sealed_json(folder / "material.json").get("files", {})
        if KEPT_ROWS not in files:
            return None
        verify(folder, {KEPT_ROWS: files[KEPT_ROWS]}, "material.json")
        return read_rows(folder)

    def checkpoint(self) -> LoadedCheckpoint[TrainerState] | None:
        """The newest state that can be read, or ``None`` before the first."""
        return self.checkpoints.newest(self.read_checkpoint)

    def read_checkpoint(self, folder: Path) -> TrainerState:
        """The state in a folder; raises ``ModelFileError`` if it is damaged or belongs to another run."""
        state = read_state(folder)
        self._check_owner(folder, state.values)
        return state

    def _check_owner(self, folder: Path, manifest: Settings) -> None:
        if manifest.get("run", self.identity) != self.identity:
            raise ModelFileError(f"{folder} belongs to another run, not to {self.name} (its fingerprint differs).")

    def best_model(self) -> LoadedCheckpoint[Predictor]:
        """The best model so far; raises ``ModelFileError`` before the first validation."""

        def read(folder: Path) -> Predictor:
            predictor = model_folder.load(folder)[0]
            self._check_owner(folder, read_json(folder / model_folder.MANIFEST))
            return predictor

        best = self.best.newest(read)
        if best is None:
            raise ModelFileError(f"{self.folder} has no model yet; the first one is there after its first validation.")
        return best

    def load_best(self) -> Predictor:
        """The best model so far; warns if a newer one is damaged, and raises ``ModelFileError`` if there is none."""
        best = self.best_model()
        for reason in best.skipped:
            warnings.warn(f"{reason} The model before it is used.", stacklevel=3)
        self.restore_calibration(best.content)
        return best.content

    def keep_calibration(self, predictor: Predictor) -> None:
        """Keep what held-out pairs say of a model (its calibrations and its length penalty) in the folder, if it can be written."""
        if predictor.confidence is None:
            return
        content = {
            "model": predictor.fingerprint,
            "confidence": predictor.confidence.as_dict(),
            "limit": asdict(predictor.output_length),
        }
        with suppress(OSError, ModelFileError):
            replace(self.folder / CONFIDENCE, as_sealed_json(content))

    def restore_calibration(self, predictor: Predictor) -> bool:
        """Give a model what ``keep_calibration`` kept; ``False`` if there is nothing for this model, or it is damaged."""
        try:
            if not (self.folder / CONFIDENCE).is_file():
                return False
            content = read_sealed_json(self.folder / CONFIDENCE)
            if content["model"] != predictor.fingerprint:
                return False
            confidence = Confidence.from_dict(content["confidence"])
            if "limit" in content:
                predictor.output_length = OutputLength.from_dict(content["limit"])
            predictor.confidence = confidence
            return True
        except (ModelFileError, OSError, KeyError, TypeError):
            return False  # the model is whole without them

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"


def run_folder(run: str | Path | bool) -> Path:
    """The folder of a new run: a path, ``runs/french-TIME`` for a bare word ``french``, ``runs/run-TIME`` for ``True``."""
    if isinstance(run, str) and not run.strip():
        raise OptionError("--run is empty; give a name or a folder, or leave it out.")
    if run is not True and (not isinstance(run, str) or re.search(r"[/\\]|^\.+$", run)):
        return checked_path(run)
    name = f"{'run' if run is True else run}-{time.strftime('%Y%m%d-%H%M%S')}"
    # A name is taken if two runs begin within a second, or if the clock was set back.
    names = itertools.chain([name], (f"{name}~{number}" for number in itertools.count(2)))
    return next(folder for folder in map(Path("runs").joinpath, names) if not checked_path(folder).exists())


def fingerprint(train: Pairs, valid: Pairs | None) -> str:
    """SHA-256 of the texts, equal for two runs on the same pairs."""
    digest = hashlib.sha256()
    for pairs in (train, valid):
        for texts in (pairs.sources, pairs.targets) if pairs is not None else ():
            for text in texts:
                raw = text.encode("utf-8", "surrogatepass")
                digest.update(len(raw).to_bytes(8, "little") + raw)
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in ("nbtextgen", "torch"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # run from a source tree
            versions[package] = "unknown"
    return versions


def _write_training_data(folder: Path, data: TrainingData, rows: Pairs | None) -> None:
    folder.mkdir()
    model_folder.write_tokenizers(folder, data.source, data.target)
    save_examples(folder, "train", data.train)
    if data.valid is not None:
        save_examples(folder, "held", data.valid)
    if rows is not None:
        write_rows(folder, rows)
    if data.start is not None:
        _write_start(folder, data.start)
    write(folder / "shown.json", json.dumps({"pairs": data.valid_texts}).encode())
    write(folder / "material.json", as_sealed_json({"files": checksums(folder)}))
    sync(folder)


def _write_start(folder: Path, start: StartingPoint) -> None:
    for number, weights in enumerate(start.weights, 1):
        write_tensors(folder / f"start-{number}.safetensors", weights)
    values = {**vars(start), "weights": len(start.weights)}
    write(folder / START, json.dumps(values).encode())


def _read_start(folder: Path) -> StartingPoint:
    values = read_json(folder / START)
    return StartingPoint(
        weights=tuple(
            read_tensors(folder / f"start-{number}.safetensors") for number in range(1, values["weights"] + 1)
        ),
        fingerprint=str(values["fingerprint"]),
        new_pairs=int(values["new_pairs"]),
        replayed=int(values["replayed"]),
        old_valid=tuple((str(text), str(reference)) for text, reference in values["old_valid"]),
        metric=str(values["metric"]),
        before=float(values["before"]),
    )
