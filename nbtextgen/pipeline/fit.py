"""Training in this process, from prepared data to a ``Predictor``: the networks of an ensemble one after another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace

from nbtextgen.core.escaping import pictured
from nbtextgen.core.own_metrics import is_own_metric
from nbtextgen.core.wording import counted, share
from nbtextgen.data.batching import CopyMap
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.evaluation.metrics import find_metrics, higher_is_better, score
from nbtextgen.inference.predictor import Predictor
from nbtextgen.inference.text_codec import MAX_SOURCE_TOKENS
from nbtextgen.model.isolation import forked_generators
from nbtextgen.model.pretrained import load_embeddings
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.pipeline.data_checks import MOST
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.pipeline.training_data import METRIC_PAIRS, TrainingData, epoch_examples
from nbtextgen.tokenizers.truncated import TruncatedTokenizer
from nbtextgen.training.config import TOKEN_METRICS
from nbtextgen.training.controls import Controls
from nbtextgen.training.device import choose_device
from nbtextgen.training.distributed import ProcessGroup
from nbtextgen.training.events import Ended, Event, Retention, Started, TrainingWarning
from nbtextgen.training.state import Progress, TrainerState, Weights
from nbtextgen.training.trainer import Trainer
from nbtextgen.training.validation import FEW_UPDATES, ValidationResult, ValidationScores
from nbtextgen.training.weight_averaging import SNAPSHOT, put

TASK_PAIRS = 32
"""Held-out pairs that a validation generates for, to tell how good the model is at its task."""
CALIBRATION_SHARE, CALIBRATION_SECONDS = 0.02, 5.0
"""Part of the time limit, and most seconds, that are left for calibrating the confidence after training."""
PENALTIES_SHARE, PENALTIES_SECONDS = 0.04, 10.0
"""The same for choosing the penalties of the beam search."""
SAME_OUTPUTS = 10
"""Held-out sources that show, if their outputs are all the same, that outputs do not depend on them."""


class LocalTraining:
    """The ``TrainingSession`` that trains in this process and writes nothing.

    Networks of an ensemble are trained in turn; ``member`` counts those that are done.
    """

    is_remote = False

    def __init__(
        self,
        plan: Plan,
        data: TrainingData,
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
            data: the training data.
            controls: stop, pause and live settings.
            checkpoints: yield ``Checkpoint`` events; while one is handled, ``state`` can be saved.
            done: networks of the ensemble that are trained already.
            state: state of the network under way, to go on from.
            notes: warnings for the user, reported first.
            group: the processes that train together.
            spent: seconds that preparing the data took, which count towards ``max_minutes``.
        """
        self.plan, self.data, self._spent = plan, data, spent
        self.controls = Controls.of(controls)
        self.copy = CopyMap(data.source, data.target) if plan.model.copy else None
        self._checkpoints, self._state, self._notes = checkpoints, state, list(notes)
        self._group = group or ProcessGroup()
        # They were read from files, onto the CPU.
        self._networks = [network.to(choose_device(plan.training.device)) for network in done]
        self._trainer: Trainer | None = None
        self._snapshot: Weights | None = None  # of the network trained last
        self._best: tuple[Weights, Predictor] | None = None
        self._outputs: tuple[str, ...] = ()  # of the last validation

    @property
    def member(self) -> int:
        """Networks of the ensemble that are trained."""
        return len(self._networks)

    def run(self) -> Generator[Event, None, None]:
        """Train every network of the ensemble in turn."""
        data = self.data
        total = len(data.train) + (len(data.valid) if data.valid is not None else 0) + data.left_out
        yield from (TrainingWarning(note) for note in self._notes)
        if data.left_out and self._state is None and not self._networks:
            yield TrainingWarning(
                f"{share(data.left_out, total, 'pair', 'has', 'have')} more than {self.plan.training.max_length:,} tokens on "
                "a side and were left out; raise --max-length to keep them."
            )
        for number in range(len(self._networks), self.plan.training.ensemble):
            [stopping] = self._group.agree([float(self.controls.stopping)])
            if stopping and self._state is None:
                return
            yield from self._train_one(number)

    def _train_one(self, number: int) -> Iterator[Event]:
        config = replace(self.plan.training, seed=self.plan.training.seed + number)
        if is_own_metric(config.select_by):
            find_metrics(config.select_by or "")  # an unknown function shows before anything is computed
        with forked_generators(config.seed):
            network = Seq2Seq(self.plan.model, self.data.source.size, self.data.target.size)
        start = self.data.start
        if start is not None:
            put(network, start.weights[number])
        elif self._state is None:
            self._load_embeddings(network)
        self._trainer = Trainer(
            network,
            self.data.train,
            self.data.valid,
            config,
            metric=self._generate,
            controls=self.controls,
            choices=self.plan.choices,
            checkpoints=self._checkpoints,
            group=self._group,
            epoch_examples=epoch_examples(self.plan, self.data, self.copy, config.seed),
            seconds=self._seconds(),
            pretrained=start is not None,
        )
        if self._state is not None:
            self._trainer.restore(self._state)
            self._state = None
        warned = start is not None
        try:
            for event in self._trainer.run():
                warned = warned or isinstance(event, TrainingWarning)
                if start is not None and isinstance(event, Started):
                    event = replace(event, pairs=start.new_pairs + start.replayed)
                elif isinstance(event, Ended):
                    yield from self._retention(event)
                    yield from self._without_snapshot()
                    yield from () if warned else self._unlearned(event)
                yield event
        except Exception as error:
            error.add_note(self._update_under_way(self._trainer))
            raise
        self._networks.append(network)
        self._snapshot, self._trainer = self._trainer.kept.snapshot, None

    def _retention(self, ended: Ended) -> Iterator[Event]:
        """After the last network, measure what the model that training went on from could do."""
        start, last = self.data.start, len(self._networks) + 1 == self.plan.training.ensemble
        if start is None or not start.old_valid or not last or ended.reason == "interrupted" or self._group.rank:
            return
        assert self._trainer is not None
        predictor = self._predictor([*self._networks, self._trainer.model])
        after = score_outputs(predictor, start.old_valid, start.metric)
        yield Retention(ended.step, start.metric, start.before, after, len(start.old_valid))

    def _without_snapshot(self) -> Iterator[Event]:
        """Warn if training ended before the snapshot that its settings ask for was kept."""
        if self.plan.training.snapshot and self._trainer is not None and self._trainer.kept.snapshot is None:
            yield TrainingWarning(
                f"Training ended before {100 * SNAPSHOT:.0f} % of its schedule, where --snapshot keeps its copy of the weights, so "
                "the confidence uses one network only. Train to the end, or give it another model: calibrate(..., second=other)."
            )

    def _unlearned(self, ended: Ended) -> Iterator[Event]:
        """After a training that warned of nothing, warn if nothing can have been learned, or if the outputs show it."""
        if ended.reason == "time" and ended.step < FEW_UPDATES:
            yield TrainingWarning(
                f"Only {counted(ended.step, 'update')} fitted into the time limit, too few for anything to be learned; raise "
                "--max-minutes, or lower --hidden-size."
            )
        elif ended.reason != "interrupted" and len(self._outputs) >= SAME_OUTPUTS and len(set(self._outputs)) == 1:
            yield TrainingWarning(
                f"The model writes the same text ({pictured(self._outputs[0])[:60]!r}) for all {len(self._outputs):,} validation "
                "sources that were tried, so it has not learned to tell them apart. Raise --epochs or --learning-rate, and check "
                "that each target belongs to its source."
            )

    def _update_under_way(self, trainer: Trainer) -> str:
        """The update, and the pairs of this process in it, for an error."""
        source, target = trainer.examples.lengths()
        shares = [self._group.share(rows, source + target) for rows in trainer.batches]
        rows = [row for own in shares for row in own.tolist()]
        if not rows:
            return f"after update {trainer.progress.step:,}"
        first = trainer.examples.take(rows[:1])
        texts = (
            self.data.source.decode(first.sources[0].tolist()),
            self.data.target.decode(first.targets[0][1:-1].tolist()),
        )
        shown = " -> ".join(pictured(text)[:60] for text in texts)
        return f"in update {trainer.progress.step + 1:,}, on {counted(len(rows), 'training pair')}, the first of them {shown}"

    def _seconds(self) -> float | None:
        """Time limit for one network: an equal share of ``max_minutes`` after preparation, or of half of it if that is more."""
        minutes, networks = self.plan.training.max_minutes, self.plan.training.ensemble
        if minutes is None:
            return None
        return max(minutes * 30, minutes * 60 - self._spent - sum(seconds_after_training(self.plan))) / networks

    def stop(self) -> None:
        """End the run under way, keeping its best weights."""
        self.controls.stop()
        if self._trainer is not None:
            self._trainer.finish()
            if self._trainer.kept.best is not None or self._trainer.progress.step:
                self._networks.append(self._trainer.model)
            self._snapshot, self._trainer = self._trainer.kept.snapshot, None

    @property
    def progress(self) -> Progress | None:
        """Progress of the network under way."""
        return None if self._trainer is None else self._trainer.progress

    def state(self) -> TrainerState:
        """State of the network under way; see ``Trainer.state``."""
        assert self._trainer is not None, "nothing is being trained"
        return self._trainer.state()

    def predictor(self) -> Predictor | None:
        """The trained model, or ``None`` if training ended before there was one."""
        return self._predictor(self._networks, self._snapshot) if self._networks else None

    def best_so_far(self) -> Predictor | None:
        """The best model so far, for use while training goes on; ``None`` before there is one.

        It has its own copy of the network, so it can be used from any thread.
        """
        trainer, networks = self._trainer, list(self._networks)
        weights = None if trainer is None else trainer.kept.best
        if trainer is None or weights is None:
            return self.predictor() if networks else None
        best = self._best
        if best is None or best[0] is not weights:
            network = deepcopy(trainer.model)  # a new one would draw from the training's random numbers
            put(network, weights)
            self._best = best = weights, self._predictor([*networks, network], trainer.kept.snapshot)
        return best[1]

    def _predictor(self, networks: list[Seq2Seq], kept: Weights | None = None) -> Predictor:
        data, longest = self.data, max(MAX_SOURCE_TOKENS, self.plan.training.max_length)
        second = None
        if kept is not None:
            second = deepcopy(networks[0])
            put(second, kept)
        return Predictor(data.source, data.target, networks, data.output_length, self.copy, longest, second)

    def _load_embeddings(self, network: Seq2Seq) -> None:
        model = self.plan.model
        if model.source_embeddings:
            weight = network.source_embedding.weight
            load_embeddings(model.source_embeddings, weight, self.data.source, "--source-embeddings")
        if model.target_embeddings:
            weight = network.target_embedding.weight
            load_embeddings(model.target_embeddings, weight, self.data.target, "--target-embeddings")

    def _generate(self, network: Seq2Seq, scores: ValidationScores) -> ValidationResult:
        """Generate for validation sources: for samples, and for the metrics that are of generated texts."""
        name, count, task = self.plan.training.select_by, self.plan.training.samples, task_metric(self.plan)
        by_tokens = name in (None, *TOKEN_METRICS)
        least = METRIC_PAIRS if not by_tokens else TASK_PAIRS if count else 0
        pairs = self.data.valid_texts[: max(count, least)]
        if not pairs:
            return ValidationResult()
        sources, targets = [source for source, _ in pairs], [target for _, target in pairs]
        outputs = [each.text for each in self._predictor([network]).predict(sources, DecodingConfig())]
        samples = tuple(zip(sources, targets, outputs, strict=True))[:count]
        most = Counter(targets).most_common(1)[0][1]
        self._outputs = (
            tuple(outputs) if most < MOST * len(targets) else ()
        )  # what is nearly always right is no failure
        references = list(map(self.data.target.normalize, targets))
        if isinstance(self.data.source, TruncatedTokenizer):  # a continuation has no one right text
            self._outputs = ()
            return ValidationResult(samples=samples)
        if name is None or by_tokens:
            if name == "sequence-accuracy" and task == "exact":  # known for all held-out pairs
                value, measured = scores.sequence_accuracy, len(self.data.valid or ())
            else:
                value, measured = score(task, references, outputs), len(pairs)
            return ValidationResult(samples=samples, task_name=task, task=value, task_pairs=measured)
        metric = "rougeL" if name == "rouge" else name
        result = ValidationResult(score(metric, references, outputs), higher_is_better(metric), samples)
        if is_own_metric(metric):
            return result  # its unit is not known
        return replace(result, task_name=metric, task=result.metric, task_pairs=len(pairs))


