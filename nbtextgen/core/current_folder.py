"""A current folder that was removed."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec


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
