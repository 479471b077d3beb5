"""Explanations as a file of inseq (Sarti et al. 2023), for its tables, its aggregations and its comparison of attributions."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from nbtextgen.core.errors import OptionError
from nbtextgen.core.escaping import json_text
from nbtextgen.core.files import write_page
from nbtextgen.explanation.attributions import Values
from nbtextgen.explanation.explanation import Explanation

SEQUENCE = ("inseq.data.attribution", "CoarseFeatureAttributionSequenceOutput")
OUTPUT = ("inseq.data.attribution", "FeatureAttributionOutput")
TOKEN = ("inseq.utils.typing", "TokenWithId")
"""Modules and classes of inseq 0.7, which its file names."""
Data = dict[str, object]


def save_inseq(explanations: Explanation | Iterable[Explanation], path: str | Path) -> Path:
    """Write explanations by one method to a file that ``inseq.FeatureAttributionOutput.load`` reads, and return its path.

    Attributions are saved as 32-bit floats, ``(input units, output tokens)``; those of earlier output tokens, if they took
    part, as attributions of the target, NaN for the token itself and later ones. Token ids are positions, since the units
    of an explanation need not be tokens of the model. Needs neither inseq nor torch.

    Args:
        explanations: one explanation, or those of several texts, for instance ``survey.explanations["shap"]``.
        path: the file; inseq expects a name that ends in ``.json``.

    Raises:
        OptionError: without an explanation, or for explanations by several methods.
        ModelFileError: if the file cannot be written.
    """
    each = [explanations] if isinstance(explanations, Explanation) else list(explanations)
    methods = {explanation.method for explanation in each}
    if len(methods) != 1:
        listed = ", ".join(sorted(methods))
        problem = f"these are by {listed}" if methods else "there is none"
        raise OptionError(f"inseq's file holds explanations by one method, and {problem}.")
    info = {
        "attribution_method": methods.pop(),
        "generated_texts": [explanation.text for explanation in each],
        "input_texts": [explanation.source for explanation in each],
        "model_name": "nbtextgen",
    }
    output = _instance(
        OUTPUT,
        sequence_attributions=[_sequence(explanation) for explanation in each],
        step_attributions=None,
        info=info,
    )
    return write_page(path, json_text(output, indent=1), "The explanation")


def _sequence(explanation: Explanation) -> Data:
    """One text with its attributions."""
    prefix = _prefix(explanation)
    probable = explanation.score == "log-probability" and explanation.contrast is None
    return _instance(
        SEQUENCE,
        source=_tokens(explanation.input_units),
        target=_tokens(explanation.output_tokens),
        source_attributions=_tensor(explanation.values.T),
        target_attributions=None if prefix is None else _tensor(prefix),
        step_scores={"probability": _tensor(np.exp(explanation.log_probabilities))} if probable else {},
        sequence_scores={},
        attr_pos_start=0,
        attr_pos_end=len(explanation.output_tokens),
    )


def _prefix(explanation: Explanation) -> Values | None:
    """What each output token gives the others, ``(output tokens, output tokens)``; NaN for itself and earlier ones.

    The parts of a merged word may give one another something, which stands on the diagonal.
    """
    if explanation.prefix_values is None:
        return None
    count, earlier = len(explanation.output_tokens), len(explanation.prefix_tokens)
    values = np.zeros((count, count))
    values[:earlier] = explanation.prefix_values.T
    values[np.tri(count, dtype=bool) & (values == 0)] = np.nan
    return values


def _tokens(texts: Iterable[str]) -> list[Data]:
    return [_instance(TOKEN, token=text, id=position) for position, text in enumerate(texts)]


def _instance(kind: tuple[str, str], **attributes: object) -> Data:
    return {"__instance_type__": list(kind), "attributes": attributes}


def _tensor(values: Values) -> str:
    """Numbers as safetensors in base64, which is how inseq writes a tensor."""
    from safetensors.numpy import save

    content = save({"attribution": np.ascontiguousarray(values, dtype=np.float32)})
    return base64.b64encode(content).decode("ascii")
