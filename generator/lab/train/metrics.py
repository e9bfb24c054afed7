"""What the quality of clips is measured with, and the network that measures it.

The attribute network predicts scene and attributes of a clip; its last features serve the Fréchet
distance (Heusel et al., 2017) in place of a network that was trained on other pictures, and its
early ones the autoencoder's loss. Distances of another network must not be compared with these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

__all__ = [
    "AttributeNetwork",
    "Interval",
    "Moments",
    "attribute_error",
    "attribute_loss",
    "bootstrap",
    "frechet",
    "moments",
    "psnr",
    "rms",
    "sharpness",
    "warp_error",
    "warped_back",
]

# Shapes: N samples, B clips, F frames, A attributes, K features, H and W sides

FEATURES = 64
"""Few, so that some hundred clips say how they vary."""
DROPPED = 0.2
"""Share of what is seen that training hides, lest it learn clips by heart."""
LOOK = (144, 256)
"""Sides, height first, that clips are brought to before they are looked at."""


class AttributeNetwork(nn.Module):
    """Scene and attributes of short clips [B, F, 3, H, W], 0 to 1, of any size."""

    def __init__(
        self,
        scenes: int,
        attributes: int,
        *,
        widths: Sequence[int] = (32, 64, 128, 192),
        look: tuple[int, int] = LOOK,
    ) -> None:
        super().__init__()
        self.look = look
        entering = (6, *widths[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 3, stride=2, padding=1), nn.GroupNorm(8 if b % 8 == 0 else 1, b)
            )
            for a, b in zip(entering, widths, strict=True)
        )
        self.over_time = nn.ModuleList(nn.Conv1d(b, b, 3, padding=1) for b in widths[2:])
        self.last = nn.Linear(2 * widths[-1], FEATURES)
        self.scene = nn.Linear(FEATURES, scenes)
        self.values = nn.Linear(FEATURES, attributes)

    def layers(self, video: torch.Tensor, *, resize: bool = True) -> list[torch.Tensor]:
        """What each stage makes of the frames, [B, F, C, h, w]; each frame is seen beside what
        changed since the one before."""
        clips, frames = video.shape[:2]
        x = video.flatten(0, 1)
        if resize and x.shape[-2:] != self.look:
            x = functional.interpolate(x, self.look, mode="bilinear", antialias=True)
        x = x.unflatten(0, (clips, frames))
        changed = x - torch.cat([x[:, :1], x[:, :-1]], dim=1)
        x = torch.cat([2 * x - 1, 4 * changed], dim=2).flatten(0, 1)
        made = []
        for i, stage in enumerate(self.stages):
            x = functional.relu(stage(x))
            if i >= 2:
                mixed = x.unflatten(0, (clips, frames)).permute(0, 3, 4, 2, 1)
                mixed = self.over_time[i - 2](mixed.flatten(0, 2)).reshape(mixed.shape)
                x = functional.relu(x + mixed.permute(0, 4, 3, 1, 2).flatten(0, 1))
            made.append(x.unflatten(0, (clips, frames)))
        return made

    def features(self, video: torch.Tensor) -> torch.Tensor:
        """[B, 64]"""
        top = self.layers(video)[-1]
        seen = torch.cat([top.mean(dim=(1, 3, 4)), top.amax(dim=(3, 4)).mean(dim=1)], 1)
        return self.last(functional.dropout(seen, DROPPED, self.training))

    def forward(self, video: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(scores of scenes [B, scenes], attributes [B, A] as shares)"""
        features = functional.gelu(self.features(video))
        return self.scene(features), self.values(features).sigmoid()


