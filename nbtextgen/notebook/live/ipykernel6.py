"""Widget messages on ipykernel 6, which keeps every message in a queue until the running cell has ended.

A cell that awaits lets that kernel's loop run, so its queue fills, but only its own dispatcher takes messages out, one
cell after another. ``dispatch_widget_messages`` takes those for widgets out early and leaves the others in their order. From ipykernel 7 on
there is no such queue, and nothing to do.
"""

from __future__ import annotations

import json
from typing import Any

WIDGET_MESSAGES = ("comm_open", "comm_msg", "comm_close", "comm_info_request")


async def dispatch_widget_messages(kernel: Any) -> None:
    """Handle the widget messages that wait behind the cell that awaits this coroutine."""
    queue = getattr(kernel, "msg_queue", None)
    if queue is None or not queue.qsize():
        return
    waiting = [queue.get_nowait() for _ in range(queue.qsize())]
    early = [item for item in waiting if _kind(kernel, item) in WIDGET_MESSAGES]
    for item in waiting:
        if item not in early:
            queue.put_nowait(item)
    parent, ident = kernel.get_parent("shell"), kernel._parent_ident["shell"]
    for _, dispatch, arguments in early:
        await dispatch(*arguments)
    if early:
        kernel.set_parent(ident, parent)  # what the cell writes next is its own again


def _kind(kernel: Any, item: Any) -> str:
    """Return the type of a queued message, read from its frames without consuming it; empty if it is no message."""
    try:
        _, _, (frames,) = item
        _, parts = kernel.session.feed_identities(frames, copy=False)
        return str(json.loads(bytes(parts[1].buffer))["msg_type"])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return ""
