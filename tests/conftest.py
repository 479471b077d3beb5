"""Shared by all tests: one thread, so that tests can run side by side and stay repeatable."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as the package does it; here torch is imported first

settings.register_profile("on any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("on any machine")

if importlib.util.find_spec("torch"):  # tools/test_torch_free.sh tests without it
    import torch

    torch.set_num_threads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let all networks start differently, to find tests that pass by luck, and would fail on another processor."""
    parser.addoption("--seed-offset", type=int, default=0, help="a number that is added to every seed of PyTorch")


def pytest_configure(config: pytest.Config) -> None:
    offset = config.getoption("--seed-offset")
    if offset:
        seed = torch.manual_seed
        torch.manual_seed = lambda number: seed((number + offset) % 2**32)


OTHER_PROCESSES = ("browser/", "notebook/test_kernels.py", "notebook/test_watching.py", "training/test_distributed.py")
"""Where real browsers, servers, kernels and workers are driven, which a busy machine may starve past any limit."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Such a test that fails is run once more, and the closing lines name it as rerun; any other fails at once.

    Tests that share a trained model, a kernel or a browser run on one of the processes that pytest-xdist starts, so that it is made
    once.
    """
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.path.relative_to(here).as_posix().startswith(OTHER_PROCESSES):
            item.add_marker(pytest.mark.flaky(reruns=1))
        places = _places_of_shared_fixtures(item)
        if places and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(min(places, key=len)))


def _places_of_shared_fixtures(item: pytest.Item) -> set[str]:
    """The files or folders of ours whose fixtures a test shares with others."""
    fixtures = getattr(item, "_fixtureinfo", None)
    definitions = fixtures.name2fixturedefs.values() if fixtures else ()
    return {each.baseid for found in definitions for each in found if each.baseid and each.scope != "function"}
