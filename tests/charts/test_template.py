"""The chart's markup: complete without scripts, and in the words of the records."""

from __future__ import annotations

from pathlib import Path

import html5lib
import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .test_speed import fps_chart, ms_chart

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
HTML = "{http://www.w3.org/1999/xhtml}"


@pytest.fixture(scope="module")
def markup() -> str:
    jinja = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    page = jinja.from_string(
        '{% from "parts/chart.html" import chart %}'
        "<!doctype html><html lang=en><title>x</title>"
        '{% for one in charts %}{{ chart(one, one.id ~ ".json") }}{% endfor %}'
    )
    return page.render(charts=[fps_chart(), ms_chart()])


@pytest.fixture(scope="module")
def document(markup):
    return html5lib.HTMLParser(strict=True).parse(markup)


def test_the_tables_hold_every_number_and_link(document):
    tables = list(document.iter(f"{HTML}table"))
    bodies = [
        [
            ["".join(cell.itertext()) for cell in row]
            for row in table.find(f"{HTML}tbody").iter(f"{HTML}tr")
        ]
        for table in tables
    ]
    expected = [fps_chart().table, ms_chart().fits, ms_chart().table]

    assert bodies == [[[cell.text for cell in row] for row in table.rows] for table in expected]
    links = [link.get("href") for link in tables[0].iter(f"{HTML}a")]
    assert links == [row[0].href for row in fps_chart().table.rows]


def test_wide_tables_scroll_in_a_named_box_that_keys_reach(document):
    ids = {element.get("id"): element for element in document.iter() if element.get("id")}
    boxes = [element for element in document.iter() if element.get("role") == "region"]

    assert len(boxes) == 3
    for box in boxes:
        assert box.get("tabindex") == "0"
        assert ids[box.get("aria-labelledby")].tag == f"{HTML}caption"


def test_ids_are_unique(document):
    ids = [element.get("id") for element in document.iter() if element.get("id")]

    assert len(ids) == len(set(ids))


def test_nothing_is_inline(document):
    for element in document.iter():
        assert element.tag not in (f"{HTML}script", f"{HTML}style")
        assert not [name for name in element.attrib if name == "style" or name.startswith("on")]


def test_the_element_knows_its_data(document):
    sources = [element.get("data-src") for element in document.iter(f"{HTML}chart-figure")]

    assert sources == ["fps-against-steps.json", "ms-per-frame-against-steps.json"]
