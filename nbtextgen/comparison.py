"""``compare``: are the outputs of one model better than those of another?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

from nbtextgen.core.errors import DataError
from nbtextgen.data.readers.columns import ColumnName
from nbtextgen.evaluation.metrics import find_metrics
from nbtextgen.evaluation.significance import compare_outputs
from nbtextgen.generator.trained_model import TrainedModel
from nbtextgen.pipeline.dataset import group_references, to_pairs
from nbtextgen.pipeline.model_data import default_metrics, model_references, model_sources

if TYPE_CHECKING:
    from nbtextgen.core.option_types import DecodingOptions
    from nbtextgen.evaluation.metrics import Metrics
    from nbtextgen.evaluation.significance import Comparison


def compare(
    first: TrainedModel | Sequence[Any],
    second: TrainedModel | Sequence[Any],
    data: Any,
    targets: Any = None,
    *,
    metrics: Metrics | None = None,
    names: tuple[str, str] = ("first", "second"),
    source: ColumnName | None = None,
    target: ColumnName | None = None,
    encoding: str | None = None,
    group_sources: bool = False,
    **decoding: Unpack[DecodingOptions],
) -> Comparison:
    """Compare two models on the same pairs: is the difference more than chance, and which outputs differ?

    Args:
        first, second: trained models; or the outputs of any system, one per source.
        data, targets, source, target, encoding, metrics, group_sources, decoding: as in ``evaluate``; the default
            metrics suit the second model.
        names: of the two models, for the table.

    Returns:
        for each metric both figures, their difference with an interval, and the p-values of a paired bootstrap (1,000
        resamples) and of approximate randomisation (10,000 trials); ``.changes`` lists the outputs that differ.

    Raises:
        DataError: if there are not as many outputs as sources.
        OptionError: for an unknown metric, before anything is generated.

    Example:
        >>> comparison = compare(model, words[9:36], pairs[9:36], metrics=["exact"], names=("model", "copied"))
        >>> comparison["exact"].p_randomisation < 0.05
        True
    """
    models = [model for model in (second, first) if isinstance(model, TrainedModel)]
    if metrics is None:
        metrics = default_metrics(models[0].plan) if models else ("chrf", "exact")
    chosen = find_metrics(metrics)
    pairs = to_pairs(data, targets, source, target, encoding)
    sources, expected = group_references(pairs, grouped=group_sources)
    references, outputs = list[list[str | list[str]]](), list[list[str]]()
    for model in (first, second):
        if isinstance(model, TrainedModel):
            references.append(model_references(model.plan, model.predictor, pairs, grouped=group_sources)[1])
            outputs.append([generation.text for generation in model.generate(sources, **decoding)])
        elif isinstance(model, str) or not all(isinstance(output, str) for output in model):
            raise DataError("Only trained models and lists of output texts can be compared.")
        else:
            references.append(expected)
            outputs.append(list(model))
    comparison = compare_outputs(sources, (references[0], references[1]), (outputs[0], outputs[1]), chosen, names=names)
    if references[0] != references[1]:
        comparison.notes.append("The models read targets differently, so each was scored against its own form of them.")
    for name, model in zip(names, (first, second), strict=True):
        if isinstance(model, TrainedModel) and model.seen is not None:
            comparison.notes.append(f"{name}: {model.seen.sentence(model_sources(model.plan, sources))}")
    return comparison
