"""Explanations: which parts of a source an output is attributed to, and how far such attributions can be trusted."""

from __future__ import annotations

from nbtextgen.explanation.display import Displayed, Views


def _load_views() -> Views:
    from nbtextgen.explanation.views import VIEWS  # when first shown: NumPy would slow down %load_ext

    return VIEWS


Displayed.load_views = staticmethod(_load_views)
