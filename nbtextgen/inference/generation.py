"""``Generation``: a generated text with its tokens, probabilities and attention, and its display as a table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nbtextgen.confidence.confidence import Acceptance, Assessment
from nbtextgen.confidence.features import Observation
from nbtextgen.core.escaping import CELL, brief, pictured, visible
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.core.wording import counted, share
from nbtextgen.decoding.hypothesis import Hypothesis

if TYPE_CHECKING:
    import pandas

MAX_NOTES = 5
"""Notes shown for many outputs."""
MAX_SHADED = 400
"""Most tokens of an output that are shaded."""
MAX_COUNTED_NOTES = 1000
"""Different notes that are counted."""


@dataclass(frozen=True, eq=False)
class Generation:
    """One output for one source; ``str()`` gives its text.

    Attributes:
        source: the source text.
        text: the generated text.
        tokens: the output's tokens as text, without the end token.
        input_tokens: the source's tokens.
        log_probabilities: natural logarithm of the probability of each token and of the end token,
            ``(output tokens + 1,)``.
        attention: weight of every input token at every output token, ``(output tokens, input tokens)``, rows summing
            to one; ``None`` for a model without attention, and for a source and output so long (more than 67 million
            weights) that it is not kept.
        score: candidates are ranked by it; higher is better.
        candidates: the n-best list, best first, including this one.
        ids: token ids of the output, without the end token.
        unknown: tokens of the source that the model does not know, in their order.
        notes: what to know about this output, as sentences: unknown characters of the source, a source that was cut.
        model: fingerprint of the model that generated it.
        features: what the confidence is computed from, see ``nbtextgen.confidence.features``; or ``None``.
        calibrated: probability that the output is right as a whole, or ``None`` for a model without a calibration.
        token_confidences: probability that each token is right, ``(output tokens,)``, or ``None`` likewise.
        unlike: whether the source is unlike the training data, as ``notes`` say.
        accepted: whether the output may be used unread; only with ``accept``.

    Example:
        >>> result = model.generate("abc", beam=3, n_best=2)
        >>> result.text, result.tokens, len(result.candidates), result.attention.shape
        ('cba', ('c', 'b', 'a'), 2, (3, 3))
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
    unknown: tuple[str, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)
    model: str = field(default="", repr=False)
    features: NDArray[np.float64] | None = field(default=None, repr=False)
    calibrated: float | None = field(default=None, repr=False)
    token_confidences: NDArray[np.float64] | None = field(default=None, repr=False)
    unlike: bool = field(default=False, repr=False)
    accepted: bool | None = field(default=None, repr=False)

    @classmethod
    def empty(cls, source: str, model: str = "") -> Generation:
        """Return the output for a source without text."""
        return cls(source, "", (), (), np.zeros(0, np.float32), None, 0.0, model=model)

    @property
    def log_probability(self) -> float:
        """Natural logarithm of the probability of the whole output."""
        return float(self.log_probabilities.sum())

    @property
    def confidence(self) -> float:
        """The probability that the output is right as a whole, calibrated on held-out pairs; 0 if there is no output.

        For a model without a calibration it is the geometric mean of the probabilities of the tokens and of the end.
        """
        if self.calibrated is not None:
            return self.calibrated
        return float(np.exp(self.log_probabilities.mean())) if self.log_probabilities.size else 0.0

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        if len(self.candidates) < 2:
            return "\n".join([f"Generation({self.text!r}, score={self.score:.3f})", *self.notes])
        lines = [f"  {each.score:8.3f}  {pictured(each.text)}" for each in self.candidates]
        return "\n".join([f"Generation({self.text!r}) with {len(lines)} candidates:", *lines, *self.notes])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": table(self.candidates or (self,))}


def observed(
    outputs: Sequence[Generation], hypotheses: Sequence[Hypothesis], source_ids: Sequence[int]
) -> list[Observation]:
    """What the confidence of each candidate for one source is computed from."""
    totals = [float(hypothesis.log_probabilities.sum()) for hypothesis in hypotheses] if len(hypotheses) > 1 else []
    return [
        Observation(
            source_ids,
            hypothesis.ids,
            hypothesis.log_probabilities,
            output.attention,
            totals[0 if index else 1] if totals else None,
            hypothesis.ended,
            hypothesis.rivals,
        )
        for index, (output, hypothesis) in enumerate(zip(outputs, hypotheses, strict=True))
    ]


def assessed(output: Generation, result: Assessment) -> Generation:
    """The output with its confidence, and a warning if its source is unlike the training data."""
    return replace(
        output,
        features=result.features,
        calibrated=result.confidence,
        token_confidences=result.tokens,
        notes=(*output.notes, *result.warnings),
        unlike=bool(result.warnings),
    )


