"""The poster shows what the figure shows, and needs neither scripts nor style attributes."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from .test_speed import fps_chart, ms_chart

CHARTS = pytest.mark.parametrize("chart", [fps_chart(), ms_chart()], ids=["fps", "ms"])


@CHARTS
def test_marks_stand_where_plotly_puts_them(chart):
    figure = json.loads(chart.figure)
    x_end = figure["layout"]["xaxis"]["range"][1]
    y_end = figure["layout"]["yaxis"]["range"][1]
    expected = {
        href: pytest.approx((100 * x / x_end, 100 - 100 * y / y_end), abs=1e-3)
        for trace in figure["data"]
        if "customdata" in trace
        for href, x, y in zip(trace["customdata"], trace["x"], trace["y"], strict=True)
    }
    drawn = {
        link.get("href"): tuple(float(mark.get(axis, "").rstrip("%")) for axis in "xy")
        for mark in ElementTree.fromstring(chart.poster).iter("svg")
        if (link := mark.find("a")) is not None
    }

    assert len(drawn) == 37
    assert drawn == expected


@CHARTS
def test_it_names_every_clip_on_pointing(chart):
    titles = [title.text for title in ElementTree.fromstring(chart.poster).iter("title")]

    assert len(titles) == 37
    assert all("steps\n" in title for title in titles)
    assert all("by this project" in title or "by the page's" in title for title in titles)


@CHARTS
def test_it_keeps_to_the_content_policy(chart):
    for element in ElementTree.fromstring(chart.poster).iter():
        assert element.tag not in ("style", "script")
        assert not [name for name in element.attrib if name == "style" or name.startswith("on")]


def test_it_is_hidden_from_readers_who_have_the_table():
    poster = ElementTree.fromstring(fps_chart().poster)

    assert poster.get("aria-hidden") == "true"
    assert {link.get("tabindex") for link in poster.iter("a")} == {"-1"}


def test_swatches_are_whole():
    for group in fps_chart().legend:
        for entry in group.entries:
            assert ElementTree.fromstring(entry.swatch).tag == "svg"
