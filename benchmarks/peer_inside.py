"""One phase of one program, run by peers.py in that program's environment; prints ``MEASURED {json}`` at the end.

The peers' own training loops and decoders run unchanged. Time is taken by a hook after each optimizer step, tokens
(source and target without padding, begin and end marks) are counted by looking at the batches that pass.
All: embedding 256, bidirectional LSTM encoder 2 x 256, LSTM decoder 512, one layer each, batch 64, Adam, dropout 0.2.
"""

from __future__ import annotations

import itertools
import json
import resource
import shutil
import sys
import time
from pathlib import Path

import torch
from nbtextgen_inside import nbtextgen_decode, nbtextgen_train, nbtextgen_train_bf16  # noqa: F401 (main finds them by name)
from peer_clock import BATCH, DEVICE, DROPOUT, EMBEDDING, HIDDEN, LONGEST, RATE, Clock, head, timed
from torch.optim.optimizer import register_optimizer_step_post_hook


def onmt_train(work: Path, warmup: int, steps: int, save_every: int = 10**8) -> dict[str, object]:
    import onmt.bin.train as program
    import yaml
    from onmt.trainer import Trainer

    (work / "onmt.yaml").write_text(
        yaml.safe_dump(
            {
                "data": {
                    "train": {"path_src": f"{work}/train.en", "path_tgt": f"{work}/train.de"},
                    "valid": {"path_src": f"{work}/val.en", "path_tgt": f"{work}/val.de"},
                },
                "src_vocab": f"{work}/vocab.txt",
                "tgt_vocab": f"{work}/vocab.txt",
                "share_vocab": True,
                "save_model": f"{work}/onmt",
                "encoder_type": "brnn",
                "decoder_type": "rnn",
                "rnn_type": "LSTM",
                "global_attention": "general",
                "input_feed": 0,
                "word_vec_size": EMBEDDING,
                "hidden_size": HIDDEN,
                "layers": 1,
                "dropout": [DROPOUT],
                "optim": "adam",
                "learning_rate": RATE,
                "batch_type": "sents",
                "batch_size": BATCH,
                "bucket_size": 8192,
                "num_workers": 0,
                "train_steps": warmup + steps,
                "valid_steps": 10**8,
                "save_checkpoint_steps": save_every,
                "report_every": 50,
                "seed": 1,
                **({"world_size": 1, "gpu_ranks": [0]} if DEVICE == "cuda" else {}),
            }
        )
    )
    clock = Clock(warmup, steps)
    original = Trainer._gradient_accumulation

    def counted(self: Trainer, batches: list, *rest: object) -> object:
        for batch in batches:
            target = batch["tgt"][:, :, 0]
            pad = self.train_loss.padding_idx
            clock.saw(int(batch["srclen"].sum()) + int(target.ne(pad).sum()) - 2 * len(target))
        return original(self, batches, *rest)

    Trainer._gradient_accumulation = counted
    options, _ = program._get_parser().parse_known_args(["-config", f"{work}/onmt.yaml"])
    program.train(options)
    newest = max(work.glob("onmt_step_*.pt"), key=lambda path: path.stat().st_mtime)
    shutil.copyfile(newest, work / "onmt.pt")
    return clock.measured()


