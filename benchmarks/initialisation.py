"""Initial weights: perplexity on held-out captions after a few hundred updates, for several ways of drawing them.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/initialisation.py --data DATA/multi30k [--hidden 192 256 512] [--updates 300]

``ours`` is what the package does. ``previous`` (commit 74952f1) drew embeddings with a standard deviation of 1/sqrt(width),
input weights by Glorot and Bengio (2010), and left linear layers at PyTorch's defaults. ``uniform:A,E`` draws embeddings from
U(-E, E) and all else from U(-A, A), as OpenNMT-py does with A = E = 0.1. ``gain:NAME=VALUE,...`` changes one of ours: the
standard deviation of embeddings (``embedding``), or the gain of ``inputs``, ``recurrent``, ``attention``, ``combine``.

Prints a JSON line for each: perplexity per token of 500 held-out pairs and processor seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from nbtextgen import Pairs
from nbtextgen.model.initialization import fan_in_normal_
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.pipeline.dataset import prepare_data
from nbtextgen.pipeline.settings import fit_options
from nbtextgen.training.events import Validation
from nbtextgen.training.trainer import Trainer


def previous(network: Seq2Seq) -> None:
    """The weights of commit 74952f1."""
    for name, weight in network.named_parameters():
        if "embedding" in name or name == "output_weight":
            nn.init.normal_(weight, std=weight.shape[1] ** -0.5)
        elif "weight_ih" in name:
            nn.init.xavier_uniform_(weight)
        elif weight.dim() == 2 and "weight_hh" not in name:
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5))


def uniform(network: Seq2Seq, spread: float, embedding_spread: float) -> None:
    """Everything from uniform distributions."""
    for name, weight in network.named_parameters():
        limit = embedding_spread if "embedding" in name else spread
        nn.init.uniform_(weight, -limit, limit)


def gain(network: Seq2Seq, what: str, value: float) -> None:
    """Ours, with one constant changed."""
    parts = {"inputs": "weight_ih", "attention": "attention", "combine": "combine.weight"}
    for name, weight in network.named_parameters():
        if what == "embedding" and "embedding" in name:
            nn.init.normal_(weight, std=value)
        elif what == "recurrent" and "weight_hh" in name:
            weight.data.mul_(value)
        elif what in parts and parts[what] in name and weight.dim() == 2:
            fan_in_normal_(weight, value)


def way(text: str) -> Callable[[Seq2Seq], None]:
    """What to do with a fresh network."""
    name, _, rest = text.partition(":")
    if name == "ours":
        return lambda network: None
    if name == "previous":
        return previous
    if name == "uniform":
        spread, embedding_spread = map(float, rest.split(","))
        return lambda network: uniform(network, spread, embedding_spread)
    what, _, value = rest.partition("=")
    return lambda network: gain(network, what, float(value))


def main() -> None:
    """Train each for the same updates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train.en and train.de")
    parser.add_argument(
        "--hidden", type=int, nargs="+", default=[256], help="hidden sizes; embeddings are half as wide"
    )
    parser.add_argument("--updates", type=int, default=300)
    parser.add_argument("--rate", type=float, default=0.008, help="peak learning rate")
    parser.add_argument("--schedule", default="stable-decay")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--ways", nargs="+", default=["ours", "previous", "uniform:0.1,0.1", "uniform:0.2,0.5"])
    options = parser.parse_args()
    pairs = Pairs.of((options.data / "train.en", options.data / "train.de"))
    defaults = {name: option.default for name, option in fit_options().items()}
    prepared = prepare_data(defaults, pairs)
    data, held = prepared.training_data, prepared.training_data.valid
    assert held is not None
    training = replace(
        prepared.plan.training,
        max_steps=options.updates,
        validate_every=options.updates,
        learning_rate=options.rate,
        schedule=options.schedule,
    )
    for hidden in options.hidden:
        sizes = {"hidden_size": hidden, "embedding_size": hidden // 2, "dropout": options.dropout}
        for text in options.ways:
            torch.manual_seed(training.seed)
            network = Seq2Seq(replace(prepared.plan.model, **sizes), data.source.size, data.target.size)
            with torch.no_grad():
                way(text)(network)
            began = time.process_time()
            trainer = Trainer(network, data.train, held.take(range(500)), training)
            loss = [event.loss for event in trainer.run() if isinstance(event, Validation)][-1]
            figures = {"perplexity": round(math.exp(loss), 2), "seconds": round(time.process_time() - began)}
            print(json.dumps({"weights": text, **sizes, "updates": options.updates, **figures}), flush=True)


if __name__ == "__main__":
    main()
