"""Losses of the autoencoder, and of the flow. Pictures are RGB, 0 to 1, [B, F, 3, H, W]."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

__all__ = [
    "PatchCritic",
    "critic_loss",
    "feature_loss",
    "flow_weights",
    "fooling_loss",
    "laplacian_loss",
    "sigmas",
    "temporal_loss",
]


def laplacian_loss(one: torch.Tensor, other: torch.Tensor, levels: int = 4) -> torch.Tensor:
    """L1 between Laplacian pyramids (Burt & Adelson, 1983): detail of every size weighs alike."""
    difference = (one - other).flatten(0, 1)
    total = difference.new_zeros(())
    for _ in range(levels - 1):
        if min(difference.shape[-2:]) < 4:
            break
        small = functional.avg_pool2d(difference, 2, ceil_mode=True, count_include_pad=False)
        size = (difference.shape[-2], difference.shape[-1])
        blurred = functional.interpolate(small, size=size, mode="bilinear", align_corners=False)
        total = total + (difference - blurred).abs().mean()
        difference = small
    return total + difference.abs().mean()


def temporal_loss(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """L1 between what changes from frame to frame."""
    return ((one[:, 1:] - one[:, :-1]) - (other[:, 1:] - other[:, :-1])).abs().mean()


def feature_loss(one: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> torch.Tensor:
    """L1 between features [B, F, C, h, w] of unit length in each place, mean over the layers: what
    LPIPS is (Zhang et al., 2018), on features of the attribute network."""
    parts = [
        (functional.normalize(a, dim=2) - functional.normalize(b, dim=2)).abs().sum(dim=2).mean()
        for a, b in zip(one, other, strict=True)
    ]
    return torch.stack(parts).mean()


class PatchCritic(nn.Module):
    """Tells patches of rendered frames from reconstructed ones, a frame beside the one before it
    (PatchGAN of Isola et al., 2017)."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        norm = nn.utils.parametrizations.spectral_norm
        self.layers = nn.Sequential(
            norm(nn.Conv2d(6, width, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
            norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
            norm(nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
            norm(nn.Conv2d(4 * width, 1, 3, padding=1)),
        )

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        pairs = torch.cat([video[:, 1:], video[:, :-1]], dim=2).flatten(0, 1)
        with nn.utils.parametrize.cached():
            with torch.autocast(video.device.type, enabled=False):
                # power iteration in full precision, and once for each pass
                for layer in self.layers:
                    getattr(layer, "weight", None)
            return self.layers(2 * pairs - 1)


def critic_loss(real: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """Hinge."""
    return functional.relu(1 - real).mean() + functional.relu(1 + made).mean()


def fooling_loss(made: torch.Tensor) -> torch.Tensor:
    return -made.mean()


def sigmas(
    shape: tuple[int, ...], generator: torch.Generator, device: torch.device, shift: float
) -> torch.Tensor:
    """Noise levels 0 to 1: logit-normal (Esser et al., 2024), then shifted towards noise."""
    u = torch.randn(shape, generator=generator, device=device).sigmoid()
    return shift * u / (1 + (shift - 1) * u)


def flow_weights(
    sigma_Bn: torch.Tensor, generator: torch.Generator, *, history_share: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise levels and loss weights of chunks [B, n] for Diffusion Forcing.

    All levels are independent; but in a share of the clips all chunks before the last are history,
    as in a stream: clean in one half of them, slightly noisy in the other, and without a loss.
    """
    clips, device = sigma_Bn.shape[:1], sigma_Bn.device
    turn = torch.rand(clips, generator=generator, device=device).unsqueeze(1)
    slight = 0.1 * torch.rand(sigma_Bn.shape, generator=generator, device=device) ** 2
    past = torch.where(turn < history_share / 2, 0.0, slight)
    history = (turn < history_share).expand_as(sigma_Bn).clone()
    history[:, -1] = False
    return torch.where(history, past, sigma_Bn), (~history).float()
