"""Scenes: the same frame for the same question, a gait that does not slide, motion that is true,
and attributes that do what their table says."""

from __future__ import annotations

import hashlib
import itertools
import math
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from generator.lab.train.scenes import (  # noqa: E402
    alley,
    film,
    fused,
    gait,
    metropolis,
    noise,
)
from generator.lab.train.scenes.attributes import (  # noqa: E402
    ATTRIBUTES,
    FAMILIES,
    Scene,
    conditions,
    draw,
    table,
    usual,
)
from generator.lab.train.scenes.render import Footage, render  # noqa: E402
from generator.lab.train.scenes.shots import shots  # noqa: E402

CPU = torch.device("cpu")
ROOT = Path(__file__).resolve().parents[2]
SIZE = {"height": 48, "width": 84}


def shown(scene: Scene, *times: float, samples: int = 1, **more: float) -> Footage:
    return render([scene], times, device=CPU, samples=samples, **{**SIZE, **more})


# ---- the same frame for the same question


@pytest.mark.parametrize("family", FAMILIES)
def test_a_frame_alone_is_that_frame_of_a_batch(family: str) -> None:
    """Bit for bit, with other scenes and times beside it and the families mixed."""
    scenes = [draw(3, family), usual("alley", 8), draw(5, family), usual("metropolis", 2)]
    batch = render(scenes, [0.4, 1.3], device=CPU, samples=2, **SIZE)
    alone = shown(scenes[2], 1.3, samples=2)
    assert torch.equal(batch.frames[2, 1], alone.frames[0, 0])
    assert batch.frames.shape == (4, 2, 3, 48, 84)
    assert 0 <= batch.frames.min() <= batch.frames.max() <= 1


@pytest.mark.parametrize("family", FAMILIES)
def test_frames_made_together_equal_frames_made_one_by_one(family: str) -> None:
    """The way of a GPU against the way of a CPU: vector units round a tail of an array otherwise,
    so a handful of pixels on edges may differ, and no more."""
    scene = draw(11, family)
    one, many = (shown(scene, 0.0, 0.5, 7.25, at_once=n).frames for n in (1, 3))
    away = (one - many).abs().amax(2)
    assert away.mean() < 1e-5
    assert (away > 1e-3).float().mean() < 1e-3


def test_scenes_with_times_of_their_own_are_rendered_together() -> None:
    """Clips that begin at different moments, in one call, against each by itself."""
    scenes = [draw(3, "alley"), draw(4, "metropolis"), draw(5, "alley")]
    times = [[0.4, 1.3], [7.0, 8.0], [0.1, 0.2]]
    together = render(scenes, times, device=CPU, samples=1, **SIZE).frames
    for clip, (scene, moments) in enumerate(zip(scenes, times, strict=True)):
        assert torch.equal(together[clip : clip + 1], shown(scene, *moments).frames)
    with pytest.raises(ValueError, match="times for 2 scenes: 3 were given"):
        render(scenes, times[:2], device=CPU, samples=1, **SIZE)


