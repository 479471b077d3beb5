"""Calibrated confidence of a trained model: what it says, and that it goes where the model goes."""

from __future__ import annotations

import itertools
import json
import pickle
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from nbtextgen import Corpus, Generations, OnnxGenerator, Pairs, TextGenerator, calibrate
from nbtextgen.cli import main
from nbtextgen.confidence.calibration import Calibration, HeldOut, calibration_error, fit_calibration, token_labels
from nbtextgen.confidence.confidence import Confidence
from nbtextgen.confidence.criterion import Criterion
from nbtextgen.confidence.features import NAMES, Observation, features
from nbtextgen.confidence.regression import Isotonic, Logistic
from nbtextgen.confidence.training_statistics import BUCKETS, SideStatistics, TrainingStatistics
from nbtextgen.core.errors import DataError, ModelFileError, OptionError
from nbtextgen.core.escaping import visible
from nbtextgen.inference.bulk import GeneratedTable
from nbtextgen.training.events import TrainingWarning

SECOND = "mean log-probability of a token by a second network"
WORDS = ["".join(letters) for letters in itertools.product("abcdef", repeat=3)]


def noisy(count: int, seed: int) -> Pairs:
    """Words that are copied; those with an f are answered at random, so they can be told apart."""
    draw = random.Random(seed)
    words = [draw.choice(WORDS) for _ in range(count)]
    targets = ["".join(draw.choices("xyz", k=3)) if "f" in word else word for word in words]
    return Pairs(words, targets)


@pytest.fixture(scope="module")
def model() -> TextGenerator:
    options = {"tokens": "char", "hidden_size": 32, "embedding_size": 16, "samples": 0, "copy": False, "dropout": 0.0}
    return TextGenerator(**options, learning_rate=0.01, max_steps=300, seed=1).fit(noisy(2000, 1), callbacks=[])


@pytest.fixture(scope="module")
def calibration(model: TextGenerator) -> Calibration:
    return calibrate(model, noisy(1200, 2))


