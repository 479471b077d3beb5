"""What a generator writes: text, and everything known about how it came to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.escaping import pictured, visible


@dataclass(frozen=True, eq=False)
class Generation:
    """One output for one source; ``str()`` gives its text.

    Attributes:
        source: the text that was given.
        text: the text that was written.
        tokens: the output's tokens, readable; the end mark is not among them.
        input_tokens: the source's tokens.
        log_probabilities: natural logarithm of each token's probability, ``(output tokens,)``, followed by that of
            the end mark.
        attention: weight of every input token at every output token, ``(output tokens, input tokens)``, rows summing
            to one; ``None`` for a model without attention, and for a source and output so long (more than 67 million
            weights) that it is not kept.
        score: what decoding ranked by; higher is better.
        candidates: the n-best list, best first, this one included.
        ids: token ids of the output, without the end mark.
    """

    source: str
    text: str
    tokens: tuple[str, ...]
    input_tokens: tuple[str, ...]
    log_probabilities: NDArray[np.float32] = field(repr=False)
    attention: NDArray[np.float32] | None = field(repr=False)
    score: float
    candidates: tuple[Generation, ...] = field(default=(), repr=False)
    ids: tuple[int, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        if len(self.candidates) < 2:
            return f"Generation({self.text!r}, score={self.score:.3f})"
        lines = [f"  {each.score:8.3f}  {pictured(each.text)}" for each in self.candidates]
        return "\n".join([f"Generation({self.text!r}) with {len(lines)} candidates:", *lines])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"text/plain": repr(self), "text/html": table(self.candidates or (self,), with_source=False)}


class Generations(list[Generation]):
    """The outputs for a list of sources: a list that shows itself as a table."""

    def __repr__(self) -> str:
        return "\n".join(f"{pictured(each.source)} -> {pictured(each.text)}" for each in self) or "[]"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"text/plain": repr(self), "text/html": table(self, with_source=True)}


def table(rows: Sequence[Generation], *, with_source: bool, beside: Sequence[str] = ()) -> str:
    """A table of outputs, each token shaded by how unsure the model was of it; all text escaped.

    Args:
        rows: the outputs.
        with_source: whether their sources differ, and stand before them.
        beside: HTML to stand at the end of the first rows.
    """
    body = []
    for row, more in zip(rows, [*beside, *[""] * (len(rows) - len(beside))], strict=True):
        source = f"<td style='text-align:left'><bdi>{visible(row.source)}</bdi></td>" if with_source else ""
        last = f"<td>{more}</td>" if more else ""
        body.append(
            f"<tr>{source}<td style='text-align:left'>{_shaded(row)}</td>"
            f"<td style='text-align:right;opacity:.75'>{row.score:.3f}</td>{last}</tr>"
        )
    first = "<th style='text-align:left'>source</th>" if with_source else ""
    last = "<td></td>" if any(beside) else ""
    head = f"<tr>{first}<th style='text-align:left'>output</th><th style='text-align:right'>score</th>{last}</tr>"
    return f"<table><thead>{head}</thead><tbody>{''.join(body)}</tbody></table>"


def _shaded(row: Generation) -> str:
    """The text; where tokens join up to it exactly, each token underlined by its doubt."""
    if "".join(row.tokens) != row.text or len(row.tokens) > 400:
        return f"<bdi>{visible(row.text)}</bdi>"
    parts = []
    for token, logged in zip(row.tokens, row.log_probabilities, strict=False):
        probability = float(np.exp(logged))
        doubt = f"background:rgba(230,120,0,{0.55 * (1 - probability):.2f})" if probability < 0.9 else ""
        parts.append(f"<span title='p = {probability:.3f}' style='{doubt}'>{visible(token)}</span>")
    return f"<bdi style='white-space:pre-wrap;overflow-wrap:anywhere'>{''.join(parts)}</bdi>"
