"""``Explanation``: one matrix of attributions, and everything needed to show and to assess it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbtextgen.core.errors import OptionError
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.core.options import whole_number
from nbtextgen.explanation import archive
from nbtextgen.explanation.agreement import Agreement
from nbtextgen.explanation.attributions import Values
from nbtextgen.explanation.config import full_name
from nbtextgen.explanation.display import Page, Plotted
from nbtextgen.explanation.faithfulness import Faithfulness
from nbtextgen.explanation.merging import joined_pairs, numbered, words_of
from nbtextgen.explanation.sentences import output_sentence, part_sentence, token_sentences
from nbtextgen.inference.output_part import find_part
from nbtextgen.tokenizers.normalization import Span

if TYPE_CHECKING:
    import pandas
    import shap


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(Page, Plotted):
    """Attributions of every token of an output to the units of its source, by one method.

    Attributes:
        method: for instance ``shap``.
        source, text: the input, and the output explained.
        contrast: the output that it is compared with, or ``None``.
        unit: what the input was cut into: ``char``, ``token``, ``word``, ``phrase`` or ``spans``.
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
        score: what is explained of each output token: ``log-probability``, ``entropy``, or the name of a function. Values,
            ``log_probabilities`` (v(all)) and ``without_source`` are of this score.
        prefix_tokens: the earlier output tokens that took part as players, as shown; empty if only the source did.
        prefix_offsets: start and end of each in ``text``.
        prefix_values: what each of them gives each output token, ``(output tokens, prefix tokens)``, exactly 0 for the token
            itself and later ones; or ``None``. With them, Shapley values add up: ``values.sum(1) + prefix_values.sum(1)`` is
            ``log_probabilities - base_values``.
        prefix_errors: standard errors of ``prefix_values`` that were sampled, or ``None``.
        heads: attention of every head, ``(heads, output tokens, input units)``, if there are several. The decoder has a
            single layer of attention, so there are no layers to tell apart.
        faithfulness: how well the ranking of the units holds when they are removed and all that was written stays, or
            ``None``.
        interactions: Shapley interactions of pairs of ``players``, ``(output tokens, players, players)`` in nats, symmetric
            with a zero diagonal, or ``None``; see ``explanation/interactions.py``. Exactly 0 for the token itself and later ones.
        interaction_errors: standard errors of interactions that were sampled, likewise, or ``None``.
        source_notes: what to know about the texts, as sentences: tokens that the model does not know, a source that was cut.
        evaluations: masked copies of the input that the model read.
        seconds: wall time.

    Example:
        >>> e = model.explain("abc")
        >>> e.text, e.values.shape, e.frame().loc["c"].idxmax()
        ('cba', (4, 3), 'c')
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
    score: str = "log-probability"
    prefix_tokens: tuple[str, ...] = ()
    prefix_offsets: tuple[Span, ...] = ()
    prefix_values: Values | None = None
    prefix_errors: Values | None = None
    faithfulness: Faithfulness | None = None
    interactions: Values | None = None
    interaction_errors: Values | None = None
    source_notes: tuple[str, ...] = ()
    evaluations: int = 0
    seconds: float = 0.0

    def replace(self, **changes: object) -> Explanation:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def save(self, path: str | Path) -> Path:
        """Write to a file and return its path: data if the name ends in ``.json``, which ``load`` reads, else a page.

        Raises:
            ModelFileError: if the file cannot be written.
        """
        if not archive.is_archive(path):
            return super().save(path)
        return archive.save(path, "explanation", self.as_data())

    @classmethod
    def load(cls, path: str | Path) -> Explanation:
        """Read an explanation that ``save`` wrote as data; every number is equal to the bit.

        Raises:
            ModelFileError: if the file cannot be read, or holds something else.
        """
        content = archive.load(path, "explanation")
        return cls.of_data({name: value for name, value in content.items() if name not in archive.HEAD}, path)

    def as_data(self) -> dict[str, object]:
        """Every field as a value for JSON."""
        return {field.name: archive.plain(getattr(self, field.name)) for field in dataclasses.fields(self)}

    @classmethod
    def of_data(cls, content: Mapping[str, object], path: str | Path) -> Explanation:
        """The explanation of ``as_data``; ``path`` is where the data comes from, for errors.

        Raises:
            ModelFileError: if the data are of other types or sizes.
        """
        with archive.damage_named(path):
            explanation = cls(**archive.fields(cls, content, archive.ARRAYS))
            shape = (len(explanation.output_tokens), len(explanation.input_units))
            if explanation.values.shape != shape:
                raise ValueError(f"values are {explanation.values.shape} and not {shape}")
            return explanation

    def merge(self, unit: str = "word") -> Explanation:
        """Join output tokens: the log-probability of a word is the sum of its tokens', and so are its attributions.

        Exact for every method whose values are linear in the score: Shapley values, gradients, occlusion, LIME. Attention
        is averaged. A standard error is the sum of its tokens', since they come from the same samples: an upper bound.
        Earlier tokens that took part are joined too, so that what the tokens of a word give one another stands on the
        diagonal of ``prefix_values``.

        Args:
            unit: ``word``, or ``output`` for a single row. The end mark stays by itself as ``word``.

        Raises:
            OptionError: for another unit.
        """
        words = words_of(self.output_tokens, self.output_offsets, self.text, unit)
        rows, earlier = words.members, len(self.prefix_tokens)
        columns = rows[rows[:, :earlier].any(1), :earlier].T

        def summed(values: Values | None) -> Values | None:
            return None if values is None else rows @ values

        def joined(values: Values | None) -> Values | None:
            return None if values is None else rows @ values @ columns

        values = rows @ self.values
        return self.replace(
            output_tokens=words.tokens,
            output_offsets=words.offsets,
            values=values / rows.sum(1, keepdims=True) if self.method == "attention" else values,
            base_values=rows @ self.base_values,
            log_probabilities=rows @ self.log_probabilities,
            without_source=rows @ self.without_source,
            standard_errors=summed(self.standard_errors),
            convergence_delta=summed(self.convergence_delta),
            r_squared=None,
            heads=None,
            faithfulness=None,
            interactions=None if self.interactions is None else joined_pairs(self.interactions, rows, columns),
            interaction_errors=None,
            prefix_tokens=words.tokens[: columns.shape[1]],
            prefix_offsets=words.offsets[: columns.shape[1]],
            prefix_values=joined(self.prefix_values),
            prefix_errors=joined(self.prefix_errors),
        )

    def total(self) -> Values:
        """Attribution of the whole output: the sum over its tokens (the mean for attention), ``(input units,)``."""
        return self.values.mean(0) if self.method == "attention" else self.values.sum(0)

    def prefix_total(self) -> Values:
        """What each earlier output token gives the tokens after it in all, ``(prefix tokens,)``."""
        return np.zeros(len(self.prefix_tokens)) if self.prefix_values is None else self.prefix_values.sum(0)

    def head(self, number: int) -> Explanation:
        """The attention of one head, counted from 1, as an explanation of its own; ``OptionError`` if there is none."""
        number, count = whole_number("number", number), 0 if self.heads is None else len(self.heads)
        if self.heads is None or not 1 <= number <= count:
            available = f"has heads 1 to {count}" if count else "has no heads: only multi-head attention does"
            raise OptionError(f"There is no head {number}; this explanation {available}.")
        values, algorithm = self.heads[number - 1], f"head {number} of {count}"
        return self.replace(values=values, heads=None, faithfulness=None, algorithm=algorithm)

    @property
    def players(self) -> tuple[str, ...]:
        """What the output is attributed to: the input units, then the earlier output tokens that took part, after ``…``."""
        return (*self.input_units, *(f"… {token.strip() or token}" for token in self.prefix_tokens))

    def _steps(self, token: int | str) -> list[int]:
        return list(find_part(token, self.text, self.output_tokens, self.output_offsets).steps)

    def sentence(self, token: int | str | None = None) -> str:
        """Where the output comes from, in a plain sentence; or where a part of it comes from.

        Args:
            token: the index of an output token, for the word that it is part of; or a piece of the output.
        """
        if token is None:
            return output_sentence(self)
        if isinstance(token, str):
            return part_sentence(self, token, self._steps(token))
        return token_sentences(self)[self._steps(token)[0]]

    def strongest_interactions(self, token: int | str | None = None, count: int = 5) -> list[tuple[int, int, float]]:
        """Pairs of ``players`` with the largest interactions, and those in nats; largest absolute value first.

        Args:
            token: the index of an output token, or a piece of the output; by default the whole output.
            count: most pairs.

        Raises:
            OptionError: for an explanation without interactions, or a count that is no whole number of at least 0.
        """
        if self.interactions is None:
            raise OptionError("This explanation has no interactions; ask for them by --interactions.")
        values = (self.interactions if token is None else self.interactions[self._steps(token)]).sum(0)
        rows, columns = np.triu_indices(len(values), 1)
        pairs = values[rows, columns]
        order = np.argsort(-np.abs(pairs), kind="stable")[: whole_number("count", count)]
        return [(int(rows[pair]), int(columns[pair]), float(pairs[pair])) for pair in order]

    def main_effects(self) -> Values:
        """What each of the ``players`` adds apart from its interactions, ``(output tokens, players)``.

        Shapley values less half of the interactions. Main effects and pairs add up to v(all) - v(none): the k-SII of
        order 2 (Bord and von Luxburg 2023).

        Raises:
            OptionError: for an explanation without interactions.
        """
        if self.interactions is None:
            raise OptionError("This explanation has no interactions; ask for them by --interactions.")
        return self._of_players() - self.interactions.sum(2) / 2

    def _of_players(self) -> Values:
        """Values of the units and of the earlier output tokens, ``(output tokens, players)``."""
        return self.values if self.prefix_values is None else np.concatenate([self.values, self.prefix_values], 1)

    def shap(self, rows: str = "units") -> shap.Explanation:
        """As ``shap.Explanation``; earlier output tokens that took part follow the input units.

        Args:
            rows: ``units``, ``(input units, output tokens)``, as the library lays out generated text; or ``outputs``, the
                other way round, for the plots that compare rows.

        Raises:
            OptionError: now for another layout; later from a plot that does not apply to this one.
            MissingPackageError: if ``shap`` cannot be imported.

        Example:
            >>> e = model.explain("abc")
            >>> e.shap().shape                       # for shap.plots.text: every output token, on hover
            (3, 4)
            >>> e.shap()[:, 0].shape                 # for waterfall, bar and force: one output token
            (3,)
            >>> e.shap(rows="outputs").shape         # for beeswarm, bar and heatmap: all of them
            (4, 3)
        """
        with optional_import("A table for plots", "shap"):
            from nbtextgen.explanation.shap_tables import of_one_text

        return of_one_text(self._of_players(), self.base_values, self.players, self.output_tokens, rows)

    def to_frame(self) -> pandas.DataFrame:
        """As a long pandas frame: a row per output token and input unit or earlier output token.

        The columns are ``output``, ``position``, ``part`` (``source`` or ``output``), ``unit``, ``unit_position``, ``value``
        and ``standard_error``.

        Raises:
            MissingPackageError: without pandas.
        """
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        tables = [("source", self.input_units, self.values, self.standard_errors)]
        if self.prefix_values is not None:
            tables.append(("output", self.prefix_tokens, self.prefix_values, self.prefix_errors))
        rows = [
            (token, row, part, unit, column, values[row, column], np.nan if errors is None else errors[row, column])
            for part, units, values, errors in tables
            for row, token in enumerate(self.output_tokens)
            for column, unit in enumerate(units)
        ]
        names = ["output", "position", "part", "unit", "unit_position", "value", "standard_error"]
        return pandas.DataFrame(rows, columns=pandas.Index(names))

    def frame(self) -> pandas.DataFrame:
        """As a pandas frame, a row per output token and a column per input unit, numbered where a unit is repeated.

        Raises:
            MissingPackageError: without pandas.
        """
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        return pandas.DataFrame(
            self.values, index=numbered(self.output_tokens), columns=pandas.Index(numbered(self.input_units))
        )


