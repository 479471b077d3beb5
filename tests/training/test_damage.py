"""Run folders in which something was damaged, swapped, or could not be written."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import random
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nbtextgen import Explanation, Explanations, OnnxGenerator, Pairs, Run, TextGenerator, runs
from nbtextgen.core import files
from nbtextgen.core.errors import ModelFileError, OptionError
from nbtextgen.explanation.survey import Survey
from nbtextgen.pipeline.session import run_session
from nbtextgen.run.training import RunTraining
from nbtextgen.training.events import Checkpoint, Event, Resumed, TrainingWarning
from nbtextgen.training.tensor_files import write_tensors

WORDS = ["".join(letters) for letters in itertools.product("abcd", repeat=3)]
REVERSED = Pairs(WORDS, [word[::-1] for word in WORDS])
SAME = Pairs(WORDS, WORDS)
SMALL = {"hidden_size": 12, "embedding_size": 8, "batch_size": 8, "epochs": 3, "checkpoint_seconds": 0.0, "samples": 0}


class Killed(Exception):
    pass


def kill(event: Event) -> None:
    if isinstance(event, Checkpoint) and event.step == 9:
        raise Killed


def interrupted(folder: Path, pairs: Pairs = REVERSED) -> Run:
    with pytest.raises(Killed):
        TextGenerator(**SMALL).fit(pairs, callbacks=[kill], run=folder)
    return Run.open(folder)


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory) -> Path:
    return interrupted(tmp_path_factory.mktemp("runs") / "r").folder


@pytest.fixture(scope="module")
def straight() -> TextGenerator:
    return TextGenerator(**SMALL).fit(REVERSED, callbacks=[])


def flip(path: Path, rng: random.Random) -> None:
    raw = bytearray(path.read_bytes())
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    path.write_bytes(raw)


def warnings_of(model: TextGenerator) -> list[str]:
    return [event.text for event in model.history if isinstance(event, TrainingWarning)]


def same(first: TextGenerator, second: TextGenerator) -> bool:
    states = [model.predictor.networks[0].state_dict() for model in (first, second)]
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_any_bit_of_a_checkpoint_manifest_is_checked(unfinished: Path) -> None:
    run, rng = Run.open(unfinished), random.Random(1)
    newest = run.checkpoints.path(run.checkpoints.steps()[0]) / "checkpoint.json"
    original = newest.read_bytes()
    try:
        for _ in range(400):
            flip(newest, rng)
            with pytest.raises(ModelFileError):
                run.read_checkpoint(newest.parent)
            assert (run.checkpoint() or pytest.fail()).step == run.checkpoints.steps()[1]
            newest.write_bytes(original)
    finally:
        newest.write_bytes(original)


def test_a_damaged_checkpoint_manifest_falls_back_and_is_reported(unfinished, tmp_path, straight) -> None:
    run = Run.open(shutil.copytree(unfinished, tmp_path / "r"))
    newest, before = run.checkpoints.steps()
    path = run.checkpoints.path(newest) / "checkpoint.json"
    path.write_text(path.read_text().replace('"step": 9', '"step": 8'))
    resumed = TextGenerator.resume(run.folder, callbacks=[])
    (warning,) = warnings_of(resumed)
    assert "checkpoint.json was changed or damaged" in warning and "checkpoint before it is used" in warning
    assert [event.step for event in resumed.history if isinstance(event, Resumed)] == [before]
    assert same(resumed, straight)


@pytest.mark.parametrize("name", ["run.json", "material/material.json", "material/shown.json", "best"])
def test_any_bit_of_other_json_files_is_checked(unfinished: Path, tmp_path: Path, name: str) -> None:
    run, rng = Run.open(shutil.copytree(unfinished, tmp_path / "r")), random.Random(2)
    path = run.best.path(run.best.steps()[0]) / "nbtextgen.json" if name == "best" else run.folder / name
    for earlier in run.best.steps()[1:]:
        shutil.rmtree(run.best.path(earlier))
    original = path.read_bytes()
    for _ in range(150):
        flip(path, rng)
        with pytest.raises(ModelFileError):
            opened = Run.open(run.folder)
            opened.training_data()
            opened.best_model()
        path.write_bytes(original)
    assert TextGenerator.load(run.folder).generate("abc").text


def test_a_damaged_line_of_the_log_is_left_out(unfinished: Path, tmp_path: Path) -> None:
    run = Run.open(shutil.copytree(unfinished, tmp_path / "r"))
    events = list(run.events())
    lines = run.log.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"step": ', b'"step": 1')
    run.log.write_bytes(b"".join(lines))
    assert list(run.events()) == [*events[:2], *events[3:]]


def test_a_damaged_best_model_is_replaced_by_the_one_before_with_a_warning(tmp_path: Path) -> None:
    TextGenerator(**SMALL).fit(REVERSED, callbacks=[], run=tmp_path / "r")
    run = Run.open(tmp_path / "r")
    assert len(run.best.steps()) == 2
    path = run.best.path(run.best.steps()[0]) / "nbtextgen.json"
    path.write_text(path.read_text().replace('"hidden_size": 12', '"hidden_size": 13'))
    with pytest.warns(UserWarning, match="The model before it is used"):
        TextGenerator.load(tmp_path / "r")


def test_data_of_another_run_is_refused(unfinished: Path, tmp_path: Path) -> None:
    run, other = Run.open(shutil.copytree(unfinished, tmp_path / "r")), interrupted(tmp_path / "s", SAME)
    shutil.rmtree(run.folder / "material")
    shutil.copytree(other.folder / "material", run.folder / "material")
    with pytest.raises(ModelFileError, match="fingerprint differs"):
        TextGenerator.resume(run.folder, callbacks=[])


def test_checkpoints_and_models_of_another_run_are_refused(unfinished: Path, tmp_path: Path) -> None:
    run, other = Run.open(shutil.copytree(unfinished, tmp_path / "r")), interrupted(tmp_path / "s", SAME)
    for name in ("checkpoints", "best"):
        shutil.rmtree(run.folder / name)
        shutil.copytree(other.folder / name, run.folder / name)
    with pytest.raises(ModelFileError, match="belongs to another run"):
        TextGenerator.resume(run.folder, callbacks=[])
    with pytest.raises(ModelFileError, match="belongs to another run"):
        TextGenerator.load(run.folder)


def test_no_file_is_readable_by_others_under_a_strict_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        model = TextGenerator(**SMALL).fit(REVERSED, callbacks=[], run=tmp_path / "r")
        model.save(tmp_path / "m")
        model.export("onnx", tmp_path / "x")
        model.explain("abc", method="attention").save(tmp_path / "pages" / "page.html")
    finally:
        os.umask(before)
    paths = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(paths) > 20
    assert {stat.S_IMODE(path.stat().st_mode) & ~0o600 for path in paths} == {0}


def test_files_are_readable_by_others_under_the_usual_umask(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_tensors(tmp_path / "t", {"a": torch.ones(2)})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "t").stat().st_mode) == 0o644


def test_a_full_disk_leaves_no_page_and_names_the_bytes(tmp_path: Path, monkeypatch, straight: TextGenerator) -> None:
    page = straight.explain("abc", method="attention")
    earlier = tmp_path / "earlier.html"
    earlier.write_text("earlier")

    def fill(path: Path, content: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", fill)
    for path in (tmp_path / "page.html", earlier):
        with pytest.raises(ModelFileError, match=r"No space left on device: .* needs [\d,]+ bytes, [\d,]+ are free"):
            page.save(path)
    assert [path.name for path in tmp_path.iterdir()] == ["earlier.html"]
    assert earlier.read_text() == "earlier"


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "\ud800"])
def test_impossible_names_are_refused_in_a_sentence(name: str, tmp_path: Path, straight: TextGenerator) -> None:
    for act in (
        lambda: TextGenerator(**SMALL).fit(REVERSED, callbacks=[], run=name),
        lambda: TextGenerator(**SMALL).fit(REVERSED, callbacks=[], run=tmp_path / name),
        lambda: TextGenerator.resume(name),
        lambda: TextGenerator.load(tmp_path / name),
        lambda: straight.save(name),
        lambda: straight.export("onnx", tmp_path / name),
        lambda: straight.explain("abc", method="attention").save(tmp_path / name / "page.html"),
    ):
        with pytest.raises(ModelFileError, match="name of a file or folder"):
            act()


def test_sealed_json_keeps_its_content(tmp_path: Path) -> None:
    content = {"a": [1, {"b": None}], "checksum of": "x"}
    (tmp_path / "f").write_bytes(files.as_sealed_json(content))
    read = files.read_sealed_json(tmp_path / "f")
    assert read.pop("checksum") and read == content == {**json.loads(json.dumps(content))}


def refused_or_same(path: Path, use: Callable[[], object], tries: int) -> None:
    """Flip bits of a file, and cut it off: what reads it refuses, or gives what it gave before."""
    original, before, rng = path.read_bytes(), use(), random.Random(3)
    try:
        for attempt in range(tries + 3):
            if attempt < tries:
                flip(path, rng)
            else:
                path.write_bytes(original[: (0, len(original) // 2, len(original) - 1)[attempt - tries]])
            with contextlib.suppress(ModelFileError):
                assert use() == before, attempt
            path.write_bytes(original)
    finally:
        path.write_bytes(original)


@pytest.mark.parametrize("kind", ["explanation", "explanations", "survey", "export", "store"])
def test_any_bit_of_a_saved_file_is_checked(kind: str, tmp_path: Path, straight: TextGenerator) -> None:
    if kind == "export":
        straight.export("onnx", tmp_path / "x")
        for path in (tmp_path / "x").iterdir():
            refused_or_same(path, lambda: OnnxGenerator.load(tmp_path / "x").generate("abc").text, 10)
    elif kind == "store":
        table = tmp_path / "pairs.tsv"
        table.write_text("".join(f"{source}\t{target}\n" for source, target in REVERSED))

        def read() -> object:
            model = TextGenerator(**{**SMALL, "max_steps": 2}, store=tmp_path / "store", valid_fraction=0.0)
            return [
                float(value.detach().sum())
                for value in model.fit(table, callbacks=[]).predictor.networks[0].parameters()
            ]

        read()
        for path in (tmp_path / "store").iterdir():
            refused_or_same(path, read, 3)
    else:
        path = tmp_path / "saved.json"
        if kind == "survey":
            straight.explain_data(REVERSED[:2], method="attention").save(path)
            refused_or_same(path, lambda: vars(Survey.load(path)), 100)
        else:
            methods = "attention,occlusion" if kind == "explanations" else "attention"
            reader = Explanations if kind == "explanations" else Explanation
            straight.explain("abc", method=methods).save(path)
            refused_or_same(path, lambda: repr(reader.load(path).to_frame().to_dict()), 100)


def test_a_link_stays_a_link_when_what_it_leads_to_is_replaced(tmp_path: Path, straight: TextGenerator) -> None:
    for name in ("model", "export", "run", "store"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name} link").symlink_to(tmp_path / name)
    for name in ("page.html", "table.tsv"):
        (tmp_path / name).write_text("source\ttext\tlog_probability\n")
        (tmp_path / f"link {name}").symlink_to(tmp_path / name)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    table = tmp_path / "pairs.tsv"
    table.write_text("".join(f"{source}\t{target}\n" for source, target in REVERSED))
    for _ in range(2):
        straight.save(tmp_path / "model link")
        straight.export("onnx", tmp_path / "export link")
        straight.explain("abc", method="attention").save(tmp_path / "link page.html")
        straight.generate_file(["abc"], tmp_path / "link table.tsv", on_progress=lambda *_: None)
    short = {**SMALL, "max_steps": 2}
    TextGenerator(**short).fit(REVERSED, callbacks=[], run=tmp_path / "run link")
    (tmp_path / "store").rmdir()
    for _ in range(2):
        TextGenerator(**short, store=tmp_path / "store link").fit(table, callbacks=[])
        table.write_text(table.read_text() + "abcd\tdcba\n")
    assert sum(path.is_symlink() for path in tmp_path.iterdir()) == 7
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
    for name in ("model/nbtextgen.json", "export/export.json", "run/run.json", "store/store.json"):
        assert (tmp_path / name).is_file()
    assert all((tmp_path / name).read_text() != "old" for name in ("page.html", "table.tsv"))
    assert TextGenerator.load(tmp_path / "model link").generate("abc").text == straight.generate("abc").text
    for write in (
        lambda: straight.save(tmp_path / "loop"),
        lambda: straight.explain("abc", method="attention").save(tmp_path / "loop"),
        lambda: TextGenerator(**SMALL).fit(REVERSED, callbacks=[], run=tmp_path / "loop"),
    ):
        with pytest.raises(ModelFileError, match="leads back to itself"):
            write()


def test_an_interrupt_while_a_folder_takes_the_place_of_another_restores_it(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "manifest").write_text("old")
    rename = Path.rename

    def interrupt(self: Path, target: Path) -> Path:
        if target.name == "m" and not self.name.endswith(".old"):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupt)
    with pytest.raises(KeyboardInterrupt), files.replaced(tmp_path / "m", "manifest", "a model") as work:
        (work / "manifest").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["m"] and (tmp_path / "m" / "manifest").read_text() == "old"


def test_a_tilde_is_the_home_wherever_a_name_is_given(tmp_path: Path, monkeypatch, straight: TextGenerator) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    straight.save("~/m")
    straight.export("onnx", "~/x")
    explanation = straight.explain("abc", method="attention")
    explanation.save("~/e.json")
    TextGenerator(**{**SMALL, "max_steps": 2}).fit(REVERSED, callbacks=[], run="~/r")
    assert {"m", "x", "e.json", "r"} == {path.name for path in tmp_path.iterdir()}
    assert TextGenerator.load("~/m").generate("abc").text == OnnxGenerator.load("~/x").generate("abc").text
    assert Explanation.load("~/e.json").values.tolist() == explanation.values.tolist()
    assert Run.open("~/r").name == "r" and [run.name for run in runs("~")] == ["r"]
    with pytest.raises(ModelFileError, match="is a run itself; give the folder that holds the runs"):
        runs("~/r")
    (tmp_path / "file").touch()
    with pytest.raises(ModelFileError, match="file is a file; give the folder"):
        runs(tmp_path / "file")
    monkeypatch.chdir(tmp_path)
    for use in (straight.save, TextGenerator.load, Run.open, explanation.save, runs):
        with pytest.raises(ModelFileError, match="~no-such-user is the home folder of no user"):
            use("~no-such-user/m.json")
    assert not (tmp_path / "~no-such-user").exists()


@pytest.mark.parametrize("name", [None, 3, b"m", ["m"], True])
def test_what_is_no_name_is_refused_in_a_sentence(name: object, straight: TextGenerator) -> None:
    act: Any
    for act in (
        straight.save,
        TextGenerator.load,
        TextGenerator.resume,
        Run.open,
        runs,
        OnnxGenerator.load,
        straight.explain("abc", method="attention").save,
        Explanation.load,
        lambda each: straight.export("onnx", each),
    ):
        with pytest.raises(ModelFileError, match="is named by a text or a Path"):
            act(name)
    with pytest.raises(OptionError, match="--format|format must be"):
        straight.export(name, "x")  # type: ignore[arg-type]


def test_a_current_folder_that_was_removed_is_named(tmp_path: Path, monkeypatch, straight: TextGenerator) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for act in (lambda: straight.save("."), lambda: straight.save("m"), lambda: TextGenerator.load("m")):
        with pytest.raises(ModelFileError):
            act()
    assert straight.generate("abc").source == "abc" and runs() == []


def test_a_resumed_run_that_is_interrupted_at_once_gives_its_best_model(
    unfinished: Path, tmp_path: Path, monkeypatch
) -> None:
    run = Run.open(shutil.copytree(unfinished, tmp_path / "r"))

    def interrupt(self: Run) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "training_data", interrupt)
    session = RunTraining(run)
    predictor, history = run_session(session, [])
    assert history == [] and predictor.fingerprint == run.best_model().content.fingerprint
