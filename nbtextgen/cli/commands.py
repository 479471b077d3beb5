"""What each command does. Options are the fields of the same configurations as in Python and in the magics."""

from __future__ import annotations

import argparse
import io
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbtextgen.core.errors import DataError, OptionError, nearest
from nbtextgen.core.options import Option, options_of
from nbtextgen.data.readers.text import check_encoding
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.pipeline.settings import fit_options

if TYPE_CHECKING:
    from nbtextgen.export.page.document import PageOptions
    from nbtextgen.generator import TextGenerator
    from nbtextgen.inference.generation import Generation, Generations
    from nbtextgen.run.listing import RunRecord
    from nbtextgen.serving.generator import OnnxGenerator

Values = dict[str, Any]
Command = Callable[[argparse.Namespace, Values], None]

DESCRIPTION = (
    "Train, use and understand small text-to-text models. `nbtextgen COMMAND --help` lists the options of a command."
)
TRAIN = """Train a model.

    nbtextgen train pairs.tsv --save french --epochs 20        a file of pairs, or builtin:NAME
    nbtextgen train --text corpus.txt --save poet              a text to learn to continue
    nbtextgen train pairs.tsv --run french                     kept in runs/french-TIME, from where it can be resumed
    nbtextgen train runs/french-TIME                           go on with a run
    nbtextgen train fixes.tsv --start french --save french2    go on from a model with more pairs
    nbtextgen train run.toml                                   a run that a file describes:

        run = "runs/french"          # its folder; if it exists, the run goes on
        data = "pairs.tsv"           # a file, or builtin:NAME
        valid = "valid.tsv"          # optional, as are source and target (names of columns) and encoding
        hidden-size = 512
        epochs = 20

    torchrun --nproc-per-node 8 -m nbtextgen train run.toml    eight processes
"""
GENERATE = """Generate.

    nbtextgen generate french "a man" "a dog"                  one output per line
    nbtextgen generate french --data en.txt --into fr.tsv      a column or a file; an interrupted call can be repeated
    cat en.txt | nbtextgen generate french                     line by line; a line break in an output is written \\n

MODEL is a folder that `save` or `export onnx` wrote. With --n-best, the outputs of a source are separated by tabs."""
EVALUATE = """Measure a model on pairs that it was not trained on.

    nbtextgen evaluate french test.tsv --metrics bleu,chrf --beam 5
    nbtextgen evaluate french test.tsv --error-analysis        also where it is worse, and what stands for what"""
COMPARE = """Compare two models on the same pairs: is the difference more than chance?

    nbtextgen compare french french2 test.tsv --metrics chrf"""
EXPLAIN = """Show which parts of a source made the model write its output.

    nbtextgen explain french "a man is sleeping"
    nbtextgen explain french "a man is sleeping" --method shap,attention --page why.html
    nbtextgen explain french "a man is sleeping" --counterfactual --token homme       the smallest edits that change a part
    nbtextgen explain french "a man is sleeping" --rows 10 --data pairs.tsv           the training rows behind the output"""
EXPORT = """Write a model for programs without PyTorch, or as one page for any browser.

    nbtextgen export french french-onnx
    nbtextgen export french french.html --example "a man is sleeping\""""
RUNS = """List the runs of a folder, newest first.

    nbtextgen runs
    nbtextgen runs experiments"""


def parse(arguments: Sequence[str]) -> Callable[[], None]:
    """Return the command that the arguments ask for; a wrong one ends the process with status 2 and a sentence."""
    name = arguments[0] if arguments else ""
    settings = _settings(name)
    switches = {option.flag for option in settings.values() if option.type is bool}
    spelled = [f"{word}=true" if word in switches else word for word in arguments]  # or a text would be its value
    parser, commands = _parsers(name, settings)
    if name not in commands:
        parser.parse_args(arguments)  # ends the process, with the help or a refusal
    namespace, unknown = commands[name].parse_known_intermixed_args(spelled[1:])
    if unknown:
        flag = unknown[0].split("=")[0]
        hint = nearest(flag, [option.flag for option in settings.values()]) if flag.startswith("-") else ""
        namespace.parser.error(f"there is no place for {unknown[0]!r}.{hint}")
    values: Values = {}
    try:
        for name, option in settings.items():
            if (text := getattr(namespace, name)) is not None:
                values[name] = option.parse(text)
    except OptionError as error:
        namespace.parser.error(error.message)
    return partial(namespace.command, namespace, values)


