"""Measures a trained model on seeds that it was not trained on: quality by steps, drift, the VAE.

Every figure of one table is of the same seeds, conditions and noise. Intervals are of 95 %, over
seeds. The clips that are measured are streamed, chunk after chunk with keys kept, as by `generate`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import torch

from generator.lab.models.neon import stream
from generator.lab.models.neon_vae import NeonVAE
from generator.lab.pipelines.neon import timesteps_for
from generator.lab.train import metrics
from generator.lab.train.data import HELD_OUT, Condition, Footage, times_of
from generator.lab.train.metrics import AttributeNetwork, Interval, bootstrap
from generator.lab.train.training import Models

__all__ = ["STEPS", "Measured", "evaluate"]

# Shapes: S seeds, B seeds of a batch, k chunks, F frames

STEPS = (1, 2, 3, 4, 6, 8, 10, 12, 64)
CHUNK = 12
"""Frames of a chunk."""
DRAWS, ROUGH_DRAWS = 200, 20
"""Of the bootstrap of a distance: as it is told, and on the way there."""
Say = Callable[[str, int, int], None]


@dataclass(slots=True)
class Measured:
    """Of clips of S seeds, k chunks each: features [S, k, 64], attribute error [S, k], sharpness
    [S, k]."""

    features: torch.Tensor
    error: torch.Tensor
    sharpness: torch.Tensor


def evaluate(
    models: Models,
    footage: Footage,
    *,
    seeds: int,
    width: int,
    height: int,
    device: torch.device,
    steps: Sequence[int] = STEPS,
    chunks: int = 3,
    batch: int = 8,
    drift_seeds: int = 0,
    drift_steps: int = 12,
    drift_chunks: int = 20,
    progress: Say = lambda what, done, total: None,
    found: Callable[[dict[str, Any]], None] = lambda result: None,
) -> dict[str, Any]:
    """All figures, ready for JSON. `chunks` are measured of each clip, all but the first, which is
    easier than others, where there are two and more. `found` is handed what there is after each
    batch, with rough intervals, so that what is ended from outside is not lost."""
    if 64 not in steps:
        steps = (*steps, 64)
    numbers = torch.arange(HELD_OUT, HELD_OUT + seeds, device=device)
    condition = footage.draw(numbers)
    sides = width, height
    frames = CHUNK * chunks
    parts: dict[str, list[Measured]] = {}
    of_vae: list[float] = []
    distance: dict[str, list[torch.Tensor]] = {}
    warp: dict[str, list[torch.Tensor]] = {}
    total = -(-seeds // batch)
    skipped = 1 if chunks > 1 else 0

    def result(draws: int) -> dict[str, Any]:
        measured = {name: joined(some) for name, some in parts.items()}
        table = {
            name: row(some, measured["rendered"], skipped, draws) for name, some in measured.items()
        }
        for name, each in distance.items():
            table[name]["rms_to_64_steps"] = of_seeds(torch.cat(each))
        for name, each in warp.items():
            table[name]["warp_error"] = of_seeds(torch.cat(each))
        return {
            "seeds": len(of_vae),
            "first_seed": HELD_OUT,
            "size": f"{width}x{height}",
            "chunks": chunks,
            "vae_psnr_db": of_seeds(torch.tensor(of_vae)),
            "by_steps": table,
        }

    with (
        torch.inference_mode(),
        torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"),
    ):
        for turn, start in enumerate(range(0, seeds, batch)):
            some = condition[slice(start, start + batch)]
            times = times_of(some, 0, frames)
            real = footage.render(some, times, *sides)
            parts.setdefault("rendered", []).append(looked(models.features, real, some))
            again = decoded(models.vae, models.vae.encode(real))
            of_vae += [metrics.psnr(a, b) for a, b in zip(again, real, strict=True)]
            parts.setdefault("reconstructed", []).append(looked(models.features, again, some))
            first = models.vae.encode(real[:, :CHUNK])
            flow = None
            if footage.flow is not None and chunks > 1:
                flow = footage.flow(some, times[:, : 2 * CHUNK], *sides)[:, CHUNK - 1 :]
            best: torch.Tensor | None = None
            for count in sorted(set(steps), reverse=True):  # 64 first: the others are held to it
                made = streamed(models, some, count, chunks, sides)
                pictures = decoded(models.vae, made)
                best = pictures if best is None else best
                name = str(count)
                distance.setdefault(name, []).append(metrics.rms(pictures, best).cpu())
                parts.setdefault(name, []).append(looked(models.features, pictures, some))
                if flow is not None:
                    on = streamed(models, some, count, 2, sides, given=[first])
                    seen = decoded(models.vae, on)[:, CHUNK - 1 :]
                    truth = real[:, CHUNK - 1 : 2 * CHUNK]
                    warp.setdefault(name, []).append(metrics.warp_error(seen, flow, truth).cpu())
                    own = warp.setdefault("rendered", [])
                    if len(own) <= turn:
                        own.append(metrics.warp_error(truth, flow, truth).cpu())
            progress("evaluating", turn + 1, total)
            if turn + 1 < total:
                found(result(ROUGH_DRAWS))
    told = result(DRAWS)
    found(told)
    if drift_seeds:
        told["drift"] = drift(
            models,
            footage,
            condition[slice(0, drift_seeds)],
            drift_steps,
            drift_chunks,
            sides,
            batch,
        )
    return told


def streamed(
    models: Models,
    condition: Condition,
    steps: int,
    chunks: int,
    sides: tuple[int, int],
    *,
    given: Sequence[torch.Tensor] = (),
) -> torch.Tensor:
    """Latents [B, T, C, h, w]; the noise follows from the seeds alone."""
    device, shape = condition.scene.device, models.config.dit
    size = (shape.chunk, shape.latent_channels, sides[1] // 8, sides[0] // 8)
    generators = [
        torch.Generator(device).manual_seed(int(seed) % 2**31) for seed in condition.seeds.tolist()
    ]

    def draw(chunk: int) -> torch.Tensor:
        return torch.stack([torch.randn(size, generator=g, device=device) for g in generators])

    texts = models.neon.texts(condition.scene, condition.values)
    timesteps = timesteps_for(steps, models.config.shift)
    made = stream(models.neon, texts, timesteps, draw, models.vae.latents_spread, given=given)
    return torch.cat(list(islice(made, chunks)), dim=1)


def decoded(vae: NeonVAE, latents: torch.Tensor) -> torch.Tensor:
    """Pictures in float32, decoded by the chunk, so that long clips need no more memory."""
    memory = vae.fresh_memory()
    parts = [vae.decode(part, memory).float().clamp(0, 1) for part in latents.split(3, dim=1)]
    return torch.cat(parts, dim=1)


def looked(network: AttributeNetwork, video: torch.Tensor, condition: Condition) -> Measured:
    """Each chunk of clips [B, F, 3, H, W] by itself."""
    clips = len(video)
    each = video.unflatten(1, (-1, CHUNK)).flatten(0, 1)
    features = network.features(each).float()
    shares = network.values(torch.nn.functional.gelu(features)).sigmoid()
    values = condition.values.repeat_interleave(len(each) // clips, dim=0)
    error = metrics.attribute_error(shares, values)
    found = (features, error, metrics.sharpness(each))
    return Measured(*(one.float().cpu().unflatten(0, (clips, -1)) for one in found))


def joined(found: Sequence[Measured]) -> Measured:
    return Measured(
        *(
            torch.cat([getattr(one, name) for one in found])
            for name in ("features", "error", "sharpness")
        )
    )


def row(found: Measured, real: Measured, skipped: int, draws: int = DRAWS) -> dict[str, Any]:
    """Figures of clips against rendered ones of the same seeds; both are drawn anew together."""
    seeds = len(found.features)

    def distance(index: torch.Tensor) -> float:
        ours, theirs = (
            metrics.moments(one.features[index, skipped:].flatten(0, 1)) for one in (found, real)
        )
        return metrics.frechet(ours, theirs)

    sharp = real.sharpness[:, skipped:]
    low, high = torch.quantile(sharp.flatten(), torch.tensor([0.05, 0.95])).tolist()
    ours = found.sharpness[:, skipped:]
    inside = ((ours >= low) & (ours <= high)).float().mean(dim=1)
    return {
        "frechet": asdict(bootstrap(distance, seeds, draws=draws)),
        "attribute_error": of_seeds(found.error[:, skipped:].mean(dim=1)),
        "sharpness_to_rendered": of_seeds(ours.mean(dim=1) / sharp.mean()),
        "sharpness_in_rendered_band": of_seeds(inside),
    }


def drift(
    models: Models,
    footage: Footage,
    condition: Condition,
    steps: int,
    chunks: int,
    sides: tuple[int, int],
    batch: int,
) -> dict[str, Any]:
    """Quarter after quarter of long streams, against rendered clips of the same moments."""
    device = condition.scene.device
    made: list[Measured] = []
    real: list[Measured] = []
    with (
        torch.inference_mode(),
        torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"),
    ):
        for start in range(0, len(condition.seeds), batch):
            some = condition[slice(start, start + batch)]
            latents = streamed(models, some, steps, chunks, sides)
            pictures = decoded(models.vae, latents)
            made.append(looked(models.features, pictures, some))
            quarters = []
            for chunk in range(chunks):  # one after the other: twenty seconds are much to hold
                times = times_of(some, chunk * CHUNK, CHUNK)
                quarters.append(looked(models.features, footage.render(some, times, *sides), some))
            real.append(
                Measured(
                    *(
                        torch.cat([getattr(one, name) for one in quarters], dim=1)
                        for name in ("features", "error", "sharpness")
                    )
                )
            )
    ours, theirs = joined(made), joined(real)
    rows = []
    for quarter in range(4):
        span = slice(quarter * chunks // 4, (quarter + 1) * chunks // 4)
        one, other = (
            Measured(each.features[:, span], each.error[:, span], each.sharpness[:, span])
            for each in (ours, theirs)
        )
        if not one.features.shape[1]:
            continue
        rows.append({"from_s": float(span.start), "to_s": float(span.stop), **row(one, other, 0)})
    return {"seeds": len(condition.seeds), "steps": steps, "quarters": rows}


def of_seeds(values: torch.Tensor) -> dict[str, float]:
    """The mean over seeds, with its interval."""
    found: Interval = bootstrap(lambda index: float(values[index].mean()), len(values))
    return asdict(found)
