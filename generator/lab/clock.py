"""One stream under the clock, and what the machine is that it ran on.

The clock starts on a wiped, prepared pipeline whose device has nothing left to do, and stops when
the last chunk is on the host. Loading, reading the prompt, warm-up and encoding stay outside.
"""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any

from generator.errors import UsageError
from generator.lab.pipelines import About, Frames, Pipeline, Request
from generator.measure.timing import Timing

__all__ = [
    "PROTOCOL",
    "Take",
    "frames_of",
    "machine",
    "measure",
    "software",
    "usual_device",
    "warm_up",
]

PROTOCOL = (
    "Before each clip every memory of the pipeline is emptied: {memories}.",
    "Warm-up, outside the clock: at the first clip of a size as many chunks as reach the steady "
    "state and one more, two chunks at each further cell.",
    "Inside the clock: {included}. Outside: loading of weights, reading of the prompt, warm-up, "
    "encoding of the file.",
    "FPS is frames per wall second of the steady state: from the arrival on the host of the chunk "
    "before chunk {settled} to that of the last. The device is synchronised at both ends.",
    "Time to first frame is the arrival of the whole first chunk. Latencies are those of the "
    "steady state's chunks, from one arrival to the next.",
    "At least {seconds} s of content at {rate} frames per second are generated; the file is cut to "
    "exactly {frames} frames.",
    "Numbers are medians over the repeats of a cell.",
)
"""Sentences of the method, filled in by the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One stream as it was measured, cut to the length that was asked for."""

    timing: Timing
    peak_bytes: int | None
    frames: tuple[Frames, ...]
    frames_sha256: str
    """Of all pictures' bytes, in order: equal repeats are equal here."""


def frames_of(seconds: Fraction, rate_hz: Fraction) -> int:
    """Frames of so long a clip. Raises UsageError where they do not come out even."""
    frames = seconds * rate_hz
    if frames.denominator != 1 or frames < 1:
        raise UsageError(
            f"--seconds {float(seconds):g}: at {float(rate_hz):g} frames per second this is no "
            "whole number of frames; write such as 20"
        )
    return int(frames)


def measure(
    pipeline: Pipeline,
    request: Request,
    about: About,
    *,
    frames: int,
    on_chunk: Callable[[int, int], None] | None = None,
    now: Callable[[], float] = time.perf_counter,
) -> Take:
    """Wipe, prepare, then stream under the clock until `frames` are there and the steady state has
    a chunk at least. `on_chunk` is told frames done, of how many."""
    pipeline.wipe()
    pipeline.prepare(request)
    pipeline.synchronize()
    pipeline.peak_bytes(reset=True)
    arrivals: list[float] = []
    parts: list[Frames] = []
    done = 0
    start = now()
    for part in pipeline.stream():
        arrivals.append(now() - start)
        parts.append(part)
        done += len(part)
        if on_chunk is not None:
            on_chunk(min(done, frames), frames)
        if done >= frames and len(parts) > about.settled_chunk:
            break
    pipeline.synchronize()
    if done < frames:
        raise UsageError(
            f"{frames} frames are more than this pipeline can make in one stream ({done}); "
            "ask for fewer seconds"
        )
    timing = Timing(
        arrivals_s=tuple(arrivals),
        frames=tuple(map(len, parts)),
        settled_chunk=about.settled_chunk,
    )
    peak = pipeline.peak_bytes()
    kept = _cut(parts, frames)
    digest = hashlib.sha256()
    for part in kept:
        digest.update(part.data)
    return Take(timing=timing, peak_bytes=peak, frames=kept, frames_sha256=digest.hexdigest())


def warm_up(pipeline: Pipeline, request: Request, *, chunks: int) -> None:
    """Stream some chunks that nobody measures."""
    pipeline.wipe()
    pipeline.prepare(request)
    for _ in islice(pipeline.stream(), chunks):
        pass
    pipeline.synchronize()


def usual_device() -> str:
    """ "cuda" where torch sees a GPU, else "cpu", and without torch as well."""
    try:
        import torch
    except ModuleNotFoundError:
        return "cpu"
    return "cuda" if torch.cuda.is_available() else "cpu"


def machine(device: str) -> Mapping[str, str]:
    """What the device says of itself: name, memory, driver, host; of a CPU its threads."""
    import torch

    host = {"host": f"{platform.machine()}, {platform.system()} {platform.release()}"}
    if torch.device(device).type != "cuda":
        return {"device": _processor(), "threads": str(torch.get_num_threads()), **host}
    found = torch.cuda.get_device_properties(torch.device(device))
    return {
        "device": found.name,
        "memory": f"{found.total_memory / 2**30:.1f} GiB",
        "driver": _driver(),
        **host,
    }


def software(root: Path | None = None) -> Mapping[str, str]:
    """Versions of what computes, and the commit of this code where it is a checkout."""
    import torch

    versions = {
        name: _version(name) for name in ("torch", "diffusers", "transformers", "safetensors")
    }
    found: Any = torch.version
    return {
        "Python": platform.python_version(),
        **versions,
        "torch": torch.__version__,
        "CUDA of torch": str(found.cuda or "none"),
        "cuDNN": str(torch.backends.cudnn.version() or "none"),
        "Matrix Archive": _commit(root or Path(__file__).parent),
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _commit(folder: Path) -> str:
    said = _answer("git", "-C", str(folder), "rev-parse", "HEAD")
    if not said:
        return _version("matrix-archive")
    changed = _answer("git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no")
    return f"commit {said}" + (", with changes" if changed else "")


def _processor() -> str:
    """A CPU's name, as far as the system tells it."""
    try:
        told = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        told = "model name: " + _answer("sysctl", "-n", "machdep.cpu.brand_string")
    named = re.search(r"^model name\s*:[ \t]*(\S.*)$", told, re.MULTILINE)
    return named[1] if named else platform.processor() or platform.machine()


def _driver() -> str:
    said = _answer("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    return said.splitlines()[0] if said else "not stated"


def _answer(*command: str) -> str:
    """What a program says; "" where it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=20)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cut(parts: list[Frames], frames: int) -> tuple[Frames, ...]:
    kept: list[Frames] = []
    for part in parts:
        kept.append(part[: frames - sum(map(len, kept))])
    return tuple(part for part in kept if len(part))
