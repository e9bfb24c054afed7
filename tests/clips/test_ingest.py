"""A folder and a table become a run that loads; mistakes are all named and nothing is written."""

from __future__ import annotations

import csv
import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from generator.catalogue import forms, load
from generator.clips import ingest as ingesting
from generator.clips.card import render_card
from generator.clips.draft import quoted, slug
from generator.clips.ingest import About, ingest
from generator.errors import ContentError, MediaError, UsageError
from generator.project import Project
from generator.records import Label

SAMPLE = Path(__file__).resolve().parent.parent / "sample"
DAY = date(2026, 5, 4)


@pytest.fixture(scope="session")
def cards(tmp_path_factory) -> Path:
    """Three small real clips: a.mp4 and b.mp4 of 160x96, c.mp4 of 192x108."""
    folder = tmp_path_factory.mktemp("cards")
    for name, width, height, rate in (("a", 160, 96, 6), ("b", 160, 96, 8), ("c", 192, 108, 6)):
        render_card(
            folder / f"{name}.mp4",
            width=width,
            height=height,
            rate=Fraction(rate),
            seconds=Fraction(1),
        )
    return folder


@pytest.fixture
def clips(cards, tmp_path) -> Path:
    """A folder of one's own with a.mp4 and b.mp4."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4"):
        shutil.copyfile(cards / name, folder / name)
    return folder


@pytest.fixture
def project(tmp_path) -> Project:
    shutil.copytree(SAMPLE / "content", tmp_path / "mine" / "content")
    return Project(root=tmp_path / "mine")


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def table(folder: Path, text: str, name: str = "results.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def run(project: Project, folder: Path, text: str, **options: object):
    """Ingest as run "new", with a fixed day."""
    about = options.pop("about", About(published=DAY))
    where = table(folder, text)
    return ingest(
        folder,
        table=where,
        run_id="new",
        project=project,
        validate=validate,
        about=about,
        **options,
    )


def validate(draft: Path) -> None:
    """As the command line hands it in."""
    load(Project(root=draft))


def rows(project: Project) -> list[dict[str, str]]:
    with (project.runs / "new" / "clips.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): sha(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ingesting.LOCK
    }


def complaints(project: Project, folder: Path, text: str, **options: object) -> list[str]:
    """What an ingest says that fails, without the folders' names; nothing may be written."""
    before = tree(project.root)
    with pytest.raises(ContentError) as caught:
        run(project, folder, text, **options)
    assert tree(project.root) == before
    said = [str(complaint) for complaint in caught.value.complaints]
    return [line.replace(f"{folder}/", "").replace(str(folder), "the folder") for line in said]


# --- what a table may look like


def test_a_minimal_table_becomes_a_run_that_loads(project, clips):
    """Only the files are named; everything else is found out or stays unstated."""
    report = run(project, clips, "file\na.mp4\nb.mp4\n")

    catalogue = load(project)
    made = [clip for clip in catalogue.clips if clip.run == "new"]
    assert [clip.row_id for clip in made] == ["a", "b"]
    assert [clip.size for clip in made] == ["160x96", "160x96"]
    assert [clip.sha256 for clip in made] == [sha(clips / "a.mp4"), sha(clips / "b.mp4")]
    assert {(clip.pipeline, clip.prompt, clip.steps, clip.fps) for clip in made} == {
        ("not-stated", "", (), None)
    }
    assert {(clip.stated_frames, clip.stated_seconds) for clip in made} == {(None, None)}
    new = next(one for one in catalogue.runs if one.id == "new")
    assert (new.measured_by, new.machine, new.rights, new.publish_media) == (
        *("not stated", "not-stated", "not stated"),
        False,
    )
    assert [(one.id, one.label, one.fps_means) for one in new.series] == [
        ("published", Label.PUBLISHED_ELSEWHERE, "")
    ]
    assert sorted(path.name for path in (project.runs / "new" / "media").iterdir()) == [
        "a.mp4",
        "b.mp4",
    ]
    assert report.stubs == ("content/pipelines/not-stated.toml", "content/machines/not-stated.toml")
    assert "2 cells in 1 series (published), 2 clips copied" in str(report)


FULL = {
    "Video File": ("a.mp4", "b.mp4"),
    "Model": ("My Model 2.1", "My Model 2.1"),
    "Prompt": ("A red kite over a harbour, wide shot.",) * 2,
    "Resolution": ("160×96", "160 x 96"),
    "Denoising Steps": ("[2,2,2]", "8.0"),
    "Output FPS": ("23.40 fps", "7,5"),
    "Frame count": ("480", "--"),
    "Duration_s": ("20.0 s", "n/a"),
    "Seed": ("42", "-1"),
    "VRAM GB": ("23.5", "-"),
    "codec": ("h264", "h264"),
    "x-note": ("warm", ""),
}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_common_names_and_ways_of_writing_are_understood(project, clips, delimiter):
    text = "\ufeff" + "\r\n".join(
        delimiter.join(f'"{cell}"' for cell in line)
        for line in (FULL.keys(), *zip(*FULL.values(), strict=True))
    )

    report = run(project, clips, text)

    first, second = rows(project)
    prompt = "a-red-kite-over-a-harbour"
    assert first == {
        **{"id": "a", "series": "published", "pipeline": "my-model-2.1", "prompt": prompt},
        **{"size": "160x96", "steps": "2/2/2", "fps": "23.40", "frames": "480"},
        **{"seconds": "20.0", "seed": "42", "sha256": sha(clips / "a.mp4"), "file": "a.mp4"},
        **{"x-VRAM GB": "23.5", "x-note": "warm"},
    }
    assert (second["steps"], second["fps"], second["frames"], second["seconds"]) == (
        *("8", "7.5", "", ""),
    )
    assert (second["seed"], second["x-VRAM GB"]) == ("-1", "")
    assert report.left_out == ("codec",)
    catalogue = load(project)
    assert next(p.text for p in catalogue.prompts if p.id == prompt) == FULL["Prompt"][0]
    assert next(p.title for p in catalogue.pipelines if p.id == "my-model-2.1") == "My Model 2.1"
    new = next(one for one in catalogue.runs if one.id == "new")
    assert new.series[0].fps_means == 'output FPS as stated in the column "Output FPS"'


