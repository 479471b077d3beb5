"""On a graphics card: training tokens a second, as a share of what the card can do, and beam-5 sentences a second.

    python benchmarks/gpu.py                              # built-in pairs; or --data DIR/multi30k
    python benchmarks/gpu.py --peers onmt yoyodyne        # those set up by benchmarks/peer_setup.sh, on the same tokens

Measures there first the rate of matrix products (fp32, bf16) and the memory bandwidth; then training at several batch
sizes in both precisions, with the arithmetic an update needs (multiply and add count two, backward is twice forward) over
its time, as a share of the matrix peak, and the bytes it cannot avoid (weights, gradients and two moments, read and
written once, and the activations' inputs to the output layer) as a share of the bandwidth; then beam search. Without a card
it says so and measures nothing. ``--device cpu`` tries the script out; its figures say nothing about cards.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from nbtextgen import Pairs, TextGenerator, builtin
from nbtextgen.training.events import Event, Started, Step

HERE = Path(__file__).resolve().parent
BATCHES = (64, 256, 1024)


def wait(device: str) -> None:
    """Until the card has done everything."""
    if device == "cuda":
        torch.cuda.synchronize()


def best_seconds(work: Callable[[], Any], device: str, times: int = 10) -> float:
    """Seconds of the fastest of some calls."""
    found = []
    for _ in range(times + 2):
        wait(device)
        began = time.perf_counter()
        work()
        wait(device)
        found.append(time.perf_counter() - began)
    return min(found[2:])


def limits(device: str, size: int) -> dict[str, float]:
    """Matrix-product peak (FLOP/s) by precision, and bandwidth (bytes/s, read and write counted)."""
    found = {}
    for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        one = torch.randn(size, size, device=device).to(kind)
        found[name] = 2 * size**3 / best_seconds(lambda one=one: one @ one, device)
    large = torch.empty(size * size * 8, device=device)
    other = torch.empty_like(large)
    found["bandwidth"] = 2 * large.numel() * 4 / best_seconds(lambda: other.copy_(large), device)
    return found


def flops_a_token(model: TextGenerator) -> float:
    """Arithmetic of training for a source or target token, half of them each: six times the weights it is multiplied by."""
    network = model.writer.networks[0]
    sides = {"encoder": 0, "decoder": 0}
    for name, weight in network.named_parameters():
        if weight.dim() == 2 and "embedding" not in name and "output_weight" not in name:
            sides["encoder" if name.startswith("encoder") or ".key" in name else "decoder"] += weight.numel()
    return 6 * (sides["encoder"] + sides["decoder"] + network.output_weight.numel()) / 2


def trained(
    pairs: Pairs, precision: str, batch: int, seconds: float, device: str
) -> tuple[TextGenerator, dict[str, Any]]:
    """Train for a while; gives tokens a second after the first quarter, and updates a second."""
    heard: list[Event] = []
    model = TextGenerator(
        tokens="bpe",
        vocabulary_size=8000,
        hidden_size=512,
        embedding_size=256,
        encoder_layers=2,
        dropout=0.2,
        batch_size=batch,
        batch_tokens=10**7,
        precision=precision,
        device=device,
        samples=0,
        epochs=100_000,
        max_minutes=seconds / 60,
        validate_every=10**9,
        valid_fraction=0.0,
    ).fit(pairs, listeners=[heard.append])
    steps = [event for event in heard if isinstance(event, Step)]
    warm = steps[len(steps) // 4 :]
    rates = sorted(event.tokens_per_second for event in warm)
    elapsed = max(1e-9, warm[-1].seconds - warm[0].seconds)
    started = next(event for event in heard if isinstance(event, Started))
    return model, {
        "tokens_per_second": rates[len(rates) // 2],
        "updates_per_second": (warm[-1].step - warm[0].step) / elapsed,
        "parameters": started.parameters,
    }


def peers(given: argparse.Namespace) -> None:
    """Let the side-by-side benchmark train the peers that are set up, on the card where they find one."""
    ready = [peer for peer in given.peers if (HERE / "peers" / peer / "bin" / "python").exists()]
    for missing in sorted(set(given.peers) - set(ready)):
        print(f"{missing}: not set up; run benchmarks/peer_setup.sh first")
    if ready:
        words = [sys.executable, str(HERE / "peers.py"), "--data", given.data, "--phases", "train", "--peers", *ready]
        subprocess.run(words, check=True)


def main() -> int:
    """Measure and print, or say that there is no card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--data", help="folder with train.en and train.de")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--size", type=int, default=8192, help="of the matrices whose product is timed")
    parser.add_argument("--peers", nargs="*", default=[])
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        print("There is no CUDA card on this machine: nothing was measured.")
        return 1
    name = torch.cuda.get_device_name() if given.device == "cuda" else "processor"
    most = limits(given.device, given.size)
    print(
        json.dumps({"device": name, "torch": torch.__version__, **{key: f"{value:.3e}" for key, value in most.items()}})
    )
    pairs = (
        builtin("dates", 20_000)
        if given.data is None
        else Pairs.of((Path(given.data, "train.en"), Path(given.data, "train.de")))
    )
    model = None
    for precision in ("fp32", "bf16"):
        for batch in given.batches:
            model, found = trained(pairs, precision, batch, given.seconds, given.device)
            rate = found["tokens_per_second"] * flops_a_token(model)
            moved = found["updates_per_second"] * found["parameters"] * 4 * 7  # 4 read, 3 written
            shares = {
                "share_of_peak": rate / most[precision],
                "share_of_bandwidth_for_weights": moved / most["bandwidth"],
            }
            print(json.dumps({"precision": precision, "batch": batch, **found, **shares}), flush=True)
    assert model is not None
    sources = list(pairs.sources[:2048])
    model.generate(sources[:256], beam=5, batch_size=256)
    began = time.perf_counter()
    written = model.generate(sources, beam=5, batch_size=256)
    took = time.perf_counter() - began
    tokens = sum(len(one.tokens) for one in written)
    print(json.dumps({"beam": 5, "batch": 256, "sentences_per_second": len(sources) / took, "tokens": tokens}))
    if given.peers:
        peers(given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
