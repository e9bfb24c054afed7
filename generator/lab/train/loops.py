"""The three stages of training: what one step of each does. How long they go on is not known here
(`training.py`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from generator.lab.models.neon import Neon, block_pass, dropped, flow, known_share
from generator.lab.models.neon_vae import NeonVAE, blocks_of
from generator.lab.train import losses
from generator.lab.train.data import Bank, Clips, half_size
from generator.lab.train.metrics import AttributeNetwork, attribute_loss
from generator.lab.train.peers import Peers

__all__ = [
    "SIDED",
    "Average",
    "Batch",
    "Recipe",
    "Several",
    "Step",
    "augmented",
    "block_moments",
    "dit_optimiser",
    "dit_step",
    "features_step",
    "reconstruction",
    "vae_optimiser",
    "vae_step",
    "whiten",
]

# Shapes: B clips, n chunks, T latent frames

SIDED = ("side",)
"""Attributes that a mirror turns over: their spans are as long to the left as to the right."""
LEAST_WINDOW = 0.92
"""Of a picture's sides, for the attribute network: one that is smaller shows another distance."""
MOVED = 0.5
"""Between 0, all channels of one spread, and 1, spread as much as they move the picture."""
MUON_SHARE = 8.0
"""Of the learning rate, for the transformer's matrices."""
LINEAR_SHARE = 0.05
"""Of the learning rate, for the VAE's linear paths: they begin where no better ones are."""

Step = Callable[[float], Mapping[str, torch.Tensor]]
"""One step, told how much of the schedule is done (0 to 1); losses by name, on the device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Numbers of the recipe that are no matter of size."""

    spread: float = 1.0
    """Weight of the root of the mean square error, clip by clip: what PSNR is the logarithm of."""
    laplacian: float = 0.1
    temporal: float = 0.1
    features: float = 0.02
    features_from: float = 0.6
    """Of the schedule, from where on textures count; 1 for never."""
    critic: float = 0.004
    critic_from: float = 0.8
    """Of the schedule; 1 for never."""
    halved: float = 0.3
    """Share of the VAE's steps that see clips at half their size."""
    latent_noise: float = 0.03
    """Added to latents before they are decoded, so that small errors of the transformer do not
    show."""
    latent_size: float = 1e-4
    """Weight of the latents' mean square."""
    unstated: float = 0.04
    """Share of clips whose whole condition is dropped."""
    history: float = 0.5
    """Share of clips in which only the last chunk has noise to speak of."""
    own_from: float = 0.85
    """Of the schedule, from where on histories are partly the model's own."""
    own_share: float = 0.5
    """Of steps, then."""
    own_noise: float = 0.02
    average: float = 0.999
    """Decay of the moving average of parameters."""


@dataclass(slots=True)
class Batch:
    """Clips of a step; less are taken where the device has too little memory."""

    size: int


class Average:
    """The moving average of a part's parameters, which is what is kept of it."""

    def __init__(self, part: nn.Module, decay: float) -> None:
        self.part, self.decay, self.steps = part, decay, 0
        self.kept = [p.detach().clone() for p in part.parameters()]

    @torch.no_grad()
    def update(self) -> None:
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        torch._foreach_lerp_(self.kept, [p.detach() for p in self.part.parameters()], 1 - decay)

    def swap(self) -> None:
        """Exchange the part's parameters with their average; again to take it back."""
        for parameter, kept in zip(self.part.parameters(), self.kept, strict=True):
            now = parameter.data.clone()
            parameter.data.copy_(kept)
            kept.copy_(now)


def optimiser(
    parameters: Iterable[nn.Parameter], rate: float, decay: float = 0.01
) -> torch.optim.AdamW:
    """AdamW with decay on matrices alone."""
    found = [p for p in parameters if p.requires_grad]
    groups = [
        {"params": [p for p in found if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in found if p.ndim <= 1], "weight_decay": 0.0},
    ]
    fused = bool(found) and found[0].device.type == "cuda"
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), fused=fused)


