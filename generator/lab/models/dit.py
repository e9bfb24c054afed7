"""The causal video transformer of Wan2.1's shape: one chunk of latent frames at a time.

Architecture: Wan2.1-T2V-1.3B (Wan team, 2025; Apache-2.0), made causal by chunks as in
Self-Forcing (Huang et al., 2025). Parameter names are Wan's own, so that published weights load
as they are. The token count always follows from the latents: no size is built in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn
from torch.nn import functional

from generator.lab.models.attention import attend
from generator.lab.models.cache import KVCache, TextCache
from generator.measure.roofline import DiTShape

__all__ = ["CausalDiT", "Context", "Modulation", "Rotation", "sinusoids"]

# Shapes: B batch (1), T latent frames, C latent channels, H and W latent sides, F tokens of a
# latent frame, L = T F tokens, d model width, h heads, D head dimension, S text tokens


@dataclass(frozen=True, slots=True)
class Modulation:
    """What a timestep does to the network: `time` [d] for the head, `blocks` [6, d]."""

    time: torch.Tensor
    blocks: torch.Tensor


@dataclass(frozen=True, slots=True)
class Rotation:
    """Cosines and sines of a chunk's positions, [L, 1, D/2] each, float32."""

    cos: torch.Tensor
    sin: torch.Tensor


@dataclass(frozen=True, slots=True)
class Context:
    """What VACE is to heed in a chunk, read once for all its passes (`CausalDiT.read_context`)."""

    tokens: torch.Tensor
    """[1, L, d]"""
    rotation: Rotation
    scale: float
    """Hints are multiplied by it."""


class Past(Protocol):
    """What a block's attention writes its keys to and reads them from."""

    def write(self, layer: int, k: torch.Tensor, v: torch.Tensor) -> None: ...

    def attended(self, layer: int, q: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]: ...


class RMSNorm(nn.Module):
    """Root-mean-square norm over the whole width, not over each head."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return normed(x, self.weight, self.eps)


class Attention(nn.Module):
    """The projections of one attention, with norms on queries and keys."""

    def __init__(self, shape: DiTShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.q, self.k, self.v, self.o = (nn.Linear(shape.dim, shape.dim) for _ in range(4))
        self.norm_q, self.norm_k = RMSNorm(shape.dim, shape.eps), RMSNorm(shape.dim, shape.eps)

    def queries(self, x: torch.Tensor) -> torch.Tensor:
        return self._split(self.norm_q(self.q(x)))

    def keys_values(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self._split(self.norm_k(self.k(x))), self._split(self.v(x))

    def out(self, x_BLhD: torch.Tensor) -> torch.Tensor:
        return self.o(x_BLhD.flatten(2))

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(2, (self.heads, -1))


class Block(nn.Module):
    """Attention to the past and the chunk itself, then to the text, then the feed-forward net."""

    def __init__(self, shape: DiTShape) -> None:
        super().__init__()
        self.eps = shape.eps
        self.self_attn, self.cross_attn = Attention(shape), Attention(shape)
        self.norm3 = nn.LayerNorm(shape.dim, eps=shape.eps)
        self.ffn = nn.Sequential(
            nn.Linear(shape.dim, shape.ffn),
            nn.GELU(approximate="tanh"),
            nn.Linear(shape.ffn, shape.dim),
        )
        self.modulation = nn.Parameter(torch.zeros(1, 6, shape.dim))

    def forward(
        self,
        x: torch.Tensor,
        time_6d: torch.Tensor,
        rotation: Rotation,
        cache: Past,
        layer: int,
        text: tuple[torch.Tensor, torch.Tensor],
        hint: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """x [1, L, d] through the block; writes the chunk's keys and values into the cache."""
        shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = (
            (self.modulation.float() + time_6d.float()).squeeze(0).unbind(0)
        )
        y = modulated(x, scale, shift, self.eps)
        q = rotated(self.self_attn.queries(y), rotation)
        k, v = self.self_attn.keys_values(y)
        cache.write(layer, rotated(k, rotation)[0], v[0])
        y = self.self_attn.out(attend(q, *cache.attended(layer, q)))
        x = gated(x, y, gate)
        q = self.cross_attn.queries(self.norm3(x))
        x = x + self.cross_attn.out(attend(q, *text))
        y = self.ffn(modulated(x, ffn_scale, ffn_shift, self.eps))
        x = gated(x, y, ffn_gate)
        return x if hint is None else x + hint


