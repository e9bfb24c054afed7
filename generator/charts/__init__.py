"""Numbers -> charts: records in, a `Chart` out.

`speed` says which numbers stand in which line; `plot` is what it hands to the two drawers,
`figure` (Plotly) and `poster` (plain SVG), so that both show the same; `look` owns every colour,
dash and mark. Knows nothing of folders, templates or how a line is fitted.
"""

from generator.charts.chart import Cell, Chart, LegendEntry, LegendGroup, Table
from generator.charts.speed import fps_against_steps, ms_per_frame_against_steps

__all__ = [
    "Cell",
    "Chart",
    "LegendEntry",
    "LegendGroup",
    "Table",
    "fps_against_steps",
    "ms_per_frame_against_steps",
]
