"""Token-by-token output for one source."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence

from torch import Tensor

from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.decoding.constraints import Constraints
from nbtextgen.decoding.single import generate_tokens
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
