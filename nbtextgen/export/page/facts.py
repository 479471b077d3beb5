"""The facts about a model that its page shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from importlib import import_module

from nbtextgen.export.page.packing import parameter_count
from nbtextgen.inference.predictor import Predictor
from nbtextgen.inference.text_codec import UNITS
from nbtextgen.model.config import ModelConfig
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.tokenizers.base import SPECIAL, Tokenizer
from nbtextgen.training.events import Event, Validation


def facts(predictor: Predictor, plan: Plan, bits: int, score: str) -> list[tuple[str, str]]:
    """Return name and value of each fact: task, sizes, score if it is known, date and version."""
    networks, version = predictor.networks, import_module("nbtextgen").__version__
    entries = [
        ("Task", _task(predictor, plan)),
        ("Network", _network(networks[0].config, len(networks))),
        ("Parameters", f"{parameter_count(networks):,}, in {bits} bits each"),
        ("Vocabulary", _vocabulary(predictor.source, predictor.target, shared=plan.data.context is not None)),
        ("Score", score),
        ("Made", f"{date.today().isoformat()} with nbtextgen {version}"),
    ]
    return [(name, value) for name, value in entries if value]


def validation_score(history: Sequence[Event]) -> str:
    """Return the metric of the best validation of a training, in words; empty if there was none."""
    best = [event for event in history if isinstance(event, Validation) and event.best]
    return f"{best[-1].metric_name} {best[-1].metric:.4g} on validation data" if best else ""


def _task(predictor: Predictor, plan: Plan) -> str:
    source, target = (UNITS.get(each.kind, "tokens") for each in (predictor.source, predictor.target))
    if plan.data.context is not None:
        return f"continues a text by {target}"
    return f"text to text, from {source} to {target}"


def _network(config: ModelConfig, members: int) -> str:
    cells = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
    attention = "no attention" if config.attention == "none" else f"{config.attention} attention"
    extras = [name for name, used in (("copy head", config.copy), ("coverage", config.coverage)) if used]
    layers = f"{config.encoder_layers} + {config.decoder_layers} layers"
    if not config.encoder_layers:
        layers = f"{config.decoder_layers} layer{'s' if config.decoder_layers > 1 else ''}"
    parts = [f"{cells[config.cell]} of {config.hidden_size:,} units", layers, attention, *extras]
    return ", ".join([f"{members} networks together"] * (members > 1) + parts)


def _vocabulary(source: Tokenizer, target: Tokenizer, *, shared: bool) -> str:
    sizes = [f"{each.size - len(SPECIAL):,} {UNITS.get(each.kind, 'tokens')}" for each in (source, target)]
    return sizes[1] if shared or source is target else " and ".join(sizes)
