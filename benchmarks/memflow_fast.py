"""MemFlow in exact mode near the limit of the chip, beside the official code: one GPU, random
weights, so speed and rounding only.

  levers OUT    what single changes bring to a pass, to a decode and to convolutions; golden tensors
                on this device; what bfloat16 costs eager and fused code against float32; profiles
  compare OUT   the official code and ours in turn, 4 steps, both sizes (`--official FOLDER`: a
                checkout of KlingTeam/MemFlow at 7ed5147, which this script adapts as it loads it)
  cells OUT     the archive's 14 cells, 20.0 s each, then further takes; start-up, 200 chunks
  modes OUT     modes that are not exact beside exact: speed, and error on the same noise
  again OUT     the same stream several times: equal, bit by bit?
  beside OUT    compare and modes, in one process, which opens and compiles once
  adopt FOLDER  two runs of content/runs from what the commands wrote

OUT holds one JSON file a command, written anew after each step. `--rehearse` does all but
`compare` on a CPU with a toy network. Needs torch, diffusers, safetensors and numpy.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import memflow_h200 as h200  # noqa: E402
from gpu import graphed, milliseconds, off, synchronize  # noqa: E402
from memflow_h200 import Budget, Report, golden, prompt_text  # noqa: E402

SIZES = ((512, 288), (848, 480))
TINY_SIZES = ((32, 32), (48, 32))
STAGE_STEPS = (2, 4, 8, 12)
"""Cells whose chunks are profiled."""


class Steps(Report):
    """A report whose steps may fail: what went wrong is said, and the next one begins."""

    def __init__(self, path: Path, minutes: float) -> None:
        super().__init__(path, Budget(minutes))
        self.data = {"version": 1, "log": []}

    def step(self, name: str, work: Callable[[], Any], *, needs_s: float = 0) -> Any:
        if not self.budget.allows(needs_s):
            self.say(f"{name}: left out, no time")
            return None
        try:
            found = work()
        except Exception as error:
            found = f"not possible ({type(error).__name__}: {str(error)[:300]})"
        place = self.data
        *path, last = name.split("/")
        for part in path:
            place = place.setdefault(part, {})
        place[last] = found
        self.say(f"{name}: {json.dumps(found)[:400]}")
        self.write()
        return found


@functools.cache
def opened(tiny: bool) -> Any:
    """The pipeline in its fastest exact mode; one for all that a process measures. What it took to
    open is kept with it."""
    from generator.lab.pipelines import Parts, open_pipeline

    began = time.perf_counter()
    pipeline: Any = open_pipeline(
        "memflow",
        Parts(
            device="cpu" if tiny else "cuda",
            dtype="float32" if tiny else "bfloat16",
            weights="random",
            tiny=tiny,
            compile="fused" if tiny else "graphs",
        ),
    )
    pipeline.synchronize()
    pipeline.start_up_s = {"networks with random weights": round(time.perf_counter() - began, 2)}
    return pipeline


def started_up(pipeline: Any, width: int, height: int) -> dict[str, float]:
    """Seconds that opening took and, for a size that was not prepared before, preparing it."""
    place = f"compiling and recording, {width}x{height}"
    if place not in pipeline.start_up_s:
        began = time.perf_counter()
        pipeline.prepare(request(width, height))
        pipeline.synchronize()
        pipeline.start_up_s[place] = round(time.perf_counter() - began, 2)
    told: dict[str, float] = pipeline.start_up_s
    return dict(told)


def checked_decoder(report: Steps, pipeline: Any) -> None:
    """The kernels between convolutions against their slow twins, on this device; the slow ones are
    used where they disagree."""
    import torch

    from generator.lab.models import fast_vae

    def worst() -> float:
        drawn = torch.Generator().manual_seed(7)
        chunks = torch.randn(3, 3, 16, 20, 28, generator=drawn).to(pipeline.device)
        made = []
        for slow in (False, True):
            decoder = fast_vae.FastDecoder(pipeline.autoencoder, slow_between=slow)
            decoder._shown = lambda pictures: pictures
            made.append(torch.cat([decoder.levels(chunk) for chunk in chunks]))
        return off(made[0], made[1])["rms"]

    with torch.inference_mode():
        found = report.step("kernels against their slow twins, rms", worst)
    if not isinstance(found, float) or found > 0.02:
        report.say("kernels disagree: the slow twins decode")
        pipeline.decoder = fast_vae.FastDecoder(
            pipeline.autoencoder, graphs=pipeline.device.type == "cuda", slow_between=True
        )


def request(width: int, height: int, steps: int = 4) -> Any:
    from generator.lab.pipelines import Request

    return Request(prompt=prompt_text(), width=width, height=height, steps=(steps,), seed=0)


def at_steady_state(pipeline: Any, width: int, height: int, steps: int = 4) -> tuple[Any, Any]:
    """A stream whose next chunk costs as much as every further one: latents of the last chunk, and
    what a pass is told besides them."""
    pipeline.wipe()
    pipeline.prepare(request(width, height, steps))
    stream = pipeline.latents()
    latents = None
    for _ in range(8):
        latents = next(stream)
    shape, done = pipeline.dit.shape, pipeline._prepared
    rotation = pipeline.dit.rotation(
        pipeline.chunk * shape.chunk, shape.chunk, height // 16, width // 16
    )
    told = (done.modulations[done.timesteps[-1]], rotation, pipeline.cache, pipeline.text)
    return latents, told


# --- levers ---------------------------------------------------------------------------------------


def levers(asked: argparse.Namespace) -> int:
    import torch

    from generator.lab import clock

    report = Steps(asked.out / "memflow-fast-levers.json", asked.minutes)
    device = "cpu" if asked.rehearse else "cuda"
    report.data["machine"] = dict(clock.machine(device))
    report.data["software"] = software(asked)
    report.data["weights"] = "random"
    pipeline = opened(asked.rehearse)
    report.say(f"opened on {device}, torch {torch.__version__}")
    sizes = TINY_SIZES if asked.rehearse else SIZES
    with torch.inference_mode():
        if not asked.rehearse:
            convolutions(report, *sizes[-1])
        for width, height in sizes:
            passes(report, pipeline, width, height)
            decodes(report, pipeline, width, height)
        for width, height in sizes:
            clips(report, asked, pipeline, width, height)
    golden(report, device, compile_mode="fused" if asked.rehearse else "graphs")
    with torch.inference_mode():
        for width, height in sizes:
            rounding(report, asked, pipeline, width, height)
        if not asked.rehearse:
            for width, height in sizes:
                profiles(report, pipeline, width, height)
            eight_bits(report)
            searched(report)
    report.say("done")
    report.write()
    return 0


def software(asked: argparse.Namespace) -> dict[str, str]:
    from generator.lab import clock

    commit = {"Matrix Archive": f"commit {asked.commit}"} if asked.commit else {}
    return {**clock.software(), **commit}


def convolutions(report: Steps, width: int, height: int) -> None:
    """The decoder's heaviest convolutions by themselves, ways to compute them side by side."""
    import torch
    from torch.nn import functional

    for name, channels, frames, h, w in (
        ("96", 96, 12, height, width),
        ("192", 192, 12, height // 2, width // 2),
        ("384", 384, 6, height // 4, width // 4),
    ):
        place = f"convolutions/{width}x{height}/{name}"
        flop = 2 * 27 * channels**2 * frames * h * w
        try:
            x = torch.randn(1, channels, frames + 2, h, w, device="cuda", dtype=torch.bfloat16)
            weight = torch.randn(channels, channels, 3, 3, 3, device="cuda", dtype=torch.bfloat16)
            rows = torch.channels_last_3d
            x_rows, weight_rows = (
                x.contiguous(memory_format=rows),
                weight.contiguous(memory_format=rows),
            )
            thwc = x_rows[0].permute(1, 2, 3, 0)
            flat = weight.transpose(1, 2).flatten(1, 2)
            flat = flat.contiguous(memory_format=torch.channels_last)
            joined = torch.cat([thwc[i : i + frames] for i in range(3)], dim=3)
        except torch.OutOfMemoryError as error:
            report.say(f"{place}: {error}")
            continue

        def by_frames(joined: Any = joined, flat: Any = flat) -> Any:
            return functional.conv2d(joined.permute(0, 3, 1, 2), flat, padding=1)

        def with_copy(thwc: Any = thwc, frames: int = frames, flat: Any = flat) -> Any:
            beside = torch.cat([thwc[i : i + frames] for i in range(3)], dim=3)
            return functional.conv2d(beside.permute(0, 3, 1, 2), flat, padding=1)

        ways: dict[str, Callable[[], Any]] = {
            "3d, channels first": lambda x=x, weight=weight: functional.conv3d(
                x, weight, padding=(0, 1, 1)
            ),
            "3d, channels last": lambda x=x_rows, weight=weight_rows: functional.conv3d(
                x, weight, padding=(0, 1, 1)
            ),
            "2d, three frames side by side": by_frames,
            "the same with its copy": with_copy,
        }
        for way, work in ways.items():
            for search in (False, True):
                torch.backends.cudnn.benchmark = search

                def measured(work: Callable[[], Any] = work, flop: int = flop) -> dict[str, float]:
                    found = milliseconds(work)
                    rate = flop / (found["median_ms"] * 1e-3) / 1e12
                    return {**found, "tflop_per_s": round(rate, 1)}

                report.step(f"{place}/{way}{', search' if search else ''}", measured)
        torch.backends.cudnn.benchmark = False
        del x, x_rows, thwc, joined, ways
        torch.cuda.empty_cache()


def passes(report: Steps, pipeline: Any, width: int, height: int) -> None:
    """One pass at the steady state, lever by lever, each from the same keys."""
    import torch
    from torch.nn import functional

    from generator.lab.models import attention, fast

    size = f"{width}x{height}"
    latents, told = at_steady_state(pipeline, width, height)
    x = latents.to(pipeline.dtype)
    dit, recorded = pipeline.dit, pipeline.fast
    plain = fast.FastPasses(dit, graphs=False)

    def eager() -> Any:
        return dit(x, *told)

    with attention.using(pipeline.kernel):
        wanted = eager().clone()
        report.step(f"pass/{size}/eager", lambda: milliseconds(eager))
        for name, work in (
            ("fused", lambda: plain.forward(x, *told)),
            ("fused, graph", lambda: recorded.forward(x, *told)),
        ):
            report.step(
                f"pass/{size}/{name}",
                lambda work=work: {**milliseconds(work), "off": off(work(), wanted)},
            )
        report.step(
            f"pass/{size}/clean, fused, graph",
            lambda: milliseconds(lambda: recorded.remember(x, *told)),
        )
        up = fast.Products.up

        def without_epilogue() -> dict[str, Any]:
            fast.Products.up = lambda self, m: fast._fused().gelu(self.block.ffn[0](m))
            work, _ = graphed(lambda: plain.forward(x, *told))
            return milliseconds(work)

        report.step(f"pass/{size}/GELU apart, graph", without_epilogue)
        fast.Products.up = up

        shape, tokens = dit.shape, 3 * width * height // 256
        q = torch.randn(1, tokens, shape.heads, shape.head_dim).to(x)
        k, v = pipeline.cache.read(0)

        def attention_alone() -> Any:
            for _ in range(shape.layers):
                out = attention.attend(q, k, v)
            return out

        report.step(
            f"pass/{size}/attention alone", lambda: milliseconds(graphed(attention_alone)[0])
        )
        m = torch.randn(1, tokens, shape.dim).to(x)
        wide = torch.randn(1, tokens, shape.ffn).to(x)

        def products_alone() -> Any:
            for one in plain.products:
                one.qkv(m), one.o(m), one.cross_q(m), one.cross_o(m), one.up(m)
                out = one.down(wide)
            return out

        report.step(f"pass/{size}/products alone", lambda: milliseconds(graphed(products_alone)[0]))
    _ = functional


def decoders(pipeline: Any) -> dict[str, Any]:
    from generator.lab.models import fast_vae, vae

    autoencoder = pipeline.autoencoder
    on_gpu = pipeline.device.type == "cuda"
    return {
        "eager": vae.StreamingDecoder(autoencoder),
        **{
            f"fused, graph, {how} convolutions": fast_vae.FastDecoder(
                autoencoder, graphs=on_gpu, convolution=how
            )
            for how in fast_vae.CONVOLUTIONS
        },
    }


def decodes(report: Steps, pipeline: Any, width: int, height: int) -> None:
    """One chunk's decode at the steady state, lever by lever."""
    import torch

    size = f"{width}x{height}"
    drawn = torch.Generator().manual_seed(3)
    chunks = torch.randn(4, 3, 16, height // 8, width // 8, generator=drawn).to(pipeline.device)
    wanted: Any = None
    for name, decoder in decoders(pipeline).items():
        for search in (False, True) if "graph" in name else (False,):
            torch.backends.cudnn.benchmark = search

            def one(decoder: Any = decoder) -> dict[str, Any]:
                nonlocal wanted
                began = time.perf_counter()
                decoder.wipe()
                if hasattr(decoder, "_resize"):
                    decoder._resize(height // 8, width // 8)
                for chunk in chunks[:3]:
                    out = decoder.levels(chunk)
                out = decoder.levels(chunks[3]).clone()
                synchronize()
                prepared = time.perf_counter() - began
                wanted = out if wanted is None else wanted
                gap = (out.float() - wanted.float()).abs()
                found = milliseconds(lambda: decoder.levels(chunks[3]), 5)
                return {
                    **found,
                    "prepared_s": round(prepared, 2),
                    "levels_off_mean": round(float(gap.mean()), 4),
                    "levels_off_most": float(gap.max()),
                }

            report.step(f"decode/{size}/{name}{', search' if search else ''}", one)
        if hasattr(decoder, "_resize"):
            decoder._resize(0, 0)
            if pipeline.device.type == "cuda":
                torch.cuda.empty_cache()
    torch.backends.cudnn.benchmark = False


def chunk_times(pipeline: Any, width: int, height: int, steps: int, chunks: int) -> dict[str, Any]:
    """Seconds from chunk to chunk of one stream; the rate is that of the steady state."""
    from generator.lab import clock
    from generator.lab.pipelines import PIPELINES

    known = PIPELINES["memflow"]
    asked = request(width, height, steps)
    clock.warm_up(pipeline, asked, chunks=3)
    take = clock.measure(pipeline, asked, known, frames=9 + 12 * (chunks - 1))
    return {
        "fps": round(take.timing.fps, 2),
        "first_frame_s": round(take.timing.first_frame_s, 4),
        "arrivals_s": [round(at, 4) for at in take.timing.arrivals_s],
        "peak_gib": None if take.peak_bytes is None else round(take.peak_bytes / 2**30, 2),
    }


def clips(report: Steps, asked: argparse.Namespace, pipeline: Any, width: int, height: int) -> None:
    """End to end at 4 steps: as it is, and with the decode on the same stream as the passes."""
    size = f"{width}x{height}"
    report.step(f"clip/{size}/graphs", lambda: chunk_times(pipeline, width, height, 4, 14))
    second, pipeline.second = pipeline.second, None
    report.step(
        f"clip/{size}/graphs, one stream", lambda: chunk_times(pipeline, width, height, 4, 14)
    )
    pipeline.second = second


def rounding(
    report: Steps, asked: argparse.Namespace, pipeline: Any, width: int, height: int
) -> None:
    """Eager and fused bfloat16 against float32 of the same weights and inputs: a pass at the steady
    state, and the third chunk's decode."""
    import copy

    import torch

    from generator.lab.models import attention, fast, fast_vae, vae
    from generator.lab.models.cache import TextCache

    size = f"{width}x{height}"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    latents, (modulation, rotation, cache, heard) = at_steady_state(pipeline, width, height)
    x = latents.to(pipeline.dtype)
    told = (modulation, rotation, cache, heard)

    def one_pass() -> dict[str, Any]:
        plain = fast.FastPasses(pipeline.dit, graphs=False)
        with attention.using(pipeline.kernel):
            eager = pipeline.dit(x, *told).clone()
            fused = plain.forward(x, *told).clone()
        wide = copy.deepcopy(pipeline.dit).float()
        wide_cache = copy.copy(cache)
        wide_cache.k, wide_cache.v = cache.k.float(), cache.v.float()
        wide_text = TextCache()
        kept_k, kept_v = heard.filled()
        wide_text.k, wide_text.v = kept_k.float(), kept_v.float()
        truth = wide(x.float(), modulation, rotation, wide_cache, wide_text)
        return {
            "eager against float32": off(eager, truth),
            "fused against float32": off(fused, truth),
            "fused against eager": off(fused, eager),
        }

    report.step(f"rounding/{size}/pass", one_pass)
    if pipeline.device.type == "cuda":
        torch.cuda.empty_cache()

    def one_decode() -> dict[str, Any]:
        drawn = torch.Generator().manual_seed(3)
        chunks = torch.randn(3, 3, 16, height // 8, width // 8, generator=drawn)
        chunks = chunks.to(pipeline.device)
        wide = copy.deepcopy(pipeline.autoencoder).float()
        made: dict[str, Any] = {}
        for name, decoder in (
            ("truth", vae.StreamingDecoder(wide)),
            ("eager", vae.StreamingDecoder(pipeline.autoencoder)),
            *(
                (how, fast_vae.FastDecoder(pipeline.autoencoder, convolution=how))
                for how in fast_vae.CONVOLUTIONS
            ),
        ):
            if isinstance(decoder, fast_vae.FastDecoder):
                decoder._shown = lambda pictures: pictures
                for chunk in chunks:
                    out = decoder.levels(chunk).clamp(-1, 1).permute(0, 3, 1, 2)
            else:
                for chunk in chunks:
                    out = decoder.decode(chunk)
            made[name] = out.float().cpu()
            decoder.wipe()
            del decoder, out
            if pipeline.device.type == "cuda":
                torch.cuda.empty_cache()
        truth = made.pop("truth")
        return {
            **{f"{name} against float32": off(one, truth) for name, one in made.items()},
            "fused against eager": off(made["fastest"], made["eager"]),
        }

    report.step(f"rounding/{size}/decode", one_decode)


def profiles(report: Steps, pipeline: Any, width: int, height: int) -> None:
    """Kernels of a pass and of a decode by time, as torch's profiler has them."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    from generator.lab.models import attention

    size = f"{width}x{height}"
    latents, told = at_steady_state(pipeline, width, height)
    x = latents.to(pipeline.dtype)
    pipeline._pictures(latents)
    pipeline._pictures(latents)

    def kernels(work: Callable[[], Any]) -> list[dict[str, Any]]:
        work()
        synchronize()
        with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as seen:
            work()
            synchronize()
        found: dict[str, list[float]] = {}
        for event in seen.events():
            if str(event.device_type).endswith("CUDA"):
                found.setdefault(event.name, []).append(event.device_time)
        rows = sorted(found.items(), key=lambda one: -sum(one[1]))
        return [
            {"ms": round(sum(times) / 1e3, 3), "times": len(times), "kernel": name[:150]}
            for name, times in rows[:40]
        ]

    with attention.using(pipeline.kernel):
        report.step(
            f"profile/{size}/pass", lambda: kernels(lambda: pipeline.fast.forward(x, *told))
        )
    with attention.using("torch"):
        report.step(
            f"profile/{size}/decode", lambda: kernels(lambda: pipeline.decoder.levels(latents))
        )
    _ = torch


def eight_bits(report: Steps) -> None:
    """Products in bfloat16 and in row-wise FP8, quantization of the activations included."""
    import torch
    from eighths import eighths as quantized
    from torch.nn import functional

    quantize = torch.compile(quantized, dynamic=False)
    for tokens in (1728, 4770):
        for k, n in ((1536, 4608), (1536, 1536), (1536, 8960), (8960, 1536)):

            def one(tokens: int = tokens, k: int = k, n: int = n) -> dict[str, Any]:
                x = torch.randn(tokens, k, device="cuda", dtype=torch.bfloat16)
                weight = torch.randn(n, k, device="cuda", dtype=torch.bfloat16)
                bias = torch.randn(n, device="cuda", dtype=torch.bfloat16)
                w8, w_scale = quantized(weight)
                w_scale = w_scale.t().contiguous()

                def eight() -> Any:
                    x8, x_scale = quantize(x)
                    return torch._scaled_mm(
                        x8, w8.t(), x_scale, w_scale, bias, None, torch.bfloat16, True
                    )

                def many(work: Callable[[], Any]) -> Callable[[], Any]:
                    def ten() -> Any:
                        for _ in range(10):
                            out = work()
                        return out

                    return graphed(ten)[0]

                plain = milliseconds(many(lambda: functional.linear(x, weight, bias)))
                small = milliseconds(many(eight))
                x8, x_scale = quantize(x)
                bare = milliseconds(
                    many(
                        lambda: torch._scaled_mm(
                            x8, w8.t(), x_scale, w_scale, bias, None, torch.bfloat16, True
                        )
                    )
                )
                return {
                    "bf16_us": round(plain["median_ms"] * 100, 1),
                    "fp8_us": round(small["median_ms"] * 100, 1),
                    "fp8_without_quantization_us": round(bare["median_ms"] * 100, 1),
                    "off": off(eight(), functional.linear(x, weight, bias)),
                }

            report.step(f"products/{tokens}x{k}x{n}", one)


def searched(report: Steps) -> None:
    """The heaviest convolution as inductor's search finds it."""
    import torch
    from torch.nn import functional

    def one() -> dict[str, Any]:
        x = torch.randn(1, 96, 14, 480, 848, device="cuda", dtype=torch.bfloat16)
        weight = torch.randn(96, 96, 3, 3, 3, device="cuda", dtype=torch.bfloat16)
        rows = torch.channels_last_3d
        x, weight = x.contiguous(memory_format=rows), weight.contiguous(memory_format=rows)
        began = time.perf_counter()
        work = torch.compile(
            lambda x, weight: functional.conv3d(x, weight, padding=(0, 1, 1)),
            options={"max_autotune": True, "max_autotune_conv_backends": "TRITON"},
        )
        work(x, weight)
        synchronize()
        return {
            "prepared_s": round(time.perf_counter() - began, 1),
            **milliseconds(lambda: work(x, weight)),
        }

    report.step("convolutions/848x480/96/inductor's search", one, needs_s=60)


# --- the official code beside ours ----------------------------------------------------------------


def compare(asked: argparse.Namespace) -> int:
    """In turn in one process: official, ours, official, ours ... at 4 steps."""
    import torch
    from memflow_official import Official, attention_kernels, told_of

    from generator.lab import clock

    report = Steps(asked.out / "memflow-fast-compare.json", asked.minutes)
    report.data["machine"] = dict(clock.machine("cuda"))
    report.data["software"] = software(asked)
    report.data["weights"] = "random; the transformer's are the same on both sides"
    report.data["official"] = f"{told_of(asked.official)}, adapted as memflow_official.py says"
    chunks = 12
    report.data["protocol"] = (
        f"{chunks} chunks a run, 4 steps, one after the other in one process; cuDNN attention and "
        "streaming Wan VAE decode on both sides; steady: frames of the chunks from the eighth on, "
        "over the time from the arrival of the one before to the last; whole: all frames over the "
        "last arrival. The official code without its LoRA, which it would leave unmerged."
    )
    ours = opened(False)
    checked_decoder(report, ours)
    official = Official(
        asked.official,
        ours.dit.state_dict(),
        layers=ours.dit.shape.layers,
        device="cuda",
        dtype=torch.bfloat16,
    )
    report.say("both are there")
    report.step(
        "kernels of the official side's attention",
        functools.partial(attention_kernels, "cuda", torch.bfloat16),
    )

    def ours_once(width: int, height: int) -> list[float]:
        ours.wipe()
        ours.prepare(request(width, height))
        ours.synchronize()
        start = time.perf_counter()
        stream, found = ours.stream(), []
        for _ in range(chunks):
            next(stream)
            found.append(time.perf_counter() - start)
        stream.close()
        ours.synchronize()
        return found

    for width, height in SIZES:
        size = f"{width}x{height}"

        report.step("start_up_s", functools.partial(started_up, ours, width, height))
        ways: dict[str, Callable[[], list[float]]] = {
            "official": functools.partial(official.arrivals, width, height, 4, chunks),
            "ours": functools.partial(ours_once, width, height),
        }
        for name, once in ways.items():
            report.step(f"warm-up/{size}/{name}", once)
        found: dict[str, list[list[float]]] = {name: [] for name in ways}
        for turn in range(asked.turns):
            for name, once in ways.items():
                arrivals = report.step(f"arrivals_s/{size}/{name} {turn + 1}", once)
                if isinstance(arrivals, list):
                    found[name].append(arrivals)
        report.step(f"rates/{size}", lambda found=found: rates(found))
    del official, ways
    torch.cuda.empty_cache()
    report.say("done")
    report.write()
    return 0


def rates(found: dict[str, list[list[float]]]) -> dict[str, Any]:
    """FPS of both sides, medians and spread, and what ours is of the official."""
    told: dict[str, Any] = {}
    for name, runs in found.items():
        steady = [12 * (len(run) - 7) / (run[-1] - run[6]) for run in runs]
        whole = [(9 + 12 * (len(run) - 1)) / run[-1] for run in runs]
        for kind, values in (("steady", steady), ("whole", whole)):
            told[f"{name}, {kind}"] = {
                "fps": round(statistics.median(values), 2),
                "low": round(min(values), 2),
                "high": round(max(values), 2),
            }
    for kind in ("steady", "whole"):
        ratio = told[f"ours, {kind}"]["fps"] / told[f"official, {kind}"]["fps"]
        told[f"ratio, {kind}"] = round(ratio, 3)
    return told


# --- the archive's cells --------------------------------------------------------------------------


def cells(asked: argparse.Namespace) -> int:
    """All 14 cells, as `memflow_h200.py measure` takes them, then stages, 200 chunks, repeats."""
    from fractions import Fraction

    import torch

    from generator.lab import generate, record
    from generator.lab.pipelines import PIPELINES, Parts

    report = Steps(asked.out / "memflow-fast.json", asked.minutes)
    report.data["cells"] = {}
    known, tiny = PIPELINES["memflow"], asked.rehearse
    seconds = Fraction(6) if tiny else Fraction(20)
    matrix = tuple(
        record.Cell(
            pipeline="memflow",
            prompt=h200.PROMPT,
            text=prompt_text(),
            width=width,
            height=height,
            steps=(steps,),
            seed=0,
        )
        for width, height in (TINY_SIZES if tiny else SIZES)
        for steps in ((2,) if tiny else h200.STEPS)
    )
    pipeline = opened(tiny)
    checked_decoder(report, pipeline)
    plan = generate.Plan(
        pipeline="memflow",
        cells=matrix,
        parts=Parts(
            device="cpu" if tiny else "cuda",
            dtype="float32" if tiny else "bfloat16",
            weights="random",
        ),
        seconds=seconds,
    )
    conditions = generate.conditions_of(plan, pipeline)
    conditions["software"] = software(asked)
    report.data["conditions"] = conditions
    report.data["memories"] = list(pipeline.memories)
    report.data["steady_chunks_of_repeats"] = h200.STEADY_CHUNKS
    takes: dict[str, list[Any]] = {}
    warm: set[tuple[int, int]] = set()
    for cell in matrix:
        sides = (cell.width, cell.height)
        if sides not in warm:
            report.step("start_up_s", functools.partial(started_up, pipeline, *sides))
        h200.one_cell(report, pipeline, cell, known, int(seconds * 16), warm, takes, conditions)
        if cell.steps == (4,):
            report.step(f"parts/{cell.size}", functools.partial(parts, pipeline, *sides))
        if cell.steps[0] in STAGE_STEPS:
            report.step(
                f"stages/{cell.id}", functools.partial(chunk_stages, pipeline, cell), needs_s=10
            )
        if cell.steps == (2,) and cell.width == matrix[0].width:
            chunks = 20 if tiny else 200
            report.step("200 chunks", functools.partial(leaks, pipeline, cell, chunks))
    h200.repeats(report, pipeline, matrix, known, takes, conditions, turns=asked.takes - 1)
    if torch.cuda.is_available():
        report.data["memory"] = {
            "allocated_gib": round(torch.cuda.memory_allocated() / 2**30, 2),
            "reserved_gib": round(torch.cuda.memory_reserved() / 2**30, 2),
        }
    report.say("done")
    report.write()
    return 0


def parts(pipeline: Any, width: int, height: int) -> dict[str, Any]:
    """A pass, a clean pass and a decode by themselves, at the steady state."""
    import torch

    from generator.lab.models import attention

    latents, told = at_steady_state(pipeline, width, height)
    x = latents.to(pipeline.dtype)
    with torch.inference_mode():
        with attention.using(pipeline.kernel):
            found = {
                "pass": milliseconds(lambda: pipeline.passes.forward(x, *told)),
                "clean pass": milliseconds(lambda: pipeline.passes.remember(x, *told)),
            }
        with attention.using("torch"):
            pipeline.decoder.levels(latents)
            found["decode"] = milliseconds(lambda: pipeline.decoder.levels(latents))
    return found


KINDS = (
    ("copies", ("memcpy", "memset")),
    ("decoder, elementwise", ("_joined", "_fill", "_enlarged")),
    ("attention", ("sdpa", "flash", "fmha", "attention")),
    ("convolutions", ("conv", "fprop", "implicit", "xmma", "nchwtonhwc", "nhwctonchw", "dgrad")),
    ("products", ("gemm", "nvjet", "cutlass", "splitk", "cublas")),
    ("elementwise", ("",)),
)
"""What a kernel belongs to, by parts of its name; the first that fits."""


def kind_of(name: str) -> str:
    small = name.lower()
    return next(kind for kind, parts in KINDS if any(part in small for part in parts))


def chunk_stages(pipeline: Any, cell: Any) -> dict[str, Any]:
    """Where one chunk's time goes in the steady state of the whole stream: milliseconds of the
    device by kind of work, passes and decode apart, and when neither worked."""
    from torch.profiler import ProfilerActivity, profile

    from generator.lab import generate

    if pipeline.device.type != "cuda":
        return {}
    pipeline.wipe()
    pipeline.prepare(generate.request_of(cell))
    stream = pipeline.stream()
    for _ in range(8):
        next(stream)
    chunks = 2
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        began = time.perf_counter()
        for _ in range(chunks):
            next(stream)
        wall = time.perf_counter() - began
    stream.close()
    pipeline.synchronize()
    told: dict[str, float] = {}
    spans = []
    events = [one for one in seen.events() if str(one.device_type).endswith("CUDA")]
    for event in events:
        kind = kind_of(event.name)
        told[kind] = told.get(kind, 0.0) + event.device_time / 1e3 / chunks
        spans.append((event.time_range.start, event.time_range.end))
    spans.sort()
    busy, reached = 0.0, float("-inf")
    for start, end in spans:
        busy += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    whole = (spans[-1][1] - spans[0][0]) if spans else 0.0
    return {
        "ms_by_kind": {kind: round(ms, 3) for kind, ms in sorted(told.items())},
        "wall_ms": round(wall * 1e3 / chunks, 3),
        "first_to_last_kernel_ms": round(whole / 1e3 / chunks, 3),
        "device_busy_ms": round(busy / 1e3 / chunks, 3),
        "kernels": len(events) // chunks,
    }


def leaks(pipeline: Any, cell: Any, chunks: int) -> dict[str, Any]:
    """Memory and latency over a long stream, which is wiped and begun anew at its last position."""
    import torch

    from generator.lab import generate

    def memory() -> dict[str, float]:
        if pipeline.device.type != "cuda":
            return {}
        return {
            "allocated_gib": round(torch.cuda.memory_allocated() / 2**30, 4),
            "reserved_gib": round(torch.cuda.memory_reserved() / 2**30, 4),
        }

    pipeline.wipe()
    pipeline.prepare(generate.request_of(cell))
    stream, made, arrivals, held = pipeline.stream(), 0, [], {}
    start = time.perf_counter()
    while made < chunks:
        try:
            next(stream)
        except StopIteration:
            pipeline.wipe()
            stream = pipeline.stream()
            continue
        arrivals.append(time.perf_counter() - start)
        made += 1
        if made in (10, chunks // 2, chunks):
            held[f"after {made} chunks"] = memory()
    stream.close()
    pipeline.synchronize()
    gaps = [b - a for a, b in itertools.pairwise(arrivals)]
    part = max(1, len(gaps) // 5)
    return {
        "cell": cell.id,
        "chunks": chunks,
        "memory": held,
        "first_fifth_ms": round(statistics.median(gaps[8 : 8 + part]) * 1e3, 2),
        "last_fifth_ms": round(statistics.median(gaps[-part:]) * 1e3, 2),
    }


# --- modes that are not exact ---------------------------------------------------------------------


def modes(asked: argparse.Namespace) -> int:
    """Each beside exact: FPS at 4 steps, and how far its latents are from exact ones on the same
    weights and noise, chunk by chunk."""
    import torch

    from generator.lab import clock

    report = Steps(asked.out / "memflow-fast-modes.json", asked.minutes)
    report.data["machine"] = dict(clock.machine("cpu" if asked.rehearse else "cuda"))
    report.data["software"] = software(asked)
    report.data["weights"] = "random"
    exact: dict[str, Any] = {}
    pipeline = opened(asked.rehearse)
    sizes = TINY_SIZES if asked.rehearse else SIZES
    for width, height in sizes:
        for name in MODES:
            report.step(
                f"modes/{name}/{width}x{height}",
                functools.partial(one_mode, pipeline, name, width, height, exact),
                needs_s=15,
            )
    turned(pipeline, "exact")
    for width, height in sizes:
        with torch.inference_mode():
            report.step(
                f"vae/{width}x{height}",
                functools.partial(decoder_dtypes, pipeline, width, height),
                needs_s=15,
            )
    report.say("done")
    report.write()
    return 0


def decoder_dtypes(pipeline: Any, width: int, height: int) -> dict[str, Any]:
    """The decoder in bfloat16 and in float16, with the same weights, beside float32."""
    import copy

    import torch

    from generator.lab.models import fast_vae, vae

    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    drawn = torch.Generator().manual_seed(3)
    chunks = torch.randn(3, 3, 16, height // 8, width // 8, generator=drawn).to(pipeline.device)
    truth = vae.StreamingDecoder(copy.deepcopy(pipeline.autoencoder).float())
    for chunk in chunks:
        wanted = truth.decode(chunk).permute(0, 2, 3, 1)
    del truth
    told: dict[str, Any] = {}
    on_gpu = pipeline.device.type == "cuda"
    for dtype in (torch.bfloat16, torch.float16):
        weights = copy.deepcopy(pipeline.autoencoder).to(dtype)
        shown = fast_vae.FastDecoder(weights)
        shown._shown = lambda pictures: pictures
        for chunk in chunks:
            found = shown.levels(chunk).clamp(-1, 1)
        timed = fast_vae.FastDecoder(weights, graphs=on_gpu)
        timed.prepare(3, height // 8, width // 8)
        timed.levels(chunks[0])
        told[str(dtype).removeprefix("torch.")] = {
            **milliseconds(lambda timed=timed: timed.levels(chunks[1])),
            "off": off(found, wanted),
        }
    return told


MODES = ("exact", "fp8", "sparse memory")


def turned(pipeline: Any, name: str) -> None:
    """The same pipeline and weights in another mode."""
    from eighths import EighthProducts

    from generator.lab.models import fast

    pipeline.cache = None
    pipeline.fast.forget()
    pipeline.sparse_memory = name == "sparse memory"
    pipeline.fast = pipeline.passes = fast.FastPasses(
        pipeline.dit,
        graphs=pipeline.fast.graphs,
        products=EighthProducts if name == "fp8" else None,
    )


def one_mode(
    pipeline: Any, name: str, width: int, height: int, exact: dict[str, Any]
) -> dict[str, Any]:
    """`exact` holds the exact latents of each size, and gets those that come first."""
    import torch

    turned(pipeline, name)
    pipeline.wipe()
    pipeline.prepare(request(width, height))
    stream = pipeline.latents()
    made = torch.stack([next(stream).clone() for _ in range(9)])
    wanted = exact.setdefault(f"{width}x{height}", made.cpu()).to(made.device)
    shown = chunk_times(pipeline, width, height, 4, 14)
    return {
        "fps": shown["fps"],
        "peak_gib": shown["peak_gib"],
        "off, first chunk": off(made[0], wanted[0]),
        "off, ninth chunk": off(made[8], wanted[8]),
    }


def again(asked: argparse.Namespace) -> int:
    """The same stream several times: latents and pictures must be equal, bit by bit. Where they are
    not, with one thing changed at a time: one stream, passes or decode not recorded, both recorded
    on one stream. Gives 0 where all are equal."""
    from generator.lab.models import fast, fast_vae

    report = Steps(asked.out / "memflow-fast-again.json", asked.minutes)
    report.data["software"] = software(asked)
    pipeline = opened(asked.rehearse)
    equal = True
    firsts: dict[tuple[int, ...], Any] = {}
    for *told, turns in (
        ((32, 32, 2, 10, 2), (48, 32, 2, 10, 1), (32, 32, 2, 10, 1))
        if asked.rehearse
        # the last one is recorded anew, since another size was before it
        else (
            (512, 288, 12, 15, 3),
            (512, 288, 8, 15, 2),
            (848, 480, 8, 9, 1),
            (512, 288, 12, 15, 1),
        )
    ):
        width, height, steps, chunks = told
        place = f"{width}x{height}, {steps} steps"
        seen = tuple(told) in firsts
        if not seen:
            firsts[tuple(told)] = streamed(pipeline, width, height, steps, chunks)
        first = firsts[tuple(told)]
        place += ", recorded anew" if seen else ""
        for turn in range(turns):
            found = report.step(
                f"{place}/as it is, {turn + 2}",
                lambda first=first, told=(width, height, steps, chunks): differing(
                    first, streamed(pipeline, *told)
                ),
            )
            equal &= found == NOTHING_DIFFERS
    report.data["all are equal"] = equal
    report.write()
    if equal:
        report.say("all are equal")
        return 0
    told = (512, 288, 12, 15) if not asked.rehearse else (32, 32, 2, 10)
    second, passes, decoder = pipeline.second, pipeline.fast, pipeline.decoder

    def one_stream() -> None:
        pipeline.second = None

    def passes_not_recorded() -> None:
        pipeline.fast = pipeline.passes = fast.FastPasses(pipeline.dit, graphs=False)

    def decode_not_recorded() -> None:
        pipeline.decoder = fast_vae.FastDecoder(pipeline.autoencoder)

    def recorded_on_one_stream() -> None:
        passes._side = decoder.stream
        pipeline.cache = None

    for change in (one_stream, passes_not_recorded, decode_not_recorded, recorded_on_one_stream):
        change()

        def twice() -> Any:
            return differing(streamed(pipeline, *told), streamed(pipeline, *told))

        for turn in range(2):
            report.step(f"changed/{change.__name__}, {turn + 1}", twice, needs_s=12)
        pipeline.second, pipeline.decoder = second, decoder
        pipeline.fast = pipeline.passes = passes
    return 1


NOTHING_DIFFERS = {"latents from chunk": None, "pictures from chunk": None}


def streamed(
    pipeline: Any, width: int, height: int, steps: int, chunks: int
) -> tuple[list[Any], list[bytes]]:
    """Latents and digests of the pictures, chunk by chunk, of a wiped pipeline."""
    import hashlib

    made: list[Any] = []
    whole = pipeline._next_latents

    def kept() -> Any:
        x = whole()
        made.append(x.clone())
        return x

    pipeline.wipe()
    pipeline.prepare(request(width, height, steps))
    pipeline._next_latents = kept
    try:
        stream = pipeline.stream()
        shown = [hashlib.sha256(next(stream).data).digest() for _ in range(chunks)]
        stream.close()
    finally:
        del pipeline._next_latents
    pipeline.synchronize()
    return made[:chunks], shown


def differing(one: tuple[list[Any], list[bytes]], other: tuple[list[Any], list[bytes]]) -> Any:
    """The first chunks that differ, of latents and of pictures."""
    import torch

    def first(pairs: Any) -> int | None:
        return next((number for number, same in enumerate(pairs) if not same), None)

    return {
        "latents from chunk": first(
            torch.equal(a, b) for a, b in zip(one[0], other[0], strict=True)
        ),
        "pictures from chunk": first(a == b for a, b in zip(one[1], other[1], strict=True)),
    }


def beside(asked: argparse.Namespace) -> int:
    """`compare` and `modes`, in one process, which opens and compiles once."""
    whole = asked.minutes
    began = time.monotonic()
    compare(asked)
    asked.minutes = whole - (time.monotonic() - began) / 60
    return modes(asked)


def adopt(asked: argparse.Namespace) -> int:
    """Two runs of content/runs: the 14 exact cells, and the sides of `compare` with those of
    `modes`, each in a series of its own."""
    from generator.clips.draft import clips_csv

    kept = {
        name: json.loads((asked.folder / f"{name}.json").read_text("utf-8"))
        for name in ("memflow-fast", "memflow-fast-compare", "memflow-fast-modes")
    }
    whole = kept["memflow-fast"]
    for cell in whole["cells"].values():
        cell["series"] = {"id": "memflow-exact", "title": EXACT_TITLE}
    exact = ROOT / "content" / "runs" / f"{asked.run}-exact-h200"
    if exact.exists():
        raise SystemExit(f"{exact} is there already, and runs are never changed")
    one = argparse.Namespace(
        data=whole,
        run=exact.name,
        title=f"{asked.title}, exact mode",
        machine=asked.machine,
        further=(
            "Cells that say one repeat were taken once, and 848x480 at 12 steps was not reached: "
            "the device's time was up.",
        )
        if len(whole["cells"]) < 2 * len(h200.STEPS)
        else (),
    )
    h200.adopt(one)
    for name in ("parts", "start_up_s", "200 chunks", "memory"):
        if name in whole:
            file = name.replace(" ", "-").replace("_", "-")
            (exact / f"{file}.json").write_text(json.dumps(whole[name], indent=1) + "\n")
    stages = {cell: dict(told) for cell, told in whole["stages"].items() if isinstance(told, dict)}
    for told in stages.values():
        del told["wall_ms"]  # of a host that had ordered work before, and waits for some of it
    (exact / "stages.json").write_text(json.dumps(stages, indent=1) + "\n")
    (exact / "tables").mkdir()
    for name, text in tables_of(whole).items():
        (exact / "tables" / f"{name}.csv").write_text(text, "utf-8")
    conditions = whole["conditions"]
    turns = exact.with_name(f"{asked.run}-turns-h200")
    rows, series = turn_rows(kept)
    turns.mkdir()
    (turns / "clips.csv").write_text(clips_csv(rows), "utf-8")
    (turns / "run.toml").write_text(turns_toml(asked, conditions, kept, series), "utf-8")
    print(f"{turns}: {len(rows)} rows")
    return 0


def tables_of(whole: Any) -> dict[str, str]:
    """What pages draw charts from: chunks' latencies of the first takes, and where the device's
    time goes, by size."""
    made: dict[str, str] = {}
    for size in dict.fromkeys(cell["size"] for cell in whole["cells"].values()):
        cells = sorted(
            (one for one in whole["cells"].values() if one["size"] == size),
            key=lambda one: one["steps"],
        )
        drawn = [one for one in cells if one["steps"][0] in (2, 4, 6, 8, 12)]
        gaps = [
            [b - a for a, b in itertools.pairwise([0.0, *one["takes"][0]["arrivals_s"]])]
            for one in drawn
        ]
        lines = [",".join(["chunk", *(f"{one['steps'][0]} steps" for one in drawn)])]
        for number, row in enumerate(zip(*gaps, strict=False), 1):
            lines.append(",".join([str(number), *(f"{gap * 1e3:.1f}" for gap in row)]))
        made[f"latency-{size}"] = "\n".join(lines) + "\n"
        found = [
            (one["steps"][0], whole["stages"][one["cell"]])
            for one in cells
            if isinstance(whole["stages"].get(one["cell"]), dict)
        ]
        lines = [",".join(["steps", *STAGES])]
        for steps, told in found:
            times = [told["ms_by_kind"].get(kind, 0) for kind in STAGES.values()]
            lines.append(",".join([str(steps), *(f"{ms:.1f}" for ms in times)]))
        made[f"stages-{size}"] = "\n".join(lines) + "\n"
    return made


STAGES = {
    "attention": "attention",
    "matrix products": "products",
    "between products": "elementwise",
    "convolutions": "convolutions",
    "between convolutions": "decoder, elementwise",
    "copies": "copies",
}
"""Of a chunk, as charts name them, from the bottom up; and what `chunk_stages` calls them."""
EXACT_TITLE = "MemFlow, exact mode: this project's code, compile mode graphs"
TURNS = {
    "memflow-official": "MemFlow, official code, in turn with ours, random weights",
    "memflow-exact": f"{EXACT_TITLE}, random weights",
    "memflow-fp8": "MemFlow, FP8 products (not exact), random weights",
    "memflow-sparse": "MemFlow, Sparse Memory Activation (not exact), random weights",
}
"""Series of the run that `adopt` makes of `compare` and `modes`."""
EXACT = ("memflow-official", "memflow-exact")
WORK = {**dict.fromkeys(EXACT, "memflow"), "memflow-sparse": "memflow-sparse"}


def turn_rows(kept: dict[str, Any]) -> tuple[list[dict[str, str]], list[str]]:
    """Lines of clips.csv, and the series that they are of."""
    rows: list[dict[str, str]] = []
    pairs = [
        (size, rates, side, series)
        for size, rates in kept["memflow-fast-compare"]["rates"].items()
        for side, series in (("official", "memflow-official"), ("ours", "memflow-exact"))
    ]
    for size, rates, side, series in pairs:
        steady = rates[f"{side}, steady"]
        rows.append(
            {
                **turn_row(series, size, steady["fps"]),
                "x-fps-low": f"{steady['low']:.2f}",
                "x-fps-high": f"{steady['high']:.2f}",
                "x-fps-of-the-whole-run": f"{rates[f'{side}, whole']['fps']:.2f}",
                "x-times-official": f"{rates['ratio, steady']:.2f}" if side == "ours" else "",
            }
        )
    for name, series in (("fp8", "memflow-fp8"), ("sparse memory", "memflow-sparse")):
        told = kept["memflow-fast-modes"]["modes"].get(name, {})
        for size, found in told.items():
            if not isinstance(found, dict):
                continue
            exact = kept["memflow-fast-modes"]["modes"]["exact"][size]["fps"]
            rows.append(
                {
                    **turn_row(series, size, found["fps"]),
                    "x-times-exact": f"{found['fps'] / exact:.3f}",
                    "x-off-first-chunk": f"{found['off, first chunk']['rms']:.4f}",
                    "x-off-ninth-chunk": f"{found['off, ninth chunk']['rms']:.4f}",
                }
            )
    return rows, [name for name in TURNS if any(row["series"] == name for row in rows)]


def turn_row(series: str, size: str, fps: float) -> dict[str, str]:
    return {
        "id": f"{series}-{size}-4",
        "series": series,
        "pipeline": "memflow",
        "prompt": "",
        "size": size,
        "steps": "4",
        "fps": f"{fps:.2f}",
        "no_clip": "random weights: the pictures were noise, and none were kept",
    }


def turns_toml(asked: argparse.Namespace, conditions: Any, kept: Any, series: list[str]) -> str:
    from generator.clips.draft import quoted

    compared = kept["memflow-fast-compare"]
    states = [
        f"{len(one['arrivals_s']['512x288']) // 2} turns, this project's code at "
        f"{one['software']['Matrix Archive']}"
        for name, one in kept.items()
        if "compare" in name
    ]

    machine = ", ".join(f"{name} {value}" for name, value in conditions["machine"].items())
    lines = [
        f"title = {quoted(asked.title + ', official code and other modes in turn')}",
        f"summary = {quoted(TURNS_SUMMARY)}",
        'measured_by = "This project"',
        f"published = {conditions['day']}",
        f"machine = {quoted(asked.machine)}",
        f"machine_stated = {quoted(machine)}",
        f"weights = {quoted(compared['weights'])}",
        'rights = "There are no clips: only numbers of this project\'s own."',
        "publish_media = false",
        "",
        "protocol = [",
        *(
            f"  {quoted(sentence)},"
            for sentence in (
                "Official code and ours in turn, in one process: " + compared["protocol"],
                f"Turns: {'; '.join(states)}.",
                f"The official side is {compared['official']}.",
                "Modes that are not exact ran after each other with the same weights and noise, "
                "once, 14 chunks each, of which those from the eighth on count; off is the root of "
                "the mean square of what their latents differ by from exact ones, over that of the "
                "exact ones, in the first and in the ninth chunk of a stream.",
                "In FP8 are queries, keys and values of the chunk and both layers of the "
                "feed-forward net, weights scaled by output channel and activations by token; "
                "outputs of the attentions, queries, keys and values of the text, embeddings, "
                "modulation, head and VAE stay in bfloat16.",
                f"Code of the modes: {kept['memflow-fast-modes']['software']['Matrix Archive']}.",
            )
        ),
        "]",
        "",
        "notes = "
        + quoted(
            "**Weights were random**: the speed counts, and there is nothing to see. What a mode "
            "that is not exact does to pictures of trained weights cannot be told from it."
        ),
        "",
        "[software]",
        *(
            f"{quoted(name)} = {quoted(str(value))}"
            for name, value in conditions["software"].items()
        ),
    ]
    for name in series:
        lines += [
            "",
            "[[series]]",
            f"id = {quoted(name)}",
            f"title = {quoted(TURNS[name])}",
            'label = "measured-here"',
            f"fps_means = {quoted(record_fps())}",
        ]
        work = f"work = {quoted(WORK[name])}" if name in WORK else 'interpolation = "none"'
        lines.append(work)
    return "\n".join(lines) + "\n"


TURNS_SUMMARY = (
    "At 4 steps and both sizes: the official code, this project's exact mode, and modes that are "
    "not exact, with random weights: speed only."
)


def record_fps() -> str:
    from generator.lab.record import FPS_MEANS

    return FPS_MEANS


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for name, work, minutes in (
        ("levers", levers, 6.0),
        ("compare", compare, 5.0),
        ("cells", cells, 8.0),
        ("modes", modes, 3.0),
        ("again", again, 2.4),
        ("beside", beside, 6.0),
    ):
        one = commands.add_parser(name)
        one.add_argument("out", type=Path)
        one.add_argument("--minutes", type=float, default=minutes)
        one.add_argument("--commit", default="", help="of this code, where git is not at hand")
        if name == "cells":
            one.add_argument("--takes", type=int, default=3, help="of a cell; all but one shorter")
        if name in ("compare", "beside"):
            one.add_argument("--official", type=Path, required=True, help="a checkout of it")
            one.add_argument("--turns", type=int, default=5)
            one.set_defaults(rehearse=False)
        else:
            one.add_argument("--rehearse", action="store_true")
        one.set_defaults(run_command=work)
    two = commands.add_parser("adopt")
    two.add_argument("folder", type=Path, help="with what the commands wrote")
    two.add_argument("--run", required=True, help="how the ids of both runs begin")
    two.add_argument("--title", default="MemFlow on one H200, random weights")
    two.add_argument("--machine", default="h200-141gb")
    two.set_defaults(run_command=adopt)
    asked = parser.parse_args()
    if "out" in asked:
        asked.out.mkdir(parents=True, exist_ok=True)
    code: int = asked.run_command(asked)
    return code


if __name__ == "__main__":
    sys.exit(main())
