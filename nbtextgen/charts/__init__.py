"""Small charts as SVG text: no library, no script, values on hover; they follow the light or dark theme around them."""

from nbtextgen.charts.bars import bar_chart, histogram
from nbtextgen.charts.keeping import figure
from nbtextgen.charts.lines import Curve, line_chart, smoothed
from nbtextgen.charts.scale import COLOURS

__all__ = ["COLOURS", "Curve", "bar_chart", "figure", "histogram", "line_chart", "smoothed"]
