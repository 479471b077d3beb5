"""``%textgen_explain`` in a real IPython shell, and the panel's work without a browser."""

from __future__ import annotations

import json
import threading

import pytest
from IPython.core.interactiveshell import InteractiveShell

from nbtextgen import TextGenerator
from nbtextgen.core.errors import OptionError
from nbtextgen.explanation.counterfactual import Edit, changes, counterfactual
from nbtextgen.explanation.survey import Survey
from nbtextgen.explanation.units import cut
from nbtextgen.notebook.explain.panel import ExplanationPanel

PAIRS = [(word, word[::-1]) for word in ("abc", "bca", "cab", "aab", "bba", "cca", "acb", "bac", "cba", "abb")] * 3
OPTIONS = {
    "hidden_size": 24,
    "embedding_size": 12,
    "dropout": 0.0,
    "samples": 0,
    "batch_size": 8,
    "source_masking": 0.1,
}


@pytest.fixture(scope="module")
def model() -> TextGenerator:
    return TextGenerator(**OPTIONS, epochs=40, learning_rate=0.01).fit(PAIRS, callbacks=[])


@pytest.fixture
def shell(model: TextGenerator) -> InteractiveShell:
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "nbtextgen")
    shell.user_ns["back"] = model
    return shell


def explain(shell: InteractiveShell, line: str):
    return shell.run_line_magic("textgen_explain", line)


def test_it_explains_one_text_or_several_ways(shell: InteractiveShell) -> None:
    assert explain(shell, 'back "abc"').method == "shap"
    assert list(explain(shell, 'back "abc" --method shap,attention,lime --unit token')) == ["shap", "attention", "lime"]
    assert explain(shell, 'back "abc" --target cba --contrast cab').contrast == "cab"
    assert explain(shell, 'back "abc" --prefix --score entropy').prefix_tokens
    with pytest.raises(OptionError, match="score"):
        ExplanationPanel.of(shell.user_ns["back"], "abc", score=len)
    assert explain(shell, 'back "abc" --spans "a|bc"').input_units == ("a", "bc")


def test_it_explains_a_data_set(shell: InteractiveShell) -> None:
    shell.user_ns |= {"rows": PAIRS, "gold": ["0-0"] * len(PAIRS)}
    found = explain(shell, "back --data rows --limit 4 --method shap,attention --background rows")
    assert len(found.first) <= 4 and "random" in found.faithfulness
    aligned = explain(shell, "back --data rows --limit 2 --gold gold --method shap")
    assert aligned.alignment_error["shap"] == 0.0  # a single word on either side
    shell.user_ns["gold"] = ["1-1"] * len(PAIRS)
    aligned = explain(shell, "back --data rows --limit 2 --gold gold --gold-start 1 --method shap")
    assert aligned.alignment_error["shap"] == 0.0
    held = explain(shell, "back --data valid") if shell.user_ns["back"].held_out is not None else found
    assert held.first
    assert "random weights" in repr(explain(shell, "back abc --sanity"))


def test_it_saves_a_page(shell: InteractiveShell, tmp_path, capsys) -> None:
    explain(shell, f"back abc --save {tmp_path}/why.html")
    assert "saved to" in capsys.readouterr().out
    shell.user_ns["rows"] = PAIRS
    explain(shell, f"back --data rows --limit 2 --save {tmp_path}/all.json")
    assert len(Survey.load(tmp_path / "all.json").first) == 2
    assert "<html>" in (tmp_path / "why.html").read_text()


def test_it_shows_the_python_that_does_the_same(shell: InteractiveShell, capsys) -> None:
    explain(shell, "back abc --method lime --unit word --show-code")
    assert capsys.readouterr().out.strip() == "back.explain('abc', method=('lime',), unit='word')"


def test_training_rows_are_printed_and_shown_in_the_panel(
    shell: InteractiveShell, model: TextGenerator, capsys
) -> None:
    shell.user_ns["rows"] = PAIRS
    rows = explain(shell, "back abc --rows 3 --token c")
    assert 3 <= len(rows) <= 6 and rows.part == "c" and all(PAIRS[row.row][0] == row.source for row in rows)
    assert [*map(repr, explain(shell, "back abc --rows 30 --data rows"))]
    explain(shell, "back abc --rows 3 --token c --data rows --show-code")
    assert capsys.readouterr().out.endswith("back.training_rows('abc', data=rows, count=3, token='c')\n")
    panel = ExplanationPanel.of(model, "abc").wait()
    panel._receive(None, {"kind": "rows", "token": 0}, [])
    panel.wait()
    assert [row["row"] for row in panel.rows["proponents"]] == [
        row.row for row in model.training_rows("abc", token=0).proponents
    ]
    panel.marks = [panel.rows["proponents"][0]["row"]]
    assert [row.row for row in panel.marked] == panel.marks and "speak for" in panel.still()["text/html"]
    panel._receive(None, {"kind": "rows", "token": 3}, [])
    assert panel.wait().rows["part"] == "end"
    model.training_pairs, kept = None, model.training_pairs
    try:
        panel._receive(None, {"kind": "rows", "token": None}, [])
        assert "does not hold its training rows" in panel.wait().status["error"]
    finally:
        model.training_pairs = kept


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("back abc --rows 3 --unit word", "--rows does not take --unit"),
        ("back abc --token c", "--counterfactual or --rows"),
        ("", "Name the model to explain"),
        ("back", "nothing to explain"),
        ("bakc abc", "Did you mean 'back'"),
        ("back abc --method shapp", "Did you mean 'shap'"),
        ("back abc --data rows", "not both"),
        ("back abc --unit sentence", "--unit must be one of"),
        ("back --data valid --save x.html", "held-out|one text's"),
        ("back --data builtin:dates?count=20 --gold nowhere.txt", "neither a variable nor a file"),
    ],
)
def test_a_mistake_is_one_sentence(shell: InteractiveShell, line: str, message: str) -> None:
    with pytest.raises(Exception, match=message) as caught:
        explain(shell, line)
    assert len(caught.value._render_traceback_()) == 1


