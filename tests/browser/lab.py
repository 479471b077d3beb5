"""A real JupyterLab and a real Chromium for the browser tests: one server, one browser, a fresh notebook per test."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import xml.etree.ElementTree as xml
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, expect, sync_playwright

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
BROWSER_OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Nothing leaves the machine, whatever a page asks for; what it asks for is recorded and fails the test.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "checkForUpdates": False,
        "fetchNews": "false",
        "doNotDisturbMode": True,
    },
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none", "autoStartDefaultKernel": True},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}
"""JupyterLab's own settings for a test: no pop-ups, and every cell stays in the page so that it can be looked at."""
WAIT = 180.0
"""Seconds until something that never comes fails a test; nothing is asserted about how long things take."""
expect.set_options(timeout=WAIT * 1000)


def find_browser() -> str | None:
    """The Chromium or Chrome of this machine."""
    return next((found for found in map(shutil.which, BROWSERS) if found), None)


class WarmKernels:
    """The process whose forks are the kernels (``warm_kernels.py``)."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._folder = tempfile.mkdtemp(prefix="kernels-")  # the path of a socket has at most 107 characters
        script, address = str(Path(__file__).with_name("warm_kernels.py")), os.path.join(self._folder, "socket")
        self.command = [sys.executable, "-ES", script, address]
        start = [sys.executable, script, "serve", address]
        self._process = subprocess.Popen(start, env=os.environ | environment, stdout=subprocess.PIPE)

    def wait_ready(self) -> None:
        """Until kernels can be started."""
        assert self._process.stdout and self._process.stdout.readline() == b"ready\n"

    def stop(self) -> None:
        """End the process, and with it its forks."""
        self._process.kill()
        self._process.communicate()
        shutil.rmtree(self._folder)


class Server:
    """JupyterLab on 127.0.0.1 with settings, data and workspaces of its own; its kernel is this very Python."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "notebooks"
        self.folder.mkdir(parents=True)
        self.token = secrets.token_hex(16)
        self.port = 0
        places = {
            name: home / name.lower() for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
        }
        labconfig = places["JUPYTER_CONFIG_DIR"] / "labconfig"
        labconfig.mkdir(parents=True)
        (labconfig / "default_setting_overrides.json").write_text(json.dumps(SETTINGS))
        kernel = places["JUPYTER_DATA_DIR"] / "kernels" / "python3"
        kernel.mkdir(parents=True)
        environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "IPYTHONDIR": str(home / "ipython")}
        self._kernels = WarmKernels(environment)
        spec = {
            "argv": [*self._kernels.command, "-f", "{connection_file}"],
            "display_name": "Python 3",
            "language": "python",
            "env": environment,
        }
        (kernel / "kernel.json").write_text(json.dumps(spec))
        self._environment = os.environ | {name: str(place) for name, place in places.items()}
        # Our folders before those of the environment, whose kernel might run another Python.
        self._environment["JUPYTER_PREFER_ENV_PATH"] = "0"
        self._log = (home / "server.log").open("wb")
        for _ in range(3):  # somebody else may take the port before the server does
            self._process = self._start(home)
            if self._answers():
                self._kernels.wait_ready()
                return
        raise RuntimeError(f"JupyterLab did not start:\n{(home / 'server.log').read_text()[-3000:]}")

    def _start(self, home: Path) -> subprocess.Popen[bytes]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        options = [
            "--no-browser",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={self.token}",
            f"--ServerApp.root_dir={self.folder}",
            "--ServerApp.allow_root=True",
            "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",  # Notebook 7, served beside JupyterLab under /notebooks
            "--LabApp.news_url=None",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            f"--LabApp.workspaces_dir={home / 'workspaces'}",
            f"--LabApp.user_settings_dir={home / 'settings'}",
        ]
        command = [sys.executable, "-m", "jupyterlab", *options]
        return subprocess.Popen(command, env=self._environment, stdout=self._log, stderr=subprocess.STDOUT)

    def _answers(self) -> bool:
        """Wait for the server; false when it has ended instead."""
        end = time.monotonic() + WAIT
        while time.monotonic() < end and self._process.poll() is None:
            try:
                self.api("GET", "status")
                return True
            except OSError:
                time.sleep(0.1)
        return False

    def url(self, path: str) -> str:
        """The address of a page of this server."""
        joint = "&" if "?" in path else "?"
        return f"http://127.0.0.1:{self.port}/{path}{joint}token={self.token}"

    def api(self, method: str, path: str) -> Any:
        """Call the server's own interface."""
        request = urllib.request.Request(self.url(f"api/{path}"), method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=WAIT) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def end_kernels(self) -> None:
        """Shut every kernel down, so that tests do not share the machine with those before them."""
        for kernel in self.api("GET", "kernels"):
            self.api("DELETE", f"kernels/{kernel['id']}")

    def stop(self) -> None:
        """End the server and its kernels."""
        try:
            self.end_kernels()
        finally:
            self._process.kill()
            self._process.wait()
            self._kernels.stop()
            self._log.close()


