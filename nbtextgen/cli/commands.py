"""What each command does."""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbtextgen.cli.streams import (
    STANDARD_INPUT,
    CommandInterrupted,
    as_file,
    forget_output,
    lines,
    print_outputs,
    report,
    say,
    say_aside,
)
from nbtextgen.core.errors import DataError, ModelFileError, OptionError

if TYPE_CHECKING:
    from nbtextgen.export.page.document import PageOptions
    from nbtextgen.generator import TextGenerator
    from nbtextgen.inference.generation import Generations
    from nbtextgen.run.listing import RunRecord
    from nbtextgen.serving.generator import OnnxGenerator

Values = dict[str, Any]
Command = Callable[[argparse.Namespace, Values], None]


def _refuse_given(arguments: argparse.Namespace, reason: str, allowed: Sequence[str] = ()) -> None:
    """Raise ``OptionError`` for the first option on the line that has no effect, apart from those that are allowed."""
    for name in arguments.options_given:
        if name not in allowed:
            raise OptionError(f"--{name.replace('_', '-')} {reason}; leave it out.")


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except OSError:  # a name that is too long, or a folder that may not be read
        return False


def _data(names: Sequence[str]) -> str | list[str]:
    """One file, or several."""
    files = [as_file(name) for name in names]
    return files[0] if len(files) == 1 else files


# Training -------------------------------------------------------------------------------------------------------------


def train(arguments: argparse.Namespace, settings: Values) -> None:
    """Train on pairs or a text, or go on with a run."""
    names: list[str] = arguments.data
    described = [name for name in names if name.lower().endswith(".toml") or _is_folder(name)]
    if described and len(names) == 1:
        _train_run(arguments, described[0])
        return
    if described:
        raise OptionError(f"{described[0]} is not a file of pairs; give files of pairs, or one run.")
    if bool(names) == (arguments.text is not None):
        raise OptionError("Name the data to train on: a file of pairs, or a text with --text.")
    if arguments.save is None and arguments.run is None:
        raise OptionError("Say where the model is to be kept: --save FOLDER, or --run NAME.")
    from nbtextgen.generator import TextGenerator
    from nbtextgen.pipeline.model_folder import check_place
    from nbtextgen.training.events import Ended
    from nbtextgen.training.progress import TextProgress

    if arguments.save is not None:
        check_place(arguments.save)  # before hours of training
    model, progress = TextGenerator(**settings), TextProgress(words=str)
    keep = {name: getattr(arguments, name) for name in ("run", "processes", "start")}
    if not names:
        apply = ("text", "save", "encoding", *keep, *settings)
        _refuse_given(arguments, "does not apply to a text that is to be continued", apply)
        model.fit_text(as_file(arguments.text), encoding=arguments.encoding, callbacks=[progress], **keep)
    else:
        valid = None if arguments.valid is None else as_file(arguments.valid)
        columns = {name: getattr(arguments, name) for name in ("source", "target", "encoding")}
        old = {name: getattr(arguments, name) for name in ("replay", "replay_data")}
        model.fit(_data(names), valid=valid, **columns, callbacks=[progress], **keep, **old)
    if progress.stream is None:
        forget_output()
    if arguments.save is not None:
        report(f"The model is saved to {_save(model, arguments.save)}")
    elif model.run is not None and not model.run.best.steps():
        raise _kept_elsewhere(
            model, ModelFileError(f"{model.run.folder} holds no model, because it could not be written.")
        )
    reasons = [event.reason for event in model.history if isinstance(event, Ended)]
    if not reasons or reasons[-1] == "interrupted":
        way_on = "." if model.run is None else f"; nbtextgen train {model.run.folder} goes on from the last checkpoint."
        raise CommandInterrupted(f"interrupted, with the best model so far{way_on}")


