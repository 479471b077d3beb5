"""All main figures in one table, beside OpenNMT-py and the previous release.

    benchmarks/peer_setup.sh onmt previous
    .venv/bin/python benchmarks/all.py --quick --data DATA      # under 20 minutes on two cores
    .venv/bin/python benchmarks/all.py --data DATA              # the same with larger samples, about two hours

``DATA`` holds the folders multi30k and g2p2020; rows that need missing data or a missing program are left out, and a line says
so. Every measurement is a process of its own, one after another. The raw output of each goes to ``--out`` as JSON lines,
with its command. On a busy machine the ratios mean nothing: use ``--threads 1 --clock cpu`` there, which counts processor time
for training, decoding and budgets. Decoding speed is measured at a fixed output length, with the models of the training rows.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from curves import PREVIOUS, git_commit, is_installed, machine
from peers import CPU_CLOCK, HERE, has_bf16

PROGRAMS = ("nbtextgen", "previous", "onmt")
LENGTH = 20
"""Tokens of each output when decoding speed is measured."""
MIN_CPU_SHARE = 0.85
"""A process that got less than this of one CPU was held up by others."""


def processor_seconds() -> float:
    """Processor time of all finished child processes."""
    times = os.times()
    return times.children_user + times.children_system


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: name of the figure.
        unit: its unit.
        values: by program, as in ``PROGRAMS``.
        goal: what it should reach, in words.
        compare: ``rate`` (higher is better, compared by ratio), ``time`` (lower is better, by ratio) or ``score``
            (compared by difference).
    """

    what: str
    unit: str
    values: dict[str, float]
    goal: str = ""
    compare: str = "rate"

    def against(self, program: str) -> str:
        """Comparison of nbtextgen with another program; for times, how many times as fast it is."""
        ours, other = self.values.get("nbtextgen"), self.values.get(program)
        if ours is None or not other or program == "nbtextgen":
            return ""
        if self.compare == "score":
            return f"{ours - other:+.1f}"
        return f"{ours / other if self.compare == 'rate' else other / ours:.2f}x"


