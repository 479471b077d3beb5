"""Kernels that start at once, since their imports are made once: they are forks of a process that has made them.

``serve`` is that process. A kernel's command is this file, run as a script: it asks for a fork, hands it its own output and working
folder, passes signals on, and ends with it. What a test sees is an ``ipykernel`` of its own; only ``import torch`` costs nothing.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path

IMPORTS = ("ipykernel.kernelapp", "IPython", "ipywidgets", "anywidget", "torch", "nbtextgen.generator")


def serve(address: str) -> None:
    """Import what kernels need, then fork one for each that connects; ends with the process that started it."""
    sys.path.pop(0)  # the folder of this file
    for name in IMPORTS:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who has ended is forgotten
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _become(connection)
            connection.close()


def _become(connection: socket.socket) -> None:
    """Turn this fork into the kernel that was asked for."""
    message, handles, _, _ = socket.recv_fds(connection, 1_000_000, 3)
    wanted = json.loads(message)
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, handle in enumerate(handles):
        os.dup2(handle, number)
        os.close(handle)
    os.chdir(wanted["folder"])
    os.environ.clear()
    os.environ.update(wanted["environment"])
    connection.send(str(os.getpid()).encode())
    threading.Thread(target=lambda: connection.recv(1) or os._exit(1), daemon=True).start()  # its command was killed
    from ipykernel.kernelapp import launch_new_instance

    sys.argv = ["ipykernel_launcher", *wanted["arguments"], f"--IPKernelApp.parent_handle={os.getppid()}"]
    launch_new_instance()
    sys.stdout.flush()
    os._exit(0)


def main(address: str, arguments: list[str]) -> None:
    """The command of a kernel: ask for a fork, pass signals on to it, end when it does."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        wanted = {"arguments": arguments, "folder": str(Path.cwd()), "environment": dict(os.environ)}
        socket.send_fds(connection, [json.dumps(wanted).encode()], [0, 1, 2])
        kernel = int(connection.recv(100))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: os.kill(kernel, number))
        connection.recv(1)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        main(sys.argv[1], sys.argv[2:])
