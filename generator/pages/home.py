"""What the home page chooses to show first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from generator.pages.clips import ClipView
from generator.records import Label, Preset


@dataclass(frozen=True, slots=True, kw_only=True)
class PairView:
    """Two clips for the comparer."""

    a: ClipView
    b: ClipView


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtremesView:
    """The slowest and fastest stated cells of one kind of number."""

    slowest: ClipView
    fastest: ClipView

    @property
    def abroad(self) -> bool:
        """Whether they come from different machines, which must be told then."""
        return self.slowest.run.machine != self.fastest.run.machine


def preset_pair(presets: Iterable[Preset], views: Sequence[ClipView]) -> PairView | None:
    """The first preset of two clips whose files this build has seen, else two test cards far
    apart, else any two clips that play. What first meets the eye is nothing that nobody has
    looked at."""
    by_id = {view.id: view for view in views if view.media.plays is not None}
    for preset in presets:
        if len(preset.clips) == 2 and all(clip in by_id for clip in preset.clips):
            a, b = preset.clips
            return PairView(a=by_id[a], b=by_id[b])
    return _cards_apart(views) or _any_two(views)


def _cards_apart(views: Sequence[ClipView]) -> PairView | None:
    """The slowest and fastest test card of the size that has most of them."""
    cards = [
        view
        for view in views
        if view.pipeline.renderer == "test-card" and view.media.playable and view.clip.fps
    ]
    sizes = Counter(view.clip.size for view in cards)
    if not sizes:
        return None
    most = max(sizes.values())
    size = next(view.clip.size for view in cards if sizes[view.clip.size] == most)
    ordered = sorted((view for view in cards if view.clip.size == size), key=_rate)
    return PairView(a=ordered[0], b=ordered[-1]) if len(ordered) > 1 else None


def _any_two(views: Sequence[ClipView]) -> PairView | None:
    playable = [view for view in views if view.media.playable]
    return PairView(a=playable[0], b=playable[1]) if len(playable) > 1 else None


def extremes(views: Sequence[ClipView]) -> ExtremesView | None:
    """Of the most frequent label that is no declaration; declared rates only where all are."""
    stated = [view for view in views if view.clip.fps is not None]
    achieved = [view for view in stated if view.series.label is not Label.DECLARED]
    pool = achieved or stated
    labels = Counter(view.series.label for view in pool)
    if not labels:
        return None
    label = labels.most_common(1)[0][0]
    ordered = sorted((view for view in pool if view.series.label is label), key=_rate)
    return ExtremesView(slowest=ordered[0], fastest=ordered[-1])


def _rate(view: ClipView) -> tuple[Fraction, str]:
    return (view.clip.fps or Fraction(0), view.id)
