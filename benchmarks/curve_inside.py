"""Learning-curve work inside the environment of one program, called by curves.py; prints ``MEASURED {json}`` lines.

    python curve_inside.py train PROGRAM FOLDER THREADS CLOCK SECONDS...   # peers: one training, models kept at these times
    python curve_inside.py score PROGRAM FOLDER THREADS MODEL   # peers: decode ``val`` with one kept model
    python curve_inside.py fit TASK DATA CLOCK MINUTES OPTIONS OUTPUT   # nbtextgen: one training with a time limit

The peers' own training loops and decoders run unchanged. Their clock starts at the first update, so that start-up and the
reading of data do not count; it stops while a model is written. nbtextgen's time is all of ``fit``: reading, tokenization,
training, validation. With CLOCK ``cpu`` processor time takes the place of wall time everywhere, for one thread on a busy machine.
The settings of the peers are in curve_settings.py.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from curve_settings import SETTINGS

MAX_LENGTH = 80
"""Most tokens of a decoded sentence, as in peer_inside.py, unless the references are longer."""
DECODING_BATCH = 64
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


class TrainingEnded(Exception):
    """Raised inside a peer's training loop when the last budget is used up."""


class BudgetClock:
    """Time of training since the first update, without the time spent on writing models."""

    def __init__(self, folder: Path, clock: str, budgets: list[float]) -> None:
        self.folder, self.now, self.pending = folder, CLOCKS[clock], sorted(budgets)
        self.began, self.paused, self.updates, self.tokens = 0.0, 0.0, 0, 0

    def start(self) -> None:
        """Start the clock, once."""
        self.began = self.began or self.now()

    def updated(self, tokens: int, save: Callable[[Path], None]) -> None:
        """Count an update; write the model when a budget is used up; raise ``TrainingEnded`` after the last one."""
        self.updates += 1
        self.tokens += tokens
        now = self.now()
        seconds = now - self.began - self.paused
        while self.pending and seconds >= self.pending[0]:
            budget = self.pending.pop(0)
            path = self.folder / f"kept-{budget:g}.pt"
            save(path)
            kept = {"budget_seconds": budget, "seconds": round(seconds, 1), "model": str(path)}
            kept |= {"updates": self.updates, "tokens": self.tokens}
            report(kept)
        self.paused += self.now() - now
        if not self.pending:
            raise TrainingEnded


def report(measured: dict[str, Any]) -> None:
    """Print one line for curves.py."""
    print("\nMEASURED " + json.dumps(measured, default=str), flush=True)


def settings_of(folder: Path, program: str) -> dict[str, Any]:
    """The settings in curve_settings.py, with those of ``FOLDER/settings.json`` in their place (for trials)."""
    changed = folder / "settings.json"
    return SETTINGS[program] | (json.loads(changed.read_text("utf-8")) if changed.exists() else {})


def most_tokens(folder: Path) -> int:
    """Length limit of outputs: no reference is cut."""
    return max(MAX_LENGTH, max(len(line.split()) for line in (folder / "val.de").read_text("utf-8").split("\n")))


# OpenNMT-py ------------------------------------------------------------------------------------------------------------


def onmt_train(folder: Path, program: str, clock_name: str, budgets: list[float]) -> None:
    import onmt.bin.train as training
    import yaml
    from onmt.trainer import Trainer

    settings = {
        "data": {
            "train": {"path_src": f"{folder}/train.en", "path_tgt": f"{folder}/train.de"},
            "valid": {"path_src": f"{folder}/val.en", "path_tgt": f"{folder}/val.de"},
        },
        "src_vocab": f"{folder}/vocab.txt",
        "tgt_vocab": f"{folder}/vocab.txt",
        "share_vocab": True,
        "save_model": f"{folder}/onmt",
        "bucket_size": 8192,
        "num_workers": 0,
        "train_steps": 10**7,
        "valid_steps": 10**8,
        "save_checkpoint_steps": 10**8,
        "report_every": 50,
        "seed": 1,
        **settings_of(folder, program),
    }
    (folder / "onmt.yaml").write_text(yaml.safe_dump(settings))
    clock = BudgetClock(folder, clock_name, budgets)
    original, averaging = Trainer._gradient_accumulation, Trainer._maybe_report_training

    def update(self: Trainer, batches: list, *rest: object) -> None:
        clock.start()
        original(self, batches, *rest)
        pad = self.train_loss.padding_idx
        self.batch_tokens = sum(
            int(batch["srclen"].sum()) + int(batch["tgt"][:, :, 0].ne(pad).sum()) - 2 * len(batch["tgt"])
            for batch in batches
        )

    def after_averaging(self: Trainer, *rest: object) -> object:
        def save(path: Path) -> None:
            self.model_saver.base_path = str(path)
            self.model_saver.save(clock.updates, moving_average=self.moving_average)
            Path(f"{path}_step_{clock.updates}.pt").replace(path)

        clock.updated(self.batch_tokens, save)
        return averaging(self, *rest)

    Trainer._gradient_accumulation, Trainer._maybe_report_training = update, after_averaging
    options, _ = training._get_parser().parse_known_args(["-config", f"{folder}/onmt.yaml"])
    with contextlib.suppress(TrainingEnded):
        training.train(options)


