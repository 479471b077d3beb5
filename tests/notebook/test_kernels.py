"""The live panel's protocol against several versions of ipykernel, spoken as JupyterLab speaks it."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.notebook.installing import installed
from tests.notebook.kernel import Kernel, kernel

VERSIONS = {
    "6.29": ("ipykernel==6.29.*", "nest-asyncio"),
    "7.3": ("ipykernel==7.3.*",),
    "newest": ("ipykernel",),
}
ROWS = "rows = [(a + b + c, c + b + a) for a in 'abcdefgh' for b in 'abcdefgh' for c in 'abcdefgh']"
LONG = "--hidden-size 8 --embedding-size 8 --dropout 0 --batch-size 16 --epochs 100000 --validate-every 10"
WAIT = 300.0


class Page:
    """What a page with the live panel does: reads what the kernel publishes, and sends messages to the widget."""

    def __init__(self, kernel: Kernel, code: str) -> None:
        self.kernel, self.subshell = kernel, _subshell(kernel)
        self.cell = kernel.begin(code)
        self.panel = ""
        self.states: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self.ended = False
        self.error = ""
        self.shown = ""

    def read(self, until: Callable[[Page], object]) -> None:
        """Take in messages until something is so."""
        end = time.monotonic() + WAIT
        while not until(self):
            assert time.monotonic() < end and not (self.ended and not self.panel), self.error or self.shown
            try:
                self._take(self.kernel.client.get_iopub_msg(timeout=1))
            except queue.Empty:
                continue

    def _take(self, message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind == "comm_msg" and content["comm_id"] == self.panel and content["data"].get("method") == "custom":
            sent = content["data"]["content"]
            (self.answers if "acknowledged" in sent else self.states).append(sent)
        if message["parent_header"].get("msg_id") != self.cell:
            return
        if kind in ("display_data", "update_display_data"):
            view = content["data"].get("application/vnd.jupyter.widget-view+json")
            self.panel = view["model_id"] if view else self.panel
            self.shown += content["data"]["text/plain"]
        elif kind == "error":
            self.error = "\n".join(content["traceback"])
        elif kind == "status" and content["execution_state"] == "idle":
            self.ended = True

    def tell(self, what: str, value: float | None = None) -> None:
        """Press a button or move a slider, and wait for the kernel's answer."""
        before = len(self.answers)
        data = {"method": "custom", "content": {"action": what, "value": value}}
        session = self.kernel.client.session
        message = session.msg("comm_msg", {"comm_id": self.panel, "data": data})
        if self.subshell:
            message["header"]["subshell_id"] = self.subshell
        self.kernel.client.shell_channel.send(message)
        self.read(lambda page: len(page.answers) > before)
        assert self.answers[-1]["acknowledged"] == what


def _subshell(kernel: Kernel) -> str:
    """A subshell where the kernel has them: JupyterLab sends every widget message to one."""
    client = kernel.client
    asked = client.kernel_info()
    while (reply := client.get_shell_msg(timeout=WAIT))["parent_header"].get("msg_id") != asked:
        continue  # the answers to earlier cells lie there, too
    features = reply["content"].get("supported_features", [])
    if "kernel subshells" not in features:
        return ""
    client.control_channel.send(client.session.msg("create_subshell_request", {}))
    return client.get_control_msg(timeout=WAIT)["content"]["subshell_id"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_running_cell_is_paused_steered_and_stopped_on_each_kernel(version: str, tmp_path: Path) -> None:
    packages = installed(f"ipykernel-{version}", *VERSIONS[version], newest=version == "newest")
    with kernel(packages) as running:
        running.run(ROWS)
        found = running.run("import ipykernel; print(ipykernel.__version__, ipykernel.__file__)").text
        assert str(packages) in found and (version == "newest" or found.startswith(version))

        page = _begin(running, f"%textgen_train words --data rows {LONG} --run {tmp_path / 'run'}\nprint('after')")
        page.tell("pause")
        assert page.answers[-1]["controls"]["paused"]
        _logged(tmp_path / "run", "paused", True)
        page.tell("resume")
        page.tell("rate_factor", 0.5)
        _logged(tmp_path / "run", "rate_factor", 0.5)
        assert not page.ended and page.answers[-1]["controls"]["rate_factor"] == 0.5
        page.tell("stop")
        page.read(lambda page: page.ended)
        assert not page.error and "stopped after" in page.shown
        assert running.run("words.generate('abc').text is not None").value == "True"

        page = _begin(running, f"%textgen_train words --data rows {LONG}")
        running.interrupt()
        page.read(lambda page: page.ended)
        assert not page.error and "stopped after" in page.shown


def _logged(run: Path, setting: str, value: object) -> None:
    """Wait until the event log says that the running model took a change."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        whole = [line for line in (run / "events.jsonl").read_text().splitlines(keepends=True) if line.endswith("\n")]
        if any(one.get("setting") == setting and one["value"] == value for one in map(json.loads, whole)):
            return
        time.sleep(0.02)
    raise AssertionError(f"{setting} never became {value}")


def _begin(running: Kernel, code: str) -> Page:
    """Run a cell, and see its panel with the best model so far."""
    page = Page(running, code)
    page.read(lambda page: any("best" in one.get("add", {}) for one in page.states))
    return page
