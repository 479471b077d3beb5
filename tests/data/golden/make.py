"""Write the golden files: small models, runs, an export and a token store, with the outputs they gave when they were made.

Run once, on the code of commit 74952f1, into an empty folder::

    OMP_NUM_THREADS=1 python tests/data/golden/make.py FOLDER

Later code must load what is there, resume the interrupted runs, and give the same outputs. The files in the repository
are never written again; a later format gets a folder of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import platform
import random
import shutil
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from nbtextgen import OnnxGenerator, Pairs, TextGenerator
from nbtextgen.data.batching import CopyMap
from nbtextgen.data.parallel_tokenization import tokenize_pairs
from nbtextgen.pipeline.model_folder import write_tokenizers
from nbtextgen.tokenizers.registry import train_tokenizer
from nbtextgen.training.events import Checkpoint, Event, Started

FACTORS: dict[str, tuple[Any, ...]] = {
    "cell": ("lstm", "gru", "rnn"),
    "attention": ("general", "additive", "multihead", "dot", "none"),
    "tied_embeddings": ("target", "none", "inputs", "all"),
    "encoder_layers": (1, 0, 2),
    "decoder_layers": (1, 2),
    "copy": (False, True),
    "coverage": (False, True),
    "input_feeding": (False, True),
    "bidirectional": (True, False),
    "layer_norm": (False, True),
    "ensemble": (1, 2),
    "tokens": ("char", "word", "symbol", "bpe"),
}
"""Every pair of values of two factors occurs in some model, where a network may have both."""
COMMON = {
    "embedding_size": 6,
    "hidden_size": 8,
    "heads": 2,
    "dropout": 0.1,
    "batch_size": 12,
    "learning_rate": 0.02,
    "precision": "fp32",
    "samples": 0,
    "valid_fraction": 0.0,
}
BEAM = {"beam": 3, "n_best": 2}
SOURCES = ["a b", "c a d", "f e d c", "b b a", "e a c f b", "d f", "a c e b", "f a", "c c", "e d a b", "z a", "d q b"]
TEXT = "the cat sat on the mat and the dog sat on the log. " * 12
SEEN = "the cat sat on the log. the dog"


def pairs(between: str = " ") -> Pairs:
    """Letters to be written in reverse; some sources hold a letter that is met once."""
    draw = random.Random(5)
    words = [[draw.choice("abcdef") for _ in range(draw.randint(2, 5))] for _ in range(46)]
    words += [["z", "a", "b"], ["c", "q"]]
    return Pairs([between.join(word) for word in words], [between.join(reversed(word)) for word in words])


def allowed(row: dict[str, Any]) -> bool:
    """Whether a network may have these options."""
    pointing = row.get("copy") or row.get("coverage")
    return not (row.get("attention") == "none" and pointing)


def covering() -> list[dict[str, Any]]:
    """Options of few models that have every allowed pair of values; greedy, the same every time."""
    draw = random.Random(7)
    left = {
        ((one, this), (two, that))
        for one, two in itertools.combinations(FACTORS, 2)
        for this in FACTORS[one]
        for that in FACTORS[two]
        if allowed({one: this, two: that})
    }
    found = []
    while left:
        best, most = {}, -1
        for _ in range(200):
            row = dict(draw.choice(sorted(left, key=str)))
            for name in draw.sample(list(FACTORS), len(FACTORS)):
                if name not in row:
                    fits = [value for value in FACTORS[name] if allowed({**row, name: value})]
                    row[name] = max(fits, key=lambda value: _gain({**row, name: value}, left) + draw.random())  # noqa: B023
            gain = _gain(row, left)
            if gain > most:
                best, most = row, gain
        left -= set(_pairs_of(best))
        found.append({name: best[name] for name in FACTORS})
    return found


def _pairs_of(row: dict[str, Any]) -> list[tuple[tuple[str, Any], tuple[str, Any]]]:
    return [
        ((one, row[one]), (two, row[two])) for one, two in itertools.combinations(FACTORS, 2) if {one, two} <= set(row)
    ]


def _gain(row: dict[str, Any], left: set[Any]) -> int:
    return len(left.intersection(_pairs_of(row)))


def outputs(model: Any, sources: list[str]) -> list[dict[str, Any]]:
    """What a model writes, greedily and with a beam."""
    found = []
    for greedy, beam in zip(model.generate(sources), model.generate(sources, **BEAM), strict=True):
        row = {"source": greedy.source, "greedy": _plain(greedy)}
        found.append({**row, "beam": [_plain(each) for each in beam.candidates]})
    return found


def _plain(generation: Any) -> dict[str, Any]:
    logs = [round(float(each), 5) for each in generation.log_probabilities]
    return {"text": generation.text, "log_probabilities": logs, "score": round(float(generation.score), 5)}


def texts(rows: list[dict[str, Any]]) -> list[list[str]]:
    """The texts alone."""
    return [[row["greedy"]["text"], *(each["text"] for each in row["beam"])] for row in rows]


def sure(model: TextGenerator) -> list[dict[str, Any]]:
    """Outputs for three sources that stay the same when all weights change a little, as they may on other processors."""
    changed = TextGenerator()
    changed.__dict__ |= {**model.__dict__, "_writer": deepcopy(model.predictor)}
    noise = torch.Generator().manual_seed(1)
    for network in changed.predictor.networks:
        for parameter in network.parameters():
            parameter.data *= 1 + 1e-4 * torch.randn(parameter.shape, generator=noise)
    sources = [text.replace(" ", "") for text in SOURCES] if model.plan.tokenizer.source_tokens == "char" else SOURCES
    here, there = outputs(model, sources), outputs(changed, sources)
    same = [row for row, one, two in zip(here, texts(here), texts(there), strict=True) if one == two]
    assert len(same) >= 3, "too few outputs that are certain"
    return same[-3:]


def digest(model: TextGenerator) -> str:
    """SHA-256 of all weights."""
    found = hashlib.sha256()
    for network in model.predictor.networks:
        for name, tensor in sorted(network.named_parameters()):
            found.update(name.encode() + tensor.detach().numpy().tobytes())
    return found.hexdigest()


def made_with() -> dict[str, str]:
    """What the last bits of a result depend on."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "torch": torch.__version__,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "processor": names[0].partition(":")[2].strip() if names else platform.processor(),
    }


