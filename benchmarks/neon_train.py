"""Training Neon on one GPU, call by call: `python benchmarks/neon_train.py run OUT`.

    run OUT --stage vae=5.4 --stage features=1.2 --farm FARM           first call: from nothing
    run OUT --from WEIGHTS --stage dit=8.9 --part 1/2 --bank FARM
    run OUT --from WEIGHTS --stage dit=8.4 --part 2/2 --bank FARM --evaluate 24
    ship WEIGHTS weights/neon                        eight bits, what that loses measured

OUT then holds eight files at most, none above 16 MiB: weights in float16 (at most 15 MB a piece),
config.json, log.jsonl (settings, losses and seconds of every run so far), figures.json (where the
time went, what was measured) and sheet.png (clips beside rendered ones). Copy them and name their
folder with --from in the next call. docs/neon.md has the plan of calls.

Needs torch, numpy and safetensors, nothing else of this project's dependencies, and no network.
`--farm` has other processes render and encode beside the training (`neon_farm.py`), into a folder
from which later calls on the same machine take clips (`--bank`). `--halve` renders at twice the
size and gives means of 2 x 2.
The stage `render` trains nothing: it measures how fast scenes are rendered, eager and (with
--compile-s) compiled, and how long compiling takes. What cannot be compiled in time or at all is
rendered eagerly, and figures.json names it under `compiled`.
`--rehearse` does a call on a CPU with a toy, in some minutes: what takes time there is rendering.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import re
import shutil
import struct
import sys
import tempfile
import time
import traceback
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "benchmarks"))

import neon_children  # noqa: E402
import neon_farm  # noqa: E402
from taken import taken  # noqa: E402

MOST_FILES, MOST_BYTES = 8, 16 * 2**20
MOST_SHIPPED = 36_000_000
SHEET_STEPS = (2, 4, 12)
SHEET_SEEDS = 2
STRIP_CHUNKS = 20
LOSS_SEEDS = 16
LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
TIMESTEPS = (1000.0, 800.0, 500.0, 200.0)
RENDER = "render"
OTHER_SIZES = ((256, 144), (512, 288))
CLIP_FRAMES = 40
SHELF = 4096
"""Clips of a second, 5.3 MB each at 512x288."""
FARM_END_S = 25.0


class Said:
    """What is known so far, in a file that is whole at any time."""

    def __init__(self, path: Path, began: float | None = None) -> None:
        self.path, self.began = path, time.monotonic() if began is None else began
        self.data: dict[str, Any] = {"version": 1, **taken(), "log": []}

    def say(self, text: str, **facts: Any) -> None:
        line = f"{time.monotonic() - self.began:6.1f} s  {text}"
        print(line, flush=True)
        self.data["log"].append(line)
        self.data.update(facts)
        text = json.dumps(self.data, indent=1) + "\n"
        neon_children.written(self.path, text.encode())


def run(arguments: argparse.Namespace, footage: Any = None) -> int:
    began = time.monotonic()
    import torch

    from generator.lab.train import rendered

    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    said = Said(out / "figures.json", began)
    toy = arguments.rehearse
    samples = 1 if toy else arguments.samples
    halve = arguments.halve
    ways = {"eager": footage or rendered.footage(samples, halve=halve)}
    if arguments.compile_s and footage is None:
        ways["compiled"] = rendered.footage(samples, compile_s=arguments.compile_s, halve=halve)
    device = torch.device("cpu" if toy else arguments.device)
    width, height = (48, 32) if toy else map(int, arguments.size.split("x"))
    said.say(f"torch {torch.__version__} on {device}, {width}x{height}")
    if not toy and arguments.rank:
        device = torch.device(f"cuda:{arguments.rank}")
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as ends:
        farm = None
        if arguments.farm:
            farm = farmed(arguments, ways["eager"].scenes, width, height, Path(scratch))
            ends.callback(lambda: said.say("farm", farm=farm_report(Path(arguments.farm), farm)))
            ends.callback(farm.stop)
        if arguments.peers > 1 and not arguments.rank:
            others = neon_children.Children(
                others_of(arguments, Path(scratch)), Path(scratch) / "peers"
            )
            ends.callback(lambda: said.say("peers", peers=others.report()))
            ends.callback(others.stop)
        return stages_run(arguments, said, ways, device, (width, height), out, Path(scratch), farm)


def farmed(
    arguments: argparse.Namespace, scenes: Sequence[str], width: int, height: int, scratch: Path
) -> neon_children.Children:
    """The processes that render for this call, two for each scene, and encode at its end."""
    from generator.lab.train.data import ENOUGH

    folder = Path(arguments.farm)
    folder.mkdir(parents=True, exist_ok=True)
    for left in (folder / neon_farm.STOP, folder / ENOUGH, *folder.glob("compiled-*")):
        left.unlink(missing_ok=True)  # by a call before, on the same machine
    shutil.rmtree(folder / neon_farm.VAE, ignore_errors=True)
    if not any(one.startswith("vae") for one in arguments.stage):
        hand_over(Path(arguments.source), folder)
    toy = arguments.rehearse
    size = f"{width}x{height}" if toy or not arguments.farm_size else arguments.farm_size
    commands = {}
    for scene, kind in itertools.product(scenes, ("first", "whole")):
        command = [sys.executable, str(ROOT / "benchmarks" / "neon_farm.py"), scene, str(folder)]
        command += ["--size", size, "--samples", str(1 if toy else arguments.samples)]
        command += ["--device", "cpu" if toy else arguments.farm_device]
        command += ["--seed", str(arguments.seed)]
        command += ["--first"] if kind == "first" else []
        command += ["--bank", str(arguments.farm_clips)] if arguments.farm_clips else []
        command += ["--shelve", str(arguments.farm_shelve)] if arguments.farm_shelve else []
        command += ["--eager", "--most", "16"] if toy else []
        commands[f"{scene}-{kind}"] = command
    return neon_children.Children(commands, scratch / "farm")


def farm_report(folder: Path, farm: neon_children.Children) -> dict[str, Any]:
    """What each of its processes said last, or how it failed."""
    found = farm.report()
    for path in sorted(folder.glob("*-*.json")):
        found[path.stem] = {**found.get(path.stem, {}), **json.loads(path.read_text("utf-8"))}
    found["bank_files"] = len(list(folder.glob("bank-*.safetensors")))
    return found


def hand_over(work: Path, folder: Path) -> None:
    """The trained VAE, for the farm to encode with; one that stands there stays."""
    if (folder / neon_farm.VAE).exists():
        return
    beside = folder / f"{neon_farm.VAE}.partial"
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(work, beside)
    beside.rename(folder / neon_farm.VAE)


def harvest(said: Said, folder: Path, farm: neon_children.Children, farm_s: float) -> None:
    """Let the farm go on until so many seconds into the call, and end it."""
    while time.monotonic() - said.began < farm_s:
        time.sleep(0.5)
    (folder / neon_farm.STOP).touch()
    ends = time.monotonic() + FARM_END_S
    while farm.running() and time.monotonic() < ends:
        time.sleep(0.5)
    said.say(f"the farm has ended, but {farm.running()}")


def others_of(arguments: argparse.Namespace, scratch: Path) -> dict[str, list[str]]:
    """The other processes that train with this one: the same call, told their number."""
    meet = scratch / "meet"
    arguments.meet = str(meet)
    mine = [one for one in sys.argv[1:] if one != arguments.out]
    found = {}
    for rank in range(1, arguments.peers):
        command = [sys.executable, str(Path(__file__).resolve()), mine[0]]
        command += [str(scratch / f"out-{rank}"), *mine[1:]]
        found[f"rank-{rank}"] = [*command, "--rank", str(rank), "--meet", str(meet)]
    return found


def stages_run(
    arguments: argparse.Namespace,
    said: Said,
    ways: dict[str, Any],
    device: Any,
    size: tuple[int, int],
    out: Path,
    scratch: Path,
    farm: neon_children.Children | None = None,
) -> int:
    """The stages one after the other, then the sheet and the evaluation; the exit status."""
    from generator.lab.train import training
    from generator.lab.train.data import Harvest, Shelf
    from generator.lab.train.evaluate import STEPS, evaluate
    from generator.lab.train.peers import Peers

    toy = arguments.rehearse
    width, height = size
    stages = stages_of(arguments.stage)
    for stage, minutes in stages:
        if stage == RENDER:
            sizes = [(width, height), *([] if toy else OTHER_SIZES)]
            rendering(said, ways, device, sizes, minutes, toy)
    footage = speed(said, ways, device, width, height, 1 if toy else 8)
    stages = shortened(stages, time.monotonic() - said.began)
    k, n = map(int, arguments.part.split("/"))
    source = Path(arguments.source) if arguments.source else None
    clips, failed = None, []
    work = scratch / "neon"
    banks, peers = [], None
    if arguments.bank:
        for sides in sizes_of(arguments, width, height):
            banks.append(Harvest(Path(arguments.bank), *sides, device))
            said.say(f"{banks[-1].filled} clips of {sides[0]}x{sides[1]}")
    if arguments.peers > 1:
        peers = Peers.meet(arguments.rank, arguments.peers, Path(arguments.meet), device)
        said.say(f"process {peers.rank} of {peers.count}")
    shelf = arguments.shelf or arguments.farm
    if shelf and not banks:
        clips = Shelf(
            Path(shelf),
            footage,
            count=8 if toy else arguments.pool or SHELF,
            frames=12,
            width=width,
            height=height,
            device=device,
        )
    for stage, minutes in stages:
        plan = training.Plan(
            stage=stage,
            out=work,
            resume=source,
            minutes=5 if toy else minutes,
            steps=5 if toy else None,
            part=(k, n),
            width=width,
            height=height,
            batch=None if toy else arguments.batch,
            pool=len(clips.pixels) if isinstance(clips, Shelf) else 2 if toy else arguments.pool,
            refresh=0 if toy else 64 if shelf else 8,
            rate=arguments.rate,
            seed=arguments.seed,
            device=str(device),
            compile=False if toy else arguments.compile,
            tiny=toy,
        )
        try:
            # what there is comes back as soon as it is there, whatever happens next
            came = training.train(
                plan,
                footage,
                clips=clips,
                banks=banks,
                peers=peers,
                kept=partial(bring, work, out),
            )
        except Exception as error:  # the next stage may still do its work
            failed.append(stage)
            told = traceback.format_exc()[-4000:]
            said.say(f"{stage} FAILED: {type(error).__name__}: {error}"[:2000], failed=told)
        else:
            clips = came.clips
            if stage == "vae" and arguments.farm:
                hand_over(work, Path(arguments.farm))
            said.say(
                f"{stage}: {came.steps} steps in {came.seconds:.0f} s, "
                f"loss {came.first_loss:.4g} to {came.last_loss:.4g}"
            )
        source = None if (work / "config.json").is_file() else source
    seen = [trained_on(bank) if bank.filled else None for bank in banks]
    clips, banks = None, []
    if peers is not None:
        peers.part()
        if arguments.rank:
            return 1 if failed else 0
    folder = work if (work / "config.json").is_file() else source
    if folder is None and arguments.stage:
        said.say("done")
        return 1 if failed else 0
    if folder is None:
        print("nothing to do: name a --stage, or weights with --from", file=sys.stderr)
        return 2
    plan = training.Plan(stage="dit", out=folder, device=str(device), tiny=toy)
    models = training.open_models(plan, footage, folder, device)
    if models.trained["vae"]:
        try:
            rows = sheet(models, footage, device, width, height)
        except Exception as error:  # figures are worth more than the sheet
            failed.append("sheet")
            said.say(f"sheet FAILED: {type(error).__name__}: {error}"[:2000])
        else:
            write_png(out / "sheet.png", rows)
            said.say(f"sheet.png: {rows.shape[1]}x{rows.shape[0]}")
    if farm is not None:
        harvest(said, Path(arguments.farm), farm, 0 if toy else 60 * arguments.farm_minutes)
    if models.trained["neon"]:
        losses: dict[str, dict[str, Any]] = {}
        sides = dict(zip(sizes_of(arguments, width, height), seen, strict=False)) or {size: None}
        for (wide, high), bank in sides.items():
            name, count = f"{wide}x{high}", 2 if toy else LOSS_SEEDS
            losses[name] = {
                **flow_loss(models, held_out(models, footage, device, wide, high, count))
            }
            if bank is not None:
                losses[name]["of clips that were trained on"] = flow_loss(models, bank)
            said.say(f"loss of the flow, {name}: {losses[name]}", flow_loss=losses)
    if arguments.evaluate and models.trained["neon"] and models.trained["features"]:
        found = evaluate(
            models,
            footage,
            seeds=2 if toy else arguments.evaluate,
            chunks=2 if toy else 3,
            width=width,
            height=height,
            device=device,
            steps=(1, 2) if toy else STEPS,
            batch=2 if toy else 8,
            drift_seeds=1 if toy else arguments.drift,
            drift_steps=1 if toy else 12,
            drift_chunks=2 if toy else 20,
            progress=lambda what, done, total: said.say(f"{what} {done} of {total}"),
            found=lambda so_far: said.say("so far", evaluation=so_far),
        )
        said.say("evaluated", evaluation=found)
    said.say("done")
    files = [path for path in out.iterdir() if path.is_file()]
    large = [path.name for path in files if path.stat().st_size > MOST_BYTES]
    if len(files) > MOST_FILES or large:
        print(f"{len(files)} files, too large: {large or 'none'}", file=sys.stderr)
        return 1
    return 1 if failed else 0


def stages_of(stated: Sequence[str]) -> list[tuple[str, float]]:
    return [(name, float(minutes)) for name, _, minutes in (one.partition("=") for one in stated)]


def sizes_of(arguments: argparse.Namespace, width: int, height: int) -> list[tuple[int, int]]:
    """Those that the transformer is trained at, the chief one first."""
    found = [(width, height)]
    if arguments.beside:
        w, h = map(int, arguments.beside.split("x"))
        found.append((w, h))
    return found


def shortened(stages: list[tuple[str, float]], spent_s: float) -> list[tuple[str, float]]:
    """Those that train; the longest gives what was spent before them beyond the minutes of
    `render`, compiling above all, so that a call stays as long as it was ordered."""
    over = spent_s / 60 - sum(minutes for name, minutes in stages if name == RENDER)
    training = [one for one in stages if one[0] != RENDER]
    longest = max(training, key=lambda one: one[1], default=None)
    return [
        (
            name,
            max(min(1.0, minutes), minutes - max(0.0, over))
            if (name, minutes) == longest
            else minutes,
        )
        for name, minutes in training
    ]


def bring(work: Path, out: Path) -> None:
    """The weights and the log so far, in place of those of the stage before."""
    if not work.is_dir():
        return
    for old in out.glob("neon-*.safetensors"):
        old.unlink()
    for path in work.iterdir():
        neon_children.written(out / path.name, path.read_bytes())


def rendering(
    said: Said,
    ways: dict[str, Any],
    device: Any,
    sizes: Sequence[tuple[int, int]],
    minutes: float,
    toy: bool,
) -> None:
    """How fast each scene is rendered, by size and way; of other sizes than this call's nothing is
    begun after `minutes`. A first pass warms up or compiles and is told apart."""
    import torch
    from torch._dynamo.utils import counters

    from generator.lab.train.data import times_of

    ends = time.monotonic() + 60 * minutes
    clips, frames = (1, 2) if toy else (4, CLIP_FRAMES)
    seeds = footage_seeds(ways["eager"], clips, device)
    rows: list[dict[str, Any]] = []
    for (width, height), (way, footage), scene in itertools.product(
        dict.fromkeys(sizes), ways.items(), range(len(ways["eager"].scenes))
    ):
        row: dict[str, Any] = {
            "size": f"{width}x{height}",
            "way": way,
            "scene": footage.scenes[scene],
            "frames": clips * frames,
        }
        if (width, height) != sizes[0] and time.monotonic() > ends:
            rows.append({**row, "skipped": f"over {minutes:g} minutes"})
            continue
        condition = footage.draw(seeds[scene])
        times = times_of(condition, 0, frames)
        work = partial(footage.render, condition, times, width, height)
        graphs = counters["stats"]["unique_graphs"]
        try:
            first_s, again_s = (timed(work, device) for _ in range(2))
        except Exception as error:  # the others are measured, whatever befalls one
            rows.append({**row, "failed": f"{type(error).__name__}: {error}"[:2000]})
            said.say(f"rendering {row} failed", rendering=rows)
            continue
        row["first_pass_s"] = round(first_s, 2)
        row["frames_a_second"] = round(clips * frames / again_s, 1)
        row["graphs_compiled"] = counters["stats"]["unique_graphs"] - graphs
        if device.type == "cuda":
            row["most_memory_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 1)
            torch.cuda.reset_peak_memory_stats()
        rows.append(row)
        said.say(
            f"{row['scene']} {row['size']} {way}: {row['frames_a_second']} frames a second, "
            f"first pass {first_s:.1f} s",
            rendering=rows,
        )
    compiled = [report for footage in ways.values() for report in footage.report()]
    said.say(f"rendering measured: {len(rows)} cells", rendering=rows, compiled=compiled)


def footage_seeds(footage: Any, clips: int, device: Any) -> list[Any]:
    """For each scene the first seeds that show it."""
    import torch

    drawn = footage.draw(torch.arange(64, device=device))
    return [drawn.seeds[drawn.scene == k][:clips] for k in range(len(footage.scenes))]


def timed(work: Callable[[], object], device: Any) -> float:
    """Seconds that it takes, the device's work included."""
    import torch

    start = time.monotonic()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return max(1e-9, time.monotonic() - start)


