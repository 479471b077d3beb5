"""The training rows behind an output: gradients against autograd, influence against brute force, and rows of messy data."""

from __future__ import annotations

import math
import pickle
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch

from nbtextgen import TextGenerator
from nbtextgen.core.errors import DataError, ModelFileError, OptionError
from nbtextgen.data.batching import Examples
from nbtextgen.influence.gradients import token_gradients
from nbtextgen.influence.index import DAMPING, KEPT_FEATURES, METHODS, InfluenceIndex
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.seq2seq import Seq2Seq

SIZES = {"embedding_size": 8, "hidden_size": 8, "heads": 2, "dropout": 0.3, "tied_embeddings": "none"}
NETWORKS = {
    "lstm": {},
    "gru, input feeding": {"cell": "gru", "attention": "additive", "input_feeding": True},
    "rnn, two layers": {"cell": "rnn", "attention": "dot", "decoder_layers": 2, "layer_norm": True},
    "copy": {"copy": True, "attention": "multihead"},
    "coverage": {"coverage": True},
    "fixed vector": {"attention": "none"},
    "no encoder": {"encoder_layers": 0, "attention": "none"},
}
VOCABULARY = 11


def network(name: str, **sizes: int) -> Seq2Seq:
    torch.manual_seed(1)
    return Seq2Seq(ModelConfig(**SIZES | NETWORKS[name] | sizes), VOCABULARY, VOCABULARY).eval()


def examples(count: int, copy: bool) -> Examples:
    """Random pairs; with copying, some source tokens are words outside the vocabulary, and targets copy them."""
    draw = np.random.default_rng(0)
    sources = [draw.integers(5, VOCABULARY, draw.integers(1, 6)) for _ in range(count)]
    copies = [np.where(draw.random(len(ids)) < 0.3, VOCABULARY, ids) for ids in sources] if copy else None
    targets = [np.array([2, *draw.integers(5, VOCABULARY, draw.integers(1, 5)), 3]) for _ in range(count)]
    for row in range(count if copies else 0):
        targets[row][1] = copies[row][0]
    return Examples(sources, targets, copies)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_those_of_autograd(name: str) -> None:
    net, pairs = network(name), examples(12, "copy" in NETWORKS[name])
    if net.config.input_feeding:  # only the last step has no effect on later ones
        pairs = replace(pairs, targets=[np.array([2, 3])] * len(pairs))
    gradients = [(batch, batch.errors[:, :, None] * batch.features[:, None]) for batch in token_gradients(net, pairs)]
    sums = torch.zeros(len(pairs), *gradients[0][1].shape[1:])
    for batch, outer in gradients:
        sums.index_add_(0, batch.examples, outer)
    for row in range(len(pairs)):
        single = pairs.take([row])
        sides = (single.sources, single.targets, *([single.copies] if single.copies else []))
        net.zero_grad()
        (-net.log_probabilities(*[torch.as_tensor(side[0])[None] for side in sides]).sum()).backward()
        layers = [net.decoder.combine] if net.decoder.gate is None else [net.decoder.combine, net.decoder.gate]
        expected = torch.cat([layer.weight.grad[:, : sums.shape[-1]] for layer in layers])
        torch.testing.assert_close(sums[row], expected, rtol=1e-3, atol=1e-6)


def test_influence_is_the_product_of_whitened_gradients() -> None:
    net, pairs = network("lstm"), examples(40, False)
    output = examples(41, False).take([40])
    batches = list(token_gradients(net, pairs))
    rows, _, features, errors = (
        torch.cat(part) for part in zip(*(vars(batch).values() for batch in batches), strict=True)
    )
    [query] = token_gradients(net, output)

    def inverse(vectors: torch.Tensor) -> torch.Tensor:
        moments = vectors.T @ vectors / len(vectors)
        return torch.linalg.inv(moments + DAMPING * moments.trace() / len(moments) * torch.eye(len(moments)))

    scores = (errors @ inverse(errors) @ query.errors.T) * (features @ inverse(features) @ query.features.T)
    expected = torch.zeros(40).index_add_(0, rows, scores.sum(1)) / len(rows)
    index = InfluenceIndex([net, net], pairs)
    np.testing.assert_allclose(index.influence(output), expected, atol=0.01 * float(expected.abs().max()))
    by_step = [index.influence(output, [step]) for step in range(len(query.features))]
    np.testing.assert_allclose(sum(by_step), index.influence(output), atol=1e-5)


