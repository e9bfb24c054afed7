"""Whether there is anything to build: told without loading what builds, which takes longer.

Knows how a build may be asked for, what it reads, and what it tells afterwards.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.errors import Complaint, PublishError
from generator.project import Project
from generator.publish import memory, write


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to build."""

    base_url: str | None = None
    mirrors: tuple[Path, ...] = ()
    include_media: frozenset[str] = frozenset()
    """Runs whose clips enter the site although they say publish_media = false."""
    require_media: bool = False
    renderers: Mapping[str, Any] | None = None
    """Renderers by the name that pipelines give; test cards are always there."""
    verify: bool = False
    """Read every file again, whatever its size and time say."""
    jobs: int = 2
    waiting: Callable[[], None] | None = None
    """Called when another build has to end first; where it is None, that is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a build did."""

    site: Path
    pages: int
    clips: int
    with_media: int
    bytes: int
    printed: int
    """Pages and data files that were made anew; the others were known."""
    unchanged: bool
    """The site was the same already and stayed where it is."""
    lost: tuple[Complaint, ...] = ()
    """Cells that went without their clip because its file is gone, and no address has it."""


def nothing_new(project: Project, options: Options) -> Report | None:
    """The last build's report, where its site stands and nothing that it read has changed."""
    if options.verify or not project.memory.is_file():
        return None
    try:
        with write.only_builder(project.cache):
            read = inputs(project, options)
            if not read or not memory.may_tell_of(project.memory, read):
                return None
            known = memory.recall(project.memory)
            if read == known.inputs and memory.stands(project.site, known):
                lost = tuple(Complaint(**one) for one in known.lost)
                numbers = known.report
                return Report(site=project.site, unchanged=True, printed=0, lost=lost, **numbers)
    except PublishError:  # somebody else builds: the build itself will say so
        pass
    return None


def inputs(project: Project, options: Options) -> str:
    """Digest of all that a build reads, and how it was asked to; "" where that cannot be told."""
    terms = {
        "base_url": options.base_url,
        "include_media": sorted(options.include_media),
        "require_media": options.require_media,
        "renderers": sorted(options.renderers or ()),
        "mirrors": [str(mirror.resolve()) for mirror in options.mirrors],
        "ffmpeg": os.environ.get("MATRIX_FFMPEG", ""),
        "python": sys.version,
    }
    own = Path(__file__).resolve().parent
    places = (project.content, project.fetched, *options.mirrors)
    return memory.inputs((*places, *project.templates, *project.static, own), terms)
