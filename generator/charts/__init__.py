"""Numbers -> charts: records in, a `Chart` out.

`lines` says which numbers stand in which line, `speed` what they mean; both make a `plot`, which
the two drawers `figure` (Plotly) and `poster` (plain SVG) draw alike; `look` owns every colour,
dash and mark. Knows nothing of folders and templates.
"""

from generator.charts.chart import Cell, Chart, LegendEntry, LegendGroup, Table
from generator.charts.curves import curves
from generator.charts.speed import fps_against_steps, ms_per_frame_against_steps

__all__ = [
    "Cell",
    "Chart",
    "LegendEntry",
    "LegendGroup",
    "Table",
    "curves",
    "fps_against_steps",
    "ms_per_frame_against_steps",
]