def test_frames_that_differ_from_the_file_are_a_claim_and_no_mistake(project, clips):
    """The archive exists to show such differences: the statement is kept as it is."""
    run(project, clips, "file,frames,seconds\na.mp4,480,20\nb.mp4,8,1\n")

    assert [(row["frames"], row["seconds"]) for row in rows(project)] == [("480", "20"), ("8", "1")]


def test_interpolations_become_series_of_their_own(project, clips, cards):
    shutil.copyfile(cards / "c.mp4", clips / "c.mp4")

    run(project, clips, "file,fps,interpolation\na.mp4,20,RIFE\nb.mp4,,none\nc.mp4,20,rife\n")

    assert [row["series"] for row in rows(project)] == [
        "published-rife",
        "published-no-interpolation",
        "published-rife",
    ]
    new = next(one for one in load(project).runs if one.id == "new")
    assert [(one.id, one.interpolation, one.fps_means) for one in new.series] == [
        ("published-rife", "RIFE", 'output FPS as stated in the column "fps"'),
        ("published-no-interpolation", "none", ""),
    ]


@pytest.mark.parametrize(
    ("table", "stated"),
    [
        ("file,fps\na.mp4,20\nb.mp4,30\n", {"published": ""}),
        (
            "file,fps,interpolation\na.mp4,20,none\nb.mp4,30,\n",
            {"published-no-interpolation": "none", "published-interpolation-not-stated": ""},
        ),
    ],
)
def test_no_interpolation_is_stated_where_nothing_is_said_of_it(project, clips, table, stated):
    run(project, clips, table)

    new = next(one for one in load(project).runs if one.id == "new")
    assert {one.id: one.interpolation for one in new.series} == stated
    text = (project.runs / "new" / "run.toml").read_text()
    assert 'interpolation = ""' in text


def test_a_series_column_is_kept_but_not_mixed(project, clips):
    run(project, clips, "file,series,interpolation\na.mp4,With RIFE,rife\nb.mp4,Plain,\n")
    assert [row["series"] for row in rows(project)] == ["with-rife", "plain"]
    shutil.rmtree(project.runs / "new")

    assert complaints(
        project, clips, "file,series,interpolation\na.mp4,Main,rife\nb.mp4,Main,none\n"
    ) == [
        'results.csv line 3, interpolation: "none" differs from what series "main" began with; '
        "give each interpolation a series of its own"
    ]


def test_what_is_known_already_is_referred_to_and_left_alone(project, clips):
    before = tree(project.content)
    text = load(project).prompts[0].text

    run(
        project,
        clips,
        f'file,model,prompt\na.mp4,Sample model,lighthouse\nb.mp4,sample-model,"{text}"\n',
        about=About(published=DAY, machine="sample-gpu"),
    )

    assert {(row["pipeline"], row["prompt"]) for row in rows(project)} == {
        ("sample-model", "lighthouse")
    }
    after = tree(project.content)
    assert {name: after[name] for name in before} == before
    assert {name.split("/")[0] for name in after.keys() - before.keys()} == {"runs"}


def test_different_models_never_become_one(project, clips, cards):
    """Ids drop what they cannot hold; what was dropped must not make two things one."""
    models = ("MemFlow", "MemFlow+", "模型一", "模型二", "mem_flow", "memflow")
    prompts = ("一只红色的风筝。", "一只蓝色的风筝。", "🪁", "红 风筝", "Kite!", "Kite")
    lines = ["file,model,prompt,series"]
    (clips / "a.mp4").unlink()
    (clips / "b.mp4").unlink()
    for i, (model, prompt) in enumerate(zip(models, prompts, strict=True)):
        shutil.copyfile(cards / "a.mp4", clips / f"{i}.mp4")
        lines.append(f"{i}.mp4,{model},{prompt},{('FP8', 'FP8+', '一', '二', 'fp8', 'FP8+')[i]}")

    report = run(project, clips, "\n".join(lines))

    assert [row["pipeline"] for row in rows(project)] == [
        *("memflow", "memflow-2", "pipeline-1", "pipeline-2", "mem-flow", "memflow"),
    ]
    assert [row["prompt"] for row in rows(project)] == [
        *("prompt-1", "prompt-2", "prompt-3", "prompt-4", "kite", "kite-2"),
    ]
    assert [row["series"] for row in rows(project)] == [
        *("fp8", "fp8-2", "series-1", "series-2", "fp8", "fp8-2"),
    ]
    catalogue = load(project)
    titles = {one.id: one.title for one in catalogue.pipelines}
    assert [titles[name] for name in ("memflow", "memflow-2", "pipeline-2")] == [
        *("MemFlow", "MemFlow+", "模型二"),
    ]
    texts = {one.id: one.text for one in catalogue.prompts}
    assert [texts[f"prompt-{i}"] for i in (1, 2, 3, 4)] == list(prompts[:4])
    assert (texts["kite"], texts["kite-2"]) == ("Kite!", "not stated")
    new = next(one for one in catalogue.runs if one.id == "new")
    assert [one.title for one in new.series] == ["FP8", "FP8+", "一", "二"]
    assert len(report.stubs) == 5 + 6 + 1


