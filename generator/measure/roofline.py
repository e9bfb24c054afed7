"""Work of a pass counted from shapes, and the time that a machine's peaks allow at best.

Torch-free: the shapes of the networks stand here once, and the lab builds its models from them. A
multiplication with an addition counts as two operations, as torch's own counter has it; sums,
norms and activations are left out, as there. Sources: the published configurations of
Wan2.1-T2V-1.3B (DiT) and of the Wan2.1 VAE.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from generator.records import Machine

__all__ = [
    "HELIOS_14B",
    "NEON_DIT",
    "NEON_VAE",
    "NETWORKS",
    "WAN_1_3B",
    "WAN_VAE",
    "Bound",
    "DiTShape",
    "HeliosShape",
    "Limit",
    "NeonVAEShape",
    "Network",
    "VAEShape",
    "Work",
    "attended_frames",
    "bound",
    "cell_work",
    "chunk_frames",
    "dit_pass",
    "first_frame",
    "limit",
    "neon_vae_chunk",
    "vae_chunk",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiTShape:
    """A causal video transformer of Wan's kind, with the memory that MemFlow gives it.

    Lengths of time are in latent frames.
    """

    layers: int = 30
    dim: int = 1536
    heads: int = 12
    ffn: int = 8960
    latent_channels: int = 16
    text_dim: int = 4096
    text_tokens: int = 512
    time_dim: int = 256
    """Of the sinusoids that a timestep becomes."""
    patch: tuple[int, int, int] = (1, 2, 2)
    eps: float = 1e-6
    chunk: int = 3
    sink: int = 3
    """The first frames, kept for good. One chunk: the cache relies on it."""
    window: int = 9
    """The newest frames that attention reads, the current chunk among them."""
    bank: int = 3
    bank_interval: int = 3
    """Chunks after which the bank grows by a frame."""
    rope_frames: int = 1024
    """Absolute frame numbers that the position table knows."""
    places: tuple[int, int] = (0, 0)
    """Rows and columns of a table of learnt places in the picture, which is added to patches; none
    where (0, 0)."""
    vace_layers: tuple[int, ...] = ()
    """Blocks behind which a hint of the VACE context is added; none where there is no such branch.
    Its work is not counted here."""
    vace_channels: int = 96
    """Of the context: latents that stay, latents to be made, and 8 x 8 places of the mask."""

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads

    @property
    def most_chunks(self) -> int:
        """How long a video may get before its positions run out: 341 chunks."""
        return self.rope_frames // self.chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class VAEShape:
    """The decoder of the Wan2.1 VAE: 8 times in space, 4 in time."""

    base: int = 96
    latent_channels: int = 16
    multiples: tuple[int, ...] = (1, 2, 4, 4)
    resnets: int = 2
    time_up: tuple[bool, ...] = (True, True, False)
    """For each stage but the last, whether it doubles the frames as well as the sides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeliosShape:
    """Helios: a video transformer that makes a chunk in stages of growing size, and reads older
    latents beside it as tokens of their own.

    Lengths of time are in latent frames.
    """

    layers: int = 40
    dim: int = 5120
    heads: int = 40
    ffn: int = 13824
    latent_channels: int = 16
    text_dim: int = 4096
    text_tokens: int = 512
    time_dim: int = 256
    patch: tuple[int, int, int] = (1, 2, 2)
    chunk: int = 9
    history: tuple[int, int, int] = (16, 2, 1)
    """Old latents, patched at four times, twice and once the patch; with the last of them the
    clip's first frame."""
    stages: int = 3
    """Each has twice the sides of the one before; the last is the whole size."""

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads

    @property
    def multiple(self) -> int:
        """What both sides in pixels must divide by, so that every stage has whole patches."""
        return SPATIAL * self.patch[1] << (self.stages - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NeonVAEShape:
    """Neon's own VAE: 8 times in space, 4 in time, causal. Every latent frame is four frames of
    video, the first one as well. Linear paths from block to latent and back run beside its
    networks.

    Channels from the pixels inwards for the encoder, outwards for the decoder: at a half, a quarter
    and an eighth of the sides.
    """

    encoder: tuple[int, int, int] = (32, 64, 128)
    decoder: tuple[int, int, int] = (160, 96, 48)
    latent_channels: int = 32
    blocks: int = 2
    """Residual blocks with a memory, in each level."""


WAN_1_3B = DiTShape()
WAN_VAE = VAEShape()
HELIOS_14B = HeliosShape()
NEON_DIT = DiTShape(
    layers=12,
    dim=320,
    heads=5,
    ffn=1280,
    latent_channels=32,
    text_dim=64,
    text_tokens=21,
    sink=3,
    window=6,
    bank=0,
    places=(18, 32),
)
"""The text is one token for the scene and one for each attribute. No bank: what is in one is in the
window as well for a while, and would have to be trained with."""
NEON_VAE = NeonVAEShape()


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What makes every frame of a series."""

    dit: DiTShape
    vae: VAEShape | NeonVAEShape
    sparse: bool = False
    """Sparse Memory Activation: sink and bank together are read as as many frames as the sink."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PyramidNetwork:
    """What makes every frame of a series in stages of growing size; chunks are decoded alone."""

    dit: HeliosShape
    vae: VAEShape


NETWORKS: Mapping[str, Network | PyramidNetwork] = {
    "memflow": Network(dit=WAN_1_3B, vae=WAN_VAE),
    "memflow-sparse": Network(dit=WAN_1_3B, vae=WAN_VAE, sparse=True),
    "helios": PyramidNetwork(dit=HELIOS_14B, vae=WAN_VAE),
    "neon": Network(dit=NEON_DIT, vae=NEON_VAE),
}
"""By the names that a series of content/ may state as its `work`."""

SPATIAL = 8
"""Pixels to a latent's side."""
TEMPORAL = 4
"""Frames to a latent frame, but for the first of Wan's VAE, which is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Operations (not multiply-adds), and bytes that must cross the memory at least once."""

    flop: int
    bytes: int

    def __add__(self, other: Work) -> Work:
        return Work(flop=self.flop + other.flop, bytes=self.bytes + other.bytes)

    def __mul__(self, times: int) -> Work:
        return Work(flop=self.flop * times, bytes=self.bytes * times)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The shortest time that a machine's data sheet allows. No program reaches it."""

    seconds: float
    by: str
    """"compute" or "memory"."""


def tokens_per_frame(shape: DiTShape, width: int, height: int) -> int:
    """Tokens of one latent frame; sides in pixels, multiples of 16."""
    return (width // SPATIAL // shape.patch[2]) * (height // SPATIAL // shape.patch[1])


def attended_frames(shape: DiTShape, chunk: int, *, sparse: bool = False) -> int:
    """Latent frames whose keys the queries of a chunk see, from 0: 3, 7, 10, 13, 14, 14, 14, 15,
    and 15 from then on; with sparse memory 3, 6, 9, and 12 from then on."""
    frames = (chunk + 1) * shape.chunk
    kept = frames if frames <= shape.sink + shape.window else shape.sink + shape.window
    return kept if sparse else kept + bank_frames(shape, chunk)


def bank_frames(shape: DiTShape, chunk: int) -> int:
    """Frames in the memory bank while a chunk is made; it is empty for the first."""
    return min(shape.bank, -(-chunk // shape.bank_interval))


def settled_chunk(shape: DiTShape) -> int:
    """The first chunk from which every further one costs the same: the eighth, number 7."""
    by_bank = (shape.bank - 1) * shape.bank_interval + 1
    return max(by_bank, (shape.sink + shape.window) // shape.chunk - 1)


def chunk_frames(shape: DiTShape, chunk: int) -> int:
    """Frames of video that a chunk becomes: 9 for the first, then 12."""
    return TEMPORAL * shape.chunk - (TEMPORAL - 1 if chunk == 0 else 0)


def first_frame(shape: DiTShape, chunk: int) -> int:
    """Number of the first frame of video that a chunk becomes: 0, 9, 21, 33 ..."""
    return TEMPORAL * shape.chunk * chunk - (TEMPORAL - 1 if chunk else 0)


def dit_pass(
    shape: DiTShape,
    width: int,
    height: int,
    *,
    chunk: int | None = None,
    sparse: bool = False,
    bytes_each: int = 2,
) -> Work:
    """One pass over a chunk; in the steady state where no chunk is named.

    The text's keys and values are kept, so making them is not counted. Bytes: weights, and the
    keys and values that attention reads. Choosing frames for `sparse` memory takes means and
    products of means, which are left out.
    """
    frame = tokens_per_frame(shape, width, height)
    n = shape.chunk * frame
    number = settled_chunk(shape) if chunk is None else chunk
    attended = attended_frames(shape, number, sparse=sparse) * frame
    d = shape.dim
    patch = shape.patch[0] * shape.patch[1] * shape.patch[2] * shape.latent_channels
    linear = 2 * n * (6 * d * d + 2 * d * shape.ffn)  # q, k, v, o of one, q, o of the other; ffn
    attention = 4 * n * (attended + shape.text_tokens) * d
    ends = 2 * n * patch * d * 2
    weights = shape.layers * (8 * d * d + 2 * d * shape.ffn) + 2 * patch * d
    kept = shape.layers * 2 * d * (attended + shape.text_tokens)
    return Work(
        flop=shape.layers * (linear + attention) + ends, bytes=bytes_each * (weights + kept)
    )


def time_flop(shape: DiTShape, timesteps: int) -> int:
    """Operations that turn timesteps into modulations: kept for a step list, so not in a pass."""
    return 2 * timesteps * shape.dim * (shape.time_dim + shape.dim + 6 * shape.dim)


def helios_tokens(shape: HeliosShape, width: int, height: int, stage: int) -> tuple[int, int]:
    """(of the chunk, of its history) in a pass of a stage, from 0; sides in pixels."""
    h, w = height // SPATIAL, width // SPATIAL
    fewer = 2 ** (shape.stages - 1 - stage)
    _, ph, pw = shape.patch
    own = shape.chunk * (h // fewer // ph) * (w // fewer // pw)
    long, mid, short = shape.history
    old = (short + 1) * (h // ph) * (w // pw)
    for frames, fold in ((mid, 2), (long, 4)):
        old += -(-frames // fold) * -(-h // (fold * ph)) * -(-w // (fold * pw))
    return own, old


def helios_pass(
    shape: HeliosShape,
    width: int,
    height: int,
    stage: int,
    *,
    kept: bool = True,
    bytes_each: int = 2,
) -> Work:
    """One pass of a stage. With `kept` the prompt's keys and values and the history's tokens are at
    hand (they are the same in every pass of a chunk); without, it is what diffusers computes."""
    own, old = helios_tokens(shape, width, height, stage)
    d, text = shape.dim, shape.text_tokens
    n = own + old
    linear = 2 * n * (4 * d * d + 2 * d * shape.ffn) + 2 * own * 2 * d * d
    mixing = 4 * n * n * d + 4 * own * text * d
    patch = shape.patch[0] * shape.patch[1] * shape.patch[2] * shape.latent_channels
    flop = shape.layers * (linear + mixing) + 2 * own * patch * d * 2
    flop += 2 * 2 * d * (shape.time_dim + d + 6 * d)  # timesteps: the history's and its own
    weights = shape.layers * (6 * d * d + 2 * d * shape.ffn) + 2 * patch * d
    if not kept:
        flop += shape.layers * 2 * text * 2 * d * d + 2 * text * d * (shape.text_dim + d)
        flop += helios_history(shape, width, height)
        weights += shape.layers * 2 * d * d + d * (shape.text_dim + d)
    return Work(flop=flop, bytes=bytes_each * (weights + shape.layers * 2 * d * text))


def helios_history(shape: HeliosShape, width: int, height: int) -> int:
    """Operations that make tokens of old latents."""
    h, w = height // SPATIAL, width // SPATIAL
    pt, ph, pw = shape.patch
    long, mid, short = shape.history
    flop = 0
    for frames, fold in ((short + 1, 1), (mid, 2), (long, 4)):
        tokens = -(-frames // (fold * pt)) * -(-h // (fold * ph)) * -(-w // (fold * pw))
        volume = pt * ph * pw * fold**3
        flop += conv(tokens, shape.latent_channels, shape.dim, volume)
    return flop


def vae_alone(
    shape: VAEShape, width: int, height: int, *, latent_frames: int, bytes_each: int = 2
) -> Work:
    """Decoding a chunk that stands alone: its first latent frame becomes one frame, each further
    one four."""
    first = vae_chunk(
        replace(shape, time_up=(False,) * len(shape.time_up)), width, height, latent_frames=1
    )
    rest = vae_chunk(shape, width, height, latent_frames=latent_frames - 1, bytes_each=bytes_each)
    return Work(flop=first.flop + rest.flop, bytes=rest.bytes + bytes_each * 3 * width * height)


def vae_chunk(
    shape: VAEShape, width: int, height: int, *, latent_frames: int = 3, bytes_each: int = 2
) -> Work:
    """Decoding latent frames of a running stream (not its first), all of them in one call."""
    h, w = height // SPATIAL, width // SPATIAL
    frames = latent_frames
    top = shape.base * shape.multiples[-1]
    flop = conv(frames * h * w, shape.latent_channels, shape.latent_channels, 1)  # post_quant_conv
    flop += conv(frames * h * w, shape.latent_channels, top, 27)
    weights = shape.latent_channels**2 + 27 * shape.latent_channels * top
    flop += 2 * 2 * conv(frames * h * w, top, top, 27)
    flop += conv(frames * h * w, top, 4 * top, 1) + frames * 4 * (h * w) ** 2 * top
    weights += 4 * 27 * top**2 + 4 * top**2
    reached = top
    for i, multiple in enumerate(reversed(shape.multiples)):
        wide = shape.base * multiple
        entering = reached
        for _ in range(shape.resnets + 1):
            pairs = 27 * (entering * wide + wide * wide)
            pairs += entering * wide if entering != wide else 0
            flop += 2 * frames * h * w * pairs
            weights += pairs
            entering = wide
        if i < len(shape.multiples) - 1:
            if shape.time_up[i]:
                flop += conv(frames * h * w, wide, 2 * wide, 3)
                weights += 6 * wide**2
                frames *= 2
            h, w = 2 * h, 2 * w
            flop += conv(frames * h * w, wide, wide // 2, 9)
            weights += 9 * wide * (wide // 2)
            reached = wide // 2
        else:
            flop += conv(frames * h * w, wide, 3, 27)
            weights += 27 * wide * 3
    pixels = 3 * frames * h * w
    return Work(flop=flop, bytes=bytes_each * (weights + pixels))


def neon_vae_chunk(
    shape: NeonVAEShape, width: int, height: int, *, latent_frames: int = 3, bytes_each: int = 2
) -> Work:
    """Decoding latent frames of a stream, in one call."""
    h, w = height // SPATIAL, width // SPATIAL
    frames, (top, *_), weights = latent_frames, shape.decoder, 0
    flop = conv(frames * h * w, shape.latent_channels, top, 9)
    weights += 9 * shape.latent_channels * top
    block = 3 * TEMPORAL * SPATIAL**2  # the linear path
    flop += conv(frames * h * w, shape.latent_channels, block, 1)
    weights += shape.latent_channels * block
    for i, wide in enumerate(shape.decoder):
        pairs = shape.blocks * 27 * wide * wide
        flop += 2 * frames * h * w * pairs
        weights += pairs
        if i < len(shape.decoder) - 1:
            flop += conv(frames * h * w, wide, 2 * wide, 1)
            frames, h, w = 2 * frames, 2 * h, 2 * w
            flop += conv(frames * h * w, wide, shape.decoder[i + 1], 9)
            weights += 2 * wide * wide + 9 * wide * shape.decoder[i + 1]
    flop += conv(frames * h * w, shape.decoder[-1], 12, 9)
    weights += 9 * shape.decoder[-1] * 12
    pixels = 3 * frames * 4 * h * w
    return Work(flop=flop, bytes=bytes_each * (weights + pixels))


def conv(elements: int, channels_in: int, channels_out: int, taps: int) -> int:
    """Operations of a convolution: `elements` places of output, `taps` places of input each."""
    return 2 * elements * channels_in * channels_out * taps


def cell_work(
    network: Network | PyramidNetwork, width: int, height: int, steps: tuple[int, ...]
) -> tuple[Work, Work]:
    """Of one chunk in the steady state: all its passes (one a step; where there is one stage, one
    more that writes the clean context; where there are several, the history's tokens), and its
    decoding."""
    if isinstance(network, PyramidNetwork):
        return (
            sum(
                (
                    helios_pass(network.dit, width, height, stage) * count
                    for stage, count in enumerate(steps)
                ),
                Work(flop=helios_history(network.dit, width, height), bytes=0),
            ),
            vae_alone(network.vae, width, height, latent_frames=network.dit.chunk),
        )
    one = dit_pass(network.dit, width, height, sparse=network.sparse)
    decoding = (
        neon_vae_chunk(network.vae, width, height, latent_frames=network.dit.chunk)
        if isinstance(network.vae, NeonVAEShape)
        else vae_chunk(network.vae, width, height)
    )
    return one * (sum(steps) + 1), decoding


def chunks_for(network: Network | PyramidNetwork, frames: int) -> int:
    """Chunks that so many frames of video take."""
    steady = steady_frames(network)
    if isinstance(network, PyramidNetwork) or isinstance(network.vae, NeonVAEShape):
        return -(-frames // steady)
    return -(-(frames + TEMPORAL - 1) // steady)


def steady_frames(network: Network | PyramidNetwork) -> int:
    """Frames of video that a chunk of the steady state becomes."""
    if isinstance(network, PyramidNetwork):
        return TEMPORAL * (network.dit.chunk - 1) + 1
    return chunk_frames(network.dit, settled_chunk(network.dit))


def can_be(
    network: Network | PyramidNetwork, width: int, height: int, steps: tuple[int, ...]
) -> bool:
    """Whether the network makes pictures of such sides, in pixels, in as many stages."""
    multiple, stages = 2 * SPATIAL, 1
    if isinstance(network, PyramidNetwork):
        multiple, stages = network.dit.multiple, network.dit.stages
    return len(steps) == stages and width % multiple == height % multiple == 0


def bound(work: Work, machine: Machine) -> Bound | None:
    """The time below which `machine` cannot do `work` in bf16; None where its figures are not
    stated."""
    if machine.bf16_tflops is None or machine.bandwidth_tb_s is None:
        return None
    compute = work.flop / (machine.bf16_tflops * 1e12)
    memory = work.bytes / (machine.bandwidth_tb_s * 1e12)
    return Bound(seconds=max(compute, memory), by="compute" if compute >= memory else "memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a machine's data sheet allows of a cell, passes and decoding one after the other."""

    fps: float
    flop_per_frame: float
    bytes_per_frame: float
    by: str
    """What takes more of the time: "compute" or "memory"."""


def limit(
    network: Network | PyramidNetwork,
    width: int,
    height: int,
    steps: tuple[int, ...],
    machine: Machine,
) -> Limit | None:
    """Frames a second of the steady state that `machine` cannot exceed in bf16; None where its
    figures are not stated. Sides and steps as `can_be` has them."""
    parts = cell_work(network, width, height, steps)
    bounds = [found for found in (bound(part, machine) for part in parts) if found]
    if not bounds:
        return None
    frames = steady_frames(network)
    return Limit(
        fps=frames / sum(one.seconds for one in bounds),
        flop_per_frame=sum(part.flop for part in parts) / frames,
        bytes_per_frame=sum(part.bytes for part in parts) / frames,
        by=max(bounds, key=lambda one: one.seconds).by,
    )
