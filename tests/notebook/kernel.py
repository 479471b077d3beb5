"""A real kernel in a process of its own, driven as a front-end drives it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.manager import start_new_kernel

ROOT = Path(__file__).parents[2]


@dataclass
class Answer:
    """What came back for a cell: its printed text, rich outputs, messages to widgets, its value as text, and its error."""

    text: str = ""
    outputs: list[dict[str, Any]] = field(default_factory=list)
    updates: int = 0
    messages: list[dict[str, Any]] = field(default_factory=list)
    value: str | None = None
    error: str | None = None

    @property
    def shown(self) -> str:
        """All that can be read: what was printed, and the outputs as plain text."""
        return "\n".join([self.text, *(one.get("text/plain", "") for one in self.outputs)])


class Kernel:
    """Runs cells; ``run`` waits for the end, ``begin`` and ``end`` let things happen in between."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager, self.client = manager, client

    def begin(self, code: str) -> str:
        """Send a cell; gives its message id."""
        return self.client.execute(code, store_history=True)

    def end(self, message: str, seconds: float = 300, seen: Callable[[str], None] = lambda text: None) -> Answer:
        """Collect what the cell sends until it is done; ``seen`` hears all that can be read so far."""
        answer, until = Answer(), time.monotonic() + seconds
        while time.monotonic() < until:
            got = self.client.get_iopub_msg(timeout=seconds)
            kind, content = got["msg_type"], got["content"]
            if got["parent_header"].get("msg_id") != message:
                continue
            if kind == "stream":
                answer.text += content["text"]
                seen(answer.shown)
            elif kind == "display_data":
                answer.outputs.append(content["data"])
                seen(answer.shown)
            elif kind == "update_display_data":
                answer.outputs[-1:] = [content["data"]]
                answer.updates += 1
                seen(answer.shown)
            elif kind == "comm_msg":
                answer.messages.append(content)
            elif kind == "execute_result":
                answer.value = content["data"]["text/plain"]
            elif kind == "error":
                answer.error = "\n".join(content["traceback"])
            elif kind == "status" and content["execution_state"] == "idle":
                return answer
        raise TimeoutError(f"the cell did not end within {seconds} s; so far: {answer.shown[-300:]}")

    def run(self, code: str) -> Answer:
        """Run a cell to its end."""
        return self.end(self.begin(code))

    def interrupt(self) -> None:
        """What the notebook's stop button does."""
        self.manager.interrupt_kernel()


@contextmanager
def kernel(packages: Path | None = None) -> Iterator[Kernel]:
    """A fresh kernel in the project's root with the extension loaded.

    Args:
        packages: a folder whose packages come before those of the environment.
    """
    path = os.pathsep.join(map(str, filter(None, (packages, ROOT))))
    variables = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    manager, client = start_new_kernel(startup_timeout=300, cwd=str(ROOT), env=variables)
    try:
        running = Kernel(manager, client)
        running.run("%load_ext nbtextgen")
        yield running
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
