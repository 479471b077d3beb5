"""Explanations: which parts of a source an output is attributed to, and how far such attributions can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbtextgen.explanation.display import Displayed, View


def _load_views() -> Mapping[type, View[Any]]:
    from nbtextgen.explanation.views import VIEWS  # when first shown: NumPy would slow down %load_ext

    return VIEWS


Displayed.load_views = staticmethod(_load_views)
