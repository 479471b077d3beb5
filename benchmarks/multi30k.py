"""Multi30k English to German: BLEU on ``val`` (sacrebleu's defaults, cased, beam 5) against the training time.

    .venv/bin/python benchmarks/multi30k.py --data DIR/multi30k [--minutes 30] [--options '{"hidden_size": 512}']

Default settings on the raw, untokenised training pairs; a tenth, at most 1,000 of them, held out to choose the checkpoint,
``val`` only scored at the end. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

from nbtextgen import Pairs, TextGenerator


def main() -> None:
    """Train once and score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train.en, train.de, val.en, val.de")
    parser.add_argument("--minutes", type=float, default=30.0, help="training time allowed")
    parser.add_argument("--options", type=json.loads, default={}, help="JSON of settings that replace the defaults")
    parser.add_argument("--save", type=Path, help="folder to keep the model in")
    chosen = parser.parse_args()
    train, val = (Pairs.of((chosen.data / f"{part}.en", chosen.data / f"{part}.de")) for part in ("train", "val"))
    began, worked = time.perf_counter(), time.process_time()
    model = TextGenerator(**({"max_minutes": chosen.minutes} | chosen.options)).fit(train)
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    if chosen.save:
        model.save(chosen.save)
    beam = model.evaluate(val, metrics=["bleu", "chrf"], beam=5)
    greedy = model.evaluate(val, metrics=["bleu"])
    figures = {"bleu": beam["bleu"].value, "low": beam["bleu"].low, "high": beam["bleu"].high}
    figures |= {"greedy_bleu": greedy["bleu"].value, "chrf": beam["chrf"].value}
    figures |= {
        "train_minutes": round(seconds / 60, 1),
        "processor_minutes": round(processor / 60, 1),
        "threads": torch.get_num_threads(),
        **model.choices,
    }
    print(json.dumps(figures, default=str), flush=True)


if __name__ == "__main__":
    main()
