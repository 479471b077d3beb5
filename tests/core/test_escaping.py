"""Control characters, C1 controls and half surrogates are pictured wherever text of the data is shown."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import nbtextgen
from nbtextgen import Pairs, TextGenerator
from nbtextgen.core.errors import DataError, NbTextGenError
from nbtextgen.core.escaping import html_table, json_text, pictured, visible
from nbtextgen.core.wording import percent
from nbtextgen.training.events import Sample, TrainingWarning
from nbtextgen.training.progress import line

HOSTILE = "a\x1b[31m\x9b\x07\x85\u2028\u202e\u200b\ud800\U000e0001b\x00"
CONTROLS = HOSTILE.replace("\ud800", "")  # pairs refuse half a surrogate


def harmless(text: str) -> bool:
    text.encode()  # fails for half a surrogate
    return all(character == "\n" or pictured(character) == character for character in text)


@pytest.mark.parametrize("code", [*range(32), *range(0x7F, 0xA0), 0x202E, 0x2028, 0xD800, 0xDFFF, 0xFEFF, 0xE0001])
def test_character_is_pictured(code: int) -> None:
    assert harmless(pictured(chr(code))) and pictured(chr(code)) != chr(code)


def test_text_of_people_stays_as_it_is() -> None:
    text = "Ça va? हिन्दी می\u200cخواهم 👨\u200d👩\u200d👧 e\u0301 \xa0 \u3000"
    assert pictured(text) == text
    assert visible("<b> & \x1b") == "&lt;b&gt; &amp; ␛"


@pytest.mark.parametrize(
    "text", [HOSTILE, CONTROLS, "\ud83d", "".join(map(chr, range(0x2100))), "日本語 e\u0301 👨\u200d👩"]
)
def test_json_holds_the_same_text_and_nothing_that_a_terminal_obeys(text: str) -> None:
    written = json_text({"a": [text]})
    assert json.loads(written.encode()) == {"a": [text]} and pictured(written) == written
    assert json_text({"é日": 1}, indent=2) == '{\n  "é日": 1\n}'


@pytest.fixture(scope="module")
def model() -> TextGenerator:
    pairs = [(first + second, second + first) for first in "abc" for second in "abc"]
    return TextGenerator(hidden_size=16, epochs=1, tokens="char", device="cpu", threads=1).fit(pairs, callbacks=[])


def test_every_text_view_is_harmless(model: TextGenerator) -> None:
    explanation = model.explain(HOSTILE, method="shap,occlusion", target=HOSTILE[:12], algorithm="permutation")
    bundle = explanation._repr_mimebundle_()
    views = [repr(explanation), repr(explanation["shap"]), bundle["text/html"], explanation.html()]
    views += [repr(model.explain_data([(CONTROLS, "b")] * 3)), repr(Pairs([CONTROLS], [CONTROLS]))]
    views += [repr(Pairs([CONTROLS] * 3, [CONTROLS] * 3).report()), repr(model.evaluate([(CONTROLS, CONTROLS)]))]
    views += [line(Sample(1, HOSTILE, HOSTILE, "x" + HOSTILE)), line(TrainingWarning(HOSTILE))]
    views += [repr(model.generate([HOSTILE])), html_table([HOSTILE], [[HOSTILE]])]
    for view in views:
        assert harmless(view)


def test_messages_of_errors_are_harmless() -> None:
    assert harmless(str(DataError(f"Line 1: {HOSTILE} is no pair.")))
    with pytest.raises(NbTextGenError) as caught:
        Pairs.of(f"{HOSTILE}.tsv")
    assert harmless(str(caught.value))


def test_numbers_of_a_table_stand_at_the_right_and_texts_at_the_left() -> None:
    table = html_table(("day", "count", "interval"), [("2019-01-03", "1,204", "[0.1, 0.2]"), ("12", "< 0.001", "")])
    left, right = "style='padding:.5em;text-align:left'", "style='padding:.5em;text-align:right'"
    assert f"<th {left}>day</th><th {right}>count</th><th {right}>interval</th>" in table
    assert f"<td {left}><bdi>12</bdi></td><td {right}><bdi>&lt; 0.001</bdi></td>" in table


def test_shares_are_written_one_way_everywhere() -> None:
    assert (percent(0.0984), percent(0.5, 0), percent(1, 2)) == ("9.8 %", "50 %", "100.00 %")
    package = Path(nbtextgen.__file__).parent
    own_way = [path for path in package.rglob("*.py") if re.search(r":\.\d%\}", path.read_text(encoding="utf-8"))]
    assert own_way == []
