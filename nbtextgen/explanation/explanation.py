"""``Explanation``: one matrix of attributions, and everything needed to show it and to judge it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import ModelFileError, OptionError
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.tokenizers.normalization import Span

if TYPE_CHECKING:
    from nbtextgen.explanation.faithfulness import Faithfulness

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why every token of an output was written, by one method.

    Attributes:
        method: for instance ``shap``.
        source, text: the input, and the output explained.
        contrast: the output it is set against, or ``None``.
        unit: what the input was cut into: ``char``, ``token``, ``word`` or ``spans``.
        missing: what stood for missing units: ``mask``, ``delete`` or ``sample``.
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
        algorithm: how the values were found, in words.
        standard_errors: of values that were sampled, like ``values``, or ``None``.
        r_squared: fit of a LIME surrogate, ``(output tokens,)``, or ``None``.
        convergence_delta: for integrated gradients, what the sum misses of f(input) - f(baseline), ``(output tokens,)``.
        heads: attention of every head, ``(heads, output tokens, input units)``, where there are several. The decoder has one
            layer of attention, so heads are all there is to tell apart.
        faithfulness: how far the ranking of the units holds when they are really taken away, or ``None``.
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
    values: Values = field(repr=False)
    base_values: Values = field(repr=False)
    log_probabilities: Values = field(repr=False)
    without_source: Values = field(repr=False)
    algorithm: str = ""
    standard_errors: Values | None = field(default=None, repr=False)
    r_squared: Values | None = field(default=None, repr=False)
    convergence_delta: Values | None = field(default=None, repr=False)
    heads: Values | None = field(default=None, repr=False)
    faithfulness: Faithfulness | None = field(default=None, repr=False)
    evaluations: int = 0
    seconds: float = 0.0

    def __repr__(self) -> str:
        from nbtextgen.explanation.views.html import plain

        return plain(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        from nbtextgen.explanation.views.html import inline

        return {"text/plain": repr(self), "text/html": inline([self])}

    def replace(self, **changes: Any) -> Explanation:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def total(self) -> Values:
        """Attribution of the whole output: the sum over its tokens (the mean for attention), ``(input units,)``."""
        return self.values.mean(0) if self.method == "attention" else self.values.sum(0)

    def head(self, number: int) -> Explanation:
        """The attention of one head, counted from 1, as an explanation of its own.

        Raises:
            OptionError: when there is no such head.
        """
        heads = 0 if self.heads is None else len(self.heads)
        if self.heads is None or not 1 <= number <= heads:
            have = f"has heads 1 to {heads}" if heads else "has no heads: only multi-head attention does"
            raise OptionError(f"There is no head {number}; this explanation {have}.")
        return self.replace(
            values=self.heads[number - 1], heads=None, faithfulness=None, algorithm=f"head {number} of {heads}"
        )

    def shap(self) -> Any:
        """As ``shap.Explanation``, ``(input units, output tokens)``, as the library lays out generated text.

        Example:
            >>> shap.plots.text(e.shap())                 # every output token, on hover     # doctest: +SKIP
            >>> shap.plots.waterfall(e.shap()[:, 0])      # one output token; bar likewise   # doctest: +SKIP
        """
        from nbtextgen.explanation.shapley import as_shap

        return as_shap(self)

    def frame(self) -> Any:
        """As a pandas frame, a row per output token and a column per input unit, numbered where a unit is repeated.

        Raises:
            MissingPackageError: without pandas.
        """
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        return pandas.DataFrame(
            self.values, index=_numbered(self.output_tokens), columns=pandas.Index(_numbered(self.input_units))
        )

    def figure(self) -> Any:
        """As a Matplotlib figure: the matrix, sign by colour.

        Raises:
            MissingPackageError: without Matplotlib.
        """
        from nbtextgen.explanation.views.figures import heatmap

        return heatmap(self)

    def html(self) -> str:
        """A whole page that needs no kernel and no network."""
        from nbtextgen.explanation.views.html import page

        return page([self])

    def save(self, path: str | Path) -> Path:
        """Write ``html`` to a file.

        Raises:
            ModelFileError: when it cannot be written.
        """
        return _write(Path(path), self.html())


class Explanations(Mapping[str, Explanation]):
    """The same output explained by several methods, by name; shows them together and says where they disagree."""

    def __init__(self, found: Mapping[str, Explanation]) -> None:
        self._found = dict(found)

    def __getitem__(self, method: str) -> Explanation:
        return self._found[method]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        from nbtextgen.explanation.views.html import plain

        return "\n\n".join([*(plain(each) for each in self.values()), self.sentence()]).rstrip()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        from nbtextgen.explanation.views.html import inline

        return {"text/plain": repr(self), "text/html": inline(list(self.values()), self.sentence())}

    def agreement(self) -> Any:
        """Rank correlation of every two methods; see ``agreement.Agreement``."""
        from nbtextgen.explanation.agreement import Agreement

        return Agreement.of(list(self.values()))

    def sentence(self) -> str:
        """What the agreement means, in words; empty for a single method."""
        return self.agreement().sentence() if len(self) > 1 else ""

    def html(self) -> str:
        """A whole page that needs no kernel and no network."""
        from nbtextgen.explanation.views.html import page

        return page(list(self.values()), self.sentence())

    def save(self, path: str | Path) -> Path:
        """Write ``html`` to a file; raises ``ModelFileError`` when it cannot be written."""
        return _write(Path(path), self.html())


def _numbered(texts: tuple[str, ...]) -> list[str]:
    """Repeated texts get a number, so that a frame's columns have different names."""
    seen: dict[str, int] = {}
    found = []
    for text in texts:
        seen[text] = seen.get(text, 0) + 1
        found.append(text if seen[text] == 1 else f"{text} ({seen[text]})")
    return found


def _write(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ModelFileError(f"The explanation could not be saved to {path}: {error.strerror or error}.") from error
    return path
