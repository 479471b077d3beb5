"""Token-by-token output for one source."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.decoding.constraints import Constraints, sharpen
from nbtextgen.decoding.stepper import Stepper


def stream(
    model: Stepper,
    source: Tensor,
    config: DecodingConfig,
    *,
    bos: int,
    eos: int,
    max_length: int,
    copy_ids: Tensor | None = None,
    prefix_ids: Sequence[int] = (),
    allow_ids: Sequence[int] | None = None,
    forbid_ids: Sequence[Sequence[int]] = (),
) -> Iterator[tuple[int, float]]:
    """Yield ``(id, log-probability)`` as tokens are chosen, greedily or by sampling; the end mark is not yielded.

    Args:
        source: ``(1, source_length)``; the rest as ``decode``.
    """
    allowed = None if allow_ids is None else tuple(allow_ids)
    rules = Constraints(config, eos, tuple(prefix_ids), allowed, tuple(map(tuple, forbid_ids)))
    drawer = torch.Generator()
    drawer.manual_seed(config.seed if config.seed is not None else secrets.randbits(31))
    with torch.inference_mode():
        state = model.start(source, 1, copy_ids)
    last = torch.full((1, 1), bos, device=source.device)
    written = last.unsqueeze(-1)[..., :0]
    for step in range(max_length):
        with torch.inference_mode():
            logs, _, state = model.step(last, state)
            ruled = rules.apply(logs.clone(), torch.tensor([step], device=source.device), written)
            if config.sample:
                noise = torch.rand(ruled.shape, generator=drawer).to(ruled.device).clamp(1e-20, 1 - 1e-7)
                last = (sharpen(ruled, config) - (-noise.log()).log()).argmax(-1)
            else:
                last = ruled.argmax(-1)
            token = int(last)
            written = torch.cat([written, last.unsqueeze(-1)], -1)
        if token == eos:
            return
        yield token, float(logs[0, 0, token])
