"""The value function: how likely the output is if only some units of the input are present.

v(S) is the teacher-forced log-probability of each token of a given output, with the units outside S removed. Why:

* Teacher-forced, because the question is about this very output: for a masked input the model would generate another one,
  whose words could not be compared. It also scores all tokens in one pass.
* Log-probabilities, because they add up over tokens to the log-probability of the whole output, so that attributions of
  tokens add up to the attribution of the output, and because a probability near one hides what supports it.
* What replaces a missing unit is a choice without a right answer (Sturmfels et al. 2020; Covert et al. 2021, sec. 4), so
  it is an option; see ``removal``. The default was picked by measurement, see ``benchmarks/README.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbtextgen.explanation.attributions import Coalitions, Ids, Values
from nbtextgen.explanation.removal import MaskedSources, Removal
from nbtextgen.explanation.scoring import TokenScore, decode, position_scores
from nbtextgen.explanation.subject import ExplainedOutput, Subject
from nbtextgen.model.attention import Memory
from nbtextgen.model.memory import in_fitting_parts
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.tokenizers.base import PAD

ProgressCallback = Callable[[int], None]
"""Called with the number of copies read since the last call; may raise ``Cancelled``."""


class ValueFunction:
    """From presence bits to log-probabilities of the output's tokens.

    Attributes:
        evaluations: copies of the input that were scored.
    """

    def __init__(
        self,
        networks: list[Seq2Seq],
        subject: Subject,
        removal: Removal,
        *,
        batch_size: int = 256,
        score_token: TokenScore | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> None:
        """Create a value function.

        Args:
            networks: one, or an ensemble, whose probabilities are averaged.
            subject: the source and its output; with an alternative, v is the difference of the two log-probabilities.
            removal: makes copies of the source without the missing units.
            batch_size: copies read together.
            score_token: what v is in place of the log-probability of each token.
            on_progress: called after every batch.
        """
        self.networks, self.subject, self.removal, self.score_token = networks, subject, removal, score_token
        self.batch_size, self.on_progress = batch_size, on_progress
        self.evaluations = 0
        self._pairing = None if subject.contrast is None else subject.pairing()
        self._scores: dict[bytes, Values] = {}

    def __call__(self, coalitions: Coalitions) -> Values:
        """Score ``(coalitions, units)`` in nats, ``(coalitions, output tokens)``; scores are cached for all methods."""
        keys = [row.tobytes() for row in np.packbits(coalitions, axis=1)]
        rows = list({key: row for row, key in enumerate(keys) if key not in self._scores}.values())
        if rows:
            for row, scores in zip(rows, self._compute(coalitions[rows]), strict=True):
                self._scores[keys[row]] = scores
        return np.stack([self._scores[key] for key in keys])

    def _compute(self, coalitions: Coalitions) -> Values:
        # Copies of similar length share a batch: after deletion lengths differ, and padding would be read in vain.
        order = np.argsort(coalitions.sum(1), kind="stable")
        results = np.empty((len(coalitions), len(self.subject.output)))
        size = max(1, self.batch_size // self.removal.repeats)
        for start in range(0, len(coalitions), size):
            for rows, scores in in_fitting_parts(partial(self._score_rows, coalitions), order[start : start + size]):
                results[rows] = scores
                copies = len(rows) * self.removal.repeats
                self.evaluations += copies
                if self.on_progress is not None:
                    self.on_progress(copies)
        return results

    def _score_rows(self, coalitions: Coalitions, rows: NDArray[np.intp]) -> Values:
        masked = self.removal(coalitions[rows])
        return self.score(masked.ids, masked.copy_ids).reshape(len(rows), self.removal.repeats, -1).mean(1)

    @torch.inference_mode()
    def score(self, ids: Ids, copy_ids: Ids | None, *, hide_written: bool = False) -> Values:
        """Score sources with ``ids`` and ``copy_ids (copies, length)``, ``(copies, output tokens)``.

        With ``hide_written`` the decoder sees that tokens were written, but not which.
        """
        encoded = self.encode(MaskedSources(ids, copy_ids))
        ours = self._score_output(encoded, self.subject.output, hide_written)
        if self.subject.contrast is None or self._pairing is None:
            return ours
        return ours - self._score_output(encoded, self.subject.contrast, hide_written) @ self._pairing.T

    def encode(self, sources: MaskedSources) -> list[tuple[Memory, Tensor]]:
        """Memory and summary of the sources, for each network."""
        device = self.networks[0].output_bias.device
        source = torch.as_tensor(np.ascontiguousarray(sources.ids), device=device)
        copy_ids = sources.copy_ids
        copies = None if copy_ids is None else torch.as_tensor(np.ascontiguousarray(copy_ids), device=device)
        return [network.encode(source, copies) for network in self.networks]

    def _score_output(
        self, encoded: list[tuple[Memory, Tensor]], output: ExplainedOutput, hide_written: bool
    ) -> Values:
        device = encoded[0][1].device
        inputs, targets = torch.as_tensor(output.inputs, device=device), torch.as_tensor(output.ids, device=device)
        if hide_written:
            inputs[1:] = PAD  # whose embedding is the zero vector
        networks = zip(self.networks, encoded, strict=True)
        decoded = [decode(network, inputs, memory, summary) for network, (memory, summary) in networks]
        memories = [memory for memory, _ in encoded]
        scores = position_scores(self.networks, decoded, memories, targets, self.score_token)
        return scores.double().cpu().numpy()
