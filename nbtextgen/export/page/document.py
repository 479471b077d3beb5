"""The page of a model: its description and weights as data, the engine as one script, and a policy that forbids the network."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import NotRequired, TypedDict

from nbtextgen.core.errors import ModelFileError, OptionError
from nbtextgen.core.escaping import escaped, json_text
from nbtextgen.core.files import JsonObject, write_page
from nbtextgen.export.page.facts import facts, validation_score
from nbtextgen.export.page.kernel import kernel
from nbtextgen.export.page.packing import pack
from nbtextgen.export.page.tables import cleaning, word_breaks
from nbtextgen.inference.predictor import Predictor
from nbtextgen.model.config import ModelConfig
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.tokenizers.base import Tokenizer
from nbtextgen.training.events import Event

FORMAT = 1
"""Version of the description that the engine reads."""
BITS = (8, 16)
MAX_BYTES = 300 * 2**20
"""Bytes of weights in a page: a text in Chromium can have 2 ** 29 characters."""

NO_SCRIPT = "<noscript>This page computes with JavaScript, which is turned off.</noscript>"

_FRONT = Path(__file__).parent / "front"
_ELEMENTS = Path(__file__).parents[2] / "notebook" / "widgets" / "elements.js"
"""Elements and escaping, which the page shares with the notebook's widgets."""
ENGINE = [
    "weights",
    "kernel",
    "arithmetic",
    "recurrent",
    "attention",
    "network",
    "ensemble",
    "segmentation",
    "tokenizers",
    "bpe",
    "cleaning",
    "codec",
    "rules",
    "search",
    "model",
    "units",
    "shapley",
]
"""The scripts that compute, in their order; they need no browser."""
VIEWS = ["tasks", "output", "decoding", "explanation", "page"]
"""The scripts that show."""
_OPTIONS = [
    "cell",
    "attention",
    "heads",
    "hidden_size",
    "encoder_layers",
    "decoder_layers",
    "bidirectional",
    "input_feeding",
    "layer_norm",
    "copy",
    "coverage",
]


class PageOptions(TypedDict):
    """Options of a page.

    Attributes:
        bits: of each weight, 16 or 8; 8 makes the page half as large, and its outputs a little less like the model's.
        title: shown at the top; by default the name of the file.
        example: a source to begin with; by default one of the training sources, if the model remembers any.
        score: what is known about the quality of the model, in words; by default the validation metric, if it is known.
    """

    bits: NotRequired[int]
    title: NotRequired[str]
    example: NotRequired[str]
    score: NotRequired[str]


def export_page(
    path: Path, predictor: Predictor, plan: Plan, sources: Sequence[str], history: Sequence[Event], options: PageOptions
) -> Path:
    """Write a model as one page; see ``TextGenerator.export``.

    Args:
        path: the file.
        predictor, plan: the model.
        sources: some training sources, the first of which becomes the example.
        history: events of the training, for the score.
        options: see ``PageOptions``.
    """
    bits = options.get("bits", 16)
    if bits not in BITS:
        raise OptionError(f"--bits must be 8 or 16 (got {bits!r}).")
    predictor.check_finite()
    score = options.get("score") or validation_score(history)
    description = {
        "name": options.get("title") or path.stem,
        "example": options.get("example", sources[0] if sources else ""),
        "facts": facts(predictor, plan, bits, score),
    }
    return write_page(path, page(description, predictor, plan, bits), "The page")


def page(description: JsonObject, predictor: Predictor, plan: Plan, bits: int, before: str = NO_SCRIPT) -> str:
    """Return the page.

    Args:
        description: its name, example and facts; ``embedded`` for a part of a notebook, and the settings of ``decoding`` that it
            begins with.
        predictor, plan, bits: as for ``export_page``.
        before: HTML that is shown until the script begins, or for ever where it may not run.
    """
    model, weights = describe(predictor, plan, bits)
    content = _json({**description, **model})
    return _document(description["name"], content, weights, before, embedded=bool(description.get("embedded")))


