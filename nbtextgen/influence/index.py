"""``InfluenceIndex``: how far each training pair raised or lowered the probability of an output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbtextgen.core.errors import OptionError, nearest
from nbtextgen.data.batching import Examples
from nbtextgen.influence.gradients import TokenGradients, token_gradients
from nbtextgen.model.isolation import isolated, isolated_methods
from nbtextgen.model.memory import memory_errors
from nbtextgen.model.seq2seq import Seq2Seq

METHODS = {
    "gradients": "preconditioned gradients of the last hidden layer",
    "states": "nearest decoder states",
}
"""Ways to tell the training pairs behind an output, and what they compare."""
SAMPLE = 2048
"""Examples from which the covariances are estimated."""
DAMPING = 0.03
"""Added to every eigenvalue of a covariance, as a share of their mean."""
KEPT_FEATURES, KEPT_ERRORS = 128, 64
"""Most entries that are kept of each side of a gradient.

Longer sides are projected at random (Johnson and Lindenstrauss 1984), which keeps dot products on average. Of 192 features, 96
random directions found as many planted rows as all of them; the 96 principal ones found fewer.
"""
BLOCK = 1 << 16
"""Training tokens that are compared with an output at once."""
ProgressCallback = Callable[[int, int], None]
"""Called with (examples read, examples in all); may raise to end the work."""


def check_method(method: str) -> None:
    """Raise ``OptionError`` for a method that does not exist."""
    if method not in METHODS:
        raise OptionError(f"--method must be one of {', '.join(METHODS)} (got '{method}').{nearest(method, METHODS)}")


@isolated_methods
class InfluenceIndex:
    """The gradients of all training tokens, compressed.

    ``gradients`` is the influence of Koh and Liang (2017, eq. 2) for the last hidden layer alone, with the Kronecker-factored
    approximation of the Fisher matrix (Martens and Grosse 2015, sec. 3) for the Hessian: with features ``x`` and errors ``e`` of
    an output token and of a training token, it sums ``(e E^-1 e') (x X^-1 x')`` over all tokens of a pair, where ``E`` and
    ``X`` are the damped second moments. Without ``E`` and ``X``, this is TracIn for one layer and the final weights (Pruthi et
    al. 2020, sec. 4).

    ``states`` finds the training token whose whitened decoder state has the largest cosine with that of the output token.
    It speaks for the output if it is the same token, and against it otherwise.

    Attributes:
        examples: number of training pairs.
    """

    @isolated()
    def __init__(
        self, networks: Sequence[Seq2Seq], examples: Examples, on_progress: ProgressCallback | None = None
    ) -> None:
        """Read all training pairs once, and a sample of them before.

        Args:
            networks: one, or an ensemble, whose influences are averaged.
            examples: the training pairs.
            on_progress: see ``ProgressCallback``.
        """
        self.examples = len(examples)
        sample = examples.take(range(0, self.examples, max(1, self.examples // SAMPLE)))
        total, done = (len(sample) + self.examples) * len(networks), 0

        def progress(count: int) -> None:
            nonlocal done
            done += count
            if on_progress is not None:
                on_progress(done, total)

        with memory_errors("There is not enough memory to index the training pairs; give fewer of them with --data."):
            self._networks = [_NetworkIndex.build(network, sample, examples, progress) for network in networks]

    def influence(
        self, output: Examples, steps: Sequence[int] | None = None, method: str = "gradients"
    ) -> NDArray[np.float32]:
        """Return the influence of every training pair on one output, ``(examples,)``; positive ones raised its probability.

        For ``gradients`` it estimates by how much the log-probability of the output, in nats, would fall without the pair; for
        ``states`` it is a sum of cosines.

        Args:
            output: one source with its output, encoded.
            steps: indices of the output's tokens, the end token included; by default all.
            method: one of ``METHODS``.
        """
        check_method(method)
        with memory_errors(
            "There is not enough memory to compare the output with the training pairs; choose a shorter one."
        ):
            parts = [network.influence(output, steps, method, self.examples) for network in self._networks]
        return torch.stack(parts).mean(0).numpy()


@dataclass(frozen=True)
class _Side:
    """Whitens one side of the gradients, and projects it if it is long.

    Attributes:
        matrix: ``(size, kept)``.
    """

    matrix: Tensor

    @classmethod
    def of(cls, vectors: Tensor, kept: int) -> _Side:
        """Estimate the second moments of ``vectors (tokens, size)``."""
        moments = vectors.T @ vectors / len(vectors)
        values, directions = cast("tuple[Tensor, Tensor]", cast("Any", torch.linalg).eigh(moments))
        scale = (values.clamp_min(0) + DAMPING * values.mean()).clamp_min(1e-12).rsqrt()
        matrix = directions * scale
        if len(scale) > kept:
            matrix = matrix @ torch.randn(len(scale), kept, generator=torch.Generator().manual_seed(0)) / kept**0.5
        return cls(matrix)

    def __call__(self, vectors: Tensor) -> Tensor:
        return vectors @ self.matrix


@dataclass(frozen=True)
class _NetworkIndex:
    """The index of one network.

    Attributes:
        network: the network.
        feature_side, error_side: their whitening.
        examples, targets: example and token id of each training token, ``(tokens,)``.
        features, errors: whitened, in half precision, ``(tokens, kept)``.
    """

    network: Seq2Seq
    feature_side: _Side
    error_side: _Side
    examples: Tensor
    targets: Tensor
    features: Tensor
    errors: Tensor

    @classmethod
    def build(
        cls, network: Seq2Seq, sample: Examples, examples: Examples, progress: Callable[[int], None]
    ) -> _NetworkIndex:
        """Estimate the covariances from a sample, and compress the gradients of all examples."""
        gradients = list(token_gradients(network, sample, progress))
        feature_side = _Side.of(torch.cat([batch.features for batch in gradients]), KEPT_FEATURES)
        error_side = _Side.of(torch.cat([batch.errors for batch in gradients]), KEPT_ERRORS)
        del gradients
        parts = [
            (batch.examples, batch.targets, feature_side(batch.features).half(), error_side(batch.errors).half())
            for batch in token_gradients(network, examples, progress)
        ]
        return cls(network, feature_side, error_side, *map(torch.cat, zip(*parts, strict=True)))

    def influence(self, output: Examples, steps: Sequence[int] | None, method: str, count: int) -> Tensor:
        """Return the influence of ``count`` examples; see ``InfluenceIndex.influence``."""
        [gradients] = token_gradients(self.network, output)
        chosen = slice(None) if steps is None else list(steps)
        query = TokenGradients(
            gradients.examples[chosen],
            gradients.targets[chosen],
            self.feature_side(gradients.features[chosen]),
            self.error_side(gradients.errors[chosen]),
        )
        return self._by_states(query, count) if method == "states" else self._by_gradients(query, count)

    def _by_gradients(self, query: TokenGradients, count: int) -> Tensor:
        influence = torch.zeros(count)
        for block in self._blocks():
            products = self.errors[block].float() @ query.errors.T
            products *= self.features[block].float() @ query.features.T
            influence.index_add_(0, self.examples[block], products.sum(1))
        return influence / len(self.examples)

    def _by_states(self, query: TokenGradients, count: int) -> Tensor:
        nearest_same = torch.zeros(count, len(query.targets))
        nearest_other = torch.zeros_like(nearest_same)
        states = torch.nn.functional.normalize(query.features, dim=-1)
        for block in self._blocks():
            cosines = torch.nn.functional.normalize(self.features[block].float(), dim=-1) @ states.T
            same = self.targets[block][:, None] == query.targets
            rows = self.examples[block][:, None].expand_as(cosines)
            nearest_same.scatter_reduce_(0, rows, cosines * same, "amax")
            nearest_other.scatter_reduce_(0, rows, cosines * ~same, "amax")
        return torch.where(nearest_same >= nearest_other, nearest_same, -nearest_other).sum(1)

    def _blocks(self) -> list[slice]:
        return [slice(start, start + BLOCK) for start in range(0, len(self.examples), BLOCK)]
