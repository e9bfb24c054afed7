"""Limits and projections on pages: worked by hand, labelled, and only where the work is known."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import jsonschema

from generator.pages import render
from generator.pages.digest import Digester
from generator.pages.limits import limit_rows
from generator.pages.render import clip_views
from generator.records import Catalogue, Evidence, Label, Machine
from pages import sample

MEASURED = Machine(
    id="h100",
    title="H100",
    memory_gb=80,
    bandwidth_tb_s=4.8,
    bf16_tflops=989,
    fp8_tflops=None,
    fp4_tflops=None,
    source="its maker",
    notes="",
)
NEXT = replace(
    MEASURED, id="b200", title="B200", bf16_tflops=2250, bandwidth_tb_s=8, projected=True
)


def archive(folder: Path, work: str = "memflow") -> tuple[Catalogue, list[Evidence]]:
    """The sample with one clip measured here at 512x288 and 4 steps: 47.28 FPS."""
    first, *others = sample.evidence(folder)
    series = replace(
        first.series, label=Label.MEASURED_HERE, interpolation="none", spread_over_s=None, work=work
    )
    run = replace(first.run, series=(series,), machine="h100")
    clip = replace(first.clip, width=512, height=288, steps=(4,), fps=Fraction("47.28"))
    evidence = [
        replace(first, clip=clip, run=run, series=series),
        *(replace(piece, run=run) if piece.run.id == run.id else piece for piece in others),
    ]
    catalogue = replace(
        sample.CATALOGUE,
        machines=(MEASURED, NEXT),
        runs=tuple(run if one.id == run.id else one for one in sample.CATALOGUE.runs),
    )
    return catalogue, evidence


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).replace("\u00a0", " ").split())


def pages_of(folder: Path, work: str = "memflow") -> dict[str, str]:
    catalogue, evidence = archive(folder, work)
    return render(catalogue, evidence, templates=sample.TEMPLATES, assets=sample.ASSETS).texts


def test_a_cell_is_held_against_the_data_sheet(tmp_path: Path) -> None:
    """5 passes of 7,236 GFLOP and 14,970 of decoding for 12 frames at 989 TFLOP/s: 232 FPS, of
    which 47.28 are 20.4 %; at 2,250 TFLOP/s 528 FPS, of which that share is 108."""
    _, evidence = archive(tmp_path)
    page = text_of(pages_of(tmp_path)[f"clips/{evidence[0].clip.id}/index.html"])
    assert "47.28 FPS measured; the data sheet of H100 would allow 232: 20.4 %" in page
    assert "Bounded by arithmetic Work per frame 4.26 TFLOP" in page
    assert "projected 108 FPS, at the same 20.4 % of the 528 FPS" in page


def test_the_run_lists_measured_and_projected_apart(tmp_path: Path) -> None:
    _, evidence = archive(tmp_path)
    page = pages_of(tmp_path)[f"runs/{evidence[0].run.id}/index.html"]
    tables = [
        text_of(table)
        for table in re.findall(r"<table class=\"table limits.*?</table>", page, re.S)
    ]
    assert len(tables) == 2
    assert "47.28 FPS 232 FPS 20.4 %" in tables[0]
    assert "108" not in tables[0]
    assert "528 FPS 20.4 % 108 FPS" in tables[1]
    assert "47.28" not in tables[1]


def test_data_files_hold_them_apart_from_what_was_measured(tmp_path: Path) -> None:
    """The figures of the pages, worked by hand above, in a list and a table of their own; columns
    of measurements do not change by them."""
    _, evidence = archive(tmp_path)
    texts = pages_of(tmp_path)
    known = json.loads(texts["data/archive.json"])
    assert [
        (one["clip"], one["kind"], one["machine"], round(one["fps"]), round(one["limit_fps"]))
        for one in known["bounds"]
    ] == [
        (evidence[0].clip.id, "limit", "h100", 232, 232),
        (evidence[0].clip.id, "projection", "b200", 108, 528),
    ]
    assert {round(one["share"], 3) for one in known["bounds"]} == {0.204}
    assert {one["bounded_by"] for one in known["bounds"]} == {"compute"}
    assert round(known["bounds"][0]["flop_per_frame"] / 1e12, 2) == 4.26
    schema = json.loads(texts["data/schema.json"])
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(known, schema)
    rows = list(csv.DictReader(io.StringIO(texts["data/bounds.csv"])))
    assert [row["kind"] for row in rows] == ["limit", "projection"]
    assert rows == [{name: str(one[name]) for name in rows[0]} for one in known["bounds"]]
    measured = next(csv.reader(io.StringIO(texts["data/clips.csv"])))
    assert not {"limit_fps", "share", "kind"} & set(measured)
    nothing = pages_of(tmp_path, work="")
    assert json.loads(nothing["data/archive.json"])["bounds"] == []
    assert len(nothing["data/bounds.csv"].splitlines()) == 1


def test_without_known_work_nothing_is_said(tmp_path: Path) -> None:
    for name, text in pages_of(tmp_path, work="").items():
        assert "limit-title" not in text, name
        assert "limits-title" not in text, name


def test_what_is_not_known_has_no_limit(tmp_path: Path) -> None:
    """A cell without a number, with several stages, or on a machine without peaks."""
    catalogue, evidence = archive(tmp_path)
    first = evidence[0]
    cells = [
        replace(first, clip=replace(first.clip, **change))
        for change in ({}, {"fps": None}, {"steps": (2, 2)}, {"width": 500})
    ]
    views = [clip_views(catalogue, [cell])[0] for cell in cells]
    assert [bool(limit_rows([view], MEASURED, [NEXT])) for view in views] == [True, *[False] * 3]
    assert limit_rows(views, replace(MEASURED, bf16_tflops=None), [NEXT]) == ()
    assert limit_rows(views, None, [NEXT]) == ()


def test_no_machine_is_projected_to_itself(tmp_path: Path) -> None:
    catalogue, evidence = archive(tmp_path)
    views = clip_views(catalogue, evidence[:1])
    (row,) = limit_rows(views, MEASURED, [replace(MEASURED, projected=True), NEXT])
    assert [one.machine.id for one in row.projections] == ["b200"]


def test_a_page_is_printed_anew_when_the_other_machines_figures_change(tmp_path: Path) -> None:
    """What decides about printing walks the rows: a changed data sheet is another digest."""
    catalogue, evidence = archive(tmp_path)
    views = clip_views(catalogue, evidence[:1])
    digest = Digester()
    before, again, after = (
        digest(limit_rows(views, MEASURED, [other]))
        for other in (NEXT, replace(NEXT), replace(NEXT, bf16_tflops=2251))
    )
    assert before == again != after


def test_cells_of_one_size_and_step_count_are_told_apart(tmp_path: Path) -> None:
    catalogue, evidence = archive(tmp_path)
    first = evidence[0]
    twin = replace(first, clip=replace(first.clip, id="loud--twin", prompt="sun"))
    rows = limit_rows(clip_views(catalogue, [first, twin]), MEASURED, [])
    assert [row.title.rpartition(" · ")[2] for row in rows] == ["Rain", "Sun"]
