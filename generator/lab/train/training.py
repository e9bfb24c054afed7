"""A run of training: from a folder of weights to a folder of weights, in so many minutes.

Weights alone are carried from run to run; the optimiser begins anew each time, behind a warm-up.
Every run adds lines to `log.jsonl` beside the weights: its settings, losses on the way, seconds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from generator.errors import UsageError
from generator.lab import clock
from generator.lab.models import attention, neon_weights
from generator.lab.models.neon import TINY_NEON_DIT, Neon, block_pass, initialise, shape_for
from generator.lab.models.neon_vae import TINY_NEON_VAE, NeonVAE
from generator.lab.models.neon_weights import NeonConfig
from generator.lab.train import loops
from generator.lab.train.data import (
    HELD_OUT,
    Clips,
    Footage,
    Harvest,
    Latents,
    Segments,
    Shelf,
)
from generator.lab.train.log import LOG, Log, carry_log, rounded
from generator.lab.train.losses import PatchCritic
from generator.lab.train.metrics import AttributeNetwork, attribute_error, attribute_loss, psnr
from generator.lab.train.peers import Peers
from generator.measure.roofline import NEON_DIT, NEON_VAE, DiTShape, tokens_per_frame

__all__ = ["STAGES", "Models", "Outcome", "Plan", "attribute_network", "open_models", "train"]

STAGES = ("features", "vae", "dit")
PARTS = {"features": "features", "vae": "vae", "dit": "neon"}
"""Stage -> the part that it trains."""
RATES = {"features": 1e-3, "vae": 1e-3, "dit": 5e-4}
BATCHES = {"features": 32, "vae": 32, "dit": 32}
POOLS = {"features": 1024, "vae": 1024, "dit": 12_000}
CROP = 128
WARM_STEPS = 100
LAST_RATE = 0.05
"""Share of the learning rate that the schedule ends with."""
RECENT, RISEN, MOST_BACK = 10, 1.3, 3
"""Lines of the log whose mean loss is compared with the lowest so far, how far it may rise, and how
often a run goes back. Losses of single batches of sixteen clips lie a third apart by chance: five
of them, and a rise by a fifth, once stopped a run that was well."""
EVERY = 20
"""Steps from one line of the log to the next; the host waits for the device there only."""
FILL_SHARE = 0.25
"""Of a run's time, after which clips that are still to be rendered come on the way."""
REFRESH_SHARE = 0.3
"""Of the time since then, which rendering on the way may take."""
SHELF_BATCHES = 3
"""Clips of so many steps are waited for, where other processes render."""
BESIDE_SHARE = 0.2
"""Of the transformer's steps, for clips of the other size."""
SAVE_S = 150.0
CHECK_S = 30.0
"""From one look at held-out clips to the next."""
CHECKED = HELD_OUT + 1_000_000
"""Seeds of the clips that are looked at on the way: never trained on, and other ones than those
that evaluation measures, for the attribute network is chosen by them."""
CHECKED_CLIPS = 16
FEATURES_DECAY = 0.05
MARGIN_S = 10.0
"""Kept free at a run's end, to write what it came to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run, as it was ordered."""

    stage: str
    out: Path
    resume: Path | None = None
    """Where to go on from; `out` where weights stand there."""
    minutes: float = 9.0
    """Of the whole run, rendering included."""
    steps: int | None = None
    """Most steps; the schedule goes by them then, not by time."""
    part: tuple[int, int] = (1, 1)
    """(k, n): this run is the k-th of n that share one schedule."""
    width: int = 512
    height: int = 288
    batch: int | None = None
    rate: float | None = None
    pool: int | None = None
    """Clips that are kept on the device."""
    refresh: int = 8
    """Clips that are rendered after every 20 steps, as far as REFRESH_SHARE lets them, and as often
    as it lets them until there are `pool`; 0 for none. A run that goes by its steps renders so many
    and no more."""
    seed: int = 0
    """Of parameters, draws, and of footage, which begins at 10 million times it."""
    device: str = "cuda"
    compile: bool | None = None
    """What is trained. None: the transformer's passes where there is a GPU, and nothing else."""
    tiny: bool = False
    recipe: loops.Recipe = field(default_factory=loops.Recipe)


