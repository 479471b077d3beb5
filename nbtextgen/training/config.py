"""Settings of training."""

from __future__ import annotations

from dataclasses import dataclass

from nbtextgen.core.options import option

OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("stable-decay", "constant", "inverse-sqrt", "cosine", "plateau")
PRECISIONS = ("auto", "fp32", "bf16")
TOKEN_METRICS = ("accuracy", "sequence-accuracy", "loss")
"""Computed from the probabilities of the references' tokens, so they cannot be compared between tokenizers."""
METRICS = (*TOKEN_METRICS, "exact", "bleu", "chrf", "ter", "rouge", "error-rate")
AVERAGES = ("none", "ema", "last")


@dataclass(frozen=True)
class TrainingConfig:
    """How the network learns; ``None`` is chosen from the data by ``TextGenerator.fit``."""

    epochs: int | None = option(
        None, "passes over the training pairs, at most", minimum=1, maximum=100_000, usual=(1, 256)
    )
    max_minutes: float | None = option(
        None,
        "wall time of the whole training, minutes; model size and schedule are fitted to it",
        above=0.0,
        usual=(0.5, 120),
    )
    max_steps: int | None = option(None, "stop after this many updates", minimum=1, usual=(16, 65536))
    batch_tokens: int | None = option(
        None,
        "most source + target tokens in a batch, padding included",
        minimum=16,
        maximum=10_000_000,
        usual=(256, 65536),
    )
    batch_size: int | None = option(None, "most pairs in a batch", minimum=1, maximum=1_000_000, usual=(4, 512))
    accumulate: int = option(
        1, "batches whose gradients are added up before an update", minimum=1, maximum=10_000, usual=(1, 16)
    )
    optimizer: str = option("adam", "optimizer", choices=OPTIMIZERS)
    learning_rate: float | None = option(None, "peak learning rate", above=0.0, maximum=100.0, usual=(0.0001, 0.1))
    schedule: str | None = option(None, "how the learning rate moves", choices=SCHEDULES)
    warmup: float = option(
        0.1, "fraction of training used for learning-rate warm-up", minimum=0.0, below=1.0, usual=(0, 0.5)
    )
    weight_decay: float = option(0.0, "weight decay", minimum=0.0, maximum=10.0, usual=(0, 1))
    momentum: float = option(0.9, "momentum of SGD", minimum=0.0, below=1.0, usual=(0, 0.95))
    clip: float = option(1.0, "largest gradient norm; 0 turns clipping off", minimum=0.0, usual=(0, 10))
    label_smoothing: float = option(
        0.1, "share of the target probability spread over all tokens", minimum=0.0, below=1.0, usual=(0, 0.4)
    )
    teacher_forcing: float = option(1.0, "share of steps fed with the true previous token", minimum=0.0, maximum=1.0)
    source_masking: float = option(
        0.0,
        "share of source tokens masked in training, which makes explanations more truthful",
        minimum=0.0,
        below=1.0,
        usual=(0, 0.5),
    )
    coverage_weight: float = option(1.0, "weight of the coverage loss", minimum=0.0, usual=(0, 5))
    precision: str = option(
        "auto", "arithmetic; auto uses bf16 where the processor trains the network faster in it", choices=PRECISIONS
    )
    device: str = option("auto", "auto, cpu, cuda or mps", choices=("auto", "cpu", "cuda", "mps"))
    threads: int | None = option(
        None,
        "processor threads for training; auto times some updates with each number, and again when the speed changes; give a "
        "number for results that repeat to the bit",
        minimum=1,
        maximum=1024,
        usual=(1, 8),
    )
    valid_fraction: float = option(
        0.1, "share of the pairs held out when no validation pairs are given", minimum=0.0, below=1.0, usual=(0, 0.5)
    )
    valid_limit: int = option(1000, "most pairs held out", minimum=1, usual=(64, 16384))
    allow_overlap: bool = option(False, "train also on pairs that are validation pairs")
    select_by: str | None = option(
        None,
        "validation metric that chooses the best checkpoint; default: accuracy (share of tokens that are "
        "right), or sequence-accuracy (share of outputs that are) for short outputs of characters or symbols",
        choices=METRICS,
        own_metrics=True,
    )
    patience: int | None = option(
        None,
        "validations without improvement before stopping; default: those of a quarter of the training",
        minimum=1,
        usual=(1, 20),
    )
    validate_every: int | None = option(
        None, "updates between validations; default: once an epoch", minimum=1, usual=(16, 16384)
    )
    average: str | None = option(None, "weight averaging: moving average, or the last k checkpoints", choices=AVERAGES)
    ema_decay: float = option(0.999, "decay of the moving average", above=0.0, below=1.0, usual=(0.9, 0.9999))
    average_last: int = option(5, "checkpoints averaged by --average last", minimum=1, maximum=1000, usual=(1, 20))
    ensemble: int = option(
        1, "models trained from different seeds and used together", minimum=1, maximum=64, usual=(1, 8)
    )
    samples: int = option(3, "sample outputs shown at each validation", minimum=0, maximum=100, usual=(0, 10))
    max_length: int = option(
        2000,
        "pairs with more tokens than this on a side are left out of training",
        minimum=1,
        maximum=1_000_000,
        usual=(16, 4096),
    )
    snapshot: bool = option(
        False,
        "keep a copy of the weights from late in the training, too: both score each output, so that the confidence finds more of the "
        "wrong ones",
    )
    checkpoint_seconds: float = option(
        30.0,
        "seconds of training between the checkpoints of a run folder; 0 is after every update",
        minimum=0.0,
        maximum=86_400.0,
        usual=(5, 600),
    )
    seed: int = option(1, "seed of everything random", minimum=0, maximum=2**32 - 1, usual=(0, 20))
