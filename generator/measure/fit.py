"""A straight line through the times of one series: ms = a + b * steps.

Knows nothing of clips; whoever calls decides which points belong to one series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FEWEST_POINTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The least-squares line ms = `a_ms` + `b_ms_per_step` * steps, and how well it fits."""

    a_ms: float
    """What a frame costs apart from its steps."""
    b_ms_per_step: float
    """What each step adds."""
    r2: float | None
    """Share of the variance the line explains, at most 1; None where all times are equal."""
    spread_ms: float
    """Standard deviation of the residuals, sqrt(sum of squares / (n - 2))."""
    n: int
    """How many points the line was drawn through."""

    def at(self, steps: float) -> float:
        """Milliseconds on the line at `steps`."""
        return self.a_ms + self.b_ms_per_step * steps


def fit_line(points: Sequence[tuple[float, float]]) -> Fit:
    """Least squares through (steps, ms) pairs of one series.

    Raises ValueError, with a reason fit to be shown, for fewer than three points or for points
    that all stand at one step count.
    """
    if len(points) < FEWEST_POINTS:
        raise ValueError(f"no line through {_counted(len(points))}: it takes {FEWEST_POINTS}")
    import numpy as np  # a tenth of a second: only for whoever draws a line

    steps, ms = np.array(points, dtype=float).T
    if np.ptp(steps) == 0:
        raise ValueError("no line through points at a single step count")

    # Centred on the mean: the sums stay small, so large step counts lose no digits.
    centred = steps - steps.mean()
    b = float(centred @ (ms - ms.mean()) / (centred @ centred))
    a = float(ms.mean() - b * steps.mean())

    residual = float(np.sum((ms - (a + b * steps)) ** 2))
    total = float(np.sum((ms - ms.mean()) ** 2))
    return Fit(
        a_ms=a,
        b_ms_per_step=b,
        r2=None if np.ptp(ms) == 0 else 1 - residual / total,
        spread_ms=(residual / (len(points) - 2)) ** 0.5,
        n=len(points),
    )


def _counted(points: int) -> str:
    return "1 point" if points == 1 else f"{points} points"
