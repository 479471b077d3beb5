"""From a plan and pairs to a trained ``Predictor``: tokenizers, examples, and one training run per network."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import torch

from nbtextgen.core.errors import DataError
from nbtextgen.data.augmentation import Augmentation, Augmenter, EpochExamples
from nbtextgen.data.batching import CopyMap, Examples, encode_examples
from nbtextgen.data.corpus import ShiftingWindows
from nbtextgen.data.pairs import Pairs
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.inference.predictor import Predictor
from nbtextgen.inference.text_codec import LengthLimit
from nbtextgen.model.pretrained import load_embeddings
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.pipeline.plan import Plan
from nbtextgen.tokenizers.base import Tokenizer
from nbtextgen.tokenizers.registry import train_tokenizer
from nbtextgen.tokenizers.truncated import TruncatedTokenizer
from nbtextgen.training.averaging import Weights, put
from nbtextgen.training.config import TOKEN_METRICS
from nbtextgen.training.controls import Controls
from nbtextgen.training.device import choose_device
from nbtextgen.training.distributed import ProcessGroup
from nbtextgen.training.events import Event, TrainingWarning
from nbtextgen.training.state import Progress, TrainerState
from nbtextgen.training.trainer import Trainer
from nbtextgen.training.validation import ValidationResult

JUDGED = 300
"""Held-out pairs written at each validation when a metric other than the loss selects."""


@dataclass(frozen=True)
class TrainingData:
    """What training reads.

    Attributes:
        source, target: tokenizers of both sides, one and the same with a shared vocabulary.
        train: encoded pairs to learn from.
        held: encoded pairs held out, or ``None``.
        shown: texts of the first held-out pairs, for the model to be tried on.
        limit: longest output for a source length.
        left_out: pairs that were too long.
    """

    source: Tokenizer
    target: Tokenizer
    train: Examples
    held: Examples | None
    shown: tuple[tuple[str, str], ...]
    limit: LengthLimit
    left_out: int = 0

    @classmethod
    def of(cls, plan: Plan, train: Pairs, valid: Pairs | None) -> TrainingData:
        """Train the tokenizers and encode the pairs.

        Raises:
            DataError: when every pair is too long.
            OptionError: when a shared vocabulary is asked for sides that are cut up differently.
        """
        source, target = train_tokenizers(plan, train)
        copy = CopyMap(source, target) if plan.model.copy else None
        examples = encode_examples(train.sources, train.targets, source, target, copy)
        limit, longest = LengthLimit.from_examples(examples), plan.training.max_length
        rows = _short_enough(examples, longest)
        if not rows:
            raise DataError(
                f"Every pair has more than {longest:,} tokens on a side ({train.place(0)} has "
                f"{len(examples.sources[0]):,}); raise --max-length or shorten the texts."
            )
        left_out = len(examples) - len(rows)
        kept = examples.take(rows) if left_out else examples
        if valid is None:
            return cls(source, target, kept, None, (), limit, left_out)
        held = encode_examples(valid.sources, valid.targets, source, target, copy)
        rows = _short_enough(held, longest)
        shown = tuple(valid[row] for row in rows[: max(plan.training.samples, JUDGED)])
        left_out += len(held) - len(rows)
        return cls(source, target, kept, held.take(rows) if rows else None, shown, limit, left_out)


class LocalTraining:
    """The ``TrainingSession`` that trains in this process and writes nothing.

    Networks of an ensemble are trained in turn; ``member`` counts those that are done.
    """

    def __init__(
        self,
        plan: Plan,
        material: TrainingData,
        controls: Controls | None = None,
        *,
        checkpoints: bool = False,
        done: Sequence[Seq2Seq] = (),
        state: TrainerState | None = None,
        notes: Sequence[str] = (),
        group: ProcessGroup | None = None,
        spent: float = 0.0,
    ) -> None:
        """Prepare training.

        Args:
            plan: all settings.
            material: what to learn from.
            controls: stop, pause and live settings.
            checkpoints: yield ``Checkpoint`` events, while which ``state`` can be kept.
            done: networks of the ensemble that were trained before.
            state: of the network that was being trained, to go on from.
            notes: what the user should know first.
            group: the processes that train together.
            spent: seconds that preparing the data took, which count towards ``max_minutes``.
        """
        self.plan, self.material, self._spent = plan, material, spent
        self.controls = controls or Controls()
        self.copy = CopyMap(material.source, material.target) if plan.model.copy else None
        self._checkpoints, self._state, self._notes = checkpoints, state, list(notes)
        self._group = group or ProcessGroup()
        # They were read from files, onto the processor.
        self._networks: list[Seq2Seq] = [network.to(choose_device(plan.training.device)) for network in done]
        self._trainer: Trainer | None = None
        self._best: tuple[Weights, Predictor] | None = None

    @property
    def member(self) -> int:
        """Networks of the ensemble that are trained."""
        return len(self._networks)

    def run(self) -> Generator[Event, None, None]:
        """Train every network of the ensemble in turn."""
        material = self.material
        total = len(material.train) + (len(material.held) if material.held is not None else 0) + material.left_out
        yield from (TrainingWarning(note) for note in self._notes)
        if material.left_out and self._state is None and not self._networks:
            yield TrainingWarning(
                f"{material.left_out:,} of {total:,} pairs have more than {self.plan.training.max_length:,} tokens on "
                "a side and were left out; raise --max-length to keep them."
            )
        for number in range(len(self._networks), self.plan.training.ensemble):
            [stopping] = self._group.agree([float(self.controls.stopping)])
            if stopping and self._state is None:
                return
            yield from self._train_one(number)

    def _train_one(self, number: int) -> Iterator[Event]:
        config = replace(self.plan.training, seed=self.plan.training.seed + number)
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            network = Seq2Seq(self.plan.model, self.material.source.size, self.material.target.size)
        if self._state is None:
            self._load_embeddings(network)
        self._trainer = Trainer(
            network,
            self.material.train,
            self.material.held,
            config,
            judge=self._judge,
            controls=self.controls,
            choices=self.plan.choices,
            checkpoints=self._checkpoints,
            group=self._group,
            epoch_examples=epoch_examples(
                self.plan, self.material.source, self.material.target, self.copy, config.seed
            ),
            seconds=self._seconds(),
        )
        if self._state is not None:
            self._trainer.restore(self._state)
            self._state = None
        yield from self._trainer.run()
        self._networks.append(network)
        self._trainer = None

    def _seconds(self) -> float | None:
        """Time limit for one network: an equal share of what the preparation has left of ``max_minutes``, at least half."""
        minutes, networks = self.plan.training.max_minutes, self.plan.training.ensemble
        return None if minutes is None else max(minutes * 30, minutes * 60 - self._spent) / networks

    def stop(self) -> None:
        """End the run under way, keeping its best weights."""
        self.controls.stop()
        if self._trainer is not None:
            self._trainer.finish()
            if self._trainer.best_weights is not None or self._trainer.steps_done:
                self._networks.append(self._trainer.model)
            self._trainer = None

    @property
    def progress(self) -> Progress | None:
        """How far the network under way is."""
        return None if self._trainer is None else self._trainer.progress

    def state(self) -> TrainerState:
        """Of the network under way; see ``Trainer.state``."""
        assert self._trainer is not None, "state is asked for while nothing is being trained"
        return self._trainer.state()

    def predictor(self) -> Predictor | None:
        """What was trained, or ``None`` when nothing was."""
        return self._predictor(self._networks) if self._networks else None

    def best_so_far(self) -> Predictor | None:
        """A writer with the best weights so far, for use while training goes on; ``None`` before there are any.

        It has a network of its own: the one that trains is never touched, from whatever thread this is called.
        """
        trainer, networks = self._trainer, list(self._networks)
        # The best weights are replaced as a whole at a validation, never changed.
        weights = None if trainer is None else trainer.best_weights
        if trainer is None or weights is None:
            return self.predictor() if networks else None
        known = self._best
        if known is None or known[0] is not weights:
            network = deepcopy(trainer.model)  # building one anew would draw from the training's random numbers
            put(network, weights)
            known = weights, self._predictor([*networks, network])
            self._best = known
        return known[1]

    def _predictor(self, networks: list[Seq2Seq]) -> Predictor:
        return Predictor(self.material.source, self.material.target, networks, self.material.limit, self.copy)

    def _load_embeddings(self, network: Seq2Seq) -> None:
        model = self.plan.model
        if model.source_embeddings:
            load_embeddings(model.source_embeddings, network.source_embedding.weight, self.material.source)
        if model.target_embeddings:
            load_embeddings(model.target_embeddings, network.target_embedding.weight, self.material.target)

    def _judge(self, network: Seq2Seq) -> ValidationResult:
        """Let the network write: for the metric that selects, when it is not the loss, and for the samples."""
        from nbtextgen.evaluation.metrics import HIGHER_IS_BETTER, score

        name, shown = self.plan.training.select_by, self.plan.training.samples
        by_tokens = name in (None, *TOKEN_METRICS)
        pairs = self.material.shown[: shown if by_tokens else max(shown, JUDGED)]
        if not pairs:
            return ValidationResult(None, False)
        sources, targets = [source for source, _ in pairs], [target for _, target in pairs]
        outputs = [each.text for each in self._predictor([network]).predict(sources, DecodingConfig())]
        samples = tuple(zip(sources[:shown], targets[:shown], outputs[:shown], strict=True))
        if name is None or by_tokens:
            return ValidationResult(None, False, samples)
        metric = "rougeL" if name == "rouge" else name
        return ValidationResult(score(metric, targets, outputs), HIGHER_IS_BETTER[metric], samples)


def epoch_examples(
    plan: Plan, source: Tokenizer, target: Tokenizer, copy: CopyMap | None, seed: int
) -> EpochExamples | None:
    """What makes the examples of each epoch: windows cut elsewhere, augmented pairs, or ``None`` for the same ones."""
    data = plan.data
    if data.context is not None:
        return ShiftingWindows(data.context, data.window or 4 * data.context, seed)
    if data.augment:
        return Augmenter(Augmentation.parse(data.augment, data.synonyms), source, target, copy, seed)
    return None


def _short_enough(examples: Examples, longest: int) -> list[int]:
    """Rows with at most ``longest`` tokens on either side."""
    source, target = examples.lengths()
    return [row for row in range(len(examples)) if source[row] <= longest and target[row] - 2 <= longest]


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
            from nbtextgen.core.errors import OptionError

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
    source, target = found[0], found[-1]
    return TruncatedTokenizer(source, config.source_limit) if config.source_limit else source, target
