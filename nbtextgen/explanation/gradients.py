"""Input x gradient and integrated gradients over the embeddings of the source, and of what was written before.

Implemented here, because it is small: one forward pass for all points of the path, and a backward pass for each output
token. Captum's ``IntegratedGradients`` runs the path forward again for every output token; the tests compare the two.

Where a model copies, the source enters twice: by its embeddings, and by the id that each token is copied as. Both move
along the path, from "a masked token is copied as the unknown one" to the token itself; otherwise the baseline could still
copy the very word whose absence it represents.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nbtextgen.explanation.attributions import Values
from nbtextgen.explanation.prefix import Players
from nbtextgen.explanation.scoring import (
    MAX_LOGITS,
    TokenScore,
    decode,
    decode_embedded,
    differentiable,
    encode_embedded,
    position_scores,
)
from nbtextgen.explanation.subject import ExplainedOutput, Subject
from nbtextgen.explanation.value_function import ProgressCallback
from nbtextgen.model.attention import Memory
from nbtextgen.model.decoder import Decoded
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.tokenizers.base import MASK, PAD, UNK

START, LOG_RANGE = 0.1, 20.0
"""With a copy head: the first part of the path, and the range of the logarithms of the points in it."""


@dataclass(frozen=True, eq=False)
class GradientGame:
    """What is differentiated.

    Attributes:
        networks: one, or an ensemble.
        subject: source and output.
        baseline: the token whose embedding is the baseline, see ``baseline_token``.
        prefixes: the player of every token that the decoder reads after the start mark, for the output and for the
            alternative if there is one; empty if only the source moves along the path.
        score_token: what is differentiated in place of the log-probability of each token.
        on_progress: called with the number of points passed since the last call.
    """

    networks: list[Seq2Seq]
    subject: Subject
    baseline: int
    prefixes: Sequence[Players] = ()
    score_token: TokenScore | None = None
    on_progress: ProgressCallback | None = None


@dataclass(frozen=True, eq=False)
class TokenGradients:
    """Attributions of the source tokens, and of earlier output tokens if they are players.

    Attributes:
        values: ``(outputs, source_length)``.
        prefix: ``(outputs, outputs - 1)``; all zero if the output's tokens are no players.
        base: f(baseline), ``(outputs,)``.
        convergence_delta: the sum of the values minus f(input) - f(baseline), ``(outputs,)``.
    """

    values: Values
    prefix: Values
    base: Values
    convergence_delta: Values


def input_x_gradient(game: GradientGame) -> TokenGradients:
    """(input - baseline) . gradient at the input (Shrikumar et al. 2016), one point of the path below."""
    return _Path(game, np.array([1.0]), np.array([1.0])).gradients()


def integrated_gradients(game: GradientGame, steps: int) -> TokenGradients:
    """Integrated gradients (Sundararajan et al. 2017, eq. 1), by Gauss-Legendre points.

    Args:
        game: what is differentiated.
        steps: points on the straight line from the baseline to the input.
    """
    points, weights = _quadrature(steps)
    if game.subject.copy_ids is not None:
        # A word that only copying can write becomes likely within a tiny first part of the path: half of the points go there.
        start, start_weights = _quadrature(-(-steps // 2), near_zero=True)
        points, weights = _quadrature(max(1, steps // 2))
        points = np.concatenate([START * start, START + (1 - START) * points])
        weights = np.concatenate([START * start_weights, (1 - START) * weights])
    return _Path(game, points, weights).gradients()


def _quadrature(count: int, *, near_zero: bool = False) -> tuple[Values, Values]:
    """Gauss-Legendre points and weights on (0, 1); with ``near_zero`` their logarithms are spread rather than they."""
    points, weights = np.polynomial.legendre.leggauss(count)
    points, weights = (points + 1) / 2, weights / 2
    if not near_zero:
        return points, weights
    scale = np.expm1(LOG_RANGE)
    return np.expm1(LOG_RANGE * points) / scale, weights * LOG_RANGE * np.exp(LOG_RANGE * points) / scale


def baseline_token(missing: str) -> int:
    """The token whose embedding is the baseline: the mask token if missing units are masked, else PAD (a zero vector)."""
    return MASK if missing == "mask" else PAD


class _Path:
    """The straight line from the baseline to the embeddings, with points and weights of a quadrature."""

    def __init__(self, game: GradientGame, points: Values, weights: Values) -> None:
        self.game, self.points, self.weights = game, points, weights
        subject, networks = game.subject, game.networks
        self.device = networks[0].output_bias.device
        ids, baseline = (torch.as_tensor(index, device=self.device) for index in (subject.ids, game.baseline))
        self.copies = None if subject.copy_ids is None else torch.as_tensor(subject.copy_ids, device=self.device)
        self.source = [_Segment.between(network.source_embedding, baseline, ids) for network in networks]

    def gradients(self) -> TokenGradients:
        """Gradients of the output's score; of the difference from the alternative if there is one."""
        subject, prefixes = self.game.subject, list(self.game.prefixes) or [None, None]
        values, ends = self._of_output(subject.output, prefixes[0])
        if subject.contrast is not None:
            pairing = subject.pairing()
            others, other_ends = self._of_output(subject.contrast, prefixes[1])
            values, ends = values - pairing @ others, ends - other_ends @ pairing.T
        length = len(subject.ids)
        delta = values.sum(1) - (ends[1] - ends[0])
        return TokenGradients(values[:, :length], values[:, length:], ends[0], delta)

    def _of_output(self, output: ExplainedOutput, players: Players | None) -> tuple[Values, Values]:
        """Weighted mean gradient along the path times its direction; and f at the ends of the path, ``(2, outputs)``."""
        length = len(self.game.subject.ids)
        values = np.zeros((len(output), length + len(self.game.subject.output) - 1))
        written = self._written(output, players)
        for points, weights in self._chunks(len(output)):
            fractions = torch.as_tensor(points, dtype=self.source[0].start.dtype, device=self.device)
            with differentiable():
                present = fractions[:, None].repeat(1, length).requires_grad_()
                embedded = [segment.at(fractions).requires_grad_() for segment in self.source]
                inputs = [segment.at(fractions).requires_grad_() for segment in written]
                totals = self._scores(output, embedded, inputs, present).sum(0)
            variables = [*embedded, *inputs, *([] if self.copies is None else [present])]
            for step, total in enumerate(totals):
                grads = torch.autograd.grad(total, variables, retain_graph=True)
                slopes = [segment.slope(grad) for segment, grad in zip([*self.source, *written], grads, strict=False)]
                parts = [*slopes[: len(embedded)], *grads[len(slopes) :]]
                values[step, :length] += weights @ torch.stack(parts).sum(0).double().cpu().numpy()
                if players is not None:
                    of_inputs = weights @ torch.stack(slopes[len(embedded) :]).sum(0).double().cpu().numpy()
                    np.add.at(values[step], length + players[players >= 0], of_inputs[1:][players >= 0])
            if self.game.on_progress is not None:
                self.game.on_progress(len(points))
        with torch.no_grad():
            ends = torch.tensor([0.0, 1.0], device=self.device)
            embedded, inputs = [segment.at(ends) for segment in self.source], [segment.at(ends) for segment in written]
            scores = self._scores(output, embedded, inputs, ends[:, None].expand(2, length))
            return values, scores.double().cpu().numpy()

    def _written(self, output: ExplainedOutput, players: Players | None) -> list[_Segment]:
        """The path of the decoder's inputs, which ends where it begins for those that are no players."""
        if players is None:
            return []
        fixed = np.concatenate([[True], players < 0])
        segments = list[_Segment]()
        for network in self.game.networks:
            inputs = torch.as_tensor(output.inputs, device=self.device)
            inputs = inputs.masked_fill(inputs >= network.vocabulary_size, UNK)
            start = inputs.masked_fill(torch.as_tensor(~fixed, device=self.device), self.game.baseline)
            segments.append(_Segment.between(network.target_embedding, start, inputs))
        return segments

    def _scores(self, output: ExplainedOutput, embedded: list[Tensor], inputs: list[Tensor], present: Tensor) -> Tensor:
        return _scores(self.game.networks, embedded, self.copies, output, present, inputs, self.game.score_token)

    def _chunks(self, outputs: int) -> Iterator[tuple[Values, Values]]:
        """Points and weights, as many as may be differentiated together."""
        size = max(1, MAX_LOGITS // (outputs * self.game.networks[0].vocabulary_size * len(self.game.networks)))
        for start in range(0, len(self.points), size):
            yield self.points[start : start + size], self.weights[start : start + size]


@dataclass(frozen=True, eq=False)
class _Segment:
    """The straight line between two sequences of vectors, ``(length, width)``."""

    start: Tensor
    direction: Tensor

    @classmethod
    def between(cls, embedding: nn.Module, start: Tensor, end: Tensor) -> _Segment:
        """From the embeddings of the ids ``start`` to those of ``end (length,)``."""
        first = embedding(start).detach()
        return cls(first, embedding(end).detach() - first)

    def at(self, fractions: Tensor) -> Tensor:
        """The vectors at points of the line, ``(points, length, width)``."""
        return self.start + fractions[:, None, None] * self.direction

    def slope(self, gradient: Tensor) -> Tensor:
        """The derivative along the line, ``(points, length)``, from the gradient at points of it."""
        return (gradient * self.direction).sum(-1)


def _scores(
    networks: list[Seq2Seq],
    embedded: list[Tensor],
    copies: Tensor | None,
    output: ExplainedOutput,
    present: Tensor | None = None,
    inputs: Sequence[Tensor] = (),
    score_token: TokenScore | None = None,
) -> Tensor:
    """Scores ``(rows, outputs)`` of points on the path.

    Args:
        networks: one, or an ensemble.
        embedded: source vectors, one tensor ``(rows, source_length, width)`` for each network.
        copies: copy ids of the source, ``(source_length,)``.
        output: the tokens scored.
        present: share of each source token that is copied as itself, ``(rows, source_length)``.
        inputs: vectors that the decoder reads, ``(rows, outputs, width)`` for each network; by default the output's.
        score_token: what is returned in place of log-probabilities.
    """
    device = embedded[0].device
    targets = torch.as_tensor(output.ids, device=device)
    rows, length = embedded[0].shape[:2]
    mask = torch.ones(rows, length, dtype=torch.bool, device=device)
    copy_ids = None if copies is None else copies.expand(rows, -1)
    decoded, memories = list[Decoded](), list[Memory]()
    for number, (network, vectors) in enumerate(zip(networks, embedded, strict=True)):
        memory, summary = encode_embedded(network, vectors, mask, copy_ids)
        if inputs:
            result = decode_embedded(network, inputs[number], memory, summary)
        else:
            result = decode(network, torch.as_tensor(output.inputs, device=device), memory, summary)
        decoded.append(result)
        memories.append(memory)
    return position_scores(networks, decoded, memories, targets, score_token, present)
