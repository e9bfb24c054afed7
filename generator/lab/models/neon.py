"""Neon's transformer: the lab's own CausalDiT in a small configuration, told attributes for text.

Attributes become tokens that the cross-attention reads: one for the scene, one for each named
attribute, each with an embedding of its own for "not stated". So nothing of the class changes.

`flow` is the pass for training: a batch of clips, several chunks each, every chunk with a timestep
of its own (Diffusion Forcing, Chen et al., 2024), each attending to the first chunk, to the last
ones and to itself. This block-causal mask is whole blocks, so that each chunk is one attention
without a mask. It is also the twin of the streaming path (`CausalDiT.forward` with a KVCache): a
chunk behind clean ones, told timestep 0, comes to the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional

from generator.lab.models.attention import attend
from generator.lab.models.dit import (
    Block,
    CausalDiT,
    Rotation,
    gated,
    modulated,
    rotated,
    sinusoids,
)
from generator.measure.roofline import DiTShape

__all__ = [
    "TINY_NEON_DIT",
    "AttributeTokens",
    "Kept",
    "Neon",
    "Texts",
    "block_pass",
    "dropped",
    "euler_chunk",
    "flow",
    "initialise",
    "known_share",
    "look_near",
    "seen_chunks",
    "shape_for",
    "stated",
    "stream",
]

# Shapes: B clips, n chunks of a clip, l tokens of a chunk, L = n l tokens, T latent frames of a
# clip, C latent channels, H and W latent sides, d model width, h heads, D head dimension, S
# attribute tokens, A attributes, E width of a token before the text embedding

TINY_NEON_DIT = DiTShape(
    layers=2,
    dim=48,
    heads=2,
    ffn=96,
    text_dim=16,
    text_tokens=5,
    time_dim=16,
    window=6,
    bank=0,
    places=(4, 6),
)
OCTAVES = 4
"""Sines and cosines that a value is told as, besides itself."""

NEAR = (
    (0, 0, 0),
    (0, 0, 1),
    (0, 1, 0),
    (0, 0, -1),
    (0, -1, 0),
    (-1, 0, 0),
    (1, 0, 0),
    (-3, 0, 0),
)
"""Latent frames on, patches down and to the right: where heads look at first, one after the other;
the last one is the same place a chunk ago."""
PLACE_SIZE = 0.7
NEAR_PAIRS, NEAR_SHARE, NEAR_GAIN = 3, 0.75, 1.4

Texts = list[tuple[torch.Tensor, torch.Tensor]]
"""Of each block, keys and values [B, S, h, D] of the cross-attention."""


class AttributeTokens(nn.Module):
    """A scene and attribute values as tokens [B, 1 + A, E]."""

    def __init__(self, scenes: int, attributes: int, width: int) -> None:
        super().__init__()
        self.scene = nn.Embedding(scenes + 1, width)
        """The last one stands for "not stated"."""
        self.name = nn.Parameter(torch.zeros(attributes, width))
        self.missing = nn.Parameter(torch.zeros(attributes, width))
        self.value = nn.Sequential(
            nn.Linear(1 + 2 * OCTAVES, width), nn.SiLU(), nn.Linear(width, width)
        )

    def forward(self, scene_B: torch.Tensor, values_BA: torch.Tensor) -> torch.Tensor:
        """Scenes from 0, -1 for "not stated"; values 0 to 1, NaN for "not stated"."""
        missing = values_BA.isnan()
        value = torch.where(missing, 0.0, values_BA).float().unsqueeze(-1)
        waves = value * math.pi * 2.0 ** torch.arange(OCTAVES, device=value.device)
        told = torch.cat([2 * value - 1, waves.sin(), waves.cos()], dim=-1)
        told = self.value(told.to(self.name.dtype))
        tokens = torch.where(missing.unsqueeze(-1), self.missing, self.name + told)
        return torch.cat([self.scene(scene_B % self.scene.num_embeddings).unsqueeze(1), tokens], 1)


class Neon(nn.Module):
    """What denoises: the transformer, and what tells it attributes."""

    def __init__(self, shape: DiTShape, *, scenes: int) -> None:
        super().__init__()
        self.dit = CausalDiT(shape)
        self.tokens = AttributeTokens(scenes, shape.text_tokens - 1, shape.text_dim)

    def texts(self, scene_B: torch.Tensor, values_BA: torch.Tensor) -> Texts:
        """Keys and values of each block for a batch; as `CausalDiT.read_text` makes them for one
        stream."""
        context = self.dit.text_embedding(self.tokens(scene_B, values_BA))
        return [block.cross_attn.keys_values(context) for block in self.dit.blocks]


def shape_for(shape: DiTShape, attributes: int) -> DiTShape:
    """The shape with a token for the scene and each of so many attributes."""
    return replace(shape, text_tokens=1 + attributes)


def initialise(neon: Neon, seed: int) -> None:
    """Parameters to begin training with: every block leaves its tokens as they are at first.

    Linear layers Xavier uniform; zero where a branch enters (adaLN-zero of Peebles & Xie, 2023: the
    timestep's projection, the cross-attention's output, the head). Self-attention begins by looking
    near (`look_near`).
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(neon.named_parameters()):
            if parameter.ndim > 1 and "modulation" not in name:
                out, fan_in = parameter.shape[0], parameter[0].numel()
                bound = math.sqrt(6 / (fan_in + out))
                if name.startswith("tokens.") and "value" not in name:
                    bound = 1.0
                drawn = torch.empty(parameter.shape).uniform_(-bound, bound, generator=generator)
                parameter.copy_(drawn)
            elif parameter.ndim == 1 and name.endswith("weight"):
                parameter.fill_(1)
            else:
                parameter.zero_()
        dit = neon.dit
        for layer in (dit.time_projection[1], dit.head.head):
            layer.weight.zero_()
        for block in dit.blocks:
            block.cross_attn.o.weight.zero_()
        look_near(dit)
        if any(dit.shape.places):
            dit.place_embedding.copy_(waves(*dit.shape.places, dit.shape.dim))


