"""What may be shown of a clip, under which name, and which files that takes.

Rights are decided here and nowhere else in the pages: a file that may not be published is in
no `files`, and then players stream the original from its own address, if it has one.
"""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

from generator.pages import addresses, words
from generator.records import Display, Evidence, Facts, Label, Storyboard


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A media file under its published name."""

    name: str
    path: Path
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpriteView:
    """A storyboard under its published name."""

    src: str
    columns: int
    rows: int
    tiles: int
    tile_width: int
    tile_height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaView:
    """What pages and players get. `state`: "local" (our copy), "remote" (streams from the
    original address), "none". `poster` is a photograph from the clip where `has_still`, else a
    drawn card."""

    state: str
    src: str
    mime: str
    poster: str
    poster_width: int
    poster_height: int
    has_still: bool
    plain_poster: str
    """The poster for a place that says the number itself: the drawn card comes without it."""
    thumbnail: str
    """The photograph, small; "" where there is none."""
    thumbnail_width: int
    thumbnail_height: int
    storyboard: SpriteView | None
    width: int
    height: int
    duration_s: Fraction | None
    frames: int | None
    note: str
    """How the published bytes were made and what they hold, or why there is nothing."""
    playing: str
    """What really plays, for a caption; "" where nothing does."""
    origin: str
    plays: Facts | None
    """The facts of the very bytes that play; None where nobody has looked at them."""
    files: tuple[Published, ...]

    @property
    def playable(self) -> bool:
        return self.state != "none"

    @property
    def rate_hz(self) -> Fraction | None:
        return self.plays.mean_rate_hz if self.plays else None


STATES = {
    "local": "clip",
    "remote": words.PLAYS["remote"],
    "none": "no clip",
}


def media_view(evidence: Evidence) -> MediaView:
    clip, media = evidence.clip, evidence.media
    files: list[Published] = []
    poster, poster_size, has_still = addresses.poster(clip.id), (1280, 720), False
    plain_poster, playing = addresses.plain_poster(clip.id), ""
    thumbnail, thumbnail_size = "", (0, 0)
    sprite = None
    if media and evidence.publish_stills:
        poster, has_still = _named(media.poster.path, media.poster.sha256, files), True
        plain_poster = poster
        poster_size = (media.poster.width, media.poster.height)
        thumbnail = _named(media.thumbnail.path, media.thumbnail.sha256, files)
        thumbnail_size = (media.thumbnail.width, media.thumbnail.height)
        sprite = _sprite(media.storyboard, files)
    state, src, mime, plays, note = "none", "", "", None, no_clip(evidence)
    if media and evidence.publish_media:
        state, src, mime = (
            "local",
            _named(media.display.path, media.display.facts.sha256, files),
            media.display.mime,
        )
        plays, note = media.display.facts, words.display_timing(media.display)
        playing = words.playing(plays, _how(evidence, media.display), evidence.series.note)
    elif _streams(evidence):
        assert clip.url is not None
        state, src = "remote", clip.url
        mime = media.display.mime if media else _mime(clip.url)
        plays = media.facts if media else None
        if plays:
            playing = words.playing(plays, "remote", evidence.series.note)
            note = f"It keeps the file's own timing. {words.timing(plays)}"
        else:
            playing = words.UNSEEN
            note = "The file was not at hand when this site was built; nothing is said about it."
    return MediaView(
        state=state,
        src=src,
        mime=mime,
        poster=poster,
        poster_width=poster_size[0],
        poster_height=poster_size[1],
        has_still=has_still,
        plain_poster=plain_poster,
        thumbnail=thumbnail,
        thumbnail_width=thumbnail_size[0],
        thumbnail_height=thumbnail_size[1],
        storyboard=sprite,
        width=plays.width if plays else clip.width,
        height=plays.height if plays else clip.height,
        duration_s=plays.duration_s if plays else None,
        frames=plays.frame_count if plays else None,
        note=note,
        playing=playing,
        origin=_origin(src) if state == "remote" else "",
        plays=plays,
        files=tuple(files),
    )


def no_clip(evidence: Evidence) -> str:
    """Why a cell has nothing to play."""
    if evidence.clip.no_clip or evidence.missing:
        return evidence.clip.no_clip or evidence.missing
    if evidence.media and not evidence.publish_media:
        return "The clip's rights do not let us publish it, and it has no address that plays."
    return "The run names no file for this cell."


def _streams(evidence: Evidence) -> bool:
    """An original can be played from its own address. One that had to be re-encoded for the
    display copy plays in no browser."""
    clip, media = evidence.clip, evidence.media
    if not clip.url or clip.no_clip or urlsplit(clip.url).scheme not in ("http", "https"):
        return False
    return media is None or media.display.kind != "re-encoded"


def _how(evidence: Evidence, display: Display) -> str:
    """Key of words.PLAYS. What was ordered and came from no file was drawn, not recorded."""
    clip = evidence.clip
    ordered = evidence.series.label is Label.DECLARED
    drawn = ordered and not clip.names_file
    return "declared" if drawn and display.kind in ("original", "remuxed") else display.kind


def _sprite(storyboard: Storyboard, files: list[Published]) -> SpriteView:
    return SpriteView(
        src=_named(storyboard.path, storyboard.sha256, files),
        columns=storyboard.columns,
        rows=storyboard.rows,
        tiles=storyboard.tiles,
        tile_width=storyboard.tile_width,
        tile_height=storyboard.tile_height,
    )


def _named(path: Path, sha256: str, files: list[Published]) -> str:
    """The published name of a file: its own content's hash."""
    published = Published(
        name=f"media/{sha256[:16]}{path.suffix.lower()}", path=path, sha256=sha256
    )
    files.append(published)
    return published.name


def _mime(url: str) -> str:
    return mimetypes.guess_type(urlsplit(url).path)[0] or "video/mp4"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
