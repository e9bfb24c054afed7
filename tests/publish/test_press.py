"""Many sheets are printed by several processes, to the same effect as by one."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from publishing import tree

from generator.errors import PublishError
from generator.pages import Later, Sheet
from generator.publish import press, write
from generator.publish.memory import Memory

MANY = press.MANY + 30
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks on Linux only")


def sheets(odd: Callable[[int], None] = lambda number: None) -> list[Sheet]:
    """Pages that lead to each other, some with a second file."""

    def texts(number: int) -> dict[str, str]:
        odd(number)
        page = (
            f'<h1 id="n{number}">x</h1><a href="../{(number + 1) % MANY}/#n{(number + 1) % MANY}">'
        )
        further = {f"data/{number}.json": f"[{number}]"} if number % 3 == 0 else {}
        return {f"p/{number}/index.html": page, **further}

    return [
        Sheet(name=f"p/{n}/index.html", digest=str(n), texts=lambda n=n: texts(n))  # type: ignore[misc]
        for n in range(MANY)
    ]


def printed(
    folder: Path, jobs: int, given: Sequence[Sheet | Later], known: Memory
) -> tuple[press.Printed, Path]:
    site = folder / f"site-{jobs}"
    told: list[tuple[int, int]] = []
    with write.drafting(site) as draft:
        made = press.print_all(
            given, draft, known, base_path="/", jobs=jobs, on_done=lambda *at: told.append(at)
        )
        made.check({}, {})
        write.publish(draft, site, {})
    assert told[-1] == (MANY, MANY)
    return made, site


@linux
def test_several_processes_print_what_one_prints(tmp_path: Path) -> None:
    one, site_of_one = printed(tmp_path, 1, sheets(), Memory())
    three, site_of_three = printed(tmp_path, 3, sheets(), Memory())
    assert tree(site_of_one) == tree(site_of_three)
    assert one.sheets == three.sheets
    assert one.outlines == three.outlines
    assert one.printed == three.printed == MANY


@linux
@pytest.mark.parametrize("jobs", [1, 3])
def test_sheets_that_tell_later_whether_they_changed_end_as_others_do(
    tmp_path: Path, jobs: int
) -> None:
    """Printed over a site in which all but every seventh sheet is as it was, and one is lost."""
    before, site = printed(tmp_path, jobs, sheets(), Memory())
    known = Memory(sheets=before.sheets, files=before.draft.files, outlines=before.outlines)
    (site / "p" / "2" / "index.html").unlink()
    changed = [
        replace(one, digest=f"{one.digest} again") if int(one.digest) % 7 == 0 else one
        for one in sheets()
    ]
    late = [Later(name=one.name, made=partial(same, one)) for one in changed]
    made, _ = printed(tmp_path, jobs, late, known)
    fresh, whole = printed(tmp_path / "fresh", jobs, changed, Memory())
    assert tree(site) == tree(whole)
    assert (made.sheets, made.outlines) == (fresh.sheets, fresh.outlines)
    assert made.printed == len(range(0, MANY, 7)) + 1


def same(sheet: Sheet) -> Sheet:
    return sheet


@linux
def test_a_fault_in_one_process_is_the_builds(tmp_path: Path) -> None:
    def odd(number: int) -> None:
        if number == MANY - 5:
            raise PublishError("templates/x.html line 3: is wrong")

    with pytest.raises(PublishError, match=r"x\.html line 3"):
        printed(tmp_path, 2, sheets(odd), Memory())
    assert list(tmp_path.iterdir()) == []


@linux
def test_a_process_that_is_killed_does_not_keep_the_build_waiting(tmp_path: Path) -> None:
    parent = os.getpid()

    def odd(number: int) -> None:
        if number == 7 and os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(PublishError, match="ended from outside"):
        printed(tmp_path, 2, sheets(odd), Memory())
    assert list(tmp_path.iterdir()) == []