@dataclass(slots=True)
class Models:
    """The parts, and which of them hold something."""

    config: NeonConfig
    neon: Neon
    vae: NeonVAE
    features: AttributeNetwork
    trained: dict[str, bool]

    def kept(self) -> dict[str, nn.Module]:
        """Those that are worth writing."""
        return {name: getattr(self, name) for name in PARTS.values() if self.trained[name]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run came to."""

    files: tuple[Path, ...]
    steps: int
    seconds: float
    first_loss: float
    last_loss: float
    clips: Clips | None
    """What it was trained on, for another stage to go on with; None for latents."""


def train(
    plan: Plan,
    footage: Footage,
    *,
    clips: Clips | None = None,
    banks: Sequence[Harvest] = (),
    peers: Peers | None = None,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
    kept: Callable[[], None] = lambda: None,
    now: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Train one stage. What was reached is kept when the run is interrupted, too; `kept` is called
    whenever `plan.out` was written. `clips` of a stage before, or of another process, are taken
    where they fit; the transformer takes `banks`, where there are some, instead of rendering: one
    of its size, and one of another that it sees beside it. `peers` train the transformer as well.

    Raises UsageError for what cannot be had, MediaError for weights that cannot be read.
    """
    began = now()
    check(plan)
    device = torch.device(plan.device)
    torch.manual_seed(plan.seed)
    source = plan.resume or (plan.out if (plan.out / neon_weights.CONFIG).is_file() else None)
    models = open_models(plan, footage, source, device)
    part = PARTS[plan.stage]
    if plan.stage == "dit" and not models.trained["vae"]:
        raise UsageError(
            f"--stage dit: {source or plan.out} holds no trained VAE to make latents with; "
            "run --stage vae first, or name its folder with --resume"
        )
    plan.out.mkdir(parents=True, exist_ok=True)
    carry_log(source, plan.out)
    log = Log(plan.out / LOG, plan.stage, began, now)
    log.write("run", **said_of(plan, models), resumed=str(source) if models.trained[part] else None)
    network: nn.Module = getattr(models, part)
    network.train().requires_grad_(True)
    end_s = plan.minutes * 60 - MARGIN_S
    peers = peers or Peers()
    seed = plan.seed * 1000 + plan.part[0]
    generator = torch.Generator(device).manual_seed(seed + 100_003 * peers.rank)
    stage = prepared(
        plan,
        models,
        footage,
        generator,
        device,
        told(progress, "rendering"),
        lambda: now() - began > FILL_SHARE * end_s,
        clips,
        banks,
        peers,
    )
    average = loops.Average(network, plan.recipe.average)
    log.write("ready", clips=stage.clips, compiled=footage.report(), attention=stage.attention)
    step_of, optimiser, refresh = stage.step, stage.optimiser, stage.refresh
    rescue = Rescue(network, average, stage)
    synchronise(device)
    ready, saved, steps, rendering_s = now() - began, now(), 0, 0.0
    losses: list[float] = []
    lately: list[Mapping[str, torch.Tensor]] = []
    best = Best(average)
    checked = now()

    def check_held_out() -> None:
        with averaged(network, average):
            found = stage.measure()
        log.write("held_out", step=steps, **found)
        best.look(steps, found.get("loss_held_out"))

    try:
        if plan.stage == "vae":  # what the principal components give by themselves
            check_held_out()
        while True:
            spent = now() - began
            local = (
                steps / plan.steps
                if plan.steps is not None
                else (spent - ready) / max(1e-9, end_s - ready)
            )
            spent, local = peers.agreed(spent, local)
            if local >= 1 or spent >= end_s:
                break
            done = (plan.part[0] - 1 + local) / plan.part[1]
            for group in optimiser.param_groups:
                group["lr"] = group.get("share", 1.0) * rate_at(done, steps, stage.rate, plan.steps)
            try:
                with fastest_convolutions(device), attention.using(stage.kernel):
                    found = step_of(done)
            except torch.OutOfMemoryError:
                make_smaller(stage.batch, network, log)
                continue
            except Exception as error:  # whatever the compiler has: steps can be made without
                if stage.plain is None:
                    raise
                step_of, stage.plain = stage.plain, None
                network.zero_grad(set_to_none=True)
                log.write("plain", why=f"{type(error).__name__}: {error}"[:2000])
                continue
            average.update()
            steps += 1
            lately.append(found)
            if steps == 1 or steps % EVERY == 0:
                numbers = means(lately)
                lately.clear()
                losses.append(numbers["loss"])
                log.write("step", step=steps, done=round(done, 4), **rounded(numbers))
                (loss,) = peers.agreed(numbers["loss"])
                if plan.stage == "dit" and done < plan.recipe.own_from and rescue.look(loss):
                    log.write("back", step=steps, loss=rescue.lowest, rate=stage.rate)
                progress(plan.stage, int(100 * local), 100)
                while plan.refresh and (
                    plan.steps or rendering_s <= REFRESH_SHARE * (now() - began - ready)
                ):
                    before = now()
                    came = refresh(plan.refresh)
                    synchronise(device)
                    rendering_s += now() - before
                    if plan.steps or stage.full() or not came:
                        break
                if plan.stage != "dit" and now() - checked > CHECK_S:
                    checked = now()
                    check_held_out()
                if now() - saved > SAVE_S:
                    saved = now()
                    keep(plan, models, average, part, stage.finish, log, steps)
                    kept()
        if plan.stage != "dit" and steps:
            check_held_out()
            if best.restore(steps):
                log.write("best", step=best.step, loss_held_out=best.loss)
        progress(plan.stage, 100, 100)
    finally:
        files = keep(plan, models, average, part, stage.finish, log, steps) if steps else []
        log.write("end", steps=steps, rendered=stage.rendered(), rendering_s=round(rendering_s, 1))
        kept()
    if not losses:
        raise UsageError(
            f"--minutes {plan.minutes:g}: over before the first step, for rendering took as long; "
            "give more, or fewer clips with --pool"
        )
    tail = losses[-max(1, len(losses) // 5) :]
    return Outcome(
        files=tuple(files),
        steps=steps,
        seconds=now() - began,
        first_loss=losses[0],
        last_loss=sum(tail) / len(tail),
        clips=stage.pool,
    )


def means(steps: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, float]:
    """Of the numbers that the last of these steps tells, over all steps that tell them."""
    return {
        name: float(torch.stack([one[name] for one in steps if name in one]).mean())
        for name in steps[-1]
    }


@contextmanager
def averaged(network: nn.Module, average: loops.Average) -> Iterator[None]:
    """The network with the average of its parameters, not in training."""
    average.swap()
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train()
        average.swap()


class Best:
    """The averaged parameters that did best on held-out clips, where a loss is told."""

    def __init__(self, average: loops.Average) -> None:
        self.average, self.step, self.loss = average, 0, math.inf
        self.kept: list[torch.Tensor] = []

    def look(self, step: int, loss: float | None) -> None:
        if loss is not None and loss < self.loss:
            self.step, self.loss = step, loss
            self.kept = [one.clone() for one in self.average.kept]

    def restore(self, steps: int) -> bool:
        """Keep them instead of the last ones; False where these are the best."""
        if not self.kept or self.step == steps:
            return False
        self.average.kept = self.kept
        return True


class Rescue:
    """Goes back to where the loss was lowest, at half the rate, when it has risen far above."""

    def __init__(self, network: nn.Module, average: loops.Average, stage: Stage) -> None:
        self.stage = stage
        self.lowest, self.recent, self.left = math.inf, list[float](), MOST_BACK
        self.places = [*network.parameters(), *average.kept]
        self.kept: list[torch.Tensor] = []

    @torch.no_grad()
    def look(self, loss: float) -> bool:
        """Told every loss that is logged; whether it went back."""
        self.recent = [*self.recent[1 - RECENT :], loss if math.isfinite(loss) else 1e9]
        mean = sum(self.recent) / len(self.recent)
        if len(self.recent) < RECENT:
            return False
        if mean < self.lowest:
            self.lowest = mean
            self.kept = [one.clone() for one in self.places]
        if mean <= RISEN * self.lowest or not self.left:
            return False
        self.left -= 1
        for place, kept in zip(self.places, self.kept, strict=True):
            place.copy_(kept)
        self.stage.optimiser.forget()
        self.stage.rate /= 2
        self.recent = []
        return True


def check(plan: Plan) -> None:
    """Raises UsageError, with everything that is wrong."""
    wrong = []
    if plan.stage not in STAGES:
        wrong.append(f'--stage "{plan.stage}": known are {", ".join(STAGES)}')
    if plan.width % 16 or plan.height % 16 or min(plan.width, plan.height) < 16:
        wrong.append(f"--size {plan.width}x{plan.height}: write sides that divide by 16")
    k, n = plan.part
    if not 1 <= k <= n:
        wrong.append(f"--part {k}/{n}: write which part of how many, such as 1/2")
    if plan.minutes * 60 <= MARGIN_S:
        wrong.append(f"--minutes {plan.minutes:g}: write more, {MARGIN_S:g} s go to writing")
    if plan.device.startswith("cuda") and not torch.cuda.is_available():
        wrong.append(
            f"--device {plan.device}: torch sees no GPU here (torch {torch.__version__}); write "
            "--device cpu, with --tiny for a rehearsal"
        )
    if wrong:
        raise UsageError("\n".join(wrong))


def attribute_network(config: NeonConfig) -> AttributeNetwork:
    """What a model of this configuration is measured with, not trained."""
    tiny = config.vae == TINY_NEON_VAE
    toy: dict[str, Any] = {"widths": (8, 8, 8, 8), "look": (32, 48)} if tiny else {}
    return AttributeNetwork(len(config.scenes), len(config.attributes), **toy)


def open_models(plan: Plan, footage: Footage, source: Path | None, device: torch.device) -> Models:
    """Parts as `source` has them; those that it lacks begin anew. So does the attribute network
    where attributes have other spans now, for all it tells is shares of them; the transformer has
    to learn them anew from where it is.

    Raises UsageError where it was trained on other attributes or shapes.
    """
    fresh = NeonConfig(
        dit=shape_for(TINY_NEON_DIT if plan.tiny else NEON_DIT, len(footage.attributes)),
        vae=TINY_NEON_VAE if plan.tiny else NEON_VAE,
        scenes=footage.scenes,
        attributes=footage.attributes,
    )
    config, state = fresh, dict[str, torch.Tensor]()
    if source is not None:
        config, state, _ = neon_weights.load(source)
        known = [[one.name for one in each.attributes] for each in (config, fresh)]
        if config.scenes != fresh.scenes or known[0] != known[1]:
            raise UsageError(
                f"{source}: trained on other scenes or attributes than are rendered now; begin "
                "anew with another --out"
            )
        if plan.tiny != (config.vae == TINY_NEON_VAE):
            raise UsageError(f"{source}: give --tiny where the weights are a toy's, and only there")
        if config.attributes != fresh.attributes:  # other spans: shares of them mean other values
            config = replace(config, attributes=fresh.attributes)
            state = {key: one for key, one in state.items() if not key.startswith("features.")}
    if not any(key.startswith("neon.") for key in state):
        config = replace(config, dit=fresh.dit)  # as it is today, where it is still to be trained
    neon, vae = Neon(config.dit, scenes=len(config.scenes)), NeonVAE(config.vae)
    initialise(neon, plan.seed)
    models = Models(config, neon, vae, attribute_network(config), {})
    for name in PARTS.values():
        module: nn.Module = getattr(models, name)
        models.trained[name] = any(key.startswith(f"{name}.") for key in state)
        if models.trained[name] and source is not None:
            neon_weights.fill(module, name, state, source)
        module.to(device).eval().requires_grad_(False)
    return models


@dataclass(slots=True, kw_only=True)
class Stage:
    """A stage that is ready to begin."""

    step: loops.Step
    plain: loops.Step | None = None
    """The same step uncompiled, where `step` is compiled: what is gone on with where that fails."""
    kernel: str = "torch"
    """Of attention, as `attention.using` knows them."""
    attention: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds of the kernels that were tried, forwards and backwards."""
    optimiser: loops.Several
    refresh: Callable[[int], int]
    """Up to so many new clips; how many came."""
    finish: Callable[[], None]
    rendered: Callable[[], int]
    full: Callable[[], bool]
    """Whether the pool holds as many clips as it may."""
    rate: float
    clips: int
    batch: loops.Batch
    pool: Clips | None = None
    measure: Callable[[], Mapping[str, Any]] = dict
    """Figures of held-out clips; those of the attribute network have a `loss_held_out`."""


def prepared(
    plan: Plan,
    models: Models,
    footage: Footage,
    generator: torch.Generator,
    device: torch.device,
    progress: Callable[[int, int], None],
    enough: Callable[[], bool],
    before: Clips | None,
    banks: Sequence[Harvest],
    peers: Peers,
) -> Stage:
    """Footage on the device, that of the stage `before` where it fits, and the step that trains on
    it. `enough` says that rendering has taken its share of the time."""
    batch = loops.Batch(plan.batch or (4 if plan.tiny else BATCHES[plan.stage]))
    rate = plan.rate or RATES[plan.stage]
    count = plan.pool or (8 if plan.tiny else POOLS[plan.stage])
    first_seed = 10_000_000 * plan.seed + 1_000_000 * plan.part[0]
    sides = {"width": plan.width, "height": plan.height}

    def half() -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")

    if plan.stage == "dit":
        shape = models.config.dit
        segments = Segments(chunk_latents=shape.chunk, chunk_frames=4 * shape.chunk)
        latents = None
        if not banks:
            latents = Latents(
                footage,
                models.vae,
                segments,
                count=count,
                **sides,
                device=device,
                dtype=torch.bfloat16 if device.type == "cuda" else torch.float32,
                first_seed=first_seed,
                half=half,
            )
            for filled in latents.fill():
                progress(filled, count)
                synchronise(device)
                if enough() and filled >= batch.size:
                    break  # the rest comes with every refresh
        for one in banks:
            for filled in one.wait(batch.size):
                progress(filled, batch.size)
                if enough():
                    break
            some(one.filled, one.folder)
        bank = latents or banks[0]
        optimiser = loops.dit_optimiser(models.neon, rate)
        stepping = partial(
            loops.dit_step,
            models.neon,
            bank,
            optimiser,
            generator,
            plan.recipe,
            batch=batch,
            shift=models.config.shift,
            spread_C=models.vae.latents_spread,
            half=half,
            beside=banks[1] if len(banks) > 1 else None,
            beside_share=BESIDE_SHARE,
            seed=plan.seed * 1000 + plan.part[0],
            peers=peers,
        )
        compiled = device.type == "cuda" if plan.compile is None else plan.compile
        tried = attention_tried(shape, batch.size, plan.width, plan.height, segments.chunks, device)
        return Stage(
            step=stepping(run=torch.compile(block_pass, dynamic=False)) if compiled else stepping(),
            plain=stepping() if compiled else None,
            kernel=min(tried, key=lambda name: tried[name], default="torch"),
            attention=tried,
            optimiser=optimiser,
            refresh=latents.refresh if latents else lambda clips: sum(x.refresh() for x in banks),
            finish=lambda: None,
            rendered=lambda: latents.next_seed - first_seed if latents else 0,
            full=lambda: latents is not None and latents.filled == count,
            rate=rate,
            clips=bank.filled,
            batch=batch,
        )
    fits = before is not None and before.pixels.shape == (count, 12, 3, plan.height, plan.width)
    if before is not None and fits and before.device == device:
        clips = before
    else:
        clips = Clips(
            footage, count=count, frames=12, **sides, device=device, first_seed=first_seed
        )
    begun = clips.next_seed
    if clips.filled < batch.size:  # else what is still to come comes with every refresh
        for filled in clips.fill():
            progress(filled, count)
            synchronise(device)
            if isinstance(clips, Shelf):
                if enough() or filled >= min(SHELF_BATCHES * batch.size, count):
                    break
            elif enough() and filled >= min(batch.size, count):
                break
        if isinstance(clips, Shelf):
            some(clips.filled, clips.folder)
    unseen = Clips(
        footage,
        count=4 if plan.tiny else CHECKED_CLIPS,
        frames=12,
        **sides,
        device=device,
        first_seed=CHECKED,
    )
    uncompiled: loops.Step | None = None
    if plan.stage == "features":
        optimiser = loops.Several(
            loops.optimiser(models.features.parameters(), rate, FEATURES_DECAY)
        )
        sided = [i for i, one in enumerate(footage.attributes) if one.name in loops.SIDED]
        step = loops.features_step(
            models.features, clips, optimiser, generator, batch=batch, half=half, sided=sided
        )
    else:
        if not models.trained["vae"]:
            models.vae.set_linear(*loops.block_moments(clips.pixels, clips.filled))
        critic = PatchCritic(8 if plan.tiny else 48).to(device)
        optimiser = loops.Several(loops.vae_optimiser(models.vae, rate))
        plain = loops.reconstruction(models.vae, plan.recipe)

        def step_by(reconstruct: loops.Reconstruct) -> loops.Step:
            return loops.vae_step(
                models.vae,
                clips,
                optimiser,
                generator,
                plan.recipe,
                batch=batch,
                crop=min(CROP, plan.width // 8 * 8, plan.height // 8 * 8),
                features=models.features if models.trained["features"] else None,
                critic=critic,
                critics=critics,
                half=half,
                reconstruct=reconstruct,
            )

        critics = loops.optimiser(critic.parameters(), rate / 2)
        step = step_by(plain)
        if plan.compile or device.type == "cuda":
            uncompiled, step = step, step_by(torch.compile(plain, dynamic=False))

    def measure() -> Mapping[str, Any]:
        if not unseen.filled:
            list(unseen.fill())
        with half():
            if plan.stage == "features":
                return told_of_features(models.features, unseen)
            return told_of_vae(models.vae, unseen, footage.scenes)

    def finish() -> None:
        if plan.stage == "vae":
            loops.whiten(models.vae, clips, 8, min(4, count), plan.seed)

    return Stage(
        step=step,
        plain=uncompiled,
        optimiser=optimiser,
        refresh=clips.refresh,
        finish=finish,
        rendered=lambda: clips.next_seed - begun,
        full=lambda: clips.filled == count,
        rate=rate,
        clips=clips.filled,
        batch=batch,
        pool=clips,
        measure=measure,
    )


def some(clips: int, folder: Path) -> None:
    """Raises UsageError where no clips came."""
    if not clips:
        raise UsageError(
            f"{folder}: no clip came from the processes that render, in a quarter of the run's "
            "time; see what they said, or render here"
        )


def attention_tried(
    shape: DiTShape, clips: int, width: int, height: int, chunks: int, device: torch.device
) -> dict[str, float]:
    """Milliseconds that each kernel of a GPU takes for a step's last chunk and for its tokens of
    attributes; those that cannot are left out."""
    if device.type != "cuda":
        return {}
    chunk = tokens_per_frame(shape, width, height) * shape.chunk
    pairs = ((chunk, chunks * chunk), (chunks * chunk, shape.text_tokens))
    sizes = [
        ((clips, queries, shape.heads, shape.head_dim), (clips, keys, shape.heads, shape.head_dim))
        for queries, keys in pairs
    ]
    found = {}
    for kernel in ("cudnn", "flash", "efficient"):
        try:
            found[kernel] = attention.milliseconds(kernel, sizes, device, torch.bfloat16)
        except (RuntimeError, torch.OutOfMemoryError):
            continue
    return found


def told_of_vae(vae: NeonVAE, clips: Clips, scenes: tuple[str, ...]) -> dict[str, Any]:
    """PSNR of whole clips in dB, the mean over clips: of all, and of each scene."""
    found: dict[str, list[float]] = {"mean": []}
    for video, scene in zip(clips.pixels, clips.scene.tolist(), strict=True):
        pixels = video.unsqueeze(0).float() / 255
        again = vae.decode(vae.encode(pixels)).float().clamp(0, 1)
        for name in ("mean", scenes[scene]):
            found.setdefault(name, []).append(psnr(again, pixels))
    means = {name: round(sum(each) / len(each), 3) for name, each in found.items()}
    return {"psnr_held_out": means, "clips": len(clips.pixels)}


def told_of_features(network: AttributeNetwork, clips: Clips) -> dict[str, Any]:
    """The loss that is trained with, the share of scenes told right, and the mean absolute error of
    attributes as shares."""
    said = [network(video.unsqueeze(0).float() / 255) for video in clips.pixels]
    scores, shares = (torch.cat(each).float() for each in zip(*said, strict=True))
    loss = attribute_loss((scores, shares), clips.scene, clips.values)
    return {
        "loss_held_out": round(float(loss), 5),
        "scenes_right": float((scores.argmax(dim=1) == clips.scene).float().mean()),
        "attribute_error": round(float(attribute_error(shares, clips.values).mean()), 4),
        "clips": len(clips.pixels),
    }


def synchronise(device: torch.device) -> None:
    """Wait for the device, so that the clock sees what it did."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def fastest_convolutions(device: torch.device) -> Iterator[None]:
    """Sizes stay the same from step to step, so that trying kernels once pays."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = device.type == "cuda"
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def make_smaller(batch: loops.Batch, network: nn.Module, log: Log) -> None:
    """Half as many clips a step. Raises UsageError where there is but one."""
    if batch.size == 1:
        raise UsageError("--size: a single clip needs more memory than the device has; take less")
    batch.size //= 2
    network.zero_grad(set_to_none=True)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    log.write("memory", batch=batch.size)


def rate_at(done: float, steps: int, rate: float, most: int | None) -> float:
    """Cosine over the whole schedule, behind a warm-up at the beginning of each run."""
    warm = WARM_STEPS if most is None else max(1, min(WARM_STEPS, most // 10))
    cosine = LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return rate * cosine * min(1.0, (steps + 1) / warm)


def keep(
    plan: Plan,
    models: Models,
    average: loops.Average,
    part: str,
    finish: Callable[[], None],
    log: Log,
    steps: int,
) -> list[Path]:
    """Write the averaged weights; training goes on with its own."""
    average.swap()
    try:
        finish()
        before = models.config.training
        seconds = {**before.get("seconds", {})}
        earlier = {**before.get("earlier", {})}
        earlier.setdefault(log.id, seconds.get(plan.stage, 0.0))
        seconds[plan.stage] = round(earlier[log.id] + log.seconds, 1)
        training = {"seconds": seconds, "earlier": {log.id: earlier[log.id]}, "log": LOG}
        models.config = replace(models.config, training=training)
        models.trained[part] = True
        files = neon_weights.save(plan.out, models.kept(), models.config, stays=(LOG,))
        log.write("kept", step=steps, bytes=sum(path.stat().st_size for path in files))
        return files
    finally:
        average.swap()


def said_of(plan: Plan, models: Models) -> dict[str, Any]:
    """Settings, machine and sizes, for the log."""
    settings = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in asdict(plan).items()
    }
    counts = {
        name: sum(p.numel() for p in getattr(models, name).parameters()) for name in PARTS.values()
    }
    return {
        "settings": settings,
        "parameters": counts,
        "batch": plan.batch or (4 if plan.tiny else BATCHES[plan.stage]),
        "learning_rate": plan.rate or RATES[plan.stage],
        "machine": dict(clock.machine(plan.device)),
        "software": dict(clock.software()),
    }


def told(progress: Callable[[str, int, int], None], stage: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(stage, done, total)
