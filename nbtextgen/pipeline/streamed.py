"""Training on more pairs than fit into memory: settings from a sample, all the rest tokenised into a store."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.data.batching import CopyMap, encode_examples
from nbtextgen.data.cleaning.clean import parse_steps, rewriter
from nbtextgen.data.cleaning.steps import REWRITES
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.readers.read import files_of, stream_pairs
from nbtextgen.data.rows import Place, same_key
from nbtextgen.data.token_store import open_store, store_key
from nbtextgen.data.tokenization import tokenise
from nbtextgen.inference.text_codec import LengthLimit
from nbtextgen.pipeline.fit import JUDGED, TrainingData, train_tokenizers
from nbtextgen.pipeline.plan import Plan, plan

SAMPLE = 100_000
"""First pairs, from which settings and vocabularies are chosen."""


@dataclass(frozen=True)
class StreamedData:
    """Pairs that are read one by one, with the settings chosen from the first of them.

    Attributes:
        plan: all settings.
        rows: reads all pairs, rewritten, from the beginning.
        sample: the first pairs, held-out ones included.
        train: those of the sample that are trained on.
        pairs: about how many there are in all.
        held_share: share of sources held out.
    """

    plan: Plan
    rows: Callable[[], Iterator[tuple[Place, str, str]]]
    sample: Pairs
    train: Pairs
    pairs: int
    held_share: float

    @classmethod
    def of(cls, options: Mapping[str, Any], data: Any, source: str | None, target: str | None) -> StreamedData:
        """Read the first pairs; arguments and errors as ``streamed_training_data``."""
        rewrite = _rewriter(options["clean"])
        if options["augment"]:
            raise OptionError("--augment changes pairs in memory, and --store keeps none there; leave one of them out.")

        def rows() -> Iterator[tuple[Place, str, str]]:
            for place, one, other in stream_pairs(data, source, target):
                yield place, rewrite(one), rewrite(other)

        if not files_of(data) and iter(data) is data:
            raise DataError("With --store the data is read twice: give files or a data set, not an iterator.")
        sample = _pairs(islice(rows(), SAMPLE))
        pairs = _count(data, sample)
        share = min(float(options["valid_fraction"]), options["valid_limit"] / max(1, pairs))
        train = sample.take([row for row in range(len(sample)) if not _is_held(sample.sources[row], share)])
        return cls(plan(options, train), rows, sample, train, pairs, share)


def streamed_training_data(
    options: Mapping[str, Any], data: Any, source: str | None, target: str | None
) -> tuple[Plan, TrainingData, Pairs, Pairs | None]:
    """Plan and material of pairs that are read one by one; gives also the sample, and the pairs held out.

    The first pairs set the vocabularies and the settings left open. A pair is held out by a checksum of its source (up
    to case, spacing and Unicode form), so that no source is on both sides, in whatever file it stands.

    Args:
        options: settings by name; ``store`` is the folder of the tokens.
        data: as ``stream_pairs`` reads; a stream that can be read only once must be small enough to be sampled.
        source, target: column names.

    Raises:
        DataError: for a row that is not two texts; names the place.
        OptionError: for a cleaning step that would have to see all rows at once.
    """
    found = StreamedData.of(options, data, source, target)
    chosen, train, held_share = found.plan, found.train, found.held_share
    source_side, target_side = train_tokenizers(chosen, train)
    copy = CopyMap(source_side, target_side) if chosen.model.copy else None

    def kept() -> Iterator[tuple[str, str]]:
        for row in found.rows():
            if not _is_held(row[1], held_share):
                yield row[1], row[2]

    folder = Path(str(options["store"]))
    more = [held_share, chosen.training.max_length, chosen.data.clean, source, target, chosen.model.copy]
    key = store_key(data, source_side, target_side, more)
    store = open_store(folder, key, source_side, target_side) or tokenise(
        kept(), folder, source_side, target_side, copy, key=key, max_length=chosen.training.max_length
    )
    held = (row for row in found.rows() if _is_held(row[1], held_share))
    apart = list(islice(held, options["valid_limit"])) if held_share else []
    valid = _pairs(iter(apart)) if apart else None
    encoded = None if valid is None else encode_examples(valid.sources, valid.targets, source_side, target_side, copy)
    small = train[:20_000]
    limit = LengthLimit.from_examples(encode_examples(small.sources, small.targets, source_side, target_side, copy))
    shown = tuple(valid[: max(chosen.training.samples, JUDGED)]) if valid is not None else ()
    material = TrainingData(source_side, target_side, store.examples, encoded, shown, limit, store.left_out)
    return chosen, material, found.sample, valid


def _pairs(rows: Iterator[tuple[Place, str, str]]) -> Pairs:
    found = list(rows)
    return Pairs([row[1] for row in found], [row[2] for row in found], [row[0] for row in found])


def _rewriter(steps: str | None) -> Callable[[str], str]:
    odd = [name for name in parse_steps(steps or "") if name not in REWRITES]
    if odd:
        raise OptionError(
            f"--store reads rows one by one, and --clean {odd[0]} looks at all of them; clean the file first."
        )
    return rewriter(steps or "")


def _count(data: Any, sample: Pairs) -> int:
    """About how many pairs there are: counted when the sample is all, else by the size of the files."""
    if len(sample) < SAMPLE:
        return len(sample)
    paths = files_of(data)
    mean = sum(len(one.encode()) + len(other.encode()) + 2 for one, other in sample[:5000]) / 5000
    return max(SAMPLE, int(sum(path.stat().st_size for path in paths) / mean)) if paths else 100 * SAMPLE


def _is_held(source: str, share: float) -> bool:
    return zlib.crc32(same_key(source).encode("utf-8", "surrogatepass")) < share * 2**32
