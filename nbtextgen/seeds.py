"""``evaluate_seeds``: how much a figure varies with the seed of the training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Unpack

from nbtextgen.core.errors import OptionError
from nbtextgen.data.readers.columns import ColumnName
from nbtextgen.evaluation.metrics import Metrics, find_metrics
from nbtextgen.evaluation.scores import Scores
from nbtextgen.evaluation.seed_scores import SeedScores
from nbtextgen.generator import TextGenerator
from nbtextgen.pipeline.dataset import read_pairs, to_pairs

if TYPE_CHECKING:
    from nbtextgen.core.option_types import DecodingOptions


def evaluate_seeds(
    model: TextGenerator,
    data: object,
    test: object,
    *,
    seeds: int | Sequence[int] = 5,
    valid: object = None,
    metrics: Metrics | None = None,
    source: ColumnName | None = None,
    target: ColumnName | None = None,
    encoding: str | None = None,
    on_progress: Callable[[int, Scores], None] | None = None,
    **decoding: Unpack[DecodingOptions],
) -> SeedScores:
    """Train the settings of a model once per seed, and measure each training on the same test pairs.

    The seed chooses the first weights, the order of the pairs, and the held-out pairs unless ``valid`` is given.

    Args:
        model: its settings are used; it is not trained.
        data, valid, source, target, encoding: as in ``TextGenerator.fit``.
        test: pairs that no training has seen.
        seeds: how many (1, 2, ...), or the seeds themselves.
        metrics, decoding: as in ``TextGenerator.evaluate``.
        on_progress: called with each seed and its ``Scores``.

    Returns:
        by metric: the mean, standard deviation and interval over the seeds; ``p_value`` compares with another model's.

    Raises:
        OptionError: for fewer than two different seeds, or an unknown metric; before anything is trained.
        DataError: as in ``fit``.

    Example:
        >>> small = TextGenerator(hidden_size=8, embedding_size=8, max_steps=2)
        >>> scores = evaluate_seeds(small, pairs[20:], pairs[:20], seeds=2, metrics=["chrf"])
        >>> len(scores["chrf"].values), scores["chrf"].deviation >= 0
        (2, True)
    """
    if isinstance(model, type):
        raise OptionError(f"A model with its settings is expected, {model.__name__}(), not the class {model.__name__}.")
    chosen = tuple(range(1, seeds + 1)) if isinstance(seeds, int) else tuple(seeds)
    if len(set(chosen)) < max(2, len(chosen)):
        raise OptionError(f"seeds must be at least two different whole numbers (got {list(chosen)}).")
    if metrics is not None:
        find_metrics(metrics)
    options = model.get_params()
    pairs, valid = read_pairs(data, valid, options.pop("clean"), source, target, encoding)
    test = to_pairs(test, None, source, target, encoding)
    scores: dict[int, Scores] = {}
    for seed in chosen:
        options["seed"] = seed
        trained = TextGenerator(**options).fit(pairs, valid=valid, callbacks=[])
        scores[seed] = trained.evaluate(test, metrics=metrics, **decoding)
        if on_progress is not None:
            on_progress(seed, scores[seed])
    return SeedScores(scores)
