"""Files for inseq: read by a decoder written from its format, and by inseq itself where it is installed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load

from nbtextgen import NbTextGenError, Pairs, TextGenerator
from nbtextgen.explanation.inseq_file import save_inseq

SOURCES = ["the red cat is here", "the blue dog is here"]


def read(path: Path) -> dict[str, Any]:
    """The attributes of the saved object; tensors are arrays."""

    def decoded(instance: dict[str, Any]) -> Any:
        attributes = instance.get("attributes", instance)
        return {name: tensor(value) for name, value in attributes.items()}

    def tensor(value: Any) -> Any:
        if isinstance(value, str) and value.startswith("SAAAA"):  # eight bytes with the length of a header
            return load(base64.b64decode(value))["attribution"]
        return value

    return json.loads(path.read_text(encoding="utf-8"), object_hook=decoded)


def test_inseq_gets_every_value_of_source_and_earlier_output(words: TextGenerator, tmp_path: Path) -> None:
    explanation = words.explain(SOURCES[0], prefix=True)
    saved = read(save_inseq(explanation, tmp_path / "one.json"))
    [sequence] = saved["sequence_attributions"]
    np.testing.assert_allclose(sequence["source_attributions"], explanation.values.T, rtol=1e-6)
    count = len(explanation.output_tokens)
    later = np.triu_indices(count, 1)
    assert explanation.prefix_values is not None
    filled = np.zeros((count, count))
    filled[: len(explanation.prefix_tokens)] = explanation.prefix_values.T
    np.testing.assert_allclose(sequence["target_attributions"][later], filled[later], rtol=1e-6)
    assert np.isnan(sequence["target_attributions"][np.tril_indices(count)]).all()
    np.testing.assert_allclose(sequence["step_scores"]["probability"], np.exp(explanation.log_probabilities), rtol=1e-6)
    assert [token["token"] for token in sequence["source"]] == list(explanation.input_units)
    assert saved["info"]["generated_texts"] == [explanation.text]


def test_many_texts_by_one_method_are_saved_and_several_methods_refused(words: TextGenerator, tmp_path: Path) -> None:
    survey = words.explain_data(Pairs(SOURCES, SOURCES), method="shap,attention", faithfulness=False)
    saved = read(save_inseq(survey.explanations["shap"], tmp_path / "all.json"))
    assert saved["info"]["input_texts"] == SOURCES and len(saved["sequence_attributions"]) == 2
    with pytest.raises(NbTextGenError, match="one method, and these are by attention, shap"):
        save_inseq([each[0] for each in survey.explanations.values()], tmp_path / "none.json")
    with pytest.raises(NbTextGenError, match="there is none"):
        save_inseq([], tmp_path / "none.json")
    assert not (tmp_path / "none.json").exists()


def test_inseq_itself_loads_and_shows_the_file(words: TextGenerator, tmp_path: Path) -> None:
    inseq = pytest.importorskip("inseq", reason="inseq is tried by tools/test_places.sh")
    explanation = words.explain(SOURCES[0], prefix=True)
    loaded = inseq.FeatureAttributionOutput.load(str(save_inseq(explanation, tmp_path / "one.json")))
    np.testing.assert_allclose(loaded[0].aggregate().source_attributions.numpy(), explanation.values.T, rtol=1e-6)
    assert "Katze" in loaded.show(display=False, return_html=True)
    loaded.save(str(tmp_path / "again.json"))
    assert inseq.FeatureAttributionOutput.load(str(tmp_path / "again.json")) == loaded
