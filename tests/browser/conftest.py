"""Browser tests: skipped by name where there is no Chromium or Chrome; with ``CI=true`` its absence is a failure."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test in this folder is a ``browser`` test; where tests run side by side, all of them on one process."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="package")
def browser_path() -> str:
    from .lab import BROWSERS, find_browser

    found = find_browser()
    if found is None:
        message = f"No browser: none of {', '.join(BROWSERS)} is on the path."
        if os.environ.get("CI") == "true":
            pytest.fail(message + " With CI=true every browser test must run.")
        pytest.skip(message)
    return found


@pytest.fixture(scope="package")
def _context(browser_path: str) -> Iterator:
    """One browser for all of them; closed before other tests run, whose event loops would meet that of Playwright."""
    from playwright.sync_api import sync_playwright

    from .lab import BROWSER_OPTIONS, WAIT

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=BROWSER_OPTIONS, timeout=1000 * WAIT)
        context = browser.new_context(locale="en-GB", permissions=["clipboard-read", "clipboard-write"])
        yield context
        browser.close()


@pytest.fixture(scope="package")
def _server(browser_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """One JupyterLab for all of them."""
    from .lab import Server

    server = Server(tmp_path_factory.mktemp("lab"))
    yield server
    server.stop()


@pytest.fixture(scope="package")
def _shared(_server, _context) -> Iterator:
    """One page with JupyterLab for most of them."""
    from .lab import SharedPage

    shared = SharedPage(_server, _context)
    yield shared
    shared.drop()


@pytest.fixture(scope="package")
def dates(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a small model of dates, good enough to have reasons, with its training rows."""
    from nbtextgen import TextGenerator, builtin

    model = TextGenerator(
        hidden_size=32, embedding_size=16, dropout=0.0, samples=0, epochs=10, source_masking=0.1, learning_rate=0.01
    ).fit(builtin("dates", 600), callbacks=[])
    return str(model.save(tmp_path_factory.mktemp("model") / "dates", keep_rows=True))


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note a failed test, which may leave anything in the page."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture
def lab(request: pytest.FixtureRequest, _server, _context, _shared) -> Iterator:
    """Opens notebooks; at the end no page may have asked for anything outside this machine."""
    from .lab import Lab

    opened = Lab(_server, _context, _shared)
    yield opened
    if request.node.stash.get(FAILED, False):
        _shared.drop()
    opened.close()
    assert not opened.foreign, f"the page asked for {opened.foreign}"
