"""Explanations: which parts of a source an output is attributed to, and how far such attributions can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbtextgen.explanation.display import Displayed

if TYPE_CHECKING:
    from nbtextgen.explanation.display import Views


def _views() -> Views:
    from nbtextgen.explanation import views  # when first shown: NumPy would slow down %load_ext

    return views


Displayed.load_views = staticmethod(_views)
