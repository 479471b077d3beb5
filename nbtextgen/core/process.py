"""What a process needs before torch is imported: threads that do not spin, and a current folder that exists."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec

SPIN_COUNT = "1000"
"""Iterations for which a thread of libgomp spins before it sleeps. By default these are 300,000, and 1,000 where libgomp
knows of more threads than cores; it cannot know of other processes. A thread that spins keeps the core from whoever it waits
for: with one or two other busy processes two threads were 2 to 30 times slower than one."""


def limit_spinning() -> None:
    """Let threads sleep soon, unless the user has set how they wait or torch has been imported.

    Child processes inherit the variable: training workers should, and other programs lose at most a few microseconds.
    """
    if "torch" not in sys.modules and not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & set(os.environ):
        os.environ["GOMP_SPINCOUNT"] = SPIN_COUNT


def import_torch_elsewhere() -> None:
    """Import torch in another folder if the current one was removed.

    Otherwise MKL would end the process at the first product, and the compiler, which the first network loads, fails to import.
    """
    try:
        os.getcwd()
    except OSError:
        if "torch" in sys.modules or find_spec("torch") is None:
            return
        here = os.open(".", os.O_RDONLY)
        try:
            os.chdir(os.sep)
            import_module("torch._dynamo")
        finally:
            os.fchdir(here)
            os.close(here)
