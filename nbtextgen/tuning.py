"""Search for settings: several short trainings within a budget of minutes, poor ones given up early (Optuna)."""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nbtextgen.charts import Curve, bar_chart, figure, line_chart
from nbtextgen.core.errors import NbTextGenError, NotTrainedError, OptionError, nearest
from nbtextgen.core.escaping import visible
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.core.options import Option, options_of
from nbtextgen.data.cleaning.clean import Cleaned
from nbtextgen.data.pairs import Pairs
from nbtextgen.evaluation.metrics import HIGHER_IS_BETTER
from nbtextgen.generator import TextGenerator
from nbtextgen.pipeline.plan import fit_options
from nbtextgen.pipeline.preparing import prepare
from nbtextgen.tokenizers.config import TokenizerConfig
from nbtextgen.training.config import TOKEN_METRICS
from nbtextgen.training.controls import Controls
from nbtextgen.training.events import Event, Started, Validation

if TYPE_CHECKING:
    import optuna

TRIALS = 8
"""Full trainings that a budget is cut into; what is saved by giving up early makes more."""
STAGES = 10
"""Into how many stages a training is divided, to compare trials at the same stage."""
TUNABLE = ("learning_rate", "hidden_size", "dropout", "batch_size", "cell", "attention", "label_smoothing")
"""What is searched when nothing else is said, most important first."""


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; ``logarithmic`` searches orders of magnitude evenly."""

    low: float
    high: float
    logarithmic: bool = False


Search = Range | Sequence[Any]


@dataclass
class Trial:
    """One training of the search.

    Attributes:
        number: from 1.
        settings: the values tried.
        curve: training seconds and validation figure, at each validation.
        value: the best figure, or ``None`` before the first validation.
        state: ``running``, ``complete``, ``pruned`` (given up early) or ``failed``.
        problem: why it failed.
    """

    number: int
    settings: dict[str, Any]
    curve: list[tuple[float, float]] = field(default_factory=list)
    value: float | None = None
    state: str = "running"
    problem: str = ""


@dataclass
class Tuning:
    """The search as it stands; it is complete when ``tune`` returns it, and shows itself as charts and a table.

    Attributes:
        metric: what is compared: ``loss`` (nats per target token) or a metric's name.
        higher_is_better: of that figure.
        trials: in the order they ran.
        best: the best trial's trained generator.
        best_trial: its record.
        importance: share of each setting in the differences between trials, largest first; empty before there are
            enough trials to say (PED-ANOVA: Watanabe et al. 2023).
        seconds: spent.
    """

    metric: str
    higher_is_better: bool
    trials: list[Trial] = field(default_factory=list)
    best: TextGenerator | None = None
    best_trial: Trial | None = None
    importance: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def better(self, value: float) -> bool:
        """Whether a figure beats the best so far."""
        if self.best_trial is None or self.best_trial.value is None:
            return True
        return value > self.best_trial.value if self.higher_is_better else value < self.best_trial.value

    def curves(self) -> str:
        """Every trial's curve as an SVG picture, the best one in front."""
        ordered = [trial for trial in self.trials if trial is not self.best_trial]
        lines = [Curve(_named(trial), trial.curve, faint=True) for trial in ordered]
        if self.best_trial is not None:
            lines.insert(0, Curve(f"best: {_named(self.best_trial)}", self.best_trial.curve))
        return line_chart(
            lines,
            title=f"Validation {self.metric} of {len(self.trials)} trials over their training time",
            x_label="seconds of training",
            y_label=f"validation {self.metric}",
        )

    def importances(self) -> str:
        """The importance of each setting as an SVG picture."""
        named = {_words(name): share for name, share in self.importance.items()}
        return bar_chart(named, title="Importance of each setting", show="{:.0%}".format)

    def charts(self) -> str:
        """Curves and importances as HTML, with buttons that save them."""
        title = "<div style='margin:10px 0 2px;font-weight:600'>{}</div>".format
        importance = figure(self.importances(), "importance") if self.importance else ""
        curves = title(f"Validation {visible(self.metric)} of every trial") + figure(self.curves(), "trials")
        return curves + (title("Importance of each setting") + importance if importance else "")

    def table(self) -> str:
        """The trials as an HTML table, best first."""
        sign = -1 if self.higher_is_better else 1
        ordered = sorted(self.trials, key=lambda one: sign * (math.inf * sign if one.value is None else one.value))
        names = list(dict.fromkeys(name for trial in self.trials for name in trial.settings))
        head = "".join(
            f"<th scope='col'>{visible(name)}</th>" for name in ("trial", self.metric, *map(_words, names), "state")
        )
        rows = []
        for trial in ordered:
            value = "" if trial.value is None else f"{trial.value:.4g}"
            cells = [str(trial.number), value, *(_short(trial.settings.get(name, "")) for name in names), trial.state]
            bold = " style='font-weight:600'" if trial is self.best_trial else ""
            rows.append(f"<tr{bold}>" + "".join(f"<td>{visible(cell)}</td>" for cell in cells) + "</tr>")
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"

    def __repr__(self) -> str:
        if self.best_trial is None:
            return f"Tuning({len(self.trials)} trials, none complete)"
        return f"Tuning({len(self.trials)} trials in {self.seconds:.0f} s; best: {_named(self.best_trial)})"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"text/plain": repr(self), "text/html": f"<div>{self.charts()}{self.table()}</div>"}


