"""What the Wan decoder does between two convolutions, as Triton kernels: a row of channels is read
once and written where the next convolution looks for it. Their slow twins are the functions of the
same names in `fast_vae`. Importing this takes Triton, which torch brings along where it has CUDA.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import torch
import triton
import triton.language as tl

__all__ = ["enlarged", "fill", "joined"]

# Shapes: T frames, H and W sides, C channels, R = T H W rows. `beside` lays the channels of a frame
# and of the two before it side by side, [T, H, W, 3 C]; otherwise a room is [2 + T, H, W, C].

ROWS = 16
"""Rows of a program."""


@triton.jit(do_not_specialize=["frames"])
def _joined(
    y,
    bias,
    past,
    gamma,
    x_out,
    room,
    memory,
    rows,
    places,
    frames,
    root: tl.constexpr,
    channels: tl.constexpr,
    padded: tl.constexpr,
    block: tl.constexpr,
    has_past: tl.constexpr,
    keeps: tl.constexpr,
    beside: tl.constexpr,
):
    r = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    c = tl.arange(0, padded)
    real = (r < rows)[:, None] & (c < channels)[None, :]
    at = r[:, None] * channels + c[None, :]
    b = tl.load(bias + c, mask=c < channels, other=0.0).to(tl.float32)
    g = tl.load(gamma + c, mask=c < channels, other=0.0).to(tl.float32)
    x = tl.load(y + at, mask=real, other=0.0).to(tl.float32) + b[None, :]
    if has_past:
        x += tl.load(past + at, mask=real, other=0.0).to(tl.float32)
    x = x.to(room.dtype.element_ty)
    if keeps:
        tl.store(x_out + at, x, mask=real)
    wide = x.to(tl.float32)
    length = tl.sqrt(tl.sum(wide * wide, axis=1))
    normed = wide / tl.maximum(length, 1e-12)[:, None] * root * g[None, :]
    out = (normed / (1.0 + tl.exp(-normed))).to(room.dtype.element_ty)
    frame = r // places
    place = r % places
    last = real & (frame >= frames - 2)[:, None]
    kept = tl.where(frame * 0 + frames == 1, 1, frame - (frames - 2)) * places + place
    tl.store(memory + kept[:, None] * channels + c[None, :], out, mask=last)
    if beside:
        for j in tl.static_range(3):
            to = frame + 2 - j
            where = ((to * places + place) * 3 + j)[:, None] * channels + c[None, :]
            tl.store(room + where, out, mask=real & ((to >= 0) & (to < frames))[:, None])
    else:
        tl.store(room + 2 * places * channels + at, out, mask=real)


@triton.jit(do_not_specialize=["frames"])
def _fill(
    memory,
    room,
    values,
    frames,
    channels: tl.constexpr,
    block: tl.constexpr,
    beside: tl.constexpr,
):
    i = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    real = i < values
    many = i * 0 + frames
    older = tl.load(memory + i, mask=real)
    newer = tl.load(memory + values + i, mask=real)
    if beside:
        place = i // channels
        c = i % channels
        tl.store(room + place * 3 * channels + c, older, mask=real)
        tl.store(room + (place * 3 + 1) * channels + c, newer, mask=real)
        second = values * 3 + place * 3 * channels + c
        tl.store(room + second, newer, mask=real & (many > 1))
    else:
        tl.store(room + i, older, mask=real)
        tl.store(room + values + i, newer, mask=real)
    # a single frame pushes out one of the two that are remembered
    tl.store(memory + i, newer, mask=real & (many == 1))


@triton.jit
def _enlarged(
    y,
    bias,
    past,
    out,
    rows,
    height,
    width,
    turns: tl.constexpr,
    channels: tl.constexpr,
    padded: tl.constexpr,
    block: tl.constexpr,
    has_past: tl.constexpr,
):
    r = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    turn = tl.program_id(1)
    c = tl.arange(0, padded)
    real = (r < rows)[:, None] & (c < channels)[None, :]
    at = (r * turns + turn)[:, None] * channels + c[None, :]
    b = tl.load(bias + turn * channels + c, mask=c < channels, other=0.0).to(tl.float32)
    x = tl.load(y + at, mask=real, other=0.0).to(tl.float32) + b[None, :]
    if has_past:
        x += tl.load(past + at, mask=real, other=0.0).to(tl.float32)
    x = x.to(out.dtype.element_ty)
    places = height * width
    frame = (r // places) * turns + turn
    row = (r % places) // width
    column = r % width
    for down in tl.static_range(2):
        for right in tl.static_range(2):
            to = (frame * 2 * height + 2 * row + down) * 2 * width + 2 * column + right
            tl.store(out + to[:, None] * channels + c[None, :], x, mask=real)


def joined(
    y: torch.Tensor,
    bias: torch.Tensor,
    past: torch.Tensor | None,
    gamma: torch.Tensor,
    room: torch.Tensor,
    memory: torch.Tensor,
    *,
    beside: bool,
    keeps: bool,
) -> torch.Tensor | None:
    """As `fast_vae.joined`."""
    frames, height, width, channels = y.shape
    rows = frames * height * width
    x = torch.empty_like(y) if keeps else None
    _joined[(triton.cdiv(rows, ROWS),)](
        y,
        bias,
        y if past is None else past,
        gamma,
        y if x is None else x,
        room,
        memory,
        rows,
        height * width,
        frames,
        channels**0.5,
        channels,
        triton.next_power_of_2(channels),
        ROWS,
        past is not None,
        keeps,
        beside,
    )
    return x


def fill(memory: torch.Tensor, room: torch.Tensor, frames: int, *, beside: bool) -> None:
    """As `fast_vae.fill`."""
    values, channels = memory[0].numel(), memory.shape[3]
    block = 1024
    _fill[(triton.cdiv(values, block),)](memory, room, values, frames, channels, block, beside)


def enlarged(
    y: torch.Tensor, bias: torch.Tensor, past: torch.Tensor | None, turns: int
) -> torch.Tensor:
    """As `fast_vae.enlarged`."""
    frames, height, width, wide = y.shape
    channels, rows = wide // turns, frames * height * width
    out = y.new_empty(frames * turns, 2 * height, 2 * width, channels)
    _enlarged[(triton.cdiv(rows, ROWS), turns)](
        y,
        bias,
        y if past is None else past,
        out,
        rows,
        height,
        width,
        turns,
        channels,
        triton.next_power_of_2(channels),
        ROWS,
        past is not None,
    )
    return out
