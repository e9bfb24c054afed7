"""The whole site: well-formed, connected, escaped, honest about rights, the same twice."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import html5lib
import pytest

from generator.pages import Rendered, render, words
from generator.records import Evidence, Flag
from pages import sample

ADDRESSES = {
    "href",
    "src",
    "poster",
    "data-src",
    "data-clips",
    "data-timestamps",
    "data-lanes",
    "data-storyboard",
}


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
    listed = [name for name in rendered.texts if name.endswith("index.html")]
    assert len(places) == sum(not name.startswith("embed/") for name in listed)
    assert not any("/embed/" in (place or "") for place in places)
    json.loads(rendered.texts["site.webmanifest"])


def test_every_page_introduces_itself(pages: dict[str, Reader]) -> None:
    seen: Counter[str] = Counter()
    for name, page in pages.items():
        if name.startswith("embed/"):  # stands for another page
            continue
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


def quotes(page: Reader) -> int:
    return sum(tag == "q" for tag, _ in page.tags)


def test_only_what_was_published_stands_in_quotation_marks(
    rendered: Rendered, pages: dict[str, Reader]
) -> None:
    """One claim of two is quoted; a table check has no author at all."""
    said = "<q>Every clip lasts 2\u00a0s</q>".replace("\u00a0", " ")

    assert quotes(pages["index.html"]) == quotes(pages["runs/loud/index.html"]) == 1
    assert quotes(pages["method/index.html"]) == 2
    assert quotes(clip_page(pages, "loud--a")) == 1
    for name in ("index.html", "method/index.html", "clips/loud--a/index.html"):
        assert said in rendered.texts[name]
    text = pages["method/index.html"].text
    assert text.count("Claimed by Run loud") == 1
    assert text.count("Read into the numbers of Run loud by this archive") == 1


def test_a_run_says_whether_this_build_holds_copies(pages: dict[str, Reader]) -> None:
    refers = "by address and sha256 and holds no copy."

    assert "This build includes copies of 2 of 4." in pages["runs/loud/index.html"].text
    assert f"This site refers to them {refers}" in pages["runs/quiet/index.html"].text
    assert "This build includes a copy of this clip." in clip_page(pages, "loud--a").text
    assert f"This site refers to this clip {refers}" in clip_page(pages, "quiet--far").text
    assert "Theirs. This build includes copies of 2 of 4." in pages["data/index.html"].text
    for page in pages.values():
        downloads = [attrs for tag, attrs in page.tags if tag == "a" and "download" in attrs]
        media = [one for one in downloads if "media/" in (one["href"] or "")]
        assert not (media and "holds no copy" in page.text and "of 4" not in page.text)


def test_missing_files_are_counted_where_results_are_shown(pages: dict[str, Reader]) -> None:
    """Of loud one cell has a file of its own accord not; of quiet one was not found."""
    for name in ("index.html", "method/index.html"):
        assert "This build had 2 of 3 files of Run loud at hand" in pages[name].text
        assert "This build had 2 of 3 files of Run quiet at hand" in pages[name].text
        assert "files of Run cards" not in pages[name].text
    assert "Read from its packets" in clip_page(pages, "loud--a").text
    assert "Read from its packets" not in clip_page(pages, "loud--silent").text


def test_what_a_player_feels_is_told_of_the_original_and_of_the_copy(
    pages: dict[str, Reader], tmp_path: Path
) -> None:
    assert "What a player feels with the original" in clip_page(pages, "loud--a").text
    assert "The same in the display copy." in clip_page(pages, "loud--a").text

    def mended(piece: Evidence) -> Evidence:
        if piece.media is None:
            return piece
        display = piece.media.display
        facts = replace(display.facts, flags=(Flag(id="other", text="new here"),))
        media = replace(piece.media, display=replace(display, facts=facts))
        return replace(piece, media=media)

    evidence = [mended(piece) for piece in sample.evidence(tmp_path)]
    made = render(sample.CATALOGUE, evidence, templates=sample.TEMPLATES, assets=sample.ASSETS)
    text = Reader(made.texts["clips/loud--a/index.html"]).text
    assert "2 frames share <their> time Mended in the display copy." in text
    assert "New here In the display copy only." in text
    remote = Reader(made.texts["clips/quiet--far/index.html"]).text
    assert "2 frames share <their> time" in remote
    assert "display copy" not in remote


def test_a_card_is_rendered_and_not_received(tmp_path: Path) -> None:
    def original(piece: Evidence) -> Evidence:
        if piece.media is None:
            return piece
        display = replace(piece.media.display, kind="original", facts=piece.media.facts)
        return replace(piece, media=replace(piece.media, display=display))

    evidence = [original(piece) for piece in sample.evidence(tmp_path)]
    made = render(sample.CATALOGUE, evidence, templates=sample.TEMPLATES, assets=sample.ASSETS)
    text = Reader(made.texts["clips/cards--card/index.html"]).text
    (card,) = [piece for piece in evidence if piece.clip.id == "cards--card"]

    assert card.media is not None
    assert "Rendered by this build." in text
    assert f"SHA-256: {card.media.facts.sha256}" in text
    for false in ("as it came", "riginal: not stated", "Stated duration", "the original"):
        assert false not in text


def test_a_re_encoded_copy_says_why() -> None:
    display = next(
        piece.media.display
        for piece in sample.evidence(Path(tempfile.mkdtemp()))
        if piece.media is not None
    )
    why = "its index hides some of its frames"
    encoded = replace(display, kind="re-encoded", recipe={"why": why})

    assert words.display_kind(encoded) == (
        f"An H.264 display copy, made because {why}. It is not the evidence."
    )


def test_notes_begin_like_sentences_and_are_typeset(pages: dict[str, Reader]) -> None:
    text = clip_page(pages, "loud--a").text

    assert "The recording stalls" in text
    assert "As the file’s end says" in text
    assert "The recording stalls" in pages["runs/loud/index.html"].text
    assert "The number is frames divided by 2\u00a0s" in rendered_text(pages, "method/index.html")
    assert "FPS as stated" in text


def rendered_text(pages: dict[str, Reader], name: str) -> str:
    return "".join(pages[name].words)


def test_a_number_is_shown_with_its_kind(pages: dict[str, Reader]) -> None:
    assert "Number 49.3 FPS, published elsewhere" in clip_page(pages, "loud--a").text
    assert "Number not stated" in clip_page(pages, "loud--silent").text


def test_cells_show_thumbnails_that_wait(pages: dict[str, Reader]) -> None:
    for name in ("index.html", "archive/index.html", "clips/loud--a/index.html"):
        stills = [attrs for _, attrs in pages[name].tags if attrs.get("class") == "cell-still"]
        assert stills, name
        for attrs in stills:
            assert (attrs["width"], attrs["height"]) == ("320", "180")
            assert attrs["loading"] == "lazy"


def test_no_two_pages_share_a_title(rendered: Rendered) -> None:
    titles = Counter(
        re.search(r"<title>(.*?)</title>", text)[1]  # type: ignore[index]
        for name, text in rendered.texts.items()
        if name.endswith(".html")
    )

    assert [title for title, times in titles.items() if times > 1] == []
    assert "The archive – Sample Archive" in titles
    assert not any("Matrix Archive" in title for title in titles)


def test_the_lost_page_and_those_for_frames_ask_not_to_be_listed(pages: dict[str, Reader]) -> None:
    for name, page in pages.items():
        robots = [attrs["content"] for _, attrs in page.tags if attrs.get("name") == "robots"]
        assert robots == (["noindex"] if name.startswith(("404", "embed/")) else [])


def test_the_feed_is_by_the_site_about_who_measured(rendered: Rendered) -> None:
    atom = {"a": "http://www.w3.org/2005/Atom"}
    feed = ElementTree.fromstring(rendered.texts["feed.xml"])

    assert [one.text for one in feed.iterfind(".//a:author/a:name", atom)] == ["Sample Archive"]
    summaries = [
        one.findtext("a:summary", namespaces=atom) for one in feed.iterfind("a:entry", atom)
    ]
    assert summaries == [
        "A run. 3 cells. Measured by Somebody.",
        "A run. 4 cells. Measured by Somebody.",
        "A run. 1 cell.",
    ]


def test_other_peoples_clips_bear_their_names(pages: dict[str, Reader]) -> None:
    def about(clip_id: str) -> dict[str, object]:
        return json.loads(clip_page(pages, clip_id).scripts[0][1])

    assert about("loud--a")["creditText"] == "Somebody"
    assert about("loud--a")["copyrightNotice"] == "Theirs."
    assert "creditText" not in about("cards--card")


def test_pictures_are_described_and_not_named(pages: dict[str, Reader]) -> None:
    def alt(name: str) -> str | None:
        (found,) = [
            attrs["content"]
            for _, attrs in pages[name].tags
            if attrs.get("property") == "og:image:alt"
        ]
        return found

    assert (alt("clips/loud--a/index.html") or "").startswith("A frame of the clip ")
    assert "rows of strokes" in (alt("index.html") or "")
