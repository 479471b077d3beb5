"""``Explanation``: one matrix of attributions, and everything needed to show and to assess it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nbtextgen.core.errors import OptionError
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.explanation.agreement import Agreement
from nbtextgen.explanation.attributions import Values
from nbtextgen.explanation.display import Drawn, Page
from nbtextgen.explanation.faithfulness import Faithfulness
from nbtextgen.explanation.sentences import output_sentence, token_sentences
from nbtextgen.tokenizers.normalization import Span

if TYPE_CHECKING:
    import pandas
    import shap


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(Page, Drawn):
    """Attributions of every token of an output to the units of its source, by one method.

    Attributes:
        method: for instance ``shap``.
        source, text: the input, and the output explained.
        contrast: the output that it is compared with, or ``None``.
        unit: what the input was cut into: ``char``, ``token``, ``word`` or ``spans``.
        missing: what replaced missing units: ``mask``, ``delete`` or ``sample``.
        input_units: the units as they stand in the source.
        input_offsets: start and end of each in ``source``.
        output_tokens: tokens as shown, the end mark last.
        output_offsets: start and end of each in ``text``.
        values: ``(output tokens, input units)``; log-probability in nats, except for attention (weights).
        base_values: what the values add up from, ``(output tokens,)``: v(none); for LIME its intercept, for attention 0.
        log_probabilities: v(all), of each output token given the whole source, ``(output tokens,)``; with a contrast, the
            difference from the alternative.
        without_source: v(none), of each output token with all units missing, ``(output tokens,)``; as ``base_values`` for
            Shapley values and occlusion.
        algorithm: how the values were computed, in words.
        standard_errors: of values that were sampled, like ``values``, or ``None``.
        r_squared: fit of a LIME surrogate, ``(output tokens,)``, or ``None``.
        convergence_delta: for integrated gradients, the sum of the values minus f(input) - f(baseline),
            ``(output tokens,)``.
        heads: attention of every head, ``(heads, output tokens, input units)``, if there are several. The decoder has a
            single layer of attention, so there are no layers to tell apart.
        faithfulness: how well the ranking of the units holds when they are removed, or ``None``.
        interactions: Shapley interactions of pairs of units, ``(output tokens, input units, input units)`` in nats, symmetric
            with a zero diagonal, or ``None``; see ``explanation/interactions.py``.
        interaction_errors: standard errors of interactions that were sampled, likewise, or ``None``.
        evaluations: masked copies of the input that the model read.
        seconds: wall time.
    """

    method: str
    source: str
    text: str
    contrast: str | None
    unit: str
    missing: str
    input_units: tuple[str, ...]
    input_offsets: tuple[Span, ...]
    output_tokens: tuple[str, ...]
    output_offsets: tuple[Span, ...]
    values: Values
    base_values: Values
    log_probabilities: Values
    without_source: Values
    algorithm: str = ""
    standard_errors: Values | None = None
    r_squared: Values | None = None
    convergence_delta: Values | None = None
    heads: Values | None = None
    faithfulness: Faithfulness | None = None
    interactions: Values | None = None
    interaction_errors: Values | None = None
    evaluations: int = 0
    seconds: float = 0.0

    def replace(self, **changes: Any) -> Explanation:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def total(self) -> Values:
        """Attribution of the whole output: the sum over its tokens (the mean for attention), ``(input units,)``."""
        return self.values.mean(0) if self.method == "attention" else self.values.sum(0)

    def head(self, number: int) -> Explanation:
        """The attention of one head, counted from 1, as an explanation of its own.

        Raises:
            OptionError: if there is no such head.
        """
        count = 0 if self.heads is None else len(self.heads)
        if self.heads is None or not 1 <= number <= count:
            available = f"has heads 1 to {count}" if count else "has no heads: only multi-head attention does"
            raise OptionError(f"There is no head {number}; this explanation {available}.")
        algorithm = f"head {number} of {count}"
        return self.replace(values=self.heads[number - 1], heads=None, faithfulness=None, algorithm=algorithm)

    def sentence(self, token: int | None = None) -> str:
        """Where the output comes from, in a plain sentence; or where the word comes from that an output token is part of."""
        return output_sentence(self) if token is None else token_sentences(self)[token]

    def strongest_interactions(self, token: int | None = None, count: int = 5) -> list[tuple[int, int, float]]:
        """Pairs of input units with the largest interactions, and those in nats; largest absolute value first.

        Args:
            token: the index of an output token; by default the whole output.
            count: most pairs.

        Raises:
            OptionError: for an explanation without interactions.
        """
        if self.interactions is None:
            raise OptionError("This explanation has no interactions; ask for them by --interactions.")
        values = self.interactions.sum(0) if token is None else self.interactions[token]
        rows, columns = np.triu_indices(len(self.input_units), 1)
        pairs = values[rows, columns]
        order = np.argsort(-np.abs(pairs), kind="stable")[:count]
        return [(int(rows[pair]), int(columns[pair]), float(pairs[pair])) for pair in order]

    def main_effects(self) -> Values:
        """What each unit adds apart from its interactions, ``(output tokens, input units)``.

        Shapley values less half of the unit's interactions. Main effects and pairs add up to v(all) - v(none): the k-SII of
        order 2 (Bord and von Luxburg 2023).

        Raises:
            OptionError: for an explanation without interactions.
        """
        if self.interactions is None:
            raise OptionError("This explanation has no interactions; ask for them by --interactions.")
        return self.values - self.interactions.sum(2) / 2

    def shap(self) -> shap.Explanation:
        """As ``shap.Explanation``, ``(input units, output tokens)``, as the library lays out generated text.

        Example:
            >>> shap.plots.text(e.shap())                 # every output token, on hover     # doctest: +SKIP
            >>> shap.plots.waterfall(e.shap()[:, 0])      # one output token; bar likewise   # doctest: +SKIP
        """
        import shap

        return shap.Explanation(
            values=self.values.T.copy(),
            base_values=self.base_values.copy(),
            data=np.array(self.input_units, dtype=object),
            feature_names=list(self.input_units),
            output_names=list(self.output_tokens),
        )

    def frame(self) -> pandas.DataFrame:
        """As a pandas frame, a row per output token and a column per input unit, numbered where a unit is repeated.

        Raises:
            MissingPackageError: without pandas.
        """
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        return pandas.DataFrame(
            self.values, index=_numbered(self.output_tokens), columns=pandas.Index(_numbered(self.input_units))
        )


class Explanations(Page, Mapping[str, Explanation]):
    """The same output explained by several methods, by name; shows them together and says where they disagree."""

    def __init__(self, explanations: Mapping[str, Explanation]) -> None:
        self._explanations = dict(explanations)

    def __getitem__(self, method: str) -> Explanation:
        return self._explanations[method]

    def __iter__(self) -> Iterator[str]:
        return iter(self._explanations)

    def __len__(self) -> int:
        return len(self._explanations)

    def agreement(self) -> Agreement:
        """Rank correlation of every two methods."""
        return Agreement.of(list(self.values()))

    def sentence(self) -> str:
        """What the agreement means, in words; empty for a single method."""
        return self.agreement().sentence()


def _numbered(texts: tuple[str, ...]) -> list[str]:
    """Number repeated texts, so that a frame's columns have different names."""
    counts, names = Counter[str](), list[str]()
    for text in texts:
        counts[text] += 1
        names.append(text if counts[text] == 1 else f"{text} ({counts[text]})")
    return names
