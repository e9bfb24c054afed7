"""Records with nothing in them but what they cannot be without."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from generator.records import Clip


def a_clip(name: str = "a", *, run: str = "run", **given: object) -> Clip:
    """A row of a run without file, address or hash; `given` fields replace the blank ones."""
    blank = Clip(
        id=f"{run}--{name}",
        row_id=name,
        run=run,
        series="published",
        pipeline="p",
        prompt="",
        width=320,
        height=180,
        steps=(),
        fps=Fraction(24),
        stated_frames=None,
        stated_seconds=None,
        seed=None,
        sha256=None,
        url=None,
        file=None,
        no_clip="",
        line=2,
    )
    return replace(blank, **given)  # type: ignore[arg-type]
