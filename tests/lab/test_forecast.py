"""What a dry run predicts, against the committed run of this code on one H200. No torch."""

from __future__ import annotations

import csv
import json
import tomllib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from generator.catalogue import load
from generator.errors import UsageError
from generator.lab import forecast as forecasting
from generator.lab import record as recording
from generator.lab.record import Cell, RunAbout
from generator.measure import roofline
from generator.measure.roofline import WAN_1_3B, WAN_VAE
from generator.measure.timing import Timing, summarised
from generator.project import Project
from generator.records import Machine

ROOT = Path(__file__).resolve().parents[2]
MEASURED = json.loads((ROOT / "benchmarks/results/memflow-h200.json").read_text("utf-8"))
TOLERANCE = 0.06


@pytest.fixture(scope="module")
def h200() -> Machine:
    machines = load(Project(root=ROOT)).machines
    return next(machine for machine in machines if machine.id == "h200-141gb")


def cell_of(record: dict[str, Any]) -> Cell:
    width, height = map(int, record["size"].split("x"))
    return Cell(
        pipeline="memflow",
        prompt=record["prompt"],
        text=record["prompt_text"],
        width=width,
        height=height,
        steps=tuple(record["steps"]),
        seed=record["seed"],
    )


def forecast_of(record: dict[str, Any], machine: Machine, **options: bool) -> forecasting.Forecast:
    (told,) = forecasting.forecast(
        [cell_of(record)],
        seconds=Fraction(20),
        content_rate_hz=Fraction(16),
        machine=machine,
        **options,
    )
    return told


def test_the_shares_are_those_of_the_committed_stages(h200: Machine) -> None:
    """A pass and a decoding timed by themselves, over the time that the data sheet allows."""
    stages = MEASURED["stages"]["cyberpunk-detective-848x480-4"]
    for part, work, took_ms in (
        ("dit", roofline.dit_pass(WAN_1_3B, 848, 480), stages["pass_ms.cudnn"]),
        ("vae", roofline.vae_chunk(WAN_VAE, 848, 480), stages["decode_and_transfer_ms"]),
    ):
        allowed = roofline.bound(work, h200)
        assert allowed is not None
        share = 1000 * allowed.seconds / took_ms
        assert forecasting.EFFICIENCY[part] == pytest.approx(share, abs=5e-4), part
    small = MEASURED["stages"]["cyberpunk-detective-512x288-4"]["pass_ms.cudnn"]
    assert pytest.approx(small / 1000, abs=5e-5) == forecasting.PASS_AT_LEAST_S


@pytest.mark.parametrize("cell", MEASURED["cells"])
def test_what_is_predicted_lies_near_what_was_measured(cell: str, h200: Machine) -> None:
    """Every cell of the committed run: the steady rate, made of stages timed at 4 steps only."""
    record = MEASURED["cells"][cell]
    timings = [
        Timing(
            arrivals_s=tuple(take["arrivals_s"]),
            frames=tuple(take["frames"]),
            settled_chunk=take["settled_chunk"],
        )
        for take in record["takes"]
    ]
    measured = summarised(timings, Fraction(16)).fps
    told = forecast_of(record, h200)
    assert told.predicted_fps == pytest.approx(measured, rel=TOLERANCE)
    assert told.bound_fps is not None
    assert measured < told.bound_fps, "no program is faster than its bound"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({}, 'work = "memflow"'),
        ({"memory": "sparse (SMA)"}, 'work = "memflow-sparse"'),
        ({"dtype": "float32"}, None),
        ({"architecture": "tiny, for tests"}, None),
    ],
)
def test_a_run_states_the_work_that_was_done(
    change: dict[str, str], line: str | None, tmp_path: Path
) -> None:
    """From the committed record of one cell; no bf16 limit for other dtypes or for toys."""
    record = json.loads(json.dumps(MEASURED["cells"]["cyberpunk-detective-848x480-4"]))
    record["conditions"] = json.loads(json.dumps(MEASURED["conditions"]))
    record["conditions"]["said"] |= change
    record = {"clip": None, "failed": "", "no_clip": "noise"} | record
    recording.keep(tmp_path, RunAbout(id="r", title="r", machine="h200-141gb"), record)
    written = (tmp_path / "run.toml").read_text("utf-8").splitlines()
    assert [one for one in written if one.startswith("work")] == ([line] if line else [])


def test_sparse_memory_is_counted(h200: Machine) -> None:
    """At 848x480 a token sees 12 x 1,590 others in place of 15 x 1,590, a pass is 29,151 GFLOP."""
    record = MEASURED["cells"]["cyberpunk-detective-848x480-4"]
    dense, sparse = (forecast_of(record, h200, sparse_memory=flag) for flag in (False, True))
    assert (dense.attended, sparse.attended) == (15 * 1590, 12 * 1590)
    assert sparse.dit.flop / 5e9 == pytest.approx(29_151, rel=2e-4)
    assert sparse.vae == dense.vae


HELIOS = Cell(
    pipeline="helios",
    prompt="dawn",
    text="A lake at dawn.",
    width=640,
    height=384,
    steps=(1, 1, 1),
    seed=0,
)


