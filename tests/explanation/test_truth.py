"""Whether attributions are on the right place, where the generator of the data knows it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from nbtextgen import TextGenerator, builtin
from nbtextgen.data.builtin import true_links
from nbtextgen.explanation.survey import Survey
from nbtextgen.explanation.truth import right_share, uniform_share


def test_every_built_in_date_knows_where_its_parts_come_from() -> None:
    for source, target in builtin("dates", 400, seed=5):
        links = true_links(source, target)
        assert links is not None and {span for _, span in links} == {(0, 4), (5, 7), (8, 10)}
        parts = {target[slice(*made)]: source[slice(*origin)] for origin, made in links}
        assert parts[target[:4]] in (target[:4], str(int(target[5:7])), str(int(target[8:])))
        origins = sorted(origin for origin, _ in links)
        assert all(first[1] <= second[0] for first, second in zip(origins, origins[1:], strict=False))


@pytest.mark.parametrize(
    ("source", "target", "origins"),
    [
        ("dreiundzwanzig", "23", ["zwan", "drei"]),
        ("treize", "13", ["treize", "trei"]),
        ("two million and five", "2000005", ["two", "five"]),
        ("quatre-vingt-douze", "92", ["quatre-vingt-douze", "dou"]),
        ("sessantasei milioni e duecentomila", "66200000", ["sess", "sei", "due"]),
        ("mil trescientos", "1300", ["tres"]),  # no word says how many thousands
        ("cent", "100", ["cent"]),
    ],
)
def test_a_digit_comes_from_the_letters_that_another_digit_would_change(
    source: str, target: str, origins: list[str]
) -> None:
    pytest.importorskip("num2words")
    links = true_links(source, target)
    assert links is not None and [source[slice(*origin)] for origin, _ in links] == origins
    assert all(target[slice(*made)] in "123456789" for _, made in links)


def test_built_in_numbers_know_where_their_digits_come_from() -> None:
    pytest.importorskip("num2words")
    pairs = [pair for pair in builtin("numbers", 100, seed=5) if pair[1] != "0"]
    linked = [true_links(*pair) for pair in pairs]
    assert all(links is not None for links in linked)
    digits = sum(digit != "0" for _, target in pairs for digit in target)
    assert sum(len(links or ()) for links in linked) > 0.9 * digits


def test_without_the_packages_of_the_sets_no_origin_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("babel", "babel.dates", "num2words"):
        monkeypatch.setitem(sys.modules, package, None)
    assert true_links("3 Jan 2019", "2019-01-03") is None and true_links("seven", "7") is None


@pytest.mark.parametrize(
    "pair", [("seven", "8"), ("3 Jan 2019", "2019-01-04"), ("3 Jan 2019", "2019-13-03"), ("a", "b")]
)
def test_other_pairs_have_no_known_origin(pair: tuple[str, str]) -> None:
    assert true_links(*pair) is None


def test_the_share_on_the_right_span_by_hand(words: TextGenerator) -> None:
    explanation = words.explain("red cat", target="Katze rot", method="occlusion", faithfulness=False)
    links = [((0, 3), (6, 9)), ((4, 7), (0, 5))]  # red - rot, cat - Katze
    values = np.array([[1.0, 3.0], [2.0, -1.0], [9.0, 9.0]])
    assert right_share(explanation.replace(values=values), links) == pytest.approx(5 / 6)  # the end mark has no origin
    assert uniform_share(explanation, links) == pytest.approx(0.5)
    assert right_share(explanation.replace(values=-np.abs(values)), links) is None


@pytest.fixture(scope="module")
def survey(dates: TextGenerator) -> Survey:
    return dates.explain_data(builtin("dates", 600), limit=25, unit="word", method="shap,attention", prefix=True)


def test_a_survey_of_built_in_data_says_how_much_is_on_the_right_span(survey: Survey, tmp_path: Path) -> None:
    shares = survey.right_share
    assert list(shares) == ["shap", "attention", "random"]
    assert shares["random"].high < shares["shap"].low <= shares["shap"].value <= shares["shap"].high <= 1
    assert (
        "share on the right span" in repr(survey)
        and "share on the right span" in survey._repr_mimebundle_()["text/html"]
    )
    assert Survey.load(survey.save(tmp_path / "survey.json")).right_share == shares


def test_a_survey_shares_attributions_between_source_and_earlier_output(survey: Survey) -> None:
    [share] = survey.source_share().items()
    assert share[0] == "shap" and 0 < share[1].low <= share[1].value <= share[1].high < 1
    assert survey.prefix_lexicon() and "Driven by earlier output" in repr(survey)
    table = survey.shap()
    assert table.feature_names[-1] == "earlier output"
    gained = [(each.log_probabilities - each.base_values).sum() for each in survey.first]
    np.testing.assert_allclose(np.asarray(table.values).sum(1), gained, atol=1e-6)


def test_a_survey_without_earlier_output_does_not_speak_of_it(words: TextGenerator) -> None:
    survey = words.explain_data([("the red cat is here", "Katze rot")], faithfulness=False)
    assert not survey.source_share() and not survey.prefix_lexicon() and not survey.right_share
    assert "earlier output" not in repr(survey) and "right span" not in repr(survey)
