"""Check the pages that ``make docs`` built: links and pictures lead somewhere, nothing is fetched from another host, languages are named.

Run ``python scripts/check_docs.py docs/_build/html``.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "srcset", "video": "src", "link": "href"}
"""Attributes whose address a browser fetches by itself."""
NOT_FETCHED = ("canonical", "next", "prev", "index", "search", "author")
"""Relations of ``<link>`` that are only followed on request."""


class Page(HTMLParser):
    """What a page links to, fetches and can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links, self.fetched, self.anchors, self.language = set[str](), set[str](), set[str](), ""
        self.feed(text)
        self.has_types = "Return type<" in text

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value}
        if tag == "html":
            self.language = values.get("lang", "")
        if "id" in values:
            self.anchors.add(values["id"])
        if tag == "a" and "href" in values:
            self.links.add(values["href"])
        relations = set(values.get("rel", "").split())
        if tag in FETCHED and FETCHED[tag] in values and not relations & set(NOT_FETCHED):
            self.fetched.add(values[FETCHED[tag]])


def problems(folder: Path) -> list[str]:
    """One sentence for each broken link and each address that is fetched from elsewhere."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))}
    found = list[str]()
    for path, page in pages.items():
        name = path.relative_to(folder)
        if (name.parts[0] == "zh") != page.language.startswith("zh") and not name.stem.endswith(".zh"):
            found.append(f"{name} says that its language is {page.language!r}")
        if page.has_types:
            found.append(f"{name} took the beginning of what is returned for its type")
        found += [f"{name} fetches {url}" for url in sorted(page.fetched) if urlsplit(url).scheme in ("http", "https")]
        for url in sorted(page.links | page.fetched):
            parts = urlsplit(url)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                found.append(f"{name}: there is no {url}")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{name}: there is no place {url}")
    return found


def main(folder: Path) -> int:
    """Print the problems; returns 1 if there are any."""
    found = problems(folder.resolve())
    print("\n".join(found) or f"links are good in {folder}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