def test_what_stands_in_content_under_the_same_id_may_be_something_else(project, clips):
    """An id is taken by the title or text that it has there; a second ingest finds its own."""
    text = load(project).prompts[0].text
    before = tree(project.content)
    words = "file,model,prompt\na.mp4,Sample model+,Lighthouse!\n"
    words += f'b.mp4,SAMPLE_MODEL,"{text.upper()}"\n'

    run(project, clips, words)

    assert [(row["pipeline"], row["prompt"]) for row in rows(project)] == [
        ("sample-model-2", "lighthouse-2"),
        ("sample-model", "a-slow-aerial-shot-around-a"),
    ]
    after = tree(project.content)
    assert {name: after[name] for name in before} == before
    first = rows(project)
    shutil.rmtree(project.runs / "new")
    assert run(project, clips, words).stubs == ()
    assert rows(project) == first


@pytest.mark.parametrize(
    "written",
    [
        'text: "One \\"red\\" kite: two: three."',
        "text: 'One \"red\" kite: two: three.'",
        'text: >-\n  One "red" kite:\n  two: three.',
        'text: |\n  One "red"\n  kite: two: three.\norder: 3',
        "text: 'One \"red\" kite:\n  two: three.'",
    ],
)
def test_a_prompt_is_known_by_its_text_however_it_is_written(project, clips, written):
    path = project.content / "prompts" / "mine.md"
    path.write_text(f"---\ntitle: Mine\n{written}\n---\nProse.\n\ntext: no\n")
    read = next(one for one in load(project).prompts if one.id == "mine").text
    assert " ".join(read.split()) == 'One "red" kite: two: three.'

    run(project, clips, 'file,prompt\na.mp4,"One ""red"" kite: two: three."\nb.mp4,Mine\n')

    assert [row["prompt"] for row in rows(project)] == ["mine", "mine"]


def test_interpolations_that_share_letters_stay_apart(project, clips):
    run(project, clips, "file,interpolation\na.mp4,RIFE\nb.mp4,RIFE+\n")

    assert [row["series"] for row in rows(project)] == ["published-rife", "published-rife-2"]


def test_ids_that_share_letters_stay_apart(project, clips):
    run(project, clips, "id,file\nx+,a.mp4\nx,b.mp4\n")
    assert [row["id"] for row in rows(project)] == ["x", "x-2"]


def test_files_that_could_not_keep_their_names_stay_apart(project, clips):
    (clips / "a.mp4").rename(clips / "~c.mp4")
    (clips / "b.mp4").rename(clips / "c.mp4")

    run(project, clips, "file\n~c.mp4\nc.mp4\n")

    assert [row["file"] for row in rows(project)] == ["c.mp4", "c-2.mp4"]
    media = project.runs / "new" / "media"
    assert [sha(media / row["file"]) for row in rows(project)] == [
        row["sha256"] for row in rows(project)
    ]


def test_long_names_make_ids_that_disks_can_hold(project, clips):
    model, prompt = "m" * 300, "p" * 300
    run(
        project,
        clips,
        f"id,file,model,prompt\n{'i' * 300},a.mp4,{model},{prompt}\n,b.mp4,{model}2,{prompt}2\n",
        about=About(published=DAY, machine="g" * 300),
    )

    assert [row["pipeline"] for row in rows(project)] == ["m" * 80, "m" * 78 + "-2"]
    assert [row["prompt"] for row in rows(project)] == ["p" * 80, "p" * 78 + "-2"]
    load(project)


def test_prompts_of_one_beginning_are_told_apart(project, clips):
    text = "One two three four five six {}"
    run(
        project, clips, f"file,prompt\na.mp4,{text.format('seven')}\nb.mp4,{text.format('eight')}\n"
    )

    assert [row["prompt"] for row in rows(project)] == [
        "one-two-three-four-five-six",
        "one-two-three-four-five-six-2",
    ]
    texts = {prompt.id: prompt.text for prompt in load(project).prompts}
    assert texts["one-two-three-four-five-six-2"] == text.format("eight")


def test_one_id_for_two_prompts_is_a_mistake(project, clips):
    assert complaints(
        project, clips, "file,prompt id,prompt\na.mp4,p0,Red kite.\nb.mp4,p0,Blue kite.\n"
    ) == [
        'results.csv line 3, prompt: prompt "p0" has another text already; '
        "give each text an id of its own"
    ]


def test_files_are_found_by_hash_where_no_name_is_given(project, clips):
    run(
        project,
        clips,
        f"id,sha256\nfirst,{sha(clips / 'b.mp4').upper()}\nsecond,{sha(clips / 'a.mp4')}\n",
    )

    assert [(row["id"], row["file"]) for row in rows(project)] == [
        ("first", "b.mp4"),
        ("second", "a.mp4"),
    ]


