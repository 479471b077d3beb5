"""Long sources and outputs are decoded in bounded memory, and their outputs stay the same."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from nbtextgen.decoding import batch, search
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.decoding.search import decode
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.seq2seq import Seq2Seq

GROWTH = """
import resource, sys
import torch
from nbtextgen.decoding import batch, search
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.seq2seq import Seq2Seq

beam, steps = map(int, sys.argv[1:])
torch.set_num_threads(1)
batch.MAX_KEPT_ATTENTION = search.MAX_KEPT_ATTENTION = 1 << 21
model = Seq2Seq(ModelConfig(embedding_size=8, hidden_size=8, attention="dot"), 20, 16).eval()
with torch.no_grad():
    model.output_bias[3] = -50.0
source = torch.randint(5, 20, (1, 50_000))
peaks = []
for limit in (30, steps):  # the first is still kept
    [[one]] = search.decode(model, source, DecodingConfig(beam=beam), max_length=[limit])
    assert len(one.ids) == limit
    assert (one.attention is None) == (limit > 40)
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
print(peaks[1] - peaks[0])
"""


@pytest.mark.parametrize(("beam", "steps"), [(1, 500), (2, 300)])
def test_memory_is_bounded_for_a_long_source_and_output(beam: int, steps: int) -> None:
    script = GROWTH.replace("(30, steps)", "(15, steps)") if beam > 1 else GROWTH
    actual = subprocess.run(
        [sys.executable, "-c", script, str(beam), str(steps)], capture_output=True, text=True, check=True
    )
    assert float(actual.stdout) < 40  # MB; all attention would be 100 MB or more


def rows(lengths: list[int]) -> torch.Tensor:
    return pad_sequence([torch.randint(5, 20, (length,)) for length in lengths], batch_first=True)


@pytest.mark.parametrize("beam", [1, 3])
def test_attention_beyond_the_bound_is_dropped_and_nothing_else_changes(
    beam: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    model, source = Seq2Seq(ModelConfig(embedding_size=8, hidden_size=12), 20, 16).eval(), rows([30, 25, 20, 6, 5, 4])
    limits, config = [20, 20, 20, 4, 4, 4], DecodingConfig(beam=beam, batch_size=3)
    model.output_bias.data[3] = -10.0  # no output ends before its limit
    expected = decode(model, source, config, max_length=limits)
    monkeypatch.setattr(batch, "MAX_KEPT_ATTENTION", 300)
    actual = decode(model, source, config, max_length=limits)
    assert [[output.ids for output in each] for each in actual] == [
        [output.ids for output in each] for each in expected
    ]
    kept = [each[0].attention for each in actual]
    assert any(output is None for output in kept)
    for output, other in zip(kept, expected, strict=True):
        if output is not None:
            np.testing.assert_allclose(output, other[0].attention, atol=1e-5)


def test_coverage_penalty_does_not_need_the_attention_that_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(4)
    model, source = Seq2Seq(ModelConfig(embedding_size=8, hidden_size=12), 20, 16).eval(), rows([30, 12, 7, 5, 3])
    config = DecodingConfig(beam=3, n_best=3, coverage_penalty=0.4, batch_size=2)
    expected = decode(model, source, config, max_length=[20] * 5)
    monkeypatch.setattr(batch, "MAX_KEPT_ATTENTION", 10)
    actual = decode(model, source, config, max_length=[20] * 5)
    assert all(output.attention is None for each in actual for output in each)
    scores = [[output.score for output in each] for each in actual]
    assert scores == [[output.score for output in each] for each in expected]
    plain = decode(model, source, replace(config, coverage_penalty=0.0), max_length=[20] * 5)
    assert scores != [[output.score for output in each] for each in plain]


def test_coverage_penalty_changes_nothing_without_attention() -> None:
    torch.manual_seed(5)
    model = Seq2Seq(ModelConfig(embedding_size=8, hidden_size=12, attention="none"), 20, 16).eval()
    source = rows([9])
    scores = [
        [output.score for output in decode(model, source, config, max_length=[6])[0]]
        for config in (DecodingConfig(beam=4, n_best=4, coverage_penalty=penalty) for penalty in (0.0, 0.4))
    ]
    assert scores[0] == scores[1]


def test_long_sources_are_decoded_fewer_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(2)
    model, source = Seq2Seq(ModelConfig(embedding_size=8, hidden_size=12), 20, 16).eval(), rows([40, 20, 9, 8, 7, 6, 5])
    expected = decode(model, source, DecodingConfig(batch_size=4), max_length=[8] * 7)
    sizes, start = [], model.start
    monkeypatch.setattr(model, "start", lambda part, *rest: sizes.append(part.shape) or start(part, *rest))
    monkeypatch.setattr(search, "MAX_BATCH_TOKENS", 40)
    actual = decode(model, source, DecodingConfig(batch_size=4), max_length=[8] * 7)
    assert [each[0].ids for each in actual] == [each[0].ids for each in expected]
    assert all(count * length <= 40 for count, length in sizes) and max(count for count, _ in sizes) == 4
