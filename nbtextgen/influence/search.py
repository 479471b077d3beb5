"""The training pairs behind one output: the index of a model's training pairs, asked."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nbtextgen.core.errors import DataError
from nbtextgen.core.options import whole_number
from nbtextgen.data.batching import Examples, encode_examples
from nbtextgen.data.pairs import Pairs
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.output_part import find_part, token_spans
from nbtextgen.inference.predictor import Predictor
from nbtextgen.influence.index import InfluenceIndex, ProgressCallback, check_method
from nbtextgen.influence.rows import TrainingRow, TrainingRows
from nbtextgen.tokenizers.base import BOS, EOS

END = "end"
"""The name of the end token."""


@dataclass(frozen=True)
class TrainingPairs:
    """The training pairs of a model, indexed.

    Attributes:
        predictor: the model.
        pairs: the pairs as texts, as many as were indexed.
        index: their gradients.
        steps: the cleaning steps that the pairs passed through.
        ends: whether targets end with the end token; the windows of a text do not.
        note: which pairs are missing, as a sentence; or empty.
    """

    predictor: Predictor
    pairs: Pairs
    index: InfluenceIndex
    steps: str | None = None
    ends: bool = True
    note: str = ""

    @classmethod
    def of(
        cls,
        predictor: Predictor,
        pairs: Pairs,
        *,
        longest: int,
        steps: str | None = None,
        ends: bool = True,
        note: str = "",
        on_progress: ProgressCallback | None = None,
    ) -> TrainingPairs:
        """Encode and index training pairs.

        Args:
            predictor: the model.
            pairs: cleaned as in training.
            longest: most tokens on a side; longer pairs were not trained on.
            steps: the cleaning steps.
            ends, note: see above.
            on_progress: see ``ProgressCallback``.

        Raises:
            DataError: if every pair is too long.
        """
        examples = encode_examples(pairs.sources, pairs.targets, predictor.source, predictor.target, predictor.copy)
        rows = examples.rows_within(longest)
        if not rows:
            raise DataError(f"Every pair has more than {longest:,} tokens on a side, so the model was trained on none.")
        if len(rows) < len(pairs):
            pairs, examples = pairs.take(rows), examples.take(rows)
        if not ends:
            examples = replace(examples, targets=[ids[:-1] for ids in examples.targets])
        return cls(predictor, pairs, InfluenceIndex(predictor.networks, examples, on_progress), steps, ends, note)

    def behind(
        self, output: str | Generation, *, token: int | str | None = None, method: str = "gradients", count: int = 10
    ) -> TrainingRows:
        """Return the rows with the largest influence on an output; see ``TextGenerator.training_rows``."""
        check_method(method)
        count = whole_number("--count", count, 1)
        generation = output
        if isinstance(generation, str):
            generation = self.predictor.predict([generation], DecodingConfig())[0]
        if not generation.ids:
            raise DataError("The output is empty, so there are no training rows behind it; choose another source.")
        steps, part = self._part(generation, token)
        influence = self.index.influence(self._encoded(generation), steps, method)
        order = np.argsort(-influence, kind="stable")
        chosen = [index for index in order[:count].tolist() if influence[index] > 0]
        chosen += [index for index in order[::-1][:count].tolist() if influence[index] < 0]
        rows = [TrainingRow.of(self.pairs, index, float(influence[index]), self.steps) for index in chosen]
        return TrainingRows(rows, generation, part, method, self.note)

    def _part(self, generation: Generation, token: int | str | None) -> tuple[list[int] | None, str | None]:
        """The indices of the output tokens that are meant, and their text; ``None`` for all of the output."""
        if token is None:
            return None, None
        text = generation.text
        spans = token_spans(self.predictor, text, generation.ids, generation.source)
        end = [(END, (len(text), len(text)))] if self.ends else []
        named = [*zip(generation.tokens, spans, strict=True), *end]
        part = find_part(token, text, [name for name, _ in named], [span for _, span in named])
        return list(part.steps), part.text

    def _encoded(self, generation: Generation) -> Examples:
        """The source and the output as token ids, with the ids of words that were copied."""
        sources = self.predictor.codec.encode([generation.source], DecodingConfig())
        target = np.array([BOS, *generation.ids, *([EOS] if self.ends else [])], dtype=np.int64)
        copies = None if sources.copy_ids is None else [sources.copy_ids[0]]
        return Examples([sources.ids[0]], [target], copies)
