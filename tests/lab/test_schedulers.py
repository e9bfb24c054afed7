"""Step lists against the published ones; the sampler against its closed form."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")

from generator.lab import schedulers  # noqa: E402

WARPED = {
    2: (1000, 833.3),
    3: (1000, 909.2, 714.0),
    4: (1000, 937.5, 833.3, 625),
    6: (1000, 961.4, 909.2, 833.3, 714.0, 500.6),
    8: (1000, 972.2, 937.5, 892.9, 833.3, 750, 625, 416.7),
    10: (1000, 978.3, 952.4, 921.1, 882.4, 833.3, 769.2, 681.8, 555.6, 357.1),
    12: (
        *(1000, 982.2, 961.4, 937.5, 909.2, 874.8, 833.3, 781.5),
        *(714.0, 625, 500.6, 311.6),
    ),
}
"""By hand from t = 5000 s / (1 + 4 s); the list for 4 is the one that the weights know."""


@pytest.mark.parametrize("count", schedulers.STEP_COUNTS)
def test_warped_lists_are_the_known_ones(count: int) -> None:
    assert schedulers.warped(schedulers.raw_steps(count)) == pytest.approx(WARPED[count], abs=0.05)


def test_four_raw_steps_are_the_trained_ones() -> None:
    assert schedulers.raw_steps(4) == schedulers.TRAINED


def test_without_a_shift_nothing_is_warped() -> None:
    assert schedulers.warped((1000, 667, 333), shift=1) == (1000, 667, 333)


@pytest.mark.parametrize("count", [0, -1, 1001])
def test_other_counts_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="no number of denoising steps"):
        schedulers.raw_steps(count)


@pytest.mark.parametrize("timestep", [1000.0, 833.3333129882812, 311.6, 0.0])
def test_the_true_velocity_leads_back_to_the_clean_latents(timestep: float) -> None:
    """v = noise - x_0 undoes the mixing at every timestep."""
    generator = torch.Generator().manual_seed(0)
    x_0, noise = (torch.randn(3, 4, 2, 2, generator=generator) for _ in range(2))

    x: Any = schedulers.noised(x_0, noise, timestep)

    torch.testing.assert_close(schedulers.clean(x, noise - x_0, timestep), x_0)
