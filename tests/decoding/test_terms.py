"""Outputs with terms against brute force on small models whose every output can be listed."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nbtextgen.decoding.borders import EFFECT, END_AFTER, LINKS, NOTHING, WORD_ENDS, Borders, survives
from nbtextgen.decoding.config import DecodingConfig, TokenRules
from nbtextgen.decoding.hypothesis import Hypothesis
from nbtextgen.decoding.search import decode
from nbtextgen.decoding.terms import TermMatcher, Terms, least_tokens, usable_borders
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.seq2seq import Seq2Seq

BOS, EOS = 2, 3
ALPHABET = (5, 6, 7)
PHRASE = st.lists(st.sampled_from(ALPHABET), min_size=1, max_size=3).map(tuple)
TERMS = st.lists(st.lists(PHRASE, min_size=1, max_size=2).map(tuple), min_size=1, max_size=3).map(tuple)


def contains(ids: tuple[int, ...], phrase: tuple[int, ...]) -> bool:
    return any(ids[start : start + len(phrase)] == phrase for start in range(len(ids) - len(phrase) + 1))


def met(ids: tuple[int, ...], terms: Terms) -> list[bool]:
    return [any(contains(ids, phrase) for phrase in alternatives) for alternatives in terms]


def end_of(ids: tuple[int, ...], borders: Borders) -> int:
    """What a sequence ends with."""
    end = NOTHING
    for token in ids:
        end = END_AFTER[borders[token]][end]
    return end


def met_as_words(ids: tuple[int, ...], terms: Terms, borders: Borders) -> list[bool]:
    def holds(phrase: tuple[int, ...], start: int) -> bool:
        stop = start + len(phrase)
        before, after = end_of(ids[:start], borders), end_of(ids[:stop], borders)
        begins = EFFECT[borders[phrase[0]]][before] == WORD_ENDS
        return ids[start:stop] == phrase and begins and survives(after, [int(borders[token]) for token in ids[stop:]])

    return [any(holds(phrase, start) for phrase in each for start in range(len(ids))) for each in terms]


# 5 begins words, 6 goes on with letters, 7 is a mark inside of words and numbers; 8 is neither, 9 a number, 10 a combining mark.
BORDERS = np.array([0, 0, 0, 0, 0, 1, 5, LINKS + 2, 3, 10, 13, 0], np.int8)


@given(TERMS, st.lists(st.sampled_from((*ALPHABET, 8, 9, 10)), max_size=12).map(tuple), st.booleans())
@settings(max_examples=200)
def test_matcher_knows_what_a_sequence_contains_and_needs(terms: Terms, ids: tuple[int, ...], words: bool) -> None:
    borders = usable_borders(terms, BORDERS) if words else None
    matcher, state = TermMatcher(terms, BORDERS if words else None), 0

    def all_met(ids: tuple[int, ...]) -> bool:
        return all(met(ids, terms) if borders is None else met_as_words(ids, terms, borders))

    settled = False
    for position, token in enumerate(ids):
        state = matcher.step(state, token)
        assert (matcher.need(state) == 0) == all_met(ids[: position + 1])
        settled = settled or matcher.settled(state)
        assert matcher.settled(state) == settled and (not settled or matcher.need(state) == 0)
    finished, need = ids, matcher.need(state)
    assert need <= matcher.total == sum(least_tokens(terms, borders))
    while matcher.need(state):
        after = matcher.advances(state)
        assert after  # some token lowers the need
        token, following = min(after, key=lambda each: matcher.need(each[1]))
        assert matcher.need(following) < matcher.need(state)
        state, finished = following, (*finished, token)
    assert len(finished) <= len(ids) + need and all_met(finished)
    assert matcher.advances(state) == []


@cache
def network(cell: str = "gru", copy: bool = False) -> Seq2Seq:
    torch.manual_seed(7)
    config = ModelConfig(cell=cell, hidden_size=8, embedding_size=6, dropout=0.0, copy=copy)
    built = Seq2Seq(config, 12, 8).eval()
    for parameter in built.parameters():
        parameter.data.mul_(2.5)
    return built


def score(model: Seq2Seq, source: list[int], ids: tuple[int, ...]) -> float:
    target = torch.tensor([[BOS, *ids, EOS]])
    with torch.inference_mode():
        return float(model.log_probabilities(torch.tensor([source]), target).double().sum())


def search(
    model: Seq2Seq,
    sources: list[list[int]],
    config: DecodingConfig,
    terms: list[Terms],
    limit: int = 4,
    borders: Borders | None = None,
    **rules: tuple,
):
    source = torch.zeros(len(sources), max(map(len, sources)), dtype=torch.long)
    for row, ids in enumerate(sources):
        source[row, : len(ids)] = torch.tensor(ids)
    allow = TokenRules(**{"allow": ALPHABET, **rules})
    return decode(model, source, config, allow, max_length=[limit] * len(sources), terms=terms, borders=borders)


def same(first: Hypothesis, second: Hypothesis) -> bool:
    logs = np.array_equal(first.log_probabilities, second.log_probabilities)
    return first.ids == second.ids and logs and first.score == second.score


@pytest.mark.parametrize(
    "terms",
    [
        (((5, 5),),),
        (((7, 6), (6, 6, 6)),),
        (((5, 6),), ((7, 7),)),
        (((5,),), ((6,),), ((7,),)),
        (((5, 6, 5, 7),),),
    ],
)
@pytest.mark.parametrize(("cell", "words"), [("gru", False), ("lstm", False), ("gru", True)])
def test_wide_beam_finds_the_best_of_all_outputs_with_the_terms(cell: str, words: bool, terms: Terms) -> None:
    model, config = network(cell), DecodingConfig(beam=130, n_best=3, length_penalty=0.0)
    sources, borders = [[5, 9, 6], [10, 11]], usable_borders(terms, BORDERS) if words else None
    found = search(model, sources, config, [terms] * 2, borders=BORDERS if words else None)

    def all_met(ids: tuple[int, ...]) -> bool:
        return all(met(ids, terms) if borders is None else met_as_words(ids, terms, borders))

    for source, hypotheses in zip(sources, found, strict=True):
        listed = [ids for length in range(5) for ids in itertools.product(ALPHABET, repeat=length) if all_met(ids)]
        ranked = sorted(((score(model, source, ids), ids) for ids in listed), reverse=True)[:3]
        assert [hypothesis.score for hypothesis in hypotheses] == pytest.approx([each for each, _ in ranked], abs=1e-4)
        assert [tuple(hypothesis.ids) for hypothesis in hypotheses] == [ids for _, ids in ranked]


@given(TERMS, st.sampled_from([1, 2, 3, 5]), st.integers(0, 3), st.sampled_from([1, 4]), st.booleans())
@settings(max_examples=60)
def test_every_output_of_every_beam_has_its_terms(terms: Terms, beam: int, spare: int, batch: int, words: bool) -> None:
    """Also where the limit leaves no token to spare, and beside sources that have no terms."""
    model = network()
    sources = [[5 + row % 6, 5 + row % 4] for row in range(9)]
    every = [terms if row % 3 else () for row in range(9)]
    config = DecodingConfig(beam=beam, n_best=min(beam, 2), batch_size=batch)
    borders = BORDERS if words else None
    limit = TermMatcher(terms, borders).total + spare
    usable = usable_borders(terms, borders)
    found = search(model, sources, config, every, limit, borders)
    for row, hypotheses in enumerate(found):
        for hypothesis in hypotheses:
            ids = tuple(hypothesis.ids)
            assert len(ids) <= limit
            assert all(met(ids, every[row]) if usable is None else met_as_words(ids, every[row], usable))
            assert float(hypothesis.log_probabilities.sum()) == pytest.approx(
                score(model, sources[row], tuple(hypothesis.ids)), abs=1e-3
            )
    assert all(found)
    if beam > 1:
        plain = search(model, sources[::3], config, [()] * 3, limit)
        pairs = [pair for row in range(3) for pair in zip(found[3 * row], plain[row], strict=True)]
        assert all(one.ids == two.ids and one.score == pytest.approx(two.score, abs=1e-5) for one, two in pairs)


def test_without_terms_nothing_changes() -> None:
    sources = [[5 + row % 6, 5 + row % 4] for row in range(9)]
    for config in (DecodingConfig(), DecodingConfig(beam=3, n_best=2), DecodingConfig(sample=True, seed=3)):
        pairs = zip(search(network(), sources, config, [()] * 9), search(network(), sources, config, []), strict=True)
        assert all(same(*each) for one, two in pairs for each in zip(one, two, strict=True))


def test_terms_win_over_other_rules_and_follow_a_prefix() -> None:
    terms: Terms = (((5, 6),),)
    [[found]] = search(network(), [[5, 9, 6]], DecodingConfig(beam=3), [terms], 6, forbid=((5, 6),), prefix=(7, 7))
    assert found.ids[:2] == [7, 7] and contains(tuple(found.ids), (5, 6))
    [[inside]] = search(network(), [[5, 9, 6]], DecodingConfig(beam=3), [terms], 3, prefix=(7, 5))
    assert inside.ids == [7, 5, 6]


def test_copied_words_can_be_terms() -> None:
    model, source = network(copy=True), torch.tensor([[5, 9, 6], [7, 11, 0]])
    copies = torch.tensor([[5, 8, 6], [7, 8, 0]])
    terms: list[Terms] = [(((8, 5),),), ()]
    with torch.inference_mode():
        found = decode(model, source, DecodingConfig(beam=3), max_length=[5, 5], copy_ids=copies, terms=terms)
    assert contains(tuple(found[0][0].ids), (8, 5))


class Repeating:
    """A model that likes one token far more than the others: whatever else a term needs is never among its best."""

    def start(self, source: Tensor, width: int, copy_ids: Tensor | None = None) -> Tensor:
        return source

    def step(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logs = torch.full((*tokens.shape, 200), -30.0)
        logs[..., [0, 1, 2]] = float("-inf")
        logs[..., 199], logs[..., EOS] = -0.1, -4.0
        return logs, torch.ones(*tokens.shape, state.shape[1]), state

    def reorder(self, state: Tensor, parents: Tensor) -> Tensor:
        return state

    def keep(self, state: Tensor, rows: Tensor) -> Tensor:
        return state[rows]

    def replace(self, state: Tensor, rows: Tensor, other: Tensor, other_rows: Tensor) -> Tensor:
        return state.index_copy(0, rows, other[other_rows])


def test_unlikely_terms_are_met_within_the_limit() -> None:
    terms: Terms = ((tuple(range(20, 32)),), ((99, 98), (50,)))
    for limit in (13, 20, 60):
        found = decode(
            Repeating(), torch.tensor([[5, 6]] * 3), DecodingConfig(beam=5), max_length=[limit] * 3, terms=[terms] * 3
        )  # type: ignore[arg-type]
        assert all(all(met(tuple(each.ids), terms)) and len(each.ids) <= limit for [each] in found)
