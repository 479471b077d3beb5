"""What to label next: uncertain rows that differ from one another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nbtextgen import Pairs, TextGenerator, to_label
from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.influence.gradients import token_gradients
from nbtextgen.influence.rows import TrainingRow, TrainingRows
from nbtextgen.influence.sketches import _examples, gradient_sketches, select
from nbtextgen.labelling import RowsToLabel, RowToLabel


def test_short_vectors_and_copies_of_drawn_rows_are_left() -> None:
    vectors = np.repeat(np.diag([0.9, 0.8, 0.0]), 30, axis=0).astype(np.float32)
    drawn = select(vectors, 2)
    assert drawn[0] < 30 <= drawn[1] < 60
    assert sorted(select(vectors, 500)) == list(range(90))
    assert select(vectors, 20, seed=3) == select(vectors, 20, seed=3)
    assert select(vectors[:0], 3) == [] and select(vectors, 0) == []


@pytest.fixture(scope="module")
def model() -> TextGenerator:
    pairs = Pairs(["ab", "ba", "aab", "abb", "bab"] * 4, ["x", "y", "xx", "yy", "xy"] * 4)
    options = {"tokens": "char", "hidden_size": 8, "embedding_size": 8, "max_steps": 20, "samples": 0}
    return TextGenerator(**options, seed=1).fit(pairs, callbacks=[])


def test_rows_keep_their_place_in_the_data(model: TextGenerator) -> None:
    frame = pd.DataFrame({"typed": ["ab", "", "bbb", "ab", None, "aaaa"], "n": range(6)})
    rows = to_label(model, frame, 2, source="typed")
    assert len(rows) == 2 and all(frame["typed"][row.row] == row.source for row in rows)
    everything = to_label(model, frame, source="typed")
    assert sorted(row.row for row in everything) == [0, 2, 5] and everything[:2] == rows[:2]
    assert everything.frame()["text"].tolist() == [row.text for row in everything]
    assert repr(everything).startswith("3 rows to label:") and "<table>" in everything._repr_mimebundle_()["text/html"]


def test_lists_of_rows_show_the_beginning_of_a_long_text(model: TextGenerator) -> None:
    long = "ab " * 2000
    rows = RowsToLabel([RowToLabel(0, long, long, 0.5)])
    output = replace(model.generate("ab"), source=long, text=long)
    behind = TrainingRows([TrainingRow(0, "row 1", long, long, 1.0)], output, None, "gradients")
    for each in (rows, Pairs([long], [long]), behind):
        assert "ab ab" in repr(each) and "\u2026" in repr(each) and len(repr(each)) < 500
    html = rows._repr_mimebundle_()["text/html"]
    assert "\u2026" in html and len(html) < 2000
    assert rows.sources == [long]


@pytest.mark.parametrize("options", [{}, {"copy": True, "tokens": "word"}, {"ensemble": 2}])
def test_products_of_sketches_are_those_of_gradients(options: dict[str, object]) -> None:
    pairs = Pairs(["ab c", "ba d", "aab c", "abb a", "bab d"] * 4, ["x c", "y d", "xx c", "yy a", "xy d"] * 4)
    settings = {"tokens": "char", "hidden_size": 8, "embedding_size": 8, "max_steps": 20, "samples": 0, **options}
    model = TextGenerator(**settings, seed=1).fit(pairs, callbacks=[])
    outputs = model.generate(["ab c", "aab q", "b", "abb a d"])
    sketches = gradient_sketches(model.predictor, outputs, 20_000)
    examples = _examples(model.predictor, outputs)
    products = np.zeros((4, 4))
    for network in model.predictor.networks:
        gradients = [next(token_gradients(network, examples.take([row]))) for row in range(4)]
        flat = np.stack([(each.errors.T @ each.features).numpy().ravel() for each in gradients])
        products += flat @ flat.T / len(model.predictor.networks)
    lengths = np.sqrt(np.diag(products))
    assert np.abs(sketches @ sketches.T - products).max() < 0.1 * lengths.max() ** 2
    alone = np.concatenate([gradient_sketches(model.predictor, [output], 20_000) for output in outputs])
    assert np.allclose(alone, sketches, atol=1e-4 * np.abs(sketches).max())  # other outputs change nothing


def test_what_the_model_does_not_know_is_chosen_first() -> None:
    """Inputs unlike all that the model knows would teach it more than any of those."""
    sides = [(f"{left}{right}", left) for left in "abcd" for right in "efgh"]
    pairs = Pairs([source for source, _ in sides] * 10, [target for _, target in sides] * 10)
    options = {"tokens": "char", "hidden_size": 16, "embedding_size": 8, "max_steps": 150, "samples": 0}
    model = TextGenerator(**options, seed=1).fit(pairs, callbacks=[])
    known = gradient_sketches(model.predictor, model.generate([source for source, _ in sides]))
    strange = gradient_sketches(model.predictor, model.generate(["ee", "hh", "fe"]))
    assert np.median(np.linalg.norm(strange, axis=1)) > np.linalg.norm(known, axis=1).max()
    assert to_label(model, [source for source, _ in sides] + ["ee", "hh", "fe"], 1)[0].source in ("ee", "hh", "fe")


def test_errors_of_labelling(model: TextGenerator) -> None:
    with pytest.raises(DataError, match="no inputs"):
        to_label(model, ["", " "])
    with pytest.raises(OptionError, match="count"):
        to_label(model, ["ab"], 0)
    for count in (1.5, True, "3", None):
        with pytest.raises(OptionError, match="count must be a whole number of at least 1"):
            to_label(model, ["ab"], count)  # type: ignore[arg-type]
