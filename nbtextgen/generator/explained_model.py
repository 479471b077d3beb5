"""``ExplainedModel``: why a trained model wrote what it wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Unpack

from nbtextgen.core.errors import DataError
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.readers.columns import ColumnName
from nbtextgen.explanation.config import configure_edits, configure_scored
from nbtextgen.explanation.removal import background_texts
from nbtextgen.generator.configurable import checks_keywords
from nbtextgen.generator.trained_model import TrainedModel
from nbtextgen.inference.generation import Generation
from nbtextgen.pipeline.dataset import to_pairs
from nbtextgen.pipeline.model_data import evenly_spread, model_pairs, model_sources
from nbtextgen.pipeline.training_rows import EARLIER_UNKNOWN, MISSING, given_pairs

if TYPE_CHECKING:
    from nbtextgen.core.option_types import ExplanationOptions
    from nbtextgen.explanation.explanation import Explanation, Explanations
    from nbtextgen.explanation.minimal_edits import MinimalEdits
    from nbtextgen.explanation.survey import Survey
    from nbtextgen.influence.index import ProgressCallback
    from nbtextgen.influence.rows import TrainingRows
    from nbtextgen.influence.search import TrainingPairs


class ExplainedModel(TrainedModel):
    """The part of ``TextGenerator`` that explains outputs; every method raises ``NotTrainedError`` without a model."""

    @checks_keywords
    def explain(
        self, text: str | Generation, *, background: Iterable[str] | None = None, **options: Unpack[ExplanationOptions]
    ) -> Explanation | Explanations:
        """Explain which parts of a source made the model write its output.

        With more than ``exact_units`` units, Shapley values are sampled within ``budget`` copies and have standard errors.

        Args:
            text: the source; or a generation, to explain just that output.
            background: source texts that missing units are sampled from (``missing="sample"``); by default a sample of
                the training sources, which a loaded model only has if ``save`` kept them.
            options: fields of ``ExplanationConfig``: ``method``, ``unit``, ``target``, ``contrast``, ``missing``, ... The
                ``score`` may be a function of log-probabilities ``(..., vocabulary)`` and token ids ``(...)``, both
                tensors, that returns scores ``(...)``.

        Returns:
            an ``Explanation``; for several methods (``method="shap,attention"``) an ``Explanations`` by method.

        Raises:
            DataError: for a source that is empty or not text.
            OptionError: for an unknown option or a value out of range.
        """
        from nbtextgen.explanation.explainer import explain

        config, score = configure_scored(options)
        donors = self.background if background is None else background_texts(background)
        return explain(self.predictor, self._explained(text), config, background=donors, score_token=score)

    def _explained(self, text: str | Generation) -> str | Generation:
        """A validated source, or a generation of this model."""
        if not isinstance(text, Generation):
            return model_sources(self.plan, [text])[0]
        if text.model not in ("", self.predictor.fingerprint):
            raise DataError("This generation comes from another model; explain it with the model that generated it.")
        return text

    @checks_keywords
    def training_rows(
        self,
        text: str | Generation,
        *,
        token: int | str | None = None,
        method: str = "gradients",
        count: int = 10,
        data: object = None,
        targets: object = None,
        source: ColumnName | None = None,
        target: ColumnName | None = None,
        encoding: str | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> TrainingRows:
        """Find the training rows that speak for an output, and those that speak against it.

        The first call reads all training pairs once, which takes a few percent of the training's time. A model that was
        trained in this process has them; others need ``data``, unless they were kept (``save(keep_rows=True)``, or the
        setting ``keep_rows`` of a run).

        Args:
            text: the source; or a generation.
            token: the part of the output: the index of a token, or a piece of the text; by default all of it.
            method: ``gradients`` (influence of Koh and Liang 2017, for the last hidden layer) or ``states`` (nearest decoder states).
            count: most rows for, and most rows against.
            data, targets, source, target, encoding: the training data, as in ``fit``.
            on_progress: called with (pairs read, pairs in all) while the pairs are indexed.

        Returns:
            rows with their number in the data, source, target, influence and what cleaning changed. For a model that was
            trained on (``start``), also rows of the earlier data, marked as such, if they are at hand.

        Raises:
            DataError: if the training pairs are not at hand, the output is empty, or the part is not in it.
            OptionError: for an unknown method.

        Example:
            >>> rows = model.training_rows("abc", token="c", data=pairs, count=3)
            >>> len(rows.frame()) <= 6
            True
        """
        pairs = self._indexed_pairs(data, targets, source, target, encoding, on_progress=on_progress)
        return pairs.behind(self._explained(text), token=token, method=method, count=count)

    def _indexed_pairs(
        self,
        data: object = None,
        targets: object = None,
        source: ColumnName | None = None,
        target: ColumnName | None = None,
        encoding: str | None = None,
        *,
        on_progress: ProgressCallback | None = None,
    ) -> TrainingPairs:
        """The training pairs with their index, which is made at the first call and when the model or the data changed.

        Data that can be read again is, since whoever corrects a row in place asks with the same object; an index takes much
        longer.
        """
        from nbtextgen.influence.search import TrainingPairs

        predictor, plan, known = self.predictor, self.plan, self._indexed
        known = None if known is None or known[1] != predictor.fingerprint else known
        key = self.training_pairs if data is None else data
        if known is not None and known[0] is key and (data is None or isinstance(data, Iterator)):
            return known[3]
        if data is not None:
            pairs = given_pairs(plan, predictor, data, targets, source, target, encoding)
        else:
            pairs = None if self.training_pairs is None else self.training_pairs()
        if pairs is None:
            raise DataError(MISSING)
        if known is not None and data is not None and _content(pairs) == _content(known[2]):
            return known[3]
        indexed = TrainingPairs.of(
            predictor,
            pairs,
            longest=plan.training.max_length,
            steps=plan.data.clean,
            ends=plan.data.context is None,
            note=EARLIER_UNKNOWN if plan.start and min(pairs.rows) >= 0 else "",
            on_progress=on_progress,
        )
        self._indexed = key, predictor.fingerprint, pairs, indexed
        return indexed

    @checks_keywords
    def counterfactual(
        self,
        text: str | Generation,
        *,
        token: int | str | None = None,
        background: Iterable[str] | None = None,
        **options: Unpack[ExplanationOptions],
    ) -> MinimalEdits:
        """Find the smallest edits of a source that change its output, and the fewest units that keep it.

        Args:
            text: the source; or a generation.
            token: the part of the output that is to change: the index of a token, or a piece of the text such as
                ``"01"``; all of the output by default.
            background: texts whose units are plausible replacements; by default a sample of the training sources.
            options: as in ``explain``: ``unit``, ``spans`` and ``missing`` say what is removed and how, ``budget`` how many
                changed inputs each search may try, ``target`` which output is asked about.

        Raises:
            DataError: for a source or part that is empty, or an output that a greedy search does not write.
            OptionError: for an option that is unknown or only attributions have, or a value out of range.
        """
        from nbtextgen.explanation.minimal_edits import minimal_edits

        donors = self.background if background is None else background_texts(background)
        return minimal_edits(
            self.predictor, self._explained(text), configure_edits(options), token=token, background=donors
        )

    @checks_keywords  # pyright: ignore[reportArgumentType]  # target is a column here, and an option of explain()
    def explain_data(
        self,
        data: object,
        targets: object = None,
        *,
        source: ColumnName | None = None,
        target: ColumnName | None = None,
        encoding: str | None = None,
        limit: int = 200,
        gold: Sequence[str] | None = None,
        gold_start: int = 0,
        background: Iterable[str] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
        **options: Unpack[ExplanationOptions],  # pyright: ignore[reportGeneralTypeIssues]  # their target is a text
    ) -> Survey:
        """Explain the outputs of many sources and summarise the explanations.

        Args:
            data, targets, source, target, encoding: as in ``evaluate``.
            limit: most pairs explained, evenly spread over the data.
            gold_start: the number of the first word in ``gold``, 0 or 1.
            gold: word alignments such as ``0-0 1-2``, one per pair: then the targets are explained, and an alignment
                error rate is computed.
            background, options: as in ``explain``.
            on_progress: called with (texts done, texts in all).

        Returns:
            faithfulness of each method with intervals; for ``builtin("dates")`` also the share of attribution on the span
            that made each token; an induced lexicon, where the source is ignored, hubs of attention. ``save`` and ``load``
            keep it in one file.
        """
        from nbtextgen.explanation.survey import survey

        sample, gold = evenly_spread(to_pairs(data, targets, source, target, encoding), gold, limit)
        config, score = configure_scored(options)
        return survey(
            self.predictor,
            model_pairs(self.plan, self.predictor, sample),
            config,
            background=self.background if background is None else background_texts(background),
            gold=gold,
            gold_start=gold_start,
            score_token=score,
            on_progress=on_progress,
        )


def _content(pairs: Pairs) -> tuple[object, ...]:
    """All that rows behind an output show of their pairs."""
    return pairs.sources, pairs.targets, pairs.rows, pairs.places, pairs.originals
