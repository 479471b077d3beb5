"""Explanations over a data set: how faithful each method is, which inputs drive which outputs, where the source is ignored."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.data.builtin import true_links
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.explanation import alignment, archive, truth
from nbtextgen.explanation.agreement import Agreement
from nbtextgen.explanation.attributions import Values
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.explanation.display import Drawn
from nbtextgen.explanation.explainer import Explainer
from nbtextgen.explanation.explanation import Explanation
from nbtextgen.explanation.faithfulness import Faithfulness
from nbtextgen.explanation.scoring import TokenScore
from nbtextgen.explanation.units import cut
from nbtextgen.inference.predictor import Predictor

if TYPE_CHECKING:
    import pandas
    import shap
    from matplotlib.axes import Axes

SCORES = ("comprehensiveness", "sufficiency", "deletion", "insertion")
"""Scores of ``Faithfulness`` that the survey averages."""
MIN_INFLUENCE = 0.1
"""Nats by which the whole source must raise a token's log-probability; below, the token ignores the source."""
MIN_COUNT = 3
"""Occurrences from which a unit or a pair enters a table."""


@dataclass(frozen=True)
class Mean:
    """A mean over texts with its 95 % bootstrap interval (Efron & Tibshirani 1993, sec. 13.3); NaN for a single text."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], seed: int = 1) -> Mean:
        """From one value per text."""
        sample = np.asarray(values, dtype=float)
        if len(sample) == 1:  # which says nothing of others
            return cls(float(sample[0]), math.nan, math.nan)
        draws = np.random.default_rng(seed).integers(0, len(sample), (1000, len(sample)))
        low, high = np.quantile(sample[draws].mean(1), [0.025, 0.975])
        return cls(float(sample.mean()), float(low), float(high))

    def __str__(self) -> str:
        return f"{self.value:.3f}" + ("" if math.isnan(self.low) else f" [{self.low:.3f}, {self.high:.3f}]")


@dataclass(frozen=True, eq=False, repr=False)
class Survey(Drawn):
    """Statistics over the explanations of many outputs; shows itself as tables.

    Attributes:
        explanations: by method, one per text, in the order of the data.
        faithfulness: method to score to mean over texts; the method ``random`` is the control.
        agreement: mean rank correlation of every two methods.
        alignment_error: by method, if gold alignments were given.
        right_share: by method, the share of attribution on the span of the source that makes each part of a right output, in
            built-in data whose spans are known; the method ``random`` is that of equal attributions.
        left_out: sources that could not be explained, each with the reason.
    """

    explanations: Mapping[str, list[Explanation]]
    faithfulness: Mapping[str, Mapping[str, Mean]]
    agreement: Agreement
    alignment_error: Mapping[str, float]
    right_share: Mapping[str, Mean] = field(default_factory=dict[str, "Mean"])
    left_out: Sequence[tuple[str, str]] = ()

    @property
    def first(self) -> list[Explanation]:
        """Those of the first method, from which the tables are made."""
        return next(iter(self.explanations.values()))

    def lexicon(self, limit: int = 30) -> list[tuple[str, str, float, int]]:
        """Which inputs drive which outputs, strongest first: (output token, input unit, mean attribution, count)."""
        values: dict[tuple[str, str], list[float]] = defaultdict(list)
        for explanation in self.first:
            for row, token in zip(explanation.values[:-1], explanation.output_tokens, strict=False):
                best = int(row.argmax())
                if row[best] > 0:
                    values[token.strip(), explanation.input_units[best].strip()].append(float(row[best]))
        return _most_driven(values, limit)

    def ignored(self, limit: int = 20) -> list[tuple[str, float, int]]:
        """Output tokens that ignore the source, most often first: (token, share of its occurrences, occurrences).

        The source changes their log-probability by less than ``MIN_INFLUENCE`` either way.
        """
        return self._tokens_where(lambda influence: abs(influence) < MIN_INFLUENCE, limit)

    def opposed(self, limit: int = 20) -> list[tuple[str, float, int]]:
        """Output tokens that the source speaks against, by at least ``MIN_INFLUENCE``; as in ``ignored``."""
        return self._tokens_where(lambda influence: influence <= -MIN_INFLUENCE, limit)

    def _tokens_where(self, condition: Callable[[float], bool], limit: int) -> list[tuple[str, float, int]]:
        flags_by_token: dict[str, list[bool]] = defaultdict(list)
        for explanation in self.first:
            for token, influence in zip(explanation.output_tokens, _influence(explanation), strict=True):
                flags_by_token[token.strip() or token].append(condition(float(influence)))
        rows = [
            (token, float(np.mean(flags)), len(flags))
            for token, flags in flags_by_token.items()
            if len(flags) >= MIN_COUNT and any(flags)
        ]
        return sorted(rows, key=lambda row: (-row[1] * row[2], row[0]))[:limit]

    def least_grounded(self, limit: int = 10) -> list[tuple[str, str, float]]:
        """Texts whose output depends least on the source, least first: (source, output, nats per token).

        This is no sign of wrong outputs: it told them from right ones hardly better than chance (area under the ROC curve
        .46 to .70), where their mean log-probability did (.90 to 1.00).
        """
        rows = [(each.source, each.text, float(_influence(each).mean())) for each in self.first]
        return sorted(rows, key=lambda row: row[2])[:limit]

    def source_share(self) -> dict[str, Mean]:
        """By method, how much of the attribution is on the source and not on earlier output, mean over texts, 0 to 1.

        Absolute values are compared. Empty if earlier output took no part.
        """
        shares: dict[str, list[float]] = defaultdict(list)
        for method, explanations in self.explanations.items():
            for each in explanations:
                source = np.abs(each.values).sum()
                total = source + (0.0 if each.prefix_values is None else np.abs(each.prefix_values).sum())
                if each.prefix_values is not None and total > 0:
                    shares[method].append(float(source / total))
        return {method: Mean.of(each) for method, each in shares.items()}

    def prefix_lexicon(self, limit: int = 20) -> list[tuple[str, str, float, int]]:
        """Which earlier output drives which output, strongest first: (token, earlier token, mean attribution, count)."""
        values: dict[tuple[str, str], list[float]] = defaultdict(list)
        for explanation in self.first:
            if explanation.prefix_values is None or not explanation.prefix_tokens:
                continue
            for row, token in zip(explanation.prefix_values, explanation.output_tokens, strict=True):
                best = int(row.argmax())
                if row[best] > 0:
                    values[token.strip(), explanation.prefix_tokens[best].strip()].append(float(row[best]))
        return _most_driven(values, limit)

    def hubs(self, limit: int = 10) -> list[tuple[str, float, int]]:
        """Inputs that attract attention whatever the output: (unit, attention over uniform attention, occurrences).

        Empty if attention was not among the methods.
        """
        shares: dict[str, list[float]] = defaultdict(list)
        for explanation in self.explanations.get("attention", []):
            received = explanation.values.mean(0) * len(explanation.input_units)
            for unit, share in zip(explanation.input_units, received, strict=True):
                shares[unit].append(float(share))
        rows = [(unit, float(np.mean(each)), len(each)) for unit, each in shares.items() if len(each) >= MIN_COUNT]
        return sorted(rows, key=lambda row: -row[1])[:limit]

    def shap(self, features: int = 20) -> shap.Explanation:
        """For ``shap.plots.beeswarm``, ``bar``, ``heatmap`` and ``waterfall``: a row per text, a column per frequent unit.

        Values are attributions of the whole output. The column ``other units`` sums the rest, and ``earlier output`` what
        output tokens give one another if they took part, so that rows add up.
        """
        with optional_import("A table for plots", "shap"):
            from nbtextgen.explanation.shap_tables import of_many_texts

        base = np.array([each.base_values.sum() for each in self.first])
        earlier = [None if each.prefix_values is None else each.prefix_total() for each in self.first]
        rows = [(each.input_units, each.total()) for each in self.first]
        return of_many_texts(rows, earlier, base, features)

    def save(self, path: str | Path) -> Path:
        """Write all explanations and statistics to one JSON file, which ``load`` reads, and return its path.

        Raises:
            OptionError: if the name does not end in ``.json``.
            ModelFileError: if the file cannot be written.
        """
        if not archive.is_archive(path):
            raise OptionError(
                f"The explanations of many texts are saved as data, and as a page only one text's: give a name that ends in "
                f"{archive.SUFFIX} (got {str(path)!r})."
            )
        content = {
            "explanations": {method: [each.as_data() for each in texts] for method, texts in self.explanations.items()},
            "faithfulness": {
                method: {score: archive.plain(mean) for score, mean in means.items()}
                for method, means in self.faithfulness.items()
            },
            "agreement": archive.plain(self.agreement),
            "alignment_error": archive.plain(dict(self.alignment_error)),
            "right_share": {method: archive.plain(mean) for method, mean in self.right_share.items()},
            "left_out": list(self.left_out),
        }
        return archive.save(path, "survey", content)

    @classmethod
    def load(cls, path: str | Path) -> Survey:
        """Read a survey that ``save`` wrote; every number is equal to the bit.

        Raises:
            ModelFileError: if the file cannot be read, or holds something else.
        """
        content = archive.load(path, "survey")
        with archive.damage_named(path):
            agreement = archive.fields(Agreement, content["agreement"], {"correlations": 2})
            return cls(
                {
                    method: [Explanation.of_data(data, path) for data in texts]
                    for method, texts in content["explanations"].items()
                },
                {
                    method: {score: Mean(**archive.floats(mean)) for score, mean in means.items()}
                    for method, means in content["faithfulness"].items()
                },
                Agreement(**agreement),
                dict(content["alignment_error"]),
                {method: Mean(**archive.floats(mean)) for method, mean in content["right_share"].items()},
                [(source, reason) for source, reason in content.get("left_out", ())],
            )

    def to_frame(self) -> pandas.DataFrame:
        """All attributions as a long frame: the columns of ``Explanation.to_frame``, and ``text`` and ``method``."""
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        frames = [explanation.to_frame() for explanations in self.explanations.values() for explanation in explanations]
        places = [(number, method) for method, texts in self.explanations.items() for number in range(len(texts))]
        for frame, (number, method) in zip(frames, places, strict=True):
            frame.insert(0, "text", number)
            frame.insert(1, "method", method)
        return pandas.concat(frames, ignore_index=True)

    def plot(self, chart: str = "faithfulness", ax: Axes | None = None) -> Axes:
        """Draw one chart of ``figure()`` on axes of Matplotlib and return these.

        Args:
            chart: ``faithfulness``, ``lexicon``, ``agreement`` or ``hubs``.
            ax: where to draw; by default in a new figure.

        Raises:
            OptionError: for another chart, or for hubs without attention.
            MissingPackageError: without Matplotlib.
        """
        draw = self.load_views()[type(self)].chart
        assert draw is not None
        return draw(self, chart, ax)

    def frame(self) -> pandas.DataFrame:
        """The faithfulness table as a pandas frame."""
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        return pandas.DataFrame(
            {score: {method: means[score].value for method, means in self.faithfulness.items()} for score in SCORES}
        )


def _most_driven(values: Mapping[tuple[str, str], list[float]], limit: int) -> list[tuple[str, str, float, int]]:
    rows = [(*pair, float(np.mean(each)), len(each)) for pair, each in values.items() if len(each) >= MIN_COUNT]
    return sorted(rows, key=lambda row: (-row[2] * np.log1p(row[3]), row[:2]))[:limit]


def _influence(explanation: Explanation) -> Values:
    """By how much the whole source raises each output token's log-probability, in nats."""
    return explanation.log_probabilities - explanation.without_source


