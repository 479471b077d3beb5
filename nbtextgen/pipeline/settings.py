"""Every setting of a training, by name; needs no torch, so that magics can complete and check a line before it is there."""

from __future__ import annotations

from nbtextgen.core.options import Option, options_of
from nbtextgen.data.config import DataConfig
from nbtextgen.model.config import ModelConfig
from nbtextgen.tokenizers.config import TokenizerConfig
from nbtextgen.training.config import TrainingConfig

CONFIGS = {"Data": DataConfig, "Tokens": TokenizerConfig, "Network": ModelConfig, "Training": TrainingConfig}
"""The configurations by the headings of the help, in its order."""


def fit_options() -> dict[str, Option]:
    """Every setting of ``TextGenerator``, by name, in the order of the help."""
    return {name: option for config in CONFIGS.values() for name, option in options_of(config).items()}
