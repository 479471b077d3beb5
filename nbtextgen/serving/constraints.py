"""The constraints of ``nbtextgen.decoding.constraints`` and the distribution of ``sampling``, over NumPy arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nbtextgen.decoding.config import DecodingConfig, TokenRules
from nbtextgen.serving.network import Floats, Ids
from nbtextgen.tokenizers.base import EOS

IMPOSSIBLE = np.float32(-np.inf)
FORCED_MINIMUM = np.float32(-1e4)
"""Smallest log-probability of a forced token, so that even an impossible one can be generated."""


@dataclass(frozen=True)
class NumpyConstraints:
    """Rules of every output, applied to log-probabilities before a token is chosen."""

    config: DecodingConfig
    rules: TokenRules

    def apply(self, logs: Floats, generated: Ids) -> Floats:
        """Rule out tokens in a copy of ``logs (batch, width, vocabulary)``, given ``generated (batch, width, steps)``."""
        step, rules = generated.shape[-1], self.rules
        if step < len(rules.prefix):
            return allow_only(logs, [rules.prefix[step]], FORCED_MINIMUM)
        logs = logs.copy() if rules.allow is None else allow_only(logs, [*rules.allow, EOS])
        for sequence in rules.forbid:
            before = np.array(sequence[:-1], np.int64)
            if len(before) <= step:
                logs[(generated[..., step - len(before) :] == before).all(-1), sequence[-1]] = IMPOSSIBLE
        if step < self.config.min_length:
            logs[..., EOS] = IMPOSSIBLE
        if self.config.no_repeat_ngram and step >= self.config.no_repeat_ngram - 1:
            _forbid_repeats(logs, generated, self.config.no_repeat_ngram)
        return logs

    def force_end(self, logs: Floats, at_limit: NDArray[np.bool_]) -> Floats:
        """Allow only the end token in rows ``at_limit (batch,)``; changes ``logs`` in place."""
        if at_limit.any():
            logs[at_limit] = allow_only(logs[at_limit], [EOS], FORCED_MINIMUM)
        return logs


def allow_only(logs: Floats, ids: list[int], minimum: np.float32 = IMPOSSIBLE) -> Floats:
    """Rule out all tokens except ``ids``, whose log-probability becomes at least ``minimum``."""
    allowed = np.full_like(logs, IMPOSSIBLE)
    allowed[..., ids] = np.maximum(logs[..., ids], minimum)
    return allowed


def _forbid_repeats(logs: Floats, generated: Ids, size: int) -> None:
    """Rule out every token that would complete an n-gram already generated."""
    step = generated.shape[-1]
    for position in range(step - size + 1):
        gram = generated[..., position : position + size]
        rows, columns = (gram[..., :-1] == generated[..., step - size + 1 :]).all(-1).nonzero()
        logs[rows, columns, gram[rows, columns, -1]] = IMPOSSIBLE


def log_softmax(logs: Floats) -> Floats:
    """Normalize log-probabilities to sum to one."""
    shifted = logs - logs.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def sharpen(logs: Floats, config: DecodingConfig) -> Floats:
    """Return the distribution that sampling draws from; see ``nbtextgen.decoding.sampling.sharpen``."""
    logs = log_softmax(logs / np.float32(config.temperature))
    if config.top_k and config.top_k < logs.shape[-1]:
        logs = np.where(logs < np.sort(logs, -1)[..., -config.top_k, None], IMPOSSIBLE, logs)
    if config.top_p < 1.0:
        order = np.argsort(-logs, -1, kind="stable")
        ordered = np.exp(np.take_along_axis(logs, order, -1))
        cut = ordered.cumsum(-1) - ordered >= config.top_p * ordered.sum(-1, keepdims=True)
        logs = np.where(np.take_along_axis(cut, np.argsort(order, -1), -1), IMPOSSIBLE, logs)
    if config.min_p > 0.0:
        logs = np.where(logs < logs.max(-1, keepdims=True) + np.log(config.min_p), IMPOSSIBLE, logs)
    return logs
