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

    @property
    def look_back(self) -> bool:
        """Whether the rules depend on which tokens were written, not only on how many."""
        return bool(self.config.no_repeat_ngram) or any(len(sequence) > 1 for sequence in self.forbid)

    @property
    def exist(self) -> bool:
        """Whether there is any rule."""
        lengths = self.config.min_length or self.config.no_repeat_ngram
        return bool(self.prefix or self.allow is not None or self.forbid or lengths)

    def apply(self, logs: Tensor, steps: Tensor, written: Tensor | None) -> Tensor:
        """Rule out tokens; may change ``logs`` in place.

        Args:
            logs: ``(batch, width, vocabulary)``.
            steps: how many tokens each row has, ``(batch,)``.
            written: the tokens, ``(batch, width, length)``, filled with -1 before a row's first; needed when the rules
                ``look_back``.
        """
        if self.prefix:
            given = torch.tensor(self.prefix, device=logs.device)
            forcing = steps < len(given)
            token = given[steps.clamp_max(len(given) - 1)][:, None, None].expand(-1, logs.shape[1], 1)
            forced = torch.full_like(logs, IMPOSSIBLE).scatter_(-1, token, logs.gather(-1, token).clamp_min(-1e4))
            return torch.where(forcing[:, None, None], forced, self._ruled(logs, steps, written))
        return self._ruled(logs, steps, written)

    def _ruled(self, logs: Tensor, steps: Tensor, written: Tensor | None) -> Tensor:
        if self.allow is not None:
            kept = torch.full_like(logs, IMPOSSIBLE)
            ids = torch.tensor([*self.allow, self.eos], device=logs.device)
            kept[..., ids] = logs[..., ids]
            logs = kept
        for sequence in self.forbid:
            if len(sequence) == 1:
                logs[..., sequence[0]] = IMPOSSIBLE
            elif written is not None:
                self._forbid_last(logs, written, sequence)
        if self.config.min_length:
            logs[..., self.eos].masked_fill_((steps < self.config.min_length)[:, None], IMPOSSIBLE)
        if self.config.no_repeat_ngram and written is not None:
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
        if written.shape[-1] < size:
            return
        grams = written.unfold(-1, size, 1)
        tail = written[..., written.shape[-1] - size + 1 :].unsqueeze(-2)
        same = (grams[..., :-1] == tail).all(-1) & (grams[..., 0] >= 0)
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


def end_at_limit(logs: Tensor, at_limit: Tensor, eos: int) -> Tensor:
    """Where a row ``(batch,)`` has reached its limit, only the end mark may follow; changes ``logs`` in place."""
    rows = at_limit.nonzero()[:, 0]
    if len(rows):
        ending = logs[rows, :, eos].clamp_min(-1e4)
        logs.index_fill_(0, rows, IMPOSSIBLE)
        logs[rows, :, eos] = ending
    return logs
