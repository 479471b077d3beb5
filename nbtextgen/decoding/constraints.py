"""What may be written next: prefix, lengths, allowed and forbidden tokens, repeated n-grams, sampling's cuts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nbtextgen.decoding.config import DecodingConfig

IMPOSSIBLE = float("-inf")


@dataclass(frozen=True)
class Constraints:
    """Rules on every output, applied to log-probabilities before a token is chosen."""

    config: DecodingConfig
    eos: int
    prefix: tuple[int, ...]
    allow: tuple[int, ...] | None
    forbid: tuple[tuple[int, ...], ...]

    def apply(self, logs: Tensor, written: Tensor) -> Tensor:
        """Rule out tokens: ``logs (batch, width, vocabulary)``, ``written (batch, width, steps so far)``."""
        step = written.shape[-1]
        if step < len(self.prefix):
            forced = torch.full_like(logs, IMPOSSIBLE)
            forced[..., self.prefix[step]] = logs[..., self.prefix[step]].clamp_min(-1e4)
            return forced
        if self.allow is not None:
            kept = torch.full_like(logs, IMPOSSIBLE)
            ids = torch.tensor([*self.allow, self.eos], device=logs.device)
            kept[..., ids] = logs[..., ids]
            logs = kept
        for sequence in self.forbid:
            self._forbid_last(logs, written, sequence)
        if step < self.config.min_length:
            logs[..., self.eos] = IMPOSSIBLE
        if self.config.no_repeat_ngram and step >= self.config.no_repeat_ngram - 1:
            self._forbid_repeats(logs, written, self.config.no_repeat_ngram)
        return logs

    @staticmethod
    def _forbid_last(logs: Tensor, written: Tensor, sequence: tuple[int, ...]) -> None:
        """Rule out the last token of a forbidden sequence where the ones before it have just been written."""
        before = torch.tensor(sequence[:-1], dtype=written.dtype, device=written.device)
        if len(before) > written.shape[-1]:
            return
        tail = written[..., written.shape[-1] - len(before) :]
        logs[..., sequence[-1]].masked_fill_((tail == before).all(-1), IMPOSSIBLE)

    @staticmethod
    def _forbid_repeats(logs: Tensor, written: Tensor, size: int) -> None:
        """Rule out every token that would complete an n-gram already written."""
        if size == 1:
            logs.scatter_(-1, written, IMPOSSIBLE)
            return
        grams = written.unfold(-1, size, 1) if written.shape[-1] >= size else None
        if grams is None:
            return
        tail = written[..., written.shape[-1] - size + 1 :].unsqueeze(-2)
        same = (grams[..., :-1] == tail).all(-1)
        for row, column, at in same.nonzero().tolist():
            logs[row, column, grams[row, column, at, -1]] = IMPOSSIBLE


def sharpen(logs: Tensor, config: DecodingConfig) -> Tensor:
    """The distribution that sampling draws from, as log-probabilities that need not sum to one.

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