def onmt_score(folder: Path, model: Path) -> None:
    import onmt.bin.translate as program
    from onmt.inference_engine import InferenceEnginePY
    from onmt.utils.parse import ArgumentParser

    for beam in (1, 5):  # length penalty "avg", the program's default
        output = model.with_suffix(f".beam{beam}")
        words = ["-model", str(model), "-src", f"{folder}/val.en", "-output", str(output), "-beam_size", str(beam)]
        words += ["-batch_size", str(DECODING_BATCH), "-batch_type", "sents", "-max_length", str(most_tokens(folder))]
        options = program._get_parser().parse_args(words)
        ArgumentParser.validate_translate_opts(options)
        ArgumentParser._get_all_transform_translate(options)
        ArgumentParser._validate_transforms_opts(options)
        ArgumentParser.validate_translate_opts_dynamic(options)
        InferenceEnginePY(options).infer_file()
        report({"decoding": "greedy" if beam == 1 else "beam", "output": str(output)})


# JoeyNMT ---------------------------------------------------------------------------------------------------------------


def joeynmt_parts(folder: Path, program: str, mode: str) -> tuple[Any, Any, Any, Any, Any]:
    from joeynmt.config import parse_global_args
    from joeynmt.data import load_data
    from joeynmt.model import build_model

    chosen = settings_of(folder, program)
    specials = ["<unk>", "<pad>", "<s>", "</s>"]
    words = [line.split("\t")[0] for line in (folder / "vocab.txt").read_text("utf-8").rstrip("\n").split("\n")]
    kept = [word for word in words if word not in specials]
    (folder / "joeynmt.vocab").write_text("\n".join(specials + kept) + "\n", "utf-8")

    def side(language: str) -> dict[str, object]:
        return {"lang": language, "level": "word", "lowercase": False, "voc_file": f"{folder}/joeynmt.vocab"}

    (folder / "joeynmt").mkdir(exist_ok=True)
    settings = parse_global_args(
        {
            "name": program,
            "model_dir": f"{folder}/joeynmt",
            "use_cuda": False,
            "fp16": False,
            "random_seed": 1,
            "data": {
                "train": f"{folder}/train",
                "dev": f"{folder}/val",
                "dataset_type": "plain",
                "src": side("en"),
                "trg": side("de"),
                "special_symbols": {},
            },
            "testing": {
                "batch_size": DECODING_BATCH,
                "batch_type": "sentence",
                "beam_size": 1,
                "max_output_length": most_tokens(folder),
                "eval_metrics": [],
            },
            "training": {
                "epochs": 10**4,
                "updates": 10**7,
                "validation_freq": 10**7,
                "logging_freq": 50,
                "early_stopping_metric": "ppl",
                "model_dir": f"{folder}/joeynmt",
                "overwrite": True,
                **chosen["training"],
            },
            "model": chosen["model"],
        },
        rank=0,
        mode=mode,
    )
    datasets = ["train", "dev"] if mode == "train" else ["dev"]
    source, target, train, dev, _ = load_data(settings.data, datasets=datasets)
    model = build_model(settings.model, src_vocab=source, trg_vocab=target)
    model.loss_function = tuple(chosen["loss"])
    return settings, model, train, dev, chosen