def test_the_panel_has_first_answers_at_once_and_refines_the_rest(model: TextGenerator) -> None:
    panel = ExplanationPanel.of(model, "abcabcabcabcabc", method="shap", budget=600)
    assert {"token||attention", "token||input-x-gradient"} <= set(panel.answers)
    assert panel.wait().answers["token||shap"]["final"]
    assert "SHAP" in panel.sentences["token|"]
    assert panel.explanation.standard_errors is not None
    assert list(panel.explanations) == ["shap", "attention", "input-x-gradient"]


def test_the_static_form_says_which_methods_it_lacks(model: TextGenerator) -> None:
    panel = ExplanationPanel.of(model, "abc" * 12, method="shap,attention", budget=200_000, faithfulness=False)
    assert panel.summary()[0].startswith("Not computed when this was saved: SHAP.\n")
    panel.cancel()
    panel.wait()
    assert "when this was saved: SHAP.</p>" in panel.summary()[1]
    assert "when this was saved" not in ExplanationPanel.of(model, "abc").wait().summary()[0]


def test_what_is_known_is_not_computed_again(model: TextGenerator) -> None:
    panel = ExplanationPanel.of(model, "abc").wait()
    known = panel.explanation
    panel._receive(None, {"kind": "ask", **panel.view}, [])
    assert panel.wait().explanation is known
    panel._receive(None, {"kind": "ask", "unit": "word", "contrast": "cab", "method": "occlusion"}, [])
    assert panel.wait().answers["word|cab|occlusion"]["contrast"] == "cab"


def test_a_cancel_stops_the_work_and_leaves_the_panel_usable(model: TextGenerator) -> None:
    before = threading.active_count()
    panel = ExplanationPanel.of(model, "abc" * 12, method="shap", budget=200_000, faithfulness=False)
    panel._receive(None, {"kind": "cancel"}, [])
    panel.wait()
    assert not panel.answers.get("token||shap", {}).get("final")
    assert threading.active_count() <= before + 1 and not panel.status.get("busy")
    panel._receive(None, {"kind": "ask", "unit": "word", "contrast": "", "method": "shap"}, [])
    assert panel.wait().answers["word||shap"]["final"]


def test_a_panel_explains_an_output_that_is_there_already(model: TextGenerator) -> None:
    written = model.generate("abc", beam=3)
    assert ExplanationPanel.of(model, written).wait().explanation.text == written.text


def test_the_panel_tells_mistakes_and_goes_on(model: TextGenerator) -> None:
    panel = ExplanationPanel.of(model, "abc").wait()
    panel._receive(
        None,
        {
            "kind": "edit",
            **panel.view,
            "edits": {"0": {"action": "delete"}, "1": {"action": "delete"}, "2": {"action": "delete"}},
        },
        [],
    )
    assert "Nothing is left" in panel.wait().status["error"]
    panel._receive(None, {"kind": "edit", **panel.view, "edits": {"0": {"action": "replace", "text": "b"}}}, [])
    assert panel.wait().change["source"] == "bbc"


def test_it_stands_alone_with_markup_only_as_data(model: TextGenerator, tmp_path) -> None:
    panel = ExplanationPanel.of(model, "a<script>alert(1)</script>", unit="word").wait()
    page = panel.save(tmp_path / "panel.html").read_text()
    assert "<script>alert" not in page and "</script>" in page and "http://www.w3.org/2000/svg" in page
    assert page.replace("http://www.w3.org/2000/svg", "").count("http") == 0
    bundle = panel._repr_mimebundle_()[0]
    assert "<script>" not in bundle["text/html"] and "text/plain" in bundle
    json.dumps(panel.get_state())


def test_units_are_masked_deleted_and_replaced(model: TextGenerator) -> None:
    encoding = model.predictor.source.encode("abc abc")
    units = cut("abc abc", encoding, model.predictor.source, "word")
    output = model.generate("abc abc").text
    found = counterfactual(model.predictor, "abc abc", units, {0: Edit("delete")}, output)
    assert found.source == "abc" and found.generation.text == model.generate("abc").text
    found = counterfactual(model.predictor, "abc abc", units, {0: Edit("mask"), 1: Edit("replace", "b")}, output)
    assert found.source == "▒▒▒ b"
    assert "".join(text for _, text in found.before) == output
    assert "".join(text for _, text in found.after) == found.generation.text


def test_changes_are_marked_by_words_or_by_characters() -> None:
    assert changes("a man sleeps", "a woman sleeps") == (
        (("same", "a "), ("gone", "man "), ("same", "sleeps")),
        (("same", "a "), ("new", "woman "), ("same", "sleeps")),
    )
    assert changes("2009", "2019")[1] == (("same", "20"), ("new", "1"), ("same", "9"))
    assert changes("", "x") == ((), (("new", "x"),))


def test_two_threads_explain_one_model(model: TextGenerator) -> None:
    panel = ExplanationPanel.of(model, "abc" * 5, method="shap", budget=2000)
    for _ in range(20):
        assert model.explain("abc", method="attention").values.shape[1] == 3
    panel.cancel()
