"""SIGMORPHON 2020 grapheme-to-phoneme: word error rate on the dev sets, one setting for every language, none tuned.

    .venv/bin/python benchmarks/g2p.py --data DIR/g2p2020 [--languages fre hin kor rum] [--seeds 5] [--jobs 2]

``DIR`` holds ``fre_train.tsv``, ``fre_dev.tsv`` and so on for any language of the task. The defaults of
``TextGenerator`` train on the training file alone (no held-out pairs, no checkpoint chosen on dev), once per seed; each
model is scored with beam 5, then all seeds as an ensemble. Prints a JSON line for each language and the macro averages.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import fmean
from typing import Any


def one_language(data: Path, language: str, seeds: int, options: dict[str, Any]) -> dict[str, Any]:
    """Train, score each model and the ensemble; word error rates in percent."""
    from nbtextgen import Pairs, TextGenerator
    from nbtextgen.inference.predictor import Predictor

    dev = Pairs.of(str(data / f"{language}_dev.tsv"))
    model = TextGenerator(**{"ensemble": seeds, "valid_fraction": 0.0} | options)
    began = time.perf_counter()
    model.fit(str(data / f"{language}_train.tsv"), callbacks=[])
    seconds = time.perf_counter() - began
    whole = model.predictor

    def errors() -> float:
        return 100 - model.evaluate(dev, metrics=["exact"], beam=5)["exact"].value

    single = []
    for network in whole.networks:
        model._predictor = Predictor(whole.source, whole.target, [network], whole.output_length, whole.copy)
        single.append(round(errors(), 2))
    model._predictor = whole
    return {
        "language": language,
        "wer": round(fmean(single), 2),
        "wer_by_seed": single,
        "ensemble": round(errors(), 2) if seeds > 1 else single[0],
        "seconds_per_model": round(seconds / seeds, 1),
        "choices": {name: value for name, value in model.choices.items()},
    }


def main() -> None:
    """Run the languages as processes of one thread each, ``--jobs`` at a time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--languages", nargs="+", default=["fre", "hin", "kor", "rum"])
    parser.add_argument("--seeds", type=int, default=1, help="models per language; more than one: also as an ensemble")
    parser.add_argument("--jobs", type=int, default=2, help="languages trained side by side")
    parser.add_argument("--options", type=json.loads, default={}, help="JSON of settings that replace the defaults")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        result = one_language(chosen.data, chosen.languages[0], chosen.seeds, chosen.options)
        print(json.dumps(result, default=str), flush=True)
        return
    waiting, running, lines = list(chosen.languages), [], []
    command = [sys.executable, __file__, "--inside", "--data", str(chosen.data), "--seeds", str(chosen.seeds)]
    command += ["--options", json.dumps(chosen.options), "--languages"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    while waiting or running:
        while waiting and len(running) < chosen.jobs:
            running.append(subprocess.Popen([*command, waiting.pop(0)], stdout=subprocess.PIPE, env=environment))
        first = running.pop(0)
        output = first.communicate()[0].decode()
        if first.returncode:
            raise SystemExit(f"{first.args} failed")
        print(output, end="", flush=True)
        lines.append(json.loads(output))
    single, ensemble = fmean(line["wer"] for line in lines), fmean(line["ensemble"] for line in lines)
    print(json.dumps({"macro_wer": round(single, 2), "macro_wer_ensemble": round(ensemble, 2), "seeds": chosen.seeds}))


if __name__ == "__main__":
    main()
