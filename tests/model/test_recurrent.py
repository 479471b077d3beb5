"""A recurrent layer reads a sequence of any length, whatever a kernel takes at once."""

from __future__ import annotations

import pytest
import torch

from nbtextgen.model import recurrent
from nbtextgen.model.recurrent import RecurrentLayer


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_sequence_read_in_parts_is_the_sequence(cell: str, monkeypatch) -> None:
    torch.manual_seed(1)
    layer, inputs = RecurrentLayer(cell, 5, 7), torch.randn(3, 23, 5)
    whole = layer(inputs)
    outputs, last = layer.run(inputs, layer.zero_state(inputs))
    monkeypatch.setattr(recurrent, "MAX_KERNEL_LENGTH", 6)
    torch.testing.assert_close(layer(inputs), whole)
    again, state = layer.run(inputs, layer.zero_state(inputs))
    torch.testing.assert_close(again, outputs)
    torch.testing.assert_close(state, last)
