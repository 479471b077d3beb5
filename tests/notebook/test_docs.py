"""Every block of the documentation runs, in small; the rules for default settings are complete and true."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from small_shell import run, run_commands, small_shell

from nbtextgen.core.options import options_of
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.explanation.config import ExplanationConfig
from nbtextgen.pipeline.settings import fit_options
from nbtextgen.run.config import LaunchConfig

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(\S+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = "not-run"
"""Behind the language of a block: it shows what needs a server, several machines or more packages."""


def runnable(page: Path) -> list[tuple[str, str]]:
    """The blocks of Python, of magics and of command lines on a page, each with its language."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    kinds = ("python", "ipython3", "bash")
    return [(language, block) for language, mark, block in blocks if language in kinds and NOT_RUN not in mark]


PAGES = {
    page.relative_to(DOCS).as_posix(): page
    for page in sorted(DOCS.rglob("*.md"))
    if not {"_build", "generated"} & set(page.parts) and runnable(page)
}
TRANSLATED = [name for name in PAGES if name.startswith("zh/")]
"""Pages whose blocks are those of an English page."""


@pytest.mark.parametrize("name", [name for name in PAGES if name not in TRANSLATED])
def test_every_block_of_a_page_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = small_shell(tmp_path, monkeypatch)
    for language, block in runnable(PAGES[name]):
        run_commands(block) if language == "bash" else run(shell, block)


@pytest.mark.parametrize("name", TRANSLATED)
def test_blocks_of_a_translated_page_are_those_of_the_original(name: str) -> None:
    path = name.removeprefix("zh/")
    original = PAGES.get(path) or PAGES[f"guides/{path}"]
    blocks = [[code_lines(block) for _, block in runnable(page)] for page in (PAGES[name], original)]
    assert all(block in blocks[1] for block in blocks[0])


def code_lines(block: str) -> list[str]:
    """A block without its comments."""
    return [re.sub(r"\s+# .*", "", line) for line in block.split("\n")]


def test_messages_that_the_answers_quote_exist() -> None:
    files = [path for pattern in ("*.py", "*.js") for path in (DOCS.parent / "nbtextgen").rglob(pattern)]
    sources = [path.read_text(encoding="utf-8") for path in files]
    messages = re.sub(r'"\s*f?"', "", "\n".join(sources))  # a text over several lines
    quotes = re.findall(r'^\*\*"(.+)"\*\*$', (DOCS / "faq.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(quotes) >= 15
    for quote in quotes:
        parts = [part.strip(" :;,.'()?") for part in re.split(r"\.\.\.|--[a-z-]+(?: [A-Z]+)?", quote)]
        for part in parts:
            assert part in messages, (quote, part)


def test_few_blocks_are_left_out() -> None:
    texts = [page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md") if "_build" not in page.parts]
    marked = [mark for text in texts for _, mark, _ in BLOCK.findall(text) if NOT_RUN in mark]
    assert len(marked) <= 12


def extension(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / "_extensions" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_magics_names_every_option_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DOCS / "_extensions")
    pages = extension("generated_pages")
    sections = dict(re.findall(r"^## `%(\w+)`\n(.*?)(?=^## |\Z)", pages.magics_page(), re.MULTILINE | re.DOTALL))
    for commands in pages.COMMANDS:
        for name in commands.completions():
            linked = set[str]()
            for title, config, *_ in pages.CONFIGS:
                if f"(settings.md#{pages.slug(title)})" in sections[name]:
                    linked |= set(options_of(config))
            options = getattr(commands, name).completion.options
            shown = {key for key, option in options.items() if f"| `{option.flag}` |" in sections[name]}
            assert set(options) == shown | (linked & set(options)), name
            assert linked <= set(options), name


def test_every_setting_without_a_default_has_a_rule() -> None:
    rules = extension("default_rules")
    configs = (LaunchConfig, DecodingConfig, ExplanationConfig)
    options = {**fit_options(), **{name: option for config in configs for name, option in options_of(config).items()}}
    open_settings = {name for name, option in options.items() if option.default is None}
    seeds = {"seed", "max_length", "batch_size"}  # which training has defaults for, and decoding rules
    assert set(rules.RULES) | set(rules.NO_RULE) == open_settings | (seeds & set(rules.RULES))
    assert not set(rules.RULES) & set(rules.NO_RULE)
