"""What to label next: uncertain rows that differ from one another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbtextgen import Pairs, TextGenerator, to_label
from nbtextgen.confidence.selection import select, source_vectors
from nbtextgen.core.errors import DataError, OptionError


def test_certain_rows_and_copies_of_drawn_rows_are_left() -> None:
    vectors = source_vectors([[5, 6, 7]] * 30 + [[8, 9, 10]] * 30 + [[11, 12, 13]] * 30)
    uncertainty = np.repeat([0.9, 0.8, 0.0], 30)
    drawn = select(vectors, uncertainty, 2)
    assert drawn[0] < 30 <= drawn[1] < 60
    assert sorted(select(vectors, uncertainty, 500)) == list(range(90))
    assert select(vectors, uncertainty, 20, seed=3) == select(vectors, uncertainty, 20, seed=3)
    assert select(vectors[:0], uncertainty[:0], 3) == [] and select(vectors, uncertainty, 0) == []


def test_vectors_are_alike_as_far_as_the_sources_are() -> None:
    rows = [[5, 6, 7, 8, 9, 10], [5, 6, 7, 8, 9, 11], [20, 21, 22, 23, 24, 25], []]
    products = source_vectors(rows) @ source_vectors(rows).T
    assert np.diag(products) == pytest.approx(np.ones(4), abs=1e-5)
    assert products[0, 1] > products[0, 2] + 0.2 and abs(products[0, 2]) < 0.3


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


def test_errors_of_labelling(model: TextGenerator) -> None:
    with pytest.raises(DataError, match="no inputs"):
        to_label(model, ["", " "])
    with pytest.raises(OptionError, match="count"):
        to_label(model, ["ab"], 0)
