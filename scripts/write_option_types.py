"""Write ``nbtextgen/core/option_types.py``: the keywords of the public methods, as type checkers and editors see them.

Run ``python scripts/write_option_types.py`` after changing an option of a configuration dataclass.
"""

from __future__ import annotations

from pathlib import Path

from nbtextgen.core.options import Option, options_of
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.pipeline.settings import CONFIGS

FILE = Path(__file__).parents[1] / "nbtextgen" / "core" / "option_types.py"
LINE_LENGTH = 120
PATHS = ("synonyms", "store", "source_embeddings", "target_embeddings")
"""Options that name a file or folder, and so also take a path object."""
FUNCTIONS = ("score",)
"""Options that also take a function."""
WORD_LISTS = ("spans",)
"""Text options that also take a sequence of texts."""
MAPPINGS = ("glossary",)
"""Lists of words that also take a mapping or a path."""
HEADER = '''\
"""Keyword arguments of the public methods, for type checkers and editors.

``scripts/write_option_types.py`` writes this file from the configuration dataclasses; do not edit it by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Literal, TypedDict

from nbtextgen.core.own_metrics import OwnMetric
'''


def annotation(option: Option) -> str:
    """The option's type as Python source."""
    if option.choices:
        kind = f"Literal[{', '.join(repr(choice) for choice in option.choices)}]".replace("'", '"')
    elif option.type is tuple or option.name in WORD_LISTS:
        kind = "str | Sequence[str]"
    elif option.name in PATHS:
        kind = "str | PathLike[str]"
    else:
        kind = option.type.__name__
    if option.name in MAPPINGS:
        kind = "str | PathLike[str] | Sequence[str] | Sequence[tuple[str, str]] | Mapping[str, str | Sequence[str]]"
    if option.own_metrics:
        kind += " | OwnMetric"
    if option.name in FUNCTIONS:
        kind += " | Callable[..., object]"
    return f"{kind} | None" if option.optional else kind


def field(name: str, kind: str) -> str:
    """A field as the formatter writes it: a long union in lines."""
    line = f"    {name}: {kind}"
    if len(line) <= LINE_LENGTH:
        return line
    return "\n".join([f"    {name}: (", "        " + kind.replace(" | ", "\n        | "), "    )"])


def typed_dict(name: str, docstring: str, configs: tuple[type, ...]) -> str:
    """The source of one ``TypedDict``."""
    options = [option for config in configs for option in options_of(config).values()]
    lines = [field(option.name, annotation(option)) for option in options]
    return "\n".join([f"\n\nclass {name}(TypedDict, total=False):", f'    """{docstring}"""', "", *lines, ""])


def source() -> str:
    """The text of the file."""
    return (
        HEADER
        + typed_dict("GeneratorOptions", "Keywords of ``TextGenerator``.", tuple(CONFIGS.values()))
        + typed_dict("DecodingOptions", "Keywords of ``TextGenerator.generate``.", (DecodingConfig,))
        + typed_dict("ExplanationOptions", "Keywords of ``TextGenerator.explain``.", (ExplanationConfig,))
    )


if __name__ == "__main__":
    FILE.write_text(source(), encoding="utf-8")