def normed(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    """RMS norm in float32; its weight is applied in x's own dtype."""
    return functional.rms_norm(x.float(), (x.shape[-1],), eps=eps).to(x.dtype) * weight


def modulated(
    x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, eps: float
) -> torch.Tensor:
    """LayerNorm without weights, then scale and shift, in float32."""
    plain = functional.layer_norm(x.float(), (x.shape[-1],), eps=eps)
    return torch.addcmul(shift, plain, 1 + scale).to(x.dtype)


def gated(x: torch.Tensor, y: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
    return torch.addcmul(x.float(), y.float(), gate).to(x.dtype)


def rotated(x_BLhD: torch.Tensor, rotation: Rotation) -> torch.Tensor:
    """Rotary position embedding on interleaved pairs (Su et al., 2021), in float32."""
    even, odd = x_BLhD.float().unflatten(-1, (-1, 2)).unbind(-1)
    turned = torch.stack(
        (
            even * rotation.cos - odd * rotation.sin,
            even * rotation.sin + odd * rotation.cos,
        ),
        dim=-1,
    )
    return turned.flatten(-2).to(x_BLhD.dtype)


class VaceBlock(Block):
    """A block of the branch that reads the VACE context; what it puts out is a hint for the block
    of the trunk that it stands beside. VACE (Jiang et al., 2025), names as Wan has them."""

    def __init__(self, shape: DiTShape, *, first: bool) -> None:
        super().__init__(shape)
        if first:
            self.before_proj = nn.Linear(shape.dim, shape.dim)
        self.after_proj = nn.Linear(shape.dim, shape.dim)


class NoPast:
    """In place of a cache: attention sees what is under way and nothing else."""

    def __init__(self) -> None:
        self._under_way: tuple[torch.Tensor, torch.Tensor] | None = None

    def write(self, layer: int, k: torch.Tensor, v: torch.Tensor) -> None:
        self._under_way = k.unsqueeze(0), v.unsqueeze(0)

    def attended(self, layer: int, q: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert self._under_way is not None, "write comes first"
        return self._under_way


class Head(nn.Module):
    """Tokens to the velocity of their patches."""

    def __init__(self, shape: DiTShape) -> None:
        super().__init__()
        self.eps = shape.eps
        self.head = nn.Linear(shape.dim, math.prod(shape.patch) * shape.latent_channels)
        self.modulation = nn.Parameter(torch.zeros(1, 2, shape.dim))

    def forward(self, x: torch.Tensor, time_d: torch.Tensor) -> torch.Tensor:
        shift, scale = (self.modulation.float() + time_d.float()).squeeze(0).unbind(0)
        return self.head(modulated(x, scale, shift, self.eps))


class CausalDiT(nn.Module):
    """Predicts the flow of one chunk, given what the caches hold of the past and of the text."""

    def __init__(self, shape: DiTShape) -> None:
        super().__init__()
        self.shape = shape
        self.patch_embedding = nn.Conv3d(
            shape.latent_channels, shape.dim, kernel_size=shape.patch, stride=shape.patch
        )
        self.text_embedding = nn.Sequential(
            nn.Linear(shape.text_dim, shape.dim),
            nn.GELU(approximate="tanh"),
            nn.Linear(shape.dim, shape.dim),
        )
        if any(shape.places):
            self.place_embedding = nn.Parameter(torch.zeros(shape.dim, *shape.places))
        self.time_embedding = nn.Sequential(
            nn.Linear(shape.time_dim, shape.dim), nn.SiLU(), nn.Linear(shape.dim, shape.dim)
        )
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(shape.dim, 6 * shape.dim))
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.head = Head(shape)
        if shape.vace_layers:
            self.vace_patch_embedding = nn.Conv3d(
                shape.vace_channels, shape.dim, kernel_size=shape.patch, stride=shape.patch
            )
            self.vace_blocks = nn.ModuleList(
                VaceBlock(shape, first=i == 0) for i in range(len(shape.vace_layers))
            )

    def forward(
        self,
        x_TCHW: torch.Tensor,
        modulation: Modulation,
        rotation: Rotation,
        cache: KVCache,
        text: TextCache,
        context: Context | None = None,
    ) -> torch.Tensor:
        """Flow [T, C, H, W] of a chunk. Its keys and values stay in the cache's current slot.

        `text` must be filled (`read_text`). The VACE `context` gives hints, added behind the
        blocks that `vace_layers` names.
        """
        x = self.patched(x_TCHW.unsqueeze(0))
        hints = None if context is None else self.hints(x, modulation, context, text)
        x = self.through(x, modulation, rotation, cache, text, hints)
        return self._unpatched(self.head(x, modulation.time), x_TCHW.shape)

    def hints(
        self, x: torch.Tensor, modulation: Modulation, context: Context, text: TextCache
    ) -> dict[int, torch.Tensor]:
        """What the VACE branch says to tokens x [1, L, d]: block of the trunk -> [1, L, d]."""
        kept_k, kept_v = text.filled()
        found = {}
        c = context.tokens + x
        for i, (layer, block) in enumerate(
            zip(self.shape.vace_layers, self.vace_blocks, strict=True)
        ):
            place = self.shape.layers + i
            kv = kept_k[place : place + 1], kept_v[place : place + 1]
            c = block(c, modulation.blocks, context.rotation, NoPast(), 0, kv)
            found[layer] = block.after_proj(c) * context.scale
        return found

    def read_context(self, context_CTHW: torch.Tensor, frames: int, scale: float) -> Context:
        """A chunk's VACE context [vace_channels, T, H, W] for a chunk of `frames` latent frames.

        Shorter contexts are filled up with zeros. Quirk of the public causal code, kept: longer
        ones are cut, so that references push as many frames of a control video out at the end. The
        branch sees no other chunk, and its positions begin at 0 in each.
        """
        parameter = self.vace_patch_embedding.weight
        embedded = self.vace_patch_embedding(
            context_CTHW.unsqueeze(0).to(parameter.device, parameter.dtype)
        )
        height, width = embedded.shape[3:]
        tokens = embedded.flatten(2).transpose(1, 2)[:, : frames * height * width]
        missing = frames * height * width - tokens.shape[1]
        first = self.vace_blocks[0]
        return Context(
            tokens=first.before_proj(functional.pad(tokens, (0, 0, 0, missing))),
            rotation=self.rotation(0, frames, height, width),
            scale=scale,
        )

    def through(
        self,
        x: torch.Tensor,
        modulation: Modulation,
        rotation: Rotation,
        cache: KVCache,
        text: TextCache,
        hints: dict[int, torch.Tensor] | None = None,
        layers: int | None = None,
    ) -> torch.Tensor:
        """All blocks, or the first `layers` of them, over tokens [1, L, d]."""
        kept_k, kept_v = text.filled()
        for layer, block in enumerate(self.blocks[:layers]):
            kv = kept_k[layer : layer + 1], kept_v[layer : layer + 1]
            hint = hints.get(layer) if hints else None
            x = block(x, modulation.blocks, rotation, cache, layer, kv, hint)
        return x

    def remember(
        self,
        x_TCHW: torch.Tensor,
        modulation: Modulation,
        rotation: Rotation,
        cache: KVCache,
        text: TextCache,
    ) -> None:
        """The pass over clean latents, of which only the keys and values are wanted: the twin of
        `forward` that leaves out all that comes behind the last layer's keys."""
        last = len(self.blocks) - 1
        x = self.through(
            self.patched(x_TCHW.unsqueeze(0)), modulation, rotation, cache, text, layers=last
        )
        block = self.blocks[last]
        time = (block.modulation.float() + modulation.blocks.float()).squeeze(0)
        y = modulated(x, time[1], time[0], block.eps)
        k, v = block.self_attn.keys_values(y)
        cache.write(last, rotated(k, rotation)[0], v[0])

    def modulation(self, timestep: float) -> Modulation:
        """What a timestep (0 to 1000) does; the same for every frame of a chunk, so made once."""
        parameter = self.time_embedding[0].weight
        t = sinusoids(torch.tensor([timestep]), self.shape.time_dim)
        time = self.time_embedding(t.to(parameter.device, parameter.dtype))
        blocks = self.time_projection(time).unflatten(1, (6, self.shape.dim))
        return Modulation(time=time[0], blocks=blocks[0])

    def rotation(self, first_frame: int, frames: int, height: int, width: int) -> Rotation:
        """Positions of `frames` latent frames from an absolute frame on, sides in tokens.

        Raises ValueError behind the last frame that the table knows.
        """
        shape = self.shape
        if first_frame + frames > shape.rope_frames:
            raise ValueError(
                f"latent frame {first_frame + frames - 1} is beyond the {shape.rope_frames} that "
                f"positions are known for: a video holds {shape.most_chunks} chunks at most"
            )
        third = shape.head_dim // 2 // 3
        device = self.patch_embedding.weight.device
        angles = [
            _angles(start, count, pairs, device)
            for start, count, pairs in (
                (first_frame, frames, shape.head_dim // 2 - 2 * third),
                (0, height, third),
                (0, width, third),
            )
        ]
        t, h, w = angles
        grid = torch.cat(
            [
                t[:, None, None].expand(-1, height, width, -1),
                h[None, :, None].expand(frames, -1, width, -1),
                w[None, None, :].expand(frames, height, -1, -1),
            ],
            dim=-1,
        ).reshape(-1, 1, shape.head_dim // 2)
        return Rotation(cos=grid.cos().float(), sin=grid.sin().float())

    def read_text(self, embeds_SE: torch.Tensor, text: TextCache) -> None:
        """Fill the cross-attention's keys and values from text embeddings [at most S, text_dim]:
        those of the trunk's blocks, then those of the VACE branch.

        Missing positions are zeros, and are attended to like the others.
        """
        missing = self.shape.text_tokens - embeds_SE.shape[0]
        parameter = self.text_embedding[0].weight
        embeds = functional.pad(embeds_SE, (0, 0, 0, missing)).unsqueeze(0)
        context = self.text_embedding(embeds.to(parameter.device, parameter.dtype))
        blocks = [*self.blocks, *(self.vace_blocks if self.shape.vace_layers else ())]
        made = [block.cross_attn.keys_values(context) for block in blocks]
        text.k = torch.cat([k for k, _ in made])
        text.v = torch.cat([v for _, v in made])

    def patched(self, x_BTCHW: torch.Tensor) -> torch.Tensor:
        """[B, T, C, H, W] as tokens [B, L, d]. The table of places is stretched over the picture,
        whatever its size."""
        x = self.patch_embedding(x_BTCHW.transpose(1, 2))
        if any(self.shape.places):
            places = functional.interpolate(
                self.place_embedding.unsqueeze(0), size=x.shape[3:], mode="bilinear"
            )
            x = x + places.unsqueeze(2).to(x.dtype)
        return x.flatten(2).transpose(1, 2)

    def _unpatched(self, x: torch.Tensor, size: torch.Size) -> torch.Tensor:
        """[1, L, patch * C] back to [T, C, H, W]; a patch holds rows, columns, channels."""
        frames, channels, height, width = size
        p, q, r = self.shape.patch
        grid = x.view(frames // p, height // q, width // r, p, q, r, channels)
        return grid.permute(0, 3, 6, 1, 4, 2, 5).reshape(size)


def sinusoids(t: torch.Tensor, dim: int) -> torch.Tensor:
    """Timesteps [T] as [T, dim]: cosines, then sines, computed in float64."""
    half = dim // 2
    rates = torch.pow(10000, -torch.arange(half, dtype=torch.float64, device=t.device) / half)
    angles = torch.outer(t.to(torch.float64), rates)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def _angles(start: int, count: int, pairs: int, device: torch.device) -> torch.Tensor:
    """Angles [count, pairs] of rotary positions, theta 10000, in float64, made where they go: the
    host waits for no copy."""
    wide = torch.float32 if device.type == "mps" else torch.float64
    exponents = torch.arange(0, 2 * pairs, 2, dtype=wide, device=device) / (2 * pairs)
    places = torch.arange(start, start + count, dtype=wide, device=device)
    return torch.outer(places, 1 / torch.pow(10000, exponents))
