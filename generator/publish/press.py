"""Print a site's sheets into a draft: those that changed, and the rest as they were printed."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from generator.errors import PublishError
from generator.pages import Later, Sheet
from generator.publish import check
from generator.publish.check import Outline
from generator.publish.memory import Memory
from generator.publish.write import Draft, Written


@dataclass(slots=True, kw_only=True)
class Printed:
    """What was printed, and what it is to be checked by."""

    draft: Draft
    base_path: str
    sheets: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    outlines: dict[str, Outline] = field(default_factory=dict)
    printed: int = 0

    def check(self, static: Mapping[str, Path], prose: Mapping[str, str]) -> None:
        """Raise PublishError, with everything that is wrong, unless every address of the site's
        own leads somewhere; `static` are style sheets, scripts and the like, `prose` tells in
        which file a page's text was written."""
        unsound = check.unsound(self.outlines, self.draft.files)
        texts = {name: (self.draft.folder / name).read_text("utf-8") for name in unsound}
        known = self.draft.files
        faults = check.page_problems(
            texts, known, base_path=self.base_path, elsewhere=self.outlines
        )
        faults = [fault + _remedy(prose.get(fault.partition(" ")[0])) for fault in faults]
        faults += [
            f"{fault}; mend the file that static/ has under this name"
            for fault in check.source_problems(static, known)
        ]
        if faults:
            raise PublishError("the rendered site is broken:\n" + "\n".join(faults))


def _remedy(written_in: str | None) -> str:
    if written_in is None:
        return "; mend the template or the text in content/ that the page is printed from"
    return (
        f"; the page's text is in {written_in}: mend the link there "
        "(to a page of this site it begins with a slash, as in /archive/)"
    )


def print_all(
    sheets: Sequence[Sheet | Later],
    draft: Draft,
    known: Memory,
    *,
    base_path: str,
    jobs: int,
    on_done: Callable[[int, int], None],
) -> Printed:
    """Every sheet into `draft`: taken from the published site where `known` tells that it holds
    what would be printed, else printed, by `jobs` processes where there are many."""
    made = Printed(draft=draft, base_path=base_path)
    digests = {name: digest for name, (digest, _) in known.sheets.items()}
    same: list[Sheet | Later] = []
    others: list[Sheet | Later] = []
    for sheet in sheets:
        is_same = isinstance(sheet, Sheet) and digests.get(sheet.name) == sheet.digest
        (same if is_same else others).append(sheet)
    lost: list[Sheet | Later] = []

    def keep(sheet: Sheet | Later) -> None:
        if _kept(known.sheets[sheet.name][1], draft, known, made):
            made.sheets[sheet.name] = known.sheets[sheet.name]
        else:
            lost.append(sheet)

    def take(printed: Iterable[tuple[Sheet | Later, Print | None]]) -> None:
        on_done(len(made.sheets), len(sheets))
        for sheet, one in printed:
            if one is None:
                keep(sheet)
            else:
                draft.add(one.files)
                made.outlines.update(one.outlines)
                made.sheets[sheet.name] = (one.digest, tuple(one.files))
                made.printed += 1
            on_done(len(made.sheets), len(sheets))

    with _printing(others, draft, base_path, digests, jobs) as printed:
        for sheet in same:  # while other processes print
            keep(sheet)
        take(printed)
    if lost:
        with _printing(lost, draft, base_path, {}, jobs) as printed:
            take(printed)
    return made


def _kept(names: Sequence[str], draft: Draft, known: Memory, made: Printed) -> bool:
    taken: list[str] = []
    for name in names:
        outlined = name in known.outlines or not name.endswith(".html")
        if not (outlined and name in known.files and draft.keep(name, known.files[name])):
            for other in taken:
                draft.drop(other)
            return False
        taken.append(name)
    made.outlines.update((name, known.outlines[name]) for name in names if name.endswith(".html"))
    return True


Files = dict[str, Written]
Outlines = dict[str, Outline]


class Print(NamedTuple):
    """What became of one sheet."""

    digest: str
    files: Files
    outlines: Outlines


def _print(
    sheet: Sheet | Later, draft: Draft, base_path: str, digests: Mapping[str, str]
) -> Print | None:
    """Print one sheet into the draft's folder; the draft itself is not told of it. None where
    `digests` show that the same was printed before."""
    made = sheet.made()
    if digests.get(made.name) == made.digest:
        return None
    files, outlines = {}, {}
    for name, text in made.texts().items():
        files[name] = draft.write(name, text)
        if name.endswith(".html"):
            outlines[name] = check.outline(name, text, base_path=base_path)
    return Print(made.digest, files, outlines)


MANY = 60
"""Sheets from which on processes are worth their start."""
TOLD_PER_PRINTED = 10
"""Of so many it can be told whether they changed while one is printed."""
PORTIONS = 500
"""In so many the sheets are divided: a process prints one, then tells of it."""


@contextmanager
def _printing(
    sheets: Sequence[Sheet | Later],
    draft: Draft,
    base_path: str,
    digests: Mapping[str, str],
    jobs: int,
) -> Iterator[Iterable[tuple[Sheet | Later, Print | None]]]:
    """What became of each sheet; several processes begin before the first is asked for."""
    work = (draft, base_path, digests)
    told = sum(isinstance(sheet, Later) and sheet.name in digests for sheet in sheets)
    much = len(sheets) - told + told / TOLD_PER_PRINTED
    if much < MANY or jobs < 2 or not sys.platform.startswith("linux"):
        yield ((sheet, _print(sheet, *work)) for sheet in sheets)
        return
    # Forked, because sheets are closures over all records: nothing is sent, nothing is copied.
    ordered = sorted(sheets, key=lambda sheet: not sheet.slow)  # none is waited for
    _at_work.append((ordered, work))
    try:
        fork = multiprocessing.get_context("fork")
        workers = min(jobs, os.cpu_count() or 1)
        pool = ProcessPoolExecutor(workers, mp_context=fork, initializer=_start_printer)
        try:
            size = len(ordered) // PORTIONS + 1
            starts = range(0, len(ordered), size)
            portions = pool.map(_print_portion, starts, repeat(size))
            yield (
                told
                for start, portion in zip(starts, portions, strict=True)
                for told in zip(ordered[start:], portion, strict=False)
            )
        except BrokenProcessPool:
            pool.shutdown(wait=False, cancel_futures=True)  # the others may wait for ever
            raise
        except BaseException:
            pool.shutdown(cancel_futures=True)  # none is to write into a draft that is gone
            raise
        pool.shutdown(wait=False)  # all is printed: they end beside what follows
    except BrokenProcessPool:
        raise PublishError(
            "a process that prints pages was ended from outside, perhaps for want of memory; "
            "build again with --jobs 1"
        ) from None
    finally:
        _at_work.pop()


_at_work: list[tuple[Sequence[Sheet | Later], tuple[Draft, str, Mapping[str, str]]]] = []
"""What forked printers print: they are born with it."""


def _start_printer() -> None:
    """The parent decides when to stop; without it there is nothing to print for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent = 1
    ctypes.CDLL(None).prctl(die_with_parent, signal.SIGKILL)


def _print_portion(start: int, size: int) -> list[Print | None]:
    sheets, work = _at_work[-1]
    return [_print(sheet, *work) for sheet in sheets[start : start + size]]
