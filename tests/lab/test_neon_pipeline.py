"""Neon through `generate`: the whole path with random weights, and what is said without weights."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")

from generator.catalogue import load  # noqa: E402
from generator.cli import main  # noqa: E402
from generator.clips.probe import probe  # noqa: E402
from generator.errors import MediaError, UsageError  # noqa: E402
from generator.lab.models import neon as nets  # noqa: E402
from generator.lab.models import neon_weights as stored  # noqa: E402
from generator.lab.models.weights import fill_randomly  # noqa: E402
from generator.lab.pipelines import PIPELINES, Parts, Request, open_pipeline  # noqa: E402
from generator.lab.pipelines.neon import random_config, timesteps_for  # noqa: E402
from generator.lab.proof import another, prove  # noqa: E402
from generator.project import Project  # noqa: E402
from generator.records import EXTRA_PREFIX  # noqa: E402

SAMPLE = Path(__file__).resolve().parents[1] / "sample"
PARTS = Parts(device="cpu", dtype="float32", weights="random", tiny=True)
ALLEY = "A detective walks down a neon-lit alley in the rain, 8k."
REQUEST = Request(prompt=ALLEY, width=48, height=32, steps=(2,), seed=3)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    shutil.copytree(SAMPLE / "content", tmp_path / "content")
    neon = 'title = "Neon"\nsummary = "A model."\ncontent_rate_hz = 12\n'
    (tmp_path / "content" / "pipelines" / "neon.toml").write_text(neon, "utf-8")
    for prompt in (tmp_path / "content" / "prompts").glob("*.md"):
        text = f'---\ntitle: {prompt.stem}\ntext: "{ALLEY}"\n---\nWords.\n'
        prompt.write_text(text, "utf-8")
    return Project(root=tmp_path)


def a_folder(path: Path, **options: Any) -> tuple[Path, Any, Any, Any]:
    """A tiny Neon, stored."""
    config = random_config(tiny=True)
    neon, vae = stored.build(config, device=torch.device("cpu"), dtype=torch.float32)
    fill_randomly(neon, 1)
    fill_randomly(vae, 2)
    vae.latents_std.fill_(0.7)
    vae.latents_spread.copy_(torch.linspace(0.5, 1.5, len(vae.latents_spread)))
    stored.save(path, {"neon": neon, "vae": vae}, config, **options)
    return path, config, neon, vae


def test_the_command_makes_clips_of_exactly_the_length_asked_for(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """2 s at Neon's 12 frames a second are 24 frames: two chunks, and not a frame less in the
    first. Unknown words are told, and stand in the record."""
    prompt = next((project.content / "prompts").glob("*.md")).stem
    arguments = [
        *("generate", "--root", str(project.root), "--pipeline", "neon", "--weights", "random"),
        *("--tiny", "--device", "cpu", "--dtype", "float32", "--size", "48x32", "--steps", "2"),
        *("--seconds", "2", "--repeats", "1", "--run", "mine", "--machine", "sample-gpu"),
        *("--keep-noise", "--prompt", prompt),
    ]
    assert main(arguments) == 0
    said = capsys.readouterr()
    assert f"{prompt}: says nothing to neon: 8k" in said.err
    folder = project.runs / "mine"
    with (folder / "clips.csv").open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    facts = probe(folder / "media" / row["file"])
    assert (facts.frame_count, facts.duration_s) == (24, 2)
    assert row[f"{EXTRA_PREFIX}words-not-read"] == "8k"
    cell = json.loads(next((folder / "cells").glob("*.json")).read_text("utf-8"))
    assert set(cell["takes"][0]["frames"]) == {12}
    assert cell["further"]["attributes"].startswith("scene alley; neon 0.8 share")


def test_without_weights_it_is_said_what_is_missing_and_how_to_train(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(
        [
            *("generate", "--root", str(project.root), "--pipeline", "neon", "--device", "cpu"),
            *("--run", "mine", "--machine", "sample-gpu", "--dtype", "float32"),
        ]
    )
    said = capsys.readouterr().err
    assert code == 1
    assert str(Path("weights", "neon", "config.json")) in said
    assert "python -m generator train neon" in said
    assert "--weights random" in said
    assert not (project.runs / "mine").exists()


def test_shipped_weights_run_without_a_word_about_run_or_machine(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """The README's command with small pictures: a run that names its own computer, whose clips
    the site may show; the same command again makes nothing, and other steps join it."""
    a_folder(project.weights / "neon")
    own = 'title = "A computer"\nsource = "nobody"\n'
    (project.content / "machines" / "own-computer.toml").write_text(own, "utf-8")
    arguments = ["generate", "--root", str(project.root), "--pipeline", "neon", "--seconds", "2"]
    arguments += ["--size", "48x32", "--repeats", "1", "--device", "cpu"]
    assert main([*arguments, "--steps", "1"]) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert main([*arguments, "--steps", "1"]) == 0
    assert "0 cells made, 1 were there" in capsys.readouterr().out
    assert main([*arguments, "--steps", "2"]) == 0
    catalogue = load(project)
    (run,) = (run for run in catalogue.runs if run.id == "own-neon-2s")
    assert (run.machine, run.measured_by) == ("own-computer", "whoever built this site")
    assert run.publish_media
    assert "this project" not in run.summary
    assert "threads" in run.machine_stated
    assert "random" not in run.weights
    clips = [clip for clip in catalogue.clips if clip.run == run.id]
    assert f"-48x32-1: {float(clips[0].fps or 0):.2f} FPS, " in said
    assert [clip.steps for clip in clips] == [(1,), (2,)]
    for clip in clips:
        facts = probe(run.folder / "media" / str(clip.file))
        assert (facts.frame_count, facts.duration_s) == (24, 2)


def test_speed_alone_keeps_no_clips_and_says_so(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a matrix file, which also says what a clip may weigh."""
    a_folder(project.weights / "neon")
    order = project.root / "cpu.toml"
    order.write_text(
        'run = "cpu"\nmachine = "sample-gpu"\npipeline = "neon"\nsizes = ["48x32"]\nsteps = [1]\n'
        'seconds = 2\nrepeats = 1\ndevice = "cpu"\nclips = false\nclip_mb = 0.5\n',
        "utf-8",
    )
    command = ["generate", "--root", str(project.root), "--matrix", str(order)]
    assert main(command) == 0, capsys.readouterr().err
    assert main([*command, "--steps", "2", "--clips"]) == 0
    with (project.runs / "cpu" / "clips.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert float(first["fps"]) > 0
    assert (first["file"], first["no_clip"]) == ("", "speed only: this run kept no clips")
    assert (project.runs / "cpu" / "media" / second["file"]).stat().st_size <= 500_000
    run = next(run for run in load(project).runs if run.id == "cpu")
    assert any("more than 500,000 bytes" in sentence for sentence in run.protocol)


def test_a_dry_run_counts_neons_work(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """512x288 unless stated otherwise: 1,728 tokens a chunk that see 5,184, 20 chunks for 20 s."""
    assert main(["generate", "--root", str(project.root), "--pipeline", "neon", "--dry-run"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if "512x288" in line).split()
    assert row[1:4] == ["1728", "5184", "20"]


def test_a_wiped_pipeline_is_a_fresh_one_and_every_memory_matters() -> None:
    before = another(REQUEST, PIPELINES["neon"].another(REQUEST.prompt))
    proof = prove("neon", PARTS, REQUEST, before, chunks=2, chunks_before=4)
    assert tuple(proof.mutations) == ("kv-cache", "cross-attention", "vae-features", "noise")
    assert proof.holds, proof


def test_a_stream_is_the_batched_one_that_is_measured_with() -> None:
    """The pipeline's latents, with cache and step list, against the twin that metrics use."""
    pipeline: Any = open_pipeline("neon", PARTS)
    pipeline.prepare(REQUEST)
    got = torch.stack(list(islice(pipeline.latents(), 4)))
    generator = torch.Generator().manual_seed(REQUEST.seed)
    noise = [torch.randn((3, 16, 4, 6), generator=generator) for _ in range(4)]
    reading = nets_reading(pipeline)
    texts = pipeline.neon.texts(*reading)
    steps = timesteps_for(2, pipeline.config.shift)
    assert steps == pytest.approx((1000.0, 750.0))
    spread = pipeline.decoder.vae.latents_spread
    made = nets.stream(pipeline.neon, texts, steps, lambda chunk: noise[chunk].unsqueeze(0), spread)
    with torch.inference_mode():
        wanted = torch.cat([next(made) for _ in range(4)])
    torch.testing.assert_close(got, wanted, rtol=1e-3, atol=1e-4)


def nets_reading(pipeline: Any) -> tuple[Any, Any]:
    from generator.lab import prompts

    config = pipeline.config
    reading = prompts.read(REQUEST.prompt, config.attributes)
    values = nets.stated([reading.shares.get(one.name) for one in config.attributes])
    return torch.tensor([config.scenes.index(reading.scene)]), values


def test_stored_weights_make_the_clip_that_they_were_stored_from(tmp_path: Path) -> None:
    """float16 in small pieces: through config.json and safetensors, the pictures differ by a level
    or two; pieces keep to their size and are named with their sha256."""
    folder, config, neon, vae = a_folder(tmp_path / "neon", most_bytes=40_000)
    pieces = sorted(folder.glob("*.safetensors"))
    assert len(pieces) > 2
    assert all(path.stat().st_size <= 40_000 for path in pieces)
    read, again, vae_again, said = stored.open_parts(
        folder, device=torch.device("cpu"), dtype=torch.float32
    )
    assert replace(read, rounding={}) == config
    assert said.said.count("sha256") == len(pieces)
    for one, other in ((neon, again), (vae, vae_again)):
        for name, value in one.state_dict().items():
            torch.testing.assert_close(
                other.state_dict()[name], value.half().float(), rtol=0, atol=0
            )
    pipeline: Any = open_pipeline("neon", replace(PARTS, weights=str(folder), tiny=False))
    pipeline.prepare(REQUEST)
    first = next(pipeline.stream())
    assert first.shape == (12, 32, 48, 3)
    assert pipeline.said["weights"] == said.said


def test_eight_bits_lose_what_is_said(tmp_path: Path) -> None:
    """Against the rounding worked out here: no weight is off by more than half a level of its row,
    and the stated loss is the root of the mean square."""
    folder, _, neon, _ = a_folder(tmp_path / "neon", eight_bits=True)
    whole, _, _, _ = a_folder(tmp_path / "whole")
    read, state, _ = stored.load(folder)
    square = size = 0.0
    for name, value in neon.state_dict().items():
        off = (state[f"neon.{name}"] - value).abs()
        if value.ndim > 1 and value.numel() >= 4096 and "modulation" not in name:
            levels = value.flatten(1).abs().amax(dim=1) / 127
            assert (off.flatten(1) <= 0.5001 * levels.unsqueeze(1)).all()
        square += off.double().pow(2).sum().item()
        size += value.double().pow(2).sum().item()
    assert read.rounding["neon"] == pytest.approx((square / size) ** 0.5, rel=1e-6)
    assert 0 < read.rounding["vae"] < 1e-3 < read.rounding["neon"] < 2e-2
    bytes_of = [sum(p.stat().st_size for p in f.glob("*.safetensors")) for f in (folder, whole)]
    assert bytes_of[0] < 0.95 * bytes_of[1]


@pytest.mark.parametrize("spoilt", ["missing", "changed", "other"])
def test_spoilt_weights_are_refused_by_name(tmp_path: Path, spoilt: str) -> None:
    folder, *_ = a_folder(tmp_path / "neon")
    piece = next(folder.glob("*.safetensors"))
    if spoilt == "missing":
        piece.unlink()
    elif spoilt == "changed":
        piece.write_bytes(piece.read_bytes()[:-1] + b"x")
    else:
        (folder / "config.json").write_text('{"model": "Other"}', "utf-8")
    where = "config.json" if spoilt == "other" else piece.name
    with pytest.raises(MediaError, match=where.replace(".", r"\.")):
        open_pipeline("neon", replace(PARTS, weights=str(folder), tiny=False))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"vace": True}, "no VACE context"),
        ({"compile": "fast"}, "known are none, fused, graphs"),
        ({"compile": "graphs"}, "CUDA records graphs"),
    ],
)
def test_what_cannot_be_had_is_said(other: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_pipeline("neon", replace(PARTS, **other))


def test_twenty_seconds_are_whole_chunks() -> None:
    assert PIPELINES["neon"].content_rate_hz * 20 == Fraction(240)
    assert 240 % 12 == 0
