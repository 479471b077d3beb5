"""``Calibration``: from the features of an output to the probability that it is right, fitted on held-out outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from nbtextgen.confidence.acceptance import CONFIDENCE, least_count, lower_bound, safe_threshold
from nbtextgen.confidence.criterion import Criterion
from nbtextgen.confidence.features import NAMES, log_odds
from nbtextgen.confidence.regression import Array, Isotonic, Logistic, sigmoid
from nbtextgen.core.errors import ModelFileError
from nbtextgen.core.files import JsonObject
from nbtextgen.core.options import Settings
from nbtextgen.core.wording import counted

RIDGES = (1.0, 10.0, 100.0)
FOLDS = 5
LEAST = 50
"""Fewest held-out outputs that a calibration is fitted on."""
MAX_USED = 5000
"""Most held-out outputs that a calibration is fitted on and keeps the scores of."""
BLEND = 1e-3
"""Share of the logistic estimate beside the isotonic one, so that no two different scores have the same confidence."""
FLAT = 0.02
"""Isotonic regression is used if its cross-validated log-loss is lower by this share,"""
LEAST_OF_EACH = 10
"""and if as many outputs are right, and as many wrong."""
FEWEST = 10
"""Right and wrong outputs, the fewer of both, from which all features are used."""
FEW = ("log-odds of the output", "mean log-probability of a token", "log-odds of the least likely token")
"""The features that are used below that."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """The probability that an output is right.

    Attributes:
        criterion: when an output counts as right.
        decoding: settings of the search that differ from the defaults and change outputs.
        regression: from features to log-odds.
        columns: the features it reads.
        isotonic: from log-odds to probabilities, or ``None`` for the logistic function.
        token_slope, token_intercept: from the log-odds of a token to those that it is right; the inverse of the slope is a
            temperature.
        scores, right: confidence of held-out outputs by fits without them, and whether each was right; outputs for sources
            unlike the training data have a score of -1.
    """

    criterion: Criterion
    decoding: Settings
    regression: Logistic
    columns: NDArray[np.int64]
    isotonic: Isotonic | None
    token_slope: float
    token_intercept: float
    scores: Array
    right: NDArray[np.bool_]

    def confidence(self, features: Array) -> Array:
        """Probability that outputs with ``features (outputs, features)`` are right, ``(outputs,)``."""
        return _probabilities(self.regression.logits(features[:, self.columns]), self.isotonic)

    def token_confidence(self, log_probabilities: Array) -> Array:
        """Probability that tokens with these log-probabilities are right."""
        return sigmoid(self.token_slope * log_odds(log_probabilities) + self.token_intercept)

    def threshold(self, precision: float) -> float | None:
        """The confidence from which outputs may be accepted, or ``None``; see ``safe_threshold``.

        Outputs for sources unlike the training data are never accepted, so they have no part in the promise.
        """
        kept = self.scores >= 0
        return safe_threshold(self.scores[kept], self.right[kept], precision)

    def refusal(self, precision: float) -> str:
        """Why no threshold can promise a precision, as a sentence."""
        needed, held = least_count(precision), len(self.scores)
        if held < needed:
            return (
                f"{counted(held, 'held-out output')} cannot promise {100 * precision:g} %, for which at least {needed:,} are "
                "needed; calibrate on more pairs, or lower --accept."
            )
        bound = lower_bound(int(self.right.sum()), held, 1 - CONFIDENCE)
        return (
            f"No threshold on the confidence can promise {100 * precision:g} % on the {counted(held, 'held-out output')}, of which "
            f"{int(self.right.sum()):,} are right (all accepted: at least {100 * bound:.1f} %); lower --accept, or train a better model."
        )

    def __repr__(self) -> str:
        kept = self.scores >= 0
        scores, right = self.scores[kept], self.right[kept]
        search = ", ".join(f"{name}={value!r}" for name, value in self.decoding.items()) or "greedy search"
        lines = [
            f"Calibration for {search}: a right output {self.criterion.words}.",
            f"{counted(len(self.scores), 'held-out output')}: {100 * self.right.mean():.1f} % right, "
            f"expected calibration error {calibration_error(scores, right):.3f}.",
        ]
        for precision in (0.9, 0.95, 0.99):
            threshold = self.threshold(precision)
            accepted = "none" if threshold is None else f"{100 * (self.scores >= threshold).mean():.0f} %"
            lines.append(f"Accepted with a precision of {100 * precision:g} %: {accepted}.")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON; no text of the data."""
        regression, isotonic = self.regression, self.isotonic
        return {
            "criterion": str(self.criterion),
            "decoding": dict(self.decoding),
            "features": [NAMES[column] for column in self.columns],
            "means": regression.means.tolist(),
            "scales": [None if np.isinf(scale) else scale for scale in regression.scales.tolist()],
            "weights": regression.weights.tolist(),
            "intercept": regression.intercept,
            "isotonic": None if isotonic is None else [isotonic.inputs.tolist(), isotonic.outputs.tolist()],
            "token": [self.token_slope, self.token_intercept],
            "scores": self.scores.tolist(),
            "right": self.right.astype(int).tolist(),
        }

    @classmethod
    def from_dict(cls, values: JsonObject) -> Calibration:
        """Read ``as_dict`` back; raises ``ModelFileError`` for damaged values."""
        columns = np.array([NAMES.index(name) for name in values["features"]], np.int64)
        scales = [np.inf if scale is None else scale for scale in values["scales"]]
        means, scales, weights = (np.array(numbers, float) for numbers in (values["means"], scales, values["weights"]))
        scores, right = np.array(values["scores"], float), np.array(values["right"], bool)
        if any(array.shape != columns.shape for array in (means, scales, weights)) or scores.shape != right.shape:
            raise ModelFileError("The calibration of the confidence is damaged: its lists differ in length.")
        knots = values["isotonic"]
        slope, intercept = values["token"]
        return cls(
            Criterion.parse(values["criterion"]),
            dict(values["decoding"]),
            Logistic(means, scales, weights, float(values["intercept"])),
            columns,
            None if knots is None else Isotonic(np.array(knots[0], float), np.array(knots[1], float)),
            float(slope),
            float(intercept),
            scores,
            right,
        )


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Held-out outputs.

    Attributes:
        features: ``(outputs, len(NAMES))``.
        right: whether each output is right, ``(outputs,)``.
        unlike: whether its source is unlike the training data.
        token_logs, token_right: log-probability of every output token, and whether the reference has it, ``(tokens,)``.
    """

    features: Array
    right: NDArray[np.bool_]
    unlike: NDArray[np.bool_]
    token_logs: Array
    token_right: NDArray[np.bool_]


def fit_calibration(held: HeldOut, criterion: Criterion, decoding: Settings, seed: int = 1) -> Calibration:
    """Fit a calibration on held-out outputs, and score each of them by a fit without it, for acceptance.

    The outputs are dealt into ``FOLDS`` parts; those of a part are scored by a fit on the others (cross-fitting; CV+ in Barber
    et al. 2021, sec. 3), so that every output both fits and decides. The penalty, and whether isotonic regression follows,
    are chosen by the log-loss of these scores.
    """
    rows = np.random.default_rng(seed).permutation(len(held.right))[:MAX_USED]
    features, right = held.features[rows], held.right[rows].astype(float)
    rarer = min(right.sum(), len(right) - right.sum())
    columns = np.array([index for index, name in enumerate(NAMES) if rarer >= FEWEST or name in FEW])
    logits, ridge = _cross_fitted(features[:, columns], right)
    scores, curve = sigmoid(logits), None
    if rarer >= LEAST_OF_EACH:
        curved = _out_of_fold(logits, right, _isotonic)
        if _log_loss(curved, right) < (1 - FLAT) * _log_loss(scores, right):
            scores, curve = curved, Isotonic.fit(logits, right)
    token = Logistic.fit(log_odds(held.token_logs)[:, None], held.token_right.astype(float), 1.0)
    scale = float(token.scales[0])
    return Calibration(
        criterion,
        dict(decoding),
        Logistic.fit(features[:, columns], right, ridge),
        columns,
        curve,
        float(token.weights[0]) / scale,
        token.intercept - float(token.weights[0] * token.means[0]) / scale,
        np.where(held.unlike[rows], -1.0, scores.round(9)),
        held.right[rows],
    )


def _cross_fitted(features: Array, right: Array) -> tuple[Array, float]:
    """Log-odds of every output by a regression on the other folds, with the penalty of least log-loss, and that penalty."""
    folded = {ridge: _folded(features, right, ridge) for ridge in RIDGES}
    ridge = min(folded, key=lambda ridge: _log_loss(sigmoid(folded[ridge]), right))
    return folded[ridge], ridge


def _folded(features: Array, right: Array, ridge: float) -> Array:
    """Log-odds of every output by a regression on the other folds."""
    return _out_of_fold(features, right, lambda rows, labels: Logistic.fit(rows, labels, ridge).logits)


def _isotonic(logits: Array, right: Array) -> Callable[[Array], Array]:
    return partial(_probabilities, isotonic=Isotonic.fit(logits, right))


def _out_of_fold(inputs: Array, right: Array, fit: Callable[[Array, Array], Callable[[Array], Array]]) -> Array:
    """What a fit on the other folds gives every output."""
    values = np.empty(len(right))
    for fold in _folds(len(right)):
        rest = np.setdiff1d(np.arange(len(right)), fold)
        values[fold] = fit(inputs[rest], right[rest])(inputs[fold])
    return values


def _folds(count: int) -> list[NDArray[np.int64]]:
    """Rows of each fold; they are in random order already."""
    return [np.arange(first, count, FOLDS) for first in range(FOLDS)]


def _probabilities(logits: Array, isotonic: Isotonic | None) -> Array:
    plain = sigmoid(logits)
    return plain if isotonic is None else (1 - BLEND) * isotonic(logits) + BLEND * plain


def calibration_error(confidence: Array, right: NDArray[np.bool_], bins: int = 10) -> float:
    """Expected calibration error (Naeini et al. 2015) over bins with equal numbers of outputs."""
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [len(part) * abs(confidence[part].mean() - right[part].mean()) for part in parts]
    return float(sum(gaps) / max(1, len(order)))


def _log_loss(probabilities: Array, right: Array) -> float:
    """Mean negative log-likelihood."""
    return float(-np.log(np.where(right > 0, probabilities, 1 - probabilities).clip(1e-12)).mean())


def token_labels(reference: Sequence[int], output: Sequence[int]) -> list[bool]:
    """Whether each token of an output stands in a shortest edit from it to its reference as an equal one."""
    from rapidfuzz.distance import Levenshtein

    labels = [False] * len(output)
    for block in Levenshtein.opcodes(reference, output):
        if block.tag == "equal":
            labels[block.dest_start : block.dest_end] = [True] * (block.dest_end - block.dest_start)
    return labels
