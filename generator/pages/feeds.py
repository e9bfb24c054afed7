"""Files for machines that are no page: feed, sitemap, robots.txt and manifest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from generator.pages import addresses, words
from generator.pages.clips import ClipView
from generator.pages.data import dump
from generator.records import Catalogue, Label, Run, Site

ATOM = "http://www.w3.org/2005/Atom"
SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"


def atom(catalogue: Catalogue, views: Sequence[ClipView]) -> str:
    """An entry per run, newest first; ids are the run's address, dates the run's own."""
    site = catalogue.site
    runs = sorted(catalogue.runs, key=lambda run: (run.published, run.id), reverse=True)
    feed = ElementTree.Element("feed", {"xmlns": ATOM, "xml:lang": site.language})
    _text(feed, "id", site.base_url)
    _text(feed, "title", site.title)
    _text(feed, "subtitle", site.tagline)
    _text(feed, "updated", _midnight(runs[0].published if runs else "1970-01-01"))
    _text(ElementTree.SubElement(feed, "author"), "name", site.title)
    ElementTree.SubElement(feed, "link", rel="self", href=site.base_url + "feed.xml")
    ElementTree.SubElement(feed, "link", rel="alternate", href=site.base_url)
    for run in runs:
        entry = ElementTree.SubElement(feed, "entry")
        address = site.base_url + addresses.run(run.id)
        _text(entry, "id", address)
        _text(entry, "title", run.title)
        _text(entry, "updated", _midnight(run.published))
        _text(entry, "published", _midnight(run.published))
        ElementTree.SubElement(entry, "link", rel="alternate", href=address)
        cells = words.count(sum(view.run.id == run.id for view in views), "cell")
        _text(entry, "summary", f"{run.summary} {cells}. {_measured(run)}".strip())
    return _xml(feed)


def sitemap(site: Site, pages: Iterable[str]) -> str:
    root = ElementTree.Element("urlset", {"xmlns": SITEMAP})
    for address in sorted(pages):
        _text(ElementTree.SubElement(root, "url"), "loc", site.base_url + address)
    return _xml(root)


def robots(site: Site) -> str:
    return f"User-agent: *\nAllow: /\n\nSitemap: {site.base_url}sitemap.xml\n"


def manifest(site: Site, assets: str) -> str:
    return dump(
        {
            "name": site.title,
            "description": site.description,
            "start_url": "./",
            "display": "minimal-ui",
            "background_color": "#070707",
            "theme_color": "#070707",
            "icons": [
                {"src": f"{assets}img/icon.svg", "type": "image/svg+xml", "sizes": "any"},
                {"src": f"{assets}img/icon-192.png", "type": "image/png", "sizes": "192x192"},
                {"src": f"{assets}img/icon-512.png", "type": "image/png", "sizes": "512x512"},
            ],
        },
        indent=1,
    )


def _measured(run: Run) -> str:
    """Nobody measures what is declared."""
    declared = all(one.label is Label.DECLARED for one in run.series)
    return f"Measured by {run.measured_by}." if run.measured_by and not declared else ""


def _midnight(date: str) -> str:
    return date if "T" in date else f"{date}T00:00:00Z"


def _text(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, name).text = text


def _xml(root: ElementTree.Element) -> str:
    ElementTree.indent(root, " ")
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'
