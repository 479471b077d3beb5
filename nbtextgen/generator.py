"""``TextGenerator``: the one object a user holds. Fit, generate, evaluate, save, load."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, overload
from weakref import WeakSet

from nbtextgen.core.errors import DataError, NotTrainedError, OptionError, nearest
from nbtextgen.core.options import build
from nbtextgen.data.pairs import Pairs
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.inference.generation import Generation, Generations
from nbtextgen.inference.text_codec import validate_sources
from nbtextgen.pipeline.dataset import group_references, prepare_data, to_pairs
from nbtextgen.pipeline.plan import Plan, fit_options
from nbtextgen.pipeline.session import Callback, TrainingSession, run_session
from nbtextgen.training.events import Event

if TYPE_CHECKING:
    from nbtextgen.core.option_types import DecodingOptions, ExplanationOptions, GeneratorOptions
    from nbtextgen.evaluation.metrics import Errors, Scores
    from nbtextgen.explanation.explanation import Explanation, Explanations
    from nbtextgen.explanation.sanity import Sanity
    from nbtextgen.explanation.survey import Survey
    from nbtextgen.inference.predictor import Predictor
    from nbtextgen.pipeline.estimate import CostEstimate
    from nbtextgen.run.config import LaunchConfig
    from nbtextgen.run.folder import Run
    from nbtextgen.training.controls import Controls
    from nbtextgen.training.range_test import RangeTest

KEPT_SOURCES = 200
"""Training sources remembered, in memory only, for explanations that sample what replaces missing text."""


class TextGenerator:
    """Learns to turn one column of text into another.

    Every field of ``TokenizerConfig``, ``ModelConfig`` and ``TrainingConfig`` is a keyword; what is left open is
    chosen from the data by ``fit`` and can be read in ``choices``. Works with scikit-learn's ``clone`` and
    ``GridSearchCV``.

    Example:
        >>> from nbtextgen import TextGenerator
        >>> model = TextGenerator(epochs=8).fit("builtin:dates")      # doctest: +SKIP
        >>> model.generate("the 4th of July, 1976").text              # doctest: +SKIP
        '1976-07-04'
    """

    def __init__(self, **options: Unpack[GeneratorOptions]) -> None:
        """Take settings; nothing is computed yet.

        Raises:
            OptionError: for an unknown keyword (with the nearest known one) or a value out of range.
        """
        self._options: dict[str, Any] = {name: known.default for name, known in fit_options().items()}
        self._predictor: Predictor | None = None
        self._plan: Plan | None = None
        self._background: tuple[str, ...] = ()
        self._session: TrainingSession | None = None
        self.held_out: Pairs | None = None
        self.history: list[Event] = []
        self.run: Run | None = None
        self._written: WeakSet[Generation] = WeakSet()
        self.set_params(**options)

    # scikit-learn's interface -------------------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings by name, as given."""
        return dict(self._options)

    def set_params(self, **options: Unpack[GeneratorOptions]) -> TextGenerator:
        """Change settings for the next ``fit``; raises ``OptionError`` as the constructor does."""
        known = fit_options()
        for name, value in options.items():
            if name not in known:
                raise OptionError(f"TextGenerator has no option '{name}'.{nearest(name, known)}")
            known[name].check(value)
        self._options.update(options)
        return self

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags

        tags = Tags(estimator_type=None, target_tags=TargetTags(required=False))
        tags.input_tags = InputTags(two_d_array=False, string=True)
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return self._predictor is not None

    def score(self, sources: Any, targets: Any = None) -> float:
        """One figure between 0 and 1, higher is better: exact match for short outputs, else chrF / 100.

        Args:
            sources: source texts, or pairs when ``targets`` is not given.
            targets: target texts.
        """
        pairs = to_pairs(sources, targets)
        name = self._options["select_by"]
        if name not in ("exact", "bleu", "chrf"):
            name = "exact" if self.plan.tokenizer.target_tokens in ("char", "symbol") else "chrf"
        return self.evaluate(pairs, metrics=[name])[name].value / 100

    def predict(self, sources: Iterable[str]) -> list[str]:
        """The generated texts alone."""
        return [each.text for each in self.generate(list(sources))]

    # Training -----------------------------------------------------------------------------------------------------

    def fit(
        self,
        data: Any,
        targets: Any = None,
        *,
        valid: Any = None,
        source: str | None = None,
        target: str | None = None,
        callbacks: Iterable[Callback] | None = None,
        controls: Controls | None = None,
        run: str | Path | bool | None = None,
        processes: int = 1,
        launch: LaunchConfig | None = None,
    ) -> TextGenerator:
        """Train on pairs; afterwards the generator holds the best model found.

        Args:
            data: anything ``Pairs.of`` reads (pairs, a frame, a file name, ``builtin:dates``), or source texts when
                ``targets`` is given, or a ``Corpus`` to learn to continue.
            targets: target texts, one per source.
            valid: held-out pairs, likewise; by default a share of the data (``valid_fraction``), split by source.
            source, target: column names.
            callbacks: called with every event; by default a progress line is printed. ``[]`` is silent.
            controls: stop, pause and live settings from another thread.
            run: keep the training in a folder from which it can be resumed: a path, a bare name (``french`` makes
                ``runs/french-TIME``), or ``True`` (``runs/run-TIME``). By default nothing is written.
            processes: how many processes on this machine train together, from a run folder.
            launch: more about that: several machines, or a run that outlives this kernel (then this returns at once).

        Returns:
            itself. An interrupt (Ctrl-C, the notebook's stop button) keeps the best model so far.

        Raises:
            DataError: when the data cannot be read or holds too little to learn from.
            OptionError: when settings contradict one another.
            ModelFileError: when the run's folder is there already, or cannot be written.
            LaunchError: when processes that train together end without a result.
        """
        from nbtextgen.pipeline.fit import LocalTraining
        from nbtextgen.run.config import LaunchConfig

        given = prepare_data(self._options, data, targets, valid, source, target)
        launch = LaunchConfig.of(processes, launch)
        if run or launch is not None:
            from nbtextgen.run.folder import Run

            self._train_run(Run.create(run or True, given, self._options), controls, callbacks, launch, given.notes)
        else:
            session = LocalTraining(given.plan, given.training_data, controls, notes=given.notes, spent=given.seconds)
            self._train(session, callbacks)
        self._background = tuple(given.train.sources[:: max(1, len(given.train) // KEPT_SOURCES)])
        self.held_out = given.valid
        return self

    def begin(
        self,
        data: Any,
        targets: Any = None,
        *,
        run: str | Path | bool = True,
        valid: Any = None,
        source: str | None = None,
        target: str | None = None,
    ) -> Run:
        """Make the folder of a run without training it: ``resume``, or ``python -m nbtextgen train FOLDER``, does.

        Args:
            data, targets, run, valid, source, target: as ``fit``.
        """
        from nbtextgen.run.folder import Run

        return Run.create(run, prepare_data(self._options, data, targets, valid, source, target), self._options)

    def fit_text(self, text: Any, **settings: Any) -> TextGenerator:
        """Learn to continue a text: no pairs, every place of it is an example.

        Args:
            text: the name of a file (or a pattern, or a list of them), or the text itself.
            settings: ``callbacks``, ``controls`` and ``run``, as in ``fit``.

        Example:
            >>> poet = TextGenerator(context=60).fit_text("corpus.txt")          # doctest: +SKIP
            >>> print(poet.write_on("Once upon a time", 500, sample=True))       # doctest: +SKIP

        Raises:
            DataError: when the text cannot be read or is too short.
        """
        from nbtextgen.data.corpus import Corpus

        return self.fit(Corpus.of(text), **settings)

    def stream_continuation(self, text: str, length: int = 200, **decoding: Unpack[DecodingOptions]) -> Iterator[str]:
        """Yield what follows a text, piece by piece, for as many tokens as wanted; the context rolls along.

        Args:
            text: what comes before.
            length: tokens to write; there is no limit.
            decoding: as ``generate``: ``sample``, ``temperature``, ``top_p``, ``seed``, ...

        Raises:
            OptionError: when the model was trained on pairs.
        """
        from nbtextgen.pipeline.continuation import continue_text

        if length < 1:
            raise OptionError(f"--length must be at least 1 (got {length}).")
        yield from continue_text(self.predictor, self.plan, text, length, build(DecodingConfig, decoding))

    def continue_text(self, text: str, length: int = 200, **decoding: Unpack[DecodingOptions]) -> str:
        """The text and what follows it; see ``stream_continuation``."""
        return text + "".join(self.stream_continuation(text, length, **decoding))

    def bits_per_character(self, text: str) -> float:
        """How well a model that continues foretells a text: -log2 of its probability, for each character."""
        from nbtextgen.pipeline.continuation import bits_per_character

        return bits_per_character(self.predictor, self.plan, text)

    def estimate(self, data: Any, targets: Any = None, **columns: str | None) -> CostEstimate:
        """What ``fit`` on these pairs (or this ``Corpus``) would cost; a few updates are really made.

        Augmentation is counted in. With ``store``, the first pairs and the size of the files stand for all.

        Args:
            data, targets: as ``fit``.
            columns: ``source`` and ``target``, as ``fit``.

        Returns:
            parameters, memory and time.
        """
        from nbtextgen.pipeline.estimate import trial_run

        return trial_run(self._options, data, targets, **columns).estimate()

    def find_learning_rate(
        self, data: Any, targets: Any = None, *, updates: int = 150, **columns: str | None
    ) -> RangeTest:
        """Train a throw-away network at rising rates (range test: Smith 2017, sec. 3.3); shows itself as a chart.

        Args:
            data, targets: as ``fit``.
            updates: updates made, at most.
            columns: ``source`` and ``target``, as ``fit``.

        Returns:
            ``rates``, ``losses`` and the ``suggestion``.
        """
        from nbtextgen.pipeline.estimate import trial_run

        return trial_run(self._options, data, targets, **columns).find_learning_rate(updates=updates)

    @classmethod
    def resume(
        cls,
        run: str | Path,
        *,
        callbacks: Iterable[Callback] | None = None,
        controls: Controls | None = None,
        processes: int = 1,
        launch: LaunchConfig | None = None,
    ) -> TextGenerator:
        """Go on with a run that was stopped, interrupted or killed.

        On the same device, with as many threads and the same torch, the weights come out the same to the bit as if it
        had never stopped. A run that is finished gives its best model at once.

        Args:
            run: its folder.
            callbacks, controls, processes, launch: as in ``fit``.

        Raises:
            ModelFileError: when there is no run, it is damaged, or another process trains it now.
        """
        from nbtextgen.run.config import LaunchConfig
        from nbtextgen.run.folder import Run

        opened = Run.open(run)
        model = cls(**opened.options)
        model._train_run(opened, controls, callbacks, LaunchConfig.of(processes, launch))
        return model

    @classmethod
    def follow(
        cls,
        run: str | Path,
        *,
        callbacks: Iterable[Callback] | None = None,
        controls: Controls | None = None,
    ) -> TextGenerator:
        """Watch a run that other processes train, until they end; an interrupt ends the watching alone.

        Args:
            run: its folder.
            callbacks: as in ``fit``; they hear what has happened before, too.
            controls: act on those who train it.

        Raises:
            ModelFileError: when there is no run.
            NotTrainedError: when it ends without a model.
        """
        from nbtextgen.run.folder import Run
        from nbtextgen.run.watching import WatchedTraining

        found = Run.open(run)
        model = cls(**found.options)
        model.run = found
        model._train(WatchedTraining(found, controls), callbacks)
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
        from nbtextgen.run.launch import open_session

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

    # Using --------------------------------------------------------------------------------------------------------

    @property
    def plan(self) -> Plan:
        """All settings of the trained model, the chosen ones included; raises ``NotTrainedError`` before ``fit``."""
        session = self._session
        if session is not None and (self._predictor is None or session.best_so_far() is not None):
            return session.plan
        if self._plan is None:
            raise self._untrained("settings")
        return self._plan

    @property
    def choices(self) -> dict[str, object]:
        """Settings that ``fit`` chose from the data."""
        return dict(self.plan.choices)

    @property
    def predictor(self) -> Predictor:
        """The trained networks with their tokenizers; while ``fit`` runs in another thread, the best so far.

        Raises:
            NotTrainedError: before ``fit``, or before the first validation of a first ``fit``.
        """
        session = self._session
        best = None if session is None else session.best_so_far()
        if best is not None:
            return best
        if self._predictor is None:
            if session is not None:
                raise NotTrainedError(
                    "This TextGenerator is training and has not been validated yet; "
                    "it can write after its first validation."
                )
            raise self._untrained("generate")
        return self._predictor

    @overload
    def generate(self, text: str, **decoding: Unpack[DecodingOptions]) -> Generation: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def generate(self, text: Sequence[str], **decoding: Unpack[DecodingOptions]) -> Generations: ...
    def generate(self, text: str | Sequence[str], **decoding: Unpack[DecodingOptions]) -> Generation | Generations:
        """Write the target for one source or for many.

        Args:
            text: a source, or a list (or series) of them.
            decoding: fields of ``DecodingConfig``: ``beam``, ``n_best``, ``sample``, ``temperature``, ...

        Returns:
            a ``Generation`` for a string, a list of them for a list.

        Raises:
            DataError: for a source that is empty or not text; names its position.
            OptionError: for an unknown option or a value out of range.
            NotTrainedError: before ``fit``.
        """
        config = build(DecodingConfig, decoding)
        found = self.predictor.predict(self._sources([text] if isinstance(text, str) else text), config)
        self._written.update(found)
        return found[0] if isinstance(text, str) else found

    def wrote(self, written: Generation) -> bool:
        """Whether ``generate`` of this very generator gave this output."""
        return written in self._written

    def checked_source(self, text: str) -> str:
        """One source as the model reads it; raises ``DataError`` when it is empty or not text."""
        return self._sources([text])[0]

    def _sources(self, texts: Any) -> list[str]:
        """Checked sources, rewritten by the cleaning steps that the model was trained with."""
        return validate_sources(texts, self.plan.data.clean)

    def stream(self, text: str, **decoding: Unpack[DecodingOptions]) -> Iterator[str]:
        """Yield the output piece by piece, as it is written (greedy, or sampling with ``sample=True``).

        Args:
            text: the source.
            decoding: as ``generate``; beam search cannot stream.
        """
        config = build(DecodingConfig, decoding)
        yield from self.predictor.stream(self._sources([text])[0], config)

    def explain(
        self, text: str | Generation, *, background: Iterable[str] | None = None, **options: Unpack[ExplanationOptions]
    ) -> Explanation | Explanations:
        """Say why the model writes what it writes for a source.

        A word that the model does not know is a unit like any other: its values say what its being there and unknown
        brings. A word that stands twice is two units. Where a source has more than ``exact_units`` units, Shapley values
        are sampled within ``budget`` copies of it and carry standard errors. An empty source is refused.

        Args:
            text: the source; or a generation, to explain just that output.
            background: source texts that missing units are sampled from (``missing="sample"``); by default a sample of
                the training sources, which a saved model only has when ``save`` was told to keep it.
            options: fields of ``ExplanationConfig``: ``method``, ``unit``, ``target``, ``contrast``, ``missing``, ...

        Returns:
            an ``Explanation``; for several methods (``method="shap,attention"``) an ``Explanations`` by method.

        Raises:
            DataError: for a source that is empty or not text.
            OptionError: for an unknown option or a value out of range.
            NotTrainedError: before ``fit``.

        Example:
            >>> e = model.explain("3 Jan 2019", method="shap")               # doctest: +SKIP
            >>> e.values.shape, e.input_units                                # doctest: +SKIP
        """
        from nbtextgen.explanation.config import configure
        from nbtextgen.explanation.explainer import explain

        config = configure(options)
        if not isinstance(text, Generation):
            text = self.checked_source(text)
        return explain(self.predictor, text, config, **self.explaining(background))

    def explain_data(
        self,
        data: Any,
        targets: Any = None,
        *,
        limit: int = 200,
        gold: Sequence[str] | None = None,
        background: Iterable[str] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
        **options: Unpack[ExplanationOptions],
    ) -> Survey:
        """Explain the outputs for many sources, and say what they tell together.

        Args:
            data, targets: as in ``evaluate``.
            limit: most pairs looked at, evenly spread over the data.
            gold: word alignments such as ``0-0 1-2``, one per pair: the targets are then explained, and an alignment
                error rate is computed.
            background, options: as in ``explain``.
            heard: told of (texts done, texts in all).

        Returns:
            faithfulness of each method with intervals, an induced lexicon, where the source is ignored, hubs of
            attention.
        """
        from nbtextgen.explanation.config import configure
        from nbtextgen.explanation.survey import survey

        pairs = to_pairs(data, targets)
        if gold is not None and len(gold) != len(pairs):
            raise DataError(f"There are {len(pairs):,} pairs but {len(gold):,} gold alignments; give one for each.")
        rows = range(0, len(pairs), -(-len(pairs) // max(1, limit)))
        chosen = pairs.take(rows)
        chosen = Pairs(self._sources(chosen.sources), chosen.targets, chosen.places)
        kept = None if gold is None else [gold[row] for row in rows]
        return survey(
            self.predictor,
            chosen,
            configure(options),
            gold=kept,
            on_progress=on_progress,
            **self.explaining(background),
        )

    def sanity_check(
        self,
        text: str | Generation,
        *,
        seeds: int = 3,
        background: Iterable[str] | None = None,
        **options: Unpack[ExplanationOptions],
    ) -> Sanity:
        """Compare explanations with those of models of random weights (Adebayo et al. 2018): they should differ.

        Args:
            text, background, options: as in ``explain``.
            seeds: random models to compare with.
        """
        from nbtextgen.explanation.sanity import sanity_check

        return sanity_check(self, text, seeds=seeds, background=background, **options)

    @property
    def background(self) -> tuple[str, ...]:
        """Training sources that explanations sample replacements of missing text from; empty if none were kept."""
        return self._background

    def explaining(self, background: Iterable[str] | None = None) -> dict[str, Any]:
        """What explanations need to know about the training, as keywords of ``Explainer``."""
        return {"background": self._background if background is None else tuple(background)}

    def evaluate(
        self,
        data: Any,
        targets: Any = None,
        *,
        metrics: Sequence[str] | None = None,
        source: str | None = None,
        target: str | None = None,
        group_sources: bool = False,
        **decoding: Unpack[DecodingOptions],
    ) -> Scores:
        """Generate for held-out pairs and compare.

        Args:
            data, targets, source, target: as in ``fit``.
            metrics: names of metrics; by default those that suit the tokens.
            group_sources: take pairs with the same source as several acceptable answers to it.
            decoding: as in ``generate``.

        Returns:
            each metric with a bootstrap confidence interval, and perplexity.
        """
        from nbtextgen.evaluation.metrics import measure

        sources, references = group_references(to_pairs(data, targets, source, target), grouped=group_sources)
        outputs = [each.text for each in self.generate(sources, **decoding)]
        if metrics is None:
            small = self.plan.tokenizer.target_tokens in ("char", "symbol")
            metrics = ["exact", "error-rate", "character-error-rate"] if small else ["bleu", "chrf", "ter", "rougeL"]
        return measure(references, outputs, metrics)

    def errors(
        self,
        data: Any,
        targets: Any = None,
        *,
        limit: int = 50,
        source: str | None = None,
        target: str | None = None,
        group_sources: bool = False,
        **decoding: Unpack[DecodingOptions],
    ) -> Errors:
        """Generate for held-out pairs and list what came out wrong, the worst first.

        Args:
            data, targets, source, target, group_sources: as in ``evaluate``.
            limit: most rows to give.
            decoding: as in ``generate``.

        Returns:
            rows of source, nearest reference, output, edits and their rate; ``.frame()`` makes a data frame of them.
        """
        from nbtextgen.evaluation.metrics import errors

        sources, references = group_references(to_pairs(data, targets, source, target), grouped=group_sources)
        return errors(sources, references, [each.text for each in self.generate(sources, **decoding)], limit)

    def perplexity(self, data: Any, targets: Any = None) -> float:
        """Per-token perplexity of target texts given their sources: exp of the mean negative log-likelihood."""
        pairs = to_pairs(data, targets)
        return self.predictor.perplexity(Pairs(self._sources(pairs.sources), pairs.targets, pairs.places))

    # Files --------------------------------------------------------------------------------------------------------

    def save(self, folder: str | Path, *, keep_sources: int = 0) -> Path:
        """Write the model to a folder (safetensors weights, JSON settings and tokenizers; no pickle).

        The folder appears complete or not at all; an older model there is replaced only when the new one is whole.

        Args:
            folder: where to.
            keep_sources: training sources kept as plain text in the folder, for explanations with ``missing="sample"``; at
                most 200. By default none: whoever gets the folder reads nothing of the data.

        Raises:
            ModelFileError: when the folder holds something that is not a saved model, or cannot be written.
            NotTrainedError: before ``fit``.
        """
        from nbtextgen.pipeline.model_folder import save

        if keep_sources and not self._background:
            raise DataError(
                "No training sources are at hand to be kept: this model was loaded from a folder without them."
            )
        step = max(1, len(self._background) // max(1, keep_sources))
        sources = self._background[::step][:keep_sources]
        return save(Path(folder), self.predictor, self.plan, self._options, sources)

    def export(self, format: str, folder: str | Path) -> Path:
        """Write the model for programs without PyTorch; ``OnnxGenerator.load`` writes with it just what this one writes.

        Args:
            format: ``onnx``: encoder and decoder step as graphs, beside the tokenizers.
            folder: where; it appears complete or not at all, and may hold an older export.

        Raises:
            ModelFileError: when the folder holds something else, or cannot be written.
            MissingPackageError: without onnx.
            NotTrainedError: before ``fit``.
        """
        from nbtextgen.export.folder import export

        return export(format, Path(folder), self.predictor, self.plan)

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "auto") -> TextGenerator:
        """Read a saved model, or the best model so far of a run, be it over or still training.

        Args:
            folder: where it was saved, on whatever device it was trained.
            device: where it will compute: ``cpu``, ``cuda``, ``mps``, or ``auto`` as in training.

        Raises:
            ModelFileError: naming what is missing, damaged or of a later format.
            OptionError: for a device that this machine lacks.
        """
        from nbtextgen.pipeline.model_folder import kept_sources, load
        from nbtextgen.run.folder import Run
        from nbtextgen.training.device import choose_device

        where = choose_device(device)
        if Run.is_one(Path(folder)):
            run = Run.open(folder)
            model = cls(**run.options)
            predictor, model._plan, model.run = run.best_model().content, run.plan, run
        else:
            predictor, settings, options = load(Path(folder))
            model = cls(**options)
            model._plan, model._background = settings, kept_sources(Path(folder))
        model._predictor = predictor.to(where)
        return model

    def __repr__(self) -> str:
        given = {name: value for name, value in self._options.items() if value != fit_options()[name].default}
        options = ", ".join(f"{name}={value!r}" for name, value in given.items())
        return f"TextGenerator({options})" + ("" if self._predictor else "  # not trained yet")

    def _untrained(self, what: str) -> NotTrainedError:
        wanted = "it has no settings" if what == "settings" else "it cannot write"
        return NotTrainedError(f"This TextGenerator is not trained, so {wanted} yet; call .fit(pairs) first.")


def _signature() -> inspect.Signature:
    """The constructor's signature, from the configuration dataclasses, so that help and Tab show every option."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(name, keyword, default=known.default, annotation=known.type)
        for name, known in fit_options().items()
    ]
    return inspect.Signature([inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD), *parameters])


TextGenerator.__init__.__signature__ = _signature()  # type: ignore[attr-defined]
