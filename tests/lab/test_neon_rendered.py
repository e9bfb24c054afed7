"""Where the renderer of scenes and Neon's training meet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")
told: Any = pytest.importorskip(
    "generator.lab.train.scenes.attributes", reason="the renderer of scenes is not here yet"
)
made: Any = pytest.importorskip(
    "generator.lab.train.scenes.render", reason="the renderer of scenes is not here yet"
)

from generator.catalogue import load  # noqa: E402
from generator.lab import prompts  # noqa: E402
from generator.lab.train import metrics, rendered  # noqa: E402
from generator.lab.train.data import half_size, times_of  # noqa: E402
from generator.lab.train.scenes.film import LENS_PX  # noqa: E402
from generator.project import Project  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]
SIZE = 64, 48


def test_words_lead_to_attributes_that_the_renderer_has() -> None:
    assert tuple(prompts.SCENES) == told.FAMILIES
    assert {one.name for one in prompts.of_tables()} == {one.name for one in told.ATTRIBUTES}


def test_the_archives_prompts_are_scenes_that_can_be_rendered() -> None:
    """What is read lies within the renderer's spans, in its units."""
    known = rendered.footage().attributes
    by_name = {one.name: one for one in known}
    scenes = []
    for prompt in load(Project(root=REPOSITORY)).prompts:
        reading = prompts.read(prompt.text, known)
        attributes = {
            name: by_name[name].value(reading.scene, share)
            for name, share in reading.shares.items()
        }
        scenes.append(told.Scene(family=reading.scene, seed=0, attributes=attributes).family)
    assert sorted(scenes) == sorted(told.FAMILIES)


def test_footage_is_what_the_renderer_makes_of_the_same_scene() -> None:
    """Seed, attributes and moments go through unchanged; values come back as shares, and those
    that a scene lacks as nothing."""
    footage = rendered.footage()
    condition = footage.draw(torch.tensor([3, 4]))
    times = times_of(condition, 0, 2)
    got = footage.render(condition, times, *SIZE)
    for clip, seed in enumerate((3, 4)):
        scene = told.draw(seed)
        wanted = made.render(
            [scene],
            times[clip].tolist(),
            width=SIZE[0],
            height=SIZE[1],
            device=torch.device("cpu"),
        )
        off = (got[clip : clip + 1] - wanted.frames).abs()
        assert (off > 0.02).float().mean() < 1e-3, "shares are rounded: a drop of rain may move"
        for one, share in zip(footage.attributes, condition.values[clip].tolist(), strict=True):
            if scene.family in one.spans:
                assert one.value(scene.family, share) == pytest.approx(
                    scene.attributes[one.name], rel=1e-4, abs=1e-4
                )
            else:
                assert share != share


def test_flow_leads_from_frame_to_frame() -> None:
    """A clip warped back by its flow is nearer to itself than one that is not."""
    footage = rendered.footage()
    condition = footage.draw(torch.tensor([5]))
    times = times_of(condition, 0, 3)
    video = footage.render(condition, times, 128, 80)
    assert footage.flow is not None
    flow = footage.flow(condition, times, 128, 80)
    assert flow.shape == (1, 2, 2, 80, 128)
    assert metrics.warp_error(video, flow) < metrics.warp_error(video, 0 * flow)


def test_halved_footage_is_as_sharp_as_if_it_had_been_rendered_there() -> None:
    """A point of light behind the lens of the larger size, halved, spreads as far as one behind the
    lens at this size: variance by variance, in pixels of this size; nothing moves or gets lost. The
    flow is that of the size asked for."""
    side = torch.arange(-32, 32) + 0.5
    bell = torch.exp(-(side**2) / (2 * LENS_PX**2))
    point = (bell[:, None] * bell / bell.sum() ** 2).expand(1, 1, 3, 64, 64)
    small = half_size(point)[0, 0, 0]
    at = torch.arange(32) + 0.5
    share = small.sum(dim=0) / small.sum()
    middle = (share * at).sum()
    assert float(4 * small.sum()) == pytest.approx(1, abs=1e-3)
    assert float(middle) == pytest.approx(16, abs=1e-3)
    spread = float((share * (at - middle) ** 2).sum())
    assert spread == pytest.approx(LENS_PX**2, abs=0.15)  # a box of 2 pixels is part of it
    plain, halved = rendered.footage(1), rendered.footage(1, halve=True)
    condition = halved.draw(torch.tensor([3, 4]))
    assert torch.equal(
        condition.values.nan_to_num(), plain.draw(condition.seeds).values.nan_to_num()
    )
    times = times_of(condition, 7, 2)
    got = halved.render(condition, times, 32, 16)
    large = plain.render(condition, times, 64, 32)
    torch.testing.assert_close(got, half_size(large))
    assert halved.flow is not None
    assert plain.flow is not None
    moved = [each.flow(condition, times, 32, 16) for each in (halved, plain)]
    torch.testing.assert_close(*moved, equal_nan=True)