def speed(
    said: Said, ways: dict[str, Any], device: Any, width: int, height: int, clips: int
) -> Any:
    """The footage to train on, which is the fastest that works; and how fast each way renders
    batches of its clips here, behind one warm-up."""
    import torch

    from generator.lab.train.data import times_of

    rates: dict[str, float] = {}
    for way in sorted(ways):
        footage = ways[way]
        condition = footage.draw(torch.arange(clips, device=device))
        times = times_of(condition, 0, 12)
        try:
            for _ in range(1 if device.type == "cpu" else 2):
                spent = timed(partial(footage.render, condition, times, width, height), device)
        except Exception as error:
            if way == "eager":
                raise
            said.say(
                "COMPILED RENDERING FAILED, eager goes on",
                rendering_compiled_failed=f"{type(error).__name__}: {error}"[:4000],
            )
            continue
        rates[way] = 12 * clips / spent
        said.say(f"{way}: {rates[way]:.0f} frames a second")
    fastest = max(rates, key=lambda way: rates[way])
    said.say(
        f"renders {rates[fastest]:.0f} frames a second, {fastest}",
        frames_rendered_a_second=round(rates[fastest], 1),
        rendered=fastest,
        compiled=[report for footage in ways.values() for report in footage.report()],
    )
    return ways[fastest]