class Killed(Exception):
    """Stands for the end of the process."""


def killer(at: int, network: int):
    """A callback that ends training at the checkpoint after update ``at`` of the n-th network."""
    started = []

    def listen(event: Event) -> None:
        if isinstance(event, Started):
            started.append(event)
        if isinstance(event, Checkpoint) and event.step >= at and len(started) == network:
            raise Killed

    return listen


RUNS: dict[str, tuple[dict[str, Any], int, int]] = {
    # Options, and where training is interrupted: after which update of which network.
    "interrupted": (
        {"average": "ema", "ema_decay": 0.9, "optimizer": "adamw", "weight_decay": 0.01, "accumulate": 2}, 7, 1
    ),
    "interrupted-second": (
        {"ensemble": 2, "optimizer": "sgd", "learning_rate": 0.2, "schedule": "plateau", "average": "last"}
        | {"average_last": 2, "cell": "gru", "attention": "additive", "copy": True, "teacher_forcing": 0.7},
        5,
        2,
    ),
}  # fmt: skip
"""Runs that were killed; both in the middle of an epoch."""
OF_RUNS = COMMON | {"tokens": "char", "epochs": 4, "valid_fraction": 0.2, "batch_size": 8, "checkpoint_seconds": 0.0}


def main(folder: Path) -> None:
    """Make everything."""
    torch.set_num_threads(1)
    expected: dict[str, Any] = {"made_with": made_with(), "models": {}, "runs": {}}
    for number, row in enumerate(covering(), 1):
        options: dict[str, Any] = {**COMMON, **row, "shared_vocabulary": row["tied_embeddings"] in ("inputs", "all")}
        name, data = f"{number:02}", pairs("" if row["tokens"] == "char" else " ")
        for seed in range(1, 40):
            model = TextGenerator(**options, epochs=9, seed=seed).fit(data, callbacks=[])
            try:
                rows = sure(model)
            except AssertionError:
                continue
            break
        else:
            raise SystemExit(f"no seed gives model {name} ({row}) three certain outputs")
        model.save(folder / "models" / name)
        expected["models"][name] = {**row, "perplexity": round(model.perplexity(data[:10]), 5), "outputs": rows}
        if row["copy"] and row["ensemble"] == 2 and "onnx" not in expected:
            model.export("onnx", folder / "onnx")
            found = outputs(OnnxGenerator.load(folder / "onnx", threads=1), [each["source"] for each in rows])
            assert texts(found) == texts(rows)
            expected["onnx"] = name
        print(name, row, texts(rows)[0])

    poet = TextGenerator(context=12, window=24, tokens="char", **{**COMMON, "batch_size": 4, "epochs": 6})
    poet.fit_text(TEXT, callbacks=[])
    poet.save(folder / "models" / "text")
    expected["text"] = {
        "seen": SEEN,
        "bits": round(poet.bits_per_character(SEEN), 5),
        "next": [
            [one.text, round(one.probability, 5)] for one in poet.predictor.alternatives("the cat sat ", [], 3)[0]
        ],
    }

    data = pairs("")
    finished = TextGenerator(**OF_RUNS).fit(data, callbacks=[], run=folder / "folders" / "finished")
    expected["runs"]["finished"] = {"sha256": digest(finished), "outputs": sure(finished)}
    for name, (options, at, network) in RUNS.items():
        options = OF_RUNS | options
        straight = TextGenerator(**options).fit(data, callbacks=[])
        with contextlib.suppress(Killed):
            TextGenerator(**options).fit(data, callbacks=[killer(at, network)], run=folder / "folders" / name)
        shutil.copytree(folder / "folders" / name, folder / "copy")
        assert digest(TextGenerator.resume(folder / "copy", callbacks=[])) == digest(straight)
        shutil.rmtree(folder / "copy")
        expected["runs"][name] = {"sha256": digest(straight), "outputs": sure(straight)}
        straight.save(folder / "ends" / name)
    for lock in (folder / "folders").glob("*/lock"):
        lock.unlink()

    data = pairs()
    side = train_tokenizer([*data.sources, *data.targets], "word")
    tokenize_pairs(data[:12], folder / "store", side, side, CopyMap(side, side), key="golden", max_length=7, workers=1)
    (folder / "store-tokenizers").mkdir()
    write_tokenizers(folder / "store-tokenizers", side, side)
    lines = [f" {json.dumps(key)}: {_lines(value)}" for key, value in expected.items()]
    (folder / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _lines(value: Any) -> str:
    """JSON with one line for each model or run."""
    if not isinstance(value, dict) or not all(isinstance(each, dict) for each in value.values()):
        return json.dumps(value, ensure_ascii=False)
    rows = [f"  {json.dumps(key)}: {json.dumps(each, ensure_ascii=False)}" for key, each in value.items()]
    return "{\n" + ",\n".join(rows) + "\n }"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
