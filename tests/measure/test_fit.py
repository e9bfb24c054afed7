"""The fitted line against certified figures, a closed form in exact fractions, and numpy."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from generator.measure.fit import fit_line

# NIST Statistical Reference Datasets, "Norris" (public domain): (x, y), 36 observations.
NORRIS = [
    (0.2, 0.1), (337.4, 338.8), (118.2, 118.1), (884.6, 888.0), (10.1, 9.2), (226.5, 228.1),
    (666.3, 668.5), (996.3, 998.5), (448.6, 449.1), (777.0, 778.9), (558.2, 559.2), (0.4, 0.3),
    (0.6, 0.1), (775.5, 778.1), (666.9, 668.8), (338.0, 339.3), (447.5, 448.9), (11.6, 10.8),
    (556.0, 557.7), (228.1, 228.3), (995.8, 998.0), (887.6, 888.8), (120.2, 119.6), (0.3, 0.3),
    (0.3, 0.6), (556.8, 557.6), (339.1, 339.3), (887.2, 888.0), (999.0, 998.5), (779.0, 778.9),
    (11.1, 10.2), (118.3, 117.6), (229.2, 228.9), (669.1, 668.4), (448.9, 449.2), (0.5, 0.2),
]  # fmt: skip

times = st.integers(1, 500_000).map(lambda us: us / 1000)
samples = st.lists(st.tuples(st.integers(1, 64), times), min_size=3, max_size=30)


def test_it_returns_the_certified_figures_of_norris():
    fit = fit_line(NORRIS)

    assert fit.n == 36
    assert fit.a_ms == pytest.approx(-0.262323073774029, rel=1e-10)
    assert fit.b_ms_per_step == pytest.approx(1.00211681802045, rel=1e-12)
    assert fit.r2 == pytest.approx(0.999993745883712, rel=1e-13)
    assert fit.spread_ms == pytest.approx(0.884796396144373, rel=1e-10)


def test_points_on_a_line_are_returned_as_that_line():
    fit = fit_line([(steps, 3.5 + 4.25 * steps) for steps in (2, 3, 4, 6, 8, 10, 12)])

    assert (fit.a_ms, fit.b_ms_per_step) == pytest.approx((3.5, 4.25))
    assert fit.r2 == pytest.approx(1)
    assert fit.spread_ms == pytest.approx(0, abs=1e-12)
    assert fit.at(5) == pytest.approx(24.75)


@given(samples)
def test_it_agrees_with_the_normal_equations_in_exact_fractions(points):
    steps = [Fraction(x) for x, _ in points]
    ms = [Fraction(y) for _, y in points]
    n = len(points)
    determinant = n * sum(x * x for x in steps) - sum(steps) ** 2
    assume(determinant)
    b = (n * sum(x * y for x, y in zip(steps, ms, strict=True)) - sum(steps) * sum(ms)) / (
        determinant
    )
    a = (sum(ms) - b * sum(steps)) / n

    fit = fit_line(points)

    assert fit.a_ms == pytest.approx(float(a), rel=1e-9, abs=1e-7)
    assert fit.b_ms_per_step == pytest.approx(float(b), rel=1e-9, abs=1e-7)


@given(samples)
def test_it_agrees_with_numpy(points):
    steps, ms = np.array(points, dtype=float).T
    assume(np.ptp(steps) > 0)
    (b, a), residuals, *_ = np.polyfit(steps, ms, 1, full=True)

    fit = fit_line(points)

    assert (fit.a_ms, fit.b_ms_per_step) == pytest.approx((a, b), rel=1e-7, abs=1e-5)
    assert fit.spread_ms**2 * (fit.n - 2) == pytest.approx(residuals[0], rel=1e-6, abs=1e-4)
    if np.ptp(ms) > 0.01:
        assert fit.r2 == pytest.approx(np.corrcoef(steps, ms)[0, 1] ** 2, abs=1e-6)


def test_equal_times_have_no_fit_quality():
    """Nothing varies, so no share of a variance can be explained."""
    fit = fit_line([(2, 40.0), (4, 40.0), (6, 40.0)])

    assert fit.r2 is None
    assert fit.b_ms_per_step == 0


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ([], "no line through 0 points"),
        ([(3, 78.1)], "no line through 1 point:"),
        ([(3, 78.1), (6, 90.9)], "no line through 2 points"),
        ([(4, 1.0), (4, 2.0), (4, 3.0)], "single step count"),
    ],
)
def test_too_little_is_refused_with_the_reason(points, reason):
    with pytest.raises(ValueError, match=reason):
        fit_line(points)
