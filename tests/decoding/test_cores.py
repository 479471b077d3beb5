"""Searches side by side give what they give in turn, and end together."""

from __future__ import annotations

import threading

import pytest
import torch

from nbtextgen import Pairs, TextGenerator
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.decoding.parallel import Cancelled, run_parallel
from nbtextgen.inference import predictor as writing


class Counting:
    """Just enough of a model to be stepped through."""

    start = reorder = keep = replace = None

    def __init__(self) -> None:
        self.steps = 0

    def step(self, tokens: object, state: object) -> None:
        self.steps += 1


def test_results_come_in_order_and_each_search_has_a_core_of_its_own() -> None:
    before = torch.get_num_threads()
    found = run_parallel(Counting(), [lambda _, n=n: (n, torch.get_num_threads()) for n in range(3)])  # type: ignore[arg-type]
    assert found == [(0, 1), (1, 1), (2, 1)]
    assert torch.get_num_threads() == before


def test_one_that_fails_ends_the_others() -> None:
    ended = threading.Event()

    def fails(_: object) -> None:
        raise ValueError("no")

    def endless(model: Counting) -> None:
        try:
            while True:
                model.step(None, None)
        except Cancelled:
            ended.set()
            raise

    with pytest.raises(ValueError, match="no"):
        run_parallel(Counting(), [fails, endless])  # type: ignore[arg-type,list-item]
    assert ended.is_set()


def test_many_texts_are_written_as_they_are_one_at_a_time() -> None:
    pairs = Pairs.of([(f"a{number}", f"b{number}") for number in range(30)])
    model = TextGenerator(tokens="char", hidden_size=24, embedding_size=8, max_steps=60, valid_fraction=0.0)
    model.fit(pairs, callbacks=[])
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        for settings in ({}, {"beam": 3}, {"sample": True, "seed": 4}):
            together = model.generate(list(pairs.sources), batch_size=4, **settings)
            for source, one in zip(pairs.sources, together, strict=True):
                assert one.source == source
                assert one.text == model.generate(source, **settings).text
    finally:
        torch.set_num_threads(before)


def test_single_search_uses_one_thread_if_asked_and_restores_the_number() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert run_parallel(Counting(), [lambda _: torch.get_num_threads()]) == [3]  # type: ignore[arg-type]
        assert run_parallel(Counting(), [lambda _: torch.get_num_threads()], one_thread=True) == [1]  # type: ignore[arg-type]
        with pytest.raises(ZeroDivisionError):
            run_parallel(Counting(), [lambda _: 1 // 0], one_thread=True)  # type: ignore[arg-type]
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_batch_is_split_where_each_part_still_has_large_steps() -> None:
    pairs = Pairs.of([(f"a{number}", f"b{number}") for number in range(30)])
    model = TextGenerator(tokens="char", hidden_size=24, embedding_size=8, max_steps=1, valid_fraction=0.0)
    predictor = model.fit(pairs, callbacks=[]).predictor
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for texts, batch_size, beam, step, searches in (
            (64, 64, 1, 65 * 24**2, 1),
            (64, 64, 1, 32 * 24**2, 2),
            (64, 64, 4, 128 * 24**2, 2),
            (1, 64, 64, 24**2, 1),
            (128, 64, 1, 10**9, 2),
        ):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(writing, "LARGE_STEP", step)
                shares = predictor._shares(texts, DecodingConfig(batch_size=batch_size, beam=beam))
                assert len(shares) == searches
    finally:
        torch.set_num_threads(before)
