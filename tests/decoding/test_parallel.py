"""Searches side by side give what they give in turn, and end together."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any

import pytest
import torch

from nbtextgen import Pairs, TextGenerator
from nbtextgen.core.cancellation import CancellationToken, Cancelled, run_job
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.decoding.parallel import run_parallel
from nbtextgen.inference import predictor as writing


def test_results_come_in_order_and_each_search_has_a_core_of_its_own() -> None:
    before = torch.get_num_threads()
    actual = run_parallel([lambda _, n=n: (n, torch.get_num_threads()) for n in range(3)])
    assert actual == [(0, 1), (1, 1), (2, 1)]
    assert torch.get_num_threads() == before


def test_searches_see_the_context_of_the_caller() -> None:
    cell = ContextVar[str]("cell")
    cell.set("third")
    assert run_parallel([lambda _: cell.get()] * 2) == ["third", "third"]


@pytest.mark.parametrize("threads", [1, 2])
def test_progress_counts_the_outputs_of_every_search_and_ends_them(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = Pairs.of([(a + b, b + a) for a in "abcdefgh" for b in "abcdefgh"])
    model = TextGenerator(hidden_size=8, embedding_size=8, max_steps=2).fit(pairs, callbacks=[])
    monkeypatch.setattr(
        writing.Predictor, "_split_sources", lambda _, texts, __: [[*range(n, texts, 2)] for n in (0, 1)]
    )
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        counts = list[tuple[int, int]]()
        fixed = {"batch_size": 2, "min_length": 2, "max_length": 2}  # however the network happens to start
        scores = model.evaluate(pairs, on_progress=lambda *count: counts.append(count), **fixed)
        assert counts[0] == (0, 64) and counts == sorted(counts) and 32 < counts[-1][0] <= 64
        assert scores["exact"].value == model.evaluate(pairs, **fixed)["exact"].value

        def stop(done: int, count: int) -> None:
            if done >= count / 2:
                raise Cancelled

        with pytest.raises(Cancelled):
            model.evaluate(pairs, on_progress=stop, **fixed)
        token = CancellationToken()
        token.cancel()
        with pytest.raises(Cancelled):
            run_job(lambda _: model.generate(["ab", "ba"]), token)  # whatever a job calls is cancelled with it
        assert len(model.generate(["ab", "ba"])) == 2
    finally:
        torch.set_num_threads(before)


def test_failing_search_cancels_the_others() -> None:
    ended = threading.Event()

    def fails(_: CancellationToken) -> None:
        raise ValueError("no")

    def endless(cancellation: CancellationToken) -> None:
        try:
            while True:
                cancellation.raise_if_cancelled()
        except Cancelled:
            ended.set()
            raise

    with pytest.raises(ValueError, match="no"):
        run_parallel([fails, endless])
    assert ended.is_set()


@pytest.mark.parametrize("searches", [1, 2])
def test_cancelled_token_ends_every_search(searches: int) -> None:
    cancellation, started = CancellationToken(), threading.Barrier(searches + 1)

    def endless(shared: CancellationToken) -> None:
        started.wait()
        while True:
            shared.raise_if_cancelled()

    def cancel() -> None:
        started.wait()
        cancellation.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(Cancelled):
        run_parallel([endless] * searches, cancellation)
    thread.join()


@pytest.mark.parametrize("decoding", [{}, {"beam": 2}, {"sample": True, "n_best": 2}, {"precision": "int8"}], ids=str)
@pytest.mark.parametrize("texts", [["a1"], ["a1", "a2"]], ids=len)
def test_cancelled_prediction_stops(decoding: dict[str, Any], texts: list[str]) -> None:
    pairs = Pairs.of([(f"a{number}", f"b{number}") for number in range(30)])
    model = TextGenerator(tokens="char", hidden_size=24, embedding_size=8, max_steps=1, valid_fraction=0.0)
    predictor = model.fit(pairs, callbacks=[]).predictor
    cancellation = CancellationToken()
    predictor.predict(texts, DecodingConfig(**decoding), cancellation=cancellation)
    cancellation.cancel()
    with pytest.raises(Cancelled):
        predictor.predict(texts, DecodingConfig(**decoding), cancellation=cancellation)
    with pytest.raises(Cancelled):
        predictor.predict_ids("a1", [5, 6], DecodingConfig(**decoding), cancellation=cancellation)
    with pytest.raises(Cancelled):
        predictor.alternatives("a1", [5], 2, cancellation=cancellation)


def test_parallel_searches_generate_the_same_as_single_ones() -> None:
    pairs = Pairs.of([(f"a{number}", f"b{number}") for number in range(30)])
    model = TextGenerator(tokens="char", hidden_size=24, embedding_size=8, max_steps=60, valid_fraction=0.0)
    model.fit(pairs, callbacks=[])
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        for settings in ({}, {"beam": 3}, {"sample": True, "seed": 4}):
            together = model.generate(list(pairs.sources), batch_size=4, **settings)
            for source, output in zip(pairs.sources, together, strict=True):
                assert output.source == source
                assert output.text == model.generate(source, **settings).text
    finally:
        torch.set_num_threads(before)


def test_single_search_uses_one_thread_and_restores_the_number() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert run_parallel([lambda _: torch.get_num_threads()]) == [1]
        with pytest.raises(ZeroDivisionError):
            run_parallel([lambda _: 1 // 0])
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
                shares = predictor._split_sources(texts, DecodingConfig(batch_size=batch_size, beam=beam))
                assert len(shares) == searches
    finally:
        torch.set_num_threads(before)
