"""Continuing a text: windows are the text, models learn it, and write on for any length."""

from __future__ import annotations

import gzip
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nbtextgen import Pairs, TextGenerator
from nbtextgen.core.errors import DataError, MemoryShortError, OptionError
from nbtextgen.data.corpus import Corpus, ShiftingWindows, read_corpus, windows
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.pipeline.continuation import text_plan

TEXT = "one two three four five six seven eight nine ten, and\nthen the same again: " * 80
SETTINGS = {
    "hidden_size": 48,
    "embedding_size": 24,
    "dropout": 0.0,
    "learning_rate": 0.01,
    "samples": 1,
    "batch_size": 16,
}


@settings(max_examples=100)
@given(
    st.lists(st.integers(5, 50), min_size=2, max_size=200), st.integers(1, 30), st.integers(1, 40), st.integers(1, 40)
)
def test_windows_are_the_text_and_each_context_comes_before_its_window(ids, context, length, first) -> None:
    cut = windows(ids, context, length, min(first, length))
    joined: list[int] = []
    for source, target in zip(cut.sources, cut.targets, strict=True):
        before = joined[-context:] or [1]
        assert source.tolist() == before
        assert target[0] == 2 and 1 <= len(target) - 1 <= length
        joined += target[1:].tolist()
    assert joined == ids


def test_every_epoch_cuts_the_same_text_elsewhere_and_repeats_with_its_seed() -> None:
    ids = list(range(5, 105)) * 3
    examples = windows(ids, 10, 20)
    shifting = ShiftingWindows(10, 20, seed=4)
    first, second = shifting(examples, 1), shifting(examples, 2)
    again = ShiftingWindows(10, 20, seed=4)(examples, 1)
    assert [target.tolist() for target in first.targets] == [target.tolist() for target in again.targets]
    assert [target.tolist() for target in first.targets] != [target.tolist() for target in second.targets]
    for one in (first, second):
        assert np.concatenate([target[1:] for target in one.targets]).tolist() == ids


@pytest.mark.parametrize(
    ("options", "repeats", "sizes"),
    [
        ({"tokens": "char"}, 5000, (64, 288)),
        ({"tokens": "char", "hidden_size": 32}, 5000, (64, 32)),
        ({"tokens": "char"}, 80, (64, 128)),
        ({"tokens": "bpe"}, 5000, (128, 256)),
    ],
    ids=["long", "given", "short", "pieces of words"],
)
def test_sizes_suit_the_text(options: dict, repeats: int, sizes: tuple[int, int]) -> None:
    model = text_plan(options, Corpus.of(TEXT[:76] * repeats).pieces()).model
    assert (model.embedding_size, model.hidden_size) == sizes


@pytest.mark.parametrize(
    ("options", "repeats", "tokens"),
    [
        ({}, 20_000, "char"),
        ({}, 30_000, "bpe"),
        ({"vocabulary_size": 300}, 5000, "bpe"),
        ({"tokens": "word"}, 5000, "word"),
        ({"target_tokens": "bpe"}, 5000, "bpe"),
    ],
    ids=["short", "long", "size of the vocabulary", "given", "given for the target"],
)
def test_short_texts_are_read_as_characters(options: dict, repeats: int, tokens: str) -> None:
    plan = text_plan(options, Corpus.of(TEXT[:76] * repeats).pieces())
    assert plan.tokenizer.source_tokens == plan.tokenizer.target_tokens == tokens
    assert plan.choices["source_tokens"] == tokens


@pytest.fixture(scope="module")
def poet() -> TextGenerator:
    return TextGenerator(**SETTINGS, tokens="char", context=12, window=24, epochs=45).fit_text(TEXT, callbacks=[])


def test_it_learns_a_text_and_writes_on_beyond_its_window(poet: TextGenerator) -> None:
    assert poet.bits_per_character(TEXT[:1000]) < 0.3
    text = poet.continue_text("one two three", 200)
    assert text == (TEXT * 3)[: len(text)]
    assert len(text) == len("one two three") + 200


