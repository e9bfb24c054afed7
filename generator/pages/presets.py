"""Comparisons that somebody thought worth a page: their cards, pages, frames and oEmbed answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from markupsafe import escape

from generator.measure import decimals
from generator.pages import addresses
from generator.pages.clips import CellView, ClipView
from generator.records import SIDES, Label, Preset, Site

FRAME = (960, 660)
"""Size in CSS pixels that a frame of a comparison gets unless somebody says otherwise; its page
fits into others, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardView:
    """What other pages show of a preset."""

    title: str
    summary: str
    page: str
    cells: tuple[tuple[str, CellView], ...]
    """(side, clip)."""
    labels: tuple[Label, ...]
    """Where the cells' numbers come from."""

    @property
    def watchable(self) -> int:
        return sum(cell.playable for _, cell in self.cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetView:
    """A preset with its clips, resolved."""

    preset: Preset
    clips: tuple[tuple[str, ClipView], ...]
    """(side, clip)."""

    @property
    def page(self) -> str:
        return addresses.preset(self.preset.id)

    @property
    def embedded(self) -> str:
        return addresses.embedded(self.preset.id)

    @property
    def oembed(self) -> str:
        return addresses.oembed(self.preset.id)

    @property
    def view(self) -> str:
        """What an address says of how it opens, as static/js/lib/view.js reads it; but for the
        start, which players take from an attribute so that nothing is fetched for it."""
        preset = self.preset
        said = {"mode": preset.mode, "base": preset.base}
        plain = {"mode": "side", "base": "time"}
        return urlencode({name: word for name, word in said.items() if word != plain[name]})

    @property
    def start(self) -> str:
        start_s = self.preset.start_s
        return decimals.decimal(start_s, 6, least=0) if start_s else ""

    @property
    def comparer(self) -> str:
        """Address of the same comparison where clips can be chosen."""
        start = f"&t={self.start}" if self.start else ""
        view = f"&{self.view}" if self.view else ""
        return addresses.compare(*(view.id for _, view in self.clips)) + start + view

    @property
    def card(self) -> CardView:
        labels = dict.fromkeys(view.series.label for _, view in self.clips)
        return CardView(
            title=self.preset.title,
            summary=self.preset.summary,
            page=self.page,
            cells=tuple((side, view.cell) for side, view in self.clips),
            labels=tuple(labels),
        )


def preset_views(presets: Iterable[Preset], views: Sequence[ClipView]) -> tuple[PresetView, ...]:
    by_id = {view.id: view for view in views}
    return tuple(
        PresetView(
            preset=preset,
            clips=tuple(
                (side, by_id[clip]) for side, clip in zip(SIDES, preset.clips, strict=False)
            ),
        )
        for preset in presets
        if all(clip in by_id for clip in preset.clips)
    )


def frame(site: Site, preset: PresetView) -> str:
    """What others paste into their page."""
    width, height = FRAME
    return (
        f'<iframe src="{escape(site.base_url + preset.embedded)}" width="{width}" '
        f'height="{height}" title="{escape(preset.preset.title)}" loading="lazy" '
        'allow="fullscreen; clipboard-write"></iframe>'
    )


def oembed(site: Site, preset: PresetView) -> dict[str, object]:
    """The preset's answer to those who ask how to embed it: https://oembed.com, version 1.0."""
    width, height = FRAME
    answer: dict[str, object] = {
        "type": "rich",
        "version": "1.0",
        "title": preset.preset.title,
        "provider_name": site.title,
        "provider_url": site.base_url,
        "html": frame(site, preset),
        "width": width,
        "height": height,
    }
    still = next((view.media for _, view in preset.clips if view.media.has_still), None)
    if still:
        answer |= {
            "thumbnail_url": site.base_url + still.poster,
            "thumbnail_width": still.poster_width,
            "thumbnail_height": still.poster_height,
        }
    return answer
