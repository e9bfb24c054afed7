"""Training from nothing to a clip, with a toy on a CPU: losses fall, runs go on, logs tell."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")

from neon_stand_in import shapes  # noqa: E402

from generator.cli import main  # noqa: E402
from generator.errors import UsageError  # noqa: E402
from generator.lab.models import neon as nets  # noqa: E402
from generator.lab.models import neon_weights  # noqa: E402
from generator.lab.models.neon_vae import TINY_NEON_VAE, NeonVAE  # noqa: E402
from generator.lab.pipelines import Parts, Request, open_pipeline  # noqa: E402
from generator.lab.train import loops, losses, training  # noqa: E402
from generator.lab.train.data import HELD_OUT, Clips, Latents, Segments, times_of  # noqa: E402
from generator.lab.train.evaluate import evaluate  # noqa: E402
from generator.lab.train.log import LOG, read_log  # noqa: E402
from generator.lab.train.scenes.attributes import ATTRIBUTES, FAMILIES  # noqa: E402
from generator.lab.train.training import Plan, train  # noqa: E402

CPU = torch.device("cpu")
TOY = {
    "width": 48,
    "height": 32,
    "device": "cpu",
    "tiny": True,
    "refresh": 1,
    "recipe": loops.Recipe(average=0.9, critic_from=0.7, own_from=0.6),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """All three stages, one after the other into one folder, as on a fresh machine."""
    out = tmp_path_factory.mktemp("neon") / "toy"
    found = {}
    for stage, steps in (("features", 60), ("vae", 60), ("dit", 80)):
        plan = Plan(stage=stage, out=out, steps=steps, rate=3e-3, **TOY)
        found[stage] = train(plan, shapes())
    return out, found


@pytest.mark.parametrize("stage", ["features", "dit"])
def test_a_toys_loss_falls(trained: tuple[Path, dict[str, Any]], stage: str) -> None:
    """By a tenth at least within some dozen steps; the flow's from its known start: without any
    prediction the loss is the mean square of noise - latents, whose latents are whitened: 2."""
    outcome = trained[1][stage]
    assert outcome.last_loss < 0.9 * outcome.first_loss
    if stage == "dit":
        assert outcome.first_loss == pytest.approx(2, rel=0.3)


@pytest.mark.parametrize("stage", ["vae", "dit"])
def test_a_step_that_cannot_be_compiled_is_made_uncompiled(
    trained: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    """The run makes as many steps as one that was not to be compiled; the log says why."""

    def broken(function: Any, **options: Any) -> Any:
        def call(*given: Any, **more: Any) -> Any:
            raise RuntimeError("no such compiler")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    found = {}
    for compile in (False, True):
        out = tmp_path / str(compile)
        plan = Plan(stage=stage, out=out, resume=trained[0], steps=6, compile=compile, **TOY)
        train(plan, shapes())
        lines = read_log(out / LOG)
        found[compile] = [line.get("why") for line in lines if line["event"] == "plain"]
        assert lines[-1]["steps"] == 6
    assert found == {False: [], True: ["RuntimeError: no such compiler"]}


def test_a_toys_loss_falls_where_nothing_is_known_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The VAE's, whose linear paths begin so near the truth of coloured shapes that a toy finds no
    more: from paths that are drawn by chance instead."""
    monkeypatch.setattr(NeonVAE, "set_linear", lambda *moments: None)
    plan = Plan(stage="vae", out=tmp_path / "toy", steps=60, rate=3e-3, **TOY)
    outcome = train(plan, shapes())
    assert outcome.last_loss < 0.5 * outcome.first_loss
    looks = [line for line in read_log(tmp_path / "toy" / LOG) if line["event"] == "held_out"]
    assert looks[1]["psnr_held_out"]["mean"] > looks[0]["psnr_held_out"]["mean"] + 3


def test_the_log_tells_every_run_its_settings_losses_and_seconds(
    trained: tuple[Path, dict[str, Any]],
) -> None:
    out, found = trained
    lines = read_log(out / LOG)
    runs = [line for line in lines if line["event"] == "run"]
    assert [line["run"] for line in runs] == ["1-features", "2-vae", "3-dit"]
    assert runs[1]["settings"]["steps"] == 60
    assert runs[2]["machine"]["device"]
    ends = [line for line in lines if line["event"] == "end"]
    assert [line["steps"] for line in ends] == [60, 60, 80]
    for line in lines:
        if line["event"] == "step":
            assert line["loss"] is not None
    config = neon_weights.read_config(out)
    for stage, outcome in found.items():
        assert 0 < config.training["seconds"][stage] <= outcome.seconds + 0.1