def joeynmt_train(folder: Path, program: str, clock_name: str, budgets: list[float]) -> None:
    from joeynmt.training import TrainManager

    settings, model, train, dev, _ = joeynmt_parts(folder, program, "train")
    manager = TrainManager(
        model=model,
        rank=0,
        model_dir=settings.model_dir,
        device=settings.device,
        n_gpu=0,
        num_workers=0,
        autocast=settings.autocast,
        seed=settings.seed,
        train_args=settings.train,
        dev_args=settings.test,
    )
    clock = BudgetClock(folder, clock_name, budgets)
    step, tokens = manager._train_step, 0

    def counted(batch: Any) -> object:
        nonlocal tokens
        if clock.began:  # the batch before this one has made its update
            clock.updated(tokens, lambda path: torch.save(model.state_dict(), path))
        clock.start()
        pad = model.pad_index
        tokens = int(batch.src.ne(pad).sum()) + int(batch.trg.ne(pad).sum()) - 2 * batch.nseqs
        return step(batch)

    manager._train_step = counted
    with contextlib.suppress(TrainingEnded):
        manager.train_and_validate(train_data=train, valid_data=dev)


def joeynmt_score(folder: Path, program: str, model_path: Path) -> None:
    from joeynmt.prediction import predict

    settings, model, _, dev, _ = joeynmt_parts(folder, program, "test")
    model.load_state_dict(torch.load(model_path))
    for name, beam, alpha in (("greedy", 1, -1), ("beam", 5, 1.0)):
        arguments = settings.test._replace(beam_size=beam, beam_alpha=alpha)
        predictions = predict(
            model, dev, settings.device, 0, compute_loss=False, autocast=settings.autocast, args=arguments
        )
        lines = [" ".join(token for token in line if token != "</s>") for line in predictions[3]]
        output = model_path.with_suffix(f".beam{beam}")
        output.write_text("\n".join(lines) + "\n", "utf-8")
        report({"decoding": name, "output": str(output)})


# nbtextgen -------------------------------------------------------------------------------------------------------------


def fit(task: str, data: str, clock: str, minutes: float, options: dict[str, Any], output: Path) -> None:
    """Train with a time limit and default settings, decode the held-out sources, write outputs and report the time."""
    time.perf_counter = CLOCKS[clock]  # what ``max_minutes`` is counted by
    import nbtextgen
    from nbtextgen import TextGenerator

    began, worked = time.perf_counter(), time.process_time()
    train, sources, targets = task_data(task, data)
    model = TextGenerator(**{"max_minutes": minutes} | options).fit(train)
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    output.mkdir(parents=True, exist_ok=True)
    for name, beam in (("greedy", 1), ("beam", 5)):
        lines = [each.text for each in model.generate(sources, beam=beam)]
        (output / f"{name}.json").write_text(json.dumps({"outputs": lines, "targets": targets}), "utf-8")
    report(
        {
            "seconds": round(seconds, 1),
            "processor_seconds": round(processor, 1),
            "library": str(Path(nbtextgen.__file__).parent),
            "torch_threads": torch.get_num_threads(),
            "choices": dict(model.choices),
        }
    )


def task_data(task: str, data: str) -> tuple[Any, list[str], list[str] | list[list[str]]]:
    """Training pairs, and the held-out sources with their targets: of CMUdict all pronunciations of a word."""
    from nbtextgen import Pairs, builtin

    if task == "cmudict":
        from pronunciation import split

        train, valid, _ = split()
        targets = dict[str, list[str]]()
        for source, target in zip(valid.sources, valid.targets, strict=True):
            targets.setdefault(source, []).append(target)
        return train, list(targets), list(targets.values())
    if task == "dates":
        pairs = builtin("dates", 22_000)
        train, held = pairs[:20_000], pairs[20_000:]
    elif task == "multi30k":
        train, held = (Pairs.of((Path(data, f"{part}.en"), Path(data, f"{part}.de"))) for part in ("train", "val"))
    elif task in ("synopsis", "descriptions"):
        train, held = (Pairs.of(Path(data, f"{part}.tsv")) for part in ("train", "valid"))
    else:  # a language of g2p2020
        train, held = (Pairs.of(Path(data, f"{task.removeprefix('g2p-')}_{part}.tsv")) for part in ("train", "dev"))
    return train, list(held.sources), list(held.targets)


def main() -> None:
    phase = sys.argv[1]
    if phase == "fit":
        task, data, clock, minutes, options, output = sys.argv[2:]
        return fit(task, data, clock, float(minutes), json.loads(options), Path(output))
    program, folder, threads = sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(threads)
    peer = program.split("-")[0]
    if phase == "train":
        train = onmt_train if peer == "onmt" else joeynmt_train
        return train(folder, program, sys.argv[5], [float(word) for word in sys.argv[6:]])
    if peer == "onmt":
        return onmt_score(folder, Path(sys.argv[5]))
    return joeynmt_score(folder, program, Path(sys.argv[5]))


if __name__ == "__main__":
    main()
