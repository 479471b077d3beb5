"""``decode``: greedy decoding, sampling or beam search over many sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.core.errors import OptionError
from nbtextgen.decoding.batch import Batch, to_list, to_numpy
from nbtextgen.decoding.beam import Beam
from nbtextgen.decoding.borders import Borders
from nbtextgen.decoding.config import NO_RULES, NOTHING_ALLOWED, TERM_BEAM, DecodingConfig, TokenRules
from nbtextgen.decoding.constrained_beam import ConstrainedBeam
from nbtextgen.decoding.constraints import Constraints
from nbtextgen.decoding.greedy import GreedySearch
from nbtextgen.decoding.hypothesis import MAX_KEPT_ATTENTION, Hypothesis, length_norm
from nbtextgen.decoding.stepper import Stepper
from nbtextgen.decoding.streaming import generate_tokens
from nbtextgen.decoding.terms import Terms
from nbtextgen.tokenizers.base import EOS

MAX_BATCH_TOKENS = 1 << 16
"""Source tokens, including padding, that are decoded together: 64 sources of 1,024 tokens each. Encoding takes a few
kilobytes per token."""

MIN_WIDTH, MIN_BEAM_WIDTH = 4, 10
"""Hypotheses per source below which more than ``batch_size`` sources are decoded together, greedily and by a beam, to keep steps
large. The output layer of a step (512 to 8,000, fp32, one thread of an EPYC) takes 149 microseconds per row with 64 rows, 112 with
256. With 1,014 sentences of Multi30k and a beam of 5 in 8 bits, 640 rows take 0.95 of the time of 320; greedily they are no faster
than 256."""
MIN_TERM_WIDTH = 20
"""The same for a beam with terms, whose steps have a larger fixed cost. With 256 dates and a glossary, twice as many sources together
take 0.85 of the time; four times as many are no faster."""


@torch.inference_mode()
def decode(
    model: Stepper,
    source: Tensor,
    config: DecodingConfig,
    rules: TokenRules = NO_RULES,
    *,
    max_length: Sequence[int],
    copy_ids: Tensor | None = None,
    terms: Sequence[Terms] | None = None,
    borders: Borders | None = None,
    hypotheses: list[list[Hypothesis]] | None = None,
    cancellation: CancellationToken | None = None,
) -> list[list[Hypothesis]]:
    """Generate outputs for many sources, ``config.batch_size`` at a time; when one finishes, the next takes its row.

    Args:
        model: predicts the next token.
        source: ``(sources, source_length)``, padded with zeros; sorted by length is fastest.
        config, rules: limits and constraints of the outputs.
        max_length: most output tokens, one limit per source.
        copy_ids: for networks with a copy head, the target-side ids of the source tokens, shaped like ``source``.
        terms: terms that each output must contain; ``max_length`` must leave room for their tokens.
        borders: of the tokens, if terms must be words of their own; ``None`` if they may be inside of longer ones.
        hypotheses: an empty list per source, which is filled when the source is finished, so that the outputs of an
            interrupted search are not lost.
        cancellation: ends the search with ``Cancelled`` at its next step.

    Returns:
        for each source its hypotheses, best first; at most ``n_best``.

    Raises:
        OptionError: if the rules leave no token to generate.
    """
    limits = torch.tensor([max(limit, len(rules.prefix) + 1, config.min_length) for limit in max_length])
    if hypotheses is None:
        hypotheses = [[] for _ in max_length]
    terms = terms if terms and any(terms) else None
    if terms is not None and config.beam == 1:
        config = replace(config, beam=TERM_BEAM)  # greedy search cannot wait for the place where a term fits
    constraints = Constraints(config, rules)
    _Search(model, source, copy_ids, constraints, limits, hypotheses, cancellation, terms, borders).run()
    return hypotheses


@dataclass(frozen=True)
class _Search:
    """The arguments of one call of ``decode``."""

    model: Stepper
    source: Tensor
    copy_ids: Tensor | None
    constraints: Constraints
    limits: Tensor
    hypotheses: list[list[Hypothesis]]
    cancellation: CancellationToken | None
    terms: Sequence[Terms] | None = None
    borders: Borders | None = None

    @property
    def config(self) -> DecodingConfig:
        return self.constraints.config

    @property
    def greedy(self) -> bool:
        """Whether every hypothesis is continued by one token, greedily or by sampling, instead of compared in a beam."""
        return self.config.sample or (self.config.beam == 1 and self.config.n_best == 1)

    def run(self) -> None:
        """Search for all sources."""
        try:
            if self.greedy and self.config.n_best == 1 and min(len(self.source), self.config.batch_size) == 1:
                for index in range(len(self.source)):
                    self.single(index)
            else:
                self.in_batches()
                if not all(self.hypotheses):
                    raise OptionError(NOTHING_ALLOWED)
        finally:
            for each in self.hypotheses:
                each.sort(key=lambda hypothesis: -hypothesis.score)
                del each[self.config.n_best :]

    def single(self, index: int) -> None:
        """Generate the output for one source, greedily or by sampling, without the bookkeeping of a batch.

        If the search is interrupted, the output so far, less the last token, counts as one that did not end.
        """
        config = self.config
        limit = int(self.limits[index])
        length = int((self.source[index] != 0).sum().clamp_min(1))
        tokens = generate_tokens(
            self.model,
            self.source[index : index + 1, :length],
            None if self.copy_ids is None else self.copy_ids[index : index + 1, :length],
            self.constraints,
            limit=limit,
            cancellation=self.cancellation,
        )
        ids, log_probabilities, rivals, kept = list[int](), list[float](), list[float](), list[Tensor]()
        try:
            for token in tokens:
                if (len(ids) + 1) * length <= MAX_KEPT_ATTENTION:
                    kept.append(token.attention)
                else:
                    kept.clear()
                log_probabilities.append(token.log_probability)
                rivals.append(token.rival)
                ids.append(token.id)
        finally:
            logs = np.array(log_probabilities[: len(ids)], dtype=np.float32)
            attention = to_numpy(torch.cat(kept[: len(ids)], 1)[0]) if kept and ids else None
            score = float(logs.sum()) / length_norm(len(ids), config.length_exponent)
            ended = bool(ids) and ids[-1] == EOS and len(ids) <= limit
            others = np.array(rivals[: len(ids)], dtype=np.float32)
            found = [Hypothesis(ids[:-1], logs, attention, score, ended, others)] if ids else []
            self.hypotheses[index].extend(found)

    def in_batches(self) -> None:
        """Generate the outputs for all sources, in batches that are refilled as sources finish."""
        for indices in self._bounded_slices():
            arguments = self._batch(indices), self.constraints, self.limits[indices], self.hypotheses[indices]
            if self.terms is not None:
                search = ConstrainedBeam(*arguments, self.terms[indices], self.borders)
            else:
                search = GreedySearch(*arguments) if self.greedy else Beam(*arguments)
            search.run(self.cancellation)

    def _batch(self, indices: slice) -> Batch:
        """Return an empty batch for a slice of the sources."""
        config, source = self.config, self.source[indices]
        longest = int((source != 0).sum(1).max().clamp_min(1))
        width = max(config.n_best, 1 if config.sample else config.beam)
        least = MIN_WIDTH if self.greedy else MIN_BEAM_WIDTH if self.terms is None else MIN_TERM_WIDTH
        size = min(config.batch_size * max(1, least // width), MAX_BATCH_TOKENS // longest)
        return Batch(
            self.model,
            source[:, :longest],
            None if self.copy_ids is None else self.copy_ids[indices, :longest],
            width=width,
            size=max(config.batch_size, size),
            keep_generated=self.constraints.look_back,
            keep_received=config.coverage_factor > 0 and not self.greedy,
        )

    def _bounded_slices(self) -> Iterator[slice]:
        """Yield the sources that share a refilled batch: all of them, unless ``MAX_BATCH_TOKENS`` bounds long ones."""
        lengths: list[int] = to_list((self.source != 0).sum(1).clamp_min(1))
        start = 0
        while start < len(lengths):
            longest = max(lengths[start:])
            fitting = max(1, MAX_BATCH_TOKENS // longest)
            count = len(lengths) if fitting >= self.config.batch_size else fitting
            yield slice(start, start + count)
            start += count
