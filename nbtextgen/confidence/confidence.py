"""``Confidence``: what a model knows about its own reliability. It is saved with the model and holds no text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from nbtextgen.confidence.calibration import Calibration
from nbtextgen.confidence.features import NAMES, Observation, features
from nbtextgen.confidence.regression import Array
from nbtextgen.confidence.training_statistics import TrainingStatistics
from nbtextgen.core.errors import ModelFileError, OptionError
from nbtextgen.core.files import JsonObject
from nbtextgen.core.options import as_dict, options_of
from nbtextgen.core.wording import counted, share
from nbtextgen.decoding.config import DecodingConfig

UNSEEN = 0.5
"""A source is unlike the training data if more than this share of its n-grams never occurred there, and more than in nearly
all held-out sources."""
LONGER = 1.5
"""A source is unlike the training data if it has more tokens than this times the longest there."""
_NO_MATTER = ("batch_size", "seed", "precision")
"""Settings of a search that do not change what its outputs are worth."""


@dataclass(frozen=True, eq=False)
class Assessment:
    """What a confidence says about one output.

    Attributes:
        features: see ``features.NAMES``.
        confidence: probability that the output is right, or ``None`` without a calibration for this kind of search.
        tokens: probability that each token is right, ``(output tokens,)``, or ``None``.
        warnings: how the source is unlike the training data, as sentences.
    """

    features: Array
    confidence: float | None
    tokens: Array | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Confidence:
    """Statistics of a model's training data, and calibrations.

    Attributes:
        statistics: of the training data.
        usual: share of unseen n-grams that nearly no held-out source exceeds.
        calibrations: one for each kind of search.
    """

    statistics: TrainingStatistics
    usual: float = 1.0
    calibrations: tuple[Calibration, ...] = ()

    def assess(
        self, observations: Sequence[Observation], config: DecodingConfig, unit: str = "tokens"
    ) -> list[Assessment]:
        """Assess outputs; ``unit`` is what the tokens of a source are called."""
        values = features(observations, self.statistics)
        calibration = self.calibration(config, approximate=True)
        warnings = self._warnings(observations, values, unit)
        if calibration is None:
            return [Assessment(row, None, None, notes) for row, notes in zip(values, warnings, strict=True)]
        logs = np.concatenate([each.log_probabilities[:-1] for each in observations]).astype(float)
        tokens = np.split(
            calibration.token_confidence(logs), np.cumsum([len(each.target_ids) for each in observations])[:-1]
        )
        confidence: list[float] = calibration.confidence(values).tolist()
        return [Assessment(*row) for row in zip(values, confidence, tokens, warnings, strict=True)]

    def _warnings(self, observations: Sequence[Observation], values: Array, unit: str) -> list[tuple[str, ...]]:
        """How each source is unlike the training data."""
        if not self.calibrations:
            return [()] * len(observations)
        longest, warnings = self.statistics.source.longest, list[tuple[str, ...]]()
        unseen = np.expm1(values[:, NAMES.index("unseen n-grams of the source")])
        for observation, count in zip(observations, unseen.tolist(), strict=True):
            length, sentences = len(observation.source_ids), list[str]()
            if length > LONGER * longest:
                sentences.append(f"The source has {length:,} {unit}; no training source has more than {longest:,}.")
            if count / length > max(UNSEEN, self.usual):
                sentences.append(
                    f"The source is unlike the training data: {100 * count / length:.0f} % of its n-grams never occur there."
                )
            warnings.append(tuple(sentences))
        return warnings

    def is_unlike(self, unseen: Array) -> NDArray[np.bool_]:
        """Whether sources with these shares of unseen n-grams are unlike the training data."""
        return unseen > max(UNSEEN, self.usual)

    def calibration(self, config: DecodingConfig, *, approximate: bool = False) -> Calibration | None:
        """The calibration for a kind of search; an approximate one for a beam is that of greedy search."""
        settings = search_settings(config)
        for calibration in self.calibrations:
            if calibration.decoding == settings:
                return calibration
        if approximate and not config.sample:
            return next((each for each in self.calibrations if not each.decoding), None)
        return None

    def with_calibration(self, calibration: Calibration) -> Confidence:
        """Add a calibration, in place of one for the same kind of search."""
        others = tuple(each for each in self.calibrations if each.decoding != calibration.decoding)
        return replace(self, calibrations=(*others, calibration))

    def acceptance(self, config: DecodingConfig, precision: float) -> Acceptance:
        """The rule that accepts outputs with a precision.

        Raises:
            OptionError: if there is no calibration for this kind of search.
        """
        calibration = self.calibration(config)
        if calibration is None:
            raise OptionError(NOT_CALIBRATED if not self.calibrations else OTHER_SEARCH.format(_in_words(config)))
        return Acceptance(calibration, precision, calibration.threshold(precision))

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            "format": 1,
            "statistics": self.statistics.as_dict(),
            "usual": self.usual,
            "calibrations": [each.as_dict() for each in self.calibrations],
        }

    @classmethod
    def from_dict(cls, values: JsonObject) -> Confidence:
        """Read ``as_dict`` back; raises ``ModelFileError`` for damaged values."""
        try:
            return cls(
                TrainingStatistics.from_dict(values["statistics"]),
                float(values["usual"]),
                tuple(Calibration.from_dict(each) for each in values["calibrations"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OptionError) as error:
            raise ModelFileError(
                f"The calibration of the confidence is damaged ({type(error).__name__}: {error})."
            ) from error

    @cached_property
    def fingerprint(self) -> str:
        """A short text that differs when anything changes."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()[:16]


