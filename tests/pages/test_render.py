"""The whole site: well-formed, connected, escaped, honest about rights, the same twice."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import html5lib
import pytest

from generator.pages import Rendered, render
from pages import sample

ADDRESSES = {"href", "src", "poster", "data-src", "data-clips", "data-timestamps"}


class Reader(HTMLParser):
    """Everything of a page that tests ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self._script: dict[str, str | None] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self._script = dict(attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self.scripts.append((self._script, data))
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="session")
def pages(rendered: Rendered) -> dict[str, Reader]:
    return {name: Reader(text) for name, text in rendered.texts.items() if name.endswith(".html")}


def clip_page(pages: dict[str, Reader], clip_id: str) -> Reader:
    return pages[f"clips/{clip_id}/index.html"]


def test_every_page_there_should_be_is_there(pages: dict[str, Reader]) -> None:
    expected = {
        *("index.html", "404.html", "archive/index.html", "compare/index.html"),
        *("method/index.html", "data/index.html", "prompts/rain/index.html"),
        *("pipelines/model/index.html", "sizes/512x288/index.html", "steps/2-2-2/index.html"),
        *("runs/loud/index.html", "clips/loud--a/index.html", "enhancements/index.html"),
        *("enhancements/rife/index.html", "plans/b200/index.html", "method/protocol/index.html"),
    }

    assert expected <= set(pages)


def test_pages_are_html_without_a_parse_error(rendered: Rendered) -> None:
    for name, text in rendered.texts.items():
        if name.endswith(".html"):
            parser = html5lib.HTMLParser(strict=False)
            parser.parse(text)
            assert [(error[0], error[1]) for error in parser.errors] == [], name


def test_ids_stand_once_and_every_address_leads_somewhere(
    rendered: Rendered, pages: dict[str, Reader]
) -> None:
    static = {
        sample.ASSETS + path.relative_to(sample.STATIC).as_posix()
        for path in sample.STATIC.rglob("*")
    }
    known = set(rendered.texts) | set(rendered.files) | static
    ids = {
        name: [attrs["id"] for _, attrs in page.tags if attrs.get("id")]
        for name, page in pages.items()
    }
    base = urlsplit(sample.SITE.base_url).path
    for name, page in pages.items():
        assert [one for one, times in Counter(ids[name]).items() if times > 1] == [], name
        for tag, attrs in page.tags:
            for attribute in ADDRESSES & set(attrs):
                address = attrs[attribute] or ""
                parts = urlsplit(address)
                if parts.scheme:
                    continue
                if parts.path.startswith("/"):
                    assert name == "404.html", f"{name}: {address} is not relative"
                    target = parts.path.removeprefix(base)
                else:
                    target = normpath(join(dirname(name), unquote(parts.path) or "."))
                    target = target if parts.path else name
                    target += "/" if parts.path.endswith("/") else ""
                target = target.removeprefix("./")
                if target == "" or target.endswith("/"):
                    target += "index.html"
                assert target in known, f"{name}: <{tag} {attribute}={address!r}>"
                if parts.fragment:
                    assert parts.fragment in ids[target], f"{name}: {address}"


def test_labels_and_descriptions_point_at_ids(pages: dict[str, Reader]) -> None:
    for name, page in pages.items():
        ids = {attrs.get("id") for _, attrs in page.tags}
        for tag, attrs in page.tags:
            for attribute in ("aria-labelledby", "aria-controls", "for"):
                assert set((attrs.get(attribute) or "").split()) <= ids, (name, tag, attrs)


def test_nothing_is_inline(pages: dict[str, Reader]) -> None:
    for name, page in pages.items():
        for tag, attrs in page.tags:
            assert tag != "style", name
            assert [one for one in attrs if one == "style" or one.startswith("on")] == [], name
            if tag == "script":
                assert attrs.get("src") or attrs["type"] == "application/ld+json", name
            assert not (attrs.get("href") or "").startswith("javascript:"), name


