"""``compare``: are the outputs of one model better than those of another?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Unpack, cast

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.core.options import build
from nbtextgen.core.wording import counted, there_are
from nbtextgen.data.readers.columns import ColumnName, check_order
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.evaluation.metrics import find_metrics
from nbtextgen.evaluation.references import normalized
from nbtextgen.evaluation.significance import compare_outputs
from nbtextgen.generator.trained_model import TrainedModel
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.sources import validate_sources
from nbtextgen.pipeline.dataset import group_references, to_pairs
from nbtextgen.pipeline.model_data import default_metrics, model_sources, target_reader
from nbtextgen.serving.generator import OnnxGenerator

if TYPE_CHECKING:
    from nbtextgen.core.option_types import DecodingOptions
    from nbtextgen.evaluation.metrics import Metrics
    from nbtextgen.evaluation.significance import Comparison


def compare(
    first: TrainedModel | OnnxGenerator | Sequence[object],
    second: TrainedModel | OnnxGenerator | Sequence[object],
    data: object,
    targets: object = None,
    *,
    metrics: Metrics | None = None,
    names: tuple[str, str] = ("first", "second"),
    source: ColumnName | None = None,
    target: ColumnName | None = None,
    encoding: str | None = None,
    group_sources: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    **decoding: Unpack[DecodingOptions],
) -> Comparison:
    """Compare two models on the same pairs: is the difference more than chance, and which outputs differ?

    Args:
        first, second: trained or exported models; or the outputs of any system, one per source.
        data, targets, source, target, encoding, metrics, group_sources, decoding: as in ``evaluate``; the default
            metrics suit the second model.
        names: of the two models, for the table.
        on_progress: called with (outputs generated, outputs in all, of both models); what it raises ends the comparison.

    Returns:
        for each metric both figures, their difference with an interval, and the p-values of a paired bootstrap (1,000
        resamples) and of approximate randomisation (10,000 trials); ``.changes`` lists the outputs that differ.

    Raises:
        DataError: if there are not as many outputs as sources.
        OptionError: for an unknown metric, or names that are not two texts, before anything is generated.

    Example:
        >>> comparison = compare(model, words[9:36], pairs[9:36], metrics=["exact"], names=("model", "copied"))
        >>> comparison["exact"].p_randomisation < 0.05
        True
    """
    names = _two_names(names)
    models = [model for model in (second, first) if isinstance(model, TrainedModel)]
    if metrics is None:
        metrics = default_metrics(models[0].plan) if models else ("chrf", "exact")
    chosen = find_metrics(metrics)
    pairs = to_pairs(data, targets, source, target, encoding)
    sources, expected = group_references(pairs, grouped=group_sources)
    references, outputs = list[list[str | list[str]]](), list[list[str]]()
    earlier = [_output_texts(model, len(sources)) for model in (first, second)]
    generating = [model for model in (first, second) if isinstance(model, (TrainedModel, OnnxGenerator))]
    for model, texts in zip((first, second), earlier, strict=True):
        if isinstance(model, TrainedModel):
            reader = target_reader(model.plan.data.clean, model.predictor.target)
        elif isinstance(model, OnnxGenerator):
            reader = target_reader(model.clean, model.codec.target)
        else:
            reader = None
        references.append(expected if reader is None else normalized(expected, reader))
        if isinstance(model, (TrainedModel, OnnxGenerator)):
            before, count = (len(sources) if outputs and generating[0] is first else 0), len(sources) * len(generating)
            progress = None if on_progress is None else partial(_on_progress, on_progress, before, count)
            texts = _generated_texts(model, sources, decoding, progress)
        outputs.append(texts)
    comparison = compare_outputs(sources, (references[0], references[1]), (outputs[0], outputs[1]), chosen, names=names)
    if references[0] != references[1]:
        comparison.notes.append("The models read targets differently, so each was scored against its own form of them.")
    for name, model in zip(names, (first, second), strict=True):
        if isinstance(model, TrainedModel) and model.seen is not None:
            comparison.notes.append(f"{name}: {model.seen.sentence(model_sources(model.plan, sources))}")
    return comparison


def _on_progress(on_progress: Callable[[int, int], None], before: int, count: int, done: int, _: int) -> None:
    """Report how many outputs of both models there are."""
    on_progress(before + done, count)


def _generated_texts(
    model: TrainedModel | OnnxGenerator,
    sources: list[str],
    decoding: DecodingOptions,
    on_progress: Callable[[int, int], None] | None,
) -> list[str]:
    """The outputs of a model; an exported one reports them when all are there."""
    if isinstance(model, TrainedModel):
        checked = validate_sources(sources, model.plan.data.clean, allow_empty=True)
        generations = model.predictor.predict(checked, build(DecodingConfig, decoding), on_progress=on_progress)
    else:
        generations = model.generate(sources, **decoding)
    if on_progress is not None:
        on_progress(len(sources), len(sources))
    return [generation.text for generation in generations]


def _two_names(names: object) -> tuple[str, str]:
    """The names of both models; equal ones are numbered. Raises ``OptionError`` unless they are two texts."""
    texts = [*cast("Iterable[object]", names)] if isinstance(names, (tuple, list)) else []
    first, second = texts if len(texts) == 2 else [None, None]
    if not isinstance(first, str) or not isinstance(second, str):
        raise OptionError(f"names must be two texts, one for each model (got {names!r}).")
    return (first, second) if first != second else (f"{first} (1)", f"{second} (2)")


def _output_texts(system: object, count: int) -> list[str]:
    """The texts of outputs that were generated before, one for each of ``count`` sources; none for a model.

    Raises:
        DataError: for anything else, or another number of outputs.
    """
    if isinstance(system, (TrainedModel, OnnxGenerator)):
        return []
    outputs: object = getattr(system, "texts", system)  # those of a generated table
    if isinstance(outputs, str) or not isinstance(outputs, Iterable):
        raise DataError(f"Only models and lists of output texts can be compared, not {type(system).__name__}.")
    check_order(cast("object", outputs))
    texts = [each.text if isinstance(each, Generation) else each for each in cast("Iterable[object]", outputs)]
    if not all(isinstance(text, str) for text in texts):
        raise DataError("Only models and lists of output texts can be compared; some of these outputs are not texts.")
    if len(texts) != count:
        raise DataError(f"{there_are(len(texts), 'output')} but {counted(count, 'source')}; they must match.")
    return cast("list[str]", texts)