def attribute_loss(
    told: tuple[torch.Tensor, torch.Tensor], scene: torch.Tensor, values: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy of the scene, and squared error of the attributes that it has."""
    scores, shares = told
    has = ~values.isnan()
    off = (shares - torch.nan_to_num(values)).pow(2)
    off = (off * has).sum() / has.sum()  # a mask as an index would have the host wait
    return 0.2 * functional.cross_entropy(scores, scene) + 4 * off


def attribute_error(shares: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Mean absolute error [N] of predicted shares [N, A] against the condition, over the attributes
    that were stated. A guess of the middle is off by 0.25."""
    return (shares - values).abs().nanmean(dim=1)


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean [K] and covariance [K, K] of features, float64."""

    mean: torch.Tensor
    covariance: torch.Tensor


def moments(features_NK: torch.Tensor) -> Moments:
    """Of a single sample the covariance is 0: nothing is known of how others vary."""
    wide = features_NK.double()
    if len(wide) == 1:
        return Moments(wide[0], wide.new_zeros(wide.shape[1], wide.shape[1]))
    return Moments(wide.mean(dim=0), torch.cov(wide.T).reshape(wide.shape[1], -1))


def frechet(one: Moments, other: Moments) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2), by eigenvalues of symmetric matrices:
    no square root of a product that rounding makes complex."""
    values, vectors = torch.linalg.eigh(one.covariance)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    both = torch.linalg.eigvalsh(root @ other.covariance @ root).clamp_min(0).sqrt().sum()
    apart = (one.mean - other.mean).pow(2).sum()
    spread = one.covariance.trace() + other.covariance.trace() - 2 * both
    return float((apart + spread).clamp_min(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure with its 95 % interval over seeds."""

    value: float
    low: float
    high: float


def bootstrap(
    figure: Callable[[torch.Tensor], float], seeds: int, *, draws: int = 200, seed: int = 0
) -> Interval:
    """Percentile bootstrap (Efron, 1979): `figure` of indices [seeds], drawn with return. What
    belongs to one seed stays together, since its parts are not independent."""
    generator = torch.Generator().manual_seed(seed)
    made = sorted(figure(torch.randint(seeds, (seeds,), generator=generator)) for _ in range(draws))
    ends = torch.quantile(
        torch.tensor(made, dtype=torch.float64), torch.tensor([0.025, 0.975]).double()
    )
    return Interval(value=figure(torch.arange(seeds)), low=float(ends[0]), high=float(ends[1]))


def psnr(one: torch.Tensor, other: torch.Tensor) -> float:
    """In dB, of pictures 0 to 1: over all pixels at once."""
    error = (one.double() - other.double()).pow(2).mean()
    return float(-10 * error.clamp_min(1e-12).log10())


def rms(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Root of the mean square difference [B], such as to the same clips in 64 steps."""
    return (one - other).pow(2).flatten(1).mean(dim=1).sqrt()


def sharpness(video: torch.Tensor) -> torch.Tensor:
    """Mean size [B] of the Laplacian of luma. More is not better: it is held against rendered
    clips, and noise has much of it."""
    luma = (video * video.new_tensor([0.299, 0.587, 0.114]).view(1, 1, 3, 1, 1)).sum(dim=2)
    around = luma[..., :-2, 1:-1] + luma[..., 2:, 1:-1] + luma[..., 1:-1, :-2] + luma[..., 1:-1, 2:]
    return (around - 4 * luma[..., 1:-1, 1:-1]).abs().mean(dim=(1, 2, 3))


def warped_back(later: torch.Tensor, flow: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Later frames [N, 3, H, W] as seen from the places of the earlier ones, by flow [N, 2, H, W]
    in pixels; and which places [N, 1, H, W] are inside the later picture."""
    height, width = later.shape[-2:]
    rows = torch.arange(height, device=later.device, dtype=later.dtype)
    columns = torch.arange(width, device=later.device, dtype=later.dtype)
    x, y = columns + flow[:, 0], rows.unsqueeze(1) + flow[:, 1]
    grid = torch.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], dim=-1)
    inside = ((grid.abs() <= 1).all(dim=-1)).unsqueeze(1)
    seen = functional.grid_sample(later, grid, padding_mode="border", align_corners=True)
    return seen, inside


def warp_error(
    video: torch.Tensor, flow: torch.Tensor, rendered: torch.Tensor | None = None
) -> torch.Tensor:
    """Mean absolute difference [B] between each frame and the next one warped back by the true flow
    [B, F - 1, 2, H, W]. Where the `rendered` clip itself does not follow its flow (what comes from
    behind something, rain, lights that flicker) nothing is counted."""
    frames = video[:, :-1].flatten(0, 1)
    moved = flow.flatten(0, 1)
    seen, counted = warped_back(video[:, 1:].flatten(0, 1), moved)
    if rendered is not None:
        of_truth, _ = warped_back(rendered[:, 1:].flatten(0, 1), moved)
        kept = (of_truth - rendered[:, :-1].flatten(0, 1)).abs().mean(dim=1, keepdim=True) < 0.05
        counted = counted & kept
    off = ((seen - frames).abs().mean(dim=1, keepdim=True) * counted).flatten(1).sum(dim=1)
    places = counted.flatten(1).sum(dim=1).clamp_min(1)
    return (off / places).unflatten(0, (*video.shape[:1], -1)).mean(dim=1)
