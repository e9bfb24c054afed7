"""Which cells a run holds: a TOML file, or the options of one command. Needs no torch.

run = "2026-11-memflow-h200"
pipeline = "memflow"
prompts = ["cyberpunk-detective"]
sizes = ["512x288", "848x480"]
steps = [2, 3, 4, 6, 8, 10, 12]
seconds = 20
repeats = 3
compile = "graphs"    # none, fused or graphs
switches = ["5=lighthouse", "12.5=cyberpunk-detective"]    # SECONDS=PROMPT, in order
references = ["figure.png"]    # a VACE context; also control, mask and context_scale
clip_mb = 0.85        # what a clip's file may weigh, in 10^6 bytes
clips = true          # false measures speed only
publish_media = true  # whether the clips may enter the site
measured_by = "Our lab"

[[cells]]          # further ones; what is left out is as above
sizes = ["832x480"]
steps = [4]
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

from generator.errors import Complaint, ContentError, UsageError
from generator.intake import TEXT, Refusal, printable, text_of
from generator.lab import record
from generator.lab.context import ContextFiles
from generator.lab.pipelines import PIPELINES, Parts, about
from generator.lab.record import Cell, RunAbout, Switch

__all__ = [
    *(
        "Matrix",
        "about_of",
        "cells_of",
        "context_files",
        "parse_size",
        "parse_steps",
        "own_run",
        "parts_of",
        "read_matrix",
    ),
    "with_options",
]

LARGEST_SIDE = 4096
MOST_CELLS = 1000
AXES = ("prompts", "sizes", "steps", "seeds")
OWN_COMPUTER = "own-computer"
"""The machine of content/machines that is nobody's in particular: a run of it names its own."""
OWN_MEASURER = "whoever built this site"


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """A block of the matrix: every combination of these."""

    prompts: tuple[str, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ((832, 480),)
    steps: tuple[tuple[int, ...], ...] = ((4,),)
    seeds: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """A whole run, as it was ordered."""

    pipeline: str = "memflow"
    blocks: tuple[Axes, ...] = (Axes(),)
    seconds: Fraction = Fraction(20)
    repeats: int = 3
    run: str = ""
    title: str = ""
    machine: str = ""
    device: str = "cuda"
    dtype: str = "bfloat16"
    weights: str = ""
    weights_seed: int = 0
    text: str = ""
    sparse_memory: bool = False
    compile: str = "none"
    switches: tuple[str, ...] = ()
    """SECONDS=PROMPT each, in order of time."""
    references: tuple[str, ...] = ()
    control: str = ""
    mask: str = ""
    context_scale: float = 1.0
    clips: bool = True
    """Whether pictures are kept, or speed only."""
    clip_mb: float | None = None
    """What a clip's file may weigh, in 10^6 bytes."""
    publish_media: bool = False
    measured_by: str = record.THIS_PROJECT
    given: frozenset[str] = field(default_factory=frozenset)
    """Keys that the file states."""


def read_matrix(path: Path) -> Matrix:
    """A matrix from a TOML file. Raises ContentError with every mistake in it."""
    text = text_of(path, max_bytes=TEXT.max_bytes)
    if isinstance(text, Refusal):
        raise ContentError(
            [
                Complaint(
                    where=f"{path} {text.place}".strip(), problem=text.problem, remedy=text.remedy
                )
            ]
        )
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise ContentError(
            [
                Complaint(
                    where=str(path),
                    problem=f"no valid TOML: {printable(str(error))}",
                    remedy="mend the syntax there",
                )
            ]
        ) from error
    return _matrix(path, data)


def cells_of(matrix: Matrix, texts: Mapping[str, str]) -> tuple[Cell, ...]:
    """Every cell once, in order. `texts` maps the ids of prompts to their words.

    Raises UsageError for prompts that are not known, all at once, and for switches that cannot be.
    """
    switches = _switches(matrix, texts)
    _check_axes(matrix)
    found: dict[str, Cell] = {}
    unknown: dict[str, None] = {}
    for block in matrix.blocks:
        for prompt, (width, height), steps, seed in product(
            block.prompts or tuple(texts), block.sizes, block.steps, block.seeds
        ):
            if prompt not in texts:
                unknown[prompt] = None
                continue
            cell = Cell(
                pipeline=matrix.pipeline,
                prompt=prompt,
                text=texts[prompt],
                width=width,
                height=height,
                steps=steps,
                seed=seed,
                switches=switches,
            )
            found[cell.id] = cell
    if unknown:
        raise UsageError(
            f"no prompt {', '.join(map(repr, unknown))} in content/prompts; "
            f"known are {', '.join(sorted(texts)) or 'none'}"
        )
    if not found:
        raise UsageError("no cell to make: content/prompts holds no prompt; write one first")
    if len(found) > MOST_CELLS:
        raise UsageError(f"{len(found)} cells are more than the {MOST_CELLS} of one run")
    return tuple(found.values())


def _check_axes(matrix: Matrix) -> None:
    """What neither file nor options state stands at values that not every pipeline can make."""
    known = about(matrix.pipeline)
    for block in matrix.blocks:
        try:
            for width, height in block.sizes:
                parse_size(f"{width}x{height}", known.multiple)
            for steps in block.steps:
                if steps or known.stages:
                    parse_steps("/".join(map(str, steps)), known.stages)
        except ValueError as error:
            raise UsageError(
                f"--size {', '.join(f'{w}x{h}' for w, h in block.sizes)} --steps "
                f"{', '.join('/'.join(map(str, one)) for one in block.steps)}: {error} "
                f"(--pipeline {matrix.pipeline})"
            ) from None


def _switches(matrix: Matrix, texts: Mapping[str, str]) -> tuple[Switch, ...]:
    """Each at the first chunk that begins no sooner than was asked for, as the official code has
    it of frames."""
    known = about(matrix.pipeline)
    if matrix.switches and known.chunk_starts is None:
        raise UsageError(f"--switch: {matrix.pipeline} holds one prompt for a whole clip")
    found: list[Switch] = []
    wrong: list[str] = []
    for text in matrix.switches:
        seconds, prompt = parse_switch(text)
        assert known.chunk_starts is not None
        chunk = 1
        while Fraction(known.chunk_starts(chunk)) / known.content_rate_hz < seconds:
            chunk += 1
        at_s = Fraction(known.chunk_starts(chunk)) / known.content_rate_hz
        if prompt not in texts:
            wrong.append(
                f'--switch "{text}": no prompt {prompt!r} in content/prompts; '
                f"known are {', '.join(sorted(texts)) or 'none'}"
            )
        elif at_s >= matrix.seconds:
            wrong.append(
                f'--switch "{text}": the next chunk begins at {float(at_s):g} s, when the clip of '
                f"{float(matrix.seconds):g} s is over; switch earlier"
            )
        elif found and chunk <= found[-1].chunk:
            wrong.append(
                f'--switch "{text}": takes effect with a chunk, at {float(at_s):g} s, and so does '
                f"the one before it; write switches in order, {float(at_s):g} s or later each"
                if chunk == found[-1].chunk
                else f'--switch "{text}": comes before {float(found[-1].at_s):g} s, where the one '
                "before it takes effect; write switches in order of time"
            )
        else:
            found.append(Switch(chunk=chunk, at_s=at_s, prompt=prompt, text=texts[prompt]))
    if wrong:
        raise UsageError("\n".join(wrong))
    return tuple(found)


def parse_switch(text: str) -> tuple[Fraction, str]:
    """`12.5=lighthouse` as seconds and a prompt. Raises UsageError."""
    stated = re.fullmatch(r"([0-9]{1,4}(?:\.[0-9]{1,6})?)=(\S+)", text)
    if not stated or not Fraction(stated[1]):
        raise UsageError(
            f'--switch "{printable(text)}": is no switch; write seconds, =, and a prompt of '
            "content/prompts, such as 5=lighthouse"
        )
    return Fraction(stated[1]), stated[2]


def context_files(matrix: Matrix) -> ContextFiles:
    """What VACE is to heed. Raises UsageError where the pipeline has no VACE."""
    files = ContextFiles(
        references=tuple(map(Path, matrix.references)),
        control=Path(matrix.control) if matrix.control else None,
        mask=Path(matrix.mask) if matrix.mask else None,
        scale=matrix.context_scale,
    )
    if files and not about(matrix.pipeline).reads_context:
        raise UsageError(f"--reference, --control, --mask: {matrix.pipeline} has no VACE here")
    return files


def parse_size(text: str, multiple: int = 16) -> tuple[int, int]:
    """`512x288` as (512, 288). Raises ValueError saying what is wrong; what mends it."""
    found = re.fullmatch(r"([1-9][0-9]{1,4})x([1-9][0-9]{1,4})", text)
    if not found:
        raise ValueError("is no size; write width x height in pixels, such as 848x480")
    width, height = int(found[1]), int(found[2])
    if width % multiple or height % multiple:
        near = "x".join(
            str(max(multiple, round(side / multiple) * multiple)) for side in (width, height)
        )
        raise ValueError(f"does not divide by {multiple} on both sides; write such as {near}")
    if max(width, height) > LARGEST_SIDE:
        raise ValueError(f"is larger than {LARGEST_SIDE} a side; write a smaller one")
    return width, height


def parse_steps(value: object, stages: int = 1) -> tuple[int, ...]:
    """4, "4" or "2/2/2" as a count for each stage. Raises ValueError as `parse_size` does."""
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"[1-9][0-9]{0,3}(/[1-9][0-9]{0,3})*", text):
        raise ValueError("is no step count; write 1 to 1000, or 2/2/2 for stages")
    steps = tuple(map(int, text.split("/")))
    if max(steps) > 1000:
        raise ValueError("is more than the 1000 timesteps there are; write 1 to 1000")
    if not stages:
        raise ValueError("are steps, and this pipeline does not denoise; leave them out")
    if len(steps) != stages:
        has = (
            "one stage; write one number" if stages == 1 else f"{stages} stages; write one a stage"
        )
        raise ValueError(f"holds {len(steps)} numbers where this pipeline has {has}")
    return steps


