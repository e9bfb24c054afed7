"""Heavy matrix products of MemFlow in FP8, as `memflow_fast.py modes` measures them beside exact
ones. They did not pay on an H200 (docs/lab-log.md), so the lab itself has no such mode."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch.nn import functional

from generator.lab.models.fast import Products, compiled

LARGEST = 448.0
"""Of float8_e4m3fn."""


def eighths(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of x [M, K] in 8 bits (e4m3), and their scales [M, 1]."""
    scale = x.float().abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / LARGEST
    return (x.float() / scale).to(torch.float8_e4m3fn), scale


def gelu_eighths(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return eighths(functional.gelu(x.float(), approximate="tanh"))


@functools.cache
def fused(function: Any) -> Any:
    return compiled(function)


class EighthProducts(Products):
    """The heavy products with both sides in FP8: weights scaled by output channel, activations by
    token as they come. Queries, keys and values of the chunk, and both layers of the feed-forward
    net; the smaller products (output of the attentions, queries to the text) would lose time by
    it, and all others are not of a block: they stay as they are."""

    def __init__(self, block: Any) -> None:
        super().__init__(block)
        up, down = block.ffn[0], block.ffn[2]
        self._qkv = Eighths(self.qkv_weight, self.qkv_bias)
        self._up = Eighths(up.weight, up.bias)
        self._down = Eighths(down.weight, down.bias)

    def qkv(self, m: torch.Tensor) -> torch.Tensor:
        x, scale = fused(eighths)(m[0])
        return self._qkv(x, scale, m.dtype)

    def up(self, m: torch.Tensor) -> torch.Tensor:
        """Without its GELU, which `down` computes where it makes 8 bits of it."""
        x, scale = fused(eighths)(m[0])
        return self._up(x, scale, m.dtype)

    def down(self, h: torch.Tensor) -> torch.Tensor:
        x, scale = fused(gelu_eighths)(h[0])
        return self._down(x, scale, h.dtype)


class Eighths:
    """A linear layer in FP8."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        self.weight, scale = eighths(weight.detach())
        self.scale, self.bias = scale.t().contiguous(), bias.detach()

    def __call__(self, x: torch.Tensor, scale: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        out = torch._scaled_mm(
            x, self.weight.t(), scale, self.scale, self.bias, None, dtype, use_fast_accum=True
        )
        return out.unsqueeze(0)