TOO_WIDE = """part => { const scrolls = one => one !== part && (getComputedStyle(one).overflowX !== 'visible' || scrolls(one.parentElement));
    return [...part.querySelectorAll('*')].filter(one => one instanceof HTMLElement && one.scrollWidth > part.clientWidth + 1
    && !scrolls(one)).map(one => one.outerHTML.slice(0, 80)); }"""
"""Elements that stick out of a part of the page and cannot be scrolled."""


class SharedPage:
    """One page with JupyterLab in it, which the tests use one after another: loading it takes most of a short test.

    Attributes:
        lab: of the test that uses it now, which receives what the page asks for and what it prints on the console.
    """

    def __init__(self, server: Server, context: BrowserContext) -> None:
        self._server, self._context = server, context
        self._page: Page | None = None
        self.lab: Lab | None = None

    def get(self) -> Page:
        """The page, with JupyterLab loaded and no document open."""
        if self._page is None:
            self._page = self._context.new_page()
            self._page.set_default_timeout(WAIT * 1000)
            self._page.on("request", lambda request: self.lab and self.lab.note_request(request))
            self._page.on("pageerror", lambda error: self.lab and self.lab.complaints.append(str(error)))
            self._page.on("console", lambda message: self.lab and self.lab.note_console(message))
            self._page.goto(self._server.url("lab/workspaces/tests?reset"))
            self._page.wait_for_function("() => window.jupyterapp?.restored.then(() => true)")
            self._page.evaluate(
                "() => { jupyterapp.shell.mode = 'single-document'; jupyterapp.shell.collapseLeft(); jupyterapp.shell.collapseRight(); }"
            )  # the notebook has the whole window
        return self._page

    def clear(self) -> None:
        """Close all documents without saving them."""
        if self._page is None:
            return
        self._page.mouse.move(0, 0)
        self._page.evaluate(
            "() => { for (const document of [...jupyterapp.shell.widgets('main')]) document.dispose(); "
            "delete window.ran; delete window.hit; delete window.pwned; }"
        )

    def drop(self) -> None:
        """Close the page: the next test gets a fresh one."""
        page, self._page = self._page, None
        if page is not None:
            page.close()


@dataclass
class Lab:
    """What a test holds: opens notebooks, and knows what the pages asked of the network and said on the console."""

    server: Server
    context: BrowserContext
    shared: SharedPage
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)

    def open(
        self, cells: Sequence[str], *, width: int = 1280, height: int = 900, run: bool = False, classic: bool = False
    ) -> Notebook:
        """A new notebook made of code cells, open in JupyterLab, its kernel ready.

        Args:
            cells: the source of each code cell.
            width, height: of the window, in pixels.
            run: run every cell and wait for each.
            classic: open it in Notebook 7 instead.
        """
        made = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        notebook = self.open_saved(made, width=width, height=height, classic=classic)
        if run:
            for at in range(len(cells)):
                notebook.run(at)
        return notebook

    def open_saved(
        self, saved: nbformat.NotebookNode, *, width: int = 1280, height: int = 900, classic: bool = False
    ) -> Notebook:
        """Open a notebook with its outputs, which are not trusted; the other arguments are those of ``open``."""
        name = f"test-{secrets.token_hex(4)}.ipynb"
        nbformat.write(saved, self.server.folder / name)
        page = self._page_of_its_own() if classic else self.shared.get()
        page.set_viewport_size({"width": width, "height": height})
        notebook = Notebook(page, self.server, name)
        if classic:
            page.goto(self.server.url(f"notebooks/{name}"))
        else:
            self.shared.lab = self
            page.evaluate(
                "path => jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'}).then(() => null)",
                name,
            )
        notebook.wait_ready()
        return notebook

    def _page_of_its_own(self) -> Page:
        page = self.context.new_page()
        self.pages.append(page)
        page.set_default_timeout(WAIT * 1000)
        page.on("request", self.note_request)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self.note_console)
        return page

    def note_request(self, request: Request) -> None:
        """Remember a request that leaves this machine."""
        if not re.match(r"(data|blob):|(http|ws)s?://127\.0\.0\.1[:/]", request.url):
            self.foreign.append(request.url)

    def note_console(self, message: ConsoleMessage) -> None:
        """Remember an error on the console."""
        if message.type == "error":
            self.complaints.append(message.text)

    def close(self) -> None:
        """Close the notebooks, and the pages that were opened for this test, and end their kernels."""
        for page in self.pages:
            page.close()
        self.shared.clear()
        self.shared.lab = None
        self.server.end_kernels()


