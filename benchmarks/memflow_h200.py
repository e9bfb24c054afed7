"""MemFlow on one GPU, everything in one call: `python benchmarks/memflow_h200.py measure OUT`.

Random weights, so speed only. In order, each as far as the time goes:
  golden   the official code's tensors, again on this device (float32)
  cells    the archive's 14 cells (512x288 and 848x480 at 2 to 12 steps), 20.0 s each
  wipe     a wiped pipeline against a fresh process, bit by bit, and each memory left out
  stages   where the time of a chunk goes, and what other attention kernels would take
  repeats  shorter takes of all cells, round after round, until the time is up
`prove OUT` does the proofs alone, in two minutes: golden tensors with switched prompts and sparse
memory among them, and the wipe with all seven memories, a VACE context and a switch included.
OUT/memflow.json is written anew after each step, so that a run that was cut short is a shorter run.

Needs torch, diffusers, safetensors and numpy, nothing else of this project's dependencies, and no
network. `adopt OUT/memflow.json --run ID` makes a run of content/runs of it, where the whole
project is installed. `--rehearse` does it all on a CPU with a toy network in a minute.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

STEPS = (2, 3, 4, 6, 8, 10, 12)
SIZES = ((512, 288), (848, 480))
STEADY_CHUNKS = 8
"""Of a repeat: these many chunks of the steady state."""
MARGIN_S = 15
PROMPT = "cyberpunk-detective"
KERNELS = ("cudnn", "flash", "efficient")
GOLDEN = ROOT / "tests" / "lab" / "golden"
"""Each file says what it was made with (README.md there)."""


class Budget:
    """How much of the time is left."""

    def __init__(self, minutes: float) -> None:
        self.start = time.monotonic()
        self.total_s = minutes * 60 - MARGIN_S

    @property
    def spent_s(self) -> float:
        return time.monotonic() - self.start

    def allows(self, seconds: float) -> bool:
        return self.spent_s + seconds < self.total_s


class Report:
    """What is known so far, in a file that is whole at any time."""

    def __init__(self, path: Path, budget: Budget) -> None:
        self.path, self.budget = path, budget
        self.data: dict[str, Any] = {"version": 1, "cells": {}, "log": []}

    def say(self, text: str) -> None:
        line = f"{self.budget.spent_s:6.1f} s  {text}"
        print(line, flush=True)
        self.data["log"].append(line)

    def write(self) -> None:
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(self.data, indent=1) + "\n", encoding="utf-8")
        partial.replace(self.path)


def measure(arguments: argparse.Namespace) -> int:
    import torch

    from generator.lab import generate, record
    from generator.lab.pipelines import PIPELINES, Parts, open_pipeline

    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    report = Report(out / "memflow.json", Budget(arguments.minutes))
    known = PIPELINES["memflow"]
    rehearsal = arguments.rehearse
    seconds = Fraction(6) if rehearsal else Fraction(20)
    frames = int(seconds * known.content_rate_hz)
    cells = tuple(
        record.Cell(
            pipeline="memflow",
            prompt=PROMPT,
            text=prompt_text(),
            width=width,
            height=height,
            steps=(steps,),
            seed=0,
        )
        for width, height in (((32, 32), (48, 32)) if rehearsal else SIZES)
        for steps in (STEPS[:1] if rehearsal else STEPS)
    )
    parts = Parts(
        device="cpu" if rehearsal else arguments.device,
        dtype="float32" if rehearsal else "bfloat16",
        weights="random",
        tiny=rehearsal,
        attention=arguments.attention,
    )
    plan = generate.Plan(pipeline="memflow", cells=cells, parts=parts, seconds=seconds)
    pipeline: Any = open_pipeline("memflow", parts)
    pipeline.synchronize()
    report.say(f"opened on {parts.device}, torch {torch.__version__}")
    conditions = generate.conditions_of(plan, pipeline)
    if arguments.commit:
        conditions["software"]["Matrix Archive"] = f"commit {arguments.commit}"
    report.data["conditions"] = conditions
    report.data["memories"] = list(pipeline.memories)
    report.data["steady_chunks_of_repeats"] = STEADY_CHUNKS
    report.write()

    if "golden" not in arguments.skip:
        golden(report, parts.device)
    takes: dict[str, list[Any]] = {}
    warm: set[tuple[int, int]] = set()
    for cell in cells:
        one_cell(report, pipeline, cell, known, frames, warm, takes, conditions)
    if "wipe" not in arguments.skip:
        wipe(report, parts, cells[2 if len(cells) > 2 else 0])
    for cell in (cells[0],) if rehearsal else (cells[2], cells[-5]):
        stages(report, pipeline, cell)
    repeats(report, pipeline, cells, known, takes, conditions)
    report.say("done")
    report.write()
    return 0


def one_cell(
    report: Report,
    pipeline: Any,
    cell: Any,
    known: Any,
    frames: int,
    warm: set[tuple[int, int]],
    takes: dict[str, list[Any]],
    conditions: Any,
) -> None:
    """The whole clip of a cell, if there is time for twice what the one before it took."""
    from generator.lab import generate

    before = [max(take.timing.arrivals_s) for found in takes.values() for take in found]
    if before and not report.budget.allows(1.6 * before[-1]):
        report.say(f"{cell.id}: left out, no time")
        return
    try:
        found = generate.measure_cell(pipeline, cell, known, frames=frames, repeats=1, warm=warm)
    except MemoryError as error:
        report.say(f"{cell.id}: out of memory: {error}")
        return
    take = found[0]
    digests = [hashlib.sha256(part.data).hexdigest() for part in take.frames]
    report.data.setdefault("chunk_sha256", {})[cell.id] = digests
    takes[cell.id] = [replace(take, frames=())]
    note(report, pipeline, cell, takes[cell.id], frames, conditions)


def note(
    report: Report, pipeline: Any, cell: Any, takes: list[Any], frames: int, conditions: Any
) -> None:
    from generator.lab import generate, record

    timing = takes[-1].timing
    peaks = [take.peak_bytes for take in takes if take.peak_bytes is not None]
    report.data["cells"][cell.id] = record.measured(
        cell,
        timings=[take.timing for take in takes],
        peak_bytes=max(peaks, default=None),
        frames=frames,
        frames_sha256=[takes[0].frames_sha256],
        step_list=pipeline.step_list(generate.request_of(cell)),
        conditions={**conditions, "repeats": 0},
        clip=None,
        no_clip=generate.NOISE,
    )
    peak = f", peak {max(peaks) / 2**30:.1f} GiB" if peaks else ""
    report.say(
        f"{cell.id} take {len(takes)}: {timing.fps:.2f} FPS steady, {timing.overall_fps:.2f} "
        f"overall, first {timing.first_frame_s:.3f} s, p95 {timing.latency_s(95):.3f} s{peak}"
    )
    report.write()


def repeats(
    report: Report,
    pipeline: Any,
    cells: tuple[Any, ...],
    known: Any,
    takes: dict[str, list[Any]],
    conditions: Any,
    turns: int = 9,
) -> None:
    """Round after round over all cells; a take whose pictures differ from the first's is told."""
    from generator.lab import clock, generate

    chunks = known.settled_chunk + STEADY_CHUNKS
    frames = 9 + 12 * (chunks - 1)
    for turn in range(1, turns + 1):
        for cell in cells:
            if cell.id not in takes:
                continue
            timing = takes[cell.id][0].timing
            needed = timing.arrivals_s[min(chunks, len(timing.arrivals_s)) - 1] * 1.3
            if not report.budget.allows(needed):
                report.say(f"{cell.id}: no time for repeat {turn}")
                return
            request = generate.request_of(cell)
            clock.warm_up(pipeline, request, chunks=2)
            take = clock.measure(pipeline, request, known, frames=frames)
            digests = [hashlib.sha256(part.data).hexdigest() for part in take.frames]
            first = report.data["chunk_sha256"][cell.id]
            shared = min(len(first), len(digests)) - 1  # the last may have been cut
            same = digests[:shared] == first[:shared]
            report.data.setdefault("repeats_identical", {}).setdefault(cell.id, []).append(same)
            if not same:
                report.say(f"{cell.id}: repeat {turn} shows OTHER pictures than the first take")
            takes[cell.id].append(replace(take, frames=()))
            clip_frames = report.data["cells"][cell.id]["frames"]
            note(report, pipeline, cell, takes[cell.id], clip_frames, conditions)
        if report.data["conditions"]["said"]["architecture"].startswith("tiny"):
            return