def test_folders_in_the_folder_are_kept(project, clips):
    (clips / "seed 1").mkdir()
    (clips / "a.mp4").rename(clips / "seed 1" / "a.mp4")

    run(project, clips, "file\nseed 1/a.mp4\nb.mp4\n")

    assert (project.runs / "new" / "media" / "seed 1" / "a.mp4").is_file()
    assert [clip.file for clip in load(project).clips if clip.run == "new"] == [
        "seed 1/a.mp4",
        "b.mp4",
    ]


def test_cells_without_a_clip_stay(project, clips):
    run(
        project,
        clips,
        "file,model,size,steps,fps,no_clip\na.mp4,m,,2,20,\nb.mp4,m,,4,10,\n"
        ",m,160x96,8,5,could not be had\n",
    )

    last = load(project).clips[-1]
    assert (last.row_id, last.fps, last.no_clip, last.file) == (
        "m-160x96-8-published",
        5,
        "could not be had",
        None,
    )


def test_addresses_come_from_a_prefix_or_a_column(project, clips):
    (clips / "b.mp4").rename(clips / "b #1.mp4")
    run(
        project,
        clips,
        "file,url\na.mp4,https://example.org/own.mp4\nb #1.mp4,\n",
        about=About(published=DAY, url_prefix="https://example.org/v/"),
    )

    assert [row["url"] for row in rows(project)] == [
        "https://example.org/own.mp4",
        "https://example.org/v/b%20%231.mp4",
    ]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("frames", value) for value in ("2,000", "3.000", "1.234.567", "480.00", "480,5")),
        *(("steps", value) for value in ("1,000", "1.250", "100,100,100")),
        *(("seed", value) for value in ("1,000", "-1.000", "42.00")),
        *(("bytes", value) for value in ("1,234", "8.651", "1,234,567")),
        *(("fps", value) for value in ("1,000", "23,976", "1.000.000", "1,000 fps")),
        *(("seconds", value) for value in ("20,000", "1,200 s")),
    ],
)
def test_marks_between_thousands_are_not_guessed_at(project, clips, column, value):
    (said,) = complaints(project, clips, f"file;{column}\na.mp4;{value}\nb.mp4;\n")

    assert said.startswith(f'results.csv line 2, {column}: "{value}" ')
    assert "; write" in said


@pytest.mark.parametrize(
    ("column", "value", "kept"),
    [
        ("fps", "23.976", "23.976"),
        ("fps", "0,500", "0.500"),
        ("fps", "7,5", "7.5"),
        ("seconds", "20.000", "20.000"),
        ("frames", "480.0", "480"),
        ("frames", "480,0", "480"),
        ("frames", "2000", "2000"),
        ("seed", "-7.0", "-7"),
    ],
)
def test_decimals_that_can_be_nothing_else_are_read(project, clips, column, value, kept):
    run(project, clips, f"file;{column}\na.mp4;{value}\nb.mp4;\n")

    assert rows(project)[0][column] == kept


def test_a_point_is_no_decimal_one_where_commas_are(project, clips):
    said = complaints(project, clips, "file;fps\na.mp4;23,5\nb.mp4;1.200\n")

    assert said == [
        'results.csv line 3, fps: "1.200" may hold a mark between thousands; '
        "write thousands as 2000 and decimals with a point, such as 2.5"
    ]


@pytest.mark.parametrize(
    "text",
    [
        '"file";"fps";"model, size, kind"\na.mp4;7,5;m\nb.mp4;;m\n',
        "sep=;\r\nfile;fps\r\na.mp4;7,5\r\nb.mp4;\r\n",
        "file\tfps\tnotes; more, and more\na.mp4\t7.5\tx\nb.mp4\t\ty\n",
        "\n\nfile,fps,a;b;c;d\na.mp4,7.5,x\nb.mp4,,y\n",
    ],
)
def test_the_mark_between_columns_is_the_one_that_makes_sense_of_the_header(project, clips, text):
    run(project, clips, text)

    assert [(row["file"], row["fps"]) for row in rows(project)] == [("a.mp4", "7.5"), ("b.mp4", "")]


def test_messages_repeat_no_more_than_a_little_of_a_value(project, clips):
    said = complaints(
        project,
        clips,
        f"file,fps,steps,url\na.mp4,{'9' * 5000},{'x' * 5000},https://{'h' * 5000}\n"
        f"b.mp4,,,\n{'f' * 5000},,,\n",
    )

    assert len(said) == 4
    assert all(len(line) < 400 for line in said)


def test_two_columns_that_would_become_one_are_a_mistake(project, clips):
    assert complaints(project, clips, "file,VRAM,x-VRAM\na.mp4,1,2\nb.mp4,1,2\n") == [
        'results.csv line 1: "VRAM" and "x-VRAM" would be one column of the run; '
        "rename one of the two"
    ]


# --- what is written


