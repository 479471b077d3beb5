"""Input x gradient and integrated gradients over the source embeddings.

Implemented here, because it is small: one forward pass for all points of the path, and a backward pass for each output
token. Captum's ``IntegratedGradients`` runs the path forward again for every output token; the tests compare the two.

Where a model copies, the source enters twice: by its embeddings, and by the id that each token is copied as. Both move
along the path, from "a masked token is copied as the unknown one" to the token itself; otherwise the baseline could still
copy the very word whose absence it represents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nbtextgen.explanation.attributions import Values
from nbtextgen.explanation.scoring import decode, differentiable, encode_embedded, ensemble_mean, token_scores
from nbtextgen.explanation.subject import ExplainedOutput, Subject
from nbtextgen.explanation.value_function import ProgressCallback
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.tokenizers.base import MASK, PAD

START, LOG_RANGE = 0.1, 20.0
"""With a copy head: the first part of the path, and the range of the logarithms of the points in it."""
MAX_LOGITS = 1 << 24
"""Logits of the path points that are differentiated together; 64 MB stay in memory for the backward passes."""


@dataclass(frozen=True, eq=False)
class TokenGradients:
    """Attributions of the source tokens.

    Attributes:
        values: ``(outputs, source_length)``.
        base: f(baseline), ``(outputs,)``.
        convergence_delta: the sum of the values minus f(input) - f(baseline), ``(outputs,)``.
    """

    values: Values
    base: Values
    convergence_delta: Values


def input_x_gradient(
    networks: list[Seq2Seq], subject: Subject, baseline: int, on_progress: ProgressCallback | None = None
) -> TokenGradients:
    """(input - baseline) . gradient at the input (Shrikumar et al. 2016), one point of the path below."""
    return _Path(networks, subject, baseline, np.array([1.0]), np.array([1.0]), on_progress).gradients()


def integrated_gradients(
    networks: list[Seq2Seq], subject: Subject, baseline: int, steps: int, on_progress: ProgressCallback | None = None
) -> TokenGradients:
    """Integrated gradients (Sundararajan et al. 2017, eq. 1), by Gauss-Legendre points.

    Args:
        networks: one, or an ensemble.
        subject: source and output.
        baseline: see ``baseline_token``.
        steps: points on the straight line from the baseline to the input.
        on_progress: called with the number of points passed since the last call.
    """
    points, weights = _quadrature(steps)
    if subject.copy_ids is not None:
        # A word that only copying can write becomes likely within a tiny first part of the path: half of the points go there.
        start, start_weights = _quadrature(-(-steps // 2), near_zero=True)
        points, weights = _quadrature(max(1, steps // 2))
        points = np.concatenate([START * start, START + (1 - START) * points])
        weights = np.concatenate([START * start_weights, (1 - START) * weights])
    return _Path(networks, subject, baseline, points, weights, on_progress).gradients()


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
    """The straight line from the baseline to the source embeddings, with points and weights of a quadrature."""

    def __init__(
        self,
        networks: list[Seq2Seq],
        subject: Subject,
        baseline: int,
        points: Values,
        weights: Values,
        on_progress: ProgressCallback | None,
    ) -> None:
        self.networks, self.subject = networks, subject
        self.points, self.weights, self.on_progress = points, weights, on_progress
        self.device = networks[0].output_bias.device
        ids = torch.as_tensor(subject.ids, device=self.device)
        self.copies = None if subject.copy_ids is None else torch.as_tensor(subject.copy_ids, device=self.device)
        self.starts = [network.source_embedding.weight[baseline].detach() for network in networks]
        self.directions = [
            network.source_embedding(ids).detach() - start for network, start in zip(networks, self.starts, strict=True)
        ]

    def gradients(self) -> TokenGradients:
        """Gradients of the output's score; of the difference from the alternative if there is one."""
        values, ends = self._of_output(self.subject.output)
        if self.subject.contrast is not None:
            pairing = self.subject.pairing()
            others, other_ends = self._of_output(self.subject.contrast)
            values, ends = values - pairing @ others, ends - other_ends @ pairing.T
        return TokenGradients(values, ends[0], values.sum(1) - (ends[1] - ends[0]))

    def _of_output(self, output: ExplainedOutput) -> tuple[Values, Values]:
        """Weighted mean gradient along the path times its direction; and f at the ends of the path, ``(2, outputs)``."""
        length = len(self.subject.ids)
        values = np.zeros((len(output), length))
        for points, weights in self._chunks(len(output)):
            fractions = torch.as_tensor(points, dtype=self.starts[0].dtype, device=self.device)
            with differentiable():
                present = fractions[:, None].repeat(1, length).requires_grad_()
                embedded = [vectors.requires_grad_() for vectors in self._embedded(fractions)]
                totals = _scores(self.networks, embedded, self.copies, output, present).sum(0)
            variables = embedded if self.copies is None else [*embedded, present]
            for step, total in enumerate(totals):
                grads = torch.autograd.grad(total, variables, retain_graph=True)
                slopes = [(grad * way).sum(-1) for grad, way in zip(grads, self.directions, strict=False)]
                slopes += grads[len(self.directions) :]
                values[step] += weights @ torch.stack(slopes).sum(0).double().cpu().numpy()
            if self.on_progress is not None:
                self.on_progress(len(points))
        with torch.no_grad():
            ends = torch.tensor([0.0, 1.0], device=self.device)
            present = ends[:, None].expand(2, length)
            scores = _scores(self.networks, self._embedded(ends), self.copies, output, present)
            return values, scores.double().cpu().numpy()

    def _embedded(self, fractions: Tensor) -> list[Tensor]:
        """Source vectors at points of the path, ``(points, source_length, width)`` for each network."""
        return [start + fractions[:, None, None] * way for start, way in zip(self.starts, self.directions, strict=True)]

    def _chunks(self, outputs: int) -> Iterator[tuple[Values, Values]]:
        """Points and weights, as many as may be differentiated together."""
        size = max(1, MAX_LOGITS // (outputs * self.networks[0].vocabulary_size * len(self.networks)))
        for start in range(0, len(self.points), size):
            yield self.points[start : start + size], self.weights[start : start + size]


def _scores(
    networks: list[Seq2Seq],
    embedded: list[Tensor],
    copies: Tensor | None,
    output: ExplainedOutput,
    present: Tensor | None = None,
) -> Tensor:
    """Log-probabilities ``(rows, outputs)`` of points on the path.

    Args:
        networks: one, or an ensemble.
        embedded: source vectors, one tensor ``(rows, source_length, width)`` for each network.
        copies: copy ids of the source, ``(source_length,)``.
        output: the tokens scored.
        present: share of each source token that is copied as itself, ``(rows, source_length)``.
    """
    device = embedded[0].device
    inputs, targets = torch.as_tensor(output.inputs, device=device), torch.as_tensor(output.ids, device=device)
    rows, length = embedded[0].shape[:2]
    mask = torch.ones(rows, length, dtype=torch.bool, device=device)
    copy_ids = None if copies is None else copies.expand(rows, -1)
    logs = list[Tensor]()
    for network, vectors in zip(networks, embedded, strict=True):
        memory, summary = encode_embedded(network, vectors, mask, copy_ids)
        logs.append(token_scores(network, decode(network, inputs, memory, summary), memory, targets, present))
    return ensemble_mean(logs)
