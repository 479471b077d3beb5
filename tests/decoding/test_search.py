"""Search against brute force on small models whose every output can be listed."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nbtextgen.core.errors import OptionError
from nbtextgen.decoding.beam import best_extensions
from nbtextgen.decoding.config import DecodingConfig, TokenRules
from nbtextgen.decoding.hypothesis import Hypothesis
from nbtextgen.decoding.search import decode
from nbtextgen.decoding.stepper import Ensemble
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.seq2seq import Seq2Seq

BOS, EOS, VOCABULARY, LONGEST = 2, 3, 7, 4
WRITABLE = (4, 5, 6)


class Markov:
    """A model in which the next token depends on the last one and on the source's first token."""

    def __init__(self, seed: int, sharpness: float = 2.0) -> None:
        logits = torch.randn(VOCABULARY, VOCABULARY, VOCABULARY, generator=torch.Generator().manual_seed(seed))
        logits[..., [0, 1, 2]] = float("-inf")
        self.table = (logits * sharpness).log_softmax(-1)

    def start(self, source: Tensor, width: int, copy_ids: Tensor | None = None) -> tuple[Tensor, int]:
        return source, width

    def step(self, tokens: Tensor, state: tuple[Tensor, int]) -> tuple[Tensor, Tensor, tuple[Tensor, int]]:
        source, _ = state
        logs = self.table[source[:, :1], tokens]
        attention = torch.softmax((source[:, None] * 0.3 + tokens[..., None]).float().sin(), -1)
        return logs.clone(), attention, state

    def reorder(self, state: tuple[Tensor, int], parents: Tensor) -> tuple[Tensor, int]:
        return state[0], parents.shape[1]

    def keep(self, state: tuple[Tensor, int], rows: Tensor) -> tuple[Tensor, int]:
        return state[0][rows], state[1]

    def replace(
        self, state: tuple[Tensor, int], rows: Tensor, other: tuple[Tensor, int], other_rows: Tensor
    ) -> tuple[Tensor, int]:
        longest = max(state[0].shape[1], other[0].shape[1])
        mine, new = (torch.nn.functional.pad(each[0], (0, longest - each[0].shape[1])) for each in (state, other))
        return mine.index_copy(0, rows, new[other_rows]), state[1]


def exhaustive(model: Markov, source: list[int], config: DecodingConfig) -> list[tuple[float, list[int]]]:
    """Every output that ends within the limit, with its score, best first."""
    actual = []
    for length in range(LONGEST + 1):
        for ids in itertools.product(WRITABLE, repeat=length):
            path = [BOS, *ids, EOS]
            logs = [float(model.table[source[0], a, b]) for a, b in itertools.pairwise(path)]
            total = sum(logs)
            if config.coverage_penalty:
                rows = torch.tensor(source)[None] * 0.3 + torch.tensor(path[:-1])[:, None]
                received = torch.softmax(rows.float().sin(), -1).sum(0).clamp(1e-10, 1.0).log().sum()
                total += config.coverage_penalty * float(received)
            actual.append((total / len(logs) ** config.length_penalty, list(ids)))
    return sorted(actual, key=lambda output: -output[0])


def search(model: object, sources: list[list[int]], config: DecodingConfig, **rules: Any) -> list[list[Hypothesis]]:
    limits = [LONGEST] * len(sources)
    source = torch.tensor(sources)
    return decode(model, source, config, TokenRules(**rules), max_length=limits)  # type: ignore[arg-type]


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    alpha=st.sampled_from([0.0, 0.6, 1.0, 2.0]),
    coverage=st.sampled_from([0.0, 0.5]),
    n_best=st.integers(1, 5),
)
def test_wide_beam_equals_exhaustive_search(seed: int, alpha: float, coverage: float, n_best: int) -> None:
    config = DecodingConfig(beam=400, n_best=n_best, length_penalty=alpha, coverage_penalty=coverage)
    model, sources = Markov(seed), [[4, 5, 6], [5, 4, 4]]
    for source, actual in zip(sources, search(model, sources, config), strict=True):
        right = exhaustive(model, source, config)[:n_best]
        np.testing.assert_allclose([output.score for output in actual], [score for score, _ in right], atol=1e-4)


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), beam=st.integers(1, 4), sample=st.booleans())
def test_a_batch_gives_what_single_rows_give(seed: int, beam: int, sample: bool) -> None:
    model, sources = Markov(seed), [[4, 5], [5, 6], [6, 6], [4, 4]]
    config = DecodingConfig(beam=beam, n_best=beam, sample=sample, seed=3)
    together = search(model, sources, config)
    for source, actual in zip(sources, together, strict=True):
        alone = search(model, [source], config)[0]
        assert [output.ids for output in alone] == [output.ids for output in actual]
        for first, second in zip(alone, actual, strict=True):
            np.testing.assert_allclose(first.attention, second.attention, atol=1e-6)
            assert len(first.log_probabilities) == len(first.ids) + 1


@pytest.mark.parametrize(
    ("settings_", "allowed"),
    [({"top_k": 1}, 1), ({"top_k": 2}, 2), ({"min_p": 0.999}, 1), ({"top_p": 1e-6}, 1)],
)
def test_sampling_cuts_leave_only_the_likeliest(settings_: dict[str, float], allowed: int) -> None:
    model = Markov(1, sharpness=0.3)
    best = set(model.table[4, BOS].topk(allowed).indices.tolist())
    config = DecodingConfig(sample=True, n_best=200, seed=1, **settings_)  # type: ignore[arg-type]
    firsts = {(output.ids or [EOS])[0] for output in search(model, [[4, 5]], config)[0]}
    assert firsts <= best
    assert len(firsts) == allowed