def with_options(
    matrix: Matrix,
    *,
    prompts: Sequence[str] = (),
    sizes: Sequence[str] = (),
    steps: Sequence[str] = (),
    seed: int | None = None,
    seconds: float | None = None,
    pipeline: str | None = None,
    **options: Any,
) -> Matrix:
    """The matrix with what a command's options say in place of what it said; None says nothing.

    Raises UsageError naming the option.
    """
    if pipeline is not None:
        matrix = replace(matrix, pipeline=pipeline)
    known = about(matrix.pipeline)
    given: dict[str, tuple[Any, ...]] = {}
    if matrix.blocks == (Axes(),):  # nobody chose a size yet
        given["sizes"] = (known.size,)
        if not known.stages:
            given["steps"] = ((),)
    if prompts:
        given["prompts"] = tuple(prompts)
    if seed is not None:
        given["seeds"] = (seed,)
    for option, texts, parse, extent in (
        ("size", sizes, parse_size, known.multiple),
        ("steps", steps, parse_steps, known.stages),
    ):
        try:
            if texts:
                name = "sizes" if option == "size" else option
                given[name] = tuple(dict.fromkeys(parse(text, extent) for text in texts))
        except ValueError as error:
            raise UsageError(f"--{option} {', '.join(texts)}: {error}") from None
    if given:
        matrix = replace(matrix, blocks=tuple(replace(one, **given) for one in matrix.blocks))
    if seconds is not None:
        matrix = replace(matrix, seconds=Fraction(str(seconds)))
    stated = {name: value for name, value in options.items() if value not in (None, ())}
    return replace(matrix, **stated)


