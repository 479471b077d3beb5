"""Training on: new pairs for a trained model, whose vocabulary grows, with old pairs replayed among them."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import TypeVar

import numpy as np

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.core.options import Settings, options_of
from nbtextgen.data.batching import CopyMap, Examples, encode_examples, joined
from nbtextgen.data.cleaning.clean import parse_steps
from nbtextgen.data.cleaning.steps import REWRITES
from nbtextgen.data.config import DataConfig
from nbtextgen.data.corpus import Corpus
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.readers.columns import ColumnName
from nbtextgen.data.replay import with_target_size
from nbtextgen.inference.predictor import Predictor
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.growth import grown_weights
from nbtextgen.model.isolation import isolated
from nbtextgen.model.pretrained import load_embeddings
from nbtextgen.pipeline.continuation import text_data, text_training_data
from nbtextgen.pipeline.data_checks import data_warnings, held_out_warnings, without_leaks
from nbtextgen.pipeline.dataset import cleaning_note, joined_columns, read_pairs, split
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.pipeline.fit import score_outputs, task_metric
from nbtextgen.pipeline.model_data import model_pairs
from nbtextgen.pipeline.training_data import METRIC_PAIRS, PreparedData, StartingPoint, TrainingData
from nbtextgen.tokenizers.base import Tokenizer
from nbtextgen.tokenizers.config import TokenizerConfig
from nbtextgen.tokenizers.growth import grown_tokenizer, truncated_like
from nbtextgen.tokenizers.truncated import TruncatedTokenizer
from nbtextgen.training.config import TrainingConfig
from nbtextgen.training.state import Weights

Config = TypeVar("Config", DataConfig, TokenizerConfig, ModelConfig)

REPLAY = 0.5
"""Default share of old pairs in an epoch."""
LEARNING_RATE = 0.6
"""Peak learning rate as a fraction of that of the model's own training."""
UPDATES = 120
"""Updates for one pair; for more pairs the number grows with their power 0.3. See ``benchmarks/training_on.py``."""
FEW = 500
"""New pairs below which none of them are held out: a correction that is not trained on is not learned."""
MIN_OLD_VALID = 200
"""Old validation pairs, at least, that help to choose the best checkpoint; fewer if there are fewer."""
FREE = {
    ModelConfig: (
        "dropout",
        "embedding_dropout",
        "output_dropout",
        "variational_dropout",
        "source_embeddings",
        "target_embeddings",
    ),
    TokenizerConfig: ("vocabulary_size", "minimum_frequency", "tokens"),
}
"""Settings of the network and the tokens that may differ from those of the model to go on from."""
ANEW = (
    *("epochs", "max_minutes", "max_steps", "batch_size", "learning_rate", "patience", "validate_every"),
    *("valid_fraction", "valid_limit", "allow_overlap"),
    *("device", "precision", "threads", "samples", "checkpoint_seconds", "ensemble"),
)
"""Settings of training that are not taken from the model to go on from."""


@dataclass(frozen=True)
class OldPairs:
    """The pairs that a model was trained on, as texts or as tokens of that model.

    Attributes:
        train: training pairs, for replay.
        valid: validation pairs, on which forgetting is measured.
        encoded: both as they are in the model's run folder; replaces the others where those are ``None``.
    """

    train: Pairs | None = None
    valid: Pairs | None = None
    encoded: TrainingData | None = None

    @property
    def valid_texts(self) -> list[tuple[str, str]]:
        """Some validation pairs as texts."""
        if self.valid is not None:
            return list(self.valid[:METRIC_PAIRS])
        return [] if self.encoded is None else list(self.encoded.valid_texts[:METRIC_PAIRS])


