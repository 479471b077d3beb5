"""Sanity check: would the explanation look the same if the model had learned nothing? (Adebayo et al. 2018)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, Unpack

import numpy as np
import torch

from nbtextgen.core.errors import OptionError
from nbtextgen.core.options import whole_number
from nbtextgen.core.wording import counted
from nbtextgen.data.config import DataConfig
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.explanation.agreement import correlation
from nbtextgen.explanation.config import METHOD_NAMES, configure
from nbtextgen.explanation.display import Displayed
from nbtextgen.explanation.explainer import Explainer
from nbtextgen.explanation.removal import background_texts
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.predictor import Predictor
from nbtextgen.inference.sources import validate_sources
from nbtextgen.model.isolation import isolated
from nbtextgen.model.seq2seq import Seq2Seq

if TYPE_CHECKING:
    from nbtextgen.core.option_types import ExplanationOptions

MAX_CORRELATION = 0.5
"""Rank correlation with a random model's attributions above which a method fails the check."""


class CleaningPlan(Protocol):
    """The settings of a training, as far as the check needs them."""

    @property
    def data(self) -> DataConfig: ...


class TrainedModel(Protocol):
    """A trained ``TextGenerator``, as far as the check needs it."""

    @property
    def predictor(self) -> Predictor: ...
    @property
    def background(self) -> tuple[str, ...]: ...
    @property
    def plan(self) -> CleaningPlan: ...


@dataclass(frozen=True, repr=False)
class Sanity(Displayed):
    """How similar the attributions are to those of random models.

    Attributes:
        correlations: for each method, mean rank correlation between the trained model's attributions and those of models
            with fresh random weights, for the same input and output.
        seeds: random models tried.
    """

    correlations: Mapping[str, float]
    seeds: int

    @property
    def failed(self) -> tuple[str, ...]:
        """Methods whose attributions are much the same for a model that has learned nothing."""
        return tuple(method for method, rho in self.correlations.items() if rho > MAX_CORRELATION)

    def sentence(self) -> str:
        """The result in words."""
        compared = {method: rho for method, rho in self.correlations.items() if not np.isnan(rho)}
        if not compared:
            return "There is nothing to compare: the input has too few units to rank."
        results = ", ".join(f"{METHOD_NAMES[method]} {rho:.2f}" for method, rho in compared.items())
        verdict = (
            f"fails the check: {', '.join(METHOD_NAMES[method] for method in self.failed)} "
            f"{'shows' if len(self.failed) == 1 else 'show'} the input more than the model."
            if self.failed
            else "all depend on what the model has learned."
        )
        return f"Rank correlation with {counted(self.seeds, 'model')} of random weights: {results}; {verdict}"


@isolated()
def sanity_check(
    model: TrainedModel | Predictor,
    text: str | Generation,
    *,
    seeds: int = 3,
    background: Iterable[str] | None = None,
    **options: Unpack[ExplanationOptions],
) -> Sanity:
    """Compare explanations of the model with those of models of random weights: they should differ.

    Args:
        model: a trained ``TextGenerator``, or its predictor.
        text, background, options: as for ``TextGenerator.explain``.
        seeds: random models to compare with, at least 1.

    Raises:
        DataError: for a source or target without tokens.
        OptionError: for ``method="context"`` alone, which ranks no units, and as ``TextGenerator.explain``.

    Example:
        >>> from nbtextgen.explanation.sanity import sanity_check
        >>> -1 <= sanity_check(model, "abc", method="occlusion").correlations["occlusion"] <= 1
        True
    """
    seeds = whole_number("seeds", seeds, minimum=1)
    config = replace(configure(options), faithfulness=False)
    predictor = model if isinstance(model, Predictor) else model.predictor
    cleaning = None if isinstance(model, Predictor) else model.plan.data.clean
    if background is None:
        background = () if isinstance(model, Predictor) else model.background
    donors = background_texts(background)
    source = text.source if isinstance(text, Generation) else validate_sources([text], cleaning)[0]
    generation = text if isinstance(text, Generation) else None
    if generation is None and config.target is None:
        generation = predictor.predict([source], DecodingConfig())[0]
    methods = [method for method in config.method if method != "context"]
    if not methods:
        raise OptionError("--method=context ranks no parts of the input; compare another method.")
    trained = Explainer(predictor, source, config, generation=generation, background=donors)
    explanations = {method: trained.explain(method) for method in methods}
    correlations: dict[str, list[float]] = {method: [] for method in methods}
    for seed in range(seeds):
        random = Explainer(randomized(predictor, seed), source, config, generation=generation, background=donors)
        for method in methods:
            correlations[method].append(correlation(explanations[method], random.explain(method)))
    means = {method: [rho for rho in rhos if not np.isnan(rho)] for method, rhos in correlations.items()}
    return Sanity({method: float(np.mean(rhos)) if rhos else float("nan") for method, rhos in means.items()}, seeds)


def randomized(predictor: Predictor, seed: int) -> Predictor:
    """The same model with all weights drawn again, as before training."""
    networks = list[Seq2Seq]()
    with torch.random.fork_rng():  # pyright: ignore[reportUnknownMemberType]
        torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]
        for network in predictor.networks:
            fresh = Seq2Seq(network.config, network.source_embedding.num_embeddings, network.vocabulary_size)
            networks.append(fresh.to(predictor.device).eval())
    return Predictor(
        predictor.source, predictor.target, networks, predictor.output_length, predictor.copy, predictor.max_source
    )
