"""Quality against wall time of training: nbtextgen, its previous release, OpenNMT-py and JoeyNMT.

    benchmarks/peer_setup.sh onmt joeynmt previous
    .venv/bin/python benchmarks/curves.py --data DATA --threads 1 --minutes 1 2 4 8 16 32 --resume
    .venv/bin/python benchmarks/curves.py --data DATA --tasks dates g2p synopsis --programs nbtextgen previous --minutes 1 2 4
    .venv/bin/python benchmarks/curves.py --data DATA --tasks descriptions --programs nbtextgen onmt-rnn --minutes 1 2 4 8 16
    .venv/bin/python benchmarks/curves.py --draw        # docs/pictures/curves.svg, from all results/curves-*.jsonl
    .venv/bin/python benchmarks/curves.py --table       # the same as Markdown tables

``DATA`` holds the folders multi30k, debian-en-de (descriptions), g2p2020 and debian-synopsis. ``nbtextgen`` and ``previous``
train once for each budget with ``TextGenerator(max_minutes=M)`` and otherwise default settings; their time is all of ``fit``,
tokenization included. Each peer trains once, up to the longest budget, and keeps its model at every budget; its clock counts
updates only, neither start-up nor tokenization nor the writing of models, and both greedy and beam-5 outputs are decoded after
training. Multi30k and descriptions are scored on their validation pairs with sacrebleu (detokenized, cased); dates, G2P and
CMUdict (2,700 held-out words) by exact match, synopses by ROUGE-L.

Programs run one after another. Each measurement is appended to ``--out`` at once, with machine, load, command and date;
``--resume`` skips those that are there. ``--clock cpu`` counts processor time instead, which for one thread is the wall time of a
quiet machine. Use ``taskset`` and ``nice`` as needed: the CPUs allowed and the load are recorded.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from curve_picture import NAMES, Curves, draw
from peers import HERE, plain, prepare

RESULTS = HERE / "results"
PICTURE = HERE.parent / "docs" / "pictures" / "curves.svg"
PREVIOUS = HERE / "peers" / "previous"
OURS = ("nbtextgen", "previous")
PEERS = ("onmt-rnn", "onmt-transformer", "joeynmt-rnn", "joeynmt-transformer")
LANGUAGES = ("fre", "hin", "kor", "rum")
PARALLEL = ("multi30k", "descriptions")
"""Tasks that the peers are measured on."""
TASKS = (*PARALLEL, "dates", "g2p", "cmudict", "synopsis")
FOLDERS = {"multi30k": "multi30k", "descriptions": "debian-en-de", "g2p": "g2p2020", "synopsis": "debian-synopsis"}
"""Folders in ``--data``; the other tasks come with nbtextgen."""


# The machine -----------------------------------------------------------------------------------------------------------


def machine() -> dict[str, Any]:
    """CPU model and the instructions that matter here, the CPUs this process may use, and the date."""
    text = Path("/proc/cpuinfo").read_text("utf-8") if Path("/proc/cpuinfo").exists() else ""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    flags = set(fields.get("flags", "").split())
    features = {"amx": "amx_tile", "avx512_bf16": "avx512_bf16", "avx512": "avx512f", "avx2": "avx2"}
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return {
        "cpu": f"{fields.get('model name', 'unknown')} (family {fields.get('cpu family')}, model {fields.get('model')})",
        "flags": [name for name, flag in features.items() if flag in flags],
        "cpus": os.cpu_count(),
        "cpus_allowed": cpus,
        "nice": os.nice(0),
        "date": datetime.now().isoformat(timespec="seconds"),
        "load": [round(value, 2) for value in os.getloadavg()],
    }


def git_commit(folder: Path) -> str:
    """Commit of a checkout, with ``+`` when files differ from it; empty where there is none."""
    words = ["git", "-C", str(folder), "describe", "--always", "--dirty=+", "--exclude=*"]
    return subprocess.run(words, capture_output=True, text=True).stdout.strip()


# Processes of the programs ---------------------------------------------------------------------------------------------


def environment(program: str, threads: int) -> dict[str, str]:
    """Variables for a process of one program."""
    variables = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",  # the peers' checkpoints are pickles of their own making
    }
    if program in OURS:
        variables["PYTHONPATH"] = str(PREVIOUS if program == "previous" else HERE.parent)
    return variables


def python_of(program: str) -> str:
    """The interpreter of a program's environment."""
    return sys.executable if program in OURS else str(HERE / "peers" / program.split("-")[0] / "bin" / "python")