def parts_of(matrix: Matrix, *, tiny: bool = False) -> Parts:
    return Parts(
        device=matrix.device,
        dtype=matrix.dtype,
        weights=matrix.weights,
        weights_seed=matrix.weights_seed,
        text=Path(matrix.text) if matrix.text else None,
        sparse_memory=matrix.sparse_memory,
        compile=matrix.compile,
        vace=bool(context_files(matrix)),
        tiny=tiny,
    )


def about_of(matrix: Matrix) -> RunAbout:
    """What the run says of itself. Raises UsageError where its id or machine is not stated."""
    wrong = []
    if not matrix.run:
        wrong.append('--run: not stated; give the run an id, such as "2026-11-memflow-h200"')
    elif not re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", matrix.run) or len(matrix.run) > 80:
        wrong.append(
            f'--run "{matrix.run}": no id for a run; write small letters, digits and single '
            'hyphens, such as "2026-11-memflow-h200"'
        )
    if not matrix.machine:
        wrong.append(
            "--machine: numbers are measured on something; name a machine of content/machines"
        )
    if wrong:
        raise UsageError("\n".join(wrong))
    return RunAbout(
        id=matrix.run,
        title=matrix.title or matrix.run,
        machine=matrix.machine,
        measured_by=matrix.measured_by,
        publish_media=matrix.publish_media,
    )


