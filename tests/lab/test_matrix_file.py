"""Which cells a run holds, from a file and from options; every mistake in one go. No torch."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from generator.errors import ContentError, UsageError
from generator.lab import matrix

TEXTS = {"dawn": "A lake at dawn.", "night": "A city at night."}


def read(tmp_path: Path, text: str) -> matrix.Matrix:
    path = tmp_path / "matrix.toml"
    path.write_text(text, "utf-8")
    return matrix.read_matrix(path)


def ids(found: matrix.Matrix) -> list[str]:
    return [cell.id for cell in matrix.cells_of(found, TEXTS)]


def test_a_block_is_every_combination(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        'prompts = ["dawn", "night"]\nsizes = ["512x288", "848x480"]\nsteps = [2, 12]\n'
        'seconds = 2.5\nrepeats = 5\nrun = "r"\nweights = "random"\n',
    )
    assert ids(found) == [
        f"{prompt}-{size}-{steps}"
        for prompt in ("dawn", "night")
        for size in ("512x288", "848x480")
        for steps in (2, 12)
    ]
    assert (found.seconds, found.repeats, found.run) == (Fraction(5, 2), 5, "r")


def test_further_blocks_take_over_what_they_leave_out(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        'prompts = ["dawn"]\nsteps = [2]\n[[cells]]\nsizes = ["512x288"]\n'
        "[[cells]]\nsteps = [4]\nseeds = [7]\n",
    )
    assert ids(found) == ["dawn-832x480-2", "dawn-512x288-2", "dawn-832x480-4-seed-7"]


def test_blocks_alone_bring_no_cell_of_their_own(tmp_path: Path) -> None:
    found = read(tmp_path, '[[cells]]\nprompts = ["dawn"]\nsizes = ["512x288"]\n')
    assert ids(found) == ["dawn-512x288-4"]


def test_every_mistake_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ContentError) as caught:
        read(
            tmp_path,
            'pipelin = "memflow"\nsizes = ["512x288", "500x288", "big"]\nsteps = [0, "4/4"]\n'
            'repeats = 0\nseconds = "long"\n[[cells]]\nsize = "512x288"\nseeds = [-1]\n',
        )
    told = [(c.where.partition("$.")[2], c.problem, c.remedy) for c in caught.value.complaints]
    assert told == [
        ("pipelin", "is not known here", told[0][2]),
        ("repeats", "0 is no whole number from 1", "write 1 or more"),
        ("seconds", "'long' is no length", "write seconds, such as 20"),
        ("sizes[1]", '"500x288" does not divide by 16 on both sides', "write such as 496x288"),
        ("sizes[2]", '"big" is no size', "write width x height in pixels, such as 848x480"),
        ("steps[0]", '"0" is no step count', "write 1 to 1000, or 2/2/2 for stages"),
        (
            "steps[1]",
            '"4/4" holds 2 numbers where this pipeline has one stage',
            "write one number",
        ),
        ("cells[0].size", "is not known here", "known are prompts, sizes, steps, seeds"),
        ("cells[0].seeds[0]", '"-1" is no seed', "write a whole number from 0"),
    ]


def test_options_go_before_the_file(tmp_path: Path) -> None:
    found = read(tmp_path, 'prompts = ["dawn"]\nsizes = ["512x288"]\nsteps = [2]\nseconds = 2\n')
    changed = matrix.with_options(
        found, steps=["8"], seconds=20.0, seed=3, dtype="float32", device=None
    )
    assert ids(changed) == ["dawn-512x288-8-seed-3"]
    assert (changed.seconds, changed.dtype, changed.device) == (20, "float32", "cuda")


def test_sparse_memory_is_ordered_by_file_or_option(tmp_path: Path) -> None:
    ordered = read(tmp_path, 'prompts = ["dawn"]\nsparse_memory = true\nweights = "random"\n')
    plain = read(tmp_path, 'prompts = ["dawn"]\nweights = "random"\n')
    assert matrix.parts_of(ordered).sparse_memory
    assert matrix.parts_of(matrix.with_options(ordered, sparse_memory=None)).sparse_memory
    assert not matrix.parts_of(plain).sparse_memory
    assert matrix.parts_of(matrix.with_options(plain, sparse_memory=True)).sparse_memory
    with pytest.raises(ContentError, match=r"sparse_memory: 1 is neither true nor false"):
        read(tmp_path, "sparse_memory = 1\n")


def test_without_a_prompt_all_are_made() -> None:
    assert ids(matrix.Matrix()) == ["dawn-832x480-4", "night-832x480-4"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sizes": ["850x480"]}, "--size 850x480: does not divide by 16"),
        ({"steps": ["four"]}, "--steps four: is no step count"),
        ({"pipeline": "helio"}, "runs no such pipeline"),
    ],
)
def test_an_option_that_cannot_be_is_named(options: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        matrix.with_options(matrix.Matrix(), **options)  # type: ignore[arg-type]


def test_a_prompt_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"'dusk'.*known are dawn, night"):
        matrix.cells_of(matrix.with_options(matrix.Matrix(), prompts=["dusk"]), TEXTS)


@pytest.mark.parametrize("run", ["My run", "-x", "a--b", "x" * 81])
def test_a_run_has_an_id(run: str) -> None:
    with pytest.raises(UsageError, match="no id for a run"):
        matrix.about_of(matrix.Matrix(run=run, machine="h200"))


def test_a_run_without_id_and_machine_is_told_of_both() -> None:
    with pytest.raises(UsageError, match=r"(?s)--run: not stated.*--machine: numbers are measured"):
        matrix.about_of(matrix.Matrix(run="", machine=""))


def test_a_file_orders_switches_and_a_context(tmp_path: Path) -> None:
    """5 s are frame 80; the first chunk that begins no sooner begins with frame 81 (12 * 7 - 3)."""
    found = read(
        tmp_path,
        'prompts = ["dawn"]\nswitches = ["5=night", "12.5=dawn"]\nreferences = ["a.png"]\n'
        'control = "b.mp4"\nmask = "c.png"\ncontext_scale = 0.5\n',
    )
    (cell,) = matrix.cells_of(found, TEXTS)
    assert [(one.chunk, one.at_s, one.text) for one in cell.switches] == [
        (7, Fraction(81, 16), TEXTS["night"]),
        (17, Fraction(201, 16), TEXTS["dawn"]),
    ]
    assert cell.id == "dawn-832x480-4-switched"
    files = matrix.context_files(found)
    assert (files.references, files.control) == ((Path("a.png"),), Path("b.mp4"))
    assert (files.mask, files.scale) == (Path("c.png"), 0.5)
    assert matrix.parts_of(found).vace
    assert not matrix.parts_of(matrix.Matrix()).vace


def test_mistakes_in_switches_and_context_have_their_place(tmp_path: Path) -> None:
    with pytest.raises(ContentError) as caught:
        read(
            tmp_path,
            'switches = ["5=night", "soon"]\nreferences = "a.png"\ncontrol = 3\n'
            'context_scale = "much"\n',
        )
    told = str(caught.value)
    for place in ("$.switches[1]", "$.references", "$.control", "$.context_scale"):
        assert place in told
    assert len(caught.value.complaints) == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "--size 832x480 --steps 4: does not divide by 64 on both sides; .* 832x512"),
        ({"sizes": ["640x384"]}, "holds 1 numbers where this pipeline has 3 stages"),
        ({"steps": ["2/2/2"]}, "does not divide by 64"),
    ],
)
def test_values_that_nobody_stated_are_held_against_the_pipeline(
    options: dict[str, list[str]], said: str
) -> None:
    """Helios has neither the usual size nor the usual steps."""
    stated = matrix.with_options(matrix.Matrix(), pipeline="helios", **options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=said):
        matrix.cells_of(stated, TEXTS)


def test_stages_are_told_apart_in_a_cells_name() -> None:
    stated = matrix.with_options(
        matrix.Matrix(), pipeline="helios", sizes=["640x384"], steps=["1/1/1", "2/2/2"]
    )
    assert ids(stated) == [
        f"{prompt}-640x384-{steps}" for prompt in TEXTS for steps in ("1-1-1", "2-2-2")
    ]


def test_a_file_orders_what_becomes_of_clips_and_who_measured(tmp_path: Path) -> None:
    """What only options could say before: a clip's weight, whether clips are kept and published."""
    found = read(
        tmp_path,
        'pipeline = "neon"\nclip_mb = 0.85\nclips = false\npublish_media = true\n'
        'measured_by = "Our lab"\nrun = "r"\nmachine = "m"\n',
    )
    assert (found.clip_mb, found.clips) == (0.85, False)
    run = matrix.about_of(found)
    assert (run.publish_media, run.measured_by) == (True, "Our lab")
    changed = matrix.with_options(found, clip_mb=2, clips=True, publish_media=None)
    assert (changed.clip_mb, changed.clips, changed.publish_media) == (2, True, True)
    plain = matrix.about_of(read(tmp_path, 'run = "r"\nmachine = "m"\n'))
    assert (plain.publish_media, plain.measured_by) == (False, "This project")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("clip_mb = 0", r"\$\.clip_mb: 0 is no size of a file; write megabytes"),
        ("clip_mb = true", r"\$\.clip_mb: True is no size of a file"),
        ("clip_mb = nan", r"\$\.clip_mb: nan is no size of a file"),
        ('clips = "no"', r"\$\.clips: 'no' is neither true nor false"),
        ("publish_media = 1", r"\$\.publish_media: 1 is neither true nor false"),
        ("measured_by = 1", r"\$\.measured_by: 1 is no text"),
    ],
)
def test_what_becomes_of_clips_is_said_rightly(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(ContentError, match=said):
        read(tmp_path, f"{line}\n")


def test_a_file_for_a_renderer_has_no_steps(tmp_path: Path) -> None:
    found = read(tmp_path, 'pipeline = "rendered"\nprompts = ["dawn"]\nsizes = ["32x16"]\n')
    assert ids(found) == ["dawn-32x16"]
    with pytest.raises(ContentError, match=r"steps\[0\]: .* does not denoise"):
        read(tmp_path, 'pipeline = "rendered"\nsteps = [4]\n')


def test_a_run_that_nobody_named_claims_nobodys_machine() -> None:
    """Of shipped weights; another length or mode is another run, so that numbers never mix."""
    ordered = matrix.with_options(matrix.Matrix(), pipeline="neon", seconds=2.0)
    run = matrix.about_of(matrix.own_run(ordered))
    assert (run.id, run.machine) == ("own-neon-2s", "own-computer")
    assert (run.measured_by, run.publish_media) == ("whoever built this site", True)
    other = matrix.with_options(ordered, seconds=2.5, compile="fused", measured_by="Our lab")
    run = matrix.about_of(matrix.own_run(other))
    assert (run.id, run.measured_by) == ("own-neon-2.5s-fused", "Our lab")
    run = matrix.about_of(matrix.own_run(matrix.with_options(ordered, run="mine")))
    assert (run.id, run.machine) == ("mine", "own-computer")
    named = matrix.with_options(ordered, machine="m")
    assert matrix.own_run(named) == named


def test_compile_modes_are_ordered_by_file_or_option(tmp_path: Path) -> None:
    ordered = read(tmp_path, 'prompts = ["dawn"]\ncompile = "graphs"\n')
    parts = matrix.parts_of(ordered)
    assert parts.compile == "graphs"
    parts = matrix.parts_of(matrix.with_options(matrix.Matrix(), compile="fused"))
    assert parts.compile == "fused"
    with pytest.raises(ContentError, match=r"compile: 1 is no text"):
        read(tmp_path, "compile = 1\n")