@contextmanager
def headless_lab() -> Generator[Lab]:
    """JupyterLab in a new folder and a headless browser, for scripts that draw pictures."""
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=BROWSER_OPTIONS)
        server = Server(Path(home))
        try:
            context = browser.new_context(locale="en-GB")
            yield Lab(server, context, SharedPage(server, context))
        finally:
            server.stop()
            browser.close()


@dataclass
class Notebook:
    """One open notebook. Cells are numbered from 0."""

    page: Page
    server: Server
    name: str

    def wait_ready(self) -> None:
        """Until the notebook is shown and its kernel answers."""
        self.page.wait_for_function(
            """() => { const doc = window.jupyterapp?.shell?.currentWidget;
                       const kernel = doc?.sessionContext?.session?.kernel;
                       return doc?.content?.widgets?.length && kernel?.connectionStatus === 'connected'
                           && ['idle', 'busy'].includes(kernel.status); }"""
        )

    def run(self, at: int, *, wait: bool = True) -> Locator:
        """Run one cell; gives its output. ``wait=False`` returns at once, as after a press of Shift-Enter."""
        self.page.evaluate(
            """at => { const doc = jupyterapp.shell.currentWidget; doc.content.activeCellIndex = at;
                       doc.content.deselectAll(); window.ran = window.ran ?? {}; window.ran[at] = false;
                       jupyterapp.commands.execute('notebook:run-cell').then(() => { window.ran[at] = true; }); }""",
            at,
        )
        if wait:
            self.wait(at)
        return self.output(at)

    def wait(self, at: int) -> None:
        """Until a cell that was run has ended; it must have ended well."""
        self.page.wait_for_function("at => window.ran[at]", arg=at)
        failed = self.output(at).locator("[data-mime-type='application/vnd.jupyter.error']")
        assert not failed.count(), failed.first.inner_text()

    def running(self, at: int) -> bool:
        """Whether a cell that was run has not ended yet."""
        return not self.page.evaluate("at => window.ran[at]", at)

    def add(self, source: str) -> int:
        """A new cell at the end; gives its number."""
        return self.page.evaluate(
            """source => { const doc = jupyterapp.shell.currentWidget; const model = doc.content.model;
                           model.sharedModel.addCell({cell_type: 'code', source}); return model.cells.length - 1; }""",
            source,
        )

    def value(self, code: str) -> str:
        """What a line of Python prints, run as a new cell; for looking into the kernel."""
        output = self.run(self.add(f"print({code})"))
        return output.inner_text().strip()

    def cell(self, at: int) -> Locator:
        """A cell with its input and output."""
        return self.page.locator(".jp-Notebook-cell").nth(at)

    def output(self, at: int) -> Locator:
        """The output area of a cell."""
        return self.cell(at).locator(".jp-Cell-outputArea")

    def panel(self, at: int) -> Locator:
        """The panel that a cell shows, without the hidden still beside it."""
        return self.output(at).locator(".jp-OutputArea-child:not(:has([class^='ntg-still']))").first

    def themes(self) -> tuple[str, str]:
        """Both themes, the present one first: a change takes about a second."""
        light = self.page.evaluate("() => document.body.dataset.jpThemeLight") == "true"
        return ("light", "dark") if light else ("dark", "light")

    def theme(self, name: str) -> None:
        """``light`` or ``dark``."""
        if name == self.themes()[0]:
            return
        full = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[name]
        self.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", full)
        self.page.wait_for_function(
            "light => document.body.dataset.jpThemeLight === light", arg=str(name == "light").lower()
        )
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")  # it covers the page

    def pictures(self, target: Locator, stem: Path) -> list[Path]:
        """Screenshots of a part of the page in both themes: ``stem-light.png`` and ``stem-dark.png``."""
        stem.parent.mkdir(parents=True, exist_ok=True)
        made = []
        window, box = self.page.viewport_size, target.bounding_box()
        if window and box and box["height"] > window["height"] - 200:
            self.page.set_viewport_size({**window, "height": int(box["height"]) + 300})
        for theme in self.themes():
            self.theme(theme)
            self.drawn()
            made.append(stem.with_name(f"{stem.name}-{theme}.png"))
            target.screenshot(path=made[-1])
        if window:
            self.page.set_viewport_size(window)
        return sorted(made, reverse=True)

    def drawn(self) -> None:
        """Until the page has drawn what was changed."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def accessibility(self, part: Locator) -> list[str]:
        """What axe-core finds wrong with a part of the page, by the rules of WCAG 2.1 A and AA and its best practices."""
        source = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
        self.page.evaluate(f"() => {{ if (!window.axe) {{ {source} }} }}")
        found = part.evaluate(
            """part => axe.run(part, {rules: {region: {enabled: false}}}).then(({violations}) => violations.flatMap(
                   ({id, help, nodes}) => nodes.map(({html, any}) => `${id}: ${help}: ${html} ${any[0]?.message ?? ''}`)))"""
        )
        return [one for one in found if "jp-OutputPrompt" not in one]  # the prompt is JupyterLab's own

    def keep(self, pressed: Locator, folder: Path, key: str = "Enter") -> Path:
        """The file that a button saves when it is pressed by keyboard; raises where it is no whole picture."""
        with self.page.expect_download() as download:
            pressed.press(key)
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        if path.suffix == ".svg":
            xml.parse(path)
        else:
            inked = self.page.evaluate(
                """data => new Promise((resolve) => { const image = new Image(); image.onload = () => {
                    const canvas = document.createElement('canvas'); [canvas.width, canvas.height] = [image.width, image.height];
                    const pen = canvas.getContext('2d'); pen.drawImage(image, 0, 0);
                    const dots = pen.getImageData(0, 0, image.width, image.height).data;
                    resolve(dots.filter((value, at) => at % 4 === 0 && value < 200).length); };
                    image.src = `data:image/png;base64,${data}`; })""",
                base64.b64encode(path.read_bytes()).decode(),
            )
            assert inked > 1000, f"{path.name} is blank"
        return path

    def save(self) -> Path:
        """Save the notebook; gives its file."""
        self.page.evaluate("() => jupyterapp.shell.currentWidget.context.save()")
        return self.server.folder / self.name

    def reload(self) -> None:
        """Load the page of the notebook anew, as the browser's button does; the kernel goes on."""
        self.page.goto(self.server.url(f"doc/workspaces/{self.name[:-6]}/tree/{self.name}"))
        self.wait_ready()

    def restart_kernel(self) -> None:
        """Restart the kernel; its memory is lost."""
        self.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
        self.wait_ready()

    def interrupt(self) -> None:
        """Press the interrupt button."""
        self.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt()")


def pictures(notebook: Notebook, part: Locator, name: str) -> None:
    """Pictures in both themes in the folder ``NBTEXTGEN_PICTURES``, for somebody who looks at them; else nothing."""
    if folder := os.environ.get("NBTEXTGEN_PICTURES"):
        notebook.pictures(part, Path(folder) / name)


def nothing_wrong(notebook: Notebook, part: Locator) -> None:
    """Neither theme has anything that axe-core finds wrong."""
    for theme in notebook.themes():
        notebook.theme(theme)
        violations = notebook.accessibility(part)
        assert not violations, f"{theme}: {violations}"