def describe(predictor: Predictor, plan: Plan, bits: int) -> tuple[dict[str, object], str]:
    """Return what the engine needs to know about a model, as values for JSON, and its weights in base64.

    Raises:
        ModelFileError: if the weights are too large for a page.
        OptionError: if the model does something that a page cannot do.
    """
    packed = pack(predictor.networks, bits)
    if len(packed.content) > MAX_BYTES:
        raise ModelFileError(
            f"The weights take {len(packed.content) / 1e6:,.0f} MB, more than the {MAX_BYTES / 1e6:,.0f} MB that a page can hold; "
            + ("use --bits=8, or export the model as onnx." if bits == 16 else "export the model as onnx.")
        )
    source, target = _tokenizer(predictor.source), _tokenizer(predictor.target)
    one_tokenizer = target == {name: value for name, value in source.items() if name not in ("limit", "keep_end")}
    networks = zip(predictor.networks, packed.names, strict=True)
    context = plan.data.context
    return {
        "format": FORMAT,
        "networks": [{"options": _options(network.config), "names": names} for network, names in networks],
        "tensors": packed.tensors,
        "kernel": kernel(),
        "source": source,
        "target": None if one_tokenizer else target,
        "limit": asdict(predictor.output_length),
        "max_source": predictor.max_source,
        "clean": cleaning(plan.data.clean),
        "continuation": None if context is None else {"context": context, "window": plan.data.window or 4 * context},
        "word_breaks": word_breaks(),
    }, base64.b64encode(packed.content).decode()


def _options(config: ModelConfig) -> dict[str, object]:
    """Return the options of a network that the engine reads."""
    return {name: getattr(config, name) or 0 if name == "hidden_size" else getattr(config, name) for name in _OPTIONS}


def _tokenizer(tokenizer: Tokenizer) -> JsonObject:
    """Return a tokenizer's values; merges are pairs of positions in the vocabulary, which takes half the space."""
    values: JsonObject = tokenizer.to_dict()
    if "merges" in values:
        numbers = {piece: number for number, piece in enumerate(values["vocabulary"])}
        values["merges"] = [[numbers[first], numbers[second]] for first, second in values["merges"]]
    return values


@cache
def script(*, views: bool = True) -> str:
    """Return the script of a page, or with ``views=False`` the engine alone."""
    paths = [_FRONT / f"{name}.js" for name in ENGINE]
    if views:
        paths += [_ELEMENTS, *(_FRONT / f"{name}.js" for name in VIEWS)]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def without_comments(code: str) -> str:
    """Return a script without the comments that have lines of their own, which are half of it."""
    return re.sub(r"^[ \t]*(?:/\*\*(?:(?!\*/).)*\*/|//[^\n]*)\n", "", code, flags=re.DOTALL | re.MULTILINE)


def _json(values: object) -> str:
    """Return JSON for a script element, which a closing tag in a text would end."""
    return json_text(values, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _document(title: str, model: str, weights: str, before: str, *, embedded: bool) -> str:
    style, code = (_FRONT / "page.css").read_text(encoding="utf-8"), without_comments(script())
    policy = f"default-src 'none'; script-src {_digest(code)} 'wasm-unsafe-eval'; style-src {_digest(style)}; base-uri 'none'; form-action 'none'"
    return (
        f'<!DOCTYPE html>\n<html lang="en"{" class=embedded" * embedded}>\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light{" dark" * (not embedded)}">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{escaped(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<main id="page">{before}</main>\n'
        f'<script type="application/json" id="model">{model}</script>\n'
        f'<script type="text/plain" id="weights">{weights}</script>\n'
        f"<script>{code}</script>\n</body>\n</html>\n"
    )


def _digest(text: str) -> str:
    """Return how a policy names an inline script or style sheet."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
