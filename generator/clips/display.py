"""The copy of a clip that players show, and all else a page needs of it: `prepare`.

A copy that is to hold the same packets is compared with the original packet by packet before it
counts; one with new times is compared with the times it was to have. The original's bytes remain
the evidence.
"""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import ffmpeg as builder

from generator.clips import ffmpeg
from generator.clips.cache import cached_facts, derived, sealed
from generator.clips.container import examine
from generator.clips.plan import ORIGINAL, REENCODED, Plan, plan_display
from generator.clips.stills import stills
from generator.errors import MediaError
from generator.records import Display, Facts, Media

INDEX_BYTES = 64 << 20
"""What a copy of the same packets may take on top of twice the original's size."""


def prepare(
    source: Path, *, sha256: str | None, spread_over_s: Fraction | None, cache: Path
) -> Media:
    """Everything derived from a clip's file: facts, display copy and pictures.

    `sha256` is the file's hash where the caller has taken it. `spread_over_s` asks for a display
    copy whose frames stand evenly over that time. Work already in `cache` is taken from there.
    Raises MediaError when the file is no clip or cannot be shown as asked.
    """
    facts = cached_facts(source, sha256=sha256, cache=cache)
    display = make_display(source, facts, spread_over_s, cache=cache)
    pictures = stills(display, about=str(source), cache=cache)
    return Media(
        source=source,
        facts=facts,
        display=display,
        poster=pictures.poster,
        thumbnail=pictures.thumbnail,
        storyboard=pictures.storyboard,
    )


def make_display(
    source: Path, facts: Facts, spread_over_s: Fraction | None, *, cache: Path
) -> Display:
    """The display copy of `source`, which is the source itself where nothing is needed."""
    plan = plan_display(source, facts, spread_over_s)
    if plan.kind == ORIGINAL:
        path, shown = _rightly_named(source, facts, plan, cache), facts
    else:

        def make(folder: Path) -> None:
            _write(source, facts, plan, folder / plan.file)
            _check(source, facts, plan, cached_facts(folder / plan.file, sha256=None, cache=cache))

        folder = derived(cache, source_sha256=facts.sha256, recipe=plan.recipe, make=make)
        path = folder / plan.file
        shown = cached_facts(path, sha256=sealed(folder)[plan.file], cache=cache)
    codecs = f'; codecs="{shown.codecs}"' if shown.codecs else ""
    return Display(
        path=path,
        kind=plan.kind,
        mime=f"video/{plan.container}{codecs}",
        facts=shown,
        recipe={**plan.recipe, "ffmpeg": ffmpeg.version()},
    )


def _rightly_named(source: Path, facts: Facts, plan: Plan, cache: Path) -> Path:
    """The original itself, or its bytes under a name that ends as servers expect."""
    if source.suffix.lower() == Path(plan.file).suffix:
        return source

    def make(folder: Path) -> None:
        shutil.copyfile(source, folder / plan.file)

    recipe = {"step": "name", "file": plan.file}
    return derived(cache, source_sha256=facts.sha256, recipe=recipe, make=make) / plan.file


def _write(source: Path, facts: Facts, plan: Plan, target: Path) -> None:
    picture = ffmpeg.source(source, examine(source).demuxer)["V:0"]
    for name, argument in plan.filters:
        picture = picture.filter(name, *argument.split(":"))
    node = builder.output(
        picture, ffmpeg.file_url(target), **dict(plan.options), **ffmpeg.REPRODUCIBLE
    )
    most = ffmpeg.MAX_FILE_BYTES if plan.kind == REENCODED else 2 * facts.bytes + INDEX_BYTES
    ffmpeg.run(node, about=str(source), pixels=facts.width * facts.height, file_bytes=most)


def _check(source: Path, original: Facts, plan: Plan, made: Facts) -> None:
    """Raise MediaError unless the copy is what the plan promises."""
    faults = []
    if made.frame_count != plan.frame_count:
        faults.append(f"{made.frame_count} of {plan.frame_count} frames arrived")
    elif plan.kind != REENCODED and made.packet_bytes != original.packet_bytes:
        faults.append("packets changed")
    if plan.timestamps_s is not None and made.timestamps_s != plan.timestamps_s:
        faults.append("frames stand at other times than planned")
    if plan.duration_s is not None and made.duration_s != plan.duration_s:
        faults.append(f"it lasts {float(made.duration_s)} s instead of {float(plan.duration_s)} s")
    if not made.index_first:
        faults.append("its index stands behind the media data")
    if faults:
        raise MediaError(
            f"{source}: no right display copy could be made ({'; '.join(faults)}); "
            "the file may be damaged: export the clip anew"
        )
