"""Every way of training learns: optimizers, schedules, averages, precision, tokens, and what is mixed into the input."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from nbtextgen import Pairs, TextGenerator
from nbtextgen.core.errors import OptionError
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.cpu import bf16_works
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.training import device
from nbtextgen.training.device import choose_precision
from nbtextgen.training.events import Ended, Step, Validation

random.seed(5)
WORDS = sorted({"".join(random.choices("abcd", k=random.randint(2, 5))) for _ in range(400)})
SWAPPED = Pairs(WORDS, [word.translate(str.maketrans("abcd", "badc")) for word in WORDS])
SMALL = {
    "tokens": "char",
    "hidden_size": 24,
    "embedding_size": 16,
    "batch_size": 32,
    "learning_rate": 0.01,
    "dropout": 0.0,
    "epochs": 10,
}


needs_bf16 = pytest.mark.skipif(not bf16_works(), reason="this CPU cannot train in bf16")


@pytest.mark.skipif(bf16_works(), reason="this CPU trains in bf16")
def test_bf16_is_refused_by_a_cpu_that_cannot_train_in_it() -> None:
    with pytest.raises(OptionError, match="precision='bf16' does not work on this CPU"):
        TextGenerator(**SMALL, precision="bf16").fit(SWAPPED, callbacks=[])


def test_only_networks_that_gain_by_it_train_in_bf16_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = {
        "small": Seq2Seq(ModelConfig(embedding_size=16, hidden_size=64), 30, 40),
        "many words": Seq2Seq(ModelConfig(embedding_size=32, hidden_size=64), 30, 4000),
        "wide": Seq2Seq(ModelConfig(embedding_size=16, hidden_size=256), 30, 40),
    }
    for faster in (True, False):
        monkeypatch.setattr(device, "bf16_is_faster", lambda faster=faster: faster)
        chosen = {name: choose_precision("auto", torch.device("cpu"), each) for name, each in networks.items()}
        large = "bf16" if faster else "fp32"
        assert chosen == {"small": "fp32", "many words": large, "wide": large}
    assert choose_precision("fp32", torch.device("cpu"), networks["wide"]) == "fp32"


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adamw", "weight_decay": 0.01, "schedule": "inverse-sqrt", "warmup": 0.2},
        {"optimizer": "sgd", "learning_rate": 0.5, "schedule": "constant"},
        {"schedule": "plateau", "patience": 3},
        {"average": "ema", "ema_decay": 0.9},
        {"average": "last", "average_last": 2},
        {"accumulate": 2, "clip": 0.5, "epochs": 14},
        {"teacher_forcing": 0.7},
        {"source_masking": 0.1},
        {"snapshot": True},
        {"dropout": 0.1, "variational_dropout": True},
        pytest.param({"precision": "bf16"}, marks=needs_bf16),
        {"select_by": "exact", "validate_every": 7, "epochs": 14},
        {"tokens": "bpe", "vocabulary_size": 300, "tied_embeddings": "all", "shared_vocabulary": True},
        {"tokens": "char", "tied_embeddings": "inputs", "shared_vocabulary": True},
        {"ensemble": 2},
        {"batch_tokens": 64, "epochs": 4},
    ],
    ids=lambda options: ", ".join(f"{name}={value}" for name, value in options.items()),
)
def test_every_setting_learns(options: dict[str, object], tmp_path) -> None:
    model = TextGenerator(**{**SMALL, **options}).fit(SWAPPED, callbacks=[])
    assert model.perplexity(SWAPPED[:50]) < max(3.0, model.predictor.target.size / 10)  # untrained: about the size
    again = TextGenerator.load(model.save(tmp_path / "m"))
    assert again.predict(WORDS[:20]) == model.predict(WORDS[:20])


def test_a_copy_head_writes_words_it_has_never_seen() -> None:
    names = ["".join(random.choices("bdgklmnprst", k=1) + random.choices("aeiou", k=1)) * 2 for _ in range(600)]
    names = sorted({name + str(at % 97) for at, name in enumerate(names)})
    random.shuffle(names)
    pairs = Pairs([f"please greet {name} now" for name in names], [f"hello {name}" for name in names])
    known, new = pairs[:400], pairs[400:440]
    model = TextGenerator(
        tokens="word",
        copy=True,
        hidden_size=32,
        embedding_size=32,
        epochs=12,
        learning_rate=0.01,
        minimum_frequency=2,
        batch_size=16,
        dropout=0.0,
    ).fit(known, callbacks=[])
    right = sum(one == wanted for one, wanted in zip(model.predict(new.sources), new.targets, strict=True))
    assert right >= 36


def test_an_unknown_word_is_replaced_by_the_source_word_attended_to() -> None:
    pairs = [(f"x{at}", f"x{at}") for at in range(60)]
    model = TextGenerator(
        tokens="word", minimum_frequency=2, hidden_size=8, embedding_size=8, epochs=1, valid_fraction=0.0
    )
    model.fit([*pairs, ("known a", "known a"), ("known b", "known b")], callbacks=[])
    written = model.generate("x7", min_length=1, max_length=1, forbid=("known",), replace_unknown=True)
    assert written.tokens == (" x7",)


def test_pretrained_embeddings_are_the_starting_point(tmp_path) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("2 16\n" + "a " + " ".join(["0.5"] * 16) + "\nb " + " ".join(["-0.25"] * 16) + "\n")
    options = {**SMALL, "learning_rate": 1e-9, "max_steps": 1, "tied_embeddings": "none"}
    model = TextGenerator(**options, source_embeddings=str(vectors)).fit(SWAPPED, callbacks=[])
    predictor = model.predictor
    row = predictor.source.encode("a").ids[0]
    np.testing.assert_allclose(
        predictor.networks[0].source_embedding.weight[row].detach().cpu().numpy(), 0.5, atol=1e-4
    )


def test_a_very_long_source_is_read(tmp_path) -> None:
    model = TextGenerator(**SMALL, max_steps=3).fit(SWAPPED, callbacks=[])
    assert model.generate("abcd" * 25_000, max_length=5).tokens is not None


def test_pairs_longer_than_the_limit_are_left_out_with_a_warning() -> None:
    model = TextGenerator(**SMALL, max_length=50, max_steps=3).fit([*SWAPPED, ("a" * 100_000, "b")], callbacks=[])
    assert any("1 of" in getattr(event, "text", "") and "left out" in event.text for event in model.history)


def test_a_time_limit_needs_no_epochs_and_decays_the_learning_rate() -> None:
    options = {name: value for name, value in SMALL.items() if name != "epochs"}
    model = TextGenerator(**options, max_minutes=0.05).fit(SWAPPED, callbacks=[])
    steps = [event for event in model.history if isinstance(event, Step)]
    validations = [event for event in model.history if isinstance(event, Validation)]
    ended = model.history[-1]
    assert isinstance(ended, Ended)
    assert ended.reason in ("time", "early")
    assert steps[-1].learning_rate < 0.5 * max(step.learning_rate for step in steps)
    assert steps[-1].epochs == 0
    assert {event.metric_name for event in validations} == {"sequence-accuracy"}
    assert validations[-1].step == ended.step


def test_sequence_accuracy_is_the_exact_match_of_greedy_search() -> None:
    model = TextGenerator(**SMALL | {"epochs": 14}).fit(SWAPPED[:150], valid=SWAPPED[150:], callbacks=[])
    best = [event for event in model.history if isinstance(event, Validation) and event.best][-1]
    assert best.metric_name == "sequence-accuracy"
    assert 0 < best.metric < 100
    assert best.metric == pytest.approx(model.evaluate(SWAPPED[150:], metrics=["exact"])["exact"].value)
    assert (best.task_name, best.task, best.task_pairs) == ("exact", best.metric, len(SWAPPED) - 150)


def test_a_reference_with_an_unknown_character_is_not_counted_as_right() -> None:
    unseen = [(source, f"{target}\u00e9") for source, target in SWAPPED[150:]]
    model = TextGenerator(**SMALL | {"epochs": 14}).fit(SWAPPED[:150], valid=unseen, callbacks=[])
    assert {event.metric for event in model.history if isinstance(event, Validation)} == {0.0}


@pytest.mark.parametrize("metric", ["sequence-accuracy", "exact"])
def test_of_equally_good_weights_the_later_ones_are_kept(metric: str) -> None:
    model = TextGenerator(**SMALL | {"epochs": 30}, patience=100, select_by=metric).fit(SWAPPED, callbacks=[])
    validations = [event for event in model.history if isinstance(event, Validation)]
    most = max(event.metric for event in validations)
    ended = model.history[-1]
    assert isinstance(ended, Ended)
    best = [event.step for event in validations if event.metric == most]
    assert len(best) > 1
    assert ended.best_step == best[-1]


@pytest.mark.parametrize(("tokens", "length"), [("word", 3), ("char", 40)])
def test_long_outputs_are_selected_by_their_tokens(tokens: str, length: int) -> None:
    pairs = [(f"{word} a", " ".join([word] * (length // len(word) + 1))) for word in WORDS]
    model = TextGenerator(tokens=tokens, hidden_size=16, epochs=2, patience=1).fit(pairs, callbacks=[])
    assert {event.metric_name for event in model.history if isinstance(event, Validation)} == {"accuracy"}
