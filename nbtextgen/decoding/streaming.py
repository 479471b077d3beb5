"""Generate the output for one source token by token, for ``stream`` and for ``decode`` with a single source.

It generates the same as the search over a batch (``GreedySearch``), without the bookkeeping of a batch, which takes
longer than the network's own step if one sentence is generated at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.core.errors import OptionError
from nbtextgen.decoding.config import NO_RULES, NOTHING_ALLOWED, DecodingConfig, TokenRules
from nbtextgen.decoding.constraints import IMPOSSIBLE, Constraints
from nbtextgen.decoding.sampling import draw, sampling_seed, sharpen
from nbtextgen.decoding.stepper import Stepper


class Token(NamedTuple):
    """One generated token.

    Attributes:
        id: token id.
        log_probability: of the token, before any rule is applied.
        attention: of the step, ``(1, 1, source_length)``.
    """

    id: int
    log_probability: float
    attention: Tensor


def generate_tokens(
    model: Stepper,
    source: Tensor,
    copy_ids: Tensor | None,
    constraints: Constraints,
    *,
    bos: int,
    limit: int,
    seed: int | None,
    cancellation: CancellationToken | None = None,
) -> Iterator[Token]:
    """Yield tokens as they are chosen, including the end token, which is forced after ``limit`` other tokens.

    Args:
        model: predicts the next token.
        source: ``(1, source_length)``; ``copy_ids`` has the same shape.
        constraints: rules of the output, and the configuration.
        bos: id of the begin token.
        limit: most tokens before the end token.
        seed: of the draws, or ``None`` for greedy decoding.
        cancellation: ends the loop with ``Cancelled`` at its next step.

    Raises:
        OptionError: if the rules leave no token to generate.
    """
    last = torch.full((1, 1), bos, device=source.device)
    generated = last.unsqueeze(-1)[..., :0]
    with torch.inference_mode():
        state = model.start(source, 1, copy_ids)
    for step in range(limit + 1):
        if cancellation is not None:
            cancellation.raise_if_cancelled()
        with torch.inference_mode():
            logs, attention, state = model.step(last, state)
            allowed = logs
            if constraints.exist:
                allowed = constraints.apply(logs.clone(), torch.tensor([step], device=source.device), generated)
            if step == limit:
                last = torch.full_like(last, constraints.eos)
            else:
                last = _choose(allowed, constraints.config, seed, step)
            token = int(last)
            if step < limit and float(allowed.view(-1)[token]) == IMPOSSIBLE:
                raise OptionError(NOTHING_ALLOWED)
            log_probability = float(logs.view(-1)[token])
            if constraints.look_back:
                generated = torch.cat([generated, last.unsqueeze(-1)], -1)
        yield Token(token, log_probability, attention)
        if token == constraints.eos:
            return


def _choose(logs: Tensor, config: DecodingConfig, seed: int | None, step: int) -> Tensor:
    """Return the best token of ``logs (1, 1, vocabulary)``, or with a seed a drawn one."""
    return logs.argmax(-1) if seed is None else draw(sharpen(logs, config), [seed], [step])


def stream(
    model: Stepper,
    source: Tensor,
    config: DecodingConfig,
    rules: TokenRules = NO_RULES,
    *,
    bos: int,
    eos: int,
    max_length: int,
    copy_ids: Tensor | None = None,
) -> Iterator[tuple[int, float]]:
    """Yield ``(id, log-probability)`` as tokens are chosen, greedily or by sampling, without the end token.

    Args:
        source: ``(1, source_length)``; for the rest see ``decode``, which generates the same for the same seed.

    Raises:
        OptionError: if the rules leave no token to generate.
    """
    constraints = Constraints(config, rules, eos)
    limit = max(max_length, len(rules.prefix) + 1, config.min_length)
    seed = sampling_seed(config)
    for token in generate_tokens(model, source, copy_ids, constraints, bos=bos, limit=limit, seed=seed):
        if token.id == eos:
            return
        yield token.id, token.log_probability