def test_neither_half_precision_nor_inference_round_about_reaches_a_frame() -> None:
    """Evaluation renders inside autocast: positions of hundreds of metres in eight bits of mantissa
    would move what is seen, and the true flow with it."""
    scene = usual("alley", 4)
    plain = shown(scene, 1.0, motion_s=0.1)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        within = shown(scene, 1.0, motion_s=0.1)
    assert torch.equal(plain.frames, within.frames)
    assert plain.motion is not None
    assert within.motion is not None
    assert torch.equal(plain.motion.flow, within.motion.flow)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_host_never_waits_for_the_device(family: str) -> None:
    """Once a batch is on its way nothing is read back, and nothing made of Python's numbers is
    copied there, which would wait as well."""
    aten = torch.ops.aten
    waiting = (aten.lift_fresh, aten._local_scalar_dense, aten.nonzero, aten.equal)
    waits = []

    class Waits(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            if function.overloadpacket in waiting:
                waits.append(str(function))
            return function(*args, **(kwargs or {}))

    with Waits():
        torch.tensor([1.0, 2.0]).sum().item()
    assert len(waits) == 2, "what waits is seen"
    waits.clear()
    module = alley if family == "alley" else metropolis
    batch = shots([(draw(3, family), 0.5), (draw(4, family), 7.0)], CPU)
    with Waits(), torch.no_grad():
        picture = module.light(batch, module.stage(batch), 16, 32, 2)
        one = picture.light.new_ones(())
        film.developed(picture.light, batch.colours.shadow, one, one)
    assert not waits


@pytest.mark.parametrize(("family", "graphs"), [("alley", 14), ("metropolis", 10)])
def test_scenes_of_a_family_share_their_graphs(
    family: str, graphs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch.compile takes each heavy function whole, once: another scene, another moment and a
    batch that is not full need no other graph. Run as they stand, the graphs draw the same
    pictures, bit for bit."""
    caught = []

    def as_it_stands(graph: Any, example: Any) -> Any:
        caught.append(graph)
        return graph.forward

    def compiled(function: Any) -> Any:
        return torch.compile(function, fullgraph=True, dynamic=False, backend=as_it_stands)

    monkeypatch.setattr(fused, "_compiled", compiled)
    compiler = fused.Compiler(1e9)
    more = {"height": 16, "width": 32, "device": CPU, "samples": 2, "at_once": 2}
    scenes = [draw(seed, family) for seed in (1, 2, 3)]
    for scene, times in zip(scenes, ([0.0, 40.0], [3.3, 3.4], [99.0]), strict=True):
        fast = render([scene], times, compiler=compiler, **more).frames
        assert [report["eager"] for report in compiler.report()] == [{}]
        assert len(caught) == graphs
        assert torch.equal(fast, render([scene], times, **more).frames)


def test_what_cannot_be_compiled_in_time_or_at_all_is_rendered_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pictures are the same; the report says which functions stayed eager and why."""
    clock = itertools.count()
    monkeypatch.setattr(fused, "time", SimpleNamespace(monotonic=lambda: next(clock)))

    def compiled(function: Any) -> Any:
        def fails(*args: Any) -> Any:
            raise RuntimeError("no such kernel")

        return fails if function.__name__ == "_walked" else function

    monkeypatch.setattr(fused, "_compiled", compiled)
    compiler = fused.Compiler(4)  # four functions: a second passes in each
    scene = draw(1, "metropolis")
    more = {"height": 16, "width": 32, "device": CPU, "samples": 1}
    fast = render([scene], [1.0], compiler=compiler, **more).frames
    assert torch.equal(fast, render([scene], [1.0], **more).frames)
    (report,) = compiler.report()
    assert len(report["functions"]) == 4
    assert report["compile_s"] == 4
    assert report["eager"].pop("_walked") == "RuntimeError: no such kernel"
    assert set(report["eager"].values()) == {"the 4 s for compiling were spent"}


def test_a_function_that_takes_too_long_to_compile_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A compiler that would never come back is interrupted when the budget is spent, and what it
    was to compile stays eager; no alarm rings afterwards."""

    def compiled(function: Any) -> Any:
        def never(*args: Any) -> Any:
            while function.__name__ == "_walked":
                time.sleep(0.01)
            return function(*args)

        return never

    monkeypatch.setattr(fused, "_compiled", compiled)
    monkeypatch.setattr(fused, "LEAST_S", 0.2)
    before = signal.getsignal(signal.SIGALRM)
    compiler = fused.Compiler(0.5)
    scene = draw(1, "metropolis")
    more = {"height": 16, "width": 32, "device": CPU, "samples": 1}
    fast = render([scene], [1.0], compiler=compiler, **more).frames
    assert torch.equal(fast, render([scene], [1.0], **more).frames)
    (report,) = compiler.report()
    assert report["eager"]["_walked"].startswith("TimeoutError: not compiled within")
    assert report["functions"]["_walked"] < 5
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_later_run_of_the_program_gives_the_same_bytes() -> None:
    code = (
        "import hashlib, torch; torch.set_num_threads(1)\n"
        "from generator.lab.train.scenes.attributes import draw\n"
        "from generator.lab.train.scenes.render import render\n"
        "f = render([draw(1, 'alley'), draw(1, 'metropolis')], [2.5], height=48, width=84,\n"
        "           device=torch.device('cpu'), samples=1).frames\n"
        "print(hashlib.sha256(f.numpy().tobytes()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    here = render(
        [draw(1, "alley"), draw(1, "metropolis")], [2.5], device=CPU, samples=1, **SIZE
    ).frames
    assert done.stdout.strip() == hashlib.sha256(here.numpy().tobytes()).hexdigest()


def test_a_gpu_shows_the_same_world() -> None:
    """Hashes are of whole numbers, so both devices build the same alley and city."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here: CPU and GPU frames are not compared")
    scenes = [draw(1, "alley"), draw(1, "metropolis")]
    here = render(scenes, [2.5], device=CPU, samples=2, **SIZE).frames
    there = render(scenes, [2.5], device=torch.device("cuda"), samples=2, **SIZE).frames.cpu()
    assert (here - there).abs().mean() < 2e-3
    fast = render(
        scenes,
        [2.5],
        device=torch.device("cuda"),
        samples=2,
        compiler=fused.Compiler(1e9),
        **SIZE,
    ).frames.cpu()
    assert (fast - there).abs().mean() < 2e-3


def test_frames_come_in_the_type_that_was_asked_for() -> None:
    wide = render([usual("alley")], [0.0], device=CPU, samples=1, **SIZE).frames
    narrow = render(
        [usual("alley")], [0.0], device=CPU, samples=1, dtype=torch.bfloat16, **SIZE
    ).frames
    assert narrow.dtype == torch.bfloat16
    torch.testing.assert_close(narrow.float(), wide, rtol=0, atol=2**-8)


def test_the_hash_agrees_with_whole_numbers_in_python() -> None:
    """The 32-bit mixer, written again with Python's unbounded integers."""

    def wrapped(x: int) -> int:
        return (x + 2**31) % 2**32 - 2**31

    def mixed(x: int) -> int:
        x = wrapped((x ^ (x >> 16)) * 0x7FEB352D)
        x = wrapped((x ^ (x >> 15)) * (0x846CA68B - 2**32))
        return x ^ (x >> 16)

    for seed, cell in itertools.product((0, 1, 2**31 - 1), (-7, 0, 5, 123456)):
        got = int(noise.key(torch.tensor(seed, dtype=torch.int32), cell))
        assert got == mixed(wrapped(seed * wrapped(0x9E3779B1) + cell))


def test_chance_is_even() -> None:
    """Means and spread of 2^16 numbers, as a uniform distribution has them."""
    cells = torch.arange(2**16, dtype=torch.int32)
    numbers = noise.unit(noise.key(torch.tensor(7, dtype=torch.int32), cells, 3))
    assert abs(numbers.mean() - 0.5) < 0.005
    assert abs(numbers.var() - 1 / 12) < 0.002
    together = torch.corrcoef(torch.stack([numbers[:-1], numbers[1:]]))[0, 1]
    assert abs(together) < 0.02


# ---- what a scene is told


def test_the_document_holds_the_table() -> None:
    assert table() in (ROOT / "docs" / "scenes.md").read_text("utf-8")


def test_all_mistakes_of_a_scene_are_told_at_once() -> None:
    values = dict(usual("alley").attributes)
    del values["rain"]
    with pytest.raises(ValueError) as caught:
        Scene(family="alley", seed=0, attributes={**values, "fog": 700, "bank": 3})
    for words in ("rain is missing", "fog = 700 lies outside 5 to 60", "no attribute 'bank'"):
        assert words in str(caught.value)
    with pytest.raises(ValueError, match="no family"):
        usual("forest")


def test_conditions_go_from_minus_one_to_one() -> None:
    spans = {a.name: a.alley for a in ATTRIBUTES if a.alley}
    low = usual("alley", 0, **{n: s.low for n, s in spans.items()})
    high = usual("alley", 0, **{n: s.high for n, s in spans.items()})
    ids, values = conditions([low, high, usual("metropolis")])
    assert ids == [0, 0, 1]
    told = [i for i, a in enumerate(ATTRIBUTES) if a.alley]
    assert {values[0][i] for i in told} == {-1.0}
    assert {values[1][i] for i in told} == {1.0}
    assert all(values[0][i] == 0 for i, a in enumerate(ATTRIBUTES) if not a.alley)


def test_drawn_attributes_fill_their_spans() -> None:
    """Means of 400 scenes lie within four standard errors of the spans' middles."""
    values = torch.tensor(conditions([draw(i, "metropolis") for i in range(400)])[1])
    known = [i for i, a in enumerate(ATTRIBUTES) if a.metropolis]
    assert values[:, known].mean(0).abs().max() < 4 / (3 * 400) ** 0.5
    families = [draw(i).family for i in range(200)]
    assert 60 < families.count("alley") < 140


# ---- gait


def test_feet_stand_still_while_they_bear_weight() -> None:
    """From foot flat to heel off heel and ball keep their place on the ground; from heel off to
    toe off the ball does."""
    for pace in (0.7, 1.25, 1.8):
        speed = torch.full((200,), pace)
        cycle = torch.linspace(0, 1, 201)[:-1]
        walked = (cycle * gait.stride(speed))[:, None]
        joints = gait.body(cycle, speed)
        ball = joints.ball[0][:, 2:] + walked
        heel = joints.heel[0][:, 2:] + walked
        flat = (cycle > 0.12) & (cycle < 0.35)
        bearing = (cycle > 0.31) & (cycle < gait.STANCE - 0.005)
        assert (heel[flat] - heel[flat][0]).abs().max() < 1e-5
        assert (ball[bearing] - ball[flat][0]).abs().max() < 1e-5
        assert joints.ball[0][bearing, 1].abs().max() < 1e-5
        swing = (cycle > gait.STANCE + 0.05) & (cycle < 0.95)
        assert joints.ball[0][swing, 1].min() > 0


def test_the_walk_is_smooth_where_a_cycle_ends() -> None:
    speed = torch.full((2,), 1.25)
    a = gait.body(torch.tensor([0.99999, 1.00001]), speed)
    for pair in a[2:]:
        for joint in pair:
            assert (joint[0] - joint[1]).abs().max() < 1e-3


def test_bones_keep_their_length_and_bend_the_right_way() -> None:
    cycle = torch.linspace(0, 1, 64)
    joints = gait.body(cycle, torch.full((64,), 1.25))
    for hip, knee, ankle in zip(joints.hip, joints.knee, joints.ankle, strict=True):
        assert ((knee - hip).norm(dim=-1) - gait.THIGH).abs().max() < 0.006
        assert ((ankle - knee).norm(dim=-1) - gait.SHIN).abs().max() < 0.03
        middle = (hip + ankle) / 2
        assert (knee[:, 2] - middle[:, 2]).min() > -0.01


def test_arms_swing_against_the_legs() -> None:
    cycle = torch.linspace(0, 1, 101)[:-1]
    joints = gait.body(cycle, torch.full((100,), 1.25))
    for hand, ankle in zip(joints.hand, joints.ankle, strict=True):
        both = torch.stack([hand[:, 2], ankle[:, 2]])
        assert torch.corrcoef(both)[0, 1] < -0.8


# ---- film


def test_the_lens_is_a_gaussian_of_0_85_pixels() -> None:
    """A point of light becomes what a Gaussian is at whole pixels, cut
    at two: as wide, as bright in all, round, and the same at any size of the picture."""
    for height, width in ((16, 32), (33, 20)):
        light = torch.zeros(1, 3, height, width)
        light[:, :, 8, 9] = 5.0
        seen = film.through_lens(light)[0, 0].double()
        taps = [math.exp(-0.5 * (x / 0.85) ** 2) for x in (-2, -1, 0, 1, 2)]
        wanted = torch.tensor([[a * b for a in taps] for b in taps], dtype=torch.float64)
        torch.testing.assert_close(
            seen[6:11, 7:12], 5 * wanted / wanted.sum(), rtol=1e-5, atol=1e-6
        )
        assert float(seen.sum()) == pytest.approx(5, rel=1e-5)
        across = ((torch.arange(width) - 9.0) ** 2 * seen.sum(0) / 5).sum()
        assert float(across) == pytest.approx(0.85**2, rel=0.03)
    flat = film.through_lens(torch.full((1, 3, 16, 16), 2.0))
    torch.testing.assert_close(flat, torch.full((1, 3, 16, 16), 2.0))


# ---- motion


@pytest.mark.parametrize("family", FAMILIES)
def test_flow_leads_to_the_same_place_in_the_next_frame(family: str) -> None:
    """A still point's depth, carried to the later camera by hand, is the depth that the later
    frame shows where the flow leads to."""
    scene = usual(family, 4)
    step = 0.08
    size = {"height": 96, "width": 168}
    footage = render([scene], [1.0, 1.0 + step], device=CPU, samples=1, motion_s=step, **size)
    motion = footage.motion
    assert motion is not None
    flow, depth, surface = motion.flow[0], motion.depth[0], motion.surface[0]
    module = alley if family == "alley" else metropolis
    now, later = (module.camera(shots([(scene, t)], CPU)) for t in (1.0, 1.0 + step))
    row, column = torch.meshgrid(torch.arange(96.0), torch.arange(168.0), indexing="ij")
    tangent = now.tangent
    ray = torch.stack(
        [(column + 0.5 - 84) * tangent / 48, (48 - row - 0.5) * tangent / 48, torch.ones(96, 168)]
    )
    point = (
        torch.einsum("ci,chw->ihw", now.axes[0], ray * depth[0]) + now.position[0][:, None, None]
    )
    expected = torch.einsum("ci,ihw->chw", later.axes[0], point - later.position[0][:, None, None])[
        2
    ]
    to_row, to_column = row + flow[0, 1], column + flow[0, 0]
    inside = (to_row > 0) & (to_row < 95) & (to_column > 0) & (to_column < 167)
    still = inside & ((surface[0] == 1) | (surface[0] == 2))
    i, j = to_row[still].round().long(), to_column[still].round().long()
    same = surface[1, i, j] == surface[0][still]
    away = (depth[1, i, j] / expected[still] - 1).abs()[same]
    assert same.float().mean() > 0.85
    assert away.median() < 0.01
    assert (away < 0.05).float().mean() > 0.85


@pytest.mark.parametrize("family", FAMILIES)
def test_the_world_has_no_end(family: str) -> None:
    """At 20 s and at 90 s there is as much to see as at the start."""
    frames = shown(usual(family, 6), 0.0, 20.0, 90.0).frames[0]
    detail = (frames[:, :, 1:] - frames[:, :, :-1]).abs().mean((1, 2, 3))
    assert detail[1:].min() > 0.5 * detail[0]
    assert (frames[0] - frames[1]).abs().mean() > 0.02


# ---- each attribute changes what it says it changes


def grey(footage: Footage) -> torch.Tensor:
    return footage.frames[0].mean(1)


def luminance(scene: Scene) -> float:
    return float(shown(scene, 1.0).frames.mean())


def streaks(scene: Scene) -> float:
    """Detail that two frames, 1 ms apart in a world that hardly moves, do not share across a fifth
    of a second: falling things, seen as change of fine structure."""
    a, b = grey(shown(scene, 1.0, 1.03, height=72, width=126))
    return float((a - b).abs().mean())


def saturation_of_red_over_blue(scene: Scene) -> float:
    frame = shown(scene, 1.0).frames[0, 0]
    return float((frame[0] - frame[2]).mean())


def motion_of(scene: Scene) -> float:
    motion = shown(scene, 1.0, motion_s=1 / 12).motion
    assert motion is not None
    still = (motion.surface[0, 0] == 1) | (motion.surface[0, 0] == 2)
    return float(motion.flow[0, 0].norm(dim=0)[still].median())


def horizon(scene: Scene) -> float:
    """Share of the picture above the horizon, from the camera itself."""
    module = alley if scene.family == "alley" else metropolis
    axes = module.camera(shots([(scene, 1.0)], CPU)).axes[0]
    tangent = module.camera(shots([(scene, 1.0)], CPU)).tangent
    return float(0.5 + axes[2, 1] / axes[1, 1] / (2 * tangent))


def near_share(scene: Scene) -> float:
    """Share of the picture that the walker takes."""
    motion = shown(scene, 1.0, motion_s=1 / 12).motion
    assert motion is not None
    return float((motion.surface == 3).float().mean())


def walker_column(scene: Scene) -> float:
    """Where the world's middle line lies at 20 m: moves left when the camera goes right."""
    motion = shown(scene, 1.0, motion_s=1 / 12).motion
    assert motion is not None
    return float(alley.camera(shots([(scene, 1.0)], CPU)).position[0, 0])


def change(scene: Scene) -> float:
    """How much the brightness of the picture's upper part, where signs hang, comes and goes."""
    frames = grey(shown(scene, *(1.0 + 0.13 * i for i in range(4))))[:, :24]
    return float((frames[1:] - frames[:-1]).abs().mean())


def median_depth(scene: Scene) -> float:
    motion = shown(scene, 1.0, motion_s=1 / 12).motion
    assert motion is not None
    solid = motion.surface[0, 0] == 1
    return float(solid.float().mean())


def roll(scene: Scene) -> float:
    turns = [metropolis.camera(shots([(scene, 0.5 * i)], CPU)).axes[0, 0, 1] for i in range(30)]
    return float(torch.stack(turns).abs().max())


def darkest(scene: Scene) -> float:
    """Brightness that all but a fifth of the picture surpasses: fog lifts the darks."""
    return float(grey(shown(scene, 1.0)).quantile(0.2))


def detail(scene: Scene) -> float:
    """Mean difference of brightness from row to row."""
    return float(grey(shown(scene, 1.0)).diff(dim=-2).abs().mean())


def mirrored(scene: Scene) -> float:
    """Detail on the street, across."""
    footage = shown(scene, 1.0, motion_s=1 / 12, height=72, width=126)
    assert footage.motion is not None
    street = footage.motion.surface[0, 0] == 2
    return float(footage.frames[0, 0].amax(0)[street].std())


def walker_red_over_blue(scene: Scene) -> float:
    footage = shown(scene, 1.0, motion_s=1 / 12, height=96, width=168)
    assert footage.motion is not None
    frame = footage.frames[0, 0][:, footage.motion.surface[0, 0] == 3]
    return float(frame[0].mean() - frame[2].mean())


def lights_in_the_air(scene: Scene) -> float:
    motion = shown(scene, 1.0, motion_s=1 / 12, height=96, width=168).motion
    assert motion is not None
    return float((motion.surface == 3).float().mean())


Effect = tuple[str, str, Callable[[Scene], float], float, dict[str, float]]
EFFECTS: list[Effect] = [
    # family, attribute, what is measured, factor or sign that is asked for, the rest of the scene
    ("alley", "hour", luminance, 0.97, {}),
    ("metropolis", "hour", luminance, 0.92, {}),
    ("alley", "rain", streaks, 1.3, {"speed": 0.7, "flicker": 0, "steam": 0}),
    ("metropolis", "rain", streaks, 1.1, {"speed": 8, "flicker": 0, "traffic": 2, "bank": 0}),
    ("alley", "fog", darkest, 1.2, {}),
    ("metropolis", "fog", detail, 0.75, {}),  # from so high most of what is seen is far
    ("alley", "speed", motion_of, 1.6, {}),
    ("metropolis", "speed", motion_of, 2.0, {"bank": 0}),  # a drone that looks about moves too
    ("alley", "neon", luminance, 1.1, {}),
    ("metropolis", "neon", luminance, 1.05, {}),
    ("alley", "flicker", change, 1.05, {"rain": 0, "steam": 0, "speed": 0.7}),
    ("metropolis", "flicker", change, 1.0, {"rain": 0, "speed": 8, "traffic": 2, "bank": 0}),
    ("alley", "windows", luminance, 1.02, {}),
    ("metropolis", "windows", luminance, 1.1, {}),
    ("alley", "wetness", mirrored, 1.1, {"rain": 0}),
    ("alley", "distance", near_share, 0.6, {}),
    ("metropolis", "bank", roll, 5.0, {}),
    ("metropolis", "skyline", median_depth, 1.1, {}),
    ("metropolis", "traffic", lights_in_the_air, 1.5, {"billboards": 0}),
    ("metropolis", "billboards", lights_in_the_air, 3.0, {"traffic": 2}),
]


@pytest.mark.parametrize(("family", "name", "measured", "factor", "rest"), EFFECTS)
def test_an_attribute_changes_what_it_says(
    family: str,
    name: str,
    measured: Callable[[Scene], float],
    factor: float,
    rest: dict[str, float],
) -> None:
    """From the span's low end to its high end, over two seeds."""
    span = next(a.span(family) for a in ATTRIBUTES if a.name == name)
    assert span is not None
    low, high = (
        sum(measured(usual(family, seed, **{**rest, name: value})) for seed in (1, 2)) / 2
        for value in (span.low, span.high)
    )
    if factor >= 1:
        assert high > factor * low
    else:
        assert high < factor * low


@pytest.mark.parametrize("family", FAMILIES)
def test_a_higher_camera_looks_from_higher(family: str) -> None:
    """A low camera must look up to the walker, so its horizon lies lower; a drone keeps its pitch
    and sees more ground."""
    span = next(a.span(family) for a in ATTRIBUTES if a.name == "camera_height")
    assert span is not None
    low, high = (usual(family, 1, camera_height=v) for v in (span.low, span.high))
    if family == "alley":
        assert horizon(high) < horizon(low) - 0.1
    else:
        depths = [shown(s, 1.0, motion_s=0.1).motion for s in (low, high)]
        near = [float(m.depth[m.depth.isfinite()].median()) for m in depths if m is not None]
        assert near[1] > 1.2 * near[0]


def test_a_steeper_pitch_lifts_the_horizon() -> None:
    assert (
        horizon(usual("metropolis", 1, pitch=12)) < horizon(usual("metropolis", 1, pitch=4)) - 0.1
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_palettes_have_hues_of_their_own(family: str) -> None:
    """Histograms of hue, weighed by saturation: each pair of palettes differs clearly."""
    histograms = []
    for number in range(4):
        frame = shown(usual(family, 1, palette=number), 1.0).frames[0, 0]
        high, low = frame.amax(0), frame.amin(0)
        r, g, b = frame
        hue = torch.atan2(3**0.5 * (g - b), 2 * r - g - b)
        counts = torch.histc(hue[(high - low) > 0.15], 12, -torch.pi, torch.pi)
        histograms.append(counts / counts.sum())
    for a, b in itertools.combinations(histograms, 2):
        assert (a - b).abs().sum() / 2 > 0.2


def test_the_coat_takes_its_hue() -> None:
    red, blue = (walker_red_over_blue(usual("alley", 2, coat=c, neon=0.4)) for c in (0.0, 2 / 3))
    assert red > blue + 0.02


def test_the_camera_goes_to_its_side() -> None:
    """The picture of a camera on the right shows the left wall's share of solid pixels grow."""
    left, right = (shown(usual("alley", 2, side=s), 1.0, motion_s=0.1).motion for s in (-0.9, 0.9))
    assert left is not None
    assert right is not None
    assert (
        walker_column(usual("alley", 2, side=0.9))
        > walker_column(usual("alley", 2, side=-0.9)) + 1.7
    )

    def nearer_side(depth: torch.Tensor) -> float:
        row = depth[0, 0, 10]
        return float(row[:20].mean() - row[-20:].mean())

    assert nearer_side(right.depth.clamp_max(90)) > nearer_side(left.depth.clamp_max(90))


@pytest.mark.parametrize("name", ["crowd", "steam"])
def test_people_and_steam_are_added(name: str) -> None:
    """None at the low end; at the high end part of the picture is another, and the rest is not."""
    span = next(a.alley for a in ATTRIBUTES if a.name == name)
    assert span is not None
    assert span.low == 0
    none, many = (
        shown(usual("alley", 3, rain=0, **{name: v}), 1.0).frames for v in (span.low, span.high)
    )
    away = (none - many).abs().amax(2)
    assert 0.02 < (away > 0.04).float().mean() < 0.8
