"""Margins: by how much the tokens of an output are likelier than any other token, for changed inputs.

A greedy search writes the same output if and only if every token's margin is positive: until the first token that changes,
what was written before is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from nbtextgen.explanation.attributions import Coalitions, Ids, Values
from nbtextgen.explanation.removal import MaskedSources, Removal
from nbtextgen.explanation.scoring import decode, ensemble_mean
from nbtextgen.explanation.subject import Subject
from nbtextgen.explanation.value_function import ProgressCallback
from nbtextgen.model.decoder import Decoded
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.tokenizers.base import PAD

LOWEST = -60.0
"""Margin of a token that cannot be written at all, such as a copied word that the changed input does not hold."""
MAX_LOGITS = 1 << 22
"""Logits that exist at a time: 16 MB."""


class Margins:
    """The smallest margin of some tokens of an output, in nats.

    Attributes:
        evaluations: copies of the input that were scored.
    """

    def __init__(
        self,
        networks: list[Seq2Seq],
        subject: Subject,
        removal: Removal,
        steps: Sequence[int] | None = None,
        *,
        limit: Callable[[int], int] | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> None:
        """Create the function.

        Args:
            networks: one, or an ensemble, whose probabilities are averaged.
            subject: the source and its output.
            removal: makes copies of the source without the missing units.
            steps: indices of the output tokens that count; by default all, the end mark included.
            limit: the longest output for a number of source tokens, beyond which a search writes nothing: a shorter source may
                cut the output.
            on_progress: called after every batch.
        """
        self.networks, self.subject, self.removal, self.on_progress = networks, subject, removal, on_progress
        self.limit = limit
        self.steps = sorted(range(len(subject.output)) if steps is None else steps)
        self.evaluations = 0
        self._margins: dict[bytes, float] = {}

    def __call__(self, coalitions: Coalitions) -> Values:
        """Margins of sources with only these units, ``(coalitions, units)`` to ``(coalitions,)``; cached."""
        keys = [row.tobytes() for row in np.packbits(coalitions, axis=1)]
        rows = list({key: row for row, key in enumerate(keys) if key not in self._margins}.values())
        if rows:
            rows.sort(
                key=lambda row: int(coalitions[row].sum())
            )  # after deletion, copies of similar length share a batch
            for start in range(0, len(rows), self.batch):
                batch = rows[start : start + self.batch]
                for row, margin in zip(batch, self.of(self.removal(coalitions[batch])), strict=True):
                    self._margins[keys[row]] = float(margin)
        return np.array([self._margins[key] for key in keys])

    @property
    def batch(self) -> int:
        """Copies that are scored together."""
        return max(1, min(512, MAX_LOGITS // (len(self.steps) * self.networks[0].vocabulary_size)))

    def of(self, sources: MaskedSources) -> Values:
        """Margins of any sources, ``(copies,)``."""
        return self.by_step(sources).min(1)

    @torch.inference_mode()
    def by_step(self, sources: MaskedSources) -> Values:
        """The margin of each token, ``(copies, steps)``."""
        output, device = self.subject.output, self.networks[0].output_bias.device
        last = self.steps[-1] + 1
        ids, copies = _tensor(sources.ids, device), _tensor(sources.copy_ids, device)
        inputs, targets = _tensor(output.inputs[:last], device), _tensor(output.ids[self.steps], device)
        assert ids is not None and inputs is not None and targets is not None
        logs = list[Tensor]()
        for network in self.networks:
            memory, summary = network.encode(ids, copies)
            decoded = self._chosen(decode(network, inputs, memory, summary))
            scores = nn.functional.linear(decoded.hidden, network.output_weight, network.output_bias).float()
            if (
                decoded.gate is not None or len(self.networks) > 1
            ):  # otherwise a margin of logits is one of probabilities
                scores = scores.log_softmax(-1)
            logs.append(network.decoding_log_probabilities(scores, decoded, memory))
        margins = self._limited(_margins(ensemble_mean(logs), targets), ids)
        self.evaluations += len(sources.ids)
        if self.on_progress is not None:
            self.on_progress(len(sources.ids))
        return margins.double().cpu().numpy()

    def _limited(self, margins: Tensor, ids: Tensor) -> Tensor:
        """The margins, where a search ends at the limit for the sources ``ids (copies, length)``: there, whatever is likelier."""
        if self.limit is None:
            return margins
        counts = (ids != PAD).sum(1).cpu().numpy()
        longest = torch.tensor([self.limit(int(count)) for count in counts], device=ids.device)[:, None]
        steps = torch.tensor(self.steps, device=ids.device)
        ends = (steps == len(self.subject.output) - 1) & (steps == longest)
        return margins.masked_fill(ends, -LOWEST).masked_fill((steps >= longest) & ~ends, LOWEST)

    def _chosen(self, decoded: Decoded) -> Decoded:
        """The decoder's results at the steps that count."""
        gate = None if decoded.gate is None else decoded.gate[:, self.steps]
        return replace(decoded, hidden=decoded.hidden[:, self.steps], weights=decoded.weights[:, self.steps], gate=gate)


def _tensor(values: Ids | None, device: torch.device) -> Tensor | None:
    return None if values is None else torch.as_tensor(np.ascontiguousarray(values), device=device)


def _margins(logs: Tensor, targets: Tensor) -> Tensor:
    """The margin of every step, ``(copies, steps)``, from scores ``(copies, steps, vocabulary)``."""
    best, ids = logs.topk(min(2, logs.shape[-1]), -1)
    absent = targets >= logs.shape[-1]
    own = logs.gather(-1, targets.clamp(max=logs.shape[-1] - 1).expand(len(logs), -1)[..., None])[..., 0]
    rival = torch.where(ids[..., 0] == targets, best[..., -1], best[..., 0])
    margins = (own - rival).masked_fill(absent, LOWEST)
    return margins.clamp_min(LOWEST)