def test_sampling_follows_the_probabilities() -> None:
    model = Markov(5, sharpness=0.5)
    config = DecodingConfig(sample=True, n_best=4000, seed=1)
    firsts = [(output.ids or [EOS])[0] for output in search(model, [[4, 5]], config)[0]]
    for token in (*WRITABLE, EOS):
        assert abs(firsts.count(token) / 4000 - float(model.table[4, BOS, token].exp())) < 0.04


@pytest.mark.parametrize("beam", [1, 3])
def test_rules_hold_for_every_candidate(beam: int) -> None:
    for seed in range(20):
        model = Markov(seed)
        for output in search(model, [[4, 5]], DecodingConfig(beam=beam, n_best=beam, min_length=2), prefix=(5,))[0]:
            assert output.ids[0] == 5 and len(output.ids) >= 2
        for output in search(model, [[4, 5]], DecodingConfig(beam=beam, n_best=beam, no_repeat_ngram=1))[0]:
            assert len(output.ids) == len(set(output.ids))
        for output in search(model, [[4, 5]], DecodingConfig(beam=beam), allow=(6,), forbid=((4,),))[0]:
            assert set(output.ids) <= {6}


def test_rules_that_leave_no_token_raise() -> None:
    config = DecodingConfig(beam=2, min_length=2)
    with pytest.raises(OptionError, match="no token to generate"):
        search(Markov(0), [[4, 5]], config, forbid=((4,), (5,), (6,)))


def test_ensemble_averages_probabilities() -> None:
    first, second = Markov(1), Markov(2)
    together = Ensemble([first, second])
    logs, _, _ = together.step(torch.tensor([[BOS]]), together.start(torch.tensor([[4, 5]]), 1))
    mean = (first.table[4, BOS].exp() + second.table[4, BOS].exp()) / 2
    torch.testing.assert_close(logs[0, 0].exp(), mean)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000), vocabulary=st.integers(2, 1500), width=st.integers(1, 6), impossible=st.floats(0, 1.0)
)
def test_the_best_extensions_are_those_of_a_full_sort(
    seed: int, vocabulary: int, width: int, impossible: float
) -> None:
    drawn = torch.Generator().manual_seed(seed)
    logs = torch.randn(3, width, vocabulary, generator=drawn)
    logs[torch.rand(logs.shape, generator=drawn) < impossible] = float("-inf")
    sums = torch.randn(3, width, generator=drawn)
    best, parents, tokens = best_extensions(sums, logs, 2 * width)
    every = (sums.unsqueeze(-1) + logs).view(3, -1).sort(-1, descending=True).values
    assert torch.equal(best, every[:, : best.shape[1]]) and best.shape[1] == min(2 * width, every.shape[1])
    rows = torch.arange(3)[:, None]
    assert torch.equal((sums[rows, parents] + logs[rows, parents, tokens]), best)


NETWORKS = (
    ModelConfig(embedding_size=8, hidden_size=16, attention="additive", copy=True, coverage=True),
    ModelConfig(embedding_size=8, hidden_size=16, attention="multihead", heads=2, input_feeding=True, cell="gru"),
    ModelConfig(embedding_size=8, hidden_size=16, attention="none", cell="rnn", decoder_layers=2),
)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    network=st.sampled_from(NETWORKS),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=9),
    places=st.integers(1, 6),
    config=st.builds(
        DecodingConfig,
        beam=st.integers(1, 4),
        sample=st.booleans(),
        n_best=st.integers(1, 2),
        seed=st.just(7),
        min_length=st.integers(0, 3),
        no_repeat_ngram=st.integers(0, 3),
        length_penalty=st.sampled_from([0.0, 1.0]),
        coverage_penalty=st.sampled_from([0.0, 0.4]),
    ),
    prefix=st.lists(st.integers(5, 15), max_size=2),
)
@example(1, NETWORKS[0], [1, 1, 2, 3], 1, DecodingConfig(beam=3, no_repeat_ngram=1, length_penalty=0.0), [5])
def test_refilled_batch_generates_the_same_as_single_sources(
    seed: int, network: ModelConfig, lengths: list[int], places: int, config: DecodingConfig, prefix: list[int]
) -> None:
    torch.manual_seed(seed)
    model = Seq2Seq(network, 20, 16).eval()
    with torch.no_grad():
        model.output_bias[EOS] += 1.0  # outputs of many lengths
    rows = [torch.randint(5, 20, (length,)) for length in sorted(lengths)]
    copies = [torch.randint(5, 19, (len(row),)) for row in rows]
    rules = TokenRules(prefix=tuple(prefix), forbid=((6,), (8, 9)))

    def written(chosen: list[int]) -> list[list[Hypothesis]]:
        padded = [pad_sequence([part[number] for number in chosen], batch_first=True) for part in (rows, copies)]
        copy_ids = padded[1] if network.copy else None
        limits = [3 + 2 * len(rows[number]) for number in chosen]
        refilled = replace(config, batch_size=places)
        return decode(model, padded[0], refilled, rules, max_length=limits, copy_ids=copy_ids)

    for number, actual in enumerate(written(list(range(len(rows))))):
        alone = written([number])[0]
        assert [output.ids for output in actual] == [output.ids for output in alone]
        for first, second in zip(actual, alone, strict=True):
            np.testing.assert_allclose(first.log_probabilities, second.log_probabilities, atol=1e-4)
            np.testing.assert_allclose(first.attention, second.attention, atol=1e-4)
            assert first.attention.shape == (len(first.ids) + 1, len(rows[number]))
            assert first.ended == second.ended
