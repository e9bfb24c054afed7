"""Helios on one GPU, everything in one call: `python benchmarks/helios_h200.py measure OUT`.

Random weights of the full 14B network, 640x384, guidance 1.0, so speed only:
  takes    diffusers' own code ("eager diffusers") and this project's path ("exact") in one process
           by turns, both step lists, each chunk's arrival on the host
  stages   the transformer's passes by stage, the decoding, and what the pieces cost alone
  vae      decoding in float32 and bfloat16, eager and fast: speed, and error against float32
`levers OUT` tries single changes instead, one after the other, and profiles two of them.
OUT/helios.json (OUT/levers.json) is written anew after each step, so that a run that was cut short
is a shorter run; what fails is recorded, and the next step begins.

Needs torch, diffusers, transformers, safetensors and numpy, nothing else of this project's
dependencies, and no network. `adopt OUT/helios.json --run ID` makes runs of content/runs of it,
where the whole project is installed. `--rehearse` does it on a CPU with a toy network.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from gpu import off  # noqa: E402
from memflow_h200 import PROMPT, Budget, Report, prompt_text  # noqa: E402

STEPS = ((1, 1, 1), (2, 2, 2))
SIZE = (640, 384)
TINY_SIZE = (64, 64)
ROUNDS = 5
CHUNKS = 3
"""Of a take by turns: these many, the first of which is not of the steady state."""


class Bench:
    """Where it runs and what it knows so far."""

    def __init__(self, arguments: argparse.Namespace, name: str) -> None:
        import torch

        from generator.lab.pipelines import Parts

        out = Path(arguments.out)
        out.mkdir(parents=True, exist_ok=True)
        self.rehearsal: bool = arguments.rehearse
        self.report = Report(out / name, Budget(arguments.minutes))
        self.size = TINY_SIZE if self.rehearsal else SIZE
        self.parts = Parts(
            device="cpu" if self.rehearsal else "cuda",
            dtype="float32" if self.rehearsal else "bfloat16",
            weights="random",
            tiny=self.rehearsal,
            compile="fused",
        )
        self.cuda = not self.rehearsal
        if self.rehearsal:
            torch.set_num_threads(1)
        self.report.say(f"{self.parts.device}, torch {torch.__version__}")

    def step(self, name: str, work: Callable[[], Any], *, least_s: float = 0) -> Any:
        """Do it if there is time, and record what it gave, or that it failed, and how."""
        if not self.report.budget.allows(least_s):
            self.report.say(f"{name}: left out, no time")
            self.report.data[name] = "left out, no time"
            return None
        start = time.monotonic()
        try:
            found = work()
        except Exception as error:  # the next figure is wanted all the same
            found = {"failed": f"{type(error).__name__}: {str(error)[:600]}"}
            self.report.data.setdefault("traces", {})[name] = traceback.format_exc()[-3000:]
            if self.cuda:
                import torch

                torch.cuda.empty_cache()
        self.report.data[name] = found
        self.report.say(f"{name} ({time.monotonic() - start:.1f} s): {json.dumps(found)[:1500]}")
        self.report.write()
        return found

    def synchronize(self) -> None:
        if self.cuda:
            import torch

            torch.cuda.synchronize()

    def timed(self, work: Callable[[], Any], times: int = 3, warm: int = 1) -> dict[str, Any]:
        """Milliseconds of each of some repeats, the device waited for around each."""
        for _ in range(warm):
            work()
        took = []
        for _ in range(1 if self.rehearsal else times):
            self.synchronize()
            start = time.perf_counter()
            work()
            self.synchronize()
            took.append((time.perf_counter() - start) * 1e3)
        return {"median_ms": median(took), "all_ms": took}

    def request(self, steps: tuple[int, ...]) -> Any:
        from generator.lab.pipelines import Request

        return Request(
            prompt=prompt_text(), width=self.size[0], height=self.size[1], steps=steps, seed=0
        )


class Passes:
    """The arguments of one pass of each stage, caught while a chunk is made."""

    def __init__(self, helios: Any) -> None:
        self.calls: list[dict[str, Any]] = []
        net = helios.pipe.transformer
        before = net.forward

        def caught(**given: Any) -> Any:
            self.calls.append(given)
            return before(**given)

        net.forward = caught
        try:
            self.latents = helios._next_latents()
        finally:
            net.forward = before
            if helios.fast is None:
                del net.__dict__["forward"]


def chunk_of(bench: Bench, helios: Any, steps: tuple[int, ...], chunks: int) -> dict[str, Any]:
    """Whole chunks as a stream makes them, the first one left out."""
    from generator.lab import clock
    from generator.lab.pipelines import PIPELINES

    take = clock.measure(helios, bench.request(steps), PIPELINES["helios"], frames=33 * chunks)
    return {
        "fps": take.timing.fps,
        "arrivals_s": list(take.timing.arrivals_s),
        "peak_gib": None if take.peak_bytes is None else take.peak_bytes / 2**30,
    }


def levers(arguments: argparse.Namespace) -> int:
    """One change after the other, each by itself."""
    import torch

    from generator.lab import clock
    from generator.lab.models import attention, vae_alone
    from generator.lab.models.helios import FastHelios, compile_each
    from generator.lab.models.vae_alone import AloneDecoder
    from generator.lab.pipelines import helios as pipelines

    bench = Bench(arguments, "levers.json")
    report = bench.report
    report.data["machine"] = dict(clock.machine(bench.parts.device))
    report.data["software"] = dict(clock.software())
    holder: dict[str, Any] = {}

    def opened() -> dict[str, Any]:
        start = time.perf_counter()
        holder["helios"] = pipelines.assembled(bench.parts, fast=False, compiled=False)
        bench.synchronize()
        took = time.perf_counter() - start
        net = holder["helios"].pipe.transformer
        return {
            "seconds": took,
            "parameters": sum(one.numel() for one in net.parameters()),
            "said": dict(holder["helios"].said),
        }

    bench.step("opened", opened)
    helios = holder["helios"]
    net, vae = helios.pipe.transformer, helios.pipe.vae
    slow_kernel = "torch"
    fast_kernel = "cudnn" if bench.cuda else "torch"
    for kernel in dict.fromkeys((slow_kernel, fast_kernel)):
        helios.kernel = kernel
        bench.step(
            f"eager chunks, 1/1/1, {kernel} attention",
            lambda: chunk_of(bench, helios, (1, 1, 1), CHUNKS),
        )
    helios.kernel = slow_kernel
    helios.wipe()
    helios.prepare(bench.request((1, 1, 1)))
    next(helios.stream())
    caught = Passes(helios)
    calls, latents = caught.calls, caught.latents

    @torch.inference_mode()
    def passes(forward: Any, kernel: str, times: int = 3) -> dict[str, Any]:
        found = {}
        with attention.using(kernel):
            for i, call in enumerate(calls):
                found[f"stage {i + 1}"] = bench.timed(lambda call=call: forward(**call), times)
        found["sum_ms"] = sum(one["median_ms"] for one in found.values())
        return found

    for kernel in dict.fromkeys((slow_kernel, fast_kernel)):
        bench.step(f"passes, eager, {kernel}", lambda kernel=kernel: passes(net.forward, kernel))
    with torch.inference_mode(), attention.using(slow_kernel):
        wanted = [net.forward(**call)[0] for call in calls]

    made: dict[str, Any] = {}

    def fast_passes(compiled: bool) -> dict[str, Any]:
        start = time.perf_counter()
        fast = FastHelios(net, compiled=compiled)
        with torch.inference_mode(), attention.using(fast_kernel):
            outs = []
            for call in calls:
                fast.new_chunk()
                outs.append(fast.forward(**call)[0])
        bench.synchronize()
        made["fast"] = fast
        return {
            "first_s": time.perf_counter() - start,
            "off": [off(out, one) for out, one in zip(outs, wanted, strict=True)],
            **passes(fast.forward, fast_kernel),
        }

    if bench.cuda:
        bench.step("passes, two rows, not compiled", lambda: fast_passes(False))
    bench.step("passes, two rows, compiled blocks", lambda: fast_passes(True), least_s=60)
    if "failed" in (report.data["passes, two rows, compiled blocks"] or {}):
        fast_kernel = "flash" if bench.cuda else "torch"
        bench.step(f"the same, {fast_kernel} attention", lambda: fast_passes(True))

    # decoding
    @torch.inference_mode()
    def decoding(decode: Any, wanted: Any = None, z: Any = latents) -> dict[str, Any]:
        start = time.perf_counter()
        with attention.using("torch"):
            picture = decode(z)
            bench.synchronize()
            first = time.perf_counter() - start
            found = {"first_s": first, **bench.timed(lambda: decode(z))}
        if wanted is not None:
            found["off"] = off(picture, wanted)
        else:
            made["pictures"] = picture
        if bench.cuda:
            found["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
        return found

    def eager(z: Any) -> Any:
        return vae_alone.decode_eagerly(vae, z)

    def at_once(z: Any) -> Any:
        """With diffusers' features between the first latent frame and all others."""
        x = vae.post_quant_conv(z)
        features: list[Any] = [None] * vae._cached_conv_counts["decoder"]
        parts = [
            vae.decoder(part, feat_cache=features, feat_idx=[0], first_chunk=first)
            for part, first in ((x[:, :, :1], True), (x[:, :, 1:], False))
        ]
        return torch.cat(parts, dim=2).clamp(-1, 1)

    def between(net: Any, last: bool) -> Any:
        """Only what stands between convolutions is compiled."""
        act = compile_each(vae_alone.activated)
        return lambda z: vae_alone.decoded(vae.post_quant_conv, net, z, last=last, act=act)

    bench.step("decode, eager", lambda: decoding(eager))
    reference = made.get("pictures")
    bench.step(
        "decode, first and rest",
        lambda: decoding(at_once, reference),
    )
    bench.step(
        "decode, one pass",
        lambda: decoding(AloneDecoder(vae, last=False, compiled=False), reference),
    )
    bench.step(
        "decode, one pass, compiled between convolutions",
        lambda: decoding(between(vae.decoder, False), reference),
    )

    def in_float32() -> dict[str, Any]:
        import copy

        wide = copy.deepcopy(vae).float()
        found = decoding(lambda z: vae_alone.decode_eagerly(wide, z), reference, latents.float())
        return found

    bench.step("decode, eager, float32 with cuDNN's TF32", in_float32)
    bench.step(
        "decode, one pass, channels last",
        lambda: decoding(AloneDecoder(vae, last=True, compiled=False), reference),
    )
    bench.step(
        "decode, one pass, channels last, compiled between convolutions",
        lambda: decoding(
            made.setdefault("decoder", between(vae_alone.laid_out(vae.decoder), True)), reference
        ),
    )

    def searched() -> dict[str, Any]:
        torch.backends.cudnn.benchmark = True
        try:
            return decoding(made["decoder"], reference)
        finally:
            torch.backends.cudnn.benchmark = False

    bench.step("the same with cuDNN's search", searched)

    # both at once
    @torch.inference_mode()
    def overlapped() -> dict[str, Any]:
        fast, decoder = made["fast"], made["decoder"]
        side = torch.cuda.Stream()

        def alone() -> None:
            with attention.using(fast_kernel):
                for call in calls:
                    fast.forward(**call)

        def both() -> None:
            with torch.cuda.stream(side), attention.using("torch"):
                decoder(latents)
            alone()

        def one_after_the_other() -> None:
            with attention.using("torch"):
                decoder(latents)
            alone()

        return {
            "one after the other": bench.timed(one_after_the_other, 4),
            "on two streams": bench.timed(both, 4),
        }

    if bench.cuda:
        bench.step("decode beside passes", overlapped)

    @torch.inference_mode()
    def profiled(work: Any) -> list[Any]:
        from torch.profiler import ProfilerActivity, profile

        with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiler:
            work()
            bench.synchronize()
        rows = sorted(
            (event for event in profiler.key_averages() if event.device_time_total > 0),
            key=lambda event: -event.self_device_time_total,
        )
        return [
            [event.key[:110], event.count, round(event.self_device_time_total / 1e3, 3)]
            for event in rows[:22]
            if event.self_device_time_total > 0
        ]

    def one_pass() -> None:
        with attention.using(fast_kernel):
            made["fast"].forward(**calls[-1])

    def one_slow_pass() -> None:
        with attention.using(slow_kernel):
            net.forward(**calls[-1])

    def one_decode() -> None:
        with attention.using("torch"):
            made["decoder"](latents)

    if bench.cuda:
        bench.step("kernels of the last stage, fast", lambda: profiled(one_pass))
        bench.step("kernels of the last stage, eager", lambda: profiled(one_slow_pass))
        bench.step("kernels of decoding, fast", lambda: profiled(one_decode))

    # the whole of it, as it would stream
    def streamed(steps: tuple[int, ...]) -> dict[str, Any]:
        helios.fast, helios.kernel = made["fast"], fast_kernel
        helios.fast.put_in()
        helios.decode = made["decoder"]
        try:
            return chunk_of(bench, helios, steps, CHUNKS)
        finally:
            helios.fast.take_out()
            helios.fast, helios.kernel, helios.decode = None, "torch", eager

    bench.step("fast chunks, 1/1/1", lambda: streamed((1, 1, 1)))
    bench.step("fast chunks, 2/2/2", lambda: streamed((2, 2, 2)))
    bench.step(
        "eager chunks, 2/2/2, torch attention",
        lambda: chunk_of(bench, helios, (2, 2, 2), CHUNKS),
    )
    bench.step(
        "decode, one pass, channels last, compiled whole",
        lambda: decoding(AloneDecoder(vae, last=True, compiled=True), reference),
        least_s=90,
    )

    def theirs() -> dict[str, Any]:
        start = time.perf_counter()
        net.compile_repeated_blocks(fullgraph=True)
        with torch.inference_mode(), attention.using(fast_kernel):
            outs = [net.forward(**call)[0] for call in calls]
        bench.synchronize()
        return {
            "first_s": time.perf_counter() - start,
            "off": [off(out, one) for out, one in zip(outs, wanted, strict=True)],
            **passes(net.forward, fast_kernel),
        }

    if bench.cuda:
        bench.step("passes, diffusers' compile_repeated_blocks", theirs, least_s=80)
    report.say("done")
    report.write()
    return 0