def test_what_was_held_out_of_a_text_can_be_tried_and_explained(poet: TextGenerator) -> None:
    assert poet.held_out is not None and len(poet.held_out) > 5
    for before, after in poet.held_out:
        assert before + after in TEXT * 2
    assert poet.explain(poet.held_out.sources[2], method="occlusion", target=poet.held_out.targets[2][:5]).values.any()


def test_the_decoder_that_reads_for_itself_goes_on_as_if_it_had_written_all() -> None:
    torch.manual_seed(0)
    for more in ({}, {"decoder_layers": 3}, {"attention": "none", "decoder_layers": 2, "cell": "gru"}):
        config = ModelConfig(embedding_size=8, hidden_size=12, encoder_layers=0, tied_embeddings="all", **more)
        network = Seq2Seq(config, 30, 30).eval()
        assert network.encoder is None
        text = torch.randint(5, 30, (1, 12))
        begin = torch.full((1, 1), 2)
        whole = network.log_probabilities(text[:, :7], torch.cat([begin, text[:, 7:]], 1))
        state, last, logs = network.start(text[:, :7], 1), begin, []
        for token in text[0, 7:].tolist():
            step, _, state = network.step(last, state)
            logs.append(step[0, 0, token])
            last = torch.tensor([[token]])
        assert torch.allclose(whole[0], torch.stack(logs), atol=1e-5)
        # Rows of other lengths beside it change nothing.
        beside = torch.zeros(3, 10, dtype=torch.long)
        beside[0, :7], beside[1], beside[2, :3] = text[0, :7], 6, 9
        targets = torch.cat([begin, text[:, 7:]], 1).expand(3, -1)
        assert torch.allclose(network.log_probabilities(beside, targets)[0], whole[0], atol=1e-5)


def test_without_attention_it_is_a_plain_language_model() -> None:
    torch.manual_seed(0)
    config = ModelConfig(embedding_size=8, hidden_size=12, encoder_layers=0, tied_embeddings="inputs", attention="none")
    network = Seq2Seq(config, 30, 30).eval()
    text, begin = torch.randint(5, 30, (2, 9)), torch.full((2, 1), 2)
    by_parts = network.log_probabilities(text[:, :4], torch.cat([begin, text[:, 4:]], 1))
    embedded = network.target_embedding(torch.cat([text[:, :4], begin, text[:, 4:-1]], 1))
    hidden = torch.tanh(network.decoder.combine(network.decoder.layers[0](embedded)))
    logits = hidden @ network.output_weight.T + network.output_bias
    at_once = logits.log_softmax(-1)[:, 4:].gather(-1, text[:, 4:, None]).squeeze(-1)
    assert torch.allclose(by_parts, at_once, atol=1e-5)


def test_pieces_join_to_the_text_and_a_seed_repeats_it(poet: TextGenerator) -> None:
    draw = {"sample": True, "temperature": 6.0, "seed": 3}
    pieces = list(poet.stream("one", 100, **draw))
    assert len(pieces) > 50
    assert "one" + "".join(pieces) == poet.continue_text("one", 100, **draw)
    assert poet.continue_text("one", 100, **draw) != poet.continue_text("one", 100, **draw | {"seed": 4})


def test_bits_are_those_of_the_models_probabilities(poet: TextGenerator) -> None:
    part = TEXT[:24]  # one window, from nothing
    predictor = poet.predictor
    ids = predictor.target.encode(part).ids
    source, target = (torch.tensor([row], device=predictor.device) for row in ([1], [2, *ids]))
    logs = predictor.networks[0].log_probabilities(source, target)
    assert math.isclose(poet.bits_per_character(part), -logs.sum().item() / math.log(2) / 24, rel_tol=1e-4)


