"""``TextGenerator``: the object a user works with: train, save, load; its bases have the rest."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Unpack
from weakref import WeakSet

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.core.files import JsonObject, checked_path
from nbtextgen.core.names import plain_path
from nbtextgen.core.options import signature_of, whole_number
from nbtextgen.data.corpus import Corpus
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.readers.columns import ColumnName
from nbtextgen.data.seen import SeenSources
from nbtextgen.generator.configurable import Configurable, checks_keywords
from nbtextgen.generator.explained_model import ExplainedModel
from nbtextgen.pipeline import model_folder
from nbtextgen.pipeline.calibration import calibrate_after_training
from nbtextgen.pipeline.dataset import prepare_data, to_pairs
from nbtextgen.pipeline.description import description, description_html
from nbtextgen.pipeline.fit import LocalTraining
from nbtextgen.pipeline.model_data import score_metric
from nbtextgen.pipeline.session import Callback, TrainingSession, run_session
from nbtextgen.pipeline.settings import fit_options
from nbtextgen.pipeline.training_rows import MAX_PAIRS, trained_pairs
from nbtextgen.pipeline.warm_start import OldPairs, WarmStart
from nbtextgen.run.config import LaunchConfig
from nbtextgen.run.folder import Run
from nbtextgen.run.launch import open_session
from nbtextgen.training.device import choose_device
from nbtextgen.training.events import Event

if TYPE_CHECKING:
    from nbtextgen.core.option_types import GeneratorOptions
    from nbtextgen.pipeline.training_data import TrainingData
    from nbtextgen.training.controls import Controls

_in_training: dict[int, threading.Lock] = {}
"""By the identity of a generator, what is held while it is trained."""
KEPT_SOURCES = 200
"""Training sources remembered, in memory only, for explanations that sample replacements of missing text."""


class TextGenerator(Configurable, ExplainedModel):
    """Learns to turn one column of text into another.

    Every field of ``DataConfig``, ``TokenizerConfig``, ``ModelConfig`` and ``TrainingConfig`` is a keyword; ``fit`` chooses
    the ones left open from the data. Works with scikit-learn's ``clone`` and ``GridSearchCV``.

    Attributes:
        held_out: validation pairs of the last ``fit``, where they are in memory.
        history: events of the last training.
        run: the run folder of the last training, if there is one.

    Example:
        >>> model = TextGenerator(hidden_size=8, max_steps=2).fit(pairs, callbacks=[])
        >>> TextGenerator.load(model.save("small")).predict(["abc"]) == model.predict(["abc"])
        True
    """

    def __init__(self, **options: Unpack[GeneratorOptions]) -> None:
        """Take settings; nothing is computed yet.

        Raises:
            OptionError: for an unknown keyword (with the nearest known one) or a value out of range.
        """
        Configurable.__init__(self, **options)
        ExplainedModel.__init__(self)
        self.held_out: Pairs | None = None
        self.history: list[Event] = []
        self.run: Run | None = None

    # Training -----------------------------------------------------------------------------------------------------

    @checks_keywords
    def fit(
        self,
        data: object,
        targets: object = None,
        *,
        valid: object = None,
        source: ColumnName | None = None,
        target: ColumnName | None = None,
        encoding: str | None = None,
        callbacks: Iterable[Callback] | None = None,
        controls: Controls | None = None,
        run: str | Path | bool | None = None,
        processes: int = 1,
        launch: LaunchConfig | None = None,
        start: TextGenerator | str | Path | None = None,
        replay: float | None = None,
        replay_data: object = None,
    ) -> TextGenerator:
        """Train on pairs; afterwards the generator holds the best model found.

        An interrupt (Ctrl-C, the notebook's stop button) ends training and keeps the best model so far.

        Args:
            data: anything ``Pairs.of`` reads (pairs, a frame, a file name, ``builtin:dates``), or source texts if
                ``targets`` is given, or a ``Corpus`` to learn to continue.
            targets: target texts, one per source.
            valid: validation pairs, likewise; by default a share of the data (``valid_fraction``), split by source.
            source, target, encoding: columns by name or number, and the encoding of files; see ``Pairs.of``.
            callbacks: called with every event; by default a progress line is printed. ``[]`` is silent.
            controls: stop, pause and live settings from another thread.
            run: keep the training in a folder from which it can be resumed: a path, a bare name (``french`` makes
                ``runs/french-TIME``), or ``True`` (``runs/run-TIME``). By default nothing is written.
            processes: processes on this machine that train together, from a run folder.
            launch: more about them: several machines, or a run that outlives this kernel (then ``fit`` returns at once).
            start: a trained model, or its folder, to go on from: with its weights and settings, and a larger vocabulary
                where the new pairs need one.
            replay: with ``start``, share of old pairs in every epoch (0 to 1, default 0.5), so that less is forgotten.
            replay_data: those old pairs, as ``data``; by default the ones that the model was trained on, if they are still in
                memory or in its run folder.

        Raises:
            DataError: if the data cannot be read or holds too little to learn from.
            OptionError: if settings contradict one another.
            ModelFileError: if the run's folder exists already or cannot be written.
            LaunchError: if processes that train together end without a result.
        """
        with self._alone():
            if start is not None:
                warm_start = _as_model(start)._warm_start(replay, replay_data)
                data = warm_start.prepare(self._options, data, targets, valid, source, target, encoding)
            elif replay is not None or replay_data is not None:
                raise OptionError(
                    "--replay and --replay-data belong to --start, the model that training goes on from; give that too."
                )
            else:
                data = prepare_data(self._options, data, targets, valid, source, target, encoding)
            launch = LaunchConfig.of(processes, launch)
            place = True if run is None or run is False else run
            if place is run or launch is not None:
                self._train_run(Run.create(place, data, self._options), controls, callbacks, launch, data.notes)
            else:
                session = LocalTraining(data.plan, data.training_data, controls, notes=data.notes, spent=data.seconds)
                self._train(session, callbacks)
            self._calibrate(data.training_data, data.valid)
            self.background = tuple(data.train.sources[:: max(1, len(data.train) // KEPT_SOURCES)])
            self.held_out, self.training_pairs = data.valid, trained_pairs(data, MAX_PAIRS)
            self.seen = None if data.plan.data.store else SeenSources(data.train.sources)  # a store has no texts
        return self

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Refuse a second training of this object while the block runs, which would mix the results of both."""
        if not _in_training.setdefault(id(self), threading.Lock()).acquire(blocking=False):
            raise OptionError(
                "This TextGenerator is being trained already; wait for the end of that training, or train another TextGenerator."
            )
        try:
            yield
        finally:
            _in_training.pop(id(self)).release()

    def _warm_start(self, replay: float | None, replay_data: object) -> WarmStart:
        """This model as one to go on from, with the pairs that it was trained on as far as they are at hand."""
        pairs = None if self.training_pairs is None or self.plan.data.context is not None else self.training_pairs()
        encoded = self.run.training_data() if self.run is not None and pairs is None else None
        old = OldPairs(pairs, self.held_out, encoded)
        return WarmStart.of(self.predictor, self.plan, old, replay, replay_data)

    @checks_keywords
    def fit_text(
        self,
        text: object,
        *,
        encoding: str | None = None,
        callbacks: Iterable[Callback] | None = None,
        controls: Controls | None = None,
        run: str | Path | bool | None = None,
        processes: int = 1,
        launch: LaunchConfig | None = None,
        start: TextGenerator | str | Path | None = None,
    ) -> TextGenerator:
        """Learn to continue a text: every position in it is an example, and pairs are not needed.

        Args:
            text: a file name (or a pattern, or a list of them), or the text itself.
            encoding: of the files; by default Unicode.
            callbacks, controls, run, processes, launch, start: as in ``fit``; nothing is replayed.

        Raises:
            DataError: if the text cannot be read or is too short.

        Example:
            >>> poet = TextGenerator(context=20, hidden_size=8, max_steps=2).fit_text("Once upon a time. " * 40, callbacks=[])
            >>> poet.continue_text("Once", 30, sample=True, seed=1).startswith("Once")
            True
        """
        data = Corpus.of(text, encoding)
        return self.fit(
            data, callbacks=callbacks, controls=controls, run=run, processes=processes, launch=launch, start=start
        )

    @classmethod
    @checks_keywords
    def resume(
        cls,
        run: str | Path,
        *,
        callbacks: Iterable[Callback] | None = None,
        controls: Controls | None = None,
        processes: int = 1,
        launch: LaunchConfig | None = None,
    ) -> TextGenerator:
        """Continue a run that was stopped, interrupted or killed; a finished run returns its best model at once.

        On the same device, with as many threads and the same torch, the weights are the same to the bit as those of a run
        that never stopped.

        Args:
            run: its folder.
            callbacks, controls, processes, launch: as in ``fit``.

        Raises:
            ModelFileError: if there is no run, it is damaged, or another process is training it.
        """
        opened = Run.open(run)
        model = cls(**opened.options)
        model.training_pairs = opened.kept_rows
        model._train_run(opened, controls, callbacks, LaunchConfig.of(processes, launch))
        model._calibrate(opened.training_data(), None)
        return model

    def _train_run(
        self,
        run: Run,
        controls: Controls | None,
        callbacks: Iterable[Callback] | None,
        launch: LaunchConfig | None,
        notes: Sequence[str] = (),
    ) -> None:
        """Train a run in this process, or in processes of its own."""
        self.run = run
        session = open_session(run, controls, launch, notes)
        if launch is not None and launch.detach:
            self._session = session  # generates with the best model in the folder
        else:
            self._train(session, callbacks)

    def _train(self, session: TrainingSession, callbacks: Iterable[Callback] | None) -> None:
        """Run a training and take over its model; meanwhile other threads can use its best model so far."""
        self._session = session
        try:
            self._predictor, self.history = run_session(session, callbacks)
            self._plan = session.plan
        finally:
            self._session = None

    def _calibrate(self, data: TrainingData, valid: Pairs | None) -> None:
        """Choose the length penalty of a model that was just trained and calibrate its confidence; a run keeps both in its folder."""
        if self._predictor is None or self._plan is None:  # other processes train it
            return
        if self.run is not None and self.run.restore_calibration(self._predictor):
            return
        calibrate_after_training(self._predictor, self._plan, data, valid, self.history)
        if self.run is not None:
            self.run.keep_calibration(self._predictor)

    # Scores -------------------------------------------------------------------------------------------------------

    def score(
        self,
        sources: object,
        targets: object = None,
        *,
        source: ColumnName | None = None,
        target: ColumnName | None = None,
        encoding: str | None = None,
    ) -> float:
        """A score between 0 and 1, higher is better: exact match for short outputs, else chrF / 100.

        Args:
            sources, targets, source, target, encoding: as in ``fit``.
        """
        pairs = to_pairs(sources, targets, source, target, encoding)
        metric = score_metric(self.plan, self._options["select_by"])
        return self.evaluate(pairs, metrics=[metric])[metric].value / 100

    # Files --------------------------------------------------------------------------------------------------------

    @checks_keywords
    def save(self, folder: str | Path, *, keep_sources: int = 0, keep_rows: bool = False) -> Path:
        """Write the model to a folder (safetensors weights, JSON settings and tokenizers, a model card; no pickle).

        The folder appears complete or not at all; an older model there is replaced only when the new one is complete.

        Args:
            folder: where to write.
            keep_sources: training sources to keep as plain text in the folder, for explanations with ``missing="sample"``;
                at most 200. By default none, so that the folder contains nothing of the data.
            keep_rows: whether to keep all training pairs as plain text in the folder, for ``training_rows``.

        Raises:
            ModelFileError: if the folder holds something that is not a saved model, or cannot be written.
            NotTrainedError: before ``fit``.
        """
        if whole_number("--keep-sources", keep_sources) and not self.background:
            raise DataError("There are no training sources to keep: this model was loaded from a folder without them.")
        rows = self.training_pairs() if keep_rows and self.training_pairs is not None else None
        if keep_rows and rows is None:
            raise DataError(
                "There are no training rows to keep: this model was loaded without them, or they are too many."
            )
        sources = self.background[:: max(1, len(self.background) // max(1, keep_sources))][:keep_sources]
        model = self.predictor, self.plan, self._options
        return model_folder.save(checked_path(folder), *model, sources, rows, self.history)

    @classmethod
    @checks_keywords
    def load(cls, folder: str | Path, *, device: str = "auto") -> TextGenerator:
        """Read a saved model, or the best model so far of a run.

        Args:
            folder: where it was saved, on whatever device it was trained.
            device: where it will compute: ``cpu``, ``cuda``, ``mps``, or ``auto`` as in training.

        Raises:
            ModelFileError: names what is missing, damaged or of a later format.
            OptionError: for a device that this machine does not have.
        """
        torch_device, folder = choose_device(device), checked_path(folder)
        if Run.is_run(folder):
            run = Run.open(folder)
            model = cls(**run.options)
            predictor, model._plan, model.run = run.load_best(), run.plan, run
            model.training_pairs = run.kept_rows
        else:
            predictor, plan, options = model_folder.load(folder)
            model = cls(**options)
            model._plan, model.background = plan, model_folder.kept_sources(folder)
            model.training_pairs = model_folder.kept_rows(folder)
        model._predictor = predictor.to(torch_device)
        return model

    def __getstate__(self) -> dict[str, object]:
        """For pickle and joblib: settings and model; a training under way, outputs in use and training pairs are left out."""
        return {**vars(self), "_session": None, "generated": (), "training_pairs": None, "_indexed": None}

    def __setstate__(self, state: JsonObject) -> None:
        vars(self).update(state, generated=WeakSet())

    def __repr__(self) -> str:
        available = fit_options()
        options = [f"{name}={value!r}" for name, value in self._options.items() if value != available[name].default]
        return f"TextGenerator({', '.join(options)})  # {'; '.join(self._description()) or 'not trained yet'}"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        code = repr(self).partition("  # ")[0]
        return {"text/plain": repr(self), "text/html": description_html(code, self._description())}

    def _description(self) -> list[str]:
        created = self.run.created if self.run is not None else ""
        return [] if self._predictor is None else description(self.plan, self.predictor.networks, self.history, created)


def _as_model(start: object) -> TextGenerator:
    """The model to go on from: a generator, or the folder of one."""
    if isinstance(start, TextGenerator):
        return start
    if isinstance(start := plain_path(start), str | Path):
        return TextGenerator.load(start)
    raise OptionError(f"--start must be a TextGenerator or the folder of a saved one (got {type(start).__name__}).")


# Help and Tab show every option of the configuration dataclasses.
TextGenerator.__init__.__signature__ = signature_of(fit_options())  # type: ignore[attr-defined]