def measure(arguments: argparse.Namespace) -> int:
    """Both ways by turns, then whole clips, the VAE's precisions, the wipe, and the errors."""
    import torch

    from generator.lab import clock, generate, record
    from generator.lab.models import attention, vae_alone
    from generator.lab.pipelines import PIPELINES
    from generator.lab.pipelines import helios as pipelines

    bench = Bench(arguments, "helios.json")
    report, known = bench.report, PIPELINES["helios"]
    seconds = Fraction(3) if bench.rehearsal else Fraction(20)
    frames = int(seconds * known.content_rate_hz)
    report.data.update(cells={}, start={}, same_pictures={})
    start = time.perf_counter()
    fast = pipelines.assembled(bench.parts, fast=True, compiled=bench.cuda)
    net, vae, passes = fast.pipe.transformer, fast.pipe.vae, fast.fast
    bench.synchronize()
    report.data["start"]["weights drawn on the device, s"] = time.perf_counter() - start
    slow = pipelines.Helios(
        fast.pipe,
        fast.source,
        device=fast.device,
        kernel="torch",
        said={
            **fast.said,
            "attention kernel": "torch's own choice",
            "compile mode": pipelines.MODES["none"],
        },
        text_tokens=fast.text_tokens,
        fast=None,
        decode=lambda z: vae_alone.decode_eagerly(vae, z),
    )
    held = slow.pipe.vae.decode  # both take what is to be decoded from here
    fast._decoding = held
    ways = {"exact": fast, "eager-diffusers": slow}
    titles = {
        "exact": "Helios, this project's path (exact)",
        "eager-diffusers": "Helios, eager diffusers",
    }

    def of(way: str) -> Any:
        """The pipeline, with the network passing its way."""
        passes.put_in() if way == "exact" else passes.take_out()
        return ways[way]

    cells = {
        steps: record.Cell(
            pipeline="helios",
            prompt=PROMPT,
            text=prompt_text(),
            width=bench.size[0],
            height=bench.size[1],
            steps=steps,
            seed=0,
        )
        for steps in STEPS
    }
    conditions = {}
    for way, pipeline in ways.items():
        plan = generate.Plan(
            pipeline="helios", cells=tuple(cells.values()), parts=bench.parts, seconds=seconds
        )
        conditions[way] = {**generate.conditions_of(plan, pipeline), "repeats": 0}
        if arguments.commit:
            conditions[way]["software"]["Matrix Archive"] = f"commit {arguments.commit}"
    report.data["memories"] = list(fast.memories)
    takes: dict[tuple[str, tuple[int, ...]], list[Any]] = {}

    def taken(way: str, steps: tuple[int, ...], frames_wanted: int, *, whole: bool) -> Any:
        """A take; a whole clip stands first of its cell's."""
        pipeline = of(way)
        take = clock.measure(pipeline, bench.request(steps), known, frames=frames_wanted)
        found = takes.setdefault((way, steps), [])
        found.insert(0, take) if whole else found.append(take)
        digest = take.frames_sha256
        take = replace(take, frames=())
        found[0 if whole else -1] = take
        peaks = [one.peak_bytes for one in found if one.peak_bytes is not None]
        entry = record.measured(
            cells[steps],
            timings=[one.timing for one in found],
            peak_bytes=max(peaks, default=None),
            frames=frames,
            frames_sha256=[found[0].frames_sha256],
            step_list=pipeline.step_list(bench.request(steps)),
            conditions=conditions[way],
            clip=None,
            no_clip=generate.NOISE,
            series={"id": way, "title": titles[way]},
        )
        report.data["cells"][entry["cell"]] = entry
        if not whole:
            report.data["same_pictures"].setdefault(entry["cell"], []).append(digest)
        return {
            "fps": take.timing.fps,
            "arrivals_s": list(take.timing.arrivals_s),
            "peak_gib": None if take.peak_bytes is None else take.peak_bytes / 2**30,
        }

    for way in ways:
        start = time.perf_counter()
        clock.warm_up(of(way), bench.request((1, 1, 1)), chunks=2)
        report.data["start"][f"first two chunks, {way}, s"] = time.perf_counter() - start
    report.say(f"start: {json.dumps(report.data['start'])}")
    report.write()
    for turn in range(arguments.rounds):
        for steps in STEPS:
            for way in ways:
                name = f"turn {turn + 1}, {way}, {'/'.join(map(str, steps))}"
                bench.step(
                    name,
                    lambda way=way, steps=steps: taken(way, steps, 33 * CHUNKS, whole=False),
                    least_s=CHUNKS * 3.5,
                )

    def whole(steps: tuple[int, ...]) -> None:
        bench.step(
            f"whole clip, exact, {'/'.join(map(str, steps))}",
            lambda: taken("exact", steps, frames, whole=True),
            least_s=20 * sum(steps) / 3,
        )

    whole((1, 1, 1))
    bench.step("wipe", lambda: wiped(bench, of("exact")), least_s=35)
    whole((2, 2, 2))

    # parts
    of("exact")
    fast.wipe()
    fast.prepare(bench.request((1, 1, 1)))
    next(fast.stream())
    caught = Passes(fast)
    calls, latents = caught.calls, caught.latents

    @torch.inference_mode()
    def stages() -> dict[str, Any]:
        found: dict[str, Any] = {}
        for way, pipeline in ways.items():
            of(way)
            with attention.using(pipeline.kernel):
                for i, call in enumerate(calls):
                    found[f"{way}, pass of stage {i + 1}"] = bench.timed(
                        lambda call=call: net(**call)
                    )
            with attention.using("torch"):
                decode = pipeline.decode
                found[f"{way}, decode"] = bench.timed(lambda decode=decode: decode(latents))
                picture = pipeline.decode(latents)
            found[f"{way}, to 8 bit on the host"] = bench.timed(
                lambda picture=picture: pipelines.pictures(picture)
            )
        return found

    bench.step("stages", stages, least_s=12)

    @torch.inference_mode()
    def precisions() -> dict[str, Any]:
        """Of the VAE, each against float32 without TF32, on the same latents."""
        import copy

        wide = copy.deepcopy(vae).float()
        found: dict[str, Any] = {}
        allowed = torch.backends.cudnn.allow_tf32
        with attention.using("torch"):
            torch.backends.cudnn.allow_tf32 = False
            wanted = vae_alone.decode_eagerly(wide, latents.float())
            found["float32, eager"] = bench.timed(
                lambda: vae_alone.decode_eagerly(wide, latents.float()), 2, 0
            )
            torch.backends.cudnn.allow_tf32 = allowed
            told = {
                "float32 with TF32, eager": lambda: vae_alone.decode_eagerly(wide, latents.float()),
                "bfloat16, eager": lambda: vae_alone.decode_eagerly(vae, latents),
                "bfloat16, exact": lambda: fast.decode(latents),
            }
            wide_fast = vae_alone.AloneDecoder(wide, last=True, compiled=bench.cuda)
            if bench.report.budget.allows(70):
                told["float32 with TF32, exact"] = lambda: wide_fast(latents.float())
            for name, decode in told.items():
                picture = decode()
                levels = (picture.float() - wanted).abs() * 127.5
                found[name] = {
                    **bench.timed(decode, 3, 0),
                    "off": off(picture, wanted),
                    "levels of 8 bit": {
                        "mean": float(levels.mean()),
                        "largest": float(levels.max()),
                    },
                }
                del picture, levels
        return found

    bench.step("precision of the VAE", precisions, least_s=12)

    @torch.inference_mode()
    def errors() -> dict[str, Any]:
        """Of a pass in bfloat16, both ways, against the same network in float32."""
        import copy

        outs: dict[str, list[Any]] = {}
        for way, pipeline in ways.items():
            of(way)
            fast.fast.forget_text()
            fast.fast.new_chunk()
            with attention.using(pipeline.kernel):
                outs[way] = [net(**call)[0] for call in calls]
        of("eager-diffusers")
        again = [net(**call)[0] for call in calls]
        wide = copy.deepcopy(net).float()
        torch.backends.cuda.matmul.allow_tf32 = False
        found: dict[str, Any] = {}
        for i, call in enumerate(calls):
            (wanted,) = wide(
                **{
                    name: value.float()
                    if isinstance(value, torch.Tensor) and value.is_floating_point()
                    else value
                    for name, value in call.items()
                }
            )
            for way in ways:
                found[f"{way}, stage {i + 1}"] = off(outs[way][i], wanted)
            found[f"both ways, stage {i + 1}"] = off(outs["exact"][i], outs["eager-diffusers"][i])
            found[f"eager twice, stage {i + 1}"] = off(again[i], outs["eager-diffusers"][i])
        return found

    bench.step("errors of a pass against float32", errors, least_s=15)
    bench.step(
        "whole clip, eager-diffusers, 1/1/1",
        lambda: taken("eager-diffusers", (1, 1, 1), frames, whole=True),
        least_s=32,
    )
    report.say("done")
    report.write()
    return 0


