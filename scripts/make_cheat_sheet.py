"""Make ``docs/cheatsheet.pdf``, one page, from ``docs/cheatsheet.md``, with Chromium.

Run ``python scripts/make_cheat_sheet.py`` after a change of the page; needs markdown-it-py and Pygments (of Jupyter) and Chromium.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, PDF = DOCS / "cheatsheet.md", DOCS / "cheatsheet.pdf"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
STYLE = """
@page { size: A4 landscape; margin: 8mm 9mm }
* { box-sizing: border-box }
body { margin: 0; font: 12px/1.42 "DejaVu Sans", sans-serif; color: #1a1a1a; columns: 3; column-gap: 7mm }
h1 { font-size: 22px; margin: 0 0 1mm; color: #8a3b00; column-span: none }
h2 { font-size: 14px; margin: 4mm 0 .8mm; color: #8a3b00; border-bottom: .3mm solid #e0c9b5; break-after: avoid }
p { margin: .6mm 0 } p, table, pre { break-inside: avoid }
pre { margin: .6mm 0 1mm; padding: 1.2mm 1.6mm; background: #f6f4f1; border-radius: 1mm; white-space: pre-wrap;
      overflow-wrap: anywhere; font: 10.4px/1.5 "DejaVu Sans Mono", monospace }
pre div { padding-left: 2ch; text-indent: -2ch }
code { font: 10.4px "DejaVu Sans Mono", monospace; white-space: nowrap }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; vertical-align: top; padding: .5mm 1.2mm .5mm 0;
      border-bottom: .2mm solid #ddd } thead { display: none }
pre span { color: inherit } .c1 { color: #6a6a6a !important } .k, .kn { color: #7a3e9d !important } .s2, .s1 { color: #2b6a2b !important }
"""


def digest() -> bytes:
    """A comment for the end of the file, by which a test sees that it is of the page as it is."""
    return b"%cheatsheet.md " + hashlib.sha256(PAGE.read_bytes()).hexdigest().encode() + b"\n"


def as_html() -> str:
    """The page as HTML in three columns."""
    from markdown_it import MarkdownIt
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name

    def coloured(code: str, language: str, _: str) -> str:
        code = re.sub(r" {2,}#", "  #", code)
        lexer = get_lexer_by_name("bash" if language == "bash" else "python")
        lines = highlight(code, lexer, HtmlFormatter(nowrap=True)).rstrip("\n").split("\n")
        return "<pre>" + "".join(f"<div>{line or '&nbsp;'}</div>" for line in lines) + "</pre>"

    text = re.sub(
        r"^:::.*$|^\{.*\}$", "", PAGE.read_text(encoding="utf-8").split("<!-- not printed -->")[0], flags=re.MULTILINE
    )
    body = (
        MarkdownIt("commonmark", {"highlight": coloured})
        .enable("table")
        .render(text.replace("# Cheat sheet", "# nbtextgen", 1))
    )
    return f"<!doctype html><meta charset='utf-8'><title>nbtextgen</title><style>{STYLE}</style><body>{body}"


def main() -> None:
    """Print the page and refuse a second one."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        sys.exit("There is no Chromium or Chrome to print the page with.")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(as_html(), encoding="utf-8")
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile"]
        command += ["--no-pdf-header-footer", f"--print-to-pdf={folder}/page.pdf", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        pdf = (Path(folder) / "page.pdf").read_bytes()
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
    if pages != 1:
        sys.exit(f"The cheat sheet has {pages} pages; shorten it.")
    PDF.write_bytes(pdf + digest())
    print(f"{PDF}: one page, {len(pdf) // 1024} KB")


if __name__ == "__main__":
    main()
