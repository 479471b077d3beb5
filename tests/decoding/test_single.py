"""A single source gets what it gets in a batch, from every kind of network and for every way of generating."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from nbtextgen.core.errors import OptionError
from nbtextgen.decoding.config import DecodingConfig, TokenRules
from nbtextgen.decoding.hypothesis import Hypothesis
from nbtextgen.decoding.search import decode
from nbtextgen.decoding.stepper import Ensemble, Stepper
from nbtextgen.decoding.streaming import stream
from nbtextgen.model.config import ATTENTIONS, CELLS, ModelConfig
from nbtextgen.model.seq2seq import Seq2Seq

EOS, WORDS = 3, 16
LENGTHS = (6, 2)


def networks(cell: str, attention: str) -> Iterator[tuple[bool, Stepper]]:
    """Whether it copies, and the model: the other parts in every combination, half of them with three layers and half as
    an ensemble of two."""
    attends = attention != "none"
    switches = (False, True)
    for copy, coverage, feeding in itertools.product(switches, switches, switches):
        layers = 1 if (copy + coverage + feeding) % 2 else 3
        if (copy or coverage) and not attends:
            continue
        config = ModelConfig(
            cell=cell,
            attention=attention,
            heads=2,
            embedding_size=8,
            hidden_size=12,
            copy=copy,
            coverage=coverage,
            input_feeding=feeding,
            decoder_layers=layers,
            layer_norm=layers > 1,
        )
        members = [Seq2Seq(config, 20, WORDS).eval() for _ in range(2)]
        for member in members:
            with torch.no_grad():
                member.output_bias[EOS] += 0.5
        together = copy == feeding
        yield copy, Ensemble(members) if together else members[0]


def sources() -> tuple[torch.Tensor, torch.Tensor]:
    """Sources and their copy ids, the longest first."""
    rows = [torch.randint(5, 20, (length,)) for length in LENGTHS]
    copies = [torch.randint(5, WORDS + 3, (length,)) for length in LENGTHS]
    return pad_sequence(rows, batch_first=True), pad_sequence(copies, batch_first=True)


def same(output: Hypothesis, other: Hypothesis) -> None:
    assert output.ids == other.ids and output.ended == other.ended
    np.testing.assert_allclose(output.log_probabilities, other.log_probabilities, atol=2e-5)
    np.testing.assert_allclose(output.attention, other.attention, atol=1e-5)
    np.testing.assert_allclose(output.score, other.score, atol=1e-4)
    np.testing.assert_allclose(output.rivals, other.rivals, atol=2e-5)


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("cell", CELLS)
def test_single_source_equals_batch(cell: str, attention: str) -> None:
    torch.manual_seed(1)
    for number, (copy, model) in enumerate(networks(cell, attention)):
        source, copies = sources()
        config = DecodingConfig(sample=number % 3 == 2, seed=5, top_k=6)
        copy_ids = copies if copy else None
        batch = decode(model, source, config, max_length=[6, 6], copy_ids=copy_ids)
        for row, ([actual], length) in enumerate(zip(batch, LENGTHS, strict=True)):
            output = source[row : row + 1, :length]
            mine = copies[row : row + 1, :length] if copy else None
            [[alone]] = decode(model, output, config, max_length=[6], copy_ids=mine)
            same(alone, actual)
            assert alone.attention.shape == (len(alone.ids) + 1, length)
        pieces = list(stream(model, output, config, max_length=6, copy_ids=mine))
        assert [token for token, _ in pieces] == actual.ids
        np.testing.assert_allclose([logged for _, logged in pieces], actual.log_probabilities[:-1], atol=2e-5)


@pytest.mark.parametrize("sample", [False, True])
def test_single_source_obeys_the_rules_of_a_batch(sample: bool) -> None:
    torch.manual_seed(2)
    model = Seq2Seq(ModelConfig(embedding_size=8, hidden_size=12), 20, WORDS).eval()
    source, _ = sources()
    rules = TokenRules((7, 6), (6, 7, 8, 9, 10), ((8,), (9, 10)))
    config = DecodingConfig(sample=sample, seed=3, min_length=4, no_repeat_ngram=2)
    batch = decode(model, source, config, max_length=[6] * 2, rules=rules)
    for row, ([actual], length) in enumerate(zip(batch, LENGTHS, strict=True)):
        [[alone]] = decode(model, source[row : row + 1, :length], config, max_length=[6], rules=rules)
        same(alone, actual)
        assert alone.ids[:2] == [7, 6] and len(alone.ids) >= 4
    one_by_one = decode(model, source, DecodingConfig(batch_size=1), max_length=[6] * 2)
    for [alone], [actual] in zip(one_by_one, decode(model, source, DecodingConfig(), max_length=[6] * 2), strict=True):
        same(alone, actual)


def test_rules_that_leave_no_token_raise_for_a_single_source() -> None:
    model = Seq2Seq(ModelConfig(embedding_size=8, hidden_size=12), 20, WORDS).eval()
    source, _ = sources()
    rules = TokenRules(allow=(6,), forbid=((6,),))
    config = DecodingConfig(min_length=2)
    with pytest.raises(OptionError, match="no token to generate"):
        decode(model, source[:1], config, max_length=[6], rules=rules)
    with pytest.raises(OptionError, match="no token to generate"):
        list(stream(model, source[:1], config, max_length=6, rules=rules))


@pytest.mark.parametrize("rules", [TokenRules(), TokenRules(allow=(6, 7, 8))])
def test_rivals_are_the_likeliest_other_tokens_that_the_rules_allow(rules: TokenRules) -> None:
    torch.manual_seed(3)
    model = Seq2Seq(ModelConfig(embedding_size=8, hidden_size=12), 20, WORDS).eval()
    source, _ = sources()
    for length, [output] in zip(
        LENGTHS, decode(model, source, DecodingConfig(), rules, max_length=[6] * 2), strict=True
    ):
        row = source[LENGTHS.index(length), :length][None]
        state = model.start(row, 1)
        for step, (last, token) in enumerate(zip([2, *output.ids], [*output.ids, EOS], strict=True)):
            with torch.inference_mode():
                logs, _, state = model.step(torch.tensor([[last]]), state)
            allowed = range(WORDS) if rules.allow is None else [*rules.allow, EOS]
            others = [float(logs[0, 0, each]) for each in allowed if each != token]
            forced = not output.ended and step == len(output.ids)
            assert output.rivals is not None
            assert output.rivals[step] == pytest.approx(-np.inf if forced else max(others), abs=1e-5)
