"""``Explainer``: one question about one text, answered by any method; work is shared between methods."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import OptionError
from nbtextgen.explanation import gradients, shapley
from nbtextgen.explanation.attention import attention
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.explanation.context import PARTS, context
from nbtextgen.explanation.explanation import Explanation
from nbtextgen.explanation.faithfulness import faithfulness
from nbtextgen.explanation.lime import lime
from nbtextgen.explanation.removal import ByCutting, ByDeletion, ByMask, BySampling, Removal, draw
from nbtextgen.explanation.shapley import Shapley
from nbtextgen.explanation.subject import make_subject
from nbtextgen.explanation.units import cut, find_spans
from nbtextgen.explanation.value import ProgressCallback, ValueFunction
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.predictor import Predictor

Values = NDArray[np.float64]


class Explainer:
    """Explains one output of a model.

    Attributes:
        subject: the source and its output.
        units: what the source is cut into.
        value: the value function; remembers every coalition it has scored.
    """

    def __init__(
        self,
        predictor: Predictor,
        source: str,
        config: ExplanationConfig,
        *,
        generation: Generation | None = None,
        background: Sequence[str] = (),
        on_progress: ProgressCallback | None = None,
    ) -> None:
        """Tokenise the question; nothing is attributed yet.

        Args:
            writer: the model.
            source: the input.
            config: the question.
            generation: the output to explain, when it has been written already.
            background: texts that missing units are sampled from.
            heard: told of progress.

        Raises:
            DataError: for a source or target without tokens.
            OptionError: for options that contradict one another.
        """
        self.predictor, self.config, self.on_progress = predictor, config, on_progress
        self.subject = make_subject(predictor, source, config.target or generation, config.contrast)
        spans = find_spans(source, config.spans)
        self.units = cut(source, self.subject.encoding, predictor.source, config.unit, spans)
        whole = self.units.member is not None
        self.missing = config.missing
        if self.missing == "auto":
            # As faithful as deletion, measured on three data sets, and much oftener on the right place where that is known: what is
            # deleted shifts all that follows. Also for models that never met the mask in training (benchmarks/faithfulness.py).
            self.missing = "mask" if whole else "delete"
        if not whole and config.missing in ("mask", "sample"):
            raise OptionError(
                f"--missing {config.missing} works on whole tokens, and --unit char is finer than this model's tokens; "
                "use --missing delete or --unit token."
            )
        self.value = ValueFunction(
            predictor.networks,
            self.subject,
            self._removal(background),
            batch_size=config.batch_size,
            on_progress=on_progress,
        )

    def _removal(self, background: Sequence[str]) -> Removal:
        subject, units = self.subject, self.units
        if units.member is None:
            return ByCutting(subject.source, units, self.predictor)
        if self.missing == "mask":
            return ByMask(subject, units.member)
        if self.missing == "delete":
            return ByDeletion(subject, units.member)
        donors = draw(background, self.predictor, subject, self.config.donors, self.config.seed)
        return BySampling(subject, units.member, donors)

    def explain(self, method: str) -> Explanation:
        """Attribute the output by one method, and score its faithfulness unless the configuration says not to."""
        *_, last = self.refine(method)
        return self.judged(last) if self.config.faithfulness else last

    def judged(self, explanation: Explanation) -> Explanation:
        """The explanation with its faithfulness score; context has none, for its parts are no units."""
        if explanation.method == "context":
            return explanation
        score = faithfulness(
            self.value, explanation.values, contrast=self.subject.contrast is not None, seed=self.config.seed
        )
        return explanation.replace(faithfulness=score)

    def expected(self, method: str) -> int:
        """About how many copies of the input a method will read, for a progress bar."""
        count, config = len(self.units), self.config
        sampled = 2**count if count <= config.exact_units and config.algorithm != "permutation" else config.budget
        copies = {"shap": sampled, "lime": min(config.budget, 1000), "integrated-gradients": config.steps}
        return max(1, copies.get(method, count + 2) * self.value.removal.repeats)

    def refine(self, method: str) -> Iterator[Explanation]:
        """Yield ever better answers, the last one being final; most methods have only one."""
        began, before = time.perf_counter(), self.value.evaluations
        for found, extras in self._answers(method):
            yield self._explanation(
                method,
                found,
                evaluations=self.value.evaluations - before,
                seconds=time.perf_counter() - began,
                **extras,
            )

    def _answers(self, method: str) -> Iterator[tuple[Shapley, dict[str, Any]]]:
        count = len(self.units)
        if method == "shap":
            yield from self._shapley()
        elif method == "attention":
            yield self._attention()
        elif method == "occlusion":
            yield self._occlusion(), {"algorithm": "one unit left out at a time"}
        elif method == "lime":
            fit = lime(self.value, count, min(self.config.budget, 1000), self.config.seed)
            found = Shapley(fit.values, fit.intercept, self._full())
            yield found, {"algorithm": "weighted ridge regression", "r_squared": fit.r_squared}
        elif method == "context":
            yield context(self.value, count), {"algorithm": "Shapley values of two players"}
        else:
            yield self._gradients(method)

    def _shapley(self) -> Iterator[tuple[Shapley, dict[str, Any]]]:
        count, config = len(self.units), self.config
        algorithm = config.algorithm
        if algorithm == "auto":
            algorithm = "exact" if count <= config.exact_units else "permutation"
        if algorithm == "exact":
            if count > 20:
                raise OptionError(
                    f"--algorithm exact would need 2 ** {count} copies of the input; use --unit word or another algorithm."
                )
            yield shapley.exact(self.value, count), {"algorithm": f"exact, {2**count:,} coalitions"}
        elif algorithm == "partition":
            found = shapley.partition(self.value, self.units, config.budget)
            yield found, {"algorithm": "Owen values over words and phrases"}
        else:
            for found in shapley.permutations(self.value, count, config.budget, config.seed, config.batch_size):
                words = f"{found.rounds} antithetic pairs of permutations"
                yield found, {"algorithm": words, "standard_errors": found.errors}

    def _full(self) -> Values:
        return self.value(np.ones((1, len(self.units)), dtype=bool))[0]

    def _occlusion(self) -> Shapley:
        count = len(self.units)
        scores = self.value(
            np.concatenate([np.ones((1, count), bool), ~np.eye(count, dtype=bool), np.zeros((1, count), bool)])
        )
        return Shapley((scores[:1] - scores[1:-1]).T, scores[-1], scores[0])

    def _attention(self) -> tuple[Shapley, dict[str, Any]]:
        heads = self._by_unit(attention(self.predictor.networks, self.subject, self.subject.output))
        if self.subject.contrast is not None:
            others = self._by_unit(attention(self.predictor.networks, self.subject, self.subject.contrast))
            heads = heads - np.einsum("ts,hsu->htu", self.subject.pairing(), others)
        extras: dict[str, Any] = {"algorithm": "weights of the decoder's attention"}
        if len(heads) > 1:
            extras["heads"] = heads
        return Shapley(heads.mean(0), np.zeros(heads.shape[1]), self._full()), extras

    def _gradients(self, method: str) -> tuple[Shapley, dict[str, Any]]:
        networks, subject = self.predictor.networks, self.subject
        baseline = gradients.baseline_token(self.missing)
        if method == "integrated-gradients":
            found = gradients.integrated(networks, subject, baseline, self.config.steps, self.on_progress)
            words = (
                f"{self.config.steps} points from {'the mask token' if self.missing == 'mask' else 'zero'} to the input"
            )
        else:
            found = gradients.input_x_gradient(networks, subject, baseline, self.on_progress)
            words = "gradient at the input times the way from the baseline"
        extras: dict[str, Any] = {"algorithm": words}
        if method == "integrated-gradients":
            extras["convergence_delta"] = found.delta
        return Shapley(self._by_unit(found.values), found.base, self._full()), extras

    def _by_unit(self, values: Values) -> Values:
        """Sums over the tokens of each unit: ``(..., source_length)`` to ``(..., units)``."""
        member = self.units.member
        if member is None:
            raise OptionError(
                "--unit char is finer than this model's tokens, inside which attention and gradients have no values; "
                "use --unit token, or --method shap, lime or occlusion."
            )
        return values @ np.eye(len(self.units))[member]

    def _explanation(self, method: str, found: Shapley, **extras: Any) -> Explanation:
        subject, output = self.subject, self.subject.output
        parts = method == "context"
        return Explanation(
            method=method,
            source=subject.source,
            text=output.text,
            contrast=None if subject.contrast is None else subject.contrast.text,
            unit=self.units.kind,
            missing=self.missing,
            input_units=PARTS if parts else self.units.texts,
            input_offsets=((0, len(subject.source)), (0, 0)) if parts else self.units.offsets,
            output_tokens=output.tokens,
            output_offsets=output.offsets,
            values=found.values,
            base_values=found.base,
            log_probabilities=found.full,
            without_source=self.value(np.zeros((1, len(self.units)), dtype=bool))[0],
            **extras,
        )