def tune(
    data: Any,
    settings: Mapping[str, Search] | Iterable[str] = ("learning_rate", "hidden_size", "dropout"),
    minutes: float = 10.0,
    *,
    options: Mapping[str, Any] | None = None,
    valid: Any = None,
    source: str | None = None,
    target: str | None = None,
    trials: int | None = None,
    seed: int = 1,
    on_progress: Callable[[Tuning], None] | None = None,
    controls: Controls | None = None,
) -> Tuning:
    """Try settings within a budget of time; trials that fall behind the others at the same stage are given up.

    Settings are proposed by a tree-structured Parzen estimator (Bergstra et al. 2011), pruned by the median rule. Each
    trial may take an eighth of the budget, so that its learning rate falls to the end within that time.

    Args:
        data: pairs, as ``TextGenerator.fit`` takes them.
        settings: what to search: for each name a ``Range``, a ``(low, high)`` of numbers, or a list of values; or names
            alone, which are searched over their usual range.
        minutes: wall time for everything.
        options: settings that stay the same in all trials.
        valid: held-out pairs, as ``fit``; by default a share of the data, the same one in every trial.
        source, target: column names.
        trials: most trials, when fewer than the time allows are wanted.
        seed: of the search; each trial trains with the seed among ``options``.
        told: called whenever something changes: a new trial, a validation, an end.
        controls: ``stop`` ends the search and keeps the best so far.

    Returns:
        the trials and the best model.

    Raises:
        OptionError: for an unknown setting or a range outside its own; for tokenizer settings unless ``select_by`` is a
            metric of the written text, since losses per token can only be compared over the same tokens.
        MissingPackageError: without Optuna.
        NotTrainedError: when stopped before any trial had a model.
    """
    search = search_space(settings, options or {})
    fixed = dict(options or {})
    ready = prepare(data, valid, fixed.pop("clean", None), source, target)
    run = _Search(
        ready.data, ready.valid, search, fixed, minutes * 60, trials, seed, on_progress, controls or Controls()
    )
    try:
        run.go()
    except KeyboardInterrupt:
        run.controls.stop()
    if run.tuning.best is None:
        failed = next((trial.problem for trial in run.tuning.trials if trial.problem), "")
        raise NotTrainedError(f"No trial came to a model. {failed or 'Give the search more minutes.'}")
    return run.tuning


def search_space(settings: Mapping[str, Search] | Iterable[str], options: Mapping[str, Any]) -> dict[str, Search]:
    """Check what is to be searched and fill in usual ranges; raises as ``tune``."""
    known = fit_options()
    given = dict(settings) if isinstance(settings, Mapping) else dict.fromkeys(settings)
    if not given:
        raise OptionError("There is nothing to search: name at least one setting, for instance learning_rate.")
    found = {}
    for name, wanted in given.items():
        if name not in known:
            raise OptionError(f"There is no setting '{name}'.{nearest(name, known)}")
        if name in options:
            raise OptionError(f"{known[name].flag} is both fixed and searched; leave it out of one of them.")
        if name in options_of(TokenizerConfig) and (options.get("select_by") or "loss") in TOKEN_METRICS:
            raise OptionError(
                f"{known[name].flag} changes the tokens, and losses per token then cannot be compared; "
                "compare by a metric, for instance select_by='chrf'."
            )
        found[name] = _checked(known[name], wanted)
    return found