def own_run(matrix: Matrix) -> Matrix:
    """A run of shipped weights where nobody names a machine: of nobody's in particular, measured by
    whoever gave the command, and called by length and compile mode if it has no name. Its clips
    are free."""
    if matrix.machine:
        return matrix
    compiled = "" if matrix.compile == "none" else f"-{matrix.compile}"
    length = record.seconds_text(matrix.seconds)
    ours = matrix.measured_by == record.THIS_PROJECT
    return replace(
        matrix,
        run=matrix.run or f"own-{matrix.pipeline}-{length}s{compiled}",
        title=matrix.title
        or f"{record.TITLES[matrix.pipeline]}, clips of {length} s, made where this site was built",
        machine=OWN_COMPUTER,
        measured_by=OWN_MEASURER if ours else matrix.measured_by,
        publish_media=True,
    )


_TEXTS = (
    *("run", "title", "machine", "device", "dtype", "weights", "text", "control", "mask"),
    *("compile", "measured_by"),
)
_FLAGS = ("sparse_memory", "clips", "publish_media")
_LISTS = ("switches", "references")
_KNOWN = (
    *("pipeline", "seconds", "repeats", "weights_seed", "cells"),
    *(*_TEXTS, *_LISTS, *_FLAGS, "context_scale", "clip_mb", *AXES),
)


