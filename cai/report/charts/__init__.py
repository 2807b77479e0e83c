"""Charts as plain geometry. A template turns it into SVG, which is where text is escaped.

A chart is 360 units wide, the width of a phone: its text stays legible there, and grows elsewhere.
"""

from cai.report.charts.bars import stacked_bars
from cai.report.charts.histogram import histogram
from cai.report.charts.intervals import Estimate, interval_chart
from cai.report.charts.records import Chart, Dot, Line, Mark, Rect, Table, Words
from cai.report.charts.reliability import reliability_chart
from cai.report.charts.scatter import Place, scatter_chart

__all__ = [
    "Chart",
    "Dot",
    "Estimate",
    "Line",
    "Mark",
    "Place",
    "Rect",
    "Table",
    "Words",
    "histogram",
    "interval_chart",
    "reliability_chart",
    "scatter_chart",
    "stacked_bars",
]
