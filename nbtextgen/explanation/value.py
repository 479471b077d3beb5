"""The value function: how likely the output is when only some units of the input are there.

v(S) is the teacher-forced log-probability of each token of a given output, with the units outside S removed. Why so:

* Teacher-forced, because what was written is what is asked about: a masked input would write something else, and its
  words could not be compared. It also scores all tokens in one pass.
* Log-probabilities, because they add up over tokens to the log-probability of the whole output, so that attributions of
  tokens add up to the attribution of the output, and because a probability near one hides what supports it.
* What replaces a missing unit is a choice without a right answer (Sturmfels et al. 2020; Covert et al. 2021, sec. 4), so
  it is an option; see ``removal``. The default was picked by measurement, see ``benchmarks/README.md``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbtextgen.explanation.removal import Ids, Kept, Removal
from nbtextgen.explanation.scoring import decode, picked
from nbtextgen.explanation.subject import Output, Subject
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.tokenizers.base import PAD

Values = NDArray[np.float64]
ProgressCallback = Callable[[int], None]
"""Called with the number of copies read since the last call; may raise ``Cancelled``."""


class ValueFunction:
    """From presence bits to log-probabilities of the output's tokens.

    Example:
        >>> value = ValueFunction(writer.networks, subject, removal)          # doctest: +SKIP
        >>> value(np.ones((1, len(units)), bool))                             # doctest: +SKIP
    """

    def __init__(
        self,
        networks: list[Seq2Seq],
        subject: Subject,
        removal: Removal,
        *,
        batch_size: int = 256,
        on_progress: ProgressCallback | None = None,
    ) -> None:
        """Keep what every call needs.

        Args:
            networks: one, or an ensemble, whose probabilities are averaged.
            subject: the source and its output; with an alternative, v is the difference of the two log-probabilities.
            removal: what stands in the place of missing units.
            batch_size: copies read together.
            heard: told of progress.
        """
        self.networks, self.removal, self.batch_size, self.on_progress = networks, removal, batch_size, on_progress
        self.subject = subject
        self._pairing = None if subject.contrast is None else subject.pairing()
        self._known: dict[bytes, Values] = {}
        self.evaluations = 0

    def __call__(self, kept: Kept) -> Values:
        """Score coalitions; what was scored before is remembered, so methods and checks share their work.

        Args:
            kept: which units are there, ``(coalitions, units)``.

        Returns:
            ``(coalitions, output tokens)``, in nats.
        """
        kept = np.asarray(kept, dtype=bool)
        keys = [row.tobytes() for row in np.packbits(kept, axis=1)]
        new = list({key: at for at, key in enumerate(keys) if key not in self._known}.values())
        if new:
            for at, scores in zip(new, self._computed(kept[new]), strict=True):
                self._known[keys[at]] = scores
        return np.stack([self._known[key] for key in keys])

    def _computed(self, kept: Kept) -> Values:
        # Copies of like length share a batch: after deletion they differ, and padding would be read in vain.
        order = np.argsort(kept.sum(1), kind="stable")
        found = np.empty((len(kept), len(self.subject.output)))
        size = max(1, self.batch_size // self.removal.repeats)
        for start in range(0, len(kept), size):
            rows = order[start : start + size]
            masked = self.removal(kept[rows])
            scores = self.score(masked.ids, masked.copy_ids)
            found[rows] = scores.reshape(len(rows), self.removal.repeats, -1).mean(1)
            self.evaluations += len(masked.ids)
            if self.on_progress is not None:
                self.on_progress(len(masked.ids))
        return found

    @torch.inference_mode()
    def score(self, ids: Ids, copy_ids: Ids | None, *, hide_written: bool = False) -> Values:
        """Score given sources.

        Args:
            ids, copy_ids: ``(copies, length)``.
            hide_written: let the decoder see that tokens were written, but not which.

        Returns:
            ``(copies, output tokens)``.
        """
        ours = self._log_probabilities(ids, copy_ids, self.subject.output, hide_written)
        if self.subject.contrast is None or self._pairing is None:
            return ours
        return ours - self._log_probabilities(ids, copy_ids, self.subject.contrast, hide_written) @ self._pairing.T

    def _log_probabilities(self, ids: Ids, copy_ids: Ids | None, output: Output, hide_written: bool) -> Values:
        device = self.networks[0].output_bias.device
        source = torch.from_numpy(np.ascontiguousarray(ids)).to(device)
        copies = None if copy_ids is None else torch.from_numpy(np.ascontiguousarray(copy_ids)).to(device)
        inputs = torch.from_numpy(output.inputs).to(device)
        if hide_written:
            inputs[1:] = PAD  # whose embedding is the zero vector
        wanted = torch.from_numpy(output.ids).to(device)
        logs: list[Tensor] = []
        for network in self.networks:
            memory, summary = network.encode(source, copies)
            logs.append(picked(network, decode(network, inputs, memory, summary), memory, wanted))
        mean = logs[0] if len(logs) == 1 else torch.logsumexp(torch.stack(logs), 0) - math.log(len(logs))
        return mean.double().cpu().numpy()


def all_and_none(units: int) -> Kept:
    """The two coalitions that every explanation needs: all units, and none."""
    return np.array([[True] * units, [False] * units])