def test_long_gradients_are_projected_and_a_row_recognises_itself() -> None:
    net, pairs = network("lstm", hidden_size=KEPT_FEATURES), examples(30, False)
    index = InfluenceIndex([net], pairs)
    for method in METHODS:
        for row in (0, 7):
            assert index.influence(pairs.take([row]), method=method).argmax() == row


ROWS = [(f"{number}  {word}", f"{word} {number}") for number in range(40) for word in ("ab", "ba", "aab", "bba")]
MESSY = [("", "x"), *ROWS[:80], ("a" * 90, "b"), ROWS[0], *ROWS[80:]]
SETTINGS = {
    "hidden_size": 16,
    "embedding_size": 8,
    "epochs": 2,
    "clean": "whitespace,dedupe",
    "max_length": 40,
    "keep_rows": True,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TextGenerator:
    return TextGenerator(**SETTINGS, ensemble=2).fit(MESSY, callbacks=[], run=tmp_path_factory.mktemp("run") / "r")


@pytest.mark.parametrize("method", METHODS)
def test_row_numbers_are_those_of_the_users_data(model: TextGenerator, method: str) -> None:
    rows = model.training_rows("7  ab", method=method, count=len(MESSY))
    assert rows and [*rows] == [*rows.proponents, *reversed(rows.opponents)]
    held = {source for source, _ in model.held_out or ()}
    for row in rows:
        source, target = MESSY[row.row]
        assert (row.source, row.target) == (source.replace("  ", " "), target)
        assert row.place == f"row {row.row + 1}"
        assert row.original == (source, target) and row.steps == ("whitespace",)
        assert row.source not in held and len(row.source) < 41 and row.row != 82
    numbers = [row.row for row in rows]
    assert len(set(numbers)) == len(numbers)


def test_loaded_models_need_the_rows_again_unless_they_were_kept(model: TextGenerator, tmp_path: Path) -> None:
    rows = model.training_rows("7 ab")
    assert model.run is not None
    kept = [TextGenerator.load(model.save(tmp_path / "kept", keep_rows=True)), TextGenerator.load(model.run.folder)]
    for loaded in kept:
        again = loaded.training_rows("7 ab")
        assert [*map(repr, again)] == [*map(repr, rows)]
    shared = [TextGenerator.load(model.save(tmp_path / "shared")), pickle.loads(pickle.dumps(model))]
    for loaded in shared:
        with pytest.raises(DataError, match="does not hold its training rows"):
            loaded.training_rows("7 ab")
        given = loaded.training_rows("7 ab", data=MESSY, count=3)
        assert {row.place for row in given} <= {f"row {number + 1}" for number in range(len(MESSY))}
    assert not any(b"39 aab" in path.read_bytes() for path in (tmp_path / "shared").iterdir())
    with pytest.raises(DataError, match="no training rows to keep"):
        shared[0].save(tmp_path / "again", keep_rows=True)
    damaged = tmp_path / "kept" / "training_rows.json"
    damaged.write_text('{"sources": ["a"]}')
    with pytest.raises(ModelFileError, match="damaged"):
        TextGenerator.load(tmp_path / "kept")


def test_planted_pairs_stand_behind_the_outputs_they_spoilt() -> None:
    pairs = [(f"{first}{second}", f"{second}{first}") for first in "abcdefgh" for second in "abcdefgh"] * 3
    planted = {row for row, (source, _) in enumerate(pairs) if source[0] == "c" and source[1] in "abdeg"}
    wrong = [(source, target[0] + "x" if row in planted else target) for row, (source, target) in enumerate(pairs)]
    settings = {"hidden_size": 32, "embedding_size": 16, "batch_size": 16, "threads": 1, "learning_rate": 0.01}
    model = TextGenerator(**settings, epochs=15, dropout=0.0, valid_fraction=0.0, label_smoothing=0.0)
    model.fit(wrong, callbacks=[])
    output = model.generate("cd")
    assert output.text == "dx"
    rows = model.training_rows(output, token="x")
    assert sum(row.row in planted for row in rows.proponents) >= 9
    assert not any(row.row in planted for row in rows.opponents)


def test_a_text_to_continue_has_windows_behind_it() -> None:
    text = "one two three four five six seven eight nine ten. " * 12
    settings = {"tokens": "char", "hidden_size": 16, "embedding_size": 8, "context": 10, "window": 12, "epochs": 1}
    model = TextGenerator(**settings).fit_text(text, callbacks=[])
    rows = model.training_rows("seven eight", count=3)
    assert rows and all(
        row.place == f"window {row.row + 1} of the text" and row.source + row.target in text for row in rows
    )
    assert model.training_rows("seven eight", count=3, data=text)


def test_display_escapes_every_text() -> None:
    hostile = [(f"<b>{word}</b> $x$ \\({word}\\)", f"<script>{word}</script>") for word in ("ab", "ba", "aa", "bb") * 6]
    model = TextGenerator(hidden_size=8, embedding_size=4, epochs=1).fit(hostile, callbacks=[])
    rows = model.training_rows(model.generate("<b>ab", min_length=3, max_length=6), count=2)
    shown = rows._repr_mimebundle_()
    assert "<script" not in shown["text/html"] and "<b>" not in shown["text/html"] and "$x$" not in shown["text/html"]
    assert re.search("speak (for|against)", shown["text/html"]) and "row " in shown["text/plain"]
    frame = rows.frame()
    assert list(frame["row"]) == [row.row for row in rows] and list(frame.columns)[2:4] == ["source", "target"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "gradient"}, "method must be one of gradients, states"),
        ({"count": 0}, "count must be a whole number of at least 1"),
        ({"count": 1.5}, "count must be a whole number of at least 1"),
        ({"count": "3"}, "count must be a whole number of at least 1"),
        ({"token": 99}, "is not in the output"),
        ({"token": "zz"}, "is not in the output"),
    ],
)
def test_wrong_options_are_named(model: TextGenerator, options: dict, message: str) -> None:
    with pytest.raises((OptionError, DataError), match=message):
        model.training_rows("7 ab", **options)
    assert math.isfinite(model.training_rows("7 ab", token=0)[0].influence)


def test_corrected_data_and_other_columns_are_read_again(model: TextGenerator) -> None:
    sources, targets = map(list, zip(*MESSY, strict=True))
    table = pandas.DataFrame({"a": sources, "b": targets, "c": targets[::-1]})
    first = model.training_rows("7 ab", data=table, source="a", target="b")
    index = model._indexed
    assert model.training_rows("7 ab", data=table, source="a", target="b") == first
    assert index is not None and model._indexed is index
    for row in model.training_rows("7 ab", data=table, source="a", target="c"):
        assert row.target == table["c"][row.row]
    table["c"] = "zz"
    assert {row.target for row in model.training_rows("7 ab", data=table, source="a", target="c")} == {"zz"}
    other = model.training_rows("7 ab", data=sources, targets=targets)
    assert all(row.target == targets[row.row] for row in other)


def test_rows_are_not_kept_of_what_is_read_in_parts() -> None:
    with pytest.raises(OptionError, match="choose one"):
        TextGenerator(store="folder", keep_rows=True).fit(ROWS, callbacks=[])