def survey(
    predictor: Predictor,
    pairs: Sequence[tuple[str, str]],
    config: ExplanationConfig,
    *,
    background: Sequence[str] = (),
    gold: Sequence[str] | None = None,
    gold_start: int = 0,
    score_token: TokenScore | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Survey:
    """Explain the model's output for every source, or the given targets if there are gold alignments.

    After a ``KeyboardInterrupt`` the survey covers the texts explained so far; without any, the interrupt is raised. Texts that
    cannot be explained, for instance for want of a runner-up, are left out, but not if none is left.

    Args:
        predictor: the model.
        pairs: the data; targets are only read with ``gold``.
        config: methods and settings.
        background: texts that missing units are sampled from.
        gold: an alignment per pair, such as ``0-0 1-2 3?4``, between white-space separated words.
        gold_start: the number of the first word in ``gold``.
        score_token: as in ``explain``.
        on_progress: called with (texts done, texts in all).
    """
    references = _references(gold, pairs, gold_start)
    sources = [source for source, _ in pairs]
    generations = [None] * len(pairs) if gold is not None else predictor.predict(sources, DecodingConfig())
    config = replace(config, unit=_common_unit(predictor, sources, config))
    rows, left_out = dict[int, list[Explanation]](), list[tuple[str, str]]()
    try:
        for number, ((source, target), generation) in enumerate(zip(pairs, generations, strict=True)):
            settings = config if generation is not None else replace(config, target=target)
            try:
                explainer = Explainer(
                    predictor, source, settings, generation=generation, background=background, score_token=score_token
                )
                rows[number] = [explainer.explain(method) for method in config.method]
            except DataError as error:
                left_out.append((source, str(error)))
                if len(left_out) == len(pairs):
                    raise
            if on_progress is not None:
                on_progress(number + 1, len(pairs))
    except KeyboardInterrupt:
        if not rows:
            raise
    by_method = {method: [row[column] for row in rows.values()] for column, method in enumerate(config.method)}
    errors = {} if gold is None else _alignment_errors(by_method, [references[number] for number in rows])
    shares = _right_shares(by_method, [pairs[number][1] for number in rows])
    return Survey(by_method, _mean_faithfulness(by_method), Agreement.mean([*rows.values()]), errors, shares, left_out)


def _references(gold: Sequence[str] | None, pairs: Sequence[tuple[str, str]], start: int) -> list[alignment.Gold]:
    """The gold alignment of every pair, if there are any."""
    if gold is None and start:
        raise OptionError("--gold-start is the number of the first word in the alignments --gold; give both.")
    if start not in (0, 1):
        raise OptionError(f"--gold-start is the number of the first word, 0 or 1 (got {start!r}).")
    return [] if gold is None else alignment.read_gold(gold, pairs, start)


def _common_unit(predictor: Predictor, sources: Sequence[str], config: ExplanationConfig) -> str:
    """The unit that suits most of the texts, since tables over all of them need one."""
    if config.unit != "auto" or not sources:
        return config.unit
    kinds = Counter(cut(source, predictor.source.encode(source), predictor.source).kind for source in sources)
    return kinds.most_common(1)[0][0]


def _right_shares(by_method: Mapping[str, list[Explanation]], targets: Sequence[str]) -> dict[str, Mean]:
    """Mean shares on the right span, over the right outputs of built-in data."""
    first = next(iter(by_method.values()))
    links = [
        true_links(each.source, target) if each.text == target and each.score == "log-probability" else None
        for each, target in zip(first, targets, strict=True)
    ]
    linked = [(row, spans) for row, spans in enumerate(links) if spans is not None]
    shares = {
        method: [truth.right_share(explanations[row], spans) for row, spans in linked]
        for method, explanations in by_method.items()
        if method != "context"
    }
    shares["random"] = [truth.uniform_share(first[row], spans) for row, spans in linked]
    defined = {method: [share for share in each if share is not None] for method, each in shares.items()}
    return {method: Mean.of(each) for method, each in defined.items() if each}


def _alignment_errors(
    by_method: Mapping[str, list[Explanation]], references: Sequence[alignment.Gold]
) -> dict[str, float]:
    return {
        method: alignment.error_rate([alignment.links(explanation) for explanation in explanations], references)
        for method, explanations in by_method.items()
        if method != "context"
    }


def _mean_faithfulness(by_method: Mapping[str, list[Explanation]]) -> dict[str, dict[str, Mean]]:
    table: dict[str, dict[str, Mean]] = {}
    control: list[Faithfulness] = []
    for method, explanations in by_method.items():
        results = [each.faithfulness for each in explanations if each.faithfulness is not None]
        if results:
            table[method] = {score: Mean.of([getattr(result, score) for result in results]) for score in SCORES}
            control = results
    if control:
        table["random"] = {
            score: Mean.of([getattr(result, f"random_{score}") for result in control]) for score in SCORES
        }
    return table
