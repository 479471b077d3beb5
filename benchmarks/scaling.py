"""Tokens a second of one process and of two, each with one thread, in one run; and what exchanging gradients costs.

    python benchmarks/scaling.py --seconds 60

Prints both speeds, their ratio, the seconds to the first update, the time of one exchange of gradients at several sizes
(all-reduce between two processes, beside the straight line through them), what an update of two processes should
take by arithmetic and what it took, and from which link on another machine pays.

The arithmetic: an update of ``t`` seconds on one machine takes about ``max(t / n, exchange)`` on ``n`` when exchange and
backward pass overlap. A ring sends each number twice, in 4 bytes, so ``exchange = 8 x parameters / link``; a second
machine pays when that is below ``t / 2``. ``t`` grows with parameters x tokens of a batch, so the parameters drop out: the
link that is needed depends on how many tokens a machine reads in a batch and how fast it computes, not on the size of the model.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from nbtextgen import LaunchConfig, TextGenerator, builtin
from nbtextgen.training.events import Event, Started, Step


def measured(processes: int, args: argparse.Namespace, place: Path) -> tuple[float, float, int, float]:
    """Tokens a second, seconds to the first report, parameters, and updates a second."""
    events: list[tuple[float, Event]] = []
    began = time.perf_counter()
    TextGenerator(
        tokens="char",
        hidden_size=args.hidden,
        embedding_size=args.hidden // 2,
        batch_size=args.batch,
        batch_tokens=10**7,
        precision="fp32",
        samples=0,
        epochs=1000,
        max_minutes=args.seconds / 60,
        validate_every=10**9,
        checkpoint_seconds=86_400,
    ).fit(
        builtin("dates", 20_000),
        callbacks=[lambda event: events.append((time.perf_counter(), event))],
        run=place / f"{processes}",
        launch=LaunchConfig(processes=processes, detach=False) if processes > 1 else None,
    )
    steps = [(when, event) for when, event in events if isinstance(event, Step)]
    first = steps[0][0] - began
    parameters = next(event.parameters for _, event in events if isinstance(event, Started))
    warm = steps[len(steps) // 4 :]
    pace = (warm[-1][1].step - warm[0][1].step) / max(1e-9, warm[-1][1].seconds - warm[0][1].seconds)
    return median(event.tokens_per_second for _, event in warm), first, parameters, pace


EXCHANGE = """
import sys, time, torch, torch.distributed as dist
torch.set_num_threads(1)
dist.init_process_group("gloo")
for count in map(int, sys.argv[1:]):
    values, times = torch.zeros(count), []
    for _ in range(12):
        dist.barrier()
        began = time.perf_counter()
        dist.all_reduce(values)
        times.append(time.perf_counter() - began)
    if dist.get_rank() == 0:
        print("seconds", count, sorted(times)[len(times) // 2], flush=True)
dist.barrier()
"""


def exchanges(counts: list[int], place: Path) -> dict[int, float]:
    """Seconds that two processes on this machine need to add up as many numbers."""
    script = place / "exchange.py"
    script.write_text(EXCHANGE)
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    done = subprocess.run([*words, *map(str, counts)], capture_output=True, text=True, check=True)
    reports = (line.split() for line in done.stdout.splitlines() if line.startswith("seconds "))
    return {int(count): float(seconds) for _, count, seconds in reports}


def arithmetic(speeds: dict[int, tuple[float, float, int, float]], times: dict[int, float], batch: int) -> None:
    """Print what the measured exchange times say, and from which link on a second machine pays."""
    parameters, update, together = speeds[1][2], 1 / speeds[1][3], 1 / speeds[2][3]
    counts, seconds = np.array(list(times)), np.array(list(times.values()))
    slope, start = np.polyfit(counts, seconds, 1, w=1 / seconds)
    for count, took in times.items():
        line = start + slope * count
        print(f"exchange of {count:,} numbers: {1000 * took:.1f} ms (straight line: {1000 * line:.1f} ms)")
    speed = 8 / slope
    print(
        f"so between processes here {8 * speed / 1e6:,.0f} Mbit/s, counting each number twice, after {1000 * start:.2f} ms"
    )
    exchange = start + slope * parameters
    print(
        f"update of one process {1000 * update:.0f} ms; of two by arithmetic max({500 * update:.0f}, {1000 * exchange:.0f}) ms "
        f"to {1000 * (update / 2 + exchange):.0f} ms without overlap; measured {1000 * together:.0f} ms"
    )
    tokens = speeds[1][0] * update
    needed = 8 * 8 * parameters / (update / 2) / 1e6
    print(
        f"a second machine pays at batch {batch} ({tokens:,.0f} tokens) from a link of {needed:,.0f} Mbit/s on; for others:"
    )
    print("tokens in a batch      machine of this core   8 times as fast   100 times as fast (Mbit/s)")
    for share in (0.25, 1, 4):
        links = [needed / share * faster for faster in (1, 8, 100)]
        print(f"{tokens * share:12,.0f}        " + "".join(f"{link:16,.0f}" for link in links))
    print(f"{os.cpu_count()} cores here; on one machine without a graphics card more threads do as well")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--batch", type=int, default=256)
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)
    place = Path(tempfile.mkdtemp(prefix="nbtextgen-scaling-"))
    results = {processes: measured(processes, args, place) for processes in (1, 2)}
    for processes, (speed, first, parameters, pace) in results.items():
        print(
            f"{processes} x 1 thread, batch {args.batch}, {parameters:,} parameters: {speed:,.0f} tokens/s, "
            f"{pace:.2f} updates/s, first report after {first:.1f} s"
        )
    print(f"ratio {results[2][0] / results[1][0]:.2f}")
    arithmetic(results, exchanges([100_000, 1_000_000, results[1][2], 20_000_000], place), args.batch)
    shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