class Table:
    """Rows, and the processes that measure them."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self.chosen, self.rows, self.notes = chosen, [], []
        self.threads, self.work = chosen.threads, chosen.work.resolve()
        self.log = chosen.out
        self.log.parent.mkdir(parents=True, exist_ok=True)

    def run(self, words: Sequence[object], program: str = "nbtextgen") -> str:
        """Run a script in the environment of ``program``; give what it printed, and append it to the log.

        Raises:
            RuntimeError: when it fails.
        """
        own = program in ("nbtextgen", "previous")
        python = sys.executable if own else str(HERE / "peers" / program / "bin" / "python")
        variables = {**os.environ, "OMP_NUM_THREADS": str(self.threads), "MKL_NUM_THREADS": str(self.threads)}
        variables["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"  # OpenNMT-py's models are pickles
        if own:
            variables["PYTHONPATH"] = str(PREVIOUS if program == "previous" else HERE.parent)
        command, began = [python, *map(str, words)], time.perf_counter()
        shown = " ".join("CPU_CLOCK" if word == CPU_CLOCK else word for word in command[1:])
        print(f"-- {shown} ({program})", file=sys.stderr, flush=True)
        # ``python -c`` imports from the working folder first, so it must be that of the program.
        folder = PREVIOUS if program == "previous" else HERE.parent
        before = processor_seconds()
        done = subprocess.run(command, env=variables, cwd=folder, capture_output=True, text=True, errors="replace")
        line = {
            "command": shown,
            "program": program,
            "threads": self.threads,
            "seconds": round(time.perf_counter() - began, 1),
            "processor_seconds": round(processor_seconds() - before, 1),
            "exit": done.returncode,
            "machine": machine(),
            "commit": git_commit(HERE.parent),
            "stdout": done.stdout[-20_000:],
            "stderr": done.stderr[-2_000:] if done.returncode else "",
        }
        with self.log.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        share = line["processor_seconds"] / max(line["seconds"], 0.1)
        if share < MIN_CPU_SHARE and self.chosen.clock == "wall":
            self.note(
                f"busy machine: {Path(words[0]).name} ({program}) had {share:.0%} of a CPU, so its figures are unreliable"
            )
        if done.returncode:
            raise RuntimeError(f"{words[0]} ({program}) failed: {(done.stderr or done.stdout)[-300:].strip()}")
        return done.stdout

    def add(self, *row: Any, **more: Any) -> None:
        """Add a row, and print it at once."""
        self.rows.append(Row(*row, **more))
        print(self.formatted(self.rows[-1:]), file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """Remember why rows are missing."""
        self.notes.append(text)
        print(text, file=sys.stderr, flush=True)

    def programs(self, *names: str) -> list[str]:
        """Those of the programs that are installed; says which are not."""
        ready = [program for program in names if is_installed(program)]
        for program in names:
            if program not in ready:
                self.note(f"{program}: not measured, since it is not installed (benchmarks/peer_setup.sh {program})")
        return ready

    def formatted(self, rows: Sequence[Row]) -> str:
        """A Markdown table."""
        head = "| what | unit | nbtextgen | previous release | OpenNMT-py | to previous | to OpenNMT-py | goal |"
        lines = [head, "|" + "---|" * 8] if rows is self.rows else []
        for row in rows:
            values = [f"{row.values[name]:,.4g}" if name in row.values else "" for name in PROGRAMS]
            cells = [row.what, row.unit, *values, row.against("previous"), row.against("onmt"), row.goal]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines)

    # Measurements ------------------------------------------------------------------------------------------------------

    def training(self) -> None:
        """Training throughput of one network in every program."""
        if not self.has_data("multi30k", "training and decoding speed"):
            return
        steps, warmup = (40, 8) if self.chosen.quick else (150, 30)
        programs = self.programs("onmt", "previous", "nbtextgen")
        words: list[object] = [HERE / "peers.py", "--data", self.chosen.data / "multi30k", "--phases", "train"]
        words += ["--work", self.work, "--threads", self.threads, "--steps", steps, "--warmup", warmup]
        words += ["--clock", self.chosen.clock]
        lines = {}
        for text in self.run([*words, "--peers", *programs]).splitlines():
            line = json.loads(text)
            if "program" in line:
                lines[line["program"]] = line
        rates = {
            phase: {
                program: line[phase]["tokens_per_second"]
                for program, line in lines.items()
                if "tokens_per_second" in line.get(phase, {})
            }
            for phase in ("train", "train_bf16")
        }
        self.add("training, fp32", "tokens/s", rates["train"], "1.2x OpenNMT-py (1.25x with AVX512-bf16 or AMX)")
        if has_bf16():
            bf16 = rates["train_bf16"] | {"onmt": rates["train"]["onmt"]} if "onmt" in rates["train"] else {}
            self.add("training, bf16 (OpenNMT-py: fp32)", "tokens/s", bf16, "2.0x OpenNMT-py (2.5x with AMX)")
        else:
            self.note("training in bf16: not measured, since this CPU has no bf16 instructions")
        memory = {
            program: line["train"]["peak_rss_mb"] for program, line in lines.items() if "peak_rss_mb" in line["train"]
        }
        self.add("training, fp32: peak memory", "MB", memory, "at most OpenNMT-py's", compare="time")
        for program, line in lines.items():
            if "failed" in line["train"]:
                self.note(f"training of {program} failed: {line['train']['failed']}")

    def decoding(self) -> None:
        """Decoding speed with the models of ``training``."""
        if not (self.work / "nbtextgen").exists():
            return self.note(f"decoding: not measured, since {self.work} holds no model; run the group training first")
        sentences, single = (256, 16) if self.chosen.quick else (1014, 64)
        measured: dict[str, dict[str, float]] = {}
        for program in ("onmt", "previous", "nbtextgen"):
            folder = self.work / "previous" if program == "previous" else self.work
            if not is_installed(program) or not (folder / ("onmt.pt" if program == "onmt" else "nbtextgen")).exists():
                continue
            inside = "onmt" if program == "onmt" else "nbtextgen"
            clock = ["-c", CPU_CLOCK] if self.chosen.clock == "cpu" else []
            words = [*clock, HERE / "decoding_inside.py", inside, folder, self.threads, sentences, single, LENGTH]
            text = self.run(words, program)
            measured[program] = json.loads(text[text.rindex("MEASURED ") :].removeprefix("MEASURED "))
        for name, what in (("batch", "batch of 64"), ("single", "one sentence at a time")):
            for decoding, called in (("greedy", "greedy"), ("beam", "beam 5")):
                values = {program: figures[f"{decoding}_{name}"] for program, figures in measured.items()}
                goal = "3x OpenNMT-py"
                self.add(f"decoding, {called}, {what}", "ms per token", values, goal, compare="time")

    def quality(self) -> None:
        """A point of the learning curve of Multi30k, dates in one minute, and G2P."""
        minutes = 2 if self.chosen.quick else 8
        if self.has_data("multi30k", "Multi30k quality"):
            self.curve("multi30k", minutes, ("nbtextgen", "previous", "onmt-rnn"), "beam_bleu", "ahead of OpenNMT-py")
        self.curve("dates", 1, ("nbtextgen", "previous"), "beam_exact", "99.5 in one minute")
        if self.has_data("g2p2020", "G2P"):
            languages = ("hin",) if self.chosen.quick else ("fre", "hin", "kor", "rum")
            for language in languages:
                more = ("--languages", language)
                self.curve("g2p", 1, ("nbtextgen", "previous"), "beam_word_error_rate", "lower", more, f" {language}")

    def curve(
        self,
        task: str,
        minutes: float,
        programs: Sequence[str],
        figure: str,
        goal: str,
        more: Sequence[str] = (),
        suffix: str = "",
    ) -> None:
        """Measure one budget with curves.py."""
        values = {}
        for program in programs:
            if not is_installed(program):
                continue
            out = self.work / "all-curve.jsonl"
            out.unlink(missing_ok=True)
            words: list[object] = [HERE / "curves.py", "--tasks", task, "--minutes", minutes, "--programs", program]
            words += [
                "--threads",
                self.threads,
                "--clock",
                self.chosen.clock,
                "--out",
                out,
                "--work",
                self.work / "curves",
                *more,
            ]
            if self.chosen.data is not None:
                words += ["--data", self.chosen.data]
            self.run(words)
            values[program.split("-")[0]] = json.loads(out.read_text("utf-8").splitlines()[-1])[figure]
        name = {"beam_bleu": "BLEU", "beam_exact": "% exact", "beam_word_error_rate": "word error rate, %"}[figure]
        self.add(f"{task}{suffix} after {minutes} min of training, beam 5", name, values, goal, compare="score")

    def explanations(self) -> None:
        """explain_speed.py, as it prints itself."""
        text = self.run([HERE / "explain_speed.py", "--repeat", 1 if self.chosen.quick else 5])
        seconds = {line[:34].strip(): float(line[34:].split()[0]) for line in text.splitlines() if " s " in line[34:60]}
        exact, bare = seconds["exact Shapley, all outputs"], seconds["bare forward passes"]
        self.add("exact Shapley values to bare forward passes", "ratio", {"nbtextgen": exact / bare}, "at most 1.3")
        plain = seconds["plain shap, output by output"]
        self.add("plain shap to exact Shapley values", "ratio", {"nbtextgen": plain / exact}, "at least 10")
        first = seconds["panel: attention and gradients"]
        self.add("explanation panel: first answer", "s", {"nbtextgen": first}, "at most 0.2", compare="time")

    def start_up(self) -> None:
        """start_up.py for this release and the previous one."""
        lines_by_program = {}
        for program in self.programs("previous", "nbtextgen"):
            text = self.run([HERE / "start_up.py", "--runs", 3 if self.chosen.quick else 7], program)
            lines_by_program[program] = json.loads(text.splitlines()[-1])
        for key, what, goal in (
            ("load_ext_seconds", "%load_ext nbtextgen", "at most 0.1"),
            ("one_update_cell_seconds", "a first training cell of one update", "at most 4"),
        ):
            values = {program: line[key] for program, line in lines_by_program.items()}
            self.add(what, "s", values, goal, compare="time")

    def has_data(self, folder: str, what: str) -> bool:
        """Whether a data set is there; says so where it is not."""
        if self.chosen.data is not None and (self.chosen.data / folder).exists():
            return True
        self.note(f"{what}: not measured, since --data has no folder {folder}")
        return False


GROUPS = ("training", "decoding", "quality", "explanations", "start_up")


def main() -> None:
    """Measure group by group and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small samples: under 20 minutes on two cores")
    parser.add_argument("--data", type=Path, help="folder with multi30k and g2p2020")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall", help="cpu: processor time, for one thread on a busy machine"
    )
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=GROUPS)
    parser.add_argument("--work", type=Path, default=HERE / "work" / "all", help="where models go")
    parser.add_argument("--out", type=Path, default=HERE / "results" / f"all-{date.today()}.jsonl")
    chosen = parser.parse_args()
    if chosen.clock == "cpu" and chosen.threads != 1:
        parser.error("--clock cpu is for --threads 1")
    if chosen.data is not None:
        chosen.data = chosen.data.resolve()
    table, began, failed = Table(chosen), time.perf_counter(), 0
    for group in chosen.groups:
        try:
            getattr(table, group)()
        except (RuntimeError, KeyError, ValueError) as error:
            failed += 1
            table.note(f"{group}: failed: {type(error).__name__}: {error}")
    here = machine()
    print(
        f"\n{here['date']}, {here['cpu']}, {' '.join(here['flags'])}, {chosen.threads} threads, {chosen.clock} time, load {here['load']}"
    )
    print(
        f"commit {git_commit(HERE.parent)}, {(time.perf_counter() - began) / 60:.1f} minutes, raw output in {table.log}"
    )
    print("Ratios above 1 mean that nbtextgen is faster (or needs less); differences are in points.\n")
    print(table.formatted(table.rows))
    for note in table.notes:
        print(f"- {note}")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