def test_stages_chunks_and_both_parts_of_helios_are_told(h200: Machine) -> None:
    """15 chunks of 33 frames for 20 s at 24; the work by hand as in test_roofline."""
    one, two = forecasting.forecast(
        [HELIOS, replace(HELIOS, steps=(2, 2, 2))],
        seconds=Fraction(20),
        content_rate_hz=Fraction(24),
        machine=h200,
    )
    assert (one.chunks, one.frames, one.tokens, one.attended) == (15, 480, 8640, 11040)
    assert one.dit.flop / 1e12 == pytest.approx(541.8, abs=0.1)
    assert two.dit.flop / 1e12 == pytest.approx(1083.6, abs=0.1)
    assert one.vae.flop / 1e12 == pytest.approx(69.3, abs=0.1)
    assert one.bound_fps == pytest.approx(33 * 989 / (541.8 + 69.3), rel=2e-3)
    assert one.predicted_s is not None
    assert one.bound_s is not None
    assert one.predicted_s > one.bound_s


def test_helios_has_no_sparse_memory_to_tell_of() -> None:
    with pytest.raises(UsageError, match="--sparse-memory: helios has none"):
        forecasting.forecast(
            [HELIOS],
            seconds=Fraction(20),
            content_rate_hz=Fraction(24),
            machine=None,
            sparse_memory=True,
        )


def a_record(series: str, path: str) -> dict[str, Any]:
    return recording.measured(
        HELIOS,
        timings=[Timing(arrivals_s=(1.0, 2.0, 3.0), frames=(33, 33, 33), settled_chunk=1)],
        peak_bytes=2**30,
        frames=480,
        frames_sha256=["0" * 64],
        step_list=(999.0, 743.0, 385.0),
        conditions={
            "pipeline": "helios",
            "machine": {"device": "NVIDIA H200"},
            "software": {"torch": "2.11"},
            "said": {
                "weights": "random, seed 0",
                "VAE weights": "random, seed 1",
                "dtype": "bfloat16",
                "path": path,
            },
            "seconds": "20",
            "repeats": 0,
            "day": "2026-11-22",
        },
        clip=None,
        no_clip="noise",
        series={"id": series, "title": f"Helios, {series}"},
    )


def test_a_run_keeps_the_ways_that_it_compares_apart(tmp_path: Path) -> None:
    """Each a series of its own, with what only holds of it beside it."""
    about = RunAbout(id="r", title="R", machine="h200-141gb", protocol=("How.",))
    for series, path in (("exact", "ours"), ("eager-diffusers", "theirs")):
        recording.keep(tmp_path / "r", about, a_record(series, path))
    found = tomllib.loads((tmp_path / "r" / "run.toml").read_text("utf-8"))
    assert [one["id"] for one in found["series"]] == ["eager-diffusers", "exact"]
    assert [one["work"] for one in found["series"]] == ["helios", "helios"]
    assert found["series"][1]["title"] == "Helios, exact, random weights"
    assert found["series"][1]["note"].endswith("path: ours.")
    assert found["series"][0]["note"].endswith("path: theirs.")
    assert "path" not in found["software"]
    assert found["software"]["dtype"] == "bfloat16"
    rows = list(csv.DictReader((tmp_path / "r" / "clips.csv").read_text("utf-8").splitlines()))
    assert {(row["id"], row["series"], row["steps"]) for row in rows} == {
        ("exact-dawn-640x384-1-1-1", "exact", "1/1/1"),
        ("eager-diffusers-dawn-640x384-1-1-1", "eager-diffusers", "1/1/1"),
    }
    assert [row["fps"] for row in rows] == ["33.00", "33.00"]


HELIOS_MEASURED = json.loads((ROOT / "benchmarks/results/helios-h200.json").read_text("utf-8"))


def test_the_shares_of_helios_are_those_of_the_committed_stages(h200: Machine) -> None:
    """Three passes, and decoding with transfer, timed by themselves."""
    stages = {name: one["median_ms"] for name, one in HELIOS_MEASURED["stages"].items()}
    passes = sum(stages[f"exact, pass of stage {stage}"] for stage in (1, 2, 3))
    decoding = stages["exact, decode"] + stages["exact, to 8 bit on the host"]
    works = roofline.cell_work(roofline.NETWORKS["helios"], 640, 384, (1, 1, 1))
    for part, work, took_ms in zip(("dit", "vae"), works, (passes, decoding), strict=True):
        allowed = roofline.bound(work, h200)
        assert allowed is not None
        share = 1000 * allowed.seconds / took_ms
        assert forecasting.EFFICIENCY[f"helios-{part}"] == pytest.approx(share, abs=5e-4), part


@pytest.mark.parametrize("steps", [(1, 1, 1), (2, 2, 2)])
def test_what_is_predicted_of_helios_lies_near_what_was_measured(
    steps: tuple[int, ...], h200: Machine
) -> None:
    """The takes by turns of the committed run, made of stages timed at [1,1,1] only; and at least
    1.2 times the eager rate of the same process."""
    (told,) = forecasting.forecast(
        [replace(HELIOS, steps=steps)],
        seconds=Fraction(20),
        content_rate_hz=Fraction(24),
        machine=h200,
    )
    rates = {}
    for record in HELIOS_MEASURED["cells"].values():
        if tuple(record["steps"]) == steps:
            found = summarised(recording.timings_of(record), Fraction(24))
            assert found.repeats >= 5
            rates[record["series"]["id"]] = found.fps
    assert told.predicted_fps == pytest.approx(rates["exact"], rel=TOLERANCE)
    assert told.bound_fps is not None
    assert rates["exact"] < told.bound_fps
    assert rates["exact"] >= 1.2 * rates["eager-diffusers"]