@dataclass(frozen=True)
class WarmStart:
    """A model to go on from.

    Attributes:
        predictor, plan: the model and its settings.
        old: the pairs that it was trained on, as far as they are at hand.
        replay: share of old pairs in an epoch.
    """

    predictor: Predictor
    plan: Plan
    old: OldPairs
    replay: float = REPLAY

    @classmethod
    def of(
        cls, predictor: Predictor, plan: Plan, old: OldPairs, replay: float | None = None, replay_data: object = None
    ) -> WarmStart:
        """Take pairs to replay from ``replay_data`` if that is given.

        Raises:
            DataError: if it cannot be read.
            OptionError: for a share outside [0, 1).
        """
        share = REPLAY if replay is None else _share(replay)
        if replay_data is not None:
            pairs = model_pairs(plan, predictor, Pairs.of(replay_data))
            train, held = pairs, old.valid
            if held is None and not old.valid_texts:
                train, held = pairs.split(0.1, plan.training.seed, METRIC_PAIRS)
            old = OldPairs(
                train if len(train) else pairs, held if held is not None and len(held) else None, old.encoded
            )
        return cls(predictor, plan, old, share)

    # Settings -----------------------------------------------------------------------------------------------------

    def check(self, options: Settings) -> None:
        """Raise ``OptionError`` for a given setting that the weights or the inputs of the model do not allow."""
        tokenizer, networks = self.plan.tokenizer, len(self.predictor.networks)
        if options.get("store"):
            raise OptionError(
                "--store reads pairs one by one, and --start needs them in memory; leave one of them out."
            )
        for config, current in ((ModelConfig, self.plan.model), (TokenizerConfig, tokenizer)):
            for name, option in options_of(config).items():
                if name not in FREE[config] and options.get(name) not in (option.default, getattr(current, name)):
                    raise _refusal(option.flag, options[name], getattr(current, name))
        unit = options.get("tokens")
        if unit is not None and {unit} != {tokenizer.source_tokens, tokenizer.target_tokens}:
            raise _refusal("--tokens", unit, f"{tokenizer.source_tokens} and {tokenizer.target_tokens}")
        if options.get("ensemble", 1) not in (1, networks):
            raise _refusal("--ensemble", options["ensemble"], networks)
        for name in ("context", "window"):
            if options.get(name) not in (None, getattr(self.plan.data, name)):
                raise _refusal(f"--{name}", options[name], getattr(self.plan.data, name))
        if options.get("clean") and _rewriting(options["clean"]) != _rewriting(self.plan.data.clean):
            raise _refusal("--clean", options["clean"], self.plan.data.clean or "no cleaning steps")

    def new_plan(self, options: Settings, new_pairs: int, replayed: int) -> Plan:
        """The settings of the model, changed by those that are chosen, with a training of a length that suits the pairs."""
        old, settings = self.plan, options_of(TrainingConfig)
        chosen = {name: options[name] for name in settings if options.get(name) not in (None, settings[name].default)}
        kept = {name: getattr(old.training, name) for name in settings if name not in ANEW}
        training = replace(TrainingConfig(**kept), **{**chosen, "ensemble": len(self.predictor.networks)})
        pairs = new_pairs + replayed
        batch_size = training.batch_size or min(
            old.training.batch_size or 64, 16 if pairs < 500 else 32 if pairs < 2000 else 64
        )
        updates = UPDATES * pairs**0.3
        chosen: dict[str, object] = {
            "epochs": None if training.max_minutes else max(1, round(updates / math.ceil(pairs / batch_size))),
            "learning_rate": float(f"{LEARNING_RATE * (old.training.learning_rate or 0.003):.2g}"),
            "batch_size": batch_size,
        }
        chosen = {
            name: value for name, value in chosen.items() if getattr(training, name) is None and value is not None
        }
        free = {
            name: options.get(name)
            for name in (*FREE[ModelConfig], *FREE[TokenizerConfig], "augment", "synonyms", "keep_rows")
        }
        changed = {name: value for name, value in free.items() if value not in (None, False, "") and name != "tokens"}
        return Plan(
            _changed(old.tokenizer, changed),
            _changed(old.model, changed),
            replace(training, **chosen),
            chosen,
            replace(_changed(old.data, changed), store=None),
            self.predictor.fingerprint,
        )

    # Data ---------------------------------------------------------------------------------------------------------

    @isolated()
    def prepare(
        self,
        options: Settings,
        data: object,
        targets: object = None,
        valid: object = None,
        source: ColumnName | None = None,
        target: ColumnName | None = None,
        encoding: str | None = None,
    ) -> PreparedData:
        """Read the new pairs, let the vocabularies and the weights grow, and add the old pairs; as ``prepare_data``."""
        began = time.perf_counter()
        self.check(options)
        if isinstance(data, Corpus):
            return replace(self._prepared_text(options, data), seconds=time.perf_counter() - began)
        if self.plan.data.context is not None:
            raise OptionError("The start model continues a text; give --text, not pairs.")
        data, valid, source, target = joined_columns(data, targets, valid, source, target, encoding)
        steps = options.get("clean") or _rewriting(self.plan.data.clean) or None
        cleaned, valid_pairs = read_pairs(data, valid, steps, source, target, encoding)
        train, leaks = cleaned.pairs, ()
        if valid_pairs is not None:
            train, leaks = without_leaks(train, valid_pairs, allowed=bool(options.get("allow_overlap")))
        elif len(train) >= FEW:
            train, valid_pairs = split(options, train)
            leaks = held_out_warnings(train, valid_pairs)
        notes = list(filter(None, [*train.notes, cleaning_note(cleaned), *leaks]))
        prepared = self._prepared(options, train, valid_pairs, notes)
        return replace(prepared, seconds=time.perf_counter() - began)

    def _prepared(self, options: Settings, train: Pairs, valid: Pairs | None, notes: list[str]) -> PreparedData:
        plan = self.new_plan(options, len(train), 0)
        tokenizers = self._grown_tokenizers(plan, train)
        new = TrainingData.of(replace(plan, start=""), train, valid, tokenizers)
        old_train, old_valid, texts = self._old_examples(tokenizers, new.train)
        replayed = 0
        if old_train is not None and len(old_train) and self.replay:
            replayed = max(1, min(len(old_train), round(len(new.train) * self.replay / (1 - self.replay))))
        elif self.replay:
            notes.append(
                "No old pairs are replayed, because the pairs that the model was trained on are not at hand: it may forget what "
                "the new pairs do not show; give some with --replay-data."
            )
        plan = self.new_plan(options, len(new.train), replayed)
        examples = joined(new.train, old_train) if replayed and old_train is not None else new.train
        held, held_texts = self._validation(new, old_valid, texts, notes)
        if len(train) >= FEW:
            notes.extend(data_warnings(train, new))
        metric = task_metric(plan)
        point = StartingPoint(
            self._grown_weights(plan, tokenizers, notes),
            self.predictor.fingerprint,
            len(new.train),
            replayed,
            tuple(texts),
            metric,
            score_outputs(self.predictor, texts, metric) if texts else 0.0,
        )
        earlier, later = self.predictor.output_length, new.output_length
        length = replace(earlier, offset=max(earlier.offset, later.offset), slope=max(earlier.slope, later.slope))
        training_data = TrainingData(*tokenizers, examples, held, held_texts, length, new.left_out, point)
        old = self.old.train
        all_valid = [
            pairs for pairs in (self.old.valid or (Pairs.of(texts) if texts else None), valid) if pairs is not None
        ]
        return PreparedData(
            plan,
            training_data,
            train if old is None else old.before(train),
            None if not all_valid else all_valid[0] if len(all_valid) == 1 else all_valid[0] + all_valid[1],
            tuple(notes),
        )

    def _prepared_text(self, options: Settings, corpus: Corpus) -> PreparedData:
        if self.plan.data.context is None:
            raise OptionError("The start model was trained on pairs; give pairs, not --text.")
        pieces, notes = corpus.pieces(), list[str]()
        plan = self.new_plan(options, len(pieces), 0)
        source, target = self._grown_tokenizers(plan, pieces)
        encoded = text_training_data(plan, corpus.text, target)
        if self.replay:
            notes.append(
                "Nothing of the old text is replayed, so the model may forget what the new text does not show."
            )
        weights = self._grown_weights(plan, (source, target), notes)
        start = StartingPoint(weights, self.predictor.fingerprint, len(encoded.train))
        plan = self.new_plan(options, len(encoded.train), 0)
        return text_data(plan, replace(encoded, source=source, start=start), pieces, tuple(notes))

    def _grown_tokenizers(self, plan: Plan, train: Pairs) -> tuple[Tokenizer, Tokenizer]:
        """The model's tokenizers with the new token types of the training pairs."""
        source, target = self.predictor.source, self.predictor.target
        config = plan.tokenizer
        rare, most = config.minimum_frequency, config.vocabulary_size
        if not config.shared_vocabulary:
            grown = grown_tokenizer(target, train.targets, minimum_frequency=rare, most=most)
            return grown_tokenizer(source, train.sources, minimum_frequency=rare, most=most), grown
        grown = grown_tokenizer(target, [*train.sources, *train.targets], minimum_frequency=rare, most=most)
        if source is target:
            return grown, grown
        inner = source.inner if isinstance(source, TruncatedTokenizer) else source
        return (source if grown is target and inner.size == target.size else truncated_like(source, grown)), grown

    def _grown_weights(
        self, plan: Plan, tokenizers: tuple[Tokenizer, Tokenizer], notes: list[str]
    ) -> tuple[Weights, ...]:
        """The weights of every network, with vectors of pretrained embeddings for new tokens if there is a file of them."""
        source, target = tokenizers
        weights = list[Weights]()
        for number, network in enumerate(self.predictor.networks):
            grown = grown_weights(network, source.size, target.size, plan.training.seed + number)
            tables = (
                ("--source-embeddings", plan.model.source_embeddings, network.source_embedding, source),
                ("--target-embeddings", plan.model.target_embeddings, network.target_embedding, target),
            )
            for option, path, embedding, tokenizer in tables:
                old = embedding.num_embeddings
                if path is None or tokenizer.size == old:
                    continue
                table = next(grown[name] for name, each in network.named_parameters() if each is embedding.weight)
                vectors = table.clone()
                try:
                    load_embeddings(path, vectors, tokenizer, option)
                except DataError as error:
                    notes.append(f"New tokens have no pretrained embedding: {error.message}")
                    continue
                table[old:] = vectors[old:]
            weights.append(grown)
        return tuple(weights)

    def _old_examples(
        self, tokenizers: tuple[Tokenizer, Tokenizer], new: Examples
    ) -> tuple[Examples | None, Examples | None, list[tuple[str, str]]]:
        """Old training and validation examples, and texts of the latter, without those whose source is a new one: what was
        corrected must not be learned again."""
        source, target = tokenizers
        copy = CopyMap(source, target) if self.plan.model.copy else None
        sources = {ids.tobytes() for ids in new.sources}

        def encoded(pairs: Pairs | None, examples: Examples | None) -> Examples | None:
            if pairs is not None:
                examples = encode_examples(pairs.sources, pairs.targets, source, target, copy)
            elif examples is not None:
                examples = with_target_size(examples, self.predictor.target.size, target.size)
            if examples is None:
                return None
            longest = self.plan.training.max_length
            rows = [row for row in examples.rows_within(longest) if examples.sources[row].tobytes() not in sources]
            return examples.take(rows) if rows else None

        folder = self.old.encoded
        train = encoded(self.old.train, None if folder is None else folder.train)
        valid = encoded(self.old.valid, None if folder is None else folder.valid)
        texts = self.old.valid_texts
        ids = source.encode_batch([each for each, _ in texts])
        texts = [
            pair for pair, row in zip(texts, ids, strict=True) if np.array(row, dtype=np.int64).tobytes() not in sources
        ]
        return train, valid, texts

    def _validation(
        self, new: TrainingData, old_valid: Examples | None, texts: Sequence[tuple[str, str]], notes: list[str]
    ) -> tuple[Examples | None, tuple[tuple[str, str], ...]]:
        """Validation examples, old ones among them in the share in which they are trained on, and their texts."""
        held = new.valid
        if held is None:
            if old_valid is None:
                return None, ()
            held = new.train.take(range(min(len(new.train), FEW)))
            notes.append(
                f"Too few new pairs ({len(new.train):,}) to hold some out: the best checkpoint is chosen on them and on old "
                "validation pairs."
            )
        if old_valid is None or not self.replay:
            return held, new.valid_texts
        count = min(len(old_valid), max(MIN_OLD_VALID, round(len(held) * self.replay / (1 - self.replay))))
        few = round(METRIC_PAIRS * self.replay)
        return joined(held, old_valid.take(range(count))), (*new.valid_texts[: METRIC_PAIRS - few], *texts[:few])


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < 1:
        raise OptionError(f"--replay must be a number in [0, 1) (got {value!r}).")
    return float(value)


def _changed(config: Config, options: Settings) -> Config:
    names = {each.name for each in fields(config)}
    return replace(config, **{name: value for name, value in options.items() if name in names})


def _rewriting(steps: str | None) -> str:
    """The cleaning steps that rewrite texts, which a model applies to its inputs too."""
    return ",".join(name for name in parse_steps(steps or "") if name in REWRITES or name == "text")


def _refusal(flag: str, value: object, current: object) -> OptionError:
    return OptionError(
        f"{flag}={value} does not fit the start model, which has {current}; leave it out, or train without --start."
    )
