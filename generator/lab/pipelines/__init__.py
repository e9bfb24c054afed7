"""The one protocol of all pipelines. A further one is a further file, and a line in `PIPELINES`.

A pipeline is wiped, prepared and then streams chunks of pictures. `prepare` only states what is
wanted; everything that a stream leaves behind is a *memory*, filled while it streams and emptied by
`wipe` alone. That is what makes a wipe something that can be proven (`generator.lab.proof`).

No torch here: what pipelines there are can be asked without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from generator.errors import UsageError
from generator.lab import prompts
from generator.lab.context import VaceContext
from generator.measure import roofline

__all__ = [
    "PIPELINES",
    "About",
    "Heard",
    "Parts",
    "Pipeline",
    "ReadsWords",
    "Request",
    "open_pipeline",
]

Frames = NDArray[np.uint8]
"""[frames, height, width, 3], RGB, on the host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a clip shall be. Sides in pixels."""

    prompt: str
    width: int
    height: int
    steps: tuple[int, ...]
    """One count; one a stage for staged samplers."""
    seed: int
    switches: tuple[tuple[int, str], ...] = ()
    """(chunk, prompt): from that chunk on, another prompt."""
    context: VaceContext | None = None
    """Pictures to heed; only where the pipeline was opened with `vace`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Where a pipeline's parts come from and where they run."""

    device: str
    """As torch names it: "cuda", "cuda:1", "cpu"."""
    dtype: str
    """"bfloat16", "float16" or "float32"."""
    weights: str
    """"random", or a folder."""
    weights_seed: int = 0
    text: Path | None = None
    """A file of embeddings or a folder with the encoder; beside the weights, or random with random
    weights, when None."""
    tiny: bool = False
    """A toy of the same build, for tests and rehearsals. It says so in the record."""
    sparse_memory: bool = False
    """Sparse Memory Activation, where a pipeline has it."""
    vace: bool = False
    """With the branch that reads a VACE context."""
    attention: str = ""
    """A kernel's name; the device's usual one when empty."""
    compile: str = "none"
    """"none": eager, the slow twin; or a faster mode, where a pipeline has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a pipeline without a text encoder made of a prompt."""

    told: str
    """In words."""
    unread: tuple[str, ...]
    """Words that said nothing to it."""


@runtime_checkable
class ReadsWords(Protocol):
    """A pipeline that knows some words only, and says which it did not."""

    def heard(self, prompt: str) -> Heard:
        """Raises UsageError for a prompt that it can make nothing of."""


class Pipeline(Protocol):
    """Something that streams video. One stream at a time."""

    @property
    def memories(self) -> tuple[str, ...]:
        """Everything that outlives a chunk, by name."""

    @property
    def said(self) -> Mapping[str, str]:
        """For the record: weights, text, dtype, kernels, in words."""

    def wipe(self, *, but: frozenset[str] = frozenset()) -> None:
        """Empty every memory, as in a fresh process. `but` leaves some, to show that it matters."""

    def prepare(self, request: Request) -> None:
        """State what the next stream shall be. Raises UsageError for what cannot be had."""

    def step_list(self, request: Request) -> tuple[float, ...]:
        """The timesteps as the network is told them."""

    def stream(self) -> Iterator[Frames]:
        """Chunks of pictures on the host, without end or until the pipeline's own last."""

    def synchronize(self) -> None:
        """Wait until the device has done all that it was told."""

    def peak_bytes(self, *, reset: bool = False) -> int | None:
        """Most memory that was allocated on the device since the last reset; None where unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is known of a pipeline before it is opened."""

    module: str
    content_rate_hz: Fraction
    """Frames per second that its content is meant to be shown at."""
    settled_chunk: int
    """The first chunk, from 0, from which every further one costs the same."""
    clock_includes: tuple[str, ...]
    stages: int = 1
    """Numbers that `steps` holds; 0 for a pipeline that does not denoise."""
    multiple: int = 16
    """What both sides must divide by."""
    chunk_starts: Callable[[int], int] | None = None
    """First frame of each chunk, from 0, where prompts can be switched."""
    reads_context: bool = False
    """Whether it can be opened with `vace`."""
    size: tuple[int, int] = (832, 480)
    """In pixels, where none is stated."""
    ships: bool = False
    """Whether it runs for who names no weights: they are the project's own, in `weights/<name>`, or
    there are none."""
    another: Callable[[str], str] = "{} Another scene.".format
    """A prompt that is another to this pipeline."""


INSTALL = "pip install -e '.[lab]' in a checkout, pip install 'matrix-archive[lab]' elsewhere"

CAUSAL_CLOCK = (
    *("denoising", "context update", "VAE decode"),
    *("conversion to 8-bit RGB", "transfer to host"),
)
"""What the clock includes of a pipeline that makes chunk after chunk with a cache."""

PIPELINES: Mapping[str, About] = {
    "memflow": About(
        module="generator.lab.pipelines.memflow",
        content_rate_hz=Fraction(16),
        settled_chunk=7,
        clock_includes=CAUSAL_CLOCK,
        chunk_starts=lambda chunk: roofline.first_frame(roofline.WAN_1_3B, chunk),
        reads_context=True,
    ),
    "helios": About(
        module="generator.lab.pipelines.helios",
        content_rate_hz=Fraction(24),
        settled_chunk=1,
        clock_includes=(
            "denoising in three sizes",
            "VAE decode",
            "conversion to 8-bit RGB",
            "transfer to host",
        ),
        stages=roofline.HELIOS_14B.stages,
        multiple=roofline.HELIOS_14B.multiple,
    ),
    "neon": About(
        module="generator.lab.pipelines.neon",
        content_rate_hz=Fraction(12),
        settled_chunk=roofline.settled_chunk(roofline.NEON_DIT),
        clock_includes=CAUSAL_CLOCK,
        size=(512, 288),
        ships=True,
        another=prompts.unlike,
    ),
    "rendered": About(
        module="generator.lab.pipelines.rendered",
        content_rate_hz=Fraction(12),
        settled_chunk=1,
        clock_includes=("rendering", "conversion to 8-bit RGB", "transfer to host"),
        stages=0,
        size=(512, 288),
        ships=True,
        another=prompts.unlike,
    ),
}


def about(name: str) -> About:
    """Raises UsageError for a pipeline that the lab does not run."""
    if name not in PIPELINES:
        raise UsageError(
            f'--pipeline "{name}": the lab runs no such pipeline; it runs {", ".join(PIPELINES)}'
        )
    return PIPELINES[name]


def open_pipeline(name: str, parts: Parts) -> Pipeline:
    """Build a pipeline with its weights on its device.

    Raises UsageError where the extra `lab` is not installed, and MediaError for weights that cannot
    be read.
    """
    opened: Pipeline = needed(about(name).module).open_pipeline(parts)
    return opened


def needed(module: str) -> Any:
    """A module of the lab that needs torch. Raises UsageError where the extra `lab` is missing."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "generator":
            raise
        raise UsageError(
            f"running pipelines needs {error.name}, which is not installed; "
            f"install the extra: {INSTALL}"
        ) from error
