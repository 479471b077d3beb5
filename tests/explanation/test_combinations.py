"""What holds for every method, kind of network, unit, and way of removing units.

The networks are those of ``test_golden.py``: a covering array of cells, attentions, copy heads, coverage, input feeding, layers,
encoder-free networks, ensembles and tokenizers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nbtextgen import TextGenerator
from nbtextgen.core.errors import OptionError
from nbtextgen.explanation.config import METHODS, ExplanationConfig
from nbtextgen.explanation.explainer import SOURCE_METHODS, Explainer
from nbtextgen.explanation.explanation import Explanation

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())["models"]
BACKGROUND = ["e c d a", "b b", "d", "a e f b c"]
BY_TOKEN = ("attention", "integrated-gradients", "input-x-gradient")
"""Methods without values inside a token."""
SIGNED_SUMS = ("shap", "lime")
"""Methods whose values add up to the log-probability, from their base."""


def state_of(model: TextGenerator) -> list[Tensor]:
    """All that an explanation must leave as it was: weights, buffers, and torch's random state."""
    networks = model.predictor.networks
    tensors = [tensor.clone() for network in networks for tensor in network.state_dict().values()]
    flags = [float(module.training) for network in networks for module in network.modules()]
    grads = [float(parameter.grad is None) for network in networks for parameter in network.parameters()]
    return [*tensors, torch.tensor(flags), torch.tensor(grads), torch.get_rng_state()]


def training_scores(model: TextGenerator, explainer: Explainer) -> np.ndarray:
    """Log-probabilities of the output as training scores them: one teacher-forced pass; an ensemble averages probabilities."""
    subject = explainer.subject
    source = torch.tensor([list(subject.encoding.ids)])
    target = torch.tensor([[*subject.output.inputs, subject.output.ids[-1]]])
    copies = None if subject.copy_ids is None else torch.tensor(np.asarray(subject.copy_ids)[None])
    with torch.inference_mode():
        each = [network.log_probabilities(source, target, copies)[0] for network in model.predictor.networks]
    return (torch.stack(each).logsumexp(0) - np.log(len(each))).double().numpy()


def check(explanation: Explanation, explainer: Explainer, scores: np.ndarray, case: str) -> None:
    method, units = explanation.method, len(explainer.units)
    prefix = explanation.prefix_values
    values = explanation.values if prefix is None else np.concatenate([explanation.values, prefix], 1)
    assert np.isfinite(values).all(), case
    assert explanation.values.shape == (len(scores), 2 if method == "context" else units), case
    np.testing.assert_allclose(explanation.log_probabilities, scores, atol=2e-4, err_msg=case)
    if prefix is not None:  # no output token depends on itself or on later ones
        assert (np.triu(prefix[:, : len(scores) - 1]) == 0).all() and prefix.shape[1] == len(scores) - 1, case
    if method in SIGNED_SUMS:
        whole = explanation.log_probabilities - explanation.base_values
        tolerance = 1e-9 if method == "shap" else max(0.5, np.abs(whole).max())  # LIME fits, it does not add up
        np.testing.assert_allclose(values.sum(1), whole, atol=tolerance, err_msg=case)
    if method == "attention":
        np.testing.assert_allclose(values.sum(1), 1, atol=1e-5, err_msg=case)
        assert (values >= 0).all(), case
    if method == "integrated-gradients":
        delta = explanation.convergence_delta
        assert delta is not None and np.isfinite(delta).all(), case
        np.testing.assert_allclose(
            values.sum(1) - delta, explanation.log_probabilities - explanation.base_values, atol=1e-4, err_msg=case
        )


def refused(name: str, explainer: Explainer, method: str) -> bool:
    """Whether the method has no values for this network and these units, and says so."""
    no_attention = method == "attention" and EXPECTED[name]["attention"] == "none"
    return no_attention or (method in BY_TOKEN and explainer.units.member is None)


@pytest.mark.parametrize("name", list(EXPECTED))
def test_every_method_unit_and_removal_holds_for_this_network(name: str) -> None:
    model = TextGenerator.load(GOLDEN / "models" / name)
    source = "edabc" if EXPECTED[name]["tokens"] == "char" else "e d a b c"
    before, combinations = state_of(model), 0
    for unit in ("char", "token", "word", "spans"):
        options: dict[str, Any] = {"spans": source[:3]} if unit == "spans" else {"unit": unit}
        for missing in ("mask", "delete", "sample"):
            settings = ExplanationConfig(
                missing=missing, budget=80, exact_units=4, steps=8, faithfulness=False, **options
            )
            try:
                explainer = Explainer(model.predictor, source, settings, background=BACKGROUND)
            except OptionError as error:
                assert unit == "char" and missing != "delete" and "finer than this model's tokens" in str(error)
                continue
            scores = training_scores(model, explainer)
            for method in METHODS:
                case = f"{name} {unit} {missing} {method}"
                if refused(name, explainer, method):
                    with pytest.raises(OptionError):
                        explainer.explain(method)
                    continue
                explanation = explainer.explain(method)
                check(explanation, explainer, scores, case)
                assert (explanation.prefix_values is not None) == (
                    EXPECTED[name]["encoder_layers"] == 0 and method not in SOURCE_METHODS
                ), case
                combinations += 1
                if unit == "token":
                    again = Explainer(model.predictor, source, settings, background=BACKGROUND).explain(method)
                    np.testing.assert_allclose(again.values, explanation.values, atol=1e-5, err_msg=case)
    assert combinations >= 50
    for now, then in zip(state_of(model), before, strict=True):
        assert torch.equal(now, then)