def _settings(command: str) -> Mapping[str, Option]:
    """The settings of a command."""
    if command == "train":
        return fit_options()
    if command == "explain":
        return options_of(ExplanationConfig)
    return options_of(DecodingConfig) if command in ("generate", "evaluate", "compare") else {}


def _parsers(
    requested: str, settings: Mapping[str, Option]
) -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """A parser of the whole line, and one of each command; ``settings`` are those of the requested command."""
    parser = argparse.ArgumentParser("nbtextgen", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument(
        "--version",
        action="version",
        help="print the version",
        version=metadata.version("nbtextgen") if requested == "--version" else "",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, usage: str, command: Command, description: str) -> Callable[..., Any]:
        each = commands.add_parser(
            name,
            usage=f"nbtextgen {name} {usage}",
            help=description.split("\n")[0],
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        each.set_defaults(command=command, parser=each)
        group = each.add_argument_group("settings")
        for option in settings.values() if name == requested else ():
            text = f"{option.help}: {option.range()}".replace("%", "%%")
            group.add_argument(option.flag, dest=option.name, metavar="VALUE", help=text)
        return each.add_argument

    _add_commands(add)
    return parser, commands.choices


def _add_commands(add: Callable[[str, str, Command, str], Callable[..., Any]]) -> None:
    """Add every command, and its arguments that are no settings."""
    train = add("train", "DATA [options]", _train, TRAIN)
    train("data", nargs="?", help="pairs, a run's folder, or a .toml file that describes a run")
    train("--text", metavar="FILE", help="a text to learn to continue, instead of pairs")
    train("--save", metavar="FOLDER", help="folder for the trained model")
    train("--run", metavar="NAME", help="name or folder of a run to keep")
    train("--valid", metavar="DATA", help="validation pairs; by default a share of the data")
    train("--start", metavar="FOLDER", help="trained model to go on from: the folder of a saved model or a run")
    train("--replay", type=float, metavar="SHARE", help="with --start: share of old pairs in every epoch; default 0.5")
    train("--replay-data", metavar="DATA", help="with --start: the old pairs; by default those kept in its run folder")
    train("--processes", type=int, default=1, metavar="N", help="processes that train together")
    generate = add("generate", "MODEL [TEXT ...] [options]", _generate, GENERATE)
    generate("model", help="folder of a saved or exported model")
    generate("text", nargs="*", help="sources; by default the lines of the standard input")
    generate("--data", metavar="FILE", help="a file of sources")
    generate("--source", metavar="COLUMN", help="name or number of its column")
    generate(
        "--accept", type=float, metavar="SHARE", help="mark outputs that may be used unread: so many of them are right"
    )
    generate("--into", metavar="FILE", help="file for the outputs: .tsv, .csv, .jsonl, .parquet or .txt")
    evaluate = add("evaluate", "MODEL DATA [options]", _evaluate, EVALUATE)
    evaluate("model", help="folder of a saved model")
    evaluate("--error-analysis", action="store_true", help="show slices that are worse than elsewhere, and confusions")
    compare = add("compare", "FIRST SECOND DATA [options]", _compare, COMPARE)
    compare("first", help="folder of a saved model")
    compare("second", help="folder of another")
    for argument in (evaluate, compare):
        argument("data", help="pairs: a file, or builtin:NAME")
        argument("--metrics", help="names of metrics, separated by commas")
        argument("--group-sources", action="store_true", help="pairs with one source are several references for it")
    for argument in (train, generate, evaluate, compare):
        argument("--encoding", help="encoding of the files; by default Unicode")
    for argument in (train, evaluate, compare):
        argument("--source", metavar="COLUMN", help="name or number of the source column")
        argument("--target", metavar="COLUMN", help="name or number of the target column")
    explain = add("explain", "MODEL TEXT [options]", _explain, EXPLAIN)
    explain("model", help="folder of a saved model")
    explain("text", help="the source")
    explain("--page", metavar="FILE", help="HTML file for the explanation")
    explain(
        "--rows", type=int, metavar="N", help="training rows that speak for the output, and against it: most of each"
    )
    explain("--data", metavar="DATA", help="with --rows: the training pairs, of a model that does not hold them")
    explain("--source", metavar="COLUMN", help="with --data: name or number of the source column; likewise --target")
    explain("--encoding", help="with --data: encoding of the file; by default Unicode")
    explain(
        "--counterfactual", action="store_true", help="find the smallest edits of the source that change the output"
    )
    explain("--token", metavar="PIECE", help="with --counterfactual or --rows: the part of the output that is meant")
    export = add("export", "MODEL FOLDER [options]", _export, EXPORT)
    export("model", help="folder of a saved model")
    export("path", help="where to write: a folder, or a file that ends in .html")
    export("--format", choices=["onnx", "html"], help="default: html for a name that ends in .html, else onnx")
    for option, text in (
        ("bits", "of a weight in a page"),
        ("title", "of a page"),
        ("example", "first source of a page"),
    ):
        export(f"--{option}", type=int if option == "bits" else str, help=text)
    add("runs", "[FOLDER]", _runs, RUNS)("folder", nargs="?", default="runs", help="parent folder of the runs")


# Commands -------------------------------------------------------------------------------------------------------------


def _train(arguments: argparse.Namespace, settings: Values) -> None:
    from nbtextgen.cli import run_file
    from nbtextgen.run.launch import hold_lifeline

    data: str | None = arguments.data
    if data is not None and (data.endswith(".toml") or Path(data).is_dir()):
        hold_lifeline()
        run_file.train(Path(data))
        return
    if (data is None) == (arguments.text is None):
        raise OptionError("Name the data to train on: a file of pairs, or a text with --text.")
    if arguments.save is None and arguments.run is None:
        raise OptionError("Say where the model is to be kept: --save FOLDER, or --run NAME.")
    from nbtextgen.generator import TextGenerator

    names = ("run", "processes", "start")
    model, keep = TextGenerator(**settings), {name: getattr(arguments, name) for name in names}
    if data is None:
        model.fit_text(arguments.text, **keep)
    else:
        columns = {name: getattr(arguments, name) for name in ("valid", "source", "target", "encoding")}
        model.fit(data, **columns, **keep, replay=arguments.replay, replay_data=arguments.replay_data)
    if arguments.save is not None:
        print(f"The model is saved to {model.save(arguments.save)}")


def _generate(arguments: argparse.Namespace, decoding: Values) -> None:
    texts: list[str] = arguments.text
    model = _load(arguments.model)
    if arguments.data is not None:
        if texts:
            raise OptionError("Give the texts either on the line or with --data.")
        if arguments.into is None:
            raise OptionError("Name the file for the outputs with --into.")
        columns = {"source": arguments.source, "encoding": arguments.encoding, "accept": arguments.accept}
        print(model.generate_file(arguments.data, arguments.into, **columns, **decoding))
        return
    if arguments.accept is not None:
        raise OptionError("--accept needs --data and --into.")
    batches = [texts] if texts else ([line] for line in _lines(arguments.encoding))
    for batch in batches:
        generations: Generations = model.generate(batch, **decoding)
        for generation in generations:
            print(_line(generation), flush=True)
            for note in generation.notes:
                print(f"nbtextgen: {note}", file=sys.stderr)


def _lines(encoding: str | None) -> Iterator[str]:
    """The lines of the standard input.

    Raises:
        DataError: if there is none, or it is in another encoding.
        OptionError: for an unknown encoding.
    """
    encoding, stream = check_encoding(encoding), sys.stdin
    if stream is None:  # pyright: ignore[reportUnnecessaryComparison]  # closed
        raise DataError("There is no standard input; give the texts on the line, or a file with --data.")
    if isinstance(stream, io.TextIOWrapper):
        usual = "utf-8-sig" if stream.encoding.lower() == "utf-8" else None  # a byte order mark is no text
        stream.reconfigure(encoding=encoding or usual, errors="strict")
    try:
        for line in stream:
            yield line.rstrip("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"The standard input is not in the encoding {error.encoding}; give its --encoding.") from error


def _line(generation: Generation) -> str:
    """The outputs for one source on one line."""
    texts = [candidate.text for candidate in generation.candidates or (generation,)]
    return "\t".join(text.replace("\n", "\\n").replace("\t", "\\t") for text in texts)


def _evaluate(arguments: argparse.Namespace, decoding: Values) -> None:
    scores = _saved(arguments.model).evaluate(arguments.data, **_measuring(arguments), **decoding)
    scores.analysed = arguments.error_analysis
    print(scores)


def _compare(arguments: argparse.Namespace, decoding: Values) -> None:
    from nbtextgen.comparison import compare

    models = _saved(arguments.first), _saved(arguments.second)
    names = Path(arguments.first).name, Path(arguments.second).name
    if names[0] == names[1]:
        names = (arguments.first, arguments.second) if arguments.first != arguments.second else ("first", "second")
    print(compare(*models, arguments.data, names=names, **_measuring(arguments), **decoding))


def _measuring(arguments: argparse.Namespace) -> Values:
    """The arguments of ``evaluate`` and ``compare`` that are no settings of the search."""
    metrics = None if arguments.metrics is None else [name for name in arguments.metrics.split(",") if name]
    names = ("source", "target", "encoding", "group_sources")
    return {"metrics": metrics, **{name: getattr(arguments, name) for name in names}}


def _explain(arguments: argparse.Namespace, options: Values) -> None:
    _check_explaining(arguments)
    model = _saved(arguments.model)
    if arguments.rows is not None:
        columns = {"source": arguments.source, "target": options.pop("target", None), "encoding": arguments.encoding}
        if options:
            raise OptionError(f"--rows does not take --{next(iter(options)).replace('_', '-')}; leave it out.")
        part = {"token": arguments.token, "count": arguments.rows}
        print(model.training_rows(arguments.text, data=arguments.data, **part, **columns))
        return
    if arguments.counterfactual:
        print(model.counterfactual(arguments.text, token=arguments.token, **options))
        return
    explanation = model.explain(arguments.text, **options)
    print(explanation)
    if arguments.page is not None:
        print(f"The explanation is saved to {explanation.save(arguments.page)}")


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


def _export(arguments: argparse.Namespace, _: Values) -> None:
    format = arguments.format or ("html" if arguments.path.lower().endswith(".html") else "onnx")
    page: PageOptions = {}
    if arguments.bits is not None:
        page["bits"] = arguments.bits
    if arguments.title is not None:
        page["title"] = arguments.title
    if arguments.example is not None:
        page["example"] = arguments.example
    print(f"The model is exported to {_saved(arguments.model).export(format, arguments.path, **page)}")


def _runs(arguments: argparse.Namespace, _: Values) -> None:
    from nbtextgen.run.listing import runs

    records = runs(arguments.folder)
    if not records:
        raise DataError(f"There are no runs in {arguments.folder}.")
    rows = [("name", "state", "update", "best", "created"), *map(_row, records)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _row(record: RunRecord) -> tuple[str, ...]:
    if record.problem:
        return record.name, record.state, "", record.problem, ""
    best = "" if math.isnan(record.metric) else f"{record.metric_name} {record.metric:.4g}"
    return record.name, record.state, f"{record.step} of {record.steps}", best, record.created


def _saved(folder: str) -> TextGenerator:
    from nbtextgen.generator import TextGenerator

    return TextGenerator.load(folder)


def _load(folder: str) -> TextGenerator | OnnxGenerator:
    """A saved model, or an exported one, which needs no PyTorch."""
    if (Path(folder) / "decoder-1.onnx").is_file():
        from nbtextgen.serving.generator import OnnxGenerator

        return OnnxGenerator.load(folder)
    return _saved(folder)
