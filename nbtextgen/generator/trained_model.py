"""``TrainedModel``: what a trained model can do: generate, evaluate, export."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Unpack, overload
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from nbtextgen.confidence.confidence import find_acceptance
from nbtextgen.core.errors import NotTrainedError
from nbtextgen.core.options import build, whole_number
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.readers.columns import ColumnName
from nbtextgen.data.readers.texts import read_texts
from nbtextgen.data.seen import SeenSources
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.evaluation.error_rates import Errors, errors
from nbtextgen.evaluation.metrics import Metrics, find_metrics, measure
from nbtextgen.export.formats import export_model
from nbtextgen.generator.configurable import checks_keywords
from nbtextgen.inference.bulk import GeneratedTable, generate_table
from nbtextgen.inference.generation import (
    Generation,
    GenerationInterrupted,
    Generations,
    accept_outputs,
    add_note,
    note_file_names,
)
from nbtextgen.inference.sources import validate_sources
from nbtextgen.pipeline.continuation import CONTINUATION, bits_per_character, continue_text
from nbtextgen.pipeline.dataset import to_pairs
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.pipeline.model_data import (
    default_metrics,
    evaluated_outputs,
    model_pairs,
    model_references,
    model_sources,
    nearly_right,
    source_remarks,
)

if TYPE_CHECKING:
    from nbtextgen.core.option_types import DecodingOptions
    from nbtextgen.evaluation.scores import Scores
    from nbtextgen.export.page.document import PageOptions
    from nbtextgen.inference.predictor import Predictor
    from nbtextgen.influence.search import TrainingPairs
    from nbtextgen.pipeline.session import TrainingSession


class TrainedModel:
    """The part of ``TextGenerator`` that uses a trained model; every method raises ``NotTrainedError`` without one.

    Attributes:
        background: training sources that explanations sample replacements of missing text from.
        generated: outputs of ``generate`` that are still in use.
        seen: the training sources, as far as they can be recognised; ``None`` for a loaded model.
        training_pairs: returns the training pairs, if they are in memory or were kept.
    """

    def __init__(self) -> None:
        self.background: tuple[str, ...] = ()
        self.generated: WeakSet[Generation] = WeakSet()
        self.seen: SeenSources | None = None
        self.training_pairs: Callable[[], Pairs | None] | None = None
        self._indexed: tuple[object, str, Pairs, TrainingPairs] | None = None
        self._predictor: Predictor | None = None
        self._plan: Plan | None = None
        self._session: TrainingSession | None = None

    def __sklearn_is_fitted__(self) -> bool:
        return self._predictor is not None

    @property
    def plan(self) -> Plan:
        """All settings of the trained model, the chosen ones included; raises ``NotTrainedError`` before ``fit``."""
        session = self._session
        if session is not None and (self._predictor is None or session.best_so_far() is not None):
            return session.plan
        if self._plan is None:
            raise NotTrainedError(
                "This TextGenerator is not trained, so it has no settings yet; call .fit(pairs) first."
            )
        return self._plan

    @property
    def predictor(self) -> Predictor:
        """The trained networks with their tokenizers; while ``fit`` runs in another thread, the best so far.

        Raises ``NotTrainedError`` before ``fit``, or before the first validation of a first ``fit``.
        """
        session = self._session
        predictor = (None if session is None else session.best_so_far()) or self._predictor
        if predictor is not None:
            return predictor
        if session is not None:
            raise NotTrainedError(
                "This TextGenerator is training and has not been validated yet; it can generate after its first validation."
            )
        raise NotTrainedError("This TextGenerator is not trained, so it cannot generate yet; call .fit(pairs) first.")

    @property
    def choices(self) -> dict[str, object]:
        """Settings that ``fit`` chose from the data."""
        return dict(self.plan.choices)

    # Generating ---------------------------------------------------------------------------------------------------

    @overload
    def generate(self, text: str, **decoding: Unpack[DecodingOptions]) -> Generation: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def generate(
        self,
        text: object,
        *,
        source: ColumnName | None = None,
        encoding: str | None = None,
        accept: float | None = None,
        **decoding: Unpack[DecodingOptions],
    ) -> Generations: ...
    @checks_keywords
    def generate(
        self,
        text: object,
        *,
        source: ColumnName | None = None,
        encoding: str | None = None,
        accept: float | None = None,
        **decoding: Unpack[DecodingOptions],
    ) -> Generation | Generations:
        """Generate the target of one source or of many.

        Args:
            text: a source, or many: a list, a series, or a column of a frame. The output for an empty or missing one of many is
                empty.
            source, encoding: the column of sources, by name or number, if there are several; and the encoding of a ``Path``.
            accept: mark the outputs that may be used unread, so that at least this share of them is right (with 95 %
                confidence); see ``nbtextgen.calibrate``.
            decoding: fields of ``DecodingConfig``: ``beam``, ``n_best``, ``sample``, ``temperature``, ...

        Returns:
            a ``Generation`` for a string, a list of them for a list. Their ``notes`` say what to know about them: empty
            sources, characters that the model does not know, sources that were cut.

        Raises:
            DataError: for a source that is not text, or a single one that is empty; names its position.
            OptionError: for an unknown option or a value out of range, or ``accept`` without a calibration for this search.
            GenerationInterrupted: on an interrupt; its ``generations`` are the outputs so far.
        """
        config, single = build(DecodingConfig, decoding), isinstance(text, str)
        texts = read_texts(text, source, encoding)
        acceptance = find_acceptance(self.predictor.confidence, config, accept)
        generations = accept_outputs(self._generate(texts, config, allow_empty=not single), acceptance)
        return generations[0] if single else generations

    def _generate(
        self,
        texts: Iterable[object],
        config: DecodingConfig,
        *,
        allow_empty: bool = True,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Generations:
        """Generate for sources that are checked, and remember that this model wrote the outputs."""
        sources = validate_sources(texts, self.plan.data.clean, allow_empty=allow_empty)
        generations = self.predictor.predict(sources, config, on_progress=on_progress)
        note_file_names(generations)
        if config.unused:
            add_note(generations, config.unused)
        self.generated.update(generations)
        return generations

    def generate_file(
        self,
        data: object,
        into: str | Path | None = None,
        *,
        source: ColumnName | None = None,
        encoding: str | None = None,
        accept: float | None = None,
        on_progress: Callable[[int, int], None] | None = None,
        **decoding: Unpack[DecodingOptions],
    ) -> GeneratedTable:
        """Generate for a column or a file of many sources, in their order and in bounded memory.

        Until it is complete, the rows are in a file beside it, ``NAME.part``. After an interrupt or a kill, the same call
        continues from there.

        Args:
            data: a file name (``.txt`` with one source per line, or a table), a data frame, a series or a list of texts.
                Empty and missing sources have empty outputs.
            into: a file whose name ends in ``.tsv``, ``.csv``, ``.jsonl`` or ``.parquet``, with the columns source, text,
                log_probability, confidence, accepted with ``accept``, and candidates with ``n_best``; or in ``.txt``, with the outputs alone. An older
                file is replaced at the end. By default the rows are returned.
            source, encoding: name or number of the column, if there are several; and the encoding of files.
            accept: as in ``generate``.
            on_progress: called with (rows done, rows in all); by default progress is printed.
            decoding: as in ``generate``.

        Raises:
            DataError: if the data cannot be read, or an unfinished file has another model, input or options.
            GenerationInterrupted: on an interrupt.

        Example:
            >>> model.generate_file(words, "backwards.tsv", beam=2, on_progress=lambda done, count: None)
            117 generated rows in backwards.tsv
        """
        config = build(DecodingConfig, decoding)

        def generate(texts: list[str]) -> Generations:
            return self.predictor.predict(validate_sources(texts, self.plan.data.clean, allow_empty=True), config)

        return generate_table(
            generate,
            data,
            into,
            source=source,
            encoding=encoding,
            config=config,
            model=self.predictor.fingerprint,
            on_progress=on_progress,
            confidence=self.predictor.confidence,
            accept=accept,
        )

    @checks_keywords
    def predict(self, sources: Iterable[str]) -> list[str]:
        """The generated texts alone."""
        return [generation.text for generation in self.generate(read_texts(sources))]

    def stream(self, text: str, length: int | None = None, **decoding: Unpack[DecodingOptions]) -> Iterator[str]:
        """Yield the output piece by piece while it is generated (greedy, or with ``sample=True``; not beam search).

        Args:
            text: the source; or the beginning, for a model trained with ``fit_text``, which continues it.
            length: tokens of the continuation, as many as wanted (default 200): the context moves along.
            decoding: as in ``generate``: ``sample``, ``temperature``, ``top_p``, ``seed``, ...

        Raises:
            OptionError: if a length is given and the model was trained on pairs.
        """
        config = build(DecodingConfig, decoding)
        if length is None and self.plan.data.context is None:
            yield from self.predictor.stream(model_sources(self.plan, [text])[0], config)
            return
        length = CONTINUATION if length is None else whole_number("--length", length, 1)
        yield from continue_text(self.predictor, self.plan, text, length, config)

    def continue_text(self, text: str, length: int = 200, **decoding: Unpack[DecodingOptions]) -> str:
        """The text and its continuation, from a model trained with ``fit_text``; see ``stream``."""
        pieces = [text]
        try:
            pieces.extend(self.stream(text, length, **decoding))
        except KeyboardInterrupt as interrupt:
            raise GenerationInterrupted.in_text(text, pieces, self.predictor.fingerprint) from interrupt
        return "".join(pieces)

    # Evaluating ---------------------------------------------------------------------------------------------------

    @checks_keywords
    def evaluate(
        self,
        data: object,
        targets: object = None,
        *,
        metrics: Metrics | None = None,
        source: ColumnName | None = None,
        target: ColumnName | None = None,
        encoding: str | None = None,
        group_sources: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
        **decoding: Unpack[DecodingOptions],
    ) -> Scores:
        """Generate for the sources of pairs and compare the outputs with the targets.

        The targets pass through what the training targets passed through: cleaning steps, Unicode form, lower case.

        Args:
            data, targets, source, target, encoding: as in ``fit``.
            metrics: names of metrics, ``bleu:`` with a tokenizer of sacrebleu (``bleu:zh``), or functions of a reference and
                an output; by default those that suit the tokens.
            group_sources: treat the targets of the same source as several acceptable references.
            on_progress: called at every step with (sources generated for, sources in all); what it raises ends the evaluation.
            decoding: as in ``generate``.

        Returns:
            each metric with a bootstrap confidence interval; ``.worst`` lists the worst outputs, ``.slices()`` the parts of
            the data that are worse than the rest, ``.confusions()`` what stands for what.

        Raises:
            OptionError: for an unknown metric, before anything is generated.
        """
        chosen = find_metrics(default_metrics(self.plan) if metrics is None else metrics)
        sources, references = model_references(
            self.plan, self.predictor, to_pairs(data, targets, source, target, encoding), grouped=group_sources
        )
        generations = self._generate(sources, build(DecodingConfig, decoding), on_progress=on_progress)
        outputs = [generation.text for generation in generations]
        scores = measure(references, outputs, chosen)
        scores.worst = errors(sources, references, outputs, limit=10)
        scores.evaluated = evaluated_outputs(self.plan, generations, references, self.seen)
        if self.seen is not None:
            scores.notes.append(self.seen.sentence(model_sources(self.plan, sources)))
        scores.notes += source_remarks(self.predictor, generations) + nearly_right(references, outputs)
        return scores

    @checks_keywords
    def errors(
        self,
        data: object,
        targets: object = None,
        *,
        limit: int = 50,
        source: ColumnName | None = None,
        target: ColumnName | None = None,
        encoding: str | None = None,
        group_sources: bool = False,
        **decoding: Unpack[DecodingOptions],
    ) -> Errors:
        """Generate for the sources of pairs and list the wrong outputs, the worst first.

        Args:
            data, targets, source, target, encoding, group_sources, decoding: as in ``evaluate``.
            limit: most rows.

        Returns:
            rows of source, nearest reference, output, edits and their rate; ``.frame()`` makes a data frame of them.
        """
        limit = whole_number("--limit", limit)
        sources, references = model_references(
            self.plan, self.predictor, to_pairs(data, targets, source, target, encoding), grouped=group_sources
        )
        outputs = [generation.text for generation in self._generate(sources, build(DecodingConfig, decoding))]
        return errors(sources, references, outputs, limit)

    def perplexity(
        self,
        data: object,
        targets: object = None,
        *,
        source: ColumnName | None = None,
        target: ColumnName | None = None,
        encoding: str | None = None,
    ) -> float:
        """Perplexity per target token: exp of the mean negative log-likelihood of the targets given their sources."""
        pairs = to_pairs(data, targets, source, target, encoding)
        return self.predictor.perplexity(model_pairs(self.plan, self.predictor, pairs))

    def log_probabilities(
        self,
        data: object,
        targets: object = None,
        *,
        source: ColumnName | None = None,
        target: ColumnName | None = None,
        encoding: str | None = None,
    ) -> NDArray[np.float64]:
        """Natural logarithm of the probability of each target given its source, to rank or filter texts.

        The sum over the target's tokens and its end; ``perplexity`` is exp of minus its mean per token.

        Args:
            data, targets, source, target, encoding: as in ``fit``.

        Example:
            >>> candidates = ["abc", "bca", "cba"]
            >>> max(candidates, key=lambda text: model.log_probabilities([("abc", text)])[0])
            'cba'
        """
        pairs = to_pairs(data, targets, source, target, encoding)
        return self.predictor.target_scores(model_pairs(self.plan, self.predictor, pairs))[0]

    def bits_per_character(self, text: str) -> float:
        """Bits per character that a model trained with ``fit_text`` assigns to a text (lower is better)."""
        return bits_per_character(self.predictor, self.plan, text)

    # Exporting ----------------------------------------------------------------------------------------------------

    def export(self, format: str, path: str | Path, **page: Unpack[PageOptions]) -> Path:
        """Write the model for programs without PyTorch, or as a page for any browser.

        Args:
            format: ``onnx``: a folder of graphs and tokenizers for ``OnnxGenerator.load``; ``html``: one self-contained page.
            path: where to write; an older export is replaced when the new one is complete.
            page: options of a page, see ``PageOptions``: ``bits`` of a weight (16 or 8), ``title``, ``example``, ``score``.

        Raises:
            ModelFileError, OptionError: if the path holds something else or cannot be written; if a page cannot do it.
        """
        return export_model(format, path, self, page)