def test_what_the_caller_states_is_stated(project, clips):
    about = About(
        title='Our "run"\nof May',
        measured_by="the sample's maker",
        published=DAY,
        source="https://example.org/page",
        machine="Two Boards 80GB",
        software={"torch": "2.13.0", 'odd "name"': "1\u2028 2"},
        weights="v1",
        rights="Ours; free to show.",
        label=Label.MEASURED_HERE,
        pipeline="sample-model",
        publish_media=True,
    )

    run(project, clips, "file\na.mp4\nb.mp4\n", about=about)

    new = next(one for one in load(project).runs if one.id == "new")
    assert (new.title, new.measured_by, new.published) == (about.title, about.measured_by, str(DAY))
    assert (new.machine, new.machine_stated) == ("two-boards-80gb", "Two Boards 80GB")
    assert (dict(new.software), new.weights, new.rights) == (
        about.software,
        about.weights,
        about.rights,
    )
    assert new.source is not None
    assert (new.source.url, new.publish_media) == (about.source, True)
    assert [(one.id, one.label) for one in new.series] == [("measured", Label.MEASURED_HERE)]


def test_the_day_of_ingest_is_named_as_such(project, clips):
    run(project, clips, "file\na.mp4\nb.mp4\n", about=About())

    text = (project.runs / "new" / "run.toml").read_text()
    assert f"published = {date.today().isoformat()}  # the day of ingest;" in text
    assert tomllib.loads(text)["published"] == date.today()


def test_the_same_input_gives_the_same_bytes(project, clips):
    run(project, clips, "file,prompt\nb.mp4,P 1\na.mp4,P 2\n")
    first = tree(project.root)
    shutil.rmtree(project.runs / "new")

    run(project, clips, "file,prompt\nb.mp4,P 1\na.mp4,P 2\n")

    assert tree(project.root) == first
    assert [row["file"] for row in rows(project)] == ["b.mp4", "a.mp4"]


def test_links_share_the_bytes_and_none_takes_no_file(project, clips):
    run(project, clips, "file\na.mp4\nb.mp4\n", media="link")
    assert (project.runs / "new" / "media" / "a.mp4").samefile(clips / "a.mp4")
    shutil.rmtree(project.runs / "new")

    report = run(project, clips, "file\na.mp4\nb.mp4\n", media="none")
    assert not (project.runs / "new" / "media").exists()
    assert "not copied: builds find them with --mirror" in str(report)
    made = [clip for clip in load(project).clips if clip.run == "new"]
    assert [clip.sha256 for clip in made] == [sha(clips / "a.mp4"), sha(clips / "b.mp4")]


def test_a_run_is_never_changed(project, clips):
    before = tree(project.root)

    with pytest.raises(UsageError, match="content/runs/cards: this run is there already"):
        ingest(
            clips,
            table=table(clips, "file\na.mp4\n"),
            run_id="cards",
            project=project,
            validate=validate,
        )

    assert tree(project.root) == before


@pytest.mark.parametrize("run_id", ["My Run", "../x", "a--b", ".x", "", "a/b"])
def test_a_run_id_must_be_one(project, clips, run_id):
    with pytest.raises(UsageError, match="no id for a run"):
        ingest(
            clips,
            table=table(clips, "file\na.mp4\n"),
            run_id=run_id,
            project=project,
            validate=validate,
        )


@pytest.mark.parametrize(
    ("about", "words"),
    [
        (About(label=Label.MEASURED_HERE), "--software NAME=VERSION"),
        (About(publish_media=True), "--publish-media: .* state it with --rights"),
        (About(publish_media=True, rights=" Not stated"), "--rights"),
        (About(machine=""), '--machine "": is empty'),
        (About(pipeline=" "), '--pipeline " ?": is empty'),
    ],
)
def test_statements_that_others_hang_on_are_asked_for(project, clips, about, words):
    before = tree(project.root)

    with pytest.raises(UsageError, match=words):
        run(project, clips, "file\na.mp4\nb.mp4\n", about=about)

    assert tree(project.root) == before


@pytest.mark.parametrize("failing", ["_take", "rename"])
def test_a_failing_ingest_leaves_nothing(project, clips, monkeypatch, failing):
    before = tree(project.root)

    def fail(*arguments: object) -> None:
        raise MediaError("changed while it was being copied")

    if failing == "rename":
        monkeypatch.setattr(Path, "rename", fail)
    else:
        monkeypatch.setattr(ingesting, failing, fail)
    with pytest.raises(MediaError):
        run(project, clips, "file\na.mp4\nb.mp4\n")

    assert tree(project.root) == before
    assert [path.name for path in project.runs.iterdir() if path.name.startswith(".")] == []


def test_a_killed_ingest_is_invisible_and_replaced(project, clips):
    """What it left has a hidden name: content loads as if it were not there."""
    left = project.runs / ".ingest-new"
    (left / "media").mkdir(parents=True)
    (left / "media" / "a.mp4").write_bytes(b"half")
    assert len(load(project).runs) == 2

    run(project, clips, "file\na.mp4\nb.mp4\n")

    assert not left.exists()
    assert len(load(project).runs) == 3


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"source": "notaurl"}, '--source: "notaurl" is no web address; write one that begins'),
        ({"url_prefix": "javascript:x/"}, '--url-prefix: "javascript:x/a.mp4" is no web address;'),
        ({"measured_by": ""}, "--measured-by: is empty; write it: Who measured."),
        ({"weights": " "}, "--weights: is empty;"),
        ({"rights": ""}, "--rights: is empty;"),
        ({"title": "a\x07b"}, "--title: "),
        ({"machine": "a\x07b"}, "--machine: "),
        ({"pipeline": "a\x07b"}, "--pipeline: "),
        ({"software": {"torch": "a\x07b"}}, "--software: "),
    ],
)
def test_what_no_build_would_accept_is_not_written(project, clips, about, said):
    (found,) = complaints(
        project, clips, "file\na.mp4\nb.mp4\n", about=About(**{"published": DAY, **about})
    )

    assert found.startswith(said)


