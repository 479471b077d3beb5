"""Greedy decoding, sampling and beam search as in ``nbtextgen.decoding.search``, over NumPy arrays.

The same outputs token for token; sampling draws from the same distributions, but other numbers.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence

import numpy as np

from nbtextgen.core.errors import OptionError
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.decoding.hypothesis import Hypothesis, length_norm
from nbtextgen.inference.text_codec import Rules
from nbtextgen.serving.constraints import IMPOSSIBLE, NumpyConstraints, sharpen
from nbtextgen.serving.network import Floats, Ids, OnnxEnsemble
from nbtextgen.tokenizers.base import BOS, EOS, PAD


def decode(
    model: OnnxEnsemble,
    source: Ids,
    copies: Ids | None,
    config: DecodingConfig,
    max_length: Sequence[int],
    rules: Rules,
) -> list[list[Hypothesis]]:
    """Write the outputs of a batch.

    Args:
        model: the networks.
        source: ``(batch, source_length)``.
        copies: target-side ids of the source tokens, with a copy head.
        config: beam, sampling, penalties and limits.
        max_length: most output tokens, per row.
        rules: prefix, allowed and forbidden tokens.

    Returns:
        for each row its hypotheses, best first; at most ``n_best``.

    Raises:
        OptionError: when the rules leave nothing that could be written.
    """
    constraints = constrained(config, rules)
    shortest = max(len(constraints.prefix) + 1, config.min_length)
    limits = np.array([max(limit, shortest) for limit in max_length])
    if config.sample or (config.beam == 1 and config.n_best == 1):
        found = _follow(model, source, copies, config, constraints, limits)
    else:
        found = _Beam(model, source, copies, config, constraints, limits).run()
    if not all(found):
        raise _nothing()
    return [sorted(each, key=lambda one: -one.score)[: config.n_best] for each in found]


def stream(
    model: OnnxEnsemble, source: Ids, copies: Ids | None, config: DecodingConfig, max_length: int, rules: Rules
) -> Iterator[int]:
    """Yield tokens as they are chosen, greedily or by sampling, for one source; the end mark is not yielded."""
    constraints, drawer = constrained(config, rules), np.random.default_rng(config.seed)
    state, last, written = model.start(source, copies), np.full((1, 1), BOS), np.zeros((1, 1, 0), np.int64)
    for _ in range(max_length):
        logs, _, state = model.step(last, state)
        last = _chosen(constraints.apply(logs, written), config, [drawer])
        if last[0, 0] == EOS:
            return
        written = np.concatenate([written, last[..., None]], -1)
        yield int(last[0, 0])


def constrained(config: DecodingConfig, rules: Rules) -> NumpyConstraints:
    """The rules in the form in which they are applied."""
    allow = rules["allow_ids"]
    forbid = tuple(map(tuple, rules["forbid_ids"]))
    return NumpyConstraints(config, EOS, tuple(rules["prefix_ids"]), None if allow is None else tuple(allow), forbid)


def _nothing() -> OptionError:
    return OptionError("Nothing can be written under these rules; relax --allow, --forbid or --min-length.")


def _chosen(logs: Floats, config: DecodingConfig, drawers: Sequence[np.random.Generator]) -> Ids:
    """The best token of every hypothesis, or a drawn one (the Gumbel-max trick: Gumbel 1954)."""
    if not config.sample:
        return logs.argmax(-1)
    noise = np.stack([drawer.gumbel(size=logs.shape[1:]) for drawer in drawers])
    return (sharpen(logs, config) + noise).argmax(-1)


def _picked(values: Floats, ids: Ids) -> Floats:
    """``values (batch, width, n)`` at ``ids (batch, width)``."""
    return np.take_along_axis(values, ids[..., None], -1)[..., 0]


def _follow(
    model: OnnxEnsemble, source: Ids, copies: Ids | None, config: DecodingConfig, rules: NumpyConstraints, limits: Ids
) -> list[list[Hypothesis]]:
    """One path at a time per hypothesis: the best token (greedy), or a drawn one (``n_best`` independent draws)."""
    batch, width = source.shape[0], config.n_best if config.sample else 1
    seed = config.seed if config.seed is not None else secrets.randbits(31)
    # A generator per row: what is drawn for a source does not depend on what else is in the batch.
    drawers = [np.random.default_rng(seed) for _ in range(batch)]
    rows, last = np.arange(batch), np.full((batch, width), BOS)
    state = model.reorder(model.start(source, copies), np.zeros((batch, width), np.int64))
    written = np.zeros((batch, width, 0), np.int64)
    over = np.zeros((batch, width), bool)
    tokens: list[list[list[int]]] = [[[] for _ in range(width)] for _ in range(batch)]
    logged: list[list[list[np.float32]]] = [[[] for _ in range(width)] for _ in range(batch)]
    attended: list[list[Floats]] = [[] for _ in range(batch)]
    for step in range(int(limits.max()) + 1):
        logs, attention, state = model.step(last, state)
        ruled = rules.end(rules.apply(logs, written), limits[rows] <= step)
        last = _chosen(ruled, config, [drawers[row] for row in rows])
        if not (_picked(ruled, last)[~over] > IMPOSSIBLE).all():
            raise _nothing()
        picked = _picked(logs, last)
        for at, row in enumerate(rows):
            attended[row].append(attention[at])
            for column in np.flatnonzero(~over[at]):
                tokens[row][column].append(int(last[at, column]))
                logged[row][column].append(picked[at, column])
        over = over | (last == EOS)
        written = np.concatenate([written, last[..., None]], -1)
        kept = np.flatnonzero(~over.all(1))
        if not len(kept):
            break
        if len(kept) < len(rows):
            state = model.keep(state, kept)
            last, written, over, rows = last[kept], written[kept], over[kept], rows[kept]
    return [
        [
            _taken(tokens[row][column], logged[row][column], np.stack(attended[row])[:, column], config, limits[row])
            for column in range(width)
        ]
        for row in range(batch)
    ]


def _taken(
    ids: list[int], logged: list[np.float32], attention: Floats, config: DecodingConfig, limit: int
) -> Hypothesis:
    kept = np.array(logged, np.float32)
    score = float(kept.sum()) / length_norm(len(ids), config.length_penalty)
    return Hypothesis(ids[:-1], kept, attention[: len(ids)], score, len(ids) <= limit)


class _Beam:
    """Beam search; why it may stop where it does is told at ``nbtextgen.decoding.search._Beam``."""

    def __init__(
        self,
        model: OnnxEnsemble,
        source: Ids,
        copies: Ids | None,
        config: DecodingConfig,
        rules: NumpyConstraints,
        limits: Ids,
    ) -> None:
        self.model, self.config, self.rules, self.limits = model, config, rules, limits
        self.width = max(config.beam, config.n_best)
        self.real = source != PAD
        batch, length = source.shape
        self.state = model.start(source, copies)
        self.rows = np.arange(batch)
        self.last = np.full((batch, 1), BOS)
        self.sums = np.zeros((batch, 1), np.float32)
        self.written = np.zeros((batch, 1, 0), np.int64)
        self.logs = np.zeros((batch, 1, 0), np.float32)
        self.attention = np.zeros((batch, 1, 0, length), np.float32)
        self.finished: list[list[Hypothesis]] = [[] for _ in range(batch)]

    def run(self) -> list[list[Hypothesis]]:
        """All rows to their end."""
        while len(self.rows):
            self._advance()
            self._drop_done()
        return self.finished

    def _advance(self) -> None:
        logs, attention, self.state = self.model.step(self.last, self.state)
        batch, _, vocabulary = logs.shape
        at_limit = self.limits[self.rows] <= self.written.shape[-1]
        ruled = self.rules.end(self.rules.apply(logs, self.written), at_limit)
        best, flat = _highest((self.sums[..., None] + ruled).reshape(batch, -1), 2 * self.width)
        parents, tokens = flat // vocabulary, flat % vocabulary
        with np.errstate(invalid="ignore"):  # of hypotheses that are none
            picked = best - np.take_along_axis(self.sums, parents, 1)
        ends = (tokens == EOS) & (best > IMPOSSIBLE)
        for row, column in zip(*(found.tolist() for found in ends.nonzero()), strict=True):
            parent = int(parents[row, column])
            self._finish(row, parent, float(best[row, column]), float(picked[row, column]), attention[row, parent])
        # Among 2W candidates at most W end (one per parent), so W live ones remain where the vocabulary allows.
        order = np.argsort(ends | (best == IMPOSSIBLE), axis=-1, kind="stable")[:, : self.width]
        parents, self.last = np.take_along_axis(parents, order, 1), np.take_along_axis(tokens, order, 1)
        picked = np.take_along_axis(picked, order, 1)
        self.sums = np.take_along_axis(np.where(ends, IMPOSSIBLE, best), order, 1)
        self.state = self.model.reorder(self.state, parents)
        at = np.arange(batch)[:, None]
        self.written = np.concatenate([self.written[at, parents], self.last[..., None]], -1)
        self.logs = np.concatenate([self.logs[at, parents], picked[..., None]], -1)
        self.attention = np.concatenate([self.attention[at, parents], attention[at, parents][:, :, None]], 2)

    def _finish(self, row: int, parent: int, total: float, logged: float, attention: Floats) -> None:
        """Note a hypothesis that ended with the end mark."""
        length = self.written.shape[-1] + 1
        weights = np.concatenate([self.attention[row, parent], attention[None]])
        score = total / length_norm(length, self.config.length_penalty) + self._coverage(row, weights)
        found = self.finished[self.rows[row]]
        if len(found) >= self.config.n_best and score <= found[self.config.n_best - 1].score:
            return
        ended = length <= int(self.limits[self.rows[row]])
        logs = np.append(self.logs[row, parent], np.float32(logged))
        found.append(Hypothesis(self.written[row, parent].tolist(), logs, weights, score, ended))
        found.sort(key=lambda one: -one.score)

    def _coverage(self, row: int, weights: Floats) -> float:
        """Coverage penalty (Wu et al. 2016, eq. 14): beta x the sum of log(min(attention received, 1))."""
        if not self.config.coverage_penalty:
            return 0.0
        received = np.log(weights.sum(0).clip(1e-10, 1.0)) * self.real[row]
        return self.config.coverage_penalty * float(received.sum())

    def _drop_done(self) -> None:
        """Take rows out that are provably done, at their limit, or without a live hypothesis."""
        step, keep, tops = self.written.shape[-1], [], self.sums.max(1)
        for row, original in enumerate(self.rows):
            found, limit = self.finished[original], int(self.limits[original])
            bound = tops[row] / length_norm(limit + 1, self.config.length_penalty)
            enough = len(found) >= self.config.n_best and found[self.config.n_best - 1].score >= bound
            if not enough and step <= limit and tops[row] > IMPOSSIBLE:
                keep.append(row)
        if len(keep) < len(self.rows):
            self.rows, self.last, self.sums, self.real = (
                self.rows[keep],
                self.last[keep],
                self.sums[keep],
                self.real[keep],
            )
            self.written, self.logs, self.attention = self.written[keep], self.logs[keep], self.attention[keep]
            self.state = self.model.keep(self.state, np.array(keep)) if keep else self.state


def _highest(values: Floats, count: int) -> tuple[Floats, Ids]:
    """The ``count`` highest of every row, best first, and where they are."""
    count = min(count, values.shape[1])
    found = np.argpartition(-values, count - 1, -1)[:, :count] if count < values.shape[1] else None
    if found is None:
        found = np.broadcast_to(np.arange(count), values.shape)
    picked = np.take_along_axis(values, found, 1)
    order = np.argsort(-picked, axis=-1, kind="stable")
    return np.take_along_axis(picked, order, 1), np.take_along_axis(found, order, 1)
