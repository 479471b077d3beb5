"""Training on: the vocabulary grows and nothing else changes, old pairs are replayed, corrections are learned, runs resume."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from nbtextgen import Pairs, Run, TextGenerator
from nbtextgen.core.errors import OptionError
from nbtextgen.data.augmentation import Augmentation, Augmenter
from nbtextgen.data.batching import CopyMap, Examples, encode_examples
from nbtextgen.data.replay import Replay, with_target_size
from nbtextgen.model.growth import grown_weights
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.tokenizers.growth import grown_tokenizer
from nbtextgen.tokenizers.registry import train_tokenizer
from nbtextgen.tokenizers.truncated import TruncatedTokenizer
from nbtextgen.training.events import Checkpoint, Event, Retention, Started, TrainingWarning
from nbtextgen.training.weight_averaging import put

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
MODELS = sorted(folder.name for folder in (GOLDEN / "models").iterdir())
TINY = {"hidden_size": 24, "embedding_size": 16, "threads": 1, "samples": 0, "seed": 3}
WORDS = ["".join(letters) for letters in itertools.product("abcd", repeat=4)]
REVERSED = Pairs(WORDS, [word[::-1].upper() for word in WORDS])
FIXES = Pairs([f"{word}é" for word in WORDS[3::16]], [f"Ü{word}" for word in WORDS[3::16]])


@pytest.fixture(scope="module")
def base() -> TextGenerator:
    """A model that reverses words, trained until it nearly always does."""
    return TextGenerator(**TINY, epochs=30, dropout=0.0, learning_rate=0.02, batch_size=16).fit(REVERSED, callbacks=[])


@pytest.fixture(scope="module")
def base_run(base: TextGenerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start") / "run"
    TextGenerator(**base.get_params() | {"epochs": 2}).fit(REVERSED, callbacks=[], run=folder)
    return folder


def texts_of(model: TextGenerator) -> Pairs:
    """Pairs of tokens that the model knows, where their texts alone read as them."""
    known = [model.predictor.source.token(number).strip() or "x" for number in range(5, 9)]
    outputs = [model.predictor.target.token(number).strip() or "x" for number in range(5, 9)]
    return Pairs(known, outputs)


def learned(network: Seq2Seq) -> dict[str, torch.Tensor]:
    return {name: parameter.detach() for name, parameter in network.named_parameters()}


# Growing --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_without_new_tokens_every_network_starts_with_its_own_bits(name: str) -> None:
    model = TextGenerator.load(GOLDEN / "models" / name)
    if model.plan.data.context is not None:
        pytest.skip("continues a text")
    prepared = model._warm_start(0.0, None).prepare(TextGenerator().get_params(), texts_of(model))
    start = prepared.training_data.start
    assert start is not None and start.fingerprint == model.predictor.fingerprint == prepared.plan.start
    if prepared.training_data.target.size > model.predictor.target.size:
        pytest.skip("a piece of this vocabulary reads as new characters")
    for network, weights in zip(model.predictor.networks, start.weights, strict=True):
        assert weights.keys() == learned(network).keys()
        assert all(torch.equal(weights[name], parameter) for name, parameter in learned(network).items())


@pytest.mark.parametrize("name", MODELS)
def test_new_rows_leave_old_scores_as_they_are(name: str) -> None:
    """Old logits are equal to the bit, so old probabilities lose nothing but the mass of the new tokens."""
    model = TextGenerator.load(GOLDEN / "models" / name)
    source, target = model.predictor.source.size, model.predictor.target.size
    for network in model.predictor.networks:
        shared = network.config.shared_embedding
        grown = Seq2Seq(network.config, source + 3, target + 3 if shared else target + 2).eval()
        put(grown, grown_weights(network, source + 3, grown.vocabulary_size, seed=1))
        ids = torch.tensor([[7, 5, 6, 5], [6, 8, 0, 0]])
        inputs = torch.tensor([[2, 5, 7], [2, 6, 6]])
        copies = torch.tensor([[7, 5, 6, 5], [6, 8, 0, 0]]) if network.config.copy else None
        with torch.inference_mode():
            (old, _), (new, _) = network(ids, inputs, copies), grown(ids, inputs, copies)
            assert torch.equal(old.hidden, new.hidden) and torch.equal(old.weights, new.weights)
            before, after = (
                torch.nn.functional.linear(each.hidden, part.output_weight, part.output_bias).double()
                for each, part in ((old, network), (new, grown))
            )
        assert torch.allclose(before, after[..., :target], rtol=0, atol=1e-5)  # blocked sums may round otherwise
        mass = after.softmax(-1)[..., target:].sum(-1, keepdim=True)
        assert torch.allclose(before.softmax(-1) * (1 - mass), after.softmax(-1)[..., :target], atol=1e-6)


def test_new_rows_are_near_the_mean_of_the_old_ones(base: TextGenerator) -> None:
    network = base.predictor.networks[0]
    weights = grown_weights(
        network, network.source_embedding.num_embeddings + 500, network.vocabulary_size + 500, seed=4
    )
    assert "target_embedding.weight" not in weights  # it is tied to the output layer
    for name in ("source_embedding.weight", "output_weight"):
        old, new = learned(network)[name], weights[name][-500:]
        assert torch.allclose(new.mean(0), old[5:].mean(0), atol=0.2)
        assert 0.3 < float(new.std(0).mean() / old[5:].std(0).mean()) < 0.7
    assert weights["output_bias"][-1] == pytest.approx(float(network.output_bias[5:].detach().mean()), abs=1e-6)


@pytest.mark.parametrize("kind", ["char", "word", "symbol", "bpe"])
def test_tokenizers_keep_their_ids_when_they_grow(kind: str) -> None:
    old = train_tokenizer(["a b c", "b c d"], kind, size=300 if kind == "bpe" else None)
    grown = grown_tokenizer(old, ["b ö", "ö é é a", "é"])
    assert [grown.token(number) for number in range(old.size)] == [old.token(number) for number in range(old.size)]
    assert grown.decode(grown.encode("b é ö").ids) == "b é ö"
    assert grown_tokenizer(old, ["a b"]) is old
    if kind == "bpe":
        assert grown is old
    else:
        most = grown_tokenizer(old, ["b ö", "ö é é a", "é"], most=1)
        rare = grown_tokenizer(old, ["b ö", "ö é é a", "é"], minimum_frequency=3)
        assert (
            most.size == rare.size == old.size + 1
            and most.token(old.size).strip() == rare.token(old.size).strip() == "é"
        )
    truncated = grown_tokenizer(TruncatedTokenizer(old, 2), ["ö"])
    assert isinstance(truncated, TruncatedTokenizer) and truncated.limit == 2 and truncated.size >= old.size


def test_growing_vocabularies_are_shared_where_they_were() -> None:
    options = {
        **TINY,
        "tokens": "word",
        "shared_vocabulary": True,
        "tied_embeddings": "all",
        "copy": True,
        "ensemble": 2,
    }
    pairs = Pairs([f"a b {word}" for word in "cdef"], [f"{word} b" for word in "cdef"])
    model = TextGenerator(**options, epochs=1).fit(pairs, callbacks=[])
    more = TextGenerator(epochs=1, threads=1).fit(
        [("a b zebra", "zebra b"), ("lion", "a lion")], callbacks=[], start=model
    )
    assert more.predictor.source is more.predictor.target
    assert more.predictor.target.size == model.predictor.target.size + 2
    assert len(more.predictor.networks) == 2 and more.predictor.networks[0].config == model.predictor.networks[0].config
    assert all(network.source_embedding.weight is network.output_weight for network in more.predictor.networks)


def test_new_tokens_take_pretrained_embeddings(tmp_path: Path) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text(
        "".join(f"{word} {' '.join([str(number)] * 16)}\n" for number, word in enumerate(("cat", "dog", "emu")))
    )
    pairs = Pairs(["cat dog", "dog", "cat", "dog dog"], ["x", "y", "z", "x y"])
    options = {**TINY, "tokens": "word", "source_embeddings": str(vectors), "epochs": 1}
    model = TextGenerator(**options).fit(pairs, callbacks=[])
    new = [("emu", "x"), ("yak cat", "y")]
    data = model._warm_start(None, None).prepare(TextGenerator().get_params(), new).training_data
    table = data.start.weights[0]["source_embedding.weight"]
    assert torch.equal(table[data.source.encode("emu").ids[0]], torch.full((16,), 2.0))
    old = model.predictor.source.size
    assert torch.equal(table[:old], model.predictor.networks[0].source_embedding.weight)
    vectors.unlink()
    prepared = model._warm_start(None, None).prepare(TextGenerator().get_params(), new)
    assert any(note.startswith("New tokens have no pretrained embedding") for note in prepared.notes)


# Replay ---------------------------------------------------------------------------------------------------------------


def examples(count: int) -> Examples:
    rows = [np.array([number]) for number in range(count)]
    return Examples(rows, rows)


def test_each_epoch_has_every_new_example_and_other_old_ones() -> None:
    replay = Replay(new=4, replayed=3, seed=1)
    epochs = [[int(ids[0]) for ids in replay(examples(40), epoch).sources] for epoch in range(60)]
    assert all(epoch[:4] == [0, 1, 2, 3] and len(set(epoch)) == 7 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 50
    assert set().union(*epochs) == set(range(40))  # missed once in 60 draws of 3 out of 36 with probability 0.002 each
    assert epochs[5] == [int(ids[0]) for ids in Replay(4, 3, 1)(examples(40), 5).sources]
    assert len(Replay(4, 99, 1)(examples(6), 0)) == 6 and len(Replay(4, 3, 1)(examples(4), 0)) == 4


def test_augmented_replay_decodes_the_examples_of_its_epoch() -> None:
    pairs = [("abcd", "abcd"), ("bcda", "bcda"), ("ccdd", "ccdd"), ("dddd", "dddd")]
    tokenizer = train_tokenizer([text for text, _ in pairs], "char")
    encoded = encode_examples(*map(list, zip(*pairs, strict=True)), tokenizer, tokenizer)
    augmenter = Augmenter(Augmentation.parse("swap:0.5", None), tokenizer, tokenizer, None, 1)
    replay = Replay(1, 2, 1, augmenter)
    for epoch in range(6):
        for source, target in zip(replay(encoded, epoch).sources, replay(encoded, epoch).targets, strict=True):
            assert sorted(source.tolist()) == sorted(target[1:-1].tolist())


def test_copied_words_move_behind_a_grown_vocabulary() -> None:
    old = train_tokenizer(["a b"], "word")
    grown = grown_tokenizer(old, ["c d"])
    pair = (["a x b x y"], ["x y a"])
    before = encode_examples(*pair, old, old, CopyMap(old, old))
    after = encode_examples(*pair, old, grown, CopyMap(old, grown))
    moved = with_target_size(before, old.size, grown.size)
    assert moved.targets[0].tolist() == after.targets[0].tolist()
    assert moved.copies is not None and after.copies is not None
    assert moved.copies[0].tolist() == after.copies[0].tolist()


def test_old_pairs_come_from_memory_a_run_or_the_user(base: TextGenerator, base_run: Path, tmp_path: Path) -> None:
    new = Pairs([*FIXES.sources, WORDS[7]], [*FIXES.targets, "X"])  # one source is an old one, with another target
    options = TextGenerator(threads=1).get_params()
    in_memory = base._warm_start(0.4, None).prepare(options, new)
    from_run = TextGenerator.load(base_run)._warm_start(0.4, None).prepare(options, new)
    for prepared in (in_memory, from_run):
        data, start = prepared.training_data, prepared.training_data.start
        assert start is not None and start.new_pairs == len(new) and start.replayed == round(len(new) * 0.4 / 0.6)
        sources = [data.source.decode(ids.tolist()) for ids in data.train.sources]
        assert sources[: len(new)] == new.sources
        assert sources.count(WORDS[7]) == 1 and set(sources[len(new) :]) <= set(WORDS)
        assert WORDS[7] not in [source for source, _ in start.old_valid] and start.old_valid
        assert not any("replayed" in note for note in prepared.notes)
    first, second = in_memory.training_data.train, from_run.training_data.train
    assert all(np.array_equal(*pair) for pair in zip(first.targets, second.targets, strict=True))

    loaded = TextGenerator.load(base.save(tmp_path / "m"))
    alone = loaded._warm_start(None, None).prepare(options, new)
    assert "No old pairs are replayed" in alone.notes[-1] and alone.training_data.start.replayed == 0
    given = loaded._warm_start(None, REVERSED[:50]).prepare(options, new).training_data
    assert given.start.replayed == len(new) and len(given.start.old_valid) in range(3, 8)
    held = {source for source, _ in given.start.old_valid}
    assert not held & {given.source.decode(ids.tolist()) for ids in given.train.sources}


# Training -------------------------------------------------------------------------------------------------------------


def retention(events: list[Event]) -> Retention:
    [event] = [event for event in events if isinstance(event, Retention)]
    return event


@pytest.fixture(scope="module")
def corrected(base: TextGenerator) -> TextGenerator:
    return TextGenerator(threads=1, samples=0, epochs=90).fit(FIXES, callbacks=[], start=base)


def test_corrections_are_learned_and_little_is_forgotten(base: TextGenerator, corrected: TextGenerator) -> None:
    assert base.evaluate(FIXES, metrics=["exact"])["exact"].value == 0
    assert corrected.evaluate(FIXES, metrics=["exact"])["exact"].value >= 70
    event = retention(corrected.history)
    assert event.before == base.evaluate(base.held_out, metrics=["exact"])["exact"].value >= 60
    assert event.after == corrected.evaluate(base.held_out, metrics=["exact"])["exact"].value >= event.before - 25
    assert f"On {event.pairs} old validation pairs, exact match was {event.before:.1f} %" in str(event)
    assert corrected.history[-2] is event and corrected.plan.start == base.predictor.fingerprint
    started = next(event for event in corrected.history if isinstance(event, Started))
    assert started.pairs == 2 * len(FIXES)
    assert not any(
        "nothing is learned" in str(event) for event in corrected.history if isinstance(event, TrainingWarning)
    )
    assert corrected.plan.training.learning_rate < base.plan.training.learning_rate


def test_trained_on_model_is_saved_with_where_it_started(
    corrected: TextGenerator, base: TextGenerator, tmp_path: Path
) -> None:
    loaded = TextGenerator.load(corrected.save(tmp_path / "m"))
    assert loaded.plan.start == base.predictor.fingerprint and loaded.predict(FIXES.sources) == corrected.predict(
        FIXES.sources
    )
    assert "start" not in base.plan.as_dict()
    again = TextGenerator(threads=1, epochs=1).fit([("dé", "ÜD"), ("aé", "ÜA")], callbacks=[], start=corrected)
    pool = {again.predictor.source.normalize(text) for text in again.training_pairs().sources}
    assert pool >= {*FIXES.sources, "dé"} and len(again.held_out) == len(base.held_out)


class Killed(Exception):
    """Stands for the end of the process."""


def killer(step: int):
    def listen(event: Event) -> None:
        if isinstance(event, Checkpoint) and event.step >= step:
            raise Killed

    return listen


@pytest.mark.parametrize("options", [{}, {"augment": "swap:0.1", "average": "last"}])
def test_killed_run_that_went_on_from_a_model_resumes_to_the_bit(base: TextGenerator, tmp_path: Path, options) -> None:
    settings = {"threads": 1, "epochs": 3, "checkpoint_seconds": 0.0, "samples": 0, "dropout": 0.2, **options}
    straight = TextGenerator(**settings).fit(FIXES, callbacks=[], start=base, replay=0.4)
    for step in (0, 4):
        folder = tmp_path / f"run{step}"
        with pytest.raises(Killed):
            TextGenerator(**settings).fit(FIXES, callbacks=[killer(step)], run=folder, start=base, replay=0.4)
        resumed = TextGenerator.resume(folder, callbacks=[])
        first, second = learned(straight.predictor.networks[0]), learned(resumed.predictor.networks[0])
        assert all(torch.equal(first[name], second[name]) for name in first)
        assert retention(resumed.history) == retention(straight.history) == retention(Run.open(folder).history())
        assert Run.open(folder).plan.start == base.predictor.fingerprint
    assert base.predictor.fingerprint == base.plan.start or not base.plan.start  # the model itself is as it was


def test_text_model_goes_on_with_another_text() -> None:
    text = "the cat sat on the mat. " * 60
    options = {**TINY, "context": 8, "window": 16, "tokens": "char", "epochs": 1}
    model = TextGenerator(**options).fit_text(text, callbacks=[])
    more = TextGenerator(epochs=2, threads=1).fit_text("the dög sat. " * 90, callbacks=[], start=model)
    assert more.plan.start == model.predictor.fingerprint and more.plan.data.context == 8
    assert more.predictor.target.size > model.predictor.target.size
    assert more.bits_per_character("the dög sat. the dög sat. ") < 3
    with pytest.raises(OptionError, match="continues a text"):
        TextGenerator().fit(FIXES, callbacks=[], start=model)


def test_few_epochs_of_another_task_adapt_a_model(base: TextGenerator) -> None:
    """Domain adaptation: enough pairs to hold some out."""
    words = ["".join(letters) for letters in itertools.product("aexy", repeat=5)][::2]
    other = Pairs(words, [word[::-1].upper() for word in words])
    model = TextGenerator(threads=1, samples=0, epochs=4, learning_rate=0.01).fit(
        other, callbacks=[], start=base, replay=0.2
    )
    assert len(model.held_out) > len(base.held_out)
    fresh = model.held_out[len(base.held_out) :]
    assert set(fresh.sources) <= set(words)
    assert model.perplexity(fresh) < 0.5 * base.perplexity(fresh)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hidden_size": 99}, "hidden_size=99 does not fit the start model, which has 24"),
        ({"cell": "gru"}, "cell='gru' does not fit the start model, which has lstm"),
        ({"tokens": "word"}, "which has char and char"),
        ({"ensemble": 2}, "ensemble=2 does not fit"),
        ({"clean": "nfc"}, "clean='nfc' does not fit"),
        ({"store": "x"}, "leave one of them out"),
    ],
)
def test_settings_that_the_model_does_not_allow_are_refused(base: TextGenerator, options, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        TextGenerator(**options).fit(FIXES, callbacks=[], start=base)


def test_start_is_a_model_and_replay_belongs_to_it(base: TextGenerator) -> None:
    with pytest.raises(OptionError, match="belong to start"):
        TextGenerator().fit(FIXES, callbacks=[], replay=0.3)
    with pytest.raises(OptionError, match="got int"):
        TextGenerator().fit(FIXES, callbacks=[], start=3)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"number in \[0, 1\)"):
        TextGenerator().fit(FIXES, callbacks=[], start=base, replay=1.0)


def test_validation_pairs_are_read_by_the_columns_of_sources_and_targets() -> None:
    words = ["".join(letters) for letters in itertools.product("abcd", repeat=2)]
    frame = pd.DataFrame({"other": words, "a": words, "b": words})
    settings = {"hidden_size": 8, "embedding_size": 8, "max_steps": 2, "samples": 0}
    model = TextGenerator(**settings).fit(words, words, callbacks=[])
    options = {"valid": frame[:5], "source": "a", "target": "b", "callbacks": []}
    assert TextGenerator(**settings).fit(frame, frame, start=model, **options).plan.start == model.predictor.fingerprint


# Rows -----------------------------------------------------------------------------------------------------------------


def test_training_rows_are_those_of_all_trainings_with_their_own_numbers(tmp_path: Path) -> None:
    datasets = [
        [
            pair for source, target in pairs for pair in [(f"{source}  x", target)] * 2
        ]  # the first training drops every second row
        for pairs in ([("é", "É"), ("ü", "Ü")], FIXES, REVERSED[:40])
    ]
    options = {**TINY, "clean": "whitespace,dedupe", "max_steps": 1, "valid_fraction": 0.0}
    best: TextGenerator | None = None
    for data in reversed(datasets):
        best = TextGenerator(**options).fit(data, start=best, callbacks=[])
        options = {"max_steps": 1}
    assert best is not None
    loaded = TextGenerator.load(best.save(tmp_path / "best", keep_rows=True))
    for model in (best, loaded):
        rows = model.training_rows(model.generate("aabcé", min_length=1, max_length=8), count=400)
        assert {row.earlier for row in rows} == {0, 1, 2} and rows.note == ""
        assert len({row.number for row in rows}) == len(rows)
        for row in rows:
            source, target = datasets[row.earlier][row.row]
            assert row.original == (source, target) and (row.earlier < 2 or row.row % 2 == 0)
            assert (row.source, row.target) == (source.replace("  ", " "), target)
            ending = ("", " of the earlier data", " of the earlier data (2 trainings ago)")[row.earlier]
            assert row.place == f"row {row.row + 1}{ending}"
    alone = best.training_rows(best.generate("é", min_length=1, max_length=8), data=datasets[0])
    assert "not listed" in alone.note and alone.note in repr(alone) and "not listed" in alone.html()