def test_held_out_clips_are_looked_at_from_the_beginning_on(
    trained: tuple[Path, dict[str, Any]],
) -> None:
    """The VAE's first figure is what principal components give, of a toy's pool by NumPy, and
    training keeps that. The figure at the end is that of the weights that were kept."""
    out = trained[0]
    looks = [line for line in read_log(out / LOG) if line["event"] == "held_out"]
    first, last = (looks[i]["psnr_held_out"] for i in (1, 2))
    assert [line["step"] for line in looks] == [60, 0, 60]
    assert set(first) == {"mean", "alley", "metropolis"}
    assert last["mean"] > first["mean"] - 0.5
    pool = Clips(shapes(), count=8, frames=12, width=48, height=32, device=CPU, first_seed=10**6)
    unseen = Clips(
        shapes(), count=4, frames=12, width=48, height=32, device=CPU, first_seed=training.CHECKED
    )
    columns = []
    for clips in (pool, unseen):
        list(clips.fill())
        blocks = clips.pixels.double().numpy().reshape(-1, 3, 4, 3, 4, 8, 6, 8) / 255
        columns.append(blocks.transpose(0, 1, 4, 6, 2, 3, 5, 7).reshape(len(blocks), -1, 768))
    seen = columns[0].reshape(-1, 768)
    mean = seen.mean(0)
    parts = np.linalg.svd(seen - mean, full_matrices=False)[2][:16]
    again = (columns[1] - mean) @ parts.T @ parts + mean
    off = ((again.clip(0, 1) - columns[1]) ** 2).mean((1, 2))
    assert first["mean"] == pytest.approx(float((-10 * np.log10(off)).mean()), abs=0.05)
    config, _, vae, _ = open_both(out)
    with torch.inference_mode():
        pixels = unseen.pixels.float() / 255
        made = vae.decode(vae.encode(pixels)).clamp(0, 1)
    off = (made - pixels).double().pow(2).flatten(1).mean(1).numpy()
    assert config.scenes == ("alley", "metropolis")
    assert last["mean"] == pytest.approx(float((-10 * np.log10(off)).mean()), abs=0.1)


def open_both(folder: Path) -> Any:
    return neon_weights.open_parts(folder, device=CPU, dtype=torch.float32)


def test_the_attribute_network_that_did_best_unseen_is_kept() -> None:
    """By hand: losses 3, 1, 2 at three looks keep what stood at the second."""
    layer = torch.nn.Linear(1, 1, bias=False)
    average = loops.Average(layer, 0.5)
    best = training.Best(average)
    for step, loss in enumerate((3.0, 1.0, 2.0), 1):
        average.kept[0].fill_(10.0 * step)
        best.look(step, loss)
    assert best.restore(3)
    assert (best.step, average.kept[0].item()) == (2, 20.0)
    assert not training.Best(average).restore(3), "nothing was told"


def test_a_mirror_turns_pictures_and_sides_together() -> None:
    """Where a clip is mirrored its share of the side is 1 less what it was, and no other is; what
    is seen of it is a piece in its place, at least 0.92 of each side."""
    pixels = torch.arange(50.0).expand(40, 2, 3, 25, 50) / 50
    values = torch.rand(40, 3, generator=torch.Generator().manual_seed(1))
    generator, dice = (torch.Generator().manual_seed(k) for k in (2, 3))
    seen, told = loops.augmented(pixels, values, generator, dice, [1])
    turned = seen[:, 0, 0, 0, 0] > seen[:, 0, 0, 0, -1]
    assert 8 < turned.sum() < 32
    torch.testing.assert_close(told[turned, 1], 1 - values[turned, 1])
    torch.testing.assert_close(told[~turned], values[~turned])
    torch.testing.assert_close(told[:, [0, 2]], values[:, [0, 2]])
    assert seen.shape[-2] >= 23
    assert seen.shape[-1] >= 46
    steps = (seen[..., 1:] - seen[..., :-1]).abs()
    torch.testing.assert_close(steps, torch.full_like(steps, 1 / 50), rtol=1e-4, atol=1e-6)


