"""Reference pages that are written at build time from the code, and copies of the notebooks.

``docs/reference/generated`` has the settings, the magics, the training events and the errors; ``docs/gallery/generated`` the
notebooks of ``notebooks/``. Both folders are made anew by every build.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from default_rules import RULES

from nbtextgen.cli.arguments import parsers
from nbtextgen.core.options import Option, options_of
from nbtextgen.data.augmentation import STEPS as AUGMENTATIONS
from nbtextgen.data.augmentation import Augmentation
from nbtextgen.data.cleaning.clean import STEPS as CLEANING
from nbtextgen.data.config import DataConfig
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.evaluation.metrics import METRICS
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.model.config import ModelConfig
from nbtextgen.notebook.magics import COMMANDS
from nbtextgen.pipeline.defaults import FEW_PAIRS, JOINED_PAIRS, Scale
from nbtextgen.run.config import LaunchConfig
from nbtextgen.tokenizers.config import TokenizerConfig
from nbtextgen.training import events
from nbtextgen.training.config import TrainingConfig

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CONFIGS = (
    ("Data", DataConfig, "`TextGenerator(...)`, `%textgen_train`"),
    ("Tokens", TokenizerConfig, "`TextGenerator(...)`, `%textgen_train`"),
    ("Network", ModelConfig, "`TextGenerator(...)`, `%textgen_train`"),
    ("Training", TrainingConfig, "`TextGenerator(...)`, `%textgen_train`"),
    ("Several processes", LaunchConfig, "`LaunchConfig(...)`, `%textgen_train`"),
    ("Decoding", DecodingConfig, "`generate`, `evaluate`, `stream`, `%textgen_generate`, `%textgen_evaluate`"),
    ("Explanation", ExplanationConfig, "`explain`, `explain_data`, `%textgen_explain`"),
)
SIZES = (300, 1_000, 5_000, 20_000, 100_000, 1_000_000)
TYPE_NAMES = {int: "whole number", float: "number", bool: "true or false", str: "text", tuple: "words"}


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before Sphinx reads its sources."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_pages(app: Sphinx) -> None:
    """Write every generated page, and copy the notebooks."""
    docs = Path(app.srcdir)
    pages = {"settings": settings_page(), "magics": magics_page(), "events": events_page(), "command-line": cli_page()}
    for name, text in pages.items():
        write(docs / "reference" / "generated" / f"{name}.md", text)
    for notebook in sorted((docs.parent / "notebooks").glob("*.ipynb")):
        write(docs / "gallery" / "generated" / notebook.name, with_lexer(notebook.read_text(encoding="utf-8")))


def with_lexer(notebook: str) -> str:
    """A notebook whose cells are highlighted as IPython, which knows magics."""
    content = json.loads(notebook)
    content["metadata"].setdefault("language_info", {"name": "python"})["pygments_lexer"] = "ipython3"
    return json.dumps(content, ensure_ascii=False, indent=1)


def write(path: Path, text: str) -> None:
    """Write a file if its content changed, so that Sphinx does not read it again otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


# Settings -----------------------------------------------------------------------------------------------------------


def settings_page() -> str:
    """Every option of the configuration dataclasses, with type, default or the rule for it, and range."""
    parts = [
        "# Every setting",
        "A setting has one name everywhere: `hidden_size=256` in Python, `--hidden-size 256` on the line of a magic, "
        "`hidden-size = 256` in a TOML file. Sliders of the panels have the same names. A switch is turned on by its "
        "name (`--copy`) and off by `--no-copy`. Where the default is *chosen*, the table gives the rule; "
        "`model.choices` shows what was chosen.",
    ]
    for title, config, where in CONFIGS:
        prefix = "setting" if config in (DataConfig, TokenizerConfig, ModelConfig, TrainingConfig) else slug(title)
        parts += [f"## {title}", f"Settings of {where}.", option_table(options_of(config), prefix)]
        if config is DataConfig:
            parts += [steps_list("Cleaning steps (`clean`)", CLEANING)]
            parts += [
                steps_list("Augmentations (`augment`), each with a rate from 0 to 1 as in `swap:0.1`", AUGMENTATIONS)
            ]
    parts += ["## What the rules choose", sizes_table()]
    better = {True: "higher", False: "lower"}
    rows = [f"| `{name}` | {better[metric.higher_is_better]} |" for name, metric in METRICS.items()]
    parts += [
        "## Metrics",
        "Names for `metrics=` and `--metrics`. `rouge` stands for the three ROUGE metrics, and `bleu:zh` for BLEU with "
        "a tokenizer of sacrebleu.",
        "\n".join(["| metric | better |", "|---|---|", *rows]),
    ]
    return "\n\n".join(parts) + "\n"


