"""What VACE is to heed: reference pictures, a control video, a mask. Checked before anything runs.

Every wrong size has a sentence here, and both doors ask for it: the command line, of files, and a
pipeline, of arrays. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from generator.errors import Complaint, ContentError, MediaError

__all__ = ["MOST_REFERENCES", "ContextFiles", "VaceContext", "faults", "read_context"]

MOST_REFERENCES = 3
"""A reference takes the place of a latent frame, of which a chunk has three."""
MOST_STRETCH = 16
"""Of a reference's sides to each other; the picture itself would be a line."""
LARGEST_SCALE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextFiles:
    """As a command names it."""

    references: tuple[Path, ...] = ()
    control: Path | None = None
    mask: Path | None = None
    scale: float = 1.0

    def __bool__(self) -> bool:
        return bool(self.references or self.control or self.mask)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VaceContext:
    """Pixels, 8 bits each."""

    references: tuple[NDArray[np.uint8], ...] = ()
    """[height, width, 3] each, of any size: fitted into the picture, on white."""
    control: NDArray[np.uint8] | None = None
    """[frames, height, width, 3], of the clip's size. Its last frame holds on."""
    mask: NDArray[np.uint8] | None = None
    """[frames, height, width], of the control's size; white is made anew, black stays. One frame
    is for all. Without it all is made anew."""
    scale: float = 1.0
    """How strongly the context acts."""
    said: str = ""
    """For the record: files and their sha256."""


def faults(context: VaceContext, width: int, height: int) -> list[tuple[str, str, str]]:
    """(what, problem, remedy) for everything that does not fit a clip of this size."""
    found: list[tuple[str, str, str]] = []
    control, mask = context.control, context.mask

    def fault(what: str, problem: str, remedy: str) -> None:
        found.append((what, problem, remedy))

    if not context.references and control is None and mask is None:
        fault("context", "is empty", "give a reference or a control video")
    if not 0 <= context.scale <= LARGEST_SCALE:
        fault("scale", f"{context.scale} is none", f"write 0 to {LARGEST_SCALE:g}, usually 1")
    most = MOST_REFERENCES if control is None else MOST_REFERENCES - 1
    if len(context.references) > most:
        beside = "" if control is None else " beside a control video"
        fault(
            "references",
            f"{len(context.references)} pictures, where a chunk has room for {most}{beside}",
            "leave some out",
        )
    for i, reference in enumerate(context.references, 1):
        what = f"reference {i}"
        if reference.ndim != 3 or reference.shape[2] != 3 or not reference.size:
            fault(what, f"has shape {list(reference.shape)}", "give RGB, [height, width, 3]")
        elif max(reference.shape[:2]) > MOST_STRETCH * min(reference.shape[:2]):
            sides = f"{reference.shape[1]}x{reference.shape[0]}"
            fault(
                what,
                f"{sides} is more than {MOST_STRETCH} times as long as it is wide",
                "crop it to what shall be seen",
            )
    if control is not None:
        if control.ndim != 4 or control.shape[3] != 3 or not control.size:
            shape = list(control.shape)
            fault("control", f"has shape {shape}", "give RGB, [frames, height, width, 3]")
        elif control.shape[1:3] != (height, width):
            fault(
                "control",
                f"is {control.shape[2]}x{control.shape[1]} where the clip is {width}x{height}",
                f"scale it to {width}x{height} first",
            )
    if mask is not None:
        if control is None:
            fault("mask", "stands alone", "give the control video that it belongs to")
        elif mask.ndim != 3 or not mask.size:
            fault(
                "mask", f"has shape {list(mask.shape)}", "give one channel, [frames, height, width]"
            )
        else:
            if mask.shape[1:] != (height, width):
                fault(
                    "mask",
                    f"is {mask.shape[2]}x{mask.shape[1]} where the clip is {width}x{height}",
                    f"scale it to {width}x{height} first",
                )
            if control.ndim == 4 and mask.shape[0] not in (1, control.shape[0]):
                fault(
                    "mask",
                    f"has {mask.shape[0]} frames where the control video has {control.shape[0]}",
                    "give as many, or one picture for all",
                )
    for what, pixels in (
        *((f"reference {i}", one) for i, one in enumerate(context.references, 1)),
        ("control", control),
        ("mask", mask),
    ):
        if pixels is not None and pixels.dtype != np.uint8:
            fault(what, f"holds {pixels.dtype}", "give 8-bit values, 0 to 255")
    return found


