"""The cells next to one: what a reader wants to see beside it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import NamedTuple

from generator.pages.clips import CellView, ClipView

MOST_OF_A_KIND = 5
"""A page shows the way to other prompts, sizes and series, not all of a large archive's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """The cells next to one."""

    along: tuple[str, str]
    """What lies before and after on the cell's own line, in words."""
    before: CellView | None
    after: CellView | None
    other_prompts: tuple[CellView, ...]
    other_sizes: tuple[CellView, ...]
    other_series: tuple[CellView, ...]
    test_card: CellView | None
    """A card of the same rate and size, to watch the rate itself."""

    @property
    def all(self) -> tuple[tuple[str, CellView], ...]:
        listed = [
            (self.along[0], self.before),
            (self.along[1], self.after),
            *(("other prompt", view) for view in self.other_prompts),
            *(("other size", view) for view in self.other_sizes),
            *(("other series", view) for view in self.other_series),
            ("same rate, test card", self.test_card),
        ]
        return tuple((words_, view) for words_, view in listed if view is not None)


class Aspects(NamedTuple):
    """What was chosen for a clip; None stands for any. Test cards have no steps: what is chosen
    there is the rate."""

    pipeline: str
    prompt: str | None
    size: tuple[int, int] | None
    pace: tuple[int, ...] | Fraction | None
    series: tuple[str, str] | None
    """Run and series."""


Alike = dict[int | None, ClipView]
"""Clips that differ in nothing but the seed, by it."""
PROMPT, SIZE, PACE, SERIES = VARIED = range(1, 5)
"""What clips next to each other differ in: places in Aspects."""


def aspects(view: ClipView) -> Aspects:
    clip = view.clip
    return Aspects(
        clip.pipeline,
        clip.prompt,
        (clip.width, clip.height),
        clip.steps or clip.fps,
        (clip.run, clip.series),
    )


class Surroundings:
    """All clips, laid out so that those next to any one are found without a look at the rest."""

    def __init__(self, views: Sequence[ClipView]) -> None:
        self._alike: dict[tuple[object, ...], dict[object, Alike]] = {}
        for view in views:
            chosen = aspects(view)
            for varied in VARIED:
                others = self._alike.setdefault(_without(chosen, varied), {})
                alike = others.setdefault(chosen[varied], {})
                alike.setdefault(view.clip.seed, view)
        self._lines: dict[tuple[object, ...], list[tuple[tuple[object, ...], object]]] = {}
        self._cards: dict[tuple[object, ...], ClipView] = defaultdict()
        for view in views:
            if view.pipeline.renderer == "test-card" and view.media.playable:
                self._cards.setdefault(_rate_and_size(view), view)

    def of(self, view: ClipView) -> Neighbours:
        """Cells of the same pipeline that differ from `view` in one respect, and its test card.

        Where several differ in the same way, one with the same seed goes before the others.
        """
        chosen = aspects(view)
        before, after = self._on_line(view, chosen)
        return Neighbours(
            along=("fewer steps", "more steps") if view.clip.steps else ("slower", "faster"),
            before=before.cell if before else None,
            after=after.cell if after else None,
            other_prompts=self._others(view, chosen, PROMPT),
            other_sizes=self._others(view, chosen, SIZE),
            other_series=self._others(view, chosen, SERIES),
            test_card=self._card(view),
        )

    def _others(self, view: ClipView, chosen: Aspects, varied: int) -> tuple[CellView, ...]:
        mine = chosen[varied]
        others = self._alike[_without(chosen, varied)].items()
        differing = (found for value, found in others if value != mine)
        return tuple(_like(view, found).cell for found in islice(differing, MOST_OF_A_KIND))

    def _on_line(self, view: ClipView, chosen: Aspects) -> tuple[ClipView | None, ClipView | None]:
        """The cells before and after, of those that differ in their pace alone."""
        key = _without(chosen, PACE)
        paces = self._alike[key]
        if key not in self._lines:
            order = [(_pace_order(pace), pace) for pace in paces if pace is not None]
            self._lines[key] = sorted(order, key=lambda entry: entry[0])
        line = self._lines[key]
        mine = _pace_order(chosen.pace)
        left = bisect_left(line, mine, key=lambda entry: entry[0])
        right = bisect_right(line, mine, key=lambda entry: entry[0])
        return (
            _like(view, paces[line[left - 1][1]]) if left else None,
            _like(view, paces[line[right][1]]) if right < len(line) else None,
        )

    def _card(self, view: ClipView) -> CellView | None:
        """The playable test card with the clip's stated rate and size."""
        if view.pipeline.renderer == "test-card" or view.clip.fps is None:
            return None
        card = self._cards.get(_rate_and_size(view))
        return card.cell if card else None


def _without(chosen: Aspects, varied: int) -> tuple[object, ...]:
    return (varied, *chosen[:varied], *chosen[varied + 1 :])


def _like(view: ClipView, found: Alike) -> ClipView:
    return found.get(view.clip.seed) or next(iter(found.values()))


def _pace_order(pace: object) -> tuple[object, ...]:
    if isinstance(pace, tuple):
        return (1, len(pace), sum(pace), pace)
    return (0, pace or 0)


def _rate_and_size(view: ClipView) -> tuple[object, ...]:
    return (view.clip.fps, view.clip.width, view.clip.height)
