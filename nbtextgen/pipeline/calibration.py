"""Calibrate the confidence of a model on held-out pairs, at the end of training and when asked for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import numpy as np

from nbtextgen.confidence.calibration import LEAST, Calibration, HeldOut, fit_calibration, token_labels
from nbtextgen.confidence.confidence import Confidence, search_settings, usual_unseen
from nbtextgen.confidence.criterion import EXACT, Criterion
from nbtextgen.confidence.training_statistics import TrainingStatistics
from nbtextgen.core.errors import DataError, MemoryShortError, OptionError
from nbtextgen.core.wording import there_are
from nbtextgen.data.pairs import Pairs
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.evaluation.references import acceptable
from nbtextgen.inference.generation import Generations
from nbtextgen.inference.predictor import Predictor
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.pipeline.fit import has_chosen_penalties, seconds_after_training
from nbtextgen.pipeline.model_data import model_references
from nbtextgen.pipeline.penalties import BEAM, SEARCHES, choose_penalties
from nbtextgen.pipeline.penalties import MAX_PAIRS as MOST_FOR_PENALTIES
from nbtextgen.pipeline.training_data import TrainingData
from nbtextgen.training.events import Ended, Event, Validation

EXAMPLES_PER_PAIR = 50
"""Examples that training has read for each pair that it is calibrated on at its end, so that this takes some 2 % longer."""
BEAM_COST = 5
"""What a pair costs on which the penalties of the search are chosen, in pairs that the confidence is calibrated on."""
TIMED_PAIRS = 20
"""Pairs whose outputs show how long the others take."""
MAX_PAIRS = 2000
"""Pairs that a model is calibrated on at the end of training, at most."""
EXACT_SHARE = 0.2
"""Outputs are right if they equal their references, where at least this share of them does."""
SIMILAR = "chrf>=60"
"""When outputs are right otherwise."""


def calibrate_after_training(
    predictor: Predictor, plan: Plan, data: TrainingData, valid: Pairs | None, events: Sequence[Event]
) -> None:
    """Give a model the statistics of its training data; by validation pairs, the penalties of its beam search and a calibration.

    The calibration is that of greedy search. There are neither for a language model, or if training was so short, or held out so
    few pairs, that fewer than ``LEAST`` are left.

    Args:
        predictor: the trained model, which is changed.
        plan: all settings.
        data: what it was trained on.
        valid: its validation pairs; by default those of ``data``, which keeps only the first ones.
        events: of the training, which say how long it was.
    """
    if plan.data.context is not None:
        return
    predictor.confidence = Confidence(TrainingStatistics.of(data.train.sources, data.train.targets))
    affordable = _updates(events) * (plan.training.batch_size or 1) // EXAMPLES_PER_PAIR
    count = min(len(data.valid_texts if valid is None else valid), MAX_PAIRS, affordable)
    if count < LEAST:
        return
    texts = data.valid_texts
    pairs = Pairs([source for source, _ in texts], [target for _, target in texts]) if valid is None else valid
    few = min(count, MOST_FOR_PENALTIES, affordable // BEAM_COST)
    few = few if few >= LEAST and has_chosen_penalties(plan) else 0
    try:
        if plan.training.max_minutes:
            count, few = _within_limit(predictor, plan, pairs, count, few)
        if few:
            length, coverage = choose_penalties(predictor, _spread(pairs, few))
            predictor.output_length = replace(predictor.output_length, penalty=length, coverage=coverage)
        calibrate_predictor(predictor, plan, _spread(pairs, count), None, DecodingConfig())
    except (KeyboardInterrupt, MemoryShortError):
        return  # the model is whole without them


def _within_limit(predictor: Predictor, plan: Plan, pairs: Pairs, count: int, few: int) -> tuple[int, int]:
    """Lower the numbers of pairs, for the calibration and for the penalties, to what the time limit leaves seconds for.

    At least ``LEAST`` are left for the calibration, and for the penalties ``TIMED_PAIRS`` or none. Outputs can be long, or never end
    after a short training.
    """
    sources = _spread(pairs, TIMED_PAIRS).sources
    predictor.predict(sources[:1], DecodingConfig())  # the first search prepares 8-bit weights

    def seconds(config: DecodingConfig) -> float:
        began = time.perf_counter()
        predictor.predict(sources, config)
        return max(1e-6, time.perf_counter() - began) / TIMED_PAIRS

    calibration, penalties = seconds_after_training(plan)
    count = min(count, max(LEAST, int(calibration / seconds(DecodingConfig()))))
    if few:
        few = min(few, int(penalties / (SEARCHES * seconds(DecodingConfig(beam=BEAM)))))
    return count, few if few >= TIMED_PAIRS else 0


def _spread(pairs: Pairs, count: int) -> Pairs:
    """Pairs from all over the data."""
    return pairs.take(np.linspace(0, len(pairs) - 1, count).astype(int).tolist())


def _updates(events: Sequence[Event]) -> int:
    """Updates of all networks of a training."""
    ends = [event.step for event in events if isinstance(event, Ended)]
    steps = [event.step for event in events if isinstance(event, Validation)]
    return sum(ends) or max(steps, default=0)


def calibrate_predictor(
    predictor: Predictor,
    plan: Plan,
    pairs: Pairs,
    criterion: Criterion | None,
    config: DecodingConfig,
    *,
    grouped: bool = False,
) -> Calibration:
    """Generate for held-out pairs, fit a calibration on the outputs, and give it to the model.

    Args:
        predictor, plan: the trained model.
        pairs: pairs that it was not trained on.
        criterion: when an output is right; by default if it equals its reference, where that is not too rare.
        config: the search.
        grouped: whether the targets of the same source are several acceptable references for it.

    Raises:
        DataError: if there are too few pairs.
    """
    held, criterion = held_out_outputs(predictor, plan, pairs, criterion, config, grouped=grouped)
    calibration = fit_calibration(held, criterion, search_settings(config))
    assert predictor.confidence is not None
    predictor.confidence = predictor.confidence.with_calibration(calibration)
    return calibration


def add_second_network(predictor: Predictor, plan: Plan, other: Predictor, other_plan: Plan) -> None:
    """Let the network of another model score the outputs of a model; only their confidence depends on it.

    Raises:
        OptionError: if the other model has other tokens or another kind of network, or is the same model.
    """
    sides = [[each.to_dict() for each in (model.source, model.target)] for model in (predictor, other)]
    if sides[0] != sides[1] or plan.model != other_plan.model or predictor.fingerprint == other.fingerprint:
        raise OptionError(
            "second= needs another model with the same tokens and the same settings of the network: train both on the same pairs, with "
            "the same validation pairs (valid=), from different seeds."
        )
    predictor.second = deepcopy(other.networks[0]).to(predictor.device)


def held_out_outputs(
    predictor: Predictor,
    plan: Plan,
    pairs: Pairs,
    criterion: Criterion | None,
    config: DecodingConfig,
    *,
    grouped: bool = False,
) -> tuple[HeldOut, Criterion]:
    """Generate for held-out pairs and say which outputs are right, by which criterion; see ``calibrate_predictor``.

    What is usual in their sources is added to the confidence of the model.
    """
    sources, references = model_references(plan, predictor, pairs, grouped=grouped)
    if len(sources) < LEAST:
        raise DataError(f"{there_are(len(sources), 'held-out pair')}; a calibration needs at least {LEAST}.")
    if predictor.confidence is None:
        predictor.confidence = Confidence(TrainingStatistics.unknown())
    outputs = predictor.predict(sources, config)
    texts = [output.text for output in outputs]
    if criterion is None:
        exact = Criterion.parse(EXACT)
        criterion = exact if exact.right(references, texts).mean() >= EXACT_SHARE else Criterion.parse(SIMILAR)
    unseen = _unseen(predictor, predictor.confidence, sources)
    confidence = replace(predictor.confidence, usual=usual_unseen(unseen))
    predictor.confidence = confidence
    return _held_out(predictor, outputs, references, criterion, confidence.is_unlike(unseen)), criterion


def _unseen(
    predictor: Predictor, confidence: Confidence, sources: Sequence[str]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Share of the n-grams of each source that never occurred in training, ``(sources,)``."""
    encoded = predictor.source.encode_batch(list(sources))
    rarities = (confidence.statistics.source.rarity(ids[: predictor.max_source]) for ids in encoded)
    return np.fromiter((float((rarity == 0).mean()) for rarity in rarities), float, len(encoded))


def _held_out(
    predictor: Predictor,
    outputs: Generations,
    references: Sequence[str | list[str]],
    criterion: Criterion,
    unlike: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> HeldOut:
    """What a calibration is fitted on; an empty output has the features of nothing, so it is left out."""
    kept = [index for index, output in enumerate(outputs) if output.features is not None]
    rows = [outputs[index].features for index in kept]
    right = criterion.right([references[index] for index in kept], [outputs[index].text for index in kept])
    logs, labels = list[np.ndarray[tuple[int], np.dtype[np.float32]]](), list[bool]()
    for index in kept:
        reference = predictor.target.encode(acceptable(references[index])[0]).ids
        logs.append(outputs[index].log_probabilities[: len(outputs[index].ids)])
        labels += token_labels(reference, outputs[index].ids)
    return HeldOut(
        np.array(rows, np.float64), right, unlike[kept], np.concatenate(logs).astype(np.float64), np.array(labels, bool)
    )