def test_mistakes_of_options_and_lines_are_named_together(project, clips):
    assert complaints(
        project,
        clips,
        "file,link,steps,prompt\n"
        'a.mp4,https://[,2,"two\x07 words"\n'
        "b.mp4,https://user:key@example.org/b.mp4,many,kite\n",
        about=About(published=DAY, source="https://[", rights=""),
    ) == [
        'results.csv line 3, steps: "many" is no step count; write 1 or more, or 2/2/2 for stages',
        'results.csv line 2, prompt: "two\ufffd words" holds a control character; take it out',
        '--source: "https://[" is no web address; write one that begins with https://',
        "--rights: is empty; write it: Whose clips these are and what may be done with them.",
        'results.csv line 2, link: "https://[" is no web address; '
        "write one that begins with https://",
        'results.csv line 3, link: "https://user:key@example.org/b.mp4" holds a user\'s name; '
        "an address that is published must not",
    ]


def test_lines_are_counted_as_the_table_counts_them(project, clips):
    """Neither blank lines nor fields of several lines shift what is complained of."""
    said = complaints(
        project,
        clips,
        'file,x-note,url\n\na.mp4,"one\ntwo",https://example.org/a\n\nb.mp4,,nowhere\n',
    )

    assert [line.partition(": ")[0] for line in said] == ["results.csv line 6, url"]


def test_mistakes_that_stood_in_content_before_are_none_of_this_run(project, clips):
    (project.content / "prompts" / "broken.md").write_text("no front matter")
    (project.content / "site.toml").write_text("title = 3")

    run(project, clips, "file\na.mp4\nb.mp4\n")

    assert (project.runs / "new" / "run.toml").is_file()


def test_a_card_s_pipeline_takes_no_clips_of_others(project, clips):
    """What content/ says of a pipeline decides which rows it can have."""
    (said, *_) = complaints(project, clips, "file,model\na.mp4,test-card\nb.mp4,test-card\n")

    assert said.startswith("results.csv line 2, ")


# --- disks and other runs


@pytest.mark.parametrize("place", ["runs", "content", "cache"])
def test_a_project_that_cannot_be_written_is_named(project, clips, place, monkeypatch):
    real = Path.mkdir
    refused = {"runs": project.runs, "content": project.content, "cache": project.cache}[place]

    def mkdir(path: Path, *arguments: object, **options: object) -> None:
        if path.is_relative_to(refused):
            raise OSError(30, "Read-only file system", str(path))
        real(path, *arguments, **options)

    before = tree(project.content)
    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(UsageError) as caught:
        run(project, clips, "file,model\na.mp4,m\nb.mp4,m\n")

    assert str(caught.value).startswith(f"{refused}")
    assert "cannot be read or written (Read-only file system), so nothing was" in str(caught.value)
    assert tree(project.content) == before


def test_a_file_where_the_cache_should_be_is_named(project, clips):
    project.cache.write_text("x")

    with pytest.raises(UsageError, match=r"\.cache: cannot be read or written \(File exists\)"):
        run(project, clips, "file\na.mp4\nb.mp4\n")


def test_a_run_s_name_has_an_end(project, clips):
    with pytest.raises(UsageError, match=r'--run "x+ … x+": no id for a run; write 80 characters'):
        ingest(
            clips,
            table=table(clips, "file\na.mp4\n"),
            run_id="x" * 300,
            project=project,
            validate=validate,
        )


@pytest.mark.parametrize("second", ["new", "newer"])
def test_two_ingests_at_once_do_not_disturb_each_other(project, clips, second):
    """The one that comes second is told so, whether it makes the same run or only the same stub."""
    said: list[str] = []

    def validate_slowly(draft: Path) -> None:
        with pytest.raises(UsageError) as caught:
            ingest(
                clips,
                table=clips / "results.csv",
                run_id=second,
                project=project,
                validate=validate,
            )
        said.append(str(caught.value))
        validate(draft)

    where = table(clips, "file,model\na.mp4,new model\nb.mp4,new model\n")
    ingest(clips, table=where, run_id="new", project=project, validate=validate_slowly)

    assert said == [
        f"{project.root}: another ingest is under way in this project; wait for it to end"
    ]
    if second != "new":
        ingest(clips, table=where, run_id=second, project=project, validate=validate)
    assert len(load(project).runs) == (3 if second == "new" else 4)


