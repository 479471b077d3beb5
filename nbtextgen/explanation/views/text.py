"""Explanations as plain text."""

from __future__ import annotations

import numpy as np

from nbtextgen.core.escaping import pictured
from nbtextgen.core.wording import counted
from nbtextgen.explanation.attributions import Values
from nbtextgen.explanation.config import METHOD_NAMES
from nbtextgen.explanation.explanation import Explanation, Explanations
from nbtextgen.explanation.units import unspaced_note

MAX_DELTA = 0.1
"""Nats by which integrated gradients may miss the change that they explain."""
MAX_ROWS = 60
"""Output tokens that are listed."""


def explanation_text(explanation: Explanation) -> str:
    """A line per output token with its strongest units."""
    lines = [explanation.sentence(), title(explanation)]
    for index, token in enumerate(explanation.output_tokens[:MAX_ROWS]):
        row, names = explanation.values[index], [shown(unit) for unit in explanation.input_units]
        if explanation.prefix_values is not None:
            row = np.concatenate([row, explanation.prefix_values[index]])
            names += [f"… {shown(earlier.strip() or earlier)}" for earlier in explanation.prefix_tokens]
        parts = ", ".join(f"{names[unit]} {row[unit]:+.2f}" for unit in strongest(row, 3))
        lines.append(f"  {shown(token):>12}  {explanation.log_probabilities[index]:7.2f}   {parts}")
    if len(explanation.output_tokens) > MAX_ROWS:
        lines.append(f"  ... {len(explanation.output_tokens) - MAX_ROWS} more tokens; see .values")
    return "\n".join([*lines, *notes(explanation)])


def explanations_text(explanations: Explanations) -> str:
    """One explanation after the other, and whether they agree."""
    parts = [explanation_text(explanation) for explanation in explanations.values()]
    return "\n\n".join([*parts, explanations.sentence()]).rstrip()


def title(explanation: Explanation) -> str:
    """The output, the method and what it cost."""
    contrast = f" and not {explanation.contrast!r}" if explanation.contrast is not None else ""
    name = METHOD_NAMES[explanation.method]
    copies = counted(explanation.evaluations, "copy", "copies")
    return f"Why {explanation.text!r}{contrast}: {name} ({explanation.algorithm}; {copies} read)"


def notes(explanation: Explanation) -> list[str]:
    """How far the values can be trusted: errors, fits and scores, each in a sentence."""
    sentences = list(explanation.source_notes)
    if explanation.unit == "word":
        sentences += unspaced_note(explanation.source)
    if explanation.unit == "phrase":
        sentences.append(
            "The units are phrases; --unit=word or --unit=token makes finer ones, whose values have more noise."
        )
    if explanation.score != "log-probability":
        sentences.append(f"Values explain the score {explanation.score} of each output token, not its log-probability.")
    if explanation.prefix_values is not None:
        source, earlier = np.abs(explanation.values).sum(), np.abs(explanation.prefix_values).sum()
        share = 100 * source / max(source + earlier, 1e-12)
        sentences.append(f"{share:.0f} % of the attribution is on the input, {100 - share:.0f} % on earlier output.")
    if explanation.standard_errors is not None:
        error = np.sqrt((explanation.standard_errors**2).mean())
        sentences.append(f"Standard error of a value: {error:.3f} nats (root mean square).")
    if explanation.r_squared is not None:
        fit = explanation.r_squared.mean()
        sentences.append(f"Fit of the linear surrogate: R squared {fit:.2f} (mean over tokens).")
    if explanation.convergence_delta is not None:
        delta = float(np.abs(explanation.convergence_delta).max())
        doubt = ", so the values do not add up here; raise --steps, or use --method=shap" if delta > MAX_DELTA else ""
        sentences.append(f"Largest convergence delta: {delta:.4f} nats{doubt}.")
    if explanation.interactions is not None and len(explanation.players) > 1:
        sentences.append(_interaction_note(explanation))
    if explanation.heads is not None:
        sentences.append(f"Mean over {len(explanation.heads)} heads; .head(1) is the first of them alone.")
    if explanation.faithfulness is not None:
        sentences.append(explanation.faithfulness.sentence())
    return sentences


def _interaction_note(explanation: Explanation) -> str:
    """The pairs of units that do most together, over the whole output."""
    pairs = ", ".join(
        f"{shown(explanation.players[first])} with {shown(explanation.players[second])} {value:+.2f}"
        for first, second, value in explanation.strongest_interactions(count=3)
    )
    error = ""
    if explanation.interaction_errors is not None:
        sampled = np.sqrt((explanation.interaction_errors**2).sum(0).mean())
        error = f" (standard error {sampled:.2f})"
    return f"Strongest interactions, whole output: {pairs} nats{error}."


def strongest(values: Values, count: int) -> list[int]:
    """Indices of the units with the largest absolute values, the largest first."""
    return [int(unit) for unit in np.argsort(-np.abs(values), kind="stable")[:count]]


def shown(text: str) -> str:
    """A token with control characters pictured, and with white space made visible if it consists of nothing else."""
    return pictured(text if text.strip() else text.replace(" ", "␣") or "∅")
