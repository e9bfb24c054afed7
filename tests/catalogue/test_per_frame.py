"""A table of frames: what it may say, and what is said of each mistake in it."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from array import array
from fractions import Fraction
from pathlib import Path

import av
import pytest

from generator import build as building
from generator.catalogue import load
from generator.clips.card import render_card
from generator.errors import ContentError
from generator.project import Project
from generator.records import Clip

SAMPLE = Path(__file__).resolve().parent.parent / "sample"
RUN = "content/runs/elsewhere"
TABLE = f"{RUN}/per-frame/two.csv"
GOOD = "frame,arrival_s,step latency [ms],score\n0,0.5,41.25,1\n1,.5,,-2e-1\n2,1,40,0\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The sample; one of its clips names a table of frames, which is not written yet."""
    root = Path(shutil.copytree(SAMPLE, tmp_path / "sample"))
    table = root / RUN / "clips.csv"
    head, *lines = table.read_text("utf-8").splitlines()
    rows = [f"{line},{'two.csv' if n == 0 else ''}" for n, line in enumerate(lines)]
    table.write_text("\n".join([f"{head},per_frame", *rows]) + "\n", "utf-8")
    (root / RUN / "per-frame").mkdir()
    shutil.rmtree(root / "content/presets")  # of rows that some tests take out
    return root


def given(root: Path, text: str | bytes) -> Project:
    data = text if isinstance(text, bytes) else text.encode()
    (root / TABLE).write_bytes(data)
    return Project(root=root)


def clip_of(project: Project) -> Clip:
    return next(clip for clip in load(project).clips if clip.per_frame)


def test_a_table_is_read_with_its_units_and_its_gaps(root: Path) -> None:
    numbers = clip_of(given(root, GOOD)).per_frame
    assert numbers is not None
    assert (numbers.count, numbers.arrivals_s) == (3, array("d", [0.5, 0.5, 1]))
    latency, score = numbers.series
    assert (latency.name, latency.unit, latency.values[0]) == ("step latency", "ms", 41.25)
    assert math.isnan(latency.values[1])
    assert (score.name, score.unit, list(score.values)) == ("score", "", [1, -0.2, 0])


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(root: Path) -> None:
    plain = clip_of(given(root, GOOD)).per_frame
    other = b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    numbers = clip_of(given(root, other)).per_frame
    assert plain is not None
    assert numbers is not None
    assert numbers.arrivals_s == plain.arrivals_s