def onmt_train_curve(work: Path, warmup: int, steps: int) -> dict[str, object]:
    """Train ``steps`` updates, keep every epoch's model, and write the validation set with each (beam 5) after the clock.

    Gives ``seconds_at``: wall time from the first update's start to each kept model, and the ``outputs`` written with it.
    """
    for old in work.glob("onmt_step_*.pt"):
        old.unlink()
    epoch = -(-len((work / "train.en").read_text("utf-8").splitlines()) // BATCH)
    began, ended = time.perf_counter(), {}
    count = itertools.count(1)

    def updated(*_: object) -> None:
        nonlocal began
        done = next(count)
        if done == 1:
            began = time.perf_counter()
        elif done % epoch == 0:
            ended[done] = round(time.perf_counter() - began, 1)
            print(f"EPOCH {done // epoch} {ended[done]}", flush=True)

    register_optimizer_step_post_hook(updated)
    measured, outputs = onmt_train(work, warmup, steps, save_every=epoch), {}
    for done in ended:
        shutil.copyfile(work / f"onmt_step_{done}.pt", work / "onmt.pt")
        outputs[done] = f"onmt.epoch{done // epoch}"
        onmt_decode(work, 5, outputs[done], 10**6)
    return {**measured, "seconds_at": ended, "outputs": outputs}


def onmt_decode(work: Path, beam: int, name: str, sentences: int) -> dict[str, object]:
    import onmt.bin.translate as program
    from onmt.inference_engine import InferenceEnginePY
    from onmt.utils.parse import ArgumentParser

    source = head(work, "val.en", sentences)
    output = work / "onmt.written"
    words = ["-model", f"{work}/onmt.pt", "-src", str(source), "-output", str(output), "-beam_size", str(beam)]
    words += ["-batch_size", str(BATCH), "-batch_type", "sents", "-max_length", str(LONGEST)]
    options = program._get_parser().parse_args(words)
    ArgumentParser.validate_translate_opts(options)
    ArgumentParser._get_all_transform_translate(options)
    ArgumentParser._validate_transforms_opts(options)
    ArgumentParser.validate_translate_opts_dynamic(options)
    engine = InferenceEnginePY(options)

    def decode() -> list[str]:
        engine.infer_file()
        return output.read_text("utf-8").rstrip("\n").split("\n")

    return timed(work, name, decode)


def joeynmt_settings(work: Path, updates: int) -> dict[str, object]:
    specials = ["<unk>", "<pad>", "<s>", "</s>"]
    words = [line.split("\t")[0] for line in (work / "vocab.txt").read_text("utf-8").rstrip("\n").split("\n")]
    kept = [word for word in words if word not in specials]
    (work / "joeynmt.vocab").write_text("\n".join(specials + kept) + "\n", "utf-8")

    def side(language: str) -> dict[str, object]:
        return {"lang": language, "level": "word", "lowercase": False, "voc_file": f"{work}/joeynmt.vocab"}

    recurrent = {"rnn_type": "lstm", "num_layers": 1, "dropout": DROPOUT}
    embeddings = {"embedding_dim": EMBEDDING, "scale": False, "dropout": DROPOUT}
    encoder = {"type": "recurrent", "embeddings": embeddings, "hidden_size": HIDDEN // 2, "bidirectional": True}
    decoder = {"type": "recurrent", "embeddings": embeddings, "hidden_size": HIDDEN, "attention": "luong"}
    return {
        "name": "peer",
        "model_dir": f"{work}/joeynmt",
        "use_cuda": False,
        "fp16": False,
        "random_seed": 1,
        "data": {
            "train": f"{work}/train",
            "dev": f"{work}/head.val",
            "dataset_type": "plain",
            "src": side("en"),
            "trg": side("de"),
            "special_symbols": {},
        },
        "testing": {"batch_size": BATCH, "beam_size": 1, "max_output_length": LONGEST, "eval_metrics": []},
        "training": {
            "optimizer": "adam",
            "learning_rate": RATE,
            "scheduling": "exponential",  # its settings must name one; this one stays where it is
            "decrease_factor": 1.0,
            "batch_size": BATCH,
            "batch_type": "sentence",
            "epochs": 10**4,
            "updates": updates,
            "validation_freq": updates,
            "logging_freq": updates,
            "early_stopping_metric": "ppl",
            "model_dir": f"{work}/joeynmt",
            "overwrite": True,
        },
        "model": {
            "encoder": {**recurrent, **encoder},
            "decoder": {**recurrent, **decoder, "input_feeding": False, "init_hidden": "bridge"},
        },
    }


def joeynmt_parts(work: Path, mode: str, updates: int) -> tuple:
    from joeynmt.config import parse_global_args
    from joeynmt.data import load_data
    from joeynmt.model import build_model

    settings = parse_global_args(joeynmt_settings(work, updates), rank=0, mode=mode)
    datasets = ["train", "dev"] if mode == "train" else ["dev"]
    source, target, train, dev, _ = load_data(settings.data, datasets=datasets)
    return settings, build_model(settings.model, src_vocab=source, trg_vocab=target), train, dev


def joeynmt_train(work: Path, warmup: int, steps: int) -> dict[str, object]:
    from joeynmt.training import TrainManager

    for language in ("en", "de"):
        head(work, f"val.{language}", BATCH)  # JoeyNMT validates when it saves: keep that short
    (work / "joeynmt").mkdir(exist_ok=True)
    settings, model, train, dev = joeynmt_parts(work, "train", warmup + steps)
    model.loss_function = ("crossentropy", 0.0)
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
    clock = Clock(warmup, steps)
    step = manager._train_step

    def counted(batch: object) -> object:
        pad = model.pad_index
        source, target = int(batch.src.ne(pad).sum()), int(batch.trg.ne(pad).sum())
        clock.saw(source + target - 2 * batch.nseqs)  # an end mark on either side
        return step(batch)

    manager._train_step = counted
    manager.train_and_validate(train_data=train, valid_data=dev)
    torch.save(model.state_dict(), work / "joeynmt.pt")
    return clock.measured()


def joeynmt_decode(work: Path, beam: int, name: str, sentences: int) -> dict[str, object]:
    from joeynmt.prediction import predict

    for language in ("en", "de"):
        head(work, f"val.{language}", sentences)
    settings, model, _, dev = joeynmt_parts(work, "test", 1)
    model.load_state_dict(torch.load(work / "joeynmt.pt"))
    arguments = settings.test._replace(beam_size=beam, beam_alpha=-1)

    def decode() -> list[str]:
        output = predict(model, dev, settings.device, 0, compute_loss=False, autocast=settings.autocast, args=arguments)
        return [" ".join(token for token in line if token != "</s>") for line in output[3]]

    return timed(work, name, decode)


def yoyodyne_parts(work: Path, beam: int, sentences: int) -> tuple:
    from yoyodyne.data import DataModule
    from yoyodyne.models import SoftAttentionLSTMModel
    from yoyodyne.models.modules import LSTMEncoder

    head(work, "val.tsv", sentences)
    data = DataModule(
        model_dir=f"{work}/yoyodyne",
        train=f"{work}/train.tsv",
        predict=f"{work}/head.val.tsv",
        source_sep=" ",
        target_sep=" ",
        batch_size=BATCH if beam == 1 else 1,  # its beam search knows no batches
        max_source_length=256,
        max_target_length=256,
    )
    encoder = LSTMEncoder(
        embedding_size=EMBEDDING, hidden_size=HIDDEN // 2, bidirectional=True, dropout=DROPOUT, layers=1
    )
    model = SoftAttentionLSTMModel(
        source_encoder=encoder,
        embedding_size=EMBEDDING,
        decoder_hidden_size=HIDDEN,
        decoder_layers=1,
        decoder_dropout=DROPOUT,
        beam_width=beam,
        max_target_length=LONGEST,
        compute_accuracy=False,
        target_vocab_size=data.target_vocab_size,
        vocab_size=data.vocab_size,
    )
    return data, model


def yoyodyne_train(work: Path, warmup: int, steps: int) -> dict[str, object]:
    from yoyodyne.trainers import Trainer

    (work / "yoyodyne").mkdir(exist_ok=True)
    data, model = yoyodyne_parts(work, 1, BATCH)
    clock = Clock(warmup, steps)
    step = model.training_step

    def counted(batch: object, batch_idx: int) -> object:
        source, target = (int((~side.mask).sum()) for side in (batch.source, batch.target))
        clock.saw(source + target - 3 * len(batch))  # begin and end of the source, end of the target
        return step(batch, batch_idx)

    model.training_step = counted
    trainer = Trainer(
        max_steps=warmup + steps,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        accelerator="cpu",
    )
    trainer.fit(model, train_dataloaders=data.train_dataloader())
    torch.save(model.state_dict(), work / "yoyodyne.pt")
    return clock.measured()


def yoyodyne_decode(work: Path, beam: int, name: str, sentences: int) -> dict[str, object]:
    from yoyodyne.data.mappers import Mapper

    data, model = yoyodyne_parts(work, beam, sentences)
    model.load_state_dict(torch.load(work / "yoyodyne.pt"))
    model.eval()
    data.parser.target_col = 0  # its greedy search otherwise stops at the reference's length
    data.collator.has_target = False
    mapper = Mapper(data.index)

    def decode() -> list[str]:
        lines = []
        for index, batch in enumerate(data.predict_dataloader()):
            predictions = model.predict_step(batch, index)
            rows = predictions if beam == 1 else predictions[0][:, 0]
            lines += [" ".join(mapper.decode_target(row)) for row in rows]
        return lines

    with torch.inference_mode():
        return timed(work, name, decode)


def main() -> None:
    peer, phase, folder = sys.argv[1:4]
    warmup, steps, threads, sentences = map(int, sys.argv[4:])
    torch.set_num_threads(threads)
    work = Path(folder)
    if phase.startswith("train"):
        measured = globals()[f"{peer}_{phase}"](work, warmup, steps)
    else:
        measured = globals()[f"{peer}_decode"](work, 5 if phase == "beam" else 1, f"{peer}.{phase}", sentences)
    kilobytes = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print("\nMEASURED " + json.dumps(measured | {"peak_rss_mb": round(kilobytes / 1024)}), flush=True)


if __name__ == "__main__":
    main()
