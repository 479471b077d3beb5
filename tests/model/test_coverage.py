"""Coverage: all steps at once give what one step after the other gives."""

from __future__ import annotations

import pytest
import torch

from nbtextgen.model.config import ModelConfig
from nbtextgen.model.seq2seq import Seq2Seq


@pytest.mark.parametrize("attention", ["dot", "general", "additive", "multihead"])
def test_teacher_forcing_agrees_with_stepping(attention: str) -> None:
    torch.manual_seed(4)
    config = ModelConfig(embedding_size=8, hidden_size=16, heads=4, attention=attention, coverage=True)
    network = Seq2Seq(config, 20, 20).eval()
    torch.nn.init.constant_(network.decoder.attention.coverage, -0.7)  # type: ignore[union-attr]
    source = torch.tensor([[5, 6, 7, 8], [9, 10, 0, 0]])
    target = torch.tensor([[2, 11, 12, 13, 3], [2, 14, 15, 3, 0]])
    with torch.inference_mode():
        forced, memory = network.forward(source, target[:, :-1])
        state, covered = network.start(source, 1), torch.zeros(2, 4)
        for step in range(4):
            logs, weights, state = network.step(target[:, step : step + 1], state)
            torch.testing.assert_close(weights[:, 0], forced.weights[:, step])
            assert forced.coverage_loss is not None
            expected = torch.minimum(weights[:, 0], covered).sum(-1)
            torch.testing.assert_close(expected, forced.coverage_loss[:, step])
            covered = covered + weights[:, 0]
    assert memory.mask.tolist()[1] == [True, True, False, False]
