"""What two passes with different dropout disagree in, against PyTorch's own divergence, and the loss that it is part of."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nbtextgen.model import loss as module
from nbtextgen.model.agreement import disagreement
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.seq2seq import Seq2Seq

SOURCE = torch.tensor([[5, 6, 7, 8], [9, 10, 0, 0]])
TARGET = torch.tensor([[2, 11, 12, 13, 3], [2, 14, 15, 3, 0]])


def divergence(hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """The same by PyTorch's own functions."""
    one, other = (hidden @ weight.t() + bias).log_softmax(-1).chunk(2)
    return sum(
        torch.nn.functional.kl_div(left, right, reduction="sum", log_target=True)
        for left, right in ((one, other), (other, one))
    )


@settings(max_examples=40)
@given(
    positions=st.integers(0, 40),
    vocabulary=st.integers(2, 90),
    chunk=st.sampled_from([1, 500, 1 << 21]),
    seed=st.integers(0, 10_000),
)
def test_disagreement_and_gradients_are_those_of_the_divergence(positions, vocabulary, chunk, seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((2 * positions, 7), (vocabulary, 7), (vocabulary,))
    ours = [torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]
    theirs = [part.detach().clone().requires_grad_() for part in ours]
    before, module.BLOCK_LOGITS = module.BLOCK_LOGITS, chunk
    try:
        total = disagreement(*ours)
    finally:
        module.BLOCK_LOGITS = before
    expected = divergence(*theirs)
    (3.0 * total).backward()
    (3.0 * expected).backward()
    torch.testing.assert_close(total, expected)
    for output, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(output.grad, other.grad)


def test_low_precision_differs_from_full_by_its_rounding_only() -> None:
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(300, 32, generator=generator)
    weight, bias = torch.randn(500, 32, generator=generator), torch.randn(500, generator=generator)
    actual = []
    for kind in (torch.float32, torch.bfloat16):
        low, shared = hidden.to(kind).requires_grad_(), weight.clone().requires_grad_()
        total = disagreement(low, shared, bias.clone().requires_grad_())
        total.backward()
        actual.append((total.item(), shared.grad))
    assert actual[1][0] == pytest.approx(actual[0][0], rel=2e-2)
    assert float((actual[1][1] - actual[0][1]).norm() / actual[0][1].norm()) < 0.05


def network(dropout: float, **options: object) -> Seq2Seq:
    torch.manual_seed(4)
    config = ModelConfig(embedding_size=8, hidden_size=16, dropout=dropout, **options)  # pyright: ignore[reportArgumentType]
    return Seq2Seq(config, 20, 20).train()


@pytest.mark.parametrize(
    "options", [{}, {"copy": True}, {"coverage": True}, {"encoder_layers": 0, "attention": "none"}]
)
def test_passes_that_agree_cost_what_one_costs(options: dict[str, object]) -> None:
    copies = SOURCE + 5 if "copy" in options else None
    one, two = (network(0.0, **options).loss(SOURCE, TARGET, copies, r_drop=weight) for weight in (0.0, 4.0))
    torch.testing.assert_close(two.total, one.total)
    torch.testing.assert_close(two.nll, one.nll)
    assert two.tokens == one.tokens == 7


def test_passes_with_dropout_disagree_and_learn_to_agree() -> None:
    model = network(0.4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def apart() -> float:
        losses = []
        for weight in (4.0, 8.0):  # the same two passes, so that only the weight of what they disagree in differs
            torch.manual_seed(7)
            losses.append(model.loss(SOURCE, TARGET, r_drop=weight).total)
        return float(losses[1] - losses[0])

    before = apart()
    for _ in range(30):
        optimizer.zero_grad()
        model.loss(SOURCE, TARGET, r_drop=100.0).total.backward()
        optimizer.step()
    assert before > 0.01
    assert apart() < before / 4
