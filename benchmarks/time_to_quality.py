"""Time to quality: OpenNMT-py against our defaults on Multi30k en-de, one after another on the same number of threads.

    benchmarks/peer_setup.sh
    .venv/bin/python benchmarks/time_to_quality.py --data DIR/multi30k [--epochs 10] [--threads 2]

OpenNMT-py trains the network of peers.py (8,000 joint BPE types) for ``--epochs`` epochs; after each, its model writes ``val``
with beam 5, off the clock, and its best BLEU (sacrebleu, detokenised, cased) and the wall time of training up to it are taken.
Then ``TextGenerator()`` with default settings gets a third of that time, cutting of tokens included, on the raw text, and
writes the same ``val`` with beam 5. Prints a JSON line for each program and one for the outcome.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from types import SimpleNamespace

import sacrebleu
import torch
from peers import HERE, plain, prepare, run_phase

from nbtextgen import Pairs, TextGenerator


def score(path: Path, references: list[str]) -> float:
    outputs = [plain(line) for line in path.read_text("utf-8").rstrip("\n").split("\n")]
    return round(sacrebleu.corpus_bleu(outputs, [references]).score, 2)


def main() -> None:
    """Run the peer, then ours in a third of its time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train.en, train.de, val.en, val.de")
    parser.add_argument("--work", type=Path, default=HERE / "work", help="where tokens, configurations and models go")
    parser.add_argument("--epochs", type=int, default=10, help="of OpenNMT-py")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--share", type=float, default=1 / 3, help="of the peer's wall time that ours gets")
    parser.add_argument("--seconds", type=float, help="take this as the peer's time and do not run it")
    chosen = parser.parse_args()
    work = chosen.work.resolve()
    prepare(chosen.data, work, 8000)
    references = (work / "val.reference").read_text("utf-8").rstrip("\n").split("\n")
    seconds, best = chosen.seconds, None
    if seconds is None:
        epoch = -(-len((work / "train.en").read_text("utf-8").splitlines()) // 64)
        phase = SimpleNamespace(
            work=work, warmup=1, steps=chosen.epochs * epoch, threads=chosen.threads, sentences=len(references)
        )
        measured = run_phase("onmt", "train_curve", phase)
        if "failed" in measured:
            raise SystemExit(f"OpenNMT-py failed: {measured['failed']}")
        curve = {
            measured["seconds_at"][done]: score(work / f"{name}.out", references)
            for done, name in measured["outputs"].items()
        }
        seconds, best = max(curve.items(), key=lambda item: item[1])
        print(
            json.dumps({"program": "OpenNMT-py", "bleu_at_seconds": curve, "best": best, "seconds": seconds}),
            flush=True,
        )
    torch.set_num_threads(chosen.threads)
    train, val = (Pairs.of((chosen.data / f"{part}.en", chosen.data / f"{part}.de")) for part in ("train", "val"))
    began = time.perf_counter()
    model = TextGenerator(max_minutes=seconds * chosen.share / 60).fit(train, callbacks=[])
    spent = time.perf_counter() - began
    ours = model.evaluate(val, metrics=["bleu"], beam=5)["bleu"].value
    print(json.dumps({"program": "nbtextgen", "bleu": round(ours, 2), "seconds": round(spent, 1)}), flush=True)
    print(
        json.dumps(
            {
                "threads": chosen.threads,
                "share of the peer's time": round(spent / seconds, 3),
                "peer's best": best,
                "ours": round(ours, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