def option_table(options: Mapping[str, Option], prefix: str) -> str:
    """A Markdown table with a row per option, to which ``#PREFIX-hidden-size`` links."""
    rows = [
        f"| []{{#{prefix}-{slug(name)}}}`{option.flag}` | {TYPE_NAMES[option.type]} | {default(option)} | {cell(option)} |"
        for name, option in options.items()
    ]
    return "\n".join(["| setting | type | default | meaning |", "|---|---|---|---|", *rows])


def default(option: Option) -> str:
    """The default as Markdown: its value, or the rule by which it is chosen."""
    if option.default is None and option.name in RULES:
        return f"*chosen:* {RULES[option.name]}"
    if option.default is None or option.default == "":
        return "none"
    value = ",".join(option.default) if isinstance(option.default, tuple) else str(option.default)
    return f"`{value.lower() if isinstance(option.default, bool) else value}`" if value else "none"


def cell(option: Option) -> str:
    """Meaning and range of an option as Markdown."""
    limits = option.range()
    plain = limits in ("true or false", "text", "a list of words", "a number", "a whole number")
    choices = ", ".join(f"`{choice}`" for choice in option.choices or ())
    what = re.sub(r"; default: [^;]*$", "", option.help) if option.name in RULES else option.help
    return flags_as_code(escape(what)) + (f": {choices}" if choices else "" if plain else f" ({limits})")


def escape(text: str) -> str:
    """A text as part of a Markdown table."""
    return text.replace("&", "&amp;").replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("$", "\\$")


def steps_list(title: str, steps: Mapping[str, str]) -> str:
    """Named steps with their help."""
    rows = [f"| `{name}` | {escape(help_text)} |" for name, help_text in steps.items()]
    return "\n".join([f"{title}:", "", "| step | what it does |", "|---|---|", *rows])


def sizes_table() -> str:
    """The network and schedule that is chosen for several numbers of pairs, computed by the code that chooses."""
    rows = list[str]()
    for small_units, unit in ((True, "characters, symbols"), (False, "words, BPE")):
        for pairs in SIZES:
            scale = chosen_scale(pairs, small_units)
            figures = (scale.hidden, scale.embedding, scale.batch, f"{scale.updates:,}", scale.epochs)
            values = [str(value) for value in (*figures, scale.learning_rate, scale.dropout)]
            rows.append(f"| {unit} | {pairs:,} | {' | '.join(values)} |")
    head = "| tokens | pairs | hidden size | embedding size | batch size | updates | epochs | learning rate | dropout |"
    explanation = (
        "Computed by the code that chooses, without a time limit. With `max_minutes`, the speed of the machine is "
        "measured, and the widest network is taken that gets about 2,500 updates times its hidden size / 256 in that time."
    )
    return "\n".join([explanation, "", head, "|---|" * 1 + "---|" * 8, *rows])


class _Count:
    """Stands for training pairs of which only the number matters."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count


def chosen_scale(pairs: int, small_units: bool) -> Scale:
    """What is chosen for a number of pairs without a time limit."""
    configs = (TokenizerConfig(), ModelConfig(), TrainingConfig())
    growth = Augmentation.parse(JOINED_PAIRS).growth if small_units and pairs in FEW_PAIRS else 1.0
    return Scale.of(*configs, _Count(pairs), small_units, growth)  # type: ignore[arg-type]


# Magics -------------------------------------------------------------------------------------------------------------


def magics_page() -> str:
    """Every magic with its usage and options, from the help that `%magic?` shows."""
    parts = [
        "# Magics",
        "`%load_ext nbtextgen` registers these. `%textgen_train?` shows the same text in the notebook, Tab completes "
        "names and values, and `--show-code` prints the equivalent Python. A result is a value: "
        "`scores = %textgen_evaluate dates --data test.tsv`.",
    ]
    configs = [options_of(config) for _, config, _ in CONFIGS]
    for commands in COMMANDS:
        for name in commands.completions():
            method = getattr(commands, name)
            prose = inspect.unwrap(method).__doc__ or ""
            options = method.completion.options
            linked = [config.keys() <= options.keys() for config in configs]
            shared = {key for config, is_linked in zip(configs, linked, strict=True) if is_linked for key in config}
            own = {key: option for key, option in options.items() if key not in shared}
            parts += [
                f"({name})=\n## `%{name}`",
                prose_as_markdown(inspect.cleandoc(prose)),
                option_table_of_magic(own),
            ]
            sections = [title for (title, *_), is_linked in zip(CONFIGS, linked, strict=True) if is_linked]
            if sections:
                links = ", ".join(f"[{title.lower()}](settings.md#{slug(title)})" for title in sections)
                parts.append(f"And the settings of {links}.")
    return "\n\n".join(parts) + "\n"


def prose_as_markdown(text: str) -> str:
    """A magic's docstring, whose indented lines are code."""
    lines, code = list[str](), False
    for line in text.split("\n"):
        indented = line.startswith("    ")
        if indented != code and line.strip():
            while lines and not lines[-1]:
                lines.pop()
            lines += (
                ["", "```text" if re.search(r"\b[A-Z]{3,}\b", line) else "```ipython3"] if indented else ["```", ""]
            )
            code = indented
        lines.append(re.sub(r"(?<=\S) {3,}", "   ", line[4:]) if indented else flags_as_code(line))
    return "\n".join([*lines, "```"] if code else lines)