class Several:
    """Optimisers of a part's parameters, used as one. One alone is several as well."""

    def __init__(self, *each: torch.optim.Optimizer) -> None:
        self.each = each

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for one in self.each for group in one.param_groups]

    def step(self) -> None:
        for one in self.each:
            one.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        for one in self.each:
            one.zero_grad(set_to_none)

    def forget(self) -> None:
        """What they know of the steps before."""
        for one in self.each:
            one.state.clear()


class StackedMuon(torch.optim.Muon):
    """torch's Muon for all matrices of one shape at once, which saves a GPU two thousand small
    kernels a step. Every matrix must have a gradient."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            shapes: dict[torch.Size, list[torch.Tensor]] = {}
            for parameter in group["params"]:
                shapes.setdefault(parameter.shape, []).append(parameter)
            for (rows, columns), matrices in shapes.items():
                gradients = torch.stack([one.grad for one in matrices if one.grad is not None])
                state, momentum = self.state[matrices[0]], group["momentum"]
                moving = state.setdefault("of_shape", torch.zeros_like(gradients))
                moving.lerp_(gradients, 1 - momentum)
                turned = orthogonal(
                    gradients.lerp(moving, momentum),
                    group["ns_coefficients"],
                    group["ns_steps"],
                    group["eps"],
                )
                rate = group["lr"]
                scaled = rate * 0.2 * math.sqrt(max(rows, columns))
                torch._foreach_mul_(matrices, 1 - rate * group["weight_decay"])
                torch._foreach_add_(matrices, list(turned.unbind()), alpha=-scaled)


def orthogonal(
    matrices: torch.Tensor, coefficients: tuple[float, float, float], rounds: int, eps: float
) -> torch.Tensor:
    """Matrices [n, rows, columns] with all singular values near 1, by Newton and Schulz's rounds in
    bfloat16 (Jordan et al., 2024)."""
    a, b, c = coefficients
    wide = matrices.shape[1] <= matrices.shape[2]
    x = (matrices if wide else matrices.mT).bfloat16()
    x = x / x.flatten(1).norm(dim=1).clamp_min(eps).view(-1, 1, 1)
    for _ in range(rounds):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x if wide else x.mT).to(matrices.dtype)


def dit_optimiser(neon: Neon, rate: float) -> Several:
    """Muon (Jordan et al., 2024) for the blocks' matrices, at `MUON_SHARE` of the rate and scaled
    as AdamW's steps are (Liu et al., 2025); AdamW for all else."""
    matrices = [p for p in neon.dit.blocks.parameters() if p.ndim == 2]
    known = {id(p) for p in matrices}
    muon = StackedMuon(
        matrices, lr=rate, weight_decay=0.01, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    for group in muon.param_groups:
        group["share"] = MUON_SHARE
    return Several(muon, optimiser((p for p in neon.parameters() if id(p) not in known), rate))


def vae_optimiser(vae: NeonVAE, rate: float) -> torch.optim.AdamW:
    """The same, with small steps and no decay for the linear paths (`share` of the rate)."""
    linear = [*vae.encoder.linear.parameters(), *vae.decoder.linear.parameters()]
    made = optimiser([*vae.encoder.network.parameters(), *vae.decoder.network.parameters()], rate)
    made.add_param_group({"params": linear, "weight_decay": 0.0, "share": LINEAR_SHARE})
    return made


def stepped(
    optimiser: torch.optim.Optimizer | Several,
    loss: torch.Tensor,
    part: nn.Module,
    peers: Peers | None = None,
) -> torch.Tensor:
    """Backwards and one step; the gradients' norm, which is cut at 1. A step whose gradients are
    not finite changes nothing."""
    loss.backward()
    if peers is not None:
        peers.average(part)
    size = nn.utils.clip_grad_norm_(part.parameters(), 1.0)
    for parameter in part.parameters():
        if parameter.grad is not None:
            torch.nan_to_num_(parameter.grad, 0.0, 0.0, 0.0)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return size


def features_step(
    network: AttributeNetwork,
    clips: Clips,
    optimiser: Several,
    generator: torch.Generator,
    *,
    batch: Batch,
    half: Callable[[], torch.autocast],
    sided: Sequence[int] = (),
) -> Step:
    """`sided` are the attributes that a mirror turns over, by number."""
    dice = torch.Generator().manual_seed(generator.initial_seed())

    def step(done: float) -> Mapping[str, torch.Tensor]:
        pixels, scene, values = clips.batch(generator, batch.size)
        pixels, values = augmented(pixels, values, generator, dice, sided)
        with half():
            scores, shares = network(pixels)
        loss = attribute_loss((scores.float(), shares.float()), scene, values)
        size = stepped(optimiser, loss, network)
        return {"loss": loss.detach(), "gradient": size}

    return step


def augmented(
    pixels: torch.Tensor,
    values: torch.Tensor,
    generator: torch.Generator,
    dice: torch.Generator,
    sided: Sequence[int],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Clips as they might have been: half of them mirrored, with the shares of the attributes that
    this turns over; and all through one window that is a little smaller than the picture. `dice` is
    the host's, so that it need not wait."""
    turned = torch.rand(len(pixels), generator=generator, device=pixels.device) < 0.5
    pixels = torch.where(turned.view(-1, 1, 1, 1, 1), pixels.flip(-1), pixels)
    values = values.clone()
    for one in sided:
        values[:, one] = torch.where(turned, 1 - values[:, one], values[:, one])
    height, width = pixels.shape[-2:]
    share, down, right = torch.rand(3, generator=dice).tolist()
    share = LEAST_WINDOW + (1 - LEAST_WINDOW) * share
    h, w = max(1, round(share * height)), max(1, round(share * width))
    top, left = round(down * (height - h)), round(right * (width - w))
    return pixels[..., top : top + h, left : left + w], values


@torch.no_grad()
def block_moments(
    pixels: torch.Tensor, filled: int, *, most: int = 256, at_once: int = 4
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean [768] and covariance [768, 768], float64, of blocks of pictures -1 to 1: of the first
    clips of a pool [N, F, 3, H, W] in 8 bits, of which so many are `filled`."""
    clips = pixels[: min(most, filled)]
    total, square, count = 0.0, 0.0, 0
    for some in clips.split(at_once):
        blocks = blocks_of(2 * some.double() / 255 - 1)
        columns = blocks.transpose(0, 2).flatten(1)
        total, square = total + columns.sum(dim=1), square + columns @ columns.T
        count += columns.shape[1]
    mean = torch.as_tensor(total / count)
    return mean, torch.as_tensor(square / count) - torch.outer(mean, mean)


Reconstruct = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, dict[str, torch.Tensor]]]
"""(pixels, noise on the latents) -> (what is made of them, float32, and losses by name)"""


def reconstruction(vae: NeonVAE, recipe: Recipe) -> Reconstruct:
    """All of a step that is the same from its first to its last, as one function to compile."""

    def made_of(
        pixels: torch.Tensor, noise: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        latents = vae.encoder(2 * pixels - 1)
        made = (vae.decoder(latents + noise).float() + 1) / 2
        off = made - pixels
        of_clip = off.pow(2).flatten(1).mean(dim=1)
        return made, {
            "l1": off.abs().mean(),
            "spread": recipe.spread * (of_clip + 1e-6).sqrt().mean(),
            "laplacian": recipe.laplacian * losses.laplacian_loss(made, pixels),
            "temporal": recipe.temporal * losses.temporal_loss(made, pixels),
            "latents": recipe.latent_size * latents.float().pow(2).mean(),
        }

    return made_of


def vae_step(
    vae: NeonVAE,
    clips: Clips,
    optimiser: Several,
    generator: torch.Generator,
    recipe: Recipe,
    *,
    batch: Batch,
    crop: int,
    features: AttributeNetwork | None,
    critic: losses.PatchCritic,
    critics: torch.optim.Optimizer,
    half: Callable[[], torch.autocast],
    reconstruct: Reconstruct,
) -> Step:
    """`reconstruct` is `reconstruction` of the VAE, or the same compiled."""
    channels, least = vae.shape.latent_channels, min(clips.width, clips.height)
    dice = torch.Generator().manual_seed(generator.initial_seed())

    def step(done: float) -> Mapping[str, torch.Tensor]:
        if float(torch.rand((), generator=dice)) < recipe.halved and 2 * crop <= least:
            pixels = half_size(clips.batch(generator, batch.size, crop=2 * crop)[0])
        else:
            pixels, _, _ = clips.batch(generator, batch.size, crop=crop)
        size = (len(pixels), pixels.shape[1] // 4, channels, crop // 8, crop // 8)
        noise = torch.randn(size, generator=generator, device=pixels.device)
        with half():
            made, parts = reconstruct(pixels, recipe.latent_noise * noise)
        if features is not None and done >= recipe.features_from:
            with half():
                wanted = [x.detach() for x in features.layers(pixels, resize=False)[:3]]
                seen = features.layers(made, resize=False)[:3]
            parts["features"] = recipe.features * losses.feature_loss(
                [x.float() for x in seen], [x.float() for x in wanted]
            )
        judged = done >= recipe.critic_from
        if judged:
            with half():
                said = critic(made)
            parts["critic"] = recipe.critic * losses.fooling_loss(said.float())
        loss = torch.stack(list(parts.values())).sum()
        gradient = stepped(optimiser, loss, vae)
        told = {name: value.detach() for name, value in parts.items()}
        if judged:
            critics.zero_grad(set_to_none=True)
            with half():
                real, fake = critic(pixels), critic(made.detach())
            of_critic = losses.critic_loss(real.float(), fake.float())
            stepped(critics, of_critic, critic)
            told["critic_loss"] = of_critic.detach()
        error = (made.detach() - pixels).pow(2).mean()
        return {"loss": loss.detach(), **told, "psnr": -10 * error.log10(), "gradient": gradient}

    return step


@torch.no_grad()
def whiten(vae: NeonVAE, clips: Clips, batches: int, size: int, seed: int) -> None:
    """Measure mean and standard deviation of each latent channel over whole clips, and how much of
    the picture it moves: root of the mean square difference that noise of half its deviation makes.
    To the power of `MOVED` this is the spread that it is given, all of them 1 in mean square."""
    generator = torch.Generator(clips.device).manual_seed(seed)
    raw = torch.cat(
        [
            vae.encoder(2 * clips.batch(generator, size)[0] - 1).float().transpose(1, 2).flatten(2)
            for _ in range(batches)
        ]
    )
    shape = (-1, clips.height // 8, clips.width // 8)
    by_channel = raw.transpose(0, 1).flatten(1)
    std = by_channel.std(dim=1).clamp_min(1e-3)
    moved = torch.ones_like(std)

    def shown(flat: torch.Tensor) -> torch.Tensor:
        return vae.decoder(flat.unflatten(2, shape).transpose(1, 2)).float()

    exact = shown(raw[:1])
    for channel in range(len(std)):
        other = raw[:1].clone()
        noise = torch.randn(other[:, channel].shape, generator=generator, device=other.device)
        other[:, channel] += std[channel] / 2 * noise
        moved[channel] = (shown(other) - exact).pow(2).mean().sqrt()
    spread = moved.clamp_min(1e-6) ** MOVED
    spread /= spread.pow(2).mean().sqrt()
    vae.latents_mean.copy_(by_channel.mean(dim=1))
    vae.latents_std.copy_(std / spread)
    vae.latents_spread.copy_(spread)


def dit_step(
    neon: Neon,
    bank: Bank,
    optimiser: Several,
    generator: torch.Generator,
    recipe: Recipe,
    *,
    batch: Batch,
    shift: float,
    spread_C: torch.Tensor,
    half: Callable[[], torch.autocast],
    beside: Bank | None = None,
    beside_share: float = 0.0,
    seed: int = 0,
    peers: Peers | None = None,
    run: Callable[..., torch.Tensor] = block_pass,
) -> Step:
    """Rectified flow (Liu et al., 2023) with a noise level for each chunk.

    In the last part of the schedule some steps have histories that the model made itself: the clip
    is noised half way, denoised by three Euler steps, and the last chunk's target stays the truth,
    from which such a history does not stray far.

    A share of steps is of clips of another size, `beside`, with about as many tokens. `seed` is for
    what all `peers` do alike from step to step.
    """
    chunk, spread = neon.dit.shape.chunk, spread_C.float().view(-1, 1, 1)

    def passed(
        x: torch.Tensor, sigma: torch.Tensor, starts: torch.Tensor, texts: object
    ) -> torch.Tensor:
        with half():
            out = flow(neon.dit, x, 1000 * sigma, starts, texts, run=run)  # type: ignore[arg-type]
        return out.float() + known_share(by_frame(sigma, x, chunk), spread) * x

    @torch.no_grad()
    def own(x_0: torch.Tensor, starts: torch.Tensor, texts: object) -> torch.Tensor:
        clips, chunks = starts.shape
        sigma = 0.3 + 0.5 * torch.rand((clips, 1), generator=generator, device=x_0.device)
        noise = torch.randn(x_0.shape, generator=generator, device=x_0.device)
        x = mixed(x_0, noise, sigma.expand(-1, chunks), chunk)
        for turn in range(3):
            now, after = sigma * (1 - turn / 3), sigma * (1 - (turn + 1) / 3)
            v = passed(x, now.expand(-1, chunks), starts, texts)
            x = x + (after - now).view(-1, 1, 1, 1, 1) * v
        noise = torch.randn(x_0.shape, generator=generator, device=x_0.device)
        return x + recipe.own_noise * noise

    def step(done: float) -> Mapping[str, torch.Tensor]:
        chosen, clips = bank, batch.size
        if beside is not None and float(torch.rand((), generator=dice)) < beside_share:
            chosen = beside
            clips = max(1, clips * bank.x[0].numel() // beside.x[0].numel())
        x_0, starts, scene, values = chosen.batch(generator, clips)
        told = dropped(scene, values, generator, share=recipe.unstated)
        with half():
            texts = neon.texts(*told)
        sigma = losses.sigmas(starts.shape, generator, x_0.device, shift)
        sigma, weight = losses.flow_weights(sigma, generator, history_share=recipe.history)
        noise = torch.randn(x_0.shape, generator=generator, device=x_0.device)
        x = mixed(x_0, noise, sigma, chunk)
        ours = done >= recipe.own_from and float(torch.rand((), generator=dice)) < recipe.own_share
        if ours:
            context = own(x_0, starts, [(k.detach(), v.detach()) for k, v in texts])
            x = torch.cat([context[:, :-chunk], x[:, -chunk:]], dim=1)
            sigma = torch.cat([torch.zeros_like(sigma[:, :-1]), sigma[:, -1:]], dim=1)
            weight = torch.cat([torch.zeros_like(weight[:, :-1]), weight[:, -1:]], dim=1)
        off = (passed(x, sigma, starts, texts) - (noise - x_0)).pow(2)
        by_chunk = off.unflatten(1, (-1, chunk)).mean(dim=(2, 3, 4, 5))
        loss = (by_chunk * weight).sum() / weight.sum().clamp_min(1)
        size = stepped(optimiser, loss, neon, peers)
        return {"loss": loss.detach(), "last": by_chunk[:, -1].mean().detach(), "gradient": size}

    dice = torch.Generator().manual_seed(seed)
    return step


def mixed(
    x_0: torch.Tensor, noise: torch.Tensor, sigma_Bn: torch.Tensor, chunk: int
) -> torch.Tensor:
    """Clean latents and noise, each chunk at its own level."""
    level = by_frame(sigma_Bn, x_0, chunk)
    return (1 - level) * x_0 + level * noise


def by_frame(values_Bn: torch.Tensor, x: torch.Tensor, chunk: int) -> torch.Tensor:
    """A value for each chunk, for latents x [B, T, C, H, W]."""
    return values_Bn.repeat_interleave(chunk, dim=1).view(*x.shape[:2], 1, 1, 1)
