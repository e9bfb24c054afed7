"""What a page says to machines: title, description, picture and video, in OpenGraph and JSON-LD."""

from __future__ import annotations

import json
from dataclasses import dataclass

from markupsafe import Markup

from generator.pages import words
from generator.pages.clips import ClipView
from generator.records import Label, Site

CARD = "img/card.png"
"""Below the static tree: the picture of pages that have none of their own."""
CARD_SIZE = (1200, 630)
CARD_ALT = (
    "The words Matrix Archive above two rows of strokes: a sparse grey one and a dense yellow one"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """The head of a page. All addresses are absolute."""

    title: str
    description: str
    canonical: str
    kind: str
    image: str
    image_width: int
    image_height: int
    image_alt: str
    video: str
    video_type: str
    video_width: int
    video_height: int
    json_ld: Markup | None


def page_meta(
    site: Site, *, title: str, description: str, address: str, assets: str, view: ClipView | None
) -> Meta:
    """The head of the page at `address`; `view` is the clip it is about, if it is about one."""
    media = view.media if view else None
    still = media if media and media.has_still else None
    playable = media if media and media.playable else None
    image = site.base_url + (still.poster if still else f"{assets}{CARD}")
    video = ""
    if playable:
        video = playable.src if playable.state == "remote" else site.base_url + playable.src
    canonical = site.base_url + address
    return Meta(
        title=title if title == site.title else f"{title} – {site.title}",
        description=" ".join(description.split()),
        canonical=canonical,
        kind="video.other" if playable else "website",
        image=image,
        image_width=still.poster_width if still else CARD_SIZE[0],
        image_height=still.poster_height if still else CARD_SIZE[1],
        image_alt=f"A frame of the clip {view.title}" if view and still else CARD_ALT,
        video=video,
        video_type=playable.mime if playable else "",
        video_width=playable.width if playable else 0,
        video_height=playable.height if playable else 0,
        json_ld=_video_object(view, description, canonical, image, video)
        if view and playable
        else None,
    )


def _video_object(view: ClipView, description: str, page: str, image: str, video: str) -> Markup:
    about = {
        "@context": "https://schema.org",
        "@type": "VideoObject",
        "name": view.title,
        "description": description,
        "url": page,
        "thumbnailUrl": [image],
        "uploadDate": view.run.published,
        "contentUrl": video,
        "encodingFormat": view.media.mime,
        "width": view.media.width,
        "height": view.media.height,
    }
    if view.series.label is Label.PUBLISHED_ELSEWHERE:
        about |= _credit(view)
    if view.media.duration_s is not None:
        about["duration"] = words.iso_duration(view.media.duration_s)
    return script_json(about)


def _credit(view: ClipView) -> dict[str, object]:
    """Whose a clip is that is not this site's own."""
    run = view.run
    credit: dict[str, object] = {"creditText": run.measured_by, "copyrightNotice": run.rights}
    if run.source:
        credit["isPartOf"] = {"@type": "WebPage", "name": run.source.title, "url": run.source.url}
    return {name: value for name, value in credit.items() if value}


def script_json(value: object) -> Markup:
    """JSON that may stand inside a script element, whatever its strings hold."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def clip_description(view: ClipView) -> str:
    """One honest sentence or two for a search result."""
    rate = f"{view.fps} FPS ({view.label})" if view.clip.fps is not None else "FPS not stated"
    what = f"{view.short}: {rate}."
    if view.prompt:
        what += f" Prompt: {view.prompt.text}"
    return what