def waves(rows: int, columns: int, dim: int) -> torch.Tensor:
    """[dim, rows, columns]: sines and cosines of `PLACE_SIZE` over the picture, half of them down
    and half to the right, from half a wave to one that four patches of the table hold. Where a
    patch lies is known from the beginning so; rotary positions tell no more than how far two are
    apart, and with them alone no place was learnt in 2,000 steps."""
    found = []
    for count, turned in ((rows, False), (columns, True)):
        pairs = dim // 4
        cycles = 0.5 * (count / 2) ** (torch.arange(pairs) / max(1, pairs - 1))
        at = (torch.arange(count) + 0.5) / count
        angles = 2 * math.pi * cycles.unsqueeze(1) * at
        each = torch.cat([angles.sin(), angles.cos()])
        grid = each.unsqueeze(1) if turned else each.unsqueeze(2)
        found.append(grid.expand(-1, rows, columns))
    flat = torch.cat(found)
    return PLACE_SIZE * functional.pad(flat, (0, 0, 0, 0, 0, dim - len(flat)))


def look_near(dit: CausalDiT) -> None:
    """Let every head begin by looking at what lies at one of the steps `NEAR`, as the kernel of a
    convolution does (d'Ascoli et al., 2021, for learnt positions; here by biases under the rotary
    embedding). Else attention is even over more than a thousand tokens, and what teaches it where
    to look is as thin: in 2,000 steps it learnt no place at all.

    Queries and keys get a bias in the quickest `NEAR_PAIRS` rotations of time, rows and columns,
    which is `NEAR_SHARE` of their size; the query's is turned on by the step.
    """
    shape, head = dit.shape, 0
    pairs = shape.head_dim // 2
    third = pairs // 3
    axes = [(0, pairs - 2 * third), (pairs - 2 * third, third), (pairs - third, third)]
    size = math.sqrt(NEAR_SHARE * shape.head_dim / (3 * NEAR_PAIRS))
    for block in dit.blocks:
        attention = block.self_attn
        for place in range(shape.heads):
            turned, still = torch.zeros(2, pairs, 2).unbind()
            for (first, count), step in zip(axes, NEAR[head % len(NEAR)], strict=True):
                for i in range(min(NEAR_PAIRS, count)):
                    angle = step * 10000 ** (-i / count)
                    turned[first + i] = size * torch.tensor([math.cos(angle), math.sin(angle)])
                    still[first + i, 0] = size
            own = slice(place * shape.head_dim, (place + 1) * shape.head_dim)
            attention.q.bias[own] = turned.flatten()
            attention.k.bias[own] = still.flatten()
            head += 1
        for one in (attention.q, attention.k):
            one.weight *= math.sqrt(1 - NEAR_SHARE)
        for norm in (attention.norm_q, attention.norm_k):
            norm.weight.fill_(NEAR_GAIN)


