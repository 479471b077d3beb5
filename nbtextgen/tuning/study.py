"""The study of Optuna behind a search: a new one, or one of the user."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING

from nbtextgen.core.errors import OptionError
from nbtextgen.core.optional_imports import optional_import

if TYPE_CHECKING:
    import optuna


def open_study(
    study: optuna.Study | str | None,
    storage: str | optuna.storages.BaseStorage | None,
    sampler: optuna.samplers.BaseSampler | None,
    seed: int,
    maximize: bool,
) -> optuna.Study:
    """Return the study that trials are added to; see ``tune``.

    Raises:
        OptionError: for a study that searches in the other direction, or a study with a storage or sampler beside it.
        MissingPackageError: without Optuna.
    """
    with optional_import("Tuning", "Optuna", "tune"):
        import optuna
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    direction = "maximize" if maximize else "minimize"
    if isinstance(study, optuna.Study):
        if storage is not None or sampler is not None:
            raise OptionError(
                "A study has its own storage and sampler; give --study alone, or its name with --storage."
            )
        opened = study
    else:
        if isinstance(study, str) and storage is None:
            raise OptionError(f"There is no storage to find the study '{study}' in; give --storage too.")
        opened = optuna.create_study(
            study_name=study,
            storage=storage,
            load_if_exists=study is not None,
            direction=direction,
            sampler=sampler or _sampler(seed),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=2),
        )
    if [each.name.lower() for each in opened.directions] != [direction]:
        raise OptionError(
            f"The study '{opened.study_name}' does not {direction} one figure, which this search has to do."
        )
    return opened


def _sampler(seed: int) -> optuna.samplers.BaseSampler:
    """The tree-structured Parzen estimator over all settings together."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the sampler calls its grouped form experimental
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=5, multivariate=True)


def importance(study: optuna.Study) -> dict[str, float]:
    """Importance of each setting over the complete trials; empty if there are too few or they do not differ."""
    import optuna

    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(complete) < 4:
        return {}
    with warnings.catch_warnings(), contextlib.suppress(ValueError, RuntimeError):
        warnings.simplefilter("ignore")
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
        return {name: float(share) for name, share in shares.items()} if sum(shares.values()) > 0 else {}
    return {}
