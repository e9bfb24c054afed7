"""The vendored Plotly is the one that the Python package writes figures for."""

from __future__ import annotations

import re
from pathlib import Path

from plotly.offline import get_plotlyjs_version

STATIC = Path(__file__).resolve().parents[2] / "static"


def test_versions_agree_everywhere():
    version = get_plotlyjs_version()
    bundles = list((STATIC / "vendor").glob("plotly-*.js"))

    assert [bundle.name for bundle in bundles] == [f"plotly-basic-{version}.min.js"]
    assert f"plotly.js (basic - minified) v{version}" in bundles[0].read_text("utf-8")[:200]
    element = (STATIC / "js/elements/chart-figure.js").read_text("utf-8")
    assert re.findall(r"vendor/(plotly[^']+)'", element) == [bundles[0].name]


def test_its_licence_comes_along():
    licence = (STATIC / "vendor/plotly-basic-LICENSE.txt").read_text("utf-8")

    assert licence.startswith("MIT License")
    assert "Plotly" in licence
