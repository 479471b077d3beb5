"""Masking a share of the source tokens in training."""

from __future__ import annotations

import pytest
import torch

from nbtextgen.tokenizers.base import MASK, PAD
from nbtextgen.training.step import masked


def sources(pairs: int = 4000, tokens: int = 30) -> torch.Tensor:
    """Ids that are neither masks nor padding, but for a padded last third in the second half of the rows."""
    ids = torch.randint(MASK + 1, 50, (pairs, tokens))
    ids[pairs // 2 :, 20:] = PAD
    return ids


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3, 0.5, 0.8, 0.95])
def test_the_expected_share_is_masked_and_padding_is_not(share: float) -> None:
    torch.manual_seed(1)
    source = sources()
    result = masked(source, share)
    real = source != PAD
    assert (result[real] == MASK).float().mean().item() == pytest.approx(share, abs=0.02)
    assert (result[~real] == PAD).all()
    assert (result == source)[result != MASK].all()


def test_some_pairs_lose_everything_and_others_nothing() -> None:
    torch.manual_seed(2)
    of_pair = (masked(sources()[:2000], 0.3) == MASK).float().mean(1)
    assert (of_pair == 0).float().mean() > 0.4
    assert (of_pair > 0.9).any() and ((of_pair > 0.4) & (of_pair < 0.6)).any()


def test_tokens_are_masked_in_runs() -> None:
    torch.manual_seed(3)
    hidden = (masked(sources()[:2000], 0.3) == MASK)[:, :20]
    some = hidden[(hidden.float().mean(1) > 0.2) & (hidden.float().mean(1) < 0.8)]
    both, alone = (some[:, 1:] & some[:, :-1]).float().mean(), some.float().mean() ** 2
    assert both > alone + 0.1


def test_a_share_of_zero_changes_nothing_and_draws_nothing() -> None:
    source, state = sources(4), torch.get_rng_state()
    assert masked(source, 0.0) is source
    assert torch.equal(state, torch.get_rng_state())


def test_the_same_seed_masks_the_same_tokens() -> None:
    source = sources(50)
    torch.manual_seed(5)
    first = masked(source, 0.3)
    torch.manual_seed(5)
    assert torch.equal(first, masked(source, 0.3))
