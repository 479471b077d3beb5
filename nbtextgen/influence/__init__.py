"""The training pairs behind an output: which of them raised its probability, and which lowered it."""

from nbtextgen.influence.index import METHODS, InfluenceIndex
from nbtextgen.influence.rows import TrainingRow, TrainingRows

__all__ = ["METHODS", "InfluenceIndex", "TrainingRow", "TrainingRows"]
