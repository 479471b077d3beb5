"""Do the training rows behind an output include the wrong ones, and do they foretell what retraining without them does?

    python benchmarks/influence.py [--parts planted lds time] [--models 32] [--minutes 25]

planted: one per cent of the pairs are made wrong by one rule (built-in dates: "agosto" becomes February; pronunciation: "K S" in words
    with an x becomes "Z"). For outputs that the rule spoilt, the share of wrong pairs among the first ten rows, for the wrong token
    and for the whole output.
lds: linear datamodeling score (Park et al. 2023, sec. 2.3): models are trained on random halves of 1,000 dates; the rank correlation, over
    these models, of the sum of influences of the pairs that were kept and the log-probability of a held-out target.
time: processor time of the index of 30,000 pairs of dates and of a query, and of an epoch of training.

Compared: ``gradients`` and ``states`` of ``training_rows``, Captum's TracIn (TracInCPFast on the output layer, final weights), similarity of
sources by edit distance, and random order. One thread; training counts epochs, so other work on the machine changes no result.
"""

from __future__ import annotations

import argparse
import random
import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import torch
from captum.influence import TracInCPFast
from rapidfuzz.distance import Levenshtein
from scipy.stats import spearmanr

from nbtextgen import Generation, Pairs, TextGenerator
from nbtextgen.data.batching import Examples, encode_examples, padded_batches
from nbtextgen.data.builtin import builtin_rows
from nbtextgen.inference.predictor import Predictor
from nbtextgen.influence.index import InfluenceIndex
from nbtextgen.pipeline.dataset import prepare_data
from nbtextgen.tokenizers.base import PAD

Rows = Sequence[tuple[str, str]]
FIRST = 10
"""Rows that a user looks at."""
QUERIES = 40
"""Most spoilt outputs."""
STARTED = time.monotonic()


def encoded(predictor: Predictor, rows: Rows) -> Examples:
    """Token ids of pairs."""
    sources, targets = [source for source, _ in rows], [target for _, target in rows]
    return encode_examples(sources, targets, predictor.source, predictor.target, predictor.copy)