@pytest.mark.parametrize("tokens", ["word", "bpe"])
def test_words_and_pieces_of_words_write_on_too_and_survive_saving(tokens: str, tmp_path) -> None:
    model = TextGenerator(**SETTINGS, tokens=tokens, vocabulary_size=300, context=8, window=16, epochs=15)
    model.fit_text(TEXT, callbacks=[])
    again = TextGenerator.load(model.save(tmp_path / "poet"))
    assert again.continue_text("one two", 60) == model.continue_text("one two", 60)
    assert len(again.continue_text("one two", 40)) >= len("one two") + 40
    assert isinstance(again.generate("one two").text, str)


def test_a_text_run_can_be_reopened_from_its_folder(tmp_path) -> None:
    model = TextGenerator(**SETTINGS, tokens="char", context=8, max_steps=5)
    model.fit_text(TEXT, callbacks=[], run=tmp_path / "run")
    assert TextGenerator.load(tmp_path / "run").continue_text("one", 20) == model.continue_text("one", 20)
    assert TextGenerator.resume(tmp_path / "run", callbacks=[]).continue_text("one", 20) == model.continue_text(
        "one", 20
    )


def test_corpora_are_read_from_files_lists_and_patterns(tmp_path) -> None:
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    assert read_corpus(tmp_path / "a.txt") == read_corpus(str(tmp_path / "b.txt.gz")) == read_corpus(TEXT) == TEXT
    assert read_corpus([tmp_path / "a.txt", tmp_path / "b.txt.gz"]) == read_corpus(str(tmp_path / "*.txt*"))
    assert len(Corpus.of(TEXT).pieces()) > 10
    (tmp_path / "latin.txt").write_bytes(b"good\n" + b"caf\xe9 " * 100)
    with pytest.raises(DataError, match="line 2 is not UTF-8"):
        read_corpus(tmp_path / "latin.txt")
    with pytest.raises(DataError, match="at least 200"):
        read_corpus("short\ntext")
    with pytest.raises(DataError, match="no file"):
        read_corpus("nowhere.txt")


def test_mistakes_are_named(poet: TextGenerator) -> None:
    with pytest.raises(OptionError, match="beam"):
        poet.continue_text("one", 5, beam=3)
    with pytest.raises(OptionError, match="length"):
        poet.continue_text("one", 0)
    pairs = TextGenerator(hidden_size=8, embedding_size=8, epochs=1).fit(Pairs(["a", "b"], ["c", "d"]), callbacks=[])
    with pytest.raises(OptionError, match="trained on pairs"):
        pairs.continue_text("one", 5)
    with pytest.raises(OptionError, match="copy"):
        TextGenerator(copy=True).fit_text(TEXT, callbacks=[])
    with pytest.raises(DataError, match="less than two windows"):
        TextGenerator(tokens="char", window=5000).fit_text(TEXT, callbacks=[])


def test_short_memory_is_named_with_what_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, object] = {"hidden_size": 8, "embedding_size": 8, "max_steps": 2}
    poet = TextGenerator(**options, context=10).fit_text(TEXT, callbacks=[])  # type: ignore[arg-type]
    model = TextGenerator(**options).fit([("abc", "cba"), ("bca", "acb")] * 9, callbacks=[])  # type: ignore[arg-type]
    output = model.generate("abc")
    model.training_rows(output)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes.")

    monkeypatch.setattr(Seq2Seq, "encode", fail)
    monkeypatch.setattr(Seq2Seq, "forward", fail)
    for use, message in (
        (lambda: poet.continue_text("one", 5), "to continue the text"),
        (lambda: list(poet.stream("one", 5)), "to continue the text"),
        (lambda: poet.bits_per_character(TEXT), "to score the text"),
        (lambda: model.log_probabilities([("abc", "cba")]), "to score a target"),
        (lambda: model.perplexity([("abc", "cba")]), "to score a target"),
        (
            lambda: model.estimate([("abc", "cba"), ("bca", "acb")] * 9),
            "for a trial of the training; lower hidden_size",
        ),
    ):
        with pytest.raises(MemoryShortError, match=f"There is not enough memory {message}"):
            use()
