"""Sampling: the distribution that tokens are drawn from, and repeatable draws."""

from __future__ import annotations

import secrets

import torch
from torch import Tensor

from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.decoding.constraints import IMPOSSIBLE


def sampling_seed(config: DecodingConfig) -> int | None:
    """Return the seed of the draws for one source, a random one if none is set; ``None`` without sampling."""
    if not config.sample:
        return None
    return secrets.randbits(31) if config.seed is None else config.seed


def likeliest_other(logs: Tensor, tokens: Tensor) -> Tensor:
    """Return the log-probability of the likeliest token besides ``tokens (rows, width)``, ``(rows, width)``.

    ``logs (rows, width, vocabulary)`` are changed in between, and restored.
    """
    places = tokens.unsqueeze(-1)
    own = logs.gather(-1, places)
    others = logs.scatter_(-1, places, IMPOSSIBLE).amax(-1).float()
    logs.scatter_(-1, places, own)
    return others


def sharpen(logs: Tensor, config: DecodingConfig) -> Tensor:
    """Return the distribution that sampling draws from, as log-probabilities that need not sum to one.

    Temperature, then top-k (Fan et al. 2018), top-p (Holtzman et al. 2020, sec. 3.1), min-p (Nguyen et al. 2024).
    """
    logs = (logs / config.temperature).log_softmax(-1)
    if config.top_k and config.top_k < logs.shape[-1]:
        logs = logs.masked_fill(logs < logs.topk(config.top_k, -1).values[..., -1:], IMPOSSIBLE)
    if config.top_p < 1.0:
        ordered, ids = logs.sort(-1, descending=True)
        before = ordered.exp().cumsum(-1) - ordered.exp()
        total = ordered.exp().sum(-1, keepdim=True)
        logs = logs.masked_fill((before >= config.top_p * total).gather(-1, ids.argsort(-1)), IMPOSSIBLE)
    if config.min_p > 0.0:
        limit = logs.max(-1, keepdim=True).values + torch.tensor(config.min_p).log().item()
        logs = logs.masked_fill(logs < limit, IMPOSSIBLE)
    return logs


def draw(logs: Tensor, seeds: list[int], steps: list[int]) -> Tensor:
    """Draw one token per hypothesis of ``logs (rows, width, vocabulary)`` (the Gumbel-max trick: Gumbel 1954).

    A draw depends on nothing but the seed and the step of its row. Returns tokens ``(rows, width)``.
    """
    _, width, vocabulary = logs.shape
    uniform: dict[tuple[int, int], Tensor] = {}
    for key in zip(seeds, steps, strict=True):
        if key not in uniform:
            generator = torch.Generator().manual_seed(key[0] * 1_000_003 + key[1])
            # Token by token, so that copied words of other sources, which widen the vocabulary, change nothing.
            uniform[key] = torch.rand(vocabulary, width, generator=generator).t()
    noise = torch.stack([uniform[key] for key in zip(seeds, steps, strict=True)]).to(logs.device)
    return (logs - (-noise.clamp(1e-20, 1 - 1e-7).log()).log()).argmax(-1)