def test_texts_from_content_are_escaped(rendered: Rendered, pages: dict[str, Reader]) -> None:
    page = rendered.texts["clips/loud--a/index.html"]

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "2 frames share &lt;their&gt; time" in page
    assert "Model &lt;1&gt;" in page
    scripts = [attrs for tag, attrs in clip_page(pages, "loud--a").tags if tag == "script"]
    assert len(scripts) == 2


def test_json_ld_parses_and_cannot_end_its_script(pages: dict[str, Reader]) -> None:
    (attrs, text), *_ = clip_page(pages, "loud--a").scripts
    about = json.loads(text)

    assert attrs["type"] == "application/ld+json"
    assert "<" not in text
    assert "\u2028" not in text
    assert about["@type"] == "VideoObject"
    assert sample.HOSTILE.split("\u2028")[0].strip() in about["description"]
    assert about["uploadDate"] == "2026-03-18"
    assert about["duration"] == "PT20.000S"
    assert about["contentUrl"].startswith("https://example.org/archive/media/")
    assert clip_page(pages, "loud--gone").scripts == []


def test_a_missing_number_is_said_to_be_missing(
    rendered: Rendered, pages: dict[str, Reader]
) -> None:
    text = clip_page(pages, "loud--silent").text

    assert "not stated" in text
    assert "Seed not stated" in text
    assert "None" not in text
    assert "bf16, dense not stated" in pages["runs/loud/index.html"].text
    assert "Licence not stated" in pages["pipelines/model/index.html"].text
    archive = json.loads(rendered.texts["data/archive.json"])
    assert [one["fps"] for one in archive["clips"] if one["id"] == "loud--silent"] == [None]


def test_no_page_prints_a_python_none(pages: dict[str, Reader]) -> None:
    for name, page in pages.items():
        assert not re.search(r"\b(None|nan|Undefined|Fraction)\b", page.text), name


def test_a_cell_without_clip_keeps_its_number_and_offers_its_rate(
    pages: dict[str, Reader],
) -> None:
    page = clip_page(pages, "loud--gone")

    assert "No clip" in page.text
    assert "Never published." in page.text
    assert "12.8" in page.text
    assert "Feel this rate" in page.text
    assert ("../cards--card/") in [attrs.get("href") for _, attrs in page.tags]
    assert not [tag for tag, _ in page.tags if tag == "video"]


def test_media_that_may_not_be_published_is_not(
    rendered: Rendered, pages: dict[str, Reader]
) -> None:
    assert rendered.files
    assert not [path for path in rendered.files.values() if path.name.startswith("quiet--")]
    videos = [attrs for tag, attrs in clip_page(pages, "quiet--far").tags if tag == "video"]
    assert [attrs["src"] for attrs in videos] == ["https://clips.example.net/v/far.webm"]
    assert videos[0]["data-duration"] == "1.700"
    assert "4 distinct timestamps" in clip_page(pages, "quiet--far").text
    near = clip_page(pages, "quiet--near")
    assert not [tag for tag, _ in near.tags if tag in ("video", "img")]
    assert "rights do not let us publish it" in near.text


def test_stills_may_be_published_without_the_clip(tmp_path: Path) -> None:
    evidence = [
        replace(piece, publish_media=False, publish_stills=True)
        for piece in sample.evidence(tmp_path)
    ]
    made = render(sample.CATALOGUE, evidence, templates=sample.TEMPLATES, assets=sample.ASSETS)

    assert {path.suffix for path in made.files.values()} == {".webp"}


def test_files_are_named_by_their_content(rendered: Rendered) -> None:
    import hashlib

    for name, path in rendered.files.items():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert name == f"media/{digest[:16]}{path.suffix}"


def test_the_policy_names_remote_origins_and_nothing_else(rendered: Rendered) -> None:
    headers = rendered.texts["_headers"]
    policy = dict(
        part.strip().split(" ", 1)
        for part in re.search(r"Content-Security-Policy: (.*)", headers)[1].split(";")  # type: ignore[index]
    )

    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["worker-src"] == "'self'"
    assert policy["media-src"].split() == [
        "'self'",
        "blob:",
        "https://clips.example.net",
        "https://other.example.net",
    ]
    assert "unsafe" not in headers
    for path in ("/media/*", "/assets/*"):
        section = headers.split(f"{path}\n")[1].split("\n\n")[0]
        assert "max-age=31536000, immutable" in section


