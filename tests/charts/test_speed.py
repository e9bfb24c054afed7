"""What stands in the charts, checked against the records they were made from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from generator.charts import Chart, fps_against_steps, ms_per_frame_against_steps
from generator.measure.fit import fit_line
from generator.records import Evidence, Label

from .samples import (
    MEMFLOW_FPS,
    OTHERS,
    PAGE,
    PIPELINES,
    PROMPTS,
    PUBLISHED,
    RIFE,
    STAGED,
    STEPS,
    cell,
    clip_url,
)

ALL = (*PUBLISHED, *OTHERS)
CHARTED = [item for item in ALL if item.series.chart and item.series.label is not Label.DECLARED]
STATED = [item for item in CHARTED if item.clip.fps is not None]
LABELS = {"Published elsewhere", "Measured here", "Projected"}


def fps_chart(evidence: tuple[Evidence, ...] = ALL) -> Chart:
    chart = fps_against_steps(evidence, pipelines=PIPELINES, prompts=PROMPTS, clip_url=clip_url)
    assert chart is not None
    return chart


def ms_chart(evidence: tuple[Evidence, ...] = ALL) -> Chart:
    chart = ms_per_frame_against_steps(
        evidence, pipelines=PIPELINES, prompts=PROMPTS, clip_url=clip_url
    )
    assert chart is not None
    return chart


def marks(chart: Chart) -> list[dict]:
    """The traces that carry marks."""
    return [trace for trace in json.loads(chart.figure)["data"] if "markers" in trace["mode"]]


def lines(chart: Chart) -> list[dict]:
    return [trace for trace in json.loads(chart.figure)["data"] if trace["mode"] == "lines"]


@pytest.mark.parametrize(
    ("chart", "height"),
    [(fps_chart(), lambda fps: float(fps)), (ms_chart(), lambda fps: float(1000 / fps))],
    ids=["fps", "ms"],
)
class TestEveryMark:
    """Both charts place every stated number once, in the right line."""

    def test_stands_where_its_record_says(self, chart, height):
        drawn = {
            href: (x, y)
            for trace in marks(chart)
            for href, x, y in zip(trace["customdata"], trace["x"], trace["y"], strict=True)
        }

        assert drawn == {
            clip_url(item.clip): (item.clip.steps_total, pytest.approx(height(item.clip.fps)))
            for item in STATED
        }

    def test_shares_its_line_with_its_own_kind_only(self, chart, height):
        record = {clip_url(item.clip): item for item in STATED}
        seen = []
        for trace in marks(chart):
            kinds = {
                (clip.run, clip.series, clip.pipeline, clip.prompt, clip.size)
                for clip in (record[href].clip for href in trace["customdata"])
            }
            assert len(kinds) == 1
            seen += kinds
            assert trace["legendgroup"].split(" · ")[0] in LABELS
        assert len(seen) == len(set(seen))

    def test_names_its_clip_and_who_measured(self, chart, height):
        record = {clip_url(item.clip): item for item in STATED}
        for trace in marks(chart):
            for href, text in zip(trace["customdata"], trace["hovertext"], strict=True):
                item = record[href]
                words = text.replace("<br>", " ")
                assert item.clip.size.replace("x", "\u00a0×\u00a0") in words
                assert item.clip.steps_label in words
                act = "projected" if item.series.label is Label.PROJECTED else "measured"
                assert f"{act} by {item.run.measured_by}" in words
                assert str(item.series.label).replace("-", " ") in words
                assert next(p.title for p in PROMPTS if p.id == item.clip.prompt) in words
                assert f"{float(item.clip.fps):.1f}"[:-1] in words

    def test_is_listed_in_the_table_with_its_page(self, chart, height):
        assert Counter(row[0].href for row in chart.table.rows) == Counter(
            clip_url(item.clip) for item in CHARTED
        )
        assert all(len(row) == len(chart.table.columns) for row in chart.table.rows)

    def test_of_a_staged_sampler_carries_its_stages(self, chart, height):
        texts = [text for trace in marks(chart) for text in trace.get("text", ()) if text]

        assert texts == ["[1,1,1]", "[2,2,2]"]

    def test_at_the_place_of_another_tells_of_it_and_stays_visible(self, chart, height):
        """Helios has one figure for both prompts."""
        twins = [trace for trace in marks(chart) if trace["name"].startswith("Helios")]
        sizes = [trace["marker"]["size"] for trace in twins]

        assert [trace["x"] for trace in twins] == [[3, 6], [3, 6]]
        assert min(sizes[0]) > max(sizes[1])  # drawn first, so it shows as a ring
        assert "same figure: Drone" in twins[0]["hovertext"][0].replace("<br>", " ")
        assert "same figure: Cyberpunk" in twins[1]["hovertext"][0].replace("<br>", " ")

    def test_belongs_to_a_legend_entry(self, chart, height):
        data = json.loads(chart.figure)["data"]
        listed = [index for g in chart.legend for e in g.entries for index in e.traces]

        assert sorted(listed) == list(range(len(data)))
        for group in chart.legend:
            assert group.label in LABELS
            for entry in group.entries:
                for index in entry.traces:
                    assert data[index]["name"] == entry.name
                    assert data[index]["legendgroup"] == f"{group.label} · {group.title}"

    def test_reference_lines_say_what_they_are(self, chart, height):
        layout = json.loads(chart.figure)["layout"]
        labels = {
            note["text"]: note["y"] for note in layout["annotations"] if "FPS" in note["text"]
        }
        labels.pop("output FPS, as stated", None)

        assert {shape["y0"] for shape in layout["shapes"]} == set(labels.values())
        assert labels == {
            "16 FPS<br>content": pytest.approx(height(16)),
            "24 FPS<br>content": pytest.approx(height(24)),
            "30 FPS": pytest.approx(height(30)),
        }


def test_a_cell_without_a_number_is_listed_and_not_drawn():
    chart = fps_chart()
    silent = [item for item in CHARTED if item.clip.fps is None]
    rows = {row[0].href: [cell.text for cell in row] for row in chart.table.rows}

    assert len(silent) == 1
    assert "not stated" in rows[clip_url(silent[0].clip)]
    assert "no clip" in rows[clip_url(silent[0].clip)]
    assert clip_url(silent[0].clip) not in chart.figure
    assert any("without a mark: 1" in note for note in chart.notes)


def test_labels_differ_in_their_marks_and_lines():
    looks = {
        trace["legendgroup"].split(" · ")[0]: (
            trace["marker"]["color"] == trace["marker"]["line"]["color"],
            trace["marker"]["symbol"].endswith("-dot"),
        )
        for trace in marks(fps_chart())
    }
    dotted = {
        trace["legendgroup"].split(" · ")[0]
        for trace in lines(fps_chart())
        if trace["line"]["dash"].startswith("1.5px")
    }

    assert looks == {
        "Published elsewhere": (False, False),
        "Measured here": (True, False),
        "Projected": (False, True),
    }
    assert dotted == {"Projected"}


def test_every_line_is_told_apart_without_colour():
    seen = Counter(
        (mark["marker"]["symbol"], mark["marker"]["color"] == "#070707", line["line"]["dash"])
        for mark, line in zip(marks(fps_chart()), lines(fps_chart()), strict=True)
    )

    assert max(seen.values()) == 1


def test_fits_are_those_of_numpy_within_one_line_each():
    chart = ms_chart(PUBLISHED)
    assert chart.fits is not None
    found = {row[0].text: [cell.text for cell in row] for row in chart.fits.rows}

    for (prompt, (width, height)), figures in MEMFLOW_FPS.items():
        title = next(p.title for p in PROMPTS if p.id == prompt)
        ms = [1000 / float(fps) for fps in figures]
        b, a = np.polyfit(STEPS, ms, 1)
        _, _, a_ms, b_ms, r2, _, points = found[f"MemFlow · {width}\u00a0×\u00a0{height} · {title}"]
        assert (float(a_ms), float(b_ms)) == pytest.approx((a, b), abs=0.006)
        assert float(r2) == pytest.approx(np.corrcoef(STEPS, ms)[0, 1] ** 2, abs=5.1e-5)
        assert points == "7 points"


def test_a_fitted_line_runs_from_its_first_to_its_last_point():
    for trace in lines(ms_chart(PUBLISHED)):
        assert trace["x"] == [2, 12]
        assert trace["hoverinfo"] == "skip"


def test_two_points_are_not_fitted_and_the_reason_is_shown():
    chart = ms_chart()
    assert chart.fits is not None
    notes = {entry.name: entry.note for group in chart.legend for entry in group.entries}
    helios = next(row for row in chart.fits.rows if row[0].text.startswith("Helios"))

    assert [cell.text for cell in helios[2:6]] == ["—"] * 4
    assert "2 points" in helios[6].text
    assert "2 points" in notes["Helios · 640\u00a0×\u00a0384 · Cyberpunk detective"]
    assert not any(trace["name"].startswith("Helios") for trace in lines(chart))


def test_the_fit_stands_in_hover_and_legend():
    chart = ms_chart(PUBLISHED)
    note = chart.legend[0].entries[0].note
    hover = marks(chart)[0]["hovertext"][0].replace("<br>", " ")

    assert "ms/step" in note
    assert "r² 0.99" in note
    assert note in hover


def test_nothing_to_draw_is_no_chart():
    cards = tuple(item for item in ALL if item.series.label is Label.DECLARED)
    silent = tuple(item for item in ALL if item.clip.fps is None)
    common = {"pipelines": PIPELINES, "prompts": PROMPTS, "clip_url": clip_url}

    for evidence in ((), cards, silent):
        assert fps_against_steps(evidence, **common) is None
        assert ms_per_frame_against_steps(evidence, **common) is None


def test_one_clip_is_a_chart():
    """A project of one's own starts with a single number."""
    alone = (cell(PAGE, RIFE, "memflow", "detective", (512, 288), (4,), "36.7"),)

    assert len(marks(fps_chart(alone))[0]["x"]) == 1
    assert lines(ms_chart(alone)) == []
    assert fps_chart(alone).summary == "Published elsewhere: 36.7 FPS."


