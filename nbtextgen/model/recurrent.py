"""One recurrent layer, run over a whole sequence (training) or one step at a time (decoding), and dropout."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nbtextgen.model.initialization import fan_in_normal_

RecurrentState = tuple[Tensor, ...]
"""``(hidden,)`` for rnn and gru, ``(hidden, cell)`` for lstm; each ``(batch, hidden_size)``."""

MAX_KERNEL_LENGTH = 16_384
"""Steps that one kernel call runs over: cuDNN refuses a sequence of 100,000."""

_MODULES = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class RecurrentLayer(nn.Module):
    """A single-layer, single-direction RNN (Elman 1990), GRU (Cho et al. 2014) or LSTM (Hochreiter & Schmidhuber 1997).

    ``forward`` runs over padded sequences without packing, because PyTorch's fused CPU kernel does not take packed
    sequences. Outputs after the end of a sequence are meaningless, and the caller masks them.
    """

    def __init__(self, cell: str, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.cell = cell
        self.hidden_size = hidden_size
        self.net = _MODULES[cell](input_size, hidden_size, batch_first=True)
        self._initialise()

    def _initialise(self) -> None:
        """Inputs of unit gain, orthogonal recurrence, forget gate open at first (Jozefowicz et al. 2015, sec. 2.2)."""
        for name, weight in self.net.named_parameters():
            if name.startswith("weight_ih"):
                fan_in_normal_(weight)
            elif name.startswith("weight_hh"):
                for block in torch.split(weight.data, self.hidden_size):
                    nn.init.orthogonal_(block)
            else:
                nn.init.zeros_(weight)
        if self.cell == "lstm":
            self.weights[2].data[self.hidden_size : 2 * self.hidden_size].fill_(1.0)

    @property
    def weights(self) -> list[Tensor]:
        """Input weights, recurrent weights, and the bias of each, in one lookup instead of four."""
        return self.net._flat_weights  # pyright: ignore[reportPrivateUsage, reportReturnType]

    def zero_state(self, like: Tensor) -> RecurrentState:
        """Return zeros for the batch size and dtype of ``like (batch, ...)``."""
        zeros = like.new_zeros(like.shape[0], self.hidden_size)
        return (zeros, zeros) if self.cell == "lstm" else (zeros,)

    def forward(self, inputs: Tensor, state: RecurrentState | None = None) -> Tensor:
        """Run over ``inputs (batch, length, input_size)``; returns ``(batch, length, hidden_size)``."""
        return self.run(inputs, state)[0]

    def run(self, inputs: Tensor, state: RecurrentState | None) -> tuple[Tensor, RecurrentState]:
        """Like ``forward``, but also return the state after the last step."""
        first = None if state is None else tuple(part.unsqueeze(0).contiguous() for part in state)
        carried: Any = first if first is None or self.cell == "lstm" else first[0]
        outputs = list[Tensor]()
        for part in torch.split(inputs, MAX_KERNEL_LENGTH, 1):
            output, carried = self.net(part, carried)
            outputs.append(output)
        last = carried if self.cell == "lstm" else (carried,)
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, 1), tuple(part.squeeze(0) for part in last)

    def step(self, inputs: Tensor, state: RecurrentState) -> RecurrentState:
        """Advance by one step from ``inputs (batch, input_size)``; the first part of the new state is the output."""
        weights = self.weights
        if self.cell == "lstm":
            hidden, cell = torch.lstm_cell(inputs, list(state), *weights)
            return hidden, cell
        if self.cell == "gru":
            return (torch.gru_cell(inputs, state[0], *weights),)
        return (torch.rnn_tanh_cell(inputs, state[0], *weights),)


class Dropout(nn.Module):
    """Dropout over ``(batch, length, width)``; ``variational`` keeps one mask per sequence (Gal & Ghahramani 2016, sec. 4)."""

    def __init__(self, probability: float, variational: bool) -> None:
        super().__init__()
        self.probability = probability
        self.variational = variational

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or self.probability == 0.0:
            return values
        per_sequence = self.variational and values.dim() >= 3
        shape = values[:, :1] if per_sequence else values
        if values.device.type == "cpu":
            return values * _dropout_mask(shape, self.probability)
        if not per_sequence:
            return nn.functional.dropout(values, self.probability)
        return values * nn.functional.dropout(torch.ones_like(shape), self.probability)


_PROBABILITY_LEVELS = 1 << 16


def _dropout_mask(like: Tensor, probability: float) -> Tensor:
    """Return a dropout mask of the shape and dtype of ``like``: zero, or ``1 / (1 - probability)``.

    On a CPU, PyTorch draws a full random number for every element. Here 64 random bits serve four elements, which takes
    a fifth of the time. The probability is rounded to 1/65,536.
    """
    count = like.numel()
    bits = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    dropped = min(round(probability * _PROBABILITY_LEVELS), _PROBABILITY_LEVELS - 1)
    kept = bits.view(torch.int16)[:count].view(like.shape) >= dropped - _PROBABILITY_LEVELS // 2
    return kept.to(like.dtype).mul_(_PROBABILITY_LEVELS / (_PROBABILITY_LEVELS - dropped))
