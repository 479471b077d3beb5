"""Constraints on the next token: prefix, lengths, allowed and forbidden tokens, and repeated n-grams."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nbtextgen.decoding.config import DecodingConfig, TokenRules
from nbtextgen.tokenizers.base import EOS

IMPOSSIBLE = float("-inf")
FORCED_MINIMUM = -1e4
"""Smallest log-probability of a forced token, so that even an impossible one can be generated."""


@dataclass(frozen=True)
class Constraints:
    """Rules of every output, applied to log-probabilities before a token is chosen."""

    config: DecodingConfig
    rules: TokenRules

    @property
    def look_back(self) -> bool:
        """Whether the rules depend on which tokens were generated, not only on how many."""
        return bool(self.config.no_repeat_ngram) or any(len(sequence) > 1 for sequence in self.rules.forbid)

    @property
    def exist(self) -> bool:
        """Whether there is any rule."""
        lengths = self.config.min_length or self.config.no_repeat_ngram
        return bool(self.rules.prefix or self.rules.allow is not None or self.rules.forbid or lengths)

    def apply(self, logs: Tensor, steps: Tensor, generated: Tensor | None) -> Tensor:
        """Rule out tokens; may change ``logs`` in place.

        Args:
            logs: ``(batch, width, vocabulary)``.
            steps: number of tokens generated in each row, ``(batch,)``.
            generated: these tokens, ``(batch, width, length)``, with -1 before a row's first; needed if ``look_back``.
        """
        if self.rules.prefix:
            prefix = torch.tensor(self.rules.prefix, device=logs.device)
            in_prefix = steps < len(prefix)
            token = prefix[steps.clamp_max(len(prefix) - 1)][:, None, None].expand(-1, logs.shape[1], 1)
            forced_log = logs.gather(-1, token).clamp_min(FORCED_MINIMUM)
            forced = torch.full_like(logs, IMPOSSIBLE).scatter_(-1, token, forced_log)
            return torch.where(in_prefix[:, None, None], forced, self._apply_after_prefix(logs, steps, generated))
        return self._apply_after_prefix(logs, steps, generated)

    def _apply_after_prefix(self, logs: Tensor, steps: Tensor, generated: Tensor | None) -> Tensor:
        if self.rules.allow is not None:
            kept = torch.full_like(logs, IMPOSSIBLE)
            ids = torch.tensor([*self.rules.allow, EOS], device=logs.device)
            kept[..., ids] = logs[..., ids]
            logs = kept
        for sequence in self.rules.forbid:
            if len(sequence) == 1:
                logs[..., sequence[0]] = IMPOSSIBLE
            elif generated is not None:
                self._forbid_last(logs, generated, sequence)
        if self.config.min_length:
            logs[..., EOS].masked_fill_((steps < self.config.min_length)[:, None], IMPOSSIBLE)
        if self.config.no_repeat_ngram and generated is not None:
            self._forbid_repeats(logs, generated, self.config.no_repeat_ngram)
        return logs

    @staticmethod
    def _forbid_last(logs: Tensor, generated: Tensor, sequence: tuple[int, ...]) -> None:
        """Rule out the last token of a forbidden sequence where the ones before it have just been generated."""
        before = torch.tensor(sequence[:-1], dtype=generated.dtype, device=generated.device)
        if len(before) > generated.shape[-1]:
            return
        tail = generated[..., generated.shape[-1] - len(before) :]
        logs[..., sequence[-1]].masked_fill_((tail == before).all(-1), IMPOSSIBLE)

    @staticmethod
    def _forbid_repeats(logs: Tensor, generated: Tensor, size: int) -> None:
        """Rule out every token that would complete an n-gram already generated."""
        if generated.shape[-1] < size:
            return
        grams = generated.unfold(-1, size, 1)
        tail = generated[..., generated.shape[-1] - size + 1 :].unsqueeze(-2)
        same = (grams[..., :-1] == tail).all(-1) & (grams[..., 0] >= 0)
        same &= (
            grams[..., -1] < logs.shape[-1]
        )  # free rows may hold copied words that no source of the batch has any more
        rows, columns, positions = same.nonzero(as_tuple=True)
        logs[rows, columns, grams[rows, columns, positions, -1]] = IMPOSSIBLE


def force_end(logs: Tensor, at_limit: Tensor) -> Tensor:
    """Allow only the end token in rows ``at_limit (batch,)``; changes ``logs`` in place."""
    rows = at_limit.nonzero()[:, 0]
    if len(rows):
        ending = logs[rows, :, EOS].clamp_min(FORCED_MINIMUM)
        logs.index_fill_(0, rows, IMPOSSIBLE)
        logs[rows, :, EOS] = ending
    return logs