def golden(report: Report, device_name: str, compile_mode: str = "none") -> None:
    """Every chunk of the golden files on this device, float32 without TF32."""
    try:
        import torch
        from safetensors import safe_open

        from generator.lab.models import text, weights
        from generator.lab.models.fast import FastPasses
        from generator.lab.pipelines import Request
        from generator.lab.pipelines.memflow import MemFlow, Noise
        from generator.measure.roofline import WAN_1_3B

        class Replayed(Noise):
            def __init__(self, first: Any, seed: int, steps: int) -> None:
                self.first, self.steps, self.draws = list(first), steps, 0
                self.generator = torch.Generator().manual_seed(seed)

            def draw(self, shape: tuple[int, ...], seed: int) -> Any:
                self.draws += 1
                if self.draws % self.steps == 1 or self.steps == 1:
                    return self.first.pop(0).to(device)
                return torch.randn(shape, generator=self.generator).to(device)

        device = torch.device(device_name)
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        shape = replace(WAN_1_3B, layers=2)
        model = weights.build(shape, device=torch.device("cpu"), dtype=torch.float32)
        weights.fill_randomly(model, 1)
        model.to(device)
        fast = FastPasses(model, graphs=compile_mode == "graphs")
        for path in sorted(GOLDEN.glob("memflow_*.safetensors")):
            with safe_open(path, framework="pt") as file:
                told = json.loads(file.metadata()["config"])
                noise, latents = (file.get_tensor(name)[0] for name in ("noise", "latents"))

            def embed(prompt: str, told: Any = told) -> Any:
                seed = told.get("prompt_seed", 1000 + int(prompt))
                drawn = torch.Generator().manual_seed(seed)
                tokens = told["prompt_tokens"][int(prompt)]
                made = torch.randn(tokens, 4096, generator=drawn)
                return made * told.get("prompt_scale", 1.0)

            switches = told.get("switch_frames") or []
            pipeline = MemFlow(
                model,
                None,
                text.TextSource(said="golden", embed=embed),
                device=device,
                kernel="torch",
                said={},
                noise=Replayed(noise.split(3), told["seed"] + 1, told["steps"]),
                sparse_memory=told.get("sparse", False),
                fast=fast if compile_mode != "none" else None,
            )
            pipeline.prepare(
                Request(
                    prompt="0",
                    width=told["width"],
                    height=told["height"],
                    steps=(told["steps"],),
                    seed=0,
                    switches=tuple((-(-frame // 3), str(i)) for i, frame in enumerate(switches, 1)),
                )
            )
            stream = pipeline.latents()
            off = [
                float((next(stream).cpu() - wanted).abs().max() / wanted.abs().max())
                for wanted in latents.split(3)
            ]
            report.data.setdefault("golden", {})[path.stem] = off
            report.say(f"golden {path.stem}: worst chunk off by {max(off):.1e}")
    except Exception as error:  # the speed is wanted all the same
        report.say(f"golden: not run ({type(error).__name__}: {error})")
    report.write()


def proofs(arguments: argparse.Namespace) -> int:
    """Golden tensors and the wipe, with everything that a stream can leave behind."""
    import torch

    from generator.lab import clock, record
    from generator.lab.pipelines import Parts

    out = Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)
    report = Report(out / "proof.json", Budget(arguments.minutes))
    rehearsal = arguments.rehearse
    device = "cpu" if rehearsal else arguments.device
    dtype = "float32" if rehearsal else "bfloat16"
    software = dict(clock.software())
    if arguments.commit:
        software["Matrix Archive"] = f"commit {arguments.commit}"
    report.data["conditions"] = {
        "machine": dict(clock.machine(device)),
        "software": software,
        "dtype": dtype,
        "weights": "random, seed 0" + (", tiny" if rehearsal else ""),
    }
    report.say(f"{device}, torch {torch.__version__}")
    width, height = (32, 32) if rehearsal else SIZES[0]
    cell = record.Cell(
        pipeline="memflow",
        prompt=PROMPT,
        text=prompt_text(),
        width=width,
        height=height,
        steps=(STEPS[0] if rehearsal else 4,),
        seed=0,
        switches=(record.Switch(chunk=1, at_s=Fraction(9, 16), prompt="rain", text="Rain falls."),),
    )
    mode = "fused" if rehearsal and arguments.compile == "graphs" else arguments.compile
    report.data["conditions"]["compile mode"] = mode
    parts = Parts(
        device=device, dtype=dtype, weights="random", tiny=rehearsal, vace=True, compile=mode
    )
    wipe(report, parts, cell, context=a_context(width, height), least_s=0)
    if "golden" not in arguments.skip:
        golden(report, device, mode)
    report.say("done")
    report.write()
    found = report.data.get("wipe", {})
    worst = max((max(off) for off in report.data.get("golden", {}).values()), default=0.0)
    return 0 if found.get("holds") and worst <= 1e-4 else 1


def a_context(width: int, height: int) -> Any:
    """A reference, a control video and a mask of noise."""
    import numpy as np

    from generator.lab.context import VaceContext

    drawn = np.random.default_rng(4)
    return VaceContext(
        references=(drawn.integers(0, 256, (200, 300, 3), np.uint8),),
        control=drawn.integers(0, 256, (33, height, width, 3), np.uint8),
        mask=drawn.integers(0, 256, (33, height, width), np.uint8),
        said="noise, seed 4: one reference, 33 frames of control and mask",
    )


def wipe(
    report: Report, parts: Any, cell: Any, *, context: Any = None, least_s: float = 100
) -> None:
    """The proof of `generate --prove-wipe`, where time allows."""
    from generator.lab import generate
    from generator.lab.proof import another, prove

    if not report.budget.allows(least_s):
        report.say("wipe: left out, no time")
        return
    try:
        request = generate.request_of(cell, context)
        proof = prove("memflow", parts, request, another(request), chunks=3, chunks_before=12)
        report.data["wipe"] = {
            "cell": cell.id,
            **({"context": context.said} if context is not None else {}),
            **({"switched at chunk": cell.switches[0].chunk} if cell.switches else {}),
            "fresh": list(proof.fresh),
            "wiped": list(proof.wiped),
            "identical": proof.identical,
            "noticed_in_chunk": dict(proof.mutations),
            "holds": proof.holds,
        }
        report.say(f"wipe: identical {proof.identical}, left out: {dict(proof.mutations)}")
    except Exception as error:
        report.say(f"wipe: not run ({type(error).__name__}: {error})")
    report.write()


def stages(report: Report, pipeline: Any, cell: Any) -> None:
    """Milliseconds of each stage in the steady state, the device waited for around each."""
    import torch

    from generator.lab import generate
    from generator.lab.models import attention

    if not report.budget.allows(20):
        report.say("stages: left out, no time")
        return

    def timed(work: Any, times: int) -> tuple[float, float]:
        """(milliseconds each, of these until the host had told the device all)."""
        pipeline.synchronize()
        start = time.perf_counter()
        for _ in range(times):
            work()
        told = time.perf_counter()
        pipeline.synchronize()
        return (time.perf_counter() - start) / times * 1e3, (told - start) / times * 1e3

    try:
        request = generate.request_of(cell)
        pipeline.wipe()
        pipeline.prepare(request)
        stream = pipeline.latents()
        for _ in range(8):
            latents = next(stream)
        shape = pipeline.dit.shape
        done = pipeline._prepared
        rotation = pipeline.dit.rotation(
            pipeline.chunk * shape.chunk, shape.chunk, cell.height // 16, cell.width // 16
        )
        modulation = done.modulations[done.timesteps[-1]]
        x = latents.to(pipeline.dtype)
        inner = (modulation, rotation, pipeline.cache, pipeline.text)
        found: dict[str, Any] = {}
        with torch.inference_mode():
            pipeline._pictures(latents)
            for kernel in dict.fromkeys((pipeline.kernel, *KERNELS)):
                if x.device.type != "cuda" and kernel != pipeline.kernel:
                    continue
                try:
                    with attention.using(kernel):
                        pipeline.dit(x, *inner)
                        found[f"pass_ms.{kernel}"], found[f"pass_host_ms.{kernel}"] = timed(
                            lambda: pipeline.dit(x, *inner), 5
                        )
                except RuntimeError as error:
                    found[f"pass_ms.{kernel}"] = f"not possible: {str(error)[:80]}"
            with attention.using(pipeline.kernel):
                found["clean_pass_ms"], _ = timed(lambda: pipeline.dit.remember(x, *inner), 5)
            found["decode_and_transfer_ms"], _ = timed(lambda: pipeline._pictures(latents), 3)
            found["decode_ms"], found["decode_host_ms"] = timed(
                lambda: pipeline.decoder.decode(latents), 3
            )
            found["noise_ms"], _ = timed(lambda: pipeline.noise.draw(tuple(x.shape), 0), 20)
        report.data.setdefault("stages", {})[cell.id] = found
        report.say(f"stages {cell.id}: {json.dumps(found)}")
    except Exception as error:
        report.say(f"stages: not run ({type(error).__name__}: {error})")
    report.write()


def prompt_text() -> str:
    """As content/prompts has it, read without the packages that reading content takes."""
    for line in (ROOT / "content" / "prompts" / f"{PROMPT}.md").read_text("utf-8").splitlines():
        if line.startswith("text:"):
            return str(json.loads(line.removeprefix("text:").strip()))
    raise SystemExit(f"content/prompts/{PROMPT}.md holds no text")


def adopt(arguments: argparse.Namespace) -> int:
    """A run of content/runs from what `measure` wrote."""
    from generator.lab import generate, record

    data = getattr(arguments, "data", None)
    data = data or json.loads(Path(arguments.json).read_text("utf-8"))
    seconds = Fraction(data["conditions"]["seconds"])
    sentences = (
        *generate.protocol(
            "memflow", data["memories"], seconds, data["conditions"]["clock_includes"]
        ),
        f"A cell's first take is the whole clip; its further takes end after "
        f"{data['steady_chunks_of_repeats']} chunks of the steady state.",
        *getattr(arguments, "further", ()),
    )
    about = record.RunAbout(
        id=arguments.run, title=arguments.title, machine=arguments.machine, protocol=sentences
    )
    folder = ROOT / "content" / "runs" / arguments.run
    if folder.exists():
        raise SystemExit(f"{folder} is there already, and runs are never changed")
    for cell in data["cells"].values():
        record.keep(folder, about, cell)
    for name in ("golden", "wipe", "stages", "repeats_identical"):
        if name in data:
            (folder / f"{name}.json").write_text(json.dumps(data[name], indent=1) + "\n")
    print(f"{folder}: {len(data['cells'])} cells")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("measure")
    one.add_argument("out")
    one.add_argument("--minutes", type=float, default=9.0)
    one.add_argument("--device", default="cuda")
    one.add_argument("--attention", default="", help="a kernel; cudnn on CUDA when left out")
    one.add_argument("--commit", default="", help="of this code, where git is not at hand")
    one.add_argument("--rehearse", action="store_true")
    one.add_argument("--skip", default="", help="golden, wipe: leave them out")
    one.set_defaults(run_command=measure)
    three = commands.add_parser("prove")
    three.add_argument("out")
    three.add_argument("--minutes", type=float, default=4.0)
    three.add_argument("--device", default="cuda")
    three.add_argument("--commit", default="", help="of this code, where git is not at hand")
    three.add_argument("--rehearse", action="store_true")
    three.add_argument("--skip", default="", help="golden: leave it out")
    three.add_argument("--compile", default="none", help="none, fused or graphs")
    three.set_defaults(run_command=proofs)
    two = commands.add_parser("adopt")
    two.add_argument("json")
    two.add_argument("--run", required=True)
    two.add_argument("--title", default="MemFlow on one H200, random weights")
    two.add_argument("--machine", default="h200-141gb")
    two.set_defaults(run_command=adopt)
    arguments = parser.parse_args()
    code: int = arguments.run_command(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
