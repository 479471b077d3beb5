"""The plain sentence of an explanation: what it names, and when it refuses to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nbtextgen import Explanation, TextGenerator


def explanation(values: object, **changes: object) -> Explanation:
    """Of the output "01 rot", by characters, from the source "Jan red x"."""
    array = np.array(values, float)
    plain = Explanation(
        method="shap",
        source="Jan red x",
        text="01 rot",
        contrast=None,
        unit="char",
        missing="mask",
        input_units=("J", "an", " ", "red", "x"),
        input_offsets=((0, 1), (1, 3), (3, 4), (4, 7), (8, 9)),
        output_tokens=("0", "1", " ", "rot", "■"),
        output_offsets=((0, 1), (1, 2), (2, 3), (3, 6), (6, 6)),
        values=array,
        base_values=np.zeros(5),
        log_probabilities=np.log([0.9, 0.9, 0.99, 0.5, 0.9]),
        without_source=np.log([0.5, 0.5, 0.98, 0.1, 0.9]),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


CLEAR = [[1, 0.5, 0, 0.2, 0], [0.5, 1, 0, 0, -0.4], [0, 0.01, 0, 0, 0], [0, 0, 0, 2, 0], [0, 0, 0, 0, 0]]


def test_pieces_are_joined_to_words_and_shares_count_what_speaks_for_them() -> None:
    shown = explanation(CLEAR)
    assert shown.sentence() == "“01” comes mainly from “Jan” (94 %), “rot” from “red” (100 %)."
    assert shown.sentence(0) == shown.sentence(1) == "“01” comes mainly from “Jan” (94 %)."
    assert shown.sentence(4) == "The end of the output hardly depends on the source (p = 90 % with it, 90 % without)."
    assert shown.sentence() in repr(shown) and "94 %" in shown._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize(
    ("values", "changes", "start"),
    [
        (
            0.001 * np.ones((5, 5)),
            {"without_source": np.log([0.9, 0.9, 0.99, 0.49, 0.9])},
            "“01 rot” hardly depends on the source (p = 36 % with it, 35 % without).",
        ),
        (  # as of gradients where the model is certain, and of occlusion where two parts say the same
            0.001 * np.ones((5, 5)),
            {"method": "input-x-gradient"},
            "“01 rot” depends on the source as a whole (p = 36 % with it, 2 % without), but on no single part as far as this",
        ),
        (
            0.001 * np.ones((5, 5)),
            {"contrast": "blau"},
            "“01 rot” is not decided by the source against the alternative as far as",
        ),
        (  # all that is above zero is noise, what is below is not
            -np.ones((5, 5)) + 1.001 * np.eye(1, 5, 4),
            {"standard_errors": 0.01 * np.ones((5, 5))},
            "“01 rot” is written against the source, most of all against “Jan”.",
        ),
        (
            -np.ones((5, 5)),
            {"standard_errors": 9 * np.ones((5, 5))},
            "“01 rot” comes from parts that sampling noise hides",
        ),
        (-np.ones((5, 5)) + 0.2 * np.eye(5), {}, "“01 rot” is written against the source, most of all against “Jan”."),
        (
            -np.ones((5, 5)),
            {"contrast": "02 rot"},
            "“01 rot” is written rather than “02 rot” against the source, most of all against “Jan”.",
        ),
        (  # that little speaks for it is not its cause
            [[0.02, 0, 0, -0.11, 0], *np.zeros((4, 5))],
            {"contrast": "02 rot"},
            "“01 rot” is written rather than “02 rot” against the source, most of all against “red”.",
        ),
        ([*CLEAR[:3], [0.2, 0, 0, -2, 0], CLEAR[4]], {}, "“01” comes mainly from “Jan” (94 %)."),
        (CLEAR, {"standard_errors": 0.1 * np.ones((5, 5))}, "“01” comes mainly from “Jan” (94 ± 17 %)"),
        (CLEAR, {"standard_errors": 9 * np.ones((5, 5))}, "“01 rot” comes from parts that sampling noise hides"),
        (CLEAR, {"score": "entropy"}, "“01” has its entropy mostly from “Jan” (+3.00) and “x” (-0.40), “rot” has its"),
        (
            0.01 * np.ones((5, 5)),
            {
                "prefix_tokens": ("0", "1", " ", "rot"),
                "prefix_offsets": ((0, 1), (1, 2), (2, 3), (3, 6)),
                "prefix_values": np.array([[0.0] * 4, [0.9, 0, 0, 0], [0] * 4, [1, 1, 0, 0], [0, 0, 0, 2]]),
            },
            "“01” comes mainly from the earlier “01” (90 %), “rot” from the earlier “01” (98 %).",
        ),
        (CLEAR, {"score": "entropy", "method": "attention"}, "“01” attends mainly to “Jan”"),
        (
            CLEAR,
            {"score": "entropy", "standard_errors": 9 * np.ones((5, 5))},
            "“01 rot” has its entropy from parts that sampling noise hides; give a larger --budget.",
        ),
        (
            CLEAR,
            {"score": "entropy", "standard_errors": 0.3 * np.ones((5, 5))},
            "“01” has its entropy mostly from “Jan” (+3.00), “r",
        ),
        (CLEAR, {"method": "attention"}, "“01” attends mainly to “Jan”"),
        (CLEAR, {"contrast": "blau"}, "“01 rot” rather than “blau” comes mainly from “Jan” (58 %)."),
    ],
)
def test_the_sentence_says_what_the_values_allow(values: object, changes: dict[str, object], start: str) -> None:
    assert explanation(values, **changes).sentence().startswith(start)


ALIKE = [  # of the words Jan, red and x
    ([1, 0, 0, 1, 0], 0.0, "comes from “Jan” (50 %) and “red” (50 %)."),
    ([1, 0, 0, 1, 1], 0.0, "comes from “Jan” (33 %), “red” (33 %) and “x” (33 %)."),
    ([1.2, 0, 0, 1, 0], 0.1, "comes from “Jan” (55 ± 9 %) and “red” (45 ± 9 %)."),
    ([1.2, 0, 0, 1, 0], 0.01, "comes mainly from “Jan” (55 ± 1 %)."),
    ([3, 0, 0, 0.3, 0], 1.0, "comes mainly from “Jan” (91 ± 59 %)."),
]


@pytest.mark.parametrize(("values", "error", "said"), ALIKE)
def test_parts_that_cannot_be_told_apart_are_named_together(values: list[float], error: float, said: str) -> None:
    errors = error * np.array([[1, 0, 0, 1, 0]] * 5) if error else None
    shown = explanation([[0] * 5, [0] * 5, [0] * 5, values, [0] * 5], standard_errors=errors)
    assert shown.sentence(3) == f"“rot” {said}"


def test_many_small_parts_are_not_called_nothing() -> None:
    units = tuple(f"w{number}" for number in range(60))
    many = explanation(
        np.full((5, 60), 0.015),
        source=" ".join(units),
        unit="word",
        input_units=units,
        input_offsets=tuple((4 * at, 4 * at + 3) for at in range(60)),
        without_source=np.log([0.9, 0.9, 0.99, 0.2, 0.9]),
    )
    assert many.sentence(3).startswith("“rot” comes from many parts of the source")


def test_words_that_occur_twice_are_told_apart() -> None:
    units = ("cat", "red", "cat")
    twice = explanation(
        [[0, 0, 0], [0, 0, 2], [0, 2, 0], [0, 0, 0]],
        source="cat red cat",
        text="ja rot ja",
        unit="word",
        input_units=units,
        input_offsets=((0, 3), (4, 7), (8, 11)),
        output_tokens=("ja", "rot", "ja", "■"),
        output_offsets=((0, 2), (3, 6), (7, 9), (9, 9)),
        base_values=np.zeros(4),
        log_probabilities=np.log([0.9, 0.9, 0.9, 0.9]),
        without_source=np.log([0.9, 0.1, 0.1, 0.9]),
    )
    assert twice.sentence() == "“rot” comes mainly from “cat” at 3 (100 %), “ja” at 3 from “red” (100 %)."
    assert twice.sentence(0).startswith("“ja” at 1 hardly depends on the source")


def test_with_earlier_output_the_source_alone_is_not_blamed() -> None:
    prefix = {"prefix_tokens": ("0", "1", " ", "rot"), "prefix_offsets": ((0, 1), (1, 2), (2, 3), (3, 6))}
    against = explanation(0.01 * np.ones((5, 5)), **prefix, prefix_values=-np.tril(np.ones((5, 4)), -1))
    assert against.sentence(3) == (
        "“rot” is written against the source and the earlier output, most of all against the earlier “01”."
    )
    nothing = explanation(0.001 * np.ones((5, 5)), **prefix, prefix_values=0.001 * np.tril(np.ones((5, 4)), -1))
    assert nothing.sentence(3).startswith(
        "“rot” depends on the source as a whole (p = 50 % with it, 10 % without), but on no"
    )


def test_an_empty_output_is_called_empty() -> None:
    empty = explanation(
        [[0, 0, 0, 2, 0]],
        text="",
        output_tokens=("■",),
        output_offsets=((0, 0),),
        base_values=np.zeros(1),
        log_probabilities=np.log([0.9]),
        without_source=np.log([0.1]),
    )
    assert empty.sentence() == "The empty output comes mainly from “red” (100 %)."


def test_a_source_of_one_word_is_named_by_its_letters_and_an_output_of_one_word_too() -> None:
    word = explanation(
        [[0.1, 0, 2, 0], [0, 1, 0, 0], [0, 0, 0, 0]],
        source="kala",
        text="la",
        input_units=tuple("kala"),
        input_offsets=tuple((start, start + 1) for start in range(4)),
        output_tokens=("l", "a", "■"),
        output_offsets=((0, 1), (1, 2), (2, 2)),
        base_values=np.zeros(3),
        log_probabilities=np.log([0.9, 0.9, 0.9]),
        without_source=np.log([0.1, 0.1, 0.9]),
    )
    assert word.sentence() == "“la” comes mainly from “l” (65 %)."
    assert word.sentence(0) == "“l” comes mainly from “l” (95 %)."
    assert word.sentence(1) == "“a” comes mainly from “a” at 2 (100 %)."


def test_what_is_spread_over_many_parts_is_said_to_be() -> None:
    units = tuple("abcdefghij")
    even = explanation(
        np.ones((5, 10)),
        source=" ".join(units),
        input_units=units,
        input_offsets=tuple((2 * at, 2 * at + 1) for at in range(10)),
    )
    assert even.sentence(3) == "“rot” comes from many parts of the source, most from “a” (10 %) and “b” (10 %)."


def test_long_units_are_shortened() -> None:
    long = explanation(
        [[1.0, 0.2]] * 5,
        source="word " * 40 + "x",
        unit="phrase",
        input_units=("word " * 40, "x"),
        input_offsets=((0, 199), (200, 201)),
    )
    assert long.sentence(3) == "“rot” comes mainly from “" + "word " * 7 + "word…” (83 %)."


def test_a_model_that_translates_word_by_word_is_explained_so(words: TextGenerator) -> None:
    said = words.explain("the red cat is here", faithfulness=False).sentence()
    assert "“Katze” comes mainly from “cat”" in said or "“Katze” from “cat”" in said
    assert "“red”" in said
