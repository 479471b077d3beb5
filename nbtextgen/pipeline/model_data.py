"""Data for a trained model: sources and targets as it reads them, cleaned and normalized as in training, and its metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from nbtextgen.core.errors import DataError
from nbtextgen.core.escaping import pictured_piece
from nbtextgen.core.options import whole_number
from nbtextgen.core.wording import counted, share, there_are
from nbtextgen.data.cleaning.clean import rewriter
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.rows import same_key
from nbtextgen.data.seen import SeenSources
from nbtextgen.evaluation.evaluated import EvaluatedOutputs
from nbtextgen.evaluation.references import References, acceptable, normalized
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.predictor import Predictor
from nbtextgen.inference.sources import validate_sources
from nbtextgen.pipeline.dataset import group_references
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.tokenizers.base import Tokenizer

MAX_UNKNOWN = 10
"""Unknown characters or words that are named."""


def model_sources(plan: Plan, texts: Iterable[object]) -> list[str]:
    """Validated sources, rewritten by the cleaning steps that the model was trained with."""
    return validate_sources(texts, plan.data.clean)


def model_pairs(plan: Plan, predictor: Predictor, pairs: Pairs) -> Pairs:
    """Pairs, rewritten and normalized as in training."""
    targets = map(target_reader(plan.data.clean, predictor.target), pairs.targets)
    return Pairs(model_sources(plan, pairs.sources), list(targets), pairs.places, rows=pairs.rows)


def model_references(
    plan: Plan, predictor: Predictor, pairs: Pairs, *, grouped: bool
) -> tuple[list[str], list[str | list[str]]]:
    """Sources, and their targets as the model read those that it was trained on.

    Args:
        plan, predictor: the trained model.
        pairs: sources and targets.
        grouped: whether the targets of the same source are several acceptable references for it.
    """
    sources, references = group_references(pairs, grouped=grouped)
    return sources, normalized(references, target_reader(plan.data.clean, predictor.target))


def target_reader(clean: str | None, tokenizer: Tokenizer) -> Callable[[str], str]:
    """Rewrites and normalizes a target as in training, by the model's cleaning steps and its tokenizer of targets."""
    if not clean:
        return tokenizer.normalize
    rewrite = rewriter(clean)
    return lambda text: tokenizer.normalize(rewrite(text))


def evenly_spread(pairs: Pairs, gold: Sequence[str] | None, limit: int) -> tuple[Pairs, list[str] | None]:
    """At most ``limit`` pairs, evenly spread, with their gold alignments.

    Raises:
        DataError: if there is not one alignment for each pair.
        OptionError: if the limit is no whole number of at least 1.
    """
    limit = whole_number("--limit", limit, 1)
    if gold is not None and len(gold) != len(pairs):
        raise DataError(
            f"{there_are(len(pairs), 'pair')} but {counted(len(gold), 'gold alignment')}; give one for each."
        )
    rows = range(0, len(pairs), -(-len(pairs) // limit))
    return pairs.take(rows), None if gold is None else [gold[row] for row in rows]


def evaluated_outputs(
    plan: Plan, generations: Sequence[Generation], references: References, seen: SeenSources | None
) -> EvaluatedOutputs:
    """Outputs with their sources and references, and what is known of the sources.

    Args:
        plan: of the model.
        generations: its outputs.
        references: as the model read its targets, one for each.
        seen: its training sources, if they can be recognised.
    """
    sources = [generation.source for generation in generations]
    return EvaluatedOutputs(
        sources,
        references,
        [generation.text for generation in generations],
        plan.tokenizer.target_tokens == "char",
        None if seen is None else seen.contains(model_sources(plan, sources)),
        np.array([bool(generation.unknown) for generation in generations]),
    )


def nearly_right(references: References, outputs: Sequence[str]) -> list[str]:
    """How many outputs differ from all their references, and from one only in what readers hardly see; none if there is none."""
    count = 0
    for reference, output in zip(references, outputs, strict=True):
        texts = acceptable(reference)
        if output not in texts:
            count += same_key(output) in {same_key(text) for text in texts}
    if not count:
        return []
    differ = share(count, len(outputs), "output", "differs", "differ")
    return [
        f"{differ} from its reference only in case, spacing or Unicode form."
        if count == 1
        else f"{differ} from their references only in case, spacing or Unicode form."
    ]


def source_remarks(predictor: Predictor, generations: Sequence[Generation]) -> list[str]:
    """What to know about the sources of many outputs: how many hold what the model does not know."""
    unknown = Counter(piece for generation in generations for piece in set(generation.unknown))
    if not unknown or predictor.copy is not None:  # a copy head can copy what it does not know
        return []
    count = sum(bool(generation.unknown) for generation in generations)
    few = ", ".join(pictured_piece(piece) for piece, _ in unknown.most_common(MAX_UNKNOWN))
    more = ", ..." if len(unknown) > MAX_UNKNOWN else ""
    sources = share(count, len(generations), "source", "holds", "hold")
    return [f"{sources} what is unknown to this model: {few}{more}"]


def default_metrics(plan: Plan) -> tuple[str, ...]:
    """The metrics that suit the tokens of a model's outputs."""
    if _writes_short_texts(plan):
        return "exact", "error-rate", "character-error-rate"
    return "bleu", "chrf", "ter", "rougeL"


def score_metric(plan: Plan, chosen: str | None) -> str:
    """The metric of ``score``: the chosen one if it is a percentage where more is better."""
    if chosen in ("exact", "bleu", "chrf"):
        return str(chosen)
    return "exact" if _writes_short_texts(plan) else "chrf"


def _writes_short_texts(plan: Plan) -> bool:
    return plan.tokenizer.target_tokens in ("char", "symbol")
