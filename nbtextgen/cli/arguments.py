"""The arguments of every command. Options are the fields of the same configurations as in Python and in the magics."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import metadata
from typing import Any, NoReturn

from nbtextgen.cli import commands
from nbtextgen.cli.commands import Command, Values
from nbtextgen.cli.streams import as_typed
from nbtextgen.core.errors import OptionError, nearest
from nbtextgen.core.escaping import pictured_lines
from nbtextgen.core.options import OTHER_DASHES, Option, options_of
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.pipeline.settings import fit_options

DESCRIPTION = (
    "Train, use and understand small text-to-text models. `nbtextgen COMMAND --help` lists the options of a command."
)
TRAIN = """Train a model.

    nbtextgen train pairs.tsv --save french --epochs 20        a file of pairs, or builtin:NAME
    nbtextgen train --text corpus.txt --save poet              a text to learn to continue
    nbtextgen train train.en train.fr --save french            two files whose lines belong together
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


_BOOLEANS = ("true", "false", "yes", "no", "on", "off")
_MAY_BE_EMPTY = ("text", "title", "example")
"""Arguments of which an empty text says something; elsewhere it is a variable of the shell that is not set."""

_TEXTS = (
    "source",
    "target",
    "token",
    "title",
    "example",
    "prefix",
    "allow",
    "forbid",
    "must_include",
    "carry_over",
    "spans",
    "contrast",
)
"""Arguments that are texts, and no names of files."""


def parse(arguments: Sequence[str]) -> Callable[[], None]:
    """Return the command that the arguments ask for; a wrong one ends the process with status 2 and a sentence."""
    name = arguments[0] if arguments else ""
    settings = _settings(name)
    parser, choices = parsers(name, settings)
    if name not in choices:
        if name in ("", "-h", "--help", "--version"):
            parser.parse_args(arguments)  # ends the process
        kind, names = ("option", ("--help", "--version")) if name.startswith("-") else ("command", tuple(choices))
        parser.error(f"there is no {kind} {name!r}; there are {', '.join(names)}.{nearest(name, names)}")
    command = choices[name]
    namespace, unknown = command.parse_known_intermixed_args(_spelled(command, arguments[1:], settings))
    _check(command, namespace, unknown)
    for dest in (*_TEXTS, *(["text"] if command.has_texts else [])):
        if (given := getattr(namespace, dest, None)) is not None:
            setattr(namespace, dest, as_typed(given) if isinstance(given, str) else list(map(as_typed, given)))
    values: Values = {}
    try:
        for name, option in settings.items():
            if (text := getattr(namespace, name)) is not None:
                values[name] = option.parse(text)
    except OptionError as error:
        command.error(error.message)
    return partial(namespace.command, namespace, values)


class CommandParser(argparse.ArgumentParser):
    """A parser that shows control characters of wrong arguments as pictures."""

    def error(self, message: str) -> NoReturn:
        super().error(pictured_lines(message))

    @property
    def flags(self) -> list[str]:
        """Its options."""
        return [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]

    @property
    def has_texts(self) -> bool:
        """Whether words may be texts."""
        return any(action.dest == "text" and not action.option_strings for action in self._actions)