def _train_run(arguments: argparse.Namespace, name: str) -> None:
    """Train a run that a file describes, or go on with the one in a folder."""
    from nbtextgen.cli import run_file
    from nbtextgen.pipeline.model_folder import is_saved_model
    from nbtextgen.run.folder import Run
    from nbtextgen.run.launch import hold_lifeline

    folder = _is_folder(name)
    if folder and not Run.is_run(name):
        if is_saved_model(name):
            raise OptionError(f"{name} is a saved model; to go on from it, give pairs, and --start={name}.")
        raise ModelFileError(f"{name} is a folder, but not that of a run; give a file of pairs.")
    _refuse_given(arguments, f"has no effect: a run is trained as {'it was begun' if folder else 'its file says'}")
    hold_lifeline()
    run_file.train(Path(name))


def _save(model: TextGenerator, folder: str) -> Path:
    """Save a model; if that fails, the training is not lost: the error says where it is saved instead."""
    try:
        return model.save(folder)
    except ModelFileError as error:
        raise _kept_elsewhere(model, error) from error


def _kept_elsewhere(model: TextGenerator, error: ModelFileError) -> ModelFileError:
    """Save a model that has no other place among the temporary files, and return the error with that place."""
    try:
        place = model.save(tempfile.mkdtemp(prefix="nbtextgen-model-"))
    except (OSError, ModelFileError):
        return error
    return ModelFileError(f"{error.message} It is saved to {place} instead; move it from there.")


# Generating -----------------------------------------------------------------------------------------------------------


def generate(arguments: argparse.Namespace, decoding: Values) -> None:
    """Generate for texts on the line, the lines of the standard input, or a file."""
    texts: list[str] = [] if arguments.text == [STANDARD_INPUT] else arguments.text
    if arguments.data is not None and texts:
        raise OptionError("Give the texts either on the line or with --data.")
    if arguments.data is not None and arguments.into is None:
        raise OptionError("Name the file for the outputs with --into.")
    if arguments.into is None and arguments.accept is not None:
        raise OptionError("--accept needs --into, the file for the outputs.")
    if arguments.data is None:
        lineless = () if texts else ("encoding",)
        columns = [name for name in ("source", "encoding") if name in arguments.options_given and name not in lineless]
        if columns:
            raise OptionError(f"--{columns[0]} is about a file; give one with --data, or leave it out.")
    model = _load(arguments.model)
    if arguments.into is not None:
        columns = {"source": arguments.source, "encoding": arguments.encoding}
        data = texts or (list(lines(arguments.encoding)) if arguments.data is None else as_file(arguments.data))
        if arguments.data is None:
            columns = {}
        try:
            report(model.generate_file(data, arguments.into, accept=arguments.accept, **columns, **decoding))
        except KeyboardInterrupt as interrupt:
            part = Path(f"{arguments.into}.part")
            kept = f"; the rows so far are in {part}, and the same command goes on." if part.is_file() else "."
            raise CommandInterrupted(f"interrupted{kept}") from interrupt
        return
    for batch in [texts] if texts else ([line] for line in lines(arguments.encoding)):
        generations: Generations = model.generate(batch, **decoding)
        for generation in generations:
            print_outputs([each.text for each in generation.candidates or (generation,)])
            for note in generation.notes:
                say_aside(note)


# Measuring ------------------------------------------------------------------------------------------------------------


def evaluate(arguments: argparse.Namespace, decoding: Values) -> None:
    """Measure a model."""
    scores = _saved(arguments.model).evaluate(_data(arguments.data), **_measuring(arguments), **decoding)
    scores.analysed = arguments.error_analysis
    say(scores)


def compare(arguments: argparse.Namespace, decoding: Values) -> None:
    """Compare two models."""
    from nbtextgen.comparison import compare

    models = _saved(arguments.first), _saved(arguments.second)
    names = Path(arguments.first).name, Path(arguments.second).name
    if names[0] == names[1]:
        names = (arguments.first, arguments.second) if arguments.first != arguments.second else ("first", "second")
    say(compare(*models, _data(arguments.data), names=names, **_measuring(arguments), **decoding))


