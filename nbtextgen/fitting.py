"""From a plan and pairs to a trained ``Writer``: tokenizers, examples, and one training run per network."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch

from nbtextgen.data.examples import CopyMap, Examples, encode_examples
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.tokenizer import Tokenizer, train_tokenizer
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.defaults import Plan
from nbtextgen.errors import DataError
from nbtextgen.model.pretrained import load_embeddings
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.training.averaging import Weights
from nbtextgen.training.controls import Controls
from nbtextgen.training.events import Event, Warning
from nbtextgen.training.trainer import Judgement, Trainer
from nbtextgen.writing import LengthLimit, Writer

JUDGED = 300
"""Held-out pairs written at each validation when a metric other than the loss selects."""


class Fitting:
    """One call of ``fit``: ``run`` yields the events, ``writer`` gives the result, also after an interrupt."""

    def __init__(self, plan: Plan, train: Pairs, valid: Pairs | None, controls: Controls | None) -> None:
        self.plan, self.train, self.valid = plan, train, valid
        self.controls = controls or Controls()
        self.source, self.target = train_tokenizers(plan, train)
        self.copy = CopyMap(self.source, self.target) if plan.model.copy else None
        self._networks: list[Seq2Seq] = []
        self._trainer: Trainer | None = None
        self._best: tuple[Weights, Writer] | None = None
        self.limit = LengthLimit(10, 2.0)

    def run(self) -> Iterator[Event]:
        """Train every network of the ensemble in turn."""
        examples = encode_examples(self.train.sources, self.train.targets, self.source, self.target, self.copy)
        self.limit = LengthLimit.of(examples)
        kept, dropped = self._short_enough(examples)
        if dropped:
            yield Warning(
                f"{dropped:,} of {len(examples):,} pairs have more than {self.plan.training.max_length:,} tokens on a side "
                "and were left out; raise --max-length to keep them."
            )
        held = None
        if self.valid is not None:
            held = encode_examples(self.valid.sources, self.valid.targets, self.source, self.target, self.copy)
        for number in range(self.plan.training.ensemble):
            if self.controls.stopping:
                return
            yield from self._train_one(number, kept, held)

    def _train_one(self, number: int, examples: Examples, held: Examples | None) -> Iterator[Event]:
        from dataclasses import replace

        config = replace(self.plan.training, seed=self.plan.training.seed + number)
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            network = Seq2Seq(self.plan.model, self.source.size, self.target.size)
        self._load_embeddings(network)
        self._trainer = Trainer(
            network,
            examples,
            held,
            config,
            judge=self._judge,
            controls=self.controls,
            choices=self.plan.choices,
        )
        yield from self._trainer.run()
        self._networks.append(network)
        self._trainer = None

    def stop(self) -> None:
        """End the run under way, keeping its best weights."""
        self.controls.stop()
        if self._trainer is not None:
            self._trainer.finish()
            if self._trainer.best_weights is not None or self._trainer.steps_done:
                self._networks.append(self._trainer.model)
            self._trainer = None

    def writer(self) -> Writer | None:
        """What was trained, or ``None`` when nothing was."""
        if not self._networks:
            return None
        return Writer(self.source, self.target, self._networks, self.limit, self.copy)

    def best_so_far(self) -> Writer | None:
        """A writer with the best weights so far, for use while training goes on; ``None`` before there are any.

        It has a network of its own: the one that trains is never touched, from whatever thread this is called.
        """
        trainer, networks = self._trainer, list(self._networks)
        weights = (
            None if trainer is None else trainer.best_weights
        )  # replaced as a whole at a validation, never changed
        if trainer is None or weights is None:
            return self.writer() if networks else None
        known = self._best
        if known is None or known[0] is not weights:
            network = copy.deepcopy(trainer.model)  # building one anew would draw from the training's random numbers
            network.load_state_dict(weights)
            known = weights, Writer(self.source, self.target, [*networks, network], self.limit, self.copy)
            self._best = known
        return known[1]

    def _short_enough(self, examples: Examples) -> tuple[Examples, int]:
        longest = self.plan.training.max_length
        source, target = examples.lengths()
        rows = [row for row in range(len(examples)) if source[row] <= longest and target[row] - 2 <= longest]
        if not rows:
            raise DataError(
                f"Every pair has more than {longest:,} tokens on a side ({self.train.place(0)} has {source[0]:,}); "
                "raise --max-length or shorten the texts."
            )
        return (examples if len(rows) == len(examples) else examples.take(rows)), len(examples) - len(rows)

    def _load_embeddings(self, network: Seq2Seq) -> None:
        model = self.plan.model
        if model.source_embeddings:
            load_embeddings(model.source_embeddings, network.source_embedding.weight, self.source)
        if model.target_embeddings:
            load_embeddings(model.target_embeddings, network.target_embedding.weight, self.target)

    def _judge(self, network: Seq2Seq) -> Judgement:
        """Let the network write: for the metric that selects, when it is not the loss, and for the samples."""
        from nbtextgen.evaluation.metrics import HIGHER_IS_BETTER, score

        name, shown = self.plan.training.select_by, self.plan.training.samples
        if self.valid is None:
            return Judgement(None, False)
        pairs = self.valid[: shown if name == "loss" else max(shown, JUDGED)]
        if not len(pairs):
            return Judgement(None, False)
        writer = Writer(self.source, self.target, [network], self.limit, self.copy)
        outputs = [each.text for each in writer.write(pairs.sources, DecodingConfig())]
        samples = tuple(zip(pairs.sources[:shown], pairs.targets[:shown], outputs[:shown], strict=True))
        if name == "loss":
            return Judgement(None, False, samples)
        metric = "rougeL" if name == "rouge" else name
        return Judgement(score(metric, list(pairs.targets), outputs), HIGHER_IS_BETTER[metric], samples)


def train_tokenizers(plan: Plan, train: Pairs) -> tuple[Tokenizer, Tokenizer]:
    """Tokenizers of both sides, one and the same with a shared vocabulary."""
    config = plan.tokenizer
    sides = []
    for texts, unit, form, lowercase in (
        (train.sources, config.source_tokens, config.source_normalization, config.source_lowercase),
        (train.targets, config.target_tokens, config.target_normalization, config.target_lowercase),
    ):
        sides.append((texts, unit or "char", form or "none", lowercase))
    if config.shared_vocabulary:
        if sides[0][1:] != sides[1][1:]:
            from nbtextgen.errors import OptionError

            raise OptionError(
                "--shared-vocabulary needs the same tokens, normalization and lower-casing on both sides "
                f"(got {sides[0][1:]} and {sides[1][1:]})."
            )
        sides = [([*train.sources, *train.targets], *sides[0][1:])]
    found = [
        train_tokenizer(
            texts,
            unit,
            normalization=form,
            lowercase=lowercase,
            size=config.vocabulary_size,
            minimum_frequency=config.minimum_frequency,
        )
        for texts, unit, form, lowercase in sides
    ]
    return found[0], found[-1]
