"""Packages in a folder of their own, in versions that the environment does not have; kept between test runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

FRESH = 7 * 24 * 3600
"""Seconds after which a folder that holds "the newest" is asked for again."""


def home() -> Path:
    """Beside the packages of a virtual environment, else among the temporary files."""
    inside = Path(sys.prefix) / "test-packages"
    return inside if sys.prefix != sys.base_prefix else Path(tempfile.gettempdir()) / "nbtextgen-test-packages"


def installed(name: str, *requirements: str, newest: bool = False) -> Path:
    """The folder ``name`` with these packages, installed on demand without their dependencies.

    Where pip cannot (no network), the test is skipped by name; with ``CI=true`` it fails.

    Args:
        name: of the folder.
        requirements: as pip takes them.
        newest: whether they name no version, so that the folder grows old.
    """
    folder = home() / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    done = folder / "installed"
    if done.exists() and not (newest and time.time() - done.stat().st_mtime > FRESH):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    limits = folder / "constraints.txt"
    limits.write_text("".join(f"{one}\n" for one in requirements if "=" in one))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--upgrade", "--target", str(folder), "-c", str(limits), *requirements]
    tried = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if tried.returncode == 0:
        done.touch()
    elif not done.exists():
        said = f"{', '.join(requirements)} cannot be installed here: {tried.stderr.strip()[-200:]}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{said} With CI=true this test must run.")
        pytest.skip(said)
    return folder