HEAD = "frame,arrival_s,wait [ms]\n"
UNITS = "bit, B, KiB, MiB, GiB, us, ms, s, Hz, MHz, px, %, dB, W, J, °C, TFLOP"
DIGITS = "write digits, such as 3.35, or leave the field empty where there is none"
SECONDS = "write seconds since the clock started, such as 0.166, for each frame"
FROM_0 = "number the clip's frames from 0, one line each"
MISTAKES = {
    "no number": (
        HEAD + "0,0.1,NaN\n1,0.2,soon\n2,0.3,inf\n3,0.4,1e999\n",
        [
            f'line 2, wait [ms]: "NaN" is no number; {DIGITS}',
            f'line 3, wait [ms]: "soon" is no number; {DIGITS}',
            f'line 4, wait [ms]: "inf" is no number; {DIGITS}',
            f'line 5, wait [ms]: "1e999" is no number; {DIGITS}',
        ],
    ),
    "arrivals": (
        HEAD + "0,-0.1,1\n1,0.2,1\n2,0.1,1\n3,,1\n",
        [
            "line 2, arrival_s: -0.1 is less than 0; count seconds from the start of the clock",
            "line 4, arrival_s: 0.1 is earlier than the frame before it (0.2); "
            "frames arrive in the order in which they are shown; check the clock",
            f"line 5, arrival_s: is empty; {SECONDS}",
        ],
    ),
    "frames out of order": (
        HEAD + "1,0.1,1\n",
        [f"line 2, frame: 1 stands where frame 0 is due; {FROM_0}"],
    ),
    "a number that is a fraction": (
        HEAD + "0,0.1,1/3\n",
        [f"line 2, wait [ms]: 1/3 is no number; {DIGITS}"],
    ),
    "an unknown unit": (
        "frame,wait [millis]\n0,1\n",
        [
            f'line 1: "millis" is no unit that is known here; write one of: {UNITS}; '
            "leave the brackets out for a plain number"
        ],
    ),
    "a unit in other letters": (
        "frame,memory [Gib]\n0,1\n",
        ['line 1: "Gib" is no unit that is known here; did you mean "GiB"?'],
    ),
    "columns": (
        "frame,a [ms],a[ms],,bits per frame\n0,1,1,1,1\n",
        [
            'line 1: "" is no name for a series; write such as "step latency [ms]": at most 40 '
            "plain characters, then the unit in square brackets",
            'line 1: "bits per frame" is read from the clip itself; name the series otherwise',
            "line 1: two series have the same name and unit; name one of them otherwise",
        ],
    ),
    "twice": ("frame,a,a\n0,1,1\n", ['line 1: column "a" stands twice; keep one']),
    "another first column": (
        "arrival_s\n1\n",
        [f'line 1: begins with "arrival_s"; call the first column "frame": {FROM_0}'],
    ),
    "nothing": ("", [f'line 1: begins with nothing; call the first column "frame": {FROM_0}']),
    "no numbers": (
        "frame\n0\n",
        ['line 1: there are no numbers; add "arrival_s" or a series such as "step latency [ms]"'],
    ),
    "no frames": (HEAD, [f"line 2: no frame is listed; {FROM_0}"]),
    "fields": (
        HEAD + "0,0.1\n0,0.1,3\n1,0.2,3,4\n",
        [
            "line 2: 2 fields, the header has 3; leave a field empty where there is no number",
            "line 4: 4 fields, the header has 3; leave a field empty where there is no number",
        ],
    ),
    "too many series": (
        "frame," + ",".join(f"s{n}" for n in range(13)) + "\n0" + ",1" * 13 + "\n",
        ["line 1: 13 series are too many; keep at most 12"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_every_mistake_has_its_line_value_and_remedy(
    root: Path, text: str, expected: list[str]
) -> None:
    project = given(root, text)
    with pytest.raises(ContentError) as caught:
        load(project)
    said = [str(complaint) for complaint in caught.value.complaints]
    places = [f"{TABLE} {one}" for one in expected]
    assert said == places


def test_a_table_too_large_for_a_clip_is_not_read_to_its_end(root: Path) -> None:
    lines = "".join(f"{n},1\n" for n in range(200_001))
    with pytest.raises(ContentError, match="line 200002: holds more than 200000 frames"):
        load(given(root, f"frame,a\n{lines}"))
    with pytest.raises(ContentError, match=r"holds 8\.0 MiB, of which at most 8 are read"):
        load(given(root, b"x" * ((8 << 20) + 1)))


def test_a_table_that_is_not_there_or_leads_elsewhere_is_named(root: Path) -> None:
    with pytest.raises(ContentError, match=f"{TABLE}: no such file"):
        load(Project(root=root))
    (root / TABLE).symlink_to("/etc/hostname")
    with pytest.raises(ContentError, match="leads out of the project's content"):
        load(Project(root=root))
    table = root / RUN / "clips.csv"
    table.write_text(table.read_text("utf-8").replace("two.csv", "../two.csv"), "utf-8")
    with pytest.raises(ContentError, match=r'per_frame: "../two.csv" is no name of a file'):
        load(Project(root=root))


def test_test_cards_are_measured_by_nobody(root: Path) -> None:
    table = root / "content/runs/cards/clips.csv"
    head, *lines = table.read_text("utf-8").splitlines()
    table.write_text("\n".join([f"{head},per_frame", *(f"{one},x.csv" for one in lines)]), "utf-8")
    (root / "content/runs/cards/per-frame").mkdir()
    (root / "content/runs/cards/per-frame/x.csv").write_text(GOOD, "utf-8")
    given(root, GOOD)
    with pytest.raises(ContentError, match="line 2, per_frame: a test card has none"):
        load(Project(root=root))


@pytest.fixture
def with_clip(root: Path) -> Project:
    """A run with one clip of 48 frames, whose table is not written yet."""
    media = root / RUN / "media"
    media.mkdir()
    render_card(media / "two.mp4", width=320, height=180, rate=Fraction(24), seconds=Fraction(2))
    head = "id,series,pipeline,prompt,size,steps,fps,file,per_frame\n"
    row = "two,published,sample-model,lighthouse,320x180,2,28.3,two.mp4,two.csv\n"
    (root / RUN / "clips.csv").write_text(head + row, "utf-8")
    run = root / RUN / "run.toml"
    text = run.read_text("utf-8")
    assert "publish_media" not in text
    run.write_text(f"publish_media = true\n{text}", "utf-8")
    site = root / "content/site.toml"
    presets = site.read_text("utf-8").replace("elsewhere--lighthouse-2", "elsewhere--two")
    site.write_text(presets.replace("elsewhere--lighthouse-8", "cards--fast"), "utf-8")
    return Project(root=root)


def table(frames: int) -> str:
    rows = "".join(f"{n},{0.3 * (n // 12):.3f},{n}\n" for n in range(frames))
    return f"frame,arrival_s,wait [ms]\n{rows}"


@pytest.mark.parametrize("frames", [47, 49])
def test_a_table_of_more_or_fewer_frames_than_the_clip_is_refused(
    with_clip: Project, frames: int
) -> None:
    """By `build` before anything is written, and by `check`."""
    project = given(with_clip.root, table(frames))
    said = (
        f"{TABLE}: lists {frames} frames, but the clip of two shows 48; "
        "write a line for each frame of the file, in the order in which they are shown"
    )
    with pytest.raises(ContentError) as caught:
        building.build(project, building.Options())
    assert [str(one) for one in caught.value.complaints] == [said]
    assert not project.site.exists()
    with pytest.raises(ContentError) as caught:
        building.examine(project, load(project), building.Options())
    assert [str(one) for one in caught.value.complaints] == [said]


def test_what_is_published_is_what_the_run_and_the_packets_say(with_clip: Project) -> None:
    """Bits as PyAV lists the packets, the run's numbers as written, a hash in the manifest; and
    the same bytes again from nothing."""
    project = given(with_clip.root, table(48))
    building.build(project, building.Options())
    briefs = json.loads((project.site / "data/clips.json").read_text("utf-8"))
    media = next(one["media"] for one in briefs if one["id"] == "elsewhere--two")
    published = project.site / media["lanes"]
    with av.open(str(project.site / media["src"])) as reader:
        packets = [packet for packet in reader.demux(video=0) if packet.pts is not None]
    packets.sort(key=lambda packet: packet.pts or 0)
    said = json.loads(published.read_text("utf-8"))
    assert said["series"] == [
        {"name": "bits per frame", "unit": "bit", "values": [8 * one.size for one in packets]},
        {"name": "wait", "unit": "ms", "values": list(range(48))},
    ]
    assert said["arrivals_s"] == pytest.approx([0.3 * (n // 12) for n in range(48)])
    assert media["arrivals"] is True
    manifest = json.loads((project.site / "manifest.json").read_text("utf-8"))
    digest = hashlib.sha256(published.read_bytes()).hexdigest()
    assert digest in json.dumps(manifest["files"][media["lanes"]])

    first = {path.name: path.read_bytes() for path in project.site.rglob("data/lanes/*.json")}
    shutil.rmtree(project.cache)
    shutil.rmtree(project.site)
    building.build(project, building.Options())
    again = {path.name: path.read_bytes() for path in project.site.rglob("data/lanes/*.json")}
    assert again == first
    given(with_clip.root, table(48).replace("47,0.900,47", "47,0.900,99"))
    building.build(project, building.Options())
    briefs = json.loads((project.site / "data/clips.json").read_text("utf-8"))
    media = next(one["media"] for one in briefs if one["id"] == "elsewhere--two")
    changed = json.loads((project.site / media["lanes"]).read_text("utf-8"))
    assert changed["series"][1]["values"][-1] == 99


def test_a_cache_from_before_gives_the_same_numbers(with_clip: Project) -> None:
    """What was found out about a clip is kept with its packets' sizes; where it was kept otherwise,
    by another version, it is found out anew."""
    project = given(with_clip.root, table(48))
    building.build(project, building.Options())
    before = {path.name: path.read_bytes() for path in project.site.rglob("data/lanes/*.json")}
    (project.cache / "prepared.json").unlink()
    for path in (project.derived / "facts").glob("*.json"):
        kept = json.loads(path.read_text("utf-8"))
        del kept["packet_bytes"]
        path.write_text(json.dumps({**kept, "made_by": "3, av 1"}), "utf-8")
    building.build(project, building.Options(verify=True))
    after = {path.name: path.read_bytes() for path in project.site.rglob("data/lanes/*.json")}
    assert after == before
