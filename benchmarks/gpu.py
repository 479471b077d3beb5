"""On a GPU: training tokens per second, as a share of what the GPU can do, beside OpenNMT-py; beam-5 sentences per second.

    python benchmarks/gpu.py                              # built-in pairs; or --data DIR/multi30k
    python benchmarks/gpu.py --data DIR/multi30k --peer   # and OpenNMT-py, set up by benchmarks/peer_setup.sh onmt
    python benchmarks/gpu.py --data DIR/multi30k --peer --onmt-wheels benchmarks/peers/wheels

With ``--peer`` both programs train the network of peers.py on the same tokens, one after another, at each batch size. The
environment of ``peer_setup.sh onmt`` holds a PyTorch for CPUs; where that is so, take ``--onmt-wheels`` (made by ``peer_setup.sh
onmt_wheels``), which runs OpenNMT-py with the PyTorch of this Python.

``launch_bound_share`` is the share of an update during which the GPU runs no kernel: it waits for the CPU to launch one. It
is one minus the kernel time per update, from a profiled run, over the wall time per update of a run without the profiler.

Measures there first the rate of matrix products (fp32, bf16) and the memory bandwidth; then training at several batch
sizes in both precisions, with the arithmetic an update needs (multiply and add count two, backward is twice forward) over
its time, as a share of the matrix peak, and the bytes it cannot avoid (weights, gradients and two moments, read and
written once, and the activations' inputs to the output layer) as a share of the bandwidth; then beam search. Without a GPU
it says so and measures nothing. ``--device cpu`` tries the script out; its figures say nothing about GPUs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peers import has_bf16

from nbtextgen import Pairs, TextGenerator, builtin
from nbtextgen.training.events import Event, Started, Step

HERE = Path(__file__).resolve().parent
BATCHES = (64, 256, 1024)


def wait(device: str) -> None:
    """Wait until the GPU has finished all work."""
    if device == "cuda":
        torch.cuda.synchronize()


def best_seconds(work: Callable[[], Any], device: str, times: int = 10) -> float:
    """Seconds of the fastest of some calls."""
    seconds = []
    for _ in range(times + 2):
        wait(device)
        began = time.perf_counter()
        work()
        wait(device)
        seconds.append(time.perf_counter() - began)
    return min(seconds[2:])


def limits(device: str, size: int) -> dict[str, float]:
    """Matrix-product peak (FLOP/s) by precision, and bandwidth (bytes/s, read and write counted)."""
    rates = {}
    kinds = [("fp32", torch.float32)] + [("bf16", torch.bfloat16)] * (device == "cuda" or has_bf16())
    for name, kind in kinds:
        matrix = torch.randn(size, size, device=device).to(kind)
        rates[name] = 2 * size**3 / best_seconds(lambda matrix=matrix: matrix @ matrix, device)
    large = torch.empty(size * size * 8, device=device)
    other = torch.empty_like(large)
    rates["bandwidth"] = 2 * large.numel() * 4 / best_seconds(lambda: other.copy_(large), device)
    return rates


def flops_a_token(model: TextGenerator) -> float:
    """Arithmetic of training for a source or target token, half of them each: six times the weights it is multiplied by."""
    network = model.predictor.networks[0]
    sides = {"encoder": 0, "decoder": 0}
    for name, weight in network.named_parameters():
        if weight.dim() == 2 and "embedding" not in name and "output_weight" not in name:
            sides["encoder" if name.startswith("encoder") or ".key" in name else "decoder"] += weight.numel()
    return 6 * (sides["encoder"] + sides["decoder"] + network.output_weight.numel()) / 2


def network_settings(precision: str, batch: int, device: str) -> dict[str, Any]:
    """The network that is measured, without an end of its training."""
    return {
        "tokens": "bpe",
        "vocabulary_size": 8000,
        "hidden_size": 512,
        "embedding_size": 256,
        "encoder_layers": 2,
        "dropout": 0.2,
        "batch_size": batch,
        "batch_tokens": 10**7,
        "precision": precision,
        "device": device,
        "samples": 0,
        "epochs": 100_000,
        "validate_every": 10**9,
        "valid_fraction": 0.0,
    }


def trained(
    pairs: Pairs, precision: str, batch: int, seconds: float, device: str
) -> tuple[TextGenerator, dict[str, Any]]:
    """Train for a while; gives tokens a second after the first quarter, and updates a second."""
    events: list[Event] = []
    settings = network_settings(precision, batch, device)
    model = TextGenerator(**settings, max_minutes=seconds / 60).fit(pairs, callbacks=[events.append])
    steps = [event for event in events if isinstance(event, Step)]
    warm = steps[len(steps) // 4 :]
    rates = sorted(event.tokens_per_second for event in warm)
    elapsed = max(1e-9, warm[-1].seconds - warm[0].seconds)
    started = next(event for event in events if isinstance(event, Started))
    return model, {
        "tokens_per_second": rates[len(rates) // 2],
        "updates_per_second": (warm[-1].step - warm[0].step) / elapsed,
        "parameters": started.parameters,
    }


def kernel_seconds(pairs: Pairs, precision: str, batch: int, updates: int = 20) -> float:
    """Time that the GPU spends in kernels and copies for each update, from a profiled training of some updates."""
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    def train(steps: int) -> None:
        settings = network_settings(precision, batch, "cuda")
        TextGenerator(**settings, max_steps=steps).fit(pairs, callbacks=[])
        torch.cuda.synchronize()

    def busy(steps: int) -> float:
        with profile(activities=[ProfilerActivity.CUDA]) as profiler:
            train(steps)
        spans = [
            (event.time_range.start, event.time_range.end)
            for event in profiler.events()
            if event.device_type == DeviceType.CUDA
            and not getattr(event, "is_user_annotation", False)
            and not event.name.startswith(("Optimizer.", "ProfilerStep"))
        ]
        return union_length(spans) / 1e6

    train(3)
    return (busy(5 + updates) - busy(5)) / updates  # what start and end need falls out


def union_length(spans: list[tuple[float, float]]) -> float:
    """Length of the union of intervals, since kernels may run side by side."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def measure_peer(args: argparse.Namespace) -> None:
    """Train the network of peers.py in OpenNMT-py and in nbtextgen at each batch size, and print both and the ratios."""
    if args.data is None:
        print("OpenNMT-py: not measured, since --data was not given")
        return
    with tempfile.TemporaryDirectory() as place:
        words = [sys.executable, str(HERE / "peers.py"), "--data", args.data, "--phases", "train"]
        words += ["--device", args.device, "--steps", str(args.peer_steps), "--warmup", str(args.peer_steps // 5)]
        words += ["--peers", "onmt", "nbtextgen"]
        if args.onmt_wheels is not None:
            unpack(args.onmt_wheels, Path(place))
            words += ["--onmt-packages", place]
        elif not (HERE / "peers" / "onmt" / "bin" / "python").exists():
            print("OpenNMT-py: not measured, since it is not installed (benchmarks/peer_setup.sh onmt)")
            return
        for batch in args.batches:
            done = subprocess.run([*words, "--batch", str(batch)], capture_output=True, text=True)
            lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
            programs = {line["program"]: line for line in lines if "program" in line}
            for name, line in programs.items():
                print(json.dumps({"batch": batch, **line, "program": name}), flush=True)
            theirs = programs.get("onmt", {}).get("train", {}).get("tokens_per_second")
            for phase in ("train", "train_bf16"):
                ours = programs.get("nbtextgen", {}).get(phase, {}).get("tokens_per_second")
                if ours and theirs:
                    ratio = {"batch": batch, f"{phase} to OpenNMT-py's fp32": round(ours / theirs, 2)}
                    print(json.dumps(ratio), flush=True)
            if done.returncode or not theirs:
                print(f"OpenNMT-py at batch size {batch}: no figure. {done.stderr[-500:]}", flush=True)


def unpack(wheels: Path, place: Path) -> None:
    """Unpack wheels into a folder, without those transforms of OpenNMT-py that import large packages."""
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(place)
    for name in ("terminology", "fuzzymatch", "inlinetags", "clean"):
        (place / "onmt" / "transforms" / f"{name}.py").unlink(missing_ok=True)


def main() -> int:
    """Measure and print, or say that there is no GPU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--data", help="folder with train.en and train.de")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--size", type=int, default=8192, help="of the matrices whose product is timed")
    parser.add_argument("--peer", action="store_true", help="measure OpenNMT-py beside nbtextgen")
    parser.add_argument("--peer-steps", type=int, default=100, help="updates that are timed beside OpenNMT-py")
    parser.add_argument("--onmt-wheels", type=Path, help="folder of wheels to run OpenNMT-py from, with this Python")
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        print("There is no CUDA GPU on this machine: nothing was measured.")
        return 1
    name = torch.cuda.get_device_name() if args.device == "cuda" else "processor"
    most = limits(args.device, args.size)
    print(
        json.dumps({"device": name, "torch": torch.__version__, **{key: f"{value:.3e}" for key, value in most.items()}})
    )
    pairs = (
        builtin("dates", 20_000)
        if args.data is None
        else Pairs.of((Path(args.data, "train.en"), Path(args.data, "train.de")))
    )
    model = None
    for precision in ("fp32", "bf16") if args.device == "cuda" or has_bf16() else ("fp32",):
        for batch in args.batches:
            model, measured = trained(pairs, precision, batch, args.seconds, args.device)
            rate = measured["tokens_per_second"] * flops_a_token(model)
            moved = measured["updates_per_second"] * measured["parameters"] * 4 * 7  # 4 read, 3 written
            shares = {
                "share_of_peak": rate / most[precision],
                "share_of_bandwidth_for_weights": moved / most["bandwidth"],
            }
            if args.device == "cuda":
                busy = kernel_seconds(pairs, precision, batch) * measured["updates_per_second"]
                shares["launch_bound_share"] = round(max(0.0, 1 - busy), 3)
            print(json.dumps({"precision": precision, "batch": batch, **measured, **shares}), flush=True)
    assert model is not None
    sources = list(pairs.sources[:2048])
    model.generate(sources[:256], beam=5, batch_size=256)
    began = time.perf_counter()
    written = model.generate(sources, beam=5, batch_size=256)
    took = time.perf_counter() - began
    tokens = sum(len(generation.tokens) for generation in written)
    print(json.dumps({"beam": 5, "batch": 256, "sentences_per_second": len(sources) / took, "tokens": tokens}))
    if args.peer:
        measure_peer(args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
