"""Weights for larger vocabularies: embeddings and output layers with more rows, in which the old rows stay as they are."""

from __future__ import annotations

import torch
from torch import Tensor

from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.tokenizers.base import SPECIAL

NOISE = 0.5
"""Spread of the new rows around the mean of the old ones, as a fraction of the spread of those."""


@torch.no_grad()
def grown_weights(network: Seq2Seq, source_size: int, target_size: int, seed: int) -> dict[str, Tensor]:
    """The weights of a network, by name and on the CPU, with rows for larger vocabularies.

    A new row is the mean of the old ones plus noise (Hewitt 2021, "Initializing new word embeddings for pretrained language
    models"): the new token gets about the probability of a mean token, so the old ones lose little, in proportion.

    Args:
        network: the network, which is not changed.
        source_size, target_size: token types of both sides, at least as many as the network has.
        seed: of the noise.
    """
    draw = torch.Generator().manual_seed(seed)
    sizes = {
        "source_embedding.weight": source_size,
        "target_embedding.weight": target_size,
        "output_weight": target_size,
        "output_bias": target_size,
    }
    weights = dict[str, Tensor]()
    for name, parameter in network.named_parameters():
        tensor = parameter.detach().to("cpu", copy=True)
        weights[name] = _with_rows(tensor, sizes[name], draw) if name in sizes else tensor
    return weights


def _with_rows(table: Tensor, size: int, draw: torch.Generator) -> Tensor:
    """A table ``(rows, ...)`` with ``size`` rows; the special tokens have no part in the mean."""
    missing = size - len(table)
    if not missing:
        return table
    learned = table[len(SPECIAL) :]
    spread = learned.std(0, unbiased=False) if table.dim() > 1 else torch.zeros(())
    noise = torch.randn(missing, *table.shape[1:], generator=draw)
    return torch.cat([table, learned.mean(0) + NOISE * spread * noise])
