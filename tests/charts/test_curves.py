"""Charts of a page's own: what its table says is where its marks stand."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from generator.charts import curves
from generator.records import Label, PageChart

TOLD = PageChart(
    id="story-1-stages",
    title="Time of a chunk",
    summary="Parts of it.",
    run="2026-11-run",
    run_title="A run",
    label=Label.MEASURED_HERE,
    x="denoising steps",
    y="time",
    unit="ms",
    stacked=False,
    names=("attention", "products", "decode"),
    rows=((2.0, (30.0, 20.0, 40.0)), (4.0, (50.0, None, 40.0))),
)


def points(told: PageChart) -> dict[str, list[tuple[float, float]]]:
    """Marks of every line of the figure."""
    figure = json.loads(curves(told, href="../run/").figure)
    return {
        trace["name"]: list(zip(trace["x"], trace["y"], strict=True))
        for trace in figure["data"]
        if trace["mode"] == "markers"
    }


def test_each_column_is_a_line_and_what_is_missing_has_no_mark() -> None:
    assert points(TOLD) == {
        "attention": [(2, 30), (4, 50)],
        "products": [(2, 20)],
        "decode": [(2, 40), (4, 40)],
    }


def test_stacked_lines_run_at_the_sum_of_all_below() -> None:
    assert points(replace(TOLD, stacked=True)) == {
        "attention": [(2, 30), (4, 50)],
        "products": [(2, 50)],
        "decode": [(2, 90), (4, 90)],
    }


def test_what_lies_between_stacked_lines_is_filled_by_both_drawings() -> None:
    """From the axis to the first line, from each line to the next; in the picture without scripts
    the corners stand where the lines run."""
    chart = curves(replace(TOLD, stacked=True), href="../run/")
    figure = json.loads(chart.figure)
    lines = [trace for trace in figure["data"] if trace["mode"] == "lines"]
    assert [trace["fill"] for trace in lines] == ["tozeroy", "tonexty", "tonexty"]
    end_x, end_y = (figure["layout"][name]["range"][1] for name in ("xaxis", "yaxis"))
    corners = [
        {tuple(map(float, corner.split(","))) for corner in points.split()}
        for points in re.findall(r'<polygon points="([^"]+)"', chart.poster)
    ]
    for found, reached in zip(
        corners, ([(2, 30), (4, 50)], [(2, 50)], [(2, 90), (4, 90)]), strict=True
    ):
        for x, y in reached:
            at = (1000 * x / end_x, 1000 - 1000 * y / end_y)
            assert any(one == pytest.approx(at, abs=0.01) for one in found)
    plain = curves(TOLD, href="../run/")
    assert "polygon" not in plain.poster
    assert "tonexty" not in plain.figure


def test_intervals_are_bands_of_both_drawings_and_stand_in_the_table() -> None:
    """The band's corners are the interval's ends, there and back; the axis holds them."""
    intervals = {"attention": ((25.0, 33.0), (41.0, 72.0))}
    chart = curves(replace(TOLD, intervals=intervals), href="../run/")
    figure = json.loads(chart.figure)
    (band,) = [trace for trace in figure["data"] if trace["mode"] == "none"]
    corners = [(2, 33), (4, 72), (4, 41), (2, 25)]
    assert list(zip(band["x"], band["y"], strict=True)) == corners
    assert (band["name"], band["fill"]) == ("attention", "toself")
    assert figure["data"].index(band) in chart.legend[0].entries[0].traces
    end_x, end_y = (figure["layout"][name]["range"][1] for name in ("xaxis", "yaxis"))
    assert end_y > 72
    (polygon,) = re.findall(r'<polygon points="([^"]+)"', chart.poster)
    drawn = [tuple(map(float, corner.split(","))) for corner in polygon.split()]
    for (x, y), at in zip(corners, drawn, strict=True):
        assert at == pytest.approx((1000 * x / end_x, 1000 - 1000 * y / end_y), abs=0.01)
    assert [cell.text for cell in chart.table.rows[0]] == ["2", "30 (25–33)", "20", "40"]


def test_marks_lead_to_the_run_and_the_numbers_stand_in_a_table() -> None:
    chart = curves(TOLD, href="../run/")
    assert chart.poster.count('href="../run/"') == 5
    assert [cell.text for cell in chart.table.rows[1]] == ["4", "50", "—", "40"]
    assert chart.legend[0].label == "Measured here"
