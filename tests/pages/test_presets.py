"""Comparisons with a page of their own, and what they tell those who embed them."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from generator.pages import Rendered, render

from . import sample

BASE = sample.SITE.base_url
OEMBED = "application/json+oembed"
REQUIRED = {
    "type": str,
    "version": str,
    "html": str,
    "width": int,
    "height": int,
}
"""Of a rich answer: https://oembed.com, 2.3.4."""
THUMBNAIL = {"thumbnail_url", "thumbnail_width", "thumbnail_height"}
"""All of these or none: the same, 2.3.4."""


class Tags(HTMLParser):
    """(name, attributes) of every tag, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]


def oembed(rendered: Rendered, preset: str) -> dict[str, object]:
    """The answer that a consumer gets who looks for one on the preset's page."""
    links = Tags(rendered.texts[f"compare/{preset}/index.html"]).of("link")
    (address,) = [link["href"] or "" for link in links if link.get("type") == OEMBED]
    assert address.startswith(BASE)
    answer = json.loads(rendered.texts[address.removeprefix(BASE)])
    assert isinstance(answer, dict)
    return answer


@pytest.mark.parametrize("preset", [one.id for one in sample.PRESETS])
def test_an_oembed_answer_is_one_by_the_specification(rendered: Rendered, preset: str) -> None:
    answer = oembed(rendered, preset)

    assert {name: type(answer[name]) for name in REQUIRED} == REQUIRED
    assert (answer["type"], answer["version"]) == ("rich", "1.0")
    assert answer["provider_url"] == BASE
    assert answer["title"] == f"Preset <{preset}>"
    assert THUMBNAIL & set(answer) in (set(), THUMBNAIL)
    ((name, frame),) = Tags(str(answer["html"])).found
    assert name == "iframe"
    assert frame["src"] == f"{BASE}embed/{preset}/"
    assert frame["title"] == answer["title"]
    assert (frame["width"], frame["height"]) == (str(answer["width"]), str(answer["height"]))


def test_a_thumbnail_is_a_picture_that_may_be_published(rendered: Rendered) -> None:
    shown, hidden = oembed(rendered, "second"), oembed(rendered, "third")

    assert str(shown["thumbnail_url"]).removeprefix(BASE) in rendered.files
    assert (shown["thumbnail_width"], shown["thumbnail_height"]) == (512, 288)
    picture = str(hidden["thumbnail_url"]).removeprefix(BASE)
    assert "card" in rendered.files[picture].name, "only the card of the four may be shown"


def test_a_page_shows_its_clips_in_their_order_also_without_script(rendered: Rendered) -> None:
    for address in ("compare/third/index.html", "embed/third/index.html"):
        videos = Tags(rendered.texts[address]).of("video")
        clips = [video["data-clip"] for video in videos]
        assert clips == ["quiet--far", "quiet--near", "quiet--unseen", "cards--card"]
        assert [bool(video.get("src")) for video in videos] == [True, False, True, True]
        assert ["controls" in video for video in videos] == [True, False, True, True]
        assert videos[1]["data-missing"]


def test_a_page_leads_to_the_same_comparison_where_clips_can_be_chosen(rendered: Rendered) -> None:
    links = [link.get("href") or "" for link in Tags(rendered.texts[SECOND]).of("a")]
    (address,) = [link for link in links if "?a=loud" in link]

    assert parse_qs(urlsplit(address).query) == {
        "a": ["loud--a"],
        "b": ["loud--b"],
        "t": ["1.25"],
        "mode": ["wipe"],
        "base": ["live"],
    }


SECOND = "compare/second/index.html"


def test_the_snippet_to_copy_is_the_frame_of_the_oembed_answer(rendered: Rendered) -> None:
    text = rendered.texts[SECOND]
    (area,) = Tags(text).of("textarea")
    assert "readonly" in area
    escaped = str(oembed(rendered, "second")["html"]).replace("&", "&amp;").replace("<", "&lt;")
    assert escaped.replace(">", "&gt;").replace('"', "&#34;") in text


def test_a_frame_asks_not_to_be_found_and_names_its_whole_page(rendered: Rendered) -> None:
    for preset in ("first", "second", "third"):
        tags = Tags(rendered.texts[f"embed/{preset}/index.html"])
        assert {"name": "robots", "content": "noindex"} in tags.of("meta")
        (canonical,) = [one["href"] for one in tags.of("link") if one.get("rel") == "canonical"]
        assert canonical == f"{BASE}compare/{preset}/"
        (out,) = [one for one in tags.of("a") if one.get("target")]
        assert (out["target"], out["rel"]) == ("_blank", "noopener")
    assert "/embed/" not in rendered.texts["sitemap.xml"]
    assert "compare/second/" in rendered.texts["sitemap.xml"]


def test_a_changed_note_changes_its_own_pages_and_no_others(
    rendered: Rendered, tmp_path: Path
) -> None:
    changed = replace(sample.PRESETS[1], html="<p>Another note.</p>")
    catalogue = replace(sample.CATALOGUE, presets=(sample.PRESETS[0], changed, sample.PRESETS[2]))
    again = render(
        catalogue,
        sample.evidence(tmp_path / "again"),
        templates=sample.TEMPLATES,
        assets=sample.ASSETS,
    )

    assert [n for n in rendered.texts if rendered.texts[n] != again.texts[n]] == [SECOND]
