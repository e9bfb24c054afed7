"""Tables of charts: what they hold, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.catalogue.decode import Complaints
from generator.catalogue.tables import read_table
from generator.project import Project


def read(tmp_path: Path, text: str) -> tuple[object, list[tuple[str, str]]]:
    path = tmp_path / "content" / "stages.csv"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    complaints = Complaints(Project(root=tmp_path))
    found = read_table(path, complaints)
    return found, [(one.where, one.problem) for one in complaints.found]


def test_columns_are_lines_and_fields_may_be_empty(tmp_path: Path) -> None:
    found, told = read(tmp_path, "steps,attention,decode\n2,30,40\n4,50.5,\n")
    assert told == []
    assert found == (("attention", "decode"), ((2.0, (30.0, 40.0)), (4.0, (50.5, None))), {})


def test_low_and_high_beside_a_line_are_its_intervals(tmp_path: Path) -> None:
    """Where but one of them stands it is a line like others."""
    text = "steps,error,error low,error high,tide low\n2,30,28,33,1\n4,20,,,\n"
    found, told = read(tmp_path, text)
    assert told == []
    assert found == (
        ("error", "tide low"),
        ((2.0, (30.0, 1.0)), (4.0, (20.0, None))),
        {"error": ((28.0, 33.0), None)},
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("steps\n2\n", "names 0 lines"),
        ("steps,a,b,c,d,e,f,g\n", "names 7 lines"),
        ("steps,a\n", "holds no row"),
        ("steps,a,a\n2,1,1\n", "twice"),
        ("steps,a\n2\n", "holds 1 fields where the header names 2"),
        ("steps,a\n2,fast\n", "is no number from 0"),
        ("steps,a\n2,-1\n", "is no number from 0"),
        ("steps,a\n,1\n", "is no number from 0"),
        ("steps,a\n2,inf\n", "is no number from 0"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, text: str, says: str) -> None:
    found, told = read(tmp_path, text)
    assert found is None
    assert len(told) == 1
    assert "stages.csv" in told[0][0]
    assert says in told[0][1]
