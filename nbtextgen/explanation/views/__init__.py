"""Views of this room's values: as text, as HTML and as figures."""

from __future__ import annotations

from nbtextgen.core.escaping import visible
from nbtextgen.explanation.agreement import Agreement
from nbtextgen.explanation.display import View, Views
from nbtextgen.explanation.explanation import Explanation, Explanations
from nbtextgen.explanation.minimal_edits import MinimalEdits
from nbtextgen.explanation.sanity import Sanity
from nbtextgen.explanation.survey import Survey
from nbtextgen.explanation.views.figures import heatmap, survey_chart, survey_figure
from nbtextgen.explanation.views.html import fragment, page
from nbtextgen.explanation.views.minimal import minimal_html, minimal_text
from nbtextgen.explanation.views.tables import agreement_html, agreement_text, survey_html, survey_text
from nbtextgen.explanation.views.text import explanation_text, explanations_text

VIEWS: Views = {
    Explanation: View[Explanation](explanation_text, fragment, page, heatmap),
    Explanations: View[Explanations](explanations_text, fragment, page),
    Survey: View[Survey](survey_text, survey_html, figure=survey_figure, chart=survey_chart),
    Agreement: View[Agreement](agreement_text, agreement_html),
    MinimalEdits: View[MinimalEdits](minimal_text, minimal_html),
    Sanity: View[Sanity](Sanity.sentence, lambda sanity: f"<p>{visible(sanity.sentence())}</p>"),
}
