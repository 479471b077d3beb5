"""Side by side: OpenNMT-py, JoeyNMT, yoyodyne and nbtextgen, the same model sizes on the same tokens, one after another.

    benchmarks/peer_setup.sh        # "previous" is the previous release of nbtextgen
    .venv/bin/python benchmarks/peers.py --data DIR/multi30k [--peers onmt joeynmt yoyodyne] [--steps 150] [--threads 2]

Prints one JSON line for each program, then our ratios to the fastest peer. Each phase (training window, greedy, beam)
runs in a process of its own, in the peer's environment, through the peer's own loops: see peer_inside.py. Files land in benchmarks/work/ (not in git).
Decoding a model of a few hundred steps times long, repetitive outputs: for sentences/s give it a real training
(``--steps 4000``), and read the outputs' token count, which is printed beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = ("onmt", "joeynmt", "yoyodyne")
OURS = "nbtextgen"
PREVIOUS = "previous"
SIDES = ("en", "de")
CPU_CLOCK = (
    "import os, runpy, sys, time; time.perf_counter = time.process_time; "
    "sys.argv = sys.argv[1:]; sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0])); "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)
"""Runs a script with processor time in place of wall time."""


def prepare(data: Path, work: Path, size: int) -> None:
    """Write the pairs as space-separated BPE pieces of one joint vocabulary: ``train.en``, ``train.tsv``, ``vocab.txt``..."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    if (work / "vocab.txt").exists():
        return
    work.mkdir(parents=True, exist_ok=True)
    raw = parallel_lines(data)
    # Thin spaces and the like: the peers cut lines at any Unicode white space, so none may stand inside a token.
    raw = {name: [" ".join(line.split()) for line in lines] for name, lines in raw.items()}
    bpe = Tokenizer(models.BPE(unk_token="<unk>"))
    bpe.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()])
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=["<unk>"], show_progress=False)
    bpe.train_from_iterator([*raw["train.en"], *raw["train.de"]], trainer)
    counts: Counter[str] = Counter()
    cut = {}
    for name, lines in raw.items():
        cut[name] = [" ".join(encoding.tokens) for encoding in bpe.encode_batch(lines)]
        (work / name).write_text("\n".join(cut[name]) + "\n", "utf-8")
        if name.startswith("train"):
            counts.update(token for line in cut[name] for token in line.split(" "))
    for part in ("train", "val"):
        rows = zip(cut[f"{part}.en"], cut[f"{part}.de"], strict=True)
        (work / f"{part}.tsv").write_text("".join(f"{en}\t{de}\n" for en, de in rows if en and de), "utf-8")
    (work / "val.reference").write_text("\n".join(raw["val.de"]) + "\n", "utf-8")
    (work / "vocab.txt").write_text("".join(f"{token}\t{count}\n" for token, count in counts.most_common()), "utf-8")


def parallel_lines(data: Path) -> dict[str, list[str]]:
    """Lines of ``train.en``, ``train.de``, ``val.en`` and ``val.de``, or the same from ``train.tsv`` and ``valid.tsv``."""

    def lines(name: str) -> list[str]:
        return (data / name).read_text("utf-8").rstrip("\n").split("\n")

    if not (data / "train.tsv").exists():
        names = [f"{part}.{side}" for part in ("train", "val") for side in SIDES]
        return {name: lines(name) for name in names}
    tables = {
        part: [row.split("\t") for row in lines(name)] for part, name in (("train", "train.tsv"), ("val", "valid.tsv"))
    }
    return {
        f"{part}.{side}": [row[at] for row in rows] for part, rows in tables.items() for at, side in enumerate(SIDES)
    }


def plain(pieces: str) -> str:
    """Undo the BPE: pieces of one line to text."""
    return "".join(pieces.split()).replace("\u2581", " ").strip()