FEW = 10
"""Sources that may have been meant as names of files."""
_FILE_NAME = re.compile(r"[^\n]{1,200}\.\w{1,7}")


def add_note(generations: list[Generation], note: str) -> None:
    """Add a sentence to the notes of outputs, of the first one alone if they are many."""
    for index, each in enumerate(generations[: len(generations) if len(generations) <= MAX_COUNTED_NOTES else 1]):
        generations[index] = replace(each, notes=(*each.notes, note))


def note_file_names(generations: list[Generation]) -> None:
    """Note sources, if there are few, that are also names of files: whoever gives one may have meant the file."""
    for index, each in enumerate(generations if len(generations) <= FEW else ()):
        with suppress(OSError, ValueError):
            if _FILE_NAME.fullmatch(each.source) and Path(each.source).is_file():
                name = pictured(brief(each.source))
                note = f"{name} is read as a text, not as the file of this name; --data reads the file (in Python: generate_file)."
                generations[index] = replace(each, notes=(*each.notes, note))


class GenerationInterrupted(KeyboardInterrupt):
    """Raised by ``generate`` when it is interrupted (Ctrl-C, the notebook's stop button).

    Attributes:
        generations: the outputs that were finished, and what there is of the output for a single source.
    """

    def __init__(self, generations: Generations, message: str) -> None:
        super().__init__(message)
        self.generations = generations

    def __reduce__(self) -> tuple[type[GenerationInterrupted], tuple[Generations, str]]:
        return type(self), (self.generations, str(self))

    @classmethod
    def in_text(cls, text: str, pieces: Sequence[str], model: str) -> GenerationInterrupted:
        """Interrupted while a text was continued; ``pieces`` are the text and what was generated after it."""
        written = replace(Generation.empty(text, model), text="".join(pieces))
        new = counted(len(written.text) - len(text), "character")
        return cls(Generations([written]), f"Interrupted after {new}; see .generations.")


class NoteSummary:
    """The notes of many outputs in a few sentences.

    Attributes:
        any: whether a single output has notes.
    """

    def __init__(self) -> None:
        self._rows = self._empty = self._noted = 0
        self._counts: Counter[str] = Counter()
        self._first: dict[str, int] = {}
        self.any = False

    def add(self, source: str, notes: Sequence[str]) -> None:
        """Add an output by its source and notes."""
        self._rows += 1
        self._empty += not source.strip()
        self._noted += bool(notes)
        self.any = self.any or bool(notes)
        for note in notes:
            if note in self._first or len(self._first) < MAX_COUNTED_NOTES:
                self._first.setdefault(note, self._rows)
                self._counts[note] += 1

    def sentences(self) -> tuple[str, ...]:
        """Return what to know: empty sources, and the most frequent notes with the first source that they belong to."""
        sentences = list[str]()
        if self._empty:
            sentences.append(
                f"{share(self._empty, self._rows, 'source', 'is', 'are')} empty, and so {'is its output' if self._empty == 1 else 'are their outputs'}."
            )
        for note, count in self._counts.most_common(MAX_NOTES):
            more = f" and {count - 1:,} more" if count > 1 else ""
            sentences.append(f"Source {self._first[note]:,}{more}: {note}")
        if len(self._counts) > MAX_NOTES:
            sentences.append(f"{share(self._noted, self._rows, 'output', 'has', 'have')} notes; see those of each.")
        return tuple(sentences)


def accept_outputs(generations: Generations, acceptance: Acceptance | None) -> Generations:
    """Say of every output whether it is accepted; without ``acceptance`` they are returned as they are."""
    if acceptance is None:
        return generations
    marked = Generations(
        replace(each, accepted=acceptance.accepts(each.calibrated, each.unlike)) for each in generations
    )
    count = sum(each.features is not None for each in marked)
    marked.promise = acceptance.sentence(sum(bool(each.accepted) for each in marked), count)
    return marked


