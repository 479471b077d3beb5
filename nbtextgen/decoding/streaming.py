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
from nbtextgen.decoding.sampling import draw, likeliest_other, sampling_seed, sharpen
from nbtextgen.decoding.stepper import Stepper
from nbtextgen.tokenizers.base import BOS, EOS


class Token(NamedTuple):
    """One generated token.

    Attributes:
        id: token id.
        log_probability: of the token, before any rule is applied.
        attention: of the step, ``(1, 1, source_length)``.
        rival: see ``Hypothesis.rivals``.
    """

    id: int
    log_probability: float
    attention: Tensor
    rival: float


def generate_tokens(
    model: Stepper,
    source: Tensor,
    copy_ids: Tensor | None,
    constraints: Constraints,
    *,
    limit: int,
    cancellation: CancellationToken | None = None,
) -> Iterator[Token]:
    """Yield tokens as they are chosen, including the end token, which is forced after ``limit`` other tokens.

    ``source`` and ``copy_ids`` are ``(1, source_length)``; ``cancellation`` ends the loop with ``Cancelled``.

    Raises:
        OptionError: if the rules leave no token to generate.
    """
    seed = sampling_seed(constraints.config)
    last = torch.full((1, 1), BOS, device=source.device)
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
                last = torch.full_like(last, EOS)
            elif seed is None:
                last = allowed.argmax(-1)
            else:
                last = draw(sharpen(allowed, constraints.config), [seed], [step])
            token = int(last)
            if step < limit and float(allowed.view(-1)[token]) == IMPOSSIBLE:
                raise OptionError(NOTHING_ALLOWED)
            log_probability = float(logs.view(-1)[token])
            rival = IMPOSSIBLE if step == limit else float(likeliest_other(allowed, last))
            if constraints.look_back:
                generated = torch.cat([generated, last.unsqueeze(-1)], -1)
        yield Token(token, log_probability, attention, rival)
        if token == EOS:
            return


def stream(
    model: Stepper,
    source: Tensor,
    config: DecodingConfig,
    rules: TokenRules = NO_RULES,
    *,
    max_length: int,
    copy_ids: Tensor | None = None,
) -> Iterator[tuple[int, float]]:
    """Yield ``(id, log-probability)`` as tokens are chosen, greedily or by sampling, without the end token.

    ``source`` is ``(1, source_length)``; for the rest see ``decode``, which generates the same for the same seed.
    """
    limit = max(max_length, len(rules.prefix) + 1, config.min_length)
    for token in generate_tokens(model, source, copy_ids, Constraints(config, rules), limit=limit):
        if token.id != EOS:
            yield token.id, token.log_probability