def usual_range(option: Option) -> Search:
    """What a setting is searched over when nothing is said: its usual range, or all its choices."""
    if option.choices is not None:
        return tuple(option.choices)
    if option.type is bool:
        return (False, True)
    if option.usual is None:
        raise OptionError(f"{option.flag} has no usual range; give one, for instance Range(low, high).")
    low, high = option.usual
    return Range(low, high, logarithmic=low > 0 and high / low >= 8)


def _checked(option: Option, wanted: Any) -> Search:
    if wanted is None:
        return usual_range(option)
    numeric = option.type in (int, float)
    if isinstance(wanted, tuple) and len(wanted) == 2 and numeric and not any(isinstance(one, str) for one in wanted):
        low, high = wanted
        wanted = Range(low, high, logarithmic=low > 0 and high / low >= 8)
    if isinstance(wanted, Range):
        if not numeric:
            raise OptionError(f"{option.flag} is not a number; give a list of values to search.")
        low, high = option.check(wanted.low), option.check(wanted.high)
        if low > high or (wanted.logarithmic and low <= 0):
            raise OptionError(f"{option.flag}: a range goes from a lower to a higher number (got {low:g} to {high:g}).")
        return Range(low, high, wanted.logarithmic)
    if isinstance(wanted, str) or not isinstance(wanted, Sequence) or not wanted:
        raise OptionError(f"{option.flag}: give a Range, a (low, high) or a list of values (got {wanted!r}).")
    return tuple(option.check(value) for value in wanted)


