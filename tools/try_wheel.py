"""Uses an installed nbtextgen as a new user would; run by tools/release.sh outside the checkout, with the core dependencies alone."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell

import nbtextgen

COMMAND = Path(sys.executable).with_name("nbtextgen")
SMALL = ["--hidden-size=32", "--epochs=2", "--samples=0"]
README = Path(__file__).parents[1] / "README.md"


def run(*arguments: str) -> str:
    """Run the command line; return what it prints."""
    return subprocess.run([COMMAND, *arguments], check=True, capture_output=True, text=True).stdout


def readme_cells() -> list[str]:
    """The cells under "Three cells" in README, as they are pasted, with a training of some seconds."""
    section = README.read_text(encoding="utf-8").partition("## Three cells")[2].partition("\n## ")[0]
    blocks = [
        [line[4:] for line in block.split("\n") if line.startswith("    ")] for block in section.split("<!-- -->")
    ]
    cells = ["\n".join(lines) for lines in blocks]
    assert len(cells) == 3 and "--max-minutes 1" in cells[1], cells
    return [cells[0], cells[1].replace("--max-minutes 1", "--max-minutes 0.1"), cells[2]]


def main() -> None:
    """Train, generate, evaluate and explain, in a shell and in IPython."""
    assert Path(sys.prefix) in Path(nbtextgen.__file__).parents, f"not the wheel: {nbtextgen.__file__}"
    description = str(metadata.metadata("nbtextgen").json["description"])
    assert description.startswith("# nbtextgen") and "<picture" not in description, (
        "the index would lack the picture's file"
    )
    words = [f"{number:b}".replace("0", "a").replace("1", "b") for number in range(100, 300)]
    Path("pairs.tsv").write_text("".join(f"{word}\t{word[::-1]}\n" for word in words))
    assert nbtextgen.__version__ in run("--version")
    run("train", "pairs.tsv", "--save", "model", *SMALL)
    assert run("generate", "model", "abba", "baab").count("\n") == 2
    assert "exact" in run("evaluate", "model", "pairs.tsv")
    assert "SHAP" in run("explain", "model", "abba", "--page", "why.html")
    assert Path("why.html").stat().st_size > 1000
    shell = InteractiveShell.instance()
    shell.run_cell("%load_ext nbtextgen").raise_error()
    shell.run_cell(f"%textgen_train again --data pairs.tsv {' '.join(SMALL)}").raise_error()
    shell.run_cell("text = again.generate('abba').text").raise_error()
    shell.run_cell("again.explain('abba')").raise_error()
    for cell in readme_cells():
        shell.run_cell(cell).raise_error()
    shell.run_cell("%textgen_data builtin:dates")  # babel is an extra: one sentence, no traceback
    print(f"nbtextgen {nbtextgen.__version__} works from its wheel")


if __name__ == "__main__":
    main()
