"""Keyword arguments of the public methods, for type checkers and editors.

``scripts/write_option_types.py`` writes this file from the configuration dataclasses; do not edit it by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Literal, TypedDict

from nbtextgen.core.own_metrics import OwnMetric


class GeneratorOptions(TypedDict, total=False):
    """Keywords of ``TextGenerator``."""

    clean: str | None
    augment: str | None
    synonyms: str | PathLike[str] | None
    context: int | None
    window: int | None
    keep_rows: bool
    store: str | PathLike[str] | None
    tokens: Literal["char", "word", "symbol", "bpe"] | None
    source_tokens: Literal["char", "word", "symbol", "bpe"] | None
    target_tokens: Literal["char", "word", "symbol", "bpe"] | None
    source_normalization: Literal["none", "nfc", "nfd", "nfkc"] | None
    target_normalization: Literal["none", "nfc", "nfd", "nfkc"] | None
    source_lowercase: bool
    target_lowercase: bool
    shared_vocabulary: bool | None
    vocabulary_size: int | None
    source_limit: int | None
    minimum_frequency: int
    cell: Literal["rnn", "gru", "lstm"]
    attention: Literal["none", "dot", "general", "additive", "multihead"]
    heads: int
    embedding_size: int | None
    hidden_size: int | None
    encoder_layers: int
    decoder_layers: int
    bidirectional: bool
    input_feeding: bool
    tied_embeddings: Literal["none", "target", "inputs", "all"]
    layer_norm: bool
    dropout: float | None
    embedding_dropout: float | None
    output_dropout: float | None
    variational_dropout: bool
    copy: bool | None
    coverage: bool
    source_embeddings: str | PathLike[str] | None
    target_embeddings: str | PathLike[str] | None
    epochs: int | None
    max_minutes: float | None
    max_steps: int | None
    batch_tokens: int | None
    batch_size: int | None
    accumulate: int
    optimizer: Literal["adam", "adamw", "sgd"]
    learning_rate: float | None
    schedule: Literal["stable-decay", "constant", "inverse-sqrt", "cosine", "plateau"] | None
    warmup: float
    weight_decay: float
    momentum: float
    clip: float
    label_smoothing: float
    teacher_forcing: float
    source_masking: float
    coverage_weight: float
    precision: Literal["auto", "fp32", "bf16"]
    device: Literal["auto", "cpu", "cuda", "mps"]
    threads: int | None
    valid_fraction: float
    valid_limit: int
    allow_overlap: bool
    select_by: (
        Literal["accuracy", "sequence-accuracy", "loss", "exact", "bleu", "chrf", "ter", "rouge", "error-rate"]
        | OwnMetric
        | None
    )
    patience: int | None
    validate_every: int | None
    average: Literal["none", "ema", "last"] | None
    ema_decay: float
    average_last: int
    ensemble: int
    samples: int
    max_length: int
    snapshot: bool
    checkpoint_seconds: float
    seed: int


class DecodingOptions(TypedDict, total=False):
    """Keywords of ``TextGenerator.generate``."""

    beam: int
    n_best: int
    length_penalty: float | None
    coverage_penalty: float | None
    sample: bool
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    seed: int | None
    min_length: int
    max_length: int | None
    no_repeat_ngram: int
    prefix: str
    allow: str | Sequence[str]
    forbid: str | Sequence[str]
    glossary: str | PathLike[str] | Sequence[str] | Sequence[tuple[str, str]] | Mapping[str, str | Sequence[str]]
    must_include: str | Sequence[str]
    carry_over: str | Sequence[str]
    replace_unknown: bool
    batch_size: int
    precision: Literal["auto", "fp32", "int8"]


class ExplanationOptions(TypedDict, total=False):
    """Keywords of ``TextGenerator.explain``."""

    method: str | Sequence[str]
    unit: Literal["auto", "char", "token", "word", "phrase"]
    spans: str | Sequence[str]
    target: str | None
    contrast: str | None
    score: Literal["log-probability", "entropy"] | Callable[..., object]
    prefix: bool | None
    missing: Literal["auto", "mask", "delete", "sample"]
    algorithm: Literal["auto", "exact", "regression", "permutation", "partition"]
    exact_units: int
    budget: int
    donors: int
    steps: int
    interactions: bool
    faithfulness: bool
    batch_size: int
    seed: int
