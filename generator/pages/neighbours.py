"""The cells next to one: what a reader wants to see beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from generator.pages.clips import ClipView


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """The cells next to one: what a reader wants to see beside it."""

    along: tuple[str, str]
    """What lies before and after on the cell's own line, in words."""
    before: ClipView | None
    after: ClipView | None
    other_prompts: tuple[ClipView, ...]
    other_sizes: tuple[ClipView, ...]
    other_series: tuple[ClipView, ...]
    test_card: ClipView | None
    """A card of the same rate and size, to watch the rate itself."""

    @property
    def all(self) -> tuple[tuple[str, ClipView], ...]:
        listed = [
            (self.along[0], self.before),
            (self.along[1], self.after),
            *(("other prompt", view) for view in self.other_prompts),
            *(("other size", view) for view in self.other_sizes),
            *(("other series", view) for view in self.other_series),
            ("same rate, test card", self.test_card),
        ]
        return tuple((words_, view) for words_, view in listed if view is not None)


def neighbours(view: ClipView, views: Sequence[ClipView]) -> Neighbours:
    """Cells of the same pipeline that differ from `view` in one respect, and its test card."""
    same = [other for other in views if other.clip.pipeline == view.clip.pipeline]

    def apart(other: ClipView, *names: str) -> bool:
        """`other` differs in one of these and in nothing else."""
        theirs, ours = _aspects(other), _aspects(view)
        differing = {name for name in ours if theirs[name] != ours[name]}
        return bool(differing) and differing <= set(names)

    line = sorted(
        (other for other in same if other is view or apart(other, "pace")),
        key=lambda other: (len(other.clip.steps), sum(other.clip.steps), other.clip.steps),
    )
    if not view.clip.steps:
        line = sorted(
            (other for other in line if other.clip.fps is not None or other is view),
            key=lambda other: (other.clip.fps or Fraction(0), other.id),
        )
    at = line.index(view)
    return Neighbours(
        along=("fewer steps", "more steps") if view.clip.steps else ("slower", "faster"),
        before=line[at - 1] if at else None,
        after=line[at + 1] if at + 1 < len(line) else None,
        other_prompts=tuple(other for other in same if apart(other, "prompt")),
        other_sizes=tuple(other for other in same if apart(other, "size")),
        other_series=tuple(other for other in same if apart(other, "series", "run")),
        test_card=test_card(view, views),
    )


def _aspects(view: ClipView) -> dict[str, object]:
    """What was chosen for a clip. Test cards have no steps: what is chosen there is the rate."""
    clip = view.clip
    return {
        "prompt": clip.prompt,
        "size": (clip.width, clip.height),
        "pace": clip.steps or clip.fps,
        "run": clip.run,
        "series": clip.series,
    }


def test_card(view: ClipView, views: Sequence[ClipView]) -> ClipView | None:
    """The playable test card with the clip's stated rate and size."""
    if view.pipeline.renderer == "test-card" or view.clip.fps is None:
        return None
    for other in views:
        if (
            other.pipeline.renderer == "test-card"
            and other.media.playable
            and other.clip.fps == view.clip.fps
            and (other.clip.width, other.clip.height) == (view.clip.width, view.clip.height)
        ):
            return other
    return None