def test_what_a_mirror_turns_over_is_as_long_to_either_side() -> None:
    by_name = {one.name: one for one in ATTRIBUTES}
    for name in loops.SIDED:
        spans = [by_name[name].span(family) for family in FAMILIES]
        assert any(spans)
        assert all(span.low == -span.high for span in spans if span)


def test_latents_are_whitened(trained: tuple[Path, dict[str, Any]]) -> None:
    _, state, _ = neon_weights.load(trained[0])
    models = training.open_models(
        Plan(stage="dit", out=trained[0], **TOY), shapes(), trained[0], CPU
    )
    clips = Clips(shapes(), count=16, frames=12, width=48, height=32, device=CPU)
    assert list(clips.fill()) == [16]
    with torch.inference_mode():
        latents = models.vae.encode(clips.pixels.float() / 255)
    spread = latents.transpose(1, 2).flatten(3).permute(1, 0, 2, 3).flatten(1).std(dim=1)
    share = spread / models.vae.latents_spread
    assert ((share > 0.5) & (share < 2)).all()
    assert not torch.equal(state["vae.latents_std"], torch.ones(16))


def test_a_run_whose_loss_rises_far_goes_back_at_half_the_rate() -> None:
    """Descent of x^2 at a rate that makes every step longer than the last: by itself it ends
    further out than any number, going back it ends at the bottom."""
    place = torch.nn.Linear(1, 1, bias=False)
    place.weight.data.fill_(1)
    average = loops.Average(place, 0.9)
    optimiser = loops.Several(torch.optim.SGD(place.parameters(), lr=1.0, momentum=0.1))
    stage = training.Stage(
        step=lambda done: {},
        optimiser=optimiser,
        refresh=lambda clips: 0,
        finish=lambda: None,
        rendered=lambda: 0,
        full=lambda: True,
        rate=1.3,
        clips=1,
        batch=loops.Batch(1),
    )
    rescue = training.Rescue(place, average, stage)
    back, worst = 0, 0.0
    for _ in range(200):
        for group in optimiser.param_groups:
            group["lr"] = stage.rate
        loss = place.weight.pow(2).sum()
        size = float(loss.detach())
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        average.update()
        worst = max(worst, size)
        back += rescue.look(size)
    assert back == 1
    assert stage.rate == 0.65
    assert worst > 2
    assert float(place.weight.detach().abs()) < 1e-6


def test_losses_that_only_scatter_send_no_run_back() -> None:
    """Means of 20 batches of sixteen clips, as they were measured: single ones scatter by a sixth
    of a loss that falls to six tenths."""
    place = torch.nn.Linear(1, 1)
    stage = SimpleNamespace(rate=1.0, optimiser=loops.Several())
    rescue = training.Rescue(place, loops.Average(place, 0.9), stage)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    scatter = 0.1 * torch.randn((1000, 20), generator=generator).mean(dim=1)
    falling = 0.6 + 0.8 * torch.exp(-torch.arange(1000) / 30)
    assert not any(rescue.look(float(loss)) for loss in falling + scatter)
    assert stage.rate == 1.0
    assert sum(rescue.look(loss) for loss in [2.0] * 200) == training.MOST_BACK


def test_logged_numbers_are_means_of_the_steps_that_tell_them() -> None:
    told = [{"loss": torch.tensor(1.0)}, {"loss": torch.tensor(2.0), "critic": torch.tensor(5.0)}]
    assert training.means(told) == {"loss": 1.5, "critic": 5.0}


def test_the_transformers_matrices_are_muons_and_nothing_else_is() -> None:
    """A step of Muon on a square matrix is orthogonal but for a factor: all its singular values are
    about the same, which no step of AdamW's are."""
    neon = nets.Neon(replace(nets.TINY_NEON_DIT, layers=1), scenes=2)
    nets.initialise(neon, 0)
    before = {name: p.detach().clone() for name, p in neon.named_parameters()}
    optimiser = loops.dit_optimiser(neon, 1e-2)
    assert [group.get("share", 1) for group in optimiser.param_groups] == [loops.MUON_SHARE, 1, 1]
    generator = torch.Generator().manual_seed(0)
    for parameter in neon.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    optimiser.step()
    for name, parameter in neon.named_parameters():
        moved = (parameter.detach() - before[name] * (1 - 1e-4)).squeeze()
        if name.startswith("dit.blocks.") and parameter.ndim == 2:
            values = torch.linalg.svdvals(moved)
            assert values[0] < 2.5 * values[-4], name  # five rounds leave the very least ones
            size = 0.2 * max(moved.shape) ** 0.5 * 1e-2
            assert values.mean() == pytest.approx(size, rel=0.3), name
        else:
            assert float(moved.abs().max()) == pytest.approx(1e-2, rel=0.05), name


