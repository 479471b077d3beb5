"""Tokens a second of one process and of two, each with one thread, in one run; and what exchanging gradients costs.

    python benchmarks/scaling.py --seconds 60

Prints both speeds, their ratio, the seconds to the first update, the size of one exchange, and from which
link speed another machine pays at this size and batch: an update of ``t`` seconds on one machine takes about
``max(t / n, exchange)`` on ``n`` when exchange and backward pass overlap, so a second machine pays when the exchange of
``8 x parameters`` bytes (a ring sends each number twice, in 4 bytes) takes less than ``t / 2``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

from nbtextgen import LaunchConfig, TextGenerator, builtin
from nbtextgen.training.events import Event, Started, Step


def measured(processes: int, given: argparse.Namespace, place: Path) -> tuple[float, float, int, int]:
    """Tokens a second, seconds to the first report, parameters, and updates a second x 1000."""
    heard: list[tuple[float, Event]] = []
    began = time.perf_counter()
    TextGenerator(
        tokens="char",
        hidden_size=given.hidden,
        embedding_size=given.hidden // 2,
        batch_size=given.batch,
        batch_tokens=10**7,
        precision="fp32",
        samples=0,
        epochs=1000,
        max_minutes=given.seconds / 60,
        validate_every=10**9,
        checkpoint_seconds=86_400,
    ).fit(
        builtin("dates", 20_000),
        listeners=[lambda event: heard.append((time.perf_counter(), event))],
        run=place / f"{processes}",
        launch=LaunchConfig(processes=processes, detach=False) if processes > 1 else None,
    )
    steps = [(when, event) for when, event in heard if isinstance(event, Step)]
    first = steps[0][0] - began
    parameters = next(event.parameters for _, event in heard if isinstance(event, Started))
    warm = steps[len(steps) // 4 :]
    pace = (warm[-1][1].step - warm[0][1].step) / max(1e-9, warm[-1][1].seconds - warm[0][1].seconds)
    return median(event.tokens_per_second for _, event in warm), first, parameters, int(1000 * pace)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--batch", type=int, default=256)
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)
    place = Path(tempfile.mkdtemp(prefix="nbtextgen-scaling-"))
    found = {processes: measured(processes, given, place) for processes in (1, 2)}
    for processes, (speed, first, parameters, pace) in found.items():
        print(
            f"{processes} x 1 thread, batch {given.batch}, {parameters:,} parameters: {speed:,.0f} tokens/s, "
            f"{pace / 1000:.2f} updates/s, first report after {first:.1f} s"
        )
    print(f"ratio {found[2][0] / found[1][0]:.2f}")
    update, sent = 1000 / max(1, found[1][3]), 8 * found[1][2]
    print(
        f"one update alone takes {1000 * update:.0f} ms and two machines exchange {sent / 1e6:.1f} MB: a second machine pays "
        f"from a link of {sent * 8 / (update / 2) / 1e6:,.0f} Mbit/s on; {torch.get_num_threads()} thread, "
        f"{os.cpu_count()} cores; on one machine without a graphics card more threads do as well"
    )
    shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