def _matrix(path: Path, data: Mapping[str, Any]) -> Matrix:
    complaints: list[Complaint] = []

    def complain(place: str, problem: str, remedy: str) -> None:
        where = f"{path} $.{place}"
        complaints.append(
            Complaint(where=where, problem=printable(problem), remedy=printable(remedy))
        )

    def know(table: Mapping[str, Any], known: tuple[str, ...], prefix: str = "") -> None:
        for key in table:
            if key not in known:
                complain(f"{prefix}{key}", "is not known here", f"known are {', '.join(known)}")

    know(data, _KNOWN)
    pipeline = data.get("pipeline", Matrix().pipeline)
    if pipeline not in PIPELINES:
        complain("pipeline", f"the lab runs no {pipeline!r}", f"write {' or '.join(PIPELINES)}")
        pipeline = Matrix().pipeline
    multiple, stages = PIPELINES[pipeline].multiple, PIPELINES[pipeline].stages

    def stated(
        names: tuple[str, ...], fits: Callable[[Any], bool], problem: str, remedy: str
    ) -> dict[str, Any]:
        found = {name: data.get(name, getattr(Matrix(), name)) for name in names}
        for name, value in found.items():
            if not fits(value):
                complain(name, f"{value!r} is {problem}", remedy)
        return {name: value for name, value in found.items() if fits(value)}

    texts = stated(_TEXTS, lambda value: isinstance(value, str), "no text", "write it in quotes")
    lists: dict[str, Any] = {}
    for name in _LISTS:
        value = data.get(name, [])
        if isinstance(value, list) and all(isinstance(one, str) and one for one in value):
            lists[name] = tuple(value)
        else:
            complain(name, f"{value!r} is no list of texts", 'write ["...", "..."]')
    for i, text in enumerate(lists.get("switches", ())):
        try:
            parse_switch(text)
        except UsageError as error:
            problem, _, remedy = str(error).partition(": ")[2].partition("; ")
            complain(f"switches[{i}]", f'"{text}" {problem}', remedy)
    scale = data.get("context_scale", 1.0)
    if not isinstance(scale, int | float) or isinstance(scale, bool):
        complain("context_scale", f"{scale!r} is no number", "write such as 1.0")
        scale = 1.0
    numbers: dict[str, Any] = {}
    for name, least in (("repeats", 1), ("weights_seed", 0)):
        value = data.get(name, getattr(Matrix(), name))
        if isinstance(value, int) and not isinstance(value, bool) and value >= least:
            numbers[name] = value
        else:
            complain(name, f"{value!r} is no whole number from {least}", f"write {least} or more")
    flags = stated(
        _FLAGS,
        lambda value: isinstance(value, bool),
        "neither true nor false",
        "write true or false",
    )
    clip_mb = data.get("clip_mb")
    if clip_mb is not None and (
        not isinstance(clip_mb, int | float) or isinstance(clip_mb, bool) or not 0 < clip_mb < 1e6
    ):
        complain("clip_mb", f"{clip_mb!r} is no size of a file", "write megabytes, such as 0.85")
        clip_mb = None
    seconds = data.get("seconds", 20)
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds <= 3600:
        complain("seconds", f"{seconds!r} is no length", "write seconds, such as 20")
        seconds = 20

    def axes(table: Mapping[str, Any], base: Axes, prefix: str) -> Axes:
        made: dict[str, tuple[Any, ...]] = {}
        for name in AXES:
            if name not in table:
                continue
            values = table[name]
            if not isinstance(values, list) or not values:
                complain(
                    f"{prefix}{name}", f"{values!r} is no list", "write [...] with one or more"
                )
                continue
            parsed = []
            for i, value in enumerate(values):
                try:
                    parsed.append(_axis(name, value, multiple, stages))
                except ValueError as error:
                    problem, _, remedy = str(error).partition("; ")
                    complain(f"{prefix}{name}[{i}]", f'"{value}" {problem}', remedy)
            made[name] = tuple(dict.fromkeys(parsed))
        return replace(base, **made)

    usual = Axes(sizes=(PIPELINES[pipeline].size,))
    base = axes(data, usual if stages else replace(usual, steps=((),)), "")
    blocks = [base] if "cells" not in data or any(name in data for name in AXES) else []
    listed = data.get("cells", [])
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        complain("cells", "is no list of tables", "write [[cells]] over each block")
        listed = []
    for i, table in enumerate(listed):
        know(table, AXES, f"cells[{i}].")
        blocks.append(axes(table, base, f"cells[{i}]."))
    if complaints:
        raise ContentError(complaints)
    return Matrix(
        pipeline=pipeline,
        blocks=tuple(blocks),
        seconds=Fraction(str(seconds)),
        context_scale=float(scale),
        clip_mb=None if clip_mb is None else float(clip_mb),
        given=frozenset(data),
        **flags,
        **texts,
        **lists,
        **numbers,
    )


def _axis(name: str, value: object, multiple: int, stages: int) -> Any:
    if name == "sizes":
        return parse_size(str(value), multiple)
    if name == "steps":
        return parse_steps(value, stages)
    if name == "seeds":
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
            raise ValueError("is no seed; write a whole number from 0")
        return value
    if not isinstance(value, str) or not value:
        raise ValueError("is no id; write a prompt's, in quotes")
    return value
