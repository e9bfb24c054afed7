"""What quality is measured with, against closed forms and against known pictures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")

import neon_stand_in  # noqa: E402

from generator.lab.train import losses, metrics  # noqa: E402


def drawn(*shape: int, seed: int = 1) -> Any:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_frechet_of_gaussians_is_the_closed_form() -> None:
    """Of diagonal covariances: |m1 - m2|^2 + sum (s1 - s2)^2."""
    m1, m2 = torch.tensor([1.0, -2.0, 0.5]).double(), torch.tensor([0.0, 1.0, 0.5]).double()
    s1, s2 = torch.tensor([1.0, 2.0, 0.1]).double(), torch.tensor([3.0, 0.5, 0.1]).double()
    one = metrics.Moments(m1, torch.diag(s1**2))
    other = metrics.Moments(m2, torch.diag(s2**2))
    wanted = float((m1 - m2).pow(2).sum() + (s1 - s2).pow(2).sum())
    assert metrics.frechet(one, other) == pytest.approx(wanted, rel=1e-12)
    assert metrics.frechet(one, one) == pytest.approx(0, abs=1e-9)


def test_frechet_of_correlated_features_is_what_numpy_computes() -> None:
    """With the square root of the product of both covariances by its own eigenvalues, in numpy."""
    a = drawn(300, 8) @ drawn(8, 8, seed=2) + 0.3
    b = drawn(200, 8, seed=3) @ drawn(8, 8, seed=4)
    got = metrics.frechet(metrics.moments(a), metrics.moments(b))
    x, y = a.double().numpy(), b.double().numpy()
    c1, c2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = np.sqrt(np.linalg.eigvals(c1 @ c2).astype(complex)).real.sum()
    apart = ((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum()
    assert got == pytest.approx(apart + np.trace(c1) + np.trace(c2) - 2 * root, rel=1e-9)
    assert got > metrics.frechet(metrics.moments(a), metrics.moments(a + 0.01))


def test_intervals_cover_the_mean_as_theory_says() -> None:
    """Of 400 draws from a unit normal: mean +- 1.96 / sqrt(400)."""
    values = drawn(400)
    found = metrics.bootstrap(lambda index: float(values[index].mean()), 400, draws=500)
    assert found.value == pytest.approx(float(values.mean()), abs=1e-6)
    half = 1.96 * float(values.std()) / 20
    assert found.high - found.value == pytest.approx(half, rel=0.2)
    assert found.value - found.low == pytest.approx(half, rel=0.2)


def test_psnr_of_a_known_error() -> None:
    one = torch.full((2, 3, 3, 4, 4), 0.5)
    assert metrics.psnr(one, one + 0.1) == pytest.approx(20, abs=1e-4)
    assert metrics.rms(one, one + 0.1).tolist() == pytest.approx([0.1, 0.1], rel=1e-5)


def test_sharpness_of_a_pattern_that_can_be_worked_out() -> None:
    """A chequerboard of 0 and 1: each place differs by 1 from its four neighbours."""
    board = ((torch.arange(8).view(-1, 1) + torch.arange(8)) % 2).float()
    video = board.expand(1, 2, 3, 8, 8)
    assert metrics.sharpness(video).item() == pytest.approx(4, rel=1e-5)
    assert metrics.sharpness(0 * video).item() == 0
    blurred = torch.nn.functional.avg_pool2d(board.view(1, 1, 8, 8), 3, 1, 1)
    assert metrics.sharpness(blurred.expand(1, 2, 3, 8, 8)).item() < 1


def test_a_picture_that_moves_as_its_flow_says_has_no_warp_error() -> None:
    """Shifted by whole pixels with the true flow: nothing left; with none: much."""
    wide = torch.rand(3, 20, 40, generator=torch.Generator().manual_seed(2))
    frames = torch.stack([wide[:, :, 12 - 3 * i : 36 - 3 * i] for i in range(4)]).unsqueeze(0)
    flow = torch.zeros(1, 3, 2, 20, 24)
    still = metrics.warp_error(frames, flow).item()
    flow[:, :, 0] = 3
    assert metrics.warp_error(frames, flow).item() < 1e-5 < 0.1 < still
    broken = frames.clone()
    broken[:, 2] = 1 - broken[:, 2]
    assert metrics.warp_error(broken, flow).item() > 0.1
    unseen = metrics.warp_error(broken, flow, rendered=broken).item()
    assert unseen < 0.05, "what the rendered clip does not follow itself is not counted"


def test_the_stand_ins_flow_is_true() -> None:
    """Its own frames follow it where the disc is, so that metrics are tested on something true."""
    footage = neon_stand_in.shapes()
    condition = footage.draw(torch.arange(4, 8))
    times = torch.arange(5).view(1, -1).expand(4, -1) / 12.0
    video = footage.render(condition, times, 96, 64)
    assert footage.flow is not None
    flow = footage.flow(condition, times, 96, 64)
    truth = metrics.warp_error(video[:, :, :1].expand(-1, -1, 3, -1, -1), flow)
    still = metrics.warp_error(video[:, :, :1].expand(-1, -1, 3, -1, -1), 0 * flow)
    assert (truth < still).all()


def test_attributes_that_a_scene_lacks_are_not_counted() -> None:
    shares = torch.tensor([[0.5, 0.5], [0.0, 1.0]])
    values = torch.tensor([[0.25, math.nan], [1.0, 0.0]])
    assert metrics.attribute_error(shares, values).tolist() == [0.25, 1.0]


def test_a_laplacian_pyramid_weighs_each_size_of_detail() -> None:
    """A constant offset is seen by the last level alone; an equal picture by none."""
    one = torch.rand(1, 2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    assert losses.laplacian_loss(one, one).item() == 0
    assert losses.laplacian_loss(one, one + 0.2).item() == pytest.approx(0.2, rel=1e-4)
    assert losses.temporal_loss(one, one + 0.2).item() == pytest.approx(0, abs=1e-6)
    flickering = one + torch.tensor([0.1, -0.1]).view(1, 2, 1, 1, 1)
    assert losses.temporal_loss(one, flickering).item() == pytest.approx(0.2, rel=1e-4)


def test_noise_levels_are_logit_normal_and_shifted() -> None:
    """The median of sigma is shift / (1 + shift): a half at shift 1, two thirds at 2."""
    generator = torch.Generator().manual_seed(0)
    for shift in (1.0, 2.0):
        found = losses.sigmas((20_000,), generator, torch.device("cpu"), shift)
        assert found.median().item() == pytest.approx(shift / (1 + shift), abs=0.01)
    sigma, weight = losses.flow_weights(torch.full((10_000, 3), 0.7), generator, history_share=0.5)
    assert (sigma[:, -1] == 0.7).all()
    assert (weight[:, -1] == 1).all()
    history = weight[:, 0] == 0
    assert history.float().mean().item() == pytest.approx(0.5, abs=0.02)
    assert (sigma[history, :2] <= 0.1).all()
    assert (sigma[history][:, 0] == 0).float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert (sigma[~history] == 0.7).all()