def run_phase(peer: str, phase: str, options: argparse.Namespace) -> dict[str, object]:
    """Run one phase in the peer's environment and give what it measured, or ``{"failed": ...}``."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(options.threads),
        "MKL_NUM_THREADS": str(options.threads),
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",  # the peers' checkpoints are pickles of their own making
        "WANDB_MODE": "disabled",
    }
    device, batch = getattr(options, "device", "cpu"), getattr(options, "batch", 64)
    environment |= {"BENCHMARK_DEVICE": device, "BENCHMARK_BATCH": str(batch)}
    work, script, program = options.work, HERE / "peer_inside.py", peer
    python = sys.executable if peer in (OURS, PREVIOUS) else str(HERE / "peers" / peer / "bin" / "python")
    packages = getattr(options, "onmt_packages", None)
    if peer == OURS:
        environment["PYTHONPATH"] = str(HERE.parent)
    elif peer == "onmt" and packages:
        python, environment["PYTHONPATH"] = sys.executable, str(packages.resolve())
    elif peer == PREVIOUS:  # its own copy of peer_inside.py, which knows its internals
        environment["PYTHONPATH"] = str(HERE / "peers" / PREVIOUS)
        script, program, work = HERE / "peers" / PREVIOUS / "benchmarks" / "peer_inside.py", OURS, work / PREVIOUS
        prepare(options.data, work, options.vocabulary)
    clock = ["-c", CPU_CLOCK] if getattr(options, "clock", "wall") == "cpu" else []
    command = [python, *clock, str(script), program, phase]
    command += [
        str(work),
        str(options.warmup),
        str(options.steps),
        str(options.threads),
        str(options.sentences),
    ]
    log = options.work / f"{peer}.{phase}.log"
    with log.open("w") as stream:
        done = subprocess.run(command, env=environment, stdout=stream, stderr=subprocess.STDOUT)
    if peer == PREVIOUS and (work / f"{OURS}.{phase}.out").exists():
        (work / f"{OURS}.{phase}.out").replace(options.work / f"{PREVIOUS}.{phase}.out")
    reports = [line for line in log.read_text("utf-8", "replace").splitlines() if line.startswith("MEASURED ")]
    if done.returncode or not reports:
        return {"failed": f"exit {done.returncode}, see {log}"}
    return json.loads(reports[-1].removeprefix("MEASURED "))


def bleu(work: Path, peer: str, phase: str, sentences: int) -> float:
    import sacrebleu

    outputs = [plain(line) for line in (work / f"{peer}.{phase}.out").read_text("utf-8").rstrip("\n").split("\n")]
    references = (work / "val.reference").read_text("utf-8").rstrip("\n").split("\n")[:sentences]
    return round(sacrebleu.corpus_bleu(outputs, [references]).score, 2)


def has_bf16() -> bool:
    """Whether the CPU has bf16 instructions; without them PyTorch emulates bf16, hundreds of times slower."""
    path = Path("/proc/cpuinfo")
    words = set(path.read_text("utf-8").split()) if path.exists() else set()
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})


def matrix_peak(threads: int) -> dict[str, float]:
    """The machine's best rate at 2048 x 2048 matrix products, in GFLOP/s."""
    import torch

    torch.set_num_threads(threads)
    peaks = {}
    kinds = [("fp32", torch.float32)] + [("bf16", torch.bfloat16)] * has_bf16()
    for name, kind in kinds:
        matrix = torch.randn(2048, 2048).to(kind)
        best = float("inf")
        for _ in range(12):
            began = time.perf_counter()
            matrix @ matrix
            best = min(best, time.perf_counter() - began)
        peaks[name] = round(2 * 2048**3 / best / 1e9, 1)
    return peaks