class _Once(argparse.Action):
    """Keeps the value of an option, which may be given once only, and which options were given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        if option_string is not None:
            if self.dest in namespace.options_given:
                parser.error(f"{option_string} is given twice; leave one of them out.")
            namespace.options_given.append(self.dest)
        setattr(namespace, self.dest, values)


def _spelled(command: CommandParser, words: Sequence[str], settings: Mapping[str, Option]) -> list[str]:
    """The words with every switch as ``--switch=true``, or a text after it would be its value.

    A switch before ``true`` or ``false``, and an option behind a wrong dash, end the process with a sentence.
    """
    switches = {option.flag for option in settings.values() if option.type is bool}
    spelled, count = list[str](), words.index("--") if "--" in words else len(words)
    for index, word in enumerate(words[:count]):
        dashes = OTHER_DASHES.fullmatch(word.partition("=")[0])
        if dashes is not None and f"--{dashes[2].replace('_', '-')}" in command.flags:
            command.error(f"{word} is not an option: write --{dashes[2]} with two hyphens.{_text_hint(command)}")
        if word in switches and index + 1 < count and words[index + 1].lower() in _BOOLEANS:
            texts = ", and a text before it" if command.has_texts else ""
            command.error(f"{word} takes no value behind a space: write {word}={words[index + 1].lower()}{texts}.")
        spelled.append(f"{word}=true" if word in switches else word)
    return spelled + list(words[count:])


def _text_hint(command: CommandParser) -> str:
    return " A text that begins with a dash stands after --." if command.has_texts else ""


def _check(command: CommandParser, namespace: argparse.Namespace, unknown: Sequence[str]) -> None:
    """End the process with a sentence for a word that has no place, and for an argument that is empty."""
    if unknown:
        flag = unknown[0].split("=")[0]
        hint = nearest(flag, command.flags) + _text_hint(command) if flag.startswith("-") else ""
        command.error(f"there is no place for {unknown[0]!r}.{hint}")
    for name, value in vars(namespace).items():
        if name not in _MAY_BE_EMPTY and "" in (value if isinstance(value, list) else [value]):
            shown = f"--{name.replace('_', '-')}"
            command.error(
                f"{shown if shown in command.flags else name.upper()} is empty; is a variable of the shell not set?"
            )


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"it must be a whole number (got {text!r}).") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"it must be a number (got {text!r}).") from None


def _settings(command: str) -> Mapping[str, Option]:
    """The settings of a command."""
    if command == "train":
        return fit_options()
    if command == "explain":
        return options_of(ExplanationConfig)
    return options_of(DecodingConfig) if command in ("generate", "evaluate", "compare") else {}


def parsers(requested: str, settings: Mapping[str, Option]) -> tuple[CommandParser, Mapping[str, CommandParser]]:
    """A parser of the whole line, and one of each command; ``settings`` are those of the requested command."""
    parser = CommandParser("nbtextgen", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument(
        "--version",
        action="version",
        help="print the version",
        version=metadata.version("nbtextgen") if requested == "--version" else "",
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, usage: str, command: Command, description: str) -> Callable[..., Any]:
        each = subparsers.add_parser(
            name,
            usage=f"nbtextgen {name} {usage}",
            help=description.split("\n")[0],
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        each.register("action", None, _Once)
        each.register("action", "store", _Once)
        each.set_defaults(command=command, options_given=[])
        group = each.add_argument_group("settings")
        for option in settings.values() if name == requested else ():
            text = f"{option.help}: {option.range()}".replace("%", "%%")
            group.add_argument(option.flag, dest=option.name, metavar="VALUE", help=text)
        return each.add_argument

    _add_data_commands(add)
    _add_model_commands(add)
    return parser, subparsers.choices


AddCommand = Callable[[str, str, Command, str], Callable[..., Any]]
"""Add a command by its name, usage, function and help; returns ``add_argument``."""


def _add_data_commands(add: AddCommand) -> None:
    """Add the commands about files of data, and their arguments that are no settings."""
    train = add("train", "DATA ... [options]", commands.train, TRAIN)
    train(
        "data", nargs="*", help="files of pairs, or of two sides; a run's folder, or a .toml file that describes a run"
    )
    train("--text", metavar="FILE", help="a text to learn to continue, instead of pairs")
    train("--save", metavar="FOLDER", help="folder for the trained model")
    train("--run", metavar="NAME", help="name or folder of a run to keep")
    train("--valid", metavar="DATA", help="validation pairs; by default a share of the data")
    train("--start", metavar="FOLDER", help="trained model to go on from: the folder of a saved model or a run")
    train(
        "--replay", type=_number, metavar="SHARE", help="with --start: share of old pairs in every epoch; default 0.5"
    )
    train("--replay-data", metavar="DATA", help="with --start: the old pairs; by default those kept in its run folder")
    train("--processes", type=_whole, default=1, metavar="N", help="processes that train together")
    generate = add("generate", "MODEL [TEXT ...] [options]", commands.generate, GENERATE)
    generate("model", help="folder of a saved or exported model")
    generate("text", nargs="*", help="sources; by default the lines of the standard input")
    generate("--data", metavar="FILE", help="a file of sources; - is the standard input, here and elsewhere")
    generate("--source", metavar="COLUMN", help="name or number of its column")
    generate(
        "--accept",
        type=_number,
        metavar="SHARE",
        help="mark outputs that may be used unread: so many of them are right",
    )
    generate("--into", metavar="FILE", help="file for the outputs: .tsv, .csv, .jsonl, .parquet or .txt")
    evaluate = add("evaluate", "MODEL DATA ... [options]", commands.evaluate, EVALUATE)
    evaluate("model", help="folder of a saved model")
    evaluate("--error-analysis", action="store_true", help="show slices that are worse than elsewhere, and confusions")
    compare = add("compare", "FIRST SECOND DATA ... [options]", commands.compare, COMPARE)
    compare("first", help="folder of a saved model")
    compare("second", help="folder of another")
    for argument in (evaluate, compare):
        argument("data", nargs="+", help="pairs: files, or builtin:NAME")
        argument("--metrics", help="names of metrics, separated by commas")
        argument("--group-sources", action="store_true", help="pairs with one source are several references for it")
    for argument in (train, generate, evaluate, compare):
        argument("--encoding", help="encoding of the files; by default Unicode")
    for argument in (train, evaluate, compare):
        argument("--source", metavar="COLUMN", help="name or number of the source column")
        argument("--target", metavar="COLUMN", help="name or number of the target column")


def _add_model_commands(add: AddCommand) -> None:
    """Add the other commands, and their arguments that are no settings."""
    explain = add("explain", "MODEL TEXT [options]", commands.explain, EXPLAIN)
    explain("model", help="folder of a saved model")
    explain("text", help="the source")
    explain("--page", metavar="FILE", help="HTML file for the explanation")
    explain(
        "--rows", type=_whole, metavar="N", help="training rows that speak for the output, and against it: most of each"
    )
    explain("--data", metavar="DATA", help="with --rows: the training pairs, of a model that does not hold them")
    explain("--source", metavar="COLUMN", help="with --data: name or number of the source column; likewise --target")
    explain("--encoding", help="with --data: encoding of the file; by default Unicode")
    explain(
        "--counterfactual", action="store_true", help="find the smallest edits of the source that change the output"
    )
    explain("--token", metavar="PIECE", help="with --counterfactual or --rows: the part of the output that is meant")
    export = add("export", "MODEL FOLDER [options]", commands.export, EXPORT)
    export("model", help="folder of a saved model")
    export("path", help="where to write: a folder, or a file that ends in .html")
    export("--format", choices=["onnx", "html"], help="default: html for a name that ends in .html, else onnx")
    for option, text in (
        ("bits", "of a weight in a page"),
        ("title", "of a page"),
        ("example", "first source of a page"),
    ):
        export(f"--{option}", type=_whole if option == "bits" else str, help=text)
    add("runs", "[FOLDER]", commands.list_runs, RUNS)(
        "folder", nargs="?", default="runs", help="parent folder of the runs"
    )
