"""The device that a pipeline runs on, by the names that a command is told, and what it can say."""

from __future__ import annotations

import torch

from generator.errors import UsageError

__all__ = ["device_of", "dtype_of", "peak_bytes", "synchronize"]


def device_of(name: str) -> torch.device:
    """Raises UsageError for a device that torch does not know or does not see."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(
            f'--device "{name}": torch knows no such device; write cuda or cpu'
        ) from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            f"--device {name}: torch sees no GPU here (torch {torch.__version__}); "
            "write --device cpu, or install a torch with CUDA"
        )
    return device


def dtype_of(name: str) -> torch.dtype:
    """Raises UsageError for a dtype that pipelines do not run in."""
    known = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
    if name not in known:
        raise UsageError(f'--dtype "{name}": known are {", ".join(known)}')
    return known[name]


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_bytes(device: torch.device, *, recorded: bool, reset: bool) -> int | None:
    """Most memory held on the device since the last reset; None where torch does not count it.

    `recorded` says that CUDA graphs are at work: what they work in counts as free to the allocator,
    but nobody else can have it, so the memory that torch reserved is told in its place.
    """
    if device.type != "cuda":
        return None
    peak = (
        torch.cuda.max_memory_reserved(device)
        if recorded
        else torch.cuda.max_memory_allocated(device)
    )
    if reset:
        torch.cuda.reset_peak_memory_stats(device)
    return peak
