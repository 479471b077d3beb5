"""What a model adds to a row of a review: the probability of each token, candidates, and reasons for doubt."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.core.escaping import brief, pictured
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.sources import validate_sources
from nbtextgen.notebook.background import BackgroundWorker
from nbtextgen.notebook.code import Values
from nbtextgen.notebook.panels.output_tokens import output_rows
from nbtextgen.review import ReviewRow

if TYPE_CHECKING:
    from nbtextgen.generator import TextGenerator

BEAM = DecodingConfig(beam=4, n_best=4)
"""The search for candidates."""
MAX_KEPT = 256
"""Rows whose details are kept."""
MAX_TOKENS = 400
"""Most tokens of an output that are shaded."""
MAX_SHORT = 60
"""Characters of a text in a reason."""
UNLIKELY = 0.5
"""Probability below which the least likely token is a reason for doubt."""


class RowDetails:
    """Looks at rows with a model, in the background, the newest request first.

    Attributes:
        worker: runs one look at a time.
    """

    def __init__(
        self,
        model: TextGenerator | None,
        on_details: Callable[[int, Values], object],
        on_error: Callable[[BaseException], object],
    ) -> None:
        """Prepare; ``on_details`` is called in the thread with a row and what the page shows of it."""
        self.model, self._on_details = model, on_details
        self.worker = BackgroundWorker("nbtextgen review", on_error=on_error)
        self._generations: OrderedDict[int, tuple[Generation, Generation | None]] = OrderedDict()

    def request(self, rows: Sequence[tuple[int, ReviewRow]]) -> None:
        """Look at some rows instead of those that were requested before."""
        if self.model is not None:
            self.worker.replace(lambda token: self._look(rows, token))

    def generation(self, row: int) -> Generation | None:
        """Return the output of a row as a generation, if the model has been asked and can write it."""
        return self._generations.get(row, (None, None))[1]

    def _look(self, rows: Sequence[tuple[int, ReviewRow]], token: CancellationToken) -> None:
        assert self.model is not None
        for number, row in rows:
            if number not in self._generations:
                self._generations[number] = _generations(self.model, row, token)
                if len(self._generations) > MAX_KEPT:
                    self._generations.popitem(last=False)
            token.raise_if_cancelled()
            self._on_details(number, _payload(row, *self._generations[number]))


def _generations(
    model: TextGenerator, row: ReviewRow, token: CancellationToken
) -> tuple[Generation, Generation | None]:
    """Return what the model writes for the source, with its candidates, and the row's output as the model would write it."""
    predictor = model.predictor
    sources = validate_sources([row.source], model.plan.data.clean)
    best = predictor.predict(sources, BEAM, cancellation=token)[0]
    for candidate in best.candidates:
        if candidate.text == row.text:
            return best, candidate
    encoded = predictor.target.encode(row.text).ids
    if not encoded or len(encoded) > MAX_TOKENS:
        return best, None
    forced = DecodingConfig(max_length=len(encoded))
    written = predictor.predict(sources, forced, encoded, cancellation=token)[0]
    return best, written if written.text == row.text else None


def _payload(row: ReviewRow, best: Generation, written: Generation | None) -> Values:
    tokens = [] if written is None or len(written.tokens) > MAX_TOKENS else output_rows(written, 0)[0]["tokens"]
    if tokens and "".join(token["before"] + token["text"] for token in tokens) != pictured(row.text):
        tokens = []
    return {
        "tokens": tokens,
        "candidates": [candidate.text for candidate in best.candidates],
        "reasons": _reasons(row, best, written, tokens),
    }


def _reasons(row: ReviewRow, best: Generation, written: Generation | None, tokens: Sequence[Values]) -> list[str]:
    """Return why the model may be wrong, as sentences."""
    reasons = list[str]()
    least = min(tokens, key=lambda token: token["p"], default=None)
    if least is not None and least["p"] < UNLIKELY:
        what = "its end" if least.get("end") else f"\u201c{_short(least['text'])}\u201d"
        reasons.append(f"The least likely part is {what}, with {percent(least['p'])}.")
    if best.text != row.text:
        reasons.append(f"With a wider search the model writes \u201c{_short(best.text)}\u201d.")
    elif len(best.candidates) > 1 and written is not None:
        second = best.candidates[1]
        ratio = math.exp(min(0.0, second.log_probability - written.log_probability))
        if ratio > UNLIKELY:
            reasons.append(f"Its second choice, \u201c{_short(second.text)}\u201d, is {percent(ratio)} as likely.")
    return reasons


def percent(probability: float) -> str:
    """Return a probability in per cent, which is never rounded to 0 or 100."""
    value = 100 * probability
    if 0.1 <= value < 10 or 99 < value <= 99.9:
        return f"{value:.1f} %"
    return "less than 0.1 %" if value < 0.1 else "more than 99.9 %" if value > 99.9 else f"{value:.0f} %"


def _short(text: str) -> str:
    return pictured(brief(text, MAX_SHORT))
