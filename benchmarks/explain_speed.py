"""What explanations cost: exact Shapley values against the bare forward passes and against plain use of ``shap``.

    python benchmarks/explain_speed.py [--hidden 256] [--vocabulary 8000] [--repeat 5]

Prints one table. All timings run in turn on the same untrained model (weights do not matter for time), median of
``--repeat``. Processor seconds of this process, so that whatever else runs on the machine does not count; the fresh-kernel
figures start a new Python each.
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nbtextgen import Pairs, TextGenerator
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.explanation.explainer import Explainer
from nbtextgen.explanation.shapley import exact, power_set
from nbtextgen.notebook.explain.panel import ExplanationPanel

UNITS, OUTPUTS = 10, 10


def model(hidden: int, vocabulary: int) -> TextGenerator:
    """One update is enough: what counts is the size."""
    rng = random.Random(1)
    words = [f"w{number}" for number in range(vocabulary - 5)]
    rows = [" ".join(words[start : start + 50]) for start in range(0, len(words), 50)]
    rows += [" ".join(rng.choices(words, k=UNITS)) for _ in range(200)]
    options = {"hidden_size": hidden, "embedding_size": hidden // 2, "tokens": "word", "max_steps": 1, "samples": 0}
    return TextGenerator(**options, source_masking=0.1, valid_fraction=0.0).fit(Pairs(rows, rows), callbacks=[])


def median(work: Callable[[], object], repeat: int) -> float:
    """Processor seconds, after a first call that does not count."""
    work()
    seconds = []
    for _ in range(repeat):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return statistics.median(seconds)


def explainer(trained: TextGenerator, units: int = UNITS, **options: Any) -> Explainer:
    """A fresh one, that remembers nothing."""
    source = " ".join(f"w{number}" for number in range(units))
    target = " ".join(f"w{number}" for number in range(100, 100 + OUTPUTS - 1))
    config = ExplanationConfig(target=target, missing="mask", faithfulness=False, **options)
    return Explainer(trained.predictor, source, config)


def bare(trained: TextGenerator) -> Callable[[], object]:
    """The forward passes alone: ``Seq2Seq.log_probabilities`` on every masked copy, in batches of 256."""
    asked = explainer(trained)
    masked = torch.from_numpy(asked.value.removal(power_set(UNITS)).ids)
    target = torch.tensor([[2, *asked.subject.output.ids.tolist()]])
    network = trained.predictor.networks[0]

    @torch.inference_mode()
    def run() -> None:
        for rows in masked.split(256):
            network.log_probabilities(rows, target.expand(len(rows), -1))

    return run


def plain_shap(trained: TextGenerator) -> Callable[[], object]:
    """As the documentation of ``shap`` shows: one output token at a time, the model called on what the explainer hands over."""
    import shap

    asked = explainer(trained)
    target = torch.tensor([[2, *asked.subject.output.ids.tolist()]])
    network = trained.predictor.networks[0]

    def masker(mask: np.ndarray, row: np.ndarray) -> np.ndarray:
        return (mask * row)[None]

    def score(index: int) -> Callable[[np.ndarray], np.ndarray]:
        @torch.inference_mode()
        def call(rows: np.ndarray) -> np.ndarray:
            ids = torch.from_numpy(asked.value.removal(rows > 0.5).ids)
            return network.log_probabilities(ids, target.expand(len(ids), -1))[:, index].numpy()

        return call

    def run() -> None:
        for index in range(OUTPUTS):
            shap.explainers.Exact(score(index), masker)(np.ones((1, UNITS)), silent=True)

    return run


def fresh(folder: Path, code: str) -> float:
    """Processor seconds from asking to the answer in a new Python that has loaded the model already."""
    script = (
        f"import time; from nbtextgen import TextGenerator; m = TextGenerator.load({str(folder)!r}); m.generate('w1');"
        f"t = time.process_time(); {code}; print(time.process_time() - t)"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    return float(out.split()[-1])


PLAIN_FRESH = (
    "import shap, numpy as np; f = lambda rows: (rows.sum(1, keepdims=True) + rows[:, :1]); "
    "shap.explainers.Exact(f, lambda mask, row: (mask * row)[None])(np.ones((1, 8)))"
)


def main() -> None:
    """Measure everything in one run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--vocabulary", type=int, default=8000)
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args()
    trained = model(args.hidden, args.vocabulary)
    torch.set_num_threads(1)  # one thread: processor time is then the time it takes on an idle machine
    print(
        f"hidden {args.hidden}, vocabulary {args.vocabulary}, {UNITS} units, {OUTPUTS} output tokens, "
        f"{torch.get_num_threads()} threads"
    )
    ours = median(lambda: exact(explainer(trained).value, UNITS), args.repeat)
    forward = median(bare(trained), args.repeat)
    print(f"exact {ours:.3f} s, bare {forward:.3f} s", flush=True)
    sampling = {"algorithm": "permutation", "budget": 1000}
    joint, alone = (
        median(lambda prefix=prefix: explainer(trained, prefix=prefix, **sampling).explain("shap"), args.repeat)
        / explainer(trained, prefix=prefix, **sampling).explain("shap").evaluations
        for prefix in (True, False)
    )
    plain = median(plain_shap(trained), 1)
    text = " ".join(f"w{number}" for number in range(UNITS))
    first = median(lambda: _first_answer(trained, text), args.repeat)
    with tempfile.TemporaryDirectory() as place:
        folder = trained.save(Path(place) / "model")
        kernel = fresh(folder, "m.explain('w1 w2 w3 w4 w5 w6 w7 w8', faithfulness=False, target='w1 w2 w3')")
        theirs = fresh(folder, PLAIN_FRESH)
    rows = [
        ("bare forward passes", forward, ""),
        ("exact Shapley, all outputs", ours, f"{ours / forward:.2f} x the bare passes (at most 1.3)"),
        ("plain shap, output by output", plain, f"ours is 1/{plain / ours:.1f} of it (at most 1/10)"),
        ("1,000 copies, source and output", 1000 * joint, f"{joint / alone:.2f} x 1,000 copies of the source alone"),
        ("panel: attention and gradients", first, "at most 0.2 s"),
        ("fresh kernel, exact for 8 units", kernel, "at most 3 s"),
        ("fresh kernel, plain shap", theirs, "import and compilation, 8 units of a game that costs nothing"),
    ]
    for name, seconds, remark in rows:
        print(f"{name:<34}{seconds:9.3f} s   {remark}")


def _first_answer(trained: TextGenerator, text: str) -> None:
    panel = ExplanationPanel.of(trained, text, target=" ".join(f"w{number}" for number in range(100, 109)))
    panel.cancel()


if __name__ == "__main__":
    main()
