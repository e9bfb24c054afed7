"""What single levers would bring MemFlow: `python benchmarks/memflow_levers.py OUT`.

For one pass of the transformer and one chunk's decode, in the steady state, random weights, one
GPU: as it is, with fused elementwise work, as a CUDA graph, both; and the VAE with other layouts
and cuDNN's search. Each lever's output is compared with the eager one on the same inputs. These
are figures of parts, not of clips: what a lever is worth end to end is for the run that has it.
Writes OUT/memflow-levers.json. `--rehearse` does it on a CPU with a toy network.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from gpu import graphed, milliseconds, off  # noqa: E402

SIZES = ((512, 288), (848, 480))
TIMES = 9


def passes(pipeline: Any, latents: Any) -> dict[str, Any]:
    """One pass of the transformer at the chunk at hand, lever by lever."""
    import torch

    from generator.lab.models import attention, dit

    shape, done = pipeline.dit.shape, pipeline._prepared
    request = done.request
    rotation = pipeline.dit.rotation(
        pipeline.chunk * shape.chunk, shape.chunk, request.height // 16, request.width // 16
    )
    inner = (done.modulations[done.timesteps[-1]], rotation, pipeline.cache, pipeline.text)
    x = latents.to(pipeline.dtype)

    def one_pass() -> Any:
        return pipeline.dit(x, *inner)

    eager = {name: getattr(dit, name) for name in ("modulated", "gated", "rotated")}
    found: dict[str, Any] = {}
    with attention.using(pipeline.kernel):
        wanted = one_pass().clone()
        found["eager"] = milliseconds(one_pass, TIMES)
        for lever in ("graph", "fused", "fused, graph"):
            if "graph" in lever and pipeline.device.type != "cuda":
                continue
            try:
                began = time.perf_counter()
                for name, function in eager.items():
                    fused = torch.compile(function, mode="default", dynamic=False)
                    setattr(dit, name, fused if "fused" in lever else function)
                one_pass()
                work, out = graphed(one_pass) if "graph" in lever else (one_pass, None)
                work()
                pipeline.synchronize()
                prepared_s = time.perf_counter() - began
                told = milliseconds(work, TIMES)
                result = out if out is not None else one_pass()
                found[lever] = {**told, "prepared_s": round(prepared_s, 2)}
                found[lever]["off"] = off(result, wanted)["largest"]
            except RuntimeError as error:
                found[lever] = f"not possible: {str(error)[:160]}"
            finally:
                for name, function in eager.items():
                    setattr(dit, name, function)
    return found


def decodes(pipeline: Any, latents: Any) -> dict[str, Any]:
    """One chunk's decode, lever by lever, each from the same features."""
    import torch

    decoder = pipeline.decoder
    decoder.decode(latents)
    features = list(decoder._features)

    def one_chunk() -> Any:
        decoder._features = list(features)
        return decoder.decode(latents)

    def laid_out(layout: Any) -> None:
        for module in decoder.vae.modules():
            if isinstance(module, torch.nn.Conv3d):
                module.to(memory_format=layout)

    found: dict[str, Any] = {}
    wanted = one_chunk().clone()
    found["eager"] = milliseconds(one_chunk, TIMES)
    for lever in ("cuDNN's search", "channels last", "channels last, cuDNN's search"):
        try:
            torch.backends.cudnn.benchmark = "search" in lever
            laid_out(torch.channels_last_3d if "last" in lever else torch.contiguous_format)
            one_chunk()
            found[lever] = milliseconds(one_chunk, TIMES)
            found[lever]["off"] = off(one_chunk(), wanted)["largest"]
        except RuntimeError as error:
            found[lever] = f"not possible: {str(error)[:160]}"
    torch.backends.cudnn.benchmark = False
    laid_out(torch.contiguous_format)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--commit", default="", help="of this code, where git is not at hand")
    parser.add_argument("--rehearse", action="store_true")
    asked = parser.parse_args()

    import torch

    from generator.lab import clock
    from generator.lab.pipelines import Parts, Request, open_pipeline

    parts = Parts(
        device="cpu" if asked.rehearse else "cuda",
        dtype="float32" if asked.rehearse else "bfloat16",
        weights="random",
        tiny=asked.rehearse,
    )
    report: dict[str, Any] = {
        "version": 1,
        "machine": dict(clock.machine(parts.device)),
        "software": {
            **clock.software(),
            **({"Matrix Archive": f"commit {asked.commit}"} if asked.commit else {}),
        },
        "weights": "random",
        "what": f"medians of {TIMES} single runs in the steady state, random weights",
    }
    asked.out.mkdir(parents=True, exist_ok=True)
    pipeline: Any = open_pipeline("memflow", parts)
    report["said"] = dict(pipeline.said)
    for width, height in ((32, 32), (48, 32)) if asked.rehearse else SIZES:
        pipeline.wipe()
        request = Request(prompt="levers", width=width, height=height, steps=(4,), seed=0)
        pipeline.prepare(request)
        stream = pipeline.latents()
        for _ in range(8):
            latents = next(stream)
        with torch.inference_mode():
            cell: dict[str, Any] = {"pass": passes(pipeline, latents)}
            pipeline.decoder.wipe()
            pipeline.decoder.decode(latents)
            cell["decode"] = decodes(pipeline, latents)
        report[f"{width}x{height}"] = cell
        print(f"{width}x{height}", json.dumps(cell, indent=1), flush=True)
        text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
        (asked.out / "memflow-levers.json").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
