"""What a mask hides, a copy head does not give away."""

from __future__ import annotations

import torch

from nbtextgen.model.config import ModelConfig
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.tokenizers.base import BOS, EOS, MASK, UNK

SIZE = 12


def network() -> Seq2Seq:
    torch.manual_seed(1)
    return Seq2Seq(ModelConfig(embedding_size=8, hidden_size=8, dropout=0.0, copy=True), SIZE, SIZE).eval()


SOURCE = torch.tensor([[6, 7, 8]])
COPIES = torch.tensor([[6, 12, 8]])  # the second word is none of the vocabulary's


def test_masked_token_is_copied_as_unknown() -> None:
    masked = SOURCE.clone()
    masked[0, 1] = MASK
    memory, _ = network().encode(masked, COPIES)
    assert memory.copy_ids is not None and memory.copy_ids.tolist() == [[6, UNK, 8]]


def test_masked_word_counts_as_unknown_in_training() -> None:
    masked = SOURCE.clone()
    masked[0, 1] = MASK
    actual = network().loss(masked, torch.tensor([[BOS, 12, 6, EOS]]), COPIES)
    unknown = network().loss(masked, torch.tensor([[BOS, UNK, 6, EOS]]), COPIES)
    assert torch.allclose(actual.nll, unknown.nll)
    seen = network().loss(SOURCE, torch.tensor([[BOS, 12, 6, EOS]]), COPIES)
    assert not torch.allclose(seen.nll, unknown.nll)