def flags_as_code(text: str) -> str:
    """A sentence, with its options in the typeface of code."""
    return re.sub(r"(?<![`\w-])--[a-z][a-z-]*", lambda flag: f"`{flag[0]}`", text)


def option_table_of_magic(options: Mapping[str, Option]) -> str:
    """A Markdown table of the options that only magics have."""
    rows = [f"| `{option.flag}` | {default(option)} | {cell(option)} |" for option in options.values()]
    return "\n".join(["| option | default | meaning |", "|---|---|---|", *rows])


def slug(title: str) -> str:
    """The anchor of a heading or setting."""
    return title.lower().replace(" ", "-").replace("_", "-")


# Command line -------------------------------------------------------------------------------------------------------


def cli_page() -> str:
    """Every command with its arguments, from its parser."""
    parts = [
        "# Command line",
        "`nbtextgen COMMAND --help` shows the same, with the settings of the command.",
    ]
    settings = {"train": "tokens", "generate": "decoding", "evaluate": "decoding", "compare": "decoding"}
    for name, parser in parsers("", {})[1].items():
        first, _, examples = (parser.description or "").partition("\n\n")
        parts += [f"## {name}", first, f"```text\n{inspect.cleandoc(examples)}\n```", arguments_table(parser)]
        if name in (*settings, "explain"):
            parts.append(f"And the settings of [{name}](settings.md#{settings.get(name, 'explanation')}).")
    return "\n\n".join(parts) + "\n"


def arguments_table(parser: argparse.ArgumentParser) -> str:
    """A Markdown table of the arguments."""
    actions = [action for action in parser._actions if action.help and "-h" not in action.option_strings]
    rows = [
        f"| `{' '.join(action.option_strings) or action.dest}` | {escape(action.help or '')} |" for action in actions
    ]
    return "\n".join(["| argument | meaning |", "|---|---|", *rows])


# Events -------------------------------------------------------------------------------------------------------------


def events_page() -> str:
    """Every training event with its fields, from the dataclasses."""
    parts = [
        "# Training events",
        "A training passes events to its `callbacks`, and writes them to `events.jsonl` of its run folder. They are "
        "frozen dataclasses in `nbtextgen.events`, in the order in which things happen.",
        "```python\nfrom nbtextgen import TextGenerator, builtin, events\n\n\n"
        "def report(event):\n"
        "    if isinstance(event, events.Validation):\n"
        '        print(f"update {event.step}: loss {event.loss:.3f}, {event.metric_name} {event.metric:.3f}")\n\n\n'
        'TextGenerator(max_minutes=1).fit(builtin("dates", 2_000), callbacks=[report])\n```',
    ]
    for event in event_classes():
        fields = ((field.name, str(field.type)) for field in dataclasses.fields(event))
        head, meanings = described(inspect.cleandoc(event.__doc__ or ""))
        parts += [f"## {event.__name__}", head, field_table(fields, meanings)]
    return "\n\n".join(parts) + "\n"


def event_classes() -> list[type]:
    """The classes of events, in the order of the module."""
    return [each for each in vars(events).values() if isinstance(each, type) and each.__module__ == events.__name__]


def described(docstring: str) -> tuple[str, dict[str, str]]:
    """The first part of a docstring as Markdown, and what its ``Attributes`` mean; several may have one text."""
    head, _, attributes = docstring.partition("Attributes:")
    items = re.findall(r"^ {4}(\S[^:]*): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE)
    meanings = {name: " ".join(text.split()) for names, text in items for name in names.split(", ")}
    return head.strip().replace("``", "`"), {name: text.replace("``", "`") for name, text in meanings.items()}


def field_table(fields: Iterable[tuple[str, str]], meanings: Mapping[str, str]) -> str:
    """The fields with their types, and their meanings if the docstring has a text for each."""
    rows = [
        f"| `{name}` | `{kind.replace('|', chr(92) + '|')}` |" + (f" {meanings.get(name, '')} |" if meanings else "")
        for name, kind in fields
    ]
    head = ["| field | type | meaning |", "|---|---|---|"] if meanings else ["| field | type |", "|---|---|"]
    return "\n".join([*head, *rows])
