"""First weights: every layer hears its input, at every width."""

from __future__ import annotations

import pytest
import torch

from nbtextgen.model.config import ModelConfig
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.tokenizers.base import PAD


def network(cell: str = "lstm", embedding: int = 128, hidden: int = 256, **options: object) -> Seq2Seq:
    torch.manual_seed(1)
    config = ModelConfig(cell=cell, embedding_size=embedding, hidden_size=hidden, dropout=0.0, **options)  # type: ignore[arg-type]
    return Seq2Seq(config, 500, 500).eval()


def spread(values: torch.Tensor) -> float:
    return float(values.detach().std())


@pytest.mark.parametrize(("embedding", "hidden"), [(64, 128), (128, 256), (256, 1024)])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_signals_have_about_the_same_size_at_every_width(cell: str, embedding: int, hidden: int) -> None:
    model = network(cell, embedding, hidden)
    source, inputs = torch.randint(6, 500, (16, 12)), torch.randint(6, 500, (16, 10))
    decoded, memory = model(source, inputs)
    assert 0.05 < spread(memory.values) < 0.7
    assert 0.1 < spread(decoded.hidden) < 1.0
    logits = torch.nn.functional.linear(decoded.hidden, model.output_weight, model.output_bias)
    assert 0.3 < spread(logits) < 5.0


@pytest.mark.parametrize("tied", ["none", "target", "inputs", "all"])
def test_padding_embeds_as_zero_and_ties_hold(tied: str) -> None:
    model = network(tied_embeddings=tied)
    for table in (model.source_embedding, model.target_embedding):
        assert not table.weight[PAD].any()
        assert spread(table.weight[1:]) == pytest.approx(0.3, rel=0.05)
    assert (model.output_weight is model.target_embedding.weight) == (tied in ("target", "all"))


def test_the_same_seed_gives_the_same_weights() -> None:
    for output, two in zip(network().parameters(), network().parameters(), strict=True):
        assert torch.equal(output, two)