def test_processes_at_once_make_one_run(project, clips):
    """Real processes on one id: one wins, all others say why in one line."""
    where = table(clips, "file,model\na.mp4,new model\nb.mp4,new model\n")
    command = [sys.executable, "-m", "generator", "ingest", str(clips), "--table", str(where)]
    command += ["--run", "new", "--root", str(project.root)]
    root = Path(__file__).resolve().parents[2]
    running = [
        subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = [process.communicate(timeout=120)[1] for process in running]

    assert sorted(process.returncode for process in running) == [0, 2, 2]
    for process, text in zip(running, said, strict=True):
        lines = text.strip().splitlines()
        assert len(lines) == (1 if process.returncode else 0), text
        assert not lines or "another ingest is under way" in text or "there already" in text
    assert len(load(project).runs) == 3


# --- mistakes


def test_all_mistakes_are_named_at_once_and_nothing_is_written(project, clips, cards, tmp_path):
    shutil.copyfile(cards / "c.mp4", clips / "c.mp4")
    (clips / "forgotten.webm").write_bytes(b"x")
    (clips / "text.mp4").write_text("#EXTM3U\nhttp://127.0.0.1/x\n")
    (clips / "empty.mp4").write_bytes(b"")
    (clips / "lfs.mp4").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    (clips / "out.mp4").symlink_to(cards / "a.mp4")
    zeros = "0" * 64

    said = complaints(
        project,
        clips,
        "file,size,steps,fps,sha256,bytes,url\n"
        "a.mp4,848x480,0,20,,,\n"
        f"b.mp4,,4,fast,{zeros},7,\n"
        "c.mp4,big,4,,,,ftp://x\n"
        "c.mp4,,4,,,,\n"
        "d.mp4,,4,,,,\n"
        "text.mp4,,,,,,\n"
        "empty.mp4,,,,,,\n"
        "lfs.mp4,,,,,,\n"
        "out.mp4,,,,,,\n"
        "../a.mp4,,,,,,\n"
        ",160x96,2,3,,,\n",
    )

    place = "results.csv line"
    expected = [
        f'{place} 2, steps: "0" is no step count; write 1 or more, or 2/2/2 for stages',
        f'{place} 3, fps: "fast" is no frame rate; write digits, such as 49.3',
        f'{place} 4, size: "big" is no size; write width x height, such as 848x480',
        f'{place} 5, file: "c.mp4" stands in line 4 already; name each file once',
        f'{place} 6, file: no file "d.mp4" in the folder; did you mean "c.mp4"?',
        f'{place} 9, file: "lfs.mp4" is a Git LFS pointer and not the clip itself; '
        "run `git lfs pull`; where Netlify builds, set GIT_LFS_ENABLED=true",
        f'{place} 10, file: "out.mp4" leads out of its folder; '
        "put the file itself there instead of a link",
        f'{place} 11, file: no file "../a.mp4" in the folder; did you mean "a.mp4"?',
        f"{place} 12, file: is missing; "
        "name the clip's file, or say in a column no_clip why there is none",
        "forgotten.webm: no line of results.csv names this file; "
        "add a line for it, or move it out of the folder",
        f"{place} 2, size: says 848x480, the file holds 160x96; "
        "mend the line, or put the right file there",
        f"{place} 3, sha256: says {zeros}, the file's is {sha(clips / 'b.mp4')}; "
        "put the file that was measured there, or mend the line",
        f"{place} 3, bytes: says 7, the file holds {(clips / 'b.mp4').stat().st_size}; "
        "put the file that was measured there, or mend the line",
        f'{place} 4, url: "ftp://x" is no web address; write one that begins with https://',
    ]
    unreadable = [line for line in said if line.startswith(("text.mp4: ", "empty.mp4: "))]
    assert [line for line in said if line not in unreadable] == expected
    assert len(unreadable) == 2
    assert all("; " in line for line in unreadable)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "results.csv: the table holds no line; write a line per clip under a line of names"),
        (
            "steps\n2\n",
            'results.csv line 1: no column names the clips\' files; add a column "file"',
        ),
        (
            "file,fps,output_fps\na.mp4,1,2\nb.mp4,1,2\n",
            'results.csv line 1: "fps" and "output_fps" could both be fps; '
            'rename the one that is not meant, such as to "x-output_fps"',
        ),
        (
            "file,fps,fps\na.mp4,1,2\nb.mp4,1,2\n",
            'results.csv line 1: column "fps" stands twice; keep one',
        ),
        (
            "file,steps\na.mp4,2,3\nb.mp4,2\n",
            'results.csv line 2: 3 fields under 2 names; quote fields that hold commas: "a, b"',
        ),
        (
            'file,steps\na.mp4,2\nb.mp4,"2\n',
            "results.csv line 3: a field in quotation marks begins here and does not end; "
            'close it; inside such a field write the mark twice ("")',
        ),
        (
            "id,file\nx,a.mp4\nX,b.mp4\n",
            'results.csv line 3, id: "X" stands in line 2 already; give each line an id of its own',
        ),
        (
            "file,no_clip\na.mp4,\nb.mp4,gone\n",
            "results.csv line 3, no_clip: there is a file as well; leave one of the two empty",
        ),
        (
            "file,steps,no_clip\na.mp4,2,\nb.mp4,2,\n,4,gone\n",
            "results.csv line 4, size: is missing; "
            "there is no file to take it from; write width x height",
        ),
    ],
)
def test_a_table_s_mistakes_have_lines_and_remedies(project, clips, text, expected):
    assert expected in complaints(project, clips, text)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'file,steps\n"a.mp4,2\nb.mp4,4\n', "line 2: a field in quotation marks begins here"),
        (b'file,steps\n"a.mp4,2\nb.mp4,"4"\n', "line 2: no valid CSV up to line 3: "),
        (b"file,steps\na.mp4,2\nb.mp4,caf\xe9\n", "byte 28: this is not UTF-8 text"),
        ("file\na.mp4\nb.mp4\n".encode("utf-16"), "byte 0: this is not UTF-8 text"),
        (b"", ": the table holds no line"),
        (b"file,steps\n", ": the table holds no line"),
        (b",".join(b"x%d" % i for i in range(300)) + b"\na.mp4\n", "line 1: 300 columns"),
    ],
)
def test_what_is_no_table_is_said_alone(project, clips, data, says):
    """That no line names a.mp4 and b.mp4 comes of it, and would be the longer part."""
    path = clips / "results.csv"
    path.write_bytes(data)
    with pytest.raises(ContentError) as caught:
        ingest(clips, table=path, run_id="new", project=project, validate=validate)
    (complaint,) = caught.value.complaints
    assert says in str(complaint)


