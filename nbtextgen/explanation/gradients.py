"""Input x gradient and integrated gradients over the source embeddings.

Direct, because it is small: one forward pass for all points of the path, and a backward pass for each output token. Captum's
``IntegratedGradients`` runs the path forward anew for every output token; the tests hold this against it.

Where a model copies, the source enters twice: by its embeddings, and by what each token is copied as. Both go along the
path, from "a masked token is copied as the unknown one" to the token itself; otherwise the baseline could still copy the
very word whose absence it stands for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbtextgen.explanation.scoring import decode, differentiable, encode_embedded, picked
from nbtextgen.explanation.subject import Output, Subject
from nbtextgen.explanation.value import ProgressCallback
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.tokenizers.base import MASK, PAD

Values = NDArray[np.float64]
_LOGITS = 1 << 24
"""Logits of the path points that are differentiated together; 64 MB stay in memory for the backward passes."""


@dataclass(frozen=True, eq=False)
class Gradients:
    """Attributions of the source tokens.

    Attributes:
        values: ``(outputs, source_length)``.
        base: f(baseline), ``(outputs,)``.
        delta: what the values' sum misses of f(input) - f(baseline), ``(outputs,)``.
    """

    values: Values
    base: Values
    delta: Values


def input_x_gradient(
    networks: list[Seq2Seq], subject: Subject, baseline: int, on_progress: ProgressCallback | None = None
) -> Gradients:
    """(input - baseline) . gradient at the input (Shrikumar et al. 2016), one point of the path below."""
    return _along_path(networks, subject, baseline, np.array([1.0]), np.array([1.0]), on_progress)


def integrated(
    networks: list[Seq2Seq], subject: Subject, baseline: int, steps: int, on_progress: ProgressCallback | None = None
) -> Gradients:
    """Integrated gradients (Sundararajan et al. 2017, eq. 1), by Gauss-Legendre points.

    Args:
        networks: one, or an ensemble.
        subject: source and output.
        baseline: the token whose embedding stands for "nothing there": the mask token, or PAD (a zero vector).
        steps: points on the straight line from the baseline to the input.
        heard: told of every point passed.
    """
    points, weights = np.polynomial.legendre.leggauss(steps)
    return _along_path(networks, subject, baseline, (points + 1) / 2, weights / 2, on_progress)


def _along_path(
    networks: list[Seq2Seq],
    subject: Subject,
    baseline: int,
    points: Values,
    weights: Values,
    on_progress: ProgressCallback | None,
) -> Gradients:
    pairing = None if subject.contrast is None else subject.pairing()
    values, ends = _one_output(networks, subject, subject.output, baseline, points, weights, on_progress)
    if subject.contrast is not None and pairing is not None:
        others, other_ends = _one_output(networks, subject, subject.contrast, baseline, points, weights, on_progress)
        values, ends = values - pairing @ others, ends - other_ends @ pairing.T
    return Gradients(values, ends[0], values.sum(1) - (ends[1] - ends[0]))


def _one_output(
    networks: list[Seq2Seq],
    subject: Subject,
    output: Output,
    baseline: int,
    points: Values,
    weights: Values,
    on_progress: ProgressCallback | None,
) -> tuple[Values, Values]:
    """Weighted mean of the gradients along the path, times the way; and f at its ends, ``(2, outputs)``."""
    found = np.zeros((len(output), len(subject.ids)))
    device = networks[0].output_bias.device
    ids = torch.from_numpy(subject.ids).to(device)
    copies = None if subject.copy_ids is None else torch.from_numpy(subject.copy_ids).to(device)
    starts = [network.source_embedding.weight[baseline].detach() for network in networks]
    ways = [network.source_embedding(ids).detach() - start for network, start in zip(networks, starts, strict=True)]
    at_once = max(1, _LOGITS // (len(output) * networks[0].vocabulary_size * len(networks)))
    for part, share in _chunks(points, weights, at_once):
        here = torch.as_tensor(part, dtype=starts[0].dtype, device=device)
        with differentiable():
            present = here[:, None].repeat(1, len(ids)).requires_grad_()
            places = [
                (start + here[:, None, None] * way).requires_grad_() for start, way in zip(starts, ways, strict=True)
            ]
            totals = _scores(networks, places, copies, output, present).sum(0)
        moving = places if copies is None else [*places, present]
        for step, total in enumerate(totals):
            grads = torch.autograd.grad(total, moving, retain_graph=True)
            slopes = [(grad * way).sum(-1) for grad, way in zip(grads, ways, strict=False)] + list(grads[len(ways) :])
            found[step] += share @ torch.stack(slopes).sum(0).double().cpu().numpy()
        if on_progress is not None:
            on_progress(len(part))
    with torch.no_grad():
        both = torch.tensor([0.0, 1.0], device=device)
        ends = [start + both[:, None, None] * way for start, way in zip(starts, ways, strict=True)]
        scores = _scores(networks, ends, copies, output, both[:, None].expand(2, len(ids)))
        return found, scores.double().cpu().numpy()


def _scores(
    networks: list[Seq2Seq],
    places: list[Tensor],
    copies: Tensor | None,
    output: Output,
    present: Tensor | None = None,
) -> Tensor:
    """Log-probabilities ``(rows, outputs)`` of points on the path.

    Args:
        networks: one, or an ensemble.
        places: source vectors, one tensor ``(rows, source_length, width)`` a network.
        copies: copy ids of the source, ``(source_length,)``, or ``None``.
        output: the tokens scored.
        present: how far a source token is copied as itself, ``(rows, source_length)``.
    """
    device = places[0].device
    inputs, wanted = torch.from_numpy(output.inputs).to(device), torch.from_numpy(output.ids).to(device)
    rows, length = places[0].shape[:2]
    mask = torch.ones(rows, length, dtype=torch.bool, device=device)
    copy_ids = None if copies is None else copies.expand(rows, -1)
    logs = []
    for network, embedded in zip(networks, places, strict=True):
        memory, summary = encode_embedded(network, embedded, mask, copy_ids)
        logs.append(picked(network, decode(network, inputs, memory, summary), memory, wanted, present))
    return logs[0] if len(logs) == 1 else torch.logsumexp(torch.stack(logs), 0) - math.log(len(logs))


def _chunks(points: Values, weights: Values, size: int) -> Iterator[tuple[Values, Values]]:
    for start in range(0, len(points), size):
        yield points[start : start + size], weights[start : start + size]


def baseline_token(missing: str) -> int:
    """The token whose embedding is the baseline: the mask token where missing units are masked, else the zero vector."""
    return MASK if missing == "mask" else PAD