def test_text_of_others_is_no_markup():
    """Plotly reads a little HTML, and the poster is printed as it is."""
    prompts = tuple(replace(prompt, title='<b onclick="x">&') for prompt in PROMPTS)
    made = fps_against_steps(
        PUBLISHED, pipelines=PIPELINES, prompts=prompts, clip_url=lambda clip: '"><script>'
    )
    assert made is not None

    assert "<b " not in made.figure
    assert "<b " not in made.poster
    assert "<script" not in made.poster


def test_labels_close_together_are_kept_apart():
    """In milliseconds 24 and 30 FPS lie 8 ms apart: less than a line of text."""
    notes = json.loads(ms_chart().figure)["layout"]["annotations"]
    shift = {note["text"]: note["yshift"] for note in notes}

    assert shift["30 FPS"] < 0 < shift["24 FPS<br>content"]
    assert shift["16 FPS<br>content"] == 0


def test_equal_records_give_equal_bytes_in_any_process():
    code = (
        f"from {__package__}.test_speed import fps_chart, ms_chart\n"
        "import hashlib\n"
        "print(hashlib.sha256(repr((fps_chart(), ms_chart())).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(digests) == 1


def test_the_json_is_small_and_holds_no_template():
    figure = json.loads(fps_chart().figure)

    assert "template" not in figure["layout"]
    assert len(fps_chart().figure) < 20_000
    assert list(figure["layout"]) == sorted(figure["layout"])


def test_staged_and_plain_steps_share_no_line():
    """Three stages of one step are not three steps."""
    assert {item.series for item in CHARTED if len(item.clip.steps) > 1} == {STAGED}


def test_a_mark_tells_of_those_it_nearly_hides():
    """13.3 FPS in both prompts, and 9.3 beside 9.4: one mark lies on the other."""
    hover = {
        href: text.replace("<br>", " ")
        for trace in marks(fps_chart(PUBLISHED))
        for href, text in zip(trace["customdata"], trace["hovertext"], strict=True)
    }
    told = {
        steps: hover[clip_url(item.clip)]
        for item in PUBLISHED
        for steps in item.clip.steps
        if item.clip.size == "848x480" and item.clip.prompt == "detective"
    }

    assert told[8].endswith("same figure: Drone over a metropolis")
    assert told[12].endswith("close by: Drone over a metropolis")
    assert "Drone" not in told[2].removesuffix("close by: Drone over a metropolis")
    assert "Drone" not in hover[clip_url(PUBLISHED[0].clip)]


@pytest.mark.parametrize(
    ("r2", "shown"),
    [(0.9956, "0.9956"), (0.99996, "0.9999"), (1.0, "1.0000"), (0.12344, "0.1234")],
)
def test_only_a_perfect_fit_is_called_one(r2, shown):
    def fit(points):
        return replace(fit_line(points), r2=r2)

    chart = ms_per_frame_against_steps(
        PUBLISHED, pipelines=PIPELINES, prompts=PROMPTS, clip_url=clip_url, fit_line=fit
    )

    assert chart is not None
    assert f"r² {shown}" in chart.legend[0].entries[0].note


def test_the_legend_shows_a_line_where_the_chart_draws_one():
    """Two points of Helios are not fitted, so no line is drawn, and the legend draws none."""
    chart = ms_chart()
    drawn = {(trace["legendgroup"], trace["name"]) for trace in lines(chart)}
    listed = {
        (f"{group.label} · {group.title}", entry.name): "<line" in entry.swatch
        for group in chart.legend
        for entry in group.entries
    }

    assert {key for key, lined in listed.items() if lined} == drawn
    assert set(listed) > drawn


def test_the_summary_says_what_a_frame_is():
    interpolated = tuple(
        replace(item, series=replace(item.series, interpolation="RIFE")) for item in PUBLISHED
    )

    assert "Frames from RIFE count as output frames." in ms_chart(interpolated).summary


def test_series_of_one_pipeline_from_two_machines_name_their_runs() -> None:
    """In the legend, in the notes and in the table; where all is one machine, nothing is added."""
    ours = [item for item in STATED if item.run.id == "bench" and item.series.id == "our-bench"]
    slow = replace(ours[0].run, id="slow", title="On two cores", machine="two-cores")
    other = [
        replace(item, run=slow, clip=replace(item.clip, id=f"slow--{item.clip.row_id}", run="slow"))
        for item in ours
    ]
    titles = [group.title for group in fps_chart((*ours, *other)).legend]
    assert titles == ["our bench · bench", "our bench · On two cores"]
    assert [group.title for group in fps_chart(tuple(ours)).legend] == ["our bench"]
    mixed = fps_chart((*STATED, *other))
    assert {group.title for group in mixed.legend if group.label != "Measured here"} == {
        group.title for group in fps_chart().legend if group.label != "Measured here"
    }
