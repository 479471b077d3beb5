"""Small charts as pictures in SVG: no library, no script, values on hover, a description in words, readable on white and on black."""

from nbtextgen.charts.axes import axes_to_draw_on
from nbtextgen.charts.bars import bar_chart, histogram
from nbtextgen.charts.heat_maps import heat_map
from nbtextgen.charts.keeping import figure
from nbtextgen.charts.lines import Curve, Plot, line_chart, plots, smoothed
from nbtextgen.charts.scale import COLOURS, Chart

__all__ = [
    "COLOURS",
    "Chart",
    "Curve",
    "Plot",
    "axes_to_draw_on",
    "bar_chart",
    "figure",
    "heat_map",
    "histogram",
    "line_chart",
    "plots",
    "smoothed",
]