class Generations(list[Generation]):
    """The outputs for a list of sources; notebooks show the list as a table.

    Attributes:
        promise: with ``accept``, how many outputs are accepted and what that promises.

    Example:
        >>> model.generate(["abc", "cab"])
        abc -> cba
        cab -> bac
        >>> model.generate(["abc", "cab"]).frame()["text"].tolist()
        ['cba', 'bac']
    """

    promise: str = ""

    @property
    def texts(self) -> list[str]:
        """The text of every output."""
        return [each.text for each in self]

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know about these outputs, as sentences: the promise, empty sources, and the notes of single outputs."""
        summary = NoteSummary()
        for each in self:
            summary.add(each.source, each.notes)
        return (*([self.promise] if self.promise else ()), *summary.sentences())

    def frame(self) -> pandas.DataFrame:
        """The outputs as a pandas frame: ``source``, ``text``, ``score``, ``log_probability``, ``confidence``, ``accepted``,
        ``notes``.

        Raises:
            MissingPackageError: without pandas.
        """
        with optional_import("A data frame", "pandas", "frames"):
            import pandas
        names = ["source", "text", "score", "log_probability", "confidence", "accepted", "notes"]
        return pandas.DataFrame([[getattr(each, name) for name in names] for each in self], columns=pandas.Index(names))

    def __repr__(self) -> str:
        rows = [f"{pictured(each.source)} -> {pictured(each.text)}" for each in self]
        return "\n".join([*rows, *self.notes]) or "[]"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": table(self)}


SCORE = "log-probability divided by the length penalty; higher is better"
CONFIDENCE = "probability that the output is right as a whole, calibrated on held-out pairs"


def table(rows: Sequence[Generation], *, beside: Sequence[str] = ()) -> str:
    """Return an HTML table of sources and outputs, with unlikely tokens shaded, and their notes; all text is escaped.

    Args:
        rows: the outputs; the candidates of one source show it once.
        beside: HTML of the last cell in the first rows.
    """
    body, candidates = list[str](), bool(rows) and len(rows) > 1 and rows[0].candidates[:2] == tuple(rows[:2])
    calibrated = any(row.calibrated is not None for row in rows)
    for row, more in zip(rows, [*beside, *[""] * (len(rows) - len(beside))], strict=True):
        text = "" if candidates and body else visible(row.source)
        source = f"<td style='{CELL};text-align:left'><bdi>{text}</bdi></td>"
        last = f"<td>{more}</td>" if more else ""
        body.append(
            f"<tr>{source}<td style='{CELL};text-align:left'>{_shaded(row)}</td>"
            f"<td style='{CELL};text-align:right;opacity:.75'>{row.score:.3f}</td>{_confidence(row) if calibrated else ''}{last}</tr>"
        )
    last = "<td></td>" if any(beside) else ""
    left = f"<th style='{CELL};text-align:left'>"
    right = f"<th style='{CELL};text-align:right'"
    confidence = f"{right} title='{CONFIDENCE}'>confidence</th>" if calibrated else ""
    head = f"<tr>{left}input</th>{left}output</th>{right} title='{SCORE}'>score</th>{confidence}{last}</tr>"
    every = rows if isinstance(rows, Generations) else Generations(rows)
    notes = [*(rows[0].notes if candidates or len(rows) == 1 and not every.promise else every.notes)]
    if "rgba(" in "".join(body):
        notes.append("shaded: tokens of less than 90 % probability, the darker the less likely")
    below = "".join(f"<div style='opacity:.75'>{visible(note)}</div>" for note in notes)
    return f"<table><thead>{head}</thead><tbody>{''.join(body)}</tbody></table>{below}"


def _confidence(row: Generation) -> str:
    """A cell with the confidence of an output, and whether it is accepted."""
    mark = {True: "accepted", False: "to check", None: ""}[row.accepted]
    percent = "" if row.calibrated is None else f"{100 * row.calibrated:.1f} %"
    return (
        f"<td style='{CELL};text-align:right;opacity:.75;white-space:nowrap'>{percent}{f' {mark}' if mark else ''}</td>"
    )


def spaced_tokens(generation: Generation) -> list[tuple[str, str]]:
    """Return each token with the white space before it in the text."""
    spaced: list[tuple[str, str]] = []
    position = 0
    for token in generation.tokens:
        start = generation.text.find(token, position) if token else -1
        if start >= 0 and not generation.text[position:start].strip():
            spaced.append((generation.text[position:start], token))
            position = start + len(token)
        elif token.strip() and generation.text.startswith(token.strip(), position):
            spaced.append(("", token.strip()))  # byte pairs put a space before the first word
            position += len(token.strip())
        else:
            spaced.append((" " if spaced and " " in generation.text else "", token))
    return spaced


def _shaded(row: Generation) -> str:
    """Return the text as HTML; if its tokens can be found in it, unlikely ones are shaded."""
    spaced = spaced_tokens(row) if len(row.tokens) <= MAX_SHADED else []
    if "".join(space + token for space, token in spaced) != row.text:
        return f"<bdi>{visible(row.text)}</bdi>"
    parts = list[str]()
    for (space, token), logged in zip(spaced, row.log_probabilities, strict=False):
        probability = float(np.exp(logged))
        doubt = f"background:rgba(230,120,0,{0.55 * (1 - probability):.2f})" if probability < 0.9 else ""
        parts.append(
            f"{visible(space)}<span title='p = {100 * probability:.3g} %' style='{doubt}'>{visible(token)}</span>"
        )
    return f"<bdi style='white-space:pre-wrap;overflow-wrap:anywhere'>{''.join(parts)}</bdi>"
