"""What else could have been written, and the output forced to go on from it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nbtextgen import Pairs, TextGenerator
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.tokenizers.base import EOS

WORDS = ["".join(letters) for letters in itertools.product("abcd", repeat=3)]
REVERSED = Pairs(WORDS, [word[::-1] for word in WORDS])


@pytest.fixture(scope="module", params=[{}, {"copy": True}, {"ensemble": 2}], ids=["one", "copy", "ensemble"])
def model(request) -> TextGenerator:
    settings = {"hidden_size": 16, "embedding_size": 8, "dropout": 0.0, "batch_size": 16, "max_steps": 40, "samples": 0}
    return TextGenerator(**settings, **request.param).fit(REVERSED, callbacks=[])


def test_alternatives_agree_with_decoding(model: TextGenerator) -> None:
    output = model.generate("abc")
    places = model.predictor.alternatives("abc", output.ids, 5)
    assert len(places) == len(output.tokens) + 1
    for place, number, logged in zip(places[:-1], output.ids, output.log_probabilities[:-1], strict=True):
        assert place[0].id == number  # greedy took the likeliest
        assert place[0].probability == pytest.approx(np.exp(logged), abs=1e-5)
        assert [each.probability for each in place] == sorted((each.probability for each in place), reverse=True)


def test_output_continues_from_the_chosen_alternative(model: TextGenerator) -> None:
    output = model.generate("abc")
    for at, place in enumerate(model.predictor.alternatives("abc", output.ids, 3)):
        for beam in (1, 4):
            expected = (*output.ids[:at], place[1].id)
            forced = model.predictor.predict(["abc"], DecodingConfig(beam=beam), expected)[0]
            assert (*forced.ids, EOS)[: at + 1] == expected


def test_the_end_can_be_forced(model: TextGenerator) -> None:
    output = model.generate("abc")
    assert model.predictor.predict(["abc"], DecodingConfig(), (*output.ids[:1], EOS))[0].ids == output.ids[:1]