def test_matrices_moved_together_move_as_torch_moves_each() -> None:
    """Three steps, two shapes that are wide, tall and square, against torch.optim.Muon."""
    generator = torch.Generator().manual_seed(1)
    shapes_of = [(8, 24), (24, 8), (8, 24), (16, 16)]
    ours, theirs = (
        [torch.nn.Parameter(torch.full(shape, 0.1)) for shape in shapes_of] for _ in range(2)
    )
    options = {"lr": 0.02, "weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw"}
    pair = loops.StackedMuon(ours, **options), torch.optim.Muon(theirs, **options)
    for _ in range(3):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn(one.shape, generator=generator)
            other.grad = one.grad.clone()
        for optimiser in pair:
            optimiser.step()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=3e-4)
        assert float((one - 0.1).detach().abs().mean()) > 0.005


def test_channels_are_spread_by_what_they_move() -> None:
    """Of a linear code, whose channels have a spread of 1 and move a picture by the root of their
    component's variance: spreads stand to each other as these to the power of a half."""
    vae = NeonVAE(TINY_NEON_VAE)
    clips = Clips(shapes(), count=16, frames=12, width=48, height=32, device=CPU)
    assert list(clips.fill()) == [16]
    mean, covariance = loops.block_moments(clips.pixels, clips.filled)
    vae.set_linear(mean, covariance)
    loops.whiten(vae, clips, 4, 4, 0)
    largest = torch.linalg.eigvalsh(covariance)[-16:].flip(0).clamp_min(1e-8).float()
    wanted = largest**0.25
    wanted /= wanted.pow(2).mean().sqrt()
    torch.testing.assert_close(vae.latents_spread, wanted, rtol=0.15, atol=0.02)
    assert float(vae.latents_spread.pow(2).mean()) == pytest.approx(1)


def test_what_was_trained_is_generated_by_the_pipeline(
    trained: tuple[Path, dict[str, Any]],
) -> None:
    """The folder is what `generate --pipeline neon` opens; prompts go by the trained attributes."""
    parts = Parts(device="cpu", dtype="float32", weights=str(trained[0]))
    pipeline: Any = open_pipeline("neon", parts)
    heard = pipeline.heard("A detective in an alley in heavy rain with flying cars")
    assert heard.told.startswith('scene alley; rain 0.9 share ("heavy rain")')
    assert heard.unread == ("flying", "cars"), "an alley has no traffic"
    pipeline.prepare(Request(prompt="an alley", width=48, height=32, steps=(2,), seed=1))
    frames = list(islice(pipeline.stream(), 3))
    assert [part.shape for part in frames] == [(12, 32, 48, 3)] * 3
    assert frames[0].std() > 1