def _measuring(arguments: argparse.Namespace) -> Values:
    """The arguments of ``evaluate`` and ``compare`` that are no settings of the search."""
    from nbtextgen.evaluation.metrics import HIGHER_IS_BETTER

    metrics: list[str] | None = None
    if arguments.metrics is not None:
        metrics = [name.strip() for name in arguments.metrics.split(",") if name.strip()]
        others = [name for name in arguments.data if name in HIGHER_IS_BETTER and not Path(name).exists()]
        if others:
            raise OptionError(f"Put commas between metrics: --metrics={','.join([*metrics, *others])}.")
    names = ("source", "target", "encoding", "group_sources")
    return {"metrics": metrics, **{name: getattr(arguments, name) for name in names}}


# Explaining -----------------------------------------------------------------------------------------------------------


def explain(arguments: argparse.Namespace, options: Values) -> None:
    """Explain an output by its source, by edits of it, or by training rows."""
    _check_explaining(arguments)
    model = _saved(arguments.model)
    if arguments.rows is not None:
        columns = {"source": arguments.source, "target": options.pop("target", None), "encoding": arguments.encoding}
        if options:
            raise OptionError(f"--rows does not take --{next(iter(options)).replace('_', '-')}; leave it out.")
        part = {"token": arguments.token, "count": arguments.rows}
        data = None if arguments.data is None else as_file(arguments.data)
        say(model.training_rows(arguments.text, data=data, **part, **columns))
        return
    if arguments.counterfactual:
        say(model.counterfactual(arguments.text, token=arguments.token, **options))
        return
    explanation = model.explain(arguments.text, **options)
    say(explanation)
    if arguments.page is not None:
        report(f"The explanation is saved to {explanation.save(arguments.page)}")


def _check_explaining(arguments: argparse.Namespace) -> None:
    """Refuse arguments of ``explain`` that have no effect."""
    if arguments.rows is not None and arguments.counterfactual:
        raise OptionError("Choose --rows or --counterfactual; they answer different questions.")
    asked = arguments.rows is not None or arguments.counterfactual
    if arguments.token is not None and not asked:
        raise OptionError(
            "--token names the part of the output that --counterfactual or --rows is about; give one of them."
        )
    if asked and arguments.page is not None:
        raise OptionError("--page keeps explanations; leave out --counterfactual and --rows.")
    if arguments.data is not None and arguments.rows is None:
        raise OptionError("--data names the training pairs for --rows; give --rows=N.")
    for name in ("source", "encoding"):
        if getattr(arguments, name) is not None and arguments.data is None:
            raise OptionError(f"--{name} needs --data.")


# Models and runs ------------------------------------------------------------------------------------------------------


def export(arguments: argparse.Namespace, _: Values) -> None:
    """Write a model as ONNX graphs or as a page."""
    kind = arguments.format or ("html" if arguments.path.lower().endswith((".html", ".htm")) else "onnx")
    page: PageOptions = {}
    if arguments.bits is not None:
        page["bits"] = arguments.bits
    if arguments.title is not None:
        page["title"] = arguments.title
    if arguments.example is not None:
        page["example"] = arguments.example
    report(f"The model is exported to {_saved(arguments.model).export(kind, arguments.path, **page)}")


def list_runs(arguments: argparse.Namespace, _: Values) -> None:
    """Print a table of runs."""
    from nbtextgen.run.listing import runs

    records = runs(arguments.folder)
    if not records:
        raise DataError(f"There are no runs in {arguments.folder}; train with --run NAME to keep one.")
    rows = [("name", "state", "update", "best", "created"), *map(_row, records)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _row(record: RunRecord) -> tuple[str, ...]:
    if record.problem:
        return record.name, record.state, "", record.problem, ""
    best = "" if math.isnan(record.metric) else f"{record.metric_name} {record.metric:.4g}"
    return record.name, record.state, record.updates, best, record.created


def _saved(folder: str) -> TextGenerator:
    from nbtextgen.generator import TextGenerator

    return TextGenerator.load(folder)


def _load(folder: str) -> TextGenerator | OnnxGenerator:
    """A saved model, or an exported one, which needs no PyTorch."""
    if _is_folder(folder) and (Path(folder) / "decoder-1.onnx").is_file():
        from nbtextgen.serving.generator import OnnxGenerator

        return OnnxGenerator.load(folder)
    return _saved(folder)
