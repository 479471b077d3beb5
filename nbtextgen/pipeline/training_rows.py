"""The training pairs of a model as texts, for ``TextGenerator.training_rows``: in memory, in a file, or given again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from nbtextgen.core.errors import DataError, ModelFileError
from nbtextgen.core.files import as_json, read_json, write
from nbtextgen.data.corpus import Corpus, windows
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.readers.columns import ColumnName
from nbtextgen.data.readers.texts import pair_columns
from nbtextgen.inference.predictor import Predictor
from nbtextgen.pipeline.continuation import window_pairs
from nbtextgen.pipeline.dataset import read_pairs
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.pipeline.training_data import PreparedData

KEPT_ROWS = "training_rows.json"
"""The training pairs in a model's or a run's folder; only if the user wants them to be kept."""
MAX_PAIRS = 500_000
"""Most pairs that stay in memory after training without being asked for."""
MISSING = (
    "This model does not hold its training rows, so it cannot tell which of them are behind an output; give them again with "
    "--data=DATA, or keep them with save(keep_rows=True) or, in a run, --keep-rows."
)
EARLIER_UNKNOWN = "Rows of the data that the model was trained on before (--start) are not listed, because those texts are not at hand."


def trained_pairs(prepared: PreparedData, limit: int | None = None) -> Callable[[], Pairs | None] | None:
    """A function that returns the pairs that a model was trained on, or the windows of its text.

    It holds on to these alone. ``None`` if they are not in memory, or more than ``limit``.
    """
    data = prepared.training_data
    if prepared.plan.data.store or (limit is not None and len(data.train) > limit):
        return None
    if prepared.plan.data.context is not None:
        return partial(window_pairs, data.train, data.source, data.target, "of the text")
    pairs = prepared.train
    return lambda: pairs


def given_pairs(
    plan: Plan,
    predictor: Predictor,
    data: object,
    targets: object = None,
    source: ColumnName | None = None,
    target: ColumnName | None = None,
    encoding: str | None = None,
) -> Pairs:
    """The training data once more, cleaned as in training; pairs that were held out cannot be told from the others.

    Raises:
        DataError: if the data cannot be read, or a text holds no window.
    """
    if plan.data.context is not None:
        corpus = data if isinstance(data, Corpus) else Corpus.of(data, encoding)
        ids, context = predictor.target.encode_batch([corpus.text])[0], plan.data.context
        examples = windows(ids, context, plan.data.window or 4 * context)
        pairs = window_pairs(examples, predictor.source, predictor.target, "of the text")
        if pairs is None:
            raise DataError("The text is shorter than two windows; give the text that the model was trained on.")
        return pairs
    if targets is not None:
        data, source, target = pair_columns(data, targets, source, target, encoding), None, None
    steps = plan.data.clean
    steps = ",".join(
        step for step in (steps or "").split(",") if step.strip() != "overlap"
    )  # it needs the held-out pairs
    return read_pairs(data, None, steps or None, source, target, encoding)[0].pairs


def write_rows(folder: Path, pairs: Pairs) -> None:
    """Write the pairs into a folder of a model or a run."""
    originals = {str(row): [*map(str, pairs.originals[row])] for row in pairs.rows if row in pairs.originals}
    content: dict[str, object] = {"sources": pairs.sources, "targets": pairs.targets, "originals": originals}
    write(folder / KEPT_ROWS, as_json(content | {"rows": list(pairs.rows), "places": list(pairs.places)}))


def read_rows(folder: Path) -> Pairs:
    """Read what ``write_rows`` wrote; raises ``ModelFileError`` if it is damaged."""
    content = read_json(folder / KEPT_ROWS)
    try:
        places = [place if isinstance(place, str) else (str(place[0]), int(place[1])) for place in content["places"]]
        pairs = Pairs(content["sources"], content["targets"], places, rows=[int(row) for row in content["rows"]])
        pairs.originals = {int(row): (str(texts[0]), str(texts[1])) for row, texts in content["originals"].items()}
        if not len(places) == len(pairs) == len(pairs.rows):
            raise ValueError("lists of different lengths")
    except (DataError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelFileError(f"{folder / KEPT_ROWS} is damaged ({type(error).__name__}: {error}).") from error
    return pairs
