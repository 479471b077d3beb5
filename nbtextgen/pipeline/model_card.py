"""The model card of a saved model: what it is, how it was trained, how good it is (Mitchell et al. 2019), as Markdown."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib import metadata

import torch

from nbtextgen.core.escaping import pictured
from nbtextgen.core.options import Settings
from nbtextgen.core.wording import counted
from nbtextgen.inference.predictor import Predictor
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.pipeline.description import description
from nbtextgen.training.events import Ended, Event, Retention, Started, Validation
from nbtextgen.training.progress import clock

CARD = "README.md"
"""Its name in the folder of a saved model. It has no checksum there, so that people can complete it."""
USE = """\
```python
from nbtextgen import TextGenerator

model = TextGenerator.load("FOLDER")
model.generate("a text").text
```"""
OPEN = "*To be completed by whoever publishes the model.*"


def model_card(
    plan: Plan, predictor: Predictor, options: Settings, history: Sequence[Event], kept: Mapping[str, int]
) -> str:
    """Write the card; it holds nothing of the data.

    Args:
        plan, options: all settings, and those given by the user.
        predictor: the networks.
        history: the events of the training; none for a model that was loaded.
        kept: how many rows of the training data each file of the folder holds.
    """
    network = plan.model
    head = ["---", "library_name: nbtextgen", "tags: [text2text-generation, sequence-to-sequence]", "---"]
    what = ["# Model card", "", *(f"- {line}" for line in description(plan, predictor.networks, history))]
    what += [
        f"- {counted(network.encoder_layers, 'layer')} of encoder, {network.decoder_layers} of decoder, "
        f"attention: {network.attention}",
        f"- vocabulary: {predictor.source.size:,} source tokens, {predictor.target.size:,} target tokens",
    ]
    holds = [f"`{name}` holds {counted(count, 'training row')} as plain text." for name, count in kept.items()]
    sections = {
        "Use": [USE],
        "Data": [*_data(history), *(holds or ["Nothing in this folder holds texts of the data."]), "", OPEN],
        "Quality": [*_quality(predictor, history), "", "Figures on unseen data: `model.evaluate(pairs)`.", "", OPEN],
        "Training": _training(plan, history),
        "Settings": _settings(plan, options),
        "Limits": [
            "The model knows what its training pairs show. Outputs for other kinds of input may be wrong without a sign of it; "
            "`confidence` and notes of an output help to find them.",
            "",
            OPEN,
        ],
    }
    parts = [part for title, lines in sections.items() for part in ("", f"## {title}", "", *lines)]
    return "\n".join([*head, *what, *parts]) + "\n"


def _data(history: Sequence[Event]) -> list[str]:
    started = [event for event in history if isinstance(event, Started)]
    if not started:
        return ["The number of pairs is not known here: the model was loaded before it was saved."]
    return [f"{started[0].pairs:,} training pairs, {started[0].valid_pairs:,} held out for validation."]


def _quality(predictor: Predictor, history: Sequence[Event]) -> list[str]:
    """The figures of the best validation, of each network."""
    best = dict[int, Validation]()
    network = 0
    for event in history:
        network += isinstance(event, Started)
        if isinstance(event, Validation) and event.best:
            best[network] = event
    lines = [
        "| network | update | loss (nats per token) | selected by | on generated outputs |",
        "|---|---|---|---|---|",
    ]
    for number, event in best.items():
        task = "" if event.task is None else f"{event.task_name} {event.task:.1f} % of {event.task_pairs:,} inputs"
        lines.append(
            f"| {number} | {event.step:,} | {event.loss:.4f} | {event.metric_name} {event.metric:.4f} | {task} |"
        )
    measured = (
        [*lines, "", "Measured on the held-out pairs, on which the best checkpoint was chosen too."] if best else []
    )
    retained = [str(event) for event in history if isinstance(event, Retention)]
    calibrated = (
        "Confidence is calibrated on held-out pairs." if predictor.confidence else "Confidence is not calibrated."
    )
    return [*measured, *retained, calibrated]


def _training(plan: Plan, history: Sequence[Event]) -> list[str]:
    try:
        ours = f"nbtextgen {metadata.version('nbtextgen')}"
    except metadata.PackageNotFoundError:  # imported from a checkout that is not installed
        ours = "nbtextgen from a checkout"
    versions = f"{ours}, PyTorch {torch.__version__}, Python {platform.python_version()}"
    lines = [f"- saved with {versions}", f"- seed {plan.training.seed}"]
    for event in history:
        if isinstance(event, Started):
            lines.append(
                f"- {event.parameters:,} parameters on {event.device}, {event.precision}, {counted(event.threads, 'thread')}"
            )
        elif isinstance(event, Ended):
            lines.append(
                f"- {event.reason} after {event.step:,} updates and {clock(event.seconds)}; best: {event.best_step:,}"
            )
    return lines


def _settings(plan: Plan, options: Settings) -> list[str]:
    """A table of the settings that were given or chosen from the data."""
    user_settings = {name: value for name, value in options.items() if value is not None}
    rows = [(name, value, "given") for name, value in user_settings.items()]
    rows += [(name, value, "chosen from the data") for name, value in plan.choices.items() if name not in user_settings]
    cells = (
        f"| `{name}` | `{pictured(str(value)).replace('|', chr(92) + '|').replace('`', chr(39))}` | {how} |"
        for name, value, how in rows
    )
    return ["| setting | value | |", "|---|---|---|", *cells]
