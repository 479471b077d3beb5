"""Training and decoding of nbtextgen with the network that peer_inside.py gives the peers; used by that script."""

from __future__ import annotations

from pathlib import Path

from peer_clock import BATCH, DEVICE, DROPOUT, EMBEDDING, HIDDEN, LONGEST, RATE, Clock, head, timed


def nbtextgen_train(work: Path, warmup: int, steps: int, precision: str = "fp32") -> dict[str, object]:
    from nbtextgen import TextGenerator
    from nbtextgen.training.trainer import Trainer

    clock = Clock(warmup, steps)
    original = Trainer.update

    def counted(self: Trainer, group: list) -> tuple:
        rows = [row for part in group for row in part]
        clock.saw(sum(len(self.train.sources[row]) + len(self.train.targets[row]) - 2 for row in rows))
        return original(self, group)

    Trainer.update = counted
    model = TextGenerator(
        tokens="symbol",
        shared_vocabulary=True,
        tied_embeddings="none",
        attention="general",
        embedding_size=EMBEDDING,
        hidden_size=HIDDEN,
        dropout=DROPOUT,
        label_smoothing=0.0,
        learning_rate=RATE,
        schedule="constant",
        batch_size=BATCH,
        batch_tokens=10**6,
        epochs=10**4,
        max_steps=warmup + steps,
        validate_every=10**8,
        valid_fraction=0.0,
        samples=0,
        device=DEVICE,
        precision=precision,
    )
    model.fit(str(work / "train.tsv"))
    if precision == "fp32":
        model.save(work / "nbtextgen")
    return clock.measured()


def nbtextgen_train_bf16(work: Path, warmup: int, steps: int) -> dict[str, object]:
    return nbtextgen_train(work, warmup, steps, "bf16")


def nbtextgen_decode(work: Path, beam: int, name: str, sentences: int) -> dict[str, object]:
    from nbtextgen import TextGenerator

    source = head(work, "val.en", sentences).read_text("utf-8").rstrip("\n").split("\n")
    model = TextGenerator.load(work / "nbtextgen")

    def decode() -> list[str]:
        # No penalties, as the peers by default: the same search, and an early end that is as easily proven.
        written = model.generate(
            source, beam=beam, batch_size=BATCH, max_length=LONGEST, length_penalty=0.0, coverage_penalty=0.0
        )
        return [" ".join(each.tokens) for each in written]

    return timed(work, name, decode)
