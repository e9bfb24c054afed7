"""What this build had at hand of each run, and which copies it gives away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from generator.pages import words
from generator.pages.clips import ClipView
from generator.records import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class GapView:
    """A run of whose files some were not there: `had` of `files`."""

    run: Run
    had: int
    files: int


def gaps(runs: Sequence[Run], views: Sequence[ClipView]) -> tuple[GapView, ...]:
    """Runs whose files were not all at hand; cells that never had a file count for nothing."""
    made = (_gap(run, [view for view in views if view.run.id == run.id]) for run in runs)
    return tuple(gap for gap in made if gap.had < gap.files)


def _gap(run: Run, views: Sequence[ClipView]) -> GapView:
    expected = [view for view in views if view.clip.no_clip == "" or view.evidence.media]
    had = sum(view.evidence.media is not None for view in expected)
    return GapView(run=run, had=had, files=len(expected))


def copies(views: Sequence[ClipView]) -> str:
    """Whether the site holds copies of these clips, in one sentence; "" where it names no file."""
    held = sum(view.media.state == "local" for view in views)
    one = len(views) == 1
    if held == len(views) and held:
        return "This build includes a copy of this clip." if one else "This build includes copies."
    if held:
        return (
            f"This build includes copies of {words.grouped(held)} of {words.grouped(len(views))}."
        )
    if not any(view.clip.url or view.clip.sha256 for view in views):
        return ""
    stills = " but stills" if any(view.media.has_still for view in views) else ""
    return (
        f"This site refers to {'this clip' if one else 'them'} by address and sha256 "
        f"and holds no copy{stills}."
    )