def test_a_run_goes_on_from_weights_alone(
    trained: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """The second part of a schedule begins where the first ended: its first loss is near the last
    of the run before, far from a fresh network's, and the VAE is as it was."""
    out, found = trained
    plan = Plan(
        stage="dit",
        out=tmp_path / "on",
        resume=out,
        steps=20,
        rate=1e-4,
        part=(2, 2),
        **{**TOY, "recipe": loops.Recipe(own_from=1.0)},
    )
    after = train(plan, shapes())
    assert after.first_loss < 0.9 * found["dit"].first_loss
    _, before, _ = neon_weights.load(out)
    _, now, _ = neon_weights.load(tmp_path / "on")
    assert before.keys() == now.keys()
    same = [name for name in before if name.startswith(("vae.", "features."))]
    assert all(torch.equal(before[name], now[name]) for name in same)
    runs = [
        line["run"] for line in read_log(tmp_path / "on" / "log.jsonl") if line["event"] == "run"
    ]
    assert runs == ["1-features", "2-vae", "3-dit", "4-dit"]
    seconds = neon_weights.read_config(tmp_path / "on").training["seconds"]["dit"]
    assert seconds > neon_weights.read_config(out).training["seconds"]["dit"]


def test_an_interrupted_run_keeps_what_it_reached(tmp_path: Path) -> None:
    told: list[str] = []

    def interrupt(stage: str, done: int, total: int) -> None:
        told.append(stage)
        if told.count("vae") == 2:
            raise KeyboardInterrupt

    plan = Plan(stage="vae", out=tmp_path / "toy", steps=100, **TOY)
    with pytest.raises(KeyboardInterrupt):
        train(plan, shapes(), progress=interrupt)
    _, state, _ = neon_weights.load(tmp_path / "toy")
    assert any(name.startswith("vae.") for name in state)
    last = read_log(tmp_path / "toy" / "log.jsonl")[-1]
    assert (last["event"], last["steps"]) == ("end", 20)


def test_too_little_memory_takes_smaller_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that has room for two clips of four: the run goes on with two, and says so."""
    whole, sizes = loops.features_step, []

    def cramped(*arguments: Any, batch: loops.Batch, **options: Any) -> Any:
        step = whole(*arguments, batch=batch, **options)

        def tried(done: float) -> Any:
            if batch.size > 2:
                raise torch.OutOfMemoryError("no room")
            sizes.append(batch.size)
            return step(done)

        return tried

    monkeypatch.setattr(loops, "features_step", cramped)
    outcome = train(Plan(stage="features", out=tmp_path / "toy", steps=3, **TOY), shapes())
    assert (outcome.steps, sizes) == (3, [2, 2, 2])
    assert [
        x["batch"] for x in read_log(tmp_path / "toy" / "log.jsonl") if x["event"] == "memory"
    ] == [2]


def test_time_ends_a_run(tmp_path: Path) -> None:
    """By a clock that goes 2 s at every look: a minute of it, less what writing takes."""
    seconds = iter(range(0, 100_000, 2))
    plan = Plan(stage="features", out=tmp_path / "toy", minutes=1, **TOY)
    outcome = train(plan, shapes(), now=lambda: float(next(seconds)))
    assert 10 < outcome.steps < 30
    assert outcome.seconds <= 75


def test_slow_rendering_leaves_time_to_train(tmp_path: Path) -> None:
    """By a clock on which a frame takes half a second and a step a tenth: rendering all 8 clips
    first would take 48 of 50 s, and anew after every 20 steps more than that. The pool is begun
    with what a step needs, and rendering on the way keeps to its share."""
    clock, footage = [0.0], shapes()

    def now() -> float:
        clock[0] += 0.02
        return clock[0]

    def slow(condition: Any, times: Any, width: int, height: int) -> Any:
        clock[0] += 0.5 * times.numel()
        return footage.render(condition, times, width, height)

    plan = Plan(stage="features", out=tmp_path / "toy", minutes=2, pool=24, **TOY)
    outcome = train(plan, replace(footage, render=slow), now=now)
    ready, end = (
        next(line for line in read_log(tmp_path / "toy" / LOG) if line["event"] == event)
        for event in ("ready", "end")
    )
    assert ready["clips"] == 16, "a first lot, and no second one"
    assert outcome.steps > 100
    after = 110 - ready["seconds"]
    assert 0 < end["rendering_s"] <= training.REFRESH_SHARE * after + 6 + 1


def test_a_stage_goes_on_with_the_clips_of_the_one_before(tmp_path: Path) -> None:
    """Nothing is rendered twice: where the pool fits it is the same one, with its clips."""
    still = {**TOY, "refresh": 0}
    first = train(Plan(stage="features", out=tmp_path / "toy", steps=2, **still), shapes())
    assert first.clips is not None
    seen = first.clips.pixels.clone()
    plan = Plan(stage="vae", out=tmp_path / "toy", steps=2, **still)
    second = train(plan, shapes(), clips=first.clips)
    assert second.clips is first.clips
    assert torch.equal(second.clips.pixels, seen)
    ends = [line for line in read_log(tmp_path / "toy" / LOG) if line["event"] == "end"]
    assert [line["rendered"] for line in ends] == [8, 0]
    other = train(replace(plan, width=64), shapes(), clips=first.clips)
    assert other.clips is not first.clips


def test_what_is_kept_on_the_way_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever copies weights away learns of each time that they were written, while they are
    whole: a run may be ended from outside."""
    monkeypatch.setattr(training, "SAVE_S", 0.0)
    out = tmp_path / "toy"
    found: list[int] = []

    def kept() -> None:
        neon_weights.load(out)
        found.append(len([line for line in read_log(out / LOG) if line["event"] == "kept"]))

    train(Plan(stage="features", out=out, steps=40, **TOY), shapes(), kept=kept)
    assert found == [1, 2, 3, 4], "after steps 1, 20 and 40, and at the end"


def test_the_critics_norm_is_exact_in_half_precision() -> None:
    """Under bfloat16 autocast the largest singular value of its weights is 1 all the same, by a
    decomposition in double precision."""
    torch.manual_seed(0)
    critic = losses.PatchCritic(8)
    video = torch.rand(1, 4, 3, 32, 32)
    for _ in range(200):
        with torch.autocast("cpu", torch.bfloat16):
            said = critic(video)
    assert said.dtype == torch.bfloat16
    for layer in critic.layers:
        if isinstance(layer, torch.nn.Conv2d):
            sizes = torch.linalg.svdvals(layer.weight.detach().double().flatten(1))
            assert sizes[0].item() == pytest.approx(1, abs=1e-3)


def test_the_average_is_kept_and_training_goes_on_with_its_own() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(0.0)
    average = loops.Average(layer, 0.5)
    for value in (1.0, 2.0, 3.0):
        layer.weight.data.fill_(value)
        average.update()
    wanted = 0.0
    for step, value in enumerate((1.0, 2.0, 3.0), 1):
        decay = min(0.5, step / (step + 10))
        wanted = decay * wanted + (1 - decay) * value
    average.swap()
    assert layer.weight.item() == pytest.approx(wanted)
    average.swap()
    assert layer.weight.item() == 3.0


def test_the_schedule_is_one_over_all_its_runs() -> None:
    """Two runs of a half each meet where one run would be, but for the second's warm-up."""
    rate = training.rate_at
    assert rate(0.0, 1000, 1.0, None) == pytest.approx(1)
    assert rate(0.5, 1000, 1.0, None) == pytest.approx(0.525)
    assert rate(1.0, 1000, 1.0, None) == pytest.approx(0.05)
    assert rate(0.5, 0, 1.0, None) == pytest.approx(0.525 / 100)


def test_segments_are_the_clips_moments() -> None:
    """What the bank holds is what encoding the rendered frames of those moments gives, the row's
    from a few frames before on."""
    footage, segments = shapes(), Segments(latest=5)
    plan = Plan(stage="vae", out=Path("unused"), **TOY)
    vae = training.open_models(plan, footage, None, CPU).vae
    bank = Latents(
        footage, vae, segments, count=6, width=48, height=32, device=CPU, dtype=torch.float32
    )
    assert list(bank.fill()) == [6]
    condition = footage.draw(torch.arange(6))
    begins = segments.begins(condition)
    assert bank.starts.tolist() == [[0, 3 * b, 3 * b + 3] for b in begins.tolist()]
    assert {1} < set(begins.tolist()) <= set(range(1, 6))
    times = times_of(condition, 0, 12 * 8)
    whole = footage.render(condition, times, 48, 32)
    with torch.inference_mode():
        for clip, begin in enumerate(begins.tolist()):
            frames = whole[clip : clip + 1, 12 * begin - 4 : 12 * begin + 24]
            row = vae.encode(frames)[0, 1:]
            torch.testing.assert_close(bank.x[clip, 3:], row, rtol=1e-4, atol=1e-4)


def test_crops_are_pieces_of_clips_at_places_that_divide_by_8() -> None:
    clips = Clips(shapes(), count=4, frames=12, width=48, height=32, device=CPU, at_once=3)
    assert list(clips.fill()) == [3, 4]
    pixels, scene, values = clips.batch(torch.Generator().manual_seed(3), 9, crop=16)
    assert pixels.shape == (9, 12, 3, 16, 16)
    places = [(y, x) for y in (0, 8, 16) for x in (0, 8, 16, 24, 32)]
    for piece, family, told in zip(pixels, scene, values, strict=True):
        found = [
            clip
            for clip in range(4)
            for y, x in places
            if torch.equal(piece, clips.pixels[clip, :, :, y : y + 16, x : x + 16].float() / 255)
        ]
        assert found
        assert clips.scene[found[0]] == family
        torch.testing.assert_close(clips.values[found[0]], told, equal_nan=True)


def test_a_model_is_measured_on_seeds_it_never_saw(trained: tuple[Path, dict[str, Any]]) -> None:
    """A table by steps with intervals; 64 steps are no way from themselves, and what is rendered is
    no way from itself."""
    out = trained[0]
    models = training.open_models(Plan(stage="dit", out=out, **TOY), shapes(), out, CPU)
    found = evaluate(
        models,
        shapes(),
        seeds=6,
        width=48,
        height=32,
        device=CPU,
        steps=(1, 4),
        chunks=2,
        batch=3,
        drift_seeds=2,
        drift_steps=1,
        drift_chunks=4,
    )
    assert found["first_seed"] == HELD_OUT
    table = found["by_steps"]
    assert set(table) == {"rendered", "reconstructed", "1", "4", "64"}
    assert table["64"]["rms_to_64_steps"]["value"] == 0
    assert table["1"]["rms_to_64_steps"]["value"] > table["4"]["rms_to_64_steps"]["value"] > 0
    assert table["rendered"]["frechet"]["value"] == pytest.approx(0, abs=1e-4)
    assert table["rendered"]["sharpness_to_rendered"]["value"] == pytest.approx(1, abs=0.2)
    assert min(table[name]["frechet"]["value"] for name in ("1", "4", "64", "reconstructed")) > 0.01
    assert table["rendered"]["attribute_error"]["value"] < 0.25, "better than a guess"
    for row in table.values():
        assert row["frechet"]["low"] <= row["frechet"]["high"]
        assert "warp_error" in row or row is table["reconstructed"]
    assert [q["from_s"] for q in found["drift"]["quarters"]] == [0, 1, 2, 3]
    json.dumps(found)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"stage": "gan"}, "known are features, vae, dit"),
        ({"width": 50}, "sides that divide by 16"),
        ({"part": (3, 2)}, "write which part of how many"),
        ({"stage": "dit"}, "holds no trained VAE"),
    ],
)
def test_what_cannot_be_trained_is_said(tmp_path: Path, other: dict[str, Any], said: str) -> None:
    plan = replace(Plan(stage="vae", out=tmp_path / "toy", steps=1, **TOY), **other)
    with pytest.raises(UsageError, match=said):
        train(plan, shapes())


