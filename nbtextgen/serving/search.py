"""Greedy decoding, sampling and beam search as in ``nbtextgen.decoding.search``, over NumPy arrays.

The outputs are the same token for token. Sampling draws from the same distributions, but with other random numbers.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import OptionError
from nbtextgen.decoding.config import NOTHING_ALLOWED, DecodingConfig, TokenRules
from nbtextgen.decoding.hypothesis import Hypothesis, length_norm, uncovered
from nbtextgen.serving.constraints import IMPOSSIBLE, NumpyConstraints, sharpen
from nbtextgen.serving.network import Floats, Ids, OnnxEnsemble
from nbtextgen.tokenizers.base import BOS, EOS, PAD


def decode(
    model: OnnxEnsemble,
    source: Ids,
    copies: Ids | None,
    config: DecodingConfig,
    max_length: Sequence[int],
    rules: TokenRules,
) -> list[list[Hypothesis]]:
    """Generate the outputs for a batch of sources.

    Args:
        model: the networks.
        source: ``(batch, source_length)``.
        copies: for networks with a copy head, the target-side ids of the source tokens.
        config: beam, sampling, penalties and limits.
        max_length: most output tokens, one limit per source.
        rules: prefix, allowed and forbidden tokens.

    Returns:
        for each source its hypotheses, best first; at most ``n_best``.

    Raises:
        OptionError: if the rules leave no token to generate.
    """
    greedy = config.sample or (config.beam == 1 and config.n_best == 1)
    search = GreedySearch if greedy else BeamSearch
    hypotheses = search(model, source, copies, NumpyConstraints(config, rules), max_length).run()
    if not all(hypotheses):
        raise OptionError(NOTHING_ALLOWED)
    return [sorted(each, key=lambda hypothesis: -hypothesis.score)[: config.n_best] for each in hypotheses]


def stream(
    model: OnnxEnsemble, source: Ids, copies: Ids | None, config: DecodingConfig, max_length: int, rules: TokenRules
) -> Iterator[int]:
    """Yield tokens for one source as they are chosen, greedily or by sampling, without the end token."""
    search = GreedySearch(model, source, copies, NumpyConstraints(config, rules), [max_length])
    while True:
        search.advance()
        token = int(search.last[0, 0])
        if token == EOS:
            return
        yield token


def _choose(logs: Floats, config: DecodingConfig, generators: Sequence[np.random.Generator]) -> Ids:
    """Return the best token of every hypothesis, or a drawn one (the Gumbel-max trick: Gumbel 1954)."""
    if not config.sample:
        return logs.argmax(-1)
    noise = np.stack([generator.gumbel(size=logs.shape[1:]) for generator in generators])
    return (sharpen(logs, config) + noise).argmax(-1)


def _ints(values: Ids) -> list[int]:
    return values.tolist()


def _pick(values: Floats, ids: Ids) -> Floats:
    """Return ``values (batch, width, n)`` at ``ids (batch, width)``."""
    return np.take_along_axis(values, ids[..., None], -1)[..., 0]


def _likeliest_other(logs: Floats, ids: Ids) -> Floats:
    """Return the largest of ``logs (batch, width, n)`` besides those at ``ids (batch, width)``."""
    others = logs.copy()
    np.put_along_axis(others, ids[..., None], IMPOSSIBLE, -1)
    return others.max(-1)


class BatchSearch(ABC):
    """A search over a batch of sources; a source leaves it when its outputs are complete.

    Attributes:
        rows: the sources that are still decoded, by index.
        last: the last token of every hypothesis, ``(rows, width)``.
        generated: all its tokens, ``(rows, width, steps)``.
    """

    def __init__(
        self,
        model: OnnxEnsemble,
        source: Ids,
        copies: Ids | None,
        constraints: NumpyConstraints,
        max_length: Sequence[int],
    ) -> None:
        """Encode the sources; the arguments are those of ``decode``."""
        self.model, self.constraints, self.config = model, constraints, constraints.config
        shortest = max(len(constraints.rules.prefix) + 1, self.config.min_length)
        self.limits = np.maximum(max_length, shortest)
        self.state = model.start(source, copies)
        self.rows: Ids = np.arange(len(source))
        self.last: Ids = np.full((len(source), 1), BOS)
        self.generated: Ids = np.zeros((len(source), 1, 0), np.int64)
        self.finished = [list[Hypothesis]() for _ in self.rows]
        self._prepare(source)

    def run(self) -> list[list[Hypothesis]]:
        """Search until every source is finished."""
        while len(self.rows):
            self.advance()
            kept = self._unfinished()
            if len(kept) < len(self.rows):
                self._keep(kept)
        return self.finished

    def _step(self) -> tuple[Floats, Floats, Floats]:
        """Return the log-probabilities of the next tokens, those that the constraints leave, and the attention."""
        logs, attention, self.state = self.model.step(self.last, self.state)
        at_limit = self.limits[self.rows] <= self.generated.shape[-1]
        return logs, self.constraints.force_end(self.constraints.apply(logs, self.generated), at_limit), attention

    def _keep(self, kept: Ids) -> None:
        """Continue with the rows ``kept``."""
        self.rows, self.last, self.generated = self.rows[kept], self.last[kept], self.generated[kept]
        if len(kept):
            self.state = self.model.keep(self.state, kept)

    @abstractmethod
    def _prepare(self, source: Ids) -> None:
        """Set up what this kind of search keeps besides, for ``source (batch, source_length)``."""

    @abstractmethod
    def advance(self) -> None:
        """Make one step of the networks and choose tokens."""

    @abstractmethod
    def _unfinished(self) -> Ids:
        """Return the rows that go on; the outputs of the others are in ``finished``."""


class GreedySearch(BatchSearch):
    """The best token at every step, or with sampling a drawn one; ``n_best`` hypotheses are independent draws."""

    def _prepare(self, source: Ids) -> None:
        batch, width = source.shape[0], self.config.n_best if self.config.sample else 1
        seed = self.config.seed if self.config.seed is not None else secrets.randbits(31)
        # One generator per source: what is drawn for it does not depend on the rest of the batch.
        self.generators = [np.random.default_rng(seed) for _ in range(batch)]
        self.state = self.model.reorder(self.state, np.zeros((batch, width), np.int64))
        self.last, self.generated = self.last.repeat(width, 1), self.generated.repeat(width, 1)
        self.ended: NDArray[np.bool_] = np.zeros((batch, width), bool)
        self.tokens = [[list[int]() for _ in range(width)] for _ in range(batch)]
        self.logs = [[list[np.float32]() for _ in range(width)] for _ in range(batch)]
        self.rivals = [[list[np.float32]() for _ in range(width)] for _ in range(batch)]
        self.attention = [list[Floats]() for _ in range(batch)]

    def advance(self) -> None:
        """Append one token to every hypothesis."""
        logs, allowed, attention = self._step()
        indices = _ints(self.rows)
        self.last = _choose(allowed, self.config, [self.generators[row] for row in indices])
        if not (_pick(allowed, self.last)[~self.ended] > IMPOSSIBLE).all():
            raise OptionError(NOTHING_ALLOWED)
        token_logs, rivals = _pick(logs, self.last), _likeliest_other(allowed, self.last)
        for position, row in enumerate(indices):
            self.attention[row].append(attention[position])
            for column in np.flatnonzero(~self.ended[position]):
                self.tokens[row][column].append(int(self.last[position, column]))
                self.logs[row][column].append(token_logs[position, column])
                self.rivals[row][column].append(rivals[position, column])
        self.ended = self.ended | (self.last == EOS)
        self.generated = np.concatenate([self.generated, self.last[..., None]], -1)

    def _unfinished(self) -> Ids:
        ended = self.ended.all(1)
        for index in _ints(self.rows[ended]):
            self.finished[index] = [self._hypothesis(index, column) for column in range(len(self.tokens[index]))]
        return np.flatnonzero(~ended)

    def _keep(self, kept: Ids) -> None:
        super()._keep(kept)
        self.ended = self.ended[kept]

    def _hypothesis(self, row: int, column: int) -> Hypothesis:
        ids, logs = self.tokens[row][column], np.array(self.logs[row][column], np.float32)
        attention = np.stack(self.attention[row])[: len(ids), column]
        score = float(logs.sum()) / length_norm(len(ids), self.config.length_exponent)
        rivals = np.array(self.rivals[row][column], np.float32)
        return Hypothesis(ids[:-1], logs, attention, score, len(ids) <= int(self.limits[row]), rivals)


class BeamSearch(BatchSearch):
    """Beam search; ``nbtextgen.decoding.beam.Beam`` proves when a source may finish early."""

    def _prepare(self, source: Ids) -> None:
        self.width = max(self.config.beam, self.config.n_best)
        self.mask = source != PAD
        batch, length = source.shape
        self.sums = np.zeros((batch, 1), np.float32)
        self.logs = np.zeros((batch, 1, 0), np.float32)
        self.attention = np.zeros((batch, 1, 0, length), np.float32)

    def advance(self) -> None:
        """Replace the hypotheses by their best extensions, and collect those that end."""
        _, allowed, attention = self._step()
        batch, vocabulary = len(allowed), allowed.shape[-1]
        best, flat = _largest((self.sums[..., None] + allowed).reshape(batch, -1), 2 * self.width)
        parents, tokens = flat // vocabulary, flat % vocabulary
        with np.errstate(invalid="ignore"):  # impossible hypotheses
            token_logs = best - np.take_along_axis(self.sums, parents, 1)
        ends = (tokens == EOS) & (best > IMPOSSIBLE)
        for row, column in np.argwhere(ends).tolist():
            parent = int(parents[row, column])
            last_log = float(token_logs[row, column])
            self._collect(row, parent, float(best[row, column]), last_log, attention[row, parent])
        # Among 2W candidates at most W end (one per parent), so W live ones remain where the vocabulary allows.
        order = np.argsort(ends | (best == IMPOSSIBLE), axis=-1, kind="stable")[:, : self.width]
        parents, self.last = np.take_along_axis(parents, order, 1), np.take_along_axis(tokens, order, 1)
        token_logs = np.take_along_axis(token_logs, order, 1)
        self.sums = np.take_along_axis(np.where(ends, IMPOSSIBLE, best), order, 1)
        self.state = self.model.reorder(self.state, parents)
        rows = np.arange(batch)[:, None]
        self.generated = np.concatenate([self.generated[rows, parents], self.last[..., None]], -1)
        self.logs = np.concatenate([self.logs[rows, parents], token_logs[..., None]], -1)
        self.attention = np.concatenate([self.attention[rows, parents], attention[rows, parents][:, :, None]], 2)

    def _collect(self, row: int, parent: int, total: float, last_log: float, attention: Floats) -> None:
        """Collect a hypothesis that ends, if it belongs to the n best of its source."""
        length = self.generated.shape[-1] + 1
        weights = np.concatenate([self.attention[row, parent], attention[None]])
        if self.config.coverage_factor:
            total += self.config.coverage_factor * uncovered(weights.sum(0)[self.mask[row]])
        score = total / length_norm(length, self.config.length_exponent)
        index = int(self.rows[row])
        finished = self.finished[index]
        if len(finished) >= self.config.n_best and score <= finished[self.config.n_best - 1].score:
            return
        ended = length <= int(self.limits[index])
        logs = np.append(self.logs[row, parent], np.float32(last_log))
        finished.append(Hypothesis(self.generated[row, parent].tolist(), logs, weights, score, ended))
        finished.sort(key=lambda hypothesis: -hypothesis.score)

    def _unfinished(self) -> Ids:
        """Return the sources that are neither provably done, nor at their limit, nor without a live hypothesis."""
        step, kept, best_sums = self.generated.shape[-1], list[int](), self.sums.max(1)
        for row, index in enumerate(_ints(self.rows)):
            finished, limit = self.finished[index], int(self.limits[index])
            bound = best_sums[row] / length_norm(limit + 1, self.config.length_exponent)
            safe = len(finished) >= self.config.n_best and finished[self.config.n_best - 1].score >= bound
            if not safe and step <= limit and best_sums[row] > IMPOSSIBLE:
                kept.append(row)
        return np.array(kept, np.int64)

    def _keep(self, kept: Ids) -> None:
        super()._keep(kept)
        self.sums, self.mask = self.sums[kept], self.mask[kept]
        self.logs, self.attention = self.logs[kept], self.attention[kept]


def _largest(values: Floats, count: int) -> tuple[Floats, Ids]:
    """Return the ``count`` largest values of every row, in descending order, and their positions."""
    count = min(count, values.shape[1])
    positions = np.argpartition(-values, count - 1, -1)[:, :count] if count < values.shape[1] else None
    if positions is None:
        positions = np.broadcast_to(np.arange(count), values.shape)
    largest = np.take_along_axis(values, positions, 1)
    order = np.argsort(-largest, axis=-1, kind="stable")
    return np.take_along_axis(largest, order, 1), np.take_along_axis(positions, order, 1)
