"""Training on more pairs than fit into memory: settings from a sample, and all pairs tokenized into a store on disk."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import cast

from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.core.files import checked_path, link_target
from nbtextgen.core.options import Settings
from nbtextgen.data.augmentation import OFF, Augmentation
from nbtextgen.data.batching import CopyMap, encode_examples
from nbtextgen.data.cleaning.clean import parse_steps, rewriter
from nbtextgen.data.cleaning.steps import REWRITES
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.parallel_tokenization import tokenize_pairs
from nbtextgen.data.readers.columns import ColumnName
from nbtextgen.data.readers.read import files_of, stream_pairs
from nbtextgen.data.rows import Place, same_key
from nbtextgen.data.token_store import open_store, store_key
from nbtextgen.inference.text_codec import OutputLength
from nbtextgen.pipeline.data_checks import check_enough, data_warnings, held_out_warnings
from nbtextgen.pipeline.defaults import Plan, plan
from nbtextgen.pipeline.training_data import METRIC_PAIRS, PreparedData, TrainingData, train_tokenizers

SAMPLE = 100_000
"""First pairs, from which settings and vocabularies are chosen."""


@dataclass(frozen=True)
class StreamedSource:
    """Pairs that are read one by one; vocabularies and open settings are chosen from the first ones.

    A checksum of the source (up to case, spacing and Unicode form) decides whether a pair is held out, so no source is in
    both the training and the validation set, whatever file it is in.

    Attributes:
        plan: all settings.
        read_rows: reads all pairs, rewritten, from the beginning.
        first: the first pairs, including those held out.
        train: the first pairs without those held out.
        size: approximate number of pairs.
        valid_fraction: fraction of the sources held out.
        folder: folder of the store of tokens.
        data: the user's data.
        inputs: settings that the store depends on, beside the data and the tokenizers.
    """

    plan: Plan
    read_rows: Callable[[], Iterator[tuple[Place, str, str]]]
    first: Pairs
    train: Pairs
    size: int
    valid_fraction: float
    folder: Path
    data: object
    inputs: list[object]

    @classmethod
    def of(
        cls,
        options: Settings,
        data: object,
        source: ColumnName | None,
        target: ColumnName | None,
        encoding: str | None = None,
    ) -> StreamedSource:
        """Read the first pairs and choose the settings.

        Args:
            options: settings by name; ``store`` is the folder of the tokens.
            data: as ``stream_pairs`` reads.
            source, target, encoding: as ``Pairs.of``.

        Raises:
            DataError: for a row that is not two texts, naming its place; for an iterator, which can be read only once.
            OptionError: for augmentation, or a cleaning step that needs all rows at once.
        """
        rewrite = _rewriter(options["clean"])
        if Augmentation.parse(options["augment"] or OFF, options["synonyms"]).steps:
            raise OptionError("--augment changes pairs in memory, and --store keeps none there; leave one of them out.")

        notes = list[str]()

        def read_rows() -> Iterator[tuple[Place, str, str]]:
            for place, source_text, target_text in stream_pairs(data, source, target, encoding, notes):
                yield place, rewrite(source_text), rewrite(target_text)

        if not files_of(data) and iter(cast("Iterable[object]", data)) is data:
            raise DataError("With --store the data is read twice: give files or a data set, not an iterator.")
        first = _pairs(list(islice(read_rows(), SAMPLE)), notes)
        if len(first) < SAMPLE:
            check_enough(first)
        size = _count(data, first)
        fraction = min(float(options["valid_fraction"]), options["valid_limit"] / max(1, size))
        train = first.take([row for row in range(len(first)) if not _is_held_out(first.sources[row], fraction)])
        chosen = plan(options, train)
        inputs: list[object] = [
            fraction,
            chosen.training.max_length,
            chosen.data.clean,
            source,
            target,
            chosen.model.copy,
        ]
        inputs += [encoding] if encoding else []
        return cls(
            chosen,
            read_rows,
            first,
            train,
            size,
            fraction,
            link_target(checked_path(chosen.data.store)),
            data,
            inputs,
        )

    def prepare(self) -> PreparedData:
        """Train the tokenizers and tokenize everything into the store, unless it is there already."""
        source, target = train_tokenizers(self.plan, self.train)
        copy = CopyMap(source, target) if self.plan.model.copy else None
        key = store_key(self.data, source, target, self.inputs)
        store = open_store(self.folder, key, source, target) or tokenize_pairs(
            ((row[1], row[2]) for row in self.read_rows() if not _is_held_out(row[1], self.valid_fraction)),
            self.folder,
            source,
            target,
            copy,
            key=key,
            max_length=self.plan.training.max_length,
        )
        valid, encoded = self._valid(), None
        if valid is not None:
            encoded = encode_examples(valid.sources, valid.targets, source, target, copy)
        few = self.train[:20_000]
        limit = OutputLength.from_examples(encode_examples(few.sources, few.targets, source, target, copy))
        texts = tuple(valid[: max(self.plan.training.samples, METRIC_PAIRS)]) if valid is not None else ()
        training_data = TrainingData(source, target, store.examples, encoded, texts, limit, store.left_out)
        notes = (*self.first.notes, *held_out_warnings(self.train, valid), *data_warnings(self.train, training_data))
        return PreparedData(self.plan, training_data, self.first, valid, notes)

    def sample(self, size: int) -> tuple[TrainingData, int]:
        """Some of the first pairs, and the approximate number of all."""
        return TrainingData.sample(self.plan, self.train, size), self.size

    def _valid(self) -> Pairs | None:
        """The pairs held out, at most ``valid_limit``."""
        if not self.valid_fraction:
            return None
        held = (row for row in self.read_rows() if _is_held_out(row[1], self.valid_fraction))
        rows = list(islice(held, self.plan.training.valid_limit))
        return _pairs(rows) if rows else None


def _pairs(rows: Sequence[tuple[Place, str, str]], notes: Sequence[str] = ()) -> Pairs:
    places = [place for place, *_ in rows]
    return Pairs([source for _, source, _ in rows], [target for *_, target in rows], places, tuple(notes))


def _rewriter(steps: str | None) -> Callable[[str], str]:
    for name in parse_steps(steps or ""):
        if name not in REWRITES:
            raise OptionError(
                f"--store reads rows one by one, and --clean={name} looks at all of them; clean the file first."
            )
    return rewriter(steps or "")


def _count(data: object, sample: Pairs) -> int:
    """Approximate number of pairs: exact if the sample is everything, else from the size of the files."""
    if len(sample) < SAMPLE:
        return len(sample)
    paths = files_of(data)
    mean = sum(len(source.encode()) + len(target.encode()) + 2 for source, target in sample[:5000]) / 5000
    return max(SAMPLE, int(sum(path.stat().st_size for path in paths) / mean)) if paths else 100 * SAMPLE


def _is_held_out(source: str, fraction: float) -> bool:
    return zlib.crc32(same_key(source).encode("utf-8", "surrogatepass")) < fraction * 2**32