class OutputLayerTracIn:
    """Captum's TracIn for the output layer and the final weights, with every target token as an example."""

    def __init__(self, predictor: Predictor, rows: Rows) -> None:
        self.network, self.predictor = predictor.networks[0], predictor
        self.layer = torch.nn.Linear(self.network.output_weight.shape[1], self.network.vocabulary_size)
        self.layer.weight.data.copy_(self.network.output_weight.data)
        self.layer.bias.data.copy_(self.network.output_bias.data)
        self.rows, self.count = self._states(rows)[0], len(rows)
        _, states, targets = self._states(rows)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.tracin = TracInCPFast(
                torch.nn.Sequential(self.layer),
                self.layer,
                torch.utils.data.TensorDataset(states, targets),
                checkpoints=["final"],
                checkpoints_load_func=lambda model, path: 1.0,
                loss_fn=torch.nn.CrossEntropyLoss(reduction="sum"),
                batch_size=4096,
            )

    def _states(self, rows: Rows) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Row, decoder state and id of every target token."""
        parts = list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]()
        with torch.inference_mode():
            for indices, source, target, _ in padded_batches(
                encoded(self.predictor, rows), batch_tokens=8192, batch_size=256
            ):
                ids = torch.as_tensor(target)
                decoded, _ = self.network(torch.as_tensor(source), ids[:, :-1])
                real = ids[:, 1:] != PAD
                parts.append((torch.as_tensor(indices)[real.nonzero()[:, 0]], decoded.hidden[real], ids[:, 1:][real]))
        row, hidden, targets = (torch.cat(part) for part in zip(*parts, strict=True))
        return row, hidden.clone(), targets.clone()

    def __call__(self, row: tuple[str, str], step: int | None) -> np.ndarray:
        """Influence of every training row on one output, or on one of its tokens."""
        _, states, targets = self._states([row])
        if step is not None:
            states, targets = states[step : step + 1], targets[step : step + 1]
        scores = self.tracin.influence((states, targets)).detach().sum(0)
        return torch.zeros(self.count).index_add_(0, self.rows, scores).numpy()


def methods(model: TextGenerator, rows: Rows) -> dict[str, Callable[[tuple[str, str], int | None], np.ndarray]]:
    """Every method as a function of a pair and a step of its target (or ``None``) to influences of all rows."""
    predictor, draw = model.predictor, np.random.default_rng(0)
    index = InfluenceIndex(predictor.networks, encoded(predictor, rows))

    def ours(method: str) -> Callable[[tuple[str, str], int | None], np.ndarray]:
        return lambda row, step: index.influence(encoded(predictor, [row]), None if step is None else [step], method)

    return {
        "gradients": ours("gradients"),
        "states": ours("states"),
        "Captum TracIn": OutputLayerTracIn(predictor, rows),
        "edit distance": lambda row, _: np.array(
            [Levenshtein.normalized_similarity(row[0], source) for source, _ in rows]
        ),
        "random": lambda row, _: draw.random(len(rows)),
    }


# Planted wrong pairs --------------------------------------------------------------------------------------------------


def spoilt_dates(model: TextGenerator, held: Rows) -> list[tuple[Generation, int]]:
    """Outputs with the wrong month, and the token of the month that is wrong."""
    right = [(source, target) for source, target in held if "agosto" in source.lower()]
    outputs = model.generate([source for source, _ in right])
    pairs = zip(outputs, right, strict=True)
    return [(output, 6) for output, (_, target) in pairs if output.text == target[:5] + "02" + target[7:]]


def spoilt_phones(model: TextGenerator, held: Rows) -> list[tuple[Generation, int]]:
    """Outputs with a Z in the place of K S, and its token."""
    right = [
        (source, target) for source, target in held if "x" in source and "K S" in target and "Z" not in target.split()
    ]
    outputs = model.generate([source for source, _ in right])
    return [
        (output, output.tokens.index("Z")) for output in outputs if "Z" in output.tokens and "K S" not in output.text
    ]


def planted(task: str) -> None:
    """Train on data with one per cent of wrong pairs; print the share of them among the first ten rows."""
    dates = task == "dates"
    count, epochs = (4000, 12) if dates else (12_000, 14)
    rows = builtin_rows(task, count + (3000 if dates else 6000), seed=1)
    train, held = rows[:count], rows[count:]
    spoil = (lambda text: text[:5] + "02" + text[7:]) if dates else (lambda text: text.replace("K S", "Z"))
    word = "agosto" if dates else "x"
    candidates = [
        row for row, (source, target) in enumerate(train) if word in source.lower() and spoil(target) != target
    ]
    wrong = set(random.Random(0).sample(candidates, min(len(candidates), count // 100)))
    data = [(source, spoil(target) if row in wrong else target) for row, (source, target) in enumerate(train)]
    began = time.process_time()
    settings = {"hidden_size": 96 if dates else 128, "embedding_size": 48 if dates else 64, "batch_size": 32}
    model = TextGenerator(**settings, epochs=epochs, threads=1, samples=0, valid_fraction=0.03, seed=1).fit(
        data, callbacks=[]
    )
    print(f"planted, {task}: {len(wrong)} of {count:,} pairs wrong, {len(candidates) - len(wrong)} of the same kind right; "
          f"training {time.process_time() - began:.0f} s", flush=True)  # fmt: skip
    spoilt = (spoilt_dates if dates else spoilt_phones)(model, held)[:QUERIES]
    for name, influence in methods(model, data).items():
        shares = {"token": list[float](), "whole output": list[float]()}
        for output, step in spoilt:
            for part, chosen in (("token", step), ("whole output", None)):
                first = np.argsort(-influence((output.source, output.text), chosen), kind="stable")[:FIRST]
                shares[part].append(float(np.mean([row in wrong for row in first.tolist()])))
        shown = "; ".join(f"{part} {np.mean(each):.3f} (at least one {np.mean([share > 0 for share in each]):.2f})"
                          for part, each in shares.items())  # fmt: skip
        print(
            f"planted, {task}, {len(spoilt)} spoilt outputs, {name:<14} share wrong of the first ten: {shown}",
            flush=True,
        )


# Retraining -----------------------------------------------------------------------------------------------------------


def retraining(models: int, minutes: float) -> None:
    """Train on random halves; print the linear datamodeling score of every method."""
    rows = builtin_rows("dates", 1060, seed=5)
    train, held = rows[:1000], rows[1000:]
    targets = Pairs([source for source, _ in held], [target for _, target in held])
    settings = {
        "hidden_size": 64,
        "embedding_size": 32,
        "batch_size": 32,
        "learning_rate": 0.003,
        "valid_fraction": 0.0,
    }
    settings |= {"threads": 1, "samples": 0, "seed": 1}
    whole = TextGenerator(**settings, epochs=8).fit(train, callbacks=[])
    sums = {
        name: np.stack([influence(row, None) for row in held], 1) for name, influence in methods(whole, train).items()
    }
    kept, logs = list[np.ndarray](), list[np.ndarray]()
    for number in range(models):
        half = np.zeros(len(train), bool)
        half[np.random.default_rng(number).permutation(len(train))[: len(train) // 2]] = True
        pairs = [row for row, is_kept in zip(train, half, strict=True) if is_kept]
        logs.append(TextGenerator(**settings, epochs=16).fit(pairs, callbacks=[]).log_probabilities(targets))
        kept.append(half)
        if time.monotonic() - STARTED > 60 * minutes:
            print(f"stopped by --minutes after {number + 1} models")
            break
    actual, halves = np.stack(logs), np.stack(kept).astype(float)
    for name, influences in sums.items():
        scores = [spearmanr(halves @ influences[:, query], actual[:, query]).statistic for query in range(len(held))]
        error = np.std(scores) / len(scores) ** 0.5
        print(f"linear datamodeling score, {len(actual)} models, {len(held)} outputs, {name:<14} {np.mean(scores):+.3f} "
              f"(standard error {error:.3f})", flush=True)  # fmt: skip


# Time -----------------------------------------------------------------------------------------------------------------


def clock() -> None:
    """Print the processor time of an epoch, of the index and of queries, for 30,000 pairs."""
    rows = builtin_rows("dates", 30_000, seed=1)
    settings = {"threads": 1, "samples": 0, "valid_fraction": 0.0, "precision": "fp32"}
    planned = prepare_data(TextGenerator(**settings).get_params(), rows).plan
    hidden = planned.model.hidden_size
    began = time.process_time()
    model = TextGenerator(**settings, hidden_size=hidden, epochs=1).fit(rows, callbacks=[])
    epoch = time.process_time() - began
    began = time.process_time()
    model.training_rows("4 agosto 1990")
    index = time.process_time() - began
    seconds = list[float]()
    for source in [source for source, _ in rows[:20]]:
        output = model.generate(source)
        began = time.process_time()
        model.training_rows(output)
        seconds.append(time.process_time() - began)
    epochs = planned.training.epochs or 1
    print(f"time, 30,000 pairs of dates, hidden size {hidden}: epoch {epoch:.1f} s, default {epochs} epochs; index {index:.1f} s = "
          f"{100 * index / (epoch * epochs):.1f} % of the training; query {np.median(seconds):.2f} s (median), "
          f"{max(seconds):.2f} s at most", flush=True)  # fmt: skip


def main() -> None:
    """Run the parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=("planted", "lds", "time"), default=["planted", "lds", "time"])
    parser.add_argument("--models", type=int, default=32, help="models trained on halves")
    parser.add_argument("--minutes", type=float, default=25, help="no further model on a half is trained after this")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if "planted" in args.parts:
        planted("dates")
        planted("pronunciation")
    if "lds" in args.parts:
        retraining(args.models, args.minutes)
    if "time" in args.parts:
        clock()


if __name__ == "__main__":
    main()
