"""What is known before a run: parameters, memory, time, and a learning rate."""

from __future__ import annotations

import itertools
import math
from random import Random

import pytest
import torch

from nbtextgen import Pairs, TextGenerator
from nbtextgen.data.corpus import Corpus
from nbtextgen.pipeline.estimate import trial_run

WORDS = ["".join(letters) for letters in itertools.product("abcd", repeat=4)]
REVERSED = Pairs(WORDS, [word[::-1] for word in WORDS])
SMALL = {"hidden_size": 16, "embedding_size": 8, "dropout": 0.0, "batch_size": 16, "samples": 0}


def test_parameters_and_updates_are_those_of_the_run_that_follows() -> None:
    model = TextGenerator(**SMALL, epochs=2)
    estimate = model.estimate(REVERSED)
    started = model.fit(REVERSED, callbacks=[]).history[0]
    assert estimate.parameters == started.parameters  # type: ignore[union-attr]
    assert estimate.updates * 2 == started.steps  # type: ignore[union-attr]
    assert estimate.epochs == 2 and estimate.seconds > 0


def test_augmented_pairs_are_counted_in() -> None:
    plain = TextGenerator(**SMALL, epochs=2, augment="none").estimate(REVERSED)
    model = TextGenerator(**SMALL, epochs=2, augment="concat:1.0,copy:0.5")
    estimate = model.estimate(REVERSED)
    assert estimate.updates > 2 * plain.updates
    assert estimate.updates * 2 == model.fit(REVERSED, callbacks=[]).history[0].steps  # type: ignore[union-attr]


def test_text_to_continue_is_estimated() -> None:
    model = TextGenerator(**SMALL, tokens="char", context=10, window=20, epochs=2)
    text = Corpus(" ".join(WORDS) * 3)
    estimate = model.estimate(text)
    started = model.fit(text, callbacks=[]).history[0]
    assert estimate.parameters == started.parameters  # type: ignore[union-attr]
    assert abs(estimate.updates * 2 - started.steps) <= 2  # type: ignore[union-attr]


def test_streamed_file_is_estimated_from_its_first_rows(tmp_path) -> None:
    lines = "".join(f"{one}\t{other}\n" for one, other in REVERSED)
    (tmp_path / "pairs.tsv").write_text(lines, encoding="utf-8")
    model = TextGenerator(**SMALL, epochs=1, store=str(tmp_path / "store"))
    estimate = model.estimate(tmp_path / "pairs.tsv")
    assert not (tmp_path / "store").exists()
    started = model.fit(tmp_path / "pairs.tsv", callbacks=[]).history[0]
    assert estimate.parameters == started.parameters  # type: ignore[union-attr]
    assert abs(estimate.updates - started.steps) <= 2  # type: ignore[union-attr]
    assert model.held_out is not None and set(model.held_out.sources) <= set(WORDS)


def test_rows_are_cleaned_before_they_are_estimated() -> None:
    dirty = [*REVERSED, (None, "x"), ("abcd", " ")]
    estimate = TextGenerator(**SMALL, epochs=1, clean="text").estimate(dirty)
    assert estimate.updates == TextGenerator(**SMALL, epochs=1).estimate(REVERSED).updates


@pytest.mark.parametrize("copy", [False, True])
@pytest.mark.parametrize(("words", "limit"), [(400, None), (1000, None), (1000, 400)])
def test_the_memory_of_articles_keeps_to_its_formula(words: int, limit: int | None, copy: bool) -> None:
    draw = Random(words)
    articles = [" ".join(draw.choices(WORDS, k=words)) for _ in range(12)]
    pairs = Pairs(articles, [" ".join(article.split()[:20]) for article in articles])
    embedding, hidden, tokens, longest = 16, 32, 4096, 22
    model = TextGenerator(
        tokens="word", source_limit=limit, copy=copy, coverage=copy, batch_tokens=tokens, batch_size=8, epochs=1,
        embedding_size=embedding, hidden_size=hidden, dropout=0.1, valid_fraction=0.0, average="none",
    )  # fmt: skip
    made = trial_run(model.get_params(), pairs)
    assert max(map(len, made.data.train.sources)) == min(words, limit or words)
    weights = 5 * 4 * made.estimate().parameters
    activations = made.estimate().memory - weights
    assert 0 < activations <= 4 * tokens * (6 * embedding + 18 * hidden + 4 * longest)


def test_an_article_is_summarised_from_its_beginning() -> None:
    draw = Random(5)
    articles = [" ".join(draw.choices(WORDS, k=500)) for _ in range(20)]
    pairs = Pairs(articles, [article.split()[0] for article in articles])
    settings = {"tokens": "word", "hidden_size": 16, "embedding_size": 8, "epochs": 1, "samples": 0}
    model = TextGenerator(**settings, source_limit=50).fit(pairs, callbacks=[])
    other_end = " ".join(articles[0].split()[:60] + ["zzzz"] * 400)
    assert model.generate(articles[0]).text == model.generate(other_end).text
    assert len(model.predictor.source.encode(articles[0]).ids) == 50


def test_memory_grows_with_the_batch_and_is_at_least_the_weights() -> None:
    few = TextGenerator(**SMALL).estimate(REVERSED)
    many = TextGenerator(**SMALL | {"batch_size": 128}).estimate(REVERSED)
    assert many.memory > few.memory > 4 * 4 * few.parameters


def test_estimate_does_not_change_training() -> None:
    def weights(model: TextGenerator) -> list[torch.Tensor]:
        fitted = model.fit(REVERSED, callbacks=[])
        return list(fitted.predictor.networks[0].state_dict().values())

    plain = weights(TextGenerator(**SMALL, epochs=1))
    rehearsed = TextGenerator(**SMALL, epochs=1)
    rehearsed.estimate(REVERSED)
    rehearsed.find_learning_rate(REVERSED, updates=10)
    assert all(torch.equal(one, other) for one, other in zip(plain, weights(rehearsed), strict=True))


def test_range_test_raises_the_rate_until_the_loss_grows_and_suggests_a_rate_that_learns() -> None:
    found = TextGenerator(**SMALL).find_learning_rate(REVERSED, updates=100)
    assert list(found.rates) == sorted(found.rates) and all(map(math.isfinite, found.losses))
    assert found.losses[-1] > min(found.losses) < found.losses[0]
    assert 1e-4 < found.suggestion < found.rates[found.losses.index(min(found.losses))]
    assert f"suggested: {found.suggestion:g}" in found.chart().svg and found.chart().description.startswith(
        "Training loss"
    )

    def loss(rate: float) -> float:
        model = TextGenerator(**SMALL, max_steps=30, learning_rate=rate).fit(REVERSED, callbacks=[])
        return model.perplexity(REVERSED)

    assert loss(found.suggestion) < loss(found.suggestion / 30)
