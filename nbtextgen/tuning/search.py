"""``tune``: propose settings, train with each of them, and stop the trials that fall behind."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, cast

import numpy as np

from nbtextgen.core.errors import NbTextGenError, NotTrainedError, OptionError
from nbtextgen.core.files import JsonObject
from nbtextgen.core.options import Settings
from nbtextgen.data.pairs import Cleaned, Pairs
from nbtextgen.data.readers.columns import ColumnName
from nbtextgen.evaluation.metrics import higher_is_better
from nbtextgen.generator import TextGenerator
from nbtextgen.pipeline.dataset import read_pairs
from nbtextgen.pipeline.settings import fit_options
from nbtextgen.training.config import TOKEN_METRICS
from nbtextgen.training.controls import Controls
from nbtextgen.training.events import Event, Started, Validation
from nbtextgen.training.progress import LOGGER
from nbtextgen.tuning.result import Trial, Tuning
from nbtextgen.tuning.space import Domain, search_space, suggest
from nbtextgen.tuning.study import importance, open_study

if TYPE_CHECKING:
    import optuna

TRIALS = 8
"""Full trainings that the time budget is divided into; pruned trials leave time for more."""
STAGES = 10
"""Stages of a training; trials are compared at the same stage."""


def tune(
    data: object,
    settings: Mapping[str, Domain] | Iterable[str] = ("learning_rate", "hidden_size", "dropout"),
    minutes: float = 10.0,
    *,
    options: Settings | None = None,
    valid: object = None,
    source: ColumnName | None = None,
    target: ColumnName | None = None,
    encoding: str | None = None,
    trials: int | None = None,
    seed: int = 1,
    on_progress: Callable[[Tuning], None] | None = None,
    controls: Controls | None = None,
    study: optuna.Study | str | None = None,
    storage: str | optuna.storages.BaseStorage | None = None,
    sampler: optuna.samplers.BaseSampler | None = None,
) -> Tuning:
    """Search for the best settings within a time budget; trials that fall behind at the same stage are pruned.

    Settings are proposed by a tree-structured Parzen estimator (Bergstra et al. 2011), pruned by the median rule. Each
    trial may take an eighth of the budget, so that its learning rate falls to the end within that time.

    Args:
        data: pairs, as in ``TextGenerator.fit``.
        settings: for each name a ``Range``, a ``(low, high)`` of numbers, or a list of values; or names alone, which are
            searched over their usual range.
        minutes: wall time of the whole search.
        options: settings that stay the same in all trials.
        valid: validation pairs, as in ``fit``; by default a share of the data, the same in every trial.
        source, target, encoding: as in ``fit``.
        trials: most trials; by default as many as fit into the time.
        seed: seed of the search; each trial trains with the seed in ``options``.
        on_progress: called with the search so far after every new trial, validation and end of a trial.
        controls: ``stop`` ends the search and keeps the best model so far.
        study: a study of Optuna to add the trials to, or the name of one in ``storage``; its earlier trials guide the search.
        storage: where Optuna keeps the trials, for instance ``sqlite:///dates.db``.
        sampler: proposes the settings, in the place of the estimator.

    Returns:
        the trials and the best model.

    Raises:
        OptionError: for an unknown setting or a range outside its own; for tokenizer settings unless ``select_by`` is a
            metric of the generated text, since losses per token can only be compared over the same tokens; for a study
            that searches in the other direction.
        MissingPackageError: without Optuna.
        NotTrainedError: if stopped before any trial had a model.

    Example:
        >>> options = {"hidden_size": 8, "max_steps": 2}
        >>> tuning = tune(pairs, {"dropout": (0.0, 0.3)}, minutes=1, trials=1, options=options)
        >>> tuning.frame()["state"].tolist()
        ['complete']
    """
    _check_budget(minutes, trials)
    fixed = dict(options or {})
    space = search_space(settings, fixed)
    data, valid = read_pairs(data, valid, fixed.pop("clean", None), source, target, encoding)
    metric = fit_options()["select_by"].check(fixed.get("select_by")) or "loss"
    tuning = Tuning(metric, metric != "loss" if metric in TOKEN_METRICS else higher_is_better(metric))
    tuning.study = open_study(study, storage, sampler, seed, tuning.higher_is_better)
    search = _Search(data, valid, space, fixed, minutes * 60, trials, tuning, on_progress, controls or Controls())
    try:
        search.run()
    except KeyboardInterrupt:
        search.controls.stop()
    if search.tuning.best is None:
        problem = next((trial.problem for trial in search.tuning.trials if trial.problem), "")
        stopped = (
            "The search was stopped before one had." if search.controls.stopping else "Give the search more minutes."
        )
        raise NotTrainedError(f"No trial has a model. {problem or stopped}")
    return search.tuning


def _check_budget(minutes: object, trials: object) -> None:
    """Raise ``OptionError`` for a time or a number of trials in which nothing can be searched."""
    if isinstance(minutes, bool) or not isinstance(minutes, (int, float, np.number)) or not 0 < minutes < math.inf:
        raise OptionError(f"--minutes must be a number above 0 (got {minutes!r:.40}).")
    is_count = isinstance(trials, (int, np.integer)) and not isinstance(trials, bool)
    if trials is not None and not (is_count and cast("int", trials) > 0):
        raise OptionError(f"--trials must be a whole number above 0 (got {trials!r:.40}).")


class _Search:
    """One call of ``tune``."""

    def __init__(
        self,
        data: Cleaned,
        valid: Pairs | None,
        space: Mapping[str, Domain],
        options: Settings,
        seconds: float,
        trials: int | None,
        tuning: Tuning,
        on_progress: Callable[[Tuning], None] | None,
        controls: Controls,
    ) -> None:
        self.data, self.valid, self.space, self.options = data, valid, space, options
        self.trials, self.on_progress, self.controls = trials, on_progress, controls
        self.start = time.perf_counter()
        self.seconds, self.trial_seconds = seconds, seconds / min(TRIALS, trials or TRIALS)
        assert tuning.study is not None
        self.tuning, self.study = tuning, tuning.study
        self.exhausted = False
        self._updates_per_second: float | None = None

    @property
    def seconds_left(self) -> float:
        """Seconds left of the budget."""
        return self.seconds - (time.perf_counter() - self.start)

    def run(self) -> None:
        """Run trials until the time is over, there are enough, or the user stops; the first trial gets its full share."""
        while not (self.controls.stopping or self.exhausted) and (
            self.trials is None or len(self.tuning.trials) < self.trials
        ):
            # A trial that cannot get half its share would only lose against the others.
            if self.tuning.trials and self.seconds_left < self.trial_seconds / 2:
                return
            self._run_trial()

    def _run_trial(self) -> None:
        proposal = self.study.ask()
        settings = {name: suggest(proposal, name, domain) for name, domain in self.space.items()}
        first, trial = not self.tuning.trials, Trial(len(self.tuning.trials) + 1, settings)
        self.tuning.trials.append(trial)
        self.report()
        seconds = self.trial_seconds if first else min(self.trial_seconds, self.seconds_left)
        pace = self._updates_per_second  # about one validation per stage, at the pace of the trial before
        every = None if pace is None else max(5, round(pace * seconds / STAGES))
        options: JsonObject = {"samples": 0, "validate_every": every, **self.options, **settings}
        options["select_by"] = self.tuning.metric
        options["max_minutes"] = min(seconds / 60, self.options.get("max_minutes") or math.inf)
        model = TextGenerator(**options)
        observer = _TrialObserver(self, trial, proposal, seconds)
        try:
            model.fit(self.data, valid=self.valid, callbacks=[observer], controls=observer.controls)
        except NbTextGenError as error:
            trial.state, trial.problem = "failed", str(error)
        self._updates_per_second = observer.updates_per_second or pace
        self._finish(trial, proposal, model)

    def _finish(self, trial: Trial, proposal: optuna.Trial, model: TextGenerator) -> None:
        from optuna.trial import TrialState

        if trial.state == "running":
            trial.state = "complete" if trial.value is not None else "failed"
        state = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}[trial.state]
        try:
            self.study.tell(proposal, trial.value if trial.state == "complete" else None, state)
        except (
            RuntimeError
        ):  # a sampler that has tried everything stops the study, which Optuna refuses outside of its loop
            if not self.study.trials[proposal.number].state.is_finished():
                raise
            self.exhausted = True
        if trial.value is not None and trial.state != "failed" and self.tuning.better(trial.value):
            self.tuning.best, self.tuning.best_trial = model, trial
        self.tuning.importance = importance(self.study)
        LOGGER.info("%s: %s", trial, trial.state)
        self.report()

    def report(self) -> None:
        """Call the progress callback."""
        self.tuning.seconds = time.perf_counter() - self.start
        if self.on_progress is not None:
            self.on_progress(self.tuning)


class _TrialObserver:
    """The training callback of one trial: records validations and stops the trial when it falls behind."""

    def __init__(self, search: _Search, trial: Trial, proposal: optuna.Trial, seconds: float) -> None:
        self.search, self.trial, self.proposal, self.seconds = search, trial, proposal, seconds
        self.controls = Controls()
        self.updates_per_second: float | None = None
        self._stage, self._steps = 0, 1

    def __call__(self, event: Event) -> None:
        if self.search.controls.stopping:
            self.controls.stop()
        if isinstance(event, Started):
            self._steps = event.steps
        if not isinstance(event, Validation) or not math.isfinite(event.metric):
            return
        self.trial.curve.append((event.seconds, event.metric))
        self.updates_per_second = event.step / max(event.seconds, 1e-3)
        if event.best:
            self.trial.value = event.metric
        done = max(event.seconds / self.seconds, event.step / self._steps if self._steps else 0.0)
        self._reach_stage(min(STAGES, int(STAGES * done)))
        self.search.report()

    def _reach_stage(self, stage: int) -> None:
        assert self.trial.value is not None
        if stage <= self._stage:
            return
        for passed in range(self._stage + 1, stage + 1):
            self.proposal.report(self.trial.value, passed)
        self._stage = stage
        if stage < STAGES and self.proposal.should_prune():
            self.trial.state = "pruned"
            self.controls.stop()
