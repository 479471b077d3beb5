"""What must hold at the edges: coverage, copied words, few and many units, gold alignments, byte pieces."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from nbtextgen import TextGenerator
from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.explanation import shapley
from nbtextgen.explanation.agreement import Agreement
from nbtextgen.explanation.alignment import links, read_gold
from nbtextgen.explanation.attributions import Coalitions, Values
from nbtextgen.explanation.explanation import Explanation
from nbtextgen.explanation.sanity import sanity_check
from nbtextgen.explanation.units import cut, name_bytes
from nbtextgen.inference.output_part import find_part
from nbtextgen.tokenizers.base import BOS, EOS, MASK, UNK, Encoding

WORDS = ["cat", "owl", "pig", "dog", "cow", "hen", "fox"]


@pytest.fixture(scope="module", params=[False, True], ids=["copy", "coverage"])
def copying(request: pytest.FixtureRequest) -> TextGenerator:
    """Reverses words; unknown ones can only be copied."""
    generator = random.Random(3)
    sources = [
        [generator.choice(WORDS) if generator.random() < 0.6 else f"x{generator.randint(10, 99)}" for _ in range(4)]
        for _ in range(300)
    ]
    options: dict[str, Any] = {
        "tokens": "word",
        "copy": True,
        "hidden_size": 32,
        "embedding_size": 16,
        "epochs": 12,
        "seed": 1,
    }
    options |= {"minimum_frequency": 8, "learning_rate": 0.01, "samples": 0, "coverage": request.param}
    return TextGenerator(**options, device="cpu", threads=1).fit(
        [(" ".join(source), " ".join(source[::-1])) for source in sources], callbacks=[]
    )


def test_every_method_explains_every_copying_model(copying: TextGenerator) -> None:
    found = copying.explain("cat x17 owl", method="shap,attention,occlusion,ig,ixg,lime,context")
    for explanation in found.values():
        assert np.isfinite(explanation.values).all()
    np.testing.assert_allclose(found["attention"].values.sum(1), 1, atol=1e-5)
    assert found["context"].evaluations == 4


def test_a_word_that_cannot_be_copied_counts_as_unknown_as_in_training(copying: TextGenerator) -> None:
    explanation = copying.explain("cat zebra owl", target="owl zebra cat", algorithm="exact", faithfulness=False)
    network, codec = copying.predictor.networks[0], copying.predictor
    source = torch.full((1, 3), MASK)
    target = codec.target.encode("owl zebra cat").ids
    assert target[1] == UNK
    logs = network.log_probabilities(source, torch.tensor([[BOS, *target, EOS]]), torch.full((1, 3), UNK))
    np.testing.assert_allclose(explanation.without_source[1], float(logs[0, 1]), atol=1e-4)
    assert explanation.without_source.min() > -25


@pytest.mark.parametrize("missing", ["mask", "delete"])
def test_integrated_gradients_converge_on_copied_words(copying: TextGenerator, missing: Any) -> None:
    explanation = copying.explain("cat zebra owl yak", method="ig", missing=missing, faithfulness=False)
    assert explanation.convergence_delta is not None
    assert np.abs(explanation.convergence_delta).max() < 0.02


def test_attention_of_a_contrast_is_that_of_the_output(words: TextGenerator) -> None:
    explanation = words.explain("the green dog is here", method="attention", contrast="Hund rot")
    np.testing.assert_allclose(explanation.values.sum(1), 1, atol=1e-5)
    assert "for this output alone" in explanation.algorithm


def test_empty_target_is_refused_and_one_unit_has_nothing_to_compare(words: TextGenerator) -> None:
    with pytest.raises(DataError, match="target is empty"):
        words.explain("the red cat is here", target="")
    one = words.explain("cat", method="shap,occlusion", target="Katze rot")
    assert one["shap"].faithfulness is None
    assert "too few units" in one.sentence()
    assert sanity_check(words, "cat", seeds=1).sentence().startswith("There is nothing to compare")


def explanation(method: str, values: Values, errors: Values | None = None) -> Explanation:
    tokens, spans = ("a",), ((0, 1),)
    units = tuple("abcdefghijklmnopqrstuvwxyz"[: values.shape[1]])
    zeros = np.zeros(1)
    offsets = tuple((index, index + 1) for index in range(len(units)))
    return Explanation(
        method, "".join(units), "a", None, "char", "mask", units, offsets, tokens, spans, values, zeros, zeros, zeros,
        standard_errors=errors,
    )  # fmt: skip


def test_no_method_is_blamed_for_the_noise_of_another() -> None:
    generator = np.random.default_rng(1)
    values, other = generator.normal(size=(1, 26)), generator.normal(size=(1, 26))
    noisy = explanation("shap", values, np.full((1, 26), 3.0))
    exact = explanation("integrated-gradients", other)
    assert "hardly repeat from seed to seed" in Agreement.of([noisy, exact]).sentence()
    sure = explanation("shap", values, np.full((1, 26), 0.001))
    assert "not a reliable guide" in Agreement.of([sure, exact]).sentence()
    few = [explanation("shap", values[:, :3]), explanation("attention", other[:, :3])]
    assert "too few units" in Agreement.of(few).sentence()


def unanimity_game(units: int, terms: int, seed: int) -> tuple[Any, Values]:
    """A game of random sets that count when complete, and its Shapley values."""
    generator = np.random.default_rng(seed)
    members, values = np.zeros((terms, units), dtype=bool), np.zeros(units)
    worth = generator.standard_t(3, terms)
    for term in range(terms):
        chosen = generator.choice(units, size=min(units, int(generator.integers(1, 5))), replace=False)
        members[term, chosen] = True
        values[chosen] += worth[term] / len(chosen)

    def score(coalitions: Coalitions) -> Values:
        missing = (~coalitions).astype(float) @ members.T.astype(float)
        return ((missing == 0).astype(float) @ worth)[:, None]

    return score, values


@pytest.mark.parametrize("units", [10, 40, 100, 300])
def test_standard_errors_cover_what_they_claim_within_the_budget(units: int) -> None:
    covered = list[float]()
    for seed in range(120 if units == 10 else 30):
        score, values = unanimity_game(units, 3 * units // 2, seed % 3)
        calls = [0]

        def counted(coalitions: Coalitions, score: Any = score, calls: list[int] = calls) -> Values:
            calls[0] += len(coalitions)
            return score(coalitions)

        *_, found = shapley.permutations(counted, units, 2000, seed)
        assert calls[0] <= 2000
        assert found.standard_errors is not None and (found.standard_errors > 0).all()
        covered.append(float((np.abs(found.values[0] - values) <= 1.96 * found.standard_errors[0]).mean()))
    assert 0.93 <= np.mean(covered) <= 0.975


@pytest.mark.parametrize("units", [400, 1000, 1500])
def test_a_budget_is_kept_however_many_units_there_are(units: int) -> None:
    score, _ = unanimity_game(units, units, 1)
    calls = [0]

    def counted(coalitions: Coalitions) -> Values:
        calls[0] += len(coalitions)
        return score(coalitions)

    *_, found = shapley.permutations(counted, units, 1000, 1)
    assert calls[0] <= 1000
    np.testing.assert_allclose(found.values.sum(), (found.full - found.base).sum(), atol=1e-9)


def test_gold_alignments_may_count_from_one() -> None:
    assert read_gold(["1-1 2-3"], [("a b", "x y z")], 1) == [(frozenset({(0, 0), (1, 2)}),) * 2]
    for line, start in (("1-3", 0), ("0-0", 1), ("2-0", 0)):
        with pytest.raises(DataError, match="gold_start"):
            read_gold([line], [("a b", "x y z")], start)


def test_gold_alignments_start_at_zero_or_one(words: TextGenerator) -> None:
    pairs = [("the red cat is here", "Katze rot")]
    for start, line in ((0, "2-0 1-1"), (1, "3-1 2-2")):
        survey = words.explain_data(pairs, gold=[line], gold_start=start, faithfulness=False)
        assert survey.alignment_error["shap"] == 0
    with pytest.raises(OptionError, match="gold_start"):
        words.explain_data(pairs, gold=["3-1 2-2"], gold_start=2)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("हिन्दी 3.14", ["हिन्दी", "3.14"]),
        ("বাংলা ভাষা", ["বাংলা", "ভাষা"]),
        ("שָׁלוֹם עֲלֵיכֶם", ["שָׁלוֹם", "עֲלֵיכֶם"]),
        ("السَّلَامُ عَلَيْكُمْ", ["السَّلَامُ", "عَلَيْكُمْ"]),
        ("hi 👩‍👩‍👧 👍🏽", ["hi", "👩‍👩‍👧", "👍🏽"]),
        ("10,000 co-op", ["10,000", "co-op"]),
        ("ไทย", ["ไ", "ท", "ย"]),
        ("ດີ ok", ["ດີ", "ok"]),
    ],
)
def test_word_units_are_those_of_unicode(text: str, units: list[str]) -> None:
    offsets = [(index, index + 1) for index in range(len(text))]
    encoding = Encoding([UNK] * len(text), list(text), offsets)
    found = cut(text, encoding, words_tokenizer(), "word")
    assert [unit.strip() for unit in found.texts] == units


@pytest.mark.parametrize(
    ("kind", "source", "unit", "count"),
    [
        ("char", "ab " * 20, "token", 60),
        ("char", "ab " * 21, "word", 21),
        ("char", "ab, cd. " * 50, "phrase", 40),
        ("bpe", "ab " * 60, "word", 60),
        ("bpe", "ab " * 61, "phrase", 40),
        ("char", "\u0e01" * 200, "phrase", 40),
        ("char", " " * 70, "word", 1),
    ],
)
def test_long_texts_are_cut_into_words_and_phrases(kind: str, source: str, unit: str, count: int) -> None:
    offsets = [(index, index + 1) for index in range(len(source))]
    units = cut(source, Encoding([UNK] * len(source), list(source), offsets), SimpleNamespace(kind=kind))  # type: ignore[arg-type]
    assert (units.kind, len(units)) == (unit, count)
    assert units.member is not None and (np.diff(units.member) >= 0).all() and units.member[-1] == count - 1


def words_tokenizer() -> Any:
    """Only the kind of the tokenizer is read."""
    return SimpleNamespace(kind="bpe")


def test_units_of_scripts_without_spaces_are_explained(words: TextGenerator) -> None:
    thai = words.explain("ไทย cat", unit="word", method="occlusion", faithfulness=False)
    assert "Thai is written without spaces between words" in repr(thai)
    assert "without spaces" not in repr(words.explain("red cat", unit="word", method="occlusion", faithfulness=False))


def test_outputs_that_are_little_grounded_are_not_called_wrong(words: TextGenerator) -> None:
    survey = words.explain_data([("the red cat is here", "x")], faithfulness=False)
    assert "not a sign of errors" in repr(survey)


def test_survey_adds_up_and_tells_ignoring_from_opposing(words: TextGenerator) -> None:
    survey = words.explain_data(
        [(f"the {colour} {thing} is here", "x") for colour in ("red", "blue") for thing in ("cat", "dog")]
    )
    table = survey.shap(features=2)
    assert table.feature_names[-1] == "other units"
    totals = [each.values.sum() for each in survey.first]
    np.testing.assert_allclose(np.asarray(table.values).sum(1), totals, atol=1e-6)
    assert not {token for token, *_ in survey.ignored()} & {token for token, share, _ in survey.opposed() if share == 1}


def test_bytes_are_named_after_their_character() -> None:
    assert name_bytes(["ok", "\\xf0", "\\x9f\\x91", "\\x8d", "x"]) == ["ok", "👍 1/3", "👍 2/3", "👍 3/3", "x"]
    assert name_bytes(["\\x20\\xc3", "\\xa9", "\\xff"]) == ["é 1/2", "é 2/2", "\\xff"]


def test_bytes_of_an_output_belong_to_their_character() -> None:
    model = TextGenerator.load(
        GOLDEN / "models" / next(name for name, each in NETWORKS.items() if each["tokens"] == "bpe")
    )
    shown = model.explain("a … c", target="a🦀b …", unit="token", method="occlusion", faithfulness=False)
    names = [token.strip() for token in shown.output_tokens if token.strip()]
    assert names == ["a", "🦀 1/4", "🦀 2/4", "🦀 3/4", "🦀 4/4", "b", "… 1/3", "… 2/3", "… 3/3", "■"]
    of_crab = {index for index, token in enumerate(shown.output_tokens) if token.startswith("🦀")}
    steps = find_part("🦀", shown.text, shown.output_tokens, shown.output_offsets).steps
    assert set(steps) == of_crab
    assert [token.strip() for token in shown.merge().output_tokens] == ["a", "🦀", "b", "…", "■"]
    for index, token in enumerate(shown.output_tokens[:-1]):
        said = shown.sentence(index)
        assert "/" not in said.replace("(p = ", ""), said
        if token.startswith(("🦀", "…")):
            assert said.startswith(f"“{token[0]}” ")
    word = model.explain("日本", target="日本", unit="token", method="occlusion", faithfulness=False)
    assert {word.sentence(index)[:3] for index in range(len(word.output_tokens) - 1)} <= {"“日”", "“本”", "“␣”"}
    assert "/" not in word.sentence().replace("(p = ", "")
    numbers = model.explain("a c", target="日 本", unit="token", method="occlusion", faithfulness=False)
    rows = np.zeros(numbers.values.shape)
    rows[-2, 0] = -1.0  # the last byte alone would link the second word to the second
    rows[:-2, 0] = 1.0
    assert (0, 1) in links(numbers.replace(values=rows))


GOLDEN = Path(__file__).parents[1] / "data" / "golden"
NETWORKS = json.loads((GOLDEN / "expected.json").read_text())["models"]
TOKEN_METHODS = ("integrated-gradients", "input-x-gradient", "attention")
METHODS = ("shap", "occlusion", "lime", "integrated-gradients", "input-x-gradient", "attention", "context")


@pytest.mark.parametrize(
    ("name", "missing"), list(zip(NETWORKS, itertools.cycle(["mask", "delete", "sample"]), strict=False))
)
def test_every_method_holds_for_every_kind_of_network(name: str, missing: Any) -> None:
    """The golden models are a covering array: every allowed pair of values of the network's options.

    Units, whether earlier output tokens take part, and whether it is computed twice, go round with them.
    """
    turn = int(name, 36) + len(missing)
    joint = bool(turn % 2)
    model = TextGenerator.load(GOLDEN / "models" / name)
    source, written = NETWORKS[name]["outputs"][0]["source"], NETWORKS[name]["outputs"][0]["greedy"]["text"]
    weights = [parameter.clone() for parameter in model.predictor.networks[0].parameters()]
    methods = [method for method in METHODS if method != "attention" or model.plan.model.attention != "none"]
    options: dict[str, Any] = {
        "missing": missing,
        "exact_units": 8,
        "steps": 64,
        "target": written[:8].strip() or None,
        "budget": 120,
        "background": ["a b c", source[::-1]],
        "donors": 2,
        "prefix": joint,
        "unit": "char" if missing == "delete" and turn % 3 == 0 else ("token", "word")[turn // 2 % 2],
    }
    if options["unit"] == "char" and model.predictor.source.kind != "char":
        methods = [method for method in methods if method not in TOKEN_METHODS]
    found = model.explain(source, method=methods, **options)
    again = model.explain(source, method=methods, **options) if turn % 3 == 0 else found
    for method, explanation in found.items():
        assert np.isfinite(explanation.values).all()
        np.testing.assert_array_equal(explanation.values, again[method].values)
        np.testing.assert_allclose(explanation.log_probabilities, found["shap"].log_probabilities, atol=1e-5)
        prefix = explanation.prefix_values
        assert (prefix is not None) == (joint and method not in ("attention", "context"))
        if prefix is not None:
            assert not np.triu(prefix).any() and np.isfinite(prefix).all()
            np.testing.assert_array_equal(prefix, again[method].prefix_values)
    for method in ("shap", "context"):
        gained = found[method].log_probabilities - found[method].base_values
        given = found[method].values.sum(1)
        if found[method].prefix_values is not None:
            given = given + found[method].prefix_values.sum(1)
        np.testing.assert_allclose(given, gained, atol=1e-9 if method == "shap" else 1e-4)
    if "integrated-gradients" in found:
        delta = found["integrated-gradients"].convergence_delta
        assert delta is not None and np.abs(delta).max() < 0.05
    if "attention" in found:
        np.testing.assert_allclose(found["attention"].values.sum(1), 1, atol=1e-4)
    if found["shap"].text:
        expected = model.log_probabilities([(source, found["shap"].text)])
        np.testing.assert_allclose(found["shap"].log_probabilities.sum(), expected, atol=1e-3)
    for before, after in zip(weights, model.predictor.networks[0].parameters(), strict=True):
        assert torch.equal(before, after) and after.grad is None


def test_a_contrast_that_is_the_output_is_refused(words: TextGenerator) -> None:
    output = words.predict(["the red cat is here"])[0]
    with pytest.raises(DataError, match="contrast is the explained output itself; give another text, or runner-up"):
        words.explain("the red cat is here", contrast=output)
    with pytest.raises(DataError, match="contrast is the explained output itself"):
        words.explain("the red cat is here", target="Hund rot", contrast="Hund rot")


def test_short_names_of_methods_work_wherever_methods_are_named(words: TextGenerator) -> None:
    found = words.explain("the red cat is here", method="ig,ixg", faithfulness=False)
    assert found["ig"] is found["integrated-gradients"] is found["integrated_gradients"]
    assert "ixg" in found and "shap" not in found
    with pytest.raises(KeyError, match="'shap' is not among these explanations, which are by integrated-gradients"):
        found["shap"]


def test_one_text_is_explained_at_a_time(words: TextGenerator) -> None:
    for wrong, way in (
        (["a", "b"], "give one of the texts in it"),
        (b"a", "decode it"),
        (5, r"convert it with str\(\)"),
    ):
        with pytest.raises(DataError, match=f"The source is {type(wrong).__name__}, not text; {way}"):
            words.explain(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("source", ["acgt" * 90, "see https://example.org/" + "a/bc-d?e=f&" * 12 + " now"])
def test_very_long_words_are_cut_into_pieces(dates: TextGenerator, source: str) -> None:
    units = cut(source, dates.predictor.source.encode(source), dates.predictor.source)
    assert 10 <= len(units) <= 60 and units.kind == "phrase"
    assert max(map(len, units.texts)) <= 24
    assert "".join(units.texts) == source.replace(" ", "")
    assert (
        cut("a" * 30 + " b" * 20, dates.predictor.source.encode("a" * 30 + " b" * 20), dates.predictor.source).kind
        == "word"
    )
