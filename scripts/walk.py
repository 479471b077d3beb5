"""Walk through docs/walks.md in JupyterLab, with headless Chromium, and draw its pictures: python scripts/walk.py [SECTION ...]

Every block of Python or of magics is run as a cell, in the order of the page; where a picture follows, the output of the last cell is
drawn. A cell that fails ends the walk. SECTION is a part of a heading, for instance ``student``. About ten minutes for all.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browser.lab import Lab, headless_lab  # noqa: E402

PAGE = ROOT / "docs" / "walks.md"
STEP = re.compile(r"^```(?:python|ipython3)\n(.*?)^```$|^!\[[^\]]*\]\((\S+)\)$", re.MULTILINE | re.DOTALL)
WIDTH, HEIGHT = 900, 720
"""Of the window; a picture is cut at this height."""
COLOURS = 160
"""Of a picture, which keeps it under 60 kB."""


def draw(part: Locator, path: Path) -> None:
    """A small picture of a part of the page."""
    picture = Image.open(io.BytesIO(part.screenshot())).convert("RGB")
    picture = picture.crop((0, 0, picture.width, min(picture.height, HEIGHT)))
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes", flush=True)


def walk(lab: Lab, section: str) -> None:
    """Run the blocks of a section and draw its pictures."""
    notebook = lab.open([], width=WIDTH, height=1600)
    notebook.page.set_default_timeout(1_000_000)  # three trainings in one cell, on a machine that may be busy
    cell = 0
    for code, picture in STEP.findall(section):
        if code:
            cell = notebook.add(code.rstrip())
            notebook.run(cell)
        else:
            notebook.page.wait_for_timeout(3000)  # an explanation is computed after its panel is there
            draw(notebook.output(cell), PAGE.parent / picture)


def main(names: list[str]) -> None:
    """Walk through the sections named, or all."""
    sections = PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
    with headless_lab() as lab:
        for section in sections:
            title = section.partition("\n")[0]
            if not names or any(name in title for name in names):
                walk(lab, section)
                lab.close()


if __name__ == "__main__":
    main(sys.argv[1:])