def test_weights_of_other_attributes_are_refused(trained: tuple[Path, dict[str, Any]]) -> None:
    other = replace(shapes(), attributes=shapes().attributes[:3])
    with pytest.raises(UsageError, match="other scenes or attributes"):
        train(Plan(stage="vae", out=trained[0], steps=1, **TOY), other)


def test_other_spans_have_the_attribute_network_begin_anew(
    trained: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """What it tells is shares of them; what makes pictures goes on, and the new spans are kept."""
    footage = shapes()
    first, *rest = footage.attributes
    wider = {scene: (low - 1, high, usual) for scene, (low, high, usual) in first.spans.items()}
    other = replace(footage, attributes=(replace(first, spans=wider), *rest))
    plan = Plan(stage="dit", out=tmp_path / "toy", resume=trained[0], steps=1, **TOY)
    before = training.open_models(plan, footage, trained[0], CPU)
    models = training.open_models(plan, other, trained[0], CPU)
    assert before.trained == {**models.trained, "features": True}
    assert not models.trained["features"]
    assert models.config.attributes == other.attributes
    for part in ("neon", "vae"):
        pairs = zip(
            getattr(before, part).parameters(), getattr(models, part).parameters(), strict=True
        )
        assert all(torch.equal(a, b) for a, b in pairs)
    train(plan, other)
    again = training.open_models(plan, other, plan.out, CPU)
    assert again.config.attributes == other.attributes
    assert again.trained == models.trained


def test_the_command_shows_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--help"]) == 0
    said = capsys.readouterr().out
    assert "python -m generator train neon --stage vae" in said
    assert "--resume" in said
    assert main(["train", "other"]) == 2
