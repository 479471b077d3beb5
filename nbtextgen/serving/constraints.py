"""What may be written next, as ``nbtextgen.decoding.constraints`` has it, over NumPy arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.serving.network import Floats, Ids

IMPOSSIBLE = np.float32(-np.inf)
_LOWEST = np.float32(-1e4)


@dataclass(frozen=True)
class NumpyConstraints:
    """Rules on every output, applied to log-probabilities before a token is chosen."""

    config: DecodingConfig
    eos: int
    prefix: tuple[int, ...]
    allow: tuple[int, ...] | None
    forbid: tuple[tuple[int, ...], ...]

    def apply(self, logs: Floats, written: Ids) -> Floats:
        """Rule out tokens of ``logs (batch, width, vocabulary)``, which is left alone; ``written (batch, width, steps)``."""
        step = written.shape[-1]
        if step < len(self.prefix):
            return only(logs, [self.prefix[step]], _LOWEST)
        logs = logs.copy() if self.allow is None else only(logs, [*self.allow, self.eos])
        for sequence in self.forbid:
            before = np.array(sequence[:-1], np.int64)
            if len(before) <= step:
                logs[(written[..., step - len(before) :] == before).all(-1), sequence[-1]] = IMPOSSIBLE
        if step < self.config.min_length:
            logs[..., self.eos] = IMPOSSIBLE
        if self.config.no_repeat_ngram and step >= self.config.no_repeat_ngram - 1:
            _forbid_repeats(logs, written, self.config.no_repeat_ngram)
        return logs

    def end(self, logs: Floats, at_limit: np.ndarray) -> Floats:
        """Where a row ``(batch,)`` has reached its limit, only the end mark may follow."""
        if at_limit.any():
            logs[at_limit] = only(logs[at_limit], [self.eos], _LOWEST)
        return logs


def only(logs: Floats, ids: list[int], lowest: np.float32 = IMPOSSIBLE) -> Floats:
    """Rule out all tokens but some, which are taken to be at least as likely as ``lowest``."""
    kept = np.full_like(logs, IMPOSSIBLE)
    kept[..., ids] = np.maximum(logs[..., ids], lowest)
    return kept


def _forbid_repeats(logs: Floats, written: Ids, size: int) -> None:
    """Rule out every token that would complete an n-gram already written."""
    step = written.shape[-1]
    for at in range(step - size + 1):
        gram = written[..., at : at + size]
        rows, columns = (gram[..., :-1] == written[..., step - size + 1 :]).all(-1).nonzero()
        logs[rows, columns, gram[rows, columns, -1]] = IMPOSSIBLE


def log_softmax(logs: Floats) -> Floats:
    """Log-probabilities that sum to one."""
    shifted = logs - logs.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def sharpen(logs: Floats, config: DecodingConfig) -> Floats:
    """The distribution that sampling draws from; see ``nbtextgen.decoding.constraints.sharpen``."""
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
