"""The rendered reference: without a network, what the renderer makes of a prompt."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")

from neon_stand_in import shapes  # noqa: E402

from generator.errors import UsageError  # noqa: E402
from generator.lab import clock, generate, matrix, prompts, record  # noqa: E402
from generator.lab.pipelines import PIPELINES, Parts, Request, open_pipeline  # noqa: E402
from generator.lab.pipelines.rendered import RenderedPipeline  # noqa: E402
from generator.lab.train import rendered  # noqa: E402
from generator.lab.train.data import times_of  # noqa: E402

PARTS = Parts(device="cpu", dtype="float32", weights="")
REQUEST = Request(prompt="A detective in a rainy alley.", width=32, height=16, steps=(), seed=5)
TEXTS = {"dawn": "A drone over a metropolis at dusk."}


def by_hand(footage: Any) -> Any:
    """What the tables read in the prompt, put together without the project's own way to."""
    reading = prompts.read(REQUEST.prompt, footage.attributes)
    return replace(
        footage.draw(torch.tensor([5])),
        scene=torch.tensor([footage.scenes.index(reading.scene)]),
        values=torch.tensor(
            [[reading.shares.get(one.name, torch.nan) for one in footage.attributes]]
        ),
    )


def test_a_stream_is_the_scene_that_the_renderer_makes_of_the_prompt() -> None:
    """Frame for frame: the renderer itself, told what the tables read in the words."""
    pipeline: Any = open_pipeline("rendered", PARTS)
    pipeline.prepare(REQUEST)
    first = next(iter(pipeline.stream()))
    assert first.shape == (12, 16, 32, 3)
    footage = rendered.footage()
    condition = by_hand(footage)
    wanted = footage.render(condition, times_of(condition, 7, 1), 32, 16)[0, 0]
    gap = torch.tensor(first[7]).float() - (wanted * 255).round().permute(1, 2, 0)
    assert gap.abs().max() <= 1
    assert first.std() > 5, "pictures of one grey would prove nothing"


def stand_in() -> RenderedPipeline:
    return RenderedPipeline(shapes(), device=torch.device("cpu"), said={"weights": "none"})


def test_chunks_follow_each_other_and_every_stream_is_the_same() -> None:
    pipeline = stand_in()
    pipeline.prepare(REQUEST)
    one = list(islice(pipeline.stream(), 3))
    pipeline.wipe()
    two = list(islice(pipeline.stream(), 3))
    footage = shapes()
    condition = by_hand(footage)
    whole = footage.render(condition, times_of(condition, 0, 36), 32, 16)[0]
    wanted = (whole * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    for chunk in range(3):
        assert (one[chunk] == two[chunk]).all()
        assert (one[chunk] == wanted[12 * chunk : 12 * chunk + 12]).all()


def test_its_record_names_no_steps_and_no_generation(tmp_path: Path) -> None:
    """What `generate` writes of it: rows without steps, a run that says rendered, not generated."""
    ordered = matrix.with_options(matrix.Matrix(), pipeline="rendered", sizes=["32x16"], seconds=2)
    (cell,) = matrix.cells_of(ordered, TEXTS)
    assert (cell.id, cell.steps) == ("dawn-32x16", ())
    pipeline = stand_in()
    known = PIPELINES["rendered"]
    frames = clock.frames_of(Fraction(2), known.content_rate_hz)
    takes = generate.measure_cell(pipeline, cell, known, frames=frames, repeats=1, warm=set())
    assert sum(map(len, takes[0].frames)) == 24
    plan = generate.Plan(pipeline="rendered", cells=(cell,), parts=PARTS, seconds=Fraction(2))
    conditions = generate.conditions_of(plan, pipeline)
    entry = record.measured(
        cell,
        timings=[takes[0].timing],
        peak_bytes=None,
        frames=frames,
        frames_sha256=[takes[0].frames_sha256],
        step_list=pipeline.step_list(REQUEST),
        conditions=conditions,
        clip=None,
        no_clip="a test",
    )
    assert entry["steps"] == []
    (sentence, *_) = generate.protocol("rendered", (), Fraction(2), conditions["clock_includes"])
    assert sentence == "Before each clip every memory of the pipeline is emptied: it has none."
    assert record.weights_of(pipeline.said) == "none"
    about = record.RunAbout(id="a-run", title="A run", machine="a-machine")
    record.keep(tmp_path / "a-run", about, entry)
    told = tomllib.loads((tmp_path / "a-run" / "run.toml").read_text("utf-8"))
    assert told["summary"] == "1 cells rendered, not generated, and measured by this project."
    assert "decode" not in told["series"][0]["fps_means"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weights": "random"}, "has no weights"),
        ({"tiny": True}, "no toy"),
        ({"vace": True}, "no network"),
        ({"compile": "graphs"}, "known are none, fused"),
    ],
)
def test_what_only_networks_have_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_pipeline("rendered", replace(PARTS, **change))


def test_steps_are_refused_where_nothing_is_denoised() -> None:
    with pytest.raises(UsageError, match="does not denoise; leave them out"):
        matrix.with_options(matrix.Matrix(), pipeline="rendered", steps=["4"])
    pipeline = stand_in()
    with pytest.raises(UsageError, match="rendering has none"):
        pipeline.prepare(replace(REQUEST, steps=(4,)))