def is_installed(program: str) -> bool:
    """Whether a program's environment exists."""
    return (PREVIOUS / "nbtextgen").exists() if program == "previous" else Path(python_of(program)).exists()


def measured(program: str, words: Sequence[object], threads: int, log: Path) -> Iterator[dict[str, Any]]:
    """Run curve_inside.py for a program and yield what it reports, as it comes; everything it prints goes to ``log``.

    Raises:
        RuntimeError: when the process fails.
    """
    command = [python_of(program), str(HERE / "curve_inside.py"), *map(str, words)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as stream:
        process = subprocess.Popen(
            command,
            env=environment(program, threads),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        assert process.stdout is not None
        for line in process.stdout:
            stream.write(line)
            stream.flush()
            if line.startswith("MEASURED "):
                yield json.loads(line.removeprefix("MEASURED "))
        if process.wait():
            raise RuntimeError(f"{program}: exit status {process.returncode}, see {log}")


# Scores ----------------------------------------------------------------------------------------------------------------


def bleu(outputs: list[str], references: list[str]) -> float:
    """BLEU as sacrebleu computes it by default."""
    import sacrebleu

    return round(sacrebleu.corpus_bleu(outputs, [references]).score, 2)


def exact(outputs: list[str], references: list[Any]) -> float:
    """Percentage of outputs equal to their reference, or to one of several."""
    pairs = zip(outputs, references, strict=True)
    right = [output in ([reference] if isinstance(reference, str) else reference) for output, reference in pairs]
    return round(100 * sum(right) / len(outputs), 2)


def word_error_rate(outputs: list[str], references: list[Any]) -> float:
    """Percentage of words with any wrong sound."""
    return round(100 - exact(outputs, references), 2)


def rouge_l(outputs: list[str], references: list[str]) -> float:
    """Mean ROUGE-L F1 in percent, as the ``rouge_score`` package computes it without stemming."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"])
    scores = [
        scorer.score(reference, output)["rougeL"].fmeasure
        for reference, output in zip(references, outputs, strict=True)
    ]
    return round(100 * sum(scores) / len(scores), 2)


def metric_of(task: str) -> tuple[str, Callable[[list[str], list[str]], float]]:
    """Name and function of a task's metric."""
    if task.startswith("g2p") or task == "cmudict":
        return "word_error_rate", word_error_rate
    if task in PARALLEL:
        return "bleu", bleu
    return {"dates": ("exact", exact), "synopsis": ("rouge_l", rouge_l)}[task]


# Measurements ----------------------------------------------------------------------------------------------------------


class ResultFile:
    """The JSON lines of one run of this script."""

    def __init__(self, path: Path, resume: bool, common: dict[str, Any]) -> None:
        self.path, self.common = path, common
        self.done = {key_of(line) for line in read_lines([path])} if resume else set()

    def append(self, line: dict[str, Any]) -> None:
        """Write a measurement to the file, and to the screen without the machine."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = line | self.common | {"machine": machine()}
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(whole, default=str) + "\n")
        print(json.dumps({name: value for name, value in line.items() if name != "choices"}, default=str), flush=True)
        self.done.add(key_of(line))


def key_of(line: dict[str, Any]) -> tuple[Any, ...]:
    """What tells measurements apart for ``--resume``."""
    return line["task"], line["program"], float(line["minutes"]), line["threads"], line["clock"]


def read_lines(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Measurements of some files, in their order; missing files are empty."""
    texts = [path.read_text("utf-8") for path in paths if path.exists()]
    return [json.loads(line) for text in texts for line in text.splitlines() if line.strip()]


def measure_ours(program: str, task: str, chosen: argparse.Namespace, results: ResultFile) -> None:
    """Train nbtextgen once for each budget."""
    name, metric = metric_of(task)
    folder = FOLDERS.get(task.split("-")[0])
    data = str(chosen.data / folder) if folder else ""
    for minutes in chosen.minutes:
        key = {"task": task, "program": program, "minutes": minutes, "threads": chosen.threads, "clock": chosen.clock}
        if key_of(key) in results.done:
            continue
        output = chosen.work / f"{program}-{task}-{minutes:g}min-t{chosen.threads}-{chosen.clock}"
        words = ("fit", task, data, chosen.clock, minutes, json.dumps(chosen.options), output)
        figures = list(measured(program, words, chosen.threads, output.with_suffix(".log")))[-1]
        scores = {}
        for decoding in ("greedy", "beam"):
            texts = json.loads((output / f"{decoding}.json").read_text("utf-8"))
            scores[f"{decoding}_{name}"] = metric(texts["outputs"], texts["targets"])
        commit = git_commit(HERE.parent) if program == "nbtextgen" else (PREVIOUS / "commit").read_text("utf-8").strip()
        results.append({**key, **scores, **figures, "commit": commit, "options": chosen.options})


def measure_peer(program: str, task: str, chosen: argparse.Namespace, results: ResultFile) -> None:
    """Train a peer once up to the longest missing budget, then score the models that it kept."""
    keys = {
        60 * minutes: {
            "task": task,
            "program": program,
            "minutes": minutes,
            "threads": chosen.threads,
            "clock": chosen.clock,
        }
        for minutes in chosen.minutes
    }
    if all(key_of(key) in results.done for key in keys.values()):
        return
    folder = chosen.work / f"{program}-{task}-t{chosen.threads}-{chosen.clock}"
    prepare(chosen.data / FOLDERS[task], folder, chosen.vocabulary)
    changed = folder / "settings.json"
    changed.unlink(missing_ok=True)
    if chosen.peer_settings:
        changed.write_text(json.dumps(chosen.peer_settings), "utf-8")
    references = (folder / "val.reference").read_text("utf-8").rstrip("\n").split("\n")
    words = ("train", program, folder, chosen.threads, chosen.clock, *(f"{seconds:g}" for seconds in keys))
    index = folder / "kept.json"
    settings = {"settings": chosen.peer_settings, "vocabulary": chosen.vocabulary}
    state = json.loads(index.read_text("utf-8")) if index.exists() else {}
    kept = state.get("kept", []) if chosen.resume and state.get("wanted") == settings else []
    if not set(keys) <= {line["budget_seconds"] for line in kept}:
        kept = []
        for line in measured(program, words, chosen.threads, folder / "train.log"):
            kept.append(line | {"trained": machine()})
            index.write_text(json.dumps({"wanted": settings, "kept": kept}), "utf-8")
            print(json.dumps({"program": program, **line}), flush=True)
    for line in kept:
        key = keys.get(line["budget_seconds"])
        if key is None or key_of(key) in results.done:
            continue
        scores = {}
        words = ("score", program, folder, chosen.threads, line["model"])
        for decoded in measured(program, words, chosen.threads, folder / "score.log"):
            outputs = [plain(text) for text in Path(decoded["output"]).read_text("utf-8").rstrip("\n").split("\n")]
            scores[f"{decoded['decoding']}_bleu"] = bleu(outputs, references)
        more = {name: line[name] for name in ("seconds", "updates", "tokens", "trained")}
        results.append({**key, **scores, **more, **settings})


# Results ------------------------------------------------------------------------------------------------------------


def curves_of(lines: Sequence[dict[str, Any]]) -> dict[tuple[str, int], Curves]:
    """Points ``(minutes really spent, score)`` of each program, by task and number of threads; the last measurement counts.

    The four G2P languages are averaged where all have been measured.
    """
    latest = {key_of(line)[:4]: line for line in lines}
    groups: dict[tuple[str, str, float, int], list[dict[str, Any]]] = {}
    for (task, program, minutes, threads), line in latest.items():
        groups.setdefault((task.split("-")[0], program, minutes, threads), []).append(line)
    charts: dict[tuple[str, int], Curves] = {}
    for (task, program, _, threads), group in sorted(groups.items()):
        if task == "g2p" and len(group) < len(LANGUAGES):
            continue
        name = f"beam_{metric_of(task)[0]}"
        seconds = sum(line["seconds"] for line in group) / len(group)
        score = sum(line[name] for line in group) / len(group)
        charts.setdefault((task, threads), {}).setdefault(program, []).append((seconds / 60, score))
    return charts


def names_of(lines: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The programs' names in the legend; a name says where its line shows processor time, or another machine than nbtextgen's."""
    latest = {key_of(line)[:4]: line for line in lines}.values()
    clocks, machines = dict[str, set[str]](), dict[str, set[str]]()
    for line in latest:
        clocks.setdefault(line["program"], set()).add(line["clock"])
        machines.setdefault(line["program"], set()).add(line["machine"]["cpu"])
    names = dict[str, str]()
    for program, name in NAMES.items():
        notes = ["processor time"] * ("cpu" in clocks.get(program, ()))
        notes += ["other machine"] * (not machines.get(program, set()) <= machines.get("nbtextgen", set()))
        names[program] = f"{name} ({', '.join(notes)})" if notes else name
    return names


def table(lines: Sequence[dict[str, Any]]) -> str:
    """All measurements as Markdown tables, one for each task: greedy / beam 5, the last measurement of each budget."""
    parts = []
    for task in dict.fromkeys(line["task"] for line in lines):
        mine = [line for line in lines if line["task"] == task]
        budgets = sorted({float(line["minutes"]) for line in mine})
        name = metric_of(task)[0]
        rows: dict[tuple[Any, ...], dict[float, str]] = {}
        for line in mine:
            row = line["program"], f"{line['threads']}, {line['clock']}, {line['machine']['cpu']}"
            rows.setdefault(row, {})[float(line["minutes"])] = f"{line[f'greedy_{name}']:g} / {line[f'beam_{name}']:g}"
        parts += [f"{task}, {name}", ""]
        parts.append("| program | threads, clock, machine | " + " | ".join(f"{budget:g}" for budget in budgets) + " |")
        parts.append("|---|---|" + "---|" * len(budgets))
        for (program, place), cells in sorted(rows.items()):
            parts.append(f"| {NAMES[program]} | {place} | " + " | ".join(cells.get(b, "") for b in budgets) + " |")
        parts.append("")
    return "\n".join(parts)


def main() -> None:
    """Measure what was asked for, or draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with multi30k, debian-en-de, g2p2020 and debian-synopsis")
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 2, 4, 8, 16, 32], help="training budgets")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--clock",
        choices=("wall", "cpu"),
        default="wall",
        help="cpu: count processor time of the training process, for one thread on a busy machine",
    )
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=["multi30k"])
    parser.add_argument("--languages", nargs="+", default=list(LANGUAGES), help="of G2P")
    parser.add_argument("--programs", nargs="+", choices=(*OURS, *PEERS), default=[*OURS, *PEERS])
    parser.add_argument("--options", type=json.loads, default={}, help="JSON of settings for nbtextgen")
    parser.add_argument("--peer-settings", type=json.loads, default={}, help="JSON of settings for a peer (trials)")
    parser.add_argument("--vocabulary", type=int, default=8000, help="joint BPE types of the peers")
    parser.add_argument("--work", type=Path, default=HERE / "work" / "curves", help="where models and outputs go")
    parser.add_argument("--out", type=Path, default=RESULTS / f"curves-{date.today()}.jsonl")
    parser.add_argument("--resume", action="store_true", help="skip what --out holds; score models kept in --work")
    parser.add_argument("--draw", action="store_true", help="only draw the picture")
    parser.add_argument("--table", action="store_true", help="only print all measurements as Markdown tables")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    chosen = parser.parse_args()
    if chosen.clock == "cpu" and chosen.threads != 1:
        parser.error("--clock cpu is for --threads 1")
    if chosen.table:
        return print(table(read_lines(sorted(RESULTS.glob("curves-*.jsonl")))))
    if chosen.draw:
        lines = read_lines(sorted(RESULTS.glob("curves-*.jsonl")))
        return draw(curves_of(lines), names_of(lines), chosen.picture)
    chosen.work = chosen.work.resolve()
    chosen.minutes = sorted(chosen.minutes)
    results = ResultFile(chosen.out, chosen.resume, {"command": " ".join(sys.argv)})
    tasks = [task for task in chosen.tasks if task != "g2p"]
    tasks += [f"g2p-{language}" for language in chosen.languages] if "g2p" in chosen.tasks else []
    failed = 0
    for task in tasks:
        if task.split("-")[0] in FOLDERS and chosen.data is None:
            print(f"{task}: skipped, since --data was not given")
            continue
        for program in chosen.programs:
            if program in PEERS and task not in PARALLEL:
                continue
            if not is_installed(program):
                print(f"{program}: skipped, since it is not installed; run benchmarks/peer_setup.sh")
                continue
            began = time.perf_counter()
            try:
                if program in PEERS:
                    measure_peer(program, task, chosen, results)
                else:
                    measure_ours(program, task, chosen, results)
            except RuntimeError as error:
                failed += 1
                print(f"failed after {time.perf_counter() - began:.0f} s: {error}", flush=True)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