def test_line_breaks_in_a_cell_are_one_kind_of_line_break(project, clips):
    """A bare carriage return would break the line of the table that is written."""
    table(clips, "")
    path = clips / "results.csv"
    path.write_bytes(b'file,prompt\r\na.mp4,"one\r\ntwo\rthree"\r\nb.mp4,"one\r\ntwo\rthree"\r\n')
    ingest(
        clips,
        table=path,
        run_id="new",
        project=project,
        validate=validate,
        about=About(published=DAY),
    )

    assert [row["prompt"] for row in rows(project)] == ["one-two-three"] * 2
    prompts = {prompt.id: prompt.text for prompt in load(project).prompts}
    assert prompts["one-two-three"] == "one\ntwo\nthree"


def test_ten_thousand_equal_cells_get_ids_of_their_own(project, clips):
    (clips / "a.mp4").unlink()
    (clips / "b.mp4").unlink()
    text = "size,prompt,no_clip\n" + "2x2,A tower,gone\n" * 10_000

    report = run(project, clips, text)

    ids = [row["id"] for row in rows(project)]
    assert report.rows == 10_000
    assert len(set(ids)) == 10_000
    assert ids[:2] == ["not-stated-a-tower-2x2-published", "not-stated-a-tower-2x2-published-2"]
    assert ids[-1].endswith("-10000")


def test_a_table_in_another_encoding_is_named(project, clips):
    path = clips / "results.csv"
    path.write_bytes("file,prompt\na.mp4,caf\xe9\n".encode("latin-1"))

    with pytest.raises(ContentError, match="byte 21: this is not UTF-8 text"):
        ingest(clips, table=path, run_id="new", project=project, validate=validate)


# --- small parts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clip_p0_res512x288_steps10", "clip-p0-res512x288-steps10"),
        ("My Model 2.1 (FP8)", "my-model-2.1-fp8"),
        ("Zürich—Éé", "zurich-ee"),
        ("...a..b.-c-.d", "a-b-c-d"),
        ("x" * 79 + " yz", "x" * 79),
        ("y" * 300, "y" * 80),
    ],
)
def test_ids_are_made_of_anything(text, expected):
    assert slug(text) == expected
    assert re.fullmatch(forms.ID_PATTERN, slug(text))


def test_an_id_is_made_of_nothing_else():
    assert slug("日本 ©…") == ""


@pytest.mark.parametrize(
    "text", ['a "b" \\ c', "tab\tnew\nline", "\x00\x1f\x7f\x85\u2028\ufeff", "😀 é"]
)
def test_quoted_text_is_the_same_in_toml_and_yaml(text):
    import yaml

    assert tomllib.loads(f"a = {quoted(text)}")["a"] == text
    assert yaml.safe_load(f"a: {quoted(text)}")["a"] == text


def test_files_that_look_like_commands_are_only_names(project, clips):
    (clips / "a.mp4").rename(clips / "-i ~x;$(y).mp4")

    run(project, clips, "file\n-i ~x;$(y).mp4\nb.mp4\n")

    assert rows(project)[0]["id"] == "i-x-y"
    assert (project.runs / "new" / "media" / "-i ~x;$(y).mp4").is_file()
    load(project)


# --- the real archive


@pytest.mark.archive
def test_the_archive_s_own_table_is_understood_as_it_is(archive, tmp_path, project):
    report = ingest(
        archive,
        table=archive / "archive.csv",
        run_id="x",
        project=project,
        validate=validate,
        about=About(published=DAY),
        media="none",
    )

    with (archive / "archive.csv").open(newline="") as file:
        expected = list(csv.DictReader(file))
    made = [clip for clip in load(project).clips if clip.run == "x"]
    assert len(made) == report.rows == report.with_file == 35
    for clip, row in zip(made, expected, strict=True):
        assert (clip.sha256, clip.size, str(clip.stated_frames)) == (
            row["sha256"],
            row["resolution"],
            row["frames"],
        )
        assert (clip.pipeline, clip.prompt) == (row["model"], row["prompt"])
        assert "/".join(map(str, clip.steps)) == row["steps"]
        assert clip.fps == (Fraction(row["published_fps"]) if row["published_fps"] else None)
        suffix = {"rife": "rife", "none": "no-interpolation"}[row["interpolation"]]
        assert clip.series == f"published-{suffix}"
    assert report.stubs == (
        "content/pipelines/helios-distilled.toml",
        "content/prompts/cyberpunk-detective.md",
        "content/prompts/drone-metropolis.md",
        "content/pipelines/memflow.toml",
        "content/machines/not-stated.toml",
    )