@pytest.fixture(scope="module")
def saved(model: TextGenerator, calibration: Calibration, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model.save(tmp_path_factory.mktemp("saved") / "model")


def test_short_trainings_are_not_calibrated(model: TextGenerator) -> None:
    short = TextGenerator(**{**model.get_params(), "max_steps": 5}).fit(noisy(200, 1), callbacks=[])
    output = short.generate("abc")
    assert output.calibrated is None
    assert output.confidence == pytest.approx(np.exp(output.log_probabilities.mean()))


def test_confidence_is_the_probability_of_being_right(model: TextGenerator, calibration: Calibration) -> None:
    fresh = noisy(800, 3)
    outputs = model.generate(fresh.sources)
    right = np.array([output.text == target for output, target in zip(outputs, fresh.targets, strict=True)])
    confidence = np.array([output.confidence for output in outputs])
    assert calibration_error(confidence, right) < 0.06
    hard = np.array(["f" in source for source in fresh.sources])
    assert confidence[hard].mean() < 0.2 and confidence[~hard].mean() > 0.9
    tokens = outputs[0].token_confidences
    assert tokens is not None and tokens.shape == (len(outputs[0].tokens),) and ((tokens > 0) & (tokens < 1)).all()
    assert "expected calibration error" in repr(calibration)


def test_accepted_outputs_are_right(model: TextGenerator, calibration: Calibration) -> None:
    assert model.generate(["abc"], accept=np.float32(0.9)).promise  # type: ignore[arg-type]  # a number of NumPy
    fresh = noisy(800, 4)
    outputs = model.generate(fresh.sources, accept=0.9)
    accepted = [output.text == target for output, target in zip(outputs, fresh.targets, strict=True) if output.accepted]
    assert len(accepted) > 200 and np.mean(accepted) > 0.88
    assert isinstance(outputs, Generations) and outputs.promise == outputs.notes[0]
    assert (
        f"{len(accepted):,} of 800 outputs are accepted" in outputs.promise
        and "equals its reference" in outputs.promise
    )
    assert "to check" in outputs._repr_mimebundle_()["text/html"]
    none = model.generate(fresh.sources[:3], accept=0.9999)
    assert not any(output.accepted for output in none) and "at least 29,956 are needed" in none.promise


@pytest.mark.parametrize("ending", [".jsonl", ".tsv", ".parquet"])
def test_tables_say_what_is_accepted(
    model: TextGenerator, calibration: Calibration, tmp_path: Path, ending: str
) -> None:
    sources = ["", *noisy(30, 5).sources]
    table = model.generate_file(sources, accept=0.9, on_progress=lambda *_: None)
    assert isinstance(table, GeneratedTable) and table.accepted == sum(row.accepted is True for row in table.rows)
    shown = table._repr_mimebundle_()["text/html"]
    assert shown.count("<tr>") == min(11, 1 + len(sources)) and ">accepted</th>" in shown
    assert all(visible(note) in shown for note in table.notes)
    assert table.rows[0].accepted is False and "of 30 outputs" in table.notes[0]
    written = model.generate_file(sources, tmp_path / f"out{ending}", accept=0.9, on_progress=lambda *_: None)
    readers = {".jsonl": lambda path: pd.read_json(path, lines=True), ".parquet": pd.read_parquet}
    frame = readers.get(ending, lambda path: pd.read_csv(path, sep="\t"))(tmp_path / f"out{ending}")
    assert frame["accepted"].tolist() == table.frame()["accepted"].tolist()
    assert written.notes == table.notes and written.accepted == table.accepted


def test_unlike_sources_are_not_accepted(model: TextGenerator, calibration: Calibration) -> None:
    outputs = model.generate(["abc", "zzzzz", "abc" * 9], accept=0.8)
    assert [output.unlike for output in outputs] == [False, True, True]
    assert [output.accepted for output in outputs] == [True, False, False]
    assert "unlike the training data" in outputs[1].notes[-1]
    assert "no training source has more than 3" in outputs[2].notes[0]


def test_calibrations_go_where_the_model_goes(
    model: TextGenerator, calibration: Calibration, saved: Path, tmp_path: Path
) -> None:
    sources = noisy(20, 6).sources
    confidence = [output.confidence for output in model.generate(sources)]
    exported = OnnxGenerator.load(model.export("onnx", tmp_path / "onnx"), threads=1)
    for other in (TextGenerator.load(saved), pickle.loads(pickle.dumps(model)), exported):
        outputs = other.generate(sources, accept=0.9)
        assert [output.confidence for output in outputs] == pytest.approx(confidence, abs=1e-3)
    content = json.loads((saved / "confidence.json").read_text())
    assert len(json.dumps(content)) < 60_000
    assert not any(word in json.dumps(content) for word in ("abc", "fad"))


def test_training_ends_with_a_calibration_which_a_run_keeps(model: TextGenerator, tmp_path: Path) -> None:
    options = {**model.get_params(), "max_steps": 120}
    trained = TextGenerator(**options).fit(noisy(2000, 1), callbacks=[], run=tmp_path / "run")
    assert trained.predictor.confidence is not None and len(trained.predictor.confidence.calibrations) == 1
    confidence = trained.generate("abc").confidence
    assert TextGenerator.load(tmp_path / "run").generate("abc").confidence == pytest.approx(confidence)
    assert TextGenerator.resume(tmp_path / "run", callbacks=[]).generate("abc").confidence == pytest.approx(confidence)
    (tmp_path / "run" / "confidence.json").write_text("{")
    assert TextGenerator.load(tmp_path / "run").generate("abc").calibrated is None


def test_damaged_calibrations_are_refused(saved: Path) -> None:
    content = json.loads((saved / "confidence.json").read_text())
    for damage in ({"usual": "x"}, {"statistics": {}}, {"calibrations": [{"criterion": "exact"}]}):
        with pytest.raises(ModelFileError, match="damaged"):
            Confidence.from_dict({**content, **damage})
    content["calibrations"][0]["scores"].pop()
    with pytest.raises(ModelFileError, match="differ in length"):
        Confidence.from_dict(content)
    content["statistics"]["source"]["counts"] = "AAAA"
    with pytest.raises(ModelFileError, match="damaged"):
        Confidence.from_dict(content)


def test_each_kind_of_search_has_its_calibration(model: TextGenerator, calibration: Calibration) -> None:
    with pytest.raises(OptionError, match="beam=3"):
        model.generate(["abc"], beam=3, accept=0.9)
    assert model.generate("abc", beam=3).calibrated is not None
    assert model.generate("abc", sample=True, seed=1).calibrated is None
    calibrate(model, noisy(300, 7), beam=3, criterion="character-error-rate<=50")
    output = model.generate(["abc"], beam=3, accept=0.8)
    assert "has character-error-rate of at most 50" in output.promise
    assert model.generate(["abc"], accept=0.9)[0].calibrated != output[0].calibrated


def test_errors_of_calibration(model: TextGenerator) -> None:
    with pytest.raises(DataError, match="at least 50"):
        calibrate(model, noisy(20, 8))
    for criterion, message in (("best", "must be exact"), ("chrf<=60", "write chrf>=60"), ("rouge>=3", "one metric")):
        with pytest.raises(OptionError, match=message):
            calibrate(model, noisy(60, 8), criterion=criterion)
    for accept in (0, 1, 99, True, "0.9"):
        with pytest.raises(OptionError, match="accept"):
            model.generate(["abc"], accept=accept)


def test_command_line_accepts(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.txt").write_text("\n".join(noisy(20, 9).sources))
    into = tmp_path / "out.jsonl"
    main(["generate", str(saved), "--data", str(tmp_path / "in.txt"), "--into", str(into), "--accept", "0.9"])
    assert "of 20 outputs" in capsys.readouterr().out
    assert all("accepted" in json.loads(line) for line in into.read_text().splitlines())


def test_magics_accept_and_choose_rows_to_label(
    model: TextGenerator, calibration: Calibration, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "nbtextgen")
    shell.user_ns |= {"copier": model, "df": pd.DataFrame({"typed": noisy(40, 10).sources})}
    todo = shell.run_line_magic("textgen_generate", "copier --data df --source typed --accept 0.9")
    assert todo.accepted == sum(row.accepted for row in todo.rows) > 0
    shell.run_line_magic("textgen_generate", "copier --data df --source typed --accept 0.9 --show-code")
    assert capsys.readouterr().out == "copier.generate_file(df, source='typed', accept=0.9)\n"
    rows = shell.run_line_magic("textgen_generate", "copier --data df --to-label 5")
    assert len(rows) == 5 and all(shell.user_ns["df"].typed[row.row] == row.source for row in rows)
    shell.run_line_magic("textgen_generate", "copier --data df --to-label 5 --show-code")
    assert "to_label(copier, df, 5)" in capsys.readouterr().out
    for line, message in (
        ("copier abc --to-label 5", "needs --data"),
        ("copier --data df --to-label 5 --into x", "--into does not go"),
        ("copier --data df --to-label 5 --beam 2", "--beam does not go"),
        ("copier --data df --accept 99", "--accept"),
    ):
        with pytest.raises(Exception, match=message):
            shell.run_line_magic("textgen_generate", line)


# The parts --------------------------------------------------------------------------------------------------------


def test_logistic_regression_agrees_with_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    generator = np.random.default_rng(1)
    rows = generator.normal(size=(5000, 3)) * [1, 10, 0.1]
    right = (generator.random(5000) < 1 / (1 + np.exp(-rows @ [1, 0.1, 5]))).astype(float)
    ours = Logistic.fit(rows, right, 0.5)
    standardized = (rows - rows.mean(0)) / rows.std(0)
    theirs = LogisticRegression(C=2, tol=1e-10).fit(standardized, right)
    assert ours.weights == pytest.approx(theirs.coef_[0], abs=2e-3)  # ours smooths the labels
    assert np.isfinite(Logistic.fit(rows, np.ones(5000), 1.0).logits(rows)).all()
    assert (Logistic.fit(rows[:0], right[:0], 1.0).logits(np.eye(rows.shape[1])) == np.eye(rows.shape[1])[0]).all()


def test_isotonic_regression_agrees_with_scikit_learn() -> None:
    from sklearn.isotonic import IsotonicRegression

    generator = np.random.default_rng(2)
    inputs = generator.normal(size=4000)
    right = (generator.random(4000) < 1 / (1 + np.exp(-inputs))).astype(float)
    theirs = IsotonicRegression().fit(inputs, right).predict(inputs)
    ours = Isotonic.fit(inputs, right)(inputs)  # with smoothed blocks, and linear between them
    assert np.abs(ours - theirs).mean() < 0.03 and (np.diff(ours[np.argsort(inputs)]) >= 0).all()


def test_calibration_of_a_known_probability() -> None:
    generator = np.random.default_rng(3)
    features = generator.normal(size=(3000, len(NAMES)))
    truth = 1 / (1 + np.exp(-(2 * features[:, 0] - features[:, 4])))
    tokens = np.log(generator.uniform(0.01, 0.999, 4000))
    token_truth = 1 / (1 + np.exp(-(0.5 * np.log(np.exp(tokens) / (1 - np.exp(tokens))) + 1)))
    held = HeldOut(
        features, generator.random(3000) < truth, np.zeros(3000, bool), tokens, generator.random(4000) < token_truth
    )
    calibration = fit_calibration(held, Criterion.parse("exact"), {})
    assert np.abs(calibration.confidence(features) - truth).mean() < 0.04
    assert calibration.token_slope == pytest.approx(0.5, abs=0.1)  # temperature 2
    assert np.abs(calibration.token_confidence(tokens) - token_truth).mean() < 0.02
    again = Calibration.from_dict(json.loads(json.dumps(calibration.as_dict())))
    assert again.confidence(features) == pytest.approx(calibration.confidence(features))


def test_statistics_of_training_data_are_exact_up_to_collisions() -> None:
    generator = np.random.default_rng(4)
    rows = [generator.integers(5, 25, generator.integers(1, 12)) for _ in range(3000)]
    side = SideStatistics.of(rows)
    assert all((side.rarity(row) > 0).all() for row in rows) and side.longest == 11
    unseen = np.concatenate([side.rarity(generator.integers(1000, 9000, 10)) == 0 for _ in range(200)])
    assert unseen.mean() > 0.5
    assert (SideStatistics.from_dict(side.as_dict()).counts == side.counts).all() and len(side.counts) == BUCKETS
    assert side.rarity([]).shape == (1,)
    assert (TrainingStatistics.unknown().source.rarity([7, 8]) > 0).all()


def test_tokens_of_an_output_that_its_reference_has() -> None:
    assert token_labels([1, 2, 3], [1, 9, 3]) == [True, False, True]
    assert token_labels([1, 2, 3], [1, 3]) == [True, True]
    assert token_labels([], [4]) == [False]


def test_outputs_are_ranked_by_their_probability_where_no_held_out_output_is_wrong() -> None:
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(400, len(NAMES)))
    right, none = np.ones(400, bool), np.zeros(400, bool)
    held = HeldOut(rows, right, none, np.full(9, -0.1), np.ones(9, bool))
    calibration = fit_calibration(held, Criterion.parse("exact"), {})
    doubtful = np.repeat(rows[:1], 3, axis=0)
    doubtful[:, 0] = -20, -4, 0
    confidence = calibration.confidence(doubtful)
    assert confidence[0] < 0.1 < 0.9 < confidence[1] < confidence[2] < 1
    threshold = calibration.threshold(0.95)
    assert threshold is not None and (calibration.scores >= threshold).mean() > 0.9


def test_outputs_that_are_never_accepted_have_no_part_in_the_promise() -> None:
    draw = np.random.default_rng(0)
    right, unlike = draw.random(2000) < 0.8, np.zeros(2000, bool)
    unlike[::2], right[::2] = True, True  # as few as these never are, but then the promise would be false by far
    held = HeldOut(np.zeros((2000, len(NAMES))), right, unlike, np.full(9, -0.1), np.ones(9, bool))
    calibration = fit_calibration(held, Criterion.parse("exact"), {})
    assert calibration.threshold(0.85) is None and calibration.threshold(0.7) is not None


def test_every_held_out_output_decides_what_is_accepted() -> None:
    rows = np.random.default_rng(0).normal(size=(300, len(NAMES)))
    held = HeldOut(rows, np.ones(300, bool), np.zeros(300, bool), np.full(9, -0.1), np.ones(9, bool))
    calibration = fit_calibration(held, Criterion.parse("exact"), {})
    assert len(calibration.scores) == 300 and calibration.threshold(0.99) is not None  # at least 299 are needed
    assert "300 held-out outputs cannot promise 99.9 %" in calibration.refusal(0.999)


def test_promises_of_outputs_that_both_fit_and_decide_are_kept() -> None:
    draw = np.random.default_rng(5)

    def drawn(count: int) -> HeldOut:
        features = draw.normal(size=(count, len(NAMES)))
        right = draw.random(count) < 1 / (1 + np.exp(-1.5 - 1.5 * features[:, 0]))
        return HeldOut(features, right, np.zeros(count, bool), np.full(9, -0.1), np.ones(9, bool))

    test, broken = drawn(20_000), 0
    for _ in range(60):
        calibration = fit_calibration(drawn(150), Criterion.parse("exact"), {})
        threshold = calibration.threshold(0.9)
        accepted = calibration.confidence(test.features) >= (2 if threshold is None else threshold)
        broken += bool(accepted.any() and test.right[accepted].mean() < 0.9)
    assert broken <= 7  # of 60; one in twenty is allowed, and more than seven then have a probability of 0.01


def test_outputs_assessed_together_are_those_assessed_alone(model: TextGenerator, calibration: Calibration) -> None:
    sources = ["abc", "zzzzz", "f", *noisy(12, 11).sources]
    for options in ({}, {"beam": 3, "n_best": 2}):
        for output in model.generate(sources, **options):
            alone = model.generate(output.source, **options)
            assert output.features == pytest.approx(alone.features, abs=1e-3) and output.notes == alone.notes
            assert output.confidence == pytest.approx(alone.confidence, abs=1e-3)
            assert [each.confidence for each in output.candidates] == pytest.approx(
                [each.confidence for each in alone.candidates], abs=1e-3
            )


def test_outputs_with_near_rivals_can_be_told_from_others() -> None:
    """Two outputs of the same probabilities: one token was nearly another one, or every other was improbable."""
    logs = np.log(np.array([0.9, 0.5, 0.8, 0.9], np.float32))
    few, many = np.log([0.05, 0.49, 0.1, 0.05]), np.log([0.05, 0.03, 0.1, 0.05])
    alike = [Observation([7, 8], [5, 6, 7], logs, None, None, True, rivals) for rivals in (few, many, None)]
    rows = features(alike, TrainingStatistics.unknown())
    nearest, sums = (NAMES.index(name) for name in ("distance to the nearest rival", "probabilities of the rivals"))
    assert rows[:, nearest] == pytest.approx([np.log(0.5 / 0.49), np.log(0.8 / 0.1), np.log(0.5 / 0.35)], abs=1e-5)
    assert rows[:, sums] == pytest.approx([0.69, 0.23, 0.7 * 0.9], abs=1e-5)
    others = [index for index in range(len(NAMES)) if index not in (nearest, sums)]
    assert (rows[0, others] == rows[1, others]).all() and (rows[0, others] == rows[2, others]).all()
    assert rows[0, NAMES.index("mean probability of other tokens")] == pytest.approx(0.225, abs=1e-5)
    neighbours = NAMES.index("log-probability of the least likely three neighbours")
    assert rows[0, neighbours] == pytest.approx(np.log(0.9 * 0.5 * 0.8), abs=1e-5)
    alone = features(alike[:1], TrainingStatistics.unknown())[0]
    longer = Observation([7], [5] * 9, np.full(10, -0.1, np.float32), None, None, True)
    assert (features([longer, alike[0]], TrainingStatistics.unknown())[1] == alone).all()


# A second network, such as earlier weights ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_snapshot(model: TextGenerator) -> TextGenerator:
    trained = TextGenerator(**{**model.get_params(), "snapshot": True})
    trained.fit(noisy(2000, 1), callbacks=[])
    calibrate(trained, noisy(1200, 2))
    return trained


def test_a_snapshot_scores_outputs_and_changes_none(model: TextGenerator, with_snapshot: TextGenerator) -> None:
    sources = [*noisy(40, 5).sources, ""]
    plain, scored = model.generate(sources), with_snapshot.generate(sources)
    assert [output.text for output in scored] == [output.text for output in plain]
    first, second = NAMES.index("mean log-probability of a token"), NAMES.index(SECOND)
    snapshot = with_snapshot.predictor.second
    assert snapshot is not None
    alone = replace(with_snapshot.predictor, networks=[snapshot], second=None)
    expected = alone.target_scores(Pairs(sources[:-1], [each.text for each in scored[:-1]]))
    actual = [output.features[second] for output in scored[:-1]]
    assert actual == pytest.approx(expected[0] / expected[1], abs=1e-5)
    assert actual != pytest.approx([output.features[first] for output in scored[:-1]], abs=1e-3)
    assert all(output.features[second] == 0 for output in plain[:-1])
    assert scored[-1].features is None


def test_a_snapshot_goes_where_the_model_goes_but_not_into_an_export(
    with_snapshot: TextGenerator, tmp_path: Path
) -> None:
    sources = noisy(30, 6).sources
    confidences = [output.confidence for output in with_snapshot.generate(sources, n_best=2, beam=3)]
    for copy in (
        TextGenerator.load(with_snapshot.save(tmp_path / "m")),
        pickle.loads(pickle.dumps(with_snapshot)),
    ):
        assert [output.confidence for output in copy.generate(sources, n_best=2, beam=3)] == pytest.approx(
            confidences, abs=1e-9
        )
        assert copy.generate(sources[0]).calibrated is not None
    exported = OnnxGenerator.load(with_snapshot.export("onnx", tmp_path / "exported"))
    assert exported.generate(sources[0]).calibrated is None
    with pytest.raises(OptionError, match="accept needs a confidence"):
        exported.generate(sources, accept=0.9)


@pytest.mark.parametrize("ended_early", [True, False])
def test_a_training_that_ends_before_its_snapshot_says_so(ended_early: bool) -> None:
    options = {"patience": 1, "validate_every": 1, "learning_rate": 1e-9} if ended_early else {"max_steps": 4}
    small = {"hidden_size": 8, "snapshot": True, "samples": 0, "epochs": 40}
    model = TextGenerator(**{**small, **options}).fit(noisy(60, 1), callbacks=[])
    assert (model.predictor.second is None) == ended_early
    warnings = [event.text for event in model.history if isinstance(event, TrainingWarning)]
    assert any("ended before 70 % of its schedule, where --snapshot" in each for each in warnings) == ended_early


def test_a_damaged_snapshot_is_refused(with_snapshot: TextGenerator, tmp_path: Path) -> None:
    folder = with_snapshot.save(tmp_path / "m")
    weights = bytearray((folder / "weights-second.safetensors").read_bytes())
    weights[-3] ^= 255
    (folder / "weights-second.safetensors").write_bytes(weights)
    with pytest.raises(ModelFileError, match="weights-second"):
        TextGenerator.load(folder)


@pytest.mark.parametrize("options", [{"ensemble": 2}, {"context": 20}])
def test_a_snapshot_is_for_one_network_and_pairs(options: dict[str, int]) -> None:
    data = Corpus("once upon a time " * 50) if "context" in options else noisy(50, 1)
    with pytest.raises(OptionError, match="snapshot is for one network"):
        TextGenerator(snapshot=True, max_steps=2, **options).fit(data, callbacks=[])


def test_a_model_from_another_seed_scores_outputs(model: TextGenerator, tmp_path: Path) -> None:
    first, other = (
        TextGenerator(**{**model.get_params(), "seed": seed}).fit(noisy(2000, 1), valid=noisy(100, 9), callbacks=[])
        for seed in (1, 2)
    )
    calibrate(first, noisy(1200, 2), second=other)
    output, loaded = first.generate("abc"), TextGenerator.load(first.save(tmp_path / "m")).generate("abc")
    assert output.text == loaded.text
    assert output.features[NAMES.index(SECOND)] == pytest.approx(
        other.generate("abc").log_probabilities.mean(), abs=1e-4
    )
    assert loaded.confidence == pytest.approx(output.confidence)


def test_a_second_model_must_fit(model: TextGenerator) -> None:
    wider = TextGenerator(**{**model.get_params(), "hidden_size": 34, "max_steps": 2}).fit(noisy(200, 1), callbacks=[])
    others = TextGenerator(**{**model.get_params(), "max_steps": 2}).fit(Pairs(["12", "34"], ["5", "6"]), callbacks=[])
    for other in (wider, others, model):
        with pytest.raises(OptionError, match="second= needs another model"):
            calibrate(model, noisy(100, 2), second=other)
    assert model.predictor.second is None
