"""How far explanations can be trusted: faithfulness, agreement, sanity, and what a data set says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from nbtextgen import NbTextGenError, Pairs, TextGenerator
from nbtextgen.core.errors import DataError, OptionError
from nbtextgen.explanation.agreement import Agreement, spearman
from nbtextgen.explanation.alignment import error_rate, links, read_links
from nbtextgen.explanation.faithfulness import faithfulness
from nbtextgen.explanation.sanity import sanity_check
from nbtextgen.explanation.survey import Mean, Survey

METHODS = "shap,attention,occlusion,lime,ig"


def additive(effects):
    """A game whose right ranking is known: probability of each output, by the sum of the effects of what is there."""
    effects = np.asarray(effects, dtype=float)
    return lambda kept: np.asarray(kept) @ effects.T - effects.sum(1)


def test_the_right_ranking_beats_chance_and_the_reverse_does_not() -> None:
    effects = np.random.default_rng(1).exponential(size=(3, 12))
    right, wrong = (faithfulness(additive(effects), sign * effects) for sign in (1, -1))
    assert right.gain > 0.05 > -0.05 > wrong.gain
    assert right.comprehensiveness > right.random_comprehensiveness > wrong.comprehensiveness
    assert right.sufficiency < right.random_sufficiency < wrong.sufficiency
    assert "faster than" in right.sentence() and "more slowly" in wrong.sentence()


def test_no_ranking_can_beat_the_right_one() -> None:
    effects = np.random.default_rng(2).exponential(size=(2, 6))
    best = faithfulness(additive(effects), effects)
    for seed in range(20):
        other = faithfulness(additive(effects), np.random.default_rng(seed).normal(size=(2, 6)))
        assert other.deletion >= best.deletion - 1e-12 and other.insertion <= best.insertion + 1e-12


def test_comprehensiveness_and_sufficiency_by_hand() -> None:
    value = additive([[2.0, 1.0]])  # two units: 10 to 50 % is always the first of them
    found = faithfulness(value, np.array([[2.0, 1.0]]))
    assert found.comprehensiveness == pytest.approx(1 - np.exp(-2))
    assert found.sufficiency == pytest.approx(1 - np.exp(-1))
    assert found.deletion == pytest.approx((1 + 2 * np.exp(-2) + np.exp(-3)) / 4)


@pytest.mark.parametrize("seed", range(5))
def test_rank_correlation_equals_scipy(seed: int) -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, 5, (2, 20)).astype(float)  # with ties
    assert spearman(one, other) == pytest.approx(spearmanr(one, other).statistic)


def test_agreement_says_when_attention_misleads(dates: TextGenerator) -> None:
    found = dates.explain("3 Jan 2019", method="shap,attention")
    shap = found["shap"]
    liar = found["attention"].replace(values=-np.abs(shap.values).max() - 1 + -np.abs(shap.values))
    assert "agree here" in Agreement.of([shap, liar.replace(values=np.abs(shap.values))]).sentence()
    wrong = liar.replace(values=np.abs(shap.values).max() - np.abs(shap.values))
    said = Agreement.of([shap, wrong]).sentence()
    assert said.startswith("Attention and SHAP disagree here (rank correlation -1.00)")
    assert said.endswith("attention is not a reliable guide to this output.")


def test_attributions_of_random_weights_differ(dates: TextGenerator) -> None:
    """The check of Adebayo et al. (2018) on our own methods."""
    found = sanity_check(dates, "3 Jan 2019", method="shap,occlusion,lime,ig", seeds=2)
    assert not found.failed
    assert "3 models" in repr(sanity_check(dates, "3 Jan 2019", method="shap", unit="word"))


def test_the_sanity_check_needs_models_and_a_method_that_ranks(words: TextGenerator) -> None:
    with pytest.raises(OptionError, match="seeds must be a whole number of at least 1"):
        sanity_check(words, "the red cat", seeds=0)
    with pytest.raises(OptionError, match="ranks no parts of the input"):
        sanity_check(words, "the red cat", method="context")
    assert (
        "with 1 model of random weights" in sanity_check(words, "the red cat", method="occlusion", seeds=1).sentence()
    )


def test_the_sanity_check_fails_what_does_not_depend_on_the_model(dates: TextGenerator, monkeypatch) -> None:
    from nbtextgen.explanation import sanity

    monkeypatch.setattr(sanity, "randomized", lambda predictor, seed: predictor)
    assert sanity_check(dates, "3 Jan 2019", method="shap", seeds=1).failed == ("shap",)


def test_a_data_set_gives_intervals_a_lexicon_and_hubs(words: TextGenerator) -> None:
    sources = [f"the {c} {t} is here" for c in ("red", "blue", "green", "black") for t in ("cat", "dog", "bird", "car")]
    found = words.explain_data(Pairs(sources, sources), limit=16, method=METHODS)
    assert set(found.faithfulness) == {"shap", "attention", "occlusion", "lime", "integrated-gradients", "random"}
    best, chance = found.faithfulness["shap"]["deletion"], found.faithfulness["random"]["deletion"]
    assert best.low <= best.value <= best.high < chance.low
    pairs = {(token, unit) for token, unit, _, _ in found.lexicon()}
    assert {("Katze", "cat"), ("rot", "red"), ("Hund", "dog")} <= pairs
    assert all(seen >= 3 for _, _, seen in found.hubs())
    assert len(found.least_grounded(5)) == 5
    assert "Induced lexicon" in repr(found) and "<table>" in found._repr_mimebundle_()["text/html"]
    assert [axes.get_title(loc="left").split(",")[0] for axes in found.figure().axes] == [
        "comprehensiveness",
        "induced lexicon",
        "rank correlation",
        "hubs of attention",
    ]
    assert list(found.frame().index)[-1] == "random"
    axes = Figure().subplots()
    assert found.plot("lexicon", axes) is axes and axes.get_title(loc="left").startswith("induced lexicon")
    with pytest.raises(NbTextGenError, match="choose from faithfulness, lexicon, agreement, hubs"):
        found.plot("map")


def test_a_data_set_is_plotted_by_shap(words: TextGenerator) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import shap

    sources = [f"the {c} {t} is here" for c in ("red", "blue") for t in ("cat", "dog", "bird")]
    rows = words.explain_data(Pairs(sources, sources), faithfulness=False).shap()
    assert rows.shape[0] == 6 and "red" in rows.feature_names
    shap.plots.beeswarm(rows, show=False)
    shap.plots.bar(rows, show=False)
    matplotlib.pyplot.close("all")


def test_an_interrupt_keeps_what_has_been_explained(words: TextGenerator) -> None:
    def stop(done: int, count: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    pairs = Pairs(["the red cat", "the blue dog", "the green car"], ["Katze rot", "Hund blau", "Auto gruen"])
    found = words.explain_data(pairs, gold=["1-1 2-0"] * 3, faithfulness=False, on_progress=stop)
    assert len(found.first) == 2 and set(found.alignment_error) == {"shap"}


def test_alignment_error_rate_by_hand() -> None:
    assert read_links("0-0 1-2 3?4") == (frozenset({(0, 0), (1, 2)}), frozenset({(0, 0), (1, 2), (3, 4)}))
    gold = [read_links("0-0 1-1 2?2")]
    assert error_rate([frozenset({(0, 0), (2, 2)})], gold) == pytest.approx(1 - (1 + 2) / (2 + 2))
    assert error_rate([frozenset({(0, 0), (1, 1)})], gold) == 0.0
    with pytest.raises(DataError, match="0-0 1-2"):
        read_links("0:1")


def test_links_and_error_rate_of_a_model_that_knows_its_words(words: TextGenerator) -> None:
    pairs = Pairs(["the red cat is here", "the blue dog is here"] * 2, ["Katze rot", "Hund blau"] * 2)
    assert links(words.explain(pairs.sources[0], target="Katze rot")) == {(2, 0), (1, 1)}
    found = words.explain_data(pairs, gold=["2-0 1-1"] * 4, method="shap,attention")
    assert found.alignment_error["shap"] == 0.0
    with pytest.raises(DataError, match="4 pairs but 1 gold"):
        words.explain_data(pairs, gold=["0-0"])


def test_a_single_text_has_no_interval(words: TextGenerator, tmp_path: Path) -> None:
    survey = words.explain_data([("the red cat is here", "x")], method="shap,occlusion")
    assert "of 1 text\n" in repr(survey)
    assert "[" not in repr(survey).split("Induced")[0]
    assert repr(Survey.load(survey.save(tmp_path / "one.json"))) == repr(survey)
    survey.plot().figure.clear()
    with pytest.raises(
        OptionError, match="gold_start is the number of the first word in the alignments gold; give both"
    ):
        words.explain_data([("the red cat is here", "x")], gold_start=1)


def test_means_have_intervals_that_narrow_with_more_texts() -> None:
    rng = np.random.default_rng(0)
    few, many = (Mean.of(list(rng.normal(size=size))) for size in (10, 1000))
    assert many.high - many.low < (few.high - few.low) / 4


def test_a_text_that_cannot_be_explained_is_left_out_of_a_survey(words: TextGenerator, tmp_path: Path) -> None:
    pairs = [("the red cat is here", "a"), ("cat", "b"), ("red", "c")]
    [contrast] = words.predict("cat")
    survey = words.explain_data(pairs, contrast=contrast, faithfulness=False)
    [(source, reason)] = survey.left_out
    assert source == "cat" and "contrast is the explained output itself" in reason
    assert [each.source for each in survey.first] == ["the red cat is here", "red"]
    assert "Left out: 1 text" in repr(survey) and reason[:40] in survey._repr_mimebundle_()["text/html"]
    assert Survey.load(survey.save(tmp_path / "survey.json")).left_out == survey.left_out
    with pytest.raises(DataError, match="contrast is the explained output itself"):
        words.explain_data(pairs[1:2], contrast=contrast, faithfulness=False)
