"""How the values of this room show themselves: as text, as HTML and as figures; each function chooses by the type."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

from nbtextgen.core.escaping import visible
from nbtextgen.explanation.agreement import Agreement
from nbtextgen.explanation.explanation import Explanation, Explanations
from nbtextgen.explanation.sanity import Sanity
from nbtextgen.explanation.survey import Survey
from nbtextgen.explanation.views.figures import heatmap, survey_figure
from nbtextgen.explanation.views.html import fragment, page
from nbtextgen.explanation.views.tables import agreement_html, agreement_text, survey_html, survey_text
from nbtextgen.explanation.views.text import explanation_text, explanations_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@singledispatch
def render_text(value: object) -> str:
    """Plain text."""
    raise TypeError(f"There is no text view of {type(value).__name__}.")


@singledispatch
def render_html(value: object) -> str:
    """A fragment for a notebook's output."""
    raise TypeError(f"There is no HTML view of {type(value).__name__}.")


@singledispatch
def render_page(value: object) -> str:
    """A whole page that needs no kernel and no network."""
    raise TypeError(f"There is no page of {type(value).__name__}.")


@singledispatch
def render_figure(value: object) -> Figure:
    """A Matplotlib figure."""
    raise TypeError(f"There is no figure of {type(value).__name__}.")


render_text.register(Explanation, explanation_text)
render_text.register(Explanations, explanations_text)
render_text.register(Survey, survey_text)
render_text.register(Agreement, agreement_text)
render_text.register(Sanity, Sanity.sentence)
render_html.register(Explanation, lambda explanation: fragment([explanation]))
render_html.register(Explanations, lambda several: fragment(list(several.values()), several.sentence()))
render_html.register(Survey, survey_html)
render_html.register(Agreement, agreement_html)
render_html.register(Sanity, lambda sanity: f"<p>{visible(sanity.sentence())}</p>")
render_page.register(Explanation, lambda explanation: page([explanation]))
render_page.register(Explanations, lambda several: page(list(several.values()), several.sentence()))
render_figure.register(Explanation, heatmap)
render_figure.register(Survey, survey_figure)
