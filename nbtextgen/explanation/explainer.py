"""``explain`` and ``Explainer``: one output of a model, explained by any method; methods share their work."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from nbtextgen.core.errors import OptionError
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.explanation import gradients, shapley
from nbtextgen.explanation.attention import head_weights
from nbtextgen.explanation.attributions import Attributions, Coalitions, ScoreFunction, Values
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.explanation.explanation import Explanation, Explanations
from nbtextgen.explanation.faithfulness import faithfulness
from nbtextgen.explanation.interactions import exact_interactions, sampled_interactions
from nbtextgen.explanation.lime import lime
from nbtextgen.explanation.occlusion import CONTEXT_PARTS, all_and_none, context, occlusion
from nbtextgen.explanation.prefix import Players, PrefixRemoval, PrefixValue, players_of, players_of_contrast, stretch
from nbtextgen.explanation.regression import regression
from nbtextgen.explanation.removal import ByCutting, ByDeletion, ByMask, BySampling, Removal, sample_donors
from nbtextgen.explanation.scoring import TokenScore, entropy
from nbtextgen.explanation.subject import RUNNER_UP, ExplainedOutput, make_subject, read_part
from nbtextgen.explanation.units import cut, find_spans
from nbtextgen.explanation.value_function import ProgressCallback, ValueFunction
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.predictor import Predictor
from nbtextgen.model.isolation import isolated, isolated_methods
from nbtextgen.model.memory import memory_errors

SCORE_FUNCTIONS: dict[str, TokenScore | None] = {"log-probability": None, "entropy": entropy}
"""``ExplanationConfig.score``; ``None`` needs no distribution over the whole vocabulary."""
SOURCE_METHODS = ("attention", "context")
"""Methods that attribute to the source alone, also where earlier output tokens are players of the others."""
MIN_REGRESSED = 4
"""Fewest units whose Shapley values can be estimated by regression, which was nearer to the truth than permutations at every length
(benchmarks/long_inputs.py)."""
LIME_SAMPLES = 1000
"""Most perturbations of LIME, whatever the budget."""


@isolated()
def explain(
    predictor: Predictor,
    text: str | Generation,
    config: ExplanationConfig,
    *,
    background: Iterable[str] = (),
    score_token: TokenScore | None = None,
) -> Explanation | Explanations:
    """Explain one output; see ``TextGenerator.explain``.

    Args:
        predictor: the model.
        text: the source; or a generation, to explain just that output.
        config: methods and settings.
        background: texts that missing units are sampled from.
        score_token: a function that is explained in place of ``config.score``.

    Returns:
        an ``Explanation`` for one method, ``Explanations`` for several.

    Raises:
        DataError: for a source or target without tokens.
        OptionError: for options that contradict one another.
    """
    generation = text if isinstance(text, Generation) else None
    source = text.source if isinstance(text, Generation) else text
    explainer = Explainer(
        predictor, source, config, generation=generation, background=list(background), score_token=score_token
    )
    explanations = {method: explainer.explain(method) for method in config.method}
    return next(iter(explanations.values())) if len(explanations) == 1 else Explanations(explanations)


@isolated_methods
class Explainer:
    """Explains one output of a model.

    Attributes:
        subject: the source and its output.
        units: the parts that the source is cut into.
        missing: what replaces missing units: ``mask``, ``delete`` or ``sample``.
        value: the value function of the source; caches the score of every coalition.
        prefix: the value function of source and earlier output tokens together, or ``None`` if those are no players.
    """

    def __init__(
        self,
        predictor: Predictor,
        source: str,
        config: ExplanationConfig,
        *,
        generation: Generation | None = None,
        background: Sequence[str] = (),
        score_token: TokenScore | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> None:
        """Tokenize the source and the output; nothing is attributed yet.

        Args:
            predictor, source, background, score_token: as in ``explain``.
            config: settings; its target takes precedence over ``generation``.
            generation: the output to explain, if it has been generated already.
            on_progress: called with the number of copies of the input read since the last call.
        """
        self.predictor, self.config, self.on_progress = predictor, config, on_progress
        if config.interactions and "shap" not in config.method:
            raise OptionError("--interactions are Shapley interactions; add shap to --method.")
        self._source_notes = predictor.codec.source_notes(source)
        source = read_part(predictor, source)
        target = generation if config.target is None else config.target
        self.subject = make_subject(predictor, source, target, config.contrast)
        given = {"target": config.target, "contrast": None if config.contrast == RUNNER_UP else config.contrast}
        self._source_notes += self.subject.notes([name for name, text in given.items() if text is not None])
        spans = find_spans(source, config.spans)
        self.units = cut(source, self.subject.encoding, predictor.source, config.unit, spans)
        whole_tokens = self.units.member is not None
        self.missing = config.missing
        if self.missing == "auto":
            # As faithful as deletion, measured on three data sets, and much oftener on the right place where that is known: what is
            # deleted shifts all that follows. Also for models that never met the mask in training (benchmarks/faithfulness.py).
            self.missing = "mask" if whole_tokens else "delete"
        if not whole_tokens and config.missing in ("mask", "sample"):
            raise OptionError(
                f"--missing={config.missing} works on whole tokens, and --unit=char is finer than this model's tokens; "
                "use --missing=delete or --unit=token."
            )
        self.value = ValueFunction(
            predictor.networks,
            self.subject,
            self._removal(background),
            batch_size=config.batch_size,
            score_token=SCORE_FUNCTIONS[config.score] if score_token is None else score_token,
            on_progress=on_progress,
        )
        self.score = config.score if score_token is None else getattr(score_token, "__name__", "own function")
        joint = predictor.networks[0].encoder is None if config.prefix is None else config.prefix
        self.prefix = self._prefix_value() if joint else None

    def _prefix_value(self) -> PrefixValue:
        """The joint game, whose missing output tokens follow the rule of missing units."""
        subject, removal = self.subject, self.value.removal
        texts = removal.texts if isinstance(removal, BySampling) else ()
        written = [generation.ids for generation in self.predictor.predict(texts, DecodingConfig())]

        def prefix(output: ExplainedOutput, players: Players) -> PrefixRemoval:
            donors = stretch(written, len(players)) if written else None
            return PrefixRemoval(output, players, self.missing, donors)

        prefixes = [prefix(subject.output, players_of(len(subject.output)))]
        if subject.contrast is not None:
            prefixes.append(prefix(subject.contrast, players_of_contrast(subject.pairing())))
        return PrefixValue(self.value, len(self.units), prefixes)

    def _removal(self, background: Sequence[str]) -> Removal:
        subject, units = self.subject, self.units
        if units.member is None:
            return ByCutting(subject.source, units, self.predictor)
        if self.missing == "mask":
            return ByMask(subject, units.member)
        if self.missing == "delete":
            return ByDeletion(subject, units.member)
        texts, donors = sample_donors(background, self.predictor, subject, self.config.donors, self.config.seed)
        return BySampling(subject, units.member, donors, texts)

    def explain(self, method: str) -> Explanation:
        """Attribute the output by one method, and score its faithfulness unless the configuration says not to."""
        *_, explanation = self.refine(method)
        if self.config.interactions and method == "shap":
            explanation = self.with_interactions(explanation)
        return self.with_faithfulness(explanation) if self.config.faithfulness else explanation

    def with_faithfulness(self, explanation: Explanation) -> Explanation:
        """The explanation with its faithfulness score.

        ``context`` and single units have none, since there is no order, and neither have scores other than
        log-probabilities, since faithfulness is measured in probability.
        """
        if explanation.method == "context" or len(self.units) < 2 or self.value.score_token is not None:
            return explanation
        score = faithfulness(
            self.value, explanation.values, contrast=self.subject.contrast is not None, seed=self.config.seed
        )
        return explanation.replace(faithfulness=score)

    def with_interactions(self, explanation: Explanation) -> Explanation:
        """The explanation with the interactions of its units: exact where Shapley values are, otherwise sampled.

        Raises:
            OptionError: for more units than pairs can be estimated of.
        """
        value, count = (self.value, len(self.units)) if self.prefix is None else (self.prefix, self.prefix.players)
        before = self.value.evaluations
        if count <= self.config.exact_units:
            pairs = exact_interactions(value, count)
        else:
            pairs = sampled_interactions(value, count, self.config.budget, self.config.seed)
        if self.prefix is not None:  # of pairs with a later token, only the noise of sums is left
            pairs = pairs.among(self.prefix.relevant)
        return explanation.replace(
            interactions=pairs.values,
            interaction_errors=pairs.standard_errors,
            evaluations=explanation.evaluations + self.value.evaluations - before,
        )

    def expected_evaluations(self, method: str) -> int:
        """About how many copies of the input a method will read, for a progress bar."""
        count, config = self._players(method), self.config
        sampled = 2**count if count <= config.exact_units and config.algorithm != "permutation" else config.budget
        copies = {"shap": sampled, "lime": min(config.budget, LIME_SAMPLES), "integrated-gradients": config.steps}
        return max(1, copies.get(method, count + 2) * self.value.removal.repeats)

    def refine(self, method: str) -> Iterator[Explanation]:
        """Yield ever more precise explanations, the last one being final; most methods yield only one."""
        start, evaluations = time.perf_counter(), self.value.evaluations
        with memory_errors("There is not enough memory to explain this output; use a shorter source."):
            for attributions in self._attribute(method):
                yield self._explanation(
                    method, attributions, self.value.evaluations - evaluations, time.perf_counter() - start
                )

    def _players(self, method: str) -> int:
        """Units, and the earlier output tokens if this method attributes to them."""
        return len(self.units) if self.prefix is None or method in SOURCE_METHODS else self.prefix.players

    def _attribute(self, method: str) -> Iterator[Attributions]:
        count, config = self._players(method), self.config
        value = self.value if self.prefix is None else self.prefix
        relevant = None if self.prefix is None else self.prefix.relevant
        if method == "shap":
            yield from self._shapley(value, count, relevant)
        elif method == "attention":
            yield self._attention()
        elif method == "occlusion":
            yield occlusion(value, count)
        elif method == "lime":
            samples = min(config.budget, LIME_SAMPLES)
            yield lime(value, count, samples=samples, seed=config.seed, relevant=relevant)
        elif method == "context":
            yield context(self.value, count)
        else:
            yield self._gradients(method)

    def _shapley(self, value: ScoreFunction, count: int, relevant: Coalitions | None) -> Iterator[Attributions]:
        config = self.config
        algorithm = config.algorithm
        if algorithm == "auto":
            many = "regression" if relevant is None and count >= MIN_REGRESSED else "permutation"
            algorithm = "exact" if count <= config.exact_units else many
        if algorithm == "exact":
            if count > 20:
                raise OptionError(
                    f"--algorithm=exact would need 2 ** {count} copies of the input; use --unit=word or another algorithm."
                )
            yield shapley.exact(value, count)
        elif algorithm in ("partition", "regression") and relevant is not None:
            raise OptionError(
                f"--algorithm={algorithm} attributes to the input alone; use --algorithm=permutation, or --prefix=false."
            )
        elif algorithm == "partition":
            yield shapley.partition(value, self.units, config.budget)
        elif algorithm == "regression" and count >= MIN_REGRESSED:
            yield from regression(value, count, config.budget, config.seed, config.batch_size)
        else:
            yield from shapley.permutations(value, count, config.budget, config.seed, config.batch_size, relevant)

    def _full(self) -> Values:
        """v(all), ``(outputs,)``."""
        return self.value(all_and_none(len(self.units))[:1])[0]

    def _attention(self) -> Attributions:
        networks, subject = self.predictor.networks, self.subject
        heads = self._by_unit(head_weights(networks, subject, subject.output))
        return Attributions(
            heads.mean(0),
            np.zeros(len(subject.output)),
            self._full(),
            "weights of the decoder's attention" + ("" if subject.contrast is None else ", for this output alone"),
            heads=heads if len(heads) > 1 else None,
        )

    def _gradients(self, method: str) -> Attributions:
        prefixes = [] if self.prefix is None else [prefix.players for prefix in self.prefix.prefixes]
        game = gradients.GradientGame(
            self.predictor.networks,
            self.subject,
            gradients.baseline_token(self.missing),
            prefixes,
            self.value.score_token,
            on_progress=self.on_progress,
        )
        if method == "integrated-gradients":
            steps = self.config.steps
            result = gradients.integrated_gradients(game, steps)
            algorithm = f"{steps} points from {'the mask token' if self.missing == 'mask' else 'zero'} to the input"
            delta = result.convergence_delta
        else:
            result = gradients.input_x_gradient(game)
            algorithm, delta = "gradient at the input times the way from the baseline", None
        values = self._by_unit(result.values)
        if prefixes:
            values = np.concatenate([values, result.prefix], 1)
        return Attributions(values, result.base, self._full(), algorithm, convergence_delta=delta)

    def _by_unit(self, values: Values) -> Values:
        """Sums over the tokens of each unit: ``(..., source_length)`` to ``(..., units)``."""
        member = self.units.member
        if member is None:
            raise OptionError(
                "--unit=char is finer than this model's tokens, inside which attention and gradients have no values; "
                "use --unit=token, or --method=shap, lime or occlusion."
            )
        return values @ np.eye(len(self.units))[member]

    def _explanation(self, method: str, attributions: Attributions, evaluations: int, seconds: float) -> Explanation:
        subject, output = self.subject, self.subject.output
        parts = method == "context"
        joint = self.prefix is not None and method not in SOURCE_METHODS
        units = len(self.units) if joint else attributions.values.shape[1]  # two for ``context``
        errors, values = attributions.standard_errors, attributions.values
        if joint and self.prefix is not None:
            values = np.where(self.prefix.relevant, values, 0.0)  # later tokens are left with rounding errors of sums
        return Explanation(
            method=method,
            source=subject.source,
            text=output.text,
            contrast=None if subject.contrast is None else subject.contrast.text,
            unit=self.units.kind,
            missing=self.missing,
            score=self.score,
            input_units=CONTEXT_PARTS if parts else self.units.texts,
            input_offsets=((0, len(subject.source)), (0, 0)) if parts else self.units.offsets,
            output_tokens=output.tokens,
            output_offsets=output.offsets,
            values=values[:, :units],
            base_values=attributions.base,
            log_probabilities=attributions.full,
            without_source=self.value(all_and_none(len(self.units))[1:])[0],
            algorithm=attributions.algorithm,
            standard_errors=None if errors is None else errors[:, :units],
            r_squared=attributions.r_squared,
            convergence_delta=attributions.convergence_delta,
            heads=attributions.heads,
            prefix_tokens=output.tokens[:-1] if joint else (),
            prefix_offsets=output.offsets[:-1] if joint else (),
            prefix_values=values[:, units:] if joint else None,
            prefix_errors=errors[:, units:] if joint and errors is not None else None,
            source_notes=self._source_notes,
            evaluations=evaluations,
            seconds=seconds,
        )
