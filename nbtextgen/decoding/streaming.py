"""One output for one source, token by token: the loop behind ``stream``, and behind ``decode`` for a single source.

It does the same as the search over a batch (``search.follow_batch``) without a batch's bookkeeping, which takes longer
than the network's own step where one sentence is generated at a time.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.core.errors import OptionError
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.decoding.constraints import IMPOSSIBLE, Constraints, sharpen
from nbtextgen.decoding.stepper import Stepper

NOTHING = "Nothing can be written under these rules; relax --allow, --forbid or --min-length."


class Token(NamedTuple):
    """One generated token.

    Attributes:
        id: token id.
        log_probability: of the token, as the model gave it before any rule.
        attention: of the step, ``(1, 1, source_length)``.
    """

    id: int
    log_probability: float
    attention: Tensor


def generate_tokens(
    model: Stepper,
    source: Tensor,
    copy_ids: Tensor | None,
    config: DecodingConfig,
    rules: Constraints,
    *,
    bos: int,
    limit: int,
    seed: int | None,
    cancellation: CancellationToken | None = None,
) -> Iterator[Token]:
    """Yield tokens as they are chosen, the end mark included, which is forced after ``limit`` other tokens.

    Args:
        model: what gives the next token's log-probabilities.
        source: ``(1, source_length)``; ``copy_ids`` has the same shape.
        config: greedy or sampling.
        rules: what may be generated.
        bos: begin id.
        limit: most tokens before the end mark.
        seed: what draws depend on when sampling.
        cancellation: ends the loop with ``Cancelled`` at its next step.

    Raises:
        OptionError: when the rules leave nothing that could be generated.
    """
    last = torch.full((1, 1), bos, device=source.device)
    written = last.unsqueeze(-1)[..., :0]
    with torch.inference_mode():
        state = model.start(source, 1, copy_ids)
    for step in range(limit + 1):
        if cancellation is not None:
            cancellation.raise_if_cancelled()
        with torch.inference_mode():
            logs, attention, state = model.step(last, state)
            ruled = logs
            if rules.exist:
                ruled = rules.apply(logs.clone(), torch.tensor([step], device=source.device), written)
            if step == limit:
                last = torch.full_like(last, rules.eos)
            elif seed is None:
                last = ruled.argmax(-1)
            else:
                last = draw(sharpen(ruled, config), [seed], [step])
            token = int(last)
            if step < limit and float(ruled.view(-1)[token]) == IMPOSSIBLE:
                raise OptionError(NOTHING)
            logged = float(logs.view(-1)[token])
            if rules.look_back:
                written = torch.cat([written, last.unsqueeze(-1)], -1)
        yield Token(token, logged, attention)
        if token == rules.eos:
            return


def draw(logs: Tensor, seeds: list[int], steps: list[int]) -> Tensor:
    """One token per hypothesis by each row's seed and step (the Gumbel-max trick: Gumbel 1954)."""
    _, width, vocabulary = logs.shape
    drawn: dict[tuple[int, int], Tensor] = {}
    for key in zip(seeds, steps, strict=True):
        if key not in drawn:
            drawer = torch.Generator().manual_seed(key[0] * 1_000_003 + key[1])
            # Token by token, so that a vocabulary that others' copied words make wider changes nothing.
            drawn[key] = torch.rand(vocabulary, width, generator=drawer).t()
    noise = torch.stack([drawn[key] for key in zip(seeds, steps, strict=True)]).to(logs.device)
    return (logs - (-noise.clamp(1e-20, 1 - 1e-7).log()).log()).argmax(-1)


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
        source: ``(1, source_length)``; the rest as ``decode``, which generates the same, also when sampling with a seed.

    Raises:
        OptionError: when the rules leave nothing that could be generated.
    """
    allowed = None if allow_ids is None else tuple(allow_ids)
    rules = Constraints(config, eos, tuple(prefix_ids), allowed, tuple(map(tuple, forbid_ids)))
    limit = max(max_length, len(prefix_ids) + 1, config.min_length)
    seed = None
    if config.sample:
        seed = secrets.randbits(31) if config.seed is None else config.seed
    for token in generate_tokens(model, source, copy_ids, config, rules, bos=bos, limit=limit, seed=seed):
        if token.id == eos:
            return
        yield token.id, token.log_probability
