"""Search for settings: many short trainings within a time budget, the poor ones stopped early (Optuna)."""

from nbtextgen.tuning.result import Trial, Tuning
from nbtextgen.tuning.search import tune
from nbtextgen.tuning.space import TUNABLE, Domain, Range, search_space, usual_range

__all__ = ["TUNABLE", "Domain", "Range", "Trial", "Tuning", "search_space", "tune", "usual_range"]