def find_acceptance(confidence: Confidence | None, config: DecodingConfig, accept: object) -> Acceptance | None:
    """The rule for ``accept``, or ``None`` without it.

    Raises:
        OptionError: if ``accept`` is no share, or the model has no calibration for this kind of search.
    """
    if accept is None:
        return None
    if isinstance(accept, bool) or not isinstance(accept, Real) or not 0 < float(accept) < 1:
        raise OptionError(f"--accept must be a number in (0, 1), such as 0.99 (got {accept!r}).")
    if confidence is None:
        raise OptionError(NOT_CALIBRATED)
    return confidence.acceptance(config, float(accept))


NOT_CALIBRATED = (
    "--accept needs a confidence that was calibrated on held-out pairs, which this model does not have; call "
    "nbtextgen.calibrate(model, pairs) with pairs that it was not trained on."
)
OTHER_SEARCH = (
    "The confidence of this model is calibrated for another kind of search; for --accept, call nbtextgen.calibrate(model, pairs{}) "
    "with the same settings."
)


@dataclass(frozen=True, eq=False)
class Acceptance:
    """The rule that accepts outputs.

    Attributes:
        calibration: the one it rests on.
        precision: the share of right outputs that it promises among the accepted ones.
        threshold: lowest confidence of an accepted output; ``None`` if none can be accepted.
    """

    calibration: Calibration
    precision: float
    threshold: float | None

    def accepts(self, confidence: float | None, unlike: bool) -> bool:
        """Whether an output is accepted; one for a source unlike the training data is not."""
        return self.threshold is not None and confidence is not None and not unlike and confidence >= self.threshold

    def sentence(self, accepted: int, count: int) -> str:
        """The counts and the promise."""
        if self.threshold is None:
            return f"No output is accepted. {self.calibration.refusal(self.precision)}"
        left = count - accepted
        return (
            f"{share(accepted, count, 'output', 'is', 'are')} accepted, {left:,} {'is' if left == 1 else 'are'} left to a person. At least "
            f"{100 * self.precision:g} % of the accepted are right (with 95 % confidence, by "
            f"{counted(len(self.calibration.scores), 'held-out output')}): a right output {self.calibration.criterion.words}."
        )


@cache
def _search_settings(config: DecodingConfig) -> Mapping[str, object]:
    values = as_dict(config)
    return {
        name: values[name]
        for name, option in options_of(DecodingConfig).items()
        if name not in _NO_MATTER and getattr(config, name) != option.default
    }


def search_settings(config: DecodingConfig) -> dict[str, object]:
    """The settings of a search that differ from the defaults and change what its outputs are worth."""
    return dict(_search_settings(config))


def _in_words(config: DecodingConfig) -> str:
    return "".join(f", {name}={value!r}" for name, value in search_settings(config).items())


def usual_unseen(shares: Array) -> float:
    """Share of unseen n-grams that nearly no held-out source exceeds: the second largest, or the 99.5th percentile."""
    return float(np.quantile(shares, 0.995)) if len(shares) else 1.0
