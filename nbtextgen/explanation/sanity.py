"""Would the explanation look the same if the model had learned nothing? (Adebayo et al. 2018)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from nbtextgen.core.escaping import visible
from nbtextgen.explanation.agreement import NAMES, correlation
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.explanation.explainer import Explainer
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.predictor import Predictor
from nbtextgen.model.seq2seq import Seq2Seq

TOO_ALIKE = 0.5
"""Rank correlation with a random model's attributions above which a method fails the check."""


@dataclass(frozen=True)
class Sanity:
    """How like a random model's the attributions are.

    Attributes:
        correlations: for each method, mean rank correlation between the trained model's attributions and those of models
            with fresh random weights, for the same input and output.
        seeds: random models tried.
    """

    correlations: Mapping[str, float]
    seeds: int

    @property
    def failed(self) -> tuple[str, ...]:
        """Methods that show much the same picture for a model that has learned nothing."""
        return tuple(method for method, rho in self.correlations.items() if rho > TOO_ALIKE)

    def sentence(self) -> str:
        """The result in words."""
        found = ", ".join(f"{NAMES[method]} {rho:.2f}" for method, rho in self.correlations.items())
        verdict = (
            f"fails the check: {', '.join(NAMES[method] for method in self.failed)} shows the input more than the model."
            if self.failed
            else "all depend on what the model has learned."
        )
        return f"Rank correlation with {self.seeds} models of random weights: {found}; {verdict}"

    def __repr__(self) -> str:
        return self.sentence()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"text/plain": self.sentence(), "text/html": f"<p>{visible(self.sentence())}</p>"}


def sanity_check(
    predictor: Predictor,
    text: str | Generation,
    config: ExplanationConfig,
    *,
    background: Sequence[str] = (),
    seeds: int = 3,
) -> Sanity:
    """Compare explanations of the model with those of models whose weights are drawn anew.

    Args:
        writer: the trained model.
        text: the source, or a generation.
        config: the methods to check, and their settings.
        background: as for ``Explainer``.
        seeds: random models to compare with.
    """
    generation = text if isinstance(text, Generation) else None
    source = text.source if isinstance(text, Generation) else text
    config = replace(config, faithfulness=False)

    def explainer(of: Predictor, about: str | Generation | None) -> Explainer:
        given = replace(config, target=about) if isinstance(about, str) else config
        shown = about if isinstance(about, Generation) else None
        return Explainer(of, source, given, generation=shown, background=background)

    if generation is None and config.target is None:
        from nbtextgen.decoding.config import DecodingConfig

        generation = predictor.predict([source], DecodingConfig())[0]
    about = config.target or generation
    real = explainer(predictor, about)
    methods = [method for method in config.method if method != "context"]
    trained = {method: real.explain(method) for method in methods}
    found: dict[str, list[float]] = {method: [] for method in methods}
    for seed in range(seeds):
        other = explainer(randomised(predictor, seed), about)
        for method in methods:
            found[method].append(correlation(trained[method], other.explain(method)))
    return Sanity({method: float(np.nanmean(rhos)) for method, rhos in found.items()}, seeds)


def randomised(predictor: Predictor, seed: int) -> Predictor:
    """The same model with all weights drawn anew, as before training."""
    networks = []
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for network in predictor.networks:
            fresh = Seq2Seq(network.config, network.source_embedding.num_embeddings, network.vocabulary_size)
            networks.append(fresh.to(predictor.device).eval())
    return Predictor(predictor.source, predictor.target, networks, predictor.limit, predictor.copy)