def of_prompts(models: Any, device: Any) -> Any:
    """What the archive's prompts show, as `generate` reads them, with seeds that are held out."""
    import torch

    from generator.lab import prompts
    from generator.lab.train.data import HELD_OUT, as_read

    known, scenes = models.config.attributes, models.config.scenes
    readings = []
    for path in sorted((ROOT / "content" / "prompts").glob("*.md")):
        text = re.search(r'^text: "(.*)"$', path.read_text("utf-8"), re.MULTILINE)
        if text is not None:
            readings.append(prompts.read(text[1], known, scenes))
    seeds = torch.arange(HELD_OUT, HELD_OUT + len(readings), device=device)
    return as_read(readings, known, scenes, seeds)


def sheet(models: Any, footage: Any, device: Any, width: int, height: int) -> Any:
    """[rows, columns, 3] in 8 bits: the archive's prompts, then `SHEET_SEEDS` held-out seeds, a
    row each: a frame of the second chunk rendered, reconstructed and, where the transformer was
    trained, generated in 2, 4 and 12 steps. Then, at half the size, ten moments of 20 s of each
    prompt, generated in 12 steps above rendered."""
    import torch
    from torch.nn import functional

    from generator.lab.train.data import HELD_OUT, Condition, times_of
    from generator.lab.train.evaluate import decoded, streamed

    ordered = of_prompts(models, device)
    others = footage.draw(torch.arange(HELD_OUT, HELD_OUT + SHEET_SEEDS, device=device))
    both = Condition(
        seeds=torch.cat([ordered.seeds, others.seeds]),
        scene=torch.cat([ordered.scene, others.scene]),
        values=torch.cat([ordered.values, others.values.to(ordered.values.dtype)]),
    )
    size, frame = (width, height), 18

    def rows_of(columns: list[Any]) -> Any:
        return torch.cat(columns, dim=3).permute(0, 2, 3, 1).flatten(0, 1).clamp(0, 1)

    with (
        torch.inference_mode(),
        torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"),
    ):
        real = footage.render(both, times_of(both, 0, 24), width, height)
        columns = [real[:, frame], decoded(models.vae, models.vae.encode(real))[:, frame]]
        parts = []
        if models.trained["neon"]:
            for steps in SHEET_STEPS:
                made = streamed(models, both, steps, 2, size)
                columns.append(decoded(models.vae, made)[:, frame])
            moments = [(2 * i + 1) * STRIP_CHUNKS // 20 * 12 + 6 for i in range(10)]
            made = streamed(models, ordered, SHEET_STEPS[-1], STRIP_CHUNKS, size)
            # a prompt's pictures of 20 s at a time: they are large
            strips = [decoded(models.vae, one[None])[0, moments] for one in made]
            for index, generated in enumerate(strips):
                one = ordered[slice(index, index + 1)]
                shown = [
                    footage.render(one, times_of(one, moment, 1), width, height)[:, 0]
                    for moment in moments
                ]
                for strip in (generated[:, None].unbind(0), shown):
                    parts.append(rows_of([functional.avg_pool2d(x.float(), 2) for x in strip]))
        grid = torch.cat([rows_of(columns), *parts])
    return (grid * 255).round().to(torch.uint8).cpu().numpy()


def trained_on(bank: Any) -> Any:
    """A few clips of a bank, for its loss beside that of held-out ones."""
    from generator.lab.train.data import Bank

    some = slice(0, None, max(1, bank.filled // LOSS_SEEDS))
    x, starts, scene, values = bank.x[some], bank.starts[some], bank.scene[some], bank.values[some]
    return Bank(x.float()[:LOSS_SEEDS], *(one[:LOSS_SEEDS] for one in (starts, scene, values)))


def held_out(models: Any, footage: Any, device: Any, width: int, height: int, seeds: int) -> Any:
    """Clips that are never trained on, encoded."""
    import torch

    from generator.lab.train.data import HELD_OUT, Latents, Segments

    shape = models.config.dit
    bank = Latents(
        footage,
        models.vae,
        Segments(chunk_latents=shape.chunk, chunk_frames=4 * shape.chunk),
        count=seeds,
        width=width,
        height=height,
        device=device,
        dtype=torch.float32,
        first_seed=HELD_OUT,
        half=partial(torch.autocast, device.type, torch.bfloat16, enabled=device.type == "cuda"),
    )
    with torch.inference_mode():
        for _ in bank.fill():
            pass
    return bank


def flow_loss(models: Any, bank: Any) -> dict[str, dict[str, float]]:
    """Squared error of the flow by noise level: of the last chunk behind clean ones, as in a
    stream; the same told another clip's condition, which must be worse; and what is known from the
    noise level alone."""
    import torch

    from generator.lab.models.neon import flow, known_share
    from generator.lab.train.loops import mixed

    neon, shape, device = models.neon, models.config.dit, bank.x.device
    found: dict[str, dict[str, float]] = {}
    with (
        torch.inference_mode(),
        torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"),
    ):
        generator = torch.Generator(device).manual_seed(0)
        noise = torch.randn(bank.x.shape, generator=generator, device=device)
        spread = models.vae.latents_spread.float().view(-1, 1, 1)
        told = {
            "told": neon.texts(bank.scene, bank.values),
            "told another's": neon.texts(bank.scene.roll(1, 0), bank.values.roll(1, 0)),
        }
        for level in LEVELS:
            sigma = torch.zeros(bank.starts.shape, device=device)
            sigma[:, -1] = level
            x = mixed(bank.x, noise, sigma, shape.chunk)
            known = known_share(level, spread) * x
            guesses = {"known without a network": known}
            for who, texts in told.items():
                guesses[who] = known + flow(neon.dit, x, 1000 * sigma, bank.starts, texts).float()
            for who, guess in guesses.items():
                off = (guess - (noise - bank.x))[:, -shape.chunk :]
                found.setdefault(who, {})[str(level)] = round(float(off.pow(2).mean()), 4)
    return found


def write_png(path: Path, rgb: Any) -> None:
    height, width = rgb.shape[:2]
    rows = b"".join(b"\0" + rgb[y].tobytes() for y in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows, 6))
        + chunk(b"IEND", b"")
    )


def ship(arguments: argparse.Namespace) -> int:
    """The transformer and the VAE for `generate`, in eight bits, with what that loses; the
    attribute network, so that what was measured can be measured again; and the log."""
    from dataclasses import replace

    import torch

    from generator.lab.models import neon_weights
    from generator.lab.train.log import LOG
    from generator.lab.train.training import attribute_network

    source, target = Path(arguments.weights), Path(arguments.target)
    cpu = {"device": torch.device("cpu"), "dtype": torch.float32}
    config, neon, vae, _ = neon_weights.open_parts(source, **cpu)
    parts = {"neon": neon, "vae": vae}
    _, state, _ = neon_weights.load(source)
    if any(key.startswith("features.") for key in state):
        parts["features"] = attribute_network(config)
        neon_weights.fill(parts["features"], "features", state, source)
    neon_weights.save(target, parts, config, eight_bits=True)
    _, neon_8, vae_8, _ = neon_weights.open_parts(target, **cpu)
    lost = storage_loss(config, (neon, vae), (neon_8, vae_8))
    files = neon_weights.save(target, parts, replace(config, rounding=lost), eight_bits=True)
    if (source / LOG).is_file():
        shutil.copyfile(source / LOG, target / LOG)
    total = sum(path.stat().st_size for path in files)
    print(json.dumps({"bytes": total, "files": [path.name for path in files], "lost": lost}))
    if total > MOST_SHIPPED:
        print(f"{total} bytes are more than {MOST_SHIPPED}", file=sys.stderr)
        return 1
    return 0


def storage_loss(config: Any, exact: tuple[Any, Any], stored: tuple[Any, Any]) -> dict[str, float]:
    """Relative difference of the flow (root of the mean square, over four timesteps), and of
    decoded pictures in levels of 255: stored weights against those that they were stored from."""
    import torch

    from generator.lab.models.neon import flow

    generator = torch.Generator().manual_seed(0)
    shape = config.dit
    clips = len(TIMESTEPS)
    x = torch.randn((clips, shape.chunk, shape.latent_channels, 18, 32), generator=generator)
    scene = torch.arange(clips) % len(config.scenes)
    values = torch.rand((clips, len(config.attributes)), generator=generator)
    times = torch.tensor(TIMESTEPS).unsqueeze(1)
    starts = torch.zeros((clips, 1), dtype=torch.long)
    with torch.inference_mode():
        flows = [
            flow(neon.dit, x, times, starts, neon.texts(scene, values))
            for neon, _ in (exact, stored)
        ]
        pictures = [vae.decode(x[:1]).clamp(0, 1) for _, vae in (exact, stored)]
    off = (flows[0] - flows[1]).pow(2).mean().sqrt() / flows[0].pow(2).mean().sqrt()
    levels = 255 * (pictures[0] - pictures[1]).abs().max()
    return {"flow": float(off), "decoded_levels_at_most": float(levels)}


def parsed(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("run", help="train stages, then look at and measure what came of it")
    one.add_argument("out")
    one.add_argument("--from", dest="source", help="weights to go on from")
    one.add_argument("--stage", action="append", default=[], metavar="NAME=MINUTES")
    one.add_argument("--part", default="1/1", metavar="K/N")
    one.add_argument("--size", default="512x288")
    one.add_argument("--batch", type=int)
    one.add_argument("--pool", type=int)
    one.add_argument("--rate", type=float)
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--samples", type=int, default=2, help="of a pixel's side, in rendering")
    one.add_argument("--device", default="cuda")
    one.add_argument(
        "--compile",
        action=argparse.BooleanOptionalAction,
        help="what is trained; the transformer's passes are unless this says no",
    )
    one.add_argument(
        "--farm", metavar="FOLDER", help="processes render into it, for this call and later ones"
    )
    one.add_argument("--farm-device", default="cuda:1")
    one.add_argument("--farm-size", help="that it renders; half of it is encoded as well")
    one.add_argument(
        "--farm-minutes", type=float, default=9.2, help="into the call, until it is ended"
    )
    one.add_argument(
        "--farm-clips", type=int, help="of each scene, encoded at most; then the GPU is free"
    )
    one.add_argument(
        "--farm-shelve",
        type=int,
        help="first chunks of each scene, left beside for a later call's attribute network",
    )
    one.add_argument(
        "--shelf", metavar="FOLDER", help="first chunks that a farm has left; nothing is rendered"
    )
    one.add_argument("--bank", metavar="FOLDER", help="encoded clips that a farm has left")
    one.add_argument(
        "--beside", metavar="SIZE", help="with --bank: another size in a fifth of steps"
    )
    one.add_argument("--peers", type=int, default=1, help="GPUs that train the transformer")
    one.add_argument("--rank", type=int, default=0, help=argparse.SUPPRESS)
    one.add_argument("--meet", help=argparse.SUPPRESS)
    one.add_argument("--halve", action="store_true", help="render at twice the size")
    one.add_argument(
        "--compile-s",
        type=float,
        metavar="SECONDS",
        default=0.0,
        help="compile rendering first, so long at most for each scene",
    )
    one.add_argument("--evaluate", type=int, default=0, metavar="SEEDS")
    one.add_argument("--drift", type=int, default=8, metavar="SEEDS", help="with --evaluate")
    one.add_argument("--rehearse", action="store_true")
    other = commands.add_parser("ship", help="write what a project ships")
    other.add_argument("weights")
    other.add_argument("target")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    arguments = parsed(given)
    return run(arguments) if arguments.command == "run" else ship(arguments)


if __name__ == "__main__":
    sys.exit(main())