def wiped(bench: Bench, pipeline: Any) -> dict[str, Any]:
    """As `generate --prove-wipe`, with the pipeline that is open: a clip of a fresh process, then
    here after another one and a wipe, then once for each memory left out."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    import torch

    from generator.lab.proof import another, fresh, streamed

    request = bench.request((1, 1, 1))
    context = multiprocessing.get_context("spawn")
    threads = torch.get_num_threads()
    with ProcessPoolExecutor(1, mp_context=context) as processes:
        alone = processes.submit(fresh, "helios", bench.parts, request, 2, threads).result()

    def after(*but: str, chunks: int) -> tuple[str, ...]:
        pipeline.wipe()
        streamed(pipeline, another(request), 1)
        pipeline.wipe(but=frozenset(but))
        return streamed(pipeline, request, chunks)

    here = after(chunks=2)
    left_out = {memory: after(memory, chunks=1) != alone[:1] for memory in pipeline.memories}
    return {
        "fresh": list(alone),
        "wiped": list(here),
        "identical": here == alone,
        "noticed": left_out,
        "holds": here == alone and all(left_out.values()),
    }


def adopt(arguments: argparse.Namespace) -> int:
    """A run of content/runs from what `measure` wrote."""
    from generator.lab import generate, record

    data = json.loads(Path(arguments.json).read_text("utf-8"))
    cells = list(data["cells"].values())
    conditions = cells[0]["conditions"]
    usual = generate.protocol(
        "helios", data["memories"], Fraction(conditions["seconds"]), conditions["clock_includes"]
    )
    sentences = (
        *(one for one in usual if not one.startswith("Warm-up")),
        "Warm-up, outside the clock: two chunks of each series at [1,1,1], once, compiling "
        "included.",
        "Both series come from one process, by turns: three chunks a take, the first of which "
        "is not counted. A whole clip, where there is one, is a cell's first take. The sha256 is "
        "of the first take's frames.",
        "guidance_scale is 1.0. Each chunk of 33 frames is decoded alone.",
    )
    about = record.RunAbout(
        id=arguments.run, title=arguments.title, machine=arguments.machine, protocol=sentences
    )
    folder = ROOT / "content" / "runs" / arguments.run
    if folder.exists():
        raise SystemExit(f"{folder} is there already, and runs are never changed")
    for cell in cells:
        host = cell["conditions"]["machine"]
        host["host"] = host["host"].split("-fc-")[0]
        record.keep(folder, about, cell)
    parts = ("start", "stages", "precision of the VAE", "wipe", "errors of a pass against float32")
    (folder / "parts.json").write_text(
        json.dumps({name: data[name] for name in parts if name in data}, indent=1) + "\n",
        encoding="utf-8",
    )
    print(f"{folder}: {len(cells)} cells")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for name, run, minutes in (("measure", measure, 6.0), ("levers", levers, 8.0)):
        one = commands.add_parser(name)
        one.add_argument("out")
        one.add_argument("--minutes", type=float, default=minutes)
        one.add_argument("--commit", default="", help="of this code, where git is not at hand")
        one.add_argument("--rehearse", action="store_true")
        one.add_argument("--rounds", type=int, default=ROUNDS, help="turns of both ways")
        one.set_defaults(run_command=run)
    last = commands.add_parser("adopt")
    last.add_argument("json")
    last.add_argument("--run", required=True)
    last.add_argument("--title", default="Helios on one H200, random weights")
    last.add_argument("--machine", default="h200-141gb")
    last.set_defaults(run_command=adopt)
    arguments = parser.parse_args()
    code: int = arguments.run_command(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
