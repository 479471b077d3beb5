"""How OpenMP's threads wait for work. Without torch: what is set here counts only before torch is imported."""

from __future__ import annotations

import os
import sys

SPIN_COUNT = "1000"
"""Iterations for which a thread of libgomp spins before it sleeps. By default these are 300,000, and 1,000 where libgomp
knows of more threads than cores; it cannot know of other processes. A thread that spins keeps the core from whoever it waits
for: with one or two other busy processes two threads were 2 to 30 times slower than one."""
_spinning = [False]


def limit_spinning() -> None:
    """Let threads sleep soon, unless the user has said how they wait or torch has been imported.

    Processes that are started from this one inherit the variable: the workers of a training should, and other programs
    that use libgomp lose at most the few microseconds in which they would have spun.
    """
    given = bool({"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & set(os.environ))
    if not given and "torch" in sys.modules:
        _spinning[0] = True
    elif not given:
        os.environ["GOMP_SPINCOUNT"] = SPIN_COUNT


def threads_spin() -> bool:
    """Return ``True`` if torch was imported before spinning could be limited."""
    return _spinning[0]