class Explanations(Page, Mapping[str, Explanation]):
    """The same output explained by several methods, by name; shows them together and says where they disagree.

    Example:
        >>> list(model.explain("abc", method="attention,occlusion"))
        ['attention', 'occlusion']
    """

    def __init__(self, explanations: Mapping[str, Explanation]) -> None:
        """Raises ``OptionError`` for explanations of different outputs or units, which cannot be compared."""
        self._explanations = dict(explanations)
        compared = [each for each in self._explanations.values() if each.method != "context"]
        if len({(each.source, each.output_tokens, each.input_units) for each in compared}) > 1:
            raise OptionError(
                "These explanations are of different outputs or units; compare those of one output by the same units."
            )

    def __getitem__(self, method: str) -> Explanation:
        name = full_name(method)
        if name in self._explanations:
            return self._explanations[name]
        raise KeyError(f"{method!r} is not among these explanations, which are by {', '.join(self)}.")

    def __iter__(self) -> Iterator[str]:
        return iter(self._explanations)

    def __len__(self) -> int:
        return len(self._explanations)

    def save(self, path: str | Path) -> Path:
        """Write to a file and return its path: data if the name ends in ``.json``, which ``load`` reads, else a page.

        Raises:
            ModelFileError: if the file cannot be written.
        """
        if not archive.is_archive(path):
            return super().save(path)
        explanations = {method: explanation.as_data() for method, explanation in self.items()}
        return archive.save(path, "set of explanations", {"explanations": explanations})

    @classmethod
    def load(cls, path: str | Path) -> Explanations:
        """Read explanations that ``save`` wrote as data.

        Raises:
            ModelFileError: if the file cannot be read, or holds something else.
        """
        content = archive.load(path, "set of explanations")
        with archive.damage_named(path):
            return cls({method: Explanation.of_data(data, path) for method, data in content["explanations"].items()})

    def to_frame(self) -> pandas.DataFrame:
        """The long frames of all methods, with a column ``method``; see ``Explanation.to_frame``."""
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        frames = [explanation.to_frame() for explanation in self.values()]
        for method, frame in zip(self, frames, strict=True):
            frame.insert(0, "method", method)
        return pandas.concat(frames, ignore_index=True)

    def agreement(self) -> Agreement:
        """Rank correlation of every two methods."""
        return Agreement.of(list(self.values()))

    def sentence(self) -> str:
        """What the agreement means, in words; empty for a single method."""
        return self.agreement().sentence()
