"""What was derived from clips, kept from build to build in one file, so that a clip whose
derivation is known costs next to nothing.

The cache of `derived` holds the bytes, and decides on its own what may be kept; this is a list of
what it gave. The list holds while the code of this room and the ffmpeg are the same, and an entry
while its files are there in their sizes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import fields
from fractions import Fraction
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from generator.clips import ffmpeg
from generator.clips.cache import facts_from, facts_to
from generator.clips.display import prepare
from generator.kept import read_json, stamp, write_json
from generator.records import Display, Media, Still, Storyboard


class Terms(NamedTuple):
    """What decides, of a clip, what is derived from it: as `prepare` takes it."""

    source: Path
    sha256: str
    spread_over_s: Fraction | None

    @property
    def key(self) -> str:
        return f"{self.sha256} {self.spread_over_s} {self.source.suffix}"


class Prepared:
    """`prepare`, with a memory."""

    def __init__(self, store: Path, cache: Path, *, trusting: bool = True) -> None:
        self._store, self._cache = store, cache
        self._code = _code()
        kept = read_json(store) if trusting else {}
        self._known: dict[str, Any] = kept["media"] if kept.get("terms") == self._code else {}
        self._used: dict[str, Any] = {}

    def derive(self, terms: Terms) -> Media:
        """As `prepare`; remembered from now on."""
        made = prepare(
            terms.source,
            sha256=terms.sha256,
            spread_over_s=terms.spread_over_s,
            cache=self._cache,
        )
        self._used[terms.key] = self._json(made)
        return made

    def known(self, terms: Terms) -> Media | None:
        """What is remembered, at once; None where it must be derived."""
        kept = self._known.get(terms.key)
        media = self._media(terms.source, terms.sha256, kept) if kept else None
        if media is not None:
            self._used[terms.key] = kept
        return media

    def save(self) -> None:
        """Keep what was used; where that cannot be, the next build asks `prepare` again."""
        if self._used.keys() == self._known.keys():
            return
        with contextlib.suppress(OSError):
            write_json(self._store, {"terms": self._code, "media": self._used})

    def _json(self, media: Media) -> dict[str, Any]:
        shown = media.display
        own = shown.path == media.source
        return {
            "facts": facts_to(media.facts),
            "shown": None if shown.facts == media.facts else facts_to(shown.facts),
            "shown_sha256": shown.facts.sha256,
            "path": None if own else self._place(shown.path),
            "kind": shown.kind,
            "mime": shown.mime,
            "recipe": shown.recipe,
            "poster": self._picture(media.poster),
            "thumbnail": self._picture(media.thumbnail),
            "storyboard": self._picture(media.storyboard),
        }

    def _picture(self, picture: Still | Storyboard) -> dict[str, Any]:
        kept = {field.name: getattr(picture, field.name) for field in fields(picture)}
        return {**kept, "path": self._place(picture.path)}

    def _place(self, path: Path) -> list[Any]:
        return [path.relative_to(self._cache).as_posix(), path.stat().st_size]

    def _media(self, source: Path, sha256: str, kept: Mapping[str, Any]) -> Media | None:
        """The record again; None when one of its files is gone."""
        try:
            facts = facts_from(sha256, kept["facts"])
            shown = (
                facts if kept["shown"] is None else facts_from(kept["shown_sha256"], kept["shown"])
            )
            return Media(
                source=source,
                facts=facts,
                display=Display(
                    path=source if kept["path"] is None else self._found(kept["path"]),
                    kind=kept["kind"],
                    mime=kept["mime"],
                    facts=shown,
                    recipe=kept["recipe"],
                ),
                poster=Still(**self._again(kept["poster"])),
                thumbnail=Still(**self._again(kept["thumbnail"])),
                storyboard=Storyboard(**self._again(kept["storyboard"])),
            )
        except (OSError, KeyError, TypeError, ValueError):
            return None

    def _again(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        return {**kept, "path": self._found(kept["path"])}

    def _found(self, place: list[Any]) -> Path:
        path = f"{self._cache}/{place[0]}"  # text, for paths are slow by the thousand
        if os.stat(path).st_size != place[1]:  # noqa: PTH116
            raise FileNotFoundError(path)
        return Path(path)


def _code() -> dict[str, Any]:
    """Everything but the clip that decides what is derived."""
    code = hashlib.sha256()
    for path in sorted(Path(__file__).resolve().parent.glob("*.py")):
        code.update(path.read_bytes())
    program = Path(ffmpeg.executable())
    return {
        "code": code.hexdigest(),
        "av": metadata.version("av"),
        "ffmpeg": [str(program), *stamp(program.stat())],
    }