def read_context(
    files: ContextFiles, sizes: Iterable[tuple[int, int]], *, frames: int, rate_hz: Fraction
) -> VaceContext:
    """The pixels that a command names, for clips of `sizes` with so many frames.

    Raises ContentError with every mistake: files that cannot be read, wrong sizes, control videos
    that are too short or run at another rate.
    """
    from generator.clips.hashes import sha256_of
    from generator.clips.pictures import is_image, picture_of

    complaints: list[Complaint] = []

    def complain(where: str, problem: str, remedy: str) -> None:
        complaints.append(Complaint(where=where, problem=problem, remedy=remedy))

    def refused(what: str, error: MediaError) -> None:
        complain(f"--{what}", *_in_two(str(error)))

    references: list[NDArray[np.uint8]] = []
    for path in files.references:
        try:
            references.append(picture_of(path))
        except MediaError as error:
            refused("reference", error)
    control: NDArray[np.uint8] | None = None
    mask: NDArray[np.uint8] | None = None
    if files.control is not None:
        try:
            if is_image(files.control):
                complain(
                    f"--control {files.control}",
                    "is a picture where a video is read",
                    "give it with --reference, or make a video of it",
                )
            else:
                control = _moving("control", files.control, frames, rate_hz, complain)
        except MediaError as error:
            refused("control", error)
    if files.mask is not None:
        try:
            if is_image(files.mask):
                mask = _grey(picture_of(files.mask)[np.newaxis])
            else:
                rgb = _moving("mask", files.mask, frames, rate_hz, complain)
                mask = None if rgb is None else _grey(rgb)
        except MediaError as error:
            refused("mask", error)
        if files.control is None:
            complain(
                f"--mask {files.mask}", "stands alone", "give the video that it masks: --control"
            )
    if not complaints:
        context = VaceContext(
            references=tuple(references), control=control, mask=mask, scale=files.scale
        )
        for width, height in sizes:
            for what, problem, remedy in faults(context, width, height):
                complain(f"--{what.split()[0].removesuffix('s')}", f"{what} {problem}", remedy)
    if complaints:
        raise ContentError(list(dict.fromkeys(complaints)))
    named = [
        *(("reference", path) for path in files.references),
        *(
            (name, path)
            for name, path in (("control", files.control), ("mask", files.mask))
            if path
        ),
    ]
    said = ", ".join(f"{name} {path.name} sha256 {sha256_of(path)}" for name, path in named)
    return replace(context, said=f"{said}; scale {files.scale:g}")


def _moving(
    what: str, path: Path, frames: int, rate_hz: Fraction, complain: Complain
) -> NDArray[np.uint8] | None:
    """A video's frames; None with a complaint where it is too short or runs at another rate."""
    from generator.clips.pictures import frames_of_clip
    from generator.clips.probe import probe

    facts = probe(path)
    rate = facts.frame_count / facts.duration_s
    if abs(rate - rate_hz) > rate_hz / 100:
        complain(
            f"--{what} {path}",
            f"runs at {float(rate):.4g} frames per second where the clip has {float(rate_hz):g}",
            f"convert it to {float(rate_hz):g} first",
        )
        return None
    if facts.frame_count < frames:
        complain(
            f"--{what} {path}",
            f"holds {facts.frame_count} frames where the clip has {frames}",
            f"give one of at least {float(frames / rate_hz):g} s, or ask for fewer --seconds",
        )
        return None
    return frames_of_clip(path, facts, frames)


def _grey(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[frames, height, width] of [frames, height, width, 3]: a mask is grey, so one channel is."""
    return np.ascontiguousarray(rgb[..., 0])


def _in_two(message: str) -> tuple[str, str]:
    problem, _, remedy = message.rpartition("; ")
    return (problem, remedy) if problem else (message, "check the file")


class Complain(Protocol):
    def __call__(self, where: str, problem: str, remedy: str) -> None: ...
