"""The way in: a model, a text, and keywords, to an ``Explanation``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nbtextgen.core.options import build
from nbtextgen.explanation.config import ExplanationConfig, check_methods
from nbtextgen.explanation.explainer import Explainer
from nbtextgen.explanation.explanation import Explanation, Explanations
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.predictor import Predictor


def configure(options: Mapping[str, Any]) -> ExplanationConfig:
    """A checked configuration from keywords; ``method`` may be one text with commas.

    Raises:
        OptionError: for an unknown option, or a value out of range.
    """
    values = dict(options)
    method = values.get("method")
    if isinstance(method, str):
        values["method"] = tuple(part.strip() for part in method.split(",") if part.strip())
    if "method" in values:
        values["method"] = check_methods(tuple(values["method"]))
    spans = values.get("spans")
    if spans is not None and not isinstance(spans, str):
        values["spans"] = "|".join(spans)
    return build(ExplanationConfig, values)


def explain(
    predictor: Predictor,
    text: str | Generation,
    config: ExplanationConfig,
    *,
    background: Iterable[str] = (),
) -> Explanation | Explanations:
    """Explain one output; see ``TextGenerator.explain``."""
    generation = text if isinstance(text, Generation) else None
    source = text.source if isinstance(text, Generation) else text
    explainer = Explainer(
        predictor,
        source,
        config,
        generation=generation,
        background=list(background),
    )
    found = {method: explainer.explain(method) for method in config.method}
    return next(iter(found.values())) if len(found) == 1 else Explanations(found)