def seen_chunks(shape: DiTShape, chunk: int) -> tuple[int, ...]:
    """The chunks that a chunk attends to, itself last: the sink, and what the window holds. What
    `KVCache` keeps for a stream."""
    if chunk == 0:
        return (0,)
    turns = shape.window // shape.chunk
    return (0, *range(max(1, chunk - turns + 1), chunk + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What all blocks of a pass are told."""

    time: torch.Tensor
    """[B, n, 6, d]"""
    rotation: Rotation
    """[B, L, 1, D / 2]"""
    seen: tuple[tuple[int, ...], ...]
    """Of each chunk, the chunks that it attends to."""


Pair = tuple[torch.Tensor, torch.Tensor]
"""Keys and values [B, l, h, D] of a chunk."""


@dataclass(slots=True)
class Kept:
    """What a block's attention reads besides the chunk itself."""

    before: list[Pair]
    own: Pair | None = None


def block_pass(
    block: Block,
    x_BnLd: torch.Tensor,
    told: Told,
    text: tuple[torch.Tensor, torch.Tensor],
    kept: Kept | None = None,
) -> torch.Tensor:
    """A block over all chunks [B, n, l, d] of a batch of clips: the arithmetic of `Block.forward`,
    with a timestep for each chunk. With `kept`, the one chunk attends to what is kept as well, and
    leaves its own keys and values there."""
    time = block.modulation.float() + told.time.float()
    shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = time.unsqueeze(3).unbind(2)
    chunks = x_BnLd.shape[1:3]
    y = modulated(x_BnLd, scale, shift, block.eps).flatten(1, 2)
    q = rotated(block.self_attn.queries(y), told.rotation)
    k, v = block.self_attn.keys_values(y)
    k = rotated(k, told.rotation)
    if kept is None:
        y = _attended(q, k, v, chunks[1], told.seen)
    else:
        kept.own = k, v
        k, v = (torch.cat([*parts], dim=1) for parts in zip(*kept.before, kept.own, strict=True))
        y = attend(q, k, v)
    out = block.self_attn.out(y)
    x = gated(x_BnLd, out.unflatten(1, chunks), gate)
    q = block.cross_attn.queries(block.norm3(x).flatten(1, 2))
    x = x + block.cross_attn.out(attend(q, *text)).unflatten(1, chunks)
    y = block.ffn(modulated(x, ffn_scale, ffn_shift, block.eps))
    return gated(x, y, ffn_gate)


def _attended(
    q_BLhD: torch.Tensor,
    k_BLhD: torch.Tensor,
    v_BLhD: torch.Tensor,
    tokens: int,
    seen: Sequence[Sequence[int]],
) -> torch.Tensor:
    """Attention of each chunk of `tokens` to the chunks that it sees. Without a mask: nothing that
    is masked would be computed."""
    ks, vs = k_BLhD.split(tokens, dim=1), v_BLhD.split(tokens, dim=1)
    out = []
    for q, chunks in zip(q_BLhD.split(tokens, dim=1), seen, strict=True):
        if list(chunks) == list(range(len(chunks))):  # from the first on: a slice, no copy
            k, v = k_BLhD[:, : len(chunks) * tokens], v_BLhD[:, : len(chunks) * tokens]
        else:
            k, v = (torch.cat([parts[i] for i in chunks], dim=1) for parts in (ks, vs))
        out.append(attend(q, k, v))
    return torch.cat(out, dim=1)


def flow(
    dit: CausalDiT,
    x_BTCHW: torch.Tensor,
    timesteps_Bn: torch.Tensor,
    starts_Bn: torch.Tensor,
    texts: Texts,
    *,
    run: Callable[..., torch.Tensor] = block_pass,
    kept: Sequence[Kept] | None = None,
) -> torch.Tensor:
    """Flow [B, T, C, H, W] of n chunks of each clip.

    `timesteps_Bn` 0 to 1000; `starts_Bn` is the number of each chunk's first latent frame in its
    clip, so that the first chunk may stand before a gap. Attention sees what a stream of these
    chunks would keep. `run` is `block_pass`, or the same compiled. With `kept`, one for each block,
    x is one chunk.
    """
    shape = dit.shape
    clips, frames, _, height, width = x_BTCHW.shape
    chunks = frames // shape.chunk
    rows, columns = height // shape.patch[1], width // shape.patch[2]
    x = dit.patched(x_BTCHW).unflatten(1, (chunks, -1))
    t = sinusoids(timesteps_Bn.flatten(), shape.time_dim).to(dit.time_embedding[0].weight.dtype)
    time = dit.time_embedding(t)
    told = Told(
        time=dit.time_projection(time).view(clips, chunks, 6, shape.dim),
        rotation=_rotations(dit, starts_Bn, rows, columns),
        seen=tuple(seen_chunks(shape, chunk) for chunk in range(chunks)),
    )
    if kept is None:
        for block, text in zip(dit.blocks, texts, strict=True):
            x = run(block, x, told, text)
    else:
        for block, text, of_block in zip(dit.blocks, texts, kept, strict=True):
            x = block_pass(block, x, told, text, of_block)
    head_time = dit.head.modulation.float() + time.float().view(clips, chunks, 1, shape.dim)
    shift, scale = head_time.unsqueeze(3).unbind(2)
    out = dit.head.head(modulated(x, scale, shift, dit.head.eps))
    p, q, r = shape.patch
    grid = out.reshape(clips, frames // p, rows, columns, p, q, r, shape.latent_channels)
    return grid.permute(0, 1, 4, 7, 2, 5, 3, 6).reshape(x_BTCHW.shape)


def _rotations(dit: CausalDiT, starts_Bn: torch.Tensor, rows: int, columns: int) -> Rotation:
    """Positions of all tokens of a batch, as `CausalDiT.rotation` has them of one chunk."""
    shape = dit.shape
    table = dit.rotation(0, shape.chunk, rows, columns)
    third = shape.head_dim // 2 // 3
    pairs = shape.head_dim // 2 - 2 * third
    device = starts_Bn.device
    wide = torch.float32 if device.type == "mps" else torch.float64
    exponents = torch.arange(0, 2 * pairs, 2, dtype=wide, device=device) / (2 * pairs)
    frames = starts_Bn.unsqueeze(-1) + torch.arange(shape.chunk, device=device)
    angles = frames.flatten(1).to(wide).unsqueeze(-1) / torch.pow(10000, exponents)
    turned = angles.unsqueeze(2).expand(-1, -1, rows * columns, -1).flatten(1, 2)
    chunks, clips = starts_Bn.shape[1], starts_Bn.shape[0]

    def whole(of_time: torch.Tensor, of_space: torch.Tensor) -> torch.Tensor:
        fixed = of_space[:, 0, pairs:].repeat(chunks, 1).expand(clips, -1, -1)
        return torch.cat([of_time.float(), fixed], dim=-1).unsqueeze(2)

    return Rotation(cos=whole(turned.cos(), table.cos), sin=whole(turned.sin(), table.sin))


def stream(
    neon: Neon,
    texts: Texts,
    timesteps: Sequence[float],
    draw: Callable[[int], torch.Tensor],
    spread_C: torch.Tensor,
    *,
    given: Sequence[torch.Tensor] = (),
) -> Iterator[torch.Tensor]:
    """Clean latents [B, T, C, H, W] of chunk after chunk, for a batch of clips at once: the twin of
    the pipeline's stream, for measuring. `draw` gives the noise of a chunk; first chunks that are
    `given` are gone on from. `spread_C` as for `known_share`."""
    dit, chunk = neon.dit, 0
    kept = [Kept(before=[]) for _ in dit.blocks]
    pasts: list[dict[int, Pair]] = [{} for _ in dit.blocks]
    while True:
        noise = draw(chunk)
        start = torch.full((len(noise), 1), chunk * dit.shape.chunk, device=noise.device)
        for past, of_block in zip(pasts, kept, strict=True):
            of_block.before = [past[i] for i in seen_chunks(dit.shape, chunk)[:-1]]

        def passed(x: torch.Tensor, t: float, start: torch.Tensor = start) -> torch.Tensor:
            return flow(dit, x, torch.full_like(start, t, dtype=x.dtype), start, texts, kept=kept)

        x = given[chunk] if chunk < len(given) else euler_chunk(passed, noise, timesteps, spread_C)
        passed(x, 0.0)
        wanted = seen_chunks(dit.shape, chunk + 1)
        for past, of_block in zip(pasts, kept, strict=True):
            assert of_block.own is not None
            past[chunk] = of_block.own
            for gone in past.keys() - set(wanted):
                del past[gone]
        yield x
        chunk += 1


def stated(values: Sequence[float | None]) -> torch.Tensor:
    """Attribute values as a row [1, A]; None is "not stated"."""
    return torch.tensor([[math.nan if value is None else value for value in values]])


def dropped(
    scene_B: torch.Tensor, values_BA: torch.Tensor, generator: torch.Generator, *, share: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The condition with parts taken back to "not stated": for a `share` of the clips everything;
    for four times as many each attribute with a chance of its own clip's, drawn evenly."""
    device = scene_B.device
    turn = torch.rand(scene_B.shape, generator=generator, device=device)
    chance = torch.rand(scene_B.shape, generator=generator, device=device)
    chance = torch.where(turn < share, 1.0, torch.where(turn < 5 * share, chance, 0.0))
    each = torch.rand(values_BA.shape, generator=generator, device=device)
    values = torch.where(each < chance.unsqueeze(1), math.nan, values_BA)
    return torch.where(turn < share, -1, scene_B), values


def euler_chunk(
    passed: Callable[[torch.Tensor, float], torch.Tensor],
    noise: torch.Tensor,
    timesteps: Sequence[float],
    spread_C: torch.Tensor,
) -> torch.Tensor:
    """Noise [..., C, H, W] carried to clean latents by Euler steps down `timesteps`, which begin at
    1000. `passed` is the network, which adds to what is known without it."""
    x, spread = noise, spread_C.float().view(-1, 1, 1)
    for t, after in zip(timesteps, (*timesteps[1:], 0.0), strict=True):
        v = passed(x, t).to(x.dtype) + known_share(t / 1000, spread) * x
        x = x + (after - t) / 1000 * v
    return x


def known_share(sigma: float | torch.Tensor, spread: torch.Tensor) -> torch.Tensor:
    """How much of x is expected to be flow at a noise level 0 to 1, where nothing is known of
    latents but their spread (standard deviation, shaped to fit x): E[noise - x_0 | x] = share * x,
    the best linear guess. The network is trained to add what that leaves out (the skip of Karras et
    al., 2022, for a rectified flow), for a norm stands before its last layer, and the size of what
    goes in is lost on the way."""
    square = spread**2
    return (sigma - (1 - sigma) * square) / ((1 - sigma) ** 2 * square + sigma**2)
