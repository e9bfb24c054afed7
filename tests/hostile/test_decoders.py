"""Properties of every decoder: records come out or complaints, whatever it is given."""

from __future__ import annotations

import csv
import io
import re
import shutil
import string
import time
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hostile import fuzz
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from generator.catalogue import forms
from generator.catalogue.decode import Complaints, read_markdown
from generator.catalogue.text import prose
from generator.clips import draft
from generator.clips.container import examine
from generator.clips.framecode import read_frame_code, row_height, upper_row
from generator.clips.table import read_table
from generator.errors import MediaError
from generator.intake import Refusal, printable, text_of
from generator.pages.data import inert
from generator.project import Project
from generator.publish.serve import header_rules
from generator.records import Label

settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
repeatable = settings.get_profile("repeatable")

FINDS = Path(__file__).resolve().parent / "finds"
LINE = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029"))
NO_RETURN = st.characters(exclude_characters="\r")
"""Tables lose their carriage returns when they are read."""
SHOWABLE = LINE.filter(lambda text: forms.unreadable(text) is None)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample to be spoilt, one file at a time."""
    folder = tmp_path_factory.mktemp("decoders")
    shutil.copytree(fuzz.SAMPLE, folder / "content")
    return folder


@st.composite
def near_valid(draw: st.DrawFn) -> bytes:
    """A file of the sample with pieces taken out, doubled, or put in from what decoders fear."""
    seed = draw(st.sampled_from(fuzz.seeds()))
    first, data = seed[:1], seed[1:]
    for _ in range(draw(st.integers(1, 4))):
        at, end = sorted(draw(st.tuples(*[st.integers(0, len(data))] * 2)))
        piece = draw(
            st.one_of(
                st.sampled_from([word.encode() for word in fuzz.WORDS]),
                st.just(data[at:end] * 2),
                st.text(max_size=8).map(lambda text: text.encode("utf-8", "surrogatepass")),
                st.binary(max_size=8),
                st.integers().map(lambda number: str(number).encode()),
                st.floats().map(lambda number: str(number).encode()),
            )
        )
        data = data[:at] + piece + data[end if draw(st.booleans()) else at :]
    return first + data


@settings(repeatable, max_examples=250)
@given(data=near_valid())
def test_what_is_nearly_right_is_read_or_complained_of(root: Path, data: bytes) -> None:
    fuzz.read(data, root)


@repeatable
@given(data=st.binary(max_size=300))
@example(data=b"\x01---\n- a\n---\n")
@example(data=b"\x06" + b"\0" * 50)
def test_any_bytes_are_read_or_complained_of(root: Path, data: bytes) -> None:
    fuzz.read(data, root)


@pytest.mark.parametrize("name", sorted(path.name for path in FINDS.glob("*")))
def test_what_fuzzing_found_is_mended(root: Path, name: str) -> None:
    fuzz.read((FINDS / name).read_bytes(), root)


@repeatable
@given(text=st.text(alphabet="[]()!<>*_`#|:-^~&; \n\tax1.\\\"'=", max_size=400))
@example(text="<a href='&#106;avascript:alert(1)'>")
@example(text="a\x02klzzwxh:0000\x03")
def test_any_markdown_is_rendered_inert_or_complained_of(text: str) -> None:
    html = prose(text)

    if isinstance(html, str):
        lowered = html.lower()
        assert "<script" not in lowered
        assert "javascript:" not in "".join(_addresses(lowered))
        assert forms.unreadable(html) is None
    else:
        assert all(line >= 0 and problem and remedy for line, problem, remedy in html)


@pytest.mark.parametrize(
    "unit",
    [
        *("[", "![a](", "[^1] ", "``\\", "> ", "# a\n\n", "~~~ a\n", "a|", "<![CDATA[", "<a "),
        *("*a_", '\\<div>\n![="', "a\n: b\n\n", "- a\n", "1. ", "*[A]: b\n", "&", "\t", "\r"),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_flood_of_signs_ends(unit: str, whole: bool) -> None:
    """At the size where limits end, as one paragraph and as many; a minute is a safety limit."""
    paragraph = (unit * 10_000)[:9_900]
    began = time.process_time()

    prose(paragraph if whole else "\n\n".join([paragraph] * 6))
    for most in (1000, 300, 200, 150, 20):
        prose(unit * (most // max(1, unit.count("[") + unit.count("<"))))

    assert time.process_time() - began < 60


def _addresses(html: str) -> Iterator[str]:
    for part in html.split('href="')[1:]:
        yield part.partition('"')[0]


@repeatable
@given(title=SHOWABLE, text=st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_a_prompt_that_ingest_begins_is_read_back(root: Path, title: str, text: str) -> None:
    """As content reads it: without blanks around it, and without what content refuses."""
    path = root / "content" / "prompts" / "begun.md"
    path.write_text(draft.prompt_md(title, text), "utf-8", newline="\n")
    complaints = Complaints(Project(root=root))
    try:
        read = read_markdown(path, forms.PromptForm, complaints)
    finally:
        path.unlink()

    if title.strip() and text.strip() and forms.unreadable(text) is None and len(title) <= 1000:
        assert read is not None
        assert (read[0].title, read[0].text) == (title.strip(), text.strip())
    else:
        assert complaints.found


@repeatable
@given(
    texts=st.lists(st.text(st.characters(exclude_categories=("Cs",))), min_size=6, max_size=6),
    day=st.dates(),
    software=st.dictionaries(LINE, LINE, max_size=3),
)
def test_a_run_that_ingest_writes_is_read_back(
    texts: list[str], day: date, software: dict[str, str]
) -> None:
    title, summary, notes, measured_by, weights, rights = texts
    run = draft.DraftRun(
        title=title, summary=summary, notes=notes, measured_by=measured_by, published=day,
        date_is_of_ingest=False, source=title, machine="m", software=software, weights=weights,
        rights=rights, publish_media=True,
        series=[draft.DraftSeries(id="a", title=title, label=Label.PROJECTED, fps_means=summary,
                                  interpolation=notes)],
    )  # fmt: skip

    read = tomllib.loads(draft.run_toml(run))

    assert [read[name] for name in ("title", "summary", "notes")] == [title, summary, notes]
    assert [read[name] for name in ("measured_by", "weights", "rights")] == texts[3:]
    assert read["published"] == day
    assert read.get("software", {}) == software
    assert read["series"][0]["title"] == title


@repeatable
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                name: st.text(NO_RETURN)
                for name in ("id", "series", "pipeline", "size", "url", "x-a b")
            }
        ),
        max_size=4,
    )
)
def test_a_table_that_ingest_writes_is_read_back(rows: list[dict[str, str]]) -> None:
    read = list(csv.DictReader(io.StringIO(draft.clips_csv(rows), newline="")))

    assert [{**row, **dict.fromkeys(("url", "x-a b"), ""), **back} for row, back in
            zip(rows, read, strict=True)] == rows  # fmt: skip


@repeatable
@given(
    rows=st.lists(
        st.tuples(
            st.integers(1, 9999),
            st.decimals(min_value="0.001", max_value="999999", places=3),
            st.integers(1, 99999),
            st.integers(1, 99999),
        ),
        min_size=1,
        max_size=5,
    ),
    mark=st.sampled_from(",;\t"),
)
def test_numbers_of_a_table_are_read_as_they_are_written(
    tmp_path: Path, rows: list[tuple[int, object, int, int]], mark: str
) -> None:
    path = tmp_path / "table.csv"
    lines = [("steps", "fps", "width", "height", "frames"), *((*row, row[0]) for row in rows)]
    path.write_text("\n".join(mark.join(map(str, line)) for line in lines), "utf-8")

    table, complaints = read_table(path, "table.csv")

    assert complaints == []
    assert [(row.steps, row.fps, row.size, row.frames) for row in table.rows] == [
        (str(steps), str(fps), (width, height), str(steps)) for steps, fps, width, height in rows
    ]


@repeatable
@given(text=st.text())
@example(text="=1")
@example(text="-1")
@example(text="'=1")
@example(text="-1e5+cmd")
@example(text="a;=1+1")
@example(text="a\t=1+1")
@example(text="a\n@SUM(1)")
@example(text="a;-1")
def test_no_cell_is_a_formula_and_none_loses_a_sign(text: str) -> None:
    cell = inert(text)

    assert cell.replace("'", "") == text.replace("'", "")
    if cell[:1] in tuple("=+-@\t\r＝＋－＠"):
        float(cell)
    for part in re.split(r"[;\t\r\n]", cell):
        if part[:1] in tuple("=+-@＝＋－＠"):
            float(part)


@repeatable
@given(number=st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_stay_numbers(number: float) -> None:
    assert inert(str(number)) == str(number)


@repeatable
@given(text=st.text())
def test_any_headers_file_is_parsed(text: str) -> None:
    for pattern, headers in header_rules(text):
        assert pattern == pattern.strip()
        assert all(name == name.strip().lower() for name in headers)


NAMES = st.text(string.ascii_letters + "-", min_size=1)
VALUES = st.text(string.printable.replace("\n", ""), min_size=1).map(
    lambda text: " ".join(text.split())
)


@repeatable
@given(
    rules=st.lists(
        st.tuples(NAMES.map(lambda name: f"/{name}"), st.dictionaries(NAMES, VALUES, min_size=1))
    )
)
def test_headers_are_read_back(rules: list[tuple[str, dict[str, str]]]) -> None:
    lines = [
        line
        for path, headers in rules
        for line in (path, *(f"  {name}: {value}" for name, value in headers.items()))
    ]

    read = header_rules("\n".join(lines))

    assert [path for path, _ in read] == [path for path, _ in rules]
    for (_, found), (_, given_) in zip(read, rules, strict=True):
        assert set(found) == {name.lower() for name in given_}


@repeatable
@given(
    picture=arrays.arrays(
        np.uint8, st.tuples(st.integers(1, 120), st.integers(1, 120)), fill=st.integers(0, 255)
    )
)
def test_any_picture_holds_a_frame_number_or_none(picture: np.ndarray) -> None:
    found = read_frame_code(picture)

    assert found is None or upper_row(found)


@repeatable
@given(number=st.integers(0, 65535), width=st.integers(40, 400), height=st.integers(48, 400))
def test_a_frame_number_is_read_back(number: int, width: int, height: int) -> None:
    upper = np.repeat(np.array(upper_row(number)), -(-width // 20) + 1)
    places = np.searchsorted(np.array([i * width // 20 for i in range(21)]), range(width), "right")
    upper = np.array(upper_row(number))[places - 1] * 255
    row = row_height(height)
    picture = np.zeros((height, width), np.uint8)
    picture[height - 2 * row : height - row] = upper
    picture[height - row :] = 255 - upper

    assert read_frame_code(picture) == number


HEADS = (
    b"",
    b"\x1a\x45\xdf\xa3\x84\x42\x82\x81w",
    bytes.fromhex(
        "1a45dfa39f4286810142f7810142f2810442f381084282847765626d42878104428581021853806701ffffffffffffff"
    ),
    b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
    b"\0\0\0\x01ftyp\0\0\0\0\0\0\0\x20",
)


@settings(repeatable, max_examples=200)
@given(head=st.sampled_from(HEADS), rest=st.binary(max_size=200))
def test_any_bytes_are_a_container_or_refused(tmp_path: Path, head: bytes, rest: bytes) -> None:
    path = tmp_path / "clip"
    path.write_bytes(head + rest)
    said = ""
    try:
        size = examine(path).bytes
    except MediaError as error:
        said, size = str(error), len(head + rest)

    assert size == len(head + rest)
    assert not said or said.startswith(f"{path}: ")


@repeatable
@given(data=st.binary(max_size=50), most=st.integers(0, 60))
def test_a_file_is_taken_in_whole_or_refused(tmp_path: Path, data: bytes, most: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)

    text = text_of(path, max_bytes=most)

    if isinstance(text, Refusal):
        assert len(data) > most or text.problem == "this is not UTF-8 text"
    else:
        assert text == data.decode("utf-8-sig")
        assert len(data) <= most


@repeatable
@given(text=st.text())
def test_messages_steer_no_terminal(text: str) -> None:
    assert printable(text).isprintable()
    assert len(printable(text)) == len(text)
