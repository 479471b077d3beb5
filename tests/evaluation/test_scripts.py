"""What is counted follows the script, short texts get no silent 0, and one's own functions are metrics."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from nbtextgen import register_metric
from nbtextgen.core.errors import OptionError
from nbtextgen.evaluation.error_rates import errors
from nbtextgen.evaluation.metrics import find_metrics, measure, score
from nbtextgen.evaluation.scripts import bleu_tokenizer, token_splitter, words

CHINESE = ["我爱北京天安门", "他今天去学校了", "你好世界和平"]
JAPANESE = ["私は日本語を勉強しています", "これはペンです"]
THAI = ["ฉันรักประเทศไทย", "วันนี้อากาศดีมาก"]
HINDI = ["यह एक अच्छा दिन है ।", "मैं स्कूल जा रहा हूँ"]


@pytest.mark.parametrize(
    ("texts", "tokenizer"),
    [
        (CHINESE, "zh"),
        (JAPANESE, "char"),
        (THAI, "char"),
        (HINDI, "13a"),
        (["a man sleeps 你好"], "13a"),
        (["한국어 문장"], "13a"),
    ],
)
def test_tokenizer_of_bleu_suits_the_script(texts: list[str], tokenizer: str) -> None:
    assert bleu_tokenizer(texts) == tokenizer
    bleu = measure(texts, texts, "bleu", resamples=5)["bleu"]
    assert bleu.value == pytest.approx(100)
    assert f"tok:{tokenizer}" in bleu.signature


@pytest.mark.parametrize("texts", [CHINESE, JAPANESE, THAI, HINDI])
@pytest.mark.parametrize("name", ["bleu", "chrf", "rouge1", "rouge2", "rougeL"])
def test_identical_texts_of_any_script_have_the_best_figure(texts: list[str], name: str) -> None:
    assert score(name, texts, texts) == pytest.approx(100)


def test_one_wrong_character_of_chinese_is_one_error() -> None:
    assert score("error-rate", ["我爱北京"], ["我爱南京"]) == pytest.approx(25)
    assert score("ter", ["我爱北京"], ["我爱南京"]) == pytest.approx(25)
    assert score("rougeL", ["我爱北京"], ["我爱南京"]) == pytest.approx(75)
    assert (
        measure(["我爱北京"], ["我爱南京"], "error-rate", resamples=5)["error-rate"].unit == "edits per 100 characters"
    )


def test_words_that_a_segmenter_separated_stay_tokens() -> None:
    assert token_splitter(["我 爱 北京 天安门"])[1] == "tokens"
    assert score("error-rate", ["我 爱 北京 天安门"], ["我 爱 南京 天安门"]) == pytest.approx(25)
    assert token_splitter(["ฉันรักประเทศไทยมาก และเธอก็รักประเทศไทย"])[1] == "characters"


def test_a_mark_belongs_to_its_letter() -> None:
    assert words("हिन्दी भाषा") == ["हिन्दी", "भाषा"]
    assert score("character-error-rate", ["हिन्दी"], ["हन्दी"]) == pytest.approx(50)  # one of two characters
    assert errors(["x"], ["e\u0301e"], ["ee"])[0]["edits"] == 1


def test_tokenizer_can_be_chosen() -> None:
    scores = measure(CHINESE, CHINESE, ["bleu:13a", "bleu:char"], resamples=5)
    assert ["tok:13a" in scores["bleu:13a"].signature, "tok:char" in scores["bleu:char"].signature] == [True, True]
    with pytest.raises(OptionError, match="no tokenizer 'zhh'.*Did you mean 'zh'"):
        find_metrics(["bleu:zhh"])


def test_bleu_of_short_texts_is_no_silent_zero() -> None:
    texts = ["Guten Tag", "Ja"]
    bleu = measure(texts, texts, "bleu", resamples=5)["bleu"]
    assert bleu.value == pytest.approx(100)
    assert "effective order" in bleu.note and "eff:yes" in bleu.signature
    short = measure(["a long reference of words"], ["a long"], "bleu", resamples=5)["bleu"]
    assert (short.value, short.note) == (0, "BLEU is 0 because no output has 4 tokens.")
    assert "shares a token" in measure(["a b c d e"], ["v w x y z"], "bleu", resamples=5)["bleu"].note


def same_end(reference: str, output: str) -> float:
    return float(reference[-1:] == output[-1:])


def test_a_function_is_a_metric() -> None:
    scores = measure(["abc", ["x", "abd"], "e"], ["c", "d", "f"], ["exact", same_end], resamples=5)
    assert scores["same_end"].value == pytest.approx(2 / 3)
    assert score(register_metric(same_end), ["abc"], ["c"]) == 1


def test_a_function_says_whether_lower_is_better() -> None:
    def distance(reference: str, output: str) -> int:
        return abs(len(reference) - len(output))

    distance.higher_is_better = False  # type: ignore[attr-defined]
    result = measure([["abc", "a"]], ["a"], distance, resamples=5)["distance"]
    assert (result.value, result.higher_is_better) == (0, False)


def test_a_function_that_gives_no_number_is_named() -> None:
    def broken(reference: str, output: str) -> float:
        return float("nan")

    with pytest.raises(OptionError, match="'broken' gave nan for output 1"):
        measure(["a"], ["a"], broken)
    with pytest.raises(OptionError, match=r"register_metric\(unknown_one\)"):
        find_metrics("own:unknown_one")


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ([lambda reference, output: 1.0, lambda reference, output: 0.0], "Two metrics are named '<lambda>'"),
        (["same_end", same_end], None),
        ([same_end, same_end], None),
        ([42], "a name or a function .* not int"),
        ([None], "a name or a function .* not NoneType"),
    ],
)
def test_a_metric_is_one_function_with_a_name_of_its_own(metrics: list, message: str | None) -> None:
    def bleu(reference: str, output: str) -> float:
        return 1.0

    with pytest.raises(OptionError, match="Two metrics are named 'bleu'"):
        find_metrics(["bleu", bleu])
    if message is None:
        register_metric(same_end)
        assert list(find_metrics([each if callable(each) else f"own:{each}" for each in metrics])) == ["same_end"]
    else:
        with pytest.raises(OptionError, match=message):
            find_metrics(metrics)


@pytest.mark.parametrize("value", [None, "1", float("inf"), 1j, 10**400, np.array([1.0]), Fraction(1, 2)])
def test_only_finite_real_numbers_are_figures(value: object) -> None:
    with pytest.raises(OptionError, match="it must give a number"):
        measure(["a"], ["a"], lambda reference, output: value)  # type: ignore[arg-type, return-value]


def test_the_error_of_a_function_names_the_output() -> None:
    def divide(reference: str, output: str) -> float:
        return 1 / len(output)

    with pytest.raises(ZeroDivisionError) as raised:
        measure(["a", "b"], ["a", ""], divide)
    assert raised.value.__notes__ == ["in the metric 'divide', for output 2"]


def test_scores_say_what_they_count() -> None:
    scores = measure(["a", "b"], ["a", "\x1b[31m"], ["exact", "chrf"], resamples=5)
    scores.worst = errors(["s", "s\x9b"], ["a", "b"], ["a", "\x1b[31m"])
    scores.notes.append("No source was in the training data.")
    text, page = repr(scores), scores._repr_mimebundle_()["text/html"]
    for part in ("n = 2 outputs", "% of outputs", "nc:6", "training data", "worst outputs", "␛[31m"):
        assert part in text and part in page
    assert "\x1b" not in text + page and "\x9b" not in text + page
