"""The game of the source and what was already written: earlier output tokens as players beside the source's units.

For a token t of the output the players are the units of the source and the tokens before t (Ferrando et al. 2022 and inseq
call this attribution to the target prefix). What is missing of the prefix follows the rule for the source:

* ``mask``: a missing token is read as the mask token, and the others keep their positions;
* ``delete``: it is left out, so that the decoder reads the rest one after another;
* ``sample``: it is replaced by the token at the same relative position of the model's own output for the text that replaces
  missing source units.

The tokens scored are always those of the output: only what the decoder reads changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbtextgen.explanation.attributions import Coalitions, Ids, Values
from nbtextgen.explanation.scoring import decode, position_scores
from nbtextgen.explanation.subject import ExplainedOutput
from nbtextgen.explanation.value_function import ValueFunction
from nbtextgen.model.attention import Memory
from nbtextgen.model.decoder import Decoded
from nbtextgen.model.memory import in_fitting_parts
from nbtextgen.tokenizers.base import MASK, PAD

Players = NDArray[np.int64]
"""The player of every token that the decoder reads after the start mark, ``(steps - 1,)``; -1: always present."""


@dataclass(frozen=True, eq=False)
class MaskedPrefixes:
    """Decoder inputs without the missing tokens.

    Attributes:
        inputs: token ids from the start mark on, ``(copies, length)``, padded.
        positions: the position that predicts each token of the output, ``(copies, steps)``.
    """

    inputs: Ids
    positions: Ids


@dataclass(frozen=True, eq=False)
class PrefixRemoval:
    """Makes decoder inputs without the missing tokens of an output.

    Attributes:
        output: the output.
        players: the player of every token but the last.
        missing: ``mask``, ``delete`` or ``sample``.
        donors: for ``sample``, token ids that replace missing ones, ``(donors, steps - 1)``.
    """

    output: ExplainedOutput
    players: Players
    missing: str
    donors: Ids | None = None

    def __call__(self, coalitions: Coalitions) -> MaskedPrefixes:
        """``coalitions (coalitions, players)`` to one copy each, or one per donor."""
        always = np.ones((len(coalitions), 1), dtype=bool)  # the last column, which player -1 is
        present = np.concatenate([coalitions, always], 1)[:, self.players]
        written, steps = self.output.ids[:-1], len(self.output)
        start = np.full((len(coalitions), 1), self.output.inputs[0])
        if self.missing == "delete":
            positions = np.concatenate([np.zeros_like(start), present.cumsum(1)], 1)
            order = np.argsort(~present, axis=1, kind="stable")
            kept = np.take_along_axis(np.where(present, written, PAD), order, 1)[:, : int(positions.max(initial=0))]
            return MaskedPrefixes(np.concatenate([start, kept], 1), positions)
        if self.donors is None:
            inputs = np.concatenate([start, np.where(present, written, MASK)], 1)
        else:
            replaced = np.where(present[:, None], written, self.donors)
            replaced = replaced.reshape(len(coalitions) * len(self.donors), steps - 1)
            inputs = np.concatenate([start.repeat(len(self.donors), 0), replaced], 1)
        return MaskedPrefixes(inputs, np.broadcast_to(np.arange(steps), inputs.shape))


def players_of(outputs: int) -> Players:
    """Every token of an output but the last is a player of its own."""
    return np.arange(outputs - 1)


def players_of_contrast(pairing: Values) -> Players:
    """The players that the tokens of the alternative belong to: those of the output that they are compared with.

    If several tokens of the alternative face the same output token, only the last of them goes with it and the others are
    always present; so no token's score depends on that token itself.

    Args:
        pairing: as of ``Subject.pairing``, ``(outputs, alternative outputs)``.
    """
    partners = pairing.argmax(0)
    shared = partners[:-1] == partners[1:]
    return np.where(shared, -1, partners[:-1])


def stretch(rows: Sequence[Sequence[int]], length: int) -> Ids:
    """Token ids of several outputs, each stretched or shrunk to the same length, ``(rows, length)``."""
    filled = [list(row) or [MASK] for row in rows]
    return np.array([[row[index * len(row) // length] for index in range(length)] for row in filled], dtype=np.int64)


class PrefixValue:
    """From presence bits of source units and earlier output tokens to the scores of the output's tokens.

    A token's score is computed and cached for the players that it depends on, the source and the tokens before it. So
    later tokens change it by exactly nothing, and equal beginnings are scored once.

    Attributes:
        source: the value function of the source alone, whose copies are counted together with these.
        units: players of the source, the first ones of a coalition.
        players: all players: the units, then every output token but the last.
    """

    def __init__(self, source: ValueFunction, units: int, prefixes: Sequence[PrefixRemoval]) -> None:
        """Create a value function.

        Args:
            source: removes units of the source.
            units: their number.
            prefixes: of the output, and of the alternative if there is one.
        """
        self.source, self.units, self.prefixes = source, units, list(prefixes)
        self.outputs = len(source.subject.output)
        self.players = units + self.outputs - 1
        self._scores: list[dict[bytes, float]] = [{} for _ in range(self.outputs)]

    @property
    def relevant(self) -> NDArray[np.bool_]:
        """Which players each output token depends on, ``(outputs, players)``."""
        return np.arange(self.players) < self.units + np.arange(self.outputs)[:, None]

    def __call__(self, coalitions: Coalitions) -> Values:
        """Score ``(coalitions, players)``, ``(coalitions, outputs)``; scores are cached for all methods."""
        keys = [_row_keys(coalitions[:, : self.units + step]) for step in range(self.outputs)]
        new = np.zeros((len(coalitions), self.outputs), dtype=bool)
        for step, (cache, row_keys) in enumerate(zip(self._scores, keys, strict=True)):
            seen = set[bytes]()
            for row, key in enumerate(row_keys):
                if key not in cache and key not in seen:
                    seen.add(key)
                    new[row, step] = True
        rows = np.flatnonzero(new.any(1))
        if len(rows):
            computed = self._compute(coalitions[rows], new[rows])
            for row, scores in zip(rows.tolist(), computed.tolist(), strict=True):
                for step in np.flatnonzero(new[row]).tolist():
                    self._scores[step][keys[step][row]] = scores[step]
        columns = [[cache[key] for key in row_keys] for cache, row_keys in zip(self._scores, keys, strict=True)]
        return np.array(columns, dtype=float).T

    def _compute(self, coalitions: Coalitions, new: NDArray[np.bool_]) -> Values:
        """Scores of the ``new (coalitions, outputs)`` tokens; equal sources of a batch are encoded once."""
        source = coalitions[:, : self.units]
        order = np.lexsort((*np.packbits(source, axis=1).T, source.sum(1)))
        repeats = self.source.removal.repeats
        results = np.zeros(new.shape)
        size = max(1, self.source.batch_size // repeats)
        for start in range(0, len(coalitions), size):
            batch = order[start : start + size]
            for rows, scores in in_fitting_parts(lambda rows: self._score_batch(coalitions[rows], new[rows]), batch):
                results[rows] = scores
                self.source.evaluations += len(rows) * repeats
                if self.source.on_progress is not None:
                    self.source.on_progress(len(rows) * repeats)
        return results

    @torch.inference_mode()
    def _score_batch(self, coalitions: Coalitions, new: NDArray[np.bool_]) -> Values:
        subject, repeats = self.source.subject, self.source.removal.repeats
        sources, inverse = np.unique(coalitions[:, : self.units], axis=0, return_inverse=True)
        encoded = self.source.encode(self.source.removal(sources))
        source_rows = (inverse.reshape(-1, 1) * repeats + np.arange(repeats)).reshape(-1)
        written = coalitions[:, self.units :]

        def score(output: ExplainedOutput, prefix: PrefixRemoval, needed: NDArray[np.bool_]) -> Values:
            copies = needed.repeat(repeats, 0)
            scores = np.zeros(copies.shape)
            scores[copies] = self._score_pairs(output, prefix(written), encoded, source_rows, copies)
            return scores.reshape(len(needed), repeats, -1).mean(1)

        scores = score(subject.output, self.prefixes[0], new)
        if subject.contrast is None:
            return scores
        pairing = subject.pairing()
        return scores - score(subject.contrast, self.prefixes[1], new[:, pairing.argmax(0)]) @ pairing.T

    def _score_pairs(
        self,
        output: ExplainedOutput,
        prefixes: MaskedPrefixes,
        encoded: Sequence[tuple[Memory, Tensor]],
        source_rows: Ids,
        needed: NDArray[np.bool_],
    ) -> Values:
        """Scores of the pairs of a copy and an output token where ``needed (copies, outputs)``, ``(pairs,)``."""
        networks, device = self.source.networks, encoded[0][1].device
        rows, steps = (torch.as_tensor(index, device=device) for index in np.nonzero(needed))
        positions = torch.as_tensor(prefixes.positions[needed], device=device)
        inputs = torch.as_tensor(prefixes.inputs, device=device)
        copies = torch.as_tensor(source_rows, device=device)
        targets = torch.as_tensor(output.ids, device=device)[steps][:, None]
        decoded, memories = list[Decoded](), list[Memory]()
        for network, (memory, summary) in zip(networks, encoded, strict=True):
            memory = memory.keep(copies)
            result = decode(network, inputs, memory, summary[copies])
            gate = None if result.gate is None else result.gate[rows, positions][:, None]
            decoded.append(
                Decoded(result.hidden[rows, positions][:, None], result.weights[rows, positions][:, None], gate)
            )
            memories.append(memory.keep(rows) if gate is not None else memory)
        scores = position_scores(networks, decoded, memories, targets, self.source.score_token)
        return scores[:, 0].double().cpu().numpy()


def _row_keys(coalitions: Coalitions) -> list[bytes]:
    return [row.tobytes() for row in np.packbits(coalitions, axis=1)]