def task_metric(plan: Plan) -> str:
    """The metric of what a model is for: exact match of short outputs, else chrF."""
    return "exact" if plan.tokenizer.target_tokens in ("char", "symbol") else "chrf"


def has_chosen_penalties(plan: Plan) -> bool:
    """Whether the penalties of the beam search are chosen after training: for texts, since short outputs hardly depend on them."""
    return plan.data.context is None and task_metric(plan) != "exact"


def seconds_after_training(plan: Plan) -> tuple[float, float]:
    """Seconds of the time limit that are left for the calibration of the confidence, and for the penalties of the beam search."""
    limit = 0.0 if plan.data.context is not None else 60 * (plan.training.max_minutes or 0.0)
    penalties = min(PENALTIES_SHARE * limit, PENALTIES_SECONDS) if has_chosen_penalties(plan) else 0.0
    return min(CALIBRATION_SHARE * limit, CALIBRATION_SECONDS), penalties


def score_outputs(predictor: Predictor, pairs: Sequence[tuple[str, str]], metric: str) -> float:
    """Generate greedily for the sources of some pairs, and score the outputs."""
    outputs = [each.text for each in predictor.predict([source for source, _ in pairs], DecodingConfig())]
    return score(metric, [predictor.target.normalize(target) for _, target in pairs], outputs)
