"""Processes that train together, of which the memory of one is too short: batches are split, nobody waits for ever."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = """
import json, sys, warnings
warnings.simplefilter("error")
import numpy as np, torch
import torch.distributed as dist
from nbtextgen.data.batching import encode_examples
from nbtextgen.tokenizers.registry import train_tokenizer
from nbtextgen.core.errors import MemoryShortError
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.training.config import TrainingConfig
from nbtextgen.training.distributed import ProcessGroup
from nbtextgen.training.step import Updater
from nbtextgen.training.validation import validation_scores

rank, size, place = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.set_num_threads(1)
if size > 1:
    dist.init_process_group("gloo", init_method=f"file://{place}/meeting", rank=rank, world_size=size)
texts = ["ab" * (1 + number % 7) for number in range(48)]
tokenizer = train_tokenizer(texts, "char")
examples = encode_examples(texts, texts, tokenizer, tokenizer)

def short(*_):
    torch.empty(2**50)  # no machine has that: PyTorch's own error

def trained(most, when):
    '''Weights and losses after five updates, where the memory of the last process holds ``most`` pairs at a time.'''
    torch.manual_seed(3)
    model = Seq2Seq(ModelConfig(hidden_size=12, embedding_size=8, dropout=0.0), tokenizer.size, tokenizer.size)
    config = TrainingConfig(learning_rate=0.01)
    updater = Updater(model, examples, config, torch.device("cpu"), "fp32", ProcessGroup(rank, size))

    def look(module, inputs, output):
        if rank == size - 1 and len(inputs[0]) > most:
            if when == "forward" or not output.requires_grad:
                short()
            output.register_hook(short)

    model.source_embedding.register_forward_hook(look)
    rng, losses, notes = np.random.default_rng(1), [], []
    for number in range(5):
        order = rng.permutation(48)
        done = updater.update([order[:40], order[40:]] if number % 2 else [order], 0.01, 1.0)
        losses.append([done.loss, done.tokens, done.seen])
        notes += updater.notes()
    losses.append([validation_scores(updater, examples).loss, 0, 0])
    weights = torch.cat([value.detach().flatten() for value in model.parameters()])
    return {"weights": weights.tolist(), "losses": losses, "notes": notes}

found = {}
for name, most, when in (("roomy", 99, ""), ("forward", 7, "forward"), ("backward", 3, "backward")):
    found[name] = trained(most, when)
try:
    trained(0, "forward")
except MemoryShortError as error:
    found["hopeless"] = str(error)
with open(f"{place}/found-{size}-{rank}.json", "w") as file:
    json.dump(found, file)
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> dict[str, dict]:
    """What one process found, and each of two."""
    place = tmp_path_factory.mktemp("group")
    (place / "script.py").write_text(SCRIPT)
    members = [(0, 1), (0, 2), (1, 2)]
    root = Path(__file__).parents[2]
    variables = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, str(place / "script.py"), str(rank), str(size), str(place)],
            stderr=subprocess.PIPE,
            text=True,
            env=variables,
        )
        for rank, size in members
    ]
    said = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], "\n".join(said)
    return {
        f"{rank} of {size}": json.loads((place / f"found-{size}-{rank}.json").read_text()) for rank, size in members
    }


@pytest.mark.parametrize("who", ["0 of 1", "0 of 2", "1 of 2"])
@pytest.mark.parametrize("when", ["roomy", "forward", "backward"])
def test_batches_split_to_fit_memory_give_the_same_losses_and_weights(results, who: str, when: str) -> None:
    expected, found = results["0 of 1"]["roomy"], results[who][when]
    torch.testing.assert_close(torch.tensor(found["losses"]), torch.tensor(expected["losses"]), atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(torch.tensor(found["weights"]), torch.tensor(expected["weights"]), atol=1e-4, rtol=1e-3)


def test_split_is_reported_once_by_the_first_process(results) -> None:
    assert results["0 of 2"]["roomy"]["notes"] == []
    for who in ("0 of 1", "0 of 2"):
        for when in ("forward", "backward"):
            (note,) = results[who][when]["notes"]
            assert "did not fit into the memory" in note


def test_every_process_raises_the_same_error_if_not_one_pair_fits(results) -> None:
    said = {found["hopeless"] for found in results.values()}
    assert len(said) == 1
    assert "not enough memory for the training of one pair" in said.pop()
