"""``calibrate``: make the confidence of a model a probability, by held-out pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from nbtextgen.confidence.criterion import Criterion
from nbtextgen.core.options import build
from nbtextgen.data.readers.columns import ColumnName
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.generator.trained_model import TrainedModel
from nbtextgen.pipeline.calibration import add_second_network, calibrate_predictor
from nbtextgen.pipeline.dataset import to_pairs

if TYPE_CHECKING:
    from nbtextgen.confidence.calibration import Calibration
    from nbtextgen.core.option_types import DecodingOptions


def calibrate(
    model: TrainedModel,
    data: object,
    targets: object = None,
    *,
    criterion: str | None = None,
    source: ColumnName | None = None,
    target: ColumnName | None = None,
    encoding: str | None = None,
    group_sources: bool = False,
    second: TrainedModel | None = None,
    **decoding: Unpack[DecodingOptions],
) -> Calibration:
    """Calibrate the confidence of a model on pairs that it was not trained on.

    ``fit`` does it for greedy search on its validation pairs. Other pairs, another criterion, or another kind of search need
    this function. ``save`` keeps the result.

    Args:
        model: a trained model, which is changed.
        data, targets, source, target, encoding, group_sources: as in ``evaluate``.
        criterion: when an output is right: ``exact``, or a metric of a single output and a threshold, such as ``chrf>=60`` or
            ``character-error-rate<=5``. By default ``exact``, or ``chrf>=60`` where few outputs are exactly right.
        second: a model that was trained on the same pairs, with the same validation pairs, from another seed. Its network becomes
            part of this model and scores each output, too: networks disagree about wrong outputs, so that more of them are found.
        decoding: as in ``generate``; the calibration holds for this kind of search.

    Returns:
        the calibration; it says how well the confidence fits and which share of outputs could be accepted.

    Raises:
        DataError: for fewer than 50 pairs.
        OptionError: for an unknown metric or option, and a second model with other tokens or another network.

    Example:
        >>> calibrated = TextGenerator.load(model.save("for-calibration"))
        >>> result = calibrate(calibrated, pairs)
        >>> 0 <= calibrated.generate("abc").confidence <= 1
        True
    """
    config = build(DecodingConfig, decoding)
    right = None if criterion is None else Criterion.parse(criterion)
    pairs = to_pairs(data, targets, source, target, encoding)
    if second is not None:
        add_second_network(model.predictor, model.plan, second.predictor, second.plan)
    return calibrate_predictor(model.predictor, model.plan, pairs, right, config, grouped=group_sources)