class _Search:
    """One call of ``tune``."""

    def __init__(
        self,
        pairs: Pairs | Cleaned,
        valid: Pairs | None,
        search: Mapping[str, Search],
        options: dict[str, Any],
        seconds: float,
        trials: int | None,
        seed: int,
        on_progress: Callable[[Tuning], None] | None,
        controls: Controls,
    ) -> None:
        self.pairs, self.valid, self.search, self.options = pairs, valid, search, options
        self.trials, self.on_progress, self.controls = trials, on_progress, controls
        self.began = time.perf_counter()
        self.seconds, self.each = seconds, seconds / min(TRIALS, trials or TRIALS)
        metric = options.get("select_by") or "loss"
        higher = HIGHER_IS_BETTER | {"loss": False, "accuracy": True, "rouge": True}
        self.tuning = Tuning(metric, higher[metric])
        self.study = _study(seed, self.tuning.higher_is_better)
        self._optuna_trial: optuna.Trial | None = None
        self._stage, self._steps = 0, 1
        self._pace: float | None = None
        self._current = Controls()

    @property
    def left(self) -> float:
        """Seconds of the budget that remain."""
        return self.seconds - (time.perf_counter() - self.began)

    def go(self) -> None:
        """Trials until the time, their number or the user ends it; the first always gets its share."""
        while not self.controls.stopping and (self.trials is None or len(self.tuning.trials) < self.trials):
            # A trial that cannot get half its share would only lose against the others.
            if self.tuning.trials and self.left < self.each / 2:
                return
            self._try_one()

    def _try_one(self) -> None:
        proposed = self.study.ask()
        chosen = {name: _proposal(proposed, name, wanted) for name, wanted in self.search.items()}
        trial = Trial(len(self.tuning.trials) + 1, chosen)
        self.tuning.trials.append(trial)
        self._optuna_trial, self._stage, self._current = proposed, 0, Controls()
        self._tell()
        limit = min(self.each, self.left) if self.tuning.trials[1:] else self.each
        # About one validation a stage, at the pace of the trial before.
        every = None if self._pace is None else max(5, round(self._pace * limit / STAGES))
        settings: dict[str, Any] = {"samples": 0, "validate_every": every} | self.options | chosen
        settings["select_by"] = self.tuning.metric
        settings["max_minutes"] = min(limit / 60, self.options.get("max_minutes") or math.inf)
        model = TextGenerator(**settings)
        try:
            model.fit(
                self.pairs,
                valid=self.valid,
                callbacks=[lambda event: self._on_progress(trial, event, limit)],
                controls=self._current,
            )
        except NbTextGenError as error:
            trial.state, trial.problem = "failed", str(error)
        self._finish(trial, model)

    def _on_progress(self, trial: Trial, event: Event, limit: float) -> None:
        """Note a validation, and give the trial up when it falls behind."""
        if self.controls.stopping:
            self._current.stop()
        if isinstance(event, Started):
            self._steps = event.steps
        if not isinstance(event, Validation) or not math.isfinite(event.metric):
            return
        trial.curve.append((event.seconds, event.metric))
        self._pace = event.step / max(event.seconds, 1e-3)
        if event.best:
            trial.value = event.metric
        stage = min(STAGES, int(STAGES * max(event.seconds / limit, event.step / self._steps if self._steps else 0.0)))
        assert self._optuna_trial is not None and trial.value is not None
        if stage > self._stage:
            for passed in range(self._stage + 1, stage + 1):
                self._optuna_trial.report(trial.value, passed)
            self._stage = stage
            if stage < STAGES and self._optuna_trial.should_prune():
                trial.state = "pruned"
                self._current.stop()
        self._tell()

    def _finish(self, trial: Trial, model: TextGenerator) -> None:
        import optuna

        assert self._optuna_trial is not None
        kinds = optuna.trial.TrialState
        if trial.state == "running":
            trial.state = "complete" if trial.value is not None else "failed"
        state = {"complete": kinds.COMPLETE, "pruned": kinds.PRUNED, "failed": kinds.FAIL}[trial.state]
        self.study.tell(self._optuna_trial, trial.value if trial.state == "complete" else None, state)
        if trial.value is not None and trial.state != "failed" and self.tuning.better(trial.value):
            self.tuning.best, self.tuning.best_trial = model, trial
        self.tuning.importance = _importance(self.study)
        self._tell()

    def _tell(self) -> None:
        self.tuning.seconds = time.perf_counter() - self.began
        if self.on_progress is not None:
            self.on_progress(self.tuning)


def _study(seed: int, maximize: bool) -> optuna.Study:
    with optional_import("Tuning", "Optuna", "tune"):
        import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the sampler calls its grouped form experimental
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=5, multivariate=True)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=2)
    return optuna.create_study(direction="maximize" if maximize else "minimize", sampler=sampler, pruner=pruner)


def _proposal(trial: optuna.Trial, name: str, wanted: Search) -> Any:
    if isinstance(wanted, Range):
        if fit_options()[name].type is int:
            low, high = int(wanted.low), int(wanted.high)
            if name == "hidden_size" and low % 8 == 0 and high - low >= 16:
                # A bidirectional encoder halves the width, and attention's heads divide it.
                return 8 * trial.suggest_int(name, low // 8, high // 8, log=wanted.logarithmic)
            return trial.suggest_int(name, low, high, log=wanted.logarithmic)
        value = trial.suggest_float(name, wanted.low, wanted.high, log=wanted.logarithmic)
        return float(f"{value:.3g}") if wanted.logarithmic else round(value, 3)
    return trial.suggest_categorical(name, list(wanted))


def _importance(study: optuna.Study) -> dict[str, float]:
    """Importance of each setting over the complete trials; empty when there are too few, or they do not differ."""
    import optuna

    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(complete) < 4:
        return {}
    with warnings.catch_warnings(), contextlib.suppress(ValueError, RuntimeError):
        warnings.simplefilter("ignore")
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
        return {name: float(share) for name, share in found.items()} if sum(found.values()) > 0 else {}
    return {}


def _named(trial: Trial) -> str:
    settings = ", ".join(f"{_words(name)} {_short(value)}" for name, value in trial.settings.items())
    value = "" if trial.value is None else f" ({trial.value:.4g})"
    return f"trial {trial.number}: {settings}{value}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