def work_per_token(work: Path) -> float:
    """Floating-point operations of training (forward and backward) per source or target token, from the layer sizes.

    A matrix product with n weights costs 2n operations a token forwards and twice that backwards. Attention's products
    with the source (2 x mean length x hidden) are counted, element-wise work is not.
    """
    rows = [line.split("\t") for line in (work / "train.tsv").read_text("utf-8").splitlines()]
    source = sum(len(row[0].split(" ")) for row in rows) / len(rows)
    target = sum(len(row[1].split(" ")) for row in rows) / len(rows) + 1
    vocabulary = len((work / "vocab.txt").read_text("utf-8").splitlines())
    embedding, hidden = 256, 512
    encoder = 2 * 4 * (hidden // 2) * (embedding + hidden // 2) + hidden * hidden
    decoder = 4 * hidden * (embedding + hidden) + 2 * hidden * hidden + hidden * vocabulary + 2 * source * hidden
    return 6 * (source * encoder + target * decoder) / (source + target - 1)


def ratios(lines: dict[str, dict], work: Path, threads: int) -> dict[str, object]:
    """Ours over the fastest peer, and the share of the matrix-product peak that training reaches."""

    def best(phase: str, figure: str) -> float:
        return max((line[phase].get(figure, 0.0) for peer, line in lines.items() if peer in PEERS), default=0.0)

    ours, ratios = lines[OURS], {}
    for phase, against in (("train", "train"), ("train_bf16", "train")):
        if "tokens_per_second" in ours.get(phase, {}) and best(against, "tokens_per_second"):
            ratios[f"{phase} tokens/s"] = round(
                ours[phase]["tokens_per_second"] / best(against, "tokens_per_second"), 2
            )
    for phase in ("greedy", "beam"):
        if "sentences_per_second" in ours.get(phase, {}) and best(phase, "sentences_per_second"):
            ratios[f"{phase} sentences/s"] = round(
                ours[phase]["sentences_per_second"] / best(phase, "sentences_per_second"), 2
            )
    for phase in ("train", "train_bf16"):
        before = lines.get(PREVIOUS, {}).get(phase, {}).get("tokens_per_second")
        if before and "tokens_per_second" in ours.get(phase, {}):
            ratios[f"{phase} tokens/s to the previous release"] = round(ours[phase]["tokens_per_second"] / before, 2)
    peak, operations = matrix_peak(threads), work_per_token(work)
    ratios["matrix peak GFLOP/s"] = peak
    for phase, kind in (("train", "fp32"), ("train_bf16", "bf16")):
        if "tokens_per_second" in ours.get(phase, {}):
            rate = ours[phase]["tokens_per_second"] * operations / 1e9
            ratios[f"{phase} GFLOP/s"] = round(rate, 1)
            ratios[f"{phase} share of peak"] = round(rate / peak[kind], 3)
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train.en, train.de, val.en, val.de")
    parser.add_argument("--work", type=Path, default=HERE / "work", help="where tokens, configurations and models go")
    parser.add_argument("--peers", nargs="+", choices=(*PEERS, PREVIOUS, OURS), default=[*PEERS, OURS])
    parser.add_argument("--phases", nargs="+", choices=("train", "greedy", "beam"), default=["train", "greedy", "beam"])
    parser.add_argument("--warmup", type=int, default=30, help="updates before the clock starts")
    parser.add_argument("--steps", type=int, default=150, help="updates that are timed")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sentences", type=int, default=1014, help="validation sentences that are decoded")
    parser.add_argument("--vocabulary", type=int, default=8000)
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall", help="cpu: processor time, for one thread on a busy machine"
    )
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="cuda: onmt and nbtextgen, training only"
    )
    parser.add_argument("--batch", type=int, default=64, help="sentences in a training batch; not for previous")
    parser.add_argument(
        "--onmt-packages", type=Path, help="run OpenNMT-py from this folder of packages, with this Python"
    )
    options = parser.parse_args()
    unsupported = set(options.peers) - {"onmt", OURS}
    if (options.device != "cpu" or options.batch != 64) and unsupported:
        parser.error(f"--device and --batch are not for {', '.join(sorted(unsupported))}")
    if options.clock == "cpu" and options.threads != 1:
        parser.error("--clock cpu is for --threads 1")
    options.work = options.work.resolve()
    prepare(options.data, options.work, options.vocabulary)
    lines: dict[str, dict] = {}
    for peer in options.peers:
        line: dict[str, object] = {"program": peer, "threads": options.threads}
        phases = options.phases
        if peer in (OURS, PREVIOUS) and "train" in phases and (has_bf16() or options.device == "cuda"):
            phases = ["train", "train_bf16", *[phase for phase in phases if phase != "train"]]
        for phase in phases:
            line[phase] = measured = run_phase(peer, phase, options)
            if not phase.startswith("train") and "failed" not in measured:
                measured["bleu"] = bleu(options.work, peer, phase, options.sentences)
        print(json.dumps(line), flush=True)
        lines[peer] = line
    if OURS in lines and len(lines) > 1 and options.device == "cpu":
        print(json.dumps(ratios(lines, options.work, options.threads)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