def test_plans_bear_a_badge(pages: dict[str, Reader]) -> None:
    def badges(name: str) -> int:
        return sum(attrs.get("class") == "badge" for _, attrs in pages[name].tags)

    assert badges("plans/index.html") == 1
    assert badges("plans/b200/index.html") == 1
    assert badges("enhancements/index.html") == 0


def test_prose_links_from_the_root_become_relative(rendered: Rendered) -> None:
    assert '<a href="../../archive/">All</a>' in rendered.texts["enhancements/rife/index.html"]
    assert '<a href="../../method/">the method</a>' in rendered.texts["pipelines/model/index.html"]


def test_feed_and_sitemap_parse_and_stay_put(rendered: Rendered) -> None:
    atom = {"a": "http://www.w3.org/2005/Atom"}
    feed = ElementTree.fromstring(rendered.texts["feed.xml"])
    entries = feed.findall("a:entry", atom)

    assert [one.findtext("a:id", namespaces=atom) for one in entries] == [
        f"https://example.org/archive/runs/{run}/" for run in ("quiet", "loud", "cards")
    ]
    assert {one.findtext("a:updated", namespaces=atom) for one in entries} == {
        "2026-03-18T00:00:00Z"
    }
    sitemap = ElementTree.fromstring(rendered.texts["sitemap.xml"])
    places = {one.text for one in sitemap.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")}
    assert "https://example.org/archive/" in places
    assert "https://example.org/archive/clips/loud--a/" in places
    assert not any("404" in (place or "") for place in places)
    assert len(places) == sum(name.endswith("index.html") for name in rendered.texts)
    json.loads(rendered.texts["site.webmanifest"])


def test_every_page_introduces_itself(pages: dict[str, Reader]) -> None:
    seen: Counter[str] = Counter()
    for name, page in pages.items():
        metas = {
            attrs.get("property") or attrs.get("name"): attrs.get("content")
            for tag, attrs in page.tags
            if tag == "meta"
        }
        canonical = [attrs["href"] for _, attrs in page.tags if attrs.get("rel") == "canonical"]
        seen[canonical[0] or ""] += 1
        assert metas["description"], name
        assert (metas["og:image"] or "").startswith("https://example.org/archive/"), name
        assert sum(tag == "h1" for tag, _ in page.tags) == 1, name
        assert sum(tag == "main" for tag, _ in page.tags) == 1, name
    assert set(seen.values()) == {1}


def test_two_playable_clips_are_compared(pages: dict[str, Reader]) -> None:
    """The first preset names a cell without clip, so the second is shown."""
    for name in ("index.html", "compare/index.html"):
        videos = [attrs for tag, attrs in pages[name].tags if tag == "video"]
        assert [attrs["data-clip"] for attrs in videos] == ["loud--a", "loud--b"]
        assert {attrs["data-duration"] for attrs in videos} == {"20.000"}
        assert {attrs["data-frames"] for attrs in videos} == {"6"}


def test_rendering_twice_gives_the_same_bytes(rendered: Rendered, tmp_path: Path) -> None:
    again = render(
        sample.CATALOGUE,
        sample.evidence(tmp_path / "elsewhere"),
        templates=sample.TEMPLATES,
        assets=sample.ASSETS,
    )

    assert list(again.texts) == list(rendered.texts)
    assert again.texts == rendered.texts
    assert list(again.files) == list(rendered.files)


def test_an_empty_archive_is_a_site(tmp_path: Path) -> None:
    bare = replace(
        sample.CATALOGUE, prompts=(), pipelines=(), machines=(), pages=(), runs=(), clips=()
    )
    made = render(bare, (), templates=sample.TEMPLATES, assets=sample.ASSETS)

    assert "index.html" in made.texts
    assert made.files == {}
