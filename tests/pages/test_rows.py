"""What the link of a matrix row plays: exactly what can be watched, from end to end."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from generator.pages import Rendered, addresses
from generator.pages.clips import CellView, ClipView, clip_views
from generator.pages.matrix import RowView, matrix
from pages import sample


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> tuple[ClipView, ...]:
    return clip_views(sample.CATALOGUE, sample.evidence(tmp_path_factory.mktemp("media")))


@pytest.fixture(scope="module")
def cell(views: tuple[ClipView, ...]) -> CellView:
    return views[0].cell


def row(states: list[str], cell: CellView) -> RowView:
    """A row with one cell a column, in these states; "" is a column without a cell."""
    cells = tuple(
        (replace(cell, id=f"clip-{n}", state=state),) if state else ()
        for n, state in enumerate(states)
    )
    return RowView(prompt_id="rain", prompt_title="Rain", size="", size_id="", cells=cells)


def numbers(states: list[str], cell: CellView) -> list[int]:
    return [int(one.id.removeprefix("clip-")) for one in row(states, cell).in_step]


def test_it_plays_exactly_the_clips_that_can_be_watched(cell: CellView) -> None:
    assert numbers(["local", "none", "", "remote", "local"], cell) == [0, 3, 4]
    assert numbers(["local"] * 9, cell) == list(range(9))


def test_one_clip_alone_is_no_comparison(cell: CellView) -> None:
    assert numbers(["local", "none"], cell) == numbers(["none"], cell) == []


@pytest.mark.parametrize("count", [10, 13, 29])
def test_of_more_than_nine_it_plays_nine_from_end_to_end_evenly(cell: CellView, count: int) -> None:
    chosen = numbers(["local"] * count, cell)
    gaps = [after - before for before, after in pairwise(chosen)]

    assert len(chosen) == 9
    assert (chosen[0], chosen[-1]) == (0, count - 1)
    assert max(gaps) - min(gaps) <= 1
    assert min(gaps) >= 1


def test_the_address_names_them_from_a_on() -> None:
    assert addresses.compare("x", "y", "z") == "compare/?a=x&b=y&c=z"
    with pytest.raises(ValueError, match="longer"):
        addresses.compare(*"abcdefghij")


def test_every_row_of_the_sample_with_two_clips_links_to_them(
    rendered: Rendered, views: tuple[ClipView, ...]
) -> None:
    page = rendered.texts["archive/index.html"]
    rows = [one for band in matrix(views) for block in band.blocks for one in block.rows]
    wanted = [addresses.compare(*(cell.id for cell in one.in_step)) for one in rows if one.in_step]

    assert wanted
    assert page.count('class="row-play"') == len(wanted)
    for address in wanted:
        assert f'href="../{address.replace("&", "&amp;")}"' in page
