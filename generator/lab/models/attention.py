"""Attention, and which of torch's kernels computes it: a choice that is named and recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from generator.errors import UsageError

__all__ = ["KERNELS", "attend", "checked", "choose", "milliseconds", "using"]

# Shapes: B batch, L queries, M keys, H heads, D head dimension

KERNELS = {
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
}


def choose(device: torch.device, dtype: torch.dtype) -> str:
    """The kernel for a device: cuDNN's where it can compute the dtype, else what torch picks."""
    half = dtype in (torch.bfloat16, torch.float16)
    return "cudnn" if device.type == "cuda" and half else "torch"


def checked(kernel: str) -> str:
    """The name itself. Raises UsageError where it is none that `using` knows."""
    if kernel not in ("torch", *KERNELS):
        raise UsageError(f'attention kernel "{kernel}": known are torch, {", ".join(KERNELS)}')
    return kernel


@contextlib.contextmanager
def using(kernel: str) -> Iterator[None]:
    """Compute with this kernel and no other; "torch" leaves the choice to torch.

    A kernel that cannot do the work raises RuntimeError: there is no silent second choice.
    """
    if kernel == "torch":
        yield
        return
    with sdpa_kernel(KERNELS[kernel]):
        yield


def milliseconds(
    kernel: str,
    sizes: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
    device: torch.device,
    dtype: torch.dtype,
    turns: int = 5,
) -> float:
    """Of attention forwards and backwards once for each of `sizes` (queries [B, L, H, D], keys
    [B, M, H, D]) on a GPU. Raises RuntimeError where the kernel cannot do one."""
    total = 0.0
    for of_queries, of_keys in sizes:
        q, k, v = (
            torch.randn(size, device=device, dtype=dtype, requires_grad=True)
            for size in (of_queries, of_keys, of_keys)
        )
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        with using(kernel):
            for turn in range(turns + 2):
                if turn == 2:
                    begin.record()
                attend(q, k, v).sum().backward()
        end.record()
        end.synchronize()
        total += begin.elapsed_time(end) / turns
    return round(total, 3)


def attend(q_BLHD: torch.Tensor, k_BMHD: torch.Tensor, v_BMHD: torch.Tensor) -> torch.Tensor:
    """softmax(q k^T / sqrt(D)) v without a mask, as [B, L, H, D]. Views may be strided."""
    out = functional.scaled_dot_product_attention(
        q_BLHD.transpose(1, 2), k_BMHD.transpose(1, 2), v_BMHD.transpose(1, 2)
    )
    return out.transpose(1, 2)
